//! A resource of a tenant, of any kind, as a set of fields.

use super::canonical::{self, Json};
use super::field::{Field, FieldKind, FieldValue};
use crate::api::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An object before and after a change.
#[derive(Clone, Debug)]
pub struct ItemChange {
    pub id: ObjectId,
    /// `None` if the change creates it.
    pub before: Option<Item>,
    /// `None` if the change removes it.
    pub after: Option<Item>,
}

/// A resource of a tenant. Its content is shared, so that a clone is cheap.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Item {
    Component(Arc<Object<ComponentSpec>>),
    Connection(Arc<Object<ConnectionSpec>>),
    CustomerCredentials(Arc<Object<CustomerCredentialsSpec>>),
    /// An integration with the uses of its variables; `None` without a readable definition.
    Integration(Arc<Object<IntegrationSpec>>, Option<Arc<Uses>>),
}

/// The kind and name of an object, which identify it in a tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// The kind of the object.
    pub kind: Kind,
    /// The name of the object.
    pub name: String,
}

impl ObjectId {
    /// Builds an id from kind and name.
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        ObjectId { kind, name: name.into() }
    }

    /// Parses `Kind/name`.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once('/')?;
        Some(ObjectId::new(Kind::parse(kind)?, name))
    }
}

impl std::fmt::Display for ObjectId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl serde::Serialize for ObjectId {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Groups of labels and annotations that tools set on objects for their own use: kubectl, Flux, Helm, Kubernetes
/// controllers.
const TOOLS: [&str; 6] = [
    "kubectl.kubernetes.io",
    "kustomize.toolkit.fluxcd.io",
    "helm.toolkit.fluxcd.io",
    "meta.helm.sh",
    "deployment.kubernetes.io",
    "config.kubernetes.io",
];
/// Single labels and annotations of tools, in groups that people use too (`argocd.argoproj.io/sync-wave`).
const OF_TOOLS: [&str; 5] =
    [WROTE, REQUESTED_AT, FLUX_REQUESTED_AT, "argocd.argoproj.io/tracking-id", "argocd.argoproj.io/instance"];

/// Whether a label or annotation is the bookkeeping of a tool on one object. It is never declared, and never copied to
/// another object.
pub fn is_bookkeeping(name: &str) -> bool {
    let group = name.split_once('/').map_or("", |(group, _)| group);
    TOOLS.contains(&group) || OF_TOOLS.contains(&name)
}

impl Item {
    /// The kind of the object.
    pub fn kind(&self) -> Kind {
        match self {
            Item::Component(_) => Kind::Component,
            Item::Connection(_) => Kind::Connection,
            Item::CustomerCredentials(_) => Kind::CustomerCredentials,
            Item::Integration(..) => Kind::Integration,
        }
    }

    /// The metadata of the object.
    pub fn metadata(&self) -> &Meta {
        match self {
            Item::Component(o) => &o.metadata,
            Item::Connection(o) => &o.metadata,
            Item::CustomerCredentials(o) => &o.metadata,
            Item::Integration(o, _) => &o.metadata,
        }
    }

    /// The secrets that it refers to.
    pub fn secret_refs(&self) -> impl Iterator<Item = &SecretRef> {
        let (inputs, test) = match self {
            Item::Connection(c) => (Some(&c.spec.inputs), c.spec.test.as_ref()),
            Item::CustomerCredentials(c) => (Some(&c.spec.inputs), None),
            Item::Component(_) | Item::Integration(..) => (None, None),
        };
        let all = inputs.into_iter().flatten().chain(test.into_iter().flat_map(|test| &test.inputs));
        all.filter_map(|(_, input)| match input {
            Input::SecretRef(reference) if !reference.is_unknown() => Some(reference),
            _ => None,
        })
    }

    /// The kind and name of the object.
    pub fn id(&self) -> ObjectId {
        ObjectId::new(self.kind(), self.metadata().name.clone())
    }

