//! Connections that are made twice or used by nothing, and credentials that are the wrong ones: of tests, of another
//! environment, of OAuth 2.0, expired.

use stablekey::api::*;
use stablekey::engine::model::code::Code;
use stablekey::engine::model::inventory::{ConnectionFacts, Foreign, OfferedSecret, Supply};
use stablekey::engine::model::item::{Item, ObjectId};
use stablekey::engine::model::opt_in::OptIn;
use stablekey_testing::world::{Given, world};
use std::collections::BTreeMap;
use std::sync::Arc;

fn commands(w: &Given, code: Code) -> Vec<String> {
    w.plan().findings(code).iter().flat_map(|f| &f.commands).map(ToString::to_string).collect()
}

#[test]
fn one_connection_under_two_keys() {
    let w = world().tenant("prod", |t| {
        t.in_folder()
            .connection("crm", "http/basic")
            .input("host", "a.example")
            .connection("crm-2", "http/basic")
            .input("host", "a.example")
            .integration("i")
            .binds("A", "crm")
            .integration("j")
            .binds("A", "crm")
            .binds("B", "crm-2")
    });
    let plan = w.plan();
    let found = plan.findings(Code::ConnectionTwice);
    assert_eq!(found.len(), 1);
    // The one that most use stays.
    assert_eq!(found[0].text, "crm-2 is crm again: component, type, credentials and every input are equal");
    assert_eq!(commands(&w, Code::ConnectionTwice), ["stablekey switch prod --all --from crm-2 --to crm"]);
    let but = |change: &dyn Fn(stablekey_testing::world::GivenTenant) -> stablekey_testing::world::GivenTenant| {
        w.clone().tenant("prod", |t| change(t.edit("Connection/crm-2"))).plan().finds_no(Code::ConnectionTwice);
    };
    but(&|t| t.input("host", "b.example"));
    but(&|t| t.credentials(Credentials::Customer));
    but(&|t| t.of_kind("http/bearer"));
    but(&|t| t.replaces("crm"));
    // Nothing of ours says that they are one: customers may have two accounts.
    let per_customer = w.clone().tenant("prod", |t| {
        let t = t.edit("Connection/crm").credentials(Credentials::Customer).per_customer("host");
        t.edit("Connection/crm-2").credentials(Credentials::Customer).per_customer("host")
    });
    per_customer.plan().finds_no(Code::ConnectionTwice);
}

#[test]
fn a_connection_that_nothing_uses() {
    let w = world().tenant("prod", |t| {
        t.connection("crm", "http/basic").connection("old", "http/basic").integration("i").binds("CRM", "crm")
    });
    let plan = w.plan();
    let found = plan.findings(Code::ConnectionUnused);
    assert_eq!(found.iter().map(|f| f.object.clone().unwrap().name).collect::<Vec<_>>(), ["old"]);
    plan.exits(0);
    let used = [
        w.clone().tenant("prod", |t| t.edit("Connection/old").embedded(true)),
        w.clone().tenant("prod", |t| t.customer("Acme", "old")),
        w.clone().tenant("prod", |t| t.integration("j").binds("Old", "old")),
        // It waits to be complete, and replaces the other then.
        w.clone().tenant("prod", |t| {
            let t = t.component("http/basic").requires("host").edit("Connection/crm").input("host", "a.example");
            t.edit("Connection/old").replaces("crm")
        }),
        // What is not read may use it.
        w.clone().tenant("prod", |t| t.unparsed("x.yaml")),
        w.clone().tenant("prod", |t| t.invalid("Integration/x")),
        world().tenant("prod", |t| t.connection("old", "http/basic")),
    ];
    for (position, w) in used.into_iter().enumerate() {
        assert!(w.plan().findings(Code::ConnectionUnused).is_empty(), "{position}");
    }
    // What only the platform knows.
    let mut of_platform = w.clone();
    of_platform.edit_live("prod", |live| {
        let facts = ConnectionFacts { integrations: Some(1), ..ConnectionFacts::default() };
        live.facts.insert("old".to_string(), Arc::new(facts));
    });
    of_platform.plan().finds_no(Code::ConnectionUnused);
    let mut of_workflow = w;
    of_workflow.edit_live("prod", |live| {
        live.workflows.insert("Flow".to_string(), ["old".to_string()].into());
    });
    of_workflow.plan().finds_no(Code::ConnectionUnused);
}

