//! `headers.json`: 24 bytes, their fields, and whether a receiver goes on or closes.

use mpchat_proto::crypto::Provider;
use mpchat_proto::frame::{self, FrameType, HeaderError};
use mpchat_proto::ids::{Sid, Uid};
use mpchat_proto::keys::{DirectionKeys, FrameCipher, Opener, Sealer};
use mpchat_proto::login::{Channel, Side};
use serde::{Deserialize, Serialize};

use super::data::Hex;
use super::file::{Data, File, Verdict, judge, same};
use super::kit::{ALICE, BOB};

/// A header that arrives on a logged-in connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    /// The 24 bytes.
    header: Hex,
    fields: Fields,
    receiver: Receiver,
    /// The client of the connection.
    client: String,
    /// The number of the last frame of this direction that was accepted.
    last_sqn: u16,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    ver: Hex,
    typ: Hex,
    len: u16,
    sqn: u16,
    sid: String,
    uid: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Receiver {
    Client,
    Server,
}

const SESSION: Sid = Sid(0x0123_4567_89ab_cdef);

pub(crate) fn make() -> File<Header> {
    let mut file = File::new(
        "A header that arrives on a logged-in connection whose last accepted frame had number last_sqn. valid: the receiver goes on to the payload. invalid: it closes.",
    );
    to_server(&mut file);
    to_client(&mut file);
    file
}

fn to_server(file: &mut File<Header>) {
    let base = header(FrameType::MsgReq, 36 + 537, 3, SESSION, ALICE);
    let server = |header| data(header, Receiver::Server, 2);
    for typ in FrameType::ALL.into_iter().filter(|typ| typ.from_client()) {
        file.valid(
            format!("{} to the server", typ.name()),
            "type",
            "MTP-04",
            server(header(typ, 36, 3, SESSION, ALICE)),
        );
    }
    for typ in FrameType::ALL.into_iter().filter(|typ| !typ.from_client()) {
        let data = server(header(typ, 36, 3, SESSION, ALICE));
        file.invalid(format!("{} to the server", typ.name()), "direction", "MTP-15", data);
    }
    for ver in [0x0000, 0x0001, 0x0101, 0x00ff, 0x0200, 0x1000, 0xffff] {
        file.invalid(format!("ver {ver:04x}"), "version", "MTP-03", server(frame::Header { ver, ..base }));
    }
    for typ in [
        0x0001, 0x000f, 0x0011, 0x0020, 0x0101, 0x0111, 0x0220, 0x0301, 0x0311, 0x0401, 0x0411, 0x0500, 0x0510, 0x1000,
        0x1001, 0x1004, 0x8400, 0xff00, 0xffff,
    ] {
        file.invalid(format!("typ {typ:04x}"), "undefined-type", "MTP-04", server(frame::Header { typ, ..base }));
    }
    for len in [0, 1, 12, 23, 24, 25, 35] {
        file.invalid(format!("len {len}"), "boundary", "MTP-05", server(frame::Header { len, ..base }));
    }
    for len in [36, 37, 256, 9216, 32767, 32768, 65534, 65535] {
        file.valid(format!("len {len}"), "boundary", "MTP-05", server(frame::Header { len, ..base }));
    }
    for (last, sqn) in
        [(1, 2), (2, 3), (254, 255), (255, 256), (256, 257), (32767, 32768), (65533, 65534), (65534, 65535)]
    {
        let data = data(frame::Header { sqn, ..base }, Receiver::Server, last);
        file.valid(format!("sqn {sqn} after {last}"), "sequence", "MTP-07 MTP-09", data);
    }
    for (last, sqn) in [
        (2, 0),
        (2, 1),
        (2, 2),
        (2, 4),
        (2, 5),
        (2, 0x0300),
        (2, 65535),
        (255, 0),
        (255, 1),
        (255, 255),
        (255, 257),
        (256, 1),
        (32767, 32767),
        (65534, 65534),
        (65534, 0),
    ] {
        let data = data(frame::Header { sqn, ..base }, Receiver::Server, last);
        file.invalid(format!("sqn {sqn} after {last}"), "sequence", "MTP-08", data);
    }
    for sqn in [0, 1, 65534, 65535] {
        let data = data(frame::Header { sqn, ..base }, Receiver::Server, 65535);
        file.invalid(format!("sqn {sqn} after 65535: there is no next number"), "sequence", "MTP-09 MTP-08", data);
    }
    for (name, uid) in [
        ("0, the server's", 0),
        ("another user's", BOB.0),
        ("one more than the client's", ALICE.0 + 1),
        ("the client's with bit 63 set", ALICE.0 | 1 << 63),
        ("the client's with bit 32 set", ALICE.0 | 1 << 32),
        ("the client's in little endian", ALICE.0.swap_bytes()),
        ("all ones", u64::MAX),
    ] {
        let data = server(frame::Header { uid: Uid(uid), ..base });
        file.invalid(format!("uid {name}"), "uid", "MTP-14", data);
    }
    for sid in [0, 1, 1 << 63, u64::MAX] {
        file.valid(
            format!("sid {sid:016x}: no check of the header"),
            "sid",
            "PAY-04",
            server(frame::Header { sid: Sid(sid), ..base }),
        );
    }
}

