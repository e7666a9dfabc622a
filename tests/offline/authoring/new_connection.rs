//! `new connection`: each branch of its questions, by keys on a terminal and by options, gives the same files.

use stablekey::api::Credentials;
use stablekey_testing::objects::{Component, Connection, Document as _, Integration, Sync, Tenant};
use stablekey_testing::project::Project;
use stablekey_testing::terminal::{CTRL_C, DOWN, ENTER, ESCAPE, OnTerminal, SPACE, Signal, TAB};
use stablekey_testing::yaml;

/// Two tenants. `erp` can be authenticated to in two ways, `crm` only by OAuth 2.0; `mail` is only in use.
fn project() -> Project {
    project_with(Sync::new("up", "us", "eu"))
}

fn project_with(sync: Sync) -> Project {
    let tenants = [
        Tenant::new("us").in_folder("us").region("us", "prod").yaml(),
        Tenant::new("eu").in_folder("eu").region("eu", "prod").accepts("us").yaml(),
        sync.yaml(),
    ];
    let erp = Component::new("erp/apiKey").requires("baseUrl").has_endpoint("baseUrl").has_secret("apiKey");
    let erp = erp.requires("apiKey").has_input("region").type_("oauth2").authorization_code().requires("tokenUrl");
    let crm = Component::new("crm/oauth2").authorization_code();
    let crm = crm.requires("authorizeUrl").requires("tokenUrl").has_input("scopes").requires("clientId");
    let crm = crm.requires("clientSecret").has_secret("clientSecret").requires("instanceUrl");
    let mail = Connection::new("mail-main", "mail/smtp").credentials(Credentials::OrganizationGlobal);
    let mail = mail.input("host", "smtp.example").secret("password", "mail");
    let chat = Connection::new("erp-main", "erp/apiKey").title("ERP").credentials(Credentials::OrganizationGlobal);
    let chat = chat.input("baseUrl", "https://erp.example").secret("apiKey", "erp").embedded(true);
    Project::empty()
        .with("tenants.yaml", &yaml::file(&tenants))
        .with("us/components/erp.yaml", &erp.yaml())
        .with("us/components/crm.yaml", &crm.yaml())
        .with("eu/components/erp.yaml", &erp.yaml())
        .with("eu/components/crm.yaml", &crm.yaml())
        .with("us/connections/mail-main.yaml", &mail.yaml())
        .with("us/connections/erp-main.yaml", &chat.yaml())
}

/// A way through the questions.
struct Branch {
    name: &'static str,
    /// What the screen shows, and the keys that answer it.
    keys: &'static [(&'static str, &'static [&'static str])],
    options: &'static [&'static str],
    file: &'static str,
    /// What the file must say, so that two equal mistakes are seen.
    says: &'static [&'static str],
}

/// The questions that most branches end with, at their suggested answers.
const NO_TEST: (&str, &[&str]) = ("Give test credentials?", &[ENTER]);
const NOT_EMBEDDED: (&str, &[&str]) = ("Use for embedded workflows?", &[ENTER]);
const KEY: (&str, &[&str]) = ("Stable key:", &[ENTER]);
const TITLE: (&str, &[&str]) = ("Title:", &[ENTER]);
const WRITE: (&str, &[&str]) = ("Write 1 file?", &[ENTER]);