/// An integration that is blocked may need what seems unused.
#[test]
fn what_a_blocked_integration_may_use_is_not_unused() {
    let w = world()
        .tenant("us", |t| t.connection("crm", "http/basic").integration("i").binds("CRM", "crm"))
        .tenant("eu", |t| {
            let t = t.accepts("us").connection("crm-eu", "http/basic").connection("own", "http/basic");
            t.integration("j").binds("Own", "own")
        })
        .sync("s", "us", "eu");
    w.plan().finds_no(Code::ConnectionUnused).blocks("eu/Integration/i", Code::BindingMissing);
}

#[test]
fn test_credentials_in_production() {
    let of = |environment: &str| {
        world().tenant("t", |t| {
            t.in_folder()
                .environment(environment)
                .connection("crm", "http/basic")
                .secret("password", "sandbox")
                .test_secret("password", "sandbox")
                .integration("i")
                .binds("CRM", "crm")
        })
    };
    let found = of("prod").plan().finding(Code::TestInProduction).clone();
    assert!(found.text.contains("which its own test inputs name"), "{}", found.text);
    assert_eq!(
        commands(&of("Production"), Code::TestInProduction),
        ["stablekey set --tenant t crm --secret password=NAME/KEY"]
    );
    of("staging").plan().finds_no(Code::TestInProduction);
    of("").plan().finds_no(Code::TestInProduction);
    let apart = of("prod").tenant("t", |t| t.edit("Connection/crm").test_secret("password", "other"));
    apart.plan().finds_no(Code::TestInProduction);
    // Nothing uses it, so nothing of production does.
    let unused = of("prod").tenant("t", |t| t.edit("Integration/i").without_variable("CRM"));
    unused.plan().finds_no(Code::TestInProduction);
    let others = of("prod").tenant("t", |t| {
        t.connection("other", "http/basic").secret("password", "x").test_secret("password", "sandbox")
    });
    assert!(others.plan().finding(Code::TestInProduction).text.contains("password of crm"));
    let mut build_only = of("prod").tenant("t", |t| t.integration("j").binds("Files", "files-build"));
    build_only.edit_live("t", |live| live.foreign.extend([("files-build".to_string(), Foreign::Platform)]));
    let plan = build_only.plan();
    let found = plan.findings(Code::TestInProduction);
    assert!(found.iter().any(|f| f.text.contains("the platform's own connection")), "{found:?}");
}

#[test]
fn one_client_id_in_production_and_elsewhere() {
    let of = |environment: &str, app: &str| {
        world()
            .tenant("dev", |t| t.environment(environment).connection("crm-dev", "crm/oauth").input("clientId", "app-1"))
            .tenant("us", |t| t.in_folder().environment("prod").connection("crm", "crm/oauth").input("client_id", app))
    };
    let w = of("dev", " app-1 ");
    assert_eq!(
        w.plan().finding(Code::AppShared).text,
        "client_id of crm is app-1, as that of crm-dev in dev, which is not production"
    );
    assert_eq!(commands(&w, Code::AppShared), ["stablekey set --tenant us crm client_id=VALUE"]);
    of("dev", "app-2").plan().finds_no(Code::AppShared);
    of("prod", "app-1").plan().finds_no(Code::AppShared);
    // Who says nothing is not judged.
    of(" ", "app-1").plan().finds_no(Code::AppShared);
    let other = of("dev", "app-1").tenant("us", |t| t.edit("Connection/crm").of_kind("chat/oauth"));
    other.plan().finds_no(Code::AppShared);
}

