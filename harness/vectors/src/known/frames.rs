//! `frames.json`: frames sealed and opened with known keys.

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use mpchat_proto::crypto::Provider;
use mpchat_proto::frame::{ETK_LEN, FrameType, HEADER_LEN, Header, MAC_LEN};
use mpchat_proto::ids::{Sid, Uid};
use mpchat_proto::keys::{DirectionKeys, FrameCipher};
use serde::{Deserialize, Serialize};

use super::data::{Bytes, Hex, Output, bytes12, bytes32, maker};
use super::file::{Data, File, Verdict, judge, same};
use super::kit::{ALICE, BOB};

/// A frame, in parts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Frame {
    /// The key of the direction.
    key: Hex,
    /// Its iv.
    iv: Hex,
    /// What a receiver makes of iv and sqn.
    nonce: Hex,
    /// The 24 bytes that arrive.
    header: Hex,
    /// What was sealed; left out where the frame does not open.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    payload: Option<Bytes>,
    epd: Output,
    mac: Hex,
    /// What follows in a login frame; the mac does not cover it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    etk: Option<Bytes>,
}

const SESSION: Sid = Sid(0xfedc_ba98_7654_3210);

pub(crate) fn make() -> File<Frame> {
    let mut file = File::new(
        "AES-256-GCM with key, the nonce iv XOR sqn and the 24 header bytes as additional data seals payload to epd and mac, the first 12 bytes of the tag. valid: both directions come out so. invalid: opening fails.",
    );
    types(&mut file);
    lengths(&mut file);
    numbers(&mut file);
    changed(&mut file);
    made_otherwise(&mut file);
    file
}

fn types(file: &mut File<Frame>) {
    let payloads: [(FrameType, Sid, Uid, &[u8]); 16] = [
        (FrameType::InitReq, Sid::NONE, ALICE, b"00000000000b0b00\n0000000000ca401e\n"),
        (FrameType::InitRes, SESSION, Uid::SERVER, b"OK"),
        (FrameType::InitRes, Sid::NONE, Uid::SERVER, b"nobody accepted"),
        (FrameType::CloseReq, SESSION, ALICE, b""),
        (FrameType::CloseRes, SESSION, Uid::SERVER, b"OK"),
        (FrameType::CloseRes, SESSION, BOB, b"OK"),
        (FrameType::MsgReq, SESSION, ALICE, b"an opaque line\n"),
        (FrameType::MsgReq, SESSION, BOB, "Gr\u{fc}\u{df}e \u{1f600}\n".as_bytes()),
        (FrameType::MsgRes, SESSION, ALICE, b"OK"),
        (FrameType::MsgRes, SESSION, ALICE, b"cannot open it"),
        (FrameType::InviteReq, SESSION, BOB, b""),
        (FrameType::InviteRes, SESSION, ALICE, b"Accept"),
        (FrameType::InviteRes, SESSION, ALICE, b"Deny"),
        (FrameType::StatusReq, Sid::NONE, Uid::SERVER, b""),
        (FrameType::StatusRes, Sid::NONE, ALICE, b"Online"),
        (FrameType::StatusRes, SESSION, BOB, b"Offline"),
    ];
    for (n, (typ, sid, uid, payload)) in payloads.into_iter().enumerate() {
        let header = Header::for_payload(typ, 3, sid, uid, payload.len(), false);
        let data = sealed(&format!("type {n}"), &header, Bytes::of(payload), None);
        file.valid(format!("{} with {} bytes", typ.name(), payload.len()), "type", "MTP-10 MTP-11 MTP-12", data);
    }
    for (typ, uid, payload) in [(FrameType::StatusReq, ALICE, &b""[..]), (FrameType::StatusRes, Uid::SERVER, b"Online")]
    {
        let header = Header::for_payload(typ, 1, Sid::NONE, uid, payload.len(), true);
        let data = sealed("login", &header, Bytes::of(payload), Some(Bytes::repeat([0xe7], ETK_LEN)));
        file.valid(format!("login {} with etk", typ.name()), "type", "MTP-02 MTP-05 LOGIN-04", data);
    }
}