const BRANCHES: &[Branch] = &[
    Branch {
        name: "customers-oauth",
        keys: &[
            ("Tenant?", &[DOWN, ENTER]),
            ("Component:", &["cr", TAB, ENTER]),
            ("Whose credentials?", &[ENTER]),
            ("Inputs that are each customer's own?", &[ENTER]),
            ("authorizeUrl:", &["https://crm.example/authorize", ENTER]),
            ("tokenUrl:", &["https://crm.example/token", ENTER]),
            ("scopes:", &[ENTER]),
            ("clientId:", &["my-app", ENTER]),
            ("clientSecret:", &["crm-app/secret", ENTER]),
            NO_TEST,
            ("Use for embedded workflows?", &["y", ENTER]),
            KEY,
            TITLE,
            WRITE,
        ],
        options: &[
            "--tenant",
            "us",
            "--component",
            "crm",
            "--credentials",
            "Customer",
            "authorizeUrl=https://crm.example/authorize",
            "tokenUrl=https://crm.example/token",
            "clientId=my-app",
            "--secret",
            "clientSecret=crm-app/secret",
            "--embedded",
            "on",
        ],
        file: "us/connections/crm-oauth2.yaml",
        says: &["credentials: Customer", "perCustomer: true", "name: crm-app", "embeddedWorkflows: true", "title: Crm"],
    },
    Branch {
        name: "your-organization-for-each-customer",
        keys: &[
            ("Tenant?", &[DOWN, ENTER]),
            ("Component:", &["erp", ENTER]),
            ("Whose credentials?", &[ENTER]),
            ("Who supplies them?", &[DOWN, ENTER]),
            ("Inputs that are each customer's own?", &[ENTER]),
            ("Give test credentials?", &["y", ENTER]),
            ("apiKey for tests:", &["erp-test/apiKey", ENTER]),
            ("baseUrl for tests:", &["https://test.erp.example", ENTER]),
            ("region for tests:", &[ENTER]),
            NOT_EMBEDDED,
            ("Stable key:", &["erp-of-customers", ENTER]),
            ("Title:", &[" of customers", ENTER]),
            WRITE,
        ],
        options: &[
            "--tenant",
            "us",
            "--component",
            "erp",
            "--credentials",
            "OrganizationCustomer",
            "--test-secret",
            "apiKey=erp-test/apiKey",
            "--test",
            "baseUrl=https://test.erp.example",
            "--key",
            "erp-of-customers",
            "--title",
            "Erp of customers",
        ],
        file: "us/connections/erp-of-customers.yaml",
        says: &[
            "credentials: OrganizationCustomer",
            "type: apiKey",
            "test:",
            "name: erp-test",
            "title: Erp of customers",
        ],
    },
    Branch {
        name: "each-customer-by-api-key",
        keys: &[
            ("Tenant?", &[DOWN, ENTER]),
            ("Component:", &["erp", ENTER]),
            ("Whose credentials?", &[ENTER]),
            ("Who supplies them?", &[ENTER]),
            ("Connection type?", &[ENTER]),
            // The base URL is global; the region, which nothing requires, has no value.
            ("Inputs that are each customer's own?", &[DOWN, SPACE, DOWN, SPACE, ENTER]),
            ("baseUrl:", &["https://erp.example", ENTER]),
            ("region:", &[ENTER]),
            NO_TEST,
            NOT_EMBEDDED,
            KEY,
            TITLE,
            WRITE,
        ],
        options: &[
            "--tenant",
            "us",
            "--component",
            "erp",
            "--credentials",
            "Customer",
            "--type",
            "apiKey",
            "--per-customer",
            "apiKey",
            "baseUrl=https://erp.example",
        ],
        file: "us/connections/erp-apikey.yaml",
        says: &["credentials: Customer", "value: https://erp.example", "apiKey:\n      perCustomer: true"],
    },
    Branch {
        name: "users",
        keys: &[
            ("Tenant?", &[DOWN, ENTER]),
            ("Component:", &["erp", ENTER]),
            ("Whose credentials?", &[DOWN, ENTER]),
            ("Connection type?", &[DOWN, ENTER]),
            ("Inputs that are each user's own?", &[ENTER]),
            ("tokenUrl:", &["https://erp.example/token", ENTER]),
            NO_TEST,
            NOT_EMBEDDED,
            KEY,
            TITLE,
            WRITE,
        ],
        options: &[
            "--tenant",
            "us",
            "--component",
            "erp",
            "--credentials",
            "user",
            "--type",
            "oauth2",
            "tokenUrl=https://erp.example/token",
        ],
        file: "us/connections/erp-oauth2.yaml",
        says: &["credentials: User", "type: oauth2"],
    },
    Branch {
        name: "your-organization",
        keys: &[
            ("Tenant?", &[DOWN, ENTER]),
            ("Component:", &["erp", ENTER]),
            ("Whose credentials?", &["organization", ENTER]),
            ("Connection type?", &["api", ENTER]),
            ("apiKey:", &[ENTER]),
            ("baseUrl:", &["https://two.erp.example", ENTER]),
            ("region:", &["eu", ENTER]),
            NO_TEST,
            NOT_EMBEDDED,
            KEY,
            TITLE,
            WRITE,
        ],
        options: &[
            "--tenant",
            "us",
            "--component",
            "erp",
            "--credentials",
            "OrganizationGlobal",
            "--type",
            "apiKey",
            "baseUrl=https://two.erp.example",
            "region=eu",
        ],
        file: "us/connections/erp-apikey.yaml",
        says: &["credentials: OrganizationGlobal", "name: erp-apikey", "value: eu"],
    },
    Branch {
        name: "as-in-another-tenant",
        keys: &[
            ("Tenant?", &[ENTER]),
            ("Component:", &["erp", ENTER]),
            ("Whose credentials?", &["organization", ENTER]),
            ("Connection type?", &[ENTER]),
            ("Is it one that another tenant has?", &[ENTER]),
            ("apiKey:", &[ENTER]),
            ("baseUrl:", &["https://eu.erp.example", ENTER]),
            ("region:", &[ENTER]),
            NO_TEST,
            NOT_EMBEDDED_AS_THERE,
            TITLE,
            WRITE,
        ],
        options: &["--tenant", "eu", "--key", "erp-main", "baseUrl=https://eu.erp.example"],
        file: "eu/connections/erp-main.yaml",
        says: &["title: ERP", "embeddedWorkflows: true", "name: erp", "value: https://eu.erp.example"],
    },
    Branch {
        name: "a-key-of-its-own",
        keys: &[
            ("Tenant?", &[ENTER]),
            ("Component:", &["erp", ENTER]),
            ("Whose credentials?", &["organization", ENTER]),
            ("Connection type?", &[ENTER]),
            ("Is it one that another tenant has?", &["another", ENTER]),
            ("apiKey:", &["hunter2", ENTER]),
            ("it is no reference to a Secret", &["erp-own/apiKey", ENTER]),
            ("baseUrl:", &["https://eu.erp.example", ENTER]),
            ("region:", &[ENTER]),
            NO_TEST,
            NOT_EMBEDDED,
            ("Stable key:", &["erp main", ENTER]),
            ("is no stable key", &["erp_maim", ENTER]),
            TITLE,
            WRITE,
        ],
        options: &[
            "--tenant",
            "eu",
            "--component",
            "erp",
            "--credentials",
            "OrganizationGlobal",
            "--type",
            "apiKey",
            "--secret",
            "apiKey=erp-own/apiKey",
            "baseUrl=https://eu.erp.example",
            "--key",
            "erp_maim",
        ],
        file: "eu/connections/erp-maim.yaml",
        says: &["stableKey: erp_maim", "name: erp-own"],
    },
    Branch {
        name: "a-component-that-is-only-in-use",
        keys: &[
            ("Tenant?", &[DOWN, ENTER]),
            ("Component:", &["mial", ENTER]),
            ("no tenant declares component mial", &["mail", ENTER]),
            ("Whose credentials?", &["organization", ENTER]),
            ("Connection type:", &[ENTER]),
            ("host:", &["smtp2.example", ENTER]),
            ("password:", &["mail-2/password", ENTER]),
            NO_TEST,
            NOT_EMBEDDED,
            KEY,
            TITLE,
            WRITE,
        ],
        options: &[
            "--tenant",
            "us",
            "--component",
            "mail",
            "--credentials",
            "OrganizationGlobal",
            "host=smtp2.example",
            "--secret",
            "password=mail-2/password",
        ],
        file: "us/connections/mail-smtp.yaml",
        says: &["type: smtp", "name: mail-2"],
    },
];

