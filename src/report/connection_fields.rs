//! One connection field by field in every tenant: the value, who wrote it, and what the plan makes of it.

pub use super::field_cell::{FieldCell, FieldGroup, FieldRow, FieldState, WrittenBy};
pub use super::overview_state::{OverviewCell, OverviewState};
pub use super::shown_value::ShownValue;

use super::missing_keys::missing_for_plan;
use super::object_state::{Grounds, ObjectStates};
use super::shown_value::SecretInputs;
use crate::api::{ConnectionSpec, Kind, Object, TypeInput, names};
use crate::engine::bindings::affected;
use crate::engine::model::code::Code;
use crate::engine::model::command::EditCommand;
use crate::engine::model::field::{Field, FieldKind, FieldValue};
use crate::engine::model::inventory::{Inventory, View, World};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::{Action, ActionKind, AffectedIntegration, FieldChange, Note, Op, Plan};
use crate::engine::model::record::{Record, Writer, Wrote};
use crate::engine::overrides::decided_by;
use crate::engine::resolve::{Binding, Replacements, resolve_credentials, resolve_variable};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A connection in all tenants.
#[derive(Clone, Debug)]
pub struct ConnectionFields {
    pub key: String,
    /// The columns: all tenants.
    pub tenants: Vec<ConnectionInTenant>,
    /// The fields that any tenant has, or will have.
    pub rows: Vec<FieldRow>,
}

/// The connection in one tenant.
#[derive(Clone, Debug)]
pub struct ConnectionInTenant {
    pub tenant: String,
    pub cell: OverviewCell,
    pub is_there: bool,
    /// Why not all that is declared for the tenant is known.
    pub unknown: Option<String>,
    /// The number of fields that differ or are unknown.
    pub open: usize,
    /// What the plan does, and what keeps it from it, each with how to go on.
    pub remarks: Vec<Remark>,
    /// The kind of the action on it.
    pub action: Option<ActionKind>,
    /// The integrations that use it, with the flows and steps.
    pub used_by: Vec<AffectedIntegration>,
    /// The number of customers with credentials for it.
    pub customers: usize,
    /// The embedded workflows that use it.
    pub workflows: Vec<String>,
    /// The number of deployed instances, where the location tells it.
    pub instances: Option<usize>,
    /// The required inputs that it lacks.
    pub lacks: Vec<String>,
}

/// A sentence about the connection in one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    pub text: String,
    /// How to fix it.
    pub fix: Option<String>,
    /// The commands that make the edit; one of them is enough.
    pub commands: Vec<EditCommand>,
}

/// The fields that are shown even where no tenant has a value.
const ALWAYS: [FieldKind; 5] =
    [FieldKind::Title, FieldKind::Component, FieldKind::Type, FieldKind::Credentials, FieldKind::EmbeddedWorkflows];

/// A tenant with what its plan says about the connection.
struct TenantColumn<'a> {
    states: ObjectStates<'a>,
    id: &'a ObjectId,
    live: Option<Item>,
    action: Option<(&'a Action, bool)>,
    record: Option<&'a Arc<Record>>,
    notes: Vec<&'a Note>,
    /// The number of customers with a value, by input.
    given: BTreeMap<String, usize>,
    /// Whether the object was not compared, as where it is blocked.
    is_uncompared: bool,
}

