//! The stages of syncs: the release that is on its way, and the tenants that wait for it.

use super::canonical::{Digest, short};
use super::record::Writer;
use crate::api::{Stage, TenantSyncSpec};
use crate::text::count;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What a sync carries at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The digest of the integrations with their definitions, and of the connections that the sync writes: as in the
    /// source, before overrides, independent of any target.
    pub digest: Digest,
    /// The names of the integrations.
    pub integrations: BTreeSet<String>,
}

/// What an operator remembers of the release of a sync that is on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Underway {
    /// The digest of the release.
    pub release: String,
    /// The stages when it began.
    pub stages: Vec<Stage>,
    /// By target, the release that it has a receipt for.
    pub receipts: BTreeMap<String, String>,
}

impl Underway {
    /// Whether a target has a receipt for the release.
    pub fn has_receipt(&self, tenant: &str) -> bool {
        self.receipts.get(tenant) == Some(&self.release)
    }

    /// Whether every target of the release has a receipt for it.
    pub fn is_through(&self) -> bool {
        self.stages.iter().flat_map(|stage| &stage.to).all(|tenant| self.has_receipt(tenant))
    }

    /// The first stage, counted from 1, in which a target has no receipt for the release.
    pub fn stage(&self) -> Option<usize> {
        let is_left = |stage: &Stage| stage.to.iter().any(|tenant| !self.has_receipt(tenant));
        self.stages.iter().position(is_left).map(|stage| stage + 1)
    }
}

/// The stages that hold for a release: those when it began, if an operator remembers it; else those of the spec.
pub fn stages_of<'a>(spec: &'a TenantSyncSpec, underway: Option<&'a Underway>, release: &Digest) -> &'a [Stage] {
    match underway.filter(|underway| underway.release == release.to_string()) {
        Some(underway) => &underway.stages,
        None => &spec.stages,
    }
}

/// Why a target holds back the stages after its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// There is no such Tenant.
    Absent,
    /// It cannot be read.
    Unreadable(String),
    /// The sync is not carried out there.
    Refused(String),
    /// Actions wait, because it is suspended.
    Suspended(usize),
    /// Actions are not done.
    Left {
        actions: usize,
        /// The number of them that need approval.
        need_approval: usize,
    },
    /// Something that the sync declares there is blocked, drifted, bound otherwise or in conflict.
    Unresolved(usize),
    /// Nothing is left to do, and no reconcile has verified it yet.
    Unverified,
    /// These integrations are not Ready there.
    NotReady(Vec<String>),
    /// It was taken out of the stages before it had the release.
    TakenOut,
}

/// A target that holds back later stages, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBy {
    /// The name of the target.
    pub tenant: String,
    pub why: Hindrance,
}

/// A sync that waits in one tenant for an earlier stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageWait {
    /// The stage of the tenant, counted from 1; `None`: it takes part from the next release on.
    pub stage: Option<usize>,
    /// The stage that it waits for, counted from 1.
    pub waits_for: usize,
    /// The digest of the release.
    pub release: Digest,
    /// The targets of that stage that are not done.
    pub held_by: Vec<HeldBy>,
    /// The digest of the actions that wait, as they are now.
    pub digest: Option<Digest>,
}

/// The number of targets and integrations that a sentence names.
const NAMED: usize = 4;

impl HeldBy {
    /// The sentence: `dev-2 is not Ready with release sha256:0123456789ab: Integration/lead-router`.
    pub fn text(&self, release: &Digest) -> String {
        let (tenant, release) = (&self.tenant, release.to_string());
        let release = short(&release);
        match &self.why {
            Hindrance::Absent => format!("there is no Tenant {tenant}"),
            Hindrance::Unreadable(why) => format!("{tenant} cannot be read: {why}"),
            Hindrance::Refused(why) => format!("{tenant} does not get release {release}: {why}"),
            Hindrance::Suspended(actions) => {
                format!("{tenant} is suspended, and {} there", waits(*actions))
            }
            Hindrance::Left { actions, need_approval } => {
                let left = count(*actions, "action is left", "actions are left");
                let approval = match need_approval {
                    0 => String::new(),
                    all if all == actions => ", which awaits approval".to_string(),
                    some => format!(", {some} of them awaiting approval"),
                };
                format!("{tenant} does not have release {release}: {left}{approval}")
            }
            Hindrance::Unresolved(number) => {
                let what = count(*number, "thing is unresolved", "things are unresolved");
                format!("{tenant} does not have release {release}: {what}")
            }
            Hindrance::Unverified => format!("{tenant} has no receipt for release {release} yet"),
            Hindrance::NotReady(integrations) => {
                let names: Vec<String> = integrations.iter().map(|name| format!("Integration/{name}")).collect();
                format!("{tenant} is not Ready with release {release}: {}", first(&names))
            }
            Hindrance::TakenOut => format!("{tenant} was taken out of the stages before it had release {release}"),
        }
    }
}

impl StageWait {
    /// The sentence: `waits for stage 1: dev-2 is not Ready with release sha256:0123456789ab: Integration/lead-router`.
    pub fn text(&self) -> String {
        let release = self.release.to_string();
        if self.stage.is_none() {
            return format!(
                "takes part from the next release on: {} is on its way through the stages as they were when it began",
                short(&release)
            );
        }
        let held_by: Vec<String> = self.held_by.iter().map(|held| held.text(&self.release)).collect();
        match held_by.len() {
            0 => format!("waits for stage {} to have release {}", self.waits_for, short(&release)),
            _ => format!("waits for stage {}: {}", self.waits_for, first_of(&held_by, "; ")),
        }
    }
}

