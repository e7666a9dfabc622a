//! Explains an integration in every tenant that has it, or that a sync would copy it to.

use super::bindings_text::{binding_row, mark, state_word};
use super::explain::{ExplainError, SCHEMA, SyncLine, declared, owned, sync_lines};
use super::explain_text::unread;
use super::markdown::{Comment, escape as md};
use super::page::{Span, TextPage, faint, plain, strong, width};
use super::style::{Style, Tone};
use super::waiting_writes;
use crate::api::Kind;
use crate::engine::model::inventory::World;
use crate::engine::model::item::ObjectId;
use crate::engine::model::record::Writer;
use crate::near_miss::near_misses;
use crate::report::binding::{BindingRow, Scene};
use crate::report::waiting_write::WaitingWrite;
use crate::text::count;
use serde::Serialize;
use std::collections::BTreeSet;

/// An integration in every tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IntegrationEverywhere {
    /// The schema `stablekey.dev/explanation/v1`.
    pub schema: &'static str,
    /// The name of the integration.
    pub integration: String,
    /// One entry per tenant, by name.
    pub tenants: Vec<IntegrationInTenant>,
    /// The syncs that carry it.
    pub syncs: Vec<SyncLine>,
}

/// An integration in one tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IntegrationInTenant {
    /// The name of the tenant.
    pub tenant: String,
    /// Whether it could be read.
    pub read: bool,
    /// Why it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreachable: Option<String>,
    /// Whether the integration exists.
    pub present: bool,
    /// The display name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The reason why it cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invalid: Option<String>,
    /// The writer that would write it, if it does not exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promised_by: Option<String>,
    /// One row per variable: as it is, or as it would be.
    pub bindings: Vec<BindingRow>,
    /// The writes to it, and to the connections of its variables, that wait for an earlier stage.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<WaitingWrite>,
}

/// Whether a tenant has, names, or will get an integration with this name.
pub fn is_integration(world: &World, name: &str) -> bool {
    let id = ObjectId::new(Kind::Integration, name);
    let views = world.tenants.values().flat_map(|view| [Some(&view.live), view.source.as_ref()]);
    views
        .flatten()
        .filter_map(|view| view.inventory())
        .any(|inventory| inventory.integrations.contains_key(name) || inventory.invalid.contains_key(&id))
}

/// Explains an integration in every tenant. `after` has the tenants after the plan, since a sync copies an integration
/// together with what it needs.
pub fn explain_everywhere(
    world: &World,
    after: &World,
    integration: &str,
) -> Result<IntegrationEverywhere, ExplainError> {
    if !is_integration(world, integration) {
        let inventories = world.tenants.values().filter_map(|view| view.live.inventory());
        let names: BTreeSet<&str> = inventories.flat_map(|i| i.integrations.keys()).map(String::as_str).collect();
        let near = owned(near_misses(integration, names));
        return Err(ExplainError::NoSuchIntegration { integration: integration.to_string(), near });
    }
    let mut tenants: Vec<IntegrationInTenant> =
        world.tenants.keys().map(|tenant| in_tenant(world, after, tenant, integration)).collect();
    let waits = WaitingWrite::all(world);
    for tenant in &mut tenants {
        let of_tenant = waits.iter().filter(|write| write.tenant == tenant.tenant);
        tenant.waits = of_tenant.filter(|write| write.concerns(integration, &tenant.bindings)).cloned().collect();
    }
    let carries = |from: &str| tenants.iter().any(|t| t.tenant == from && t.present);
    let syncs = world.syncs.iter().filter(|sync| sync.spec.selects(integration) && carries(&sync.spec.from));
    let syncs = syncs.map(|sync| SyncLine::of(sync, &[integration.to_string()])).collect();
    Ok(IntegrationEverywhere { schema: SCHEMA, integration: integration.to_string(), tenants, syncs })
}

fn in_tenant(world: &World, after: &World, tenant: &str, integration: &str) -> IntegrationInTenant {
    let mut found = IntegrationInTenant { tenant: tenant.to_string(), ..IntegrationInTenant::default() };
    let Some(scene) = Scene::of(world, tenant) else {
        found.unreachable = world.tenants.get(tenant).and_then(|view| view.live.unreachable()).map(str::to_string);
        return found;
    };
    found.read = true;
    let id = ObjectId::new(Kind::Integration, integration);
    found.invalid = scene.inventory.invalid.get(&id).cloned();
    if let Some(object) = scene.inventory.integrations.get(integration) {
        found.present = true;
        found.title.clone_from(&object.spec.title);
        found.bindings = scene.live(integration).unwrap_or_default();
    } else if let Some(declared) = declared(world, after, tenant, integration) {
        found.promised_by = Some(declared.by.to_string());
        found.bindings = declared.bindings;
    }
    found
}

