#!/usr/bin/env python3
"""A Multy-Party Chat 1.0 server.

    python3 server.py --kit DIR [--host 127.0.0.1] [--port 5150] [--state DIR]

The kit is a folder with `server.key.pem` and everyone's public keys. One thread runs everything, each frame
without a pause, so that nobody sees half of its effects. Comments name the rules of SPECIFICATION.md.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
from collections import defaultdict, deque
from dataclasses import dataclass
from pathlib import Path

from mpchat_proto import (
    ETK_SIZE, NO_SID, SERVER_UID, Connection, Header, Type, derive_keys, load_directory, load_key, make_share,
    open_share,
)
from store import Store

MAX_INVITED = 121  # INIT-02
MAX_WAITING_INITS, FEW_USERS = 4, 3  # of a connection; more of them only if they name few users (PAY-07)
MAX_UNANSWERED = 32  # lines that a recipient gets before it answers one (MSG-20)
MAX_UNREAD = 8 << 20  # bytes that a client has not read (MTP-23)
NO_SESSION = "no such session, or you are not in it"  # the same to everybody (CLOSE-09)
FAILURES = (ValueError, sqlite3.Error)  # why a request is answered with an error text (PAY-04, PAY-07)


class Server:
    """What the connections share. Who takes part in which session, only the store knows."""

    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.key = load_key(options.kit / "server.key.pem")
        self.directory = load_directory(options.kit)
        self.store = Store(options.state)
        self.online: dict[int, ServerConnection] = {}
        self.inits: dict[int, Init] = {}  # pending sessions


class Init:
    """A pending session (section 5)."""

    def __init__(self, creator: ServerConnection, names: list[str]):
        """Invites those who are online (INIT-02, INIT-06)."""
        self.creator, self.server = creator, creator.server
        invited = [int(name, 16) for name in names]
        if not 0 < len(invited) == len(set(invited)) <= MAX_INVITED:
            raise ValueError("not 1 to 121 uid texts, all different, in session 0; or too many requests wait")
        if creator.uid in invited or not all(uid in self.server.directory for uid in invited):
            raise ValueError("you cannot invite yourself, or who is not in the directory")
        self.answers: dict[int, bool | None] = {uid: None for uid in invited if uid in self.server.online}
        if not self.answers:
            raise ValueError("nobody accepted")
        self.sid = self.server.store.draw_sid()
        self.server.inits[self.sid] = self
        self.timer = creator.loop.call_later(self.server.options.invite_timeout, self.finish)
        for uid in self.answers:
            self.server.online[uid].send(Type.INVITE_REQ, self.sid, uid=creator.uid)

    def decide(self, uid: int, accepts: bool):
        if self.answers.get(uid, False) is None:  # what comes first decides (INIT-08)
            self.answers[uid] = accepts
            if None not in self.answers.values():
                self.finish()

    def finish(self):
        """Nobody is undecided any more, or the time is over (INIT-11)."""
        self.retire()
        self.notify([None], self.creator.uid)  # INIT-17
        accepted = [uid for uid, answer in self.answers.items() if answer]
        try:
            if not accepted:
                raise ValueError("nobody accepted")
            self.server.store.open_session(self.sid, [self.creator.uid, *accepted])
            self.creator.send(Type.INIT_RES, self.sid, "OK")  # INIT-09
        except FAILURES as error:
            self.notify([True], SERVER_UID)
            self.creator.send(Type.INIT_RES, NO_SID, str(error))  # INIT-10
        self.creator.start_inits()

    def retire(self):
        self.timer.cancel()
        self.creator.init = None
        del self.server.inits[self.sid]

    def notify(self, answers: list[bool | None], by: int):
        """Tells those of these answers who are online that it is over."""
        for uid, answer in self.answers.items():
            if answer in answers and uid in self.server.online:
                self.server.online[uid].send(Type.CLOSE_RES, self.sid, "OK", by)


@dataclass
class Message:
    """A msg_req that has not got its msg_res yet."""

    lines: list[int]  # ids
    waiting: set[int]  # the recipients that are not decided (MSG-07)
    error: str = ""


class ServerConnection(Connection):
    """One client: its requests, the lines under way to it, and the answers that it waits for."""

    login_types = (Type.STATUS_REQ, Type.STATUS_RES)
    tolerates = {Type.INIT_REQ, Type.MSG_REQ, Type.CLOSE_REQ}

    def __init__(self, server: Server):
        super().__init__(SERVER_UID, server.options.login_timeout)
        self.server, self.store = server, server.store
        self.uid: int | None = None  # claimed by the first frame, proven by the second
        self.init: Init | None = None
        self.waiting_inits: deque[list[str]] = deque()  # whom to invite (INIT-14)
        self.messages: defaultdict[int, deque[Message]] = defaultdict(deque)  # by session, in order (MSG-11)
        self.unanswered: dict[int, tuple[int, int, float]] = {}  # lines: session, author, when sent
        self.last_line = 0  # the id of the last line that was sent
        self.answered_at = 0.0

    def connection_made(self, transport):
        super().connection_made(transport)
        transport.set_write_buffer_limits(MAX_UNREAD)

    def pause_writing(self):
        self.transport.abort()

    # login (section 4)
    def wrong_uid(self, header: Header) -> bool:
        return header.uid not in self.server.directory if self.uid is None else header.uid != self.uid

    def log_in(self, header: Header, request: bytes):
        tk = open_share(self.server.key, request[-ETK_SIZE:])
        self.open_keys, self.seal_keys = derive_keys(tk)
        self.open(header, request[:-ETK_SIZE])
        self.uid = header.uid
        sk, etk = make_share(self.server.directory[self.uid])
        response = self.send(Type.STATUS_RES, NO_SID, "Online", etk=etk)
        self.open_keys, self.seal_keys = derive_keys(tk, sk, request + response)
        self.send(Type.STATUS_REQ, NO_SID)

    def logged_in(self):
        earlier = self.server.online.get(self.uid)
        self.server.online[self.uid] = self
        if earlier:
            earlier.end("replaced by a later login")  # LOGIN-09
        self.send_lines()  # LOGIN-13

    def connection_ended(self, reason: str):
        if not self.online:
            return
        if self.server.online[self.uid] is self:  # else a later login has replaced it
            del self.server.online[self.uid]
        if init := self.init:  # INIT-13
            init.retire()
            init.notify([True, None], self.uid)
        for init in list(self.server.inits.values()):  # a copy, because inits that waited may start now
            init.decide(self.uid, accepts=False)  # INIT-08
        for author in self.server.online.values():
            for sid in list(author.messages):
                for message in author.messages[sid]:
                    message.waiting.discard(self.uid)  # MSG-07: its lines stay stored
                author.send_results(sid)

    # init (section 5)
    def init_req(self, sid: int, uid: int, names: list[str] | None):
        crowded = len(self.waiting_inits) >= MAX_WAITING_INITS and len(names or []) > FEW_USERS
        self.waiting_inits.append([] if sid != NO_SID or crowded else names or [])  # nobody: it will fail
        self.start_inits()

    def start_inits(self):
        while self.waiting_inits and not self.init:  # INIT-14
            try:
                self.init = Init(self, self.waiting_inits.popleft())
            except FAILURES as error:
                self.send(Type.INIT_RES, NO_SID, str(error))

    def invite_res(self, sid: int, uid: int, answer: str):
        if sid in self.server.inits:  # else it is ignored (PAY-06)
            self.server.inits[sid].decide(uid, accepts=answer == "Accept")

    # messages (section 6)
    def msg_req(self, sid: int, uid: int, lines: list[str] | None):
        recipients = [member for member in self.store.roster(sid, uid) if member != uid]
        try:
            if not recipients:
                raise ValueError(NO_SESSION)
            if lines is None or len(lines) != len(recipients):
                raise ValueError("not one line for each other participant (MSG-05)")
            ids = self.store.add_lines(sid, uid, recipients, lines)
            message = Message(ids, waiting=self.server.online.keys() & set(recipients))
        except FAILURES as error:
            message = Message([], set(), str(error))
        self.messages[sid].append(message)
        for recipient in message.waiting:
            self.server.online[recipient].send_lines()
        self.send_results(sid)

    def send_lines(self):
        """Sends the next lines (MSG-10, MSG-17, MSG-20), and sees to it that they are answered (MSG-12)."""
        room = MAX_UNANSWERED - len(self.unanswered)
        for line, sid, author, text in self.store.lines(self.uid, self.last_line, room):
            self.last_line = line
            self.unanswered[line] = (sid, author, self.loop.time())
            self.send(Type.MSG_REQ, sid, text + "\n", author)
        self.timer.cancel()
        if self.unanswered:  # from the last answer, or the sending of the oldest line if that was later
            since = max(self.answered_at, min(sent for _, _, sent in self.unanswered.values()))
            due = since + self.server.options.answer_timeout
            self.timer = self.loop.call_at(due, self.end, "lines were not answered in time")

    def msg_res(self, sid: int, uid: int, result: str):
        line = next((line for line, (of, _, _) in self.unanswered.items() if of == sid), None)  # MSG-09
        if line is None:
            return  # PAY-06
        self.answered_at = self.loop.time()
        self.store.forget_line(line)
        _, author_uid, _ = self.unanswered.pop(line)
        if author := self.server.online.get(author_uid):
            for message in author.messages.get(sid, ()):  # those of an earlier connection are gone (MSG-13)
                if line in message.lines:
                    message.waiting.discard(uid)
                    message.error = message.error if result == "OK" else "a recipient could not open its line"
            author.send_results(sid)
        self.send_lines()

    def send_results(self, sid: int):
        """Sends each msg_res that is due: whose recipients and predecessors are decided (MSG-07, MSG-11)."""
        queue = self.messages[sid]
        while queue and not queue[0].waiting:
            self.send(Type.MSG_RES, sid, queue.popleft().error or "OK")
        if not queue:
            del self.messages[sid]

    # close (section 7)
    def close_req(self, sid: int, uid: int, content: str | None):
        roster = self.store.roster(sid, uid)
        try:
            if content is None or not roster:
                raise ValueError(NO_SESSION if content == "" else "close_req has no payload")
            self.store.close_session(sid)
        except FAILURES as error:
            self.send(Type.CLOSE_RES, sid, str(error))
            return
        for member in self.server.online.keys() & set(roster):
            self.server.online[member].session_closed(sid, by=uid)

    def session_closed(self, sid: int, by: int):
        for _ in self.messages.pop(sid, ()):  # CLOSE-06
            self.send(Type.MSG_RES, sid, "the session was closed")
        self.unanswered = {line: about for line, about in self.unanswered.items() if about[0] != sid}
        self.send(Type.CLOSE_RES, sid, "OK", SERVER_UID if by == self.uid else by)  # CLOSE-01, CLOSE-05
        self.send_lines()

    # status (section 8)
    def status_req(self, sid: int, uid: int, content: str):
        roster = self.store.roster(sid, uid)
        for member in roster:  # STAT-04
            self.send(Type.STATUS_RES, sid, "Online" if member in self.server.online else "Offline", member)
        self.send(Type.STATUS_RES, sid, "Online" if roster or sid == NO_SID else "Offline")  # STAT-05

    def status_res(self, sid: int, uid: int, state: str):
        if state == "Offline":
            self.end("its user left")  # STAT-03


async def main():
    parser = argparse.ArgumentParser(description="A Multy-Party Chat 1.0 server")
    parser.add_argument("--kit", type=Path, required=True, help="folder with the keys")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5150)  # MTP-01
    parser.add_argument("--state", type=Path, help="folder for what has to survive a restart")
    for name, default in ("invite", 30), ("answer", 10), ("login", 10), ("status", 10):  # unused: status
        parser.add_argument(f"--{name}-timeout", type=float, default=default, metavar="SECONDS")
    options = parser.parse_args()
    server = Server(options)
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: ServerConnection(server), options.host, options.port)
    print("listening on %s:%d" % listener.sockets[0].getsockname()[:2], flush=True)
    await listener.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())  # it may be killed at any moment: the store is always whole
