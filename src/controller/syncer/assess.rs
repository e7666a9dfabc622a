//! The last step of a reconcile: computes the status of a sync in a target. Pure.

use super::approvals::GivenApprovals;
use super::outcome::ActionFailure;
use super::releases::ReleaseHere;
use crate::api::{APPROVE, NewCondition, ReceiptStatus, SyncMode, TargetCounts, TargetStatus, WaitingPlanStatus};
use crate::engine::model::code::{Code, Severity};
use crate::engine::model::finding::Finding;
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Action, ActionKind, Note, State, Target};
use crate::engine::model::record::Writer;
use crate::render::Hub;
use std::collections::{BTreeMap, BTreeSet};

/// How many actions, and how many blocked ones, a status names.
const FIRST: usize = 10;
/// Maximum length of a text in a status, in characters.
const LONGEST: usize = 8_000;
/// Maximum length of the explanation of an approval, so that the commands after it have room.
const LONGEST_WHY: usize = 2_000;

/// The state of a sync in a target, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub(super) enum SyncState {
    Invalid,
    NotAccepted,
    Unreachable,
    Failed,
    Blocked,
    AwaitingApproval,
    Drifted,
    Applying,
    AwaitingStage,
    Suspended,
    InSync,
}

impl SyncState {
    /// All states.
    pub(super) const ALL: [SyncState; 11] = [
        SyncState::Invalid,
        SyncState::NotAccepted,
        SyncState::Unreachable,
        SyncState::Failed,
        SyncState::Blocked,
        SyncState::AwaitingApproval,
        SyncState::Drifted,
        SyncState::Applying,
        SyncState::AwaitingStage,
        SyncState::Suspended,
        SyncState::InSync,
    ];

    /// Returns the name that a status uses.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            SyncState::Invalid => "Invalid",
            SyncState::NotAccepted => "NotAccepted",
            SyncState::Unreachable => "Unreachable",
            SyncState::Failed => "Failed",
            SyncState::Blocked => "Blocked",
            SyncState::AwaitingApproval => "AwaitingApproval",
            SyncState::Drifted => "Drifted",
            SyncState::Applying => "Applying",
            SyncState::AwaitingStage => "AwaitingStage",
            SyncState::Suspended => "Suspended",
            SyncState::InSync => "InSync",
        }
    }

    /// Parses a state of a status.
    pub(super) fn parse(text: &str) -> SyncState {
        SyncState::ALL.into_iter().find(|state| state.as_str() == text).unwrap_or(SyncState::Failed)
    }

    /// Whether the state persists until a person does something.
    const fn is_stalled(self) -> bool {
        matches!(self, SyncState::Invalid | SyncState::NotAccepted | SyncState::Blocked | SyncState::Drifted)
    }
}

/// Everything that a target's status is computed from.
#[derive(Debug)]
pub(super) struct Evidence<'a> {
    /// The sync, or the target's own source.
    pub writer: Writer,
    pub namespace: &'a str,
    pub mode: SyncMode,
    pub is_suspended: bool,
    /// The plan for the target.
    pub target: &'a Target,
    /// The findings of the checks.
    pub findings: &'a [Finding],
    /// Why the source cannot be read.
    pub source_error: Option<&'a str>,
    /// The problems in the files of the target's own source.
    pub problems: &'a [String],
    /// The actions of syncs that need no approval, if others wait for one.
    pub unattended: Option<&'a BTreeSet<String>>,
    /// Whether the source or the target does not exist.
    pub is_unknown: bool,
    /// Actions that failed, by id.
    pub failed: &'a BTreeMap<String, ActionFailure>,
    /// Why an approval that was given is not valid.
    pub void: Option<&'a str>,
    /// Where the waiting plan is stored.
    pub waiting_plan: Option<&'a WaitingPlanStatus>,
    /// Why it is not stored.
    pub not_stored: Option<&'a str>,
    /// The state of the approvals.
    pub given: Option<&'a GivenApprovals>,
    /// Number of objects that were changed since the target was settled.
    pub changed: usize,
    /// Number of objects before these changes.
    pub base: Option<usize>,
    /// Actions that may be carried out but are delayed, by id, and why.
    pub later: &'a BTreeMap<String, String>,
    /// The receipt of the last apply.
    pub receipt: Option<ReceiptStatus>,
    /// The release that is on its way, for a sync with stages.
    pub release: Option<ReleaseHere<'a>>,
}

