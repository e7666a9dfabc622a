//! A secret is always a reference.

use stablekey::api::*;
use stablekey::engine::model::code::Code;
use stablekey_testing::world::{Given, GivenTenant, world};

const X: &str = "prod/Connection/crm";
const CANARY: &str = "canary-5f2b";

/// A managed connection that is about to change.
fn ours(before: impl FnOnce(GivenTenant) -> GivenTenant, after: impl FnOnce(GivenTenant) -> GivenTenant) -> Given {
    world()
        .tenant("prod", |t| before(t.declares().connection("crm", "http/basic")))
        .applied()
        .tenant("prod", |t| after(t.declares().connection("crm", "http/basic")))
}

/// In a source.
///
/// "A literal where the type … says secret … is refused without being shown".
#[test]
fn a_literal_of_a_secret_input_is_refused_without_being_shown() {
    let w = world().tenant("prod", |t| {
        t.component("http/basic").has_secret("pin").declares().connection("crm", "http/basic").input("pin", CANARY)
    });
    let plan = w.plan();
    plan.blocks(X, Code::SecretLiteral);
    plan.leaves_alone(X).exits(1).finding(Code::SecretLiteral);
    assert!(!plan.json().contains(CANARY));
}

/// In test inputs, in customers' values, and if the component is created in the same plan.
#[test]
fn a_literal_of_a_secret_test_or_customer_input_is_refused() {
    let w = world().tenant("prod", |t| {
        t.declares()
            .component("http/basic")
            .has_secret("pin")
            .connection("crm", "http/basic")
            .test_input("pin", CANARY)
            .connection("other", "http/basic")
            .per_customer("pin")
            .customer("Acme", "other")
            .input("pin", CANARY)
    });
    let plan = w.plan();
    plan.blocks(X, Code::SecretLiteral);
    plan.blocks("prod/CustomerCredentials/acme-other", Code::SecretLiteral);
    assert!(!plan.json().contains(CANARY));
}

/// Across tenants, even if only the source has the type.
#[test]
fn no_literal_secret_is_copied() {
    let w = world()
        .tenant("us", |t| {
            t.component("http/basic")
                .has_secret("pin")
                .connection("crm", "http/basic")
                .input("pin", CANARY)
                .integration("i")
                .binds("CRM", "crm")
        })
        .tenant("eu", |t| t.accepts("us"))
        .sync("s", "us", "eu")
        .mirror();
    let plan = w.plan();
    plan.leaves_alone("eu/Connection/crm").exits(1);
    assert!(!plan.json().contains(CANARY));
    let overridden = world()
        .tenant("us", |t| {
            t.component("http/basic")
                .has_secret("pin")
                .connection("crm", "http/basic")
                .secret("pin", "s")
                .integration("i")
                .binds("CRM", "crm")
        })
        .tenant("eu", |t| t.accepts("us"))
        .sync("s", "us", "eu")
        .mirror()
        .overriding_input("eu", "crm", "pin", CANARY);
    overridden.plan().leaves_alone("eu/Connection/crm");
    assert!(!overridden.plan().json().contains(CANARY));
}

/// A live literal is not shown while it is fixed.
#[test]
fn a_literal_secret_is_not_shown_while_it_is_fixed() {
    let w =
        ours(|t| t.input("pin", CANARY), |t| t.secret("pin", "s").location().component("http/basic").has_secret("pin"));
    let plan = w.plan();
    plan.action(X).is_update().sets("inputs.pin");
    assert!(!plan.json().contains(CANARY), "{plan}");
}

#[test]
fn a_target_that_lacks_its_secret_gets_a_manual_step() {
    let w = world().tenant("prod", |t| t.declares().connection("crm", "http/basic").secret("password", "crm-app"));
    let plan = w.plan();
    let notes = plan.manual(X);
    assert!(notes.iter().any(|(_, _, text)| text.contains("crm-app") && text.contains("password")), "{notes:?}");
}

fn redirects(w: &Given) -> bool {
    let plan = w.plan();
    let acts = plan.action(X);
    acts.is_update().action.needs_approval.iter().any(|a| a.code == Code::CredentialRedirect)
}

/// An endpoint of an existing connection is added, removed, changed or gets another kind of value while a secret stays.
#[test]
fn a_credential_redirect_always_needs_approval() {
    let secret = |t: GivenTenant| t.secret("password", "s");
    type Tell = fn(GivenTenant) -> GivenTenant;
    let cases: [(Tell, Tell); 4] = [
        (|t| t, |t| t.input("baseUrl", "https://b")),
        (|t| t.input("baseUrl", "https://a"), |t| t),
        (|t| t.input("baseUrl", "https://a"), |t| t.input("baseUrl", "https://b")),
        (|t| t.input("baseUrl", "https://a"), |t| t.per_customer("baseUrl")),
    ];
    for (before, after) in cases {
        assert!(redirects(&ours(|t| secret(before(t)), |t| secret(after(t)))));
        // Without a secret that stays there is nothing to send elsewhere.
        let w = ours(|t| before(t).input("note", "1"), |t| after(t).input("note", "2"));
        let kept = |w: &Given| w.value(X, "inputs.baseUrl").is_some();
        assert!(!redirects(&w) || kept(&w));
    }
}

