//! Graceful shutdown: a signal that every task can wait for.

use tokio::sync::watch;

/// Requests the shutdown.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Receives the shutdown request. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Returns a connected pair.
    pub fn new() -> (Stopper, Stop) {
        let (sender, receiver) = watch::channel(false);
        (Stopper(sender), Stop(receiver))
    }

    /// Whether shutdown was requested: no new reconcile begins.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until shutdown is requested, or the [`Stopper`] is dropped.
    pub async fn requested(&self) {
        let _ = self.0.clone().wait_for(|stop| *stop).await;
    }
}

impl Stopper {
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}
