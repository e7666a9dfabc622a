//! Credentials go only where both the operator and their Secret say.

use super::env::*;
use crate::controller::syncer::env::*;
use serde_json::json;
use stablekey_testing::git_repository::File;
use stablekey_testing::objects::*;
use stablekey_testing::replica::until;

/// "Credentials by Secret bound to hosts by `--git-host`; without it nothing is fetched".
#[test]
fn nothing_is_fetched_from_a_host_that_the_operator_does_not_name() {
    let env = GitEnv::new("hosts");
    env.commit(&[connection("crm", "api")]);
    let _syncer = env.syncer_of(&[]);
    env.in_us(&[env.tenant()]);
    until_ready(&env.us, US, "HostRefused");
    assert!(env.message().contains(&format!("--git-host {}", env.server.host())), "{}", env.message());
    assert_eq!((env.server.take_seen().len(), env.server.refused()), (0, 0));
    assert_eq!(field(&env.us, "connection/crm", ".metadata.uid"), "");
}

/// "…and by the Secret's `stablekey.dev/hosts`".
#[test]
fn credentials_are_sent_only_to_the_hosts_of_their_secret() {
    let env = GitEnv::new("secret");
    let commit = env.commit(&[connection("crm", "api")]);
    let _syncer = env.syncer();
    let good = env.credentials(stablekey_testing::git_server::USER, stablekey_testing::git_server::PASSWORD);
    for (hosts, words) in [
        (json!({}), "does not say to which hosts"),
        (json!({"stablekey.dev/hosts": "git.example"}), "belongs to git.example"),
    ] {
        // Annotations that are not in an apply any more are removed.
        env.in_us(&[with(good.clone(), "/metadata/annotations", hosts), env.tenant()]);
        until_ready(&env.us, US, "CredentialsRefused");
        stablekey_testing::replica::until(words, || env.message().contains(words));
    }
    assert_eq!((env.server.take_seen().len(), env.server.refused()), (0, 0));
    env.in_us(&[good]);
    env.until_applied(&commit);
    let said = kubectl(&env.us, &["get", "tenants,events", "-o", "yaml"]);
    assert!(!said.contains("CANARY"), "{said}");
}

/// Two tenants of one source are errors on both.
#[test]
fn two_tenants_do_not_share_a_source() {
    let env = GitEnv::new("shared");
    env.commit(&[connection("crm", "api")]);
    let _syncer = env.syncer();
    let mut second = env.tenant();
    second["metadata"]["name"] = json!("second");
    // Written in another way.
    let url = env.server.url("tenants.git").replace("localhost", "LocalHost");
    second["spec"]["source"]["git"]["url"] = json!(url.strip_suffix(".git").unwrap());
    second["spec"]["location"] = json!({"kubernetes": {"namespace": "x", "kubeconfig": {"secretRef": {"name": "stablekey-kubeconfigs", "key": "x"}}}});
    env.in_us(&[env.tenant(), second]);
    until_ready(&env.us, US, "SourceShared");
    assert!(env.message().contains("second has the same source"), "{}", env.message());
    // Nor a folder and one around it, also if another role reads that.
    kubectl(&env.us, &["delete", "tenant", "second"]);
    until_ready(&env.us, US, "InSync");
    let platform = json!({"url": "https://app.prismatic.io", "tokenFrom": {"secretRef": {"name": "t", "key": "k"}}});
    let git = env.git(json!({"path": null}));
    env.in_us(&[tenant("third", json!({"source": {"git": git}, "location": {"prismatic": platform}}))]);
    until_ready(&env.us, US, "SourceShared");
    let why = "its source (tenants/us) lies in that of third (the whole repository)";
    assert!(env.message().contains(why), "{}", env.message());
}

/// A link that leads into the folder of a Tenant that comes later is an error from then on, in the same commit.
#[test]
fn a_link_into_the_folder_of_another_tenant_is_an_error() {
    let env = GitEnv::new("linked");
    let mut files = source(&[connection("crm", "api")]);
    files.insert("tenants/eu/erp.yaml".into(), File::Regular(connection("erp", "api").to_string().into_bytes()));
    files.insert("tenants/us/erp.yaml".into(), File::Link("../eu/erp.yaml".into()));
    env.repository.commit("main", &files);
    let _syncer = env.syncer();
    env.in_us(&[env.tenant()]);
    until_ready(&env.us, US, "InSync");
    let location = json!({"kubernetes": {"namespace": "x", "kubeconfig": {"secretRef": {"name": "stablekey-kubeconfigs", "key": "x"}}}});
    let git = env.git(json!({"path": "tenants/eu"}));
    env.in_us(&[tenant("eu", json!({"source": {"git": git}, "location": location}))]);
    until("it is named", || env.message().contains("this link leads into the folder of tenant eu"));
    assert_ne!(field(&env.us, "connection/erp", ".metadata.uid"), "", "nothing is removed because of it");
}
