//! Runs of prism, and the servers that it asks.

use serde_json::Value;
use stablekey_platform::{Platform, Region, Server, Store, seed};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

/// prism, as a person with an empty home folder runs it.
pub struct Prism {
    home: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Prism {
    /// Has the access token of a server.
    pub fn of(server: &Server) -> Self {
        Prism::without_token(server).with("PRISM_ACCESS_TOKEN", &server.token())
    }

    pub fn without_token(server: &Server) -> Self {
        Prism { home: tempfile::tempdir().unwrap(), variables: vec![("PRISMATIC_URL", server.url())] }
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// Writes a file of that person, and returns its path.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().into()
    }

    /// Returns the command line of a run. Nothing of this environment reaches it: proxies would catch loopback too, and
    /// a profile of whoever runs the tests would be used.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut node = Command::new("node");
        node.arg(program()).args(arguments).stdin(Stdio::null()).env_clear();
        node.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", self.home.path());
        // Without it, a process in the background asks the registry for newer versions.
        node.env("PRISM_SKIP_NEW_VERSION_CHECK", "true");
        node.envs(self.variables.iter().map(|(name, value)| (name, value)));
        node
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Run { code: output.status.code(), output: text(output.stdout), error: plain(&text(output.stderr)) }
    }
}

/// What prism did.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub output: String,
    /// One line.
    pub error: String,
}

impl Run {
    /// The output of a run that succeeded.
    #[track_caller]
    pub fn text(self) -> String {
        assert_eq!((self.code, &*self.error), (Some(0), ""), "{self:?}");
        self.output
    }

    #[track_caller]
    pub fn json(self) -> Value {
        serde_json::from_str(&self.text()).unwrap()
    }

    /// The exit code and the error of a run that failed.
    #[track_caller]
    pub fn failure(&self) -> (i32, &str) {
        assert_eq!(self.output, "", "{self:?}");
        (self.code.unwrap(), &self.error)
    }
}

/// Removes the frame of an error, and the line breaks that the terminal's width made.
fn plain(error: &str) -> String {
    let words: Vec<&str> = error.split_whitespace().filter(|word| *word != "›").collect();
    words.join(" ")
}

/// Returns the script that Node runs. hack/prism/build installs it, if that was not done yet.
fn program() -> &'static OsStr {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("hack/prism/build");
        let output = Command::new(script).stdin(Stdio::null()).stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "hack/prism/build failed; its errors are above");
        let folder = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end());
        folder.join("node_modules/@prismatic-io/prism/lib/run.js")
    });
    program.as_os_str()
}

pub fn store() -> Store {
    seed::every_kind(Region::Us).unwrap()
}

/// A server with everything of the US tenant.
pub fn us() -> Server {
    Server::builder(Platform::new(store())).token("token").start().unwrap()
}

/// The id of an integration, by name.
pub fn integration(server: &Server, name: &str) -> String {
    server.read(|store| store.integrations.iter().find(|i| i.name == name).unwrap().id.clone())
}
