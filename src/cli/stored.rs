//! The options of commands that plan with what `stablekey snapshot` wrote.

use super::CommandFailure;
use crate::project::stored::{LARGEST_SNAPSHOT, StoredProject, StoredProjectError};
use crate::tenant::directory::disk;
use clap::Args;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use std::path::PathBuf;
use std::time::Duration;

/// The options of commands that can plan with a snapshot.
#[derive(Clone, Debug, Args)]
pub(super) struct SnapshotOptions {
    /// Ask no cluster and no platform: tenants there are as this file has them, which `stablekey snapshot` wrote
    #[arg(long, value_name = "FILE", conflicts_with = "sources")]
    pub snapshot: Option<PathBuf>,
    /// How old the snapshot may be, such as 24h or 90m
    #[arg(long, value_name = "AGE", default_value = "24h", value_parser = age)]
    pub max_age: Duration,
}

fn age(text: &str) -> Result<Duration, String> {
    let span = text.trim().parse::<Span>().ok();
    let age = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    let age = age.filter(SignedDuration::is_positive).and_then(|age| Duration::try_from(age).ok());
    age.ok_or_else(|| "write a time, such as 24h, 90m or 7d".to_string())
}

impl SnapshotOptions {
    /// Reads the snapshot, if one was given.
    pub(super) fn read(&self) -> Result<Option<StoredProject>, CommandFailure> {
        let Some(path) = &self.snapshot else { return Ok(None) };
        let bytes = disk::read(path, LARGEST_SNAPSHOT).map_err(|error| CommandFailure::reading(path, &error))?;
        let Some(bytes) = bytes else {
            let help = "write it where the tenants can be read: stablekey snapshot --out FILE";
            return Err(CommandFailure::new(format!("there is no file {}", path.display()), help));
        };
        let stored = StoredProject::parse(&bytes, Timestamp::now(), self.max_age);
        stored.map(Some).map_err(|error| {
            let help = match &error {
                StoredProjectError::TooOld { .. } => {
                    "write it again: the job of the base branch does, or stablekey snapshot --out FILE; or allow its age: --max-age"
                },
                StoredProjectError::FromTheFuture(_) => "set the clocks of both machines, then write it again",
                _ => "give a file that stablekey snapshot wrote, of the same version",
            };
            CommandFailure::new(format!("{}: {error}", path.display()), help)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_time() {
        for (text, hours) in [("24h", 24), (" 90m ", 1), ("7d", 168), ("1d 2h", 26), ("P1D", 24)] {
            assert_eq!(age(text).unwrap().as_secs() / 3600, hours, "{text}");
        }
        for text in ["", "0s", "-1h", "24", "soon", "1mo"] {
            assert!(age(text).is_err(), "{text}");
        }
    }
}
