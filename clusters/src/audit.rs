//! Parses a cluster's audit log: all requests, and their users.

use crate::Error;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a received request may take to be answered.
const PATIENCE: Duration = Duration::from_secs(20);
const DECISION: &str = "authorization.k8s.io/decision";
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A position in the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(pub(crate) u64);

impl Mark {
    /// Before the first request.
    pub const START: Self = Self(0);
}

/// A request. Missing fields are empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub user: String,
    /// The user agent.
    pub agent: String,
    /// get, list, watch, create, patch, …
    pub verb: String,
    /// The API group; empty for the core group.
    pub group: String,
    /// The resource, in the plural; empty if the path names none.
    pub resource: String,
    /// status, scale, token, …
    pub subresource: String,
    pub namespace: String,
    /// The object's name.
    pub name: String,
    /// The path with its parameters.
    pub uri: String,
    /// The HTTP status of the answer; preliminary for an open request or watch.
    pub code: u16,
    /// Whether it was refused for lack of permissions. A quota or a policy refuses with the same status.
    pub forbidden: bool,
    /// `ResponseComplete`; `ResponseStarted` for an open watch.
    pub stage: String,
    /// When the server received it.
    pub received: Timestamp,
    /// When it reached this stage.
    pub reached: Timestamp,
}

impl Request {
    /// Whether it is a write. A dry run is not.
    pub fn writes(&self) -> bool {
        let verb = matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection");
        // A POST that stores nothing: an access review, or a token.
        let asks = self.group == "authorization.k8s.io" || self.group == "authentication.k8s.io";
        verb && !asks && self.subresource != "token" && !self.uri.contains("dryRun=")
    }
}

/// Formats it as a line for people.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, verb, uri, code, .. } = self;
        write!(f, "{code} {verb} {uri} by {user}")
    }
}

/// A line of the log.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(rename = "auditID")]
    id: String,
    stage: String,
    #[serde(default)]
    request_received_timestamp: Timestamp,
    #[serde(default)]
    stage_timestamp: Timestamp,
    verb: String,
    #[serde(rename = "requestURI")]
    uri: String,
    user: User,
    #[serde(default)]
    user_agent: String,
    #[serde(default)]
    object_ref: Object,
    #[serde(default)]
    response_status: Status,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Object {
    api_group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    code: u16,
}

/// Returns the time from the arrival of the first request to the last answer, by the server's clock.
pub fn span<'a>(requests: impl IntoIterator<Item = &'a Request>) -> Duration {
    let mut times = requests.into_iter().map(|request| (request.received, request.reached));
    let Some(first) = times.next() else { return Duration::ZERO };
    let (begun, ended) = times.fold(first, |(begun, ended), (b, e)| (begun.min(b), ended.max(e)));
    Duration::try_from(ended.duration_since(begun)).unwrap_or_default()
}

/// Returns the current end of the log.
pub(crate) fn end(log: &Path) -> Result<Mark, Error> {
    let read = std::fs::metadata(log).map_err(Error::io(log.display().to_string()))?;
    Ok(Mark(read.len()))
}

/// Returns the requests that were received after `mark`, in the order of their arrival.
///
/// A request is logged when it is received, before it is executed, and again when its answer is complete, which can be
/// after the client has it. So a client that has its answer finds the request here: this waits until all received
/// requests are complete.
///
/// Requests that were received before `killed` and are open stay open: their API server is gone.
pub(crate) fn since(log: &Path, mark: Mark, killed: Mark) -> Result<Vec<Request>, Error> {
    let start = Instant::now();
    let (requests, mut open) = read(log, mark)?;
    open.retain(|(_, at)| *at >= killed);
    if open.is_empty() {
        return Ok(requests);
    }
    let received = requests.len();
    loop {
        std::thread::sleep(LOOK_AGAIN);
        let (mut requests, still_open) = read(log, mark)?;
        open.retain(|position| still_open.contains(position));
        if open.is_empty() || start.elapsed() > PATIENCE {
            // Requests that arrived during the wait may be incomplete: they are left to the next call.
            requests.truncate(received);
            return Ok(requests);
        }
    }
}

/// A request without an answer: its position among all, and its position in the log.
type Open = (usize, Mark);

/// Parses the requests received after `mark`, and returns which of them have no answer yet.
fn read(log: &Path, mark: Mark) -> Result<(Vec<Request>, Vec<Open>), Error> {
    let what = || Error::io(log.display().to_string());
    let mut file = std::fs::File::open(log).map_err(what())?;
    file.seek(SeekFrom::Start(mark.0)).map_err(what())?;
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(what())?;
    Ok(parse(&String::from_utf8_lossy(&text), mark))
}

