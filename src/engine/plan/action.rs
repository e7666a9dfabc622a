//! Turns the difference of one object into an action: what it does, why, what it affects, what must be done before, and
//! what needs approval.

use super::digest;
use super::draft::{Draft, overridden};
use super::input::policy_owners;
use super::{customers, manual, redirects, resend, supply};
use crate::api::*;
use crate::engine::check::missing_inputs;
use crate::engine::diff::{self, Declaration, DriftedField, KeptField, OverriddenField};
use crate::engine::model::canonical::Json;
use crate::engine::model::code::Code;
use crate::engine::model::field::FieldKind;
use crate::engine::model::inventory::ReadOnly;
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::*;
use crate::engine::model::record::Writer;
use crate::engine::resolve::{Replacements, resolve_variable};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Draft<'_> {
    /// The title that an integration would have, if another one has it, where titles are names.
    fn taken_title(&self, id: &ObjectId, after: &Item, kind: ActionKind) -> Option<(String, ObjectId)> {
        let Item::Integration(integration, _) = after else { return None };
        let live = self.input.live;
        if !live.can.titles_are_names || kind == ActionKind::Adopt {
            return None;
        }
        let title = integration.spec.title.as_deref().unwrap_or(integration.name());
        let has_it = |other: &Object<IntegrationSpec>| {
            other.name() != id.name && other.spec.title.as_deref().unwrap_or(other.name()) == title
        };
        let other = live.integrations.values().find(|other| has_it(other))?;
        Some((title.to_string(), ObjectId::new(Kind::Integration, other.name())))
    }

    /// Adds the action and the notes for the field differences of an object. `decided` is the input of the decision
    /// beside the desired and live state.
    pub(super) fn fields(
        &mut self,
        id: &ObjectId,
        live: Option<Item>,
        mut fields: diff::Fields,
        declarations: &[Declaration],
        decided: &dyn Fn() -> Value,
    ) {
        let input = self.input;
        if input.revert.is_none() {
            resend::add(input, live.as_ref(), &mut fields, declarations);
        }
        self.hide_secrets(&mut fields, live.as_ref());
        for KeptField { sides, by } in fields.kept {
            let by = by.unwrap_or_else(|| input.tenant.to_string());
            self.notes.push(Note::Kept {
                object: id.clone(),
                path: sides.field.path(),
                by,
                text: None,
                from: sides.live,
                to: Some(sides.declared),
                parts: sides.parts,
            });
        }
        let ignored = input.view.spec.drift() == Drift::Ignore;
        for DriftedField { sides, left, by } in fields.drifted {
            self.notes.push(Note::Drift {
                object: id.clone(),
                path: sides.field.path(),
                left,
                by,
                from: sides.live,
                to: Some(sides.declared),
                parts: sides.parts,
                ignored,
            });
        }
        for OverriddenField { field, own, declared, parts, writer } in fields.overridden {
            self.notes.push(overridden(id, &field, (&Writer::Source, &writer), (own, declared), parts));
        }
        for writer in fields.orphaned {
            self.orphaned.entry(writer).or_default().insert(id.clone());
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
            return self.blocked(id, Code::FileBroken, text, format!("fix {file}"));
        }
        if !input.view.spec.allows(allowed) {
            if kind == ActionKind::Adopt {
                // The desired state is reached; only the ownership record would change.
                return;
            }
            let text = format!("the policy of {} does not allow {allowed:?}", input.tenant);
            return self.blocked(
                id,
                Code::NotAllowed,
                text,
                format!(
                    "add {allowed:?} to policy.actions of {}, or make the change there yourself",
                    policy_owners(input.tenant, &input.view.spec)
                ),
            );
        }
        if let (Some(why), true) = (input.live.read_only.get(id), kind == ActionKind::Update) {
            let (code, fix) = match why {
                ReadOnly::Shared(_) => (
                    Code::FileShared,
                    "copy the file into the tenant's folder in place of the link, or change the shared file itself",
                ),
                ReadOnly::Manual(_) => (
                    Code::EditByHand,
                    "make the change yourself, or write the document in a plainer way; then plan again",
                ),
                ReadOnly::CodeNative => (Code::CodeNative, "publish it with prism, from its code"),
            };
            return self.blocked(id, code, why.to_string(), fix);
        }
        let is_code = |d: &Declaration| matches!(&d.item, Item::Integration(_, Some(uses)) if uses.is_code_native);
        if kind != ActionKind::Adopt && !input.live.can.takes_code && declarations.iter().any(is_code) {
            let why = ReadOnly::CodeNative.to_string();
            return self.blocked(id, Code::CodeNative, why, "publish it with prism, from its code");
        }
        if let Some((title, other)) = self.taken_title(id, &fields.after, kind) {
            let text =
                format!("the title {title:?} is that of {other} there, and integrations are found by their titles");
            return self.blocked(id, Code::Occupied, text, "give one of them another title");
        }
        if input.live.is_locked(id) && kind == ActionKind::Update {
            let text = format!("your account may not change {id} on the platform");
            let fix = "use the token of a user whose role may, or make the change there yourself";
            return self.blocked(id, Code::AccountMayNot, text, fix);
        }
        if self.has_shared_secret(&fields.after, kind) {
            // An error on every object that names one of them: see `of_shared_secrets`.
            return;
        }
        if let Some(reference) = self.absent_secret(&fields.after, &fields.changes, kind) {
            let supply = &input.live.supply;
            let what = match reference.is_unknown() {
                true => format!("the secret {}, of which only the platform knows the content", reference.key),
                false => format!("secret {}/{}, which is not there", reference.name, reference.key),
            };
            let text = match kind {
                ActionKind::Create => format!("it needs {what}"),
                _ => format!("a change of its inputs sends all of them, and needs {what}"),
            };
            let step = supply.step(input.tenant, reference, supply::key_of(&fields.after));
            self.notes.push(Note::Manual {
                object: id.clone(),
                who: manual::PLATFORM_TEAM,
                count: 1,
                text: step.clone(),
                secret: None,
            });
            return self.blocked(id, Code::SecretAbsent, text, step);
        }
        if let Some((code, text)) = self.refused_secret(&fields.after, &fields.changes, kind) {
            return self.blocked(id, code, text, "see the annotations of the Secret, or name another one");
        }
        let changes = fields.changes;
        let mut after: BTreeSet<String> = declarations.iter().flat_map(|d| d.after.iter().cloned()).collect();
        let mut needs_approval = Vec::new();
        match (&live, &fields.after) {
            (Some(Item::Connection(before)), Item::Connection(then)) => {
                needs_approval.extend(customers::of_connection(self, &before.spec, &then.spec));
                if kind == ActionKind::Update && needs_approval.is_empty() {
                    needs_approval.extend(self.may_sign_out(then));
                }
                needs_approval.extend(self.older_secret(&changes));
            }
            (None, Item::Connection(then)) => {
                let component = names::of_component(&then.spec.component.key, then.spec.component.is_public());
                after.extend(self.made_by.get(&ObjectId::new(Kind::Component, component)).cloned());
                // One that only syncs bring serves no credentials: its customers are asked when a variable moves to it.
                if !fields.writers.iter().all(Writer::is_sync) {
                    needs_approval.extend(customers::of_replacement(self, &then.spec));
                }
            }
            (before, Item::Integration(integration, _)) => {
                after.extend(self.makers(integration.spec.connections.iter().filter_map(Variable::stable_key)));
                if let Some(Item::Integration(before, _)) = before {
                    needs_approval.extend(self.moves(before, integration));
                    needs_approval.extend(self.empties(&fields.after));
                }
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
        let overrides = overrides(&changes, declarations);
        let resent = resend::reason(&changes).filter(|_| kind == ActionKind::Update);
        let planned = reason(kind, fields.corrects, &changes, declarations, &overrides, input.tenant);
        let mut action = Action::of(input.tenant, id, kind, resent.unwrap_or(planned));
        (action.writers, action.after, action.fields) = (fields.writers, after, changes);
        (action.needs_approval, action.overrides) = (needs_approval, overrides);
        (action.change.before, action.change.after) = (live, Some(fields.after.clone()));
        action.change.record = Some(fields.record.clone()).filter(|r| !r.is_empty());
        action.change.definition = definition;
        let decided = decided();
        let recorded = input.live.record(input.tenant, id).map(AsRef::as_ref);
        action.digest = digest::of_action(&action, &decided);
        action.change.resumptions = digest::resumptions(&action, recorded, &decided);
        let inventory = Arc::make_mut(&mut self.after);
        inventory.insert(fields.after);
        inventory.records.insert(id.clone(), fields.record);
        if kind != ActionKind::Adopt {
            self.made_by.insert(id.clone(), action.id.clone());
        }
        self.note_resolved_keys(&action);
        self.actions.push(action);
    }

    /// The reasons why a variable that moves needs approval: it sends a secret to another host, or customers must give
    /// their credentials again.
    fn moves(&self, before: &Object<IntegrationSpec>, after: &Object<IntegrationSpec>) -> Vec<Approval> {
        let live = self.input.live.as_ref();
        let [was, is] = &self.replacements;
        let moved = |variable: &Variable| {
            let old = before.spec.connections.iter().find(|v| v.name == variable.name && *v != variable)?;
            let was = was.get_or_init(|| Replacements::of(self.input.tenant, live));
            let is = is.get_or_init(|| Replacements::of(self.input.tenant, &self.after));
            let from = resolve_variable(self.input.tenant, before.name(), old, live, was).connection().cloned()?;
            let to =
                resolve_variable(self.input.tenant, after.name(), variable, &self.after, is).connection().cloned()?;
            if from.name() == to.name() {
                return None;
            }
            let redirect = redirects::of_binding(self, &from.spec, &to.spec);
            let redirect = redirect
                .map(|why| Approval { code: Code::CredentialRedirect, why: format!("{:?}: {why}", variable.name) });
            Some(redirect.into_iter().chain(customers::of_binding(self, &from.spec, &to.spec)).collect::<Vec<_>>())
        };
        let mut marks: Vec<Approval> = Vec::new();
        for mark in after.spec.connections.iter().filter_map(moved).flatten() {
            match marks.iter_mut().find(|there| there.code == mark.code) {
                Some(there) => there.why = format!("{}; {}", there.why, mark.why),
                None => marks.push(mark),
            }
        }
        marks
    }

    /// Hides literal values that are secrets, both the old and the new one.
    fn hide_secrets(&self, fields: &mut diff::Fields, live: Option<&Item>) {
        let Some(live) = live else { return };
        // A value that is a secret on one side is treated as one on the other.
        let is_secret = |value: &Option<Json>| value.as_ref().is_some_and(|v| v.value().get("secretRef").is_some());
        let hide = |value: &mut Option<Json>| {
            if value.as_ref().is_some_and(|v| v.value().get("value").is_some()) {
                *value = Some(json!({"hidden": true}).into());
            }
        };
        for change in fields.changes.iter_mut().filter(|change| change.field.is_input()) {
            match (is_secret(&change.from), is_secret(&change.to)) {
                (true, false) => hide(&mut change.to),
                (false, true) => hide(&mut change.from),
                _ => {}
            }
        }
        let sides = fields.kept.iter_mut().map(|kept| &mut kept.sides);
        for both in sides.chain(fields.drifted.iter_mut().map(|drifted| &mut drifted.sides)) {
            let declared_secret = both.declared.value().get("secretRef").is_some();
            if both.field.is_input() && declared_secret {
                hide(&mut both.live);
            }
            if both.field.is_input() && is_secret(&both.live) && both.declared.value().get("value").is_some() {
                both.declared = json!({"hidden": true}).into();
            }
        }
        let changed = fields.changes.iter_mut().map(|c| (&c.field, &mut c.from));
        let kept = fields.kept.iter_mut().map(|h| &mut h.sides);
        let drifted = fields.drifted.iter_mut().map(|d| &mut d.sides);
        let noted = kept.chain(drifted).map(|both| (&both.field, &mut both.live));
        let mut values = changed.chain(noted).filter(|(field, _)| field.is_input()).peekable();
        if values.peek().is_none() {
            return;
        }
        let literals = self.secret_literals(live);
        for (_, value) in values.filter(|(field, value)| value.is_some() && literals.contains(&field.name.as_ref())) {
            *value = Some(json!({"hidden": true}).into());
        }
    }

    /// The actions that create the connections for stable keys.
    fn makers<'k>(&self, keys: impl IntoIterator<Item = &'k str>) -> BTreeSet<String> {
        keys.into_iter().filter_map(|key| self.resolved_by.get(key)).flatten().cloned().collect()
    }

    /// Notes the stable keys that resolve as a result of an action.
    fn note_resolved_keys(&mut self, action: &Action) {
        let Some(Item::Connection(connection)) = &action.change.after else { return };
        // A connection that becomes complete takes over the bindings that waited for it.
        let lacked = |before: &Item| match before {
            Item::Connection(before) => !missing_inputs(&before.spec, &self.after).is_empty(),
            _ => false,
        };
        let completes = || action.change.before.as_ref().is_some_and(lacked);
        let begins = action.action == ActionKind::Create
            || (completes() && missing_inputs(&connection.spec, &self.after).is_empty());
        let own = begins.then_some(&connection.spec.stable_key);
        let replaced = (begins || begins_to_resolve(action)).then_some(&connection.spec.replaces);
        for key in own.into_iter().chain(replaced.into_iter().flatten()) {
            self.resolved_by.entry(key.clone()).or_default().push(action.id.clone());
        }
    }
}

