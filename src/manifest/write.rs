//! Writes a resource as a new YAML document.

use super::edit::{self, spelled_out};
use crate::api::{API_VERSION, Kind, Meta, Object, Resource};
use crate::text;
use serde::Serialize;

/// A failure to write a resource as YAML.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {kind}/{name} as YAML: {why}")]
pub struct WriteError {
    kind: Kind,
    name: String,
    why: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenDocument<'a, S> {
    api_version: &'static str,
    kind: &'static str,
    metadata: &'a Meta,
    spec: &'a S,
}

/// The document with fields in the usual order, ending in a newline, without `---`.
pub fn to_yaml(resource: &Resource) -> Result<String, WriteError> {
    fn document<S: Serialize>(kind: Kind, object: &Object<S>) -> Result<String, WriteError> {
        let document = WrittenDocument {
            api_version: API_VERSION,
            kind: kind.as_str(),
            metadata: &object.metadata,
            spec: &object.spec,
        };
        let failed = |why: String| WriteError { kind, name: object.name().to_string(), why };
        let yaml = serde_saphyr::to_string(&document).map_err(|error| failed(error.to_string()))?;
        // Characters that reorder or hide text would be written unescaped.
        if !yaml.chars().any(|c| !matches!(c, '\n' | '\t') && text::is_dangerous(c)) {
            return Ok(yaml);
        }
        let json = serde_json::to_string(&document).map_err(|error| failed(error.to_string()))?;
        spelled_out(&json).ok_or_else(|| failed("it cannot be spelled out".to_string()))
    }
    match resource {
        Resource::Tenant(o) => document(Kind::Tenant, o),
        Resource::Component(o) => document(Kind::Component, o),
        Resource::Connection(o) => document(Kind::Connection, o),
        Resource::CustomerCredentials(o) => document(Kind::CustomerCredentials, o),
        Resource::Integration(o) => document(Kind::Integration, o),
        Resource::TenantSync(o) => document(Kind::TenantSync, o),
    }
}

/// Formats a map as a YAML document, with the keys in this order, and texts of several lines as block scalars.
pub fn value_to_yaml<'v>(entries: impl IntoIterator<Item = (&'v str, &'v serde_json::Value)>) -> String {
    edit::document(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::*;

    fn connection() -> ConnectionSpec {
        let mut spec = ConnectionSpec {
            stable_key: "salesforce-oauth".into(),
            title: Some("on".into()),
            description: Some("two\nlines".into()),
            component: ComponentRef::new("salesforce", true),
            type_: "oauth2".into(),
            credentials: Credentials::OrganizationCustomer,
            embedded_workflows: Some(true),
            inputs: Default::default(),
            test: None,
            replaces: vec![],
            deletion_policy: None,
        };
        spec.inputs.insert("authorizeUrl".into(), Input::value("https://login.example/authorize"));
        spec.inputs.insert("clientSecret".into(), Input::secret("salesforce-app", "clientSecret"));
        spec.inputs.insert("instanceUrl".into(), Input::PER_CUSTOMER);
        spec
    }

    #[test]
    fn a_connection_is_written_as_people_write_it() {
        let yaml = to_yaml(&Resource::from(Object::new("salesforce-oauth", connection()))).unwrap();
        insta::assert_snapshot!(yaml);
    }

    #[test]
    fn what_would_deceive_a_reader_is_written_as_an_escape() {
        let mut spec = connection();
        spec.title = Some("safe\u{202e}gnp.exe \u{e0061}".into());
        spec.inputs.insert("no\u{200b}te".into(), Input::value("one\ntwo\u{2066}\n"));
        let resource = Resource::from(Object::new("salesforce-oauth", spec));
        let yaml = to_yaml(&resource).unwrap();
        assert!(!yaml.chars().any(|c| c != '\n' && text::is_dangerous(c)), "{yaml}");
        insta::assert_snapshot!(yaml);
        let read = crate::manifest::read_text("x.yaml", yaml);
        assert_eq!(read.documents.first().map(|d| &d.resource), Some(&resource));
    }
}
