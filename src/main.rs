//! The command `stablekey`.

use std::process::ExitCode;

fn main() -> ExitCode {
    stablekey::cli::run(std::env::args_os())
}