impl ConnectionFields {
    /// The connection with a stable key; without columns of values if no tenant has it or will have it.
    pub fn of(world: &World, plan: &Plan, key: &str) -> Self {
        let id = ObjectId::new(Kind::Connection, names::of_stable_key(key));
        let grounds = Grounds::of(world, plan);
        let secrets = SecretInputs::of(world, key);
        let mut columns: Vec<TenantColumn<'_>> = Vec::new();
        let mut tenants: Vec<ConnectionInTenant> = Vec::new();
        let mut first: Option<&ConnectionSpec> = None;
        for tenant in world.tenants.keys() {
            let Some(states) = grounds.tenant(tenant, Some(&id)) else { continue };
            let mut column = TenantColumn::of(states, &id, key);
            let mut told = column.in_tenant(key, &grounds);
            let there = column.states.inventory.and_then(|inventory| inventory.connection(key));
            if let Some(connection) = there {
                let first = *first.get_or_insert(&connection.spec);
                if !first.connects_like(&connection.spec) {
                    let say = format!("{}/{}", connection.spec.component, connection.spec.type_);
                    told.cell = told.cell.or_worse(OverviewCell::of(OverviewState::Differs, say));
                }
            }
            tenants.push(told);
            columns.push(column);
        }
        let mut fields = ConnectionFields { key: key.to_string(), tenants, rows: Vec::new() };
        fields.rows = rows(world, key, &secrets, &columns);
        for (position, tenant) in fields.tenants.iter_mut().enumerate() {
            let cells = fields.rows.iter().filter_map(|row| row.cells.get(position));
            tenant.open = cells.filter(|cell| cell.state.is_open()).count();
        }
        fields
    }

    /// Whether a field is not the same, or not as desired, in all tenants that have the connection.
    pub fn differs(&self, row: &FieldRow) -> bool {
        let absent = row.field.kind.absent().map(|absent| SecretInputs::default().shown(&row.field, Some(absent)));
        let value = |cell: &FieldCell| match (&absent, cell.value.is_there()) {
            (Some(absent), false) => absent.clone(),
            _ => cell.value.clone(),
        };
        let has_it = |(cell, tenant): &(&FieldCell, &ConnectionInTenant)| tenant.is_there || cell.value.is_there();
        let mut values = row.cells.iter().zip(&self.tenants).filter(has_it).map(|(cell, _)| value(cell));
        let first = values.next();
        row.cells.iter().any(|cell| cell.state.is_open()) || values.any(|value| Some(value) != first)
    }

    /// Whether any tenant has the connection, or will have it.
    pub fn is_anywhere(&self) -> bool {
        self.tenants.iter().any(|tenant| tenant.is_there || tenant.action.is_some())
    }
}

impl ConnectionInTenant {
    /// A tenant in which nothing uses the connection.
    pub fn new(tenant: &str, cell: OverviewCell) -> Self {
        ConnectionInTenant {
            tenant: tenant.to_string(),
            cell,
            is_there: false,
            unknown: None,
            open: 0,
            remarks: Vec::new(),
            action: None,
            used_by: Vec::new(),
            customers: 0,
            workflows: Vec::new(),
            instances: None,
            lacks: Vec::new(),
        }
    }
}

impl<'a> TenantColumn<'a> {
    fn of(states: ObjectStates<'a>, id: &'a ObjectId, key: &str) -> Self {
        let live = states.inventory.and_then(|inventory| inventory.connection(key));
        let notes: Vec<&Note> = states.notes(id).collect();
        TenantColumn {
            action: states.action(id),
            record: live.and_then(|_| states.inventory?.record(states.tenant, id)),
            is_uncompared: notes.iter().any(|note| matches!(note, Note::Blocked { .. })),
            live: live.cloned().map(Item::Connection),
            notes,
            given: BTreeMap::new(),
            id,
            states,
        }
    }

