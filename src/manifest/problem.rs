//! Problems in files: the position, the problem, what to do, and their presentation.

use super::limits;
use super::source::{Position, SourceFile, count, line_range, position};
use crate::text;
use std::fmt;
use std::ops::Range;

/// A problem in a file. Its `Display` is the text for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileProblem {
    /// The path of the file, as shown to people.
    pub file: String,
    /// The line, from 1; 0 for the whole file.
    pub line: u32,
    /// The character in the line, from 1.
    pub column: u32,
    /// The line with hidden values.
    pub excerpt: Option<Excerpt>,
    /// The problem.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// A line of a file with hidden values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The text of the line; values that may be secret are replaced by `•••`.
    pub text: String,
    /// The position of the mistake in `text`, in characters from 1.
    pub column: u32,
    /// The length of the mistake, in characters.
    pub length: u32,
}

/// Whether a part of a line may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show {
    Yes,
    No,
}

/// The replacement for a hidden value.
const MASK: &str = "•••";

impl FileProblem {
    /// A problem with a whole file.
    pub fn of_file(file: impl Into<String>, message: impl Into<String>, help: impl Into<String>) -> Self {
        FileProblem { file: file.into(), line: 0, column: 0, excerpt: None, message: message.into(), help: help.into() }
    }

    /// A problem at the byte range `at` of `text`, which begins on `first_line`. Only the parts in `spans`, and
    /// punctuation, are shown.
    pub(super) fn at(
        file: &SourceFile,
        text: &str,
        first_line: u32,
        at: Range<usize>,
        spans: &[(Range<usize>, Show)],
        (message, help): (String, String),
    ) -> Self {
        let Position { line, column } = position(text, first_line, at.start);
        let excerpt = Excerpt::of(text, &at, spans);
        FileProblem { file: file.path.clone(), line, column, excerpt: Some(excerpt), message, help }
    }

    /// The file, and the line if it is known: `tenants.yaml:7`.
    pub fn position(&self) -> String {
        match self.line {
            0 => self.file.clone(),
            line => format!("{}:{line}", self.file),
        }
    }

    /// Formats the problem in lines of `columns` columns: the message is wrapped at blanks, and the excerpt is cut
    /// around the mistake. The position is on one line, to be copied.
    pub fn text(&self, columns: usize) -> String {
        let number = self.line.to_string();
        let margin = " ".repeat(number.len() + 1);
        let mut lines = vec![format!("error: {}", text::wrapped(&self.message, columns, "error: ".len()))];
        let file: String = self.file.chars().map(printable).collect();
        if self.line == 0 {
            lines.push(format!("{margin}--> {file}"));
        } else {
            lines.push(format!("{margin}--> {file}:{}:{}", self.line, self.column));
            if let Some(excerpt) = &self.excerpt {
                let excerpt = excerpt.within(columns.saturating_sub(margin.len() + " | ".len()));
                let (indent, carets) = excerpt.marked();
                lines.push(format!("{margin} |"));
                lines.push(format!(" {number} | {}", excerpt.text));
                lines.push(format!("{margin} | {}{}", " ".repeat(indent), "^".repeat(carets)));
            }
        }
        let head = format!("{margin} = help: ");
        let help = text::wrapped(&self.help, columns, head.len());
        lines.push(format!("{head}{help}"));
        lines.join("\n")
    }
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(usize::MAX))
    }
}

impl Excerpt {
    /// The width of the text before the mistake, and of the mistake.
    fn marked(&self) -> (usize, usize) {
        let before = usize::try_from(self.column.saturating_sub(1)).unwrap_or(0);
        let length = usize::try_from(self.length).unwrap_or(0);
        let columns =
            |skip: usize, take: usize| self.text.chars().skip(skip).take(take).map(text::width_of).sum::<usize>();
        // A mistake at the end of a line is after its last character.
        let behind = before.saturating_sub(self.text.chars().count());
        (columns(0, before) + behind, columns(before, length).max(1))
    }

    /// The part around the mistake that fits into `columns`.
    fn within(&self, columns: usize) -> Excerpt {
        const NARROWEST: usize = 16;
        let columns = columns.max(NARROWEST);
        let (indent, carets) = self.marked();
        if text::width(&self.text).max(indent + carets.min(columns)) <= columns {
            return self.clone();
        }
        // If not everything fits, a third of the width is used for the text before.
        let room = columns - 1;
        let first = if indent + carets <= room { 0 } else { indent.saturating_sub(columns / 3) };
        let (mut at, mut skipped, mut shown) = (0, 0, String::new());
        for c in self.text.chars() {
            let wide = text::width_of(c);
            if at < first {
                skipped += 1;
            } else if at + wide <= first + room {
                shown.push(c);
            } else {
                shown.push('…');
                break;
            }
            at += wide;
        }
        let dots = usize::from(skipped > 0);
        let text = if dots > 0 { format!("…{shown}") } else { shown };
        let moved = count(skipped).saturating_sub(count(dots));
        Excerpt { text, column: self.column.saturating_sub(moved), length: self.length.min(count(columns / 2)) }
    }

