//! What is not given is asked for on a terminal, and the answers give the same bytes as the options.

use super::syncs;
use crate::edges::files::*;
use stablekey_testing::terminal::{CTRL_C, DOWN, ENTER, OnTerminal};

/// Questions, each with the keys that answer it.
type Keys<'a> = &'a [(&'a str, &'a [&'a str])];

/// Runs a command on a terminal, and answers its questions.
fn typed(root: &Project, arguments: &[&str], keys: Keys<'_>) -> (String, i32) {
    let mut terminal = OnTerminal::start(root.root(), arguments, 80);
    for (question, keys) in keys {
        terminal.asks(question);
        for key in *keys {
            terminal.press(key);
        }
    }
    let code = terminal.exits();
    assert!(terminal.is_usable());
    (terminal.screen(), code)
}

#[track_caller]
fn same(new: &dyn Fn() -> Project, arguments: &[&str], keys: Keys<'_>, flags: &[&str]) {
    let (asked, given) = (new(), new());
    let (shown, code) = typed(&asked, arguments, keys);
    assert_eq!(code, 0, "{shown}");
    given.run(flags).exits(0);
    let (asked, given) = (asked.files(""), given.files(""));
    assert_eq!(asked.keys().collect::<Vec<_>>(), given.keys().collect::<Vec<_>>(), "{shown}");
    for (path, bytes) in &asked {
        assert_eq!(String::from_utf8_lossy(bytes), String::from_utf8_lossy(&given[path]), "{path}\n{shown}");
    }
}

#[test]
fn a_project_is_asked_for() {
    let flags = ["init", "--tenant", "us", "--tenant", "eu", "--ci", "github"];
    let names = ("Names of the tenants, separated by blanks:", &["us eu", ENTER][..]);
    let keys = [names, ("Where are its resources?", &[ENTER]), ("Which system checks pull requests?", &[DOWN, ENTER])];
    same(&Project::empty, &["init"], &keys, &flags);
    let (us, eu) = ("https://app.prismatic.io", "https://app.eu-west-1.prismatic.io");
    let tenants = [format!("us={us}"), format!("eu={eu}")];
    let keys = [
        names,
        ("Where are its resources?", &[DOWN, DOWN, ENTER]),
        ("Stack of its organization:", &[ENTER]),
        ("Stack of the organization of eu:", &[eu, ENTER]),
        ("Which system checks pull requests?", &[ENTER]),
    ];
    same(&Project::empty, &["init"], &keys, &["init", "--tenant", &tenants[0], "--tenant", &tenants[1]]);
}

#[test]
fn a_sync_is_asked_for() {
    let flags = ["new", "sync", "us", "eu", "--connections", "Mirror", "--yes"];
    // eu is left as the only target.
    let from = ("Copy from which tenant?", &[DOWN, ENTER][..]);
    let mode = ("What does it do with the connections that the integrations use?", &[DOWN, DOWN, ENTER][..]);
    same(&syncs::imported, &["new", "sync"], &[from, mode, ("Write 6 files?", &["y", ENTER])], &flags);
    let root = syncs::imported();
    let before = root.files("");
    let (shown, code) = typed(&root, &["new", "sync"], &[from, mode, ("Write 6 files?", &["n", ENTER])]);
    assert_eq!(code, 1, "{shown}");
    let (shown, code) = typed(&root, &["new", "sync"], &[from, (mode.0, &[CTRL_C])]);
    assert_eq!(code, 130, "{shown}");
    assert_eq!(root.files(""), before);
}

#[test]
fn a_tenant_and_a_component_are_asked_for() {
    let flags = ["new", "tenant", "eu", "--location", "kubernetes", "--namespace", "eu", "--force", "--yes"];
    let keys: Keys<'_> = &[
        ("Name of the tenant:", &["eu", ENTER]),
        ("Where are its resources?", &[DOWN, ENTER]),
        ("Namespace:", &[ENTER]),
        ("Write 2 files?", &["y", ENTER]),
    ];
    same(&two_tenants, &["new", "tenant", "--force"], keys, &flags);
    let lacking = || two_tenants().without("prod/components/chat.yaml");
    let flags = ["new", "component", "chat", "--tenant", "prod", "--yes"];
    let keys: Keys<'_> = &[
        ("Key of the component on the platform:", &["chat", ENTER]),
        ("In which tenant?", &[DOWN, ENTER]),
        ("Write 1 file?", &["y", ENTER]),
    ];
    same(&lacking, &["new", "component"], keys, &flags);
}

#[test]
fn a_customer_is_asked_for() {
    let project = || {
        let crm = Connection::new("crm", "crm/basic").per_customer("password").per_customer("user").yaml();
        let tenants = Tenant::new("eu").in_folder("eu").yaml();
        Project::empty().with("tenants.yaml", &tenants).with("eu/connections/crm.yaml", &crm)
    };
    let flags =
        ["new", "customer", "Acme", "--connection", "crm", "user=jo", "--secret", "password=acme/password", "--yes"];
    let keys: Keys<'_> = &[
        ("The customer:", &["Acme", ENTER]),
        ("password, as NAME/KEY of a Secret:", &["acme/password", ENTER]),
        ("user:", &["jo", ENTER]),
        ("Write 1 file?", &["y", ENTER]),
    ];
    same(&project, &["new", "customer"], keys, &flags);
    // What may be the secret itself stays nowhere.
    let (shown, code) = typed(&project(), &["new", "customer"], &[keys[0], (keys[1].0, &["CANARY", ENTER])]);
    assert!(code == 1 && !shown.contains("CANARY"), "{shown}");
}

/// Without a terminal nothing is asked: the command that gives the answer is named.
#[test]
fn without_a_terminal_what_is_missing_is_named() {
    let root = two_tenants();
    let before = root.files("");
    for (arguments, what) in [
        (&["new", "sync"][..], "the tenant to copy from is not given"),
        (&["new", "sync", "dev"], "the tenant to copy to is not given"),
        (&["new", "tenant"], "the name of the tenant is not given"),
        (&["new", "component"], "the component is not given"),
        (&["new", "customer"], "the customer is not given"),
    ] {
        root.run(&[arguments, &["--yes"]].concat()).exits(1).prints(what).prints("for example: stablekey new");
    }
    assert_eq!(root.files(""), before);
}