    /// The connection as a whole, with its users.
    fn in_tenant(&mut self, key: &str, grounds: &Grounds<'a>) -> ConnectionInTenant {
        let tenant = self.states.tenant;
        let connection = self.states.inventory.and_then(|inventory| inventory.connection(key));
        let cell = match connection {
            Some(connection) => self.states.of_connection(connection),
            None => self.states.of_lacking(key),
        };
        let mut told = ConnectionInTenant {
            is_there: connection.is_some(),
            unknown: self.states.unknown.clone(),
            action: self.action.map(|(action, _)| action.action),
            ..ConnectionInTenant::new(tenant, cell)
        };
        self.remark(grounds, &mut told);
        let Some(inventory) = self.states.inventory else { return told };
        let is_missing = self.users(key, inventory, grounds, &mut told);
        if is_missing && !self.states.creates(key) {
            told.cell = told.cell.or_worse(OverviewCell::of(OverviewState::Missing, "no such key"));
        }
        let Some(connection) = connection else { return told };
        let facts = inventory.facts.get(connection.name());
        told.customers = told.customers.max(inventory.told_customers(connection.name()));
        told.instances = facts.and_then(|facts| facts.instances);
        let uses_it = |(_, keys): &(&String, &BTreeSet<String>)| keys.contains(key);
        told.workflows = inventory.workflows.iter().filter(uses_it).map(|(name, _)| name.clone()).collect();
        let lacks = crate::engine::check::missing_inputs(&connection.spec, inventory);
        told.lacks = lacks.into_iter().map(str::to_string).collect();
        told
    }

    fn remark(&mut self, grounds: &Grounds<'_>, told: &mut ConnectionInTenant) {
        let remark = |text: &str, fix: Option<&str>, commands: &[EditCommand]| Remark {
            text: text.to_string(),
            fix: fix.map(str::to_string),
            commands: commands.to_vec(),
        };
        if let Some((action, _)) = self.action {
            told.remarks.push(remark(&action.reason.text, None, &[]));
            told.remarks.extend(action.needs_approval.iter().map(|approval| remark(&approval.why, None, &[])));
        }
        for note in &self.notes {
            match note {
                Note::Blocked { text, fix, commands, .. } => told.remarks.push(remark(text, Some(fix), commands)),
                Note::Manual { text, .. } => told.remarks.push(remark(text, None, &[])),
                Note::Kept { path, text: Some(text), .. } if path.is_empty() => {
                    told.remarks.push(remark(text, None, &[]));
                }
                _ => {}
            }
        }
        let findings = grounds.findings(self.states.tenant).iter();
        for finding in findings.filter(|finding| finding.object.as_ref() == Some(self.id)) {
            self.is_uncompared |= matches!(finding.code, Code::WriterConflict | Code::ObjectInvalid);
            told.remarks.push(remark(&finding.text, Some(&finding.fix), &finding.commands));
        }
    }

    /// Adds the integrations and customers that use the connection, and says whether a binding misses the key.
    fn users(
        &mut self,
        key: &str,
        inventory: &'a Inventory,
        grounds: &Grounds<'a>,
        told: &mut ConnectionInTenant,
    ) -> bool {
        let tenant = self.states.tenant;
        let mut is_missing = false;
        // Only a variable that names the key, or one that may be replaced by it, can mean the connection.
        let (older, deciding) = related(inventory, key);
        let may_be_it = |named: &str| older.contains(named);
        let counts = |connection: &Object<ConnectionSpec>| deciding.contains(connection.spec.stable_key.as_str());
        let replacements = &Replacements::among(tenant, inventory, counts);
        let missing = missing_for_plan(&self.states, grounds, replacements);
        is_missing |= missing.iter().any(|(missing, _)| *missing == key);
        for (name, integration) in &inventory.integrations {
            let mut variables: Vec<&str> = Vec::new();
            for variable in &integration.spec.connections {
                if !variable.stable_key().is_some_and(may_be_it) {
                    continue;
                }
                match resolve_variable(tenant, name, variable, inventory, replacements).binding {
                    Binding::Bound(bound) if bound.spec.stable_key == key => variables.push(&variable.name),
                    Binding::Missing if variable.stable_key() == Some(key) => is_missing = true,
                    _ => {}
                }
            }
            if !variables.is_empty() {
                let uses = inventory.uses.get(name).map(AsRef::as_ref);
                told.used_by.push(affected(name, uses, |variable| variables.contains(&variable)));
            }
        }
        let mut customers: BTreeSet<&str> = BTreeSet::new();
        for credentials in inventory.customer_credentials.values() {
            if !may_be_it(&credentials.spec.connection) {
                continue;
            }
            let resolution = resolve_credentials(tenant, credentials, inventory, replacements);
            if resolution.connection().is_some_and(|connection| connection.spec.stable_key == key) {
                customers.insert(&credentials.spec.customer);
                for input in credentials.spec.inputs.keys() {
                    *self.given.entry(input.clone()).or_default() += 1;
                }
            }
        }
        told.customers = customers.len();
        is_missing
    }

