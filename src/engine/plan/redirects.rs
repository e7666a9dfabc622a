//! Marks the actions of a tenant after which a secret that is there would be sent to a host that it was not sent to
//! before, by whatever path. What was sent where before is known from what is live and what is recorded.

use super::digest;
use super::model::*;
use super::tenant::Draft;
use crate::api::*;
use crate::engine::canonical::FieldHash;
use crate::engine::code::Code;
use crate::engine::field::{Field, FieldKind, FieldValue};
use crate::engine::item::{Item, ObjectId};
use crate::engine::record::Record;
use crate::engine::redirect::{EACH_CUSTOMERS, Inputs, Strictest, inputs_of, keys_of, new_hosts, overlaid, with_test};
use crate::engine::world::Inventory;
use serde_json::Value;
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

/// A key of a Secret: the Secret's name, and the key in it.
pub(super) type SecretKey = (String, String);

/// Marks what was drafted of connections and customer credentials. What would take away the evidence, because it
/// ends that a secret is named, comes after.
pub(super) fn mark(draft: &mut Draft<'_>) {
    let marks: Vec<(Option<String>, bool)> = {
        let senders = Senders::of(draft);
        let of_action = |action| (senders.of_action(action), senders.is_unclear_halfway(action));
        draft.actions.iter().map(of_action).collect()
    };
    let input = draft.input;
    for (action, (why, is_unclear_halfway)) in draft.actions.iter_mut().zip(marks) {
        let Some(why) = why else {
            if is_unclear_halfway {
                // Cut off there, the rest looks as if its secrets had gone somewhere.
                action.needs_approval.push(Approval { code: Code::CredentialRedirect, why: String::new() });
                action.change.resumptions.push(digest::of_action(action, &Value::Null));
                action.needs_approval.pop();
            }
            continue;
        };
        // The record comes before what is created: cut off between the two, the rest looks harmless.
        let unmarked = digest::of_action(action, &Value::Null);
        action.needs_approval.push(Approval { code: Code::CredentialRedirect, why });
        let recorded = input.live.record(input.tenant, &action.change.object).map(AsRef::as_ref);
        // Nothing else decides what a connection or credentials are.
        action.digest = digest::of_action(action, &Value::Null);
        action.change.resumptions = digest::resumptions(action, recorded, &Value::Null);
        action.change.resumptions.extend((action.action == ActionKind::Create).then_some(unmarked));
        let keys = named_by(action.change.after.as_ref());
        draft.redirects.push((action.id.clone(), keys));
    }
    let redirects = &draft.redirects;
    for action in draft.actions.iter_mut().filter(|_| !redirects.is_empty()) {
        let kept = named_by(action.change.after.as_ref());
        let ended: BTreeSet<SecretKey> =
            named_by(action.change.before.as_ref()).into_iter().filter(|key| !kept.contains(key)).collect();
        let waits = waits_for(redirects, &ended).filter(|id| **id != action.id);
        let waits: Vec<String> = waits.cloned().collect();
        action.after.extend(waits);
    }
}

/// The marked actions that name one of these keys: what ends that others name it would make them look harmless.
pub(super) fn waits_for<'r>(
    redirects: &'r [(String, BTreeSet<SecretKey>)],
    ended: &BTreeSet<SecretKey>,
) -> impl Iterator<Item = &'r String> {
    redirects.iter().filter(|(_, keys)| !keys.is_disjoint(ended)).map(|(id, _)| id)
}

/// The keys of Secrets that an object names.
pub(super) fn named_by(item: Option<&Item>) -> BTreeSet<SecretKey> {
    let keys = item.and_then(Sender::of_item).into_iter().flat_map(Sender::keys);
    keys.map(|(secret, key)| (secret.to_string(), key.to_string())).collect()
}

/// The keys of Secrets that an action begins or ends to name: who else names them decides about it.
pub fn concerned_keys(action: &Action) -> BTreeSet<SecretKey> {
    let (before, after) = (named_by(action.change.before.as_ref()), named_by(action.change.after.as_ref()));
    match action.action {
        ActionKind::Adopt => BTreeSet::new(),
        _ => before.symmetric_difference(&after).cloned().collect(),
    }
}

