//! Frames that are wrong on purpose, whoever sends them: what the words of a `-x` line change.

use mpchat_proto::crypto::PublicKey;
use mpchat_proto::frame::{ETK_LEN, HEADER_LEN, Header, MAC_LEN};
use mpchat_proto::ids::{Sid, Uid};
use mpchat_script::ast::{Fault, Field, Message, Value};
use mpchat_script::split_digits;
use rand::Rng;
use rand::rngs::StdRng;

use crate::stop::Stop;

/// What names and relative numbers mean where a frame is sent.
pub(crate) trait Meanings {
    /// The uid of a user, a stranger, or `server`.
    fn uid(&self, name: &str) -> Option<Uid>;
    /// The sid of a session of the diagram, once it has one.
    fn session(&self, name: &str) -> Option<Sid>;
    /// A sid that nobody has.
    fn unknown_sid(&self) -> Sid;
    /// The last number that the sender used.
    fn last_number(&self) -> u16;
    /// The number that is due, if there is one.
    fn next_number(&self) -> Option<u16>;

    /// The sid of a session, `none` or `unknown`.
    fn sid(&self, name: &str) -> Option<Sid> {
        match name {
            "none" => Some(Sid::NONE),
            "unknown" => Some(self.unknown_sid()),
            _ => self.session(name),
        }
    }
}

/// `with FIELD VALUE` for the fields of the header: before sealing.
pub(crate) fn header_faults(meanings: &impl Meanings, message: &Message, header: &mut Header) -> Result<(), Stop> {
    for fault in &message.faults {
        let Fault::With(field, new) = fault else { continue };
        let narrow = |bytes: &[u8]| bytes.iter().rev().take(2).rev().fold(0, |n: u16, b| n << 8 | u16::from(*b));
        let wide = |bytes: &[u8]| bytes.iter().fold(0, |n: u64, b| n << 8 | u64::from(*b));
        if matches!(field, Field::Payload | Field::Etk | Field::Key | Field::Epd | Field::Mac) {
            continue;
        }
        let bytes = match new {
            Value::Flipped(byte) => flipped(header, *field, *byte),
            _ => value(meanings, *field, new)?,
        };
        match field {
            Field::Ver => header.ver = narrow(&bytes),
            Field::Typ => header.typ = narrow(&bytes),
            Field::Len => header.len = narrow(&bytes),
            Field::Sqn => header.sqn = narrow(&bytes),
            Field::Sid => header.sid = Sid(wide(&bytes)),
            Field::Uid => header.uid = Uid(wide(&bytes)),
            _ => {}
        }
    }
    Ok(())
}

/// A field as it would be right, but for one byte. Never 0 where it was not: that would mean none, or the server.
fn flipped(header: &Header, field: Field, byte: usize) -> Vec<u8> {
    let mut bytes = header.encode()[range_of(field, HEADER_LEN, false)].to_vec();
    if let Some(byte) = bytes.get_mut(byte) {
        *byte ^= 0xff;
    }
    if bytes.iter().all(|byte| *byte == 0) {
        bytes.fill(0x0f);
    }
    bytes
}

/// One change after sealing.
pub(crate) fn damage(meanings: &impl Meanings, fault: &Fault, etk: bool, bytes: &mut Vec<u8>) -> Result<(), Stop> {
    match fault {
        Fault::After(field, new) | Fault::With(field @ (Field::Epd | Field::Mac), new) => {
            let range = range_of(*field, bytes.len(), etk);
            let new = value(meanings, *field, new)?;
            let new = match (field, new.len()) {
                (Field::Epd | Field::Mac | Field::Etk | Field::Payload, _) => new,
                (_, n) if n >= range.len() => new.get(n - range.len()..).unwrap_or_default().to_vec(),
                (_, n) => [vec![0; range.len() - n], new].concat(),
            };
            bytes.splice(range, new);
        }
        Fault::Flip(field, place) => {
            let range = range_of(*field, bytes.len(), etk);
            let place = place.map_or(range.end.saturating_sub(1), |n| range.start + n);
            if !range.contains(&place) {
                return Err(Stop::Skip(format!("the frame has no byte {place} to flip")));
            }
            if let Some(byte) = bytes.get_mut(place) {
                *byte ^= 0xff;
            }
        }
        Fault::Only(n) => bytes.truncate(*n),
        _ => {}
    }
    Ok(())
}

/// The bytes of a value, as wide as its field where that is fixed.
pub(crate) fn value(meanings: &impl Meanings, field: Field, value: &Value) -> Result<Vec<u8>, Stop> {
    let wide = matches!(field, Field::Sid | Field::Uid);
    let number_bytes = |n: u64| if wide { n.to_be_bytes().to_vec() } else { (n as u16).to_be_bytes().to_vec() };
    Ok(match value {
        Value::Number(n) => number_bytes(*n),
        Value::Hex(bytes) => bytes.clone(),
        Value::Text(text) => fill_in(meanings, text).into_bytes(),
        // Only fields of the header, and those before sealing, have a right value to change.
        Value::Flipped(byte) => return Err(Stop::Skip(format!("nothing here has a byte {byte} to flip"))),
        Value::Kind(kind) => kind.code().to_be_bytes().to_vec(),
        Value::Last(back) => number_bytes(u64::from(meanings.last_number()).wrapping_sub(*back)),
        Value::Next(ahead) => number_bytes(u64::from(meanings.next_number().unwrap_or(0)) + ahead),
        Value::Name(name) => {
            let (uid, sid) = (meanings.uid(name).map(|u| u.0), meanings.sid(name).map(|s| s.0));
            let found = if field == Field::Uid { uid.or(sid) } else { sid.or(uid) };
            number_bytes(found.ok_or_else(|| Stop::Skip(format!("`{name}` stands for no number")))?)
        }
        Value::Way(way) => match (way.as_str(), field) {
            ("zero", Field::Mac) => vec![0; MAC_LEN],
            ("zero", _) => vec![0; ETK_LEN],
            ("short", Field::Mac) => vec![0x5a; MAC_LEN - 1],
            ("long", Field::Mac) => vec![0x5a; MAC_LEN + 4],
            ("short", Field::Etk) => vec![0x5a; ETK_LEN - 1],
            ("long", Field::Etk) => vec![0x5a; ETK_LEN + 1],
            _ => vec![0x5a; if field == Field::Mac { MAC_LEN } else { ETK_LEN }],
        },
    })
}

