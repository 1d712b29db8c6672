//! What files unfold into.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::with_diagram;
use mpchat_script::ast::{
    Cast, Delivery, Fault, Field, Frame, Item, Kind, Loop, Payload, Scenario, SessionRef, Value, What,
};
use mpchat_script::{MermaidLine, Problem, Seen, first_lines, mermaid_lines, names, parse, sessions};
use rstest::rstest;

fn good(source: &str) -> Scenario {
    parse("area/name.mmd", "area/name", source).unwrap_or_else(|error| panic!("{}", common::shown(&error)))
}

fn frame(item: &Item) -> &Frame {
    let Item::Frame(frame) = item else { panic!("{item:?} is no frame") };
    frame
}

const FRONT: &str = "title: x\ncovers: [MSG-03]\nwhy: x\nsessions:\n  session: alice bob";

fn ids(more: &str, line: &str) -> Vec<String> {
    let source = format!("---\n{FRONT}\n{more}---\nsequenceDiagram\n    {line}\n");
    good(&source).expansions.into_iter().map(|expansion| expansion.id).collect()
}

#[test]
fn cases_come_in_the_order_of_the_file_each_with_all_values() {
    assert_eq!(ids("", "alice->>server: close_req"), ["area/name"]);
    let cases = "cases:\n  zebra: {word: OK}\n  ant: {word: error}\n";
    assert_eq!(ids(cases, "server->>alice: close_res $word"), ["area/name[zebra]", "area/name[ant]"]);
    let each = "each:\n  at: 1..3\n";
    let expected = ["area/name[at=1]", "area/name[at=2]", "area/name[at=3]"];
    assert_eq!(ids(each, "server->>alice: close_res split at $at"), expected);
    let expected = [
        "area/name[zebra at=7 how=joined]",
        "area/name[zebra at=7 how=as it]",
        "area/name[ant at=7 how=joined]",
        "area/name[ant at=7 how=as it]",
    ];
    let both = format!("{cases}each:\n  at: [7]\n  how: [joined, as it]\n");
    let line = "server->>alice: close_res $word split at $at $how\n    server->>alice: close_res";
    assert_eq!(ids(&both, line), expected);
}

#[test]
fn scalars_are_taken_as_they_are_written() {
    let cases = "cases:\n  a: {v: 0x0200}\n  b: {v: 512}\n";
    let source = format!("---\n{FRONT}\n{cases}---\nsequenceDiagram\n    alice-xserver: status_req with ver $v\n");
    let scenario = good(&source);
    let values: Vec<_> = scenario
        .expansions
        .iter()
        .map(|expansion| {
            let What::Message(message) = &frame(&expansion.body[0]).what else { panic!() };
            message.faults.clone()
        })
        .collect();
    assert_eq!(values[0], [Fault::With(Field::Ver, Value::Hex(vec![2, 0]))], "not the number 512");
    assert_eq!(values[1], [Fault::With(Field::Ver, Value::Number(512))]);
}

#[test]
fn a_line_with_everything() {
    let line = "alice-xserver: msg_req \"a\\u0023\" times 3 in session with sqn last-1 sealed by carol after sealing \
                flip mac last only 24 bytes split at 7 joined as it [MSG-03, MTP-10]";
    let scenario = good(&with_diagram(&format!("    {line}\n    alice-xserver: bytes of it")));
    let frame = frame(&scenario.expansions[0].body[0]);
    let What::Message(message) = &frame.what else { panic!() };
    assert!(frame.faulty);
    assert_eq!((frame.from.as_str(), frame.to.as_str()), ("alice", "server"));
    assert_eq!(frame.line.number, 9);
    assert_eq!(frame.line.text, line.split(" [").next().unwrap());
    assert_eq!(frame.line.rules.iter().map(|rule| rule.as_str()).collect::<Vec<_>>(), ["MSG-03", "MTP-10"]);
    assert_eq!(frame.keep_as.as_deref(), Some("it"));
    assert_eq!(message.kind, Kind::MsgReq);
    assert_eq!(message.payload, Some(Payload::Text("a#a#a#".into())));
    assert_eq!(message.session, Some(SessionRef::Named("session".into())));
    assert_eq!(message.delivery, [Delivery::SplitAt(7), Delivery::Joined]);
    let faults = [
        Fault::With(Field::Sqn, Value::Last(1)),
        Fault::SealedBy("carol".into()),
        Fault::Flip(Field::Mac, None),
        Fault::Only(24),
    ];
    assert_eq!(message.faults, faults);
}

