//! The secrets that are sent to the platform. SK0167: a secret is known by the file or variable that supplies it. Two
//! references that are one are a mistake: one of them would be sent in place of the other.

use super::draft::Draft;
use crate::api::*;
use crate::engine::model::code::Code;
use crate::engine::model::field::FieldKind;
use crate::engine::model::finding::Finding;
use crate::engine::model::inventory::Supply;
use crate::engine::model::item::Item;
use crate::engine::model::opt_in::{OptInRefusal, Pins};
use crate::engine::model::plan::{ActionKind, FieldChange, Op};
use crate::engine::pinned;
use crate::engine::redirect::Strictest;
use std::collections::{BTreeMap, BTreeSet};

const FIX: &str = "give each a file or variable of its own, or name one secret in both";

impl Draft<'_> {
    /// What supplies several secrets of the tenant, and their names.
    pub(super) fn shared_secrets(&self) -> &BTreeMap<String, String> {
        self.shared_secrets.get_or_init(|| match self.input.live.supply {
            Supply::Nothing | Supply::Secrets { .. } => BTreeMap::new(),
            _ => shared(&self.input.live.supply, &self.items()),
        })
    }

    /// The objects that name a secret which is supplied by what supplies another one too.
    pub(super) fn of_shared_secrets(&self) -> Vec<Finding> {
        let shared = self.shared_secrets();
        let mut findings = Vec::new();
        if shared.is_empty() {
            return findings;
        }
        for item in &self.items() {
            let supply = &self.input.live.supply;
            let places: BTreeSet<String> = references(item).filter_map(|reference| supply.place(reference)).collect();
            for (place, names) in places.iter().filter_map(|place| shared.get_key_value(place)) {
                let text = format!("secrets {names} are all supplied by {place}");
                let finding = Finding::of(Code::SecretTwice, self.input.tenant, item.id(), text, FIX);
                if !findings.contains(&finding) {
                    findings.push(finding);
                }
            }
        }
        findings
    }

    /// Why a change must not send a Secret that is there: it did not opt in for this connection, or would be sent to
    /// another host than its owner allows. The values of Secrets are not known here; whoever sends them asks again.
    pub(super) fn refused_secret(
        &self,
        after: &Item,
        changes: &[FieldChange],
        kind: ActionKind,
    ) -> Option<(Code, String)> {
        let Supply::Secrets { there, .. } = &self.input.live.supply else { return None };
        let touches = |kind: FieldKind| changes.iter().any(|c| c.field.kind == kind && c.op != Op::Record);
        if kind == ActionKind::Adopt || !touches(FieldKind::Input) && !touches(FieldKind::TestInput) {
            return None;
        }
        let none = BTreeMap::new();
        let (spec, inputs) = match after {
            Item::Connection(connection) => {
                let test = connection.spec.test.as_ref().filter(|_| touches(FieldKind::TestInput));
                (&connection.spec, test.map_or(&none, |test| &test.inputs))
            }
            Item::CustomerCredentials(credentials) => {
                (&self.after.connection(&credentials.spec.connection)?.spec, &credentials.spec.inputs)
            }
            Item::Component(_) | Item::Integration(..) => return None,
        };
        let key = &spec.stable_key;
        for reference in references(after) {
            let Some(secret) = there.get(&reference.name) else { continue };
            let of_key = (!secret.opt_in.keys.has(key)).then_some(OptInRefusal::NotForKey);
            let Some(refusal) = of_key.or_else(|| secret.refusal.clone()) else { continue };
            let code = match refusal {
                OptInRefusal::NotForKey => Code::SecretNotForKey,
                OptInRefusal::UnreadableHosts | OptInRefusal::UnreadableExpiry => Code::SecretUnreadable,
                OptInRefusal::Expired(_) => Code::SecretExpired,
            };
            return Some((code, refusal.text(&reference.name, key)));
        }
        let types = Strictest::of(self.after.types_of(spec).collect());
        let pins = |name: &str| -> Option<&Pins> { Some(&there.get(name)?.opt_in.pins) };
        pinned::refused_hosts(spec, inputs, &pins, &literal, &types).map(|text| (Code::HostNotPinned, text))
    }

    /// What is there, and what is declared.
    fn items(&self) -> Vec<Item> {
        let declared = self.input.declared.values().flatten().map(|declaration| declaration.item.clone());
        self.input.live.items().chain(declared).collect()
    }
}

/// The value of an input, if it is not a secret's or a customer's.
fn literal(input: &Input) -> Option<Option<&str>> {
    match input {
        Input::Value(value) => Some(Some(value)),
        Input::SecretRef(_) | Input::PerCustomer(_) => None,
    }
}

/// What supplies several secrets, and their names.
fn shared(supply: &Supply, items: &[Item]) -> BTreeMap<String, String> {
    let mut by_place: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for reference in items.iter().flat_map(references) {
        if let Some(place) = supply.place(reference) {
            by_place.entry(place).or_default().insert(format!("{}/{}", reference.name, reference.key));
        }
    }
    let several = by_place.into_iter().filter(|(_, names)| names.len() > 1);
    several.map(|(place, names)| (place, names.into_iter().collect::<Vec<_>>().join(" and "))).collect()
}

/// The secrets that an object refers to.
pub(super) fn references(item: &Item) -> impl Iterator<Item = &SecretRef> {
    let (inputs, test) = match item {
        Item::Connection(c) => (Some(&c.spec.inputs), c.spec.test.as_ref()),
        Item::CustomerCredentials(c) => (Some(&c.spec.inputs), None),
        Item::Component(_) | Item::Integration(..) => (None, None),
    };
    let all = inputs.into_iter().flatten().chain(test.into_iter().flat_map(|test| &test.inputs));
    all.filter_map(|(_, input)| match input {
        Input::SecretRef(reference) if !reference.is_unknown() => Some(reference),
        _ => None,
    })
}
