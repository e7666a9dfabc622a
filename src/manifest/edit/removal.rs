//! Taking entries and items away, with their lines and commas and nothing else.

use super::layout::Holder;
use super::splice::{PathEnd, Result, Splice, SpliceDraft};
use super::value::Value;
use super::{EMPTIED, EditError};
use crate::manifest::node::{Id, MapEntry, NodeKind};
use std::ops::Range;

impl SpliceDraft<'_, '_> {
    /// The change that takes away what is at `path`; none where nothing is.
    pub fn remove(&self, path: &[&str]) -> Result<Vec<Splice>> {
        let (PathEnd::Node(..), mut path) = (self.find(path)?, path) else { return Ok(Vec::new()) };
        // A map or list that would be empty goes too, where absent is how that is written.
        while let Some((_, above)) = path.split_last() {
            let is_emptied = above.last().is_some_and(|key| EMPTIED.contains(key));
            let PathEnd::Node(holder, _) = self.find(above)? else { break };
            let alone = self.tree().entries(holder).len().max(self.tree().items(holder).len()) == 1;
            if !(is_emptied && alone) {
                break;
            }
            path = above;
        }
        let PathEnd::Node(id, holder) = self.find(path)? else { return Ok(Vec::new()) };
        if self.layout.is_shared(id) {
            return Err(EditError::Shared);
        }
        match holder {
            Holder::Root => Err(EditError::Layout),
            Holder::Map { map, entry } => self.remove_entry(map, &entry),
            Holder::List { list, index } => self.remove_item(list, index),
        }
    }

    /// The change that takes away an item of a list, whatever it is.
    pub fn remove_element(&self, list: Id, index: usize) -> Result<Vec<Splice>> {
        match self.tree().items(list).get(index) {
            Some(item) if self.layout.is_shared(*item) => Err(EditError::Shared),
            Some(_) => self.remove_item(list, index),
            None => Err(EditError::Layout),
        }
    }

    pub(super) fn remove_entry(&self, map: Id, entry: &MapEntry) -> Result<Vec<Splice>> {
        let NodeKind::Map { entries, merge, flow } = &self.tree().node(map).kind else { return Err(EditError::NoMap) };
        if merge.is_some() || self.tree().node(map).repeated {
            return Err(EditError::Shared);
        }
        let index = entries.iter().position(|e| e.key == entry.key).ok_or(EditError::Layout)?;
        let start = |entry: &MapEntry| self.tree().node(entry.key).span().start;
        if *flow {
            let end = |entry: &MapEntry| match self.tree().node(entry.value).span() {
                span if span.is_empty() => {
                    self.layout.after_colon(entry).unwrap_or(self.tree().node(entry.key).span().end)
                }
                span => span.end,
            };
            let parts: Vec<_> = entries.iter().map(|entry| start(entry)..end(entry)).collect();
            return Ok(self.remove_in_flow(map, &parts, index));
        }
        let end = self.layout.entry_end(entry)?;
        if entries.len() == 1 {
            let holder = self.holder_of(map);
            return self.replace_block(map, &holder, &Value::Map(Vec::new()));
        }
        self.remove_lines(start(entry), end, entries.get(index + 1).map(start))
    }

    pub(super) fn remove_item(&self, list: Id, index: usize) -> Result<Vec<Splice>> {
        let NodeKind::List { items, flow } = &self.tree().node(list).kind else { return Err(EditError::NoMap) };
        if self.tree().node(list).repeated {
            return Err(EditError::Shared);
        }
        if *flow {
            let parts: Vec<_> = items.iter().map(|item| self.tree().node(*item).span()).collect();
            return Ok(self.remove_in_flow(list, &parts, index));
        }
        if items.len() == 1 {
            let holder = self.holder_of(list);
            return self.replace_block(list, &holder, &Value::List(Vec::new()));
        }
        let next = if index + 1 < items.len() { Some(self.layout.dash(list, index + 1)?) } else { None };
        self.remove_lines(self.layout.dash(list, index)?, self.layout.item_end(list, index)?, next)
    }

    /// Removes whole lines. What begins behind a dash (`- name: x`) is followed there by what is next.
    fn remove_lines(&self, start: usize, end: usize, next: Option<usize>) -> Result<Vec<Splice>> {
        if self.layout.before(start).trim().is_empty() {
            let from = start - self.layout.before(start).len();
            let to = self.layout.next_line(end);
            if to < self.layout.text().len() || self.layout.line_end(end) < to {
                return Ok(Splice::new(from..to, ""));
            }
            // The last line of a file that ends without a line break: the break before it goes.
            let before = &self.layout.text()[..from];
            let from =
                before.strip_suffix("\r\n").or_else(|| before.strip_suffix(['\n', '\r'])).unwrap_or(before).len();
            return Ok(Splice::new(from..to, ""));
        }
        // A comment beside what goes, goes too; one on a line of its own would have no line any more.
        match next {
            Some(next) => {
                let rest = self.layout.text()[end..self.layout.line_end(end).min(next)].trim_start();
                let below = &self.layout.text()[self.layout.line_end(end).min(next)..next];
                let fits = (rest.is_empty() || rest.starts_with('#')) && below.trim().is_empty();
                if fits { Ok(Splice::new(start..next, "")) } else { Err(EditError::Layout) }
            }
            None => Err(EditError::Layout),
        }
    }

    fn remove_in_flow(&self, id: Id, parts: &[Range<usize>], index: usize) -> Vec<Splice> {
        let text = self.layout.text();
        let (part, is_last) = (&parts[index], index + 1 == parts.len());
        let rest = &text[part.end..self.layout.line_end(part.end)];
        let after = rest.trim_start();
        let comma = if after.starts_with(',') { part.end + rest.len() - after.len() + 1 } else { part.end };
        let tail = text[comma..self.layout.line_end(comma)].trim_start();
        let span = self.tree().node(id).span();
        let own_lines = self.layout.before(part.start).trim().is_empty()
            && (tail.is_empty() || tail.starts_with('#'))
            && self.layout.line_start(part.start) > span.start;
        let before_comma = index.checked_sub(1).filter(|_| is_last).and_then(|before| {
            let end = parts[before].end;
            let at = end + text[end..part.start].find(',')?;
            text[end..at].trim().is_empty().then_some(at..at + 1)
        });
        match (own_lines, before_comma) {
            (true, before) => {
                let lines = self.layout.line_start(part.start)..self.layout.next_line(part.end);
                let keeps_comma = comma > part.end;
                let comma = before.filter(|_| !keeps_comma).map(|at| Splice { at, with: String::new() });
                comma.into_iter().chain([Splice { at: lines, with: String::new() }]).collect()
            }
            (false, Some(_)) => Splice::new(parts[index - 1].end..part.end, ""),
            (false, None) => match parts.get(index + 1) {
                Some(next) => Splice::new(part.start..next.start, ""),
                None => Splice::new(part.start..comma, ""),
            },
        }
    }
}
