//! Finds the changes of a tenant after which an existing secret would be sent to a new host, on any path: the actions of
//! a plan, which are marked, and what a commit changes by itself. The previous hosts are known from the state before and
//! the ownership records.

use super::customers;
use super::digest;
use super::draft::{Draft, SecretKey};
use super::senders::{KnownTypes, Sender, Side, named_by};
use super::sent_before::{
    ObjectHosts, Sending, SentBefore, is_written, made_again, remembered, sent_there, unrecorded,
};
use crate::api::*;
use crate::engine::model::canonical::FieldHash;
use crate::engine::model::code::Code;
use crate::engine::model::field::FieldValue;
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::{Item, ItemChange, ObjectId};
use crate::engine::model::plan::*;
use crate::engine::model::record::Record;
use crate::engine::redirect::{
    EACH_CUSTOMERS, Inputs, Strictest, goes_to, inputs_of, is_own_host, keys_of, listed, new_hosts, overlaid, with_test,
};
use crate::engine::resolve::{Replacements, resolve_variable};
use serde_json::Value;
use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

/// Marks drafted actions on connections and customer credentials.
pub(super) fn mark(draft: &mut Draft<'_>) {
    let (marks, records): (Vec<_>, Vec<_>) = {
        let senders = Senders::of(draft);
        let mark = |action| (senders.of_action(action), senders.is_unclear_halfway(action));
        draft.actions.iter().map(|action| (mark(action), senders.remembered(action))).unzip()
    };
    for (action, record) in draft.actions.iter_mut().zip(records).filter_map(|(a, record)| Some((a, record?))) {
        action.change.record = Some(Arc::new(record));
    }
    let input = draft.input;
    for (action, (why, is_unclear_halfway)) in draft.actions.iter_mut().zip(marks) {
        let Some(why) = why else {
            if is_unclear_halfway {
                // If the apply stops before it, the rest looks as if its secrets had gone there already.
                action.needs_approval.push(Approval { code: Code::CredentialRedirect, why: String::new() });
                action.change.resumptions.push(digest::of_action(action, &Value::Null));
                action.needs_approval.pop();
            }
            continue;
        };
        // The ownership record is written before the object: if the apply stops between the two, the rest looks
        // harmless.
        let unmarked = digest::of_action(action, &Value::Null);
        action.needs_approval.push(Approval { code: Code::CredentialRedirect, why });
        let recorded = input.live.record(input.tenant, &action.change.object).map(AsRef::as_ref);
        // The digest of a connection or of credentials depends on nothing else.
        action.digest = digest::of_action(action, &Value::Null);
        action.change.resumptions = digest::resumptions(action, recorded, &Value::Null);
        action.change.resumptions.extend((action.action == ActionKind::Create).then_some(unmarked));
        let keys = named_by(action.change.after.as_ref());
        draft.redirects.add(&action.id, keys);
    }
}

/// The keys of Secrets that an action starts or stops referring to: other objects with these keys influence its mark.
pub fn concerned_keys(action: &Action) -> BTreeSet<SecretKey> {
    let (before, after) = (named_by(action.change.before.as_ref()), named_by(action.change.after.as_ref()));
    match action.action {
        ActionKind::Adopt => BTreeSet::new(),
        _ => before.symmetric_difference(&after).cloned().collect(),
    }
}

