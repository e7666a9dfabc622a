//! The plan of one tenant: every declared object against what is there.

use super::model::*;
use super::reading::Reading;
use super::{by_hand, digest, removal};
use crate::api::*;
use crate::engine::bindings::{Bindings, affected};
use crate::engine::check;
use crate::engine::code::Code;
use crate::engine::diff::{self, Declaration, Difference, Extent, Sides, Standing};
use crate::engine::field::{Field, FieldKind};
use crate::engine::item::{Item, ObjectId};
use crate::engine::promote::{Promotion, SourceBinding};
use crate::engine::record::Writer;
use crate::engine::redirect::redirect;
use crate::engine::resolve::{Asker, Binding, Replacements, resolve_key};
use crate::engine::world::{Inventory, TenantView, View};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What is known of a writer while one tenant is planned.
#[derive(Clone, Debug)]
pub struct WriterState {
    /// What of it cannot be known: there it does not stop declaring.
    pub reading: Reading,
    /// Whether what it no longer declares is removed.
    pub prunes: bool,
}

/// Everything that one tenant is planned from.
pub struct Input<'a> {
    /// The tenant's name.
    pub tenant: &'a str,
    /// As it was read.
    pub view: &'a TenantView,
    /// What is in its place.
    pub live: &'a Arc<Inventory>,
    /// What is declared, by object.
    pub declared: BTreeMap<ObjectId, Vec<Declaration>>,
    /// What each sync's variables are bound to in its source.
    pub promotions: BTreeMap<Writer, BTreeMap<String, BTreeMap<String, SourceBinding>>>,
    /// Every writer that exists for this tenant.
    pub writers: BTreeMap<Writer, WriterState>,
    /// The sources of its syncs, as they will be.
    pub upstream: Vec<Arc<Inventory>>,
    /// What of the tenant, and of what feeds it, cannot be known.
    pub reading: Reading,
    /// The connections that other tenants have under a key: for suggestions.
    pub elsewhere: &'a check::Elsewhere<'a>,
}

/// A planned tenant.
#[derive(Debug)]
pub struct Planned {
    /// What is done and what is not.
    pub target: Target,
    /// The tenant as it will be.
    pub after: Arc<Inventory>,
    /// What the checks say.
    pub findings: Vec<Finding>,
    /// The action that makes an object, by object.
    pub made_by: HashMap<ObjectId, String>,
    /// What of it cannot be known.
    pub reading: Reading,
}

impl<'a> Input<'a> {
    /// Adds what a sync declares.
    pub fn add(&mut self, writer: &Writer, promotion: Promotion) {
        for (id, declaration) in promotion.declarations {
            self.declared.entry(id).or_default().push(declaration);
        }
        self.promotions.insert(writer.clone(), promotion.bindings);
    }

    /// Whether a writer that does not declare this object has stopped declaring it.
    pub fn standing(&self, writer: &Writer, id: &ObjectId) -> Standing {
        if matches!(writer, Writer::Promote(_) | Writer::Adopt) {
            return Standing::Lasting;
        }
        match self.writers.get(writer) {
            None => Standing::Gone,
            Some(state) if !state.reading.knows(id) => Standing::Unsure,
            Some(_) => Standing::Stopped,
        }
    }

    fn action_id(&self, id: &ObjectId) -> String {
        format!("{}/{id}", self.tenant)
    }
}

pub(super) struct Draft<'a> {
    pub input: &'a Input<'a>,
    pub after: Arc<Inventory>,
    pub actions: Vec<Action>,
    pub notes: Vec<Note>,
    pub findings: Vec<Finding>,
    pub made_by: HashMap<ObjectId, String>,
    pub orphaned: BTreeMap<Writer, usize>,
    /// The actions after which a stable key has an answer.
    answered_by: HashMap<String, Vec<String>>,
    /// Objects that are not what their writers want: what needs them is held back.
    occupied: BTreeSet<ObjectId>,
}

