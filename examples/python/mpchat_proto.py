"""Multy-Party Chat 1.0: what server and client share.

Frames (section 2), payload formats (section 3), login keys (section 4), envelopes (section 6), key files
(section 9), and `Connection`, the frame layer of one end of a connection. Section numbers and rule identifiers
are those of SPECIFICATION.md.
"""

from __future__ import annotations

import asyncio
import enum
import hashlib
import os
import re
import struct
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

DEFAULT_PORT = 5150  # MTP-01
VERSION = 0x0100  # MTP-03
NO_SID = 0
SERVER_UID = 0
LAST_SQN = 65535  # MTP-09
MAC_SIZE = 12
ETK_SIZE = 256
SHARE_SIZE = 32  # tk, sk and cek
HEADER = struct.Struct(">HHHHQQ")  # ver, typ, len, sqn, sid, uid (MTP-06)
MIN_LENGTH = HEADER.size + MAC_SIZE
MAX_PAYLOAD = 65535 - MIN_LENGTH
LINGER = 2.0  # seconds that a closed connection may take to take leave


class Type(enum.IntEnum):
    INIT_REQ = 0x0000
    INIT_RES = 0x0010
    CLOSE_REQ = 0x0100
    CLOSE_RES = 0x0110
    MSG_REQ = 0x0200
    MSG_RES = 0x0210
    INVITE_REQ = 0x0300
    INVITE_RES = 0x0310
    STATUS_REQ = 0x0400
    STATUS_RES = 0x0410


BOTH_WAYS = {Type.MSG_REQ, Type.MSG_RES, Type.STATUS_REQ, Type.STATUS_RES}
FROM_CLIENT = BOTH_WAYS | {Type.INIT_REQ, Type.CLOSE_REQ, Type.INVITE_RES}
FROM_SERVER = BOTH_WAYS | {Type.INIT_RES, Type.CLOSE_RES, Type.INVITE_REQ}


class Violation(Exception):
    """The peer broke a rule for which its connection is closed without an answer (MTP-13)."""


# --- payloads (section 3) ---------------------------------------------------------------------------------------------

UID_TEXT = re.compile(r"[0-9a-f]{16}", re.ASCII)


def uid_text(uid: int) -> str:
    """The text of a uid, or of a sid (section 1)."""
    return f"{uid:016x}"


def parse_uid(text: str) -> int:
    if not UID_TEXT.fullmatch(text):
        raise ValueError(f"{text!r} is not 16 lowercase hexadecimal digits")
    return int(text, 16)


def lines_payload(lines: list[str]) -> bytes:
    return "".join(line + "\n" for line in lines).encode()  # PAY-02: LF ends every line, the last one too


def parse_payload(typ: int, payload: bytes) -> list[str] | str:
    """What a payload says: its lines, or its one text. ValueError if it breaks the format of its type."""
    text = payload.decode("utf-8")  # UnicodeDecodeError is a ValueError (PAY-01)
    if typ in (Type.INIT_REQ, Type.MSG_REQ):
        *lines, rest = text.split("\n")
        if rest or not lines or not all(lines):
            raise ValueError("not one or more lines, each ended by LF (PAY-02)")
        if typ == Type.INIT_REQ:
            for line in lines:
                parse_uid(line)
        return lines
    if typ in (Type.INIT_RES, Type.CLOSE_RES, Type.MSG_RES):
        if not text:
            raise ValueError("an empty error text (PAY-03)")
        return text
    words = {Type.INVITE_RES: ("Accept", "Deny"), Type.STATUS_RES: ("Online", "Offline")}.get(typ, ("",))
    if text not in words:
        raise ValueError(f"the payload is none of {words} (PAY-01)")
    return text


# --- frames (section 2) -----------------------------------------------------------------------------------------------

class Header(NamedTuple):
    ver: int
    typ: int
    length: int
    sqn: int
    sid: int
    uid: int


class Keys(NamedTuple):
    """The key and the iv of one direction."""

    key: bytes
    iv: bytes

    def nonce(self, sqn: int) -> bytes:
        return (int.from_bytes(self.iv, "big") ^ sqn).to_bytes(12, "big")  # MTP-12


def gcm_seal(key: bytes, nonce: bytes, aad: bytes, plaintext: bytes) -> bytes:
    return AESGCM(key).encrypt(nonce, plaintext, aad)[: MAC_SIZE - 16]  # MTP-11: 12 bytes of the tag


