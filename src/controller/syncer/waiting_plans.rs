//! The plans that wait for approval, stored in ConfigMaps of the hub: an approver reads them without permissions in the
//! tenants.

use super::super::context::Context;
use super::syncs::Syncs;
use crate::api::{API_VERSION, Kind, WaitingPlanStatus};
use crate::controller::log::random;
use crate::engine::model::plan::{Plan, Target};
use crate::engine::model::record::Writer;
use crate::kubernetes::client::{ApiRequest, RequestFailure};
use crate::kubernetes::config_maps::{PLAN, PLAN_KEY};
use crate::kubernetes::paths::Paths;
use crate::render::waiting_plan::{self, Packed};
use crate::render::{Hub, Invocation};
use crate::tenant::cluster::body::to_bytes;
use k8s_openapi::ByteString;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tracing::warn;

/// A sync and its target.
pub(super) type Of = (String, String);

/// The stored plans of a hub.
#[derive(Debug, Default)]
pub(super) struct StoredPlans {
    known: Mutex<BTreeMap<Of, KnownPlans>>,
    /// Serializes writes, so that none deletes what another just wrote.
    writing: Mutex<()>,
}

/// By sync: where its waiting plan is stored, or why it is not.
#[derive(Debug, Default)]
pub(super) struct StoredPlaces {
    /// The stored plans.
    pub kept: BTreeMap<String, WaitingPlanStatus>,
    /// Why a plan is not stored.
    pub not_stored: BTreeMap<String, String>,
}

#[derive(Clone, Debug)]
struct KnownPlans {
    /// The digest to approve.
    plan: String,
    status: WaitingPlanStatus,
}

impl StoredPlans {
    /// Restores a stored plan of an earlier operator process.
    pub(super) fn resume(&self, sync: &str, target: &str, plan: Option<&str>, status: &WaitingPlanStatus) {
        let known = KnownPlans { plan: plan.unwrap_or_default().to_string(), status: status.clone() };
        self.state().entry((sync.to_string(), target.to_string())).or_insert(known);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, BTreeMap<Of, KnownPlans>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the stored plans of a target, by sync.
    pub(super) fn known(&self, target: &str, syncs: &Syncs) -> StoredPlaces {
        let state = self.state();
        let known = |sync: &String| Some(state.get(&(sync.clone(), target.to_string()))?.status.clone());
        StoredPlaces {
            kept: syncs.all().filter_map(|sync| Some((sync.clone(), known(sync)?))).collect(),
            not_stored: BTreeMap::new(),
        }
    }

    /// Makes the next update write the plans of a target again, because a person asked for it.
    pub(super) fn write_again(&self, target: &str) {
        let mut state = self.state();
        state.iter_mut().filter(|((_, of), _)| of == target).for_each(|(_, known)| known.plan.clear());
    }

    /// Stores the waiting plans of a target, and deletes those that no longer wait. Returns what the statuses show, by
    /// sync. `uid` returns the uid of a sync, which owns its ConfigMaps.
    pub(super) fn update(
        &self,
        (context, paths): (&Context, &Paths),
        plan: &Plan,
        target: &str,
        syncs: &Syncs,
        uid: impl Fn(&str) -> Option<String>,
    ) -> StoredPlaces {
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut there = StoredPlaces::default();
        let planned = plan.targets.iter().find(|planned| planned.tenant == target);
        for sync in syncs.all() {
            let of = (sync.clone(), target.to_string());
            let waits = planned.and_then(|planned| digest_that_waits(planned, sync, syncs.plan.contains(sync)));
            let known = self.state().get(&of).cloned();
            let result = match (waits, known) {
                (None, None) => continue,
                (Some(digest), Some(known)) if known.plan == digest => {
                    there.kept.insert(sync.clone(), known.status);
                    continue;
                }
                (Some(digest), known) => {
                    let to = To { context, paths, sync, target, uid: uid(sync) };
                    let name = known.map_or_else(|| waiting_plan::name(sync, target), |known| known.status.config_map);
                    to.write(plan, name).map(|status| {
                        there.kept.extend(status.clone().map(|status| (sync.clone(), status)));
                        status.map(|status| KnownPlans { plan: digest, status })
                    })
                }
                (None, Some(known)) => remove(context, paths, &known.status.config_map).map(|()| None),
            };
            match result {
                Ok(Some(known)) => drop(self.state().insert(of, known)),
                Ok(None) => drop(self.state().remove(&of)),
                Err(failure) => {
                    warn!(sync, tenant = target, why = %failure, "the waiting plan cannot be stored");
                    there.not_stored.insert(sync.clone(), failure.to_string());
                }
            }
        }
        there
    }

    /// Removes and returns the stored plans of syncs or targets that are gone, for [`Self::remove`].
    pub(super) fn take_gone(&self, is_there: impl Fn(&str, &str) -> bool) -> Vec<(Of, String)> {
        let mut state = self.state();
        let (there, gone): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut *state).into_iter().partition(|((sync, to), _)| is_there(sync, to));
        *state = there;
        gone.into_iter().map(|(of, known)| (of, known.status.config_map)).collect()
    }

