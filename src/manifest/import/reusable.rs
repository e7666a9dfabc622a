//! The reusable connections that an import makes of an integration's own: whose credentials they
//! are, what becomes of each input, and which stable key they get.

use super::{LeftOutWhy, Note, bounds, numbered, title};
use crate::api::{ComponentRef, ConnectionSpec, Credentials, Input, Object, names};
use crate::manifest::definition::{ConnectionVariable, DefinitionInput, InputValue};
use std::collections::BTreeMap;

/// A variable that shall become a reusable connection.
pub(super) struct Wish<'w, 'd> {
    pub integration: &'w str,
    pub variable: &'d ConnectionVariable,
    pub component: &'d ComponentRef,
    pub type_: &'d str,
    pub inputs: &'d [DefinitionInput],
}

/// A connection that this import makes.
pub(super) struct Made<'d> {
    pub object: Object<ConnectionSpec>,
    inputs: &'d [DefinitionInput],
    integrations: Vec<String>,
}

/// The connections of the tenant: those there are, and those made so far.
pub(super) struct Connections<'d> {
    existing: &'d [Object<ConnectionSpec>],
    pub made: Vec<Made<'d>>,
    /// By integration, the existing connections that it shares.
    shared: Vec<(String, String)>,
}

/// Whether a connection of a wanted name is there.
enum There {
    No,
    MayShare(String),
    Taken,
}

impl<'d> Connections<'d> {
    pub fn new(existing: &'d [Object<ConnectionSpec>]) -> Self {
        Connections { existing, made: Vec::new(), shared: Vec::new() }
    }

    /// The stable key that the variable is bound to: of a new connection, or of one that another
    /// integration has with the same global values. `None` where none can be made: said in a note.
    pub fn make_or_share(&mut self, wish: &Wish<'_, 'd>, notes: &mut Vec<Note>) -> Option<String> {
        let variable = wish.variable.name.clone();
        if wish.inputs.len() > bounds::INPUTS {
            let integration = wish.integration.to_string();
            notes.push(Note::TooManyInputs { integration, variable, count: wish.inputs.len() });
            return None;
        }
        let suggested = wish.suggested_key();
        let of_variable = names::of_text(&wish.variable.name);
        let base = [&suggested, &of_variable].into_iter().find(|key| !key.is_empty()).cloned();
        let base = base.unwrap_or_else(|| "connection".to_string());
        let candidates = [suggested.clone(), of_variable].into_iter().chain(numbered(&base));
        for key in candidates.filter(|key| !key.is_empty()) {
            match self.there(&key, wish) {
                There::Taken => continue,
                There::MayShare(key) => {
                    self.share(&key, wish);
                    let integration = wish.integration.to_string();
                    notes.push(Note::Shared { integration, variable, key: key.clone() });
                    notes.push(wish.reconnect(&key));
                    return Some(key);
                }
                There::No => {
                    if key != suggested {
                        let integration = wish.integration.to_string();
                        notes.push(Note::KeyTaken {
                            integration,
                            variable,
                            wanted: suggested.clone(),
                            key: key.clone(),
                        });
                    }
                    self.make(&key, wish, notes);
                    notes.push(wish.reconnect(&key));
                    return Some(key);
                }
            }
        }
        None
    }

    fn there(&self, key: &str, wish: &Wish<'_, '_>) -> There {
        let name = names::of_stable_key(key);
        if let Some(made) = self.made.iter().find(|made| made.object.name() == name) {
            let fits = made.fits(wish) && !made.integrations.iter().any(|other| other == wish.integration);
            return if fits { There::MayShare(made.object.spec.stable_key.clone()) } else { There::Taken };
        }
        let answers = |there: &&Object<ConnectionSpec>| {
            there.name() == name || there.spec.replaces.iter().any(|older| names::of_stable_key(older) == name)
        };
        match self.existing.iter().find(answers) {
            None => There::No,
            Some(there) => {
                let key = &there.spec.stable_key;
                let used = self.shared.iter().any(|(by, other)| by == wish.integration && other == key);
                let fits = there.name() == name && wish.is_like(&there.spec);
                if fits && !used { There::MayShare(key.clone()) } else { There::Taken }
            }
        }
    }

    fn share(&mut self, key: &str, wish: &Wish<'_, '_>) {
        match self.made.iter_mut().find(|made| made.object.spec.stable_key == key) {
            Some(made) => made.integrations.push(wish.integration.to_string()),
            None => self.shared.push((wish.integration.to_string(), key.to_string())),
        }
    }

