#!/usr/bin/env python3
"""Plays the server against the client, without a network: `python3 -m unittest test_client`."""

import asyncio
import json
import unittest
from unittest import mock

import client
import mpchat_proto as proto
from mpchat_proto import NO_SID, Type, uid_text
from test_vectors import CAST, KIT, connect, private_key

ALICE, BOB, CAROL = (CAST[name] for name in ("alice", "bob", "carol"))
SID = 0x5F0C9A1BE2D34477


class ClientTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.events: list[dict] = []
        for target, new in [("emit", self.note), ("LAST_ANSWERS", 0.02)]:
            patch = mock.patch.object(client, target, new)
            patch.start()
            self.addCleanup(patch.stop)
        self.client = client.Client()
        self.redials = []
        self.client.dial = lambda address, identity: self.redials.append(identity)
        directory = proto.load_directory(KIT)
        self.me = client.Identity(ALICE, private_key(uid_text(ALICE)), private_key("server").public_key(), directory)
        self.log_in()

    def note(self, event: str, **fields):
        self.events.append({"event": event, **{name: value for name, value in fields.items() if value is not None}})

    def log_in(self, waited=()):
        self.there = connect(client.ClientConnection(self.client, self.me))
        tk, sk, request = self.there.tk, bytes(32), self.there.request
        etk = proto.encrypt_share(self.me.key.public_key(), sk)
        self.sqn = self.read = 0
        self.seal_keys, self.open_keys = proto.login_keys(tk, "s2c"), proto.login_keys(tk, "c2s")
        response = self.send(Type.STATUS_RES, text="Online", etk=etk)
        self.seal_keys, self.open_keys = (proto.transfer_keys(tk, sk, request, response, d) for d in ("s2c", "c2s"))
        self.send(Type.STATUS_REQ)
        self.read = len(request)
        self.assertEqual([(Type.STATUS_RES, NO_SID, "Online"), *waited], self.hear())
        self.expect("online")

    def send(self, typ: Type, sid: int = NO_SID, uid: int = 0, text: str = "", etk: bytes = b"") -> bytes:
        self.sqn += 1
        frame = proto.seal_frame(self.seal_keys, typ, self.sqn, sid, uid, text.encode(), etk)
        self.there.data_received(frame)
        return frame

    def hear(self) -> list[tuple[Type, int, str]]:
        heard, written = [], self.there.transport.written
        while self.read < len(written):
            header = proto.Header(*proto.HEADER.unpack_from(written, self.read))
            payload = proto.open_frame(self.open_keys, written[self.read:self.read + header.length])
            heard.append((Type(header.typ), header.sid, payload.decode()))
            self.read += header.length
        return heard

    def do(self, do: str, **fields):
        self.client.command_line(json.dumps({"do": do, **fields}).encode())

    def expect(self, *events: str) -> list[dict]:
        """The events since the last call are these."""
        got, self.events = self.events, []
        self.assertEqual(list(events), [event["event"] for event in got])
        return got

    def closes(self):
        self.assertTrue(self.there.transport.closed)
        self.assertTrue(self.expect("disconnected")[0]["error"])
        self.assertEqual(([], []), (self.hear(), self.redials))  # LOGIN-15

    def roster(self, *uids: int):
        for uid in uids:
            self.send(Type.STATUS_RES, SID, uid, "Online")
        self.send(Type.STATUS_RES, SID, text="Online")

    async def test_violations(self):
        """MTP-15, MTP-21, PAY-05."""
        for frame in [
            (Type.INIT_REQ, SID, BOB), (Type.CLOSE_REQ, SID), (Type.INVITE_RES, SID, BOB, "Accept"),
            (Type.INVITE_REQ, SID, 0), (Type.INVITE_REQ, NO_SID, BOB), (Type.INVITE_REQ, SID, BOB, "x"),
            (Type.MSG_REQ, SID, 0, "x\n"), (Type.MSG_REQ, NO_SID, BOB, "x\n"), (Type.MSG_RES, SID, BOB, "OK"),
            (Type.MSG_RES, SID, 0, ""), (Type.INIT_RES, SID, BOB, "OK"), (Type.INIT_RES, NO_SID, 0, "OK"),
            (Type.INIT_RES, NO_SID, 0, ""), (Type.STATUS_REQ, SID), (Type.STATUS_REQ, NO_SID, BOB),
            (Type.STATUS_REQ, NO_SID, 0, "x"), (Type.STATUS_RES, NO_SID, 0, "online"), (Type.CLOSE_RES, SID, 0, ""),
        ]:
            with self.subTest(frame=frame):
                self.send(*frame)
                self.closes()
                self.log_in()

    async def test_strays_are_ignored(self):
        """PAY-06."""
        for frame in [
            (Type.INIT_RES, SID, 0, "OK"), (Type.INIT_RES, NO_SID, 0, "no"), (Type.MSG_RES, SID, 0, "OK"),
            (Type.CLOSE_RES, SID, 0, "no"), (Type.CLOSE_RES, SID, BOB, "no"), (Type.STATUS_RES, SID, 0, "Online"),
            (Type.STATUS_RES, SID, BOB, "Online"), (Type.STATUS_RES, NO_SID, BOB, "Online"),
        ]:
            self.send(*frame)
        self.send(Type.STATUS_REQ)
        self.assertEqual([(Type.STATUS_RES, NO_SID, "Online")], self.hear())
        self.expect()

    async def test_rosters(self):
        """STAT-09: who may be written to, and MSG-01."""
        for created, inviter, roster, trusted in [
            (None, None, [ALICE, BOB], True), (None, None, [BOB, CAROL], False), (None, None, [ALICE], False),
            (None, None, [], False), (None, None, [ALICE, BOB, BOB], False), (None, BOB, [BOB, ALICE], True),
            (None, BOB, [CAROL, ALICE, BOB], False), ([BOB, CAROL], None, [ALICE, CAROL], True),
            ([BOB, CAROL], None, [ALICE, CAROL, BOB], False), ([BOB], None, [ALICE, CAROL], False),
            ([BOB], None, [BOB, ALICE], False), (None, None, [ALICE, 7], False),
        ]:
            with self.subTest(created=created, inviter=inviter, roster=roster):
                for memory in (self.me.rosters, self.me.created, self.me.inviters):
                    memory.clear()
                if created:
                    self.do("init", invite=[uid_text(uid) for uid in created])
                    self.send(Type.INIT_RES, SID, text="OK")
                if inviter:
                    self.send(Type.INVITE_REQ, SID, inviter)
                self.hear(), self.events.clear()
                self.do("send", sid=uid_text(SID), text="hello")
                self.assertEqual([(Type.STATUS_REQ, SID, "")], self.hear())
                self.roster(*roster)
                heard = self.hear()
                if not trusted:
                    self.assertEqual([], heard)
                    self.expect("refused")
                    continue
                ((typ, sid, payload),) = heard
                lines = payload.splitlines()
                others = [uid for uid in roster if uid != ALICE]
                for uid, line in zip(others, lines, strict=True):
                    key = private_key(uid_text(uid))
                    self.assertEqual("hello", proto.open_envelope(key, SID, ALICE, uid, line))
                self.send(Type.MSG_RES, SID, text="OK")
                self.expect("sent")

    async def test_the_first_roster_stays(self):
        self.do("status", sid=uid_text(SID))
        self.roster(BOB, CAROL)
        self.do("status", sid=uid_text(SID))
        self.roster(ALICE, BOB)
        self.do("send", sid=uid_text(SID), text="hello")
        self.expect("status", "status", "refused")

    async def test_texts(self):
        """MSG-06, MSG-14, MSG-18, PAY-08."""
        line = proto.seal_envelope(self.me.key.public_key(), SID, BOB, ALICE, b"hello")
        other = proto.seal_envelope(self.me.key.public_key(), SID, CAROL, ALICE, b"hello")
        wrong = ["", "x", line, f"{line}\n{line}\n", f"{other}\n", f"{line.upper()}\n"]
        for payload in [*wrong, f"{line}\n", f"{line}\n"]:
            self.send(Type.MSG_REQ, SID, BOB, payload)
        self.assertEqual([False] * 6 + [True] * 2, [text == "OK" for _, _, text in self.hear()])
        self.assertEqual("hello", self.expect("message")[0]["text"])
        self.send(Type.CLOSE_RES, SID, BOB, "OK")  # a text may still be answered
        self.there.eof_received()
        self.log_in_after("closed", "disconnected")
        self.send(Type.MSG_REQ, SID, BOB, f"{line}\n")
        self.assertEqual([(Type.MSG_RES, SID, "OK")], self.hear())
        self.expect()

    def log_in_after(self, *events: str):
        self.expect(*events)
        self.log_in()

    async def test_closing(self):
        """CLOSE-10, PAY-06."""
        sid = uid_text(SID)
        self.send(Type.INVITE_REQ, SID, BOB)
        self.do("answer", sid=sid, accept=True)
        self.do("answer", sid=sid, accept=False)  # INIT-16
        self.do("close", sid=sid)
        self.send(Type.CLOSE_RES, SID, CAROL, "OK")
        self.send(Type.CLOSE_RES, SID, 0, "gone")
        self.send(Type.CLOSE_RES, SID, 0, "OK")
        for do in ("send", "close", "answer"):
            self.do(do, sid=sid, text="x", accept=True)
        self.do("status", sid=sid)
        self.assertEqual([Type.INVITE_RES, Type.CLOSE_REQ, Type.STATUS_REQ], [typ for typ, _, _ in self.hear()])
        events = self.expect("invited", "refused", "closed", "close", "refused", "refused", "refused")
        self.assertEqual((uid_text(CAROL), False), (events[2]["by"], events[3]["ok"]))

    async def test_commands_wait_and_leave_does_not(self):
        self.do("send", sid=uid_text(SID), text="one")
        self.do("status")
        self.do("leave")
        self.assertEqual([Type.STATUS_REQ, Type.STATUS_RES], [typ for typ, _, _ in self.hear()])
        self.expect("refused", "disconnected", "refused")

    async def test_last_sequence_number(self):
        """MTP-09, LOGIN-15."""
        self.there.sent = proto.LAST_SQN - 2
        self.do("status")
        self.do("status")
        self.do("status")  # it waits
        self.send(Type.STATUS_RES, text="Online")
        self.assertFalse(self.there.ended)
        self.send(Type.STATUS_RES, text="Online")
        self.assertEqual([self.me], self.redials)
        self.expect("status", "status", "disconnected")
        self.log_in(waited=[(Type.STATUS_REQ, NO_SID, "")])
        self.there.sent = proto.LAST_SQN - 1
        self.do("close", sid=uid_text(SID))
        await asyncio.sleep(0.1)  # no answer comes
        self.assertEqual([self.me] * 2, self.redials)

    async def test_refused_commands(self):
        commands = [
            b"", b"\xff", b"[]", b'{"do":1}', b'{"do":"dance"}', b'{"do":"init"}', b'{"do":"init","invite":["B0B"]}',
            b'{"do":"answer","sid":"5f0c9a1be2d34477","accept":true}', b'{"do":"close"}', b'{"do":"connect"}',
            b'{"do":"send","sid":"5f0c9a1be2d34477","text":"\\ud800"}', b'{"do":"status","sid":"1"}',
            b'{"do":"send","sid":"0000000000000000","text":"x"}',
            b'{"do":"send","sid":"5f0c9a1be2d34477","text":"%s"}' % (b"x" * 33000),
        ]
        for command in commands:
            self.client.command_line(command)
        self.expect(*["refused"] * len(commands))
        self.assertEqual([], self.hear())


if __name__ == "__main__":
    unittest.main()
