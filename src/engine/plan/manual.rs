//! Manual steps: Secrets to supply, and consents to give.

use crate::api::*;
use crate::engine::bindings::Bindings;
use crate::engine::model::canonical::Json;
use crate::engine::model::code::Code;
use crate::engine::model::field::FieldKind;
use crate::engine::model::inventory::{IntegrationFacts, Inventory, Publishing, Status};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::*;
use crate::engine::resolve::Replacements;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The people who supply Secrets.
pub const PLATFORM_TEAM: &str = "platform team";

/// The manual steps for the changes of a plan. `live` is the tenant before the plan.
pub(super) fn notes(actions: &[Action], live: &Inventory, after: &Inventory) -> Vec<Note> {
    let mut notes = Vec::new();
    for action in actions {
        let Some(Item::Connection(connection)) = &action.change.after else { continue };
        let created = action.action == ActionKind::Create;
        let touched = |kind: FieldKind, name: &str| {
            let is_it = |c: &FieldChange| c.op == Op::Set && c.field.kind == kind && c.field.name == name;
            created || action.fields.iter().any(is_it)
        };
        // Where Stablekey sends secrets itself, it has them.
        if !live.can.sends_secrets {
            notes.extend(supply_secrets(connection, &touched));
        }
        if created {
            notes.extend(consent(connection, after).filter(|_| !takes_over(&connection.spec, live)));
        } else if asks_to_sign_in(action) && is_oauth(connection, after) {
            notes.push(Note::Manual {
                object: ObjectId::new(Kind::Connection, connection.name()),
                who: who_signs_in(connection.spec.credentials),
                count: action.impact.customers.max(1),
                text: format!("sign in again for {}: what they signed in to changes", connection.spec.stable_key),
                secret: None,
            });
        }
    }
    notes
}

/// The sign-ins that the tenant's location waits for, each with its link.
pub fn of_sign_ins(inventory: &Inventory) -> Vec<Note> {
    let waiting = inventory.facts.iter().filter(|(_, facts)| facts.status == Some(Status::Pending));
    let notes = waiting.filter_map(|(name, facts)| {
        let key = &inventory.connections.get(name)?.spec.stable_key;
        let text = match &facts.sign_in {
            Some(link) => format!("sign in for {key}: {link}"),
            None => format!("sign in for {key} on the platform"),
        };
        let object = ObjectId::new(Kind::Connection, name);
        Some(Note::Manual { object, who: "organization", count: 1, text, secret: None })
    });
    notes.collect()
}

/// The steps to set the toggle for embedded workflows, where Stablekey does not.
pub(super) fn of_embedded(wanted: &BTreeMap<ObjectId, bool>, after: &Inventory) -> Vec<Note> {
    let step = |(id, wanted): (&ObjectId, &bool)| {
        let key = &after.connections.get(&id.name)?.spec.stable_key;
        let now = after.facts.get(&id.name).and_then(|facts| facts.embedded).unwrap_or_default();
        let turn = if *wanted { "on" } else { "off" };
        let text = format!("turn {turn} embedded workflows for {key} on its page on the platform");
        (now != *wanted).then(|| of_platform(id, text))
    };
    wanted.iter().filter_map(step).collect()
}

/// The steps after a definition changed: deployed instances run the version that they have until a new one is published
/// and they are moved to it.
pub(super) fn of_versions(actions: &[Action], live: &Inventory) -> Vec<Note> {
    if live.can.publishing == Publishing::AtOnce {
        return Vec::new();
    }
    let is_changed = |action: &&Action| {
        action.change.object.kind == Kind::Integration
            && matches!(action.action, ActionKind::Create | ActionKind::Update)
    };
    let none = IntegrationFacts::default();
    let of_action = |action: &Action| {
        let name = &action.change.object.name;
        let facts = live.integration_facts.get(name).map_or(&none, |facts| facts);
        let text = match live.can.publishing {
            Publishing::ByStablekey => {
                let them = instances(facts.instances.filter(|there| *there > 0)?);
                format!("move {them} of {name} to the version that is published")
            }
            Publishing::ByPerson | Publishing::AtOnce => {
                format!("publish a new version of {name}{}", last_and_moves(facts))
            }
        };
        Some(of_platform(&action.change.object, text))
    };
    let is_planned =
        |note: &Note| actions.iter().filter(is_changed).any(|action| action.change.object == *note.object());
    let steps: Vec<Note> = of_drafts(live).into_iter().filter(|note| !is_planned(note)).collect();
    actions.iter().filter(is_changed).filter_map(of_action).chain(steps).collect()
}

