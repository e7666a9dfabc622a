//! SK0104: a step of one component uses a connection of another; SK0130: a variable that only the
//! definition knows.

use super::Tenant;
use crate::api::*;
use crate::engine::code::Code;
use crate::engine::item::ObjectId;
use crate::engine::plan::Finding;

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
            findings.push(Finding::of(
                Code::ComponentNotServed,
                tenant.name,
                ObjectId::new(Kind::Integration, row.integration),
                format!("{by} is of component {component} and uses {:?}, a connection of {serves}", row.variable.name),
                "if the two share their credentials this is right; else bind the variable to a connection of that component",
            ));
        }
    }
    for (integration, uses) in &tenant.inventory.uses {
        let Some(object) = tenant.inventory.integrations.get(integration) else { continue };
        for variable in uses.variables.keys().filter(|name| !object.spec.connections.iter().any(|v| v.name == **name)) {
            findings.push(Finding::of(
                Code::VariableUndeclared,
                tenant.name,
                ObjectId::new(Kind::Integration, integration),
                format!("the definition uses connection variable {variable:?}, which connections does not list"),
                "add it to connections, with a stableKey or as its own",
            ));
        }
    }
}
