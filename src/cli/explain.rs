//! `stablekey explain`.

use super::CommandFailure;
use super::hub::{self, HubOptions, OwnContexts};
use super::options::{FormatOption, Narrowing, RootOption};
use super::output::{Output, OutputFormat};
use crate::api::Kind;
use crate::engine::model::code::Code;
use crate::engine::model::inventory::World;
use crate::engine::model::plan::Scope;
use crate::engine::plan::{plan, simulate_whole};
use crate::hub::waiting;
use crate::near_miss;
use crate::project::hub::{HubAddress, OwnWorld};
use crate::render::hub::HubExplanation;
use crate::render::{
    self, ExplainError, Hub, JsonLayout, Style, check_guide, explain_everywhere, explain_integration, explain_key,
    explain_tenant, is_integration,
};
use crate::text::and;
use clap::Args;
use serde::Serialize;
use std::collections::BTreeSet;

/// Explain which connection a variable resolves to and why, or show a stable key, an integration, a tenant or a check
///
/// The code of a check (or its name, CredentialRedirect) is explained with an example and what to do, without a project.
/// If several things share a name, the stable key is explained; write connection/NAME, integration/NAME or tenant/NAME
/// to select one.
///
/// What a source or a sync declares and no apply has written yet is explained as it would be, and says so.
///
/// With --namespace and --context, it shows what concerns a connection or an integration in a hub, for each target:
/// what waits, is kept, drifted or blocked. Exit codes are then those of `plan` for that object; 1 also if nothing in
/// the hub names it.
///
/// Examples:
///   stablekey explain us-prod lead-router --flow "New Lead" --step Notify
///   stablekey explain salesforce-oauth
///   stablekey explain lead-router
///   stablekey explain us-prod
///   stablekey explain SK0107
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Explain {
    /// A stable key, an integration, a tenant or the code of a check; with an integration beside it, a tenant
    #[arg(value_name = "NAME|TENANT|CODE")]
    name: String,
    /// The integration to explain in that tenant
    #[arg(conflicts_with = "namespace")]
    integration: Option<String>,
    #[command(flatten)]
    root: RootOption,
    /// Only what this flow uses
    #[arg(long, requires = "integration")]
    flow: Option<String>,
    /// Only what this step uses
    #[arg(long, requires = "integration")]
    step: Option<String>,
    #[command(flatten)]
    format: FormatOption,
    #[command(flatten)]
    hub: HubOptions,
    #[command(flatten)]
    own: OwnContexts,
}

