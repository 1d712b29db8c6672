#!/usr/bin/env python3
"""Checks server and client against all files of vectors/, without a network: `python3 -m unittest test_vectors`.

MPCHAT_VECTORS and MPCHAT_KIT name the folders of the vectors and of the keys, if they are not where the
repository has them.
"""

import argparse
import functools
import hashlib
import json
import os
import unittest
from pathlib import Path
from unittest import mock

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

import client
import mpchat_proto as proto
import server
from mpchat_proto import HEADER, NO_SID, Header, Keys, Type, uid_text

ROOT = Path(__file__).resolve().parents[2]
VECTORS = Path(os.environ.get("MPCHAT_VECTORS", ROOT / "vectors"))
KIT = Path(os.environ.get("MPCHAT_KIT", ROOT / "harness" / "kit"))
CAST = {"alice": 0xA11CE, "bob": 0xB0B00, "carol": 0xCA401E, "stranger": 0x57A46E4, "server": 0}
OPTIONS = argparse.Namespace(kit=KIT, state=None, invite_timeout=30, answer_timeout=10, login_timeout=10)


def generate(value) -> bytes:
    return bytes.fromhex(value["repeat"]) * value["times"] if isinstance(value, dict) else bytes.fromhex(value)


def same(value, got: bytes) -> bool:
    if isinstance(value, dict):
        return (value["length"], value["sha256"]) == (len(got), hashlib.sha256(got).hexdigest())
    return value == got.hex()


def seeded_oaep(key, message: bytes, seed: bytes) -> bytes:
    """RFC 8017, section 7.1.1, with a given seed, which the library does not take."""
    def mask(seed: bytes, data: bytes) -> bytes:
        stream = b"".join(hashlib.sha256(seed + n.to_bytes(4, "big")).digest() for n in range(7))
        return bytes(x ^ y for x, y in zip(data, stream))

    block = mask(seed, hashlib.sha256().digest() + bytes(190 - len(message)) + b"\1" + message)
    number, public = int.from_bytes(mask(block, seed) + block, "big"), key.public_numbers()
    return pow(number, public.e, public.n).to_bytes(256, "big")


def fixed(module, share: bytes, seed: bytes):
    """Takes the randomness out of a module."""
    return mock.patch.object(module, "make_share", lambda key: (share, seeded_oaep(key, share, seed)))


@functools.cache
def private_key(user: int):
    """That of a user, or of the server."""
    return proto.load_key(KIT / f"{uid_text(user) if user else 'server'}.key.pem")


def public_key(user: int):
    return private_key(user).public_key()


@functools.cache
def directory() -> dict:
    return proto.load_directory(KIT)


class Wire:
    """A transport that only keeps what is written."""

    def __init__(self):
        self.written, self.closed = b"", False

    def write(self, data: bytes):
        self.written += data

    def write_eof(self):
        self.closed = True

    def set_write_buffer_limits(self, high: int):
        pass

    abort = write_eof


def connect(connection: proto.Connection) -> proto.Connection:
    connection.connection_made(Wire())
    return connection


def client_connection(driver, me: client.Identity | int) -> client.ClientConnection:
    """One that waits for `connect`, and dials nobody."""
    if isinstance(me, int):
        me = client.Identity(me)
        me.key, me.server_key, me.directory = private_key(me.uid), public_key(0), directory()
    with mock.patch.object(client.ClientConnection, "dial", mock.AsyncMock()):
        return client.ClientConnection(driver, me, ("", 0))


