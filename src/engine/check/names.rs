//! SK0148: a component, type or input that is named and not there. An error where it is plain what was meant,
//! else a warning. A tenant with no Component says nothing of them.

use super::Tenant;
use crate::api::*;
use crate::engine::code::{Code, Severity};
use crate::engine::item::ObjectId;
use crate::engine::near_miss::meant;
use crate::engine::plan::Finding;
use crate::engine::record::Writer;

/// On a Component that was made of what definitions use: it lists what was seen, not what there is.
const INFERRED: &str = "stablekey.dev/inferred";

pub(super) fn check(tenant: &Tenant<'_>, findings: &mut Vec<Finding>) {
    if tenant.inventory.components.is_empty() {
        return;
    }
    let own = tenant.inventory.connections.iter().filter(|(name, _)| !is_brought(tenant, Kind::Connection, name));
    for (name, connection) in own {
        let names = Names { tenant, object: ObjectId::new(Kind::Connection, name) };
        let spec = &connection.spec;
        let Some(type_) = names.type_(&spec.component, &spec.type_, &["spec"], findings) else { continue };
        let test =
            spec.test.iter().flat_map(|test| test.inputs.keys()).map(|input| (vec!["spec", "test", "inputs"], input));
        let inputs = spec.inputs.keys().map(|input| (vec!["spec", "inputs"], input));
        for (mut path, input) in inputs.chain(test) {
            path.push(input);
            names.input(type_, input, &path, findings);
        }
    }
    let own = tenant.inventory.integrations.iter().filter(|(name, _)| !is_brought(tenant, Kind::Integration, name));
    for (name, integration) in own {
        let names = Names { tenant, object: ObjectId::new(Kind::Integration, name) };
        for variable in &integration.spec.connections {
            if let Means::Own(own) = &variable.means {
                names.type_(&own.component, &own.type_, &["spec", "connections", &variable.name, "own"], findings);
            }
        }
    }
}

/// Whether syncs made an object: what a sync brings is checked at its source.
fn is_brought(tenant: &Tenant<'_>, kind: Kind, name: &str) -> bool {
    let record = tenant.inventory.record(tenant.name, &ObjectId::new(kind, name));
    record.is_some_and(|r| r.made && r.fields.values().all(|wrote| wrote.writers.iter().all(Writer::is_sync)))
}

struct Names<'t> {
    tenant: &'t Tenant<'t>,
    object: ObjectId,
}

impl<'t> Names<'t> {
    /// The type, where component and type are there.
    fn type_(
        &self,
        component: &ComponentRef,
        type_: &str,
        at: &[&str],
        findings: &mut Vec<Finding>,
    ) -> Option<&'t ConnectionType> {
        let inventory = self.tenant.inventory;
        let path = |last: &'static [&'static str]| at.iter().copied().chain(last.iter().copied()).collect::<Vec<_>>();
        let Some(known) = inventory.component(component) else {
            let other = inventory.components.values().find(|c| c.spec.key == component.key).map(|c| {
                let public = if c.spec.is_public() { "true" } else { "false" };
                format!("{} with public: {public}", c.spec.key)
            });
            let keys = inventory.components.values().map(|c| c.spec.key.as_str());
            let near = other.or_else(|| meant(&component.key, keys).map(str::to_string));
            self.unknown(&format!("component {component}"), near, false, &path(&["component", "key"]), findings);
            return None;
        };
        let object = inventory.components.get(&names::of_component(&component.key, component.is_public()));
        let inferred = object.is_some_and(|c| c.metadata.annotations.get(INFERRED).is_some_and(|v| v == "true"));
        let found = known.connection_type(type_);
        if found.is_none() && !known.types.is_empty() {
            let near = meant(type_, known.types.iter().map(|t| t.key.as_str())).map(str::to_string);
            let what = format!("type {type_} of component {component}");
            self.unknown(&what, near, inferred, &path(&["type"]), findings);
        }
        found.filter(|_| !inferred)
    }

    fn input(&self, type_: &ConnectionType, input: &str, path: &[&str], findings: &mut Vec<Finding>) {
        if type_.inputs.is_empty() || type_.inputs.contains_key(input) {
            return;
        }
        let near = meant(input, type_.inputs.keys().map(String::as_str)).map(str::to_string);
        self.unknown(&format!("input {input} of type {}", type_.key), near, false, path, findings);
    }

    fn unknown(&self, what: &str, near: Option<String>, only_warns: bool, path: &[&str], findings: &mut Vec<Finding>) {
        let severity = if near.is_some() && !only_warns { Severity::Error } else { Severity::Warning };
        let fix = match near {
            Some(near) => format!("did you mean {near}?"),
            None if path.ends_with(&["key"]) => "correct it, or write a Component for it".to_string(),
            None => "correct it, or add it to the Component".to_string(),
        };
        let text = format!("{what} is not there: no Component of {} has it", self.tenant.name);
        let finding = Finding::of(Code::NameUnknown, self.tenant.name, self.object.clone(), text, fix);
        findings.push(finding.at_path(path).of_severity(severity));
    }
}
