#!/usr/bin/env python3
"""A Multy-Party Chat 1.0 server.

    python3 server.py --kit DIR [--host 127.0.0.1] [--port 5150] [--state DIR]

The kit is a folder with `server.key.pem` and everyone's public keys (section 9). One thread runs everything, and
each frame is processed without a pause, so that nobody ever sees half of its effects. Comments name the rules of
SPECIFICATION.md.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import sys
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from mpchat_proto import (
    DEFAULT_PORT, ETK_SIZE, FROM_CLIENT, NO_SID, SERVER_UID, Connection, Header, Type, Violation, decrypt_share,
    encrypt_share, fresh_share, lines_payload, load_directory, load_private_key, login_keys, open_frame, parse_payload,
    transfer_keys,
)
from store import Store

MAX_INVITED = 121  # INIT-02
MAX_WAITING_INITS = 16  # of a connection; more of them only if they name few users (PAY-07)
FEW_USERS = 3
MAX_SESSIONS = 100_000  # PAY-07
MAX_STORED = 256 << 20  # bytes of all stored lines (PAY-07)
MAX_UNANSWERED = 32  # lines that a recipient gets before it answers one (MSG-20)
NO_SESSION = "no such session, or you are not in it"  # the same to everybody (CLOSE-09)
STORAGE_FAILED = "the server's storage failed"


@dataclass(eq=False)
class Init:
    """A pending session."""

    sid: int
    creator: ServerConnection
    invited: list[int]
    undecided: set[int]
    accepted: set[int] = field(default_factory=set)
    timer: asyncio.TimerHandle | None = None


@dataclass(eq=False)
class Message:
    """A msg_req that has not got its msg_res yet."""

    author: ServerConnection
    sid: int
    error: str = ""
    waiting: set[int] = field(default_factory=set)  # the recipients that are not decided (MSG-07)


@dataclass(eq=False)
class Line:
    """A line that its recipient has not answered yet."""

    id: int
    sid: int
    author: int
    recipient: int
    text: str
    message: Message | None = None  # none after a restart of the server
    sent_at: float = 0.0  # on the recipient's present connection


class ServerConnection(Connection):
    """One client: its login, the lines under way to it, and the answers that it waits for."""

    receives = FROM_CLIENT
    login_type = Type.STATUS_REQ

    def __init__(self, server: Server):
        super().__init__()
        self.server = server
        self.options = server.options
        self.uid: int | None = None  # known from the login request on, proven by step 4
        self.init: Init | None = None
        self.waiting_inits: deque[list[int] | str] = deque()  # whom to invite, or why not (INIT-14)
        self.messages: dict[int, deque[Message]] = {}  # by session: whose msg_res is due, in order (MSG-11)
        self.held: deque[Line] = deque()  # not sent yet (MSG-20)
        self.unanswered: list[Line] = []
        self.answered_at = 0.0
        self.heard_at = self.loop.time()
        self.timers: dict[str, asyncio.TimerHandle] = {}
        self.set_timer("login", self.options.login_timeout, self.end, "no login in time")  # LOGIN-10
        self.step = self.login_request

    def set_timer(self, name: str, delay: float, callback, *args):
        self.stop_timer(name)
        self.timers[name] = self.loop.call_later(delay, callback, *args)

    def stop_timer(self, name: str):
        if timer := self.timers.pop(name, None):
            timer.cancel()

    # login (section 4)

    def check_uid(self, header: Header):
        if self.uid is None and header.uid not in self.server.directory:
            raise Violation("nobody's uid (LOGIN-06)")
        if self.uid is not None and header.uid != self.uid:
            raise Violation("somebody else's uid (MTP-14)")

    def login_request(self, header: Header, request: bytes):
        try:
            tk = decrypt_share(self.server.key, request[-ETK_SIZE:])
        except ValueError:
            raise Violation("a wrong etk (LOGIN-06)") from None
        if open_frame(login_keys(tk, "c2s"), request[:-ETK_SIZE]):
            raise Violation("a login request with a payload (LOGIN-06)")
        self.uid = header.uid
        sk = fresh_share()
        self.seal_keys = login_keys(tk, "s2c")
        etk = encrypt_share(self.server.directory[self.uid], sk)
        response = self.send(Type.STATUS_RES, NO_SID, SERVER_UID, b"Online", etk)
        self.open_keys = transfer_keys(tk, sk, request, response, "c2s")
        self.seal_keys = transfer_keys(tk, sk, request, response, "s2c")
        self.send(Type.STATUS_REQ, NO_SID, SERVER_UID)
        self.login_type, self.etk_size, self.step = Type.STATUS_RES, 0, self.login_proof

    def login_proof(self, header: Header, frame: bytes):
        if open_frame(self.open_keys, frame) != b"Online":
            raise Violation("step 4 does not say Online (LOGIN-08)")
        self.stop_timer("login")
        self.login_type, self.step = None, self.frame
        self.server.came_online(self)
        self.watch_silence()

    # afterwards

    def frame(self, header: Header, frame: bytes):
        self.heard_at = self.loop.time()
        try:
            content = parse_payload(header.typ, open_frame(self.open_keys, frame))
        except ValueError as error:
            if header.typ not in (Type.INIT_REQ, Type.MSG_REQ, Type.CLOSE_REQ):
                raise Violation(str(error)) from None  # PAY-05
            content = None  # PAY-04: it gets an error text
        self.server.handlers[header.typ](self, header.sid, content)

    def reply(self, typ: Type, sid: int, text: str = "OK", uid: int = SERVER_UID):
        self.send(typ, sid, uid, text.encode())

    def last_sqn_used(self):
        self.stopped = True
        self.loop.call_soon(self.end, "the last sequence number was used")  # MTP-09; not in the midst of a change

    def connection_ended(self, reason: str):
        for timer in self.timers.values():
            timer.cancel()
        if self.login_type is None:
            self.server.went_offline(self)

    def send_lines(self):
        while self.held and len(self.unanswered) < MAX_UNANSWERED:
            line = self.held.popleft()
            line.sent_at = self.loop.time()
            self.unanswered.append(line)
            self.send(Type.MSG_REQ, line.sid, line.author, lines_payload([line.text]))
        if self.unanswered and "answer" not in self.timers:
            self.watch_answers()

    def watch_answers(self):
        """MSG-12: the time runs from the last answer, or from the sending of the oldest line if that was later."""
        self.stop_timer("answer")
        if self.unanswered:
            due = max(self.answered_at, self.unanswered[0].sent_at) + self.options.answer_timeout
            if due <= self.loop.time():
                self.end("lines were not answered in time")
            else:
                self.set_timer("answer", due - self.loop.time(), self.watch_answers)

    def watch_silence(self):
        """STAT-08: probes a connection from which nothing came for a while."""
        if self.options.probe_after:
            if self.loop.time() - self.heard_at >= self.options.probe_after and "probe" not in self.timers:
                self.send(Type.STATUS_REQ, NO_SID, SERVER_UID)
                self.set_timer("probe", self.options.status_timeout, self.end, "a probe was not answered in time")
            self.set_timer("silence", self.options.probe_after, self.watch_silence)


class Server:
    """Who is online, and the sessions."""

    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.key = load_private_key(options.kit / "server.key.pem")
        self.directory = load_directory(options.kit)
        self.store = Store(options.state)
        self.online: dict[int, ServerConnection] = {}
        self.inits: dict[int, Init] = {}  # pending sessions
        self.sessions: dict[int, list[int]] = self.store.sessions()  # rosters of the live ones
        self.lines: dict[int, dict[int, Line]] = {}  # by recipient, then by id: in the order of acceptance (MSG-10)
        self.stored = 0
        for row in self.store.lines():
            self.remember(Line(*row))
        self.handlers = {
            Type.INIT_REQ: self.init_req, Type.INVITE_RES: self.invite_res, Type.MSG_REQ: self.msg_req,
            Type.MSG_RES: self.msg_res, Type.CLOSE_REQ: self.close_req, Type.STATUS_REQ: self.status_req,
            Type.STATUS_RES: self.status_res,
        }

    # presence (section 4)

    def came_online(self, connection: ServerConnection):
        earlier = self.online.get(connection.uid)
        self.online[connection.uid] = connection
        if earlier:
            earlier.end("replaced by a later login")  # LOGIN-09
        connection.held.extend(self.lines.get(connection.uid, {}).values())  # LOGIN-13
        connection.send_lines()

    def went_offline(self, connection: ServerConnection):
        """Settles what was pending on a connection that was logged in."""
        uid = connection.uid
        if self.online.get(uid) is connection:  # else a later login has replaced it
            del self.online[uid]
        if init := connection.init:  # INIT-13
            self.retire(init)
            self.notify((u for u in init.invited if u in init.accepted | init.undecided), init.sid, uid)
        for init in list(self.inits.values()):  # INIT-08; a copy, because inits that waited may start now
            self.decide(init, uid, accepts=False)
        for line in self.lines.get(uid, {}).values():  # MSG-07: it stays stored
            self.recipient_decided(line)

    def notify(self, uids, sid: int, by: int):
        """Tells those who are online that a session is over."""
        for uid in uids:
            if connection := self.online.get(uid):
                connection.reply(Type.CLOSE_RES, sid, uid=by)

    # init (section 5)

    def init_req(self, connection: ServerConnection, sid: int, content: list[str] | None):
        request = self.check_init(connection, sid, content)
        crowded = len(connection.waiting_inits) >= MAX_WAITING_INITS
        if crowded and isinstance(request, list) and len(request) > FEW_USERS:
            request = "too many requests wait"
        connection.waiting_inits.append(request)
        self.start_inits(connection)

    def check_init(self, connection: ServerConnection, sid: int, content: list[str] | None) -> list[int] | str:
        """Whom to invite, or why it fails (INIT-02)."""
        if sid != NO_SID or content is None:
            return "init_req needs session 0, and uid texts that are each ended by LF"
        invited = [int(line, 16) for line in content]
        if len(invited) > MAX_INVITED:
            return f"more than {MAX_INVITED} users"
        if len(set(invited)) < len(invited) or connection.uid in invited:
            return "a user is named twice, or invites itself"
        if not all(uid in self.directory for uid in invited):
            return "somebody is not in the directory"
        return invited

    def start_inits(self, connection: ServerConnection):
        while connection.waiting_inits and connection.init is None:  # INIT-14
            request = connection.waiting_inits.popleft()
            error = request if isinstance(request, str) else self.start_init(connection, request)
            if error:
                connection.reply(Type.INIT_RES, NO_SID, error)

    def start_init(self, connection: ServerConnection, invited: list[int]) -> str:
        """Invites those who are online; or returns an error text."""
        undecided = {uid for uid in invited if uid in self.online}  # INIT-06
        if not undecided:
            return "nobody accepted"
        if len(self.sessions) >= MAX_SESSIONS:
            return "too many sessions"
        try:
            init = Init(self.store.draw_sid(), connection, invited, undecided)
        except sqlite3.Error:
            return STORAGE_FAILED
        self.inits[init.sid] = connection.init = init
        init.timer = connection.loop.call_later(self.options.invite_timeout, self.invitations_lapse, init)
        for uid in invited:
            if uid in undecided:
                self.online[uid].send(Type.INVITE_REQ, init.sid, connection.uid)
        return ""

    def invite_res(self, connection: ServerConnection, sid: int, content: str):
        if init := self.inits.get(sid):  # else it is ignored (PAY-06)
            self.decide(init, connection.uid, accepts=content == "Accept")

    def decide(self, init: Init, uid: int, accepts: bool):
        if uid in init.undecided:  # what comes first decides (INIT-08)
            init.undecided.remove(uid)
            if accepts:
                init.accepted.add(uid)
            if not init.undecided:
                self.finish_init(init)

    def invitations_lapse(self, init: Init):
        self.notify((uid for uid in init.invited if uid in init.undecided), init.sid, init.creator.uid)  # INIT-17
        init.undecided.clear()
        self.finish_init(init)

    def retire(self, init: Init):
        init.timer.cancel()
        init.creator.init = None
        del self.inits[init.sid]

    def finish_init(self, init: Init):
        self.retire(init)
        roster = [init.creator.uid, *(uid for uid in init.invited if uid in init.accepted)]
        if len(roster) == 1:
            init.creator.reply(Type.INIT_RES, NO_SID, "nobody accepted")  # INIT-10
        else:
            try:
                self.store.open_session(init.sid, roster)
                self.sessions[init.sid] = roster
                init.creator.reply(Type.INIT_RES, init.sid)  # INIT-09
            except sqlite3.Error:  # PAY-07
                self.notify(roster[1:], init.sid, SERVER_UID)
                init.creator.reply(Type.INIT_RES, NO_SID, STORAGE_FAILED)
        self.start_inits(init.creator)

    # messages (section 6)

    def msg_req(self, connection: ServerConnection, sid: int, content: list[str] | None):
        message = Message(connection, sid)
        connection.messages.setdefault(sid, deque()).append(message)
        roster = self.sessions.get(sid, [])
        recipients = [uid for uid in roster if uid != connection.uid]
        if connection.uid not in roster:
            message.error = NO_SESSION
        elif content is None or len(content) != len(recipients):
            message.error = "not one line for each other participant (MSG-05)"
        elif self.stored + sum(map(len, content)) > MAX_STORED:
            message.error = "the server's storage is full"
        else:
            self.accept(message, list(zip(recipients, content)))
        self.answer_author(message)

    def accept(self, message: Message, lines: list[tuple[int, str]]):
        author = message.author.uid
        try:
            ids = self.store.add_lines(message.sid, author, lines)
        except sqlite3.Error:
            message.error = STORAGE_FAILED
            return
        message.waiting = {uid for uid, _ in lines if uid in self.online}
        for line_id, (uid, text) in zip(ids, lines):  # MSG-03
            line = Line(line_id, message.sid, author, uid, text, message)
            self.remember(line)
            if recipient := self.online.get(uid):
                recipient.held.append(line)
                recipient.send_lines()

    def remember(self, line: Line):
        self.lines.setdefault(line.recipient, {})[line.id] = line
        self.stored += len(line.text)

    def forget(self, line: Line):
        del self.lines[line.recipient][line.id]
        self.stored -= len(line.text)

    def msg_res(self, connection: ServerConnection, sid: int, content: str):
        line = next((line for line in connection.unanswered if line.sid == sid), None)  # MSG-09
        if line is None:
            return  # PAY-06
        connection.unanswered.remove(line)
        connection.answered_at = connection.loop.time()
        self.forget(line)
        try:
            self.store.forget_line(line.id)
        except sqlite3.Error as error:
            print(f"an answered line comes again after a restart: {error}", file=sys.stderr)
        if content != "OK" and line.message:
            line.message.error = "a recipient could not open the message"
        self.recipient_decided(line)
        connection.send_lines()

    def recipient_decided(self, line: Line):
        if line.message and line.recipient in line.message.waiting:
            line.message.waiting.remove(line.recipient)
            self.answer_author(line.message)

    def answer_author(self, message: Message):
        """Sends each msg_res that is due: whose recipients and predecessors are decided (MSG-07, MSG-11)."""
        connection, sid = message.author, message.sid
        queue = connection.messages.get(sid, deque())
        while queue and not queue[0].waiting:
            connection.reply(Type.MSG_RES, sid, queue.popleft().error or "OK")
        if not queue:
            connection.messages.pop(sid, None)

    # close (section 7)

    def close_req(self, connection: ServerConnection, sid: int, content: str | None):
        roster = self.sessions.get(sid, [])
        error = ""
        if content is None:
            error = "close_req has no payload"
        elif connection.uid not in roster:
            error = NO_SESSION
        else:
            try:
                self.store.close_session(sid)
            except sqlite3.Error:
                error = STORAGE_FAILED  # PAY-07
        if error:
            connection.reply(Type.CLOSE_RES, sid, error)
            return
        del self.sessions[sid]
        for uid in roster:
            self.drop_session_of(uid, sid)
        self.notify((uid for uid in roster if uid != connection.uid), sid, connection.uid)  # CLOSE-05
        connection.reply(Type.CLOSE_RES, sid)

    def drop_session_of(self, uid: int, sid: int):
        for line in [line for line in self.lines.get(uid, {}).values() if line.sid == sid]:
            self.forget(line)  # CLOSE-03
        if connection := self.online.get(uid):
            for _ in connection.messages.pop(sid, ()):  # CLOSE-06
                connection.reply(Type.MSG_RES, sid, "the session was closed")
            connection.held = deque(line for line in connection.held if line.sid != sid)
            connection.unanswered = [line for line in connection.unanswered if line.sid != sid]
            connection.send_lines()

    # status (section 8)

    def status_req(self, connection: ServerConnection, sid: int, content: str):
        roster = self.sessions.get(sid, [])
        if connection.uid in roster:  # STAT-04
            for uid in roster:
                connection.reply(Type.STATUS_RES, sid, "Online" if uid in self.online else "Offline", uid)
        known = sid == NO_SID or connection.uid in roster
        connection.reply(Type.STATUS_RES, sid, "Online" if known else "Offline")  # STAT-01, STAT-05

    def status_res(self, connection: ServerConnection, sid: int, content: str):
        if content == "Offline":
            connection.end("its user left")  # STAT-03
        connection.stop_timer("probe")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A Multy-Party Chat 1.0 server")
    parser.add_argument("--kit", type=Path, required=True, help="folder with server.key.pem and the users' public keys")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--state", type=Path, help="folder for what survives a restart; without it, nothing does")
    for name, default in [("invite", 30), ("answer", 10), ("login", 10), ("status", 10)]:
        parser.add_argument(f"--{name}-timeout", type=float, default=default, metavar="SECONDS")
    parser.add_argument("--probe-after", type=float, metavar="SECONDS", help="probe who is silent so long")
    return parser.parse_args()


async def main():
    options = parse_arguments()
    server = Server(options)
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: ServerConnection(server), options.host, options.port, backlog=1024)
    print("listening on %s:%d" % listener.sockets[0].getsockname()[:2], flush=True)
    await listener.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main())  # it may be killed at any moment: the store is always whole
    except KeyboardInterrupt:
        pass
