//! One organization's API: requests with its token, and what can be wrong with an answer. Reads are repeated after a
//! broken connection or a server error, since they change nothing.

use super::document::{Document, UnknownField, refused};
use super::token::Tokens;
use crate::http_client::client::{HttpAnswer, HttpClient, HttpFailure, retry_after};
use crate::http_client::origin::Origin;
use crate::kubernetes::client::WriteFence;
use crate::secret::Secret;
use crate::text;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::debug;

/// The time limit of a read, from the request to the last byte of the answer.
pub(super) const READ: Duration = Duration::from_secs(30);
/// Number of requests in flight at the beginning. It is halved whenever the platform says that there are too many.
const IN_FLIGHT: usize = 4;
/// Maximum number of attempts of one read.
const TRIES: u32 = 5;
/// The length from which a line of a secret tells something of it.
const TELLING: usize = 8;
/// The longest pause that the platform can ask for.
const LONGEST_PAUSE: u64 = 60;
/// Maximum number of the platform's messages that a report contains, and of their characters.
const MESSAGES: usize = 3;
const MESSAGE: usize = 300;

/// The API of one organization.
pub(super) struct Stack {
    origin: Origin,
    client: HttpClient,
    access: tokio::sync::Mutex<Option<Secret>>,
    tokens: Tokens,
    tenant_id: Option<String>,
    /// The tokens that were exchanged for the refresh token, and the secrets that were sent: like the tokens at the
    /// beginning, no message may quote them.
    hidden: Mutex<Vec<Secret>>,
    /// Number of requests that were sent, and of those that write.
    calls: AtomicUsize,
    writes: AtomicUsize,
    turns: Semaphore,
    /// How many requests may be in flight.
    allowed: AtomicUsize,
    /// How many permits there are, until as many as are allowed.
    permits: AtomicUsize,
    /// The first pause before a read is repeated. It doubles each time.
    pause: Duration,
    /// Whether this process may still write.
    fence: Option<WriteFence>,
    /// The fields that this stack does not know.
    unknown: Mutex<BTreeSet<UnknownField>>,
}

/// Why the platform's answer is of no use. No message has anything of a page that is not the API's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ApiFailure {
    /// There is no answer.
    #[error("{0}")]
    Http(HttpFailure),
    /// It answers that the page is elsewhere; a token is never sent there.
    #[error("it redirects elsewhere, which is never followed: the url is not that of a stack")]
    Redirects,
    /// It answers with a web page.
    #[error("it answers with a web page, not as the platform's API does: {0}")]
    WebPage(&'static str),
    /// It answers with something else.
    #[error("it does not answer as the platform's API does ({0})")]
    NotTheApi(String),
    /// There is no access token: the exchange of the refresh token failed.
    #[error("the login failed: {0}")]
    Login(Box<ApiFailure>),
    /// The token is not accepted.
    #[error("the token from {from} is not accepted: it expired or was revoked")]
    NotAccepted {
        /// Where the token comes from.
        from: String,
        /// What to do.
        renew: String,
    },
    /// The user has no access to the organization that the Tenant names.
    #[error("the user of {from} has no access to the organization with the tenantId {tenant_id}")]
    OtherTenant { from: String, tenant_id: String },
    /// The user may not do this.
    #[error("the user of {from} may not do this{}", .said.as_ref().map(|said| format!(": {said}")).unwrap_or_default())]
    Forbidden { from: String, said: Option<String> },
    /// There were too many requests, and waiting did not help.
    #[error("it says that there are too many requests{}", .after.map(|after| format!(", and to come back after {after} s")).unwrap_or_default())]
    TooMany { after: Option<u64> },
    /// The server has an error of its own.
    #[error("it has an error of its own (HTTP {0})")]
    Server(u16),
    /// This process does not lead any more, so it writes nothing.
    #[error("another replica leads now")]
    Fenced,
    /// It does not know fields that cannot be left out.
    #[error("it does not know {}: it is older than what stablekey reads", .0.join(", "))]
    Unknown(Vec<String>),
    /// It answers with errors, perhaps beside data.
    #[error("it answers with an error: {}", .0.join("; "))]
    Errors(Vec<String>),
}

