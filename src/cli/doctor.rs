//! `stablekey doctor`.

use super::options::{FormatOption, RootOption};
use super::output::{Output, OutputFormat};
use super::{CommandFailure, planning};
use crate::api::{ComponentRef, LocationSpec};
use crate::author::goes_on;
use crate::render;
use crate::tenant::TenantLocation;
use crate::tenant::location::{Health, HealthCheck, LocationError};
use crate::tenant::prismatic::{MeasuredType, OrganizationLocation};
use clap::{Args, ValueEnum};

/// Check what a tenant needs: login, permissions, folder, record
///
/// Checks, one by one, what you need to work with a tenant, and says how to fix what is missing: for a folder that it can
/// be read and written; for a cluster the login, the custom resources and each permission; for the platform the token,
/// the lists, the record on the Git remote and the secrets. Exit codes: 0 all good, 1 something is missing.
///
/// With --measure it finds out what an update of a connection does on this stack, which nobody documents: it makes a
/// connection of its own that no customer sees, changes it, reads it and deletes it. It asks before, and never runs in CI.
///
/// Examples:
///   stablekey doctor us-prod
///   stablekey doctor us-prod --measure salesforce/oauth2
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Doctor {
    /// The tenant
    tenant: String,
    #[command(flatten)]
    root: RootOption,
    #[command(flatten)]
    format: FormatOption,
    /// Measure what an update does, with a connection of this type; a private component is KEY.private
    #[arg(long, value_name = "COMPONENT/TYPE", conflicts_with = "confirm")]
    measure: Option<String>,
    /// Confirm that a page of the platform shows what Stablekey takes it for
    #[arg(long, value_name = "WHAT")]
    confirm: Option<Confirmed>,
}

/// What a person can confirm.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Confirmed {
    /// The toggle for embedded workflows is what the API calls the default for its component
    Embedded,
}

