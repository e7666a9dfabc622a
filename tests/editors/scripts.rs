//! The scripts that shells read, and the answers that they get.

use std::process::Command;

fn stablekey() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stablekey"));
    command.current_dir(stablekey_testing::cli::repository("examples/us-eu"));
    command
}

fn out(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn answers(shell: &str, words: &[&str]) -> String {
    let last = (words.len() - 1).to_string();
    let mut command = stablekey();
    command.env("COMPLETE", shell).env("_CLAP_COMPLETE_INDEX", last).arg("--").args(words);
    out(&mut command)
}

#[test]
fn each_shell_has_a_script_that_asks_this_program() {
    let program = env!("CARGO_BIN_EXE_stablekey");
    for (shell, part) in [
        ("bash", "complete -o nospace -o bashdefault -o nosort -F _clap_complete_stablekey stablekey"),
        ("zsh", "#compdef stablekey"),
        ("fish", "complete --keep-order --exclusive --command stablekey"),
        ("powershell", "Register-ArgumentCompleter -Native -CommandName stablekey"),
        ("elvish", "set edit:completion:arg-completer[stablekey]"),
        ("kubectl", "#!/bin/sh\nCOMPLETE=kubectl exec "),
    ] {
        let script = out(stablekey().args(["completions", shell]));
        assert!(script.contains(part) && script.contains(program), "{shell}: {script}");
    }
    let wrong = stablekey().args(["completions", "fsh"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(1));
    let said = String::from_utf8(wrong.stderr).unwrap();
    assert!(said.contains("there is no shell fsh") && said.contains("fish"), "{said}");
}

/// PowerShell cannot be had everywhere: its script is read, and it gets these answers.
#[test]
fn powershell_gets_a_name_a_line_with_what_it_is() {
    let tenants = answers("powershell", &["stablekey", "status", "--tenant", ""]);
    assert_eq!(tenants, "dev\neu-prod\nus-prod\n");
    let keys = answers("powershell", &["stablekey", "explain", "slack"]);
    assert_eq!(keys, "slack-bot\tSlack\n");
}

/// kubectl runs `kubectl_complete-stablekey` with the words behind `kubectl stablekey`.
#[test]
fn kubectl_gets_names_and_a_directive() {
    let script = out(stablekey().args(["completions", "kubectl"]));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kubectl_complete-stablekey");
    std::fs::write(&file, script).unwrap();
    let ask = |words: &[&str]| {
        let mut command = Command::new("sh");
        command.arg(&file).args(words).current_dir(stablekey_testing::cli::repository("examples/us-eu"));
        out(&mut command)
    };
    assert_eq!(ask(&["status", "--tenant", "e"]), "eu-prod\n:4\n");
    assert!(ask(&["-n", "us-prod", "--context", "us", "stat"]).starts_with("status\tShow the state of every tenant\n"));
}

#[test]
fn completions_are_switched_off_by_an_empty_variable() {
    for off in ["", "0"] {
        let version = out(stablekey().env("COMPLETE", off).arg("--version"));
        assert!(version.starts_with("stablekey "), "{version}");
    }
    let unknown = stablekey().env("COMPLETE", "tcsh").arg("--version").output().unwrap();
    assert_eq!(unknown.status.code(), Some(1));
}

/// A project that is broken is completed all the same, and nothing is printed beside names.
#[test]
fn broken_projects_are_completed() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("a.yaml", "apiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {name: half}\nspec: {\n");
    write("b.yaml", "<<<<<<< HEAD\n: : stablekey.dev {{ \u{0}");
    std::os::unix::fs::symlink("nowhere", folder.path().join("c.yaml")).unwrap();
    let root = folder.path().to_str().unwrap();
    assert_eq!(answers("fish", &["stablekey", "status", "-C", root, "--tenant", ""]), "half\n");
    assert_eq!(answers("fish", &["stablekey", "status", "-C", "/nowhere", "--tenant", ""]), "");
}
