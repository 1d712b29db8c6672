//! Which scenarios there are, and which cases are meant.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mpchat_model::RuleId;
use mpchat_runner::PlannedCase;
use mpchat_script::ast::Scenario;

use crate::embedded;
use crate::failure::Failure;

/// The suite's scenarios, and a user's own.
pub(crate) fn scenarios(own: Option<&Path>) -> Result<Vec<Arc<Scenario>>, Failure> {
    let mut scenarios = embedded::scenarios()?;
    if let Some(folder) = own {
        for path in files_below(folder)? {
            scenarios.push(Arc::new(read(&path)?));
        }
    }
    Ok(scenarios)
}

/// Reads a scenario file; its id is its folder and its name.
pub(crate) fn read(path: &Path) -> Result<Scenario, Failure> {
    let source = std::fs::read_to_string(path).map_err(|e| Failure::usage(format!("{}: {e}", path.display())))?;
    let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let area = path.parent().and_then(Path::file_name).map(|s| s.to_string_lossy().into_owned());
    let id = area.map_or_else(|| name.clone(), |area| format!("{area}/{name}"));
    mpchat_script::parse(&path.display().to_string(), &id, &source).map_err(Failure::script)
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let fail = |e: std::io::Error| Failure::usage(format!("{}: {e}", folder.display()));
        for entry in std::fs::read_dir(&folder).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "mmd") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a case is meant by one of the filters: `=id` exactly (in every role, if the id names none), a rule, an area of rules,
/// or a part of the id.
pub(crate) fn is_meant(case: &PlannedCase, filters: &[String]) -> bool {
    filters.is_empty() || filters.iter().any(|filter| matches(case, filter))
}

fn matches(case: &PlannedCase, filter: &str) -> bool {
    if let Some(exact) = filter.strip_prefix('=') {
        let is_one_of_its_roles = || case.id.rsplit_once('@').is_some_and(|(id, _role)| id == exact);
        return case.id == exact || is_one_of_its_roles();
    }
    if filter.parse::<RuleId>().is_ok() {
        return case.covers().iter().any(|rule| rule.as_str() == filter);
    }
    let is_area = !filter.is_empty() && filter.bytes().all(|b| b.is_ascii_uppercase());
    if is_area { case.covers().iter().any(|rule| rule.area() == filter) } else { case.id.contains(filter) }
}

/// The Kth of N parts: cases are dealt out by a hash of their ids, so that a new case moves no other.
pub(crate) fn in_shard(id: &str, shard: Option<(u64, u64)>) -> bool {
    let Some((k, n)) = shard else { return true };
    fnv([id]) % n == k - 1
}

/// A digest of what shards of one run have in common: texts, in order.
pub(crate) fn digest<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    format!("{:016x}", fnv(texts.into_iter().flat_map(|text| [text, "\n"])))
}

/// FNV-1a: stable across versions of this tool and of its compiler, as the standard library's is not.
fn fnv<'a>(texts: impl IntoIterator<Item = &'a str>) -> u64 {
    let bytes = texts.into_iter().flat_map(str::bytes);
    bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// `K/N`, K from 1.
pub(crate) fn parse_shard(text: &str) -> Result<(u64, u64), Failure> {
    let parsed = text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
    match parsed {
        Some((k, n)) if (1..=n).contains(&k) => Ok((k, n)),
        _ => Err(Failure::usage(format!("--shard {text}: not K/N with K from 1 to N"))),
    }
}
