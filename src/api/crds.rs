//! The CustomResourceDefinitions of all kinds.

use super::*;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt as _;
use std::collections::BTreeMap;

/// Annotations that keep the CRDs, and with them every object, where a tool uninstalls or prunes:
/// Helm, Flux, Argo CD.
const KEEP: [(&str, &str); 3] = [
    ("helm.sh/resource-policy", "keep"),
    ("kustomize.toolkit.fluxcd.io/prune", "disabled"),
    ("argocd.argoproj.io/sync-options", "Prune=false,Delete=false"),
];

/// The definition of one kind.
pub fn crd(kind: Kind) -> CustomResourceDefinition {
    let mut crd = match kind {
        Kind::Tenant => Tenant::crd(),
        Kind::Component => Component::crd(),
        Kind::Connection => Connection::crd(),
        Kind::CustomerCredentials => CustomerCredentials::crd(),
        Kind::Integration => Integration::crd(),
        Kind::TenantSync => TenantSync::crd(),
    };
    let annotations = crd.metadata.annotations.get_or_insert_default();
    annotations.extend(KEEP.map(|(name, value)| (name.to_string(), value.to_string())));
    for version in &mut crd.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|s| s.open_api_v3_schema.as_mut()) {
            tidy(schema);
            // What `kubectl explain` says first: the kind's own words, not those of the derive.
            let spec = schema.properties.as_ref().and_then(|properties| properties.get("spec"));
            schema.description = spec.and_then(|spec| spec.description.clone());
            // A rule may point at the name only where the schema has it.
            schema.properties.get_or_insert_default().insert("metadata".into(), metadata());
        }
    }
    crd
}

/// Makes a schema read well in `kubectl explain`: no line breaks but between paragraphs, and no null among
/// the values that may be chosen.
fn tidy(schema: &mut JSONSchemaProps) {
    if let Some(text) = &mut schema.description {
        let paragraphs: Vec<String> = text.split("\n\n").map(|p| p.replace('\n', " ")).collect();
        *text = paragraphs.join("\n\n");
    }
    if let Some(values) = &mut schema.enum_ {
        values.retain(|value| !value.0.is_null());
    }
    schema.properties.iter_mut().flat_map(BTreeMap::values_mut).for_each(tidy);
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        tidy(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        tidy(values);
    }
}

/// All that a schema may say of metadata.
fn metadata() -> JSONSchemaProps {
    let name = JSONSchemaProps { type_: Some("string".into()), ..JSONSchemaProps::default() };
    let properties = BTreeMap::from([("name".to_owned(), name)]);
    JSONSchemaProps { type_: Some("object".into()), properties: Some(properties), ..JSONSchemaProps::default() }
}

/// The definition of one kind as YAML: what is in `crds/`, and what `stablekey crds` writes.
pub fn crd_yaml(kind: Kind) -> Result<String, serde_saphyr::ser::Error> {
    let yaml = serde_saphyr::to_string(&crd(kind))?;
    Ok(format!("# Written by `stablekey crds`; change src/api, then `make crds`.\n{yaml}"))
}
