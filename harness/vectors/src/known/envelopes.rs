//! `envelopes.json`: the lines that only their recipient opens.

use mpchat_proto::crypto::Provider;
use mpchat_proto::envelope;
use mpchat_proto::frame::ETK_LEN;
use mpchat_proto::ids::{Sid, Uid};
use serde::{Deserialize, Serialize};

use super::data::{Bytes, Fixed, Hex, Output, bytes32, maker, number};
use super::encoding::{Encoding, Hash, RIGHT, oaep, pkcs1};
use super::file::{Data, File, Verdict, judge, same};
use super::keys::share;
use super::kit::{self, ALICE, BOB, CAROL, HIGH};

/// A line, and what its recipient makes of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Envelope {
    /// The session in whose msg_req it arrives.
    sid: String,
    /// The uid of that msg_req.
    author: String,
    /// Who opens it, with its key of harness/kit.
    recipient: String,
    /// What it was made from; left out where it does not open.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    made_from: Option<MadeFrom>,
    /// The bytes of the line without LF, which are its hexadecimal digits in ASCII, as text.
    line: Line,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MadeFrom {
    /// The text, UTF-8.
    text: Bytes,
    cek: Hex,
    /// The seed of OAEP.
    seed: Hex,
}

/// A line, or the digest of its bytes where it is long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Text(String),
    Long(Output),
}

const SESSION: Sid = Sid(0x0123_4567_89ab_cdef);

pub(crate) fn make() -> File<Envelope> {
    let mut file = File::new(
        "The line of a msg_req from author to recipient in session sid. valid: cek, with seed for its OAEP under the recipient's public key, seals text to line, which opens to text. invalid: the recipient cannot open it.",
    );
    for (name, sid, author, recipient) in [
        ("alice to bob", SESSION, ALICE, BOB),
        ("bob to alice", SESSION, BOB, ALICE),
        ("alice to carol", SESSION, ALICE, CAROL),
        ("in session 1", Sid(1), ALICE, BOB),
        ("in a session with its top bit set", Sid(1 << 63), ALICE, BOB),
        ("in the greatest session", Sid(u64::MAX), CAROL, ALICE),
        ("to a uid with its top bit set", SESSION, ALICE, HIGH),
        ("from a uid with its top bit set", Sid(number("session")), HIGH, BOB),
        ("from the greatest uid", SESSION, Uid(u64::MAX), BOB),
    ] {
        let data = sealed(name, sid, author, recipient, Bytes::of("hello"));
        file.valid(name, "sid uid", "MSG-02 MSG-14", data);
    }
    for (name, text) in [
        ("no text", ""),
        ("one letter", "x"),
        ("15 bytes", "fifteen bytes!!"),
        ("16 bytes", "sixteen bytes!!!"),
        ("17 bytes", "seventeen bytes!!"),
        ("a line end inside", "one\ntwo\n"),
        ("NUL", "\0"),
        ("a byte order mark", "\u{feff}x"),
        ("two, three and four bytes a letter", "\u{e9}\u{4f60}\u{1f600}"),
        ("decomposed letters", "e\u{301}"),
        ("the greatest code point", "\u{10ffff}"),
        ("a text that looks like an answer", "OK"),
    ] {
        let flags = if text.is_ascii() { "boundary" } else { "utf-8" };
        file.valid(
            format!("a text: {name}"),
            flags,
            "MSG-02 PAY-01",
            sealed("text", SESSION, ALICE, BOB, Bytes::of(text)),
        );
    }
    for len in [255, 256, 1000, 4096, 32481] {
        let data = sealed("long", SESSION, ALICE, BOB, Bytes::repeat("x", len));
        let flags = if len > 700 { "boundary large" } else { "boundary" };
        file.valid(format!("a text of {len} bytes"), flags, "MSG-02 MSG-16", data);
    }
    moved(&mut file);
    changed(&mut file);
    not_lines(&mut file);
    made_otherwise(&mut file);
    file
}

