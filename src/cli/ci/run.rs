//! What a pipeline runs for, as GitHub Actions or GitLab CI tells in the environment.

use crate::forge::{GitHub, GitLab};
use crate::secret::Secret;
use crate::text::and;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A CI system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum CiSystem {
    GitHub,
    GitLab,
}

/// What a pipeline runs for.
#[derive(Debug, Default)]
pub(in crate::cli) struct CiRun {
    /// The system; `None`: neither GitHub nor GitLab.
    pub system: Option<CiSystem>,
    /// The pull request or merge request.
    pub request: Option<MergeRequest>,
    /// The run that this one was triggered by, on GitHub.
    pub triggered_by: Option<TriggeringRun>,
    /// Whether not everybody can read the repository; `None`: the environment does not tell.
    is_private: Option<bool>,
    /// Whether it is a pipeline at all.
    is_pipeline: bool,
    /// The branch that the pipeline runs for.
    pub branch: Option<String>,
    /// The tag that it runs for.
    pub tag: Option<String>,
    /// The commit that the branch was at before the push that it runs for; `None`: the event does not tell.
    pub before: Option<String>,
    /// The file that GitHub shows as the summary of a job.
    pub summary: Option<PathBuf>,
    /// The API for comments, if there is a token.
    pub access: Option<ForgeAccess>,
    /// The variables that access needs and that are not set.
    missing: Vec<&'static str>,
}

/// A run of a workflow that another one waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct TriggeringRun {
    /// The commit that it was of.
    pub commit: String,
    /// The repository with that commit: a fork, or this one. `None` if it is gone.
    pub repository: Option<String>,
}

/// Access to the API of GitHub or GitLab. The address comes from where the token does: the job's environment.
#[derive(Debug)]
pub(in crate::cli) struct ForgeAccess {
    pub api: String,
    /// `OWNER/NAME` on GitHub, the number of the project on GitLab.
    pub repository: String,
    pub token: Secret,
}

/// A pull request of GitHub, or a merge request of GitLab.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct MergeRequest {
    /// Its number in the repository.
    pub number: u64,
    /// The last commit of the change.
    pub head: Option<String>,
    /// The branch that it is merged into.
    pub target: String,
    /// Whether it comes from another repository, so that it has no rights here.
    pub is_fork: bool,
}

/// The largest description of an event, in bytes.
const LARGEST_EVENT: u64 = 64_000_000;

impl CiRun {
    /// Reads the environment.
    pub(in crate::cli) fn of_environment() -> Self {
        CiRun::of(&|name| std::env::var(name).ok().filter(|value| !value.is_empty()), &read_event)
    }

