//! `replay TARGET FOLDER…`: reads each file of the folders, and fails where one panics or takes too long. It measures the
//! time of the processor, which a busy machine does not change.

use rustix::time::{ClockId, clock_gettime};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use stablekey_testing::fuzzing::{TARGETS, Target};

/// No input takes longer.
const LONGEST: Duration = Duration::from_millis(100);
/// The fastest of so many counts: a first one fills caches.
const TRIES: usize = 3;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let wanted = arguments.next().unwrap_or_default();
    let Some((_, target)) = TARGETS.iter().find(|(name, _)| *name == wanted) else {
        eprintln!("there is no fuzz target {wanted:?}");
        return ExitCode::from(2);
    };
    let mut files: Vec<PathBuf> = arguments.flat_map(|folder| files(Path::new(&folder))).collect();
    files.sort();
    let (mut slowest, mut wrong) = (Duration::ZERO, 0);
    for file in &files {
        let bytes = match std::fs::read(file) {
            Ok(bytes) => bytes,
            Err(error) => {
                eprintln!("{}: {error}", file.display());
                return ExitCode::from(2);
            }
        };
        match time(*target, &bytes) {
            None => {
                eprintln!("{}: it panics", file.display());
                wrong += 1;
            }
            Some(took) => {
                slowest = slowest.max(took);
                if took > LONGEST {
                    eprintln!("{}: it takes {took:?}, and {LONGEST:?} is the most", file.display());
                    wrong += 1;
                }
            }
        }
    }
    println!("{wanted}: {} inputs, the slowest {slowest:?}, {wrong} of them wrong", files.len());
    ExitCode::from(u8::from(wrong > 0))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    // AFL has a README among what it found.
    let is_input = |path: &PathBuf| path.is_file() && !path.ends_with("README.txt");
    entries.map(|entry| entry.path()).filter(is_input).collect()
}

/// The processor's time for an input; `None` if it panics.
fn time(target: Target, bytes: &[u8]) -> Option<Duration> {
    let now = || {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
    };
    let once = || {
        let begun = now();
        std::panic::catch_unwind(|| target(bytes)).ok().map(|()| now() - begun)
    };
    let mut fastest = once()?;
    for _ in 1..TRIES {
        if fastest <= LONGEST {
            break;
        }
        fastest = fastest.min(once()?);
    }
    Some(fastest)
}
