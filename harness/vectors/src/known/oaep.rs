//! `oaep.json`: RSAES-OAEP under the keys of the kit.

use mpchat_proto::crypto::Provider;
use mpchat_proto::frame::ETK_LEN;
use serde::{Deserialize, Serialize};

use super::data::{Fixed, Hex, bytes32};
use super::encoding::{Encoding, Hash, RIGHT, oaep, pkcs1, raw};
use super::file::{Data, File, Verdict, judge, same};
use super::kit;

/// A ciphertext.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ciphertext {
    /// `server` or a uid text: the file `<key>.key.pem` of harness/kit decrypts, `<key>.pub.pem` encrypts.
    key: String,
    /// What it decrypts to; left out where it must not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    message: Option<Hex>,
    /// The seed of OAEP that makes it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    seed: Option<Hex>,
    ciphertext: Hex,
}

pub(crate) fn make() -> File<Ciphertext> {
    let mut file = File::new(
        "RSAES-OAEP with SHA-256, MGF1-SHA-256 and an empty label. valid: message with seed encrypts to ciphertext, which decrypts to message. invalid: decryption fails.",
    );
    let share = bytes32("oaep share");
    for key in [kit::SERVER, "00000000000a11ce", "00000000000b0b00", "0000000000ca401e", "cf89544220839215"] {
        for (name, seed) in
            [("random", bytes32(&format!("seed {key}"))), ("of zeros", [0; 32]), ("of ones", [0xff; 32])]
        {
            let data = encrypted(key, seed, &share);
            file.valid(format!("32 bytes for {key}, a seed {name}"), "etk", "LOGIN-02 LOGIN-03", data);
        }
    }
    for (name, share) in
        [("zeros", [0; 32]), ("ones", [0xff; 32]), ("a 1 at the front", std::array::from_fn(|n| u8::from(n == 0)))]
    {
        file.valid(format!("a share of {name}"), "etk", "LOGIN-02", encrypted(kit::SERVER, bytes32("seed"), &share));
    }
    for len in [0, 1, 16, 31, 33, 64, 189, 190] {
        let data = encrypted(kit::SERVER, bytes32("seed"), &[0x6d; 190][..len]);
        file.valid(format!("{len} bytes: decrypts, but is no share"), "share-size boundary", "LOGIN-06 LOGIN-12", data);
    }
    wrong_padding(&mut file, &share);
    wrong_encoding(&mut file, &share);
    wrong_ciphertext(&mut file, &share);
    file
}

fn wrong_padding(file: &mut File<Ciphertext>, share: &[u8]) {
    for (name, encoding) in [
        ("SHA-1 for the hash and for MGF1", Encoding { hash: Hash::Sha1, mgf: Hash::Sha1, ..RIGHT }),
        ("SHA-256 for the hash, SHA-1 for MGF1", Encoding { mgf: Hash::Sha1, ..RIGHT }),
        ("SHA-1 for the hash, SHA-256 for MGF1", Encoding { hash: Hash::Sha1, ..RIGHT }),
        ("the label \"mpchat\"", Encoding { label: b"mpchat", ..RIGHT }),
        ("a label of one zero byte", Encoding { label: &[0], ..RIGHT }),
    ] {
        let data = refused(oaep(kit::SERVER, &bytes32("seed"), share, &encoding));
        file.invalid(format!("OAEP with {name}"), "padding", "LOGIN-06", data);
    }
    for (name, filler) in [("ones", 0xff), ("5a", 0x5a)] {
        let data = refused(pkcs1(kit::SERVER, filler, share));
        file.invalid(format!("PKCS #1 v1.5 padding, filled with {name}"), "padding", "LOGIN-06", data);
    }
    let bare = [&[0; ETK_LEN - 32][..], share].concat();
    file.invalid("no padding", "padding", "LOGIN-06", refused(raw(kit::SERVER, &bare)));
    let right_hand = [&[0], share, &[0; ETK_LEN - 33][..]].concat();
    file.invalid("no padding, zeros behind", "padding", "LOGIN-06", refused(raw(kit::SERVER, &right_hand)));
}

fn wrong_encoding(file: &mut File<Ciphertext>, share: &[u8]) {
    let mut add = |name: String, encoding: Encoding<'_>| {
        let data = refused(oaep(kit::SERVER, &bytes32("seed"), share, &encoding));
        file.invalid(name, "encoding", "LOGIN-06", data);
    };
    for first in [0x01, 0x02, 0x7f] {
        add(format!("the first byte is {first:02x}"), Encoding { first, ..RIGHT });
    }
    for at in [0, 1, 15, 16, 30, 31] {
        add(format!("byte {at} of lHash differs in bit 0"), Encoding { hash_mask: (at, 0x01), ..RIGHT });
        add(format!("byte {at} of lHash differs in bit 7"), Encoding { hash_mask: (at, 0x80), ..RIGHT });
    }
    for separator in [0x00, 0x02, 0x81, 0xff] {
        // A message of zeros, so that nothing in it can be taken for the separator.
        let encoding = Encoding { separator, ..RIGHT };
        let data = refused(oaep(kit::SERVER, &bytes32("seed"), &[0; 32], &encoding));
        file.invalid(format!("{separator:02x} instead of 01 in front of the message"), "encoding", "LOGIN-06", data);
    }
    for filler in [0x02, 0x80, 0xff] {
        let data = refused(oaep(kit::SERVER, &bytes32("seed"), share, &Encoding { filler, ..RIGHT }));
        file.invalid(format!("PS of {filler:02x}"), "encoding", "LOGIN-06", data);
    }
}