/// A secret input or a perCustomer input that stays counts too.
#[test]
fn customers_secrets_count_too() {
    assert!(redirects(&ours(
        |t| t.input("host", "a").per_customer("pin"),
        |t| t.input("host", "b").per_customer("pin")
    )));
}

#[test]
fn correct_is_not_exempt() {
    let w = world()
        .tenant("prod", |t| {
            t.drift(Drift::Correct)
                .declares()
                .connection("crm", "http/basic")
                .input("host", "a")
                .secret("password", "s")
        })
        .applied()
        .tenant("prod", |t| t.edit("Connection/crm").input("host", "evil"));
    assert!(redirects(&w));
}

#[test]
fn making_a_connection_is_no_redirect() {
    let w = world()
        .tenant("prod", |t| t.declares().connection("crm", "http/basic").input("host", "a").secret("password", "s"));
    w.plan().action(X).is_create().needs_no_approval();
}

/// An input is an endpoint if its type says so; if the type is unknown, if its name ends in url, uri, host, server,
/// domain or endpoint, or its value is a URL.
#[test]
fn endpoints_are_recognized_by_type_name_or_value() {
    let moves = |name: &'static str, from: &'static str, to: &'static str| {
        redirects(&ours(
            move |t| t.input(name, from).secret("password", "s"),
            move |t| t.input(name, to).secret("password", "s"),
        ))
    };
    for name in ["baseUrl", "redirect_uri", "HOST", "server", "mail-domain", "endpoint"] {
        assert!(moves(name, "a", "b"), "{name}");
    }
    assert!(moves("anything", "https://a", "https://b"));
    assert!(moves("anything", "plain", "https://b"));
    assert!(!moves("scopes", "api", "refresh"));
    assert!(!moves("hosted", "yes", "no"));
    let typed =
        ours(|t| t.input("scopes", "a").secret("password", "s"), |t| t.input("scopes", "b").secret("password", "s"));
    let typed = typed.tenant("prod", |t| t.component("http/basic").has_endpoint("scopes"));
    assert!(redirects(&typed));
}

/// "What a customer supplied is theirs: never overwritten …".
#[test]
fn values_of_a_customer_are_never_overwritten() {
    const C: &str = "prod/CustomerCredentials/acme-crm";
    let w = world().tenant("prod", |t| {
        t.drift(Drift::Correct)
            .connection("crm", "http/basic")
            .per_customer("user")
            .customer("Acme", "crm")
            .origin(Origin::Customer)
            .input("user", "theirs")
            .written_by("source", true)
            .declares()
            .customer("Acme", "crm")
            .input("user", "ours")
    });
    w.plan().leaves_alone(C).is_empty();
    assert!(w.plan().holds(C, "").contains("host application"));
}

/// The host application writes credentials of `origin: Customer`; Stablekey only reads them.
///
/// "For `Customer` the host application does (`origin: Customer`), and we only read".
#[test]
fn credentials_of_origin_customer_are_never_written() {
    let w = world().tenant("prod", |t| {
        t.connection("crm", "http/basic").declares().customer("Acme", "crm").origin(Origin::Customer)
    });
    w.plan().is_empty();
}

/// Credentials of customers are never pruned, and shown only as counts.
///
/// "… or pruned, shown only as counts".
#[test]
fn customers_are_shown_as_counts() {
    let w = ours(|t| t.input("scopes", "a"), |t| t.input("scopes", "b"))
        .tenant("prod", |t| t.customer(CANARY, "crm").origin(Origin::Customer).customer("Bolt", "crm"));
    let plan = w.plan();
    assert_eq!(plan.action(X).action.impact.customers, 2);
    assert!(!plan.json().contains(CANARY));
}

/// Credentials that Stablekey supplies for a customer may be changed.
#[test]
fn credentials_supplied_by_the_organization_may_be_changed() {
    let of = |value: &'static str| {
        move |t: GivenTenant| {
            t.declares()
                .connection("crm", "http/basic")
                .per_customer("user")
                .customer("Acme", "crm")
                .input("user", value)
        }
    };
    let w = world().tenant("prod", of("a")).applied().tenant("prod", of("b"));
    w.plan().action("prod/CustomerCredentials/acme-crm").is_update().sets("inputs.user");
    w.applied().plan().is_empty();
    let w = w.tenant("prod", |t| t.declares().edit("CustomerCredentials/acme-crm").of_customer("Acme Inc."));
    w.plan().action("prod/CustomerCredentials/acme-crm").sets("customer");
    w.applied().plan().is_empty();
}
