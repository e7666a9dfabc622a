//! `stablekey doctor`: what a tenant needs, and what updates do on its stack.

use super::{Workplace, every_kind, with};
use crate::consent::{TerminalOutput, run_on_terminal};
use jiff::{Timestamp, ToSpan as _};
use stablekey_platform::kinds::Status;
use stablekey_platform::{Answer, Fault, Region, Server, Switches};

fn imported(server: &Server) -> Workplace {
    let ours = Workplace::with_profiles(&[("us", server)]);
    ours.import("us-prod", server, "us").exits(0);
    ours
}

const ALL: [(&str, &str); 8] = [
    ("acme-erp/apiKey", "a"),
    ("acme-erp-test/apiKey", "b"),
    ("http-status/apiKey", "c"),
    ("legacy-billing/password", "d"),
    ("salesforce-crm/clientSecret", "e"),
    ("slack-internal/clientSecret", "f"),
    ("slack-notifications/clientSecret", "g"),
    ("slack-personal/clientSecret", "h"),
];

/// Runs doctor on a terminal, on which a person types this.
fn asked(ours: &Workplace, arguments: &[&str], typed: &str) -> TerminalOutput {
    let command = ours.command(&[&["doctor", "us-prod", "--allow-loopback"], arguments].concat());
    run_on_terminal(command, typed, true)
}

/// Each line is good or bad, and a bad one says what to do.
#[test]
fn each_need_is_a_line() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    ours.secrets("us-prod", &ALL);
    let yaml = ours.read("us-prod/connections/warehouse.yaml").replace("warehouse", "archive");
    ours.write("us-prod/connections/archive.yaml", &yaml);
    let found = ours.run(&["doctor", "us-prod", "--allow-loopback"]).exits(1);
    found
        .prints("accepts the token: organization Acme Corp (US)")
        .prints("\u{2713} the record can be read and written");
    let found = ours.run(&["doctor", "us-prod", "--allow-loopback"]);
    let found = found.prints("? secret warehouse/password can be sent: not checked. Not needed now");
    let found = found.prints("\u{2717} secret archive/password can be sent: it is absent or empty");
    found.prints("put secret archive/password into the file").prints("1 failed, 2 not checked");
    ours.secrets("us-prod", &[("warehouse/password", "w"), ("archive/password", "w")]);
    ours.run(&["doctor", "us-prod", "--allow-loopback"]).exits(0).prints("all good");
    let json = ours.run(&["doctor", "us-prod", "--allow-loopback", "-o", "json"]).exits(0);
    json.prints("\"schema\": \"stablekey.dev/doctor/v1\"");
    assert!(us.take_requests().iter().all(|request| !request.writes));
    ours.run(&["doctor", "us-prood", "--allow-loopback"]).exits(1).prints("did you mean us-prod?");
    // A token that is not accepted any more.
    for _ in 0..4 {
        us.fault_on("StablekeyIdentity", 0, Fault::Answer(Answer::json(401, "{}")));
    }
    ours.run(&["doctor", "us-prod", "--allow-loopback"]).exits(1).prints("accepts the token: ").prints("prism login");
}

