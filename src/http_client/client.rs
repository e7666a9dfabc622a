//! HTTP to one origin: with one time limit for a request and its answer, bounded answers, no redirects, and proxies as
//! the environment says. Plain HTTP never goes through a proxy; whether it is allowed at all, the caller decides.

use super::origin::Origin;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// Maximum size of an answer, in bytes.
pub(crate) const LARGEST: usize = 64 * 1024 * 1024;
/// How long an idle connection is kept. A server that closes it first makes the next request a lost answer.
const IDLE: Duration = Duration::from_secs(20);
/// The time limit for opening a connection.
const CONNECTING: Duration = Duration::from_secs(10);
/// The longest that a server can make a client wait.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// A client for one origin.
pub(crate) enum HttpClient {
    Plain(Client<HttpConnector, Full<Bytes>>),
    Tls(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
    Tunnelled(Client<HttpsConnector<Tunnel<HttpConnector>>, Full<Bytes>>),
}

/// The answer to a request.
pub(crate) struct HttpAnswer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HttpFailure {
    /// The request was not sent.
    #[error("it cannot be reached: {0}")]
    NotSent(String),
    /// The request was not sent: no authority that is trusted signed the certificate, or it is for another name. This is
    /// the reason, without the advice.
    #[error(
        "it cannot be reached: its certificate is not accepted ({0}); if a proxy or the platform itself has a certificate \
         authority of its own, set SSL_CERT_FILE to a file with that authority's certificate"
    )]
    Certificate(String),
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

impl HttpFailure {
    /// Whether the request may have arrived, although there is no answer.
    pub(crate) fn may_have_arrived(&self) -> bool {
        match self {
            HttpFailure::NotSent(_) | HttpFailure::Certificate(_) => false,
            HttpFailure::NoAnswer(_) | HttpFailure::TimedOut(_) | HttpFailure::TooLarge => true,
        }
    }
}

/// The proxies of the environment.
#[derive(Debug)]
pub struct Proxies(Matcher);

impl Proxies {
    /// The proxies that these environment variables name.
    pub fn of(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let of =
            |upper: &str, lower: &str| variable(lower).or_else(|| variable(upper)).filter(|value| !value.is_empty());
        let mut builder = Matcher::builder();
        if let Some(all) = of("ALL_PROXY", "all_proxy") {
            builder = builder.all(all);
        }
        if let Some(https) = of("HTTPS_PROXY", "https_proxy") {
            builder = builder.https(https);
        }
        if let Some(no) = of("NO_PROXY", "no_proxy") {
            builder = builder.no(no);
        }
        Proxies(builder.build())
    }

    /// No proxy.
    pub fn none() -> Self {
        Proxies(Matcher::builder().build())
    }
}

/// Whose certificates a client accepts.
#[derive(Debug)]
pub(crate) enum Trust {
    /// Those of the authorities that the system trusts.
    System,
    /// Those of these authorities, and no others.
    Only(Authorities),
}

/// Certificate authorities.
#[derive(Clone, Debug)]
pub struct Authorities(Arc<RootCertStore>);

/// Why a text names no certificate authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthoritiesError {
    #[error("it has no certificate in it: a PEM file begins with -----BEGIN CERTIFICATE-----")]
    None,
    #[error("a certificate in it cannot be read: give the authority's certificate as PEM, whole")]
    Unreadable,
}

impl Authorities {
    /// Reads the certificates of a PEM file.
    pub fn parse(pem: &[u8]) -> Result<Self, AuthoritiesError> {
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| AuthoritiesError::Unreadable)?;
            store.add(certificate).map_err(|_| AuthoritiesError::Unreadable)?;
        }
        if store.is_empty() { Err(AuthoritiesError::None) } else { Ok(Authorities(Arc::new(store))) }
    }
}

