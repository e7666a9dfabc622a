//! The ownership record: what Stablekey wrote to an object, and for which writers.

use super::canonical::FieldHash;
use super::field::{Field, FieldKind};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// A writer: something that declares objects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Writer {
    /// The tenant's own source.
    Source,
    /// A TenantSync, with its name.
    Sync(String),
    /// An ad-hoc sync, with the name of its source tenant. It never declares again.
    Promote(String),
    /// A person who took ownership of live values.
    Adopt,
}

impl Writer {
    /// Parses a writer in an ownership record.
    pub fn parse(text: &str) -> Option<Writer> {
        match text.split_once('/') {
            None if text == "source" => Some(Writer::Source),
            None if text == "adopt" => Some(Writer::Adopt),
            Some(("sync", name)) if !name.is_empty() => Some(Writer::Sync(name.to_string())),
            Some(("promote", from)) if !from.is_empty() => Some(Writer::Promote(from.to_string())),
            _ => None,
        }
    }

    /// Whether the writer copies another tenant.
    pub fn is_sync(&self) -> bool {
        matches!(self, Writer::Sync(_) | Writer::Promote(_))
    }
}

impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Writer::Source => f.write_str("source"),
            Writer::Sync(name) => write!(f, "sync/{name}"),
            Writer::Promote(from) => write!(f, "promote/{from}"),
            Writer::Adopt => f.write_str("adopt"),
        }
    }
}

impl serde::Serialize for Writer {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// The ownership record of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The tenant that the object belongs to. A record with another tenant is ignored (copied YAML).
    pub tenant: String,
    /// Whether Stablekey created the object.
    pub made: bool,
    /// The written values, by field.
    pub fields: BTreeMap<Field<'static>, Wrote>,
    /// The hosts of secrets that Stablekey wrote and that are no longer among the fields: the hash of the reference,
    /// and a hash over the hosts ([`FieldHash::UNKNOWN`] if they are unknown).
    pub sent: BTreeMap<FieldHash, FieldHash>,
    /// The inputs of a connection that its type declared as endpoints at the last write, and that no rule on names
    /// finds. They remain endpoints if the type loses the mark.
    pub endpoints: BTreeSet<String>,
}

/// The prefix of entries of [`Record::sent`] in the encoded record.
const SENT: &str = "sent.";

/// The prefix of entries of [`Record::endpoints`] in the encoded record.
const ENDPOINT: &str = "endpoint.";

/// The recorded write of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrote {
    /// The hash of the value.
    pub hash: FieldHash,
    /// The writers of the value. Most fields of a tenant have the same writers, so they share the set.
    pub writers: Arc<BTreeSet<Writer>>,
}

impl Wrote {
    /// Encodes as `hash@writer,writer`.
    pub fn encode(&self) -> String {
        format!("{}@{}", self.hash, self.writers())
    }

    fn writers(&self) -> String {
        self.writers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }
}

impl Record {
    /// An empty record of an object in `tenant`.
    pub fn of(tenant: &str) -> Self {
        Record { tenant: tenant.to_string(), ..Record::default() }
    }

    /// Whether the record has no content and need not be stored.
    pub fn is_empty(&self) -> bool {
        !self.made && self.fields.is_empty() && self.sent.is_empty() && self.endpoints.is_empty()
    }

    /// The recorded write of a field.
    pub fn wrote<'a>(&'a self, field: &Field<'a>) -> Option<&'a Wrote> {
        // A map with owned names can be read as one with borrowed names, which avoids an allocation.
        let fields: &BTreeMap<Field<'_>, Wrote> = &self.fields;
        fields.get(field)
    }

    /// All writers in the record.
    pub fn writers(&self) -> BTreeSet<&Writer> {
        self.fields.values().flat_map(|wrote| wrote.writers.iter()).collect()
    }

