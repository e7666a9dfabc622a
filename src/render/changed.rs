//! What a change of a project's files does, as text and JSON. Its Markdown is that of a report.

use super::action_text::action;
use super::invocation::Invocation;
use super::json::JsonLayout;
use super::page::{Span, TextPage, faint, heading, plain, strong};
use super::plan_text::plan_text;
use super::style::{Style, Tone};
use crate::engine::committed::{CommittedChange, SettingChange, UnknownWhen};
use crate::engine::compare::SharedApproval;
use crate::engine::model::plan::{Note, Plan};
use crate::project::changed::ChangedProject;
use crate::project::changed_folders::{ChangedFolder, FolderOwner, LeftFolder};
use crate::project::changed_records::{ChangedRecord, ChangedRecords, RecordChange};
use crate::report::ranked::targets;
use crate::report::value;
use crate::text::{count, shorten};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The file that says what is not read.
pub(super) const IGNORES: &str = ".stablekeyignore";
/// The file that Flux, Argo CD and kubectl read in a folder.
pub(super) const KUSTOMIZATION: &str = "kustomization.yaml";
/// What a change of it means.
pub(super) const KUSTOMIZATION_DIFFERS: &str =
    "differs: what Flux, Argo CD and kubectl apply -k write is decided there, and is not planned here";
/// The file with the ownership records of a folder.
pub(super) const LOCK: &str = "stablekey.lock";
/// What a file means that cannot be read, and differs.
pub(super) const UNREAD_DIFFERS: &str =
    "cannot be read in one of the two commits, and differs: which Tenants and TenantSyncs are in it is not known";
/// How the line about files begins that nobody reads here.
pub(super) const NOT_READ: &str = "Also changed, and not read here";
/// The maximum number of listed resources of a folder: JSON has every one.
const MOST: usize = 100;
/// The most characters of a setting's value.
const LONGEST_VALUE: usize = 240;
/// How many characters before the first difference of two long values are shown.
const BEFORE_DIFFERENCE: usize = 20;

/// A change, with the names of the two states.
pub struct ShownChange<'a> {
    pub changed: &'a ChangedProject,
    /// The state before the change: `main (3f9a1c2d10)`.
    pub from: &'a str,
    /// The state after the change.
    pub to: &'a str,
}

