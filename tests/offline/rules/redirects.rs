//! A *credential redirect* always needs approval: an existing secret (a secretRef, a customer's own) would be sent to a
//! host that it was not sent to before, by any path: an update, a create that replaces or re-creates, `replaces`, test
//! inputs, a customer's own input or connection, a binding that moves, a type that loses its mark.

use stablekey::api::{Credentials, Drift};
use stablekey::engine::model::code::Code;
use stablekey_testing::world::{Given, GivenTenant, world};

const A: &str = "https://a.example";
const B: &str = "https://b.example";

/// prod after an apply, and then with another source.
fn prod(before: impl FnOnce(GivenTenant) -> GivenTenant, after: impl FnOnce(GivenTenant) -> GivenTenant) -> Given {
    world()
        .tenant("prod", |t| before(t.declares()))
        .applied()
        .tenant("prod", |t| after(t.declares_nothing().declares()))
}

fn crm(t: GivenTenant, host: &str) -> GivenTenant {
    t.connection("crm", "http/basic").input("baseUrl", host).secret("password", "s")
}

#[track_caller]
fn marked(w: &Given, action: &str, why: &str) {
    let plan = w.plan();
    let marks = &plan.action(action).action.needs_approval;
    let of_redirect: Vec<&str> =
        marks.iter().filter(|m| m.code == Code::CredentialRedirect).map(|m| m.why.as_str()).collect();
    assert!(of_redirect.iter().any(|w| w.contains(why)), "{action}: {of_redirect:?} does not say {why:?}");
}

#[track_caller]
fn unmarked(w: &Given, action: &str) {
    let plan = w.plan();
    let marks = &plan.action(action).action.needs_approval;
    assert!(marks.iter().all(|m| m.code != Code::CredentialRedirect), "{action}: {marks:?}");
}

/// A create that replaces.
///
/// "a create that replaces".
#[test]
fn a_replacement_with_another_host_is_a_redirect() {
    let newer =
        |t: GivenTenant, host: &str| t.connection("new", "http/basic").input("baseUrl", host).secret("password", "s");
    let w = |host: &str| prod(|t| crm(t, A), |t| newer(crm(t, A), host).replaces("crm"));
    marked(&w(B), "prod/Connection/new", "a.example");
    unmarked(&w(A), "prod/Connection/new");
    // Another path on the same host is not a redirect.
    unmarked(&w("https://a.example/v2"), "prod/Connection/new");
    // With a Secret of its own: the binding moves nevertheless.
    let own = |t: GivenTenant| {
        t.connection("new", "http/basic").input("baseUrl", B).secret("password", "other").replaces("crm")
    };
    marked(&prod(|t| crm(t, A), |t| own(crm(t, A))), "prod/Connection/new", "it replaces crm");
}

/// An added `replaces`.
#[test]
fn a_later_replaced_key_is_a_redirect() {
    let newer = |t: GivenTenant| t.connection("new", "http/basic").input("baseUrl", B).secret("password", "other");
    let w = prod(|t| newer(crm(t, A)), |t| newer(crm(t, A)).replaces("crm"));
    marked(&w, "prod/Connection/new", "it replaces crm, whose credentials go to a.example");
}

/// Customers gave their credentials for a key that is gone.
#[test]
fn a_missing_key_with_customers_is_a_redirect() {
    let w = world().tenant("prod", |t| t.customer("Acme", "crm").secret("pin", "acme")).tenant("prod", |t| {
        t.declares().connection("new", "http/basic").input("baseUrl", B).per_customer("pin").replaces("crm")
    });
    marked(&w, "prod/Connection/new", "it replaces crm, which is gone");
}

/// Created again after a manual deletion: the record knows where the secret went.
#[test]
fn a_recreation_with_another_host_is_a_redirect() {
    let gone =
        |host: &str| prod(|t| crm(t, A), |t| crm(t, host)).tenant("prod", |t| t.location().without("Connection/crm"));
    marked(&gone(B), "prod/Connection/crm", "made again with another baseUrl");
    unmarked(&gone(A), "prod/Connection/crm");
}

#[test]
fn test_inputs_with_another_host_are_a_redirect() {
    let w = |host: &str| prod(|t| crm(t, A), |t| crm(t, A).test_input("baseUrl", host));
    marked(&w(B), "prod/Connection/crm", "in tests baseUrl changes while password stays");
    let title = prod(|t| crm(t, A), |t| crm(t, A).title("T").test_input("username", "u"));
    unmarked(&title, "prod/Connection/crm");
}

#[test]
fn a_customers_own_endpoint_is_a_redirect() {
    let of = |t: GivenTenant, host: &str| {
        let t = t.connection("crm", "http/basic").per_customer("instanceUrl").per_customer("password");
        t.customer("Acme", "crm").input("instanceUrl", host).secret("password", "acme")
    };
    let w = prod(|t| of(t, A), |t| of(t, B));
    marked(&w, "prod/CustomerCredentials/acme-crm", "instanceUrl changes while password stays");
    // A new customer brings a new secret.
    let first = world().tenant("prod", |t| of(t.declares(), A));
    unmarked(&first, "prod/CustomerCredentials/acme-crm");
}

/// The same secret for a connection to another host.
///
/// "or connection".
#[test]
fn a_customers_secret_for_another_connection_is_a_redirect() {
    let two = |t: GivenTenant| {
        let t = t.connection("crm", "http/basic").input("baseUrl", A).per_customer("password");
        let t = t.connection("mail", "http/basic").input("baseUrl", B).per_customer("password");
        t.customer("Acme", "crm").secret("password", "acme")
    };
    let w = prod(two, |t| two(t).customer("Acme", "mail").secret("password", "acme"));
    marked(&w, "prod/CustomerCredentials/acme-mail", "which CustomerCredentials/acme-crm sends to a.example");
}