/// Plans one tenant.
pub fn plan_tenant(input: &Input<'_>) -> Planned {
    let mut draft = Draft {
        input,
        after: with_what_the_source_cannot_say(input),
        actions: Vec::new(),
        notes: Vec::new(),
        findings: Vec::new(),
        made_by: HashMap::new(),
        orphaned: BTreeMap::new(),
        answered_by: HashMap::new(),
        occupied: BTreeSet::new(),
    };
    let (integrations, others): (Vec<_>, Vec<_>) =
        input.declared.iter().partition(|(id, _)| id.kind == Kind::Integration);
    for (id, declarations) in others {
        draft.object(id, declarations, &BTreeSet::new(), &Value::Null);
    }
    let connections = draft.after.clone();
    let replacements = Replacements::of(input.tenant, &connections);
    for (id, declarations) in integrations {
        let (kept, decided) = draft.unblocked(id, declarations, &connections, &replacements);
        let kept_writers: BTreeSet<&Writer> = kept.iter().map(|d| &d.writer).collect();
        let all = declarations.iter().map(|d| &d.writer);
        let blocked = all.filter(|w| !kept_writers.contains(w)).cloned().collect();
        draft.object(id, &kept, &blocked, &decided);
    }
    removal::remove(&mut draft);
    draft.finish()
}

/// The tenant as it is. A file of its source that cannot be read could hold anything, as one of its
/// place could; a document of either that is invalid holds back what it names.
fn with_what_the_source_cannot_say(input: &Input<'_>) -> Arc<Inventory> {
    let mut after = input.live.clone();
    match &input.view.source {
        None => {}
        Some(View::Unreachable(_)) => drop(Arc::make_mut(&mut after).unparsed.insert("its source".to_string())),
        Some(View::Read(source)) if source.unparsed.is_empty() && source.invalid.is_empty() => {}
        Some(View::Read(source)) => {
            let after = Arc::make_mut(&mut after);
            after.unparsed.extend(source.unparsed.iter().cloned());
            after.invalid.extend(source.invalid.iter().map(|(id, why)| (id.clone(), why.clone())));
        }
    }
    after
}

impl<'a> Draft<'a> {
    /// A file of the tenant that could hold anything.
    pub(super) fn broken_file(&self) -> Option<&str> {
        self.after.unparsed.first().map(String::as_str)
    }

    fn object(&mut self, id: &ObjectId, declarations: &[Declaration], blocked: &BTreeSet<Writer>, decided: &Value) {
        let input = self.input;
        let live = input.live.get(id);
        if declarations.is_empty() || self.is_held_back(id, live.as_ref(), declarations) {
            return;
        }
        let record = input.live.record(input.tenant, id);
        let sides = Sides {
            tenant: input.tenant,
            live: live.as_ref(),
            record,
            declarations,
            drift: input.view.spec.drift(),
            standing: &|writer| if blocked.contains(writer) { Standing::Unsure } else { input.standing(writer, id) },
            holder: &|field| input.live.holder(id, field),
        };
        match diff::difference(&sides) {
            None => {}
            Some(Difference::Conflict { field, writers }) => self.conflict(id, &field, &writers, declarations),
            Some(Difference::Occupied { field }) => self.occupied(id, &field, declarations),
            Some(Difference::Fields(fields)) => self.fields(id, live, fields, declarations, decided),
        }
    }