impl ShownChange<'_> {
    /// The change for a terminal.
    pub fn text(&self, typed: &Invocation, style: Style) -> String {
        let ChangedProject { settings, folders, plans, .. } = self.changed;
        let mut page = TextPage::new(style);
        page.wrap(0, 2, &[plain("From "), strong(self.from), plain(" to "), strong(self.to)]);
        if self.changed.is_empty() && !self.changed.is_unknown() {
            let what = if self.changed.not_read.is_empty() { "" } else { " that is planned" };
            page.line(0, &[Span::new(Tone::Good, "✓"), plain(format!(" The change does nothing{what}."))]);
        }
        for (tenant, why) in &plans.unread {
            let known = if self.changed.unknown.contains(tenant) {
                "what the change does there is not known"
            } else {
                "it is not concerned"
            };
            let head = format!("✗ {tenant} cannot be read: {known}");
            page.wrap(2, 4, &[Span::new(Tone::Bad, head), faint(format!(" ({why})"))]);
        }
        let ChangedProject { kustomizations, records, unread_files, .. } = self.changed;
        let has_files = !(records.is_empty() && unread_files.is_empty() && kustomizations.is_empty());
        if has_files || !(settings.is_empty() && self.changed.reading.is_empty()) {
            page.gap();
            page.line(0, &[heading("settings")]);
            for text in &self.changed.reading {
                page.wrap(2, 6, &[Span::new(Tone::Careful, "! "), strong(IGNORES), plain(format!("  {text}"))]);
            }
            for tenant in kustomizations {
                let text = format!("  of {tenant} {KUSTOMIZATION_DIFFERS}");
                page.wrap(2, 6, &[Span::new(Tone::Careful, "! "), strong(KUSTOMIZATION), plain(text)]);
            }
            for file in unread_files {
                page.wrap(2, 6, &[Span::new(Tone::Careful, "! "), strong(file), plain(format!("  {UNREAD_DIFFERS}"))]);
            }
            for changed in records {
                let (mark, tone) = mark(changed.is_sensitive());
                let text = format!("  of {}: {}", of_whom(changed), record_words(changed));
                page.wrap(2, 6, &[Span::new(tone, format!("{mark} ")), strong(LOCK), plain(text)]);
            }
            settings.iter().for_each(|change| setting(&mut page, change));
        }
        for folder in folders {
            page.gap();
            page.wrap(0, 2, &[heading(&folder.tenant), faint(format!("  {}", what_differs(folder)))]);
            for change in folder.changes.iter().take(MOST) {
                committed(&mut page, change);
            }
            if let Some(more) = folder.changes.len().checked_sub(MOST).filter(|more| *more > 0) {
                page.line(2, &[faint(format!("… and {more} more; --output json lists them all"))]);
            }
            if let Some(why) = &folder.unknown {
                page.wrap(2, 4, &[Span::new(Tone::Bad, what_is_unknown(folder, why))]);
            }
        }
        let mut text = page.finish();
        if !is_quiet(&plans.added) {
            text.push_str("\nWhat apply does after it, because of this change:\n\n");
            text.push_str(&plan_text(&loud(&plans.added), &Invocation { is_apply: true, ..typed.clone() }, style));
        }
        let mut page = TextPage::new(style);
        for approval in plans.approvals().iter().filter(|approval| !approval.already.is_empty()) {
            let also = format!("! To approve {} in {} approves", approval.writer, approval.tenant);
            page.gap();
            page.wrap(0, 2, &[Span::new(Tone::Careful, also), plain(" what waited before this change as well:")]);
            approval.already.iter().for_each(|waits| action(&mut page, waits));
        }
        let shared = page.finish();
        if !shared.is_empty() {
            text.push('\n');
            text.push_str(&shared);
        }
        let mut page = TextPage::new(style);
        for line in asides(self.changed) {
            page.wrap(0, 2, &[faint(line)]);
        }
        let asides = page.finish();
        if !asides.is_empty() {
            text.push('\n');
            text.push_str(&asides);
        }
        text
    }

    /// The change as JSON (schema `stablekey.dev/change/v1`).
    pub fn json(&self) -> Result<String, serde_json::Error> {
        let ChangedProject { settings, folders, plans, .. } = self.changed;
        let setting = |change: &SettingChange| {
            json!({
                "object": change.object.to_string(), "path": change.path, "from": change.from, "to": change.to,
                "unknown": change.unknown.as_ref().map(|_| setting_words(change)), "sensitive": change.is_sensitive
            })
        };
        let resource = |change: &CommittedChange| -> Result<Value, serde_json::Error> {
            let action = &change.action;
            Ok(json!({
                "object": action.change.object.to_string(), "change": action.action.as_str(),
                "fields": serde_json::to_value(&action.fields)?, "impact": serde_json::to_value(&action.impact)?,
                "redirect": change.redirect.as_ref().map(|redirect| &redirect.why)
            }))
        };
        let folder = |folder: &ChangedFolder| -> Result<Value, serde_json::Error> {
            let changes = folder.changes.iter().map(resource).collect::<Result<Vec<_>, _>>()?;
            let what = if folder.is_source { "source" } else { "location" };
            let left = folder.left.as_ref().map(|_| what_differs(folder));
            Ok(json!({
                "tenant": folder.tenant, "folder": what, "changes": changes, "unknown": folder.unknown, "left": left
            }))
        };
        let shared = |approval: &SharedApproval<'_>| {
            let already: Vec<&str> = approval.already.iter().map(|action| action.id.as_str()).collect();
            json!({
                "tenant": approval.tenant, "writer": approval.writer, "digest": approval.digest.to_string(),
                "already": already
            })
        };
        let records = |changed: &ChangedRecords| {
            let what = if changed.is_source { "source" } else { "location" };
            let record = |record: &ChangedRecord| {
                let change = match record.change {
                    RecordChange::MadeAppears => "madeAppears",
                    RecordChange::MadeDisappears => "madeDisappears",
                    RecordChange::Fields => "fields",
                };
                json!({"object": record.object.to_string(), "change": change})
            };
            let all: Vec<Value> = changed.records.iter().map(record).collect();
            json!({"tenant": changed.tenant, "folder": what, "records": all})
        };
        let dropped: Vec<Value> = plans
            .dropped
            .iter()
            .map(|(_, action)| json!({"id": action.id, "action": action.action.as_str()}))
            .collect();
        let json = json!({
            "schema": "stablekey.dev/change/v1",
            "from": self.from,
            "to": self.to,
            "reading": self.changed.reading,
            "kustomizations": self.changed.kustomizations,
            "unreadFiles": self.changed.unread_files,
            "records": self.changed.records.iter().map(records).collect::<Vec<_>>(),
            "notRead": self.changed.not_read,
            "settings": settings.iter().map(setting).collect::<Vec<_>>(),
            "folders": folders.iter().map(folder).collect::<Result<Vec<_>, _>>()?,
            "added": serde_json::to_value(&plans.added)?,
            "already": serde_json::to_value(&plans.already)?,
            "dropped": dropped,
            "ended": serde_json::to_value(plans.ended.iter().map(|(_, note)| note).collect::<Vec<_>>())?,
            "approvals": plans.approvals().iter().map(shared).collect::<Vec<_>>(),
            "unread": serde_json::to_value(&plans.unread)?,
            "unknown": self.changed.unknown,
            "fixed": serde_json::to_value(&plans.fixed)?,
            "exit": self.changed.exit(),
        });
        super::json::json(&json, JsonLayout::Pretty)
    }
}

