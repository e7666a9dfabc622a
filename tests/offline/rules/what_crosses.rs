//! What a sync copies: spec only.

use stablekey::api::*;
use stablekey::engine::model::code::Code;
use stablekey_testing::world::{Given, world};

const X: &str = "eu/Connection/crm";
const I: &str = "eu/Integration/i";

fn us_to_eu() -> Given {
    world()
        .tenant("us", |t| {
            t.connection("crm", "http/basic").secret("password", "us-secret").integration("i").binds("CRM", "crm")
        })
        .tenant("eu", |t| t.accepts("us"))
        .sync("s", "us", "eu")
        .mirror()
}

/// "no labels, annotations, test inputs, deletionPolicy or CustomerCredentials".
#[test]
fn labels_annotations_test_inputs_deletion_policy_and_credentials_are_not_copied() {
    for create in [false, true] {
        let w = us_to_eu().tenant("us", |t| {
            t.edit("Connection/crm")
                .label("team", "sales")
                .test_input("username", "tester")
                .deletion(DeletionPolicy::Delete)
                .per_customer("username")
                .customer("Acme", "crm")
                .edit("Integration/i")
                .label("team", "sales")
        });
        let w = if create { w.create() } else { w };
        let done = w.applied();
        for field in ["metadata.labels.team", "metadata.annotations.team", "test.inputs.username", "deletionPolicy"] {
            assert_eq!(done.value(X, field), None, "{field}");
        }
        assert_eq!(done.value(I, "metadata.labels.team"), None);
        assert!(done.live("eu").customer_credentials.is_empty());
        done.plan().is_empty();
    }
}

/// What is not copied is not compared either: the target's own is kept.
#[test]
fn uncopied_fields_of_the_target_are_kept() {
    let w = us_to_eu().applied().tenant("eu", |t| {
        t.edit("Connection/crm").label("a", "b").test_input("username", "x").deletion(DeletionPolicy::Delete)
    });
    w.plan().is_empty().holds_nothing().has_no_drift();
}

#[test]
fn no_component_is_copied() {
    let w = us_to_eu().tenant("us", |t| t.component("http/basic"));
    assert!(w.applied().live("eu").components.is_empty());
}

/// A secretRef (a name, never content) is copied when its input is first written.
///
/// "A secretRef (a name, never content) crosses when that input is first written".
#[test]
fn a_secret_ref_is_copied_when_its_input_is_first_written() {
    us_to_eu().plan().action(X).is_create().sets("inputs.password");
    let later = us_to_eu().applied().tenant("us", |t| t.edit("Connection/crm").secret("token", "us-secret"));
    later.plan().action(X).is_update().sets("inputs.token").does_not_touch("inputs.password");
    later.applied().plan().is_empty();
}

/// From then on it is the target's: changes in either place are ignored.
///
/// "from then on it is the target's".
#[test]
fn a_copied_secret_ref_belongs_to_the_target() {
    let w = us_to_eu()
        .applied()
        .tenant("eu", |t| t.drift(Drift::Correct).edit("Connection/crm").secret("password", "eu-secret"));
    w.plan().is_empty().has_no_drift().holds_nothing();
    let moved = w.tenant("us", |t| t.edit("Connection/crm").secret("password", "us-other"));
    moved.plan().is_empty().has_no_drift().holds_nothing();
}

/// The target may replace it by anything.
#[test]
fn a_copied_secret_ref_may_be_replaced_by_the_target() {
    let w = us_to_eu().applied().tenant("eu", |t| t.drift(Drift::Correct));
    w.clone().tenant("eu", |t| t.edit("Connection/crm").per_customer("password")).plan().is_empty().has_no_drift();
    w.clone().tenant("eu", |t| t.edit("Connection/crm").without_input("password")).plan().is_empty().has_no_drift();
    let moved = |w: Given| w.tenant("us", |t| t.edit("Connection/crm").secret("password", "us-other"));
    moved(w).tenant("eu", |t| t.edit("Connection/crm").without_input("password")).plan().is_empty();
}

