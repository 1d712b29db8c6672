//! `login-refusals.json`: logins in which one frame is wrong, and refused.

use mpchat_proto::crypto::Provider;
use mpchat_proto::frame::{ETK_LEN, FrameType, Header};
use mpchat_proto::ids::{Sid, Uid};
use mpchat_proto::keys::{DirectionKeys, FrameCipher, LoginKeys};
use mpchat_proto::login::{LoginError, ServerLogin};
use serde::{Deserialize, Serialize};

use super::data::{Fixed, Hex, bytes32, maker};
use super::encoding::{Encoding, Hash, RIGHT, oaep, pkcs1};
use super::file::{Data, File, Verdict, judge};
use super::keys::share;
use super::kit::{self, ALICE, BOB, STRANGER};
use super::logins::{Secrets, play, respond, secrets, start, transfer};

/// A login that goes wrong.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refusal {
    /// The uid text; its key is that of harness/kit.
    user: String,
    /// Of this login, all right but for one frame.
    secrets: Secrets,
    /// The step of that frame: its receiver closes.
    step: usize,
    /// The frame that comes instead.
    frame: Hex,
}

/// What makes frames by hand.
struct Bench {
    secrets: Secrets,
    steps: [Vec<u8>; 4],
    login: LoginKeys,
    c2s: DirectionKeys,
    s2c: DirectionKeys,
}

pub(crate) fn make() -> File<Refusal> {
    let mut file = File::new(
        "Logins as in logins.json in which frame comes in place of one step. The steps before it are right, and come from secrets. Its receiver closes without any answer.",
    );
    let secrets = secrets("refused");
    let steps = play(ALICE, &secrets, maker(), maker()).expect("a login by the specification").steps;
    let login = LoginKeys::derive(maker(), &share(&secrets.tk).expect("32 bytes"));
    let keys = transfer(&secrets, &steps, maker()).expect("shares of 32 bytes");
    let bench = Bench { secrets, steps, login, c2s: keys.c2s, s2c: keys.s2c };
    step_1(&mut file, &bench);
    step_2(&mut file, &bench);
    step_3(&mut file, &bench);
    step_4(&mut file, &bench);
    file
}

fn step_1(file: &mut File<Refusal>, bench: &Bench) {
    let etk = last(&bench.steps[0]);
    let right = Header::for_payload(FrameType::StatusReq, 1, Sid::NONE, ALICE, 0, true);
    let keys = &bench.login.c2s;
    let mut add = |name: &str, flags: &str, rules: &str, frame: Vec<u8>| {
        file.invalid(format!("step 1: {name}"), flags, rules, bench.refusal(1, frame));
    };
    add("ver 01 01", "version", "MTP-03", seal(keys, Header { ver: 0x0101, ..right }, b"", Some(&etk)));
    for (name, typ) in [("init_req", 0x0000), ("msg_req", 0x0200), ("status_res", 0x0410)] {
        add(&format!("type {name}"), "type", "LOGIN-01", seal(keys, Header { typ, ..right }, b"", Some(&etk)));
    }
    add(
        "type 05 00",
        "undefined-type",
        "MTP-04 LOGIN-01",
        seal(keys, Header { typ: 0x0500, ..right }, b"", Some(&etk)),
    );
    for sqn in [0, 2, 256] {
        let frame = seal(keys, Header { sqn, ..right }, b"", Some(&etk));
        add(&format!("sqn {sqn}"), "sequence", "LOGIN-17 MTP-08", frame);
    }
    for (name, sid) in [("1", 1), ("with its top bit set", 1 << 63)] {
        add(&format!("sid {name}"), "sid", "LOGIN-06", seal(keys, Header { sid: Sid(sid), ..right }, b"", Some(&etk)));
    }
    for (name, uid) in
        [("0", Uid::SERVER), ("nobody knows", STRANGER), ("alice's with bit 63 set", Uid(ALICE.0 | 1 << 63))]
    {
        add(&format!("uid {name}"), "uid", "LOGIN-06", seal(keys, Header { uid, ..right }, b"", Some(&etk)));
    }
    for payload in ["Online", "\n", "\0"] {
        let header = Header { len: right.len + payload.len() as u16, ..right };
        let frame = seal(keys, header, payload.as_bytes(), Some(&etk));
        add(&format!("a payload of {} bytes", payload.len()), "exact-text", "LOGIN-06", frame);
    }
    for at in [24, 35] {
        add(&format!("mac byte {} changed", at - 24), "mac", "LOGIN-06", flipped(&bench.steps[0], at));
    }
    for at in [36, 163, 291] {
        add(&format!("etk byte {} changed", at - 36), "etk", "LOGIN-06", flipped(&bench.steps[0], at));
    }
    let mut other = bench.steps[0].clone();
    other[16..24].copy_from_slice(&BOB.0.to_be_bytes());
    add("bob's uid put in after sealing", "aad", "LOGIN-06", other);
    add(
        "sealed with the login key of the other direction",
        "key",
        "LOGIN-06",
        seal(&bench.login.s2c, right, b"", Some(&etk)),
    );
    add("sealed with the transfer key", "key", "LOGIN-06", seal(&bench.c2s, right, b"", Some(&etk)));
    let seed = bytes32("refused seed");
    let tk = &bench.secrets.tk.0;
    for (name, flags, etk) in [
        ("etk of 31 bytes", "share-size", oaep(kit::SERVER, &seed, &tk[..31], &RIGHT)),
        ("etk of 33 bytes", "share-size", oaep(kit::SERVER, &seed, &[&tk[..], &[0]].concat(), &RIGHT)),
        ("etk of no bytes", "share-size", oaep(kit::SERVER, &seed, b"", &RIGHT)),
        (
            "etk with SHA-1",
            "padding",
            oaep(kit::SERVER, &seed, tk, &Encoding { hash: Hash::Sha1, mgf: Hash::Sha1, ..RIGHT }),
        ),
        ("etk with a label", "padding", oaep(kit::SERVER, &seed, tk, &Encoding { label: b"mpchat", ..RIGHT })),
        ("etk with PKCS #1 v1.5", "padding", pkcs1(kit::SERVER, 0x5a, tk)),
        (
            "etk whose encoded message begins with 01",
            "encoding",
            oaep(kit::SERVER, &seed, tk, &Encoding { first: 1, ..RIGHT }),
        ),
        ("etk for alice's own key", "etk", oaep(&ALICE.to_string(), &seed, tk, &RIGHT)),
        ("etk of ones", "ciphertext-size", [0xff; ETK_LEN]),
    ] {
        add(name, flags, "LOGIN-06", seal(keys, right, b"", Some(&etk)));
    }
}

