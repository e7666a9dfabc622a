//! What a change of a project's files does, for a comment below it. A report can be stored as JSON and read again: a run
//! without rights writes it, and one with rights comments. What is read is hostile: it is bounded, and every text of it is
//! escaped.

use super::action_text::impact;
use super::changed::{ShownChange, asides, setting_words, what_differs};
use super::markdown::{Comment, LIMIT, escape as md, fence};
use super::plan_markdown::field;
use crate::engine::committed::CommittedChange;
use crate::engine::model::code::Severity;
use crate::engine::model::finding::Finding;
use crate::engine::model::plan::{Action, ActionKind, Note, Plan, State};
use crate::report::ranked::{self, Ranked};
use crate::report::tally::Tally;
use crate::text::{count, shorten};
use serde::{Deserialize, Serialize};

/// The schema of a report's JSON.
pub const REPORT_SCHEMA: &str = "stablekey.dev/change-report/v1";
/// The most bytes of a stored report.
pub const LARGEST_REPORT: u64 = 4_000_000;
/// The most characters of a text in a comment.
const LONGEST: usize = 1_000;
/// The most lines of an item in a comment.
const MOST_LINES: usize = 60;
/// The most objects of a list in a stored report.
const MOST: usize = 2_000;

/// What a change does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeReport {
    /// The value [`REPORT_SCHEMA`].
    pub schema: String,
    /// The state before the change.
    pub from: String,
    /// The state after the change.
    pub to: String,
    /// The exit code of the plan of the change.
    pub exit: u8,
    /// The changed fields of Tenants and TenantSyncs.
    pub settings: Vec<ReportedSetting>,
    /// What the commit changes by itself.
    pub folders: Vec<ReportedPart>,
    /// What an apply does after it, by tenant.
    pub tenants: Vec<ReportedPart>,
    /// Findings of no tenant.
    pub everywhere: Vec<ReportedItem>,
    /// What was there before the change, and what it ends.
    pub asides: Vec<String>,
    /// What a person may approve.
    pub approvals: Vec<ReportedApproval>,
    /// The tenants whose folder the commit changes by itself.
    pub merged: Vec<String>,
    /// The number of actions that an apply carries out because of the change.
    pub actions: usize,
    /// How many of them need approval.
    pub needs_approval: usize,
    /// How many more wait for an earlier stage.
    pub waiting: usize,
    /// How much was left out, to keep the report small.
    pub left_out: usize,
}

/// A changed field of a Tenant or a TenantSync.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReportedSetting {
    /// The object: `Tenant/eu-prod`.
    pub object: String,
    /// The field, and its values.
    pub text: String,
    /// Whether it decides what may be written, and by whom.
    pub sensitive: bool,
}

/// A tenant's part of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReportedPart {
    pub tenant: String,
    /// The part in a few words.
    pub summary: String,
    pub items: Vec<ReportedItem>,
}

/// A change, a finding or a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReportedItem {
    pub mark: Mark,
    /// The object, or the code of a check with it.
    pub head: String,
    pub text: String,
    /// Lines of a diff.
    pub lines: Vec<String>,
}

/// Digests that approve all that a writer does in a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReportedApproval {
    pub tenant: String,
    pub writer: String,
    pub digest: String,
}

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mark {
    Error,
    Unresolved,
    Warning,
    Approval,
    Create,
    Update,
    Delete,
    Adopt,
    Note,
    Manual,
}

/// Why a stored report cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// It is too large.
    #[error("it is larger than {} MB", LARGEST_REPORT / 1_000_000)]
    TooLarge,
    /// It is no report.
    #[error("it is no report of a change: {0}")]
    Form(String),
    /// Another version of Stablekey wrote it.
    #[error("its schema is {0:?}, and this version reads {REPORT_SCHEMA}")]
    Schema(String),
}

impl ChangeReport {
    /// Collects what a change does.
    pub fn of(shown: &ShownChange<'_>) -> Self {
        let changed = shown.changed;
        let added = &changed.plans.added;
        let counts = added.counts;
        let mut report = ChangeReport {
            schema: REPORT_SCHEMA.to_string(),
            from: shown.from.to_string(),
            to: shown.to.to_string(),
            exit: changed.exit(),
            settings: changed
                .settings
                .iter()
                .map(|change| ReportedSetting {
                    object: change.object.to_string(),
                    text: setting_words(change),
                    sensitive: change.is_sensitive,
                })
                .collect(),
            folders: changed
                .folders
                .iter()
                .map(|folder| ReportedPart {
                    tenant: folder.tenant.clone(),
                    summary: what_differs(folder),
                    items: folder.changes.iter().map(committed).chain(folder.unknown.iter().map(unknown)).collect(),
                })
                .collect(),
            tenants: ranked::targets(added).iter().filter(|ranked| !ranked.is_quiet()).map(part).collect(),
            everywhere: ranked::of_no_target(added).into_iter().map(finding).collect(),
            asides: asides(changed),
            approvals: approvals(added),
            merged: changed
                .folders
                .iter()
                .filter(|folder| !folder.is_source && !folder.changes.is_empty())
                .map(|folder| folder.tenant.clone())
                .collect(),
            actions: counts.create + counts.update + counts.adopt + counts.delete,
            needs_approval: counts.needs_approval,
            waiting: counts.waiting,
            left_out: 0,
        };
        report.bound();
        report
    }

