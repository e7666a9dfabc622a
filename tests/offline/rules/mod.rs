//! The engine held to design.md, "Rules that hold everywhere", and to model.md, §3 to §5. A module a
//! paragraph; each test quotes the sentence that it holds the engine to.

mod approval_digests;
mod checks;
mod customers;
mod exit_codes;
mod keys;
mod messages;
mod narrowing;
mod one_bad_resource;
mod policy;
mod redirects;
mod removal;
mod secrets;
mod suspended;
mod the_record;
mod what_crosses;
mod writers;
