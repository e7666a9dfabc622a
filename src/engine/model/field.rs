//! Fields: the parts of an object that are compared, recorded and written separately. An input is a field, and so is a
//! variable.

use super::canonical::{self, FieldHash, Json};
use crate::api::{ComponentRef, ConnectionType, Definition, Input, Means, Uses, Variable};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

/// The kind of a field, in display order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum FieldKind {
    StableKey,
    Key,
    Customer,
    ConnectionKey,
    SetName,
    Origin,
    Title,
    Description,
    Component,
    Type,
    Credentials,
    Public,
    EmbeddedWorkflows,
    Types,
    Input,
    TestInput,
    Replaces,
    DeletionPolicy,
    Variable,
    Definition,
    Label,
    Annotation,
}

impl FieldKind {
    /// All kinds, in display order.
    pub const ALL: [FieldKind; 22] = [
        FieldKind::StableKey,
        FieldKind::Key,
        FieldKind::Customer,
        FieldKind::ConnectionKey,
        FieldKind::SetName,
        FieldKind::Origin,
        FieldKind::Title,
        FieldKind::Description,
        FieldKind::Component,
        FieldKind::Type,
        FieldKind::Credentials,
        FieldKind::Public,
        FieldKind::EmbeddedWorkflows,
        FieldKind::Types,
        FieldKind::Input,
        FieldKind::TestInput,
        FieldKind::Replaces,
        FieldKind::DeletionPolicy,
        FieldKind::Variable,
        FieldKind::Definition,
        FieldKind::Label,
        FieldKind::Annotation,
    ];

    /// The path below `spec` (for labels and annotations, below the document), and whether a name follows it.
    const fn path(self) -> (&'static [&'static str], bool) {
        match self {
            FieldKind::StableKey => (&["stableKey"], false),
            FieldKind::Key => (&["key"], false),
            FieldKind::Customer => (&["customer"], false),
            FieldKind::ConnectionKey => (&["connection"], false),
            FieldKind::SetName => (&["name"], false),
            FieldKind::Origin => (&["origin"], false),
            FieldKind::Title => (&["title"], false),
            FieldKind::Description => (&["description"], false),
            FieldKind::Component => (&["component"], false),
            FieldKind::Type => (&["type"], false),
            FieldKind::Credentials => (&["credentials"], false),
            FieldKind::Public => (&["public"], false),
            FieldKind::EmbeddedWorkflows => (&["embeddedWorkflows"], false),
            FieldKind::Types => (&["types"], false),
            FieldKind::Input => (&["inputs"], true),
            FieldKind::TestInput => (&["test", "inputs"], true),
            FieldKind::Replaces => (&["replaces"], false),
            FieldKind::DeletionPolicy => (&["deletionPolicy"], false),
            FieldKind::Variable => (&["connections"], true),
            FieldKind::Definition => (&["definition"], false),
            FieldKind::Label => (&["metadata", "labels"], true),
            FieldKind::Annotation => (&["metadata", "annotations"], true),
        }
    }

    /// The default that an absent field is read as.
    pub const fn absent(self) -> Option<FieldValue<'static>> {
        match self {
            FieldKind::EmbeddedWorkflows => Some(FieldValue::Bool(false)),
            FieldKind::Public => Some(FieldValue::Bool(true)),
            FieldKind::DeletionPolicy => Some(FieldValue::Text("Retain")),
            FieldKind::Origin => Some(FieldValue::Text("Organization")),
            _ => None,
        }
    }

    /// Whether the field is immutable.
    pub const fn is_immutable(self) -> bool {
        matches!(
            self,
            FieldKind::StableKey | FieldKind::Key | FieldKind::Component | FieldKind::Type | FieldKind::Credentials
        )
    }
}

/// The address of a field in an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Field<'a> {
    /// The kind of the field.
    pub kind: FieldKind,
    /// The name of an input, variable, label or annotation; else empty.
    pub name: Cow<'a, str>,
}

impl<'a> Field<'a> {
    /// A field without a name.
    pub const fn of(kind: FieldKind) -> Self {
        Field { kind, name: Cow::Borrowed("") }
    }

    /// An input, variable, label or annotation.
    pub const fn named(kind: FieldKind, name: &'a str) -> Self {
        Field { kind, name: Cow::Borrowed(name) }
    }

