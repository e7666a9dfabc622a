//! Compares two plans of one project, as of two commits: what the later commit adds to what is planned, and what was
//! planned before it.

use super::model::canonical::Digest;
use super::model::finding::Finding;
use super::model::item::ObjectId;
use super::model::plan::{Action, Note, Plan, State, Target};
use std::collections::{BTreeMap, BTreeSet};

/// Two plans of one project, and what they have in common.
#[derive(Clone, Debug)]
pub struct ComparedPlans {
    /// What only the later plan has. Its exit code is that of the change alone.
    pub added: Plan,
    /// What both have: drift, and what waits, whatever the change is.
    pub already: Plan,
    /// The actions that waited before (for an approval, for a stage, or in a tenant that was suspended) and are free now,
    /// with their tenants: they are among those added.
    pub released: Vec<(String, ObjectId)>,
    /// The actions that only the earlier plan has, with their tenants.
    pub dropped: Vec<(String, Action)>,
    /// The findings that only the earlier plan has.
    pub fixed: Vec<Finding>,
    /// The notes about differences that only the earlier plan has, with their tenants.
    pub ended: Vec<(String, Note)>,
    /// The tenants that cannot be read after the change, and why.
    pub unread: BTreeMap<String, String>,
}

/// What a person may approve after a change: all that a writer does in a tenant. A digest covers more than the change
/// adds.
#[derive(Clone, Debug)]
pub struct SharedApproval<'p> {
    pub tenant: &'p str,
    pub writer: &'p str,
    pub digest: &'p Digest,
    /// The actions that waited for approval before the change, and are approved with it.
    pub already: Vec<&'p Action>,
}

impl ComparedPlans {
    /// The approvals that what the change adds needs.
    pub fn approvals(&self) -> Vec<SharedApproval<'_>> {
        let mut approvals = Vec::new();
        for target in self.added.targets.iter().filter(|target| !target.suspended) {
            let before = self.already.targets.iter().find(|before| before.tenant == target.tenant);
            for (writer, digest) in target.approvals() {
                let already = before.into_iter().flat_map(|before| before.actions_to_approve(writer)).collect();
                approvals.push(SharedApproval { tenant: &target.tenant, writer, digest, already });
            }
        }
        approvals
    }
}

/// Names the document of a finding that is about no object, if it is known.
pub type DocumentOf<'a> = &'a dyn Fn(&Finding) -> Option<ObjectId>;

