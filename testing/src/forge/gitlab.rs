//! GitLab's REST API for one project, `acme/connections`.

use super::archive::zip;
use super::server::{Answer, Api, Call, Exchange, Fault, Server};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

const PATH: &str = "acme/connections";
const ID: &str = "42";
const NO_COMMIT: &str = "0000000000000000000000000000000000000000";
/// The most characters of a note.
const LONGEST_NOTE: usize = 1_000_000;
/// The most characters of the description of a commit's status.
const LONGEST_DESCRIPTION: usize = 255;
const STATES: [&str; 6] = ["pending", "running", "success", "failed", "canceled", "skipped"];

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GitLabRights {
    /// It reads and writes: a project's access token with scope `api`.
    Api,
    /// It reads: a project's access token with scope `read_api`.
    ReadApi,
    /// It is the token of a job: it reads artifacts and the merge request's project, and writes neither notes nor
    /// statuses.
    Job,
}

impl GitLabRights {
    const ALL: [GitLabRights; 3] = [GitLabRights::Api, GitLabRights::ReadApi, GitLabRights::Job];

    const fn token(self) -> &'static str {
        match self {
            GitLabRights::Api => "CANARY-gitlab-api",
            GitLabRights::ReadApi => "CANARY-gitlab-read",
            GitLabRights::Job => "CANARY-gitlab-job",
        }
    }
}

/// A note of a merge request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub id: u64,
    /// The number of the merge request within the project.
    pub iid: u64,
    pub author: String,
    pub body: String,
    pub is_edited: bool,
}

/// The status of a commit, as a job outside sets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineStatus {
    pub sha: String,
    pub state: String,
    pub name: String,
    pub description: String,
    pub target_url: Option<String>,
}

/// A merge request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeRequest {
    pub iid: u64,
    pub source: String,
    pub target: String,
    pub title: String,
    pub description: String,
    /// The newest commit of the source.
    pub sha: String,
    pub is_merged: bool,
    /// The commit that its merge made; a fast-forward makes none.
    pub merge_commit: Option<String>,
}

/// The artifacts of a job.
struct Job {
    id: u64,
    reference: String,
    name: String,
    content: Vec<u8>,
}

#[derive(Default)]
struct State {
    is_public: bool,
    /// The last id, which is also the time in seconds.
    last: u64,
    merge_requests: BTreeMap<u64, MergeRequest>,
    notes: Vec<Note>,
    statuses: Vec<PipelineStatus>,
    jobs: Vec<Job>,
    files: BTreeMap<(String, String), Vec<u8>>,
}

impl State {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

/// A running fake of GitLab, until it is dropped.
pub struct GitLab {
    server: Server,
    api: String,
    state: Arc<Mutex<State>>,
}

impl GitLab {
    /// Starts it, with a private project without merge requests.
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State { last: 1000, ..State::default() }));
        let of_api = state.clone();
        let server = Server::start(move |url| Arc::new(RestApi { url: url.to_string(), state: of_api }));
        let api = format!("{}/api/v4", server.url());
        GitLab { server, api, state }
    }

    /// The address of the server, as the variable CI_SERVER_URL has it.
    pub fn server_url(&self) -> &str {
        self.server.url()
    }

    /// The address of the API, as the variable CI_API_V4_URL has it.
    pub fn url(&self) -> &str {
        &self.api
    }

    /// The id of the project, as the variable CI_PROJECT_ID has it.
    pub fn project(&self) -> &'static str {
        ID
    }

    pub fn token(&self, rights: GitLabRights) -> &'static str {
        rights.token()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Makes the project public.
    pub fn make_public(&self) {
        self.state().is_public = true;
    }

    /// Opens a merge request; returns its number within the project.
    pub fn open_merge_request(&self, source: &str, target: &str) -> u64 {
        let mut state = self.state();
        let iid = u64::try_from(state.merge_requests.len()).unwrap() + 1;
        let [source, target, title, sha] = [source, target, &format!("Merge {source}"), NO_COMMIT].map(str::to_string);
        let (description, is_merged, merge_commit) = (String::new(), false, None);
        let request = MergeRequest { iid, source, target, title, description, sha, is_merged, merge_commit };
        state.merge_requests.insert(iid, request);
        iid
    }

    /// Pushes a commit to the source of a merge request.
    pub fn push(&self, iid: u64, sha: &str) {
        self.state().merge_requests.get_mut(&iid).unwrap().sha = sha.to_string();
    }

    /// Merges a merge request, by this commit; without one, by fast-forward.
    pub fn merge(&self, iid: u64, commit: Option<&str>) {
        let mut state = self.state();
        let request = state.merge_requests.get_mut(&iid).unwrap();
        (request.is_merged, request.merge_commit) = (true, commit.map(str::to_string));
    }

    /// Writes a note, as somebody; returns its id.
    pub fn write_note(&self, iid: u64, author: &str, body: &str) -> u64 {
        let mut state = self.state();
        let id = state.next();
        state.notes.push(Note { id, iid, author: author.to_string(), body: body.to_string(), is_edited: false });
        id
    }

    /// Adds a job of the latest pipeline of a branch, with artifacts of files; returns its id.
    pub fn add_job(&self, branch: &str, name: &str, files: &[(&str, &[u8])]) -> u64 {
        let mut state = self.state();
        let id = state.next();
        state.jobs.push(Job { id, reference: branch.to_string(), name: name.to_string(), content: zip(files) });
        id
    }

    /// Adds a file at a branch or a commit.
    pub fn add_file(&self, reference: &str, path: &str, content: &[u8]) {
        self.state().files.insert((reference.to_string(), path.to_string()), content.to_vec());
    }

    /// The next requests of a method to paths that contain a text go wrong.
    pub fn fail(&self, method: &str, path: &str, fault: Fault, times: usize) {
        self.server.fail(method, path, fault, times);
    }

    /// The notes of a merge request, the oldest first.
    pub fn notes(&self, iid: u64) -> Vec<Note> {
        self.state().notes.iter().filter(|note| note.iid == iid).cloned().collect()
    }

    pub fn statuses(&self) -> Vec<PipelineStatus> {
        self.state().statuses.clone()
    }

    pub fn merge_requests(&self) -> Vec<MergeRequest> {
        self.state().merge_requests.values().cloned().collect()
    }

    /// The requests so far, with their answers.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.server.exchanges()
    }
}