fn lengths(file: &mut File<Frame>) {
    let lens = [
        0, 1, 2, 11, 12, 13, 15, 16, 17, 31, 32, 33, 47, 48, 63, 64, 65, 127, 128, 255, 256, 1023, 1024, 16383, 16384,
        32768, 65498, 65499,
    ];
    for len in lens {
        let header = Header::for_payload(FrameType::MsgReq, 7, SESSION, ALICE, len, false);
        let data = sealed("length", &header, Bytes::repeat(b"a", len), None);
        let flags = if len > 2048 { "boundary large" } else { "boundary" };
        file.valid(format!("a payload of {len} bytes"), flags, "MTP-05 MTP-10", data);
    }
}

fn numbers(file: &mut File<Frame>) {
    for sqn in [1, 2, 127, 128, 255, 256, 257, 0x0102, 0x0201, 32767, 32768, 65534, 65535] {
        let header = Header::for_payload(FrameType::StatusRes, sqn, Sid::NONE, ALICE, 6, false);
        let data = sealed("number", &header, Bytes::of("Online"), None);
        file.valid(format!("sqn {sqn}"), "sequence boundary", "MTP-12 MTP-06", data);
    }
    for (name, iv) in [("zeros", [0; 12]), ("ones", [0xff; 12])] {
        let header = Header::for_payload(FrameType::StatusRes, 0x0102, Sid::NONE, ALICE, 6, false);
        let data = sealed_with(bytes32("key iv"), iv, &header, Bytes::of("Online"), None);
        file.valid(format!("an iv of {name}"), "nonce", "MTP-12", data);
    }
    let header = Header { ver: 0xffff, typ: 0xffff, len: 42, sqn: 0xffff, sid: Sid(u64::MAX), uid: Uid(u64::MAX) };
    let data = sealed("ones", &header, Bytes::of("Online"), None);
    file.valid("a header of ones: sealing checks nothing", "boundary", "MTP-10", data);
}

/// One byte of a good frame is changed.
fn changed(file: &mut File<Frame>) {
    let payload = b"seventeen bytes!\n";
    let header = Header::for_payload(FrameType::MsgReq, 3, SESSION, ALICE, payload.len(), false);
    let good = sealed("changed", &header, Bytes::of(payload), None);
    for n in 0..MAC_LEN {
        for (name, mask) in [("bit 0", 0x01), ("bit 7", 0x80)] {
            let mut data = refused(&good);
            data.mac.0[n] ^= mask;
            file.invalid(format!("{name} of mac byte {n}"), "mac", "MTP-11", data);
        }
    }
    const FIELDS: [&str; HEADER_LEN] = [
        "ver", "ver", "typ", "typ", "len", "len", "sqn", "sqn", "sid", "sid", "sid", "sid", "sid", "sid", "sid", "sid",
        "uid", "uid", "uid", "uid", "uid", "uid", "uid", "uid",
    ];
    for (n, field) in FIELDS.into_iter().enumerate() {
        let mut data = refused(&good);
        data.header.0[n] ^= 0x01;
        // The receiver makes the nonce of the sqn that it sees.
        if field == "sqn" {
            data.nonce.0[4 + n] ^= 0x01;
        }
        file.invalid(format!("bit 0 of header byte {n} ({field})"), "aad", "MTP-10", data);
    }
    for n in [0, 1, 15, 16] {
        let mut data = refused(&good);
        let mut epd = data.epd.bytes().unwrap_or_default().to_vec();
        epd[n] ^= 0x80;
        data.epd = Output::of(epd);
        file.invalid(format!("bit 7 of epd byte {n}"), "ciphertext", "MTP-10", data);
    }
    let epd = good.epd.bytes().unwrap_or_default().to_vec();
    for (name, epd) in [
        ("without its last byte", epd[..16].to_vec()),
        ("with a zero byte more", [&epd[..], &[0]].concat()),
        ("empty", Vec::new()),
        ("its first two bytes swapped", [&[epd[1], epd[0]], &epd[2..]].concat()),
        ("the payload in clear", payload.to_vec()),
    ] {
        let data = Frame { epd: Output::of(epd), ..refused(&good) };
        file.invalid(format!("epd {name}"), "ciphertext", "MTP-10", data);
    }
    for (name, mac) in [("zeros", [0; MAC_LEN]), ("ones", [0xff; MAC_LEN])] {
        let data = Frame { mac: mac.into(), ..refused(&good) };
        file.invalid(format!("a mac of {name}"), "mac", "MTP-11", data);
    }
    let data = Frame { key: bytes32("another key").into(), ..refused(&good) };
    file.invalid("another key", "key", "LOGIN-04", data);
    let mut data = refused(&good);
    data.iv = bytes12("another iv").into();
    data.nonce = nonce(bytes12("another iv"), 3).into();
    file.invalid("another iv", "nonce", "MTP-12", data);
}

