//! Hostile inputs: how long the command takes to answer, and how much memory.

use crate::files::STABLEKEY;
use crate::report::{Figure, Machine};
use crate::{Outcome, measure};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const TIME: Duration = Duration::from_secs(2);
const MEMORY: u64 = 300_000_000;
const HEAD: &str = "apiVersion: stablekey.dev/v1alpha1\nkind: Connection\nmetadata: {name: a}\n";

/// Writes one input into a folder, and returns its path.
type Make = fn(&Path) -> Outcome<PathBuf>;

const INPUTS: [(&str, Make); 8] = [
    ("a YAML bomb", bomb),
    ("flow maps 20,000 deep", |folder| text(folder, format!("{HEAD}spec: {}", "{a: ".repeat(20_000)))),
    ("block maps 5,000 deep (25 MB)", deep_blocks),
    ("invalid UTF-8", |folder| file(folder, &[HEAD.as_bytes(), b"spec: \xff\xfe\n"].concat())),
    ("UTF-16", |folder| {
        file(folder, &format!("\u{feff}{HEAD}").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>())
    }),
    ("a file of 1 GB", |folder| {
        let path = folder.join("large.yaml");
        File::create(&path)?.set_len(1 << 30)?;
        Ok(path)
    }),
    ("a FIFO", |folder| {
        let path = folder.join("fifo.yaml");
        run(Command::new("mkfifo").arg(&path))?;
        Ok(path)
    }),
    ("links in a ring", |folder| {
        let ring = folder.join("ring");
        std::fs::create_dir(&ring)?;
        std::os::unix::fs::symlink(&ring, ring.join("again"))?;
        std::os::unix::fs::symlink("two.yaml", ring.join("one.yaml"))?;
        std::os::unix::fs::symlink("one.yaml", ring.join("two.yaml"))?;
        Ok(ring)
    }),
];

/// Runs all measurements of the group, each in a process of its own.
pub fn figures(_: &mut Machine) -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    for (position, (what, _)) in INPUTS.iter().enumerate() {
        let nanos = measure::child("answer", position)?;
        let memory = measure::child("answer-memory", position)?;
        figures.push(Figure::of_time(format!("validate {what}"), Duration::from_nanos(nanos), TIME));
        figures.push(Figure::of_memory(format!("its memory: {what}"), memory, MEMORY));
    }
    Ok(figures)
}

/// Runs the command on one input, and returns its time or its memory.
pub fn child(position: usize, memory: bool) -> Outcome<u64> {
    let (_, make) = INPUTS.get(position).ok_or("there is no such input")?;
    let folder = tempfile::tempdir()?;
    let input = make(folder.path())?;
    let mut command = Command::new(STABLEKEY);
    command.arg("validate").arg(&input).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let (status, time) = measure::timed(|| command.status());
    // An error about the input is an answer; a signal is not. Cyclic links are skipped.
    if !matches!(status?.code(), Some(0 | 1)) {
        return Err(format!("{command:?} did not answer").into());
    }
    if memory { measure::peak_memory_of_children() } else { Ok(u64::try_from(time.as_nanos())?) }
}

fn bomb(folder: &Path) -> Outcome<PathBuf> {
    let mut bomb = format!("{HEAD}a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", format!("*a{}, ", level - 1).repeat(10)));
    }
    text(folder, bomb + "spec: *a29\n")
}

fn deep_blocks(folder: &Path) -> Outcome<PathBuf> {
    let mut blocks = format!("{HEAD}spec:\n");
    for level in 1..=5_000 {
        blocks.push_str(&format!("{:level$}a:\n", ""));
    }
    text(folder, blocks)
}

fn text(folder: &Path, text: String) -> Outcome<PathBuf> {
    file(folder, text.as_bytes())
}

fn file(folder: &Path, bytes: &[u8]) -> Outcome<PathBuf> {
    let path = folder.join("hostile.yaml");
    std::fs::write(&path, bytes)?;
    Ok(path)
}

fn run(command: &mut Command) -> Outcome<()> {
    if command.status()?.success() { Ok(()) } else { Err(format!("{command:?} failed").into()) }
}