struct RestApi {
    url: String,
    state: Arc<Mutex<State>>,
}

fn message(status: u16, text: &str) -> Answer {
    Answer::json(status, &json!({"message": text}))
}

fn not_found(what: &str) -> Answer {
    message(404, &format!("404 {what}Not Found"))
}

impl Api for RestApi {
    fn answer(&self, call: &Call) -> Answer {
        let rights = match rights(call) {
            Ok(rights) => rights,
            Err(answer) => return answer,
        };
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        let ["api", "v4", "projects", ID | PATH, rest @ ..] = path.as_slice() else { return not_found("") };
        let is_public = self.state().is_public;
        if rights.is_none() && (!is_public || call.method != "GET") {
            return if call.method == "GET" { not_found("Project ") } else { message(401, "401 Unauthorized") };
        }
        let is_artifact = matches!(rest, ["jobs", ..]);
        if rights == Some(GitLabRights::Job) && !is_artifact {
            return message(403, "403 Forbidden");
        }
        if rights == Some(GitLabRights::ReadApi) && call.method != "GET" {
            let why = "The request requires higher privileges than provided by the access token.";
            let body = json!({"error": "insufficient_scope", "error_description": why, "scope": "api"});
            return Answer::json(403, &body);
        }
        let fields = match fields(call) {
            Ok(fields) => fields,
            Err(answer) => return answer,
        };
        match (call.method.as_str(), rest) {
            ("GET", []) => Answer::json(200, &self.project(is_public)),
            ("GET", ["merge_requests", iid, "notes"]) => self.list_notes(call, iid),
            ("POST", ["merge_requests", iid, "notes"]) => self.create_note(iid, &fields),
            ("PUT", ["merge_requests", iid, "notes", id]) => self.update_note(iid, id, &fields),
            ("GET", ["merge_requests"]) => self.list_merge_requests(call),
            ("GET", ["repository", "commits", sha, "merge_requests"]) => self.merge_requests_with(call, sha),
            ("POST", ["merge_requests"]) => self.create_merge_request(&fields),
            ("GET", ["merge_requests", iid]) => self.merge_request(iid, |_| {}),
            ("PUT", ["merge_requests", iid]) => self.merge_request(iid, |of| {
                if let Some(title) = fields.get("title") {
                    of.title.clone_from(title);
                }
                if let Some(description) = fields.get("description") {
                    of.description.clone_from(description);
                }
            }),
            ("POST", ["statuses", sha]) => self.create_status(sha, &fields),
            ("GET", ["jobs", "artifacts", reference, "download"]) => self.artifacts(call, reference),
            ("GET", ["jobs", id, "artifacts"]) => self.artifacts_of(id),
            ("GET", ["repository", "files", path]) => self.file(call, path, false),
            ("GET", ["repository", "files", path, "raw"]) => self.file(call, path, true),
            _ => message(404, "404 Not Found"),
        }
    }

