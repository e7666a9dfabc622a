//! What a change of a project's files does, for a comment below it. A report can be stored as JSON and read again: a run
//! without rights writes it, and one with rights comments. What is read is hostile: it is bounded, and every text of it is
//! escaped.

use super::action_text::{self, impact};
use super::changed::{
    IGNORES, KUSTOMIZATION, KUSTOMIZATION_DIFFERS, LOCK, NOT_READ, ShownChange, UNREAD_DIFFERS, asides, of_whom,
    record_words, setting_words, what_differs, what_is_unknown,
};
use super::markdown::{Comment, LIMIT, code, escape as md, fence};
use super::plan_markdown::field;
use crate::engine::committed::{CommittedChange, SettingChange};
use crate::engine::model::code::Severity;
use crate::engine::model::finding::Finding;
use crate::engine::model::plan::{Action, ActionKind, Note, State};
use crate::project::changed::ChangedProject;
use crate::project::changed_folders::{ChangedFolder, FolderOwner};
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
/// The most characters of a tenant's name in a sentence, and the most names in one.
const LONGEST_NAME: usize = 63;
const MOST_NAMES: usize = 20;
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
    /// The tenants that cannot be read, with the reason, and whether what the change does there is therefore not known.
    #[serde(default)]
    pub unread: Vec<UnreadTenant>,
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
    /// How many more wait because their tenant is suspended.
    #[serde(default)]
    pub suspended: usize,
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
    /// Where it is: a file and a line.
    #[serde(default)]
    pub at: String,
    /// Lines of a diff.
    pub lines: Vec<String>,
    /// Commands to copy.
    #[serde(default)]
    pub commands: Vec<String>,
}

/// Digests that approve all that a writer does in a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReportedApproval {
    pub tenant: String,
    pub writer: String,
    pub digest: String,
    /// What waited for approval before the change, and is approved with it.
    #[serde(default)]
    pub already: Vec<ReportedItem>,
}

