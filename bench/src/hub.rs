//! The operator under load: its peak memory, many targets, a Secret of many connections, a renamed sync, and how many
//! watches it has open.

pub mod memory;
mod rename;
mod rotation;
mod targets;
mod watches;

use crate::report::{Figure, Machine};
use crate::{Outcome, peers};
use std::time::Duration;

/// How long an unrelated change may take meanwhile.
const ELSEWHERE: Duration = Duration::from_secs(1);

/// Runs all measurements of the group.
pub fn figures(machine: &mut Machine) -> Outcome<Vec<Figure>> {
    if peers::kubectl().is_none() {
        machine.left_out("a hub: go is not here to build a control plane");
        return Ok(Vec::new());
    }
    let parts = [memory::figures, targets::figures, rotation::figures, rename::figures];
    let mut figures = Vec::new();
    for part in parts {
        figures.extend(part()?);
    }
    Ok(figures)
}

/// Prints the current measurement, which takes minutes.
fn step(what: &str) {
    eprintln!("hub: {what}");
}
