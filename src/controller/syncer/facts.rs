//! The facts about Tenants and TenantSyncs that people may want to be notified of, from their statuses. Pure.
//!
//! A status may say less than before: of a target that cannot be read, it is not known whether there is drift. What is
//! not known is left out, and stays as it was.

use super::assess::SyncState;
use crate::api::*;
use crate::controller::notify::{CommitFact, Fact, ObjectFacts, Severity, Topic};
use crate::forge::CommitState;
use crate::text::count;

/// Returns the facts about a sync.
pub(super) fn of_sync(name: &str, namespace: &str, uid: &str, status: &TenantSyncStatus) -> ObjectFacts {
    let mut facts = ObjectFacts::of(uid);
    status.targets.iter().for_each(|target| facts.has_target(&target.tenant));
    // A sync that cannot be read, or that nobody carries out, still lists its targets as they were.
    let describe = |kind: &str| format!("kubectl describe -n {namespace} {kind} {name}");
    if let Some(stopped) = stopped(name, &status.conditions, &describe("tenantsync")) {
        facts.add(None, Topic::Sync, stopped);
        return facts;
    }
    if !status.conditions.is_empty() {
        facts.add(None, Topic::Sync, Fact::none());
    }
    for target in &status.targets {
        let tenant = target.tenant.as_str();
        let receipt = status.receipts.iter().find(|receipt| receipt.tenant == tenant);
        let done = receipt.map(|receipt| counted(&receipt.counts)).unwrap_or_default();
        let version = receipt.map(|receipt| format!("{} {}", receipt.at, receipt.digest)).unwrap_or_default();
        let look = format!("stablekey plan -n {namespace} --sync {name}");
        let of = TargetFacts { target, done, version, look };
        of.all().for_each(|(topic, fact)| facts.add(Some(tenant), topic, fact));
    }
    facts
}

/// Returns the fact that nothing is done for an object until it, or what it needs, is changed; `None` if its condition
/// Ready is about targets.
fn stopped(name: &str, conditions: &[Condition], look: &str) -> Option<Fact> {
    let condition = |type_: &str| conditions.iter().find(|condition| condition.type_ == type_);
    let ready = condition("Ready").filter(|ready| ready.status != "True" && state_of(&ready.reason).is_none())?;
    let is_stalled = condition("Stalled").is_some_and(|stalled| stalled.status == "True");
    is_stalled.then(|| failing(format!("{name}: {}", ready.reason), ready, look, false))
}

/// Returns the state of this name; `None` if this version does not know it.
fn state_of(name: &str) -> Option<SyncState> {
    SyncState::ALL.into_iter().find(|state| state.as_str() == name)
}

/// Returns the facts about a Tenant, whose source is perhaps in a repository.
pub(super) fn of_tenant(
    name: &str,
    namespace: &str,
    uid: &str,
    repository: Option<&str>,
    status: &TenantStatus,
) -> ObjectFacts {
    let mut facts = ObjectFacts::of(uid);
    let condition = |type_: &str| status.conditions.iter().find(|condition| condition.type_ == type_);
    if !status.conditions.is_empty() {
        let expiring = condition("CredentialsExpiring").filter(|condition| condition.status == "True");
        facts.add(
            None,
            Topic::Credentials,
            expiring.map_or_else(Fact::none, |it| Fact::expires(name, &it.reason, &it.message, &it.message)),
        );
    }
    let Some(ready) = condition("Ready") else { return facts };
    let describe = format!("kubectl describe -n {namespace} tenant {name}");
    let Some(url) = repository else {
        // A Tenant that is not reachable for a while shows in the syncs that need it.
        facts.add(None, Topic::Sync, stopped(name, &status.conditions, &describe).unwrap_or_else(Fact::none));
        return facts;
    };
    let source = status.source.as_ref();
    let target = source.and_then(|source| source.target.as_ref());
    // Else it is about the tenant, or its Git server.
    match target.filter(|target| target.state == ready.reason) {
        Some(target) => {
            let look = format!("kubectl get -n {namespace} tenant {name} -o jsonpath='{{.status.source.target}}'");
            let version = source.and_then(|source| source.applied.clone()).unwrap_or_default();
            let of = TargetFacts { target, done: String::new(), version, look };
            of.all().for_each(|(topic, fact)| facts.add(None, topic, fact));
            let of_commit = source.and_then(|source| commit(name, url, source, target));
            of_commit.into_iter().for_each(|fact| facts.add(None, Topic::Commit, fact));
        }
        None if ready.status != "True" => {
            let is_stalled = condition("Stalled").is_some_and(|stalled| stalled.status == "True");
            facts.add(None, Topic::Sync, failing(format!("{name}: {}", ready.reason), ready, &describe, !is_stalled));
        }
        None => {}
    }
    facts
}

