//! What a line of the user means.

/// The commands, with what they take.
pub(super) const COMMANDS: [(&str, &str); 11] = [
    ("/invite", "NAME… - begin a session with these users"),
    ("/accept", "[N] - join a session that you are invited to"),
    ("/decline", "[N] - refuse an invitation"),
    ("/status", "- who is online in the session"),
    ("/close", "[N] - end the session for everybody"),
    ("/sessions", "- your sessions and invitations, with their numbers"),
    ("/use", "N - talk in another session"),
    ("/names", "- whom you can invite"),
    ("/connect", "- connect again"),
    ("/help", "- this list; a text that begins with / is written //"),
    ("/quit", "- say goodbye and leave; Ctrl-D does the same"),
];

/// A line of the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Nothing,
    Text(String),
    Invite(Vec<String>),
    Accept(Option<usize>),
    Decline(Option<usize>),
    Status,
    Close(Option<usize>),
    Sessions,
    Use(usize),
    Names,
    Connect,
    Help,
    Quit,
    /// No command, and why.
    Wrong(String),
}

impl Said {
    /// Reads a line. Sessions are meant by number, `2` or `#2`.
    pub(super) fn of(line: &str) -> Self {
        let line = line.trim();
        if let Some(text) = line.strip_prefix("//") {
            return Self::Text(format!("/{text}"));
        }
        if !line.starts_with('/') {
            return if line.is_empty() { Self::Nothing } else { Self::Text(line.to_owned()) };
        }
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        let number = || -> Result<Option<usize>, Self> {
            let digits = rest.strip_prefix('#').unwrap_or(rest);
            match digits.parse() {
                _ if rest.is_empty() => Ok(None),
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(Self::Wrong(format!("{word} takes the number of a session, not {rest:?}"))),
            }
        };
        let with_number = |said: fn(Option<usize>) -> Self| number().map_or_else(|wrong| wrong, said);
        match word {
            "/invite" if rest.is_empty() => Self::Wrong("/invite whom? /names lists who can be invited".to_owned()),
            "/invite" => Self::Invite(rest.split_whitespace().map(str::to_owned).collect()),
            "/accept" => with_number(Self::Accept),
            "/decline" => with_number(Self::Decline),
            "/close" => with_number(Self::Close),
            "/use" => with_number(|number| {
                number.map_or_else(|| Self::Wrong("/use which session? /sessions lists them".to_owned()), Self::Use)
            }),
            "/status" => Self::Status,
            "/sessions" => Self::Sessions,
            "/names" => Self::Names,
            "/connect" => Self::Connect,
            "/help" => Self::Help,
            "/quit" => Self::Quit,
            _ => Self::Wrong(format!("{word} is no command; /help lists them")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_command_or_a_text() {
        let text = |text: &str| Said::Text(text.to_owned());
        assert_eq!(Said::of("  hello there "), text("hello there"));
        assert_eq!(Said::of("//slash"), text("/slash"));
        assert_eq!(Said::of("   "), Said::Nothing);
        assert_eq!(Said::of("/invite bob  carol"), Said::Invite(vec!["bob".to_owned(), "carol".to_owned()]));
        assert_eq!((Said::of("/accept"), Said::of("/accept #2")), (Said::Accept(None), Said::Accept(Some(2))));
        assert_eq!(Said::of("/use 3"), Said::Use(3));
        for wrong in ["/invite", "/use", "/use x", "/close -1", "/inivte bob", "/"] {
            assert!(matches!(Said::of(wrong), Said::Wrong(_)), "{wrong}");
        }
    }

    #[test]
    fn every_command_of_the_help_is_one() {
        for (word, _) in COMMANDS {
            let said = Said::of(&format!("{word} 1"));
            assert!(!matches!(&said, Said::Wrong(why) if why.contains("is no command")), "{word}: {said:?}");
        }
    }
}
