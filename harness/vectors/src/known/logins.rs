//! `logins.json`: the four frames of logins, and the keys that they end with.

use mpchat_proto::crypto::Provider;
use mpchat_proto::ids::Uid;
use mpchat_proto::keys::TransferKeys;
use mpchat_proto::login::{Channel, ClientLogin, ServerLogin};
use serde::{Deserialize, Serialize};

use super::data::{Fixed, Hex, bytes32, maker};
use super::file::{Data, File, Verdict, same};
use super::keys::{Keys, share};
use super::kit::{self, ALICE, BOB, CAROL, HIGH};

/// What is random in a login.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Secrets {
    pub(crate) tk: Hex,
    /// The OAEP seed of the login request's etk.
    pub(crate) tk_seed: Hex,
    pub(crate) sk: Hex,
    /// The OAEP seed of the login response's etk.
    pub(crate) sk_seed: Hex,
}

/// A login.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Transcript {
    /// The uid text; its key is that of harness/kit.
    user: String,
    secrets: Secrets,
    step_1: Hex,
    step_2: Hex,
    step_3: Hex,
    step_4: Hex,
    c2s: Keys,
    s2c: Keys,
}

/// The frames of a login, and both ends of the connection.
pub(crate) struct Played {
    pub(crate) steps: [Vec<u8>; 4],
    pub(crate) client: Channel,
    pub(crate) server: Channel,
}

pub(crate) fn make() -> File<Transcript> {
    let mut file = File::new(
        "Logins with all that is random fixed: the four frames, and the transfer keys of both directions. etk is RSAES-OAEP under server.pub.pem (step 1) and <user>.pub.pem (step 2) of harness/kit, with the seeds given.",
    );
    for (name, uid) in
        [("alice", ALICE), ("bob", BOB), ("carol", CAROL), ("a user whose uid has its top bit set", HIGH)]
    {
        for n in 1..=2 {
            let data = transcript(uid, secrets(&format!("{uid} {n}")));
            file.valid(format!("{name}, connection {n}"), "etk key-schedule", "LOGIN-17 LOGIN-04", data);
        }
    }
    let fixed = |byte: u8| Hex::from([byte; 32]);
    for (name, tk, sk) in [("tk of zeros", 0, 0x5a), ("sk of zeros", 0x5a, 0), ("tk equal to sk", 0x5a, 0x5a)] {
        let secrets = Secrets { tk: fixed(tk), tk_seed: fixed(1), sk: fixed(sk), sk_seed: fixed(2) };
        file.valid(format!("alice, {name}"), "etk key-schedule", "LOGIN-17 LOGIN-04", transcript(ALICE, secrets));
    }
    file
}

pub(crate) fn secrets(label: &str) -> Secrets {
    let share = |name: &str| Hex::from(bytes32(&format!("login {label} {name}")));
    Secrets { tk: share("tk"), tk_seed: share("tk seed"), sk: share("sk"), sk_seed: share("sk seed") }
}

fn transcript(user: Uid, secrets: Secrets) -> Transcript {
    let played = play(user, &secrets, maker(), maker()).expect("a login by the specification");
    let keys = transfer(&secrets, &played.steps, maker()).expect("shares of 32 bytes");
    let [step_1, step_2, step_3, step_4] = played.steps.map(Hex);
    let (c2s, s2c) = (Keys::of(&keys.c2s), Keys::of(&keys.s2c));
    Transcript { user: user.to_string(), secrets, step_1, step_2, step_3, step_4, c2s, s2c }
}

pub(crate) fn transfer(
    secrets: &Secrets,
    steps: &[Vec<u8>; 4],
    provider: &dyn Provider,
) -> Result<TransferKeys, String> {
    Ok(TransferKeys::derive(provider, &share(&secrets.tk)?, &share(&secrets.sk)?, &steps[0], &steps[1]))
}

/// Plays a login between a client with one provider and a server with another.
pub(crate) fn play(
    user: Uid,
    secrets: &Secrets,
    client: &'static dyn Provider,
    server: &'static dyn Provider,
) -> Result<Played, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let (step_1, half) = start(user, secrets, client)?;
    let (step_2, step_3, server_half) = respond(secrets, server, &mut step_1.clone())?;
    let half = half.response(&mut step_2.clone()).map_err(|e| text(&e))?;
    let (step_4, client) = half.request(&mut step_3.clone()).map_err(|e| text(&e))?;
    let server = server_half.response(&mut step_4.clone()).map_err(|e| text(&e))?;
    Ok(Played { steps: [step_1, step_2, step_3, step_4], client, server })
}

/// The client's first step.
pub(crate) fn start(
    user: Uid,
    secrets: &Secrets,
    provider: &'static dyn Provider,
) -> Result<(Vec<u8>, ClientLogin), String> {
    let mut rng = Fixed::new(&[&secrets.tk.0, &secrets.tk_seed.0]);
    let key = kit::private(provider, &user.to_string())?;
    Ok(ClientLogin::start(provider, &mut rng, user, key, &kit::public(provider, kit::SERVER)?))
}

/// The server's steps 2 and 3.
pub(crate) fn respond(
    secrets: &Secrets,
    provider: &'static dyn Provider,
    step_1: &mut [u8],
) -> Result<(Vec<u8>, Vec<u8>, mpchat_proto::login::ServerHalf), String> {
    let mut rng = Fixed::new(&[&secrets.sk.0, &secrets.sk_seed.0]);
    let server = kit::private(provider, kit::SERVER)?;
    let user = |uid: Uid| kit::public(provider, &uid.to_string()).ok();
    ServerLogin::request(provider, &mut rng, &server, user, step_1).map_err(|error| error.to_string())
}

impl Data for Transcript {
    fn check(
        &self,
        _: Verdict,
        _: &[&str],
        maker: &'static dyn Provider,
        reader: &'static dyn Provider,
    ) -> Result<(), String> {
        let user: Uid = self.user.parse().map_err(|_| format!("`{}` is no uid text", self.user))?;
        let mut played = play(user, &self.secrets, maker, reader)?;
        let steps = [&self.step_1, &self.step_2, &self.step_3, &self.step_4];
        for (n, (got, expected)) in played.steps.iter().zip(steps).enumerate() {
            same(&format!("step {}", n + 1), got, &expected.0)?;
        }
        let keys = transfer(&self.secrets, &played.steps, maker)?;
        self.c2s.check("c2s", &keys.c2s)?;
        self.s2c.check("s2c", &keys.s2c)?;
        // Both ends go on with the same keys.
        let typ = mpchat_proto::frame::FrameType::StatusReq;
        let mut frame =
            played.client.seal(typ, mpchat_proto::ids::Sid::NONE, user, b"").map_err(|error| error.to_string())?;
        played.server.open(&mut frame).map(|_| ()).map_err(|_| "the ends do not understand each other".to_owned())
    }
}
