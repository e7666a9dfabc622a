//! A hub on the command line, with the account of a person who may read and approve, and nothing else.

use super::env::*;
use serde_json::{Value, json};
use stablekey::engine::model::canonical::to_approve;
use stablekey::kubernetes::role::{approver_role, hub_role};
use stablekey_clusters::{Namespace, run, run_with_input, shared};
use stablekey_testing::replica::until;
use std::process::{Command, Stdio};

/// plan, status and explain show exactly what the digest covers; approve shows it, asks, and sets the annotation with
/// the person's own account.
#[test]
fn a_waiting_plan_is_shown_and_approved_without_access_to_secrets() {
    let env = waiting("hub");
    let _syncer = env.syncer();
    until_target_state(&env, "eu", "AwaitingApproval");
    let (person, digest, here) = (Person::approver(&env), digest(&env), env.us.name());
    let mark = env.us.cluster().mark().unwrap();

    let plan = person.run(&["plan"]);
    assert_eq!(plan.code, 2, "{}", plan.words());
    assert!(plan.out.contains("create  Connection/crm") && plan.out.contains("2 to create"), "{}", plan.out);
    let approve = format!("stablekey approve us-to-eu --tenant eu -n {here}");
    assert!(plan.has_line(&approve) && plan.has_line(&digest), "{}", plan.out);
    // The status of the sync has the same commands, each on its line.
    let message = field(&env.us, SYNC, &of_target("eu", "message"));
    for line in [&approve, &digest, &format!("stablekey plan -n {here} --sync us-to-eu --tenant eu")] {
        assert!(message.lines().any(|there| there == line), "{line}\n{message}");
    }
    let there = person.run(&["plan", "--context", "us", "--sync", "sync/us-to-eu", "--tenant", "eu"]);
    let approve = format!("stablekey approve us-to-eu --tenant eu --context us -n {here}");
    assert!(there.has_line(&approve) && !there.out.contains("--tenant eu -n"), "{}", there.out);
    let json = person.json(&["plan"]);
    assert_eq!((json["schema"].as_str(), json["exit"].as_u64()), (Some("stablekey.dev/plan/v1"), Some(2)));
    assert_eq!(json["targets"][0]["digests"]["sync/us-to-eu"], json!(digest));
    assert!(person.run(&["plan", "-o", "markdown"]).out.contains(&digest));

    let status = person.run(&["status"]);
    assert_eq!(status.code, 2, "{}", status.words());
    assert!(status.has_line(&digest) && status.out.contains("us-to-eu → eu  AwaitingApproval"), "{}", status.out);
    let json = person.json(&["status"]);
    assert_eq!(json["schema"], "stablekey.dev/hub-status/v1");
    assert_eq!((&json["syncs"][0]["state"], &json["syncs"][0]["digest"]), (&json!("AwaitingApproval"), &json!(digest)));
    assert_eq!(json["tenants"][0]["ready"], json!(true));
    assert!(person.run(&["status", "-o", "markdown"]).out.contains(&approve.replace(" --context us", "")));

    let explained = person.run(&["explain", "Connection/crm"]);
    assert_eq!(explained.code, 2, "{}", explained.words());
    assert!(explained.out.contains("create Connection/crm") && explained.out.contains("create Integration/lead"));
    let explained = person.json(&["explain", "Integration/lead"]);
    assert_eq!(explained["targets"][0]["actions"][1]["id"], "eu/Integration/lead");
    let other = person.run(&["explain", "other"]);
    assert!(other.code == 1 && other.words().contains("concerns other"), "{}", other.words());

    // Without showing the plan nothing is approved: the command that approves is printed, ready to be pasted.
    let ready = format!("{approve} --digest {}", to_approve(&digest)).replace(" --context us", "");
    for (arguments, why) in [
        (["approve", "us-to-eu"].as_slice(), "there is no terminal to ask on"),
        (&["approve", "us-to-eu", "--yes"], "--yes takes the digest"),
    ] {
        let blind = person.run(arguments);
        assert_eq!(blind.code, 1);
        assert!(blind.err.contains(why) && blind.has_line(&ready), "{}", blind.err);
        // The command that runs is not the next command.
        assert!(blind.out.contains(&digest) && !blind.out.contains("stablekey approve"), "{}", blind.out);
    }
    assert_eq!(plan.out.matches("stablekey approve").count(), 1, "{}", plan.out);
    let other = format!("sha256:{}", "0".repeat(64));
    let wrong = person.run(&["approve", "us-to-eu", "--digest", &other, "--yes"]);
    assert_eq!(wrong.code, 1);
    assert!(wrong.has_line(&digest) && wrong.err.contains("nothing that waits has this digest"), "{}", wrong.err);
    let unknown = person.run(&["approve", "us-to-ue"]);
    assert!(unknown.code == 1 && unknown.err.contains("did you mean us-to-eu?"), "{}", unknown.err);
    assert_eq!(field(&env.us, SYNC, ".metadata.annotations"), "");

    let approved = person.run(&["approve", "us-to-eu", "--tenant", "eu", "--digest", &digest]);
    assert_eq!(approved.code, 0, "{}", approved.words());
    assert!(approved.out.contains("create  Connection/crm"), "it is shown: {}", approved.out);
    assert!(
        approved.has_line(&digest) && approved.has_line(&format!("stablekey status -n {here}")),
        "{}",
        approved.out
    );
    assert!(approved.words().contains("your account cannot read the Lease stablekey-syncer"), "{}", approved.out);
    until_target_state(&env, "eu", "InSync");
    assert_eq!(field(&env.eu, "connection/crm", SCOPES), "api");
    let managers = run(env.us.kubectl().args(["get", SYNC, "--show-managed-fields", "-o", "json"])).unwrap();
    let managers: Value = serde_json::from_str(&managers).unwrap();
    let managers = managers["metadata"]["managedFields"].as_array().unwrap().clone();
    assert!(managers.iter().any(|entry| entry["manager"] == "stablekey" && entry.to_string().contains("approve")));

    let again = person.run(&["approve", "us-to-eu"]);
    assert_eq!(again.code, 0, "{}", again.words());
    assert!(again.err.contains("Nothing waits for approval"), "{}", again.err);
    assert_eq!((person.run(&["plan"]).code, person.run(&["status"]).code), (0, 0));
    let asked = env.us.cluster().audit_since(mark).unwrap().into_iter().filter(|r| r.user == person.user);
    // The person may not read the Lease, and the output says so.
    let asked = asked.filter(|r| r.code.to_string() == "403" && r.resource != "leases" || r.resource == "secrets");
    let asked: Vec<_> = asked.collect();
    assert!(asked.is_empty(), "{asked:?}");
}

