//! The details in the status of a sync for one target: blocked, drifted and kept fields, manual steps, warnings and
//! conditions, each with what to do.

use super::HubPart;
use crate::api::{Condition, TargetCounts, TargetStatus};
use crate::render::page::{Span, TextPage, command, faint, heading, plain};
use crate::render::style::Tone;
use crate::text::quoted;
use crate::text::{count, thousands};

/// Conditions that a page shows in another form: as the state of each target, or as a list.
const SAID_OTHERWISE: [&str; 7] = ["Ready", "InSync", "Reconciling", "Stalled", "Warnings", "Kept", "Drifted"];

/// One list in a status.
#[derive(Debug)]
pub struct Section {
    tone: Tone,
    /// The word for its entries, such as `kept`.
    pub word: &'static str,
    /// What that means; empty if the word says it.
    pub meaning: String,
    /// The entries in the status.
    pub entries: Vec<String>,
    /// The number of further entries that are only counted.
    more: usize,
    /// What to do, as sentences.
    pub advice: Vec<String>,
}

/// The manual steps in a status.
fn manual(target: &TargetStatus) -> Vec<String> {
    // A newer syncer adds the first steps to the status; the field is read if it is present.
    let value = serde_json::to_value(target).unwrap_or_default();
    let steps = value.get("manual").and_then(serde_json::Value::as_array).into_iter().flatten();
    steps.filter_map(serde_json::Value::as_str).map(str::to_string).collect()
}

impl HubPart {
    /// The title `us-to-eu → eu-prod`.
    pub fn title(&self) -> String {
        format!("{} → {}", self.hub.sync, self.hub.tenant)
    }

    /// Whether the syncer waits for approval.
    pub fn awaits_approval(&self) -> bool {
        self.target.state == "AwaitingApproval"
    }

    /// Whether the target waits for an earlier stage.
    pub fn awaits_stage(&self) -> bool {
        self.target.state == "AwaitingStage"
    }

    /// Which stage the target waits for, and what holds it back.
    pub(super) fn awaits(&self) -> Option<&str> {
        self.target.message.as_deref().filter(|_| self.awaits_stage())
    }