/// It is kept when the source removes it.
#[test]
fn a_secret_ref_removed_from_the_source_is_kept_in_the_target() {
    let w = us_to_eu().applied().tenant("us", |t| t.edit("Connection/crm").without_input("password"));
    w.plan().action(X).is_adopt().forgets("inputs.password");
    let done = w.applied();
    assert!(done.value(X, "inputs.password").is_some());
    done.plan().is_empty();
}

/// A managed value that becomes a secretRef in the source is copied: it is first written then.
#[test]
fn a_value_that_becomes_a_secret_ref_is_copied() {
    let w = us_to_eu()
        .tenant("us", |t| t.edit("Connection/crm").input("user", "me"))
        .applied()
        .tenant("us", |t| t.edit("Connection/crm").secret("user", "s"));
    w.plan().action(X).is_update().sets("inputs.user");
    w.applied().plan().is_empty();
}

/// The target's own source names its own Secrets: that is not a conflict.
#[test]
fn the_targets_own_source_names_its_own_secrets() {
    let w = us_to_eu().tenant("eu", |t| t.declares().connection("crm", "http/basic").secret("password", "eu-secret"));
    w.plan().finds_no(Code::WriterConflict);
    let done = w.applied();
    assert_eq!(
        done.value(X, "inputs.password"),
        Some(serde_json::json!({"secretRef": {"name": "eu-secret", "key": "password"}}))
    );
    assert_eq!(done.writers(X, "inputs.password"), ["source"]);
    done.plan().is_empty();
}

/// An input's value is copied with the target's overrides.
#[test]
fn an_override_of_an_input_applies_to_its_tenant_only() {
    let w = us_to_eu()
        .tenant("us", |t| t.edit("Connection/crm").input("scopes", "api"))
        .tenant("ap", |t| t.accepts("us"))
        .sync("s2", "us", "ap")
        .mirror()
        .of_sync("s")
        .overriding_input("eu", "crm", "scopes", "api eu");
    let done = w.applied();
    assert_eq!(done.value(X, "inputs.scopes"), Some(serde_json::json!({"value": "api eu"})));
    assert_eq!(done.value("ap/Connection/crm", "inputs.scopes"), Some(serde_json::json!({"value": "api"})));
    done.plan().is_empty().finds_no(Code::OverrideMatchesNothing);
}

/// A sync uses connections as they are bound in the target, after overrides.
///
/// "What a sync uses: as bound in the target, after overrides".
#[test]
fn a_sync_uses_what_is_bound_in_the_target_after_overrides() {
    let w = us_to_eu()
        .overriding_variable("eu", "i", "CRM", "crm-eu")
        .tenant("eu", |t| t.connection("crm-eu", "http/basic"));
    let plan = w.plan();
    plan.leaves_alone(X).action(I).is_create();
    let done = plan.done();
    assert_eq!(done.value(I, "connections.CRM"), Some(serde_json::json!({"stableKey": "crm-eu"})));
    done.plan().is_empty().finds_no(Code::OverrideMatchesNothing);
}

/// {tenant, stableKey, field: title | description | embeddedWorkflows, value, reason}
#[test]
fn an_override_of_a_field_applies_to_its_tenant_only() {
    let w = us_to_eu()
        .tenant("us", |t| t.edit("Connection/crm").title("CRM").embedded(true))
        .overriding_field("eu", "crm", "title", "CRM EU")
        .overriding_field("eu", "crm", "description", "of the EU")
        .overriding_field("eu", "crm", "embeddedWorkflows", "false");
    let done = w.applied();
    assert_eq!(done.value(X, "title"), Some("CRM EU".into()));
    assert_eq!(done.value(X, "description"), Some("of the EU".into()));
    assert_eq!(done.value(X, "embeddedWorkflows"), Some(false.into()));
    assert_eq!(done.writers(X, "title"), ["sync/s"]);
    done.plan().is_empty().exits(0).finds_no(Code::OverrideMatchesNothing);
    // A removed override restores the source's value.
    let mut without = done;
    std::sync::Arc::make_mut(&mut without.world.syncs[0].spec).overrides.clear();
    without.plan().action(X).sets("title").removes("description").sets("embeddedWorkflows");
}