/// The waiting plan is shown only if its recomputed digest equals the one in the TenantSync's status: someone who may
/// write ConfigMaps cannot show an approver another plan.
///
/// "the waiting plan … is shown only where its digest, computed again from it, is the one in the TenantSync's status:
/// whoever may write ConfigMaps cannot show an approver another plan".
#[test]
fn a_forged_plan_is_not_shown_and_not_approved() {
    let env = waiting("forged");
    let _syncer = env.syncer();
    until_target_state(&env, "eu", "AwaitingApproval");
    let (person, digest) = (Person::approver(&env), digest(&env));
    let name = field(&env.us, SYNC, &of_target("eu", "waitingPlan.configMap"));
    let map = format!("configmap/{name}");
    kubectl(&env.us, &["patch", &map, "--type=merge", "-p", "{\"binaryData\": {\"plan.json.gz\": \"AAAA\"}}"]);
    let shown = person.run(&["plan"]);
    assert_eq!((shown.code, shown.out.as_str()), (1, ""), "{}", shown.words());
    assert!(shown.words().contains("is not what the syncer wrote there") && shown.err.contains(&name), "{}", shown.err);
    assert!(shown.words().contains("us-to-eu") && shown.words().contains(" eu,"), "{}", shown.err);
    let approved = person.run(&["approve", "us-to-eu", "--digest", &digest, "--yes"]);
    assert_eq!((approved.code, approved.out.as_str()), (1, ""), "{}", approved.words());
    assert_eq!(field(&env.us, SYNC, ".metadata.annotations"), "");
    // Its advice makes the syncer write it again.
    let command =
        shown.err.lines().map(str::trim).find(|line| line.starts_with("stablekey reconcile us-to-eu ")).unwrap();
    assert!(command.ends_with(&format!(" -n {}", env.us.name())), "{command}");
    kubectl(&env.us, &["delete", &map]);
    let gone = person.run(&["explain", "crm"]);
    assert!(gone.code == 1 && gone.words().contains("there is none of that name"), "{}", gone.words());
    reconcile_again(&env, SYNC, "again");
    until("it is written again", || person.run(&["plan"]).code == 2);
}

