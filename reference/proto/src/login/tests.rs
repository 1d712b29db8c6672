#![allow(clippy::unwrap_used, reason = "a test")]

use rand::SeedableRng;
use rand::rngs::StdRng;
use rstest::rstest;

use super::*;
use crate::crypto::{BadMac, Provider, PublicKey, default_provider};
use crate::frame::FrameType;
use crate::ids::Uid;
use crate::keys::{DirectionKeys, FrameCipher, LoginKeys, Secret};
use crate::payload::PayloadError;
use crate::testing::*;

fn directory(provider: &dyn Provider) -> impl Fn(Uid) -> Option<PublicKey> {
    let alice = public(provider, ALICE_PUB);
    move |uid| (uid == ALICE).then(|| alice.clone())
}

fn start(provider: &'static dyn Provider, rng: &mut dyn rand_core::CryptoRng) -> (Vec<u8>, ClientLogin) {
    ClientLogin::start(provider, rng, ALICE, private(provider, ALICE_KEY), &public(provider, SERVER_PUB))
}

type Answered = Result<(Vec<u8>, Vec<u8>, ServerHalf), LoginError>;

fn answer(provider: &'static dyn Provider, rng: &mut dyn rand_core::CryptoRng, frame: &mut [u8]) -> Answered {
    ServerLogin::request(provider, rng, &private(provider, SERVER_KEY), directory(provider), frame)
}

/// A whole login: the channels of client and server.
fn login(client: &'static dyn Provider, server: &'static dyn Provider) -> (Channel, Channel) {
    let mut rng = StdRng::seed_from_u64(1);
    let (mut one, waiting) = start(client, &mut rng);
    let (mut two, mut three, half) = answer(server, &mut rng, &mut one).unwrap();
    assert_eq!(half.uid(), ALICE);
    let (mut four, alice) = waiting.response(&mut two).unwrap().request(&mut three).unwrap();
    (alice, half.response(&mut four).unwrap())
}

#[test]
fn the_four_frames_are_those_of_an_independent_implementation() {
    for provider in providers() {
        let mut rng = Script::of(&[0x11, 0x33]);
        let (one, waiting) = start(provider, &mut rng);
        assert!(rng.is_used_up());
        assert_eq!(hex::encode(&one), hex::encode(known("login 1")), "{provider:?}");
        let mut rng = Script::of(&[0x22, 0x44]);
        let (two, three, half) = answer(provider, &mut rng, &mut known("login 1")).unwrap();
        assert!(rng.is_used_up());
        assert_eq!(hex::encode(&two), hex::encode(known("login 2")), "{provider:?}");
        assert_eq!(hex::encode(&three), hex::encode(known("login 3")), "{provider:?}");
        let client = waiting.response(&mut known("login 2")).unwrap();
        let (four, alice) = client.request(&mut known("login 3")).unwrap();
        assert_eq!(hex::encode(&four), hex::encode(known("login 4")), "{provider:?}");
        let server = half.response(&mut known("login 4")).unwrap();
        assert_eq!((alice.uid, server.uid), (ALICE, ALICE));
    }
}

#[test]
fn both_ends_understand_each_other_afterwards() {
    for (one, other) in pairs() {
        let (mut alice, mut server) = login(one, other);
        assert_eq!((alice.side(), server.side()), (Side::Client, Side::Server));
        for sqn in 3..10 {
            assert_eq!((alice.next_out(), server.last_in()), (Some(sqn), sqn - 1));
            let mut frame = alice.seal(FrameType::MsgReq, Sid(7), ALICE, b"line\n").unwrap();
            let header = Header::for_payload(FrameType::MsgReq, sqn, Sid(7), ALICE, 5, false);
            assert_eq!(server.check_header(&header), Ok(()));
            assert_eq!(server.open(&mut frame), Ok((header, &b"line\n"[..])));
            let mut frame = server.seal(FrameType::MsgRes, Sid(7), Uid::SERVER, b"OK").unwrap();
            let header = Header::for_payload(FrameType::MsgRes, sqn, Sid(7), Uid::SERVER, 2, false);
            assert_eq!(alice.check_header(&header), Ok(()));
            assert_eq!(alice.open(&mut frame), Ok((header, &b"OK"[..])));
        }
    }
}

