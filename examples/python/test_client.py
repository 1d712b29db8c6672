#!/usr/bin/env python3
"""Plays the server against the client, without a network: `python3 -m unittest test_client`."""

import asyncio
import unittest
from unittest import mock

import client
import mpchat_proto as proto
from mpchat_proto import NO_SID, Type, uid_text
from test_vectors import CAST, ClientCase, private_key, public_key

ALICE, BOB, CAROL = (CAST[name] for name in ("alice", "bob", "carol"))
SID = ClientCase.SID


class ClientTest(ClientCase):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        patch = mock.patch.object(client, "LAST_ANSWERS", 0.02)
        patch.start()
        self.addCleanup(patch.stop)
        self.log_in()

    def log_in_again(self) -> list:
        """By a command, or of the client's own accord after the last sequence number."""
        if self.client.connection is self.there:
            self.connect(self.me)
        else:
            self.take_call()
        return self.log_in()

    def send(self, typ: Type, sid: int = NO_SID, uid: int = 0, text: str = ""):
        self.peer.send(typ.name.lower(), text, sid, uid)

    def hear(self) -> list[tuple[Type, int, str]]:
        return [(Type[kind.upper()], sid, text) for kind, sid, _, text in self.peer.hear()]

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
                self.assertEqual([], self.hear())
                self.log_in_again()

    async def test_strays_are_ignored(self):
        """PAY-06."""
        for frame in [
            (Type.INIT_RES, SID, 0, "OK"), (Type.INIT_RES, NO_SID, 0, "no"), (Type.MSG_RES, SID, 0, "OK"),
            (Type.CLOSE_RES, SID, 0, "no"), (Type.CLOSE_RES, SID, BOB, "no"), (Type.STATUS_RES, SID, 0, "Online"),
            (Type.STATUS_RES, SID, BOB, "Online"), (Type.STATUS_RES, NO_SID, BOB, "Online"),
        ]:
            self.send(*frame)
        self.still_there()
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
                    self.assertEqual("hello", proto.open_envelope(private_key(uid), SID, ALICE, uid, line))
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
        line = proto.seal_envelope(public_key(ALICE), SID, BOB, ALICE, b"hello")
        other = proto.seal_envelope(public_key(ALICE), SID, CAROL, ALICE, b"hello")
        wrong = ["", "x", line, f"{line}\n{line}\n", f"{other}\n", f"{line.upper()}\n"]
        for payload in [*wrong, f"{line}\n", f"{line}\n"]:
            self.send(Type.MSG_REQ, SID, BOB, payload)
        self.assertEqual([False] * 6 + [True] * 2, [text == "OK" for _, _, text in self.hear()])
        self.assertEqual("hello", self.expect("message")[0]["text"])
        self.send(Type.CLOSE_RES, SID, BOB, "OK")  # a text may still be answered
        self.there.eof_received()
        self.expect("closed", "disconnected")
        self.log_in_again()
        self.send(Type.MSG_REQ, SID, BOB, f"{line}\n")
        self.assertEqual([(Type.MSG_RES, SID, "OK")], self.hear())
        self.expect()

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
        self.expect("status", "status", "disconnected")
        self.assertEqual([("status_req", NO_SID, ALICE, "")], self.log_in_again())
        self.there.sent = proto.LAST_SQN - 1
        self.do("close", sid=uid_text(SID))
        async with asyncio.timeout(5):
            while self.client.connection is self.there:  # no answer comes
                await asyncio.sleep(0.01)
        self.expect("disconnected")
        self.log_in_again()

    async def test_refused_commands(self):
        commands = [
            b"", b"\xff", b"[]", b'{"do":1}', b'{"do":"dance"}', b'{"do":"init"}', b'{"do":"init","invite":["B0B"]}',
            b'{"do":"answer","sid":"5f0c9a1be2d34477","accept":true}', b'{"do":"close"}', b'{"do":"connect"}',
            b'{"do":"send","sid":"5f0c9a1be2d34477","text":"\\ud800"}', b'{"do":"status","sid":"1"}',
            b'{"do":"send","sid":"0000000000000000","text":"x"}',
        ]
        for command in commands:
            self.client.command_line(command)
        self.expect(*["refused"] * len(commands))
        self.assertEqual([], self.hear())
        self.do("send", sid=uid_text(SID), text="x" * 33000)
        self.roster(ALICE, BOB)
        self.expect("refused")  # MSG-16
        self.assertEqual([(Type.STATUS_REQ, SID, "")], self.hear())


if __name__ == "__main__":
    unittest.main()
