//! Secrets that are empty in a definition: after an import into a platform they must be filled in, or are kept from what
//! the platform has.

use super::secrets::{EmptiedPlace, emptied_scalars};
use super::tree::ValueView;
use super::value::{BESIDE_FLOW, BESIDE_STEP, beside, name_of_flow, name_of_step};
use super::variables::{self, is_secret_input, literal};
use super::{DefinitionError, MAX_DEPTH, empty_secrets, parse, spliced, steps, to_utf8};
use crate::api::LeftEmpty;
use crate::secret::Secret;
use std::collections::BTreeMap;
use std::ops::Range;

/// A part of a definition in which secrets may be: a config variable, a step, or a flow without its steps.
struct SecretPart<'t> {
    /// The name of a config variable, or of a part of a flow.
    name: Result<&'t str, String>,
    view: ValueView<'t>,
    /// The keys that belong to other parts.
    without: &'static [&'static str],
}

impl<'t> SecretPart<'t> {
    fn key(&self) -> (bool, String) {
        match &self.name {
            Ok(variable) => (true, (*variable).to_string()),
            Err(part) => (false, part.clone()),
        }
    }

    fn beside(&self) -> String {
        beside(self.view, self.without)
    }

    /// A secret of this part.
    fn left(&self, what: String, beside: String) -> LeftEmpty {
        let (variable, part) = match &self.name {
            Ok(variable) => (Some((*variable).to_string()), None),
            Err(part) => (None, Some(part.clone())),
        };
        LeftEmpty { variable, what, part, beside }
    }