/// The facts of one target.
struct TargetFacts<'t> {
    target: &'t TargetStatus,
    /// What the last change did, and what identifies it.
    done: String,
    version: String,
    /// The command that shows more.
    look: String,
}

impl TargetFacts<'_> {
    fn all(&self) -> impl Iterator<Item = (Topic, Fact)> {
        let all = [(Topic::Sync, self.sync()), (Topic::Drift, self.drift()), (Topic::Approval, self.approval())];
        all.into_iter().filter_map(|(topic, fact)| Some((topic, fact?)))
    }

    /// Whether it is in sync, or cannot be; `None` while it is on its way.
    fn sync(&self) -> Option<Fact> {
        let TargetStatus { tenant, message, receipt, .. } = self.target;
        let state = state_of(&self.target.state)?;
        let what = match state {
            SyncState::InSync => {
                let done = Some(&self.done).filter(|done| !done.is_empty());
                let title =
                    done.map_or_else(|| format!("{tenant} is in sync"), |done| format!("{tenant} is in sync: {done}"));
                let text = receipt.as_ref().map(|receipt| format!("changed {}, receipt {}", receipt.at, receipt.plan));
                let text = message.clone().into_iter().chain(text).collect::<Vec<_>>().join("\n");
                let version = self.version.clone();
                return Some(Fact { title, version, text, ..self.fact(Severity::Info) });
            }
            SyncState::Invalid => "is invalid",
            SyncState::NotAccepted => "is not accepted by its target",
            SyncState::Unreachable => "is unreachable",
            SyncState::Failed => "failed",
            SyncState::Blocked => "is blocked",
            SyncState::AwaitingApproval
            | SyncState::Drifted
            | SyncState::Applying
            | SyncState::AwaitingStage
            | SyncState::Suspended => return None,
        };
        let title = format!("the sync of {tenant} {what}");
        let text = match state {
            // Other servers answered that, and their answers may quote values: they stay in the status.
            SyncState::Failed | SyncState::Unreachable => self.look.clone(),
            _ => [message.as_deref().unwrap_or_default(), &self.look].join("\n"),
        };
        let may_pass = matches!(state, SyncState::Unreachable | SyncState::Failed);
        Some(Fact { title, text, may_pass, ..self.fact(Severity::Error) })
    }

    /// Whether others changed what Stablekey wrote.
    fn drift(&self) -> Option<Fact> {
        let TargetStatus { tenant, drifted, counts, .. } = self.target;
        match state_of(&self.target.state)? {
            // The target was not read, or not planned.
            SyncState::Invalid | SyncState::NotAccepted | SyncState::Unreachable => return None,
            _ => {}
        }
        let number = counts.as_ref().map_or(0, |counts| counts.drift);
        if number == 0 {
            return Some(Fact::none());
        }
        let values = count(usize::try_from(number).unwrap_or(usize::MAX), "value", "values");
        let more = usize::try_from(number).unwrap_or_default().saturating_sub(drifted.len());
        let more = (more > 0).then(|| format!("and {more} more"));
        let text = drifted.iter().chain(&more).chain([&self.look]).cloned().collect::<Vec<_>>().join("\n");
        Some(Fact {
            state: SyncState::Drifted.as_str().to_string(),
            title: format!("{tenant} has drift: {values} changed by others"),
            version: format!("{number}\n{}", drifted.join("\n")),
            text,
            ..self.fact(Severity::Warning)
        })
    }

    /// Whether a plan waits for an approval.
    fn approval(&self) -> Option<Fact> {
        let TargetStatus { tenant, message, digest, .. } = self.target;
        match state_of(&self.target.state)? {
            SyncState::AwaitingApproval => Some(Fact {
                title: format!("{tenant} awaits approval"),
                version: digest.clone().unwrap_or_default(),
                text: commands_of(message.as_deref().unwrap_or_default()),
                ..self.fact(Severity::Warning)
            }),
            // These states come before it: it may still wait.
            SyncState::Invalid
            | SyncState::NotAccepted
            | SyncState::Unreachable
            | SyncState::Suspended
            | SyncState::Failed => None,
            SyncState::Blocked
            | SyncState::Drifted
            | SyncState::Applying
            | SyncState::AwaitingStage
            | SyncState::InSync => Some(Fact::none()),
        }
    }

    fn fact(&self, severity: Severity) -> Fact {
        Fact { state: self.target.state.clone(), severity, ..Fact::none() }
    }
}

