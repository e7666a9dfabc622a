//! The bodies of notifications. Pure.

use super::delivered::Delivery;
use super::fact::Severity;
use crate::text;
use serde_json::{Value, json};

/// The schema of the generic form.
const SCHEMA: &str = "stablekey.dev/notification/v1";
/// Maximum length of a text, in characters: a message is read on a phone, too.
const LONGEST: usize = 6_000;
/// Maximum length of the description of a commit's status: GitHub has the smaller limit.
const LONGEST_DESCRIPTION: usize = 140;

/// Where a message comes from.
#[derive(Clone, Debug)]
pub(super) struct From<'f> {
    pub namespace: &'f str,
    /// The name of the cluster, if the destination has one.
    pub cluster: Option<&'f str>,
}

/// The title of a delivery: of drift that ended, the fact has none.
fn title(delivery: &Delivery) -> String {
    if delivery.is_end {
        let of = delivery.subject.tenant.as_deref().unwrap_or(&delivery.subject.object.name);
        return format!("{of}: drift ended");
    }
    delivery.fact.title.clone()
}

/// The generic form.
pub(super) fn generic(delivery: &Delivery, from: &From<'_>, at: &str) -> Value {
    let fact = &delivery.fact;
    json!({
        "schema": SCHEMA,
        "id": delivery.id,
        "at": at,
        "cluster": from.cluster,
        "namespace": from.namespace,
        "object": delivery.subject.object.to_string(),
        "tenant": delivery.subject.tenant,
        "topic": delivery.subject.topic.as_str(),
        "state": if delivery.is_end { "Ended" } else { fact.state.as_str() },
        "severity": fact.severity.as_str(),
        "title": title(delivery),
        "text": text::shorten(&text::lines(&fact.text), LONGEST),
    })
}

/// The form of Slack's incoming webhooks.
pub(super) fn slack(delivery: &Delivery, from: &From<'_>) -> Value {
    let mark = match (delivery.is_end, delivery.fact.severity) {
        (true, _) | (_, Severity::Info) => "✅",
        (_, Severity::Warning) => "⚠️",
        (_, Severity::Error) => "❌",
    };
    let cluster = from.cluster.map(|name| format!(", cluster {name}")).unwrap_or_default();
    let place = format!("namespace {}{cluster}", from.namespace);
    let (title, object) = (title(delivery), delivery.subject.object.to_string());
    let mut message =
        format!("{mark} *{}*\n{}", escaped(&text::line(&title)), escaped(&format!("{object} in {place}")));
    let shown = text::lines(&delivery.fact.text);
    let shown = text::shorten(&shown, LONGEST);
    if !shown.trim().is_empty() {
        // Within the fence nothing is formatted: commands can be copied.
        message.push_str(&format!("\n```\n{}\n```", escaped(&shown.replace("```", "'''"))));
    }
    json!({ "text": message })
}

/// The name and the description of a commit's status.
pub(super) fn commit_status(delivery: &Delivery, from: &From<'_>) -> (String, String) {
    let name = format!("stablekey/{}/{}", from.namespace, delivery.subject.object.name);
    let description = text::shorten(&text::line(&delivery.fact.title), LONGEST_DESCRIPTION).into_owned();
    (name, description)
}

/// Slack reads `<…>` as a link or a mention, and `&` as the beginning of an escape.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::delivered::{Delivered, ObservedFact, Since};
    use super::super::destination::Destinations;
    use super::super::fact::{Fact, Subject, Topic};
    use super::*;
    use crate::api::Kind;
    use crate::controller::named_secret::NamedSecret;
    use crate::engine::model::item::ObjectId;
    use std::collections::BTreeMap;
    use std::time::Duration;
    use tokio::time::Instant;

    fn delivery(fact: Fact) -> Delivery {
        let secret = NamedSecret::of(&[("team", "slack: {url: 'https://a.example'}")], Some("a.example"));
        let to = Destinations::of(&secret, false).usable.pop().unwrap();
        let object = ObjectId::new(Kind::TenantSync, "us-to-eu");
        let subject = Subject { object, tenant: Some("eu-prod".into()), topic: Topic::Approval };
        let now = Instant::now();
        let facts = BTreeMap::from([(subject.clone(), ObservedFact::new(&subject, fact, "u", now))]);
        Delivered::new().due(&to, &facts, &Since::default(), now, Duration::ZERO).deliveries.remove(0)
    }

    fn asks() -> Delivery {
        delivery(Fact {
            state: "AwaitingApproval".into(),
            version: "sha256:1".into(),
            severity: Severity::Warning,
            title: "eu-prod awaits approval".into(),
            text: "2 actions await approval: look first, then approve <!channel> & ```\nstablekey approve us-to-eu"
                .into(),
            ..Fact::none()
        })
    }

    const FROM: From<'static> = From { namespace: "us-prod", cluster: Some("us") };

    #[test]
    fn the_generic_form_has_everything() {
        let shown = serde_json::to_string_pretty(&generic(&asks(), &FROM, "2026-11-30T05:00:00Z")).unwrap();
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn slack_formats_nothing_of_a_text_and_mentions_nobody() {
        let message = slack(&asks(), &FROM);
        insta::assert_snapshot!(message["text"].as_str().unwrap());
    }

    #[test]
    fn a_long_text_is_cut() {
        let long = delivery(Fact { title: "x".repeat(300), text: "y".repeat(9_000), ..asks().fact });
        assert!(slack(&long, &FROM)["text"].as_str().unwrap().len() < 6_500);
        let (name, description) = commit_status(&long, &FROM);
        assert_eq!((name.as_str(), description.chars().count()), ("stablekey/us-prod/us-to-eu", LONGEST_DESCRIPTION));
    }
}
