//! The parts of a plan by tenant, worst first: the order in which every output format shows them.

use super::value::words_beside;
use crate::engine::model::canonical::Json;
use crate::engine::model::code::{Code, Severity};
use crate::engine::model::finding::{At, Finding};
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Action, ActionKind, Note, Plan, SecretNeed, State, Target};
use crate::engine::model::record::Writer;
use crate::engine::plan::MOST_ALONE;
use crate::text::{count, shorten};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// One tenant's part of a plan, sorted for people.
#[derive(Debug)]
pub struct Ranked<'a> {
    pub target: &'a Target,
    /// The position of the tenant's location in its Tenant, if it is unreachable.
    pub at: Option<&'a At>,
    pub errors: Vec<&'a Finding>,
    pub blocked: Vec<&'a Note>,
    pub unresolved: Vec<&'a Finding>,
    pub needs_approval: Vec<&'a Action>,
    pub drifted: Vec<DriftedFields<'a>>,
    pub updates: Vec<&'a Action>,
    pub creates: Vec<&'a Action>,
    pub deletes: Vec<&'a Action>,
    pub adopts: Vec<&'a Action>,
    /// Variables that the target binds differently from what is declared.
    pub kept_variables: Vec<KeptFields<'a>>,
    pub kept: Vec<KeptFields<'a>>,
    pub overridden: Vec<OverriddenFields<'a>>,
    /// The number of drifted fields that the policy ignores.
    pub ignored: usize,
    pub warnings: Vec<&'a Finding>,
    pub manual: Vec<Manual<'a>>,
}

/// The fields of one object that the target keeps.
#[derive(Debug)]
pub struct KeptFields<'a> {
    pub object: &'a ObjectId,
    /// The fields with both values.
    pub fields: Vec<String>,
    /// The paths of the fields, as people write them.
    pub paths: Vec<String>,
    /// The parts of its definition that would be added, removed and changed.
    pub parts: Vec<&'a String>,
    pub by: &'a str,
    pub text: Option<&'a str>,
}

/// The fields of one object where a sync differs from the target's own source, or from an override.
#[derive(Debug)]
pub struct OverriddenFields<'a> {
    pub object: &'a ObjectId,
    pub fields: Vec<String>,
    /// The parts of its definition that would be added, removed and changed.
    pub parts: Vec<&'a String>,
    /// The writer that stands for the sync.
    pub writer: &'a Writer,
    /// Whether an override of the sync keeps the fields; else the target's own source decides.
    pub is_left_alone: bool,
}

/// A manual step.
#[derive(Debug, PartialEq, Eq)]
pub struct Manual<'a> {
    pub object: &'a ObjectId,
    pub who: &'a str,
    pub count: usize,
    pub text: Cow<'a, str>,
}

impl Manual<'_> {
    /// The people who have to do it, with their number if there are several: `customers (41)`.
    pub fn whom(&self) -> String {
        if self.count > 1 { format!("{} ({})", self.who, crate::text::thousands(self.count)) } else { self.who.into() }
    }
}

/// Why it is unknown what waits in a tenant to which too many suspended syncs lead.
pub fn too_many_suspended() -> String {
    format!("what waits is not known: more than {MOST_ALONE} suspended syncs meet on the way to it")
}

/// All tenants of a plan, worst first.
pub fn targets(plan: &Plan) -> Vec<Ranked<'_>> {
    let mut targets: Vec<Ranked<'_>> = plan.targets.iter().map(|target| Ranked::of(plan, target)).collect();
    targets.sort_by_key(|ranked| (ranked.rank(), ranked.target.tenant.as_str()));
    targets
}

/// The findings that do not belong to a tenant in the plan.
pub fn of_no_target(plan: &Plan) -> Vec<&Finding> {
    let is_shown = |finding: &&Finding| {
        finding.tenant.as_ref().is_some_and(|tenant| plan.targets.iter().any(|t| t.tenant == *tenant))
    };
    plan.findings.iter().filter(|f| !is_shown(f)).collect()
}

