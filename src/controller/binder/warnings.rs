//! Warnings that wait a moment before they are events: what is not there may only be late, since each kind is watched
//! for itself.

use crate::engine::model::item::ObjectId;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// For how long what is missing must have been missing.
pub const MOMENT: Duration = Duration::from_secs(2);

/// What is to be done about a warning that is delayed.
#[derive(Debug, PartialEq)]
pub enum Delayed {
    /// None waits.
    None,
    /// It is delayed until then.
    Until(Instant),
    /// It is still so: it is reported now.
    Due,
}

/// By object: the reason that was found, and until when it waits.
#[derive(Debug, Default)]
pub struct DelayedWarnings(HashMap<ObjectId, (String, Instant)>);

impl DelayedWarnings {
    /// A warning with this reason is to wait.
    pub fn delay(&mut self, id: &ObjectId, reason: &str, now: Instant) {
        self.0.insert(id.clone(), (reason.to_string(), now + MOMENT));
    }

    /// An object was evaluated: Ready has this reason, if any.
    pub fn check(&mut self, id: &ObjectId, reason: Option<&str>, now: Instant) -> Delayed {
        let Some((waits, until)) = self.0.get(id) else { return Delayed::None };
        let (is_so, until) = (reason == Some(waits), *until);
        if is_so && now < until {
            return Delayed::Until(until);
        }
        self.0.remove(id);
        if is_so { Delayed::Due } else { Delayed::None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Kind;

    #[test]
    fn what_is_still_missing_a_moment_later_is_told_once() {
        let (mut warnings, id, now) =
            (DelayedWarnings::default(), ObjectId::new(Kind::Integration, "lead"), Instant::now());
        assert_eq!(warnings.check(&id, Some("DefinitionMissing"), now), Delayed::None);
        warnings.delay(&id, "DefinitionMissing", now);
        assert_eq!(warnings.check(&id, Some("DefinitionMissing"), now + MOMENT / 2), Delayed::Until(now + MOMENT));
        assert_eq!(warnings.check(&id, Some("DefinitionMissing"), now + MOMENT), Delayed::Due);
        assert_eq!(warnings.check(&id, Some("DefinitionMissing"), now + MOMENT), Delayed::None);
    }

    #[test]
    fn what_was_only_late_is_not_told() {
        let (mut warnings, id, now) =
            (DelayedWarnings::default(), ObjectId::new(Kind::Integration, "lead"), Instant::now());
        for reason in [Some("Bound"), Some("BindingMissing"), None] {
            warnings.delay(&id, "DefinitionMissing", now);
            assert_eq!(warnings.check(&id, reason, now + MOMENT / 2), Delayed::None);
            assert_eq!(warnings.check(&id, Some("DefinitionMissing"), now + MOMENT), Delayed::None);
        }
    }
}
