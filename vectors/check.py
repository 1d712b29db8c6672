#!/usr/bin/env python3
"""Verifies all known-answer vectors of this folder from the specification alone, with nothing of this repository's code.

    pip install cryptography jsonschema
    python3 vectors/check.py [FOLDER]

FOLDER is this one if left out; the keys are those of ../harness/kit. Exit code 1 if anything differs.
"""

import hashlib
import hmac
import json
import pathlib
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
import jsonschema

FOLDER = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
KIT = pathlib.Path(__file__).parent.parent / "harness" / "kit"
TYPES = {
    0x0000: "init_req", 0x0010: "init_res", 0x0100: "close_req", 0x0110: "close_res", 0x0200: "msg_req",
    0x0210: "msg_res", 0x0300: "invite_req", 0x0310: "invite_res", 0x0400: "status_req", 0x0410: "status_res",
}
FROM_CLIENT = {"init_req", "close_req", "msg_req", "msg_res", "invite_res", "status_req", "status_res"}
FROM_SERVER = {"init_res", "close_res", "msg_req", "msg_res", "invite_req", "status_req", "status_res"}


class Refused(Exception):
    """What a receiver refuses."""


def expect(what, got, expected):
    assert got == expected, f"{what}: {got!r} instead of {expected!r}"


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def generate(value):
    """Bytes, or a part that is repeated."""
    return bytes.fromhex(value["repeat"]) * value["times"] if isinstance(value, dict) else bytes.fromhex(value)


def is_output(value, got):
    if isinstance(value, dict):
        return value["length"] == len(got) and value["sha256"] == sha256(got).hex()
    return value == got.hex()


# --- primitives ------------------------------------------------------------------------------------------------------

def seal(key, nonce, aad, payload):
    encryptor = Cipher(algorithms.AES256(key), modes.GCM(nonce)).encryptor()
    encryptor.authenticate_additional_data(aad)
    ciphertext = encryptor.update(payload) + encryptor.finalize()
    return ciphertext, encryptor.tag[:12]


def unseal(key, nonce, aad, ciphertext, mac):
    if len(mac) != 12:
        raise Refused("mac of another size")
    decryptor = Cipher(algorithms.AES256(key), modes.GCM(nonce, mac, min_tag_length=12)).decryptor()
    decryptor.authenticate_additional_data(aad)
    try:
        return decryptor.update(ciphertext) + decryptor.finalize()
    except InvalidTag:
        raise Refused("mac") from None


def hkdf(ikm, salt, info, length):
    """RFC 5869, written out."""
    prk = hmac.digest(salt or bytes(32), ikm, "sha256")
    okm, block, n = b"", b"", 1
    while len(okm) < length:
        block = hmac.digest(prk, block + info + bytes([n]), "sha256")
        okm, n = okm + block, n + 1
    return okm[:length]


