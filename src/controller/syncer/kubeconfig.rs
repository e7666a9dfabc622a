//! The Secrets with the kubeconfigs of tenants. Each is watched by name, because the operator may read no others.

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

/// A Secret that may contain kubeconfigs.
#[derive(Debug)]
pub(super) struct KubeconfigSecret {
    /// The values, by key.
    texts: BTreeMap<String, Secret>,
}

impl Weighs for KubeconfigSecret {
    fn weight(&self) -> usize {
        self.texts.iter().map(|(key, text)| key.len() + text.expose().len()).sum()
    }
}

impl Named for KubeconfigSecret {
    /// The watch selects exactly one Secret.
    fn name(&self) -> &str {
        ""
    }
}

#[derive(Deserialize)]
struct Watched {
    #[serde(default)]
    data: BTreeMap<String, ByteString>,
}

impl KubeconfigSecret {
    /// Parses the JSON of the API server; `None` if it is not a Secret.
    fn read(json: &str) -> Option<Self> {
        let watched: Watched = serde_json::from_str(json).ok()?;
        let text = |bytes: ByteString| {
            String::from_utf8(bytes.0).map(Secret::new).map_err(|error| error.into_bytes().zeroize()).ok()
        };
        let texts = watched.data.into_iter().filter_map(|(key, bytes)| Some((key, text(bytes)?)));
        Some(KubeconfigSecret { texts: texts.collect() })
    }

    /// Returns the kubeconfig under a key.
    pub(super) fn kubeconfig(&self, key: &str) -> Option<&Secret> {
        self.texts.get(key)
    }
}

/// Returns a hash that identifies a kubeconfig without disclosing it.
pub(super) fn fingerprint(kubeconfig: &Secret) -> [u8; 32] {
    Sha256::digest(kubeconfig.expose()).into()
}

/// Lists one Secret, by name.
pub(super) fn listing(paths: &Paths, name: &str) -> Listing<KubeconfigSecret> {
    Listing {
        path: paths.secrets(),
        resource: "secrets",
        selector: format!("&fieldSelector=metadata.name%3D{}", segment(name)),
        most: 1,
        page: 1,
        read: Arc::new(|page: &[Box<RawValue>]| {
            page.iter().filter_map(|secret| KubeconfigSecret::read(secret.get())).collect()
        }),
    }
}
