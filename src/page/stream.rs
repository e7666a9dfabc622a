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

struct State {
    desk: Arc<PageDesk>,
    changes: tokio::sync::watch::Receiver<Reading>,
    /// What the page that listens shows.
    version: u64,
    /// What was news in the last event.
    told: Option<News>,
    last: Option<Instant>,
}

/// The counts of readings, of parts of them and of steps of an apply.
type News = (u64, u64, u64);

fn news(reading: &Reading) -> News {
    (reading.read, reading.parts, reading.steps)
}

/// The events of a page that shows a version.
pub(super) fn events(desk: &Arc<PageDesk>, version: u64) -> Reply {
    let state = State { desk: Arc::clone(desk), changes: desk.follow(), version, told: None, last: None };
    reply::stream(Body::from_stream(stream::unfold(state, |state| async { next(state).await })))
}

async fn next(mut state: State) -> Option<(Result<Bytes, Infallible>, State)> {
    if let Some(last) = state.last {
        tokio::time::sleep_until(last + PAUSE).await;
    }
    loop {
        if state.desk.has_ended() {
            return None;
        }
        let reading = state.changes.borrow_and_update().clone();
        if reading.version != state.version {
            state.version = reading.version;
            state.last = Some(Instant::now());
            let told = state.told.replace(news(&reading));
            let name = event_of(&reading, told);
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

/// The event for a reading. What is new is shown at once, also where the next reading has begun already.
fn event_of(reading: &Reading, told: Option<News>) -> &'static str {
    let is_news = told.is_some_and(|told| told != news(reading));
    if reading.is_comparing && !is_news { "comparing" } else { "changed" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_told_although_the_next_reading_began() {
        let reading = |(read, parts, steps): News, is_comparing: bool| Reading {
            read,
            parts,
            steps,
            is_comparing,
            ..Reading::default()
        };
        assert_eq!(event_of(&reading((1, 0, 0), true), None), "comparing");
        assert_eq!(event_of(&reading((1, 0, 0), true), Some((1, 0, 0))), "comparing");
        assert_eq!(event_of(&reading((1, 0, 0), false), Some((1, 0, 0))), "changed");
        assert_eq!(event_of(&reading((2, 0, 0), true), Some((1, 0, 0))), "changed");
        assert_eq!(event_of(&reading((1, 0, 3), true), Some((1, 0, 2))), "changed");
        assert_eq!(event_of(&reading((1, 1, 0), true), Some((1, 0, 0))), "changed");
    }
}
