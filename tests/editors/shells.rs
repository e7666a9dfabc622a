//! Completions in real shells, on a terminal: what a person types, and the words that come of it.

use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use stablekey_testing::cli::repository;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a shell may take, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// A shell on a terminal.
struct Shell {
    child: Child,
    terminal: File,
    shown: Receiver<Vec<u8>>,
    seen: String,
    _home: TempDir,
}

impl Shell {
    /// Starts a shell in a folder, and lets it read these lines. Nothing of this environment's files reaches it.
    fn start(mut command: Command, lines: &[&str]) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let master = openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        tcsetwinsize(&master, Winsize { ws_row: 40, ws_col: 200, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let terminal = ioctl_tiocgptpeer(&master, flags).unwrap();
        let end = || Stdio::from(terminal.try_clone().unwrap());
        prepared(&mut command).stdin(end()).stdout(end()).stderr(end());
        let home = tempfile::tempdir().unwrap();
        command.env("TERM", "dumb").env("HOME", home.path()).env("PS1", "> ");
        let child = command.spawn().unwrap();
        drop((command, terminal));
        let terminal = File::from(master);
        let mut read = terminal.try_clone().unwrap();
        let (send, shown) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count) = read.read(&mut bytes) {
                if count == 0 || send.send(bytes[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        let mut shell = Shell { child, terminal, shown, seen: String::new(), _home: home };
        lines.iter().for_each(|line| shell.keys(&format!("{line}\n")));
        // The word is put together by the shell, so that what was typed is not taken for the answer.
        shell.keys("echo be''gun\n");
        shell.wait(&["begun"]);
        shell
    }

    fn keys(&mut self, keys: &str) {
        self.terminal.write_all(keys.as_bytes()).unwrap();
        self.terminal.flush().unwrap();
    }

    /// Waits until the shell shows these texts, and returns all that it showed since the last time.
    fn wait(&mut self, texts: &[&str]) -> String {
        let end = Instant::now() + PATIENCE;
        while !texts.iter().all(|text| self.seen.contains(text)) {
            let left = end.saturating_duration_since(Instant::now());
            match self.shown.recv_timeout(left) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => panic!("the shell does not show {texts:?}:\n{}", self.seen),
            }
        }
        std::mem::take(&mut self.seen)
    }

    /// Types a line with a tab at its end, and returns the words of the line after that, as the shell would run it.
    fn words(&mut self, typed: &str) -> Vec<String> {
        self.keys(typed);
        self.keys("\t\u{1}shown \n");
        let shown = self.wait(&["|end\r"]);
        let from = shown.rfind("begin|").map_or(0, |at| at + "begin|".len());
        let words = shown[from..].split("|end").next().unwrap();
        words.split('|').filter(|word| !word.is_empty()).map(str::to_string).collect()
    }

    /// Types a line with two tabs at its end, and waits until all of these are listed.
    fn lists(&mut self, typed: &str, names: &[&str]) {
        self.keys(typed);
        self.keys("\t\t");
        self.wait(names);
        // Away with the line.
        self.keys("\u{3}");
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines with which each shell shows the words that it runs, in place of running them.
const SHOWN: &str = "shown() { printf 'be''gin|'; printf '%s|' \"$@\"; printf '|e''nd\\n'; }";
const SHOWN_IN_FISH: &str = "function shown; printf 'be%s' 'gin|'; printf '%s|' $argv; printf '|e%s\\n' nd; end";

/// A command in an example, with this program on the PATH, and without what this environment sets for shells.
fn prepared(command: &mut Command) -> &mut Command {
    let program = Path::new(env!("CARGO_BIN_EXE_stablekey"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    for variable in ["COMPLETE", "ENV", "BASH_ENV", "ZDOTDIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "EDITOR", "VISUAL"] {
        command.env_remove(variable);
    }
    command.env("PATH", path).env("LC_ALL", "C.UTF-8").current_dir(repository("examples/us-eu"))
}

/// A shell with the terminal as its own, as fish demands it.
fn on_its_terminal(shell: &[&str]) -> Command {
    let mut command = Command::new("setsid");
    command.arg("--ctty").args(shell);
    command
}

fn bash() -> Shell {
    let command = on_its_terminal(&["bash", "--noprofile", "--norc", "-i"]);
    Shell::start(command, &["bind 'set enable-bracketed-paste off'", "source <(stablekey completions bash)", SHOWN])
}

fn zsh() -> Shell {
    let command = on_its_terminal(&["zsh", "-f", "-i"]);
    let lines = ["autoload -U compinit; compinit -u -D", "source <(stablekey completions zsh)", SHOWN];
    Shell::start(command, &lines)
}

fn fish() -> Shell {
    let command = on_its_terminal(&["fish", "--no-config", "-i"]);
    let lines = ["set -g fish_autosuggestion_enabled 0", "stablekey completions fish | source", SHOWN_IN_FISH];
    Shell::start(command, &lines)
}

/// What each shell completes alike: commands, options, and names of the project at hand.
fn names_are_completed(mut shell: Shell) {
    for (typed, words) in [
        ("stablekey stat", &["stablekey", "status"][..]),
        ("stablekey status --integ", &["stablekey", "status", "--integration"]),
        ("stablekey status --tenant e", &["stablekey", "status", "--tenant", "eu-prod"]),
        ("stablekey explain slack-b", &["stablekey", "explain", "slack-bot"]),
        ("stablekey explain us-prod lead-r", &["stablekey", "explain", "us-prod", "lead-router"]),
        ("stablekey adopt us-prod Connection/slack-b", &["stablekey", "adopt", "us-prod", "Connection/slack-bot"]),
        (
            "stablekey status -C ../dev-prod --tenant pr",
            &["stablekey", "status", "-C", "../dev-prod", "--tenant", "prod"],
        ),
        ("stablekey explain SK010", &["stablekey", "explain", "SK010"]),
        ("stablekey explain nothing-like-it", &["stablekey", "explain", "nothing-like-it"]),
    ] {
        assert_eq!(shell.words(typed), words, "{typed}");
    }
}

mod bash {
    #[test]
    fn names_of_the_project_are_completed() {
        super::names_are_completed(super::bash());
    }

    #[test]
    fn several_names_are_listed() {
        super::bash().lists("stablekey status --tenant ", &["eu-prod", "us-prod"]);
    }
}

mod zsh {
    #[test]
    fn names_of_the_project_are_completed() {
        super::names_are_completed(super::zsh());
    }

    #[test]
    fn several_names_are_listed() {
        super::zsh().lists("stablekey status --tenant ", &["eu-prod", "us-prod"]);
    }
}

mod fish {
    #[test]
    fn names_of_the_project_are_completed() {
        super::names_are_completed(super::fish());
    }

    #[test]
    fn several_names_are_listed_with_what_they_are() {
        let ask = "stablekey completions fish | source; complete -C 'stablekey explain zen'";
        let mut command = std::process::Command::new("fish");
        command.args(["--no-config", "-c", ask]);
        let output = super::prepared(&mut command).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "zendesk-oauth\tZendesk\nzendesk-oauth-eu\tZendesk (EU)\n");
    }
}
