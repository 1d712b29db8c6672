//! `mpchat explain`: a rule with its tests, or a scenario with its diagram.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use mpchat_model::{Ledger, RuleId};
use mpchat_runner::plan_for_clients;
use mpchat_script::ast::Scenario;

use super::print;
use crate::failure::Failure;
use crate::selection;

/// Explains a rule id, a case or scenario id, or a scenario file.
///
/// With a role, a case is explained as it is played for a client that is this user.
pub(crate) fn explain(what: &str, role: Option<&str>, own: Option<&Path>) -> Result<u8, Failure> {
    let (what, role) = match what.rsplit_once('@') {
        Some((case, user)) if role.is_none() => (case, Some(user)),
        _ => (what, role),
    };
    if let Some(role) = role {
        print(&for_client(what, role, own)?)?;
        return Ok(0);
    }
    let text = if let Ok(id) = what.parse::<RuleId>() {
        rule(&id, &selection::scenarios(own)?)?
    } else if Path::new(what).is_file() {
        scenario(&selection::read(Path::new(what))?, None)
    } else {
        let scenarios = selection::scenarios(own)?;
        let found = scenarios.iter().find_map(|s| {
            let expansion = s.expansions.iter().position(|e| e.id == what || what.starts_with(&format!("{} ", e.id)));
            let whole = s.id == what || what.split('[').next() == Some(s.id.as_str());
            (whole || expansion.is_some()).then_some((s, expansion))
        });
        let (found, expansion) =
            found.ok_or_else(|| Failure::usage(format!("`{what}` is no rule, no scenario, no case and no file")))?;
        scenario(found, expansion)
    };
    print(&text)?;
    Ok(0)
}

fn for_client(what: &str, role: &str, own: Option<&Path>) -> Result<String, Failure> {
    let ledger = Ledger::embedded().map_err(Failure::found)?;
    let scenarios = match Path::new(what).is_file() {
        true => vec![Arc::new(selection::read(Path::new(what))?)],
        false => selection::scenarios(own)?,
    };
    let meant = |id: &str| {
        let case = id.rsplit_once('@').map_or(id, |(case, _)| case);
        case == what || case.split('[').next() == Some(what) || Path::new(what).is_file()
    };
    let mut text = String::new();
    for case in plan_for_clients(&scenarios, &ledger, Some(role)).iter().filter(|case| meant(&case.id)) {
        let covers: Vec<&str> = case.covers().iter().map(RuleId::as_str).collect();
        let words = case.in_words().unwrap_or_default();
        push(&mut text, format_args!("{}: {}\ncovers {}\n{words}\n", case.id, case.title(), covers.join(", ")));
    }
    if text.is_empty() {
        let why = "no such case, or a client cannot play it, or it shows a client what another case shows it too";
        return Err(Failure::usage(format!("`{what}` for a client that is {role}: {why}")));
    }
    Ok(text)
}

fn rule(id: &RuleId, scenarios: &[Arc<Scenario>]) -> Result<String, Failure> {
    let ledger = Ledger::embedded().map_err(Failure::found)?;
    let rule = ledger.rule(id).ok_or_else(|| Failure::usage(format!("the specification has no rule {id}")))?;
    let mut text = format!("{id}  {:?}  {:?}  from the {:?}\n\n{}\n", rule.level, rule.role, rule.source, rule.text);
    if let Some(reason) = ledger.unobservable(id) {
        push(&mut text, format_args!("\nNobody can observe it from outside a server: {reason}\n"));
    }
    text.push_str("\ntests:\n");
    for scenario in scenarios.iter().filter(|s| s.front.covers.contains(id)) {
        push(&mut text, format_args!("  {} ({}): {}\n", scenario.id, scenario.expansions.len(), scenario.front.title));
    }
    Ok(text)
}

fn scenario(scenario: &Scenario, expansion: Option<usize>) -> String {
    let front = &scenario.front;
    let covers: Vec<&str> = front.covers.iter().map(RuleId::as_str).collect();
    let mut text = format!("{}: {}\n{}\ncovers {}\n", scenario.id, front.title, front.why, covers.join(", "));
    if scenario.expansions.len() > 1 && expansion.is_none() {
        text.push_str("cases:\n");
        for expansion in &scenario.expansions {
            push(&mut text, format_args!("  {}\n", expansion.id));
        }
    }
    if let Some(shown) = scenario.expansions.get(expansion.unwrap_or(0)) {
        push(&mut text, format_args!("\n{}:\n{}", shown.id, shown.diagram));
    }
    text
}

fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    let _infallible = text.write_fmt(what);
}
