//! The stream of events: when to show again, and when it is compared. It says nothing of what was read.

use super::desk::{PageDesk, Reading};
use super::reply::{self, Reply};
use axum::body::{Body, Bytes};
use futures_util::stream;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The shortest time between two events: refreshes that follow faster abort each other.
const PAUSE: Duration = Duration::from_millis(100);

/// A comment is sent after this time, so that a browser that went away is noticed.
const BEAT: Duration = Duration::from_secs(20);

struct StreamState {
    desk: Arc<PageDesk>,
    changes: tokio::sync::watch::Receiver<Reading>,
    /// What the page that listens shows.
    version: u64,
    last: Option<Instant>,
}

/// The events of a page that shows a version.
pub(super) fn events(desk: &Arc<PageDesk>, version: u64) -> Reply {
    let state = StreamState { desk: Arc::clone(desk), changes: desk.follow(), version, last: None };
    reply::stream(Body::from_stream(stream::unfold(state, |state| async { next(state).await })))
}

async fn next(mut state: StreamState) -> Option<(Result<Bytes, Infallible>, StreamState)> {
    if let Some(last) = state.last {
        tokio::time::sleep_until(last + PAUSE).await;
    }
    loop {
        if state.desk.has_ended() {
            return None;
        }
        let reading = state.changes.borrow_and_update().clone();
        if reading.version != state.version {
            let name = event_of(&reading, state.version);
            state.version = reading.version;
            state.last = Some(Instant::now());
            let event = format!("event: {name}\ndata: {}\n\n", reading.version);
            return Some((Ok(Bytes::from(event)), state));
        }
        match tokio::time::timeout(BEAT, state.changes.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return None,
            Err(_) => return Some((Ok(Bytes::from_static(b": still here\n\n")), state)),
        }
    }
}

/// The event for a page that shows an earlier version. What is new is shown at once, also where the next reading has begun
/// already.
fn event_of(reading: &Reading, shows: u64) -> &'static str {
    if reading.is_comparing && reading.news <= shows { "comparing" } else { "changed" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_told_although_the_next_reading_began() {
        let reading = |news: u64, is_comparing: bool| Reading { news, version: 9, is_comparing, ..Reading::default() };
        assert_eq!(event_of(&reading(5, true), 8), "comparing");
        assert_eq!(event_of(&reading(5, true), 5), "comparing");
        assert_eq!(event_of(&reading(9, false), 8), "changed");
        assert_eq!(event_of(&reading(9, true), 8), "changed");
        // Also a page that was served before the part that it does not show.
        assert_eq!(event_of(&reading(7, true), 6), "changed");
    }
}
