//! A secret in every place where one can be: it stands in no byte of any answer of the page, nor in what it prints.

use super::client::Answer;
use super::fixtures::{add, edit};
use super::served::{Served, typed_into};
use stablekey_testing::cli::{example, files};
use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

/// Fields of a form and what stands in them.
type Given = &'static [(&'static str, &'static str)];

/// A secret that nothing but its place tells.
const CANARY: &str = "c4n4ry-Hunter2-9f8e7d";

/// A secret in forms that tell it anywhere.
const TELLING: [&str; 10] = [
    "https://svc:c4n4ry-Hunter2-9f8e7d@h.example/x",
    "see https://h.example/x?y=1&access_token=c4n4ry-Hunter2-9f8e7d for it",
    "https://h.example/x?sig=c4n4ry-Hunter2-9f8e7d",
    "ghp_C4n4ryC4n4ryC4n4ryC4n4ryC4n4ryC4n4ry",
    "Bearer eyJC4n4ryC4n4ry.eyJC4n4ryC4n4ry.C4n4ryC4n4ry",
    "AKIAC4N4RYC4N4RYC4N4",
    "svc:c4n4ry-Hunter2-9f8e7d@h.example:5432/x",
    "Authorization: Basic c4n4ry-Hunter2-9f8e7d",
    "https://c4n4ry-Hunter2-9f8e7d@h.example/x",
    "first\\nsvc:c4n4ry-Hunter2-9f8e7d@h.example",
];

/// A secret input of a type.
const PIN: &str = "scopes: {}\n        pin: {secret: true}";

fn is_in(text: &str) -> bool {
    text.to_lowercase().contains("c4n4ry")
}

/// The most answers of a walk.
const MOST: usize = 1_500;

/// Follows all links, and sends all forms that only show something. Returns each address with its answer.
fn walk(served: &Served, begin: &[&str]) -> Vec<(String, Answer)> {
    let fixed = [
        "/",
        "/?list=integrations",
        "/?q=a&page=2",
        "/?tenant=eu-prod",
        "/components",
        "/integrations",
        "/new",
        "/plan",
        "/plan.md",
        "/plan.json",
        "/apply",
        "/syncs",
        "/receipts",
        "/steps",
        "/problems",
        "/connection?key=salesforce-oauth&show=all",
        "/connection?key=warehouse&show=all",
        "/connection?key=slack-bot&show=all",
        "/connection?key=nothing",
        "/component?component=nothing",
        "/integration?name=nothing",
        "/what-if?name=lead-router&from=us-prod&to=nothing",
    ];
    let mut next: VecDeque<String> = begin.iter().chain(&fixed).map(|target| (*target).to_string()).collect();
    let (mut seen, mut sent) = (BTreeSet::new(), BTreeSet::new());
    let mut answers = Vec::new();
    while let Some(target) = next.pop_front() {
        if !seen.insert(target.clone()) || answers.len() >= MOST {
            continue;
        }
        let answer = served.get(&target);
        next.extend(answer.links());
        for form in answer.forms().into_iter().filter(|form| form.is_post) {
            let mut ways = Vec::new();
            match form.action.as_str() {
                "/set" if form.fields.iter().any(|(name, _)| name == "seen") => {
                    ways.push(form.clone().with("title", "Other").with("reason", "it differs"));
                    // Each value of its own, so that the lines around it are in a diff.
                    // The form that begins with test credentials is the same.
                    let is_first = form.fields.contains(&("part".to_string(), String::new()));
                    let inputs = form.fields.iter().filter(|(name, _)| is_first && name.starts_with("in."));
                    for (name, _) in inputs.step_by(2) {
                        ways.push(form.clone().with(name, "name/key").with("reason", "it differs"));
                    }
                }
                "/set" | "/suspend" => ways.push(form.clone()),
                "/keep" => ways.push(form.clone().with("reason", "it differs")),
                "/switch" => {
                    ways.extend(form.buttons.iter().map(|(name, value)| form.clone().with(name, value)));
                }
                "/new" => ways.push(form.clone().with("title", "Added").with("key", "added-key")),
                _ => {}
            }
            for way in ways {
                let mut fields = way.fields.clone();
                fields.retain(|(name, _)| name != "token");
                if sent.insert((way.action.clone(), fields.clone())) {
                    answers.push((format!("{} {fields:?}", way.action), served.submit(&way)));
                }
            }
        }
        answers.push((target, answer));
    }
    answers
}

