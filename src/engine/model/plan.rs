//! The plan and its JSON form (schema `stablekey.dev/plan/v1`).

use crate::api::{Kind, ReceiptCounts};
use crate::engine::model::canonical::{Digest, FieldHash, Json};
use crate::engine::model::code::{Code, Severity};
use crate::engine::model::command::EditCommand;
use crate::engine::model::field::Field;
use crate::engine::model::finding::{At, Finding};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::record::{Record, Writer};
use crate::engine::model::revert::Revert;
use crate::engine::model::stages::StageWait;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The schema of a plan's JSON.
pub const PLAN_SCHEMA: &str = "stablekey.dev/plan/v1";

/// The ordered changes from the live state to the desired state, with reasons.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    // Fields are sorted by name, as JSON has them: a large plan is then written without sorting.
    /// The totals.
    pub counts: Counts,
    /// The exit code.
    pub exit: u8,
    /// The findings of the checks, worst first.
    pub findings: Vec<Finding>,
    /// The value [`PLAN_SCHEMA`].
    pub schema: &'static str,
    /// The scope of the plan; empty lists mean all.
    pub scope: Scope,
    /// What was skipped while reading.
    pub skipped: Skipped,
    /// One entry per tenant, sorted by name.
    pub targets: Vec<Target>,
}

/// The scope that a plan is narrowed to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Scope {
    /// Tenants that may be written; empty: all.
    pub tenants: BTreeSet<String>,
    /// Integrations, with the connections that they use; empty: all.
    pub integrations: BTreeSet<String>,
    /// Syncs that are carried out; empty: all.
    pub syncs: BTreeSet<String>,
    /// The secrets to send again in the tenant, as `KEY` or `KEY/INPUT`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub resend: BTreeSet<String>,
    /// What is to be put back in the tenant, and nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revert: Option<Revert>,
}

impl Scope {
    /// Whether nothing is left out.
    pub fn is_whole(&self) -> bool {
        *self == Scope::default()
    }
}

/// What was skipped while reading.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Skipped {
    /// Documents of other kinds.
    pub other_kinds: usize,
    /// Tenants and TenantSyncs that apply to a cluster only.
    #[serde(skip_serializing_if = "is_none")]
    pub for_clusters: usize,
    /// Links, FIFOs and devices outside tenants' folders.
    #[serde(skip)]
    pub links: usize,
    /// What every plan says about locations: a record that only this machine has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cautions: Vec<String>,
}

fn is_none(number: &usize) -> bool {
    *number == 0
}

/// The plan for one tenant.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    // Fields are sorted by name, as JSON has them.
    /// The actions, in the order of execution.
    pub actions: Vec<Action>,
    /// A digest per writer, over its actions.
    pub digests: BTreeMap<String, Digest>,
    /// Changes that are not actions, with the reason.
    pub notes: Vec<Note>,
    /// By sync: what it waits for in the tenant, which is in a later stage.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub stages: BTreeMap<Writer, StageWait>,
    /// Whether the tenant could be read.
    pub state: State,
    /// Whether the tenant is suspended: its actions wait.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
    /// The suspended syncs into the tenant, with the number of actions that wait. None of these is in `actions`.
    #[serde(rename = "suspendedSyncs", skip_serializing_if = "BTreeMap::is_empty")]
    pub suspended_syncs: BTreeMap<String, usize>,
    /// The name of the tenant.
    pub tenant: String,
    /// The actions that wait for an earlier stage of a sync, and what depends on them. None of these is in `actions`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Action>,
    /// The reason why the tenant could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Whether everything declared for the tenant is known: the tenant, its source and the sources of its syncs were
    /// read completely.
    #[serde(skip)]
    pub known: bool,
    /// The writers that declare or wrote the objects of the notes.
    #[serde(skip)]
    pub concerned: BTreeMap<ObjectId, BTreeSet<Writer>>,
    /// What waits for the suspended syncs into the tenant.
    #[serde(skip)]
    pub waits_for_resume: WaitsForResume,
}

/// What waits for the suspended syncs into a tenant.
#[derive(Clone, Debug, Default)]
pub struct WaitsForResume {
    /// The objects in which what they declare is not in effect, and what would follow from it in further tenants.
    pub objects: BTreeSet<ObjectId>,
    /// Whether nothing else waits: their sources were read completely, and each would be carried out.
    pub is_complete: bool,
    /// Whether more may wait here for suspended syncs that lead to the same tenants: they are too many to plan each alone.
    pub are_too_many: bool,
}

