//! Output: results to standard output, everything else to standard error.

use super::CommandFailure;
use crate::api::sensitive::masked;
use crate::manifest::FileProblem;
use crate::render::Style;
use crate::text;
use indicatif::ProgressBar;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;
use terminal_size::terminal_size_of;

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The format of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum OutputFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For a pull-request comment.
    Markdown,
}

/// The format of a result that lists objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ListFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For programs and people: the same as JSON.
    Yaml,
    /// Only the objects, as KIND/NAME, one per line.
    Name,
    /// For a pull-request comment.
    Markdown,
    /// One page without script, for an artefact of a pipeline.
    Html,
}

/// The line width if neither a terminal nor COLUMNS sets one.
const COLUMNS: usize = 100;

/// The longest word of a message that is shown whole, in columns.
const WIDEST_WORD: usize = 500;
/// The smallest readable line width.
const NARROWEST: usize = 20;

/// A line on a terminal that says what takes long, until it is dropped; nothing elsewhere.
pub(super) struct Waiting(Option<ProgressBar>);

impl Waiting {
    /// Writes lines while something is waited for.
    pub(super) fn above(&self, write: impl FnOnce()) {
        match &self.0 {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// Standard output and standard error.
pub(super) struct Output {
    color: bool,
    /// The line width of standard output.
    columns: usize,
    /// Whether standard output is a terminal: long lines are then wrapped, which a program would not expect.
    to_terminal: bool,
    /// The line width of standard error; `None` if it is not a terminal: a message is then one line, so that it can be
    /// searched for.
    error_columns: Option<usize>,
    /// Whether both go to the same terminal or file (`2>&1`): what one shows need not be repeated on the other.
    is_one_place: bool,
    /// Whether a job of GitHub shows it, which takes some lines for commands.
    to_runner: bool,
}

impl Output {
    /// Says on a terminal what takes long.
    pub(super) fn progress(&self, text: &str) -> Waiting {
        const TURN: Duration = Duration::from_millis(120);
        let bar = self.error_columns.map(|_| ProgressBar::new_spinner().with_message(text.to_string()));
        bar.iter().for_each(|bar| bar.enable_steady_tick(TURN));
        Waiting(bar)
    }

    /// Decides about colours and widths.
    pub(super) fn new(color: Color) -> Self {
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never,
        };
        let (stdout, stderr) = (std::io::stdout(), std::io::stderr());
        let stderr_is_terminal = stderr.is_terminal();
        let wanted = wanted_columns();
        Output {
            color,
            columns: columns(wanted, terminal_size_of(&stdout)),
            to_terminal: stdout.is_terminal(),
            error_columns: stderr_is_terminal.then(|| columns(wanted, terminal_size_of(&stderr))),
            is_one_place: is_one_file(stdout.as_fd(), stderr.as_fd()),
            to_runner: std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true"),
        }
    }

    /// The style of text on standard output.
    pub(super) fn style(&self) -> Style {
        let (width, to_runner) = (self.columns, self.to_runner);
        Style { colour: self.color, width, problems_seen: self.is_one_place, to_runner }
    }

    /// The style of text on standard error.
    fn aside_style(&self) -> Style {
        Style { colour: self.color && std::io::stderr().is_terminal(), ..self.style() }
    }

    /// Writes a result. A reader that closed the pipe (`| head`) is no error.
    pub(super) fn result(&mut self, text: &str) -> Result<(), CommandFailure> {
        self.bytes(text.as_bytes())?;
        if text.is_empty() || text.ends_with('\n') { Ok(()) } else { self.bytes(b"\n") }
    }

    /// Writes a result with long lines, which are wrapped on a terminal.
    pub(super) fn folded(&mut self, text: &str) -> Result<(), CommandFailure> {
        if self.to_terminal { self.result(&text::folded(text, self.columns)) } else { self.result(text) }
    }

    /// Writes a result unchanged.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), CommandFailure> {
        let mut out = std::io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(CommandFailure::writing(Path::new("standard output"), &error))
            }
            _ => Ok(()),
        }
    }

    /// Writes a message to standard error, with terminal control characters escaped.
    pub(super) fn note(&mut self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{}", self.guarded(&text::lines(&masked(text))));
    }

    /// A text for people without lines that the log of a job takes for commands.
    fn guarded<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.to_runner { text::without_commands(text) } else { Cow::Borrowed(text) }
    }

    /// Writes a result for people, as Markdown that other parts of the program made.
    pub(super) fn markdown(&mut self, text: &str) -> Result<(), CommandFailure> {
        let text = self.guarded(text).into_owned();
        self.result(&text)
    }

    /// Reports problems of files.
    pub(super) fn problems(&mut self, problems: &[FileProblem]) {
        let columns = self.error_columns.unwrap_or(usize::MAX);
        for problem in problems {
            self.note(&format!("{}\n", problem.text(columns).trim_end()));
        }
    }

    /// Shows the Roles that grant the missing rights.
    pub(super) fn roles<'r>(&mut self, roles: impl IntoIterator<Item = &'r str>) {
        for role in roles.into_iter().collect::<BTreeSet<_>>() {
            self.note(&format!("Missing permissions. This Role grants them, bound to whoever runs this:\n\n{role}"));
        }
    }

    /// Reports the failure of a command.
    pub(super) fn failure(&mut self, failure: &CommandFailure) {
        self.problems(&failure.problems);
        let columns = self.error_columns.unwrap_or(usize::MAX);
        // Lines after the first are for copying: they are not wrapped.
        // A name that somebody pasted may be a page long.
        let message: Vec<_> = failure.message.split(' ').map(|word| text::shorten(word, WIDEST_WORD)).collect();
        let part = |head: &str, body: &str| {
            let mut lines = body.split('\n');
            let first = text::wrapped(lines.next().unwrap_or_default(), columns, head.len());
            format!("{head}{first}{}", lines.map(|line| format!("\n{line}")).collect::<String>())
        };
        // So that it is seen what belongs to the help, and not to what follows.
        let is_ready = |line: &str| line.is_empty() || line.starts_with(' ');
        let indented = |line: &str| if is_ready(line) { line.to_string() } else { format!("    {line}") };
        let (first, commands) = failure.help.split_once('\n').unwrap_or((&failure.help, ""));
        let commands: String = commands.lines().map(|line| format!("\n{}", indented(line))).collect();
        self.note(&format!("{}\n{}{commands}", part("error: ", &message.join(" ")), part("  = help: ", first)));
    }

    /// Whether a terminal can show a question and take the answer.
    pub(super) fn can_ask(&self) -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Whether questions are in colour.
    pub(super) fn asks_in_color(&self) -> bool {
        self.aside_style().colour
    }

    /// Whether a person sees the result.
    pub(super) fn is_seen(&self) -> bool {
        std::io::stdout().is_terminal()
    }

    /// Shows text on standard error if the result goes elsewhere.
    pub(super) fn show_aside(&mut self, text: impl FnOnce(Style) -> String) {
        // A page escapes what it shows; its own colours remain.
        let text = text(self.aside_style());
        let _ = writeln!(std::io::stderr().lock(), "{}", text.trim_end());
    }

    /// Asks for a typed yes.
    pub(super) fn confirm(&mut self, question: &Question) -> bool {
        let _ = write!(std::io::stderr().lock(), "{} ", question.text());
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        read.is_ok() && question.accepts(&answer)
    }

    /// Asks for a word, such as the name of a tenant.
    pub(super) fn confirm_word(&mut self, question: &str, word: &str) -> bool {
        let _ = write!(std::io::stderr().lock(), "{} ", text::line(question));
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        read.is_ok() && answer.trim() == word
    }

    /// Asks for the whole word: a single letter is typed too easily to approve anything.
    pub(super) fn confirm_typed(&mut self, question: &str) -> bool {
        let _ = write!(std::io::stderr().lock(), "{} ", text::line(question));
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        read.is_ok() && answer.trim().eq_ignore_ascii_case("yes")
    }
}