/// A tenant that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UnreadTenant {
    pub tenant: String,
    pub why: String,
    /// Whether the change concerns it.
    pub is_concerned: bool,
}

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mark {
    Error,
    Unresolved,
    Warning,
    Approval,
    Waits,
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
        let active = || added.targets.iter().filter(|target| !target.suspended);
        let actions = || active().flat_map(|target| &target.actions);
        let suspended = added.targets.iter().filter(|target| target.suspended);
        let mut report = ChangeReport {
            schema: REPORT_SCHEMA.to_string(),
            from: shown.from.to_string(),
            to: shown.to.to_string(),
            exit: changed.exit(),
            // A flood of new objects leaves out nothing of those that are there.
            settings: reading(changed)
                .chain(by_age(&changed.settings).map(|change| ReportedSetting {
                    object: change.object.to_string(),
                    text: setting_words(change),
                    sensitive: change.is_sensitive,
                }))
                .collect(),
            folders: changed
                .folders
                .iter()
                .map(|folder| ReportedPart {
                    tenant: folder.tenant.clone(),
                    summary: left(folder).map_or_else(|| what_differs(folder), str::to_string),
                    items: of_folder(folder),
                })
                .collect(),
            tenants: ranked::targets(added).iter().filter(|ranked| !ranked.is_quiet()).map(part).collect(),
            everywhere: ranked::of_no_target(added).into_iter().map(finding).collect(),
            asides: asides(changed),
            unread: changed
                .plans
                .unread
                .iter()
                .map(|(tenant, why)| UnreadTenant {
                    tenant: tenant.clone(),
                    why: why.clone(),
                    is_concerned: changed.unknown.contains(tenant),
                })
                .collect(),
            approvals: changed
                .plans
                .approvals()
                .into_iter()
                .map(|approval| ReportedApproval {
                    tenant: approval.tenant.to_string(),
                    writer: approval.writer.to_string(),
                    digest: approval.digest.to_string(),
                    already: approval.already.into_iter().map(action).collect(),
                })
                .collect(),
            merged: changed
                .folders
                .iter()
                .filter(|folder| !folder.is_source && !folder.changes.is_empty())
                .map(|folder| folder.tenant.clone())
                .collect(),
            actions: actions().count(),
            needs_approval: actions().filter(|action| !action.needs_approval.is_empty()).count(),
            waiting: added.counts.waiting,
            suspended: suspended.map(|target| target.actions.len()).sum(),
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
        // Nobody is to copy a command that anybody could have written.
        report.items().for_each(|item| item.commands.clear());
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
        cut(self.unread.len());
        self.unread.truncate(MOST);
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
        for approval in &mut self.approvals {
            cut(approval.already.len());
            approval.already.truncate(MOST);
        }
        for item in self.items() {
            if let Some(more) = item.lines.len().checked_sub(MOST_LINES).filter(|more| *more > 0) {
                item.lines.truncate(MOST_LINES);
                item.lines.push(format!("  … and {more} more"));
            }
            item.commands.truncate(MOST_LINES);
            item.lines.iter_mut().chain(&mut item.commands).for_each(short);
            [&mut item.head, &mut item.text, &mut item.at].into_iter().for_each(short);
        }
        self.unread.iter_mut().for_each(|one| [&mut one.tenant, &mut one.why].into_iter().for_each(short));
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

    /// All items.
    fn items(&mut self) -> impl Iterator<Item = &mut ReportedItem> {
        let items = self.folders.iter_mut().chain(&mut self.tenants).flat_map(|part| &mut part.items);
        let items = items.chain(self.approvals.iter_mut().flat_map(|approval| &mut approval.already));
        items.chain(&mut self.everywhere)
    }

    /// Whether the change does nothing.
    fn is_empty(&self) -> bool {
        let lists = [self.settings.len(), self.folders.len(), self.tenants.len(), self.everywhere.len()];
        self.exit == 0 && lists.iter().all(|length| *length == 0)
    }

    /// The tenants in which it is not known what the change does.
    fn unknown(&self) -> Vec<String> {
        let unknown = self.unread.iter().filter(|one| one.is_concerned);
        unknown.take(MOST_NAMES).map(|one| name(&one.tenant)).collect()
    }

    /// Whether something of it is unresolved, and not only unknown.
    fn has_unresolved(&self) -> bool {
        let items = self.tenants.iter().flat_map(|part| &part.items).chain(&self.everywhere);
        items.into_iter().any(|item| item.mark == Mark::Unresolved)
    }

    /// Whether what a folder had before cannot be read. Where that is so after the change too, a check fails.
    fn has_unread_before(&self) -> bool {
        self.folders.iter().flat_map(|part| &part.items).any(|item| item.mark == Mark::Error)
    }

    /// Whether the merge itself, and no apply that could wait for an approval, sends credentials to another host.
    fn is_redirected_by_merge(&self) -> bool {
        let merged = self.folders.iter().filter(|part| self.merged.contains(&part.tenant));
        merged.flat_map(|part| &part.items).any(|item| item.mark == Mark::Warning && !item.lines.is_empty())
    }

    /// What the change is, in a line.
    fn verdict(&self) -> String {
        let unknown = self.unknown();
        match self.exit {
            1 => "❌ **It adds an error**, so a check of it fails.".to_string(),
            3 if !unknown.is_empty() => {
                format!("⛔ **What it does in {} is not known**, so a check of it fails.", unknown.join(", "))
            }
            3 if !self.has_unresolved() => {
                "⛔ **Part of what it does is not known**, so a check of it fails.".to_string()
            }
            3 => "⛔ **It leaves something unresolved**, so a check of it fails.".to_string(),
            _ if self.is_empty() && self.asides.iter().any(|line| line.starts_with(NOT_READ)) => {
                "✅ The change does nothing that is planned.".to_string()
            }
            _ if self.is_empty() => "✅ The change does nothing in any tenant.".to_string(),
            _ if self.settings.iter().any(|setting| setting.sensitive) => {
                "⚠️ It can be merged. **It changes what may be written, and by whom.**".to_string()
            }
            _ if self.has_unread_before() => {
                "⚠️ It can be merged. **What it replaces cannot be read: look at what it makes.**".to_string()
            }
            _ if self.is_redirected_by_merge() => {
                "⚠️ It can be merged. **The merge itself sends credentials elsewhere: nobody is asked after it.**"
                    .to_string()
            }
            _ if self.needs_approval > 0 => "⚠️ It can be merged. **Something then waits for approval.**".to_string(),
            _ => "✅ It can be merged.".to_string(),
        }
    }

    /// The report as a comment, at most 65,536 characters long. `marker` is a line that finds it again; `whole` is the
    /// command that shows what does not fit. A report that somebody else may have written is not asked for approval.
    pub fn markdown(&self, marker: &str, whole: &str, is_own: bool) -> String {
        let mut comment = Comment::new(self.closing(is_own), whole);
        if !marker.is_empty() {
            comment.add(&format!("{marker}\n"));
        }
        let states = format!("From {} to {}.", md(&self.from), md(&self.to));
        let (warning, verdict) = match is_own {
            true => (String::new(), self.verdict()),
            false => (format!("{}\n", fork_warning()), as_reported(&self.verdict())),
        };
        comment.add(&format!("## Stablekey: what this change does\n\n{warning}{states}\n\n{verdict}\n"));
        let unread = self.unread.iter().map(|one| {
            let known =
                if one.is_concerned { "what the change does there is not known" } else { "it is not concerned" };
            format!("- **{}** {}: {}\n", md(&one.tenant), known, md(&one.why))
        });
        comment.section("\n**Tenants that cannot be read**\n\n", &unread.collect::<Vec<_>>(), "");
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
        // At the start of a line GitLab reads `/approve` as a command.
        let asides: Vec<String> = self.asides.iter().map(|line| format!("- {}\n", md(line))).collect();
        comment.section("\n", &asides, "");
        if is_own && !self.approvals.is_empty() {
            let lines: Vec<String> = self.approvals.iter().map(ReportedApproval::markdown).collect();
            let open = "\n**To approve**, end the message of the merge commit with these lines as its last paragraph, below \
                        a blank line, or give the digest to the protected job:\n\n";
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
    fn closing(&self, is_own: bool) -> String {
        let merged: Vec<String> = self.merged.iter().take(MOST_NAMES).map(|tenant| name(tenant)).collect();
        let merged = match merged.as_slice() {
            [] => String::new(),
            merged => format!("The merge itself changes {}.", merged.join(", ")),
        };
        let unknown = match self.unknown().as_slice() {
            [] => String::new(),
            names => format!("What an apply does in {} is not known.", names.join(", ")),
        };
        let flaw = match self.exit {
            1 => "It has errors: an apply leaves out what they concern.",
            3 if self.has_unresolved() => "It leaves something unresolved, which an apply leaves out.",
            3 if unknown.is_empty() => "Part of what it does is not known.",
            _ => "",
        };
        let more = |number: usize, why: &str| match number {
            0 => String::new(),
            1 => format!("; 1 more waits {why}"),
            number => format!("; {number} more wait {why}"),
        };
        let waiting = more(self.waiting, "for an earlier stage");
        let waiting = waiting + &more(self.suspended, "because the tenant is suspended");
        let then = match self.actions {
            0 if !unknown.is_empty() && waiting.is_empty() => String::new(),
            0 if self.exit == 1 && waiting.is_empty() => String::new(),
            0 => format!("An apply after it carries out nothing because of it{waiting}."),
            actions => {
                let approval = match self.needs_approval {
                    0 => String::new(),
                    1 if actions == 1 => ", only after an approval".to_string(),
                    needed if needed == actions => ", each only after an approval".to_string(),
                    needed => format!(", {needed} of them only after an approval"),
                };
                format!("An apply after it carries out {}{approval}{waiting}.", count(actions, "action", "actions"))
            }
        };
        let said: Vec<&str> =
            [merged.as_str(), flaw, &then, &unknown].into_iter().filter(|part| !part.is_empty()).collect();
        let said = said.join(" ");
        format!("\n---\n{}\n", if is_own { said } else { as_reported(&said) })
    }
}

/// What stands above a report that came from a run of a fork: whatever it says is its author's.
pub(super) fn fork_warning() -> &'static str {
    "⚠️ **Planned by a run without rights: anybody could have written this. Approve nothing that it says; read the files.** \
     What is live there is from the base branch's snapshot.\n"
}

/// A verdict of a report that anybody could have written: it promises nothing.
fn as_reported(verdict: &str) -> String {
    let verdict = ["✅ ", "⚠️ "].iter().find_map(|mark| verdict.strip_prefix(mark)).unwrap_or(verdict);
    format!("The report says: {verdict}")
}

/// The line of a commit's message that approves a digest.
pub fn trailer(digest: &str) -> String {
    format!("Stablekey-Approve: {digest}")
}

/// The name of a tenant in a sentence.
fn name(tenant: &str) -> String {
    md(&tenant.chars().take(LONGEST_NAME).collect::<String>())
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
        let (head, text) = (head.into(), text.into());
        ReportedItem { mark, head, text, at: String::new(), lines: Vec::new(), commands: Vec::new() }
    }

    fn markdown(&self) -> String {
        let sign = match self.mark {
            Mark::Error => "❌ ",
            Mark::Unresolved => "⛔ ",
            Mark::Warning => "⚠️ ",
            Mark::Approval => "⚠️ needs approval: ",
            Mark::Waits => "⏳ ",
            Mark::Create => "create ",
            Mark::Update => "update ",
            Mark::Delete => "delete ",
            Mark::Adopt => "adopt ",
            Mark::Note => "",
            Mark::Manual => "[ ] ",
        };
        let text = if self.text.is_empty() { String::new() } else { format!(": {}", md(&self.text)) };
        // As code, so that it can be copied.
        let at = if self.at.is_empty() { String::new() } else { format!(" ({})", code(&self.at)) };
        let mut out = format!("- {sign}**{}**{text}{at}\n", md(&self.head));
        for (language, lines) in [("diff", &self.lines), ("sh", &self.commands)] {
            if !lines.is_empty() {
                out.push_str(&format!("\n{}\n", fence(language, lines)));
            }
        }
        out
    }
}

impl ReportedApproval {
    fn markdown(&self) -> String {
        let (writer, tenant) = (md(&self.writer), md(&self.tenant));
        let mut out = format!("- {writer} in {tenant}:\n\n{}", fence("", &[trailer(&self.digest)]));
        if !self.already.is_empty() {
            out.push_str("\n  ⚠️ **It also approves what waited before this change:**\n\n");
            self.already.iter().for_each(|item| out.push_str(&item.markdown()));
        }
        out
    }
}

/// Shortens a text. Characters count, and not columns: some take none.
fn short(text: &mut String) {
    if text.len() > LONGEST {
        *text = shorten(text, LONGEST).into_owned();
    }
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
    }
}

