//! Wrong files and what is said about them. Each snapshot is a message as a user reads it.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{error_of, shown, with_diagram, with_front};
use rstest::rstest;

#[rstest]
#[case("empty", "")]
#[case("front-matter-not-first", "\n---\ntitle: x\n---\nsequenceDiagram\n")]
#[case("byte-order-mark", "\u{feff}---\ntitle: x\n---\nsequenceDiagram\n")]
#[case("front-matter-not-ended", "---\ntitle: x\nsequenceDiagram\n")]
#[case("carriage-return", "---\r\ntitle: x\r\n---\r\nsequenceDiagram\r\n")]
#[case("no-diagram", "---\ntitle: x\ncovers: [MSG-03]\nwhy: x\n---\nflowchart\n")]
#[case("nothing-after-front-matter", "---\ntitle: x\ncovers: [MSG-03]\nwhy: x\n---\n")]
#[case("empty-front-matter", "---\n---\nsequenceDiagram\n")]
fn file(#[case] name: &str, #[case] source: &str) {
    insta::assert_snapshot!(format!("file-{name}"), shown(&error_of(source)));
}

const GOOD: &str = "title: x\ncovers: [MSG-03]\nwhy: x";

#[rstest]
#[case("misspelt-key", "titel: x\ncovers: [MSG-03]\nwhy: x")]
#[case("unknown-key", &format!("{GOOD}\nauthor: me"))]
#[case("duplicate-key", &format!("{GOOD}\ntitle: y"))]
#[case("config", &format!("{GOOD}\nconfig:\n  theme: dark"))]
#[case("display-mode", &format!("{GOOD}\ndisplayMode: compact"))]
#[case("missing-why", "title: x\ncovers: [MSG-03]")]
#[case("empty-title", "title: ''\ncovers: [MSG-03]\nwhy: x")]
#[case("title-of-two-lines", "title: |\n  a\n  b\ncovers: [MSG-03]\nwhy: x")]
#[case("colon-in-value", "title: a: b\ncovers: [MSG-03]\nwhy: x")]
#[case("covers-nothing", "title: x\ncovers: []\nwhy: x")]
#[case("covers-no-rule", "title: x\ncovers: [MSG-03, MSG-3]\nwhy: x")]
#[case("covers-twice", "title: x\ncovers: [MSG-03, MSG-03]\nwhy: x")]
#[case("covers-no-list", "title: x\ncovers: MSG-03\nwhy: x")]
#[case("anchor", &format!("{GOOD}\ntags: [&a x, *a]"))]
#[case("cast-meaning", &format!("{GOOD}\ncast:\n  eve: a spy"))]
#[case("cast-reserved", &format!("{GOOD}\ncast:\n  end: unknown user"))]
#[case("cast-unused", &format!("{GOOD}\ncast:\n  eve: unknown user"))]
#[case("cast-crowd-too-large", &format!("{GOOD}\ncast:\n  crowd: 5000 users"))]
#[case("cast-connection-of-connection", &format!("{GOOD}\ncast:\n  a: connection of b\n  b: connection of alice"))]
#[case("session-twice-in-roster", &format!("{GOOD}\nsessions:\n  one: alice bob alice"))]
#[case("session-twice", &format!("{GOOD}\nsessions:\n  one: alice bob\n  one: bob alice"))]
#[case("start-unknown", &format!("{GOOD}\nstarts:\n  alice: asleep"))]
#[case("start-of-nobody", &format!("{GOOD}\nstarts:\n  alise: offline"))]
#[case("client-without-lifeline", &format!("{GOOD}\nsessions:\n  one: alice bob\nclients: [bob]"))]
#[case("need", &format!("{GOOD}\nneeds: [luck]"))]
#[case("level", &format!("{GOOD}\nlevel: MUST"))]
#[case("case-id", &format!("{GOOD}\ncases:\n  A case: {{x: 1}}"))]
#[case("case-twice", &format!("{GOOD}\ncases:\n  a: {{x: 1}}\n  a: {{x: 2}}"))]
#[case("case-variable-unused", &format!("{GOOD}\ncases:\n  a: {{x: 1}}"))]
#[case("case-variable-name", &format!("{GOOD}\ncases:\n  a: {{X: 1}}"))]
#[case("case-variable-with-dollar", &format!("{GOOD}\ncases:\n  a: {{x: $y}}"))]
#[case("each-range", &format!("{GOOD}\neach:\n  n: 5..1"))]
#[case("each-number", &format!("{GOOD}\neach:\n  n: 5"))]
#[case("each-value-twice", &format!("{GOOD}\neach:\n  n: [1, 2, 1]"))]
#[case("each-also-a-case-variable", &format!("{GOOD}\ncases:\n  a: {{n: 1}}\neach:\n  n: [1, 2]"))]
#[case("too-many-expansions", &format!("{GOOD}\neach:\n  a: 1..1000\n  b: 1..1000"))]
#[case("too-long-a-range", &format!("{GOOD}\neach:\n  a: 1..18446744073709551615"))]
fn front(#[case] name: &str, #[case] yaml: &str) {
    insta::assert_snapshot!(format!("front-{name}"), shown(&error_of(&with_front(yaml))));
}

