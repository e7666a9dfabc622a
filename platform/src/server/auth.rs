//! Requests for tokens: both flows of the official tools.

use super::pipeline::answered;
use super::{Shared, locked};
use crate::requests::TokenRequest;
use crate::tokens::Denied;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use std::sync::Arc;

/// Exchanges a refresh token, given as JSON.
pub(super) async fn refresh(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| request.get(name).and_then(Value::as_str).map(str::to_string);
    exchange(&shared, "/auth/refresh", text("refresh_token"), text("tenant_id")).await
}

/// Exchanges a refresh token, given as a form.
pub(super) async fn oauth_token(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let form = form(&String::from_utf8_lossy(&body));
    let text = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let refresh = text("refresh_token").filter(|_| text("grant_type").as_deref() == Some("refresh_token"));
    exchange(&shared, "/oauth/token", refresh, text("tenant_id")).await
}

async fn exchange(shared: &Shared, path: &str, refresh: Option<String>, tenant_id: Option<String>) -> Response {
    let wanted = tenant_id.clone();
    let work = || {
        let mut tokens = locked(&shared.tokens);
        match tokens.exchange(refresh.as_deref(), wanted.as_deref()) {
            Ok(token) => {
                let lifetime = tokens.lifetime();
                (200, json!({"access_token": token, "expires_in": lifetime, "scope": "openid", "token_type": "Bearer"}))
            }
            Err(Denied::Grant) => {
                (403, json!({"error": "invalid_grant", "error_description": "Unknown or invalid refresh token."}))
            }
            Err(Denied::Tenant) => {
                let text = "You do not have access to the specified tenant.";
                (403, json!({"error": "access_denied", "error_description": text}))
            }
        }
    };
    logged(shared, path, tenant_id, work).await
}

/// Says where the other flow gets its tokens: from here.
pub(super) async fn meta(State(shared): State<Arc<Shared>>) -> Response {
    let work = || {
        let audience = format!("{}/api", shared.origin());
        (200, json!({"domain": shared.address.to_string(), "clientId": "stablekey-platform", "audience": audience}))
    };
    logged(&shared, "/auth/meta", None, work).await
}

/// Revokes the refresh tokens of the user.
pub(super) async fn revoke(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let work = || {
        locked(&shared.tokens).revoke(request["refresh_token"].as_str());
        (200, json!({}))
    };
    logged(&shared, "/auth/revoke", None, work).await
}

async fn logged(
    shared: &Shared,
    path: &str,
    tenant_id: Option<String>,
    work: impl FnOnce() -> (u16, Value),
) -> Response {
    let work = || {
        let (status, json) = work();
        (status, json.to_string())
    };
    let response = answered(shared, path, false, None, work).await;
    let request = TokenRequest { path: path.to_string(), tenant_id, status: response.status().as_u16() };
    locked(&shared.token_requests).push(request);
    response
}

/// Decodes a form.
fn form(body: &str) -> Vec<(String, String)> {
    let pair = |part: &str| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        (decoded(key), decoded(value))
    };
    body.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        let code = tail
            .get(..2)
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        rest = match (byte, code) {
            (b'%', Some(code)) => {
                bytes.push(code);
                &tail[2..]
            }
            (byte, _) => {
                bytes.push(if *byte == b'+' { b' ' } else { *byte });
                tail
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::form;

    #[test]
    fn forms_are_decoded() {
        let pairs = form("grant_type=refresh_token&refresh_token=a%2Bb+c%&x");
        let pairs: Vec<_> = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("grant_type", "refresh_token"), ("refresh_token", "a+b c%"), ("x", "")]);
    }
}
