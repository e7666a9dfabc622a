//! The stages of syncs: the release that is on its way, and the tenants that wait for it.

use super::canonical::{Digest, short};
use super::record::Writer;
use crate::api::Stage;
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
    /// The stages that hold for it: those when it began.
    pub stages: Vec<Stage>,
    /// The targets that have a receipt for it since it began. One that was taken out of the sync meanwhile stays.
    pub received: BTreeSet<String>,
}

impl Underway {
    /// Whether a target has a receipt for the release.
    pub fn has_receipt(&self, tenant: &str) -> bool {
        self.received.contains(tenant)
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

    /// Goes on with what the sync carries now, `None` if its source cannot be read: a new release begins, also one that
    /// was on its way before. Then the stages of the spec hold. Otherwise an edit of them, also one that takes them
    /// away, counts once the release is through, or if a person asks for it. Returns whether the stages of the spec
    /// begin to hold.
    pub fn goes_on(&mut self, carried: Option<&str>, spec: &[Stage], is_asked: bool) -> bool {
        let new = carried.filter(|carried| *carried != self.release);
        if let Some(release) = new {
            self.release = release.to_string();
            self.received.clear();
        }
        let begins = new.is_some() || (self.stages != spec && (is_asked || self.is_through()));
        if begins {
            self.stages = spec.to_vec();
        }
        begins
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

    fn stage(to: &[&str]) -> Stage {
        Stage { to: to.iter().map(ToString::to_string).collect() }
    }

    fn underway(received: &[&str]) -> Underway {
        Underway {
            release: "r1".to_string(),
            stages: vec![stage(&["a"]), stage(&["b", "c"])],
            received: received.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn a_release_is_through_once_every_target_has_a_receipt_for_it() {
        for (received, is_through, stage) in
            [(&["b"] as &[&str], false, Some(1)), (&["a", "b"], false, Some(2)), (&["a", "b", "c", "gone"], true, None)]
        {
            let underway = underway(received);
            assert_eq!((underway.is_through(), underway.stage()), (is_through, stage), "{received:?}");
        }
    }

    /// "targets are fixed when it begins".
    #[test]
    fn the_stages_of_a_release_hold_until_it_is_through() {
        let (all, one) = (["a", "b", "c"], [stage(&["a"])]);
        // With stages, with one, and with `to` instead.
        for spec in [&[stage(&["b"]), stage(&["a"])] as &[Stage], &one, &[]] {
            let goes_on = |received: &[&str], carried: Option<&str>, is_asked: bool| {
                let mut underway = underway(received);
                let begins = underway.goes_on(carried, spec, is_asked);
                assert_eq!(begins, underway.stages == spec);
                begins
            };
            assert!(!goes_on(&["a", "b"], Some("r1"), false), "c lacks it");
            assert!(!goes_on(&["a", "b"], None, false), "the source cannot be read");
            assert!(goes_on(&all, Some("r1"), false) && goes_on(&all, None, false), "it is through");
            assert!(goes_on(&[], Some("r2"), false), "the next one begins");
            assert!(goes_on(&[], Some("r1"), true) && goes_on(&[], None, true), "a person asks");
        }
        // Without an edit nothing begins.
        let mut same = underway(&all);
        assert!(!same.goes_on(Some("r1"), &same.stages.clone(), true));
    }

    #[test]
    fn a_release_that_begins_again_has_no_receipts() {
        let mut underway = underway(&["a", "b"]);
        let stages = underway.stages.clone();
        assert!(underway.goes_on(Some("r2"), &stages, false));
        assert!(underway.goes_on(Some("r1"), &stages, false));
        assert_eq!((underway.received.len(), underway.stage()), (0, Some(1)));
    }
}