/// The other tenant uses it for embedded workflows, so that this is suggested.
const NOT_EMBEDDED_AS_THERE: (&str, &[&str]) = ("Use for embedded workflows?", &[ENTER]);

/// Goes through a branch by keys, and returns the project and the screens before each answer.
fn by_keys(branch: &Branch, columns: u16) -> (Project, String) {
    let project = project();
    let mut terminal = OnTerminal::start(project.root(), &["new", "connection"], columns);
    let mut screens = Vec::new();
    for (text, keys) in branch.keys {
        terminal.asks(text);
        screens.push(terminal.screen());
        for key in *keys {
            terminal.press(key);
        }
    }
    assert_eq!(terminal.exits(), 0, "{}:\n{}", branch.name, terminal.screen());
    assert!(terminal.is_usable(), "{}", branch.name);
    screens.push(terminal.screen());
    (project, screens.join(&format!("\n{}\n", "─".repeat(usize::from(columns)))))
}

/// "Every branch, by keys in a pseudo-terminal and by flags, gives the same bytes."
#[test]
fn each_branch_gives_the_same_files_by_keys_and_by_options() {
    for branch in BRANCHES {
        let by_options = project();
        let before = by_options.files(".");
        let command = [&["new", "connection"], branch.options, &["--yes"]].concat();
        by_options.run(&command).exits(0);
        let written = by_options.files(".");
        assert_eq!(written.len(), before.len() + 1, "{}", branch.name);
        let text = by_options.read(branch.file);
        for said in branch.says {
            assert!(text.contains(said), "{}: no {said:?} in\n{text}", branch.name);
        }
        assert!(!text.contains("hunter2"));
        for columns in [80, 120] {
            let (by_keys, screens) = by_keys(branch, columns);
            assert_eq!(by_keys.files("."), written, "{} at {columns} columns:\n{screens}", branch.name);
            insta::assert_snapshot!(format!("{}-{columns}", branch.name), screens);
        }
        // What was written is valid, and the same command does not write it twice.
        let again = by_options.run(&command);
        assert_eq!(again.code, 1, "{}: {}", branch.name, again.all);
        assert_eq!(by_options.files("."), written, "{}", branch.name);
    }
}

