//! The contract of a location. `contract!(harness)` makes a test of each part.

use crate::locations::fixtures::*;
use stablekey::api::*;
use stablekey::apply::consent::{Approvals, StoredApproval};
use stablekey::apply::{Consent, Outcome, Report, Tenants, apply};
use stablekey::engine::model::inventory::Inventory;
use stablekey::engine::model::item::Item;
use stablekey::engine::model::plan::{DefinitionFrom, Plan};
use stablekey::tenant::location::{Location, LocationError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A location under test, and another writer that changes it concurrently.
pub trait Harness {
    fn location(&self) -> &dyn Location;
    fn by_another_writer(&self, item: &Item);
    /// Writes like an editor: unchanged fields keep their owner.
    fn edits(&self, item: &Item) {
        self.by_another_writer(item);
    }
    /// Returns the store of its approvals.
    fn approvals(&self) -> Box<dyn Approvals + '_>;
}

/// The tenant under test, and definitions to copy.
struct TenantUnderTest<'a> {
    location: &'a dyn Location,
    definitions: BTreeMap<String, Vec<u8>>,
}

impl Tenants for TenantUnderTest<'_> {
    fn location(&self, tenant: &str) -> Option<&dyn Location> {
        (tenant == TENANT).then_some(self.location)
    }

    fn definition(&self, from: &DefinitionFrom) -> Result<Vec<u8>, LocationError> {
        Ok(self.definitions[&from.integration].clone())
    }
}

pub fn live(harness: &dyn Harness) -> Arc<Inventory> {
    harness.location().snapshot().unwrap().inventory
}

pub fn run(harness: &dyn Harness, plan: &Plan, definitions: &[(&str, Vec<u8>)]) -> Report {
    let definitions = definitions.iter().map(|(name, bytes)| (name.to_string(), bytes.clone())).collect();
    let tenants = TenantUnderTest { location: harness.location(), definitions };
    apply(&tenants, harness.approvals().as_ref(), plan, &Consent::All, &|| false, &mut |_, _| {}).unwrap()
}

/// Applies the source to the location, and asserts that nothing is left to do.
pub fn apply_source(harness: &dyn Harness, source: &[Item], definitions: &[(&str, Vec<u8>)]) -> Plan {
    let plan = planned(source, live(harness));
    let report = run(harness, &plan, definitions);
    assert_eq!(report.undone().collect::<Vec<_>>(), vec![], "everything is done");
    let left = planned(source, live(harness));
    assert!(left.is_empty(), "nothing is left: {:#?}", actions(&left));
    plan
}

fn lead_router(definition_bytes: &[u8]) -> Item {
    integration("lead-router", &[("CRM", "salesforce-oauth")], Some(definition_bytes))
}

fn crm(scopes: &str) -> Item {
    connection(
        "salesforce-oauth",
        &[("scopes", Input::value(scopes)), ("clientSecret", Input::secret("salesforce-app", "clientSecret"))],
    )
}

pub fn a_created_object_has_its_record(harness: &dyn Harness) {
    let bytes = definition("first");
    apply_source(harness, &[crm("api"), lead_router(&bytes)], &[("lead-router", bytes.clone())]);
    let now = live(harness);
    let made = now.record(TENANT, &id(Kind::Connection, "salesforce-oauth")).unwrap();
    assert!(made.made);
    assert!(now.get(&id(Kind::Integration, "lead-router")).is_some());
    assert_eq!(harness.location().definition("lead-router").unwrap(), bytes);
}

pub fn an_update_changes_what_it_names_and_nothing_else(harness: &dyn Harness) {
    let bytes = definition("first");
    apply_source(harness, &[crm("api"), lead_router(&bytes)], &[("lead-router", bytes.clone())]);
    let Some(Item::Connection(before)) = live(harness).get(&id(Kind::Connection, "salesforce-oauth")) else { panic!() };
    let mut theirs = (*before).clone();
    theirs.spec.description = Some("ours: do not touch".to_string());
    theirs.spec.inputs.insert("region".to_string(), Input::value("eu"));
    harness.by_another_writer(&Item::Connection(Arc::new(theirs.clone())));
    apply_source(harness, &[crm("api refresh"), lead_router(&bytes)], &[]);
    let Some(Item::Connection(after)) = live(harness).get(&id(Kind::Connection, "salesforce-oauth")) else { panic!() };
    theirs.spec.inputs.insert("scopes".to_string(), Input::value("api refresh"));
    assert_eq!(after.spec, theirs.spec);
}

