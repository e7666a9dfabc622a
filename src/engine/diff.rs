//! Compares one object: what its writers declare, the live state, and the ownership record. Implements the ownership
//! table of the design row by row.

use super::hashes::Hashes;
use super::model::canonical::{FieldHash, Json};
use super::model::field::{Field, FieldKind, FieldValue};
use super::model::item::Item;
use super::model::plan::{FieldChange, Op};
use super::model::record::{Record, Writer, Wrote};
use super::model::revert::Revert;
use super::overrides::Overrides;
use crate::api::{Drift, Input};
use std::collections::BTreeSet;
use std::iter::Peekable;
use std::sync::Arc;

/// The declaration of one object by one writer.
#[derive(Clone, Debug)]
pub struct Declaration {
    /// The writer of the declaration.
    pub writer: Writer,
    /// The desired object.
    pub item: Item,
    /// The part of the object that the writer declares.
    pub extent: Extent,
    /// The tenant that the object was read from.
    pub from: String,
    /// Actions that must create what this object is copied from first.
    pub after: BTreeSet<String>,
    /// Whether another version of a component in a definition is ignored.
    pub ignores_versions: bool,
    /// The fields that overrides of the sync decide.
    pub overrides: Option<Arc<Overrides>>,
}

impl Declaration {
    /// Whether an override leaves a field unchanged: the sync declares the field, but not in this tenant.
    fn leaves_alone(&self, field: &Field<'_>) -> bool {
        self.overrides.as_ref().is_some_and(|overrides| overrides.leaves_alone(field))
    }

    fn is_own(&self) -> bool {
        self.extent == Extent::Whole
    }
}

/// The part of an object that a writer declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The whole object: a source.
    Whole,
    /// The part that is copied between tenants: a sync.
    Crossing,
    /// Only the existence of the object; its content belongs to the tenant once it exists.
    Existence,
}

/// Whether a writer that wrote a field, and does not declare it now, has stopped declaring it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriterPresence {
    /// The writer was read completely and does not declare the field.
    Stopped,
    /// The writer could not be read completely, or is out of scope.
    Unsure,
    /// The writer does not exist any more.
    Gone,
    /// An ad-hoc sync or an adoption, which never declares again.
    Lasting,
}

/// The input for comparing one object.
pub struct Sides<'a> {
    /// The name of the tenant, for the ownership record.
    pub tenant: &'a str,
    /// The live object.
    pub live: Option<&'a Item>,
    /// The ownership record.
    pub record: Option<&'a Arc<Record>>,
    /// The declarations of its writers; at least one.
    pub declarations: &'a [Declaration],
    /// The policy for drift.
    pub drift: Drift,
    /// The presence of a writer that does not declare the object.
    pub presence: &'a dyn Fn(&Writer) -> WriterPresence,
    /// The other owner of a field, if the location knows one.
    pub holder: &'a dyn Fn(&Field<'_>) -> Option<String>,
    /// Hashes of values that many objects share.
    pub hashes: &'a Hashes,
    /// Whether the file or ConfigMap of the definition was removed.
    pub definition_is_gone: bool,
    /// What a person asked to put back in this object: nothing else of it changes.
    pub revert: Option<&'a Revert>,
}