impl IntegrationInTenant {
    fn head(&self) -> (&'static str, Tone, String) {
        match self {
            IntegrationInTenant { read: false, unreachable, .. } => {
                ("?", Tone::Careful, unread(unreachable.as_deref()))
            }
            IntegrationInTenant { invalid: Some(_), .. } => ("✗", Tone::Bad, "is invalid there".to_string()),
            IntegrationInTenant { present: true, bindings, .. } => {
                let bound = bindings.iter().filter(|row| row.connection.is_some()).count();
                let tone = if bound == bindings.len() { ("✓", Tone::Good) } else { ("✗", Tone::Bad) };
                (tone.0, tone.1, format!("{bound} of {} bound", bindings.len()))
            }
            IntegrationInTenant { promised_by: Some(writer), .. } if *writer == Writer::Source.to_string() => {
                ("+", Tone::Plain, format!("declared by {writer}, not applied yet"))
            }
            IntegrationInTenant { promised_by: Some(writer), .. } => {
                ("+", Tone::Plain, format!("not there; {writer} would add it"))
            }
            _ => ("·", Tone::Faint, "not there".to_string()),
        }
    }
}

impl IntegrationEverywhere {
    /// The explanation as text for a terminal.
    pub fn text(&self, style: Style) -> String {
        let mut page = TextPage::new(style);
        page.wrap(0, 2, &[strong(&self.integration), faint(format!("  {}", self.sum()))]);
        for tenant in &self.tenants {
            page.gap();
            let (mark, tone, state) = tenant.head();
            let title = tenant.title.as_ref().map(|title| format!("  {title}")).unwrap_or_default();
            let head =
                [Span::new(tone, mark), plain(" "), strong(&tenant.tenant), plain(format!("  {state}")), faint(title)];
            page.wrap(0, 4, &head);
            if let Some(why) = &tenant.invalid {
                page.wrap(4, 6, &[plain(why)]);
            }
            waiting_writes::show(&mut page, &tenant.waits, 2);
            let columns = tenant.bindings.iter().map(|row| width(&row.variable)).max().unwrap_or(0).min(40);
            for row in &tenant.bindings {
                binding_row(&mut page, row, columns);
            }
        }
        sync_lines(&mut page, &self.syncs.iter().map(ToString::to_string).collect::<Vec<_>>());
        page.finish()
    }

    /// The explanation as Markdown for a pull request comment.
    pub fn markdown(&self) -> String {
        let mut comment = Comment::new(String::new(), "stablekey explain");
        comment.add(&format!("## {}\n\n{}\n", md(&self.integration), md(&self.sum())));
        for tenant in &self.tenants {
            let (mark_of, _, state) = tenant.head();
            let why = tenant.invalid.as_ref().map(|why| format!(": {}", md(why))).unwrap_or_default();
            comment.add(&format!("\n{mark_of} **{}**: {}{why}\n", md(&tenant.tenant), md(&state)));
            let rows: Vec<String> = tenant
                .bindings
                .iter()
                .map(|row| {
                    let key = row.stable_key.as_deref().unwrap_or("its own connection");
                    let state_word = state_word(row.state).map(|text| format!(": {text}")).unwrap_or_default();
                    format!("- {} {}: {}{state_word}\n", mark(row.state).0, md(&row.variable), md(key))
                })
                .collect();
            comment.section("\n", &[waiting_writes::items(&tenant.waits), rows].concat(), "");
        }
        let syncs: Vec<String> = self.syncs.iter().map(|sync| format!("- {}\n", md(&sync.to_string()))).collect();
        comment.section("\n**Syncs**\n\n", &syncs, "");
        comment.finish()
    }

    fn sum(&self) -> String {
        let there = self.tenants.iter().filter(|t| t.present).count();
        format!("an integration, in {there} of {}", count(self.tenants.len(), "tenant", "tenants"))
    }
}