    /// Adds the context to every command in a text of the syncer.
    pub fn with_context(&self, text: &str) -> String {
        let Some(context) = &self.hub.context else { return text.to_string() };
        let (at, there) = (format!(" -n {}", self.hub.namespace), format!(" --context {}", quoted(context)));
        let is_command = |line: &str| ["stablekey ", "kubectl "].iter().any(|p| line.trim_start().starts_with(p));
        let lines = text.split('\n').map(|line| match line.find(&at) {
            Some(found) if is_command(line) && !line.contains(" --context ") && ends_word(line, found + at.len()) => {
                let (before, after) = line.split_at(found);
                format!("{before}{there}{after}")
            }
            _ => line.to_string(),
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// A note that only the first actions are stored, if that is the case.
    pub fn cut(&self) -> Option<String> {
        let waiting = self.waiting.as_ref().filter(|waiting| waiting.shown < waiting.actions)?;
        let (shown, all) = (thousands(waiting.shown), count(waiting.actions, "action", "actions"));
        let tenant = &self.hub.tenant;
        Some(format!(
            "Only the first {shown} of {all} are kept in the hub and shown here; the digest covers all of them. \
             --target {tenant}=CONTEXT plans all of them again with your own context."
        ))
    }

    /// The message beside the state: that of the status, or one that is made here.
    pub fn message(&self) -> Option<String> {
        let has =
            |word: &str| self.sections().iter().any(|section| section.word == word && !section.entries.is_empty());
        let number = |count: Option<i64>| count.and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
        let counts = self.target.counts.as_ref();
        match self.target.state.as_str() {
            // The list of blocked changes shows it, with what to do here.
            "Blocked" if has("blocked") => None,
            "Drifted" if has("drifted") => {
                let drift = number(counts.map(|counts| counts.drift)).max(self.target.drifted.len());
                Some(count(drift, "field drifted", "fields drifted"))
            }
            _ if self.target.message.is_some() => self.target.message.clone(),
            "InSync" => Some(self.in_sync()),
            "Applying" => Some("changes are being carried out".to_string()),
            _ => None,
        }
    }

    /// The message in one line, where what it says to do stands elsewhere.
    pub fn headline(&self) -> String {
        first(&self.message().unwrap_or_default()).to_string()
    }

    /// A note that the syncer has not reconciled the current spec of the sync, if that is the case.
    pub fn unobserved(&self) -> Option<&'static str> {
        (!self.is_observed).then_some("the syncer has not reconciled the last change of the sync yet")
    }

    /// All lines about the target, if no plan is shown.
    pub(super) fn lines(&self) -> Vec<String> {
        let message = self.message().map(|message| self.with_context(&message));
        let message = message.iter().flat_map(|message| message.split('\n')).map(str::to_string);
        message.chain(self.unobserved().map(str::to_string)).chain(self.section_lines()).collect()
    }

    /// Adds the heading and the syncer's message to a page; without commands if a plan with these commands follows.
    pub(super) fn head(&self, page: &mut TextPage) {
        let tone = match self.exit() {
            0 if !self.differs() => Tone::Good,
            0 | 2 => Tone::Careful,
            _ => Tone::Bad,
        };
        let head = [heading(self.title()), plain("  "), Span::new(tone, &self.target.state), plain("  ")];
        let message = self.message().unwrap_or_default();
        self.status_text(page, 0, &head, if self.waiting.is_some() { first(&message) } else { &message });
        self.unobserved().iter().for_each(|line| page.wrap(2, 2, &[plain(line)]));
    }

    /// Adds the digest, on a line of its own, and the command to approve it to a page.
    pub(super) fn approve(&self, page: &mut TextPage, is_asked: bool) {
        if let Some(digest) = self.target.digest.as_ref().filter(|_| self.awaits_approval()) {
            page.line(2, &[plain(format!("digest of what {} does in {}:", self.hub.sync, self.hub.tenant))]);
            page.line(2, &[command(digest)]);
            if !is_asked {
                page.line(2, &[plain("to approve it:")]);
                page.line(2, &[command(self.hub.approve())]);
            }
        }
    }

    /// The lists of the status, the worst first.
    pub fn sections(&self) -> Vec<Section> {
        let counts = self.target.counts.clone().unwrap_or_default();
        let (tenant, sync) = (&self.hub.tenant, &self.hub.sync);
        let section = |(tone, word, meaning): (Tone, &'static str, String), entries: &[String], all: i64| {
            let more = usize::try_from(all).unwrap_or(0).saturating_sub(entries.len());
            Section { tone, word, meaning, entries: entries.to_vec(), more, advice: Vec::new() }
        };
        let drift = format!("changed in {tenant} by others since {sync} wrote it, and left unchanged");
        let kept = format!("{tenant} keeps its own; {sync} does not manage it");
        let sections = [
            section((Tone::Bad, "blocked", String::new()), &self.target.blocked, counts.blocked),
            Section {
                advice: self.after_drift(),
                ..section((Tone::Careful, "drifted", drift), &self.target.drifted, counts.drift)
            },
            Section {
                advice: self.about_kept(),
                ..section((Tone::Careful, "kept", kept), &self.target.kept, counts.kept)
            },
            section((Tone::Plain, "manual steps", String::new()), &manual(&self.target), counts.manual),
            section((Tone::Careful, "warnings", String::new()), &self.target.warnings, 0),
        ];
        sections.into_iter().filter(|section| !section.is_empty()).collect()
    }

    /// Whether a live value differs from the desired one or may do so by now, or there is a warning.
    pub(super) fn differs(&self) -> bool {
        !self.is_observed
            || self.differs_from_own()
            || self.sections().iter().any(|section| section.word != "manual steps")
    }

    /// Whether a plan with a person's own contexts differs from the hub's plan.
    pub(super) fn differs_from_own(&self) -> bool {
        self.compared.as_ref().is_some_and(|compared| !compared.is_same && compared.unread.is_none())
    }

    /// The sentence for a target that is in sync.
    pub(super) fn in_sync(&self) -> String {
        let sections = self.sections();
        let number = |word: &str| sections.iter().find(|s| s.word == word).map_or(0, Section::number);
        let kept = match number("kept") {
            0 => String::new(),
            kept => {
                let (one, many) = self.kept_things();
                format!(" but for {} that the target keeps", count(kept, one, many))
            }
        };
        let steps = number("manual steps");
        let steps =
            if steps == 0 { String::new() } else { format!("; {}", count(steps, "manual step", "manual steps")) };
        let warnings = number("warnings");
        let warnings =
            if warnings == 0 { String::new() } else { format!("; {}", count(warnings, "warning", "warnings")) };
        let own = if self.differs_from_own() {
            ", as far as the hub knows; planned with your own contexts it differs"
        } else {
            ""
        };
        format!("in sync{own}{kept}{steps}{warnings}")
    }

    /// Whether a kept entry is a field (`Connection/crm title: …`) or a whole object.
    fn kept_things(&self) -> (&'static str, &'static str) {
        let kept = &self.target.kept;
        match (kept.iter().any(|entry| is_field(entry)), kept.iter().all(|entry| is_field(entry))) {
            (_, true) => ("field", "fields"),
            (false, _) => ("object", "objects"),
            (true, false) => ("field or object", "fields and objects"),
        }
    }

    fn source(&self) -> &str {
        self.facts.source.as_deref().unwrap_or("the source")
    }

    fn override_(&self) -> String {
        format!("add an override to TenantSync {} (tenant, object, field, keep: true, reason)", self.hub.sync)
    }

    fn after_drift(&self) -> Vec<String> {
        let (tenant, here) = (&self.hub.tenant, &self.hub.namespace);
        let both = match &self.facts.target_namespace {
            None => format!("set policy.drift: Correct in Tenant {tenant} (namespace {here})"),
            Some(there) => format!(
                "set policy.drift: Correct in both Tenants {tenant}: the hub's (namespace {here}) and its own, in its \
                 cluster (namespace {there})"
            ),
        };
        vec![
            format!("to put it back: change it back in {tenant} with kubectl; or {both}"),
            format!("to keep it: change it in {}, or {}", self.source(), self.override_()),
        ]
    }

    fn about_kept(&self) -> Vec<String> {
        let (tenant, sync, source) = (&self.hub.tenant, &self.hub.sync, self.source());
        let kept = &self.target.kept;
        let of_fields = [
            format!("to have the value of {source}: set it in {tenant} with kubectl; from then on {sync} manages it"),
            format!("to keep it for good: {}", self.override_()),
        ];
        let of_objects =
            format!("an object that no writer declares any more: delete it in {tenant} where it is not needed");
        let fields = kept.is_empty() || kept.iter().any(|entry| is_field(entry));
        let objects = kept.iter().any(|entry| !is_field(entry));
        let of_fields = of_fields.into_iter().filter(|_| fields);
        of_fields.chain(Some(of_objects).filter(|_| objects)).collect()
    }

    /// The conditions of the sync that no list shows.
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        let shown = |c: &&Condition| c.status == "True" && !SAID_OTHERWISE.contains(&c.type_.as_str());
        self.facts.conditions.iter().filter(shown)
    }

    /// Adds the conditions of the sync to a page.
    pub(super) fn show_conditions(&self, page: &mut TextPage, indent: usize) {
        for condition in self.conditions() {
            let head = [Span::new(Tone::Careful, format!("! {}", condition.type_)), plain("  ")];
            self.status_text(page, indent, &head, &condition.message);
        }
    }

    /// Adds the lists of the status to a page, limited to entries that `is_shown` selects.
    pub(super) fn show_sections(&self, page: &mut TextPage, indent: usize, is_shown: impl Fn(&str) -> bool) {
        for section in self.sections() {
            let entries: Vec<&String> = section.entries.iter().filter(|entry| is_shown(entry)).collect();
            let more = if entries.len() == section.entries.len() { section.more } else { 0 };
            if entries.is_empty() && more == 0 {
                continue;
            }
            let meaning = if section.meaning.is_empty() { String::new() } else { format!(": {}", section.meaning) };
            page.wrap(indent, indent + 4, &[Span::new(section.tone, section.word), faint(meaning)]);
            entries.iter().for_each(|entry| self.status_text(page, indent + 2, &[], entry));
            if more > 0 {
                page.wrap(indent + 2, indent + 4, &[faint(section.not_named(more))]);
            }
            for (position, advice) in section.advice.iter().enumerate() {
                let arrow = if position == 0 { "→ " } else { "  " };
                page.wrap(indent + 2, indent + 4, &[plain(format!("{arrow}{advice}"))]);
            }
        }
    }

    /// The counts as text: `2 to create, 1 needing approval, 3 kept by the tenant`.
    pub fn sums(&self) -> Option<String> {
        self.target.counts.as_ref().map(sums).filter(|sums| !sums.is_empty())
    }

    /// The lists as lines of text, for Markdown and for standard error.
    pub(super) fn section_lines(&self) -> Vec<String> {
        let of = |section: Section| {
            let entries = section.entries.iter().map(|entry| format!("{}: {}", section.word, one_line(entry)));
            let more = (section.more > 0).then(|| format!("{}: {}", section.word, section.not_named(section.more)));
            let advice = section.advice.iter().map(|advice| format!("→ {advice}"));
            entries.chain(more).chain(advice).collect::<Vec<_>>()
        };
        self.sections().into_iter().flat_map(of).collect()
    }

    /// The conditions as lines of text.
    pub(super) fn condition_lines(&self) -> Vec<String> {
        self.conditions().map(|c| format!("{}: {}", c.type_, one_line(&self.with_context(&c.message)))).collect()
    }

    /// Adds a text of a status to a page: its first line is wrapped after `head`; the other lines are commands to copy,
    /// and are not wrapped.
    pub(super) fn status_text(&self, page: &mut TextPage, indent: usize, head: &[Span], text: &str) {
        let text = self.with_context(text);
        let mut lines = text.split('\n').filter(|line| !line.trim().is_empty());
        let first: Vec<Span> = head.iter().cloned().chain(lines.next().map(|line| plain(line.trim_end()))).collect();
        page.wrap(indent, indent + 2, &first);
        for line in lines {
            match is_copied(line) {
                true => page.line(indent + 2, &[command(line.trim())]),
                false => page.wrap(indent + 2, indent + 4, &[plain(line.trim())]),
            }
        }
    }
}

impl Section {
    fn is_empty(&self) -> bool {
        self.number() == 0
    }