/// A renamed input with the same secretRef.
#[test]
fn a_secret_of_another_input_is_the_same() {
    let renamed = |t: GivenTenant| t.connection("crm", "http/basic").input("baseUrl", B).secret("passphrase", "s");
    let w = prod(|t| t.connection("crm", "http/basic").input("baseUrl", A).secret("password", "s"), renamed);
    let plan = w.plan();
    // In these tests the key of a Secret is the input's name: another input means another key, which is added.
    assert!(!plan.action("prod/Connection/crm").action.needs_approval.is_empty());
}

/// A secret is added where an endpoint changes in the same or an earlier action.
#[test]
fn a_secret_added_where_an_endpoint_changes_is_a_redirect() {
    let without =
        |t: GivenTenant, host: &str| t.connection("crm", "http/basic").input("baseUrl", host).input("note", "n");
    let w = prod(|t| without(t, A), |t| crm(t, B));
    marked(&w, "prod/Connection/crm", "baseUrl changes where password joins");
    // A secret that others send elsewhere is added where no endpoint changes.
    let other = |t: GivenTenant| t.connection("other", "http/basic").input("baseUrl", A).secret("password", "s");
    let w = prod(|t| other(without(t, B)), |t| other(crm(t, B)));
    marked(&w, "prod/Connection/crm", "which Connection/other sends to a.example");
    // A new one that nothing else names is not a redirect.
    let w = prod(|t| without(t, B), |t| crm(t, B));
    unmarked(&w, "prod/Connection/crm");
}

/// A new connection names a secret that another one names.
#[test]
fn a_new_connection_with_anothers_secret_is_a_redirect() {
    let two = |t: GivenTenant, host: &str| {
        crm(t, A).connection("x", "http/basic").input("baseUrl", host).secret("password", "s")
    };
    let w = |host: &str| prod(|t| crm(t, A), |t| two(t, host));
    marked(&w(B), "prod/Connection/x", "which Connection/crm sends to a.example; here it goes to b.example");
    unmarked(&w(A), "prod/Connection/x");
    // Two new connections: neither is known to be the right one.
    let both = |host: &str| world().tenant("prod", |t| two(t.declares(), host));
    for action in ["prod/Connection/x", "prod/Connection/crm"] {
        marked(&both(B), action, "here it goes to");
        unmarked(&both(A), action);
    }
    // Beside a new connection without a known host, there is nothing to compare with.
    let silent = world().tenant("prod", |t| crm(t.declares(), A).connection("x", "http/basic").secret("password", "s"));
    unmarked(&silent, "prod/Connection/crm");
    unmarked(&silent, "prod/Connection/x");
    // A connection that is gone and has a record.
    let gone = prod(|t| crm(t, A), |t| t.connection("x", "http/basic").input("baseUrl", B).secret("password", "s"));
    let gone = gone.tenant("prod", |t| t.location().without("Connection/crm"));
    marked(&gone, "prod/Connection/x", "which an object that is gone sent elsewhere");
}

/// A sync, too: dev's new connection names a Secret that prod uses.
#[test]
fn a_sync_that_names_a_secret_of_the_target_is_a_redirect() {
    let w = world()
        .tenant("dev", |t| {
            t.connection("x", "http/basic").input("baseUrl", B).secret("password", "s").integration("i").binds("X", "x")
        })
        .tenant("prod", |t| crm(t.accepts("dev"), A))
        .sync("up", "dev", "prod")
        .mirror();
    marked(&w, "prod/Connection/x", "which Connection/crm sends to a.example");
}

/// A binding that moves to another host.
#[test]
fn a_variable_that_moves_with_its_secret_is_a_redirect() {
    let both = |t: GivenTenant, host: &str| {
        crm(t, A).connection("x", "http/basic").input("baseUrl", host).secret("password", "s")
    };
    let w = |host: &str| {
        prod(
            |t| both(t, host).integration("i").binds("CRM", "crm"),
            |t| both(t, host).integration("i").binds("CRM", "x"),
        )
    };
    marked(&w(B), "prod/Integration/i", "\"CRM\": it moves from crm to x, which sends password to b.example");
    unmarked(&w(A), "prod/Integration/i");
}

/// A type that loses its mark in the same plan, or never had one.
#[test]
fn a_type_cannot_remove_an_endpoint() {
    let typed = |t: GivenTenant, marked: bool| {
        let t = t.component("http/basic").has_secret("password");
        if marked { t.has_endpoint("region") } else { t }
    };
    let in_region = |t: GivenTenant, region: &str| {
        t.connection("crm", "http/basic").input("region", region).secret("password", "s")
    };
    let w = prod(|t| in_region(typed(t, true), "eu"), |t| in_region(typed(t, false), "evil"));
    marked(&w, "prod/Connection/crm", "region changes while password stays");
    let never = prod(|t| crm(typed(t, false), A), |t| crm(typed(t, false), B));
    marked(&never, "prod/Connection/crm", "baseUrl changes while password stays");
}

/// An approval is not asked for again if the apply was interrupted after another object.
#[test]
fn the_mark_is_in_the_digest() {
    let two = |t: GivenTenant| crm(t, A).connection("x", "http/basic").input("baseUrl", B).secret("password", "s");
    let w = prod(|t| crm(t, A), two);
    let alone = world()
        .tenant("prod", |t| t.declares().connection("x", "http/basic").input("baseUrl", B).secret("password", "s"));
    assert_ne!(w.plan().action("prod/Connection/x").digest(), alone.plan().action("prod/Connection/x").digest());
    assert_eq!(Credentials::OrganizationGlobal.as_str(), "OrganizationGlobal");
}

