//! A Secret that opted in: which stable keys it serves, which hosts it may be sent to, and when it expires.

use super::hosts::Host;
use crate::api::{EXPIRES, HOSTS, KEYS};
use crate::kubernetes::budget::{Named, Weighs};
use crate::secret::SecretBytes;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A Secret that connections may read, because a person labelled it.
#[derive(Debug)]
pub(crate) struct SourceSecret {
    pub name: String,
    pub uid: String,
    pub resource_version: String,
    /// The stable keys that it may serve.
    pub keys: Keys,
    /// When it expires, if it says so.
    pub expires: Option<Expiry>,
    pub pins: Pins,
    pub data: BTreeMap<String, Arc<SecretBytes>>,
}

impl Weighs for SourceSecret {
    fn weight(&self) -> usize {
        self.data.iter().map(|(key, bytes)| key.len() + bytes.expose().len()).sum()
    }
}

impl Named for SourceSecret {
    fn name(&self) -> &str {
        &self.name
    }
}

/// The stable keys of a Secret's annotation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keys {
    /// Whether `*` is among them.
    pub all: bool,
    /// The keys that are named.
    pub named: BTreeSet<String>,
}

/// When a Secret expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expiry {
    /// The text of the annotation.
    pub text: String,
    /// The parsed time; `None` if it is invalid.
    pub at: Option<Timestamp>,
}

/// The hosts that a Secret may be sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pins {
    /// Any host.
    Anywhere,
    /// Only these hosts.
    Only(Vec<Host>),
    /// The annotation exists, but cannot be parsed.
    Unreadable,
}

impl SourceSecret {
    /// Builds one from a Secret's annotations and data.
    pub(crate) fn new(
        [name, uid, resource_version]: [String; 3],
        annotations: &BTreeMap<String, String>,
        data: BTreeMap<String, Arc<SecretBytes>>,
    ) -> Self {
        let keys = annotations.get(KEYS).map(|text| Keys::parse(text)).unwrap_or_default();
        let expires = annotations.get(EXPIRES).map(|text| {
            let text = text.trim();
            // A valid time is shorter, and a longer text would not fit into a status.
            let at = (text.len() <= 64).then(|| text.parse().ok()).flatten();
            Expiry { text: text.chars().take(64).collect(), at }
        });
        let pins = annotations.get(HOSTS).map_or(Pins::Anywhere, |text| Pins::parse(text));
        SourceSecret { name, uid, resource_version, keys, expires, pins, data }
    }
}

impl Keys {
    fn parse(text: &str) -> Self {
        let named: BTreeSet<String> = items(text).map(str::to_string).collect();
        Keys { all: named.contains("*"), named }
    }

    /// Whether a copy that was made for one of these keys may be kept. If the copy's keys are unknown, it is deleted
    /// only if the Secret serves no key at all.
    pub(crate) fn serve(&self, keys: &BTreeSet<String>) -> bool {
        self.all || if keys.is_empty() { !self.named.is_empty() } else { !self.named.is_disjoint(keys) }
    }
}

impl Pins {
    fn parse(text: &str) -> Self {
        items(text).map(Host::pinned).collect::<Option<Vec<_>>>().map_or(Pins::Unreadable, Pins::Only)
    }
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(annotations: &[(&str, &str)]) -> SourceSecret {
        let annotations = annotations.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        SourceSecret::new(["s".into(), "u".into(), "1".into()], &annotations, BTreeMap::new())
    }

    #[test]
    fn keys_are_comma_separated_and_a_star_is_all() {
        let keys = source(&[(KEYS, " crm, sf_old ,,")]).keys;
        assert!(!keys.all && keys.named.len() == 2 && keys.named.contains("sf_old"));
        assert!(source(&[(KEYS, "crm,*")]).keys.all);
        assert!(!source(&[(KEYS, "crm*")]).keys.all);
        assert_eq!(source(&[]).keys, Keys::default());
    }

    #[test]
    fn an_unparsable_annotation_is_not_ignored() {
        assert_eq!(source(&[]).pins, Pins::Anywhere);
        assert_eq!(source(&[(HOSTS, "")]).pins, Pins::Only(vec![]));
        assert_eq!(source(&[(HOSTS, "a.example, https://b.example")]).pins, Pins::Unreadable);
        assert_eq!(source(&[(EXPIRES, "tomorrow")]).expires.unwrap().at, None);
        assert_eq!(source(&[(EXPIRES, &"9".repeat(9000))]).expires.unwrap().text.len(), 64);
        let at = source(&[(EXPIRES, "2030-01-31T00:00:00+02:00")]).expires.unwrap();
        assert_eq!(at.at, Some("2030-01-30T22:00:00Z".parse().unwrap()));
    }
}