/// Where JSON is broken, without its content.
fn place(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}

/// The changes of objects that were there, and then those of new ones.
fn by_age(settings: &[SettingChange]) -> impl Iterator<Item = &SettingChange> {
    let of = |is_of_new: bool| settings.iter().filter(move |change| change.is_of_new == is_of_new);
    of(false).chain(of(true))
}

/// What is read decides what is found, and so what may be written.
fn reading(changed: &ChangedProject) -> impl Iterator<Item = ReportedSetting> {
    let of = |object: String, text: &str| ReportedSetting { object, text: text.to_string(), sensitive: true };
    let unread = changed.unread_files.iter().map(move |file| of(file.clone(), UNREAD_DIFFERS));
    let records = changed.records.iter().map(|changed| ReportedSetting {
        object: format!("{LOCK} of {}", of_whom(changed)),
        text: record_words(changed),
        sensitive: changed.is_sensitive(),
    });
    let reading = changed.reading.iter().map(move |text| of(IGNORES.to_string(), text));
    let kustomizations = changed.kustomizations.iter();
    let of_tenant = move |tenant: &String| of(format!("{KUSTOMIZATION} of {tenant}"), KUSTOMIZATION_DIFFERS);
    unread.chain(reading).chain(kustomizations.map(of_tenant)).chain(records)
}

