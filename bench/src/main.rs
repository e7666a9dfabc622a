//! `make bench`: measures what the README promises, prints it as ratios and writes docs/benchmarks.md.
//!
//! A figure is measured beside its reference in the same run: seconds differ between machines, ratios hardly. `make
//! bench ONLY=engine` measures one group.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod authoring;
mod caches;
mod clusters;
mod commits;
mod engine;
mod files;
mod generate;
mod git;
mod hostile;
mod hub;
mod measure;
mod operator;
mod page;
mod peers;
mod platform;
mod report;
mod writes;

use report::{Figure, Machine};
use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// The allocator of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Measures one group of figures.
type Measure = fn(&mut Machine) -> Outcome<Vec<Figure>>;

/// The groups of figures, by name.
const GROUPS: [(&str, Measure); 13] = [
    ("engine", engine::figures),
    ("files", files::figures),
    ("writes", writes::figures),
    ("authoring", authoring::figures),
    ("commits", commits::figures),
    ("hostile", hostile::figures),
    ("clusters", clusters::figures),
    ("caches", caches::figures),
    ("operator", operator::figures),
    ("hub", hub::figures),
    ("git", git::figures),
    ("platform", platform::figures),
    ("page", page::figures),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments.as_slice() {
        ["--memory-of", program, arguments @ ..] => memory_of(program, arguments).map(|()| true),
        ["--child", task, number] => child(task, number).map(|()| true),
        ["--git-operator", arguments @ ..] => git::operator(arguments).map(|()| true),
        ["--cache", namespace] => caches::cache(namespace).map(|()| true),
        ["--reflectors", namespace] => caches::reflectors(namespace, caches::Keeps::All).map(|()| true),
        ["--lean-reflectors", namespace] => {
            caches::reflectors(namespace, caches::Keeps::AllButManagedFields).map(|()| true)
        }
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

/// Runs one task in a process of its own, and prints its number.
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

/// Runs a program, and prints its peak memory.
fn memory_of(program: &str, arguments: &[&str]) -> Outcome<()> {
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).status()?;
    println!("{} {}", status.code().ok_or("it was killed")?, measure::peak_memory_of_children()?);
    Ok(())
}

/// Measures the given groups, or all, and writes the results; returns whether every figure is within its bar.
fn bench(arguments: &[&str]) -> Outcome<bool> {
    let asked = |name: &str| arguments.contains(&name);
    let all = !GROUPS.iter().any(|(name, _)| asked(name));
    let path: &Path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/benchmarks.md").as_ref();
    let mut holds = true;
    for (name, measure) in GROUPS {
        if !all && !asked(name) {
            continue;
        }
        let mut machine = Machine::here();
        let figures = measure(&mut machine)?;
        println!("\n{}", report::text(&figures, &machine));
        holds &= figures.iter().all(Figure::holds);
        let page = std::fs::read_to_string(path).unwrap_or_default();
        let parts = GROUPS.iter().filter_map(|(group, _)| {
            if *group == name {
                return Some(report::part(name, &figures, &machine));
            }
            report::part_in(group, &page).map(str::to_string)
        });
        report::write(path, &report::markdown(&parts.collect::<Vec<_>>()))?;
        println!("written to docs/benchmarks.md");
    }
    Ok(holds)
}
