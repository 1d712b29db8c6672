//! Which rule a frame stands for, where the diagram's step names none.

use mpchat_script::ast::{Frame, Kind, Payload, SessionRef, What};

use crate::program::{Leaf, LeafKind};

use super::world::Happening;

/// The rules that are broken when what `leaf` expects does not come.
pub(crate) fn missing(leaf: &Leaf) -> &'static [&'static str] {
    match &leaf.what {
        LeafKind::Ending(_) => &["MTP-13"],
        LeafKind::Note(_) => &["STAT-01", "MTP-18"],
        LeafKind::Frame(Frame { what: What::Message(message), .. }) => {
            let error = message.payload == Some(Payload::Error);
            match message.kind {
                Kind::InitRes if error => &["INIT-10", "INIT-02"],
                Kind::InitRes => &["INIT-09"],
                Kind::InviteReq => &["INIT-05"],
                Kind::MsgReq => &["MSG-03"],
                Kind::MsgRes if error => &["MSG-05"],
                Kind::MsgRes => &["MSG-07"],
                Kind::CloseRes if message.of.is_some() => &["CLOSE-05"],
                Kind::CloseRes if error => &["CLOSE-08"],
                Kind::CloseRes => &["CLOSE-01"],
                Kind::LoginRes => &["LOGIN-17"],
                Kind::StatusReq => &["LOGIN-17"],
                Kind::StatusRes => match (&message.session, &message.payload) {
                    (None | Some(SessionRef::None), _) => &["STAT-01"],
                    (_, Some(Payload::Word(word))) if word == "Offline" && message.of.is_none() => &["STAT-05"],
                    _ => &["STAT-04"],
                },
                _ => &["MTP-15"],
            }
        }
        LeafKind::Frame(_) => &[],
    }
}

/// The rules that are broken when `happening` comes although nothing makes it due.
pub(crate) fn unexpected(happening: &Happening) -> &'static [&'static str] {
    match happening {
        // Nothing that the diagram shows allows the server to end this connection.
        Happening::End(_) => &["MTP-18"],
        Happening::Frame(heard) => match heard.kind {
            Kind::InitRes => &["INIT-11"],
            Kind::InviteReq => &["INIT-05"],
            Kind::MsgReq => &["MSG-03"],
            Kind::MsgRes => &["MSG-07"],
            Kind::CloseRes => &["CLOSE-05"],
            Kind::StatusRes | Kind::LoginRes => &["STAT-01"],
            Kind::StatusReq => &["STAT-08"],
            _ => &["MTP-15"],
        },
    }
}