fn of_folder(folder: &ChangedFolder) -> Vec<ReportedItem> {
    let left = left(folder).map(|head| ReportedItem::new(Mark::Warning, head, what_differs(folder)));
    let unknown = folder.unknown.iter();
    let unknown = unknown.map(|why| ReportedItem::new(Mark::Error, "unknown", what_is_unknown(folder, why)));
    let changes = folder.changes.iter().map(committed).chain(unknown);
    changes.chain(left).collect()
}

/// What becomes of a folder that its tenant has no more.
fn left(folder: &ChangedFolder) -> Option<&'static str> {
    Some(match folder.left.as_ref()?.owner {
        FolderOwner::Nobody => "no longer managed",
        FolderOwner::Tenant(_) => "another tenant's now",
        FolderOwner::Unknown(_) => "no longer its folder",
    })
}

fn committed(change: &CommittedChange) -> ReportedItem {
    let mut item = action(&change.action);
    if let Some(redirect) = &change.redirect {
        item.head = format!("{} {}", change.action.action.as_str(), change.action.change.object);
        item.text = format!("{} {}; {}", redirect.code, redirect.why, item.text);
        item.mark = Mark::Warning;
    }
    item
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
    let text: Vec<String> = approvals.chain(Some(action.reason.text.clone())).chain(impact).collect();
    let lines = action.fields.iter().flat_map(|change| field(change, action.action)).collect();
    let at = action.at.as_ref().map(ToString::to_string).unwrap_or_default();
    ReportedItem { lines, at, ..ReportedItem::new(mark, head, text.join("; ")) }
}

