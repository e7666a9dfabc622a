//! `make clusters`.

use crate::Error;

/// Runs two clusters with examples/us-eu in them, until Ctrl-C.
pub fn run() -> Result<(), Error> {
    Ok(())
}
