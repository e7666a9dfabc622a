//! An edit is shown before anything is written, and then written exactly as the command writes it.

use super::client::{Answer, Form};
use super::fixtures::{edit, put};
use super::served::Served;
use stablekey_testing::cli::{example, files, run, said, stablekey};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Fields of a form and what a person types into them.
type Typed = &'static [(&'static str, &'static str)];

/// The form at an address.
fn form(served: &Served, address: &str, action: &str) -> Form {
    let page = served.get(address);
    page.form(action).unwrap_or_else(|| panic!("no form {action} at {address}: {}", page.words()))
}

/// What a form does to a copy of the example, beside what a command does to another one.
fn as_the_command(prepare: impl Fn(&Path), send: impl Fn(&Served) -> Answer, command: &[&str]) {
    let (root, other) = (example("us-eu"), example("us-eu"));
    prepare(root.path());
    prepare(other.path());
    let served = Served::open(root.path());
    let before = files(root.path());
    let review = send(&served);
    assert_eq!(review.status, 200, "{command:?}: {}", review.words());
    let words = review.words();
    assert!(words.contains("Nothing is written yet."), "{command:?}: {words}");
    assert!(
        review.body.contains("<div class=\"new\">") || review.body.contains("<div class=\"old\">"),
        "{command:?}: {words}"
    );
    assert!(files(root.path()) == before, "{command:?}: a review writes nothing");
    let mut form = review.form("/write").unwrap();
    let becomes_worse = words.contains("The plan becomes worse.");
    assert_eq!(becomes_worse, command.contains(&"--force"), "{command:?}: {words}");
    if becomes_worse {
        form = form.with("force", "on");
    }
    let written = served.submit(&form);
    assert_eq!(written.status, 303, "{command:?}: {}", written.words());
    let shown = served.get(written.header("location").unwrap());
    assert_eq!(shown.status, 200, "{command:?}: {}", shown.words());
    let output = run(other.path(), &[command, &["--yes"]].concat());
    assert_eq!(output.status.code(), Some(0), "{command:?}: {}", said(&output));
    let (by_page, by_command) = (files(root.path()), files(other.path()));
    assert!(by_page != before, "{command:?} changes something");
    for name in by_page.keys().chain(by_command.keys()) {
        let text = |all: &std::collections::BTreeMap<String, Vec<u8>>| {
            all.get(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        };
        assert_eq!(text(&by_page), text(&by_command), "{command:?}: {name}");
    }
}

fn nothing(_: &Path) {}

const WAREHOUSE: &str = "/set?tenant=us-prod&key=warehouse";

#[test]
fn values_are_set_as_the_command_sets_them() {
    let set = |address: &'static str, fields: &'static [(&'static str, &'static str)]| {
        move |served: &Served| {
            let form = form(served, address, "/set");
            served.submit(&fields.iter().fold(form, |form, (name, value)| form.with(name, value)))
        }
    };
    let cases: [(&'static str, Typed, &[&str]); 10] = [
        (WAREHOUSE, &[("in.port", "6432")], &["set", "--tenant", "us-prod", "warehouse", "port=6432"]),
        (
            WAREHOUSE,
            &[("in.password", "warehouse/other")],
            &["set", "--tenant", "us-prod", "warehouse", "--secret", "password=warehouse/other"],
        ),
        (
            WAREHOUSE,
            &[("in.username", "")],
            &["set", "--tenant", "us-prod", "warehouse", "--unset", "username", "--force"],
        ),
        (
            "/set?tenant=us-prod&key=salesforce-oauth",
            &[("per-customer", "scopes")],
            &["set", "--tenant", "us-prod", "salesforce-oauth", "--per-customer", "scopes"],
        ),
        (
            "/set?tenant=us-prod&key=warehouse&part=test",
            &[("test.host", "test.us.example"), ("test.password", "test/password")],
            &[
                "set",
                "--tenant",
                "us-prod",
                "warehouse",
                "--test",
                "host=test.us.example",
                "--test-secret",
                "password=test/password",
            ],
        ),
        (WAREHOUSE, &[("embedded", "on")], &["set", "--tenant", "us-prod", "warehouse", "--embedded", "on"]),
        (
            WAREHOUSE,
            &[("title", "Warehouse: \"orders\" # 1"), ("description", "Of orders")],
            &[
                "set",
                "--tenant",
                "us-prod",
                "warehouse",
                "--title=Warehouse: \"orders\" # 1",
                "--description=Of orders",
            ],
        ),
        (WAREHOUSE, &[("title", "")], &["set", "--tenant", "us-prod", "warehouse", "--unset", "title"]),
        (
            "/set?tenant=eu-prod&key=salesforce-oauth",
            &[("in.scopes", "eu"), ("reason", "other scopes")],
            &["set", "--tenant", "eu-prod", "salesforce-oauth", "scopes=eu", "--reason", "other scopes"],
        ),
        (
            "/set?tenant=eu-prod&key=zendesk-oauth-eu",
            &[("in.subdomain", "eu2")],
            &["set", "--tenant", "eu-prod", "zendesk-oauth-eu", "subdomain=eu2"],
        ),
    ];
    for (address, fields, command) in cases {
        as_the_command(nothing, set(address, fields), command);
    }
}

#[test]
fn a_refused_connection_keeps_what_was_typed() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    // Only the key is given: it decides the component.
    let typed = [("in.clientId", "first"), ("in.subdomain", "acme"), ("title", "Tickets")];
    let open = form(&served, "/new?tenant=eu-prod&key=zendesk-oauth", "/new");
    let filled = typed.iter().fold(open, |form, (name, value)| form.with(name, value));
    let refused = served.submit(&filled.with("in.clientSecret", "no reference"));
    let again = refused.form("/new").expect("the form stays");
    for (name, value) in typed {
        assert!(again.fields.contains(&(name.to_string(), value.to_string())), "{name}: {}", refused.words());
    }
    served.write(&served.submit(&again.with("in.clientSecret", "zendesk-app/clientSecret")));
    let made = fs::read_to_string(root.path().join("eu-prod/connections/zendesk-oauth.yaml")).unwrap();
    assert!(made.contains("title: Tickets") && made.contains("value: acme"), "{made}");
}

/// All that is empty is told at once, each beside its field.
#[test]
fn what_is_not_filled_in_is_told_at_once() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let open =
        form(&served, "/new?tenant=us-prod&component=postgres&credentials=OrganizationGlobal&type=postgres", "/new");
    let refused = served
        .submit(&open.with("in.host", "db.example").with("title", "Events").with("in.password", "").with("key", " "));
    let words = refused.words();
    assert!(words.contains("not filled in: database, password, username and Stable key"), "{words}");
    assert_eq!(words.matches("Fill this in:").count(), 4, "{words}");
    let again = refused.form("/new").unwrap();
    let typed =
        [("in.database", "events"), ("in.password", "events/password"), ("in.username", "reader"), ("key", "events")];
    let filled = typed.iter().fold(again, |form, (name, value)| form.with(name, value));
    served.write(&served.submit(&filled));
    let made = fs::read_to_string(root.path().join("us-prod/connections/events.yaml")).unwrap();
    assert!(made.contains("title: Events") && made.contains("db.example"), "{made}");
}