/// {tenant, stableKey, input, secretRef: {name, key}, reason}
#[test]
fn an_override_of_a_secret_applies_to_its_tenant_only() {
    let secret = |name: &str| Some(serde_json::json!({"secretRef": {"name": name, "key": "password"}}));
    let w = us_to_eu().overriding_secret("eu", "crm", "password", "eu-secret");
    assert_eq!(w.applied().value(X, "inputs.password"), secret("eu-secret"));
    w.applied().plan().is_empty().finds_no(Code::OverrideMatchesNothing);
    // The override changes a Secret that the sync wrote before.
    let later = us_to_eu().applied().overriding_secret("eu", "crm", "password", "eu-secret");
    later.plan().action(X).is_update().sets("inputs.password");
    assert_eq!(later.applied().value(X, "inputs.password"), secret("eu-secret"));
    later.applied().plan().is_empty();
    // One that the target has of its own is kept.
    let own = us_to_eu()
        .tenant("eu", |t| t.connection("crm", "http/basic").secret("password", "own"))
        .overriding_secret("eu", "crm", "password", "eu-secret");
    own.applied().plan().is_empty().holds_nothing();
    assert_eq!(own.applied().value(X, "inputs.password"), secret("own"));
    let edited = later.applied().tenant("eu", |t| t.edit("Connection/crm").secret("password", "own"));
    edited.plan().is_empty().has_no_drift().holds_nothing();
}

/// {tenant, object, field, keep: true}: the sync does not change the field there.
#[test]
fn an_override_can_keep_a_field_of_the_target() {
    let kept = |w: Given| {
        w.keeping("eu", "Connection/crm", "title").keeping("eu", "Integration/i", "definition").keeping(
            "eu",
            "Integration/i",
            "connections.CRM",
        )
    };
    let us = |title: &'static str, definition: &'static str| {
        move |t: stablekey_testing::world::GivenTenant| {
            t.edit("Connection/crm")
                .title(title)
                .edit("Integration/i")
                .title(title)
                .binds("Other", "crm")
                .defined(definition)
        }
    };
    // Foreign, drifted, or as it was written: no write, no note, no exit code.
    let own = us_to_eu().tenant("us", us("US", "d1")).tenant("eu", |t| {
        t.connection("crm", "http/basic")
            .title("EU")
            .connection("mine", "http/basic")
            .integration("i")
            .binds("CRM", "mine")
            .defined("pilot")
    });
    let drifted = us_to_eu()
        .tenant("us", us("US", "d1"))
        .applied()
        .tenant("eu", |t| t.edit("Connection/crm").title("EU").edit("Integration/i").defined("pilot"));
    let written = us_to_eu().tenant("us", us("US", "d1")).applied().tenant("us", us("US 2", "d2"));
    for w in [own, drifted, written] {
        let w = kept(w);
        let before = w.clone();
        let plan = w.plan();
        plan.holds_nothing().has_no_drift().blocks_nothing().finds_no(Code::OverrideMatchesNothing);
        let done = plan.done();
        for (object, field) in [(X, "title"), (I, "definition"), (I, "connections.CRM")] {
            assert_eq!(done.value(object, field), before.value(object, field), "{field}");
            // The record is unchanged: removing the override restores the earlier state.
            assert_eq!(done.writers(object, field), before.writers(object, field), "{field}");
        }
        // Other fields are still updated.
        assert_eq!(done.value(I, "title"), done.live("us").integrations["i"].spec.title.clone().map(Into::into));
        done.plan().is_empty().exits(0);
    }
    // Also if the source no longer has it, and if the object is new.
    let gone = kept(us_to_eu().tenant("us", us("US", "d1")).applied())
        .tenant("us", |t| t.edit("Connection/crm").without_title());
    gone.plan().is_empty();
    let new = kept(us_to_eu().tenant("us", us("US", "d1"))).applied();
    assert_eq!((new.value(X, "title"), new.value(I, "definition")), (None, None));
    new.plan().is_empty();
}

