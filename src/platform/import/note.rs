//! Notes of an import: what a person should know or do. No note contains a value.

use crate::api::{ComponentRef, Credentials, names};
use crate::platform::answer::document::Gap;
use crate::platform::definition::{CURRENT_VERSION, DefinitionError, Emptied, EmptiedPlace};
use crate::text::and;
use std::fmt;

/// The severity of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// A part was not imported.
    Error,
    /// A manual step.
    Manual,
    /// A key of the platform that is not imported, and need not be.
    Skipped,
    /// Worth knowing.
    Information,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The names of the fields are clear; the text is in `Display`.
pub enum ImportNote {
    /// The file is not a readable definition.
    Unreadable { file: String, error: DefinitionError },
    /// The file is a workflow of the embedded builder.
    Workflow { file: String },
    /// The definition has more connection variables than an Integration may have.
    TooManyVariables { file: String, count: usize },
    /// The name of a variable is too long for an Integration.
    NameTooLong { file: String, line: usize },
    /// `--reusable` refers to a variable that no file has.
    NoSuchVariable { name: String, known: Vec<String> },
    /// A variable is bound to a key that is not a valid stable key.
    KeyNotOurs { file: String, variable: String, key: String, why: UnfitKey },
    /// A connection has more inputs than a Connection may have.
    TooManyInputs { integration: String, variable: String, count: usize },
    /// Two components have the same name, or a component has none.
    ComponentLeftOut { component: ComponentRef },
    /// A component has more connection types, or inputs of one, than a Component may have.
    ComponentTooLarge { component: ComponentRef },
    /// The platform's answer is incomplete.
    Incomplete { list: &'static str, gap: Gap },
    /// A binding to a connection of which only the key is known.
    WhichType { integration: String, variable: String, key: String, components: Vec<ComponentRef> },
    /// A literal secret was emptied.
    SecretEmptied { file: String, emptied: Emptied },
    /// A new connection refers to a Secret with these keys.
    SecretNeeded { key: String, secret: String, keys: Vec<String> },
    /// The platform has the secrets that connections refer to: as `Secret/key`.
    SecretsThere { secrets: Vec<String> },
    /// An integration was edited here since the last import.
    Edited { name: String },
    /// An input is omitted from a new connection.
    LeftOut { key: String, input: String, secret: bool, credentials: Credentials, why: LeftOutWhy },
    /// Customers' credentials are not moved from the integration's own connection.
    Reconnect { integration: String, variable: String, key: String, credentials: Credentials },
    /// The platform reports that a connection does not work.
    NotActive { key: String, status: String },
    /// A connection type is used that the tenant's component does not list.
    TypesNotListed { component: ComponentRef, types: Vec<String> },
    /// A connection of the platform that is not imported.
    Skipped { key: String, title: String, why: UnfitKey },
    /// The definition has an older version, whose connections are not read.
    OlderVersion { file: String, version: Option<u64> },
    /// The definition has a newer or unknown version.
    UnreadVersion { file: String, version: Option<u64> },
    /// The name of the integration is not derived from its title alone.
    Renamed { file: String, title: String, name: String, by: Option<String> },
    /// The connection in the folder differs from the one on the platform.
    Differs { key: String },
    /// An existing integration was imported again.
    Again { file: String, name: String },
    /// The suggested key is already in use, here or in another tenant.
    KeyTaken { integration: String, variable: String, wanted: String, key: String, elsewhere: Option<String> },
    /// The key that a person chose belongs to another connection.
    ChosenTaken { integration: String, variable: String, key: String },
    /// A bound variable is no longer in the definition; lists the new ones.
    BoundVariableGone { integration: String, variable: String, key: String, new: Vec<String> },
    /// A bound variable was removed, and another one is bound to the same key.
    BoundVariableRenamed { integration: String, variable: String, key: String, to: String },
    /// A bound variable has another component or type than the connection that it is bound to.
    BoundVariableDiffers { integration: String, variable: String, key: String, is: String, was: String },
    /// The definition binds a variable to another key than the tenant did.
    Rebound { integration: String, variable: String, from: String, to: String },
    /// An integration from an earlier import is missing; names one that may have replaced it.
    IntegrationGone { name: String, title: String, near: Option<String> },
    /// No integration is bound to a connection any more; names one that may have replaced it.
    ConnectionUnused { key: String, near: Option<String> },
    /// The platform lacks a connection of the folder; names one that may have replaced it.
    ConnectionGone { key: String, near: Option<String> },
    /// The number of variables that stay the integrations' own, and one of them.
    Private { count: usize, one: String },
    /// Two integrations share a connection.
    Shared { integration: String, variable: String, key: String },
    /// The connection is for the component that the integration's own code creates.
    OwnComponent { integration: String, variable: String },
    /// The definition was converted from UTF-16 to UTF-8.
    Converted { file: String },
    /// The number of customers with credentials for a connection.
    Customers { key: String, count: u64 },
    /// The number of customers of the tenant.
    AllCustomers { count: u64 },
}

/// The reason why an input is omitted from a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOutWhy {
    /// The definition has no value.
    Empty,
    /// The definition has a placeholder.
    Placeholder,
    /// The definition refers to another variable or uses a template.
    Refers,
    /// The value is too long for an input.
    TooLong,
    /// The input is required, and the platform has no value.
    EmptyThere,
}