    fn is_held_back(&mut self, id: &ObjectId, live: Option<&Item>, declarations: &[Declaration]) -> bool {
        if let Some(why) = self.after.invalid.get(id).cloned() {
            let mend = "correct the document; until then the object is left as it is";
            self.blocked(id, Code::ObjectInvalid, why, mend);
            return true;
        }
        // What a customer supplied is theirs: we only read it.
        let of_customer = |item: &Item| matches!(item, Item::CustomerCredentials(c) if c.spec.is_of_customer());
        if live.is_some_and(of_customer) || declarations.iter().any(|d| of_customer(&d.item)) {
            let text = "what a customer supplies is written by the host application only".to_string();
            let by = "the customer".to_string();
            self.notes.push(Note::Held { object: id.clone(), path: Vec::new(), by, text: Some(text) });
            return true;
        }
        let literals: BTreeSet<String> =
            declarations.iter().flat_map(|d| self.secret_literals(&d.item)).map(str::to_string).collect();
        if literals.is_empty() {
            return false;
        }
        let literals = literals.into_iter().collect::<Vec<_>>().join(", ");
        let text = format!("{literals} is a secret and is written as a value");
        self.findings.push(Finding::of(
            Code::SecretLiteral,
            self.input.tenant,
            id.clone(),
            text.clone(),
            rules::SECRET_LITERAL,
        ));
        self.blocked(id, Code::SecretLiteral, text, rules::SECRET_LITERAL);
        true
    }

