//! Everything as JSON: canonical (sorted keys), compact for machines or pretty for people.

use serde::Serialize;
use serde_json::ser::Formatter;
use std::cell::RefCell;
use std::io;
use std::ops::Range;
use std::rc::Rc;

/// How JSON is laid out. The keys are sorted either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonLayout {
    /// Canonical bytes, without blanks: the same on every machine.
    Compact,
    /// Indented by two, with a newline at the end.
    Pretty,
}

/// `value` (a plan, a status, an explanation, findings) as JSON.
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

/// Indented, with sorted keys. A tree of a large plan takes ten times the room of its text: it is written as it comes,
/// and only where the keys of an object do not come in their order is that put right, in the text.
fn pretty(value: &impl Serialize) -> Result<String, serde_json::Error> {
    // What doubles as it grows takes up to three times its room for a moment: how long it will be is asked first.
    let mut length = Length(0);
    serde_json::to_writer_pretty(&mut length, value)?;
    let text = Text(Rc::new(RefCell::new(Vec::with_capacity(length.0 + 1))));
    let formatter = SortedFormatter { text: text.clone(), ..SortedFormatter::default() };
    value.serialize(&mut serde_json::Serializer::with_formatter(text.clone(), formatter))?;
    let bytes = text.0.take();
    String::from_utf8(bytes).map_err(serde::ser::Error::custom)
}

/// How long a text is.
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

/// A text that is written and put in order.
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

/// Indents by two, and sorts the keys of each object when it ends.
#[derive(Default)]
struct SortedFormatter {
    text: Text,
    /// What is open, from the outside in: of an object its entries, of a list whether it has an item.
    open: Vec<OpenValue>,
}

#[derive(Default)]
struct OpenValue {
    entries: Vec<EntrySpan>,
    has_items: bool,
}

/// Where an entry stands in the text, its key first.
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

    /// Puts the entries of an object in the order of their keys.
    fn sort(&self, entries: &[EntrySpan]) {
        let mut text = self.text.0.borrow_mut();
        // Without its quotes: what ends a key comes before whatever goes on.
        let key =
            |entry: &EntrySpan| text.get(entry.key.start + 1..entry.key.end.saturating_sub(1)).map(<[u8]>::to_vec);
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return };
        if entries.is_sorted_by_key(key) {
            return;
        }
        let whole = first.key.start..last.end;
        let mut order: Vec<&EntrySpan> = entries.iter().collect();
        order.sort_by_cached_key(|entry| key(entry));
        // What stands between two entries is the same everywhere.
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
