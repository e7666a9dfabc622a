//! The plans that wait in a hub, as text, Markdown and one document of schema `stablekey.dev/plan/v1`.

use super::details::first;
use super::{HubPart, SyncerSign, worst};
use crate::engine::model::plan::PLAN_SCHEMA;
use crate::render::markdown::{command as command_block, escape as md};
use crate::render::page::{TextPage, plain};
use crate::render::style::Style;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The plans that wait in a hub, and the state of the other targets.
#[derive(Debug, Default)]
pub struct HubPlan {
    /// The parts, sorted by sync and target.
    pub parts: Vec<HubPart>,
    /// The state of the hub's syncer.
    pub syncer: Option<SyncerSign>,
    /// Whether the plan is shown to be approved now: the command to approve it is then omitted.
    pub is_asked: bool,
}

impl HubPlan {
    /// The exit code, from the statuses and from comparisons with the person's own contexts.
    pub fn exit(&self) -> u8 {
        let differ = self.parts.iter().filter(|part| part.differs_from_own()).map(|_| 2);
        let unread = self.parts.iter().filter_map(|part| part.compared.as_ref()?.unread.as_ref()).map(|_| 1);
        let dead = self.syncer.iter().filter(|syncer| syncer.is_dead()).map(|_| 1);
        worst(self.parts.iter().map(HubPart::exit).chain(unread).chain(dead).chain(differ))
    }

    /// The plans as text for a terminal.
    pub fn text(&self, style: Style) -> String {
        let mut page = TextPage::new(style);
        if self.parts.is_empty() {
            page.line(0, &[plain("There is no TenantSync here: nothing is planned.")]);
        }
        if let Some(syncer) = &self.syncer {
            syncer.warn(&mut page);
        }
        let mut of_sync = None;
        for part in &self.parts {
            let says = part.waiting.is_some() || part.compared.is_some() || !part.sections().is_empty();
            if says {
                page.gap();
            }
            // The conditions of a sync are shown once, before its targets.
            if of_sync.replace(&part.hub.sync) != Some(&part.hub.sync) {
                part.show_conditions(&mut page, 0);
            }
            part.head(&mut page);
            match &part.waiting {
                Some(waiting) => {
                    page.gap();
                    // The text is escaped like all text on a page, since anybody may have written it.
                    part.with_context(&waiting.text).lines().for_each(|line| page.line(0, &[plain(line)]));
                    part.cut().iter().for_each(|cut| page.wrap(0, 0, &[plain(cut)]));
                    page.gap();
                    part.approve(&mut page, self.is_asked);
                }
                None => part.show_sections(&mut page, 2, |_| true),
            }
            if let Some(compared) = &part.compared {
                page.gap();
                compared.show(&mut page);
            }
            if says {
                page.gap();
            }
        }
        let mut text = page.finish();
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    }

