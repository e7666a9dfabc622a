//! The plans that were shown, to say what changed since.

use crate::render::hub::KeptPlan;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// The most plans that are kept: those that were shown last.
const MOST: usize = 32;
/// The most objects that are named as changed.
const NAMED: usize = 5;

/// What the last plans that were shown would do: by digest, a line per object.
#[derive(Default)]
pub(in crate::page) struct SeenPlans(Mutex<VecDeque<(String, BTreeMap<String, String>)>>);

impl SeenPlans {
    /// Keeps a plan that is shown.
    pub(super) fn add(&self, digest: &str, plan: &KeptPlan) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.iter().any(|(known, _)| known == digest) {
            return;
        }
        seen.truncate(MOST - 1);
        seen.push_front((digest.to_string(), lines(plan)));
    }

    /// What differs between a plan that was shown and one that waits now: `new: Connection/crm; no longer: …`. `None` if
    /// that is not known.
    pub(super) fn changed(&self, digest: &str, now: &KeptPlan) -> Option<String> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, before) = seen.iter().find(|(known, _)| known == digest)?;
        let now = lines(now);
        let named = |what: &str, objects: Vec<&String>| {
            let more = if objects.len() > NAMED { ", …" } else { "" };
            let list = objects.iter().take(NAMED).map(|object| object.as_str()).collect::<Vec<_>>().join(", ");
            (!list.is_empty()).then(|| format!("{what}: {list}{more}"))
        };
        let new = now.keys().filter(|object| !before.contains_key(*object)).collect();
        let gone = before.keys().filter(|object| !now.contains_key(*object)).collect();
        let other = now.iter().filter(|(object, line)| before.get(*object).is_some_and(|was| was != *line));
        let other = other.map(|(object, _)| object).collect();
        let parts = [named("new", new), named("no longer", gone), named("something else", other)];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

fn lines(plan: &KeptPlan) -> BTreeMap<String, String> {
    let digested = |action: &crate::render::hub::KeptAction| format!("{} {}", action.action, action.digest);
    plan.actions().map(|action| (action.object().to_string(), digested(action))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn plan(actions: &[(&str, &str)]) -> KeptPlan {
        let of = |(object, digest): &(&str, &str)| json!({"id": format!("eu/{object}"), "digest": digest, "action": "create"});
        let actions: Vec<Value> = actions.iter().map(of).collect();
        KeptPlan::read(&json!({"targets": [{"actions": actions}]}).to_string()).unwrap()
    }

    #[test]
    fn what_changed_since_a_plan_was_shown_is_named() {
        let seen = SeenPlans::default();
        seen.add("one", &plan(&[("Connection/crm", "1"), ("Connection/old", "1")]));
        let now = plan(&[("Connection/crm", "2"), ("Integration/lead", "1")]);
        let changed = "new: Integration/lead; no longer: Connection/old; something else: Connection/crm";
        assert_eq!(seen.changed("one", &now).as_deref(), Some(changed));
        assert_eq!(seen.changed("other", &now), None);
        for number in 0..MOST {
            seen.add(&number.to_string(), &now);
        }
        assert_eq!(seen.changed("one", &now), None, "the oldest is forgotten");
        assert_eq!(seen.changed("0", &now), None, "nothing differs");
    }
}