/// The reason why a key of the platform is not a valid stable key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum UnfitKey {
    /// It has more than 63 characters.
    TooLong,
    /// It has invalid characters, or none.
    Characters,
    /// Another key has the same name.
    SameName { other: String },
    /// It belongs to the platform, and is used for building only.
    Platform,
    /// It belongs to one customer.
    OneCustomer,
    /// The platform does not provide its component and type.
    NoType,
    /// The platform has an unknown value for its credentials.
    UnknownCredentials,
    /// It has more inputs than a Connection may have.
    TooManyInputs,
    /// A part of it is null: the platform could not read it.
    Unread,
    /// A part of its component is null: which of its inputs are secrets is unknown.
    UnreadComponent,
    /// Another connection has the same key.
    Twice,
}

impl UnfitKey {
    /// The reason why a text is not a valid stable key.
    pub(crate) fn of_text(key: &str) -> UnfitKey {
        if key.chars().count() > names::MAX { UnfitKey::TooLong } else { UnfitKey::Characters }
    }
}

impl fmt::Display for UnfitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnfitKey::TooLong => write!(f, "longer than {} characters", names::MAX),
            UnfitKey::Characters => f.write_str(
                "a stable key has letters, digits, - and _ only, and begins and ends with a letter or digit",
            ),
            UnfitKey::SameName { other } => {
                write!(
                    f,
                    "it and {other} would be one name; keys that differ only in case or in _ and - cannot both exist"
                )
            }
            UnfitKey::Platform => f.write_str("the platform's own, for building only"),
            UnfitKey::OneCustomer => f.write_str("it belongs to one customer"),
            UnfitKey::NoType => f.write_str("the platform does not report its component and type"),
            UnfitKey::UnknownCredentials => f.write_str("the platform reports an unknown value for its credentials"),
            UnfitKey::TooManyInputs => f.write_str("it has more than 64 inputs"),
            UnfitKey::Unread => f.write_str("its inputs came back as null: the platform could not read them"),
            UnfitKey::UnreadComponent => {
                f.write_str("a part of its component came back as null: which inputs are secrets is unknown")
            }
            UnfitKey::Twice => {
                f.write_str("another connection has this key too: delete one of the two on the platform")
            }
        }
    }
}

