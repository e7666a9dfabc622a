//! The values of a connection that a person gives: by flags, or as answers.

use super::error::AuthorError;
use crate::api::{ConnectionSpec, Input, SecretRef, is_inferred, names, rules, sensitive};
use crate::engine::check;
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::Item;
use crate::near_miss::meant;
use std::collections::BTreeMap;

/// New values of a connection. `None` as the value of an input removes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    /// The title; `Some(None)` removes it.
    pub title: Option<Option<String>>,
    /// The description; `Some(None)` removes it.
    pub description: Option<Option<String>>,
    /// Whether customers may use it in the embedded workflow builder.
    pub embedded: Option<bool>,
    /// The inputs.
    pub inputs: BTreeMap<String, Option<Input>>,
    /// The inputs of the test credentials.
    pub test: BTreeMap<String, Option<Input>>,
}

/// Parses a reference to a Secret, `NAME/KEY`. The text is never quoted: it may be the secret itself.
pub fn secret_ref(given: &str) -> Option<SecretRef> {
    let (given, version) = given.split_once('@').map_or((given, None), |(given, version)| (given, Some(version)));
    let (name, key) = given.trim().split_once('/')?;
    let is_key = |key: &str| {
        !key.is_empty() && key.len() <= 253 && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
    };
    (names::is_object_name(name) && is_key(key) && version != Some("")).then(|| SecretRef {
        name: name.to_string(),
        key: key.to_string(),
        version: version.map(str::to_string),
    })
}

impl Values {
    /// Whether nothing is given.
    pub fn is_empty(&self) -> bool {
        *self == Values::default()
    }

    /// The options that give these values. `without` is how an absent value is written: `--unset NAME`, or `NAME=`.
    pub(super) fn options(&self, without: Without) -> Vec<String> {
        let mut words = Vec::new();
        for (name, input) in &self.inputs {
            match input {
                Some(Input::Value(value)) => words.push(format!("{name}={}", shown(name, value))),
                Some(Input::SecretRef(secret)) => option(&mut words, "--secret", &format!("{name}={}", typed(secret))),
                Some(Input::PerCustomer(_)) => option(&mut words, "--per-customer", name),
                None if without == Without::Unset => option(&mut words, "--unset", name),
                None => words.push(format!("{name}=")),
            }
        }
        for (name, input) in &self.test {
            match input {
                Some(Input::Value(value)) => option(&mut words, "--test", &format!("{name}={}", shown(name, value))),
                Some(Input::SecretRef(secret)) => {
                    option(&mut words, "--test-secret", &format!("{name}={}", typed(secret)));
                }
                Some(Input::PerCustomer(_)) => {}
                None if without == Without::Unset => option(&mut words, "--unset", &format!("test.{name}")),
                None => {}
            }
        }
        if let Some(embedded) = self.embedded {
            option(&mut words, "--embedded", if embedded { "on" } else { "off" });
        }
        for (name, text) in [("title", &self.title), ("description", &self.description)] {
            match text {
                Some(Some(text)) => option(&mut words, &format!("--{name}"), shown(name, text)),
                Some(None) if without == Without::Unset => option(&mut words, "--unset", name),
                Some(None) => option(&mut words, &format!("--{name}"), ""),
                None => {}
            }
        }
        words
    }

    /// Writes the values into a spec.
    pub fn write(&self, spec: &mut ConnectionSpec) {
        if let Some(title) = &self.title {
            spec.title.clone_from(title);
        }
        if let Some(description) = &self.description {
            spec.description.clone_from(description);
        }
        spec.embedded_workflows = self.embedded.or(spec.embedded_workflows);
        write(&self.inputs, &mut spec.inputs);
        if !self.test.is_empty() {
            let test = spec.test.get_or_insert_default();
            write(&self.test, &mut test.inputs);
            if test.inputs.is_empty() {
                spec.test = None;
            }
        }
    }

