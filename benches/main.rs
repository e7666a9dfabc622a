//! `make bench`: measures what the README promises, prints it as ratios and writes docs/benchmarks.md.
//!
//! A figure is measured beside what it is held to, in the same run: seconds differ from machine to
//! machine, ratios hardly. `make bench ONLY=engine` measures one group and writes nothing.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod engine;
mod files;
mod generate;
mod measure;
mod peers;
mod report;

use report::{Figure, Machine};
use std::error::Error;
use std::process::ExitCode;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Measures one group of figures.
type Measure = fn(&mut Machine) -> Outcome<Vec<Figure>>;

/// The groups of figures, by the name that asks for them.
const GROUPS: [(&str, Measure); 2] = [("engine", engine::figures), ("files", files::figures)];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["--child", task, connections] => engine::child(task, connections).map(|()| true),
        // So cargo calls it: with `--bench` from `cargo bench`, without from `cargo test --all-targets`.
        _ if arguments.contains(&"--bench") => bench(&arguments),
        _ => engine::try_out().map(|()| true),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures the groups that are asked for, or all; whether every figure holds.
fn bench(arguments: &[&str]) -> Outcome<bool> {
    let asked = |name: &str| arguments.contains(&name);
    let all = !GROUPS.iter().any(|(name, _)| asked(name));
    let mut machine = Machine::here();
    let mut figures = Vec::new();
    for (name, measure) in GROUPS {
        if all || asked(name) {
            figures.extend(measure(&mut machine)?);
        }
    }
    println!("\n{}", report::text(&figures, &machine));
    if all {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/benchmarks.md");
        report::write(path.as_ref(), &report::markdown(&figures, &machine))?;
        println!("written to docs/benchmarks.md");
    }
    Ok(figures.iter().all(Figure::holds))
}