impl ApiFailure {
    /// What to do.
    pub(super) fn help(&self) -> String {
        match self {
            ApiFailure::NotAccepted { renew, .. } => renew.clone(),
            ApiFailure::Login(failure) => failure.help(),
            ApiFailure::OtherTenant { .. } => {
                "correct tenantId, or log in as a user of that organization; prism me:tenant:list lists the user's own"
                    .to_string()
            }
            ApiFailure::Redirects | ApiFailure::NotTheApi(_) => {
                "see that the Tenant's url is that of the stack, such as https://app.prismatic.io".to_string()
            }
            ApiFailure::WebPage(_) => {
                "see that the Tenant's url is that of the stack, such as https://app.prismatic.io, and that no proxy \
                 answers in its place"
                    .to_string()
            }
            ApiFailure::Forbidden { .. } => {
                "use the token of a user whose role may read and write integrations, connections and customers"
                    .to_string()
            }
            ApiFailure::Fenced => "the other replica goes on".to_string(),
            ApiFailure::TooMany { .. } => "run it again later".to_string(),
            ApiFailure::Unknown(_) => "ask the platform's support for a newer version of the stack".to_string(),
            ApiFailure::Http(_) | ApiFailure::Server(_) | ApiFailure::Errors(_) => {
                "run it again; if it stays so, see the platform's status page".to_string()
            }
        }
    }

    /// One word for a condition, and how long the platform asks to wait.
    pub(super) fn reason(&self) -> (&'static str, Option<Duration>) {
        match self {
            ApiFailure::NotAccepted { .. } | ApiFailure::OtherTenant { .. } => ("TokenRefused", None),
            ApiFailure::Forbidden { .. } => ("Forbidden", None),
            ApiFailure::TooMany { after } => ("TooManyRequests", after.map(Duration::from_secs)),
            _ => ("Unreachable", None),
        }
    }

    /// Whether a read may succeed when it is repeated.
    fn may_pass(&self) -> bool {
        match self {
            ApiFailure::Login(failure) => failure.may_pass(),
            ApiFailure::Http(failure) => {
                !matches!(failure, HttpFailure::TooLarge | HttpFailure::TimedOut(_) | HttpFailure::Certificate(_))
            }
            ApiFailure::Server(_) | ApiFailure::TooMany { .. } => true,
            _ => false,
        }
    }
}

#[derive(Deserialize)]
struct GraphAnswer<T> {
    #[serde(default = "Option::default")]
    data: Option<T>,
    #[serde(default)]
    errors: Option<Vec<GraphError>>,
}

#[derive(Deserialize)]
struct GraphError {
    #[serde(default)]
    message: Option<String>,
}

impl Stack {
    pub(super) fn new(
        origin: Origin,
        client: HttpClient,
        tokens: Tokens,
        pause: Duration,
        tenant: Option<String>,
    ) -> Self {
        // A refresh token reaches each of a person's organizations, an access token one of them.
        let is_of_another = tenant.is_some() && tenant != tokens.tenant_id && tokens.refresh.is_some();
        let access = tokens.access.as_ref().filter(|_| !is_of_another);
        let access = access.map(|token| Secret::new(token.expose().to_string()));
        Stack {
            origin,
            client,
            access: tokio::sync::Mutex::new(access),
            tenant_id: tenant.or_else(|| tokens.tenant_id.clone()),
            tokens,
            hidden: Mutex::default(),
            calls: AtomicUsize::new(0),
            writes: AtomicUsize::new(0),
            turns: Semaphore::new(IN_FLIGHT),
            permits: AtomicUsize::new(IN_FLIGHT),
            allowed: AtomicUsize::new(IN_FLIGHT),
            pause,
            fence: None,
            unknown: Mutex::default(),
        }
    }

    /// The same, which writes only while `fence` allows it.
    pub(super) fn fenced(self, fence: Option<WriteFence>) -> Self {
        Stack { fence, ..self }
    }

    /// The fields of a document that this stack does not know.
    pub(super) fn unknown(&self) -> BTreeSet<UnknownField> {
        self.unknown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The origin of the stack.
    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Reads: sends a document, without the fields that this stack does not know, and returns its data.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        document: &Document,
        variables: &Value,
    ) -> Result<T, ApiFailure> {
        loop {
            let without = self.unknown();
            match self.read_text(&document.text(&without), variables).await {
                Err(ApiFailure::Unknown(fields)) => self.leave_out(document, fields, &without)?,
                result => return result,
            }
        }
    }

