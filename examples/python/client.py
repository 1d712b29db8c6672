#!/usr/bin/env python3
"""A Multy-Party Chat 1.0 client without a face: commands on standard input, events on standard output.

Both are JSON, one object a line, as docs/driver.md describes. Comments name the rules of SPECIFICATION.md.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from mpchat_proto import (
    ETK_SIZE, FROM_SERVER, LAST_SQN, MAX_PAYLOAD, NO_SID, SERVER_UID, Connection, Header, Type, Violation,
    decrypt_share, encrypt_share, envelope_line_size, fresh_share, lines_payload, load_directory, load_private_key,
    load_public_key, login_keys, open_envelope, open_frame, parse_payload, parse_uid, seal_envelope, transfer_keys,
    uid_text,
)

LOGIN_TIMEOUT = 10.0  # LOGIN-16
LAST_ANSWERS = 1.0  # how long a used up connection waits for answers (MTP-09)


class Refused(Exception):
    """A command that is not carried out, and why."""


class Later(Exception):
    """A command that cannot be carried out yet."""


def emit(event: str, **fields):
    fields = {name: value for name, value in fields.items() if value is not None}
    print(json.dumps({"event": event, **fields}), flush=True)


def result(text: str) -> dict:
    """`OK`, or an error text (PAY-03)."""
    return {"ok": True} if text == "OK" else {"ok": False, "error": text}


@dataclass
class Identity:
    """A user, its keys, and what it remembers of all its connections."""

    uid: int
    key: RSAPrivateKey | None = None
    server_key: RSAPublicKey | None = None
    directory: dict[int, RSAPublicKey] = field(default_factory=dict)
    created: dict[int, list[int]] = field(default_factory=dict)  # sessions: whom the user invited
    inviters: dict[int, int] = field(default_factory=dict)  # sessions: who invited the user
    rosters: dict[int, list[int]] = field(default_factory=dict)  # the first that was learned (STAT-09)
    chosen: set[int] = field(default_factory=set)  # answered invitations (INIT-16)
    closed: set[int] = field(default_factory=set)  # CLOSE-10
    shown: set[tuple[int, int, bytes]] = field(default_factory=set)  # MSG-18

    def load(self, kit: Path):
        self.key = load_private_key(kit / f"{uid_text(self.uid)}.key.pem")
        self.server_key = load_public_key(kit / "server.pub.pem")
        self.directory = load_directory(kit)

    def recipients(self, sid: int) -> list[int]:
        """The other participants of a session whose roster can be trusted (STAT-09)."""
        roster = self.rosters[sid]
        if self.uid not in roster or len(set(roster)) < len(roster) or len(roster) < 2:
            raise Refused("the roster lacks this user, names a user twice, or nobody else")
        if sid in self.created:
            guests = iter(self.created[sid])
            if roster[0] != self.uid or not all(uid in guests for uid in roster[1:]):  # `in` advances the iterator
                raise Refused("the roster is not this user and then users whom it invited, in that order")
        elif sid in self.inviters and roster[0] != self.inviters[sid]:
            raise Refused("the roster does not begin with who invited this user")
        if not all(uid in self.directory for uid in roster):
            raise Refused("the roster names somebody who is not in the directory")
        return [uid for uid in roster if uid != self.uid]


class ClientConnection(Connection):
    """The client's end: login, and what waits for an answer on this connection."""

    receives = FROM_SERVER
    login_type = Type.STATUS_RES

    def __init__(self, client: Client, identity: Identity):
        super().__init__()
        self.client = client
        self.me = identity
        self.online = False
        self.lost = self.loop.create_future()
        self.inits: deque[list[int]] = deque()
        self.texts: Counter[int] = Counter()  # msg_req without msg_res, by session
        self.closes: Counter[int] = Counter()
        self.queries: dict[int, deque[bool]] = {}  # status_req by session: whether the user asked
        self.members: dict[int, list[tuple[int, str]]] = {}  # of the status answer that is coming in (STAT-07)
        self.invitations: set[int] = set()  # not answered yet
        self.last_sqn_timer: asyncio.TimerHandle | None = None
        self.login_timer = self.loop.call_later(LOGIN_TIMEOUT, self.end, "no login in time")
        self.step = self.login_response

    # login (section 4)

    def connection_made(self, transport):
        super().connection_made(transport)
        self.client.connection_made(self)
        self.tk = fresh_share()
        self.seal_keys = login_keys(self.tk, "c2s")
        self.open_keys = login_keys(self.tk, "s2c")
        etk = encrypt_share(self.me.server_key, self.tk)
        self.request = self.send(Type.STATUS_REQ, NO_SID, self.me.uid, etk=etk)

    def login_response(self, header: Header, response: bytes):
        try:
            sk = decrypt_share(self.me.key, response[-ETK_SIZE:])
        except ValueError:
            raise Violation("a wrong etk (LOGIN-12)") from None
        if open_frame(self.open_keys, response[:-ETK_SIZE]) != b"Online":
            raise Violation("the login response does not say Online (LOGIN-12)")
        self.seal_keys = transfer_keys(self.tk, sk, self.request, response, "c2s")
        self.open_keys = transfer_keys(self.tk, sk, self.request, response, "s2c")
        self.login_type, self.etk_size, self.step = Type.STATUS_REQ, 0, self.login_challenge

    def login_challenge(self, header: Header, frame: bytes):
        if open_frame(self.open_keys, frame):
            raise Violation("step 3 has a payload (LOGIN-17)")
        self.send(Type.STATUS_RES, NO_SID, self.me.uid, b"Online")
        self.login_timer.cancel()
        self.login_type, self.step, self.online = None, self.frame, True
        emit("online")
        self.client.carry_on()

    def check_uid(self, header: Header):
        """MTP-21, and LOGIN-12 and LOGIN-17 before that."""
        from_server = header.uid == SERVER_UID
        if from_server and header.typ in (Type.INVITE_REQ, Type.MSG_REQ):
            raise Violation("uid 0 where a user is needed (MTP-21)")
        own = header.typ in (Type.INIT_RES, Type.MSG_RES, Type.STATUS_REQ)
        if not from_server and (self.login_type is not None or own):
            raise Violation("a user's uid in the server's own frame (MTP-21)")

    # the end

    def waits(self) -> bool:
        return bool(self.inits or self.texts or self.closes or self.queries)

    def used_up(self) -> bool:
        return self.sent == LAST_SQN

    def last_sqn_used(self):
        delay = LAST_ANSWERS if self.waits() else 0
        self.last_sqn_timer = self.loop.call_later(delay, self.end, "the last sequence number was used")

    def leave(self):
        if self.online:
            self.send(Type.STATUS_RES, NO_SID, self.me.uid, b"Offline")  # STAT-02
        self.end()

    def connection_lost(self, error):
        super().connection_lost(error)
        self.lost.set_result(None)

    def connection_ended(self, reason: str):
        self.login_timer.cancel()
        if self.last_sqn_timer:
            self.last_sqn_timer.cancel()
        self.client.connection_ended(self, reason)

    # frames

    def frame(self, header: Header, frame: bytes):
        payload = open_frame(self.open_keys, frame)
        try:
            content = parse_payload(header.typ, payload)
        except ValueError as error:
            if header.typ != Type.MSG_REQ:
                raise Violation(str(error)) from None  # PAY-05
            content = []  # PAY-08
        handler = {
            Type.INIT_RES: self.init_res, Type.INVITE_REQ: self.invite_req, Type.MSG_REQ: self.msg_req,
            Type.MSG_RES: self.msg_res, Type.CLOSE_RES: self.close_res, Type.STATUS_REQ: self.status_req,
            Type.STATUS_RES: self.status_res,
        }[header.typ]
        handler(header.sid, header.uid, content)
        if self.used_up() and not self.waits():
            self.end("the last sequence number was used")  # MTP-09

    def init_res(self, sid: int, uid: int, content: str):
        if content == "OK" and sid == NO_SID:
            raise Violation("an init_res OK without a session (PAY-05)")
        if not self.inits:
            return  # PAY-06
        invited = self.inits.popleft()
        if content == "OK":
            self.me.created.setdefault(sid, invited)
        emit("init", sid=uid_text(sid), **result(content))

    def invite_req(self, sid: int, uid: int, content: str):
        if sid == NO_SID:
            raise Violation("an invitation without a session (PAY-05)")
        self.me.inviters.setdefault(sid, uid)
        self.invitations.add(sid)
        emit("invited", sid=uid_text(sid), **{"from": uid_text(uid)})

    def msg_req(self, sid: int, uid: int, content: list[str]):
        if sid == NO_SID:
            raise Violation("a text without a session (PAY-05)")
        answer = "OK"
        seen = (sid, uid, hashlib.sha256("\n".join(content).encode()).digest())
        if seen not in self.me.shown:  # MSG-18
            try:
                (line,) = content  # PAY-08: exactly one
                text = open_envelope(self.me.key, sid, uid, self.me.uid, line)
                self.me.shown.add(seen)
                emit("message", sid=uid_text(sid), text=text, **{"from": uid_text(uid)})
            except ValueError:
                answer = "the envelope does not open"  # MSG-06, MSG-14
        self.send(Type.MSG_RES, sid, self.me.uid, answer.encode())

    def msg_res(self, sid: int, uid: int, content: str):
        if self.take(self.texts, sid):
            emit("sent", sid=uid_text(sid), **result(content))

    def close_res(self, sid: int, uid: int, content: str):
        """PAY-06: an answer, a notification, or nothing."""
        known = sid in self.me.closed
        if content == "OK":
            self.me.closed.add(sid)
            self.invitations.discard(sid)
        if uid == SERVER_UID and self.take(self.closes, sid):
            emit("close", sid=uid_text(sid), **result(content))
        elif content == "OK" and (uid != SERVER_UID or not known):
            emit("closed", sid=uid_text(sid), by=uid_text(uid))

    @staticmethod
    def take(waiting: Counter[int], sid: int) -> bool:
        """Whether something waited for an answer; it waits no longer."""
        found = waiting[sid] > 0
        waiting[sid] -= found
        if not waiting[sid]:
            del waiting[sid]
        return found

    def status_req(self, sid: int, uid: int, content: str):
        if sid != NO_SID:
            raise Violation("a probe with a session (PAY-05)")
        self.send(Type.STATUS_RES, NO_SID, self.me.uid, b"Online")

    def status_res(self, sid: int, uid: int, content: str):
        queries = self.queries.get(sid)
        if queries is None or (sid == NO_SID and uid != SERVER_UID):
            return  # PAY-06
        if uid != SERVER_UID:
            self.members.setdefault(sid, []).append((uid, content))
            return
        members = self.members.pop(sid, [])
        asked_by_user = queries.popleft()
        if not queries:
            del self.queries[sid]
        if sid != NO_SID and content == "Online":
            self.me.rosters.setdefault(sid, [member for member, _ in members])
        if asked_by_user:
            shown = [{"uid": uid_text(member), "state": state} for member, state in members]
            emit("status", sid=uid_text(sid), state=content, members=shown)
        else:
            self.client.roster_answered(sid)

    def ask_status(self, sid: int, by_user: bool):
        self.queries.setdefault(sid, deque()).append(by_user)
        self.send(Type.STATUS_REQ, sid, self.me.uid)


