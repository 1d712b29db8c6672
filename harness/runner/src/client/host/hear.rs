//! What comes from the client: connections, bytes, and what it tells its user. Frames pass the checks that hold in every
//! case before they are judged.

use std::time::{Duration, Instant};

use mpchat_proto::frame::{self, FrameType, Header, HeaderError};
use mpchat_proto::ids::{Sid, Uid};
use mpchat_proto::payload::{self, PayloadError};
use mpchat_script::ast::Kind;
use tokio::net::TcpStream;

use super::Host;
use super::fence::SOON;
use super::world::{Conn, Heard, Phase};
use crate::client::driver::Said;
use crate::link::{EndHow, Input, Link};
use crate::play::MAX_HEARD_BYTES;
use crate::play::arrive::{decode, kind_of};
use crate::play::diagnose::{self, Moment};
use crate::play::render::{frame_in_words, hex_start, payload_text};
use crate::stop::Stop;

/// What happened.
enum Happened {
    Input(usize, Input),
    Connected(std::io::Result<TcpStream>),
    Said(Said),
    Nothing,
}

/// Frames that may still be read when their sender has already come back.
const LAST_FRAMES: u16 = 64;

/// The number of the first connection that is set aside, and how many of them there may be at a time.
pub(super) const FIRST_ASIDE: usize = usize::MAX / 2;
const MAX_ASIDE: usize = 16;

impl Host {
    /// Waits for the next thing from the client until `deadline` and digests it; false if the deadline came first.
    pub(super) async fn hear(&mut self, deadline: Instant) -> Result<bool, Stop> {
        self.settle_held()?;
        self.conns.iter_mut().for_each(|conn| conn.link.flush());
        let said = async {
            match &mut self.driver {
                Some(driver) => driver.said.recv().await.unwrap_or(Said::End),
                None => std::future::pending().await,
            }
        };
        let happened = tokio::select! {
            Some((number, input)) = self.inputs.recv() => Happened::Input(number, input),
            accepted = self.listener.accept() => Happened::Connected(accepted.map(|(stream, _)| stream)),
            said = said => Happened::Said(said),
            () = tokio::time::sleep_until(deadline.into()) => Happened::Nothing,
        };
        match happened {
            Happened::Input(number, input) => self.read(number, input)?,
            Happened::Connected(stream) => self.connected(stream)?,
            Happened::Said(said) => self.said(said).await?,
            Happened::Nothing => return Ok(false),
        }
        match self.refusal.take() {
            Some(refusal) => Err(self.end_behind(refusal).await),
            None => Ok(true),
        }
    }

    fn read(&mut self, number: usize, input: Input) -> Result<(), Stop> {
        match input {
            input if number >= FIRST_ASIDE => self.heard_aside(number, &input),
            Input::Bytes(bytes) => self.digest(number, &bytes),
            Input::End(how) => self.stream_ended(number, how),
        }
    }

    /// A client that has ended its connection refuses what it is told, and its words may be read before its FIN: the end
    /// is the offence then.
    async fn end_behind(&mut self, refusal: Stop) -> Stop {
        let latest = self.conns.len().saturating_sub(1);
        let deadline = tokio::time::Instant::now() + SOON;
        while let Ok(Some((number, input))) = tokio::time::timeout_at(deadline, self.inputs.recv()).await {
            if let Err(stop) = self.read(number, input) {
                return stop;
            }
            if self.conns.get(latest).is_some_and(|conn| conn.ended.is_some()) {
                break;
            }
        }
        refusal
    }

    /// Hears until `done` or for `length`.
    pub(super) async fn wait_for(&mut self, done: &impl Fn(&Self) -> bool, length: Duration) -> Result<bool, Stop> {
        let deadline = Instant::now() + length;
        while !done(self) {
            if !self.hear(deadline).await? {
                return Ok(done(self));
            }
        }
        Ok(true)
    }

    /// A connection of the client's.
    pub(super) fn connected(&mut self, stream: std::io::Result<TcpStream>) -> Result<(), Stop> {
        let stream = stream.map_err(|error| Stop::Inconclusive(format!("the suite cannot accept: {error}")))?;
        // MTP-09: a client that has used its last number comes back by itself, perhaps before its last frames are read.
        if self.may_connect == 0 && self.conns.last().is_some_and(|conn| conn.last_in > u16::MAX - LAST_FRAMES) {
            // The newest: it may have tried another before.
            self.came_back = Some(stream);
            return Ok(());
        }
        let tries = self.conns.last().is_some_and(|conn| conn.ended.is_none() && conn.is_silent());
        if self.may_connect == 0 && !tries {
            return self.set_aside(stream);
        }
        let counted = self.may_connect > 0;
        self.may_connect = self.may_connect.saturating_sub(1);
        let number = self.conns.len();
        let link = Link::over(stream, number, self.inputs_sender.clone(), self.stage.transport);
        let link = link.map_err(|error| Stop::Inconclusive(format!("a connection failed: {error}")))?;
        self.conns.push(Conn { counted, ..Conn::new(link, self.logs_in_undrawn) });
        self.log("the client connects".to_owned());
        Ok(())
    }

