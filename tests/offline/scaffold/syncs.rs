//! `stablekey new sync`: what the target has is handed over, and the plan after it is empty.

use crate::edges::files::*;

/// Two directory tenants that were imported one by one: `eu` has a source, which is applied.
pub fn imported() -> Project {
    let us = Tenant::new("us").in_folder("us");
    let eu = Tenant::new("eu").in_folder("eu").source("declared/eu").yaml();
    let defined =
        |name: &str, key: &str| integration(name, key, &format!("  definition: {{file: {name}.definition}}\n"));
    let eu_connection = connection("chat-main").replace("https://chat.example", "https://eu.chat.example");
    Project::empty()
        .with("tenants.yaml", &format!("# The tenants.\n{}", yaml::file(&[us.yaml(), eu])))
        .with("us/components/chat.yaml", &component_yaml())
        .with("us/connections/chat-main.yaml", &connection("chat-main"))
        .with("us/integrations/greet.yaml", &defined("greet", "chat-main"))
        .with("us/integrations/greet.definition", &definition("Greet", "7", "chat-main"))
        .with_folder("eu")
        .with("declared/eu/components/chat.yaml", &component_yaml())
        .with("declared/eu/connections/chat-main.yaml", &format!("# Chat in Europe.\n{eu_connection}"))
        .with("declared/eu/integrations/greet.yaml", &defined("greet", "chat-main"))
        .with("declared/eu/integrations/greet.definition", &definition("Greet", "7", "chat-main"))
        .apply()
}

const NEW: [&str; 7] = ["new", "sync", "us", "eu", "--connections", "Mirror", "--yes"];

/// "leave in the target's source only what the sync does not bring: what is equal is taken out (its fields pass from
/// `source` to `sync/<name>`: the record follows, no action), what differs becomes an override, reason \"as imported\";
/// afterwards plan is empty, and a change in FROM is an update in TO".
#[test]
fn what_the_target_has_is_handed_over() {
    let root = imported();
    root.plan().exits(0);
    root.run(&NEW).exits(0).prints("1 difference is kept by overrides of sync/us-to-eu");
    root.plan().exits(0).prints("Nothing to do");
    // The source keeps only the component, which no sync brings.
    let left: Vec<String> = root.files("declared/eu").into_keys().map(|path| path.to_string()).collect();
    assert_eq!(left, ["components/chat.yaml"]);
    let sync = root.read("syncs.yaml");
    assert!(sync.contains("value: https://eu.chat.example\n") && sync.contains("reason: as imported\n"), "{sync}");
    assert!(root.read("tenants.yaml").starts_with("# The tenants.\n"), "comments stay");
    let lock = root.read("eu/stablekey.lock");
    assert!(lock.contains("Connection/chat-main eu made") && lock.contains("@sync/us-to-eu"), "{lock}");
    assert!(!lock.lines().any(|line| line.starts_with("Connection/") && line.contains("@source")), "{lock}");
    // A change of the source tenant is an update there, and the difference stays.
    let root = root.edit("us/connections/chat-main.yaml", "read", "read write");
    assert_eq!(actions(&root.plan_json()), ["update eu/Connection/chat-main"]);
    let root = root.apply();
    let live = root.read("eu/connections/chat-main.yaml");
    assert!(live.contains("read write") && live.contains("https://eu.chat.example"), "{live}");
    root.plan().exits(0);
}

/// "killed after each write, the same command finishes": a second run changes nothing, and one of which only a part was
/// written is finished.
#[test]
fn the_same_command_finishes_an_interrupted_one() {
    let whole = imported();
    whole.run(&NEW).exits(0);
    let wanted = whole.files("");
    whole.run(&NEW).exits(0).prints("Nothing to change");
    assert_eq!(whole.files(""), wanted);
    let report = imported().run(&[NEW.as_slice(), &["--dry-run", "-o", "json"]].concat()).exits(0).out.clone();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let order: Vec<&str> = report["files"].as_array().unwrap().iter().map(|f| f["path"].as_str().unwrap()).collect();
    let at = |name: &str| order.iter().position(|file| file.ends_with(name)).unwrap();
    assert!(at("greet.definition") < at("greet.yaml"), "{order:?}");
    for written in 1..=order.len() {
        let part = imported();
        for path in &order[..written] {
            match wanted.get(*path) {
                Some(bytes) => part.write(path, std::str::from_utf8(bytes).unwrap()),
                None => std::fs::remove_file(part.path(path)).unwrap(),
            }
        }
        part.run(&NEW).exits(0);
        part.plan().exits(0);
        let left = part.files("");
        assert_eq!(left.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "after {written} of {order:?}");
        for (path, bytes) in &wanted {
            assert_eq!(
                left.get(path).map(|b| String::from_utf8_lossy(b)),
                Some(String::from_utf8_lossy(bytes)),
                "{path} after {written}"
            );
        }
    }
}

/// A document whose definition somebody removed is taken out only where the tenant has what the sync brings.
#[test]
fn a_document_without_its_definition_that_differs_stays() {
    const GREET: &str = "declared/eu/integrations/greet.yaml";
    let root = imported().without("declared/eu/integrations/greet.definition").edit(GREET, "title: greet", "title: Hi");
    root.run(&[NEW.as_slice(), &["--force"]].concat());
    assert!(root.read(GREET).contains("title: Hi"), "{}", root.read(GREET));
}

