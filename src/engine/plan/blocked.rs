//! Decides whether an integration can be written. Connections that are missing, of another kind, or blocked themselves
//! prevent it.

use super::draft::{BoundVariables, Draft};
use super::reading::not_delivered;
use crate::api::*;
use crate::engine::check;
use crate::engine::diff::Declaration;
use crate::engine::model::code::{Code, Severity};
use crate::engine::model::command::EditCommand;
use crate::engine::model::field::{Field, FieldKind};
use crate::engine::model::finding::Finding;
use crate::engine::model::inventory::{Inventory, World};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::Note;
use crate::engine::model::record::Writer;
use crate::engine::promote::Meaning;
use crate::engine::resolve::{Asker, Binding, Replacements, resolve_key, resolve_variable};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Why an object is not written.
#[derive(Clone, Debug)]
pub(super) struct Obstacle {
    pub code: Code,
    pub text: String,
    /// How to remove it.
    pub fix: String,
    /// The commands that make the edit.
    pub commands: Vec<EditCommand>,
}

impl Obstacle {
    /// An obstacle that no single command removes.
    pub(super) fn of(code: Code, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Obstacle { code, text: text.into(), fix: fix.into(), commands: Vec::new() }
    }

    /// The note about an object that it blocks.
    pub(super) fn note(self, object: &ObjectId) -> Note {
        let Obstacle { code, text, fix, commands } = self;
        Note::Blocked { object: object.clone(), code, text, fix, commands }
    }
}

/// The declarations of an integration after its variables are bound.
#[derive(Default)]
pub(super) struct BoundIntegration {
    /// The declarations, without those of syncs that would leave a variable missing or bound to something else.
    pub kept: Vec<Declaration>,
    /// The writers of the removed declarations.
    pub blocked: BTreeSet<Writer>,
    /// Why they are blocked, and how to fix it.
    pub problems: Vec<Obstacle>,
    /// The findings about the integration.
    pub findings: Vec<Finding>,
    /// The bindings of its variables, which decided the above.
    pub bound: BoundVariables,
    /// The connections that any of its writers would bind a variable to.
    pub wanted: Vec<Arc<Object<ConnectionSpec>>>,
}

