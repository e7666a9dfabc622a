//! Conditions, as every Kubernetes user knows them.

use crate::text;
pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// The longest message that a condition may have, in bytes.
const LONGEST: usize = 32_768;

/// What is to be said as one condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// `Ready`, `Reconciling`, …
    pub type_: &'static str,
    /// Whether it is so; `None`: nobody knows.
    pub holds: Option<bool>,
    /// Why, as one word in CamelCase.
    pub reason: String,
    /// Why, for people, and what to do.
    pub message: String,
}

impl Verdict {
    /// It is so, or not.
    pub fn new(type_: &'static str, holds: bool, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Verdict { type_, holds: Some(holds), reason: reason.into(), message: message.into() }
    }

    /// Nobody knows whether it is so.
    pub fn unknown(type_: &'static str, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Verdict { type_, holds: None, reason: reason.into(), message: message.into() }
    }
}

/// The conditions that say this. What was said before keeps the time since when it is so; what is said no
/// longer goes.
pub fn conditions(before: &[Condition], verdicts: Vec<Verdict>, generation: i64, now: &Time) -> Vec<Condition> {
    let condition = |verdict: Verdict| {
        let status = match verdict.holds {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        };
        let since = before.iter().find(|c| c.type_ == verdict.type_ && c.status == status);
        // kubectl shows it as it is.
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
    verdicts.into_iter().map(condition).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Time {
        Time(k8s_openapi::jiff::Timestamp::from_second(second).unwrap())
    }

    #[test]
    fn a_time_is_kept_until_the_status_turns() {
        let ready = |holds, reason: &str| vec![Verdict::new("Ready", holds, reason, "")];
        let first = conditions(&[], ready(false, "InputMissing"), 1, &at(10));
        let second = conditions(&first, ready(false, "CredentialsMissing"), 2, &at(20));
        assert_eq!(second[0].last_transition_time, at(10));
        assert_eq!((second[0].reason.as_str(), second[0].observed_generation), ("CredentialsMissing", Some(2)));
        let third = conditions(&second, ready(true, "Complete"), 2, &at(30));
        assert_eq!((third[0].last_transition_time.clone(), third[0].status.as_str()), (at(30), "True"));
        assert_eq!(conditions(&third, vec![Verdict::unknown("Other", "x", "")], 2, &at(40)).len(), 1);
    }

    #[test]
    fn a_message_is_cut_where_a_character_ends() {
        let said = conditions(&[], vec![Verdict::new("Ready", true, "x", "ü".repeat(40_000))], 1, &at(0));
        assert_eq!(said[0].message.len(), LONGEST);
    }

    #[test]
    fn a_message_has_nothing_that_a_terminal_obeys() {
        let said = conditions(&[], vec![Verdict::new("Ready", true, "x", "a\u{1b}[31mb\u{202e}c\nd")], 1, &at(0));
        assert_eq!(said[0].message, "a\\u{1b}[31mb\\u{202e}c\nd");
    }
}
