//! The data of the engine: what was read, what is recorded, what a plan says. Data only: what decides stands beside it.

pub mod record;
pub mod plan;
pub mod item;
pub mod inventory;
pub mod field;
pub mod finding;
pub mod code;
pub mod canonical;

