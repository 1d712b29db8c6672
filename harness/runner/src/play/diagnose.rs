//! Which rule a frame of the server breaks that is wrong in itself: by what it would be right as.

use mpchat_proto::frame::{ETK_LEN, HEADER_LEN, Header, HeaderError, MAC_LEN};
use mpchat_proto::ids::Sid;
use mpchat_proto::keys::FrameCipher;
use mpchat_script::ast::Kind;

use super::login::{Login, Transfer};
use super::world::Heard;

/// A rule list, the most specific first, and what was found.
pub(crate) type Diagnosis = (&'static [&'static str], &'static str);

/// Where in a login a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Step 2 is due.
    Step2,
    /// Step 3 is due.
    Step3,
    /// The login is complete.
    LoggedIn,
}

/// The rules that a wrong header breaks.
pub(crate) fn header(moment: Moment, error: &HeaderError) -> Vec<&'static str> {
    match (error, moment) {
        (HeaderError::Sequence { expected: None, .. }, _) => vec!["MTP-09", "MTP-07"],
        (HeaderError::Sequence { expected: Some(expected), got }, _)
            if *expected > 0xff && expected.swap_bytes() == *got =>
        {
            vec!["MTP-06", "MTP-07"]
        }
        (HeaderError::Sequence { .. }, Moment::Step2) => vec!["LOGIN-17", "MTP-07"],
        (HeaderError::Sequence { .. }, Moment::Step3) => vec!["MTP-07", "LOGIN-17"],
        (HeaderError::Sequence { .. }, Moment::LoggedIn) => vec!["MTP-07"],
        _ => vec![error.rule()],
    }
}

impl Login {
    /// A login response that does not open.
    pub(crate) fn diagnose(&self, sealed: &[u8]) -> Diagnosis {
        let opens = |cipher: &FrameCipher, bytes: &[u8]| cipher.open_in_place(&mut bytes.to_vec(), true).is_ok();
        if opens(&self.outgoing, sealed) {
            return (&["LOGIN-04", "MTP-12"], "a frame sealed with the login key of the other direction");
        }
        let swapped = sealed.len().checked_sub(ETK_LEN + MAC_LEN).map(|start| {
            let (front, rest) = sealed.split_at(start);
            let (etk, mac) = rest.split_at(ETK_LEN);
            [front, mac, etk].concat()
        });
        if swapped.is_some_and(|bytes| opens(&self.incoming, &bytes)) {
            return (&["MTP-02", "LOGIN-17"], "the mac behind the etk");
        }
        let without_etk = sealed.get(..sealed.len().saturating_sub(ETK_LEN)).unwrap_or_default();
        mac_or_nonce(&self.incoming, without_etk).unwrap_or((&["LOGIN-04", "MTP-10", "MTP-12"], "a wrong mac"))
    }
}

impl Transfer {
    /// A frame behind the login response that does not open; `first`: step 3.
    pub(crate) fn diagnose(&self, sealed: &[u8], first: bool) -> Diagnosis {
        let opens = |cipher: &FrameCipher, bytes: &[u8]| cipher.open_in_place(&mut bytes.to_vec(), false).is_ok();
        if opens(&self.login.incoming, sealed) {
            return (&["LOGIN-04"], "a frame sealed with the login key");
        }
        if opens(&self.outgoing, sealed) {
            return (&["LOGIN-04", "MTP-12"], "a frame sealed with the key of the other direction");
        }
        let header = super::arrive::decode(sealed);
        if (1..=256).any(|more| {
            let shorter = sealed.len().checked_sub(more).and_then(|len| sealed.get(..len));
            shorter.is_some_and(|bytes| bytes.len() >= HEADER_LEN + MAC_LEN && opens(&self.incoming, bytes))
        }) {
            return (&["MTP-02", "MTP-05", "MTP-10"], "bytes behind the mac that belong to nothing");
        }
        if let Some(found) = mac_or_nonce(&self.incoming, sealed) {
            return found;
        }
        if self.opens_without_a_field(&header, sealed) {
            return (&["MTP-10"], "a mac under other additional data than the header");
        }
        match first {
            true => (&["LOGIN-04", "MTP-10", "MTP-11", "MTP-12"], "a frame with a wrong mac"),
            false => (&["MTP-10", "MTP-11", "MTP-12", "LOGIN-04"], "a frame with a wrong mac"),
        }
    }

