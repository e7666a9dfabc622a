//! `stablekey.lock`: the records of a directory tenant, one sorted line per object, so that Git
//! merges it.

use crate::engine::item::ObjectId;
use crate::engine::record::Record;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Its name, in the tenant's folder.
pub const NAME: &str = "stablekey.lock";
const VERSION: &str = "stablekey.lock v1";

/// A line that cannot be read, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct LockError {
    /// From 1.
    pub line: usize,
    /// What is wrong and what to do.
    pub why: &'static str,
}

/// The records of a file. An empty file has none.
pub fn read(text: &str) -> Result<BTreeMap<ObjectId, Arc<Record>>, LockError> {
    let mut records = BTreeMap::new();
    for (position, line) in text.lines().enumerate() {
        let fail = |why| Err(LockError { line: position + 1, why });
        if line.starts_with("<<<<<<<") || line.starts_with("=======") || line.starts_with(">>>>>>>") {
            return fail(
                "a merge was left unfinished: keep the lines of both sides, and of two lines for one object either",
            );
        }
        if position == 0 {
            if line != VERSION {
                return fail(
                    "the first line is not \"stablekey.lock v1\": another version of Stablekey wrote it, or it was edited",
                );
            }
            continue;
        }
        if line.is_empty() {
            continue;
        }
        let entry = line.split_once(' ').and_then(|(id, rest)| Some((ObjectId::parse(id)?, Record::decode(rest)?)));
        let Some((id, record)) = entry else {
            return fail(
                "not a record: restore the file from Git, or take the line out (the object is then as if others had written it)",
            );
        };
        if records.insert(id, Arc::new(record)).is_some() {
            return fail("the object has two lines: keep one");
        }
    }
    Ok(records)
}

/// The file that holds these records.
pub fn write(records: &BTreeMap<ObjectId, Arc<Record>>) -> String {
    let mut lines: Vec<String> = records.iter().map(|(id, record)| format!("{id} {}", record.encode())).collect();
    lines.sort_unstable();
    let mut text = format!("{VERSION}\n");
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Kind;

    #[test]
    fn a_file_survives_reading_and_writing() {
        let record = Arc::new(Record::decode("eu-prod made title=0123456789abcdef@sync/us-to-eu").unwrap());
        let records = BTreeMap::from([
            (ObjectId::new(Kind::Integration, "lead-router"), record.clone()),
            (ObjectId::new(Kind::Connection, "slack"), record),
        ]);
        let text = write(&records);
        assert_eq!(
            text,
            "stablekey.lock v1\n\
             Connection/slack eu-prod made title=0123456789abcdef@sync/us-to-eu\n\
             Integration/lead-router eu-prod made title=0123456789abcdef@sync/us-to-eu\n"
        );
        assert_eq!(read(&text), Ok(records));
        assert_eq!(read(""), Ok(BTreeMap::new()));
    }

    #[test]
    fn what_cannot_be_read_names_its_line() {
        let line = |text: &str| read(text).unwrap_err().line;
        assert_eq!(line("something else\n"), 1);
        assert_eq!(line("stablekey.lock v1\nnonsense\n"), 2);
        assert_eq!(line("stablekey.lock v1\n<<<<<<< ours\n"), 2);
        assert_eq!(line("stablekey.lock v1\nConnection/a t -\nConnection/a t -\n"), 3);
    }
}