    pub(super) fn blocked(&mut self, id: &ObjectId, code: Code, text: impl Into<String>, mend: impl Into<String>) {
        let note = Note::Blocked { object: id.clone(), code, text: text.into(), mend: mend.into() };
        // Two writers may be in the same way.
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

    fn occupied(&mut self, id: &ObjectId, field: &Field<'_>, declarations: &[Declaration]) {
        self.occupied.insert(id.clone());
        let live = self.input.live.get(id);
        let value =
            |item: Option<&Item>| item.and_then(|i| i.value(field)).map_or(String::new(), |v| v.to_json().to_string());
        let declared = declarations.iter().find(|d| d.extent != Extent::Existence).map(|d| &d.item);
        self.blocked(
            id,
            Code::Occupied,
            format!(
                "the name is taken: {field} is {} there and declared as {}, and it never changes",
                value(live.as_ref()),
                value(declared)
            ),
            "make a connection with a new stable key that replaces this one, or take the old one away by hand",
        );
    }

    fn fields(
        &mut self,
        id: &ObjectId,
        live: Option<Item>,
        fields: diff::Fields,
        declarations: &[Declaration],
        decided: &Value,
    ) {
        let input = self.input;
        for (field, by) in fields.held {
            let by = by.unwrap_or_else(|| input.tenant.to_string());
            self.notes.push(Note::Held { object: id.clone(), path: field.path(), by, text: None });
        }
        let ignored = input.view.spec.drift() == Drift::Ignore;
        for (field, left) in fields.drifted {
            self.notes.push(Note::Drift { object: id.clone(), path: field.path(), left, ignored });
        }
        for writer in fields.orphaned {
            *self.orphaned.entry(writer).or_default() += 1;
        }
        if fields.changes.is_empty() && live.is_some() {
            return;
        }
        let writes_values = fields.changes.iter().any(|c| matches!(c.op, Op::Set | Op::Remove));
        let kind = match (&live, writes_values) {
            (None, _) => ActionKind::Create,
            (Some(_), true) => ActionKind::Update,
            (Some(_), false) => ActionKind::Adopt,
        };
        let allowed = if kind == ActionKind::Create { AllowedAction::Create } else { AllowedAction::Update };
        if let (ActionKind::Create, Some(file)) = (kind, self.broken_file().map(str::to_string)) {
            let text = format!("nothing is created while {file} cannot be read: it could hold this object");
            return self.blocked(id, Code::FileBroken, text, format!("mend {file}"));
        }
        if !input.view.spec.allows(allowed) {
            if kind == ActionKind::Adopt {
                // What is declared is reached; only the record would change.
                return;
            }
            let text = format!("the policy of {} does not allow {allowed:?}", input.tenant);
            return self.blocked(
                id,
                Code::NotAllowed,
                text,
                format!("add {allowed:?} to policy.actions of the tenant, or make the change there by hand"),
            );
        }
        let mut changes = fields.changes;
        self.hide_secrets(&mut changes, live.as_ref());
        let mut after: BTreeSet<String> = declarations.iter().flat_map(|d| d.after.iter().cloned()).collect();
        let mut needs_approval = Vec::new();
        match (&live, &fields.after) {
            (Some(Item::Connection(before)), Item::Connection(then)) => {
                needs_approval.extend(redirect(&before.spec, &then.spec, self.after.connection_type(&then.spec)));
            }
            (None, Item::Connection(then)) => {
                let component = names::of_component(&then.spec.component.key, then.spec.component.is_public());
                after.extend(self.made_by.get(&ObjectId::new(Kind::Component, component)).cloned());
            }
            (_, Item::Integration(integration, _)) => {
                after.extend(self.makers(integration.spec.connections.iter().filter_map(Variable::stable_key)));
            }
            (_, Item::CustomerCredentials(c)) => after.extend(self.makers([c.spec.connection.as_str()])),
            _ => {}
        }
        let brings_definition = changes.iter().any(|c| c.field.kind == FieldKind::Definition && c.op == Op::Set);
        let definition = declarations.iter().find_map(|d| match &d.item {
            Item::Integration(_, Some(uses)) if brings_definition => Some(DefinitionFrom {
                tenant: d.from.clone(),
                source: d.writer == Writer::Source,
                integration: id.name.clone(),
                digest: uses.digest.clone(),
            }),
            _ => None,
        });
        let mut action = Action {
            id: input.action_id(id),
            digest: crate::engine::canonical::Digest::of(&[]),
            action: kind,
            writers: fields.writers,
            reason: reason(kind, fields.corrects, &changes, declarations, input.tenant),
            after,
            fields: changes,
            impact: Impact::default(),
            needs_approval,
            at: None,
            change: Change {
                object: id.clone(),
                before: live,
                after: Some(fields.after.clone()),
                record: Some(fields.record.clone()).filter(|r| !r.is_empty()),
                definition,
                resumptions: Vec::new(),
            },
        };
        action.digest = digest::of_action(&action, decided);
        action.change.resumptions = digest::resumptions(&action, decided);
        let inventory = Arc::make_mut(&mut self.after);
        inventory.insert(fields.after);
        inventory.records.insert(id.clone(), fields.record);
        if kind != ActionKind::Adopt {
            self.made_by.insert(id.clone(), action.id.clone());
        }
        self.answers(&action);
        self.actions.push(action);
    }

    /// Secrets written as values, as far as the tenant or one that it copies knows the type.
    fn secret_literals<'i>(&self, item: &'i Item) -> Vec<&'i str> {
        let known: Vec<&Inventory> = self.input.upstream.iter().chain([&self.after]).map(AsRef::as_ref).collect();
        check::secret_literals(item, &known)
    }

    /// A secret that stands there as a value is not shown, though it goes.
    fn hide_secrets(&self, changes: &mut [FieldChange], live: Option<&Item>) {
        let Some(live) = live else { return };
        let literals = self.secret_literals(live);
        let is_input = |c: &FieldChange| matches!(c.field.kind, FieldKind::Input | FieldKind::TestInput);
        for change in changes.iter_mut().filter(|c| is_input(c) && literals.contains(&c.field.name.as_ref())) {
            change.from = change.from.is_some().then(|| json!({"hidden": true}));
        }
    }

    /// The actions that make the connections that answer for stable keys.
    fn makers<'k>(&self, keys: impl IntoIterator<Item = &'k str>) -> BTreeSet<String> {
        keys.into_iter().filter_map(|key| self.answered_by.get(key)).flatten().cloned().collect()
    }

    /// Remembers which keys begin to be answered by an action.
    fn answers(&mut self, action: &Action) {
        let Some(Item::Connection(connection)) = &action.change.after else { return };
        let created = action.action == ActionKind::Create;
        let own = created.then_some(&connection.spec.stable_key);
        let replaced = (created || begins_to_answer(action)).then_some(&connection.spec.replaces);
        for key in own.into_iter().chain(replaced.into_iter().flatten()) {
            self.answered_by.entry(key.clone()).or_default().push(action.id.clone());
        }
    }

    /// The declarations of an integration without those of syncs that would leave a variable missing
    /// or bound to something else; and what its variables will be bound to, which decided that.
    fn unblocked(
        &mut self,
        id: &ObjectId,
        declarations: &[Declaration],
        connections: &Inventory,
        replacements: &Replacements,
    ) -> (Vec<Declaration>, Value) {
        let mut kept = Vec::new();
        let mut decided = BTreeMap::new();
        for declaration in declarations {
            let Item::Integration(integration, _) = &declaration.item else { continue };
            let sources = self.input.promotions.get(&declaration.writer).and_then(|p| p.get(&id.name));
            let writers = BTreeSet::from([declaration.writer.clone()]);
            let mut problems = Vec::new();
            for variable in &integration.spec.connections {
                let Some(key) = variable.stable_key() else { continue };
                let source = sources.and_then(|s| s.get(&variable.name)).and_then(|b| b.connection.as_ref());
                let asker = Asker { writers: Some(&writers), source_binding: source.map(|c| &c.spec) };
                let resolution = resolve_key(key, connections, replacements, asker);
                if let Some(bound) = resolution.connection() {
                    decided.insert(
                        variable.name.clone(),
                        json!([
                            bound.spec.stable_key,
                            bound.spec.component.to_string(),
                            bound.spec.type_,
                            bound.spec.credentials
                        ]),
                    );
                }
                let problem = self.held_back(variable, key, &resolution.binding, connections).or_else(|| {
                    // What its own source binds is the tenant's own business: it is said, and not blocked.
                    let is_sync = declaration.writer != Writer::Source;
                    let source = source.map(AsRef::as_ref);
                    is_sync.then(|| self.obstacle(id, variable, key, &resolution.binding, source, connections))?
                });
                problems.extend(problem);
            }
            if problems.is_empty() {
                kept.push(declaration.clone());
            }
            for (code, text, mend) in problems {
                self.blocked(id, code, text, mend);
            }
        }
        (kept, json!(decided))
    }

    /// A connection that a variable needs and that is held back as a whole.
    fn held_back(
        &self,
        variable: &Variable,
        key: &str,
        binding: &Binding,
        connections: &Inventory,
    ) -> Option<(Code, String, String)> {
        let name = match binding {
            Binding::Bound(bound) => bound.name().to_string(),
            _ => names::of_stable_key(key),
        };
        let id = ObjectId::new(Kind::Connection, name);
        let code = match binding {
            Binding::Unknown(_) if connections.invalid.contains_key(&id) => Code::BindingUnknown,
            Binding::Bound(_) | Binding::Missing if self.occupied.contains(&id) => Code::Occupied,
            _ => return None,
        };
        let text = format!("{:?} needs {id}, which is held back", variable.name);
        Some((code, text, "mend that first".to_string()))
    }

    /// What of one variable keeps a sync from writing its integration.
    fn obstacle(
        &mut self,
        id: &ObjectId,
        variable: &Variable,
        key: &str,
        binding: &Binding,
        source: Option<&Object<ConnectionSpec>>,
        connections: &Inventory,
    ) -> Option<(Code, String, String)> {
        let tenant = self.input.tenant;
        let name = &variable.name;
        match binding {
            Binding::Own => None,
            Binding::Missing => {
                let mend =
                    check::how_to_mend_missing(tenant, key, source.map(|s| &s.spec), connections, self.input.elsewhere);
                Some((
                    Code::BindingMissing,
                    format!("{name:?} needs stable key {key}, which {tenant} does not have"),
                    mend,
                ))
            }
            Binding::Unknown(why) => Some((
                Code::BindingUnknown,
                format!("{name:?} needs stable key {key}: {why}"),
                "mend that first".to_string(),
            )),
            Binding::Bound(bound) => {
                let source = source?;
                if !bound.spec.connects_like(&source.spec) {
                    let text = format!(
                        "{name:?} would be bound to {} ({}/{}), which is {}/{} in the source",
                        bound.spec.stable_key,
                        bound.spec.component,
                        bound.spec.type_,
                        source.spec.component,
                        source.spec.type_
                    );
                    let mend = format!(
                        "give {tenant} a connection of {}/{} and name it by an override, or correct the one that is there",
                        source.spec.component, source.spec.type_
                    );
                    return Some((Code::KeyDiffers, text, mend));
                }
                if bound.spec.credentials != source.spec.credentials {
                    self.findings.push(Finding::of(
                        Code::CredentialsDiffer,
                        tenant,
                        id.clone(),
                        format!(
                            "{name:?} is bound to {}, whose credentials are {} here and {} in the source",
                            bound.spec.stable_key, bound.spec.credentials, source.spec.credentials
                        ),
                        "make sure that who supplies them here knows it",
                    ));
                }
                None
            }
        }
    }

    fn finish(mut self) -> Planned {
        let input = self.input;
        let after = self.after.clone();
        let replacements = Replacements::of(input.tenant, &after);
        let bindings = Bindings::of(input.tenant, &after, &replacements);
        for action in &mut self.actions {
            action.impact = match action.change.object.kind {
                Kind::Connection => bindings.impact(&action.change.object.name, &after),
                Kind::Integration => {
                    let name = &action.change.object.name;
                    let uses = after.uses.get(name).or_else(|| input.live.uses.get(name));
                    Impact { integrations: vec![affected(name, uses.map(AsRef::as_ref), |_| true)], customers: 0 }
                }
                _ => Impact::default(),
            };
        }
        for (writer, objects) in &self.orphaned {
            self.findings.push(Finding::of_sync(
                Code::WriterGone,
                writer,
                Some(input.tenant),
                format!("{writer} is gone; what it wrote to {objects} objects of {} stays", input.tenant),
                "bring the writer back, or take the values over with `stablekey adopt`",
            ));
        }
        let tenant = check::Tenant {
            name: input.tenant,
            inventory: &after,
            replacements: &replacements,
            bindings: &bindings,
            elsewhere: input.elsewhere,
        };
        self.findings.extend(check::tenant(&tenant));
        self.notes.extend(by_hand::notes(&self.actions, &after));
        self.notes.extend(by_hand::of_replacements(&replacements, &bindings, &after));
        let target = Target {
            tenant: input.tenant.to_string(),
            state: State::Read,
            why: None,
            digests: BTreeMap::new(),
            actions: self.actions,
            notes: self.notes,
        };
        Planned {
            target,
            after: after.clone(),
            findings: self.findings,
            made_by: self.made_by,
            reading: input.reading.clone(),
        }
    }
}

