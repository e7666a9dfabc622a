//! GitHub's REST API for one repository, `acme/connections`.

mod shapes;

use super::archive::zip;
use super::server::{Answer, Api, Call, Exchange, Fault, Server};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

const OWNER: &str = "acme";
const NAME: &str = "connections";
const NO_COMMIT: &str = "0000000000000000000000000000000000000000";
/// The most characters of a comment.
const LONGEST_COMMENT: usize = 65_536;
/// The most annotations in one request.
const MOST_ANNOTATIONS: usize = 50;
/// The most characters of the description of a commit's status.
const LONGEST_DESCRIPTION: usize = 140;

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// It reads: the token of a workflow run for a fork's pull request.
    Read,
    /// It writes comments, checks, statuses and pull requests: the token of a workflow run, or of an app.
    Write,
    /// The same, but of a person, who may not write checks.
    Person,
}

impl Rights {
    const ALL: [Rights; 3] = [Rights::Read, Rights::Write, Rights::Person];

    const fn token(self) -> &'static str {
        match self {
            Rights::Read => "CANARY-github-read",
            Rights::Write => "CANARY-github-write",
            Rights::Person => "CANARY-github-person",
        }
    }

    /// Who writes with it.
    const fn login(self) -> &'static str {
        match self {
            Rights::Read | Rights::Write => "github-actions[bot]",
            Rights::Person => "ann",
        }
    }
}

/// A comment on an issue or a pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    pub id: u64,
    /// The number of the pull request.
    pub number: u64,
    pub author: String,
    pub body: String,
    pub is_edited: bool,
}

/// A check run, with all annotations that it got.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckRun {
    pub id: u64,
    pub sha: String,
    pub name: String,
    pub status: String,
    pub conclusion: Option<String>,
    pub title: String,
    pub summary: String,
    pub annotations: Vec<Value>,
    /// The number of annotations in each request.
    pub batches: Vec<usize>,
}

/// The status of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitStatus {
    pub sha: String,
    pub state: String,
    pub context: String,
    pub description: String,
    pub target_url: Option<String>,
}

/// A pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    pub number: u64,
    pub head: String,
    /// The newest commit of the head.
    pub sha: String,
    pub base: String,
    pub title: String,
    pub body: String,
    /// The commit that its merge made.
    pub merge_commit: Option<String>,
}

/// A run of a workflow.
#[derive(Clone, Debug)]
struct Run {
    id: u64,
    workflow: String,
    branch: String,
    sha: String,
    event: String,
    conclusion: String,
}

#[derive(Clone, Debug)]
struct Artifact {
    id: u64,
    run: u64,
    name: String,
    content: Vec<u8>,
    is_expired: bool,
    /// When it was made.
    at: u64,
}

#[derive(Default)]
struct State {
    is_private: bool,
    /// The last id, which is also the time in seconds.
    last: u64,
    pulls: BTreeMap<u64, PullRequest>,
    comments: Vec<Comment>,
    checks: Vec<CheckRun>,
    statuses: Vec<CommitStatus>,
    runs: Vec<Run>,
    artifacts: Vec<Artifact>,
    /// Files, by reference and path.
    files: BTreeMap<(String, String), Vec<u8>>,
}

