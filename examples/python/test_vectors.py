#!/usr/bin/env python3
"""Checks this implementation against all files of vectors/, without a network: `python3 -m unittest test_vectors`.

MPCHAT_VECTORS and MPCHAT_KIT name the folders of the vectors and of the keys, if they are not where the
repository has them.
"""

import argparse
import functools
import hashlib
import json
import os
import unittest
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

import client
import mpchat_proto as proto
import server
from mpchat_proto import HEADER, Header, Keys, Type, Violation, uid_text

ROOT = Path(__file__).resolve().parents[2]
VECTORS = Path(os.environ.get("MPCHAT_VECTORS", ROOT / "vectors"))
KIT = Path(os.environ.get("MPCHAT_KIT", ROOT / "harness" / "kit"))
CAST = {"alice": 0xA11CE, "bob": 0xB0B00, "carol": 0xCA401E, "stranger": 0x57A46E4, "server": 0}
OPTIONS = argparse.Namespace(kit=KIT, state=None, invite_timeout=30, answer_timeout=10, login_timeout=10,
                             status_timeout=10, probe_after=None)


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


@contextmanager
def fixed(module, share: bytes, seed: bytes):
    """Takes the randomness out of a module."""
    with mock.patch.object(module, "fresh_share", lambda: share), \
            mock.patch.object(module, "encrypt_share", lambda key, share: seeded_oaep(key, share, seed)):
        yield


@functools.cache
def private_key(name: str):
    return proto.load_private_key(KIT / f"{name}.key.pem")


class Wire:
    """A transport that only keeps what is written."""

    def __init__(self):
        self.written, self.closed = b"", False

    def write(self, data: bytes):
        self.written += data

    def write_eof(self):
        self.closed = True

    def is_closing(self) -> bool:
        return False

    abort = write_eof


def connect(connection: proto.Connection) -> proto.Connection:
    connection.connection_made(Wire())
    return connection