    /// Whether the mac is right with one field of the header left out, or written as 0, in the additional data.
    fn opens_without_a_field(&self, header: &Header, sealed: &[u8]) -> bool {
        let plain = plain_of(&self.incoming, header, sealed);
        let without = [
            Header { ver: 0, ..*header },
            Header { typ: 0, ..*header },
            Header { len: 0, ..*header },
            Header { sid: Sid::NONE, ..*header },
            Header { uid: mpchat_proto::ids::Uid(0), ..*header },
        ];
        let mac = sealed.last_chunk::<MAC_LEN>();
        without.iter().any(|other| self.incoming.seal(other, &plain, None).last_chunk() == mac)
    }
}

/// A mac that is another part of the tag, or a nonce of another number.
fn mac_or_nonce(cipher: &FrameCipher, sealed: &[u8]) -> Option<Diagnosis> {
    let header = super::arrive::decode(sealed);
    let got = sealed.last_chunk::<MAC_LEN>()?;
    let plain = plain_of(cipher, &header, sealed);
    let right = cipher.seal(&header, &plain, None);
    let right = right.last_chunk::<MAC_LEN>()?;
    if right.get(4..) == got.get(..8) || right.get(..8) == got.get(..8) {
        return Some((&["MTP-11"], "another part of the tag as the mac"));
    }
    let numbers =
        [0, header.sqn & 0xff, header.sqn.swap_bytes(), header.sqn.wrapping_sub(1), header.sqn.wrapping_add(1)];
    // The mac covers the header with its true number, so only what is encrypted tells of the nonce: texts are known.
    let readable = numbers.iter().filter(|number| **number != header.sqn).any(|number| {
        let plain = plain_of(cipher, &Header { sqn: *number, ..header }, sealed);
        !plain.is_empty() && [&b"OK"[..], b"Online", b"Offline", b"Accept", b"Deny"].contains(&plain.as_slice())
    });
    readable.then_some((&["MTP-12"], "the nonce of another number"))
}

/// What the epd of a frame is under a header's number, whatever its mac says: counter mode is its own inverse.
fn plain_of(cipher: &FrameCipher, header: &Header, sealed: &[u8]) -> Vec<u8> {
    let end = sealed.len().saturating_sub(MAC_LEN);
    let epd = sealed.get(HEADER_LEN..end).unwrap_or_default();
    let twice = cipher.seal(header, epd, None);
    twice.get(HEADER_LEN..HEADER_LEN + epd.len()).unwrap_or_default().to_vec()
}

/// A response that answers nothing, while `owed` says for which sids one of its type is owed.
pub(crate) fn misaddressed(heard: &Heard, owed: &[Sid]) -> Option<Diagnosis> {
    let sid = heard.header.sid;
    let other = owed.iter().find(|owed| **owed != sid)?;
    if sid.0 == other.0.swap_bytes() {
        return Some((&["MTP-06", "STAT-04"], "the sid of the request, its bytes backwards"));
    }
    let error = heard.payload != b"OK";
    Some((
        match heard.kind {
            Kind::StatusRes if heard.payload == b"Offline" && heard.header.uid.0 == 0 => &["STAT-05", "STAT-04"],
            Kind::StatusRes if *other == Sid::NONE => &["STAT-01"],
            Kind::StatusRes => &["STAT-04"],
            Kind::MsgRes if error => &["PAY-04", "MSG-05"],
            Kind::MsgRes => &["MSG-07"],
            Kind::CloseRes if error => &["PAY-04", "CLOSE-08"],
            Kind::CloseRes => &["CLOSE-01"],
            _ => return None,
        },
        "another sid than that of the request",
    ))
}
