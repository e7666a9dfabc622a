//! Objects and worlds to apply.

use stablekey::api::*;
use stablekey::engine::model::inventory::{Inventory, World};
use stablekey::engine::model::item::{Item, ObjectId};
use stablekey::engine::model::plan::{Action, Plan, Scope};
use stablekey::engine::plan::plan;
use stablekey_testing::objects::{Connection, Integration};
use stablekey_testing::world as given;
use std::sync::Arc;

pub const TENANT: &str = "eu-prod";

pub fn connection(key: &str, inputs: &[(&str, Input)]) -> Item {
    let connection = Connection::new(key, "salesforce/oauth2").title(&format!("Title of {key}"));
    let connection = connection.deletion(DeletionPolicy::Delete);
    inputs.iter().fold(connection, |connection, (name, input)| connection.with_input(name, input.clone())).into()
}

pub fn integration(name: &str, bindings: &[(&str, &str)], definition: Option<&[u8]>) -> Item {
    let uses = definition.map(|bytes| Arc::new(stablekey::platform::definition::uses(bytes).unwrap()));
    let integration = Integration::new(name).title(&format!("Title of {name}"));
    let integration = bindings.iter().fold(integration, |it, (variable, key)| it.binds(variable, key));
    let integration = match definition {
        Some(_) => integration.definition_file(&format!("{name}.definition")),
        None => integration,
    };
    Item::Integration(Arc::new(integration.object), uses)
}

pub fn inventory(items: &[Item]) -> Inventory {
    let mut inventory = Inventory::default();
    items.iter().for_each(|item| inventory.insert(item.clone()));
    inventory
}

/// Returns a world with tenant `us-prod`, synced completely to the tenant under test, which prunes and allows
/// everything.
pub fn world(source: &[Item], live: Arc<Inventory>) -> World {
    given::world()
        .tenant(TENANT, |t| t.accepts("us-prod").allows_delete().approval(100, 1000).with_live(live))
        .tenant("us-prod", |t| t.with_live(Arc::new(inventory(source))))
        .sync("us-to-eu", "us-prod", TENANT)
        .mirror()
        .prune()
        .world
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

/// Returns a definition in the platform's current format whose one step uses one connection variable.
pub fn definition(note: &str) -> Vec<u8> {
    format!(
        "definitionVersion: 7\nname: Lead router\ndescription: {note}\nrequiredConfigVars:\n  - key: CRM\n    dataType: connection\n    useScopedConfigVar: salesforce-oauth\nflows:\n  - name: New lead\n    steps:\n      - name: Notify\n        action:\n          key: notify\n          component: {{key: salesforce, isPublic: true, version: LATEST}}\n        inputs:\n          connection: {{type: configVar, value: CRM}}\n"
    )
    .into_bytes()
}