/// Walks through the page of a project, and looks for the secret.
fn looks_everywhere(root: &Path, begin: &[&str]) -> Vec<(String, Answer)> {
    let before = files(root);
    let mut served = Served::open(root);
    let answers = walk(&served, begin);
    for (name, answer) in &answers {
        if is_in(&answer.bytes()) {
            let text = answer.bytes();
            let at = text.to_lowercase().find("c4n4ry").unwrap();
            let from = text.char_indices().map(|(at, _)| at).filter(|start| start + 400 >= at).min().unwrap();
            panic!("{name} has the secret: …{}", text[from..].chars().take(800).collect::<String>());
        }
    }
    let mut events = served.events("unknown");
    events.next().unwrap();
    assert!(!is_in(&events.received));
    served.interrupt();
    assert!(!is_in(&served.said()), "{}", served.said());
    assert!(files(root) == before, "a walk writes nothing");
    answers
}

fn reviews(answers: &[(String, Answer)]) -> usize {
    answers.iter().filter(|(_, answer)| answer.form("/write").is_some()).count()
}

#[test]
fn values_that_are_secret_by_their_name_or_type() {
    let root = example("us-eu");
    let root = root.path();
    edit(
        root,
        "us-prod/connections/salesforce-oauth.yaml",
        "clientSecret: {secretRef: {name: salesforce-app, key: clientSecret}}",
        &format!("clientSecret: {{value: {CANARY}}}"),
    );
    add(
        root,
        "us-prod/connections/warehouse.yaml",
        &format!("  test: {{inputs: {{password: {{value: {CANARY}}}}}}}\n"),
    );
    edit(root, "us-prod/components/slack.yaml", "scopes: {required: true}", PIN);
    add(root, "us-prod/connections/slack-bot.yaml", &format!("    pin: {{value: {CANARY}}}\n"));
    edit(root, "eu-prod/components/slack.yaml", "scopes: {required: true}", PIN);
    edit(
        root,
        "eu-prod/connections/slack-bot.yaml",
        "  inputs:\n",
        &format!("  inputs:\n    pin:\n      value: {CANARY}\n"),
    );
    add(root, "eu-prod/customercredentials/acme-salesforce.yaml", &format!("    refreshToken: {{value: {CANARY}}}\n"));
    edit(
        root,
        "dev/connections/slack-bot.yaml",
        "signingSecret: {secretRef: {name: slack-app, key: signingSecret}}",
        &format!("signingSecret: {{secret: {CANARY}}}"),
    );
    let answers = looks_everywhere(root, &[]);
    assert!(reviews(&answers) > 5, "{}", reviews(&answers));
}

#[test]
fn values_of_the_target_that_only_its_type_marks() {
    for declared in ["{value: x}", "{secretRef: {name: s, key: k}}", "{perCustomer: true}"] {
        let root = example("us-eu");
        let root = root.path();
        for tenant in ["us-prod", "eu-prod"] {
            edit(root, &format!("{tenant}/components/salesforce.yaml"), "scopes: {}", PIN);
        }
        for (tenant, pin) in [("us-prod", declared.to_string()), ("eu-prod", format!("{{value: {CANARY}}}"))] {
            let file = format!("{tenant}/connections/salesforce-oauth.yaml");
            edit(root, &file, "  inputs:\n", &format!("  inputs:\n    pin: {pin}\n"));
        }
        let answers = looks_everywhere(root, &[]);
        assert!(reviews(&answers) > 3, "{}", reviews(&answers));
    }
}

/// Only the review of an edit has lines of files.
#[test]
fn lines_of_the_file_beside_a_change() {
    let root = example("us-eu");
    let root = root.path();
    let file = "us-prod/connections/warehouse.yaml";
    let metadata = format!(
        "metadata:\n  name: warehouse\n  labels: {{team: {CANARY}}} # {CANARY}\n  annotations:\n    example.com/note: |\n      {CANARY}\n"
    );
    edit(root, file, "metadata: {name: warehouse}\n", &metadata);
    let port = format!("    # {CANARY}\n    port: {{value: \"5432\"}} # {CANARY}\n    # {CANARY}\n");
    edit(root, file, "    port: {value: \"5432\"}\n", &port);
    let title = format!("  # {CANARY}\n  title: Order warehouse # {CANARY}\n");
    edit(root, file, "  title: Order warehouse\n", &title);
    add(
        root,
        file,
        &format!(
            "    # {CANARY}\n---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {CANARY}}}\nstringData: {{any: {CANARY}}}\n\
             ---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: any}}\ndata: {{any: {CANARY}}}\n\
             ---\napiVersion: stablekey.dev/v1alpha1\nkind: CustomerCredentials\nmetadata: {{name: any}}\n\
             spec: {{customer: any, connection: salesforce-oauth, inputs: {{instanceUrl: {{value: {CANARY}}}}}}}\n"
        ),
    );
    let served = Served::open(root);
    let set = served.get("/set?tenant=us-prod&key=warehouse").form("/set").unwrap();
    for (field, value) in [
        ("in.port", "6432"),
        ("title", "Other"),
        ("in.password", "other/password"),
        ("test.host", "test.us.example"),
        ("embedded", "on"),
    ] {
        let review = served.submit(&set.clone().with(field, value));
        assert!(review.form("/write").is_some(), "{field}: {}", review.words());
        assert!(!is_in(&review.bytes()), "{field}: {}", review.body);
    }
    // The line itself is there, with what is public of it, and the others are counted.
    let review = served.submit(&set.clone().with("in.port", "6432")).words();
    assert!(review.contains("port: {value: \"6432\"} # •••"), "{review}");
    assert!(review.contains("1 line not shown: comments") && review.contains("host: {value: warehouse-2"), "{review}");
    let review = served.submit(&set.with("in.password", "other/password")).words();
    assert!(review.contains("other documents"), "{review}");
}

