//! The guides to the checks: each code has one, and each example makes its check report something.

use stablekey::engine::model::code::Code;
use stablekey::render::{Example, check_guide};
use stablekey_testing::cli;
use std::fs;
use std::path::Path;

/// The checks that an example of files cannot show: they need a cluster, the platform, or a link.
const NOT_IN_FILES: [Code; 23] = [
    Code::PerCustomerOnGlobal,
    Code::ServerRefuses,
    Code::SecretMissing,
    Code::SecretKeyMissing,
    Code::SecretNotForKey,
    Code::SecretUnreadable,
    Code::SecretExpired,
    Code::HostNotPinned,
    Code::ConsentNeeded,
    Code::BindingNameTaken,
    Code::InputNotInBinding,
    Code::BindingTooLarge,
    Code::ConnectionNotReady,
    Code::FileShared,
    Code::ComponentNotPublished,
    Code::CodeNative,
    Code::SecretAbsent,
    Code::SecretTwice,
    Code::VersionsLost,
    Code::AccountMayNot,
    Code::SignOutUnknown,
    Code::SecretOlder,
    Code::SecretShared,
];

#[test]
fn every_example_makes_its_check_report_something() {
    let mut not_in_files = Vec::new();
    for &code in Code::ALL {
        let guide = check_guide(code).unwrap_or_else(|| panic!("src/render/checks/guides.rs has no guide to {code}"));
        assert!(guide.meaning.len() > 10 && guide.fix.len() > 10, "{code}");
        match guide.example {
            Example::NotInFiles(_) => not_in_files.push(code),
            Example::Files(_) => {
                let found = findings_of(&guide.example);
                assert!(found.contains(&format!("\"{code}\"")), "the example of {code} does not show it:\n{found}");
            }
        }
    }
    assert_eq!(not_in_files, NOT_IN_FILES);
}

/// What `plan` says of a project, or `validate` of files of one tenant, as JSON.
fn findings_of(example: &Example) -> String {
    let root = tempfile::tempdir().unwrap();
    let files = example.files();
    let mut arguments = vec!["validate".to_string(), "-o".to_string(), "json".to_string()];
    for (path, content) in &files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        make_folders(root.path(), content);
    }
    if files.iter().any(|(_, content)| content.contains("kind: Tenant\n")) {
        arguments[0] = "plan".to_string();
    } else {
        arguments.extend(files.iter().map(|(path, _)| path.clone()).filter(|path| path.ends_with(".yaml")));
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = cli::stablekey(root.path(), &arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Makes the folders of tenants that have no objects. One is misspelt on purpose.
fn make_folders(root: &Path, tenants: &str) {
    for path in tenants.split("directory: {path: ").skip(1).filter_map(|rest| rest.split('}').next()) {
        if path != "us-prd" {
            fs::create_dir_all(root.join(path)).unwrap();
        }
    }
}

#[test]
fn a_check_is_explained_without_a_project() {
    let empty = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| cli::stablekey(empty.path(), arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let docs = fs::read_to_string(cli::repository("docs/checks.md")).unwrap();
    for code in Code::ALL {
        let markdown = run(&["explain", code.as_str(), "-o", "markdown"]);
        assert_eq!(markdown.status.code(), Some(0));
        assert!(docs.contains(text(markdown.stdout).trim()), "docs/checks.md says of {code} what explain says");
    }
    let explained = text(run(&["explain", "sk0107"]).stdout);
    assert!(explained.starts_with("SK0107 CredentialRedirect  warning\n"), "{explained}");
    assert_eq!(explained, text(run(&["explain", "CredentialRedirect"]).stdout));
    let misspelt = run(&["explain", "SK01O7"]);
    assert_eq!(misspelt.status.code(), Some(1));
    let misspelt = text(misspelt.stderr);
    assert!(misspelt.contains("there is no check SK01O7") && misspelt.contains("did you mean SK0107"), "{misspelt}");
}