/// The question before changes are made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    /// The number of changes.
    pub changes: usize,
    /// The number of changes that need approval.
    pub needing: usize,
    /// The number of kustomizations that are updated as well.
    pub files: usize,
}

impl Question {
    fn text(self) -> String {
        let Question { changes, needing, files } = self;
        let apply = match (changes, needing) {
            (0, _) => None,
            (1, 0) => Some("Apply 1 change".to_string()),
            (1, _) => Some("Apply 1 change, which needs approval".to_string()),
            (many, 0) => Some(format!("Apply {many} changes")),
            (many, 1) => Some(format!("Apply {many} changes, 1 of which needs approval")),
            (many, needing) => Some(format!("Apply {many} changes, {needing} of which need approval")),
        };
        let what = if files == 1 { "kustomization.yaml" } else { "kustomization.yaml files" };
        let what = match (apply, files) {
            (apply, 0) => apply.unwrap_or_default(),
            (Some(apply), files) => format!("{apply}, and bring {files} {what} up to date"),
            (None, files) => format!("Bring {files} {what} up to date"),
        };
        format!("{what}? Type 'yes':")
    }

    /// A single letter is typed too easily to approve anything.
    fn accepts(self, answer: &str) -> bool {
        let answer = answer.trim().to_ascii_lowercase();
        answer == "yes" || (self.needing == 0 && answer == "y")
    }
}

