//! `stablekey suspend` and `stablekey resume`.

use super::edit::EditOptions;
use super::hub::{self, HubOptions};
use super::output::{Output, OutputFormat};
use super::{CommandFailure, planning};
use crate::api::Kind;
use crate::author::Draft;
use crate::author::suspend::suspend;
use crate::engine::model::item::ObjectId;
use crate::hub::suspension::{self, HubPause};
use crate::hub::{OpenHub, flags, status_command};
use crate::near_miss::near_misses;
use crate::project::hub::HubAddress;
use crate::render::{self, JsonLayout, quoted};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeSet;

/// Stop all writes to a tenant, or of a sync
///
/// Sets suspend: true in the manifest of a Tenant or TenantSync, after showing the diff. Plans and statuses go on: they
/// say what waits. What is being written is finished.
///
/// Examples:
///   stablekey suspend eu-prod
///   stablekey suspend us-to-eu -n us-prod
///   stablekey suspend Tenant/eu-prod --context us -n us-prod
///
/// With --namespace and --context the object of a hub is changed, at once and with your own account, which needs the
/// verb patch on tenants or tenantsyncs. If Git or another tool applies that object, change it there too: it would be
/// set back. Exit codes: 0 suspended; 1 an error.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Suspend {
    #[command(flatten)]
    arguments: SuspendArgs,
}

/// Go on with the writes that suspend stopped
///
/// Removes `suspend` from the manifest of a Tenant or TenantSync, after showing the diff.
///
/// Examples:
///   stablekey resume eu-prod
///   stablekey resume us-to-eu -n us-prod --dry-run
///
/// With --namespace and --context the object of a hub is changed, at once and with your own account, which needs the
/// verb patch on tenants or tenantsyncs; a sync of mode Apply also needs the verb approve on tenantsyncs, since the
/// syncer then writes without asking. Exit codes: 0 resumed; 1 an error.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Resume {
    #[command(flatten)]
    arguments: SuspendArgs,
}

#[derive(Debug, Args)]
struct SuspendArgs {
    /// The Tenant or TenantSync; if both have that name, write Tenant/NAME or TenantSync/NAME
    #[arg(value_name = "TENANT|SYNC")]
    name: String,
    #[command(flatten)]
    hub: HubOptions,
    #[command(flatten)]
    edit: EditOptions,
}

impl Suspend {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        self.arguments.run(Wish::Suspend, output)
    }
}

impl Resume {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        self.arguments.run(Wish::Resume, output)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Suspend,
    Resume,
}

impl Wish {
    fn command(self) -> &'static str {
        match self {
            Wish::Suspend => "suspend",
            Wish::Resume => "resume",
        }
    }

    fn suspends(self) -> bool {
        self == Wish::Suspend
    }
}

/// The schema of the JSON.
const SCHEMA: &str = "stablekey.dev/suspend/v1";

/// What was changed in a hub.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Changed<'c> {
    schema: &'static str,
    namespace: &'c str,
    object: String,
    suspend: bool,
    /// Whether it was different before.
    changed: bool,
    dry_run: bool,
    /// What is written to each target from now on, as the syncer reported it last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waits: Vec<String>,
}

impl SuspendArgs {
    fn run(&self, wish: Wish, output: &mut Output) -> Result<u8, CommandFailure> {
        match self.hub.address() {
            Some(address) => self.run_on_hub(address, wish, output),
            None => self.run_in_folder(wish, output),
        }
    }

    /// Edits the manifest.
    fn run_in_folder(&self, wish: Wish, output: &mut Output) -> Result<u8, CommandFailure> {
        let project = self.edit.open()?;
        let of_kind = |kind: Kind| project.origins.keys().filter(move |id| id.kind == kind).map(|id| &id.name);
        let root = self.edit.root.typed().map(|root| format!(" -C {}", quoted(&root))).unwrap_or_default();
        let command = |which: &str| format!("stablekey {} {}{root}", wish.command(), quoted(which));
        let (kind, name) = named(&self.name, of_kind(Kind::Tenant), of_kind(Kind::TenantSync), command)?;
        let mut draft = Draft::new(&project);
        suspend(&mut draft, &ObjectId::new(kind, name), wish.suspends())?;
        self.edit.finish(draft, output)
    }

