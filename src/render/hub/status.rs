//! An overview of a hub: its Tenants, and the state of each sync in each target.

use super::details::first;
use super::{HubPart, SyncerSign, worst};
use crate::api::{Condition, Kind, TargetStatus, TenantStatus};
use crate::engine::model::item::ObjectId;
use crate::render::markdown::{command as command_block, escape as md, row, rule};
use crate::render::page::{Span, TextPage, command, faint, heading, plain, strong, width};
use crate::render::style::{Style, Tone};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// The schema of the JSON.
const SCHEMA: &str = "stablekey.dev/hub-status/v1";

/// The statuses in a hub.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HubStatus {
    schema: &'static str,
    exit: u8,
    namespace: String,
    syncs: Vec<HubSyncStatus>,
    tenants: Vec<HubTenantStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    syncer: Option<Value>,
    #[serde(skip)]
    sign: Option<SyncerSign>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HubTenantStatus {
    tenant: String,
    ready: Option<bool>,
    reason: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<String>,
    /// Whether a sync into the tenant leaves a difference, or may do so by now.
    #[serde(skip)]
    differs: bool,
}

/// The status of a sync in one of its targets.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HubSyncStatus {
    sync: String,
    mode: String,
    /// Whether the syncer has reconciled the current spec of the sync.
    observed: bool,
    /// The command to approve the waiting plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    approve: Option<String>,
    /// The conditions of the sync.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    conditions: Vec<Condition>,
    /// The status of the sync for the target.
    #[serde(flatten)]
    target: TargetStatus,
    #[serde(skip)]
    part: HubPart,
}

impl HubTenantStatus {
    /// Builds the row from the status of a Tenant. What was reported of an earlier spec is not called in order.
    pub fn of(
        tenant: &str,
        status: &TenantStatus,
        is_observed: bool,
        (region, environment): (Option<String>, Option<String>),
    ) -> Self {
        let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
        let not_yet = || "the syncer has not reconciled it yet: is it running?".to_string();
        let message = |ready: &Condition| match is_observed {
            true => ready.message.clone(),
            false => format!("{}; the syncer has not reconciled its last change yet", ready.message),
        };
        HubTenantStatus {
            tenant: tenant.to_string(),
            ready: ready.and_then(|ready| match ready.status.as_str() {
                "True" => Some(true),
                "False" => Some(false),
                _ => None,
            }),
            reason: ready.map_or_else(|| "Unknown".to_string(), |ready: &Condition| ready.reason.clone()),
            message: ready.map_or_else(not_yet, message),
            region,
            environment,
            differs: !is_observed,
        }
    }

    /// Builds the row for an unreadable Tenant.
    pub fn unreadable(tenant: &str, why: &str) -> Self {
        let (reason, message) = ("Unreadable".to_string(), why.to_string());
        let tenant = tenant.to_string();
        HubTenantStatus { tenant, ready: Some(false), reason, message, region: None, environment: None, differs: false }
    }
}

impl HubSyncStatus {
    /// Builds the row for a sync with this mode.
    pub fn of(mode: &str, part: HubPart) -> Self {
        HubSyncStatus {
            sync: part.hub.sync.clone(),
            mode: mode.to_string(),
            observed: part.is_observed,
            approve: part.awaits_approval().then(|| part.hub.approve()),
            conditions: part.facts.conditions.clone(),
            target: part.target.clone(),
            part,
        }
    }

    /// The message and details, one line each.
    fn lines(&self) -> Vec<String> {
        // The commands to approve the waiting plan are shown below.
        let asks = self.part.awaits_approval();
        let lines = self.part.lines();
        let message = self.part.message().map_or(0, |message| message.split('\n').count());
        let lines =
            lines.into_iter().enumerate().filter(|(position, _)| !asks || *position == 0 || *position >= message);
        let conditions = self.part.condition_lines();
        self.part.sums().into_iter().chain(conditions).chain(lines.map(|(_, line)| line)).collect()
    }

