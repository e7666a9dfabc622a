//! SK0104: a step of one component uses a connection of another; SK0130: a variable that is only in the definition.

use super::Tenant;
use crate::api::*;
use crate::engine::model::code::{Code, Severity};
use crate::engine::model::command::{self, EditCommand};
use crate::engine::model::finding::Finding;
use crate::engine::model::item::ObjectId;
use crate::near_miss::meant;

pub(super) fn check(tenant: &Tenant<'_>, findings: &mut Vec<Finding>) {
    let of_one_integration = tenant.bindings.rows.chunk_by(|a, b| a.integration == b.integration);
    let with_uses = of_one_integration.filter_map(|rows| Some((rows, tenant.inventory.uses.get(rows[0].integration)?)));
    for (row, uses) in with_uses.flat_map(|(rows, uses)| rows.iter().map(move |row| (row, uses))) {
        let Some(uses) = uses.variables.get(&row.variable.name) else { continue };
        let own = match &row.variable.means {
            Means::Own(own) => Some(&own.component),
            Means::StableKey(_) => None,
        };
        let Some(serves) = own.or(row.resolution.connection().map(|c| &c.spec.component)) else { continue };
        for use_ in uses {
            let Some(component) = use_.component.as_ref().filter(|c| !c.is(serves)) else { continue };
            let by = match &use_.by {
                User::Step { flow, step } => format!("step {step:?} of flow {flow:?}"),
                User::DataSource { variable } => format!("the data source of {variable:?}"),
            };
            let finding = Finding::of(
                Code::ComponentNotServed,
                tenant.name,
                ObjectId::new(Kind::Integration, row.integration),
                format!("{by} is of component {component} and uses {:?}, a connection of {serves}", row.variable.name),
                "if the two share their credentials this is right; else bind the variable to a connection of that component",
            );
            let to = command::only_of(component, tenant.inventory).unwrap_or("KEY");
            let switch = match &use_.by {
                User::Step { step, .. } => EditCommand::switch_step(tenant.name, row.integration, step, to),
                User::DataSource { variable } => {
                    EditCommand::switch_data_source(tenant.name, row.integration, variable, to)
                }
            };
            findings.push(finding.by(switch));
        }
    }
    for (name, uses) in &tenant.inventory.uses {
        let Some(object) = tenant.inventory.integrations.get(name) else { continue };
        let misspelt = misspelt_variables(object, uses);
        for variable in unlisted(object, uses) {
            let meant = misspelt.iter().find(|(other, _)| *other == variable).map(|(_, meant)| *meant);
            let (severity, fix) = match meant {
                Some(meant) => (Severity::Error, format!("did you mean it where you list {meant:?}?")),
                None => (Severity::Warning, "add it to connections, with a stableKey or as its own".to_string()),
            };
            let text = format!("the definition uses connection variable {variable:?}, which connections does not list");
            let object = ObjectId::new(Kind::Integration, name);
            let mut path = vec!["spec", "connections"];
            path.extend(meant);
            let finding = Finding::of(Code::VariableUndeclared, tenant.name, object, text, fix);
            findings.push(finding.at_path(&path).of_severity(severity));
        }
    }
}

/// The variables that a definition uses and an integration does not list.
fn unlisted<'u>(integration: &Object<IntegrationSpec>, uses: &'u Uses) -> Vec<&'u str> {
    let is_listed = |name: &str| integration.spec.connections.iter().any(|v| v.name == name);
    uses.variables.keys().map(String::as_str).filter(|name| !is_listed(name)).collect()
}

/// Pairs of an unlisted variable and the listed variable, unknown to the definition, that was probably meant.
pub(super) fn misspelt_variables<'u>(
    integration: &'u Object<IntegrationSpec>,
    uses: &'u Uses,
) -> Vec<(&'u str, &'u str)> {
    let listed = integration.spec.connections.iter().map(|v| v.name.as_str());
    let unknown: Vec<&str> = listed.filter(|name| !uses.variables.contains_key(*name)).collect();
    let of = |variable: &'u str| Some((variable, meant(variable, unknown.iter().copied())?));
    unlisted(integration, uses).into_iter().filter_map(of).collect()
}