fn begins_to_resolve(action: &Action) -> bool {
    action.fields.iter().any(|c| c.field.kind == FieldKind::Replaces && c.op == Op::Set)
}

/// The overrides that set changed fields.
fn overrides(changes: &[FieldChange], declarations: &[Declaration]) -> Vec<OverrideOf> {
    let decide = |change: &FieldChange| {
        declarations.iter().find_map(|d| {
            let decision = d.overrides.as_ref()?.decision(&change.field)?;
            let declared = d.item.written(&change.field).map(|value| value.to_json());
            (declared == change.to).then(|| OverrideOf {
                field: change.field.clone(),
                writer: d.writer.clone(),
                position: decision.position,
                reason: decision.reason.clone(),
            })
        })
    };
    changes.iter().filter(|change| change.op == Op::Set).filter_map(decide).collect()
}

/// The beginning of a text, on one line.
fn in_brief(text: &str) -> String {
    const MOST: usize = 120;
    let line = text.lines().next().unwrap_or_default().trim();
    if line.chars().count() <= MOST { line.to_string() } else { line.chars().take(MOST).chain(['…']).collect() }
}

fn reason(
    kind: ActionKind,
    corrects: bool,
    changes: &[FieldChange],
    declarations: &[Declaration],
    overrides: &[OverrideOf],
    tenant: &str,
) -> Reason {
    // For an update: the declarations of the values that are set.
    let sets = |d: &&Declaration| {
        let set = changes.iter().filter(|c| c.op == Op::Set);
        set.into_iter().any(|c| d.item.written(&c.field).map(|value| value.to_json()) == c.to)
    };
    let is_update = kind == ActionKind::Update;
    let some_set = is_update && declarations.iter().any(|d| sets(&d));
    let froms: BTreeSet<String> =
        declarations
            .iter()
            .filter(|d| !some_set || sets(d))
            .map(|d| {
                if d.writer == Writer::Source { "its source".to_string() } else { format!("{} ({})", d.from, d.writer) }
            })
            .collect();
    let from = froms.iter().map(String::as_str).collect::<Vec<_>>().join(" and ");
    let is_overridden = |c: &FieldChange| overrides.iter().any(|o| o.field == c.field);
    let changed = |op: Op| {
        let changed = changes.iter().filter(|c| c.op == op && !is_overridden(c));
        changed.map(|c| c.field.to_string()).collect::<Vec<_>>().join(", ")
    };
    let (has, declares) = if froms.len() == 1 { ("has", "declares") } else { ("have", "declare") };
    let (set, removed) = (changed(Op::Set), changed(Op::Remove));
    // An overridden value is found in the sync, not in the source.
    let names = overrides.len() > 1 || !set.is_empty() || kind == ActionKind::Create;
    let by_override = |o: &OverrideOf| {
        let field = if names { format!(" of {}", o.field) } else { String::new() };
        let sync = o.writer.to_string().replacen('/', " ", 1);
        format!("override{field} of {sync}: {}", in_brief(&o.reason))
    };
    let by_override: Vec<String> = overrides.iter().map(by_override).collect();
    let by_override = by_override.join("; ");
    let and_overrides = |text: String| match (text.is_empty(), by_override.is_empty()) {
        (_, true) => text,
        (true, false) => by_override.clone(),
        (false, false) => format!("{text}; {by_override}"),
    };
    match kind {
        ActionKind::Create => {
            Reason { code: "absent", text: and_overrides(format!("{tenant} lacks it; {from} {has} it")) }
        }
        ActionKind::Adopt if changes.iter().all(|c| matches!(c.op, Op::Forget | Op::Release)) => {
            let fields = changes.iter().map(|c| c.field.to_string()).collect::<Vec<_>>().join(", ");
            Reason { code: "undeclared", text: format!("no longer declared: {fields}; what is there stays") }
        }
        ActionKind::Adopt => Reason {
            code: "as-declared",
            text: format!("it is as {from} {declares} it: it comes under management, no field changes"),
        },
        ActionKind::Delete => Reason { code: "undeclared", text: "no longer declared".to_string() },
        ActionKind::Update if corrects => {
            let set = changes.iter().filter(|c| c.op == Op::Set).map(|c| c.field.to_string()).collect::<Vec<_>>();
            let set = set.join(", ");
            Reason { code: "drift", text: and_overrides(format!("put back to what {from} {declares}: {set}")) }
        }
        ActionKind::Update if set.is_empty() && overrides.is_empty() => {
            Reason { code: "undeclared", text: format!("no longer declared: {removed}") }
        }
        ActionKind::Update => {
            let text = if set.is_empty() { String::new() } else { format!("{from} {declares} {set}") };
            Reason { code: "source-changed", text: and_overrides(text) }
        }
    }
}
