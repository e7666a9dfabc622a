//! Every command with every exit code, as people see it: tests/transcripts/*.md.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod console;
mod support;

#[test]
fn transcripts_are_what_happens() {
    console::run_all(&console::markdown_in("tests/transcripts"));
}
