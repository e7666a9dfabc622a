//! `stablekey.lock`: the ownership records of a folder, one sorted line per object, so that Git can merge it.

use crate::engine::model::canonical::FieldHash;
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::record::{Record, Wrote};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Its name, in the tenant's folder.
pub const NAME: &str = "stablekey.lock";
const VERSION: &str = "stablekey.lock v1";
/// The file that tells Git how to merge the lock.
pub const ATTRIBUTES: &str = ".gitattributes";
/// Keeps the lines of both sides: [`LockLines::records`] merges them into one record.
const MERGED_BY_LINE: &str = "stablekey.lock merge=union";

/// A line that cannot be read, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct LockError {
    /// The line number, from 1.
    pub line: usize,
    /// What is wrong, and what to do.
    pub why: &'static str,
}

/// The parsed lines of a lock file: one record per object, or several after a Git merge (`merge=union`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockLines(BTreeMap<ObjectId, Vec<Record>>);

/// Parses a lock file. An empty file was truncated, because it has no version line.
pub fn read(text: &str) -> Result<LockLines, LockError> {
    let mut lines = LockLines::default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        let why = "the file is empty: restore it from Git, or remove it where nothing was ever applied here";
        return Err(LockError { line: 1, why });
    }
    for (position, line) in text.lines().enumerate() {
        let fail = |why| Err(LockError { line: position + 1, why });
        if ["<<<<<<<", "|||||||", "=======", ">>>>>>>"].iter().any(|mark| line.starts_with(mark)) {
            return fail("a merge was left unfinished: take out its marks, and keep the lines of both sides");
        }
        match (position, line) {
            // A merge can duplicate it.
            (_, VERSION) => continue,
            (0, _) => {
                return fail(
                    "the first line is not \"stablekey.lock v1\": another version of Stablekey wrote it, or it was edited",
                );
            }
            (_, "") => continue,
            _ => {}
        }
        let entry = line.split_once(' ').and_then(|(id, rest)| Some((ObjectId::parse(id)?, Record::decode(rest)?)));
        let Some((id, record)) = entry else {
            return fail(
                "not a record: restore the file from Git, or take the line out (the object is then as if others had written it)",
            );
        };
        lines.0.entry(id).or_default().push(record);
    }
    Ok(lines)
}

impl LockLines {
    /// Whether a merge left several lines for one object.
    pub fn are_merged(&self) -> bool {
        self.0.values().any(|records| records.len() > 1)
    }

    /// Returns the records of a tenant. If a merge left several lines for one object, the live object decides which is
    /// right.
    pub fn records(self, tenant: &str, live: &Inventory) -> BTreeMap<ObjectId, Arc<Record>> {
        let of_object = |(id, mut records): (ObjectId, Vec<Record>)| {
            if records.len() > 1 {
                let item = live.get(&id);
                records = vec![merged(records, tenant, item.as_ref())];
            }
            Some((id, Arc::new(records.pop()?)))
        };
        self.0.into_iter().filter_map(of_object).collect()
    }
}

/// Merges several records: `made` only if all say so; lines of another tenant are dropped; of each field the hash that
/// matches the live value. If none matches, the field stays recorded: it drifted.
fn merged(records: Vec<Record>, tenant: &str, live: Option<&Item>) -> Record {
    let (ours, others): (Vec<Record>, Vec<Record>) = records.into_iter().partition(|r| r.tenant == tenant);
    // Lines of other tenants only belong to a copied file: whichever is kept, it is not a record here.
    let lines = if ours.is_empty() { others } else { ours };
    let mut merged = Record {
        tenant: lines.first().map(|line| line.tenant.clone()).unwrap_or_default(),
        made: lines.iter().all(|line| line.made),
        ..Record::default()
    };
    for (key, hosts) in lines.iter().flat_map(|line| &line.sent) {
        // Both sides know different hosts, so neither is complete.
        let known = merged.sent.entry(*key).or_insert(*hosts);
        *known = if *known == *hosts { *hosts } else { FieldHash::UNKNOWN };
    }
    merged.endpoints = lines.iter().flat_map(|line| &line.endpoints).cloned().collect();
    for (field, wrote) in lines.into_iter().flat_map(|line| line.fields) {
        let fits = |wrote: &Wrote| live.and_then(|live| live.value(&field)).is_some_and(|v| v.hash() == wrote.hash);
        match merged.fields.get_mut(&field) {
            Some(before) if before.hash == wrote.hash => {
                Arc::make_mut(&mut before.writers).extend(wrote.writers.iter().cloned());
            }
            Some(before) if fits(before) || !fits(&wrote) => {}
            _ => drop(merged.fields.insert(field, wrote)),
        }
    }
    merged
}

