//! Whether a syncer reconciles a hub, according to its Lease, if the account may read it.

use crate::project::hub::HubAddress;
use crate::render::page::{Span, TextPage, command, plain};
use crate::render::style::Tone;
use crate::tenant::cluster::hub::SyncerLease;
use jiff::Timestamp;
use serde_json::{Value, json};

/// How long after its expiry a Lease must be without renewal until the syncer is reported as not running, in seconds:
/// clocks differ, and a replica needs time to take over.
const GRACE: i64 = 60;

/// The state of the syncer of a hub.
#[derive(Clone, Debug)]
pub struct SyncerSign {
    /// The address of the hub.
    pub hub: HubAddress,
    /// The name of the Lease.
    pub name: &'static str,
    /// The state of the Lease.
    pub lease: SyncerLease,
    /// The newest time in the statuses of the hub.
    pub newest: Option<Timestamp>,
    /// The current time of this machine.
    pub now: Timestamp,
}

impl SyncerSign {
    /// Whether it is certain that no syncer is running: the statuses of the hub are then outdated.
    pub fn is_dead(&self) -> bool {
        match &self.lease {
            SyncerLease::There { renewed: Some(renewed), lasts, .. } => {
                let lasts = i64::try_from(lasts.as_secs()).unwrap_or(i64::MAX);
                self.seconds_since(*renewed) > lasts.saturating_add(GRACE)
            }
            SyncerLease::There { renewed: None, holder, .. } => holder.is_none(),
            SyncerLease::Absent | SyncerLease::Unknown => false,
        }
    }

    fn seconds_since(&self, then: Timestamp) -> i64 {
        self.now.as_second().saturating_sub(then.as_second())
    }

    fn since(&self, then: Timestamp) -> String {
        match self.seconds_since(then) {
            seconds @ ..120 => format!("{} s", seconds.max(0)),
            seconds @ 120..7_200 => format!("{} min", seconds / 60),
            seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
            seconds => format!("{} days", seconds / 86_400),
        }
    }

    fn ago(&self, then: Timestamp) -> String {
        format!("{} ago", self.since(then))
    }

    /// Why what the statuses report may no longer hold, if it is certain that no syncer is running.
    pub fn doubt(&self) -> Option<String> {
        match &self.lease {
            _ if !self.is_dead() => None,
            SyncerLease::There { renewed: Some(at), .. } => {
                Some(format!("no syncer has renewed its Lease for {}", self.since(*at)))
            }
            _ => Some("no syncer holds the Lease".to_string()),
        }
    }

    /// The state in one sentence.
    pub fn sentence(&self) -> String {
        let (name, namespace) = (self.name, &self.hub.namespace);
        let newest = || self.newest.map(|at| format!("; the newest entry in a status was made {}", self.ago(at)));
        match &self.lease {
            SyncerLease::There { holder, renewed, .. } => {
                let renewed = renewed.map(|at| self.ago(at));
                let holder = match (holder, renewed) {
                    (Some(holder), Some(ago)) => format!("was renewed {ago} by {holder}"),
                    (Some(holder), None) => format!("is held by {holder}"),
                    (None, Some(ago)) => format!("has no holder; it was released {ago}"),
                    (None, None) => "has no holder".to_string(),
                };
                let dead = if self.is_dead() { ": no syncer runs, and the statuses here are out of date" } else { "" };
                format!("the Lease {name} {holder}{dead}")
            }
            SyncerLease::Absent => format!(
                "there is no Lease {name} in namespace {namespace}: no syncer ran here, or it keeps its Lease in \
                 another namespace{}",
                newest().unwrap_or_default()
            ),
            SyncerLease::Unknown => format!(
                "your account cannot read the Lease {name} in namespace {namespace}: whether a syncer runs is not \
                 known{}",
                newest().unwrap_or_default()
            ),
        }
    }

    /// The commands to find out more.
    pub fn commands(&self) -> Vec<String> {
        let context = self.hub.context.iter().map(|context| format!(" --context {}", crate::text::quoted(context)));
        let at = format!("{} -n {}", context.collect::<String>(), self.hub.namespace);
        vec![format!("kubectl get pods{at} -l app.kubernetes.io/name=stablekey")]
    }

    /// Adds a warning to a page if no syncer is running.
    pub(super) fn warn(&self, page: &mut TextPage) {
        if self.is_dead() {
            page.wrap(0, 2, &[Span::new(Tone::Bad, "✗"), plain(format!(" {}", self.sentence()))]);
            self.commands().iter().for_each(|line| page.line(2, &[command(line)]));
        }
    }