#[rstest]
#[case("key login", Field::Key, Value::Way("login".into()))]
#[case("key s2c", Field::Key, Value::Way("s2c".into()))]
#[case("etk other-key", Field::Etk, Value::Way("other-key".into()))]
#[case("uid server", Field::Uid, Value::Name("server".into()))]
#[case("uid bob", Field::Uid, Value::Name("bob".into()))]
#[case("sid unknown", Field::Sid, Value::Name("unknown".into()))]
#[case("sid session", Field::Sid, Value::Name("session".into()))]
#[case("sqn next+1", Field::Sqn, Value::Next(1))]
#[case("uid flipped-7", Field::Uid, Value::Flipped(7))]
#[case("ver flipped-0", Field::Ver, Value::Flipped(0))]
#[case("typ invite_req", Field::Typ, Value::Kind(Kind::InviteReq))]
#[case("payload \"{bob}\\n{ALICE}\\n\"", Field::Payload, Value::Text("{bob}\n{ALICE}\n".into()))]
#[case("payload 0xff0a", Field::Payload, Value::Hex(vec![0xff, 0x0a]))]
fn values(#[case] text: &str, #[case] field: Field, #[case] value: Value) {
    let scenario = good(&with_diagram(&format!("    alice-xserver: status_req with {text}")));
    let What::Message(message) = &frame(&scenario.expansions[0].body[0]).what else { panic!() };
    assert_eq!(message.faults, [Fault::With(field, value)]);
}

#[test]
fn loops_have_one_entry_a_round_with_their_variable_filled_in() {
    let diagram = "    loop n from 2 to 3\n        loop 2 times\n            bob->>server: status_req\n        end\n        \
                   alice->>server: msg_req \"a $n\"\n    end";
    let scenario = good(&with_diagram(diagram));
    let Item::Loop(Loop::Rounds { rounds, .. }) = &scenario.expansions[0].body[0] else { panic!() };
    let texts: Vec<_> = rounds.iter().map(|round| frame(&round[1]).line.text.clone()).collect();
    assert_eq!(texts, ["alice->>server: msg_req \"a 2\"", "alice->>server: msg_req \"a 3\""]);
    let Item::Loop(Loop::Rounds { rounds: inner, .. }) = &rounds[0][0] else { panic!() };
    assert_eq!(inner.len(), 2);
    assert!(scenario.expansions[0].diagram.contains("\"a $n\""), "the picture keeps the loop");
}

#[test]
fn a_counted_par_has_a_branch_for_each_value_and_is_drawn_once() {
    let diagram = "    par n from 2 to 4\n        alice->>server: msg_req \"a $n\"\n    end";
    let scenario = good(&with_diagram(diagram));
    let Item::Par(branches) = &scenario.expansions[0].body[0] else { panic!() };
    let texts: Vec<_> = branches.iter().map(|branch| frame(&branch.items[0]).line.text.clone()).collect();
    let said = |n| format!("alice->>server: msg_req \"a {n}\"");
    assert_eq!(texts, [said(2), said(3), said(4)]);
    assert!(scenario.expansions[0].diagram.contains("par n from 2 to 4"));
}