/// Returns what an approver does: the lines after the first, which may quote what a server answered.
fn commands_of(message: &str) -> String {
    ["look first, then approve"].into_iter().chain(message.lines().skip(1)).collect::<Vec<_>>().join("\n")
}

/// Returns the fact that a Tenant or its source cannot be used. Why is in its status: it may quote what a server answered.
fn failing(title: String, ready: &Condition, look: &str, may_pass: bool) -> Fact {
    Fact {
        state: ready.reason.clone(),
        severity: Severity::Error,
        title,
        text: look.to_string(),
        may_pass,
        ..Fact::none()
    }
}

/// Returns the state of the commit that was read last.
fn commit(name: &str, url: &str, source: &SourceStatus, target: &TargetStatus) -> Option<Fact> {
    let commit = source.seen.clone()?;
    let reached = state_of(&target.state)?;
    let (state, title) = match reached {
        // Applied, and nothing of it is left.
        SyncState::InSync if source.applied.as_ref() == Some(&commit) => {
            (CommitState::Success, format!("{name} is in sync with this commit"))
        }
        SyncState::AwaitingApproval => (CommitState::Pending, format!("{name} awaits approval")),
        SyncState::Suspended => (CommitState::Pending, format!("{name} is suspended")),
        SyncState::InSync | SyncState::Applying | SyncState::AwaitingStage => {
            (CommitState::Pending, format!("{name} is being changed"))
        }
        // The commit was read, and its server or the tenant cannot be read now: its state stays.
        SyncState::Unreachable => return None,
        state => (CommitState::Failure, format!("{name}: {}", state.as_str())),
    };
    Some(Fact {
        state: format!("{state:?}"),
        version: format!("{commit} {title}"),
        severity: if state == CommitState::Failure { Severity::Error } else { Severity::Info },
        title,
        may_pass: reached == SyncState::Failed,
        commit: Some(CommitFact { url: url.to_string(), commit, state }),
        ..Fact::none()
    })
}