fn secret(t: GivenTenant, key: &str, host: &str) -> GivenTenant {
    t.connection(key, "http/basic").input("baseUrl", host).secret("password", "s")
}

/// A secret that only tests use: production's endpoint changes.
#[test]
fn a_changed_endpoint_of_a_test_secret_is_a_redirect() {
    let of = |t: GivenTenant, host: &str| {
        let mut t = t.connection("crm", "http/basic").input("baseUrl", host).test_input("username", "u");
        t = t.test_secret("password", "s");
        t
    };
    marked(&prod(|t| of(t, A), |t| of(t, B)), "prod/Connection/crm", "in tests baseUrl changes while password stays");
}

/// Two new connections do not outweigh a record.
#[test]
fn two_new_connections_do_not_outweigh_a_record() {
    let gone = prod(|t| crm(t, A), |t| secret(secret(t, "x", B), "y", B));
    let gone = gone.tenant("prod", |t| t.location().without("Connection/crm"));
    for action in ["prod/Connection/x", "prod/Connection/y"] {
        marked(&gone, action, "which an object that is gone sent elsewhere");
    }
}

/// All of several endpoints must be unchanged.
#[test]
fn one_unchanged_endpoint_excuses_no_other() {
    let two = |t: GivenTenant, key: &str, token: &str| secret(t, key, A).input("tokenUrl", token);
    let w = |token: &str| {
        let w = prod(|t| two(t, "crm", A), |t| two(t, "x", token));
        w.tenant("prod", |t| t.location().without("Connection/crm"))
    };
    marked(&w(B), "prod/Connection/x", "which an object that is gone sent elsewhere");
    unmarked(&w(A), "prod/Connection/x");
}

/// Test inputs of an object that is created again.
#[test]
fn a_recreation_with_another_test_host_is_a_redirect() {
    let of = |t: GivenTenant, host: &str| crm(t, A).test_input("baseUrl", host);
    let w = |host: &str| prod(|t| of(t, A), |t| of(t, host)).tenant("prod", |t| t.location().without("Connection/crm"));
    marked(&w(B), "prod/Connection/crm", "made again with another baseUrl");
    unmarked(&w(A), "prod/Connection/crm");
}

/// If nothing was recorded, the reason says so.
#[test]
fn an_unrecorded_recreation_is_unknown() {
    let w = world()
        .tenant("us", |t| crm(t, A).integration("i").binds("CRM", "crm"))
        .tenant("eu", |t| t.accepts("us"))
        .sync("s", "us", "eu")
        .create()
        .applied()
        .tenant("eu", |t| t.location().without("Connection/crm"));
    marked(&w, "eu/Connection/crm", "where its secrets went is not recorded");
}

/// Credentials that wait for their connection.
#[test]
fn waiting_credentials_are_sent_nowhere_without_approval() {
    let w = world()
        .tenant("prod", |t| t.customer("Acme", "crm").secret("pin", "acme"))
        .tenant("prod", |t| t.declares().connection("crm", "http/basic").input("baseUrl", B).per_customer("pin"));
    marked(&w, "prod/Connection/crm", "credentials of its customers are there already");
}

/// A secret that is only in a customer's credentials.
#[test]
fn a_changed_endpoint_of_customers_secrets_is_a_redirect() {
    let of = |t: GivenTenant, host: &str| {
        let t = t.connection("crm", "http/basic").input("baseUrl", host).credentials(Credentials::OrganizationCustomer);
        t.customer("Acme", "crm").secret("pin", "acme")
    };
    marked(&prod(|t| of(t, A), |t| of(t, B)), "prod/Connection/crm", "baseUrl changes while pin stays");
}

/// `--yes` skips what needs approval, and applies nothing that would make it look harmless: what is replaced is kept
/// while its replacement waits, and so is everything that shows where a secret went.
///
/// "`--yes` leaves what needs approval undone".
#[test]
fn evidence_of_a_secrets_host_is_kept_until_approval() {
    let pruned = |t: GivenTenant| t.allows_delete().declares();
    let before = |t: GivenTenant| crm(pruned(t), A).deletion(stablekey::api::DeletionPolicy::Delete).integration("i");
    let w = |then: fn(GivenTenant) -> GivenTenant| {
        world()
            .tenant("prod", |t| before(t).binds("CRM", "crm"))
            .applied()
            .tenant("prod", |t| then(t.source_prunes().declares_nothing().declares().integration("other")))
    };
    let replaced = w(|t| secret(t, "new", B).replaces("crm"));
    let plan = replaced.plan();
    plan.action("prod/Connection/crm").is_delete().waits_for("prod/Connection/new");
    let shared = w(|t| secret(t, "new", B));
    shared.plan().action("prod/Connection/crm").is_delete().waits_for("prod/Connection/new");
    // To the same host nothing is hidden.
    let same = w(|t| secret(t, "new", A));
    assert!(!same.plan().action("prod/Connection/crm").action.after.contains("prod/Connection/new"));
}

/// A key that a newer connection resolved gets its own connection again: its customers' credentials move.
#[test]
fn a_key_that_gets_its_own_connection_back_moves_its_customers() {
    let w = |host: &str| {
        world()
            .tenant("prod", |t| {
                let t = t.connection("new", "http/basic").input("baseUrl", A).per_customer("pin").replaces("crm");
                t.customer("Acme", "crm").secret("pin", "acme")
            })
            .tenant("prod", |t| t.declares().connection("crm", "http/basic").input("baseUrl", host).per_customer("pin"))
    };
    marked(&w(B), "prod/Connection/crm", "new serves them until now; they would go to b.example");
    unmarked(&w(A), "prod/Connection/crm");
}