fn parse(text: &str, from: Mark) -> (Vec<Request>, Vec<Open>) {
    let mut positions: BTreeMap<String, usize> = BTreeMap::new();
    let mut requests: Vec<Request> = Vec::new();
    let mut received: Vec<Mark> = Vec::new();
    let mut end = from.0;
    for text in text.split_inclusive('\n') {
        let at = Mark(end);
        end += text.len() as u64;
        // The last line may be incomplete: then it is not JSON.
        let Ok(line) = serde_json::from_str::<Line>(text) else { continue };
        if line.stage == "RequestReceived" {
            positions.insert(line.id.clone(), requests.len());
            requests.push(line.into());
            received.push(at);
        } else if let Some(request) = positions.get(&line.id).and_then(|position| requests.get_mut(*position)) {
            // A generated name is known only in the later stage.
            *request = line.into();
        }
    }
    let open = requests.iter().zip(received).enumerate().filter(|(_, (request, _))| request.stage == "RequestReceived");
    let open = open.map(|(position, (_, at))| (position, at)).collect();
    (requests, open)
}

impl From<Line> for Request {
    fn from(line: Line) -> Self {
        let Object { api_group, resource, subresource, namespace, name } = line.object_ref;
        Self {
            user: line.user.username,
            agent: line.user_agent,
            verb: line.verb,
            group: api_group,
            resource,
            subresource,
            namespace,
            name,
            uri: line.uri,
            code: line.response_status.code,
            forbidden: line.annotations.get(DECISION).is_some_and(|decision| decision == "forbid"),
            stage: line.stage,
            received: line.request_received_timestamp,
            reached: line.stage_timestamp,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn line(id: &str, stage: &str, verb: &str, uri: &str) -> String {
        serde_json::json!({"auditID": id, "stage": stage, "verb": verb, "requestURI": uri,
            "user": {"username": "ann"}, "responseStatus": {"code": 200}})
        .to_string()
    }

    #[test]
    fn stages_of_one_request_are_one() {
        let log = [
            line("1", "RequestReceived", "get", "/a"),
            line("2", "RequestReceived", "watch", "/b"),
            line("2", "ResponseStarted", "watch", "/b"),
            line("1", "ResponseComplete", "get", "/a"),
            line("3", "RequestReceived", "patch", "/c"),
            r#"{"auditID":"3","sta"#.to_owned(),
        ];
        let (requests, open) = parse(&log.join("\n"), Mark(1000));
        let shown: Vec<String> = requests.iter().map(|request| format!("{} {}", request.stage, request.uri)).collect();
        assert_eq!(shown, ["ResponseComplete /a", "ResponseStarted /b", "RequestReceived /c"]);
        let at = 1000 + log[..4].iter().map(|line| line.len() as u64 + 1).sum::<u64>();
        assert_eq!(open, [(2, Mark(at))]);
    }

    #[test]
    fn an_answer_to_what_came_before_the_mark_is_not_counted() {
        let (requests, _) = parse(&line("1", "ResponseComplete", "get", "/a"), Mark::START);
        assert_eq!(requests, []);
    }

    #[test]
    fn a_span_is_from_the_first_arrival_to_the_last_answer() {
        let line = |id: &str, stage: &str, received: &str, reached: &str| {
            serde_json::json!({"auditID": id, "stage": stage, "verb": "patch", "requestURI": "/a",
                "user": {"username": "ann"}, "requestReceivedTimestamp": format!("2026-01-01T00:00:{received}Z"),
                "stageTimestamp": format!("2026-01-01T00:00:{reached}Z")})
            .to_string()
        };
        let log = [
            line("1", "RequestReceived", "01.000000", "01.000100"),
            line("2", "RequestReceived", "01.500000", "01.500100"),
            line("2", "ResponseComplete", "01.500000", "03.250000"),
            line("1", "ResponseComplete", "01.000000", "02.000000"),
        ];
        let (requests, _) = parse(&log.join("\n"), Mark::START);
        assert_eq!(span(&requests), Duration::from_millis(2250));
        assert_eq!(span(&[]), Duration::ZERO);
    }

    #[test]
    fn a_dry_run_writes_nothing() {
        let (requests, _) = parse(&line("1", "RequestReceived", "patch", "/a"), Mark::START);
        assert!(requests[0].writes());
        let (requests, _) = parse(&line("1", "RequestReceived", "patch", "/a?dryRun=All&force=true"), Mark::START);
        assert!(!requests[0].writes());
    }
}
