//! The engine alone: a plan of two tenants, its memory, and the closure of one change.

use crate::report::{Figure, Machine, bytes, time};
use crate::{Outcome, generate, measure};
use stablekey::engine::closure::{Index, Seeds, plan_closure};
use stablekey::engine::model::plan::{Counts, Plan, Scope};
use stablekey::engine::plan::plan;
use std::collections::BTreeSet;
use std::time::Duration;

const SMALL: usize = 10_000;
const LARGE: usize = 100_000;
const PLAN_TIME: Duration = Duration::from_millis(100);
const PLAN_MEMORY: u64 = 150 << 20;
const CLOSURE_TIME: Duration = Duration::from_millis(1);
/// The limit for a plan of [`SMALL`]: what it took when this was written, plus a quarter.
const PLAN_INSTRUCTIONS: u64 = 1_000_000_000;
const ROUNDS: usize = 9;
const PROCESSES: usize = 3;

/// Runs all measurements of the group, each in a process of its own.
pub fn figures(machine: &mut Machine) -> Outcome<Vec<Figure>> {
    let nanos = |task, connections| measure::child(task, connections).map(Duration::from_nanos);
    let (mut small, mut large) = (nanos("plan", SMALL)?, nanos("plan", LARGE)?);
    // Alternating, and the minimum of each: anything else on the machine only adds.
    for _ in 1..PROCESSES {
        small = small.min(nanos("plan", SMALL)?);
        large = large.min(nanos("plan", LARGE)?);
    }
    let memory = measure::child("memory", SMALL)?;
    let of_data = measure::child("data", SMALL)?;
    let closure = nanos("closure", SMALL)?;
    let mut figures = vec![
        Figure::of_time("plan, 10,000 connections and 1,000 integrations in each of 2 tenants", small, PLAN_TIME),
        Figure::beside("the same, ten times as many", time(large), time(small), ratio(large, small), 12.0),
        Figure::of_memory(
            format!("peak memory of the process that plans 2 × 10,000 (its data alone: {})", bytes(of_data)),
            memory,
            PLAN_MEMORY,
        ),
        Figure::of_time("closure of one changed connection of 2 × 10,000", closure, CLOSURE_TIME),
    ];
    match (measure::instructions("once", SMALL)?, measure::instructions("data", SMALL)?) {
        (Some(both), Some(data)) => {
            let count = both.saturating_sub(data);
            let shown = |count: u64| format!("{:.0} M", count as f64 / 1e6);
            figures.push(Figure::beside(
                "instructions of that plan",
                shown(count),
                shown(PLAN_INSTRUCTIONS),
                count as f64 / PLAN_INSTRUCTIONS as f64,
                1.0,
            ));
        }
        _ => machine.left_out("instructions of a plan: valgrind is not here"),
    }
    Ok(figures)
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

/// Runs one task on a world with this many connections.
pub fn child(task: &str, connections: usize) -> Outcome<u64> {
    let world = generate::world(connections);
    Ok(match task {
        "data" => measure::peak_memory()?,
        "once" | "memory" => {
            let plan = plan(&world, &Scope::default());
            check(&plan, connections)?;
            measure::peak_memory()?
        }
        "plan" => {
            let mut samples = Vec::new();
            for _ in 0..ROUNDS {
                let (plan, time) = measure::timed(|| plan(&world, &Scope::default()));
                check(&plan, connections)?;
                samples.push(time);
            }
            nanos(measure::median(samples))
        }
        "closure" => {
            let index = Index::of(&world);
            let mut samples = Vec::new();
            for position in 0..connections / 100 {
                let keys = BTreeSet::from([generate::changed_key(position)]);
                let seeds = Seeds { keys, ..Seeds::default() };
                let (plan, time) = measure::timed(|| plan_closure(&world, &index, &seeds, &Scope::default()));
                if plan.counts.update != 1 {
                    return Err(format!("the closure of one change counts {:?}", plan.counts).into());
                }
                samples.push(time);
            }
            nanos(measure::median(samples))
        }
        _ => return Err(format!("there is no task {task:?}").into()),
    })
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Checks the plan, because a fast and wrong plan is useless.
fn check(plan: &Plan, connections: usize) -> Outcome<()> {
    let expected = generate::expected(connections);
    let counts = Counts { manual: 0, ..plan.counts };
    if counts == expected { Ok(()) } else { Err(format!("the plan counts {counts:?}, not {expected:?}").into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_data_has_the_described_shape() -> Outcome<()> {
        for connections in [20, 700] {
            let plan = plan(&generate::world(connections), &Scope::default());
            check(&plan, connections)?;
        }
        let reading = stablekey::manifest::read_text("generated.yaml", generate::yaml(200)?);
        assert!(reading.problems().is_empty(), "{:?}", reading.problems().first());
        assert_eq!(reading.documents.len(), 200);
        Ok(())
    }
}
