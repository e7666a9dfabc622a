//! The secrets that are sent to the platform: which are there, which may be sent, and what a change of them ends. SK0167: a secret is known by the file or variable that supplies it. Two
//! references that are one are a mistake: one of them would be sent in place of the other.

use super::draft::Draft;
use crate::api::*;
use crate::engine::model::canonical::Json;
use crate::engine::model::code::Code;
use crate::engine::model::field::FieldKind;
use crate::engine::model::finding::Finding;
use crate::engine::model::inventory::Supply;
use crate::engine::model::item::Item;
use crate::engine::model::opt_in::{OptInRefusal, Pins};
use crate::engine::model::plan::{ActionKind, Approval, FieldChange, Op};
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
            let places: BTreeSet<String> = item.secret_refs().filter_map(|reference| supply.place(reference)).collect();
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
        for reference in after.secret_refs() {
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

    /// Whether a secret of this object is supplied by what supplies another one too.
    pub(super) fn has_shared_secret(&self, after: &Item, kind: ActionKind) -> bool {
        let live = self.input.live;
        let mut places = after.secret_refs().filter_map(|reference| live.supply.place(reference));
        live.can.sends_secrets
            && kind != ActionKind::Adopt
            && places.any(|place| self.shared_secrets().contains_key(&place))
    }

    /// A secret that a change needs and that cannot be supplied, where the location takes all inputs at once.
    pub(super) fn absent_secret<'i>(
        &self,
        after: &'i Item,
        changes: &[FieldChange],
        kind: ActionKind,
    ) -> Option<&'i SecretRef> {
        let live = self.input.live;
        if !live.can.sends_secrets || kind == ActionKind::Adopt {
            return None;
        }
        let touches = |kind: FieldKind| changes.iter().any(|c| c.field.kind == kind && c.op != Op::Record);
        let is_set = |name: &str| {
            let mut set = changes.iter().filter(|change| change.op == Op::Set && change.field.kind == FieldKind::Input);
            set.any(|change| change.field.name == name)
        };
        let absent = |inputs: &'i BTreeMap<String, Input>, is_sent: &dyn Fn(&str) -> bool| {
            inputs.iter().find_map(|(name, input)| match input {
                Input::SecretRef(reference) if is_sent(name) && !live.supply.has(reference) => Some(reference),
                _ => None,
            })
        };
        // What stays of a connection is not sent where the platform was seen to leave it alone.
        let is_new = kind == ActionKind::Create;
        let of_connection = |name: &str| is_new || !live.can.merges_inputs || is_set(name);
        let all = |_: &str| true;
        match after {
            Item::Connection(connection) => {
                let own = touches(FieldKind::Input).then(|| absent(&connection.spec.inputs, &of_connection)).flatten();
                let test = || connection.spec.test.as_ref().filter(|_| touches(FieldKind::TestInput));
                own.or_else(|| test().and_then(|test| absent(&test.inputs, &all)))
            }
            Item::CustomerCredentials(credentials) => {
                touches(FieldKind::Input).then(|| absent(&credentials.spec.inputs, &all)).flatten()
            }
            _ => None,
        }
    }

    /// Why an update may sign people out, where nobody measured whether it does.
    pub(super) fn may_sign_out(&self, connection: &Object<ConnectionSpec>) -> Option<Approval> {
        let live = self.input.live;
        let signs_in = |type_: &ConnectionType| type_.oauth2 == Some(OAuth2::AuthorizationCode);
        let people_sign_in = live.connection_type(&connection.spec).is_none_or(signs_in);
        (live.can.may_sign_out && people_sign_in).then(|| Approval {
            code: Code::SignOutUnknown,
            why: format!(
                "an update of {} may sign people out: what updates do there is not measured yet",
                connection.spec.stable_key
            ),
        })
    }

    /// The secrets that an import empties: those of an integration's own connections are in its definition on the
    /// platform, and in no file. Beside the same values they stay.
    pub(super) fn empties(&self, after: &Item) -> Option<Approval> {
        let Item::Integration(integration, Some(uses)) = after else { return None };
        if !self.input.live.can.sends_secrets {
            return None;
        }
        let bound =
            |name: &str| integration.spec.connections.iter().any(|v| v.name == name && v.stable_key().is_some());
        let there = self.input.live.uses.get(integration.name())?;
        // What a part that goes had goes with it.
        let is_emptied = |left: &&LeftEmpty| uses.beside(left).is_some_and(|beside| beside != left.beside);
        let left = there.left_empty.iter().filter(|left| !left.variable.as_deref().is_some_and(bound));
        let left: Vec<&str> = left.filter(is_emptied).map(|left| left.what.as_str()).collect();
        (!left.is_empty()).then(|| Approval {
            code: Code::SecretAbsent,
            why: format!("the import empties secrets that only the platform has: {}", left.join("; ")),
        })
    }

    /// A secret that would go back to a version from before the last one that was sent: a checkout that is old has the old
    /// secret too.
    pub(super) fn older_secret(&self, changes: &[FieldChange]) -> Option<Approval> {
        if !self.input.live.can.sends_secrets {
            return None;
        }
        let version = |json: &Option<Json>| -> Option<String> {
            Some(json.as_ref()?.value().get("secretRef")?.get("version")?.as_str()?.to_string())
        };
        let is_secret = |json: &Option<Json>| json.as_ref().is_some_and(|json| json.value().get("secretRef").is_some());
        let is_older = |change: &&FieldChange| {
            let Some(from) = version(&change.from).filter(|_| change.op == Op::Set && is_secret(&change.to)) else {
                return false;
            };
            match (from.parse::<u64>(), version(&change.to).map(|to| to.parse::<u64>())) {
                (_, None) => true,
                (Ok(from), Some(Ok(to))) => to < from,
                _ => false,
            }
        };
        let older = changes.iter().find(is_older)?;
        let why = format!("{} would go back to an older version: is this checkout the newest?", older.field);
        Some(Approval { code: Code::SecretOlder, why })
    }

    /// What is there, and what is declared.
    fn items(&self) -> Vec<Item> {
        let declared = self.input.declared.values().flatten().map(|declaration| declaration.item.clone());
        self.input.live.items().chain(declared).collect()
    }
}

/// The stable key that a Secret of this object opts in for.
pub(super) fn key_of(item: &Item) -> &str {
    match item {
        Item::Connection(connection) => &connection.spec.stable_key,
        Item::CustomerCredentials(credentials) => &credentials.spec.connection,
        Item::Component(_) | Item::Integration(..) => "*",
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
    for reference in items.iter().flat_map(Item::secret_refs) {
        if let Some(place) = supply.place(reference) {
            by_place.entry(place).or_default().insert(format!("{}/{}", reference.name, reference.key));
        }
    }
    let several = by_place.into_iter().filter(|(_, names)| names.len() > 1);
    several.map(|(place, names)| (place, names.into_iter().collect::<Vec<_>>().join(" and "))).collect()
}
