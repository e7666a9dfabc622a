//! Reads the documents of one tenant's folder into an inventory.

use super::layout::FolderLayout;
use crate::api::*;
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::{Item, ObjectId};
use crate::io_error::{self, Words};
use crate::manifest::limits;
use crate::manifest::{DocumentsRead, FileProblem, SourcePlace, locate, problem, text_at};
use crate::platform::definition;
use crate::platform::definition::MAX_BYTES;
use crate::tenant::location::Snapshot;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The first problems of a document: each is to be found without a look at the file.
fn why_invalid(problems: &[FileProblem]) -> String {
    const MOST: usize = 3;
    let first: Vec<&str> = problems.iter().take(MOST).map(|problem| problem.message.as_str()).collect();
    match problems.len().saturating_sub(MOST) {
        _ if first.is_empty() => "it is wrong".to_string(),
        0 => first.join("; "),
        more => format!("{} (and {more} more)", first.join("; ")),
    }
}

/// Indexes documents. Duplicates are an error on all of them, and held back. Also reads the definitions beside them.
pub fn gather(found: DocumentsRead, layout: &FolderLayout, tenant: &str) -> Snapshot {
    let mut inventory = Inventory::default();
    let mut origins: BTreeMap<ObjectId, SourcePlace> = BTreeMap::new();
    let mut problems: Vec<FileProblem> = Vec::new();
    let mut twice: BTreeMap<ObjectId, Vec<SourcePlace>> = BTreeMap::new();
    let mut unusable: BTreeMap<ObjectId, Vec<SourcePlace>> = BTreeMap::new();
    for invalid in found.invalid {
        let id = ObjectId::new(invalid.kind, invalid.name);
        let why = why_invalid(&invalid.problems);
        problems.extend(invalid.problems);
        // An object whose name does not match its key may mean either.
        if let Some(meant) = named_by_key(invalid.kind, &invalid.origin).filter(|meant| *meant != id) {
            unusable.entry(meant.clone()).or_default().push(invalid.origin.clone());
            inventory.invalid.entry(meant).or_insert_with(|| why.clone());
        }
        unusable.entry(id.clone()).or_default().push(invalid.origin.clone());
        inventory.invalid.insert(id.clone(), why);
        cannot_be_used(&mut inventory, &id, &invalid.origin);
        if let Some(before) = origins.insert(id.clone(), invalid.origin.clone()) {
            twice.entry(id).or_insert_with(|| vec![before]).push(invalid.origin);
        }
    }
    for unparsed in found.unparsed {
        inventory.unread.insert(format!("{}, which cannot be read,", unparsed.file), None);
        inventory.unparsed.insert(unparsed.file);
        problems.extend(unparsed.problems);
    }
    let mut integrations = Vec::new();
    for document in found.documents {
        let Some(item) = item(document.resource) else { continue };
        let id = item.id();
        if let Some(before) = origins.insert(id.clone(), document.origin.clone()) {
            twice.entry(id).or_insert_with(|| vec![before]).push(document.origin);
            continue;
        }
        match item {
            Item::Integration(object, _) => integrations.push((id, object)),
            item => inventory.insert(item),
        }
    }
    for ((id, object), read) in integrations.iter().zip(definitions(&integrations, &origins, (layout, tenant))) {
        let uses = match read {
            Ok(uses) => uses,
            Err(problem) => {
                inventory.invalid.insert(id.clone(), problem.message.clone());
                problems.push(problem);
                None
            }
        };
        inventory.insert(Item::Integration(object.clone(), uses));
    }
    for (id, locations) in twice {
        problems.extend(twice_problems(&id, &locations));
        locations.iter().for_each(|location| cannot_be_used(&mut inventory, &id, location));
        inventory.remove(&id);
        let files: BTreeSet<&str> = locations.iter().map(|p| p.file.path.as_str()).collect();
        let files = files.into_iter().collect::<Vec<_>>().join(", ");
        inventory.invalid.insert(id.clone(), format!("it is there {} times: in {files}", locations.len()));
        unusable.entry(id).or_default().extend(locations);
    }
    let invalid: Vec<ObjectId> = inventory.invalid.keys().cloned().collect();
    invalid.iter().for_each(|id| inventory.remove(id));
    for id in invalid {
        let places: &mut Vec<SourcePlace> = unusable.entry(id.clone()).or_default();
        places.extend(origins.get(&id).cloned());
        let place = |place: &SourcePlace| (place.file.path.clone(), place.range.start, place.item);
        places.sort_by_key(place);
        places.dedup_by_key(|it| place(it));
    }
    let (inventory, origins, unusable) = (Arc::new(inventory), Arc::new(origins), Arc::new(unusable));
    Snapshot { inventory, origins, unusable, problems, ..Snapshot::default() }
}

/// Keeps the text of an unusable document, which may name Secrets.
fn cannot_be_used(inventory: &mut Inventory, id: &ObjectId, origin: &SourcePlace) {
    if matches!(id.kind, Kind::Connection | Kind::CustomerCredentials) {
        let what = format!("{id}, which cannot be used,");
        let text = inventory.unread.entry(what).or_insert_with(|| Some(Arc::from("")));
        *text = text.as_ref().map(|text| Arc::from([text.as_ref(), origin.text()].concat()));
    }
}

