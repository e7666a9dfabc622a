//! What the records of a tenant say of where secrets were sent: by objects that are gone, and by objects that named a
//! key of a Secret once and no longer do.

use super::senders::Sender;
use crate::api::*;
use crate::engine::canonical::FieldHash;
use crate::engine::field::{Field, FieldKind, FieldValue};
use crate::engine::record::{Record, Wrote};
use crate::engine::redirect::{Inputs, Strictest};
use crate::engine::world::Inventory;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Why what is made again needs approval where nothing says more.
pub(super) const UNRECORDED: &str = "it was made before and is gone, and where its secrets went is not recorded";

/// Whether a record says that something was written.
pub(super) fn is_written(record: &Record) -> bool {
    record.made || !record.fields.is_empty()
}

/// What we wrote before somebody took the object away: its secrets were sent where the record says.
pub(super) fn made_again(
    record: &Record,
    types: &Strictest<'_>,
    production: &Inputs<'_>,
    test: Option<&Inputs<'_>>,
    hosts: &dyn Fn() -> BTreeSet<String>,
) -> Option<String> {
    if !is_written(record) {
        return None;
    }
    if !record.fields.keys().any(Field::is_input) {
        let sends = !types.hosts(production).is_empty() && !types.secrets(production).is_empty();
        return sends.then(|| UNRECORDED.to_string());
    }
    let of_production = || moved_since(record, types, production, &[FieldKind::Input]);
    let of_test = || moved_since(record, types, test?, &[FieldKind::TestInput, FieldKind::Input]);
    if let Some((moved, secrets)) = of_production().or_else(of_test) {
        return Some(format!(
            "it is made again with another {moved} than was written before, and {secrets} goes there"
        ));
    }
    if !record.fields.keys().any(|field| field.kind == FieldKind::Sent) {
        return None;
    }
    let hosts = of_hosts(&hosts());
    let named = production.iter().filter(|(_, input)| matches!(input, Input::SecretRef(_)));
    let mut left = named.filter_map(|(name, input)| Some((name, record.wrote(&left(hash_of(input)))?)));
    let (name, _) = left.find(|(_, wrote)| wrote.hash != hosts)?;
    Some(format!("it is made again, and {name} was sent elsewhere by it before"))
}

/// Whether all of these endpoints are as a record says that they were, and it had no other.
pub(super) fn sent_there(record: &Record, types: &Strictest<'_>, inputs: &Inputs<'_>) -> bool {
    let mut endpoints = inputs.iter().filter(|(name, input)| types.is_endpoint(name, Some(input)));
    let kinds = [FieldKind::Input, FieldKind::TestInput];
    let had = record.fields.keys().filter(|field| field.is_input()).map(|field| field.name.as_ref());
    let mut went = had.filter(|name| types.is_endpoint(name, None));
    endpoints.all(|(name, input)| is_as_recorded(record, name, input, &kinds)) && went.all(|n| inputs.contains_key(n))
}

fn is_as_recorded(record: &Record, name: &str, input: &Input, kinds: &[FieldKind]) -> bool {
    let wrote = kinds.iter().find_map(|kind| record.wrote(&Field::named(*kind, name)));
    wrote.is_some_and(|wrote| wrote.hash == hash_of(input))
}

/// The endpoints that are others than a record says, and the secrets that would go there; of several kinds of fields
/// the first that is recorded counts.
fn moved_since(
    record: &Record,
    types: &Strictest<'_>,
    inputs: &Inputs<'_>,
    kinds: &[FieldKind],
) -> Option<(String, String)> {
    let moved = |(name, input): &(&&str, &&Input)| {
        types.is_endpoint(name, Some(input)) && !is_as_recorded(record, name, input, kinds)
    };
    let mut moved: BTreeSet<&str> = inputs.iter().filter(moved).map(|(name, _)| *name).collect();
    let recorded = record.fields.keys().filter(|field| kinds.contains(&field.kind)).map(|field| field.name.as_ref());
    moved.extend(recorded.filter(|name| !inputs.contains_key(name) && types.is_endpoint(name, None)));
    let secrets = types.secrets(inputs);
    let list = |names: &BTreeSet<&str>| names.iter().copied().collect::<Vec<_>>().join(", ");
    (!moved.is_empty() && !secrets.is_empty()).then(|| (list(&moved), list(&secrets)))
}

fn hash_of(input: &Input) -> FieldHash {
    FieldValue::Input(input).hash()
}

/// The field of a record that says where a key of a Secret was sent by an object that no longer names it.
fn left(key: FieldHash) -> Field<'static> {
    Field { kind: FieldKind::Sent, name: key.to_string().into() }
}

/// A hash over hosts: a record holds no list of them.
fn of_hosts(hosts: &BTreeSet<String>) -> FieldHash {
    FieldHash::of(&hosts.iter().map(String::as_str).collect::<Vec<_>>().join("\n"))
}

