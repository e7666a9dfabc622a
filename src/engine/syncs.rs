//! Syncs as a graph of tenants: which syncs can be carried out, and the order in which tenants are planned.

use super::model::code::Code;
use super::model::finding::Finding;
use super::model::inventory::{Inventory, Misnamed, Sync, View, World};
use super::model::item::ObjectId;
use crate::api::{Kind, matches};
use crate::near_miss::meant;
use std::collections::{BTreeMap, BTreeSet};

/// The syncs that can be carried out, and the order of the tenants.
#[derive(Debug, Default)]
pub struct Order<'a> {
    /// The tenants, sources before their targets.
    pub tenants: Vec<&'a str>,
    /// The syncs by target: their tenants exist, the target accepts them, and they are not part of a cycle.
    pub into: BTreeMap<&'a str, Vec<&'a Sync>>,
    /// The findings about the other syncs.
    pub findings: Vec<Finding>,
}

/// Orders the tenants of a world.
pub fn order(world: &World) -> Order<'_> {
    let mut order = Order::default();
    let mut edges: Vec<Edge<'_>> = Vec::new();
    for sync in &world.syncs {
        let from = sync.spec.from.as_str();
        if !world.tenants.contains_key(from) {
            order.findings.push(unknown(world, sync, from, None));
            continue;
        }
        for to in sync.spec.targets().collect::<BTreeSet<_>>() {
            if world.tenants.contains_key(to) {
                // A suspended sync writes nothing, so it cannot be part of a cycle.
                if sync.spec.is_suspended() {
                    continue;
                }
                let target = &world.tenants[to];
                if target.spec.accept_from.iter().any(|t| t == from) {
                    edges.push((from, to, sync));
                } else if matches!(target.live, View::Read(_)) {
                    // It is unknown what an unreadable tenant accepts.
                    order.findings.push(not_accepted(sync, from, to, &target.spec.accept_from));
                }
            } else {
                order.findings.push(unknown(world, sync, to, Some(from)));
            }
        }
    }
    // A sync that may not write is part of a cycle only for itself.
    let (mut kept, waiting): (Vec<_>, Vec<_>) =
        edges.into_iter().partition(|(_, _, sync)| !world.waiting.contains(&sync.writer));
    let mut cycles = take_cycles(&mut kept, &[]);
    let writing = kept.clone();
    for edge in waiting {
        let mut alone = vec![edge];
        cycles.extend(take_cycles(&mut alone, &writing));
        kept.extend(alone);
    }
    cycles.extend(take_cycles(&mut kept, &[]));
    for (from, to, sync) in cycles {
        order.findings.push(Finding::of_sync(
            Code::SyncRing,
            &sync.writer,
            Some(to),
            format!("{} copies {from} to {to}, and {to} is copied back to {from}", sync.writer),
            "take one of the tenants out of the cycle; none of its syncs is carried out until then",
        ));
    }
    let mut waits: BTreeMap<&str, BTreeSet<&str>> =
        world.tenants.keys().map(|t| (t.as_str(), BTreeSet::new())).collect();
    for (from, to, sync) in kept {
        waits.entry(to).or_default().insert(from);
        order.into.entry(to).or_default().push(sync);
    }
    order.findings.extend(unknown_sources(world));
    while let Some(ready) = waits.iter().find(|(_, on)| on.is_empty()).map(|(t, _)| *t) {
        waits.remove(ready);
        waits.values_mut().for_each(|on| {
            on.remove(ready);
        });
        order.tenants.push(ready);
    }
    order
}