fn step_2(file: &mut File<Refusal>, bench: &Bench) {
    let etk = last(&bench.steps[1]);
    let right = Header::for_payload(FrameType::StatusRes, 1, Sid::NONE, Uid::SERVER, 6, true);
    let keys = &bench.login.s2c;
    let mut add = |name: &str, flags: &str, rules: &str, frame: Vec<u8>| {
        file.invalid(format!("step 2: {name}"), flags, rules, bench.refusal(2, frame));
    };
    add("ver 02 00", "version", "MTP-03", seal(keys, Header { ver: 0x0200, ..right }, b"Online", Some(&etk)));
    for (name, typ) in [("status_req", 0x0400), ("init_res", 0x0010)] {
        add(&format!("type {name}"), "type", "LOGIN-01", seal(keys, Header { typ, ..right }, b"Online", Some(&etk)));
    }
    for sqn in [0, 2] {
        let frame = seal(keys, Header { sqn, ..right }, b"Online", Some(&etk));
        add(&format!("sqn {sqn}"), "sequence", "LOGIN-17 MTP-08", frame);
    }
    add("sid 1", "sid", "LOGIN-12", seal(keys, Header { sid: Sid(1), ..right }, b"Online", Some(&etk)));
    add("alice's uid", "uid", "LOGIN-12", seal(keys, Header { uid: ALICE, ..right }, b"Online", Some(&etk)));
    for payload in ["", "Offline", "online", "OK", "Online\n", "\u{feff}Online"] {
        let header = Header { len: 292 + payload.len() as u16, ..right };
        let frame = seal(keys, header, payload.as_bytes(), Some(&etk));
        add(&format!("the payload {payload:?}"), "exact-text", "LOGIN-12", frame);
    }
    add("mac changed", "mac", "LOGIN-12", flipped(&bench.steps[1], 41));
    add("etk changed", "etk", "LOGIN-12", flipped(&bench.steps[1], 297));
    add(
        "sealed with the login key of the other direction",
        "key",
        "LOGIN-12",
        seal(&bench.login.c2s, right, b"Online", Some(&etk)),
    );
    add("sealed with the transfer key", "key", "LOGIN-12", seal(&bench.s2c, right, b"Online", Some(&etk)));
    let (seed, sk, alice) = (bytes32("refused seed"), &bench.secrets.sk.0, ALICE.to_string());
    for (name, flags, etk) in [
        ("etk of 31 bytes", "share-size", oaep(&alice, &seed, &sk[..31], &RIGHT)),
        ("etk of 33 bytes", "share-size", oaep(&alice, &seed, &[&sk[..], &[0]].concat(), &RIGHT)),
        (
            "etk with SHA-1",
            "padding",
            oaep(&alice, &seed, sk, &Encoding { hash: Hash::Sha1, mgf: Hash::Sha1, ..RIGHT }),
        ),
        ("etk with PKCS #1 v1.5", "padding", pkcs1(&alice, 0x5a, sk)),
        ("etk of ones", "ciphertext-size", [0xff; ETK_LEN]),
    ] {
        add(name, flags, "LOGIN-12", seal(keys, right, b"Online", Some(&etk)));
    }
}

