//! Plans one tenant: compares every declared object with the live one.

use super::blocked::Obstacle;
use super::draft::{BoundVariables, Draft, Redirects, overridden};
use super::input::{TenantInput, with_source_unknowns};
use super::let_go::LetGo;
use super::reading::Unknowns;
use super::{digest, manual, redirects, removal, resend};
use crate::api::*;
use crate::engine::bindings::{Bindings, affected};
use crate::engine::check;
use crate::engine::diff::{self, Declaration, Difference, Extent, Sides, WriterPresence};
use crate::engine::hashes::Hashes;
use crate::engine::model::code::Code;
use crate::engine::model::command::EditCommand;
use crate::engine::model::field::{Field, FieldKind, FieldValue};
use crate::engine::model::finding::Finding;
use crate::engine::model::inventory::{Inventory, Publishing};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::*;
use crate::engine::model::record::{Writer, Wrote};
use crate::engine::resolve::Replacements;
use crate::parallel;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

/// The plan of one tenant.
#[derive(Debug)]
pub(super) struct PlannedTenant {
    /// The actions and notes.
    pub target: Target,
    /// The tenant after the plan.
    pub after: Arc<Inventory>,
    /// The findings of the checks.
    pub findings: Vec<Finding>,
    /// The action that creates an object, by object.
    pub made_by: HashMap<ObjectId, String>,
    /// The objects that are removed.
    pub let_go: Arc<LetGo>,
    /// The replacements of stable keys.
    pub replacements: Replacements,
    /// The unreadable parts of the tenant.
    pub reading: Unknowns,
}

/// Plans one tenant.
pub(super) fn plan_tenant(input: &TenantInput<'_>) -> PlannedTenant {
    let mut draft = Draft {
        input,
        after: with_source_unknowns(input),
        actions: Vec::new(),
        notes: Vec::new(),
        findings: Vec::new(),
        made_by: HashMap::new(),
        orphaned: BTreeMap::new(),
        wanted: Vec::new(),
        resolved_by: HashMap::new(),
        occupied: BTreeSet::new(),
        replacements: Default::default(),
        shared_secrets: OnceLock::new(),
        redirects: Redirects::default(),
        hashes: Hashes::of(input.live),
        customers_by_key: Default::default(),
    };
    let of =
        |wanted: &dyn Fn(Kind) -> bool| input.declared.iter().filter(|(id, _)| wanted(id.kind)).collect::<Vec<_>>();
    let none = BTreeSet::new();
    // Where components are not written, those that are there count, and what needs another one is blocked.
    for (id, declarations) in of(&|kind| kind == Kind::Component && input.live.can.writes_components) {
        draft.object(id, declarations, &none, &|| Value::Null);
    }
    let others = of(&|kind| !matches!(kind, Kind::Component | Kind::Integration));
    // Most objects are in sync: these are detected in parallel, and the others are planned one after the other.
    let in_sync = parallel::map(others.len(), &others, |(id, declarations)| draft.is_in_sync(id, declarations));
    for ((id, declarations), _) in others.into_iter().zip(in_sync).filter(|(_, in_sync)| !in_sync) {
        draft.object(id, declarations, &none, &|| Value::Null);
    }
    redirects::mark(&mut draft);
    let connections = draft.after.clone();
    let replacements = Replacements::of(input.tenant, &connections);
    let integrations = of(&|kind| kind == Kind::Integration);
    let bound = parallel::map(input.declared.len(), &integrations, |(id, declarations)| {
        let bound = draft.bind(id, declarations, &connections, &replacements);
        let in_sync = bound.blocked.is_empty() && draft.is_in_sync(id, declarations);
        (bound, in_sync)
    });
    for ((id, _), (bound, in_sync)) in integrations.into_iter().zip(bound) {
        draft.findings.extend(bound.findings);
        for obstacle in bound.problems {
            draft.blocked_by(id, obstacle);
        }
        if !in_sync {
            draft.object(id, &bound.kept, &bound.blocked, &|| decided_by(&bound.bound));
        }
        draft.wanted.push((id.clone(), bound.wanted));
    }
    removal::remove(&mut draft);
    // If no connection was written since, the replacements are the same.
    let same = Arc::ptr_eq(&connections, &draft.after);
    draft.finish(same.then_some(replacements))
}