/// Sealed as a plausible implementation would do it that read the specification wrongly.
fn made_otherwise(file: &mut File<Frame>) {
    let payload = b"Online";
    // Adding it to the iv carries, and its bytes differ.
    let sqn = 0x0ffd;
    let header = Header::for_payload(FrameType::StatusRes, sqn, Sid::NONE, ALICE, payload.len(), false);
    let good = sealed("otherwise", &header, Bytes::of(payload), None);
    let (key, iv) = (bytes32("key otherwise"), bytes12("iv otherwise"));
    let right = nonce(iv, sqn);
    let xor = |at: usize, bytes: &[u8]| {
        let mut nonce = iv;
        nonce.iter_mut().skip(at).zip(bytes).for_each(|(n, b)| *n ^= b);
        nonce
    };
    let number = iv.iter().fold(0u128, |n, b| n << 8 | u128::from(*b)) + u128::from(sqn);
    let mut added = [0; 12];
    added.copy_from_slice(&number.to_be_bytes()[4..]);
    let mut alone = [0; 12];
    alone[10..].copy_from_slice(&sqn.to_be_bytes());
    let mut reversed = right;
    reversed.reverse();
    for (name, nonce) in [
        ("the iv alone", iv),
        ("sqn alone, without the iv", alone),
        ("sqn in little endian", xor(10, &sqn.to_le_bytes())),
        ("sqn at the front", xor(0, &sqn.to_be_bytes())),
        ("sqn as the first 8 of 12 bytes", xor(6, &sqn.to_be_bytes())),
        ("sqn added instead of XORed", added),
        ("the right nonce backwards", reversed),
        ("sqn less one", self::nonce(iv, sqn - 1)),
        ("sqn plus one", self::nonce(iv, sqn + 1)),
        ("zeros", [0; 12]),
    ] {
        assert_ne!(nonce, right, "{name}");
        let (epd, tag) = gcm(key, nonce, &header.encode(), payload);
        let data = Frame { epd: Output::of(epd), mac: tag[..MAC_LEN].into(), ..refused(&good) };
        file.invalid(format!("sealed with the nonce: {name}"), "nonce", "MTP-12", data);
    }
    let (epd, tag) = gcm(key, right, &header.encode(), payload);
    let data = Frame { epd: Output::of(epd), mac: tag[4..].into(), ..refused(&good) };
    file.invalid("the last 12 bytes of the tag", "mac", "MTP-11", data);
    let encoded = header.encode();
    let swapped: Vec<u8> = [&encoded[..4], &[encoded[5], encoded[4]], &encoded[6..]].concat();
    let zero_len: Vec<u8> = [&encoded[..4], &[0, 0], &encoded[6..]].concat();
    for (name, aad) in [
        ("nothing", Vec::new()),
        ("the first 8 bytes of the header", encoded[..8].to_vec()),
        ("the first 16 bytes of the header", encoded[..16].to_vec()),
        ("the header with len 0", zero_len),
        ("the header with len in little endian", swapped),
        ("the header twice", [encoded, encoded].concat()),
    ] {
        let (epd, tag) = gcm(key, right, &aad, payload);
        let data = Frame { epd: Output::of(epd), mac: tag[..MAC_LEN].into(), ..refused(&good) };
        file.invalid(format!("sealed with the additional data: {name}"), "aad", "MTP-10", data);
    }
}