    /// Changes the object of a hub.
    fn run_on_hub(&self, address: HubAddress, wish: Wish, output: &mut Output) -> Result<u8, CommandFailure> {
        if self.edit.force {
            return Err(CommandFailure::new(
                "--force is for files: a hub makes no plan before the change",
                "leave it away",
            ));
        }
        if self.edit.output == OutputFormat::Markdown {
            return Err(CommandFailure::new("a change of a hub has no Markdown form", "give -o text or -o json"));
        }
        let mut hub = hub::open(address, self.edit.root.servers(), output)?;
        let (tenants, syncs) = (&hub.contents.tenants, &hub.contents.syncs);
        let (kind, name) = named(&self.name, tenants.keys(), syncs.keys(), |which| {
            format!("stablekey {} {}{}", wish.command(), quoted(which), flags(&hub.address))
        })?;
        let pause = HubPause { kind, name: &name, suspends: wish.suspends(), dry_run: self.edit.dry_run, shown: None };
        if !suspension::suspend(&mut hub, &pause).map_err(|failure| hub::told(failure, output))? {
            let already = if wish.suspends() { "suspended already" } else { "not suspended" };
            let told = format!("{kind} {name} is {already}.");
            return self.report(&hub, (kind, &name), (wish, false), &told, output);
        }
        let done = match (wish, self.edit.dry_run) {
            (Wish::Suspend, false) => "Suspended",
            (Wish::Resume, false) => "Resumed",
            (Wish::Suspend, true) => "Would suspend",
            (Wish::Resume, true) => "Would resume",
        };
        let namespace = &hub.address.namespace;
        let told = format!("{done} {kind} {name} in namespace {namespace}.");
        self.report(&hub, (kind, &name), (wish, true), &told, output)
    }

    fn report(
        &self,
        hub: &OpenHub,
        (kind, name): (Kind, &str),
        (wish, changed): (Wish, bool),
        told: &str,
        output: &mut Output,
    ) -> Result<u8, CommandFailure> {
        let waits = suspension::waits(hub, kind, name);
        if self.edit.output == OutputFormat::Json {
            let changed = Changed {
                schema: SCHEMA,
                namespace: &hub.address.namespace,
                object: format!("{kind}/{name}"),
                suspend: wish.suspends(),
                changed,
                dry_run: self.edit.dry_run,
                waits,
            };
            let json = render::json(&changed, JsonLayout::Pretty).map_err(|error| hub::no_json(&error))?;
            output.result(&json)?;
            return Ok(0);
        }
        let mut text = told.to_string();
        if changed {
            let what = match wish {
                Wish::Suspend => "Nothing is written from now on; this waits, as it was planned last:",
                Wish::Resume => "This waited, as it was planned last:",
            };
            if !waits.is_empty() {
                text.push_str(&format!("\n{what}"));
            }
            waits.iter().for_each(|line| text.push_str(&format!("\n  {line}")));
            text.push_str(&format!("\nTo see the state:\n{}", status_command(&hub.address)));
        }
        output.result(&crate::text::lines(&text))?;
        Ok(0)
    }
}

