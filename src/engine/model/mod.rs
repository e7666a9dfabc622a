//! The data of the engine: what was read, what is recorded, what a plan says. Data only: what decides stands beside it.

pub mod canonical;
pub mod code;
pub mod field;
pub mod finding;
pub mod inventory;
pub mod item;
pub mod plan;
pub mod record;