/// Whether a folder is in a Git tree that does not configure yet how a lock is merged.
pub fn is_left_to_git(folder: &Path) -> bool {
    let Ok(folder) = folder.canonicalize() else { return false };
    let says = |folder: &Path| {
        let attributes = std::fs::read_to_string(folder.join(ATTRIBUTES)).unwrap_or_default();
        attributes.lines().any(|line| line.split_whitespace().next().is_some_and(|of| of.ends_with(NAME)))
    };
    for above in folder.ancestors() {
        if says(above) {
            return false;
        }
        if above.join(".git").exists() {
            return true;
        }
    }
    false
}

/// Returns the content of `.gitattributes` with the line for the lock.
pub fn with_attribute(mut attributes: Vec<u8>) -> Vec<u8> {
    if !attributes.is_empty() && !attributes.ends_with(b"\n") {
        attributes.push(b'\n');
    }
    attributes.extend_from_slice(MERGED_BY_LINE.as_bytes());
    attributes.push(b'\n');
    attributes
}

/// Returns the content of a file with these records.
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
    use crate::api::{IntegrationSpec, Kind, Object};
    use crate::engine::model::field::{Field, FieldKind};

    #[test]
    fn a_lock_file_is_read_and_written_unchanged() {
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
        assert_eq!(read(&text).unwrap().records("eu-prod", &Inventory::default()), records);
        assert_eq!(read(VERSION), Ok(LockLines::default()));
    }

    /// Like manifests, whatever wrote the file last.
    #[test]
    fn a_bom_and_crlf_are_accepted() {
        let text = "stablekey.lock v1\nConnection/slack eu-prod made title=0123456789abcdef@source\n";
        for other in [text.replace('\n', "\r\n"), format!("\u{feff}{text}"), text.trim_end().to_string()] {
            assert_eq!(read(&other), read(text), "{other:?}");
        }
    }

    #[test]
    fn an_unreadable_line_is_named() {
        let line = |text: &str| read(text).unwrap_err().line;
        assert_eq!(line("something else\n"), 1);
        assert_eq!((line(""), line(" \n")), (1, 1));
        assert_eq!(line("stablekey.lock v1\nnonsense\n"), 2);
        assert_eq!(line("stablekey.lock v1\nstablekey.lock v2\n"), 2);
        for mark in ["<<<<<<< ours", "||||||| base", "=======", ">>>>>>> theirs"] {
            assert_eq!(line(&format!("stablekey.lock v1\n{mark}\n")), 2, "{mark}");
        }
    }

    /// After a Git merge with several lines for one object: `made` only if all say so; lines of another tenant are
    /// dropped; per field the hash that matches the live value, and if none matches the field stays recorded (drift). A
    /// second version line is ignored.
    ///
    /// "Merges of Git may leave several lines for one object: made only if all say so; lines of another tenant fall;
    /// per field the hash that fits live, and if none fits the field stays recorded (drift). A second version line is
    /// nothing".
    #[test]
    fn of_merged_lines_the_live_object_decides() {
        let spec = IntegrationSpec { title: Some("live".into()), connections: Vec::new(), definition: None };
        let item = Item::Integration(Arc::new(Object::new("i", spec)), None);
        let title = Field::of(FieldKind::Title);
        let hash = |text: &str| FieldHash::of(&format!("\"{text}\""));
        let mut inventory = Inventory::default();
        inventory.insert(item);
        let read_one = |lines: &[String]| {
            let text = format!("{VERSION}\n{}\n{VERSION}\n", lines.join("\n"));
            let records = read(&text).unwrap().records("eu", &inventory);
            records.get(&ObjectId::new(Kind::Integration, "i")).unwrap().as_ref().clone()
        };
        let line = |tenant: &str, made: &str, text: &str, writer: &str| {
            format!("Integration/i {tenant} {made} title={}@{writer}", hash(text))
        };
        let one = line("eu", "made", "live", "sync/a");
        let other = line("eu", "made", "older", "sync/a");
        for lines in [[one.clone(), other.clone()], [other.clone(), one.clone()]] {
            let record = read_one(&lines);
            assert_eq!((record.made, record.fields[&title].hash), (true, hash("live")));
        }
        // Not made, if one line says so; writers of the same value are all kept.
        let record = read_one(&[one.clone(), line("eu", "-", "live", "source")]);
        assert!(!record.made);
        assert_eq!(record.fields[&title].encode(), format!("{}@source,sync/a", hash("live")));
        // A line that was copied from another tenant's folder is ignored.
        let record = read_one(&[line("us", "-", "live", "source"), other.clone()]);
        assert_eq!((record.tenant.as_str(), record.made, record.fields[&title].hash), ("eu", true, hash("older")));
        // None matches: recorded, so that it is drift. A field that only one line has is recorded.
        let record = read_one(&[other.clone(), line("eu", "made", "newer", "sync/a")]);
        assert_eq!(record.fields[&title].hash, hash("older"));
        let more = format!("{other} connections.CRM={}@sync/a", hash("x"));
        assert_eq!(read_one(&[one, more]).fields.len(), 2);
    }
}
