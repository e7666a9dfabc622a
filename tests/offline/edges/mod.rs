//! The edges: what is read, what is obeyed, what is said. Each test quotes the sentence of the design that it
//! holds the command line to.

mod definitions;
mod edits;
mod files;
mod kustomization;
mod links;
mod names;
mod secrets;
mod side_files;
mod structure;
mod unread;