#[test]
fn values_of_a_type_that_cannot_be_read() {
    let root = example("us-eu");
    let root = root.path();
    for tenant in ["dev", "us-prod", "eu-prod"] {
        let file = format!("{tenant}/components/zendesk.yaml");
        if root.join(&file).exists() {
            edit(root, &file, "spec:\n", "spec:\n  wrong: {}\n");
        }
    }
    let file = "us-prod/connections/zendesk-oauth.yaml";
    edit(root, file, "subdomain: {value: example}", &format!("subdomain: {{value: {CANARY}}}"));
    edit(root, file, "clientId: {value: stablekey-example}", &format!("clientId:\n      value: >-\n        {CANARY}"));
    let answers = looks_everywhere(root, &["/set?tenant=us-prod&key=zendesk-oauth"]);
    let is_form = |(name, answer): &&(String, Answer)| {
        name == "/set?tenant=us-prod&key=zendesk-oauth" && answer.form("/set").is_some()
    };
    assert!(answers.iter().any(|answer| is_form(&answer)), "the form is there, without the literals");
    assert!(answers.iter().any(|(name, answer)| {
        name.contains("zendesk-oauth") && name.contains("Other") && answer.form("/write").is_some()
    }));
}

#[test]
fn overrides_of_syncs() {
    for (from, to) in [
        (
            "input: authorizeUrl\n      value: https://eu.login.example/authorize",
            format!("input: clientSecret\n      value: {CANARY}"),
        ),
        ("value: https://eu.login.example/authorize", format!("value: \"{}\"", TELLING[1])),
        ("reason: the EU organization signs in at its own host", format!("reason: \"{}\"", TELLING[0])),
        ("reason: the EU organization signs in at its own host", format!("reason: \"{}\"", TELLING[3])),
    ] {
        let root = example("us-eu");
        edit(root.path(), "syncs.yaml", from, &to);
        looks_everywhere(root.path(), &[]);
    }
}

#[test]
fn other_kinds_and_broken_files() {
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: salesforce-app}}\nstringData:\n  clientSecret: {CANARY}\n"
    );
    let root = example("us-eu");
    let root = root.path();
    // Beside connections in one file, so that it is in their diffs.
    add(root, "us-prod/connections/warehouse.yaml", &format!("---\n{secret}"));
    add(root, "us-prod/connections/zendesk-oauth.yaml", &format!("---\n{secret}data:\n  any: {CANARY}\n"));
    add(root, "us-prod/secrets.yaml", &secret);
    add(root, "dev/secrets.yaml", &format!("{secret}  broken: [\n"));
    add(root, "dev/secrets2.yaml", &format!("{secret}\tpassword: {CANARY}\n"));
    add(root, "dev/secrets3.yaml", &format!("apiVersion: v1\nkind: Secret\nstringData: {{password: \"{CANARY}\n"));
    add(root, "dev/connections/slack-bot.yaml", &format!("  password: {CANARY}\n bad indentation\n"));
    add(root, "eu-prod/connections/zendesk-oauth-eu.yaml", &format!("    password2: {CANARY}: x\n"));
    add(root, "eu-prod/broken.yaml", &format!("{CANARY}\n"));
    let answers = looks_everywhere(root, &[]);
    assert!(
        answers
            .iter()
            .any(|(name, answer)| name == "/problems" && answer.body.contains("dev/connections/slack-bot.yaml"))
    );
    assert!(reviews(&answers) > 3, "{}", reviews(&answers));
}

