//! Exactly one connection per stable key in a tenant.

use stablekey::api::*;
use stablekey::engine::bindings::Bindings;
use stablekey::engine::model::code::Code;
use stablekey::engine::resolve::{Binding, Replacements};
use stablekey_testing::world::{Given, GivenTenant, world};

/// Resolves a variable of an integration in a tenant: a stable key, or `missing` and the like.
fn means(w: &Given, tenant: &str, integration: &str, variable: &str) -> String {
    let inventory = w.live(tenant);
    let replacements = Replacements::of(tenant, inventory);
    let bindings = Bindings::of(tenant, inventory, &replacements);
    let row = bindings.rows.iter().find(|r| r.integration == integration && r.variable.name == variable).unwrap();
    match &row.resolution.binding {
        Binding::Bound(connection) => connection.spec.stable_key.clone(),
        Binding::Own => "own".to_string(),
        Binding::Foreign(_) => "foreign".to_string(),
        Binding::Missing => "missing".to_string(),
        Binding::Unknown(_) => "unknown".to_string(),
    }
}

fn asks(t: GivenTenant) -> GivenTenant {
    t.integration("i").binds("CRM", "old")
}

fn one(tell: impl FnOnce(GivenTenant) -> GivenTenant) -> Given {
    world().tenant("prod", |t| asks(tell(t)))
}

/// Keys that differ only in case, or in `_` and `-`, cannot both exist.
///
/// "keys that differ only in case or in `_` and `-` cannot both exist".
#[test]
fn keys_that_differ_in_case_or_hyphens_share_a_name_and_never_a_binding() {
    let w = world()
        .tenant("prod", |t| t.connection("Sales_Force", "http/basic").integration("i").binds("CRM", "sales-force"));
    assert_eq!(means(&w, "prod", "i", "CRM"), "missing");
    let w = w.tenant("prod", |t| t.declares().connection("sales-force", "http/basic"));
    w.plan().blocks("prod/Connection/sales-force", Code::Occupied);
    w.plan().is_empty();
}

/// In files, two documents with one key are an error on both: the object is invalid, and left as it is.
///
/// "in files two documents with one key are an error on both".
#[test]
fn a_duplicate_object_is_left_as_it_is() {
    let w = world().tenant("prod", |t| {
        t.connection("crm", "http/basic")
            .declares()
            .connection("crm", "http/basic")
            .title("new")
            .invalid("Connection/crm")
    });
    w.plan().finding(Code::ObjectInvalid);
    w.plan().is_empty().exits(1);
}

/// "A stable key never changes".
#[test]
fn a_stable_key_never_changes() {
    let w = world()
        .tenant("prod", |t| t.declares().connection("crm-x", "http/basic"))
        .applied()
        .tenant("prod", |t| t.drift(Drift::Correct).declares().connection("crm_x", "http/basic"));
    w.plan().blocks("prod/Connection/crm-x", Code::Occupied);
    w.plan().is_empty();
}

/// A new Connection with `replaces: [older keys]` resolves them while the older one still exists.
#[test]
fn a_connection_that_replaces_a_key_resolves_it() {
    let w = one(|t| t.connection("old", "http/basic").connection("new", "http/basic").replaces("old"));
    assert_eq!(means(&w, "prod", "i", "CRM"), "new");
    w.plan().finds_no(Code::BindingMissing).exits(0);
}

/// It resolves them if the older one is gone, too.
///
/// "if neither, it answers".
#[test]
fn it_resolves_the_key_if_the_older_one_is_gone() {
    assert_eq!(means(&one(|t| t.connection("new", "http/basic").replaces("old")), "prod", "i", "CRM"), "new");
}

/// Replacements are followed across several steps.
#[test]
fn a_replacement_of_a_replacement_resolves_too() {
    let w = one(|t| {
        t.connection("old", "http/basic")
            .connection("mid", "http/basic")
            .replaces("old")
            .connection("new", "http/basic")
            .replaces("mid")
    });
    assert_eq!(means(&w, "prod", "i", "CRM"), "new");
}

/// A replacement that takes over the list of the one that it replaces stands in for both, while all are still there.
///
/// "writes … the Connection that `replaces` the old (and carries its list on) … A→B→C works".
#[test]
fn a_replacement_that_carries_the_list_on_is_not_ambiguous() {
    let both = |t: GivenTenant| {
        t.connection("old", "http/basic")
            .connection("mid", "http/basic")
            .replaces("old")
            .connection("new", "http/basic")
    };
    let w = one(|t| both(t).replaces("mid").replaces("old"));
    assert_eq!(means(&w, "prod", "i", "CRM"), "new");
    w.plan().finds_no(Code::ReplacesAmbiguous).exits(0);
    // One that does not replace the other competes with it.
    one(|t| both(t).replaces("old")).plan().finding(Code::ReplacesAmbiguous);
}