class KnownAnswers(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = server.Server(OPTIONS)

    def each(self, name: str, check):
        file = json.loads((VECTORS / name).read_text())
        for test in file["tests"]:
            with self.subTest(name, id=test["id"], comment=test["comment"]):
                if test["result"] == "valid":
                    check(test["data"])
                else:
                    self.assertRaises(ValueError, check, test["data"])

    def assert_keys(self, expected: dict, keys: Keys):
        self.assertEqual(expected, {"key": keys.key.hex(), "iv": keys.iv.hex()})

    async def test_headers(self):
        def check(data):
            header = Header(*HEADER.unpack(bytes.fromhex(data["header"])))
            self.assertEqual([int(value, 16) if isinstance(value, str) else value for value in data["fields"].values()],
                             list(header))
            if data["receiver"] == "server":
                receiver = server.ServerConnection(self.server)
                receiver.uid = int(data["client"], 16)
            else:
                receiver = client_connection(mock.Mock(), CAST["alice"])
            receiver.online, receiver.received = True, data["last_sqn"]
            receiver.check(header)

        self.each("headers.json", check)

    def test_frames(self):
        def check(data):
            keys = Keys(bytes.fromhex(data["key"]), bytes.fromhex(data["iv"]))
            header, mac = bytes.fromhex(data["header"]), bytes.fromhex(data["mac"])
            fields = Header(*HEADER.unpack(header))
            self.assertEqual(keys.nonce(fields.sqn).hex(), data["nonce"])
            if "payload" not in data:
                if len(mac) != proto.MAC_SIZE:  # such a frame has another len
                    raise ValueError
                keys.open(fields.sqn, header, bytes.fromhex(data["epd"]) + mac)
                return
            payload, etk = generate(data["payload"]), generate(data.get("etk", ""))
            sealed = keys.seal(fields.sqn, header, payload)
            self.assertTrue(same(data["epd"], sealed[:-12]))
            self.assertEqual(mac, sealed[-12:])
            self.assertEqual(payload, keys.open(fields.sqn, header, sealed))
            self.assertEqual(len(header + sealed + etk), fields.length)

        self.each("frames.json", check)

    def test_keys(self):
        def check(data):
            tk, transfer = bytes.fromhex(data["tk"]), data.get("transfer")
            c2s, s2c = proto.derive_keys(tk)
            if transfer:
                frames = generate(transfer["login_request"]) + generate(transfer["login_response"])
                c2s, s2c = proto.derive_keys(tk, bytes.fromhex(transfer["sk"]), frames)
            self.assert_keys(data["c2s"], c2s)
            self.assert_keys(data["s2c"], s2c)

        self.each("keys.json", check)

    def test_oaep(self):
        def check(data):
            key, ciphertext = private_key(0 if data["key"] == "server" else int(data["key"], 16)), bytes.fromhex(data["ciphertext"])
            message = key.decrypt(ciphertext, proto.OAEP)
            self.assertEqual(data["message"], message.hex())
            self.assertEqual(ciphertext, seeded_oaep(key.public_key(), message, bytes.fromhex(data["seed"])))

        self.each("oaep.json", check)

    def log_in(self, data: dict, step: int, frame: bytes | None = None):
        """Runs a login up to a step, in whose place a frame may come; returns both ends and the frames."""
        uid, secrets = int(data["user"], 16), {name: bytes.fromhex(text) for name, text in data["secrets"].items()}
        with fixed(client, secrets["tk"], secrets["tk_seed"]), mock.patch.object(client, "emit"):
            alice = connect(client_connection(mock.Mock(), uid))
            frames = [alice.transport.written]
            if frame and step == 1:
                frames[0] = frame
            there = connect(server.ServerConnection(self.server))
            with fixed(server, secrets["sk"], secrets["sk_seed"]):
                there.data_received(frames[0])
            if step > 1:
                frames += [there.transport.written[:-36], there.transport.written[-36:]]
                if frame and step < 4:
                    frames[step - 1] = frame
                for piece in frames[1:step]:
                    alice.data_received(piece)
                frames.append(alice.transport.written[len(frames[0]):])
            if step == 4:
                there.data_received(frame or frames[3])
        return alice, there, frames

    async def test_logins(self):
        def check(data):
            alice, there, frames = self.log_in(data, 4)
            self.assertEqual([data[f"step_{n}"] for n in (1, 2, 3, 4)], [frame.hex() for frame in frames])
            for keys in (alice.seal_keys, there.open_keys):
                self.assert_keys(data["c2s"], keys)
            for keys in (alice.open_keys, there.seal_keys):
                self.assert_keys(data["s2c"], keys)
            self.assertIs(self.server.online.get(int(data["user"], 16)), there)

        self.each("logins.json", check)

    async def test_login_refusals(self):
        def check(data):
            alice, there, frames = self.log_in(data, data["step"], bytes.fromhex(data["frame"]))
            receiver = alice if data["step"] in (2, 3) else there
            if data["step"] == 1:
                self.assertFalse(there.transport.written)
            elif receiver is alice:
                self.assertFalse(frames[3])
            self.assertIsNot(self.server.online.get(int(data["user"], 16)), there)
            if receiver.ended:
                raise ValueError

        self.each("login-refusals.json", check)

    def test_envelopes(self):
        def check(data):
            sid, author, recipient = (int(data[name], 16) for name in ("sid", "author", "recipient"))
            key, line = private_key(recipient), data["line"]
            if made_from := data.get("made_from"):
                text, cek, seed = (generate(made_from[name]) for name in ("text", "cek", "seed"))
                with fixed(proto, cek, seed):
                    made = proto.seal_envelope(key.public_key(), sid, author, recipient, text)
                self.assertTrue(same(line, made.encode()) if isinstance(line, dict) else line == made)
                self.assertEqual(text.decode(), proto.open_envelope(key, sid, author, recipient, made))
            else:
                proto.open_envelope(key, sid, author, recipient, line)

        self.each("envelopes.json", check)

    def test_payloads(self):
        def check(data):
            content = proto.parse_payload(Type[data["type"].upper()], generate(data["payload"]))
            if isinstance(content, str):
                is_error = data["type"] in ("init_res", "close_res", "msg_res") and content != "OK"
                content = ["error" if is_error else content] if content else []
            self.assertEqual(data.get("says", content), content)

        self.each("payloads.json", check)


class Peer:
    """The other end of a connection under test, without manners."""

    def __init__(self, connection: proto.Connection, uid: int, receiver: int):
        self.connection, self.uid, self.receiver, self.names = connection, uid, receiver, dict(CAST)
        self.wire = connection.transport
        self.sqn = self.read = 0

    def send(self, kind: str, text: str = "", session: int = NO_SID, uid: int | None = None) -> bytes:
        frame = self.build({"type": kind, "text": text, "session": uid_text(session), "uid": uid})
        self.connection.data_received(frame)
        return frame

    def hear(self) -> list[tuple[str, int, int, str]]:
        """What came since the last call: type, sid, uid, text."""
        heard = []
        while self.read < len(self.wire.written):
            header = Header(*HEADER.unpack_from(self.wire.written, self.read))
            frame = self.wire.written[self.read:self.read + header.length]
            self.read += header.length
            text = self.open_keys.open(header.sqn, frame[:24], frame[24:]).decode()
            heard.append((Type(header.typ).name.lower(), header.sid, header.uid, text))
        return heard

    # what a malformed vector sends

    def play(self, vector: dict):
        burst = b""
        for piece in vector["send"]:
            cut = piece.get("message", {})
            burst += bytes.fromhex(piece["bytes"]) if "bytes" in piece else self.build(cut)
            if "joined" not in cut:
                step = 1 if "byte_by_byte" in cut else cut.get("split_at", len(burst) or 1)
                for start in range(0, len(burst), step):
                    self.connection.data_received(burst[start:start + step])
                burst = b""
        if vector.get("end") == "closes":
            self.connection.eof_received()

    def session(self, name: str) -> int:
        return NO_SID if name == "none" else self.names[name] if name in self.names else int(name, 16)

    def payload(self, payload, kind: str, session: int, uid: int) -> bytes:
        if payload is None:
            return b"Online" if kind == "login_res" else b""
        if payload == "error":
            return b"an error text"
        if "lines" in payload:
            return joined(payload["lines"]["of"] * payload["lines"].get("times", 1))
        if "names" in payload:
            return joined(uid_text(CAST[name]) for name in payload["names"])
        if kind == "msg_req" and payload.get("text"):
            return joined(proto.seal_envelope(public_key(recipient), session, uid, recipient, payload["text"].encode())
                          for recipient in self.recipients(session))
        return (payload.get("text") or payload.get("word") or "").encode()

    def number(self, to: dict, field: str = "", right: int = 0) -> int:
        if "word" not in to:
            return to["number"] if "number" in to else int(to["hex"], 16)
        word = to["word"]
        if word in self.names:
            return self.names[word]
        if word.upper() in Type.__members__:
            return Type[word.upper()]
        if word.startswith("flipped-"):
            last = 7 if field in ("sid", "uid") else 1
            return right ^ 0xFF << 8 * (last - int(word[-1]))
        base, sign, steps = word.partition("+") if "+" in word else word.partition("-")
        return {"last": self.sqn - 1, "next": self.sqn}[base] + int(f"{sign}{steps or 0}")

    def octets(self, field: str, to: dict, session: int, uid: int) -> bytes:
        if "hex" in to:
            return bytes.fromhex(to["hex"])
        if "text" in to:
            texts = {name: uid_text(value) for name, value in CAST.items()}
            if "envelope" in to["text"].lower() or "flipped" in to["text"]:
                line = proto.seal_envelope(public_key(self.receiver), session, uid, self.receiver, b"hello")
                texts |= {"envelope": line, "flipped": line[:-1] + ("1" if line[-1] == "0" else "0")}
            text = to["text"].replace("{bob:15}", texts["bob"][-15:]).replace("{bob:14}", texts["bob"][-14:])
            for name, value in texts.items():
                text = text.replace(f"{{{name}}}", value).replace(f"{{{name.upper()}}}", value.upper())
            return text.encode()
        size, key = {"etk": 256, "key": 32, "mac": 12}[field], public_key(self.receiver)
        old = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
        mixed = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA256(), None)
        return {
            "random": lambda: os.urandom(size), "zero": lambda: bytes(size), "login": lambda: self.login_key.key,
            "s2c": lambda: self.open_keys.key, "c2s": lambda: self.open_keys.key,
            "short": lambda: key.encrypt(self.share[:31], proto.OAEP),
            "long": lambda: key.encrypt(self.share + b"\0", proto.OAEP) if field == "etk" else os.urandom(16),
            # The share begins and ends with a zero, so the keys fit whatever a lenient reader adds or leaves out.
            "long-head": lambda: key.encrypt(self.share + b"x", proto.OAEP),
            "long-tail": lambda: key.encrypt(b"x" + self.share, proto.OAEP),
            "short-filled": lambda: key.encrypt(self.share[:31], proto.OAEP),
            "short-led": lambda: key.encrypt(self.share[1:], proto.OAEP),
            "mgf1-sha1": lambda: key.encrypt(self.share, mixed),
            "other-key": lambda: public_key(self.uid).encrypt(self.share, proto.OAEP),
            "sha1": lambda: key.encrypt(self.share, old), "pkcs1": lambda: key.encrypt(self.share, padding.PKCS1v15()),
        }[to["word"]]()

    def build(self, message: dict) -> bytes:
        kind, session = message["type"], self.session(message.get("session", "none"))
        uid = CAST[message["of"]] if "of" in message else message.get("uid") or self.uid
        text = message["text"].encode() if "text" in message else None
        self.sqn += 1
        f = {"ver": proto.VERSION, "typ": Type[kind.upper().replace("LOGIN", "STATUS")], "len": None, "sqn": self.sqn,
             "sid": session, "uid": uid, "key": self.seal_keys.key, "etk": b"",
             "payload": self.payload(message.get("payload"), kind, session, uid) if text is None else text}
        if kind.startswith("login"):
            f["etk"] = public_key(self.receiver).encrypt(self.share, proto.OAEP)
        changes = message.get("changes", [])
        for change in (c["before_sealing"] for c in changes if "before_sealing" in c):
            field, to = change["field"], change["to"]
            is_octets = field in ("payload", "key", "etk")
            f[field] = self.octets(field, to, session, uid) if is_octets else self.number(to, field, f[field])
        length = 36 + len(f["payload"]) + len(f["etk"]) if f["len"] is None else f["len"]
        header = HEADER.pack(f["ver"], f["typ"], length, f["sqn"], f["sid"], f["uid"])
        sealed = Keys(f["key"], self.seal_keys.iv).seal(f["sqn"], header, f["payload"])
        ends = {"ver": 2, "typ": 4, "len": 6, "sqn": 8, "sid": 16, "uid": 24}
        raw = {name: header[end - (8 if end > 8 else 2):end] for name, end in ends.items()}
        raw |= {"epd": sealed[:-12], "mac": sealed[-12:], "etk": f["etk"]}
        for change in changes:
            if flip := change.get("flip"):
                part = bytearray(raw[flip["field"]])
                part[flip.get("byte", -1)] ^= 0xFF
                raw[flip["field"]] = bytes(part)
            elif change := change.get("after_sealing"):
                field, to = change["field"], change["to"]
                raw[field] = (self.number(to).to_bytes(len(raw[field]), "big") if field in ends
                              else self.octets(field, to, session, uid))
        return b"".join(raw.values())[: message.get("only")]

    def answers(self, test: unittest.TestCase, expected: list[dict], heard: list, sender: int):
        """Checks what a vector says that the answers are."""
        test.assertEqual(len(expected), len(heard))
        for answer, (kind, session, uid, text) in zip(expected, heard):
            want = answer["type"], self.session(answer.get("session", "none")), CAST.get(answer.get("of"), sender)
            test.assertEqual(want, (kind, session, uid))
            payload = answer["payload"]
            test.assertTrue(text not in ("", "OK") if payload == "error" else payload["word"] == text)


