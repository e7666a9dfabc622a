//! Commands that edit files: only their target changes, the diff comes first, and the plan of the result decides.

mod components;
mod designer;
mod drift;
#[cfg(target_os = "linux")]
mod new_connection;
mod set;