fn step_3(file: &mut File<Refusal>, bench: &Bench) {
    let right = Header::for_payload(FrameType::StatusReq, 2, Sid::NONE, Uid::SERVER, 0, false);
    let keys = &bench.s2c;
    let mut add = |name: &str, flags: &str, rules: &str, frame: Vec<u8>| {
        file.invalid(format!("step 3: {name}"), flags, rules, bench.refusal(3, frame));
    };
    for (name, typ, uid, payload) in [
        ("status_res", 0x0410, Uid::SERVER, &b"Online"[..]),
        ("invite_req", 0x0300, BOB, b""),
        ("msg_req", 0x0200, BOB, b"x\n"),
    ] {
        let header = Header { typ, uid, len: 36 + payload.len() as u16, ..right };
        add(&format!("type {name}"), "type", "LOGIN-14", seal(keys, header, payload, None));
    }
    for sqn in [1, 3] {
        add(&format!("sqn {sqn}"), "sequence", "MTP-08 LOGIN-17", seal(keys, Header { sqn, ..right }, b"", None));
    }
    add("sid 1", "sid", "LOGIN-17 PAY-05", seal(keys, Header { sid: Sid(1), ..right }, b"", None));
    add("alice's uid", "uid", "MTP-21 LOGIN-17", seal(keys, Header { uid: ALICE, ..right }, b"", None));
    add("a payload", "exact-text", "LOGIN-17 PAY-05", seal(keys, Header { len: 37, ..right }, b"x", None));
    add("mac changed", "mac", "MTP-11", flipped(&bench.steps[2], 35));
    add("sealed with the login key", "key", "LOGIN-04 MTP-11", seal(&bench.login.s2c, right, b"", None));
    add(
        "sealed with the transfer key of the other direction",
        "key",
        "LOGIN-04 MTP-11",
        seal(&bench.c2s, right, b"", None),
    );
}