class ClientPeer(Peer):
    """Plays a user to the server."""

    def __init__(self, where: server.Server, name: str, log_in: bool = True):
        super().__init__(connect(server.ServerConnection(where)), CAST[name], CAST["server"])
        self.store, self.share = where.store, b"\0" + os.urandom(30) + b"\0"
        self.seal_keys, self.open_keys = proto.derive_keys(self.share)
        self.login_key = self.seal_keys
        if log_in:
            self.login_step_1()
            self.send("status_res", "Online")

    def login_step_1(self):
        request = self.send("login_req")
        response = self.wire.written[:-36]
        sk = proto.open_share(private_key(self.uid), response[-256:])
        self.seal_keys, self.open_keys = proto.derive_keys(self.share, sk, request + response)
        self.read = len(self.wire.written)

    def recipients(self, session: int) -> list[int]:
        return [uid for uid in self.store.roster(session, CAST["bob"]) or [CAST["bob"]] if uid != self.uid]


class ServerPeer(Peer):
    """Plays the server to a client, whose login request has come."""

    def __init__(self, connection: client.ClientConnection):
        super().__init__(connection, CAST["server"], connection.me.uid)
        self.request, self.share = self.wire.written, b"\0" + os.urandom(30) + b"\0"
        self.tk = proto.open_share(private_key(CAST["server"]), self.request[-256:])
        self.open_keys, self.seal_keys = proto.derive_keys(self.tk)
        self.login_key = self.seal_keys
        self.read = len(self.request)

    def login_step_2(self):
        response = self.send("login_res", "Online")
        self.open_keys, self.seal_keys = proto.derive_keys(self.tk, self.share, self.request + response)

    def recipients(self, session: int) -> list[int]:
        return [self.receiver]


