//! The engine's rules: a module per topic, a test per rule.

mod approval_digests;
mod checks;
mod connection_fields;
mod credentials_in_use;
mod customers;
mod exit_codes;
mod handover;
mod keys;
mod messages;
mod narrowing;
mod one_bad_resource;
mod overview;
mod policy;
mod redirects;
mod removal;
mod secrets;
mod stages;
mod suspended;
mod the_record;
mod what_crosses;
mod writers;
