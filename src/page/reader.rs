//! The thread that reads the project, first at once and then whenever that is wanted.

use super::cluster_watch::ClusterWatch;
use super::desk::{DeskWake, PageDesk};
use super::shown::ShownProject;
use super::watch::{FileWatch, folders};
use super::{PageFolder, Unopened};
use crate::project::ProjectTenant;
use crate::tenant::TenantLocation;
use jiff::Timestamp;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// How often tenants are read that nothing watches: those on the platform, and in clusters whose watch is lost.
const POLL: Duration = Duration::from_secs(60);

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
    let mut longest = None;
    while desk.wait_until_wanted(longest) != DeskWake::End {
        number += 1;
        let asked = desk.reading().asked;
        let before = desk.reading().shown;
        // A panic ends this reading, not the page: what was read before stays.
        let read = catch_unwind(AssertUnwindSafe(|| ShownProject::read(folder, before.as_deref())));
        let read = read.unwrap_or_else(|_| {
            Err(Unopened {
                message: "reading ended by an internal error".to_string(),
                help: "report it; the terminal shows where".to_string(),
            })
        });
        let read = read.map_err(|failure| (failure, before.as_ref().map(|before| before.stale())));
        drop(before);
        if let Ok(shown) = &read {
            watch.follow(&folders(&folder.root, &shown.project));
            clusters.follow(&shown.project);
            let on_platform = |tenant: &ProjectTenant| matches!(tenant.location, Some(TenantLocation::Organization(_)));
            let is_polled = shown.project.tenants.values().any(on_platform) || !clusters.unwatched().is_empty();
            longest = is_polled.then_some(POLL);
        }
        let (unwatched, unwatched_tenants) = (watch.failure(), clusters.unwatched());
        desk.change(|reading| {
            // What changed while this was read is read next.
            reading.is_comparing = reading.asked > asked;
            reading.read = number;
            reading.unwatched = unwatched;
            reading.unwatched_tenants = unwatched_tenants;
            match read {
                Ok(shown) => {
                    (reading.shown, reading.failure) = (Some(shown), None);
                    reading.read_at = Some(Timestamp::now());
                }
                Err((failure, stale)) => (reading.shown, reading.failure) = (stale, Some(failure)),
            }
        });
    }
}
