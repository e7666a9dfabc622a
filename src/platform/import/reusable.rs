//! Creates reusable connections from an integration's own connections: decides their credentials, their inputs and
//! their stable keys.

use super::{Existing, ImportNote, LeftOutWhy, bounds, ending, numbered, title};
use crate::api::names::with_ending;
use crate::api::{ComponentRef, ConnectionSpec, Credentials, Input, Object, SecretRef, names};
use crate::platform::definition::{ConnectionVariable, DefinitionInput, InputValue};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// A variable to convert to a reusable connection.
pub(super) struct Wish<'d> {
    pub integration: String,
    pub variable: &'d ConnectionVariable,
    pub component: &'d ComponentRef,
    pub type_: &'d str,
    pub inputs: &'d [DefinitionInput],
    /// The stable key that a person chose.
    pub chosen: Option<&'d str>,
}

/// The wishes that share one connection.
struct Group<'w, 'd> {
    wishes: Vec<&'w Wish<'d>>,
    key: Option<Key>,
}

/// The stable key of a group.
enum Key {
    /// The key of an existing connection.
    There(String),
    /// The key of a new connection.
    New(String),
    /// No key is possible; a note reports it.
    None,
}

impl Key {
    fn text(&self) -> Option<&str> {
        match self {
            Key::There(key) | Key::New(key) => Some(key),
            Key::None => None,
        }
    }
}

/// The result of the wishes.
pub(super) struct Fulfilled {
    /// The stable key of each wish, in order; `None` if it stays the integration's own.
    pub keys: Vec<Option<String>>,
    /// The new connections.
    pub made: Vec<Object<ConnectionSpec>>,
}

/// Decides which connections are created, and their keys. A key depends on the connection itself and on the tenants of
/// the root, never on the order of the import.
pub(super) fn fulfil(wishes: &[Wish<'_>], existing: &Existing<'_>, notes: &mut Vec<ImportNote>) -> Fulfilled {
    let mut groups: Vec<Group<'_, '_>> = Vec::new();
    for wish in wishes {
        if wish.inputs.len() > bounds::INPUTS {
            let (integration, variable) = (wish.integration.clone(), wish.variable.name.clone());
            notes.push(ImportNote::TooManyInputs { integration, variable, count: wish.inputs.len() });
            continue;
        }
        match groups.iter_mut().find(|group| group.takes(wish)) {
            Some(group) => group.wishes.push(wish),
            None => groups.push(Group { wishes: vec![wish], key: None }),
        }
    }
    chosen_keys(&mut groups, existing, notes);
    keys_that_are_there(&mut groups, existing);
    new_keys(&mut groups, existing, notes);
    let key_of = |wish: &Wish<'_>| {
        let group = groups.iter().find(|group| group.wishes.iter().any(|other| std::ptr::eq(*other, wish)))?;
        group.key.as_ref()?.text().map(str::to_string)
    };
    let keys = wishes.iter().map(key_of).collect();
    let mut made = Vec::new();
    for group in &groups {
        let (Some(key), Some(head)) = (&group.key, group.wishes.first()) else { continue };
        if let Key::New(key) = key {
            made.push(head.make(key, notes));
        }
        let Some(text) = key.text() else { continue };
        for (position, wish) in group.wishes.iter().enumerate() {
            if position > 0 || matches!(key, Key::There(_)) {
                let (integration, variable) = (wish.integration.clone(), wish.variable.name.clone());
                notes.push(ImportNote::Shared { integration, variable, key: text.to_string() });
            }
            notes.push(wish.reconnect(text));
        }
    }
    Fulfilled { keys, made }
}

/// Assigns keys that a person chose: an existing connection if it has the same component, type and credentials, else a
/// new one.
fn chosen_keys(groups: &mut [Group<'_, '_>], existing: &Existing<'_>, notes: &mut Vec<ImportNote>) {
    for position in 0..groups.len() {
        let Some((chosen, head)) = groups[position].wishes.first().and_then(|head| Some((head.chosen?, *head))) else {
            continue;
        };
        let is_taken =
            groups.iter().filter_map(|group| group.key.as_ref()?.text()).any(|key| is_same_name(key, chosen));
        groups[position].key = Some(match here(existing, chosen) {
            Some(there) if !is_taken && there.spec.stable_key == chosen && head.is_kind_of(&there.spec) => {
                Key::There(chosen.to_string())
            }
            None if !is_taken => Key::New(chosen.to_string()),
            _ => {
                let (integration, variable) = (head.integration.clone(), head.variable.name.clone());
                notes.push(ImportNote::ChosenTaken { integration, variable, key: chosen.to_string() });
                Key::None
            }
        });
    }
}

