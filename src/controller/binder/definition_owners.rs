//! The ConfigMaps with definitions: whether the definition can be read, and who owns the ConfigMap. A ConfigMap that
//! the syncer made is owned by the Integrations that name it, so that Kubernetes collects it with the last of them, or
//! once no Integration names it. A ConfigMap that people made is never owned, and owners that an older version wrote
//! are removed.

use super::cache::Readable;
use super::secret::MANAGER;
use super::secret::observed::{OwnedFields, RawMeta};
use crate::api::*;
use crate::kubernetes::budget::{Named, Weighs};
use crate::kubernetes::client::ApiRequest;
use crate::kubernetes::managed_fields::ForeignEntry;
use crate::kubernetes::object::is_after;
use crate::kubernetes::paths::Paths;
use crate::platform::definition;
use crate::tenant::cluster::body::to_bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tokio::time::Instant;

/// The uid of an owner that never existed: Kubernetes collects an object that has no other owner.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// A ConfigMap with a definition, without the definition's text.
#[derive(Debug)]
pub(super) struct DefinitionMap {
    pub name: String,
    pub readable: Readable,
    uid: String,
    pub revision: String,
    /// The uids of owners that Stablekey wrote.
    ours: BTreeSet<String>,
    /// Whether an object of somebody else owns it.
    is_others: bool,
    /// Whether the syncer wrote its content.
    is_made_by_us: bool,
}

impl Weighs for DefinitionMap {
    fn weight(&self) -> usize {
        const OBJECT: usize = 256;
        OBJECT
    }
}

impl Named for DefinitionMap {
    fn name(&self) -> &str {
        &self.name
    }
}

/// Returns whether the definition in a ConfigMap can be read.
fn readable(map: &crate::kubernetes::config_maps::ConfigMap) -> Readable {
    match map.definition().map(definition::uses) {
        None => Readable::No("it has no key definition".to_string()),
        Some(Err(error)) => Readable::No(error.to_string()),
        Some(Ok(uses)) => uses.unread.map_or(Readable::Yes, Readable::Newer),
    }
}

#[derive(Deserialize)]
struct RawConfigMap {
    metadata: RawMeta,
}

impl DefinitionMap {
    /// Parses the JSON of the API server; `None` if it is not a ConfigMap.
    pub(super) fn parse(json: &str) -> Option<Self> {
        let RawMeta { name, uid, resource_version: revision, owner_references, managed_fields, .. } =
            serde_json::from_str::<RawConfigMap>(json).ok()?.metadata;
        let ours = OwnedFields::of(&managed_fields).owners;
        let is_made_by_us = managed_fields.iter().any(is_the_syncers_content);
        let is_others = owner_references.iter().any(|owner| !ours.contains(&owner.uid));
        let readable = match serde_json::from_str(json) {
            Ok(map) => readable(&map),
            Err(_) => Readable::No("it is no ConfigMap that can be read".to_string()),
        };
        Some(DefinitionMap { name, readable, uid, revision, ours, is_others, is_made_by_us })
    }
}

/// Whether the syncer wrote the content of a ConfigMap.
fn is_the_syncers_content(entry: &ForeignEntry) -> bool {
    entry.is_by(crate::kubernetes::MANAGER)
        && ["data", "binaryData"].into_iter().any(|content| entry.holds(&[content, "definition"]))
}

/// What to do with the owners of a ConfigMap.
#[derive(Debug)]
pub(super) enum OwnersStep {
    Nothing,
    /// No Integration names it any more: wait until this time, then let Kubernetes collect it.
    Wait(Instant),
    /// Send this request.
    Write(ApiRequest),
}

/// All ConfigMaps with definitions, and the Integrations that name them.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    maps: BTreeMap<String, KnownDefinition>,
    /// By ConfigMap: the Integrations that name it, with their uids.
    named: HashMap<String, BTreeMap<String, String>>,
}

#[derive(Debug)]
struct KnownDefinition {
    map: DefinitionMap,
    /// When the last Integration stopped naming it.
    unnamed: Option<Instant>,
}

