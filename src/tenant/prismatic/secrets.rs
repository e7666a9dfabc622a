//! The content of secrets: from a folder with a file per secret, from environment variables, or in the operator from the
//! Secrets of a namespace. It goes to the platform and nowhere else.

use super::opted_in::{LARGEST, OptedIn};
use crate::api::{ConnectionSpec, Input, SecretRef, SecretsFrom};
use crate::engine::model::inventory::{Inventory, Supply};
use crate::engine::model::item::Item;
use crate::git::command::BY_WORK_TREE;
use crate::secret::Secret;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

/// What names of variables begin with.
const PREFIX: &str = "STABLEKEY_SECRET_";

/// Reads a variable of the environment.
type Variables = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Where the secrets of one tenant come from.
pub(super) enum SecretSource<'a> {
    /// The Tenant names none.
    None,
    Folder(PathBuf),
    Environment {
        tenant: &'a str,
        variables: &'a Variables,
    },
    /// The Tenant names a namespace, which only the operator reads.
    Cluster,
    /// The Secrets of a namespace, which the operator read.
    OptedIn(Arc<OptedIn>),
}

impl<'a> SecretSource<'a> {
    pub(super) fn of(tenant: &'a str, root: &Path, from: Option<&SecretsFrom>, variables: &'a Variables) -> Self {
        match from {
            None => SecretSource::None,
            Some(SecretsFrom::Directory(folder)) => SecretSource::Folder(root.join(folder)),
            Some(SecretsFrom::Env(_)) => SecretSource::Environment { tenant, variables },
            Some(SecretsFrom::Namespace(_)) => SecretSource::Cluster,
        }
    }

    /// Which secrets there are. `Err` says why that is unknown.
    pub(super) fn supply(&self) -> Result<Supply, String> {
        match self {
            SecretSource::None => Ok(Supply::Nothing),
            SecretSource::Cluster => Err("its secrets are in a namespace, which only the operator reads".to_string()),
            SecretSource::OptedIn(secrets) => Ok(secrets.supply(Timestamp::now())),
            SecretSource::Folder(folder) => {
                is_safe(folder)?;
                Ok(Supply::Files { folder: folder.display().to_string(), there: files(folder)? })
            }
            SecretSource::Environment { tenant, .. } => {
                let prefix = variables_of(tenant);
                let there = std::env::vars_os().filter_map(|(name, value)| {
                    let is_there = value.to_str().is_some_and(|value| !value.is_empty());
                    let name = name.to_str().filter(|name| is_there && name.starts_with(&prefix))?;
                    Some(name.to_string())
                });
                Ok(Supply::Variables { prefix: prefix.clone(), there: there.collect() })
            }
        }
    }

    /// Why the secrets of a connection must not be sent with it, or with a set of credentials that has these inputs
    /// beside those of the connection. Only the owner of a Secret in a cluster says for what it is.
    pub(super) fn refusal(
        &self,
        spec: &ConnectionSpec,
        inputs: &BTreeMap<String, Input>,
        types: &Inventory,
    ) -> Option<String> {
        match self {
            SecretSource::OptedIn(secrets) => secrets.refusal(spec, inputs, types, Timestamp::now()),
            _ => None,
        }
    }

    /// The versions that the annotations of an object's Secrets name, by Secret.
    pub(super) fn versions(&self, item: &Item) -> BTreeMap<String, String> {
        match self {
            SecretSource::OptedIn(secrets) => secrets.versions(item),
            _ => BTreeMap::new(),
        }
    }

    /// The content of a secret; `None` if it is not there. A last line break of a file is no part of it.
    pub(super) fn content(&self, reference: &SecretRef) -> Result<Option<Secret>, String> {
        match self {
            SecretSource::None | SecretSource::Cluster => Ok(None),
            SecretSource::OptedIn(secrets) => secrets.content(reference),
            SecretSource::Folder(folder) => {
                let path = folder.join(&reference.name).join(&reference.key);
                of_file(&path)
            }
            SecretSource::Environment { tenant, variables } => {
                let name = format!("{}{}", variables_of(tenant), Supply::variable(reference));
                Ok(variables(&name).filter(|value| !value.is_empty()).map(Secret::new))
            }
        }
    }
}

