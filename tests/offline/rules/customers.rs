//! A change after which customers or users must sign in again needs approval, and shows how many.

use stablekey::api::Credentials;
use stablekey::engine::model::code::Code;
use stablekey_testing::world::{Given, GivenTenant, world};

fn prod(before: impl FnOnce(GivenTenant) -> GivenTenant, after: impl FnOnce(GivenTenant) -> GivenTenant) -> Given {
    let customers = |t: GivenTenant| t.location().customer("Acme", "crm").customer("Bolt", "crm").declares();
    world()
        .tenant("prod", |t| before(customers(t.location().component("http/basic").authorization_code())))
        .applied()
        .tenant("prod", |t| after(t.declares_nothing().declares()))
}

fn crm(t: GivenTenant, scopes: &str) -> GivenTenant {
    t.connection("crm", "http/basic").credentials(Credentials::Customer).input("scopes", scopes).per_customer("token")
}

fn why(w: &Given, action: &str) -> Option<String> {
    let plan = w.plan();
    let marks = &plan.action(action).action.needs_approval;
    marks.iter().find(|m| m.code == Code::CustomersSignIn).map(|m| m.why.clone())
}

#[test]
fn a_change_that_requires_customers_to_sign_in_needs_approval() {
    let w = prod(|t| crm(t, "api"), |t| crm(t, "api refresh"));
    assert_eq!(why(&w, "prod/Connection/crm").unwrap(), "2 customers must sign in to crm again: scopes changes");
    assert!(w.plan().manual("prod/Connection/crm").iter().any(|(who, count, _)| (*who, *count) == ("customers", 2)));
    // A title does not affect them.
    let title = prod(|t| crm(t, "api"), |t| crm(t, "api").title("CRM"));
    assert_eq!(why(&title, "prod/Connection/crm"), None);
}

#[test]
fn a_variable_that_moves_away_from_customers_needs_approval() {
    let two = |t: GivenTenant, key: &str| {
        let t = crm(t, "api").connection("new", "http/basic").credentials(Credentials::Customer).per_customer("token");
        t.integration("i").binds("CRM", key)
    };
    let w = prod(|t| two(t, "crm"), |t| two(t, "new"));
    let said = "2 customers of crm must sign in to new, or give their values again";
    assert_eq!(why(&w, "prod/Integration/i").unwrap(), said);
    // Customers who gave their credentials already are not asked.
    let one = w.tenant("prod", |t| t.location().customer("Acme", "new"));
    assert!(why(&one, "prod/Integration/i").unwrap().starts_with("1 customer of crm"));
    let both = one.tenant("prod", |t| t.location().customer("Bolt", "new"));
    assert_eq!(why(&both, "prod/Integration/i"), None);
}

/// "A `replaces` that came by a sync serves only what that sync wrote": no credentials of customers. One of the tenant's own
/// serves them, if they signed in to the same.
#[test]
fn a_renamed_key_asks_customers_only_where_it_does_not_serve_them() {
    let renamed = |t: GivenTenant, scopes: &str| {
        let t = t.connection("new", "http/basic").credentials(Credentials::Customer).input("scopes", scopes);
        t.per_customer("token").replaces("crm")
    };
    let declared = |t: GivenTenant| t.declares_nothing().declares().component("http/basic").authorization_code();
    let w = world()
        .tenant("us", |t| crm(declared(t), "api").integration("i").binds("CRM", "crm"))
        .tenant("prod", |t| t.accepts("us").component("http/basic").authorization_code().customer("Acme", "crm"))
        .sync("s", "us", "prod")
        .mirror()
        .applied();
    let by_sync = w.tenant("us", |t| renamed(crm(declared(t), "api"), "api").integration("i").binds("CRM", "new"));
    let said = "1 customer of crm must sign in to new, or give their values again";
    assert_eq!(why(&by_sync, "prod/Integration/i").as_deref(), Some(said));
    let own = |scopes: &str| {
        let bound = |t: GivenTenant, key: &str| t.integration("i").binds("CRM", key);
        prod(|t| bound(crm(t, "api"), "crm"), |t| bound(renamed(crm(t, "api"), scopes), "new"))
    };
    assert_eq!((why(&own("api"), "prod/Connection/new"), why(&own("api"), "prod/Integration/i")), (None, None));
    let said = "2 customers must sign in to new again: scopes changes";
    assert_eq!(why(&own("api refresh"), "prod/Connection/new").as_deref(), Some(said));
}

/// "One per connection, customer and name; two are an error on both."
#[test]
fn a_customer_may_have_several_sets_of_different_names() {
    let of = |sets: &[Option<&str>]| {
        let w = world().tenant("prod", |t| {
            let mut t = crm(t.location().component("http/basic"), "api");
            for (at, set) in sets.iter().enumerate() {
                t = t.customer_set(&format!("acme-{at}"), "Acme", "crm", *set);
            }
            t
        });
        !w.plan().findings(Code::CustomerTwice).is_empty()
    };
    assert!(!of(&[None, Some("sandbox"), Some("training")]));
    assert!(of(&[None, None]) && of(&[Some("sandbox"), Some("sandbox")]));
}

/// Credentials of users are theirs alone: "counts only".
#[test]
fn a_user_connection_has_no_credentials_of_customers() {
    let of = |credentials: Credentials| {
        let w = world().tenant("prod", |t| {
            let t = t.location().component("http/basic").connection("crm", "http/basic").credentials(credentials);
            t.per_customer("token").customer("Acme", "crm")
        });
        !w.plan().findings(Code::CustomerOnGlobal).is_empty()
    };
    assert!(of(Credentials::User) && of(Credentials::OrganizationGlobal));
    assert!(!of(Credentials::Customer) && !of(Credentials::OrganizationCustomer));
}