/// With their own contexts people can plan again, and see whether the two plans differ.
#[test]
fn a_plan_by_own_contexts_is_compared_with_the_waiting_one() {
    let env = waiting("again");
    let syncer = env.syncer();
    until_target_state(&env, "eu", "AwaitingApproval");
    let administrator = Person::administrator(&env);
    let same = administrator.run(&["plan", "--context", "us", "--target", "eu=eu"]);
    assert_eq!(same.code, 2, "{}", same.words());
    assert!(same.words().contains("with your own contexts: as the hub keeps it."), "{}", same.words());
    // A person with only the hub's Role cannot read the tenant.
    let reader = Person::with(&env.us, "reader", &hub_role(env.us.name()));
    let both = Person { kubeconfigs: [&reader.kubeconfigs[..], &administrator.kubeconfigs[1..]].concat(), ..reader };
    let unread = both.run(&["plan", "--target", "eu=eu"]);
    assert_eq!(unread.code, 1, "{}", unread.words());
    assert!(
        unread.words().contains("Not planned again: us:") && unread.err.contains("kind: Role"),
        "{}",
        unread.words()
    );
    let wrong = administrator.run(&["plan", "--target", "eu=ue"]);
    assert!(wrong.code == 1 && wrong.words().contains("there is no context ue"), "{}", wrong.words());
    let wrong = administrator.run(&["plan", "--target", "ue=eu"]);
    assert!(wrong.code == 1 && wrong.err.contains("there is no tenant ue"), "{}", wrong.err);

    drop(syncer);
    env.in_us(&[connection("crm", "more"), integration("billing", &["crm"])]);
    let differs = administrator.run(&["plan", "--target", "eu=eu"]);
    assert_eq!(differs.code, 2, "{}", differs.words());
    let words = differs.words();
    let (hub, own) = words.split_once("only in the hub's plan:").unwrap().1.split_once("only in yours:").unwrap();
    assert!(hub.contains("create Connection/crm") && hub.contains("inputs.scopes api"), "{hub}");
    assert!(own.contains("inputs.scopes more") && own.contains("create Integration/billing"), "{own}");
    let explained = administrator.run(&["explain", "Integration/billing", "--target", "eu=eu"]);
    assert!(explained.words().contains("create Integration/billing: connections."), "{}", explained.words());
}

/// A recurring change needs a new approval: the old one is removed first, and the command waits for that.
///
/// "what recurs needs a new approval".
#[test]
fn a_recurring_plan_is_approved_again() {
    let env = waiting("anew");
    let mut syncer = env.syncer();
    until_target_state(&env, "eu", "AwaitingApproval");
    let person = Person::approver(&env);
    let approve = |digest: &str| {
        let answer = person.run(&["approve", "us-to-eu", "--digest", digest]);
        assert_eq!(answer.code, 0, "{}", answer.words());
    };
    let waits_with = |scopes: &str| {
        let before = digest(&env);
        env.in_us(&[connection("crm", scopes)]);
        until("another plan waits", || !digest(&env).is_empty() && digest(&env) != before);
        digest(&env)
    };
    approve(&digest(&env));
    until_target_state(&env, "eu", "InSync");
    let there = waits_with("more");
    approve(&there);
    until_target_state(&env, "eu", "InSync");
    let back = waits_with("api");
    // Manually added beside the one that was carried out, which stays consumed.
    kubectl(&env.us, &["annotate", "--overwrite", SYNC, &format!("stablekey.dev/approve={there},{back}")]);
    until_target_state(&env, "eu", "InSync");
    assert_eq!(waits_with("more"), there, "the same recurs");
    until_target_state(&env, "eu", "AwaitingApproval");
    assert_eq!(field(&env.eu, "connection/crm", SCOPES), "api");
    approve(&there);
    until_field(&env.eu, "connection/crm", SCOPES, "more");
    until_target_state(&env, "eu", "InSync");
    // It was carried out once: neither a restart nor its annotation carries it out again.
    syncer.signal("-TERM");
    assert!(syncer.end().success());
    let _syncer = env.syncer();
    until("it is spent", || field(&env.us, SYNC, ".status.approvals[*].digest") == there);
    assert_eq!(field(&env.us, SYNC, ".status.approvals[*].left"), "");
}

