//! The basic checks: what each reports, and when it reports nothing.

use stablekey::api::*;
use stablekey::engine::model::code::Code;
use stablekey::engine::model::item::{Item, ObjectId};
use stablekey_testing::world::world;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A missing binding names at most three similar keys, of the same component and type.
#[test]
fn a_missing_binding_suggests_similar_keys_of_the_same_kind() {
    let w = world().tenant("us", |t| t.connection("crm-oauth", "salesforce/oauth2")).tenant("eu", |t| {
        t.connection("crm-oauth2", "salesforce/oauth2")
            .connection("crm_oauth-eu", "salesforce/oauth2")
            .connection("crm-oaut", "slack/oauth2")
            .integration("i")
            .binds("CRM", "crm-oauth")
    });
    let plan = w.plan();
    let fix = &plan.finding(Code::BindingMissing).fix;
    assert!(fix.contains("did you mean crm-oauth2 or crm_oauth-eu?"), "{fix}");
    assert!(!fix.contains("crm-oaut "), "another kind is no near miss: {fix}");
    plan.exits(3);
}

#[test]
fn a_binding_to_an_incomplete_connection_is_not_ready() {
    let w = world().tenant("prod", |t| {
        t.component("http/basic")
            .requires("baseUrl")
            .connection("crm", "http/basic")
            .integration("i")
            .binds("CRM", "crm")
    });
    let plan = w.plan();
    assert_eq!(plan.finding(Code::InputMissing).text, "crm needs baseUrl");
    assert_eq!(plan.finding(Code::BindingNotReady).object, Some(ObjectId::new(Kind::Integration, "i")));
    let complete = w.tenant("prod", |t| t.edit("Connection/crm").input("baseUrl", "https://x"));
    complete.plan().finds_no(Code::InputMissing).finds_no(Code::BindingNotReady);
}

/// Checks that need a missing component report nothing.
#[test]
fn an_unknown_component_causes_no_findings() {
    let w = world().tenant("prod", |t| t.connection("crm", "http/basic").integration("i").binds("CRM", "crm"));
    w.plan().finds_no(Code::InputMissing).exits(0);
}

#[test]
fn the_same_key_of_another_kind_elsewhere_is_reported_once() {
    let w = world()
        .tenant("eu", |t| t.connection("crm", "salesforce/oauth2"))
        .tenant("us", |t| t.connection("crm", "salesforce/basic"));
    assert_eq!(w.plan().findings(Code::KeyDiffers).len(), 1);
    w.plan().exits(0);
    let same = world()
        .tenant("eu", |t| t.connection("crm", "salesforce/oauth2"))
        .tenant("us", |t| t.connection("crm", "salesforce/oauth2"));
    same.plan().finds_no(Code::KeyDiffers);
}

fn used_by(component: &str, variable: &str) -> stablekey_testing::world::Given {
    let mut w = world()
        .tenant("prod", |t| t.connection("files", "ms-sharepoint/oauth").integration("i").binds("Files", "files"));
    let by = User::Step { flow: "Main".into(), step: "Copy".into() };
    let one = Use { by, component: Some(ComponentRef::new(component, true)), input: "connection".into() };
    let uses = Uses {
        digest: "d".into(),
        variables: BTreeMap::from([(variable.to_string(), vec![one])]),
        flows: vec!["Main".into()],
        ..Uses::default()
    };
    w.edit_live("prod", |inventory| {
        let Some(Item::Integration(object, _)) = inventory.get(&ObjectId::new(Kind::Integration, "i")) else {
            panic!()
        };
        inventory.insert(Item::Integration(object, Some(Arc::new(uses))));
    });
    w
}

/// Valid definitions do this, so it is a warning.
#[test]
fn a_step_of_another_component_is_a_warning() {
    let plan = used_by("ms-onedrive", "Files").plan();
    let finding = plan.finding(Code::ComponentNotServed);
    assert!(finding.text.contains("step \"Copy\" of flow \"Main\" is of component ms-onedrive"), "{}", finding.text);
    plan.exits(0);
    used_by("ms-sharepoint", "Files").plan().finds_no(Code::ComponentNotServed);
}

/// `connections` must be complete.
///
/// "`connections` … is complete".
#[test]
fn a_variable_that_only_the_definition_has_is_reported() {
    used_by("ms-sharepoint", "Other").plan().finding(Code::VariableUndeclared);
    used_by("ms-sharepoint", "Files").plan().finds_no(Code::VariableUndeclared);
}

#[test]
fn a_global_connection_has_no_input_per_customer() {
    let of = |credentials| {
        world().tenant("prod", |t| t.connection("crm", "http/basic").credentials(credentials).per_customer("host"))
    };
    of(Credentials::OrganizationGlobal).plan().exits(1).finding(Code::PerCustomerOnGlobal);
    of(Credentials::OrganizationCustomer).plan().finds_no(Code::PerCustomerOnGlobal).exits(0);
}

#[test]
fn customer_credentials_set_all_required_per_customer_inputs() {
    let w = world().tenant("prod", |t| {
        t.component("http/basic")
            .requires("host")
            .connection("crm", "http/basic")
            .per_customer("host")
            .input("path", "/x")
            .customer("Acme", "crm")
    });
    w.plan().exits(0).finding(Code::CustomerInputMissing);
    let given = w.tenant("prod", |t| t.edit("CustomerCredentials/acme-crm").input("host", "acme"));
    given.plan().exits(0).finds_no(Code::CustomerInputMissing);
    let too_much = given.tenant("prod", |t| t.edit("CustomerCredentials/acme-crm").input("path", "/y"));
    too_much.plan().exits(1).finding(Code::CustomerInputNotPerCustomer);
    let for_none = world().tenant("prod", |t| t.customer("Acme", "nothing"));
    for_none.plan().exits(0).finding(Code::CustomerConnectionMissing);
}
