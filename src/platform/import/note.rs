//! What a person should know of an import, and do. No note holds a value.

use crate::api::{ComponentRef, Credentials, names};
use crate::platform::answer::document::Gap;
use crate::platform::definition::{CURRENT_VERSION, DefinitionError, Emptied, EmptiedPlace};
use std::fmt;

/// How much a note asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something was not imported.
    Error,
    /// A person must do something.
    Manual,
    /// A key of the platform that is not imported, and need not be.
    Skipped,
    /// Good to know.
    Information,
}

/// What a person should know of an import, and do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The fields say what they are; the text is in `Display`.
pub enum ImportNote {
    /// The file cannot be read as a definition.
    Unreadable { file: String, error: DefinitionError },
    /// A workflow of the embedded builder.
    Workflow { file: String },
    /// More connection variables than an Integration can have.
    TooManyVariables { file: String, count: usize },
    /// A variable whose name is too long for an Integration.
    NameTooLong { file: String, line: usize },
    /// `--reusable` names a variable that no file has.
    NoSuchVariable { name: String, known: Vec<String> },
    /// A variable is bound to a key that cannot be ours.
    KeyNotOurs { file: String, variable: String, key: String, why: UnfitKey },
    /// More inputs than a Connection can have.
    TooManyInputs { integration: String, variable: String, count: usize },
    /// Two components make one name, or none.
    ComponentLeftOut { component: ComponentRef },
    /// The platform's answer ends before all was read.
    Incomplete { list: &'static str, gap: Gap },
    /// A binding to a connection of which only the key is known.
    WhichType { integration: String, variable: String, key: String, components: Vec<ComponentRef> },
    /// A literal secret was emptied.
    SecretEmptied { file: String, emptied: Emptied },
    /// A Secret that a new connection refers to, and the keys in it.
    SecretNeeded { key: String, secret: String, keys: Vec<String> },
    /// An input that a new connection does not have.
    LeftOut { key: String, input: String, secret: bool, credentials: Credentials, why: LeftOutWhy },
    /// Customers' credentials stay behind with the integration's own connection.
    Reconnect { integration: String, variable: String, key: String, credentials: Credentials },
    /// The platform says that a connection does not work now.
    NotActive { key: String, status: String },
    /// A connection type is used that the tenant's component does not list.
    TypesNotListed { component: ComponentRef, types: Vec<String> },
    /// A connection of the platform that is not imported.
    Skipped { key: String, title: String, why: UnfitKey },
    /// The definition is of an older version, whose connections we do not read.
    OlderVersion { file: String, version: Option<u64> },
    /// The definition is of a newer version, or of one that is not understood.
    UnreadVersion { file: String, version: Option<u64> },
    /// The integration has another name than its title's.
    Renamed { file: String, title: String, name: String, by: Option<String> },
    /// The folder has a connection that differs from the platform's.
    Differs { key: String },
    /// The integration was there.
    Again { file: String, name: String },
    /// The suggested key is not the connection's alone, here or in another tenant.
    KeyTaken { integration: String, variable: String, wanted: String, key: String, elsewhere: Option<String> },
    /// The key that a person chose is another connection's.
    ChosenTaken { integration: String, variable: String, key: String },
    /// A variable that was bound is not in the definition any more; those that are new.
    BoundVariableGone { integration: String, variable: String, key: String, new: Vec<String> },
    /// A variable that was bound went, and another one of the definition is bound to the same key.
    BoundVariableRenamed { integration: String, variable: String, key: String, to: String },
    /// A bound variable is of another component or type now than what it is bound to.
    BoundVariableDiffers { integration: String, variable: String, key: String, is: String, was: String },
    /// A variable was bound to another key here than the definition binds it to.
    Rebound { integration: String, variable: String, from: String, to: String },
    /// An integration that was imported before is not among what was imported; one that it may have become.
    IntegrationGone { name: String, title: String, near: Option<String> },
    /// No integration is bound to a connection any more; one that it may have become.
    ConnectionUnused { key: String, near: Option<String> },
    /// The platform does not have a connection of the folder; one that it may have become.
    ConnectionGone { key: String, near: Option<String> },
    /// How many variables stay the integrations' own, and one of them.
    Private { count: usize, one: String },
    /// Two integrations share a connection.
    Shared { integration: String, variable: String, key: String },
    /// The connection is for the component that the integration's own code makes.
    OwnComponent { integration: String, variable: String },
    /// UTF-16 became UTF-8.
    Converted { file: String },
    /// How many customers have credentials for a connection.
    Customers { key: String, count: u64 },
    /// How many customers the tenant has.
    AllCustomers { count: u64 },
}

/// Why an input was left out of a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOutWhy {
    /// The definition has no value.
    Empty,
    /// The definition has a placeholder.
    Placeholder,
    /// The definition names another variable or uses a template.
    Refers,
    /// Too long for an input.
    TooLong,
    /// Required, and the platform has no value.
    EmptyThere,
}