impl<'a> Ranked<'a> {
    fn of(plan: &'a Plan, target: &'a Target) -> Self {
        let here = |severity: Severity| {
            let is_here = move |f: &&Finding| f.tenant.as_ref() == Some(&target.tenant) && f.severity == severity;
            plan.findings.iter().filter(is_here).collect::<Vec<_>>()
        };
        let actions = |kind: ActionKind| {
            let plain = move |a: &&Action| a.action == kind && a.needs_approval.is_empty();
            target.actions.iter().filter(plain).collect::<Vec<_>>()
        };
        let unreachable =
            plan.findings.iter().find(|f| f.tenant.as_ref() == Some(&target.tenant) && is_shown_by_state(f, target));
        Ranked {
            target,
            at: unreachable.and_then(|finding| finding.at.as_ref()),
            errors: here(Severity::Error).into_iter().filter(|f| !is_shown_by_state(f, target)).collect(),
            blocked: target.notes.iter().filter(|n| matches!(n, Note::Blocked { .. })).collect(),
            unresolved: here(Severity::Unreached),
            needs_approval: target.actions.iter().filter(|a| !a.needs_approval.is_empty()).collect(),
            drifted: drifted(target),
            updates: actions(ActionKind::Update),
            creates: actions(ActionKind::Create),
            deletes: actions(ActionKind::Delete),
            adopts: actions(ActionKind::Adopt),
            kept_variables: kept(target, true),
            kept: kept(target, false),
            overridden: overridden(target),
            ignored: target.notes.iter().filter(|n| matches!(n, Note::Drift { ignored: true, left: true, .. })).count(),
            warnings: here(Severity::Warning),
            manual: manual(target),
        }
    }

    /// The rank of the tenant; 0 is the worst.
    fn rank(&self) -> u8 {
        if self.target.state == State::Unreachable {
            0
        } else if !self.errors.is_empty() {
            1
        } else if !self.blocked.is_empty() || !self.unresolved.is_empty() || !self.kept_variables.is_empty() {
            2
        } else if !self.needs_approval.is_empty() {
            3
        } else if !self.drifted.is_empty() {
            4
        } else if !self.target.actions.is_empty() || !self.target.waiting.is_empty() {
            5
        } else if self.differs()
            || self.is_uncertain()
            || self.is_suspended()
            || !self.warnings.is_empty()
            || !self.overridden.is_empty()
        {
            6
        } else {
            7
        }
    }

    /// Whether a live value differs from a declared one, for any reason.
    pub fn differs(&self) -> bool {
        let kept = self.kept.len() + self.kept_variables.len() + self.ignored + self.drifted.len();
        let in_the_way = self.errors.len() + self.unresolved.len() + self.blocked.len();
        let waits = self.waiting() + self.target.waits_for_resume.objects.len();
        kept + in_the_way + self.target.actions.len() + self.target.waiting.len() + waits > 0
    }

    /// Whether it is unknown what waits for suspended syncs.
    pub fn is_uncertain(&self) -> bool {
        let waits = &self.target.waits_for_resume;
        waits.are_too_many || !self.target.suspended_syncs.is_empty() && !waits.is_complete
    }

    /// Whether there is nothing to do or to know.
    pub fn is_quiet(&self) -> bool {
        self.rank() == 7
    }

    /// Whether the tenant, or a sync into it, is suspended.
    pub fn is_suspended(&self) -> bool {
        self.target.suspended || !self.target.suspended_syncs.is_empty()
    }

    /// The number of actions that wait because of a suspension.
    pub fn waiting(&self) -> usize {
        let here = if self.target.suspended { self.target.actions.len() } else { 0 };
        here + self.target.suspended_syncs.values().sum::<usize>()
    }

    /// What each sync with stages waits for: `sync/releases waits for stage 1: …`.
    pub fn stages(&self) -> Vec<String> {
        self.target.stages.iter().map(|(writer, wait)| format!("{writer} {wait}")).collect()
    }

    /// The suspensions, with the number of actions that wait: `suspended, 3 actions wait`.
    pub fn suspended(&self) -> Vec<String> {
        suspensions(self.target, "suspended", ", ")
    }
}