impl Evidence<'_> {
    fn actions(&self) -> impl Iterator<Item = &Action> {
        let of_this = self.target.actions.iter().filter(|action| action.writers.contains(&self.writer));
        // An action that it shares with a waiting sync is left to that sync.
        let waits = |action: &Action| self.unattended.is_some_and(|ids| !ids.contains(&action.id));
        of_this.filter(move |action| self.mode == SyncMode::Plan || !waits(action))
    }

    /// Returns the actions that wait for an earlier stage, of this sync or of one that it depends on.
    fn waiting(&self) -> impl Iterator<Item = &Action> {
        self.target.waiting.iter().filter(|action| action.writers.contains(&self.writer))
    }

    /// Returns the findings about the sync itself, and about objects that two writers want.
    fn findings(&self) -> impl Iterator<Item = &Finding> {
        let tenant = self.target.tenant.as_str();
        let of_sync = |f: &Finding| {
            let named = f.object.as_ref().filter(|id| id.kind == crate::api::Kind::TenantSync);
            match &self.writer {
                Writer::Sync(sync) => named.is_some_and(|id| id.name == *sync),
                // It has declared something before, and declares nothing now.
                _ => f.object.is_none() && f.code == Code::SourceEmpty,
            }
        };
        let here = move |f: &&Finding| f.tenant.as_deref().is_none_or(|t| t == tenant);
        // An unknown tenant matters only to the targets that name it.
        let of_this = |f: &&Finding| match f.code {
            Code::SyncUnknownTenant => self.is_unknown,
            // The target's acceptance is known only if it was read.
            Code::SyncNotAccepted => self.target.state == State::Read,
            _ => true,
        };
        let findings = self.findings.iter().filter(here).filter(of_this);
        // A field that a waiting sync cannot write is reported for that sync alone.
        let of_object = |f: &Finding| f.object.as_ref().is_none_or(|id| id.kind != crate::api::Kind::TenantSync);
        findings.filter(move |f| of_sync(f) || f.code == Code::WriterConflict && of_object(f))
    }

    /// Returns the findings that make desired objects of this sync unresolved.
    fn unreached(&self) -> impl Iterator<Item = &Finding> {
        let tenant = self.target.tenant.as_str();
        let is_written = |id: &ObjectId| {
            self.target.concerned.get(id).is_some_and(|writers| writers.is_empty() || writers.contains(&self.writer))
        };
        let here = self.findings.iter().filter(move |f| f.tenant.as_deref() == Some(tenant));
        let unreached = here.filter(|f| f.severity == Severity::Unreached && f.code != Code::WriterConflict);
        unreached.filter(move |f| f.object.as_ref().is_some_and(is_written))
    }

    /// Returns the failures of this sync's actions, and of the target as a whole.
    fn failed(&self) -> impl Iterator<Item = (&String, &ActionFailure)> {
        let of_this = |id: &String| *id == self.target.tenant || self.actions().any(|action| action.id == *id);
        self.failed.iter().filter(move |(id, _)| of_this(id))
    }
}

/// Returns the status of a sync in a target.
pub(super) fn target_status(evidence: &Evidence<'_>) -> TargetStatus {
    let counts = counts(evidence);
    let digest = evidence.target.digests.get(&evidence.writer.to_string()).map(ToString::to_string);
    let blocked = blocked(evidence);
    let (state, message) = assess(evidence, &counts, digest.as_deref(), &blocked);
    let release = evidence.release.and_then(|release| match state {
        SyncState::InSync => Some(release.digest),
        _ => release.before,
    });
    TargetStatus {
        tenant: evidence.target.tenant.clone(),
        state: state.as_str().to_string(),
        stage: evidence.release.and_then(|release| i64::try_from(release.stage? + 1).ok()),
        release: release.map(str::to_string),
        message: message.map(|message| bounded(&message)),
        digest: digest.filter(|_| evidence.actions().next().is_some()),
        waiting_plan: evidence.waiting_plan.cloned(),
        counts: (counts != TargetCounts::default()).then_some(counts),
        actions: evidence.actions().chain(evidence.waiting()).take(FIRST).map(line).collect(),
        blocked: blocked.into_iter().take(FIRST).collect(),
        kept: kept(evidence),
        drifted: drifted(evidence),
        manual: manual(evidence),
        warnings: warnings(evidence),
        changed: i64::try_from(evidence.changed).ok().filter(|changed| *changed > 0),
        base: evidence.base.and_then(|base| i64::try_from(base).ok()),
        receipt: evidence.receipt.clone(),
    }
}

fn line(action: &Action) -> String {
    let approval = action.needs_approval.first().map(|a| format!(" (needs approval: {} {})", a.code, a.why));
    let object = &action.change.object;
    bounded(&format!("{} {object}: {}{}", action.action.as_str(), action.reason.text, approval.unwrap_or_default()))
}

/// Truncates a text to what a status may have, and appends how much is missing.
fn bounded(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => text.to_string(),
        Some((end, _)) => {
            let rest = text.get(end..).unwrap_or_default().chars().count();
            format!("{} … ({rest} characters more)", text.get(..end).unwrap_or_default())
        }
    }
}

fn counts(evidence: &Evidence<'_>) -> TargetCounts {
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let actions = |kind| number(evidence.actions().filter(|a| a.action == kind).count());
    let writer = &evidence.writer;
    let notes = |is: fn(&Note) -> bool| number(evidence.target.notes_of(writer).filter(|note| is(note)).count());
    TargetCounts {
        create: actions(ActionKind::Create),
        update: actions(ActionKind::Update),
        adopt: actions(ActionKind::Adopt),
        delete: actions(ActionKind::Delete),
        needs_approval: number(evidence.actions().filter(|a| !a.needs_approval.is_empty()).count()),
        blocked: notes(|note| matches!(note, Note::Blocked { .. })),
        kept: notes(|note| matches!(note, Note::Kept { .. })),
        drift: notes(|note| matches!(note, Note::Drift { left: true, ignored: false, .. })),
        manual: notes(|note| matches!(note, Note::Manual { .. })),
        suspended: number(suspended_actions(evidence).unwrap_or(0)),
        awaiting_stage: number(evidence.waiting().count()),
    }
}

/// Returns how many actions wait because the sync or the target is suspended; `None` if neither is.
fn suspended_actions(evidence: &Evidence<'_>) -> Option<usize> {
    if evidence.is_suspended {
        let waiting = evidence.target.suspended_syncs.get(&evidence.writer.to_string());
        return Some(waiting.copied().unwrap_or(0));
    }
    evidence.target.suspended.then(|| evidence.actions().chain(evidence.waiting()).count())
}

