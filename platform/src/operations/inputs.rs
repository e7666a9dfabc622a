//! Values that a write sends for the inputs of a connection.

use super::Refusal;
use crate::store::{ConnectionType, Expression};
use crate::switches::Switches;
use serde_json::Value;

/// An argument that may be absent, null, or a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Given<T> {
    #[default]
    Absent,
    Null,
    Value(T),
}

/// Checks the inputs of a write: known names, each once, and `meta` as JSON.
pub(super) fn check(inputs: &[Expression], kind: Option<&ConnectionType>) -> Result<(), Refusal> {
    for (at, input) in inputs.iter().enumerate() {
        if inputs[..at].iter().any(|earlier| earlier.name == input.name) {
            return Err(Refusal::of("inputs", format!("Input \"{}\" is given twice.", input.name)));
        }
        if kind.is_some_and(|kind| kind.field(&input.name).is_none()) {
            return Err(Refusal::of("inputs", format!("\"{}\" is not an input of this Connection.", input.name)));
        }
        if input.meta.as_deref().is_some_and(|meta| serde_json::from_str::<Value>(meta).is_err()) {
            return Err(Refusal::of("inputs", format!("The meta of \"{}\" is not valid JSON.", input.name)));
        }
    }
    Ok(())
}

/// Applies the inputs of an update. By the switch they replace all of them, or are merged by name.
pub(super) fn update(current: &mut Vec<Expression>, given: Given<Vec<Expression>>, switches: &Switches) {
    match given {
        Given::Absent => {}
        Given::Null => {
            if switches.replaces_inputs {
                current.clear();
            }
        }
        Given::Value(inputs) if switches.replaces_inputs => *current = inputs,
        Given::Value(inputs) => inputs.into_iter().for_each(|input| merge(current, input)),
    }
}

fn merge(current: &mut Vec<Expression>, input: Expression) {
    match current.iter_mut().find(|known| known.name == input.name) {
        None => current.push(input),
        Some(known) => {
            known.kind = input.kind.or(known.kind.take());
            known.value = input.value.or(known.value.take());
            known.meta = input.meta.or(known.meta.take());
        }
    }
}

/// The values that an instance is deployed with: those of the connection, and over them those of the credentials.
pub(super) fn effective(connection: &[Expression], credentials: &[Expression]) -> Vec<Expression> {
    let mut values = connection.to_vec();
    credentials.iter().filter(|input| input.has_value()).cloned().for_each(|input| merge(&mut values, input));
    values
}
