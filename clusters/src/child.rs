//! A process that dies with the one that started it, however that dies.
//!
//! `stablekey-clusters child PARENT PROGRAM ARGUMENTS…` asks the kernel to be killed when its parent
//! ends, makes sure that the parent is still there, and becomes the program: the request outlives exec.
//! The kernel means the parent's *thread*: so [`crate::supervisor`] starts servers from its main one.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Becomes `program`, to be killed when the process `parent` ends. Returns only to say why not.
pub fn become_server(parent: i32, program: &OsString, arguments: &[OsString]) -> std::io::Error {
    if let Err(error) = die_with_parent() {
        return error;
    }
    // Had it ended before we asked, the kernel would never tell us.
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

/// Elsewhere only a supervisor that ends by itself ends its servers.
#[cfg(not(target_os = "linux"))]
fn die_with_parent() -> std::io::Result<()> {
    Ok(())
}
