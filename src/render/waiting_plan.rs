//! The plan that an approval is asked for, as a hub keeps it: whoever may read ConfigMaps there may look at it, and
//! nobody can show an approver another one, for the status of the sync says what is in it.

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

/// The schema of what is kept.
const SCHEMA: &str = "stablekey.dev/waiting/v1";
/// The largest that is kept, compressed: a ConfigMap has room for 1 MiB, of which base64 takes a quarter.
const LARGEST: usize = 760_000;
/// How many actions are kept of a plan that is larger; fewer where they are large themselves.
pub const FIRST: usize = 500;
/// The largest that is read, uncompressed: many times what the largest plan is.
const LARGEST_READ: u64 = 256_000_000;

/// The plan of one sync for one target.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitingPlan {
    schema: String,
    /// The sync.
    pub sync: String,
    /// The target.
    pub tenant: String,
    /// What is approved.
    pub digest: String,
    /// How many actions it has, and how many of them are in `plan`.
    pub actions: usize,
    /// See `actions`.
    pub shown: usize,
    /// As `plan -o json` shows it.
    pub plan: Box<RawValue>,
    /// As a terminal of 80 columns shows it.
    pub text: String,
    /// As a comment shows it.
    pub markdown: String,
}

/// Why what a hub keeps is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnfitPlan {
    /// Its digest is another than the status says.
    #[error("it is not what the syncer wrote there: its digest is another than the status of the sync says")]
    Changed,
    /// It cannot be read.
    #[error("it cannot be read by this version of stablekey")]
    Unreadable,
    /// It is the plan of something else.
    #[error("it is the plan of another sync, or of another moment")]
    Another,
}

/// What is kept, and what the status says of it.
#[derive(Debug)]
pub struct Packed {
    /// Compressed.
    pub bytes: Vec<u8>,
    /// Over the bytes.
    pub digest: String,
}

/// What is kept of what `sync` wants in `tenant`; `None` where it wants nothing there.
pub fn pack(plan: &Plan, sync: &str, tenant: &str, typed: &Invocation) -> Option<Packed> {
    let plan = of_sync(plan, sync, tenant)?;
    let all = plan.targets.first()?.actions.len();
    let whole = packed(&plan, sync, tenant, typed, all)?;
    if whole.bytes.len() <= LARGEST {
        return Some(whole);
    }
    // What a person has to decide goes first: the rest may not fit.
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

/// The part of a plan that is a sync's; `None` where it does nothing there.
pub fn of_sync(plan: &Plan, sync: &str, tenant: &str) -> Option<Plan> {
    let writer = Writer::Sync(sync.to_string());
    let mut target = plan.targets.iter().find(|target| target.tenant == tenant)?.clone();
    target.actions.retain(|action| action.writers.contains(&writer));
    target.digests.retain(|of, _| *of == writer.to_string());
    let notes: Vec<_> = target.notes_of(&writer).cloned().collect();
    target.notes = notes;
    if target.actions.is_empty() {
        return None;
    }
    let mut own = Plan { targets: vec![target], ..plan.clone() };
    // What the checks say of another sync is not what is approved.
    let is_others = |id: &ObjectId| id.kind == Kind::TenantSync && id.name != sync;
    own.findings
        .retain(|f| f.tenant.as_deref().is_none_or(|of| of == tenant) && !f.object.as_ref().is_some_and(is_others));
    own.recount();
    Some(own)
}

fn packed(plan: &Plan, sync: &str, tenant: &str, typed: &Invocation, all: usize) -> Option<Packed> {
    let target = plan.targets.first()?;
    let text = json(plan, JsonLayout::Compact).ok()?;
    // The page of the hub says below it, once, how it is approved.
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

/// Reads what is kept, where it is what the status says: `digest` is over the bytes, `plan` is what is approved.
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

/// The name of the ConfigMap that keeps it.
pub fn name(sync: &str, tenant: &str) -> String {
    let digest = Digest::of(format!("{sync}\0{tenant}").as_bytes()).to_string();
    let short: String = digest.chars().skip("sha256:".len()).take(16).collect();
    format!("stablekey-plan-{short}")
}
