//! The binder's rules, one test per rule, and then its laws.

mod aliases;
mod bindings;
mod confused_deputies;
mod connections;
mod customers;
mod integrations;
mod laws;
mod leftovers;
mod messages;
mod secrets;

use super::affected::{self, Affected, CacheChange, ReadObject};
use super::cache::{Readable, TenantCache};
use super::evaluate::evaluation::Evaluation;
use super::evaluate::{self, Evaluated, leftover};
use super::secret::MANAGER;
use super::secret::desired::{Because, DesiredSecret, How};
use super::secret::fingerprint::Salt;
use super::secret::observed::{ObservedSecret, Unreadable};
use crate::api::*;
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::record::Record;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// The value in every secret location of these tests.
pub(super) const CANARY: &str = "c4n4ry-7f3a91";

/// The hosts that customers may name.
pub(super) const ACMES: &str = "acme.example, b.example, x.example";

pub(super) fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

/// A tenant namespace without a cluster: stands in for the API server.
pub(super) struct Namespace {
    pub cache: TenantCache,
    revision: u64,
}

impl Namespace {
    pub(super) fn new() -> Self {
        Namespace { cache: TenantCache::new("eu", "ns", Salt::new([7; 32])), revision: 100 }
    }

    pub(super) fn change(&mut self, change: CacheChange) -> Affected {
        affected::change(&mut self.cache, change)
    }

    /// Evaluates a connection, and publishes the result to its integrations.
    pub(super) fn publish(&mut self, name: &str, at: Timestamp) -> (Option<Evaluation<ConnectionStatus>>, Affected) {
        let found = evaluate::connection::connection(&self.cache, name, at);
        let affected = affected::publish(&mut self.cache, name, found.as_ref());
        (found, affected)
    }

    pub(super) fn put(&mut self, kind: Kind, name: &str, spec: Value) -> Affected {
        self.put_recorded(kind, name, spec, None)
    }

    /// Replaces an object by another one of the same name.
    pub(super) fn put_again(&mut self, kind: Kind, name: &str, spec: Value) -> Affected {
        self.gone(kind, name);
        self.revision += 1;
        let uid = format!("uid-{}-of-{name}", self.revision);
        self.change(CacheChange::There(ReadObject { item: item(kind, name, spec), uid, record: None }))
    }

    pub(super) fn put_recorded(&mut self, kind: Kind, name: &str, spec: Value, record: Option<&str>) -> Affected {
        let record = record.map(|line| Arc::new(Record::decode(line).unwrap()));
        let live = ReadObject { item: item(kind, name, spec), uid: format!("uid-of-{name}"), record };
        self.change(CacheChange::There(live))
    }

    pub(super) fn gone(&mut self, kind: Kind, name: &str) -> Affected {
        self.change(CacheChange::Gone(ObjectId::new(kind, name)))
    }

    /// Adds a Secret that opted in for all keys, unless `annotations` say otherwise.
    pub(super) fn source(&mut self, name: &str, annotations: Value, data: &[(&str, &str)]) -> Affected {
        let mut all = json!({KEYS: "*"});
        all.as_object_mut().unwrap().extend(annotations.as_object().unwrap().clone());
        let metadata = json!({"name": name, "uid": "u", "labels": {FOR: FOR_CONNECTIONS}, "annotations": all});
        self.secret(metadata, "Opaque", data)
    }

    pub(super) fn secret(&mut self, mut metadata: Value, type_: &str, data: &[(&str, &str)]) -> Affected {
        self.revision += 1;
        metadata["resourceVersion"] = json!(self.revision.to_string());
        let data: Value = data.iter().map(|(k, v)| (k.to_string(), json!(base64(v.as_bytes())))).collect();
        let json = json!({"metadata": metadata, "type": type_, "data": data}).to_string();
        let seen = ObservedSecret::parse(json.as_bytes(), &self.cache.salt).unwrap();
        self.change(CacheChange::Secret(seen))
    }

    pub(super) fn connection(&self, name: &str) -> Evaluation<ConnectionStatus> {
        evaluate::connection::connection(&self.cache, name, now()).unwrap()
    }

    pub(super) fn credentials(&self, name: &str) -> Evaluation<CustomerCredentialsStatus> {
        evaluate::credentials::customer_credentials(&self.cache, name, now()).unwrap()
    }

    pub(super) fn integration(&self, name: &str) -> Evaluation<IntegrationStatus> {
        evaluate::integration::integration(&self.cache, name, now()).unwrap()
    }

    /// Applies the body of a binding Secret like an API server, and passes the result to the binder.
    pub(super) fn write(&mut self, wanted: &DesiredSecret) -> Affected {
        if matches!(wanted.how, How::Delete { .. }) {
            return self.change(CacheChange::SecretGone(wanted.name.clone()));
        }
        self.revision += 1;
        let stored = stored(wanted, MANAGER, self.revision);
        let seen = ObservedSecret::parse(stored.to_string().as_bytes(), &self.cache.salt).unwrap();
        self.change(CacheChange::Secret(seen))
    }

    /// Writes every binding Secret that is due, and returns their names.
    pub(super) fn settle(&mut self) -> Vec<String> {
        let names: Vec<String> = self.cache.inventory.connections.keys().cloned().collect();
        let of_connections = names.iter().flat_map(|name| self.connection(name).bindings);
        let customers = self.cache.inventory.customer_credentials.keys();
        let of_customers = customers.flat_map(|name| self.credentials(name).bindings);
        let due: Vec<DesiredSecret> = of_connections.chain(of_customers).filter(DesiredSecret::is_due).collect();
        due.iter().for_each(|wanted| drop(self.write(wanted)));
        due.into_iter().map(|wanted| wanted.name).collect()
    }
}

