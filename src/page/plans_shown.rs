//! The plans of the last forms, so that a form of one that is old can be told what changed.

use crate::engine::model::plan::Plan;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// The plans that are remembered: of a few tabs.
const MOST: usize = 4;

/// The actions that are named of each kind of change.
const NAMED: usize = 5;

/// The actions of a plan, each with its digest.
pub(super) type ShownActions = BTreeMap<String, String>;

/// The plans of the last forms, by the digest that the form carries.
#[derive(Default)]
pub(super) struct PlansShown(Mutex<VecDeque<(String, Arc<ShownActions>)>>);

impl PlansShown {
    /// Remembers a plan.
    pub(super) fn remember(&self, digest: &str, plan: &Plan) {
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = plans.iter().position(|(known, _)| known == digest).and_then(|at| plans.remove(at));
        let shown = known.map_or_else(|| Arc::new(actions(plan)), |(_, shown)| shown);
        plans.push_back((digest.to_string(), shown));
        if plans.len() > MOST {
            plans.pop_front();
        }
    }

    /// The actions of a plan that was shown, if it is remembered.
    pub(super) fn of(&self, digest: &str) -> Option<Arc<ShownActions>> {
        let plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        plans.iter().find(|(known, _)| known == digest).map(|(_, shown)| Arc::clone(shown))
    }
}

fn actions(plan: &Plan) -> ShownActions {
    plan.actions().map(|(_, action)| (action.id.clone(), action.digest.to_string())).collect()
}

/// What differs in a plan from one that was shown: `new: a; no longer: b; other: c`.
pub(super) fn changes(shown: Option<&ShownActions>, now: &Plan) -> String {
    let Some(shown) = shown else { return "it is not known any more how it was".to_string() };
    let now = actions(now);
    let parts = [
        ("new", now.keys().filter(|id| !shown.contains_key(*id)).collect::<Vec<_>>()),
        ("no longer", shown.keys().filter(|id| !now.contains_key(*id)).collect()),
        (
            "other",
            now.iter()
                .filter(|(id, digest)| shown.get(*id).is_some_and(|was| was != *digest))
                .map(|(id, _)| id)
                .collect(),
        ),
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
    match said.is_empty() {
        true => "a tenant was suspended or resumed, or a kustomization is another".to_string(),
        false => said.join("; "),
    }
}
