//! The YAML language server, which editors run, with the schema and the settings that `stablekey schema --vscode`
//! writes.

mod client;

use client::LanguageServer;
use stablekey_testing::cli::{copy_folder, repository, stablekey};
use std::path::Path;

/// A new folder. The globs of settings match nothing in a hidden one, as those of [`tempfile::tempdir`] are.
fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("editor-").tempdir().unwrap()
}

/// A project of one tenant with the editor's files.
fn project(file: &str, text: &str) -> tempfile::TempDir {
    let folder = folder();
    let tenant = "apiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {name: us-prod}\n\
                  spec: {location: {directory: {path: us-prod}}}\n";
    std::fs::write(folder.path().join("tenants.yaml"), tenant).unwrap();
    std::fs::create_dir(folder.path().join("us-prod")).unwrap();
    std::fs::write(folder.path().join(file), text).unwrap();
    set_up(folder.path());
    folder
}

fn set_up(folder: &Path) {
    let output = stablekey(folder, &["schema", "--vscode"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

const FILE: &str = "us-prod/all.yaml";

/// "One schema for all kinds, tested on a file of four documents, one of them a ConfigMap that stays silent".
const FOUR: &str = "apiVersion: stablekey.dev/v1alpha1
kind: Connection
metadata:
  name: salesforce-oauth
spec:
  stableKey: salesforce-oauth
  component:
    key: salesforce
  type: oauth2
  credentials: Customers
  inputs:
    authorizeUrl: {value: 'https://login.example', secret: true}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: other
data:
  credentials: Customers
spec: 3
---
apiVersion: stablekey.dev/v1alpha1
kind: Conection
metadata:
  name: slack-bot
spec: {}
---
apiVersion: stablekey.dev/v1alpha1
kind: Integration
metadata:
  name: lead-router
  labells: {}
spec:
  conections: []
  connections:
  - {stableKey: salesforce-oauth}
";

#[test]
fn mistakes_are_reported_at_their_lines_in_every_document_but_others() {
    let folder = project(FILE, FOUR);
    let mut server = LanguageServer::on(folder.path());
    let found = server.diagnostics(FILE, FOUR);
    let said = |line: u64, part: &str| {
        let at = found.iter().any(|(at, message)| *at == line && message.contains(part));
        assert!(at, "line {line}: {part:?} is missing in {found:#?}");
    };
    said(10, "\"OrganizationCustomer\"");
    said(12, "secret");
    said(23, "\"Connection\", \"CustomerCredentials\", \"Integration\"");
    said(32, "labells");
    said(34, "conections");
    said(36, "name");
    let lines: Vec<u64> = found.iter().map(|(line, _)| *line).collect();
    assert!(!lines.iter().any(|line| (14..=20).contains(line)), "a ConfigMap is somebody else's: {found:#?}");
    // A second one at line 12: an input is one of its forms.
    assert_eq!(found.len(), 7, "{found:#?}");
}

#[test]
fn what_is_missing_is_reported() {
    let text = "apiVersion: stablekey.dev/v1alpha1\nkind: Connection\nmetadata: {}\nspec:\n  type: oauth2\n";
    let folder = project(FILE, text);
    let mut server = LanguageServer::on(folder.path());
    let found = server.diagnostics(FILE, text);
    for (line, field) in [(3, "name"), (4, "stableKey"), (4, "component"), (4, "credentials")] {
        assert!(found.iter().any(|(at, message)| *at == line && message.contains(field)), "{field}: {found:#?}");
    }
}

#[test]
fn a_field_is_explained_with_examples() {
    let text = FOUR.replace("Customers\n  inputs", "Customer\n  inputs");
    let folder = project(FILE, &text);
    let mut server = LanguageServer::on(folder.path());
    server.diagnostics(FILE, &text);
    let key = server.hover(FILE, &text, 6, "stableKey");
    assert!(key.contains("The name by which integrations find the connection"), "{key}");
    assert!(key.contains("salesforce-oauth") && key.contains("postgres-warehouse"), "{key}");
    let credentials = server.hover(FILE, &text, 10, "Customer");
    assert!(credentials.contains("One set of the organization for all customers"), "{credentials}");
}

#[test]
fn fields_and_values_are_completed_with_their_meaning() {
    let text =
        "apiVersion: stablekey.dev/v1alpha1\nkind: Connection\nmetadata:\n  name: a\nspec:\n  credentials: \n  \n";
    let folder = project(FILE, text);
    let mut server = LanguageServer::on(folder.path());
    server.diagnostics(FILE, text);
    let has = |found: &[(String, String)], label: &str, about: &str| {
        let is_there = found.iter().any(|(name, meaning)| name == label && meaning.contains(about));
        assert!(is_there, "{label}: {about} is missing in {found:#?}");
    };
    let values = server.completions(FILE, text, 6);
    has(&values, "OrganizationGlobal", "One set of the organization for all customers");
    let fields = server.completions(FILE, text, 7);
    has(&fields, "stableKey", "The name by which integrations find the connection");
    has(&fields, "embeddedWorkflows", "embedded workflow builder");
    assert!(!fields.iter().any(|(name, _)| name == "credentials"), "{fields:#?}");
    let kinds = "apiVersion: stablekey.dev/v1alpha1\nkind: \n";
    server.diagnostics("us-prod/kinds.yaml", kinds);
    let kinds = server.completions("us-prod/kinds.yaml", kinds, 2);
    has(&kinds, "TenantSync", "Copies the integrations of a source tenant");
    assert_eq!(kinds.len(), 6, "{kinds:#?}");
}

/// Every manifest of the examples is valid, and each is reached by the settings.
#[test]
fn the_examples_have_no_mistake() {
    let mut seen = 0;
    for name in ["us-eu", "dev-prod", "first", "platform", "stages"] {
        let copy = folder();
        copy_folder(&repository(&format!("examples/{name}")), copy.path());
        set_up(copy.path());
        let mut server = LanguageServer::on(copy.path());
        for file in manifests(copy.path()) {
            let path = file.strip_prefix(copy.path()).unwrap().display().to_string();
            let text = std::fs::read_to_string(&file).unwrap();
            // First with a wrong field, which is seen: so the schema does apply.
            let wrong = text.replacen("\nspec:", "\nspecs: {}\nspec:", 1);
            if text.contains("stablekey.dev/") {
                assert_ne!(wrong, text, "{name}/{path}");
                server.diagnostics_until(&path, &wrong, |found| !found.is_empty());
            }
            server.diagnostics_until(&path, &text, <[_]>::is_empty);
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
}

fn manifests(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = entry.file_name().unwrap().to_string_lossy().into_owned();
            if entry.is_dir() && !name.starts_with('.') {
                folders.push(entry);
            } else if name.ends_with(".yaml") {
                found.push(entry);
            }
        }
    }
    found.sort();
    found
}
