//! Writes to a namespace: many changes in flight, each guarded by the uid and resource version of the plan, so that
//! concurrent changes are not overwritten.

use super::body;
use super::read;
use super::{ClusterLocation, LastRead};
use crate::api::Kind;
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::{Action, ActionKind, Change, DefinitionFrom, FieldChange};
use crate::kubernetes::cache::{Delta, NamespaceDelta};
use crate::kubernetes::client::{ApiRequest, IN_FLIGHT, RequestFailure};
use crate::kubernetes::config_maps;
use crate::kubernetes::error::{RequestContext, explained};
use crate::kubernetes::managed_fields::Entries;
use crate::kubernetes::object;
use crate::kubernetes::object::{Depth, Live, Version};
use crate::tenant::location::{LocationError, Session};
use futures_util::stream::{self, StreamExt as _};
use http::StatusCode;
use serde_json::{Value, json};
use std::future::ready;
use std::sync::atomic::Ordering;

/// Maximum number of definitions in memory for writes.
const DEFINITIONS: usize = 16;
/// Maximum size of a body: etcd accepts no more.
const LARGEST_BODY: usize = 1_500_000;
/// How often a write is retried if only the status of its object changed meanwhile.
const AGAIN: usize = 3;

/// A namespace with exclusive write access.
pub(super) struct ClusterSession<'a> {
    location: &'a ClusterLocation,
    read: LastRead,
}

impl<'a> ClusterSession<'a> {
    /// Opens a session of a location with these objects.
    pub(super) fn of(location: &'a ClusterLocation, read: LastRead) -> Self {
        ClusterSession { location, read }
    }
}

impl Drop for ClusterSession<'_> {
    fn drop(&mut self) {
        // The objects change from here on.
        *self.location.last_read() = None;
        self.location.taken.store(false, Ordering::SeqCst);
    }
}

impl Session for ClusterSession<'_> {
    fn apply(&mut self, action: &Action, definition: Option<&[u8]>) -> Result<(), LocationError> {
        let writer = ActionWriter::new(self.location, &self.read);
        self.location.server.wait(writer.write(action, definition))
    }

    fn apply_all(
        &mut self,
        actions: &[&Action],
        bytes: &(dyn Fn(&DefinitionFrom) -> Result<Vec<u8>, LocationError> + Sync),
        stop: &dyn Fn() -> bool,
        done: &mut dyn FnMut(usize, Result<(), LocationError>),
    ) {
        let brings = |position: &usize| actions.get(*position).is_some_and(|action| action.change.definition.is_some());
        let (bringing, others): (Vec<usize>, Vec<usize>) = (0..actions.len()).partition(brings);
        self.write_all(actions, others.into_iter().map(|position| (position, None)), stop, done);
        // A few definitions at a time, because all of them may not fit into memory. They are read here, because their
        // source may be a cluster too, and a blocking read must not happen while a write is awaited.
        for some in bringing.chunks(DEFINITIONS) {
            let mut ready = Vec::new();
            for position in some.iter().copied().take_while(|_| !stop()) {
                let from = actions.get(position).and_then(|action| action.change.definition.as_ref());
                match from.map(bytes).transpose() {
                    Ok(definition) => ready.push((position, definition)),
                    Err(error) => done(position, Err(error)),
                }
            }
            self.write_all(actions, ready.into_iter(), stop, done);
        }
    }

    fn read_one(&mut self, id: &ObjectId) -> Result<Option<Item>, LocationError> {
        let location = self.location;
        let live = location.server.wait(read::object(&location.server, &location.paths, id))?;
        Ok(live.and_then(|live| live.read.ok()))
    }

    fn settle(&mut self) -> Result<(), LocationError> {
        // Each object was written with its record.
        Ok(())
    }
}

impl ClusterSession<'_> {
    /// Writes the actions at these positions with their definitions, many in flight.
    fn write_all(
        &self,
        actions: &[&Action],
        positions: impl Iterator<Item = (usize, Option<Vec<u8>>)>,
        stop: &dyn Fn() -> bool,
        done: &mut dyn FnMut(usize, Result<(), LocationError>),
    ) {
        let writer = &ActionWriter::new(self.location, &self.read);
        let server = &self.location.server;
        let taken = stream::iter(positions).then(|one| async move { (server.turn().await, one) });
        let begun = taken.take_while(|_| ready(!stop())).map(|(turn, (position, definition))| async move {
            let action = actions.get(position)?;
            let result = writer.write(action, definition.as_deref()).await;
            drop(turn);
            Some((position, result))
        });
        server.wait(begun.buffer_unordered(IN_FLIGHT).for_each(|result| {
            result.into_iter().for_each(|(position, result)| done(position, result));
            ready(())
        }));
    }
}

