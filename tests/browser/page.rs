//! The page as a person starts it: the program, its address, and its end.

use crate::browser::{Browser, Settings};
use rustix::process::{Pid, Signal, kill_process};
use stablekey_testing::cli::{copy_folder, repository, stablekey_of};
use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;
use tempfile::TempDir;

/// How long the program may take to print an address, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that serves the page, until it is dropped.
pub struct Page {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    said: Vec<String>,
    address: String,
}

impl Page {
    /// Starts `stablekey ui` in a folder. STATE is where the program keeps what it remembers.
    pub fn serve(state: &Path, folder: &Path, options: &[&str]) -> Self {
        let arguments = ["ui"].into_iter().chain(options.iter().copied()).collect::<Vec<_>>();
        Page::start(stablekey_of(state, folder, &arguments))
    }

    /// Starts a program, and waits until it prints an address.
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (send, lines) = channel();
        read(child.stdout.take().unwrap(), send.clone());
        read(child.stderr.take().unwrap(), send);
        let stdin = child.stdin.take().unwrap();
        let mut page = Page { child, stdin, lines, said: Vec::new(), address: String::new() };
        page.address = page.next_address();
        page
    }

    /// Opens a browser at the address that was printed last, which can be used once, and goes in.
    pub fn open(&self, settings: Settings) -> Browser {
        let browser = Browser::open(settings);
        browser.goto(&self.address);
        browser.wait_for_url_without("code=");
        browser
    }

    /// The same, and waits for the overview.
    pub fn open_overview(&self, settings: Settings) -> Browser {
        let browser = self.open(settings);
        browser.wait_for("h1:text-is('Overview')");
        browser
    }

    /// The address that was printed last, with its code.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The address of a view: `url("/plan")`.
    pub fn url(&self, path: &str) -> String {
        let host = self.address.split('/').nth(2).unwrap();
        format!("http://{host}{path}")
    }

    /// Presses Enter in the terminal of the program, which prints a new address.
    pub fn renew_address(&mut self) {
        self.stdin.write_all(b"\n").unwrap();
        self.address = self.next_address();
    }

    /// Presses Ctrl-C, and waits for the end of the program. Returns its exit status, and all lines that it printed.
    pub fn stop(mut self) -> (ExitStatus, Vec<String>) {
        kill_process(self.pid(), Signal::INT).unwrap();
        // Both of its streams are read to their ends.
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.said.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("Ctrl-C does not end it: {:#?}", self.said),
            }
        }
        (self.child.wait().unwrap(), std::mem::take(&mut self.said))
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn next_address(&mut self) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no address is printed: {:#?}", self.said));
            let address = line.find("http://").map(|at| line[at..].split_whitespace().next().unwrap().to_string());
            self.said.push(line);
            if let Some(address) = address {
                return address;
            }
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The page on an example, in a folder of its own.
pub struct ExamplePage {
    pub page: Page,
    pub folder: PathBuf,
    _kept: TempDir,
}

impl ExamplePage {
    /// Starts the page on a copy of an example: `us-eu`. Its folder has the name of the example, which the page shows.
    pub fn of(name: &str) -> Self {
        ExamplePage::after(name, |_| {})
    }

    /// Starts the page on a copy of `us-eu`, and goes in.
    pub fn opened(settings: Settings) -> (Self, Browser) {
        let shown = ExamplePage::of("us-eu");
        let browser = shown.open(settings);
        (shown, browser)
    }

    /// The same, after the copy was changed.
    pub fn after(name: &str, change: impl FnOnce(&Path)) -> Self {
        let kept = tempfile::tempdir().unwrap();
        let folder = kept.path().join(name);
        copy_folder(&repository("examples").join(name), &folder);
        change(&folder);
        let page = Page::serve(&kept.path().join("state"), &folder, &[]);
        ExamplePage { page, folder, _kept: kept }
    }

    /// The text of a file of the copy.
    #[track_caller]
    pub fn file(&self, path: &str) -> String {
        fs::read_to_string(self.folder.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Goes in, and waits until everything was read.
    pub fn open(&self, settings: Settings) -> Browser {
        let browser = self.page.open_overview(settings);
        browser.wait_for("#state:text-is('Live')");
        browser
    }
}

fn read(from: impl Read + Send + 'static, send: Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
    });
}
