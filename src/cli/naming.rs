//! Names of objects on the command line, and failures for unknown names.

use super::CommandFailure;
use super::output::Output;
use crate::api::{self, Kind};
use crate::engine::model::item::ObjectId;
use crate::manifest::FileProblem;
use crate::near_miss::{listed, near_misses};
use crate::project::Project;
use crate::tenant::location::Snapshot;
use std::collections::BTreeSet;

/// The kinds of objects in tenants.
const KINDS: &str = "Component, Connection, CustomerCredentials or Integration";

/// The objects of a tenant that a name may refer to.
#[derive(Clone, Copy)]
pub(super) struct KnownNames<'a> {
    /// The project, whose problems are reported.
    pub project: &'a Project,
    /// The name of the tenant.
    pub tenant: &'a str,
    /// What was read of the tenant.
    pub snapshot: &'a Snapshot,
}

/// Resolves `KIND/NAME` to an object: the kind as kubectl accepts it (`conn/slack-bot`), a connection also by its
/// stable key.
pub(super) fn object(names: KnownNames<'_>, typed: &str, output: &mut Output) -> Result<ObjectId, CommandFailure> {
    let KnownNames { snapshot, .. } = names;
    let Some((kind, name)) = typed.split_once('/') else {
        let called: Vec<String> =
            snapshot.inventory.items().map(|i| i.id()).filter(|id| id.name == typed).map(|id| id.to_string()).collect();
        let help = match called.as_slice() {
            [] => format!("write KIND/NAME; the kind is {KINDS}"),
            called => format!("did you mean {}?", called.join(" or ")),
        };
        return Err(CommandFailure::new(format!("{typed} is no object: its kind is missing"), help));
    };
    let Some(kind) = Kind::typed(kind).filter(|kind| kind.in_tenant()) else {
        let near = near_misses(kind, Kind::ALL.into_iter().filter(|k| k.in_tenant()).map(Kind::as_str));
        let help = match near.first() {
            Some(near) => format!("did you mean {near}/{name}?"),
            None => format!("the kind is {KINDS}"),
        };
        return Err(CommandFailure::new(format!("{kind} is no kind of object that a tenant has"), help));
    };
    find(names, ObjectId::new(kind, name), output)
}

/// Finds an object that exists and is valid. If it is invalid, its problems are shown with their lines.
pub(super) fn find(names: KnownNames<'_>, named: ObjectId, output: &mut Output) -> Result<ObjectId, CommandFailure> {
    let KnownNames { tenant, snapshot, .. } = names;
    let inventory = &snapshot.inventory;
    let by_key = ObjectId::new(named.kind, api::names::of_stable_key(&named.name));
    let has_key = || inventory.connection(&named.name).is_some() || inventory.invalid.contains_key(&by_key);
    let candidates = [Some(&named), (named.kind == Kind::Connection && has_key()).then_some(&by_key)];
    for id in candidates.into_iter().flatten() {
        if inventory.get(id).is_some() {
            return Ok(id.clone());
        }
        if let Some(why) = inventory.invalid.get(id) {
            let problems = problems_of(names, id);
            output.problems(&problems);
            let why = if problems.is_empty() { format!(": {why}") } else { ", as shown above".to_string() };
            let help = "correct it, then try again: until then nothing is done with it";
            return Err(CommandFailure::new(format!("{tenant}/{id} is invalid{why}"), help));
        }
    }
    let message = format!("{tenant} has no {} {}", named.kind, named.name);
    if let Some(file) = inventory.unparsed.first() {
        return Err(CommandFailure::new(
            format!("{message}, as far as can be read"),
            format!("fix {file}: it could hold it"),
        ));
    }
    let known: BTreeSet<String> = inventory.items().map(|i| i.id()).map(|id| id.to_string()).collect();
    let of_kind = format!("{}/", named.kind);
    let there: Vec<&str> = known.iter().filter_map(|id| id.strip_prefix(&of_kind)).collect();
    let help = match near_misses(&named.name, there.iter().copied()).as_slice() {
        [] if there.is_empty() => {
            format!("it has no {} at all: is this the right tenant, and the right root?", named.kind)
        }
        [] => format!("it has {}", listed(&there)),
        near => format!("did you mean {}?", near.join(" or ")),
    };
    Err(CommandFailure::new(message, help))
}

/// The problems in the file of an object, each with its line.
fn problems_of(names: KnownNames<'_>, id: &ObjectId) -> Vec<FileProblem> {
    let Some(origin) = names.snapshot.origins.get(id) else { return Vec::new() };
    let last = u32::try_from(origin.text().lines().count()).unwrap_or(u32::MAX);
    let lines = origin.first_line..origin.first_line.saturating_add(last);
    let is_of = |problem: &&FileProblem| problem.file == origin.file.path && lines.contains(&problem.line);
    names.project.problems.iter().filter(is_of).cloned().collect()
}
