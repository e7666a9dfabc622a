//! Marks the actions of a tenant after which a secret that is there would be sent to a host that it was not sent to
//! before, by whatever path. What was sent where before is known from what is live and what is recorded.

use super::digest;
use super::model::*;
use super::tenant::Draft;
use crate::api::*;
use crate::engine::code::Code;
use crate::engine::field::{Field, FieldKind, FieldValue};
use crate::engine::item::{Item, ObjectId};
use crate::engine::record::Record;
use crate::engine::redirect::{Inputs, Strictest, inputs_of, keys_of, overlaid};
use crate::engine::world::Inventory;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Marks what was drafted of connections and customer credentials.
pub(super) fn mark(draft: &mut Draft<'_>) {
    let writes = |action: &&Action| matches!(action.action, ActionKind::Create | ActionKind::Update);
    let sends =
        |action: &&Action| !matches!(action.change.after, None | Some(Item::Component(_) | Item::Integration(..)));
    if !draft.actions.iter().any(|action| writes(&action) && sends(&action)) {
        return;
    }
    let senders = Senders::of(draft);
    let marks: Vec<Option<String>> = draft
        .actions
        .iter()
        .map(|action| {
            let action = Some(action).filter(writes)?;
            let why = match (&action.change.before, action.change.after.as_ref()?) {
                (before, Item::Connection(then)) => {
                    let before = match before {
                        Some(Item::Connection(before)) => Some(before.as_ref()),
                        _ => None,
                    };
                    senders.of_connection(before, then)
                }
                (before, Item::CustomerCredentials(then)) => {
                    let before = match before {
                        Some(Item::CustomerCredentials(before)) => Some(before.as_ref()),
                        _ => None,
                    };
                    senders.of_credentials(before, then)
                }
                _ => Vec::new(),
            };
            (!why.is_empty()).then(|| why.join("; "))
        })
        .collect();
    let input = draft.input;
    for (action, why) in draft.actions.iter_mut().zip(marks) {
        let Some(why) = why else { continue };
        action.needs_approval.push(Approval { code: Code::CredentialRedirect, why });
        let recorded = input.live.record(input.tenant, &action.change.object).map(AsRef::as_ref);
        // Nothing else decides what a connection or credentials are.
        action.digest = digest::of_action(action, &Value::Null);
        action.change.resumptions = digest::resumptions(action, recorded, &Value::Null);
    }
}

/// Why a variable that moves from one connection to another sends a secret of both elsewhere.
pub(super) fn of_binding(draft: &Draft<'_>, from: &ConnectionSpec, to: &ConnectionSpec) -> Option<String> {
    let types = strictest(draft, from).0.into_iter().chain(strictest(draft, to).0).collect();
    let types = Strictest(types);
    let (before, after) = (inputs_of(from), inputs_of(to));
    let (had, has) = (keys_of(&before), keys_of(&after));
    let shared = has.iter().find(|(key, _)| had.contains_key(*key))?.1;
    let (old, new) = (types.hosts(&before), types.hosts(&after));
    let elsewhere: Vec<&String> = new.difference(&old).collect();
    (!elsewhere.is_empty()).then(|| {
        format!(
            "it moves from {} to {}, which sends {shared} to {}",
            from.stable_key,
            to.stable_key,
            listed(&elsewhere)
        )
    })
}

/// All that a connection's type may be: in the tenant before and after, and in what it copies.
fn strictest<'d>(draft: &'d Draft<'_>, spec: &ConnectionSpec) -> Strictest<'d> {
    let known = draft.input.upstream.values().chain([draft.input.live, &draft.after]);
    let mut types: Vec<&ConnectionType> = known.flat_map(|inventory| inventory.types_of(spec)).collect();
    types.dedup_by(|a, b| std::ptr::eq(*a, *b));
    Strictest(types)
}

/// Which objects of a tenant name which keys of Secrets, as it is and as it will be.
struct Senders<'d> {
    draft: &'d Draft<'d>,
    /// By name and key of a Secret: live and declared objects.
    live: HashMap<(&'d str, &'d str), Vec<Sender<'d>>>,
    declared: HashMap<(&'d str, &'d str), Vec<Sender<'d>>>,
    /// Records of objects that are gone.
    gone: Vec<&'d Record>,
}

