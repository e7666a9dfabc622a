//! The writes that wait for an earlier stage, in an explanation: what waits for the same is one line.

use super::markdown::escape as md;
use super::page::{Span, TextPage, plain};
use super::style::Tone;
use crate::report::waiting_write::WaitingWrite;

/// How many writes a line names.
const MOST: usize = 8;

/// Adds the writes to a page: `◌ waits  update Integration/invoices (title): sync/releases waits for stage 1: …`.
pub(super) fn show(page: &mut TextPage, waits: &[WaitingWrite], indent: usize) {
    for line in lines(waits) {
        page.labelled(indent, Span::new(Tone::Careful, "◌ waits"), 7, &[plain(line)]);
    }
}

/// The writes as items of a Markdown list.
pub(super) fn items(waits: &[WaitingWrite]) -> Vec<String> {
    lines(waits).iter().map(|line| format!("- ⏳ {}\n", md(line))).collect()
}

fn lines(waits: &[WaitingWrite]) -> Vec<String> {
    let mut groups: Vec<(&[String], Vec<String>)> = Vec::new();
    for write in waits {
        match groups.iter_mut().find(|(waits_for, _)| *waits_for == write.waits_for) {
            Some((_, writes)) => writes.push(write.what()),
            None => groups.push((&write.waits_for, vec![write.what()])),
        }
    }
    let line = |(waits_for, writes): (&[String], Vec<String>)| {
        let more = writes.len().saturating_sub(MOST);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let writes = writes.into_iter().take(MOST).collect::<Vec<_>>().join(", ");
        format!("{writes}{more}: {}", waits_for.join("; "))
    };
    groups.into_iter().map(line).collect()
}
