//! The Secrets of one namespace that opted in for connections: the secrets of a tenant in the operator.

use crate::api::{ConnectionSpec, FOR, FOR_CONNECTIONS, Input, SecretRef};
use crate::engine::model::inventory::{Inventory, OfferedSecret, Supply};
use crate::engine::model::item::Item;
use crate::engine::model::opt_in::{OptIn, OptInRefusal, Pins};
use crate::engine::pinned;
use crate::engine::redirect::Strictest;
use crate::kubernetes::budget::{Budget, Weighs};
use crate::kubernetes::client::Server;
use crate::kubernetes::list::{Listing, PAGE, list};
use crate::kubernetes::paths::Paths;
use crate::secret::{Secret, SecretBytes};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Maximum size of a secret, in bytes: that of a value.
pub(super) const LARGEST: u64 = 8192;
/// Maximum number of Secrets of a namespace.
const MOST: usize = 10_000;
/// Maximum size of what is read of them, in bytes.
const ROOM: usize = 16 << 20;

/// The Secrets of a namespace, as they were read.
#[derive(Debug)]
pub(super) struct OptedIn {
    namespace: String,
    secrets: BTreeMap<String, OptedInSecret>,
}

/// A Secret that opted in.
#[derive(Debug)]
struct OptedInSecret {
    name: String,
    opt_in: OptIn,
    data: BTreeMap<String, SecretBytes>,
}

impl Weighs for OptedInSecret {
    fn weight(&self) -> usize {
        self.data.iter().map(|(key, bytes)| key.len() + bytes.expose().len()).sum()
    }
}

#[derive(Deserialize)]
struct RawSecret {
    metadata: RawMeta,
    #[serde(default)]
    data: Option<BTreeMap<String, Option<ByteString>>>,
}

#[derive(Deserialize)]
struct RawMeta {
    name: String,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

impl OptedInSecret {
    /// Parses the JSON of the API server; `None` for what did not opt in.
    fn read(json: &str) -> Option<Self> {
        let RawSecret { metadata, data } = serde_json::from_str(json).ok()?;
        // A server that ignores the selector must not widen what is read.
        let label = metadata.labels.unwrap_or_default().remove(FOR);
        let is_for_connections = label.as_deref() == Some(FOR_CONNECTIONS);
        let data = data.unwrap_or_default().into_iter();
        let data = data.filter_map(|(key, bytes)| Some((key, SecretBytes::new(bytes?.0)))).collect();
        let opt_in = OptIn::of(&metadata.annotations.unwrap_or_default());
        is_for_connections.then_some(OptedInSecret { name: metadata.name, opt_in, data })
    }

    fn text(&self, key: &str) -> Option<&str> {
        let text = std::str::from_utf8(self.data.get(key)?.expose()).ok()?;
        (!text.trim().is_empty()).then_some(text)
    }
}

impl OptedIn {
    /// Reads the Secrets of a namespace that opted in, and no others.
    pub(super) fn read(server: &Server, namespace: &str) -> Result<Self, String> {
        let paths = Paths::of(namespace);
        let listing = Listing {
            path: paths.secrets(),
            resource: "secrets",
            selector: format!("&labelSelector={}%3D{FOR_CONNECTIONS}", FOR.replace('/', "%2F")),
            most: MOST,
            page: PAGE,
            read: Arc::new(|page: &[Box<RawValue>]| {
                page.iter().filter_map(|secret| OptedInSecret::read(secret.get())).collect()
            }),
        };
        let listed = server.wait(list(server, &paths, &listing, &Budget::of(ROOM)));
        let listed = listed.map_err(|error| format!("the Secrets of namespace {namespace} cannot be read: {error}"))?;
        Ok(OptedIn::of(namespace, listed.items))
    }

    fn of(namespace: &str, secrets: Vec<OptedInSecret>) -> Self {
        let secrets = secrets.into_iter().map(|secret| (secret.name.clone(), secret)).collect();
        OptedIn { namespace: namespace.to_string(), secrets }
    }

    /// Which secrets there are.
    pub(super) fn supply(&self, now: Timestamp) -> Supply {
        let offered = |secret: &OptedInSecret| OfferedSecret {
            opt_in: secret.opt_in.clone(),
            keys: secret.data.keys().filter(|key| secret.text(key).is_some()).cloned().collect(),
            refusal: secret.opt_in.refusal(true, now),
        };
        let there = self.secrets.iter().map(|(name, secret)| (name.clone(), offered(secret))).collect();
        Supply::Secrets { namespace: self.namespace.clone(), there }
    }