/// The suspensions of a target and of syncs into it, each with what waits: `sync/up is suspended: 3 actions wait`. `here`
/// says that the target itself is suspended.
pub fn suspensions(target: &Target, here: &str, then: &str) -> Vec<String> {
    let here = target.suspended.then(|| format!("{here}{then}{}", waits(target.actions.len())));
    let syncs = target.suspended_syncs.iter();
    let syncs = syncs.map(|(sync, number)| format!("{sync} is suspended{then}{}", waits_for(target, *number)));
    // Those into it say so themselves.
    let is_led_to = target.waits_for_resume.are_too_many && target.suspended_syncs.is_empty();
    here.into_iter().chain(syncs).chain(is_led_to.then(too_many_suspended)).collect()
}

fn waits(actions: usize) -> String {
    match actions {
        0 => "nothing waits".to_string(),
        1 => "1 action waits".to_string(),
        many => format!("{} actions wait", crate::text::thousands(many)),
    }
}

/// What waits for a suspended sync into a target. Without an action, something may still differ from what it declares.
fn waits_for(target: &Target, actions: usize) -> String {
    let waiting = &target.waits_for_resume;
    let objects = waiting.objects.len();
    match (actions, target.suspended_syncs.len()) {
        (0, _) if !waiting.is_complete => "what waits is not known".to_string(),
        (0, 1) if objects > 0 => {
            format!("no action waits, but {} not in sync", count(objects, "object is", "objects are"))
        }
        (0, _) if objects > 0 => "no action waits".to_string(),
        (actions, _) => waits(actions),
    }
}

/// The drift of one object.
#[derive(Debug)]
pub struct DriftedFields<'a> {
    /// The object that drifted.
    pub object: &'a ObjectId,
    /// The fields with both values.
    pub fields: Vec<String>,
    /// The paths of the fields, as people write them.
    pub paths: Vec<String>,
    /// The parts of its definition that would be added, removed and changed.
    pub parts: Vec<&'a String>,
    /// The owners who changed the fields, as far as they are known.
    pub by: BTreeSet<&'a str>,
}

impl KeptFields<'_> {
    /// The field, if it is one; `None`: several, which the whole object stands for.
    pub fn field(&self) -> Option<&str> {
        only(&self.paths)
    }

    /// A sentence that the tenant keeps the value: `eu-prod keeps its own value (set by kubectl)`.
    pub fn keeps(&self, tenant: &str, what: &str) -> String {
        let by = if self.by == tenant { String::new() } else { format!(" (set by {})", self.by) };
        format!("{tenant} keeps its own {what}{by}")
    }
}

impl OverriddenFields<'_> {
    /// A sentence about what decides the value.
    pub fn by(&self) -> String {
        match self.is_left_alone {
            true => format!("by an override of {}, which leaves it alone", self.writer),
            false => format!("by {}: its own source has precedence", self.writer),
        }
    }
}

impl DriftedFields<'_> {
    /// The field, if it is one; `None`: several, which the whole object stands for.
    pub fn field(&self) -> Option<&str> {
        only(&self.paths)
    }

    /// The text ` by kubectl-edit`; empty if the owner is unknown.
    pub fn by(&self) -> String {
        let names: Vec<&str> = self.by.iter().copied().collect();
        if names.is_empty() { String::new() } else { format!(" by {}", names.join(" and ")) }
    }
}

/// Whether the state of the tenant shows the finding already.
fn is_shown_by_state(finding: &Finding, target: &Target) -> bool {
    target.state == State::Unreachable && finding.code == Code::TenantUnreachable
}

