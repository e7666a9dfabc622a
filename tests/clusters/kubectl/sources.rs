//! The policy of sources in Git: whoever gives a Tenant such a source, or approves what one wants, needs the verb approve
//! on tenants (manifests/policies/approve-sources.yaml).

use crate::kubectl::policies::{APPROVER, EDITOR, Guarded, guarded, tenant};
use crate::kubectl::support::output_of;
use serde_json::{Value, json};
use stablekey_clusters::{Namespace, run};

const PATCH: &str = "patch tenant us-prod --type=merge --patch";

fn git() -> Value {
    json!({"git": {"url": "https://git.example/x.git", "branch": "main"}})
}

/// Asserts that the editor is refused with a reason, and that the approver is not.
fn takes_approval(guarded: &Guarded, namespace: &Namespace, what: &str, words: &str) {
    let said = run(&mut guarded.kubectl(EDITOR, namespace, words)).unwrap_err().to_string();
    let why = format!(
        "{what} takes the verb approve on tenants.stablekey.dev, which editor does not have in namespace {}",
        namespace.name()
    );
    assert!(said.contains(&why), "{words}\nshould be refused with {why}\nand says {said}");
    output_of(&mut guarded.kubectl(APPROVER, namespace, words));
}

#[test]
fn a_source_in_git_and_its_approvals_take_the_verb() {
    let guarded = guarded();
    let namespace = guarded.namespace();
    // A Tenant without one is an editor's.
    guarded.apply(EDITOR, &namespace, &tenant(json!({"acceptFrom": ["dev"]}))).unwrap();
    let source = format!(r#"{PATCH} {{"spec":{{"source":{}}}}}"#, git());
    takes_approval(guarded, &namespace, "a source in Git", &source);
    let changed = "changing a Tenant with a source in Git";
    for change in [
        r#"{"spec":{"source":{"prune":true}}}"#,
        r#"{"spec":{"source":{"git":{"branch":"other"}}}}"#,
        r#"{"spec":{"policy":{"actions":["Create","Update","Delete"]}}}"#,
    ] {
        takes_approval(guarded, &namespace, changed, &format!("{PATCH} {change}"));
    }
    let approve = "annotate --overwrite tenant us-prod stablekey.dev/approve=sha256:aa";
    takes_approval(guarded, &namespace, "the annotation stablekey.dev/approve of a Tenant", approve);

    // What only stops something needs no permission, and going on does.
    for change in [r#"{"spec":{"suspend":true}}"#, r#"{"metadata":{"annotations":{"stablekey.dev/approve":null}}}"#] {
        output_of(&mut guarded.kubectl(EDITOR, &namespace, &format!("{PATCH} {change}")));
    }
    takes_approval(guarded, &namespace, changed, &format!(r#"{PATCH} {{"spec":{{"suspend":false}}}}"#));
    let without = r#"{"spec":{"source":null}}"#;
    output_of(&mut guarded.kubectl(EDITOR, &namespace, &format!("{PATCH} {without}")));
}

/// The same as in files: `tests/offline/cel.rs`.
#[test]
fn a_source_is_one_folder_or_one_repository() {
    let guarded = guarded();
    let namespace = guarded.namespace();
    let git = |changes: Value| {
        let mut git = json!({"url": "https://git.example/x.git", "branch": "main"});
        git.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        json!({"source": {"git": git}})
    };
    let apply = |spec: Value| guarded.apply(APPROVER, &namespace, &tenant(spec));
    for (spec, why) in [
        (json!({"source": {}}), "exactly one of path, git"),
        (
            json!({"source": {"path": "x", "git": {"url": "https://git.example/x.git", "tag": "v1"}}}),
            "exactly one of path, git",
        ),
        (git(json!({"tag": "v1"})), "exactly one of branch, tag, commit"),
        (git(json!({"url": "ssh://git@git.example/x.git"})), "spec.source.git.url"),
        (git(json!({"url": "https://ann:secret@git.example/x.git"})), "spec.source.git.url"),
        (git(json!({"interval": "0s"})), "spec.source.git.interval"),
        (json!({"source": {"git": {"url": "https://git.example/x.git", "commit": "abc"}}}), "spec.source.git.commit"),
    ] {
        let said = apply(spec.clone()).unwrap_err();
        assert!(said.contains(why), "{spec}: {said}");
    }
    apply(git(json!({"path": "tenants/us", "interval": "5m", "secretRef": {"name": "stablekey-git"}}))).unwrap();
}
