//! HTTP to one origin: with one time limit for a request and its answer, bounded answers, no redirects, and proxies as
//! the environment says. Plain HTTP is for this machine only, and never goes through a proxy.

use super::origin::Origin;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioExecutor;
use std::error::Error;
use std::time::Duration;

/// Maximum size of an answer, in bytes.
pub(super) const LARGEST: usize = 64 * 1024 * 1024;
/// How long an idle connection is kept. A server that closes it first makes the next request a lost answer.
const IDLE: Duration = Duration::from_secs(20);
/// The time limit for opening a connection.
const CONNECTING: Duration = Duration::from_secs(10);

/// A client for one origin.
pub(super) enum Transport {
    Plain(Client<HttpConnector, Full<Bytes>>),
    Tls(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
    Tunnelled(Client<HttpsConnector<Tunnel<HttpConnector>>, Full<Bytes>>),
}

/// The answer to a request.
pub(super) struct HttpAnswer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HttpFailure {
    /// The request was not sent.
    #[error("it cannot be reached: {0}")]
    NotSent(String),
    /// The request was sent, and the connection broke before the answer was complete.
    #[error("the connection broke before the answer was complete: {0}")]
    NoAnswer(String),
    /// The answer took too long, or its bytes came too slowly.
    #[error("it did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The answer is too large.
    #[error("its answer is larger than {} MiB", LARGEST >> 20)]
    TooLarge,
}

impl Transport {
    /// Creates a client for an origin. `Err` says why there can be none: there are no trusted roots, for example.
    pub(super) fn to(origin: &Origin, proxies: &Matcher) -> Result<Self, String> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECTING));
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_idle_timeout(IDLE);
        builder.pool_timer(hyper_util::rt::TokioTimer::new());
        if !origin.is_https() {
            return Ok(Transport::Plain(builder.build(connector)));
        }
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let tls = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider);
        let tls = tls.map_err(|error| {
            format!("no certificate authority is trusted here: {error}; install ca-certificates, or set SSL_CERT_FILE")
        })?;
        let tls = tls.https_only().enable_http1();
        let uri: Uri = origin.to_string().parse().map_err(|_| "its url cannot be used".to_string())?;
        // What runs on this machine is reached directly: a proxy elsewhere would see the token, and reach another machine.
        Ok(match proxies.intercept(&uri).filter(|_| !origin.is_loopback()) {
            None => Transport::Tls(builder.build(tls.wrap_connector(connector))),
            Some(proxy) if proxy.uri().scheme_str() != Some("http") => {
                let scheme = proxy.uri().scheme_str().unwrap_or_default();
                return Err(format!(
                    "the proxy of the environment is {scheme}://…: only proxies over http:// are used"
                ));
            }
            Some(proxy) => {
                let mut tunnel = Tunnel::new(proxy.uri().clone(), connector);
                if let Some(authorization) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(authorization.clone());
                }
                Transport::Tunnelled(builder.build(tls.wrap_connector(tunnel)))
            }
        })
    }

    /// Sends a request and reads the whole answer, within one time limit for both.
    pub(super) async fn send(&self, request: Request<Full<Bytes>>, limit: Duration) -> Result<HttpAnswer, HttpFailure> {
        match tokio::time::timeout(limit, self.exchange(request)).await {
            Ok(result) => result,
            Err(_) => Err(HttpFailure::TimedOut(limit)),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<HttpAnswer, HttpFailure> {
        let answer = match self {
            Transport::Plain(client) => client.request(request).await,
            Transport::Tls(client) => client.request(request).await,
            Transport::Tunnelled(client) => client.request(request).await,
        };
        let answer = answer.map_err(|error| match error.is_connect() {
            true => HttpFailure::NotSent(cause(&error)),
            false => HttpFailure::NoAnswer(cause(&error)),
        })?;
        let (parts, body) = answer.into_parts();
        let too_long = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if too_long.is_some_and(|length: u64| length > LARGEST as u64) {
            return Err(HttpFailure::TooLarge);
        }
        let body = Limited::new(body, LARGEST).collect().await.map_err(|error| {
            match error.downcast_ref::<LengthLimitError>() {
                Some(_) => HttpFailure::TooLarge,
                None => HttpFailure::NoAnswer(cause(&*error)),
            }
        })?;
        Ok(HttpAnswer { status: parts.status, headers: parts.headers, body: body.to_bytes() })
    }
}

/// The cause of an error, in words that say what to do where the cause is a certificate or a name.
fn cause(error: &(dyn Error + 'static)) -> String {
    let mut texts = vec![error.to_string()];
    let mut next = error.source();
    while let Some(error) = next {
        texts.push(error.to_string());
        next = error.source();
    }
    let has = |words: &str| texts.iter().any(|text| text.contains(words));
    if let Some(text) = texts.iter().find(|text| text.contains("invalid peer certificate")) {
        let reason = text.rsplit("invalid peer certificate: ").next().unwrap_or_default();
        return format!(
            "its certificate is not accepted ({}); if a proxy or the platform itself has a certificate authority of its \
             own, set SSL_CERT_FILE to a file with that authority's certificate",
            crate::text::shorten(&crate::text::line(reason), 200)
        );
    }
    if has("tunnel error") || has("ProxyAuthRequired") || has("TunnelUnsuccessful") {
        return "the proxy of HTTPS_PROXY does not open a tunnel to it: see that its address and password are right, or \
                add the host to NO_PROXY"
            .to_string();
    }
    if has("received corrupt message") || has("InvalidMessage") || has("InvalidContentType") || has("tls handshake eof")
    {
        return "what answers there does not speak TLS: see that the url, and HTTPS_PROXY if it is set, are right"
            .to_string();
    }
    if has("dns error") || has("failed to lookup address") {
        return "its name cannot be resolved: see that the url is right and that this machine is online".to_string();
    }
    let last = texts.last().map(String::as_str).unwrap_or_default();
    crate::text::shorten(&crate::text::line(last), 200).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::time::Instant;

    const SHORT: Duration = Duration::from_millis(300);

    /// Answers one request in this way, on a port of this machine.
    fn answering(answer: impl FnOnce(std::net::TcpStream) + Send + 'static) -> Origin {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = Origin::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            answer(stream);
        });
        origin
    }

    fn send(origin: &Origin, limit: Duration) -> Result<HttpAnswer, HttpFailure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let transport = Transport::to(origin, &Matcher::builder().build()).unwrap();
        let request = Request::post(format!("{origin}/api")).body(Full::new(Bytes::from("{}"))).unwrap();
        runtime.block_on(transport.send(request, limit))
    }

    fn failure(origin: &Origin) -> HttpFailure {
        send(origin, SHORT).err().unwrap()
    }

    /// "time-outs that cover a dripping body": head and body have one limit.
    #[test]
    fn a_dripping_answer_ends_at_the_time_limit() {
        let drip = |text: &'static [u8]| {
            move |mut stream: std::net::TcpStream| {
                for byte in text.iter().cycle().take(100_000) {
                    if stream.write_all(&[*byte]).and_then(|()| stream.flush()).is_err() {
                        return;
                    }
                    std::thread::park_timeout(Duration::from_millis(20));
                }
            }
        };
        for origin in [
            answering(drip(b"HTTP/1.1 200 OK\r\nX: ")),
            answering(move |mut stream| {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
                drip(b" ")(stream);
            }),
        ] {
            let begin = Instant::now();
            assert_eq!(failure(&origin), HttpFailure::TimedOut(SHORT));
            assert!(begin.elapsed() < Duration::from_secs(20));
        }
    }

    /// "bounded answers".
    #[test]
    fn an_answer_that_is_too_large_is_not_read() {
        let origin = answering(|mut stream| {
            let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", LARGEST + 1).as_bytes());
            std::thread::park_timeout(Duration::from_secs(5));
        });
        assert_eq!(failure(&origin), HttpFailure::TooLarge);
        let origin = answering(|mut stream| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            let chunk = [b" ".repeat(1 << 20), b"\r\n".to_vec()].concat();
            while stream.write_all(b"100000\r\n").and_then(|()| stream.write_all(&chunk)).is_ok() {}
        });
        assert_eq!(send(&origin, Duration::from_secs(60)).err(), Some(HttpFailure::TooLarge));
    }

    #[test]
    fn a_request_that_was_not_sent_is_told_from_a_lost_answer() {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(matches!(failure(&Origin::parse(&format!("http://{nobody}")).unwrap()), HttpFailure::NotSent(_)));
        assert!(matches!(failure(&answering(drop)), HttpFailure::NoAnswer(_)));
        let cut = answering(|mut stream| drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"da")));
        assert!(matches!(failure(&cut), HttpFailure::NoAnswer(_)));
    }

    #[test]
    fn a_redirect_is_an_answer_and_not_followed() {
        let origin = answering(|mut stream| {
            let _ =
                stream.write_all(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
        });
        assert_eq!(send(&origin, SHORT).unwrap().status, StatusCode::FOUND);
    }
}
