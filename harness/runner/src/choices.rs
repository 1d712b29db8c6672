//! The choices of a diagram that are the harness's: each makes a case of its own.

use mpchat_script::ast::{Branch, Item};

/// Up to how many ways of one diagram are played. Of more, the first and the last are.
const WAYS: usize = 64;

/// A diagram with the harness's choices made: the labels taken, and the items that remain.
type Way = (Vec<String>, Vec<Item>);

/// What is taken of each choice.
#[derive(Clone, Copy)]
enum Take {
    All,
    First,
    Last,
}

/// Every way through a diagram, as far as the harness decides it. Where these are more than [`WAYS`]: the one that takes
/// each first branch, and the one that takes each last branch and no `opt`.
pub(crate) fn made(items: &[Item], harness_decides: &dyn Fn(Option<&Branch>) -> bool) -> Vec<Way> {
    if count(items, harness_decides) <= WAYS {
        return choose(items, Take::All, harness_decides);
    }
    let only = |take: Take, label: &str| {
        let ways = choose(items, take, harness_decides);
        ways.into_iter().map(|(_, body)| (vec![label.to_owned()], body)).collect::<Vec<Way>>()
    };
    [only(Take::First, "first"), only(Take::Last, "last")].concat()
}

/// How many ways there are.
fn count(items: &[Item], harness_decides: &dyn Fn(Option<&Branch>) -> bool) -> usize {
    let count = |items: &[Item]| count(items, harness_decides);
    let ways = |item: &Item| match item {
        Item::Alt(branches) if harness_decides(branches.first()) => {
            branches.iter().fold(0, |sum: usize, branch| sum.saturating_add(count(&branch.items)))
        }
        Item::Opt(branch) if harness_decides(Some(branch)) => count(&branch.items).saturating_add(1),
        Item::Alt(branches) | Item::Par(branches) => {
            branches.iter().fold(1, |product: usize, branch| product.saturating_mul(count(&branch.items)))
        }
        _ => 1,
    };
    items.iter().fold(1, |product, item| product.saturating_mul(ways(item)))
}

impl Take {
    fn of(self, mut ways: Vec<Way>) -> Vec<Way> {
        match self {
            Self::All => {}
            Self::First => ways.truncate(1),
            Self::Last => drop(ways.drain(..ways.len().saturating_sub(1))),
        }
        ways
    }
}

/// Makes every choice that is the harness's: the labels taken, and the items that remain.
fn choose(items: &[Item], take: Take, harness_decides: &dyn Fn(Option<&Branch>) -> bool) -> Vec<Way> {
    let choose = |items: &[Item]| choose(items, take, harness_decides);
    let blocks = |branches: &[Branch]| blocks(branches, take, harness_decides);
    let mut all = vec![(Vec::new(), Vec::new())];
    for item in items {
        let ways: Vec<Way> = match item {
            Item::Alt(branches) if harness_decides(branches.first()) => {
                let branches = branches.iter().enumerate();
                take.of(branches.flat_map(|(n, b)| prefixed(&label(b, n), choose(&b.items))).collect())
            }
            Item::Opt(branch) if harness_decides(Some(branch)) => {
                let mut ways = prefixed(&label(branch, 0), choose(&branch.items));
                ways.push((vec!["without".to_owned()], Vec::new()));
                take.of(ways)
            }
            Item::Alt(branches) => blocks(branches).into_iter().map(|(l, b)| (l, vec![Item::Alt(b)])).collect(),
            Item::Par(branches) => blocks(branches).into_iter().map(|(l, b)| (l, vec![Item::Par(b)])).collect(),
            other => vec![(Vec::new(), vec![other.clone()])],
        };
        all = all
            .into_iter()
            .flat_map(|(labels, body)| {
                ways.iter().map(move |(more, rest)| {
                    ([labels.clone(), more.clone()].concat(), [body.clone(), rest.clone()].concat())
                })
            })
            .collect();
    }
    all
}

fn prefixed(label: &str, ways: Vec<Way>) -> Vec<Way> {
    ways.into_iter().map(|(labels, body)| ([vec![label.to_owned()], labels].concat(), body)).collect()
}

fn blocks(
    branches: &[Branch],
    take: Take,
    harness_decides: &dyn Fn(Option<&Branch>) -> bool,
) -> Vec<(Vec<String>, Vec<Branch>)> {
    let mut all = vec![(Vec::new(), Vec::new())];
    for branch in branches {
        let ways = choose(&branch.items, take, harness_decides);
        all = all
            .into_iter()
            .flat_map(|(labels, done): (Vec<String>, Vec<Branch>)| {
                ways.iter().map(move |(more, items)| {
                    let branch = Branch { label: branch.label.clone(), items: items.clone() };
                    ([labels.clone(), more.clone()].concat(), [done.clone(), vec![branch]].concat())
                })
            })
            .collect();
    }
    all
}

fn label(branch: &Branch, n: usize) -> String {
    let words: Vec<&str> = branch.label.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
    if words.is_empty() { format!("{}", n + 1) } else { words.join("-").to_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::made;

    fn ways(optional: usize) -> Vec<Vec<String>> {
        let lines = "    opt\n        alice->>server: status_req\n    end\n".repeat(optional);
        let source = format!("---\ntitle: t\ncovers: [STAT-01]\nwhy: w\n---\nsequenceDiagram\n{lines}");
        let scenario = mpchat_script::parse("area/behaviour.mmd", "area/behaviour", &source).expect("a scenario");
        made(&scenario.expansions[0].body, &|_| true).into_iter().map(|(labels, _)| labels).collect()
    }

    #[test]
    fn every_way_is_made_while_they_are_few() {
        assert_eq!(ways(1), [["1"], ["without"]]);
        assert_eq!(ways(6).len(), 64);
    }

    #[test]
    fn of_too_many_ways_the_first_and_the_last_are_made() {
        assert_eq!(ways(7), [["first"], ["last"]]);
        assert_eq!(ways(500), [["first"], ["last"]]);
    }
}