    /// The number of entries, including those that are only counted.
    fn number(&self) -> usize {
        self.entries.len() + self.more
    }

    /// What is only counted; `None` if all entries are there.
    pub fn rest(&self) -> Option<String> {
        (self.more > 0).then(|| self.not_named(self.more))
    }

    fn not_named(&self, more: usize) -> String {
        let more = thousands(more);
        if self.entries.is_empty() {
            format!("{more}, which the status does not name")
        } else {
            format!("… and {more} more")
        }
    }
}

/// Whether a line of a status is meant to be copied: a command, or a digest.
fn is_copied(line: &str) -> bool {
    ["stablekey ", "kubectl ", "sha256:"].iter().any(|start| line.trim_start().starts_with(start))
}

/// Whether an entry is about a field (`Connection/crm title: kept by eu`) or an object (`Integration/lead: kept by
/// eu`).
fn is_field(entry: &str) -> bool {
    entry.split(": ").next().unwrap_or(entry).contains(' ')
}

fn one_line(text: &str) -> String {
    text.split('\n').collect::<Vec<_>>().join(" ")
}

/// The first line of a message, if the page shows the commands elsewhere.
pub(super) fn first(message: &str) -> &str {
    let first = message.split('\n').next().unwrap_or_default();
    first.strip_suffix(": look first, then approve").unwrap_or(first)
}

/// The counts as text: `2 to create, 1 of which needs approval; 3 kept`.
fn sums(counts: &TargetCounts) -> String {
    let number = |count: i64| usize::try_from(count).unwrap_or(0);
    let actions = [
        (counts.create, "to create"),
        (counts.update, "to update"),
        (counts.delete, "to delete"),
        (counts.adopt, "to adopt"),
        (counts.needs_approval, "needing approval"),
        (counts.awaiting_stage, "waiting for a stage"),
        (counts.blocked, "blocked"),
        (counts.drift, "drifted"),
        (counts.kept, "kept by the tenant"),
    ];
    let parts = actions.into_iter().filter(|(count, _)| *count > 0);
    let mut parts: Vec<String> = parts.map(|(count, what)| format!("{} {what}", thousands(number(count)))).collect();
    parts.extend((counts.manual > 0).then(|| count(number(counts.manual), "manual step", "manual steps")));
    parts.join(", ")
}

/// Whether a word ends at this position.
fn ends_word(line: &str, at: usize) -> bool {
    line.get(at..).is_none_or(|rest| rest.is_empty() || rest.starts_with(' '))
}