impl State {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

/// A running fake of GitHub, until it is dropped.
pub struct GitHub {
    server: Server,
    /// Where the archives of artifacts are: another server, as on GitHub.
    storage: Server,
    state: Arc<Mutex<State>>,
}

impl GitHub {
    /// Starts it, with a private repository without pull requests.
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State { is_private: true, last: 1000, ..State::default() }));
        let of_storage = state.clone();
        let storage = Server::start(move |_| Arc::new(Storage { state: of_storage }));
        let (stored_at, of_api) = (storage.url().to_string(), state.clone());
        let api = move |url: &str| Arc::new(RestApi { url: url.to_string(), storage: stored_at, state: of_api });
        GitHub { server: Server::start(api), storage, state }
    }

    /// The address of the API, as the variable GITHUB_API_URL has it.
    pub fn url(&self) -> &str {
        self.server.url()
    }

    /// The repository, as the variable GITHUB_REPOSITORY has it.
    pub fn repository(&self) -> String {
        format!("{OWNER}/{NAME}")
    }

    pub fn token(&self, rights: Rights) -> &'static str {
        rights.token()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Makes the repository public.
    pub fn make_public(&self) {
        self.state().is_private = false;
    }

    /// Opens a pull request; returns its number.
    pub fn open_pull_request(&self, head: &str, base: &str) -> u64 {
        let mut state = self.state();
        let number = u64::try_from(state.pulls.len()).unwrap() + 1;
        let title = format!("Merge {head}");
        let [head, base, sha] = [head, base, NO_COMMIT].map(str::to_string);
        state
            .pulls
            .insert(number, PullRequest { number, head, sha, base, title, body: String::new(), merge_commit: None });
        number
    }

    /// Pushes a commit to the head of a pull request.
    pub fn push(&self, number: u64, sha: &str) {
        self.state().pulls.get_mut(&number).unwrap().sha = sha.to_string();
    }

    /// Merges a pull request, by this commit.
    pub fn merge(&self, number: u64, commit: &str) {
        self.state().pulls.get_mut(&number).unwrap().merge_commit = Some(commit.to_string());
    }

    /// Gives a pull request a text.
    pub fn describe(&self, number: u64, text: &str) {
        self.state().pulls.get_mut(&number).unwrap().body = text.to_string();
    }

    /// Writes a comment, as somebody; returns its id.
    pub fn write_comment(&self, number: u64, author: &str, body: &str) -> u64 {
        let mut state = self.state();
        let id = state.next();
        let comment = Comment { id, number, author: author.to_string(), body: body.to_string(), is_edited: false };
        state.comments.push(comment);
        id
    }

    /// Adds a run of a workflow file that succeeded, or ended otherwise; returns its id.
    pub fn add_run(&self, workflow: &str, branch: &str, sha: &str, event: &str, conclusion: &str) -> u64 {
        let mut state = self.state();
        let id = state.next();
        let [workflow, branch, sha, event, conclusion] = [workflow, branch, sha, event, conclusion].map(str::to_string);
        state.runs.push(Run { id, workflow, branch, sha, event, conclusion });
        id
    }

    /// Adds an artifact of files to a run; returns its id.
    pub fn add_artifact(&self, run: u64, name: &str, files: &[(&str, &[u8])]) -> u64 {
        self.add_archive(run, name, zip(files))
    }

    /// The same, with any bytes as its archive.
    pub fn add_archive(&self, run: u64, name: &str, content: Vec<u8>) -> u64 {
        let mut state = self.state();
        let id = state.next();
        state.artifacts.push(Artifact { id, run, name: name.to_string(), content, is_expired: false, at: id });
        id
    }

    /// Expires an artifact: it is listed, and its archive is gone.
    pub fn expire(&self, artifact: u64) {
        self.state().artifacts.iter_mut().filter(|of| of.id == artifact).for_each(|of| of.is_expired = true);
    }

    /// Adds a file at a branch or a commit.
    pub fn add_file(&self, reference: &str, path: &str, content: &[u8]) {
        self.state().files.insert((reference.to_string(), path.to_string()), content.to_vec());
    }

    /// The next requests of a method to paths that contain a text go wrong.
    pub fn fail(&self, method: &str, path: &str, fault: Fault, times: usize) {
        self.server.fail(method, path, fault, times);
    }

    /// The same for the server with the archives.
    pub fn fail_storage(&self, fault: Fault, times: usize) {
        self.storage.fail("GET", "/", fault, times);
    }

    /// The comments of a pull request, the oldest first.
    pub fn comments(&self, number: u64) -> Vec<Comment> {
        self.state().comments.iter().filter(|comment| comment.number == number).cloned().collect()
    }

    pub fn check_runs(&self) -> Vec<CheckRun> {
        self.state().checks.clone()
    }

    pub fn statuses(&self) -> Vec<CommitStatus> {
        self.state().statuses.clone()
    }

    pub fn pull_requests(&self) -> Vec<PullRequest> {
        self.state().pulls.values().cloned().collect()
    }

    /// The requests so far, with their answers.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.server.exchanges()
    }

    /// The requests to the server with the archives.
    pub fn storage_exchanges(&self) -> Vec<Exchange> {
        self.storage.exchanges()
    }
}

