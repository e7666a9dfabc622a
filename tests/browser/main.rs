//! The page in a real browser: Chromium, which Playwright drives.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod access;
mod browser;
mod clusters;
mod driver;
mod harness;
mod hub;
mod live;
mod looks;
mod managing;
mod page;
mod platform;
mod tasks;
mod views;