impl Explain {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let is_alone = self.integration.is_none();
        if let Some(guide) = Code::typed(&self.name).filter(|_| is_alone).and_then(check_guide) {
            let form = Form { format: self.format.output, style: output.style() };
            output.result(&form.of(&guide.json(), || guide.text(form.style), || guide.markdown())?)?;
            return Ok(0);
        }
        // A key may have that name, so it is asked for first.
        let near = Code::nearest(&self.name).filter(|_| is_alone);
        let is_code = is_alone && (near.is_some() || Code::has_form(&self.name));
        let no_check = || {
            let help = match near {
                Some(near) => format!("did you mean {near} ({})?\n    stablekey explain {near}", near.title()),
                None => near_miss::what_there_is("", Code::ALL.iter().map(|code| code.as_str())),
            };
            CommandFailure::new(format!("there is no check {}", self.name), help)
        };
        if let Some(address) = self.hub.address() {
            return self.run_on_hub(address, output);
        }
        let project = match self.root.open() {
            Err(_) if is_code => return Err(no_check()),
            opened => opened?,
        };
        output.problems(&project.problems);
        output.roles(project.roles.iter().map(String::as_str));
        let world = project.world();
        let form = Form { format: self.format.output, style: output.style() };
        let unread: Vec<&str> = world
            .tenants
            .iter()
            .filter(|(_, view)| view.live.unreachable().is_some())
            .map(|(name, _)| name.as_str())
            .collect();
        let unread = if unread.is_empty() { String::new() } else { format!("; {} cannot be read", and(&unread)) };
        let wrong = |error: ExplainError| {
            let help = match &error {
                ExplainError::Invalid { .. } | ExplainError::Unreachable(..) => "fix that first",
                _ => "`stablekey status` shows every key, `stablekey explain TENANT` all of a tenant",
            };
            // What is not in what was read may be in the rest.
            let unread = match &error {
                ExplainError::Nothing { .. } | ExplainError::NoKey { .. } | ExplainError::NoSuchIntegration { .. } => {
                    unread.as_str()
                }
                _ => "",
            };
            if matches!(error, ExplainError::Nothing { .. }) && is_code {
                return no_check();
            }
            let wrong = CommandFailure::new(format!("{error}{unread}"), help);
            match error {
                ExplainError::NoTenant(..) | ExplainError::Nothing { .. } => self.root.or_as_root(&self.name, wrong),
                _ => wrong,
            }
        };
        let (text, of_all) = match &self.integration {
            Some(integration) => {
                let (flow, step) = (self.flow.as_deref(), self.step.as_deref());
                let (tenant, integration) = (Kind::Tenant.name_in(&self.name), Kind::Integration.name_in(integration));
                let explained = explain_integration(&world, tenant, integration, flow, step).map_err(wrong)?;
                (form.of(&explained, || explained.text(form.style), || explained.markdown())?, false)
            }
            None => {
                let (meant, others) = Meant::of(&world, &self.name).map_err(wrong)?;
                if !others.is_empty() {
                    let others: Vec<String> = others.iter().map(Meant::typed).collect();
                    output.note(&format!("{} is the name of more: {}", self.name, others.join(", ")));
                }
                let text = meant.explained(&world, form).map_err(|error| match error {
                    Explained::Wrong(error) => wrong(error),
                    Explained::Failure(failure) => failure,
                })?;
                (text, !matches!(meant, Meant::Tenant(_)))
            }
        };
        output.result(&text)?;
        let is_unknown = of_all && world.tenants.values().any(|view| view.live.unreachable().is_some());
        Ok(u8::from(is_unknown || !project.problems.is_empty()))
    }

    /// Shows what waits in a hub for an object.
    fn run_on_hub(&self, address: HubAddress, output: &mut Output) -> Result<u8, CommandFailure> {
        self.names_an_object()?;
        let mut hub = hub::open(address, self.root.servers(), output)?;
        let asked = hub::asked(&hub, &Narrowing::default())?;
        let mut parts = waiting::plans(&mut hub, &asked).map_err(|failure| hub::told(failure, output))?;
        let own = hub::compare(&hub, &self.own, &mut parts, output)?;
        let first = parts.first().map(|part| part.hub.clone());
        let tenants: BTreeSet<String> =
            parts.iter().flat_map(|part| part.facts.source.iter().cloned().chain([part.hub.tenant.clone()])).collect();
        let mut explained = HubExplanation::of(&self.name, parts).map_err(|error| hub::no_json(&error))?;
        explained.there = own.as_ref().map(|own| self.tenants_with_it(own.world())).unwrap_or_default();
        if !explained.is_known() && explained.there.is_empty() {
            return Err(self.not_known(&explained, own.as_ref(), &tenants, first.as_ref()));
        }
        explained.syncer = Some(hub.syncer());
        let style = output.style();
        let form = Form { format: self.format.output, style };
        output.result(&form.of(&explained.json(), || explained.text(style), || explained.markdown())?)?;
        Ok(explained.exit())
    }

    /// Fails if the argument names no object that a hub explains.
    fn names_an_object(&self) -> Result<(), CommandFailure> {
        let help = "write Connection/KEY or Integration/NAME; stablekey status shows a hub's tenants";
        let Some((kind, name)) = self.name.split_once('/') else { return Ok(()) };
        if !explains(kind) {
            let kinds = [Kind::Connection, Kind::Integration].map(Kind::as_str);
            let help = match near_miss::meant(kind, kinds).filter(|_| Kind::typed(kind).is_none()) {
                Some(near) => format!("did you mean {near}/{name}?"),
                None => help.to_string(),
            };
            return Err(CommandFailure::new(format!("a hub explains no {kind}"), help));
        }
        if name.is_empty() {
            return Err(CommandFailure::new(format!("{} names nothing", self.name), help));
        }
        Ok(())
    }

    /// The tenants, read with the person's own contexts, that have or name the object.
    fn tenants_with_it(&self, world: &World) -> Vec<String> {
        let meant = |kind: Kind| match self.name.split_once('/') {
            Some((typed, name)) => (Kind::typed(typed) == Some(kind)).then_some(name),
            None => Some(self.name.as_str()),
        };
        let in_tenant = |tenant: &String| {
            let tenants = world.tenants.get_key_value(tenant).map(|(name, view)| (name.clone(), view.clone()));
            World { tenants: tenants.into_iter().collect(), ..World::default() }
        };
        let has = |tenant: &String| {
            let of_it = in_tenant(tenant);
            let key = meant(Kind::Connection).is_some_and(|key| explain_key(&of_it, key).is_ok());
            let integration = meant(Kind::Integration).is_some_and(|name| is_integration(&of_it, name));
            match (key, integration) {
                (true, true) => Some("a stable key and an integration"),
                (true, false) => Some("a stable key"),
                (false, true) => Some("an integration"),
                (false, false) => None,
            }
        };
        world.tenants.keys().filter_map(|tenant| Some(format!("{} in {tenant}", has(tenant)?))).collect()
    }

    /// The failure for an unknown name: nothing has it, or it may be in a part that was not read.
    fn not_known(
        &self,
        explained: &HubExplanation,
        own: Option<&OwnWorld>,
        tenants: &BTreeSet<String>,
        first: Option<&Hub>,
    ) -> CommandFailure {
        let unread = match own {
            Some(own) => own.why_unread(tenants.iter().map(String::as_str)),
            None => Some(("", "")),
        };
        match (unread, own) {
            (None, Some(own)) => {
                let error = match self.name.split_once('/') {
                    Some((_, name)) => ExplainError::nothing(own.world(), name),
                    None => ExplainError::nothing(own.world(), &self.name),
                };
                CommandFailure::new(error.to_string(), "stablekey status shows the hub's syncs and tenants")
            }
            (unread, _) => {
                let unread = unread.filter(|(tenant, _)| !tenant.is_empty());
                let unread = unread.map(|(tenant, why)| format!("; {tenant} was not read: {why}")).unwrap_or_default();
                let look = first.map(|hub| format!(":\n    {}", hub.explain_there(&self.name))).unwrap_or_default();
                let help = format!(
                    "whether there is such a connection or integration the hub does not keep. To look where it may be, \
                     with your own context of that tenant{look}"
                );
                CommandFailure::new(format!("{}{unread}", explained.unknown()), help)
            }
        }
    }
}