/// The server with the archives. It knows no token of GitHub, and refuses a request that has one.
struct Storage {
    state: Arc<Mutex<State>>,
}

impl Api for Storage {
    fn answer(&self, call: &Call) -> Answer {
        if call.header("authorization").is_some() {
            return Answer {
                status: 400,
                ..Answer::bytes("application/xml", "<Error>InvalidAuthenticationInfo</Error>")
            };
        }
        let id: Option<u64> = call.path.last().and_then(|id| id.parse().ok());
        let state = self.state.lock().unwrap();
        let artifact =
            state.artifacts.iter().find(|artifact| Some(artifact.id) == id && call.query("sig") == Some("fake"));
        artifact.map_or(Answer::empty(404), |artifact| Answer::bytes("application/zip", artifact.content.clone()))
    }

    fn failure(&self, fault: Fault) -> Answer {
        Answer::empty(match fault {
            Fault::Status(status) => status,
            _ => 403,
        })
    }
}

struct RestApi {
    url: String,
    storage: String,
    state: Arc<Mutex<State>>,
}

fn error(status: u16, message: &str) -> Answer {
    let documentation = "https://docs.github.com/rest";
    Answer::json(status, &json!({"message": message, "documentation_url": documentation, "status": status.to_string()}))
}

fn not_found() -> Answer {
    error(404, "Not Found")
}

/// A value that a field may not have.
fn invalid(resource: &str, field: &str, message: &str) -> Answer {
    let errors = json!([{"resource": resource, "code": "custom", "field": field, "message": message}]);
    let documentation = "https://docs.github.com/rest";
    Answer::json(422, &json!({"message": "Validation Failed", "errors": errors, "documentation_url": documentation}))
}

impl Api for RestApi {
    fn answer(&self, call: &Call) -> Answer {
        let rights = match self.rights(call) {
            Ok(rights) => rights,
            Err(answer) => return answer,
        };
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        if path.as_slice() == ["user"] && call.method == "GET" {
            return match rights {
                Some(Rights::Person) => Answer::json(200, &shapes::account(&self.url, Rights::Person.login())),
                Some(_) => error(403, "Resource not accessible by integration"),
                None => error(401, "Requires authentication"),
            };
        }
        // A link to another page names the repository by its id.
        let rest = match path.as_slice() {
            ["repos", OWNER, NAME, rest @ ..] | ["repositories", "1", rest @ ..] => rest,
            _ => return not_found(),
        };
        let is_private = self.state().is_private;
        let Some(rights) = rights.or((!is_private && call.method == "GET").then_some(Rights::Read)) else {
            return if call.method == "GET" { not_found() } else { error(401, "Requires authentication") };
        };
        if call.method != "GET" && rights == Rights::Read {
            return error(403, "Resource not accessible by integration");
        }
        let body = match call.body.is_empty() {
            true => Value::Null,
            false => match serde_json::from_slice(&call.body) {
                Ok(body @ Value::Object(_)) => body,
                _ => return error(400, "Problems parsing JSON"),
            },
        };
        match (call.method.as_str(), rest) {
            ("GET", []) => Answer::json(200, &shapes::repository(&self.url, is_private)),
            ("GET", ["issues", number, "comments"]) => self.list_comments(call, number),
            ("POST", ["issues", number, "comments"]) => self.create_comment(rights, number, &body),
            ("PATCH", ["issues", "comments", id]) => self.update_comment(id, &body),
            ("POST", ["check-runs"]) => self.create_check(rights, &body),
            ("PATCH", ["check-runs", id]) => self.update_check(rights, id, &body),
            ("POST", ["statuses", sha]) => self.create_status(rights, sha, &body),
            ("GET", ["pulls"]) => self.list_pulls(call, None),
            ("GET", ["commits", sha, "pulls"]) => self.list_pulls(call, Some(sha)),
            ("POST", ["pulls"]) => self.create_pull(&body),
            ("GET", ["pulls", number]) => self.pull(number, |_| Ok(())),
            ("PATCH", ["pulls", number]) => self.pull(number, |pull| update_pull(pull, &body)),
            ("GET", ["actions", "workflows", workflow, "runs"]) => self.list_runs(call, workflow),
            ("GET", ["actions", "runs", run]) => self.run(run),
            ("GET", ["actions", "artifacts"]) => self.list_artifacts(call, None),
            ("GET", ["actions", "runs", run, "artifacts"]) => self.list_artifacts(call, Some(run)),
            ("GET", ["actions", "artifacts", id, "zip"]) => self.archive(call, id),
            ("GET", ["contents", path @ ..]) => self.file(call, &path.join("/")),
            _ => not_found(),
        }
    }

