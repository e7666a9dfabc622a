//! The thread that reads the project, first at once and then whenever that is wanted.

use super::cluster_watch::ClusterWatch;
use super::desk::Desk;
use super::shown::Shown;
use super::watch::{FileWatch, folders};
use std::sync::Arc;
use std::thread;

/// Starts the thread. It ends with the desk.
pub(super) fn start(desk: &Arc<Desk>) -> thread::JoinHandle<()> {
    let desk = Arc::clone(desk);
    thread::spawn(move || run(&desk))
}

fn run(desk: &Arc<Desk>) {
    let mut watch = FileWatch::new(desk);
    let mut clusters = ClusterWatch::new(desk);
    let mut number = 0;
    // Before the first reading, so that no change between it and the watch is missed.
    watch.follow(&[desk.options.root.clone()]);
    while desk.wait_until_wanted() {
        number += 1;
        let before = desk.reading().shown;
        let read = Shown::read(&desk.options.open, before.as_deref());
        drop(before);
        if let Ok(shown) = &read {
            watch.follow(&folders(&desk.options.root, &shown.project));
            clusters.follow(&shown.project);
        }
        let unwatched = watch.failure();
        desk.change(|reading| {
            // What changed while this was read is read next.
            reading.is_comparing = desk.is_wanted();
            reading.read = number;
            reading.unwatched = unwatched;
            match read {
                Ok(shown) => (reading.shown, reading.failure) = (Some(shown), None),
                Err(failure) => reading.failure = Some(failure),
            }
        });
    }
}
