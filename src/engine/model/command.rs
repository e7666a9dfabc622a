//! The command that makes the edit which a finding asks for.

use crate::api::{ComponentRef, ConnectionSpec, Credentials, Input, TypeInput, sensitive};
use crate::engine::model::field::Field;
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::ObjectId;
use crate::text::quoted;
use serde::{Serialize, Serializer};

const FORGET: &str = "forget";

/// A command of Stablekey that edits manifests. A word in capitals (`NAME/KEY`, `VALUE`) is for a person to replace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditCommand {
    words: Vec<String>,
    root: Option<String>,
    sources: Vec<(String, String)>,
}

impl EditCommand {
    /// The words after the program's name.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(String::as_str)
    }

    /// A command of these words.
    pub fn of(words: &[&str]) -> Self {
        EditCommand { words: words.iter().map(ToString::to_string).collect(), root: None, sources: Vec::new() }
    }

    fn and(mut self, words: &[&str]) -> Self {
        self.words.extend(words.iter().map(ToString::to_string));
        self
    }

    /// `set --tenant TENANT KEY`, which changes fields of a connection.
    pub fn set(tenant: &str, key: &str) -> Self {
        EditCommand::of(&["set", "--tenant", tenant, key])
    }

    /// `set KEY --tenant TENANT --unset FIELD`, which takes an override out. Unlike [`EditCommand::set`] it is for this
    /// tenant, wherever the connection comes from.
    pub fn unset_override(tenant: &str, key: &str, field: &str) -> Self {
        EditCommand::of(&["set", key, "--tenant", tenant, "--unset", field])
    }

    /// `new connection --tenant TENANT --key KEY`, as a connection elsewhere is, if there is one.
    pub fn new_connection(tenant: &str, key: &str, like: Option<&ConnectionSpec>) -> Self {
        let made = EditCommand::of(&["new", "connection", "--tenant", tenant]);
        match like {
            None => made.and(&["--key", key]),
            Some(spec) => made.and(&[
                "--component",
                &spec.component.typed(),
                "--type",
                &spec.type_,
                "--credentials",
                &spec.credentials.to_string(),
                "--key",
                key,
            ]),
        }
    }

    /// `new connection --tenant TENANT --like KEY`, as a connection of the tenant is, but for whose credentials it has.
    pub fn new_like(tenant: &str, like: &str, credentials: Credentials, key: &str) -> Self {
        let made = EditCommand::of(&["new", "connection", "--tenant", tenant, "--like", like]);
        made.and(&["--credentials", credentials.as_str(), "--key", key])
    }

    /// `new KIND`, which makes an object.
    pub fn new_object(kind: &str) -> Self {
        EditCommand::of(&["new", kind])
    }

    /// `resume NAME`, which goes on with the writes to a tenant, or of a sync.
    pub fn resume(name: &str) -> Self {
        EditCommand::of(&["resume", name])
    }

    /// `new component COMPONENT --tenant TENANT`, which declares a component.
    pub fn new_component(tenant: &str, component: &str) -> Self {
        let made = match component.strip_suffix(ComponentRef::PRIVATE) {
            Some(key) => EditCommand::of(&["new", "component", key, "--private"]),
            None => EditCommand::of(&["new", "component", component]),
        };
        // Where nothing declares or uses it, a person has to say what it offers.
        made.and(&["--tenant", tenant, "--type", "TYPE"])
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

    /// `keep TENANT KIND/NAME FIELD`, which makes a live value the desired one.
    pub fn keep(tenant: &str, object: &ObjectId, field: &Field<'_>) -> Self {
        EditCommand::of(&["keep", tenant, &object.to_string(), &field.to_string()])
    }

    /// Adds options.
    pub fn with(mut self, options: impl IntoIterator<Item = String>) -> Self {
        self.words.extend(options);
        self
    }

    /// The command without a question before it writes.
    pub fn without_question(self) -> Self {
        self.and(&["--yes"])
    }

    /// The tenant and the key of `set`, unless it says already why the tenant differs.
    pub fn changes(&self) -> Option<(&str, &str)> {
        match self.words.as_slice() {
            [set, option, tenant, key, ..] if set == "set" && option == "--tenant" && !self.has("--reason") => {
                Some((tenant, key))
            }
            _ => None,
        }
    }

    /// The commands that `set` stands for in a tenant to which a sync brings the connection: the change in the tenant
    /// that it comes from, if that has manifests, and the one of this tenant only, if an override can hold it.
    pub fn where_brought(&self, from: Option<&str>) -> Vec<EditCommand> {
        // Test credentials cross no sync.
        let is_test = |word: &String| ["--test", "--test-secret"].contains(&word.as_str());
        if self.words.len() == 6 && self.words.get(4).is_some_and(is_test) {
            return vec![self.clone()];
        }
        let there = from.map(|from| {
            let mut there = self.clone();
            there.words.get_mut(2).into_iter().for_each(|tenant| *tenant = from.to_string());
            there
        });
        let is_no_override = self.has("--per-customer") || self.has("--unset");
        let here = (!is_no_override).then(|| self.clone().with_reason());
        there.into_iter().chain(here).collect()
    }

    fn has(&self, option: &str) -> bool {
        self.words.iter().any(|word| word == option)
    }

    fn to(self, key: Option<&str>) -> Self {
        match key {
            Some(key) => self.and(&["--to", key]),
            None => self,
        }
    }

    /// Says why a tenant that a sync feeds differs, for a person to fill in: it becomes an override.
    pub fn with_reason(self) -> Self {
        self.and(&["--reason", "REASON"])
    }

    /// `new connection --tenant TENANT`, of a component if it is known.
    pub fn new_connection_of(tenant: &str, component: Option<&ComponentRef>) -> Self {
        let made = EditCommand::of(&["new", "connection", "--tenant", tenant]);
        match component {
            Some(component) => made.and(&["--component", &component.typed()]),
            None => made,
        }
    }

    /// `rename-key OLD NEW`, which lets a connection with a new key replace another one.
    pub fn rename_key(old: &str, new: &str) -> Self {
        EditCommand::of(&["rename-key", old, new])
    }

    /// Whether it edits manifests in files; `forget` changes ownership records only.
    pub fn edits_manifests(&self) -> bool {
        self.words.first().is_none_or(|word| word != FORGET)
    }

    /// `forget TENANT WRITER`, which ends what a vanished writer left.
    pub fn forget(tenant: &str, writer: &str) -> Self {
        EditCommand::of(&[FORGET, tenant, writer])
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

    /// Names the folder of the project, unless it is the current one.
    pub fn below(&mut self, root: Option<&str>) {
        self.root = root.map(str::to_string);
    }

    /// Names the folders that are given to tenants as their sources.
    pub fn with_sources(&mut self, sources: &[(String, String)]) {
        self.sources = sources.to_vec();
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
        self.root.iter().try_for_each(|root| write!(f, " -C {}", quoted(root)))?;
        self.sources
            .iter()
            .try_for_each(|(tenant, path)| write!(f, " --source {}", quoted(&format!("{tenant}={path}"))))
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
        command.with_sources(&[("eu".to_string(), "../eu".to_string())]);
        assert!(command.to_string().ends_with("--to crm -C 'my files' --source eu=../eu"), "{command}");
        assert_eq!(
            EditCommand::set("eu", "crm").secret("token").per_customer("url").to_string(),
            "stablekey set --tenant eu crm --secret token=NAME/KEY --per-customer url"
        );
        assert_eq!(serde_json::to_value(EditCommand::forget("eu", "sync/s")).unwrap(), "stablekey forget eu sync/s");
    }

    /// In a tenant that a sync feeds, a value is an override with a reason, and comes from another tenant.
    #[test]
    fn where_a_sync_brings_the_connection_both_ways_are_complete() {
        let words = |command: &EditCommand| {
            command.where_brought(Some("us")).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let set = EditCommand::set("eu", "crm");
        assert_eq!(set.changes(), Some(("eu", "crm")));
        assert_eq!(
            words(&set.clone().value("url")),
            ["stablekey set --tenant us crm url=VALUE", "stablekey set --tenant eu crm url=VALUE --reason REASON"]
        );
        assert_eq!(words(&set.clone().per_customer("url")), ["stablekey set --tenant us crm --per-customer url"]);
        assert_eq!(words(&set.clone().test_secret("a")), ["stablekey set --tenant eu crm --test-secret a=NAME/KEY"]);
        assert_eq!(set.with_reason().changes(), None);
        assert_eq!(EditCommand::forget("eu", "sync/s").changes(), None);
    }

    #[test]
    fn an_input_is_renamed_with_what_it_is_given() {
        let to = |given| EditCommand::set("eu", "crm").renaming("scope", "scopes", &given).to_string();
        assert_eq!(to(Input::value("hunter2")), "stablekey set --tenant eu crm scopes=VALUE --unset scope");
        assert!(to(Input::PER_CUSTOMER).ends_with("crm --per-customer scopes --unset scope"));
    }
}
