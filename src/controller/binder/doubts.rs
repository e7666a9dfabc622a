//! Warnings that wait a moment before they are events: what is not there may only be late, since each kind is watched
//! for itself.

use crate::engine::model::item::ObjectId;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// For how long what is missing must have been missing.
pub(super) const MOMENT: Duration = Duration::from_secs(2);

/// What is to be done about a warning that waits.
#[derive(Debug, PartialEq)]
pub(super) enum Doubt {
    /// None waits.
    None,
    /// It waits until then.
    Until(Instant),
    /// It is still so: it is told now.
    Gone,
}

/// By object: the reason that was found, and until when it waits.
#[derive(Debug, Default)]
pub(super) struct Doubts(HashMap<ObjectId, (String, Instant)>);

impl Doubts {
    /// A warning with this reason is to wait.
    pub fn wait(&mut self, id: &ObjectId, reason: &str, now: Instant) {
        self.0.insert(id.clone(), (reason.to_string(), now + MOMENT));
    }

    /// An object was looked at: Ready has this reason, if any.
    pub fn look(&mut self, id: &ObjectId, reason: Option<&str>, now: Instant) -> Doubt {
        let Some((waits, until)) = self.0.get(id) else { return Doubt::None };
        let (is_so, until) = (reason == Some(waits), *until);
        if is_so && now < until {
            return Doubt::Until(until);
        }
        self.0.remove(id);
        if is_so { Doubt::Gone } else { Doubt::None }
    }

    /// Nothing waits any more.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Kind;

    #[test]
    fn what_is_still_missing_a_moment_later_is_told_once() {
        let (mut doubts, id, now) = (Doubts::default(), ObjectId::new(Kind::Integration, "lead"), Instant::now());
        assert_eq!(doubts.look(&id, Some("DefinitionMissing"), now), Doubt::None);
        doubts.wait(&id, "DefinitionMissing", now);
        assert_eq!(doubts.look(&id, Some("DefinitionMissing"), now + MOMENT / 2), Doubt::Until(now + MOMENT));
        assert_eq!(doubts.look(&id, Some("DefinitionMissing"), now + MOMENT), Doubt::Gone);
        assert_eq!(doubts.look(&id, Some("DefinitionMissing"), now + MOMENT), Doubt::None);
    }

    #[test]
    fn what_was_only_late_is_not_told() {
        let (mut doubts, id, now) = (Doubts::default(), ObjectId::new(Kind::Integration, "lead"), Instant::now());
        for reason in [Some("Bound"), Some("BindingMissing"), None] {
            doubts.wait(&id, "DefinitionMissing", now);
            assert_eq!(doubts.look(&id, reason, now + MOMENT / 2), Doubt::None);
            assert_eq!(doubts.look(&id, Some("DefinitionMissing"), now + MOMENT), Doubt::None);
        }
    }
}