    /// Adds it to a page. `is_old`: no syncer runs, so that it may be another one by now.
    fn show(&self, page: &mut TextPage, is_first: bool, is_old: bool) {
        let tone = match self.part.exit() {
            0 if !is_old && !self.part.differs() => Tone::Good,
            0 | 2 => Tone::Careful,
            _ => Tone::Bad,
        };
        if is_first {
            self.part.show_conditions(page, 2);
        }
        let mode = faint(format!("  mode {}", self.mode));
        page.wrap(2, 4, &[strong(self.part.title()), plain("  "), Span::new(tone, &self.target.state), mode]);
        self.part.sums().iter().for_each(|sums| page.wrap(4, 6, &[plain(sums)]));
        let message = self.part.message().unwrap_or_default();
        // The waiting plan, and how to approve it, are shown below.
        let message = if self.part.awaits_approval() { first(&message) } else { &message };
        if !message.is_empty() {
            self.part.status_text(page, 4, &[], message);
        }
        self.part.unobserved().iter().for_each(|line| page.wrap(4, 6, &[plain(line)]));
        self.part.show_sections(page, 4, |_| true);
        if let Some(receipt) = &self.target.receipt {
            page.wrap(4, 6, &[faint(format!("last changed by the sync at {}", receipt.at))]);
        }
        if let (Some(digest), Some(approve)) = (&self.target.digest, &self.approve) {
            for line in [&self.part.hub.plan(), approve, digest] {
                page.line(4, &[command(line)]);
            }
        }
    }
}

impl HubStatus {
    /// Builds the status of a hub.
    pub fn of(
        namespace: &str,
        tenants: Vec<HubTenantStatus>,
        syncs: Vec<HubSyncStatus>,
        sign: Option<SyncerSign>,
    ) -> Self {
        let unready = tenants.iter().filter(|tenant| tenant.ready != Some(true)).map(|_| 1);
        let dead = sign.iter().filter(|sign| sign.is_dead()).map(|_| 1);
        let exit = worst(syncs.iter().map(|sync| sync.part.exit()).chain(unready).chain(dead));
        let is_different = |sync: &&HubSyncStatus| sync.part.differs() || sync.part.exit() != 0;
        let differing: BTreeSet<&str> =
            syncs.iter().filter(is_different).map(|sync| sync.target.tenant.as_str()).collect();
        let mark = |tenant: HubTenantStatus| {
            let is_old = sign.as_ref().is_some_and(SyncerSign::is_dead);
            let differs = tenant.differs || is_old || differing.contains(tenant.tenant.as_str());
            HubTenantStatus { differs, ..tenant }
        };
        let tenants = tenants.into_iter().map(mark).collect();
        let syncer = sign.as_ref().map(SyncerSign::json);
        HubStatus { schema: SCHEMA, exit, namespace: namespace.to_string(), syncs, tenants, syncer, sign }
    }

    /// The Tenants and TenantSyncs of the hub that are shown.
    pub fn objects(&self) -> Vec<ObjectId> {
        let tenants = self.tenants.iter().map(|tenant| ObjectId::new(Kind::Tenant, &tenant.tenant));
        tenants.chain(self.syncs.iter().map(|sync| ObjectId::new(Kind::TenantSync, &sync.sync))).collect()
    }

    /// The exit code, from the statuses.
    pub fn exit(&self) -> u8 {
        self.exit
    }

    /// The status as text for a terminal.
    pub fn text(&self, style: Style) -> String {
        let mut page = TextPage::new(style);
        if let Some(sign) = &self.sign {
            page.line(0, &[heading("syncer")]);
            sign.show(&mut page);
            page.gap();
        }
        page.line(0, &[heading("tenants")]);
        let columns = self.tenants.iter().map(|tenant| width(&tenant.tenant)).max().unwrap_or(0);
        for tenant in &self.tenants {
            let (mark, tone) = match tenant.ready {
                Some(true) if tenant.differs => ("·", Tone::Plain),
                Some(true) => ("✓", Tone::Good),
                _ => ("✗", Tone::Bad),
            };
            let facts: Vec<&str> =
                [&tenant.region, &tenant.environment].into_iter().flatten().map(String::as_str).collect();
            let facts = if facts.is_empty() { String::new() } else { format!("{}, ", facts.join(", ")) };
            let text = format!(" {facts}{}: {}", tenant.reason, tenant.message);
            page.labelled(2, strong(&tenant.tenant), columns, &[Span::new(tone, mark), plain(text)]);
        }
        page.gap();
        page.line(0, &[heading("syncs")]);
        if self.syncs.is_empty() {
            page.line(2, &[plain("there is none")]);
        }
        let mut of_sync = None;
        let is_old = self.sign.as_ref().is_some_and(SyncerSign::is_dead);
        for sync in &self.syncs {
            sync.show(&mut page, of_sync.replace(&sync.sync) != Some(&sync.sync), is_old);
        }
        page.finish()
    }

