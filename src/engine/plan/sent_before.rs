//! Previous hosts of secrets according to the ownership records of a tenant: of deleted objects, and of objects that no
//! longer refer to a key of a Secret.

use super::draft::Draft;
use super::senders::{KnownTypes, Sender, Side};
use crate::api::*;
use crate::engine::model::canonical::FieldHash;
use crate::engine::model::field::{Field, FieldKind, FieldValue};
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::Item;
use crate::engine::model::record::{Record, Wrote};
use crate::engine::redirect::{Inputs, Strictest, listed};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The reason why an object that is created again needs approval if nothing more is known.
pub(super) fn unrecorded(hosts: &BTreeSet<String>) -> String {
    format!(
        "it was made before and is gone, and where its secrets went is not recorded; they would go to {}",
        listed(hosts)
    )
}

/// Whether a record contains a write.
pub(super) fn is_written(record: &Record) -> bool {
    record.made || !record.fields.is_empty()
}

/// The reason for an object that is created again after somebody deleted it: its secrets were sent to the recorded
/// hosts.
pub(super) fn made_again(
    record: &Record,
    types: &Strictest<'_>,
    production: &Inputs<'_>,
    test: Option<&Inputs<'_>>,
    sent: &Sending<'_>,
) -> Option<String> {
    if !is_written(record) {
        return None;
    }
    if !record.fields.keys().any(Field::is_input) {
        return (!types.secrets(production).is_empty()).then(|| unrecorded(&(sent.hosts)()));
    }
    let of_production = || moved_since(record, types, production, &[FieldKind::Input]);
    let of_test = || moved_since(record, types, test?, &[FieldKind::TestInput, FieldKind::Input]);
    if let Some((moved, secrets)) = of_production().or_else(of_test) {
        return Some(format!(
            "it is made again with another {moved} than was written before, and {secrets} goes there: to {}",
            listed(&(sent.hosts)())
        ));
    }
    let secrets = types.secrets(production);
    if !secrets.is_empty() && sent.is_of_another(record) {
        let hosts = (sent.hosts)();
        let (component, secrets, hosts) = (sent.component, in_a_row(&secrets), listed(&hosts));
        return Some(format!("it is made again for {component}, and {secrets} goes there: to {hosts}"));
    }
    let named = production.iter().filter(|_| !record.sent.is_empty());
    let named = named.filter(|(_, input)| matches!(input, Input::SecretRef(_)));
    let mut left = named.filter_map(|(name, input)| Some((name, record.sent.get(&hash_of(input))?)));
    let hosts = (sent.hosts)();
    let (name, _) = left.find(|(_, left)| **left != of_hosts(&hosts))?;
    Some(format!("it is made again, and {name} was sent elsewhere by it before; it would go to {}", listed(&hosts)))
}

/// The component and the hosts that an object sends its secrets to.
pub(super) struct Sending<'s> {
    pub component: &'s ComponentRef,
    pub hosts: &'s dyn Fn() -> BTreeSet<String>,
}

impl Sending<'_> {
    /// Whether a record belongs to an object of another component, which has another host of its own.
    fn is_of_another(&self, record: &Record) -> bool {
        let wrote = record.wrote(&Field::of(FieldKind::Component));
        wrote.is_some_and(|wrote| wrote.hash != FieldValue::Component(self.component).hash())
    }
}

fn in_a_row(names: &BTreeSet<&str>) -> String {
    names.iter().copied().collect::<Vec<_>>().join(", ")
}

/// Whether all of these endpoints are equal to the recorded ones, and no other endpoint was recorded.
pub(super) fn sent_there(record: &Record, types: &Strictest<'_>, inputs: &Inputs<'_>, sent: &Sending<'_>) -> bool {
    // An input counts as an endpoint if it ever was one.
    let types = &types.clone().remembering([&record.endpoints]);
    let mut endpoints = inputs.iter().filter(|(name, input)| types.is_endpoint(name, Some(input))).peekable();
    let kinds = [FieldKind::Input, FieldKind::TestInput];
    let had = record.fields.keys().filter(|field| field.is_input()).map(|field| field.name.as_ref());
    let mut went = had.filter(|name| types.is_endpoint(name, None));
    let is_elsewhere = endpoints.peek().is_none() && sent.is_of_another(record);
    !is_elsewhere
        && endpoints.all(|(name, input)| is_as_recorded(record, name, input, &kinds))
        && went.all(|name| inputs.contains_key(name))
}