pub(super) fn item(kind: Kind, name: &str, spec: Value) -> Item {
    fn object<S: serde::de::DeserializeOwned>(name: &str, spec: Value) -> Arc<Object<S>> {
        Arc::new(Object::new(name, serde_json::from_value(spec).unwrap()))
    }
    match kind {
        Kind::Component => Item::Component(object(name, spec)),
        Kind::Connection => Item::Connection(object(name, spec)),
        Kind::CustomerCredentials => Item::CustomerCredentials(object(name, spec)),
        _ => Item::Integration(object(name, spec), None),
    }
}

/// Returns a Secret as the API server stores it after an apply of this body.
pub(super) fn stored(wanted: &DesiredSecret, manager: &str, revision: u64) -> Value {
    let mut body: Value = serde_json::from_slice(wanted.body().expose()).unwrap();
    let held = |object: &Value| -> Value {
        object.as_object().into_iter().flatten().map(|(k, _)| (format!("f:{k}"), json!({}))).collect()
    };
    let owners = body["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
    let owners: Value = owners.iter().map(|o| (format!("k:{}", json!({"uid": o["uid"]})), json!({}))).collect();
    let fields = json!({
        "f:metadata": {
            "f:annotations": held(&body["metadata"]["annotations"]),
            "f:labels": held(&body["metadata"]["labels"]),
            "f:ownerReferences": owners,
        },
        "f:data": held(&body["data"]), "f:type": {},
    });
    let uid = body["metadata"]["uid"].as_str().unwrap_or("uid-of-secret").to_string();
    body["metadata"]["uid"] = json!(uid);
    body["metadata"]["resourceVersion"] = json!(revision.to_string());
    body["metadata"]["managedFields"] = json!([{"manager": manager, "operation": "Apply", "fieldsV1": fields}]);
    body
}

pub(super) fn base64(bytes: &[u8]) -> String {
    let mut text = Vec::new();
    super::secret::base64::encode(bytes, &mut text);
    String::from_utf8(text).unwrap()
}

/// Formats a condition as `True Reason: message`.
pub(super) fn condition_text(conditions: &[NewCondition], type_: &str) -> String {
    let condition = conditions.iter().find(|c| c.type_ == type_);
    condition.map_or("-".into(), |c| {
        let holds = c.holds.map_or("Unknown", |holds| if holds { "True" } else { "False" });
        format!("{holds} {}: {}", c.reason, c.message)
    })
}

/// Formats the Ready condition as `True Reason`.
pub(super) fn ready(conditions: &[NewCondition]) -> String {
    condition_text(conditions, "Ready").split(": ").next().unwrap().to_string()
}

/// Returns the decoded data of a body.
pub(super) fn data(wanted: &DesiredSecret) -> Vec<(String, String)> {
    let body: Value = serde_json::from_slice(wanted.body().expose()).unwrap();
    let decode = |value: &Value| {
        let bytes: k8s_openapi::ByteString = serde_json::from_value(value.clone()).unwrap();
        String::from_utf8(bytes.0).unwrap()
    };
    body["data"].as_object().unwrap().iter().map(|(k, v)| (k.clone(), decode(v))).collect()
}

/// Component salesforce with types basic and oauth2.
pub(super) fn component() -> Value {
    json!({"key": "salesforce", "types": [
        {"key": "basic", "inputs": {
            "baseUrl": {"required": true, "endpoint": true},
            "password": {"required": true, "secret": true},
            "note": {},
        }},
        {"key": "oauth2", "oauth2": "AuthorizationCode", "inputs": {
            "authorizeUrl": {"required": true, "endpoint": true},
            "clientSecret": {"required": true, "secret": true},
            "refreshToken": {"secret": true},
            "instanceUrl": {"endpoint": true},
        }},
    ]})
}

/// A connection of type basic, with these inputs.
pub(super) fn basic(key: &str, credentials: &str, inputs: Value) -> Value {
    json!({"stableKey": key, "component": {"key": "salesforce"}, "type": "basic", "credentials": credentials,
           "inputs": inputs})
}

/// A tenant with one global connection crm and its Secret, complete except for the binding Secret.
pub(super) fn global() -> Namespace {
    let mut tenant = Namespace::new();
    tenant.put(Kind::Component, "salesforce", component());
    tenant.source("sf-app", json!({KEYS: "crm"}), &[("password", CANARY)]);
    tenant.put(Kind::Connection, "crm", basic("crm", "OrganizationGlobal", global_inputs()));
    tenant
}

pub(super) fn global_inputs() -> Value {
    json!({"baseUrl": {"value": "https://login.example"}, "password": {"secretRef": {"name": "sf-app", "key": "password"}}})
}

/// A tenant with one connection crm for customers and a Secret of the organization. The customers supply the address.
pub(super) fn of_customers() -> Namespace {
    let mut tenant = Namespace::new();
    tenant.put(Kind::Component, "salesforce", component());
    tenant.source("sf-app", json!({KEYS: "crm", HOSTS: ACMES}), &[("password", CANARY)]);
    let inputs = json!({"baseUrl": {"perCustomer": true}, "password": {"secretRef": {"name": "sf-app", "key": "password"}},
                        "note": {"value": "ours"}});
    tenant.put(Kind::Connection, "crm", basic("crm", "OrganizationCustomer", inputs));
    tenant
}

pub(super) fn acme(inputs: Value) -> Value {
    json!({"customer": "Acme, Inc.", "connection": "crm", "inputs": inputs})
}

pub(super) fn acme_url() -> Value {
    json!({"baseUrl": {"value": "https://acme.example"}})
}
