//! The thread that reads the project, first at once and then whenever that is wanted.

use super::cluster_watch::{ChangedParts, ClusterChange, ClusterWatch, seeds};
use super::desk::{DeskWake, PageDesk, ReadScope, Reading};
use super::shown::ShownProject;
use super::watch::{FileWatch, folders};
use super::{OpenScope, PageFolder, Unopened};
use crate::api::LocationSpec;
use crate::engine::closure::Index;
use crate::engine::model::inventory::Inventory;
use crate::project::{Project, ProjectTenant};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How often tenants are read of which no event tells: those on the platform, those that could not be read, and those in
/// clusters whose watch is lost.
const POLL: Duration = Duration::from_secs(60);

/// How often it is looked whether a folder is another one.
const LOOK: Duration = Duration::from_secs(2);

/// Starts the thread. It ends with the desk.
pub(super) fn start(desk: &Arc<PageDesk>, folder: &Arc<PageFolder>) -> thread::JoinHandle<()> {
    let (desk, folder) = (Arc::clone(desk), Arc::clone(folder));
    thread::spawn(move || run(&desk, &folder))
}

fn run(desk: &Arc<PageDesk>, folder: &Arc<PageFolder>) {
    let listener = Arc::downgrade(desk);
    let mut watch = FileWatch::new(move || {
        if let Some(desk) = listener.upgrade() {
            desk.read(ReadScope::Files);
        }
    });
    let mut clusters = ClusterWatch::new(desk);
    let mut number = 0;
    // Before the first reading, so that no change between it and the watch is missed.
    watch.follow(std::slice::from_ref(&folder.root));
    let mut index = None;
    // What has to be read from time to time, and the next time.
    let mut poll: Option<(ReadScope, Instant)> = None;
    loop {
        let rest = poll.map(|(_, at)| at.saturating_duration_since(Instant::now()));
        let (scope, asked) = match desk.wait_until_wanted(Some(rest.unwrap_or(LOOK).min(LOOK))) {
            DeskWake::Reading(scope, asked) => (scope, asked),
            DeskWake::Nothing(asked) if watch.is_replaced() => (ReadScope::Files, asked),
            DeskWake::Nothing(asked) if poll.is_some_and(|(_, at)| at <= Instant::now()) => (ReadScope::Watched, asked),
            DeskWake::Nothing(_) => continue,
            DeskWake::End => break,
        };
        number += 1;
        watch.begin();
        let Reading { shown: before, failure, .. } = desk.reading();
        // Readings of less, however many, do not put it off.
        let due = poll.filter(|(_, at)| *at <= Instant::now()).map(|(scope, _)| scope);
        let scope = due.map_or(scope, |due| due.max(scope));
        // What was not read last is read whole.
        let scope = if failure.is_some() { ReadScope::Everything } else { scope };
        // A panic ends this reading, not the page: what was read before stays.
        let read = catch_unwind(AssertUnwindSafe(|| read(desk, folder, before.as_ref(), scope, &clusters, &mut index)));
        let read = read.unwrap_or_else(|_| {
            Err(Unopened {
                message: "reading ended by an internal error".to_string(),
                help: "report it; the terminal shows where".to_string(),
            })
        });
        let read = read.map_err(|failure| (failure, before.as_ref().map(|before| before.stale())));
        drop(before);
        if read.is_err() {
            watch.follow_again();
        }
        if let Ok(shown) = &read {
            watch.follow(&folders(&folder.root, &shown.project));
            clusters.follow(&shown.project);
            let polled = polled(&shown.project, &clusters);
            let is_early = |(of, at): &(ReadScope, Instant)| *of > scope && *at > Instant::now();
            poll = polled.map(|polled| match poll.filter(is_early) {
                Some((_, at)) => (polled, at),
                None => (polled, Instant::now() + POLL),
            });
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

/// What has to be read from time to time, since no event tells of it.
fn polled(project: &Project, clusters: &ClusterWatch) -> Option<ReadScope> {
    let is_unread = |tenant: &ProjectTenant| {
        matches!(tenant.spec.location, Some(LocationSpec::Kubernetes(_))) && tenant.live.is_err()
    };
    if !clusters.unwatched().is_empty() || project.tenants.values().any(is_unread) {
        return Some(ReadScope::Everything);
    }
    let on_platform = |tenant: &ProjectTenant| matches!(tenant.spec.location, Some(LocationSpec::Prismatic(_)));
    project.tenants.values().any(on_platform).then_some(ReadScope::Files)
}

/// Reads what is wanted, and plans all. The closure of a few objects that changed in clusters is shown before that.
fn read(
    desk: &PageDesk,
    folder: &Arc<PageFolder>,
    before: Option<&Arc<ShownProject>>,
    scope: ReadScope,
    clusters: &ClusterWatch,
    index: &mut Option<Index>,
) -> Result<Arc<ShownProject>, Unopened> {
    let Some(before) = before else {
        clusters.forget();
        return Ok(ShownProject::of(folder, (folder.open)(OpenScope::First)?, None));
    };
    let (live, objects) = match clusters.take(&before.project) {
        ClusterChange::Live { live, objects } if scope < ReadScope::Everything => (live, objects),
        ClusterChange::Live { .. } | ClusterChange::Unsure => {
            *index = None;
            return Ok(ShownProject::of(folder, (folder.open)(OpenScope::Everything(&before.project))?, Some(before)));
        }
    };
    if scope == ReadScope::Files {
        *index = None;
        let project = (folder.open)(OpenScope::Files(&before.project))?;
        let project = if live.is_empty() { project } else { project.with_live(&live) };
        return Ok(ShownProject::of(folder, project, Some(before)));
    }
    if live.is_empty() {
        return Ok(Arc::clone(before));
    }
    let project = before.project.with_live(&live);
    if let Some(part) = part(before, &project, &live, objects, index) {
        desk.change(|reading| {
            reading.shown = Some(part);
            reading.parts += 1;
        });
    }
    Ok(ShownProject::of(folder, project, Some(before)))
}

/// Plans the closure of what changed; `None` where it is too much for that. The index then knows less than what is there
/// now, and is built again the next time.
fn part(
    before: &ShownProject,
    project: &Project,
    live: &BTreeMap<String, Arc<Inventory>>,
    objects: Option<ChangedParts>,
    kept: &mut Option<Index>,
) -> Option<Arc<ShownProject>> {
    let index = kept.take();
    let objects = objects?;
    let mut index = index.unwrap_or_else(|| Index::of(&before.planned.world));
    let seeds = seeds(&objects, &before.project, live, &mut index)?;
    let part = before.with_part(project.clone(), live, &index, &seeds);
    *kept = Some(index);
    part
}
