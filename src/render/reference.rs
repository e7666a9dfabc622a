//! The reference of every field of every kind as Markdown, from the CustomResourceDefinitions: `docs/reference.md`.

use super::markdown::{escape as md, row, rule};
use crate::api::{Kind, crd};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

/// A sample object of a kind.
const fn sample(kind: Kind) -> &'static str {
    match kind {
        Kind::Tenant => include_str!("reference/tenants.yaml"),
        Kind::Component => include_str!("reference/components.yaml"),
        Kind::Connection => include_str!("reference/connections.yaml"),
        Kind::CustomerCredentials => include_str!("reference/customercredentials.yaml"),
        Kind::Integration => include_str!("reference/integrations.yaml"),
        Kind::TenantSync => include_str!("reference/tenantsyncs.yaml"),
    }
}

/// Renders the reference of all kinds.
pub fn reference() -> String {
    let mut text =
        "# Reference\n\nEvery field of every kind. This page is generated from the CustomResourceDefinitions \
                    (`make crds`); `kubectl explain` shows the same.\n"
            .to_string();
    for kind in Kind::ALL {
        let crd = crd(kind);
        let names = crd.spec.names;
        let schema = crd.spec.versions.into_iter().next().and_then(|version| version.schema?.open_api_v3_schema);
        let Some(schema) = schema else { continue };
        text.push_str(&format!("\n## {kind}\n\n{}\n", schema.description.as_deref().unwrap_or_default()));
        let short = names.short_names.unwrap_or_default().join(", ");
        text.push_str(&format!("\nShort name: `{short}`.\n\n```yaml\n{}```\n", sample(kind)));
        for part in ["spec", "status"] {
            let Some(part_of) = schema.properties.as_ref().and_then(|properties| properties.get(part)) else {
                continue;
            };
            text.push_str(&format!("\n### {kind} {part}\n\n"));
            let head = ["Field", "Type", "Meaning"].map(str::to_string);
            text.push_str(&row(&head));
            text.push_str(&rule(head.len()));
            fields(part_of, "", &mut text);
        }
    }
    text
}

/// Adds a row for each field of a schema, with its path.
fn fields(schema: &JSONSchemaProps, above: &str, text: &mut String) {
    let required = schema.required.clone().unwrap_or_default();
    for (name, field) in schema.properties.iter().flatten() {
        let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        add(field, &path, required.contains(name), text);
    }
}

fn add(field: &JSONSchemaProps, path: &str, is_required: bool, text: &mut String) {
    let needed = if is_required { ", required" } else { "" };
    let meaning = field.description.as_deref().unwrap_or_default().replace('\n', " ");
    text.push_str(&row(&[format!("`{path}`"), md(&format!("{}{needed}", type_of(field))), md(&meaning)]));
    below(field, path, text);
}

fn below(field: &JSONSchemaProps, path: &str, text: &mut String) {
    fields(field, path, text);
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &field.items {
        below(item, &format!("{path}[]"), text);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(value)) = &field.additional_properties {
        below(value, &format!("{path}.NAME"), text);
    }
}

fn type_of(field: &JSONSchemaProps) -> String {
    if let Some(values) = &field.enum_ {
        let values = values.iter().map(|value| value.0.as_str().map_or_else(|| value.0.to_string(), str::to_string));
        return values.collect::<Vec<_>>().join(", ");
    }
    match (&field.items, &field.additional_properties) {
        (Some(JSONSchemaPropsOrArray::Schema(item)), _) => format!("list of {}", type_of(item)),
        (_, Some(JSONSchemaPropsOrBool::Schema(value))) => format!("map of {}", type_of(value)),
        _ => field.type_.clone().unwrap_or_else(|| "any".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_valid() {
        for kind in Kind::ALL {
            let reading = crate::manifest::read_text("sample.yaml", sample(kind).to_string());
            assert!(reading.problems().is_empty(), "{kind}: {:?}", reading.problems());
            assert_eq!(reading.documents.len(), 1);
        }
    }
}
