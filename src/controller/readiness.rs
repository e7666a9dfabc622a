//! What the process waits for before it is ready, in words.

use super::lease::Leadership;
use super::role::Role;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many lines are shown.
const LINES: usize = 100;

/// Where every part of the process says what it waits for. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Who leads, or stands by.
    roles: BTreeMap<Role, Option<Leadership>>,
    /// Who waits for what, in the order in which it was said.
    waits: BTreeMap<u64, (String, String)>,
    next: u64,
}

/// Something that is waited for, until this value is dropped.
#[derive(Debug)]
#[must_use = "what is dropped is waited for no more"]
pub struct Waiting {
    readiness: Readiness,
    number: u64,
}

impl Readiness {
    /// `who` is not ready until it has `what`: as in "syncer: waits for what". Of a part of a role, `who`
    /// begins with the role.
    pub fn waits(&self, who: impl Into<String>, what: impl Into<String>) -> Waiting {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.waits.insert(number, (who.into(), what.into()));
        Waiting { readiness: self.clone(), number }
    }

    /// A role leads. Whether it still does is asked of the Lease whenever it is shown.
    pub fn leads(&self, role: Role, leadership: Leadership) {
        self.state().roles.insert(role, Some(leadership));
    }

    /// A role stands by, and is ready to lead.
    pub fn stands_by(&self, role: Role) {
        self.state().roles.insert(role, None);
    }

    /// Whether nothing is waited for, and a line for each thing that is, or for each role.
    pub fn report(&self) -> (bool, String) {
        let state = self.state();
        let mut text = String::new();
        for (who, what) in state.waits.values().take(LINES) {
            let _ = writeln!(text, "{who}: waits for {what}");
        }
        if state.waits.len() > LINES {
            let _ = writeln!(text, "and {} more", state.waits.len() - LINES);
        }
        if state.waits.is_empty() {
            for (role, leadership) in &state.roles {
                let leads = leadership.as_ref().is_some_and(Leadership::holds);
                let _ = writeln!(text, "{role}: {}", if leads { "leads" } else { "standby" });
            }
        }
        (state.waits.is_empty(), text)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Says more exactly what is waited for.
    pub fn now_for(&self, what: impl Into<String>) {
        if let Some((_, waits)) = self.readiness.state().waits.get_mut(&self.number) {
            *waits = what.into();
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.readiness.state().waits.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_when_nothing_is_waited_for() {
        let readiness = Readiness::default();
        let list = readiness.waits("syncer", "the list of connections of tenant eu-prod");
        let lease = readiness.waits("binder", "its Lease");
        lease.now_for("its Lease: cannot be reached");
        let said = "syncer: waits for the list of connections of tenant eu-prod\nbinder: waits for its Lease: cannot be reached\n";
        assert_eq!(readiness.report(), (false, said.to_string()));
        drop((list, lease));
        readiness.leads(Role::Binder, Leadership::always());
        readiness.stands_by(Role::Syncer);
        assert_eq!(readiness.report(), (true, "binder: leads\nsyncer: standby\n".to_string()));
    }

    #[test]
    fn what_is_shown_has_an_end() {
        let readiness = Readiness::default();
        let waits: Vec<_> = (0..102).map(|number| readiness.waits("syncer", format!("tenant {number}"))).collect();
        let (_, text) = readiness.report();
        assert!(text.ends_with("syncer: waits for tenant 99\nand 2 more\n"), "{text}");
        assert_eq!(waits.len(), 102);
    }
}