/// Nothing is reported as in sync beside a difference; kept fields, warnings and stale approvals are named.
#[test]
fn kept_fields_are_named_and_not_called_in_sync() {
    let env = TestEnv::new("beside");
    env.in_eu(&[connection("crm", "mine")]);
    env.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
    let _syncer = env.syncer();
    until_target_state(&env, "eu", "InSync");
    let (person, administrator, here) = (Person::approver(&env), Person::administrator(&env), env.us.name());
    for command in ["plan", "status"] {
        let answer = person.run(&[command]);
        assert_eq!(answer.code, 0, "{}", answer.words());
        for named in ["in sync but for 1 field that the target keeps", "Connection/crm inputs.scopes", "keep: true"] {
            assert!(answer.words().contains(named), "{command}: {named}\n{}", answer.out);
        }
        assert!(!answer.out.contains("eu  ✓"), "{}", answer.out);
        let markdown = person.run(&[command, "-o", "markdown"]);
        assert!(markdown.out.contains("Connection/crm inputs.scopes"), "{}", markdown.out);
    }
    let json = person.run(&["plan", "-o", "json"]);
    assert!(json.out.contains("\"kept\": 1") && json.err.contains("inputs.scopes"), "{}", json.words());
    let explained = person.run(&["explain", "Connection/crm"]);
    assert!(explained.code == 0 && explained.out.contains("Connection/crm inputs.scopes"), "{}", explained.words());

    // No claim is made about what the hub does not know.
    let unknown = person.run(&["explain", "Integration/lead"]);
    assert_eq!((unknown.code, unknown.out.as_str()), (1, ""), "{}", unknown.words());
    assert!(unknown.words().contains("nothing that waits, is kept, drifted or blocked"), "{}", unknown.err);
    assert!(
        unknown.has_line(&format!("stablekey explain Integration/lead -n {here} --target eu=CONTEXT")),
        "{}",
        unknown.err
    );
    let there = administrator.run(&["explain", "Integration/lead", "--context", "us", "--target", "eu=eu"]);
    assert!(there.code == 0 && there.words().contains("an integration in eu"), "{}", there.words());
    let nosuch = administrator.run(&["explain", "nosuch", "--context", "us", "--target", "eu=eu"]);
    assert!(nosuch.code == 1 && nosuch.err.contains("nothing is called nosuch"), "{}", nosuch.words());
    let misspelt = person.run(&["explain", "Conection/crm"]);
    assert!(misspelt.code == 1 && misspelt.err.contains("did you mean Connection/crm?"), "{}", misspelt.words());

    let stale = format!("stablekey.dev/approve=sha256:{}", "0".repeat(64));
    kubectl(&env.us, &["annotate", SYNC, &stale]);
    let condition = ".status.conditions[?(@.type==\"StaleApproval\")].status";
    until_field(&env.us, SYNC, condition, "True");
    let take_back = format!("kubectl annotate -n {here} tenantsync us-to-eu stablekey.dev/approve-");
    for command in ["plan", "status"] {
        let answer = person.run(&[command]);
        assert!(answer.out.contains("! StaleApproval") && answer.has_line(&take_back), "{}", answer.out);
    }
    let json = person.json(&["status"]);
    let conditions = json["syncs"][0]["conditions"].as_array().unwrap();
    assert!(conditions.iter().any(|condition| condition["type"] == "StaleApproval"), "{conditions:?}");
    assert!(person.run(&["plan", "-o", "json"]).err.contains("StaleApproval"));
}

/// Drift is reported with a fix that works on a hub.
#[test]
fn drift_on_a_hub_is_reported_with_its_fix() {
    let env = TestEnv::new("drifts");
    env.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
    let _syncer = env.syncer();
    until_target_state(&env, "eu", "InSync");
    let patch = json!({"spec": {"inputs": {"scopes": {"value": "theirs"}}}}).to_string();
    kubectl(&env.eu, &["patch", "connection/crm", "--type=merge", "--field-manager=kubectl-edit", "-p", &patch]);
    until_target_state(&env, "eu", "Drifted");
    let person = Person::approver(&env);
    let both = format!(
        "policy.drift: Correct in both Tenants eu: the hub's (namespace {}) and its own, in its cluster (namespace {})",
        env.us.name(),
        env.eu.name()
    );
    for command in ["plan", "status"] {
        let answer = person.run(&[command]);
        assert_eq!(answer.code, 3, "{}", answer.words());
        for named in ["Connection/crm inputs.scopes", "by kubectl-edit", both.as_str(), "change it in us"] {
            assert!(answer.words().contains(named), "{command}: {named}\n{}", answer.out);
        }
        assert!(!answer.words().contains("adopt"), "no such command on a hub: {}", answer.out);
    }
    assert_eq!((person.run(&["explain", "crm"]).code, person.run(&["explain", "lead"]).code), (3, 1));
}

