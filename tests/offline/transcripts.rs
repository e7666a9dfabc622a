//! Every command with every exit code, as people see it: tests/transcripts/*.md.

#[test]
fn transcripts_are_current() {
    crate::console::run_all(&crate::console::markdown_in("tests/transcripts"));
}