/// Customer credentials that name an older key are for the connection that replaces it.
///
/// "customer credentials … that name an older key mean the connection that replaces it".
#[test]
fn customer_credentials_follow_a_replacement() {
    let w = world().tenant("prod", |t| {
        t.connection("new", "http/basic")
            .replaces("old")
            .per_customer("user")
            .customer("Acme", "old")
            .input("user", "a")
    });
    w.plan().finds_no(Code::CustomerConnectionMissing).exits(0);
    let inventory = w.live("prod");
    let bindings = Replacements::of("prod", inventory);
    assert_eq!(Bindings::of("prod", inventory, &bindings).customers("new"), ["acme-old"]);
}

/// Duplicates of CustomerCredentials are counted after `replaces`.
#[test]
fn customer_credentials_are_counted_after_replaces() {
    let w = world().tenant("prod", |t| {
        t.connection("old", "http/basic")
            .connection("new", "http/basic")
            .replaces("old")
            .customer("Acme", "old")
            .customer("Acme", "new")
            .customer("Other", "new")
    });
    // Two are an error on both.
    let plan = w.plan();
    let mut on: Vec<String> =
        plan.findings(Code::CustomerTwice).iter().map(|f| f.object.as_ref().unwrap().to_string()).collect();
    on.sort();
    assert_eq!(on, ["CustomerCredentials/acme-new", "CustomerCredentials/acme-old"]);
    plan.exits(1);
}

/// No object of somebody else is rewritten.
///
/// "nobody else's object is rewritten".
#[test]
fn no_foreign_object_is_rewritten_for_a_replacement() {
    let w = one(|t| {
        t.connection("old", "http/basic")
            .customer("Acme", "old")
            .declares()
            .connection("new", "http/basic")
            .replaces("old")
            .location()
    });
    assert_eq!(w.plan().ids(), ["prod/Connection/new"]);
    let done = w.applied();
    assert_eq!(done.value("prod/Integration/i", "connections.CRM"), Some(serde_json::json!({"stableKey": "old"})));
    assert_eq!(means(&done, "prod", "i", "CRM"), "new");
}

/// A replacement counts only if component, type and credentials are those of the older key's connection in this tenant.
/// Otherwise the older key is not resolved, and a note counts the customers.
///
/// "where component, type and credentials are the same". "as the older key's connection in this tenant". "Where one of
/// the three differs, the older key is not answered, and a note counts the customers".
#[test]
fn a_different_replacement_does_not_resolve_and_customers_are_counted() {
    let others: [fn(GivenTenant) -> GivenTenant; 3] = [
        |t| t.connection("new", "hubspot/basic").replaces("old"),
        |t| t.connection("new", "http/oauth2").replaces("old"),
        |t| t.connection("new", "http/basic").replaces("old").credentials(Credentials::Customer),
    ];
    for other in others {
        let w = one(|t| other(t.connection("old", "http/basic")).customer("Acme", "old").customer("Bolt", "old"));
        assert_eq!(means(&w, "prod", "i", "CRM"), "old");
        let plan = w.plan();
        plan.finding(Code::ReplacesDiffers);
        let notes = plan.manual("prod/Connection/new");
        assert!(
            notes.iter().any(|(who, count, text)| *who == "customers" && *count == 2 && text.contains("sign in again")),
            "{plan}"
        );
        plan.exits(0);
    }
}

/// Without the older connection, a replacement must match what the sync's source binds.
///
/// "if there is none, as the one that the sync's source binds".
#[test]
fn without_the_older_connection_the_sources_binding_decides() {
    let w = world()
        .tenant("us", |t| asks(t.connection("old", "http/basic")))
        .tenant("eu", |t| t.accepts("us").connection("new", "hubspot/basic").replaces("old"))
        .sync("s", "us", "eu");
    w.plan().blocks("eu/Integration/i", Code::BindingMissing);
    let alike = w.tenant("eu", |t| t.edit("Connection/new").of_kind("http/basic"));
    alike.plan().action("eu/Integration/i").is_create();
}

/// "Two that replace one key … are errors on all and the old binding stays".
#[test]
fn two_replacements_of_one_key_are_errors_and_the_old_binding_is_kept() {
    let w = one(|t| {
        t.connection("old", "http/basic")
            .connection("a", "http/basic")
            .replaces("old")
            .connection("b", "http/basic")
            .replaces("old")
    });
    assert_eq!(means(&w, "prod", "i", "CRM"), "old");
    let plan = w.plan();
    assert_eq!(plan.findings(Code::ReplacesAmbiguous).len(), 2, "{plan}");
    plan.exits(1);
}

