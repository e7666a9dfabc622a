//! One message to one destination, and what the answer means. Nothing of an answer is quoted, and its body is not read.

use super::delivered::Delivery;
use super::destination::{Destination, Receiver};
use super::message::{self, From};
use crate::forge::CommitStatus;
use crate::git::url::GitUrl;
use crate::http_client::client::{HttpClient, HttpFailure, Proxies, Trust, retry_after};
use crate::secret::Secret;
use bytes::Bytes;
use http::request::Builder;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body_util::Full;
use ring::hmac;
use std::time::Duration;

/// The time limit of one request.
const LIMIT: Duration = Duration::from_secs(10);
/// When a server's limit of requests is over that says nothing about it.
const LIMITED: Duration = Duration::from_secs(600);

/// Why a message was not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SendFailure {
    /// This message will never be accepted; others may.
    Refused(String),
    /// It is not accepted now.
    NotNow {
        why: String,
        may_have_arrived: bool,
        /// Others may be accepted: it has an answer of its own.
        is_about_message: bool,
        /// How long the destination asks to wait.
        after: Option<Duration>,
    },
}

fn not_sent(why: impl ToString) -> SendFailure {
    SendFailure::NotNow { why: why.to_string(), may_have_arrived: false, is_about_message: false, after: None }
}

fn no_answer(failure: HttpFailure) -> SendFailure {
    let may_have_arrived = failure.may_have_arrived();
    SendFailure::NotNow { why: failure.to_string(), may_have_arrived, is_about_message: false, after: None }
}

/// Sends messages to one destination.
pub(super) struct Sender(HttpClient);

impl Sender {
    pub(super) fn to(destination: &Destination) -> Result<Self, SendFailure> {
        let variable = |name: &str| std::env::var(name).ok();
        let client = HttpClient::to(&destination.to.address().origin, &Proxies::of(&variable), &Trust::System);
        client.map(Sender).map_err(not_sent)
    }

    /// Sends a message.
    pub(super) async fn send(
        &self,
        to: &Destination,
        delivery: &Delivery,
        namespace: &str,
        at: &str,
    ) -> Result<(), SendFailure> {
        let from = From { namespace, cluster: to.cluster.as_deref() };
        match &to.to {
            Receiver::Webhook { address, token, secret } => {
                let body = Bytes::from(message::generic(delivery, &from, at).to_string());
                let mut request = post(address.url.expose()).header("idempotency-key", &delivery.id);
                if let Some(token) = token {
                    request = sensitive(request, "authorization", &format!("Bearer {}", token.expose()))?;
                }
                if let Some(secret) = secret {
                    request = request.header("x-stablekey-signature-256", signature(secret, &body));
                }
                self.judged(request, body).await
            }
            Receiver::Slack { address } => {
                let body = Bytes::from(message::slack(delivery, &from).to_string());
                self.judged(post(address.url.expose()), body).await
            }
            Receiver::Forge(access) => {
                let Some(of) = &delivery.fact.commit else { return Ok(()) };
                let url = GitUrl::parse(&of.url).map_err(|error| SendFailure::Refused(error.to_string()))?;
                let (name, description) = message::commit_status(delivery, &from);
                let status =
                    CommitStatus { commit: &of.commit, state: of.state, name: &name, description: &description };
                let repository = url.path_of_repository();
                let request = match access.is_github {
                    true => status.to_github(&repository, &access.token),
                    false => status.to_gitlab(&repository, &access.token),
                };
                let api = access.address.url.expose().trim_end_matches('/');
                let (name, value) = &request.token;
                let with_token = sensitive(post(&format!("{api}{}", request.path)), name, value.expose())?;
                let (code, headers) = self.answer(with_token, Bytes::from(request.body.to_string())).await?;
                if status.is_written(code, access.is_github) { Ok(()) } else { Err(refusal(code, &headers)) }
            }
        }
    }

    async fn judged(&self, request: Builder, body: Bytes) -> Result<(), SendFailure> {
        let (code, headers) = self.answer(request, body).await?;
        if code.is_success() { Ok(()) } else { Err(refusal(code, &headers)) }
    }

    async fn answer(&self, request: Builder, body: Bytes) -> Result<(StatusCode, HeaderMap), SendFailure> {
        let request = request.body(Full::new(body)).map_err(|_| not_sent("its address cannot be sent to"))?;
        self.0.head(request, LIMIT).await.map_err(no_answer)
    }
}

fn post(url: &str) -> Builder {
    Request::post(url)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, concat!("stablekey/", env!("CARGO_PKG_VERSION")))
}

/// The signature of a body, in the form of GitHub's webhooks.
fn signature(secret: &Secret, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let hex: String = hmac::sign(&key, body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

fn sensitive(request: Builder, name: &str, text: &str) -> Result<Builder, SendFailure> {
    let mut value = HeaderValue::from_str(text).map_err(|_| not_sent("its token has characters that no header has"))?;
    value.set_sensitive(true);
    Ok(request.header(name, value))
}

/// What an answer means that is no success.
fn refusal(code: StatusCode, headers: &HeaderMap) -> SendFailure {
    let why = match code.is_redirection() {
        true => format!("it answered {}, and no redirect is followed", code.as_u16()),
        false => format!("it answered {}", code.as_u16()),
    };
    let after = retry_after(headers);
    let is_used_up = headers.get("x-ratelimit-remaining").is_some_and(|left| left == "0");
    match code {
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            SendFailure::Refused(why)
        }
        StatusCode::TOO_MANY_REQUESTS => {
            SendFailure::NotNow { why, may_have_arrived: false, is_about_message: false, after }
        }
        StatusCode::FORBIDDEN if after.is_some() || is_used_up => {
            let after = after.or(Some(LIMITED));
            SendFailure::NotNow { why, may_have_arrived: false, is_about_message: false, after }
        }
        // A server before it may have passed the message on.
        code => {
            let may_have_arrived = code.is_server_error() || code == StatusCode::REQUEST_TIMEOUT;
            SendFailure::NotNow { why, may_have_arrived, is_about_message: after.is_none(), after }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_about_the_message_or_about_the_destination() {
        let of = |code: u16, headers: &[(&'static str, &str)]| {
            let headers = headers
                .iter()
                .map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
            match refusal(StatusCode::from_u16(code).unwrap(), &headers.collect()) {
                SendFailure::Refused(why) => format!("refused: {why}"),
                SendFailure::NotNow { may_have_arrived, is_about_message, after, .. } => {
                    let parts = [(may_have_arrived, "perhaps"), (is_about_message, "message")];
                    let words: Vec<&str> = parts.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
                    format!("{} {}", words.join(" "), after.map_or(0, |after| after.as_secs()))
                }
            }
        };
        assert_eq!(of(400, &[]), "refused: it answered 400");
        assert_eq!(of(422, &[]), "refused: it answered 422");
        assert_eq!(of(404, &[]), "message 0");
        assert_eq!(of(403, &[]), "message 0");
        assert_eq!(of(403, &[("retry-after", "9")]), " 9");
        assert_eq!(of(403, &[("x-ratelimit-remaining", "0")]), " 600");
        assert_eq!(of(429, &[]), " 0");
        assert_eq!(of(429, &[("retry-after", "99999")]), " 3600");
        assert_eq!(of(500, &[]), "perhaps message 0");
        assert_eq!(of(503, &[("retry-after", "5")]), "perhaps 5");
        assert_eq!(of(302, &[]), "message 0");
    }
}