#[test]
fn secrets_are_fresh_for_every_login() {
    let mut rng = StdRng::seed_from_u64(2);
    let (one, _) = start(default_provider(), &mut rng);
    let (again, _) = start(default_provider(), &mut rng);
    assert_ne!(one, again);
    // LOGIN-11: the same request twice gives other transfer keys, so step 4 of the first does not fit the second.
    let (_, _, half) = answer(default_provider(), &mut rng, &mut one.clone()).unwrap();
    let (mut two, mut three, _) = answer(default_provider(), &mut rng, &mut known("login 1")).unwrap();
    let (_, client) = start(default_provider(), &mut Script::of(&[0x11, 0x33]));
    let (mut four, _) = client.response(&mut two).unwrap().request(&mut three).unwrap();
    assert_eq!(half.response(&mut four).err(), Some(LoginError::Mac { step: Step::Answer }));
}

/// A login frame with a flaw: fields of a good header changed, sealed again with the right key.
struct Flawed {
    header: Header,
    payload: &'static [u8],
    etk: Option<Vec<u8>>,
    break_mac: bool,
}

impl Flawed {
    fn of(step: Step, change: impl FnOnce(&mut Self)) -> Vec<u8> {
        let (name, keys, payload): (_, _, &[u8]) = match step {
            Step::Request => ("login 1", "login c2s", b""),
            Step::Response => ("login 2", "login s2c", b"Online"),
            Step::Probe => ("login 3", "transfer s2c", b""),
            Step::Answer => ("login 4", "transfer c2s", b"Online"),
        };
        let good = known(name);
        let etk = step.has_etk().then(|| good[good.len() - 256..].to_vec());
        let header = Header::decode(good.first_chunk().unwrap());
        let mut flawed = Self { header, payload, etk, break_mac: false };
        change(&mut flawed);
        let etk: Option<[u8; 256]> = flawed.etk.map(|etk| etk.try_into().unwrap());
        let kind = flawed.header.kind().unwrap_or(FrameType::StatusReq);
        flawed.header.len = Header::for_payload(kind, 0, Sid(0), ALICE, flawed.payload.len(), etk.is_some()).len;
        let okm = known(keys);
        let keys = DirectionKeys::new(okm[..32].try_into().unwrap(), okm[32..].try_into().unwrap());
        let mut frame = FrameCipher::new(default_provider(), &keys).seal(&flawed.header, flawed.payload, etk.as_ref());
        frame[24 + flawed.payload.len()] ^= u8::from(flawed.break_mac);
        frame
    }
}

fn take(step: Step, frame: &mut [u8]) -> Result<(), LoginError> {
    let provider = default_provider();
    let client = || start(provider, &mut Script::of(&[0x11, 0x33])).1;
    let server = || answer(provider, &mut Script::of(&[0x22, 0x44]), &mut known("login 1"));
    match step {
        Step::Request => answer(provider, &mut Script::of(&[0x22, 0x44]), frame).map(drop),
        Step::Response => client().response(frame).map(drop),
        Step::Probe => client().response(&mut known("login 2"))?.request(frame).map(drop),
        Step::Answer => server()?.2.response(frame).map(drop),
    }
}

const STEPS: [Step; 4] = [Step::Request, Step::Response, Step::Probe, Step::Answer];

#[test]
fn without_a_flaw_each_step_is_taken() {
    for step in STEPS {
        assert_eq!(take(step, &mut Flawed::of(step, |_| ())), Ok(()), "{step:?}");
    }
}