fn to_client(file: &mut File<Header>) {
    let client = |header| data(header, Receiver::Client, 2);
    let uid_of = |typ| match typ {
        FrameType::InviteReq | FrameType::MsgReq => BOB,
        _ => Uid::SERVER,
    };
    for typ in FrameType::ALL {
        let sid = if typ == FrameType::StatusReq { Sid::NONE } else { SESSION };
        let data = client(header(typ, 36, 3, sid, uid_of(typ)));
        if typ.from_server() {
            file.valid(format!("{} to a client", typ.name()), "type", "MTP-04 MTP-21", data);
        } else {
            file.invalid(format!("{} to a client", typ.name()), "direction", "MTP-15", data);
        }
    }
    for typ in [FrameType::InviteReq, FrameType::MsgReq] {
        let data = client(header(typ, 36, 3, SESSION, Uid::SERVER));
        file.invalid(format!("uid 0 in {}", typ.name()), "uid", "MTP-21", data);
    }
    for typ in [FrameType::InitRes, FrameType::MsgRes, FrameType::StatusReq] {
        for uid in [BOB, ALICE] {
            let sid = if typ == FrameType::StatusReq { Sid::NONE } else { SESSION };
            let data = client(header(typ, 36, 3, sid, uid));
            file.invalid(format!("uid {uid} in {}", typ.name()), "uid", "MTP-21", data);
        }
    }
    for (typ, uid) in [
        (FrameType::CloseRes, BOB),
        (FrameType::StatusRes, BOB),
        (FrameType::StatusRes, ALICE),
        (FrameType::MsgReq, ALICE),
        (FrameType::MsgReq, Uid(u64::MAX)),
        (FrameType::InviteReq, Uid(1 << 63)),
    ] {
        let data = client(header(typ, 36, 3, SESSION, uid));
        file.valid(format!("uid {uid} in {}", typ.name()), "uid", "MTP-21", data);
    }
    let base = header(FrameType::StatusRes, 42, 3, SESSION, Uid::SERVER);
    file.invalid("ver 0101 to a client", "version", "MTP-03", client(frame::Header { ver: 0x0101, ..base }));
    file.invalid("typ 0500 to a client", "undefined-type", "MTP-04", client(frame::Header { typ: 0x0500, ..base }));
    file.invalid("len 35 to a client", "boundary", "MTP-05", client(frame::Header { len: 35, ..base }));
    file.invalid("a gap to a client", "sequence", "MTP-08", client(frame::Header { sqn: 4, ..base }));
    file.invalid("a replay to a client", "sequence", "MTP-08", client(frame::Header { sqn: 2, ..base }));
}

fn header(typ: FrameType, len: u16, sqn: u16, sid: Sid, uid: Uid) -> frame::Header {
    frame::Header { ver: frame::VERSION, typ: typ.code(), len, sqn, sid, uid }
}

fn data(header: frame::Header, receiver: Receiver, last_sqn: u16) -> Header {
    // Written out here, not by `Header::encode`, which is what is tested.
    let mut bytes = Vec::new();
    for field in [header.ver, header.typ, header.len, header.sqn] {
        bytes.extend_from_slice(&[(field >> 8) as u8, (field & 0xff) as u8]);
    }
    for field in [header.sid.0, header.uid.0] {
        bytes.extend((0..8).rev().map(|n| (field >> (8 * n) & 0xff) as u8));
    }
    let fields = Fields {
        ver: bytes[..2].into(),
        typ: bytes[2..4].into(),
        len: header.len,
        sqn: header.sqn,
        sid: header.sid.to_string(),
        uid: header.uid.to_string(),
    };
    Header { header: bytes.into(), fields, receiver, client: ALICE.to_string(), last_sqn }
}

impl Data for Header {
    fn check(
        &self,
        verdict: Verdict,
        rules: &[&str],
        maker: &'static dyn Provider,
        reader: &'static dyn Provider,
    ) -> Result<(), String> {
        let bytes: [u8; 24] = self.header.array()?;
        let header = frame::Header::decode(&bytes);
        same("the header written again", &header.encode(), &bytes)?;
        same("ver", &header.ver.to_be_bytes(), &self.fields.ver.0)?;
        same("typ", &header.typ.to_be_bytes(), &self.fields.typ.0)?;
        let (sid, uid) = (header.sid.to_string(), header.uid.to_string());
        if (header.len, header.sqn, &sid, &uid)
            != (self.fields.len, self.fields.sqn, &self.fields.sid, &self.fields.uid)
        {
            return Err(format!("read as {header:?}"));
        }
        let client: Uid = self.client.parse().map_err(|_| "client is no uid text".to_owned())?;
        let side = match self.receiver {
            Receiver::Client => Side::Client,
            Receiver::Server => Side::Server,
        };
        let cipher = |provider| FrameCipher::new(provider, &DirectionKeys::new([0; 32], [0; 12]));
        let (sealer, opener) = (Sealer::new(cipher(maker), Some(1)), Opener::new(cipher(reader), self.last_sqn));
        let got = Channel::new(side, client, sealer, opener).check_header(&header);
        judge(verdict, rules, got, |error: &HeaderError| Some(error.rule()))
    }
}