#[test]
fn texts_that_tell_a_secret_by_themselves() {
    for first in [0, 2, 4, 6] {
        let root = example("us-eu");
        let root = root.path();
        // Another one in each place.
        let mut tellings = TELLING.iter().cycle().skip(first).map(|telling| format!("\"{telling}\""));
        for (name, tenant) in [("salesforce-oauth", "us-prod"), ("warehouse", "us-prod"), ("slack-bot", "eu-prod")] {
            let quoted = tellings.next().unwrap();
            let file = format!("{tenant}/connections/{name}.yaml");
            let text = fs::read_to_string(root.join(&file)).unwrap();
            let text = match tenant {
                "us-prod" => text.replace(
                    &format!("metadata: {{name: {name}}}"),
                    &format!("metadata:\n  name: {name}\n  annotations:\n    example.com/note: {quoted}"),
                ),
                _ => text.replace(
                    &format!("  name: {name}\n"),
                    &format!("  name: {name}\n  annotations:\n    example.com/note: {quoted}\n"),
                ),
            };
            assert!(is_in(&text));
            fs::write(root.join(&file), text).unwrap();
        }
        let mut next = || tellings.next().unwrap();
        // Titles and descriptions, values that differ, are kept and have drifted, and one that a person said is none.
        edit(root, "us-prod/connections/zendesk-oauth.yaml", "title: Zendesk", &format!("title: {}", next()));
        edit(
            root,
            "us-prod/connections/hubspot-oauth.yaml",
            "title: HubSpot",
            &format!("title: HubSpot\n  description: {}", next()),
        );
        edit(
            root,
            "us-prod/connections/warehouse.yaml",
            "username: {value: stablekey}",
            &format!("username: {{value: {}}}", next()),
        );
        edit(
            root,
            "us-prod/connections/salesforce-oauth.yaml",
            "tokenUrl: {value: \"https://login.example/token\"}",
            &format!("tokenUrl: {{value: {}}}", next()),
        );
        edit(
            root,
            "eu-prod/connections/slack-bot.yaml",
            "value: chat:write channels:read users:read",
            &format!("value: {}", next()),
        );
        edit(root, "eu-prod/connections/warehouse.yaml", "value: orders", &format!("value: {}", next()));
        for (tenant, integration) in [("us-prod", "lead-router"), ("us-prod", "order-export")] {
            let file = format!("{tenant}/integrations/{integration}.yaml");
            let text = fs::read_to_string(root.join(&file)).unwrap();
            let title = text.lines().find(|line| line.trim_start().starts_with("title:")).unwrap().to_string();
            edit(root, &file, &title, &format!("  title: {}", next()));
        }
        let answers = looks_everywhere(root, &[]);
        assert!(reviews(&answers) > 3, "{}", reviews(&answers));
    }
}

#[test]
fn a_value_that_a_person_said_is_no_secret_is_hidden_all_the_same() {
    let root = example("us-eu");
    let root = root.path();
    for (tenant, old) in [("us-prod", "metadata: {name: warehouse}"), ("eu-prod", "metadata:\n  name: warehouse\n")] {
        let file = format!("{tenant}/connections/warehouse.yaml");
        edit(root, &file, old, "metadata:\n  name: warehouse\n  annotations: {stablekey.dev/not-secret: username}\n");
    }
    edit(
        root,
        "us-prod/connections/warehouse.yaml",
        "username: {value: stablekey}",
        &format!("username: {{value: {}}}", TELLING[3]),
    );
    let answers = looks_everywhere(root, &[]);
    assert!(answers.iter().any(|(name, _)| name.starts_with("/set") && name.contains("warehouse")));
}