/// Returns, for each object that differs between two states of a tenant, why it sends a secret that is there to a host
/// that it was not sent to before: the reasons for which an action of a plan is marked. Nobody carries a plan out.
pub fn between(tenant: &str, before: &Inventory, after: &Inventory, changes: &[ItemChange]) -> Vec<Option<Approval>> {
    let types = KnownTypes::between(tenant, before, after);
    let pairs = || changes.iter().map(|change| (change.before.as_ref(), change.after.as_ref()));
    let senders = Senders::between(types, &[], pairs());
    let replacements = OnceCell::new();
    let both = || replacements.get_or_init(|| [before, after].map(|inventory| Replacements::of(tenant, inventory)));
    let moves = |old: &Object<IntegrationSpec>, new: &Object<IntegrationSpec>| {
        let moved = |variable: &Variable| {
            let was = old.spec.connections.iter().find(|v| v.name == variable.name && *v != variable)?;
            let [were, are] = both();
            let from = resolve_variable(tenant, old.name(), was, before, were).connection().cloned()?;
            let to = resolve_variable(tenant, new.name(), variable, after, are).connection().cloned()?;
            let why = if from.name() == to.name() { None } else { moves_secret(types, &from.spec, &to.spec) };
            why.map(|why| format!("{:?}: {why}", variable.name))
        };
        let why: Vec<String> = new.spec.connections.iter().filter_map(moved).collect();
        (!why.is_empty()).then(|| why.join("; "))
    };
    let replacing = OnceCell::new();
    let by_older = || {
        replacing.get_or_init(|| {
            let mut by_older: HashMap<&str, Vec<&Object<ConnectionSpec>>> = HashMap::new();
            for connection in after.connections.values() {
                for older in &connection.spec.replaces {
                    by_older.entry(older).or_default().push(connection);
                }
            }
            by_older
        })
    };
    let goes = |gone: &Object<ConnectionSpec>| {
        let keys = served(gone).filter(|key| !senders.live.customers(key).is_empty());
        let newer = keys.filter_map(|key| by_older().get(key.as_str())).flatten().copied();
        resolves_instead(types, gone, newer)
    };
    let why = pairs().map(|(old, new)| match (old, new) {
        (Some(Item::Integration(old, _)), Some(Item::Integration(new, _))) => moves(old, new),
        (old, Some(new)) => senders.of_change(old, new),
        (Some(Item::Connection(gone)), None) => goes(gone),
        // Without it, nothing says which inputs of the connections that stay are endpoints.
        (Some(Item::Component(gone)), None) if after.connections.values().any(|c| is_of(c, gone.name())) => {
            senders.of_component(gone.name())
        }
        _ => None,
    });
    why.map(|why| Some(Approval { code: Code::CredentialRedirect, why: why? })).collect()
}

/// Whether a connection is of the component with this name.
fn is_of(connection: &Object<ConnectionSpec>, component: &str) -> bool {
    let of = &connection.spec.component;
    names::of_component(&of.key, of.is_public()) == component
}

/// The reason if a variable that moves between connections sends a secret of both to another host.
pub(super) fn of_binding(draft: &Draft<'_>, from: &ConnectionSpec, to: &ConnectionSpec) -> Option<String> {
    moves_secret(KnownTypes::of(draft), from, to)
}

fn moves_secret(known: KnownTypes<'_>, from: &ConnectionSpec, to: &ConnectionSpec) -> Option<String> {
    let of_to = known.strictest(to);
    let mut types = known.strictest(from).remembering(of_to.1);
    types.0.extend(of_to.0);
    let (before, after) = (inputs_of(from), inputs_of(to));
    let (had, has) = (keys_of(&before), keys_of(&after));
    let shared = has.iter().find(|(key, _)| had.contains_key(*key))?.1;
    let (known, hosts) = (goes_to(&types, &before, &from.component), goes_to(&types, &after, &to.component));
    let elsewhere = new_hosts(&hosts, &known);
    (!elsewhere.is_empty()).then(|| {
        let (from, to) = (&from.stable_key, &to.stable_key);
        format!("it moves from {from} to {to}, which sends {shared} to {}", listed(elsewhere))
    })
}

