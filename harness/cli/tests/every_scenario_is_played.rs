//! A scenario that nobody can play looks like one that passes.

use std::path::Path;
use std::process::Command;

/// The ids of all cases of a role.
fn ids(role: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_mpchat")).arg("run").args(role).arg("--list").output();
    let output = output.expect("the binary under test runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("ids are ASCII")
}

#[test]
fn every_scenario_has_a_case_for_some_role() {
    let listed = [ids(&[]), ids(&["--client", "embedded"])].concat();
    let words: Vec<&str> = listed.split_whitespace().collect();
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let mut seen = 0;
    for area in std::fs::read_dir(scenarios).expect("there are scenarios").flatten() {
        let Ok(files) = std::fs::read_dir(area.path()) else { continue };
        for file in files.flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            let Some(stem) = name.strip_suffix(".mmd") else { continue };
            let id = format!("{}/{stem}", area.file_name().to_string_lossy());
            let is_case = |word: &str| {
                word.strip_prefix(id.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['[', '@']))
            };
            assert!(words.iter().any(|word| is_case(word)), "nobody plays {id}");
            seen += 1;
        }
    }
    assert!(seen > 300, "only {seen} scenarios were found");
}
