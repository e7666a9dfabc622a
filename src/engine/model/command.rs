//! The command that makes the edit which a finding asks for.

use crate::api::{ComponentRef, ConnectionSpec, Input, TypeInput, sensitive};
use crate::engine::model::inventory::Inventory;
use crate::text::quoted;
use serde::{Serialize, Serializer};

/// A command of Stablekey that edits manifests. A word in capitals (`NAME/KEY`, `VALUE`) is for a person to replace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditCommand {
    words: Vec<String>,
    root: Option<String>,
}

impl EditCommand {
    /// A command of these words.
    pub fn of(words: &[&str]) -> Self {
        EditCommand { words: words.iter().map(ToString::to_string).collect(), root: None }
    }

    fn and(mut self, words: &[&str]) -> Self {
        self.words.extend(words.iter().map(ToString::to_string));
        self
    }

    /// `set --tenant TENANT KEY`, which changes fields of a connection.
    pub fn set(tenant: &str, key: &str) -> Self {
        EditCommand::of(&["set", "--tenant", tenant, key])
    }

    /// `new connection --tenant TENANT --key KEY`, as a connection elsewhere is, if there is one.
    pub fn new_connection(tenant: &str, key: &str, like: Option<&ConnectionSpec>) -> Self {
        let made = EditCommand::of(&["new", "connection", "--tenant", tenant]);
        match like {
            None => made.and(&["--key", key]),
            Some(spec) => made.and(&[
                "--component",
                &spec.component.key,
                "--type",
                &spec.type_,
                "--credentials",
                &spec.credentials.to_string(),
                "--key",
                key,
            ]),
        }
    }

    /// `new component COMPONENT --tenant TENANT`, which declares a component.
    pub fn new_component(tenant: &str, component: &str) -> Self {
        EditCommand::of(&["new", "component", component, "--tenant", tenant])
    }

    /// `switch TENANT INTEGRATION --variable NAME --to KEY`, which moves all that use a variable.
    pub fn switch_variable(tenant: &str, integration: &str, variable: &str, to: &str) -> Self {
        EditCommand::switch(tenant, integration, "--variable", variable, Some(to))
    }

    /// `switch TENANT INTEGRATION --step NAME --to KEY`, which moves one step.
    pub fn switch_step(tenant: &str, integration: &str, step: &str, to: &str) -> Self {
        EditCommand::switch(tenant, integration, "--step", step, Some(to))
    }

    /// `switch TENANT INTEGRATION --data-source NAME --to KEY`, which moves one data source.
    pub fn switch_data_source(tenant: &str, integration: &str, variable: &str, to: &str) -> Self {
        EditCommand::switch(tenant, integration, "--data-source", variable, Some(to))
    }

    /// `switch TENANT --all --from KEY --to KEY`, which moves all variables of a key.
    pub fn switch_all(tenant: &str, from: &str, to: &str) -> Self {
        EditCommand::of(&["switch", tenant, "--all", "--from", from, "--to", to])
    }

    /// `switch TENANT INTEGRATION …`, which moves the uses that an option names, such as `--step`. Without a key, the
    /// connections that fit are listed.
    pub fn switch(tenant: &str, integration: &str, option: &str, name: &str, to: Option<&str>) -> Self {
        EditCommand::of(&["switch", tenant, integration, option, name]).to(to)
    }

    /// `bind TENANT INTEGRATION --step NAME`, which gives a step its connection.
    pub fn bind(tenant: &str, integration: &str, step: &str, to: Option<&str>) -> Self {
        EditCommand::of(&["bind", tenant, integration, "--step", step]).to(to)
    }

    fn to(self, key: Option<&str>) -> Self {
        match key {
            Some(key) => self.and(&["--to", key]),
            None => self,
        }
    }

    /// Says why it differs in one tenant, for a person to fill in.
    pub fn with_reason(self) -> Self {
        self.and(&["--reason", "REASON"])
    }

    /// `new connection --tenant TENANT`, of a component if it is known.
    pub fn new_connection_of(tenant: &str, component: Option<&ComponentRef>) -> Self {
        let made = EditCommand::of(&["new", "connection", "--tenant", tenant]);
        match component {
            Some(component) => made.and(&["--component", &component.key]),
            None => made,
        }
    }

    /// `rename-key OLD NEW`, which lets a connection with a new key replace another one.
    pub fn rename_key(old: &str, new: &str) -> Self {
        EditCommand::of(&["rename-key", old, new])
    }