    /// Deletes stored plans, unless the same sync and target wait again.
    pub(super) fn remove(&self, context: &Context, paths: &Paths, gone: Vec<(Of, String)>) {
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        for (of, config_map) in gone {
            if self.state().contains_key(&of) {
                continue;
            }
            if let Err(failure) = remove(context, paths, &config_map) {
                warn!(sync = of.0, tenant = of.1, why = %failure, "an obsolete waiting plan cannot be deleted");
            }
        }
    }
}

/// Returns the digest that a person has to approve.
fn digest_that_waits(planned: &Target, sync: &str, is_plan: bool) -> Option<String> {
    let writer = Writer::Sync(sync.to_string());
    let mut actions = planned.actions.iter().filter(|action| action.writers.contains(&writer));
    let waits = actions.any(|action| is_plan || !action.needs_approval.is_empty());
    planned.digests.get(&writer.to_string()).filter(|_| waits).map(ToString::to_string)
}

/// A plan to store, and where.
struct To<'t> {
    context: &'t Context,
    paths: &'t Paths,
    sync: &'t str,
    target: &'t str,
    uid: Option<String>,
}

impl To<'_> {
    /// Writes the plan to the ConfigMap of this name. If it is somebody else's or immutable, uses a name that nobody
    /// can guess.
    fn write(&self, plan: &Plan, name: String) -> Result<Option<WaitingPlanStatus>, RequestFailure> {
        let hub = Hub {
            context: None,
            namespace: self.paths.namespace().to_string(),
            sync: self.sync.to_string(),
            tenant: self.target.to_string(),
        };
        let typed = Invocation { hub: Some(hub), ..Invocation::default() };
        let Some(Packed { bytes, digest }) = waiting_plan::pack(plan, self.sync, self.target, &typed) else {
            return Ok(None);
        };
        let bytes = ByteString(bytes);
        let other = || format!("{}-{:016x}", waiting_plan::name(self.sync, self.target), random());
        let name = match self.apply(&name, &bytes) {
            Ok(()) => name,
            Err(failure) if is_refused(&failure) => {
                let other = other();
                self.apply(&other, &bytes)?;
                other
            }
            Err(failure) => return Err(failure),
        };
        Ok(Some(WaitingPlanStatus { config_map: name, digest }))
    }

    fn apply(&self, name: &str, bytes: &ByteString) -> Result<(), RequestFailure> {
        let owner = self.uid.as_ref().map(
            |uid| json!({"apiVersion": API_VERSION, "kind": Kind::TenantSync.as_str(), "name": self.sync, "uid": uid}),
        );
        let body = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": name,
                "labels": {PLAN: "true"},
                "annotations": {"stablekey.dev/sync": self.sync, "stablekey.dev/tenant": self.target},
                "ownerReferences": owner.into_iter().collect::<Vec<_>>(),
            },
            "binaryData": {PLAN_KEY: bytes},
        });
        let Context { server, .. } = self.context;
        server.wait(server.request(&ApiRequest::apply(self.paths.config_map(name), to_bytes(&body)))).map(drop)
    }
}

/// Whether the server refuses this name: the ConfigMap is somebody else's or immutable.
fn is_refused(failure: &RequestFailure) -> bool {
    use http::StatusCode;
    let refused = [StatusCode::FORBIDDEN, StatusCode::CONFLICT, StatusCode::UNPROCESSABLE_ENTITY];
    failure.code().is_some_and(|code| refused.contains(&code))
}

fn remove(context: &Context, paths: &Paths, name: &str) -> Result<(), RequestFailure> {
    match context.server.wait(context.server.request(&ApiRequest::delete(paths.config_map(name), Vec::new()))) {
        Ok(_) => Ok(()),
        Err(failure) if failure.is_absent() => Ok(()),
        Err(failure) => Err(failure),
    }
}