/// From the review, the form comes back with what was typed, and is reviewed again.
#[test]
fn a_review_leads_back_to_the_form() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let before = files(root.path());
    let back = |review: &Answer, to: &str| {
        let form = review.form("/write").unwrap().with("again", "1");
        served.submit(&Form { action: to.to_string(), ..form })
    };
    let review =
        served.submit(&form(&served, WAREHOUSE, "/set").with("in.port", "5999").with("description", "Of orders"));
    let again = back(&review, "/set").form("/set").unwrap();
    for (name, value) in [("in.port", "5999"), ("description", "Of orders")] {
        assert!(again.fields.contains(&(name.to_string(), value.to_string())), "{name}");
    }
    let review = served.submit(&again.with("in.port", "5998"));
    assert!(review.body.contains("5998") && !review.body.contains("5999"), "{}", review.words());
    assert!(files(root.path()) == before);
    served.write(&review);
    let text = fs::read_to_string(root.path().join("us-prod/connections/warehouse.yaml")).unwrap();
    assert!(text.contains("5998") && text.contains("Of orders"), "{text}");

    let open =
        form(&served, "/new?tenant=us-prod&component=postgres&credentials=OrganizationGlobal&type=postgres", "/new");
    let typed =
        [("in.database", "d"), ("in.host", "h"), ("in.password", "events/p"), ("in.username", "u"), ("key", "events")];
    let review = served.submit(&typed.iter().fold(open, |form, (name, value)| form.with(name, value)));
    let again = back(&review, "/new").form("/new").unwrap();
    for (name, value) in typed {
        assert!(again.fields.contains(&(name.to_string(), value.to_string())), "{name}");
    }
}

#[test]
fn the_toggle_of_embedded_workflows_is_one_form() {
    let toggle = |served: &Served| {
        let page = served.get("/connection?key=warehouse&show=all");
        let toggle = page
            .forms()
            .into_iter()
            .find(|form| form.action == "/set" && form.fields.contains(&("tenant".to_string(), "us-prod".to_string())));
        served.submit(&toggle.unwrap())
    };
    as_the_command(nothing, toggle, &["set", "--tenant", "us-prod", "warehouse", "--embedded", "on"]);
}

/// The fields of a second connection to Salesforce.
const SECOND: Typed = &[
    ("in.authorizeUrl", "https://login.example/a"),
    ("in.tokenUrl", "https://login.example/t"),
    ("in.scopes", "api"),
    ("in.clientId", "two"),
    ("in.instanceUrl", "https://i.example"),
    ("in.clientSecret", "salesforce-app/two"),
    ("key", "salesforce-two"),
    ("title", "Second"),
];