fn wrong_ciphertext(file: &mut File<Ciphertext>, share: &[u8]) {
    let good = oaep(kit::SERVER, &bytes32("seed"), share, &RIGHT);
    for at in [0, 1, 31, 32, 33, 127, 128, 223, 224, 254, 255] {
        let mut changed = good;
        changed[at] ^= 0x01;
        file.invalid(format!("bit 0 of byte {at} changed"), "etk", "LOGIN-06", refused(changed));
    }
    for (name, ciphertext) in [("zeros", [0; ETK_LEN]), ("one", std::array::from_fn(|n| u8::from(n == 255)))] {
        file.invalid(format!("a ciphertext of {name}"), "etk", "LOGIN-06", refused(ciphertext));
    }
    file.invalid(
        "a ciphertext of ones, not less than the modulus",
        "ciphertext-size",
        "LOGIN-06",
        refused([0xff; ETK_LEN]),
    );
    for (name, ciphertext) in [
        ("255 bytes", good[..255].to_vec()),
        ("257 bytes, a zero in front", [&[0], &good[..]].concat()),
        ("257 bytes, a zero behind", [&good[..], &[0]].concat()),
        ("no bytes", Vec::new()),
    ] {
        let data = Ciphertext { ciphertext: ciphertext.into(), ..refused(good) };
        file.invalid(format!("a ciphertext of {name}"), "ciphertext-size", "LOGIN-06", data);
    }
    let swapped = good.iter().rev().copied().collect::<Vec<u8>>();
    // The modulus is more than 2^2047, so that a small first byte keeps it less than that.
    if swapped[0] < 0x80 {
        let data = Ciphertext { ciphertext: swapped.into(), ..refused(good) };
        file.invalid("backwards", "byte-order", "LOGIN-06", data);
    }
    let data = Ciphertext { key: "00000000000a11ce".to_owned(), ..refused(small(kit::SERVER, share)) };
    file.invalid("for the server, read with a user's key", "key", "LOGIN-12", data);
    let data = refused(small("00000000000a11ce", share));
    file.invalid("for a user, read with the server's key", "key", "LOGIN-06", data);
}

/// A ciphertext that begins with a byte less than 80, and so is less than every modulus.
fn small(key: &str, share: &[u8]) -> [u8; ETK_LEN] {
    let all = (0..).map(|n| oaep(key, &bytes32(&format!("seed {n}")), share, &RIGHT));
    all.into_iter().find(|ciphertext| ciphertext[0] < 0x80).unwrap_or([0; ETK_LEN])
}

fn encrypted(key: &str, seed: [u8; 32], message: &[u8]) -> Ciphertext {
    let ciphertext = kit::known_public(key).oaep_encrypt(&mut Fixed::new(&[&seed]), message);
    Ciphertext {
        key: key.to_owned(),
        message: Some(message.into()),
        seed: Some(seed.into()),
        ciphertext: ciphertext.into(),
    }
}

fn refused(ciphertext: [u8; ETK_LEN]) -> Ciphertext {
    Ciphertext { key: kit::SERVER.to_owned(), message: None, seed: None, ciphertext: ciphertext.into() }
}

impl Data for Ciphertext {
    fn check(
        &self,
        verdict: Verdict,
        rules: &[&str],
        maker: &'static dyn Provider,
        reader: &'static dyn Provider,
    ) -> Result<(), String> {
        if let (Some(message), Some(seed)) = (&self.message, &self.seed) {
            if message.0.len() > 190 {
                return Err(format!("a message of {} bytes", message.0.len()));
            }
            let key = kit::public(maker, &self.key)?;
            same("ciphertext", &key.oaep_encrypt(&mut Fixed::new(&[&seed.0]), &message.0), &self.ciphertext.0)?;
            // Made a second way, by this crate's own encoding.
            same("encoding", &oaep(&self.key, &seed.array()?, &message.0, &RIGHT), &self.ciphertext.0)?;
        }
        let got = kit::private(reader, &self.key)?.oaep_decrypt(&self.ciphertext.0);
        if let (Ok(got), Some(message)) = (&got, &self.message) {
            same("message", got, &message.0)?;
        }
        judge(verdict, rules, got.map(|_| ()), |_| None)
    }
}
