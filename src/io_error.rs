//! Descriptions of I/O errors of files and folders: the problem, and what to do. "Os error 13" does not reveal the
//! owner of the file.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The attempted operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileAction {
    /// Reading a file.
    Reading,
    /// Writing a file, by moving a new one over it.
    Writing,
}

/// The description of an I/O error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// The problem, without the name of the file.
    pub why: String,
    /// What to do.
    pub help: String,
}

/// Describes why a file or folder could not be read.
pub(crate) fn reading(path: &Path, error: &io::Error) -> Words {
    words(path, error, FileAction::Reading)
}

/// Describes why a file could not be written.
pub(crate) fn writing(path: &Path, error: &io::Error) -> Words {
    words(path, error, FileAction::Writing)
}

fn words(path: &Path, error: &io::Error, doing: FileAction) -> Words {
    let text = |why: &str, help: &str| Words { why: why.to_string(), help: help.to_string() };
    match error.kind() {
        ErrorKind::PermissionDenied => permission_denied(path, doing),
        ErrorKind::NotFound if doing == FileAction::Writing => Words {
            why: match path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
                Some(folder) => format!("the folder {} is not there", folder.display()),
                None => "there is no such folder".to_string(),
            },
            help: "make the folder, or write elsewhere".to_string(),
        },
        ErrorKind::NotFound => text("there is no such file or folder", "look at the path, and at where a link leads"),
        ErrorKind::IsADirectory => text("this is a folder", "give a file"),
        ErrorKind::NotADirectory => text("a part of its path is a file, no folder", "look at the path"),
        ErrorKind::StorageFull => text("the disk is full", "make room, then run it again"),
        ErrorKind::QuotaExceeded => text("the quota of the disk is used up", "make room, then run it again"),
        ErrorKind::ReadOnlyFilesystem => text("the file system is read-only", "write elsewhere, or mount it writable"),
        ErrorKind::FileTooLarge => text("it is larger than a file may be there", "write elsewhere"),
        ErrorKind::InvalidFilename => text("its name is too long, or has a character that is not allowed", "rename it"),
        _ if doing == FileAction::Writing => text(&system(error), "look at the disk"),
        _ => text(&system(error), "look at the disk, and at where a link leads"),
    }
}

/// The system's message without the error number.
fn system(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut characters = text.chars();
    // In lower case, since it continues a sentence.
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

fn permission_denied(path: &Path, doing: FileAction) -> Words {
    let user = Someone::of(rustix::process::geteuid().as_raw());
    let culprit = culprit(path, doing);
    let facts = culprit.as_ref().map(|(path, metadata)| PathFacts {
        name: path.strip_prefix("./").unwrap_or(path).display().to_string(),
        is_folder: metadata.is_dir(),
        owner: Someone::of(metadata.uid()),
        mode: metadata.mode() & 0o7777,
    });
    denied(facts.as_ref(), &user, doing)
}

/// The item that denies access: the file, or a parent folder that cannot be entered or written.
fn culprit(path: &Path, doing: FileAction) -> Option<(&Path, Metadata)> {
    let is_itself = doing == FileAction::Reading || path.is_dir();
    let first = usize::from(!is_itself);
    let parts =
        path.ancestors().skip(first).map(|part| if part.as_os_str().is_empty() { Path::new(".") } else { part });
    parts.filter_map(|part| Some((part, fs::metadata(part).ok()?))).next()
}

/// A user of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Someone {
    uid: u32,
    name: String,
}

impl Someone {
    fn of(uid: u32) -> Self {
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let name = users.lines().find_map(|line| {
            let mut parts = line.split(':');
            let name = parts.next()?;
            (parts.nth(1)? == uid.to_string()).then(|| name.to_string())
        });
        Someone { uid, name: name.unwrap_or_else(|| format!("user {uid}")) }
    }
}

/// The owner and mode of the item that denies access.
struct PathFacts {
    name: String,
    is_folder: bool,
    owner: Someone,
    mode: u32,
}

fn denied(facts: Option<&PathFacts>, user: &Someone, doing: FileAction) -> Words {
    let (verb, letter) = match doing {
        FileAction::Reading => ("read", "r"),
        FileAction::Writing => ("write to", "w"),
    };
    let Some(PathFacts { name, is_folder, owner, mode }) = facts else {
        let help = format!("give {} the right to {verb} it", user.name);
        return Words { why: format!("permission denied; you are {}", user.name), help };
    };
    let what = if *is_folder { format!("the folder {name}") } else { name.clone() };
    // Access to a folder also needs the right to enter it.
    let rights = if *is_folder { format!("{letter}x") } else { letter.to_string() };
    if owner.uid == user.uid {
        return Words {
            why: format!("permission denied: {what} is yours ({}), but its mode is {mode:04o}", user.name),
            help: format!("chmod u+{rights} {name}"),
        };
    }
    Words {
        why: format!(
            "permission denied: {what} belongs to {} with mode {mode:04o}, and you are {}",
            owner.name, user.name
        ),
        help: format!("run this as {}, or let {} {verb} it: its group and mode say who may", owner.name, user.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn someone(uid: u32, name: &str) -> Someone {
        Someone { uid, name: name.to_string() }
    }

    /// "permission denied, who owns it", and who asks.
    #[test]
    fn permission_denied_names_the_owner() {
        let alice = someone(1000, "alice");
        let facts = |name: &str, is_folder, owner, mode| PathFacts { name: name.to_string(), is_folder, owner, mode };
        let root = facts("prod/a.yaml", false, someone(0, "root"), 0o600);
        let words = denied(Some(&root), &alice, FileAction::Reading);
        assert_eq!(words.why, "permission denied: prod/a.yaml belongs to root with mode 0600, and you are alice");
        assert_eq!(words.help, "run this as root, or let alice read it: its group and mode say who may");
        let own = facts("prod", true, alice.clone(), 0o000);
        let words = denied(Some(&own), &alice, FileAction::Writing);
        assert_eq!(words.why, "permission denied: the folder prod is yours (alice), but its mode is 0000");
        assert_eq!(words.help, "chmod u+wx prod");
        let words = denied(None, &alice, FileAction::Reading);
        assert_eq!(words.why, "permission denied; you are alice");
    }

    #[test]
    fn the_culprit_is_the_file_or_a_parent_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        fs::write(&file, "").unwrap();
        let of = |path: &Path, doing| culprit(path, doing).map(|(path, _)| path.to_path_buf());
        assert_eq!(of(&file, FileAction::Reading), Some(file.clone()));
        assert_eq!(of(&file, FileAction::Writing), Some(folder.path().to_path_buf()));
        assert_eq!(of(&folder.path().join("new/b.yaml"), FileAction::Writing), Some(folder.path().to_path_buf()));
    }

    #[test]
    fn other_errors_are_reported_without_numbers() {
        let of = |kind: ErrorKind| writing(Path::new("x"), &io::Error::from(kind));
        assert_eq!(of(ErrorKind::StorageFull).why, "the disk is full");
        assert_eq!(of(ErrorKind::ReadOnlyFilesystem).why, "the file system is read-only");
        let error = io::Error::from_raw_os_error(40);
        assert!(!reading(Path::new("x"), &error).why.contains("os error"), "{error}");
        let own = io::Error::new(ErrorKind::InvalidInput, "not a regular file");
        assert_eq!(reading(Path::new("x"), &own).why, "not a regular file");
    }
}
