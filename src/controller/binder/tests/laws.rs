//! The laws, on random tenants: no secret appears outside the body of a write; the evaluation is a function of the
//! current objects, whatever happened before; and every object whose evaluation may change is affected.

use super::super::evaluate::working;
use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
enum Step {
    Connection {
        key: usize,
        credentials: usize,
        inputs: Vec<(usize, usize)>,
        test: Option<usize>,
        replaces: Vec<usize>,
        by_sync: bool,
        delete: bool,
    },
    Customer {
        name: usize,
        customer: usize,
        key: usize,
        inputs: Vec<(usize, usize)>,
    },
    Integration {
        name: usize,
        keys: Vec<usize>,
        by_sync: bool,
        definition: usize,
    },
    Definition {
        map: usize,
        readable: usize,
    },
    Component {
        name: usize,
        known: bool,
    },
    Source {
        name: usize,
        keys: usize,
        hosts: usize,
        expires: usize,
        data: Vec<usize>,
    },
    Foreign {
        key: usize,
    },
    Write {
        which: usize,
    },
    Gone {
        kind: usize,
        name: usize,
    },
    Invalid {
        key: usize,
    },
    SecretGone {
        name: usize,
    },
}

const KEYS_: [&str; 5] = ["crm", "crm_2", "CRM", "old", "slack"];
const INPUTS: [&str; 5] = ["baseUrl", "password", "note", "type", "accessToken"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let inputs = || prop::collection::vec((0..INPUTS.len(), 0..8usize), 0..4);
    // Mostly one key, so that the objects are related.
    let key = || prop_oneof![3 => Just(0), 2 => 0..KEYS_.len()];
    let step = prop_oneof![
        4 => (key(), 0..3usize, inputs(), prop::option::of(0..8usize), prop::collection::vec(key(), 0..2), any::<bool>(), any::<bool>())
            .prop_map(|(key, credentials, inputs, test, replaces, by_sync, delete)| Step::Connection { key, credentials, inputs, test, replaces, by_sync, delete }),
        3 => (0..3usize, 0..2usize, key(), inputs()).prop_map(|(name, customer, key, inputs)| Step::Customer { name, customer, key, inputs }),
        3 => (0..3usize, prop::collection::vec(key(), 0..3), any::<bool>(), 0..6usize)
            .prop_map(|(name, keys, by_sync, definition)| Step::Integration { name, keys, by_sync, definition }),
        2 => (0..2usize, 0..4usize).prop_map(|(map, readable)| Step::Definition { map, readable }),
        1 => (0..3usize, any::<bool>()).prop_map(|(name, known)| Step::Component { name, known }),
        3 => (0..2usize, 0..4usize, 0..4usize, 0..4usize, prop::collection::vec(0..2usize, 0..3))
            .prop_map(|(name, keys, hosts, expires, data)| Step::Source { name, keys, hosts, expires, data }),
        1 => key().prop_map(|key| Step::Foreign { key }),
        3 => (0..6usize).prop_map(|which| Step::Write { which }),
        2 => (0..4usize, 0..5usize).prop_map(|(kind, name)| Step::Gone { kind, name }),
        1 => key().prop_map(|key| Step::Invalid { key }),
        1 => (0..2usize).prop_map(|name| Step::SecretGone { name }),
    ];
    let begin = prop_oneof![2 => Just(well()), 1 => Just(vec![])];
    (begin, prop::collection::vec(step, 1..16)).prop_map(|(begin, more)| begin.into_iter().chain(more).collect())
}

/// A tenant in which everything is ready: random steps begin with it.
fn well() -> Vec<Step> {
    let (none, ours) = (vec![], vec![(0, 3), (1, 6)]);
    let crm = |credentials, inputs| Step::Connection {
        key: 0,
        credentials,
        inputs,
        test: None,
        replaces: vec![],
        by_sync: false,
        delete: false,
    };
    vec![
        Step::Source { name: 0, keys: 0, hosts: 0, expires: 0, data: vec![0, 1] },
        crm(1, ours),
        Step::Customer { name: 0, customer: 0, key: 0, inputs: vec![(0, 0)] },
        Step::Integration { name: 0, keys: vec![0], by_sync: false, definition: 3 },
        Step::Integration { name: 1, keys: vec![3, 1], by_sync: false, definition: 0 },
        Step::Definition { map: 0, readable: 0 },
        Step::Customer { name: 1, customer: 1, key: 3, inputs: none },
    ]
}

fn input(kind: usize) -> Value {
    match kind {
        0 => json!({"value": "https://login.example"}),
        1 => json!({"value": "https://evil.example"}),
        2 => json!({"value": CANARY}),
        3 | 4 => json!({"perCustomer": true}),
        5 => json!({"secretRef": {"name": "s0", "key": "k1"}}),
        _ => json!({"secretRef": {"name": format!("s{}", kind % 2), "key": "k0"}}),
    }
}