class MalformedToServer(unittest.IsolatedAsyncioTestCase):
    async def test_all(self):
        where = server.Server(OPTIONS)
        for vector in malformed("server"):
            with self.subTest(vector["id"]):
                self.check(where, vector)

    def check(self, where: server.Server, vector: dict):
        phase, roster = vector["phase"], vector.get("roster", ["alice", "bob"])
        peers = {name: ClientPeer(where, name) for name in ("bob", "carol")}
        log_in = phase not in ("connected", "login-step-1", "login-step-4")
        alice = peers["alice"] = ClientPeer(where, "alice", log_in)
        sid = self.prepare(where, phase, roster, peers)
        alice.names |= {"session": sid, "unknown": 0x0123456789ABCDEF}
        for peer in peers.values():
            if peer.connection.online:
                peer.hear()
        before = len(alice.wire.written)
        alice.play(vector)
        self.react(vector, peers, roster, sid, before)
        due = "msg_req" if vector.get("counts") else "msg_res" if phase == "asked" else None  # MTP-13, MSG-07
        for name in vector.get("hears_nothing", []):
            self.assertEqual([], [frame for frame in peers[name].hear() if frame[0] != due])
        peers["bob"].send("status_req")
        self.assertEqual(("status_res", 0, 0, "Online"), peers["bob"].hear()[-1])  # MTP-18

    def prepare(self, where: server.Server, phase: str, roster: list[str], peers: dict[str, Peer]) -> int:
        alice, bob = peers["alice"], peers["bob"]
        if phase in ("connected", "login-step-1", "logged-in"):
            return 0xFEDCBA9876543210
        if phase == "login-step-4":
            alice.login_step_1()
        if phase == "pending":
            bob.send("init_req", uid_text(alice.uid) + "\n")
            return alice.hear()[-1][1]
        names = {"outsider": ["bob", "carol"], "login-step-4": ["alice", "bob"]}.get(phase, roster)
        sid = where.store.draw_sid()
        where.store.open_session(sid, [CAST[name] for name in names])
        if phase == "asked":
            bob.send("msg_req", "asked\n", sid)
        if phase == "closed":
            bob.send("close_req", session=sid)
        return sid

    def react(self, vector: dict, peers: dict[str, Peer], roster: list[str], sid: int, before: int):
        alice, conforms = peers["alice"], vector["conforms"]
        if alice.wire.closed:
            self.assertIn("closes", conforms)
            self.assertEqual(before, len(alice.wire.written))
            return
        heard = alice.hear()
        reactions = [r["answers"] if isinstance(r, dict) else r for r in conforms]
        if "delivered" in reactions:
            for name in (name for name in roster if name != "alice"):
                self.assertEqual([("msg_req", sid, alice.uid)], [frame[:3] for frame in peers[name].hear()])
                peers[name].send("msg_res", "OK", sid)
            self.assertEqual([("msg_res", sid, 0, "OK")], alice.hear())
        elif "refusal" in reactions:
            ((kind, _, _, text),) = peers["bob"].hear()
            self.assertTrue(kind == "msg_res" and text != "OK")
        elif "ignored" in reactions:
            self.assertEqual([], heard)
        else:
            (expected,) = (r for r in reactions if isinstance(r, list))
            alice.answers(self, expected, heard, CAST["server"])


