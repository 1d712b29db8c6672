//! Prints what is wrong with scenario files: `cargo run -p mpchat-script --example check -- FILES…`

use std::process::ExitCode;

use miette::{GraphicalReportHandler, GraphicalTheme};

#[allow(clippy::print_stdout, reason = "it is what the example is for")]
fn main() -> ExitCode {
    let mut good = true;
    for path in std::env::args().skip(1) {
        let source = match std::fs::read_to_string(&path) {
            Ok(source) => source,
            Err(error) => {
                println!("{path}: {error}");
                good = false;
                continue;
            }
        };
        // `<area>/<behaviour>`: the last two parts of the path.
        let mut parts: Vec<&str> = path.trim_end_matches(".mmd").rsplit('/').take(2).collect();
        parts.reverse();
        match mpchat_script::parse(&path, &parts.join("/"), &source) {
            Ok(scenario) => println!("{path}: {} case(s)", scenario.expansions.len()),
            Err(error) => {
                good = false;
                let mut text = String::new();
                let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor());
                match handler.render_report(&mut text, &error) {
                    Ok(()) => println!("{text}"),
                    Err(_) => println!("{error}"),
                }
            }
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