/// The content of a file; `None` if it is not there, or empty.
fn of_file(path: &Path) -> Result<Option<Secret>, String> {
    let size = match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => metadata.len(),
        Ok(_) => return Err(format!("{} is no file", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{} cannot be read: {error}", path.display())),
    };
    if size > LARGEST {
        return Err(format!("{} is larger than {LARGEST} bytes", path.display()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let text = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    Ok((!text.is_empty()).then(|| Secret::new(text.to_string())))
}

/// What the names of the variables with a tenant's secrets begin with.
pub fn variables_of(tenant: &str) -> String {
    format!("{PREFIX}{}__", shout(tenant))
}

/// The text in upper case, with `_` for every other character.
fn shout(text: &str) -> String {
    Supply::shout(text)
}

/// The files `<secret name>/<key>` in a folder, each with the file that it is when links are followed.
fn files(folder: &Path) -> Result<BTreeMap<(String, String), String>, String> {
    let unreadable = |path: &Path, error: &std::io::Error| format!("{} cannot be read: {error}", path.display());
    let mut there = BTreeMap::new();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(there),
        Err(error) => return Err(unreadable(folder, &error)),
    };
    for entry in entries {
        let path = entry.map_err(|error| unreadable(folder, &error))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| !name.starts_with('.')) else {
            continue;
        };
        if !path.is_dir() {
            continue;
        }
        for key in std::fs::read_dir(&path).map_err(|error| unreadable(&path, &error))? {
            let file = key.map_err(|error| unreadable(&path, &error))?.path();
            // What cannot be sent does not count.
            let is_there = of_file(&file).is_ok_and(|content| content.is_some());
            if let Some(key) = file.file_name().and_then(|key| key.to_str()).filter(|_| is_there) {
                let real = std::fs::canonicalize(&file).unwrap_or_else(|_| file.clone());
                there.insert((name.to_string(), key.to_string()), real.display().to_string());
            }
        }
    }
    Ok(there)
}

/// Refuses a folder that Git tracks, or would track with the next `git add`.
fn is_safe(folder: &Path) -> Result<(), String> {
    let Some(above) = folder.ancestors().find(|above| above.is_dir()) else { return Ok(()) };
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.arg("-C").arg(above).args(BY_WORK_TREE).args(arguments).stdin(Stdio::null());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GIT_")) {
            command.env_remove(name);
        }
        command.output().ok()
    };
    let shown = folder.display();
    let is_in_a_tree = git(&["rev-parse", "--is-inside-work-tree"]).is_some_and(|output| output.status.success());
    if !is_in_a_tree {
        let real = above.canonicalize().unwrap_or_else(|_| above.to_path_buf());
        // git may be missing, or refuse a tree that is another user's.
        return match real.ancestors().any(|at| at.join(".git").exists()) {
            false => Ok(()),
            true => Err(format!(
                "git does not say whether it tracks {shown}: see what this says, and correct it: git -C {} status",
                above.display()
            )),
        };
    }
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    let file = folder.join("a").join("b");
    let (folder, file) = (folder.to_string_lossy(), file.to_string_lossy());
    let tracked = git(&["ls-files", "--", &folder]).is_some_and(|output| !output.stdout.is_empty());
    if tracked {
        return Err(format!(
            "Git tracks files in {shown}: take them out with git rm --cached, and rotate these secrets"
        ));
    }
    let not_ignored = git(&["ls-files", "--others", "--exclude-standard", "--", &folder]);
    if not_ignored.is_some_and(|output| !output.stdout.is_empty()) {
        return Err(format!("Git would track files in {shown}: no rule of .gitignore may except one"));
    }
    let is_ignored = git(&["check-ignore", "--quiet", "--", &file]).is_some_and(|output| output.status.success());
    if is_ignored { Ok(()) } else { Err(format!("Git would track files in {shown}: add it to .gitignore")) }
}