    /// The plans as Markdown for a comment.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        for syncer in self.syncer.iter().filter(|syncer| syncer.is_dead()) {
            out.push_str(&format!("❌ {}\n\n", md(&syncer.sentence())));
        }
        let mut of_sync = None;
        for part in &self.parts {
            let (title, state) = (md(&part.title()), md(&part.target.state));
            if of_sync.replace(&part.hub.sync) != Some(&part.hub.sync) {
                part.condition_lines().iter().for_each(|line| out.push_str(&format!("⚠️ {}\n\n", md(line))));
            }
            match &part.waiting {
                Some(waiting) => {
                    let first = md(first(&part.message().unwrap_or_default()));
                    let kept = part.with_context(&waiting.markdown);
                    out.push_str(&format!("**{title}**: {state}: {first}\n\n{kept}\n"));
                    part.cut().iter().for_each(|cut| out.push_str(&format!("\n{}\n", md(cut))));
                    if let Some(digest) = part.target.digest.as_ref().filter(|_| part.awaits_approval()) {
                        out.push_str(&format!("\n{}\n{}\n", command_block(digest), command_block(&part.hub.approve())));
                    }
                }
                None => {
                    out.push_str(&format!("- **{title}**: {state}\n"));
                    part.lines().iter().for_each(|line| out.push_str(&format!("  - {}\n", md(line))));
                }
            }
            if let Some(compared) = &part.compared {
                let lines: Vec<String> = compared.lines().iter().map(|line| md(line)).collect();
                out.push_str(&format!("\n{}\n", lines.join("<br>\n")));
            }
        }
        out
    }

    /// Lines for standard error, since the JSON schema has no field for them.
    pub fn asides(&self) -> Vec<String> {
        let compared = |part: &HubPart| {
            let lines = part.compared.as_ref()?.lines();
            Some(format!("{}: {}", part.title(), lines.join("\n")))
        };
        let cut = |part: &HubPart| Some(format!("{}: {}", part.title(), part.cut()?));
        let dead = self.syncer.iter().filter(|syncer| syncer.is_dead()).map(SyncerSign::sentence);
        let details = |part: &HubPart| {
            let lines = if part.waiting.is_some() { Vec::new() } else { part.section_lines() };
            let title = part.title();
            lines.into_iter().map(move |line| format!("{title}: {line}")).collect::<Vec<_>>()
        };
        let mut of_sync = BTreeSet::new();
        let conditions = self
            .parts
            .iter()
            .filter(|part| of_sync.insert(&part.hub.sync))
            .flat_map(|part| part.condition_lines().into_iter().map(|line| format!("{}: {line}", part.hub.sync)));
        let conditions: Vec<String> = conditions.collect();
        let of_parts =
            self.parts.iter().flat_map(|part| details(part).into_iter().chain(cut(part)).chain(compared(part)));
        dead.chain(conditions).chain(of_parts).collect()
    }

    /// The plans as JSON: the only one as it is stored, or all in one document.
    pub fn json(&self) -> Result<Value, serde_json::Error> {
        if let [HubPart { waiting: Some(waiting), .. }] = self.parts.as_slice() {
            let mut plan: Value = serde_json::from_str(waiting.plan.get())?;
            plan["exit"] = self.exit().into();
            return Ok(plan);
        }
        let mut merged = Merged::default();
        for part in &self.parts {
            merged.syncs.insert(part.hub.sync.clone());
            match &part.waiting {
                Some(waiting) => merged.take(serde_json::from_str(waiting.plan.get())?),
                None => merged.take_status(part),
            }
        }
        Ok(merged.finish(self.exit()))
    }
}

/// Several plans merged into one: a target of several syncs is one target.
#[derive(Default)]
struct Merged {
    targets: BTreeMap<String, Value>,
    findings: Vec<Value>,
    syncs: BTreeSet<String>,
    /// Totals of targets without a plan, from their status.
    counted: BTreeMap<&'static str, u64>,
}

impl Merged {
    fn take(&mut self, mut plan: Value) {
        for target in list(&mut plan, "targets") {
            let name = text(&target, "tenant").to_string();
            match self.targets.get_mut(&name) {
                Some(known) => join(known, target),
                None => drop(self.targets.insert(name, target)),
            }
        }
        for finding in list(&mut plan, "findings") {
            if !self.findings.contains(&finding) {
                self.findings.push(finding);
            }
        }
    }

    /// Adds the status of a target in which nothing waits.
    fn take_status(&mut self, part: &HubPart) {
        let is_unread = part.exit() == 1;
        let mut target = json!({
            "tenant": part.hub.tenant, "state": if is_unread { "unreachable" } else { "read" },
            "digests": {}, "actions": [], "notes": [],
        });
        if is_unread {
            target["why"] = Value::String(part.lines().join(" "));
        }
        if part.target.state == "Suspended" {
            target["suspended"] = Value::Bool(true);
        }
        self.targets.entry(part.hub.tenant.clone()).or_insert(target);
        let counts = part.target.counts.clone().unwrap_or_default();
        let notes =
            [("blocked", counts.blocked), ("kept", counts.kept), ("drift", counts.drift), ("manual", counts.manual)];
        for (note, count) in notes {
            *self.counted.entry(note).or_default() += u64::try_from(count).unwrap_or(0);
        }
    }

    fn finish(mut self, exit: u8) -> Value {
        let severity =
            |finding: &Value| ["error", "unreached", "warning"].iter().position(|s| text(finding, "severity") == *s);
        self.findings.sort_by_key(severity);
        json!({
            "schema": PLAN_SCHEMA,
            "scope": {"tenants": self.targets.keys().collect::<Vec<_>>(), "integrations": [], "syncs": self.syncs},
            "skipped": {"otherKinds": 0},
            "counts": counts(self.targets.values(), &self.counted),
            "exit": exit,
            "findings": self.findings,
            "targets": self.targets.into_values().collect::<Vec<_>>(),
        })
    }
}