    /// The content of a secret; `None` if it is not there. A last line break is no part of it.
    pub(super) fn content(&self, reference: &SecretRef) -> Result<Option<Secret>, String> {
        let Some(text) = self.secrets.get(&reference.name).and_then(|secret| secret.text(&reference.key)) else {
            return Ok(None);
        };
        if text.len() as u64 > LARGEST {
            let SecretRef { name, key, .. } = reference;
            return Err(format!("key {key} of Secret {name} is larger than {LARGEST} bytes"));
        }
        let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
        Ok(Some(Secret::new(text.to_string())))
    }

    /// Why these Secrets must not be sent with a connection, or with a set of credentials of it that has these inputs
    /// beside those of the connection. `inventory` has the types.
    pub(super) fn refusal(
        &self,
        spec: &ConnectionSpec,
        inputs: &BTreeMap<String, Input>,
        inventory: &Inventory,
        now: Timestamp,
    ) -> Option<String> {
        let key = &spec.stable_key;
        let named = spec.inputs.values().chain(inputs.values()).filter_map(|input| match input {
            Input::SecretRef(reference) => Some(reference),
            Input::Value(_) | Input::PerCustomer(_) => None,
        });
        for reference in named {
            let Some(secret) = self.secrets.get(&reference.name) else { continue };
            let refusal: Option<OptInRefusal> = secret.opt_in.refusal(secret.opt_in.keys.has(key), now);
            if let Some(refusal) = refusal {
                return Some(refusal.text(&reference.name, key));
            }
        }
        let types = Strictest::of(inventory.types_of(spec).collect());
        let pins = |name: &str| -> Option<&Pins> { Some(&self.secrets.get(name)?.opt_in.pins) };
        pinned::refused_hosts(spec, inputs, &pins, &|input| self.value(input), &types)
    }

    /// The value of an input: a secret's too, since it may name a host. `None` if it is a customer's, or not there.
    fn value<'v>(&'v self, input: &'v Input) -> Option<Option<&'v str>> {
        match input {
            Input::Value(value) => Some(Some(value)),
            Input::SecretRef(reference) => {
                let bytes = self.secrets.get(&reference.name)?.data.get(&reference.key)?;
                Some(std::str::from_utf8(bytes.expose()).ok())
            }
            Input::PerCustomer(_) => None,
        }
    }

    /// The versions that the annotations of an object's Secrets name, by Secret.
    pub(super) fn versions(&self, item: &Item) -> BTreeMap<String, String> {
        let inputs = match item {
            Item::Connection(connection) => &connection.spec.inputs,
            _ => return BTreeMap::new(),
        };
        let version = |input: &Input| match input {
            Input::SecretRef(reference) => {
                let secret = self.secrets.get(&reference.name)?;
                Some((reference.name.clone(), secret.opt_in.version.clone()?))
            }
            Input::Value(_) | Input::PerCustomer(_) => None,
        };
        inputs.values().filter_map(version).collect()
    }

