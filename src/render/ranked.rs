//! What a plan says of one tenant, worst first: the order in which every form shows it.

use super::escape::shorten;
use super::value::words_beside;
use crate::engine::canonical::Json;
use crate::engine::code::{Code, Severity};
use crate::engine::item::ObjectId;
use crate::engine::plan::{Action, ActionKind, At, Finding, Note, Plan, SecretNeed, State, Target};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// One tenant's part of a plan, sorted for people.
#[derive(Debug)]
pub(super) struct Ranked<'a> {
    pub target: &'a Target,
    /// Where it is said where the tenant is, where it cannot be read.
    pub at: Option<&'a At>,
    pub errors: Vec<&'a Finding>,
    pub blocked: Vec<&'a Note>,
    pub unreached: Vec<&'a Finding>,
    pub needs_approval: Vec<&'a Action>,
    pub drifted: Vec<Drifted<'a>>,
    pub updates: Vec<&'a Action>,
    pub creates: Vec<&'a Action>,
    pub deletes: Vec<&'a Action>,
    pub adopts: Vec<&'a Action>,
    pub held: Vec<Held<'a>>,
    pub warnings: Vec<&'a Finding>,
    pub by_hand: Vec<ByHand<'a>>,
}

/// The fields of one object that are the target's own.
#[derive(Debug)]
pub(super) struct Held<'a> {
    pub object: &'a ObjectId,
    pub fields: Vec<String>,
    pub by: &'a str,
    pub text: Option<&'a str>,
}

/// Something that a person must do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ByHand<'a> {
    pub object: &'a ObjectId,
    pub who: &'a str,
    pub count: usize,
    pub text: Cow<'a, str>,
}

impl ByHand<'_> {
    /// Who, and how many where they are several: `customers (41)`.
    pub fn whom(&self) -> String {
        if self.count > 1 {
            format!("{} ({})", self.who, super::escape::thousands(self.count))
        } else {
            self.who.into()
        }
    }
}

/// Every tenant of a plan, the worst first.
pub(super) fn targets(plan: &Plan) -> Vec<Ranked<'_>> {
    let mut targets: Vec<Ranked<'_>> = plan.targets.iter().map(|target| Ranked::of(plan, target)).collect();
    targets.sort_by_key(|ranked| (ranked.rank(), ranked.target.tenant.as_str()));
    targets
}

/// The findings that are of no tenant that the plan shows.
pub(super) fn of_no_target(plan: &Plan) -> Vec<&Finding> {
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
            plan.findings.iter().find(|f| f.tenant.as_ref() == Some(&target.tenant) && is_said_by_state(f, target));
        Ranked {
            target,
            at: unreachable.and_then(|finding| finding.at.as_ref()),
            errors: here(Severity::Error).into_iter().filter(|f| !is_said_by_state(f, target)).collect(),
            blocked: target.notes.iter().filter(|n| matches!(n, Note::Blocked { .. })).collect(),
            unreached: here(Severity::Unreached),
            needs_approval: target.actions.iter().filter(|a| !a.needs_approval.is_empty()).collect(),
            drifted: drifted(target),
            updates: actions(ActionKind::Update),
            creates: actions(ActionKind::Create),
            deletes: actions(ActionKind::Delete),
            adopts: actions(ActionKind::Adopt),
            held: held(target),
            warnings: here(Severity::Warning),
            by_hand: by_hand(target),
        }
    }

    /// How bad it is; 0 is worst.
    fn rank(&self) -> u8 {
        match () {
            () if self.target.state == State::Unreachable => 0,
            () if !self.errors.is_empty() => 1,
            () if !self.blocked.is_empty() || !self.unreached.is_empty() => 2,
            () if !self.needs_approval.is_empty() => 3,
            () if !self.drifted.is_empty() => 4,
            () if !self.target.actions.is_empty() => 5,
            () => 6,
        }
    }

    /// Whether there is nothing that anybody must do or know now.
    pub fn is_quiet(&self) -> bool {
        self.rank() == 6
    }
}

/// What of one object drifted.
#[derive(Debug)]
pub struct Drifted<'a> {
    /// Which object.
    pub object: &'a ObjectId,
    /// Its fields, with both values.
    pub fields: Vec<String>,
    /// Who changed them, as far as that is known.
    pub by: BTreeSet<&'a str>,
}

impl Drifted<'_> {
    /// ` by kubectl-edit`; nothing where it is not known.
    pub fn by(&self) -> String {
        let names: Vec<&str> = self.by.iter().copied().collect();
        if names.is_empty() { String::new() } else { format!(" by {}", names.join(" and ")) }
    }
}

/// That a tenant is unreachable is said once.
fn is_said_by_state(finding: &Finding, target: &Target) -> bool {
    target.state == State::Unreachable && finding.code == Code::TenantUnreachable
}

fn drifted(target: &Target) -> Vec<Drifted<'_>> {
    let mut by_object: BTreeMap<&ObjectId, Drifted<'_>> = BTreeMap::new();
    for note in &target.notes {
        // What is put right is an update and shown there; what is ignored is not wanted.
        if let Note::Drift { object, path, left: true, ignored: false, from, to, by } = note {
            let none = || Drifted { object, fields: Vec::new(), by: BTreeSet::new() };
            let drifted = by_object.entry(object).or_insert_with(none);
            drifted.fields.push(both(path, from.as_ref(), to.as_ref()));
            drifted.by.extend(by.as_deref());
        }
    }
    by_object.into_values().collect()
}

/// A field with what it is in the tenant and what is declared.
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

fn held(target: &Target) -> Vec<Held<'_>> {
    let mut by_object: BTreeMap<(&ObjectId, &str, Option<&str>), Vec<String>> = BTreeMap::new();
    for note in &target.notes {
        if let Note::Held { object, path, by, text, from, to } = note {
            let fields = by_object.entry((object, by.as_str(), text.as_deref())).or_default();
            fields.extend((!path.is_empty()).then(|| both(path, from.as_ref(), to.as_ref())));
        }
    }
    by_object.into_iter().map(|((object, by, text), fields)| Held { object, fields, by, text }).collect()
}

/// What people must do; a Secret that several connections need, once.
fn by_hand(target: &Target) -> Vec<ByHand<'_>> {
    let mut seen = BTreeSet::new();
    let mut needs: BTreeMap<&str, SecretNeed> = BTreeMap::new();
    for note in &target.notes {
        if let Note::ByHand { secret: Some(need), .. } = note {
            needs.entry(&need.name).or_insert_with(|| need.clone()).take_in(need);
        }
    }
    let todo = target.notes.iter().filter_map(|note| match note {
        Note::ByHand { who, count, secret: Some(need), object, .. } => {
            let text = needs.remove(need.name.as_str())?.to_string().into();
            Some(ByHand { object, who, count: *count, text })
        }
        Note::ByHand { object, who, count, text, secret: None } => {
            Some(ByHand { object, who, count: *count, text: text.as_str().into() })
        }
        _ => None,
    });
    todo.filter(|todo| seen.insert((todo.object, todo.who, todo.text.clone()))).collect()
}
