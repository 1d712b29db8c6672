//! `keys.json`: the key schedule of section 4.

use mpchat_proto::crypto::Provider;
use mpchat_proto::keys::{DirectionKeys, LoginKeys, Secret, TransferKeys};
use serde::{Deserialize, Serialize};

use super::data::{Bytes, Hex, bytes32, maker};
use super::file::{Data, File, Verdict, same};

/// Secrets, and the keys that come from them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Schedule {
    tk: Hex,
    /// Left out: the keys are those of the login frames.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    transfer: Option<Transfer>,
    c2s: Keys,
    s2c: Keys,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Transfer {
    sk: Hex,
    /// Any bytes here: only their hash enters.
    login_request: Bytes,
    login_response: Bytes,
    /// SHA-256 of both.
    salt: Hex,
}

/// Key and iv of one direction.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keys {
    key: Hex,
    iv: Hex,
}

impl Keys {
    pub(crate) fn of(keys: &DirectionKeys) -> Self {
        let (key, iv) = keys.expose();
        Self { key: (*key).into(), iv: (*iv).into() }
    }

    pub(crate) fn check(&self, what: &str, keys: &DirectionKeys) -> Result<(), String> {
        let (key, iv) = keys.expose();
        same(&format!("{what} key"), key, &self.key.0)?;
        same(&format!("{what} iv"), iv, &self.iv.0)
    }
}

pub(crate) fn make() -> File<Schedule> {
    let mut file = File::new(
        "HKDF-SHA-256 of section 4. With `transfer`: the transfer keys from tk, sk and both login frames; without: the login keys from tk.",
    );
    let mut shares: Vec<(String, [u8; 32])> = vec![
        ("zeros".to_owned(), [0; 32]),
        ("ones".to_owned(), [0xff; 32]),
        ("counting up".to_owned(), std::array::from_fn(|n| n as u8)),
        ("only the first bit".to_owned(), std::array::from_fn(|n| if n == 0 { 0x80 } else { 0 })),
        ("only the last bit".to_owned(), std::array::from_fn(|n| u8::from(n == 31))),
    ];
    shares.extend((1..=5).map(|n| (format!("random {n}"), bytes32(&format!("share {n}")))));
    for (name, tk) in &shares {
        let keys = LoginKeys::derive(maker(), &secret(tk));
        let data = Schedule { tk: (*tk).into(), transfer: None, c2s: Keys::of(&keys.c2s), s2c: Keys::of(&keys.s2c) };
        file.valid(format!("login keys, tk: {name}"), "key-schedule", "LOGIN-04", data);
    }
    for (n, (name, tk)) in shares.iter().enumerate() {
        let (other, sk) = &shares[(n + 1) % shares.len()];
        let data = transfer(tk, sk, Bytes::repeat([n as u8], 292), Bytes::repeat([0x80 + n as u8], 298));
        file.valid(format!("transfer keys, tk: {name}, sk: {other}"), "key-schedule", "LOGIN-04", data);
    }
    let (tk, sk) = (bytes32("share 1"), bytes32("share 2"));
    for (name, request, response) in [
        ("frames of no bytes: the salt is the hash of nothing", Bytes::of(""), Bytes::of("")),
        ("a byte moved from one frame to the other changes nothing", Bytes::repeat("a", 291), Bytes::repeat("a", 299)),
        ("the same bytes in all", Bytes::repeat("a", 292), Bytes::repeat("a", 298)),
        ("swapped frames", Bytes::repeat("b", 298), Bytes::repeat("a", 292)),
    ] {
        file.valid(format!("transfer keys: {name}"), "key-schedule", "LOGIN-04", transfer(&tk, &sk, request, response));
    }
    let data = transfer(&sk, &tk, Bytes::repeat("a", 292), Bytes::repeat("a", 298));
    file.valid("transfer keys: tk and sk swapped", "key-schedule", "LOGIN-04", data);
    let data = transfer(&tk, &tk, Bytes::repeat("a", 292), Bytes::repeat("a", 298));
    file.valid("transfer keys: the same tk and sk", "key-schedule", "LOGIN-04", data);
    file
}

fn transfer(tk: &[u8; 32], sk: &[u8; 32], login_request: Bytes, login_response: Bytes) -> Schedule {
    let bytes = |bytes: &Bytes| bytes.get().expect("a frame");
    let (request, response) = (bytes(&login_request), bytes(&login_response));
    let keys = TransferKeys::derive(maker(), &secret(tk), &secret(sk), &request, &response);
    let salt = maker().sha256(&[&request, &response]).into();
    let transfer = Transfer { sk: (*sk).into(), login_request, login_response, salt };
    Schedule { tk: (*tk).into(), transfer: Some(transfer), c2s: Keys::of(&keys.c2s), s2c: Keys::of(&keys.s2c) }
}

fn secret(bytes: &[u8]) -> Secret {
    Secret::from_slice(bytes).expect("32 bytes")
}

/// A share of a file.
pub(crate) fn share(hex: &Hex) -> Result<Secret, String> {
    Secret::from_slice(&hex.0).ok_or_else(|| format!("a share of {} bytes", hex.0.len()))
}

impl Data for Schedule {
    fn check(
        &self,
        _: Verdict,
        _: &[&str],
        maker: &'static dyn Provider,
        _: &'static dyn Provider,
    ) -> Result<(), String> {
        let tk = share(&self.tk)?;
        let (c2s, s2c) = match &self.transfer {
            None => {
                let LoginKeys { c2s, s2c } = LoginKeys::derive(maker, &tk);
                (c2s, s2c)
            }
            Some(transfer) => {
                let (request, response) = (transfer.login_request.get()?, transfer.login_response.get()?);
                same("salt", &maker.sha256(&[&request, &response]), &transfer.salt.0)?;
                let TransferKeys { c2s, s2c } =
                    TransferKeys::derive(maker, &tk, &share(&transfer.sk)?, &request, &response);
                (c2s, s2c)
            }
        };
        self.c2s.check("c2s", &c2s)?;
        self.s2c.check("s2c", &s2c)
    }
}