/// Finds the Tenant or TenantSync that was named: its kind and name. `command` is this command for another name.
fn named<'n>(
    typed: &str,
    tenants: impl Iterator<Item = &'n String> + Clone,
    syncs: impl Iterator<Item = &'n String> + Clone,
    command: impl Fn(&str) -> String,
) -> Result<(Kind, String), CommandFailure> {
    let of_kind = typed.split_once('/').map(|(kind, name)| {
        let known = if kind == "sync" { Some(Kind::TenantSync) } else { Kind::typed(kind) };
        (kind, known, name)
    });
    let kinds = [Kind::Tenant, Kind::TenantSync];
    match of_kind {
        Some((_, Some(Kind::Tenant), name)) => {
            planning::known("tenant", name, tenants)?;
            Ok((Kind::Tenant, name.to_string()))
        }
        Some((_, Some(Kind::TenantSync), name)) => {
            planning::known("sync", name, syncs)?;
            Ok((Kind::TenantSync, name.to_string()))
        }
        Some((_, Some(kind), _)) => {
            let message = format!("a {kind} cannot be suspended");
            Err(CommandFailure::new(message, "name a Tenant or a TenantSync: all that it writes stops"))
        }
        Some((kind, None, name)) => {
            let near = near_misses(kind, kinds.iter().map(|kind| kind.as_str()));
            let near: Vec<String> = near.iter().map(|kind| format!("{kind}/{name}")).collect();
            let help = match near.as_slice() {
                [] => format!("write Tenant/{name} or TenantSync/{name}"),
                near => format!("did you mean {}?", near.join(" or ")),
            };
            Err(CommandFailure::new(format!("{kind} is no kind that can be suspended"), help))
        }
        None => {
            let is = |mut names: Box<dyn Iterator<Item = &String> + '_>| names.any(|name| name == typed);
            match (is(Box::new(tenants.clone())), is(Box::new(syncs.clone()))) {
                (true, true) => {
                    let which = kinds.map(|kind| format!("\n{}", command(&format!("{kind}/{typed}"))));
                    let message = format!("{typed} is the name of a tenant and of a sync");
                    Err(CommandFailure::new(message, format!("say which:{}", which.concat())))
                }
                (true, false) => Ok((Kind::Tenant, typed.to_string())),
                (false, true) => Ok((Kind::TenantSync, typed.to_string())),
                (false, false) => {
                    let all: BTreeSet<&String> = tenants.chain(syncs).collect();
                    planning::known("tenant or sync", typed, all.into_iter())?;
                    Ok((Kind::TenantSync, typed.to_string()))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(typed: &str) -> Result<(Kind, String), CommandFailure> {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (tenants, syncs) = (names(&["us", "eu"]), names(&["us-to-eu", "us"]));
        named(typed, tenants.iter(), syncs.iter(), |which| format!("stablekey suspend {which} -n hub"))
    }

    #[test]
    fn a_name_means_a_tenant_or_a_sync() {
        for (typed, kind, name) in [
            ("eu", Kind::Tenant, "eu"),
            ("us-to-eu", Kind::TenantSync, "us-to-eu"),
            ("Tenant/us", Kind::Tenant, "us"),
            ("ten/us", Kind::Tenant, "us"),
            ("TenantSync/us", Kind::TenantSync, "us"),
            ("tsync/us", Kind::TenantSync, "us"),
            ("sync/us", Kind::TenantSync, "us"),
        ] {
            assert_eq!(find(typed).unwrap(), (kind, name.to_string()), "{typed}");
        }
    }

    /// "A name that is both a tenant and a sync is an error that says how to say which".
    #[test]
    fn a_name_of_both_and_a_wrong_name_say_what_to_write() {
        for (typed, message, help) in [
            (
                "us",
                "us is the name of a tenant and of a sync",
                "say which:\nstablekey suspend Tenant/us -n hub\nstablekey suspend TenantSync/us -n hub",
            ),
            ("us-to-ue", "there is no tenant or sync us-to-ue", "did you mean us-to-eu"),
            ("Tenant/ue", "there is no tenant ue", "there are eu, us"),
            ("TenantSync/eu", "there is no sync eu", "there are"),
            ("Tenat/eu", "Tenat is no kind that can be suspended", "did you mean Tenant/eu or TenantSync/eu?"),
            ("x/eu", "x is no kind that can be suspended", "write Tenant/eu or TenantSync/eu"),
            ("conn/crm", "a Connection cannot be suspended", "name a Tenant or a TenantSync"),
        ] {
            let failure = find(typed).unwrap_err();
            assert_eq!(failure.message, message);
            assert!(failure.help.starts_with(help), "{typed}: {}", failure.help);
        }
    }
}