impl<'a> Draft<'a> {
    /// A file of the tenant that may contain any object.
    pub(super) fn broken_file(&self) -> Option<&str> {
        self.after.unparsed.first().map(String::as_str)
    }

    /// `decided` is the input of the decision beside the desired and live state.
    fn object(
        &mut self,
        id: &ObjectId,
        declarations: &[Declaration],
        blocked: &BTreeSet<Writer>,
        decided: &dyn Fn() -> Value,
    ) {
        let live = self.input.live.get(id);
        let (declarations, blocked) = &self.without_what_contradicts(id, declarations, blocked);
        let (declarations, blocked) = (declarations.as_ref(), blocked.as_ref());
        if declarations.is_empty() || self.is_blocked(id, live.as_ref(), declarations) {
            return;
        }
        self.left_alone(id, live.as_ref(), declarations);
        match self.difference(id, live.as_ref(), declarations, blocked) {
            None => {}
            Some(Difference::Conflict { field, writers }) => self.conflict(id, &field, &writers, declarations),
            Some(Difference::Occupied { field }) => self.occupied(id, &field, declarations),
            Some(Difference::Fields(fields)) => self.fields(id, live, fields, declarations, decided),
        }
    }

    fn difference(
        &self,
        id: &ObjectId,
        live: Option<&Item>,
        declarations: &[Declaration],
        blocked: &BTreeSet<Writer>,
    ) -> Option<Difference> {
        let input = self.input;
        diff::difference(&Sides {
            tenant: input.tenant,
            live,
            record: input.live.record(input.tenant, id),
            declarations,
            drift: input.view.spec.drift(),
            presence: &|writer| {
                if blocked.contains(writer) { WriterPresence::Unsure } else { input.presence(writer, id) }
            },
            holder: &|field| input.live.holder(id, field),
            hashes: &self.hashes,
            definition_is_gone: id.kind == Kind::Integration && input.live.definitions_gone.contains(&id.name),
            revert: input.revert.filter(|revert| revert.object == *id),
        })
    }

    /// Whether an object is in sync and needs no note.
    fn is_in_sync(&self, id: &ObjectId, declarations: &[Declaration]) -> bool {
        let live = self.input.live.get(id).filter(|_| matches!(id.kind, Kind::Connection | Kind::Integration));
        let is_asked_for = id.kind == Kind::Connection && !self.input.view.resend.is_empty();
        let is_to_be_published = id.kind == Kind::Integration
            && self.input.live.can.publishing == Publishing::ByStablekey
            && self.input.live.integration_facts.get(&id.name).is_some_and(|facts| facts.is_draft());
        live.is_some()
            && !is_asked_for
            && !is_to_be_published
            && !self.after.invalid.contains_key(id)
            && declarations.iter().all(|d| d.overrides.as_ref().is_none_or(|o| o.keeps.is_empty()))
            && declarations.iter().all(|d| self.secret_literals(&d.item).is_empty())
            && match self.difference(id, live.as_ref(), declarations, &BTreeSet::new()) {
                None => true,
                Some(Difference::Fields(fields)) => fields.is_empty(),
                Some(_) => false,
            }
    }

    fn is_blocked(&mut self, id: &ObjectId, live: Option<&Item>, declarations: &[Declaration]) -> bool {
        if let Some(why) = self.after.invalid.get(id).cloned() {
            let fix = "correct the document; until then the object is left as it is";
            self.blocked(id, Code::ObjectInvalid, why, fix);
            return true;
        }
        for declaration in declarations {
            let theirs = self.input.upstream.get(&declaration.from).filter(|_| declaration.writer != Writer::Source);
            if let Some(why) = check::certain_mistake(&declaration.item, theirs.unwrap_or(&self.after)) {
                let fix = format!("correct it in {}; until then the object is left as it is", declaration.from);
                self.blocked(id, Code::NameUnknown, why, fix);
                return true;
            }
        }
        if let Some(component) = self.unpublished(declarations) {
            let tenant = self.input.tenant;
            let text = format!("it needs component {component}, which is not in {tenant}");
            self.blocked(id, Code::ComponentNotPublished, text, format!("publish {component} to {tenant} first"));
            return true;
        }
        // Credentials that a customer supplied are only read.
        let of_customer = |item: &Item| matches!(item, Item::CustomerCredentials(c) if c.spec.is_of_customer());
        if live.is_some_and(of_customer) || declarations.iter().any(|d| of_customer(&d.item)) {
            let text = "what a customer supplies is written by the host application only".to_string();
            let by = "the customer".to_string();
            self.notes.push(Note::Kept {
                object: id.clone(),
                path: Vec::new(),
                by,
                text: Some(text),
                from: None,
                to: None,
                parts: Vec::new(),
            });
            return true;
        }
        self.has_secret_literals(id, declarations) || self.may_have_secret_literals(id, declarations)
    }

