//! The report of an import, worst first.

use super::{ImportNote, ImportState, ImportedFile, ImportedTenant, Level};
use std::fmt::Write;

/// The report of an import into the folder with this name: errors, manual steps, other notes, and what was written.
pub fn report(import: &ImportedTenant, files: &[ImportedFile], folder: &str) -> String {
    let mut text = String::new();
    section(&mut text, "Errors", "  ✗ ", notes(import, Level::Error));
    section(&mut text, "Manual steps", "  [ ] ", notes(import, Level::Manual));
    let skipped = notes(import, Level::Skipped).count();
    section(&mut text, &format!("Keys not imported: {skipped}"), "  - ", notes(import, Level::Skipped));
    section(&mut text, "Good to know", "  - ", notes(import, Level::Information));
    let state = |path: &str| {
        let name = path.strip_prefix("integrations/")?.rsplit_once('.')?.0;
        import.integrations.iter().find(|i| i.object.name() == name).map(|i| i.state)
    };
    let written = files.iter().map(|file| {
        let state = match state(&file.path) {
            Some(ImportState::Replaced) => " (replaced)",
            Some(ImportState::Unchanged) => " (unchanged)",
            Some(ImportState::New) | None => "",
        };
        format!("{}{state}", file.path)
    });
    section(&mut text, &format!("Files in {}", crate::text::line(folder)), "  ", written);
    let manual = notes(import, Level::Manual).count();
    let errors = notes(import, Level::Error).count();
    let _ = writeln!(
        text,
        "{}, {}, {}; {}, {}.",
        counted(import.integrations.len(), "integration"),
        counted(import.components.len(), "component"),
        counted(import.connections.len(), "connection"),
        counted(manual, "manual step"),
        counted(errors, "error")
    );
    text
}

fn notes(import: &ImportedTenant, level: Level) -> impl Iterator<Item = String> {
    import.notes.iter().filter(move |note| note.level() == level).map(ImportNote::to_string)
}

fn section(text: &mut String, title: &str, bullet: &str, lines: impl Iterator<Item = String>) {
    let mut lines = lines.peekable();
    if lines.peek().is_none() {
        return;
    }
    let _ = writeln!(text, "{title}");
    for line in lines {
        let _ = writeln!(text, "{bullet}{}", crate::text::line(&line));
    }
    text.push('\n');
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