    /// A connection that nobody asked for counts as soon as something comes on it.
    fn set_aside(&mut self, stream: TcpStream) -> Result<(), Stop> {
        if self.aside.len() == MAX_ASIDE {
            return Err(self.breach(&["LOGIN-15"], "a bounded number of connections", "a flood of them"));
        }
        let number = self.next_aside;
        self.next_aside += 1;
        let link = Link::over(stream, number, self.inputs_sender.clone(), self.stage.transport);
        let link = link.map_err(|error| Stop::Inconclusive(format!("a connection failed: {error}")))?;
        self.aside.insert(number, link);
        self.log("the client connects, without being told".to_owned());
        Ok(())
    }

    /// Something came on a connection that had been set aside.
    fn heard_aside(&mut self, number: usize, input: &Input) -> Result<(), Stop> {
        match input {
            // Dropped, it is closed on this side as well.
            Input::End(_) => {
                self.aside.remove(&number);
                Ok(())
            }
            Input::Bytes(_) if self.may_connect > 0 => {
                let why = "the client logs in on a connection that it had opened before it was told to";
                Err(Stop::Inconclusive(why.to_owned()))
            }
            Input::Bytes(_) => {
                let expected = "no connection that its user did not ask for";
                Err(self.finding(&["LOGIN-15"], expected, "the client connects again by itself"))
            }
        }
    }

    fn digest(&mut self, number: usize, bytes: &[u8]) -> Result<(), Stop> {
        self.heard_bytes += bytes.len();
        if self.heard_bytes > MAX_HEARD_BYTES {
            return Err(self.breach(&["MTP-13"], "a bounded conversation", "a flood of frames"));
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let me = self.me;
            let is_newest = number + 1 == self.conns.len();
            let Some(conn) = self.conns.get_mut(number) else { return Ok(()) };
            if !is_newest && matches!(conn.phase, Phase::Fresh) {
                let got = "it speaks on one and has opened another";
                return Err(self.finding(&["LOGIN-15"], "one connection of the client's at a time", got));
            }
            if conn.ended.is_some() {
                return Ok(());
            }
            let (request, last_in) = (matches!(conn.phase, Phase::Fresh), conn.last_in);
            let checked = conn.deframer.feed(&mut rest, |header| check_header(request, last_in, me, header));
            let frame = match checked {
                Ok(None) => return Ok(()),
                Ok(Some(frame)) => frame.to_vec(),
                Err(error) => {
                    let moment = match conn.phase {
                        Phase::Fresh => Moment::Step2,
                        Phase::Asked(_) => Moment::Step3,
                        _ => Moment::LoggedIn,
                    };
                    let rules = diagnose::header(moment, &error);
                    return Err(self.breach(&rules, "a header as the specification has it", error.to_string()));
                }
            };
            self.open(number, frame)?;
        }
        Ok(())
    }

    /// Opens one whole frame with the keys of the connection's phase.
    fn open(&mut self, number: usize, mut frame: Vec<u8>) -> Result<(), Stop> {
        let sealed = frame.clone();
        let Some(conn) = self.conns.get_mut(number) else { return Ok(()) };
        conn.last_in = conn.last_in.saturating_add(1);
        if conn.last_in == u16::MAX {
            self.spent_at = Some(Instant::now());
        }
        let header = decode(&sealed);
        let payload = match &conn.phase {
            Phase::Fresh => return self.login_requested(header, &sealed),
            Phase::Requested(_) | Phase::Responded(_) => {
                let expected = "nothing between the login request and step 3";
                return Err(self.finding(&["LOGIN-17", "LOGIN-14"], expected, hex_start(&sealed)));
            }
            Phase::Asked(transfer) | Phase::Online(transfer) => {
                match transfer.incoming.open_in_place(&mut frame, false) {
                    Ok(payload) => payload.to_vec(),
                    Err(_) => {
                        let (rules, what) = transfer.diagnose(&sealed, matches!(conn.phase, Phase::Asked(_)));
                        let expected = "a mac that is right under the transfer key, the nonce and the 24 header bytes";
                        return Err(self.breach(rules, expected, format!("{what}: {}", hex_start(&sealed))));
                    }
                }
            }
        };
        let Some(kind) = kind_of(header.typ) else { return Ok(()) };
        let is_step = matches!(conn.phase, Phase::Asked(_));
        let heard = Heard { kind, header, payload };
        self.log_heard(&heard);
        if let Some(leak) = self.canaries.leak(number, &heard.payload) {
            return Err(self.breach(&["MSG-02"], "nothing that the server can read of a text or a key", leak));
        }
        if is_step {
            return self.fourth_step(&heard);
        }
        self.check_format(&heard)?;
        self.judge(&heard)
    }

