//! Malformed-frame vectors as scenarios.

use std::sync::Arc;

use mpchat_script::ast::Scenario;
use mpchat_vectors::malformed;

use crate::failure::Failure;

/// Turns the malformed-frame vectors among `files` into scenarios.
pub(crate) fn as_scenarios(files: &[(&str, &str)]) -> Result<Vec<Arc<Scenario>>, Failure> {
    let vectors = malformed::load(files.iter().copied()).map_err(Failure::usage)?;
    let scenario = |vector: &malformed::Vector| {
        let id = vector.id();
        let source = malformed::to_scenario(vector);
        mpchat_script::parse(&format!("vectors/{id}"), &id, &source).map(Arc::new).map_err(Failure::script)
    };
    vectors.iter().map(scenario).collect()
}