    fn failure(&self, fault: Fault) -> Answer {
        match fault {
            Fault::BadCredentials => message(401, "401 Unauthorized"),
            Fault::SecondaryLimit { status, retry_after } => {
                let answer = Answer { status, ..Answer::bytes("text/plain", "Retry later\n") };
                retry_after.into_iter().fold(answer, |answer, seconds| answer.with("retry-after", seconds))
            }
            Fault::PrimaryLimit { reset } => Answer { status: 429, ..Answer::bytes("text/plain", "Retry later\n") }
                .with("ratelimit-remaining", 0)
                .with("ratelimit-reset", reset),
            Fault::Status(status) => {
                Answer { status, ..Answer::bytes("text/html", "<html><title>GitLab is not responding</title></html>") }
            }
            Fault::Forbidden | Fault::Cut | Fault::CutAfter => message(403, "403 Forbidden"),
        }
    }
}

/// What the token of a request may do; `None` without one.
fn rights(call: &Call) -> Result<Option<GitLabRights>, Answer> {
    let bearer = call.header("authorization").map(|given| given.strip_prefix("Bearer ").unwrap_or_default());
    let given = call.header("private-token").map(|token| (token, false)).or(bearer.map(|token| (token, false)));
    let given = given.or(call.header("job-token").map(|token| (token, true)));
    let Some((token, is_of_job)) = given else { return Ok(None) };
    let known = GitLabRights::ALL.into_iter().find(|rights| rights.token() == token);
    // Each kind has its own header.
    let known = known.filter(|rights| (*rights == GitLabRights::Job) == is_of_job);
    known.map(Some).ok_or_else(|| message(401, "401 Unauthorized"))
}

/// The fields of a request: of a JSON body, or of a form.
fn fields(call: &Call) -> Result<BTreeMap<String, String>, Answer> {
    let content = call.header("content-type").unwrap_or_default();
    if call.body.is_empty() {
        return Ok(call.query.iter().cloned().collect());
    }
    if content.starts_with("application/x-www-form-urlencoded") {
        return Ok(form_urlencoded::parse(&call.body).into_owned().collect());
    }
    let Ok(Value::Object(fields)) = serde_json::from_slice(&call.body) else {
        return Err(Answer::json(400, &json!({"error": "The request body is not valid"})));
    };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_string);
    Ok(fields.iter().map(|(name, value)| (name.clone(), text(value))).collect())
}

