//! Records in ConfigMaps of a hub, for the operator: one per tenant, compressed. The resourceVersion is the version, so
//! that the API server itself refuses the second of two writers.

use super::{LARGEST, RecordError, RecordStore, StoredRecord, TenantRecord};
use crate::kubernetes::client::{ApiRequest, RequestFailure, Server};
use crate::kubernetes::config_maps::LARGEST as LARGEST_MAP;
use crate::kubernetes::paths::Paths;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http::StatusCode;
use k8s_openapi::ByteString;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

/// The label of a ConfigMap with a record; its value is `true`.
const LABEL: &str = "stablekey.dev/record";
const KEY: &str = "record.json.gz";

/// Records in a namespace.
#[derive(Debug)]
pub struct ConfigMapRecords {
    server: Server,
    paths: Paths,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordMap {
    metadata: RecordMapMeta,
    #[serde(default)]
    binary_data: BTreeMap<String, ByteString>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordMapMeta {
    resource_version: String,
}

impl ConfigMapRecords {
    /// The records in a namespace of a server.
    pub fn of(server: Server, namespace: &str) -> Self {
        ConfigMapRecords { server, paths: Paths::of(namespace) }
    }

    /// The name of the ConfigMap of a tenant.
    pub fn name_of(tenant: &str) -> String {
        format!("stablekey-record-{tenant}")
    }

    fn failed(&self, tenant: &str, doing: &'static str, failure: &RequestFailure) -> RecordError {
        let help = format!("see that the account may get, create and update ConfigMap {}", Self::name_of(tenant));
        let why = failure.to_string();
        RecordError::Place { tenant: tenant.to_string(), place: self.place(), doing, why, help }
    }

    fn lost(&self, tenant: &str) -> RecordError {
        let by = self.read(tenant).ok().and_then(|stored| stored.record.run).map(|run| run.who);
        RecordError::Lost { tenant: tenant.to_string(), by }
    }
}

impl RecordStore for ConfigMapRecords {
    fn read(&self, tenant: &str) -> Result<StoredRecord, RecordError> {
        let form =
            |why: &str| RecordError::Form { tenant: tenant.to_string(), place: self.place(), why: why.to_string() };
        let path = self.paths.config_map(&Self::name_of(tenant));
        let bytes = match self.server.wait(self.server.request(&ApiRequest::get(path))) {
            Ok(bytes) => bytes,
            Err(failure) if failure.is_absent() => {
                return Ok(StoredRecord { record: TenantRecord::of(tenant), version: None });
            }
            Err(failure) => return Err(self.failed(tenant, "read", &failure)),
        };
        let map: RecordMap = serde_json::from_slice(&bytes).map_err(|_| form("it is no ConfigMap"))?;
        let packed = map.binary_data.get(KEY).ok_or_else(|| form(&format!("it has no {KEY}")))?;
        let mut text = Vec::new();
        let unpacked = GzDecoder::new(packed.0.as_slice()).take(LARGEST + 1).read_to_end(&mut text);
        unpacked.map_err(|_| form("it is not compressed as a record is"))?;
        if text.len() as u64 > LARGEST {
            return Err(form("it is too large"));
        }
        let record = TenantRecord::parse(tenant, &text).map_err(|why| form(&why))?;
        Ok(StoredRecord { record, version: Some(map.metadata.resource_version) })
    }

    fn write(&self, record: &TenantRecord, replaces: Option<&str>, _: &str) -> Result<String, RecordError> {
        let tenant = record.tenant.as_str();
        let name = Self::name_of(tenant);
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        let packed = packer.write_all(record.to_text().as_bytes()).and_then(|()| packer.finish());
        let packed = packed.unwrap_or_default();
        if packed.is_empty() || packed.len() as u64 > LARGEST_MAP {
            let why = format!("it has {} bytes, and a ConfigMap may have {LARGEST_MAP}", packed.len());
            let help = "plan this tenant with the command line, whose record is on a Git remote".to_string();
            let (tenant, place) = (tenant.to_string(), self.place());
            return Err(RecordError::Place { tenant, place, doing: "written", why, help });
        }
        let mut map = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": self.paths.namespace(), "labels": {LABEL: "true"}},
            "binaryData": {KEY: ByteString(packed)},
        });
        let request = match replaces {
            None => ApiRequest::post(self.paths.config_maps(), map.to_string().into_bytes()),
            Some(version) => {
                map["metadata"]["resourceVersion"] = json!(version);
                ApiRequest::put(self.paths.config_map(&name), map.to_string().into_bytes())
            }
        };
        match self.server.wait(self.server.request(&request)) {
            Ok(bytes) => {
                let written: RecordMap = serde_json::from_slice(&bytes).map_err(|_| RecordError::Form {
                    tenant: tenant.to_string(),
                    place: self.place(),
                    why: "the answer to its write is no ConfigMap".to_string(),
                })?;
                Ok(written.metadata.resource_version)
            }
            // Changed, made or deleted meanwhile. Where one is made, it is the namespace that is absent.
            Err(failure)
                if failure.code() == Some(StatusCode::CONFLICT) || (failure.is_absent() && replaces.is_some()) =>
            {
                Err(self.lost(tenant))
            }
            Err(failure) => {
                // The answer to a write that the server carried out can be lost.
                match self.read(tenant) {
                    Ok(StoredRecord { record: there, version: Some(version) })
                        if there == *record && Some(version.as_str()) != replaces =>
                    {
                        Ok(version)
                    }
                    _ => Err(self.failed(tenant, "written", &failure)),
                }
            }
        }
    }

    fn place(&self) -> String {
        format!("ConfigMaps of namespace {} of {}", self.paths.namespace(), self.server.name())
    }
}