class ClientCase(unittest.IsolatedAsyncioTestCase):
    """Alice's client, `there` being its end of the connection, and the server that `peer` plays to it."""

    SID = 0x5F0C9A1BE2D34477

    async def asyncSetUp(self):
        self.events: list[dict] = []
        note = mock.patch.object(client, "print", lambda line, flush: self.events.append(json.loads(line)), create=True)
        for patch in note, mock.patch.object(client.ClientConnection, "dial", mock.AsyncMock()):
            patch.start()
            self.addCleanup(patch.stop)
        self.start()

    def start(self):
        """A client that knows nothing, and that has sent its login request."""
        self.client = client.Client()
        self.connect(CAST["alice"])
        self.me = self.there.me

    def connect(self, me: client.Identity | int):
        self.client.connection = client_connection(self.client, me)
        self.take_call()

    def take_call(self):
        self.there = connect(self.client.connection)
        self.peer = ServerPeer(self.there)

    def log_in(self) -> list:
        """Returns what the client sends at once."""
        self.peer.login_step_2()
        self.peer.send("status_req")
        step_4, *more = self.peer.hear()
        self.assertEqual(("status_res", NO_SID, self.me.uid, "Online"), step_4)
        self.expect("online")
        return more

    def do(self, do: str, **fields):
        self.client.command_line(json.dumps({"do": do, **fields}).encode())

    def expect(self, *events: str) -> list[dict]:
        """The events since the last call are these."""
        got, self.events = self.events, []
        self.assertEqual(list(events), [event["event"] for event in got])
        return got

    def roster(self, *uids: int):
        for uid in uids:
            self.peer.send("status_res", "Online", self.SID, uid)
        self.peer.send("status_res", "Online", self.SID)

    def still_there(self):
        """A fence: what came before was processed (STAT-02)."""
        self.peer.send("status_req")
        self.assertEqual([("status_res", NO_SID, self.me.uid, "Online")], self.peer.hear())

    def closes(self):
        self.assertTrue(self.there.transport.closed)
        self.assertTrue(self.expect("disconnected")[0]["error"])
        self.assertIs(self.client.connection, self.there)  # LOGIN-15


