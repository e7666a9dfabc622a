//! `stablekey ui`.

use super::CommandFailure;
use super::hub::HubOptions;
use super::kept::state_folder;
use super::options::{RootOption, SourceOption};
use super::output::Output;
use crate::page::{self, OpenScope, PageError, PageFolder, PageHub, PageOptions, PageSubject, Unopened};
use crate::project::{open_again, open_files_again};
use clap::Args;
use std::io::{IsTerminal as _, Read as _};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Show all tenants beside each other in a browser
///
/// Serves a page on this machine: the connections and integrations of every tenant, what needs attention, each
/// connection field by field, the plan with its form to apply it, and forms for what new, set, switch, keep, revert and
/// suspend do. Nothing is written before its diff was shown. It follows changes of the files.
///
/// With --namespace and --context it shows a hub, as its syncer reports it and without reading any Secret: the state of
/// each sync in each target, what waits there with its diffs and digest, and forms to approve it, to suspend and resume a
/// tenant or a sync, and to reconcile. Each is done with your own account: the API server decides. It follows the hub by
/// a watch, or every two seconds where your account may not watch.
///
/// Open the address that it prints: it works once. Enter prints a new one; Ctrl-C ends it. It listens on 127.0.0.1 only;
/// from another machine use ssh -L PORT:127.0.0.1:PORT.
///
/// Examples:
///   stablekey ui
///   stablekey ui -C examples/us-eu --port 8700
///   stablekey ui -n us-prod --context us
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Ui {
    #[command(flatten)]
    root: RootOption,
    #[command(flatten)]
    sources: SourceOption,
    #[command(flatten)]
    hub: HubOptions,
    /// The port on 127.0.0.1; by default any that is free
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    port: u16,
}

impl Ui {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let Ui { root, sources, hub, port } = self;
        // Threads for requests may not end within the page's own: these are held until after it.
        let servers = root.servers();
        let shows = match hub.address() {
            Some(address) if !sources.is_empty() => {
                let message = "--source is a folder's: a hub has no sources";
                let help = format!("leave it away:\nstablekey ui{}", crate::hub::flags(&address));
                return Err(CommandFailure::new(message, help));
            }
            Some(address) => PageSubject::Hub(Arc::new(PageHub { address, servers: Arc::clone(&servers) })),
            None => {
                let folder = root.root.clone();
                super::options::is_folder(&folder)?;
                let open = move |scope: OpenScope<'_>| {
                    let opened = match scope {
                        OpenScope::First => root.open_for_edits(&sources),
                        OpenScope::Everything(before) => root.reopen_for_edits(&sources, before, open_again),
                        OpenScope::Files(before) => root.reopen_for_edits(&sources, before, open_files_again),
                    };
                    opened.map_err(unopened)
                };
                PageSubject::Folder(Arc::new(PageFolder {
                    root: folder,
                    open: Arc::new(open),
                    state_folder: state_folder(&|name| std::env::var_os(name)),
                }))
            }
        };
        let say = move |text: &str| {
            let mut stdout = anstream::stdout().lock();
            // Nobody reads it any more; the page goes on.
            let _ = std::io::Write::write_fmt(&mut stdout, format_args!("{text}\n"));
            let _ = std::io::Write::flush(&mut stdout);
        };
        let options = PageOptions { shows, port, say: Arc::new(say) };
        if std::io::stdout().is_terminal() {
            output.note("Open this address in a browser. Enter prints a new one, Ctrl-C ends the page.");
        }
        // A second Ctrl-C ends it at once, whatever it waits for.
        let _stop = super::apply::interruption(130);
        let runtime = tokio::runtime::Runtime::new().map_err(PageError::Serve)?;
        let (ask, again) = mpsc::unbounded_channel();
        // Standard input cannot be read without blocking; the thread ends with the process.
        std::thread::spawn(move || {
            let (mut stdin, mut bytes) = (std::io::stdin(), [0; 256]);
            while let Ok(read @ 1..) = stdin.read(&mut bytes) {
                if bytes.iter().take(read).any(|byte| *byte == b'\n') && ask.send(()).is_err() {
                    break;
                }
            }
        });
        let served = runtime.block_on(page::serve(options, again, interrupted()));
        runtime.shutdown_background();
        drop(servers);
        served?;
        Ok(0)
    }
}

/// Why the project cannot be opened: the problem in a file, where there is one.
fn unopened(failure: CommandFailure) -> Unopened {
    match failure.problems.first() {
        Some(problem) => {
            Unopened { message: format!("{}: {}", problem.position(), problem.message), help: problem.help.clone() }
        }
        None => Unopened { message: failure.message, help: failure.help },
    }
}

/// Waits for Ctrl-C or SIGTERM.
async fn interrupted() {
    let terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    match terminated {
        Ok(mut terminated) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
        }
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}

impl From<PageError> for CommandFailure {
    fn from(error: PageError) -> Self {
        let help = match &error {
            PageError::Port { .. } => "give another --port, or none for any that is free",
            PageError::Serve(_) => "try again",
        };
        CommandFailure::new(error.to_string(), help)
    }
}
