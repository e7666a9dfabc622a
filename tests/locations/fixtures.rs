//! Objects and worlds to apply.

use stablekey::api::*;
use stablekey::engine::model::inventory::{Inventory, Sync, TenantView, View, World};
use stablekey::engine::model::item::{Item, ObjectId};
use stablekey::engine::model::plan::{Action, Plan, Scope};
use stablekey::engine::model::record::Writer;
use stablekey::engine::plan::plan;
use std::collections::BTreeMap;
use std::sync::Arc;

pub const TENANT: &str = "eu-prod";

pub fn connection(key: &str, inputs: &[(&str, Input)]) -> Item {
    let spec = ConnectionSpec {
        stable_key: key.to_string(),
        title: Some(format!("Title of {key}")),
        description: None,
        component: ComponentRef::new("salesforce", true),
        type_: "oauth2".to_string(),
        credentials: Credentials::OrganizationCustomer,
        embedded_workflows: None,
        inputs: inputs.iter().map(|(name, input)| (name.to_string(), input.clone())).collect(),
        test: None,
        replaces: Vec::new(),
        deletion_policy: Some(DeletionPolicy::Delete),
    };
    Item::Connection(Arc::new(Object::new(names::of_stable_key(key), spec)))
}

pub fn integration(name: &str, bindings: &[(&str, &str)], definition: Option<&[u8]>) -> Item {
    let uses = definition.map(|bytes| Arc::new(stablekey::platform::definition::uses(bytes).unwrap()));
    let spec = IntegrationSpec {
        title: Some(format!("Title of {name}")),
        connections: bindings.iter().map(|(variable, key)| Variable::bound(*variable, *key)).collect(),
        definition: definition.map(|_| Definition::File(format!("{name}.definition"))),
    };
    Item::Integration(Arc::new(Object::new(name, spec)), uses)
}

pub fn inventory(items: &[Item]) -> Inventory {
    let mut inventory = Inventory::default();
    items.iter().for_each(|item| inventory.insert(item.clone()));
    inventory
}

/// `us-prod` as described, synced whole to the tenant under test, which prunes and allows everything.
pub fn world(source: &[Item], live: Arc<Inventory>) -> World {
    let accepts = TenantSpec {
        accept_from: vec!["us-prod".to_string()],
        policy: Some(Policy {
            actions: Some(vec![AllowedAction::Create, AllowedAction::Update, AllowedAction::Delete]),
            drift: None,
            approval: Some(ApprovalShare { percent: Some(100), from: Some(1000) }),
        }),
        ..TenantSpec::default()
    };
    let sync = TenantSyncSpec {
        from: "us-prod".to_string(),
        to: vec![TENANT.to_string()],
        integrations: vec!["*".to_string()],
        connections: Some(ConnectionMode::Mirror),
        prune: Some(true),
        ..TenantSyncSpec::default()
    };
    let view = |spec: TenantSpec, live: Arc<Inventory>| TenantView {
        spec,
        live: View::Read(live),
        source: None,
        recent: 0,
        before: None,
    };
    World {
        tenants: BTreeMap::from([
            (TENANT.to_string(), view(accepts, live)),
            ("us-prod".to_string(), view(TenantSpec::default(), Arc::new(inventory(source)))),
        ]),
        syncs: vec![Sync { writer: Writer::Sync("us-to-eu".to_string()), spec: Arc::new(sync) }],
        ..World::default()
    }
}

pub fn planned(source: &[Item], live: Arc<Inventory>) -> Plan {
    plan(&world(source, live), &Scope::default())
}

pub fn actions(plan: &Plan) -> Vec<&Action> {
    plan.actions().filter(|(target, _)| target.tenant == TENANT).map(|(_, action)| action).collect()
}

pub fn id(kind: Kind, name: &str) -> ObjectId {
    ObjectId::new(kind, name)
}

/// A definition in the platform's current form whose one step uses one connection variable.
pub fn definition(note: &str) -> Vec<u8> {
    format!(
        "definitionVersion: 7\nname: Lead router\ndescription: {note}\nrequiredConfigVars:\n  - key: CRM\n    dataType: connection\n    useScopedConfigVar: salesforce-oauth\nflows:\n  - name: New lead\n    steps:\n      - name: Notify\n        action:\n          key: notify\n          component: {{key: salesforce, isPublic: true, version: LATEST}}\n        inputs:\n          connection: {{type: configVar, value: CRM}}\n"
    )
    .into_bytes()
}
