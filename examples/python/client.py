#!/usr/bin/env python3
"""A Multy-Party Chat 1.0 client without a face: commands on standard input, events on standard output.

Both are JSON, one object a line, as docs/driver.md describes. Comments name the rules of SPECIFICATION.md.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import sys
from collections import defaultdict, deque
from pathlib import Path

from mpchat_proto import (
    ETK_SIZE, LAST_SQN, MAX_PAYLOAD, NO_SID, SERVER_UID, UID_TEXT, Connection, Header, Type, derive_keys,
    load_directory, load_key, make_share, open_envelope, open_share, seal_envelope, uid_text,
)

LOGIN_TIMEOUT = 10.0  # LOGIN-16
LAST_ANSWERS = 1.0  # how long a used up connection waits for answers (MTP-09)
NEEDS_SID = {Type.INVITE_REQ: True, Type.MSG_REQ: True, Type.STATUS_REQ: False}  # PAY-05


def emit(event: str, result: str | None = None, **fields):
    """Tells the user. A result is `OK`, or an error text (PAY-03)."""
    if result is not None:
        fields |= {"ok": result == "OK", "error": None if result == "OK" else result}
    fields = {name: value for name, value in fields.items() if value is not None}
    print(json.dumps({"event": event, **fields}), flush=True)


def get(command: dict, name: str, kind: type):
    if not isinstance(command.get(name), kind):
        raise ValueError(f"the command needs {name}, a {kind.__name__}")
    return command[name]


def parse_uid(text) -> int:
    if not isinstance(text, str) or not re.fullmatch(UID_TEXT, text):
        raise ValueError(f"{text!r} is not 16 lowercase hexadecimal digits")
    return int(text, 16)


class Identity:
    """A user, its keys, and what it remembers of all its connections."""

    def __init__(self, uid: int):
        self.uid = uid
        self.created: dict[int, list[int]] = {}  # sessions: whom the user invited
        self.inviters: dict[int, int] = {}  # sessions: who invited the user
        self.rosters: dict[int, list[int]] = {}  # the first that was learned (STAT-09)
        self.closed: set[int] = set()  # CLOSE-10
        self.shown: set[tuple[int, int, bytes]] = set()  # MSG-18

    def load(self, kit: Path):
        self.key = load_key(kit / f"{uid_text(self.uid)}.key.pem")
        self.server_key = load_key(kit / "server.pub.pem")
        self.directory = load_directory(kit)

    def recipients(self, sid: int) -> list[int]:
        """The other participants of a session whose roster can be trusted (STAT-09)."""
        roster = self.rosters.get(sid, [])
        others = [uid for uid in roster if uid != self.uid]
        trusted = 0 < len(others) == len(set(others)) == len(roster) - 1  # itself, others, and nobody twice
        if sid in self.created:
            guests = iter(self.created[sid])  # `in` advances it
            trusted = trusted and roster[0] == self.uid and all(uid in guests for uid in others)
        elif sid in self.inviters:
            trusted = trusted and roster[0] == self.inviters[sid]
        if not trusted or not all(uid in self.directory for uid in others):
            raise ValueError("there is no such session, or its roster cannot be trusted")
        return others


class ClientConnection(Connection):
    """The client's end: its login, the frames of the server, and the commands that send something."""

    login_types = (Type.STATUS_RES, Type.STATUS_REQ)
    tolerates = {Type.MSG_REQ}

    def __init__(self, client: Client, me: Identity, address: tuple[str, int]):
        super().__init__(me.uid, LOGIN_TIMEOUT)
        self.client, self.me, self.address = client, me, address
        self.dialing = self.loop.create_task(self.dial())
        self.lost = self.loop.create_future()
        self.asked: defaultdict[tuple[Type, int], deque] = defaultdict(deque)  # what waits for an answer
        self.members: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)  # of answers that come in
        self.invitations: set[int] = set()  # not answered yet
        self.held_send: dict | None = None  # a command that waits for its roster, and all others for it

    async def dial(self):
        try:
            await self.loop.create_connection(lambda: self, *self.address)
        except (OSError, OverflowError, UnicodeError) as error:
            self.end(f"no connection: {error}")

    def connection_made(self, transport):
        super().connection_made(transport)
        self.tk, etk = make_share(self.me.server_key)
        self.seal_keys, self.open_keys = derive_keys(self.tk)
        self.request = self.send(Type.STATUS_REQ, NO_SID, etk=etk)

    def log_in(self, header: Header, response: bytes):
        sk = open_share(self.me.key, response[-ETK_SIZE:])
        self.open(header, response[:-ETK_SIZE])
        self.seal_keys, self.open_keys = derive_keys(self.tk, sk, self.request + response)

    def logged_in(self):
        self.send(Type.STATUS_RES, NO_SID, "Online")
        emit("online")
        self.client.carry_on()

    def wrong_uid(self, header: Header) -> bool:
        if header.typ in (Type.INVITE_REQ, Type.MSG_REQ):
            return header.uid == SERVER_UID
        of_others = self.online and header.typ in (Type.CLOSE_RES, Type.STATUS_RES)
        return header.uid != SERVER_UID and not of_others

    def busy(self) -> bool:
        """Whether commands have to wait: for a login, the next connection (MTP-09), or a roster."""
        return not self.ended and (not self.online or self.sent == LAST_SQN or bool(self.held_send))

    def last_sqn_used(self):
        delay = LAST_ANSWERS if any(self.asked.values()) else 0
        self.timer = self.loop.call_later(delay, super().last_sqn_used)

    def take(self, header: Header, frame: bytes):
        if NEEDS_SID.get(header.typ) == (header.sid == NO_SID):
            raise ValueError("a sid that is wrong here (PAY-05)")
        super().take(header, frame)
        if self.sent == LAST_SQN and not any(self.asked.values()):
            super().last_sqn_used()

    def connection_ended(self, reason: str):
        self.dialing.cancel()
        if self.held_send:
            emit("refused", do="send", error="disconnected before the roster was known")
        emit("disconnected", error=reason or None)
        if self.sent == LAST_SQN and reason:  # else the user says when to log in again (LOGIN-15)
            self.client.connection = ClientConnection(self.client, self.me, self.address)
        self.client.carry_on()

    def connection_lost(self, error):
        super().connection_lost(error)
        self.lost.set_result(None)

    def answered(self, typ: Type, sid: int):
        """What the oldest request of this type and session was about; None if none waits (PAY-06)."""
        queue = self.asked.get((typ, sid))
        return queue.popleft() if queue else None

    def init_res(self, sid: int, uid: int, result: str):
        if result == "OK" and sid == NO_SID:
            raise ValueError("an init_res OK without a session (PAY-05)")
        invited = self.answered(Type.INIT_REQ, NO_SID)
        if invited is not None:
            if result == "OK":
                self.me.created.setdefault(sid, invited)
            emit("init", result, sid=uid_text(sid))

    def invite_req(self, sid: int, uid: int, content: str):
        if sid not in self.me.inviters:
            self.me.inviters[sid] = uid
            self.invitations.add(sid)
        emit("invited", sid=uid_text(sid), **{"from": uid_text(uid)})

    def msg_req(self, sid: int, uid: int, lines: list[str] | None):
        result = "OK"
        try:
            (line,) = lines or []  # PAY-08: exactly one
            seen = (sid, uid, hashlib.sha256(line.encode()).digest())
            if seen not in self.me.shown:  # MSG-18
                text = open_envelope(self.me.key, sid, uid, self.me.uid, line)
                self.me.shown.add(seen)
                emit("message", sid=uid_text(sid), text=text, **{"from": uid_text(uid)})
        except ValueError:
            result = "the envelope does not open"  # MSG-06, MSG-14
        self.send(Type.MSG_RES, sid, result)

    def msg_res(self, sid: int, uid: int, result: str):
        if self.answered(Type.MSG_REQ, sid):
            emit("sent", result, sid=uid_text(sid))

    def close_res(self, sid: int, uid: int, result: str):
        """PAY-06: an answer, a notification, or nothing."""
        known = sid in self.me.closed
        if result == "OK":
            self.me.closed.add(sid)
        if uid == SERVER_UID and self.answered(Type.CLOSE_REQ, sid):
            emit("close", result, sid=uid_text(sid))
        elif result == "OK" and (uid != SERVER_UID or not known):
            emit("closed", sid=uid_text(sid), by=uid_text(uid))

    def status_req(self, sid: int, uid: int, content: str):
        self.send(Type.STATUS_RES, NO_SID, "Online")  # STAT-02

    def status_res(self, sid: int, uid: int, state: str):
        if not self.asked.get((Type.STATUS_REQ, sid)) or (sid == NO_SID and uid != SERVER_UID):
            return  # PAY-06
        if uid != SERVER_UID:
            self.members[sid].append((uid, state))
            return
        members = self.members.pop(sid, [])
        if sid != NO_SID and state == "Online":
            self.me.rosters.setdefault(sid, [member for member, _ in members])
        if self.answered(Type.STATUS_REQ, sid) == "the user":
            shown = [{"uid": uid_text(member), "state": state} for member, state in members]
            emit("status", sid=uid_text(sid), state=state, members=shown)
        else:
            if self.sent == LAST_SQN:  # the question took the last number: the next connection says it
                self.client.commands.appendleft(self.held_send)
            else:
                self.client.carry_out(self.held_send)
            self.held_send = None
            self.client.carry_on()

    def ask(self, typ: Type, sid: int, lines=(), about="the user"):
        text = "".join(line + "\n" for line in lines)  # PAY-02
        if len(text.encode()) > MAX_PAYLOAD:
            raise ValueError("too long for one frame")  # MSG-16
        self.asked[typ, sid].append(about)
        self.send(typ, sid, text)

    def open_session(self, command: dict) -> int:
        """The session of a command, unless it is closed."""
        sid = parse_uid(command.get("sid"))
        if sid in self.me.closed:
            raise ValueError("the session is closed")  # CLOSE-10
        return sid

    def do_init(self, command: dict):
        names = get(command, "invite", list)
        invited = [parse_uid(name) for name in names]
        self.ask(Type.INIT_REQ, NO_SID, names, about=invited)  # INIT-01

    def do_answer(self, command: dict):
        sid, accept = self.open_session(command), get(command, "accept", bool)
        if sid not in self.invitations:
            raise ValueError("no invitation that is unanswered")  # INIT-16
        self.invitations.remove(sid)
        self.send(Type.INVITE_RES, sid, "Accept" if accept else "Deny")

    def do_send(self, command: dict):
        sid, text = self.open_session(command), get(command, "text", str).encode()
        if sid == NO_SID:
            raise ValueError("no session")
        if sid not in self.me.rosters and not self.held_send:
            self.held_send = command
            self.ask(Type.STATUS_REQ, sid, about="the roster")
            return
        others = self.me.recipients(sid)
        lines = [seal_envelope(self.me.directory[uid], sid, self.me.uid, uid, text) for uid in others]
        self.ask(Type.MSG_REQ, sid, lines)  # MSG-01, MSG-02

    def do_close(self, command: dict):
        self.ask(Type.CLOSE_REQ, self.open_session(command))

    def do_status(self, command: dict):
        self.ask(Type.STATUS_REQ, parse_uid(command["sid"]) if "sid" in command else NO_SID)

    def do_leave(self, command: dict):
        if self.online:
            self.send(Type.STATUS_RES, NO_SID, "Offline")  # STAT-02
        self.end()