/// The steps after imports that were made before: what is a draft still has to be published, and instances moved to it.
pub fn of_drafts(live: &Inventory) -> Vec<Note> {
    let step = |(name, facts): (&String, &Arc<IntegrationFacts>)| {
        facts.imported_after?;
        let text = match (facts.is_draft(), facts.behind, facts.version) {
            (true, ..) => format!("{name} is a draft: publish a new version{}", last_and_moves(facts)),
            (false, Some(0), _) => return None,
            (false, Some(behind), Some(version)) => {
                format!("move {} of {name} to version {version}: they run an older one", instances(behind))
            }
            (false, ..) => {
                format!("see that all instances of {name} run its last version: which they run is not known")
            }
        };
        Some(of_platform(&ObjectId::new(Kind::Integration, name), text))
    };
    live.integration_facts.iter().filter_map(step).collect()
}

/// The last version, and how many instances are to be moved to the next.
fn last_and_moves(facts: &IntegrationFacts) -> String {
    let last = facts.version.map(|version| format!(" (the last is {version})")).unwrap_or_default();
    match facts.instances.unwrap_or_default() {
        0 => last,
        1 => format!("{last}, and move its instance to it"),
        several => format!("{last}, and move its {several} instances to it"),
    }
}

fn instances(count: usize) -> String {
    if count == 1 { "1 instance".to_string() } else { format!("{count} instances") }
}

fn of_platform(object: &ObjectId, text: String) -> Note {
    Note::Manual { object: object.clone(), who: PLATFORM_TEAM, count: 1, text, secret: None }
}

/// The step to supply secrets that are empty in an integration's definition, except for variables that are bound to a
/// reusable connection.
pub fn of_definition(integration: &Object<IntegrationSpec>, uses: &Uses) -> Option<Note> {
    let bound = |name: &str| integration.spec.connections.iter().any(|v| v.name == name && v.stable_key().is_some());
    let left = uses.left_empty.iter().filter(|left| !left.variable.as_deref().is_some_and(bound));
    let left: Vec<&str> = left.map(|left| left.what.as_str()).collect();
    (!left.is_empty()).then(|| Note::Manual {
        object: ObjectId::new(Kind::Integration, integration.name()),
        who: PLATFORM_TEAM,
        count: left.len(),
        text: format!("fill in on the platform, once it is imported there: {}", left.join("; ")),
        secret: None,
    })
}

/// Whether an action changes what people signed in to: as customers, or by an endpoint beside secrets.
fn asks_to_sign_in(action: &Action) -> bool {
    let is_input = |c: &FieldChange| c.field.kind == FieldKind::Input;
    let value =
        |json: &Option<Json>| json.as_ref().and_then(|json| Some(json.value().get("value")?.as_str()?.to_string()));
    let moves = |c: &FieldChange| {
        let values = [value(&c.from), value(&c.to)];
        is_input(c) && values.iter().any(|value| endpoint::is_endpoint(&c.field.name, value.as_deref()))
    };
    action.needs_approval.iter().any(|approval| match approval.code {
        Code::CustomersSignIn => true,
        Code::CredentialRedirect => action.fields.iter().any(moves),
        _ => false,
    })
}

/// Whether a connection replaces one whose credentials it can use unchanged: its location resolves older keys to it,
/// and nobody has to sign in again.
fn takes_over(newer: &ConnectionSpec, live: &Inventory) -> bool {
    let secrets = |spec: &ConnectionSpec| {
        let secret = |(name, input): (&String, &Input)| match input {
            Input::SecretRef(secret) => Some((name.clone(), secret.clone())),
            _ => None,
        };
        spec.inputs.iter().filter_map(secret).collect::<Vec<_>>()
    };
    newer.replaces.iter().filter_map(|older| live.connection(older)).any(|older| {
        let of_customers = newer.credentials != Credentials::OrganizationGlobal;
        older.spec.is_same_kind_as(newer) && (of_customers || secrets(&older.spec) == secrets(newer))
    })
}

