//! How a sync stands in a target, in words and numbers: what its status says. Pure.

use super::approvals::Given;
use super::pass::Failure;
use crate::api::{ReceiptStatus, SyncMode, TargetCounts, TargetStatus, Verdict, WaitingPlanStatus};
use crate::engine::model::code::{Code, Severity};
use crate::engine::model::finding::Finding;
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Action, ActionKind, Note, State, Target};
use crate::engine::model::record::Writer;
use crate::render::Hub;
use std::collections::{BTreeMap, BTreeSet};

/// How many actions, and how many that are blocked, a status names.
const FIRST: usize = 10;
/// How long a text of a status is at most, in characters.
const LONGEST: usize = 8_000;
/// How long the words about an approval are at most: the commands after them must have room.
const LONGEST_WHY: usize = 2_000;

/// One word for how a sync stands in a target; the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum SyncCondition {
    Invalid,
    NotAccepted,
    Unreachable,
    Failed,
    Blocked,
    AwaitingApproval,
    Drifted,
    Applying,
    Suspended,
    InSync,
}

impl SyncCondition {
    /// All of them.
    pub const ALL: [SyncCondition; 10] = [
        SyncCondition::Invalid,
        SyncCondition::NotAccepted,
        SyncCondition::Unreachable,
        SyncCondition::Failed,
        SyncCondition::Blocked,
        SyncCondition::AwaitingApproval,
        SyncCondition::Drifted,
        SyncCondition::Applying,
        SyncCondition::Suspended,
        SyncCondition::InSync,
    ];

    /// As it stands in a status.
    pub const fn as_str(self) -> &'static str {
        match self {
            SyncCondition::Invalid => "Invalid",
            SyncCondition::NotAccepted => "NotAccepted",
            SyncCondition::Unreachable => "Unreachable",
            SyncCondition::Failed => "Failed",
            SyncCondition::Blocked => "Blocked",
            SyncCondition::AwaitingApproval => "AwaitingApproval",
            SyncCondition::Drifted => "Drifted",
            SyncCondition::Applying => "Applying",
            SyncCondition::Suspended => "Suspended",
            SyncCondition::InSync => "InSync",
        }
    }

    /// From a status.
    pub fn parse(text: &str) -> SyncCondition {
        SyncCondition::ALL.into_iter().find(|standing| standing.as_str() == text).unwrap_or(SyncCondition::Failed)
    }

    /// Whether nothing will come of waiting: a person must do something.
    const fn is_stalled(self) -> bool {
        matches!(
            self,
            SyncCondition::Invalid | SyncCondition::NotAccepted | SyncCondition::Blocked | SyncCondition::Drifted
        )
    }
}

/// What a target's status is made from.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// The sync's name.
    pub sync: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its mode.
    pub mode: SyncMode,
    /// Whether it writes nothing.
    pub is_suspended: bool,
    /// What is planned for the target.
    pub target: &'a Target,
    /// What the checks say.
    pub findings: &'a [Finding],
    /// Why the source cannot be read.
    pub source_trouble: Option<&'a str>,
    /// What the syncs that need not wait want, where others wait.
    pub unattended: Option<&'a BTreeSet<String>>,
    /// Whether there is no such source, or no such target.
    pub is_unknown: bool,
    /// Actions that failed, by id, and why.
    pub failed: &'a BTreeMap<String, Failure>,
    /// Why an approval that was given does not hold.
    pub void: Option<&'a str>,
    /// Where what waits is kept.
    pub waiting_plan: Option<&'a WaitingPlanStatus>,
    /// Why it is not kept.
    pub unkept: Option<&'a str>,
    /// What is known of what was approved.
    pub given: Option<&'a Given>,
    /// What was changed since the target was settled.
    pub changed: usize,
    /// How many objects there were before these.
    pub base: Option<usize>,
    /// What is not done yet though it may be, and why, by the action's id.
    pub later: &'a BTreeMap<String, String>,
    /// What was carried out last.
    pub receipt: Option<ReceiptStatus>,
}