    /// A component that declared objects need, and that somebody has to publish: Stablekey does not write components
    /// there.
    fn unpublished(&self, declarations: &[Declaration]) -> Option<String> {
        let live = self.input.live;
        if live.can.writes_components || !live.unparsed.is_empty() {
            return None;
        }
        let mut needed = declarations.iter().flat_map(|declaration| removal::components_of(&declaration.item));
        needed.find(|component| !live.components.contains_key(component))
    }

    fn has_secret_literals(&mut self, id: &ObjectId, declarations: &[Declaration]) -> bool {
        let of = |d: &Declaration| self.secret_literals(&d.item).into_iter().map(str::to_string).collect::<Vec<_>>();
        let literals: BTreeSet<String> = declarations.iter().flat_map(of).collect();
        if literals.is_empty() {
            return false;
        }
        let tenant = self.input.tenant;
        let literals = literals.into_iter().collect::<Vec<_>>().join(", ");
        let text = format!("{literals} is a secret and is written as a value");
        let froms: BTreeSet<&str> =
            declarations.iter().map(|d| d.from.as_str()).filter(|from| *from != tenant).collect();
        let fix = match froms.first() {
            Some(from) => format!("in {from}: {}", rules::SECRET_LITERAL),
            None => rules::SECRET_LITERAL.to_string(),
        };
        // If the type is known in the source, the mistake is reported there already.
        let is_reported = declarations.iter().all(|d| {
            let theirs = self.input.upstream.get(&d.from).filter(|_| d.from != tenant);
            theirs.is_some_and(|theirs| !check::secret_literals(&d.item, &[theirs]).is_empty())
        });
        if !is_reported {
            self.findings.push(Finding::of(Code::SecretLiteral, tenant, id.clone(), text.clone(), fix.clone()));
        }
        self.blocked(id, Code::SecretLiteral, text, fix);
        self.forget_literals(id);
        true
    }