impl ImportNote {
    /// Notes the variables that stay the integrations' own.
    pub(super) fn private<'n>(variables: impl Iterator<Item = &'n str>) -> Option<ImportNote> {
        let mut variables = variables.peekable();
        let one = variables.peek()?.to_string();
        Some(ImportNote::Private { count: variables.count(), one })
    }

    /// The severity of the note.
    pub fn level(&self) -> Level {
        use ImportNote::*;
        match self {
            Unreadable { .. }
            | UnreadVersion { .. }
            | Workflow { .. }
            | TooManyVariables { .. }
            | NameTooLong { .. }
            | NoSuchVariable { .. }
            | KeyNotOurs { .. }
            | TooManyInputs { .. }
            | ComponentLeftOut { .. }
            | ChosenTaken { .. }
            | Incomplete { .. } => Level::Error,
            SecretEmptied { emptied, .. } if emptied.placeholder => Level::Information,
            NotActive { status, .. } if status.eq_ignore_ascii_case("pending") => Level::Manual,
            NotActive { .. } => Level::Information,
            WhichType { .. }
            | SecretEmptied { .. }
            | SecretNeeded { .. }
            | LeftOut { .. }
            | Reconnect { .. }
            | BoundVariableGone { .. }
            | Rebound { .. }
            | BoundVariableDiffers { .. }
            | IntegrationGone { .. }
            | ConnectionGone { .. }
            | TypesNotListed { .. } => Level::Manual,
            Skipped { .. } => Level::Skipped,
            OlderVersion { .. }
            | Differs { .. }
            | Renamed { .. }
            | Again { .. }
            | KeyTaken { .. }
            | Shared { .. }
            | OwnComponent { .. }
            | ConnectionUnused { .. }
            | BoundVariableRenamed { .. }
            | Private { .. }
            | Converted { .. }
            | SecretsThere { .. }
            | ComponentTooLarge { .. }
            | Edited { .. }
            | Customers { .. }
            | AllCustomers { .. } => Level::Information,
        }
    }
}