impl Evidence<'_> {
    fn writer(&self) -> Writer {
        Writer::Sync(self.sync.to_string())
    }

    fn actions(&self) -> impl Iterator<Item = &Action> {
        let writer = self.writer();
        let of_this = self.target.actions.iter().filter(move |action| action.writers.contains(&writer));
        // What it shares with a sync that waits is that one's to do.
        let waits = |action: &Action| self.unattended.is_some_and(|ids| !ids.contains(&action.id));
        of_this.filter(move |action| self.mode == SyncMode::Plan || !waits(action))
    }

    /// What the checks say of the sync itself, or of objects that two writers want.
    fn findings(&self) -> impl Iterator<Item = &Finding> {
        let tenant = self.target.tenant.as_str();
        let of_sync = |f: &Finding| {
            f.object.as_ref().is_some_and(|id| id.kind == crate::api::Kind::TenantSync && id.name == self.sync)
        };
        let here = move |f: &&Finding| f.tenant.as_deref().is_none_or(|t| t == tenant);
        // That another of its tenants is unknown is nothing to this one.
        let of_this = |f: &&Finding| match f.code {
            Code::SyncUnknownTenant => self.is_unknown,
            // What it accepts is said there.
            Code::SyncNotAccepted => self.target.state == State::Read,
            _ => true,
        };
        let findings = self.findings.iter().filter(here).filter(of_this);
        // What a sync that waits cannot write is told of that one alone.
        let of_object = |f: &Finding| f.object.as_ref().is_none_or(|id| id.kind != crate::api::Kind::TenantSync);
        findings.filter(move |f| of_sync(f) || f.code == Code::WriterConflict && of_object(f))
    }

    /// What the checks say is declared and will not be reached, of the objects that this sync writes there.
    fn unreached(&self) -> impl Iterator<Item = &Finding> {
        let (tenant, writer) = (self.target.tenant.as_str(), self.writer());
        let is_written = move |id: &ObjectId| {
            self.target.concerned.get(id).is_some_and(|writers| writers.is_empty() || writers.contains(&writer))
        };
        let here = self.findings.iter().filter(move |f| f.tenant.as_deref() == Some(tenant));
        let unreached = here.filter(|f| f.severity == Severity::Unreached && f.code != Code::WriterConflict);
        unreached.filter(move |f| f.object.as_ref().is_some_and(&is_written))
    }

    /// What failed of this sync's actions, or of the target as a whole.
    fn failed(&self) -> impl Iterator<Item = (&String, &Failure)> {
        let of_this = |id: &String| *id == self.target.tenant || self.actions().any(|action| action.id == *id);
        self.failed.iter().filter(move |(id, _)| of_this(id))
    }
}

/// How a sync stands in a target.
pub fn target(evidence: &Evidence<'_>) -> TargetStatus {
    let counts = counts(evidence);
    let digest = evidence.target.digests.get(&evidence.writer().to_string()).map(ToString::to_string);
    let blocked = blocked(evidence);
    let (standing, message) = standing(evidence, &counts, digest.as_deref(), &blocked);
    TargetStatus {
        tenant: evidence.target.tenant.clone(),
        state: standing.as_str().to_string(),
        message: message.map(|message| bounded(&message)),
        digest: digest.filter(|_| evidence.actions().next().is_some()),
        waiting_plan: evidence.waiting_plan.cloned(),
        counts: (counts != TargetCounts::default()).then_some(counts),
        actions: evidence.actions().take(FIRST).map(line).collect(),
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

/// No more of a text than a status has room for; it says how much is missing.
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
    let writer = evidence.writer();
    let notes = |is: fn(&Note) -> bool| number(evidence.target.notes_of(&writer).filter(|note| is(note)).count());
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
    }
}

