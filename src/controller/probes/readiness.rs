//! Readiness: what the process waits for before it is ready.

use crate::controller::election::Leadership;
use crate::controller::role::Role;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Maximum number of lines.
const LINES: usize = 100;

/// Collects what every part of the process waits for. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<Waits>>);

#[derive(Debug, Default)]
struct Waits {
    /// The roles, with their leadership if they lead.
    roles: BTreeMap<Role, Option<Leadership>>,
    /// The waits, in the order in which they were registered.
    waits: BTreeMap<u64, Wait>,
    next: u64,
    /// Number of namespaces that each role reconciles.
    namespaces: usize,
}

#[derive(Debug)]
struct Wait {
    who: String,
    what: String,
    /// The namespace in which it was forbidden: the other namespaces do not wait for it.
    refused_in: Option<String>,
}

/// A registered wait, which ends when this value is dropped.
#[derive(Debug)]
#[must_use = "what is dropped is waited for no more"]
pub struct Waiting {
    readiness: Readiness,
    number: u64,
}

impl Readiness {
    /// Creates the readiness of a process whose roles reconcile this many namespaces.
    pub fn of(namespaces: usize) -> Self {
        let readiness = Readiness::default();
        readiness.state().namespaces = namespaces;
        readiness
    }

    /// Registers that `who` waits for `what`, shown as "syncer: waits for what". If `who` is a part of a role, it
    /// begins with the role's name.
    pub fn waits(&self, who: impl Into<String>, what: impl Into<String>) -> Waiting {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.waits.insert(number, Wait { who: who.into(), what: what.into(), refused_in: None });
        Waiting { readiness: self.clone(), number }
    }

    /// Records that a role leads. Whether it still does is read from the Lease at each probe.
    pub fn leads(&self, role: Role, leadership: Leadership) {
        self.state().roles.insert(role, Some(leadership));
    }

    /// Records that a role stands by, and is ready to lead.
    pub fn stands_by(&self, role: Role) {
        self.state().roles.insert(role, None);
    }

    /// Returns whether the process is ready, and a line for each wait, or for each role if there is none. A forbidden
    /// resource is listed, but it is waited for only if the role is forbidden it in every namespace.
    pub fn report(&self) -> (bool, String) {
        let state = self.state();
        let ready = state.is_ready();
        let mut text = String::new();
        if ready {
            for (role, leadership) in &state.roles {
                let leads = leadership.as_ref().is_some_and(Leadership::holds);
                let _ = writeln!(text, "{role}: {}", if leads { "leads" } else { "standby" });
            }
        }
        for Wait { who, what, .. } in state.waits.values().take(LINES) {
            let _ = writeln!(text, "{who}: {} {what}", if ready { "goes on without" } else { "waits for" });
        }
        if state.waits.len() > LINES {
            let _ = writeln!(text, "and {} more", state.waits.len() - LINES);
        }
        (ready, text)
    }

    fn state(&self) -> MutexGuard<'_, Waits> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waits {
    fn is_ready(&self) -> bool {
        // Before any role reports its state, nothing could have registered a wait.
        if self.roles.is_empty() {
            return false;
        }
        let mut refused: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for wait in self.waits.values() {
            let Some(namespace) = &wait.refused_in else { return false };
            refused.entry(&wait.who).or_default().insert(namespace);
        }
        refused.values().all(|namespaces| namespaces.len() < self.namespaces)
    }
}

impl Waiting {
    /// Replaces what is waited for by something more precise.
    pub fn now_for(&self, what: impl Into<String>) {
        if let Some(wait) = self.readiness.state().waits.get_mut(&self.number) {
            wait.what = what.into();
        }
    }

    /// Marks it as forbidden in a namespace. The other namespaces do not wait until it is granted.
    pub fn refused_in(&self, namespace: &str) {
        if let Some(wait) = self.readiness.state().waits.get_mut(&self.number) {
            wait.refused_in = Some(namespace.to_string());
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
    fn the_process_is_ready_when_nothing_is_waited_for() {
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
    fn a_refusal_in_one_of_several_namespaces_is_not_waited_for() {
        let readiness = Readiness::of(2);
        readiness.leads(Role::Binder, Leadership::always());
        let secrets = readiness.waits("binder", "secrets of namespace dev");
        let connections = readiness.waits("binder", "connections of namespace dev");
        secrets.refused_in("dev");
        assert!(!readiness.report().0, "the connections may still be there soon");
        connections.refused_in("dev");
        connections.now_for("connections of namespace dev: not allowed");
        let said = "binder: leads\nbinder: goes on without secrets of namespace dev\n\
                    binder: goes on without connections of namespace dev: not allowed\n";
        assert_eq!(readiness.report(), (true, said.to_string()));
        let other = readiness.waits("binder", "secrets of namespace us");
        other.refused_in("us");
        assert!(!readiness.report().0, "it can work nowhere");
        drop((other, secrets, connections));
        assert_eq!(readiness.report(), (true, "binder: leads\n".to_string()));
    }

    #[test]
    fn the_number_of_lines_is_bounded() {
        let readiness = Readiness::default();
        let waits: Vec<_> = (0..102).map(|number| readiness.waits("syncer", format!("tenant {number}"))).collect();
        let (_, text) = readiness.report();
        assert!(text.ends_with("syncer: waits for tenant 99\nand 2 more\n"), "{text}");
        assert_eq!(waits.len(), 102);
    }
}