/// A good line that arrives elsewhere.
fn moved(file: &mut File<Envelope>) {
    let good = refused(sealed("moved", SESSION, ALICE, BOB, Bytes::of("hello")));
    for (name, sid) in [
        ("0", 0),
        ("one bit", SESSION.0 ^ 1),
        ("its top bit", SESSION.0 ^ 1 << 63),
        ("its byte order", SESSION.0.swap_bytes()),
    ] {
        let data = Envelope { sid: Sid(sid).to_string(), ..good.clone() };
        file.invalid(format!("a session that differs: {name}"), "moved sid", "MSG-14", data);
    }
    for (name, author) in [
        ("carol", CAROL),
        ("the recipient", BOB),
        ("0", Uid::SERVER),
        ("one bit", Uid(ALICE.0 ^ 1)),
        ("its top bit", Uid(ALICE.0 ^ 1 << 63)),
    ] {
        let data = Envelope { author: author.to_string(), ..good.clone() };
        file.invalid(format!("an author that differs: {name}"), "moved uid", "MSG-14", data);
    }
    let data = Envelope { recipient: CAROL.to_string(), ..good.clone() };
    file.invalid("another recipient, who has another key", "moved key", "MSG-14", data);
    let etk = oaep(&BOB.to_string(), &bytes32("seed"), &bytes32("cek"), &RIGHT);
    for (name, aad) in [
        ("carol as the recipient", aad(SESSION, ALICE, CAROL)),
        ("author and recipient swapped", aad(SESSION, BOB, ALICE)),
        ("the session last", [&aad(SESSION, ALICE, BOB)[8..], &SESSION.0.to_be_bytes()].concat()),
        ("little endian", [SESSION.0, ALICE.0, BOB.0].iter().flat_map(|n| n.to_le_bytes()).collect()),
        ("no session", aad(SESSION, ALICE, BOB)[8..].to_vec()),
        ("no recipient", aad(SESSION, ALICE, BOB)[..16].to_vec()),
        ("nothing", Vec::new()),
    ] {
        let data = Envelope { line: line(&etk, &bytes32("cek"), [0; 12], &aad, b"hello"), ..good.clone() };
        file.invalid(format!("for bob's key, with an aad of: {name}"), "moved aad", "MSG-14", data);
    }
}

/// One byte of a good line is changed.
fn changed(file: &mut File<Envelope>) {
    let good = refused(sealed("changed", SESSION, ALICE, BOB, Bytes::of("hello")));
    let bytes = hex::decode(good.line.text()).expect("a short line");
    let last = bytes.len() - 1;
    for (name, at) in [
        ("the first byte of the cek's ciphertext", 0),
        ("the last byte of the cek's ciphertext", ETK_LEN - 1),
        ("the first byte of the text", ETK_LEN),
        ("the last byte of the text", ETK_LEN + 4),
        ("the first byte of the tag", ETK_LEN + 5),
        ("the last byte of the tag", last),
    ] {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x01;
        let data = Envelope { line: Line::Text(hex::encode(bytes)), ..good.clone() };
        file.invalid(format!("bit 0 of {name} changed"), "ciphertext", "MSG-06", data);
    }
}

/// Not the lower-case hexadecimal text of an envelope.
fn not_lines(file: &mut File<Envelope>) {
    let good = refused(sealed("line", SESSION, ALICE, BOB, Bytes::of("hello")));
    let text = good.line.text().to_owned();
    let shortest = 2 * (ETK_LEN + 12);
    for (name, line) in [
        ("in capitals", text.to_uppercase()),
        ("with one capital digit", text.replacen(['a', 'b', 'c', 'd', 'e', 'f'], "A", 1)),
        ("without its last digit", text[..text.len() - 1].to_owned()),
        ("without its last byte", text[..text.len() - 2].to_owned()),
        ("with a byte more", format!("{text}00")),
        ("with CR", format!("{text}\r")),
        ("with LF", format!("{text}\n")),
        ("with a space in front", format!(" {text}")),
        ("with 0x in front", format!("0x{text}")),
        ("empty", String::new()),
        ("one byte shorter than that of an empty text", text[..shortest - 2].to_owned()),
        ("a cek's ciphertext and nothing else", text[..2 * ETK_LEN].to_owned()),
        ("of zeros", "0".repeat(shortest)),
        ("g among its digits", format!("g{}", &text[1..])),
        ("not an envelope", "hello".to_owned()),
    ] {
        file.invalid(
            format!("a line {name}"),
            "line",
            "MSG-06 MSG-02",
            Envelope { line: Line::Text(line), ..good.clone() },
        );
    }
}

