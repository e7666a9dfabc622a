//! Permissions: without one verb, the message names it and prints the Role that grants it.

use crate::command_line::env::TestEnv;
use stablekey_clusters::{run, run_with_input};

const KINDS: &str = "tenants,components,connections,customercredentials,integrations";

/// Runs the command line with an account that has these rules in the namespace of `eu`.
fn use_account_with(env: &mut TestEnv, rules: &[(&str, &str)]) {
    let kubectl = |arguments: &[&str]| drop(run(env.eu.kubectl().args(arguments)).unwrap());
    kubectl(&["create", "serviceaccount", "somebody"]);
    for (number, (verbs, resources)) in rules.iter().enumerate() {
        let name = format!("role-{number}");
        let resources: Vec<String> = resources
            .split(',')
            .map(|r| if r == "configmaps" { r.to_string() } else { format!("{r}.stablekey.dev") })
            .collect();
        kubectl(&["create", "role", &name, &format!("--verb={verbs}"), &format!("--resource={}", resources.join(","))]);
        let account = format!("--serviceaccount={}:somebody", env.eu.name());
        kubectl(&["create", "rolebinding", &name, &format!("--role={name}"), &account]);
    }
    let token = env.eu.cluster().token(env.eu.name(), "somebody").unwrap();
    let kubeconfig = env.eu.cluster().kubeconfig_of(&token).unwrap();
    env.connect_with(&kubeconfig);
}

#[test]
fn the_printed_role_is_enough() {
    let mut env = TestEnv::with_a_source("does");
    use_account_with(&mut env, &[]);
    let plan = env.run(&["plan"]);
    assert_eq!(plan.code, 1, "{}", plan.words());
    assert!(plan.words().contains("list"), "{}", plan.out);
    let role = stablekey::kubernetes::role::role(env.eu.name());
    for line in role.lines() {
        assert!(plan.err.contains(line), "lacks {line:?}:\n{}", plan.err);
    }
    run_with_input(env.eu.kubectl().args(["apply", "-f", "-"]), &role).unwrap();
    let account = format!("--serviceaccount={}:somebody", env.eu.name());
    run(env.eu.kubectl().args(["create", "rolebinding", "stablekey", "--role=stablekey", &account])).unwrap();
    env.apply();
    assert_eq!(env.names().len(), 5);
}

#[test]
fn a_missing_verb_is_named() {
    let all = ("get,list,watch,create,patch,delete", KINDS);
    let maps = ("get,list,create,patch,delete", "configmaps");
    let cases: [(&[(&str, &str)], &str); 4] = [
        (
            &[("get,list", "tenants,components,connections,integrations"), maps],
            "cannot list resource \"customercredentials\"",
        ),
        (&[all, ("get,create,patch,delete", "configmaps")], "cannot list resource \"configmaps\""),
        (&[("get,list", KINDS), maps], "cannot patch resource \"connections\""),
        (&[("get,list,patch", KINDS), maps], "cannot create resource \"connections\""),
    ];
    for (rules, told) in cases {
        let mut env = TestEnv::with_a_source("short");
        use_account_with(&mut env, rules);
        let apply = env.run(&["apply", "--yes"]);
        assert_eq!(apply.code, 1, "{}", apply.words());
        assert!(apply.words().contains(told), "not {told:?}: {}", apply.words());
        assert!(apply.words().contains(env.eu.name()) && apply.words().contains("kind: Role"), "{}", apply.words());
        assert_eq!(env.names(), [""; 0]);
    }
}

#[test]
fn revoked_credentials_are_reported() {
    let mut env = TestEnv::with_a_source("revoked");
    use_account_with(
        &mut env,
        &[("get,list,create,patch,delete", KINDS), ("get,list,create,patch,delete", "configmaps")],
    );
    assert_eq!(env.run(&["plan"]).code, 2);
    env.kubectl(&["delete", "serviceaccount", "somebody"]);
    // The server caches tokens for a few seconds.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let plan = env.run(&["plan"]);
        if plan.code == 1 {
            let said =
                "the credentials of context eu are not accepted: they expired or were revoked; sign in to that cluster";
            assert!(plan.words().contains(said), "{}", plan.words());
            return;
        }
        assert!(std::time::Instant::now() < deadline, "still accepted");
    }
}

/// An account that may not read namespaces is not told that a namespace is missing: an empty one stays empty to it.
#[test]
fn an_account_without_access_to_namespaces_cannot_detect_a_missing_one() {
    let mut env = TestEnv::with_a_source("unknown");
    use_account_with(
        &mut env,
        &[("get,list,create,patch,delete", KINDS), ("get,list,create,patch,delete", "configmaps")],
    );
    env.kubectl(&["delete", "tenant", "eu"]);
    let empty = env.run(&["plan"]);
    assert_eq!(empty.code, 3, "it accepts no sync: {}", empty.words());
    assert!(!empty.words().contains("does not exist"), "{}", empty.words());
    let name = env.eu.name().to_string();
    env.edit_tenants(&format!("namespace: {name},"), &format!("namespace: {name}x,"));
    let wrong = env.run(&["plan"]);
    assert_eq!(wrong.code, 1, "{}", wrong.words());
    assert!(wrong.words().contains("not allowed"), "{}", wrong.words());
}

/// "on every location what the user needs: rights (SelfSubjectAccessReview for each verb used), CRDs and versions; each line
/// ✓ or ✗ with the fix".
#[test]
fn doctor_names_each_missing_permission() {
    let mut env = TestEnv::with_a_source("doctor");
    let good = env.run(&["doctor", "eu"]);
    assert_eq!(good.code, 0, "{}", good.words());
    assert!(good.words().contains("it serves the custom resources stablekey.dev/v1alpha1"), "{}", good.words());
    assert!(good.words().contains("✓ you may delete connections in"), "{}", good.words());
    use_account_with(
        &mut env,
        &[
            ("get,list,create,patch", "tenants,components,connections,customercredentials,integrations"),
            ("get,list,create,patch", "configmaps"),
        ],
    );
    let denied = env.run(&["doctor", "eu"]);
    assert_eq!(denied.code, 1, "{}", denied.words());
    let fix = "- apiGroups: [stablekey.dev] resources: [connections] verbs: [delete]";
    assert!(denied.words().contains("✗ you may delete connections in"), "{}", denied.words());
    assert!(denied.words().contains(fix), "{}", denied.words());
    assert!(denied.words().contains("✓ you may patch connections in"), "{}", denied.words());
}