class MalformedToClient(ClientCase):
    async def test_all(self):
        for vector in malformed("client"):
            with self.subTest(vector["id"]):
                self.start()
                self.check(vector)

    def check(self, vector: dict):
        phase, alice, sid = vector["phase"], CAST["alice"], uid_text(self.SID)
        self.peer.names |= {"session": self.SID, "unknown": 0x0123456789ABCDEF}
        if phase == "login-step-3":
            self.peer.login_step_2()
        elif phase != "login-step-2":
            self.log_in()
            proceed = self.prepare(phase, sid)
        self.peer.hear()
        self.events.clear()
        good = sum("message" in piece and not {"changes", "only"} & set(piece["message"]) for piece in vector["send"])
        before = len(self.peer.wire.written)
        self.peer.play(vector)
        (conforms,) = vector["conforms"]
        if conforms == "closes":
            good = good if len(vector["send"]) > 1 else 0  # whole texts in front of the fault, as all are (MTP-13)
            self.assertEqual(["message"] * good, [event["event"] for event in self.events[:good]])
            del self.events[:good]
            self.assertEqual([("msg_res", self.SID, alice, "OK")] * good, self.peer.hear())
            self.closes()
            return
        if conforms == "ignored":
            self.assertEqual(before, len(self.peer.wire.written))
        else:
            self.peer.answers(self, conforms["answers"], self.peer.hear(), alice)
        self.expect()
        self.still_there()
        proceed()

    def prepare(self, phase: str, sid: str):
        """What happened before; returns a check that it goes on as if nothing else had come."""
        bob, send, expect = CAST["bob"], self.peer.send, self.expect
        if phase not in ("logged-in", "inviting"):
            send("invite_req", session=self.SID, uid=bob)
        if phase in ("in-session", "asked", "closing", "closed"):
            self.do("answer", sid=sid, accept=True)
        if phase == "inviting":
            self.do("init", invite=[uid_text(bob)])
            return lambda: (send("init_res", "OK", self.SID), expect("init"))
        if phase == "pending":
            return lambda: (self.do("answer", sid=sid, accept=True), self.assertEqual(
                [("invite_res", self.SID, self.me.uid, "Accept")], self.peer.hear()), expect())
        if phase == "asked":  # by her: she has sent a text
            self.do("send", sid=sid, text="hello")
            self.roster(bob, self.me.uid)
            return lambda: (send("msg_res", "OK", self.SID), expect("sent"))
        if phase == "closing":
            self.do("close", sid=sid)
            return lambda: (send("close_res", "OK", self.SID), expect("close"))
        if phase == "closed":
            send("close_res", "OK", self.SID, bob)
        return self.still_there


def joined(lines) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def malformed(receiver: str) -> list[dict]:
    """The malformed-frame vectors towards a server, or a client."""
    themes = [json.loads(path.read_text()) for path in sorted((VECTORS / "malformed").glob("*.json"))]
    vectors = [vector | {"id": f"{theme['theme']}/{vector['name']}"} for theme in themes for vector in theme["vectors"]]
    return [vector for vector in vectors if vector["receiver"] == receiver]


if __name__ == "__main__":
    unittest.main()