impl Target {
    /// A target without actions and notes.
    pub fn empty(tenant: &str, state: State) -> Self {
        Target {
            actions: Vec::new(),
            digests: BTreeMap::new(),
            notes: Vec::new(),
            stages: BTreeMap::new(),
            state,
            suspended: false,
            suspended_syncs: BTreeMap::new(),
            tenant: tenant.to_string(),
            waiting: Vec::new(),
            why: None,
            known: false,
            concerned: BTreeMap::new(),
            waits_for_resume: WaitsForResume::default(),
        }
    }

    /// The writers with actions that need approval, each with the digest that approves all that it does here.
    pub fn approvals(&self) -> impl Iterator<Item = (&str, &Digest)> {
        let needs = |writer: &str| self.actions_to_approve(writer).next().is_some();
        self.digests.iter().filter(move |(writer, _)| needs(writer)).map(|(writer, digest)| (writer.as_str(), digest))
    }

    /// The actions of a writer that need approval.
    pub fn actions_to_approve<'t>(&'t self, writer: &'t str) -> impl Iterator<Item = &'t Action> {
        let is_of_it = move |action: &&Action| action.writers.iter().any(|one| one.to_string() == writer);
        self.actions.iter().filter(|action| !action.needs_approval.is_empty()).filter(is_of_it)
    }

    /// The actions of a writer that wait for an earlier stage.
    pub fn waiting_of<'t>(&'t self, writer: &'t Writer) -> impl Iterator<Item = &'t Action> {
        self.waiting.iter().filter(move |action| action.writers.contains(writer))
    }

    /// The notes about objects that a writer declares or wrote, and those about objects without a writer.
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
    /// The tenant was read.
    Read,
    /// The tenant could not be read.
    Unreachable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionKind {
    /// Creates an object.
    Create,
    /// Changes fields of an object.
    Update,
    /// Writes only the ownership record.
    Adopt,
    /// Deletes an object.
    Delete,
}

impl ActionKind {
    /// The name in plans.
    pub const fn as_str(self) -> &'static str {
        match self {
            ActionKind::Create => "create",
            ActionKind::Update => "update",
            ActionKind::Adopt => "adopt",
            ActionKind::Delete => "delete",
        }
    }

    /// Adds an action of this kind that was carried out.
    pub fn count_in(self, counts: &mut ReceiptCounts) {
        let count = match self {
            ActionKind::Create => &mut counts.create,
            ActionKind::Update => &mut counts.update,
            ActionKind::Adopt => &mut counts.adopt,
            ActionKind::Delete => &mut counts.delete,
        };
        *count = count.saturating_add(1);
    }
}

/// A change of one object.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// `tenant/Kind/name`.
    pub id: String,
    /// The digest over its values, the object before the change, and what decided it.
    pub digest: Digest,
    /// The kind of the action.
    pub action: ActionKind,
    /// The writers that want the action.
    pub writers: BTreeSet<Writer>,
    /// The reason for the action.
    pub reason: Reason,
    /// Ids of actions that must be done before.
    pub after: BTreeSet<String>,
    /// The changes per field.
    pub fields: Vec<FieldChange>,
    /// The integrations and customers that are affected.
    pub impact: Impact,
    /// Why the action needs approval; empty if it does not.
    pub needs_approval: Vec<Approval>,
    /// The position in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<At>,
    /// The overrides that set changed fields. Not part of a digest, which covers the values.
    #[serde(skip)]
    pub overrides: Vec<OverrideOf>,
    /// The data that a location needs to carry out the action.
    #[serde(skip)]
    pub change: Change,
}

impl Action {
    /// Builds an action on one object without changes.
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
    /// The field that the override sets.
    pub field: Field<'static>,
    /// The sync that has the override.
    pub writer: Writer,
    /// The position of the override in the sync.
    pub position: usize,
    /// The reason given in the override.
    pub reason: String,
}

/// The data that a location needs to carry out an action.
#[derive(Clone, Debug)]
pub struct Change {
    /// The object to change.
    pub object: ObjectId,
    /// The object before the change; `None` for a create.
    pub before: Option<Item>,
    /// The object after the change; `None` for a delete.
    pub after: Option<Item>,
    /// The ownership record after the change; `None` if it is removed.
    pub record: Option<Arc<Record>>,
    /// The origin of a new definition; `None` if the definition does not change.
    pub definition: Option<DefinitionFrom>,
    /// Digests of the possible remainders after an interruption: an approval of this action covers them too.
    pub resumptions: Vec<Digest>,
    /// For a deleted object: the hosts of its secrets, to be kept in the tenant's own record ([`Record::sent`]).
    pub left: BTreeMap<FieldHash, FieldHash>,
}

