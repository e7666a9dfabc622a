//! `promote`: integrations go to the manifests of another tenant, as a diff to commit.

use crate::edges::files::*;
use serde_json::Value;

/// us is a folder; eu has a source beside its folder, with a connection of its own.
fn project() -> Project {
    let us = Tenant::new("us").in_folder("us");
    let eu = Tenant::new("eu").in_folder("eu").source("wanted/eu").accepts("us");
    Project::empty()
        .with("tenants.yaml", &yaml::file(&[us.yaml(), eu.yaml()]))
        .with_folder("eu")
        .with("us/components/chat.yaml", &component_yaml())
        .with("us/connections/chat-main.yaml", &connection("chat-main"))
        .with(
            "us/integrations/greet.yaml",
            &integration("greet", "chat-main", "  definition: {file: greet.definition}\n"),
        )
        .with("us/integrations/greet.definition", &definition("greet", "7", "chat-main"))
        .with("us/integrations/other.yaml", &integration("other", "chat-main", ""))
        .with("wanted/eu/components/chat.yaml", &component_yaml())
        .with("wanted/eu/connections/chat-main.yaml", &connection("chat-main"))
}

const PROMOTE: [&str; 5] = ["promote", "us", "eu", "greet", "--yes"];

#[test]
fn it_writes_the_manifests_of_the_target_and_their_record() {
    let root = project();
    root.run(&PROMOTE).exits(0).prints("written");
    assert!(root.read("wanted/eu/integrations/greet.yaml").contains("stableKey: chat-main"));
    assert_eq!(root.read("wanted/eu/integrations/greet.definition"), definition("greet", "7", "chat-main"));
    assert!(root.read("wanted/eu/stablekey.lock").contains("Integration/greet eu made"), "the record");
    assert!(root.read("wanted/eu/stablekey.lock").contains("@promote/us"), "the writer");
    // Only what is named, and nothing at the location.
    assert!(!root.has("wanted/eu/integrations/other.yaml") && root.files("eu").is_empty());
    root.run(&PROMOTE).exits(0).prints("Nothing to change");
    let root = root.apply();
    root.plan().exits(0);
    // A change follows; what a person changed there stays.
    let root = root.edit("us/integrations/greet.definition", "name: S,", "name: Send,");
    root.run(&PROMOTE).exits(0);
    assert!(root.read("wanted/eu/integrations/greet.definition").contains("name: Send,"));
}

#[test]
fn without_a_source_it_writes_the_folder() {
    let root = two_tenants().without("syncs.yaml").with("prod/connections/chat-main.yaml", &connection("chat-main"));
    root.run(&["promote", "dev", "prod", "--yes"]).exits(0);
    assert!(root.has("prod/integrations/greet.yaml") && root.read("prod/stablekey.lock").contains("promote/dev"));
    root.run(&["plan", "--sync", "dev:prod"]).exits(0);
}

/// "`--fill` writes stubs of missing Connections with their manual steps".
#[test]
fn a_missing_connection_is_written_only_if_asked_for() {
    let root = project().without("wanted/eu/connections/chat-main.yaml");
    let before = root.files("");
    root.run(&PROMOTE).exits(1).prints("SK0101").prints("--fill");
    assert_eq!(root.files(""), before);
    root.run(&[&PROMOTE[..], &["--fill"]].concat()).exits(0).prints("Secret chat").prints("clientSecret");
    assert!(root.read("wanted/eu/connections/chat-main.yaml").contains("stableKey: chat-main"));
    assert!(root.has("wanted/eu/integrations/greet.yaml"));
    // The connection is the tenant's own: that it was made is recorded, and no field.
    let lock = root.read("wanted/eu/stablekey.lock");
    assert!(lock.contains("Connection/chat-main eu made\n"), "{lock}");
}

#[test]
fn killed_after_each_write_the_same_command_finishes() {
    let start = || {
        let root = project();
        root.run(&["promote", "us", "eu", "other", "--yes"]).exits(0);
        root.edit("us/integrations/other.yaml", "title: other", "title: Another")
            .without("wanted/eu/connections/chat-main.yaml")
    };
    let command = ["promote", "us", "eu", "--fill", "--yes"];
    let edited = start();
    let report = edited.run(&["promote", "us", "eu", "--fill", "--dry-run", "-o", "json"]).exits(0).out.clone();
    let report: Value = serde_json::from_str(&report).unwrap();
    let files: Vec<&str> = report["files"].as_array().unwrap().iter().map(|f| f["path"].as_str().unwrap()).collect();
    assert_eq!(files.len(), 5, "{files:?}");
    edited.run(&command).exits(0);
    let all = edited.files("");
    for written in 0..=files.len() {
        let killed = start();
        files[..written].iter().for_each(|file| killed.write(file, &edited.read(file)));
        killed.run(&command).exits(0);
        let files_now = killed.files("");
        let differ: Vec<&String> = all.keys().filter(|path| files_now.get(*path) != all.get(*path)).collect();
        assert!(differ.is_empty() && files_now.len() == all.len(), "killed after {written} of {files:?}: {differ:?}");
    }
}

#[test]
fn what_cannot_be_promoted_is_one_clear_error() {
    let root = project();
    let before = root.files("");
    let refused = |arguments: &[&str], text: &str| {
        root.run(&[&["promote", "--yes"], arguments].concat()).exits(1).prints(text);
    };
    refused(&["us", "eu", "gret"], "did you mean greet?");
    refused(&["us", "ue", "greet"], "there is no tenant ue");
    refused(&["us", "us", "greet"], "us");
    refused(&["eu", "us"], "acceptFrom");
    root.run(&["promote", "us", "eu", "greet", "--dry-run"]).exits(0).prints("Nothing was written");
    assert_eq!(root.files(""), before);
    root.write("wanted/eu/stablekey.lock", "<<<<<<< ours\n");
    refused(&["us", "eu", "greet"], "stablekey.lock");
}