    /// Reads a stored report, whoever wrote it.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReportError> {
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LARGEST_REPORT {
            return Err(ReportError::TooLarge);
        }
        let value: serde_json::Value =
            serde_json::from_slice(bytes).map_err(|error| ReportError::Form(place(&error)))?;
        let schema = value.get("schema").and_then(serde_json::Value::as_str).unwrap_or_default();
        if schema != REPORT_SCHEMA {
            return Err(ReportError::Schema(shorten(schema, 100).into_owned()));
        }
        let mut report: Self =
            serde_json::from_value(value).map_err(|_| ReportError::Form("a field is wrong".to_string()))?;
        report.bound();
        Ok(report)
    }

    /// Shortens texts and lists.
    fn bound(&mut self) {
        let mut left_out = 0;
        let mut cut = |length: usize| left_out += length.saturating_sub(MOST);
        cut(self.settings.len());
        cut(self.everywhere.len());
        cut(self.folders.len());
        cut(self.tenants.len());
        cut(self.approvals.len());
        self.settings.truncate(MOST);
        self.everywhere.truncate(MOST);
        self.folders.truncate(MOST);
        self.tenants.truncate(MOST);
        self.approvals.truncate(MOST);
        self.asides.truncate(MOST);
        self.merged.truncate(MOST);
        for part in self.folders.iter_mut().chain(&mut self.tenants) {
            cut(part.items.len());
            part.items.truncate(MOST);
        }
        let items = self.folders.iter_mut().chain(&mut self.tenants).flat_map(|part| &mut part.items);
        for item in items.chain(&mut self.everywhere) {
            if let Some(more) = item.lines.len().checked_sub(MOST_LINES).filter(|more| *more > 0) {
                item.lines.truncate(MOST_LINES);
                item.lines.push(format!("  … and {more} more"));
            }
            item.lines.iter_mut().for_each(short);
            short(&mut item.head);
            short(&mut item.text);
        }
        let parts = self.folders.iter_mut().chain(&mut self.tenants);
        parts.for_each(|part| [&mut part.tenant, &mut part.summary].into_iter().for_each(short));
        self.settings
            .iter_mut()
            .for_each(|setting| [&mut setting.object, &mut setting.text].into_iter().for_each(short));
        self.asides.iter_mut().chain(&mut self.merged).for_each(short);
        let approvals = self.approvals.iter_mut();
        approvals.for_each(|a| [&mut a.tenant, &mut a.writer, &mut a.digest].into_iter().for_each(short));
        [&mut self.from, &mut self.to].into_iter().for_each(short);
        self.left_out = self.left_out.saturating_add(left_out);
    }

    /// Whether the change does nothing.
    fn is_empty(&self) -> bool {
        self.settings.is_empty() && self.folders.is_empty() && self.tenants.is_empty() && self.everywhere.is_empty()
    }

    /// The report as a comment, at most 65,536 characters long. `marker` is a line that finds it again; `whole` is the
    /// command that shows what does not fit. A report that somebody else may have written is not asked for approval.
    pub fn markdown(&self, marker: &str, whole: &str, is_own: bool) -> String {
        let mut comment = Comment::new(self.closing(), whole);
        if !marker.is_empty() {
            comment.add(&format!("{marker}\n"));
        }
        comment.add(&format!("## Stablekey: what this change does\n\nFrom {} to {}.\n", md(&self.from), md(&self.to)));
        if !is_own {
            comment.add(&format!("\n{}", fork_warning()));
        }
        let settings = |sensitive: bool| {
            let lines = self.settings.iter().filter(|setting| setting.sensitive == sensitive);
            lines.map(|s| format!("- **{}** {}\n", md(&s.object), md(&s.text))).collect::<Vec<_>>()
        };
        comment.section("\n**⚠️ It changes what may be written, and by whom:**\n\n", &settings(true), "");
        comment.section(
            "\n**All tenants**\n\n",
            &self.everywhere.iter().map(ReportedItem::markdown).collect::<Vec<_>>(),
            "",
        );
        parts(&mut comment, &self.folders);
        comment.section("\n**Other settings**\n\n", &settings(false), "");
        if !self.tenants.is_empty() {
            comment.add("\n**What an apply does after it, because of this change**\n");
            parts(&mut comment, &self.tenants);
        }
        if self.is_empty() {
            comment.add("\n✅ The change does nothing in any tenant.\n");
        }
        let asides: Vec<String> = self.asides.iter().map(|line| format!("\n{}\n", md(line))).collect();
        comment.section("", &asides, "");
        if is_own && !self.approvals.is_empty() {
            let lines: Vec<String> = self
                .approvals
                .iter()
                .map(|a| format!("- {} in {}:\n\n{}", md(&a.writer), md(&a.tenant), fence("", &[trailer(&a.digest)])))
                .collect();
            let open = "\n**To approve**, end the message of the merge commit with these lines, or give the digest to the \
                        protected job:\n\n";
            comment.section(open, &lines, "");
        }
        if self.left_out > 0 {
            comment.add(&format!("\n{} left out.\n", count(self.left_out, "item is", "items are")));
        }
        let text = comment.finish();
        debug_assert!(text.chars().count() <= LIMIT);
        text
    }

    /// The last line: what a merge does.
    fn closing(&self) -> String {
        let merged: Vec<String> = self.merged.iter().take(20).map(|tenant| md(tenant)).collect();
        let merged = match merged.as_slice() {
            [] => String::new(),
            merged => format!("The merge itself changes {}. ", merged.join(", ")),
        };
        let then = match (self.exit, self.actions) {
            (1, _) => "It has errors: an apply leaves out what they concern.".to_string(),
            (_, 0) => "An apply has nothing to do because of it.".to_string(),
            (_, actions) => {
                let approval = match self.needs_approval {
                    0 => String::new(),
                    needed => format!(", {needed} of them only after an approval"),
                };
                let waiting = match self.waiting {
                    0 => String::new(),
                    more => format!("; {more} more wait for an earlier stage"),
                };
                format!("An apply after it carries out {}{approval}{waiting}.", count(actions, "action", "actions"))
            }
        };
        format!("\n---\n{merged}{then}\n")
    }
}

