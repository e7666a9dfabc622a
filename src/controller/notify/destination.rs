//! The destinations of notifications: each key of their Secret is the name of one, and its value a YAML document.
//!
//! Addresses and tokens are secret, so no message quotes a value. What cannot be read is refused as a whole: a misspelt
//! field must not switch a filter off.

use super::fact::{Fact, Severity, Subject, Topic};
use crate::api::{HOSTS, Kind, matches as is_match};
use crate::controller::named_secret::{NamedSecret, fingerprint};
use crate::engine::model::hosts::Host;
use crate::engine::model::opt_in::Pins;
use crate::git::url::GitUrl;
use crate::http_client::origin::Origin;
use crate::near_miss;
use crate::secret::Secret;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Maximum number of destinations.
const MOST: usize = 16;
/// The name under which those above that number are refused.
const REST: &str = "…";
/// Maximum length of a destination's name.
const LONGEST_NAME: usize = 63;
/// The fields of every destination.
const COMMON: [&str; 5] = ["topics", "objects", "tenants", "problemsOnly", "cluster"];

/// A destination.
#[derive(Debug)]
pub(super) struct Destination {
    pub name: String,
    pub to: Receiver,
    /// The topics that it wants.
    topics: Vec<Topic>,
    /// Patterns of names, of which one must match; empty: all.
    objects: Vec<String>,
    tenants: Vec<String>,
    problems_only: bool,
    /// The name of this cluster for its readers.
    pub cluster: Option<String>,
    /// Identifies its text, without disclosing it.
    pub version: [u8; 32],
}

/// Who receives the messages, and in which form.
#[derive(Debug)]
pub(super) enum Receiver {
    /// JSON of Stablekey's own form.
    Webhook {
        address: Address,
        /// Sent as `Authorization: Bearer`.
        token: Option<Secret>,
        /// The key of the signature.
        secret: Option<Secret>,
    },
    /// The form of Slack's incoming webhooks, which others receive too.
    Slack { address: Address },
    /// Statuses of commits.
    Forge(ForgeAccess),
}

/// An address that may contain a secret.
#[derive(Debug)]
pub(super) struct Address {
    pub origin: Origin,
    pub url: Secret,
}

/// The access to a server with repositories.
#[derive(Debug)]
pub(super) struct ForgeAccess {
    pub is_github: bool,
    /// The host of the repositories.
    host: String,
    /// Patterns of the repositories whose commits may have statuses.
    repositories: Vec<String>,
    /// The address of the API.
    pub address: Address,
    pub token: Secret,
}

/// Why a destination is not used. It contains no value of the Secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DestinationRefusal {
    #[error("it is not a YAML map; write for example slack: {{url: https://…}}")]
    Form,
    #[error("{0} is not a field of it{1}")]
    Unknown(String, String),
    #[error("write exactly one of webhook, slack, github and gitlab")]
    Receiver,
    #[error("{0} is missing")]
    Missing(String),
    #[error("{0} must be {1}")]
    Wrong(String, &'static str),
    #[error(
        "{field} names a host that the Secret's annotation {HOSTS} does not name: whoever owns the Secret adds it there \
         ({host})"
    )]
    Host { field: String, host: String },
    #[error(
        "the Secret's annotation {HOSTS} cannot be read: write hosts as hooks.example or hooks.example:8443, separated by \
         commas"
    )]
    Hosts,
    #[error("{0} names this machine, or an address where clouds hand out credentials")]
    Local(String),
    #[error("its name must be 1 to {LONGEST_NAME} letters, digits, - or _")]
    Name,
    #[error("there are more than {MOST}")]
    TooMany,
}

/// The destinations of a Secret, and why others are not used.
#[derive(Debug, Default)]
pub(super) struct Destinations {
    pub usable: Vec<Destination>,
    pub refused: BTreeMap<String, DestinationRefusal>,
}