class Client:
    """Carries out the user's commands, one after the other."""

    def __init__(self):
        self.commands: deque[dict] = deque()
        self.connection: ClientConnection | None = None  # the last one, even if it has ended
        self.identities: dict[int, Identity] = {}

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
        while self.commands and not (self.connection and self.connection.busy()):
            self.carry_out(self.commands.popleft())

    def carry_out(self, command: dict):
        do, connected = command.get("do"), bool(self.connection and not self.connection.ended)
        method = self.connect if do == "connect" else getattr(self.connection, f"do_{do}", None)
        try:
            if connected == (do == "connect"):
                raise ValueError("connected already" if connected else "not connected")
            if method is None:
                raise ValueError("no such command")
            method(command)
        except (ValueError, OSError) as error:  # OSError: of the kit
            emit("refused", do=do if isinstance(do, str) else "", error=str(error))

    def connect(self, command: dict):
        uid = parse_uid(command.get("uid"))
        host, _, port = get(command, "address", str).rpartition(":")
        address = host.strip("[]"), int(port)
        me = self.identities.setdefault(uid, Identity(uid))
        me.load(Path(get(command, "kit", str)))
        self.connection = ClientConnection(self, me, address)


async def main():
    client = Client()
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        client.command_line(line)
    client.commands.clear()
    if (connection := client.connection) and connection.transport:
        connection.held_send = None
        connection.end()
        await asyncio.wait([connection.lost], timeout=LAST_ANSWERS)  # what was sent goes out


if __name__ == "__main__":
    asyncio.run(main())
