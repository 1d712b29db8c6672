//! Making the bytes of a frame, right or wrong as the diagram says.

use mpchat_proto::envelope;
use mpchat_proto::frame::{ETK_LEN, Header, MAC_LEN, MIN_LEN};
use mpchat_proto::ids::{Sid, Uid};
use mpchat_proto::keys::FrameCipher;
use mpchat_script::ast::{Fault, Field, Kind, Message, Payload, SessionRef, Value};
use rand::Rng;
use std::time::Instant;

use crate::forge::{self, Meanings, way_of, with};
use crate::stop::Stop;

use super::Play;
use super::compare::text_of;
use super::login::Login;
use super::world::{Phase, Session, Text};

/// A frame ready to be written.
pub(crate) struct Crafted {
    pub(crate) bytes: Vec<u8>,
    pub(crate) header: Header,
    pub(crate) payload: Vec<u8>,
    /// The login that the frame begins.
    pub(crate) login: Option<Login>,
    /// The text that a msg_req carries.
    pub(crate) text: Option<String>,
}

impl Play {
    /// Makes the frame of a message line for a connection.
    pub(crate) fn craft(&mut self, number: usize, message: &Message) -> Result<Crafted, Stop> {
        let is_login = message.kind == Kind::LoginReq;
        let (payload, text) = self.craft_payload(number, message)?;
        let etk = is_login || with(message, Field::Etk).is_some();
        let mut header = self.craft_header(number, message, payload.len(), etk);
        forge::header_faults(&self.meanings(number), message, &mut header)?;
        if matches!(with(message, Field::Sid), Some(Value::Flipped(_))) {
            if self.stage.memory.was_given_out(self.stage.instance.number(), header.sid) {
                return Err(Stop::Skip(format!(
                    "sid {} is another session's, since this target counts its sids",
                    header.sid
                )));
            }
            self.unknown_sid = header.sid;
        }
        let mut login = None;
        let etk_bytes = if etk {
            let (made, bytes) = self.craft_etk(message)?;
            login = Some(made);
            Some(bytes)
        } else {
            None
        };
        let mut bytes = match self.craft_key(message)? {
            Some(cipher) => cipher.seal(&header, &payload, etk_bytes.as_ref()),
            None => self.seal(number, message, login.as_ref(), &header, &payload, etk_bytes.as_ref()),
        };
        for fault in &message.faults {
            forge::damage(&self.meanings(number), fault, etk, &mut bytes)?;
        }
        if let Some(login) = &mut login {
            login.request.clone_from(&bytes);
        }
        Ok(Crafted { bytes, header, payload, login: login.filter(|_| is_login), text })
    }

    fn seal(
        &self,
        number: usize,
        message: &Message,
        login: Option<&Login>,
        header: &Header,
        payload: &[u8],
        etk: Option<&[u8; ETK_LEN]>,
    ) -> Vec<u8> {
        let transfer = self.conns.get(number).and_then(|c| c.transfer());
        let way = with(message, Field::Key).and_then(way_of);
        let cipher: Option<&FrameCipher> = match (way, transfer, login) {
            (Some("s2c"), Some(transfer), _) => Some(&transfer.incoming),
            (Some("login"), Some(transfer), _) => Some(&transfer.login.outgoing),
            (Some("s2c"), None, Some(login)) => Some(&login.incoming),
            (_, Some(transfer), None) => Some(&transfer.outgoing),
            (_, _, Some(login)) => Some(&login.outgoing),
            _ => match self.conns.get(number).map(|c| &c.phase) {
                Some(Phase::Requested(login)) => Some(&login.outgoing),
                _ => None,
            },
        };
        match cipher {
            Some(cipher) => cipher.seal(header, payload, etk),
            // Before any login there is no key: any bytes in the places of epd and mac.
            None => {
                let mut bytes = header.encode().to_vec();
                bytes.extend_from_slice(payload);
                bytes.extend_from_slice(&[0x5a; MAC_LEN]);
                bytes.extend_from_slice(etk.map(<[u8; ETK_LEN]>::as_slice).unwrap_or_default());
                bytes
            }
        }
    }

