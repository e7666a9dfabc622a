//! A Secret from a watch event: one that opted in, or one that is a binding Secret or may occupy the name of one.

use super::MANAGER;
use super::fingerprint::{Fingerprint, Hasher, Salt};
use super::naming::{Owner, TYPE_PREFIX};
use super::source::SourceSecret;
use crate::api::{BINDING_FROM, BINDING_ID, BINDING_KEYS, BINDING_OF, FOR, FOR_BINDING, FOR_CONNECTIONS};
use crate::kubernetes::budget::{Named, Weighs};
use crate::kubernetes::managed_fields::ForeignEntry;
use crate::secret::SecretBytes;
use k8s_openapi::ByteString;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A parsed Secret.
#[derive(Debug)]
pub(crate) enum ObservedSecret {
    /// It opted in.
    Source(SourceSecret),
    /// Any other: a binding Secret, or a Secret that may occupy the name of one.
    Binding(BindingSecret),
}

/// A Secret that did not opt in. Its data is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BindingSecret {
    pub name: String,
    pub uid: String,
    pub resource_version: String,
    /// The annotation, if Stablekey made the Secret: it has Stablekey's label, type and annotation, and the binder's
    /// field manager owns the annotation (otherwise it is a copy).
    pub ours: Option<String>,
    /// Identifies the object that it was made for; `None` if it does not say.
    pub id: Option<String>,
    /// The Secrets that its values come from.
    pub from: BTreeSet<String>,
    /// The stable keys that these opted in for; empty if it does not say.
    pub keys: BTreeSet<String>,
    /// Whether it is deleted with an owner that is a Stablekey custom resource.
    pub is_owned: bool,
    /// Whether it has Stablekey's label, so that its changes are watched.
    pub watched: bool,
    pub type_: String,
    pub content: Fingerprint,
}

impl Weighs for ObservedSecret {
    fn weight(&self) -> usize {
        const OBJECT: usize = 512;
        match self {
            ObservedSecret::Source(source) => OBJECT + source.weight(),
            ObservedSecret::Binding(_) => OBJECT,
        }
    }
}

impl Named for ObservedSecret {
    fn name(&self) -> &str {
        match self {
            ObservedSecret::Source(source) => &source.name,
            ObservedSecret::Binding(binding) => &binding.name,
        }
    }
}

/// The Secret cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no Secret")]
pub(crate) struct Unreadable;

#[derive(Deserialize)]
struct RawSecret {
    metadata: RawMeta,
    #[serde(rename = "type", default)]
    type_: String,
    #[serde(default)]
    data: Option<BTreeMap<String, Option<SecretData>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RawMeta {
    pub name: String,
    #[serde(default)]
    pub uid: String,
    #[serde(default)]
    pub resource_version: String,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub owner_references: Vec<RawOwner>,
    #[serde(default)]
    pub managed_fields: Vec<ForeignEntry>,
}

#[derive(Deserialize)]
pub(crate) struct RawOwner {
    kind: String,
    name: String,
    pub uid: String,
}

struct SecretData(Arc<SecretBytes>);

impl<'de> Deserialize<'de> for SecretData {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        ByteString::deserialize(from).map(|bytes| SecretData(Arc::new(SecretBytes::new(bytes.0))))
    }
}