    /// Removes hashes of literal secrets from the ownership record: values that were written before their type declared
    /// them as secrets.
    fn forget_literals(&mut self, id: &ObjectId) {
        let input = self.input;
        let Some((live, recorded)) = input.live.get(id).zip(input.live.record(input.tenant, id)) else { return };
        let secrets: BTreeSet<String> = self.secret_literals(&live).into_iter().map(str::to_string).collect();
        let is_secret = |field: &&Field<'static>| field.is_input() && secrets.contains(field.name.as_ref());
        let fields: Vec<Field<'static>> = recorded.fields.keys().filter(is_secret).cloned().collect();
        if fields.is_empty() || !input.view.spec.allows(AllowedAction::Update) {
            return;
        }
        let mut record = recorded.as_ref().clone();
        let wrote: Vec<Wrote> = fields.iter().filter_map(|field| record.fields.remove(field)).collect();
        let forgotten = |field: Field<'static>| FieldChange {
            field,
            op: Op::Forget,
            from: Some(json!({"hidden": true}).into()),
            to: None,
            parts: Vec::new(),
            by: None,
        };
        let reason = Reason { code: "undeclared", text: "no hash of a secret is kept".to_string() };
        let mut action = Action::of(input.tenant, id, ActionKind::Adopt, reason);
        action.writers = wrote.iter().flat_map(|wrote| wrote.writers.iter().cloned()).collect();
        action.fields = fields.into_iter().map(forgotten).collect();
        (action.change.before, action.change.after) = (Some(live.clone()), Some(live));
        action.change.record = Some(Arc::new(record.clone())).filter(|record| !record.is_empty());
        action.digest = digest::of_action(&action, &Value::Null);
        Arc::make_mut(&mut self.after).records.insert(id.clone(), Arc::new(record));
        self.actions.push(action);
    }

    /// Blocks an object with a value that may be a secret, since the description of its type is unreadable.
    fn may_have_secret_literals(&mut self, id: &ObjectId, declarations: &[Declaration]) -> bool {
        let Some(why) = declarations.iter().find_map(|d| self.unread_type(&d.item)) else { return false };
        let text = format!("{why}: which of its inputs are secrets is unknown");
        self.blocked(id, Code::ObjectInvalid, text, "fix that first; until then the object is left as it is");
        true
    }

    /// The unreadable item that may declare values of an object as secrets.
    pub(super) fn unread_type(&self, item: &Item) -> Option<String> {
        let known: Vec<&Inventory> = self.input.upstream.values().chain([&self.after]).map(AsRef::as_ref).collect();
        check::unread_type(item, &known)
    }

    /// Notes the fields that an override of a sync leaves unchanged.
    fn left_alone(&mut self, id: &ObjectId, live: Option<&Item>, declarations: &[Declaration]) {
        let Some(live) = live else { return };
        for declaration in declarations {
            let keeps = declaration.overrides.iter().flat_map(|overrides| &overrides.keeps);
            for (field, theirs) in keeps {
                let (ours, theirs) = (live.written(field), theirs.written(field));
                let is_same = match (&ours, &theirs) {
                    (Some(ours), Some(theirs)) => ours.is(theirs),
                    (ours, theirs) => ours.is_none() && theirs.is_none(),
                };
                if !is_same {
                    let json = |value: Option<FieldValue<'_>>| value.map_or(Value::Null.into(), |v| v.to_json());
                    let parts = ours.zip(theirs).map(|(ours, theirs)| ours.parts_to(&theirs)).unwrap_or_default();
                    let by = &declaration.writer;
                    self.notes.push(overridden(id, field, (by, by), (json(ours), json(theirs)), parts));
                }
            }
        }
    }

    pub(super) fn blocked(&mut self, id: &ObjectId, code: Code, text: impl Into<String>, fix: impl Into<String>) {
        self.blocked_by(id, Obstacle::of(code, text, fix));
    }

    pub(super) fn blocked_by(&mut self, id: &ObjectId, obstacle: Obstacle) {
        let note = obstacle.note(id);
        // Two writers may have the same obstacle.
        if !self.notes.iter().rev().take_while(|n| n.object() == id).any(|n| *n == note) {
            self.notes.push(note);
        }
    }

    fn conflict(&mut self, id: &ObjectId, field: &Field<'_>, writers: &BTreeSet<Writer>, declarations: &[Declaration]) {
        let names: Vec<String> = writers.iter().map(ToString::to_string).collect();
        let froms: BTreeSet<&str> = declarations.iter().map(|d| d.from.as_str()).collect();
        self.findings.push(Finding::of(
            Code::WriterConflict,
            self.input.tenant,
            id.clone(),
            format!("{} want different values of {field}; the object stays as it is", names.join(" and ")),
            format!(
                "make the values equal in {}, or let one writer only declare it",
                froms.into_iter().collect::<Vec<_>>().join(" and ")
            ),
        ));
    }

    /// Removes the declarations of syncs that may not write now and that conflict with one that may: the conflict is
    /// reported only for them. They have not stopped declaring.
    fn without_what_contradicts<'d>(
        &mut self,
        id: &ObjectId,
        declarations: &'d [Declaration],
        blocked: &'d BTreeSet<Writer>,
    ) -> (Cow<'d, [Declaration]>, Cow<'d, BTreeSet<Writer>>) {
        let waiting = &self.input.world.waiting;
        let waits = |d: &&Declaration| waiting.contains(&d.writer);
        let mut left_out = BTreeSet::new();
        for declaration in declarations.iter().filter(waits) {
            let others = declarations.iter().filter(|d| d.extent == Extent::Crossing && !waits(d));
            let contradicted =
                others.filter_map(|other| Some((diff::contradiction(declaration, other)?, &other.writer)));
            let Some((field, other)) = contradicted.into_iter().next() else { continue };
            left_out.insert(declaration.writer.clone());
            let text = format!("{other} wants another value of {field} of {id}; that is written, and this is not");
            let fix = "make the values equal where they are declared, or let one of the two leave it alone";
            let tenant = Some(self.input.tenant);
            self.findings.push(Finding::of_sync(Code::WriterConflict, &declaration.writer, tenant, text, fix));
        }
        if left_out.is_empty() {
            return (Cow::Borrowed(declarations), Cow::Borrowed(blocked));
        }
        let left = declarations.iter().filter(|d| !left_out.contains(&d.writer)).cloned().collect();
        (Cow::Owned(left), Cow::Owned(left_out.union(blocked).cloned().collect()))
    }

    fn occupied(&mut self, id: &ObjectId, field: &Field<'_>, declarations: &[Declaration]) {
        self.occupied.insert(id.clone());
        let live = self.input.live.get(id);
        let declared = declarations.iter().find(|d| d.extent != Extent::Existence).map(|d| &d.item);
        self.blocked(
            id,
            Code::Occupied,
            format!("the name is taken: {}", taken(field, live.as_ref(), declared)),
            "make a connection with a new stable key that replaces this one, or delete the old one yourself",
        );
    }

    /// Secrets that are literal values, as far as the tenant or one of its sources knows the type.
    pub(super) fn secret_literals<'i>(&self, item: &'i Item) -> Vec<&'i str> {
        let known: Vec<&Inventory> = self.input.upstream.values().chain([&self.after]).map(AsRef::as_ref).collect();
        check::secret_literals(item, &known)
    }

    fn finish(mut self, replacements: Option<Replacements>) -> PlannedTenant {
        let input = self.input;
        let after = self.after.clone();
        let replacements = replacements.unwrap_or_else(|| Replacements::of(input.tenant, &after));
        let bindings = Bindings::of(input.tenant, &after, &replacements);
        for action in &mut self.actions {
            action.impact = match action.change.object.kind {
                Kind::Connection => Impact {
                    redeploys: redeploys(action, input.live),
                    ..bindings.impact(&action.change.object.name, &after)
                },
                Kind::Integration => {
                    let name = &action.change.object.name;
                    let uses = after.uses.get(name).or_else(|| input.live.uses.get(name));
                    Impact {
                        integrations: vec![affected(name, uses.map(AsRef::as_ref), |_| true)],
                        instances: input.live.integration_facts.get(name).and_then(|facts| facts.instances),
                        ..Impact::default()
                    }
                }
                _ => Impact::default(),
            };
        }
        for (writer, objects) in &self.orphaned {
            self.findings.push(orphaned(writer, objects, input));
        }
        let tenant = check::Tenant {
            name: input.tenant,
            spec: &input.view.spec,
            source: input.view.source.as_ref().and_then(|source| source.inventory()).map(|source| source.as_ref()),
            inventory: &after,
            replacements: &replacements,
            bindings: &bindings,
            elsewhere: input.elsewhere,
            now: input.world.now,
        };
        self.findings.extend(check::tenant(&tenant));
        let shared = self.of_shared_secrets();
        self.findings.extend(shared);
        self.findings.extend(resend::unmet(input, &self.actions, &self.notes));
        self.notes.extend(manual::notes(&self.actions, input.live, &after));
        self.notes.extend(manual::of_sign_ins(&after));
        self.notes.extend(manual::of_embedded(&input.embedded, &after));
        self.notes.extend(manual::of_versions(&self.actions, input.live));
        self.notes.extend(manual::of_replacements(&replacements, &bindings, &after));
        let target = Target {
            known: input.reading.is_whole(),
            concerned: self.notes.iter().map(|note| (note.object().clone(), concerned(input, note.object()))).collect(),
            waits_for_resume: WaitsForResume::default(),
            actions: self.actions,
            notes: self.notes,
            ..Target::empty(input.tenant, State::Read)
        };
        let let_go = LetGo::by(&target.actions);
        PlannedTenant {
            target,
            let_go: Arc::new(let_go),
            after,
            findings: self.findings,
            made_by: self.made_by,
            replacements,
            reading: input.reading.clone(),
        }
    }
}

