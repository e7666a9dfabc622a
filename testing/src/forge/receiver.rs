//! A server that receives notifications: at `/slack`, as Slack's incoming webhooks do, and at every other path, as a
//! program of one's own does.

use super::server::{Answer, Api, Call, Exchange, Fault, Server};
use serde_json::Value;
use std::sync::Arc;

/// The receiver.
pub struct WebhookReceiver {
    server: Server,
}

struct Receiving;

impl Api for Receiving {
    fn answer(&self, call: &Call) -> Answer {
        let is_slack = call.path.first().is_some_and(|part| part == "slack");
        let message: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        match (call.method.as_str(), is_slack) {
            // Slack answers in plain text.
            ("POST", true) if message["text"].as_str().is_some_and(|text| !text.is_empty()) => {
                Answer::bytes("text/html", "ok")
            }
            ("POST", true) => Answer { status: 400, ..Answer::bytes("text/html", "no_text") },
            ("POST", false) => Answer::empty(204),
            _ => Answer::empty(405),
        }
    }

    fn failure(&self, fault: Fault) -> Answer {
        match fault {
            Fault::BadCredentials => Answer::empty(401),
            Fault::Forbidden => Answer { status: 403, ..Answer::bytes("text/html", "invalid_token") },
            Fault::SecondaryLimit { status, retry_after } => {
                let answer = Answer { status, ..Answer::bytes("text/html", "rate_limited") };
                retry_after.into_iter().fold(answer, |answer, seconds| answer.with("retry-after", seconds))
            }
            Fault::PrimaryLimit { .. } => Answer::empty(429),
            Fault::Status(status) => Answer::empty(status),
            Fault::Cut | Fault::CutAfter => Answer::empty(500),
        }
    }
}

impl WebhookReceiver {
    /// Starts it.
    pub fn start() -> Self {
        WebhookReceiver { server: Server::start(|_| Arc::new(Receiving)) }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        self.server.url()
    }

    /// Makes the next requests to paths with this text fail.
    pub fn fail(&self, path: &str, fault: Fault, times: usize) {
        self.server.fail("POST", path, fault, times);
    }

    /// The requests to paths that contain a text, with their answers.
    pub fn exchanges(&self, path: &str) -> Vec<Exchange> {
        let mut exchanges = self.server.exchanges();
        exchanges.retain(|exchange| exchange.path.contains(path));
        exchanges
    }

    /// The messages that were accepted at paths that contain a text.
    pub fn messages(&self, path: &str) -> Vec<Value> {
        let accepted = |exchange: &Exchange| exchange.status.is_some_and(|status| status.is_success());
        self.exchanges(path).iter().filter(|exchange| accepted(exchange)).map(Exchange::json).collect()
    }
}