/// A field that a sync leaves alone conflicts with no writer.
#[test]
fn a_kept_field_conflicts_with_no_writer() {
    let w = us_to_eu()
        .tenant("us", |t| t.edit("Connection/crm").title("US"))
        .tenant("ap", |t| t.connection("crm", "http/basic").title("AP").integration("j").binds("CRM", "crm"))
        .tenant("eu", |t| t.accepts("ap"))
        .sync("s2", "ap", "eu")
        .mirror();
    w.plan().finding(Code::WriterConflict);
    let kept = w.keeping("eu", "Connection/crm", "title");
    kept.plan().finds_no(Code::WriterConflict);
    assert_eq!(kept.applied().value(X, "title"), Some("US".into()));
    assert_eq!(kept.applied().writers(X, "title"), ["sync/s"]);
    kept.applied().plan().is_empty();
}

/// Two overrides for one input or variable are an error that blocks what the sync writes to that tenant.
///
/// "two for one input or variable likewise". "an error that holds back what its sync writes to that tenant".
#[test]
fn two_overrides_of_one_field_block_the_sync_in_that_tenant() {
    let doubled: [fn(Given) -> Given; 5] = [
        |w| w.overriding_input("eu", "crm", "scopes", "a").overriding_input("eu", "crm", "scopes", "b"),
        |w| w.overriding_input("eu", "crm", "x", "a").overriding_secret("eu", "crm", "x", "s"),
        |w| w.overriding_variable("eu", "i", "CRM", "crm").overriding_variable("eu", "i", "CRM", "crm-eu"),
        |w| w.overriding_field("eu", "crm", "title", "a").keeping("eu", "Connection/crm", "title"),
        |w| w.overriding_input("eu", "crm", "x", "a").keeping("eu", "Connection/crm", "inputs.x"),
    ];
    for double in doubled {
        let w = double(us_to_eu().tenant("ap", |t| t.accepts("us")).sync("s2", "us", "ap").mirror().of_sync("s"));
        let plan = w.plan();
        assert!(plan.finding(Code::OverrideTwice).text.contains("overrides 1 and 2 both change"), "{plan}");
        plan.leaves_alone(X).leaves_alone(I).exits(1).action("ap/Connection/crm").is_create();
        // Nor does it drop anything there.
        let after = double(us_to_eu().prune().applied().tenant("eu", |t| t.allows_delete()))
            .tenant("us", |t| t.without("Integration/i"));
        after.plan().is_empty().exits(1);
    }
    // One for each of two tenants is fine.
    let each = us_to_eu().overriding_input("eu", "crm", "x", "a").overriding_input("ap", "crm", "x", "b");
    each.plan().finds_no(Code::OverrideTwice);
}

/// An override that matches nothing is an error that blocks what its sync writes to that tenant.
///
/// "An override that matches nothing is an error that holds back what its sync writes to that tenant".
#[test]
fn an_override_that_matches_nothing_is_an_error() {
    for w in [
        us_to_eu().overriding_input("eu", "nothing", "scopes", "x"),
        us_to_eu().overriding_variable("eu", "i", "nothing", "crm"),
        us_to_eu().overriding_variable("eu", "nothing", "CRM", "crm"),
    ] {
        w.plan().exits(1).finding(Code::OverrideMatchesNothing);
    }
}

/// Mode `Match`, the default.
///
/// "`Match` (none is written; the default)".
#[test]
fn match_writes_no_connection() {
    let w = world()
        .tenant("us", |t| t.connection("crm", "http/basic").title("US").integration("i").binds("CRM", "crm"))
        .tenant("eu", |t| t.accepts("us").connection("crm", "http/basic"))
        .sync("s", "us", "eu");
    assert_eq!(w.plan().ids(), [I]);
}

/// Mode `Create` creates connections that the integrations use and the target lacks; from then on they are the
/// target's.
///
/// "`Create` (those that the integrations use and the target lacks; theirs from then on)".
#[test]
fn objects_of_mode_create_belong_to_the_target() {
    let w = us_to_eu().create().tenant("us", |t| t.connection("unused", "http/basic"));
    let plan = w.plan();
    plan.leaves_alone("eu/Connection/unused").action(X).is_create();
    let done = plan.done().tenant("us", |t| t.edit("Connection/crm").title("New").input("scopes", "all"));
    done.plan().is_empty();
    let edited = done.tenant("eu", |t| t.edit("Connection/crm").title("Theirs"));
    edited.plan().is_empty().has_no_drift().holds_nothing();
}