fn blocked(evidence: &Evidence<'_>) -> Vec<String> {
    let writer = &evidence.writer;
    let notes = evidence.target.notes_of(writer).filter_map(|note| match note {
        Note::Blocked { object, code, text, fix, .. } => Some(bounded(&format!("{object}: {code} {text}; {fix}"))),
        _ => None,
    });
    let conflicts = evidence.findings().filter(|f| f.code == Code::WriterConflict).map(|f| {
        let object = f.object.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{object}: {} {}; {}", f.code, f.text, f.fix)
    });
    let unreached = evidence.unreached().map(|f| {
        let object = f.object.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{object}: {} {}; {}", f.code, f.text, f.fix)
    });
    let variables =
        evidence.target.notes_of(writer).filter(|note| note.is_kept_variable()).filter_map(|note| match note {
            Note::Kept { object, path, by, .. } => {
                let fix = "bind it as it is declared (stablekey revert), or keep it by an override (stablekey keep)";
                Some(format!("{}: bound otherwise there, by {by}; {fix}", field_of(object, path)))
            }
            _ => None,
        });
    let problems = evidence.problems.iter().cloned();
    notes.chain(conflicts).chain(variables).chain(unreached).chain(problems).map(|text| bounded(&text)).collect()
}

/// Returns the state of a sync in a target, and why: the first that applies.
fn assess(
    evidence: &Evidence<'_>,
    counts: &TargetCounts,
    digest: Option<&str>,
    blocked: &[String],
) -> (SyncState, Option<String>) {
    let wrong = evidence
        .findings()
        .find(|f| f.code != Code::WriterConflict && matches!(f.severity, Severity::Error | Severity::Unreached));
    if let Some(f) = wrong {
        let state = if f.code == Code::SyncNotAccepted { SyncState::NotAccepted } else { SyncState::Invalid };
        return (state, Some(format!("{} {}; {}", f.code, f.text, f.fix)));
    }
    if evidence.target.state == State::Unreachable {
        return (SyncState::Unreachable, evidence.target.why.clone());
    }
    if let Some(why) = evidence.source_error {
        return (SyncState::Unreachable, Some(format!("its source cannot be read: {why}")));
    }
    if let Some(message) = suspended(evidence) {
        return (SyncState::Suspended, Some(message));
    }
    if let Some((id, failure)) = evidence.failed().next() {
        let others = more(evidence.failed().count());
        return (SyncState::Failed, Some(format!("{id}: {}{others}", failure.why)));
    }
    let actions = evidence.actions().count();
    let waiting =
        if evidence.mode == SyncMode::Plan { actions } else { usize::try_from(counts.needs_approval).unwrap_or(0) };
    let is_approved = evidence.void.is_none()
        && evidence
            .given
            .is_some_and(|given| !given.begun.is_empty() || digest.is_some_and(|digest| given.usable.contains(digest)));
    if let (true, Some(digest), false) = (waiting > 0, digest, is_approved) {
        return (SyncState::AwaitingApproval, Some(asks(evidence, waiting, digest)));
    }
    if actions > 0 {
        let later = evidence.actions().filter_map(|action| evidence.later.get(&action.id)).collect::<Vec<_>>();
        let why = later.first().map(|why| {
            let waits =
                if later.len() == 1 { "1 action waits".to_string() } else { format!("{} actions wait", later.len()) };
            format!("{waits}: {why}")
        });
        return (SyncState::Applying, why);
    }
    if let Some(message) = awaits_stage(evidence) {
        return (SyncState::AwaitingStage, Some(message));
    }
    if let Some(first) = blocked.first() {
        return (SyncState::Blocked, Some(format!("{first}{}", more(blocked.len()))));
    }
    if counts.drift > 0 {
        let (values, them) = if counts.drift == 1 {
            ("1 value was".to_string(), "it")
        } else {
            (format!("{} values were", counts.drift), "them")
        };
        return (
            SyncState::Drifted,
            Some(format!(
                "{values} changed by others since we wrote {them}: change {them} back there, change {them} in the \
                 source too, or set policy.drift to Correct in Tenant {tenant}, on the hub and in its own cluster",
                tenant = evidence.target.tenant
            )),
        );
    }
    let is_source = evidence.writer == Writer::Source;
    (SyncState::InSync, is_source.then(|| not_applied(evidence, counts)).flatten())
}

/// Returns what a source declares otherwise, although nothing of it is left to do.
fn not_applied(evidence: &Evidence<'_>, counts: &TargetCounts) -> Option<String> {
    let is_ignored = |note: &&Note| matches!(note, Note::Drift { left: true, ignored: true, .. });
    let ignored = evidence.target.notes_of(&evidence.writer).filter(is_ignored).count();
    let kept = (counts.kept > 0).then(|| format!("{} kept by the tenant", counts.kept));
    let ignored = (ignored > 0).then(|| format!("{ignored} drifted, which its policy ignores"));
    let all: Vec<String> = kept.into_iter().chain(ignored).collect();
    (!all.is_empty()).then(|| format!("not applied: {}", all.join(", ")))
}