/// The result of comparing one object.
#[derive(Debug)]
pub enum Difference {
    /// Two writers want different values of a field.
    Conflict { field: Field<'static>, writers: BTreeSet<Writer> },
    /// The live object differs from the desired one in an immutable field.
    Occupied {
        /// The immutable field that differs.
        field: Field<'static>,
    },
    /// The differences per field.
    Fields(Fields),
}

/// A field with its live and desired values.
#[derive(Debug)]
pub struct Both {
    pub field: Field<'static>,
    /// The live value; `None` if the field is absent.
    pub live: Option<Json>,
    /// The desired value.
    pub declared: Json,
    /// The parts of a definition that would be added, removed and changed.
    pub parts: Vec<String>,
}

impl Both {
    fn of(field: &Field<'_>, live: Option<FieldValue<'_>>, declared: FieldValue<'_>) -> Self {
        Both {
            field: field.clone().into_owned(),
            live: live.map(|v| v.to_json()),
            declared: declared.to_json(),
            parts: live.map(|live| live.parts_to(&declared)).unwrap_or_default(),
        }
    }
}

/// A field that the target keeps.
#[derive(Debug)]
pub struct KeptField {
    /// The field and its values.
    pub sides: Both,
    /// The owner of the field, if the location knows it.
    pub by: Option<String>,
}

/// A field where a sync differs from the target's own source, which has precedence.
#[derive(Debug)]
pub struct OverriddenField {
    pub field: Field<'static>,
    /// The value that the target's own source declares.
    pub own: Json,
    /// The value that the sync declares.
    pub declared: Json,
    /// The parts of a definition that would be added, removed and changed.
    pub parts: Vec<String>,
    /// The sync.
    pub writer: Writer,
}

/// A field that others changed after Stablekey wrote it.
#[derive(Debug)]
pub struct DriftedField {
    /// The field and its values.
    pub sides: Both,
    /// Whether the drift is left unchanged.
    pub left: bool,
    /// The owner who changed it, if the location knows it.
    pub by: Option<String>,
}

/// The differences of an object per field.
#[derive(Debug)]
pub struct Fields {
    /// The changes, in order.
    pub changes: Vec<FieldChange>,
    /// The writers of the changes.
    pub writers: BTreeSet<Writer>,
    /// The object after the changes.
    pub after: Item,
    /// The ownership record after the changes.
    pub record: Arc<Record>,
    /// The fields that the target keeps.
    pub kept: Vec<KeptField>,
    /// The fields that others changed, and whether they are left unchanged.
    pub drifted: Vec<DriftedField>,
    /// Whether a value changes because it had drifted.
    pub corrects: bool,
    /// Writers that do not exist any more and whose fields remain.
    pub orphaned: BTreeSet<Writer>,
    /// The fields where a sync differs from the target's own source.
    pub overridden: Vec<OverriddenField>,
}

/// Compares one object. `None` if no writer wants anything of it.
pub fn difference(sides: &Sides<'_>) -> Option<Difference> {
    effective(sides).next()?;
    let (declared, overridden) = match merge(sides) {
        Ok(merged) => merged,
        Err(Conflict { field, writers }) => return Some(Difference::Conflict { field, writers }),
    };
    Some(match sides.live {
        // There is nothing to put back in an object that is not there.
        None if sides.revert.is_some() => return None,
        None => Difference::Fields(Fields { overridden, ..create(sides, &declared)? }),
        Some(live) => {
            let fields = live.fields(true);
            let mut written = beside(&fields);
            let mut differs = |field: &Field<'_>, d: &DesiredValue<'_>| {
                let now = written.at(field).copied().or(field.kind.absent());
                !now.is_some_and(|now| now.is(&d.value))
            };
            match declared.iter().find(|(field, d)| field.kind.is_immutable() && differs(field, d)) {
                Some((field, _)) => Difference::Occupied { field: field.clone().into_owned() },
                None => Difference::Fields(Fields { overridden, ..compare(sides, live, &fields, &declared) }),
            }
        }
    })
}

/// The declared fields, sorted.
type DeclaredFields<'a> = Vec<(Field<'a>, DesiredValue<'a>)>;

/// A sorted list that is walked in parallel to another, one field after the other.
struct Beside<I: Iterator>(Peekable<I>);

fn beside<'s, 'f, T>(sorted: &'s [(Field<'f>, T)]) -> Beside<impl Iterator<Item = (&'s Field<'f>, &'s T)>> {
    Beside(sorted.iter().map(|(field, found)| (field, found)).peekable())
}

impl<'s, 'f: 's, T, I: Iterator<Item = (&'s Field<'f>, T)>> Beside<I> {
    /// The entry for a field.
    fn at(&mut self, field: &Field<'_>) -> Option<T> {
        self.at_or_pass(field, |_, _| ())
    }

    /// The entry for a field; `pass` is called for entries that the walk skips.
    fn at_or_pass(&mut self, field: &Field<'_>, mut pass: impl FnMut(&'s Field<'f>, T)) -> Option<T> {
        loop {
            let order = Ord::cmp(self.0.peek()?.0, field);
            let (other, found) = self.0.next_if(|_| order.is_le())?;
            if order.is_eq() {
                return Some(found);
            }
            pass(other, found);
        }
    }
}

