//! README and docs match the program: their commands are run, their lists compared, their links followed.

use stablekey::api::{endpoint, sensitive};
use stablekey::engine::model::code::{Code, Severity};
use stablekey_testing::cli;
use stablekey_testing::cli::repository;
use std::fs;
use std::path::PathBuf;

fn documents() -> Vec<PathBuf> {
    let top = ["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(repository);
    top.into_iter().chain(crate::console::markdown_in("docs")).collect()
}

#[test]
fn every_documented_command_has_the_documented_output() {
    crate::console::run_all(&documents());
}

#[test]
fn every_documented_command_is_run() {
    // tests/install/operations.rs runs the blocks of docs/operations.md on clusters.
    for path in documents().into_iter().filter(|path| !path.ends_with("docs/operations.md")) {
        let text = fs::read_to_string(&path).unwrap();
        let mut fence: Option<String> = None;
        for line in text.lines() {
            if let Some(language) = line.strip_prefix("```") {
                fence = if fence.is_some() { None } else { Some(language.to_string()) };
            } else if fence.as_deref().is_some_and(|language| language != "console") {
                let command = line.trim_start_matches("$ ");
                assert!(
                    !command.starts_with("stablekey "),
                    "{}: show `{command}` in a ```console block, so that it is run",
                    path.display()
                );
            }
        }
    }
}

/// A complete resource in a document has only existing fields.
#[test]
fn every_documented_resource_is_valid() {
    let mut shown = 0;
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
        for block in blocks.filter(|block| block.starts_with("apiVersion: stablekey.dev/")) {
            let reading = stablekey::manifest::read_text("shown.yaml", block.to_string());
            assert!(reading.problems().is_empty(), "{}: {:?}\n{block}", path.display(), reading.problems());
            shown += 1;
        }
    }
    assert!(shown > 6, "{shown}");
}

#[test]
fn the_demo_runs() {
    let copy = tempfile::tempdir().unwrap();
    let built = PathBuf::from(env!("CARGO_BIN_EXE_stablekey"));
    let path = format!("{}:{}", built.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let demo = std::process::Command::new(repository("examples/demo.sh"))
        .arg(copy.path().join("demo"))
        .env("PATH", path)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&demo.stdout);
    assert!(demo.status.success(), "{said}{}", String::from_utf8_lossy(&demo.stderr));
    assert!(said.contains("no action is left") && said.contains("+      value: warehouse-2.us.example"), "{said}");
}

#[test]
fn every_check_is_documented() {
    let text = fs::read_to_string(repository("docs/checks.md")).unwrap();
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| SK")).collect();
    assert_eq!(rows.len(), Code::ALL.len(), "docs/checks.md has a row for each code");
    for (row, code) in rows.iter().zip(Code::ALL) {
        let severity = match code.severity() {
            Severity::Error => "error",
            Severity::Unreached => "unreached",
            Severity::Warning => "warning",
        };
        let wanted = format!("| {code} | {} | {severity} | {} | ", code.name(), code.title());
        let what_to_do = row.strip_prefix(&wanted);
        assert!(what_to_do.is_some_and(|w| w.len() > 10), "docs/checks.md should say:\n{wanted}…\nand says:\n{row}");
    }
}

#[test]
fn documented_secret_names_are_those_of_the_code() {
    let text = fs::read_to_string(repository("docs/checks.md")).unwrap();
    let listed = |starts: &str| -> Vec<String> {
        let line = text.lines().find(|line| line.starts_with(starts)).unwrap();
        let list = line.rsplit_once(": ").unwrap().1;
        list.split('`').skip(1).step_by(2).map(str::to_string).collect()
    };
    assert_eq!(listed("Words: "), sensitive::WORDS.map(|words| words.join(" ")));
    assert_eq!(listed("Names that end "), sensitive::EXEMPT_ENDINGS);
    assert_eq!(listed("Endpoint endings: "), endpoint::ENDINGS);
    assert_eq!(listed("Endpoint words, "), endpoint::WORDS);
    assert_eq!(listed("No endpoints, "), endpoint::EXEMPT);
    assert_eq!(listed("Words behind "), endpoint::QUALIFIERS);
    assert_eq!(listed("As the last word "), endpoint::LAST_WORDS);
    assert_eq!(listed("Names of people, "), endpoint::PEOPLE);
    assert_eq!(listed("Schemes that send in clear: "), endpoint::IN_CLEAR);
}

/// Returns the files below a folder with this extension.
fn files_below(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![repository(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.to_string_lossy().ends_with(ending) {
                found.push(entry);
            }
        }
    }
    found
}

/// No document or message names a command that does not exist.
#[test]
fn every_named_command_exists() {
    let output = cli::stablekey(&repository("."), &["--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A wrapped description is indented further.
    let commands: Vec<&str> =
        commands.filter(|line| !line.starts_with("    ")).filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.contains(&"plan") && commands.contains(&"controller"), "{commands:?}");
    let readme = fs::read_to_string(repository("README.md")).unwrap();
    for command in commands.iter().filter(|command| **command != "help") {
        assert!(readme.contains(&format!("\n| `{command}` | ")), "README.md, Commands: {command} is missing");
    }
    let planned = ["doctor"];
    for path in documents().into_iter().chain(files_below("src", ".rs")).chain(files_below("manifests", ".md")) {
        let text = fs::read_to_string(&path).unwrap();
        let is_code = path.extension().is_some_and(|e| e == "rs");
        let spans = text
            .lines()
            .filter(|line| line.matches('`').count() % 2 == 0)
            .flat_map(|line| line.split('`').skip(1).step_by(2));
        for span in spans {
            let mut words = span.split_whitespace();
            let named = match (words.next(), words.next()) {
                (Some("stablekey"), Some(word)) => Some(word),
                // In code it may be a function.
                (Some(word), None) if !is_code => planned.contains(&word).then_some(word),
                _ => None,
            };
            let Some(word) = named.filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase())) else { continue };
            assert!(commands.contains(&word), "{}: `{span}`: there is no command {word}", path.display());
        }
    }
}

#[test]
fn links_are_valid() {
    for path in documents().into_iter().chain([repository("CHANGELOG.md")]) {
        let text = fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            let is_file = !link.contains("://") && !link.starts_with('#');
            let target = path.parent().unwrap().join(link.split('#').next().unwrap());
            assert!(!is_file || target.exists(), "{}: {link} leads nowhere", path.display());
        }
    }
}