fn step_4(file: &mut File<Refusal>, bench: &Bench) {
    let right = Header::for_payload(FrameType::StatusRes, 2, Sid::NONE, ALICE, 6, false);
    let keys = &bench.c2s;
    let mut add = |name: &str, flags: &str, rules: &str, frame: Vec<u8>| {
        file.invalid(format!("step 4: {name}"), flags, rules, bench.refusal(4, frame));
    };
    for (name, typ, payload) in
        [("status_req", 0x0400, &b""[..]), ("msg_res", 0x0210, b"OK"), ("init_req", 0x0000, b"00000000000b0b00\n")]
    {
        let header = Header { typ, len: 36 + payload.len() as u16, ..right };
        add(&format!("type {name}"), "type", "LOGIN-08", seal(keys, header, payload, None));
    }
    for sqn in [1, 3] {
        add(&format!("sqn {sqn}"), "sequence", "MTP-08 LOGIN-17", seal(keys, Header { sqn, ..right }, b"Online", None));
    }
    add("sid 1", "sid", "LOGIN-08", seal(keys, Header { sid: Sid(1), ..right }, b"Online", None));
    for (name, uid) in [("bob's uid", BOB), ("uid 0", Uid::SERVER)] {
        add(name, "uid", "MTP-14 LOGIN-17", seal(keys, Header { uid, ..right }, b"Online", None));
    }
    for (payload, rules) in
        [("Offline", "LOGIN-08"), ("online", "PAY-05"), ("", "PAY-05"), ("Online\n", "PAY-05"), ("OK", "PAY-05")]
    {
        let header = Header { len: 36 + payload.len() as u16, ..right };
        add(&format!("the payload {payload:?}"), "exact-text", rules, seal(keys, header, payload.as_bytes(), None));
    }
    add("mac changed", "mac", "LOGIN-07 MTP-11", flipped(&bench.steps[3], 41));
    add("sealed with the login key", "key", "LOGIN-04 MTP-11", seal(&bench.login.c2s, right, b"Online", None));
    add(
        "sealed with the transfer key of the other direction",
        "key",
        "LOGIN-04 MTP-11",
        seal(&bench.s2c, right, b"Online", None),
    );
    let (tk, sk) = (&bench.secrets.tk.0[..], &bench.secrets.sk.0[..]);
    let (request, response) = (&bench.steps[0][..], &bench.steps[1][..]);
    let hash = |parts: &[&[u8]]| maker().sha256(parts).to_vec();
    let both = hash(&[request, response]);
    let info: &[u8] = b"mpchat/1.0 transfer c2s";
    for (name, ikm, salt, info) in [
        ("the secret sk || tk", vec![sk, tk], both.clone(), info),
        ("the secret tk alone", vec![tk], both.clone(), info),
        ("the secret sk alone", vec![sk], both.clone(), info),
        ("no salt", vec![tk, sk], Vec::new(), info),
        ("the request alone in the salt", vec![tk, sk], hash(&[request]), info),
        ("response before request in the salt", vec![tk, sk], hash(&[response, request]), info),
        ("both frames without etk in the salt", vec![tk, sk], hash(&[&request[..36], &response[..42]]), info),
        ("the info of the login keys", vec![tk, sk], both.clone(), b"mpchat/1.0 login c2s"),
        ("an info without the space", vec![tk, sk], both.clone(), b"mpchat/1.0 transferc2s"),
        ("an info that ends with NUL", vec![tk, sk], both, b"mpchat/1.0 transfer c2s\0"),
    ] {
        let mut okm = [0; 44];
        maker().hkdf_sha256(&salt, &ikm, &[info], &mut okm);
        let (mut key, mut iv) = ([0; 32], [0; 12]);
        key.copy_from_slice(&okm[..32]);
        iv.copy_from_slice(&okm[32..]);
        let frame = seal(&DirectionKeys::new(key, iv), right, b"Online", None);
        add(&format!("keys from {name}"), "key-schedule", "LOGIN-07 LOGIN-04 MTP-11", frame);
    }
}

impl Bench {
    fn refusal(&self, step: usize, frame: Vec<u8>) -> Refusal {
        Refusal { user: ALICE.to_string(), secrets: self.secrets.clone(), step, frame: frame.into() }
    }
}

fn seal(keys: &DirectionKeys, header: Header, payload: &[u8], etk: Option<&[u8; ETK_LEN]>) -> Vec<u8> {
    FrameCipher::new(maker(), keys).seal(&header, payload, etk)
}

/// The etk of a login frame.
fn last(frame: &[u8]) -> [u8; ETK_LEN] {
    *frame.last_chunk().expect("a login frame")
}

fn flipped(frame: &[u8], at: usize) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame[at] ^= 0x01;
    frame
}

impl Data for Refusal {
    fn check(
        &self,
        verdict: Verdict,
        rules: &[&str],
        maker: &'static dyn Provider,
        reader: &'static dyn Provider,
    ) -> Result<(), String> {
        let user: Uid = self.user.parse().map_err(|_| format!("`{}` is no uid text", self.user))?;
        let mut frame = self.frame.0.clone();
        let text = |error: LoginError| error.to_string();
        let got = match self.step {
            1 => {
                let mut rng = Fixed::new(&[&self.secrets.sk.0, &self.secrets.sk_seed.0]);
                let server = kit::private(reader, kit::SERVER)?;
                let user = |uid: Uid| kit::public(reader, &uid.to_string()).ok();
                ServerLogin::request(reader, &mut rng, &server, user, &mut frame).map(|_| ())
            }
            2 => start(user, &self.secrets, reader)?.1.response(&mut frame).map(|_| ()),
            3 => {
                let (mut step_1, half) = start(user, &self.secrets, reader)?;
                let (mut step_2, _, _) = respond(&self.secrets, maker, &mut step_1)?;
                half.response(&mut step_2).map_err(text)?.request(&mut frame).map(|_| ())
            }
            4 => {
                let (mut step_1, _) = start(user, &self.secrets, maker)?;
                let (_, _, half) = respond(&self.secrets, reader, &mut step_1)?;
                half.response(&mut frame).map(|_| ())
            }
            step => return Err(format!("there is no step {step}")),
        };
        judge(verdict, rules, got, |error| Some(error.rule()))
    }
}
