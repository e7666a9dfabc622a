//! The Secrets with the kubeconfigs of tenants: each is followed by its name, for no more may be read.

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

/// A Secret that may hold kubeconfigs.
#[derive(Debug)]
pub struct KubeconfigSecret {
    /// Its texts, by key.
    texts: BTreeMap<String, Secret>,
}

impl Weighs for KubeconfigSecret {
    fn weight(&self) -> usize {
        self.texts.iter().map(|(key, text)| key.len() + text.expose().len()).sum()
    }
}

impl Named for KubeconfigSecret {
    /// One is watched, and no other.
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
    /// From an API server's JSON; `None` where it is no Secret.
    fn read(json: &str) -> Option<Self> {
        let watched: Watched = serde_json::from_str(json).ok()?;
        let text = |bytes: ByteString| {
            String::from_utf8(bytes.0).map(Secret::new).map_err(|error| error.into_bytes().zeroize()).ok()
        };
        let texts = watched.data.into_iter().filter_map(|(key, bytes)| Some((key, text(bytes)?)));
        Some(KubeconfigSecret { texts: texts.collect() })
    }

    /// The kubeconfig under a key.
    pub fn kubeconfig(&self, key: &str) -> Option<&Secret> {
        self.texts.get(key)
    }
}

/// What tells one kubeconfig from another, without saying what is in it.
pub fn fingerprint(kubeconfig: &Secret) -> [u8; 32] {
    Sha256::digest(kubeconfig.expose()).into()
}

/// One Secret, by its name.
pub fn listing(paths: &Paths, name: &str) -> Listing<KubeconfigSecret> {
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