/// A cycle of replacements, too.
#[test]
fn a_cycle_of_replacements_is_an_error_and_the_old_binding_is_kept() {
    let w = one(|t| {
        t.connection("old", "http/basic")
            .replaces("b")
            .connection("a", "http/basic")
            .replaces("old")
            .connection("b", "http/basic")
            .replaces("a")
    });
    assert_eq!(means(&w, "prod", "i", "CRM"), "old");
    assert_eq!(w.plan().findings(Code::ReplacesAmbiguous).len(), 3);
    w.plan().exits(1);
    // The smallest cycle of all.
    let own = one(|t| t.connection("old", "http/basic").replaces("old"));
    assert_eq!(means(&own, "prod", "i", "CRM"), "old");
    own.plan().exits(1);
}

/// "A `replaces` that came by a sync serves only what that sync wrote".
#[test]
fn a_copied_replaces_serves_only_what_its_sync_wrote() {
    let w = world()
        .tenant("us", |t| asks(t.connection("new", "http/basic").replaces("old")))
        .tenant("eu", |t| t.accepts("us").connection("old", "http/basic").integration("theirs").binds("CRM", "old"))
        .sync("s", "us", "eu")
        .mirror();
    let done = w.applied();
    assert!(done.has("eu/Connection/new"));
    assert_eq!(means(&done, "eu", "i", "CRM"), "new");
    assert_eq!(means(&done, "eu", "theirs", "CRM"), "old");
    done.plan().is_empty();
}

/// The same if the sync created the connection and recorded no field of it.
#[test]
fn a_replaces_created_by_a_sync_does_not_rebind_the_targets_own() {
    let w = world()
        .tenant("us", |t| asks(t.connection("new", "http/basic").replaces("old")))
        .tenant("eu", |t| t.accepts("us").integration("theirs").binds("CRM", "old"))
        .sync("s", "us", "eu")
        .create();
    let done = w.applied();
    assert_eq!(means(&done, "eu", "i", "CRM"), "new");
    assert_eq!(means(&done, "eu", "theirs", "CRM"), "missing");
    done.plan().is_empty();
}

/// A `replaces` of the target's own source counts for everybody there.
#[test]
fn a_replaces_of_the_targets_own_source_serves_everybody_there() {
    let w = one(|t| t.declares().connection("new", "http/basic").replaces("old").location()).applied();
    assert_eq!(means(&w, "prod", "i", "CRM"), "new");
}

/// Mirror replaces an older key: the newer connection is created, and the second plan is empty.
#[test]
fn mirror_creates_the_newer_connection_beside_the_older() {
    let w = world()
        .tenant("us", |t| asks(t.connection("old", "http/basic").connection("new", "http/basic").replaces("old")))
        .tenant("eu", |t| t.accepts("us").connection("old", "http/basic"))
        .sync("s", "us", "eu")
        .mirror();
    w.plan().action("eu/Connection/new").is_create();
    w.plan().leaves_alone("eu/Connection/old");
    let done = w.applied();
    assert_eq!(means(&done, "eu", "i", "CRM"), "new");
    done.plan().is_empty();
}

/// The same if the target's older connection is of another kind: the newer one would not resolve its key.
#[test]
fn mirror_does_not_create_a_connection_that_would_not_resolve() {
    let w = world()
        .tenant("us", |t| asks(t.connection("new", "http/basic").replaces("old")))
        .tenant("eu", |t| t.accepts("us").connection("old", "hubspot/basic"))
        .sync("s", "us", "eu")
        .mirror();
    w.plan().blocks("eu/Integration/i", Code::KeyDiffers);
    w.plan().leaves_alone("eu/Connection/new").is_empty();
}

/// If the location can resolve older keys, nobody must sign in again.
///
/// "and, where the location can answer for older keys, nobody signs in again".
#[test]
fn nobody_signs_in_again_for_a_replacement() {
    let signs_in = |w: &Given| {
        let plan = w.plan();
        let notes = plan.manual("prod/Connection/new");
        notes.iter().any(|(_, _, text)| text.contains("sign"))
            || notes.iter().any(|(_, _, text)| text.contains("supplies"))
    };
    for credentials in [Credentials::Customer, Credentials::OrganizationCustomer] {
        let oauth = |t: GivenTenant| t.component("http/oauth2").authorization_code();
        let w = world().tenant("prod", |t| {
            oauth(t).connection("old", "http/oauth2").credentials(credentials).customer("Acme", "old").declares()
        });
        let new = |w: &Given| {
            w.clone().tenant("prod", |t| {
                t.declares().connection("new", "http/oauth2").credentials(credentials).replaces("old")
            })
        };
        assert!(!signs_in(&new(&w)), "{credentials}");
        // A customer who never had the older one signs in.
        let fresh = world().tenant("prod", oauth);
        assert!(signs_in(&new(&fresh)), "{credentials}");
        // With credentials of another kind everybody signs in.
        let other = w.tenant("prod", |t| t.location().edit("Connection/old").of_kind("http/basic"));
        assert!(signs_in(&new(&other)), "{credentials}");
    }
}