    /// Converts the item to a resource that can be written.
    pub fn to_resource(&self) -> Resource {
        match self {
            Item::Component(o) => Resource::Component(o.clone()),
            Item::Connection(o) => Resource::Connection(o.clone()),
            Item::CustomerCredentials(o) => Resource::CustomerCredentials(o.clone()),
            Item::Integration(o, _) => Resource::Integration(o.clone()),
        }
    }

    /// The fields, in order. `whole` includes those that a sync does not carry: labels, annotations, test inputs,
    /// deletionPolicy.
    pub fn fields(&self, whole: bool) -> Vec<(Field<'_>, FieldValue<'_>)> {
        let mut out = Vec::with_capacity(16);
        match self {
            Item::Component(o) => {
                out.extend(text(FieldKind::Key, Some(&o.spec.key)));
                out.extend(o.spec.public.map(|p| (Field::of(FieldKind::Public), FieldValue::Bool(p))));
                if !o.spec.types.is_empty() {
                    out.push((Field::of(FieldKind::Types), FieldValue::Types(&o.spec.types)));
                }
            }
            Item::Connection(o) => connection_fields(&o.spec, whole, &mut out),
            Item::CustomerCredentials(o) => {
                out.extend(text(FieldKind::Customer, Some(&o.spec.customer)));
                out.extend(text(FieldKind::ConnectionKey, Some(&o.spec.connection)));
                out.extend(text(FieldKind::SetName, o.spec.name.as_deref()));
                out.extend(text(FieldKind::Origin, o.spec.origin.map(origin_text)));
                out.extend(
                    o.spec.inputs.iter().map(|(n, i)| (Field::named(FieldKind::Input, n), FieldValue::Input(i))),
                );
            }
            Item::Integration(o, uses) => {
                out.extend(text(FieldKind::Title, o.spec.title.as_deref()));
                out.extend(
                    o.spec
                        .connections
                        .iter()
                        .map(|v| (Field::named(FieldKind::Variable, &v.name), FieldValue::Variable(v))),
                );
                if let Some(definition) = &o.spec.definition {
                    out.push((Field::of(FieldKind::Definition), definition_value(definition, uses.as_deref())));
                }
            }
        }
        if whole {
            let meta = self.metadata();
            for (kind, map) in [(FieldKind::Label, &meta.labels), (FieldKind::Annotation, &meta.annotations)] {
                let declared = map.iter().filter(|(name, _)| !is_bookkeeping(name));
                out.extend(declared.map(|(n, v)| (Field::named(kind, n), FieldValue::Text(v))));
            }
        }
        out.sort_by(|a, b| a.0.cmp(&b.0));
        out
    }

