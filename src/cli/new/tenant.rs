//! `stablekey new tenant`.

use crate::api::TokenFrom;
use crate::author::tenant::{NewTenant, Whereabouts, add, said_by_name};
use crate::author::{self, Draft};
use crate::cli::CommandFailure;
use crate::cli::asking::{Asking, Missing};
use crate::cli::edit::EditOptions;
use crate::cli::output::Output;
use crate::near_miss::listed;
use crate::project::Project;
use clap::{Args, ValueEnum};

/// Write a tenant, and its folder
///
/// A tenant is a folder, a namespace of a cluster, or an organization on the platform. Where it is not the folder itself,
/// the folder holds its manifests (source).
///
/// Examples:
///   stablekey new tenant staging
///   stablekey new tenant eu-prod --location platform --profile eu \
///     --url https://app.eu-west-1.prismatic.io
///   stablekey new tenant eu --location kubernetes --context eu --namespace hub
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct NewTenantCommand {
    /// The name of the tenant: lower-case letters, digits and -
    name: Option<String>,
    #[command(flatten)]
    place: PlaceOptions,
    /// The folder; by default the tenant's name
    #[arg(long, value_name = "FOLDER")]
    path: Option<String>,
    /// The region; by default as the name says: eu of eu-prod
    #[arg(long)]
    region: Option<String>,
    /// The environment; by default as the name says: prod of eu-prod
    #[arg(long)]
    environment: Option<String>,
    /// A tenant whose syncs it takes (repeatable)
    #[arg(long = "accept-from", value_name = "TENANT")]
    accept_from: Vec<String>,
    #[command(flatten)]
    edit: EditOptions,
}

/// The kind of a tenant's location.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum LocationKind {
    /// A folder.
    #[default]
    Directory,
    /// A namespace of a cluster.
    Kubernetes,
    /// The platform.
    #[value(alias = "prismatic")]
    Platform,
}

/// The options for a tenant's location.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct PlaceOptions {
    /// What the tenant is: directory (a folder), kubernetes (a namespace of a cluster) or platform (an organization)
    #[arg(long, value_name = "WHERE", hide_possible_values = true)]
    pub location: Option<LocationKind>,
    /// The stack of the platform, such as https://app.prismatic.io
    #[arg(long)]
    pub url: Option<String>,
    /// The profile of prism with the token; by default as prism itself chooses
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// The environment variable with the token: STABLEKEY_TOKEN_…
    #[arg(long, value_name = "VARIABLE", conflicts_with = "profile")]
    pub token_env: Option<String>,
    /// The organization, if you have several on the stack
    #[arg(long, value_name = "ID")]
    pub tenant_id: Option<String>,
    /// The context of your kubeconfig; by default the current one
    #[arg(long)]
    pub context: Option<String>,
    /// The namespace
    #[arg(long, short)]
    pub namespace: Option<String>,
}

impl PlaceOptions {
    /// The kind of location: as given, else as the other options say, or a URL that is given with a tenant.
    pub(in crate::cli) fn kind(&self, has_url: bool) -> LocationKind {
        let of_platform = has_url || self.url.is_some() || self.profile.is_some() || self.token_env.is_some();
        let of_cluster = self.context.is_some() || self.namespace.is_some();
        self.location.unwrap_or(match (of_platform, of_cluster) {
            (true, _) => LocationKind::Platform,
            (_, true) => LocationKind::Kubernetes,
            _ => LocationKind::Directory,
        })
    }

    /// Asks where a tenant is, as far as no option says so.
    pub(in crate::cli) fn ask(&mut self, asking: &Asking, tenant: &str) -> Result<(), CommandFailure> {
        let missing = |what| Missing { what, help: "stablekey new tenant eu-prod --location directory" };
        if self.location.is_none() && self.kind(false) == LocationKind::Directory {
            let kinds = ["directory", "kubernetes", "platform"];
            let chosen = asking.choice(None, "Where are its resources", "", &kinds, &missing("the location"))?;
            self.location = LocationKind::from_str(&chosen, true).ok();
        }
        match self.kind(false) {
            LocationKind::Directory => {}
            LocationKind::Kubernetes => {
                let question = "Namespace";
                let namespace = self.namespace.take();
                self.namespace = Some(asking.text(namespace, question, Some(tenant), &missing("the namespace"))?);
            }
            LocationKind::Platform => {
                let (url, first) = (self.url.take(), Some("https://app.prismatic.io"));
                self.url = Some(asking.text(url, "Stack of its organization", first, &missing("the stack"))?);
            }
        }
        Ok(())
    }

