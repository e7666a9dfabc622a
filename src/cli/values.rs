//! The options for the values of a connection.

use super::CommandFailure;
use crate::api::Input;
use crate::author::{self, Values};
use clap::Args;
use std::collections::BTreeMap;

/// The values of a connection.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct ValueOptions {
    /// A global value of an input: set once, the same for every customer (repeatable)
    #[arg(value_name = "INPUT=VALUE")]
    inputs: Vec<String>,
    /// A key of a Secret for an input; a version says that the content changed: NAME/KEY@2 (repeatable)
    #[arg(long = "secret", value_name = "INPUT=NAME/KEY")]
    secrets: Vec<String>,
    /// An input for which each customer has a value of their own (repeatable)
    #[arg(long = "per-customer", value_name = "INPUT")]
    per_customer: Vec<String>,
    /// A value of the test credentials (repeatable)
    #[arg(long = "test", value_name = "INPUT=VALUE")]
    test: Vec<String>,
    /// A key of a Secret for the test credentials (repeatable)
    #[arg(long = "test-secret", value_name = "INPUT=NAME/KEY")]
    test_secrets: Vec<String>,
    /// Whether customers may use it in the embedded workflow builder
    #[arg(long, value_name = "on|off", value_parser = ["on", "off"], hide_possible_values = true)]
    embedded: Option<String>,
    /// The title
    #[arg(long)]
    title: Option<String>,
    /// The description
    #[arg(long)]
    description: Option<String>,
}

impl ValueOptions {
    /// The values, and those that `unset` removes: an input, `test.INPUT`, `title` or `description`.
    pub(super) fn values(&self, unset: &[String]) -> Result<Values, CommandFailure> {
        let mut values = Values {
            title: self.title.clone().map(Some),
            description: self.description.clone().map(Some),
            embedded: self.embedded.as_deref().map(|on| on == "on"),
            ..Values::default()
        };
        for given in &self.inputs {
            let (name, value) = pair(given, "INPUT=VALUE")?;
            put(&mut values.inputs, name, Some(Input::value(value)))?;
        }
        for given in &self.secrets {
            let (name, secret) = pair(given, "INPUT=NAME/KEY")?;
            put(&mut values.inputs, name, Some(secret_ref("--secret", name, secret)?))?;
        }
        for name in &self.per_customer {
            put(&mut values.inputs, name_only("--per-customer", input(name))?, Some(Input::PER_CUSTOMER))?;
        }
        for given in &self.test {
            let (name, value) = pair(given, "INPUT=VALUE")?;
            put(&mut values.test, name, Some(Input::value(value)))?;
        }
        for given in &self.test_secrets {
            let (name, secret) = pair(given, "INPUT=NAME/KEY")?;
            put(&mut values.test, name, Some(secret_ref("--test-secret", name, secret)?))?;
        }
        for name in unset {
            name_only("--unset", name)?;
            let test = name.strip_prefix("test.inputs.").or_else(|| name.strip_prefix("test."));
            match (name.as_str(), test) {
                ("title", _) if values.title.is_none() => values.title = Some(None),
                ("description", _) if values.description.is_none() => values.description = Some(None),
                ("title" | "description", _) => return Err(twice(name)),
                (_, Some(test)) => put(&mut values.test, test, None)?,
                (name, None) => put(&mut values.inputs, input(name), None)?,
            }
        }
        Ok(values)
    }
}

/// Inputs of which each is a value or a reference to a Secret.
pub(super) fn inputs(values: &[String], secrets: &[String]) -> Result<BTreeMap<String, Input>, CommandFailure> {
    let mut inputs = BTreeMap::new();
    let all = ValueOptions { inputs: values.to_vec(), secrets: secrets.to_vec(), ..ValueOptions::default() };
    for (name, input) in all.values(&[])?.inputs {
        inputs.extend(input.map(|input| (name, input)));
    }
    Ok(inputs)
}

/// Fails if a name comes with a value, which may be a secret.
fn name_only<'n>(option: &str, name: &'n str) -> Result<&'n str, CommandFailure> {
    match name.split_once('=') {
        None => Ok(name),
        Some((name, _)) => {
            let message = format!("{option} {name}: it takes no value");
            Err(CommandFailure::new(message, format!("give the name only: {option} {name}")))
        }
    }
}

/// The name of an input, also where it is written as the path of a field.
fn input(name: &str) -> &str {
    name.strip_prefix("inputs.").unwrap_or(name)
}

fn pair<'a>(given: &'a str, shape: &str) -> Result<(&'a str, &'a str), CommandFailure> {
    match given.split_once('=') {
        Some((name, value)) if !input(name).is_empty() => Ok((input(name), value)),
        // What has no name may be a secret, so it is not repeated.
        _ => Err(CommandFailure::new(
            format!("one of the values has no name: write {shape}"),
            "for example scopes='api refresh'",
        )),
    }
}

pub(super) fn secret_ref(option: &str, name: &str, given: &str) -> Result<Input, CommandFailure> {
    let reference = author::secret_ref(given).map(Input::SecretRef);
    // It may be the secret itself.
    reference.ok_or_else(|| {
        CommandFailure::new(
            format!("{option} {name}: it is no reference to a Secret"),
            format!("name a Secret and its key, not the secret itself: {option} {name}=NAME/KEY"),
        )
    })
}

fn put(values: &mut BTreeMap<String, Option<Input>>, name: &str, value: Option<Input>) -> Result<(), CommandFailure> {
    match values.insert(name.to_string(), value) {
        None => Ok(()),
        Some(_) => Err(twice(name)),
    }
}

fn twice(name: &str) -> CommandFailure {
    CommandFailure::new(format!("{name} is given twice"), "give it once")
}
