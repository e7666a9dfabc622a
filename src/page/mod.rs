//! The page: connections of all tenants side by side, in a browser on the person's own machine. It shows what reports
//! say, and calls what commands call; no rule lives in it.
//!
//! - [`serve`] listens on loopback and prints the address.
//! - `guard` decides who may ask: hosts, origins, the session. `session` has the one-time code and the cookie.
//! - `desk` keeps what was read, and tells streams when it changes. `reader` reads, and `watch` says when to.
//! - `view/` has a file per view, each a function from what was read to HTML. `act/` has what forms do. `hub/` has the
//!   views and forms of a hub.

mod act;
mod address;
mod asked;
mod cluster_watch;
mod consent;
mod desk;
mod fields;
mod forms;
mod guard;
mod html;
mod hub;
mod layout;
mod message;
mod near;
mod notices;
mod plans_shown;
mod reader;
mod refusals;
mod reply;
mod request;
mod routes;
mod row_pages;
mod running;
mod session;
mod shown;
mod stream;
mod suspension;
mod view;
mod watch;

use crate::kubernetes::connect::Servers;
use crate::project::Project;
use crate::project::hub::HubAddress;
use crate::report::overview::Overview;
use desk::PageDesk;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Reads the project. Fails with a message and what to do.
pub type Opener = Arc<dyn Fn(OpenScope<'_>) -> Result<Project, Unopened> + Send + Sync>;

/// What is read of a project.
#[derive(Clone, Copy)]
pub enum OpenScope<'p> {
    /// Everything, for the first time.
    First,
    /// Everything again. What is the same as in an earlier reading is then in memory once.
    Everything(&'p Project),
    /// The files again, and what is on the platform. What was read of clusters, which are followed, stays.
    Files(&'p Project),
}

/// Why a project cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unopened {
    /// The reason.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// The options of the page.
pub struct PageOptions {
    /// What is shown.
    pub shows: PageSubject,
    /// The port; 0 is a free one.
    pub port: u16,
    /// Says something to the person at the terminal: the address, or what went wrong.
    pub say: Arc<dyn Fn(&str) + Send + Sync>,
}

/// What the page shows.
#[derive(Clone)]
pub enum PageSubject {
    /// The project of a folder.
    Folder(Arc<PageFolder>),
    /// A hub, as its syncer reports it.
    Hub(Arc<PageHub>),
}

/// A folder that the page shows.
pub struct PageFolder {
    /// The folder with the tenants, as it was given.
    pub root: PathBuf,
    /// Opens the project, for edits.
    pub open: Opener,
    /// The user's state folder, in which approvals are kept until their receipt; `None` keeps none.
    pub state_folder: Option<PathBuf>,
}

/// A hub that the page shows.
pub struct PageHub {
    /// The address of the hub.
    pub address: HubAddress,
    /// The connections to API servers.
    pub servers: Arc<Servers>,
}

/// Why the page cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The port cannot be used.
    #[error("127.0.0.1:{port} cannot be used: {error}")]
    Port {
        /// The port.
        port: u16,
        /// The reason.
        error: std::io::Error,
    },
    /// The runtime or the server failed.
    #[error("the page cannot be served: {0}")]
    Serve(#[from] std::io::Error),
}

/// Serves the page on loopback until `stop` is completed. Other addresses are not offered: use `ssh -L`.
pub async fn serve(
    options: PageOptions,
    again: tokio::sync::mpsc::UnboundedReceiver<()>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), PageError> {
    let asked = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let listener = TcpListener::bind(asked).await.map_err(|error| PageError::Port { port: options.port, error })?;
    let port = listener.local_addr()?.port();
    let desk = Arc::new(PageDesk::new(options, port));
    desk.say_address();
    tokio::spawn(print_addresses(Arc::clone(&desk), again));
    let reader = match &desk.options.shows {
        PageSubject::Folder(folder) => reader::start(&desk, folder),
        PageSubject::Hub(hub) => hub::reader::start(&desk, hub),
    };
    let ended = Arc::clone(&desk);
    let result = axum::serve(listener, routes::router(Arc::clone(&desk)))
        .with_graceful_shutdown(async move {
            stop.await;
            // A stream that is open would keep the server for ever.
            ended.end();
        })
        .await;
    drop(reader);
    desk.finish_writes();
    Ok(result?)
}

/// Prints a new address for each Enter of the person at the terminal.
async fn print_addresses(desk: Arc<PageDesk>, mut again: tokio::sync::mpsc::UnboundedReceiver<()>) {
    while again.recv().await.is_some() {
        desk.say_address();
    }
}

/// The most rows of a static overview.
const STATIC_ROWS: usize = 1_000;

/// The overview as one static file without script, for artefacts of CI: what is not in sync, and counts of the rest.
/// `name` is that of the project, and `read_at` says in a sentence when it was read.
pub fn static_overview(overview: &Overview, name: &str, read_at: &str) -> String {
    view::overview::static_file(overview, (name, read_at), STATIC_ROWS)
}