impl fmt::Display for ImportNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ImportNote::*;
        match self {
            Unreadable { file, error } => write!(f, "{file}: {error}"),
            Workflow { file } => write!(
                f,
                "{file}: a workflow of the embedded builder, no integration: not imported; leave it out of the command"
            ),
            TooManyVariables { file, count } => write!(
                f,
                "{file}: {count} connection variables, of which an Integration can have 64: split the integration"
            ),
            NameTooLong { file, line } => write!(
                f,
                "{file}:{line}: the name of this connection variable is longer than 253 characters: shorten it and export again"
            ),
            NoSuchVariable { name, known } if known.is_empty() => {
                write!(f, "--reusable {name:?}: no file has a connection variable")
            }
            NoSuchVariable { name, known } => {
                write!(f, "--reusable {name:?}: no connection variable has this name; there are: {}", known.join(", "))
            }
            KeyNotOurs { file, variable, key, why } => write!(
                f,
                "{file}: {variable:?} is bound to {key:?}, which cannot be a stable key here ({why}): the variable is left out; make a connection with another key on the platform, bind the integration to it and export again"
            ),
            TooManyInputs { integration, variable, count } => write!(
                f,
                "{integration}: {variable:?} has {count} inputs, of which a Connection can have 64: it stays the integration's own"
            ),
            ComponentLeftOut { component } => write!(
                f,
                "component {component}: its key makes no name, or that of another component: no stub is written"
            ),
            ComponentTooLarge { component } => write!(
                f,
                "component {component}: it has more than 32 connection types, or 64 inputs of one, which a Component cannot have: no stub is written"
            ),
            Incomplete { list, gap } => {
                write!(f, "the answer does not hold all {list}: ")?;
                match gap {
                    Gap::After(after) => write!(
                        f,
                        "run the query again with the variable {} set to {after:?}, and pipe all answers in together",
                        cursor_variable(list)
                    ),
                    Gap::Fewer { read, total } => write!(
                        f,
                        "it has {read} of {total}, so that a page is missing; pipe all pages in together, from the first to the last"
                    ),
                    Gap::NoList => f.write_str("it has no list of them; run the query of --print-query as it is"),
                    Gap::Nulls(count) => write!(
                        f,
                        "{count} of them are null, which the platform could not read; run the query again, or ask its support"
                    ),
                }
            }
            WhichType { integration, variable, key, components } => {
                which_type(f, integration, variable, key, components)
            }
            SecretEmptied { file, emptied } if emptied.placeholder => {
                write!(f, "{file}:{}: {}: a placeholder was emptied", emptied.line, emptied.place)
            }
            SecretEmptied { file, emptied } => {
                write!(f, "{file}:{}: {}: a secret was emptied. ", emptied.line, emptied.place)?;
                f.write_str(match emptied.place {
                    EmptiedPlace::Connection { .. } => {
                        "Whoever has the file has the secret: rotate it, and set it again on the platform after an export"
                    }
                    _ => "Whoever has the file has the secret: rotate it, and keep it in a connection",
                })
            }
            SecretsThere { secrets } if secrets.len() == 1 => write!(
                f,
                "1 secret stays on the platform; in files it is a reference to a Secret and its key: {}",
                secrets.concat()
            ),
            SecretsThere { secrets } => write!(
                f,
                "{} secrets stay on the platform; in files each is a reference to a Secret and its key: {}",
                secrets.len(),
                and(secrets)
            ),
            Edited { name } => write!(
                f,
                "integration {name} stays as it is here, which is not what the last import recorded: it was edited, or this checkout is older; to have the platform's, remove integrations/{name}.yaml and its definition, and import again"
            ),
            SecretNeeded { key, secret, keys } => write!(
                f,
                "connection {key}: supply Secret {secret} with {} (label stablekey.dev/for: connections; add {key} to its annotation stablekey.dev/keys, beside what it has)",
                keys.join(", ")
            ),
            LeftOut { key, input, secret, credentials, why } => {
                let why = match why {
                    LeftOutWhy::Empty => "the definition has no value",
                    LeftOutWhy::Placeholder => "the definition has only a placeholder",
                    LeftOutWhy::Refers => "the definition takes it from another variable or a template",
                    LeftOutWhy::EmptyThere => "it is required, and the platform has no value",
                    LeftOutWhy::TooLong => "its value is longer than 8,192 characters",
                };
                let give = if *secret { "secretRef" } else { "value" };
                let or = if *credentials != Credentials::OrganizationGlobal { ", or perCustomer: true" } else { "" };
                write!(f, "connection {key}: input {input} is left out ({why}): give it a {give}{or}")
            }
            Reconnect { integration, variable, key, credentials } => {
                let who = match credentials {
                    Credentials::Customer => "every customer of this integration must reconnect: sign in again",
                    Credentials::OrganizationCustomer => {
                        "every customer of this integration must be reconnected: supply their credentials again"
                    }
                    Credentials::OrganizationGlobal => "reconnect it: supply the credentials again",
                    Credentials::User => "every user of this integration must reconnect: sign in again",
                };
                write!(f, "{integration}: {variable:?} becomes the reusable connection {key}: once it is live, {who}")
            }
            NotActive { key, status } => write!(
                f,
                "connection {key}: the platform reports {status}: check it there; it may need its consent or its secret"
            ),
            TypesNotListed { component, types } => write!(
                f,
                "component {component}: it is used with {}, which its manifest does not list: add {}",
                types.join(", "),
                if types.len() == 1 { "it" } else { "them" }
            ),
            Skipped { key, title, why } => write!(f, "{key:?} ({title}): not imported: {why}"),
            UnreadVersion { file, version } => {
                let version =
                    version.map_or("a version that is no whole number".to_string(), |v| format!("version {v}"));
                write!(
                    f,
                    "{file}: a definition of {version}; {CURRENT_VERSION} is the newest that is read: nothing of it was imported, and what was there stays; update stablekey, or export in version {CURRENT_VERSION}"
                )
            }
            OlderVersion { file, version } => {
                let version = version.map_or("no version".to_string(), |version| format!("version {version}"));
                write!(
                    f,
                    "{file}: a definition of {version}: kept as it is, but its connections are not read; export it again in version {CURRENT_VERSION} to have them"
                )
            }
            Renamed { file, title, name, by: Some(by) } => {
                write!(f, "{file}: {title:?} is named {name}, because {by} has its name")
            }
            Renamed { file, title, name, by: None } => {
                write!(f, "{file}: {title:?} is named {name}: its own name is taken or has no letter to make one of")
            }
            Differs { key } => write!(
                f,
                "connection {key}: the folder's differs from the platform's and stays; to have the platform's, remove connections/{key}.yaml and import again"
            ),
            Again { file, name } => write!(
                f,
                "{file}: the integration {name} is there already: its definition is replaced; variables of its own that you bound to a stable key stay bound"
            ),
            KeyTaken { integration, variable, wanted, key, elsewhere: Some(tenant) } => write!(
                f,
                "{integration}: {variable:?} gets the key {key}, because {wanted} is another connection in {tenant}; if it is the same, import with --reusable \"{variable}={wanted}\""
            ),
            KeyTaken { integration, variable, wanted, key, elsewhere: None } if wanted.is_empty() => {
                write!(f, "{integration}: {variable:?} gets the key {key}: its component and type make none")
            }
            KeyTaken { integration, variable, wanted, key, elsewhere: None } => write!(
                f,
                "{integration}: {variable:?} gets the key {key}, because another connection would be {wanted} too; to choose, --reusable \"{variable}=KEY\""
            ),
            ChosenTaken { integration, variable, key } => write!(
                f,
                "{integration}: {variable:?} cannot be {key}: that is a connection that differs; it stays the integration's own; choose another key"
            ),
            BoundVariableGone { integration, variable, key, new } => {
                write!(f, "{integration}: {variable:?}, which is bound to {key}, is not in the definition any more")?;
                match new.as_slice() {
                    [] => f.write_str("; if another variable means the same, bind it so"),
                    new => {
                        let new: Vec<String> = new.iter().map(|name| format!("{name:?}")).collect();
                        write!(f, "; new is {}: if it is that, bind it to {key}", new.join(", "))
                    }
                }
            }
            BoundVariableRenamed { integration, variable, key, to } => write!(
                f,
                "{integration}: {variable:?} is not in the definition any more; {to:?} is bound to {key} in its place"
            ),
            BoundVariableDiffers { integration, variable, key, is, was } => write!(
                f,
                "{integration}: {variable:?} is of {is} now, and is bound to {key}, which is of {was}: bind it to a connection of {is}"
            ),
            Rebound { integration, variable, from, to } => write!(
                f,
                "{integration}: {variable:?} was bound to {from}, and is bound to {to} now, as the definition says; to have it otherwise, bind it so on the platform too, or override it in the sync"
            ),
            IntegrationGone { name, title, near } => {
                write!(f, "integration {name} ({title:?}) is not among what was imported, and stays")?;
                match near {
                    Some(near) => write!(f, "; new is {near}: if it is that, move its bindings there, and")?,
                    None => f.write_str("; if it is gone on the platform,")?,
                }
                write!(f, " remove integrations/{name}.yaml and its definition")
            }
            ConnectionUnused { key, near: Some(near) } => {
                write!(f, "connection {key}: no integration is bound to it any more; one is bound to {near} now")
            }
            ConnectionUnused { key, near: None } => {
                write!(f, "connection {key}: no integration is bound to it any more")
            }
            ConnectionGone { key, near } => {
                write!(f, "connection {key} is not on the platform, and stays: make it there")?;
                if let Some(near) = near {
                    write!(f, ", or bind what uses it to {near}, which is new and of the same component and type,")?;
                }
                write!(f, " or, if nothing uses it, remove connections/{}.yaml", names::of_stable_key(key))
            }
            Private { count: 1, one } => {
                write!(f, "1 connection stays its integration's own; to share it, --reusable \"{one}\"")
            }
            Private { count, one } => write!(
                f,
                "{count} connections stay their integrations' own; to share one, --reusable \"{one}\", or --reusable all"
            ),
            Shared { integration, variable, key } => {
                write!(f, "{integration}: {variable:?} shares the connection {key}: all global values agree")
            }
            OwnComponent { integration, variable } => write!(
                f,
                "{integration}: {variable:?} connects to the integration's own code, which is new with each build: it stays the integration's own"
            ),
            Converted { file } => write!(f, "{file}: converted from UTF-16 to UTF-8"),
            Customers { key, count: 1 } => write!(f, "connection {key}: a customer has credentials"),
            Customers { key, count } => write!(f, "connection {key}: customers have {count} sets of credentials"),
            AllCustomers { count } => write!(f, "the tenant has {count} customers"),
        }
    }
}

/// The variable of the query that continues a list.
fn cursor_variable(list: &str) -> &'static str {
    if list == "components" { "componentsAfter" } else { "connectionsAfter" }
}

fn which_type(
    f: &mut fmt::Formatter<'_>,
    integration: &str,
    variable: &str,
    key: &str,
    components: &[ComponentRef],
) -> fmt::Result {
    write!(
        f,
        "{integration}: {variable:?} is bound to {key}, which is missing here: of which component and type is it? "
    )?;
    match components {
        [] => f.write_str("The definition does not show it: no step uses it. ")?,
        [one] => write!(f, "Its steps are of {one}; the definition does not show the type. ")?,
        many => {
            let many: Vec<String> = many.iter().map(ToString::to_string).collect();
            write!(f, "Its steps are of {}; the definition does not show which it is for. ", many.join(", "))?;
        }
    }
    write!(f, "Write connections/{}.yaml, or import the tenant with --print-query", names::of_stable_key(key))
}
