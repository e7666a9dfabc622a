//! A sync of 7,000 objects is renamed, so every ownership record is written again: the reports meanwhile, and the
//! latency of new objects.

use super::{ELSEWHERE, step};
use crate::operator::raw::all_connections;
use crate::operator::test_env::{LONG, SYNC, TestEnv, sync};
use crate::report::{Figure, time};
use crate::{Outcome, generate, measure};
use serde_json::Value;
use stablekey::api::{Input, IntegrationSpec, Kind, Object, Resource, Variable};
use stablekey::engine::model::item::ObjectId;
use stablekey::kubernetes::paths::Paths;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

const RECORDS: usize = 7_000;
/// Components have no record.
const RESOURCES: usize = RECORDS + 20;
const RENAMED: &str = "renamed";
/// Number of new connections meanwhile.
const FRESH: usize = 10;
/// How long nothing may be reported.
const SILENCE: Duration = Duration::from_secs(5);

/// Measures the latency of new connections while all records are written again, and the longest time without a report.
pub fn figures() -> Outcome<Vec<Figure>> {
    step("a sync of 7,000 objects is prepared");
    let env = TestEnv::prepare(RESOURCES)?;
    let process = env.start_logging("info")?;
    env.settle()?;
    step("a sync of 7,000 objects is renamed");
    let (here, there) = (Paths::of(env.us.name()), Paths::of(env.eu.name()));
    let (told, _following) = env.target.watch(&there, all_connections(&there))?;
    while told.try_recv().is_ok() {}
    let mark = env.eu.cluster().mark()?;
    env.source.delete(&here.object(&ObjectId::new(Kind::TenantSync, SYNC)))?;
    env.source.create(&here.kind(Kind::TenantSync), &sync(RENAMED, &["eu"]))?;
    let start = Instant::now();
    told.recv_timeout(LONG)?;
    let begun = Instant::now();
    step(&format!("the first record is written after {}", time(begun - start)));
    let mut status = Status::default();
    let mut took = Vec::new();
    let mut is_meanwhile = true;
    for number in 0..FRESH {
        let name = format!("fresh-{number}");
        for object in fresh(&name)? {
            env.source.create(&here.kind(object.kind()), &object.to_json()?)?;
        }
        let changed = Instant::now();
        while told.recv_timeout(LONG)?.0 != name {}
        is_meanwhile &= !status.is_done(&env)?;
        if is_meanwhile {
            took.push(changed.elapsed());
        }
    }
    let deadline = Instant::now() + LONG;
    while !status.is_done(&env)? {
        if Instant::now() > deadline {
            return Err("the renamed sync does not settle".into());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let end = Instant::now();
    let writes = env.eu.audit_since(mark)?.iter().filter(|request| request.writes()).count();
    let lines = process.logged("applies actions");
    step(&format!(
        "{writes} writes in {}; {} new connections meanwhile {}; the first in {}",
        time(end - start),
        took.len(),
        took.iter().map(|took| time(*took)).collect::<Vec<_>>().join(", "),
        time(took.first().copied().unwrap_or_default()),
    ));
    if took.is_empty() {
        return Err("all was done before anything new was there".into());
    }
    let times: Vec<Instant> = [begun].into_iter().chain(lines.iter().copied()).chain([end]).collect();
    let silent = times.windows(2).map(|two| two[1] - two[0]).max().unwrap_or_default();
    let worst = took.iter().copied().max().unwrap_or_default();
    let meanwhile = format!("a new connection while a sync of {RECORDS} objects that was renamed writes their records");
    let silence =
        format!("longest silence of the log meanwhile, {} lines, {} in the status", lines.len(), status.reports.len());
    Ok(vec![
        Figure::of_time(format!("{meanwhile}, median of {}", took.len()), measure::median(took), ELSEWHERE),
        Figure::of_time("the slowest of these", worst, ELSEWHERE),
        Figure::of_time(silence, silent, SILENCE),
    ])
}

/// The reports in the status of the renamed sync.
#[derive(Default)]
struct Status {
    reports: BTreeSet<String>,
}

impl Status {
    /// Records the current report; returns whether everything is done.
    fn is_done(&mut self, env: &TestEnv) -> Outcome<bool> {
        let path = Paths::of(env.us.name()).object(&ObjectId::new(Kind::TenantSync, RENAMED));
        let sync: Value = env.source.get(&path)?;
        let target = &sync["status"]["targets"][0];
        let report = target["message"].as_str().filter(|message| message.contains("actions are done"));
        self.reports.extend(report.map(str::to_string));
        Ok(target["state"] == "InSync")
    }
}

/// Returns a new connection, and the integration that uses it.
fn fresh(name: &str) -> Outcome<[Resource; 2]> {
    let Some(Resource::Connection(mut connection)) = generate::connections(1, false).pop() else {
        return Err("nothing was generated".into());
    };
    let connection = Arc::make_mut(&mut connection);
    connection.metadata.name = name.to_string();
    connection.spec.stable_key = name.to_string();
    // The secret of another connection would be a redirect, which needs approval.
    connection.spec.inputs.insert("clientSecret".into(), Input::secret(name, "clientSecret"));
    let spec = IntegrationSpec {
        title: Some(name.to_string()),
        connections: vec![Variable::bound(name, name)],
        definition: None,
    };
    Ok([Resource::from(connection.clone()), Resource::from(Object::new(format!("uses-{name}"), spec))])
}