/// Returns the actions that the server would refuse.
pub(super) fn dry_run(
    location: &ClusterLocation,
    read: &LastRead,
    actions: &[&Action],
) -> Result<Vec<(ObjectId, LocationError)>, LocationError> {
    let writer = &ActionWriter::new(location, read);
    let asked = stream::iter(actions.iter().enumerate().map(|(position, action)| async move {
        let request = writer.request(action, &action.change, writer.version(&action.change)).map(ApiRequest::dry_run);
        let result = match request {
            Ok(request) => location
                .server
                .request(&request)
                .await
                .map_err(|failure| match failure {
                    // A dry run changes nothing, so nothing is unsure.
                    RequestFailure::NoAnswer(why) => RequestFailure::NotAsked(why),
                    other => other,
                })
                .map_err(|failure| explained(failure, &location.server, &location.paths, &doing(action)).into()),
            Err(error) => Err(error),
        };
        (position, action.change.object.clone(), result)
    }));
    let answers: Vec<_> = location.server.wait(asked.buffer_unordered(IN_FLIGHT).collect());
    let mut refused = Vec::new();
    for (position, id, result) in answers {
        match result {
            Ok(_) => {}
            // An unreachable server is not a refusal of an object.
            Err(error @ LocationError::Failed { .. }) => return Err(error),
            Err(error) => refused.push((position, id, error)),
        }
    }
    refused.sort_by_key(|(position, ..)| *position);
    Ok(refused.into_iter().map(|(_, id, error)| (id, error)).collect())
}

fn doing(action: &Action) -> RequestContext<'_> {
    let verb = if action.action == ActionKind::Delete { "delete" } else { "patch" };
    RequestContext { verb, resource: action.change.object.kind.plural(), object: Some(&action.change.object) }
}

/// Applies single changes.
struct ActionWriter<'a> {
    location: &'a ClusterLocation,
    read: &'a LastRead,
    entries: Entries,
}

impl<'a> ActionWriter<'a> {
    fn new(location: &'a ClusterLocation, read: &'a LastRead) -> Self {
        ActionWriter { location, read, entries: Entries::default() }
    }

    fn version(&self, change: &Change) -> Option<&Version> {
        self.read.versions.get(&change.object)
    }

    async fn write(&self, action: &Action, definition: Option<&[u8]>) -> Result<(), LocationError> {
        let change = &action.change;
        self.is_as_planned(change)?;
        if let (Some(from), Some(bytes)) = (&change.definition, definition) {
            self.put_definition(change, from, bytes).await?;
        }
        let mut version = self.version(change).cloned();
        for _ in 0..AGAIN {
            let request = self.request(action, change, version.as_ref())?;
            let failure = match self.location.server.request(&request).await {
                Ok(answer) => {
                    self.tell_answer(action, &answer);
                    return Ok(());
                }
                Err(failure) => failure,
            };
            if failure.is_absent() && action.action == ActionKind::Delete {
                return Ok(());
            }
            if leaves_null(&failure)
                && let Some(emptied) = self.empty(change, &action.fields, version.as_ref()).await?
            {
                version = Some(emptied);
                continue;
            }
            if !failure.is_race() {
                return Err(explained(failure, &self.location.server, &self.location.paths, &doing(action)).into());
            }
            // Another client was faster: an apply of the same, a controller with a status, or a concurrent writer.
            let now = read::object(&self.location.server, &self.location.paths, &change.object).await?;
            match now {
                now if self.is_done(change, now.as_ref()) => {
                    now.into_iter().for_each(|now| self.remember(change.object.kind, now));
                    return Ok(());
                }
                Some(now) if self.is_as_before(change, &now) => version = Some(now.version),
                _ => break,
            }
        }
        Err(LocationError::Changed { object: change.object.clone() })
    }

    /// Removes a map whose last entry goes, and returns the object afterwards; `None` if there is none.
    async fn empty(
        &self,
        change: &Change,
        fields: &[FieldChange],
        version: Option<&Version>,
    ) -> Result<Option<Version>, LocationError> {
        let (Some(after), Some(version)) = (&change.after, version) else { return Ok(None) };
        let Some(patch) = body::of_emptied(after, fields, version) else { return Ok(None) };
        let request = ApiRequest::merge(self.location.paths.object(&change.object), body::to_bytes(&patch));
        let doing =
            RequestContext { verb: "patch", resource: change.object.kind.plural(), object: Some(&change.object) };
        let answer = self.location.server.request(&request).await;
        let answer =
            answer.map_err(|failure| explained(failure, &self.location.server, &self.location.paths, &doing))?;
        let text = String::from_utf8_lossy(&answer);
        let live = object::item(change.object.kind, &text, &self.entries, Depth::Spec);
        Ok(live.map(|live| live.version))
    }

