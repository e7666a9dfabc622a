//! What the operator is told when it starts. What is wrong is refused with what is right.

use super::bearer::TokenFile;
use super::election::LONGEST;
use super::log;
use super::role::Role;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;
use tracing::{Level, info};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// The longest name of a namespace.
const LONGEST_NAMESPACE: usize = 63;

/// The configuration of a process.
#[derive(Clone, Debug)]
pub struct Options {
    /// What it does.
    pub roles: Vec<Role>,
    /// Where: the namespaces of its cluster that it looks after, at least one, each once.
    pub namespaces: Vec<String>,
    /// Where its Leases are.
    pub lease_namespace: String,
    /// How long a Lease lasts.
    pub lease_duration: Duration,
    /// Where health, readiness and metrics are answered.
    pub listen: SocketAddr,
    /// Who may read the metrics: everybody, where there is no token.
    pub metrics_token: Option<TokenFile>,
    /// How lines of the log look.
    pub log_format: log::LogFormat,
    /// Which lines are written.
    pub log_level: Level,
    /// API request timeout.
    pub request_timeout: Duration,
    /// Full resync interval.
    pub resync: Duration,
    /// How long a source must have been whole and unchanged before anything is deleted because of it.
    pub rest: Duration,
    /// How many bytes are kept of one tenant.
    pub tenant_limit: usize,
    /// What this replica is called.
    pub pod_name: String,
}

impl Options {
    /// Says it all in one line of the log.
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
            delete_after = ?self.rest,
            pod_name = self.pod_name,
            "starts"
        );
    }
}

/// A namespace's name.
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

/// How long a Lease lasts: whole seconds, as a Lease can say.
pub fn lease_duration(text: &str) -> Result<Duration, String> {
    let range = SECOND..=LONGEST;
    let whole = duration(text, &range).ok().filter(|duration| duration.subsec_nanos() == 0);
    whole.ok_or_else(|| "write whole seconds from 1s to 10m, such as 15s".to_string())
}

/// API request timeout.
pub fn request_timeout(text: &str) -> Result<Duration, String> {
    duration(text, &(SECOND / 10..=SECOND * 600))
        .map_err(|()| "write a duration from 0.1s to 10m, such as 30s".to_string())
}

/// Full resync interval.
pub fn resync(text: &str) -> Result<Duration, String> {
    duration(text, &(SECOND..=HOUR * 24)).map_err(|()| "write a duration from 1s to 24h, such as 10m".to_string())
}

/// How long a source must have been unchanged before anything is deleted.
pub fn delete_after(text: &str) -> Result<Duration, String> {
    duration(text, &(SECOND..=HOUR)).map_err(|()| "write a duration from 1s to 1h, such as 30s".to_string())
}

/// How much is kept of one tenant, in bytes.
pub fn tenant_limit(text: &str) -> Result<usize, String> {
    let units = [("Mi", 1 << 20), ("Gi", 1 << 30)];
    let parsed =
        units.iter().find_map(|(unit, bytes)| text.strip_suffix(unit)?.parse::<usize>().ok()?.checked_mul(*bytes));
    parsed
        .filter(|bytes| (8 << 20..=64 << 30).contains(bytes))
        .ok_or_else(|| "write a size from 8Mi to 64Gi, such as 48Mi".to_string())
}

/// A number with s, m or h; seconds where there is none.
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
    fn a_namespace_is_a_name() {
        assert_eq!(namespace("us-prod").as_deref(), Ok("us-prod"));
        for wrong in ["", "US", "-a", "a-", "a.b", "a/b", "ä", &"a".repeat(64)] {
            assert!(namespace(wrong).is_err(), "{wrong}");
        }
    }
}
