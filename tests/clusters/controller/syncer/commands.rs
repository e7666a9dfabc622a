//! Commands of a person that change a hub: suspend, resume and reconcile; and the receipts that its statuses keep.

use super::env::*;
use serde_json::{Value, json};
use stablekey::api::Kind;
use stablekey::kubernetes::role::{approver_role, hub_role, writer_role};
use stablekey_clusters::{run, shared};
use stablekey_testing::objects::Document as _;
use stablekey_testing::replica::until;
use std::process::Stdio;
use std::time::{Duration, Instant};

const SUSPEND: &str = ".spec.suspend";

/// A sync of mode Apply that is in sync.
fn in_sync(prefix: &str) -> TestEnv {
    let env = TestEnv::new(prefix);
    env.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
    env
}

/// "`stablekey suspend|resume TENANT|SYNC` on a hub": nothing is written while it is suspended, and everything afterwards.
#[test]
fn a_suspended_sync_writes_nothing_until_it_is_resumed() {
    let env = in_sync("pause");
    let _syncer = env.syncer();
    until_target_state(&env, "eu", "InSync");
    let (person, here) = (Person::administrator(&env), env.us.name());
    let run = |arguments: &[&str]| person.run(&[arguments, &["--context", "us"]].concat());

    let tried = run(&["suspend", "us-to-eu", "--dry-run"]);
    assert_eq!(tried.code, 0, "{}", tried.words());
    assert!(tried.out.contains("Would suspend TenantSync us-to-eu"), "{}", tried.out);
    assert_eq!(field(&env.us, SYNC, SUSPEND), "");
    let suspended = run(&["suspend", "us-to-eu"]);
    assert_eq!(suspended.code, 0, "{}", suspended.words());
    assert!(
        suspended.out.contains(&format!("Suspended TenantSync us-to-eu in namespace {here}.")),
        "{}",
        suspended.out
    );
    assert!(suspended.has_line(&format!("stablekey status --context us -n {here}")), "{}", suspended.out);
    assert_eq!(field(&env.us, SYNC, SUSPEND), "true");
    until_target_state(&env, "eu", "Suspended");
    env.in_us(&[connection("crm", "more")]);
    until_field(&env.us, SYNC, &of_target("eu", "counts.suspended"), "1");
    assert_eq!(field(&env.eu, "connection/crm", SCOPES), "api");
    // It is settled, and not in sync.
    let waits = run(&["reconcile", "us-to-eu", "--wait"]);
    assert_eq!(waits.code, 2, "{}", waits.words());
    assert!(waits.out.contains("us-to-eu → eu  Suspended"), "{}", waits.out);
    let again = run(&["suspend", "sync/us-to-eu"]);
    assert_eq!(
        (again.code, again.out.as_str()),
        (0, "TenantSync us-to-eu is suspended already.\n"),
        "{}",
        again.words()
    );

    let resumed = run(&["resume", "TenantSync/us-to-eu", "-o", "json"]);
    assert_eq!(resumed.code, 0, "{}", resumed.words());
    let json: Value = serde_json::from_str(&resumed.out).unwrap();
    assert_eq!(json["object"], "TenantSync/us-to-eu");
    assert_eq!((&json["suspend"], &json["changed"], &json["dryRun"]), (&json!(false), &json!(true), &json!(false)));
    assert_eq!(json["waits"], json!(["us-to-eu → eu: 1 action"]));
    // The field is gone, as before: absent is read as false.
    assert_eq!(field(&env.us, SYNC, SUSPEND), "");
    until_field(&env.eu, "connection/crm", SCOPES, "more");
    until_target_state(&env, "eu", "InSync");

    // A tenant: every sync into it waits.
    assert_eq!(run(&["suspend", "eu"]).code, 0);
    assert_eq!(field(&env.us, "tenant/eu", SUSPEND), "true");
    until_target_state(&env, "eu", "Suspended");
    assert_eq!(run(&["resume", "Tenant/eu"]).code, 0);
    until_target_state(&env, "eu", "InSync");
    let wrong = run(&["suspend", "us-to-ue"]);
    assert!(wrong.code == 1 && wrong.err.contains("did you mean us-to-eu"), "{}", wrong.words());
}