pub fn a_definition_changes_with_its_integration(harness: &dyn Harness) {
    let (first, second) = (definition("first"), definition("second"));
    apply_source(harness, &[crm("api"), lead_router(&first)], &[("lead-router", first.clone())]);
    apply_source(harness, &[crm("api"), lead_router(&second)], &[("lead-router", second.clone())]);
    assert_eq!(harness.location().definition("lead-router").unwrap(), second);
}

pub fn a_field_that_is_no_longer_desired_is_removed(harness: &dyn Harness) {
    let bytes = definition("first");
    let with = connection("salesforce-oauth", &[("scopes", Input::value("api")), ("note", Input::value("x"))]);
    apply_source(harness, &[with, lead_router(&bytes)], &[("lead-router", bytes.clone())]);
    apply_source(
        harness,
        &[connection("salesforce-oauth", &[("scopes", Input::value("api"))]), lead_router(&bytes)],
        &[],
    );
    let Some(Item::Connection(after)) = live(harness).get(&id(Kind::Connection, "salesforce-oauth")) else { panic!() };
    assert_eq!(after.spec.inputs.keys().collect::<Vec<_>>(), ["scopes"]);
}

pub fn an_object_in_sync_is_only_recorded(harness: &dyn Harness) {
    let Item::Connection(theirs) = crm("api") else { panic!() };
    harness.by_another_writer(&Item::Connection(theirs.clone()));
    let bytes = definition("first");
    apply_source(harness, &[crm("api"), lead_router(&bytes)], &[("lead-router", bytes.clone())]);
    let now = live(harness);
    let record = now.record(TENANT, &id(Kind::Connection, "salesforce-oauth")).unwrap();
    assert!(!record.made, "others made it");
    let Some(Item::Connection(after)) = now.get(&id(Kind::Connection, "salesforce-oauth")) else { panic!() };
    assert_eq!(after.spec, theirs.spec);
}

pub fn an_undesired_object_is_removed_with_its_record(harness: &dyn Harness) {
    let bytes = definition("first");
    let other = integration("other", &[], None);
    apply_source(harness, &[crm("api"), lead_router(&bytes), other.clone()], &[("lead-router", bytes.clone())]);
    apply_source(harness, &[other], &[]);
    let now = live(harness);
    assert!(now.get(&id(Kind::Integration, "lead-router")).is_none());
    assert!(now.record(TENANT, &id(Kind::Integration, "lead-router")).is_none());
    // The connection is kept: a sync does not copy deletionPolicy, so nobody allowed its deletion.
    assert!(now.get(&id(Kind::Connection, "salesforce-oauth")).is_some());
}

pub fn an_object_that_changed_since_is_left_alone(harness: &dyn Harness) {
    let bytes = definition("first");
    apply_source(harness, &[crm("api"), lead_router(&bytes)], &[("lead-router", bytes.clone())]);
    let plan = planned(&[crm("api refresh"), lead_router(&bytes)], live(harness));
    let Some(Item::Connection(before)) = live(harness).get(&id(Kind::Connection, "salesforce-oauth")) else { panic!() };
    let mut theirs = (*before).clone();
    theirs.spec.title = Some("changed in between".to_string());
    harness.by_another_writer(&Item::Connection(Arc::new(theirs.clone())));
    let report = run(harness, &plan, &[]);
    let undone: Vec<_> = report.undone().collect();
    assert!(matches!(undone.as_slice(), [(_, Outcome::Failed(LocationError::Changed { .. }))]), "{undone:?}");
    let Some(Item::Connection(after)) = live(harness).get(&id(Kind::Connection, "salesforce-oauth")) else { panic!() };
    assert_eq!(after.spec, theirs.spec);
}

pub fn a_create_never_overwrites_an_object(harness: &dyn Harness) {
    let plan = planned(&[crm("api"), integration("x", &[("CRM", "salesforce-oauth")], None)], live(harness));
    let theirs = connection("salesforce-oauth", &[("scopes", Input::value("theirs"))]);
    harness.by_another_writer(&theirs);
    let report = run(harness, &plan, &[]);
    assert!(
        report
            .undone()
            .any(|(id, o)| id.contains("Connection/") && matches!(o, Outcome::Failed(LocationError::Changed { .. })))
    );
    // What needs it is blocked.
    assert!(report.undone().any(|(id, o)| id.contains("Integration/") && matches!(o, Outcome::HeldBack { .. })));
    let now = live(harness).get(&id(Kind::Connection, "salesforce-oauth")).unwrap();
    assert_eq!(now.to_json(), theirs.to_json());
}