impl Draft<'_> {
    /// Binds the declared variables of an integration, to decide whether it can be written.
    pub(super) fn bind(
        &self,
        id: &ObjectId,
        declarations: &[Declaration],
        connections: &Inventory,
        replacements: &Replacements,
    ) -> BoundIntegration {
        let mut result = BoundIntegration::default();
        for declaration in declarations {
            let Item::Integration(integration, _) = &declaration.item else { continue };
            let sources = self.input.promotions.get(&declaration.writer).and_then(|p| p.get(&id.name));
            let of_this = BTreeSet::from([declaration.writer.clone()]);
            let mut problems: Vec<_> = no_definition(declaration, self.input.world).into_iter().collect();
            for variable in &integration.spec.connections {
                let binding = sources.and_then(|s| s.get(&variable.name));
                let source = binding.and_then(|b| b.connection.as_ref());
                // The effective meaning in the target counts, whoever decides it.
                let (variable, writers) = match binding.map(|b| &b.meaning) {
                    Some(Meaning::OwnSource(variable)) => (variable, None),
                    Some(Meaning::Declared) | None => (variable, Some(&of_this)),
                };
                let Some(key) = variable.stable_key() else { continue };
                let asker = Asker { writers, source_binding: source.map(|c| &c.spec), ..Asker::default() };
                let resolution = resolve_key(key, connections, replacements, asker);
                if let Some(bound) = resolution.connection() {
                    result.bound.insert(variable.name.clone(), bound.clone());
                    result.wanted.push(bound.clone());
                }
                let unread = match resolution.binding {
                    Binding::Missing => self.unread_in_source(declaration, key).map(Binding::Unknown),
                    _ => None,
                };
                let found = unread.as_ref().unwrap_or(&resolution.binding);
                let problem = self.blocked_connection(variable, key, found, connections).or_else(|| {
                    // A binding of the target's own source is its own decision: it is reported, but not blocked where
                    // it can be made.
                    let is_checked =
                        declaration.writer != Writer::Source || !self.input.live.can.holds_missing_bindings;
                    let source = source.map(AsRef::as_ref);
                    let bound = (key, found, binding.is_some_and(|b| b.overridden));
                    let source = (source, declaration.from.as_str());
                    is_checked.then(|| self.obstacle(id, variable, bound, source, connections, &mut result.findings))?
                });
                let problem = problem.or_else(|| {
                    let moves = declaration.writer != Writer::Source && writers.is_some();
                    let to = resolution.connection().filter(|_| moves)?;
                    self.waits(id, variable, to, connections, replacements)
                });
                problems.extend(problem);
            }
            if problems.is_empty() {
                result.kept.push(declaration.clone());
            } else {
                result.blocked.insert(declaration.writer.clone());
            }
            result.problems.extend(problems);
        }
        result
    }

    /// Why it is unknown whether a sync brings a connection that the target lacks: its source was not read whole.
    fn unread_in_source(&self, declaration: &Declaration, key: &str) -> Option<String> {
        let state = self.input.writers.get(&declaration.writer)?;
        let may_have_it = state.writes_connections && state.reading.may_hold(&connection_of(key));
        let from = &declaration.from;
        may_have_it.then(|| format!("{from}, from which it would come, cannot be read whole and may have it"))
    }

    /// Blocks a variable that would move from a working connection to one that is not ready: a working binding waits
    /// for a working one.
    fn waits(
        &self,
        id: &ObjectId,
        variable: &Variable,
        to: &Object<ConnectionSpec>,
        connections: &Inventory,
        replacements: &Replacements,
    ) -> Option<Obstacle> {
        if connections.is_usable(to) && !self.changes_what_it_needs(to) {
            return None;
        }
        let lacks = check::missing_inputs(&to.spec, connections);
        let tenant = self.input.tenant;
        let live = self.input.live.integrations.get(&id.name)?;
        let live = live.spec.connections.iter().find(|v| v.name == variable.name)?;
        // A variable that no writer wrote belongs to the target, and is kept anyway.
        let field = Field::named(FieldKind::Variable, &variable.name);
        self.input.live.record(tenant, id)?.wrote(&field)?;
        let from = resolve_variable(tenant, &id.name, live, connections, replacements);
        let from = from.connection().filter(|from| from.name() != to.name())?;
        connections.was_usable(from).then(|| {
            let (name, from, to_key) = (&variable.name, &from.spec.stable_key, &to.spec.stable_key);
            let (why, fix) = match lacks.is_empty() {
                false => (format!("lacks {}", lacks.join(", ")), format!("complete Connection/{}", to.name())),
                true => (
                    "is not ready there".to_string(),
                    format!("give Connection/{} what its Ready waits for", to.name()),
                ),
            };
            let text = format!("{name:?} works with {from} and would move to {to_key}, which {why}");
            Obstacle::of(Code::BindingWaits, text, format!("{fix}; it moves by itself then"))
        })
    }

    /// Whether a connection gets other inputs, in a location that reports readiness: whether it is ready with them is
    /// known only after the change.
    fn changes_what_it_needs(&self, then: &Object<ConnectionSpec>) -> bool {
        let live = self.input.live;
        let now = live.connections.get(then.name()).filter(|_| live.can.knows_readiness);
        now.is_some_and(|now| now.spec.inputs != then.spec.inputs || !now.spec.is_same_kind_as(&then.spec))
    }

    /// A connection that a variable needs and that is blocked as a whole.
    fn blocked_connection(
        &self,
        variable: &Variable,
        key: &str,
        binding: &Binding,
        connections: &Inventory,
    ) -> Option<Obstacle> {
        if self.occupied.is_empty() && connections.invalid.is_empty() {
            return None;
        }
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
        let text = format!("{:?} needs {id}, which is blocked", variable.name);
        Some(Obstacle::of(code, text, "fix that first"))
    }

    /// Whether a connection with exactly this stable key is declared.
    fn is_declared(&self, key: &str) -> bool {
        let declared = self.input.declared.get(&connection_of(key)).into_iter().flatten();
        let is_it = |d: &Declaration| matches!(&d.item, Item::Connection(c) if c.spec.stable_key == key);
        declared.into_iter().any(is_it)
    }

    /// The reason why a declared object is not created, from its note.
    fn why_blocked(&self, id: &ObjectId) -> String {
        let note = self.notes.iter().find_map(|note| match note {
            Note::Blocked { object, code, text, .. } if object == id => Some(format!(": {code} {text}")),
            _ => None,
        });
        let finding = || {
            let of_it = self.findings.iter().find(|f| f.object.as_ref() == Some(id) && f.severity == Severity::Error);
            of_it.map(|finding| format!(": {} {}", finding.code, finding.text))
        };
        note.or_else(finding).unwrap_or_default()
    }

    /// The obstacle of one variable that prevents a sync from writing its integration.
    fn obstacle(
        &self,
        id: &ObjectId,
        variable: &Variable,
        (key, binding, is_overridden): (&str, &Binding, bool),
        (source, from): (Option<&Object<ConnectionSpec>>, &str),
        connections: &Inventory,
        findings: &mut Vec<Finding>,
    ) -> Option<Obstacle> {
        let tenant = self.input.tenant;
        // The mistake is in the source, whose findings contain a suggestion.
        let is_missing_there = source.is_none() && !is_overridden;
        let name = &variable.name;
        match binding {
            Binding::Own => None,
            // Where the source has none of its own either, both tenants have one of the platform's.
            Binding::Foreign(_) if source.is_none() => None,
            Binding::Foreign(foreign) => {
                let text = format!("{name:?} needs stable key {key}, which is {foreign} in {tenant}");
                let fix = format!("name another connection of {tenant} by an override");
                Some(Obstacle::of(Code::BindingMissing, text, fix))
            }
            Binding::Missing if self.is_declared(key) => {
                let id = connection_of(key);
                let why = self.why_blocked(&id);
                let text = format!("{name:?} needs {id}, which is blocked{why}");
                Some(Obstacle::of(Code::BindingMissing, text, "fix that first"))
            }
            Binding::Missing if is_missing_there && from != tenant => {
                let text = format!("{name:?} names stable key {key}, which {from} does not have either");
                Some(Obstacle::of(Code::BindingMissing, text, format!("correct it in {from}: see its findings")))
            }
            Binding::Missing => {
                let fix =
                    check::how_to_fix_missing(tenant, key, source.map(|s| &s.spec), connections, self.input.elsewhere);
                let text = format!("{name:?} needs stable key {key}, which {tenant} does not have");
                Some(Obstacle {
                    commands: fix.make.into_iter().collect(),
                    ..Obstacle::of(Code::BindingMissing, text, fix.text)
                })
            }
            Binding::Unknown(why) => {
                let text = format!("{name:?} needs stable key {key}: {why}");
                Some(Obstacle::of(Code::BindingUnknown, text, "fix that first"))
            }
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
                    let fix = format!(
                        "give {tenant} a connection of {}/{} and name it by an override, or correct the one that is there",
                        source.spec.component, source.spec.type_
                    );
                    return Some(Obstacle::of(Code::KeyDiffers, text, fix));
                }
                if bound.spec.credentials != source.spec.credentials {
                    findings.push(Finding::of(
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
}

fn connection_of(key: &str) -> ObjectId {
    ObjectId::new(Kind::Connection, names::of_stable_key(key))
}

/// An obstacle if the sync's source lacks the definition to copy. In a source folder, a reference to a ConfigMap is
/// allowed.
fn no_definition(declaration: &Declaration, world: &World) -> Option<Obstacle> {
    if let Item::Integration(_, Some(uses)) = &declaration.item
        && let (Some(what), true) = (&uses.unread, declaration.writer != Writer::Source)
    {
        let text = format!("its definition in {} is of {what}, which is not read", declaration.from);
        let fix = "update stablekey, or export the integration in a version that is read";
        return Some(Obstacle::of(Code::DefinitionUnread, text, fix));
    }
    let Item::Integration(integration, None) = &declaration.item else { return None };
    if declaration.writer == Writer::Source {
        return None;
    }
    match integration.spec.definition.as_ref()? {
        Definition::File(file) => {
            let source = world.tenants.get(&declaration.from);
            let (text, fix) = not_delivered(file, &declaration.from, source.map(|tenant| &tenant.spec));
            Some(Obstacle::of(Code::DefinitionMissing, text, fix))
        }
        Definition::ConfigMap(map) => {
            let text = format!(
                "its definition is in ConfigMap {}, which {} does not have, or which cannot be read",
                map.name, declaration.from
            );
            let fix = "put it there under key definition, with label stablekey.dev/definition: \"true\"";
            Some(Obstacle::of(Code::DefinitionMissing, text, fix))
        }
    }
}