/// A customer's credentials that move to another connection go to its hosts.
///
/// "A customer's own input or connection".
#[test]
fn credentials_that_move_to_another_connection_are_a_redirect() {
    let w = |host: &str| {
        let both = |t: GivenTenant, key: &str| {
            let t = t.connection("crm", "http/basic").input("baseUrl", A).per_customer("pin");
            let t = t.connection("other", "http/basic").input("baseUrl", host).per_customer("pin");
            t.customer("Acme", "crm").secret("pin", "acme").for_connection(key)
        };
        prod(|t| both(t, "crm"), |t| both(t, "other"))
    };
    marked(&w(B), "prod/CustomerCredentials/acme-crm", "baseUrl changes while pin stays");
    unmarked(&w(A), "prod/CustomerCredentials/acme-crm");
}

/// Hosts that customers give count for the customers of one connection.
#[test]
fn customers_of_another_connection_do_not_count() {
    let of = |t: GivenTenant, key: &str| t.connection(key, "http/basic").per_customer("host").secret("password", "s");
    let w = prod(|t| of(t, "crm"), |t| of(of(t, "crm"), "x"));
    marked(&w, "prod/Connection/x", "each customer's host");
}

/// A key that only production used, or only tests, beside the host of the other.
#[test]
fn a_key_that_moves_between_production_and_tests_is_a_redirect() {
    let of = |t: GivenTenant, password: &str, in_tests: Option<&str>| {
        let t = t.connection("crm", "http/basic").input("baseUrl", A).secret("password", password);
        let t = t.test_input("baseUrl", B).test_input("username", "u");
        match in_tests {
            Some(name) => t.test_secret("password", name),
            None => t,
        }
    };
    let both = |t: GivenTenant| of(t, "s", Some("t"));
    marked(&prod(both, |t| of(t, "s", Some("s"))), "prod/Connection/crm", "in tests password, which goes to a.example");
    // Without a key of their own, tests use production's.
    marked(&prod(both, |t| of(t, "s", None)), "prod/Connection/crm", "in tests password, which goes to a.example");
    marked(&prod(both, |t| of(t, "t", Some("t"))), "prod/Connection/crm", "password, which goes to b.example");
    unmarked(&prod(both, |t| both(t).title("T")), "prod/Connection/crm");
    // A secret that was sent to both may go to both.
    let everywhere = |t: GivenTenant| of(t, "s", None);
    unmarked(&prod(everywhere, |t| everywhere(t).title("T")), "prod/Connection/crm");
    unmarked(&prod(everywhere, |t| of(t, "s", Some("t"))), "prod/Connection/crm");
}

/// A customer who comes later, with a host beside a secret of the organization.
///
/// "A customer's own input".
#[test]
fn a_later_customer_with_a_host_is_a_redirect() {
    let of = |t: GivenTenant| {
        let t = t.connection("crm", "http/basic").credentials(Credentials::OrganizationCustomer);
        let t = t.per_customer("instanceUrl").secret("password", "s");
        t.customer("Acme", "crm").input("instanceUrl", A)
    };
    let w = |host: &str| prod(of, |t| of(t).customer("Evil", "crm").input("instanceUrl", host));
    marked(&w(B), "prod/CustomerCredentials/evil-crm", "password of crm would go to b.example");
    unmarked(&w(A), "prod/CustomerCredentials/evil-crm");
    // Together with the connection itself everything is new.
    let first = world().tenant("prod", |t| of(t.declares()));
    unmarked(&first, "prod/CustomerCredentials/acme-crm");
}

/// The later change of the host would need no approval, so the loss of the mark does.
///
/// "A type that loses its mark".
#[test]
fn a_type_that_loses_its_mark_is_a_redirect() {
    let of = |t: GivenTenant, marked: bool| {
        let t = t.component("http/basic").has_secret("password").has_input("region");
        let t = if marked { t.has_endpoint("region") } else { t };
        t.connection("crm", "http/basic").input("region", "eu").secret("password", "s")
    };
    let w = prod(|t| of(t, true), |t| of(t, false));
    marked(
        &w,
        "prod/Component/http",
        "its type says no longer that region is where credentials go: crm sends password",
    );
    unmarked(&prod(|t| of(t, false), |t| of(t, true)), "prod/Component/http");
    // An endpoint by its name stays one.
    let by_name = |t: GivenTenant, marked: bool| {
        let t = t.component("http/basic").has_secret("password").has_input("baseUrl");
        crm(if marked { t.has_endpoint("baseUrl") } else { t }, A)
    };
    unmarked(&prod(|t| by_name(t, true), |t| by_name(t, false)), "prod/Component/http");
}

