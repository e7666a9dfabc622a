//! The thread that reads the project, first at once and then whenever that is wanted.

use super::PageFolder;
use super::cluster_watch::ClusterWatch;
use super::desk::{DeskWake, PageDesk};
use super::shown::ShownProject;
use super::watch::{FileWatch, folders};
use std::sync::Arc;
use std::thread;

/// Starts the thread. It ends with the desk.
pub(super) fn start(desk: &Arc<PageDesk>, folder: &Arc<PageFolder>) -> thread::JoinHandle<()> {
    let (desk, folder) = (Arc::clone(desk), Arc::clone(folder));
    thread::spawn(move || run(&desk, &folder))
}

fn run(desk: &Arc<PageDesk>, folder: &Arc<PageFolder>) {
    let mut watch = FileWatch::new(desk);
    let mut clusters = ClusterWatch::new(desk);
    let mut number = 0;
    // Before the first reading, so that no change between it and the watch is missed.
    watch.follow(std::slice::from_ref(&folder.root));
    while desk.wait_until_wanted(None) == DeskWake::Reading {
        number += 1;
        let before = desk.reading().shown;
        let read = ShownProject::read(folder, before.as_deref());
        drop(before);
        if let Ok(shown) = &read {
            watch.follow(&folders(&folder.root, &shown.project));
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