struct DesiredValue<'a> {
    value: FieldValue<'a>,
    item: &'a Item,
    /// The writers to record: none if a sync only ensures that the object exists.
    writers: Arc<BTreeSet<Writer>>,
    /// Whether every writer that wants the value is a sync: a secretRef then belongs to the target once it exists.
    crossing: bool,
    /// Whether an override sets the value for this tenant.
    by_override: bool,
    /// Whether all writers ignore another version of a component.
    ignores_versions: bool,
}

impl DesiredValue<'_> {
    /// Whether a live value is the desired one.
    fn is(&self, now: &FieldValue<'_>) -> bool {
        now.is(&self.value) || self.ignores_versions && now.is_but_for_versions(&self.value)
    }

    /// The hash to record. An existing hash in an older format is kept.
    fn hash(&self, sides: &Sides<'_>, field: &Field<'_>, wrote: Option<&Wrote>) -> FieldHash {
        if let Some(hash) = self.value.hash_without_versions().filter(|_| self.ignores_versions) {
            return hash;
        }
        let is_recorded = |wrote: &&Wrote| field.kind == FieldKind::Definition && self.value.is_recorded_as(wrote.hash);
        wrote.filter(is_recorded).map_or_else(|| sides.hashes.hash(field.kind, &self.value), |wrote| wrote.hash)
    }
}

struct Conflict {
    field: Field<'static>,
    writers: BTreeSet<Writer>,
}

/// Merges the declarations of an object per field; also returns the fields where the target's own source has precedence
/// over a sync.
fn merge<'a>(sides: &Sides<'a>) -> Result<(DeclaredFields<'a>, Vec<OverriddenField>), Conflict> {
    let mut merged: DeclaredFields<'a> = Vec::new();
    let mut overridden = Vec::new();
    let (own, syncs): (Vec<_>, Vec<_>) = effective(sides).partition(|d| d.is_own());
    // The target's own source has precedence over every sync.
    for declaration in own.iter().chain(&syncs) {
        let crossing = !declaration.is_own();
        if let Some(of_another_kind) = another_kind(declaration, sides) {
            overridden.push(of_another_kind);
            continue;
        }
        let records = declaration.extent != Extent::Existence;
        let writers = if records { only(&declaration.writer, sides.record) } else { Arc::default() };
        for (field, value) in declaration.item.fields(!crossing) {
            let is_override = || declaration.overrides.as_ref().is_some_and(|o| o.decision(&field).is_some());
            let at = match merged.binary_search_by(|(other, _)| other.cmp(&field)) {
                Ok(at) => at,
                Err(at) => {
                    let by_override = is_override();
                    let (item, writers) = (&declaration.item, writers.clone());
                    let ignores_versions = declaration.ignores_versions;
                    merged.insert(
                        at,
                        (field, DesiredValue { value, item, writers, crossing, by_override, ignores_versions }),
                    );
                    continue;
                }
            };
            match &mut merged[at].1 {
                other if other.value.is(&value) => {
                    Arc::make_mut(&mut other.writers).extend(writers.iter().cloned());
                    other.crossing &= crossing;
                    other.ignores_versions &= declaration.ignores_versions;
                    other.by_override |= is_override();
                }
                other if crossing && gives_way(value, other, sides.live, &field) => {}
                other if crossing && !other.crossing => overridden.push(OverriddenField {
                    own: other.value.to_json(),
                    declared: value.to_json(),
                    parts: other.value.parts_to(&value),
                    writer: declaration.writer.clone(),
                    field: field.into_owned(),
                }),
                _ => {
                    let wants = |d: &&Declaration| d.item.fields(d.is_own()).iter().any(|(f, _)| *f == field);
                    let writers = effective(sides).filter(wants).map(|d| d.writer.clone()).collect();
                    return Err(Conflict { field: field.into_owned(), writers });
                }
            }
        }
    }
    Ok((merged, overridden))
}

