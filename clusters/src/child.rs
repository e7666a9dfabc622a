//! A process that dies with its parent, even if the parent is killed.
//!
//! `stablekey-clusters child PARENT PROGRAM ARGUMENTS…` asks the kernel to kill it when its parent ends, checks that
//! the parent still exists, and executes the program: the request survives exec. For the kernel the parent is a
//! *thread*, so [`crate::supervisor`] starts servers from its main thread.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Executes `program`, to be killed when the process `parent` ends. Returns only an error.
pub fn become_server(parent: i32, program: &OsString, arguments: &[OsString]) -> std::io::Error {
    if let Err(error) = die_with_parent() {
        return error;
    }
    // If the parent ended before the request, the kernel would never signal it.
    let present = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
    if present != Some(parent) {
        return std::io::Error::other(format!("started by process {parent}, which is gone"));
    }
    Command::new(program).args(arguments).exec()
}

#[cfg(target_os = "linux")]
fn die_with_parent() -> std::io::Result<()> {
    let killed = rustix::process::Signal::KILL;
    Ok(rustix::process::set_parent_process_death_signal(Some(killed))?)
}

/// On other systems only a supervisor that ends normally ends its servers.
#[cfg(not(target_os = "linux"))]
fn die_with_parent() -> std::io::Result<()> {
    Ok(())
}