/// The syncs that select integrations by a name or pattern that matches nothing in the source, and nothing that they
/// wrote in the target: it is unknown what the name was meant to keep.
pub fn misnamed(world: &World) -> Misnamed {
    let mut misnamed = Misnamed::new();
    for sync in &world.syncs {
        let Some(from) = world.tenants.get(&sync.spec.from) else { continue };
        let views = [Some(&from.live), from.source.as_ref()];
        let there: Vec<&Inventory> =
            views.into_iter().flatten().filter_map(View::inventory).map(AsRef::as_ref).collect();
        let is_there = |name: &str| there.iter().any(|inventory| has_integration(inventory, name));
        // A star alone cannot be a misspelt name.
        let names = sync.spec.integrations.iter().filter(|name| *name != "*");
        let strange: Vec<&String> = names.filter(|name| !is_there(name)).collect();
        if strange.is_empty() {
            continue;
        }
        for to in sync.spec.targets() {
            let Some(target) = world.tenants.get(to).and_then(|view| view.live.inventory()) else { continue };
            let written = || {
                target.records.iter().filter(|(id, record)| {
                    id.kind == Kind::Integration && record.tenant == *to && record.writers().contains(&sync.writer)
                })
            };
            let is_written = |name: &String| written().any(|(id, _)| matches(name, &id.name));
            if let Some(name) = strange.iter().find(|name| !is_written(name)) {
                misnamed.insert((sync.writer.clone(), to.clone()), (*name).clone());
            }
        }
    }
    misnamed
}

fn not_accepted(sync: &Sync, from: &str, to: &str, accepted: &[String]) -> Finding {
    let text = format!("{to} does not accept syncs from {from}");
    let fix = match accepted.iter().find(|name| meant(name, [from]).is_some()) {
        Some(near) => format!("acceptFrom of Tenant {to} names {near}: did you mean {from}?"),
        None => format!("if it should, add {from} to acceptFrom of Tenant {to}"),
    };
    Finding::of_sync(Code::SyncNotAccepted, &sync.writer, Some(to), text, fix)
}

/// Findings about `acceptFrom` entries that do not exist although a tenant with a similar name does. (A tenant in a
/// cluster may accept syncs of another hub.)
fn unknown_sources(world: &World) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, view) in &world.tenants {
        for from in view.spec.accept_from.iter().filter(|from| !world.tenants.contains_key(*from)) {
            let others = world.tenants.keys().filter(|other| *other != name).map(String::as_str);
            if let Some(near) = meant(from, others) {
                let id = ObjectId::new(Kind::Tenant, name);
                let text = format!("acceptFrom names tenant {from}, which is not there");
                let finding = Finding::of(Code::NameUnknown, name, id, text, format!("did you mean {near}?"));
                findings.push(finding.at_path(&["spec", "acceptFrom"]));
            }
        }
    }
    findings
}

fn has_integration(inventory: &Inventory, name: &str) -> bool {
    if !name.contains('*') {
        return inventory.integrations.contains_key(name);
    }
    inventory.integrations.keys().any(|there| matches(name, there))
}

fn unknown(world: &World, sync: &Sync, tenant: &str, from: Option<&str>) -> Finding {
    let near = meant(tenant, world.tenants.keys().map(String::as_str));
    let at = match from {
        None => vec!["from".to_string()],
        Some(_) => sync.spec.path_of(tenant),
    };
    let at: Vec<&str> = ["spec"].into_iter().chain(at.iter().map(String::as_str)).collect();
    let finding = Finding::of_sync(
        Code::SyncUnknownTenant,
        &sync.writer,
        None,
        match from {
            None => format!("{} copies tenant {tenant}, which is not there", sync.writer),
            Some(from) => format!("{} copies {from} to tenant {tenant}, which is not there", sync.writer),
        },
        match near {
            Some(near) => format!("did you mean {near}?"),
            None => "write a Tenant of that name, or correct the name".to_string(),
        },
    );
    finding.at_path(&at)
}

/// A sync as an edge from a tenant to another.
type Edge<'a> = (&'a str, &'a str, &'a Sync);

/// Removes and returns the edges that are part of a cycle, including cycles through `others`.
fn take_cycles<'a>(edges: &mut Vec<Edge<'a>>, others: &[Edge<'a>]) -> Vec<Edge<'a>> {
    let mut downstream: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, to, _) in edges.iter().chain(others) {
        downstream.entry(from).or_default().insert(to);
    }
    edges.extract_if(.., |(from, to, _)| reaches(&downstream, to, from)).collect()
}

fn reaches(downstream: &BTreeMap<&str, BTreeSet<&str>>, start: &str, goal: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut next = vec![start];
    while let Some(tenant) = next.pop() {
        if tenant == goal {
            return true;
        }
        if seen.insert(tenant.to_string()) {
            next.extend(downstream.get(tenant).into_iter().flatten());
        }
    }
    false
}