/// A tenant without a source: its values are recorded, those that differ are overrides, and no manifest changes.
#[test]
fn a_tenant_without_a_source_is_only_recorded() {
    let tenants = yaml::file(&[Tenant::new("us").in_folder("us").yaml(), Tenant::new("eu").in_folder("eu").yaml()]);
    let theirs = connection("chat-main").replace("title: Chat", "title: Talk");
    let root = Project::empty()
        .with("tenants.yaml", &tenants)
        .with("us/connections/chat-main.yaml", &connection("chat-main"))
        .with("us/integrations/greet.yaml", &integration("greet", "chat-main", ""))
        .with("eu/connections/chat-main.yaml", &theirs)
        .with("eu/integrations/greet.yaml", &integration("greet", "chat-main", ""));
    root.run(&["new", "sync", "us", "eu", "--name", "up", "--connections", "mirror", "--yes"]).exits(0);
    root.plan().exits(0);
    assert_eq!(root.read("eu/connections/chat-main.yaml"), theirs);
    assert!(root.read("syncs.yaml").contains("value: Talk\n"), "{}", root.read("syncs.yaml"));
    let root = root.edit("us/connections/chat-main.yaml", "read", "read write");
    assert_eq!(actions(&root.plan_json()), ["update eu/Connection/chat-main"]);
}

/// What a sync does not carry stays, with what identifies the object.
#[test]
fn what_does_not_cross_stays_in_the_source() {
    let root = imported().edit(
        "declared/eu/connections/chat-main.yaml",
        "  inputs:\n",
        "  deletionPolicy: Retain\n  inputs:\n",
    );
    let root = root.apply();
    root.run(&NEW).exits(0).prints("1 object of the source of eu keep only what");
    let left = root.read("declared/eu/connections/chat-main.yaml");
    assert!(left.starts_with("# Chat in Europe.\n") && left.contains("deletionPolicy: Retain"), "{left}");
    assert!(!left.contains("inputs") && !left.contains("title") && left.contains("stableKey: chat-main"), "{left}");
    root.plan().exits(0);
}

#[test]
fn a_dry_run_writes_nothing_and_json_lists_the_files() {
    let root = imported();
    let before = root.files("");
    root.run(&[&NEW[..6], &["--dry-run"]].concat()).exits(0).prints("Nothing was written");
    root.run(&NEW[..6]).exits(1).prints("there is no terminal to ask on");
    assert_eq!(root.files(""), before);
    let json = root.run(&[&NEW[..6], &["--dry-run", "-o", "json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    let paths: Vec<&str> =
        json["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert!(paths.iter().any(|path| path.ends_with("syncs.yaml")), "{json}");
    assert!(paths.iter().any(|path| path.ends_with("eu/stablekey.lock")), "{json}");
}

/// "every wrong name says the nearest".
#[test]
fn wrong_names_are_named() {
    let root = two_tenants();
    root.run(&["new", "sync", "dve", "prod", "--yes"])
        .exits(1)
        .prints("there is no tenant dve")
        .prints("there are dev, prod");
    root.run(&["new", "sync", "dev", "prodd", "--yes"]).exits(1).prints("prod");
    root.run(&["new", "sync", "dev", "dev", "--yes"]).exits(1).prints("cannot be copied to itself");
    root.run(&["new", "sync", "dev", "prod", "--name", "Up!", "--yes"]).exits(1);
    // The sync `up` copies all of dev already.
    root.run(&["new", "sync", "dev", "prod", "--yes"])
        .exits(1)
        .prints("TenantSync/up copies * from dev to prod already");
    root.run(&["new", "sync", "dev", "prod", "--name", "up", "--yes"]).exits(1).prints("says something else");
    root.run(&["new", "sync", "prod", "dev", "--integration", "gret", "--yes"]).exits(1);
    root.run(&["new", "sync", "dev", "prod", "--connections", "Miror", "--yes"]).exits(1).prints("Mirror");
}

/// A sync that makes the plan worse is refused: two that form a cycle.
#[test]
fn a_cycle_is_refused() {
    let root = synced();
    let before = root.files("");
    root.run(&["new", "sync", "prod", "dev", "--name", "down", "--yes"]).exits(1).prints("the plan becomes worse");
    assert_eq!(root.files(""), before);
}

/// A further sync stands where the others stand.
#[test]
fn a_sync_is_written_beside_the_others() {
    let tenants = tenants_yaml() + "---\n" + &Tenant::new("test").in_folder("test").yaml();
    let root = two_tenants().with("tenants.yaml", &tenants).with_folder("test");
    root.run(&["new", "sync", "dev", "test", "--connections", "Create", "--yes"]).exits(0);
    let syncs = root.read("syncs.yaml");
    assert!(syncs.starts_with(&sync_yaml()) && syncs.contains("name: dev-to-test"), "{syncs}");
    assert!(root.read("tenants.yaml").starts_with(&tenants_yaml()));
    root.run(&["validate"]).exits(0);
}