/// What is wrong in the same way at every step, and the rules that it breaks at each.
#[test]
fn flaws_of_every_step() {
    type Row = (fn(&mut Flawed), fn(Step) -> LoginError, [&'static str; 4]);
    let table: [Row; 6] = [
        (
            |flawed| flawed.header.ver = 0x0200,
            |step| LoginError::Header { step, error: HeaderError::Version(0x0200) },
            ["MTP-03"; 4],
        ),
        (
            |flawed| flawed.header.typ = 0x0411,
            |step| LoginError::Header { step, error: HeaderError::Type(0x0411) },
            ["MTP-04"; 4],
        ),
        (
            |flawed| flawed.header.typ = 0x0200,
            |step| LoginError::Type { step, got: FrameType::MsgReq },
            ["LOGIN-01", "LOGIN-01", "LOGIN-14", "LOGIN-08"],
        ),
        (
            |flawed| flawed.header.sqn = 3,
            |step| LoginError::Header { step, error: HeaderError::Sequence { expected: Some(step.sqn()), got: 3 } },
            ["MTP-08"; 4],
        ),
        (
            |flawed| flawed.header.sid = Sid(1),
            |step| LoginError::Session { step, got: Sid(1) },
            ["LOGIN-06", "LOGIN-12", "LOGIN-17", "LOGIN-08"],
        ),
        (
            |flawed| flawed.break_mac = true,
            |step| LoginError::Mac { step },
            ["LOGIN-06", "LOGIN-12", "MTP-11", "MTP-11"],
        ),
    ];
    for (change, error, rules) in table {
        for (step, rule) in STEPS.into_iter().zip(rules) {
            let result = take(step, &mut Flawed::of(step, change));
            assert_eq!(result, Err(error(step)));
            assert_eq!(result.unwrap_err().rule(), rule, "{step:?} {result:?}");
            assert_eq!(error(step).step(), step);
        }
    }
}

#[rstest]
#[case(Step::Request, b"x", LoginError::Payload { step: Step::Request, error: PayloadError::NotEmpty(1) }, "LOGIN-06")]
#[case(Step::Probe, b"x", LoginError::Payload { step: Step::Probe, error: PayloadError::NotEmpty(1) }, "LOGIN-17")]
#[case(Step::Response, b"Offline", LoginError::Offline { step: Step::Response }, "LOGIN-12")]
#[case(Step::Answer, b"Offline", LoginError::Offline { step: Step::Answer }, "LOGIN-08")]
#[case(Step::Response, b"online", no_presence(Step::Response), "LOGIN-12")]
#[case(Step::Answer, b"online", no_presence(Step::Answer), "PAY-05")]
fn wrong_payloads(#[case] step: Step, #[case] payload: &'static [u8], #[case] error: LoginError, #[case] rule: &str) {
    let result = take(step, &mut Flawed::of(step, |flawed| flawed.payload = payload));
    assert_eq!(result, Err(error));
    assert_eq!(error.rule(), rule);
}

fn no_presence(step: Step) -> LoginError {
    LoginError::Payload { step, error: PayloadError::NotOneOf { words: ["Online", "Offline"], at: 0 } }
}

#[rstest]
#[case(Step::Request, BOB, LoginError::UnknownUser(BOB), "LOGIN-06")]
#[case(Step::Request, Uid::SERVER, LoginError::UnknownUser(Uid::SERVER), "LOGIN-06")]
#[case(Step::Response, ALICE, other_user(Step::Response, Uid::SERVER, ALICE), "LOGIN-12")]
#[case(Step::Probe, ALICE, other_user(Step::Probe, Uid::SERVER, ALICE), "LOGIN-17")]
#[case(Step::Answer, BOB, other_user(Step::Answer, ALICE, BOB), "MTP-14")]
fn wrong_users(#[case] step: Step, #[case] uid: Uid, #[case] error: LoginError, #[case] rule: &str) {
    assert_eq!(take(step, &mut Flawed::of(step, |flawed| flawed.header.uid = uid)), Err(error));
    assert_eq!(error.rule(), rule);
}

fn other_user(step: Step, expected: Uid, got: Uid) -> LoginError {
    LoginError::Header { step, error: HeaderError::User { expected, got } }
}

/// The server's number is nobody's to log in with, even if the directory had it.
#[test]
fn the_server_is_no_user() {
    let provider = default_provider();
    let mut frame = Flawed::of(Step::Request, |flawed| flawed.header.uid = Uid::SERVER);
    let anybody = |_| Some(public(provider, ALICE_PUB));
    let result =
        ServerLogin::request(provider, &mut Script::of(&[]), &private(provider, SERVER_KEY), anybody, &mut frame);
    assert_eq!(result.err(), Some(LoginError::UnknownUser(Uid::SERVER)));
}

#[rstest]
#[case(Step::Request, SERVER_PUB, "LOGIN-06")]
#[case(Step::Response, ALICE_PUB, "LOGIN-12")]
fn wrong_etks(#[case] step: Step, #[case] receiver: &str, #[case] rule: &str) {
    let mut rng = StdRng::seed_from_u64(3);
    let to = public(default_provider(), receiver);
    for len in [0, 31, 33] {
        let etk = to.oaep_encrypt(&mut rng, &vec![1; len]);
        let error = LoginError::EtkLength { step, len };
        assert_eq!(take(step, &mut Flawed::of(step, |flawed| flawed.etk = Some(etk.to_vec()))), Err(error));
        assert_eq!(error.rule(), rule);
    }
    let error = LoginError::Etk { step };
    assert_eq!(take(step, &mut Flawed::of(step, |flawed| flawed.etk = Some(vec![0; 256]))), Err(error));
    assert_eq!(error.rule(), rule);
    // Another secret of the right size. tk is what the frame is sealed with; sk shows only in step 3.
    let etk = to.oaep_encrypt(&mut rng, &[0x99; 32]);
    let result = take(step, &mut Flawed::of(step, |flawed| flawed.etk = Some(etk.to_vec())));
    assert_eq!(result, if step == Step::Request { Err(LoginError::Mac { step }) } else { Ok(()) });
}

/// Frames that are not as long as they say, and every shorter part of a good one.
#[test]
fn wrong_lengths() {
    for step in STEPS {
        let good = Flawed::of(step, |_| ());
        for length in 0..good.len() {
            let error = take(step, &mut good[..length].to_vec()).unwrap_err();
            assert!(
                matches!(error, LoginError::Header { error: HeaderError::Length { .. }, .. }),
                "{step:?} {error:?}"
            );
        }
    }
    // Long enough for a frame, too short for a login frame (MTP-05).
    for step in [Step::Request, Step::Response] {
        let error = HeaderError::Length { len: 42, least: 292 };
        let mut frame = Flawed::of(step, |flawed| {
            flawed.etk = None;
            flawed.payload = b"Online";
        });
        assert_eq!(take(step, &mut frame), Err(LoginError::Header { step, error }));
    }
}

/// A man in the middle who changes the etk of step 1 or 2 in transit cannot complete the login: both are hashed.
#[test]
fn the_transcript_binds_both_ends() {
    let provider = default_provider();
    let tk = Secret::new([0x11; 32]);
    let [_, mut three] = ["login 2", "login 3"].map(known);
    // Step 2 sealed anew, for the same sk, but with another OAEP seed than the server used.
    let etk = public(provider, ALICE_PUB).oaep_encrypt(&mut Script::of(&[0x45]), &[0x22; 32]);
    let header = Header::for_payload(FrameType::StatusRes, 1, Sid::NONE, Uid::SERVER, 6, true);
    let keys = LoginKeys::derive(provider, &tk);
    let mut two = FrameCipher::new(provider, &keys.s2c).seal(&header, b"Online", Some(&etk));
    let (_, client) = start(provider, &mut Script::of(&[0x11, 0x33]));
    let half = client.response(&mut two).unwrap();
    assert_eq!(half.request(&mut three).err(), Some(LoginError::Mac { step: Step::Probe }));
}

#[test]
fn nothing_secret_is_printed() {
    let (_, client) = start(default_provider(), &mut Script::of(&[0x11, 0x33]));
    let (alice, _) = login(default_provider(), default_provider());
    let text = format!("{client:?} {alice:?}");
    assert!(text.contains("tk: Secret(…)") && text.contains("keys: LoginKeys { c2s: DirectionKeys(…)"), "{text}");
    assert!(!text.contains("17, 17, 17"), "{text}");
}

mod channel {
    use super::*;

    /// Ends that have received number 2.
    fn ends() -> [Channel; 2] {
        let (alice, server) = login(default_provider(), default_provider());
        [alice, server]
    }

    /// The client's uid in a frame to the server; what MTP-21 asks for in one from the server.
    fn good(typ: FrameType, receiver: Side) -> Header {
        let named = matches!(typ, FrameType::InviteReq | FrameType::MsgReq);
        let uid = if receiver == Side::Server { ALICE } else { Uid(if named { BOB.0 } else { 0 }) };
        Header::for_payload(typ, 3, Sid(1), uid, 0, false)
    }

    /// The table of section 2 (MTP-15).
    #[test]
    fn types_that_the_sender_may_not_send() {
        let [client, server] = ends();
        for typ in FrameType::ALL {
            let verdict = |allowed| if allowed { Ok(()) } else { Err(HeaderError::Direction(typ)) };
            assert_eq!(server.check_header(&good(typ, Side::Server)), verdict(typ.from_client()), "{typ}");
            assert_eq!(client.check_header(&good(typ, Side::Client)), verdict(typ.from_server()), "{typ}");
        }
    }

    /// MTP-21, each type from the server with uid 0, own, another's.
    #[rstest]
    #[case(FrameType::InitRes, Ok(()), user(ALICE), user(BOB))]
    #[case(FrameType::MsgRes, Ok(()), user(ALICE), user(BOB))]
    #[case(FrameType::StatusReq, Ok(()), user(ALICE), user(BOB))]
    #[case(FrameType::CloseRes, Ok(()), Ok(()), Ok(()))]
    #[case(FrameType::StatusRes, Ok(()), Ok(()), Ok(()))]
    #[case(FrameType::MsgReq, Err(HeaderError::Nobody(FrameType::MsgReq)), Ok(()), Ok(()))]
    #[case(FrameType::InviteReq, Err(HeaderError::Nobody(FrameType::InviteReq)), Ok(()), Ok(()))]
    fn users_in_frames_from_the_server(
        #[case] typ: FrameType,
        #[case] nobody: Result<(), HeaderError>,
        #[case] own: Result<(), HeaderError>,
        #[case] other: Result<(), HeaderError>,
    ) {
        let [client, _] = ends();
        let check = |uid| client.check_header(&Header { uid, ..good(typ, Side::Client) });
        assert_eq!([Uid::SERVER, ALICE, BOB].map(check), [nobody, own, other]);
    }

    fn user(got: Uid) -> Result<(), HeaderError> {
        Err(HeaderError::User { expected: Uid::SERVER, got })
    }

    /// The order of checks: each header has all flaws that come later, too.
    #[test]
    fn the_first_flaw_counts() {
        let [_, server] = ends();
        let mut header = Header { ver: 0x0101, typ: 0x9999, len: 35, sqn: 9, sid: Sid(1), uid: BOB };
        assert_eq!(server.check_header(&header), Err(HeaderError::Version(0x0101)));
        header.ver = 0x0100;
        assert_eq!(server.check_header(&header), Err(HeaderError::Type(0x9999)));
        header.typ = FrameType::InitRes.code();
        assert_eq!(server.check_header(&header), Err(HeaderError::Length { len: 35, least: 36 }));
        header.len = 36;
        assert_eq!(server.check_header(&header), Err(HeaderError::Sequence { expected: Some(3), got: 9 }));
        header.sqn = 3;
        assert_eq!(server.check_header(&header), Err(HeaderError::User { expected: ALICE, got: BOB }));
        header.uid = ALICE;
        assert_eq!(server.check_header(&header), Err(HeaderError::Direction(FrameType::InitRes)));
        header.typ = FrameType::StatusReq.code();
        assert_eq!(server.check_header(&header), Ok(()));
    }

    /// MTP-08.
    #[rstest]
    fn numbers_out_of_turn(#[values(0, 1, 2, 4, 65535)] got: u16) {
        for end in ends() {
            let header = Header { sqn: got, ..good(FrameType::StatusRes, end.side()) };
            assert_eq!(end.check_header(&header), Err(HeaderError::Sequence { expected: Some(3), got }));
        }
    }

    /// MTP-09: 65535 is sent and accepted, nothing after it.
    #[test]
    fn numbers_do_not_wrap() {
        let [mut alice, mut server] = ends();
        alice.set_next_out(Some(65535));
        let mut frame = alice.seal(FrameType::StatusReq, Sid::NONE, ALICE, b"").unwrap();
        assert_eq!((alice.next_out(), alice.seal(FrameType::StatusReq, Sid::NONE, ALICE, b"")), (None, Err(Exhausted)));
        server.open(&mut frame).unwrap();
        assert_eq!(server.last_in(), 65535);
        for got in [0, 1, 65535] {
            let header = Header { sqn: got, ..good(FrameType::StatusReq, Side::Server) };
            assert_eq!(server.check_header(&header), Err(HeaderError::Sequence { expected: None, got }));
        }
    }

    #[test]
    fn a_wrong_mac_does_not_count() {
        let [mut alice, mut server] = ends();
        let mut frame = alice.seal(FrameType::StatusReq, Sid::NONE, ALICE, b"").unwrap();
        frame[30] ^= 1;
        assert_eq!(server.open(&mut frame), Err(BadMac));
        assert_eq!(server.last_in(), 2);
    }

    #[test]
    fn the_bare_ciphers_are_those_of_the_channel() {
        let [mut alice, mut server] = ends();
        let header = good(FrameType::StatusReq, Side::Server);
        let mut frame = alice.cipher_out().seal(&header, b"", None);
        alice.skip_out(3);
        assert_eq!(server.cipher_in().open_in_place(&mut frame.clone(), false), Ok(&b""[..]));
        assert!(server.open(&mut frame).is_ok());
        assert_eq!(alice.next_out(), Some(4));
    }

    #[test]
    #[should_panic(expected = "65500 bytes fits no frame")]
    fn a_payload_that_fits_no_frame_is_the_callers_fault() {
        let [mut alice, _] = ends();
        let _ = alice.seal(FrameType::MsgReq, Sid(1), ALICE, &[b'x'; 65500]);
    }
}
