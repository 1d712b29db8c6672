//! Which rules of a client a missing or an unexpected frame breaks, where its line names none.

use mpchat_script::ast::Kind;

/// A frame that is due does not come.
pub(super) fn missing(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::LoginReq => &["LOGIN-01", "LOGIN-17"],
        Kind::InitReq => &["INIT-01"],
        Kind::InviteRes => &["INIT-16"],
        Kind::MsgReq => &["MSG-01"],
        Kind::MsgRes => &["MSG-06"],
        Kind::StatusRes => &["STAT-02"],
        Kind::CloseReq => &["CLOSE-10"],
        _ => &["MTP-20"],
    }
}

/// A frame comes that nothing makes due.
pub(super) fn unexpected(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::LoginReq => &["LOGIN-15"],
        Kind::InitReq => &["INIT-01"],
        Kind::InviteRes => &["INIT-16"],
        Kind::MsgReq => &["MSG-01"],
        Kind::MsgRes => &["MSG-06"],
        Kind::StatusRes => &["STAT-02"],
        Kind::CloseReq => &["CLOSE-10"],
        _ => &["MTP-15"],
    }
}
