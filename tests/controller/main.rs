//! The operator's processes on a real cluster: who leads, what they answer, how they end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod events;
mod house;
mod leaders;
mod replica;
