//! Notifications: messages to people and other programs about syncs, drift, approvals and credentials.
//!
//! A worker reports what is so now ([`Fact`]), never what happened. For each destination the notifier compares that with
//! what it delivered last, which a ConfigMap keeps, and sends the difference. So a transition is sent once, also over
//! restarts and with several replicas; one that cannot be delivered is sent later, unless another has replaced it by then.
//!
//! ```text
//! statuses ─▶ facts ─▶ due: compare with what was delivered ─▶ message ─▶ send ─▶ delivered
//! ```
//!
//! | File | Content |
//! |---|---|
//! | `fact` | what is so now, by subject |
//! | `destination` | the destinations, as their Secret describes them |
//! | `delivered` | what each destination knows, and what is due |
//! | `message` | the bodies of requests |
//! | `send` | one request, and what its answer means |
//! | `notifier` | the task of a namespace |

mod delivered;
mod destination;
mod fact;
mod message;
mod notifier;
mod send;

pub(super) use fact::{CommitFact, Fact, ObjectFacts, Severity, Topic};
pub(super) use notifier::{Notifier, NotifierTask};