fn given(inputs: &[(usize, usize)]) -> Value {
    inputs.iter().map(|(name, kind)| (INPUTS[*name].to_string(), input(*kind))).collect()
}

impl Namespace {
    fn step(&mut self, step: &Step) -> Affected {
        match step {
            Step::Connection { key, credentials, inputs, test, replaces, by_sync, delete } => {
                let key = KEYS_[*key];
                let credentials = ["OrganizationGlobal", "OrganizationCustomer", "Customer"][*credentials];
                let mut spec = basic(key, credentials, given(inputs));
                spec["replaces"] = replaces.iter().map(|k| json!(KEYS_[*k])).collect();
                if let Some(test) = test {
                    spec["test"] = json!({"inputs": given(&[(*test % 3, *test)])});
                }
                if *delete {
                    spec["deletionPolicy"] = json!("Delete");
                }
                let record = by_sync.then_some("eu made replaces=0123456789abcdef@sync/s");
                self.put_recorded(Kind::Connection, &names::of_stable_key(key), spec, record)
            }
            Step::Customer { name, customer, key, inputs } => {
                let spec =
                    json!({"customer": format!("c{customer}"), "connection": KEYS_[*key], "inputs": given(inputs)});
                self.put(Kind::CustomerCredentials, &format!("cc{name}"), spec)
            }
            Step::Integration { name, keys, by_sync, definition } => {
                let variables: Vec<Value> = keys
                    .iter()
                    .enumerate()
                    .map(|(n, k)| json!({"name": format!("v{n}"), "stableKey": KEYS_[*k]}))
                    .collect();
                let record = by_sync.then_some("eu made connections.v0=0123456789abcdef@sync/s");
                let mut spec = json!({"connections": variables});
                match definition {
                    0 | 1 => {}
                    2 => spec["definition"] = json!({"file": "i.definition"}),
                    map => spec["definition"] = json!({"configMap": {"name": format!("m{}", map % 3)}}),
                }
                self.put_recorded(Kind::Integration, &format!("i{name}"), spec, record)
            }
            Step::Definition { map, readable } => {
                let config_map = format!("m{map}");
                self.change(match readable {
                    0 => CacheChange::Definition { config_map, readable: Readable::Yes },
                    1 => CacheChange::Definition { config_map, readable: Readable::Newer("version 9".into()) },
                    2 => CacheChange::Definition { config_map, readable: Readable::No("it is broken".into()) },
                    _ => CacheChange::DefinitionGone(config_map),
                })
            }
            Step::Component { name, known } => {
                // One name that is meant, and a misspelled one.
                let name = ["salesforce", "salesforse", "hubspot"][*name];
                let mut spec = component();
                spec["key"] = json!(name);
                if *known { self.put(Kind::Component, name, spec) } else { self.gone(Kind::Component, name) }
            }
            Step::Source { name, keys, hosts, expires, data } => {
                let mut annotations = json!({KEYS: (["*", "crm", "old, slack", ""][*keys])});
                for (annotation, text) in [
                    (HOSTS, ["", "login.example", "evil.example", "not a host"][*hosts]),
                    (EXPIRES, ["", "2026-06-09T00:00:00Z", "2026-05-09T00:00:00Z", "never"][*expires]),
                ] {
                    if !text.is_empty() {
                        annotations[annotation] = json!(text);
                    }
                }
                let data: Vec<(String, String)> =
                    data.iter().map(|k| (format!("k{k}"), format!("https://login.example/{CANARY}{k}"))).collect();
                let data: Vec<(&str, &str)> = data.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
                self.source(&format!("s{name}"), annotations, &data)
            }
            Step::Foreign { key } => {
                let name = format!("{}.binding", names::of_stable_key(KEYS_[*key]));
                self.secret(json!({"name": name, "uid": "x"}), "Opaque", &[("x", CANARY)])
            }
            Step::Write { which } => {
                let names: Vec<String> = self.cache.inventory.connections.keys().cloned().collect();
                let wanted = names.iter().flat_map(|name| self.connection(name).bindings);
                let customers = self.cache.inventory.customer_credentials.keys();
                let wanted = wanted.chain(customers.flat_map(|name| self.credentials(name).bindings));
                let wanted: Vec<DesiredSecret> = wanted.collect();
                match wanted.get(*which) {
                    Some(wanted) => self.write(wanted),
                    None => Affected::default(),
                }
            }
            Step::Gone { kind, name } => {
                let kind = [Kind::Connection, Kind::CustomerCredentials, Kind::Integration, Kind::Connection][*kind];
                let name = match kind {
                    Kind::Connection => names::of_stable_key(KEYS_[*name]),
                    Kind::CustomerCredentials => format!("cc{name}"),
                    _ => format!("i{name}"),
                };
                self.gone(kind, &name)
            }
            Step::Invalid { key } => {
                let id = ObjectId::new(Kind::Connection, names::of_stable_key(KEYS_[*key]));
                self.change(CacheChange::Invalid { id, why: "a field is missing".into() })
            }
            Step::SecretGone { name } => self.change(CacheChange::SecretGone(format!("s{name}"))),
        }
    }
}

