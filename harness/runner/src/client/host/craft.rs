//! Making the server's frames, right or wrong as the diagram says.

use std::sync::Arc;

use mpchat_proto::frame::{ETK_LEN, FrameType, Header, MAC_LEN, MIN_LEN, VERSION};
use mpchat_proto::ids::{Sid, Uid};
use mpchat_proto::keys::FrameCipher;
use mpchat_script::ast::{Delivery, Field, Frame, Kind, Message, Payload, SessionRef, Value, What};
use rand::Rng;

use super::Host;
use super::world::Phase;
use crate::forge::{self, Meanings, way_of, with};
use crate::play::login::Login;
use crate::stop::Stop;

impl Host {
    /// Sends a frame of the diagram.
    pub(super) fn serve_frame(&mut self, frame: &Frame) -> Result<(), Stop> {
        let message = match &frame.what {
            What::Message(message) => message,
            What::Bytes(bytes) => {
                let bytes = bytes.clone();
                self.write(&bytes, &[]);
                return Ok(());
            }
            What::BytesOf(name) => {
                let bytes = self.kept.get(name).cloned();
                let bytes = bytes.ok_or_else(|| Stop::Skip(format!("no bytes are kept as `{name}`")))?;
                self.write(&bytes, &[]);
                return Ok(());
            }
        };
        if !frame.faulty && self.conns.last().is_some_and(|conn| conn.next_out().is_none()) {
            // MTP-09 binds the harness too: a client may ask more than the diagram reckoned with.
            return Err(Stop::Inconclusive("the suite's own numbers have run out".to_owned()));
        }
        let (header, bytes) = self.craft(message)?;
        if let Some(name) = &frame.keep_as {
            self.kept.insert(name.clone(), bytes.clone());
        }
        if message.kind == Kind::StatusReq {
            self.third_step_sent();
        }
        if let Some(conn) = self.conn()
            && conn.next_out() == Some(header.sqn)
        {
            conn.last_out = header.sqn;
        }
        self.answered_in_time = self.spent_at.is_some_and(|at| at.elapsed() < AT_ONCE);
        (self.last_len, self.answered_since_served) = (bytes.len(), false);
        self.write(&bytes, &message.delivery);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], delivery: &[Delivery]) {
        if let Some(conn) = self.conn() {
            conn.link.send(bytes, delivery);
        }
    }

    /// Sends a frame of the harness's own.
    pub(super) fn say(&mut self, kind: Kind, sid: Sid, uid: Uid, payload: &[u8]) {
        let Some(conn) = self.conn() else { return };
        let (Some(sqn), Some(transfer)) = (conn.next_out(), conn.transfer()) else { return };
        let Some(typ) = FrameType::from_code(kind.code()) else { return };
        let header = Header::for_payload(typ, sqn, sid, uid, payload.len(), false);
        let bytes = transfer.outgoing.seal(&header, payload, None);
        conn.last_out = sqn;
        conn.link.write(bytes);
    }

    /// The header as it is sent, and the whole frame.
    fn craft(&mut self, message: &Message) -> Result<(Header, Vec<u8>), Stop> {
        let payload = self.craft_payload(message)?;
        let is_login = message.kind == Kind::LoginRes;
        let has_etk = is_login || with(message, Field::Etk).is_some();
        let mut header = self.craft_header(message, payload.len(), has_etk);
        forge::header_faults(&OnConnection { host: self }, message, &mut header)?;
        let (sk, etk) = if has_etk { self.craft_etk(message)? } else { (Vec::new(), [0; ETK_LEN]) };
        let etk = has_etk.then_some(&etk);
        let mut bytes = match self.craft_key(message)? {
            Some(cipher) => cipher.seal(&header, &payload, etk),
            None => self.seal(message, &header, &payload, etk),
        };
        for fault in &message.faults {
            forge::damage(&OnConnection { host: self }, fault, has_etk, &mut bytes)?;
        }
        if is_login && let Some(Phase::Requested(login)) = self.conns.last().map(|conn| &conn.phase) {
            let login = Arc::clone(login);
            self.responded(&login, &sk, bytes.clone());
        }
        Ok((header, bytes))
    }

    fn seal(&self, message: &Message, header: &Header, payload: &[u8], etk: Option<&[u8; ETK_LEN]>) -> Vec<u8> {
        let way = with(message, Field::Key).and_then(way_of);
        let cipher: Option<&FrameCipher> = match (self.conns.last().map(|conn| &conn.phase), way) {
            (Some(Phase::Requested(login)), Some("c2s")) => Some(&login.incoming),
            (Some(Phase::Requested(login)), _) => Some(&login.outgoing),
            (Some(Phase::Responded(t) | Phase::Asked(t) | Phase::Online(t)), way) => Some(match way {
                Some("c2s") => &t.incoming,
                Some("login") => &t.login.outgoing,
                _ if message.kind == Kind::LoginRes => &t.login.outgoing,
                _ => &t.outgoing,
            }),
            _ => None,
        };
        match cipher {
            Some(cipher) => cipher.seal(header, payload, etk),
            // Before any login there is no key: any bytes in the places of epd and mac.
            None => {
                let etk = etk.map(<[u8; ETK_LEN]>::as_slice).unwrap_or_default();
                [&header.encode()[..], payload, &[0x5a; MAC_LEN], etk].concat()
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
        Ok(Some(Login::new(self.stage.provider, key).incoming))
    }

    fn craft_etk(&mut self, message: &Message) -> Result<(Vec<u8>, [u8; ETK_LEN]), Stop> {
        let way = with(message, Field::Etk).and_then(way_of).unwrap_or_default();
        let sk = forge::share(way, &mut self.rng);
        let provider = self.stage.provider;
        let Some(identity) = self.users.get(&self.role).cloned() else {
            return Err(Stop::Skip("the client's user is not in the kit".to_owned()));
        };
        let other = self.users.iter().find(|(name, _)| **name != self.role).map(|(_, i)| i.public(provider));
        let etk = forge::etk(way, &mut self.rng, &sk, &identity.public(provider), other)?;
        Ok((forge::read_leniently(way, &sk), etk))
    }

    fn craft_header(&mut self, message: &Message, payload: usize, etk: bool) -> Header {
        let len = MIN_LEN + payload + if etk { ETK_LEN } else { 0 };
        let (sid, uid) = (self.sid_in_header(message), self.uid_of_line(message));
        Header {
            ver: VERSION,
            typ: message.kind.code(),
            // A payload that fits no frame is refused before it comes here; saturating keeps the arithmetic total.
            len: u16::try_from(len).unwrap_or(u16::MAX),
            sqn: self.conns.last().and_then(|conn| conn.next_out()).unwrap_or(0),
            sid,
            uid,
        }
    }

    /// The sid and uid that a line's frame has, changes included.
    pub(super) fn header_of(&mut self, message: &Message) -> Result<(Sid, Uid), Stop> {
        let mut header = self.craft_header(message, 0, false);
        forge::header_faults(&OnConnection { host: self }, message, &mut header)?;
        Ok((header.sid, header.uid))
    }

    /// INIT-10: a failed init has sid 0, whichever one it is.
    fn sid_in_header(&mut self, message: &Message) -> Sid {
        let failed = message.kind == Kind::InitRes && message.payload == Some(Payload::Error);
        let written = matches!(message.session, Some(SessionRef::Unknown | SessionRef::Sid(_)));
        if failed && !written { Sid::NONE } else { self.sid_of_line(message) }
    }

    /// MTP-21: the inviter, the author, or as the line says.
    pub(super) fn uid_of_line(&self, message: &Message) -> Uid {
        let name = match (&message.of, message.kind) {
            (Some(name), _) => Some(name.clone()),
            (None, Kind::InviteReq) => self.sessions.get(&self.session_of_line(message)).map(|s| s.creator.clone()),
            (None, Kind::MsgReq) => Some(self.author_of_line(message)),
            _ => None,
        };
        name.and_then(|name| self.uid_of(&name)).unwrap_or(Uid::SERVER)
    }

    fn craft_payload(&mut self, message: &Message) -> Result<Vec<u8>, Stop> {
        if let Some(value) = with(message, Field::Payload) {
            let value = self.with_envelope(message, value)?;
            return forge::value(&OnConnection { host: self }, Field::Payload, &value);
        }
        Ok(match (&message.payload, message.kind) {
            (Some(Payload::Error), _) => b"cannot do that".to_vec(),
            (Some(Payload::Word(word)), _) => word.clone().into_bytes(),
            (Some(Payload::Lines(lines)), _) => lines.iter().flat_map(|l| format!("{l}\n").into_bytes()).collect(),
            (_, Kind::MsgReq) => self.envelope_for_client(message)?,
            (_, Kind::InitRes | Kind::CloseRes | Kind::MsgRes) => b"OK".to_vec(),
            (_, Kind::StatusRes | Kind::LoginRes) => b"Online".to_vec(),
            _ => Vec::new(),
        })
    }
}

impl Host {
    /// `{envelope}` in a payload is one that the client could open, of the line's text if it has one.
    fn with_envelope(&mut self, message: &Message, value: &Value) -> Result<Value, Stop> {
        let Value::Text(text) = value else { return Ok(value.clone()) };
        if !["{envelope}", "{flipped}"].iter().any(|word| text.contains(word)) {
            return Ok(value.clone());
        }
        let said = match &message.payload {
            Some(Payload::Text(text)) => text.clone(),
            _ => ENVELOPED.to_owned(),
        };
        let sealed = Message { faults: Vec::new(), payload: Some(Payload::Text(said)), ..message.clone() };
        let line = self.envelope_for_client(&sealed)?;
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let flipped = match line.char_indices().next_back() {
            Some((at, last)) => {
                format!("{}{}", line.get(..at).unwrap_or_default(), if last == '0' { '1' } else { '0' })
            }
            None => String::new(),
        };
        Ok(Value::Text(text.replace("{flipped}", &flipped).replace("{envelope}", &line)))
    }
}

/// How long after the client's last number an answer still comes in time for certain.
const AT_ONCE: std::time::Duration = std::time::Duration::from_millis(300);

/// What such an envelope says.
const ENVELOPED: &str = "nobody is to see this";

/// What words mean on the client's connection.
struct OnConnection<'a> {
    host: &'a Host,
}

impl Meanings for OnConnection<'_> {
    fn uid(&self, name: &str) -> Option<Uid> {
        self.host.uid_of(name)
    }

    fn session(&self, name: &str) -> Option<Sid> {
        self.host.sessions.get(name).and_then(|session| session.sid)
    }

    fn unknown_sid(&self) -> Sid {
        self.host.unknown_sid
    }

    fn last_number(&self) -> u16 {
        self.host.conns.last().map_or(0, |conn| conn.last_out)
    }

    fn next_number(&self) -> Option<u16> {
        self.host.conns.last().and_then(|conn| conn.next_out())
    }
}