/// A time, in seconds of one day.
fn time(seconds: u64) -> String {
    let seconds = seconds % 86_400;
    format!("2026-01-01T{:02}:{:02}:{:02}.000Z", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

impl RestApi {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn user(&self, name: &str) -> Value {
        let url = format!("{}/{name}", self.url);
        json!({"id": 7, "username": name, "name": name, "state": "active", "locked": false, "avatar_url": null, "web_url": url})
    }

    fn project(&self, is_public: bool) -> Value {
        let (_, name) = PATH.split_once('/').unwrap();
        json!({
            "id": 42,
            "name": name,
            "path": name,
            "path_with_namespace": PATH,
            "default_branch": "main",
            "visibility": if is_public { "public" } else { "private" },
            "web_url": format!("{}/{PATH}", self.url),
            "http_url_to_repo": format!("{}/{PATH}.git", self.url),
            "created_at": time(0),
        })
    }

    fn note(&self, note: &Note) -> Value {
        let Note { id, iid, author, body, is_edited } = note;
        json!({
            "id": id,
            "type": null,
            "body": body,
            "author": self.user(author),
            "created_at": time(*id),
            "updated_at": time(id + u64::from(*is_edited)),
            "system": false,
            "noteable_id": iid,
            "noteable_iid": iid,
            "noteable_type": "MergeRequest",
            "project_id": 42,
            "resolvable": false,
            "confidential": false,
            "internal": false,
        })
    }

    fn shown(&self, of: &MergeRequest) -> Value {
        let MergeRequest { iid, source, target, title, description, sha, is_merged, merge_commit } = of;
        json!({
            "id": iid,
            "iid": iid,
            "project_id": 42,
            "title": title,
            "description": description,
            "state": if *is_merged { "merged" } else { "opened" },
            "merge_commit_sha": merge_commit,
            "source_branch": source,
            "target_branch": target,
            "source_project_id": 42,
            "target_project_id": 42,
            "author": self.user("ann"),
            "draft": false,
            "sha": sha,
            "web_url": format!("{}/{PATH}/-/merge_requests/{iid}", self.url),
            "created_at": time(*iid),
            "updated_at": time(*iid),
        })
    }

    /// A page of a list, with the headers that lead to the others.
    fn list(&self, call: &Call, all: &[Value]) -> Answer {
        let size = call.number("per_page", 20).min(100);
        let (page, pages) = (call.number("page", 1), all.len().div_ceil(size).max(1));
        let start = (size * (page - 1)).min(all.len());
        let items = all.get(start..(start + size).min(all.len())).unwrap_or_default();
        let other = |number: usize| if (1..=pages).contains(&number) { number.to_string() } else { String::new() };
        let link = |rel: &str, number: usize| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(call.query.iter().filter(|(name, _)| name != "page"));
            let query = query.append_pair("page", &number.to_string()).finish();
            let path: String = call.path.iter().map(|part| format!("/{}", part.replace('/', "%2F"))).collect();
            format!("<{}{path}?{query}>; rel=\"{rel}\"", self.url)
        };
        let mut links = vec![link("first", 1), link("last", pages)];
        if page < pages {
            links.insert(0, link("next", page + 1));
        }
        if page > 1 {
            links.insert(0, link("prev", page - 1));
        }
        Answer::json(200, &json!(items))
            .with("link", links.join(", "))
            .with("x-page", page)
            .with("x-per-page", size)
            .with("x-next-page", other(page + 1))
            .with("x-prev-page", other(page - 1))
            .with("x-total", all.len())
            .with("x-total-pages", pages)
    }

    fn list_notes(&self, call: &Call, iid: &str) -> Answer {
        let state = self.state();
        let Some(iid) = iid.parse().ok().filter(|iid| state.merge_requests.contains_key(iid)) else {
            return not_found("");
        };
        let mut all: Vec<&Note> = state.notes.iter().filter(|note| note.iid == iid).collect();
        // The newest comes first, unless asked otherwise.
        if call.query("sort") != Some("asc") {
            all.reverse();
        }
        let all: Vec<Value> = all.into_iter().map(|note| self.note(note)).collect();
        self.list(call, &all)
    }

    fn create_note(&self, iid: &str, fields: &BTreeMap<String, String>) -> Answer {
        let body = match note_text(fields) {
            Ok(body) => body,
            Err(answer) => return answer,
        };
        let mut state = self.state();
        let Some(iid) = iid.parse().ok().filter(|iid| state.merge_requests.contains_key(iid)) else {
            return not_found("");
        };
        let note = Note { id: state.next(), iid, author: "project_42_bot".to_string(), body, is_edited: false };
        state.notes.push(note.clone());
        Answer::json(201, &self.note(&note))
    }

    fn update_note(&self, iid: &str, id: &str, fields: &BTreeMap<String, String>) -> Answer {
        let body = match note_text(fields) {
            Ok(body) => body,
            Err(answer) => return answer,
        };
        let mut state = self.state();
        let is_it = |note: &&mut Note| note.id.to_string() == id && note.iid.to_string() == iid;
        let Some(note) = state.notes.iter_mut().find(is_it) else { return not_found("Note ") };
        (note.body, note.is_edited) = (body, true);
        Answer::json(200, &self.note(note))
    }

    fn list_merge_requests(&self, call: &Call) -> Answer {
        let state = self.state();
        let is_meant = |of: &&MergeRequest| {
            call.query("source_branch").is_none_or(|branch| branch == of.source)
                && call.query("target_branch").is_none_or(|branch| branch == of.target)
                && call.query("state").is_none_or(|state| matches!(state, "opened" | "all"))
        };
        let mut all: Vec<Value> = state.merge_requests.values().filter(is_meant).map(|of| self.shown(of)).collect();
        all.reverse();
        self.list(call, &all)
    }

    fn merge_requests_with(&self, call: &Call, commit: &str) -> Answer {
        let state = self.state();
        let is_of = |of: &&MergeRequest| of.sha == commit || of.merge_commit.as_deref() == Some(commit);
        let all: Vec<Value> = state.merge_requests.values().filter(is_of).map(|of| self.shown(of)).collect();
        self.list(call, &all)
    }

    fn create_merge_request(&self, fields: &BTreeMap<String, String>) -> Answer {
        let text = |field: &str| fields.get(field).cloned().unwrap_or_default();
        let (source, target, title) = (text("source_branch"), text("target_branch"), text("title"));
        let missing = [("source_branch", &source), ("target_branch", &target), ("title", &title)];
        if let Some((name, _)) = missing.iter().find(|(_, value)| value.is_empty()) {
            return Answer::json(400, &json!({"error": format!("{name} is missing, {name} is empty")}));
        }
        let mut state = self.state();
        if let Some(there) = state.merge_requests.values().find(|of| of.source == source && of.target == target) {
            let why = format!("Another open merge request already exists for this source branch: !{}", there.iid);
            return Answer::json(409, &json!({"message": [why]}));
        }
        let iid = u64::try_from(state.merge_requests.len()).unwrap() + 1;
        let new = MergeRequest {
            iid,
            source,
            target,
            title,
            description: text("description"),
            sha: NO_COMMIT.to_string(),
            is_merged: false,
            merge_commit: None,
        };
        state.merge_requests.insert(iid, new.clone());
        Answer::json(201, &self.shown(&new))
    }

    fn merge_request(&self, iid: &str, change: impl FnOnce(&mut MergeRequest)) -> Answer {
        let mut state = self.state();
        match iid.parse().ok().and_then(|iid| state.merge_requests.get_mut(&iid)) {
            None => not_found(""),
            Some(of) => {
                change(of);
                Answer::json(200, &self.shown(of))
            }
        }
    }

    fn create_status(&self, sha: &str, fields: &BTreeMap<String, String>) -> Answer {
        let state = fields.get("state").cloned().unwrap_or_default();
        if !STATES.contains(&state.as_str()) {
            return Answer::json(400, &json!({"error": "state does not have a valid value"}));
        }
        let description = fields.get("description").cloned().unwrap_or_default();
        if description.chars().count() > LONGEST_DESCRIPTION {
            return Answer::json(
                400,
                &json!({"message": {"description": ["is too long (maximum is 255 characters)"]}}),
            );
        }
        let name = fields.get("name").or(fields.get("context")).cloned().unwrap_or_else(|| "default".to_string());
        let mut all = self.state();
        let last = all.statuses.iter().rfind(|status| status.sha == sha && status.name == name);
        if last.is_some_and(|status| status.state == state && matches!(state.as_str(), "pending" | "running")) {
            let why = format!(
                "Cannot transition status via :{} from :{state}",
                if state == "running" { "run" } else { "enqueue" }
            );
            return message(400, &why);
        }
        let target_url = fields.get("target_url").cloned();
        let id = all.next();
        let status = PipelineStatus { sha: sha.to_string(), state, name, description, target_url };
        all.statuses.push(status.clone());
        let PipelineStatus { sha, state, name, description, target_url } = status;
        Answer::json(
            201,
            &json!({
                "id": id,
                "sha": sha,
                "ref": "main",
                "status": state,
                "name": name,
                "description": description,
                "target_url": target_url,
                "author": self.user("project_42_bot"),
                "allow_failure": false,
                "coverage": null,
                "created_at": time(id),
                "started_at": null,
                "finished_at": null,
            }),
        )
    }

    /// The artifacts of the latest job of a name on a branch.
    fn artifacts(&self, call: &Call, reference: &str) -> Answer {
        let Some(name) = call.query("job") else {
            return Answer::json(400, &json!({"error": "job is missing"}));
        };
        let state = self.state();
        let job = state.jobs.iter().rfind(|job| job.reference == reference && job.name == name);
        job.map_or_else(|| not_found(""), |job| Answer::bytes("application/octet-stream", job.content.clone()))
    }

    fn artifacts_of(&self, id: &str) -> Answer {
        let state = self.state();
        let job = state.jobs.iter().find(|job| job.id.to_string() == id);
        job.map_or_else(|| not_found(""), |job| Answer::bytes("application/octet-stream", job.content.clone()))
    }

    fn file(&self, call: &Call, path: &str, is_raw: bool) -> Answer {
        let reference = call.query("ref").unwrap_or("main");
        let state = self.state();
        let Some(content) = state.files.get(&(reference.to_string(), path.to_string())) else {
            return not_found("File ");
        };
        if is_raw {
            return Answer::bytes("text/plain", content.clone());
        }
        Answer::json(
            200,
            &json!({
                "file_name": path.rsplit('/').next(),
                "file_path": path,
                "size": content.len(),
                "encoding": "base64",
                "content": STANDARD.encode(content),
                "ref": reference,
            }),
        )
    }
}

fn note_text(fields: &BTreeMap<String, String>) -> Result<String, Answer> {
    let body = fields.get("body").cloned().unwrap_or_default();
    if body.trim().is_empty() {
        return Err(Answer::json(400, &json!({"error": "body is missing"})));
    }
    match body.chars().count() > LONGEST_NOTE {
        true => Err(Answer::json(400, &json!({"message": {"note": ["is too long (maximum is 1000000 characters)"]}}))),
        false => Ok(body),
    }
}