/// Why a variable that moves from one connection to another sends a secret of both elsewhere.
pub(super) fn of_binding(draft: &Draft<'_>, from: &ConnectionSpec, to: &ConnectionSpec) -> Option<String> {
    let types = Strictest(strictest(draft, from).0.into_iter().chain(strictest(draft, to).0).collect());
    let (before, after) = (inputs_of(from), inputs_of(to));
    let (had, has) = (keys_of(&before), keys_of(&after));
    let shared = has.iter().find(|(key, _)| had.contains_key(*key))?.1;
    let (known, hosts) = (types.hosts(&before), types.hosts(&after));
    let elsewhere = new_hosts(&hosts, &known);
    (!elsewhere.is_empty()).then(|| {
        let (from, to) = (&from.stable_key, &to.stable_key);
        format!("it moves from {from} to {to}, which sends {shared} to {}", listed(elsewhere))
    })
}

/// All that a connection's type may be: in the tenant before and after, and in what it copies.
pub(super) fn strictest<'d>(draft: &'d Draft<'_>, spec: &ConnectionSpec) -> Strictest<'d> {
    let known = draft.input.upstream.values().chain([draft.input.live, &draft.after]);
    let mut types: Vec<&ConnectionType> = known.flat_map(|inventory| inventory.types_of(spec)).collect();
    types.dedup_by(|a, b| std::ptr::eq(*a, *b));
    Strictest(types)
}

/// An object whose inputs are sent together.
#[derive(Clone, Copy)]
enum Sender<'d> {
    Connection(&'d Object<ConnectionSpec>),
    Credentials(&'d Object<CustomerCredentialsSpec>),
}

impl<'d> Sender<'d> {
    fn of_item(item: &'d Item) -> Option<Self> {
        match item {
            Item::Connection(c) => Some(Sender::Connection(c)),
            Item::CustomerCredentials(c) => Some(Sender::Credentials(c)),
            Item::Component(_) | Item::Integration(..) => None,
        }
    }

    fn id(self) -> ObjectId {
        match self {
            Sender::Connection(c) => ObjectId::new(Kind::Connection, c.name()),
            Sender::Credentials(c) => ObjectId::new(Kind::CustomerCredentials, c.name()),
        }
    }

    /// The keys of Secrets that it names, in production and in tests.
    fn keys(self) -> impl Iterator<Item = (&'d str, &'d str)> {
        let (inputs, test) = match self {
            Sender::Connection(c) => (&c.spec.inputs, c.spec.test.as_ref()),
            Sender::Credentials(c) => (&c.spec.inputs, None),
        };
        let test = test.into_iter().flat_map(|test| test.inputs.values());
        inputs.values().chain(test).filter_map(key_of)
    }
}

fn key_of(input: &Input) -> Option<(&str, &str)> {
    match input {
        Input::SecretRef(secret) => Some((&secret.name, &secret.key)),
        Input::Value(_) | Input::PerCustomer(_) => None,
    }
}

/// A tenant as it is, or as it will be.
struct Side<'d> {
    inventory: &'d Inventory,
    /// Who names a key of a Secret that joins something.
    naming: HashMap<(&'d str, &'d str), Vec<Sender<'d>>>,
    /// What each key is sent to, once that is asked.
    sent: RefCell<HashMap<SecretKey, Rc<Sent>>>,
    /// Connections by the older keys that they replace.
    replacing: OnceCell<HashMap<&'d str, &'d Object<ConnectionSpec>>>,
    /// Customer credentials by the key that they are for.
    customers: OnceCell<HashMap<&'d str, Vec<&'d Object<CustomerCredentialsSpec>>>>,
}

/// Where the objects of a side send a key of a Secret.
#[derive(Default)]
struct Sent {
    members: HashMap<ObjectId, BTreeSet<String>>,
    /// The first two by name: one of them is another than any.
    first_two: Vec<ObjectId>,
    /// How many of them send it to each host.
    hosts: HashMap<String, usize>,
}

impl Sent {
    /// The first other object that names the key, and where the others send it.
    fn by_others(&self, own: &ObjectId) -> Option<(&ObjectId, BTreeSet<String>)> {
        let mine = self.members.get(own);
        let first = self.first_two.iter().find(|id| *id != own)?;
        let is_theirs =
            |(host, count): &(&String, &usize)| **count > usize::from(mine.is_some_and(|m| m.contains(*host)));
        Some((first, self.hosts.iter().filter(is_theirs).map(|(host, _)| host.clone()).collect()))
    }
}

