//! The plans that were shown last, so that a form of one that is old can be told what changed.

use crate::engine::model::plan::Plan;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// The most plans that are remembered: those that were shown last.
const MOST: usize = 32;
/// The most actions of all of them together; the last plan is remembered whatever its size.
const MOST_ACTIONS: usize = 40_000;
/// The actions that are named of each kind of change.
const NAMED: usize = 5;

/// The actions of a plan by what they are about, each with its digest.
pub(super) type ShownActions = BTreeMap<String, String>;

/// The plans that were shown last, by the digest that a form carries; the last one first.
#[derive(Default)]
pub(super) struct PlansShown(Mutex<VecDeque<(String, Arc<ShownActions>)>>);

impl PlansShown {
    /// Remembers a plan that is shown.
    pub(super) fn remember(&self, digest: &str, actions: impl FnOnce() -> ShownActions) {
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = plans.iter().position(|(known, _)| known == digest).and_then(|at| plans.remove(at));
        let shown = known.map_or_else(|| Arc::new(actions()), |(_, shown)| shown);
        plans.push_front((digest.to_string(), shown));
        let mut all = 0;
        let fit = plans.iter().take(MOST).take_while(|(_, shown)| {
            all += shown.len();
            all <= MOST_ACTIONS
        });
        let fit = fit.count().max(1);
        plans.truncate(fit);
    }

    /// The actions of a plan that was shown, if it is remembered.
    pub(super) fn of(&self, digest: &str) -> Option<Arc<ShownActions>> {
        let plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        plans.iter().find(|(known, _)| known == digest).map(|(_, shown)| Arc::clone(shown))
    }
}

/// The actions of a plan.
pub(super) fn actions(plan: &Plan) -> ShownActions {
    plan.actions().map(|(_, action)| (action.id.clone(), action.digest.to_string())).collect()
}

/// What differs in a plan from one that was shown: `new: a; no longer: b; changed: c`. `None`: no action does.
pub(super) fn changes(shown: &ShownActions, now: &ShownActions) -> Option<String> {
    let is_other = |(id, digest): &(&String, &String)| shown.get(*id).is_some_and(|was| was != *digest);
    let parts = [
        ("new", now.keys().filter(|id| !shown.contains_key(*id)).collect::<Vec<_>>()),
        ("no longer", shown.keys().filter(|id| !now.contains_key(*id)).collect()),
        ("changed", now.iter().filter(is_other).map(|(id, _)| id).collect()),
    ];
    let part = |(word, ids): (&str, Vec<&String>)| {
        let more = ids.len().saturating_sub(NAMED);
        let mut named: Vec<String> = ids.into_iter().take(NAMED).cloned().collect();
        if more > 0 {
            named.push(format!("{more} more"));
        }
        (!named.is_empty()).then(|| format!("{word}: {}", named.join(", ")))
    };
    let said: Vec<String> = parts.into_iter().filter_map(part).collect();
    (!said.is_empty()).then(|| said.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(actions: &[(&str, &str)]) -> ShownActions {
        actions.iter().map(|(id, digest)| (id.to_string(), digest.to_string())).collect()
    }

    #[test]
    fn what_changed_since_a_plan_was_shown_is_named() {
        let shown = plan(&[("Connection/crm", "1"), ("Connection/old", "1")]);
        let now = plan(&[("Connection/crm", "2"), ("Integration/lead", "1")]);
        let changed = "new: Integration/lead; no longer: Connection/old; changed: Connection/crm";
        assert_eq!(changes(&shown, &now).as_deref(), Some(changed));
        assert_eq!(changes(&shown, &shown), None);
        let many: ShownActions = (0..8).map(|number| (number.to_string(), String::new())).collect();
        assert_eq!(changes(&ShownActions::new(), &many).as_deref(), Some("new: 0, 1, 2, 3, 4, 3 more"));
    }

    #[test]
    fn the_plans_that_were_shown_last_are_remembered() {
        let plans = PlansShown::default();
        let one = || plan(&[("a", "1")]);
        plans.remember("first", one);
        for number in 0..MOST {
            plans.remember(&number.to_string(), one);
            plans.remember("0", || panic!("it is remembered"));
        }
        assert!(plans.of("first").is_none() && plans.of("1").is_some() && plans.of("0").is_some());
        let large = || (0..=MOST_ACTIONS).map(|number| (number.to_string(), String::new())).collect();
        plans.remember("large", large);
        assert!(plans.of("large").is_some() && plans.of("0").is_none());
    }
}
