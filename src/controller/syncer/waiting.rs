//! The plans that wait for approval, kept in ConfigMaps of the hub: what an approver looks at, without the rights to
//! read the tenants.

use super::super::context::Context;
use super::pass::Syncs;
use crate::api::WaitingPlanStatus;
use crate::engine::plan::{Plan, Target};
use crate::engine::record::Writer;
use crate::render::waiting_plan::{self, Packed};
use crate::render::{Hub, Invocation};
use crate::tenant::kubernetes::{Ask, PLAN, PLAN_KEY, Paths, Trouble, to_bytes};
use k8s_openapi::ByteString;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tracing::warn;

/// By sync and target.
type Of = (String, String);

/// What is kept in a hub, as far as it is known.
#[derive(Debug, Default)]
pub struct Kept(Mutex<BTreeMap<Of, Known>>);

#[derive(Clone, Debug)]
struct Known {
    /// The digest that is approved.
    plan: String,
    status: WaitingPlanStatus,
}

impl Kept {
    /// An operator before this one left this.
    pub fn resume(&self, sync: &str, target: &str, plan: Option<&str>, status: &WaitingPlanStatus) {
        let known = Known { plan: plan.unwrap_or_default().to_string(), status: status.clone() };
        self.state().entry((sync.to_string(), target.to_string())).or_insert(known);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, BTreeMap<Of, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is kept of a target, by sync.
    pub fn known(&self, target: &str, syncs: &Syncs) -> BTreeMap<String, WaitingPlanStatus> {
        let state = self.state();
        let known = |sync: &String| Some(state.get(&(sync.clone(), target.to_string()))?.status.clone());
        syncs.all().filter_map(|sync| Some((sync.clone(), known(sync)?))).collect()
    }

    /// What waits in a target is written again, whatever stands there: a person asked for it.
    pub fn write_again(&self, target: &str) {
        let mut state = self.state();
        state.iter_mut().filter(|((_, of), _)| of == target).for_each(|(_, known)| known.plan.clear());
    }

    /// Keeps what waits in a target, and takes away what does not any more: what the statuses say of it, by sync.
    pub fn update(
        &self,
        (context, paths): (&Context, &Paths),
        plan: &Plan,
        target: &str,
        syncs: &Syncs,
    ) -> BTreeMap<String, WaitingPlanStatus> {
        let mut statuses = BTreeMap::new();
        let planned = plan.targets.iter().find(|planned| planned.tenant == target);
        for sync in syncs.all() {
            let of = (sync.clone(), target.to_string());
            let waits = planned.and_then(|planned| digest_that_waits(planned, sync, syncs.plan.contains(sync)));
            let known = self.state().get(&of).cloned();
            let result = match (waits, known) {
                (None, None) => continue,
                (Some(digest), Some(known)) if known.plan == digest => {
                    statuses.insert(sync.clone(), known.status);
                    continue;
                }
                (Some(digest), _) => write(context, paths, plan, (sync, target)).map(|status| {
                    statuses.extend(status.clone().map(|status| (sync.clone(), status)));
                    status.map(|status| Known { plan: digest, status })
                }),
                (None, Some(known)) => remove(context, paths, &known.status.config_map).map(|()| None),
            };
            match result {
                Ok(Some(known)) => drop(self.state().insert(of, known)),
                Ok(None) => drop(self.state().remove(&of)),
                Err(trouble) => warn!(sync, tenant = target, why = %trouble, "the plan that waits is not kept"),
            }
        }
        statuses
    }

    /// What is kept for syncs, or targets of theirs, that are no more goes.
    pub fn retain(&self, context: &Context, paths: &Paths, is_there: impl Fn(&str, &str) -> bool) {
        let gone: BTreeMap<Of, Known> = {
            let mut state = self.state();
            let (there, gone) = std::mem::take(&mut *state).into_iter().partition(|((sync, to), _)| is_there(sync, to));
            *state = there;
            gone
        };
        for ((sync, target), known) in gone {
            if let Err(trouble) = remove(context, paths, &known.status.config_map) {
                warn!(sync, tenant = target, why = %trouble, "a plan that waits no more is left");
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

fn write(
    context: &Context,
    paths: &Paths,
    plan: &Plan,
    (sync, target): (&str, &str),
) -> Result<Option<WaitingPlanStatus>, Trouble> {
    let hub = Hub {
        context: None,
        namespace: paths.namespace().to_string(),
        sync: sync.to_string(),
        tenant: target.to_string(),
    };
    let typed = Invocation { hub: Some(hub), ..Invocation::default() };
    let Some(Packed { bytes, digest }) = waiting_plan::pack(plan, sync, target, &typed) else { return Ok(None) };
    let name = waiting_plan::name(sync, target);
    let body = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "labels": {PLAN: "true"},
            "annotations": {"stablekey.dev/sync": sync, "stablekey.dev/tenant": target},
        },
        "binaryData": {PLAN_KEY: ByteString(bytes)},
    });
    context.server.wait(context.server.ask(&Ask::apply(paths.config_map(&name), to_bytes(&body))))?;
    Ok(Some(WaitingPlanStatus { config_map: name, digest }))
}

fn remove(context: &Context, paths: &Paths, name: &str) -> Result<(), Trouble> {
    match context.server.wait(context.server.ask(&Ask::delete(paths.config_map(name), Vec::new()))) {
        Ok(_) => Ok(()),
        Err(trouble) if trouble.code() == Some(http::StatusCode::NOT_FOUND) => Ok(()),
        Err(trouble) => Err(trouble),
    }
}