impl<'d> Side<'d> {
    fn of(inventory: &'d Inventory, joining: &BTreeSet<(&str, &str)>) -> Self {
        let mut naming: HashMap<_, Vec<Sender<'d>>> = HashMap::new();
        // Most plans have no secret join anything: then who else names it is nobody's business.
        if !joining.is_empty() {
            let connections = inventory.connections.values().map(|c| Sender::Connection(c));
            let credentials = inventory.customer_credentials.values().map(|c| Sender::Credentials(c));
            for sender in connections.chain(credentials) {
                for key in sender.keys().filter(|key| joining.contains(key)) {
                    naming.entry(key).or_default().push(sender);
                }
            }
        }
        let (replacing, customers) = (OnceCell::new(), OnceCell::new());
        Side { inventory, naming, sent: RefCell::default(), replacing, customers }
    }

    /// The connection that a stable key means.
    fn connection(&self, key: &str) -> Option<&'d Object<ConnectionSpec>> {
        let replacing = || {
            self.replacing.get_or_init(|| {
                let older = |c: &'d Arc<Object<ConnectionSpec>>| {
                    c.spec.replaces.iter().map(move |key| (key.as_str(), c.as_ref()))
                };
                self.inventory.connections.values().flat_map(older).collect()
            })
        };
        self.inventory.connection(key).map(Arc::as_ref).or_else(|| replacing().get(key).copied())
    }

    /// The credentials that customers gave for exactly this key.
    fn customers(&self, key: &str) -> &[&'d Object<CustomerCredentialsSpec>] {
        let all = self.customers.get_or_init(|| {
            let mut by_key: HashMap<&str, Vec<_>> = HashMap::new();
            for credentials in self.inventory.customer_credentials.values() {
                by_key.entry(credentials.spec.connection.as_str()).or_default().push(credentials.as_ref());
            }
            by_key
        });
        all.get(key).map_or(&[], Vec::as_slice)
    }

    /// What an object sends in production.
    fn inputs(&self, sender: Sender<'d>) -> Inputs<'d> {
        match sender {
            Sender::Connection(c) => inputs_of(&c.spec),
            Sender::Credentials(c) => {
                let connection = self.connection(&c.spec.connection).map(|c| inputs_of(&c.spec));
                overlaid(connection.unwrap_or_default(), &c.spec.inputs)
            }
        }
    }
}

/// What sends which secrets where in a tenant, before and after.
struct Senders<'d> {
    draft: &'d Draft<'d>,
    live: Side<'d>,
    declared: Side<'d>,
    /// Records of objects that are gone, by the hashes of what their inputs were.
    gone: HashMap<FieldHash, Vec<&'d Record>>,
}

impl<'d> Senders<'d> {
    fn of(draft: &'d Draft<'d>) -> Self {
        let (live, after) = (draft.input.live.as_ref(), draft.after.as_ref());
        let mut joining: BTreeSet<(&str, &str)> = BTreeSet::new();
        for action in draft.actions.iter().filter(|action| action.action != ActionKind::Adopt) {
            let Some(then) = action.change.after.as_ref().and_then(Sender::of_item) else { continue };
            let before = action.change.before.as_ref().and_then(Sender::of_item);
            let had: Vec<_> = before.into_iter().flat_map(Sender::keys).collect();
            joining.extend(then.keys().filter(|key| !had.contains(key)));
        }
        let mut gone: HashMap<_, Vec<&Record>> = HashMap::new();
        if !joining.is_empty() {
            let is_gone =
                |(id, record): &(&ObjectId, &Arc<Record>)| record.tenant == draft.input.tenant && !live.has(id);
            for (_, record) in live.records.iter().filter(is_gone) {
                for (_, wrote) in record.fields.iter().filter(|(field, _)| field.is_input()) {
                    gone.entry(wrote.hash).or_default().push(record);
                }
            }
        }
        Senders { draft, live: Side::of(live, &joining), declared: Side::of(after, &joining), gone }
    }

    fn of_action(&self, action: &'d Action) -> Option<String> {
        if !matches!(action.action, ActionKind::Create | ActionKind::Update) {
            return None;
        }
        let before = action.change.before.as_ref().and_then(Sender::of_item);
        let mut why = match (before, action.change.after.as_ref().and_then(Sender::of_item)?) {
            (before, Sender::Connection(then)) => {
                let before = if let Some(Sender::Connection(before)) = before { Some(before) } else { None };
                self.of_connection(before, then)
            }
            (before, Sender::Credentials(then)) => {
                let before = if let Some(Sender::Credentials(before)) = before { Some(before) } else { None };
                self.of_credentials(before, then)
            }
        };
        why.dedup();
        (!why.is_empty()).then(|| why.join("; "))
    }

