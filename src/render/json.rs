//! JSON output with sorted keys: compact for programs, or indented for people.

use serde::Serialize;
use serde_json::ser::Formatter;
use std::cell::RefCell;
use std::io;
use std::ops::Range;
use std::rc::Rc;

/// The layout of JSON. Keys are always sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonLayout {
    /// Canonical bytes, without blanks: the same on every machine.
    Compact,
    /// Indented by two, with a newline at the end.
    Pretty,
}

/// Serializes `value` (a plan, a status, an explanation, findings) as JSON.
pub fn json(value: &impl Serialize, layout: JsonLayout) -> Result<String, serde_json::Error> {
    match layout {
        JsonLayout::Compact => crate::engine::model::canonical::to_string(value),
        JsonLayout::Pretty => {
            let mut text = pretty(value)?;
            text.push('\n');
            Ok(match crate::text::json(&text) {
                std::borrow::Cow::Borrowed(_) => text,
                std::borrow::Cow::Owned(escaped) => escaped,
            })
        }
    }
}

/// Serializes with indentation and sorted keys. A tree of a large plan takes ten times the memory of its text: so the
/// text is written directly, and the keys of an object are sorted in the text if necessary.
fn pretty(value: &impl Serialize) -> Result<String, serde_json::Error> {
    // A buffer that doubles as it grows temporarily takes up to three times its size, so the length is computed first.
    let mut length = Length(0);
    serde_json::to_writer_pretty(&mut length, value)?;
    let text = Text(Rc::new(RefCell::new(Vec::with_capacity(length.0 + 1))));
    let formatter = SortedFormatter { text: text.clone(), ..SortedFormatter::default() };
    value.serialize(&mut serde_json::Serializer::with_formatter(text.clone(), formatter))?;
    let bytes = text.0.take();
    String::from_utf8(bytes).map_err(serde::ser::Error::custom)
}

/// A writer that only counts bytes.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A text that is written and then sorted in part.
#[derive(Clone, Default)]
struct Text(Rc<RefCell<Vec<u8>>>);

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A formatter that indents by two, and sorts the keys of each object at its end.
#[derive(Default)]
struct SortedFormatter {
    text: Text,
    /// The open values, outermost first: the entries of an object, or whether a list has an item.
    open: Vec<OpenValue>,
}

#[derive(Default)]
struct OpenValue {
    entries: Vec<EntrySpan>,
    has_items: bool,
}

/// The position of an entry in the text, beginning with its key.
struct EntrySpan {
    key: Range<usize>,
    end: usize,
}

impl SortedFormatter {
    fn at(&self) -> usize {
        self.text.0.borrow().len()
    }

    fn new_line<W: ?Sized + io::Write>(&self, out: &mut W) -> io::Result<()> {
        out.write_all(b"\n")?;
        (0..self.open.len()).try_for_each(|_| out.write_all(b"  "))
    }

    fn end<W: ?Sized + io::Write>(&mut self, out: &mut W, is_empty: bool, mark: &[u8]) -> io::Result<()> {
        if !is_empty {
            self.new_line(out)?;
        }
        out.write_all(mark)
    }

    /// Sorts the entries of an object by key.
    fn sort(&self, entries: &[EntrySpan]) {
        let mut text = self.text.0.borrow_mut();
        // Compared without quotes: a key sorts before all keys that it is a prefix of.
        let key =
            |entry: &EntrySpan| text.get(entry.key.start + 1..entry.key.end.saturating_sub(1)).map(<[u8]>::to_vec);
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return };
        if entries.is_sorted_by_key(key) {
            return;
        }
        let whole = first.key.start..last.end;
        let mut order: Vec<&EntrySpan> = entries.iter().collect();
        order.sort_by_cached_key(|entry| key(entry));
        // The separator between entries is the same everywhere.
        let between: Vec<u8> =
            entries.get(1).and_then(|next| text.get(first.end..next.key.start)).unwrap_or(&[]).to_vec();
        let parts: Vec<&[u8]> = order.iter().filter_map(|entry| text.get(entry.key.start..entry.end)).collect();
        let sorted = parts.join(between.as_slice());
        text.truncate(whole.start);
        text.extend_from_slice(&sorted);
    }
}

impl Formatter for SortedFormatter {
    fn begin_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.open.push(OpenValue::default());
        out.write_all(b"[")
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        let has_items = self.open.pop().is_some_and(|open| open.has_items);
        self.end(out, !has_items, b"]")
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if !first {
            out.write_all(b",")?;
        }
        self.open.last_mut().into_iter().for_each(|open| open.has_items = true);
        self.new_line(out)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.open.push(OpenValue::default());
        out.write_all(b"{")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        let entries = self.open.pop().map(|open| open.entries).unwrap_or_default();
        self.sort(&entries);
        self.end(out, entries.is_empty(), b"}")
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if !first {
            out.write_all(b",")?;
        }
        self.new_line(out)?;
        let at = self.at();
        self.open.last_mut().into_iter().for_each(|open| open.entries.push(EntrySpan { key: at..at, end: at }));
        Ok(())
    }

    fn end_object_key<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        let at = self.at();
        let entry = self.open.last_mut().and_then(|open| open.entries.last_mut());
        entry.into_iter().for_each(|entry| entry.key.end = at);
        Ok(())
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        let at = self.at();
        let entry = self.open.last_mut().and_then(|open| open.entries.last_mut());
        entry.into_iter().for_each(|entry| entry.end = at);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
