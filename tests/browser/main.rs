//! The page in a real browser: Chromium, which Playwright drives.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod browser;
mod driver;
mod harness;
mod looks;
mod page;
