//! Explains a tenant: its connections and their users, its integrations and their bindings, and the syncs from it and
//! into it.

use super::bindings_text::{binding_row, mark, state_word};
use super::explain::{ExplainError, InvalidObject, SCHEMA, SyncLine, sync_lines};
use super::markdown::{Comment, escape as md};
use super::page::{Span, TextPage, faint, heading, plain, strong, width};
use super::style::{Style, Tone};
use super::waiting_writes;
use crate::api::{Kind, LocationSpec};
use crate::engine::model::inventory::World;
use crate::report::binding::{BindingRow, Scene};
use crate::report::tenant_connection::ConnectionOfTenant;
use crate::report::waiting_write::WaitingWrite;
use crate::text::{and, count};
use serde::Serialize;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantExplanation {
    /// The schema `stablekey.dev/explanation/v1`.
    pub schema: &'static str,
    /// The name of the tenant.
    pub tenant: String,
    /// The region of its stack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The purpose of the tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The location of its resources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<LocationSpec>,
    /// Whether it is suspended.
    pub suspend: bool,
    /// The tenants whose syncs it accepts.
    pub accept_from: Vec<String>,
    /// The connections, by stable key.
    pub connections: Vec<ConnectionOfTenant>,
    /// The integrations, by name.
    pub integrations: Vec<IntegrationOfTenant>,
    /// The objects that cannot be used.
    pub invalid: Vec<InvalidObject>,
    /// The number of customers with credentials, where the location tells more than how many each connection has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customers: Option<usize>,
    /// The writes to it that wait for an earlier stage.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<WaitingWrite>,
    /// The syncs from it and into it.
    pub syncs: Vec<SyncLine>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IntegrationOfTenant {
    /// The name of the integration.
    pub name: String,
    /// The display name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// One row per variable.
    pub bindings: Vec<BindingRow>,
}

pub fn explain_tenant(world: &World, tenant: &str) -> Result<TenantExplanation, ExplainError> {
    let Some(view) = world.tenants.get(tenant) else { return Err(ExplainError::no_tenant(world, tenant)) };
    let scene = Scene::of(world, tenant).ok_or_else(|| ExplainError::unreachable(world, tenant))?;
    let inventory = scene.inventory;
    let integrations = inventory.integrations.iter().map(|(name, object)| IntegrationOfTenant {
        name: name.clone(),
        title: object.spec.title.clone(),
        bindings: scene.live(name).unwrap_or_default(),
    });
    let concerned = world.syncs.iter().filter(|s| s.spec.from == tenant || s.spec.goes_to(tenant));
    Ok(TenantExplanation {
        schema: SCHEMA,
        tenant: tenant.to_string(),
        region: view.spec.region.clone(),
        environment: view.spec.environment.clone(),
        location: view.spec.location.clone(),
        suspend: view.spec.is_suspended(),
        accept_from: view.spec.accept_from.clone(),
        connections: ConnectionOfTenant::all(tenant, &scene),
        integrations: integrations.collect(),
        invalid: InvalidObject::of(inventory, |id| id.kind != Kind::Tenant),
        customers: inventory.customers(),
        waits: WaitingWrite::all(world).into_iter().filter(|write| write.tenant == tenant).collect(),
        syncs: concerned.map(|sync| SyncLine::of(sync, &sync.spec.integrations)).collect(),
    })
}

impl TenantExplanation {
    /// The explanation as text for a terminal.
    pub fn text(&self, style: Style) -> String {
        let mut page = TextPage::new(style);
        page.wrap(0, 2, &[heading(&self.tenant), plain(format!("  {}", self.facts().join(", ")))]);
        page.wrap(2, 4, &[faint(self.sum())]);
        for invalid in &self.invalid {
            invalid.show(&mut page, 2);
        }
        waiting_writes::show(&mut page, &self.waits, 2);
        self.connections(&mut page);
        for integration in &self.integrations {
            page.gap();
            integration.show(&mut page);
        }
        sync_lines(&mut page, &self.sync_lines());
        page.finish()
    }

    fn connections(&self, page: &mut TextPage) {
        if self.connections.is_empty() {
            return;
        }
        page.gap();
        page.line(0, &[heading("connections")]);
        let key = |c: &ConnectionOfTenant| c.connection.stable_key.clone().unwrap_or_default();
        let columns = self.connections.iter().map(|c| width(&key(c))).max().unwrap_or(0).min(40);
        for connection in &self.connections {
            let is_ready = connection.lacks.is_empty() && connection.ready;
            let (mark, tone) = if is_ready { ("✓", Tone::Good) } else { ("◌", Tone::Careful) };
            let label = Span::new(tone, format!("{mark} {}", key(connection)));
            let facts = connection.facts().join("; ");
            page.labelled(2, label, columns + 2, &[plain(connection.connection.words()), faint(format!("; {facts}"))]);
        }
    }

    /// The explanation as Markdown for a pull request comment.
    pub fn markdown(&self) -> String {
        let mut comment = Comment::new(String::new(), "stablekey explain");
        let facts = self.facts().join(", ");
        comment.add(&format!("## {}\n\n{}. {}\n", md(&self.tenant), md(&facts), md(&self.sum())));
        let connections: Vec<String> = self
            .connections
            .iter()
            .map(|c| {
                let key = c.connection.stable_key.as_deref().unwrap_or_default();
                format!("- **{}**: {}; {}\n", md(key), md(&c.connection.words()), md(&c.facts().join("; ")))
            })
            .collect();
        comment.section("\n**Connections**\n\n", &connections, "");
        let invalid: Vec<String> = self.invalid.iter().map(InvalidObject::item).collect();
        comment.section("\n**Invalid**\n\n", &invalid, "");
        comment.section("\n**Waits**\n\n", &waiting_writes::items(&self.waits), "");
        let rows = self.integrations.iter().flat_map(|i| i.bindings.iter().map(move |row| (i, row)));
        let rows: Vec<String> = rows
            .map(|(i, row)| {
                let key = row.stable_key.as_deref().unwrap_or("its own connection");
                let state_word = state_word(row.state).map(|text| format!(": {text}")).unwrap_or_default();
                format!("- {} {}, {}: {}{state_word}\n", mark(row.state).0, md(&i.name), md(&row.variable), md(key))
            })
            .collect();
        comment.section("\n**Integrations**\n\n", &rows, "");
        let syncs: Vec<String> = self.sync_lines().iter().map(|line| format!("- {}\n", md(line))).collect();
        comment.section("\n**Syncs**\n\n", &syncs, "");
        comment.finish()
    }

    fn facts(&self) -> Vec<String> {
        let mut facts: Vec<String> = self.region.iter().chain(&self.environment).cloned().collect();
        facts.extend(self.location.as_ref().map(|location| match location {
            LocationSpec::Directory(directory) => format!("in folder {}", directory.path),
            LocationSpec::Prismatic(location) => format!("on the platform at {}", location.url),
            LocationSpec::Kubernetes(location) => match &location.kubeconfig {
                Some(crate::api::Kubeconfig::Context(context)) => {
                    format!("in namespace {} of context {context}", location.namespace)
                }
                _ => format!("in namespace {}", location.namespace),
            },
        }));
        facts.extend(self.suspend.then(|| "suspended: nothing is written to it".to_string()));
        if facts.is_empty() { vec!["a tenant".to_string()] } else { facts }
    }

    fn sum(&self) -> String {
        let rows = || self.integrations.iter().flat_map(|i| &i.bindings);
        let bound = rows().filter(|row| row.connection.is_some()).count();
        let customers = self.customers.map(|number| count(number, "customer", "customers"));
        let parts = [
            count(self.connections.len(), "connection", "connections"),
            count(self.integrations.len(), "integration", "integrations"),
            format!("{bound} of {} bound", count(rows().count(), "variable", "variables")),
        ];
        parts.into_iter().chain(customers).collect::<Vec<_>>().join(", ")
    }

    fn sync_lines(&self) -> Vec<String> {
        let accepts = match self.accept_from.as_slice() {
            [] => format!("{} accepts no sync", self.tenant),
            from => format!("{} accepts syncs from {}", self.tenant, and(from)),
        };
        self.syncs.iter().map(ToString::to_string).chain([accepts]).collect()
    }
}

impl ConnectionOfTenant {
    fn facts(&self) -> Vec<String> {
        let mut facts = vec![match self.used_by.as_slice() {
            [] => "no integration uses it".to_string(),
            users => format!("used by {}", and(users)),
        }];
        facts.extend((!self.lacks.is_empty()).then(|| format!("lacks {}", and(&self.lacks))));
        facts.extend((!self.replaces.is_empty()).then(|| format!("replaces {}", and(&self.replaces))));
        facts.extend((self.customers > 0).then(|| count(self.customers, "customer", "customers")));
        facts
    }
}

impl IntegrationOfTenant {
    fn show(&self, page: &mut TextPage) {
        let title = self.title.as_ref().map(|title| format!("  {title}")).unwrap_or_default();
        page.wrap(0, 2, &[strong(&self.name), faint(title)]);
        let columns = self.bindings.iter().map(|row| width(&row.variable)).max().unwrap_or(0).min(40);
        for row in &self.bindings {
            binding_row(page, row, columns);
        }
        if self.bindings.is_empty() {
            page.wrap(2, 4, &[plain("it has no connection variable")]);
        }
    }
}