    /// The writers of a field that are carried out here, and read.
    fn is_present(&self, writer: &Writer) -> bool {
        match writer {
            Writer::Source => self.states.view.source.as_ref().is_some_and(|source| source.inventory().is_some()),
            Writer::Sync(_) => self.states.carried.iter().any(|sync| sync.writer == *writer),
            Writer::Promote(_) | Writer::Adopt => false,
        }
    }

    /// The override of one of these writers that decides a field.
    fn overriding(&self, field: &Field<'_>, writers: &BTreeSet<Writer>) -> Option<WrittenBy> {
        self.states.carried.iter().filter(|sync| writers.contains(&sync.writer)).find_map(|sync| {
            let here = sync.spec.overrides.iter().enumerate().filter(|(_, o)| o.tenant == self.states.tenant);
            let (position, found) = here.filter(|(_, o)| o.keep.is_none()).find(|(_, o)| {
                decided_by(o).is_some_and(|(object, decided)| object == *self.id && decided == *field)
            })?;
            Some(WrittenBy::Override { sync: sync.writer.clone(), position, reason: found.reason.clone() })
        })
    }

    fn by(&self, field: &Field<'_>, wrote: Option<&Wrote>) -> WrittenBy {
        let Some(wrote) = wrote else { return WrittenBy::Nobody };
        let by_override = self.overriding(field, &wrote.writers);
        by_override.unwrap_or_else(|| WrittenBy::Writers(wrote.writers.iter().cloned().collect()))
    }

