//! Delayed warnings: a missing object may only be late, since each kind has its own watch. The event is sent only if
//! the object is still missing after a moment.

use crate::engine::model::item::ObjectId;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// How long an object must have been missing before the event is sent.
pub(super) const MOMENT: Duration = Duration::from_secs(2);

/// What to do with a delayed warning.
#[derive(Debug, PartialEq)]
pub(super) enum Delayed {
    /// There is none.
    None,
    /// Wait until then.
    Until(Instant),
    /// The reason is still the same: send the event now.
    SendNow,
}

/// By object: the reason, and until when the warning is delayed.
#[derive(Debug, Default)]
pub(super) struct DelayedWarnings(HashMap<ObjectId, (String, Instant)>);

impl DelayedWarnings {
    /// Delays a warning with this reason.
    pub(super) fn delay(&mut self, id: &ObjectId, reason: &str, now: Instant) {
        self.0.insert(id.clone(), (reason.to_string(), now + MOMENT));
    }

    /// Compares the delayed warning with the current reason of Ready after an evaluation.
    pub(super) fn check(&mut self, id: &ObjectId, reason: Option<&str>, now: Instant) -> Delayed {
        let Some((waits, until)) = self.0.get(id) else { return Delayed::None };
        let (is_so, until) = (reason == Some(waits), *until);
        if is_so && now < until {
            return Delayed::Until(until);
        }
        self.0.remove(id);
        if is_so { Delayed::SendNow } else { Delayed::None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Kind;

    #[test]
    fn an_object_that_is_still_missing_later_is_reported_once() {
        let (mut warnings, id, now) =
            (DelayedWarnings::default(), ObjectId::new(Kind::Integration, "lead"), Instant::now());
        assert_eq!(warnings.check(&id, Some("DefinitionMissing"), now), Delayed::None);
        warnings.delay(&id, "DefinitionMissing", now);
        assert_eq!(warnings.check(&id, Some("DefinitionMissing"), now + MOMENT / 2), Delayed::Until(now + MOMENT));
        assert_eq!(warnings.check(&id, Some("DefinitionMissing"), now + MOMENT), Delayed::SendNow);
        assert_eq!(warnings.check(&id, Some("DefinitionMissing"), now + MOMENT), Delayed::None);
    }

    #[test]
    fn a_late_object_is_not_reported() {
        let (mut warnings, id, now) =
            (DelayedWarnings::default(), ObjectId::new(Kind::Integration, "lead"), Instant::now());
        for reason in [Some("Bound"), Some("BindingMissing"), None] {
            warnings.delay(&id, "DefinitionMissing", now);
            assert_eq!(warnings.check(&id, reason, now + MOMENT / 2), Delayed::None);
            assert_eq!(warnings.check(&id, Some("DefinitionMissing"), now + MOMENT), Delayed::None);
        }
    }
}