/// Returns the object that a document means by its stable key, or its component's key.
fn named_by_key(kind: Kind, origin: &SourcePlace) -> Option<ObjectId> {
    let name = match kind {
        Kind::Connection => names::of_stable_key(&text_at(origin, &["spec", "stableKey"])?),
        Kind::Component => {
            let is_public = text_at(origin, &["spec", "public"]).is_none_or(|public| public != "false");
            names::of_component(&text_at(origin, &["spec", "key"])?, is_public)
        }
        _ => return None,
    };
    Some(ObjectId::new(kind, name))
}

fn item(resource: Resource) -> Option<Item> {
    Some(match resource {
        Resource::Component(o) => Item::Component(o),
        Resource::Connection(o) => Item::Connection(o),
        Resource::CustomerCredentials(o) => Item::CustomerCredentials(o),
        Resource::Integration(o) => Item::Integration(o, None),
        Resource::Tenant(_) | Resource::TenantSync(_) => return None,
    })
}

/// Maximum number of other positions that are listed for a duplicate.
const OTHERS: usize = 3;

fn twice_problems(id: &ObjectId, locations: &[SourcePlace]) -> Vec<FileProblem> {
    let name = ["metadata", "name"];
    let shown = |origin: &SourcePlace| {
        format!("{}:{}", origin.file.path, locate(origin, &name).map_or(origin.first_line, |p| p.line))
    };
    let help = match id.kind {
        Kind::Connection => "a tenant has exactly one connection per stable key: keep one of them",
        _ => "keep one of them",
    };
    let all: Vec<String> = locations.iter().take(1 + OTHERS).map(shown).collect();
    // A few are enough to find them; listing all for each would be quadratic.
    let others = |this: usize| {
        let shown = all.iter().enumerate().filter(|(other, _)| *other != this).map(|(_, p)| p.as_str()).take(OTHERS);
        let shown = shown.collect::<Vec<_>>().join(", ");
        match locations.len().saturating_sub(1 + OTHERS) {
            0 => shown,
            more => format!("{shown} and {more} more"),
        }
    };
    locations
        .iter()
        .enumerate()
        .take(limits::FILE_FINDINGS)
        .map(|(this, origin)| {
            problem(origin, id.kind, &name, format!("{id} is there twice: also at {}", others(this)), help)
        })
        .collect()
}

/// Returns the uses that each integration's definition shows, in the order of `integrations`.
fn definitions(
    integrations: &[(ObjectId, Arc<Object<IntegrationSpec>>)],
    origins: &BTreeMap<ObjectId, SourcePlace>,
    of: (&FolderLayout, &str),
) -> Vec<Result<Option<Arc<Uses>>, FileProblem>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = integrations.len().div_ceil(threads).max(16);
    let read = |(id, object): &(ObjectId, Arc<Object<IntegrationSpec>>)| read_uses(object, origins.get(id), of);
    std::thread::scope(|scope| {
        let parts: Vec<_> = integrations
            .chunks(share)
            .map(|part| scope.spawn(move || part.iter().map(read).collect::<Vec<_>>()))
            .collect();
        // The part of a thread that panicked is read again here.
        parts
            .into_iter()
            .zip(integrations.chunks(share))
            .flat_map(|(part, share)| part.join().unwrap_or_else(|_| share.iter().map(read).collect()))
            .collect()
    })
}

fn read_uses(
    object: &Object<IntegrationSpec>,
    origin: Option<&SourcePlace>,
    (layout, tenant): (&FolderLayout, &str),
) -> Result<Option<Arc<Uses>>, FileProblem> {
    let (Some(Definition::File(file)), Some(origin)) = (&object.spec.definition, origin) else { return Ok(None) };
    let named = beside(origin, file);
    let wrong = |message: String, help: &str| {
        problem(origin, Kind::Integration, &["spec", "definition", "file"], message, help)
    };
    if let Some(uses) = layout.over.uses(&named) {
        return Ok(Some(uses));
    }
    let path = layout.side_file(tenant, &named).map_err(|why| {
        let message = format!("definition {} cannot be read: {why}", named.display());
        wrong(message, "put the exported definition itself beside this manifest")
    })?;
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    match layout.over.read(&path, limit) {
        Ok(Some(bytes)) => definition::uses(&bytes).map(|uses| Some(Arc::new(uses))).map_err(|error| {
            wrong(format!("definition {} cannot be read: {error}", path.display()), "export it again, or fix it")
        }),
        Ok(None) => Err(wrong(
            format!("definition {} is not there", path.display()),
            "put the exported definition beside this manifest, or take `definition` out",
        )),
        Err(error) => {
            let Words { why, help } = io_error::reading(&path, &error);
            Err(wrong(format!("definition {} cannot be read: {why}", path.display()), &help))
        }
    }
}

/// Returns the path of a file beside a manifest.
pub fn beside(origin: &SourcePlace, file: &str) -> PathBuf {
    Path::new(&origin.file.path).parent().unwrap_or(Path::new("")).join(file)
}