def gcm_open(key: bytes, nonce: bytes, aad: bytes, sealed: bytes) -> bytes:
    """Raises InvalidTag. (The class AESGCM takes no shortened tags.)"""
    mode = modes.GCM(nonce, sealed[-MAC_SIZE:], min_tag_length=MAC_SIZE)
    decryptor = Cipher(algorithms.AES256(key), mode).decryptor()
    decryptor.authenticate_additional_data(aad)
    return decryptor.update(sealed[:-MAC_SIZE]) + decryptor.finalize()


def seal_frame(keys: Keys, typ: int, sqn: int, sid: int, uid: int, payload: bytes = b"", etk: bytes = b"") -> bytes:
    header = HEADER.pack(VERSION, typ, MIN_LENGTH + len(payload) + len(etk), sqn, sid, uid)
    return header + gcm_seal(keys.key, keys.nonce(sqn), header, payload) + etk


def open_frame(keys: Keys, frame: bytes) -> bytes:
    """The payload of a whole frame, etk cut off."""
    header = frame[: HEADER.size]
    try:
        return gcm_open(keys.key, keys.nonce(Header(*HEADER.unpack(header)).sqn), header, frame[HEADER.size:])
    except InvalidTag:
        raise Violation("the mac is wrong (MTP-11)") from None


# --- login keys (section 4) -------------------------------------------------------------------------------------------

OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label=None)


def derive_keys(ikm: bytes, salt: bytes | None, info: str) -> Keys:
    okm = HKDF(hashes.SHA256(), 44, salt, info.encode()).derive(ikm)
    return Keys(okm[:32], okm[32:])


def login_keys(tk: bytes, direction: str) -> Keys:
    return derive_keys(tk, None, f"mpchat/1.0 login {direction}")


def transfer_keys(tk: bytes, sk: bytes, request: bytes, response: bytes, direction: str) -> Keys:
    return derive_keys(tk + sk, hashlib.sha256(request + response).digest(), f"mpchat/1.0 transfer {direction}")


def fresh_share() -> bytes:
    return os.urandom(SHARE_SIZE)  # LOGIN-05, MSG-15


def encrypt_share(key: RSAPublicKey, share: bytes) -> bytes:
    return key.encrypt(share, OAEP)


def decrypt_share(key: RSAPrivateKey, encrypted: bytes) -> bytes:
    """A tk, sk or cek; ValueError if it is none."""
    share = key.decrypt(encrypted, OAEP)
    if len(share) != SHARE_SIZE:
        raise ValueError("the share has another size")
    return share


# --- envelopes (section 6) --------------------------------------------------------------------------------------------

ENVELOPE_LINE = re.compile(rf"(?:[0-9a-f]{{2}}){{{ETK_SIZE + MAC_SIZE},}}", re.ASCII)
ZERO_NONCE = bytes(12)  # no cek is used twice (MSG-15)


def envelope_aad(sid: int, author: int, recipient: int) -> bytes:
    return struct.pack(">QQQ", sid, author, recipient)


def envelope_line_size(text: bytes) -> int:
    """How long the line of a text is, its LF included."""
    return 2 * (ETK_SIZE + len(text) + MAC_SIZE) + 1


def seal_envelope(key: RSAPublicKey, sid: int, author: int, recipient: int, text: bytes) -> str:
    cek = fresh_share()
    return (encrypt_share(key, cek) + gcm_seal(cek, ZERO_NONCE, envelope_aad(sid, author, recipient), text)).hex()


def open_envelope(key: RSAPrivateKey, sid: int, author: int, recipient: int, line: str) -> str:
    """The text in a line; ValueError if it is not for this session, author and recipient (MSG-14)."""
    if not ENVELOPE_LINE.fullmatch(line):
        raise ValueError("not the lowercase hexadecimal text of an envelope")
    envelope = bytes.fromhex(line)
    cek = decrypt_share(key, envelope[:ETK_SIZE])
    try:
        aad = envelope_aad(sid, author, recipient)
        return gcm_open(cek, ZERO_NONCE, aad, envelope[ETK_SIZE:]).decode("utf-8")
    except InvalidTag:
        raise ValueError("the tag is wrong") from None


# --- files (section 9) ------------------------------------------------------------------------------------------------