fn counted(counts: &ReceiptCounts) -> String {
    let kinds =
        [(counts.create, "created"), (counts.update, "updated"), (counts.adopt, "adopted"), (counts.delete, "deleted")];
    let done = kinds.into_iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}"));
    done.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Time;
    use jiff::Timestamp;

    const URL: &str = "https://git.example/acme/tenants";

    fn target(state: &str) -> TargetStatus {
        TargetStatus {
            tenant: "eu".into(),
            state: state.into(),
            message: Some("why\nrun this".into()),
            ..Default::default()
        }
    }

    fn sync(target: TargetStatus) -> ObjectFacts {
        of_sync("us-to-eu", "hub", "u", &TenantSyncStatus { targets: vec![target], ..Default::default() })
    }

    /// The states of the three topics: `-` if there is nothing, `?` if it is not known.
    fn shown(facts: &ObjectFacts, tenant: Option<&str>) -> String {
        let state = |topic| match facts.get(tenant, topic) {
            None => "?",
            Some(fact) if fact.state.is_empty() => "-",
            Some(fact) => fact.state.as_str(),
        };
        [Topic::Sync, Topic::Drift, Topic::Approval].map(state).join(" ")
    }

    /// "Unread is unknown, never empty."
    #[test]
    fn what_a_state_does_not_tell_stays_as_it_was() {
        for (state, expected) in [
            ("InSync", "InSync - -"),
            ("Applying", "? - -"),
            ("AwaitingStage", "? - -"),
            ("AwaitingApproval", "? - AwaitingApproval"),
            ("Suspended", "? - ?"),
            ("Failed", "Failed - ?"),
            ("Blocked", "Blocked - -"),
            ("Unreachable", "Unreachable ? ?"),
            ("NotAccepted", "NotAccepted ? ?"),
            ("Invalid", "Invalid ? ?"),
            ("OfANewerVersion", "? ? ?"),
        ] {
            assert_eq!(shown(&sync(target(state)), Some("eu")), expected, "{state}");
        }
    }

    #[test]
    fn a_receipt_and_what_drifts_make_another_fact() {
        let fact = |target: TargetStatus, topic| sync(target).get(Some("eu"), topic).unwrap().clone();
        let done = |at: &str| {
            let receipt = SyncReceipt { tenant: "eu".into(), at: at.into(), ..Default::default() };
            let of_others = SyncReceipt { tenant: "dev".into(), at: "9".into(), ..Default::default() };
            let receipts = vec![of_others, receipt];
            let status = TenantSyncStatus { targets: vec![target("InSync")], receipts, ..Default::default() };
            of_sync("us-to-eu", "hub", "u", &status).get(Some("eu"), Topic::Sync).unwrap().clone()
        };
        assert_eq!(done("1"), done("1"));
        assert_ne!(done("1").version, done("2").version);
        // Every sync into a target has the receipt of whatever changed it.
        let stamped = |at: &str| ReceiptStatus { at: at.into(), ..Default::default() };
        let of = |at| fact(TargetStatus { receipt: Some(stamped(at)), ..target("InSync") }, Topic::Sync).version;
        assert_eq!(of("1"), of("2"));
        let drifted = |number, lines: &[&str]| {
            let counts = Some(TargetCounts { drift: number, ..Default::default() });
            let drifted = lines.iter().map(|line| line.to_string()).collect();
            fact(TargetStatus { counts, drifted, ..target("Drifted") }, Topic::Drift)
        };
        let one = drifted(1, &["Connection/crm inputs.scopes: changed by kubectl-edit"]);
        assert_eq!(one.title, "eu has drift: 1 value changed by others");
        assert!(one.text.ends_with("kubectl-edit\nstablekey plan -n hub --sync us-to-eu"), "{}", one.text);
        let many = drifted(12, &["a", "b"]);
        assert!(many.text.contains("a\nb\nand 10 more\n"), "{}", many.text);
        assert_ne!(many.version, drifted(13, &["a", "b"]).version);
    }

    /// A cluster's own policies may quote values in their answers.
    #[test]
    fn no_answer_of_a_server_is_in_a_fact() {
        let message =
            Some("Connection/crm: url CANARY is not allowed\nstablekey approve us-to-eu\nsha256:1".to_string());
        for state in ["Failed", "Unreachable", "AwaitingApproval"] {
            let facts = sync(TargetStatus { message: message.clone(), ..target(state) });
            assert!(!format!("{facts:?}").contains("CANARY"), "{state}: {facts:?}");
        }
        let waits = sync(TargetStatus { message, ..target("AwaitingApproval") });
        let text = &waits.get(Some("eu"), Topic::Approval).unwrap().text;
        assert_eq!(text, "look first, then approve\nstablekey approve us-to-eu\nsha256:1");
        let mut ready = condition("Ready", "False", "Unreachable");
        ready.message = "CANARY".into();
        assert!(!format!("{:?}", tenant(vec![ready], "c1", "InSync")).contains("CANARY"));
    }

    #[test]
    fn a_change_says_what_it_did() {
        let receipt = SyncReceipt {
            tenant: "eu".into(),
            counts: ReceiptCounts { create: 3, update: 1, ..Default::default() },
            ..Default::default()
        };
        let status =
            TenantSyncStatus { targets: vec![target("InSync")], receipts: vec![receipt], ..Default::default() };
        let facts = of_sync("us-to-eu", "hub", "u", &status);
        assert_eq!(facts.get(Some("eu"), Topic::Sync).unwrap().title, "eu is in sync: 3 created, 1 updated");
    }

    fn condition(type_: &str, status: &str, reason: &str) -> Condition {
        Condition {
            type_: type_.into(),
            status: status.into(),
            reason: reason.into(),
            message: format!("{reason} because"),
            observed_generation: None,
            last_transition_time: Time(Timestamp::MIN),
        }
    }

    fn tenant(conditions: Vec<Condition>, applied: &str, state: &str) -> ObjectFacts {
        let source =
            SourceStatus { seen: Some("c2".into()), applied: Some(applied.into()), target: Some(target(state)) };
        let status = TenantStatus { conditions, source: Some(source), ..Default::default() };
        of_tenant("eu", "hub", "u", Some(URL), &status)
    }

    #[test]
    fn a_commit_has_the_state_of_its_tenant() {
        for (ready, state, applied, expected) in [
            ("True", "InSync", "c2", "Success"),
            ("True", "InSync", "c1", "Pending"),
            ("False", "AwaitingApproval", "c1", "Pending"),
            ("False", "Applying", "c1", "Pending"),
            ("False", "Blocked", "c1", "Failure"),
            ("False", "Drifted", "c2", "Failure"),
            ("False", "Unreachable", "c1", "?"),
        ] {
            let facts = tenant(vec![condition("Ready", ready, state)], applied, state);
            let commit = facts.get(None, Topic::Commit).map_or("?", |fact| fact.state.as_str());
            assert_eq!(commit, expected, "{state} {applied}");
        }
        let refused = tenant(vec![condition("Ready", "False", "CredentialsRefused")], "c1", "InSync");
        assert_eq!(shown(&refused, None), "CredentialsRefused ? ?");
        // Of the Git server, not of the tenant.
        let unreachable = tenant(vec![condition("Ready", "False", "Unreachable")], "c1", "InSync");
        assert_eq!(shown(&unreachable, None), "Unreachable ? ?");
        assert!(unreachable.get(None, Topic::Commit).is_none());
    }

    /// What nobody carries out, or cannot be read, is reported, and its targets are not as they were.
    #[test]
    fn what_is_stopped_is_reported() {
        let conditions =
            vec![condition("Ready", "False", "MixedTargets"), condition("Stalled", "True", "MixedTargets")];
        let status = TenantSyncStatus { conditions, targets: vec![target("InSync")], ..Default::default() };
        let facts = of_sync("us-to-eu", "hub", "u", &status);
        assert_eq!(facts.get(None, Topic::Sync).unwrap().title, "us-to-eu: MixedTargets");
        assert!(facts.get(Some("eu"), Topic::Sync).is_none());
        let conditions = vec![condition("Ready", "False", "Unreadable"), condition("Stalled", "True", "Unreadable")];
        let facts = of_tenant("eu", "hub", "u", None, &TenantStatus { conditions, ..Default::default() });
        assert_eq!(facts.get(None, Topic::Sync).unwrap().state, "Unreadable");
    }

    #[test]
    fn a_token_expires_and_is_renewed() {
        let of = |conditions: Vec<Condition>| {
            let status = TenantStatus { conditions, ..Default::default() };
            let facts = of_tenant("eu", "hub", "u", None, &status);
            facts.get(None, Topic::Credentials).map(|fact| (fact.state.clone(), fact.severity))
        };
        let ready = condition("Ready", "True", "Watched");
        let with = |reason| of(vec![ready.clone(), condition("CredentialsExpiring", "True", reason)]);
        assert_eq!(with("ExpiringSoon"), Some(("ExpiringSoon".into(), Severity::Warning)));
        assert_eq!(with("Expired"), Some(("Expired".into(), Severity::Error)));
        assert_eq!(of(vec![ready.clone()]), Some((String::new(), Severity::Info)));
        assert_eq!(of(vec![]), None, "it has no status yet");
    }
}