/// The finding about objects of a writer that does not exist any more, and how to end it. Adopting them would not: they
/// are recorded already, for a writer that never declares again.
fn orphaned(writer: &Writer, objects: &BTreeSet<ObjectId>, input: &TenantInput<'_>) -> Finding {
    /// The number of objects that are listed.
    const NAMED: usize = 5;
    let mut names: Vec<String> = objects.iter().take(NAMED).map(ToString::to_string).collect();
    let more = objects.len().saturating_sub(NAMED);
    names.extend((more > 0).then(|| format!("{more} more")));
    let record = input.live.can.record.taken_out();
    let names = names.join(", ");
    let forget = EditCommand::forget(input.tenant, &writer.to_string());
    if let Some(sync) = input.world.syncs.iter().find(|sync| sync.writer == *writer) {
        let to = sync.spec.targets_in_words();
        let of = if sync.spec.stages.is_empty() { "to" } else { "stages" };
        let text =
            format!("{writer} goes to {to} and no longer to {}; what it wrote there stays: {names}", input.tenant);
        let fix = format!(
            "if that is a mistake, put {} back into {of} of {writer}; else let a source or another sync declare these, \
             which then takes them over; or take {record}: they are then the tenant's own",
            input.tenant
        );
        return Finding::of_sync(Code::WriterGone, writer, Some(input.tenant), text, fix).by(forget);
    }
    if input.live.can.has_other_writers {
        let text = format!("{writer} is unknown here; what it wrote stays in {}: {names}", input.tenant);
        let fix = format!(
            "if it is a sync of a hub, or of another folder, all is well; if it was renamed, give it its old name back; \
             else let a source or another sync declare these, which then takes them over; or take {record}: they are \
             then the tenant's own"
        );
        return Finding::of_sync(Code::WriterGone, writer, Some(input.tenant), text, fix).by(forget);
    }
    let text = format!("{writer} is gone; what it wrote stays in {}: {names}", input.tenant);
    let fix = format!(
        "if it was renamed, give it its old name back; else let a source or another sync declare these, which then \
         takes them over; or take {record}: they are then the tenant's own"
    );
    Finding::of_sync(Code::WriterGone, writer, Some(input.tenant), text, fix).by(forget)
}

