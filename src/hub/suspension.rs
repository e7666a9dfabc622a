//! Stops all writes to a tenant or of a sync, and lets them go on.

use super::{HubFailure, OpenHub};
use crate::api::{Kind, SyncMode};
use crate::engine::model::canonical::Digest;
use crate::render::quoted;
use crate::tenant::cluster::hub::{HubClient, HubObject, NotSet};
use crate::text::count;
use serde::Serialize;

/// How often the change is sent again after somebody else changed the object, mostly the syncer its status.
const TRIES: usize = 8;

/// What is suspended, or goes on.
#[derive(Clone, Copy, Debug)]
pub struct HubPause<'p> {
    /// Tenant or TenantSync.
    pub kind: Kind,
    /// The name of the object.
    pub name: &'p str,
    /// Whether it is suspended, or goes on.
    pub suspends: bool,
    /// Whether the server only checks it.
    pub dry_run: bool,
    /// The spec that was shown ([`OpenHub::spec_digest`]); without it, any is changed.
    pub shown: Option<&'p str>,
}

/// Suspends a Tenant or TenantSync, or lets it go on. Returns false if it is so already.
pub fn suspend(hub: &mut OpenHub, pause: &HubPause<'_>) -> Result<bool, HubFailure> {
    let HubPause { kind, name, suspends, dry_run, shown } = *pause;
    for tries in 1.. {
        if is_suspended(hub, kind, name)? == suspends {
            // After the first try it was written, and the answer was lost.
            return Ok(tries > 1);
        }
        if shown.is_some_and(|shown| spec_digest(hub, kind, name).as_deref() != Some(shown)) {
            let message = format!("{kind} {name} was not changed: somebody changed its spec since it was shown");
            return Err(HubFailure::new(message, "look at it again, and decide then"));
        }
        match hub.client.suspend(&find(hub, kind, name)?, suspends, dry_run) {
            Ok(()) => return Ok(true),
            Err(NotSet::Changed(_) | NotSet::Unsure(_)) if tries < TRIES => {
                hub.contents = hub.client.read().map_err(|error| HubFailure::unread(&error))?;
            }
            Err(not_set) => return Err(failure(&hub.client, &not_set, (kind, name), suspends)),
        }
    }
    Ok(true)
}

/// Whether a Tenant or TenantSync is suspended.
pub fn is_suspended(hub: &OpenHub, kind: Kind, name: &str) -> Result<bool, HubFailure> {
    let suspended = match find(hub, kind, name)? {
        HubObject::Tenant(_, tenant) => tenant.spec.as_ref().map(|spec| spec.is_suspended()),
        HubObject::Sync(sync) => sync.spec.as_ref().map(|spec| spec.is_suspended()),
    };
    suspended.map_err(|why| {
        let message = format!("{kind} {name} cannot be read: {why}");
        HubFailure::new(message, "correct it: nothing is written for it until then")
    })
}

/// Names the spec of a Tenant or TenantSync; `None` if there is none, or none that can be read.
pub fn spec_digest(hub: &OpenHub, kind: Kind, name: &str) -> Option<String> {
    fn of<S: Serialize>(spec: &Result<S, String>) -> Option<String> {
        Some(Digest::of(&serde_json::to_vec(spec.as_ref().ok()?).ok()?).to_string())
    }
    match find(hub, kind, name).ok()? {
        HubObject::Tenant(_, tenant) => of(&tenant.spec),
        HubObject::Sync(sync) => of(&sync.spec),
    }
}

fn find<'h>(hub: &'h OpenHub, kind: Kind, name: &str) -> Result<HubObject<'h>, HubFailure> {
    let found = match kind {
        Kind::Tenant => hub.contents.tenants.get_key_value(name).map(|(name, tenant)| HubObject::Tenant(name, tenant)),
        _ => hub.contents.syncs.get(name).map(HubObject::Sync),
    };
    found.ok_or_else(|| HubFailure::new(format!("{kind} {name} was deleted meanwhile"), "nothing was changed"))
}

/// What waits in each target, as the syncer reported it last.
pub fn waits(hub: &OpenHub, kind: Kind, name: &str) -> Vec<String> {
    let is_of = |sync: &str, tenant: &str| if kind == Kind::Tenant { tenant == name } else { sync == name };
    let syncs = hub.contents.syncs.values();
    let targets = syncs.flat_map(|sync| sync.status.targets.iter().map(move |target| (sync, target)));
    let lines = targets.filter(|(sync, target)| is_of(&sync.name, &target.tenant)).filter_map(|(sync, target)| {
        let counts = target.counts.as_ref()?;
        let pending = counts.create + counts.update + counts.adopt + counts.delete + counts.awaiting_stage;
        let actions = usize::try_from(pending.max(counts.suspended)).ok().filter(|actions| *actions > 0)?;
        let asks = match sync.spec.as_ref().ok().and_then(|spec| spec.mode) {
            Some(SyncMode::Apply) if counts.needs_approval == 0 => String::new(),
            Some(SyncMode::Apply) => format!(", {} of which need approval", counts.needs_approval),
            Some(SyncMode::Plan) | None => ", for an approval (mode Plan)".to_string(),
        };
        let what = count(actions, "action", "actions");
        Some(format!("{} → {}: {what}{asks}", sync.name, target.tenant))
    });
    lines.collect()
}

/// The failure to change the object: which permission is missing, and who has it.
fn failure(client: &HubClient, not_set: &NotSet, (kind, name): (Kind, &str), suspends: bool) -> HubFailure {
    let namespace = client.namespace();
    let message = format!("{kind} {name} was not changed: {not_set}");
    match not_set {
        NotSet::NeedsApprove { role, .. } => {
            let who = match client.approvers() {
                Some(approvers) if approvers.is_empty() => {
                    "no RoleBinding there gives it to anybody: ask an administrator of the cluster".to_string()
                }
                Some(approvers) => {
                    let approvers: Vec<&str> = approvers.iter().map(String::as_str).collect();
                    format!("ask one who has it: {}", approvers.join(", "))
                }
                None => format!(
                    "ask somebody who has it; whoever may read RoleBindings sees who that is:\n\
                     kubectl get rolebindings -n {} -o wide",
                    quoted(namespace)
                ),
            };
            let what = match suspends {
                false => "taking suspend away from a sync of mode Apply",
                true => "this change of a sync of mode Apply",
            };
            let help = format!(
                "{what} takes the verb approve on tenantsyncs.stablekey.dev in namespace {namespace}, which your account \
                 does not have: {who}"
            );
            HubFailure::new(message, help).granted_by(role)
        }
        NotSet::Forbidden { role, .. } => {
            let resource = kind.plural();
            let help = format!(
                "your account needs the verb patch on {resource}.stablekey.dev in namespace {namespace}: ask somebody who \
                 administers that namespace"
            );
            HubFailure::new(message, help).granted_by(role)
        }
        _ => HubFailure::new(message, "run it again"),
    }
}