/// "A name that is both a tenant and a sync is an error that says how to say which".
#[test]
fn a_name_of_a_tenant_and_of_a_sync_is_not_guessed() {
    let env = TestEnv::new("which");
    let named = stablekey_testing::objects::Sync::new("eu", "us", "eu").json();
    env.in_us(&[named]);
    let (person, here) = (Person::administrator(&env), env.us.name());
    let both = person.run(&["suspend", "eu", "--context", "us"]);
    assert_eq!(both.code, 1, "{}", both.words());
    assert!(both.err.contains("eu is the name of a tenant and of a sync"), "{}", both.err);
    for which in ["Tenant/eu", "TenantSync/eu"] {
        assert!(both.has_line(&format!("stablekey suspend {which} --context us -n {here}")), "{}", both.err);
    }
    assert_eq!(field(&env.us, "tenantsync/eu", SUSPEND) + &field(&env.us, "tenant/eu", SUSPEND), "");
    assert_eq!(person.run(&["suspend", "TenantSync/eu", "--context", "us"]).code, 0);
    assert_eq!(field(&env.us, "tenantsync/eu", SUSPEND), "true");
    assert_eq!(field(&env.us, "tenant/eu", SUSPEND), "");
}

/// "`suspend: true` takes no verb beyond update; taking it away in mode Apply takes `approve`": a viewer may do neither,
/// an editor suspends, and an approver resumes. The message says which permission is missing, and who has it.
#[test]
fn only_an_approver_resumes_a_sync_of_mode_apply() {
    let guarded = shared("guarded");
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/policies/approve-syncs.yaml");
    run(guarded.kubectl().args(["apply", "-f", policy])).unwrap();
    let env = TestEnv::on("whom", guarded, shared("eu"));
    env.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
    let here = env.us.name();
    let mark = guarded.mark().unwrap();
    let viewer = Person::with(&env.us, "viewer", &hub_role(here));
    let editor = Person::with(&env.us, "editor", &writer_role(here, Kind::TenantSync));
    let approver = Person::with(&env.us, "approver", &approver_role(here));
    until("the policy is in force", || {
        let mut probe = guarded.kubectl_as(&editor.kubeconfigs[0]);
        probe.args(["-n", here, "annotate", "--dry-run=server", SYNC, "stablekey.dev/approve=probe"]);
        run(&mut probe).is_err_and(|error| error.to_string().contains("takes the verb approve"))
    });

    for command in ["suspend", "reconcile"] {
        let refused = viewer.run(&[command, "us-to-eu"]);
        assert_eq!(refused.code, 1, "{}", refused.words());
        assert!(refused.words().contains("cannot patch resource \"tenantsyncs\""), "{}", refused.words());
        let missing = format!("your account needs the verb patch on tenantsyncs.stablekey.dev in namespace {here}");
        assert!(refused.words().contains(&missing), "{}", refused.words());
        assert!(refused.err.contains("name: stablekey-hub-writer"), "the Role that grants it: {}", refused.err);
    }
    assert_eq!(field(&env.us, SYNC, SUSPEND), "");

    let suspended = editor.run(&["suspend", "us-to-eu"]);
    assert_eq!(suspended.code, 0, "{}", suspended.words());
    for dry_run in [["--yes"].as_slice(), &["--dry-run"]] {
        let refused = editor.run(&[&["resume", "us-to-eu"], dry_run].concat());
        assert_eq!(refused.code, 1, "{}", refused.words());
        for named in [
            "taking suspend away from a sync of mode Apply takes the verb approve on tenantsyncs.stablekey.dev",
            "kubectl get rolebindings",
            "name: stablekey-approver",
        ] {
            assert!(refused.words().contains(named), "{named}\n{}", refused.words());
        }
        assert_eq!(field(&env.us, SYNC, SUSPEND), "true");
    }
    // An editor who may read RoleBindings sees who has it.
    kubectl(&env.us, &["create", "role", "bindings", "--verb=get,list", "--resource=rolebindings,roles"]);
    let account = format!("--serviceaccount={here}:editor");
    kubectl(&env.us, &["create", "rolebinding", "bindings", "--role=bindings", &account]);
    let named = format!("ask one who has it: ServiceAccount {here}/approver");
    until("the editor may read RoleBindings", || {
        let refused = editor.run(&["resume", "us-to-eu"]);
        assert_eq!(refused.code, 1, "{}", refused.words());
        refused.words().contains(&named)
    });
    let resumed = approver.run(&["resume", "us-to-eu"]);
    assert_eq!(resumed.code, 0, "{}", resumed.words());
    assert_eq!(field(&env.us, SYNC, SUSPEND), "");

    // In mode Plan, nothing is written without an approval: an editor resumes.
    env.in_us(&[sync("Plan")]);
    assert_eq!(editor.run(&["suspend", "us-to-eu"]).code, 0);
    assert_eq!(editor.run(&["resume", "us-to-eu"]).code, 0);
    // A Tenant is an administrator's.
    let tenant = editor.run(&["suspend", "Tenant/eu"]);
    assert_eq!(tenant.code, 1, "{}", tenant.words());
    assert!(tenant.words().contains("the verb patch on tenants.stablekey.dev"), "{}", tenant.words());
    // The Secrets of the hub were not touched by anybody.
    let people = [&viewer, &editor, &approver].map(|person| person.user.clone());
    let asked = guarded.audit_since(mark).unwrap().into_iter().filter(|request| people.contains(&request.user));
    let secrets: Vec<_> = asked.filter(|request| request.resource == "secrets").collect();
    assert!(secrets.is_empty(), "{secrets:?}");
}

