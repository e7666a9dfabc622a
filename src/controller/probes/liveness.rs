//! Liveness: whether the loops of the process still run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The loops of a process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct HeartbeatMonitor(Arc<Mutex<Heartbeats>>);

#[derive(Debug, Default)]
struct Heartbeats {
    loops: BTreeMap<u64, Loop>,
    next: u64,
}

#[derive(Debug)]
struct Loop {
    name: String,
    /// The maximum time between two beats.
    silence: Duration,
    last: Instant,
}

/// The registration of one loop, for as long as this value lives.
#[derive(Debug)]
pub struct Heartbeat {
    heartbeats: HeartbeatMonitor,
    number: u64,
}

impl HeartbeatMonitor {
    /// Registers a loop that beats at least this often. If it is silent for longer, it is stuck, and the process must
    /// be restarted.
    pub fn of(&self, name: impl Into<String>, silence: Duration) -> Heartbeat {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.loops.insert(number, Loop { name: name.into(), silence, last: Instant::now() });
        Heartbeat { heartbeats: self.clone(), number }
    }

    /// Returns whether all loops beat, and a line for each that does not.
    pub fn report(&self) -> (bool, String) {
        let mut text = String::new();
        for turning in self.state().loops.values() {
            let silent = turning.last.elapsed();
            if silent > turning.silence {
                let _ = writeln!(text, "{}: silent for {} s", turning.name, silent.as_secs());
            }
        }
        let alive = text.is_empty();
        (alive, if alive { "alive\n".to_string() } else { text })
    }

    fn state(&self) -> MutexGuard<'_, Heartbeats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heartbeat {
    /// Records a beat.
    pub fn beat(&self) {
        if let Some(turning) = self.heartbeats.state().loops.get_mut(&self.number) {
            turning.last = Instant::now();
        }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.heartbeats.state().loops.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_loop_is_named() {
        let heartbeats = HeartbeatMonitor::default();
        let (turns, stuck) = (heartbeats.of("lease", Duration::from_secs(60)), heartbeats.of("binder", Duration::ZERO));
        turns.beat();
        std::thread::yield_now();
        let (alive, text) = heartbeats.report();
        assert_eq!((alive, text.as_str()), (false, "binder: silent for 0 s\n"));
        drop(stuck);
        assert_eq!(heartbeats.report(), (true, "alive\n".to_string()));
    }
}