    /// The payload's own format, and the sid that the type has.
    fn check_format(&mut self, heard: &Heard) -> Result<(), Stop> {
        let (bad, rules): (Option<PayloadError>, &[&str]) = match heard.kind {
            Kind::InitReq => (payload::parse_init_req(&heard.payload).err(), &["INIT-01", "PAY-02"]),
            Kind::MsgReq => (payload::parse_lines(&heard.payload).err(), &["PAY-02", "MSG-01"]),
            Kind::MsgRes => (payload::parse_response(&heard.payload).err(), &["PAY-03", "MSG-06"]),
            Kind::InviteRes => (payload::parse_choice(&heard.payload).err(), &["PAY-01", "INIT-16"]),
            Kind::StatusRes => (payload::parse_presence(&heard.payload).err(), &["PAY-01", "STAT-02"]),
            _ => (payload::parse_empty(&heard.payload).err(), &["PAY-05", "PAY-01"]),
        };
        if let Some(error) = bad {
            let carriage_return = heard.payload.windows(2).any(|pair| pair == b"\r\n");
            let rules: &[&str] = match error {
                _ if carriage_return => &["PAY-02", "INIT-01"],
                PayloadError::NotUtf8 { .. } => &["PAY-01"],
                PayloadError::NoLineEnd { .. } => &["PAY-02"],
                _ => rules,
            };
            let expected = format!("a payload of {} as the specification has it", heard.kind.word());
            return Err(self.breach(rules, expected, format!("{}: {error}", payload_text(&heard.payload))));
        }
        let rule = match heard.kind {
            Kind::InitReq => "INIT-01",
            Kind::StatusRes => "STAT-02",
            _ => return Ok(()),
        };
        if heard.header.sid != Sid::NONE {
            let expected = format!("{} with sid 0", heard.kind.word());
            return Err(self.breach(&[rule], expected, format!("sid {}", heard.header.sid)));
        }
        Ok(())
    }

    fn stream_ended(&mut self, number: usize, how: EndHow) -> Result<(), Stop> {
        self.log(format!("the client closes ({})", if how == EndHow::Fin { "FIN" } else { "RST" }));
        let latest = number + 1 == self.conns.len();
        let Some(conn) = self.conns.get_mut(number) else { return Ok(()) };
        conn.ended = Some(how);
        // Its end is answered by ours.
        if !conn.fin_sent {
            conn.fin_sent = true;
            conn.link.finish();
        }
        if latest && conn.is_silent() {
            // It was tried beside the one that is used, or in vain.
            if number.checked_sub(1).and_then(|n| self.conns.get(n)).is_some_and(|earlier| earlier.ended.is_none()) {
                let counted = self.conns.pop().is_some_and(|conn| conn.counted);
                self.may_connect += usize::from(counted);
            } else {
                self.may_connect += 1;
            }
            return Ok(());
        }
        if latest { self.ended() } else { Ok(()) }
    }

    /// A frame of the client for people: every field, the decoded payload.
    pub(super) fn describe(&self, heard: &Heard) -> String {
        let header = &heard.header;
        frame_in_words(heard.kind, header, &heard.payload, &self.session_name(header.sid), &self.name_of(header.uid))
    }

    pub(super) fn log_heard(&mut self, heard: &Heard) {
        if !self.quiet {
            let line = format!("{}->>server: {}", self.role, self.describe(heard));
            self.log(line);
        }
    }
}

/// The checks of section 2 that the header alone allows, for a frame of the client.
fn check_header(request: bool, last_in: u16, me: Uid, header: &Header) -> Result<(), HeaderError> {
    if header.ver != frame::VERSION {
        return Err(HeaderError::Version(header.ver));
    }
    let typ = FrameType::from_code(header.typ).ok_or(HeaderError::Type(header.typ))?;
    let least = if request { frame::MIN_LOGIN_LEN } else { frame::MIN_LEN };
    if usize::from(header.len) < least {
        // Both lengths are far below 65536.
        return Err(HeaderError::Length { len: header.len, least: least as u16 });
    }
    let expected = last_in.checked_add(1);
    if expected != Some(header.sqn) {
        return Err(HeaderError::Sequence { expected, got: header.sqn });
    }
    if header.uid != me {
        return Err(HeaderError::User { expected: me, got: header.uid });
    }
    if typ.from_client() { Ok(()) } else { Err(HeaderError::Direction(typ)) }
}