/// "`stablekey reconcile` (requestedAt) with `--wait`": exit codes are those of the plan.
#[test]
fn reconcile_waits_until_the_request_is_handled() {
    let env = in_sync("now");
    let person = Person::administrator(&env);
    let run = |arguments: &[&str]| person.run(&[arguments, &["--context", "us"]].concat());
    // Without --wait it is only requested; without a syncer nobody handles it.
    let requested = run(&["reconcile"]);
    assert_eq!(requested.code, 0, "{}", requested.words());
    assert!(
        requested.out.contains("Requested in namespace") && requested.out.contains("us-to-eu"),
        "{}",
        requested.out
    );
    let at = field(&env.us, SYNC, ".metadata.annotations.stablekey\\.dev/requestedAt");
    assert!(!at.is_empty());
    let late = run(&["reconcile", "us-to-eu", "--wait", "--timeout", "1s"]);
    assert_eq!(late.code, 1, "{}", late.words());
    assert!(late.err.contains("after 1 s us-to-eu has not handled the request"), "{}", late.err);
    assert!(late.err.contains("there is no Lease stablekey-syncer"), "{}", late.err);

    let syncer = env.syncer();
    let settled = run(&["reconcile", "us-to-eu", "--wait"]);
    assert_eq!(settled.code, 0, "{}", settled.words());
    assert!(settled.out.contains("us-to-eu → eu  InSync"), "{}", settled.out);
    let at = field(&env.us, SYNC, ".metadata.annotations.stablekey\\.dev/requestedAt");
    assert_eq!(field(&env.us, SYNC, ".status.lastHandledReconcileAt"), at);
    assert_eq!(field(&env.eu, "connection/crm", SCOPES), "api");
    // Flux's annotation beside it.
    kubectl(&env.us, &["annotate", SYNC, "reconcile.fluxcd.io/requestedAt=1"]);
    assert_eq!(run(&["reconcile", "Tenant/eu", "--wait"]).code, 0);

    // Something that waits for an approval is settled, and exits as its plan does.
    env.in_us(&[sync("Plan"), connection("crm", "more")]);
    until_target_state(&env, "eu", "AwaitingApproval");
    let waits = run(&["reconcile", "--wait", "-o", "json"]);
    assert_eq!(waits.code, 2, "{}", waits.words());
    let json: Value = serde_json::from_str(&waits.out).unwrap();
    assert_eq!((&json["exit"], &json["syncs"][0]["state"]), (&json!(2), &json!("AwaitingApproval")));
    // What is blocked is unresolved.
    env.in_us(&[integration("billing", &["crm", "nosuch"])]);
    until("it is blocked", || field(&env.us, SYNC, &of_target("eu", "counts.blocked")) == "1");
    assert_eq!(run(&["reconcile", "--wait"]).code, 3);

    // A wrong name says the nearest one; a tenant is named as such.
    let wrong = run(&["reconcile", "us-to-ue"]);
    assert!(wrong.code == 1 && wrong.err.contains("did you mean us-to-eu?"), "{}", wrong.words());
    let tenant = run(&["reconcile", "eu"]);
    let command = format!("stablekey reconcile Tenant/eu --context us -n {}", env.us.name());
    assert!(tenant.code == 1 && tenant.has_line(&command), "{}", tenant.words());
    drop(syncer);
}