/// Why a key of the platform cannot be a stable key of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum UnfitKey {
    /// More than 63 characters.
    TooLong,
    /// Other characters than ours, or none.
    Characters,
    /// Another key makes the same name.
    SameName { other: String },
    /// The platform's own, for building only.
    Platform,
    /// It belongs to one customer.
    OneCustomer,
    /// The platform does not say of which component and type it is.
    NoType,
    /// The platform says something of its credentials that we do not know.
    UnknownCredentials,
    /// More inputs than a Connection can have.
    TooManyInputs,
}

impl UnfitKey {
    /// Why a text cannot be a stable key.
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
            UnfitKey::NoType => f.write_str("the platform does not say of which component and type it is"),
            UnfitKey::UnknownCredentials => {
                f.write_str("the platform says something of its credentials that is not known here")
            }
            UnfitKey::TooManyInputs => f.write_str("it has more than 64 inputs"),
        }
    }
}

impl ImportNote {
    /// What stays the integrations' own.
    pub(super) fn private<'n>(variables: impl Iterator<Item = &'n str>) -> Option<ImportNote> {
        let mut variables = variables.peekable();
        let one = variables.peek()?.to_string();
        Some(ImportNote::Private { count: variables.count(), one })
    }

    /// How much it asks.
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
            WhichType { .. }
            | SecretEmptied { .. }
            | SecretNeeded { .. }
            | LeftOut { .. }
            | Reconnect { .. }
            | NotActive { .. }
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
                let or = if *credentials == Credentials::OrganizationGlobal { "" } else { ", or perCustomer: true" };
                write!(f, "connection {key}: input {input} is left out ({why}): give it a {give}{or}")
            }
            Reconnect { integration, variable, key, credentials } => {
                let who = match credentials {
                    Credentials::Customer => "every customer of this integration must reconnect: sign in again",
                    Credentials::OrganizationCustomer => {
                        "every customer of this integration must be reconnected: supply their credentials again"
                    }
                    Credentials::OrganizationGlobal => "reconnect it: supply the credentials again",
                };
                write!(f, "{integration}: {variable:?} becomes the reusable connection {key}: once it is live, {who}")
            }
            NotActive { key, status } => write!(
                f,
                "connection {key}: the platform says {status}: look at it there; it may need its consent or its secret"
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
            Customers { key, count: 1 } => write!(f, "connection {key}: 1 customer has credentials"),
            Customers { key, count } => write!(f, "connection {key}: {count} customers have credentials"),
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
        [] => f.write_str("The definition does not tell: no step uses it. ")?,
        [one] => write!(f, "Its steps are of {one}; the definition does not tell the type. ")?,
        many => {
            let many: Vec<String> = many.iter().map(ToString::to_string).collect();
            write!(f, "Its steps are of {}; the definition does not tell which it is for. ", many.join(", "))?;
        }
    }
    write!(f, "Write connections/{}.yaml, or import the tenant with --print-query", names::of_stable_key(key))
}