/// Separates what two plans have in common from what only one of them has. Both must be of the same scope.
pub fn compare(
    (before, named_before): (&Plan, DocumentOf<'_>),
    (after, named): (&Plan, DocumentOf<'_>),
) -> ComparedPlans {
    let planned: BTreeMap<&str, PlannedBefore<'_>> =
        before.targets.iter().map(|target| (target.tenant.as_str(), PlannedBefore::of(target))).collect();
    let mut known: Multiset<_> = before.findings.iter().map(|finding| key(finding, named_before)).collect();
    let (mut added, mut already) = (after.clone(), after.clone());
    (already.findings, added.findings) =
        after.findings.iter().cloned().partition(|finding| known.take(&key(finding, named)));
    let mut released = Vec::new();
    for target in &mut added.targets {
        let was = planned.get(target.tenant.as_str());
        let holds = target.holds();
        let is_known = |action: &Action| was.is_some_and(|was| was.has_action(action, &holds));
        let is_free = |action: &Action| holds.get(&action.id).is_none_or(|holds| *holds == Holds::default());
        let is_free_now =
            |action: &&Action| was.is_some_and(|was| was.had_action(action)) && !is_known(action) && is_free(action);
        let freed = target.actions.iter().chain(&target.waiting).filter(is_free_now);
        released.extend(freed.map(|action| (target.tenant.clone(), action.change.object.clone())));
        target.actions.retain(|action| !is_known(action));
        target.waiting.retain(|action| !is_known(action));
        target.notes.retain(|note| !was.is_some_and(|was| was.has_note(note)));
        if was.is_some_and(|was| was.state == State::Unreachable) {
            (target.state, target.why) = (State::Read, None);
        }
    }
    for target in &mut already.targets {
        let was = planned.get(target.tenant.as_str());
        let holds = target.holds();
        target.actions.retain(|action| was.is_some_and(|was| was.has_action(action, &holds)));
        target.waiting.retain(|action| was.is_some_and(|was| was.has_action(action, &holds)));
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
    let read = after.targets.iter().filter(|target| target.state == State::Read);
    let still_noted: BTreeMap<&str, NotesOf<'_>> =
        read.map(|target| (target.tenant.as_str(), NotesOf::of(target))).collect();
    let ended = before.targets.iter().flat_map(|was| {
        let is = still_noted.get(was.tenant.as_str());
        let is_ended = move |note: &&Note| is.is_some_and(|is| is_difference(note) && !is.has(note));
        was.notes.iter().filter(is_ended).map(|note| (was.tenant.clone(), note.clone()))
    });
    let ended = ended.collect();
    let unread = after.targets.iter().filter(|target| target.state == State::Unreachable);
    let why = |target: &Target| target.why.clone().unwrap_or_else(|| "it cannot be read".to_string());
    let unread = unread.map(|target| (target.tenant.clone(), why(target))).collect();
    let mut now: Multiset<_> = after.findings.iter().map(|finding| key(finding, named)).collect();
    let is_fixed = |finding: &&Finding| !now.take(&key(finding, named_before));
    let fixed = before.findings.iter().filter(is_fixed).cloned().collect();
    added.recount();
    already.recount();
    ComparedPlans { added, already, released, dropped, fixed, ended, unread }
}

/// Whether a note is about a live value that differs from the declared one, or about a change that cannot be made.
fn is_difference(note: &Note) -> bool {
    matches!(note, Note::Drift { .. } | Note::Kept { .. } | Note::Blocked { .. })
}

/// What holds an action back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Holds {
    is_suspended: bool,
    /// Whether it waits for an earlier stage.
    waits: bool,
    /// Why it needs approval.
    marks: BTreeSet<&'static str>,
}

impl Holds {
    /// Whether each of these holds the action back now too: it is as free as before, or less.
    fn are_in(&self, now: &Holds) -> bool {
        self.is_suspended <= now.is_suspended && self.waits <= now.waits && self.marks.is_subset(&now.marks)
    }
}

/// What holds the actions of a tenant back, by the id of the action.
type HoldsOf = BTreeMap<String, Holds>;

impl Target {
    fn holds(&self) -> HoldsOf {
        let of = |action: &Action, waits: bool| {
            let marks = action.needs_approval.iter().map(|mark| mark.code.as_str()).collect();
            (action.id.clone(), Holds { is_suspended: self.suspended, waits, marks })
        };
        let waiting = self.waiting.iter().map(|action| of(action, true));
        self.actions.iter().map(|action| of(action, false)).chain(waiting).collect()
    }
}

/// What was planned for a tenant.
struct PlannedBefore<'p> {
    state: State,
    actions: BTreeMap<&'p str, &'p Digest>,
    holds: HoldsOf,
    notes: NotesOf<'p>,
}

impl<'p> PlannedBefore<'p> {
    fn of(target: &'p Target) -> Self {
        let actions = target.actions.iter().chain(&target.waiting);
        let actions = actions.map(|action| (action.id.as_str(), &action.digest)).collect();
        PlannedBefore { state: target.state, actions, holds: target.holds(), notes: NotesOf::of(target) }
    }

    /// Whether this very action was planned: with the same values, on the same object.
    fn had_action(&self, action: &Action) -> bool {
        self.actions.get(action.id.as_str()).is_some_and(|digest| **digest == action.digest)
    }

    /// Whether it was planned, and was as free as it is now. What the change releases is done because of it.
    fn has_action(&self, action: &Action, now: &HoldsOf) -> bool {
        let is_held = |was: &Holds| now.get(&action.id).is_some_and(|now| was.are_in(now));
        self.had_action(action) && self.holds.get(&action.id).is_none_or(is_held)
    }

    fn has_note(&self, note: &Note) -> bool {
        self.notes.has(note)
    }
}

/// The notes of a tenant, by object.
struct NotesOf<'p>(BTreeMap<&'p ObjectId, Vec<&'p Note>>);

impl<'p> NotesOf<'p> {
    fn of(target: &'p Target) -> Self {
        let mut notes: BTreeMap<&ObjectId, Vec<&Note>> = BTreeMap::new();
        target.notes.iter().for_each(|note| notes.entry(note.object()).or_default().push(note));
        NotesOf(notes)
    }

    fn has(&self, note: &Note) -> bool {
        self.0.get(note.object()).is_some_and(|notes| notes.iter().any(|other| is_same(other, note)))
    }
}

/// Whether two notes about one object are the same, whatever the lines of files in them.
fn is_same(one: &Note, other: &Note) -> bool {
    match (one, other) {
        (
            Note::Blocked { code, text, fix, commands, .. },
            Note::Blocked { code: code_of_other, text: other_text, fix: other_fix, commands: other_commands, .. },
        ) => {
            code == code_of_other
                && commands == other_commands
                && without_lines(text) == without_lines(other_text)
                && without_lines(fix) == without_lines(other_fix)
        }
        _ => one == other,
    }
}

/// Things of which each may be there several times: one more of the same is another one.
#[derive(Clone, Debug)]
pub struct Multiset<K>(BTreeMap<K, usize>);

impl<K: Ord> FromIterator<K> for Multiset<K> {
    fn from_iter<T: IntoIterator<Item = K>>(keys: T) -> Self {
        let mut counts = BTreeMap::new();
        keys.into_iter().for_each(|key| *counts.entry(key).or_default() += 1);
        Multiset(counts)
    }
}

impl<K: Ord> Multiset<K> {
    /// Takes one out; returns whether there was one.
    pub fn take(&mut self, key: &K) -> bool {
        match self.0.get_mut(key) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        }
    }
}