#[test]
fn connections_are_added_as_the_command_adds_them() {
    let add = |served: &Served| {
        let address =
            "/new?tenant=us-prod&component=salesforce&whose=&credentials=OrganizationGlobal&type=oauth2&own-key=1";
        let form = form(served, address, "/new");
        served.submit(&SECOND.iter().fold(form, |form, (name, value)| form.with(name, value)))
    };
    let command = [
        "new",
        "connection",
        "--tenant",
        "us-prod",
        "--component",
        "salesforce",
        "--type",
        "oauth2",
        "--credentials",
        "OrganizationGlobal",
        "--key",
        "salesforce-two",
        "--title",
        "Second",
        "authorizeUrl=https://login.example/a",
        "tokenUrl=https://login.example/t",
        "scopes=api",
        "clientId=two",
        "instanceUrl=https://i.example",
        "--secret",
        "clientSecret=salesforce-app/two",
    ];
    as_the_command(nothing, add, &command);
}

/// The choices lead from a component to the form, in the order of the platform's dialog.
#[test]
fn the_choices_of_a_new_connection_are_links() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let component = served.get("/components?component=salesforce");
    let mut next = component.links().into_iter().find(|link| link.starts_with("/new")).unwrap();
    let mut asked = Vec::new();
    for _ in 0..8 {
        let page = served.get(&next);
        if page.form("/new").is_some_and(|form| form.is_post) {
            assert!(page.body.contains("name=\"key\""), "{}", page.words());
            break;
        }
        let question = page.body.split("id=\"h-question\">").nth(1).unwrap().split('<').next().unwrap().to_string();
        asked.push(question);
        let choices = page.body.split("class=\"choices\"").nth(1).unwrap();
        let choice = choices.split(" href=\"").nth(1).unwrap().split('"').next().unwrap();
        next = super::client::unescaped(choice);
    }
    assert!(asked.len() >= 2, "{asked:?}");
}

#[test]
fn uses_are_switched_as_the_command_switches_them() {
    let second = |root: &Path| {
        let output = run(
            root,
            &[
                "new",
                "connection",
                "--tenant",
                "dev",
                "--like",
                "salesforce-oauth",
                "--key",
                "salesforce-two",
                "--title",
                "Second",
                "--yes",
            ],
        );
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    };
    let switch = |address: &'static str, to: &'static str, reason: &'static str| {
        move |served: &Served| {
            let form = form(served, address, "/switch");
            assert!(form.buttons.contains(&("to".to_string(), to.to_string())), "{form:?}");
            served.submit(&form.with("to", to).with("reason", reason))
        }
    };
    as_the_command(
        second,
        switch("/switch?tenant=dev&integration=lead-router&step=New+lead/Find+account", "salesforce-two", ""),
        &["switch", "dev", "lead-router", "--step", "New lead/Find account", "--to", "salesforce-two", "--force"],
    );
    as_the_command(
        second,
        switch("/switch?tenant=dev&integration=lead-router&variable=Salesforce+Connection", "salesforce-two", ""),
        &["switch", "dev", "lead-router", "--variable", "Salesforce Connection", "--to", "salesforce-two", "--force"],
    );
    as_the_command(
        nothing,
        switch(
            "/switch?tenant=eu-prod&integration=support-digest&variable=Zendesk",
            "zendesk-oauth-eu",
            "named by hand",
        ),
        &[
            "switch",
            "eu-prod",
            "support-digest",
            "--variable",
            "Zendesk",
            "--to",
            "zendesk-oauth-eu",
            "--reason",
            "named by hand",
        ],
    );
}

#[test]
fn a_live_value_is_kept_as_the_command_keeps_it() {
    let keep = |served: &Served| {
        let link = served.get("/connection?key=slack-bot").links().into_iter().find(|link| link.starts_with("/keep"));
        let link = link.unwrap();
        let query = link.split_once('?').unwrap().1;
        let fields: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mut fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        fields.push(("reason", "as Europe has it"));
        // The link leads to the form that asks for the reason.
        assert_eq!(served.get(&link).status, 200, "{link}");
        served.post("/keep", &fields)
    };
    let command = ["keep", "eu-prod", "Connection/slack-bot", "inputs.scopes", "--reason", "as Europe has it"];
    as_the_command(nothing, keep, &command);
}

#[test]
fn a_desired_value_is_put_back_as_the_command_does_it() {
    let (root, other) = (example("us-eu"), example("us-eu"));
    let served = Served::open(root.path());
    let link = served.get("/connection?key=slack-bot").links().into_iter().find(|link| link.starts_with("/revert"));
    let shown = served.get(&link.unwrap());
    let form = shown.form("/revert").unwrap_or_else(|| panic!("{}", shown.words()));
    let begun = served.submit(&form.with("what", "all").with("approve", "on"));
    assert_eq!((begun.status, begun.header("location")), (303, Some("/apply")), "{}", begun.words());
    served.wait_until(|served| {
        let shown = served.get("/apply").body;
        !shown.contains("<progress") && !shown.contains("data-comparing")
    });
    let plan = said(&run(other.path(), &["revert", "eu-prod", "Connection/slack-bot", "inputs.scopes"]));
    let approve = plan.split_once("--approve ").map(|(_, rest)| rest.split_whitespace().next().unwrap());
    let approve = approve.filter(|digest| digest.starts_with("sha256:"));
    let approve: Vec<&str> = approve.into_iter().flat_map(|digest| ["--approve", digest]).collect();
    let command = [&["revert", "eu-prod", "Connection/slack-bot", "inputs.scopes", "--yes"], &approve[..]].concat();
    let output = run(other.path(), &command);
    assert!(files(root.path()) == files(other.path()), "{}\n{}", served.get("/apply").words(), said(&output));
    assert!(files(root.path()) != files(example("us-eu").path()));
}

