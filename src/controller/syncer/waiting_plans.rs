//! The plans that wait for approval, kept in ConfigMaps of the hub: an approver sees them without the rights to read the
//! tenants.

use super::super::context::Context;
use super::syncs::Syncs;
use crate::api::{API_VERSION, Kind, WaitingPlanStatus};
use crate::controller::log::random;
use crate::engine::model::plan::{Plan, Target};
use crate::engine::model::record::Writer;
use crate::kubernetes::client::{Ask, RequestFailure};
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

/// By sync and target.
pub type Of = (String, String);

/// What is kept in a hub, as far as it is known.
#[derive(Debug, Default)]
pub struct KeptPlans {
    known: Mutex<BTreeMap<Of, KnownPlans>>,
    /// One write at a time: what is taken away must not be what was just written.
    writing: Mutex<()>,
}

/// Where what waits is kept, by sync; and why it is not.
#[derive(Debug, Default)]
pub struct Where {
    /// It is kept there.
    pub kept: BTreeMap<String, WaitingPlanStatus>,
    /// It is not, and why.
    pub unkept: BTreeMap<String, String>,
}

#[derive(Clone, Debug)]
struct KnownPlans {
    /// The digest that is approved.
    plan: String,
    status: WaitingPlanStatus,
}

impl KeptPlans {
    /// An operator before this one left this.
    pub fn resume(&self, sync: &str, target: &str, plan: Option<&str>, status: &WaitingPlanStatus) {
        let known = KnownPlans { plan: plan.unwrap_or_default().to_string(), status: status.clone() };
        self.state().entry((sync.to_string(), target.to_string())).or_insert(known);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, BTreeMap<Of, KnownPlans>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is kept of a target, by sync.
    pub fn known(&self, target: &str, syncs: &Syncs) -> Where {
        let state = self.state();
        let known = |sync: &String| Some(state.get(&(sync.clone(), target.to_string()))?.status.clone());
        Where {
            kept: syncs.all().filter_map(|sync| Some((sync.clone(), known(sync)?))).collect(),
            unkept: BTreeMap::new(),
        }
    }

    /// What waits in a target is written again, whatever stands there: a person asked for it.
    pub fn write_again(&self, target: &str) {
        let mut state = self.state();
        state.iter_mut().filter(|((_, of), _)| of == target).for_each(|(_, known)| known.plan.clear());
    }

    /// Keeps what waits in a target, and takes away what does not any more: what the statuses say of it, by sync.
    /// `uid` is that of a sync, with which what is kept of it goes.
    pub fn update(
        &self,
        (context, paths): (&Context, &Paths),
        plan: &Plan,
        target: &str,
        syncs: &Syncs,
        uid: impl Fn(&str) -> Option<String>,
    ) -> Where {
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut there = Where::default();
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
                Err(trouble) => {
                    warn!(sync, tenant = target, why = %trouble, "the plan that waits is not kept");
                    there.unkept.insert(sync.clone(), trouble.to_string());
                }
            }
        }
        there
    }

    /// Of syncs, or targets of theirs, that are no more: what is kept for them is to [go](Self::remove).
    pub fn take_gone(&self, is_there: impl Fn(&str, &str) -> bool) -> Vec<(Of, String)> {
        let mut state = self.state();
        let (there, gone): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut *state).into_iter().partition(|((sync, to), _)| is_there(sync, to));
        *state = there;
        gone.into_iter().map(|(of, known)| (of, known.status.config_map)).collect()
    }

    /// Takes away what is kept for nobody any more, unless something waits there again.
    pub fn remove(&self, context: &Context, paths: &Paths, gone: Vec<(Of, String)>) {
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        for (of, config_map) in gone {
            if self.state().contains_key(&of) {
                continue;
            }
            if let Err(trouble) = remove(context, paths, &config_map) {
                warn!(sync = of.0, tenant = of.1, why = %trouble, "a plan that waits no more is left");
            }
        }
    }
}

/// The digest of what a person has to approve.
fn digest_that_waits(planned: &Target, sync: &str, is_plan: bool) -> Option<String> {
    let writer = Writer::Sync(sync.to_string());
    let mut actions = planned.actions.iter().filter(|action| action.writers.contains(&writer));
    let waits = actions.any(|action| is_plan || !action.needs_approval.is_empty());
    planned.digests.get(&writer.to_string()).filter(|_| waits).map(ToString::to_string)
}

/// Where a plan is kept, and of what it is.
struct To<'t> {
    context: &'t Context,
    paths: &'t Paths,
    sync: &'t str,
    target: &'t str,
    uid: Option<String>,
}

impl To<'_> {
    /// Writes it to the ConfigMap of this name, or, where somebody else has that or holds it fast, to one of a name that
    /// nobody can have thought of.
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
            Err(trouble) if is_refused(&trouble) => {
                let other = other();
                self.apply(&other, &bytes)?;
                other
            }
            Err(trouble) => return Err(trouble),
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
        server.wait(server.ask(&Ask::apply(self.paths.config_map(name), to_bytes(&body)))).map(drop)
    }
}

/// Whether a server takes it nowhere of this name: it is somebody else's, or is not to be changed.
fn is_refused(trouble: &RequestFailure) -> bool {
    use http::StatusCode;
    let refused = [StatusCode::FORBIDDEN, StatusCode::CONFLICT, StatusCode::UNPROCESSABLE_ENTITY];
    trouble.code().is_some_and(|code| refused.contains(&code))
}

fn remove(context: &Context, paths: &Paths, name: &str) -> Result<(), RequestFailure> {
    match context.server.wait(context.server.ask(&Ask::delete(paths.config_map(name), Vec::new()))) {
        Ok(_) => Ok(()),
        Err(trouble) if trouble.is_absent() => Ok(()),
        Err(trouble) => Err(trouble),
    }
}
