//! The plan: what it consists of, and its JSON form (schema `stablekey.dev/plan/v1`).

use crate::api::Kind;
use crate::engine::model::canonical::{Digest, FieldHash, Json};
use crate::engine::model::code::{Code, Severity};
use crate::engine::model::field::Field;
use crate::engine::model::finding::{At, Finding};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::record::{Record, Writer};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The schema that a plan's JSON names.
pub const PLAN_SCHEMA: &str = "stablekey.dev/plan/v1";

/// The ordered changes that take live to declared, with reasons.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    // In the order of their names, as JSON has them: a large plan is then written as it comes.
    /// Sums.
    pub counts: Counts,
    /// The exit code.
    pub exit: u8,
    /// What the checks say, worst first.
    pub findings: Vec<Finding>,
    /// [`PLAN_SCHEMA`].
    pub schema: &'static str,
    /// What it was narrowed to; empty lists mean all.
    pub scope: Scope,
    /// What was passed over while reading.
    pub skipped: Skipped,
    /// One per tenant, by name.
    pub targets: Vec<Target>,
}

/// What a plan is narrowed to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Scope {
    /// Tenants that may be written; empty: all.
    pub tenants: BTreeSet<String>,
    /// Integrations, with the connections that they use; empty: all.
    pub integrations: BTreeSet<String>,
    /// Syncs that are carried out; empty: all.
    pub syncs: BTreeSet<String>,
}

/// What was passed over while reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Skipped {
    /// Documents of other kinds than ours.
    pub other_kinds: usize,
    /// Tenants and TenantSyncs that have a meaning in a cluster only.
    #[serde(skip_serializing_if = "is_none")]
    pub for_clusters: usize,
    /// Links, FIFOs and devices outside tenants' folders.
    #[serde(skip)]
    pub links: usize,
}

fn is_none(number: &usize) -> bool {
    *number == 0
}

/// What happens in one tenant.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    // In the order of their names, as JSON has them.
    /// In the order in which they are carried out.
    pub actions: Vec<Action>,
    /// One per writer, over its actions.
    pub digests: BTreeMap<String, Digest>,
    /// What is not an action, and why.
    pub notes: Vec<Note>,
    /// Whether it could be read.
    pub state: State,
    /// Whether the tenant is suspended: its actions wait.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
    /// The suspended syncs into it, and how many actions of each wait. None of them is among `actions`.
    #[serde(rename = "suspendedSyncs", skip_serializing_if = "BTreeMap::is_empty")]
    pub suspended_syncs: BTreeMap<String, usize>,
    /// Its name.
    pub tenant: String,
    /// Why it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Whether all that is declared for it is known: it, its source and what syncs copy into it were read whole.
    #[serde(skip)]
    pub known: bool,
    /// Who declares, or wrote, the objects that the notes are about.
    #[serde(skip)]
    pub concerned: BTreeMap<ObjectId, BTreeSet<Writer>>,
}

impl Target {
    /// The notes that are about what a writer declares or wrote, and those that are about nobody's.
    pub fn notes_of<'t>(&'t self, writer: &'t Writer) -> impl Iterator<Item = &'t Note> {
        let concerns =
            |id: &ObjectId| self.concerned.get(id).is_none_or(|writers| writers.is_empty() || writers.contains(writer));
        self.notes.iter().filter(move |note| concerns(note.object()))
    }
}

/// Whether a tenant could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It was.
    Read,
    /// It was not.
    Unreachable,
}

/// What an action does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionKind {
    /// Makes an object.
    Create,
    /// Changes fields of an object.
    Update,
    /// Writes only the record.
    Adopt,
    /// Removes an object.
    Delete,
}

impl ActionKind {
    /// As the plan shows it.
    pub const fn as_str(self) -> &'static str {
        match self {
            ActionKind::Create => "create",
            ActionKind::Update => "update",
            ActionKind::Adopt => "adopt",
            ActionKind::Delete => "delete",
        }
    }
}

/// One change of one object.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// `tenant/Kind/name`.
    pub id: String,
    /// Over its values, the object as it is, and what decided it.
    pub digest: Digest,
    /// What it does.
    pub action: ActionKind,
    /// For whom.
    pub writers: BTreeSet<Writer>,
    /// Why.
    pub reason: Reason,
    /// Actions that must be done before, by id.
    pub after: BTreeSet<String>,
    /// What changes.
    pub fields: Vec<FieldChange>,
    /// Who is affected.
    pub impact: Impact,
    /// Why a person must approve it; empty: nobody must.
    pub needs_approval: Vec<Approval>,
    /// Where a person would look for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<At>,
    /// The overrides that give changed fields their values. In no digest: the values are.
    #[serde(skip)]
    pub overrides: Vec<OverrideOf>,
    /// What a location needs to carry it out.
    #[serde(skip)]
    pub change: Change,
}

