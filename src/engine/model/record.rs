//! The record: what we wrote to an object, and for whom.

use super::canonical::FieldHash;
use super::field::{Field, FieldKind};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// Who declares something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Writer {
    /// The tenant's own source.
    Source,
    /// A TenantSync, by name.
    Sync(String),
    /// A sync that is not written down, by the tenant that it copies. Never looked for again.
    Promote(String),
    /// A person who took live values as if we had written them.
    Adopt,
}

impl Writer {
    /// From the text in a record.
    pub fn parse(text: &str) -> Option<Writer> {
        match text.split_once('/') {
            None if text == "source" => Some(Writer::Source),
            None if text == "adopt" => Some(Writer::Adopt),
            Some(("sync", name)) if !name.is_empty() => Some(Writer::Sync(name.to_string())),
            Some(("promote", from)) if !from.is_empty() => Some(Writer::Promote(from.to_string())),
            _ => None,
        }
    }

    /// Whether it copies another tenant.
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

/// What we wrote to one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The tenant that it was written in: a record that names another is none (copied YAML).
    pub tenant: String,
    /// Whether we made the object.
    pub made: bool,
    /// What we wrote, by field.
    pub fields: BTreeMap<Field<'static>, Wrote>,
    /// Where keys of Secrets were sent that we wrote once and that are not among the fields any more: the hash of
    /// the reference, and a hash over the hosts ([`FieldHash::UNKNOWN`] where those are not known).
    pub sent: BTreeMap<FieldHash, FieldHash>,
    /// The inputs of a connection that its type called endpoints when we last wrote it, and that no rule of names finds.
    /// A type that loses such a mark, wherever it stands, takes no endpoint away.
    pub endpoints: BTreeSet<String>,
}

/// How an entry of [`Record::sent`] begins where fields are written.
const SENT: &str = "sent.";

/// How an entry of [`Record::endpoints`] begins there.
const ENDPOINT: &str = "endpoint.";

/// What we wrote to one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrote {
    /// Of the value.
    pub hash: FieldHash,
    /// For whom. Most fields of a tenant are written for the same few: they share the set.
    pub writers: Arc<BTreeSet<Writer>>,
}

impl Wrote {
    /// `hash@writer,writer`.
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

    /// Whether it says nothing at all: it need not be kept.
    pub fn is_empty(&self) -> bool {
        !self.made && self.fields.is_empty() && self.sent.is_empty() && self.endpoints.is_empty()
    }

    /// What we wrote to a field.
    pub fn wrote<'a>(&'a self, field: &Field<'a>) -> Option<&'a Wrote> {
        // A map of owned names is one of borrowed names too: nothing has to be made to look one up.
        let fields: &BTreeMap<Field<'_>, Wrote> = &self.fields;
        fields.get(field)
    }

    /// Everybody for whom something was written.
    pub fn writers(&self) -> BTreeSet<&Writer> {
        self.fields.values().flat_map(|wrote| wrote.writers.iter()).collect()
    }

    /// One line without the object's name, as `stablekey.lock` keeps it: `tenant made|- path=hash@writers …`.
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
        for (path, said) in self.encoded_besides() {
            line.push_str(&format!(" {path}={said}"));
        }
        line
    }

    /// What it says besides fields, in the way of these: what was sent where, and what a type called an endpoint.
    /// Nobody's, since it is of no field.
    pub fn encoded_besides(&self) -> impl Iterator<Item = (String, String)> {
        let sent = self.sent.iter().map(|(key, hosts)| (format!("{SENT}{key}"), format!("{hosts}@-")));
        let input = |name| Field::named(FieldKind::Input, name).encode();
        let endpoints = self.endpoints.iter().map(move |name| format!("{ENDPOINT}{}", input(name)));
        sent.chain(endpoints.map(|path| (path, format!("{}@-", FieldHash::UNKNOWN))))
    }

    /// From what [`Record::encode`] wrote; `None` for anything else.
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