/// Merges the plan of another sync for a target into that target. An action that both want occurs once.
fn join(target: &mut Value, mut other: Value) {
    let actions = list(&mut other, "actions");
    let notes = list(&mut other, "notes");
    let digests = other.get("digests").and_then(Value::as_object).cloned().unwrap_or_default();
    if let Some(known) = target.get_mut("digests").and_then(Value::as_object_mut) {
        known.extend(digests);
    }
    if let Some(known) = target.get_mut("actions").and_then(Value::as_array_mut) {
        let ids: BTreeSet<String> = known.iter().map(|action| text(action, "digest").to_string()).collect();
        known.extend(actions.into_iter().filter(|action| !ids.contains(text(action, "digest"))));
    }
    if let Some(known) = target.get_mut("notes").and_then(Value::as_array_mut) {
        let new: Vec<Value> = notes.into_iter().filter(|note| !known.contains(note)).collect();
        known.extend(new);
    }
    if text(&other, "state") == "read" && text(target, "state") == "unreachable" {
        target["state"] = Value::String("read".to_string());
        target.as_object_mut().map(|target| target.remove("why"));
    }
}

/// The totals over all targets, as in a plan.
fn counts<'t>(targets: impl Iterator<Item = &'t Value>, counted: &BTreeMap<&str, u64>) -> Map<String, Value> {
    const ALL: [&str; 9] =
        ["create", "update", "adopt", "delete", "needsApproval", "blocked", "kept", "drift", "manual"];
    let mut counts: BTreeMap<&str, u64> =
        ALL.iter().map(|name| (*name, counted.get(name).copied().unwrap_or(0))).collect();
    let mut one = |name: &str| counts.get_mut(name).into_iter().for_each(|count| *count += 1);
    for target in targets {
        let items = |name: &str| target.get(name).and_then(Value::as_array).into_iter().flatten();
        for action in items("actions") {
            one(text(action, "action"));
            let needs = action.get("needsApproval").and_then(Value::as_array).is_some_and(|needs| !needs.is_empty());
            if needs {
                one("needsApproval");
            }
        }
        for note in items("notes") {
            if text(note, "note") != "drift" || note.get("left") == Some(&Value::Bool(true)) {
                one(text(note, "note"));
            }
        }
    }
    counts.into_iter().map(|(name, count)| (name.to_string(), count.into())).collect()
}

fn list(value: &mut Value, name: &str) -> Vec<Value> {
    match value.get_mut(name).map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(sync: &str, digests: &[&str]) -> Value {
        let action = |digest: &&str| {
            json!({"id": format!("eu/Connection/{digest}"), "digest": digest, "action": "create",
                "needsApproval": if *digest == "b" { json!([{"code": "SK0107", "why": "x"}]) } else { json!([]) }})
        };
        json!({
            "schema": PLAN_SCHEMA, "exit": 2, "counts": {},
            "findings": [{"severity": "warning", "text": "of all"}, {"severity": "error", "text": sync}],
            "targets": [{
                "tenant": "eu", "state": "read", "digests": {format!("sync/{sync}"): "d"},
                "actions": digests.iter().map(action).collect::<Vec<_>>(),
                "notes": [{"note": "drift", "left": true}, {"note": "drift", "left": false}, {"note": "overridden"}],
            }],
        })
    }

    #[test]
    fn two_syncs_into_one_target_are_one_target() {
        let mut merged = Merged::default();
        merged.take(plan("one", &["a", "b"]));
        merged.take(plan("two", &["b", "c"]));
        let plan = merged.finish(2);
        let target = &plan["targets"][0];
        assert_eq!(plan["targets"].as_array().unwrap().len(), 1);
        let digests: Vec<&str> = target["actions"].as_array().unwrap().iter().map(|a| text(a, "digest")).collect();
        assert_eq!(digests, ["a", "b", "c"], "what both want is one action");
        assert_eq!(target["digests"].as_object().unwrap().len(), 2);
        assert_eq!(target["notes"].as_array().unwrap().len(), 3);
        assert_eq!((plan["counts"]["create"].as_u64(), plan["counts"]["needsApproval"].as_u64()), (Some(3), Some(1)));
        assert_eq!((plan["counts"]["drift"].as_u64(), plan["counts"]["kept"].as_u64()), (Some(1), Some(0)));
        let severities: Vec<&str> = plan["findings"].as_array().unwrap().iter().map(|f| text(f, "severity")).collect();
        assert_eq!(severities, ["error", "error", "warning"]);
    }
}
