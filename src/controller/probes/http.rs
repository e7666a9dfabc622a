//! The endpoints for kubelet and Prometheus: `/healthz`, `/readyz` and `/metrics`. Bodies are never read, and no answer is
//! secret. Metrics name tenants, so they can require a token.

use super::liveness::HeartbeatMonitor;
use super::readiness::Readiness;
use crate::controller::bearer::{Denied, TokenFile};
use crate::controller::http_server;
use crate::controller::metrics::Metrics;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use std::future::ready;
use std::time::Duration;
use tokio::net::TcpListener;

/// The timeout of a connection.
const WHOLE: Duration = Duration::from_secs(30);

const TEXT: &str = "text/plain; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything that the endpoints report.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    pub heartbeats: HeartbeatMonitor,
    pub readiness: Readiness,
    pub metrics: Metrics,
    /// The token for the metrics. Without one, everybody may read them.
    pub metrics_token: Option<TokenFile>,
}

impl Health {
    /// Serves requests until it is dropped.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let answer = move |request: Request<Incoming>| {
            ready(self.answer_to(request.method(), request.uri().path(), request.headers()))
        };
        http_server::serve(listener, WHOLE, answer).await;
    }

    fn answer_to(&self, method: &Method, path: &str, headers: &HeaderMap) -> Response<String> {
        let of = |(well, text): (bool, String)| {
            (if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, TEXT, text)
        };
        let (status, content, text) = match path {
            _ if method != Method::GET && method != Method::HEAD => {
                (StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n".to_string())
            }
            "/healthz" => of(self.heartbeats.report()),
            "/readyz" => of(self.readiness.report()),
            "/metrics" => match self.metrics_token.as_ref().map_or(Ok(()), |token| token.admits(headers)) {
                Ok(()) => (StatusCode::OK, OPEN_METRICS, self.metrics.text()),
                Err(Denied::Unauthorized) => {
                    (StatusCode::UNAUTHORIZED, TEXT, "metrics take a bearer token\n".to_string())
                }
                Err(Denied::NoToken) => {
                    let text = "the file of --metrics-token-file holds no token\n".to_string();
                    (StatusCode::SERVICE_UNAVAILABLE, TEXT, text)
                }
            },
            _ => (StatusCode::NOT_FOUND, TEXT, "there is /healthz, /readyz and /metrics\n".to_string()),
        };
        let mut answer = Response::new(text);
        *answer.status_mut() = status;
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content));
        if status == StatusCode::UNAUTHORIZED {
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::http_server::{CONNECTIONS, LARGEST_HEAD};
    use std::io::{Read as _, Write as _};
    use tokio::net::TcpStream;

    async fn listening(health: Health) -> std::net::SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(health.serve(listener));
        address
    }

    async fn say(address: std::net::SocketAddr, words: &str) -> String {
        let words = words.to_string();
        let said = tokio::task::spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            let mut answer = Vec::new();
            // The server may close the connection while the client still sends.
            let _ = stream.write_all(words.as_bytes()).and_then(|()| stream.read_to_end(&mut answer).map(drop));
            String::from_utf8(answer).unwrap()
        });
        said.await.unwrap()
    }

    async fn get(address: std::net::SocketAddr, path: &str) -> String {
        say(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await
    }

    #[tokio::test]
    async fn probes_answer_with_the_current_state() {
        let health = Health::default();
        health.readiness.stands_by(crate::controller::Role::Syncer);
        let address = listening(health.clone()).await;
        assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200 OK\r\n"));
        let waiting = health.readiness.waits("syncer", "the Lease");
        let answer = get(address, "/readyz").await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.ends_with("\r\n\r\nsyncer: waits for the Lease\n"), "{answer}");
        drop(waiting);
        assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200 "));
        let stuck = health.heartbeats.of("binder", Duration::ZERO);
        assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 503 "));
        drop(stuck);
        let metrics = get(address, "/metrics").await;
        assert!(metrics.contains("content-type: application/openmetrics-text; version=1.0.0"), "{metrics}");
        assert!(metrics.ends_with("# EOF\n"), "{metrics}");
    }

    #[tokio::test]
    async fn metrics_can_take_a_token_and_probes_never_do() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let health = Health { metrics_token: Some(TokenFile::new(file.clone())), ..Health::default() };
        health.readiness.stands_by(crate::controller::Role::Syncer);
        let address = listening(health).await;
        let with =
            async |header: &str| say(address, &format!("GET /metrics HTTP/1.1\r\nHost: x\r\n{header}\r\n")).await;
        let answer = with("Authorization: Bearer \r\n").await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        std::fs::write(file, "right").unwrap();
        for header in ["", "Authorization: Bearer wrong\r\n", "Authorization: Basic right\r\n"] {
            let answer = with(header).await;
            assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("www-authenticate: Bearer\r\n"), "{answer}");
            assert!(!answer.contains("stablekey_"), "{answer}");
        }
        let answer = with("Authorization: Bearer right\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("# EOF\n"), "{answer}");
        for probe in ["/healthz", "/readyz"] {
            assert!(get(address, probe).await.starts_with("HTTP/1.1 200 "), "{probe}");
        }
    }

    #[tokio::test]
    async fn other_requests_are_refused() {
        let address = listening(Health::default()).await;
        assert!(get(address, "/").await.starts_with("HTTP/1.1 404 "));
        let posted = say(address, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n").await;
        assert!(posted.starts_with("HTTP/1.1 405 "), "{posted}");
        let large = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(2 * LARGEST_HEAD));
        assert!(!say(address, &large).await.starts_with("HTTP/1.1 200 "));
        assert!(!say(address, "no HTTP at all\r\n\r\n").await.starts_with("HTTP/1.1 200 "));
    }

    #[tokio::test]
    async fn silent_clients_do_not_block_others() {
        let address = listening(Health::default()).await;
        let mut silent = Vec::new();
        for _ in 1..CONNECTIONS {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200 "));
    }
}