/// In a Git clone the remote has to take the ref.
#[test]
fn a_remote_that_takes_no_ref_is_named() {
    let us = every_kind(Region::Us);
    let ours = Workplace::with_profiles(&[("us", &us)]);
    let remote = ours.home().join("remote.git");
    let git = |arguments: &[&str]| {
        let mut git = std::process::Command::new("git");
        let output = git.current_dir(ours.root()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    git(&["init", "--quiet", "--bare", remote.to_str().unwrap()]);
    git(&["init", "--quiet"]);
    git(&["remote", "add", "origin", remote.to_str().unwrap()]);
    ours.import("us-prod", &us, "us").exits(0);
    ours.run(&["doctor", "us-prod", "--allow-loopback"]).exits(0).prints("refs/stablekey/* on the Git remote origin");
    assert_eq!(git(&["ls-remote", "origin"]).lines().count(), 1, "nothing of doctor's is left");
    let hook = remote.join("hooks/pre-receive");
    std::fs::write(&hook, "#!/bin/sh\necho refused by policy >&2\nexit 1\n").unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let found = ours.run(&["doctor", "us-prod", "--allow-loopback"]).exits(1);
    found.prints("\u{2717} the record can be read and written").prints("the remote refuses it");
}

/// "asked first, never in CI".
#[test]
fn nothing_is_measured_unasked() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    us.take_requests();
    let measure = ["doctor", "us-prod", "--allow-loopback", "--measure", "http/apiKey"];
    ours.run(&measure).exits(1).prints("nobody can be asked without a terminal");
    let mut in_ci = ours.command(&measure);
    in_ci.env("CI", "true");
    let seen = run_on_terminal(in_ci, "us-prod\n", true);
    assert!(seen.code == Some(1) && seen.seen.contains("nobody can be asked in CI"), "{}", seen.seen);
    let no = asked(&ours, &["--measure", "http/apiKey"], "yes\n");
    assert!(no.code == Some(1) && no.seen.contains("Aborted. Nothing was changed."), "{}", no.seen);
    assert!(us.take_requests().iter().all(|request| !request.writes));
}

/// What an update does is seen in every position of the fake's switches, and counts in plans for 90 days.
#[test]
fn updates_are_measured() {
    for replaces_inputs in [true, false] {
        for update_disconnects in [true, false] {
            let switches = Switches { replaces_inputs, update_disconnects, ..Switches::default() };
            let us = with(Region::Us, switches);
            let ours = imported(&us);
            ours.secrets("us-prod", &ALL);
            // A person signs in while doctor waits.
            us.fault_on(
                "StablekeyLookUp",
                1,
                Fault::between(|store| {
                    let own =
                        store.connections.iter_mut().find(|c| c.stable_key.starts_with("stablekey-doctor-")).unwrap();
                    own.status = Some(Status::Active);
                }),
            );
            let seen = asked(&ours, &["--measure", "slack/oauth2"], "us-prod\nyes\n").seen;
            let inputs = if replaces_inputs { "go" } else { "stay" };
            assert!(seen.contains(&format!("does not name {inputs}")), "{switches:?}\n{seen}");
            let doctor = &ours.record("us-prod")["doctor"]["updates"];
            assert_eq!(doctor["mergesInputs"], !replaces_inputs);
            assert_eq!(doctor["keepsSignIn"], !update_disconnects);
            assert!(us.read(|store| store.connections.iter().all(|c| !c.stable_key.starts_with("stablekey-doctor-"))));
            // An update leaves customers signed in, or it is asked for.
            ours.replace("us-prod/connections/slack-internal.yaml", "title: ", "title: New ");
            let plan = ours.plan(&[]).exits(2);
            let asks = plan.text.contains("SK0170") || plan.text.contains("SK0158");
            assert_eq!(asks, update_disconnects, "{}", plan.text);
            // Without a secret that stays, other inputs can change only where the stack merges them.
            ours.replace("us-prod/connections/warehouse.yaml", "value: exporter", "value: reader");
            if replaces_inputs {
                ours.plan(&[]).exits(3).prints("SK0166");
                continue;
            }
            ours.plan(&[]).exits(2).does_not_print("SK0166");
            ours.run(&["apply", "--yes", "--allow-loopback"]);
            let (user, password) = us.read(|store| {
                let found = store.connections.iter().find(|c| c.stable_key == "warehouse").unwrap();
                let value = |name: &str| found.inputs.iter().find(|i| i.name == name).unwrap().value.clone().unwrap();
                (value("username"), value("password"))
            });
            assert_eq!((user.as_str(), password.as_str()), ("reader", "warehouse-secret"));
            ours.edit_record("us-prod", |record| {
                let long_ago = (Timestamp::now() - (24 * 91).hours()).to_string();
                record["doctor"]["updates"]["at"] = long_ago.into();
            });
            ours.plan(&[]).prints("which is too long ago: stablekey doctor us-prod --measure");
        }
    }
}

/// "left-overs found and removed after an interrupt".
#[test]
fn what_an_interrupted_measurement_left_is_removed() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    ours.secrets("us-prod", &[]);
    us.fault_on("StablekeyDeleteConnection", 0, Fault::Answer(Answer::json(401, "{}")));
    us.fault_on("StablekeyDeleteConnection", 0, Fault::Answer(Answer::json(401, "{}")));
    let seen = asked(&ours, &["--measure", "http/apiKey"], "us-prod\n");
    assert_eq!(seen.code, Some(1), "{}", seen.seen);
    let left = || us.read(|store| store.connections.iter().filter(|c| c.stable_key.contains("doctor")).count());
    assert_eq!(left(), 1, "{}", seen.seen);
    // It is nobody's connection meanwhile.
    ours.plan(&[]).exits(0).does_not_print("doctor-");
    // Never in CI.
    let in_ci = ours.command(&["doctor", "us-prod", "--allow-loopback"]).env("CI", "true").output().unwrap();
    assert!(!String::from_utf8_lossy(&in_ci.stderr).contains("Removed"), "{in_ci:?}");
    assert_eq!(left(), 1);
    ours.run(&["doctor", "us-prod", "--allow-loopback"]).prints("Removed stablekey-doctor-");
    assert_eq!(left(), 0);
    assert!(ours.record("us-prod").get("run").is_none());
}

/// "embeddedWorkflows: a manual step until doctor --confirm embedded".
#[test]
fn the_toggle_for_embedded_workflows_is_confirmed_first() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    let yaml = ours.read("us-prod/connections/warehouse.yaml");
    ours.write(
        "us-prod/connections/warehouse.yaml",
        &yaml.replace("  inputs:\n", "  embeddedWorkflows: true\n  inputs:\n"),
    );
    let step = "turn on embedded workflows for warehouse on its page on the platform";
    ours.plan(&[]).exits(0).prints(step);
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
    ours.plan(&[]).exits(0).prints(step);
    let toggle = || {
        us.read(|store| store.connections.iter().find(|c| c.stable_key == "warehouse").unwrap().default_for_component)
    };
    assert!(!toggle());
    let seen = asked(&ours, &["--confirm", "embedded"], "us-prod\n");
    assert!(seen.seen.contains("embeddedWorkflows is written from now on"), "{}", seen.seen);
    ours.plan(&[]).exits(2).prints("embeddedWorkflows").does_not_print(step);
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
    assert!(toggle());
    ours.plan(&[]).exits(0);
}

/// A folder has needs too.
#[test]
fn a_folder_is_checked() {
    let ours = Workplace::new();
    ours.write(
        "tenants.yaml",
        "apiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {name: fold}\nspec: {location: {directory: {path: fold}}}\n",
    );
    ours.run(&["doctor", "fold"]).exits(1).prints("\u{2717} the folder").prints("\u{2192}");
    ours.write("fold/note.txt", "");
    ours.run(&["doctor", "fold"]).exits(0).prints("3 checks, all good.");
    assert_eq!(std::fs::read_dir(ours.root().join("fold")).unwrap().count(), 1);
    ours.run(&["doctor", "fold", "--confirm", "embedded"]).exits(1).prints("fold is not on the platform");
    let lock = std::fs::File::open(ours.root().join("fold")).unwrap();
    lock.lock().unwrap();
    ours.run(&["doctor", "fold"]).exits(1).prints("another apply has its lock");
}