impl Destinations {
    /// Reads all keys of a Secret.
    pub(super) fn of(secret: &NamedSecret, allows_loopback: bool) -> Self {
        let pins = secret.hosts.as_deref().map_or(Pins::Only(Vec::new()), Pins::parse);
        let reader = Reader { pins, allows_loopback };
        let mut all = Destinations::default();
        let unreadable = secret.unreadable().take(MOST).map(|name| (name.to_string(), DestinationRefusal::Form));
        all.refused.extend(unreadable);
        for (name, text) in secret.texts() {
            if all.usable.len() + all.refused.len() >= MOST {
                // One for all of them: whoever may write the Secret could fill logs with thousands.
                all.refused.insert(REST.to_string(), DestinationRefusal::TooMany);
                break;
            }
            match reader.read(name, text) {
                Ok(destination) => all.usable.push(destination),
                Err(refusal) => drop(all.refused.insert(name.to_string(), refusal)),
            }
        }
        all
    }
}

impl Destination {
    /// Whether it wants a fact.
    pub(super) fn wants(&self, subject: &Subject, fact: &Fact) -> bool {
        let object = &subject.object;
        // A Tenant's own facts are about itself.
        let own = (object.kind == Kind::Tenant).then_some(object.name.as_str());
        let tenant = subject.tenant.as_deref().or(own);
        let matches = |patterns: &[String], name: Option<&str>| {
            patterns.is_empty() || name.is_some_and(|name| patterns.iter().any(|pattern| is_match(pattern, name)))
        };
        let is_about = matches(&self.objects, Some(&object.name)) && matches(&self.tenants, tenant);
        let is_of_kind = match (&self.to, &fact.commit) {
            (Receiver::Forge(access), Some(commit)) => access.has(&commit.url),
            (Receiver::Forge(_), None) => false,
            _ => self.topics.contains(&subject.topic) && (fact.severity > Severity::Info || !self.problems_only),
        };
        is_about && is_of_kind
    }

    /// The names that it chooses by, without patterns.
    pub(super) fn chosen(&self) -> impl Iterator<Item = &String> {
        self.objects.iter().chain(&self.tenants).filter(|name| !name.contains('*'))
    }
}

impl Receiver {
    /// Where it is sent to.
    pub(super) fn address(&self) -> &Address {
        match self {
            Receiver::Webhook { address, .. } | Receiver::Slack { address } => address,
            Receiver::Forge(access) => &access.address,
        }
    }
}

impl ForgeAccess {
    /// Whether the token may be used for a repository. Whoever writes a Tenant names its repository, and a status can let
    /// a change in.
    fn has(&self, url: &str) -> bool {
        let is_named = |url: GitUrl| {
            let repository = url.path_of_repository();
            url.host() == self.host && self.repositories.iter().any(|pattern| is_match(pattern, &repository))
        };
        GitUrl::parse(url).is_ok_and(is_named)
    }
}

struct Reader {
    pins: Pins,
    allows_loopback: bool,
}

type Read<T> = Result<T, DestinationRefusal>;