/// Mode `Mirror` keeps connections that the integrations use in sync, except fields that the target owns.
#[test]
fn mirror_keeps_connections_in_sync_except_owned_fields() {
    let w = us_to_eu()
        .tenant("us", |t| {
            t.edit("Connection/crm").title("US").input("scopes", "api").connection("unused", "http/basic")
        })
        .tenant("eu", |t| t.connection("crm", "http/basic").title("EU"));
    let plan = w.plan();
    plan.leaves_alone("eu/Connection/unused").action(X).is_update().sets("inputs.scopes").does_not_touch("title");
    assert_eq!(plan.holds(X, "title"), "eu");
    let moved = plan.done().tenant("us", |t| t.edit("Connection/crm").title("US 2").input("scopes", "all"));
    moved.plan().action(X).sets("inputs.scopes").does_not_touch("title");
}

/// A sync does not write an integration with a variable that would be missing in the target: it is blocked, and the
/// target's version is kept.
///
/// "A sync does not write an integration of which a variable would be missing in the target … : blocked, and the
/// target keeps what it has".
#[test]
fn an_integration_with_a_missing_variable_is_blocked() {
    let w = world()
        .tenant("us", |t| t.connection("crm", "http/basic").integration("i").title("New").binds("CRM", "crm"))
        .tenant("eu", |t| t.accepts("us"))
        .sync("s", "us", "eu");
    w.plan().blocks(I, Code::BindingMissing);
    w.plan().is_empty().exits(3);
    // An existing one is kept, even if the sync prunes.
    let w = w.prune().tenant("eu", |t| t.allows_delete().integration("i").title("Old").written_by("sync/s", true));
    w.plan().blocks(I, Code::BindingMissing);
    w.plan().is_empty();
}

/// The same if another writer has the object too: it continues, and removes nothing.
#[test]
fn a_blocked_sync_drops_nothing() {
    let w = us_to_eu()
        .tenant("us", |t| t.edit("Integration/i").title("I"))
        .tenant("eu", |t| t.declares().integration("i").defined("d1"))
        .applied()
        .tenant("us", |t| t.connection("chat", "http/basic").edit("Integration/i").binds("Chat", "chat").title("New"))
        .of_sync("s")
        .tenant("eu", |t| t.declares().edit("Integration/i").defined("d2"));
    // In mode Match the new connection would be missing there.
    let mut w = w;
    std::sync::Arc::make_mut(&mut w.world.syncs[0].spec).connections = None;
    let plan = w.plan();
    plan.blocks(I, Code::BindingMissing);
    plan.action(I).sets("definition").does_not_touch("title").does_not_touch("connections.CRM");
}

/// Bound to another component or type in the target: blocked. Other credentials are a warning.
///
/// "or bound there to another component or type". "Other credentials: a warning".
#[test]
fn an_integration_bound_to_another_component_or_type_is_blocked() {
    let told = |kind: &str| {
        world()
            .tenant("us", |t| t.connection("crm", "http/basic").integration("i").binds("CRM", "crm"))
            .tenant("eu", |t| t.accepts("us").connection("crm", kind))
            .sync("s", "us", "eu")
    };
    told("hubspot/basic").plan().blocks(I, Code::KeyDiffers);
    told("http/oauth2").plan().blocks(I, Code::KeyDiffers);
    let other = told("http/basic").tenant("eu", |t| t.edit("Connection/crm").credentials(Credentials::Customer));
    other.plan().blocks_nothing().action(I).is_create();
    other.plan().finding(Code::CredentialsDiffer);
    other.applied().plan().exits(0);
}

/// An overridden variable must have the kind that the source binds, too.
#[test]
fn an_override_to_another_kind_is_blocked() {
    let w = us_to_eu()
        .overriding_variable("eu", "i", "CRM", "other")
        .tenant("eu", |t| t.connection("other", "hubspot/basic"));
    w.plan().blocks(I, Code::KeyDiffers);
}

/// A connection that is not ready is a manual step.
#[test]
fn not_ready_does_not_block() {
    let w = us_to_eu().tenant("eu", |t| t.component("http/basic").requires("host"));
    let plan = w.plan();
    plan.blocks_nothing().action(I).is_create();
    plan.finding(Code::BindingNotReady);
    let manual = plan.manual(X);
    assert!(manual.iter().any(|(who, _, text)| *who == "platform team" && text.contains("us-secret")), "{manual:?}");
}