/// Returns what a sync waits for, if actions wait for an earlier stage.
fn awaits_stage(evidence: &Evidence<'_>) -> Option<String> {
    let first = evidence.waiting().next()?;
    let waits = match evidence.waiting().count() {
        1 => "1 action waits".to_string(),
        many => format!("{many} actions wait"),
    };
    Some(match evidence.target.stages.get(&evidence.writer) {
        Some(wait) => format!("{waits}: it {wait}"),
        None => format!("{waits}, the first for {}", first.after.first().map_or("another sync", String::as_str)),
    })
}

/// Returns the next steps of an approver: commands that can be pasted as they are, and the digest.
fn asks(evidence: &Evidence<'_>, waiting: usize, digest: &str) -> String {
    let void = evidence.void.map(|why| {
        let why: String = why.chars().take(LONGEST_WHY).collect();
        format!("; what was approved does not hold: {why}")
    });
    let void = void.unwrap_or_default();
    let is_spent = evidence.given.is_some_and(|given| given.spent.contains(digest));
    let spent = if is_spent { "; the same was approved and carried out before, and needs a new approval" } else { "" };
    let not_stored = evidence.not_stored.map(|why| {
        let why: String = why.chars().take(LONGEST_WHY).collect();
        format!(
            "; the hub does not keep it for you to look at ({why}): --target {}=CONTEXT shows it",
            evidence.target.tenant
        )
    });
    let not_stored = not_stored.unwrap_or_default();
    let wait = if waiting == 1 { "1 action awaits".to_string() } else { format!("{waiting} actions await") };
    let (namespace, tenant) = (evidence.namespace, &evidence.target.tenant);
    let Writer::Sync(sync) = &evidence.writer else {
        return format!(
            "{wait} approval{void}{spent}: look first at what is planned, then approve\n\
             kubectl get -n {namespace} tenant {tenant} -o jsonpath='{{.status.source.target.actions}}'\n\
             kubectl annotate -n {namespace} --overwrite tenant {tenant} {APPROVE}={digest}"
        );
    };
    let hub = Hub { context: None, namespace: namespace.to_string(), sync: sync.clone(), tenant: tenant.clone() };
    format!(
        "{wait} approval{void}{spent}{not_stored}: look first, then approve\n\
         {}\n\
         {}\n\
         {digest}",
        hub.plan(),
        hub.approve()
    )
}

/// Returns the fields that the target keeps as its own, each with its owner.
fn kept(evidence: &Evidence<'_>) -> Vec<String> {
    let writer = &evidence.writer;
    let kept = evidence.target.notes_of(writer).filter_map(|note| match note {
        Note::Kept { object, path, by, text, .. } => {
            let why = text.as_ref().map(|text| format!("; {text}")).unwrap_or_default();
            Some(bounded(&format!("{}: kept by {by}{why}", field_of(object, path))))
        }
        _ => None,
    });
    kept.take(FIRST).collect()
}

/// Returns the drifted fields that are not reverted.
fn drifted(evidence: &Evidence<'_>) -> Vec<String> {
    let writer = &evidence.writer;
    let drifted = evidence.target.notes_of(writer).filter_map(|note| match note {
        Note::Drift { object, path, by, left: true, ignored: false, .. } => {
            let by = by.as_ref().map(|by| format!(": changed by {by}")).unwrap_or_default();
            Some(format!("{}{by}", field_of(object, path)))
        }
        _ => None,
    });
    drifted.take(FIRST).collect()
}

/// Returns the manual steps.
fn manual(evidence: &Evidence<'_>) -> Vec<String> {
    let writer = &evidence.writer;
    let manual = evidence.target.notes_of(writer).filter_map(|note| match note {
        Note::Manual { object, text, .. } => Some(bounded(&format!("{object}: {text}"))),
        _ => None,
    });
    manual.take(FIRST).collect()
}

fn field_of(object: &ObjectId, path: &[String]) -> String {
    if path.is_empty() { object.to_string() } else { format!("{object} {}", path.join(".")) }
}

fn warnings(evidence: &Evidence<'_>) -> Vec<String> {
    let warnings = evidence.findings().filter(|f| f.severity == Severity::Warning);
    warnings.map(|f| bounded(&format!("{} {}; {}", f.code, f.text, f.fix))).take(FIRST).collect()
}

/// Returns what waits because the sync or the target is suspended.
fn suspended(evidence: &Evidence<'_>) -> Option<String> {
    let waits = match suspended_actions(evidence)? {
        0 => "nothing waits".to_string(),
        1 => "1 action waits".to_string(),
        many => format!("{many} actions wait"),
    };
    let Evidence { writer, namespace, target, .. } = evidence;
    Some(match (evidence.is_suspended, writer) {
        (true, Writer::Sync(sync)) => {
            format!("the sync is suspended; {waits}; to go on:\nstablekey resume {sync} -n {namespace}")
        }
        // Its own Tenant, in its cluster, may be the one that is suspended.
        _ => format!(
            "{} is suspended; {waits}; to go on, where its Tenant is:\nstablekey resume {}",
            target.tenant, target.tenant
        ),
    })
}

fn more(count: usize) -> String {
    if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() }
}