/// A secret is added to a connection whose endpoint changed earlier: several applies, each of which looks harmless.
///
/// "A secret that joins a connection whose endpoint changes in the same or an earlier action".
#[test]
fn a_secret_that_is_removed_and_added_again_is_known() {
    let without =
        |t: GivenTenant, host: &str| t.connection("crm", "http/basic").input("baseUrl", host).input("note", "n");
    let then = |w: Given, tell: fn(GivenTenant) -> GivenTenant| {
        w.applied().tenant("prod", |t| tell(t.declares_nothing().declares()))
    };
    let dropped = prod(|t| crm(t, A), |t| without(t, A));
    unmarked(&dropped, "prod/Connection/crm");
    let moved = then(dropped.clone(), |t| t.connection("crm", "http/basic").input("baseUrl", B).input("note", "n"));
    unmarked(&moved, "prod/Connection/crm");
    marked(&then(moved.clone(), |t| crm(t, B)), "prod/Connection/crm", "names it no longer sent elsewhere");
    // With another input, and with another connection.
    let other = then(moved.clone(), |t| {
        let t = t.connection("crm", "http/basic").input("baseUrl", B).input("note", "n");
        t.connection("x", "http/basic").input("baseUrl", B).secret("password", "s")
    });
    marked(&other, "prod/Connection/x", "names it no longer sent elsewhere");
    // It may go back to where it went before, and then the connection itself shows that.
    let back = then(moved, |t| t.connection("crm", "http/basic").input("baseUrl", A).input("note", "n"));
    let back = then(back, |t| crm(t, A));
    unmarked(&back, "prod/Connection/crm");
    let settled = back.applied();
    settled.plan().is_empty();
    assert!(!settled.record("prod/Connection/crm").unwrap().encode().contains("sent."));
    // A new secret is not a redirect.
    let new = then(dropped, |t| t.connection("crm", "http/basic").input("baseUrl", A).secret("password", "new"));
    unmarked(&new, "prod/Connection/crm");
}

/// The same after a manual removal.
#[test]
fn a_secret_that_others_removed_is_known() {
    let w = prod(|t| crm(t, A), |t| t.connection("crm", "http/basic").input("baseUrl", B).input("note", "n"));
    let mut w = w.tenant("prod", |t| t.drift(stablekey::api::Drift::Detect));
    w.edit_live("prod", |live| {
        let connection = std::sync::Arc::make_mut(live.connections.get_mut("crm").unwrap());
        connection.spec.inputs.remove("password");
    });
    let moved = w.applied();
    let again = moved.tenant("prod", |t| crm(t.declares_nothing().declares(), B));
    marked(&again, "prod/Connection/crm", "names it no longer sent elsewhere");
}

/// A component that names no host sends to its own.
#[test]
fn a_component_without_endpoints_has_a_host_of_its_own() {
    let slack = |t: GivenTenant, key: &str| t.connection(key, "slack/token").secret("password", "s");
    marked(&prod(|t| crm(t, A), |t| slack(crm(t, A), "x")), "prod/Connection/x", "here it goes to slack's own host");
    marked(&prod(|t| slack(t, "x"), |t| crm(slack(t, "x"), A)), "prod/Connection/crm", "sends to slack's own host");
    unmarked(&prod(|t| slack(t, "x"), |t| slack(slack(t, "x"), "y")), "prod/Connection/y");
    let other = |t: GivenTenant, key: &str| t.connection(key, "mail/token").secret("password", "s");
    marked(&prod(|t| slack(t, "x"), |t| other(slack(t, "x"), "y")), "prod/Connection/y", "mail's own host");
    // A variable that moves between the two takes the secret with it.
    let both = |t: GivenTenant| other(slack(t, "x"), "y");
    let w = prod(|t| both(t).integration("i").binds("V", "x"), |t| both(t).integration("i").binds("V", "y"));
    marked(&w, "prod/Integration/i", "mail's own host");
}

/// A renamed input with the same secretRef, together with a customer who brings a host.
#[test]
fn a_new_customer_beside_a_renamed_input_is_a_redirect() {
    let of = |t: GivenTenant, input: &str| {
        let t = t.connection("crm", "http/basic").credentials(Credentials::OrganizationCustomer);
        t.per_customer("instanceUrl").secret_key(input, "s", "k")
    };
    let w = prod(|t| of(t, "password"), |t| of(t, "pass").customer("Evil", "crm").input("instanceUrl", B));
    marked(&w, "prod/CustomerCredentials/evil-crm", "pass of crm would go to b.example");
    // Two inputs with one key, of which the customer gives one.
    let two = |t: GivenTenant| of(t, "a").secret_key("z", "s", "k");
    let w = prod(two, |t| two(t).customer("Evil", "crm").input("instanceUrl", B).secret("z", "own"));
    marked(&w, "prod/CustomerCredentials/evil-crm", "a of crm would go to b.example");
}

/// A component's own host is remembered too.
#[test]
fn a_deleted_connection_sent_to_the_host_of_its_component() {
    let of = |t: GivenTenant, key: &str, type_: &str| t.connection(key, type_).secret("password", "s");
    let gone = |then: fn(GivenTenant) -> GivenTenant| {
        prod(|t| of(t, "x", "slack/token"), then).tenant("prod", |t| t.location().without("Connection/x"))
    };
    let again = gone(|t| t.connection("x", "mail/token").secret("password", "s"));
    marked(&again, "prod/Connection/x", "it is made again for mail, and password goes there");
    let other = gone(|t| t.connection("y", "mail/token").secret("password", "s"));
    marked(&other, "prod/Connection/y", "which an object that is gone sent elsewhere");
    unmarked(&gone(|t| t.connection("x", "slack/token").secret("password", "s")), "prod/Connection/x");
    unmarked(&gone(|t| t.connection("y", "slack/token").secret("password", "s")), "prod/Connection/y");
}