impl Definitions {
    /// Adds or replaces a ConfigMap; returns whether it changed.
    pub(super) fn put(&mut self, map: DefinitionMap) -> bool {
        let known = self.maps.get(&map.name);
        if known.is_some_and(|known| known.map.revision == map.revision || is_after(&known.map.revision, &map.revision))
        {
            return false;
        }
        let unnamed = known.and_then(|known| known.unnamed);
        self.maps.insert(map.name.clone(), KnownDefinition { map, unnamed });
        true
    }

    /// Removes a ConfigMap.
    pub(super) fn gone(&mut self, name: &str) {
        self.maps.remove(name);
    }

    /// Returns the names of all ConfigMaps.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.maps.keys()
    }

    /// Records that an Integration now names `is` instead of `was`; returns the ConfigMaps whose owners must be
    /// reconciled.
    pub(super) fn name(
        &mut self,
        integration: &str,
        uid: &str,
        was: Option<&str>,
        is: Option<&str>,
    ) -> BTreeSet<String> {
        if let Some(was) = was.filter(|was| Some(*was) != is)
            && let Some(naming) = self.named.get_mut(was)
        {
            naming.remove(integration);
            if naming.is_empty() {
                self.named.remove(was);
            }
        }
        if let Some(is) = is {
            self.named.entry(is.to_string()).or_default().insert(integration.to_string(), uid.to_string());
        }
        [was, is].into_iter().flatten().map(str::to_string).collect()
    }

    /// Returns what to do with the owners of a ConfigMap. `sure`: every Integration can be read, so an unnamed
    /// ConfigMap really is unnamed. `resync`: how long a ConfigMap must have been unnamed before it is collected.
    pub(super) fn step(
        &mut self,
        name: &str,
        paths: &Paths,
        sure: bool,
        resync: std::time::Duration,
        now: Instant,
    ) -> OwnersStep {
        let Some(known) = self.maps.get_mut(name) else { return OwnersStep::Nothing };
        let nobody = BTreeMap::new();
        if !known.map.is_made_by_us {
            let is_owned = !known.map.ours.is_empty();
            return if is_owned { write(&known.map, paths, &nobody) } else { OwnersStep::Nothing };
        }
        let naming = self.named.get(name).unwrap_or(&nobody);
        if !naming.is_empty() {
            known.unnamed = None;
            let wanted: BTreeSet<String> = naming.values().cloned().collect();
            return if wanted == known.map.ours { OwnersStep::Nothing } else { write(&known.map, paths, naming) };
        }
        // A ConfigMap that no Integration ever owned: its Integration may be written later, or a person manages it
        // manually.
        let was_ours = !known.map.ours.is_empty() && !known.map.ours.contains(NOBODY) && !known.map.is_others;
        if !was_ours || !sure {
            return OwnersStep::Nothing;
        }
        let then = *known.unnamed.get_or_insert(now) + resync;
        if now < then {
            OwnersStep::Wait(then)
        } else {
            write(&known.map, paths, &[(String::new(), NOBODY.into())].into())
        }
    }
}

