"""Writes known.txt: answers that this crate's tests must find again.

An implementation of the specification's formulas apart from the crate, on Python's `hashlib`, `hmac`, `pow`, and OpenSSL's
AES-GCM by way of the package `cryptography`. Everything random is fixed: run again, it writes the same file.
"""

import hashlib
import hmac
import pathlib

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_pem_private_key

HERE = pathlib.Path(__file__).parent
ALICE = 0xA11CE
BOB = 0xB0B


def key(name):
    return load_pem_private_key((HERE / f"{name}.key.pem").read_bytes(), None).private_numbers()


def sha256(data):
    return hashlib.sha256(data).digest()


def mgf1(seed, length):
    blocks = (sha256(seed + n.to_bytes(4, "big")) for n in range(8))
    return b"".join(blocks)[:length]


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def encoded(seed, data, first=0):
    masked = xor(data, mgf1(seed, 223))
    return bytes([first]) + xor(seed, mgf1(masked, 32)) + masked


def data_block(message):
    return sha256(b"") + bytes(223 - 33 - len(message)) + b"\x01" + message


def rsa(numbers, em):
    public = numbers.public_numbers
    number = int.from_bytes(em, "big")
    assert number < public.n
    return pow(number, public.e, public.n).to_bytes(256, "big")


def oaep(numbers, seed, message):
    return rsa(numbers, encoded(seed, data_block(message)))


def hkdf(ikm, salt, info, length):
    prk = hmac.digest(salt or bytes(32), ikm, "sha256")
    okm = block = b""
    for n in range(1, 3):
        block = hmac.digest(prk, block + info + bytes([n]), "sha256")
        okm += block
    return okm[:length]


def gcm(key, nonce, aad, text):
    sealed = AESGCM(key).encrypt(nonce, text, aad)
    return sealed[:-16], sealed[-16:][:12]


def header(typ, length, sqn, sid, uid):
    return (
        b"\x01\x00" + typ.to_bytes(2, "big") + length.to_bytes(2, "big") + sqn.to_bytes(2, "big")
        + sid.to_bytes(8, "big") + uid.to_bytes(8, "big")
    )


def frame(okm, typ, sqn, uid, payload, etk=b"", sid=0):
    head = header(typ, 36 + len(payload) + len(etk), sqn, sid, uid)
    epd, mac = gcm(okm[:32], xor(okm[32:], sqn.to_bytes(12, "big")), head, payload)
    return head + epd + mac + etk


def fill(value):
    return bytes([value]) * 32


server, alice = key("server"), key("alice")
out = {}

# RSA-OAEP with a fixed seed, and encoded messages with one flaw each.
seed, message = fill(0x5E), b"thirty-two bytes for one content"
out["oaep seed"], out["oaep message"] = seed, message
out["oaep ciphertext"] = oaep(alice, seed, message)
out["oaep empty"] = oaep(alice, seed, b"")
out["oaep longest"] = oaep(alice, seed, bytes(190))
good = data_block(message)
out["oaep bad first octet"] = rsa(alice, encoded(seed, good, first=1))
out["oaep bad label hash"] = rsa(alice, encoded(seed, bytes([good[0] ^ 1]) + good[1:]))
out["oaep bad padding"] = rsa(alice, encoded(seed, good[:40] + b"\x02" + good[41:]))
out["oaep bad no separator"] = rsa(alice, encoded(seed, sha256(b"") + bytes(191)))
out["oaep bad modulus"] = alice.public_numbers.n.to_bytes(256, "big")
out["oaep bad zero"] = bytes(256)

# The login of alice (section 4).
tk, sk = fill(0x11), fill(0x22)
c2s = hkdf(tk, b"", b"mpchat/1.0 login c2s", 44)
s2c = hkdf(tk, b"", b"mpchat/1.0 login s2c", 44)
request = frame(c2s, 0x0400, 1, ALICE, b"", oaep(server, fill(0x33), tk))
response = frame(s2c, 0x0410, 1, 0, b"Online", oaep(alice, fill(0x44), sk))
salt = sha256(request + response)
out["login c2s"], out["login s2c"] = c2s, s2c
out["login 1"], out["login 2"] = request, response
c2s = hkdf(tk + sk, salt, b"mpchat/1.0 transfer c2s", 44)
s2c = hkdf(tk + sk, salt, b"mpchat/1.0 transfer s2c", 44)
out["transfer c2s"], out["transfer s2c"] = c2s, s2c
out["login 3"] = frame(s2c, 0x0400, 2, 0, b"")
out["login 4"] = frame(c2s, 0x0410, 2, ALICE, b"Online")
out["frame 65535"] = frame(c2s, 0x0200, 65535, ALICE, b"line\n", sid=0x0102030405060708)

# An envelope of alice's to bob, who here has the server's key (section 6).
cek, sid, text = fill(0x55), 0x0102030405060708, "Grüße".encode()
aad = sid.to_bytes(8, "big") + ALICE.to_bytes(8, "big") + BOB.to_bytes(8, "big")
ciphertext, tag = gcm(cek, bytes(12), aad, text)
out["envelope"] = oaep(server, fill(0x66), cek) + ciphertext + tag

with (HERE / "known.txt").open("w") as file:
    for name, value in out.items():
        print(f"{name}: {value.hex()}", file=file)