    /// Reads: sends a document until it is answered without errors, and returns its data.
    pub(super) async fn read_text<T: DeserializeOwned>(
        &self,
        document: &str,
        variables: &Value,
    ) -> Result<T, ApiFailure> {
        let mut tries = 0;
        let mut has_refreshed = false;
        loop {
            let failure = match self.ask(document, variables, READ, false).await {
                Ok(data) => return Ok(data),
                Err(failure) => failure,
            };
            match failure {
                ApiFailure::NotAccepted { .. } if self.tokens.refresh.is_some() && !has_refreshed => {
                    has_refreshed = true;
                    *self.access.lock().await = None;
                }
                failure if failure.may_pass() && tries + 1 < TRIES => {
                    let after = self.pause_before_retry(&failure, tries)?;
                    tries += 1;
                    tokio::time::sleep(after).await;
                }
                failure => return Err(failure),
            }
        }
    }

    /// Writes: sends a document until it is answered, or until it may have been carried out.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        document: &str,
        variables: &Value,
        limit: Duration,
    ) -> Result<T, ApiFailure> {
        let mut tries = 0;
        let mut has_refreshed = false;
        loop {
            match self.ask(document, variables, limit, true).await {
                Err(ApiFailure::NotAccepted { .. }) if self.tokens.refresh.is_some() && !has_refreshed => {
                    has_refreshed = true;
                    *self.access.lock().await = None;
                }
                Err(failure @ (ApiFailure::TooMany { .. } | ApiFailure::Http(HttpFailure::NotSent(_))))
                    if tries + 1 < TRIES =>
                {
                    let after = self.pause_before_retry(&failure, tries)?;
                    tries += 1;
                    tokio::time::sleep(after).await;
                }
                result => return result,
            }
        }
    }

    /// Lets no message quote a secret that is about to be sent.
    pub(super) fn hide(&self, secret: &Secret) {
        let mut hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner);
        if !hidden.iter().any(|there| there.expose() == secret.expose()) {
            hidden.push(Secret::new(secret.expose().to_string()));
        }
    }

    /// Number of reads and of writes that were sent until now.
    pub(super) fn calls(&self) -> (usize, usize) {
        let writes = self.writes.load(Ordering::SeqCst);
        (self.calls.load(Ordering::SeqCst).saturating_sub(writes), writes)
    }

    /// The first pause before something is done again.
    pub(super) fn pause(&self) -> Duration {
        self.pause
    }

    /// Remembers fields that the stack does not know. `Err` if the document cannot do without one, or if the stack
    /// refuses what was not even asked for.
    fn leave_out(
        &self,
        document: &Document,
        fields: Vec<String>,
        without: &BTreeSet<UnknownField>,
    ) -> Result<(), ApiFailure> {
        let refused: Vec<UnknownField> = fields.iter().map(|field| UnknownField { field: field.clone() }).collect();
        if refused.iter().any(|field| !document.can_omit(field) || without.contains(field)) {
            return Err(ApiFailure::Unknown(fields));
        }
        self.unknown.lock().unwrap_or_else(PoisonError::into_inner).extend(refused);
        Ok(())
    }

    /// The pause before a read is repeated; after "too many requests" fewer are sent at once from then on.
    fn pause_before_retry(&self, failure: &ApiFailure, tries: u32) -> Result<Duration, ApiFailure> {
        let own = self.pause * 2_u32.pow(tries);
        let ApiFailure::TooMany { after } = failure else { return Ok(own) };
        let before = self.allowed.load(Ordering::SeqCst);
        let half = (before / 2).max(1);
        // Another request may have halved it at the same time: once is enough.
        let _ = self.allowed.compare_exchange(before, half, Ordering::SeqCst, Ordering::SeqCst);
        match after {
            Some(after) if *after > LONGEST_PAUSE => Err(failure.clone()),
            Some(after) => Ok(Duration::from_secs(*after)),
            None => Ok(own),
        }
    }

    /// Gives a permit to the next request, or to none where fewer are allowed than there are permits.
    fn give_back(&self, permit: SemaphorePermit<'_>) {
        let allowed = self.allowed.load(Ordering::SeqCst);
        let fewer = |permits: usize| (permits > allowed).then(|| permits - 1);
        if self.permits.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer).is_ok() {
            permit.forget();
        }
    }

    /// Sends a document once.
    async fn ask<T: DeserializeOwned>(
        &self,
        document: &str,
        variables: &Value,
        limit: Duration,
        is_write: bool,
    ) -> Result<T, ApiFailure> {
        let turn = self.turns.acquire().await.map_err(|_| ApiFailure::Server(503))?;
        // Whatever is wrong with the login, nothing was sent yet.
        let authorization = match self.authorization().await {
            Err(failure @ (ApiFailure::NotAccepted { .. } | ApiFailure::TooMany { .. })) => return Err(failure),
            Err(failure) => return Err(ApiFailure::Login(Box::new(failure))),
            Ok(authorization) => authorization,
        };
        let name = operation(document);
        if is_write && self.fence.as_ref().is_some_and(|may_write| !may_write()) {
            return Err(ApiFailure::Fenced);
        }
        let body = json!({"query": document, "variables": variables}).to_string();
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/api", self.origin))
            .header(header::AUTHORIZATION, authorization)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, concat!("stablekey/", env!("CARGO_PKG_VERSION")))
            .header("prismatic-client", "stablekey")
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| ApiFailure::NotTheApi("its url cannot be used".to_string()))?;
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.writes.fetch_add(usize::from(is_write), Ordering::SeqCst);
        let answer = self.client.send(request, limit).await;
        self.give_back(turn);
        // Bodies have secrets, so they are never logged.
        let status = answer.as_ref().map(|answer| answer.status.as_u16()).ok();
        debug!(stack = %self.origin, operation = name, status, "request to the platform");
        let answer = answer.map_err(ApiFailure::Http)?;
        self.check(&answer)?;
        let json: GraphAnswer<T> =
            serde_json::from_slice(&answer.body).map_err(|error| not_the_api(&answer, &error))?;
        let has_errors = json.errors.as_ref().is_some_and(|errors| !errors.is_empty());
        self.data(json, has_errors && has_any_data(&answer.body))
    }

    /// A message of the platform, which may quote a token that it was sent.
    pub(super) fn shown(&self, message: &str) -> String {
        let hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner);
        let secrets = [&self.tokens.access, &self.tokens.refresh].into_iter().flatten().chain(hidden.iter());
        let secrets: Vec<&str> = secrets.map(Secret::expose).filter(|secret| !secret.is_empty()).collect();
        // A server may quote one line of several.
        let lines =
            secrets.iter().flat_map(|secret| secret.lines()).map(str::trim).filter(|line| line.len() >= TELLING);
        let mut secrets: Vec<&str> = secrets.iter().copied().chain(lines).collect();
        // One may be a part of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        let without = secrets.into_iter().fold(message.to_string(), |message, secret| {
            let escaped = serde_json::Value::from(secret).to_string();
            message.replace(escaped.trim_matches('"'), "…").replace(secret, "…")
        });
        shown(&without)
    }

    /// The data of an answer. Errors beside data count: what is missing there would look absent.
    fn data<T>(&self, answer: GraphAnswer<T>, has_data: bool) -> Result<T, ApiFailure> {
        let errors: Vec<String> =
            answer.errors.into_iter().flatten().map(|error| error.message.unwrap_or_default()).collect();
        let unknown: Vec<String> = errors.iter().filter_map(|message| refused(message)).map(|u| u.field).collect();
        let has = |words: &[&str]| {
            errors.iter().any(|error| words.iter().any(|words| error.to_ascii_lowercase().contains(words)))
        };
        if has(&["signature has expired", "not authenticated", "invalid token", "error decoding signature"]) {
            return Err(self.not_accepted());
        }
        // Beside data it may be about a part that was only to be shown.
        if !has_data && has(&["permission denied", "not authorized", "do not have permission"]) {
            let said = errors.first().map(|error| self.shown(error));
            return Err(ApiFailure::Forbidden { from: self.tokens.from.clone(), said });
        }
        if !errors.is_empty() && unknown.len() == errors.len() {
            return Err(ApiFailure::Unknown(unknown));
        }
        if !errors.is_empty() {
            return Err(ApiFailure::Errors(errors.iter().take(MESSAGES).map(|error| self.shown(error)).collect()));
        }
        answer.data.ok_or_else(|| ApiFailure::NotTheApi("there is neither data nor an error".to_string()))
    }

    /// Checks everything about an answer but its content.
    fn check(&self, answer: &HttpAnswer) -> Result<(), ApiFailure> {
        let status = answer.status;
        refused_at_all(answer)?;
        match status {
            StatusCode::UNAUTHORIZED => return Err(self.not_accepted()),
            StatusCode::FORBIDDEN if !is_page(answer) => {
                return Err(ApiFailure::Forbidden { from: self.tokens.from.clone(), said: None });
            }
            _ => {}
        }
        if is_page(answer) {
            return Err(ApiFailure::WebPage(what_page(&answer.body)));
        }
        // A refused document may have status 400 and say why.
        if status.is_success() || status == StatusCode::BAD_REQUEST {
            return Ok(());
        }
        Err(ApiFailure::NotTheApi(format!("HTTP {}", status.as_u16())))
    }

    fn not_accepted(&self) -> ApiFailure {
        ApiFailure::NotAccepted { from: self.tokens.from.clone(), renew: self.tokens.renew.clone() }
    }

    /// The header with the access token, which a refresh token is exchanged for first. Requests that need it wait for
    /// one exchange.
    async fn authorization(&self) -> Result<HeaderValue, ApiFailure> {
        let mut access = self.access.lock().await;
        if access.is_none() {
            let token = self.refreshed().await?;
            self.hide(&token);
            *access = Some(token);
        }
        let token = access.as_ref().map(Secret::expose).unwrap_or_default();
        let mut header = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| ApiFailure::NotTheApi("its token has characters that no header can have".to_string()))?;
        header.set_sensitive(true);
        Ok(header)
    }

    /// Exchanges the refresh token for an access token.
    async fn refreshed(&self) -> Result<Secret, ApiFailure> {
        #[derive(Deserialize)]
        struct Refreshed {
            access_token: Option<Secret>,
            error: Option<String>,
        }
        let Some(refresh) = &self.tokens.refresh else { return Err(self.not_accepted()) };
        let mut body = json!({"refresh_token": refresh.expose()});
        if let Some(tenant_id) = &self.tenant_id {
            body["tenant_id"] = json!(tenant_id);
        }
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/auth/refresh", self.origin))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .map_err(|_| ApiFailure::NotTheApi("its url cannot be used".to_string()))?;
        let answer = self.client.send(request, READ).await.map_err(ApiFailure::Http)?;
        refused_at_all(&answer)?;
        if is_page(&answer) {
            return Err(ApiFailure::WebPage(what_page(&answer.body)));
        }
        let refreshed: Option<Refreshed> = serde_json::from_slice(&answer.body).ok();
        match (refreshed, &self.tenant_id) {
            (Some(Refreshed { access_token: Some(token), .. }), _) if answer.status.is_success() => Ok(token),
            (Some(Refreshed { error: Some(error), .. }), Some(tenant_id)) if error == "access_denied" => {
                Err(ApiFailure::OtherTenant { from: self.tokens.from.clone(), tenant_id: tenant_id.clone() })
            }
            (Some(Refreshed { error: Some(_), .. }), _) => Err(self.not_accepted()),
            _ if answer.status == StatusCode::UNAUTHORIZED || answer.status == StatusCode::FORBIDDEN => {
                Err(self.not_accepted())
            }
            _ => Err(ApiFailure::NotTheApi(format!("HTTP {} to a login", answer.status.as_u16()))),
        }
    }
}

