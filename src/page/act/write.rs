//! Writes an edit that was shown.

use super::proposed::Proposed;
use super::{back, keep, new, review, set, suspend, switch};
use crate::author::AuthorError;
use crate::engine::model::plan::Action;
use crate::page::OpenScope;
use crate::page::fields::FormFields;
use crate::page::message;
use crate::page::refusals;
use crate::page::reply::{self, Reply};
use crate::page::request::{Request, WRITTEN};
use crate::page::shown::ShownProject;
use crate::project::Project;
use crate::tenant::directory::disk::RealDisk;
use maud::html;

/// The kinds of edits, as forms name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EditKind {
    New,
    Set,
    Switch,
    Keep,
    Suspend,
}

impl EditKind {
    const ALL: [EditKind; 5] = [EditKind::New, EditKind::Set, EditKind::Switch, EditKind::Keep, EditKind::Suspend];

    const fn name(self) -> &'static str {
        match self {
            EditKind::New => "new",
            EditKind::Set => "set",
            EditKind::Switch => "switch",
            EditKind::Keep => "keep",
            EditKind::Suspend => "suspend",
        }
    }

    fn review(self, request: &Request, shown: &ShownProject) -> Reply {
        match self {
            EditKind::New => new::review(request, shown),
            EditKind::Set => set::review(request, shown),
            EditKind::Switch => switch::review(request, shown),
            EditKind::Keep => keep::review(request, shown),
            EditKind::Suspend => suspend::review(request, shown),
        }
    }

    fn propose(self, project: &Project, fields: &FormFields) -> Result<Proposed, AuthorError> {
        match self {
            EditKind::New => new::propose(project, fields),
            EditKind::Set => set::propose(project, fields),
            EditKind::Switch => switch::propose(project, fields),
            EditKind::Keep => keep::propose(project, fields),
            EditKind::Suspend => suspend::propose(project, fields),
        }
    }
}

/// Writes what was shown. What changed since is shown again instead.
pub(crate) fn write(request: &Request, shown: &ShownProject) -> Reply {
    let fields = &request.fields;
    let Some(kind) = EditKind::ALL.into_iter().find(|kind| kind.name() == fields.text("kind")) else {
        return refusals::refused(
            request,
            400,
            "Nothing was changed",
            "The form names no kind of edit.",
            "Go back and try again.",
        );
    };
    // What is there now counts, not what was read for the page: a tenant may have been suspended since.
    let project = match (shown.folder.open)(OpenScope::Files(&shown.project)) {
        Ok(project) => project,
        Err(failure) => return refusals::refused(request, 503, "Nothing was written", &failure.message, &failure.help),
    };
    let proposed = match kind.propose(&project, fields) {
        Ok(proposed) => proposed,
        Err(error) => {
            return match kind.propose(&shown.project, fields) {
                // What was read for the page does not show the reason yet.
                Ok(_) => refusals::refused_edit(request, "Nothing was written", &error),
                // The form again, with the reason.
                Err(_) => kind.review(request, shown),
            };
        }
    };
    if proposed.digest() != fields.text("digest") {
        let notice = html! {
            div.notice.warn role="alert" { p { b { "Something changed since this was shown. " } "Nothing was written. This is what it would do now." } }
        };
        return review::show(request, kind.name(), &proposed, Some(notice));
    }
    if !proposed.edited.consequences.worse.is_empty() && !fields.has("force") {
        let notice =
            message::refusal("Nothing was written: the plan becomes worse.", "Tick the box to write it all the same.");
        return review::show(request, kind.name(), &proposed, Some(notice));
    }
    if let Err(error) = proposed.edited.write(&RealDisk) {
        request.desk.read_again();
        return refusals::refused_edit(request, "Not written", &error);
    }
    if let Some((tenant, records)) = &proposed.records
        && let Err(why) = write_records(&project, tenant, records)
    {
        request.desk.read_again();
        let message = format!("The files are written, and the ownership record of {tenant} is not: {why}");
        return refusals::refused(request, 502, "Written in part", &message, "Do it again to finish.");
    }
    request.desk.read_again();
    request.desk.wait_for_reading(request.reading.read);
    let then = back(&proposed.then);
    let mark = if then.contains('?') { '&' } else { '?' };
    reply::see_other(&format!("{then}{mark}{}={}", WRITTEN, proposed.edited.files.len()))
}

fn write_records(project: &Project, tenant: &str, records: &[Action]) -> Result<(), String> {
    crate::apply::write_records(project, tenant, &records.iter().collect::<Vec<_>>())
}
