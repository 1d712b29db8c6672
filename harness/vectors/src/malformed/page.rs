//! What both writers of scenarios have in common: the front matter, lines, and the choice among reactions.

use std::fmt::Write as _;

use mpchat_model::RuleId;

use super::text::quoted;
use super::{Reaction, Vector};

/// A scenario as far as it is written.
#[derive(Default)]
pub(super) struct Page {
    text: String,
    /// How many blocks are open around the next line, the diagram's own included.
    depth: usize,
}

impl Page {
    /// The front matter: `setting` says who is there when the diagram begins.
    pub(super) fn front(&mut self, vector: &Vector, covers: &[&str], setting: &str) {
        let (title, why) = (quoted(&vector.title), quoted(&vector.why));
        let covered = covers.join(", ");
        // The header alone: whoever waits for the rest of the frame breaks a SHOULD.
        let level = if covers.first() == Some(&"MTP-17") { "level: should\n" } else { "" };
        self.text = format!(
            "---\ntitle: {title}\ncovers: [{covered}]\nwhy: {why}\n{setting}{level}tags: [malformed]\n---\nsequenceDiagram\n"
        );
        self.depth = 1;
    }

    pub(super) fn text(self) -> String {
        self.text
    }
}

/// Writes the diagram of one vector.
pub(super) trait Writer<'a> {
    fn vector(&self) -> &'a Vector;

    fn page(&mut self) -> &mut Page;

    /// What conforms, in one of the ways that the vector allows.
    fn reaction(&mut self, reaction: &Reaction);

    fn line(&mut self, line: &str) {
        let Page { text, depth } = self.page();
        let _infallible = writeln!(text, "{:width$}{line}", "", width = 4 * *depth);
    }

    /// Lines inside the block that is open.
    fn inside(&mut self, lines: impl FnOnce(&mut Self)) {
        self.page().depth += 1;
        lines(self);
        self.page().depth -= 1;
    }

    /// All the ways that the vector allows.
    fn reactions(&mut self) {
        let conforms = &self.vector().conforms;
        if let [only] = &conforms[..] {
            self.reaction(only);
            return;
        }
        for (n, reaction) in conforms.iter().enumerate() {
            self.line(if n == 0 { "alt" } else { "else" });
            self.inside(|writer| writer.reaction(reaction));
        }
        self.line("end");
    }

    /// The rules that a line proves, as they stand behind it.
    fn rules(&self) -> String {
        let rules: Vec<&str> = self.vector().covers.iter().map(RuleId::as_str).collect();
        format!("[{}]", rules.join(", "))
    }
}
