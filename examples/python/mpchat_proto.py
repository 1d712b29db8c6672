"""Multy-Party Chat 1.0: what server and client share.

Payloads (section 3), keys and frames (2, 4), envelopes (6), key files (9), and `Connection`, one end of a
connection. Sections and rule identifiers are those of SPECIFICATION.md. Whatever is wrong raises ValueError.
"""

from __future__ import annotations

import asyncio
import enum
import hashlib
import os
import re
import struct
from collections import namedtuple
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION = 0x0100  # MTP-03
NO_SID = SERVER_UID = 0
LAST_SQN = 65535  # MTP-09
MAC_SIZE, ETK_SIZE, SHARE_SIZE = 12, 256, 32  # a share is a tk, sk or cek
HEADER = struct.Struct(">HHHHQQ")  # MTP-06
Header = namedtuple("Header", "ver typ length sqn sid uid")
MIN_LENGTH = HEADER.size + MAC_SIZE
MAX_PAYLOAD = 65535 - MIN_LENGTH
LINGER = 2.0  # seconds that the peer of a closed connection may take to close it too


class Type(enum.IntEnum):
    INIT_REQ, INIT_RES = 0x0000, 0x0010
    CLOSE_REQ, CLOSE_RES = 0x0100, 0x0110
    MSG_REQ, MSG_RES = 0x0200, 0x0210
    INVITE_REQ, INVITE_RES = 0x0300, 0x0310
    STATUS_REQ, STATUS_RES = 0x0400, 0x0410


METHODS = {typ: typ.name.lower() for typ in Type}  # of a Connection


# --- payloads (section 3) ---------------------------------------------------------------------------------
UID_TEXT = "[0-9a-f]{16}"
RESULT = "(?s:.+)"  # `OK`, or an error text (PAY-03)
FORMATS = {
    Type.INIT_REQ: f"({UID_TEXT}\n)+", Type.INIT_RES: RESULT,
    Type.CLOSE_REQ: "", Type.CLOSE_RES: RESULT,
    Type.MSG_REQ: "([^\n]+\n)+", Type.MSG_RES: RESULT,
    Type.INVITE_REQ: "", Type.INVITE_RES: "Accept|Deny",
    Type.STATUS_REQ: "", Type.STATUS_RES: "Online|Offline",
}


def uid_text(uid: int) -> str:
    """The text of a uid, or of a sid (section 1)."""
    return f"{uid:016x}"


def parse_payload(typ: int, payload: bytes) -> list[str] | str:
    """What a payload says: its lines, or its one text."""
    text = payload.decode()  # UnicodeDecodeError is a ValueError (PAY-01)
    if not re.fullmatch(FORMATS[typ], text):
        raise ValueError(f"a malformed payload of {METHODS[typ]}")
    return text[:-1].split("\n") if typ in (Type.INIT_REQ, Type.MSG_REQ) else text


# --- keys and envelopes (sections 2, 4 and 6) --------------------------------------------------------------
OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label=None)


class Keys(NamedTuple):
    """The key and the iv of one direction."""

    key: bytes
    iv: bytes

    def nonce(self, sqn: int) -> bytes:
        return (int.from_bytes(self.iv, "big") ^ sqn).to_bytes(12, "big")  # MTP-12

    def seal(self, sqn: int, aad: bytes, plaintext: bytes) -> bytes:
        sealed = AESGCM(self.key).encrypt(self.nonce(sqn), plaintext, aad)
        return sealed[: MAC_SIZE - 16]  # MTP-11: 12 bytes of the tag

    def open(self, sqn: int, aad: bytes, sealed: bytes) -> bytes:
        mode = modes.GCM(self.nonce(sqn), sealed[-MAC_SIZE:], min_tag_length=MAC_SIZE)
        decryptor = Cipher(algorithms.AES256(self.key), mode).decryptor()
        decryptor.authenticate_additional_data(aad)
        try:
            return decryptor.update(sealed[:-MAC_SIZE]) + decryptor.finalize()
        except InvalidTag:
            raise ValueError("the mac is wrong (MTP-11)") from None


def derive_keys(tk: bytes, sk: bytes = b"", login_frames: bytes = b"") -> list[Keys]:
    """Client to server, server to client: those of the login or, with sk and its frames, of what follows."""
    phase, salt = ("transfer", hashlib.sha256(login_frames).digest()) if sk else ("login", None)
    infos = [f"mpchat/1.0 {phase} {direction}".encode() for direction in ("c2s", "s2c")]
    outputs = [HKDF(hashes.SHA256(), 44, salt, info).derive(tk + sk) for info in infos]
    return [Keys(okm[:32], okm[32:]) for okm in outputs]


def make_share(key: RSAPublicKey) -> tuple[bytes, bytes]:
    """A fresh tk, sk or cek, and the same encrypted (LOGIN-05, MSG-15)."""
    share = os.urandom(SHARE_SIZE)
    return share, key.encrypt(share, OAEP)


def open_share(key: RSAPrivateKey, encrypted: bytes) -> bytes:
    share = key.decrypt(encrypted, OAEP)  # or ValueError
    if len(share) != SHARE_SIZE:
        raise ValueError("a key share of another size (LOGIN-06, LOGIN-12)")
    return share


def seal_envelope(key: RSAPublicKey, sid: int, author: int, recipient: int, text: bytes) -> str:
    cek, encrypted = make_share(key)
    aad = struct.pack(">QQQ", sid, author, recipient)
    return (encrypted + Keys(cek, bytes(12)).seal(0, aad, text)).hex()