    fn of(variable: &dyn Fn(&str) -> Option<String>, event: &dyn Fn(&Path) -> Option<Value>) -> Self {
        let is = |name: &str| variable(name).is_some_and(|value| value == "true");
        if is("GITHUB_ACTIONS") {
            let event = variable("GITHUB_EVENT_PATH").and_then(|path| event(Path::new(&path)));
            let summary = variable("GITHUB_STEP_SUMMARY").map(PathBuf::from);
            let request = event.as_ref().and_then(github_request);
            let request = request.or_else(|| request_of_ref(&variable("GITHUB_REF")?, variable("GITHUB_BASE_REF")));
            let branch = variable("GITHUB_REF").and_then(|name| Some(name.strip_prefix("refs/heads/")?.to_string()));
            let tag = variable("GITHUB_REF").and_then(|name| Some(name.strip_prefix("refs/tags/")?.to_string()));
            let api = variable("GITHUB_API_URL").unwrap_or_else(|| "https://api.github.com".to_string());
            let (access, missing) = access(
                ("GITHUB_API_URL", Some(api)),
                ("GITHUB_REPOSITORY", variable("GITHUB_REPOSITORY")),
                ("GITHUB_TOKEN", variable("GITHUB_TOKEN")),
            );
            let text = |path: &str| event.as_ref()?.pointer(path)?.as_str().map(str::to_string);
            let triggered_by = text("/workflow_run/head_sha")
                .map(|commit| TriggeringRun { commit, repository: text("/workflow_run/head_repository/full_name") });
            let before = text("/before").filter(|commit| is_commit(commit));
            let is_private = event.as_ref().and_then(|event| event.pointer("/repository/private")?.as_bool());
            let system = Some(CiSystem::GitHub);
            return CiRun {
                system,
                request,
                triggered_by,
                is_private,
                is_pipeline: true,
                branch,
                tag,
                before,
                summary,
                access,
                missing,
            };
        }
        if is("GITLAB_CI") {
            // Where the pipeline is of the merge, the commit of the source has a variable of its own.
            let head = variable("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA").or_else(|| variable("CI_COMMIT_SHA"));
            let request = variable("CI_MERGE_REQUEST_IID").and_then(|number| number.parse().ok()).map(|number| {
                let target = variable("CI_MERGE_REQUEST_TARGET_BRANCH_NAME").unwrap_or_default();
                let project = variable("CI_MERGE_REQUEST_PROJECT_ID");
                let is_fork = variable("CI_MERGE_REQUEST_SOURCE_PROJECT_ID") != project;
                MergeRequest { number, head, target, is_fork }
            });
            let project = variable("CI_MERGE_REQUEST_PROJECT_ID").or_else(|| variable("CI_PROJECT_ID"));
            // The token of a job may not write notes.
            let (access, missing) = access(
                ("CI_API_V4_URL", variable("CI_API_V4_URL")),
                ("CI_PROJECT_ID", project),
                ("STABLEKEY_GITLAB_TOKEN", variable("STABLEKEY_GITLAB_TOKEN")),
            );
            return CiRun {
                system: Some(CiSystem::GitLab),
                request,
                is_private: variable("CI_PROJECT_VISIBILITY").map(|visibility| visibility != "public"),
                is_pipeline: true,
                branch: variable("CI_COMMIT_BRANCH"),
                tag: variable("CI_COMMIT_TAG"),
                before: variable("CI_COMMIT_BEFORE_SHA").filter(|commit| is_commit(commit)),
                access,
                missing,
                ..CiRun::default()
            };
        }
        CiRun { is_pipeline: variable("CI").is_some(), ..CiRun::default() }
    }

    /// What the system calls a change that is to be merged.
    pub(in crate::cli) fn request_word(&self) -> &'static str {
        match self.system {
            Some(CiSystem::GitLab) => "merge request",
            Some(CiSystem::GitHub) | None => "pull request",
        }
    }

    /// Why there is no access to the API: the variables that are not set.
    pub(in crate::cli) fn no_access(&self) -> String {
        let are = if self.missing.len() == 1 { "is" } else { "are" };
        format!("{} {are} not set", and(&self.missing))
    }

    /// How a job gets a token that may comment.
    pub(in crate::cli) fn token_help(&self) -> &'static str {
        match self.system {
            Some(CiSystem::GitHub) => {
                "pass the token of the job: GITHUB_TOKEN: ${{ github.token }} in env, and permissions: pull-requests: write"
            }
            Some(CiSystem::GitLab) => {
                "set STABLEKEY_GITLAB_TOKEN, a masked variable of the project: an access token with the scope api"
            }
            None => "run it in a pipeline of GitHub or GitLab",
        }
    }

    /// The text of the request whose merge made a commit of the pipeline's branch, which its author wrote; `None` where nobody
    /// was asked. Else why it is not known to be one that a merge made, though its parents look like it: an author can make
    /// a commit of such parents too, which then arrives by fast-forward. GitLab merges so where the project says it. On
    /// GitHub only a person or another program pushes so, and without a token the parents are enough.
    pub(in crate::cli) fn merge_of(&self, commit: &str) -> Result<Option<String>, String> {
        let Some(system) = self.system else { return Ok(None) };
        let Some(access) = &self.access else {
            return match system {
                CiSystem::GitHub => Ok(None),
                CiSystem::GitLab => {
                    Err(format!("GitLab was not asked whether the merge made that commit: {}", self.no_access()))
                }
            };
        };
        let branch = self.branch.as_deref().unwrap_or_default();
        let (name, asked) = match system {
            CiSystem::GitHub => {
                let repository = GitHub::new(&access.api, &access.repository, &access.token);
                ("GitHub", repository.and_then(|repository| repository.merge_of(commit, branch)))
            }
            CiSystem::GitLab => {
                let project = GitLab::new(&access.api, &access.repository, &access.token);
                ("GitLab", project.and_then(|project| project.merge_of(commit, branch)))
            }
        };
        match asked {
            Ok(Some(text)) => Ok(Some(text)),
            Ok(None) => Err(format!("{name} knows no merge that made that commit")),
            Err(error) => Err(format!("it is not known whether the merge made that commit: {error}")),
        }
    }

    /// Whether what the pipeline stores is for those only who may read the repository. Without an answer it is taken for
    /// public. On a person's own machine nothing is public.
    pub(in crate::cli) fn is_private(&self) -> bool {
        if !self.is_pipeline {
            return true;
        }
        let asked = || match (self.system, &self.access) {
            (Some(CiSystem::GitHub), Some(access)) => {
                let repository = GitHub::new(&access.api, &access.repository, &access.token).ok()?;
                repository.is_private().ok()
            }
            _ => None,
        };
        self.is_private.or_else(asked).unwrap_or(false)
    }
}