/// What identifies a finding whatever its line is. The file counts only where the document is not known: a file that moves
/// makes no new finding.
type FindingKey = (&'static str, Option<String>, Result<String, Option<String>>, Vec<String>, String);

fn key(finding: &Finding, named: DocumentOf<'_>) -> FindingKey {
    let Finding { code, tenant, object, text, path, at, .. } = finding;
    let document = object.clone().or_else(|| named(finding)).map(|id| id.to_string());
    let place = document.ok_or_else(|| at.as_ref().map(|at| at.file.clone()));
    (code.as_str(), tenant.clone(), place, path.clone(), without_lines(text))
}

/// A text without the numbers of lines of files in it (`tenants.yaml:7`, `line 7`): they move with every line that is added
/// above. The number of a port stays: another port is another endpoint.
pub fn without_lines(text: &str) -> String {
    const FILES: [&str; 4] = [".yaml:", ".yml:", ".json:", ".lock:"];
    const WORD: &str = "line ";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, number) = rest.split_at(at);
        out.push_str(before);
        let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
        let (number, after) = number.split_at(end);
        let is_word = out.strip_suffix(WORD).is_some_and(|before| !before.ends_with(char::is_alphanumeric));
        if !is_word && !FILES.iter().any(|end| out.ends_with(end)) {
            out.push_str(number);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_of_files_do_not_count() {
        assert_eq!(without_lines("also in tenants.yaml:7 and a/b.yml:12:3"), "also in tenants.yaml: and a/b.yml::3");
        assert_eq!(without_lines("line 12: the secret of line 3 is"), "line : the secret of line  is");
        assert_eq!(
            without_lines("(line 4, column 7) prod/stablekey.lock:2: no"),
            "(line , column 7) prod/stablekey.lock:: no"
        );
        for text in
            ["h:8443", "https://h.example:9443/x", "[::1]:80", "a: 1", "12:30", "x.example:1", "online 24/7", "a2"]
        {
            assert_eq!(without_lines(text), text);
        }
    }

    /// What is blocked because of a file is blocked as before if only the line in the reason differs.
    #[test]
    fn a_line_that_moves_makes_no_new_note() {
        let blocked = |text: &str| Note::Blocked {
            object: ObjectId::new(crate::api::Kind::Integration, "lead"),
            code: crate::engine::model::code::Code::ObjectInvalid,
            text: text.to_string(),
            fix: "correct it".to_string(),
            commands: Vec::new(),
        };
        assert!(is_same(&blocked("it is invalid: line 3: no"), &blocked("it is invalid: line 4: no")));
        assert!(!is_same(&blocked("it is invalid: line 3: no"), &blocked("it is invalid: line 3: other")));
    }
}
