//! Cuts a file into documents at the marks in column 0: `---`, `...` and directives.
//!
//! Each slice is parsed separately, so that an error in one document does not hide others, and so that threads can
//! share a large file.

use super::source::count;
use memchr::{memchr2_iter, memmem};
use std::ops::Range;

/// The slice of a file that contains one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slice {
    /// The byte range, from its `---` (or directives) to the next mark.
    pub range: Range<usize>,
    /// The first line, from 1.
    pub first_line: u32,
}

/// Cuts at every mark. Slices are contiguous and cover the text; slices without content are skipped.
pub(super) fn cut(text: &str) -> Vec<Slice> {
    // As many as there are marks: growing would touch twice the memory.
    let slices = Vec::with_capacity(memmem::find_iter(text.as_bytes(), "\n---").count() + 1);
    let mut cutter = Cutter { text, slices, start: 0, first_line: 1, content: false, directives: None };
    let bytes = text.as_bytes();
    let (mut at, mut line) = (0, 1_usize);
    for end in memchr2_iter(b'\n', b'\r', bytes) {
        // The second half of a `\r\n` ends no line.
        if end < at {
            continue;
        }
        let two = bytes[end..].starts_with(b"\r\n");
        let next = end + if two { 2 } else { 1 };
        cutter.line(at..end, next, line);
        at = next;
        line += 1;
    }
    if at < bytes.len() {
        cutter.line(at..bytes.len(), bytes.len(), line);
        line += 1;
    }
    cutter.close(bytes.len(), line);
    cutter.slices
}

struct Cutter<'t> {
    text: &'t str,
    slices: Vec<Slice>,
    start: usize,
    first_line: usize,
    /// Whether the slice contains more than comments and blank lines.
    content: bool,
    /// The beginning of directives that belong to the next `---`.
    directives: Option<(usize, usize)>,
}

impl Cutter<'_> {
    fn line(&mut self, range: Range<usize>, next: usize, number: usize) {
        let all = &self.text.as_bytes()[range.clone()];
        // Nearly every line is indented, and is a further one of its document.
        if self.content && all.first() == Some(&b' ') {
            return;
        }
        let line = all.strip_prefix("\u{feff}".as_bytes()).unwrap_or(all);
        match line.first() {
            None | Some(b'#') => {}
            Some(b'-') if is_mark(line, b"---") => {
                let (at, first_line) = self.directives.take().unwrap_or((range.start, number));
                self.close(at, first_line);
                self.content = true;
            }
            Some(b'.') if is_mark(line, b"...") => {
                self.directives = None;
                self.content |= line.len() > 3;
                self.close(next, number + 1);
            }
            Some(b'%') if !self.content => {
                self.directives.get_or_insert((range.start, number));
            }
            Some(_) => self.content |= !line.iter().all(|b| matches!(b, b' ' | b'\t')),
        }
    }

    fn close(&mut self, at: usize, next_line: usize) {
        let range = self.start..at.max(self.start);
        if (self.content || self.directives.is_some()) && !range.is_empty() {
            self.slices.push(Slice { range, first_line: count(self.first_line) });
        }
        (self.start, self.first_line, self.content, self.directives) = (at, next_line, false, None);
    }
}

fn is_mark(line: &[u8], mark: &[u8]) -> bool {
    line.strip_prefix(mark).is_some_and(|rest| rest.first().is_none_or(|b| matches!(b, b' ' | b'\t')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<(&str, u32)> {
        cut(text).into_iter().map(|s| (&text[s.range], s.first_line)).collect()
    }

    #[test]
    fn documents_are_cut_at_marks_in_column_0() {
        assert_eq!(texts("a: 1\n---\nb: 2\n--- # c\nc: 3"), [("a: 1\n", 1), ("---\nb: 2\n", 2), ("--- # c\nc: 3", 4)]);
        assert_eq!(texts("a: |\n  ---\n  x\n"), [("a: |\n  ---\n  x\n", 1)]);
        assert_eq!(texts("a: 1\n...\nb: 2\n"), [("a: 1\n...\n", 1), ("b: 2\n", 3)]);
        assert_eq!(texts("---a: 1\n----\n"), [("---a: 1\n----\n", 1)]);
        assert_eq!(texts(""), []);
        assert_eq!(texts("# only\n\n"), []);
    }

    #[test]
    fn line_ends_of_every_kind_and_a_bom_are_understood() {
        assert_eq!(texts("a: 1\r\n---\r\nb: 2\r\n"), [("a: 1\r\n", 1), ("---\r\nb: 2\r\n", 2)]);
        assert_eq!(texts("a: 1\r\n...\r\nb: 2"), [("a: 1\r\n...\r\n", 1), ("b: 2", 3)]);
        assert_eq!(texts("a: 1\r---\rb: 2"), [("a: 1\r", 1), ("---\rb: 2", 2)]);
        assert_eq!(texts("a: 1\n\u{feff}---\nb: 2"), [("a: 1\n", 1), ("\u{feff}---\nb: 2", 2)]);
    }

    #[test]
    fn directives_go_with_the_document_that_follows() {
        assert_eq!(texts("%YAML 1.2\n---\na: 1\n"), [("%YAML 1.2\n---\na: 1\n", 1)]);
        assert_eq!(texts("a: 1\n...\n%YAML 1.2\n---\nb: 2\n"), [("a: 1\n...\n", 1), ("%YAML 1.2\n---\nb: 2\n", 3)]);
        assert_eq!(texts("a: b\n%c\n"), [("a: b\n%c\n", 1)]);
    }
}
