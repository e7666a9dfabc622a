//! A Secret that opted in, as the binder keeps it.

use crate::engine::model::opt_in::OptIn;
use crate::kubernetes::budget::{Named, Weighs};
use crate::secret::SecretBytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A Secret that connections may read, because a person labelled it.
#[derive(Debug)]
pub(crate) struct SourceSecret {
    pub name: String,
    pub uid: String,
    pub resource_version: String,
    pub opt_in: OptIn,
    pub data: BTreeMap<String, Arc<SecretBytes>>,
}

impl Weighs for SourceSecret {
    fn weight(&self) -> usize {
        self.data.iter().map(|(key, bytes)| key.len() + bytes.expose().len()).sum()
    }
}

impl Named for SourceSecret {
    fn name(&self) -> &str {
        &self.name
    }
}

impl SourceSecret {
    /// Builds one from a Secret's annotations and data.
    pub(crate) fn new(
        [name, uid, resource_version]: [String; 3],
        annotations: &BTreeMap<String, String>,
        data: BTreeMap<String, Arc<SecretBytes>>,
    ) -> Self {
        SourceSecret { name, uid, resource_version, opt_in: OptIn::of(annotations), data }
    }
}