/// Whether a hub explains objects of this kind.
fn explains(kind: &str) -> bool {
    matches!(Kind::typed(kind), Some(Kind::Connection | Kind::Integration))
}

/// The thing that a name refers to.
enum Meant {
    Key(String),
    Integration(String),
    Tenant(String),
}

/// The reason why a name is not explained.
enum Explained {
    Wrong(ExplainError),
    Failure(CommandFailure),
}

impl Meant {
    /// Resolves a name, and lists other things that have it.
    fn of(world: &World, typed: &str) -> Result<(Meant, Vec<Meant>), ExplainError> {
        let named = typed.split_once('/').and_then(|(kind, name)| Some((Kind::typed(kind)?, name.to_string())));
        match named {
            Some((Kind::Connection, key)) => return Ok((Meant::Key(key), Vec::new())),
            Some((Kind::Integration, name)) => return Ok((Meant::Integration(name), Vec::new())),
            Some((Kind::Tenant, name)) => return Ok((Meant::Tenant(name), Vec::new())),
            _ => {}
        }
        let name = || typed.to_string();
        let all = [
            explain_key(world, typed).is_ok().then(|| Meant::Key(name())),
            is_integration(world, typed).then(|| Meant::Integration(name())),
            world.tenants.contains_key(typed).then(|| Meant::Tenant(name())),
        ];
        let mut all: Vec<Meant> = all.into_iter().flatten().collect();
        if all.is_empty() {
            return Err(ExplainError::nothing(world, typed));
        }
        let first = all.remove(0);
        Ok((first, all))
    }

    /// The argument that refers to this thing only.
    fn typed(&self) -> String {
        match self {
            Meant::Key(name) => format!("connection/{name}"),
            Meant::Integration(name) => format!("integration/{name}"),
            Meant::Tenant(name) => format!("tenant/{name}"),
        }
    }

    fn explained(&self, world: &World, form: Form) -> Result<String, Explained> {
        let text = match self {
            Meant::Key(key) => {
                let explained = explain_key(world, key).map_err(Explained::Wrong)?;
                form.of(&explained, || explained.text(form.style), || explained.markdown())
            }
            Meant::Integration(name) => {
                let after = simulate_whole(world, &plan(world, &Scope::default()));
                let explained = explain_everywhere(world, &after, name).map_err(Explained::Wrong)?;
                form.of(&explained, || explained.text(form.style), || explained.markdown())
            }
            Meant::Tenant(name) => {
                let explained = explain_tenant(world, name).map_err(Explained::Wrong)?;
                form.of(&explained, || explained.text(form.style), || explained.markdown())
            }
        };
        text.map_err(Explained::Failure)
    }
}

/// The requested form of the result.
#[derive(Clone, Copy)]
struct Form {
    format: OutputFormat,
    style: Style,
}

impl Form {
    fn of(
        self,
        value: &impl Serialize,
        text: impl FnOnce() -> String,
        markdown: impl FnOnce() -> String,
    ) -> Result<String, CommandFailure> {
        match self.format {
            OutputFormat::Text => Ok(text()),
            OutputFormat::Markdown => Ok(markdown()),
            OutputFormat::Json => render::json(value, JsonLayout::Pretty)
                .map_err(|e| CommandFailure::new(e.to_string(), "internal error: report it")),
        }
    }
}