fn is_as_recorded(record: &Record, name: &str, input: &Input, kinds: &[FieldKind]) -> bool {
    let wrote = kinds.iter().find_map(|kind| record.wrote(&Field::named(*kind, name)));
    wrote.is_some_and(|wrote| wrote.hash == hash_of(input))
}

/// The endpoints that differ from a record, and the secrets that would be sent to them; of several kinds of fields, the
/// first one with a record counts.
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
    (!moved.is_empty() && !secrets.is_empty()).then(|| (in_a_row(&moved), in_a_row(&secrets)))
}

fn hash_of(input: &Input) -> FieldHash {
    FieldValue::Input(input).hash()
}

/// A hash over hosts: a record does not store a list of them.
fn of_hosts(hosts: &BTreeSet<String>) -> FieldHash {
    FieldHash::of(&hosts.iter().map(String::as_str).collect::<Vec<_>>().join("\n"))
}

/// An object before or after an action, and the hosts that it sends its secrets to.
pub(super) struct ObjectHosts<'a> {
    pub sender: Sender<'a>,
    pub hosts: &'a dyn Fn() -> BTreeSet<String>,
}

/// The ownership record of an object, extended by the hosts of keys of Secrets that Stablekey wrote and that are no
/// longer among its fields. `None` if nothing has to be added.
pub(super) fn remembered<'t>(
    before: Option<&ObjectHosts<'_>>,
    then: &ObjectHosts<'_>,
    types: &dyn Fn() -> Strictest<'t>,
    recorded: &Record,
    record: &Record,
) -> Option<Record> {
    let mut sent = recorded.sent.clone();
    let keys = |at: &ObjectHosts<'_>| at.sender.secret_inputs().map(hash_of).collect::<Vec<_>>();
    let (had, has) = (before.map(keys).unwrap_or_default(), keys(then));
    let is_in = |record: &Record, key: &FieldHash| record.fields.iter().any(|(f, w)| f.is_input() && w.hash == *key);
    for key in &had {
        match has.contains(key) {
            false => drop(sent.insert(*key, before.map_or(FieldHash::UNKNOWN, |at| of_hosts(&(at.hosts)())))),
            // A field that Stablekey wrote and that no writer declares any more.
            true if is_in(recorded, key) || sent.contains_key(key) => {
                sent.insert(*key, of_hosts(&(then.hosts)()));
            }
            true => {}
        }
    }
    // A secret that others removed or replaced was sent to the hosts of its object, as far as they are known.
    let of_before = |field: &Field<'_>| before.and_then(|at| at.sender.input(field));
    let inputs = || recorded.fields.iter().filter(|(field, _)| field.is_input());
    let is_kept = |field: &Field<'_>, wrote: &Wrote| record.wrote(field).is_some_and(|now| now.hash == wrote.hash);
    for (field, wrote) in inputs() {
        let key = wrote.hash;
        let now = [of_before(field), then.sender.input(field)];
        if is_kept(field, wrote) || had.contains(&key) || has.contains(&key) {
            continue;
        }
        let is_value = now.iter().flatten().any(|input| hash_of(input) == key);
        let is_secret = || {
            now.iter().flatten().any(|input| matches!(input, Input::SecretRef(_)))
                || types().is_secret(&field.name, &Input::value(""))
        };
        if is_value || !is_secret() {
            continue;
        }
        let types = types();
        let is_moved = |(field, wrote): (&Field<'_>, &Wrote)| {
            let now = of_before(field);
            types.is_endpoint(&field.name, now) && now.is_none_or(|now| hash_of(now) != wrote.hash)
        };
        let hosts = match before {
            Some(at) if !inputs().any(is_moved) => of_hosts(&(at.hosts)()),
            _ => FieldHash::UNKNOWN,
        };
        sent.entry(key).or_insert(hosts);
    }
    // The hosts of a secret among the fields follow from the fields.
    sent.retain(|key, _| !(has.contains(key) && is_in(record, key)));
    (sent != record.sent).then(|| Record { sent, ..record.clone() })
}