    /// Adds the state to a page.
    pub(super) fn show(&self, page: &mut TextPage) {
        let (mark, tone) = match &self.lease {
            _ if self.is_dead() => ("✗", Tone::Bad),
            SyncerLease::There { holder: Some(_), .. } => ("✓", Tone::Good),
            _ => ("·", Tone::Careful),
        };
        page.wrap(2, 4, &[Span::new(tone, mark), plain(format!(" {}", self.sentence()))]);
        let commands = if self.is_dead() { self.commands() } else { Vec::new() };
        commands.iter().for_each(|line| page.line(4, &[command(line)]));
    }

    /// The state as JSON.
    pub(super) fn json(&self) -> Value {
        let (state, holder, renewed) = match &self.lease {
            SyncerLease::There { holder, renewed, .. } if self.is_dead() => ("Dead", holder.clone(), *renewed),
            SyncerLease::There { holder: Some(holder), renewed, .. } => ("Running", Some(holder.clone()), *renewed),
            SyncerLease::There { holder: None, renewed, .. } => ("Released", None, *renewed),
            SyncerLease::Absent => ("NoLease", None, None),
            SyncerLease::Unknown => ("Unknown", None, None),
        };
        json!({
            "lease": self.name, "state": state, "holder": holder,
            "renewed": renewed.map(|at| at.to_string()), "newestStatus": self.newest.map(|at| at.to_string()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Style;
    use std::time::Duration;

    fn sign(lease: SyncerLease) -> SyncerSign {
        let at = |second| Timestamp::from_second(second).unwrap();
        let hub = HubAddress { context: Some("us 1".into()), namespace: "us-prod".into() };
        SyncerSign { hub, name: "stablekey-syncer", lease, newest: Some(at(6_400)), now: at(10_000) }
    }

    fn there(holder: Option<&str>, renewed: Option<i64>) -> SyncerSign {
        sign(SyncerLease::There {
            holder: holder.map(str::to_string),
            renewed: renewed.map(|second| Timestamp::from_second(second).unwrap()),
            lasts: Duration::from_secs(15),
        })
    }

    /// A syncer that is not running is detected; one that is being replaced, or whose clock is slightly off, is not
    /// reported.
    #[test]
    fn who_has_not_renewed_its_lease_for_long_is_dead() {
        for (lease, is_dead, words) in [
            (there(Some("pod-1"), Some(9_997)), false, "the Lease stablekey-syncer was renewed 3 s ago by pod-1"),
            (there(Some("pod-1"), Some(9_926)), false, "renewed 74 s ago"),
            (there(Some("pod-1"), Some(9_924)), true, "renewed 76 s ago by pod-1: no syncer runs"),
            (there(Some("pod-1"), Some(10_900)), false, "renewed 0 s ago"),
            (there(None, Some(9_990)), false, "has no holder; it was released 10 s ago"),
            (there(None, Some(4_000)), true, "it was released 100 min ago: no syncer runs"),
            (there(None, None), true, "has no holder: no syncer runs"),
            (there(Some("pod-1"), None), false, "is held by pod-1"),
            (sign(SyncerLease::Absent), false, "there is no Lease stablekey-syncer in namespace us-prod"),
            (sign(SyncerLease::Unknown), false, "the newest entry in a status was made 60 min ago"),
        ] {
            assert_eq!(lease.is_dead(), is_dead, "{lease:?}");
            assert!(lease.sentence().contains(words), "{}", lease.sentence());
            assert_eq!(lease.doubt().is_some(), is_dead, "{lease:?}");
        }
        let doubt = there(Some("pod-1"), Some(9_800)).doubt();
        assert_eq!(doubt.as_deref(), Some("no syncer has renewed its Lease for 3 min"));
        assert_eq!(there(None, None).doubt().as_deref(), Some("no syncer holds the Lease"));
    }

    #[test]
    fn commands_to_find_out_more_can_be_pasted() {
        let mut page = TextPage::new(Style { width: 40, ..Style::default() });
        there(None, Some(4_000)).warn(&mut page);
        let text = page.finish();
        let command = "  kubectl get pods --context 'us 1' -n us-prod -l app.kubernetes.io/name=stablekey\n";
        assert!(text.ends_with(command), "{text}");
    }
}