/// A missing syncer is reported.
#[test]
fn a_missing_syncer_is_reported_before_and_after_an_approval() {
    let env = waiting("dead");
    let syncer = env.syncer();
    until_target_state(&env, "eu", "AwaitingApproval");
    let (person, administrator) = (Person::approver(&env), Person::administrator(&env));
    let lease = "lease/stablekey-syncer";
    let alive = administrator.run(&["status", "--context", "us"]);
    assert!(alive.code == 2 && alive.out.contains("✓ the Lease stablekey-syncer was renewed"), "{}", alive.words());
    assert_eq!(administrator.json(&["status", "--context", "us"])["syncer"]["state"], "Running");
    drop(syncer);
    let long_ago = json!({"spec": {"renewTime": "2020-01-01T00:00:00.000000Z"}}).to_string();
    kubectl(&env.us, &["patch", lease, "--type=merge", "-p", &long_ago]);
    for command in ["plan", "status"] {
        let dead = administrator.run(&[command, "--context", "us"]);
        assert!(dead.code == 1 && dead.words().contains("no syncer runs"), "{}", dead.words());
    }
    let unknown = person.run(&["status"]);
    assert_eq!(unknown.code, 2, "{}", unknown.words());
    assert!(unknown.words().contains("whether a syncer runs is not known"), "{}", unknown.out);
    let approved = administrator.run(&["approve", "us-to-eu", "--context", "us", "--digest", &digest(&env)]);
    assert_eq!(approved.code, 0, "{}", approved.words());
    assert!(approved.words().contains("Nobody carries it out now"), "{}", approved.out);
}

/// A wrong -n must not look like a hub in which everything is in sync.
#[test]
fn a_namespace_that_is_no_hub_is_an_error_that_lists_hubs() {
    let env = waiting("nohub");
    let empty = env.us.cluster().namespace("nohub-empty");
    let in_namespace = |namespace: &Namespace<'static>, arguments: &[&str]| {
        let person = Person { namespace: namespace.name().to_string(), ..Person::administrator(&env) };
        person.run(arguments)
    };
    for arguments in [["status"].as_slice(), &["plan"], &["explain", "crm"], &["approve", "us-to-eu"]] {
        let nothing = in_namespace(&empty, &[arguments, &["--context", "us"]].concat());
        assert_eq!((nothing.code, nothing.out.as_str()), (1, ""), "{}", nothing.words());
        assert!(nothing.err.contains("is no hub: it has no TenantSync and no Tenant"), "{}", nothing.err);
        assert!(nothing.err.contains("TenantSyncs are in namespace"), "{}", nothing.err);
    }
    let tenant = in_namespace(&env.eu, &["status", "--context", "eu"]);
    assert!(tenant.code == 1 && tenant.err.contains("it is the tenant eu"), "{}", tenant.words());
    let reader = Person::with(&empty, "reader", &hub_role(empty.name()));
    let reader = reader.run(&["status"]);
    assert!(reader.code == 1 && reader.has_line("kubectl get tenantsyncs -A"), "{}", reader.words());
    let todo = in_namespace(&env.us, &["status", "--todo", "--context", "us"]);
    let status = format!("stablekey status --context us -n {}", env.us.name());
    assert!(todo.code == 1 && todo.has_line(&status), "{}", todo.words());
}

