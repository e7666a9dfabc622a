//! The ConfigMaps with definitions and with waiting plans.

use super::budget::Weighs;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The label of a ConfigMap with a definition; its value is `true`.
pub const DEFINITION: &str = "stablekey.dev/definition";
/// The label of a ConfigMap with a plan that waits for approval; its value is `true`.
pub const PLAN: &str = "stablekey.dev/plan";
/// The label of a ConfigMap with the notifications that were delivered; its value is `true`.
pub const NOTIFIED: &str = "stablekey.dev/notified";
/// Maximum size of a definition that is written, in bytes. Kubernetes objects cannot be much larger.
pub const LARGEST: u64 = 900_000;
const KEY: &str = "definition";
/// The key of a waiting plan in its ConfigMap.
pub const PLAN_KEY: &str = "plan.json.gz";

/// The parts of a ConfigMap that Stablekey reads.
#[derive(Debug, Deserialize)]
pub struct ConfigMap {
    pub metadata: ConfigMapMeta,
    #[serde(default)]
    data: BTreeMap<String, String>,
    #[serde(default, rename = "binaryData")]
    binary: BTreeMap<String, k8s_openapi::ByteString>,
}

/// The parts of its metadata that Stablekey reads.
#[derive(Debug, Deserialize)]
pub struct ConfigMapMeta {
    pub name: String,
}

impl Weighs for ConfigMap {
    fn weight(&self) -> usize {
        let texts = self.data.iter().map(|(key, text)| key.len() + text.len());
        let bytes = self.binary.iter().map(|(key, bytes)| key.len() + bytes.0.len());
        self.metadata.name.len() + texts.chain(bytes).sum::<usize>()
    }
}

impl ConfigMap {
    pub fn definition(&self) -> Option<&[u8]> {
        let text = self.data.get(KEY).map(|text| text.as_bytes());
        text.or_else(|| self.binary.get(KEY).map(|bytes| bytes.0.as_slice()))
    }

    /// Returns the compressed plan in it.
    pub fn plan(&self) -> Option<&[u8]> {
        self.binary.get(PLAN_KEY).map(|bytes| bytes.0.as_slice())
    }
}

/// Returns the name of the ConfigMap of a definition, made of the integration's name and the definition's digest.
pub fn name_of_definition(integration: &str, digest: &str) -> String {
    let digest: String = digest.chars().take(16).collect();
    let integration: String = integration.chars().take(200).collect();
    format!("{}-{digest}", integration.trim_end_matches(['-', '.']))
}

/// Whether a name was made for a definition of this integration.
pub fn is_name_of_definition(name: &str, integration: &str) -> bool {
    let digest = name.rsplit_once('-').map_or("", |(_, digest)| digest);
    let is_digest = digest.len() == 16 && digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    is_digest && name == name_of_definition(integration, digest)
}

/// Returns the ConfigMap of a definition. It is immutable.
pub fn of_definition(name: &str, bytes: &[u8]) -> Value {
    let mut map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "immutable": true,
        "metadata": {"name": name, "labels": {DEFINITION: "true"}},
    });
    match std::str::from_utf8(bytes) {
        Ok(text) => map["data"] = json!({KEY: text}),
        Err(_) => map["binaryData"] = json!({KEY: k8s_openapi::ByteString(bytes.to_vec())}),
    }
    map
}

/// Returns the ConfigMap of a definition for a create: the API server refuses it if there is one.
pub fn of_new_definition(name: &str, bytes: &[u8]) -> Value {
    let mut map = of_definition(name, bytes);
    map["metadata"]["resourceVersion"] = json!("1");
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_definition_is_found_by_its_digest() {
        for bytes in [b"definitionVersion: 7\n".as_slice(), b"\xff\xfed\0"] {
            let name = name_of_definition("lead-router", &"3f9a1c".repeat(8));
            assert_eq!(name, "lead-router-3f9a1c3f9a1c3f9a");
            let map: ConfigMap = serde_json::from_value(of_definition(&name, bytes)).unwrap();
            assert_eq!(map.definition(), Some(bytes));
        }
    }
}
