//! Where a statement stands among branches: whether it can come together with another, and surely after it.

use crate::ast::{Item, Loop};

/// The branches around a statement, outermost first.
pub(super) type Path = Vec<Step>;

/// A branch of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    block: usize,
    branch: usize,
    par: bool,
}

/// Visits every statement with its path, in the order of the file, until a visit fails.
pub(super) fn walk<'a, E>(items: &'a [Item], visit: &mut dyn FnMut(&Path, &'a Item) -> Result<(), E>) -> Result<(), E> {
    Walk { blocks: 0, path: Vec::new(), visit }.items(items)
}

struct Walk<'v, 'a, E> {
    blocks: usize,
    path: Path,
    visit: &'v mut dyn FnMut(&Path, &'a Item) -> Result<(), E>,
}

impl<'a, E> Walk<'_, 'a, E> {
    fn items(&mut self, items: &'a [Item]) -> Result<(), E> {
        for item in items {
            match item {
                Item::Frame(_) | Item::Ending(_) | Item::Note(_) => (self.visit)(&self.path, item)?,
                Item::Par(branches) | Item::Alt(branches) => {
                    self.blocks += 1;
                    let (block, par) = (self.blocks, matches!(item, Item::Par(_)));
                    for (index, branch) in branches.iter().enumerate() {
                        self.path.push(Step { block, branch: index, par });
                        self.items(&branch.items)?;
                        self.path.pop();
                    }
                }
                Item::Opt(branch) => self.items(&branch.items)?,
                Item::Loop(Loop::Rounds { rounds, .. }) => {
                    for round in rounds {
                        self.items(round)?;
                    }
                }
                Item::Loop(Loop::Until { body, .. }) => self.items(body)?,
            }
        }
        Ok(())
    }
}

/// Whether no run has both: they stand in different branches of one `alt`.
pub(super) fn exclusive(a: &Path, b: &Path) -> bool {
    parting(a, b).is_some_and(|par| !par)
}

/// Whether the order in the file is the order of the run: they do not stand in different branches of one block.
pub(super) fn ordered(a: &Path, b: &Path) -> bool {
    parting(a, b).is_none()
}

/// Whether the block is a `par` in which the two go into different branches.
fn parting(a: &Path, b: &Path) -> Option<bool> {
    let (left, right) = a.iter().zip(b).find(|(left, right)| left != right)?;
    (left.block == right.block).then_some(left.par)
}