/// What every address of a stack may answer in place of an answer: elsewhere, too many requests, an error of the server.
fn refused_at_all(answer: &HttpAnswer) -> Result<(), ApiFailure> {
    if answer.status.is_redirection() {
        return Err(ApiFailure::Redirects);
    }
    if answer.status == StatusCode::TOO_MANY_REQUESTS {
        let after = retry_after(&answer.headers).map(|after| after.as_secs());
        return Err(ApiFailure::TooMany { after });
    }
    if answer.status.is_server_error() {
        return Err(ApiFailure::Server(answer.status.as_u16()));
    }
    Ok(())
}

/// Whether an answer is a page for people: of a proxy, or of the platform's own web site.
fn is_page(answer: &HttpAnswer) -> bool {
    let content =
        answer.headers.get(header::CONTENT_TYPE).and_then(|content| content.to_str().ok()).unwrap_or_default();
    let start = answer.body.iter().position(|b| !b.is_ascii_whitespace()).map(|at| answer.body[at]);
    content.starts_with("text/html") || start == Some(b'<')
}

/// What a page seems to be, in our words.
fn what_page(body: &[u8]) -> &'static str {
    let start = String::from_utf8_lossy(&body[..body.len().min(20_000)]).to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|words| start.contains(words));
    if has(&["log in", "login", "sign in", "signin", "password"]) {
        "a page to log in"
    } else if has(&["proxy", "firewall", "blocked", "captive"]) {
        "it seems to be that of a proxy"
    } else {
        "perhaps that of another web site, or of a proxy"
    }
}

