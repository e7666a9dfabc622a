//! How a Secret opts in for connections: which stable keys it serves, which hosts it may be sent to, when it expires.

use super::hosts::Host;
use crate::api::{EXPIRES, HOSTS, KEYS, SECRET_VERSION};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// What the annotations of a Secret say that opted in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptIn {
    /// The stable keys that it may serve.
    pub keys: Keys,
    /// When it expires, if it says so.
    pub expires: Option<Expiry>,
    pub pins: Pins,
    /// The version of its content: another one means that the content changed.
    pub version: Option<String>,
}

/// The stable keys of a Secret's annotation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// Whether `*` is among them.
    pub all: bool,
    /// The keys that are named.
    pub named: BTreeSet<String>,
}

/// How long before their end credentials expire soon.
pub const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// When a Secret expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The text of the annotation.
    pub text: String,
    /// The parsed time; `None` if it is invalid.
    pub at: Option<Timestamp>,
}

/// The hosts that a Secret may be sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pins {
    /// Any host.
    Anywhere,
    /// Only these hosts.
    Only(Vec<Host>),
    /// The annotation exists, but cannot be parsed.
    Unreadable,
}

/// Why a Secret that opted in is not used for a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptInRefusal {
    /// It does not serve its key.
    NotForKey,
    /// Its annotation with hosts cannot be parsed.
    UnreadableHosts,
    /// Its annotation with its expiry is no time.
    UnreadableExpiry,
    Expired(Timestamp),
}

impl OptIn {
    /// Reads the annotations of a Secret.
    pub fn of(annotations: &BTreeMap<String, String>) -> Self {
        let expires = annotations.get(EXPIRES).map(|text| Expiry::parse(text));
        OptIn {
            keys: annotations.get(KEYS).map(|text| Keys::parse(text)).unwrap_or_default(),
            expires,
            pins: annotations.get(HOSTS).map_or(Pins::Anywhere, |text| Pins::parse(text)),
            version: annotations.get(SECRET_VERSION).map(|text| text.trim().chars().take(64).collect()),
        }
    }

    /// Why it is not used now for a connection; `serves`: whether it serves the connection's key.
    pub fn refusal(&self, serves: bool, now: Timestamp) -> Option<OptInRefusal> {
        if !serves {
            return Some(OptInRefusal::NotForKey);
        }
        if self.pins == Pins::Unreadable {
            return Some(OptInRefusal::UnreadableHosts);
        }
        match self.expires.as_ref()?.at {
            None => Some(OptInRefusal::UnreadableExpiry),
            Some(at) => (at <= now).then_some(OptInRefusal::Expired(at)),
        }
    }
}

impl Expiry {
    /// Reads an annotation: a time, or a day, which begins at midnight UTC.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        let day = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|day| day.timestamp());
        // A valid time is shorter, and a longer text would not fit into a status.
        let at = (text.len() <= 64).then(|| text.parse().ok().or_else(day)).flatten();
        Expiry { text: text.chars().take(64).collect(), at }
    }
}

impl OptInRefusal {
    /// What is wrong, and what to do: the Secret has this name, and the connection this key.
    pub fn text(&self, name: &str, key: &str) -> String {
        match self {
            OptInRefusal::NotForKey => {
                format!("Secret {name} does not serve {key}: whoever owns it adds the key to its annotation {KEYS}")
            }
            OptInRefusal::UnreadableHosts => format!(
                "annotation {HOSTS} of Secret {name} cannot be read: write hosts as login.example or \
                 login.example:8443, separated by commas"
            ),
            OptInRefusal::UnreadableExpiry => {
                format!("annotation {EXPIRES} of Secret {name} is no time: write it as 2030-01-31T00:00:00Z")
            }
            OptInRefusal::Expired(at) => {
                format!("Secret {name} expired at {at}: supply a new one, and move its annotation {EXPIRES}")
            }
        }
    }
}

impl Keys {
    fn parse(text: &str) -> Self {
        let named: BTreeSet<String> = items(text).map(str::to_string).collect();
        Keys { all: named.contains("*"), named }
    }

    /// Whether this key is among them.
    pub fn has(&self, key: &str) -> bool {
        self.all || self.named.contains(key)
    }

    /// Whether a copy that was made for one of these keys may be kept. If the copy's keys are unknown, it is deleted
    /// only if the Secret serves no key at all.
    pub fn serve(&self, keys: &BTreeSet<String>) -> bool {
        self.all || if keys.is_empty() { !self.named.is_empty() } else { !self.named.is_disjoint(keys) }
    }
}

impl Pins {
    /// Reads the hosts of an annotation.
    pub fn parse(text: &str) -> Self {
        items(text).map(Host::pinned).collect::<Option<Vec<_>>>().map_or(Pins::Unreadable, Pins::Only)
    }
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opt_in(annotations: &[(&str, &str)]) -> OptIn {
        OptIn::of(&annotations.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect())
    }

    #[test]
    fn keys_are_comma_separated_and_a_star_is_all() {
        let keys = opt_in(&[(KEYS, " crm, sf_old ,,")]).keys;
        assert!(!keys.all && keys.named.len() == 2 && keys.named.contains("sf_old"));
        assert!(keys.has("crm") && !keys.has("*") && !keys.has("sf"));
        assert!(opt_in(&[(KEYS, "crm,*")]).keys.has("any"));
        assert!(!opt_in(&[(KEYS, "crm*")]).keys.all);
        assert_eq!(opt_in(&[]).keys, Keys::default());
    }

    #[test]
    fn an_unparsable_annotation_is_not_ignored() {
        assert_eq!(opt_in(&[]).pins, Pins::Anywhere);
        assert_eq!(opt_in(&[(HOSTS, "")]).pins, Pins::Only(vec![]));
        assert_eq!(opt_in(&[(HOSTS, "a.example, https://b.example")]).pins, Pins::Unreadable);
        assert_eq!(opt_in(&[(EXPIRES, "tomorrow")]).expires.unwrap().at, None);
        assert_eq!(opt_in(&[(EXPIRES, &"9".repeat(9000))]).expires.unwrap().text.len(), 64);
        let at = opt_in(&[(EXPIRES, "2030-01-31T00:00:00+02:00")]).expires.unwrap();
        assert_eq!(at.at, Some("2030-01-30T22:00:00Z".parse().unwrap()));
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let refusal = |annotations: &[(&str, &str)]| opt_in(annotations).refusal(true, now);
        assert_eq!(refusal(&[(HOSTS, "https://b.example")]), Some(OptInRefusal::UnreadableHosts));
        assert_eq!(refusal(&[(EXPIRES, "tomorrow")]), Some(OptInRefusal::UnreadableExpiry));
        assert!(matches!(refusal(&[(EXPIRES, "2020-01-31T00:00:00Z")]), Some(OptInRefusal::Expired(_))));
        assert_eq!(refusal(&[(EXPIRES, "2030-01-31T00:00:00Z")]), None);
        assert_eq!(opt_in(&[]).refusal(false, now), Some(OptInRefusal::NotForKey));
    }
}