/// Returns the conditions of a sync, given its targets.
pub(super) fn sync_conditions(targets: &[TargetStatus]) -> Vec<NewCondition> {
    let worst = targets.iter().min_by_key(|target| SyncState::parse(&target.state));
    let state = worst.map_or(SyncState::Invalid, |target| SyncState::parse(&target.state));
    let in_sync = targets.iter().filter(|target| target.state == SyncState::InSync.as_str()).count();
    let message = match worst {
        None => "it names no target".to_string(),
        Some(_) if state == SyncState::InSync => {
            format!("{} of {} targets are in sync", in_sync, targets.len())
        }
        Some(worst) => {
            let why = worst.message.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
            format!("{}{why}", worst.tenant)
        }
    };
    let reason = state.as_str();
    let mut conditions = vec![
        NewCondition::new("Ready", state == SyncState::InSync, reason, message.clone()),
        NewCondition::new("InSync", state == SyncState::InSync, reason, format!("{in_sync} of {}", targets.len())),
    ];
    if state.is_stalled() {
        conditions.push(NewCondition::new("Stalled", true, reason, message));
    } else if !matches!(state, SyncState::InSync | SyncState::Suspended) {
        conditions.push(NewCondition::new("Reconciling", true, reason, message));
    }
    let said = |type_, reason, of: fn(&TargetStatus) -> &Vec<String>| {
        let all: Vec<String> =
            targets.iter().flat_map(|t| of(t).iter().map(|text| format!("{}: {text}", t.tenant))).collect();
        (!all.is_empty()).then(|| NewCondition::new(type_, true, reason, all.join("\n")))
    };
    conditions.extend(said("Warnings", "SeeMessage", |target| &target.warnings));
    conditions.extend(said("Kept", "TargetsOwn", |target| &target.kept));
    conditions.extend(said("Drifted", "ChangedByOthers", |target| &target.drifted));
    conditions
}

#[cfg(test)]
mod tests {
    use super::super::outcome::Retry;
    use super::*;
    use crate::api::Kind;
    use crate::engine::model::canonical::Digest;
    use crate::engine::model::plan::{Approval, Reason};
    use crate::engine::model::stages::{HeldBy, Hindrance, StageWait};

    static NO_FAILURE: BTreeMap<String, ActionFailure> = BTreeMap::new();
    static NOTHING_WAITS: BTreeMap<String, String> = BTreeMap::new();

    fn connection(name: &str) -> ObjectId {
        ObjectId::new(Kind::Connection, name)
    }

    fn digest() -> Digest {
        Digest::of(b"what the sync wants")
    }

    /// An action that the sync wants.
    fn action(name: &str, kind: ActionKind) -> Action {
        let reason = Reason { code: "source-changed", text: "us changed it".into() };
        Action { writers: [Writer::Sync("s".into())].into(), ..Action::of("eu", &connection(name), kind, reason) }
    }

    fn needs_approval(action: Action) -> Action {
        let why = Approval { code: Code::TooManyChanges, why: "9 of 10 objects would change".into() };
        Action { needs_approval: vec![why], ..action }
    }

    fn target(actions: Vec<Action>) -> Target {
        let digests = [("sync/s".to_string(), digest())].into();
        Target { known: true, digests, actions, ..Target::empty("eu", State::Read) }
    }

    fn noted(notes: Vec<Note>) -> Target {
        Target { notes, ..target(Vec::new()) }
    }