fn finding(finding: &Finding) -> ReportedItem {
    let mark = match finding.severity {
        Severity::Error => Mark::Error,
        Severity::Unreached => Mark::Unresolved,
        Severity::Warning => Mark::Warning,
    };
    let object = finding.object.as_ref().map(|object| format!(" {object}")).unwrap_or_default();
    let at = finding.at.as_ref().map(ToString::to_string).unwrap_or_default();
    let fix = if finding.fix.is_empty() { String::new() } else { format!(" → {}", finding.fix) };
    let commands = finding.commands.iter().map(ToString::to_string).collect();
    let head = format!("{}{object}", finding.code);
    ReportedItem { at, commands, ..ReportedItem::new(mark, head, format!("{}{fix}", finding.text)) }
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
    items.extend(ranked.stages().into_iter().map(|text| ReportedItem::new(Mark::Waits, "waits", text)));
    items.extend(ranked.target.waiting.iter().map(|waits| {
        let (_, more) = action_text::waiting(waits, ranked.target);
        let head = format!("{} {}", waits.action.as_str(), waits.change.object);
        ReportedItem { mark: Mark::Waits, head, text: more.trim().to_string(), ..action(waits) }
    }));
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
    let commands = commands.iter().map(ToString::to_string).collect();
    let text = format!("{text} → {fix}");
    ReportedItem { commands, ..ReportedItem::new(Mark::Unresolved, format!("{code} blocked {object}"), text) }
}
