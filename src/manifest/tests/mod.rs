//! What is read, what is refused, and how that is said.

mod hostile;
mod mistakes;
mod reading;
mod secrecy;