/// Marks the removal of a connection if another one then resolves its key.
pub(super) fn of_removal(draft: &Draft<'_>, live: &Item) -> Option<Approval> {
    let Item::Connection(gone) = live else { return None };
    let keys: Vec<&String> = served(gone).filter(|key| customers::is_any_of(draft, key)).collect();
    if keys.is_empty() {
        return None;
    }
    let newer = draft.after.connections.values().map(Arc::as_ref);
    let newer = newer.filter(|c| keys.iter().any(|key| c.spec.replaces.contains(key)));
    let why = resolves_instead(KnownTypes::of(draft), gone, newer)?;
    Some(Approval { code: Code::CredentialRedirect, why })
}

/// The keys under which customers may have given credentials for a connection.
fn served(connection: &Object<ConnectionSpec>) -> impl Iterator<Item = &String> {
    std::iter::once(&connection.spec.stable_key).chain(&connection.spec.replaces)
}

/// The reason if another connection then resolves a key of one that is removed: the credentials of its customers go to
/// the hosts of the other one from then on. `newer` replaces such a key.
fn resolves_instead<'d>(
    types: KnownTypes<'_>,
    gone: &Object<ConnectionSpec>,
    newer: impl Iterator<Item = &'d Object<ConnectionSpec>>,
) -> Option<String> {
    let stands_in = |c: &&Object<ConnectionSpec>| c.name() != gone.name() && c.spec.is_same_kind_as(&gone.spec);
    let newer = newer.filter(stands_in).min_by_key(|c| c.name())?;
    let hosts = |spec: &ConnectionSpec| goes_to(&types.strictest(spec), &inputs_of(spec), &spec.component);
    let (known, then) = (hosts(&gone.spec), hosts(&newer.spec));
    let new = new_hosts(&then, &known);
    (!new.is_empty())
        .then(|| format!("{} then serves its customers; their credentials would go to {}", newer.name(), listed(new)))
}

/// The senders of secrets in a tenant, before and after a change.
struct Senders<'d> {
    types: KnownTypes<'d>,
    /// What a plan notes about the objects.
    notes: &'d [Note],
    live: Side<'d>,
    declared: Side<'d>,
    sent_before: SentBefore<'d>,
}

impl<'d> Senders<'d> {
    fn of(draft: &'d Draft<'d>) -> Self {
        let actions = draft.actions.iter().filter(|action| action.action != ActionKind::Adopt);
        let changes = actions.map(|action| (action.change.before.as_ref(), action.change.after.as_ref()));
        Senders::between(KnownTypes::of(draft), &draft.notes, changes)
    }

    /// The senders before and after changes of some objects.
    fn between(
        types: KnownTypes<'d>,
        notes: &'d [Note],
        changes: impl Iterator<Item = (Option<&'d Item>, Option<&'d Item>)>,
    ) -> Self {
        let mut joining: BTreeSet<(&str, &str)> = BTreeSet::new();
        let mut hashes: BTreeSet<FieldHash> = BTreeSet::new();
        for (before, then) in changes {
            let Some(then) = then.and_then(Sender::of_item) else { continue };
            let had: BTreeSet<_> = before.and_then(Sender::of_item).into_iter().flat_map(Sender::keys).collect();
            for (key, input) in then.keys().zip(then.secret_inputs()).filter(|(key, _)| !had.contains(key)) {
                joining.insert(key);
                hashes.insert(FieldValue::Input(input).hash());
            }
        }
        let sent_before = SentBefore::of(types.before, types.tenant, &hashes);
        let side = |inventory| Side::of(types, inventory, &joining);
        Senders { types, notes, live: side(types.before), declared: side(types.after), sent_before }
    }

    /// The ownership record of an action, extended by the hosts of secrets and by endpoints according to its type;
    /// `None` if it has them already. This alone causes no action: values that were written before a type marked them,
    /// or by an older version, are remembered from their next write on.
    fn remembered(&self, action: &'d Action) -> Option<Record> {
        let record = action.change.record.as_deref()?;
        let then = action.change.after.as_ref().and_then(Sender::of_item)?;
        let of_keys = self.with_keys_that_left(action, then, record);
        let Sender::Connection(connection) = then else { return of_keys };
        let endpoints = self.types.strictest(&connection.spec).endpoints_by_type();
        let before = of_keys.as_ref().unwrap_or(record);
        if before.endpoints == endpoints {
            return of_keys;
        }
        Some(Record { endpoints, ..before.clone() })
    }

