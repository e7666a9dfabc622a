//! A fake of the integration platform, for tests: its GraphQL API over real HTTP.
//!
//! It shares no type, query or constant with the product. What is not known of the real platform is a switch.
//!
//! ```no_run
//! use stablekey_platform::{Platform, Region, Server, seed};
//!
//! let platform = Platform::new(seed::every_kind(Region::Us)?);
//! let server = Server::builder(platform).token("token").start()?;
//! println!("{}", server.url());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod definition;
mod faults;
pub mod kinds;
mod normalise;
pub mod operations;
pub mod page;
mod platform;
mod requests;
pub mod schema;
pub mod seed;
mod server;
pub mod store;
mod switches;
mod tenant;
mod time;
mod tokens;
mod validation;

#[cfg(test)]
mod sdl;

pub use faults::{Answer, Fault};
pub use platform::Platform;
pub use requests::{Request, TokenRequest};
pub use seed::Region;
pub use server::{Counts, Server, ServerBuilder};
pub use store::Store;
pub use switches::Switches;
pub use tenant::Tenant;