pub fn one_writes_at_a_time(harness: &dyn Harness) {
    let session = harness.location().begin(&[]).unwrap();
    assert!(matches!(harness.location().begin(&[]), Err(LocationError::Busy { .. })));
    drop(session);
    assert!(harness.location().begin(&[]).is_ok());
}

/// Approvals are stored until the receipt, and consumed when carried out.
pub fn approvals_are_kept_until_they_are_consumed(harness: &dyn Harness) {
    let set = |digests: &[&str]| digests.iter().map(ToString::to_string).collect::<BTreeSet<String>>();
    let kept =
        StoredApproval { given: set(&["sha256:d"]), of: set(&["sync/s"]), covers: set(&["sha256:aa", "sha256:bb"]) };
    assert_eq!(harness.approvals().kept(TENANT).unwrap(), []);
    harness.approvals().keep(TENANT, std::slice::from_ref(&kept)).unwrap();
    let found = harness.approvals().kept(TENANT).unwrap();
    let opens =
        |found: &[StoredApproval]| found.iter().any(|k| k.given.contains("sha256:d") && k.covers.contains("sha256:aa"));
    assert!(opens(&found), "{found:?}");
    harness.approvals().keep(TENANT, std::slice::from_ref(&kept)).unwrap();
    assert_eq!(harness.approvals().kept(TENANT).unwrap(), found, "given again it is the same");
    harness.approvals().consume(TENANT, &mut |_| true).unwrap();
    assert_eq!(harness.approvals().kept(TENANT).unwrap(), found);
    harness.approvals().consume(TENANT, &mut |_| false).unwrap();
    assert_eq!(harness.approvals().kept(TENANT).unwrap(), []);
    // An apply leaves none.
    apply_source(harness, &[crm("api")], &[]);
    assert_eq!(harness.approvals().kept(TENANT).unwrap(), []);
}

pub fn a_second_apply_writes_nothing(harness: &dyn Harness) {
    let bytes = definition("first");
    let source = [crm("api"), lead_router(&bytes)];
    apply_source(harness, &source, &[("lead-router", bytes.clone())]);
    let before = live(harness);
    let plan = planned(&source, before.clone());
    run(harness, &plan, &[]);
    let after = live(harness);
    let all = |inventory: &Inventory| inventory.items().map(|i| i.to_json().to_string()).collect::<Vec<_>>();
    assert_eq!(all(&before), all(&after));
    assert_eq!(before.records, after.records);
}

/// More than a page of anything.
pub fn many_objects_are_all_listed(harness: &dyn Harness) {
    let variables: Vec<(String, String)> = (0..60).map(|n| (format!("v{n}"), format!("key-{n}"))).collect();
    let mut source: Vec<Item> =
        (0..240).map(|n| connection(&format!("key-{n}"), &[("scopes", Input::value("api"))])).collect();
    for part in 0..4 {
        let bindings: Vec<(&str, String)> =
            variables.iter().enumerate().map(|(n, (v, _))| (v.as_str(), format!("key-{}", part * 60 + n))).collect();
        let bindings: Vec<(&str, &str)> = bindings.iter().map(|(v, k)| (*v, k.as_str())).collect();
        source.push(integration(&format!("integration-{part}"), &bindings, None));
    }
    apply_source(harness, &source, &[]);
    assert_eq!(live(harness).connections.len(), 240);
}

/// Makes a test of each part of the contract, for one kind of location.
#[macro_export]
macro_rules! contract {
    ($harness:expr; $($promise:ident)+) => {
        $(
            #[test]
            fn $promise() {
                $crate::locations::contract::$promise(&$harness);
            }
        )+
    };
    ($harness:expr) => {
        $crate::contract! { $harness;
            a_created_object_has_its_record
            an_update_changes_what_it_names_and_nothing_else
            a_definition_changes_with_its_integration
            a_field_that_is_no_longer_desired_is_removed
            an_object_in_sync_is_only_recorded
            an_undesired_object_is_removed_with_its_record
            an_object_that_changed_since_is_left_alone
            a_create_never_overwrites_an_object
            one_writes_at_a_time
            approvals_are_kept_until_they_are_consumed
            a_second_apply_writes_nothing
            many_objects_are_all_listed
        }
    };
}