/// The steps for customers who would have to sign in again if a replacement that differs took effect.
pub(super) fn of_replacements(replacements: &Replacements, bindings: &Bindings<'_>, after: &Inventory) -> Vec<Note> {
    let counted = replacements
        .differing(after)
        .map(|(older, newer)| (older, newer, bindings.customers(&names::of_stable_key(older)).len()));
    let notes = counted.filter(|(_, _, customers)| *customers > 0).map(|(older, newer, count)| Note::Manual {
        object: ObjectId::new(Kind::Connection, newer.name()),
        who: "customers",
        count,
        text: format!(
            "sign in again, if {} is to take the place of {older}: it is of another kind",
            newer.spec.stable_key
        ),
        secret: None,
    });
    notes.collect()
}

/// All manual steps for a connection, including completed ones: a directory cannot detect these.
pub fn of_connection(connection: &Object<ConnectionSpec>, inventory: &Inventory) -> Vec<Note> {
    if inventory.facts.contains_key(connection.name()) {
        // The location itself says what is missing: see [`of_sign_ins`].
        return Vec::new();
    }
    let consent = consent(connection, inventory).filter(|_| !takes_over(&connection.spec, inventory));
    supply_secrets(connection, &|_, _| true).into_iter().chain(consent).collect()
}

/// The steps to supply the Secrets that inputs of a connection refer to, each once.
fn supply_secrets(connection: &Object<ConnectionSpec>, is_meant: &dyn Fn(FieldKind, &str) -> bool) -> Vec<Note> {
    let mut by_name: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let inputs = connection.spec.inputs.iter().map(|(name, input)| (FieldKind::Input, name, input));
    let tests = connection.spec.test.iter().flat_map(|test| &test.inputs);
    let tests = tests.map(|(name, input)| (FieldKind::TestInput, name, input));
    for (kind, name, input) in inputs.chain(tests) {
        if let (Input::SecretRef(reference), true) = (input, is_meant(kind, name)) {
            by_name.entry(&reference.name).or_default().insert(reference.key.clone());
        }
    }
    let stable_keys = BTreeSet::from([connection.spec.stable_key.clone()]);
    let needs = by_name.into_iter().map(|(name, keys)| {
        let need = SecretNeed { name: name.to_string(), keys, stable_keys: stable_keys.clone() };
        Note::Manual {
            object: ObjectId::new(Kind::Connection, connection.name()),
            who: PLATFORM_TEAM,
            count: 1,
            text: need.to_string(),
            secret: Some(need),
        }
    });
    needs.collect()
}

fn consent(connection: &Object<ConnectionSpec>, inventory: &Inventory) -> Option<Note> {
    let key = &connection.spec.stable_key;
    let object = ObjectId::new(Kind::Connection, connection.name());
    let oauth = is_oauth(connection, inventory);
    let (who, text) = match connection.spec.credentials {
        Credentials::Customer if oauth => ("customers", format!("each customer signs in to {key}")),
        Credentials::Customer => ("customers", format!("each customer supplies their own values for {key}")),
        Credentials::User if oauth => ("users", format!("each user signs in to {key}")),
        Credentials::User => ("users", format!("each user supplies their own values for {key}")),
        Credentials::OrganizationGlobal if oauth => ("organization", format!("sign in once for {key} (ConsentNeeded)")),
        Credentials::OrganizationCustomer if oauth => {
            ("organization", format!("sign in for each customer of {key} (ConsentNeeded)"))
        }
        _ => return None,
    };
    Some(Note::Manual { object, who, count: 1, text, secret: None })
}

/// Who has to sign in again after a change.
fn who_signs_in(credentials: Credentials) -> &'static str {
    match credentials {
        Credentials::OrganizationGlobal => "organization",
        Credentials::Customer | Credentials::OrganizationCustomer => "customers",
        Credentials::User => "users",
    }
}

fn is_oauth(connection: &Object<ConnectionSpec>, inventory: &Inventory) -> bool {
    inventory.connection_type(&connection.spec).is_some_and(|t| t.oauth2 == Some(OAuth2::AuthorizationCode))
}