/// What the change does not do: lines about what was there before it, and what it ends.
pub(super) fn asides(changed: &ChangedProject) -> Vec<String> {
    let plans = &changed.plans;
    let not_read = (!changed.not_read.is_empty()).then(|| format!("{NOT_READ}: {}.", first(&changed.not_read)));
    let already = already(&plans.already);
    let are_done = plans.already.targets.iter().any(|target| !target.suspended && !target.actions.is_empty());
    let too = if are_done { " An apply carries out these actions too." } else { "" };
    let already = already.map(|what| format!("Before this change already, and not counted: {what}.{too}"));
    let dropped = plans.dropped.iter().map(|(_, action)| format!("{} {}", action.action.as_str(), action.id));
    let dropped: Vec<String> = dropped.collect();
    let ends = (!dropped.is_empty()).then(|| format!("No longer planned: {}.", first(&dropped)));
    let fixed = count(plans.fixed.len(), "finding", "findings");
    // What cannot be read any more is not fixed.
    let is_fixed = !plans.fixed.is_empty() && plans.added.exit != 1;
    let fixed = is_fixed.then(|| format!("Fixed by this change: {fixed}."));
    let ended: Vec<String> = plans.ended.iter().map(|(tenant, note)| ended(tenant, note)).collect();
    let ended = (!ended.is_empty()).then(|| format!("Ended by this change: {}.", first(&ended)));
    let released: Vec<String> = plans.released.iter().map(|(tenant, object)| format!("{tenant}/{object}")).collect();
    let released = (!released.is_empty()).then(|| {
        let is = if released.len() == 1 { "is" } else { "are" };
        format!("Waited before this change, and {is} released by it: {}.", first(&released))
    });
    not_read.into_iter().chain(released).chain(already).chain(ends).chain(ended).chain(fixed).collect()
}

/// A difference that a change ends: `eu-prod/Connection/crm inputs.scopes no longer differs`.
fn ended(tenant: &str, note: &Note) -> String {
    let (what, path) = match note {
        Note::Drift { path, .. } => ("drifted", path.join(".")),
        Note::Kept { path, .. } => ("kept", path.join(".")),
        _ => ("blocked", String::new()),
    };
    let object = note.object();
    let field = if path.is_empty() { String::new() } else { format!(" {path}") };
    format!("{tenant}/{object}{field} is no longer {what}")
}