    /// Encodes the record as one line without the object's name, as in `stablekey.lock`: `tenant made|-
    /// path=hash@writers …`.
    pub fn encode(&self) -> String {
        let mut line = String::with_capacity(64 * (self.fields.len() + 1));
        line.push_str(&self.tenant);
        line.push_str(if self.made { " made" } else { " -" });
        // Most fields of an object have the same writers.
        let mut before: Option<(&Arc<BTreeSet<Writer>>, String)> = None;
        for (field, wrote) in &self.fields {
            if !before.as_ref().is_some_and(|(writers, _)| Arc::ptr_eq(writers, &wrote.writers)) {
                before = Some((&wrote.writers, wrote.writers()));
            }
            line.push(' ');
            line.push_str(&field.encode());
            line.push('=');
            wrote.hash.write(&mut line);
            line.push('@');
            line.push_str(before.as_ref().map_or("", |(_, writers)| writers));
        }
        for (path, value) in self.encoded_besides() {
            line.push_str(&format!(" {path}={value}"));
        }
        line
    }

    /// Encodes the entries that are not fields: the hosts of secrets, and endpoints by type. They have no writers.
    pub fn encoded_besides(&self) -> impl Iterator<Item = (String, String)> {
        let sent = self.sent.iter().map(|(key, hosts)| (format!("{SENT}{key}"), format!("{hosts}@-")));
        let input = |name| Field::named(FieldKind::Input, name).encode();
        let endpoints = self.endpoints.iter().map(move |name| format!("{ENDPOINT}{}", input(name)));
        sent.chain(endpoints.map(|path| (path, format!("{}@-", FieldHash::UNKNOWN))))
    }

    /// Decodes what [`Record::encode`] wrote; `None` for anything else.
    pub fn decode(line: &str) -> Option<Record> {
        let mut words = line.split(' ');
        let tenant = words.next().filter(|t| !t.is_empty())?.to_string();
        let made = match words.next()? {
            "made" => true,
            "-" => false,
            _ => return None,
        };
        let (mut fields, mut sent, mut endpoints) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        let mut before: Option<(&str, Arc<BTreeSet<Writer>>)> = None;
        for word in words {
            let (path, rest) = word.split_once('=')?;
            let (hash, text) = rest.split_once('@')?;
            if let Some(key) = path.strip_prefix(SENT) {
                sent.insert(FieldHash::parse(key)?, FieldHash::parse(hash)?);
                continue;
            }
            if let Some(input) = path.strip_prefix(ENDPOINT) {
                let input = Field::decode(input).filter(|field| field.kind == FieldKind::Input)?;
                endpoints.insert(input.name.into_owned());
                continue;
            }
            let writers = match &before {
                Some((same, writers)) if *same == text => writers.clone(),
                _ => Arc::new(text.split(',').map(Writer::parse).collect::<Option<_>>()?),
            };
            before = Some((text, writers.clone()));
            fields.insert(Field::decode(path)?, Wrote { hash: FieldHash::parse(hash)?, writers });
        }
        Some(Record { tenant, made, fields, sent, endpoints })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_line_and_back() {
        let wrote = Wrote {
            hash: FieldHash::of("\"x\""),
            writers: Arc::new([Writer::Source, Writer::Sync("us-to-eu".into())].into()),
        };
        let mut record = Record { tenant: "eu-prod".into(), made: true, ..Record::default() };
        record.fields.insert(Field::named(FieldKind::Variable, "Salesforce Connection").into_owned(), wrote.clone());
        record.fields.insert(Field::of(FieldKind::Title), wrote);
        let line = record.encode();
        assert!(line.starts_with("eu-prod made title="), "{line}");
        assert!(line.contains("connections.Salesforce%20Connection="), "{line}");
        assert!(line.ends_with("@source,sync/us-to-eu"), "{line}");
        assert_eq!(Record::decode(&line), Some(record.clone()));
        record.sent.insert(FieldHash::of("a"), FieldHash::UNKNOWN);
        let line = record.encode();
        assert!(line.ends_with("=0000000000000000@-"), "{line}");
        assert_eq!(Record::decode(&line), Some(record.clone()));
        record.endpoints.extend(["site".to_string(), "Sales site".to_string()]);
        let line = record.encode();
        assert!(
            line.ends_with(" endpoint.inputs.Sales%20site=0000000000000000@- endpoint.inputs.site=0000000000000000@-")
        );
        assert_eq!(Record::decode(&line), Some(record));
        for bad in [
            "",
            "eu-prod",
            "eu-prod maybe",
            "eu-prod made x",
            "eu-prod made title=12@source",
            "eu-prod made endpoint.title=0000000000000000@-",
        ] {
            assert_eq!(Record::decode(bad), None, "{bad}");
        }
    }
}