    /// Fails if an option belongs to another kind of location.
    fn check(&self, kind: LocationKind) -> Result<(), CommandFailure> {
        let platform = [
            ("--url", self.url.is_some()),
            ("--profile", self.profile.is_some()),
            ("--token-env", self.token_env.is_some()),
            ("--tenant-id", self.tenant_id.is_some()),
        ];
        let cluster = [("--context", self.context.is_some()), ("--namespace", self.namespace.is_some())];
        let strange = platform
            .iter()
            .filter(|_| kind != LocationKind::Platform)
            .chain(cluster.iter().filter(|_| kind != LocationKind::Kubernetes))
            .find(|(_, given)| *given);
        let Some((option, _)) = strange else { return Ok(()) };
        let meant = if platform.iter().any(|(name, _)| name == option) { "platform" } else { "kubernetes" };
        let message = format!("{option} is not for --location {}", name_of(kind));
        Err(CommandFailure::new(message, format!("leave it out, or give --location {meant}")))
    }

    /// Where a tenant of this name is. `place` is its folder, its context, or its stack, where that is given with it.
    pub(in crate::cli) fn whereabouts(
        &self,
        kind: LocationKind,
        name: &str,
        place: Option<&str>,
    ) -> Result<Whereabouts, CommandFailure> {
        self.check(kind)?;
        let place = place.map(str::to_string);
        Ok(match kind {
            LocationKind::Directory => Whereabouts::Directory { path: place.unwrap_or_else(|| name.to_string()) },
            LocationKind::Kubernetes => Whereabouts::Kubernetes {
                context: place.or_else(|| self.context.clone()),
                namespace: self.namespace.clone().unwrap_or_else(|| name.to_string()),
            },
            LocationKind::Platform => {
                let Some(url) = place.or_else(|| self.url.clone()) else {
                    let help = "give --url with the stack of its organization, such as https://app.prismatic.io";
                    return Err(CommandFailure::new(format!("the stack of {name} is not given"), help));
                };
                let token_from = match (&self.profile, &self.token_env) {
                    (Some(profile), _) => Some(TokenFrom::Profile(profile.clone())),
                    (_, Some(variable)) => Some(TokenFrom::Env(variable.clone())),
                    (None, None) => None,
                };
                Whereabouts::Platform { url, tenant_id: self.tenant_id.clone(), token_from }
            }
        })
    }
}

/// The value of `--location`.
fn name_of(kind: LocationKind) -> &'static str {
    match kind {
        LocationKind::Directory => "directory",
        LocationKind::Kubernetes => "kubernetes",
        LocationKind::Platform => "platform",
    }
}

impl NewTenantCommand {
    pub(super) fn run(mut self, output: &mut Output) -> Result<u8, CommandFailure> {
        let asking = Asking::open(&self.edit, output);
        let is_asked = self.name.is_none() && asking.is_open();
        let missing = Missing { what: "the name of the tenant", help: "stablekey new tenant eu-prod" };
        let name = asking.text(self.name, "Name of the tenant", None, &missing)?;
        if is_asked {
            self.place.ask(&asking, &name)?;
        }
        let kind = self.place.kind(false);
        let folder = self.path.as_deref().filter(|_| kind == LocationKind::Directory);
        let whereabouts = self.place.whereabouts(kind, &name, folder)?;
        let source = match whereabouts {
            Whereabouts::Directory { .. } => None,
            Whereabouts::Kubernetes { .. } | Whereabouts::Platform { .. } => self.path,
        };
        let (region, environment) = said_by_name(&name);
        let asked = NewTenant {
            name,
            whereabouts,
            source,
            region: self.region.or(region),
            environment: self.environment.or(environment),
            accept_from: self.accept_from,
        };
        let project = self.edit.open_new()?;
        let mut draft = Draft::new(&project);
        add(&mut draft, &asked)?;
        self.edit.finish(draft, output)
    }
}

/// The tenant that is given, the only one, or the one that is chosen.
pub(in crate::cli) fn only(
    project: &Project,
    given: Option<String>,
    asking: &Asking,
) -> Result<String, CommandFailure> {
    let missing = Missing { what: "the tenant", help: "--tenant TENANT" };
    match (given, author::tenants(project).as_slice()) {
        (Some(given), _) => Ok(given),
        (None, [one]) => Ok((*one).to_string()),
        (None, several) if asking.is_open() => asking.choice(None, "In which tenant", "", several, &missing),
        (None, several) => {
            Err(CommandFailure::new("no tenant is given", format!("give --tenant with one of {}", listed(several))))
        }
    }
}
