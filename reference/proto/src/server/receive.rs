//! From bytes to frames to handlers (MTP).

use core::mem;
use core::time::Duration;

use super::connection::{Connection, Phase, Sender};
use super::machine::Server;
use super::{ConnectionId, Ending, Violation};
use crate::frame::{FrameType, Header, HeaderError};

impl Server {
    /// Bytes came, however cut (MTP-16). Each frame is done with before the next is looked at (MTP-20); the first
    /// violation ends the connection, and what follows it has no effect (MTP-13). Bytes of a connection that the machine
    /// has closed are ignored.
    pub fn handle_bytes(&mut self, now: Duration, id: ConnectionId, bytes: &[u8]) {
        self.broken.notes_time(now);
        self.around_bytes(now, id, bytes);
    }

    pub(super) fn feed(&mut self, now: Duration, id: ConnectionId, bytes: &[u8]) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        // Taken out, so that a frame can be opened where it lies while its handler changes the machine.
        let mut deframer = mem::take(&mut connection.deframer);
        let mut input = bytes;
        // Looked up anew for each frame: any of them may have ended the connection.
        while let Some(connection) = self.connections.get_mut(&id) {
            let result = match deframer
                .feed(&mut input, |header| self.broken.around_check(&self.directory, connection, header))
            {
                Ok(Some(frame)) => self.handle_frame(now, id, frame),
                Ok(None) => {
                    connection.deframer = deframer;
                    return;
                }
                Err(violation) => Err(violation),
            };
            // MTP-13: one place closes on every violation.
            if let Err(violation) = result {
                self.around_end(id, Ending::Violation(violation));
            }
            self.settle(now);
        }
    }

    /// What a header alone can tell, as soon as it is there (MTP-17).
    pub(super) fn check_header(
        directory: &super::login::Directory,
        connection: &Connection,
        header: &Header,
    ) -> Result<(), Violation> {
        match &connection.phase {
            Phase::Request => super::login::check_request(directory, header),
            Phase::Answer(half) => Ok(half.check_header(header)?),
            Phase::LoggedIn(member) => Ok(member.channel.check_header(header)?),
        }
    }

    pub(super) fn handle_frame(&mut self, now: Duration, id: ConnectionId, frame: &mut [u8]) -> Result<(), Violation> {
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        match &mut connection.phase {
            Phase::Request => self.around_login_request(now, id, frame),
            Phase::Answer(_) => self.around_login_answer(now, id, frame),
            Phase::LoggedIn(member) => {
                let (header, payload) = self.broken.around_open(&mut member.channel, frame)?;
                let sender = Sender { id, uid: member.channel.uid };
                self.heard_from(now, id);
                self.around_dispatch(now, sender, &header, payload)
            }
        }
    }

    pub(super) fn dispatch(
        &mut self,
        now: Duration,
        from: Sender,
        header: &Header,
        payload: &[u8],
    ) -> Result<(), Violation> {
        let typ = header.kind().ok_or(HeaderError::Type(header.typ))?;
        // PAY-04: requests with an error text as their answer never close the connection. PAY-05: all others do.
        let result = match typ {
            FrameType::InitReq => {
                self.on_init_req(from, header.sid, payload);
                Ok(())
            }
            FrameType::CloseReq => {
                self.on_close_req(now, from, header.sid, payload);
                Ok(())
            }
            FrameType::MsgReq => {
                self.on_msg_req(now, from, header.sid, payload);
                Ok(())
            }
            FrameType::MsgRes => self.on_msg_res(now, from, header.sid, payload),
            FrameType::InviteRes => self.on_invite_res(from, header.sid, payload),
            FrameType::StatusReq => self.on_status_req(from, header.sid, payload),
            FrameType::StatusRes => self.on_status_res(now, from, payload),
            // MTP-15: the check of the header has refused these already.
            FrameType::InitRes | FrameType::CloseRes | FrameType::InviteReq => {
                return Err(HeaderError::Direction(typ).into());
            }
        };
        result.map_err(|error| Violation::Payload { typ, error })
    }
}