/// Each environment has an app of its own, so a difference between production and another one is as it should be.
#[test]
fn another_client_id_in_another_environment_is_no_other_connection() {
    let of = |from: &str| {
        world()
            .tenant("dev", |t| {
                let t = t.environment(from).connection("crm", "crm/oauth").input("clientId", "app-1");
                t.integration("i").binds("CRM", "crm")
            })
            .tenant("us", |t| {
                t.accepts("dev").environment("prod").connection("crm", "crm/oauth").input("clientId", "app-2")
            })
            .sync("s", "dev", "us")
    };
    of("dev").plan().finds_no(Code::KeyMeansOther).finds_no(Code::AppShared);
    of("prod").plan().finding(Code::KeyMeansOther);
}

#[test]
fn one_file_with_the_secret_of_production_and_of_dev() {
    let supplied_by = |w: &mut Given, tenant: &str, file: &str| {
        let there = BTreeMap::from([(("crm".to_string(), "key".to_string()), file.to_string())]);
        w.edit_live(tenant, |live| live.supply = Supply::Files { folder: "secrets".into(), there });
    };
    let mut w = world()
        .tenant("dev", |t| t.environment("dev").connection("crm", "crm/oauth").secret_key("password", "crm", "key"))
        .tenant("us", |t| t.environment("prod").connection("crm", "crm/oauth").secret_key("password", "crm", "key"));
    // Equal names say nothing: each tenant has Secrets of its own.
    w.plan().finds_no(Code::SecretShared);
    supplied_by(&mut w, "dev", "/secrets/dev/crm/key");
    supplied_by(&mut w, "us", "/secrets/us/crm/key");
    w.plan().finds_no(Code::SecretShared);
    supplied_by(&mut w, "us", "/secrets/dev/crm/key");
    let plan = w.plan();
    let text = &plan.finding(Code::SecretShared).text;
    assert!(
        text.starts_with("password of crm is supplied by /secrets/dev/crm/key, as a secret of crm in dev is"),
        "{text}"
    );
}

#[test]
fn customers_cannot_sign_in_where_the_organization_supplies() {
    let of = |credentials| {
        world().tenant("us", |t| {
            t.in_folder()
                .component("crm/oauth")
                .authorization_code()
                .connection("crm", "crm/oauth")
                .credentials(credentials)
        })
    };
    let w = of(Credentials::OrganizationCustomer);
    w.plan().exits(0).finding(Code::SignInSupplied);
    assert_eq!(
        commands(&w, Code::SignInSupplied),
        ["stablekey new connection --tenant us --like crm --credentials Customer --key crm-oauth"]
    );
    for other in [Credentials::Customer, Credentials::OrganizationGlobal, Credentials::User] {
        of(other).plan().finds_no(Code::SignInSupplied);
    }
    // The organization has the tokens.
    let tokens = w.tenant("us", |t| t.edit("Connection/crm").per_customer("refreshToken"));
    tokens.plan().finds_no(Code::SignInSupplied);
}

#[test]
fn credentials_expire() {
    let of = |text: &str, now: &str| {
        let mut w = world().tenant("us", |t| t.connection("crm", "crm/basic")).at(now);
        w.edit_live("us", |live| {
            let Some(Item::Connection(mut crm)) = live.get(&ObjectId::new(Kind::Connection, "crm")) else { panic!() };
            Arc::make_mut(&mut crm).metadata.annotations.insert(EXPIRES.to_string(), text.to_string());
            live.insert(Item::Connection(crm));
        });
        w
    };
    let of_code = |text: &str, now: &str| {
        let plan = of(text, now).plan();
        plan.done();
        let found: Vec<Code> = [Code::CredentialsExpire, Code::CredentialsExpired, Code::SecretExpired]
            .into_iter()
            .filter(|code| !plan.findings(*code).is_empty())
            .collect();
        found
    };
    assert_eq!(of_code("2030-01-31", "2030-01-16T23:59:59Z"), []);
    assert_eq!(of_code("2030-01-31", "2030-01-17T00:00:00Z"), [Code::CredentialsExpire]);
    assert_eq!(of_code("2030-01-31T12:00:00+02:00", "2030-01-31T09:59:59Z"), [Code::CredentialsExpire]);
    assert_eq!(of_code("2030-01-31T12:00:00+02:00", "2030-01-31T10:00:00Z"), [Code::CredentialsExpired]);
    // A mistake does not switch the check off.
    assert_eq!(of_code("next summer", "2030-01-01T00:00:00Z"), [Code::CredentialsExpire]);
    // A plan is the same whatever the time, but for findings.
    let (early, late) = (of("2030-01-31", "2020-01-01T00:00:00Z"), of("2030-01-31", "2040-01-01T00:00:00Z"));
    assert_eq!(early.plan().ids(), late.plan().ids());
}