/// The origin of a definition's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionFrom {
    /// The tenant that has the definition.
    pub tenant: String,
    /// Whether it is read from the tenant's source instead of its location.
    pub source: bool,
    /// The name of the integration.
    pub integration: String,
    /// The digest that the bytes must have.
    pub digest: String,
}

/// The reason for an action.
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
    /// The field that changes.
    #[serde(rename = "path", serialize_with = "path")]
    pub field: Field<'static>,
    /// The operation on the field.
    pub op: Op,
    /// The value before; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Json>,
    /// The value after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Json>,
    /// The parts of a definition that are added, removed and changed: `+ step New lead › Score lead (code/runCode)`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
    /// The other owner of the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

fn path<S: serde::Serializer>(field: &Field<'_>, to: S) -> Result<S::Ok, S::Error> {
    field.path().serialize(to)
}

/// An operation on a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// The value is written.
    Set,
    /// The field is removed.
    Remove,
    /// The value is the desired one already: only the ownership record changes.
    Record,
    /// Others changed the field, and it is no longer declared: it is removed from the ownership record.
    Forget,
    /// The field is no longer declared, and has another owner: it is removed from the ownership record.
    Release,
}

/// The integrations and customers that an action affects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Impact {
    /// The integrations that use the connection, or the changed integration.
    pub integrations: Vec<AffectedIntegration>,
    /// The number of customers with credentials for the connection.
    pub customers: usize,
    /// The embedded workflows that use the connection.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub workflows: Vec<String>,
    /// The number of deployed instances, where the location tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instances: Option<usize>,
    /// Whether the action redeploys them, so that they use the new values.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub redeploys: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AffectedIntegration {
    /// The name of the integration.
    pub name: String,
    /// The number of flows that use the connection.
    pub flows: usize,
    /// The number of steps and data sources that use the connection.
    pub steps: usize,
}

/// A reason why an action needs approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Approval {
    /// The check that requires it.
    pub code: Code,
    /// The reason as text.
    pub why: String,
}

/// An item that is not an action, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "note", rename_all = "camelCase")]
pub enum Note {
    /// A desired change that cannot be done.
    Blocked {
        /// The object that is blocked.
        object: ObjectId,
        /// The check that blocks it.
        code: Code,
        /// The obstacle.
        text: String,
        /// How to remove the obstacle.
        fix: String,
        /// The commands that make the edit; one of them is enough.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        commands: Vec<EditCommand>,
    },
    /// A value that the target keeps.
    Kept {
        /// The object that keeps a value.
        object: ObjectId,
        /// The path of the field; empty for the whole object.
        path: Vec<String>,
        /// The owner of the value.
        by: String,
        /// The reason, if it is not obvious.
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// The live value.
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<Json>,
        /// The desired value.
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<Json>,
        /// The parts of a definition that would be added, removed and changed.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        parts: Vec<String>,
    },
    /// A sync wants another value than the target's own source, which has precedence, or than an override keeps.
    Overridden {
        /// The object with the overridden field.
        object: ObjectId,
        /// The path of the field.
        path: Vec<String>,
        /// What decides the value: the target's own source, or an override of the sync itself.
        by: Writer,
        /// The sync that wants another value.
        writer: Writer,
        /// The value in effect.
        from: Json,
        /// The value that the sync declares.
        to: Json,
        /// The parts of a definition that would be added, removed and changed.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        parts: Vec<String>,
    },
    /// A field that others changed after Stablekey wrote it.
    Drift {
        /// The object that drifted.
        object: ObjectId,
        /// The path of the field.
        path: Vec<String>,
        /// Whether the drift is left unchanged.
        left: bool,
        /// The owner who changed it, if the location knows it.
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// The live value; absent if there is none.
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<Json>,
        /// The desired value.
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<Json>,
        /// The parts of a definition that would be added, removed and changed.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        parts: Vec<String>,
        /// Whether the policy ignores the drift.
        #[serde(skip)]
        ignored: bool,
    },
    /// A manual step.
    Manual {
        /// The object that needs the step.
        object: ObjectId,
        /// The people who have to do it.
        who: &'static str,
        /// The number of those people.
        count: usize,
        /// The step.
        text: String,
        /// The Secret to supply, if that is the step: several connections may need the same one.
        #[serde(skip)]
        secret: Option<SecretNeed>,
    },
}