/// Assigns keys of equal connections in this or another tenant.
fn keys_that_are_there(groups: &mut [Group<'_, '_>], existing: &Existing<'_>) {
    for position in 0..groups.len() {
        let group = &groups[position];
        let (None, Some(head)) = (&group.key, group.wishes.first()) else { continue };
        let is_free = |key: &str| !groups.iter().filter_map(|g| g.key.as_ref()?.text()).any(|k| is_same_name(k, key));
        // A connection with another name and another title is a different one, however similar.
        let is_meant = |there: &&Object<ConnectionSpec>| {
            let key = &there.spec.stable_key;
            let suggested = head.suggested_key();
            let title = head.variable.name.as_str();
            *key == suggested
                || *key == with_ending(&suggested, &head.identity(""))
                || there.spec.title.as_deref() == Some(title)
        };
        let found = existing.connections.iter().filter(is_meant).find(|there| head.is_like(&there.spec, false));
        let elsewhere = || {
            let connections = existing.elsewhere.iter().flat_map(|tenant| &tenant.connections);
            let same = connections.filter(|there| head.is_like(&there.spec, true));
            let keys = same.filter(|there| here(existing, &there.spec.stable_key).is_none());
            keys.min_by_key(|there| (there.spec.title.as_deref() != Some(&head.variable.name), &there.spec.stable_key))
        };
        let key = match found.filter(|there| is_free(&there.spec.stable_key)) {
            Some(there) => Some(Key::There(there.spec.stable_key.clone())),
            None => elsewhere().map(|there| &there.spec.stable_key).filter(|key| is_free(key)).cloned().map(Key::New),
        };
        groups[position].key = key;
    }
}

/// Assigns keys to connections that no tenant has: component and type and, if that is not unique, an ending derived
/// from the content.
fn new_keys(groups: &mut [Group<'_, '_>], existing: &Existing<'_>, notes: &mut Vec<ImportNote>) {
    let open: Vec<usize> = (0..groups.len()).filter(|position| groups[*position].key.is_none()).collect();
    let suggested: Vec<String> =
        groups.iter().filter_map(|group| Some(group.wishes.first()?.suggested_key())).collect();
    for position in open.iter().copied() {
        let Some(head) = groups[position].wishes.first().copied() else { continue };
        let wanted = &suggested[position];
        let is_taken = |key: &str| {
            here(existing, key).is_some()
                || groups.iter().filter_map(|g| g.key.as_ref()?.text()).any(|other| is_same_name(other, key))
        };
        let other = existing.elsewhere.iter().find(|tenant| resolving(&tenant.connections, wanted).is_some());
        let meets = open.iter().any(|other| *other != position && is_same_name(&suggested[*other], wanted));
        let base = if wanted.is_empty() { "connection" } else { wanted };
        let integrations: BTreeSet<&str> =
            groups[position].wishes.iter().map(|wish| wish.integration.as_str()).collect();
        let of_integrations = integrations.into_iter().collect::<Vec<_>>().join("\n");
        let plain = (!wanted.is_empty() && !meets && other.is_none()).then(|| wanted.clone());
        let endings = [String::new(), of_integrations].map(|more| with_ending(base, &head.identity(&more)));
        let key = plain.into_iter().chain(endings).chain(numbered(base)).find(|key| !is_taken(key));
        let Some(key) = key else { continue };
        if key != *wanted {
            let (integration, variable) = (head.integration.clone(), head.variable.name.clone());
            let (wanted, elsewhere) = (wanted.clone(), other.map(|tenant| tenant.tenant.clone()));
            notes.push(ImportNote::KeyTaken { integration, variable, wanted, key: key.clone(), elsewhere });
        }
        groups[position].key = Some(Key::New(key));
    }
}

/// The connection in this tenant that a key resolves to.
fn here<'e>(existing: &Existing<'e>, key: &str) -> Option<&'e Object<ConnectionSpec>> {
    resolving(existing.connections, key)
}

fn resolving<'e>(connections: &'e [Object<ConnectionSpec>], key: &str) -> Option<&'e Object<ConnectionSpec>> {
    let name = names::of_stable_key(key);
    connections.iter().find(|there| {
        there.name() == name || there.spec.replaces.iter().any(|older| names::of_stable_key(older) == name)
    })
}

fn is_same_name(key: &str, other: &str) -> bool {
    names::of_stable_key(key) == names::of_stable_key(other)
}

impl<'d> Group<'_, 'd> {
    /// Whether another integration's wish is the same connection: all global values are equal.
    fn takes(&self, wish: &Wish<'d>) -> bool {
        let Some(head) = self.wishes.first() else { return false };
        let agrees = |ours: &DefinitionInput| {
            let theirs = wish.inputs.iter().find(|theirs| theirs.name == ours.name);
            theirs.is_some_and(|theirs| {
                ours.of_organization == theirs.of_organization
                    && (!ours.of_organization || ours.value.agrees_with(&theirs.value))
            })
        };
        head.component.is(wish.component)
            && head.type_ == wish.type_
            && head.credentials() == wish.credentials()
            && head.chosen == wish.chosen
            && head.inputs.len() == wish.inputs.len()
            && head.inputs.iter().all(agrees)
            && !self.wishes.iter().any(|other| other.integration == wish.integration)
    }
}