/// The record of an object with what must not be forgotten: the keys of Secrets that it names no longer, and the
/// `hosts` that it sent them to. Those that it names again fall out: it says itself where they go. `None` where the
/// record is so already.
pub(super) fn remembered<'t>(
    before: Option<Sender<'_>>,
    hosts: &dyn Fn() -> BTreeSet<String>,
    then: Sender<'_>,
    types: &dyn Fn() -> Strictest<'t>,
    recorded: &Record,
    record: &Record,
) -> Option<Record> {
    let left_before = || recorded.fields.iter().filter(|(field, _)| field.kind == FieldKind::Sent);
    let mut remembered: BTreeMap<Field<'static>, Wrote> =
        left_before().map(|(field, wrote)| (field.clone(), wrote.clone())).collect();
    let is_named = |input: &&Input| then.secret_inputs().any(|named| named == *input);
    for key in before.into_iter().flat_map(Sender::secret_inputs).filter(|input| !is_named(input)).map(hash_of) {
        let of_it = recorded.fields.values().find(|wrote| wrote.hash == key);
        let writers = of_it.or(recorded.fields.values().next()).map(|wrote| wrote.writers.clone());
        let wrote = Wrote { hash: of_hosts(&hosts()), writers: writers.unwrap_or_default() };
        remembered.insert(left(key), wrote);
    }
    // What others took away by hand was sent where it stood, as far as that is known.
    let of_before = |field: &Field<'_>| before.and_then(|before| before.input(field));
    let inputs = || recorded.fields.iter().filter(|(field, _)| field.is_input());
    let is_there = |field: &Field<'_>| of_before(field).is_some() || then.input(field).is_some();
    for (field, wrote) in inputs().filter(|(field, _)| !is_there(field)) {
        let types = types();
        if !types.is_secret(&field.name, &Input::value("")) {
            continue;
        }
        let is_moved = |(field, wrote): (&Field<'_>, &Wrote)| {
            let now = of_before(field);
            types.is_endpoint(&field.name, now) && now.is_none_or(|now| hash_of(now) != wrote.hash)
        };
        let hash = if inputs().any(is_moved) { FieldHash::of(UNRECORDED) } else { of_hosts(&hosts()) };
        remembered.entry(left(wrote.hash)).or_insert_with(|| Wrote { hash, writers: wrote.writers.clone() });
    }
    if !remembered.is_empty() {
        then.secret_inputs().for_each(|input| drop(remembered.remove(&left(hash_of(input)))));
    }
    let of_record = record.fields.keys().filter(|field| field.kind == FieldKind::Sent).count();
    let is_same =
        of_record == remembered.len() && remembered.iter().all(|(field, wrote)| record.wrote(field) == Some(wrote));
    (!is_same).then(|| {
        let mut record = record.clone();
        record.fields.retain(|field, _| field.kind != FieldKind::Sent);
        record.fields.extend(remembered);
        record
    })
}

/// Where secrets that join something were sent, as the records say.
#[derive(Default)]
pub(super) struct SentBefore<'d> {
    /// Records of objects that are gone and named a secret, by it and by one of their other inputs.
    gone: HashMap<(FieldHash, &'d str, FieldHash), Vec<&'d Record>>,
    /// All of them, by the secret.
    named: HashMap<FieldHash, Vec<&'d Record>>,
    /// The hosts to which objects sent a secret that they name no longer.
    left: HashMap<FieldHash, BTreeSet<FieldHash>>,
}

impl<'d> SentBefore<'d> {
    pub fn of(live: &'d Inventory, tenant: &str, joining: &BTreeSet<FieldHash>) -> Self {
        let mut before = SentBefore::default();
        if joining.is_empty() {
            return before;
        }
        let of_tenant = live.records.iter().filter(|(_, record)| record.tenant == tenant);
        for (id, record) in of_tenant {
            for (field, wrote) in record.fields.iter().filter(|(field, _)| field.kind == FieldKind::Sent) {
                let key = FieldHash::parse(&field.name).filter(|key| joining.contains(key));
                key.map(|key| before.left.entry(key).or_default().insert(wrote.hash));
            }
            let is_named = |(field, wrote): &(&Field<'_>, &Wrote)| field.is_input() && joining.contains(&wrote.hash);
            if live.has(id) {
                continue;
            }
            for (_, secret) in record.fields.iter().filter(is_named) {
                before.named.entry(secret.hash).or_default().push(record);
                for (field, wrote) in record.fields.iter().filter(|(field, _)| field.is_input()) {
                    before.gone.entry((secret.hash, field.name.as_ref(), wrote.hash)).or_default().push(record);
                }
            }
        }
        before
    }

    /// Who sent a secret elsewhere, where nothing says that it was sent there too.
    pub fn elsewhere(
        &self,
        inputs: &Inputs<'_>,
        secret: &str,
        types: &Strictest<'_>,
        hosts: &dyn Fn() -> BTreeSet<String>,
    ) -> Option<&'static str> {
        if self.named.is_empty() && self.left.is_empty() {
            return None;
        }
        let key = hash_of(inputs.get(secret)?);
        let named = self.named.get(&key).map_or(&[][..], Vec::as_slice);
        // Those of one endpoint are few where all of those of a secret are many.
        let endpoint = inputs.iter().find(|(name, input)| types.is_endpoint(name, Some(input)));
        let gone: &HashMap<(FieldHash, &str, FieldHash), Vec<&'d Record>> = &self.gone;
        let there = match endpoint {
            Some((name, input)) => gone.get(&(key, *name, hash_of(input))).map_or(&[][..], Vec::as_slice),
            None => named,
        };
        if there.iter().any(|record| sent_there(record, types, inputs)) {
            return None;
        }
        let left = self.left.get(&key);
        match (named.is_empty(), left) {
            (_, Some(left)) if left.contains(&of_hosts(&hosts())) => None,
            (false, _) => Some("an object that is gone sent elsewhere"),
            (true, Some(_)) => Some("an object that names it no longer sent elsewhere"),
            (true, None) => None,
        }
    }
}