class Client:
    """Carries out the user's commands, one after the other."""

    def __init__(self):
        self.commands: deque[dict] = deque()
        self.connection: ClientConnection | None = None
        self.address = ("", 0)
        self.dialing: asyncio.Task | None = None
        self.identities: dict[int, Identity] = {}
        self.asking = NO_SID  # the session whose roster the first command waits for
        self.lingering: set[ClientConnection] = set()

    def command_line(self, line: bytes):
        try:
            command = json.loads(line)
        except (ValueError, RecursionError):
            command = None
        command = command if isinstance(command, dict) else {}
        if command.get("do") == "leave":
            self.carry_out(command)  # it waits for nothing
        else:
            self.commands.append(command)
        self.carry_on()

    def carry_on(self):
        """Carries out what can be carried out."""
        while self.commands and not self.busy():
            if not self.carry_out(self.commands[0]):
                break
            self.commands.popleft()

    def busy(self) -> bool:
        """Whether commands wait: for a login, a new connection (MTP-09), or a roster."""
        connection = self.connection
        return bool(self.dialing or self.asking or connection and (not connection.online or connection.used_up()))

    def carry_out(self, command: dict) -> bool:
        do = command.get("do")
        method = {
            "connect": self.connect, "init": self.init, "answer": self.answer, "send": self.send_text,
            "close": self.close, "status": self.status, "leave": self.leave,
        }.get(do if isinstance(do, str) else None)
        try:
            if method is None:
                raise Refused("no such command")
            method(command)
        except Later:
            return False
        except Refused as refusal:
            emit("refused", do=do if isinstance(do, str) else "", error=str(refusal))
        return True

    # fields of commands

    @staticmethod
    def uid_of(value) -> int:
        try:
            return parse_uid(value)
        except (TypeError, ValueError):
            raise Refused(f"{value!r} is not 16 lowercase hexadecimal digits") from None

    def session_of(self, command: dict) -> int:
        """A session for which something can be sent."""
        sid = self.uid_of(command.get("sid"))
        if sid in self.connected().me.closed:
            raise Refused("the session is closed")  # CLOSE-10
        return sid

    def connected(self) -> ClientConnection:
        if self.connection is None:
            raise Refused("not connected")
        return self.connection

    # commands

    def connect(self, command: dict):
        if self.connection:
            raise Refused("connected already")
        uid = self.uid_of(command.get("uid"))
        try:
            host, _, port = command["address"].rpartition(":")
            address = host.strip("[]"), int(port)
            kit = Path(command["kit"])
        except (KeyError, AttributeError, TypeError, ValueError):
            raise Refused("connect needs an address, host:port, and a kit") from None
        identity = self.identities.setdefault(uid, Identity(uid))
        try:
            identity.load(kit)
        except (OSError, ValueError) as error:
            raise Refused(f"the kit cannot be used: {error}") from None
        self.dial(address, identity)

    def dial(self, address: tuple[str, int], identity: Identity):
        self.address = address
        self.dialing = asyncio.create_task(self.make_connection(identity))

    async def make_connection(self, identity: Identity):
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(LOGIN_TIMEOUT):
                await loop.create_connection(lambda: ClientConnection(self, identity), *self.address)
        except (OSError, OverflowError, UnicodeError) as error:  # TimeoutError is an OSError
            self.dialing = None
            emit("disconnected", error=f"no connection: {error or 'timeout'}")
            self.carry_on()

    def connection_made(self, connection: ClientConnection):
        self.connection, self.dialing = connection, None

    def init(self, command: dict):
        connection = self.connected()
        invited = command.get("invite")
        if not isinstance(invited, list):
            raise Refused("init needs a list of users")
        uids = [self.uid_of(text) for text in invited]
        payload = lines_payload(invited)
        if len(payload) > MAX_PAYLOAD:
            raise Refused("too many users for one frame")
        connection.inits.append(uids)
        connection.send(Type.INIT_REQ, NO_SID, connection.me.uid, payload)  # INIT-01

    def answer(self, command: dict):
        sid, accept, connection = self.session_of(command), command.get("accept"), self.connected()
        if not isinstance(accept, bool):
            raise Refused("accept is true or false")
        if sid not in connection.invitations or sid in connection.me.chosen:
            raise Refused("no invitation that is unanswered")  # INIT-16
        connection.invitations.remove(sid)
        connection.me.chosen.add(sid)
        connection.send(Type.INVITE_RES, sid, connection.me.uid, b"Accept" if accept else b"Deny")

    def send_text(self, command: dict):
        sid, connection = self.session_of(command), self.connected()
        try:
            text = command["text"].encode()
        except (KeyError, AttributeError, UnicodeEncodeError):
            raise Refused("no text, or none that is UTF-8") from None
        if sid == NO_SID:
            raise Refused("no session")
        if envelope_line_size(text) > MAX_PAYLOAD:
            raise Refused("the text is too long")  # MSG-16
        me = connection.me
        if sid not in me.rosters:
            self.asking = sid
            connection.ask_status(sid, by_user=False)
            raise Later
        recipients = me.recipients(sid)
        if envelope_line_size(text) * len(recipients) > MAX_PAYLOAD:
            raise Refused("the text is too long for so many participants")  # MSG-16
        lines = [seal_envelope(me.directory[uid], sid, me.uid, uid, text) for uid in recipients]  # MSG-01, MSG-02
        connection.texts[sid] += 1
        connection.send(Type.MSG_REQ, sid, me.uid, lines_payload(lines))

    def roster_answered(self, sid: int):
        self.asking = NO_SID
        if sid not in self.connection.me.rosters:
            self.commands.popleft()
            emit("refused", do="send", error="the server knows no such session of this user")
        self.carry_on()

    def close(self, command: dict):
        sid, connection = self.session_of(command), self.connected()
        connection.closes[sid] += 1
        connection.send(Type.CLOSE_REQ, sid, connection.me.uid)

    def status(self, command: dict):
        sid = self.uid_of(command["sid"]) if "sid" in command else NO_SID
        self.connected().ask_status(sid, by_user=True)

    def leave(self, command: dict):
        if self.dialing:  # nobody is there yet
            self.dialing.cancel()
            self.dialing = None
            emit("disconnected")
        else:
            self.connected().leave()

    # the end

    def connection_ended(self, connection: ClientConnection, reason: str):
        """Reports what can no longer be answered; logs in anew only for want of numbers (LOGIN-15, MTP-09)."""
        self.lingering.add(connection)
        connection.lost.add_done_callback(lambda _: self.lingering.discard(connection))
        if self.asking:
            self.asking = NO_SID
            self.commands.popleft()
            emit("refused", do="send", error="disconnected before the roster was known")
        emit("disconnected", error=reason or None)
        self.connection = None
        if connection.used_up() and reason:
            self.dial(self.address, connection.me)
        else:
            self.carry_on()

    async def stop(self):
        """Drops what waits, and lets what was sent go out."""
        self.commands.clear()
        self.asking = NO_SID
        if self.dialing:
            self.dialing.cancel()
        if self.connection:
            self.connection.end()
        if self.lingering:
            await asyncio.wait([connection.lost for connection in self.lingering], timeout=LAST_ANSWERS)


async def main():
    client = Client()
    loop, rest = asyncio.get_running_loop(), b""
    while data := await loop.run_in_executor(None, os.read, sys.stdin.fileno(), 1 << 16):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            client.command_line(line)
    if rest:
        client.command_line(rest)
    await client.stop()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except BrokenPipeError:
        os._exit(1)  # nobody reads the events any more, so there is nowhere to say so