    /// The status as Markdown for a comment.
    pub fn markdown(&self) -> String {
        let mut out = format!("## Stablekey hub {}\n\n", md(&self.namespace));
        if let Some(sign) = &self.sign {
            let mark = if sign.is_dead() { "❌ " } else { "" };
            out.push_str(&format!("{mark}{}\n\n", md(&sign.sentence())));
        }
        out.push_str(&(row(&["Tenant", "Ready", "Message"].map(str::to_string)) + &rule(3)));
        for tenant in &self.tenants {
            let ready = match tenant.ready {
                Some(true) if tenant.differs => "ℹ️",
                Some(true) => "✅",
                _ => "❌",
            };
            out.push_str(&row(&[md(&tenant.tenant), format!("{ready} {}", md(&tenant.reason)), md(&tenant.message)]));
        }
        out.push('\n');
        out.push_str(&(row(&["Sync", "Target", "State", ""].map(str::to_string)) + &rule(4)));
        for sync in &self.syncs {
            let lines: Vec<String> = sync.lines().iter().map(|line| md(line)).collect();
            let cells = [md(&sync.sync), md(&sync.target.tenant), md(&sync.target.state), lines.join("<br>")];
            out.push_str(&row(&cells));
        }
        for sync in self.syncs.iter().filter(|sync| sync.approve.is_some()) {
            let commands = sync.target.digest.iter().chain(&sync.approve).map(|line| command_block(line));
            out.push_str(&format!("\n{}:\n\n{}", md(&sync.part.title()), commands.collect::<String>()));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::super::HubFacts;
    use super::*;
    use crate::api::TargetCounts;
    use crate::render::invocation::Hub;

    fn part(state: &str, counts: TargetCounts) -> HubPart {
        let hub =
            Hub { context: Some("us".into()), namespace: "hub".into(), sync: "us-to-eu".into(), tenant: "eu".into() };
        let target = TargetStatus {
            tenant: "eu".into(),
            state: state.into(),
            digest: Some("sha256:00".into()),
            message: Some("1 action awaits approval\nx".into()),
            counts: Some(counts),
            kept: vec!["Connection/crm title: kept by eu".into()],
            ..TargetStatus::default()
        };
        HubPart { hub, target, is_observed: true, waiting: None, compared: None, facts: HubFacts::default() }
    }

    #[test]
    fn a_digest_and_each_command_are_alone_on_their_lines() {
        let waits =
            HubSyncStatus::of("Plan", part("AwaitingApproval", TargetCounts { create: 2, ..Default::default() }));
        let text = HubStatus::of("hub", Vec::new(), vec![waits], None).text(Style::default());
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for line in [
            "us-to-eu → eu  AwaitingApproval  mode Plan",
            "2 to create",
            "kept: eu keeps its own; us-to-eu does not manage it",
            "Connection/crm title: kept by eu",
            "stablekey plan --context us -n hub --sync us-to-eu --tenant eu",
            "stablekey approve us-to-eu --tenant eu --context us -n hub",
            "sha256:00",
        ] {
            assert!(lines.contains(&line), "{line}\n{text}");
        }
    }

    /// "Never 'in sync' beside a difference": what the syncer has not reconciled may differ.
    #[test]
    fn nothing_is_green_that_was_not_reconciled() {
        let ready = |is_observed: bool| {
            let condition: Condition = serde_json::from_value(serde_json::json!({
                "type": "Ready", "status": "True", "reason": "Accepted", "message": "read",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }))
            .unwrap();
            let status = TenantStatus { conditions: vec![condition], ..TenantStatus::default() };
            let tenant = HubTenantStatus::of("eu", &status, is_observed, (None, None));
            HubStatus::of("hub", vec![tenant], Vec::new(), None).text(Style::default())
        };
        assert!(ready(true).contains("eu  ✓ Accepted: read"), "{}", ready(true));
        assert!(ready(false).contains("eu  · Accepted: read; the syncer has not"), "{}", ready(false));
        let mut part = part("InSync", TargetCounts::default());
        (part.target.kept, part.is_observed) = (Vec::new(), false);
        assert!(part.differs());
    }

    #[test]
    fn the_worst_state_is_the_exit_code() {
        let exit = |states: &[&str]| {
            let syncs = states.iter().map(|state| HubSyncStatus::of("Apply", part(state, TargetCounts::default())));
            HubStatus::of("hub", Vec::new(), syncs.collect(), None).exit()
        };
        assert_eq!(exit(&["InSync", "Suspended"]), 0);
        assert_eq!(exit(&["InSync", "AwaitingApproval"]), 2);
        assert_eq!(exit(&["Applying", "Blocked"]), 3);
        assert_eq!(exit(&["Drifted", "NotAccepted", "Unreachable"]), 1);
        assert_eq!(exit(&["Unheard"]), 1);
        let blocked = part("AwaitingApproval", TargetCounts { blocked: 1, ..Default::default() });
        assert_eq!(blocked.exit(), 3, "what is blocked is reported although something waits");
        let unready = HubTenantStatus::of("eu", &TenantStatus::default(), true, (None, None));
        assert_eq!(HubStatus::of("hub", vec![unready], Vec::new(), None).exit(), 1);
    }
}