    /// The ownership record extended by the hosts of secrets.
    fn with_keys_that_left(&self, action: &'d Action, then: Sender<'d>, record: &Record) -> Option<Record> {
        let before = action.change.before.as_ref().and_then(Sender::of_item);
        let recorded = self.record_of(&action.change.object)?;
        let spec = || before.map_or_else(|| self.declared.spec_of(then), |before| self.live.spec_of(before));
        let types = || spec().map(|spec| self.types.strictest(spec)).unwrap_or_default();
        let hosts_then = || self.declared.hosts_of(then);
        let hosts_before = || before.map(|before| self.live.hosts_of(before)).unwrap_or_default();
        let before = before.map(|sender| ObjectHosts { sender, hosts: &hosts_before });
        remembered(before.as_ref(), &ObjectHosts { sender: then, hosts: &hosts_then }, &types, recorded, record)
    }

    fn of_action(&self, action: &'d Action) -> Option<String> {
        match action.action {
            ActionKind::Create | ActionKind::Update => {
                self.of_change(action.change.before.as_ref(), action.change.after.as_ref()?)
            }
            ActionKind::Adopt | ActionKind::Delete => None,
        }
    }

    /// Why an object that is created or changed sends a secret to a new host.
    fn of_change(&self, before: Option<&'d Item>, then: &'d Item) -> Option<String> {
        if let Item::Component(then) = then {
            return self.of_component(then.name());
        }
        let mut why = match (before.and_then(Sender::of_item), Sender::of_item(then)?) {
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

    /// Whether a created object would be marked if its ownership record existed but the object did not: the record does
    /// not contain all hosts of its secrets.
    fn is_unclear_halfway(&self, action: &'d Action) -> bool {
        let (ActionKind::Create, Some(record)) = (action.action, action.change.record.as_deref()) else { return false };
        match action.change.after.as_ref().and_then(Sender::of_item) {
            Some(Sender::Connection(then)) => {
                // After another new object with the same secret exists, this one is compared with it.
                let sender = Sender::Connection(then);
                let is_shared = sender.keys().any(|key| self.declared.is_named_by_others(key, sender));
                is_shared || self.connection_made_again(record, then).is_some()
            }
            Some(Sender::Credentials(then)) => {
                // After its connection is in sync, a host of this customer is beside secrets of the organization.
                let connection = self.declared.connection_of(then);
                let is_beside_ours = connection.is_some_and(|connection| {
                    let own = overlaid(Inputs::new(), &then.spec.inputs);
                    !keys_of(&inputs_of(&connection.spec)).is_empty()
                        && !self.types.strictest(&connection.spec).hosts(&own).is_empty()
                });
                is_beside_ours || self.credentials_made_again(record, then).is_some()
            }
            None => false,
        }
    }

    fn of_connection(
        &self,
        before: Option<&'d Object<ConnectionSpec>>,
        then: &'d Object<ConnectionSpec>,
    ) -> Vec<String> {
        let types = self.types.strictest(&then.spec);
        let (production, test) = (inputs_of(&then.spec), with_test(&then.spec));
        let mut why = Vec::new();
        match before {
            Some(before) => {
                let change = types.change(&inputs_of(&before.spec), &production);
                why.extend(change.clone().or_else(|| self.of_customers(&types, before, then)));
                let in_tests = types.change(&with_test(&before.spec), &test);
                // In tests, the endpoints that move are the same as in production.
                why.extend(in_tests.filter(|_| change.is_none()).map(|why| format!("in tests {why}")));
                if why.is_empty() {
                    why.extend(between_production_and_tests(&types, &before.spec, &then.spec));
                    why.extend(self.of_kept_endpoint(before, then, &types));
                }
            }
            None => {
                let record = self.record_of(&Sender::Connection(then).id());
                why.extend(record.and_then(|record| self.connection_made_again(record, then)));
                why.extend(self.of_waiting_customers(then, &types));
            }
        }
        if why.is_empty() {
            let had: Vec<_> = before.into_iter().flat_map(|before| Sender::Connection(before).keys()).collect();
            let of_others =
                |inputs| self.of_others(Sender::Connection(then), &types, inputs, &had, &then.spec.component);
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
        let connection = self.declared.connection_of(then);
        let types = connection.map(|c| self.types.strictest(&c.spec)).unwrap_or_default();
        let mut why = Vec::new();
        match before {
            // Changes of the connection itself are marked there.
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
        if why.is_empty()
            && let Some(connection) = connection
        {
            let had: Vec<_> = before.into_iter().flat_map(|before| Sender::Credentials(before).keys()).collect();
            why.extend(self.of_others(sender, &types, &after, &had, &connection.spec.component));
            why.extend(before.is_none().then(|| self.of_new_customer(then, connection, &types)).flatten());
        }
        why
    }

    /// A new customer with a host of their own, to which secrets of the organization would be sent.
    fn of_new_customer(
        &self,
        then: &'d Object<CustomerCredentialsSpec>,
        connection: &'d Object<ConnectionSpec>,
        types: &Strictest<'_>,
    ) -> Option<String> {
        let own: Inputs<'_> = overlaid(Inputs::new(), &then.spec.inputs);
        let hosts = types.hosts(&own);
        // The secrets of a new connection were not sent anywhere yet.
        let live = self.live.connection(&then.spec.connection).filter(|_| !hosts.is_empty())?;
        // A key is the same under any input name.
        let there: BTreeSet<(&str, &str)> = Sender::Connection(live).keys().collect();
        let is_ours = |(name, input): &(&String, &Input)| {
            let is_there = |key: &SecretRef| there.contains(&(key.name.as_str(), key.key.as_str()));
            matches!(input, Input::SecretRef(key) if is_there(key)) && !own.contains_key(name.as_str())
        };
        let ours: Vec<&str> = connection.spec.inputs.iter().filter(is_ours).map(|(name, _)| name.as_str()).collect();
        let mut known = self.live.hosts_of(Sender::Connection(live));
        known.extend(self.live.given(&then.spec.connection).iter().cloned());
        let new = new_hosts(&hosts, &known);
        (!ours.is_empty() && !new.is_empty()).then(|| {
            format!("{} of {} would go to {}, a host of this customer", ours.join(", "), connection.name(), listed(new))
        })
    }

    /// A type that no longer declares an input as an endpoint: its next change would not count as a redirect.
    fn of_component(&self, component: &str) -> Option<String> {
        let (live, after) = (self.types.before, self.types.after);
        let mut of_it = live.connections.values().filter(|c| is_of(c, component));
        of_it.find_map(|connection| {
            let of = |inventory: &'d Inventory| Strictest::of(inventory.types_of(&connection.spec).collect());
            let (before, now) = (of(live), of(after));
            let is_lost = |(input, value): &(&str, &Input)| {
                before.is_endpoint(input, Some(value)) && !now.is_endpoint(input, Some(value))
            };
            let inputs = with_test(&connection.spec);
            let keys = std::iter::once(&connection.spec.stable_key).chain(&connection.spec.replaces);
            let customers = keys.flat_map(|key| self.live.customers(key));
            let given = customers.flat_map(|c| c.spec.inputs.iter().map(|(name, input)| (name.as_str(), input)));
            let all = || inputs.iter().map(|(name, input)| (*name, *input)).chain(given.clone());
            // An input without a value could get one without approval.
            let marked = before.0.iter().flat_map(|type_| &type_.inputs).filter(|(_, input)| input.is_endpoint());
            let mut unset = marked.map(|(name, _)| name.as_str()).filter(|name| !inputs.contains_key(name));
            let lost = all().find(is_lost).map(|(lost, _)| lost);
            let lost = lost.or_else(|| unset.find(|name| !now.is_endpoint(name, None)))?;
            let secrets: Inputs<'_> = all().collect();
            let secrets = before.secrets(&secrets).into_iter().filter(|name| *name != lost).collect::<Vec<_>>();
            (!secrets.is_empty()).then(|| {
                let (key, secrets) = (&connection.spec.stable_key, secrets.join(", "));
                format!("its type says no longer that {lost} is where credentials go: {key} sends {secrets} there")
            })
        })
    }

    fn connection_made_again(&self, record: &Record, then: &'d Object<ConnectionSpec>) -> Option<String> {
        let types = self.types.strictest(&then.spec);
        let test = then.spec.test.as_ref().map(|_| with_test(&then.spec));
        let hosts = || self.declared.hosts_of(Sender::Connection(then));
        let sent = Sending { component: &then.spec.component, hosts: &hosts };
        made_again(record, &types, &inputs_of(&then.spec), test.as_ref(), &sent)
    }

    /// A secret that joins an endpoint that the target keeps: the declaration assumes another host.
    fn of_kept_endpoint(
        &self,
        before: &Object<ConnectionSpec>,
        then: &Object<ConnectionSpec>,
        types: &Strictest<'_>,
    ) -> Option<String> {
        let (had, has) = (inputs_of(&before.spec), inputs_of(&then.spec));
        let had = keys_of(&had);
        let joins: Vec<&str> =
            keys_of(&has).into_iter().filter(|(key, _)| !had.contains_key(key)).map(|(_, n)| n).collect();
        if joins.is_empty() {
            return None;
        }
        let id = ObjectId::new(Kind::Connection, then.name());
        let kept = self.notes.iter().find_map(|note| match note {
            Note::Kept { object, path, .. } if *object == id => match path.as_slice() {
                [inputs, name] if inputs == "inputs" => {
                    types.is_endpoint(name, has.get(name.as_str()).copied()).then_some(name)
                }
                _ => None,
            },
            _ => None,
        })?;
        let to = listed(&types.hosts(&has));
        let joins = joins.join(", ");
        Some(format!(
            "{joins} joins beside a {kept} of the target's own, which is another than declared; it would go to {to}"
        ))
    }

    /// A secret that only customers supply, while the connection's endpoints change.
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

    /// Credentials of customers for a key that does not resolve, so that their previous hosts are unknown, or that
    /// resolves to another connection until now.
    fn of_waiting_customers(&self, then: &Object<ConnectionSpec>, types: &Strictest<'_>) -> Option<String> {
        if self.live.customers(&then.spec.stable_key).is_empty() {
            // Invalid credentials may be for this key.
            let key = &then.spec.stable_key;
            let takes = then.spec.inputs.values().any(Input::is_per_customer) && self.live.named(key).is_none();
            let unread =
                self.unread(key).filter(|what| takes && what.starts_with(Kind::CustomerCredentials.as_str()))?;
            let to = listed(&goes_to(types, &inputs_of(&then.spec), &then.spec.component));
            return Some(format!("{unread} may be what a customer gave for it; that would go to {to}"));
        }
        let hosts = goes_to(types, &inputs_of(&then.spec), &then.spec.component);
        let current = self.live.connection(&then.spec.stable_key);
        let known = current.map(|current| self.live.hosts_of(Sender::Connection(current)));
        let is_recorded = self.record_of(&ObjectId::new(Kind::Connection, then.name())).is_some();
        // Hosts in the ownership record are compared with it.
        let is_unclear = current.is_some() || !is_recorded;
        let new = new_hosts(&hosts, known.as_ref().unwrap_or(&BTreeSet::new()));
        (is_unclear && !new.is_empty()).then(|| {
            let resolved_now = current.map(|current| format!(", and {} serves them until now", current.name()));
            let resolved_now = resolved_now.unwrap_or_default();
            format!("credentials of its customers are there already{resolved_now}; they would go to {}", listed(new))
        })
    }

    /// The reason for customer credentials that are created again; the endpoints of their connection count as theirs.
    fn credentials_made_again(&self, record: &Record, then: &'d Object<CustomerCredentialsSpec>) -> Option<String> {
        let connection = self.declared.connection_of(then);
        let types = connection.map(|c| self.types.strictest(&c.spec)).unwrap_or_default();
        let own = overlaid(Inputs::new(), &then.spec.inputs);
        let hosts = || self.declared.hosts_of(Sender::Credentials(then));
        let sent = Sending { component: &connection?.spec.component, hosts: &hosts };
        made_again(record, &types, &own, None, &sent).or_else(|| {
            let inherited = connection.map(|c| inputs_of(&c.spec)).unwrap_or_default();
            let inherited = inherited.into_iter().filter(|(name, _)| !own.contains_key(name)).collect();
            let is_known = types.hosts(&inherited).is_empty() || types.secrets(&own).is_empty();
            (is_written(record) && !is_known).then(|| unrecorded(&hosts()))
        })
    }

    /// The ownership record of a deleted object.
    fn record_of(&self, id: &ObjectId) -> Option<&'d Record> {
        self.types.before.record(self.types.tenant, id).map(Arc::as_ref)
    }

    /// A key of a Secret that joins while other objects refer to it: it would be sent to hosts that they do not send it
    /// to.
    fn of_others(
        &self,
        sender: Sender<'d>,
        types: &Strictest<'_>,
        inputs: &Inputs<'_>,
        had: &[(&str, &str)],
        component: &ComponentRef,
    ) -> Option<String> {
        let id = sender.id();
        // An endpoint of any object that sends the key is an endpoint here.
        let sides = [&self.live, &self.declared];
        let keys: Vec<_> = keys_of(inputs).into_keys().collect();
        let remembered = keys.iter().flat_map(|key| sides.map(|side| side.remembered_by_naming(*key)));
        let types = &types.clone().remembering(remembered.flat_map(|names| names.iter().copied().collect::<Vec<_>>()));
        let hosts = OnceCell::new();
        // Inputs that customers inherit join with their connection.
        let own: BTreeSet<_> = sender.keys().collect();
        let joins = |(key, _): &((&str, &str), &str)| own.contains(key) && !had.contains(key);
        for (key, name) in keys_of(inputs).into_iter().filter(joins) {
            let (secret, of_it) = key;
            let sent = |side: &Side<'d>| match side.is_named_by_others(key, sender) {
                true => side.sent(key),
                false => Rc::default(),
            };
            let live = sent(&self.live);
            let theirs = live.other(&id).map(|other| (other, &live));
            // A new object does not vouch for a host that an ownership record contradicts.
            let to_hosts = || self.declared.hosts_of(sender);
            let sending = Sending { component, hosts: &to_hosts };
            let here = || hosts.get_or_init(|| goes_to(types, inputs, component));
            let before = || self.sent_before.elsewhere(inputs, name, types, &sending);
            if let (None, Some(who)) = (&theirs, theirs.is_none().then(before).flatten()) {
                let to = listed(here());
                return Some(format!("{name} names {of_it} of Secret {secret}, which {who}; here it goes to {to}"));
            }
            if let (None, Some(unread)) = (&theirs, self.unread(secret)) {
                let to = listed(here());
                return Some(format!(
                    "{name} names {of_it} of Secret {secret}, which {unread} may send elsewhere; here it goes to {to}"
                ));
            }
            let declared = sent(&self.declared);
            // A new object without a known host cannot be compared with.
            let is_known =
                || declared.hosts(&id).any(|host| !is_own_host(host)) && here().iter().any(|host| !is_own_host(host));
            let of_new = || declared.other(&id).filter(|_| is_known()).map(|other| (other, &declared));
            let Some((other, sent)) = theirs.or_else(of_new) else { continue };
            // The customers of another connection are different customers.
            let is_new = |host: &&String| {
                *host == endpoint::UNCLEAR || host.starts_with(EACH_CUSTOMERS) || !sent.goes(&id, host)
            };
            let new: Vec<&String> = here().iter().filter(is_new).collect();
            if !new.is_empty() {
                let known: BTreeSet<&String> =
                    sent.hosts(&id).filter(|host| !host.starts_with(EACH_CUSTOMERS)).collect();
                let (known, new) = (listed(known), listed(new));
                return Some(format!(
                    "{name} names {of_it} of Secret {secret}, which {other} sends to {known}; here it goes to {new}"
                ));
            }
        }
        None
    }

    /// An unusable item of the tenant whose text contains this word.
    fn unread(&self, word: &str) -> Option<&'d str> {
        let unread = self.types.before.unread.iter();
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let says = |text: &Arc<str>| text.split(|c| !is_of_name(c)).any(|part| part == word);
        let mut may = unread.filter(|(_, text)| text.as_ref().is_none_or(says));
        may.next().map(|(what, _)| what.as_str())
    }

    /// An older key that starts to resolve: its bindings, and the credentials of its customers, go to the hosts of the
    /// newer connection.
    fn of_replaces(
        &self,
        before: Option<&Object<ConnectionSpec>>,
        then: &Object<ConnectionSpec>,
        types: &Strictest<'_>,
    ) -> Option<String> {
        let had = before.map(|before| before.spec.replaces.as_slice()).unwrap_or_default();
        if then.spec.replaces.is_empty() {
            return None;
        }
        let inputs = inputs_of(&then.spec);
        let hosts = goes_to(types, &inputs, &then.spec.component);
        for older in then.spec.replaces.iter().filter(|older| !had.contains(older)) {
            let customers = self.live.customers(older);
            // The older connection may be created in the same plan, and before this one.
            let current = self.live.connection(older);
            let current = current.or_else(|| self.declared.named(older));
            match current.filter(|current| current.name() != then.name()) {
                Some(current) if current.spec.is_same_kind_as(&then.spec) => {
                    let known = self.live.hosts_of(Sender::Connection(current));
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
                    let to_hosts = || hosts.clone();
                    let sending = Sending { component: &then.spec.component, hosts: &to_hosts };
                    if !record.is_some_and(|record| sent_there(record, types, &inputs, &sending)) {
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

/// The reason if a secret that only production, or only tests, used goes to the hosts of the other as well.
fn between_production_and_tests(
    types: &Strictest<'_>,
    before: &ConnectionSpec,
    then: &ConnectionSpec,
) -> Option<String> {
    let of = |spec| [inputs_of(spec), with_test(spec)];
    let had = of(before).map(|inputs| (keys_of(&inputs).into_keys().collect::<BTreeSet<_>>(), inputs));
    of(then).iter().zip(["", "in tests "]).find_map(|(inputs, location)| {
        let hosts = goes_to(types, inputs, &then.component);
        keys_of(inputs).into_iter().find_map(|(key, name)| {
            let with_it = || had.iter().filter(|(keys, _)| keys.contains(&key)).map(|(_, inputs)| inputs);
            // The same endpoints are not new, whatever host they name.
            if with_it().next().is_none() || with_it().any(|had| types.moved(had, inputs).is_empty()) {
                return None;
            }
            let known = with_it().flat_map(|inputs| goes_to(types, inputs, &before.component)).collect();
            let new = new_hosts(&hosts, &known);
            let (known, is_new) = (listed(known.iter()), !new.is_empty());
            is_new.then(|| format!("{location}{name}, which goes to {known}, goes to {}", listed(new)))
        })
    })
}
