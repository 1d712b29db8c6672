//! Formats with markup, read back by a parser that knows nothing of them: JUnit, HTML.

use mpchat_model::Verdict;
use mpchat_report::Format;
use roxmltree::{Document, Node, ParsingOptions};

use crate::made_up::{cases, report, written};

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
    assert!(named(&document, "system-out").text().unwrap().starts_with("warning: breaks MTP-17\n"));
}

#[test]
fn junit_is_red_when_a_run_could_not_go_on() {
    let (_, text) = report(Format::Junit, Vec::new(), Some("nobody listens on <here>\u{0}"));
    let document = Document::parse(&text).unwrap();
    assert_eq!(named(&document, "error").attribute("message"), Some("nobody listens on <here>\\u{0}"));
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
