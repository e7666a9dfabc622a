//! What is wrong in a file: where, what, what to do; and how that looks.

use super::limits;
use super::source::{Position, SourceFile, count, line_range, position};
use std::fmt;
use std::ops::Range;

/// Something wrong in a file. Its `Display` is what people read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, as shown to people.
    pub file: String,
    /// The line, from 1; 0 where the whole file is meant.
    pub line: u32,
    /// The character in the line, from 1.
    pub column: u32,
    /// The line as it may be shown.
    pub excerpt: Option<Excerpt>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// A line of a file, without what may be secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The line, values that may be secret replaced by `•••`.
    pub text: String,
    /// Where in `text` the mistake is, in characters from 1.
    pub column: u32,
    /// How many characters it is long.
    pub length: u32,
}

/// Whether a part of a line may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show {
    Yes,
    No,
}

/// What stands for a value that is not shown.
const MASK: &str = "•••";

impl Problem {
    /// Something wrong with a file as a whole.
    pub fn of_file(file: impl Into<String>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Problem { file: file.into(), line: 0, column: 0, excerpt: None, message: message.into(), help: help.into() }
    }

    /// Something wrong at `at`, bytes of `text`, which begins on `first_line`. Nothing of the line is
    /// shown but what `spans` allow, and punctuation.
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
        Problem { file: file.path.clone(), line, column, excerpt: Some(excerpt), message, help }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.message)?;
        if self.line == 0 {
            write!(f, "  --> {}\n   = help: {}", self.file, self.help)
        } else {
            let number = self.line.to_string();
            let margin = number.len() + 1;
            writeln!(f, "{:margin$}--> {}:{}:{}", "", self.file, self.line, self.column)?;
            if let Some(excerpt) = &self.excerpt {
                let indent = usize::try_from(excerpt.column.saturating_sub(1)).unwrap_or(0);
                let carets = usize::try_from(excerpt.length.max(1)).unwrap_or(1);
                writeln!(f, "{:margin$} |", "")?;
                writeln!(f, " {number} | {}", excerpt.text)?;
                writeln!(f, "{:margin$} | {:indent$}{:^<carets$}", "", "", "")?;
            }
            write!(f, "{:margin$} = help: {}", "", self.help)
        }
    }
}

impl Excerpt {
    fn of(text: &str, at: &Range<usize>, spans: &[(Range<usize>, Show)]) -> Self {
        let whole = line_range(text, at.start);
        let line = window(text, &whole, at.start);
        let mut writer = Writer { text, out: Vec::new(), at, from: None, to: 0 };
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

/// The part of a line around `at` of which an excerpt can be made: lines can be megabytes long.
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

/// Writes a line as it may be shown, and follows where the mistake goes.
struct Writer<'t> {
    text: &'t str,
    out: Vec<char>,
    at: &'t Range<usize>,
    from: Option<usize>,
    to: usize,
}

impl Writer<'_> {
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

    /// What is in no value: punctuation is shown, comments and whatever else is there are not.
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

    /// Notes where the mistake shows, when `source` of it is about to be written as `length` characters.
    fn mark(&mut self, source: Range<usize>, length: usize) {
        if source.end > self.at.start {
            let from = *self.from.get_or_insert(self.out.len());
            if source.start < self.at.end || from == self.out.len() {
                self.to = self.out.len() + length;
            }
        }
    }

    /// Cuts what was written to what fits; `before` and `after` say whether the line has more.
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

/// A character that cannot play tricks on a terminal.
fn printable(c: char) -> char {
    match c {
        '\t' => '→',
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

/// A text from a file, for a message: on one line, not too long, without tricks.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut out: String = text.chars().take(LONGEST).map(printable).collect();
    if text.chars().nth(LONGEST).is_some() {
        out.push('…');
    }
    out
}