def mgf1(seed, length):
    blocks = -(-length // 32)
    return b"".join(sha256(seed, n.to_bytes(4, "big")) for n in range(blocks))[:length]


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def private(name):
    return load_pem_private_key((KIT / f"{name}.key.pem").read_bytes(), None).private_numbers()


def public(name):
    return load_pem_public_key((KIT / f"{name}.pub.pem").read_bytes()).public_numbers()


def oaep_encrypt(name, seed, message):
    """RFC 8017, section 7.1.1, written out: the seed is given."""
    numbers = public(name)
    block = sha256() + bytes(256 - 32 - 32 - 2 - len(message)) + b"\1" + message
    masked = xor(block, mgf1(seed, len(block)))
    encoded = b"\0" + xor(seed, mgf1(masked, 32)) + masked
    return pow(int.from_bytes(encoded, "big"), numbers.e, numbers.n).to_bytes(256, "big")


def oaep_decrypt(name, ciphertext):
    """RFC 8017, section 7.1.2, written out."""
    numbers = private(name)
    n, number = numbers.public_numbers.n, int.from_bytes(ciphertext, "big")
    if len(ciphertext) != 256 or number >= n:
        raise Refused("ciphertext out of range")
    encoded = pow(number, numbers.d, n).to_bytes(256, "big")
    seed = xor(encoded[1:33], mgf1(encoded[33:], 32))
    block = xor(encoded[33:], mgf1(seed, 223))
    rest = block[32:].lstrip(b"\0")
    if encoded[0] != 0 or block[:32] != sha256() or rest[:1] != b"\1":
        raise Refused("padding")
    return rest[1:]


# --- the protocol ----------------------------------------------------------------------------------------------------

def fields(header):
    parts = [header[0:2], header[2:4], header[4:6], header[6:8], header[8:16], header[16:24]]
    return [int.from_bytes(part, "big") for part in parts]


def nonce_of(iv, sqn):
    return xor(iv, sqn.to_bytes(12, "big"))


def header_of(typ, length, sqn, sid, uid):
    return b"".join(
        [b"\1\0", typ.to_bytes(2, "big"), length.to_bytes(2, "big"), sqn.to_bytes(2, "big"), sid.to_bytes(8, "big"),
         uid.to_bytes(8, "big")])


def frame_of(keys, typ, sqn, uid, payload, etk=b""):
    header = header_of(typ, 36 + len(payload) + len(etk), sqn, 0, uid)
    ciphertext, mac = seal(keys[0], nonce_of(keys[1], sqn), header, payload)
    return header + ciphertext + mac + etk


def login_keys(tk, direction):
    okm = hkdf(tk, b"", b"mpchat/1.0 login " + direction, 44)
    return okm[:32], okm[32:]


def transfer_keys(tk, sk, request, response, direction):
    okm = hkdf(tk + sk, sha256(request, response), b"mpchat/1.0 transfer " + direction, 44)
    return okm[:32], okm[32:]


def check_keys(what, expected, got):
    expect(what, {"key": got[0].hex(), "iv": got[1].hex()}, expected)


def check_common(ver, typ, length, least):
    if ver != 0x0100 or typ not in TYPES or length < least:
        raise Refused("ver, typ or len")


# --- one function a file: it returns, raises Refused, or fails an assertion ---------------------------------------------

def headers(data):
    ver, typ, length, sqn, sid, uid = fields(bytes.fromhex(data["header"]))
    shown = {"ver": f"{ver:04x}", "typ": f"{typ:04x}", "len": length, "sqn": sqn, "sid": f"{sid:016x}", "uid": f"{uid:016x}"}
    expect("fields", shown, data["fields"])
    check_common(ver, typ, length, 36)
    name = TYPES[typ]
    if sqn != data["last_sqn"] + 1:
        raise Refused("sqn")
    if data["receiver"] == "server":
        if name not in FROM_CLIENT or uid != int(data["client"], 16):
            raise Refused("direction or uid")
    elif (name not in FROM_SERVER or uid == 0 and name in ("invite_req", "msg_req")
          or uid != 0 and name in ("init_res", "msg_res", "status_req")):
        raise Refused("direction or uid")


def frames(data):
    key, iv, header, mac = (bytes.fromhex(data[name]) for name in ("key", "iv", "header", "mac"))
    nonce = nonce_of(iv, fields(header)[3])
    expect("nonce", nonce.hex(), data["nonce"])
    if "payload" in data:
        payload = generate(data["payload"])
        ciphertext, made = seal(key, nonce, header, payload)
        assert is_output(data["epd"], ciphertext), "epd"
        expect("mac", made, mac)
        length = fields(header)[2]
        expect("len", length, 36 + len(payload) + len(generate(data.get("etk", ""))))
        expect("payload", unseal(key, nonce, header, ciphertext, mac), payload)
    else:
        unseal(key, nonce, header, bytes.fromhex(data["epd"]), mac)


def keys(data):
    tk = bytes.fromhex(data["tk"])
    for direction in ("c2s", "s2c"):
        if "transfer" in data:
            transfer = data["transfer"]
            request, response = generate(transfer["login_request"]), generate(transfer["login_response"])
            expect("salt", sha256(request, response).hex(), transfer["salt"])
            got = transfer_keys(tk, bytes.fromhex(transfer["sk"]), request, response, direction.encode())
        else:
            got = login_keys(tk, direction.encode())
        check_keys(direction, data[direction], got)


def oaep(data):
    ciphertext = bytes.fromhex(data["ciphertext"])
    if "seed" in data:
        message = bytes.fromhex(data["message"])
        expect("ciphertext", oaep_encrypt(data["key"], bytes.fromhex(data["seed"]), message), ciphertext)
        expect("message", oaep_decrypt(data["key"], ciphertext), message)
    else:
        oaep_decrypt(data["key"], ciphertext)


def login(user, secrets):
    """The four frames and the transfer keys."""
    uid = int(user, 16)
    tk, tk_seed, sk, sk_seed = (bytes.fromhex(secrets[name]) for name in ("tk", "tk_seed", "sk", "sk_seed"))
    request = frame_of(login_keys(tk, b"c2s"), 0x0400, 1, uid, b"", oaep_encrypt("server", tk_seed, tk))
    response = frame_of(login_keys(tk, b"s2c"), 0x0410, 1, 0, b"Online", oaep_encrypt(user, sk_seed, sk))
    c2s, s2c = (transfer_keys(tk, sk, request, response, d) for d in (b"c2s", b"s2c"))
    return [request, response, frame_of(s2c, 0x0400, 2, 0, b""), frame_of(c2s, 0x0410, 2, uid, b"Online")], c2s, s2c


def logins(data):
    steps, c2s, s2c = login(data["user"], data["secrets"])
    for n, step in enumerate(steps, 1):
        expect(f"step {n}", step.hex(), data[f"step_{n}"])
    check_keys("c2s", data["c2s"], c2s)
    check_keys("s2c", data["s2c"], s2c)


def login_refusals(data):
    """What the receiver of one step checks (LOGIN-06, -08, -12, -14, -17)."""
    _, c2s, s2c = login(data["user"], data["secrets"])
    step, frame = data["step"], bytes.fromhex(data["frame"])
    ver, typ, length, sqn, sid, uid = fields(frame)
    with_etk = step in (1, 2)
    check_common(ver, typ, length, 292 if with_etk else 36)
    expect("len", length, len(frame))
    want = {1: ("status_req", 1), 2: ("status_res", 1), 3: ("status_req", 2), 4: ("status_res", 2)}[step]
    if (TYPES[typ], sqn) != want or sid != 0:
        raise Refused("type, sqn or sid")
    if step == 1:
        if uid == 0 or not (KIT / f"{uid:016x}.pub.pem").exists():
            raise Refused("nobody")
        tk = oaep_decrypt("server", frame[-256:])
    else:
        if uid != (int(data["user"], 16) if step == 4 else 0):
            raise Refused("uid")
        tk = bytes.fromhex(data["secrets"]["tk"])
        if step == 2 and len(oaep_decrypt(data["user"], frame[-256:])) != 32:
            raise Refused("share size")
    if len(tk) != 32:
        raise Refused("share size")
    with_keys = {1: login_keys(tk, b"c2s"), 2: login_keys(tk, b"s2c"), 3: s2c, 4: c2s}[step]
    body = frame[:-256] if with_etk else frame
    payload = unseal(with_keys[0], nonce_of(with_keys[1], sqn), body[:24], body[24:-12], body[-12:])
    if payload != (b"" if step in (1, 3) else b"Online"):
        raise Refused("payload")


def envelopes(data):
    aad = b"".join(bytes.fromhex(data[name]) for name in ("sid", "author", "recipient"))
    line = data["line"]
    if "made_from" in data:
        text, cek, seed = (generate(data["made_from"][name]) for name in ("text", "cek", "seed"))
        ciphertext, tag = seal(cek, bytes(12), aad, text)
        made = (oaep_encrypt(data["recipient"], seed, cek) + ciphertext + tag).hex()
        assert (is_output(line, made.encode()) if isinstance(line, dict) else line == made), "line"
        expect("text", open_envelope(data["recipient"], aad, made), text)
    else:
        open_envelope(data["recipient"], aad, line)


def open_envelope(recipient, aad, line):
    if len(line) % 2 or len(line) < 2 * 268 or set(line) - set("0123456789abcdef"):
        raise Refused("not a line")
    envelope = bytes.fromhex(line)
    cek = oaep_decrypt(recipient, envelope[:256])
    if len(cek) != 32:
        raise Refused("share size")
    text = unseal(cek, bytes(12), aad, envelope[256:-12], envelope[-12:])
    utf8(text)
    return text


def utf8(payload):
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("no UTF-8") from None


def payloads(data):
    payload, kind = generate(data["payload"]), data["type"]
    says = payload_says(kind, payload)
    if "says" in data:
        expect("says", says, data["says"])


def payload_says(kind, payload):
    if kind in ("close_req", "invite_req", "status_req"):
        if payload:
            raise Refused("not empty")
        return []
    text = utf8(payload)
    if kind in ("init_req", "msg_req"):
        if not text.endswith("\n"):
            raise Refused("no LF")
        lines = text[:-1].split("\n")
        bad = (lambda line: len(line) != 16 or set(line) - set("0123456789abcdef")) if kind == "init_req" else (lambda line: not line)
        if any(bad(line) for line in lines):
            raise Refused("line")
        return lines
    if kind in ("invite_res", "status_res"):
        if text not in (("Accept", "Deny") if kind == "invite_res" else ("Online", "Offline")):
            raise Refused("word")
        return [text]
    if not text:
        raise Refused("empty")
    return ["OK" if text == "OK" else "error"]


def against_schema(name, file, schema):
    """How many places of the file its schema does not allow."""
    validator = jsonschema.Draft202012Validator(json.loads((FOLDER / "schema" / f"{schema}.schema.json").read_text()))
    errors = list(validator.iter_errors(file))
    for error in errors:
        print(f"{name}: {error.json_path}: {error.message}")
    return len(errors)


def main():
    wrong = total = 0
    checks = [headers, frames, keys, oaep, logins, login_refusals, envelopes, payloads]
    for check in checks:
        name = check.__name__.replace("_", "-")
        file = json.loads((FOLDER / f"{name}.json").read_text())
        wrong += against_schema(f"{name}.json", file, name)
        expect("number_of_tests", len(file["tests"]), file["number_of_tests"])
        for test in file["tests"]:
            total += 1
            try:
                assert all(flag in file["notes"] for flag in test["flags"]), "a flag without note"
                try:
                    check(test["data"])
                    result = "valid"
                except Refused:
                    result = "invalid"
                expect("result", result, test["result"])
            except AssertionError as error:
                wrong += 1
                print(f"{name}.json test {test['id']} ({test['comment']}): {error}")
    for path in sorted((FOLDER / "malformed").glob("*.json")):
        wrong += against_schema(f"malformed/{path.name}", json.loads(path.read_text()), "malformed")
    print(f"{total} tests, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
