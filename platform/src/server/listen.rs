//! Connections: accepted, kept alive, and closed in the ways that a test wants.

use super::answers::HangUp;
use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// Accepts connections until the runtime ends.
pub(super) async fn accept(listener: TcpListener, routes: Router, tls: Option<TlsAcceptor>, idle: Option<Duration>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        // Without it, small answers wait for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
        let (routes, tls) = (routes.clone(), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => serve(stream, routes, idle).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, routes, idle).await;
                    }
                }
            }
        });
    }
}

/// What a connection does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Activity {
    /// No request came yet.
    New,
    Busy,
    /// The last request was answered.
    Idle,
}

async fn serve<S>(stream: S, routes: Router, idle: Option<Duration>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (activity, watched) = watch::channel(Activity::New);
    let routes = TowerToHyperService::new(routes);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        activity.send_replace(Activity::Busy);
        let (answer, activity) = (routes.call(request), activity.clone());
        async move {
            let answer = answer.await;
            activity.send_replace(Activity::Idle);
            match answer {
                Ok(answer) if answer.extensions().get::<HangUp>().is_none() => Ok(answer),
                // hyper closes a connection whose service fails.
                _ => Err(std::io::Error::other("hung up")),
            }
        }
    });
    let mut connection = pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    let Some(idle) = idle else {
        drop(connection.await);
        return;
    };
    tokio::select! {
        _ = connection.as_mut() => return,
        () = idled(watched, idle) => connection.as_mut().graceful_shutdown(),
    }
    drop(connection.await);
}

/// Waits until a connection was idle for so long after an answer.
async fn idled(mut watched: watch::Receiver<Activity>, idle: Duration) {
    loop {
        let is_idle = *watched.borrow_and_update() == Activity::Idle;
        let changed = match is_idle {
            true => match tokio::time::timeout(idle, watched.changed()).await {
                Ok(changed) => changed,
                Err(_) => return,
            },
            false => watched.changed().await,
        };
        if changed.is_err() {
            return std::future::pending().await;
        }
    }
}