    fn failure(&self, fault: Fault) -> Answer {
        match fault {
            Fault::BadCredentials => error(401, "Bad credentials"),
            Fault::SecondaryLimit { status, retry_after } => {
                let answer = error(
                    status,
                    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
                );
                let answer = answer.with("x-ratelimit-remaining", 4999);
                retry_after.into_iter().fold(answer, |answer, seconds| answer.with("retry-after", seconds))
            }
            Fault::PrimaryLimit { reset } => error(403, "API rate limit exceeded for installation.")
                .with("x-ratelimit-remaining", 0)
                .with("x-ratelimit-reset", reset),
            Fault::Status(status) => {
                Answer { status, ..Answer::bytes("text/html", "<html><title>Unicorn!</title></html>") }
            }
            Fault::Forbidden | Fault::Cut | Fault::CutAfter => error(403, "Resource not accessible by integration"),
        }
    }
}

impl RestApi {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What the token of a request may do; `None` without one.
    fn rights(&self, call: &Call) -> Result<Option<Rights>, Answer> {
        if call.header("user-agent").is_none_or(str::is_empty) {
            let message =
                "Request forbidden by administrative rules. Please make sure your request has a User-Agent header";
            return Err(Answer { status: 403, ..Answer::bytes("text/html", message) });
        }
        let Some(given) = call.header("authorization") else { return Ok(None) };
        let token = given.split_once(' ').filter(|(scheme, _)| matches!(*scheme, "Bearer" | "bearer" | "token"));
        let known = Rights::ALL.into_iter().find(|rights| token.is_some_and(|(_, token)| token == rights.token()));
        known.map(Some).ok_or_else(|| error(401, "Bad credentials"))
    }