impl ObservedSecret {
    /// Parses a Secret from the API server's JSON.
    pub(crate) fn parse(json: &[u8], salt: &Salt) -> Result<ObservedSecret, Unreadable> {
        // The parser's message may quote what it read.
        let RawSecret { metadata, type_, data } = serde_json::from_slice(json).map_err(|_| Unreadable)?;
        let RawMeta { name, uid, resource_version, labels, annotations, owner_references, managed_fields } = metadata;
        let label = labels.unwrap_or_default().remove(FOR);
        let annotations = annotations.unwrap_or_default();
        let data = data.unwrap_or_default().into_iter().filter_map(|(key, data)| Some((key, data?.0)));
        if label.as_deref() == Some(FOR_CONNECTIONS) {
            return Ok(ObservedSecret::Source(SourceSecret::new(
                [name, uid, resource_version],
                &annotations,
                data.collect(),
            )));
        }
        let owned = OwnedFields::of(&managed_fields);
        let is_ours = label.as_deref() == Some(FOR_BINDING) && type_.starts_with(TYPE_PREFIX) && owned.annotation;
        let ours = annotations.get(BINDING_OF).filter(|_| is_ours).cloned();
        let owners = owner_references.iter().filter(|owner| owned.owners.contains(&owner.uid));
        let owners: Vec<_> =
            owners.map(|o| Owner { kind: o.kind.clone(), name: o.name.clone(), uid: o.uid.clone() }).collect();
        let id = annotations.get(BINDING_ID).filter(|_| ours.is_some()).cloned();
        let list = |annotation| annotations.get(annotation).filter(|_| ours.is_some()).map(|text| names(text));
        let [from, keys] = [BINDING_FROM, BINDING_KEYS].map(|annotation| list(annotation).unwrap_or_default());
        let data: Vec<_> = data.filter(|(key, _)| owned.data.contains(key)).collect();
        let content = content(
            salt,
            &type_,
            &Made {
                of: ours.as_deref().unwrap_or_default(),
                id: id.as_deref().unwrap_or_default(),
                from: &from,
                keys: &keys,
            },
            &owners,
            data.iter().map(|(key, value)| (key.as_str(), value.expose())),
        );
        let watched = label.as_deref() == Some(FOR_BINDING);
        let is_owned = !owners.is_empty();
        Ok(ObservedSecret::Binding(BindingSecret {
            name,
            uid,
            resource_version,
            ours,
            id,
            from,
            keys,
            is_owned,
            watched,
            type_,
            content,
        }))
    }

    pub(crate) fn revision(&self) -> &str {
        match self {
            ObservedSecret::Source(source) => &source.resource_version,
            ObservedSecret::Binding(binding) => &binding.resource_version,
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            ObservedSecret::Source(source) => &source.name,
            ObservedSecret::Binding(binding) => &binding.name,
        }
    }
}

/// What a binding Secret was made for, and of what.
pub(crate) struct Made<'a> {
    pub of: &'a str,
    pub id: &'a str,
    pub from: &'a BTreeSet<String>,
    pub keys: &'a BTreeSet<String>,
}

/// Parses the list of names in an annotation.
fn names(text: &str) -> BTreeSet<String> {
    text.split(',').filter(|name| !name.is_empty()).map(str::to_string).collect()
}

/// Returns the fingerprint of the fields that Stablekey owns: two equal ones need no write. `data` is sorted.
pub(crate) fn content<'a>(
    salt: &Salt,
    type_: &str,
    made: &Made<'_>,
    owners: &[Owner],
    data: impl ExactSizeIterator<Item = (&'a str, &'a [u8])>,
) -> Fingerprint {
    let mut hasher = Hasher::new(salt);
    hasher.part(type_.as_bytes());
    hasher.part(made.of.as_bytes());
    hasher.part(made.id.as_bytes());
    for names in [made.from, made.keys] {
        hasher.part(names.iter().map(String::as_str).collect::<Vec<_>>().join(",").as_bytes());
    }
    hasher.part(&owners.len().to_le_bytes());
    for owner in owners {
        for part in [&owner.kind, &owner.name, &owner.uid] {
            hasher.part(part.as_bytes());
        }
    }
    for (key, value) in data {
        hasher.part(key.as_bytes());
        hasher.part(value);
    }
    hasher.finish()
}

/// The fields of a Secret that the binder's field manager owns. Fields of other managers are not compared.
#[derive(Default)]
pub(crate) struct OwnedFields {
    annotation: bool,
    pub owners: BTreeSet<String>,
    data: BTreeSet<String>,
}

impl OwnedFields {
    pub(crate) fn of(entries: &[ForeignEntry]) -> Self {
        let mut owned = OwnedFields::default();
        for entry in entries.iter().filter(|entry| entry.is_applied_by(MANAGER)) {
            owned.annotation |= entry.holds(&["metadata", "annotations", BINDING_OF]);
            owned.data.extend(entry.names(&["data"], ""));
            owned.owners.extend(entry.names(&["metadata", "ownerReferences"], "uid"));
        }
        owned
    }
}
