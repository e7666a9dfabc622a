//! What was asked of a cluster, and by whom: its audit log, read.

use crate::Error;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a request that has been received may take to be answered.
const PATIENCE: Duration = Duration::from_secs(20);
const DECISION: &str = "authorization.k8s.io/decision";
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A point in the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(pub(crate) u64);

impl Mark {
    /// Before the first request.
    pub const START: Self = Self(0);
}

/// One request. What a request does not have is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Who asked.
    pub user: String,
    /// With what program.
    pub agent: String,
    /// get, list, watch, create, patch, …
    pub verb: String,
    /// The resource's group; empty for the core.
    pub group: String,
    /// The resource, in the plural; empty where the path names none.
    pub resource: String,
    /// status, scale, token, …
    pub subresource: String,
    /// The namespace.
    pub namespace: String,
    /// The object's name.
    pub name: String,
    /// The path with its parameters.
    pub uri: String,
    /// The answer's HTTP status; of one not yet answered, and of a watch that goes on, what there is.
    pub code: u16,
    /// Whether it was refused because none of the user's rights allows it: a quota or a policy refuses with
    /// the same status.
    pub forbidden: bool,
    /// `ResponseComplete`; of a watch that goes on `ResponseStarted`.
    pub stage: String,
    /// When the server had it.
    pub received: Timestamp,
    /// When it came to this stage.
    pub reached: Timestamp,
}

impl Request {
    /// Whether it asks for a change. A dry run does not.
    pub fn writes(&self) -> bool {
        let verb = matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection");
        // What is asked by POST but stores nothing: may I, who am I, a token.
        let asks = self.group == "authorization.k8s.io" || self.group == "authentication.k8s.io";
        verb && !asks && self.subresource != "token" && !self.uri.contains("dryRun=")
    }
}

/// As a line for people.
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

/// From the arrival of the first of some requests to the last answer, by the server's clock.
pub fn span<'a>(requests: impl IntoIterator<Item = &'a Request>) -> Duration {
    let mut times = requests.into_iter().map(|request| (request.received, request.reached));
    let Some(first) = times.next() else { return Duration::ZERO };
    let (begun, ended) = times.fold(first, |(begun, ended), (b, e)| (begun.min(b), ended.max(e)));
    Duration::try_from(ended.duration_since(begun)).unwrap_or_default()
}

/// Where the log ends now.
pub(crate) fn end(log: &Path) -> Result<Mark, Error> {
    let read = std::fs::metadata(log).map_err(Error::io(log.display().to_string()))?;
    Ok(Mark(read.len()))
}

/// The requests that were received after `mark`, in the order of their arrival.
///
/// A request is logged when it is received, before it is carried out, and again when its answer is
/// complete, which can be after the client has it. So whoever has an answer finds the request here: those
/// received are waited for until they are complete.
///
/// Those that were received before `killed` and are open will stay so: their API server is gone.
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
            // Those that came while we waited may be incomplete: they are for the next to ask.
            requests.truncate(received);
            return Ok(requests);
        }
    }
}

/// A request that has no answer yet: its position among all, and where it is in the log.
type Open = (usize, Mark);

/// The requests received after `mark`, and which of them have no answer yet.
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
        // The last line may be half written: then it is not JSON.
        let Ok(line) = serde_json::from_str::<Line>(text) else { continue };
        if line.stage == "RequestReceived" {
            positions.insert(line.id.clone(), requests.len());
            requests.push(line.into());
            received.push(at);
        } else if let Some(request) = positions.get(&line.id).and_then(|position| requests.get_mut(*position)) {
            // What was asked for by a name that is generated is known only now.
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
