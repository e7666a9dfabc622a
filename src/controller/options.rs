//! The options of the operator. An invalid value is rejected with a message that shows a valid one.

use super::bearer::TokenFile;
use super::election::LONGEST;
use super::log;
use super::role::Role;
use super::webhooks::WebhookOptions;
use crate::git::remote::Limits;
use crate::git::url::GitUrl;
use crate::tenant::prismatic::PlatformSettings;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;
use tracing::{Level, info};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Maximum length of a namespace's name.
const LONGEST_NAMESPACE: usize = 63;

/// The configuration of a process.
#[derive(Clone, Debug)]
pub struct Options {
    pub roles: Vec<Role>,
    /// The namespaces of its cluster that it reconciles: at least one, no duplicates.
    pub namespaces: Vec<String>,
    /// The namespace of the Leases.
    pub lease_namespace: String,
    pub lease_duration: Duration,
    /// The address of the health, readiness and metrics endpoints.
    pub listen: SocketAddr,
    /// The token that a metrics request must carry. Without one, everybody may read the metrics.
    pub metrics_token: Option<TokenFile>,
    pub log_format: log::LogFormat,
    pub log_level: Level,
    /// API request timeout.
    pub request_timeout: Duration,
    /// Full resync interval.
    pub resync: Duration,
    /// How long a source must have been complete and unchanged before objects are deleted because of it.
    pub delete_after: Duration,
    /// Maximum number of bytes that are cached of one tenant.
    pub tenant_limit: usize,
    /// The name of this replica.
    pub pod_name: String,
    /// How the platform is reached. No flag changes it: only tests do.
    pub platform: PlatformSettings,
    /// How sources in Git are read.
    pub git: GitOptions,
    /// Where webhooks of Git servers are received; `None`: nowhere.
    pub webhooks: Option<WebhookOptions>,
    /// How notifications are sent; `None`: none are.
    pub notifications: Option<NotificationOptions>,
}

/// How sources in Git are read.
#[derive(Clone, Debug)]
pub struct GitOptions {
    /// The hosts that are read from, each as `host` or `host:port`. Without any, nothing is fetched.
    pub hosts: Vec<String>,
    /// The folder for what is fetched.
    pub folder: PathBuf,
    /// What one question or fetch may take.
    pub limits: Limits,
    /// Whether a server on this machine is read from. No flag changes it: only tests do.
    pub allows_loopback: bool,
}

/// How notifications are sent.
#[derive(Clone, Debug)]
pub struct NotificationOptions {
    /// The Secret with the destinations, in each namespace.
    pub secret: String,
    /// How long a failure that may pass by itself must last before it is sent, and the time between two messages about one
    /// subject. No flag changes it: only tests do.
    pub patience: Duration,
    /// How often the destinations are read again. No flag changes it: only tests do.
    pub reread: Duration,
    /// Whether a server on this machine is sent to. No flag changes it: only tests do.
    pub allows_loopback: bool,
}

impl NotificationOptions {
    /// The destinations of a Secret.
    pub fn of(secret: String) -> Self {
        NotificationOptions { secret, patience: MINUTE, reread: MINUTE, allows_loopback: false }
    }
}

impl Options {
    /// Logs all options in one line.
    pub fn log(&self) {
        info!(
            version = env!("CARGO_PKG_VERSION"),
            roles = self.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(","),
            namespaces = self.namespaces.join(","),
            lease_namespace = self.lease_namespace,
            lease_duration = ?self.lease_duration,
            listen = %self.listen,
            metrics_token_file = self.metrics_token.as_ref().map(|file| tracing::field::display(file.path().display())),
            log_format = self.log_format.as_str(),
            log_level = %self.log_level,
            request_timeout = ?self.request_timeout,
            resync = ?self.resync,
            delete_after = ?self.delete_after,
            pod_name = self.pod_name,
            git_hosts = self.git.hosts.join(","),
            notifications = self.notifications.as_ref().map(|options| options.secret.as_str()),
            "starts"
        );
    }
}

/// Parses the name of a namespace.
pub fn namespace(text: &str) -> Result<String, String> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_name = (1..=LONGEST_NAMESPACE).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-');
    if is_name {
        return Ok(text.to_string());
    }
    Err(format!("write the name of a namespace: a-z, 0-9 and - between them, at most {LONGEST_NAMESPACE} characters"))
}

/// Parses the host of a Git server: `host` or `host:port`.
pub fn git_host(text: &str) -> Result<String, String> {
    let text = text.trim();
    let is_host = GitUrl::parse(&format!("https://{text}/x")).is_ok_and(|url| url.is_on(text));
    if is_host && !text.contains('/') {
        return Ok(text.to_string());
    }
    Err("write a host, perhaps with a port, such as github.com or git.acme.example:8443".to_string())
}