    /// Calls `act` with each scalar.
    fn scalars(&self, act: &mut dyn FnMut(ValueView<'t>)) {
        scalars(self.view, self.without, act, MAX_DEPTH);
    }
}

fn scalars<'t>(view: ValueView<'t>, without: &[&str], act: &mut dyn FnMut(ValueView<'t>), depth: usize) {
    if depth == 0 {
        return;
    }
    for item in view.items() {
        scalars(item, &[], act, depth - 1);
    }
    for (key, value) in view.entries() {
        if !key.text().is_some_and(|key| without.contains(&key)) {
            scalars(value, &[], act, depth - 1);
        }
    }
    if !view.is_mapping() && !view.is_sequence() {
        act(view);
    }
}

/// The parts of a definition. Two of one name are none: which of them is meant is unknown.
fn parts(root: ValueView<'_>) -> Vec<SecretPart<'_>> {
    let mut parts: Vec<SecretPart<'_>> = Vec::new();
    for (variable, view) in steps::config_variables(root) {
        parts.push(SecretPart { name: Ok(variable), view, without: &[] });
    }
    for view in root.get("flows").into_iter().flat_map(ValueView::items) {
        parts.push(SecretPart { name: Err(name_of_flow(view)), view, without: &BESIDE_FLOW });
    }
    steps::for_each_step(root, &mut |step| {
        parts.push(SecretPart { name: Err(name_of_step(&step)), view: step.view, without: &BESIDE_STEP });
    });
    let mut times: BTreeMap<(bool, String), usize> = BTreeMap::new();
    parts.iter().for_each(|part| *times.entry(part.key()).or_default() += 1);
    parts.retain(|part| times.get(&part.key()) == Some(&1));
    parts
}

/// The digests of the config variables.
pub(super) fn config(root: ValueView<'_>) -> BTreeMap<String, String> {
    steps::config_variables(root).map(|(name, view)| (name.to_string(), beside(view, &[]))).collect()
}

/// The empty inputs that are secret by name or type, in the definition's order: those of its own connections, and of
/// steps. What a file lacks; other secrets leave no trace in it.
pub(super) fn read(root: ValueView<'_>) -> Vec<LeftEmpty> {
    let mut found = Vec::new();
    let entries = steps::config_variables(root).filter(|(_, entry)| variables::is_connection(*entry));
    for (variable, entry) in entries.filter(|(_, entry)| entry.text_of("useScopedConfigVar").is_none()) {
        let part = SecretPart { name: Ok(variable), view: entry, without: &[] };
        for input in empty_inputs(entry) {
            let place = EmptiedPlace::Connection { variable: variable.to_string(), input };
            found.push(part.left(place.to_string(), part.beside()));
        }
    }
    steps::for_each_step(root, &mut |step| {
        let part = SecretPart { name: Err(name_of_step(&step)), view: step.view, without: &BESIDE_STEP };
        for input in empty_inputs(step.view) {
            let place = EmptiedPlace::Step { flow: step.flow.to_string(), step: step.name.to_string(), input };
            found.push(part.left(place.to_string(), part.beside()));
        }
    });
    found
}

fn empty_inputs(of: ValueView<'_>) -> Vec<String> {
    let inputs = of.get("inputs").into_iter().flat_map(ValueView::entries);
    let named = inputs.filter_map(|(name, input)| Some((name.text()?, input)));
    // An input without any value was not emptied.
    let is_empty = |input: ValueView<'_>| {
        literal(input).is_some_and(|value| !value.is_null() && value.text().is_some_and(|text| text.trim().is_empty()))
    };
    named
        .filter(|(name, input)| is_secret_input(name, *input) && is_empty(*input))
        .map(|(name, _)| name.to_string())
        .collect()
}

/// Empties the secrets of a definition, and returns what each of them stood beside.
pub fn without_secrets(bytes: &[u8]) -> Result<(Vec<u8>, Vec<LeftEmpty>), DefinitionError> {
    let (kept, _) = empty_secrets(bytes)?;
    let text = to_utf8(bytes)?;
    let tree = parse(&text)?;
    let emptied = emptied_scalars(&tree)?;
    let without = to_utf8(&kept)?;
    let without = parse(&without)?;
    let digests: BTreeMap<(bool, String), String> =
        parts(without.root()).iter().map(|part| (part.key(), part.beside())).collect();
    let mut left: Vec<LeftEmpty> = Vec::new();
    let mut rest = emptied.clone();
    for part in parts(tree.root()) {
        let mut in_part: Vec<String> = Vec::new();
        part.scalars(&mut |scalar| in_part.extend(rest.remove(&scalar.start()).map(|place| place.to_string())));
        let Some(digest) = digests.get(&part.key()) else { continue };
        left.extend(in_part.into_iter().map(|what| part.left(what, digest.clone())));
    }
    // What is in no part stands beside everything.
    let whole = super::value::read(without.root()).versionless;
    let outside =
        |place: EmptiedPlace| LeftEmpty { variable: None, what: place.to_string(), part: None, beside: whole.clone() };
    left.extend(rest.into_values().map(outside));
    left.dedup();
    Ok((kept, left))
}

/// Fills the empty secrets of a definition that is sent with those that the platform has, where they stand beside the
/// same values: beside another address they could go elsewhere. Returns the text, and the secrets that are in it.
pub fn keep_secrets(text: &str, there: &[u8]) -> Result<(String, Vec<Secret>), DefinitionError> {
    let there = to_utf8(there)?;
    let whole = parse(&there)?;
    let (emptied, _) = empty_secrets(there.as_bytes())?;
    let emptied = to_utf8(&emptied)?;
    let emptied = parse(&emptied)?;
    let tree = parse(text)?;
    let mut filling = Filling::default();
    let versionless = |root| super::value::read(root).versionless;
    if versionless(tree.root()) == versionless(emptied.root()) {
        filling.fill(tree.root(), whole.root(), &[], MAX_DEPTH);
    } else {
        let digests: BTreeMap<(bool, String), String> =
            parts(emptied.root()).iter().map(|part| (part.key(), part.beside())).collect();
        let with_secrets: BTreeMap<(bool, String), SecretPart<'_>> =
            parts(whole.root()).into_iter().map(|part| (part.key(), part)).collect();
        for part in parts(tree.root()) {
            if digests.get(&part.key()) == Some(&part.beside())
                && let Some(there) = with_secrets.get(&part.key())
            {
                filling.fill(part.view, there.view, part.without, MAX_DEPTH);
            }
        }
    }
    let Filling { edits, secrets } = filling;
    Ok((spliced(text, edits)?, secrets))
}

/// The empty scalars that are filled.
#[derive(Default)]
struct Filling {
    edits: BTreeMap<usize, (Range<usize>, String)>,
    secrets: Vec<Secret>,
}

impl Filling {
    /// Fills the empty scalars of a value with those at the same place of another one, which is equal but for them.
    fn fill(&mut self, empty: ValueView<'_>, there: ValueView<'_>, without: &[&str], depth: usize) {
        if depth == 0 {
            return;
        }
        for (empty, there) in empty.items().zip(there.items()) {
            self.fill(empty, there, &[], depth - 1);
        }
        for (key, value) in empty.entries() {
            let Some(key) = key.text().filter(|key| !without.contains(key)) else { continue };
            if let Some(there) = there.get(key) {
                self.fill(value, there, &[], depth - 1);
            }
        }
        if empty.is_mapping() || empty.is_sequence() || empty.is_null() {
            return;
        }
        let is_empty = empty.text().is_some_and(|text| text.trim().is_empty());
        let secret = there.text().filter(|secret| is_empty && !secret.trim().is_empty());
        if let (Some(secret), Some(range)) = (secret, empty.written()) {
            self.edits.insert(range.start, (range, serde_json::Value::from(secret).to_string()));
            self.secrets.push(Secret::new(secret.to_string()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THERE: &str = "definitionVersion: 7\nname: Orders\nrequiredConfigVars:\n- key: ERP\n  dataType: connection\n  \
                         connection: {component: {key: acme, version: 4, isPublic: false}, key: apiKey}\n  inputs:\n    \
                         host: {type: value, value: \"https://erp.example\"}\n    apiKey: {type: value, value: \"s3cr3t\"}\n\
                         - key: API Token\n  dataType: string\n  defaultValue: default-s3cr3t\nflows:\n- name: F\n  \
                         organizationApiKeys: [flow-s3cr3t-of-ours]\n  steps:\n  - name: S\n    action:\n      key: a\n      \
                         component: {key: http, version: 12, isPublic: true}\n    inputs:\n      url: {type: value, value: \
                         \"https://user:url-s3cr3t@api.example\"}\n      headers:\n        type: complex\n        value:\n        \
                         - name: {type: value, value: Authorization}\n          type: value\n          value: Bearer \
                         header-s3cr3t\n  - name: Other\n    action: {key: b, component: {key: http, version: 12, isPublic: \
                         true}}\n    inputs:\n      note: {type: value, value: plain}\n";

    fn emptied() -> String {
        String::from_utf8(without_secrets(THERE.as_bytes()).unwrap().0).unwrap()
    }

    /// Every place that is emptied is listed with what it stands beside, and filled again whatever else changes.
    #[test]
    fn every_secret_stays_beside_the_same_values() {
        let declared = emptied();
        for secret in ["s3cr3t", "url-s3cr3t", "header-s3cr3t", "flow-s3cr3t", "default-s3cr3t"] {
            assert!(!declared.contains(secret), "{declared}");
        }
        let (_, left) = without_secrets(THERE.as_bytes()).unwrap();
        assert_eq!(left.len(), 5, "{left:?}");
        let uses = super::super::uses(declared.as_bytes()).unwrap();
        for left in &left {
            assert_eq!(uses.beside(left), Some(left.beside.as_str()), "{left:?}");
        }
        let changed = declared.replace("value: plain", "value: other").replace("version: 4", "version: LATEST");
        let (text, kept) = keep_secrets(&changed, THERE.as_bytes()).unwrap();
        assert_eq!(kept.len(), 5, "{text}");
        let value = |text: &str| super::super::uses(text.as_bytes()).unwrap().versionless;
        assert_eq!(value(&text), value(&THERE.replace("value: plain", "value: other")));
    }

    /// Beside another address it would go elsewhere.
    #[test]
    fn a_secret_does_not_go_to_another_address() {
        let declared = emptied().replace("erp.example", "other.example").replace("Authorization", "X-Key");
        let (text, kept) = keep_secrets(&declared, THERE.as_bytes()).unwrap();
        assert_eq!(kept.len(), 2, "{text}");
        let (_, left) = without_secrets(THERE.as_bytes()).unwrap();
        let uses = super::super::uses(declared.as_bytes()).unwrap();
        let changed = left.iter().filter(|left| uses.beside(left) != Some(left.beside.as_str()));
        assert_eq!(changed.count(), 3);
    }

    /// What is declared goes before what is there.
    #[test]
    fn only_an_empty_secret_is_filled() {
        let declared = THERE.replace("s3cr3t", "other");
        assert_eq!(keep_secrets(&declared, THERE.as_bytes()).unwrap().0, declared);
    }
}