    /// The value of a field, or the default of an absent field.
    pub fn value(&self, field: &Field<'_>) -> Option<FieldValue<'_>> {
        self.written(field).or(field.kind.absent())
    }

    /// The value of a field as it is written.
    pub fn written(&self, field: &Field<'_>) -> Option<FieldValue<'_>> {
        let name = field.name.as_ref();
        match (self, field.kind) {
            (_, FieldKind::Label) => self.metadata().labels.get(name).map(|v| FieldValue::Text(v)),
            (_, FieldKind::Annotation) => self.metadata().annotations.get(name).map(|v| FieldValue::Text(v)),
            (Item::Connection(o), FieldKind::Input) => o.spec.inputs.get(name).map(FieldValue::Input),
            (Item::CustomerCredentials(o), FieldKind::Input) => o.spec.inputs.get(name).map(FieldValue::Input),
            (Item::Integration(o, _), FieldKind::Variable) => {
                o.spec.connections.iter().find(|v| v.name == name).map(FieldValue::Variable)
            }
            _ => self.fields(true).into_iter().find(|(f, _)| f == field).map(|(_, v)| v),
        }
    }

    /// A copy without the bookkeeping of tools, from which a new object is created.
    pub fn without_bookkeeping(mut self) -> Item {
        let is_kept = |meta: &Meta| meta.labels.keys().chain(meta.annotations.keys()).any(|name| is_bookkeeping(name));
        if is_kept(self.metadata()) {
            let meta = self.metadata_mut();
            meta.labels.retain(|name, _| !is_bookkeeping(name));
            meta.annotations.retain(|name, _| !is_bookkeeping(name));
        }
        self
    }

    /// A copy with one field from `from`, or without that field if `from` lacks it.
    pub fn with(&self, field: &Field<'_>, from: Option<&Item>) -> Item {
        let mut item = self.clone();
        let name = field.name.to_string();
        match field.kind {
            FieldKind::Label | FieldKind::Annotation => {
                let value = from.and_then(|f| f.written(field)).and_then(|v| match v {
                    FieldValue::Text(text) => Some(text.to_string()),
                    _ => None,
                });
                let meta = item.metadata_mut();
                let map = if field.kind == FieldKind::Label { &mut meta.labels } else { &mut meta.annotations };
                put(map, name, value);
            }
            _ => match (&mut item, from) {
                (Item::Component(o), Some(Item::Component(from))) => {
                    with_component(&mut Arc::make_mut(o).spec, field.kind, Some(&from.spec));
                }
                (Item::Component(o), _) => with_component(&mut Arc::make_mut(o).spec, field.kind, None),
                (Item::Connection(o), Some(Item::Connection(from))) => {
                    with_connection(&mut Arc::make_mut(o).spec, field, Some(&from.spec));
                }
                (Item::Connection(o), _) => with_connection(&mut Arc::make_mut(o).spec, field, None),
                (Item::CustomerCredentials(o), from) => {
                    let from = match from {
                        Some(Item::CustomerCredentials(from)) => Some(&from.spec),
                        _ => None,
                    };
                    let spec = &mut Arc::make_mut(o).spec;
                    match field.kind {
                        FieldKind::Input => {
                            put(&mut spec.inputs, name, from.and_then(|f| f.inputs.get(field.name.as_ref()).cloned()));
                        }
                        FieldKind::SetName => spec.name = from.and_then(|f| f.name.clone()),
                        FieldKind::Origin => spec.origin = from.and_then(|f| f.origin),
                        FieldKind::Customer => spec.customer = from.map_or_else(String::new, |f| f.customer.clone()),
                        FieldKind::ConnectionKey => {
                            spec.connection = from.map_or_else(String::new, |f| f.connection.clone());
                        }
                        _ => {}
                    }
                }
                (Item::Integration(o, uses), from) => {
                    let from = match from {
                        Some(Item::Integration(from, uses)) => Some((&from.spec, uses)),
                        _ => None,
                    };
                    let spec = &mut Arc::make_mut(o).spec;
                    match field.kind {
                        FieldKind::Title => spec.title = from.and_then(|(f, _)| f.title.clone()),
                        FieldKind::Definition => {
                            spec.definition = from.and_then(|(f, _)| f.definition.clone());
                            *uses = from.and_then(|(_, u)| u.clone());
                        }
                        FieldKind::Variable => {
                            let value = from.and_then(|(f, _)| f.connections.iter().find(|v| v.name == name).cloned());
                            match (spec.connections.iter().position(|v| v.name == name), value) {
                                (Some(at), Some(value)) => spec.connections[at] = value,
                                (Some(at), None) => {
                                    spec.connections.remove(at);
                                }
                                (None, Some(value)) => spec.connections.push(value),
                                (None, None) => {}
                            }
                        }
                        _ => {}
                    }
                }
            },
        }
        item
    }

    /// Removes labels and annotations: for a location that has none.
    pub fn forget_labels(&mut self) {
        let metadata = self.metadata();
        if !metadata.labels.is_empty() || !metadata.annotations.is_empty() {
            let metadata = self.metadata_mut();
            metadata.labels.clear();
            metadata.annotations.clear();
        }
    }

    /// Removes inputs with an empty value, where such an input is one that is not there.
    pub fn forget_empty_inputs(&mut self) {
        let is_there = |_: &String, input: &mut Input| !matches!(input, Input::Value(value) if value.is_empty());
        let has_empty = |inputs: &BTreeMap<String, Input>| {
            inputs.values().any(|input| matches!(input, Input::Value(value) if value.is_empty()))
        };
        match self {
            Item::Connection(o) => {
                let test = o.spec.test.as_ref().is_some_and(|test| has_empty(&test.inputs));
                if has_empty(&o.spec.inputs) || test {
                    let spec = &mut Arc::make_mut(o).spec;
                    spec.inputs.retain(is_there);
                    spec.test.iter_mut().for_each(|test| test.inputs.retain(is_there));
                }
            }
            Item::CustomerCredentials(o) if has_empty(&o.spec.inputs) => {
                Arc::make_mut(o).spec.inputs.retain(is_there);
            }
            _ => {}
        }
    }

    /// Removes the toggle for embedded workflows, where a person sets it, and returns it.
    pub fn take_embedded(&mut self) -> Option<bool> {
        match self {
            Item::Connection(o) if o.spec.embedded_workflows.is_some() => {
                Arc::make_mut(o).spec.embedded_workflows.take()
            }
            _ => None,
        }
    }

    fn metadata_mut(&mut self) -> &mut Meta {
        match self {
            Item::Component(o) => &mut Arc::make_mut(o).metadata,
            Item::Connection(o) => &mut Arc::make_mut(o).metadata,
            Item::CustomerCredentials(o) => &mut Arc::make_mut(o).metadata,
            Item::Integration(o, _) => &mut Arc::make_mut(o).metadata,
        }
    }

    /// Whether both are equal, or both absent.
    pub fn same(a: Option<&Item>, b: Option<&Item>) -> bool {
        match (a, b) {
            (Some(a), Some(b)) => a.is(b),
            (a, b) => a.is_none() && b.is_none(),
        }
    }

    /// Whether both are one object in memory, as what was read once and is in two projects.
    fn is_shared_with(&self, other: &Item) -> bool {
        match (self, other) {
            (Item::Component(a), Item::Component(b)) => Arc::ptr_eq(a, b),
            (Item::Connection(a), Item::Connection(b)) => Arc::ptr_eq(a, b),
            (Item::CustomerCredentials(a), Item::CustomerCredentials(b)) => Arc::ptr_eq(a, b),
            (Item::Integration(a, Some(of_a)), Item::Integration(b, Some(of_b))) => {
                Arc::ptr_eq(a, b) && Arc::ptr_eq(of_a, of_b)
            }
            (Item::Integration(a, None), Item::Integration(b, None)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    fn is(&self, other: &Item) -> bool {
        if self.is_shared_with(other) {
            return true;
        }
        let (mut ours, mut theirs) = (self.fields(true), other.fields(true));
        for fields in [&mut ours, &mut theirs] {
            fields.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        let (mut one, mut two) = (String::new(), String::new());
        let mut has_same_value = |a: &FieldValue<'_>, b: &FieldValue<'_>| {
            one.clear();
            a.write_canonical(&mut one);
            two.clear();
            b.write_canonical(&mut two);
            one == two
        };
        self.kind() == other.kind()
            && ours.len() == theirs.len()
            && ours.iter().zip(&theirs).all(|((f, a), (g, b))| f == g && has_same_value(a, b))
    }

    /// The whole object as JSON for digests: every field by its path.
    pub fn to_json(&self) -> Value {
        let fields: serde_json::Map<String, Value> =
            self.fields(true).into_iter().map(|(field, value)| (field.encode(), value.to_json().value())).collect();
        Value::Object(fields)
    }

    /// Writes the canonical text of [`Item::to_json`].
    pub fn write_json(&self, out: &mut String) {
        let fields = self.fields(true).into_iter();
        let mut fields: Vec<(String, Json)> = fields.map(|(field, value)| (field.encode(), value.to_json())).collect();
        fields.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        canonical::write_object(fields.iter().map(|(name, value)| (name.as_str(), value)), out, |value, out| {
            out.push_str(value.text());
        });
    }
}

fn text<'a>(kind: FieldKind, value: Option<&'a str>) -> Option<(Field<'a>, FieldValue<'a>)> {
    value.map(|v| (Field::of(kind), FieldValue::Text(v)))
}

fn put<V>(map: &mut std::collections::BTreeMap<String, V>, name: String, value: Option<V>) {
    match value {
        Some(value) => {
            map.insert(name, value);
        }
        None => {
            map.remove(&name);
        }
    }
}

fn origin_text(origin: Origin) -> &'static str {
    match origin {
        Origin::Organization => "Organization",
        Origin::Customer => "Customer",
    }
}

fn definition_value<'a>(definition: &'a Definition, uses: Option<&'a Uses>) -> FieldValue<'a> {
    // A definition that was read is compared by its content, independent of its location.
    uses.map_or(FieldValue::Reference(definition), FieldValue::Definition)
}

fn connection_fields<'a>(spec: &'a ConnectionSpec, whole: bool, out: &mut Vec<(Field<'a>, FieldValue<'a>)>) {
    out.push((Field::of(FieldKind::StableKey), FieldValue::Text(&spec.stable_key)));
    out.extend(spec.title.as_deref().map(|t| (Field::of(FieldKind::Title), FieldValue::Text(t))));
    out.extend(spec.description.as_deref().map(|t| (Field::of(FieldKind::Description), FieldValue::Text(t))));
    out.push((Field::of(FieldKind::Component), FieldValue::Component(&spec.component)));
    out.push((Field::of(FieldKind::Type), FieldValue::Text(&spec.type_)));
    out.push((Field::of(FieldKind::Credentials), FieldValue::Text(spec.credentials.as_str())));
    out.extend(spec.embedded_workflows.map(|e| (Field::of(FieldKind::EmbeddedWorkflows), FieldValue::Bool(e))));
    out.extend(spec.inputs.iter().map(|(n, i)| (Field::named(FieldKind::Input, n), FieldValue::Input(i))));
    if !spec.replaces.is_empty() {
        out.push((Field::of(FieldKind::Replaces), FieldValue::Texts(&spec.replaces)));
    }
    if whole {
        if let Some(test) = &spec.test {
            out.extend(test.inputs.iter().map(|(n, i)| (Field::named(FieldKind::TestInput, n), FieldValue::Input(i))));
        }
        out.extend(spec.deletion_policy.map(|p| {
            let text = match p {
                DeletionPolicy::Retain => "Retain",
                DeletionPolicy::Delete => "Delete",
            };
            (Field::of(FieldKind::DeletionPolicy), FieldValue::Text(text))
        }));
    }
}

fn with_component(spec: &mut ComponentSpec, kind: FieldKind, from: Option<&ComponentSpec>) {
    match kind {
        FieldKind::Public => spec.public = from.and_then(|f| f.public),
        FieldKind::Types => spec.types = from.map(|f| f.types.clone()).unwrap_or_default(),
        _ => {}
    }
}

fn with_connection(spec: &mut ConnectionSpec, field: &Field<'_>, from: Option<&ConnectionSpec>) {
    let name = field.name.to_string();
    match field.kind {
        FieldKind::Title => spec.title = from.and_then(|f| f.title.clone()),
        FieldKind::Description => spec.description = from.and_then(|f| f.description.clone()),
        FieldKind::EmbeddedWorkflows => spec.embedded_workflows = from.and_then(|f| f.embedded_workflows),
        FieldKind::Input => put(&mut spec.inputs, name, from.and_then(|f| f.inputs.get(field.name.as_ref()).cloned())),
        FieldKind::TestInput => {
            let value = from.and_then(|f| f.test.as_ref()?.inputs.get(field.name.as_ref()).cloned());
            let mut test = spec.test.take().unwrap_or_default();
            put(&mut test.inputs, name, value);
            spec.test = (!test.inputs.is_empty()).then_some(test);
        }
        FieldKind::Replaces => spec.replaces = from.map(|f| f.replaces.clone()).unwrap_or_default(),
        FieldKind::DeletionPolicy => spec.deletion_policy = from.and_then(|f| f.deletion_policy),
        // Immutable fields: an object that differs there is blocked as a whole.
        _ => {}
    }
}
