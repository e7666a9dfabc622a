//! The tenants of a project that are organizations on the platform. All are read concurrently.

use crate::api::{LocationSpec, SecretsFrom, TenantSpec};
use crate::tenant::TenantLocation;
use crate::tenant::location::{Location as _, LocationError, Snapshot};
use crate::tenant::prismatic::{self, Expected, Platform};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A tenant on the platform, after it was read.
pub(super) struct OnPlatform {
    /// The location, if it can be accessed.
    pub location: Option<TenantLocation>,
    /// The live state, or the reason why it is unreadable.
    pub live: Result<Snapshot, String>,
}

/// Reads all tenants on the platform: one that does not respond delays no other. `expected` tells the names that
/// the project uses, for a tenant.
pub(super) fn read(
    platform: &Arc<Platform>,
    root: &Path,
    tenants: &BTreeMap<String, TenantSpec>,
    expected: &dyn Fn(&str) -> Expected,
) -> BTreeMap<String, OnPlatform> {
    let on_platform = tenants.iter().filter_map(|(name, spec)| match &spec.location {
        Some(LocationSpec::Prismatic(location)) => Some((name, location)),
        _ => None,
    });
    let mut read: BTreeMap<String, OnPlatform> = std::thread::scope(|scope| {
        let threads: Vec<_> = on_platform
            .map(|(name, spec)| {
                let expected = expected(name);
                let one = move || match platform.location(name, root, spec) {
                    Ok(location) => {
                        let location = location.expecting(expected);
                        let live = location.snapshot().map_err(|error| without_name(name, error));
                        OnPlatform { location: Some(TenantLocation::Organization(Arc::new(location))), live }
                    }
                    Err(error) => OnPlatform { location: None, live: Err(without_name(name, error)) },
                };
                (name, scope.spawn(one))
            })
            .collect();
        let lost = || OnPlatform { location: None, live: Err("it could not be read: a thread stopped".to_string()) };
        threads.into_iter().map(|(name, thread)| (name.clone(), thread.join().unwrap_or_else(|_| lost()))).collect()
    });
    refuse_same(&mut read);
    for (name, why) in shared_secrets(root, tenants) {
        if let Some(tenant) = read.get_mut(&name) {
            tenant.live = Err(why);
        }
    }
    read
}

/// The tenants whose secrets another tenant would send too, and why that is wrong: secrets never cross tenants.
fn shared_secrets(root: &Path, tenants: &BTreeMap<String, TenantSpec>) -> BTreeMap<String, String> {
    let sources: Vec<(&String, SecretPlace)> = tenants
        .iter()
        .filter_map(|(name, spec)| match &spec.location {
            Some(LocationSpec::Prismatic(location)) => {
                Some((name, SecretPlace::of(name, root, location.secrets.as_ref()?)?))
            }
            _ => None,
        })
        .collect();
    let others = |name: &String, place: &SecretPlace| -> Vec<&str> {
        let meeting = sources.iter().filter(|(other, there)| *other != name && place.meets(there));
        meeting.map(|(other, _)| other.as_str()).collect()
    };
    let shared = sources.iter().filter_map(|(name, place)| {
        let others = others(name, place);
        let why = match place {
            SecretPlace::Folder(folder) => format!(
                "{} with its secrets has those of {} too: give each tenant a folder of its own",
                folder.display(),
                others.join(", ")
            ),
            SecretPlace::Variables(prefix) => format!(
                "the variables {prefix}… with its secrets may be those of {} too: rename one of these Tenants, or give \
                 one a directory",
                others.join(", ")
            ),
        };
        (!others.is_empty()).then(|| ((*name).clone(), why))
    });
    shared.collect()
}

/// Where the secrets of one tenant are.
enum SecretPlace {
    Folder(PathBuf),
    /// The beginning of the names of variables.
    Variables(String),
}

impl SecretPlace {
    fn of(tenant: &str, root: &Path, from: &SecretsFrom) -> Option<Self> {
        match from {
            SecretsFrom::Directory(folder) => {
                let folder = root.join(folder);
                Some(SecretPlace::Folder(std::fs::canonicalize(&folder).unwrap_or(folder)))
            }
            SecretsFrom::Env(_) => Some(SecretPlace::Variables(prismatic::variables_of(tenant))),
            SecretsFrom::Namespace(_) => None,
        }
    }

    /// Whether one may hold what the other does.
    fn meets(&self, other: &SecretPlace) -> bool {
        match (self, other) {
            (SecretPlace::Folder(one), SecretPlace::Folder(other)) => one.starts_with(other) || other.starts_with(one),
            (SecretPlace::Variables(one), SecretPlace::Variables(other)) => {
                one.starts_with(other.as_str()) || other.starts_with(one.as_str())
            }
            _ => false,
        }
    }
}

/// The text of an error without the tenant's name, which stands before it already.
fn without_name(name: &str, error: LocationError) -> String {
    match error {
        LocationError::Failed { what, why } if what == name => why,
        error => error.to_string(),
    }
}

/// Two Tenants that are one organization are errors on both: what one plans, the other would undo.
fn refuse_same(read: &mut BTreeMap<String, OnPlatform>) {
    let mut by_organization: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, tenant) in read.iter() {
        if let Some(organization) = tenant.live.as_ref().ok().and_then(|live| live.organization.clone()) {
            by_organization.entry(organization).or_default().push(name.clone());
        }
    }
    for (organization, names) in by_organization.into_iter().filter(|(_, names)| names.len() > 1) {
        for name in &names {
            let others: Vec<&str> = names.iter().filter(|other| *other != name).map(String::as_str).collect();
            let why = format!(
                "it is the same organization as {} (tenantId {organization}): keep one of these Tenants, or give one of \
                 them the token of another organization",
                others.join(", ")
            );
            if let Some(tenant) = read.get_mut(name) {
                tenant.live = Err(why);
            }
        }
    }
}