def load_public_key(path: Path) -> RSAPublicKey:
    key = load_pem_public_key(path.read_bytes())
    if not isinstance(key, RSAPublicKey) or key.key_size != 2048 or key.public_numbers().e != 65537:
        raise ValueError(f"{path} is not an RSA-2048 key with exponent 65537")
    return key


def load_private_key(path: Path) -> RSAPrivateKey:
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, RSAPrivateKey) or key.key_size != 2048:
        raise ValueError(f"{path} is not an RSA-2048 key")
    return key


def load_directory(folder: Path) -> dict[int, RSAPublicKey]:
    """Everyone's public keys; the name of a file is the uid."""
    names = ((path, path.name.removesuffix(".pub.pem")) for path in folder.glob("*.pub.pem"))
    users = {int(name, 16): path for path, name in names if UID_TEXT.fullmatch(name)}
    return {uid: load_public_key(path) for uid, path in users.items() if uid != SERVER_UID}


# --- the frame layer of a connection ----------------------------------------------------------------------------------

class Connection(asyncio.Protocol):
    """Cuts the byte stream into frames, numbers, seals and checks them, and takes leave.

    A subclass says what it `receives`, and sets `step`, the method that takes the next frame, and while it logs in
    `login_type`, the only type that may come next, and `etk_size`. It has `check_uid`, which raises Violation,
    `last_sqn_used`, and `connection_ended`, which gets the reason, if there is one to tell.
    """

    receives: set[Type]
    login_type: Type | None = None
    etk_size = ETK_SIZE

    def __init__(self):
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport | None = None
        self.buffer = bytearray()
        self.received = self.sent = 0  # sequence numbers (MTP-07)
        self.open_keys: Keys | None = None
        self.seal_keys: Keys | None = None
        self.stopped = False  # takes no further frame
        self.ended = False
        self.linger: asyncio.TimerHandle | None = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data: bytes):
        if self.stopped:
            return
        self.buffer += data
        try:
            while not self.stopped and (frame := self.next_frame()):
                self.step(*frame)
        except Violation as violation:
            self.end(str(violation))

    def next_frame(self) -> tuple[Header, bytes] | None:
        """The next frame, when all of it has arrived (MTP-16)."""
        if len(self.buffer) < HEADER.size:
            return None
        header = Header(*HEADER.unpack_from(self.buffer))
        self.check_header(header)  # MTP-17: without waiting for the rest
        if len(self.buffer) < header.length:
            return None
        frame = bytes(self.buffer[: header.length])
        del self.buffer[: header.length]
        self.received += 1
        return header, frame

    def check_header(self, header: Header):
        if header.ver != VERSION:
            raise Violation("another version (MTP-03)")
        if header.typ not in self.receives:
            raise Violation("a type that is none, or that the peer may not send (MTP-04, MTP-15)")
        if header.length < MIN_LENGTH + self.etk_size:
            raise Violation("the frame is too short (MTP-05)")
        if header.sqn != self.received + 1:
            raise Violation("a wrong sequence number (MTP-08)")
        if self.login_type is not None and (header.typ != self.login_type or header.sid != NO_SID):
            raise Violation("not the next frame of a login (LOGIN-01, LOGIN-17)")
        self.check_uid(header)

    def eof_received(self):
        self.end("the peer closed the connection")  # MTP-19, and asyncio closes when all is sent

    def connection_lost(self, error):
        self.end(str(error or "the connection was lost"))
        if self.linger:
            self.linger.cancel()

    def send(self, typ: Type, sid: int, uid: int, payload: bytes = b"", etk: bytes = b"") -> bytes:
        """Sends a frame; on a connection that can carry no more it is dropped (MTP-09)."""
        if self.ended or self.sent == LAST_SQN or self.transport.is_closing():
            return b""
        self.sent += 1
        frame = seal_frame(self.seal_keys, typ, self.sent, sid, uid, payload, etk)
        self.transport.write(frame)
        if self.sent == LAST_SQN:
            self.last_sqn_used()
        return frame

    def end(self, reason: str = ""):
        """Closes by FIN (MTP-13): what is written still goes out, what arrives is discarded.

        A socket that is closed with unread bytes would answer by RST, so it lives on until the peer closes too."""
        if self.ended:
            return
        self.ended = self.stopped = True
        self.buffer.clear()
        self.connection_ended(reason)
        try:
            self.transport.write_eof()
        except OSError:
            pass  # it is gone already
        self.linger = self.loop.call_later(LINGER, self.transport.abort)