    fn change(&self, field: &Field<'_>) -> Option<&'a FieldChange> {
        self.action?.0.fields.iter().find(|change| change.field == *field)
    }

    fn cell(&self, field: &Field<'_>, secrets: &SecretInputs) -> FieldCell {
        let value = secrets.shown(field, self.written(field));
        let wrote = self.record.and_then(|record| {
            let fields: &BTreeMap<Field<'_>, Wrote> = &record.fields;
            fields.get(field)
        });
        let (state, desired, by) = self.judged(field, &value, wrote, secrets);
        FieldCell {
            desired: desired.filter(|desired| *desired != value || *desired == ShownValue::Hidden),
            given: if value == ShownValue::PerCustomer {
                self.given.get(field.name.as_ref()).copied().unwrap_or(0)
            } else {
                0
            },
            value,
            state,
            by,
            is_as_first: false,
        }
    }

    /// The live value as it is written, or as only the platform knows it.
    fn written(&self, field: &Field<'_>) -> Option<FieldValue<'_>> {
        let live = self.live.as_ref()?;
        let told = || self.states.inventory?.facts.get(&self.id.name)?.embedded.map(FieldValue::Bool);
        live.written(field).or_else(|| told().filter(|_| field.kind == FieldKind::EmbeddedWorkflows))
    }

    /// The state of a field, what is declared instead of the live value, and who wrote that.
    fn judged(
        &self,
        field: &Field<'_>,
        value: &ShownValue,
        wrote: Option<&Wrote>,
        secrets: &SecretInputs,
    ) -> (FieldState, Option<ShownValue>, WrittenBy) {
        let is_certain = self.states.unknown.is_none() && !self.is_uncompared;
        let or_unknown = |state: FieldState| if is_certain { state } else { FieldState::Unknown };
        if self.states.inventory.is_none() {
            return (FieldState::Unknown, None, WrittenBy::Unknown);
        }
        let path = field.path();
        let drift = self.notes.iter().find_map(|note| match note {
            Note::Drift { path: of, left, by, to, ignored, .. } if *of == path => Some((*left, *ignored, by, to)),
            _ => None,
        });
        if let Some((action, waits)) = self.action {
            let by = |otherwise: WrittenBy| match drift {
                Some((_, _, by, _)) => WrittenBy::Outside { by: by.clone() },
                None => otherwise,
            };
            let to_do = if waits { FieldState::Waiting } else { FieldState::Update };
            if action.action == ActionKind::Delete {
                return (to_do, value.is_there().then_some(ShownValue::Absent), by(self.by(field, wrote)));
            }
            match self.change(field).map(|change| (change.op, change)) {
                Some((Op::Set | Op::Remove, change)) => {
                    let to = secrets.shown_json(field, change.to.as_ref());
                    let written = action.change.record.as_ref().and_then(|record| record.fields.get(&change.field));
                    let by_new = || self.by(field, written);
                    let by = by(if wrote.is_some() || value.is_there() { self.by(field, wrote) } else { by_new() });
                    return (to_do, Some(to), by);
                }
                // The live value is the declared one already.
                Some((Op::Record, change)) => {
                    let written = action.change.record.as_ref().and_then(|record| record.fields.get(&change.field));
                    return (or_unknown(FieldState::InSync), None, self.by(field, written));
                }
                Some((Op::Forget | Op::Release, _)) => return (FieldState::NotManaged, None, WrittenBy::Nobody),
                None => {}
            }
        }
        if let Some((true, ignored, by, to)) = drift {
            let state = if ignored { FieldState::DriftIgnored } else { FieldState::Drift };
            let to = secrets.shown_json(field, to.as_ref());
            return (state, Some(to), WrittenBy::Outside { by: by.clone() });
        }
        for note in &self.notes {
            match note {
                Note::Kept { path: of, by, to, .. } if *of == path => {
                    let concerned = self.states.target.and_then(|target| target.concerned.get(self.id));
                    let wanted_by = concerned.into_iter().flatten().filter(|w| self.is_present(w)).cloned().collect();
                    let to = secrets.shown_json(field, to.as_ref());
                    return (FieldState::Kept, Some(to), WrittenBy::Kept { by: by.clone(), wanted_by });
                }
                Note::Overridden { path: of, by, writer, to, .. } if *of == path => {
                    let to = secrets.shown_json(field, Some(to));
                    let by = match by == writer {
                        true => self.left_alone(field, writer).unwrap_or(WrittenBy::Nobody),
                        false => WrittenBy::Writers(vec![by.clone()]),
                    };
                    return (or_unknown(FieldState::Overridden), Some(to), by);
                }
                _ => {}
            }
        }
        self.without_difference(field, value, wrote, is_certain)
    }

    /// The override by which a sync leaves a field alone.
    fn left_alone(&self, field: &Field<'_>, writer: &Writer) -> Option<WrittenBy> {
        let sync = self.states.carried.iter().find(|sync| sync.writer == *writer)?;
        let is_it = |o: &crate::api::Override| {
            o.tenant == self.states.tenant
                && o.keep.is_some()
                && decided_by(o).is_some_and(|(object, decided)| object == *self.id && decided == *field)
        };
        let (position, found) = sync.spec.overrides.iter().enumerate().find(|(_, o)| is_it(o))?;
        Some(WrittenBy::Override { sync: writer.clone(), position, reason: found.reason.clone() })
    }

    /// The state of a field of which the plan says nothing.
    fn without_difference(
        &self,
        field: &Field<'_>,
        value: &ShownValue,
        wrote: Option<&Wrote>,
        is_certain: bool,
    ) -> (FieldState, Option<ShownValue>, WrittenBy) {
        let withheld = self.states.withheld(Kind::Connection).find(|(name, _)| *name == self.id.name);
        let by = self.by(field, wrote);
        if let Some((_, cell)) = withheld {
            let state = if cell.state == OverviewState::Waiting { FieldState::Waiting } else { FieldState::Unknown };
            return (state, None, by);
        }
        if !is_certain || *value == ShownValue::SomeSecret {
            return (FieldState::Unknown, None, by);
        }
        let live = self.written(field);
        match wrote {
            Some(wrote) if wrote.writers.iter().any(|writer| self.is_present(writer)) => {
                let now = live.or_else(|| field.kind.absent());
                let is_as_recorded = now.is_some_and(|now| now.is_recorded_as(wrote.hash));
                (if is_as_recorded { FieldState::InSync } else { FieldState::Unknown }, None, by)
            }
            // No writer declares it, or one that is gone did.
            Some(_) if value.is_there() => (FieldState::NotManaged, None, by),
            // A person sets it where it cannot be written: whether it is as declared is not compared.
            None if value.is_there() && self.is_set_by_person(field) => (FieldState::Unknown, None, WrittenBy::Unknown),
            None if value.is_there() => (FieldState::NotManaged, None, WrittenBy::Nobody),
            _ => (FieldState::Absent, None, WrittenBy::Nobody),
        }
    }

    fn is_set_by_person(&self, field: &Field<'_>) -> bool {
        field.kind == FieldKind::EmbeddedWorkflows
            && self.states.inventory.is_some_and(|inventory| !inventory.can.writes_embedded)
    }
}

/// The keys that may mean a connection, by way of what it replaces; and those that decide what they mean.
fn related<'i>(inventory: &'i Inventory, key: &'i str) -> (BTreeSet<&'i str>, BTreeSet<&'i str>) {
    let mut older: BTreeSet<&str> = BTreeSet::new();
    let mut next: Vec<&str> = vec![key];
    while let Some(newer) = next.pop() {
        if older.insert(newer)
            && let Some(connection) = inventory.connection(newer)
        {
            next.extend(connection.spec.replaces.iter().map(String::as_str));
        }
    }
    let mut deciding = older.clone();
    let replacing = inventory.connections.values().filter(|connection| !connection.spec.replaces.is_empty());
    let replacing: Vec<&ConnectionSpec> = replacing.map(|connection| &connection.spec).collect();
    loop {
        let before = deciding.len();
        for spec in &replacing {
            if spec.replaces.iter().any(|key| deciding.contains(key.as_str())) {
                deciding.insert(&spec.stable_key);
                deciding.extend(spec.replaces.iter().map(String::as_str));
            }
        }
        if deciding.len() == before {
            return (older, deciding);
        }
    }
}

/// The inputs that the type of the connection declares, in any tenant.
fn typed<'w>(world: &'w World, key: &str) -> BTreeMap<&'w str, &'w TypeInput> {
    let views = world.tenants.values().flat_map(|view| [Some(&view.live), view.source.as_ref()]).flatten();
    let mut typed = BTreeMap::new();
    for inventory in views.filter_map(View::inventory) {
        let Some(connection) = inventory.connections.get(&names::of_stable_key(key)) else { continue };
        let inputs = inventory.connection_type(&connection.spec).into_iter().flat_map(|t| &t.inputs);
        for (name, input) in inputs {
            typed.entry(name.as_str()).or_insert(input);
        }
    }
    typed
}

