//! What a namespace of a cluster needs: a server that answers, the custom resources, and permissions.

use super::ClusterLocation;
use crate::api::{GROUP, Kind, VERSION, crd};
use crate::kubernetes::client::{ApiRequest, RequestFailure};
use crate::kubernetes::role;
use crate::tenant::location::HealthCheck;
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServerVersion {
    git_version: Option<String>,
}

#[derive(Deserialize)]
struct Served {
    #[serde(default)]
    resources: Vec<ServedKind>,
}

#[derive(Deserialize)]
struct ServedKind {
    name: String,
}

#[derive(Deserialize)]
struct Review {
    status: Option<ReviewStatus>,
}

#[derive(Deserialize)]
struct ReviewStatus {
    #[serde(default)]
    allowed: bool,
}

impl ClusterLocation {
    pub(super) fn checks(&self) -> Vec<HealthCheck> {
        let server = self.server.name();
        let answers = format!("the API server of {server} answers, and accepts the login");
        let version: Result<ServerVersion, RequestFailure> = self.ask(&ApiRequest::get("/version"));
        let mut checks = match version {
            Ok(version) => {
                let version = version.git_version.unwrap_or_default();
                vec![HealthCheck::good(format!("{answers} ({})", crate::text::line(&version)))]
            }
            Err(failure) => {
                let fix = "see that kubectl reaches it with the same context:\nkubectl version";
                return vec![HealthCheck::bad(answers, failure.to_string(), fix)];
            }
        };
        checks.push(self.kinds());
        checks.push(self.fields());
        for (group, resources, verbs) in role::needed() {
            for resource in resources {
                for verb in &verbs {
                    checks.push(self.permission(group, resource, verb));
                }
            }
        }
        checks
    }

    fn ask<T: DeserializeOwned>(&self, request: &ApiRequest) -> Result<T, RequestFailure> {
        let bytes = self.server.wait(self.server.request(request))?;
        serde_json::from_slice(&bytes)
            .map_err(|_| RequestFailure::NoAnswer("it answers with something else".to_string()))
    }

    /// Whether all custom resources are served in our version.
    fn kinds(&self) -> HealthCheck {
        let what = format!("it serves the custom resources {GROUP}/{VERSION}");
        let fix = "install them, as somebody who may:\nstablekey crds | kubectl apply --server-side -f -";
        let served: Result<Served, RequestFailure> = self.ask(&ApiRequest::get(format!("/apis/{GROUP}/{VERSION}")));
        match served {
            Ok(served) => {
                let names: BTreeSet<&str> = served.resources.iter().map(|kind| kind.name.as_str()).collect();
                let missing: Vec<&str> =
                    Kind::ALL.into_iter().map(Kind::plural).filter(|kind| !names.contains(kind)).collect();
                match missing.is_empty() {
                    true => HealthCheck::good(what),
                    false => HealthCheck::bad(what, format!("{} are missing", missing.join(", ")), fix),
                }
            }
            Err(failure) if failure.code() == Some(StatusCode::NOT_FOUND) => {
                HealthCheck::bad(what, "none is there", fix)
            }
            Err(failure) => HealthCheck::bad(what, failure.to_string(), fix),
        }
    }

    /// Whether the custom resources there have every field that this program writes.
    fn fields(&self) -> HealthCheck {
        let what = "its custom resources have every field that this version writes";
        let served: Result<Value, RequestFailure> =
            self.ask(&ApiRequest::get(format!("/openapi/v3/apis/{GROUP}/{VERSION}")));
        let served = match served {
            Ok(served) => served,
            Err(failure) => return HealthCheck::unknown(what, failure.to_string()),
        };
        let schemas = served["components"]["schemas"].as_object().cloned().unwrap_or_default();
        let missing = Kind::ALL.into_iter().find_map(|kind| {
            let is_it = |(name, _): &(&String, &Value)| name.ends_with(&format!(".{kind}"));
            let (_, theirs) = schemas.iter().find(is_it)?;
            let ours = serde_json::to_value(crd(kind)).ok()?;
            let ours = &ours["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
            missing_field(ours, &theirs["properties"]["spec"], &format!("{kind}.spec"))
        });
        match missing {
            None => HealthCheck::good(what),
            Some(field) => {
                let fix = "they are older than this program; as somebody who may:\nstablekey crds | kubectl apply \
                           --server-side -f -";
                HealthCheck::bad(what, format!("{field} is missing"), fix)
            }
        }
    }

    /// Whether the account has a permission in the namespace.
    fn permission(&self, group: &str, resource: &str, verb: &str) -> HealthCheck {
        let namespace = self.paths.namespace();
        let what = format!("you may {verb} {resource} in {namespace}");
        let body = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {
                "group": group, "resource": resource, "verb": verb, "namespace": namespace,
            }},
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let review: Result<Review, RequestFailure> = self.ask(&ApiRequest::post(path, body.to_string().into_bytes()));
        match review {
            Ok(Review { status: Some(ReviewStatus { allowed: true }) }) => HealthCheck::good(what),
            Ok(_) => {
                let group = if group.is_empty() { "\"\"" } else { group };
                let fix = format!(
                    "add to a Role in {namespace} that is bound to you:\n- apiGroups: [{group}]\n  resources: [{resource}]\n  \
                     verbs: [{verb}]"
                );
                HealthCheck::bad(what, "no Role allows it", fix)
            }
            Err(failure) => HealthCheck::unknown(what, failure.to_string()),
        }
    }
}

/// The first field of a schema that another one lacks.
fn missing_field(ours: &Value, theirs: &Value, path: &str) -> Option<String> {
    if theirs.is_null() {
        return Some(path.to_string());
    }
    let fields = ours["properties"].as_object().into_iter().flatten();
    let below = |name: &str| missing_field(&ours[name], &theirs[name], path);
    fields
        .into_iter()
        .find_map(|(name, field)| missing_field(field, &theirs["properties"][name], &format!("{path}.{name}")))
        .or_else(|| ours.get("items").filter(|items| items.is_object()).and_then(|_| below("items")))
        .or_else(|| {
            ours.get("additionalProperties").filter(|more| more.is_object()).and_then(|_| below("additionalProperties"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An older custom resource lacks a field somewhere: it is named with its path.
    #[test]
    fn a_field_that_is_missing_is_named() {
        let ours = serde_json::to_value(crd(Kind::Connection)).unwrap();
        let ours = &ours["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        assert_eq!(missing_field(ours, ours, "Connection.spec"), None);
        let mut older = ours.clone();
        older["properties"].as_object_mut().unwrap().remove("test");
        assert_eq!(missing_field(ours, &older, "Connection.spec").as_deref(), Some("Connection.spec.test"));
        let mut older = ours.clone();
        let input = &mut older["properties"]["inputs"]["additionalProperties"]["properties"]["secretRef"]["properties"];
        input.as_object_mut().unwrap().remove("version");
        let missing = missing_field(ours, &older, "Connection.spec");
        assert_eq!(missing.as_deref(), Some("Connection.spec.inputs.secretRef.version"));
    }
}
