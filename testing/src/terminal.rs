//! A command on a terminal of its own, with the screen that a person sees and the keys that a person presses.

use avt::Terminal as Screen;
use pty_process::blocking::{Command, Pty, open};
pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};
use rustix::termios::{Termios, tcgetattr};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::process::Child;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// How long a text may take to appear before the test fails: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// Keys, as a terminal sends them.
pub const ENTER: &str = "\r";
pub const TAB: &str = "\t";
pub const SPACE: &str = " ";
pub const DOWN: &str = "\u{1b}[B";
pub const UP: &str = "\u{1b}[A";
pub const ESCAPE: &str = "\u{1b}";
pub const CTRL_C: &str = "\u{3}";
pub const BACKSPACE: &str = "\u{7f}";

/// A running command.
pub struct OnTerminal {
    keys: Pty,
    child: Child,
    read: Receiver<Vec<u8>>,
    screen: Screen,
    /// Bytes of a character that was not read to its end.
    begun: Vec<u8>,
    /// All that was read.
    pub bytes: Vec<u8>,
    before: Termios,
    /// A second handle keeps the terminal open, to see its settings after the command.
    terminal: OwnedFd,
}

impl OnTerminal {
    /// Starts the command in a folder, on a terminal with 24 rows.
    pub fn start(folder: &Path, arguments: &[&str], columns: u16) -> Self {
        let (keys, terminal) = open().unwrap();
        keys.resize(pty_process::Size::new(24, columns)).unwrap();
        let before = tcgetattr(&keys).unwrap();
        let out = File::from(keys.as_fd().try_clone_to_owned().unwrap());
        let handle = keys.as_fd().try_clone_to_owned().unwrap();
        let command = Command::new(crate::cli::program()).args(arguments).current_dir(folder);
        let command =
            command.env("NO_COLOR", "1").env("CI", "true").env("TERM", "xterm-256color").env_remove("COLUMNS");
        let child = command.spawn(terminal).unwrap();
        let (sender, read) = channel();
        std::thread::spawn(move || {
            let mut out = out;
            let mut buffer = [0; 4096];
            // Reading fails once nobody has the terminal open.
            while let Ok(count @ 1..) = out.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        let screen = Screen::new(usize::from(columns), 24).unwrap();
        OnTerminal { keys, child, read, screen, begun: Vec::new(), bytes: Vec::new(), before, terminal: handle }
    }

    /// Waits until a text is on the screen and the cursor is shown: while a question is drawn, it is hidden.
    pub fn shows(&mut self, text: &str) -> &mut Self {
        while !(self.screen.cursor().visible && self.screen().contains(text)) {
            assert!(self.take(), "the command ended and does not show {text:?}:\n{}", self.screen());
        }
        self
    }

    /// Waits until a question is on the screen: a text of it or of the error before it, and below that the help of the
    /// question, or nothing below the question itself. An error whose question is not drawn yet is not enough.
    pub fn asks(&mut self, text: &str) -> &mut Self {
        loop {
            self.shows(text);
            let screen = self.screen();
            let last = screen.lines().next_back().unwrap_or_default();
            if last.starts_with('[') || (last.starts_with("? ") && last.contains(text)) {
                return self;
            }
            assert!(self.take(), "the command ended and does not ask {text:?}:\n{}", self.screen());
        }
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) -> &mut Self {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self
    }

    /// Sends a signal to the command.
    pub fn signal(&mut self, signal: Signal) -> &mut Self {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self
    }

    /// Waits until the command ends, and returns its exit code.
    pub fn exits(&mut self) -> i32 {
        while self.take() {}
        self.child.wait().unwrap().code().unwrap_or(-1)
    }

    /// Whether the terminal is as it was before the command: a person can go on typing.
    pub fn is_usable(&self) -> bool {
        let after = tcgetattr(&self.terminal).unwrap();
        let modes = |t: &Termios| (t.local_modes, t.input_modes, t.output_modes, t.control_modes);
        let bytes = String::from_utf8_lossy(&self.bytes);
        let last = |on: &str, off: &str| bytes.rfind(off) >= bytes.rfind(on);
        modes(&after) == modes(&self.before) && self.screen.cursor().visible && last("\u{1b}[?2004h", "\u{1b}[?2004l")
    }

    /// The rows of the screen, without blanks at their ends and blank rows at the end.
    pub fn screen(&self) -> String {
        let rows: Vec<String> =
            self.screen.screen().visible_lines().map(|row| row.text().trim_end().to_string()).collect();
        rows.join("\n").trim_end().to_string()
    }

    /// Takes more output in; `false` at its end.
    fn take(&mut self) -> bool {
        match self.read.recv_timeout(PATIENCE) {
            Ok(bytes) => {
                self.bytes.extend_from_slice(&bytes);
                self.begun.extend_from_slice(&bytes);
                let whole = match std::str::from_utf8(&self.begun) {
                    Ok(text) => text.len(),
                    Err(error) => error.valid_up_to(),
                };
                let rest = self.begun.split_off(whole);
                self.screen.feed(std::str::from_utf8(&self.begun).unwrap());
                self.begun = rest;
                true
            }
            Err(RecvTimeoutError::Disconnected) => false,
            Err(RecvTimeoutError::Timeout) => panic!("nothing happens; the screen shows:\n{}", self.screen()),
        }
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