    /// The page of a list that a request asks for, with links to the others.
    fn page<'a, T>(&self, call: &Call, all: &'a [T]) -> (&'a [T], Option<String>) {
        let size = call.number("per_page", 30).min(100);
        let (page, last) = (call.number("page", 1), all.len().div_ceil(size).max(1));
        let start = (size * (page - 1)).min(all.len());
        let items = all.get(start..(start + size).min(all.len())).unwrap_or_default();
        let path = call.path.iter().skip(if call.path[0] == "repos" { 3 } else { 2 });
        let path: String = path.map(|part| format!("/{part}")).collect();
        let link = |rel: &str, number: usize| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(call.query.iter().filter(|(name, _)| name != "page"));
            let query = query.append_pair("page", &number.to_string()).finish();
            format!("<{}/repositories/1{path}?{query}>; rel=\"{rel}\"", self.url)
        };
        let mut links = Vec::new();
        if page > 1 {
            links.extend([link("prev", page - 1), link("first", 1)]);
        }
        if page < last {
            links.extend([link("next", page + 1), link("last", last)]);
        }
        (items, (!links.is_empty()).then(|| links.join(", ")))
    }

    fn list(&self, call: &Call, all: &[Value], named: Option<&str>) -> Answer {
        let (items, links) = self.page(call, all);
        let body = match named {
            Some(name) => json!({"total_count": all.len(), name: items}),
            None => json!(items),
        };
        links.into_iter().fold(Answer::json(200, &body), |answer, links| answer.with("link", links))
    }

    fn list_comments(&self, call: &Call, number: &str) -> Answer {
        let state = self.state();
        let Some(number) = number.parse().ok().filter(|number| state.pulls.contains_key(number)) else {
            return not_found();
        };
        let all = state.comments.iter().filter(|comment| comment.number == number);
        let all: Vec<Value> = all.map(|comment| shapes::comment(&self.url, comment)).collect();
        self.list(call, &all, None)
    }

    fn create_comment(&self, rights: Rights, number: &str, body: &Value) -> Answer {
        let text = match comment_text(body) {
            Ok(text) => text,
            Err(answer) => return answer,
        };
        let mut state = self.state();
        let Some(number) = number.parse().ok().filter(|number| state.pulls.contains_key(number)) else {
            return not_found();
        };
        let id = state.next();
        let comment = Comment { id, number, author: rights.login().to_string(), body: text, is_edited: false };
        state.comments.push(comment.clone());
        Answer::json(201, &shapes::comment(&self.url, &comment))
    }

    fn update_comment(&self, id: &str, body: &Value) -> Answer {
        let text = match comment_text(body) {
            Ok(text) => text,
            Err(answer) => return answer,
        };
        let mut state = self.state();
        let Some(comment) = state.comments.iter_mut().find(|comment| comment.id.to_string() == id) else {
            return not_found();
        };
        (comment.body, comment.is_edited) = (text, true);
        Answer::json(200, &shapes::comment(&self.url, comment))
    }

    fn create_check(&self, rights: Rights, body: &Value) -> Answer {
        let mut state = self.state();
        let id = state.next();
        let mut check = CheckRun {
            id,
            sha: String::new(),
            name: String::new(),
            status: "queued".to_string(),
            conclusion: None,
            title: String::new(),
            summary: String::new(),
            annotations: Vec::new(),
            batches: Vec::new(),
        };
        for (field, of) in [("name", &mut check.name), ("head_sha", &mut check.sha)] {
            match body[field].as_str() {
                Some(text) => *of = text.to_string(),
                None => return invalid("CheckRun", field, &format!("{field} wasn't supplied")),
            }
        }
        if let Err(answer) = change_check(rights, &mut check, body) {
            return answer;
        }
        state.checks.push(check.clone());
        Answer::json(201, &shapes::check(&self.url, &check))
    }

    fn update_check(&self, rights: Rights, id: &str, body: &Value) -> Answer {
        let mut state = self.state();
        let Some(check) = state.checks.iter_mut().find(|check| check.id.to_string() == id) else {
            return not_found();
        };
        match change_check(rights, check, body) {
            Ok(()) => Answer::json(200, &shapes::check(&self.url, check)),
            Err(answer) => answer,
        }
    }

    fn create_status(&self, rights: Rights, sha: &str, body: &Value) -> Answer {
        let text = |field: &str| body[field].as_str().map(str::to_string);
        let Some(state) = text("state").filter(|state| STATES.contains(&state.as_str())) else {
            return invalid("Status", "state", "state is not included in the list");
        };
        let description = text("description").unwrap_or_default();
        if description.chars().count() > LONGEST_DESCRIPTION {
            return invalid("Status", "description", "description is too long (maximum is 140 characters)");
        }
        let context = text("context").unwrap_or_else(|| "default".to_string());
        let status = CommitStatus { sha: sha.to_string(), state, context, description, target_url: text("target_url") };
        let mut all = self.state();
        let id = all.next();
        all.statuses.push(status.clone());
        Answer::json(201, &shapes::status(&self.url, id, rights.login(), &status))
    }

    /// Lists pull requests: all, or those whose head is a commit.
    fn list_pulls(&self, call: &Call, sha: Option<&str>) -> Answer {
        let state = self.state();
        let is_meant = |pull: &&PullRequest| {
            sha.is_none_or(|sha| sha == pull.sha || pull.merge_commit.as_deref() == Some(sha))
                && call.query("head").is_none_or(|head| head == format!("{OWNER}:{}", pull.head))
                && call.query("base").is_none_or(|base| base == pull.base)
                && match (call.query("state"), pull.merge_commit.is_some()) {
                    (None, is_merged) => sha.is_some() || !is_merged,
                    (Some(state), is_merged) => state == "all" || (state == "closed") == is_merged,
                }
        };
        let mut all: Vec<&PullRequest> = state.pulls.values().filter(is_meant).collect();
        all.reverse();
        let all: Vec<Value> = all.iter().map(|pull| shapes::pull(&self.url, pull, state.is_private, false)).collect();
        self.list(call, &all, None)
    }

    fn create_pull(&self, body: &Value) -> Answer {
        let text = |field: &str| body[field].as_str().unwrap_or_default().to_string();
        let (head, base) = (text("head"), text("base"));
        let head = head.strip_prefix(&format!("{OWNER}:")).unwrap_or(&head).to_string();
        if head.is_empty() || base.is_empty() {
            return invalid("PullRequest", "base", "base and head are needed");
        }
        let mut state = self.state();
        if state.pulls.values().any(|pull| pull.head == head && pull.base == base) {
            let message = format!("A pull request already exists for {OWNER}:{head}.");
            return invalid("PullRequest", "head", &message);
        }
        let number = u64::try_from(state.pulls.len()).unwrap() + 1;
        let (sha, title, body) = (NO_COMMIT.to_string(), text("title"), text("body"));
        let pull = PullRequest { number, head, sha, base, title, body, merge_commit: None };
        state.pulls.insert(number, pull.clone());
        Answer::json(201, &shapes::pull(&self.url, &pull, state.is_private, true))
    }

    fn pull(&self, number: &str, change: impl FnOnce(&mut PullRequest) -> Result<(), Answer>) -> Answer {
        let mut state = self.state();
        let is_private = state.is_private;
        let Some(pull) = number.parse().ok().and_then(|number| state.pulls.get_mut(&number)) else {
            return not_found();
        };
        match change(pull) {
            Ok(()) => Answer::json(200, &shapes::pull(&self.url, pull, is_private, true)),
            Err(answer) => answer,
        }
    }

    fn list_runs(&self, call: &Call, workflow: &str) -> Answer {
        let state = self.state();
        let is_meant = |run: &&Run| {
            let is = |name: &str, value: &str| call.query(name).is_none_or(|wanted| wanted == value);
            let status = call.query("status").is_none_or(|wanted| wanted == run.conclusion || wanted == "completed");
            status && is("branch", &run.branch) && is("event", &run.event) && is("head_sha", &run.sha)
        };
        let of_file: Vec<&Run> = state.runs.iter().filter(|run| run.workflow == workflow).collect();
        if of_file.is_empty() {
            return not_found();
        }
        // The newest comes first.
        let all = of_file.into_iter().rev().filter(is_meant);
        let all: Vec<Value> = all.map(|run| shapes::run(&self.url, run, state.is_private)).collect();
        self.list(call, &all, Some("workflow_runs"))
    }

    fn run(&self, id: &str) -> Answer {
        let state = self.state();
        let run = state.runs.iter().find(|run| run.id.to_string() == id);
        run.map_or_else(not_found, |run| Answer::json(200, &shapes::run(&self.url, run, state.is_private)))
    }

    fn list_artifacts(&self, call: &Call, run: Option<&str>) -> Answer {
        let state = self.state();
        if let Some(run) = run
            && !state.runs.iter().any(|of| of.id.to_string() == run)
        {
            return not_found();
        }
        let is_meant = |artifact: &&Artifact| {
            run.is_none_or(|run| artifact.run.to_string() == run)
                && call.query("name").is_none_or(|name| name == artifact.name)
        };
        let all = state.artifacts.iter().rev().filter(is_meant);
        let all: Vec<Value> = all.map(|artifact| shapes::artifact(&self.url, artifact, &state.runs)).collect();
        self.list(call, &all, Some("artifacts"))
    }

    fn archive(&self, call: &Call, id: &str) -> Answer {
        // Also that of a public repository is only for those who are signed in.
        if call.header("authorization").is_none() {
            return error(401, "Requires authentication");
        }
        let state = self.state();
        match state.artifacts.iter().find(|artifact| artifact.id.to_string() == id) {
            None => not_found(),
            Some(artifact) if artifact.is_expired => error(410, "Artifact has expired"),
            Some(artifact) => {
                Answer::empty(302).with("location", format!("{}/artifacts/{}?sig=fake", self.storage, artifact.id))
            }
        }
    }

    fn file(&self, call: &Call, path: &str) -> Answer {
        let reference = call.query("ref").unwrap_or("main");
        let state = self.state();
        let Some(content) = state.files.get(&(reference.to_string(), path.to_string())) else { return not_found() };
        if call.header("accept").is_some_and(|accept| accept.contains("application/vnd.github.raw")) {
            return Answer::bytes("application/vnd.github.raw+json; charset=utf-8", content.clone());
        }
        Answer::json(200, &shapes::file(&self.url, reference, path, content))
    }
}

