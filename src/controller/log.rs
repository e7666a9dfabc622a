//! Logs: a line per change, on standard error, as text or JSON.
//!
//! Every line of a reconcile carries the id of its span, so that `grep` finds all of them. Allowed as a field: roles,
//! clusters, namespaces, tenants, kinds and names of objects, stable keys, names of inputs and of fields, codes,
//! reasons, counts, times, and error messages (which never contain a value). Forbidden as a field: the value of an
//! input, the content of a Secret, a customer's values, the content of a document, a kubeconfig. Only Stablekey's own
//! lines are written, because libraries log requests and headers.

use clap::ValueEnum;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use tracing::{Level, Span, info_span};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt};

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For programs, an object a line
    Json,
    /// For people
    Text,
}

impl LogFormat {
    /// Returns the name that flags use.
    pub const fn as_str(self) -> &'static str {
        match self {
            LogFormat::Json => "json",
            LogFormat::Text => "text",
        }
    }
}

/// Installs the log for the whole process. Has no effect if one is installed already.
pub fn start(format: LogFormat, level: Level) {
    if tracing::subscriber::set_global_default(subscriber(format, level, io::stderr)).is_ok() {
        log_panics();
    }
}

fn subscriber<W>(format: LogFormat, level: Level, writer: W) -> impl tracing::Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let ours = Targets::new().with_target(env!("CARGO_PKG_NAME"), level);
    let layer = match format {
        LogFormat::Json => {
            fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(writer).with_filter(ours).boxed()
        }
        LogFormat::Text => {
            fmt::layer().with_ansi(false).with_target(false).with_writer(writer).with_filter(ours).boxed()
        }
    };
    Registry::default().with(layer)
}

/// Logs the location of a panic without its message, which may contain a secret value.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(location, "internal error: report it");
    }));
}

/// Gives each reconcile an id.
#[derive(Debug)]
pub struct ReconcileIds {
    /// Distinguishes the reconciles of two processes.
    process: u32,
    next: AtomicU64,
}

impl Default for ReconcileIds {
    fn default() -> Self {
        ReconcileIds { process: random() as u32 & 0xffff, next: AtomicU64::new(1) }
    }
}

impl ReconcileIds {
    /// Returns the span of a reconcile of `what`. Every line that is logged within it carries its id.
    pub fn span(&self, role: super::Role, what: &str) -> Span {
        let pass = format!("{:04x}-{}", self.process, self.next.fetch_add(1, Ordering::Relaxed));
        info_span!("pass", pass, role = role.as_str(), what)
    }
}

/// Returns a random number, good enough for a unique name.
pub fn random() -> u64 {
    RandomState::new().hash_one(())
}

#[cfg(test)]
mod tests {
    use super::super::Role;
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing::{debug, info, warn};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns the lines that `work` logs, without times.
    fn logged(format: LogFormat, work: impl FnOnce()) -> Vec<String> {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(format, Level::INFO, move || writer.clone());
        tracing::subscriber::with_default(subscriber, work);
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_string).collect()
    }

    #[test]
    fn the_lines_of_a_reconcile_have_one_id() {
        let passes = ReconcileIds::default();
        let lines = logged(LogFormat::Json, || {
            passes.span(Role::Binder, "us-prod").in_scope(|| {
                info!(kind = "Connection", name = "crm", "writes its status");
                warn!("goes on");
            });
            passes.span(Role::Binder, "us-prod").in_scope(|| info!("another"));
            debug!("not at this level");
            info!(target: "hyper", "not ours");
        });
        let lines: Vec<serde_json::Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0]["message"], "writes its status");
        assert_eq!((&lines[0]["name"], &lines[0]["level"]), (&"crm".into(), &"INFO".into()));
        assert_eq!((&lines[0]["span"]["role"], &lines[0]["span"]["what"]), (&"binder".into(), &"us-prod".into()));
        assert!(lines[0]["timestamp"].is_string());
        assert_eq!(lines[0]["span"]["pass"], lines[1]["span"]["pass"]);
        assert_ne!(lines[0]["span"]["pass"], lines[2]["span"]["pass"]);
    }

    /// The panic happens in a process of its own, whose standard error contains only that line.
    #[test]
    fn a_panic_is_logged_without_its_message() {
        const PANICS: &str = "STABLEKEY_TEST_PANICS";
        if std::env::var_os(PANICS).is_some() {
            start(LogFormat::Json, Level::ERROR);
            panic!("CANARY");
        }
        let this = "controller::log::tests::a_panic_is_logged_without_its_message";
        let mut process = std::process::Command::new(std::env::current_exe().unwrap());
        let output = process.args(["--exact", "--nocapture", this]).env(PANICS, "1").output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        let said: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap_or_else(|_| panic!("{text}"));
        assert_eq!((&said["level"], output.status.success()), (&"ERROR".into(), false));
        assert!(said["location"].as_str().unwrap().starts_with("src/controller/log.rs:"), "{said}");
        assert!(!text.contains("CANARY"));
    }

    #[test]
    fn text_is_one_line_without_colours() {
        let lines = logged(LogFormat::Text, || {
            ReconcileIds::default().span(Role::Syncer, "us-to-eu").in_scope(|| info!(tenant = "eu\nprod", "settled"));
        });
        assert_eq!(lines.len(), 1, "{lines:?}");
        let (_, said) = lines[0].split_once("INFO").unwrap();
        assert!(said.contains("role=\"syncer\"") && said.ends_with("settled tenant=\"eu\\nprod\""), "{said}");
    }
}