fn blocked(evidence: &Evidence<'_>) -> Vec<String> {
    let writer = evidence.writer();
    let notes = evidence.target.notes_of(&writer).filter_map(|note| match note {
        Note::Blocked { object, code, text, fix } => Some(bounded(&format!("{object}: {code} {text}; {fix}"))),
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
        evidence.target.notes_of(&writer).filter(|note| note.is_held_variable()).filter_map(|note| match note {
            Note::Kept { object, path, by, .. } => {
                let fix = "bind it as it is declared, take it over (stablekey adopt), or keep it by an override";
                Some(format!("{}: bound otherwise there, by {by}; {fix}", field_of(object, path)))
            }
            _ => None,
        });
    notes.chain(conflicts).chain(variables).chain(unreached).map(|text| bounded(&text)).collect()
}

fn standing(
    evidence: &Evidence<'_>,
    counts: &TargetCounts,
    digest: Option<&str>,
    blocked: &[String],
) -> (SyncCondition, Option<String>) {
    let wrong = evidence
        .findings()
        .find(|f| f.code != Code::WriterConflict && matches!(f.severity, Severity::Error | Severity::Unreached));
    if let Some(f) = wrong {
        let standing =
            if f.code == Code::SyncNotAccepted { SyncCondition::NotAccepted } else { SyncCondition::Invalid };
        return (standing, Some(format!("{} {}; {}", f.code, f.text, f.fix)));
    }
    if evidence.target.state == State::Unreachable {
        return (SyncCondition::Unreachable, evidence.target.why.clone());
    }
    if let Some(why) = evidence.source_trouble {
        return (SyncCondition::Unreachable, Some(format!("its source cannot be read: {why}")));
    }
    if let Some(message) = suspended(evidence) {
        return (SyncCondition::Suspended, Some(message));
    }
    if let Some((id, failure)) = evidence.failed().next() {
        let others = more(evidence.failed().count());
        return (SyncCondition::Failed, Some(format!("{id}: {}{others}", failure.why)));
    }
    let actions = evidence.actions().count();
    let waiting =
        if evidence.mode == SyncMode::Plan { actions } else { usize::try_from(counts.needs_approval).unwrap_or(0) };
    let is_approved = evidence.void.is_none()
        && evidence
            .given
            .is_some_and(|given| !given.begun.is_empty() || digest.is_some_and(|digest| given.usable.contains(digest)));
    if let (true, Some(digest), false) = (waiting > 0, digest, is_approved) {
        return (SyncCondition::AwaitingApproval, Some(asks(evidence, waiting, digest)));
    }
    if actions > 0 {
        let later = evidence.actions().filter_map(|action| evidence.later.get(&action.id)).collect::<Vec<_>>();
        let why = later.first().map(|why| {
            let waits =
                if later.len() == 1 { "1 action waits".to_string() } else { format!("{} actions wait", later.len()) };
            format!("{waits}: {why}")
        });
        return (SyncCondition::Applying, why);
    }
    if let Some(first) = blocked.first() {
        return (SyncCondition::Blocked, Some(format!("{first}{}", more(blocked.len()))));
    }
    if counts.drift > 0 {
        let (values, them) = if counts.drift == 1 {
            ("1 value was".to_string(), "it")
        } else {
            (format!("{} values were", counts.drift), "them")
        };
        return (
            SyncCondition::Drifted,
            Some(format!(
                "{values} changed by others since we wrote {them}: change {them} back there, change {them} in the \
                 source too, or set policy.drift to Correct in Tenant {tenant}, on the hub and in its own cluster",
                tenant = evidence.target.tenant
            )),
        );
    }
    (SyncCondition::InSync, None)
}

/// What a person who may approve does next: each command can be pasted as it stands, and the digest.
fn asks(evidence: &Evidence<'_>, waiting: usize, digest: &str) -> String {
    let hub = Hub {
        context: None,
        namespace: evidence.namespace.to_string(),
        sync: evidence.sync.to_string(),
        tenant: evidence.target.tenant.clone(),
    };
    let void = evidence.void.map(|why| {
        let why: String = why.chars().take(LONGEST_WHY).collect();
        format!("; what was approved does not hold: {why}")
    });
    let void = void.unwrap_or_default();
    let is_spent = evidence.given.is_some_and(|given| given.spent.contains(digest));
    let spent = if is_spent { "; the same was approved and carried out before, and needs a new approval" } else { "" };
    let unkept = evidence.unkept.map(|why| {
        let why: String = why.chars().take(LONGEST_WHY).collect();
        format!(
            "; the hub does not keep it for you to look at ({why}): --target {}=CONTEXT shows it",
            evidence.target.tenant
        )
    });
    let unkept = unkept.unwrap_or_default();
    let wait = if waiting == 1 { "1 action awaits".to_string() } else { format!("{waiting} actions await") };
    format!(
        "{wait} approval{void}{spent}{unkept}: look first, then approve\n\
         {}\n\
         {}\n\
         {digest}",
        hub.plan(),
        hub.approve()
    )
}

/// The fields that the target keeps as its own, each with who holds it.
fn kept(evidence: &Evidence<'_>) -> Vec<String> {
    let writer = evidence.writer();
    let kept = evidence.target.notes_of(&writer).filter_map(|note| match note {
        Note::Kept { object, path, by, text, .. } => {
            let why = text.as_ref().map(|text| format!("; {text}")).unwrap_or_default();
            Some(bounded(&format!("{}: kept by {by}{why}", field_of(object, path))))
        }
        _ => None,
    });
    kept.take(FIRST).collect()
}

/// The fields that others changed since they were written, and that are left so.
fn drifted(evidence: &Evidence<'_>) -> Vec<String> {
    let writer = evidence.writer();
    let drifted = evidence.target.notes_of(&writer).filter_map(|note| match note {
        Note::Drift { object, path, by, left: true, ignored: false, .. } => {
            let by = by.as_ref().map(|by| format!(": changed by {by}")).unwrap_or_default();
            Some(format!("{}{by}", field_of(object, path)))
        }
        _ => None,
    });
    drifted.take(FIRST).collect()
}

/// What people must do.
fn manual(evidence: &Evidence<'_>) -> Vec<String> {
    let writer = evidence.writer();
    let manual = evidence.target.notes_of(&writer).filter_map(|note| match note {
        Note::Manual { object, text, .. } => Some(bounded(&format!("{object}: {text}"))),
        _ => None,
    });
    manual.take(FIRST).collect()
}

fn field_of(object: &ObjectId, path: &[String]) -> String {
    if path.is_empty() { object.to_string() } else { format!("{object} {}", path.join(".")) }
}

/// What is probably not meant so.
fn warnings(evidence: &Evidence<'_>) -> Vec<String> {
    let warnings = evidence.findings().filter(|f| f.severity == Severity::Warning);
    warnings.map(|f| bounded(&format!("{} {}; {}", f.code, f.text, f.fix))).take(FIRST).collect()
}

/// What waits because the sync or the target is suspended.
fn suspended(evidence: &Evidence<'_>) -> Option<String> {
    let (what, waiting) = if evidence.is_suspended {
        let waiting = evidence.target.suspended_syncs.get(&evidence.writer().to_string());
        ("the sync".to_string(), waiting.copied().unwrap_or(0))
    } else if evidence.target.suspended {
        (evidence.target.tenant.clone(), evidence.actions().count())
    } else {
        return None;
    };
    let waits = match waiting {
        0 => "nothing waits".to_string(),
        1 => "1 action waits".to_string(),
        many => format!("{many} actions wait"),
    };
    Some(format!("{what} is suspended; {waits}: take suspend out of its spec to go on"))
}

fn more(count: usize) -> String {
    if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() }
}

/// The conditions of a sync that stands like this in its targets.
pub fn verdicts(targets: &[TargetStatus]) -> Vec<Verdict> {
    let worst = targets.iter().min_by_key(|target| SyncCondition::parse(&target.state));
    let standing = worst.map_or(SyncCondition::Invalid, |target| SyncCondition::parse(&target.state));
    let in_sync = targets.iter().filter(|target| target.state == SyncCondition::InSync.as_str()).count();
    let message = match worst {
        None => "it names no target".to_string(),
        Some(_) if standing == SyncCondition::InSync => {
            format!("{} of {} targets are as declared", in_sync, targets.len())
        }
        Some(worst) => {
            let why = worst.message.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
            format!("{}{why}", worst.tenant)
        }
    };
    let reason = standing.as_str();
    let mut verdicts = vec![
        Verdict::new("Ready", standing == SyncCondition::InSync, reason, message.clone()),
        Verdict::new("InSync", standing == SyncCondition::InSync, reason, format!("{in_sync} of {}", targets.len())),
    ];
    if standing.is_stalled() {
        verdicts.push(Verdict::new("Stalled", true, reason, message));
    } else if !matches!(standing, SyncCondition::InSync | SyncCondition::Suspended) {
        verdicts.push(Verdict::new("Reconciling", true, reason, message));
    }
    let said = |type_, reason, of: fn(&TargetStatus) -> &Vec<String>| {
        let all: Vec<String> =
            targets.iter().flat_map(|t| of(t).iter().map(|text| format!("{}: {text}", t.tenant))).collect();
        (!all.is_empty()).then(|| Verdict::new(type_, true, reason, all.join("\n")))
    };
    verdicts.extend(said("Warnings", "SeeMessage", |target| &target.warnings));
    verdicts.extend(said("Kept", "TargetsOwn", |target| &target.kept));
    verdicts.extend(said("Drifted", "ChangedByOthers", |target| &target.drifted));
    verdicts
}
