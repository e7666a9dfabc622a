//! Notifications: what people and other programs hear of syncs, drift, approvals and credentials, outside the cluster.
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

use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// How notifications are sent.
#[derive(Clone, Debug)]
pub struct NotificationOptions {
    /// The Secret with the destinations, in each namespace.
    pub secret: String,
    /// How long a failure that may pass by itself must last before it is sent, and the time between two messages about one
    /// subject. No flag changes it: only tests do.
    pub patience: Duration,
    /// How often the destinations are read again. No flag changes it: only tests do.
    pub reread: Duration,
    /// Whether a server on this machine is sent to. No flag changes it: only tests do.
    pub allows_loopback: bool,
}

impl NotificationOptions {
    /// The destinations of a Secret.
    pub fn of(secret: String) -> Self {
        NotificationOptions { secret, patience: MINUTE, reread: MINUTE, allows_loopback: false }
    }
}