impl Reader {
    fn read(&self, name: &str, text: &Secret) -> Read<Destination> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !(1..=LONGEST_NAME).contains(&name.len()) || !name.chars().all(is_name) {
            return Err(DestinationRefusal::Name);
        }
        // The errors of the parser quote the text.
        let fields: Map<String, Value> = serde_saphyr::from_str(text.expose()).map_err(|_| DestinationRefusal::Form)?;
        let kinds = ["webhook", "slack", "github", "gitlab"];
        known(&fields, "", &[&kinds[..], &COMMON[..]].concat())?;
        let of_kind: Vec<&str> = kinds.into_iter().filter(|kind| fields.contains_key(*kind)).collect();
        let [kind] = of_kind.as_slice() else { return Err(DestinationRefusal::Receiver) };
        let to = self.receiver(kind, &fields)?;
        let is_forge = matches!(to, Receiver::Forge(_));
        if let Some(field) = ["topics", "problemsOnly", "cluster"].iter().find(|field| fields.contains_key(**field))
            && is_forge
        {
            let field = (*field).to_string();
            return Err(DestinationRefusal::Wrong(field, "left out here: every state of a commit is written"));
        }
        let topics = list(&fields, "topics")?.map_or(Ok(Topic::CHOICES.to_vec()), |topics| {
            topics.iter().map(|topic| topic_of(topic)).collect::<Read<Vec<Topic>>>()
        })?;
        Ok(Destination {
            name: name.to_string(),
            to,
            topics,
            objects: list(&fields, "objects")?.unwrap_or_default(),
            tenants: list(&fields, "tenants")?.unwrap_or_default(),
            problems_only: match fields.get("problemsOnly") {
                None => false,
                Some(Value::Bool(only)) => *only,
                Some(_) => return Err(DestinationRefusal::Wrong("problemsOnly".to_string(), "true or false")),
            },
            cluster: text_of(&fields, "", "cluster")?.map(str::to_string),
            version: fingerprint(text),
        })
    }

    fn receiver(&self, kind: &str, fields: &Map<String, Value>) -> Read<Receiver> {
        let Some(Value::Object(access)) = fields.get(kind) else {
            return Err(DestinationRefusal::Wrong(kind.to_string(), "a map of fields"));
        };
        let secret = |field: &str| Ok(text_of(access, kind, field)?.map(|text| Secret::new(text.trim().to_string())));
        match kind {
            "webhook" => {
                known(access, kind, &["url", "token", "secret"])?;
                let (token, secret) = (secret("token")?, secret("secret")?);
                Ok(Receiver::Webhook { address: self.address(access, kind, "url")?, token, secret })
            }
            "slack" => {
                known(access, kind, &["url"])?;
                Ok(Receiver::Slack { address: self.address(access, kind, "url")? })
            }
            _ => {
                known(access, kind, &["host", "api", "token", "repositories"])?;
                let missing = |field: &str| DestinationRefusal::Missing(format!("{kind}.{field}"));
                let token = secret("token")?.ok_or_else(|| missing("token"))?;
                let repositories = list(access, "repositories")?.ok_or_else(|| missing("repositories"))?;
                self.forge(kind, access, token, repositories)
            }
        }
    }

    fn forge(
        &self,
        kind: &str,
        access: &Map<String, Value>,
        token: Secret,
        repositories: Vec<String>,
    ) -> Read<Receiver> {
        let is_github = kind == "github";
        let public = if is_github { "github.com" } else { "gitlab.com" };
        let host = text_of(access, kind, "host")?.unwrap_or(public).trim().to_ascii_lowercase();
        if Host::pinned(&host).is_none() || host.contains('/') {
            return Err(DestinationRefusal::Wrong(
                format!("{kind}.host"),
                "a host, such as git.example or git.example:8443",
            ));
        }
        let default = match (is_github, host.as_str()) {
            (true, "github.com") => "https://api.github.com".to_string(),
            (true, host) => format!("https://{host}/api/v3"),
            (false, host) => format!("https://{host}/api/v4"),
        };
        let api = text_of(access, kind, "api")?.map_or(default, |api| api.trim().to_string());
        let address = Address { origin: self.origin(&format!("{kind}.api"), &api)?, url: Secret::new(api) };
        Ok(Receiver::Forge(ForgeAccess { is_github, host, repositories, address, token }))
    }

    fn address(&self, access: &Map<String, Value>, kind: &str, field: &str) -> Read<Address> {
        let path = format!("{kind}.{field}");
        let url = text_of(access, kind, field)?.ok_or_else(|| DestinationRefusal::Missing(path.clone()))?.trim();
        Ok(Address { origin: self.origin(&path, url)?, url: Secret::new(url.to_string()) })
    }

    /// The origin of an address that the Secret's owner allows.
    fn origin(&self, field: &str, url: &str) -> Read<Origin> {
        let wrong = || DestinationRefusal::Wrong(field.to_string(), "an address: https://HOST/PATH");
        let (origin, rest) = Origin::of_url(url).map_err(|_| wrong())?;
        let host = Host::of_endpoint(url).ok_or_else(wrong)?;
        // What is called has a path after it.
        if field.ends_with(".api") && rest.contains(['?', '#']) {
            return Err(DestinationRefusal::Wrong(field.to_string(), "an address without ? and #"));
        }
        if url.parse::<http::Uri>().is_err() {
            return Err(wrong());
        }
        let is_test = self.allows_loopback && origin.is_loopback();
        if (origin.is_loopback() || origin.is_link_local()) && !is_test {
            return Err(DestinationRefusal::Local(field.to_string()));
        }
        let is_pinned = match &self.pins {
            Pins::Only(hosts) => hosts.iter().any(|pinned| pinned.allows(&host)),
            Pins::Anywhere => false,
            Pins::Unreadable => return Err(DestinationRefusal::Hosts),
        };
        if !is_pinned {
            return Err(DestinationRefusal::Host { field: field.to_string(), host: host.to_string() });
        }
        Ok(origin)
    }
}

