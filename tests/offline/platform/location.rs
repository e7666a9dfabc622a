//! The platform as a location: the parts of the contract that reading has, and what its capabilities name.

use super::{every_kind, started};
use stablekey::api::PrismaticLocation;
use stablekey::api::TokenFrom;
use stablekey::engine::model::inventory::{Capabilities, Publishing, RecordIn};
use stablekey::tenant::location::Location as _;
use stablekey::tenant::prismatic::{OrganizationLocation, Platform as Access};
use stablekey_platform::{Platform, Region, Server, seed};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

fn location(server: &Server, root: &std::path::Path) -> OrganizationLocation {
    let host = server.url().replace("http://", "");
    let variables: BTreeMap<&str, String> = [
        ("STABLEKEY_TOKEN_US", server.refresh_token().to_string()),
        ("STABLEKEY_HOSTS", host),
        ("HOME", root.display().to_string()),
    ]
    .into();
    let access = Access::with(true, Box::new(move |name| variables.get(name).cloned()));
    let spec = PrismaticLocation {
        url: server.url(),
        tenant_id: None,
        token_from: Some(TokenFrom::Env("STABLEKEY_TOKEN_US".into())),
        secrets: None,
        publish: None,
    };
    Arc::new(access.pausing(Duration::ZERO)).location("us-prod", root, &spec).unwrap()
}

/// "what a location can do … are values that the engine asks".
#[test]
fn its_capabilities_say_what_it_cannot_do() {
    let (us, folder) = (every_kind(Region::Us), tempfile::tempdir().unwrap());
    let location = location(&us, folder.path());
    let Capabilities {
        watches,
        knows_field_owners,
        shows_secrets,
        resolves_older_keys,
        knows_readiness,
        reports_ready_integrations,
        writes_components,
        holds_missing_bindings,
        takes_code,
        publishing,
        has_no_empty_inputs,
        titles_are_names,
        has_labels,
        has_other_writers,
        record,
        sends_secrets,
        merges_inputs,
        writes_embedded,
        may_sign_out,
    } = location.capabilities();
    assert!(!watches && !knows_field_owners && !shows_secrets && !resolves_older_keys && !writes_components);
    assert!(
        knows_readiness && sends_secrets && !merges_inputs && !writes_embedded && may_sign_out && !has_other_writers
    );
    assert!(!holds_missing_bindings && !takes_code && publishing == Publishing::ByPerson && !has_labels);
    assert!(has_no_empty_inputs && titles_are_names && !reports_ready_integrations);
    assert_eq!(record, RecordIn::Apart);
    assert_eq!(location.snapshot().unwrap().inventory.can, location.capabilities());
}

/// What is read twice is the same, definitions included, and each definition is the one that was planned with.
#[test]
fn what_is_read_twice_is_the_same() {
    let (us, folder) = (every_kind(Region::Us), tempfile::tempdir().unwrap());
    let location = location(&us, folder.path());
    let (first, second) = (location.snapshot().unwrap().inventory, location.snapshot().unwrap().inventory);
    let ids = |inventory: &stablekey::engine::model::inventory::Inventory| -> Vec<String> {
        inventory.items().map(|item| item.to_json().to_string()).collect()
    };
    assert_eq!(ids(&first), ids(&second));
    assert!(first.invalid.is_empty() && first.unparsed.is_empty(), "{:?} {:?}", first.invalid, first.unparsed);
    assert_eq!(first.integrations.len(), 4);
    for (name, uses) in &first.uses {
        let bytes = location.definition(name).unwrap();
        assert_eq!(stablekey::platform::definition::digest(&bytes), uses.digest, "{name}");
    }
    assert!(location.definition("nothing").is_err());
}

/// An organization with nothing in it is empty, not unknown.
#[test]
fn an_empty_organization_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let store = stablekey_platform::Store::new("Empty", "6f0c1a52-0b4e-4c1d-8a55-1f0d5a6c0009");
    let empty = started(Platform::new(store));
    let inventory = location(&empty, folder.path()).snapshot().unwrap().inventory;
    assert!(inventory.is_empty() && inventory.unparsed.is_empty() && inventory.invalid.is_empty());
    drop(seed::large(1, 0));
}