/// Own variables are copied unchanged: each tenant's integration has its own connection.
#[test]
fn own_variables_are_copied_unchanged() {
    let w = us_to_eu().tenant("us", |t| t.edit("Integration/i").owns("DB", "postgres/basic"));
    w.plan().action(I).is_create().sets("connections.DB");
    w.applied().plan().is_empty();
}

/// A definition is copied with its integration, and fetched from where it was read.
#[test]
fn a_definition_is_copied_with_its_integration() {
    let w = us_to_eu().tenant("us", |t| t.edit("Integration/i").defined("d1"));
    let plan = w.plan();
    let from = plan.action(I).sets("definition").action.change.definition.clone().unwrap();
    assert_eq!((from.tenant.as_str(), from.source, from.digest.as_str()), ("us", false, "d1"));
    plan.done().plan().is_empty();
    let moved = plan.done().tenant("us", |t| t.edit("Integration/i").defined("d2"));
    moved.plan().action(I).is_update().sets("definition");
}

/// A target is not made to name a definition that does not exist there; its own is kept.
#[test]
fn without_its_definition_an_integration_is_not_copied() {
    let w = us_to_eu().tenant("us", |t| t.edit("Integration/i").defined("d1")).applied();
    let without = w.tenant("us", |t| t.edit("Integration/i").title("New").defined_out_of_reach("lead-v2"));
    let plan = without.plan();
    assert!(plan.blocks(I, Code::DefinitionMissing).contains("ConfigMap lead-v2, which us does not have"), "{plan}");
    plan.leaves_alone(I).exits(3);
    without.tenant("us", |t| t.edit("Integration/i").defined("d2")).plan().action(I).sets("definition").sets("title");
    // A definition that stayed in Git has no ConfigMap.
    us_to_eu().plan().blocks_nothing();
}

/// An Integration with `definition: {file}` in a cluster is not Ready, and no sync copies it (SK0145).
///
/// "An Integration that comes to a cluster with `definition: {file}` is not Ready (DefinitionNotDelivered) and no sync
/// carries it (SK0145)".
#[test]
fn an_undelivered_integration_is_not_copied() {
    let fresh = us_to_eu().tenant("us", |t| t.edit("Integration/i").undelivered());
    fresh.plan().blocks(I, Code::DefinitionMissing);
    fresh.plan().leaves_alone(I).exits(3);
    let brought = us_to_eu().tenant("us", |t| t.edit("Integration/i").defined("d1")).applied();
    let left_behind = brought.tenant("us", |t| t.edit("Integration/i").title("New").undelivered());
    let plan = left_behind.plan();
    let text = plan.blocks(I, Code::DefinitionMissing);
    assert!(text.contains("i.definition, a file that was not delivered to us"), "{text}");
    plan.leaves_alone(I).exits(3);
    let finding = plan.finding(Code::DefinitionMissing);
    assert_eq!(finding.tenant.as_deref(), Some("us"));
    assert!(finding.fix.contains("stablekey render us | kubectl apply --server-side -f -"), "{finding:?}");
    // Once it is delivered, it is copied.
    left_behind.tenant("us", |t| t.edit("Integration/i").defined("d2")).plan().action(I).sets("definition");
}

/// Integrations by exact name, or with `*`.
///
/// "integrations (names, exact but for `*`)".
#[test]
fn only_the_named_integrations_are_copied() {
    let w = us_to_eu().of_integrations(&["lead-*", "exact"]).tenant("us", |t| {
        t.integration("lead-router").title("x").integration("exact").title("x").integration("exactly").title("x")
    });
    assert_eq!(w.plan().ids(), ["eu/Integration/exact", "eu/Integration/lead-router"]);
}

