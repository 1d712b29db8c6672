//! `payloads.json`: plaintexts of frames, and whether they keep their format.

use mpchat_proto::crypto::Provider;
use mpchat_proto::payload;
use serde::{Deserialize, Serialize};

use super::data::Bytes;
use super::file::{Data, File, Verdict, judge};

/// A payload.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Payload {
    #[serde(rename = "type")]
    kind: Kind,
    payload: Bytes,
    /// What it says: uid texts or lines (how many and the like is not the format's business), `OK` or `error`, one of the
    /// words. Left out where it breaks its format, or where there is nothing to say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    says: Option<Vec<String>>,
}

/// The type of the frame; the three that answer with `OK` or an error text share one format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    InitReq,
    InitRes,
    CloseReq,
    CloseRes,
    MsgReq,
    MsgRes,
    InviteReq,
    InviteRes,
    StatusReq,
    StatusRes,
}

pub(crate) fn make() -> File<Payload> {
    let mut file = File::new(
        "The plaintext of a frame of a type. valid: it keeps the format of section 3 and says what `says` has. invalid: it breaks it; what follows from that depends on type and receiver (PAY-04, PAY-05, PAY-08).",
    );
    empty(&mut file);
    init_req(&mut file);
    msg_req(&mut file);
    responses(&mut file);
    words(&mut file, Kind::InviteRes, ["Accept", "Deny"]);
    words(&mut file, Kind::StatusRes, ["Online", "Offline"]);
    file
}

fn empty(file: &mut File<Payload>) {
    for kind in [Kind::CloseReq, Kind::InviteReq, Kind::StatusReq] {
        file.valid(format!("{kind:?}: empty"), "exact-text", "PAY-01", data(kind, "", Some(&[])));
        for payload in ["\n", " ", "\0", "OK"] {
            let rules = if kind == Kind::CloseReq { "PAY-04" } else { "PAY-05" };
            file.invalid(format!("{kind:?}: {payload:?}"), "exact-text", rules, data(kind, payload, None));
        }
    }
}

fn init_req(file: &mut File<Payload>) {
    const BOB: &str = "00000000000b0b00";
    let valid: [(&str, &str, &[&str]); 6] = [
        ("one", "00000000000b0b00\n", &[BOB]),
        ("two", "00000000000b0b00\n0000000000ca401e\n", &[BOB, "0000000000ca401e"]),
        (
            "in the order of the lines",
            "ffffffffffffffff\n0000000000000001\n",
            &["ffffffffffffffff", "0000000000000001"],
        ),
        ("all digits", "0123456789abcdef\nfedcba9876543210\n", &["0123456789abcdef", "fedcba9876543210"]),
        ("a uid twice keeps the format", "00000000000b0b00\n00000000000b0b00\n", &[BOB, BOB]),
        ("uid 0 keeps the format", "0000000000000000\n", &["0000000000000000"]),
    ];
    for (name, payload, says) in valid {
        file.valid(format!("InitReq: {name}"), "uid-text", "INIT-01 PAY-02", data(Kind::InitReq, payload, Some(says)));
    }
    for (name, flags, payload) in [
        ("no LF", "line-end", "00000000000b0b00".to_owned()),
        ("no LF behind the second", "line-end", format!("{BOB}\n{BOB}")),
        ("only LF", "line-end", "\n".to_owned()),
        ("an empty line behind", "line-end", format!("{BOB}\n\n")),
        ("an empty line in front", "line-end", format!("\n{BOB}\n")),
        ("an empty line between", "line-end", format!("{BOB}\n\n{BOB}\n")),
        ("CR LF", "line-end", format!("{BOB}\r\n")),
        ("CR", "line-end", format!("{BOB}\r")),
        ("LF CR", "line-end", format!("{BOB}\n\r")),
        ("15 digits", "uid-text", format!("{}\n", &BOB[1..])),
        ("17 digits", "uid-text", format!("0{BOB}\n")),
        ("no digits", "uid-text", " \n".to_owned()),
        ("32 digits", "uid-text", format!("{BOB}{BOB}\n")),
        ("capitals", "uid-text", "00000000000B0B00\n".to_owned()),
        ("one capital", "uid-text", "00000000000b0B00\n".to_owned()),
        ("0x in front", "uid-text", format!("0x{BOB}\n")),
        ("0x and 14 digits", "uid-text", "0x000000000b0b00\n".to_owned()),
        ("+ and 15 digits", "uid-text", "+0000000000b0b00\n".to_owned()),
        ("- and 15 digits", "uid-text", "-0000000000b0b00\n".to_owned()),
        ("a space in front", "uid-text", format!(" {BOB}\n")),
        ("a space behind", "uid-text", format!("{BOB} \n")),
        ("a space instead of the first zero", "uid-text", format!(" {}\n", &BOB[1..])),
        ("a tab behind", "uid-text", format!("{BOB}\t\n")),
        ("a NUL behind", "uid-text", format!("{BOB}\0\n")),
        ("underscores", "uid-text", "0000_0000_b0b_00\n".to_owned()),
        ("g", "uid-text", "00000000000g0b00\n".to_owned()),
        ("o instead of 0", "uid-text", "o0000000000b0b00\n".to_owned()),
        ("a comma", "uid-text", format!("{BOB},{BOB}\n")),
        ("full-width digits", "uid-text utf-8", format!("{}\n", "\u{ff10}".repeat(16))),
        ("Arabic digits", "uid-text utf-8", format!("{}\n", "\u{661}".repeat(8))),
        ("a byte order mark", "utf-8", format!("\u{feff}{BOB}\n")),
        ("a good line, then a bad one", "uid-text", format!("{BOB}\nbob\n")),
    ] {
        file.invalid(format!("InitReq: {name}"), flags, "INIT-02 PAY-02 PAY-04", data(Kind::InitReq, payload, None));
    }
    for (name, payload) in not_utf8() {
        let payload = [payload, b"\n"].concat();
        file.invalid(format!("InitReq: {name}"), "utf-8", "PAY-01 PAY-04", data(Kind::InitReq, payload, None));
    }
}