    /// A copy that owns its name.
    pub fn into_owned(self) -> Field<'static> {
        Field { kind: self.kind, name: Cow::Owned(self.name.into_owned()) }
    }

    /// Whether it is an input, which may be a secret.
    pub const fn is_input(&self) -> bool {
        matches!(self.kind, FieldKind::Input | FieldKind::TestInput)
    }

    /// The path as plans show it: below `spec`, except for `metadata`.
    pub fn path(&self) -> Vec<String> {
        let (path, named) = self.kind.path();
        path.iter().map(ToString::to_string).chain(named.then(|| self.name.to_string())).collect()
    }

    /// The path from the document root.
    pub fn document_path(&self) -> Vec<String> {
        let path = self.path();
        if path.first().is_some_and(|first| first == "metadata") {
            path
        } else {
            std::iter::once("spec".to_string()).chain(path).collect()
        }
    }

    /// The path from the document root without the name, and whether a name follows it.
    pub fn document_prefix(&self) -> (Vec<&'static str>, bool) {
        let (path, named) = self.kind.path();
        let in_metadata = path.first() == Some(&"metadata");
        ((!in_metadata).then_some("spec").into_iter().chain(path.iter().copied()).collect(), named)
    }

    /// Encodes the path for the ownership record as one word: with dots, and `%XX` for characters other than letters,
    /// digits, `-`, `_` and `/`.
    pub fn encode(&self) -> String {
        let mut out = String::with_capacity(32);
        let (path, named) = self.kind.path();
        for (position, part) in path.iter().copied().chain(named.then_some(self.name.as_ref())).enumerate() {
            if position > 0 {
                out.push('.');
            }
            for byte in part.bytes() {
                if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/') {
                    out.push(char::from(byte));
                } else {
                    out.push_str(&format!("%{byte:02X}"));
                }
            }
        }
        out
    }

    /// Parses a path as people write it: `inputs.scopes`, `connections.Salesforce Connection`.
    pub fn parse(text: &str) -> Option<Field<'static>> {
        let text = text.strip_prefix("spec.").unwrap_or(text);
        FieldKind::ALL.into_iter().find_map(|kind| {
            let (path, named) = kind.path();
            let rest = text.strip_prefix(&path.join("."))?;
            match named {
                false => rest.is_empty().then(|| Field::of(kind)),
                true => {
                    let name = rest.strip_prefix('.').filter(|name| !name.is_empty())?;
                    Some(Field::named(kind, name).into_owned())
                }
            }
        })
    }

    /// Decodes what [`Field::encode`] wrote; `None` for anything else.
    pub fn decode(text: &str) -> Option<Field<'static>> {
        let parts: Vec<String> = text.split('.').map(decode_part).collect::<Option<_>>()?;
        FieldKind::ALL.into_iter().find_map(|kind| {
            let (path, named) = kind.path();
            let here = parts.len() == path.len() + usize::from(named) && parts.iter().zip(path).all(|(a, b)| a == b);
            here.then(|| Field {
                kind,
                name: if named { parts.last().cloned().unwrap_or_default().into() } else { Cow::Borrowed("") },
            })
        })
    }
}

fn decode_part(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |b: Option<u8>| char::from(b?).to_digit(16).and_then(|d| u8::try_from(d).ok());
            let high = digit(rest.next())?;
            bytes.push(high * 16 + digit(rest.next())?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path().join("."))
    }
}