#[test]
fn tenants_and_syncs_are_suspended_and_resumed_as_by_the_commands() {
    let suspend = |field: &'static str, name: &'static str, on: &'static str| {
        move |served: &Served| {
            let page = served.get("/syncs");
            let forms = page.forms().into_iter().filter(|form| form.action == "/suspend");
            let mut forms = forms.filter(|form| form.fields.contains(&(field.to_string(), name.to_string())));
            let form = forms.next().unwrap();
            assert!(form.fields.contains(&("suspend".to_string(), on.to_string())), "{form:?}");
            served.submit(&form)
        }
    };
    as_the_command(nothing, suspend("tenant", "eu-prod", "on"), &["suspend", "eu-prod"]);
    as_the_command(nothing, suspend("sync", "us-to-eu", "on"), &["suspend", "us-to-eu"]);
    let suspended = |root: &Path| drop(run(root, &["suspend", "eu-prod", "--yes"]));
    as_the_command(suspended, suspend("tenant", "eu-prod", "off"), &["resume", "eu-prod"]);
}

#[test]
fn a_review_that_is_old_writes_nothing_and_shows_what_it_would_do_now() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let review = served.submit(&form(&served, WAREHOUSE, "/set").with("in.port", "6432"));
    let old = review.form("/write").unwrap();
    // Another field of the same connection, by an editor.
    edit(root.path(), "us-prod/connections/warehouse.yaml", "database: {value: orders}", "database: {value: sales}");
    served.wait_until(|served| served.get("/set?tenant=us-prod&key=warehouse").body.contains("value=\"sales\""));
    let before = files(root.path());
    let answer = served.submit(&old);
    assert!(answer.words().contains("warehouse of us-prod changed since the form was opened"), "{}", answer.words());
    assert!(files(root.path()) == before);
    // A line beside it: the edit is the same, the file is another one.
    let review = served.submit(&form(&served, WAREHOUSE, "/set").with("in.port", "6432"));
    let old = review.form("/write").unwrap();
    edit(
        root.path(),
        "us-prod/connections/warehouse.yaml",
        "database: {value: sales}",
        "database: {value: sales} # ours",
    );
    served.wait_until(|served| {
        let review = served.submit(&form(served, WAREHOUSE, "/set").with("in.port", "6432"));
        review.body.contains("{value: sales} # •••")
    });
    let before = files(root.path());
    let answer = served.submit(&old);
    assert!(
        answer.words().contains("Something changed since this was shown. Nothing was written."),
        "{}",
        answer.words()
    );
    assert!(answer.body.contains("{value: sales} # •••"), "what it would do now");
    assert!(files(root.path()) == before);
    // The review that is shown now can be written.
    served.write(&answer);
    assert!(fs::read_to_string(root.path().join("us-prod/connections/warehouse.yaml")).unwrap().contains("6432"));
    // Once: the same form again finds it done, and writes nothing.
    let before = files(root.path());
    let again = served.submit(&answer.form("/write").unwrap());
    assert_ne!(again.status, 303, "{}", again.words());
    assert!(files(root.path()) == before);
}

#[test]
fn a_change_that_the_page_has_not_seen_is_not_overwritten() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    for _ in 0..3 {
        let review = served.submit(&form(&served, "/set?tenant=us-prod&key=slack-bot", "/set").with("title", "Chat"));
        let write = review.form("/write").unwrap();
        let path = root.path().join("us-prod/connections/slack-bot.yaml");
        let theirs = fs::read_to_string(&path).unwrap() + "# theirs\n";
        put(&path, &theirs);
        // At once: whether it was read in between or not, the file stays as it is.
        let answer = served.submit(&write);
        assert_ne!(answer.status, 303, "{}", answer.words());
        assert_eq!(fs::read_to_string(&path).unwrap(), theirs);
        served.wait_until(|served| {
            let review =
                served.submit(&form(served, "/set?tenant=us-prod&key=slack-bot", "/set").with("title", "Chat"));
            review.form("/write").is_some_and(|form| {
                form.fields.iter().all(|(name, value)| {
                    name != "digest" || write.fields.iter().any(|(n, old)| n == "digest" && old != value)
                })
            })
        });
    }
}

