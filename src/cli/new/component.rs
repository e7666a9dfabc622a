//! `stablekey new component`.

use crate::api::{ConnectionType, OAuth2};
use crate::author::Draft;
use crate::author::component::{NewComponent, add, add_input};
use crate::cli::CommandFailure;
use crate::cli::asking::{Asking, Missing};
use crate::cli::edit::EditOptions;
use crate::cli::output::{Output, OutputFormat};
use clap::{Args, ValueEnum};
use std::collections::BTreeMap;

/// Write a component: a connector, with the connection types that it offers
///
/// Without --type it is taken from what is known: the platform, where the tenant is there; another tenant that describes
/// it; else the definitions of integrations that use it.
///
/// Examples:
///   stablekey new component slack --tenant eu-prod
///   stablekey new component acme --private --type apiKey \
///     --input apiKey.baseUrl:required,endpoint \
///     --input apiKey.apiKey:required,secret
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct NewComponentCommand {
    /// The key of the component on the platform
    key: Option<String>,
    /// It is private: your own, not the platform's
    #[arg(long)]
    private: bool,
    /// A connection type (repeatable)
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// The OAuth 2.0 grant of a type: AuthorizationCode or ClientCredentials (repeatable)
    #[arg(long, value_name = "TYPE=GRANT", requires = "types")]
    oauth2: Vec<String>,
    /// An input of a type, with what holds for it (repeatable)
    #[arg(long = "input", value_name = "TYPE.NAME[:required,secret,endpoint]", requires = "types")]
    inputs: Vec<String>,
    /// The tenant to take it from; by default any that describes it
    #[arg(long, value_name = "TENANT", conflicts_with = "types")]
    from: Option<String>,
    /// The tenant; by default the only one
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    edit: EditOptions,
}

/// The grants, as they are written.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "PascalCase")]
enum Grant {
    AuthorizationCode,
    ClientCredentials,
}

impl NewComponentCommand {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let types = self.types()?;
        let project = self.edit.open()?;
        let asking = Asking::open(&self.edit, output);
        let missing = Missing { what: "the component", help: "stablekey new component slack --tenant eu-prod" };
        let key = asking.text(self.key, "Key of the component on the platform", None, &missing)?;
        let tenant = super::tenant::only(&project, self.tenant, &asking)?;
        let (private, from) = (self.private, self.from);
        let mut draft = Draft::new(&project);
        let (_, source) = add(&mut draft, &NewComponent { tenant, key: key.clone(), private, types, from })?;
        if self.edit.output == OutputFormat::Text {
            output.note(&format!("Component {key}: {source}."));
        }
        self.edit.finish(draft, output)
    }

    fn types(&self) -> Result<Vec<ConnectionType>, CommandFailure> {
        let new = |key: &String| ConnectionType { key: key.clone(), oauth2: None, inputs: BTreeMap::new() };
        let mut types: Vec<ConnectionType> = self.types.iter().map(new).collect();
        let known: Vec<String> = self.types.clone();
        let of = |option: &str, key: &str| {
            let help = format!("there is --type {}", known.join(", --type "));
            let near = crate::near_miss::meant(key, known.iter().map(String::as_str));
            let help = near.map_or(help, |near| format!("did you mean {near}?"));
            CommandFailure::new(format!("{option} {key}: there is no --type {key}"), help)
        };
        for given in &self.oauth2 {
            let grants = "write TYPE=AuthorizationCode or TYPE=ClientCredentials";
            let (key, grant) = given
                .split_once('=')
                .ok_or_else(|| CommandFailure::new(format!("--oauth2 {given}: the type is missing"), grants))?;
            let grant = match Grant::from_str(grant, true) {
                Ok(Grant::AuthorizationCode) => OAuth2::AuthorizationCode,
                Ok(Grant::ClientCredentials) => OAuth2::ClientCredentials,
                Err(_) => return Err(CommandFailure::new(format!("--oauth2 {given}: {grant} is no grant"), grants)),
            };
            match types.iter_mut().find(|type_| type_.key == key) {
                Some(type_) => type_.oauth2 = Some(grant),
                None => return Err(of("--oauth2", key)),
            }
        }
        for given in &self.inputs {
            let key = given.split(['.', ':']).next().unwrap_or_default();
            if given.contains('.') && !self.types.iter().any(|type_| type_ == key) {
                return Err(of("--input", key));
            }
            add_input(&mut types, given).map_err(|why| {
                CommandFailure::new(format!("--input {given}: {why}"), "for example apiKey.baseUrl:required")
            })?;
        }
        Ok(types)
    }
}