/// A manually replaced key was sent to its object's host.
#[test]
fn a_secret_that_others_replaced_is_known() {
    let with = |t: GivenTenant, key: &str, host: &str| {
        t.connection("crm", "http/basic").input("baseUrl", host).secret_key("password", "s", key)
    };
    let replaced = |key: &'static str, drift| {
        let mut w = prod(|t| with(t, "k1", A), move |t| with(t, key, A)).tenant("prod", |t| t.drift(drift));
        w.edit_live("prod", |live| {
            let connection = std::sync::Arc::make_mut(live.connections.get_mut("crm").unwrap());
            connection.spec.inputs.insert("password".into(), stablekey::api::Input::secret("s", "k3"));
        });
        w
    };
    let other = |t: GivenTenant, key: &str| {
        let t = with(t, key, A);
        t.connection("x", "http/basic").input("baseUrl", B).secret_key("password", "s", "k1")
    };
    for (key, drift) in [("k3", Drift::Detect), ("k2", Drift::Correct)] {
        let settled = replaced(key, drift).applied();
        let w = settled.tenant("prod", |t| other(t.declares_nothing().declares(), key));
        marked(&w, "prod/Connection/x", "which an object that names it no longer sent elsewhere");
    }
    // Also if the drift is kept.
    let w = replaced("k1", Drift::Detect).tenant("prod", |t| other(t.declares_nothing().declares(), "k1"));
    marked(&w, "prod/Connection/x", "which an object that names it no longer sent elsewhere");
}

/// A secret that a sync wrote, no writer wants any more, and somebody then removes manually, is not forgotten.
#[test]
fn a_secret_that_a_sync_dropped_is_known() {
    let dev = |t: GivenTenant, host: &str, has: bool| {
        let t = t.connection("crm", "http/basic").input("baseUrl", host).input("note", "n");
        let t = if has { t.secret("password", "s") } else { t };
        t.integration("i").binds("CRM", "crm")
    };
    let w = world().tenant("dev", |t| dev(t, A, true)).tenant("prod", |t| t.accepts("dev"));
    let w = w.sync("up", "dev", "prod").mirror().applied();
    let edit = |w: Given, host: &str, has: bool| {
        w.tenant("dev", |t| dev(t.location().without("Connection/crm").without("Integration/i"), host, has))
    };
    let mut dropped = edit(w, A, false).applied();
    assert!(dropped.record("prod/Connection/crm").unwrap().encode().contains(" sent."));
    dropped.plan().is_empty();
    dropped.edit_live("prod", |live| {
        let connection = std::sync::Arc::make_mut(live.connections.get_mut("crm").unwrap());
        connection.spec.inputs.remove("password");
    });
    let moved = edit(dropped, B, false);
    unmarked(&moved, "prod/Connection/crm");
    let back = edit(moved.applied(), B, true);
    marked(&back, "prod/Connection/crm", "which an object that names it no longer sent elsewhere");
}

/// Two connections that swap their secrets: both need approval, and neither waits for the other.
#[test]
fn two_that_swap_their_secrets_form_no_cycle() {
    let two = |t: GivenTenant, first: &str, second: &str| {
        let t = t.connection("a", "http/basic").input("baseUrl", A).secret_key("password", "s", first);
        t.connection("b", "http/basic").input("baseUrl", B).secret_key("password", "s", second)
    };
    let w = prod(|t| two(t, "k1", "k2"), |t| two(t, "k2", "k1"));
    marked(&w, "prod/Connection/a", "here it goes to a.example");
    marked(&w, "prod/Connection/b", "here it goes to b.example");
    let plan = w.plan();
    for (action, other) in [("prod/Connection/a", "prod/Connection/b"), ("prod/Connection/b", "prod/Connection/a")] {
        assert!(!plan.action(action).action.after.contains(other), "{plan}");
    }
    // Changing only one of them keeps what shows where the other's secret went.
    let one = prod(|t| two(t, "k1", "k2"), |t| two(t, "k2", "k2"));
    let one = one.applied().tenant("prod", |t| two(t.declares_nothing().declares(), "k2", "k1"));
    marked(&one, "prod/Connection/b", "which an object that names it no longer sent elsewhere");
}

/// What Stablekey deleted and creates again, under its key or another, is checked by where its secret went.
///
/// "By whatever path".
#[test]
fn deleted_connections_are_not_forgotten() {
    let pruned = |t: GivenTenant| t.allows_delete().source_prunes().declares().approval(100, 1000);
    let of = |t: GivenTenant, key: &str, host: &str| {
        let t = t.connection(key, "http/basic").input("baseUrl", host).secret("password", "s");
        t.deletion(stablekey::api::DeletionPolicy::Delete)
    };
    let gone = world()
        .tenant("prod", |t| of(pruned(t), "crm", A).integration("other"))
        .applied()
        .tenant("prod", |t| pruned(t.declares_nothing()).integration("other"));
    gone.plan().action("prod/Connection/crm").is_delete();
    let gone = gone.applied();
    gone.plan().is_empty();
    let then = |key: &'static str, host: &'static str| {
        gone.clone().tenant("prod", |t| of(pruned(t.declares_nothing()).integration("other"), key, host))
    };
    for key in ["crm", "x"] {
        let action = format!("prod/Connection/{key}");
        marked(&then(key, B), &action, "which an object that names it no longer sent elsewhere");
        unmarked(&then(key, A), &action);
    }
}

/// A deletion after which a newer connection resolves the key: customers' credentials go to its hosts.
#[test]
fn a_deletion_that_moves_customers_is_a_redirect() {
    let w = |host: &'static str| {
        let old = |t: GivenTenant| {
            let t = t.allows_delete().source_prunes().declares().connection("crm", "http/basic").input("baseUrl", A);
            let t = t.credentials(Credentials::OrganizationCustomer).per_customer("pin");
            t.deletion(stablekey::api::DeletionPolicy::Delete)
        };
        let new = move |t: GivenTenant| {
            let t = t.connection("new", "http/basic").input("baseUrl", host).per_customer("pin").replaces("crm");
            t.credentials(Credentials::OrganizationCustomer)
        };
        world()
            .tenant("prod", |t| new(old(t)))
            .applied()
            .tenant("prod", |t| t.location().customer("Acme", "crm").secret("pin", "acme"))
            .tenant("prod", |t| new(t.declares_nothing().allows_delete().source_prunes().declares()))
    };
    marked(&w(B), "prod/Connection/crm", "new then serves its customers; their credentials would go to b.example");
    unmarked(&w(A), "prod/Connection/crm");
}

