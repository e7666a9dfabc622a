//! Each file of `fuzz/corpus` is read by its fuzz target: what the fuzzer found once stays found.

use stablekey_testing::cli::{files, repository};
use stablekey_testing::fuzzing::TARGETS;
use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::time::Duration;

/// The processor's time for one input. Without optimization it takes about ten times the 100 ms of `make fuzz`; a busy
/// machine does not change it.
const LONGEST: Duration = Duration::from_secs(1);

/// "No input over 100 ms", and no panic.
#[test]
fn every_file_of_the_corpora_is_read_by_its_target() {
    let folder = repository("fuzz/corpus");
    let mut wrong = Vec::new();
    for (name, target) in TARGETS {
        let corpus = files(&folder.join(name));
        assert!(corpus.len() >= 5, "the corpus of {name} has {} files", corpus.len());
        for (file, bytes) in corpus {
            let begun = processor_time();
            if catch_unwind(|| target(&bytes)).is_err() {
                wrong.push(format!("{name}/{file}: it panics"));
            }
            let took = processor_time().saturating_sub(begun);
            if took > LONGEST {
                wrong.push(format!("{name}/{file}: it takes {took:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A corpus of no target would not be read.
#[test]
fn every_corpus_has_a_target() {
    let corpora = std::fs::read_dir(repository("fuzz/corpus")).unwrap();
    let corpora: BTreeSet<String> = corpora.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(corpora, TARGETS.iter().map(|(name, _)| name.to_string()).collect());
}

/// The time that the processor spent on this thread.
fn processor_time() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}
