//! Formats with markup, read back by a parser that knows nothing of them: JUnit, HTML.

use mpchat_model::Verdict;
use mpchat_report::Format;
use roxmltree::{Document, Node, ParsingOptions};

use crate::made_up::{case, cases, report, written, written_with_problems};

/// What the hostile text becomes.
const ESCAPED: &str =
    "a \\u{1b}[31mred\\u{0} text, ]]> <b onclick='x'> &amp; \"q\" ```` # TODO\\u{d} | \\u{202e}turned";

fn count(document: &Document<'_>, name: &str) -> usize {
    document.descendants().filter(|node| node.has_tag_name(name)).count()
}

fn named<'a>(document: &'a Document<'a>, name: &str) -> Node<'a, 'a> {
    document.descendants().find(|node| node.has_tag_name(name)).unwrap()
}

#[test]
fn junit_is_xml_whatever_a_peer_sent() {
    let text = written(Format::Junit);
    insta::assert_snapshot!(text);
    let document = Document::parse(&text).unwrap();
    assert_eq!(count(&document, "testcase"), cases().len());
    assert_eq!((count(&document, "failure"), count(&document, "error"), count(&document, "skipped")), (2, 1, 2));
    let failure = named(&document, "failure");
    assert!(failure.attribute("message").unwrap().starts_with(ESCAPED));
    assert!(failure.text().unwrap().contains(ESCAPED));
    assert_eq!(failure.attribute("type"), Some("MSG-05"));
    let totals = named(&document, "testsuites");
    let total = |name| totals.attribute(name).unwrap();
    assert_eq!((total("tests"), total("failures"), total("errors")), ("7", "2", "1"));
    let said = |words: &str| document.descendants().any(|node| node.text().is_some_and(|text| text.starts_with(words)));
    assert!(said("warning: breaks MTP-17\n") && said("known failure: breaks CLOSE-01\n"));
}

#[test]
fn junit_is_red_when_a_run_could_not_go_on() {
    let (_, text) = report(Format::Junit, Vec::new(), Some("nobody listens on <here>\u{0}"));
    let document = Document::parse(&text).unwrap();
    assert_eq!(named(&document, "error").attribute("message"), Some("nobody listens on <here>\\u{0}"));
}

#[test]
fn junit_skips_what_is_known_to_fail_and_is_red_for_patterns_that_are_wrong() {
    let (_, text) = report(Format::Junit, vec![case("a/b", Verdict::Known, &["MSG-03"], &["MSG-03"])], None);
    let document = Document::parse(&text).unwrap();
    let message = named(&document, "skipped").attribute("message").unwrap();
    assert!(message.starts_with("known failure: it is old: a \\u{1b}"), "{message}");
    assert!(named(&document, "system-out").text().unwrap().starts_with("known failure: breaks MSG-03\n"));
    let text = written_with_problems(Format::Junit);
    let document = Document::parse(&text).unwrap();
    assert_eq!((count(&document, "testcase"), count(&document, "failure")), (cases().len() + 2, 4));
}

#[test]
fn html_tells_why_a_failure_is_accepted_and_which_patterns_are_wrong() {
    let text = written_with_problems(Format::Html);
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let document = Document::parse_with_options(&text, options).unwrap();
    let errors = document.descendants().filter(|n| n.has_tag_name("p") && n.attribute("class") == Some("fail")).count();
    assert_eq!(errors, 2);
    assert!(text.contains("(accepted: it is old: a "));
}

#[test]
fn junit_bears_a_strange_length_of_time() {
    let mut strange = cases();
    strange[0].seconds = f64::NAN;
    strange[1].seconds = -1.0;
    strange[2].seconds = f64::INFINITY;
    let (_, text) = report(Format::Junit, strange, None);
    assert_eq!(count(&Document::parse(&text).unwrap(), "testcase"), cases().len());
}

#[test]
fn html_has_no_element_that_a_peer_sent() {
    let text = written(Format::Html);
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let document = Document::parse_with_options(&text, options).unwrap();
    assert_eq!((count(&document, "script"), count(&document, "img"), count(&document, "link")), (0, 0, 0));
    for node in document.descendants().filter(Node::is_element) {
        for attribute in node.attributes() {
            let known = ["lang", "charset", "http-equiv", "content", "name", "class", "id", "open"];
            assert!(known.contains(&attribute.name()), "{} of {}", attribute.name(), node.tag_name().name());
        }
    }
    let texts: Vec<&str> = document.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect();
    assert!(texts.iter().any(|text| text.starts_with(ESCAPED)));
    let findings = cases().iter().filter(|c| c.verdict >= Verdict::Inconclusive || !c.violates.is_empty()).count();
    assert_eq!(count(&document, "details"), findings);
    insta::assert_snapshot!(text);
}