/// The value of `with FIELD …`, if the line has one.
pub(crate) fn with(message: &Message, field: Field) -> Option<&Value> {
    message.faults.iter().find_map(|fault| match fault {
        Fault::With(f, value) if *f == field => Some(value),
        _ => None,
    })
}

/// The word of a value that is a way to make something.
pub(crate) fn way_of(value: &Value) -> Option<&str> {
    match value {
        Value::Way(way) => Some(way),
        _ => None,
    }
}

/// The way of an etk that is right, and begins with a zero byte as its share does: a number would lose both.
pub(crate) const ZERO_LED: &str = "zero-led";

/// Whether all that was changed is what chance could have made so.
pub(crate) fn is_right(message: &Message) -> bool {
    let by_chance = |fault: &Fault| match fault {
        Fault::With(Field::Etk, Value::Way(way)) | Fault::SealedWith(way) => way == ZERO_LED,
        _ => false,
    };
    !message.faults.is_empty() && message.faults.iter().all(by_chance)
}

/// A key share for an etk that is made in this way.
pub(crate) fn share(way: &str, rng: &mut StdRng) -> Vec<u8> {
    let len = match way {
        "short" | "short-filled" | "short-led" => 31,
        "long" | "long-head" | "long-tail" => 33,
        _ => 32,
    };
    let mut share = vec![0; len];
    rng.fill_bytes(&mut share);
    if way == ZERO_LED {
        share[0] = 0;
    }
    share
}

/// The share that a lenient reader makes of one with a wrong length, and that the keys come from.
pub(crate) fn read_leniently(way: &str, share: &[u8]) -> Vec<u8> {
    match (way, share) {
        ("long-head", [head @ .., _]) => head.to_vec(),
        ("long-tail", [_, tail @ ..]) => tail.to_vec(),
        ("short-filled", _) => [share, &[0]].concat(),
        ("short-led", _) => [&[0], share].concat(),
        _ => share.to_vec(),
    }
}

/// An etk that carries `share` to the holder of `to`, or is wrong in this way; `other` is somebody else's key.
pub(crate) fn etk(
    way: &str,
    rng: &mut StdRng,
    share: &[u8],
    to: &PublicKey,
    other: Option<PublicKey>,
) -> Result<[u8; ETK_LEN], Stop> {
    Ok(match way {
        "other-key" => {
            let other = other.ok_or_else(|| Stop::Skip("nobody else's key is known".to_owned()))?;
            other.oaep_encrypt(rng, share)
        }
        "sha1" => crate::other_padding::oaep_sha1(to, rng, share),
        "mgf1-sha1" => crate::other_padding::oaep_mgf1_sha1(to, rng, share),
        "pkcs1" => crate::other_padding::pkcs1(to, rng, share),
        "random" => {
            let mut bytes = [0; ETK_LEN];
            rng.fill_bytes(&mut bytes);
            // Below every modulus, so that only the padding can be wrong.
            bytes[0] = 0;
            bytes
        }
        "zero" => [0; ETK_LEN],
        // One in 256 begins so.
        ZERO_LED => loop {
            let etk = to.oaep_encrypt(rng, share);
            if etk[0] == 0 {
                break etk;
            }
        },
        _ => to.oaep_encrypt(rng, share),
    })
}

/// The part of a frame that is payload when sealed.
fn sealed_payload(len: usize, etk: bool) -> std::ops::Range<usize> {
    let end = len.saturating_sub(MAC_LEN + if etk { ETK_LEN } else { 0 });
    HEADER_LEN..end.max(HEADER_LEN)
}

/// Where a field stands in a frame of `len` bytes.
fn range_of(field: Field, len: usize, etk: bool) -> std::ops::Range<usize> {
    let epd = sealed_payload(len, etk);
    let range = match field {
        Field::Ver => 0..2,
        Field::Typ => 2..4,
        Field::Len => 4..6,
        Field::Sqn => 6..8,
        Field::Sid => 8..16,
        Field::Uid => 16..HEADER_LEN,
        Field::Mac => epd.end..epd.end + MAC_LEN,
        Field::Etk => len.saturating_sub(ETK_LEN)..len,
        Field::Payload | Field::Epd | Field::Key => epd,
    };
    range.start.min(len)..range.end.min(len)
}

/// `{bob}` is bob's uid text, `{BOB}` the same in capitals, `{bob:15}` its last 15 digits.
fn fill_in(meanings: &impl Meanings, text: &str) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((name, behind)) = after.split_once('}') else {
            filled.push('{');
            rest = after;
            continue;
        };
        let (user, digits) = split_digits(name);
        match meanings.uid(&user.to_lowercase()) {
            Some(uid) => {
                let text = uid.to_string();
                let text = if user.chars().any(char::is_uppercase) { text.to_uppercase() } else { text };
                let left_out = text.len().saturating_sub(digits.unwrap_or(text.len()));
                filled.extend(text.chars().skip(left_out));
            }
            None => {
                filled.push('{');
                filled.push_str(name);
                filled.push('}');
            }
        }
        rest = behind;
    }
    filled.push_str(rest);
    filled
}
