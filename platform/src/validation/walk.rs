//! A walk over a document, with the type at each field.

use super::values::literal;
use super::{Mistake, Unknown};
use juniper::meta::MetaType;
use juniper::parser::Span;
use juniper::{DefaultScalarValue, Definition, InputValue, OperationType, SchemaType, Selection};
use std::ops::Range;

/// Faults of a document that juniper does not find, or words worse.
#[derive(Default)]
pub(super) struct Found {
    mistakes: Vec<Mistake>,
    /// Parts of the document that nobody looks into, since what they belong to is unknown: indexes of their text.
    closed: Vec<Range<usize>>,
    /// Whether literals were refused: then juniper's own words for them are left out.
    literals: bool,
}

impl Found {
    pub(super) fn is_empty(&self) -> bool {
        self.mistakes.is_empty()
    }

    /// Adds the mistakes that juniper found elsewhere.
    pub(super) fn with(mut self, others: Vec<Mistake>) -> Vec<Mistake> {
        let is_closed = |mistake: &Mistake| {
            let inside = |part: &Range<usize>| mistake.index().is_some_and(|at| part.contains(&at));
            self.closed.iter().any(inside)
        };
        let repeats = |mistake: &Mistake| self.literals && super::words::is_about_a_literal(&mistake.message);
        let new: Vec<Mistake> = others.into_iter().filter(|mistake| !repeats(mistake) && !is_closed(mistake)).collect();
        self.mistakes.extend(new);
        self.mistakes
    }
}

/// Walks over every operation and fragment.
pub(super) fn document(
    schema: &SchemaType<DefaultScalarValue>,
    unknown: &Unknown,
    all: &[Definition<'_, DefaultScalarValue>],
) -> Found {
    let mut walk = Walk { schema, unknown, found: Found::default() };
    for definition in all {
        match definition {
            Definition::Operation(operation) => {
                let root = match operation.item.operation_type {
                    OperationType::Query => crate::schema::QUERY,
                    OperationType::Mutation => crate::schema::MUTATION,
                    OperationType::Subscription => continue,
                };
                for (_, variable) in operation.item.variables_definition.iter().flat_map(|all| all.item.iter()) {
                    if let Some(value) = &variable.default_value {
                        let kind = variable.var_type.item.to_string();
                        walk.value(&kind, &value.item, value.span);
                    }
                }
                walk.selections(schema.concrete_type_by_name(root), &operation.item.selection_set);
            }
            Definition::Fragment(fragment) => {
                let parent = schema.concrete_type_by_name(fragment.item.type_condition.item);
                walk.selections(parent, &fragment.item.selection_set);
            }
        }
    }
    walk.found
}

fn indexes(span: Span) -> Range<usize> {
    span.start.index()..span.end.index()
}

struct Walk<'s> {
    schema: &'s SchemaType<DefaultScalarValue>,
    unknown: &'s Unknown,
    found: Found,
}

impl<'s> Walk<'s> {
    fn selections(&mut self, parent: Option<&'s MetaType>, selections: &[Selection<'_>]) {
        let Some(parent) = parent else { return };
        let Some(name) = parent.name().map(|name| name.to_string()) else { return };
        for selection in selections {
            match selection {
                Selection::Field(field) => {
                    let key = field.item.name.item;
                    if self.unknown.field(&name, key) {
                        let message = format!("Cannot query field '{key}' on type '{name}'.");
                        self.found.mistakes.push(Mistake::at(field.item.name.span.start, message));
                        self.found.closed.push(indexes(field.span));
                        continue;
                    }
                    let Some(known) = parent.field_by_name(key) else { continue };
                    for (argument, value) in field.item.arguments.iter().flat_map(|all| all.item.items.iter()) {
                        if self.unknown.argument(&name, key, argument.item) {
                            let message = format!("Unknown argument '{}' on field '{name}.{key}'.", argument.item);
                            self.found.mistakes.push(Mistake::at(argument.span.start, message));
                            self.found.closed.push(indexes(value.span));
                            continue;
                        }
                        let known = known.arguments.iter().flatten().find(|known| known.name == argument.item);
                        if let Some(known) = known {
                            self.value(&known.arg_type.to_string(), &value.item, value.span);
                        }
                    }
                    let kind = self.schema.concrete_type_by_name(known.field_type.innermost_name());
                    if kind.is_some_and(MetaType::is_leaf) {
                        let head = field.item.arguments.as_ref().map_or(field.item.name.span, |all| all.span);
                        self.found.closed.push(head.end.index()..field.span.end.index());
                    }
                    self.selections(kind, field.item.selection_set.as_deref().unwrap_or_default());
                }
                Selection::InlineFragment(fragment) => {
                    let kind = match &fragment.item.type_condition {
                        Some(condition) => self.schema.concrete_type_by_name(condition.item),
                        None => Some(parent),
                    };
                    self.selections(kind, &fragment.item.selection_set);
                }
                Selection::FragmentSpread(_) => {}
            }
        }
    }

    fn value(&mut self, kind: &str, value: &InputValue, span: Span) {
        let before = self.found.mistakes.len();
        literal(self.schema, self.unknown, kind, value, span, &mut self.found.mistakes);
        self.found.literals |= self.found.mistakes.len() > before;
    }
}
