//! A new project: its tenants and folders, a README, and the checks of pull requests.

use super::draft::Draft;
use super::editor_settings;
use super::error::AuthorError;
use super::structure::TENANTS;
use super::tenant::{NewTenant, Whereabouts, is_free, is_name, keep};
use crate::api::{LocationSpec, Object, Resource, TokenFrom};
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

/// The files with which a system runs Stablekey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    pub ci: Ci,
    /// Whether pull requests of forks are planned too.
    pub forks: bool,
    /// The tenant whose integrations are promoted by schedule, and the one that they are promoted to.
    pub promote: Option<(String, String)>,
}

/// Writes the files of a new project; `skip` leaves files out. Fails if any of them is there already.
pub fn start(
    draft: &mut Draft<'_>,
    tenants: &[NewTenant],
    pipeline: Option<&Pipeline>,
    skip: &[String],
) -> Result<(), AuthorError> {
    let project = draft.project;
    if let Some(name) = project.tenants.keys().find(|name| *name != UNNAMED) {
        let message = format!("{} is a project already: it has Tenant {name}", project.root.display());
        let help = match pipeline {
            None => "add a tenant to it: stablekey new tenant NAME".to_string(),
            Some(_) => "to add only the files of CI, leave out --tenant".to_string(),
        };
        return Err(AuthorError::refused(message, help));
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
    if let Some(pipeline) = pipeline {
        pipeline.check(tenants.iter().map(|tenant| tenant.name.as_str()))?;
    }
    let files = files(&project.root, tenants, pipeline)?;
    put(draft, files, skip, "start in another folder, or leave it out")
}

/// Writes the files with which a system runs Stablekey, in a project that is there; `skip` leaves files out. Fails if any of
/// them is there already.
pub fn add_pipeline(draft: &mut Draft<'_>, pipeline: &Pipeline, skip: &[String]) -> Result<(), AuthorError> {
    let project = draft.project;
    let tenants = || project.tenants.iter().filter(|(name, _)| *name != UNNAMED);
    pipeline.check(tenants().map(|(name, _)| name.as_str()))?;
    let locations = tenants().filter_map(|(_, tenant)| tenant.spec.location.as_ref());
    let on_platform = locations.filter_map(|location| match location {
        LocationSpec::Prismatic(organization) => Some(organization.token_from.as_ref()),
        LocationSpec::Directory(_) | LocationSpec::Kubernetes(_) => None,
    });
    let files = pipeline.files(&variables(on_platform));
    let files = files.into_iter().map(|(path, text)| (path.to_string(), text)).collect();
    put(draft, files, skip, "remove it, or leave it out")
}

/// Adds new files, none of which may be there.
fn put(
    draft: &mut Draft<'_>,
    mut files: BTreeMap<String, String>,
    skip: &[String],
    or: &str,
) -> Result<(), AuthorError> {
    let project = draft.project;
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
        let help = format!("{or}: {}", skipped.join(" "));
        return Err(AuthorError::refused(message, help));
    }
    for (path, text) in files {
        draft.put_new(&project.root.join(path), text.into_bytes())?;
    }
    Ok(())
}

/// The files of a new project, by their path below the root.
fn files(
    root: &Path,
    tenants: &[NewTenant],
    pipeline: Option<&Pipeline>,
) -> Result<BTreeMap<String, String>, AuthorError> {
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
    files.insert("README.md".to_string(), readme(tenants, pipeline.map(|pipeline| pipeline.ci)));
    files.insert(".gitignore".to_string(), IGNORED.to_string());
    let of_pipeline = pipeline.map(|pipeline| pipeline.files(&tokens(tenants))).unwrap_or_default();
    files.extend(of_pipeline.into_iter().map(|(path, text)| (path.to_string(), text)));
    Ok(files)
}

const IGNORED: &str =
    "# Secrets, and plans and reports of one machine.\n/secrets/\n/plan.json\n/snapshot.json\n/stablekey-report/\n";