/// A Secret that a person must supply.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretNeed {
    /// The name of the Secret.
    pub name: String,
    /// The required keys in its data.
    pub keys: BTreeSet<String>,
    /// The stable keys that the Secret must opt in for.
    pub stable_keys: BTreeSet<String>,
}

impl SecretNeed {
    /// Adds the needs of another connection for the same Secret.
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
    /// Whether something declared is unresolved: it is blocked, has drifted and is left unchanged, or is a variable
    /// that the target binds differently.
    pub fn is_unresolved(&self) -> bool {
        matches!(self, Note::Blocked { .. } | Note::Drift { left: true, ignored: false, .. }) || self.is_kept_variable()
    }

    /// Whether it is a variable that the target binds differently from what is declared.
    pub fn is_kept_variable(&self) -> bool {
        matches!(self, Note::Kept { object, path, .. }
            if object.kind == Kind::Integration && path.len() == 2 && path.first().is_some_and(|p| p == "connections"))
    }

    /// The object of the note.
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

/// Totals over all targets.
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
    /// The actions that wait for an earlier stage. They are in no other count.
    #[serde(skip_serializing_if = "is_none")]
    pub waiting: usize,
}

impl Plan {
    /// Whether nothing will be written: the only actions left are those of suspended tenants, and those that wait for an
    /// earlier stage.
    pub fn writes_nothing(&self) -> bool {
        self.targets.iter().all(|target| target.suspended || target.actions.is_empty())
    }

    /// Whether actions wait for an earlier stage, in a tenant that is not suspended.
    pub fn awaits_stage(&self) -> bool {
        self.targets.iter().any(|target| !target.suspended && !target.waiting.is_empty())
    }

    /// The exit code of an apply that ends with this plan: pending actions of suspended tenants do not count.
    pub fn exit_of_apply(&self) -> u8 {
        if self.exit == 2 && self.writes_nothing() && !self.awaits_stage() { 0 } else { self.exit }
    }

    /// Whether no actions are left, not even such that wait.
    pub fn is_empty(&self) -> bool {
        self.targets.iter().all(|target| target.actions.is_empty() && target.waiting.is_empty())
    }

    /// The actions that wait for an earlier stage, with their tenants.
    pub fn waiting(&self) -> impl Iterator<Item = (&Target, &Action)> {
        self.targets.iter().flat_map(|target| target.waiting.iter().map(move |action| (target, action)))
    }

    /// The ids of the actions that wait for a suspended tenant: its own, and those that depend on them.
    pub fn held(&self) -> BTreeSet<&str> {
        let of_suspended = self.targets.iter().filter(|target| target.suspended).flat_map(|target| &target.actions);
        let mut held: BTreeSet<&str> = of_suspended.map(|action| action.id.as_str()).collect();
        let mut before = 0;
        while held.len() > before {
            before = held.len();
            let depends = self.actions().filter(|(_, action)| action.after.iter().any(|id| held.contains(id.as_str())));
            let depends: Vec<&str> = depends.map(|(_, action)| action.id.as_str()).collect();
            held.extend(depends);
        }
        held
    }

    /// All actions with their tenants, target by target; `after` defines the order across targets.
    pub fn actions(&self) -> impl Iterator<Item = (&Target, &Action)> {
        self.targets.iter().flat_map(|target| target.actions.iter().map(move |action| (target, action)))
    }

    /// Recomputes the totals and the exit code. Must be called after findings or actions were removed or added.
    pub fn recount(&mut self) {
        let mut counts = Counts::default();
        let mut unresolved = self.findings.iter().any(|f| f.severity == Severity::Unreached);
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
            counts.waiting += target.waiting.len();
            for note in &target.notes {
                match note {
                    Note::Blocked { .. } => counts.blocked += 1,
                    Note::Kept { .. } => counts.kept += 1,
                    Note::Drift { .. } => counts.drift += 1,
                    Note::Manual { .. } => counts.manual += 1,
                    Note::Overridden { .. } => {}
                }
                unresolved |= note.is_unresolved();
            }
        }
        let wrong = self.findings.iter().any(|f| f.severity == Severity::Error)
            || self.targets.iter().any(|t| t.state == State::Unreachable);
        self.counts = counts;
        self.exit = if wrong {
            1
        } else if unresolved {
            3
        } else if !self.is_empty() {
            2
        } else {
            0
        };
    }
}
