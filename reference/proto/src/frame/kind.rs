//! The ten types of frames, and who may send them.

use core::fmt;

/// What a frame is. The first byte of its code is the exchange, the second 00 for a request, 10 for a response (MTP-04).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(any(test, feature = "arbitrary"), derive(arbitrary::Arbitrary))]
pub enum FrameType {
    /// 00 00: a client wants a session with others.
    InitReq,
    /// 00 10: what became of it.
    InitRes,
    /// 01 00: a client ends a session.
    CloseReq,
    /// 01 10: the answer, or the notification of the others.
    CloseRes,
    /// 02 00: lines to the server, one line to a recipient.
    MsgReq,
    /// 02 10: what became of them.
    MsgRes,
    /// 03 00: the server asks whether a user joins.
    InviteReq,
    /// 03 10: the user's choice.
    InviteRes,
    /// 04 00: who is there? Also the login request, and step 3 of the login.
    StatusReq,
    /// 04 10: presence. Also the login response, and step 4 of the login.
    StatusRes,
}

impl FrameType {
    /// Every type, in the order of the codes.
    pub const ALL: [Self; 10] = [
        Self::InitReq,
        Self::InitRes,
        Self::CloseReq,
        Self::CloseRes,
        Self::MsgReq,
        Self::MsgRes,
        Self::InviteReq,
        Self::InviteRes,
        Self::StatusReq,
        Self::StatusRes,
    ];

    /// The number in a header's `typ`.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::InitReq => 0x0000,
            Self::InitRes => 0x0010,
            Self::CloseReq => 0x0100,
            Self::CloseRes => 0x0110,
            Self::MsgReq => 0x0200,
            Self::MsgRes => 0x0210,
            Self::InviteReq => 0x0300,
            Self::InviteRes => 0x0310,
            Self::StatusReq => 0x0400,
            Self::StatusRes => 0x0410,
        }
    }

    /// The type with this number, if there is one.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|typ| typ.code() == code)
    }

    /// The specification's name, say `init_req`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InitReq => "init_req",
            Self::InitRes => "init_res",
            Self::CloseReq => "close_req",
            Self::CloseRes => "close_res",
            Self::MsgReq => "msg_req",
            Self::MsgRes => "msg_res",
            Self::InviteReq => "invite_req",
            Self::InviteRes => "invite_res",
            Self::StatusReq => "status_req",
            Self::StatusRes => "status_res",
        }
    }

    /// The type with this name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|typ| typ.name() == name)
    }

    /// Whether a client may send it once logged in (MTP-15).
    #[must_use]
    pub const fn from_client(self) -> bool {
        !matches!(self, Self::InitRes | Self::CloseRes | Self::InviteReq)
    }

    /// Whether a server may send it once its client is logged in (MTP-15).
    #[must_use]
    pub const fn from_server(self) -> bool {
        !matches!(self, Self::InitReq | Self::CloseReq | Self::InviteRes)
    }
}

impl fmt::Display for FrameType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// The table of section 2, row by row.
    #[rstest]
    #[case(0x0000, "init_req", true, false)]
    #[case(0x0010, "init_res", false, true)]
    #[case(0x0100, "close_req", true, false)]
    #[case(0x0110, "close_res", false, true)]
    #[case(0x0200, "msg_req", true, true)]
    #[case(0x0210, "msg_res", true, true)]
    #[case(0x0300, "invite_req", false, true)]
    #[case(0x0310, "invite_res", true, false)]
    #[case(0x0400, "status_req", true, true)]
    #[case(0x0410, "status_res", true, true)]
    fn table(#[case] code: u16, #[case] name: &str, #[case] client: bool, #[case] server: bool) {
        let typ = FrameType::from_code(code).expect("a code of the table");
        assert_eq!((typ.code(), typ.name()), (code, name));
        assert_eq!((typ.from_client(), typ.from_server()), (client, server));
        assert_eq!(FrameType::from_name(name), Some(typ));
    }

    #[test]
    fn no_other_code_is_a_type() {
        assert_eq!((0..=u16::MAX).filter_map(FrameType::from_code).collect::<Vec<_>>(), FrameType::ALL);
    }
}
