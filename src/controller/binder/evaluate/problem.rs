//! Problems, with the codes of the checks, and the conditions that report them.

use crate::api::NewCondition;
use crate::controller::binder::cache::TenantCache;
use crate::engine::model::code::Code;
use crate::engine::model::item::ObjectId;
use std::fmt;

/// Maximum number of problems in one message.
const MOST: usize = 8;

/// The types of the conditions that the binder sets.
pub(crate) mod kind {
    pub(crate) const READY: &str = "Ready";
    pub(crate) const CREDENTIALS: &str = "CredentialsReady";
    pub(crate) const TEST_CREDENTIALS: &str = "TestCredentialsReady";
    pub(crate) const OLDER_KEYS: &str = "OlderKeysAnswered";
    pub(crate) const RECONCILING: &str = "Reconciling";
    pub(crate) const STALLED: &str = "Stalled";
    pub(crate) const ALL: [&str; 6] = [READY, CREDENTIALS, TEST_CREDENTIALS, OLDER_KEYS, RECONCILING, STALLED];
}

/// The reason of an object that becomes ready as soon as its binding Secret is written.
pub(crate) const PENDING: &str = "BindingPending";

/// The reason of credentials that expire soon.
pub(crate) const EXPIRING_SOON: &str = "ExpiringSoon";

/// The reasons of a definition that must be delivered, or exported again. Both have the same code.
pub(crate) const NOT_DELIVERED: &str = "DefinitionNotDelivered";
pub(crate) const UNREADABLE: &str = "DefinitionUnreadable";

/// A problem. It never contains the value of an input or the content of a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub code: Code,
    /// The reason of the condition: the name of the code, unless the code has several reasons.
    pub reason: &'static str,
    text: String,
}

impl Problem {
    pub(crate) fn new(code: Code, text: impl Into<String>) -> Self {
        Problem { code, reason: code.name(), text: text.into() }
    }

    /// Replaces the reason.
    pub(crate) fn because(self, reason: &'static str) -> Self {
        Problem { reason, ..self }
    }

    /// Whether the problem persists until somebody changes an object.
    fn is_stalling(&self) -> bool {
        let is_undelivered = [NOT_DELIVERED, UNREADABLE].contains(&self.reason);
        is_undelivered
            || matches!(
                self.code,
                Code::InputMissing
                    | Code::PerCustomerOnGlobal
                    | Code::SecretLiteral
                    | Code::ObjectInvalid
                    | Code::CustomerInputNotPerCustomer
                    | Code::CustomerInputMissing
                    | Code::CustomerOnGlobal
                    | Code::CustomerTwice
                    | Code::HostNotPinned
                    | Code::BindingNameTaken
                    | Code::InputNotInBinding
                    | Code::BindingTooLarge
                    | Code::DefinitionUnread
            )
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

/// Returns the condition for these problems; without problems, it is true with the reason and message of `well`.
pub(crate) fn condition(type_: &'static str, problems: &[Problem], well: (&str, String)) -> NewCondition {
    match problems.first() {
        None => NewCondition::new(type_, true, well.0, well.1),
        Some(first) => NewCondition::new(type_, false, first.reason, words(problems)),
    }
}

/// Returns the condition Reconciling or Stalled, if one applies: Reconciling while a write is pending, Stalled while
/// somebody must change an object.
pub(crate) fn progress(problems: &[Problem], pending: bool) -> Option<NewCondition> {
    if let Some(first) = problems.iter().find(|problem| problem.is_stalling()) {
        return Some(NewCondition::new(kind::STALLED, true, first.reason, first.to_string()));
    }
    pending.then(|| NewCondition::new(kind::RECONCILING, true, PENDING, "a binding Secret is about to be written"))
}

/// Joins all problems into one message.
pub(crate) fn words(problems: &[Problem]) -> String {
    let mut text = String::new();
    let more = (problems.len() > MOST).then(|| format!("and {} more", problems.len() - MOST));
    let mut between = "";
    for problem in problems.iter().take(MOST).map(ToString::to_string).chain(more) {
        text.push_str(between);
        text.push_str(&problem);
        // A problem with several lines ends with a command, which must stand alone on its line.
        between = if problem.contains('\n') { "\n" } else { "; " };
    }
    text
}

/// Returns the conditions of an object that cannot be read; `None` if there is no such object.
pub(crate) fn invalid(cache: &TenantCache, id: &ObjectId) -> Option<Vec<NewCondition>> {
    let why = cache.inventory.invalid.get(id)?;
    let problems = [Problem::new(Code::ObjectInvalid, format!("{why}: correct it"))];
    let ready = condition(kind::READY, &problems, ("", String::new()));
    Some(std::iter::once(ready).chain(progress(&problems, false)).collect())
}