/// What stands above a report that came from a run of a fork: whatever it says is its author's.
pub(super) fn fork_warning() -> &'static str {
    "⚠️ **Planned by a run without rights: anybody could have written this. Approve nothing that it says; read the files.** \
     What is live there is from the base branch's snapshot.\n"
}

/// The line of a commit's message that approves a digest.
pub fn trailer(digest: &str) -> String {
    format!("Stablekey-Approve: {digest}")
}

fn parts(comment: &mut Comment, parts: &[ReportedPart]) {
    for part in parts {
        let (tenant, summary) = (md(&part.tenant), md(&part.summary));
        let open = format!("\n<details open><summary><b>{tenant}</b>: {summary}</summary>\n\n");
        comment.section(&open, &part.items.iter().map(ReportedItem::markdown).collect::<Vec<_>>(), "\n</details>\n");
    }
}

impl ReportedItem {
    fn new(mark: Mark, head: impl Into<String>, text: impl Into<String>) -> Self {
        ReportedItem { mark, head: head.into(), text: text.into(), lines: Vec::new() }
    }

    fn markdown(&self) -> String {
        let sign = match self.mark {
            Mark::Error => "❌ ",
            Mark::Unresolved => "⛔ ",
            Mark::Warning => "⚠️ ",
            Mark::Approval => "⚠️ needs approval: ",
            Mark::Create => "create ",
            Mark::Update => "update ",
            Mark::Delete => "delete ",
            Mark::Adopt => "adopt ",
            Mark::Note => "",
            Mark::Manual => "[ ] ",
        };
        let text = if self.text.is_empty() { String::new() } else { format!(": {}", md(&self.text)) };
        let head = format!("- {sign}**{}**{text}\n", md(&self.head));
        match self.lines.is_empty() {
            true => head,
            false => format!("{head}\n{}\n", fence("diff", &self.lines)),
        }
    }
}

fn short(text: &mut String) {
    if text.len() > LONGEST {
        *text = shorten(text, LONGEST).into_owned();
    }
}

/// Where JSON is broken, without its content.
fn place(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}

fn committed(change: &CommittedChange) -> ReportedItem {
    let mut item = action(&change.action);
    if let Some(redirect) = &change.redirect {
        item.text = format!("{} {}; {}", redirect.code, redirect.why, item.text);
    }
    item
}

fn unknown(why: &String) -> ReportedItem {
    ReportedItem::new(Mark::Error, "unknown", format!("what differs is not known: {why}"))
}