    fn make(&mut self, key: &str, wish: &Wish<'_, 'd>, notes: &mut Vec<Note>) {
        let name = names::of_stable_key(key);
        let mut inputs = BTreeMap::new();
        for input in wish.inputs {
            match wish.becomes(&name, input) {
                Ok(becomes) => drop(inputs.insert(input.name.clone(), becomes)),
                Err(why) => notes.push(Note::LeftOut {
                    key: key.to_string(),
                    input: input.name.clone(),
                    secret: input.secret,
                    credentials: wish.credentials(),
                    why,
                }),
            }
        }
        notes.extend(secret_needed(key, &inputs));
        let spec = ConnectionSpec {
            stable_key: key.to_string(),
            title: Some(title(&wish.variable.name)),
            description: None,
            component: wish.component.clone(),
            type_: wish.type_.to_string(),
            credentials: wish.credentials(),
            embedded_workflows: None,
            inputs,
            test: None,
            replaces: Vec::new(),
            deletion_policy: None,
        };
        let integrations = vec![wish.integration.to_string()];
        self.made.push(Made { object: Object::new(name, spec), inputs: wish.inputs, integrations });
    }
}

impl Wish<'_, '_> {
    /// Never global unasked: we cannot know that one set serves all customers.
    fn credentials(&self) -> Credentials {
        if self.variable.visible_to_customer { Credentials::Customer } else { Credentials::OrganizationCustomer }
    }

    fn suggested_key(&self) -> String {
        names::of_text(&format!("{}-{}", self.component.key, self.type_))
    }

    fn reconnect(&self, key: &str) -> Note {
        Note::Reconnect {
            integration: self.integration.to_string(),
            variable: self.variable.name.clone(),
            key: key.to_string(),
            credentials: self.credentials(),
        }
    }

    /// What becomes of an input; `Err` where it is left out.
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

    /// Whether a connection of the tenant is what this one would be. A secret there cannot be
    /// compared, so nothing with a secret of ours is shared; what we would leave out, people may have filled in.
    fn is_like(&self, there: &ConnectionSpec) -> bool {
        let same_kind =
            there.component.is(self.component) && there.type_ == self.type_ && there.credentials == self.credentials();
        let fits = |input: &DefinitionInput| match (self.becomes("", input), there.inputs.get(&input.name)) {
            (Ok(Input::SecretRef(_)), _) => false,
            (Ok(ours), Some(theirs)) => ours == *theirs,
            (Ok(_), None) => false,
            (Err(_), _) => true,
        };
        same_kind
            && self.inputs.iter().all(fits)
            && there.inputs.keys().all(|name| self.inputs.iter().any(|i| i.name == *name))
    }
}

impl Made<'_> {
    /// Whether another integration's wish is the same connection: all global values agree.
    fn fits(&self, wish: &Wish<'_, '_>) -> bool {
        let spec = &self.object.spec;
        let same_kind =
            spec.component.is(wish.component) && spec.type_ == wish.type_ && spec.credentials == wish.credentials();
        let agrees = |ours: &DefinitionInput| {
            let theirs = wish.inputs.iter().find(|theirs| theirs.name == ours.name);
            theirs.is_some_and(|theirs| {
                ours.of_organization == theirs.of_organization
                    && (!ours.of_organization || ours.value.agrees_with(&theirs.value))
            })
        };
        same_kind && self.inputs.len() == wish.inputs.len() && self.inputs.iter().all(agrees)
    }
}

/// The Secret that these inputs need. All of an import's references of one connection name one Secret.
pub(crate) fn secret_needed(key: &str, inputs: &BTreeMap<String, Input>) -> Option<Note> {
    let keys: Vec<String> = inputs
        .values()
        .filter_map(|input| if let Input::SecretRef(secret) = input { Some(secret.key.clone()) } else { None })
        .collect();
    let secret = names::of_stable_key(key);
    (!keys.is_empty()).then(|| Note::SecretNeeded { key: key.to_string(), secret, keys })
}

/// The input's name as a key of a Secret: letters, digits, `-`, `_` and `.`.
pub(crate) fn secret_key(input: &str) -> String {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    input.chars().map(|c| if legal(c) { c } else { '_' }).collect()
}