impl Action {
    /// An action of one object in a tenant, which changes nothing yet.
    pub fn of(tenant: &str, object: &ObjectId, action: ActionKind, reason: Reason) -> Self {
        Action {
            id: format!("{tenant}/{object}"),
            digest: Digest::of(&[]),
            action,
            writers: BTreeSet::new(),
            reason,
            after: BTreeSet::new(),
            fields: Vec::new(),
            impact: Impact::default(),
            needs_approval: Vec::new(),
            at: None,
            overrides: Vec::new(),
            change: Change {
                object: object.clone(),
                before: None,
                after: None,
                record: None,
                definition: None,
                resumptions: Vec::new(),
                left: BTreeMap::new(),
            },
        }
    }
}

/// The override of a sync that gives a field its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverrideOf {
    /// The field.
    pub field: Field<'static>,
    /// The sync.
    pub writer: Writer,
    /// The position of the override in the sync.
    pub position: usize,
    /// Why it is there.
    pub reason: String,
}

/// What a location needs to carry out an action.
#[derive(Clone, Debug)]
pub struct Change {
    /// Which object.
    pub object: ObjectId,
    /// The object as it is; `None` before a create.
    pub before: Option<Item>,
    /// The object as it will be; `None` after a delete.
    pub after: Option<Item>,
    /// The record as it will be; `None`: it is dropped.
    pub record: Option<Arc<Record>>,
    /// The integration of which tenant brings a new definition; `None`: it does not change.
    pub definition: Option<DefinitionFrom>,
    /// What of this action may be left after it was cut off half-way: digests that an approval of
    /// this action covers too.
    pub resumptions: Vec<Digest>,
    /// What the tenant's own record keeps of an object that goes: where it sent its secrets ([`Record::sent`]).
    pub left: BTreeMap<FieldHash, FieldHash>,
}

/// Where the bytes of a definition come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionFrom {
    /// The tenant.
    pub tenant: String,
    /// Whether from its source rather than its location.
    pub source: bool,
    /// The integration's name.
    pub integration: String,
    /// The digest that the bytes must have.
    pub digest: String,
}

/// Why an action is planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// One word for machines.
    pub code: &'static str,
    /// A sentence for people.
    pub text: String,
}

/// A change of one field.
#[derive(Clone, Debug, Serialize)]
pub struct FieldChange {
    /// Which one.
    #[serde(rename = "path", serialize_with = "path")]
    pub field: Field<'static>,
    /// What happens to it.
    pub op: Op,
    /// Its value now; absent: it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Json>,
    /// Its value then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Json>,
    /// What of a definition comes, goes and changes: `+ step New lead › Score lead (code/runCode)`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
    /// Who else holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

fn path<S: serde::Serializer>(field: &Field<'_>, to: S) -> Result<S::Ok, S::Error> {
    field.path().serialize(to)
}

/// What happens to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// It is written.
    Set,
    /// It is taken away.
    Remove,
    /// It is as declared already: only the record changes.
    Record,
    /// It was changed by others and is declared no longer: the record drops it.
    Forget,
    /// It is declared no longer, and somebody else holds it too: the record drops it.
    Release,
}

/// Who is affected by an action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Impact {
    /// The integrations that use the connection, or the integration itself.
    pub integrations: Vec<AffectedIntegration>,
    /// How many customers have credentials for the connection.
    pub customers: usize,
}

/// An integration that is affected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AffectedIntegration {
    /// Its name.
    pub name: String,
    /// How many of its flows use the connection.
    pub flows: usize,
    /// How many steps and data sources do.
    pub steps: usize,
}

/// Why a person must approve an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Approval {
    /// The check that says so.
    pub code: Code,
    /// In words.
    pub why: String,
}

/// What is not an action, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "note", rename_all = "camelCase")]
pub enum Note {
    /// Declared, and cannot be done.
    Blocked {
        /// Which object.
        object: ObjectId,
        /// The check that says so.
        code: Code,
        /// What is in the way.
        text: String,
        /// What would fix it.
        fix: String,
    },
    /// The target's own; left as it is.
    Kept {
        /// Which object.
        object: ObjectId,
        /// Which field; empty: the whole object.
        path: Vec<String>,
        /// By whom.
        by: String,
        /// Why, where it is not plain.
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// Its value there.
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<Json>,
        /// Its value as it is declared.
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<Json>,
        /// What of a definition would come, go and change to be as it is declared.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        parts: Vec<String>,
    },
    /// Wanted by a sync, and declared otherwise by the target's own source, which goes before it, or left alone
    /// by an override.
    Overridden {
        /// Which object.
        object: ObjectId,
        /// Which field.
        path: Vec<String>,
        /// Who decides: the target's own source, or the sync itself by an override.
        by: Writer,
        /// The sync that wants another value.
        writer: Writer,
        /// The value that holds.
        from: Json,
        /// The value that the sync declares.
        to: Json,
        /// What of a definition would come, go and change.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        parts: Vec<String>,
    },
    /// Changed by others since we wrote it.
    Drift {
        /// Which object.
        object: ObjectId,
        /// Which field.
        path: Vec<String>,
        /// Whether it is left so.
        left: bool,
        /// Who changed it, where the location knows.
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// Its value there; absent: it has none.
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<Json>,
        /// Its value as it is declared.
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<Json>,
        /// What of a definition would come, go and change to be as it is declared.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        parts: Vec<String>,
        /// Whether nobody wants to hear of it.
        #[serde(skip)]
        ignored: bool,
    },
    /// What a person must do.
    Manual {
        /// For which object.
        object: ObjectId,
        /// Who.
        who: &'static str,
        /// How many of them.
        count: usize,
        /// What.
        text: String,
        /// The Secret to supply, where that is it: several connections may need one.
        #[serde(skip)]
        secret: Option<SecretNeed>,
    },
}