#[test]
fn two_tabs_that_edit_the_same_do_not_overwrite_each_other() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let (one, two) = (form(&served, WAREHOUSE, "/set"), form(&served, WAREHOUSE, "/set"));
    served.write(&served.submit(&one.with("in.port", "1111")));
    let text = || fs::read_to_string(root.path().join("us-prod/connections/warehouse.yaml")).unwrap();
    assert!(text().contains("1111"));
    // The other tab still shows the old port: sending it says so, and does not put it back.
    let answer = served.submit(&two.clone().with("in.host", "other.example"));
    assert!(answer.words().contains("changed since the form was opened"), "{}", answer.words());
    assert!(answer.form("/write").is_none());
    // What was typed is still there, to be sent again.
    let again = answer.form("/set").unwrap();
    assert!(again.fields.contains(&("in.host".to_string(), "other.example".to_string())), "{again:?}");
    // And what was not touched is what is there now.
    assert!(again.fields.contains(&("in.port".to_string(), "1111".to_string())), "{again:?}");
    let review = served.submit(&again);
    assert!(review.form("/write").is_some() && !review.body.contains("5432"), "{}", review.words());
    // Where both typed, what is there now stands beside it.
    let both = served.submit(&two.with("in.port", "2222"));
    assert!(both.words().contains("Meanwhile it became: 1111"), "{}", both.words());
    assert!(both.form("/set").unwrap().fields.contains(&("in.port".to_string(), "2222".to_string())));
}