fn msg_req(file: &mut File<Payload>) {
    let valid: [(&str, &str, &str, &[&str]); 16] = [
        ("one line", "line", "x\n", &["x"]),
        ("two lines", "line", "x\ny\n", &["x", "y"]),
        ("equal lines", "line", "x\nx\n", &["x", "x"]),
        ("an envelope's digits", "line", "00ff\n", &["00ff"]),
        ("capital digits", "line", "00FF\n", &["00FF"]),
        ("CR inside", "line-end", "x\r\n", &["x\r"]),
        ("only CR in a line", "line-end", "\r\n", &["\r"]),
        ("a space", "line", " \n", &[" "]),
        ("NUL", "line", "\0\n", &["\0"]),
        ("a byte order mark", "utf-8", "\u{feff}x\n", &["\u{feff}x"]),
        ("line separators of Unicode", "utf-8", "a\u{2028}b\u{2029}c\u{85}d\n", &["a\u{2028}b\u{2029}c\u{85}d"]),
        ("vertical tab and form feed", "line-end", "a\u{b}b\u{c}c\n", &["a\u{b}b\u{c}c"]),
        ("two, three and four bytes a letter", "utf-8", "\u{e9}\u{4f60}\u{1f600}\n", &["\u{e9}\u{4f60}\u{1f600}"]),
        ("the greatest code point", "utf-8", "\u{10ffff}\n", &["\u{10ffff}"]),
        ("a noncharacter", "utf-8", "\u{ffff}\n", &["\u{ffff}"]),
        ("next to the surrogates", "utf-8", "\u{d7ff}\u{e000}\n", &["\u{d7ff}\u{e000}"]),
    ];
    for (name, flags, payload, says) in valid {
        file.valid(format!("MsgReq: {name}"), flags, "MSG-04 PAY-02", data(Kind::MsgReq, payload, Some(says)));
    }
    for (name, payload) in [
        ("no LF", "x"),
        ("no LF behind the second", "x\ny"),
        ("an empty line", "\n"),
        ("two empty lines", "\n\n"),
        ("an empty line behind", "x\n\n"),
        ("an empty line in front", "\nx\n"),
        ("an empty line between", "x\n\ny\n"),
        ("CR alone", "x\r"),
        ("LF CR", "x\n\r"),
    ] {
        file.invalid(format!("MsgReq: {name}"), "line-end", "PAY-02 MSG-05", data(Kind::MsgReq, payload, None));
    }
    for (name, payload) in not_utf8() {
        let payload = [payload, b"\n"].concat();
        file.invalid(format!("MsgReq: {name}"), "utf-8", "PAY-01 PAY-04", data(Kind::MsgReq, payload, None));
    }
}

