//! Files as they were read, and positions in them.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A file that was read.
pub struct SourceFile {
    /// The path as it is shown to people; `-` for standard input.
    pub path: String,
    /// The complete text.
    pub text: Arc<String>,
}

/// Does not print the text, which may contain secrets.
impl fmt::Debug for SourceFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceFile({}, {} bytes)", self.path, self.text.len())
    }
}

/// The position of a document.
#[derive(Clone, Debug)]
pub struct SourcePlace {
    /// The file that contains the document.
    pub file: Arc<SourceFile>,
    /// The byte range in the file, from its `---` on.
    pub range: Range<usize>,
    /// The line on which the range begins, from 1.
    pub first_line: u32,
    /// The index in `items`, if the document is a `List`.
    pub item: Option<u32>,
}

/// A position in a file for people: from 1, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line in the file.
    pub line: u32,
    /// The character in the line.
    pub column: u32,
}

impl SourcePlace {
    /// The text of the document.
    pub fn text(&self) -> &str {
        self.file.text.get(self.range.clone()).unwrap_or("")
    }

    /// The position of an offset in the document's text.
    pub fn position(&self, offset: usize) -> Position {
        position(self.text(), self.first_line, offset)
    }
}

/// The position of `offset` in `text`, whose first line is `first_line`.
pub(super) fn position(text: &str, first_line: u32, offset: usize) -> Position {
    let line = line_range(text, offset);
    let before = text.get(line.start..offset.clamp(line.start, line.end)).unwrap_or("");
    let before = before.strip_prefix('\u{feff}').unwrap_or(before);
    let lines = line_breaks(text.as_bytes().get(..line.start).unwrap_or(&[]));
    Position { line: first_line.saturating_add(lines), column: count(before.chars().count()).saturating_add(1) }
}

/// The part of `range` on its first line. Reads only within `range`: a line may be long and contain many ranges.
pub(super) fn first_line_of(text: &str, range: Range<usize>) -> Range<usize> {
    let bytes = text.as_bytes().get(range.clone()).unwrap_or_default();
    let length = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(bytes.len());
    range.start..range.start + length
}

/// The byte range of the line around `offset`, without its line break.
pub(super) fn line_range(text: &str, offset: usize) -> Range<usize> {
    let bytes = text.as_bytes();
    let offset = offset.min(bytes.len());
    let is_break = |b: &u8| matches!(b, b'\n' | b'\r');
    let start = bytes.get(..offset).and_then(|b| b.iter().rposition(is_break)).map_or(0, |at| at + 1);
    let length = bytes.get(start..).and_then(|b| b.iter().position(is_break)).unwrap_or(bytes.len() - start);
    start..(start + length).max(start)
}

/// The number of line breaks: `
/// `, `\r
/// ` and a lone `\r` count as one each.
pub(super) fn line_breaks(bytes: &[u8]) -> u32 {
    let mut breaks = 0_usize;
    let mut previous = 0;
    for &byte in bytes {
        match byte {
            b'\r' => breaks += 1,
            b'\n' if previous != b'\r' => breaks += 1,
            _ => {}
        }
        previous = byte;
    }
    count(breaks)
}

pub(super) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_counted_as_people_do() {
        let text = "ä: b\r\nc: d\rx\n\ny";
        let at = |needle: char| {
            let p = position(text, 1, text.find(needle).unwrap());
            (p.line, p.column)
        };
        assert_eq!(at('b'), (1, 4));
        assert_eq!(at('c'), (2, 1));
        assert_eq!(at('x'), (3, 1));
        assert_eq!(at('y'), (5, 1));
        assert_eq!(position(text, 1, 999).line, 5);
    }

    #[test]
    fn a_file_is_not_printed_by_accident() {
        let file = SourceFile { path: "a.yaml".into(), text: Arc::new("hunter2".into()) };
        assert!(!format!("{file:?}").contains("hunter2"));
    }
}