    /// Whether what is created would be marked once its record is there and it is not: the record does not say all
    /// of where its secrets go.
    fn is_unclear_halfway(&self, action: &'d Action) -> bool {
        let (ActionKind::Create, Some(record)) = (action.action, action.change.record.as_deref()) else { return false };
        match action.change.after.as_ref().and_then(Sender::of_item) {
            Some(Sender::Connection(then)) => {
                let types = strictest(self.draft, &then.spec);
                made_again(record, &types, &inputs_of(&then.spec), &with_test(&then.spec)).is_some()
            }
            Some(Sender::Credentials(then)) => self.credentials_made_again(record, then).is_some(),
            None => false,
        }
    }

    fn of_connection(
        &self,
        before: Option<&'d Object<ConnectionSpec>>,
        then: &'d Object<ConnectionSpec>,
    ) -> Vec<String> {
        let types = strictest(self.draft, &then.spec);
        let (production, test) = (inputs_of(&then.spec), with_test(&then.spec));
        let mut why = Vec::new();
        match before {
            Some(before) => {
                let change = types.change(&inputs_of(&before.spec), &production);
                why.extend(change.clone().or_else(|| self.of_customers(&types, before, then)));
                let in_tests = types.change(&with_test(&before.spec), &test);
                // The same endpoints move in tests where production moves.
                why.extend(in_tests.filter(|_| change.is_none()).map(|why| format!("in tests {why}")));
            }
            None => {
                let record = self.record_of(&Sender::Connection(then).id());
                why.extend(record.and_then(|record| made_again(record, &types, &production, &test)));
                why.extend(self.of_waiting_customers(then, &types));
            }
        }
        if why.is_empty() {
            let had: Vec<_> = before.into_iter().flat_map(|before| Sender::Connection(before).keys()).collect();
            let of_others = |inputs| self.of_others(Sender::Connection(then), &types, inputs, &had);
            why.extend(of_others(&production).or_else(|| of_others(&test)));
        }
        why.extend(self.of_replaces(before, then, &types));
        why
    }

    fn of_credentials(
        &self,
        before: Option<&'d Object<CustomerCredentialsSpec>>,
        then: &'d Object<CustomerCredentialsSpec>,
    ) -> Vec<String> {
        let sender = Sender::Credentials(then);
        let after = self.declared.inputs(sender);
        let connection = self.declared.connection(&then.spec.connection);
        let types = connection.map(|c| strictest(self.draft, &c.spec)).unwrap_or_default();
        let mut why = Vec::new();
        match before {
            // What the connection itself changes is marked there.
            Some(before) => {
                let moves = before.spec.connection != then.spec.connection;
                let of_connection = || connection.map(|c| inputs_of(&c.spec)).unwrap_or_default();
                let sent = match moves {
                    true => self.live.inputs(Sender::Credentials(before)),
                    false => overlaid(of_connection(), &before.spec.inputs),
                };
                why.extend(types.change(&sent, &after));
            }
            None => {
                let record = self.record_of(&sender.id());
                why.extend(record.and_then(|record| self.credentials_made_again(record, then)));
            }
        }
        if why.is_empty() {
            let had: Vec<_> = before.into_iter().flat_map(|before| Sender::Credentials(before).keys()).collect();
            why.extend(self.of_others(sender, &types, &after, &had));
        }
        why
    }

    /// A secret that only customers give: the connection's endpoints move under it.
    fn of_customers(
        &self,
        types: &Strictest<'_>,
        before: &'d Object<ConnectionSpec>,
        then: &'d Object<ConnectionSpec>,
    ) -> Option<String> {
        let keys = std::iter::once(&then.spec.stable_key).chain(&then.spec.replaces);
        let mut customers = keys.flat_map(|key| self.live.customers(key));
        let over = |spec: &'d ConnectionSpec, theirs: &'d Object<CustomerCredentialsSpec>| {
            overlaid(inputs_of(spec), &theirs.spec.inputs)
        };
        customers.find_map(|theirs| types.change(&over(&before.spec, theirs), &over(&then.spec, theirs)))
    }