    /// Passes the server's answer to the listener.
    fn tell_answer(&self, action: &Action, answer: &[u8]) {
        let kind = action.change.object.kind;
        if self.location.listener.is_some() && action.action != ActionKind::Delete {
            let text = String::from_utf8_lossy(answer);
            let live = object::item(kind, &text, &self.entries, Depth::Spec);
            live.into_iter().for_each(|live| self.remember(kind, live));
        }
    }

    fn remember(&self, kind: Kind, live: Live<Item>) {
        if let Some(listener) = &self.location.listener {
            listener(NamespaceDelta::Items(kind, Box::new(Delta::Set(live))));
        }
    }

    /// Refuses to overwrite what the plan was not based on.
    fn is_as_planned(&self, change: &Change) -> Result<(), LocationError> {
        let read = self.read.inventory.get(&change.object);
        if self.read.inventory.invalid.contains_key(&change.object)
            || !Item::same(read.as_ref(), change.before.as_ref())
        {
            return Err(LocationError::Changed { object: change.object.clone() });
        }
        Ok(())
    }

    fn is_done(&self, change: &Change, now: Option<&Live<Item>>) -> bool {
        let Some(now) = now else { return change.after.is_none() };
        let recorded = now.record.as_ref() == change.record.as_deref();
        recorded && change.after.is_some() && Item::same(now.read.as_ref().ok(), change.after.as_ref())
    }

    /// Whether only the resource version differs: the same object with the same content and record.
    fn is_as_before(&self, change: &Change, now: &Live<Item>) -> bool {
        let before = self.version(change);
        let recorded = self.read.inventory.records.get(&change.object).map(AsRef::as_ref);
        before.is_some_and(|before| before.uid == now.version.uid)
            && now.record.as_ref() == recorded
            && Item::same(now.read.as_ref().ok(), change.before.as_ref())
    }

    fn request(
        &self,
        action: &Action,
        change: &Change,
        version: Option<&Version>,
    ) -> Result<ApiRequest, LocationError> {
        let path = self.location.paths.object(&change.object);
        let changed = || LocationError::Changed { object: change.object.clone() };
        let record = change.record.as_deref();
        let named = change.definition.as_ref().map(|from| name_of(change, from));
        let body = match (action.action, &change.after, version) {
            (ActionKind::Create, Some(after), _) => body::of_create(after, record, named.as_deref()),
            (ActionKind::Delete, _, Some(version)) => {
                let preconditions = json!({"uid": version.uid, "resourceVersion": version.resource_version});
                let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions});
                return Ok(ApiRequest::delete(path, options.to_string().into_bytes()));
            }
            (ActionKind::Update | ActionKind::Adopt, Some(after), Some(version)) => {
                body::of_update(after, &action.fields, record, version, named.as_deref())
            }
            _ => return Err(changed()),
        };
        let bytes = body::to_bytes(&body.unwrap_or(Value::Null));
        if bytes.len() > LARGEST_BODY {
            let why = format!("it is {} bytes, and a cluster takes at most {LARGEST_BODY}", bytes.len());
            return Err(LocationError::TooLarge { object: change.object.clone(), why });
        }
        Ok(ApiRequest::apply(path, bytes))
    }

    /// Writes the definition before anything refers to it.
    async fn put_definition(&self, change: &Change, from: &DefinitionFrom, bytes: &[u8]) -> Result<(), LocationError> {
        let location = self.location;
        let name = name_of(change, from);
        let body = body::to_bytes(&config_maps::of_new_definition(&name, bytes));
        for _ in 0..AGAIN {
            match location.server.request(&ApiRequest::apply(location.paths.config_map(&name), body.clone())).await {
                Ok(_) => return Ok(()),
                Err(failure) if failure.code() == Some(StatusCode::CONFLICT) => {}
                Err(failure) => {
                    let doing = RequestContext { verb: "create", resource: "configmaps", object: Some(&change.object) };
                    return Err(explained(failure, &location.server, &location.paths, &doing).into());
                }
            }
            // The name contains the digest: an existing ConfigMap should have the same content.
            match read::config_map(&location.server, &location.paths, &name).await? {
                Some(there) if there.definition() == Some(bytes) => return Ok(()),
                Some(_) => {
                    let why = format!("ConfigMap {name} is there and holds something else: take it away");
                    return Err(LocationError::Refused { object: change.object.clone(), why });
                }
                None => {}
            }
        }
        Err(LocationError::Changed { object: change.object.clone() })
    }
}

fn name_of(change: &Change, from: &DefinitionFrom) -> String {
    config_maps::name_of_definition(&change.object.name, &from.digest)
}

/// Whether the object would have null in place of a map or list.
fn leaves_null(failure: &RequestFailure) -> bool {
    let RequestFailure::Refused(refused) = failure else { return false };
    refused.code == StatusCode::UNPROCESSABLE_ENTITY && refused.message.contains("in body must be of type")
}
