//! The name, type and annotation of a binding Secret, which say what it is for and which object it belongs to.

use crate::api::Kind;
use crate::engine::model::item::ObjectId;
use sha2::{Digest, Sha256};

/// The prefix of the type of every binding Secret.
pub(crate) const TYPE_PREFIX: &str = "servicebinding.io/";

/// The owner of a binding Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub kind: String,
    pub name: String,
    /// The uid. With the uid of an earlier object of this name the Secret would be collected at once.
    pub uid: String,
}

/// Returns the type of a binding Secret for a component, given the component's name.
pub(crate) fn secret_type(component: &str) -> String {
    format!("{TYPE_PREFIX}{component}")
}

/// The use of a binding Secret. No two Secrets get the same name: a connection's name has no dot, and each use has its
/// own suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Production,
    Test,
    Customer,
}

impl Purpose {
    const ALL: [Purpose; 3] = [Purpose::Production, Purpose::Test, Purpose::Customer];

    const fn suffix(self) -> &'static str {
        match self {
            Purpose::Production => ".binding",
            Purpose::Test => ".test-binding",
            Purpose::Customer => ".customer-binding",
        }
    }

    /// Returns the name of the binding Secret for an object. If it would be too long, a hash replaces the end.
    pub(crate) fn name_for(self, object: &str) -> String {
        let suffix = self.suffix();
        if object.len() + suffix.len() <= 253 {
            return format!("{object}{suffix}");
        }
        let hash: String = Sha256::digest(object).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let start: String = object.chars().take(200).collect();
        format!("{}-{hash}{suffix}", start.trim_end_matches(['.', '-']))
    }

    /// Parses the annotation: the use and the object.
    pub(crate) fn of_what(annotation: &str) -> Option<(Purpose, ObjectId)> {
        let (kind, rest) = annotation.split_once('/')?;
        if kind == Kind::CustomerCredentials.as_str() {
            return Some((Purpose::Customer, ObjectId::new(Kind::CustomerCredentials, rest)));
        }
        let (of, name) = rest.strip_suffix("/test").map_or((Purpose::Production, rest), |name| (Purpose::Test, name));
        (kind == Kind::Connection.as_str()).then(|| (of, ObjectId::new(Kind::Connection, name)))
    }

    /// Returns the annotation of the binding Secret for an object.
    pub(crate) fn of(self, object: &str) -> String {
        match self {
            Purpose::Production => format!("{}/{object}", Kind::Connection),
            Purpose::Test => format!("{}/{object}/test", Kind::Connection),
            Purpose::Customer => format!("{}/{object}", Kind::CustomerCredentials),
        }
    }

    /// Parses a name: the use, and the name of the object unless it was truncated.
    pub(crate) fn parse(name: &str) -> Option<(Purpose, &str)> {
        Purpose::ALL.into_iter().find_map(|of| Some((of, name.strip_suffix(of.suffix())?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::names::is_object_name;

    #[test]
    fn names_are_valid_and_unique() {
        let long = format!("{}.{}", "a".repeat(200), "b".repeat(52));
        let names: Vec<String> = [Purpose::Production, Purpose::Test]
            .into_iter()
            .flat_map(|of| ["crm", "crm-test", "binding", "test-binding"].map(|c| of.name_for(c)))
            .chain(["crm", "crm.test-binding", "crm.binding", "binding", &long].map(|c| Purpose::Customer.name_for(c)))
            .collect();
        assert!(names.iter().all(|name| is_object_name(name)), "{names:?}");
        assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), names.len());
        assert_ne!(Purpose::Customer.name_for(&long), Purpose::Customer.name_for(&format!("{}c", &long[..252])));
        assert_eq!(Purpose::parse("crm.test-binding"), Some((Purpose::Test, "crm")));
        assert_eq!(Purpose::parse("crm"), None);
    }
}