fn begins_to_answer(action: &Action) -> bool {
    action.fields.iter().any(|c| c.field.kind == FieldKind::Replaces && c.op == Op::Set)
}

fn reason(
    kind: ActionKind,
    corrects: bool,
    changes: &[FieldChange],
    declarations: &[Declaration],
    tenant: &str,
) -> Reason {
    let froms: BTreeSet<String> =
        declarations
            .iter()
            .map(|d| {
                if d.writer == Writer::Source { "its source".to_string() } else { format!("{} ({})", d.from, d.writer) }
            })
            .collect();
    let from = froms.into_iter().collect::<Vec<_>>().join(" and ");
    let changed =
        |op: Op| changes.iter().filter(|c| c.op == op).map(|c| c.field.to_string()).collect::<Vec<_>>().join(", ");
    let (set, removed) = (changed(Op::Set), changed(Op::Remove));
    match kind {
        ActionKind::Create => Reason { code: "absent", text: format!("{tenant} lacks it; {from} has it") },
        ActionKind::Adopt => {
            Reason { code: "as-declared", text: format!("it is as {from} declares it: only recorded") }
        }
        ActionKind::Delete => Reason { code: "undeclared", text: "no longer declared".to_string() },
        ActionKind::Update if corrects => {
            Reason { code: "drift", text: format!("put back to what {from} declares: {set}") }
        }
        ActionKind::Update if set.is_empty() => {
            Reason { code: "undeclared", text: format!("no longer declared: {removed}") }
        }
        ActionKind::Update => Reason { code: "source-changed", text: format!("{from} declares {set}") },
    }
}