fn readme(tenants: &[NewTenant], checks: Option<Ci>) -> String {
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
    let checks = match checks {
        Some(Ci::GitHub) => "\nEvery pull request is planned: a comment says what the change does in every tenant.\n",
        Some(Ci::GitLab) => "\nEvery merge request is planned: a note says what the change does in every tenant.\n",
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

/// The variables with the tokens of new tenants on the platform, in CI.
fn tokens(tenants: &[NewTenant]) -> Vec<String> {
    variables(tenants.iter().filter_map(|tenant| match &tenant.whereabouts {
        Whereabouts::Platform { token_from, .. } => Some(token_from.as_ref()),
        Whereabouts::Directory { .. } | Whereabouts::Kubernetes { .. } => None,
    }))
}

/// The variables with the tokens of tenants on the platform, by where each tenant has its token from.
fn variables<'t>(tenants: impl Iterator<Item = Option<&'t TokenFrom>>) -> Vec<String> {
    let of = |token: Option<&TokenFrom>| match token {
        Some(TokenFrom::Env(variable)) => variable.clone(),
        _ => "PRISM_REFRESH_TOKEN".to_string(),
    };
    let variables: BTreeSet<String> = tenants.map(of).collect();
    variables.into_iter().collect()
}

/// The files of `ci/`: what a person copies and what a new project gets are the same.
const GITHUB_PLAN: &str = include_str!("../../ci/github/stablekey.yml");
const GITHUB_APPLY: &str = include_str!("../../ci/github/stablekey-apply.yml");
const GITHUB_FORKS: [(&str, &str); 3] = [
    (".github/workflows/stablekey-comment.yml", include_str!("../../ci/github/stablekey-comment.yml")),
    (".github/workflows/stablekey-fork.yml", include_str!("../../ci/github/stablekey-fork.yml")),
    (".github/workflows/stablekey-snapshot.yml", include_str!("../../ci/github/stablekey-snapshot.yml")),
];
const GITHUB_PROMOTE: &str = include_str!("../../ci/github/stablekey-promote.yml");
const GITLAB_PLAN: &str = include_str!("../../ci/gitlab/plan.yml");
const GITLAB_APPLY: &str = include_str!("../../ci/gitlab/apply.yml");
const GITLAB_PROMOTE: &str = include_str!("../../ci/gitlab/promote.yml");
/// The command of these files that promotes from one tenant to another.
const PROMOTE: &str = "stablekey ci promote dev prod";
/// The lines of these files that stand for the tokens of tenants on the platform.
const GITHUB_TOKENS: &str = "          # The tokens of tenants on the platform, such as:\n          # STABLEKEY_TOKEN_US: ${{ secrets.STABLEKEY_TOKEN_US }}\n";
const GITLAB_TOKENS: &str = "# For tenants on the platform: such as STABLEKEY_TOKEN_US.\n";

impl Pipeline {
    /// Whether the files of this system can do that, with these tenants.
    fn check<'n>(&self, tenants: impl Iterator<Item = &'n str>) -> Result<(), AuthorError> {
        if self.forks && self.ci == Ci::GitLab {
            let message = "there are no files of GitLab for merge requests of forks";
            return Err(AuthorError::refused(message, "leave out --forks"));
        }
        let Some((from, to)) = &self.promote else { return Ok(()) };
        let names: Vec<&str> = tenants.collect();
        for name in [from, to] {
            if !names.contains(&name.as_str()) {
                let near = meant(name, names.iter().copied());
                let help = near.map_or_else(
                    || format!("give two of the tenants: {}", names.join(", ")),
                    |near| format!("did you mean {near}?"),
                );
                return Err(AuthorError::refused(format!("--promote names {name}, which is no tenant"), help));
            }
        }
        if from == to {
            let message = format!("--promote names {from} twice");
            return Err(AuthorError::refused(message, "give the tenant to copy, and another one: --promote FROM:TO"));
        }
        Ok(())
    }

    /// The files, by path, with these variables of tokens.
    fn files(&self, variables: &[String]) -> Vec<(&'static str, String)> {
        let promote = |text: &str| {
            let (from, to) = self.promote.as_ref()?;
            Some(text.replace(PROMOTE, &format!("stablekey ci promote {from} {to}")))
        };
        match self.ci {
            Ci::GitHub => {
                let tokens = variables.iter().map(|name| format!("          {name}: ${{{{ secrets.{name} }}}}\n"));
                let tokens: String = tokens.collect();
                let own = [
                    (".github/workflows/stablekey.yml", GITHUB_PLAN.to_string()),
                    (".github/workflows/stablekey-apply.yml", GITHUB_APPLY.to_string()),
                ];
                let forks = GITHUB_FORKS.iter().filter(|_| self.forks).map(|(path, text)| (*path, (*text).to_string()));
                let promote = promote(GITHUB_PROMOTE).map(|text| (".github/workflows/stablekey-promote.yml", text));
                let all = own.into_iter().chain(forks).chain(promote);
                all.map(|(path, text)| (path, text.replace(GITHUB_TOKENS, &tokens))).collect()
            }
            Ci::GitLab => {
                let tokens = match variables {
                    [] => String::new(),
                    names => format!("# For tenants on the platform: {}.\n", names.join(", ")),
                };
                let parts = [Some(GITLAB_PLAN.to_string()), Some(GITLAB_APPLY.to_string()), promote(GITLAB_PROMOTE)];
                let parts: Vec<String> = parts.into_iter().flatten().collect();
                // There they are one file.
                let text = parts.join("\n").replace(" Use it together with plan.yml.", "");
                vec![(".gitlab-ci.yml", text.replace(GITLAB_TOKENS, &tokens))]
            }
        }
    }
}
