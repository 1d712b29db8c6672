//! Whom to send to (STAT-09): the server tells the roster, and could slip in a reader.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::ids::Uid;

/// The most users of a session: the creator and 121 invited (INIT-02).
pub const MAX_ROSTER: usize = 122;

/// Why a roster is not to be sent to (STAT-09).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Untrusted {
    /// It lacks the user itself.
    #[error("it lacks {0}, who asks")]
    WithoutMe(Uid),
    /// It names a user twice.
    #[error("it names {0} twice")]
    Twice(Uid),
    /// It names nobody but the user itself.
    #[error("it names nobody else")]
    Alone,
    /// It has more users than a session can have.
    #[error("it names more than {MAX_ROSTER} users")]
    TooMany,
    /// It does not begin with the session's creator: the user itself, or who invited it.
    #[error("it does not begin with {0}, who created the session")]
    NotCreator(Uid),
    /// It has a user whom the creator did not invite, or not in this place.
    #[error("{0} was not invited, or not in this place")]
    NotInvited(Uid),
}

/// What a client knows of a session's beginning without the server's roster.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Origin<'a> {
    /// Whom the user invited, if it created the session.
    pub(super) invited: Option<&'a [Uid]>,
    /// Who invited the user, if somebody did. A server that lies may have both: then both bind.
    pub(super) inviter: Option<Uid>,
}

/// STAT-09: whether `me` can trust `roster`.
pub(super) fn trust(roster: &[Uid], me: Uid, origin: Origin<'_>) -> Result<(), Untrusted> {
    if !roster.contains(&me) {
        return Err(Untrusted::WithoutMe(me));
    }
    let mut seen = BTreeSet::new();
    if let Some(&twice) = roster.iter().find(|&&uid| !seen.insert(uid)) {
        return Err(Untrusted::Twice(twice));
    }
    if roster.len() == 1 {
        return Err(Untrusted::Alone);
    }
    if roster.len() > MAX_ROSTER {
        return Err(Untrusted::TooMany);
    }
    if let Some(inviter) = origin.inviter
        && roster[0] != inviter
    {
        return Err(Untrusted::NotCreator(inviter));
    }
    let Some(invited) = origin.invited else { return Ok(()) };
    if roster[0] != me {
        return Err(Untrusted::NotCreator(me));
    }
    // Those who accepted, in the order in which they were named: what is left of `invited` shrinks with each.
    let mut invited = invited.iter();
    match roster[1..].iter().find(|&member| !invited.any(|uid| uid == member)) {
        Some(&stranger) => Err(Untrusted::NotInvited(stranger)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const ME: Uid = Uid(1);

    fn judge(roster: &[u64], invited: Option<&[u64]>, inviter: Option<u64>) -> Result<(), Untrusted> {
        let uids = |numbers: &[u64]| numbers.iter().map(|&uid| Uid(uid)).collect::<Vec<_>>();
        let invited = invited.map(uids);
        trust(&uids(roster), ME, Origin { invited: invited.as_deref(), inviter: inviter.map(Uid) })
    }

    #[rstest]
    #[case(&[2, 3], None, None, Err(Untrusted::WithoutMe(ME)))]
    #[case(&[], None, None, Err(Untrusted::WithoutMe(ME)))]
    #[case(&[1], None, None, Err(Untrusted::Alone))]
    #[case(&[1, 1], None, None, Err(Untrusted::Twice(ME)))]
    #[case(&[1, 2, 2], None, None, Err(Untrusted::Twice(Uid(2))))]
    #[case(&[2, 1], None, None, Ok(()))]
    // Invited by 2.
    #[case(&[2, 1, 3], None, Some(2), Ok(()))]
    #[case(&[1, 2], None, Some(2), Err(Untrusted::NotCreator(Uid(2))))]
    #[case(&[3, 2, 1], None, Some(2), Err(Untrusted::NotCreator(Uid(2))))]
    // Created, 2, 3 and 4 invited in this order.
    #[case(&[1, 2, 3, 4], Some(&[2, 3, 4][..]), None, Ok(()))]
    #[case(&[1, 3], Some(&[2, 3, 4][..]), None, Ok(()))]
    #[case(&[1, 2, 4], Some(&[2, 3, 4][..]), None, Ok(()))]
    #[case(&[2, 1], Some(&[2, 3, 4][..]), None, Err(Untrusted::NotCreator(ME)))]
    #[case(&[1, 3, 2], Some(&[2, 3, 4][..]), None, Err(Untrusted::NotInvited(Uid(2))))]
    #[case(&[1, 2, 5], Some(&[2, 3, 4][..]), None, Err(Untrusted::NotInvited(Uid(5))))]
    // A server that lies about one of them.
    #[case(&[1, 2], Some(&[2][..]), Some(2), Err(Untrusted::NotCreator(Uid(2))))]
    #[case(&[2, 1], Some(&[2][..]), Some(2), Err(Untrusted::NotCreator(ME)))]
    fn stat_09(
        #[case] roster: &[u64],
        #[case] invited: Option<&[u64]>,
        #[case] inviter: Option<u64>,
        #[case] expected: Result<(), Untrusted>,
    ) {
        assert_eq!(judge(roster, invited, inviter), expected);
    }

    #[test]
    fn no_session_is_larger_than_its_init_can_be() {
        let roster: Vec<u64> = (1..=123).collect();
        assert_eq!(judge(&roster[..122], None, None), Ok(()));
        assert_eq!(judge(&roster, None, None), Err(Untrusted::TooMany));
    }
}