fn known(fields: &Map<String, Value>, path: &str, names: &[&str]) -> Read<()> {
    let Some(unknown) = fields.keys().find(|field| !names.contains(&field.as_str())) else { return Ok(()) };
    // A text such as `word: x` has a key for YAML, which could be a secret: only what is nearly a field is quoted.
    let near = near_miss::near_misses(unknown, names.iter().copied());
    let (unknown, hint) = match near.as_slice() {
        [] => ("a key of it", format!("; there is {}", names.join(", "))),
        near => (unknown.as_str(), format!("; did you mean {}?", near.join(" or "))),
    };
    let path = if path.is_empty() { unknown.to_string() } else { format!("{path}.{unknown}") };
    Err(DestinationRefusal::Unknown(path, hint))
}

fn topic_of(text: &str) -> Read<Topic> {
    let found = Topic::CHOICES.into_iter().find(|topic| topic.as_str() == text);
    let names = "a list of Sync, Drift, Approval and Credentials";
    found.ok_or_else(|| DestinationRefusal::Wrong("topics".to_string(), names))
}

fn text_of<'f>(fields: &'f Map<String, Value>, path: &str, field: &str) -> Read<Option<&'f str>> {
    match fields.get(field) {
        None => Ok(None),
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text)),
        Some(_) => {
            let path = if path.is_empty() { field.to_string() } else { format!("{path}.{field}") };
            Err(DestinationRefusal::Wrong(path, "a text that is not empty"))
        }
    }
}

