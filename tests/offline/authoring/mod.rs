//! Commands that edit files: only their target changes, the diff comes first, and the plan of the result decides.

mod components;
mod consequences;
mod designer;
mod drift;
mod every_field;
#[cfg(target_os = "linux")]
mod new_connection;
mod promote;
mod rename_key;
mod set;
mod stages;