/// Parses the maximum size of what is fetched, in bytes.
pub fn git_limit(text: &str) -> Result<u64, String> {
    let bytes = size(text).and_then(|bytes| u64::try_from(bytes).ok());
    bytes
        .filter(|bytes| (1 << 20..=8 << 30).contains(bytes))
        .ok_or_else(|| "write a size from 1Mi to 8Gi, such as 256Mi".to_string())
}

/// Parses how long a question to a Git server, or a fetch, may take.
pub fn git_timeout(text: &str) -> Result<Duration, String> {
    duration(text, &(SECOND..=SECOND * 3_600)).map_err(|()| "write a duration from 1s to 1h, such as 60s".to_string())
}

/// Parses a Lease duration: whole seconds, because a Lease has no fractions.
pub fn lease_duration(text: &str) -> Result<Duration, String> {
    let range = SECOND..=LONGEST;
    let whole = duration(text, &range).ok().filter(|duration| duration.subsec_nanos() == 0);
    whole.ok_or_else(|| "write whole seconds from 1s to 10m, such as 15s".to_string())
}

/// Parses the API request timeout.
pub fn request_timeout(text: &str) -> Result<Duration, String> {
    duration(text, &(SECOND / 10..=SECOND * 600))
        .map_err(|()| "write a duration from 0.1s to 10m, such as 30s".to_string())
}

/// Parses the full resync interval.
pub fn resync(text: &str) -> Result<Duration, String> {
    duration(text, &(SECOND..=HOUR * 24)).map_err(|()| "write a duration from 1s to 24h, such as 10m".to_string())
}

/// Parses how long a command waits.
pub fn timeout(text: &str) -> Result<Duration, String> {
    duration(text, &(SECOND..=HOUR * 24)).map_err(|()| "write a duration from 1s to 24h, such as 5m".to_string())
}

/// Parses how long a source must have been unchanged before objects are deleted.
pub fn delete_after(text: &str) -> Result<Duration, String> {
    duration(text, &(SECOND..=HOUR)).map_err(|()| "write a duration from 1s to 1h, such as 30s".to_string())
}

/// Parses the maximum size of what is cached of one tenant, in bytes.
pub fn tenant_limit(text: &str) -> Result<usize, String> {
    size(text)
        .filter(|bytes| (8 << 20..=64 << 30).contains(bytes))
        .ok_or_else(|| "write a size from 8Mi to 64Gi, such as 48Mi".to_string())
}

/// Parses a number with the unit Mi or Gi, in bytes.
fn size(text: &str) -> Option<usize> {
    let units = [("Mi", 1 << 20), ("Gi", 1 << 30)];
    units.iter().find_map(|(unit, bytes)| text.strip_suffix(unit)?.parse::<usize>().ok()?.checked_mul(*bytes))
}

/// Parses a number with the unit s, m or h; the default unit is seconds.
fn duration(text: &str, range: &RangeInclusive<Duration>) -> Result<Duration, ()> {
    let units = [("h", 3_600.0), ("m", 60.0), ("s", 1.0), ("", 1.0)];
    let (number, seconds) =
        units.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, *seconds))).ok_or(())?;
    let number: f64 = number.parse().map_err(|_| ())?;
    let duration = Duration::try_from_secs_f64(number * seconds).map_err(|_| ())?;
    if range.contains(&duration) { Ok(duration) } else { Err(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit_and_bounds() {
        let seconds = |text| resync(text).map(|duration| duration.as_secs());
        assert_eq!(["90", "90s", "1.5m", "10m", "2h"].map(seconds).map(Result::unwrap), [90, 90, 90, 600, 7_200]);
        for wrong in ["", "s", "10", "-1s", "10d", "1e99h", "NaN", "infs", "25h", "0.5s", "1 m"] {
            assert_eq!(resync(wrong).is_err(), wrong != "10", "{wrong}");
        }
        assert_eq!(request_timeout("0.5s"), Ok(Duration::from_millis(500)));
        assert_eq!(lease_duration("15s"), Ok(Duration::from_secs(15)));
        assert!(lease_duration("1.5s").is_err() && lease_duration("11m").is_err());
    }

    #[test]
    fn a_git_host_is_a_host_and_perhaps_a_port() {
        for good in ["github.com", "git.acme.example:8443", "localhost:1"] {
            assert_eq!(git_host(good).as_deref(), Ok(good));
        }
        for wrong in ["", "https://github.com", "github.com/acme", "ann@github.com", "*", "a b", "github.com:x"] {
            assert!(git_host(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_namespace_is_a_name() {
        assert_eq!(namespace("us-prod").as_deref(), Ok("us-prod"));
        for wrong in ["", "US", "-a", "a-", "a.b", "a/b", "ä", &"a".repeat(64)] {
            assert!(namespace(wrong).is_err(), "{wrong}");
        }
    }
}