/// Whether a sync declares an object whose component, type or credentials differ from those in the target's own source.
/// These fields are immutable, and the other fields of one kind make no sense for another.
fn another_kind(declaration: &Declaration, sides: &Sides<'_>) -> Option<OverriddenField> {
    let own = effective(sides).find(|d| d.is_own()).filter(|_| !declaration.is_own())?;
    declaration.item.fields(false).into_iter().filter(|(field, _)| field.kind.is_immutable()).find_map(
        |(field, value)| {
            let decided = own.item.value(&field)?;
            (!decided.is(&value)).then(|| OverriddenField {
                own: decided.to_json(),
                declared: value.to_json(),
                parts: Vec::new(),
                writer: declaration.writer.clone(),
                field: field.into_owned(),
            })
        },
    )
}

/// The set of one writer. Reuses an equal set from the ownership record, so that sets are shared and compared by
/// pointer.
fn only(writer: &Writer, record: Option<&Arc<Record>>) -> Arc<BTreeSet<Writer>> {
    let first = record.and_then(|r| r.fields.values().next()).map(|wrote| &wrote.writers);
    let shared = first.filter(|writers| writers.len() == 1 && writers.contains(writer));
    shared.cloned().unwrap_or_else(|| Arc::new(BTreeSet::from([writer.clone()])))
}

/// The declarations that take effect. One that only ensures the existence of the object has no effect if the object
/// exists, or if the target's own source declares it.
fn effective<'a>(sides: &Sides<'a>) -> impl Iterator<Item = &'a Declaration> {
    let lacks = sides.live.is_none() && !sides.declarations.iter().any(|d| d.extent == Extent::Whole);
    sides.declarations.iter().filter(move |d| lacks || d.extent != Extent::Existence)
}

/// Whether a sync's secretRef is not copied because the target has one, live or in its own source.
fn gives_way(value: FieldValue<'_>, other: &DesiredValue<'_>, live: Option<&Item>, field: &Field<'_>) -> bool {
    let there = live.and_then(|l| l.written(field)).is_some_and(is_secret_ref);
    is_secret_ref(value) && is_secret_ref(other.value) && (there || !other.crossing)
}

/// The first field for which two syncs declare different values.
pub fn contradiction(one: &Declaration, other: &Declaration) -> Option<Field<'static>> {
    one.item.fields(false).into_iter().find_map(|(field, value)| {
        let theirs = other.item.value(&field)?;
        let of_target = is_secret_ref(value) && is_secret_ref(theirs);
        (!of_target && !theirs.is(&value)).then(|| field.into_owned())
    })
}

/// Whether a value is a secretRef.
pub(super) fn is_secret_ref(value: FieldValue<'_>) -> bool {
    matches!(value, FieldValue::Input(Input::SecretRef(_)))
}

fn create(sides: &Sides<'_>, declared: &DeclaredFields<'_>) -> Option<Fields> {
    let of_own = effective(sides).find(|d| d.is_own());
    let base = of_own.or_else(|| effective(sides).find(|d| d.extent != Extent::Existence));
    let base = base.or_else(|| effective(sides).next())?;
    let mut fields = Fields {
        changes: Vec::with_capacity(declared.len()),
        writers: effective(sides).filter(|d| another_kind(d, sides).is_none()).map(|d| d.writer.clone()).collect(),
        after: base.item.clone().without_bookkeeping(),
        record: Arc::default(),
        kept: Vec::new(),
        drifted: Vec::new(),
        corrects: false,
        orphaned: BTreeSet::new(),
        overridden: Vec::new(),
    };
    let mut record = Record { made: true, ..Record::of(sides.tenant) };
    for (field, d) in declared {
        fields.changes.push(change(field, Op::Set, None, Some(d.value)));
        if !fields.after.written(field).is_some_and(|v| v.is(&d.value)) {
            fields.after = fields.after.with(field, Some(d.item));
        }
        if !d.writers.is_empty() {
            let wrote = Wrote { hash: d.hash(sides, field, None), writers: d.writers.clone() };
            record.fields.insert(field.clone().into_owned(), wrote);
        }
    }
    fields.record = Arc::new(record);
    Some(fields)
}