    /// `with key random`, `other-key`, `zero`: a key that nobody agreed on.
    fn craft_key(&mut self, message: &Message) -> Result<Option<FrameCipher>, Stop> {
        let key = match with(message, Field::Key) {
            Some(Value::Way(way)) if way == "random" || way == "other-key" => {
                let mut share = vec![0; 32];
                self.rng.fill_bytes(&mut share);
                share
            }
            Some(Value::Way(way)) if way == "zero" => vec![0; 32],
            Some(Value::Hex(bytes)) => bytes.clone(),
            _ => return Ok(None),
        };
        Ok(Some(Login::new(self.stage.provider, key).outgoing))
    }

    fn craft_header(&self, number: usize, message: &Message, payload: usize, etk: bool) -> Header {
        let conn = self.conns.get(number);
        let len = MIN_LEN + payload + if etk { ETK_LEN } else { 0 };
        Header {
            ver: mpchat_proto::frame::VERSION,
            typ: message.kind.code(),
            // A payload that fits no frame is refused before it comes here; saturating keeps the arithmetic total.
            len: u16::try_from(len).unwrap_or(u16::MAX),
            sqn: conn.and_then(|c| c.next_out()).unwrap_or(0),
            sid: self.sid_of_line(message),
            uid: match &message.of {
                Some(name) => self.uid_of(name).unwrap_or(Uid::SERVER),
                None => conn.map_or(Uid::SERVER, |c| c.uid),
            },
        }
    }

    /// The sid on the wire of a client's line.
    fn sid_of_line(&self, message: &Message) -> Sid {
        if message.kind == Kind::InitReq && !matches!(message.session, Some(SessionRef::Unknown | SessionRef::Sid(_))) {
            return Sid::NONE;
        }
        match self.expected_session(message) {
            SessionRef::None => Sid::NONE,
            SessionRef::Unknown => self.unknown_sid,
            SessionRef::Sid(sid) => Sid(sid),
            // A session of which no frame was heard yet: nobody can know its sid.
            SessionRef::Named(name) => self.sessions.get(&name).and_then(|s| s.sid).unwrap_or(self.unknown_sid),
        }
    }

    fn craft_etk(&mut self, message: &Message) -> Result<(Login, [u8; ETK_LEN]), Stop> {
        let way = with(message, Field::Etk).and_then(way_of).unwrap_or_default();
        let tk = forge::share(way, &mut self.rng);
        let login = Login::new(self.stage.provider, forge::read_leniently(way, &tk));
        let other = self.users.values().next().map(|somebody| somebody.public(self.stage.provider));
        let etk = forge::etk(way, &mut self.rng, &tk, &self.stage.server_key, other)?;
        Ok((login, etk))
    }

    fn craft_payload(&mut self, number: usize, message: &Message) -> Result<(Vec<u8>, Option<String>), Stop> {
        if let Some(value) = with(message, Field::Payload) {
            return Ok((forge::value(&self.meanings(number), Field::Payload, value)?, None));
        }
        let user = self.conns.get(number).map(|c| c.user.clone()).unwrap_or_default();
        Ok(match (&message.payload, message.kind) {
            (Some(Payload::Error), _) => (b"cannot do that".to_vec(), None),
            (Some(Payload::Word(word)), _) => (word.clone().into_bytes(), None),
            (Some(Payload::Nobody), _) => (Vec::new(), None),
            (payload, Kind::InitReq) => {
                let name = self.session_of_line(message);
                let names = match payload {
                    Some(Payload::Names(names)) => self.unfold(names),
                    _ => self.shown_invited.get(&name).cloned().unwrap_or_default(),
                };
                let uids = names.iter().filter_map(|n| self.uid_of(n));
                (uids.flat_map(|uid| format!("{uid}\n").into_bytes()).collect(), None)
            }
            (Some(Payload::Lines(lines)), _) => {
                let key = lines.join("\n");
                self.keep_lines(number, message, &user, &key, lines);
                (lines.iter().flat_map(|l| format!("{l}\n").into_bytes()).collect(), Some(key))
            }
            (payload, Kind::MsgReq) => {
                let text = text_of(payload.as_ref());
                (self.seal_text(number, message, &user, &text)?, Some(text))
            }
            (_, Kind::InitRes | Kind::CloseRes | Kind::MsgRes) => (b"OK".to_vec(), None),
            (_, Kind::InviteRes) => (b"Accept".to_vec(), None),
            (_, Kind::StatusRes | Kind::LoginRes) => (b"Online".to_vec(), None),
            _ => (Vec::new(), None),
        })
    }

