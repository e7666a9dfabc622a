//! The data of the engine: what was read, ownership records, and plans. Data only; decisions are made in other modules.

pub mod canonical;
pub mod code;
pub mod command;
pub mod facts;
pub mod field;
pub mod finding;
pub mod hosts;
pub mod inventory;
pub mod item;
pub mod opt_in;
pub mod plan;
pub mod record;
pub mod revert;
pub mod stages;
