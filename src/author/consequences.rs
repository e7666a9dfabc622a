//! What an edit changes in the plan of its project: what becomes worse or is fixed, and what the next apply does more.

use super::home::inventories;
use crate::engine::model::canonical::Digest;
use crate::engine::model::code::Severity;
use crate::engine::model::finding::Finding;
use crate::engine::model::plan::{Action, Note, Plan};
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
    /// Warnings that the plan has after the edit and did not have before.
    pub warnings: Vec<String>,
    /// The actions that the plan has after the edit and did not have before, or that became others, by their place in
    /// the plan.
    pub actions: Vec<(usize, usize)>,
}

/// What a plan says, by what it is about.
type Told = BTreeMap<String, BTreeSet<String>>;

impl Consequences {
    /// Compares the plan of a project with the plan after an edit. `live` are the tenants of whose locations a file
    /// changes; `pauses` says that the edit only stops writes, or ends that: what the plan then hides is not fixed, and
    /// what it shows again is not new.
    pub(super) fn of(project: &Project, plans: (&Plan, &Plan), live: &BTreeSet<&str>, pauses: bool) -> Self {
        let (before, after) = plans;
        let actions = new_actions(before, after);
        let breaks = |finding: &Finding| finding.code.breaks_what_works() && was_there(project, finding);
        let warnings = |plan: &Plan, broken: bool| {
            let warnings = plan.findings.iter().filter(|f| f.severity == Severity::Warning);
            told(warnings.filter(|finding| breaks(finding) == broken).map(of_finding))
        };
        let new_warnings = new(&warnings(before, false), warnings(after, false));
        if pauses {
            return Consequences { warnings: new_warnings, actions, ..Consequences::default() };
        }
        // Drift is made by a change of what is live. Where it only comes to light, because an error no longer hides it,
        // it was there before.
        let drift = |plan: &Plan, all: bool| {
            let targets = plan.targets.iter().filter(|target| all || live.contains(target.tenant.as_str()));
            told(targets.flat_map(|target| target.notes.iter().filter_map(|note| of_drift(&target.tenant, note))))
        };
        let mut worse = new(&troubles(before), troubles(after));
        worse.extend(new(&drift(before, true), drift(after, false)));
        worse.extend(new(&warnings(before, true), warnings(after, true)));
        let mut fixed = new(&troubles(after), troubles(before));
        if worse.is_empty() {
            fixed.extend(new(&drift(after, true), drift(before, true)));
        }
        fixed.extend(new(&warnings(after, true), warnings(before, true)));
        Consequences { worse, fixed, warnings: new_warnings, actions }
    }
}

/// Whether the object of a finding was there before the edit. What is new is incomplete at most, and breaks nothing.
fn was_there(project: &Project, finding: &Finding) -> bool {
    let (Some(tenant), Some(object)) = (&finding.tenant, &finding.object) else { return false };
    inventories(project, tenant).into_iter().any(|inventory| inventory.has(object))
}

/// The positions of the actions whose digest is new.
fn new_actions(before: &Plan, after: &Plan) -> Vec<(usize, usize)> {
    let known: BTreeSet<(&str, &Digest)> =
        before.targets.iter().flat_map(|t| &t.actions).map(|action| (action.id.as_str(), &action.digest)).collect();
    let mut new = Vec::new();
    for (target_at, target) in after.targets.iter().enumerate() {
        let is_new = |action: &Action| !known.contains(&(action.id.as_str(), &action.digest));
        let of_target = target.actions.iter().enumerate().filter(|(_, action)| is_new(action));
        new.extend(of_target.map(|(action_at, _)| (target_at, action_at)));
    }
    new
}

/// What keeps a plan from being carried out, drift apart, by what it is about.
fn troubles(plan: &Plan) -> Told {
    let findings = plan.findings.iter().filter(|f| matches!(f.severity, Severity::Error | Severity::Unreached));
    // Errors come first.
    let ranked = findings.map(|finding| {
        let (key, text) = of_finding(finding);
        (format!("{} {key}", u8::from(finding.severity != Severity::Error)), text)
    });
    let mut troubles = told(ranked);
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

fn told(all: impl Iterator<Item = (String, String)>) -> Told {
    let mut told = Told::new();
    for (key, text) in all {
        told.entry(key).or_default().insert(text);
    }
    told
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
fn new(before: &Told, after: Told) -> Vec<String> {
    let of = |(key, texts): (String, BTreeSet<String>)| {
        let known = before.get(&key);
        let more = texts.len().saturating_sub(known.map_or(0, BTreeSet::len));
        let is_known = |text: &String| known.is_some_and(|known| known.contains(text));
        texts.into_iter().filter(move |text| !is_known(text)).take(more).collect::<Vec<_>>()
    };
    after.into_iter().flat_map(of).collect()
}