/// The policy is in force a moment after it was applied.
#[test]
fn a_refused_approver_learns_who_may_approve() {
    let guarded = shared("guarded");
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/policies/approve-syncs.yaml");
    run(guarded.kubectl().args(["apply", "-f", policy])).unwrap();
    let env = TestEnv::on("unasked", guarded, shared("eu"));
    env.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Plan")]);
    let _syncer = env.syncer();
    until_target_state(&env, "eu", "AwaitingApproval");
    let digest = digest(&env);
    let refused = |person: &Person, why: &str| {
        let answer = person.run(&["approve", "us-to-eu", "--digest", &digest]);
        assert_eq!(answer.code, 1, "{}", answer.words());
        assert!(answer.words().contains(why), "{}", answer.words());
        assert!(
            answer.words().contains("verbs patch and approve") && answer.err.contains("kind: Role"),
            "{}",
            answer.err
        );
    };
    let reader = Person::with(&env.us, "reader", &hub_role(env.us.name()));
    refused(&reader, "cannot patch resource \"tenantsyncs\"");
    let writer = approver_role(env.us.name()).replace("[patch, approve]", "[patch]").replace("approver", "writer");
    let writer = Person::with(&env.us, "writer", &writer);
    // The policy is in force a moment after it was applied.
    until("the policy is in force", || {
        let mut probe = guarded.kubectl_as(&writer.kubeconfigs[0]);
        probe.args(["-n", env.us.name(), "annotate", "--dry-run=server", SYNC, "stablekey.dev/approve=probe"]);
        run(&mut probe).is_err_and(|error| error.to_string().contains("takes the verb approve"))
    });
    refused(&writer, "takes the verb approve on tenantsyncs.stablekey.dev");
    assert_eq!(field(&env.us, SYNC, ".metadata.annotations"), "");
    let stranger = Person::with(
        &env.us,
        "stranger",
        &hub_role(env.us.name()).replace("tenants, tenantsyncs", "tenants").replace("hub-reader", "stranger"),
    );
    let answer = stranger.run(&["plan"]);
    assert!(answer.code == 1 && answer.err.contains("stablekey-hub-reader"), "{}", answer.words());
}

/// On a terminal the whole word must be typed.
#[cfg(target_os = "linux")]
#[test]
fn on_a_terminal_the_plan_is_shown_and_confirmed() {
    let env = waiting("typed");
    let _syncer = env.syncer();
    until_target_state(&env, "eu", "AwaitingApproval");
    let person = Person::approver(&env);
    let (shown, code) = typed(person.command(&["approve", "us-to-eu"]), "y\n");
    assert_eq!(code, 1, "{shown}");
    assert!(
        shown.contains("Approve 2 changes in eu? Type 'yes':") && shown.contains("Nothing was approved"),
        "{shown}"
    );
    let (shown, code) = typed(person.command(&["approve", "us-to-eu"]), "yes\n");
    assert_eq!(code, 0, "{shown}");
    let (plan, question) = (shown.find("create  Connection/crm").unwrap(), shown.find("Type 'yes':").unwrap());
    assert!(plan < question, "it is shown first: {shown}");
    until_target_state(&env, "eu", "InSync");
}

/// Returns what a command shows on a terminal on which this is typed, and its exit code.
#[cfg(target_os = "linux")]
fn typed(mut command: Command, answer: &str) -> (String, i32) {
    use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
    use std::io::{Read as _, Write as _};
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    let master = openpt(flags).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let terminal = ioctl_tiocgptpeer(&master, flags).unwrap();
    let ends = || Stdio::from(terminal.try_clone().unwrap());
    let mut child = command.stdin(ends()).stdout(ends()).stderr(ends()).spawn().unwrap();
    drop((command, terminal));
    let mut master = std::fs::File::from(master);
    master.write_all(answer.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    let _ = master.read_to_end(&mut bytes);
    (String::from_utf8_lossy(&bytes).into_owned(), child.wait().unwrap().code().unwrap())
}

/// Nobody can keep a plan from its approver by creating its ConfigMap first, or by making it immutable.
#[test]
fn a_plan_whose_name_is_taken_is_stored_under_another() {
    let env = TestEnv::new("taken");
    let name = stablekey::render::waiting_plan::name("us-to-eu", "eu");
    for immutable in [false, true] {
        let metadata = json!({"name": format!("{name}"), "labels": {"theirs": "true"}});
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "immutable": immutable,
                         "data": {"a": "b"}});
        run_with_input(env.us.kubectl().args(["replace", "--force", "-f", "-"]), &map.to_string()).unwrap();
    }
    let _syncer = env.syncer();
    env.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Plan")]);
    until_target_state(&env, "eu", "AwaitingApproval");
    let kept = || field(&env.us, SYNC, &of_target("eu", "waitingPlan.configMap"));
    until("it is kept", || !kept().is_empty());
    assert_ne!(kept(), name);
    let shown = Person::approver(&env).run(&["plan"]);
    assert!(
        shown.words().contains("create Connection/crm") || shown.words().contains("Connection/crm"),
        "{}",
        shown.words()
    );
}