/// Sealed as a plausible implementation would do it that read the specification wrongly.
fn made_otherwise(file: &mut File<Envelope>) {
    let (seed, cek, bob) = (bytes32("seed"), bytes32("cek"), BOB.to_string());
    let right = aad(SESSION, ALICE, BOB);
    let mut add = |name: &str, flags: &str, line: Line| {
        let (sid, author, recipient) = (SESSION.to_string(), ALICE.to_string(), bob.clone());
        file.invalid(name, flags, "MSG-06", Envelope { sid, author, recipient, made_from: None, line });
    };
    for (name, flags, etk) in [
        ("a cek of 31 bytes", "share-size", oaep(&bob, &seed, &cek[..31], &RIGHT)),
        ("a cek of 16 bytes", "share-size", oaep(&bob, &seed, &cek[..16], &RIGHT)),
        ("a cek of 33 bytes", "share-size", oaep(&bob, &seed, &[&cek[..], &[0]].concat(), &RIGHT)),
        (
            "a cek under SHA-1",
            "padding",
            oaep(&bob, &seed, &cek, &Encoding { hash: Hash::Sha1, mgf: Hash::Sha1, ..RIGHT }),
        ),
        ("a cek under PKCS #1 v1.5", "padding", pkcs1(&bob, 0x5a, &cek)),
        ("a cek for the server", "key", oaep(kit::SERVER, &seed, &cek, &RIGHT)),
        ("a cek for the author", "key", oaep(&ALICE.to_string(), &seed, &cek, &RIGHT)),
    ] {
        add(name, flags, line(&etk, &cek, [0; 12], &right, b"hello"));
    }
    let etk = oaep(&bob, &seed, &cek, &RIGHT);
    let mut one = [0; 12];
    one[11] = 1;
    for (name, nonce) in [("ones", [0xff; 12]), ("one", one)] {
        add(&format!("a nonce of {name}"), "nonce", line(&etk, &cek, nonce, &right, b"hello"));
    }
    for (name, text) in [
        ("a byte that UTF-8 never has", &[0xff][..]),
        ("an overlong slash", &[0xc0, 0xaf]),
        ("a surrogate", &[0xed, 0xa0, 0x80]),
        ("a sequence that lacks its last byte", &[0x78, 0xe2, 0x82]),
        ("Latin-1", &[0x66, 0xfc, 0x72]),
    ] {
        add(&format!("a text that is no UTF-8: {name}"), "utf-8", line(&etk, &cek, [0; 12], &right, text));
    }
}

/// sid || author || recipient, written out.
fn aad(sid: Sid, author: Uid, recipient: Uid) -> Vec<u8> {
    [sid.0, author.0, recipient.0].iter().flat_map(|n| n.to_be_bytes()).collect()
}

fn line(etk: &[u8; ETK_LEN], cek: &[u8; 32], nonce: [u8; 12], aad: &[u8], text: &[u8]) -> Line {
    let mut bytes = text.to_vec();
    let tag = maker().aead(cek).seal(&nonce, aad, &mut bytes);
    Line::Text(hex::encode([&etk[..], &bytes, &tag].concat()))
}

fn sealed(label: &str, sid: Sid, author: Uid, recipient: Uid, text: Bytes) -> Envelope {
    let (cek, seed) = (bytes32(&format!("cek {label}")), bytes32(&format!("seed {label}")));
    let made_from = MadeFrom { text, cek: cek.into(), seed: seed.into() };
    let line = made_from.line(maker(), sid, author, recipient).expect("a key of the kit");
    Envelope {
        sid: sid.to_string(),
        author: author.to_string(),
        recipient: recipient.to_string(),
        made_from: Some(made_from),
        line: if line.len() > 2048 { Line::Long(Output::of(line.as_bytes())) } else { Line::Text(line) },
    }
}

fn refused(good: Envelope) -> Envelope {
    Envelope { made_from: None, ..good }
}

impl MadeFrom {
    fn line(&self, provider: &dyn Provider, sid: Sid, author: Uid, recipient: Uid) -> Result<String, String> {
        let key = kit::public(provider, &recipient.to_string())?;
        let mut rng = Fixed::new(&[&self.seed.0]);
        let cek = share(&self.cek)?;
        Ok(envelope::seal_with(provider, &mut rng, &cek, &key, sid, author, recipient, self.text.get()?))
    }
}

impl Line {
    fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Long(_) => "",
        }
    }
}

impl Data for Envelope {
    fn check(
        &self,
        verdict: Verdict,
        rules: &[&str],
        maker: &'static dyn Provider,
        reader: &'static dyn Provider,
    ) -> Result<(), String> {
        let number = |text: &str| text.parse().map(|Uid(n)| n).map_err(|_| format!("`{text}` is no uid text"));
        let sid = Sid(number(&self.sid)?);
        let (author, recipient) = (Uid(number(&self.author)?), Uid(number(&self.recipient)?));
        let line = match &self.made_from {
            Some(made_from) => {
                let made = made_from.line(maker, sid, author, recipient)?;
                match &self.line {
                    Line::Text(line) => same("line", made.as_bytes(), line.as_bytes())?,
                    Line::Long(output) if !output.is(made.as_bytes()) => {
                        return Err("the line has another digest".to_owned());
                    }
                    Line::Long(_) => {}
                }
                made
            }
            None => self.line.text().to_owned(),
        };
        let key = kit::private(reader, &self.recipient)?;
        let got = envelope::open(reader, &key, sid, author, recipient, &line);
        if let (Ok(text), Some(made_from)) = (&got, &self.made_from) {
            same("text", text.as_bytes(), &made_from.text.get()?)?;
        }
        judge(verdict, rules, got.map(|_| ()), |_| None)
    }
}