fn compare(
    sides: &Sides<'_>,
    live: &Item,
    written: &[(Field<'_>, FieldValue<'_>)],
    declared: &DeclaredFields<'_>,
) -> Fields {
    let recorded = sides.record.cloned().unwrap_or_else(|| Arc::new(Record::of(sides.tenant)));
    let mut fields = Fields {
        changes: Vec::new(),
        writers: BTreeSet::new(),
        after: live.clone(),
        record: recorded.clone(),
        kept: Vec::new(),
        drifted: Vec::new(),
        corrects: false,
        orphaned: BTreeSet::new(),
        overridden: Vec::new(),
    };
    let (mut written, mut wrote) = (beside(written), Beside(recorded.fields.iter().peekable()));
    for (field, d) in declared {
        let wrote = wrote.at_or_pass(field, |other, wrote| undeclared_field(sides, live, other, wrote, &mut fields));
        declared_field(sides, written.at(field).copied(), field, d, wrote, &mut fields);
    }
    wrote.0.for_each(|(field, wrote)| undeclared_field(sides, live, field, wrote, &mut fields));
    fields.changes.sort_by(|a, b| a.field.cmp(&b.field));
    fields
}

fn declared_field(
    sides: &Sides<'_>,
    before: Option<FieldValue<'_>>,
    field: &Field<'_>,
    d: &DesiredValue<'_>,
    wrote: Option<&Wrote>,
    out: &mut Fields,
) {
    let is_reverted = sides.revert.is_some();
    if sides.revert.is_some_and(|revert| !revert.includes(field)) {
        return;
    }
    let now = before.or(field.kind.absent());
    let to_record = || Wrote { hash: d.hash(sides, field, wrote), writers: writers_of(sides, field, d, wrote) };
    if now.is_some_and(|now| d.is(&now)) {
        let follows = to_record();
        if wrote != Some(&follows) && !is_reverted {
            out.changes.push(change(field, Op::Record, None, Some(d.value)));
            out.writers.extend(d.writers.iter().cloned());
            out.record(field, follows);
        }
        return;
    }
    let as_recorded = wrote.is_some_and(|wrote| now.is_some_and(|now| now.is_recorded_as(wrote.hash)));
    // A field that the target's own source wrote is not changed by a sync while that source cannot be read.
    let of_source = |wrote: &Wrote| wrote.writers.contains(&Writer::Source);
    if d.crossing && wrote.is_some_and(of_source) && (sides.presence)(&Writer::Source) == WriterPresence::Unsure {
        return;
    }
    // A secretRef is copied when its input is first written; after that it belongs to the target, also if the target
    // changes it. One that an override sets is specific to this tenant, and follows the override.
    let follows = d.by_override && as_recorded;
    let is_theirs = (now.is_some_and(is_secret_ref) && !follows) || (wrote.is_some() && !as_recorded);
    if d.crossing && is_secret_ref(d.value) && is_theirs {
        if now.is_none() && is_reverted {
            out.corrects = true;
            set(out, field, d, before, to_record());
        } else if now.is_none() {
            // The target removed the secretRef: its decision is kept and reported.
            out.kept.push(KeptField { sides: Both::of(field, None, d.value), by: (sides.holder)(field) });
        }
        return;
    }
    let differs_as_planned = wrote.map_or(before.is_none(), |_| as_recorded);
    if is_reverted && !differs_as_planned {
        out.corrects = true;
        return set(out, field, d, before, to_record());
    }
    match wrote {
        // What the next apply changes is not put back.
        _ if is_reverted => {}
        None if before.is_none() => set(out, field, d, None, to_record()),
        None => {
            let by = (sides.holder)(field);
            let sides = Both::of(field, before, d.value);
            out.kept.push(KeptField { sides, by });
        }
        Some(_) if as_recorded => set(out, field, d, before, to_record()),
        // A missing definition is restored while it is declared, under any drift policy.
        Some(_) if field.kind == FieldKind::Definition && sides.definition_is_gone => {
            set(out, field, d, before, to_record());
        }
        Some(_) => {
            let corrects = sides.drift == Drift::Correct;
            let by = (sides.holder)(field);
            out.drifted.push(DriftedField { sides: Both::of(field, before, d.value), left: !corrects, by });
            if corrects {
                out.corrects = true;
                set(out, field, d, before, to_record());
            }
        }
    }
}