fn write(map: &DefinitionMap, paths: &Paths, owners: &BTreeMap<String, String>) -> OwnersStep {
    let owner = |(name, uid): (&String, &String)| -> Value {
        let name = if name.is_empty() { map.name.as_str() } else { name };
        json!({"apiVersion": API_VERSION, "kind": Kind::Integration.as_str(), "name": name, "uid": uid})
    };
    let body = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": map.name, "uid": map.uid, "resourceVersion": map.revision,
            "ownerReferences": owners.iter().map(owner).collect::<Vec<_>>(),
        },
    });
    OwnersStep::Write(ApiRequest::apply_by(paths.config_map(&map.name), MANAGER, to_bytes(&body)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const REST: Duration = Duration::from_secs(600);

    fn map(owners: &[(&str, bool)], revision: &str) -> DefinitionMap {
        made_by("stablekey-syncer", owners, revision)
    }

    fn made_by(manager: &str, owners: &[(&str, bool)], revision: &str) -> DefinitionMap {
        let references: Vec<Value> =
            owners.iter().map(|(uid, _)| json!({"kind": "Integration", "name": "i", "uid": uid})).collect();
        let ours = owners.iter().filter(|(_, ours)| *ours);
        let fields: Value = ours.map(|(uid, _)| (format!("k:{}", json!({"uid": uid})), json!({}))).collect();
        let fields = json!({"f:metadata": {"f:ownerReferences": fields}});
        let metadata = json!({
            "name": "m", "uid": "u", "resourceVersion": revision, "ownerReferences": references,
            "managedFields": [
                {"manager": MANAGER, "operation": "Apply", "fieldsV1": fields},
                {"manager": manager, "operation": "Apply", "fieldsV1": {"f:data": {"f:definition": {}}}},
            ],
        });
        DefinitionMap::parse(&json!({"metadata": metadata}).to_string()).unwrap()
    }

    fn owners(step: &OwnersStep) -> Vec<String> {
        let OwnersStep::Write(request) = step else { panic!("{step:?}") };
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        body["metadata"]["ownerReferences"]
            .as_array()
            .unwrap()
            .iter()
            .map(|o| o["uid"].as_str().unwrap().into())
            .collect()
    }

    fn step(definitions: &mut Definitions, now: Instant) -> OwnersStep {
        definitions.step("m", &Paths::of("ns"), true, REST, now)
    }

    #[test]
    fn the_integrations_that_name_a_definition_own_it() {
        let (mut definitions, now) = (Definitions::default(), Instant::now());
        assert!(definitions.put(map(&[], "1")) && !definitions.put(map(&[], "1")));
        assert!(matches!(step(&mut definitions, now), OwnersStep::Nothing), "nobody names it yet");
        assert_eq!(definitions.name("a", "ua", None, Some("m")), ["m".to_string()].into());
        definitions.name("b", "ub", Some("other"), Some("m"));
        assert_eq!(owners(&step(&mut definitions, now)), ["ua", "ub"]);
        definitions.put(map(&[("ua", true), ("ub", true)], "2"));
        assert!(matches!(step(&mut definitions, now), OwnersStep::Nothing));
        definitions.name("b", "ub", Some("m"), Some("other"));
        assert_eq!(owners(&step(&mut definitions, now)), ["ua"]);
    }

    #[test]
    fn an_unnamed_definition_is_collected_after_a_while() {
        let (mut definitions, now) = (Definitions::default(), Instant::now());
        definitions.put(map(&[("ua", true)], "1"));
        assert!(matches!(step(&mut definitions, now), OwnersStep::Wait(then) if then == now + REST));
        assert!(matches!(definitions.step("m", &Paths::of("ns"), false, REST, now + REST), OwnersStep::Nothing));
        assert_eq!(owners(&step(&mut definitions, now + REST)), [NOBODY]);
        definitions.put(map(&[(NOBODY, true)], "2"));
        assert!(matches!(step(&mut definitions, now + REST), OwnersStep::Nothing));
        // An Integration names it again before it is collected.
        definitions.name("a", "ua", None, Some("m"));
        assert_eq!(owners(&step(&mut definitions, now + REST)), ["ua"]);
    }

    /// A ConfigMap that people made is never owned or collected: owners that an older version wrote are removed.
    ///
    /// "One that people made is never owned or collected".
    #[test]
    fn a_definition_that_people_made_is_never_owned() {
        let (mut definitions, now) = (Definitions::default(), Instant::now());
        definitions.name("a", "ua", None, Some("m"));
        definitions.put(made_by("kubectl", &[], "1"));
        assert!(matches!(step(&mut definitions, now), OwnersStep::Nothing));
        for owner in ["ua", NOBODY] {
            definitions.gone("m");
            definitions.put(made_by("kubectl", &[(owner, true)], "2"));
            assert_eq!(owners(&step(&mut definitions, now)), [""; 0]);
        }
    }

    #[test]
    fn a_definition_of_others_or_without_owner_is_left_alone() {
        let (mut definitions, now) = (Definitions::default(), Instant::now());
        for owners in [&[][..], &[("theirs", false)], &[("ua", true), ("theirs", false)]] {
            definitions.gone("m");
            definitions.put(map(owners, "1"));
            assert!(matches!(step(&mut definitions, now + REST * 3), OwnersStep::Nothing), "{owners:?}");
        }
    }
}
