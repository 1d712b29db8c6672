//! The keys of `harness/kit` that the vectors use, by the names of their files.

use mpchat_proto::crypto::{PrivateKey, Provider, PublicKey};
use mpchat_proto::ids::Uid;

/// alice, as in `harness/kit/names.toml`.
pub(crate) const ALICE: Uid = Uid(0xa11ce);
/// bob.
pub(crate) const BOB: Uid = Uid(0xb0b00);
/// carol.
pub(crate) const CAROL: Uid = Uid(0xca401e);
/// A uid with its top bit set.
pub(crate) const HIGH: Uid = Uid(0xcf89_5442_2083_9215);
/// A uid that the kit does not have.
pub(crate) const STRANGER: Uid = Uid(0x5772_a49e);

/// The server's key file.
pub(crate) const SERVER: &str = "server";

const KEYS: [(&str, &str); 5] = [
    (SERVER, include_str!("../../../kit/server.key.pem")),
    ("00000000000a11ce", include_str!("../../../kit/00000000000a11ce.key.pem")),
    ("00000000000b0b00", include_str!("../../../kit/00000000000b0b00.key.pem")),
    ("0000000000ca401e", include_str!("../../../kit/0000000000ca401e.key.pem")),
    ("cf89544220839215", include_str!("../../../kit/cf89544220839215.key.pem")),
];

/// The private key with this name: `server` or a uid text.
pub(crate) fn private(provider: &dyn Provider, name: &str) -> Result<PrivateKey, String> {
    let (_, pem) =
        KEYS.iter().find(|(known, _)| *known == name).ok_or_else(|| format!("no key `{name}` in the kit"))?;
    provider.private_key(pem).map_err(|error| error.to_string())
}

/// Its public half.
pub(crate) fn public(provider: &dyn Provider, name: &str) -> Result<PublicKey, String> {
    private(provider, name).map(|key| key.public())
}

/// The public key of the server or a user, for making vectors.
pub(crate) fn known_public(name: &str) -> PublicKey {
    public(super::data::maker(), name).expect("a key of the kit")
}