impl Doctor {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let project = self.root.open()?;
        planning::known("tenant", &self.tenant, project.tenants.keys())?;
        let Some(tenant) = project.tenants.get(&self.tenant) else { return Ok(1) };
        output.problems(&project.problems);
        let unreachable = |why: &str| HealthCheck::bad("the tenant can be reached", why, "correct that first");
        let mut checks = match (&tenant.location, &tenant.live) {
            (Some(location), _) => location.as_location().diagnose(),
            (None, Err(why)) => vec![unreachable(why)],
            (None, Ok(_)) => vec![unreachable("its location cannot be used here")],
        };
        match &tenant.source {
            Some(Ok(_)) => checks.push(HealthCheck::good("its source can be read")),
            Some(Err(why)) => checks.push(HealthCheck::bad("its source can be read", why, "correct that")),
            None => {}
        }
        let on_platform = match &tenant.location {
            Some(TenantLocation::Organization(location)) => Some(location.as_ref()),
            _ => None,
        };
        let is_bad = |check: &HealthCheck| matches!(check.state, Health::Bad { .. });
        let is_reached = on_platform.filter(|_| tenant.live.is_ok());
        // In CI nobody can be asked, so nothing is written there.
        if let Some(location) = is_reached.filter(|_| !tenant.spec.is_suspended() && !is_in_ci()) {
            match location.clean_up() {
                Ok(keys) => keys.iter().for_each(|key| {
                    output.note(&format!("Removed {key}, which an interrupted measurement left in {}.", self.tenant));
                }),
                // It may be that run's own connection.
                Err(LocationError::Busy { who }) => output.note(&format!("Nothing is cleaned up: {who}.")),
                Err(error) => return Err(failed(&error)),
            }
        }
        if self.measure.is_some() || self.confirm.is_some() {
            let location = self.of_platform(&tenant.spec.location, is_reached)?;
            goes_on(&project, &self.tenant)?;
            match (&self.measure, self.confirm) {
                (Some(with), _) => checks.push(self.measure(location, with, output)?),
                (None, Some(Confirmed::Embedded)) => checks.push(self.confirm_embedded(location, output)?),
                (None, None) => {}
            }
        }
        output.result(&match self.format.output {
            OutputFormat::Json => render::doctor_json(&self.tenant, &checks)
                .map_err(|error| CommandFailure::new(error.to_string(), "internal error: report it"))?,
            OutputFormat::Text | OutputFormat::Markdown => render::doctor_text(&self.tenant, &checks, output.style()),
        })?;
        Ok(u8::from(checks.iter().any(is_bad)))
    }

    /// The location of a tenant that must be on the platform.
    fn of_platform<'l>(
        &self,
        spec: &Option<LocationSpec>,
        location: Option<&'l OrganizationLocation>,
    ) -> Result<&'l OrganizationLocation, CommandFailure> {
        location.ok_or_else(|| match spec {
            Some(LocationSpec::Prismatic(_)) => CommandFailure::new(
                format!("{} cannot be reached, so nothing is measured or confirmed", self.tenant),
                format!("see why:\nstablekey doctor {}", self.tenant),
            ),
            _ => CommandFailure::new(
                format!("{} is not on the platform: there is nothing to measure or to confirm", self.tenant),
                "name a tenant whose location is prismatic",
            ),
        })
    }

    /// Asks for the name of the tenant. In CI, and without a terminal, nobody can answer.
    fn asks(&self, question: &str, output: &mut Output) -> Result<(), CommandFailure> {
        if is_in_ci() || !output.can_ask() {
            let why = if is_in_ci() { "in CI" } else { "without a terminal" };
            return Err(CommandFailure::new(
                format!("nothing was written to {}: nobody can be asked {why}", self.tenant),
                "run it on a terminal",
            ));
        }
        let question = format!("{question} Type '{}' to go on:", self.tenant);
        if output.confirm_word(&question, &self.tenant) {
            Ok(())
        } else {
            Err(CommandFailure::new("Aborted. Nothing was changed.", format!("type the name: {}", self.tenant)))
        }
    }

    fn measure(
        &self,
        location: &OrganizationLocation,
        with: &str,
        output: &mut Output,
    ) -> Result<HealthCheck, CommandFailure> {
        let (component, type_) = with
            .split_once('/')
            .filter(|(component, type_)| !component.is_empty() && !type_.is_empty())
            .ok_or_else(|| {
                CommandFailure::new(format!("{with} is no connection type"), "write COMPONENT/TYPE: salesforce/oauth2")
            })?;
        let component = match component.strip_suffix(".private") {
            Some(key) => ComponentRef { key: key.to_string(), public: Some(false) },
            None => ComponentRef { key: component.to_string(), public: None },
        };
        let with = MeasuredType { component, type_: type_.to_string() };
        self.asks(
            &format!(
                "This makes a connection of {}/{type_} in {} that no customer sees, changes it, reads it and deletes it. It has \
                 the values and secrets of one that is there, if these are supplied.",
                with.component, self.tenant
            ),
            output,
        )?;
        let measured = location.measure(&with, &mut |link| {
            output.note(&format!("Sign in here, so that it is seen whether an update ends that:\n{link}"));
            output.confirm_typed("Type 'yes' once you are signed in, or anything else to go on without:")
        });
        let measured = measured.map_err(|error| failed(&error))?;
        let inputs = if measured.merges_inputs { "stay" } else { "go" };
        let signed_in = match measured.keeps_sign_in {
            Some(true) => "who signed in stays signed in",
            Some(false) => "who signed in must sign in again",
            None => "whether people stay signed in was not seen",
        };
        Ok(HealthCheck::good(format!(
            "measured and recorded: inputs that an update does not name {inputs}; {signed_in}"
        )))
    }

    fn confirm_embedded(
        &self,
        location: &OrganizationLocation,
        output: &mut Output,
    ) -> Result<HealthCheck, CommandFailure> {
        output.note(&format!(
            "Open a connection of {} on the platform that `stablekey plan` shows with embeddedWorkflows, and compare:\n\
             is its toggle for embedded workflows on exactly where the API says defaultForComponent: true?",
            self.tenant
        ));
        self.asks(&format!("From then on stablekey turns this toggle on and off in {}.", self.tenant), output)?;
        location.confirm_embedded().map_err(|error| failed(&error))?;
        Ok(HealthCheck::good("recorded: embeddedWorkflows is written from now on"))
    }
}

/// Whether a CI system runs this.
fn is_in_ci() -> bool {
    let is_set = |name: &str| std::env::var(name).is_ok_and(|value| !matches!(value.as_str(), "" | "false" | "0"));
    ["CI", "GITHUB_ACTIONS", "GITLAB_CI"].into_iter().any(is_set)
}

fn failed(error: &LocationError) -> CommandFailure {
    CommandFailure::new(error.to_string(), "correct that, then run it again: what it left is removed then")
}