    /// `forget TENANT WRITER`, which ends what a vanished writer left.
    pub fn forget(tenant: &str, writer: &str) -> Self {
        EditCommand::of(&["forget", tenant, writer])
    }

    /// Gives each of these inputs a value, or a reference where it is a secret.
    pub fn giving(self, inputs: &[&str], connection: &ConnectionSpec, inventory: &Inventory) -> Self {
        inputs.iter().fold(self, |command, input| match is_secret(input, connection, inventory) {
            true => command.and(&["--secret", &format!("{input}=NAME/KEY")]),
            false => command.and(&[&format!("{input}=VALUE")]),
        })
    }

    /// Gives an input a reference to a secret.
    pub fn secret(self, input: &str) -> Self {
        self.and(&["--secret", &format!("{input}=NAME/KEY")])
    }

    /// Gives a test input a reference to a secret.
    pub fn test_secret(self, input: &str) -> Self {
        self.and(&["--test-secret", &format!("{input}=NAME/KEY")])
    }

    /// Gives an input a value that a person has to fill in.
    pub fn value(self, input: &str) -> Self {
        self.and(&[&format!("{input}=VALUE")])
    }

    /// Makes each customer supply an input.
    pub fn per_customer(self, input: &str) -> Self {
        self.and(&["--per-customer", input])
    }

    /// Renames an input. Its value is for a person to repeat: under a misspelt name it may be a secret.
    pub fn renaming(self, from: &str, to: &str, given: &Input) -> Self {
        let renamed = match given {
            Input::Value(_) => self.value(to),
            Input::SecretRef(of) => self.and(&["--secret", &format!("{to}={}/{}", of.name, of.key)]),
            Input::PerCustomer(_) => self.per_customer(to),
        };
        renamed.and(&["--unset", from])
    }

    /// Says why a tenant that a sync feeds has its own value: it becomes an override.
    pub fn because(self) -> Self {
        self.and(&["--reason", "WHY"])
    }

    /// Names the folder of the project, unless it is the current one.
    pub fn below(&mut self, root: Option<&str>) {
        self.root = root.map(str::to_string);
    }
}

/// Whether an input can only be a reference.
pub fn is_secret(input: &str, connection: &ConnectionSpec, inventory: &Inventory) -> bool {
    let of_type = |type_: &crate::api::ConnectionType| type_.inputs.get(input).is_some_and(TypeInput::is_secret);
    sensitive::is_sensitive(input) || inventory.connection_type(connection).is_some_and(of_type)
}

/// The one connection of a component in a tenant; `None` also where there are several to choose from.
pub fn only_of<'i>(component: &ComponentRef, inventory: &'i Inventory) -> Option<&'i str> {
    let mut of_it = inventory.connections.values().filter(|c| c.spec.component.is(component));
    let first = of_it.next()?;
    of_it.next().is_none().then_some(first.spec.stable_key.as_str())
}

impl std::fmt::Display for EditCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stablekey")?;
        self.words.iter().try_for_each(|word| write!(f, " {}", quoted(word)))?;
        self.root.iter().try_for_each(|root| write!(f, " -C {}", quoted(root)))
    }
}

impl Serialize for EditCommand {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_pasted() {
        let mut command = EditCommand::switch_variable("eu", "lead-router", "CRM of sales", "crm");
        assert_eq!(command.to_string(), "stablekey switch eu lead-router --variable 'CRM of sales' --to crm");
        command.below(Some("my files"));
        assert_eq!(
            command.to_string(),
            "stablekey switch eu lead-router --variable 'CRM of sales' --to crm -C 'my files'"
        );
        assert_eq!(
            EditCommand::set("eu", "crm").secret("token").per_customer("url").to_string(),
            "stablekey set --tenant eu crm --secret token=NAME/KEY --per-customer url"
        );
        assert_eq!(serde_json::to_value(EditCommand::forget("eu", "sync/s")).unwrap(), "stablekey forget eu sync/s");
    }

    #[test]
    fn an_input_is_renamed_with_what_it_is_given() {
        let to = |given| EditCommand::set("eu", "crm").renaming("scope", "scopes", &given).to_string();
        assert_eq!(to(Input::value("hunter2")), "stablekey set --tenant eu crm scopes=VALUE --unset scope");
        assert!(to(Input::PER_CUSTOMER).ends_with("crm --per-customer scopes --unset scope"));
    }
}