fn rows(world: &World, key: &str, secrets: &SecretInputs, columns: &[TenantColumn<'_>]) -> Vec<FieldRow> {
    let typed = typed(world, key);
    let is_anywhere = columns.iter().any(|column| column.live.is_some() || column.action.is_some());
    let mut fields: BTreeSet<Field<'static>> = BTreeSet::new();
    if is_anywhere {
        fields.extend(ALWAYS.map(Field::of));
        fields.extend(typed.keys().map(|name| Field::named(FieldKind::Input, name).into_owned()));
    }
    for column in columns {
        let live = column.live.iter().flat_map(|live| live.fields(true));
        fields.extend(live.map(|(field, _)| field.into_owned()));
        fields.extend(column.action.iter().flat_map(|(action, _)| &action.fields).map(|change| change.field.clone()));
        let of_note = |note: &&Note| match note {
            Note::Drift { path, .. } | Note::Kept { path, .. } | Note::Overridden { path, .. } => field_of_path(path),
            Note::Blocked { .. } | Note::Manual { .. } => None,
        };
        fields.extend(column.notes.iter().filter_map(of_note));
    }
    let group = |field: &Field<'_>| match field.kind {
        FieldKind::Input => FieldGroup::Inputs,
        FieldKind::TestInput => FieldGroup::TestInputs,
        FieldKind::Label | FieldKind::Annotation => FieldGroup::Metadata,
        _ => FieldGroup::About,
    };
    fields.retain(|field| field.kind != FieldKind::StableKey);
    let row = |field: Field<'static>| {
        let known = typed.get(field.name.as_ref()).filter(|_| field.is_input());
        let mut cells: Vec<FieldCell> = columns.iter().map(|column| column.cell(&field, secrets)).collect();
        let first = columns.iter().position(|column| column.live.is_some());
        let value = first.and_then(|at| cells.get(at)).map(|cell| cell.value.clone());
        for (position, cell) in cells.iter_mut().enumerate() {
            // Whether two secrets are the same is not told.
            let is_told = !matches!(cell.value, ShownValue::Hidden | ShownValue::SomeSecret);
            let is_there = columns.get(position).is_some_and(|column| column.live.is_some());
            cell.is_as_first = is_there && (Some(position) == first || is_told && value.as_ref() == Some(&cell.value));
        }
        FieldRow {
            group: group(&field),
            is_required: known.is_some_and(|input| input.is_required()),
            is_secret: field.is_input() && secrets.contains(&field.name),
            is_endpoint: known.is_some_and(|input| input.is_endpoint()),
            cells,
            field,
        }
    };
    let mut rows: Vec<FieldRow> = fields.into_iter().map(row).collect();
    // Required inputs come first, then those that the type names, then others.
    rows.sort_by_key(|row| {
        let is_untyped = row.field.is_input() && !typed.contains_key(row.field.name.as_ref());
        (row.group, place(row.field.kind), !row.is_required, is_untyped)
    });
    rows
}