/// The value of a field, borrowed from its object.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub enum FieldValue<'a> {
    Text(&'a str),
    Bool(bool),
    Input(&'a Input),
    Component(&'a ComponentRef),
    Texts(&'a [String]),
    Types(&'a [ConnectionType]),
    Variable(&'a Variable),
    /// The content of an integration's definition, from a file or a ConfigMap.
    Definition(&'a Uses),
    /// The location of a definition that was not read: a file that stayed in Git, or a ConfigMap that does not exist.
    Reference(&'a Definition),
}

impl FieldValue<'_> {
    /// Whether both values are equivalent: absent `public` equals true.
    pub fn is(&self, other: &FieldValue<'_>) -> bool {
        match (self, other) {
            (FieldValue::Text(a), FieldValue::Text(b)) => a == b,
            (FieldValue::Definition(a), FieldValue::Definition(b)) => a.has_same_value(b),
            (FieldValue::Bool(a), FieldValue::Bool(b)) => a == b,
            (FieldValue::Reference(a), FieldValue::Reference(b)) => a == b,
            (FieldValue::Input(a), FieldValue::Input(b)) => a == b,
            (FieldValue::Component(a), FieldValue::Component(b)) => a.is(b),
            (FieldValue::Texts(a), FieldValue::Texts(b)) => a == b,
            (FieldValue::Types(a), FieldValue::Types(b)) => a == b,
            (FieldValue::Variable(a), FieldValue::Variable(b)) => match (&a.means, &b.means) {
                (Means::StableKey(a), Means::StableKey(b)) => a == b,
                (Means::Own(a), Means::Own(b)) => a.component.is(&b.component) && a.type_ == b.type_,
                _ => false,
            },
            _ => false,
        }
    }

    /// The value as JSON, for plans.
    pub fn to_json(&self) -> Json {
        Json::written(|text| self.write_canonical(text))
    }

    /// Writes canonical JSON, which is the input of the recorded hash.
    pub fn write_canonical(&self, out: &mut String) {
        match self {
            FieldValue::Text(text) => canonical::write_text(text, out),
            FieldValue::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            FieldValue::Input(Input::Value(value)) => {
                out.push_str("{\"value\":");
                canonical::write_text(value, out);
                out.push('}');
            }
            FieldValue::Input(Input::PerCustomer(_)) => out.push_str("{\"perCustomer\":true}"),
            FieldValue::Input(Input::SecretRef(reference)) => {
                out.push_str("{\"secretRef\":{\"key\":");
                canonical::write_text(&reference.key, out);
                out.push_str(",\"name\":");
                canonical::write_text(&reference.name, out);
                if let Some(version) = &reference.version {
                    out.push_str(",\"version\":");
                    canonical::write_text(version, out);
                }
                out.push_str("}}");
            }
            FieldValue::Component(component) => write_component(component, out),
            FieldValue::Texts(texts) => {
                out.push('[');
                for (position, text) in texts.iter().enumerate() {
                    if position > 0 {
                        out.push(',');
                    }
                    canonical::write_text(text, out);
                }
                out.push(']');
            }
            // Plain data with string keys can always be serialized.
            FieldValue::Types(types) => canonical::write(&serde_json::to_value(types).unwrap_or(Value::Null), out),
            FieldValue::Reference(definition) => {
                canonical::write(&serde_json::to_value(definition).unwrap_or(Value::Null), out);
            }
            FieldValue::Variable(variable) => match &variable.means {
                Means::StableKey(key) => {
                    out.push_str("{\"stableKey\":");
                    canonical::write_text(key, out);
                    out.push('}');
                }
                Means::Own(own) => {
                    out.push_str("{\"own\":{\"component\":");
                    write_component(&own.component, out);
                    out.push_str(",\"type\":");
                    canonical::write_text(&own.type_, out);
                    out.push_str("}}");
                }
            },
            FieldValue::Definition(uses) => write_digest(&uses.digest, out),
        }
    }

    /// The hash for the ownership record.
    pub fn hash(&self) -> FieldHash {
        match self {
            FieldValue::Definition(uses) if !uses.value.is_empty() => of_digest(&uses.value),
            _ => FieldHash::of(&self.canonical()),
        }
    }

    /// Whether a recorded hash matches this value. For a definition, an older record has the hash of its bytes, and a
    /// record of a sync that ignores component versions has a hash without them.
    pub fn is_recorded_as(&self, hash: FieldHash) -> bool {
        match self {
            FieldValue::Definition(uses) => {
                [&uses.value, &uses.digest, &uses.versionless].into_iter().any(|digest| of_digest(digest) == hash)
            }
            _ => self.hash() == hash,
        }
    }

    /// Whether both values are equal except for component versions in a definition.
    pub fn is_but_for_versions(&self, other: &FieldValue<'_>) -> bool {
        match (self, other) {
            (FieldValue::Definition(a), FieldValue::Definition(b)) => a.has_same_value_except_versions(b),
            _ => false,
        }
    }

    /// The hash for the ownership record if component versions are ignored.
    pub fn hash_without_versions(&self) -> Option<FieldHash> {
        match self {
            FieldValue::Definition(uses) if !uses.versionless.is_empty() => Some(of_digest(&uses.versionless)),
            _ => None,
        }
    }

    /// The parts of a definition that were added, removed and changed; empty for other values.
    pub fn parts_to(&self, other: &FieldValue<'_>) -> Vec<String> {
        match (self, other) {
            (FieldValue::Definition(before), FieldValue::Definition(after)) => before.changes_to(after),
            _ => Vec::new(),
        }
    }

    /// Canonical JSON.
    pub fn canonical(&self) -> String {
        let mut text = String::with_capacity(64);
        self.write_canonical(&mut text);
        text
    }
}

fn write_digest(digest: &str, out: &mut String) {
    out.push_str("{\"sha256\":");
    canonical::write_text(digest, out);
    out.push('}');
}

fn of_digest(digest: &str) -> FieldHash {
    let mut text = String::with_capacity(80);
    write_digest(digest, &mut text);
    FieldHash::of(&text)
}

fn write_component(component: &ComponentRef, out: &mut String) {
    out.push_str("{\"key\":");
    canonical::write_text(&component.key, out);
    if !component.is_public() {
        out.push_str(",\"public\":false");
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_survives_its_encoding() {
        for kind in FieldKind::ALL {
            let name = if kind.path().1 { "Salesforce Connection.v2=%@," } else { "" };
            let field = Field::named(kind, name);
            let text = field.encode();
            assert!(!text.contains([' ', '=', '@', ',']), "{text}");
            assert_eq!(Field::decode(&text), Some(field.clone()));
            assert_eq!(Field::parse(&field.to_string()), Some(field.clone()));
            assert_eq!(Field::parse(&field.document_path().join(".")), Some(field));
        }
        assert_eq!(Field::decode("inputs.authorizeUrl"), Some(Field::named(FieldKind::Input, "authorizeUrl")));
        assert_eq!(Field::decode("nothing"), None);
        for wrong in ["nothing", "inputs", "inputs.", "titles", "title.x", ""] {
            assert_eq!(Field::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Field::decode("inputs.%ZZ"), None);
    }

    #[test]
    fn absent_public_is_public() {
        let (a, b) =
            (ComponentRef { key: "x".into(), public: Some(true) }, ComponentRef { key: "x".into(), public: None });
        assert!(FieldValue::Component(&a).is(&FieldValue::Component(&b)));
        assert_eq!(FieldValue::Component(&a).hash(), FieldValue::Component(&b).hash());
    }
}
