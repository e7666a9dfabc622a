//! The command `stablekey`.

use std::process::ExitCode;

/// A plan makes and drops many small texts on several threads: with the system's allocator it takes half
/// as long again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    stablekey::cli::run(std::env::args_os())
}