    fn of(text: &str, at: &Range<usize>, spans: &[(Range<usize>, Show)]) -> Self {
        let whole = line_range(text, at.start);
        let line = window(text, &whole, at.start);
        let mut writer = SnippetWriter { text, out: Vec::new(), at, from: None, to: 0 };
        let mut position = line.start;
        let mut within: Vec<_> = spans.iter().filter(|(s, _)| s.start < line.end && s.end > line.start).collect();
        within.sort_by_key(|(span, _)| (span.start, span.end));
        for (span, show) in within {
            let (start, end) = (span.start.max(position), span.end.min(line.end));
            if start >= end {
                continue;
            }
            writer.gap(position..start);
            match show {
                Show::Yes => writer.verbatim(start..end),
                Show::No => writer.masked(start..end),
            }
            position = end;
        }
        writer.gap(position..line.end);
        writer.finish(line.start > whole.start, line.end < whole.end)
    }
}

/// The part of a line around `at` for an excerpt: lines can have megabytes.
fn window(text: &str, line: &Range<usize>, at: usize) -> Range<usize> {
    const ENOUGH: usize = 4 * limits::EXCERPT;
    let boundary = |mut at: usize| {
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    boundary(line.start.max(at.saturating_sub(ENOUGH)))..boundary(line.end.min(at.saturating_add(ENOUGH)))
}

/// Writes a line with hidden values, and tracks the position of the mistake.
struct SnippetWriter<'t> {
    text: &'t str,
    out: Vec<char>,
    at: &'t Range<usize>,
    from: Option<usize>,
    to: usize,
}

impl SnippetWriter<'_> {
    fn verbatim(&mut self, range: Range<usize>) {
        let start = range.start;
        for (offset, c) in self.text.get(range).unwrap_or("").char_indices() {
            self.mark(start + offset..start + offset + c.len_utf8(), 1);
            self.out.push(printable(c));
        }
    }

    fn masked(&mut self, range: Range<usize>) {
        self.mark(range, MASK.chars().count());
        self.out.extend(MASK.chars());
    }

    /// Writes text between values: punctuation is shown; comments and everything else are hidden.
    fn gap(&mut self, range: Range<usize>) {
        let (start, end) = (range.start, range.end);
        let mut rest = self.text.get(range).unwrap_or("");
        let mut at = start;
        while let Some(c) = rest.chars().next() {
            let length = if c == '#' {
                let length = rest.len();
                self.verbatim(at..at + 1);
                if length > 1 {
                    self.masked(at + 1..end);
                }
                length
            } else if is_structure(c) {
                self.verbatim(at..at + c.len_utf8());
                c.len_utf8()
            } else {
                let length = rest.find(is_structure).unwrap_or(rest.len());
                self.masked(at..at + length);
                length
            };
            at += length;
            rest = rest.get(length..).unwrap_or("");
        }
    }

    /// Tracks the mistake: `source` is about to be written as `length` characters.
    fn mark(&mut self, source: Range<usize>, length: usize) {
        if source.end > self.at.start {
            let from = *self.from.get_or_insert(self.out.len());
            if source.start < self.at.end || from == self.out.len() {
                self.to = self.out.len() + length;
            }
        }
    }

    /// Cuts the text to the maximum length; `before` and `after` tell whether the line has more.
    fn finish(self, before: bool, after: bool) -> Excerpt {
        let length = self.out.len();
        let from = self.from.unwrap_or(length);
        let to = self.to.max(from + 1);
        let start = if length <= limits::EXCERPT { 0 } else { from.saturating_sub(limits::EXCERPT / 3) };
        let end = length.min(start + limits::EXCERPT);
        let (before, after) = (before || start > 0, after || end < length);
        let shown: String = self.out.get(start..end).unwrap_or(&[]).iter().collect();
        let text = format!("{}{shown}{}", if before { "…" } else { "" }, if after { "…" } else { "" });
        Excerpt {
            text: text.trim_end().to_string(),
            column: count(from - start + 1 + usize::from(before)),
            length: count(to.min(end.max(from + 1)) - from),
        }
    }
}

fn is_structure(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '{' | '}' | '[' | ']' | ',' | ':' | '-' | '?' | '|' | '>' | '&' | '*' | '!' | '"' | '\'')
}

/// Replaces a character that could control a terminal by one other character, so that columns do not change.
fn printable(c: char) -> char {
    match c {
        '\t' => '→',
        c if text::is_dangerous(c) => '\u{fffd}',
        c => c,
    }
}

/// Shortens and escapes a text from a file for a message.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut out: String = text.chars().take(LONGEST).map(printable).collect();
    if text.chars().nth(LONGEST).is_some() {
        out.push('…');
    }
    out
}
