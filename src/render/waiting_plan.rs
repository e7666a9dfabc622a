//! The plan that waits for approval, stored in the hub: readable for everybody who may read ConfigMaps there. Nobody
//! can replace it by another one, since the status of the sync has its digest.

use super::{Invocation, JsonLayout, Style, json, plan_markdown, plan_text};
use crate::api::Kind;
use crate::engine::model::canonical::Digest;
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Plan, Target};
use crate::engine::model::record::Writer;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

/// The schema of the stored plan.
const SCHEMA: &str = "stablekey.dev/waiting/v1";
/// The maximum compressed size: a ConfigMap has room for 1 MiB, of which base64 takes a quarter.
const LARGEST: usize = 760_000;
/// The number of actions that are stored of a larger plan; fewer if they are large.
pub const FIRST: usize = 500;
/// The maximum uncompressed size: many times that of the largest plan.
const LARGEST_READ: u64 = 256_000_000;

/// The plan of one sync for one target.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitingPlan {
    schema: String,
    /// The name of the sync.
    pub sync: String,
    /// The name of the target.
    pub tenant: String,
    /// The digest to approve.
    pub digest: String,
    /// The total number of actions.
    pub actions: usize,
    /// The number of actions in `plan`.
    pub shown: usize,
    /// The plan as `plan -o json` shows it.
    pub plan: Box<RawValue>,
    /// The plan as a terminal of 80 columns shows it.
    pub text: String,
    /// The plan as a comment shows it.
    pub markdown: String,
}

/// The reason why a stored plan is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnfitPlan {
    /// Its digest differs from that in the status.
    #[error("it is not what the syncer wrote there: its digest differs from that in the status of the sync")]
    Changed,
    /// It could not be parsed.
    #[error("it cannot be read by this version of stablekey")]
    Unreadable,
    /// It belongs to another sync or target.
    #[error("it is the plan of another sync, or of another moment")]
    Another,
}

/// A compressed plan and its digest for the status.
#[derive(Debug)]
pub struct Packed {
    /// The compressed plan.
    pub bytes: Vec<u8>,
    /// The digest of the bytes.
    pub digest: String,
}

/// Compresses the plan of `sync` for `tenant`; `None` if it has no actions there.
pub fn pack(plan: &Plan, sync: &str, tenant: &str, typed: &Invocation) -> Option<Packed> {
    let plan = of_sync(plan, sync, tenant)?;
    let all = plan.targets.first()?.actions.len();
    let whole = packed(&plan, sync, tenant, typed, all)?;
    if whole.bytes.len() <= LARGEST {
        return Some(whole);
    }
    // Actions that need approval come first: the rest may not fit.
    let mut first = plan;
    first.targets.first_mut()?.actions.sort_by_key(|action| action.needs_approval.is_empty());
    let mut most = FIRST;
    loop {
        let target = first.targets.first_mut()?;
        target.actions.truncate(most);
        if most == 0 {
            target.notes.clear();
            first.findings.clear();
        }
        first.recount();
        let packed = packed(&first, sync, tenant, typed, all)?;
        if packed.bytes.len() <= LARGEST || most == 0 {
            return Some(packed);
        }
        most /= 2;
    }
}

/// The part of a plan that belongs to a sync; `None` if it has no actions in the target.
pub fn of_sync(plan: &Plan, sync: &str, tenant: &str) -> Option<Plan> {
    let writer = Writer::Sync(sync.to_string());
    let mut target = plan.targets.iter().find(|target| target.tenant == tenant)?.clone();
    target.actions.retain(|action| action.writers.contains(&writer));
    // What waits for an earlier stage is not asked for yet.
    target.waiting.clear();
    target.stages.clear();
    target.digests.retain(|of, _| *of == writer.to_string());
    let notes: Vec<_> = target.notes_of(&writer).cloned().collect();
    target.notes = notes;
    if target.actions.is_empty() {
        return None;
    }
    let mut own = Plan { targets: vec![target], ..plan.clone() };
    // Findings about other syncs are not part of the approval.
    let is_others = |id: &ObjectId| id.kind == Kind::TenantSync && id.name != sync;
    own.findings
        .retain(|f| f.tenant.as_deref().is_none_or(|of| of == tenant) && !f.object.as_ref().is_some_and(is_others));
    own.recount();
    Some(own)
}

fn packed(plan: &Plan, sync: &str, tenant: &str, typed: &Invocation, all: usize) -> Option<Packed> {
    let target = plan.targets.first()?;
    let text = json(plan, JsonLayout::Compact).ok()?;
    // The page of the hub shows the command to approve it once, below.
    let shown = Plan { targets: vec![Target { digests: BTreeMap::new(), ..target.clone() }], ..plan.clone() };
    let typed = &Invocation { is_apply: true, ..typed.clone() };
    let kept = WaitingPlan {
        schema: SCHEMA.to_string(),
        sync: sync.to_string(),
        tenant: tenant.to_string(),
        digest: target.digests.values().next()?.to_string(),
        actions: all,
        shown: target.actions.len(),
        plan: RawValue::from_string(text).ok()?,
        text: plan_text(&shown, typed, Style { width: 80, ..Style::default() }),
        markdown: plan_markdown(&shown, typed),
    };
    let mut to = GzEncoder::new(Vec::new(), Compression::default());
    to.write_all(&serde_json::to_vec(&kept).ok()?).ok()?;
    let bytes = to.finish().ok()?;
    Some(Packed { digest: Digest::of(&bytes).to_string(), bytes })
}

/// Reads a stored plan if it matches the status: `digest` is over the bytes, `plan` is the digest to approve.
pub fn unpack(bytes: &[u8], digest: &str, (sync, tenant, plan): (&str, &str, &str)) -> Result<WaitingPlan, UnfitPlan> {
    if Digest::of(bytes).to_string() != digest {
        return Err(UnfitPlan::Changed);
    }
    let mut json = Vec::new();
    GzDecoder::new(bytes).take(LARGEST_READ).read_to_end(&mut json).map_err(|_| UnfitPlan::Unreadable)?;
    let kept: WaitingPlan = serde_json::from_slice(&json).map_err(|_| UnfitPlan::Unreadable)?;
    if kept.schema != SCHEMA {
        return Err(UnfitPlan::Unreadable);
    }
    if kept.sync != sync || kept.tenant != tenant || kept.digest != plan {
        return Err(UnfitPlan::Another);
    }
    Ok(kept)
}

/// The name of the ConfigMap that stores the plan.
pub fn name(sync: &str, tenant: &str) -> String {
    let digest = Digest::of(format!("{sync}\0{tenant}").as_bytes()).to_string();
    let short: String = digest.chars().skip("sha256:".len()).take(16).collect();
    format!("stablekey-plan-{short}")
}