fn drifted(target: &Target) -> Vec<DriftedFields<'_>> {
    let mut by_object: BTreeMap<&ObjectId, DriftedFields<'_>> = BTreeMap::new();
    for note in &target.notes {
        // Corrected drift is shown as an update; ignored drift is not shown.
        if let Note::Drift { object, path, left: true, ignored: false, from, to, parts, by } = note {
            let none = || DriftedFields {
                object,
                fields: Vec::new(),
                paths: Vec::new(),
                parts: Vec::new(),
                by: BTreeSet::new(),
            };
            let drifted = by_object.entry(object).or_insert_with(none);
            drifted.fields.push(both(path, from.as_ref(), to.as_ref()));
            drifted.paths.push(path.join("."));
            drifted.parts.extend(parts);
            drifted.by.extend(by.as_deref());
        }
    }
    by_object.into_values().collect()
}

/// The only one of a list.
fn only(paths: &[String]) -> Option<&str> {
    match paths {
        [one] => Some(one),
        _ => None,
    }
}

/// A field with its live and its declared value.
fn both(path: &[String], live: Option<&Json>, declared: Option<&Json>) -> String {
    let path = path.join(".");
    let (live, declared) = (live.map(Json::value), declared.map(Json::value));
    let short = |value: Option<&Value>, other| value.map(|v| shorten(&words_beside(v, other), 60).into_owned());
    match (short(live.as_ref(), declared.as_ref()), short(declared.as_ref(), live.as_ref())) {
        (Some(live), Some(declared)) => format!("{path} ({live}; declared: {declared})"),
        (None, Some(declared)) => format!("{path} (taken away; declared: {declared})"),
        _ => path,
    }
}

/// Fields with their values, and the parts of definitions that differ.
type Differs<'a> = (Vec<String>, Vec<&'a String>);

/// The kept fields: variables, or all others.
fn kept(target: &Target, variables: bool) -> Vec<KeptFields<'_>> {
    type Of<'a> = (Differs<'a>, Vec<String>);
    let mut by_object: BTreeMap<(&ObjectId, &str, Option<&str>), Of<'_>> = BTreeMap::new();
    for note in target.notes.iter().filter(|note| note.is_kept_variable() == variables) {
        if let Note::Kept { object, path, by, text, from, to, parts } = note {
            let (of_object, paths) = by_object.entry((object, by.as_str(), text.as_deref())).or_default();
            of_object.0.extend((!path.is_empty()).then(|| both(path, from.as_ref(), to.as_ref())));
            of_object.1.extend(parts);
            paths.extend((!path.is_empty()).then(|| path.join(".")));
        }
    }
    let one = |((object, by, text), ((fields, parts), paths))| KeptFields { object, fields, paths, parts, by, text };
    by_object.into_iter().map(one).collect()
}

fn overridden(target: &Target) -> Vec<OverriddenFields<'_>> {
    let mut by_object: BTreeMap<(&ObjectId, &Writer, bool), Differs<'_>> = BTreeMap::new();
    for note in &target.notes {
        if let Note::Overridden { object, path, by, writer, from, to, parts } = note {
            let of_object = by_object.entry((object, writer, by == writer)).or_default();
            of_object.0.push(both(path, Some(from), Some(to)));
            of_object.1.extend(parts);
        }
    }
    let one = |((object, writer, is_left_alone), (fields, parts))| OverriddenFields {
        object,
        fields,
        parts,
        writer,
        is_left_alone,
    };
    by_object.into_iter().map(one).collect()
}

/// The manual steps; a Secret that several connections need occurs once.
fn manual(target: &Target) -> Vec<Manual<'_>> {
    let mut seen = BTreeSet::new();
    let mut needs: BTreeMap<&str, SecretNeed> = BTreeMap::new();
    for note in &target.notes {
        if let Note::Manual { secret: Some(need), .. } = note {
            needs.entry(&need.name).or_insert_with(|| need.clone()).take_in(need);
        }
    }
    let todo = target.notes.iter().filter_map(|note| match note {
        Note::Manual { who, count, secret: Some(need), object, .. } => {
            let text = needs.remove(need.name.as_str())?.to_string().into();
            Some(Manual { object, who, count: *count, text })
        }
        Note::Manual { object, who, count, text, secret: None } => {
            Some(Manual { object, who, count: *count, text: text.as_str().into() })
        }
        _ => None,
    });
    todo.filter(|todo| seen.insert((todo.object, todo.who, todo.text.clone()))).collect()
}
