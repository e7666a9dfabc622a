//! A new project: its tenants and folders, a README, and the checks of pull requests.

use super::draft::Draft;
use super::editor_settings;
use super::error::AuthorError;
use super::structure::TENANTS;
use super::tenant::{NewTenant, Whereabouts, is_free, is_name, keep};
use crate::api::{Object, Resource, TokenFrom};
use crate::manifest::{editor, json_schema, to_yaml};
use crate::near_miss::meant;
use crate::project::UNNAMED;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A system that runs the checks of pull requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ci {
    GitHub,
    GitLab,
}

/// Writes the files of a new project; `skip` leaves files out. Fails if any of them is there already.
pub fn start(draft: &mut Draft<'_>, tenants: &[NewTenant], ci: Option<Ci>, skip: &[String]) -> Result<(), AuthorError> {
    let project = draft.project;
    if let Some(name) = project.tenants.keys().find(|name| *name != UNNAMED) {
        let message = format!("{} is a project already: it has Tenant {name}", project.root.display());
        return Err(AuthorError::refused(message, "add a tenant to it: stablekey new tenant NAME"));
    }
    if let Some(file) = project.unread.first() {
        return Err(AuthorError::Unreadable { what: file.clone(), why: "it may declare tenants".to_string() });
    }
    for tenant in tenants {
        if !is_name(&tenant.name) {
            let message = format!("{} cannot be the name of a tenant", tenant.name);
            return Err(AuthorError::refused(message, "use lower-case letters, digits and -"));
        }
    }
    let mut folders = BTreeSet::new();
    for (tenant, folder) in tenants.iter().flat_map(|tenant| tenant.folders().into_iter().map(move |f| (tenant, f))) {
        is_free(project, &tenant.name, &folder)?;
        if !folders.insert(folder.trim_end_matches('/').to_string()) {
            let message = format!("{folder} would be the folder of two tenants");
            return Err(AuthorError::refused(message, "give each a folder of its own: --tenant NAME=FOLDER"));
        }
    }
    let mut files = files(&project.root, tenants, ci)?;
    for left_out in skip {
        let left_out = left_out.strip_prefix("./").unwrap_or(left_out);
        if files.remove(left_out).is_none() {
            let near = meant(left_out, files.keys().map(String::as_str));
            let help = near.map_or_else(
                || format!("the files are {}", files.keys().cloned().collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean {near}?"),
            );
            return Err(AuthorError::refused(format!("{left_out} would not be written anyway"), help));
        }
    }
    // The settings of an editor that are there are completed by `stablekey schema --vscode`.
    if project.root.join(editor::SETTINGS).symlink_metadata().is_ok() {
        files.remove(editor::SETTINGS);
        files.remove(editor::SCHEMA);
    }
    let is_there = |path: &&String| project.root.join(path).symlink_metadata().is_ok();
    let there: Vec<&str> = files.keys().filter(is_there).map(String::as_str).collect();
    if !there.is_empty() {
        let message = format!("{} is there already: nothing was written", there.join(", "));
        let skipped: Vec<String> = there.iter().map(|path| format!("--skip {path}")).collect();
        let help = format!("start in another folder, or leave it out: {}", skipped.join(" "));
        return Err(AuthorError::refused(message, help));
    }
    for (path, text) in files {
        draft.put_new(&project.root.join(path), text.into_bytes())?;
    }
    Ok(())
}

/// The files of a new project, by their path below the root.
fn files(root: &Path, tenants: &[NewTenant], ci: Option<Ci>) -> Result<BTreeMap<String, String>, AuthorError> {
    let mut files = BTreeMap::new();
    let mut documents = Vec::new();
    for tenant in tenants {
        let document = to_yaml(&Resource::from(Object::new(&tenant.name, tenant.spec())));
        documents.push(document.map_err(|error| AuthorError::refused(error.to_string(), "internal error: report it"))?);
        files.extend(tenant.folders().iter().filter_map(|folder| Some((keep(root, folder)?, String::new()))));
    }
    files.insert(TENANTS.to_string(), format!("# The tenants of this project.\n{}", documents.join("---\n")));
    let internal = |why: String| AuthorError::refused(why, "internal error: report it");
    let folders: Vec<String> = tenants.iter().flat_map(NewTenant::folders).collect();
    files.insert(editor::SETTINGS.to_string(), editor_settings::new(&folders)?);
    files.insert(editor::SCHEMA.to_string(), json_schema().map_err(|error| internal(error.to_string()))?);
    files.insert("README.md".to_string(), readme(tenants, ci));
    files.insert(".gitignore".to_string(), IGNORED.to_string());
    let pipeline = ci.map(|ci| pipeline(ci, tenants)).unwrap_or_default();
    files.extend(pipeline.into_iter().map(|(path, text)| (path.to_string(), text)));
    Ok(files)
}

const IGNORED: &str = "# Secrets, and plans and reports of one machine.\n/secrets/\n/plan.json\n/stablekey-report/\n";

fn readme(tenants: &[NewTenant], ci: Option<Ci>) -> String {
    let row = |tenant: &NewTenant| {
        let place = match &tenant.whereabouts {
            Whereabouts::Directory { path } => format!("the folder `{path}/`"),
            Whereabouts::Kubernetes { namespace, context } => match context {
                Some(context) => format!("namespace `{namespace}` of the cluster of context `{context}`"),
                None => format!("namespace `{namespace}`"),
            },
            Whereabouts::Platform { url, .. } => format!("the organization at {url}"),
        };
        let folder = tenant.folders().into_iter().next_back().unwrap_or_default();
        format!("| {} | {place} | `{folder}/` |\n", tenant.name)
    };
    let rows: String = tenants.iter().map(row).collect();
    let checks = match ci {
        Some(_) => "\nEvery pull request is planned: a comment says what the change does in every tenant.\n",
        None => "",
    };
    let on_platform = tenants.iter().find(|tenant| matches!(tenant.whereabouts, Whereabouts::Platform { .. }));
    let import = on_platform.map_or_else(String::new, |tenant| {
        format!("| import a tenant from the platform | `stablekey import --tenant {}` |\n", tenant.name)
    });
    let first = tenants.first().map(|tenant| tenant.name.as_str()).unwrap_or_default();
    let second = tenants.get(1).map_or("OTHER-TENANT", |tenant| tenant.name.as_str());
    format!(
        "# Connections\n\n\
         The connections of our integrations and their stable keys, per tenant, managed with Stablekey.\n\n\
         | Tenant | Location | Manifests |\n|---|---|---|\n{rows}{checks}\n\
         ## Commands\n\n\
         | To … | Run |\n|---|---|\n\
         | see what a change would do | `stablekey plan` |\n\
         | do it | `stablekey apply` |\n\
         | see the state of every tenant | `stablekey status` |\n\
         {import}\
         | keep a tenant the same as another one | `stablekey new sync {first} {second} --connections Mirror` |\n\
         | alter a connection | `stablekey set KEY INPUT=VALUE` |\n\n\
         Secrets are never in these files: a manifest names a Secret and its key.\n"
    )
}

/// The variables with the tokens of tenants on the platform, in CI.
fn tokens(tenants: &[NewTenant]) -> Vec<String> {
    let mut variables: Vec<String> = tenants
        .iter()
        .filter_map(|tenant| match &tenant.whereabouts {
            Whereabouts::Platform { token_from: Some(TokenFrom::Env(variable)), .. } => Some(variable.clone()),
            Whereabouts::Platform { .. } => Some("PRISM_REFRESH_TOKEN".to_string()),
            Whereabouts::Directory { .. } | Whereabouts::Kubernetes { .. } => None,
        })
        .collect();
    variables.sort_unstable();
    variables.dedup();
    variables
}

/// The files of `ci/`: what a person copies and what a new project gets are the same.
const GITHUB_PLAN: &str = include_str!("../../ci/github/stablekey.yml");
const GITHUB_APPLY: &str = include_str!("../../ci/github/stablekey-apply.yml");
const GITLAB_PLAN: &str = include_str!("../../ci/gitlab/plan.yml");
const GITLAB_APPLY: &str = include_str!("../../ci/gitlab/apply.yml");
/// The lines of these files that stand for the tokens of tenants on the platform.
const GITHUB_TOKENS: &str = "          # The tokens of tenants on the platform, such as:\n          # STABLEKEY_TOKEN_US: ${{ secrets.STABLEKEY_TOKEN_US }}\n";
const GITLAB_TOKENS: &str = "# For tenants on the platform: such as STABLEKEY_TOKEN_US.\n";

/// The pipeline's files, by path. What is in folders of the repository is brought there by the merge itself.
fn pipeline(ci: Ci, tenants: &[NewTenant]) -> Vec<(&'static str, String)> {
    let is_elsewhere = |tenant: &NewTenant| !matches!(tenant.whereabouts, Whereabouts::Directory { .. });
    let applies = tenants.iter().any(is_elsewhere);
    let variables = tokens(tenants);
    match ci {
        Ci::GitHub => {
            let tokens = variables.iter().map(|name| format!("          {name}: ${{{{ secrets.{name} }}}}\n"));
            let tokens: String = tokens.collect();
            let of = |text: &str| text.replace(GITHUB_TOKENS, &tokens);
            let apply = applies.then(|| (".github/workflows/stablekey-apply.yml", of(GITHUB_APPLY)));
            [(".github/workflows/stablekey.yml", of(GITHUB_PLAN))].into_iter().chain(apply).collect()
        }
        Ci::GitLab => {
            let tokens = match variables.as_slice() {
                [] => String::new(),
                names => format!("# For tenants on the platform: {}.\n", names.join(", ")),
            };
            // There they are one file.
            let apply = GITLAB_APPLY.replace(" Use it together with plan.yml.", "");
            let apply = if applies { format!("\n{apply}") } else { String::new() };
            let text = format!("{GITLAB_PLAN}{apply}").replace(GITLAB_TOKENS, &tokens);
            vec![(".gitlab-ci.yml", text)]
        }
    }
}