/// An object whose inputs are sent together.
#[derive(Clone, Copy)]
enum Sender<'d> {
    Connection(&'d Object<ConnectionSpec>),
    Credentials(&'d Object<CustomerCredentialsSpec>),
}

impl<'d> Sender<'d> {
    fn id(self) -> ObjectId {
        match self {
            Sender::Connection(c) => ObjectId::new(Kind::Connection, c.name()),
            Sender::Credentials(c) => ObjectId::new(Kind::CustomerCredentials, c.name()),
        }
    }

    /// All that it may send, production and test together.
    fn inputs(self, inventory: &'d Inventory) -> Inputs<'d> {
        match self {
            Sender::Connection(c) => inputs_of(&c.spec),
            Sender::Credentials(c) => {
                let connection = meant(&c.spec.connection, inventory);
                overlaid(connection.map(|c| inputs_of(&c.spec)).unwrap_or_default(), &c.spec.inputs)
            }
        }
    }

    fn keys(self) -> Vec<(&'d str, &'d str)> {
        let keys = |inputs: &'d BTreeMap<String, Input>| inputs.values().filter_map(key_of).collect::<Vec<_>>();
        match self {
            Sender::Connection(c) => {
                let test = c.spec.test.iter().flat_map(|test| keys(&test.inputs));
                keys(&c.spec.inputs).into_iter().chain(test).collect()
            }
            Sender::Credentials(c) => keys(&c.spec.inputs),
        }
    }
}

fn key_of(input: &Input) -> Option<(&str, &str)> {
    match input {
        Input::SecretRef(secret) => Some((&secret.name, &secret.key)),
        Input::Value(_) | Input::PerCustomer(_) => None,
    }
}

/// The keys of Secrets that something begins to name.
fn joining<'d>(draft: &'d Draft<'d>) -> BTreeSet<(&'d str, &'d str)> {
    let sender = |item: &'d Option<Item>| match item {
        Some(Item::Connection(c)) => Some(Sender::Connection(c)),
        Some(Item::CustomerCredentials(c)) => Some(Sender::Credentials(c)),
        _ => None,
    };
    let mut joining = BTreeSet::new();
    for action in draft.actions.iter().filter(|action| action.action != ActionKind::Adopt) {
        let Some(after) = sender(&action.change.after) else { continue };
        let had = sender(&action.change.before).map(Sender::keys).unwrap_or_default();
        joining.extend(after.keys().into_iter().filter(|key| !had.contains(key)));
    }
    joining
}

/// The connection that a stable key means.
fn meant<'i>(key: &str, inventory: &'i Inventory) -> Option<&'i Object<ConnectionSpec>> {
    let replacing = || inventory.connections.values().find(|c| c.spec.replaces.iter().any(|older| older == key));
    inventory.connection(key).or_else(replacing).map(Arc::as_ref)
}

impl<'d> Senders<'d> {
    fn of(draft: &'d Draft<'d>) -> Self {
        let mut senders = Senders { draft, live: HashMap::new(), declared: HashMap::new(), gone: Vec::new() };
        let (live, after) = (draft.input.live.as_ref(), draft.after.as_ref());
        // Most plans have no secret join anything: then who else names it is nobody's business.
        let joining = joining(draft);
        if joining.is_empty() {
            return senders;
        }
        for (inventory, by_key) in [(live, &mut senders.live), (after, &mut senders.declared)] {
            let connections = inventory.connections.values().map(|c| Sender::Connection(c));
            let credentials = inventory.customer_credentials.values().map(|c| Sender::Credentials(c));
            for sender in connections.chain(credentials) {
                for key in sender.keys().into_iter().filter(|key| joining.contains(key)) {
                    by_key.entry(key).or_default().push(sender);
                }
            }
        }
        let is_gone = |(id, record): &(&ObjectId, &Arc<Record>)| {
            record.tenant == draft.input.tenant && !live.has(id) && !after.has(id)
        };
        senders.gone = live.records.iter().filter(is_gone).map(|(_, record)| record.as_ref()).collect();
        senders
    }

    fn of_connection(&self, before: Option<&Object<ConnectionSpec>>, then: &Object<ConnectionSpec>) -> Vec<String> {
        let types = strictest(self.draft, &then.spec);
        let after = inputs_of(&then.spec);
        let mut why = Vec::new();
        match before {
            Some(before) => {
                why.extend(types.change(&inputs_of(&before.spec), &after));
                why.extend(of_test(&types, &before.spec, &then.spec));
            }
            None => why.extend(self.made_again(Sender::Connection(then), &types, &after)),
        }
        if why.is_empty() {
            let had = before.map(|before| Sender::Connection(before).keys()).unwrap_or_default();
            let test = then.spec.test.as_ref().map(|test| overlaid(inputs_of(&then.spec), &test.inputs));
            for inputs in [Some(after), test].into_iter().flatten() {
                why.extend(self.of_others(Sender::Connection(then), &types, &inputs, &had));
            }
        }
        why.extend(self.of_replaces(before, then, &types));
        why.dedup();
        why
    }

