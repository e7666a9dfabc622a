//! A small HTTP server. Everybody who can reach the port can send requests, so connections, headers and time are bounded;
//! who answers bounds bodies, or reads none.

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Maximum number of concurrent connections. Others wait.
pub(super) const CONNECTIONS: usize = 32;
/// Maximum size of a request's headers.
pub(super) const LARGEST_HEAD: usize = 16 * 1024;
/// The timeout of a request's headers.
const ASKING: Duration = Duration::from_secs(5);
/// How long to wait if the system has no more file descriptors for connections.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers the requests to an address until it is dropped. `whole` is the timeout of a connection, which has one request.
pub(super) async fn serve<A>(
    listener: TcpListener,
    whole: Duration,
    answer: impl Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
) where
    A: Future<Output = Response<String>> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let connection = serve_one(stream, answer.clone());
                connections.spawn(async move {
                    let _ = timeout(whole, connection).await;
                    drop(place);
                });
            }
            Err(_) => sleep(PAUSE).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve_one<A>(stream: TcpStream, answer: impl Fn(Request<Incoming>) -> A)
where
    A: Future<Output = Response<String>>,
{
    let service = service_fn(|request| {
        let answer = answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(ASKING).max_buf_size(LARGEST_HEAD).keep_alive(false);
    // A client that disconnects does not receive the answer.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}