/// The declaring writers, and those that wrote the field and may still declare it.
fn writers_of(
    sides: &Sides<'_>,
    field: &Field<'_>,
    d: &DesiredValue<'_>,
    wrote: Option<&Wrote>,
) -> Arc<BTreeSet<Writer>> {
    let mut writers = d.writers.clone();
    if wrote.is_none_or(|wrote| Arc::ptr_eq(&wrote.writers, &writers)) {
        return writers;
    }
    let others = wrote.into_iter().flat_map(|w| w.writers.iter()).filter(|w| !d.writers.contains(*w));
    for unsure in others.filter(|w| presence_on(sides, w, field) == WriterPresence::Unsure) {
        Arc::make_mut(&mut writers).insert(unsure.clone());
    }
    writers
}

fn set(out: &mut Fields, field: &Field<'_>, d: &DesiredValue<'_>, now: Option<FieldValue<'_>>, wrote: Wrote) {
    out.changes.push(change(field, Op::Set, now, Some(d.value)));
    out.after = out.after.with(field, Some(d.item));
    out.writers.extend(d.writers.iter().cloned());
    out.record(field, wrote);
}

impl Fields {
    /// Whether there is nothing to do or report.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
            && self.kept.is_empty()
            && self.drifted.is_empty()
            && self.orphaned.is_empty()
            && self.overridden.is_empty()
    }

    fn record(&mut self, field: &Field<'_>, wrote: Wrote) {
        Arc::make_mut(&mut self.record).fields.insert(field.clone().into_owned(), wrote);
    }
}

fn undeclared_field(sides: &Sides<'_>, live: &Item, field: &Field<'static>, wrote: &Wrote, out: &mut Fields) {
    if sides.revert.is_some() {
        return;
    }
    let presences = wrote.writers.iter().map(|w| (w, presence_on(sides, w, field)));
    let (stopped, lasting): (Vec<_>, Vec<_>) =
        presences.partition(|(_, presence)| *presence == WriterPresence::Stopped);
    out.orphaned.extend(lasting.iter().filter(|(_, s)| *s == WriterPresence::Gone).map(|(w, _)| (*w).clone()));
    if stopped.is_empty() {
        return;
    }
    let stopped: BTreeSet<Writer> = stopped.into_iter().map(|(w, _)| w.clone()).collect();
    let now = live.written(field);
    if !lasting.is_empty() {
        let writers = Arc::new(lasting.into_iter().map(|(w, _)| w.clone()).collect());
        out.changes.push(change(field, Op::Record, None, now));
        out.record(field, Wrote { hash: wrote.hash, writers });
    } else {
        let holder = (sides.holder)(field);
        let as_recorded = now.is_some_and(|now| now.is_recorded_as(wrote.hash));
        let theirs = now.is_some_and(is_secret_ref) && stopped.iter().all(Writer::is_sync);
        let op = match holder {
            Some(_) => Op::Release,
            // An immutable field cannot be removed, and a copied secretRef belongs to the target.
            None if as_recorded && !field.kind.is_immutable() && !theirs => Op::Remove,
            None => Op::Forget,
        };
        out.changes.push(FieldChange { by: holder, ..change(field, op, now, None) });
        if op == Op::Remove {
            out.after = out.after.with(field, None);
        }
        Arc::make_mut(&mut out.record).fields.remove(field);
    }
    out.writers.extend(stopped);
}

/// The presence of a writer that does not declare a field.
fn presence_on(sides: &Sides<'_>, writer: &Writer, field: &Field<'_>) -> WriterPresence {
    let declares =
        |d: &&Declaration| d.writer == *writer && (d.leaves_alone(field) || another_kind(d, sides).is_some());
    match sides.declarations.iter().find(declares) {
        // The writer still declares the field.
        Some(_) => WriterPresence::Unsure,
        None => (sides.presence)(writer),
    }
}

fn change(field: &Field<'_>, op: Op, from: Option<FieldValue<'_>>, to: Option<FieldValue<'_>>) -> FieldChange {
    FieldChange {
        field: field.clone().into_owned(),
        op,
        from: from.map(|v| v.to_json()),
        to: to.map(|v| v.to_json()),
        parts: from.zip(to).map(|(from, to)| from.parts_to(&to)).unwrap_or_default(),
        by: None,
    }
}