/// A description of the live and the declared object with the same name. For a connection, component and type are more
/// useful than the first field that differs.
fn taken(field: &Field<'_>, live: Option<&Item>, declared: Option<&Item>) -> String {
    match (live, declared) {
        (Some(Item::Connection(live)), Some(Item::Connection(declared))) if field.kind == FieldKind::StableKey => {
            let (live, declared) = (&live.spec.stable_key, &declared.spec.stable_key);
            format!("the stable key is {live} there and declared as {declared}, and it never changes")
        }
        (Some(Item::Connection(live)), Some(Item::Connection(declared))) => format!(
            "the connection there is {} and is declared as {}; component, type and credentials never change",
            live.spec.kind_in_words(),
            declared.spec.kind_in_words()
        ),
        _ => format!("{field} is another there than declared, and it never changes"),
    }
}

/// The writers that declare an object, or wrote it.
fn concerned(input: &TenantInput<'_>, id: &ObjectId) -> BTreeSet<Writer> {
    let declared = input.declared.get(id).into_iter().flatten().map(|declaration| declaration.writer.clone());
    let record = input.live.record(input.tenant, id).into_iter().flat_map(|record| record.fields.values());
    declared.chain(record.flat_map(|wrote| wrote.writers.iter().cloned())).collect()
}

fn decided_by(bound: &BoundVariables) -> Value {
    let of = |spec: &ConnectionSpec| json!([spec.stable_key, spec.component.to_string(), spec.type_, spec.credentials]);
    bound.iter().map(|(variable, connection)| (variable.clone(), of(&connection.spec))).collect()
}

/// Whether an action changes values that deployed instances use.
fn redeploys(action: &Action, live: &Inventory) -> bool {
    let is_value =
        |change: &FieldChange| change.field.kind == FieldKind::Input && matches!(change.op, Op::Set | Op::Remove);
    let has_instances = live.facts.get(&action.change.object.name).is_none_or(|facts| facts.instances != Some(0));
    live.can.sends_secrets && action.action == ActionKind::Update && has_instances && action.fields.iter().any(is_value)
}