fn responses(file: &mut File<Payload>) {
    for kind in [Kind::InitRes, Kind::MsgRes, Kind::CloseRes] {
        file.valid(format!("{kind:?}: OK"), "exact-text", "PAY-01", data(kind, "OK", Some(&["OK"])));
        file.valid(
            format!("{kind:?}: an error text"),
            "exact-text",
            "PAY-03",
            data(kind, "no such session", Some(&["error"])),
        );
        file.invalid(format!("{kind:?}: empty"), "exact-text", "PAY-03 PAY-05", data(kind, "", None));
    }
    for text in [
        "OK\n",
        "OK\r\n",
        "OK ",
        " OK",
        "ok",
        "Ok",
        "oK",
        "O",
        "OKAY",
        "OK\0",
        "\u{feff}OK",
        "OK.",
        "\u{39f}\u{39a}",
        " ",
        "\n",
        "\0",
        "Online",
        "Accept",
        "Fehler: \u{fc}\u{df}",
        "one\ntwo",
        "\u{1f600}",
    ] {
        file.valid(
            format!("MsgRes: {text:?} is an error text"),
            "exact-text",
            "PAY-03 PAY-01",
            data(Kind::MsgRes, text, Some(&["error"])),
        );
    }
    for len in [256, 257, 65499] {
        let payload =
            Payload { kind: Kind::MsgRes, payload: Bytes::repeat("x", len), says: Some(vec!["error".to_owned()]) };
        let flags = if len > 2048 { "boundary large" } else { "boundary" };
        file.valid(format!("MsgRes: an error text of {len} bytes"), flags, "PAY-03", payload);
    }
    for (name, payload) in not_utf8() {
        file.invalid(format!("MsgRes: {name}"), "utf-8", "PAY-01 PAY-05", data(Kind::MsgRes, payload, None));
    }
}

fn words(file: &mut File<Payload>, kind: Kind, words: [&str; 2]) {
    for word in words {
        file.valid(format!("{kind:?}: {word}"), "exact-text", "PAY-01", data(kind, word, Some(&[word])));
        let last = &word[..word.len() - 1];
        for text in [
            word.to_lowercase(),
            word.to_uppercase(),
            format!("{word}\n"),
            format!("{word}\r\n"),
            format!("{word} "),
            format!(" {word}"),
            format!("{word}\0"),
            format!("\u{feff}{word}"),
            format!("{word}{word}"),
            last.to_owned(),
        ] {
            file.invalid(format!("{kind:?}: {text:?}"), "exact-text", "PAY-01 PAY-05", data(kind, text, None));
        }
        let wide: Vec<u8> = word.encode_utf16().flat_map(u16::to_le_bytes).collect();
        file.invalid(format!("{kind:?}: {word} in UTF-16"), "utf-8", "PAY-01 PAY-05", data(kind, wide, None));
    }
    for text in ["", "OK", "no", "1", "true"] {
        file.invalid(format!("{kind:?}: {text:?}"), "exact-text", "PAY-01 PAY-05", data(kind, text, None));
    }
    for (name, payload) in not_utf8() {
        let payload = [words[0].as_bytes(), payload].concat();
        file.invalid(format!("{kind:?}: {} and {name}", words[0]), "utf-8", "PAY-01 PAY-05", data(kind, payload, None));
    }
}

fn not_utf8() -> [(&'static str, &'static [u8]); 9] {
    [
        ("an overlong slash", &[0xc0, 0xaf]),
        ("NUL in two bytes", &[0xc0, 0x80]),
        ("an overlong euro sign", &[0xf0, 0x82, 0x82, 0xac]),
        ("a surrogate", &[0xed, 0xa0, 0x80]),
        ("a pair of surrogates", &[0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]),
        ("above U+10FFFF", &[0xf4, 0x90, 0x80, 0x80]),
        ("a sequence that lacks its last byte", &[0xe2, 0x82]),
        ("a continuation byte alone", &[0x80]),
        ("a byte that UTF-8 never has", &[0xff]),
    ]
}

fn data(kind: Kind, payload: impl AsRef<[u8]>, says: Option<&[&str]>) -> Payload {
    let says = says.map(|says| says.iter().map(|text| (*text).to_owned()).collect());
    Payload { kind, payload: Bytes::of(payload), says }
}

impl Data for Payload {
    fn check(
        &self,
        verdict: Verdict,
        rules: &[&str],
        _: &'static dyn Provider,
        _: &'static dyn Provider,
    ) -> Result<(), String> {
        let bytes = self.payload.get()?;
        let text = |text: &str| vec![text.to_owned()];
        let got = match self.kind {
            Kind::CloseReq | Kind::InviteReq | Kind::StatusReq => payload::parse_empty(&bytes).map(|()| Vec::new()),
            Kind::InitReq => payload::parse_init_req(&bytes).map(|uids| uids.iter().map(ToString::to_string).collect()),
            Kind::MsgReq => payload::parse_lines(&bytes).map(|lines| lines.into_iter().map(str::to_owned).collect()),
            Kind::InitRes | Kind::MsgRes | Kind::CloseRes => {
                payload::parse_response(&bytes).map(|response| text(if response.is_ok() { "OK" } else { "error" }))
            }
            Kind::InviteRes => payload::parse_choice(&bytes).map(|choice| text(choice.as_str())),
            Kind::StatusRes => payload::parse_presence(&bytes).map(|presence| text(presence.as_str())),
        };
        if let Ok(says) = &got
            && verdict == Verdict::Valid
            && Some(says) != self.says.as_ref()
        {
            return Err(format!("says {says:?}"));
        }
        judge(verdict, rules, got.map(|_| ()), |_| None)
    }
}