#[test]
fn definitions() {
    let root = example("us-eu");
    let root = root.path();
    let definition = format!(
        "definitionVersion: 7
name: With secrets
requiredConfigVars:
  - key: Salesforce
    dataType: connection
    stableKey: salesforce-oauth
    connection:
      key: oauth2
      component: {{key: salesforce, isPublic: true, version: LATEST}}
    inputs:
      clientId: {{type: value, value: visible, meta: {{orgOnly: true}}}}
      clientSecret: {{type: value, value: {CANARY}, meta: {{orgOnly: true}}}}
      pin: {{type: value, value: {CANARY}, meta: {{orgOnly: true, writeOnly: true}}}}
flows:
  - name: Main
    steps:
      - name: Call
        action: {{key: call, component: {{key: salesforce, isPublic: true, version: LATEST}}}}
        inputs:
          connection: {{type: configVar, value: Salesforce}}
          password: {{type: value, value: {CANARY}}}
          url: {{type: value, value: \"{}\"}}
      - name: \"Call {}\"
        action: {{key: call, component: {{key: salesforce, isPublic: true, version: LATEST}}}}
        inputs:
          connection: {{type: configVar, value: Salesforce}}
",
        TELLING[0], TELLING[6]
    );
    fs::write(root.join("us-prod/integrations/lead-router.definition"), &definition).unwrap();
    fs::write(root.join("dev/integrations/lead-router.definition"), definition.replace("password", "Password"))
        .unwrap();
    fs::write(root.join("us-prod/integrations/order-export.definition"), format!("{definition}  broken: [ {CANARY}\n"))
        .unwrap();
    let answers = looks_everywhere(
        root,
        &["/integration?name=lead-router&tenant=us-prod", "/integration?name=order-export&tenant=us-prod"],
    );
    let said = |(_, answer): &(String, Answer)| answer.body.contains("its name has a secret in it");
    assert!(answers.iter().any(said), "the step whose name has a secret is shown without a link");
}

#[test]
fn what_is_typed_by_mistake_is_not_shown_again() {
    let root = example("us-eu");
    let root = root.path();
    let mut served = Served::open(root);
    let before = files(root);
    let check = |name: &str, answer: &Answer| {
        assert!(!is_in(&answer.bytes()), "{name} shows it again: {}", answer.bytes());
        assert!(answer.form("/write").is_none(), "{name} can be written: {}", answer.words());
    };
    // In place of a reference.
    let set = served.get("/set?tenant=us-prod&key=warehouse").form("/set").unwrap();
    for field in ["in.password", "test.password"] {
        for typed in [CANARY, TELLING[0], TELLING[3], &format!("{CANARY}/"), &format!("/{CANARY}")] {
            check(field, &served.submit(&set.clone().with(field, typed)));
        }
    }
    let choose = "/new?tenant=us-prod&component=salesforce&credentials=OrganizationGlobal&type=oauth2&own-key=1";
    let new = served.get(choose);
    let new = new.form("/new").unwrap_or_else(|| panic!("{}", new.words()));
    for typed in [CANARY, TELLING[0], TELLING[3]] {
        check("new", &served.submit(&new.clone().with("in.clientSecret", typed)));
        check("new", &served.submit(&new.clone().with("test.clientSecret", typed)));
    }
    // In any other field.
    for typed in TELLING {
        for field in [
            "in.host",
            "in.username",
            "title",
            "description",
            "reason",
            "test.host",
            "tenant",
            "key",
            "back",
            "seen",
            "x",
        ] {
            check(field, &served.submit(&set.clone().with(field, typed)));
        }
        for field in
            ["in.scopes", "in.authorizeUrl", "title", "description", "key", "tenant", "component", "type", "like"]
        {
            check(field, &served.submit(&new.clone().with(field, typed)));
        }
        let forms: [(&str, Given, &[&str]); 5] = [
            (
                "/switch",
                &[("tenant", "us-prod"), ("integration", "lead-router"), ("variable", "Salesforce")],
                &["reason", "to", "step"],
            ),
            (
                "/keep",
                &[("tenant", "eu-prod"), ("object", "Connection/warehouse"), ("field", "inputs.host")],
                &["reason", "object", "field"],
            ),
            ("/suspend", &[("suspend", "on")], &["tenant", "sync"]),
            ("/revert", &[("tenant", "eu-prod"), ("object", "Connection/warehouse")], &["field", "digest", "what"]),
            (
                "/write",
                &[("kind", "set"), ("tenant", "us-prod"), ("key", "warehouse"), ("digest", "x")],
                &["in.password", "title", "kind", "digest"],
            ),
        ];
        for (form, fields, typed_in) in forms {
            for field in typed_in {
                check(form, &served.post(form, &typed_into(fields, field, typed)));
            }
        }
        let encoded: String = form_urlencoded::byte_serialize(typed.as_bytes()).collect();
        for target in [
            "/?q=",
            "/plan?q=",
            "/components?q=",
            "/connection?key=",
            "/new?tenant=us-prod&component=",
            "/set?key=",
            "/integration?name=",
            "/x?",
            "/what-if?name=",
            "/?code=",
        ] {
            check(target, &served.get(&format!("{target}{encoded}")));
        }
    }
    // The secret as a key or a component that no rule can tell is an error's text like any other; not in `in.password`.
    let write =
        [("kind", "set"), ("tenant", "us-prod"), ("key", "warehouse"), ("digest", "x"), ("in.password", CANARY)];
    check("write", &served.post("/write", &write));
    assert!(files(root) == before);
    served.interrupt();
    assert!(!is_in(&served.said()), "{}", served.said());
}