#[test]
fn what_an_edit_does_in_a_suspended_tenant_waits() {
    let root = example("us-eu");
    let output = run(root.path(), &["suspend", "eu-prod", "--yes"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let served = Served::open(root.path());
    let review = served.submit(&form(&served, WAREHOUSE, "/set").with("in.port", "5433"));
    let words = review.words();
    assert!(words.contains("This waits for a suspended tenant 1 update eu-prod/Connection/warehouse"), "{words}");
    assert!(!words.contains("The next apply does"), "{words}");
    let printed = said(&run(root.path(), &["set", "--tenant", "us-prod", "warehouse", "port=5433", "--dry-run"]));
    assert!(printed.contains("This waits for a suspended tenant"), "{printed}");
}

/// A value stands where it is declared, not in the copy that an apply writes.
#[test]
fn places_are_those_to_edit() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let page = served.get("/connection?key=salesforce-oauth&show=all");
    let words = page.words();
    assert!(words.contains("of sync us-to-eu · syncs.yaml:21"), "{words}");
    assert_eq!(words.matches("us-prod/connections/salesforce-oauth.yaml:7").count(), 2, "{words}");
    // Only what the tenant keeps stands there.
    assert_eq!(words.matches("eu-prod/connections/salesforce-oauth.yaml").count(), 1, "{words}");
}

/// Without a source of its own, a tenant wants what its sync brings.
#[test]
fn the_toggle_shows_what_a_sync_brings() {
    let root = example("us-eu");
    let file = root.path().join("us-prod/connections/salesforce-oauth.yaml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("embeddedWorkflows: true"), "{text}");
    put(&file, &text.replace("embeddedWorkflows: true", "embeddedWorkflows: false"));
    let page = Served::open(root.path()).get("/connection?key=salesforce-oauth");
    let of_eu = page.body.split("id=\"t-eu-prod\"").nth(1).unwrap().split("</th>").next().unwrap();
    assert!(of_eu.contains("aria-pressed=\"false\"") && of_eu.contains("live: on"), "{of_eu}");
}

#[test]
fn an_edit_that_makes_the_plan_worse_needs_the_tick() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let before = files(root.path());
    let review = served.submit(&form(&served, WAREHOUSE, "/set").with("in.username", ""));
    assert!(review.words().contains("The plan becomes worse."), "{}", review.words());
    let write = review.form("/write").unwrap();
    let again = served.submit(&write);
    assert_eq!(again.status, 200, "{}", again.words());
    assert!(again.words().contains("Nothing is written yet."));
    assert!(files(root.path()) == before);
    assert_eq!(served.submit(&write.with("force", "on")).status, 303);
    assert!(files(root.path()) != before);
}

#[test]
fn what_the_file_system_refuses_is_shown() {
    // The superuser may write anything: the program's own check of read-only files counts for everybody.
    let root = example("us-eu");
    let served = Served::open(root.path());
    let path = root.path().join("us-prod/connections/warehouse.yaml");
    let review = served.submit(&form(&served, WAREHOUSE, "/set").with("in.port", "6432"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    let before = files(root.path());
    let answer = served.submit(&review.form("/write").unwrap());
    assert_ne!(answer.status, 303);
    assert!(answer.words().contains("it is read-only") && answer.words().contains("chmod u+w"), "{}", answer.words());
    assert!(files(root.path()) == before);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let outside = tempfile::tempdir().unwrap();
    // A link out of the project is not written through.
    let target = outside.path().join("warehouse.yaml");
    fs::rename(&path, &target).unwrap();
    std::os::unix::fs::symlink(&target, &path).unwrap();
    let text = fs::read(&target).unwrap();
    served.post("/read", &[("back", "/")]);
    let page = served.get(WAREHOUSE);
    if let Some(form) = page.form("/set") {
        let review = served.submit(&form.with("in.port", "6432"));
        if let Some(form) = review.form("/write") {
            let answer = served.submit(&form);
            assert_ne!(answer.status, 303, "{}", answer.words());
        }
    }
    assert_eq!(fs::read(&target).unwrap(), text);
    assert!(path.symlink_metadata().unwrap().is_symlink());
}

#[test]
fn an_edit_waits_for_nobody_and_says_who_writes() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let review = served.submit(&form(&served, WAREHOUSE, "/set").with("in.port", "6432"));
    let before = files(root.path());
    let write = review.form("/write").unwrap();
    for folder in [root.path().to_path_buf(), root.path().join("us-prod")] {
        // As an apply or an edit in a terminal holds it.
        let lock = fs::File::open(&folder).unwrap();
        lock.lock().unwrap();
        let answer = served.submit(&write);
        assert_eq!(answer.status, 409, "{}", answer.words());
        assert!(answer.words().contains("Not written"), "{}", answer.words());
        assert!(files(root.path()) == before);
    }
    assert_eq!(served.submit(&write).status, 303);
}

#[test]
fn an_edit_beside_an_apply_of_the_command_loses_nothing() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let mut apply = stablekey(root.path(), &["apply", "--yes"]);
    let mut apply = apply.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let mut written = false;
    for _ in 0..50 {
        let form = form(&served, WAREHOUSE, "/set");
        let review = served.submit(&form.with("in.port", "6432"));
        let Some(form) = review.form("/write") else { continue };
        let answer = served.submit(&form);
        if answer.status == 303 {
            written = true;
            break;
        }
        assert!([200, 409].contains(&answer.status), "{}", answer.words());
    }
    apply.wait().unwrap();
    assert!(written);
    let text = fs::read_to_string(root.path().join("us-prod/connections/warehouse.yaml")).unwrap();
    assert!(text.contains("6432"), "{text}");
    // Whatever came first, the rest is applied from here.
    assert_eq!(run(root.path(), &["apply", "--yes"]).status.code().map(|code| code != 1), Some(true));
}

#[test]
fn forms_that_ask_for_nothing_that_is_there_are_refused() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let before = files(root.path());
    let cases: [(&str, &[(&str, &str)]); 20] = [
        ("/set", &[]),
        ("/set", &[("tenant", "nowhere"), ("key", "warehouse")]),
        ("/set", &[("tenant", "us-prod"), ("key", "nothing")]),
        ("/set", &[("tenant", "us-prod"), ("key", "Integration/lead-router")]),
        ("/switch", &[]),
        ("/switch", &[("tenant", "us-prod"), ("integration", "nothing"), ("variable", "x"), ("to", "y")]),
        ("/switch", &[("tenant", "dev"), ("integration", "lead-router"), ("variable", "nothing"), ("to", "slack-bot")]),
        ("/keep", &[]),
        ("/keep", &[("tenant", "eu-prod"), ("object", "Secret/x"), ("field", "data")]),
        ("/keep", &[("tenant", "../us-prod"), ("object", "Connection/x")]),
        ("/suspend", &[]),
        ("/suspend", &[("tenant", "eu-prod"), ("sync", "us-to-eu"), ("suspend", "on")]),
        ("/suspend", &[("tenant", "eu-prod"), ("suspend", "of")]),
        ("/suspend", &[("tenant", "eu-prod")]),
        ("/set", &[("tenant", "us-prod"), ("key", "warehouse"), ("part", "embedded"), ("embedded", "of")]),
        ("/set", &[("tenant", "us-prod"), ("key", "warehouse"), ("part", "embedded")]),
        ("/revert", &[]),
        ("/revert", &[("tenant", "eu-prod"), ("object", "Connection/nothing"), ("what", "all")]),
        ("/write", &[]),
        ("/write", &[("kind", "delete"), ("tenant", "eu-prod"), ("digest", "x")]),
    ];
    for (form, fields) in cases {
        let answer = served.post(form, fields);
        assert!([200, 400, 404, 409].contains(&answer.status), "{form} {fields:?}: {}", answer.words());
        assert!(answer.form("/write").is_none(), "{form} {fields:?}: {}", answer.words());
        assert!(answer.body.contains("role=\"alert\""), "{form} {fields:?} says what is wrong: {}", answer.words());
    }
    // A key that leads out of the folder.
    for key in ["../../evil", "/etc/evil", "a/../../b", "..", ".", "a\nb", "a\0b", "é", &"k".repeat(5_000)] {
        let address = "/new?tenant=us-prod&component=slack&credentials=OrganizationGlobal&type=oauth2&own-key=1";
        let form = form(&served, address, "/new");
        let filled =
            form.with("in.scopes", "a").with("in.clientId", "b").with("in.clientSecret", "c/d").with("key", key);
        let answer = served.submit(&filled);
        if let Some(form) = answer.form("/write") {
            served.submit(&form);
        }
    }
    let now = files(root.path());
    for name in now.keys() {
        assert!(before.contains_key(name) || name.starts_with("us-prod/connections/"), "{name}");
    }
    assert!(!Path::new("/etc/evil.yaml").exists() && !root.path().parent().unwrap().join("evil.yaml").exists());
}