#[test]
fn lifelines_are_told_from_names_in_lists() {
    let source = "---\ntitle: x\ncovers: [MSG-03]\nwhy: x\ncast:\n  crowd: 5 users\nsessions:\n  old: alice erin\n---\n\
                  sequenceDiagram\n    alice->>server: init_req bob crowd in new\n    server->>bob: invite_req in new\n    \
                  server->>alice: close_res OK of carol in old\n    Note over dave: logs in\n    \
                  alice->>server: init_req bob\n";
    let scenario = good(source);
    let names = names(&scenario);
    assert_eq!(names.lifelines, ["alice", "bob", "dave"]);
    assert_eq!(names.listed, ["erin", "crowd", "carol"]);
    assert_eq!(sessions(&scenario), ["old", "new", "session"]);
    assert_eq!(scenario.front.cast["crowd"], Cast::Users(5));
}

#[test]
fn a_block_begins_with_all_that_can_come_first() {
    let diagram = "    opt\n        server->>alice: status_req\n    end\n    par\n        server->>alice: close_res OK\n    and\n        \
                   server->>bob: close_res OK of alice\n    end\n    alice->>server: status_req";
    let scenario = good(&with_diagram(diagram));
    let first: Vec<_> =
        first_lines(&scenario.expansions[0].body).into_iter().map(|item| frame(item).line.text.clone()).collect();
    let expected =
        ["server->>alice: status_req", "server->>alice: close_res OK", "server->>bob: close_res OK of alice"];
    assert_eq!(first, expected);
}

#[test]
fn branches_of_an_alt_may_use_a_text_each() {
    let diagram = "    alt\n        alice->>server: msg_req \"x\"\n    else\n        alice->>server: status_req\n        \
                   alice->>server: msg_req \"x\"\n    end\n    server->>bob: msg_req \"x\"\n    server->>bob: msg_req \"x\"";
    good(&with_diagram(diagram));
}

#[test]
fn mermaid_should_see_loops_once_and_rules_as_written() {
    let diagram = "    loop n from 2 to 9\n        alice->>server: msg_req \"a $n\" [MSG-03]\n    end\n    opt may be\n        \
                   server--xalice: closes\n    end\n    Note over bob: hears nothing";
    let lines = mermaid_lines(&good(&with_diagram(diagram)));
    let [file, MermaidLine { id, diagram, messages: Some(seen) }] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((file.id.as_str(), &file.messages), ("area/name (file)", &None));
    assert_eq!(id, "area/name");
    assert!(diagram.starts_with("---\ntitle: ") && diagram.contains("msg_req \"a 2\" [MSG-03]\n"));
    let message = |from: &str, to: &str, arrow, text: &str| Seen::Message {
        from: from.into(),
        to: to.into(),
        arrow,
        text: text.into(),
    };
    let expected = [
        Seen::Block { word: "loop", label: "n from 2 to 9".into() },
        message("alice", "server", "->>", "msg_req \"a 2\" [MSG-03]"),
        Seen::End { word: "loop" },
        Seen::Block { word: "opt", label: "may be".into() },
        message("server", "alice", "--x", "closes"),
        Seen::End { word: "opt" },
        Seen::Note { over: "bob".into(), text: "hears nothing".into() },
    ];
    assert_eq!(seen, &expected);
}

#[rstest]
#[case::a_large_file(format!("---\n{}", " ".repeat(70_000)), Problem::FileTooLong(64 * 1024))]
#[case::long_texts(
    with_diagram("    loop n from 1 to 2000\n        alice->>server: msg_req \"xxxxxxxx $n\" times 60000\n    end"),
    Problem::TooMuchText(64 * 1024 * 1024)
)]
#[case::deep_blocks(
    with_diagram(&format!("{}    alice->>server: status_req\n{}", "    par\n".repeat(4000), "    end\n".repeat(4000))),
    Problem::TooDeep(8)
)]
#[case::long_lines(
    format!(
        "---\n{FRONT}\neach:\n  x: [\"{}\"]\n---\nsequenceDiagram\n    alice->>server: msg_req \"{}\"\n",
        "y".repeat(9000),
        "$x".repeat(1000)
    ),
    Problem::LineTooLong(8 * 1024)
)]
fn what_a_file_may_ask_for_is_bounded(#[case] source: String, #[case] problem: Problem) {
    assert_eq!(common::error_of(&source).problem(), &problem);
}