    /// Opaque lines: who should hear which.
    fn keep_lines(&mut self, number: usize, message: &Message, author: &str, key: &str, lines: &[String]) {
        let session = self.session_of_line(message);
        let roster = self.sessions.get(&session).map(Session::roster).unwrap_or_default();
        let others = roster.into_iter().filter(|name| name != author);
        let lines = others.zip(lines.iter().cloned()).collect();
        let text = Text {
            author: author.to_owned(),
            session,
            lines,
            answered: Default::default(),
            at: Instant::now(),
            sent_on: (!self.texts.contains_key(key)).then_some(number),
            failed: false,
        };
        self.texts.insert(key.to_owned(), text);
    }

    /// One envelope for each other participant, in roster order.
    fn seal_text(&mut self, number: usize, message: &Message, author: &str, text: &str) -> Result<Vec<u8>, Stop> {
        let session = self.session_of_line(message);
        let known = self.sessions.get(&session).cloned().unwrap_or_default();
        let mut recipients: Vec<String> = known.roster().into_iter().filter(|name| name != author).collect();
        if recipients.is_empty() {
            recipients =
                known.invited.iter().filter(|n| *n != author && self.users.contains_key(*n)).cloned().collect();
        }
        if recipients.is_empty() {
            recipients = self.users.keys().filter(|name| *name != author).take(1).cloned().collect();
        }
        if recipients.is_empty() {
            recipients.push(author.to_owned());
        }
        let (mut sid, mut by) = (self.sid_of_line(message), self.uid_of(author).unwrap_or(Uid::SERVER));
        let mut sealed_for = None;
        for fault in &message.faults {
            match fault {
                Fault::SealedIn(name) => sid = self.sessions.get(name).and_then(|s| s.sid).unwrap_or(sid),
                Fault::SealedBy(name) => by = self.uid_of(name).unwrap_or(by),
                Fault::SealedFor(name) => sealed_for = Some(self.user_of(name)),
                _ => {}
            }
        }
        if let Some(kept) = self.texts.get_mut(text).filter(|k| k.author == author && k.session == session) {
            kept.sent_on = None;
            let lines: Vec<&String> = recipients.iter().filter_map(|r| kept.lines.get(r)).collect();
            if lines.len() == recipients.len() {
                return Ok(lines.iter().flat_map(|l| format!("{l}\n").into_bytes()).collect());
            }
        }
        let mut kept = Text {
            author: author.to_owned(),
            session,
            lines: Default::default(),
            answered: Default::default(),
            at: Instant::now(),
            sent_on: (!self.texts.contains_key(text)).then_some(number),
            failed: false,
        };
        let mut payload = Vec::new();
        for recipient in recipients {
            let reader = sealed_for.clone().unwrap_or_else(|| recipient.clone());
            let Some(identity) = self.identity(&reader).cloned() else { continue };
            let key = identity.public(self.stage.provider);
            let line = envelope::seal(self.stage.provider, &mut self.rng, &key, sid, by, identity.uid, text);
            payload.extend_from_slice(line.as_bytes());
            payload.push(b'\n');
            kept.lines.insert(recipient, line);
        }
        if payload.len() > mpchat_proto::frame::MAX_PAYLOAD {
            return Err(Stop::Skip(format!("{} bytes of envelopes fit no frame", payload.len())));
        }
        self.texts.insert(text.to_owned(), kept);
        Ok(payload)
    }
}

/// What words mean on one connection.
struct OnConnection<'a> {
    play: &'a Play,
    number: usize,
}

impl Play {
    fn meanings(&self, number: usize) -> impl Meanings {
        OnConnection { play: self, number }
    }
}

impl Meanings for OnConnection<'_> {
    fn uid(&self, name: &str) -> Option<Uid> {
        self.play.uid_of(name)
    }

    fn session(&self, name: &str) -> Option<Sid> {
        self.play.sessions.get(name).and_then(|s| s.sid)
    }

    fn unknown_sid(&self) -> Sid {
        self.play.unknown_sid
    }

    fn last_number(&self) -> u16 {
        self.play.conns.get(self.number).map_or(0, |c| c.last_out)
    }

    fn next_number(&self) -> Option<u16> {
        self.play.conns.get(self.number).and_then(|c| c.next_out())
    }
}