/// The data to keep for a deleted object: the hosts of the keys of Secrets that it refers to, or referred to in the
/// past.
pub(super) fn left_by(draft: &Draft<'_>, live: &Item, record: &Record) -> BTreeMap<FieldHash, FieldHash> {
    let mut left = record.sent.clone();
    if let Some(sender) = Sender::of_item(live) {
        let inventory = draft.input.live;
        let hosts = of_hosts(&Side::of(KnownTypes::of(draft), inventory, &BTreeSet::new()).hosts_of(sender));
        left.extend(sender.secret_inputs().map(|input| (hash_of(input), hosts)));
    }
    left
}

/// The previous hosts of secrets that join an object, according to the ownership records.
#[derive(Default)]
pub(super) struct SentBefore<'d> {
    /// Records of objects that are deleted or no longer refer to the secret, by the secret and one of their other
    /// inputs.
    by_endpoint: HashMap<(FieldHash, &'d str, FieldHash), Vec<&'d Record>>,
    /// The same records, by the secret only.
    named: HashMap<FieldHash, Vec<&'d Record>>,
    /// The secrets of deleted objects.
    gone: BTreeSet<FieldHash>,
    /// The hosts of secrets that are no longer among the fields of their objects.
    left: HashMap<FieldHash, BTreeSet<FieldHash>>,
}

impl<'d> SentBefore<'d> {
    pub(super) fn of(live: &'d Inventory, tenant: &str, joining: &BTreeSet<FieldHash>) -> Self {
        let mut before = SentBefore::default();
        if joining.is_empty() {
            return before;
        }
        let of_tenant = live.records.iter().filter(|(_, record)| record.tenant == tenant);
        for (id, record) in of_tenant {
            for (key, hosts) in record.sent.iter().filter(|(key, _)| joining.contains(key)) {
                before.left.entry(*key).or_default().insert(*hosts);
            }
            let named: BTreeSet<FieldHash> = record
                .fields
                .iter()
                .filter_map(|(field, wrote)| (field.is_input() && joining.contains(&wrote.hash)).then_some(wrote.hash))
                .collect();
            if named.is_empty() {
                continue;
            }
            // A live object shows what it refers to.
            let item = live.get(id);
            let names: Vec<FieldHash> =
                item.iter().filter_map(Sender::of_item).flat_map(Sender::secret_inputs).map(hash_of).collect();
            for secret in named.into_iter().filter(|secret| !names.contains(secret)) {
                before.named.entry(secret).or_default().push(record);
                before.gone.extend(item.is_none().then_some(secret));
                for (field, wrote) in record.fields.iter().filter(|(field, _)| field.is_input()) {
                    before.by_endpoint.entry((secret, field.name.as_ref(), wrote.hash)).or_default().push(record);
                }
            }
        }
        before
    }

    /// An object that sent a secret to another host, if no record shows that it was sent to this host as well.
    pub(super) fn elsewhere(
        &self,
        inputs: &Inputs<'_>,
        secret: &str,
        types: &Strictest<'_>,
        sent: &Sending<'_>,
    ) -> Option<&'static str> {
        if self.named.is_empty() && self.left.is_empty() {
            return None;
        }
        let key = hash_of(inputs.get(secret)?);
        let named = self.named.get(&key).map_or(&[][..], Vec::as_slice);
        // The records with one endpoint are few, those with a secret may be many.
        let endpoint = inputs.iter().find(|(name, input)| types.is_endpoint(name, Some(input)));
        let by_endpoint: &HashMap<(FieldHash, &str, FieldHash), Vec<&'d Record>> = &self.by_endpoint;
        let there = match endpoint {
            Some((name, input)) => by_endpoint.get(&(key, *name, hash_of(input))).map_or(&[][..], Vec::as_slice),
            None => named,
        };
        if there.iter().any(|record| sent_there(record, types, inputs, sent)) {
            return None;
        }
        match (named.is_empty(), self.left.get(&key)) {
            (_, Some(left)) if left.contains(&of_hosts(&(sent.hosts)())) => None,
            (false, _) if self.gone.contains(&key) => Some("an object that is gone sent elsewhere"),
            (false, _) | (true, Some(_)) => Some("an object that names it no longer sent elsewhere"),
            (true, None) => None,
        }
    }
}
