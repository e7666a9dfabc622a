//! The command `stablekey`.

use std::process::ExitCode;

/// A plan allocates many small strings on several threads: with the system's allocator it takes 50 % longer.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    stablekey::cli::run(std::env::args_os())
}
