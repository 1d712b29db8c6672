//! The login (section 4), each side as a chain of values that exist only once the step before was verified, and the
//! connection end that comes out of it.
//!
//! ```text
//! client                                                 server
//! ClientLogin::start ---- 1 status_req + etk ---->   ServerLogin::request
//! ClientLogin::response <---- 2 status_res + etk ----      |
//! ClientHalf::request  <---- 3 status_req --------         v
//!        |             ---- 4 status_res -------->   ServerHalf::response
//!        v                                                 v
//!     Channel                                           Channel
//! ```
//!
//! Every step has a `check_header` beside it, for a receiver that acts as soon as the header is there (MTP-17); the step
//! itself checks again.

mod channel;
mod client;
mod error;
mod server;

#[cfg(test)]
mod tests;

pub use channel::{Channel, Exhausted, Side};
pub use client::{ClientHalf, ClientLogin};
pub use error::{LoginError, Step};
pub use server::{ServerHalf, ServerLogin};

use crate::frame::{HEADER_LEN, Header, HeaderError, MIN_LEN, MIN_LOGIN_LEN, VERSION};
use crate::ids::Sid;

/// What every login frame is checked for before its uid and direction matter (LOGIN-17).
fn check_common(header: &Header, step: Step) -> Result<(), LoginError> {
    let least = if step.has_etk() { MIN_LOGIN_LEN } else { MIN_LEN } as u16;
    let fail = |error| Err(LoginError::Header { step, error });
    if header.ver != VERSION {
        return fail(HeaderError::Version(header.ver));
    }
    let Some(typ) = header.kind() else {
        return fail(HeaderError::Type(header.typ));
    };
    if typ != step.frame_type() {
        return Err(LoginError::Type { step, got: typ });
    }
    if header.len < least {
        return fail(HeaderError::Length { len: header.len, least });
    }
    if header.sqn != step.sqn() {
        return fail(HeaderError::Sequence { expected: Some(step.sqn()), got: header.sqn });
    }
    if header.sid != Sid::NONE {
        return Err(LoginError::Session { step, got: header.sid });
    }
    Ok(())
}

/// The header of a frame that must be as long as it says.
fn header_of(frame: &[u8], step: Step) -> Result<Header, LoginError> {
    let least = if step.has_etk() { MIN_LOGIN_LEN } else { MIN_LEN } as u16;
    let length = |len| LoginError::Header { step, error: HeaderError::Length { len, least } };
    let bytes: &[u8; HEADER_LEN] = frame.first_chunk().ok_or_else(|| length(0))?;
    let header = Header::decode(bytes);
    if frame.len() == usize::from(header.len) { Ok(header) } else { Err(length(header.len)) }
}