fn waits(actions: usize) -> String {
    count(actions, "action waits", "actions wait")
}

fn first(names: &[String]) -> String {
    first_of(names, ", ")
}

fn first_of(names: &[String], by: &str) -> String {
    match names.split_at_checked(NAMED) {
        Some((first, rest)) if !rest.is_empty() => format!("{}{by}and {} more", first.join(by), rest.len()),
        _ => names.join(by),
    }
}

impl Serialize for StageWait {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Held<'a> {
            tenant: &'a str,
            text: String,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Wait<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            digest: Option<&'a Digest>,
            held_by: Vec<Held<'a>>,
            release: &'a Digest,
            #[serde(skip_serializing_if = "Option::is_none")]
            stage: Option<usize>,
            text: String,
            waits_for: usize,
        }
        let held = |held: &'_ HeldBy| held.text(&self.release);
        let held_by = self.held_by.iter().map(|one| Held { tenant: &one.tenant, text: held(one) }).collect();
        let wait = Wait {
            digest: self.digest.as_ref(),
            held_by,
            release: &self.release,
            stage: self.stage,
            text: self.text(),
            waits_for: self.waits_for,
        };
        wait.serialize(to)
    }
}

impl fmt::Display for StageWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// The syncs that wait for an earlier stage, each with the tenants in which it does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gates(BTreeMap<Writer, BTreeMap<String, StageWait>>);

impl Gates {
    /// Makes a sync wait in a tenant.
    pub fn close(&mut self, writer: &Writer, tenant: &str, wait: StageWait) {
        self.0.entry(writer.clone()).or_default().insert(tenant.to_string(), wait);
    }

    /// Whether a sync waits in a tenant.
    pub fn is_closed(&self, writer: &Writer, tenant: &str) -> bool {
        self.wait(writer, tenant).is_some()
    }

    /// What a sync waits for in a tenant.
    pub fn wait(&self, writer: &Writer, tenant: &str) -> Option<&StageWait> {
        self.0.get(writer)?.get(tenant)
    }

    /// What each sync waits for in a tenant.
    pub fn of_tenant<'g>(&'g self, tenant: &'g str) -> impl Iterator<Item = (&'g Writer, &'g StageWait)> {
        self.0.iter().filter_map(move |(writer, tenants)| Some((writer, tenants.get(tenant)?)))
    }

    /// Whether no sync waits anywhere.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(held_by: Vec<HeldBy>) -> StageWait {
        let release = Digest::of(b"a release");
        StageWait { stage: Some(2), waits_for: 1, release, held_by, digest: None }
    }

    fn held(tenant: &str, why: Hindrance) -> HeldBy {
        HeldBy { tenant: tenant.to_string(), why }
    }

    /// "waits for stage 1: dev-2 is not Ready with release ab12…".
    #[test]
    fn a_wait_names_the_stage_the_target_and_the_release() {
        let release = Digest::of(b"a release").to_string();
        let release = short(&release);
        let not_ready = held("dev-2", Hindrance::NotReady(vec!["lead-router".to_string()]));
        let expected = format!("waits for stage 1: dev-2 is not Ready with release {release}: Integration/lead-router");
        assert_eq!(wait(vec![not_ready]).text(), expected);
        let left =
            |actions, need_approval| held("d", Hindrance::Left { actions, need_approval }).text(&Digest::of(b""));
        assert!(left(1, 0).ends_with(": 1 action is left"), "{}", left(1, 0));
        assert!(left(1, 1).ends_with(": 1 action is left, which awaits approval"), "{}", left(1, 1));
        assert!(left(3, 2).ends_with(": 3 actions are left, 2 of them awaiting approval"), "{}", left(3, 2));
        let many = (0..6).map(|number| held(&format!("t{number}"), Hindrance::Absent)).collect();
        assert!(wait(many).text().ends_with("there is no Tenant t3; and 2 more"), "{}", wait(Vec::new()));
        let next = StageWait { stage: None, ..wait(Vec::new()) };
        assert!(next.text().starts_with("takes part from the next release on"), "{next}");
    }

    #[test]
    fn a_release_is_through_once_every_target_has_a_receipt_for_it() {
        let stage = |to: &[&str]| Stage { to: to.iter().map(ToString::to_string).collect() };
        let receipts = |of: &[(&str, &str)]| of.iter().map(|(t, r)| (t.to_string(), r.to_string())).collect();
        let underway = |of: &[(&str, &str)]| Underway {
            release: "r2".to_string(),
            stages: vec![stage(&["a"]), stage(&["b", "c"])],
            receipts: receipts(of),
        };
        let none = underway(&[("a", "r1"), ("b", "r2")]);
        assert_eq!((none.is_through(), none.stage()), (false, Some(1)));
        let half = underway(&[("a", "r2"), ("b", "r2"), ("c", "r1")]);
        assert_eq!((half.is_through(), half.stage()), (false, Some(2)));
        let all = underway(&[("a", "r2"), ("b", "r2"), ("c", "r2"), ("gone", "r1")]);
        assert_eq!((all.is_through(), all.stage()), (true, None));
    }
}