fn list(fields: &Map<String, Value>, field: &str) -> Read<Option<Vec<String>>> {
    let wrong = || DestinationRefusal::Wrong(field.to_string(), "a list of texts that is not empty");
    match fields.get(field) {
        None => Ok(None),
        Some(Value::Array(items)) if !items.is_empty() => {
            let texts = items.iter().map(|item| item.as_str().map(str::to_string).ok_or_else(wrong));
            texts.collect::<Read<Vec<String>>>().map(Some)
        }
        Some(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fact::CommitFact;
    use super::*;
    use crate::engine::model::item::ObjectId;
    use crate::forge::CommitState;

    const CANARY: &str = "CANARY-a-secret";

    /// Whether a destination wants a fact about a sync into a tenant.
    fn wants(destination: &Destination, topic: Topic, tenant: Option<&str>, severity: Severity) -> bool {
        let object = ObjectId::new(Kind::TenantSync, "us-to-eu");
        let subject = Subject { object, tenant: tenant.map(str::to_string), topic };
        destination.wants(&subject, &Fact { severity, ..Fact::none() })
    }

    fn secret(hosts: Option<&str>, texts: &[(&str, &str)]) -> NamedSecret {
        NamedSecret::of(texts, hosts)
    }

    fn read(hosts: &str, text: &str) -> Read<Destination> {
        let mut all = Destinations::of(&secret(Some(hosts), &[("team", text)]), false);
        match all.usable.pop() {
            Some(destination) => Ok(destination),
            None => Err(all.refused.remove("team").unwrap()),
        }
    }

    #[test]
    fn the_four_kinds_are_read() {
        let text = format!("slack: {{url: 'https://hooks.slack.com/services/{CANARY}'}}\nproblemsOnly: true");
        let slack = read("hooks.slack.com", &text).unwrap();
        assert!(matches!(&slack.to, Receiver::Slack { address } if address.url.expose().ends_with(CANARY)));
        assert!(wants(&slack, Topic::Drift, Some("eu"), Severity::Warning));
        assert!(!wants(&slack, Topic::Sync, Some("eu"), Severity::Info));
        assert!(!format!("{slack:?}").contains(CANARY));
        let text =
            "webhook: {url: https://ops.example:8443/x, token: t, secret: s}\ntopics: [Drift]\ntenants: ['eu-*']";
        let webhook = read("a.example, ops.example:8443", text).unwrap();
        assert!(wants(&webhook, Topic::Drift, Some("eu-prod"), Severity::Warning));
        assert!(!wants(&webhook, Topic::Drift, Some("us-prod"), Severity::Warning));
        assert!(!wants(&webhook, Topic::Drift, None, Severity::Warning), "it is about no tenant");
        assert!(!wants(&webhook, Topic::Sync, Some("eu-prod"), Severity::Warning));
        assert!(!wants(&webhook, Topic::Commit, Some("eu-prod"), Severity::Warning));
        for (kind, host, api) in [
            ("github: {token: t, ", "github.com", "https://api.github.com"),
            ("github: {token: t, host: Git.Acme.example, ", "git.acme.example", "https://git.acme.example/api/v3"),
            ("gitlab: {token: t, ", "gitlab.com", "https://gitlab.com/api/v4"),
            ("gitlab: {token: t, host: x, api: 'https://api.github.com/y', ", "x", "https://api.github.com/y"),
        ] {
            let text = format!("{kind}repositories: [acme/*]}}");
            let forge = read("api.github.com, git.acme.example, gitlab.com", &text).unwrap();
            let subject = Subject { object: ObjectId::new(Kind::Tenant, "us"), tenant: None, topic: Topic::Commit };
            let of = |repository: &str| {
                let (url, commit) = (format!("https://{repository}"), "c".to_string());
                Fact { commit: Some(CommitFact { url, commit, state: CommitState::Success }), ..Fact::none() }
            };
            assert!(forge.wants(&subject, &of(&format!("{host}/acme/connections.git"))));
            assert!(!forge.wants(&subject, &of("other.example/acme/connections")));
            assert!(!forge.wants(&subject, &of(&format!("{host}/somebody/else"))));
            assert!(!wants(&forge, Topic::Sync, None, Severity::Error));
            let Receiver::Forge(access) = forge.to else { panic!("{kind}") };
            assert_eq!((access.host.as_str(), access.address.url.expose()), (host, api));
        }
    }

    #[test]
    fn an_address_goes_only_to_a_host_that_the_secret_names() {
        let refusal = |hosts: &str, url: &str| read(hosts, &format!("slack: {{url: '{url}'}}")).map(|_| ());
        assert_eq!(refusal("a.example", "https://a.example/x"), Ok(()));
        assert_eq!(refusal("http://a.example", "http://a.example/x"), Ok(()), "plain http where the pin says so");
        for (hosts, url) in [
            ("b.example", "https://a.example/x"),
            ("", "https://a.example/x"),
            ("a.example", "http://a.example/x"),
            ("a.example", "https://a.example.evil/x"),
        ] {
            let refused = refusal(hosts, url).unwrap_err();
            assert!(matches!(refused, DestinationRefusal::Host { .. }), "{hosts} {url}: {refused}");
        }
        assert_eq!(refusal("*", "https://a.example/x"), Err(DestinationRefusal::Hosts));
        for url in ["a.example/x", "https://u:p@a.example/x", "ftp://a.example", "https://", "https://a.example/ x"] {
            assert!(matches!(refusal("a.example", url), Err(DestinationRefusal::Wrong(..))), "{url}");
        }
        for url in ["https://127.0.0.1/x", "https://localhost/x", "https://169.254.169.254/x", "https://[fe80::1]/x"] {
            let hosts = "127.0.0.1, localhost, 169.254.169.254, [fe80::1]";
            assert!(matches!(refusal(hosts, url), Err(DestinationRefusal::Local(_))), "{url}");
        }
        let none = Destinations::of(&secret(None, &[("team", "slack: {url: 'https://a.example'}")]), false);
        assert!(none.usable.is_empty(), "without the annotation there is no host");
    }

    /// "A wrong name never switches a rule off", and no message quotes a value.
    #[test]
    fn what_is_misspelt_is_refused_and_not_quoted() {
        let ok = format!("slack: {{url: 'https://a.example/{CANARY}'}}\n");
        for (text, words) in [
            (format!("{ok}topic: [Drift]"), "topic is not a field of it; did you mean topics?"),
            (format!("{ok}topics: [Drifts]"), "topics must be a list of Sync, Drift, Approval and Credentials"),
            (format!("{ok}topics: []"), "topics must be a list"),
            (format!("{ok}topics: {CANARY}"), "topics must be a list"),
            (format!("{ok}problemsOnly: 'yes'"), "problemsOnly must be true or false"),
            (format!("{ok}webhook: {{url: x}}"), "exactly one of"),
            (format!("https://a.example/{CANARY}"), "it is not a YAML map"),
            (format!("{CANARY}: ["), "it is not a YAML map"),
            (format!("{CANARY}: x"), "a key of it is not a field of it"),
            ("hunter: x".to_string(), "a key of it is not a field of it"),
            (format!("slack: https://a.example/{CANARY}"), "slack must be a map of fields"),
            ("slack: {}".to_string(), "slack.url is missing"),
            (format!("slack: {{url: ['{CANARY}']}}"), "slack.url must be a text"),
            (format!("slack: {{url: '{CANARY}'}}"), "slack.url must be an address"),
            (
                format!("slack: {{uri: 'https://a.example/{CANARY}'}}"),
                "slack.uri is not a field of it; did you mean url?",
            ),
            ("github: {host: a.example}".to_string(), "github.token is missing"),
            (format!("github: {{token: {CANARY}}}"), "github.repositories is missing"),
            (
                format!("github: {{token: {CANARY}, repositories: ['*'], host: 'https://a.example'}}"),
                "github.host must be",
            ),
            (
                format!("github: {{token: {CANARY}, repositories: ['*']}}\ntopics: [Drift]"),
                "topics must be left out here",
            ),
            (format!("{ok}tenants:"), "tenants must be a list"),
            (format!("{ok}problemsOnly:"), "problemsOnly must be true or false"),
            (format!("webhook: {{url: 'https://a.example/{CANARY}', secret: }}"), "webhook.secret must be a text"),
            (String::new(), "exactly one of"),
        ] {
            let refusal = read("a.example, api.github.com", &text).unwrap_err().to_string();
            assert!(refusal.contains(words), "{text}: {refusal}");
            assert!(!refusal.contains(CANARY), "{refusal}");
        }
        let names = Destinations::of(&secret(Some("a.example"), &[("a.b", &ok), ("", &ok)]), false);
        assert!(names.usable.is_empty());
        let many: Vec<(String, &str)> = (0..3_000).map(|number| (format!("d{number}"), "x")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|(name, text)| (name.as_str(), *text)).collect();
        assert_eq!(Destinations::of(&secret(None, &many), false).refused.len(), MOST + 1);
        let query = "github: {token: t, repositories: [a], api: 'https://a.example/x?y=1'}";
        assert!(read("a.example", query).unwrap_err().to_string().contains("without ? and #"));
    }
}