/// A Secret that somebody must supply.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretNeed {
    /// Its name.
    pub name: String,
    /// Its keys that are needed.
    pub keys: BTreeSet<String>,
    /// The stable keys that need it: those that it must opt in for.
    pub stable_keys: BTreeSet<String>,
}

impl SecretNeed {
    /// Takes in what another connection needs of the same Secret.
    pub fn take_in(&mut self, other: &SecretNeed) {
        self.keys.extend(other.keys.iter().cloned());
        self.stable_keys.extend(other.stable_keys.iter().cloned());
    }
}

impl std::fmt::Display for SecretNeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let join = |names: &BTreeSet<String>, by: &str| names.iter().map(String::as_str).collect::<Vec<_>>().join(by);
        write!(
            f,
            "supply Secret {} with {} {} (label stablekey.dev/for: connections; add {} to its annotation \
             stablekey.dev/keys, beside what it has)",
            self.name,
            if self.keys.len() == 1 { "key" } else { "keys" },
            join(&self.keys, ", "),
            join(&self.stable_keys, ",")
        )
    }
}

impl Note {
    /// Whether something declared is not reached: it is blocked, has drifted and is left so, or is a variable
    /// that means something else there.
    pub fn is_unreached(&self) -> bool {
        matches!(self, Note::Blocked { .. } | Note::Drift { left: true, ignored: false, .. }) || self.is_held_variable()
    }

    /// Whether it is a variable that the target binds otherwise than is declared.
    pub fn is_held_variable(&self) -> bool {
        matches!(self, Note::Kept { object, path, .. }
            if object.kind == Kind::Integration && path.len() == 2 && path.first().is_some_and(|p| p == "connections"))
    }

    /// The object that it is about.
    pub fn object(&self) -> &ObjectId {
        match self {
            Note::Blocked { object, .. }
            | Note::Kept { object, .. }
            | Note::Overridden { object, .. }
            | Note::Drift { object, .. }
            | Note::Manual { object, .. } => object,
        }
    }
}

/// Sums over all targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Counts {
    pub create: usize,
    pub update: usize,
    pub adopt: usize,
    pub delete: usize,
    pub needs_approval: usize,
    pub blocked: usize,
    pub kept: usize,
    pub drift: usize,
    pub manual: usize,
}

impl Plan {
    /// Whether nothing may be written: no action is left but those of suspended tenants.
    pub fn writes_nothing(&self) -> bool {
        self.targets.iter().all(|target| target.suspended || target.actions.is_empty())
    }

    /// The exit code of an apply that this plan comes after: what suspended tenants wait with is none.
    pub fn exit_of_apply(&self) -> u8 {
        if self.exit == 2 && self.writes_nothing() { 0 } else { self.exit }
    }

    /// Whether no action is left.
    pub fn is_empty(&self) -> bool {
        self.targets.iter().all(|target| target.actions.is_empty())
    }

    /// Every action with its tenant, target by target; across targets, `after` says what comes first.
    pub fn actions(&self) -> impl Iterator<Item = (&Target, &Action)> {
        self.targets.iter().flat_map(|target| target.actions.iter().map(move |action| (target, action)))
    }

    /// Counts again and sets the exit code: to be called after findings or actions were taken out or added.
    pub fn recount(&mut self) {
        let mut counts = Counts::default();
        let mut unreached = self.findings.iter().any(|f| f.severity == Severity::Unreached);
        for target in &self.targets {
            for action in &target.actions {
                match action.action {
                    ActionKind::Create => counts.create += 1,
                    ActionKind::Update => counts.update += 1,
                    ActionKind::Adopt => counts.adopt += 1,
                    ActionKind::Delete => counts.delete += 1,
                }
                counts.needs_approval += usize::from(!action.needs_approval.is_empty());
            }
            for note in &target.notes {
                match note {
                    Note::Blocked { .. } => counts.blocked += 1,
                    Note::Kept { .. } => counts.kept += 1,
                    Note::Drift { .. } => counts.drift += 1,
                    Note::Manual { .. } => counts.manual += 1,
                    Note::Overridden { .. } => {}
                }
                unreached |= note.is_unreached();
            }
        }
        let wrong = self.findings.iter().any(|f| f.severity == Severity::Error)
            || self.targets.iter().any(|t| t.state == State::Unreachable);
        self.counts = counts;
        self.exit = if wrong {
            1
        } else if unreached {
            3
        } else if !self.is_empty() {
            2
        } else {
            0
        };
    }
}