#[test]
fn values_of_several_lines_survive_an_edit() {
    let root = example("us-eu");
    let file = "us-prod/connections/warehouse.yaml";
    let lines = "  title: Order warehouse\n  description: |\n    One\n      <two> \"2\" & 'more'\n\n    three\n";
    edit(root.path(), file, "  title: Order warehouse\n", lines);
    let served = Served::open(root.path());
    let form = form(&served, WAREHOUSE, "/set");
    let description = form.fields.iter().find(|(name, _)| name == "description").unwrap().1.clone();
    assert_eq!(description, "One\r\n  <two> \"2\" & 'more'\r\n\r\nthree\r\n");
    served.write(&served.submit(&form.clone().with("title", "Other")));
    let text = fs::read_to_string(root.path().join(file)).unwrap();
    assert!(text.contains(&lines.replace("Order warehouse", "Other")), "{text}");
    // One of the lines changes.
    let page = served.get(WAREHOUSE);
    let form = page.form("/set").unwrap().with("description", &description.replace("three", "four"));
    served.write(&served.submit(&form));
    let text = fs::read_to_string(root.path().join(file)).unwrap();
    assert!(text.contains("    One\n      <two>") && text.contains("\n    four\n"), "{text}");
}

#[test]
fn a_switch_marks_what_is_bound_and_makes_what_fits() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let page = served.get("/switch?tenant=us-prod&integration=lead-router&variable=Salesforce+Connection");
    assert_eq!(page.status, 200, "{}", page.words());
    assert_eq!(page.words().matches("bound now").count(), 1, "{}", page.words());
    assert!(page.words().contains("salesforce-oauth bound now"), "{}", page.words());
    let links = page.links();
    let add = links.iter().find(|link| link.starts_with("/new?")).unwrap();
    assert!(add.contains("component=salesforce") && add.contains("type=oauth2"), "{add}");
    assert_eq!(served.get(add).status, 200);
}

#[test]
fn the_toggle_of_embedded_workflows_edits_what_is_declared() {
    let root = example("us-eu");
    // us-prod gets a source, in which the toggle is on.
    let file = "source/us-prod/warehouse.yaml";
    let text = fs::read_to_string(root.path().join("us-prod/connections/warehouse.yaml")).unwrap();
    fs::create_dir_all(root.path().join("source/us-prod")).unwrap();
    put(&root.path().join(file), &text.replace("spec:\n", "spec:\n  embeddedWorkflows: true\n"));
    let tenants = fs::read_to_string(root.path().join("tenants.yaml")).unwrap();
    let with_source = tenants.replacen("{path: us-prod}}", "{path: us-prod}}\n  source: {path: source/us-prod}", 1);
    assert_ne!(tenants, with_source, "{tenants}");
    put(&root.path().join("tenants.yaml"), &with_source);
    let served = Served::open(root.path());
    let page = served.get("/connection?key=warehouse");
    let of_us = page.body.split("id=\"t-us-prod\"").nth(1).unwrap().split("</th>").next().unwrap();
    assert!(of_us.contains("aria-pressed=\"true\"") && of_us.contains("live: off"), "{of_us}");
    let form = page
        .forms()
        .into_iter()
        .find(|form| form.action == "/set" && form.fields.contains(&("tenant".to_string(), "us-prod".to_string())));
    let review = served.submit(&form.unwrap());
    assert!(review.body.contains(file) && review.words().contains("embeddedWorkflows: false"), "{}", review.words());
}