/// The tenants of a plan of which there is something to show: what the others have to do is said elsewhere.
fn loud(plan: &Plan) -> Plan {
    let quiet: BTreeSet<String> =
        targets(plan).iter().filter(|ranked| ranked.is_quiet()).map(|ranked| ranked.target.tenant.clone()).collect();
    let mut loud = plan.clone();
    loud.targets.retain(|target| !quiet.contains(&target.tenant));
    loud
}

/// Whether a plan has nothing to show: manual steps and what a tenant keeps are shown.
fn is_quiet(plan: &Plan) -> bool {
    let has_notes = plan.targets.iter().any(|target| !target.notes.is_empty());
    plan.exit == 0 && plan.is_empty() && plan.findings.is_empty() && !has_notes
}

/// What there was before the change: `3 actions, 1 drifted, 2 findings`.
fn already(plan: &Plan) -> Option<String> {
    let counts = plan.counts;
    let actions = counts.create + counts.update + counts.adopt + counts.delete;
    let part = |number: usize, one: &str, many: &str| (number > 0).then(|| count(number, one, many));
    let parts = [
        part(actions, "action", "actions"),
        part(counts.blocked, "blocked", "blocked"),
        part(counts.drift, "drifted", "drifted"),
        part(counts.kept, "kept by a tenant", "kept by tenants"),
        part(counts.manual, "manual step", "manual steps"),
        part(plan.findings.len(), "finding", "findings"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// The first names of a list.
fn first(names: &[String]) -> String {
    const FEW: usize = 6;
    match names.len().checked_sub(FEW).filter(|more| *more > 0) {
        None => names.join(", "),
        Some(more) => format!("{} and {more} more", names.get(..FEW).unwrap_or_default().join(", ")),
    }
}

pub(super) fn what_differs(folder: &ChangedFolder) -> String {
    if let Some(left) = &folder.left {
        return what_stays(left, folder.is_source);
    }
    let number = folder.changes.len();
    if number == 0 {
        let whose = if folder.is_source { "its source" } else { "its folder" };
        return format!("what differs in {whose} is not known");
    }
    match folder.is_source {
        true => format!("{} in its source, which an apply brings there", count(number, "change", "changes")),
        false => format!("{} with the commit itself", count(number, "change", "changes")),
    }
}

/// What happens to a folder that its tenant has no more.
fn what_stays(left: &LeftFolder, is_source: bool) -> String {
    let path = &left.path;
    let mut what = count(left.resources, "resource", "resources");
    if let Some(unread) = &left.unread {
        what = match left.resources {
            0 => format!("what is in it, which is not known: before the change, {unread}"),
            _ => format!("{what}, and more that is not known: before the change, {unread}"),
        };
    }
    match (&left.owner, is_source) {
        (FolderOwner::Nobody, true) => {
            format!("its source is another one now: what the folder {path} declares ({what}) does not count")
        }
        (FolderOwner::Nobody, false) if left.unread.is_some() => {
            format!("no tenant has its folder {path} any more, and nobody manages what stays there ({what})")
        }
        (FolderOwner::Nobody, false) => {
            let (stay, them) = if left.resources == 1 { ("stays", "it") } else { ("stay", "them") };
            format!("no tenant has its folder {path} any more: {what} {stay} there, and nobody manages {them}")
        }
        (FolderOwner::Tenant(other), _) => format!("its folder {path} belongs to tenant {other} now ({what})"),
        (FolderOwner::Unknown(why), _) => {
            format!("it has its folder {path} no more ({what}); whether another tenant has it is not known: {why}")
        }
    }
}

/// What of a folder is not known, and why.
pub(super) fn what_is_unknown(folder: &ChangedFolder, why: &str) -> String {
    let what = if folder.changes.is_empty() { "what differs" } else { "what else differs" };
    format!("{what} is not known: {why}")
}

/// Whose ownership records differ.
pub(super) fn of_whom(changed: &ChangedRecords) -> String {
    let tenant = &changed.tenant;
    if changed.is_source { format!("the source of {tenant}") } else { tenant.clone() }
}

/// The ownership records that differ: `made appears for Integration/g; fields differ for Connection/x`.
pub(super) fn record_words(changed: &ChangedRecords) -> String {
    let of = |change: RecordChange, words: &str| {
        let those = changed.records.iter().filter(|record| record.change == change);
        let names: Vec<String> = those.map(|record| record.object.to_string()).collect();
        (!names.is_empty()).then(|| format!("{words} {}", first(&names)))
    };
    let parts = [
        of(RecordChange::MadeAppears, "made (by Stablekey, so that it may be deleted) appears for"),
        of(RecordChange::MadeDisappears, "made (by Stablekey, so that it may be deleted) disappears for"),
        of(RecordChange::Fields, "fields differ for"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn mark(is_sensitive: bool) -> (&'static str, Tone) {
    if is_sensitive { ("!", Tone::Careful) } else { ("~", Tone::Faint) }
}

fn setting(page: &mut TextPage, change: &SettingChange) {
    let (mark, tone) = mark(change.is_sensitive);
    let spans = [
        Span::new(tone, format!("{mark} ")),
        strong(change.object.to_string()),
        plain(format!("  {}", setting_words(change))),
    ];
    page.wrap(2, 6, &spans);
}

/// The change of a setting: `policy.drift: Detect → Correct`.
pub(super) fn setting_words(change: &SettingChange) -> String {
    if let Some(unknown) = &change.unknown {
        let why = &unknown.why;
        return match (unknown.when, &change.from, &change.to) {
            (UnknownWhen::Both, ..) => format!("differs, and what it says is not known: {why}"),
            (UnknownWhen::After, None, _) => format!("is new, and what it says is not known: {why}"),
            (UnknownWhen::After, ..) => format!("what it says now is not known: {why}"),
            (UnknownWhen::Before, _, None) => format!("is gone; what it said is not known: {why}"),
            (UnknownWhen::Before, ..) => format!("what it said before is not known: {why}"),
        };
    }
    match (change.path.is_empty(), &change.from) {
        (true, None) => "is new".to_string(),
        (true, Some(_)) => "is gone".to_string(),
        (false, _) => format!("{}: {}", change.path, values_of(change)),
    }
}

/// The values of a setting: whole, or where they differ.
fn values_of(change: &SettingChange) -> String {
    let words = |value: &Option<Value>| value.as_ref().map_or_else(|| "absent".to_string(), setting_value);
    let (from, to) = (words(&change.from), words(&change.to));
    if change.is_of_new {
        return shorten(&to, LONGEST_VALUE).into_owned();
    }
    let is_long = |text: &str| text.chars().count() > LONGEST_VALUE;
    if !is_long(&from) && !is_long(&to) {
        return format!("{from} → {to}");
    }
    if let (Some(Value::Array(old)), Some(Value::Array(new))) = (&change.from, &change.to) {
        let only = |these: &[Value], those: &[Value]| {
            let names: Vec<String> = these.iter().filter(|one| !those.contains(one)).map(setting_value).collect();
            shorten(&names.join(", "), LONGEST_VALUE).into_owned()
        };
        let (more, less) = (only(new, old), only(old, new));
        return match (more.is_empty(), less.is_empty()) {
            (false, false) => format!("adds {more}; no longer {less}"),
            (false, true) => format!("adds {more}"),
            (true, false) => format!("no longer {less}"),
            (true, true) => "has another order".to_string(),
        };
    }
    // What both begin with would fill the room for what differs.
    let same = from.chars().zip(to.chars()).take_while(|(old, new)| old == new).count();
    let skipped = same.saturating_sub(BEFORE_DIFFERENCE);
    let end = |text: &str| -> String {
        let rest: String = text.chars().skip(skipped).collect();
        format!("{}{}", if skipped > 0 { "…" } else { "" }, shorten(&rest, LONGEST_VALUE))
    };
    format!("{} → {}", end(&from), end(&to))
}

/// The value of a setting. Of an override it is what it sets, and then why: the rest is in its path.
fn setting_value(value: &Value) -> String {
    let Value::Object(map) = value else {
        return value.as_str().map_or_else(|| value.to_string(), str::to_string);
    };
    let set = match (map.get("value"), map.get("secretRef"), map.get("keep")) {
        _ if map.contains_key("hidden") => return "hidden".to_string(),
        (Some(value), ..) => setting_value(value),
        (_, Some(reference), _) => value::words(&json!({"secretRef": reference})),
        (.., Some(_)) => "kept as it is there".to_string(),
        _ => match map.get("stableKey").filter(|_| map.contains_key("variable")) {
            Some(key) => setting_value(key),
            None => return value.to_string(),
        },
    };
    match map.get("reason").map(setting_value) {
        Some(why) => format!("{} ({})", shorten(&set, LONGEST_VALUE), shorten(&why, value::MOST)),
        None => set,
    }
}

fn committed(page: &mut TextPage, change: &CommittedChange) {
    if let Some(redirect) = &change.redirect {
        page.wrap(2, 6, &[Span::new(Tone::Careful, format!("! {}: {}", redirect.code, redirect.why))]);
    }
    action(page, &change.action);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Kind;
    use crate::engine::model::item::ObjectId;

    fn words(path: &str, from: Value, to: Value) -> String {
        let value = |value: Value| (!value.is_null()).then_some(value);
        let (object, path) = (ObjectId::new(Kind::TenantSync, "s"), path.to_string());
        let (from, to) = (value(from), value(to));
        let change = SettingChange { object, path, from, to, unknown: None, is_of_new: false, is_sensitive: true };
        setting_words(&change)
    }

    #[test]
    fn the_value_that_matters_is_shown() {
        let host =
            json!({"tenant": "eu", "stableKey": "warehouse", "input": "host", "value": "h.example", "reason": "r"});
        let path = "overrides.eu warehouse host";
        assert_eq!(words(path, Value::Null, host), format!("{path}: absent → h.example (r)"));
        let secret = json!({"input": "pin", "secretRef": {"name": "s", "key": "k"}, "reason": "x".repeat(100)});
        assert!(words(path, Value::Null, secret).starts_with(&format!("{path}: absent → Secret s/k (xxx")));
        let hidden = json!({"input": "pin", "value": {"hidden": true}, "reason": "r"});
        assert_eq!(words(path, hidden, Value::Null), format!("{path}: hidden (r) → absent"));
        let bound = json!({"integration": "i", "variable": "CRM", "stableKey": "other", "reason": "r"});
        assert!(words(path, Value::Null, bound).ends_with("absent → other (r)"));
        let kept = json!({"object": "Connection/c", "field": "title", "keep": true, "reason": "r"});
        assert!(words(path, Value::Null, kept).ends_with("absent → kept as it is there (r)"));
        assert_eq!(words("suspend", json!(true), Value::Null), "suspend: true → absent");
    }

    #[test]
    fn what_differs_of_a_long_value_is_shown() {
        let names = |number: usize| (0..number).map(|i| format!("tenant-{i}")).collect::<Vec<_>>();
        assert_eq!(words("acceptFrom", json!(["us"]), json!(["us", "eu"])), r#"acceptFrom: ["us"] → ["us","eu"]"#);
        assert_eq!(words("acceptFrom", json!(names(60)), json!(names(61))), "acceptFrom: adds tenant-60");
        assert_eq!(words("acceptFrom", json!(names(61)), json!(names(60))), "acceptFrom: no longer tenant-60");
        let long = |end: &str| json!(format!("https://{}.example/{end}", "a".repeat(300)));
        let text = words("location.prismatic.url", long("old"), long("new"));
        assert!(text.ends_with(".example/new") && text.contains(".example/old → …"), "{text}");
    }
}
