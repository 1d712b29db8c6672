//! A client's case in words: what is played, and what is expected of the client.

use std::fmt::Write as _;

use mpchat_script::ast::Kind;

use super::script::{Script, Step};
use crate::program::{Leaf, LeafKind};

/// One line a step: where it stands in the file, who acts, the line, and what the client has to do.
pub(crate) fn in_words(script: &Script) -> String {
    let role = &script.role;
    let mut text = if script.logs_in {
        format!("{role} is the client under test, and is logged in before the first line.\n")
    } else {
        format!("{role} is the client under test.\n")
    };
    steps(&script.steps, 0, &mut text);
    text
}

fn steps(all: &[Step], depth: usize, text: &mut String) {
    for step in all {
        match step {
            Step::Serve(leaf) => line(leaf, depth, "the server", told(leaf), text),
            Step::Drive(leaf) => line(leaf, depth, "its user", command(leaf), text),
            Step::Await(leaf) => line(leaf, depth, "the client", "awaited: by itself", text),
            Step::Elsewhere(leaf) => line(leaf, depth, "others", "", text),
            Step::Note(leaf) => line(leaf, depth, "note", "", text),
            Step::Either(branches) => {
                for (n, branch) in branches.iter().enumerate() {
                    push(text, depth, if n == 0 { "the client chooses:" } else { "or:" });
                    steps(branch, depth + 1, text);
                }
            }
            Step::Perhaps(branch) => {
                push(text, depth, "the client may:");
                steps(branch, depth + 1, text);
            }
            Step::Until(until) => {
                let whose = if until.from_server { "server's" } else { "client's" };
                push(text, depth, &format!("until the {whose} numbers reach {}:", until.sqn));
                steps(&until.body, depth + 1, text);
            }
        }
    }
}

fn line(leaf: &Leaf, depth: usize, who: &str, expected: &str, text: &mut String) {
    let mut shown = format!("{:>4}  {who:<11} {}", leaf.line.number, leaf.line.text);
    if !expected.is_empty() {
        let _infallible = write!(shown, "   ({expected})");
    }
    push(text, depth, &shown);
}

fn push(text: &mut String, depth: usize, line: &str) {
    // Writing to a String does not fail.
    let _infallible = writeln!(text, "{}{line}", "    ".repeat(depth));
}

fn kind(leaf: &Leaf) -> Option<Kind> {
    match &leaf.what {
        LeafKind::Frame(frame) => match &frame.what {
            mpchat_script::ast::What::Message(message) => Some(message.kind),
            _ => None,
        },
        _ => None,
    }
}

/// What the client has to do about a frame of the server's.
fn told(leaf: &Leaf) -> &'static str {
    match (&leaf.what, kind(leaf)) {
        (LeafKind::Ending(_), _) => "expected: it ends its side, and tells its user",
        (LeafKind::Frame(frame), _) if frame.faulty => "not as it should be: see the lines behind it",
        (_, Some(Kind::InviteReq)) => "expected: the event invited",
        (_, Some(Kind::InitRes)) => "expected: the event init, if an init_req waits",
        (_, Some(Kind::MsgReq)) => "expected: an answer, and the event message if it can be opened and is new",
        (_, Some(Kind::MsgRes)) => "expected: the event sent, if a text waits",
        (_, Some(Kind::CloseRes)) => "expected: the event close or closed",
        (_, Some(Kind::StatusReq)) => "expected: status_res",
        (_, Some(Kind::StatusRes)) => "expected: the event status, once it is complete",
        _ => "",
    }
}

/// The driver's command for a line.
fn command(leaf: &Leaf) -> &'static str {
    match kind(leaf) {
        Some(Kind::LoginReq) => "command: connect",
        Some(Kind::InitReq) => "command: init",
        Some(Kind::InviteRes) => "command: answer",
        Some(Kind::MsgReq) => "command: send",
        Some(Kind::CloseReq) => "command: close",
        Some(Kind::StatusReq) => "command: status",
        _ => "command: leave",
    }
}
