//! The Secrets that the operator reads by name: those that Tenants name, with kubeconfigs and with tokens of the platform,
//! and the one with the destinations of notifications. It may read no others.

use crate::api::HOSTS;
use crate::kubernetes::budget::{Named, Weighs};
use crate::kubernetes::list::Listing;
use crate::kubernetes::paths::{Paths, segment};
use crate::secret::Secret;
use k8s_openapi::ByteString;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use zeroize::Zeroize;

/// A Secret that a Tenant names.
#[derive(Debug)]
pub(super) struct NamedSecret {
    /// The values, by key.
    texts: BTreeMap<String, Secret>,
    /// The keys whose values are no texts.
    unreadable: Vec<String>,
    /// The hosts that its token belongs to, if it says so.
    pub hosts: Option<String>,
}

impl Weighs for NamedSecret {
    fn weight(&self) -> usize {
        self.texts.iter().map(|(key, text)| key.len() + text.expose().len()).sum()
    }
}

impl Named for NamedSecret {
    /// The watch selects exactly one Secret.
    fn name(&self) -> &str {
        ""
    }
}

#[derive(Deserialize)]
struct Watched {
    #[serde(default)]
    metadata: WatchedMeta,
    #[serde(default)]
    data: BTreeMap<String, ByteString>,
}

#[derive(Default, Deserialize)]
struct WatchedMeta {
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl NamedSecret {
    /// Parses the JSON of the API server; `None` if it is not a Secret.
    pub(super) fn read(json: &str) -> Option<Self> {
        let Watched { mut metadata, data } = serde_json::from_str(json).ok()?;
        let text = |bytes: ByteString| {
            String::from_utf8(bytes.0).map(Secret::new).map_err(|error| error.into_bytes().zeroize()).ok()
        };
        let (mut texts, mut unreadable) = (BTreeMap::new(), Vec::new());
        for (key, bytes) in data {
            match text(bytes) {
                Some(text) => drop(texts.insert(key, text)),
                None => unreadable.push(key),
            }
        }
        Some(NamedSecret { texts, unreadable, hosts: metadata.annotations.remove(HOSTS) })
    }

    /// Returns the keys whose values are texts, and these, in order.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.texts.iter().map(|(key, text)| (key.as_str(), text))
    }

    /// Returns the keys whose values are no texts.
    pub(super) fn unreadable(&self) -> impl Iterator<Item = &str> {
        self.unreadable.iter().map(String::as_str)
    }

    #[cfg(test)]
    pub(super) fn of(texts: &[(&str, &str)], hosts: Option<&str>) -> Self {
        let text = |(key, text): &(&str, &str)| (key.to_string(), Secret::new(text.to_string()));
        NamedSecret {
            texts: texts.iter().map(text).collect(),
            unreadable: Vec::new(),
            hosts: hosts.map(str::to_string),
        }
    }

    /// Returns the text under a key.
    pub(super) fn text(&self, key: &str) -> Option<&Secret> {
        self.texts.get(key)
    }
}

/// Returns a hash that identifies a text without disclosing it.
pub(super) fn fingerprint(text: &Secret) -> [u8; 32] {
    Sha256::digest(text.expose()).into()
}

/// Lists one Secret, by name.
pub(super) fn listing(paths: &Paths, name: &str) -> Listing<NamedSecret> {
    Listing {
        path: paths.secrets(),
        resource: "secrets",
        selector: format!("&fieldSelector=metadata.name%3D{}", segment(name)),
        most: 1,
        page: 1,
        read: Arc::new(|page: &[Box<RawValue>]| {
            page.iter().filter_map(|secret| NamedSecret::read(secret.get())).collect()
        }),
    }
}
