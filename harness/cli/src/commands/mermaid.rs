//! `mpchat mermaid`: what Mermaid's own parser should see, one JSON line an expansion.

use std::path::Path;

use super::print;
use crate::failure::Failure;
use crate::selection;

/// Prints the lines.
pub(crate) fn mermaid(own: Option<&Path>) -> Result<u8, Failure> {
    for scenario in selection::scenarios(own)? {
        for check in mpchat_script::mermaid_lines(&scenario) {
            print(&format!("{}\n", serde_json::to_string(&check).map_err(Failure::usage)?))?;
        }
    }
    Ok(0)
}