/// The place of a field among what the connection is.
fn place(kind: FieldKind) -> usize {
    const ORDER: [FieldKind; 8] = [
        FieldKind::Title,
        FieldKind::Description,
        FieldKind::Component,
        FieldKind::Type,
        FieldKind::Credentials,
        FieldKind::DeletionPolicy,
        FieldKind::Replaces,
        FieldKind::EmbeddedWorkflows,
    ];
    ORDER.iter().position(|other| *other == kind).unwrap_or(ORDER.len())
}

/// The field with a path below spec, or of a label or annotation.
fn field_of_path(path: &[String]) -> Option<Field<'static>> {
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    let named = |kind, name: &str| Some(Field::named(kind, name).into_owned());
    match parts.as_slice() {
        ["inputs", name] => named(FieldKind::Input, name),
        ["test", "inputs", name] => named(FieldKind::TestInput, name),
        ["metadata", "labels", name] => named(FieldKind::Label, name),
        ["metadata", "annotations", name] => named(FieldKind::Annotation, name),
        [one] => Field::parse(one),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_a_note_is_a_field() {
        let path = |parts: &[&str]| parts.iter().map(ToString::to_string).collect::<Vec<_>>();
        for field in [
            Field::named(FieldKind::Input, "a.b"),
            Field::named(FieldKind::TestInput, "a"),
            Field::named(FieldKind::Annotation, "stablekey.dev/expires"),
            Field::of(FieldKind::Title),
        ] {
            assert_eq!(field_of_path(&field.path()), Some(field.into_owned()));
        }
        assert_eq!(field_of_path(&path(&["connections", "x"])), None);
        assert_eq!(field_of_path(&[]), None);
    }
}