impl HttpClient {
    /// Creates a client for an origin. `Err` says why there can be none: there are no trusted roots, for example.
    pub(crate) fn to(origin: &Origin, proxies: &Proxies, trust: &Trust) -> Result<Self, String> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECTING));
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_idle_timeout(IDLE);
        builder.pool_timer(hyper_util::rt::TokioTimer::new());
        if !origin.is_https() {
            return Ok(HttpClient::Plain(builder.build(connector)));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder_of_tls = HttpsConnectorBuilder::new();
        let tls = match trust {
            Trust::System => builder_of_tls.with_provider_and_native_roots(provider).map_err(|error| {
                format!(
                    "no certificate authority is trusted here: {error}; install ca-certificates, or set SSL_CERT_FILE"
                )
            })?,
            Trust::Only(Authorities(roots)) => {
                let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
                let config = config.map_err(|error| format!("TLS cannot be used: {error}"))?;
                builder_of_tls.with_tls_config(config.with_root_certificates(roots.clone()).with_no_client_auth())
            }
        };
        let tls = tls.https_only().enable_http1();
        let uri: Uri = origin.to_string().parse().map_err(|_| "its url cannot be used".to_string())?;
        // What runs on this machine is reached directly: a proxy elsewhere would see the token, and reach another machine.
        Ok(match proxies.0.intercept(&uri).filter(|_| !origin.is_loopback()) {
            None => HttpClient::Tls(builder.build(tls.wrap_connector(connector))),
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
                HttpClient::Tunnelled(builder.build(tls.wrap_connector(tunnel)))
            }
        })
    }

    /// Sends a request and reads the whole answer, within one time limit for both.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>, limit: Duration) -> Result<HttpAnswer, HttpFailure> {
        match tokio::time::timeout(limit, self.exchange(request)).await {
            Ok(result) => result,
            Err(_) => Err(HttpFailure::TimedOut(limit)),
        }
    }

    /// Sends a request, and returns the head of the answer. Its body is not read.
    pub(crate) async fn head(
        &self,
        request: Request<Full<Bytes>>,
        limit: Duration,
    ) -> Result<(StatusCode, HeaderMap), HttpFailure> {
        let answer = tokio::time::timeout(limit, self.open(request)).await;
        let (head, _) = answer.map_err(|_| HttpFailure::TimedOut(limit))??.into_parts();
        Ok((head.status, head.headers))
    }

    /// Sends a request, and returns the answer as soon as its head is there. The caller limits the time and the size.
    pub(crate) async fn open(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, HttpFailure> {
        let answer = match self {
            HttpClient::Plain(client) => client.request(request).await,
            HttpClient::Tls(client) => client.request(request).await,
            HttpClient::Tunnelled(client) => client.request(request).await,
        };
        answer.map_err(|error| {
            let texts = texts(&error);
            match refused_certificate(&texts) {
                Some(reason) => HttpFailure::Certificate(reason),
                None if error.is_connect() => HttpFailure::NotSent(cause(&texts)),
                None => HttpFailure::NoAnswer(cause(&texts)),
            }
        })
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<HttpAnswer, HttpFailure> {
        let (parts, body) = self.open(request).await?.into_parts();
        let too_long = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if too_long.is_some_and(|length: u64| length > LARGEST as u64) {
            return Err(HttpFailure::TooLarge);
        }
        let body = Limited::new(body, LARGEST).collect().await.map_err(|error| {
            match error.downcast_ref::<LengthLimitError>() {
                Some(_) => HttpFailure::TooLarge,
                None => broken(&*error),
            }
        })?;
        Ok(HttpAnswer { status: parts.status, headers: parts.headers, body: body.to_bytes() })
    }
}

/// Returns how long a server asks to wait, in `Retry-After` as seconds: at most an hour, because a server can send any
/// number. A date is not read.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

/// The failure of an answer that broke off with this error.
pub(crate) fn broken(error: &(dyn Error + 'static)) -> HttpFailure {
    HttpFailure::NoAnswer(cause(&texts(error)))
}

/// The texts of an error and of its causes.
fn texts(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut texts = vec![error.to_string()];
    let mut next = error.source();
    while let Some(error) = next {
        texts.push(error.to_string());
        next = error.source();
    }
    texts
}

/// Why a certificate is not accepted, if this is the error.
fn refused_certificate(texts: &[String]) -> Option<String> {
    let text = texts.iter().find(|text| text.contains("invalid peer certificate"))?;
    let reason = text.rsplit("invalid peer certificate: ").next().unwrap_or_default();
    Some(crate::text::shorten(&crate::text::line(reason), 200).into_owned())
}

/// The cause of an error, in words that say what to do where the cause is a name or a proxy.
fn cause(texts: &[String]) -> String {
    let has = |words: &str| texts.iter().any(|text| text.contains(words));
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
        let client = HttpClient::to(origin, &Proxies::none(), &Trust::System).unwrap();
        let request = Request::post(format!("{origin}/api")).body(Full::new(Bytes::from("{}"))).unwrap();
        runtime.block_on(client.send(request, limit))
    }

    fn failure(origin: &Origin) -> HttpFailure {
        send(origin, SHORT).err().unwrap()
    }

    #[test]
    fn a_server_makes_nobody_wait_for_longer_than_an_hour() {
        let after = |text: &str| {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, text.parse().unwrap())]);
            retry_after(&headers).map(|after| after.as_secs())
        };
        assert_eq!([" 30", "0", "3600"].map(after), [Some(30), Some(0), Some(3600)]);
        assert_eq!(["3601", "1000000000", "18446744073709551615"].map(after), [Some(3600); 3]);
        let date = "Wed, 21 Oct 2015 07:28:00 GMT";
        assert_eq!(["18446744073709551616", "-1", "1.5", "", date].map(after), [None; 5]);
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