/// Ctrl-C ends the wait with exit code 130; the request stays.
#[test]
fn ctrl_c_ends_a_wait() {
    let env = in_sync("stop");
    let person = Person::administrator(&env);
    let mut command = person.command(&["reconcile", "us-to-eu", "--wait", "--context", "us"]);
    let mut waiting = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let annotation = ".metadata.annotations.stablekey\\.dev/requestedAt";
    until("it is requested", || !field(&env.us, SYNC, annotation).is_empty());
    let begun = Instant::now();
    run(std::process::Command::new("kill").args(["-INT", &waiting.id().to_string()])).unwrap();
    let code = waiting.wait().unwrap().code();
    assert_eq!(code, Some(130));
    assert!(begun.elapsed() < Duration::from_secs(30));
    assert!(!field(&env.us, SYNC, annotation).is_empty());
}

/// "the last 16 receipts in status and in `stablekey status --receipts`": newest first, none when nothing changed, and
/// in the same write as the state.
#[test]
fn receipts_of_the_last_changes_are_kept() {
    let env = in_sync("receipts");
    let syncer = env.syncer();
    until_target_state(&env, "eu", "InSync");
    let receipts = || {
        let json = run(env.us.kubectl().args(["get", SYNC, "-o", "json"])).unwrap();
        let json: Value = serde_json::from_str(&json).unwrap();
        json["status"]["receipts"].as_array().cloned().unwrap_or_default()
    };
    until("the first change has a receipt", || receipts().len() == 1);
    let first = receipts().remove(0);
    assert_eq!((&first["tenant"], &first["result"]), (&json!("eu"), &json!("InSync")));
    assert_eq!(first["counts"], json!({"create": 2}));
    assert!(first["digest"].as_str().unwrap().starts_with("sha256:"), "{first}");
    assert!(first["at"].as_str().unwrap().ends_with('Z'), "{first}");
    // A reconcile without a change adds none.
    reconcile_again(&env, SYNC, "again");
    assert_eq!((receipts().len(), &receipts()[0]), (1, &first));

    env.in_us(&[connection("crm", "more")]);
    until("the second change has a receipt", || receipts().len() == 2);
    assert_eq!((&receipts()[0]["counts"], &receipts()[1]), (&json!({"update": 1}), &first));
    // Another process goes on with the list.
    drop(syncer);
    let syncer = env.syncer();
    env.in_us(&[connection("crm", "most")]);
    until("the third change has a receipt", || receipts().len() == 3);
    assert_eq!(receipts()[2], first);
    // A full list, as an earlier process left it.
    drop(syncer);
    let mut full = receipts();
    let old = |day: usize| {
        let mut old = first.clone();
        old["at"] = json!(format!("2020-01-{:02}T00:00:00Z", 30 - day));
        old
    };
    full.extend((0..13).map(old));
    let patch = json!({"status": {"receipts": full}}).to_string();
    kubectl(&env.us, &["patch", SYNC, "--subresource=status", "--type=merge", "-p", &patch]);
    let _syncer = env.syncer();
    env.in_us(&[connection("crm", "last")]);
    until("the fourth change has a receipt", || receipts()[1] == full[0]);
    assert_eq!((receipts().len(), &receipts()[1..]), (16, &full[..15]), "the oldest is forgotten");

    let person = Person::with(&env.us, "reader", &hub_role(env.us.name()));
    let shown = person.run(&["status", "--receipts"]);
    assert_eq!((shown.code, shown.out.lines().count()), (0, 16), "{}", shown.words());
    assert!(shown.out.contains("us-to-eu → eu  1 updated  InSync  sha256:"), "{}", shown.out);
    assert!(shown.out.lines().next().unwrap() > shown.out.lines().nth(15).unwrap(), "newest first: {}", shown.out);
    let json = person.json(&["status", "--receipts", "--tenant", "eu", "--sync", "us-to-eu"]);
    assert_eq!(
        (&json["schema"], json["receipts"].as_array().unwrap().len()),
        (&json!("stablekey.dev/receipts/v1"), 16)
    );
    assert_eq!(json["receipts"][0]["sync"], "us-to-eu");
    assert!(
        person.run(&["status", "--receipts", "-o", "markdown"]).out.contains("| us-to-eu → eu | 1 updated | InSync |")
    );
    let wrong = person.run(&["status", "--receipts", "--sync", "us-to-ue"]);
    assert!(wrong.code == 1 && wrong.err.contains("did you mean us-to-eu?"), "{}", wrong.words());
}