    /// Fails if a name of an input is unknown to the connection's type and near to a known one, or if a secret is given
    /// as a value. No value is quoted.
    pub fn check(&self, spec: &ConnectionSpec, known: &[&Inventory]) -> Result<(), AuthorError> {
        let types = || known.iter().flat_map(|inventory| inventory.types_of(spec)).flat_map(|t| t.inputs.keys());
        // A Component that was inferred from use does not list all inputs.
        let of_component = known.iter().filter_map(|inventory| inventory.component_object(&spec.component));
        let mut of_component = of_component.map(|component| !is_inferred(&component.metadata));
        let is_declared = of_component.next() == Some(true) && types().next().is_some();
        let names: Vec<&str> = types().chain(spec.inputs.keys()).map(String::as_str).collect();
        for (name, value) in self.inputs.iter().chain(&self.test) {
            let near = meant(name, names.iter().copied()).filter(|_| !names.contains(&name.as_str()));
            let is_unknown = (value.is_none() || is_declared) && !names.contains(&name.as_str());
            if let Some(near) = near {
                let message = format!("{} has no input {name}", spec.type_);
                return Err(AuthorError::refused(message, format!("did you mean {near}?")));
            }
            if is_unknown {
                return Err(AuthorError::unknown(&format!("input of {}:", spec.type_), name, names.iter().copied()));
            }
        }
        let mut after = spec.clone();
        self.write(&mut after);
        let object = crate::api::Object::new(names::of_stable_key(&after.stable_key), after);
        let item = Item::Connection(object.into());
        let literals: Vec<String> = check::secret_literals(&item, known).into_iter().map(str::to_string).collect();
        let given: Vec<&str> = literals
            .iter()
            .map(String::as_str)
            .filter(|name| self.inputs.contains_key(*name) || self.test.contains_key(*name))
            .collect();
        match given.first() {
            None => Ok(()),
            Some(first) => {
                let option = if self.inputs.contains_key(*first) { "--secret" } else { "--test-secret" };
                let message = format!("SK0120: {} is a secret, and is not written as a value", given.join(", "));
                Err(AuthorError::refused(message, format!("{}: {option} {first}=NAME/KEY", rules::SECRET_LITERAL)))
            }
        }
    }
}

/// How an option says that there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Without {
    /// It removes the one that is there.
    Unset,
    /// It leaves the new one empty.
    Empty,
}

/// Adds an option and its value, which may begin with a dash.
pub(super) fn option(words: &mut Vec<String>, name: &str, value: &str) {
    match value.starts_with('-') {
        true => words.push(format!("{name}={value}")),
        false => words.extend([name.to_string(), value.to_string()]),
    }
}

/// A value in a command; a placeholder where it may be a secret.
pub(super) fn shown<'v>(name: &str, value: &'v str) -> &'v str {
    if sensitive::has_secret(value) || sensitive::hides(name) { "VALUE" } else { value }
}

/// A reference as a person types it; one that is not known is for a person to fill in.
fn typed(secret: &SecretRef) -> String {
    let version = secret.version.iter().map(|version| format!("@{version}")).collect::<String>();
    if secret.is_unknown() { "NAME/KEY".to_string() } else { format!("{}/{}{version}", secret.name, secret.key) }
}

fn write(values: &BTreeMap<String, Option<Input>>, inputs: &mut BTreeMap<String, Input>) {
    for (name, value) in values {
        match value {
            Some(value) => drop(inputs.insert(name.clone(), value.clone())),
            None => drop(inputs.remove(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_give_the_same_values_again() {
        let secret = |given: &str| Some(Input::SecretRef(secret_ref(given).unwrap()));
        let values = Values {
            title: Some(Some("-x".to_string())),
            description: Some(None),
            embedded: Some(false),
            inputs: [
                ("a".to_string(), Some(Input::value("1 2"))),
                ("b".to_string(), secret("app/b@2")),
                ("c".to_string(), Some(Input::PER_CUSTOMER)),
                ("d".to_string(), None),
                ("password".to_string(), Some(Input::value("hunter2"))),
            ]
            .into(),
            test: [("a".to_string(), Some(Input::value("3"))), ("b".to_string(), None)].into(),
        };
        assert_eq!(
            values.options(Without::Unset).join("|"),
            "a=1 2|--secret|b=app/b@2|--per-customer|c|--unset|d|password=VALUE|--test|a=3|--unset|test.b|--embedded|off|\
             --title=-x|--unset|description"
        );
        assert_eq!(
            values.options(Without::Empty).join("|"),
            "a=1 2|--secret|b=app/b@2|--per-customer|c|d=|password=VALUE|--test|a=3|--embedded|off|--title=-x|\
             --description|"
        );
    }
}