/// Whether both lead to the same terminal, pipe or file.
fn is_one_file(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    let file = |fd: BorrowedFd<'_>| File::from(fd.try_clone_to_owned().ok()?).metadata().ok();
    let key = |fd| file(fd).map(|metadata| (metadata.dev(), metadata.ino()));
    key(one).is_some_and(|one| key(other) == Some(one))
}

/// The width in COLUMNS, if it is set and valid.
pub(super) fn wanted_columns() -> Option<usize> {
    sane(std::env::var("COLUMNS").ok().as_deref())
}

/// Parses a line width.
fn sane(value: Option<&str>) -> Option<usize> {
    const WIDEST: usize = 10_000;
    value?.trim().parse().ok().filter(|columns| (NARROWEST..=WIDEST).contains(columns))
}

/// The line width: that of COLUMNS, else that of the terminal, else the default.
fn columns(wanted: Option<usize>, terminal: Option<(terminal_size::Width, terminal_size::Height)>) -> usize {
    // A terminal that does not know its size reports 0.
    let terminal = terminal.map(|(width, _)| usize::from(width.0)).filter(|width| *width > 0);
    wanted.or(terminal.map(|width| width.max(NARROWEST))).unwrap_or(COLUMNS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use terminal_size::{Height, Width};

    #[test]
    fn columns_overrides_the_width_of_the_terminal() {
        let terminal = |width| Some((Width(width), Height(24)));
        assert_eq!(columns(None, terminal(80)), 80);
        assert_eq!(columns(None, terminal(8)), NARROWEST);
        assert_eq!(columns(None, terminal(0)), COLUMNS);
        assert_eq!(columns(None, None), COLUMNS);
        assert_eq!(columns(sane(Some("72")), terminal(80)), 72);
        for insane in ["", "0", "7", "-80", "wide", "99999999"] {
            assert_eq!(columns(sane(Some(insane)), terminal(80)), 80, "{insane}");
        }
    }

    #[test]
    fn a_question_names_the_effect_of_a_yes() {
        let text = |changes, needing| Question { changes, needing, files: 0 }.text();
        assert_eq!(text(1, 0), "Apply 1 change? Type 'yes':");
        assert_eq!(text(6, 0), "Apply 6 changes? Type 'yes':");
        assert_eq!(text(1, 1), "Apply 1 change, which needs approval? Type 'yes':");
        assert_eq!(text(6, 1), "Apply 6 changes, 1 of which needs approval? Type 'yes':");
        assert_eq!(text(6, 2), "Apply 6 changes, 2 of which need approval? Type 'yes':");
        let text = |changes, files| Question { changes, needing: 0, files }.text();
        assert_eq!(text(0, 1), "Bring 1 kustomization.yaml up to date? Type 'yes':");
        assert_eq!(text(6, 2), "Apply 6 changes, and bring 2 kustomization.yaml files up to date? Type 'yes':");
    }

    #[test]
    fn where_something_needs_approval_only_the_word_counts() {
        let of = |needing| Question { changes: 2, needing, files: 0 };
        let (safe, needing) = (of(0), of(1));
        for yes in ["yes\n", "YES", " Yes "] {
            assert!(safe.accepts(yes) && needing.accepts(yes));
        }
        for y in ["y\n", "Y"] {
            assert!(safe.accepts(y) && !needing.accepts(y));
        }
        for no in ["", "\n", "n", "no", "yess", "yes please", "ye", "да", "yes\nno"] {
            assert!(!safe.accepts(no) && !needing.accepts(no), "{no:?}");
        }
    }
}
