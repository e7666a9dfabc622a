//! The annotation that approves a waiting plan.

use super::{HubFailure, OpenHub};
use crate::render::Hub;
use crate::render::hub::HubPart;
use crate::tenant::cluster::hub::{HubSync, NotSet};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How long the syncer may take to remove a revoked approval from the status.
const FORGETTING: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(250);
/// How often the annotation is set again after the syncer changed the sync.
const TRIES: usize = 8;

/// Approves what a sync does in targets: `wanted` has the digest that was shown, by target. It fails if something
/// else waits now.
pub fn approve(hub: &OpenHub, sync: &str, wanted: &BTreeMap<String, String>) -> Result<(), HubFailure> {
    let annotation = ApprovalAnnotation { hub, sync, wanted };
    annotation.forget_spent()?;
    annotation.set()
}

/// The digests to approve, by target: those of the waiting plans that were shown.
pub fn approvals(parts: &[HubPart]) -> BTreeMap<String, String> {
    let shown = parts.iter().filter(|part| part.waiting.is_some());
    shown.filter_map(|part| Some((part.hub.tenant.clone(), part.target.digest.clone()?))).collect()
}

/// Fails if the hub does not store a requested plan: nothing is approved unseen.
pub fn unkept(parts: &[HubPart]) -> Result<(), HubFailure> {
    let unkept = parts.iter().find(|part| part.awaits_approval() && part.waiting.is_none());
    let Some(Hub { tenant, .. }) = unkept.map(|part| &part.hub) else { return Ok(()) };
    let message =
        format!("nothing was approved: the hub does not keep the plan that waits in {tenant}, so it cannot be shown");
    Err(HubFailure::new(message, "the log of the syncer has the reason"))
}

/// The approval annotation of a sync, and its desired content.
struct ApprovalAnnotation<'h> {
    hub: &'h OpenHub,
    sync: &'h str,
    /// By target.
    wanted: &'h BTreeMap<String, String>,
}

impl ApprovalAnnotation<'_> {
    /// Reads the sync again, and fails if the plans that were shown no longer wait.
    fn now(&self) -> Result<HubSync, HubFailure> {
        let ApprovalAnnotation { hub, sync, wanted } = self;
        let now = hub.client.sync(sync).map_err(|error| HubFailure::new(error.to_string(), "run it again"))?;
        let now = now.ok_or_else(|| {
            HubFailure::new(format!("nothing was approved: {sync} was deleted"), "run the command again")
        })?;
        let changed = wanted
            .iter()
            .find(|(tenant, digest)| now.target(tenant).and_then(|target| target.digest.as_ref()) != Some(*digest));
        match changed {
            None => Ok(now),
            Some((tenant, _)) => Err(HubFailure::new(
                format!("nothing was approved: what waits in {tenant} changed since it was shown"),
                "run it again, and review what waits now",
            )),
        }
    }

    /// Removes digests that were carried out before from the annotation, and waits until the syncer has forgotten them.
    /// A digest that occurs again needs a new approval, which begins with revoking the old one.
    fn forget_spent(&self) -> Result<(), HubFailure> {
        let is_spent = |sync: &HubSync| self.wanted.iter().any(|(tenant, digest)| sync.is_spent(tenant, digest));
        if !is_spent(&self.now()?) {
            return Ok(());
        }
        self.write(|now| {
            let spent: BTreeSet<&String> =
                self.wanted.iter().filter(|(t, d)| now.is_spent(t, d)).map(|(_, digest)| digest).collect();
            now.standing.iter().filter(|digest| !spent.contains(digest)).cloned().collect()
        })?;
        let until = Instant::now() + FORGETTING;
        while is_spent(&self.now()?) {
            if Instant::now() > until {
                return Err(HubFailure::new(
                    "nothing was approved: the same was approved and carried out before, and the syncer has not \
                     forgotten that yet",
                    "see whether the syncer runs, then run it again",
                ));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Sets the annotation to what was shown, and keeps its digests for other targets.
    fn set(&self) -> Result<(), HubFailure> {
        let tenants: BTreeSet<String> = self.wanted.keys().cloned().collect();
        self.write(|now| now.standing_elsewhere(&tenants).into_iter().chain(self.wanted.values().cloned()).collect())
    }

    /// Writes the annotation. If the sync changed in the meantime, mostly by the syncer, reads it and tries again.
    fn write(&self, value: impl Fn(&HubSync) -> BTreeSet<String>) -> Result<(), HubFailure> {
        for tries in 1.. {
            let now = self.now()?;
            let digests = value(&now);
            if now.standing == digests {
                return Ok(());
            }
            match self.hub.client.approve(&now, &digests) {
                Ok(()) => return Ok(()),
                Err(NotSet::Changed(_) | NotSet::Unsure(_)) if tries < TRIES => {}
                Err(not_set) => return Err(self.failure(not_set)),
            }
        }
        Ok(())
    }

    fn failure(&self, not_set: NotSet) -> HubFailure {
        let message = format!("nothing was approved: {not_set}");
        match &not_set {
            NotSet::Forbidden { role, .. } => {
                let namespace = &self.hub.address.namespace;
                let help = format!(
                    "ask somebody who has the verbs patch and approve on tenantsyncs.stablekey.dev in namespace \
                     {namespace} to approve it, or to give them to you"
                );
                HubFailure::new(message, help).granted_by(role)
            }
            _ => HubFailure::new(message, "run it again"),
        }
    }
}