    /// The inputs of a connection, by name, whose Secrets have another version now than was sent.
    pub(super) fn changed<'i>(
        &'i self,
        inputs: &'i BTreeMap<String, Input>,
        sent: &'i BTreeMap<String, String>,
    ) -> impl Iterator<Item = &'i str> {
        inputs.iter().filter_map(move |(name, input)| {
            let Input::SecretRef(reference) = input else { return None };
            let version = self.secrets.get(&reference.name)?.opt_in.version.as_ref()?;
            (sent.get(&reference.name) != Some(version)).then_some(name.as_str())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::{Value, json};

    fn secret(name: &str, label: &str, annotations: Value, data: &[(&str, &str)]) -> String {
        let data: BTreeMap<&str, String> = data.iter().map(|(key, text)| (*key, STANDARD.encode(text))).collect();
        json!({"metadata": {"name": name, "labels": {"stablekey.dev/for": label}, "annotations": annotations}, "data": data})
            .to_string()
    }

    fn opted_in(secrets: &[String]) -> OptedIn {
        OptedIn::of("us-prod", secrets.iter().filter_map(|secret| OptedInSecret::read(secret)).collect())
    }

    fn spec(inputs: Value) -> ConnectionSpec {
        let spec = json!({
            "stableKey": "crm", "component": {"key": "salesforce"}, "type": "oauth2",
            "credentials": "OrganizationCustomer", "inputs": inputs,
        });
        serde_json::from_value(spec).unwrap()
    }

    fn refusal(secrets: &OptedIn, inputs: Value) -> Option<String> {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        secrets.refusal(&spec(inputs), &BTreeMap::new(), &Inventory::default(), now)
    }

    #[test]
    fn only_secrets_that_opted_in_are_read() {
        let secrets = opted_in(&[
            secret("app", "connections", json!({"stablekey.dev/keys": "crm"}), &[("s", "CANARY\n"), ("empty", " ")]),
            secret("other", "binding", json!({}), &[("s", "CANARY")]),
        ]);
        let reference = |name: &str, key: &str| SecretRef { name: name.into(), key: key.into(), version: None };
        let content = secrets.content(&reference("app", "s")).unwrap().unwrap();
        assert_eq!(content.expose(), "CANARY");
        assert!(secrets.content(&reference("app", "empty")).unwrap().is_none());
        assert!(secrets.content(&reference("other", "s")).unwrap().is_none());
        let supply = secrets.supply(Timestamp::UNIX_EPOCH);
        assert!(supply.has(&reference("app", "s")) && !supply.has(&reference("app", "empty")));
        assert!(!supply.has(&reference("other", "s")));
        assert!(!format!("{secrets:?} {supply:?}").contains("CANARY"));
        let step = supply.step("us", &reference("new", "s"), "crm");
        assert!(step.contains("kubectl create secret generic -n us-prod new --from-file=s=FILE"), "{step}");
    }

    /// "A Secret opts in for a key, by a person, and may pin the hosts that it may be sent to."
    #[test]
    fn a_secret_is_sent_for_its_keys_and_to_its_hosts() {
        let of = |annotations: Value| {
            opted_in(&[secret("app", "connections", annotations, &[("s", "x"), ("dsn", "postgres://evil.example/db")])])
        };
        let to = |url: &str| json!({"authorizeUrl": {"value": url}, "clientSecret": {"secretRef": {"name": "app", "key": "s"}}});
        let here = "https://login.example/authorize";
        let unpinned = of(json!({"stablekey.dev/keys": "crm"}));
        assert_eq!(refusal(&unpinned, to(here)), None);
        assert!(refusal(&of(json!({"stablekey.dev/keys": "slack"})), to(here)).unwrap().contains("does not serve crm"));
        let pinned = of(json!({"stablekey.dev/keys": "*", "stablekey.dev/hosts": "login.example"}));
        assert_eq!(refusal(&pinned, to(here)), None);
        for off in ["https://evil.example", "http://login.example", "https://login.example@evil.example"] {
            assert!(refusal(&pinned, to(off)).unwrap().contains("does not plainly name"), "{off}");
        }
        // A secret names a host too.
        let mut inputs = to(here);
        inputs["connectionString"] = json!({"secretRef": {"name": "app", "key": "dsn"}});
        assert!(refusal(&pinned, inputs).is_some());
        // A customer's endpoint needs a pin.
        let mut inputs = to(here);
        inputs["instanceUrl"] = json!({"perCustomer": true});
        assert!(refusal(&unpinned, inputs.clone()).unwrap().contains("each customer's"));
        assert_eq!(refusal(&pinned, inputs), None);
        let expired = of(json!({"stablekey.dev/keys": "*", "stablekey.dev/expires": "2020-01-01T00:00:00Z"}));
        assert!(refusal(&expired, to(here)).unwrap().contains("expired"));
    }

    #[test]
    fn another_version_means_other_content() {
        let annotations = json!({"stablekey.dev/keys": "*", "stablekey.dev/version": "2"});
        let secrets = opted_in(&[secret("app", "connections", annotations, &[("s", "x")])]);
        let inputs = spec(json!({"clientSecret": {"secretRef": {"name": "app", "key": "s"}}})).inputs;
        let changed = |sent: &[(&str, &str)]| {
            let sent = sent.iter().map(|(name, version)| (name.to_string(), version.to_string())).collect();
            secrets.changed(&inputs, &sent).map(str::to_string).collect::<Vec<_>>()
        };
        assert_eq!(changed(&[("app", "1")]), ["clientSecret"]);
        assert_eq!(changed(&[]), ["clientSecret"]);
        assert_eq!(changed(&[("app", "2")]), [""; 0]);
    }
}