/// "Ctrl-C, Esc and SIGTERM leave no file and a usable terminal (exit 130, 143)."
#[test]
fn leaving_at_any_question_leaves_no_file_and_a_usable_terminal() {
    let project = project();
    let before = project.files(".");
    let branch = &BRANCHES[1];
    for at in 0..branch.keys.len() {
        for (how, code) in [(Leave::Escape, 130), (Leave::CtrlC, 130), (Leave::Sigterm, 143), (Leave::Sigint, 130)] {
            let mut terminal = OnTerminal::start(project.root(), &["new", "connection"], 80);
            for (text, keys) in &branch.keys[..at] {
                terminal.asks(text);
                for key in *keys {
                    terminal.press(key);
                }
            }
            terminal.asks(branch.keys[at].0);
            match how {
                Leave::Escape => terminal.press(ESCAPE),
                Leave::CtrlC => terminal.press(CTRL_C),
                Leave::Sigterm => terminal.signal(Signal::TERM),
                Leave::Sigint => terminal.signal(Signal::INT),
            };
            let question = branch.keys[at].0;
            assert_eq!(terminal.exits(), code, "{question} {how:?}:\n{}", terminal.screen());
            assert!(terminal.is_usable(), "{question} {how:?}");
            assert_eq!(project.files("."), before, "{question} {how:?}");
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Leave {
    Escape,
    CtrlC,
    Sigterm,
    Sigint,
}

/// "So that nothing is lost": a no, Escape and a failed write show the same answers as a command, which writes the same
/// file.
#[test]
fn what_was_answered_is_not_lost_if_nothing_is_written() {
    for branch in BRANCHES {
        for end in [End::No, End::Escape, End::Busy] {
            let project = project();
            let before = project.files(".");
            let mut terminal = OnTerminal::start(project.root(), &["new", "connection"], 500);
            let (last, earlier) = branch.keys.split_last().unwrap();
            for (text, keys) in earlier {
                terminal.asks(text);
                for key in *keys {
                    terminal.press(key);
                }
            }
            terminal.asks(last.0);
            let tenant = branch.file.split('/').next().unwrap();
            let lock = std::fs::File::open(project.path(tenant)).unwrap();
            let code = match end {
                End::No => {
                    terminal.press("n").press(ENTER);
                    1
                }
                End::Escape => {
                    terminal.press(ESCAPE);
                    130
                }
                End::Busy => {
                    lock.lock().unwrap();
                    terminal.press(ENTER);
                    1
                }
            };
            assert_eq!(terminal.exits(), code, "{}", terminal.screen());
            drop(lock);
            assert_eq!(project.files("."), before);
            let screen = terminal.screen();
            assert!(screen.contains("Nothing was changed") || screen.contains("nothing was written"), "{screen}");
            let command = screen.lines().rev().find(|line| line.starts_with("    stablekey new connection --tenant"));
            let command = command.unwrap_or_else(|| panic!("{}: no command in\n{screen}", branch.name));
            project.pasted(command.trim()).exits(0);
            let by_options = self::project();
            by_options.run(&[&["new", "connection"], branch.options, &["--yes"]].concat()).exits(0);
            assert_eq!(project.files("."), by_options.files("."), "{}: {command}", branch.name);
        }
    }
}

/// How the last question ends.
#[derive(Clone, Copy)]
enum End {
    No,
    Escape,
    Busy,
}

/// A question in the middle that is left keeps the answers before it.
#[test]
fn leaving_in_the_middle_shows_the_answers_so_far() {
    let project = project();
    let mut terminal = OnTerminal::start(project.root(), &["new", "connection"], 200);
    terminal.asks("Tenant?").press(DOWN).press(ENTER);
    terminal.asks("Component:").press("erp").press(ENTER);
    terminal.asks("Whose credentials?").press("organization").press(ENTER);
    terminal.asks("Connection type?").press(ESCAPE);
    assert_eq!(terminal.exits(), 130);
    let line = "stablekey new connection --tenant us --component erp --credentials OrganizationGlobal";
    assert!(terminal.screen().lines().any(|shown| shown.trim() == line), "{}", terminal.screen());
    // Nothing was answered yet.
    let mut terminal = OnTerminal::start(project.root(), &["new", "connection"], 200);
    terminal.asks("Tenant?").press(ESCAPE);
    assert_eq!(terminal.exits(), 130);
    assert!(!terminal.screen().contains("as a command"), "{}", terminal.screen());
}

/// "Where exactly one component matches, take it; where several, list them and ask again."
#[test]
fn a_part_of_a_components_name_is_enough() {
    let project = project();
    let mut terminal = OnTerminal::start(project.root(), &["new", "connection", "--tenant", "us"], 100);
    terminal.asks("Component:").press("m").press(ENTER);
    terminal.asks("several have \"m\" in their name: crm, mail").press("a").press(ENTER);
    terminal.asks("Whose credentials?");
    assert!(terminal.screen().contains("Component: mail"), "{}", terminal.screen());
    terminal.press(ESCAPE);
    assert_eq!(terminal.exits(), 130);
}

/// "The same key in the next tenant" is one action.
#[test]
fn the_same_key_in_the_next_tenant_is_one_command() {
    let project = project();
    project.run(&["new", "connection", "--tenant", "eu", "--key", "erp-main", "--yes"]).exits(0);
    let differ = |text: String| text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    let ours = differ(project.read("eu/connections/erp-main.yaml"));
    for said in ["title: ERP", "value: https://erp.example", "credentials: OrganizationGlobal", "name: erp\n"] {
        assert!(ours.contains(said), "{said}:\n{ours}");
    }
    // Without a key, the only one that another tenant has for such a connection is taken.
    let again = self::project();
    let by_kind = ["--component", "erp", "--type", "apiKey", "--credentials", "OrganizationGlobal", "--yes"];
    again.run(&[["new", "connection", "--tenant", "eu"].as_slice(), &by_kind].concat()).exits(0);
    assert_eq!(again.files("eu"), project.files("eu"));
}

/// What is like a connection of the tenant takes what no option gives from it.
#[test]
fn a_connection_can_be_made_like_another_one_of_the_tenant() {
    let project = project();
    let like = ["new", "connection", "--tenant", "us", "--like", "erp-main", "--yes"];
    project.run(&[like.as_slice(), &["--key", "erp-two", "baseUrl=https://two.example"]].concat()).exits(0);
    let text = project.read("us/connections/erp-two.yaml");
    for said in ["type: apiKey", "credentials: OrganizationGlobal", "name: erp\n", "https://two.example", "title: ERP"]
    {
        assert!(text.contains(said), "{said}:\n{text}");
    }
    project
        .run(&["new", "connection", "--tenant", "us", "--like", "erp-mian", "--yes"])
        .exits(1)
        .prints("did you mean erp-main?");
}

#[test]
fn without_a_terminal_all_that_is_missing_is_named_at_once() {
    let project = project();
    let run = |options: &[&str]| project.run(&[["new", "connection"].as_slice(), options].concat());
    let nothing = run(&[]);
    nothing.exits(1).prints("Tenant, Component, Whose credentials are not given, and there is no terminal");
    for line in [
        "--tenant TENANT: eu, us",
        "--component COMPONENT: crm, erp, mail",
        "--credentials WHOSE: Customer, OrganizationCustomer, OrganizationGlobal, User",
    ] {
        assert!(nothing.has_line(line), "{}", nothing.all);
    }
    run(&["--tenant", "us"]).exits(1).prints("--component COMPONENT: crm, erp, mail");
    run(&["--component", "crm", "--credentials", "Customer", "clientId=a"])
        .exits(1)
        .prints("Tenant, authorizeUrl, tokenUrl are not given")
        .prints("authorizeUrl=VALUE tokenUrl=VALUE");
    let erp = run(&["--tenant", "us", "--component", "erp"]);
    erp.exits(1).prints("--credentials WHOSE: Customer, OrganizationCustomer, OrganizationGlobal, User");
    for line in [
        "with --credentials Customer also --type TYPE: apiKey, oauth2",
        "with --credentials OrganizationGlobal --type apiKey also baseUrl=VALUE",
        "with --credentials OrganizationGlobal --type oauth2 also tokenUrl=VALUE",
    ] {
        assert!(erp.has_line(line), "{}", erp.all);
    }
    let erp = ["--tenant", "us", "--component", "erp", "--credentials", "OrganizationGlobal"];
    run(&erp).exits(1).prints("--type TYPE: apiKey, oauth2");
    run(&["--tenant", "us", "--component", "crm", "--credentials", "Customer"])
        .exits(1)
        .prints("give authorizeUrl=VALUE tokenUrl=VALUE clientId=VALUE");
    // All is given but the consent.
    let all = [erp.as_slice(), &["--type", "apiKey", "baseUrl=https://erp.example"]].concat();
    run(&all).exits(1).prints("nothing was written: there is no terminal to ask on").prints("--yes");
    run(&[all.as_slice(), &["--dry-run"]].concat()).exits(0).prints("+  stableKey: erp-apikey").prints("--dry-run");
    assert!(!project.has("us/connections/erp-apikey.yaml"));
    let json = run(&[all.as_slice(), &["--dry-run", "-o", "json"]].concat());
    let edit: serde_json::Value = serde_json::from_str(&json.exits(0).out).unwrap();
    assert_eq!(edit["files"][0]["path"], "us/connections/erp-apikey.yaml");
    assert!(edit["manual"][0].as_str().unwrap().contains("kubectl create secret generic erp-apikey"), "{edit:#}");
}

#[test]
fn every_wrong_name_says_the_nearest() {
    let project = project();
    let run = |options: &[&str]| project.run(&[["new", "connection", "--yes"].as_slice(), options].concat());
    run(&["--tenant", "uss"]).exits(1).prints("there is no tenant uss").prints("us");
    let unknown = run(&["--tenant", "us", "--component", "erq"]);
    unknown.exits(1).prints("no tenant declares component erq").prints("did you mean erp?");
    assert!(unknown.has_line("stablekey new component erq --tenant us --type TYPE"), "{}", unknown.all);
    let distant = run(&["--tenant", "us", "--component", "stripe"]);
    distant.exits(1).prints("there are crm, erp, mail; otherwise declare it first:").does_not_print("did you mean");
    run(&["--tenant", "us", "--component", "erp", "--type", "apikey"]).exits(1).prints("did you mean apiKey?");
    run(&["--tenant", "us", "--component", "erp", "--credentials", "Customers"]).exits(1).prints("Customer");
    let erp = ["--tenant", "us", "--component", "erp", "--credentials", "OrganizationGlobal", "--type", "apiKey"];
    run(&[erp.as_slice(), &["baseUrll=https://a.example"]].concat()).exits(1).prints("did you mean baseUrl?");
    run(&[erp.as_slice(), &["baseUrl=https://a.example", "--per-customer", "region"]].concat())
        .exits(1)
        .prints("region cannot be per customer");
    run(&[erp.as_slice(), &["baseUrl="]].concat()).exits(1).prints("requires baseUrl");
}

/// "Refused where taken here": by its key, by its name, by `replaces`, by a manifest that cannot be read.
#[test]
fn a_key_that_is_taken_here_is_refused() {
    let newer =
        Connection::new("erp-new", "erp/apiKey").credentials(Credentials::OrganizationGlobal).replaces("erp-old");
    let project = project().with("us/connections/erp-new.yaml", &newer.yaml());
    let run = |key: &str| {
        let erp = [
            "--component",
            "erp",
            "--type",
            "apiKey",
            "--credentials",
            "OrganizationGlobal",
            "baseUrl=https://a.example",
        ];
        project.run(&[["new", "connection", "--tenant", "us", "--yes", "--key", key].as_slice(), &erp].concat())
    };
    let taken = run("erp-main");
    taken.exits(1).prints("us has erp-main already");
    assert!(taken.has_line("stablekey set --tenant us erp-main INPUT=VALUE"), "{}", taken.all);
    run("ERP_main").exits(1).prints("us has erp-main already, and both keys are the name erp-main");
    run("erp-old").exits(1).prints("erp-new of us replaces erp-old");
    run("_erp").exits(1).prints("is no stable key");
    let broken = project.edit("us/connections/erp-new.yaml", "spec:", "spec: [");
    let erp =
        ["--component", "erp", "--type", "apiKey", "--credentials", "OrganizationGlobal", "baseUrl=https://a.example"];
    let run = |key: &str| {
        broken.run(&[["new", "connection", "--tenant", "us", "--yes", "--key", key].as_slice(), &erp].concat())
    };
    run("erp-2").exits(1).prints("us/connections/erp-new.yaml").prints("it may hold erp-2");
    assert!(!broken.has("us/connections/erp-2.yaml"));
}

/// "Warned where another tenant has a near one."
#[test]
fn a_key_that_is_nearly_that_of_another_tenant_is_a_warning() {
    let project = project();
    let erp = ["--component", "erp", "--type", "apiKey", "--credentials", "OrganizationGlobal", "--yes"];
    let near = |tenant| ["new", "connection", "--tenant", tenant, "--key", "erp-mian", "baseUrl=https://a.example"];
    project.run(&[near("eu").as_slice(), &erp].concat()).exits(0).prints("warning: us has the similar key erp-main");
    // In the tenant itself too; a number is no misspelling.
    project.run(&[near("us").as_slice(), &erp].concat()).exits(0).prints("us itself has the similar key erp-main");
    let second = ["new", "connection", "--tenant", "us", "--key", "erp-main-2", "baseUrl=https://a.example"];
    project.run(&[second.as_slice(), &erp].concat()).exits(0).does_not_print("similar");
    let other = ["new", "connection", "--tenant", "eu", "--key", "billing", "baseUrl=https://a.example"];
    project.run(&[other.as_slice(), &erp].concat()).exits(0).does_not_print("similar");
    // The same key for something else.
    let crm = ["--component", "crm", "--credentials", "Customer", "--key", "erp-main", "--yes", "clientId=a"];
    let urls = ["authorizeUrl=https://a.example", "tokenUrl=https://a.example", "--secret", "clientSecret=a/b"];
    let here = ["new", "connection", "--tenant", "eu", "--force"];
    project
        .run(&[here.as_slice(), &crm, &urls].concat())
        .exits(0)
        .prints("erp-main is erp/apiKey, OrganizationGlobal in us, and crm/oauth2, Customer here");
}

/// "Secret inputs given as a literal are refused without showing them."
#[test]
fn no_secret_is_taken_or_shown() {
    let project = project();
    let before = project.files(".");
    let erp =
        ["--tenant", "us", "--component", "erp", "--type", "apiKey", "--credentials", "OrganizationGlobal", "--yes"];
    for given in [
        &["apiKey=hunter2", "baseUrl=https://a.example"][..],
        &["--secret", "apiKey=hunter2", "baseUrl=https://a.example"],
        &["--test", "apiKey=hunter2", "baseUrl=https://a.example"],
        &["--test-secret", "apiKey=hunter2", "baseUrl=https://a.example"],
        &["baseUrl=https://user:hunter2@a.example"],
        &["password=hunter2", "baseUrl=https://a.example"],
        &["hunter2"],
        &["--title", "https://user:hunter2@a.example", "baseUrl=https://a.example"],
    ] {
        let said = project.run(&[["new", "connection"].as_slice(), &erp, given].concat());
        said.exits(1).does_not_print("hunter2");
        assert_eq!(project.files("."), before);
    }
}

/// A secret is supplied where the tenant's location takes it from; no command has it as an argument.
#[test]
fn how_to_supply_a_secret_depends_on_the_location() {
    let options = ["--component", "erp", "--type", "apiKey", "--credentials", "OrganizationGlobal"];
    let said = |location: &str| {
        let tenant = format!(
            "apiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {{name: p}}\nspec: {{source: {{path: p}}, location: {location}}}\n"
        );
        let erp = project().read("us/components/erp.yaml");
        let root = Project::empty().with("tenants.yaml", &tenant).with("p/components/erp.yaml", &erp);
        let key = ["--secret", "apiKey=erp/api-key", "baseUrl=https://erp.example/x", "--dry-run", "--force"];
        // Nothing listens there: what is read of the tenant is its source.
        let mut command = root.command(&[["new", "connection"].as_slice(), &options, &key].concat());
        command.env("KUBECONFIG", root.path("none")).env("HOME", root.root());
        stablekey_testing::project::CommandOutput::of(&command.output().unwrap())
    };
    let create = "kubectl create secret generic erp --from-file=api-key=/dev/stdin --dry-run=client -o yaml | \
                  kubectl label --local -f - stablekey.dev/for=connections -o yaml | \
                  kubectl annotate --local -f - stablekey.dev/keys=erp-apikey stablekey.dev/hosts=erp.example -o yaml | \
                  kubectl create";
    let folder = said("{directory: {path: live}}");
    assert!(folder.has_line(&format!("{create} -f -")), "{}", folder.all);
    let cluster = said("{kubernetes: {namespace: apps, kubeconfig: {context: us 1}}}");
    assert!(cluster.has_line(&format!("{create} --context 'us 1' -n apps -f -")), "{}", cluster.all);
    let platform = |secrets: &str| said(&format!("{{prismatic: {{url: 'https://a.example'{secrets}}}}}"));
    platform(", secrets: {directory: hidden/p}").prints("the file hidden/p/erp/api-key");
    platform(", secrets: {env: true}").prints("STABLEKEY_SECRET_P__ERP__API_KEY");
    platform("").prints("add secrets to the location of Tenant p");
    for all in [folder.all, cluster.all] {
        assert!(!all.contains("--from-literal"), "{all}");
    }
}

/// Where a Secret serves another connection already, it opts in for one more.
#[test]
fn a_secret_that_serves_another_connection_gets_one_key_more() {
    let project = project();
    let erp =
        ["--component", "erp", "--type", "apiKey", "--credentials", "OrganizationGlobal", "baseUrl=https://a.example"];
    let shared =
        ["new", "connection", "--tenant", "us", "--key", "erp-two", "--secret", "apiKey=erp/apiKey", "--dry-run"];
    let said = project.run(&[shared.as_slice(), &erp].concat());
    let line = "kubectl annotate --overwrite secret erp stablekey.dev/keys=erp-main,erp-two";
    assert!(said.has_line(line), "{}", said.all);
}

/// "Where the tenant's other connections stand": in one file, beside each other, or in the source.
#[test]
fn a_connection_is_written_where_the_others_stand() {
    let erp =
        ["--component", "erp", "--type", "apiKey", "--credentials", "OrganizationGlobal", "baseUrl=https://a.example"];
    let new = |project: &Project| {
        let command = [["new", "connection", "--tenant", "us", "--key", "erp-two", "--yes"].as_slice(), &erp].concat();
        project.run(&command).exits(0);
    };
    // All in one file.
    let (one, two) = (project().read("us/connections/erp-main.yaml"), project().read("us/connections/mail-main.yaml"));
    let together = project().without("us/connections");
    together.write("us/all.yaml", &format!("# Ours.\r\n{}---\r\n{}", crlf(&one), crlf(&two)));
    let before = together.read("us/all.yaml");
    new(&together);
    let after = together.read("us/all.yaml");
    assert!(after.starts_with(&before) && after[before.len()..].starts_with("---\r\n"), "{after}");
    assert!(!after.replace("\r\n", "").contains('\n'), "{after}");
    // Each in a file, of a folder with another name; a kustomization lists it.
    let apart = project().without("us/connections").with("us/conns/a.yaml", &one).with("us/conns/b.yaml", &two);
    let list = "resources:\n  - components/crm.yaml\n  - components/erp.yaml\n  - conns/a.yaml\n  - conns/b.yaml\n";
    apart.write("us/kustomization.yaml", list);
    new(&apart);
    assert!(apart.has("us/conns/erp-two.yaml"));
    assert_eq!(apart.read("us/kustomization.yaml"), format!("{list}  - conns/erp-two.yaml\n"));
    // A source goes before the location.
    let declared = "location: {directory: {path: us}}, source: {path: wanted}";
    let source = project().edit("tenants.yaml", "location: {directory: {path: us}}", declared).with_folder("wanted");
    new(&source);
    assert!(source.has("wanted/connections/erp-two.yaml") && !source.has("us/connections/erp-two.yaml"));
}

fn crlf(text: &str) -> String {
    text.replace('\n', "\r\n")
}

/// A Component that only another tenant has comes along, so that the same rules hold here.
#[test]
fn a_component_that_the_tenant_lacks_comes_with_the_connection() {
    let project = project().without("eu/components/erp.yaml");
    project
        .run(&["new", "connection", "--tenant", "eu", "--key", "erp-main", "--yes"])
        .exits(0)
        .prints("eu has no Component/erp: it is copied from another tenant");
    assert!(project.read("eu/components/erp.yaml").contains("secret: true"));
    assert!(project.has("eu/connections/erp-main.yaml"));
}

/// What a sync brings is the sync's: a connection beside it is said to be the tenant's own.
#[test]
fn a_connection_that_a_sync_brings_anyway_is_said_to_be_the_tenants_own() {
    let router = Integration::new("router").binds("ERP", "erp-main").yaml();
    let mirrored = project_with(Sync::new("up", "us", "eu").mirror()).with("us/integrations/router.yaml", &router);
    let said = mirrored.run(&["new", "connection", "--tenant", "eu", "--key", "erp-main", "--dry-run"]);
    said.exits(0).prints("sync/up brings erp-main from us to eu by itself");
}