/// "nothing is written to it": the page refuses what the command refuses.
#[test]
fn what_is_live_in_a_suspended_tenant_is_not_edited() {
    let root = example("us-eu");
    let output = run(root.path(), &["suspend", "us-prod", "--yes"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let served = Served::open(root.path());
    let before = files(root.path());
    let refused = served.get(WAREHOUSE);
    let words = refused.words();
    assert_eq!((refused.status, refused.form("/set").is_none()), (409, true), "{words}");
    assert!(words.contains("us-prod is suspended: its folder is its location"), "{words}");
    assert!(words.contains("stablekey resume us-prod") && words.contains("Resume us-prod in Syncs"), "{words}");
    let moves = served.get("/switch?tenant=us-prod&integration=lead-router&variable=Salesforce+Connection");
    let choice = moves.form("/switch").unwrap();
    let answer = served.submit(&choice.clone().with("to", &choice.buttons[0].1));
    assert!(answer.form("/write").is_none(), "{}", answer.words());
    assert!(files(root.path()) == before);
}

/// Who needs a connection for a step makes it, and goes on at the step.
#[test]
fn a_connection_that_is_made_for_a_step_leads_back_to_it() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let step = "/switch?tenant=us-prod&integration=lead-router&variable=Salesforce+Connection";
    let mut next = served.get(step).links().into_iter().find(|link| link.starts_with("/new?")).unwrap();
    let mut found = None;
    for _ in 0..8 {
        assert!(next.contains("back=%2Fswitch"), "{next}");
        let page = served.get(&next);
        found = page.form("/new").filter(|form| form.is_post);
        if found.is_some() {
            break;
        }
        let links: Vec<String> = page.links().into_iter().filter(|link| link.starts_with("/new?")).collect();
        let choice = ["credentials=OrganizationGlobal", "own-key=1"]
            .into_iter()
            .find_map(|wanted| links.iter().find(|link| link.contains(wanted) && !next.contains(wanted)));
        next = choice.or(links.last()).unwrap_or_else(|| panic!("no choice: {}", page.words())).clone();
    }
    let form = found.unwrap_or_else(|| panic!("no form at {next}"));
    let review = served.submit(&SECOND.iter().fold(form, |form, (name, value)| form.with(name, value)));
    let write = review.form("/write").unwrap_or_else(|| panic!("{}", review.words()));
    let written = served.submit(&write);
    let then = written.header("location").unwrap_or_default();
    assert_eq!((written.status, then), (303, format!("{step}&written=1").as_str()), "{}", written.words());
    let words = served.get(then).words();
    assert!(words.contains("salesforce-two") && words.contains("Written: 1 file."), "{words}");
}

#[test]
fn an_edit_without_its_reason_asks_for_it_beside_the_field() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let before = files(root.path());
    let asks = |answer: &Answer, edit: &str| {
        let words = answer.words();
        assert_eq!(answer.status, 200, "{words}");
        assert!(answer.body.contains("aria-invalid=\"true\"") && words.contains("Give a reason: "), "{words}");
        assert!(!answer.body.contains("class=\"command\""), "{words}");
        assert!(answer.links().iter().any(|link| link == edit), "{edit}: {:?}", answer.links());
        assert_eq!(served.get(edit).status, 200, "{edit}");
    };
    // A value: what was typed stays.
    let address = "/set?tenant=eu-prod&key=warehouse";
    let answer = served.submit(&form(&served, address, "/set").with("in.port", "6432"));
    asks(&answer, "/set?tenant=us-prod&key=warehouse");
    let again = answer.form("/set").unwrap();
    assert!(again.fields.contains(&("in.port".to_string(), "6432".to_string())), "{again:?}");
    let review = served.submit(&again.with("reason", "a pool stands before it"));
    assert!(review.form("/write").is_some(), "{}", review.words());
    // The toggle: the form has it as it was wanted.
    let toggle = [("tenant", "eu-prod"), ("key", "warehouse"), ("part", "embedded"), ("embedded", "on")];
    let answer = served.post("/set", &toggle);
    asks(&answer, "/set?tenant=us-prod&key=warehouse");
    let again = answer.form("/set").unwrap();
    assert!(again.fields.contains(&("embedded".to_string(), "on".to_string())), "{again:?}");
    let review = served.submit(&again.with("reason", "sold there"));
    assert!(review.form("/write").is_some(), "{}", review.words());
    // A live value that is kept.
    let keep = [("tenant", "eu-prod"), ("object", "Connection/slack-bot"), ("field", "inputs.scopes")];
    asks(&served.post("/keep", &keep), "/set?tenant=us-prod&key=slack-bot");
    // A switch in one tenant.
    let address = "/switch?tenant=eu-prod&integration=support-digest&variable=Zendesk";
    let answer = served.submit(&form(&served, address, "/switch").with("to", "zendesk-oauth-eu"));
    asks(&answer, "/switch?tenant=us-prod&integration=support-digest&variable=Zendesk");
    assert!(answer.body.contains("<details open>"), "{}", answer.words());
    assert!(files(root.path()) == before);
}

/// What is there counts when something is written, also what the page has not read yet.
#[test]
fn nothing_is_written_to_a_tenant_that_was_suspended_meanwhile() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let review = served.submit(&form(&served, WAREHOUSE, "/set").with("in.port", "6432")).form("/write").unwrap();
    edit(root.path(), "tenants.yaml", "  acceptFrom: [dev]", "  acceptFrom: [dev]\n  suspend: true");
    let before = files(root.path());
    let answer = served.submit(&review);
    assert_ne!(answer.status, 303, "{}", answer.words());
    assert!(answer.words().contains("suspended"), "{}", answer.words());
    assert!(files(root.path()) == before);
}

/// What is emptied is removed, or cannot be: the form says which.
#[test]
fn a_form_says_what_becomes_of_a_value_that_is_emptied() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let help = |address: &str, input: &str| {
        let page = served.get(address);
        let id = format!("id=\"f-in.{input}-help\">");
        page.body.split(&id).nth(1).unwrap_or_else(|| panic!("{id}")).split("</p>").next().unwrap().to_string()
    };
    assert_eq!(help(WAREHOUSE, "username"), "empty removes it");
    let brought = "/set?tenant=eu-prod&key=warehouse";
    assert_eq!(help(brought, "username"), "nothing here declares it: it can have another value, not none");
    let emptied = form(&served, brought, "/set").with("in.username", "").with("reason", "none there");
    let words = served.submit(&emptied).words();
    assert!(words.contains("an override holds a value or a secret only"), "{words}");
    let overridden = help("/set?tenant=eu-prod&key=salesforce-oauth", "authorizeUrl");
    assert_eq!(overridden, "empty removes what is declared here");
}

/// A form shows what the plan gives a field: what is live now can be typed in its place, and is then an override.
#[test]
fn what_is_live_can_be_held_against_the_plan() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let form = form(&served, "/set?tenant=eu-prod&key=salesforce-oauth", "/set");
    assert!(form.fields.contains(&("in.scopes".to_string(), "api refresh_token".to_string())), "{form:?}");
    assert!(served.submit(&form).words().contains("Nothing to change"));
    let review = served.submit(&form.with("in.scopes", "api").with("reason", "Europe stays"));
    assert!(review.form("/write").is_some() && review.words().contains("syncs.yaml"), "{}", review.words());
}
