//! Compares two plans of one project, as of two commits: what the later commit adds to what is planned, and what was
//! planned before it.

use super::model::canonical::Digest;
use super::model::finding::Finding;
use super::model::item::ObjectId;
use super::model::plan::{Action, Note, Plan, State, Target};
use std::collections::{BTreeMap, BTreeSet};

/// Two plans of one project, told apart.
#[derive(Clone, Debug)]
pub struct ComparedPlans {
    /// What only the later plan has. Its exit code is that of the change alone.
    pub added: Plan,
    /// What both have: drift, and what waits, whatever the change is.
    pub already: Plan,
    /// The actions that only the earlier plan has, with their tenants.
    pub dropped: Vec<(String, Action)>,
    /// The findings that only the earlier plan has.
    pub fixed: Vec<Finding>,
}

/// Tells apart what two plans have in common. Both must be of the same scope.
pub fn compare(before: &Plan, after: &Plan) -> ComparedPlans {
    let planned: BTreeMap<&str, PlannedBefore<'_>> =
        before.targets.iter().map(|target| (target.tenant.as_str(), PlannedBefore::of(target))).collect();
    let known: BTreeSet<FindingKey<'_>> = before.findings.iter().map(key).collect();
    let now: BTreeSet<FindingKey<'_>> = after.findings.iter().map(key).collect();
    let (mut added, mut already) = (after.clone(), after.clone());
    added.findings.retain(|finding| !known.contains(&key(finding)));
    already.findings.retain(|finding| known.contains(&key(finding)));
    for target in &mut added.targets {
        let was = planned.get(target.tenant.as_str());
        target.actions.retain(|action| !was.is_some_and(|was| was.has_action(action)));
        target.waiting.retain(|action| !was.is_some_and(|was| was.has_action(action)));
        target.notes.retain(|note| !was.is_some_and(|was| was.has_note(note)));
        if was.is_some_and(|was| was.state == State::Unreachable) {
            (target.state, target.why) = (State::Read, None);
        }
    }
    for target in &mut already.targets {
        let was = planned.get(target.tenant.as_str());
        target.actions.retain(|action| was.is_some_and(|was| was.has_action(action)));
        target.waiting.retain(|action| was.is_some_and(|was| was.has_action(action)));
        target.notes.retain(|note| was.is_some_and(|was| was.has_note(note)));
        if was.is_none_or(|was| was.state == State::Read) {
            (target.state, target.why) = (State::Read, None);
        }
    }
    let still: BTreeMap<&str, BTreeSet<&str>> = after
        .targets
        .iter()
        .map(|target| {
            let actions = target.actions.iter().chain(&target.waiting);
            (target.tenant.as_str(), actions.map(|action| action.id.as_str()).collect())
        })
        .collect();
    let is_dropped =
        |tenant: &str, action: &Action| !still.get(tenant).is_some_and(|ids| ids.contains(action.id.as_str()));
    let planned_before = before.actions().chain(before.waiting());
    let dropped = planned_before.filter(|(target, action)| is_dropped(&target.tenant, action));
    let dropped = dropped.map(|(target, action)| (target.tenant.clone(), action.clone())).collect();
    let fixed = before.findings.iter().filter(|finding| !now.contains(&key(finding))).cloned().collect();
    added.recount();
    already.recount();
    ComparedPlans { added, already, dropped, fixed }
}

/// What was planned for a tenant.
struct PlannedBefore<'p> {
    state: State,
    actions: BTreeMap<&'p str, &'p Digest>,
    notes: BTreeMap<&'p ObjectId, Vec<&'p Note>>,
}

impl<'p> PlannedBefore<'p> {
    fn of(target: &'p Target) -> Self {
        let actions = target.actions.iter().chain(&target.waiting);
        let actions = actions.map(|action| (action.id.as_str(), &action.digest)).collect();
        let mut notes: BTreeMap<&ObjectId, Vec<&Note>> = BTreeMap::new();
        target.notes.iter().for_each(|note| notes.entry(note.object()).or_default().push(note));
        PlannedBefore { state: target.state, actions, notes }
    }

    /// Whether this very action was planned: with the same values, on the same object.
    fn has_action(&self, action: &Action) -> bool {
        self.actions.get(action.id.as_str()).is_some_and(|digest| **digest == action.digest)
    }

    fn has_note(&self, note: &Note) -> bool {
        self.notes.get(note.object()).is_some_and(|notes| notes.contains(&note))
    }
}

/// What identifies a finding whatever its line is.
type FindingKey<'f> = (&'f str, Option<&'f str>, Option<String>, &'f [String], String, Option<&'f str>);

fn key(finding: &Finding) -> FindingKey<'_> {
    let Finding { code, tenant, object, text, path, at, .. } = finding;
    let object = object.as_ref().map(ToString::to_string);
    let file = at.as_ref().map(|at| at.file.as_str());
    (code.as_str(), tenant.as_deref(), object, path, without_lines(text), file)
}

/// A text without the numbers of lines in it (`tenants.yaml:7`): they move with every line that is added above.
fn without_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(':') {
        let (before, after) = rest.split_at(at + 1);
        out.push_str(before);
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    out.push_str(rest);
    out
}