impl Wish<'_> {
    fn make(&self, key: &str, notes: &mut Vec<ImportNote>) -> Object<ConnectionSpec> {
        let name = names::of_stable_key(key);
        let mut inputs = BTreeMap::new();
        for input in self.inputs {
            match self.becomes(&name, input) {
                Ok(becomes) => drop(inputs.insert(input.name.clone(), becomes)),
                Err(why) => notes.push(ImportNote::LeftOut {
                    key: key.to_string(),
                    input: input.name.clone(),
                    secret: input.secret,
                    credentials: self.credentials(),
                    why,
                }),
            }
        }
        notes.extend(secret_needed(key, &inputs));
        let spec = ConnectionSpec {
            stable_key: key.to_string(),
            title: Some(title(&self.variable.name)),
            description: None,
            component: self.component.clone(),
            type_: self.type_.to_string(),
            credentials: self.credentials(),
            embedded_workflows: None,
            inputs,
            test: None,
            replaces: Vec::new(),
            deletion_policy: None,
        };
        Object::new(name, spec)
    }

    /// Never global without a request: it is unknown whether one set serves all customers.
    fn credentials(&self) -> Credentials {
        if self.variable.visible_to_customer { Credentials::Customer } else { Credentials::OrganizationCustomer }
    }

    fn suggested_key(&self) -> String {
        names::of_text(&format!("{}-{}", self.component.key, self.type_))
    }

    /// A few letters derived from the content: component, type, variable, credentials, global values. For a secret,
    /// only that it is one.
    fn identity(&self, more: &str) -> String {
        let value = |input: &DefinitionInput| match self.becomes("", input) {
            Ok(becomes) => json!(becomes),
            Err(_) => json!(null),
        };
        let inputs: BTreeMap<&str, _> = self.inputs.iter().map(|i| (i.name.as_str(), value(i))).collect();
        let inputs: Vec<_> = inputs.into_iter().collect();
        let component = (&self.component.key, self.component.is_public());
        let what = json!([component, self.type_, self.variable.name, self.credentials(), inputs, more]);
        ending(&what.to_string())
    }

    fn reconnect(&self, key: &str) -> ImportNote {
        ImportNote::Reconnect {
            integration: self.integration.clone(),
            variable: self.variable.name.clone(),
            key: key.to_string(),
            credentials: self.credentials(),
        }
    }

    /// The input of the new connection; `Err` if it is omitted.
    fn becomes(&self, secret: &str, input: &DefinitionInput) -> Result<Input, LeftOutWhy> {
        if !input.of_organization {
            return Ok(Input::PER_CUSTOMER);
        }
        match &input.value {
            InputValue::Secret(_) => Ok(Input::secret(secret, secret_key(&input.name))),
            InputValue::Text(value) if value.chars().count() > bounds::VALUE => Err(LeftOutWhy::TooLong),
            InputValue::Text(value) => Ok(Input::value(value)),
            InputValue::Empty => Err(LeftOutWhy::Empty),
            InputValue::Placeholder => Err(LeftOutWhy::Placeholder),
            InputValue::Refers => Err(LeftOutWhy::Refers),
        }
    }

    fn is_kind_of(&self, there: &ConnectionSpec) -> bool {
        there.component.is(self.component) && there.type_ == self.type_ && there.credentials == self.credentials()
    }

    /// Whether an existing connection equals the wish. Secrets cannot be compared: within a tenant, connections with a
    /// secret of the organization are never shared; in another tenant the secret is different anyway. People may have
    /// filled in omitted inputs.
    fn is_like(&self, there: &ConnectionSpec, in_another_tenant: bool) -> bool {
        let fits = |input: &DefinitionInput| match (self.becomes("", input), there.inputs.get(&input.name)) {
            (Ok(Input::SecretRef(_)), Some(Input::SecretRef(_))) => in_another_tenant,
            (Ok(Input::SecretRef(_)), _) => false,
            (Ok(ours), Some(theirs)) => ours == *theirs,
            (Ok(_), None) => false,
            (Err(_), _) => true,
        };
        self.is_kind_of(there)
            && self.inputs.iter().all(fits)
            && there.inputs.keys().all(|name| self.inputs.iter().any(|i| i.name == *name))
    }
}

/// The Secret for these inputs. All references of one connection use one Secret.
pub(crate) fn secret_needed(key: &str, inputs: &BTreeMap<String, Input>) -> Option<ImportNote> {
    let secrets: Vec<&SecretRef> = inputs
        .values()
        .filter_map(|input| if let Input::SecretRef(secret) = input { Some(secret) } else { None })
        .collect();
    let secret = secrets.first()?.name.clone();
    let keys = secrets.iter().map(|secret| secret.key.clone()).collect();
    Some(ImportNote::SecretNeeded { key: key.to_string(), secret, keys })
}

/// The name of an input as a key of a Secret: letters, digits, `-`, `_` and `.`.
pub(crate) fn secret_key(input: &str) -> String {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    input.chars().map(|c| if legal(c) { c } else { '_' }).collect()
}