    fn of_credentials(
        &self,
        before: Option<&Object<CustomerCredentialsSpec>>,
        then: &Object<CustomerCredentialsSpec>,
    ) -> Vec<String> {
        let after = Sender::Credentials(then).inputs(&self.draft.after);
        let connection = meant(&then.spec.connection, &self.draft.after);
        let types = connection.map(|c| strictest(self.draft, &c.spec)).unwrap_or_default();
        let mut why = Vec::new();
        match before {
            // What the connection itself changes is marked there.
            Some(before) => {
                let of_connection = connection.map(|c| inputs_of(&c.spec)).unwrap_or_default();
                why.extend(types.change(&overlaid(of_connection, &before.spec.inputs), &after));
            }
            None => why.extend(self.made_again(Sender::Credentials(then), &types, &after)),
        }
        if why.is_empty() {
            let had = before.map(|before| Sender::Credentials(before).keys()).unwrap_or_default();
            why.extend(self.of_others(Sender::Credentials(then), &types, &after, &had));
        }
        why
    }

    /// What we wrote before somebody took the object away: its secrets were sent where the record says.
    fn made_again(&self, sender: Sender<'_>, types: &Strictest<'_>, after: &Inputs<'_>) -> Option<String> {
        let input = self.draft.input;
        let record = input.live.record(input.tenant, &sender.id())?;
        let secrets = types.secrets(after);
        let wrote = |name: &str| record.wrote(&Field::named(FieldKind::Input, name)).map(|wrote| wrote.hash);
        let moved = |(name, input): &(&&str, &&Input)| {
            types.is_endpoint(name, Some(input)) && wrote(name) != Some(FieldValue::Input(input).hash())
        };
        let mut moved: BTreeSet<&str> = after.iter().filter(moved).map(|(name, _)| *name).collect();
        let recorded = record.fields.keys().filter(|field| field.kind == FieldKind::Input).map(|field| &field.name);
        let gone = recorded.map(AsRef::as_ref).filter(|name: &&str| !after.contains_key(name));
        moved.extend(gone.filter(|name| types.is_endpoint(name, None)));
        // Only what the record knows can be another than before; what it made and did not write is unknown.
        let is_known = record.made || !record.fields.is_empty();
        (is_known && !moved.is_empty() && !secrets.is_empty()).then(|| {
            let list = |names: &BTreeSet<&str>| names.iter().copied().collect::<Vec<_>>().join(", ");
            format!(
                "it is made again with another {} than was written before, and {} goes there",
                list(&moved),
                list(&secrets)
            )
        })
    }

    /// A key of a Secret that joins, and that others name: it would be sent where they do not send it.
    fn of_others(
        &self,
        sender: Sender<'_>,
        types: &Strictest<'_>,
        inputs: &Inputs<'_>,
        had: &[(&str, &str)],
    ) -> Option<String> {
        let id = sender.id();
        let hosts = types.hosts(inputs);
        if hosts.is_empty() {
            return None;
        }
        for (key, name) in keys_of(inputs).into_iter().filter(|(key, _)| !had.contains(key)) {
            let others = |by_key: &HashMap<(&str, &str), Vec<Sender<'d>>>, inventory: &'d Inventory| {
                let others = by_key.get(&key).into_iter().flatten().filter(|other| other.id() != id);
                others.map(|other| (*other, inventory)).collect::<Vec<_>>()
            };
            let mut there = others(&self.live, self.draft.input.live);
            let is_live = !there.is_empty();
            if !is_live {
                there = others(&self.declared, &self.draft.after);
            }
            let known: BTreeSet<String> =
                there.iter().flat_map(|(other, inventory)| self.hosts_of(*other, inventory)).collect();
            if !is_live && known.is_empty() {
                // What is new too sends it nowhere that is known.
                there.clear();
            }
            let new: Vec<&String> = hosts.difference(&known).collect();
            if let (Some((other, _)), false) = (there.first(), new.is_empty()) {
                let (secret, key) = key;
                return Some(format!(
                    "{name} names {key} of Secret {secret}, which {} sends to {}; here it goes to {}",
                    other.id(),
                    listed(&known.iter().collect::<Vec<_>>()),
                    listed(&new)
                ));
            }
            if there.is_empty() && self.was_sent_elsewhere(inputs, name, types) {
                let (secret, key) = key;
                return Some(format!(
                    "{name} names {key} of Secret {secret}, which an object that is gone sent elsewhere"
                ));
            }
        }
        None
    }

