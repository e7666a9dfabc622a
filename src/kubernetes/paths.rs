//! The API paths of a tenant's resources.

use crate::api::{API_VERSION, Kind};
use crate::engine::model::item::ObjectId;

/// The path of all namespaces.
pub const ALL_NAMESPACES: &str = "/api/v1/namespaces";

/// The paths of one namespace.
#[derive(Clone, Debug)]
pub struct Paths {
    namespace: String,
}

impl Paths {
    pub fn of(namespace: &str) -> Self {
        Paths { namespace: namespace.to_string() }
    }

    fn segment(&self) -> String {
        segment(&self.namespace)
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Returns the path of the namespace itself.
    pub fn itself(&self) -> String {
        format!("{ALL_NAMESPACES}/{}", self.segment())
    }

    /// Returns the path of all objects of a custom resource.
    pub fn kind(&self, kind: Kind) -> String {
        format!("/apis/{API_VERSION}/namespaces/{}/{}", self.segment(), kind.plural())
    }

    /// Returns the path of one custom resource object.
    pub fn object(&self, id: &ObjectId) -> String {
        format!("{}/{}", self.kind(id.kind), segment(&id.name))
    }

    /// Returns the path of all ConfigMaps.
    pub fn config_maps(&self) -> String {
        format!("/api/v1/namespaces/{}/configmaps", self.segment())
    }

    /// Returns the path of all Secrets.
    pub fn secrets(&self) -> String {
        format!("/api/v1/namespaces/{}/secrets", self.segment())
    }

    /// Returns the path of one Secret.
    pub fn secret(&self, name: &str) -> String {
        format!("{}/{}", self.secrets(), segment(name))
    }

    /// Returns the path of one ConfigMap.
    pub fn config_map(&self, name: &str) -> String {
        format!("{}/{}", self.config_maps(), segment(name))
    }
}

/// Escapes a name for a path segment or a query value.
pub fn segment(name: &str) -> String {
    // Path normalization would remove a segment of dots.
    let is_dots = name.chars().all(|c| c == '.');
    let plain =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') || *byte == b'.' && !is_dots;
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if plain(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_escaped_in_a_path() {
        let paths = Paths::of("../../../api/v1/namespaces/eu-prod/secrets?");
        let there = "/api/v1/namespaces/..%2F..%2F..%2Fapi%2Fv1%2Fnamespaces%2Feu-prod%2Fsecrets%3F/configmaps";
        assert_eq!(paths.config_maps(), there);
        assert_eq!(Paths::of("..").itself(), "/api/v1/namespaces/%2E%2E");
        assert_eq!(Paths::of("eu-prod").config_map("a.b-1"), "/api/v1/namespaces/eu-prod/configmaps/a.b-1");
        assert_eq!(Paths::of("x").secret("a/b#c%2e"), "/api/v1/namespaces/x/secrets/a%2Fb%23c%252e");
    }
}
