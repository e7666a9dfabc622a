//! Conditions in the status of custom resources.

use crate::text;
pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// The longest message that a condition may have, in bytes.
const LONGEST: usize = 32_768;

/// A condition to report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCondition {
    /// The type of the condition: `Ready`, `Reconciling`, …
    pub type_: &'static str,
    /// The status of the condition: `True`, `False`, or `None` for `Unknown`.
    pub holds: Option<bool>,
    /// The reason, as one word in CamelCase.
    pub reason: String,
    /// The message: the cause, and what to do.
    pub message: String,
}

impl NewCondition {
    /// A condition with status `True` or `False`.
    pub fn new(type_: &'static str, holds: bool, reason: impl Into<String>, message: impl Into<String>) -> Self {
        NewCondition { type_, holds: Some(holds), reason: reason.into(), message: message.into() }
    }

    /// A condition with status `Unknown`.
    pub fn unknown(type_: &'static str, reason: impl Into<String>, message: impl Into<String>) -> Self {
        NewCondition { type_, holds: None, reason: reason.into(), message: message.into() }
    }
}

/// Builds the conditions of a status. A condition whose status did not change keeps its transition time; a condition
/// that has no verdict any more is removed.
pub fn conditions(before: &[Condition], wanted: Vec<NewCondition>, generation: i64, now: &Time) -> Vec<Condition> {
    let condition = |verdict: NewCondition| {
        let status = match verdict.holds {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        };
        let since = before.iter().find(|c| c.type_ == verdict.type_ && c.status == status);
        // kubectl prints the message unescaped.
        let mut message = text::lines(&verdict.message).into_owned();
        let end = LONGEST.min(message.len());
        message.truncate((0..=end).rev().find(|end| message.is_char_boundary(*end)).unwrap_or(0));
        Condition {
            type_: verdict.type_.to_string(),
            status: status.to_string(),
            reason: verdict.reason,
            message,
            observed_generation: Some(generation),
            last_transition_time: since.map_or_else(|| now.clone(), |c| c.last_transition_time.clone()),
        }
    };
    wanted.into_iter().map(condition).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Time {
        Time(k8s_openapi::jiff::Timestamp::from_second(second).unwrap())
    }

    #[test]
    fn a_transition_time_is_kept_until_the_status_changes() {
        let ready = |holds, reason: &str| vec![NewCondition::new("Ready", holds, reason, "")];
        let first = conditions(&[], ready(false, "InputMissing"), 1, &at(10));
        let second = conditions(&first, ready(false, "CredentialsMissing"), 2, &at(20));
        assert_eq!(second[0].last_transition_time, at(10));
        assert_eq!((second[0].reason.as_str(), second[0].observed_generation), ("CredentialsMissing", Some(2)));
        let third = conditions(&second, ready(true, "Complete"), 2, &at(30));
        assert_eq!((third[0].last_transition_time.clone(), third[0].status.as_str()), (at(30), "True"));
        assert_eq!(conditions(&third, vec![NewCondition::unknown("Other", "x", "")], 2, &at(40)).len(), 1);
    }

    #[test]
    fn a_message_is_cut_where_a_character_ends() {
        let reported = conditions(&[], vec![NewCondition::new("Ready", true, "x", "ü".repeat(40_000))], 1, &at(0));
        assert_eq!(reported[0].message.len(), LONGEST);
    }

    #[test]
    fn a_message_has_no_terminal_control_characters() {
        let reported =
            conditions(&[], vec![NewCondition::new("Ready", true, "x", "a\u{1b}[31mb\u{202e}c\nd")], 1, &at(0));
        assert_eq!(reported[0].message, "a\\u{1b}[31mb\\u{202e}c\nd");
    }
}