    /// Customers gave their credentials for a key that nothing answers, so that where those went is not known, or
    /// that another connection answers until now.
    fn of_waiting_customers(&self, then: &Object<ConnectionSpec>, types: &Strictest<'_>) -> Option<String> {
        let hosts = types.hosts(&inputs_of(&then.spec));
        if self.live.customers(&then.spec.stable_key).is_empty() || hosts.is_empty() {
            return None;
        }
        let answering = self.live.connection(&then.spec.stable_key);
        let known = answering.map(|answering| self.hosts_of(&self.live, Sender::Connection(answering)));
        let is_recorded = self.record_of(&ObjectId::new(Kind::Connection, then.name())).is_some();
        // What the record says is judged by it.
        let is_unclear = answering.is_some() || !is_recorded;
        let new = new_hosts(&hosts, known.as_ref().unwrap_or(&BTreeSet::new()));
        (is_unclear && !new.is_empty()).then(|| {
            let answered = answering.map(|answering| format!(", and {} answers them until now", answering.name()));
            let answered = answered.unwrap_or_default();
            format!("credentials of its customers are there already{answered}; they would go to {}", listed(new))
        })
    }

    /// The same of credentials, whose endpoints are their connection's too.
    fn credentials_made_again(&self, record: &Record, then: &'d Object<CustomerCredentialsSpec>) -> Option<String> {
        let connection = self.declared.connection(&then.spec.connection);
        let types = connection.map(|c| strictest(self.draft, &c.spec)).unwrap_or_default();
        let own = overlaid(Inputs::new(), &then.spec.inputs);
        made_again(record, &types, &own, &own).or_else(|| {
            let inherited = connection.map(|c| inputs_of(&c.spec)).unwrap_or_default();
            let inherited = inherited.into_iter().filter(|(name, _)| !own.contains_key(name)).collect();
            let is_known = types.hosts(&inherited).is_empty() || types.secrets(&own).is_empty();
            (is_written(record) && !is_known).then(|| UNRECORDED.to_string())
        })
    }

    /// What was written before somebody took the object away.
    fn record_of(&self, id: &ObjectId) -> Option<&'d Record> {
        self.draft.input.live.record(self.draft.input.tenant, id).map(Arc::as_ref)
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
            let (secret, of_it) = key;
            let live = self.sent(&self.live, key);
            let theirs = live.by_others(&id);
            // What is new too vouches for nothing that a record speaks against.
            if theirs.is_none() && self.was_sent_elsewhere(inputs, name, types) {
                return Some(format!(
                    "{name} names {of_it} of Secret {secret}, which an object that is gone sent elsewhere"
                ));
            }
            let declared = self.sent(&self.declared, key);
            // What is new too and sends it nowhere that is known is nothing to compare with.
            let theirs = theirs.or_else(|| declared.by_others(&id).filter(|(_, known)| !known.is_empty()));
            let Some((other, mut known)) = theirs else { continue };
            // The customers of another connection are others.
            known.retain(|host| !host.starts_with(EACH_CUSTOMERS));
            let new = new_hosts(&hosts, &known);
            if !new.is_empty() {
                let (known, new) = (listed(known.iter()), listed(new));
                return Some(format!(
                    "{name} names {of_it} of Secret {secret}, which {other} sends to {known}; here it goes to {new}"
                ));
            }
        }
        None
    }

    /// Where the objects of a side send a key.
    fn sent(&self, side: &Side<'d>, key: (&str, &str)) -> Rc<Sent> {
        let naming: &HashMap<(&str, &str), Vec<Sender<'d>>> = &side.naming;
        let Some(naming) = naming.get(&key) else { return Rc::default() };
        let key = (key.0.to_string(), key.1.to_string());
        if let Some(sent) = side.sent.borrow().get(&key) {
            return Rc::clone(sent);
        }
        let mut sent = Sent::default();
        for sender in naming {
            let hosts = self.hosts_of(side, *sender);
            hosts.iter().for_each(|host| *sent.hosts.entry(host.clone()).or_default() += 1);
            sent.members.insert(sender.id(), hosts);
        }
        let mut ids: Vec<&ObjectId> = sent.members.keys().collect();
        ids.sort_unstable();
        sent.first_two = ids.into_iter().take(2).cloned().collect();
        let sent = Rc::new(sent);
        side.sent.borrow_mut().insert(key, Rc::clone(&sent));
        sent
    }

    /// The hosts that an object sends its secrets to, in production and in tests.
    fn hosts_of(&self, side: &Side<'d>, sender: Sender<'d>) -> BTreeSet<String> {
        let spec = match sender {
            Sender::Connection(c) => Some(&c.spec),
            Sender::Credentials(c) => side.connection(&c.spec.connection).map(|c| &c.spec),
        };
        let types = spec.map(|spec| strictest(self.draft, spec)).unwrap_or_default();
        let mut hosts = types.hosts(&side.inputs(sender));
        if let Sender::Connection(c) = sender {
            hosts.extend(types.hosts(&with_test(&c.spec)));
        }
        hosts
    }

    /// Whether objects that are gone named the same secret, and none of them beside all of these endpoints.
    fn was_sent_elsewhere(&self, inputs: &Inputs<'_>, secret: &str, types: &Strictest<'_>) -> bool {
        let Some(input) = inputs.get(secret) else { return false };
        let named = self.gone.get(&FieldValue::Input(input).hash()).map_or(&[][..], Vec::as_slice);
        !named.is_empty() && !named.iter().any(|record| sent_there(record, types, inputs))
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
        if hosts.is_empty() {
            return None;
        }
        for older in then.spec.replaces.iter().filter(|older| !had.contains(older)) {
            let customers = self.live.customers(older);
            // One that is made beside it may be there first.
            let answering = self.live.connection(older);
            let answering = answering.or_else(|| self.declared.inventory.connection(older).map(Arc::as_ref));
            match answering.filter(|answering| answering.name() != then.name()) {
                Some(answering) if answering.spec.is_same_kind_as(&then.spec) => {
                    let known = self.hosts_of(&self.live, Sender::Connection(answering));
                    let new = new_hosts(&hosts, &known);
                    let sends = !types.secrets(&inputs).is_empty() || !customers.is_empty();
                    if sends && !new.is_empty() {
                        let (known, new) = (listed(known.iter()), listed(new));
                        return Some(format!(
                            "it replaces {older}, whose credentials go to {known}; what is bound to it goes to {new}"
                        ));
                    }
                }
                Some(_) => {}
                None if !customers.is_empty() => {
                    let record = self.record_of(&ObjectId::new(Kind::Connection, names::of_stable_key(older)));
                    if !record.is_some_and(|record| sent_there(record, types, &inputs)) {
                        return Some(format!(
                            "it replaces {older}, which is gone, and its customers' credentials go to {}",
                            listed(hosts.iter())
                        ));
                    }
                }
                None => {}
            }
        }
        None
    }
}

