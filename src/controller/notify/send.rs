//! One message to one destination, and what the answer means. Nothing of an answer is quoted.

use super::delivered::Delivery;
use super::destination::{Address, Destination, ForgeAccess, Receiver};
use super::fact::CommitFact;
use super::message::{self, From};
use crate::forge::{CommitStatus, ForgeError, GitHub, GitLab};
use crate::git::url::GitUrl;
use crate::http_client::client::{HttpClient, HttpFailure, Proxies, Trust};
use crate::secret::Secret;
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::Full;
use ring::hmac;
use serde_json::Value;
use std::time::Duration;
use tokio::task::spawn_blocking;

/// The time limit of one request.
const LIMIT: Duration = Duration::from_secs(10);
/// The longest wait that a destination may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Why a message was not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SendFailure {
    /// This message will never be accepted; others may.
    Refused(String),
    /// The destination does not accept anything now: try again, not before the time that it asks for.
    NotNow { why: String, after: Option<Duration>, may_have_arrived: bool },
}

fn not_now(why: impl ToString) -> SendFailure {
    SendFailure::NotNow { why: why.to_string(), after: None, may_have_arrived: false }
}

fn no_answer(failure: HttpFailure) -> SendFailure {
    let may_have_arrived = !matches!(failure, HttpFailure::NotSent(_) | HttpFailure::Certificate(_));
    SendFailure::NotNow { why: failure.to_string(), after: None, may_have_arrived }
}

/// Sends a message.
pub(super) async fn send(to: &Destination, delivery: &Delivery, namespace: &str, at: &str) -> Result<(), SendFailure> {
    let from = From { namespace, cluster: to.cluster.as_deref() };
    match &to.to {
        Receiver::Webhook { address, token, secret } => {
            let body = message::generic(delivery, &from, at);
            post(address, &body, delivery, token.as_ref(), secret.as_ref()).await
        }
        Receiver::Slack { address } => post(address, &message::slack(delivery, &from), delivery, None, None).await,
        Receiver::Forge(access) => {
            let Some(commit) = delivery.fact.commit.clone() else { return Ok(()) };
            let (name, description) = message::commit_status(delivery, &from);
            write_status(access, commit, name, description).await
        }
    }
}

async fn post(
    address: &Address,
    body: &Value,
    delivery: &Delivery,
    token: Option<&Secret>,
    secret: Option<&Secret>,
) -> Result<(), SendFailure> {
    let variable = |name: &str| std::env::var(name).ok();
    let client = HttpClient::to(&address.origin, &Proxies::of(&variable), &Trust::System).map_err(not_now)?;
    let body = Bytes::from(body.to_string());
    let mut request = Request::post(address.url.expose())
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, concat!("stablekey/", env!("CARGO_PKG_VERSION")))
        .header("idempotency-key", &delivery.id);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, sensitive(&format!("Bearer {}", token.expose()))?);
    }
    if let Some(secret) = secret {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
        let tag = hmac::sign(&key, &body);
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        request = request.header("x-stablekey-signature-256", format!("sha256={hex}"));
    }
    let request = request.body(Full::new(body)).map_err(|_| not_now("its address cannot be sent to"))?;
    let answer = client.send(request, LIMIT).await.map_err(no_answer)?;
    let after = answer.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let after = after.map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT));
    let why = format!("it answered {}", answer.status.as_u16());
    match answer.status {
        status if status.is_success() => Ok(()),
        // These are about this message.
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            Err(SendFailure::Refused(why))
        }
        status if status.is_redirection() => Err(not_now(format!("{why}, and no redirect is followed"))),
        _ => Err(SendFailure::NotNow { why, after, may_have_arrived: false }),
    }
}

fn sensitive(text: &str) -> Result<HeaderValue, SendFailure> {
    let mut value = HeaderValue::from_str(text).map_err(|_| not_now("its token has characters that no header has"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Writes the status of a commit.
async fn write_status(
    access: &ForgeAccess,
    commit: CommitFact,
    name: String,
    description: String,
) -> Result<(), SendFailure> {
    let url = GitUrl::parse(&commit.url).map_err(|error| SendFailure::Refused(error.to_string()))?;
    let path = url.path_of_repository();
    let (is_github, api, token) = (access.is_github, access.api.clone(), access.token.clone());
    let written = spawn_blocking(move || {
        let CommitFact { commit, state, .. } = &commit;
        let status = CommitStatus { commit, state: *state, name: &name, description: &description };
        match is_github {
            true => GitHub::new(&api, &path, &token)?.status(&status),
            false => GitLab::new(&api, &path, &token)?.status(&status),
        }
    });
    match written.await {
        Ok(Ok(())) => Ok(()),
        // About this repository, or this commit: the others can still have their statuses.
        Ok(Err(error @ (ForgeError::Forbidden { .. } | ForgeError::Refused { status: 400..=499, .. }))) => {
            Err(SendFailure::Refused(error.to_string()))
        }
        Ok(Err(ForgeError::Limited(wait))) => {
            let why = ForgeError::Limited(wait).to_string();
            Err(SendFailure::NotNow { why, after: Some(wait.min(LONGEST_WAIT)), may_have_arrived: false })
        }
        Ok(Err(error)) => Err(not_now(error)),
        Err(_) => Err(not_now("internal error: report it, with the last lines of the log")),
    }
}