#[rstest]
// Lines.
#[case("empty", "")]
#[case("comment-only", "    %% nothing")]
#[case("prose", "    alice says hello")]
#[case("participant", "    participant alice")]
#[case("note-over-two", "    Note over alice and bob: hears nothing")]
#[case("note-left-of", "    Note left of alice: hears nothing")]
#[case("space-around-arrow", "    alice ->> server: status_req")]
#[case("dotted-arrow", "    alice-->>server: status_req")]
#[case("activation", "    alice->>+server: status_req")]
#[case("no-space-after-colon", "    alice->>server:status_req")]
#[case("empty-text", "    alice->>server:")]
#[case("no-server", "    alice->>bob: status_req")]
#[case("server-to-server", "    server->>server: status_req")]
#[case("capital-name", "    Alice->>server: status_req")]
#[case("keyword-as-name", "    loop->>server: status_req")]
#[case("own-word-as-name", "    with->>server: status_req")]
#[case("tab", "\talice->>server: status_req")]
// What Mermaid loses.
#[case("hash", "    alice->>server: msg_req \"a #1\"")]
#[case("semicolon", "    alice->>server: msg_req \"a; b\"")]
#[case("less-than", "    alice->>server: msg_req \"<b>\"")]
#[case("trailing-comment", "    alice->>server: status_req %% asks")]
#[case("directive", "    %%{init: {}}%%\n    alice->>server: status_req")]
#[case("empty-comment", "    %%\n    alice->>server: status_req")]
// Blocks.
#[case("not-ended", "    par\n        alice->>server: status_req")]
#[case("stray-end", "    alice->>server: status_req\n    end")]
#[case(
    "else-in-par",
    "    par\n        alice->>server: status_req\n    else\n        bob->>server: status_req\n    end"
)]
#[case(
    "and-in-alt",
    "    alt\n        alice->>server: status_req\n    and\n        alice->>server: close_req\n    end"
)]
#[case("statement-after-par", "    par alice->>server: status_req\n        bob->>server: status_req\n    end")]
#[case("statement-after-and", "    par\n        bob->>server: status_req\n    and alice->>server: status_req\n    end")]
#[case("empty-branch", "    par\n        alice->>server: status_req\n    and\n    end")]
#[case("loop-without-count", "    loop\n        alice->>server: status_req\n    end")]
#[case("par-with-a-count-of-times", "    par 3 times from 1\n        alice->>server: status_req\n    end")]
#[case(
    "par-counted-with-and",
    "    par n from 1 to 2\n        alice->>server: msg_req \"$n\"\n    and\n        alice->>server: status_req\n    end"
)]
#[case("loop-never", "    loop 0 times\n        alice->>server: status_req\n    end")]
#[case("loop-backwards", "    loop n from 5 to 1\n        alice->>server: msg_req \"$n\"\n    end")]
#[case(
    "loop-until-between-clients",
    "    loop until alice to bob reaches sqn 5\n        alice->>server: status_req\n    end"
)]
#[case(
    "loop-variable-outside",
    "    loop n from 1 to 2\n        alice->>server: msg_req \"$n\"\n    end\n    server->>bob: msg_req \"$n\""
)]
#[case("unbound", "    alice->>server: msg_req \"$text\"")]
#[case("dollar", "    alice->>server: msg_req \"5 $\"")]
#[case(
    "nested-loops-too-long",
    "    loop 60000 times\n    loop 60000 times\n        alice->>server: status_req\n    end\n    end"
)]
// Frames.
#[case("unknown-type", "    alice->>server: msg_rec \"x\"")]
#[case("payload-of-another-type", "    alice->>server: invite_res OK")]
#[case("payload-where-none-is", "    alice->>server: close_req \"x\"")]
#[case("lower-case-word", "    alice->>server: invite_res accept")]
#[case("string-not-closed", "    alice->>server: msg_req \"x")]
#[case("string-with-bad-escape", "    alice->>server: msg_req \"\\x\"")]
#[case("fault-on-honest", "    alice->>server: status_req with sqn last")]
#[case("bytes-on-honest", "    alice->>server: bytes 0x00")]
#[case("odd-hex", "    alice-xserver: bytes 0x000")]
#[case("in-twice", "    alice->>server: msg_req \"x\" in session in session")]
#[case("fault-twice", "    alice-xserver: status_req with sqn 1 with sqn 2")]
#[case("unknown-field", "    alice-xserver: status_req with sqm 1")]
#[case("value-too-large", "    alice-xserver: status_req with sqn 65536")]
#[case("value-of-another-field", "    alice-xserver: status_req with len last")]
#[case("mac-before-sealing", "    alice-xserver: status_req with mac zero")]
#[case("key-after-sealing", "    alice-xserver: status_req after sealing key random")]
#[case("flipped-beyond", "    alice-xserver: status_req with sid flipped-8")]
#[case("flipped-after-sealing", "    alice-xserver: status_req after sealing sid flipped-0")]
#[case("flip-beyond", "    alice-xserver: status_req after sealing flip mac 12")]
#[case("of-by-a-client", "    alice->>server: close_req of bob")]
#[case("to-in-another-type", "    alice->>server: status_req to \"x\"")]
#[case("held-for-nothing", "    alice->>server: status_req held at 7")]
#[case("held-and-joined", "    alice->>server: status_req held at 7 joined\n    alice->>server: status_req")]
#[case("split-at-nothing", "    alice->>server: status_req split at 0")]
#[case("brace-without-name", "    alice-xserver: init_req with payload \"{0}\"")]
#[case("rules-not-at-the-end", "    alice->>server: [MSG-03] status_req")]
#[case("not-a-rule", "    alice->>server: status_req [MSG-03, MSG-4]")]
#[case("rules-not-closed", "    alice->>server: status_req [MSG-03")]
#[case("ending-word", "    alice--xserver: leaves")]
// Notes.
#[case("note-misspelt", "    Note over alice: hears nothin")]
#[case("note-unknown", "    Note over alice: is happy")]
#[case("note-unknown-timer", "    Note over server: the lunch timeout passes")]
#[case("note-over-server", "    Note over server: hears nothing")]
#[case("restart-of-a-user", "    Note over alice: restarts")]
// Together.
#[case("unknown-session", "    alice->>server: msg_req \"x\" in sesion")]
#[case("unknown-name", "    server->>alice: close_res OK of bbo")]
#[case("unknown-name-in-braces", "    alice-xserver: init_req with payload \"{bbo}\\n\"")]
#[case("unknown-text", "    alice->>server: msg_req \"hello\"\n    server->>bob: msg_req \"helo\"")]
#[case("unknown-text-answered", "    alice->>server: msg_req \"hello\"\n    server->>alice: msg_res OK to \"bye\"")]
#[case("text-twice", "    alice->>server: msg_req \"x\"\n    bob->>server: msg_req \"x\"")]
#[case(
    "text-twice-in-par",
    "    par\n        alice->>server: msg_req \"x\"\n    and\n        bob->>server: msg_req \"x\"\n    end"
)]
#[case("text-in-each-round", "    loop 2 times\n        alice->>server: msg_req \"x\"\n    end")]
#[case("kept-twice", "    alice->>server: status_req as it\n    alice->>server: status_req as it")]
#[case("kept-later", "    alice-xserver: bytes of it\n    alice->>server: status_req as it")]
#[case(
    "kept-beside",
    "    par\n        alice->>server: status_req as it\n    and\n        bob-xserver: bytes of it\n    end"
)]
#[case(
    "alt-same-first-line",
    "    alt\n        alice->>server: status_req [STAT-01]\n    else\n        alice->>server: status_req\n    end"
)]
#[case(
    "alt-two-senders",
    "    alt\n        alice->>server: status_req\n    else\n        bob->>server: status_req\n    end"
)]
#[case(
    "alt-begins-with-check",
    "    alt\n        Note over alice: hears nothing\n    else\n        alice->>server: status_req\n    end"
)]
#[case("joined-to-nothing", "    alice->>server: status_req joined\n    server->>alice: status_res Online")]
fn diagram(#[case] name: &str, #[case] lines: &str) {
    insta::assert_snapshot!(format!("diagram-{name}"), shown(&error_of(&with_diagram(lines))));
}

#[test]
fn a_flaw_in_a_variable_is_shown_where_the_line_uses_it() {
    let source = "---\ntitle: x\ncovers: [MSG-03]\nwhy: x\ncases:\n  good: {change: sqn 1}\n  bad: {change: sqn first}\n---\n\
                  sequenceDiagram\n    alice-xserver: status_req with $change\n";
    let error = error_of(source);
    assert_eq!(error.expansion(), Some("area/name[bad]"));
    assert_eq!((error.place().line, error.place().column), (10, 36));
    assert_eq!(error.place().text, "$change");
    insta::assert_snapshot!("variable", shown(&error));
}

#[test]
fn a_session_has_to_be_named_where_there_are_several() {
    let source = with_diagram("    alice->>server: close_req")
        .replace("  session: alice bob", "  one: alice bob\n  two: alice bob");
    insta::assert_snapshot!("which-session", shown(&error_of(&source)));
}