    /// The evidence of a sync in mode Apply, with nothing else known.
    fn of(target: &Target) -> Evidence<'_> {
        Evidence {
            writer: Writer::Sync("s".into()),
            namespace: "hub",
            mode: SyncMode::Apply,
            is_suspended: false,
            target,
            findings: &[],
            source_error: None,
            problems: &[],
            unattended: None,
            is_unknown: false,
            failed: &NO_FAILURE,
            void: None,
            waiting_plan: None,
            not_stored: None,
            given: None,
            changed: 0,
            base: None,
            later: &NOTHING_WAITS,
            receipt: None,
            release: None,
        }
    }

    fn stands(evidence: &Evidence<'_>) -> (SyncState, String) {
        let status = target_status(evidence);
        (SyncState::parse(&status.state), status.message.unwrap_or_default())
    }

    fn drift(name: &str) -> Note {
        let path = vec!["title".to_string()];
        let (object, by, parts) = (connection(name), Some("kubectl".to_string()), Vec::new());
        Note::Drift { object, path, left: true, by, from: None, to: None, parts, ignored: false }
    }

    #[test]
    fn a_target_with_nothing_left_to_do_is_in_sync() {
        let target = target(Vec::new());
        let status = target_status(&Evidence { changed: 2, base: Some(10), ..of(&target) });
        assert_eq!((status.state.as_str(), status.message, status.digest), ("InSync", None, None));
        assert_eq!((status.counts, status.changed, status.base), (None, Some(2), Some(10)));
    }

    /// The commit declares something else there: the status of a source does not say that the tenant is as declared.
    #[test]
    fn a_source_in_sync_names_what_is_not_applied() {
        let (object, path, by) = (connection("a"), vec!["title".to_string()], "kubectl".to_string());
        let kept = Note::Kept {
            object: object.clone(),
            path: path.clone(),
            by,
            text: None,
            from: None,
            to: None,
            parts: Vec::new(),
        };
        let ignored =
            Note::Drift { object, path, left: true, by: None, from: None, to: None, parts: Vec::new(), ignored: true };
        let message = |notes: Vec<Note>, writer: Writer| {
            let status = target_status(&Evidence { writer, ..of(&noted(notes)) });
            assert_eq!(status.state, "InSync");
            status.message
        };
        assert_eq!(message(Vec::new(), Writer::Source), None);
        let both = "not applied: 1 kept by the tenant, 1 drifted, which its policy ignores".to_string();
        assert_eq!(message(vec![kept.clone(), ignored], Writer::Source), Some(both));
        assert_eq!(message(vec![kept], Writer::Sync("s".into())), None, "its condition Kept names them");
    }

    #[test]
    fn problems_of_the_sync_itself_come_first() {
        let target = Target { suspended: true, ..target(vec![action("a", ActionKind::Update)]) };
        let writer = Writer::Sync("s".into());
        let not_accepted =
            [Finding::of_sync(Code::SyncNotAccepted, &writer, Some("eu"), "eu does not accept us", "accept it")];
        let message = format!("{} eu does not accept us; accept it", Code::SyncNotAccepted);
        let evidence = Evidence { findings: &not_accepted, ..of(&target) };
        assert_eq!(stands(&evidence), (SyncState::NotAccepted, message));
        // If the target cannot be read, it is unknown what it accepts.
        let unread = Target { state: State::Unreachable, why: Some("it is silent".into()), ..target.clone() };
        let evidence = Evidence { findings: &not_accepted, ..of(&unread) };
        assert_eq!(stands(&evidence), (SyncState::Unreachable, "it is silent".to_string()));
        let unknown = [Finding::of_sync(Code::SyncUnknownTenant, &writer, None, "there is no us", "make it")];
        let evidence = Evidence { findings: &unknown, is_unknown: true, ..of(&target) };
        assert_eq!(stands(&evidence).0, SyncState::Invalid);
        // Another unknown tenant of the sync does not matter to this target.
        let evidence = Evidence { findings: &unknown, ..of(&target) };
        assert_eq!(stands(&evidence).0, SyncState::Suspended);
    }

    #[test]
    fn an_unreadable_source_comes_before_waiting_actions() {
        let target = Target { suspended: true, ..target(vec![action("a", ActionKind::Update)]) };
        let evidence = Evidence { source_error: Some("its server is silent"), ..of(&target) };
        let message = "its source cannot be read: its server is silent".to_string();
        assert_eq!(stands(&evidence), (SyncState::Unreachable, message));
    }

    #[test]
    fn a_suspended_sync_reports_what_waits() {
        let mut target = target(vec![action("a", ActionKind::Update), action("b", ActionKind::Create)]);
        target.suspended = true;
        let message =
            "eu is suspended; 2 actions wait; to go on, where its Tenant is:\nstablekey resume eu".to_string();
        assert_eq!(stands(&of(&target)), (SyncState::Suspended, message));
        let mut target = noted(Vec::new());
        target.suspended_syncs = [("sync/s".to_string(), 1)].into();
        let evidence = Evidence { is_suspended: true, ..of(&target) };
        let message = "the sync is suspended; 1 action waits; to go on:\nstablekey resume s -n hub".to_string();
        assert_eq!(stands(&evidence), (SyncState::Suspended, message));
    }

    #[test]
    fn a_failure_is_reported_by_the_syncs_that_wanted_it() {
        let target = target(vec![needs_approval(action("a", ActionKind::Update)), action("b", ActionKind::Create)]);
        let failure = |why: &str| ActionFailure { code: "Refused", why: why.into(), retry: Retry::Seldom };
        let failed = [("eu/Connection/a".to_string(), failure("no"))].into();
        let evidence = Evidence { failed: &failed, ..of(&target) };
        assert_eq!(stands(&evidence), (SyncState::Failed, "eu/Connection/a: no".to_string()));
        let failed = [("eu".to_string(), failure("all of it")), ("eu/Connection/a".to_string(), failure("no"))].into();
        let evidence = Evidence { failed: &failed, ..of(&target) };
        assert_eq!(stands(&evidence), (SyncState::Failed, "eu: all of it (and 1 more)".to_string()));
        let failed = [("eu/Connection/of-another".to_string(), failure("no"))].into();
        let evidence = Evidence { failed: &failed, ..of(&target) };
        assert_eq!(stands(&evidence).0, SyncState::AwaitingApproval);
    }

    #[test]
    fn a_pending_approval_shows_its_commands() {
        let target = target(vec![needs_approval(action("a", ActionKind::Update)), action("b", ActionKind::Create)]);
        let (state, message) = stands(&of(&target));
        assert_eq!(state, SyncState::AwaitingApproval);
        let mut lines = message.lines();
        assert_eq!(lines.next(), Some("1 action awaits approval: look first, then approve"));
        assert!(lines.next().unwrap().starts_with("stablekey plan "), "{message}");
        assert!(lines.next().unwrap().starts_with("stablekey approve "), "{message}");
        assert_eq!(lines.next(), Some(digest().to_string().as_str()));
        // In mode Plan all of it waits.
        let evidence = Evidence { mode: SyncMode::Plan, ..of(&target) };
        assert!(stands(&evidence).1.starts_with("2 actions await approval"), "{}", stands(&evidence).1);
        let status = target_status(&evidence);
        let update = format!(
            "update Connection/a: us changed it (needs approval: {} 9 of 10 objects would change)",
            Code::TooManyChanges
        );
        assert_eq!(status.actions, [update, "create Connection/b: us changed it".to_string()]);
        assert_eq!(status.digest, Some(digest().to_string()));
    }

    #[test]
    fn an_invalid_consumed_or_unstored_approval_is_reported() {
        let target = target(vec![needs_approval(action("a", ActionKind::Update))]);
        let known = digest().to_string();
        let usable = GivenApprovals { usable: [known.clone()].into(), ..GivenApprovals::default() };
        let evidence = Evidence { given: Some(&usable), void: Some("1 action is new"), ..of(&target) };
        let (state, message) = stands(&evidence);
        assert_eq!(state, SyncState::AwaitingApproval);
        assert!(message.contains("approval; what was approved does not hold: 1 action is new: look"), "{message}");
        let spent = GivenApprovals { spent: [known].into(), ..GivenApprovals::default() };
        let evidence = Evidence { given: Some(&spent), not_stored: Some("no room"), ..of(&target) };
        let (state, message) = stands(&evidence);
        assert_eq!(state, SyncState::AwaitingApproval);
        let words = "; the same was approved and carried out before, and needs a new approval; the hub does not keep \
                     it for you to look at (no room): --target eu=CONTEXT shows it: look first";
        assert!(message.contains(words), "{message}");
    }

    #[test]
    fn pending_actions_are_reported_as_being_applied() {
        let target = target(vec![needs_approval(action("a", ActionKind::Delete)), action("b", ActionKind::Create)]);
        let usable = GivenApprovals { usable: [digest().to_string()].into(), ..GivenApprovals::default() };
        let approved = Evidence { given: Some(&usable), ..of(&target) };
        assert_eq!(stands(&approved), (SyncState::Applying, String::new()));
        let later = [("eu/Connection/a".to_string(), "us must rest".to_string())].into();
        let evidence = Evidence { later: &later, ..approved };
        assert_eq!(stands(&evidence), (SyncState::Applying, "1 action waits: us must rest".to_string()));
        // A begun approval is continued, whatever is planned by now.
        let begun = GivenApprovals { begun: ["sha256:other".to_string()].into(), ..GivenApprovals::default() };
        assert_eq!(stands(&Evidence { given: Some(&begun), ..of(&target) }).0, SyncState::Applying);
    }

    #[test]
    fn an_action_shared_with_a_waiting_sync_is_left_to_it() {
        let target = target(vec![action("a", ActionKind::Update)]);
        let unattended = BTreeSet::new();
        let evidence = Evidence { unattended: Some(&unattended), ..of(&target) };
        assert_eq!(stands(&evidence).0, SyncState::InSync);
        let evidence = Evidence { mode: SyncMode::Plan, ..evidence };
        assert_eq!(stands(&evidence).0, SyncState::AwaitingApproval);
    }

    /// "targets that wait for a stage say so".
    #[test]
    fn a_target_of_a_later_stage_says_what_it_waits_for() {
        let writer = Writer::Sync("s".into());
        let held = HeldBy { tenant: "dev-2".into(), why: Hindrance::NotReady(vec!["lead-router".into()]) };
        let wait = StageWait {
            stage: Some(2),
            waits_for: 1,
            release: digest(),
            held_by: vec![held],
            digest: Some(Digest::of(b"what waits")),
        };
        let text = wait.text();
        let mut target = target(Vec::new());
        target.digests.clear();
        target.waiting = vec![needs_approval(action("a", ActionKind::Update)), action("b", ActionKind::Create)];
        target.stages = [(writer, wait)].into();
        let (r1, r2) = ("sha256:r1", "sha256:r2");
        let release = ReleaseHere { digest: r2, stage: Some(1), before: Some(r1) };
        let evidence = Evidence { release: Some(release), ..of(&target) };
        assert_eq!(stands(&evidence), (SyncState::AwaitingStage, format!("2 actions wait: it {text}")));
        let status = target_status(&evidence);
        // Nothing of it can be approved yet, and it has only the receipt of the release before.
        assert_eq!((status.digest, status.stage, status.release.as_deref()), (None, Some(2), Some(r1)));
        assert_eq!((status.counts.unwrap().awaiting_stage, status.actions.len()), (2, 2));
        // In mode Plan the same, and suspended it is suspended.
        assert_eq!(stands(&Evidence { mode: SyncMode::Plan, ..evidence }).0, SyncState::AwaitingStage);
        let suspended = Target { suspended: true, ..target.clone() };
        let evidence = Evidence { release: Some(release), ..of(&suspended) };
        assert_eq!(stands(&evidence).0, SyncState::Suspended);
        assert!(stands(&evidence).1.starts_with("eu is suspended; 2 actions wait"), "{}", stands(&evidence).1);
        // Nothing left to do is the receipt, whatever another stage waits for.
        let done = Target { waiting: Vec::new(), stages: BTreeMap::new(), ..target };
        let status = target_status(&Evidence { release: Some(release), ..of(&done) });
        assert_eq!((status.state.as_str(), status.release.as_deref()), ("InSync", Some(r2)));
        // What does not wait comes first.
        let mut both = done.clone();
        both.waiting = vec![action("b", ActionKind::Create)];
        both.actions = vec![action("a", ActionKind::Update)];
        assert_eq!(stands(&of(&both)).0, SyncState::Applying);
        // Another sync that depends on it names what it waits for.
        let mut depends = done;
        let after = ["eu/Connection/a".to_string()].into();
        depends.waiting = vec![Action { after, ..action("b", ActionKind::Create) }];
        let message = "1 action waits, the first for eu/Connection/a".to_string();
        assert_eq!(stands(&of(&depends)), (SyncState::AwaitingStage, message));
    }

    #[test]
    fn unresolved_actions_are_blocked() {
        let (object, path) = (ObjectId::new(Kind::Integration, "i"), vec!["connections".to_string(), "V".to_string()]);
        let by = "kubectl".to_string();
        let kept = Note::Kept { object: object.clone(), path, by, text: None, from: None, to: None, parts: Vec::new() };
        let (text, fix) = ("no connection b".to_string(), "make it".to_string());
        let blocked = Note::Blocked { object, code: Code::BindingMissing, text, fix, commands: Vec::new() };
        let target = noted(vec![kept, blocked, drift("c")]);
        let conflict = [Finding::of(Code::WriterConflict, "eu", connection("a"), "two differ", "agree")];
        let evidence = Evidence { findings: &conflict, ..of(&target) };
        let first = format!("Integration/i: {} no connection b; make it", Code::BindingMissing);
        assert_eq!(stands(&evidence), (SyncState::Blocked, format!("{first} (and 2 more)")));
        let status = target_status(&evidence);
        assert_eq!(status.blocked[1], format!("Connection/a: {} two differ; agree", Code::WriterConflict));
        assert!(status.blocked[2].starts_with("Integration/i connections.V: bound otherwise there, by kubectl;"));
        assert_eq!(status.kept, ["Integration/i connections.V: kept by kubectl"]);
    }

    #[test]
    fn kept_drift_names_its_manager() {
        let target = noted(vec![drift("a"), drift("b")]);
        let (state, message) = stands(&of(&target));
        assert_eq!(state, SyncState::Drifted);
        assert!(message.starts_with("2 values were changed by others since we wrote them: "), "{message}");
        let drifted = ["Connection/a title: changed by kubectl", "Connection/b title: changed by kubectl"];
        assert_eq!(target_status(&of(&target)).drifted, drifted);
    }

    #[test]
    fn warnings_and_manual_steps_are_named_and_change_no_state() {
        let (object, text) = (connection("a"), "sign in".to_string());
        let target = noted(vec![Note::Manual { object, who: "customers", count: 2, text, secret: None }]);
        let writer = Writer::Sync("s".into());
        let warning = [Finding::of_sync(Code::SyncMatchesNothing, &writer, Some("eu"), "x* matches nothing", "see")
            .of_severity(Severity::Warning)];
        let status = target_status(&Evidence { findings: &warning, ..of(&target) });
        assert_eq!(status.state, "InSync");
        assert_eq!(status.warnings, [format!("{} x* matches nothing; see", Code::SyncMatchesNothing)]);
        assert_eq!(status.manual, ["Connection/a: sign in"]);
    }

    #[test]
    fn a_status_names_the_first_and_truncates_long_texts() {
        let mut actions: Vec<Action> = (0..12).map(|n| action(&format!("c{n}"), ActionKind::Create)).collect();
        actions[0].reason.text = "x".repeat(LONGEST + 5);
        let status = target_status(&of(&target(actions)));
        assert_eq!(status.actions.len(), FIRST);
        assert_eq!(status.counts.unwrap().create, 12);
        assert!(status.actions[0].ends_with(" … (27 characters more)"), "{}", &status.actions[0][LONGEST..]);
    }

    #[test]
    fn the_worst_target_decides_the_state_of_a_sync() {
        let of_state = |tenant: &str, state: SyncState, message: &str| TargetStatus {
            tenant: tenant.into(),
            state: state.as_str().into(),
            message: (!message.is_empty()).then(|| message.to_string()),
            ..target_status(&of(&target(Vec::new())))
        };
        let said = |targets: &[TargetStatus]| -> Vec<(&'static str, Option<bool>, String, String)> {
            sync_conditions(targets).into_iter().map(|v| (v.type_, v.holds, v.reason, v.message)).collect()
        };
        let in_sync = of_state("eu", SyncState::InSync, "");
        let message = "1 of 1 targets are in sync".to_string();
        let expected = [
            ("Ready", Some(true), "InSync".to_string(), message),
            ("InSync", Some(true), "InSync".to_string(), "1 of 1".to_string()),
        ];
        assert_eq!(said(std::slice::from_ref(&in_sync)), expected);
        for (state, besides) in [
            (SyncState::Invalid, "Stalled"),
            (SyncState::NotAccepted, "Stalled"),
            (SyncState::Unreachable, "Reconciling"),
            (SyncState::Failed, "Reconciling"),
            (SyncState::Blocked, "Stalled"),
            (SyncState::AwaitingApproval, "Reconciling"),
            (SyncState::Drifted, "Stalled"),
            (SyncState::Applying, "Reconciling"),
            (SyncState::AwaitingStage, "Reconciling"),
        ] {
            let said = said(&[in_sync.clone(), of_state("us", state, "it is so")]);
            let (reason, message) = (state.as_str().to_string(), "us: it is so".to_string());
            assert_eq!(said[0], ("Ready", Some(false), reason.clone(), message.clone()));
            assert_eq!(said[1], ("InSync", Some(false), reason.clone(), "1 of 2".to_string()));
            assert_eq!(said[2], (besides, Some(true), reason, message));
        }
        assert_eq!(said(&[of_state("us", SyncState::Suspended, "")]).len(), 2);
        assert_eq!(said(&[])[0], ("Ready", Some(false), "Invalid".to_string(), "it names no target".to_string()));
        let warned =
            TargetStatus { warnings: vec!["w".into()], kept: vec!["k".into()], drifted: vec!["d".into()], ..in_sync };
        let more: Vec<_> = said(&[warned]).into_iter().skip(2).map(|(type_, _, _, message)| (type_, message)).collect();
        let expected = [("Warnings", "eu: w"), ("Kept", "eu: k"), ("Drifted", "eu: d")];
        assert_eq!(more, expected.map(|(type_, message)| (type_, message.to_string())));
        assert_eq!(SyncState::parse("nothing that is known"), SyncState::Failed);
    }
}