/// Unread is unknown, never empty: an object that cannot be read may name the secret.
///
/// "Unread is unknown, never empty".
#[test]
fn a_secret_added_beside_an_unreadable_object_is_a_redirect() {
    let without = |t: GivenTenant| t.connection("crm", "http/basic").input("baseUrl", A).input("note", "n");
    let unread = |mut w: Given, what: &str, text: Option<&str>| {
        w.edit_live("prod", |live| drop(live.unread.insert(what.to_string(), text.map(Into::into))));
        w
    };
    let w = |what: &str, text: Option<&str>| unread(prod(without, |t| crm(t, A)), what, text);
    let own = "Connection/own, which cannot be used,";
    marked(
        &w(own, Some("secretRef: {name: s}")),
        "prod/Connection/crm",
        "own, which cannot be used, may send elsewhere",
    );
    unmarked(&w(own, Some("secretRef: {name: other}")), "prod/Connection/crm");
    let file = "own.yaml, which cannot be read,";
    marked(&w(file, None), "prod/Connection/crm", "own.yaml, which cannot be read, may send elsewhere");
    // Nor is it known what a customer gave.
    let new = world()
        .tenant("prod", |t| t)
        .tenant("prod", |t| t.declares().connection("crm", "http/basic").input("baseUrl", B).per_customer("pin"));
    let theirs = unread(new, "CustomerCredentials/acme, which cannot be used,", Some("connection: crm"));
    marked(&theirs, "prod/Connection/crm", "may be what a customer gave for it");
}

/// A type that loses the mark of an input without a value yet, and under a key that is replaced.
///
/// "A type that loses its mark".
#[test]
fn a_mark_that_is_lost_before_it_is_needed_is_a_redirect() {
    let of = |t: GivenTenant, marked: bool| {
        let t = t.component("http/basic").has_secret("password").has_input("gw");
        crm(if marked { t.has_endpoint("gw") } else { t }, A)
    };
    marked(
        &prod(|t| of(t, true), |t| of(t, false)),
        "prod/Component/http",
        "no longer that gw is where credentials go",
    );
    let of = |t: GivenTenant, marked: bool| {
        let t = t.component("http/basic").has_input("region");
        let t = if marked { t.has_endpoint("region") } else { t };
        let t = t.connection("new", "http/basic").input("region", "eu").replaces("crm");
        t.customer("Acme", "crm").secret("pin", "acme")
    };
    marked(&prod(|t| of(t, true), |t| of(t, false)), "prod/Component/http", "sends pin there");
}

/// A secret is added beside an endpoint that the target keeps: the writer of both means another host.
#[test]
fn a_secret_beside_a_kept_endpoint_is_a_redirect() {
    let w = |host: &str| {
        world()
            .tenant("prod", |t| t.connection("crm", "http/basic").input("baseUrl", host).input("note", "n"))
            .tenant("prod", |t| crm(t.declares(), A))
    };
    marked(&w(B), "prod/Connection/crm", "password joins beside a baseUrl of the target's own");
    unmarked(&w(A), "prod/Connection/crm");
}

/// A connection that a sync mirrors to a tenant without a component of its own. `marks` are the endpoints of its type;
/// `None`: the component is gone.
fn mirrored(w: Given, type_: &str, marks: Option<&[&str]>, tell: impl FnOnce(GivenTenant) -> GivenTenant) -> Given {
    let kind = format!("cx/{type_}");
    let us = |t: GivenTenant| {
        let t = t.location().without("Component/cx");
        let t = match marks {
            Some(marks) => marks.iter().fold(t.component(&kind).has_input("site"), |t, mark| t.has_endpoint(mark)),
            None => t,
        };
        tell(t)
    };
    w.tenant("us", us)
}

fn site(t: GivenTenant, host: &str) -> GivenTenant {
    t.connection("m1", "cx/oauth2").input("site", host).secret("password", "s").integration("i").binds("M", "m1")
}

fn us_and_eu() -> Given {
    world().tenant("us", |t| t).tenant("eu", |t| t.accepts("us")).sync("up", "us", "eu").mirror()
}

const GOOD: &str = "good.example";
const EVIL: &str = "evil.example";

/// A type loses its mark in two edits, each of which looks harmless. The record remembers the mark.
///
/// "By whatever path … a type that loses its mark".
#[test]
fn a_lost_mark_is_remembered() {
    let first = mirrored(us_and_eu(), "oauth2", Some(&["site"]), |t| site(t, GOOD)).applied();
    let record = first.record("eu/Connection/m1").unwrap();
    assert!(record.encode().ends_with(" endpoint.inputs.site=0000000000000000@-"), "{}", record.encode());
    // A renamed type blocks its connections, until it has its name again without the mark.
    let renamed = mirrored(first.clone(), "oauth", Some(&[]), |t| site(t, EVIL));
    renamed.plan().blocks("eu/Connection/m1", Code::NameUnknown);
    let named_again = mirrored(renamed.applied(), "oauth2", Some(&[]), |t| t);
    marked(&named_again, "eu/Connection/m1", "site changes while password stays (new host: evil.example)");
    // The mark is removed, or the component: there is nothing to do, and nothing is forgotten.
    for (type_, marks) in [("oauth2", Some(&[][..])), ("oauth2", None)] {
        let lost = mirrored(first.clone(), type_, marks, |t| t);
        lost.plan().is_empty();
        let moved = mirrored(lost.applied(), type_, marks, |t| site(t, EVIL));
        marked(&moved, "eu/Connection/m1", "site changes while password stays (new host: evil.example)");
        // In one edit, too.
        let at_once = mirrored(first.clone(), type_, marks, |t| site(t, EVIL));
        marked(&at_once, "eu/Connection/m1", "(new host: evil.example)");
        // After the approval the mark is still remembered.
        let settled = moved.applied();
        settled.plan().is_empty();
        let back = mirrored(settled, type_, marks, |t| site(t, GOOD));
        marked(&back, "eu/Connection/m1", "(new host: good.example)");
    }
}