#[test]
fn a_secret_that_is_supplied_to_the_platform_expires() {
    let annotations =
        BTreeMap::from([(KEYS.to_string(), "*".to_string()), (EXPIRES.to_string(), "2030-01-31".to_string())]);
    let at = |now: &str| {
        let mut w = world().tenant("us", |t| t.connection("crm", "crm/basic").secret("password", "crm-app")).at(now);
        let opt_in = OptIn::of(&annotations);
        let secret = OfferedSecret { opt_in, keys: ["password".to_string()].into(), refusal: None };
        let there = BTreeMap::from([("crm-app".to_string(), secret)]);
        w.edit_live("us", |live| live.supply = Supply::Secrets { namespace: "us".into(), there });
        w.plan()
    };
    at("2029-01-01T00:00:00Z").finds_no(Code::CredentialsExpire).finds_no(Code::SecretExpired);
    assert!(at("2030-01-30T00:00:00Z").finding(Code::CredentialsExpire).text.starts_with("Secret crm-app expires at"));
    assert!(at("2030-02-01T00:00:00Z").finding(Code::SecretExpired).text.starts_with("Secret crm-app expired at"));
}

#[test]
fn a_definition_of_one_tenant() {
    let mut w = world().tenant("us", |t| t.integration("i"));
    let one = OfOneTenant { at: "input url of step \"Notify\"".into(), what: "the id of one Instance".into() };
    let uses = Uses { digest: "d".into(), of_one_tenant: vec![one], ..Uses::default() };
    w.edit_live("us", |live| {
        let Some(Item::Integration(object, _)) = live.get(&ObjectId::new(Kind::Integration, "i")) else { panic!() };
        live.insert(Item::Integration(object, Some(Arc::new(uses))));
    });
    let plan = w.plan();
    assert_eq!(
        plan.finding(Code::DefinitionOfOneTenant).text,
        "input url of step \"Notify\" contains the id of one Instance, which another tenant does not have"
    );
    plan.exits(0);
}

/// A command that edits manifests is offered only where there are manifests.
#[test]
fn a_finding_names_the_command_that_makes_the_edit() {
    let w = world().tenant("us", |t| {
        t.in_folder()
            .component("crm/oauth")
            .requires("clientSecret")
            .requires("host")
            .has_input("scopes")
            .connection("crm", "crm/oauth")
            .input("scope", "api")
            .integration("i")
            .binds("CRM of sales", "crm")
            .binds("Chat", "chat")
            .binds("Near", "crmm")
    });
    let set = "stablekey set --tenant us crm --secret clientSecret=NAME/KEY host=VALUE";
    assert_eq!(commands(&w, Code::InputMissing), [set]);
    assert_eq!(commands(&w, Code::BindingNotReady), [set]);
    assert_eq!(commands(&w, Code::NameUnknown), ["stablekey set --tenant us crm scopes=VALUE --unset scope"]);
    assert_eq!(
        commands(&w, Code::BindingMissing),
        [
            "stablekey new connection --tenant us --key chat",
            "stablekey switch us i --variable Near --to crm",
            "stablekey new connection --tenant us --key crmm",
        ]
    );
    let mut in_cluster = w;
    in_cluster.world.tenants.get_mut("us").unwrap().spec.location = None;
    assert_eq!(commands(&in_cluster, Code::BindingMissing), Vec::<String>::new());
}