/// A variable is not moved from a Ready connection to one that is not Ready. In a folder, Ready means that the
/// definition is complete.
///
/// "a working binding waits for a working one". "a variable is not moved from a connection that is Ready to one that
/// is not". "Ready in a directory: the definition is complete".
#[test]
fn a_working_binding_waits_for_a_working_replacement() {
    let w = one(|t| {
        t.component("http/basic")
            .requires("host")
            .connection("old", "http/basic")
            .input("host", "a")
            .customer("Acme", "old")
            .connection("new", "http/basic")
            .replaces("old")
    });
    assert_eq!(means(&w, "prod", "i", "CRM"), "old");
    let plan = w.plan();
    let waits = &plan.finding(Code::BindingWaits).text;
    assert!(
        waits.contains("new lacks host") && waits.contains(r#""CRM" of i"#) && waits.contains("1 customers"),
        "{waits}"
    );
    plan.exits(3);
    // It moves by itself once the replacement is Ready.
    let complete = w.clone().tenant("prod", |t| t.edit("Connection/new").input("host", "a"));
    assert_eq!(means(&complete, "prod", "i", "CRM"), "new");
    complete.plan().finds_no(Code::BindingWaits).exits(0);
    // A connection that does not work, or is gone, need not wait.
    let neither = w.clone().tenant("prod", |t| t.edit("Connection/old").without_input("host"));
    assert_eq!(means(&neither, "prod", "i", "CRM"), "new");
    let gone = w.tenant("prod", |t| t.without("Connection/old"));
    assert_eq!(means(&gone, "prod", "i", "CRM"), "new");
}

/// Among several replacements in a chain, the newest that works counts.
#[test]
fn the_newest_working_replacement_in_a_chain_resolves() {
    let chain = |incomplete: &'static [&'static str]| {
        one(|mut t| {
            t = t.component("http/basic").requires("host");
            for (key, older) in [("old", None), ("mid", Some("old")), ("new", Some("mid"))] {
                t = t.connection(key, "http/basic");
                t = if incomplete.contains(&key) { t } else { t.input("host", "a") };
                t = older.into_iter().fold(t, GivenTenant::replaces);
            }
            t
        })
    };
    for (incomplete, meant) in [
        (&[][..], "new"),
        (&["new"], "mid"),
        (&["mid"], "new"),
        (&["mid", "new"], "old"),
        (&["old", "mid", "new"], "new"),
    ] {
        assert_eq!(means(&chain(incomplete), "prod", "i", "CRM"), meant, "{incomplete:?}");
    }
}

/// Same name with another title, or same key with another global identity: reported between tenants that a sync joins,
/// for objects that no sync copied and no override decided.
#[test]
fn same_names_with_different_meanings_are_reported() {
    let told = |title: &str, app: &str| {
        world()
            .tenant("us", |t| {
                t.connection("crm", "http/basic")
                    .input("clientId", "us-app")
                    .integration("i")
                    .title("Leads")
                    .binds("V", "crm")
            })
            .tenant("eu", |t| {
                let t = t.accepts("us").connection("crm", "http/basic").input("clientId", app);
                t.integration("i").title(title).binds("V", "crm")
            })
            .sync("s", "us", "eu")
    };
    let w = told("Stock", "eu-app");
    assert!(w.plan().finding(Code::NameMeansOther).text.contains("i is \"Stock\" here and \"Leads\" in us"));
    let found = w.plan().finding(Code::KeyMeansOther).clone();
    assert!(found.text.contains("clientId of crm is eu-app here and us-app in us"), "{}", found.text);
    told("Leads", "us-app").plan().finds_no(Code::NameMeansOther).finds_no(Code::KeyMeansOther);
    let decided =
        w.overriding_input("eu", "crm", "clientId", "eu-app").keeping("eu", "Integration/i", "title").mirror();
    decided.plan().finds_no(Code::NameMeansOther).finds_no(Code::KeyMeansOther);
    // An object that the sync itself copied comes from its source.
    let brought =
        told("Leads", "us-app").mirror().applied().tenant("us", |t| t.edit("Connection/crm").input("clientId", "new"));
    brought.plan().finds_no(Code::KeyMeansOther);
}
