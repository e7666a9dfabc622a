//! `make bench`: measures what the README promises, prints it as ratios and writes docs/benchmarks.md.
//!
//! A figure is measured beside what it is held to, in the same run: seconds differ from machine to
//! machine, ratios hardly. `make bench ONLY=engine` measures one group and writes nothing.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod clusters;
mod engine;
mod files;
mod generate;
mod hostile;
mod hub;
mod measure;
mod operator;
mod peers;
mod report;
mod writes;

use report::{Figure, Machine};
use std::error::Error;
use std::process::{Command, ExitCode, Stdio};

/// The one that the program has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Measures one group of figures.
type Measure = fn(&mut Machine) -> Outcome<Vec<Figure>>;

/// The groups of figures, by the name that asks for them.
const GROUPS: [(&str, Measure); 7] = [
    ("engine", engine::figures),
    ("files", files::figures),
    ("writes", writes::figures),
    ("hostile", hostile::figures),
    ("clusters", clusters::figures),
    ("operator", operator::figures),
    ("hub", hub::figures),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["--memory-of", program, arguments @ ..] => memory_of(program, arguments).map(|()| true),
        ["--child", task, number] => child(task, number).map(|()| true),
        _ => bench(&arguments),
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

/// Carries out one task, in a process of its own, and prints its number.
fn child(task: &str, number: &str) -> Outcome<()> {
    let number = number.parse()?;
    let measured = match task {
        "answer" => hostile::child(number, false)?,
        "answer-memory" => hostile::child(number, true)?,
        _ => engine::child(task, number)?,
    };
    println!("{measured}");
    Ok(())
}

/// Runs a program and prints how much memory it had at most.
fn memory_of(program: &str, arguments: &[&str]) -> Outcome<()> {
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).status()?;
    println!("{} {}", status.code().ok_or("it was killed")?, measure::peak_memory_of_children()?);
    Ok(())
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
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/benchmarks.md");
        report::write(path.as_ref(), &report::markdown(&figures, &machine))?;
        println!("written to docs/benchmarks.md");
    }
    Ok(figures.iter().all(Figure::holds))
}