/// The evaluations of all objects.
#[derive(Debug, Default, PartialEq)]
struct Found(BTreeMap<ObjectId, Option<Evaluated>>);

impl Found {
    /// Evaluates the affected objects like the reconciles do, connections first.
    fn evaluate(&mut self, cache: &mut TenantCache, affected: Affected) {
        let mut next: BTreeSet<ObjectId> = affected.objects().collect();
        // The order of kinds puts connections first.
        while let Some(id) = next.pop_first() {
            let evaluated = evaluate::evaluate(cache, &id, now());
            if id.kind == Kind::Connection {
                let found = match &evaluated {
                    Some(Evaluated::Connection(found)) => Some(found),
                    _ => None,
                };
                let more = affected::publish(cache, &id.name, found);
                assert!(more.connections.is_empty());
                next.extend(more.objects());
            }
            self.0.insert(id, evaluated);
        }
    }

    fn all(cache: &TenantCache) -> Self {
        let inventory = &cache.inventory;
        let of = |kind: Kind| move |name: &String| ObjectId::new(kind, name.as_str());
        let ids = (inventory.connections.keys().map(of(Kind::Connection)))
            .chain(inventory.invalid.keys().cloned())
            .chain(inventory.customer_credentials.keys().map(of(Kind::CustomerCredentials)))
            .chain(inventory.integrations.keys().map(of(Kind::Integration)));
        Found(ids.map(|id| (id.clone(), evaluate::evaluate(cache, &id, now()))).collect())
    }

    fn without_gone(mut self) -> Self {
        self.0.retain(|_, evaluated| evaluated.is_some());
        self
    }
}

proptest! {
    /// Evaluating only the affected objects gives the same result as evaluating all; and a cache that saw only the
    /// final state gives the same result as one that saw every step.
    #[test]
    fn every_changed_evaluation_is_affected(steps in steps()) {
        let (mut tenant, mut found) = (Namespace::new(), Found::default());
        for step in &steps {
            let affected = tenant.step(step);
            // The memoized results are the current ones.
            for (name, works) in tenant.cache.working.all() {
                let connection = tenant.cache.inventory.connections.get(&name);
                prop_assert_eq!(connection.map(|c| working::is_working(&tenant.cache, c)), Some(works), "{}", name);
            }
            found.evaluate(&mut tenant.cache, affected);
        }
        let all = Found::all(&tenant.cache);
        prop_assert_eq!(&found.without_gone(), &all);
        let mut fresh = TenantCache::new("eu", "ns", Salt::new([7; 32]));
        let TenantCache { inventory, sources, bindings, uids, definitions, .. } = tenant.cache;
        // In reverse, because the order must not matter.
        for item in inventory.items().collect::<Vec<_>>().into_iter().rev() {
            let id = item.id();
            affected::change(&mut fresh, CacheChange::There(ReadObject { item, uid: uids[&id].clone(), record: inventory.records.get(&id).cloned() }));
        }
        for (id, why) in inventory.invalid {
            affected::change(&mut fresh, CacheChange::Invalid { id, why });
        }
        for source in sources.into_values() {
            affected::change(&mut fresh, CacheChange::Secret(ObservedSecret::Source(source)));
        }
        for binding in bindings.into_values() {
            affected::change(&mut fresh, CacheChange::Secret(ObservedSecret::Binding(binding)));
        }
        for (config_map, readable) in definitions {
            affected::change(&mut fresh, CacheChange::Definition { config_map, readable });
        }
        prop_assert_eq!(&Found::all(&fresh), &all);
    }

    /// A canary value in every secret location appears in no byte that leaves the process, except where it belongs.
    #[test]
    fn no_evaluation_contains_a_secret(steps in steps()) {
        let mut tenant = Namespace::new();
        for step in &steps {
            let affected = tenant.step(step);
            let shown = format!("{affected:?}");
            prop_assert!(!shown.contains(CANARY));
        }
        let found = Found::all(&tenant.cache);
        let shown = format!("{found:?}{:?}{:?}", tenant.cache.sources, tenant.cache.bindings);
        prop_assert!(!shown.contains(CANARY) && !shown.contains(&base64(CANARY.as_bytes())));
        for (id, evaluated) in &found.0 {
            let Some(Evaluated::Connection(found)) = evaluated else { continue };
            let body = found.body(&id.name, &ConnectionStatus::default(), 1, &Time(now()));
            prop_assert!(!body.unwrap().to_string().contains(CANARY));
        }
    }

    /// A second evaluation writes nothing.
    #[test]
    fn a_second_evaluation_writes_nothing(steps in steps()) {
        let mut tenant = Namespace::new();
        for step in &steps {
            tenant.step(step);
        }
        tenant.settle();
        prop_assert_eq!(tenant.settle(), Vec::<String>::new());
    }
}