/// Labels of people are copied from a tenant's own manifests; those that kubectl, Flux, Argo CD and Stablekey set for
/// themselves are not.
#[test]
fn labels_of_people_are_copied_and_those_of_tools_are_not() {
    let of_people =
        ["team", "argocd.argoproj.io/sync-wave", "app.kubernetes.io/instance", "stablekey.dev/allow-delete"];
    let of_tools = [
        "kubectl.kubernetes.io/last-applied-configuration",
        "stablekey.dev/wrote",
        "kustomize.toolkit.fluxcd.io/name",
        "helm.toolkit.fluxcd.io/namespace",
        "argocd.argoproj.io/tracking-id",
        "meta.helm.sh/release-name",
        "reconcile.fluxcd.io/requestedAt",
    ];
    let w = world().tenant("eu", |t| {
        let mut t = t.declares().connection("crm", "http/basic");
        for name in of_people.iter().chain(&of_tools) {
            t = t.label(name, "x");
        }
        t.integration("i").label("stablekey.dev/wrote", "{}")
    });
    let done = w.applied();
    let meta = &done.live("eu").connections["crm"].metadata;
    let kept: Vec<&str> = meta.annotations.keys().map(String::as_str).collect();
    let mut wanted = of_people.to_vec();
    wanted.sort_unstable();
    assert_eq!(kept, wanted);
    assert_eq!(meta.labels.keys().map(String::as_str).collect::<Vec<_>>(), wanted);
    assert!(done.live("eu").integrations["i"].metadata.annotations.is_empty());
    done.plan().is_empty().exits(0);
    // A label that a tool then sets on the new object is not a difference.
    let watched = done.tenant("eu", |t| t.edit("Connection/crm").label("kustomize.toolkit.fluxcd.io/name", "apps"));
    watched.plan().is_empty().holds_nothing().has_no_drift().exits(0);
}

/// A variable is not moved from a Ready connection to one that is not: the new connection is created, the move waits
/// (unresolved), and happens by itself once it is Ready.
///
/// "a variable is not moved from a connection that is Ready to one that is not: the new connection is made, the move
/// waits (unresolved …), and happens by itself once it is Ready".
#[test]
fn a_working_binding_waits_for_a_working_connection() {
    let w = world()
        .tenant("us", |t| {
            t.connection("crm", "http/basic")
                .input("host", "a")
                .connection("crm-2", "http/basic")
                .integration("i")
                .title("I")
                .binds("CRM", "crm")
        })
        .tenant("eu", |t| t.accepts("us").component("http/basic").requires("host"))
        .sync("s", "us", "eu")
        .mirror()
        .applied()
        .tenant("us", |t| t.edit("Integration/i").title("II").binds("CRM", "crm-2"));
    let plan = w.plan();
    assert!(plan.blocks(I, Code::BindingWaits).contains("crm-2, which lacks host"), "{plan}");
    plan.leaves_alone(I).exits(3).action("eu/Connection/crm-2").is_create();
    let done = plan.done();
    done.plan().is_empty().exits(3);
    assert_eq!(done.value(I, "connections.CRM"), Some(serde_json::json!({"stableKey": "crm"})));
    let complete = done.tenant("us", |t| t.edit("Connection/crm-2").input("host", "b"));
    complete.plan().action(I).is_update().sets("connections.CRM").waits_for("eu/Connection/crm-2");
    complete.applied().plan().is_empty().exits(0);
    // A variable whose connection does not work, or that is new, need not wait.
    w.clone().tenant("eu", |t| t.edit("Connection/crm").without_input("host")).plan().blocks_nothing();
    w.tenant("us", |t| t.integration("j").binds("CRM", "crm-2")).plan().action("eu/Integration/j").is_create();
}

/// A binding that an override leaves alone is used as before, and its connection is copied as before.
///
/// "The sync leaves it alone there".
#[test]
fn the_connection_of_a_kept_binding_is_still_copied() {
    let w = world()
        .tenant("us", |t| t.connection("crm", "http/basic").input("region", "a").integration("i").binds("V", "crm"))
        .tenant("eu", |t| t.accepts("us").allows_delete())
        .sync("s", "us", "eu")
        .mirror()
        .prune()
        .applied()
        .keeping("eu", "Integration/i", "connections.V")
        .tenant("us", |t| t.edit("Connection/crm").input("region", "b"));
    let plan = w.plan();
    plan.action("eu/Connection/crm").is_update().sets("inputs.region");
    plan.holds_nothing();
}
