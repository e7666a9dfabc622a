//! A desired binding Secret, and the request that writes it.

use super::base64;
use super::fingerprint::Fingerprint;
use super::naming::{Owner, secret_type};
use super::observed::BindingSecret;
use crate::api::*;
use crate::engine::model::canonical::write_text;
use crate::secret::SecretBytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use zeroize::Zeroize as _;

/// The value of the key `provider`.
const PROVIDER: &str = "stablekey";
/// The keys of a binding Secret that are not inputs.
const RESERVED: [&str; 2] = ["type", "provider"];
/// Maximum size of a Secret's data, in bytes.
const LARGEST: usize = 1_048_576;
/// Minimum length of a value that is searched for in a text: shorter ones occur anywhere.
const SHORTEST_SECRET: usize = 4;
/// A resource version that no object can have. A server-side apply with it creates the object if there is none, and
/// fails if there is one.
const NONE_YET: &str = "1";

/// How the Secret is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Not at all: it exists and is up to date.
    AsItIs,
    /// Created; fails if there is one.
    Create,
    /// Updated, if it still has this uid and version.
    Update { uid: String, resource_version: String },
    /// Deleted and created again: the existing one belongs to another object or component.
    Replace { uid: String, resource_version: String },
    /// Deleted: its source may no longer be used, or it belongs to another object.
    Delete { uid: String, resource_version: String, because: Because },
}

/// Why a binding Secret is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Because {
    /// This Secret, from which its values come, may no longer be used for it.
    Withdrawn(String),
    /// It belonged to an object that no longer exists.
    OfAnother,
    /// Its customer credentials are gone.
    CredentialsGone,
}

impl std::fmt::Display for Because {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Because::Withdrawn(secret) => {
                write!(f, "Secret {secret}, from which its values came, is gone, or is no longer opted in for it")
            }
            Because::OfAnother => f.write_str("it was of another object of that name, customer, key or component"),
            Because::CredentialsGone => f.write_str("the customer credentials that it was made of are gone"),
        }
    }
}

/// A desired binding Secret: type `servicebinding.io/<component>`, with the keys `type`, `provider` and the inputs.
#[derive(Clone, Debug)]
pub(crate) struct DesiredSecret {
    pub name: String,
    pub how: How,
    pub component: String,
    pub of: String,
    pub id: String,
    pub from: BTreeSet<String>,
    pub keys: BTreeSet<String>,
    pub owner: Option<Owner>,
    pub data: BTreeMap<String, Arc<SecretBytes>>,
    pub content: Fingerprint,
}

impl PartialEq for DesiredSecret {
    /// Compares values by their fingerprint.
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.how, self.content) == (&other.name, &other.how, other.content)
    }
}

impl DesiredSecret {
    /// Returns the body of the server-side apply (forced, manager [`super::MANAGER`]). It is plain ASCII, so that a
    /// server that parses it as YAML reads the same.
    pub(crate) fn body(&self) -> SecretBytes {
        let data: usize = self.data.iter().map(|(k, v)| k.len() + base64::encoded_len(v.expose().len()) + 8).sum();
        // Large enough from the start: a buffer that grows leaves copies behind.
        let mut out = Vec::with_capacity(data + 4096 + 6 * (self.of.len() + self.name.len()));
        out.extend(b"{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":");
        text(&self.name, &mut out);
        match &self.how {
            How::Create | How::Replace { .. } => field("resourceVersion", NONE_YET, &mut out),
            How::Update { uid, resource_version } => {
                field("uid", uid, &mut out);
                field("resourceVersion", resource_version, &mut out);
            }
            How::AsItIs | How::Delete { .. } => {}
        }
        out.extend(b",\"labels\":{");
        pair(FOR, FOR_BINDING, &mut out);
        out.extend(b"},\"annotations\":{");
        pair(BINDING_OF, &self.of, &mut out);
        field(BINDING_ID, &self.id, &mut out);
        for (annotation, names) in [(BINDING_FROM, &self.from), (BINDING_KEYS, &self.keys)] {
            if !names.is_empty() {
                field(annotation, &names.iter().map(String::as_str).collect::<Vec<_>>().join(","), &mut out);
            }
        }
        out.push(b'}');
        if let Some(owner) = &self.owner {
            out.extend(b",\"ownerReferences\":[{");
            pair("apiVersion", API_VERSION, &mut out);
            field("kind", &owner.kind, &mut out);
            field("name", &owner.name, &mut out);
            field("uid", &owner.uid, &mut out);
            out.extend(b"}]");
        }
        out.push(b'}');
        field("type", &secret_type(&self.component), &mut out);
        out.extend(b",\"data\":{");
        for (position, (key, value)) in self.data.iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            text(key, &mut out);
            out.extend(b":\"");
            base64::encode(value.expose(), &mut out);
            out.push(b'"');
        }
        out.extend(b"}}");
        SecretBytes::new(out)
    }