def open_envelope(key: RSAPrivateKey, sid: int, author: int, recipient: int, line: str) -> str:
    """The text in a line, if it is for this session, author and recipient (MSG-14)."""
    if not re.fullmatch("([0-9a-f]{2})+", line):
        raise ValueError("not the lowercase hexadecimal text of an envelope")
    envelope, aad = bytes.fromhex(line), struct.pack(">QQQ", sid, author, recipient)
    cek = open_share(key, envelope[:ETK_SIZE])
    return Keys(cek, bytes(12)).open(0, aad, envelope[ETK_SIZE:]).decode()


def load_key(path: Path) -> RSAPrivateKey | RSAPublicKey:
    pem, private = path.read_bytes(), path.name.endswith(".key.pem")
    key = serialization.load_pem_private_key(pem, None) if private else serialization.load_pem_public_key(pem)
    if not isinstance(key, (RSAPrivateKey, RSAPublicKey)) or key.key_size != 2048:
        raise ValueError(f"{path} is not an RSA-2048 key")
    return key


def load_directory(folder: Path) -> dict[int, RSAPublicKey]:
    """Everyone's public keys; the name of a file is the uid text."""
    return {int(path.name[:16], 16): load_key(path) for path in folder.glob("[0-9a-f]" * 16 + ".pub.pem")}


# --- one end of a connection (section 2) ------------------------------------------------------------------
class Connection(asyncio.Protocol):
    """Cuts the byte stream into frames, numbers, seals, checks and opens them, and takes leave.

    A subclass has a method for each type that its peer may send, of that name, which gets sid, uid and what
    the payload says; and `log_in` for the first frame, `logged_in`, `wrong_uid` and `connection_ended`.
    """

    login_types: tuple[Type, Type]  # of the first two frames that it receives
    tolerates: set[Type]  # if their payload is malformed, the method gets None (PAY-04, PAY-08)

    def __init__(self, own_uid: int, login_timeout: float):
        self.own_uid = own_uid
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport | None = None
        self.buffer = bytearray()
        self.received = self.sent = 0  # sequence numbers (MTP-07)
        self.open_keys = self.seal_keys = Keys(b"", b"")
        self.online = self.ended = False
        self.timer = self.loop.call_later(login_timeout, self.end, "no login in time")  # LOGIN-10, LOGIN-16

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data: bytes):
        self.buffer += b"" if self.ended else data
        try:
            while not self.ended and len(self.buffer) >= HEADER.size:
                header = Header(*HEADER.unpack_from(self.buffer))
                self.check(header)  # MTP-17: without waiting for the rest
                if len(self.buffer) < header.length:  # MTP-16
                    break
                frame = bytes(self.buffer[: header.length])
                del self.buffer[: header.length]
                self.received += 1
                self.take(header, frame)
        except ValueError as violation:
            self.end(str(violation))  # MTP-13

    def check(self, header: Header):
        etk_size = 0 if self.received else ETK_SIZE
        for broken, rule in (
            (header.ver != VERSION, "another version (MTP-03)"),
            (not hasattr(self, METHODS.get(header.typ, "none")), "a type that it may not send (MTP-15)"),
            (header.length < MIN_LENGTH + etk_size, "the frame is too short (MTP-05)"),
            (header.sqn != self.received + 1, "a wrong sequence number (MTP-08)"),
            (not self.online and (header.typ, header.sid) != (self.login_types[self.received], NO_SID),
             "not the next frame of a login (LOGIN-01, LOGIN-17)"),
            (self.wrong_uid(header), "a uid that is wrong here (MTP-14, MTP-21)"),
        ):
            if broken:
                raise ValueError(rule)

    def take(self, header: Header, frame: bytes):
        if header.sqn == 1:
            self.log_in(header, frame)
        elif header.sqn == 2:
            self.open(header, frame)
            self.timer.cancel()
            self.online = True
            self.logged_in()
        else:
            getattr(self, METHODS[header.typ])(header.sid, header.uid, self.open(header, frame))

    def open(self, header: Header, frame: bytes) -> list[str] | str | None:
        """What the payload of a frame, etk cut off, says."""
        payload = self.open_keys.open(header.sqn, frame[: HEADER.size], frame[HEADER.size:])
        try:
            content = parse_payload(header.typ, payload)
        except ValueError:
            if header.typ not in self.tolerates:
                raise  # PAY-05
            return None
        if header.sqn <= 2 and content == "Offline":
            raise ValueError("a login that says Offline (LOGIN-08, LOGIN-12)")
        return content

    def send(self, typ: Type, sid: int, text: str = "", uid: int | None = None, etk: bytes = b"") -> bytes:
        """Sends a frame, without waiting; a connection that can carry no more drops it (MTP-09)."""
        if self.ended or self.sent == LAST_SQN:
            return b""
        self.sent += 1
        payload, uid = text.encode(), self.own_uid if uid is None else uid
        header = HEADER.pack(VERSION, typ, MIN_LENGTH + len(payload) + len(etk), self.sent, sid, uid)
        frame = header + self.seal_keys.seal(self.sent, header, payload) + etk
        self.transport.write(frame)
        if self.sent == LAST_SQN:
            self.loop.call_soon(self.last_sqn_used)  # not in the midst of what sends
        return frame

    def last_sqn_used(self):
        self.end("the last sequence number was used")

    def eof_received(self):
        self.end("the peer closed the connection")  # MTP-19, and asyncio closes when all is sent

    def connection_lost(self, error):
        self.end(str(error or "the connection was lost"))

    def end(self, reason: str = ""):
        """Closes by FIN (MTP-13). The socket lives on: closed with unread bytes, it would answer by RST."""
        if self.ended:
            return
        self.ended = True
        self.timer.cancel()
        self.buffer.clear()
        self.connection_ended(reason)
        if self.transport:
            with suppress(OSError):  # it may be gone already
                self.transport.write_eof()
            self.loop.call_later(LINGER, self.transport.abort)
