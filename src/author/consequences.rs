//! What an edit changes in the plan of its project: what becomes worse or is fixed, and what the next apply does more.

use super::home::inventories;
use crate::engine::model::code::Severity;
use crate::engine::model::finding::Finding;
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{ActionKind, Note, Plan, Target};
use crate::project::Project;
use std::collections::{BTreeMap, BTreeSet};

/// What an edit changes in the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consequences {
    /// What the plan says after the edit and did not say before, and makes it worse: errors, what will not be reached,
    /// and what worked before and is broken.
    pub worse: Vec<String>,
    /// What the plan says before the edit and no longer after it.
    pub fixed: Vec<String>,
    /// Differences that end because the value becomes the tenant's own, which no sync changes any more.
    pub kept: Vec<String>,
    /// Warnings that the plan has after the edit and did not have before.
    pub warnings: Vec<String>,
}

/// What a plan says, by what it is about.
type Reported = BTreeMap<String, BTreeSet<String>>;

impl Consequences {
    /// Compares the plan of a project with the plan after an edit. `live` are the tenants of whose locations a file
    /// changes; `pauses` says that the edit only stops writes, or ends that: what the plan then hides is not fixed, and
    /// what it shows again is not new.
    pub(super) fn of(project: &Project, plans: (&Plan, &Plan), live: &BTreeSet<&str>, pauses: bool) -> Self {
        let (before, after) = plans;
        let breaks = |finding: &Finding| finding.code.breaks_what_works() && was_there(project, finding);
        let warnings = |plan: &Plan, broken: bool| {
            let warnings = plan.findings.iter().filter(|f| f.severity == Severity::Warning);
            reported(warnings.filter(|finding| breaks(finding) == broken).map(of_finding))
        };
        let new_warnings = new(&warnings(before, false), warnings(after, false));
        if pauses {
            return Consequences { warnings: new_warnings, ..Consequences::default() };
        }
        // Drift is made by a change of what is live. Where it only comes to light, because an error no longer hides it,
        // it was there before.
        let drift = |plan: &Plan, all: bool| {
            let targets = plan.targets.iter().filter(|target| all || live.contains(target.tenant.as_str()));
            reported(targets.flat_map(|target| target.notes.iter().filter_map(|note| of_drift(&target.tenant, note))))
        };
        let mut worse = new(&troubles(before), troubles(after));
        worse.extend(new(&drift(before, true), drift(after, false)));
        worse.extend(new(&warnings(before, true), warnings(after, true)));
        let mut fixed = new(&troubles(after), troubles(before));
        let (was_different, is_kept) = (different(before), kept(after));
        let becomes_kept: BTreeSet<&About<'_>> = was_different.intersection(&is_kept).collect();
        if worse.is_empty() {
            let mut ended = drift(before, true);
            becomes_kept.iter().for_each(|about| drop(ended.remove(&format!("drift: {about}"))));
            fixed.extend(new(&drift(after, true), ended));
        }
        let kept = becomes_kept.iter().map(|about| format!("{about} becomes the tenant's own")).collect();
        fixed.extend(new(&warnings(after, true), warnings(before, true)));
        Consequences { worse, fixed, kept, warnings: new_warnings }
    }
}

/// Whether the object of a finding was there before the edit. What is new is incomplete at most, and breaks nothing.
fn was_there(project: &Project, finding: &Finding) -> bool {
    let (Some(tenant), Some(object)) = (&finding.tenant, &finding.object) else { return false };
    inventories(project, tenant).into_iter().any(|inventory| inventory.has(object))
}

/// What keeps a plan from being carried out, drift apart, by what it is about.
fn troubles(plan: &Plan) -> Reported {
    let findings = plan.findings.iter().filter(|f| matches!(f.severity, Severity::Error | Severity::Unreached));
    // Errors come first.
    let ranked = findings.map(|finding| {
        let (key, text) = of_finding(finding);
        (format!("{} {key}", u8::from(finding.severity != Severity::Error)), text)
    });
    let mut troubles = reported(ranked);
    for target in &plan.targets {
        for note in target.notes.iter().filter(|note| note.is_unresolved()) {
            if let Note::Blocked { code, text, .. } = note {
                let about = format!("{}/{}", target.tenant, note.object());
                let texts = troubles.entry(format!("1 {code} {about}")).or_default();
                texts.insert(format!("{code} {about}: {text}"));
            }
        }
    }
    troubles
}