    fn hosts_of(&self, sender: Sender<'d>, inventory: &'d Inventory) -> BTreeSet<String> {
        let spec = match sender {
            Sender::Connection(c) => Some(&c.spec),
            Sender::Credentials(c) => meant(&c.spec.connection, inventory).map(|c| &c.spec),
        };
        let types = spec.map(|spec| strictest(self.draft, spec)).unwrap_or_default();
        let mut hosts = types.hosts(&sender.inputs(inventory));
        if let Sender::Connection(Object { spec: ConnectionSpec { test: Some(test), .. }, .. }) = sender {
            hosts.extend(types.hosts(&overlaid(sender.inputs(inventory), &test.inputs)));
        }
        hosts
    }

    /// Whether an object that is gone named the same secret beside no endpoint of these.
    fn was_sent_elsewhere(&self, inputs: &Inputs<'_>, secret: &str, types: &Strictest<'_>) -> bool {
        let hash = |name: &str| inputs.get(name).map(|input| FieldValue::Input(input).hash());
        let of_inputs = |record: &'d Record| {
            let inputs = record.fields.iter().filter(|(field, _)| field.is_input());
            inputs.map(|(_, wrote)| wrote.hash).collect::<BTreeSet<_>>()
        };
        let mut named = self.gone.iter().map(|record| of_inputs(record));
        let endpoints: Vec<&str> =
            inputs.iter().filter(|(name, input)| types.is_endpoint(name, Some(input))).map(|(name, _)| *name).collect();
        named.any(|wrote| {
            let has = |name: &str| hash(name).is_some_and(|hash| wrote.contains(&hash));
            has(secret) && !endpoints.iter().any(|name| has(name))
        })
    }

    /// An older key that begins to be answered: what is bound to it, and what its customers gave, goes to the newer
    /// connection's hosts.
    fn of_replaces(
        &self,
        before: Option<&Object<ConnectionSpec>>,
        then: &Object<ConnectionSpec>,
        types: &Strictest<'_>,
    ) -> Option<String> {
        let had = before.map(|before| before.spec.replaces.as_slice()).unwrap_or_default();
        let inputs = inputs_of(&then.spec);
        let hosts = types.hosts(&inputs);
        if hosts.is_empty() || types.secrets(&inputs).is_empty() {
            return None;
        }
        for older in then.spec.replaces.iter().filter(|older| !had.contains(older)) {
            let live = self.draft.input.live.as_ref();
            let of_key = |c: &&Arc<Object<CustomerCredentialsSpec>>| c.spec.connection == *older;
            match meant(older, live).filter(|answering| answering.name() != then.name()) {
                Some(answering) if answering.spec.is_same_kind_as(&then.spec) => {
                    let known = self.hosts_of(Sender::Connection(answering), live);
                    let new: Vec<&String> = hosts.difference(&known).collect();
                    if !new.is_empty() {
                        let known = listed(&known.iter().collect::<Vec<_>>());
                        return Some(format!(
                            "it replaces {older}, whose credentials go to {known}; what is bound to it goes to {}",
                            listed(&new)
                        ));
                    }
                }
                Some(_) => {}
                None if live.customer_credentials.values().any(|c| of_key(&c)) => {
                    let record = live
                        .record(self.draft.input.tenant, &ObjectId::new(Kind::Connection, names::of_stable_key(older)));
                    let hash = |input: &Input| FieldValue::Input(input).hash();
                    let wrote = |input: &&Input| {
                        record.is_some_and(|record| record.fields.values().any(|wrote| wrote.hash == hash(input)))
                    };
                    let endpoints = inputs.iter().filter(|(name, input)| types.is_endpoint(name, Some(input)));
                    if !endpoints.into_iter().any(|(_, input)| wrote(input)) {
                        return Some(format!(
                            "it replaces {older}, which is gone, and its customers' credentials go to {}",
                            listed(&hosts.iter().collect::<Vec<_>>())
                        ));
                    }
                }
                None => {}
            }
        }
        None
    }
}

/// Test inputs over those of production: where these send secrets is known.
fn of_test(types: &Strictest<'_>, before: &ConnectionSpec, then: &ConnectionSpec) -> Option<String> {
    if before.test == then.test {
        return None;
    }
    fn whole(spec: &ConnectionSpec) -> Inputs<'_> {
        let inputs = inputs_of(spec);
        spec.test.as_ref().map_or(inputs.clone(), |test| overlaid(inputs, &test.inputs))
    }
    types.change(&whole(before), &whole(then)).map(|why| format!("in tests {why}"))
}

fn listed(names: &[&String]) -> String {
    const FEW: usize = 3;
    if names.is_empty() {
        return "no host".to_string();
    }
    let more = names.len().saturating_sub(FEW);
    let shown = names.iter().take(FEW).map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}