fn action(action: &Action) -> ReportedItem {
    let mark = match action.action {
        _ if !action.needs_approval.is_empty() => Mark::Approval,
        ActionKind::Create => Mark::Create,
        ActionKind::Update => Mark::Update,
        ActionKind::Delete => Mark::Delete,
        ActionKind::Adopt => Mark::Adopt,
    };
    let id = &action.change.object;
    let head = if mark == Mark::Approval { format!("{} {id}", action.action.as_str()) } else { id.to_string() };
    let approvals = action.needs_approval.iter().map(|approval| format!("{} {}", approval.code, approval.why));
    let impact = impact(&action.impact, id.kind == crate::api::Kind::Integration);
    let at = action.at.as_ref().map(|at| format!("at {at}"));
    let text: Vec<String> = approvals.chain(Some(action.reason.text.clone())).chain(impact).chain(at).collect();
    let lines = action.fields.iter().flat_map(|change| field(change, action.action)).collect();
    ReportedItem { lines, ..ReportedItem::new(mark, head, text.join("; ")) }
}

fn finding(finding: &Finding) -> ReportedItem {
    let mark = match finding.severity {
        Severity::Error => Mark::Error,
        Severity::Unreached => Mark::Unresolved,
        Severity::Warning => Mark::Warning,
    };
    let object = finding.object.as_ref().map(|object| format!(" {object}")).unwrap_or_default();
    let at = finding.at.as_ref().map(|at| format!(" ({at})")).unwrap_or_default();
    let fix = if finding.fix.is_empty() { String::new() } else { format!(" → {}", finding.fix) };
    let lines = finding.commands.iter().map(|command| format!("  {command}")).collect();
    let head = format!("{}{object}", finding.code);
    ReportedItem { lines, ..ReportedItem::new(mark, head, format!("{}{at}{fix}", finding.text)) }
}

fn part(ranked: &Ranked<'_>) -> ReportedPart {
    let mut items = Vec::new();
    if ranked.target.state == State::Unreachable {
        let why = ranked.target.why.as_deref().unwrap_or("it cannot be read");
        items.push(ReportedItem::new(Mark::Error, "unreachable", why));
    }
    items.extend(ranked.errors.iter().map(|f| finding(f)));
    items.extend(ranked.blocked.iter().map(|note| blocked(note)));
    items.extend(ranked.unresolved.iter().map(|f| finding(f)));
    for kept in &ranked.kept_variables {
        let text = format!("{}: {}", kept.fields.join(", "), kept.keeps(&ranked.target.tenant, "binding"));
        items.push(ReportedItem::new(Mark::Unresolved, kept.object.to_string(), text));
    }
    for drifted in &ranked.drifted {
        let text = format!("{} changed there{} and is left unchanged", drifted.fields.join(", "), drifted.by());
        items.push(ReportedItem::new(Mark::Unresolved, drifted.object.to_string(), text));
    }
    for actions in [&ranked.needs_approval, &ranked.updates, &ranked.creates, &ranked.deletes, &ranked.adopts] {
        items.extend(actions.iter().map(|a| action(a)));
    }
    for kept in &ranked.kept {
        let text = match kept.text {
            Some(text) => text.to_string(),
            None => format!("{}: {}", kept.fields.join(", "), kept.keeps(&ranked.target.tenant, "value")),
        };
        items.push(ReportedItem::new(Mark::Note, format!("kept {}", kept.object), text));
    }
    for overridden in &ranked.overridden {
        let text = format!("{} {}", overridden.fields.join(", "), overridden.by());
        items.push(ReportedItem::new(Mark::Note, format!("overridden {}", overridden.object), text));
    }
    items.extend(ranked.warnings.iter().map(|f| finding(f)));
    items.extend(ranked.manual.iter().map(|todo| ReportedItem::new(Mark::Manual, todo.whom(), todo.text.to_string())));
    let summary = Tally { suspended: 0, ..Tally::of(ranked) }.sentence();
    let summary: Vec<String> = ranked.suspended().into_iter().chain(Some(summary).filter(|s| !s.is_empty())).collect();
    ReportedPart { tenant: ranked.target.tenant.clone(), summary: summary.join("; "), items }
}

fn blocked(note: &Note) -> ReportedItem {
    let Note::Blocked { object, code, text, fix, commands } = note else {
        return ReportedItem::new(Mark::Unresolved, "blocked", "");
    };
    let lines = commands.iter().map(|command| format!("  {command}")).collect();
    let text = format!("{text} → {fix}");
    ReportedItem { lines, ..ReportedItem::new(Mark::Unresolved, format!("{code} blocked {object}"), text) }
}

/// The digests of the writers with actions that need approval.
fn approvals(plan: &Plan) -> Vec<ReportedApproval> {
    let mut approvals = Vec::new();
    for target in &plan.targets {
        for (writer, digest) in &target.digests {
            let needs = |action: &Action| {
                !action.needs_approval.is_empty() && action.writers.iter().any(|other| other.to_string() == *writer)
            };
            if target.actions.iter().any(needs) {
                approvals.push(ReportedApproval {
                    tenant: target.tenant.clone(),
                    writer: writer.clone(),
                    digest: digest.to_string(),
                });
            }
        }
    }
    approvals
}
