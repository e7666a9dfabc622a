//! The CustomResourceDefinitions of all kinds.

use super::*;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt as _;
use std::collections::BTreeMap;

/// Annotations that keep Helm, Flux and Argo CD from deleting the CRDs, and every object with them, when they uninstall
/// or prune.
const KEEP: [(&str, &str); 3] = [
    ("helm.sh/resource-policy", "keep"),
    ("kustomize.toolkit.fluxcd.io/prune", "disabled"),
    ("argocd.argoproj.io/sync-options", "Prune=false,Delete=false"),
];

/// Builds the CustomResourceDefinition of one kind.
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
            // `kubectl explain` prints this first: the description of the kind, not the one that the derive writes.
            let spec = schema.properties.as_ref().and_then(|properties| properties.get("spec"));
            schema.description = spec.and_then(|spec| spec.description.clone());
            // A CEL rule may refer to the name only if the schema declares it.
            schema.properties.get_or_insert_default().insert("metadata".into(), metadata());
        }
    }
    crd
}

/// Cleans a schema up for `kubectl explain`: removes line breaks within paragraphs, and null from the values of enums.
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

/// The schema of `metadata`: all that a CRD may declare for it.
fn metadata() -> JSONSchemaProps {
    let name = JSONSchemaProps { type_: Some("string".into()), ..JSONSchemaProps::default() };
    let properties = BTreeMap::from([("name".to_owned(), name)]);
    JSONSchemaProps { type_: Some("object".into()), properties: Some(properties), ..JSONSchemaProps::default() }
}

/// The CustomResourceDefinition of one kind as YAML: the content of `crds/`, and the output of `stablekey crds`.
pub fn crd_yaml(kind: Kind) -> Result<String, serde_saphyr::ser::Error> {
    let yaml = serde_saphyr::to_string(&crd(kind))?;
    Ok(format!("# Written by `stablekey crds`; change src/api, then `make crds`.\n{yaml}"))
}