fn of_drift(tenant: &str, note: &Note) -> Option<(String, String)> {
    let (what, path) = match note {
        Note::Drift { path, .. } => ("drift", path),
        Note::Kept { path, .. } => ("kept", path),
        Note::Blocked { .. } | Note::Overridden { .. } | Note::Manual { .. } => return None,
    };
    let text = format!("{what}: {tenant}/{} {}", note.object(), path.join("."));
    note.is_unresolved().then(|| (text.clone(), text))
}

/// A field of an object in a tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct About<'p> {
    tenant: &'p str,
    object: &'p ObjectId,
    path: String,
}

impl std::fmt::Display for About<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{} {}", self.tenant, self.object, self.path)
    }
}

/// The fields with drift, and those that an apply would write.
fn different<'p>(plan: &'p Plan) -> BTreeSet<About<'p>> {
    let of_target = |target: &'p Target| {
        let drift = target.notes.iter().filter_map(|note| match note {
            Note::Drift { object, path, .. } => Some((object, path.join("."))),
            Note::Blocked { .. } | Note::Kept { .. } | Note::Overridden { .. } | Note::Manual { .. } => None,
        });
        let updates = target.actions.iter().filter(|action| action.action == ActionKind::Update);
        let fields = updates.flat_map(|action| {
            action.fields.iter().map(|change| (&action.change.object, change.field.path().join(".")))
        });
        drift.chain(fields).map(|(object, path)| About { tenant: &target.tenant, object, path }).collect::<Vec<_>>()
    };
    plan.targets.iter().flat_map(of_target).collect()
}

/// The fields that their tenants keep, and that count as resolved.
fn kept<'p>(plan: &'p Plan) -> BTreeSet<About<'p>> {
    let of_target = |target: &'p Target| {
        let notes = target.notes.iter().filter(|note| !note.is_unresolved());
        let kept = notes.filter_map(|note| match note {
            Note::Kept { object, path, .. } => Some(About { tenant: &target.tenant, object, path: path.join(".") }),
            Note::Blocked { .. } | Note::Drift { .. } | Note::Overridden { .. } | Note::Manual { .. } => None,
        });
        kept.collect::<Vec<_>>()
    };
    plan.targets.iter().flat_map(of_target).collect()
}

fn reported(all: impl Iterator<Item = (String, String)>) -> Reported {
    let mut reported = Reported::new();
    for (key, text) in all {
        reported.entry(key).or_default().insert(text);
    }
    reported
}

fn of_finding(finding: &Finding) -> (String, String) {
    let tenant = finding.tenant.as_deref().unwrap_or_default();
    let object = finding.object.as_ref().map(ToString::to_string).unwrap_or_default();
    let about: Vec<&str> = [tenant, &object].into_iter().filter(|part| !part.is_empty()).collect();
    let about = about.join("/");
    let key = format!("{} {about} {}", finding.code, finding.path.join("."));
    let separator = if about.is_empty() { "" } else { ": " };
    (key, format!("{} {about}{separator}{}", finding.code, finding.text))
}

/// The texts of `after` that are new: about something of which `before` says nothing, or less. A text that only changed
/// is not new.
fn new(before: &Reported, after: Reported) -> Vec<String> {
    let of = |(key, texts): (String, BTreeSet<String>)| {
        let known = before.get(&key);
        let more = texts.len().saturating_sub(known.map_or(0, BTreeSet::len));
        let is_known = |text: &String| known.is_some_and(|known| known.contains(text));
        texts.into_iter().filter(move |text| !is_known(text)).take(more).collect::<Vec<_>>()
    };
    after.into_iter().flat_map(of).collect()
}
