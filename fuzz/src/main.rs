//! `stablekey-fuzz TARGET`, started by AFL; without AFL it reads one input from standard input.

use stablekey_testing::fuzzing::TARGETS;

fn main() {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let Some((_, target)) = TARGETS.iter().find(|(name, _)| *name == wanted) else {
        let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
        eprintln!("there is no fuzz target {wanted:?}: name one of {}", names.join(", "));
        std::process::exit(2);
    };
    afl::fuzz!(|bytes: &[u8]| target(bytes));
}