/// The access that three variables give, by name; else the names of those that are not set.
fn access(
    api: (&'static str, Option<String>),
    repository: (&'static str, Option<String>),
    token: (&'static str, Option<String>),
) -> (Option<ForgeAccess>, Vec<&'static str>) {
    let given = [&api, &repository, &token];
    let missing = given.into_iter().filter(|(_, value)| value.is_none()).map(|(name, _)| *name).collect();
    let access = match (api.1, repository.1, token.1) {
        (Some(api), Some(repository), Some(token)) => Some(ForgeAccess { api, repository, token: Secret::new(token) }),
        _ => None,
    };
    (access, missing)
}

/// Whether a text is the name of a commit. One of zeros stands for none.
fn is_commit(text: &str) -> bool {
    text.len() >= 40 && text.chars().all(|c| c.is_ascii_hexdigit()) && text.chars().any(|c| c != '0')
}

fn read_event(path: &Path) -> Option<Value> {
    let size = std::fs::metadata(path).ok()?.len();
    (size <= LARGEST_EVENT).then(|| serde_json::from_slice(&std::fs::read(path).ok()?).ok()).flatten()
}

/// The pull request of a ref such as `refs/pull/7/merge`, where the event does not tell.
fn request_of_ref(name: &str, target: Option<String>) -> Option<MergeRequest> {
    let number = name.strip_prefix("refs/pull/")?.split('/').next()?.parse().ok()?;
    Some(MergeRequest { number, head: None, target: target.unwrap_or_default(), is_fork: true })
}

/// The pull request of an event.
fn github_request(event: &Value) -> Option<MergeRequest> {
    let request = event.get("pull_request")?;
    let text = |path: &str| request.pointer(path).and_then(Value::as_str);
    Some(MergeRequest {
        number: request.get("number")?.as_u64()?,
        head: text("/head/sha").map(str::to_string),
        target: text("/base/ref")?.to_string(),
        // A fork that was deleted has no repository any more.
        is_fork: text("/head/repo/full_name").is_none_or(|head| Some(head) != text("/base/repo/full_name")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn run(variables: &[(&str, &str)], event: Value) -> CiRun {
        let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
        CiRun::of(&|name| variables.get(name).map(ToString::to_string), &|_| Some(event.clone()))
    }

    #[test]
    fn a_pull_request_of_github_is_read_from_the_event() {
        let event = |head: Value| {
            json!({"pull_request": {
                "number": 7, "base": {"ref": "main", "repo": {"full_name": "a/b"}}, "head": {"repo": head}
            }})
        };
        let variables = [("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_PATH", "/event.json")];
        let of = |head: Value| run(&variables, event(head)).request.unwrap();
        let own = of(json!({"full_name": "a/b"}));
        assert_eq!(own, MergeRequest { number: 7, head: None, target: "main".to_string(), is_fork: false });
        assert!(of(json!({"full_name": "c/b"})).is_fork);
        assert!(of(Value::Null).is_fork, "a fork that is gone");
        assert_eq!(run(&variables, json!({"ref": "refs/heads/main"})).request, None);
        // Without an event, the ref tells.
        let variables = [("GITHUB_ACTIONS", "true"), ("GITHUB_REF", "refs/pull/7/merge"), ("GITHUB_BASE_REF", "main")];
        let request = run(&variables, Value::Null).request.unwrap();
        assert_eq!((request.number, request.target.as_str()), (7, "main"));
        assert_eq!(run(&[variables[0], ("GITHUB_REF", "refs/heads/pull/7")], Value::Null).request, None);
    }

    #[test]
    fn a_merge_request_of_gitlab_is_read_from_variables() {
        let variables = [
            ("GITLAB_CI", "true"),
            ("CI_MERGE_REQUEST_IID", "3"),
            ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
            ("CI_MERGE_REQUEST_PROJECT_ID", "1"),
            ("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "2"),
        ];
        let request = run(&variables, Value::Null).request.unwrap();
        assert_eq!(request, MergeRequest { number: 3, head: None, target: "main".to_string(), is_fork: true });
        assert_eq!(run(&variables[..1], Value::Null).request, None);
        let commit = ("CI_COMMIT_SHA", "aa");
        let head = |more: &[(&str, &str)]| run(&[&variables[..], more].concat(), Value::Null).request.unwrap().head;
        assert_eq!(head(&[commit]).as_deref(), Some("aa"));
        assert_eq!(head(&[commit, ("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "bb")]).as_deref(), Some("bb"));
    }

    #[test]
    fn a_push_says_where_the_branch_was_before() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let github = |before: &str| {
            run(&[("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_PATH", "/e")], json!({"before": before})).before
        };
        let gitlab = |before: &str| run(&[("GITLAB_CI", "true"), ("CI_COMMIT_BEFORE_SHA", before)], Value::Null).before;
        for before in [&github as &dyn Fn(&str) -> Option<String>, &gitlab] {
            assert_eq!(before(commit).as_deref(), Some(commit));
            assert_eq!((before(&"0".repeat(40)), before("")), (None, None), "a new branch, or a run by hand");
        }
        let tag = run(&[("GITHUB_ACTIONS", "true"), ("GITHUB_REF", "refs/tags/v1")], Value::Null);
        assert_eq!((tag.branch, tag.tag.as_deref()), (None, Some("v1")));
    }

    #[test]
    fn the_variables_that_are_not_set_are_named() {
        let of = |variables: &[(&str, &str)]| run(variables, Value::Null).no_access();
        assert_eq!(of(&[("GITHUB_ACTIONS", "true"), ("GITHUB_REPOSITORY", "a/b")]), "GITHUB_TOKEN is not set");
        assert_eq!(of(&[("GITHUB_ACTIONS", "true")]), "GITHUB_REPOSITORY and GITHUB_TOKEN are not set");
        let gitlab =
            [("GITLAB_CI", "true"), ("CI_API_V4_URL", "https://gitlab.example/api/v4"), ("CI_PROJECT_ID", "1")];
        assert_eq!(of(&gitlab), "STABLEKEY_GITLAB_TOKEN is not set");
    }

    #[test]
    fn elsewhere_nothing_is_known() {
        let run = run(&[("CI", "true"), ("GITHUB_TOKEN", "x")], Value::Null);
        assert_eq!((run.system, run.request, run.branch), (None, None, None));
        assert!(run.access.is_none());
    }
}
