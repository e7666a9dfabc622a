//! The thread that reads the hub: at once, after each event of its watches, and where they are refused every two seconds.

use super::shown::HubShown;
use crate::hub::HubFailure;
use crate::kubernetes::watch::{WatchEvent, WatchHandle};
use crate::page::desk::{DeskWake, PageDesk};
use crate::page::{PageHub, Unopened};
use crate::tenant::cluster::hub::HubClient;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// The pause between two readings while the hub is not watched.
const POLL: Duration = Duration::from_secs(2);
/// How often the Lease of the syncer and the rights are read where nothing happens: no watch tells of them.
const PULSE: Duration = Duration::from_secs(10);

/// Starts the thread. It ends with the desk.
pub(in crate::page) fn start(desk: &Arc<PageDesk>, from: &Arc<PageHub>) -> thread::JoinHandle<()> {
    let (desk, from) = (Arc::clone(desk), Arc::clone(from));
    thread::spawn(move || run(&desk, &from))
}

/// The watches of a hub.
#[derive(Default)]
struct HubWatch {
    handle: Option<WatchHandle>,
    /// The resources that are not watched now.
    lost: Arc<Mutex<BTreeSet<&'static str>>>,
}

impl HubWatch {
    fn begin(&mut self, desk: &Arc<PageDesk>, client: &HubClient) {
        let (desk, lost) = (Arc::downgrade(desk), Arc::clone(&self.lost));
        let on_event = move |event: WatchEvent<()>| {
            let Some(desk) = desk.upgrade() else { return };
            let lost = || lost.lock().unwrap_or_else(PoisonError::into_inner);
            let is_news = match event {
                WatchEvent::Changed((), _) | WatchEvent::Rewound(_) => true,
                WatchEvent::Lost(resource, _) => lost().insert(resource),
                WatchEvent::Watched(resource) => lost().remove(resource),
            };
            if is_news {
                desk.read_again();
            }
        };
        self.handle = Some(client.watch(Arc::new(on_event)));
    }

    fn is_watching(&self) -> bool {
        self.handle.is_some() && self.lost.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

fn run(desk: &Arc<PageDesk>, from: &PageHub) {
    let mut watch = HubWatch::default();
    let mut last: Option<Result<Arc<HubShown>, HubFailure>> = None;
    let mut number = 0;
    loop {
        let is_watching = watch.is_watching() && matches!(last, Some(Ok(_)));
        let wanted = desk.wait_until_wanted(Some(if is_watching { PULSE } else { POLL }));
        let known = last.as_ref().and_then(|last| last.as_ref().ok());
        let (is_pulse, asked) = match wanted {
            DeskWake::Reading(_, asked) => (false, asked),
            DeskWake::Nothing(asked) => (true, asked),
            DeskWake::End => return,
        };
        // A panic ends this reading, not the page: what was read before stays, and is called unknown.
        let read = catch_unwind(AssertUnwindSafe(|| match known {
            Some(known) if is_pulse && is_watching => Ok(known.renewed()),
            known => HubShown::read(from, known.map(AsRef::as_ref)),
        }));
        let read = read.unwrap_or_else(|_| {
            Err(HubFailure::new("reading ended by an internal error", "report it; the terminal shows where"))
        });
        if let (Ok(shown), None) = (&read, &watch.handle) {
            watch.begin(desk, &shown.hub.client);
        }
        let is_like = match (&last, &read) {
            (Some(Ok(last)), Ok(read)) => read.is_like(last),
            (Some(Err(last)), Err(read)) => last == read,
            _ => false,
        };
        if is_pulse && is_like {
            // The time of the last sign of life is another one.
            if let Ok(shown) = &read {
                desk.renew(|reading| {
                    (reading.hub, reading.read_at) = (Some(Arc::clone(shown)), Some(Timestamp::now()))
                });
            }
        } else {
            number += 1;
            desk.change(|reading| {
                // What changed while this was read is read next.
                reading.is_comparing = reading.asked > asked;
                reading.read = number;
                match &read {
                    Ok(shown) => {
                        (reading.hub, reading.failure) = (Some(Arc::clone(shown)), None);
                        reading.read_at = Some(Timestamp::now());
                    }
                    Err(HubFailure { message, help, .. }) => {
                        reading.hub = reading.hub.as_ref().map(|shown| shown.stale());
                        reading.failure = Some(Unopened { message: message.clone(), help: help.clone() });
                    }
                }
            });
        }
        last = Some(read);
    }
}