const STATES: [&str; 4] = ["error", "failure", "pending", "success"];

fn comment_text(body: &Value) -> Result<String, Answer> {
    let text = body["body"].as_str().unwrap_or_default();
    if text.trim().is_empty() {
        return Err(invalid("IssueComment", "data", "Body cannot be blank"));
    }
    match text.chars().count() > LONGEST_COMMENT {
        true => Err(invalid("IssueComment", "data", "Body is too long (maximum is 65536 characters)")),
        false => Ok(text.to_string()),
    }
}

fn update_pull(pull: &mut PullRequest, body: &Value) -> Result<(), Answer> {
    for (field, of) in [("title", &mut pull.title), ("body", &mut pull.body), ("base", &mut pull.base)] {
        if let Some(text) = body[field].as_str() {
            *of = text.to_string();
        }
    }
    Ok(())
}

/// Changes a check run. Annotations are added to those that it has.
fn change_check(rights: Rights, check: &mut CheckRun, body: &Value) -> Result<(), Answer> {
    if rights == Rights::Person {
        return Err(error(403, "You must authenticate via a GitHub App."));
    }
    let text = |field: &str| body[field].as_str().map(str::to_string);
    let conclusion = text("conclusion");
    let status = text("status").or(conclusion.as_ref().map(|_| "completed".to_string()));
    if status.as_deref() == Some("completed") && conclusion.is_none() {
        return Err(invalid("CheckRun", "conclusion", "conclusion is needed where status is completed"));
    }
    let output = &body["output"];
    let annotations = output["annotations"].as_array().cloned().unwrap_or_default();
    if output.is_object() && (output["title"].is_null() || output["summary"].is_null()) {
        return Err(invalid("CheckRun", "output", "title and summary weren't supplied"));
    }
    if annotations.len() > MOST_ANNOTATIONS {
        let message = format!("No more than 50 items are allowed; {} were supplied.", annotations.len());
        return Err(invalid("CheckRun", "annotations", &message));
    }
    for annotation in &annotations {
        let line = |field: &str| annotation[field].as_u64().filter(|line| *line > 0);
        let is_one_line = line("start_line") == line("end_line");
        let has_columns = annotation.get("start_column").is_some() || annotation.get("end_column").is_some();
        let texts =
            ["path", "message"].iter().all(|field| annotation[field].as_str().is_some_and(|text| !text.is_empty()));
        let level = annotation["annotation_level"].as_str().is_some_and(|level| LEVELS.contains(&level));
        if line("start_line").is_none() || line("end_line").is_none() || !texts || !level || has_columns && !is_one_line
        {
            return Err(invalid("CheckRun", "annotations", &format!("invalid annotation: {annotation}")));
        }
    }
    check.status = status.unwrap_or(check.status.clone());
    check.conclusion = conclusion.or(check.conclusion.take());
    if let (Some(title), Some(summary)) = (output["title"].as_str(), output["summary"].as_str()) {
        (check.title, check.summary) = (title.to_string(), summary.to_string());
        check.batches.push(annotations.len());
    }
    check.annotations.extend(annotations);
    Ok(())
}

const LEVELS: [&str; 3] = ["notice", "warning", "failure"];
