//! Writes, with the checks of the platform. Each is done whole or not at all.

pub mod connection;
pub mod credential;
mod inputs;
pub mod integration;

pub use inputs::Given;

/// What one field of an input has wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field in camel case; `__all__` for none in particular.
    pub field: String,
    pub messages: Vec<String>,
}

/// Why a write was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// An id that is unknown: an error beside the data.
    NotFound,
    /// A write that nobody may do: an error beside the data.
    Denied,
    /// An input that is wrong: errors in the payload.
    Invalid(Vec<Problem>),
}

impl Refusal {
    pub fn of(field: &str, message: impl Into<String>) -> Self {
        Refusal::Invalid(vec![Problem { field: field.into(), messages: vec![message.into()] }])
    }

    /// A refusal of the input as a whole.
    pub fn general(message: impl Into<String>) -> Self {
        Refusal::of("__all__", message)
    }
}

/// Parses an argument that is an enum in lower case.
fn choice<T>(field: &str, text: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, Refusal> {
    parse(text).ok_or_else(|| Refusal::of(field, format!("\"{text}\" is not a valid choice.")))
}
