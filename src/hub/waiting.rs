//! The plans that wait in a hub, each only if it is what the syncer wrote.

use super::{AskedTargets, HubFailure, OpenHub};
use crate::render::Hub;
use crate::render::hub::HubPart;
use crate::render::waiting_plan::{self, WaitingPlan};
use crate::tenant::location::LocationError;
use std::time::Duration;

/// How often a plan is read that does not match the status: the syncer writes the plan first, then the status.
const READS: usize = 3;
/// The pause between two reads.
const PAUSE: Duration = Duration::from_secs(1);

/// The reason why a waiting plan is not shown.
#[derive(Debug, thiserror::Error)]
enum UnshownPlan {
    #[error("{0}")]
    Location(LocationError),
    #[error("there is none of that name, or no plan in it")]
    Absent,
    #[error("{0}")]
    Unfit(#[from] waiting_plan::UnfitPlan),
}

/// A plan that is not shown, and the reason.
struct Unfound {
    hub: Hub,
    config_map: String,
    why: UnshownPlan,
}

/// Reads the waiting plans of the requested targets, each only if it matches its status.
pub fn plans(hub: &mut OpenHub, asked: &AskedTargets) -> Result<Vec<HubPart>, HubFailure> {
    for read in 1.. {
        let mut parts = hub.statuses(asked);
        let unshown = parts.iter_mut().find_map(|part| take(hub, part).err());
        match unshown {
            None => return Ok(parts),
            Some(unfound) if matches!(unfound.why, UnshownPlan::Location(_)) => {
                return Err(unshown_plan(&unfound));
            }
            // The syncer writes the plan, then the status: between the two they differ.
            Some(_) if read < READS => {
                std::thread::sleep(PAUSE);
                hub.contents = hub.client.read().map_err(|error| HubFailure::unread(&error))?;
            }
            Some(unfound) => return Err(unshown_plan(&unfound)),
        }
    }
    Ok(Vec::new())
}

/// Reads the plan that waits for a target, once: a moment later it may match its status.
pub fn plan(hub: &OpenHub, part: &mut HubPart) -> Result<(), HubFailure> {
    take(hub, part).map_err(|unfound| unshown_plan(&unfound))
}

/// Reads the plan that waits for a target.
fn take(hub: &OpenHub, part: &mut HubPart) -> Result<(), Box<Unfound>> {
    let (Some(waiting), Some(digest)) = (&part.target.waiting_plan, &part.target.digest) else { return Ok(()) };
    match read(hub, &waiting.config_map, &waiting.digest, (&part.hub.sync, &part.hub.tenant, digest)) {
        Ok(kept) => part.waiting = Some(kept),
        // If no approval is awaited, the stored plan may be an older one.
        Err(UnshownPlan::Unfit(_) | UnshownPlan::Absent) if !part.awaits_approval() => {}
        Err(why) => {
            let config_map = waiting.config_map.clone();
            return Err(Box::new(Unfound { hub: part.hub.clone(), config_map, why }));
        }
    }
    Ok(())
}

fn read(hub: &OpenHub, map: &str, bytes_digest: &str, of: (&str, &str, &str)) -> Result<WaitingPlan, UnshownPlan> {
    let bytes = hub.client.waiting_plan(map).map_err(UnshownPlan::Location)?.ok_or(UnshownPlan::Absent)?;
    Ok(waiting_plan::unpack(&bytes, bytes_digest, of)?)
}

/// The failure to show a plan that is not what the syncer planned.
fn unshown_plan(part: &Unfound) -> HubFailure {
    let why = match &part.why {
        UnshownPlan::Location(error) => return HubFailure::unread(error),
        why => why,
    };
    let Hub { namespace, sync, tenant, .. } = &part.hub;
    let message = format!(
        "ConfigMap {} of namespace {namespace}, which keeps what {sync} waits with in {tenant}, is not shown: {why}",
        part.config_map
    );
    let help = format!(
        "approve nothing until it is right, and find out who writes ConfigMaps there. To have the syncer write it \
         again:\n    {}",
        part.hub.reconcile()
    );
    HubFailure::new(message, help)
}