/// The same for an input that had no value yet, and for an object that is created again.
#[test]
fn a_mark_lost_before_its_input_is_set_is_remembered() {
    let plain = |t: GivenTenant| {
        let t = t.connection("m1", "cx/oauth2").input("baseUrl", A).secret("password", "s");
        t.integration("i").binds("M", "m1")
    };
    let first = mirrored(us_and_eu(), "oauth2", Some(&["site"]), plain).applied();
    let lost = mirrored(first, "oauth2", Some(&[]), plain).applied();
    let with = |t: GivenTenant| plain(t).edit("Connection/m1").input("site", EVIL);
    let moved = mirrored(lost, "oauth2", Some(&[]), with);
    marked(&moved, "eu/Connection/m1", "site changes while password stays (new host: evil.example)");
}

#[test]
fn a_recreation_after_its_type_lost_a_mark_is_a_redirect() {
    let first = mirrored(us_and_eu(), "oauth2", Some(&["site"]), |t| site(t, GOOD)).applied();
    let gone = first.tenant("eu", |t| t.location().without("Connection/m1").without("Integration/i"));
    let again = |host: &'static str| mirrored(gone.clone(), "oauth2", None, move |t| site(t, host));
    marked(&again(EVIL), "eu/Connection/m1", "made again with another site");
    marked(&again(EVIL), "eu/Connection/m1", "evil.example");
    unmarked(&again(GOOD), "eu/Connection/m1");
    assert!(again(GOOD).applied().record("eu/Connection/m1").unwrap().endpoints.contains("site"));
}

/// Others that name the secret of such a connection, or replace it, are checked by what is remembered of it.
#[test]
fn sharing_a_secret_with_a_lost_mark_is_a_redirect() {
    let first = mirrored(us_and_eu(), "oauth2", Some(&["site"]), |t| site(t, GOOD)).applied();
    let other = |t: GivenTenant, host: &str| {
        let t = t.connection("m2", "cx/oauth2").input("site", host).secret("password", "s");
        t.integration("j").binds("M", "m2")
    };
    for host in [EVIL, GOOD] {
        let w = mirrored(first.clone(), "oauth2", Some(&[]), |t| other(t, host));
        match host {
            EVIL => marked(&w, "eu/Connection/m2", "here it goes to evil.example"),
            _ => unmarked(&w, "eu/Connection/m2"),
        }
        let newer =
            mirrored(first.clone(), "oauth2", Some(&[]), |t| other(t, host).edit("Connection/m2").replaces("m1"));
        match host {
            EVIL => marked(&newer, "eu/Connection/m2", "what is bound to it goes to evil.example"),
            _ => unmarked(&newer, "eu/Connection/m2"),
        }
    }
    // A variable that moves between two of such a type.
    let both = |t: GivenTenant, binds: &str| {
        let t = site(t, GOOD).connection("m2", "cx/oauth2").input("site", EVIL).secret("password", "s");
        t.integration("i").binds("M", binds).integration("j").binds("N", "m2")
    };
    let w = mirrored(us_and_eu(), "oauth2", Some(&["site"]), |t| both(t, "m1")).applied();
    let moves = mirrored(w, "oauth2", None, |t| both(t, "m2"));
    marked(&moves, "eu/Integration/i", "which sends password to evil.example");
}

/// A second run writes nothing, and ordinary records do not grow: names that mark an endpoint need not be remembered.
///
/// "A second run writes nothing".
#[test]
fn only_marks_that_no_name_implies_are_remembered() {
    let ordinary = mirrored(us_and_eu(), "oauth2", Some(&["baseUrl"]), |t| {
        t.connection("m1", "cx/oauth2")
            .input("baseUrl", A)
            .input("site", "x")
            .secret("password", "s")
            .integration("i")
            .binds("M", "m1")
    });
    let ordinary = ordinary.applied();
    assert!(ordinary.record("eu/Connection/m1").unwrap().endpoints.is_empty());
    ordinary.plan().is_empty();
    // A later mark plans nothing; the next write remembers it.
    let later = mirrored(ordinary, "oauth2", Some(&["site"]), |t| t);
    later.plan().is_empty();
    let written = mirrored(later, "oauth2", Some(&["site"]), |t| t.edit("Connection/m1").title("T")).applied();
    assert!(written.record("eu/Connection/m1").unwrap().endpoints.contains("site"));
}

/// The reason of every redirect names the host.
#[test]
fn the_host_is_in_every_reason() {
    let gone = prod(|t| crm(t, A), |t| crm(t, B)).tenant("prod", |t| t.location().without("Connection/crm"));
    marked(&gone, "prod/Connection/crm", "goes there: to b.example");
    let other = prod(|t| crm(t, A), |t| secret(t, "x", B)).tenant("prod", |t| t.location().without("Connection/crm"));
    marked(&other, "prod/Connection/x", "sent elsewhere; here it goes to b.example");
    let kept = world()
        .tenant("prod", |t| t.connection("crm", "http/basic").input("baseUrl", B).input("note", "n"))
        .tenant("prod", |t| crm(t.declares(), A));
    marked(&kept, "prod/Connection/crm", "another than declared; it would go to b.example");
}