fn sealed(label: &str, header: &Header, payload: Bytes, etk: Option<Bytes>) -> Frame {
    sealed_with(bytes32(&format!("key {label}")), bytes12(&format!("iv {label}")), header, payload, etk)
}

fn sealed_with(key: [u8; 32], iv: [u8; 12], header: &Header, payload: Bytes, etk: Option<Bytes>) -> Frame {
    let mut bytes = payload.get().expect("a payload that fits a frame");
    let nonce = nonce(iv, header.sqn);
    let mac = maker().aead(&key).seal(&nonce, &header.encode(), &mut bytes);
    Frame {
        key: key.into(),
        iv: iv.into(),
        nonce: nonce.into(),
        header: header.encode().into(),
        payload: Some(payload),
        epd: Output::of(bytes),
        mac: mac.into(),
        etk,
    }
}

/// MTP-12, written out.
fn nonce(iv: [u8; 12], sqn: u16) -> [u8; 12] {
    let mut nonce = iv;
    nonce[10] ^= (sqn >> 8) as u8;
    nonce[11] ^= (sqn & 0xff) as u8;
    nonce
}

fn refused(good: &Frame) -> Frame {
    Frame { payload: None, ..good.clone() }
}

/// AES-256-GCM with its whole tag.
fn gcm(key: [u8; 32], nonce: [u8; 12], aad: &[u8], payload: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut bytes = payload.to_vec();
    let cipher = Aes256Gcm::new(&key.into());
    let tag = cipher.encrypt_inout_detached(&Nonce::from(nonce), aad, bytes.as_mut_slice().into());
    (bytes, tag.expect("a payload of a few bytes").to_vec())
}

impl Data for Frame {
    fn check(
        &self,
        verdict: Verdict,
        rules: &[&str],
        maker: &'static dyn Provider,
        reader: &'static dyn Provider,
    ) -> Result<(), String> {
        let keys = DirectionKeys::new(self.key.array()?, self.iv.array()?);
        let header = Header::decode(&self.header.array()?);
        let etk = self.etk.as_ref().map(Bytes::get).transpose()?;
        let etk: Option<[u8; ETK_LEN]> = match etk {
            Some(etk) => Some(etk.try_into().map_err(|_| "an etk of another size".to_owned())?),
            None => None,
        };
        let sealer = FrameCipher::new(maker, &keys);
        same("nonce", &sealer.nonce(header.sqn), &self.nonce.0)?;
        let payload = self.payload.as_ref().map(Bytes::get).transpose()?;
        let mut frame = match &payload {
            Some(payload) => {
                let frame = sealer.seal(&header, payload, etk.as_ref());
                let (epd, rest) = frame[HEADER_LEN..].split_at(payload.len());
                same("header", &frame[..HEADER_LEN], &self.header.0)?;
                if !self.epd.is(epd) {
                    return Err(format!("epd is {}", hex::encode(&epd[..epd.len().min(64)])));
                }
                same("mac", &rest[..MAC_LEN], &self.mac.0)?;
                frame
            }
            None => {
                let epd = self.epd.bytes().ok_or("an invalid frame without its bytes")?;
                [&self.header.0[..], epd, &self.mac.0, etk.as_ref().map_or(&[][..], |etk| &etk[..])].concat()
            }
        };
        let opened = FrameCipher::new(reader, &keys).open_in_place(&mut frame, etk.is_some());
        if let (Ok(opened), Some(payload)) = (&opened, &payload) {
            same("payload", opened, payload)?;
        }
        judge(verdict, rules, opened.map(|_| ()), |_| None)
    }
}
