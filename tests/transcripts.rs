//! Every command with every exit code, as people see it: tests/transcripts/*.md.

#[allow(dead_code)]
mod console;

#[test]
fn transcripts_are_what_happens() {
    console::run_all(&console::markdown_in("tests/transcripts"));
}