fn not_the_api(answer: &HttpAnswer, error: &serde_json::Error) -> ApiFailure {
    use serde_json::error::Category;
    // The text of the error may quote a value.
    let what = match error.classify() {
        _ if answer.body.is_empty() => "the answer is empty",
        Category::Eof => "the answer is incomplete",
        Category::Syntax | Category::Io => "the answer is not JSON",
        Category::Data => "a part of the answer has another type than expected",
    };
    ApiFailure::NotTheApi(format!("{what}; HTTP {}", answer.status.as_u16()))
}

/// A message of the platform: shortened, on one line, without control characters.
fn shown(message: &str) -> String {
    if message.trim().is_empty() {
        return "no message".to_string();
    }
    text::shorten(&text::line(message.trim()), MESSAGE).into_owned()
}

/// Whether an answer has data beside its errors.
fn has_any_data(body: &[u8]) -> bool {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    answer["data"].as_object().is_some_and(|data| data.values().any(|value| !value.is_null()))
}

/// The name of a document's operation.
fn operation(document: &str) -> &str {
    let lines = document.lines().map(str::trim_start).find(|line| !line.is_empty() && !line.starts_with('#'));
    let name = lines.and_then(|line| line.split_once(' ')).map_or("", |(_, rest)| rest);
    name.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http_client::client::{Proxies, Trust};

    fn stack() -> Stack {
        let origin = Origin::parse("http://127.0.0.1:9").unwrap();
        let client = HttpClient::to(&origin, &Proxies::none(), &Trust::System).unwrap();
        let secret = |text: &str| Some(Secret::new(text.to_string()));
        let tokens = Tokens {
            from: "a test".to_string(),
            access: secret("CANARY-access"),
            refresh: secret("CANARY-refresh"),
            tenant_id: None,
            renew: String::new(),
        };
        Stack::new(origin, client, tokens, Duration::from_millis(1), None)
    }

    /// Also while all permits are in use.
    #[test]
    fn after_too_many_requests_fewer_are_in_flight() {
        let stack = stack();
        for left in [2, 1, 1] {
            let mut used = Vec::new();
            while let Ok(permit) = stack.turns.try_acquire() {
                used.push(permit);
            }
            stack.pause_before_retry(&ApiFailure::TooMany { after: None }, 0).unwrap();
            used.into_iter().for_each(|permit| stack.give_back(permit));
            assert_eq!(stack.turns.available_permits(), left);
        }
    }

    /// "after losing it, it starts no pass and no write".
    #[test]
    fn a_process_that_does_not_lead_sends_no_mutation() {
        let stack = stack().fenced(Some(std::sync::Arc::new(|| false)));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let sent = runtime.block_on(stack.send::<Value>("mutation M { a }", &json!({}), READ));
        assert_eq!(sent.unwrap_err(), ApiFailure::Fenced);
        assert_eq!(stack.calls(), (0, 0));
    }

    /// Also of one that was exchanged, and while another request has it.
    #[test]
    fn no_message_quotes_a_token() {
        let stack = stack();
        stack.hide(&Secret::new("CANARY-new".to_string()));
        let _held = stack.access.try_lock().unwrap();
        let shown = stack.shown("CANARY-access, CANARY-refresh and CANARY-new");
        assert_eq!(shown, "…, … and …");
    }
}
