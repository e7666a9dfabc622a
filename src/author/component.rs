//! A new Component: from flags, from another tenant that describes it, or inferred from definitions that use it.

use super::draft::Draft;
use super::error::AuthorError;
use super::home::{home, snapshots, tenant, tenants};
use crate::api::{ComponentRef, ComponentSpec, ConnectionType, Object, Resource, TypeInput, is_inferred, names};
use crate::platform::definition::{component_stubs, read};
use crate::project::Project;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// A new component, as a person asks for it.
#[derive(Clone, Debug, Default)]
pub struct NewComponent {
    pub tenant: String,
    pub key: String,
    pub private: bool,
    /// Its connection types; if there are none, they are looked for.
    pub types: Vec<ConnectionType>,
    /// The tenant to take it from; by default any that describes it.
    pub from: Option<String>,
}

/// Adds a component, and returns its file and where its types are from.
pub fn add(draft: &mut Draft<'_>, asked: &NewComponent) -> Result<(PathBuf, String), AuthorError> {
    let project = draft.project;
    let (name, _) = tenant(project, &asked.tenant)?;
    let home = home(project, name)?;
    if names::of_text(&asked.key).is_empty() {
        let help = "give the key of the component on the platform, such as salesforce";
        return Err(AuthorError::refused(format!("{:?} cannot be the key of a component", asked.key), help));
    }
    let reference = ComponentRef::new(asked.key.clone(), !asked.private);
    let object_name = names::of_component(&asked.key, !asked.private);
    if home.read.inventory.components.contains_key(&object_name) {
        let help = "change that object: a type is one item of spec.types";
        return Err(AuthorError::refused(format!("{name} has Component/{object_name} already"), help));
    }
    doubled(&asked.types)?;
    let (object, from) = match asked.types.as_slice() {
        [] => found(project, name, &reference, asked.from.as_deref())?,
        types => {
            let spec =
                ComponentSpec { key: asked.key.clone(), public: asked.private.then_some(false), types: types.to_vec() };
            (Object::new(object_name, spec), "as given".to_string())
        }
    };
    Ok((draft.add(&home, &Resource::from(object))?, from))
}

fn doubled(types: &[ConnectionType]) -> Result<(), AuthorError> {
    let mut seen = BTreeSet::new();
    match types.iter().find(|type_| !seen.insert(&type_.key)) {
        Some(twice) => Err(AuthorError::refused(format!("type {} is given twice", twice.key), "give it once")),
        None => Ok(()),
    }
}

/// The component as another tenant describes it, as the platform says, or as definitions use it.
fn found(
    project: &Project,
    into: &str,
    reference: &ComponentRef,
    from: Option<&str>,
) -> Result<(Object<ComponentSpec>, String), AuthorError> {
    let only = from.map(|name| tenant(project, name)).transpose()?.map(|(name, _)| name);
    // The tenant itself first: on the platform it knows what it has.
    let mut order = tenants(project);
    order.sort_by_key(|name| *name != into);
    order.retain(|name| only.is_none_or(|only| *name == only));
    let mut inferred = None;
    let mut known: BTreeSet<String> = BTreeSet::new();
    for name in &order {
        for snapshot in project.tenants.get(*name).into_iter().flat_map(snapshots) {
            let components = snapshot.inventory.components.values();
            known.extend(components.clone().map(|component| component.spec.key.clone()));
            for component in components.filter(|component| component.spec.reference().is(reference)) {
                let object = copy(component);
                match is_inferred(&component.metadata) {
                    false => return Ok((object, format!("as {name} describes it"))),
                    true => inferred = inferred.or(Some((object, format!("inferred in {name}")))),
                }
            }
        }
    }
    if let Some(found) = inferred.or_else(|| of_definitions(project, &order, reference, &mut known)) {
        return Ok(found);
    }
    let mut unknown = AuthorError::unknown("component", &reference.to_string(), known.iter().map(String::as_str));
    if let AuthorError::Unknown { help, .. } = &mut unknown {
        let or = if help.ends_with('?') { " Or" } else { "; or" };
        help.push_str(or);
        help.push_str(" describe its connection types: --type KEY, and --input TYPE.NAME:required,secret,endpoint");
    }
    Err(unknown)
}

/// A component without what belongs to its tenant; that it was inferred stays known.
fn copy(component: &Object<ComponentSpec>) -> Object<ComponentSpec> {
    let name = names::of_component(&component.spec.key, component.spec.is_public());
    let mut copy = Object::new(name, component.spec.clone());
    if is_inferred(&component.metadata) {
        copy.metadata.annotations.insert(crate::api::INFERRED.to_string(), "true".to_string());
    }
    copy
}

/// The component as the definitions of integrations use it.
fn of_definitions(
    project: &Project,
    tenants: &[&str],
    reference: &ComponentRef,
    known: &mut BTreeSet<String>,
) -> Option<(Object<ComponentSpec>, String)> {
    let mut definitions = Vec::new();
    for name in tenants {
        for snapshot in project.tenants.get(*name).into_iter().flat_map(snapshots) {
            for integration in snapshot.inventory.integrations.keys() {
                let bytes = project.definition_beside(name, integration).ok();
                definitions.extend(bytes.and_then(|bytes| read(&bytes).ok()));
            }
        }
    }
    let all: Vec<_> = definitions.iter().collect();
    let stubs = component_stubs(&all);
    known.extend(stubs.iter().map(|stub| stub.spec.key.clone()));
    let stub = stubs.into_iter().find(|stub| stub.spec.reference().is(reference))?;
    Some((stub, "inferred from definitions that use it".to_string()))
}

/// Parses `TYPE.NAME` or `TYPE.NAME:required,secret,endpoint` into the types; a new type is added.
pub fn add_input(types: &mut Vec<ConnectionType>, text: &str) -> Result<(), String> {
    const FORM: &str = "write TYPE.NAME, or TYPE.NAME:required,secret,endpoint";
    let (path, marks) = text.split_once(':').unwrap_or((text, ""));
    let (type_, name) = path.split_once('.').filter(|(t, n)| !t.is_empty() && !n.is_empty()).ok_or(FORM)?;
    let mut input = TypeInput::default();
    for mark in marks.split(',').filter(|mark| !mark.is_empty()) {
        match mark.trim() {
            "required" => input.required = Some(true),
            "secret" => input.secret = Some(true),
            "endpoint" => input.endpoint = Some(true),
            other => {
                let near = crate::near_miss::meant(other, ["required", "secret", "endpoint"]);
                let near = near.map_or_else(|| FORM.to_string(), |near| format!("did you mean {near}?"));
                return Err(format!("{other} is no mark of an input: {near}"));
            }
        }
    }
    let of_key = types.iter().position(|there| there.key == type_).unwrap_or_else(|| {
        types.push(ConnectionType { key: type_.to_string(), oauth2: None, inputs: BTreeMap::new() });
        types.len() - 1
    });
    match types[of_key].inputs.insert(name.to_string(), input) {
        Some(_) => Err(format!("input {name} of {type_} is given twice")),
        None => Ok(()),
    }
}