class KnownAnswers(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = server.Server(OPTIONS)

    def each(self, name: str, check, refusals=(ValueError, Violation, InvalidTag)):
        file = json.loads((VECTORS / name).read_text())
        for test in file["tests"]:
            with self.subTest(name, id=test["id"], comment=test["comment"]):
                if test["result"] == "valid":
                    check(test["data"])
                else:
                    self.assertRaises(refusals, check, test["data"])

    def identity(self, uid: int) -> client.Identity:
        return client.Identity(uid, private_key(uid_text(uid)), self.server.key.public_key(), self.server.directory)

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
                receiver = client.ClientConnection(mock.Mock(), None)
            receiver.login_type, receiver.etk_size, receiver.received = None, 0, data["last_sqn"]
            receiver.check_header(header)

        self.each("headers.json", check)

    def test_frames(self):
        def check(data):
            keys = Keys(bytes.fromhex(data["key"]), bytes.fromhex(data["iv"]))
            header, mac = bytes.fromhex(data["header"]), bytes.fromhex(data["mac"])
            fields = Header(*HEADER.unpack(header))
            self.assertEqual(keys.nonce(fields.sqn).hex(), data["nonce"])
            if "payload" not in data:
                if len(mac) != proto.MAC_SIZE:  # such a frame has another len
                    raise Violation
                proto.open_frame(keys, header + bytes.fromhex(data["epd"]) + mac)
                return
            payload, etk = generate(data["payload"]), generate(data.get("etk", ""))
            sealed = proto.gcm_seal(keys.key, keys.nonce(fields.sqn), header, payload)
            self.assertTrue(same(data["epd"], sealed[:-12]))
            self.assertEqual(mac, sealed[-12:])
            self.assertEqual(payload, proto.open_frame(keys, header + sealed))
            if fields.ver == proto.VERSION:
                frame = proto.seal_frame(keys, fields.typ, fields.sqn, fields.sid, fields.uid, payload, etk)
                self.assertEqual(header + sealed + etk, frame)

        self.each("frames.json", check)

    def test_keys(self):
        def check(data):
            tk, transfer = bytes.fromhex(data["tk"]), data.get("transfer")
            for direction in ("c2s", "s2c"):
                keys = proto.login_keys(tk, direction)
                if transfer:
                    request, response = generate(transfer["login_request"]), generate(transfer["login_response"])
                    keys = proto.transfer_keys(tk, bytes.fromhex(transfer["sk"]), request, response, direction)
                self.assert_keys(data[direction], keys)

        self.each("keys.json", check)

    def test_oaep(self):
        def check(data):
            key, ciphertext = private_key(data["key"]), bytes.fromhex(data["ciphertext"])
            message = key.decrypt(ciphertext, proto.OAEP)
            self.assertEqual(data["message"], message.hex())
            self.assertEqual(ciphertext, seeded_oaep(key.public_key(), message, bytes.fromhex(data["seed"])))

        self.each("oaep.json", check)

    def log_in(self, data: dict, step: int, frame: bytes | None = None):
        """Runs a login up to a step, in whose place a frame may come; returns both ends and the frames."""
        uid, secrets = int(data["user"], 16), {name: bytes.fromhex(text) for name, text in data["secrets"].items()}
        with fixed(client, secrets["tk"], secrets["tk_seed"]), mock.patch.object(client, "emit"):
            alice = connect(client.ClientConnection(mock.Mock(), self.identity(uid)))
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
                raise Violation

        self.each("login-refusals.json", check, Violation)

    def test_envelopes(self):
        def check(data):
            sid, author, recipient = (int(data[name], 16) for name in ("sid", "author", "recipient"))
            key, line = private_key(data["recipient"]), data["line"]
            if made_from := data.get("made_from"):
                text, cek, seed = (generate(made_from[name]) for name in ("text", "cek", "seed"))
                with fixed(proto, cek, seed):
                    made = proto.seal_envelope(key.public_key(), sid, author, recipient, text)
                self.assertTrue(same(line, made.encode()) if isinstance(line, dict) else line == made)
                self.assertEqual(len(made) + 1, proto.envelope_line_size(text))
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

        self.each("payloads.json", check, ValueError)


class Peer:
    """A client without manners, at the other end of a server's connection."""

    def __init__(self, where: server.Server, name: str, log_in: bool = True):
        self.uid, self.server, self.names = CAST[name], where, dict(CAST)
        self.connection = connect(server.ServerConnection(where))
        self.sqn = self.read = 0
        self.tk = proto.fresh_share()
        self.seal_keys, self.open_keys = (proto.login_keys(self.tk, d) for d in ("c2s", "s2c"))
        if log_in:
            self.login_step_1()
            self.send("status_res", "Online")

    def login_step_1(self):
        request = self.build({"type": "login_req"})
        self.connection.data_received(request)
        response = self.connection.transport.written[:-36]
        sk = proto.decrypt_share(private_key(uid_text(self.uid)), response[-256:])
        self.seal_keys, self.open_keys = (
            proto.transfer_keys(self.tk, sk, request, response, d) for d in ("c2s", "s2c"))
        self.read = len(self.connection.transport.written)

    def send(self, kind: str, text: str = "", session: int = 0):
        message = {"type": kind, "payload": {"text": text}, "session": uid_text(session)}
        self.connection.data_received(self.build(message))

    def hear(self) -> list[tuple[str, int, int, str]]:
        """What came since the last call: type, sid, uid, text."""
        heard = []
        while self.read < len(self.connection.transport.written):
            header = Header(*HEADER.unpack_from(self.connection.transport.written, self.read))
            frame = self.connection.transport.written[self.read:self.read + header.length]
            text = proto.open_frame(self.open_keys, frame).decode()
            heard.append((Type(header.typ).name.lower(), header.sid, header.uid, text))
            self.read += header.length
        return heard

    # what a malformed vector sends

    def payload(self, payload, kind: str, session: int) -> bytes:
        if payload is None:
            return b""
        if payload == "error":
            return b"an error text"
        if "lines" in payload:
            return proto.lines_payload(payload["lines"]["of"] * payload["lines"].get("times", 1))
        if "names" in payload:
            return proto.lines_payload([uid_text(CAST[name]) for name in payload["names"]])
        if kind == "msg_req" and payload.get("text") not in (None, ""):
            roster = self.server.sessions.get(session, [CAST["bob"]])
            return proto.lines_payload([
                proto.seal_envelope(self.server.directory[uid], session, self.uid, uid, payload["text"].encode())
                for uid in roster if uid != self.uid])
        return (payload.get("text") or payload.get("word") or "").encode()

    def number(self, to: dict, previous: int) -> int:
        if "word" not in to:
            return to["number"] if "number" in to else int(to["hex"], 16)
        word = to["word"]
        if word in self.names:
            return self.names[word]
        if word.upper() in Type.__members__:
            return Type[word.upper()]
        base, sign, steps = word.partition("+") if "+" in word else word.partition("-")
        return {"last": previous - 1, "next": previous}[base] + int(f"{sign}{steps or 0}")

    def octets(self, field: str, to: dict) -> bytes:
        if "hex" in to:
            return bytes.fromhex(to["hex"])
        if "text" in to:
            texts = {name: uid_text(uid) for name, uid in CAST.items()}
            text = to["text"]
            for name, uid in texts.items():
                text = text.replace(f"{{{name}}}", uid).replace(f"{{{name.upper()}}}", uid.upper())
            return text.encode()
        size = {"etk": 256, "key": 32, "mac": 12}[field]
        key = self.server.key.public_key()
        old = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
        return {
            "random": lambda: os.urandom(size), "zero": lambda: bytes(size),
            "login": lambda: proto.login_keys(self.tk, "c2s").key, "s2c": lambda: self.open_keys.key,
            "short": lambda: key.encrypt(self.tk[:31], proto.OAEP),
            "long": lambda: key.encrypt(self.tk + b"\0", proto.OAEP) if field == "etk" else os.urandom(16),
            "other-key": lambda: self.server.directory[self.uid].encrypt(self.tk, proto.OAEP),
            "sha1": lambda: key.encrypt(self.tk, old), "pkcs1": lambda: key.encrypt(self.tk, padding.PKCS1v15()),
        }[to["word"]]()

    def build(self, message: dict) -> bytes:
        kind = message["type"]
        name = message.get("session", "none")
        session = {"none": 0}.get(name, self.names[name] if name in self.names else None)
        session = int(name, 16) if session is None else session
        self.sqn += 1
        f = {"ver": proto.VERSION, "typ": Type[kind.upper().replace("LOGIN", "STATUS")], "len": None, "sqn": self.sqn,
             "sid": session, "uid": self.uid, "payload": self.payload(message.get("payload"), kind, session),
             "key": self.seal_keys.key, "etk": b""}
        if kind == "login_req":
            f["etk"] = proto.encrypt_share(self.server.key.public_key(), self.tk)
        changes = message.get("changes", [])
        for change in (c["before_sealing"] for c in changes if "before_sealing" in c):
            field = change["field"]
            is_octets = field in ("payload", "key", "etk")
            f[field] = self.octets(field, change["to"]) if is_octets else self.number(change["to"], self.sqn)
        length = 36 + len(f["payload"]) + len(f["etk"]) if f["len"] is None else f["len"]
        header = HEADER.pack(f["ver"], f["typ"], length, f["sqn"], f["sid"], f["uid"])
        keys = Keys(f["key"], self.seal_keys.iv)
        sealed = proto.gcm_seal(keys.key, keys.nonce(f["sqn"]), header, f["payload"])
        ends = {"ver": 2, "typ": 4, "len": 6, "sqn": 8, "sid": 16, "uid": 24}
        raw = {name: header[end - (8 if end > 8 else 2):end] for name, end in ends.items()}
        raw |= {"epd": sealed[:-12], "mac": sealed[-12:], "etk": f["etk"]}
        for change in changes:
            if flip := change.get("flip"):
                part = bytearray(raw[flip["field"]])
                part[flip.get("byte", -1)] ^= 0xFF
                raw[flip["field"]] = bytes(part)
            elif change := change.get("after_sealing"):
                field = change["field"]
                raw[field] = (self.number(change["to"], self.sqn).to_bytes(len(raw[field]), "big") if field in ends
                              else self.octets(field, change["to"]))
        return b"".join(raw.values())[: message.get("only")]


class Malformed(unittest.IsolatedAsyncioTestCase):
    async def test_all(self):
        where = server.Server(OPTIONS)
        for path in sorted((VECTORS / "malformed").glob("*.json")):
            for vector in json.loads(path.read_text())["vectors"]:
                if vector["receiver"] == "client":
                    continue  # these need a server around the client: `mpchat run --client ... malformed/` plays them
                with self.subTest(f"{path.stem}/{vector['name']}"):
                    self.check(where, vector)

    def check(self, where: server.Server, vector: dict):
        phase, roster = vector["phase"], vector.get("roster", ["alice", "bob"])
        peers = {name: Peer(where, name) for name in ("bob", "carol")}
        log_in = phase not in ("connected", "login-step-1", "login-step-4")
        alice = peers["alice"] = Peer(where, "alice", log_in)
        sid = self.prepare(where, phase, roster, peers)
        alice.names |= {"session": sid, "unknown": 0x0123456789ABCDEF}
        for peer in peers.values():
            if peer is not alice or alice.connection.login_type is None:
                peer.hear()
        before = len(alice.connection.transport.written)
        for piece in vector["send"]:
            raw = bytes.fromhex(piece["bytes"]) if "bytes" in piece else alice.build(piece["message"])
            cut = piece.get("message", {})
            step = 1 if "byte_by_byte" in cut else cut.get("split_at", len(raw) or 1)
            for start in range(0, len(raw), step):
                alice.connection.data_received(raw[start:start + step])
        if vector.get("end") == "closes":
            alice.connection.eof_received()
        self.react(vector, peers, roster, sid, before)
        due = "msg_req" if vector.get("counts") else "msg_res" if phase == "asked" else None  # MTP-13, MSG-07
        for name in vector.get("hears_nothing", []):
            self.assertEqual([], [frame for frame in peers[name].hear() if frame[0] != due])
        peers["bob"].send("status_req")
        self.assertEqual(("status_res", 0, 0, "Online"), peers["bob"].hear()[-1])  # MTP-18

    def prepare(self, where: server.Server, phase: str, roster: list[str], peers: dict[str, Peer]) -> int:
        alice, bob, carol = (peers[name] for name in ("alice", "bob", "carol"))
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
        where.sessions[sid] = [CAST[name] for name in names]
        if phase == "asked":
            bob.send("msg_req", "asked", sid)
        if phase == "closed":
            bob.send("close_req", session=sid)
        return sid

    def react(self, vector: dict, peers: dict[str, Peer], roster: list[str], sid: int, before: int):
        alice, conforms = peers["alice"], vector["conforms"]
        wire = alice.connection.transport
        if wire.closed:
            self.assertIn("closes", conforms)
            self.assertEqual(before, len(wire.written))
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
            self.assertEqual(len(expected), len(heard))
            for answer, (kind, session, uid, text) in zip(expected, heard):
                name = answer.get("session", "none")
                want = alice.names[name] if name in alice.names else 0 if name == "none" else int(name, 16)
                self.assertEqual((answer["type"], want, CAST[answer.get("of", "server")]), (kind, session, uid))
                payload = answer["payload"]
                self.assertTrue(text not in ("", "OK") if payload == "error" else payload["word"] == text)


if __name__ == "__main__":
    unittest.main()