    /// Whether a text contains one of its values, plain or in base64.
    pub(crate) fn is_quoted_by(&self, text: &str) -> bool {
        let holds = |part: &[u8]| text.as_bytes().windows(part.len().max(1)).any(|window| window == part);
        let is_own = |key: &String| !RESERVED.contains(&key.as_str());
        self.data.iter().filter(|(key, value)| is_own(key) && value.expose().len() >= SHORTEST_SECRET).any(
            |(_, value)| {
                let mut encoded = Vec::new();
                base64::encode(value.expose(), &mut encoded);
                let quoted = holds(value.expose()) || holds(&encoded);
                encoded.zeroize();
                quoted
            },
        )
    }

    /// Returns the deletion of an existing Secret whose source `secret` may no longer be used.
    pub(crate) fn withdrawn(there: &BindingSecret, secret: &str) -> Self {
        DesiredSecret::that_goes(there, Because::Withdrawn(secret.to_string()))
    }

    /// Returns the deletion of an existing Secret that is no longer needed.
    pub(crate) fn that_goes(there: &BindingSecret, because: Because) -> Self {
        let how = How::Delete { uid: there.uid.clone(), resource_version: there.resource_version.clone(), because };
        DesiredSecret {
            name: there.name.clone(),
            how,
            component: String::new(),
            of: String::new(),
            id: String::new(),
            from: BTreeSet::new(),
            keys: BTreeSet::new(),
            owner: None,
            data: BTreeMap::new(),
            content: there.content,
        }
    }

    /// Whether it must be written.
    pub(crate) fn is_due(&self) -> bool {
        self.how != How::AsItIs
    }
}

fn pair(name: &str, value: &str, out: &mut Vec<u8>) {
    text(name, out);
    out.push(b':');
    text(value, out);
}

fn field(name: &str, value: &str, out: &mut Vec<u8>) {
    out.push(b',');
    pair(name, value, out);
}

fn text(value: &str, out: &mut Vec<u8>) {
    let mut quoted = String::new();
    write_text(value, &mut quoted);
    out.extend(quoted.into_bytes());
}

/// Adds `type` and `provider` to the inputs.
pub(crate) fn with_kind(
    component: &str,
    mut inputs: BTreeMap<String, Arc<SecretBytes>>,
) -> BTreeMap<String, Arc<SecretBytes>> {
    for (key, value) in RESERVED.into_iter().zip([component, PROVIDER]) {
        inputs.insert(key.to_string(), Arc::new(SecretBytes::new(value.as_bytes().to_vec())));
    }
    inputs
}

/// Whether an input of this name can be a key of a binding Secret.
pub(crate) fn can_be_key(input: &str) -> bool {
    let characters = input.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    (1..=253).contains(&input.len())
        && characters
        && input != "."
        && !input.starts_with("..")
        && !RESERVED.contains(&input)
}

/// Whether the data fits into a Secret.
pub(crate) fn fits(data: &BTreeMap<String, Arc<SecretBytes>>) -> bool {
    data.values().map(|value| value.expose().len()).sum::<usize>() <= LARGEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_valid_keys_of_a_secret_are_accepted() {
        for good in ["clientSecret", "a.b-c_d", "...x".trim_start_matches(".."), "9"] {
            assert!(can_be_key(good), "{good}");
        }
        for bad in ["", ".", "..", "..x", "client secret", "ü", "type", "provider", &"k".repeat(254)] {
            assert!(!can_be_key(bad), "{bad}");
        }
    }
}