const UNRECORDED: &str = "it was made before and is gone, and where its secrets went is not recorded";

/// Whether a record says that something was written.
fn is_written(record: &Record) -> bool {
    record.made || !record.fields.is_empty()
}

/// What we wrote before somebody took the object away: its secrets were sent where the record says.
fn made_again(record: &Record, types: &Strictest<'_>, production: &Inputs<'_>, test: &Inputs<'_>) -> Option<String> {
    if !is_written(record) {
        return None;
    }
    if !record.fields.keys().any(Field::is_input) {
        let sends = !types.hosts(production).is_empty() && !types.secrets(production).is_empty();
        return sends.then(|| UNRECORDED.to_string());
    }
    let of_production = || moved_since(record, types, production, &[FieldKind::Input]);
    let of_test = || moved_since(record, types, test, &[FieldKind::TestInput, FieldKind::Input]);
    let (moved, secrets) = of_production().or_else(of_test)?;
    Some(format!("it is made again with another {moved} than was written before, and {secrets} goes there"))
}

/// Whether all of these endpoints are as a record says that they were.
fn sent_there(record: &Record, types: &Strictest<'_>, inputs: &Inputs<'_>) -> bool {
    let mut endpoints = inputs.iter().filter(|(name, input)| types.is_endpoint(name, Some(input)));
    endpoints.all(|(name, input)| is_as_recorded(record, name, input, &[FieldKind::Input, FieldKind::TestInput]))
}

fn is_as_recorded(record: &Record, name: &str, input: &Input, kinds: &[FieldKind]) -> bool {
    let wrote = kinds.iter().find_map(|kind| record.wrote(&Field::named(*kind, name)));
    wrote.is_some_and(|wrote| wrote.hash == FieldValue::Input(input).hash())
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

fn listed<'n>(names: impl IntoIterator<Item = &'n String>) -> String {
    const FEW: usize = 3;
    let names: Vec<&str> = names.into_iter().map(String::as_str).collect();
    match names.len().checked_sub(FEW).filter(|more| *more > 0) {
        _ if names.is_empty() => "no host".to_string(),
        None => names.join(", "),
        Some(more) => format!("{} and {more} more", names.get(..FEW).unwrap_or(&names).join(", ")),
    }
}
