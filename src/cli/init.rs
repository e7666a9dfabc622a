//! `stablekey init`.

use super::CommandFailure;
use super::asking::{Asking, Missing};
use super::commits::ProjectRepository;
use super::edit::EditOptions;
use super::new::tenant::PlaceOptions;
use super::output::{Output, OutputFormat};
use crate::api::TokenFrom;
use crate::author::tenant::{NewTenant, Whereabouts, said_by_name, token_variable};
use crate::author::{Draft, Edited, project as new_project};
use crate::engine::model::code::{Code, Severity};
use crate::engine::model::finding::Finding;
use crate::manifest::editor;
use crate::project::Project;
use crate::render::{self, Invocation, JsonLayout};
use crate::tenant::directory::disk::RealDisk;
use crate::text::{count, quoted};
use clap::{Args, ValueEnum};
use std::path::{Component as PathPart, PathBuf};

/// Start a project: its tenants, their folders, a README, an editor's settings, and checks in CI
///
/// Examples:
///   stablekey init --tenant us-prod --tenant eu-prod
///   stablekey init connections --location platform --ci github \
///     --tenant us-prod=https://app.prismatic.io \
///     --tenant eu-prod=https://app.eu-west-1.prismatic.io
///   stablekey init --location kubernetes --tenant us-prod=us --namespace hub
///   stablekey init --tenant dev --tenant prod --ci github --forks \
///     --promote dev:prod
///   stablekey init --ci gitlab
///
/// In a project that is there, --ci without --tenant writes the files of CI only.
/// No file is overwritten: where one is there already, it is named, and nothing is written. Afterwards `stablekey plan`
/// works; on the platform, log in first: prism login.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Init {
    /// The folder of the project; by default the current one
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// A tenant; WHERE is its folder, the context of its cluster, or the stack of its organization (repeatable)
    #[arg(long = "tenant", value_name = "NAME[=WHERE]")]
    tenants: Vec<String>,
    #[command(flatten)]
    place: PlaceOptions,
    /// Write the plan of pull requests and the apply after a merge: github (workflows) or gitlab (jobs)
    #[arg(long, value_name = "SYSTEM", hide_possible_values = true)]
    ci: Option<CiSystem>,
    /// With --ci github: plan pull requests of forks too, which have no secrets, with a stored snapshot
    #[arg(long, requires = "ci")]
    forks: bool,
    /// With --ci: open a pull request by schedule that promotes the integrations of one tenant to another
    #[arg(long, value_name = "FROM:TO", requires = "ci")]
    promote: Option<String>,
    /// Leave out a file that is there already, such as README.md (repeatable)
    #[arg(long, value_name = "FILE")]
    skip: Vec<String>,
    #[command(flatten)]
    edit: EditOptions,
}

/// A system that runs checks of pull requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CiSystem {
    Github,
    Gitlab,
}

impl Init {
    pub(super) fn run(mut self, output: &mut Output) -> Result<u8, CommandFailure> {
        if self.edit.output == OutputFormat::Markdown {
            return Err(CommandFailure::new("an edit has no Markdown form", "give -o text or -o json"));
        }
        if let Some(folder) = self.folder.take() {
            self.edit.root.root = folder;
        }
        if self.tenants.is_empty() && self.ci.is_some() && self.edit.root.root.is_dir() {
            let project = self.edit.open_new()?;
            if !project.has_no_tenant {
                return self.add_pipeline(&project, output);
            }
        }
        if self.tenants.is_empty() {
            self.ask(&Asking::open(&self.edit, output))?;
        }
        let tenants = self.new_tenants()?;
        let root = &self.edit.root.root;
        if root.symlink_metadata().is_ok() && !root.is_dir() {
            let message = format!("{} is no folder", root.display());
            return Err(CommandFailure::new(message, "give the folder of the project: stablekey init DIR"));
        }
        let project = self.edit.open_new()?;
        let pipeline = self.pipeline()?;
        let mut draft = Draft::new(&project);
        new_project::start(&mut draft, &tenants, pipeline.as_ref(), &self.skip)?;
        let edited = draft.finish()?;
        // Without a login, or a cluster that can be reached, the files are right all the same.
        let is_wrong =
            |finding: &&Finding| finding.severity == Severity::Error && finding.code != Code::TenantUnreachable;
        if let (Some(first), false) = (edited.after.findings.iter().find(is_wrong), self.edit.force) {
            return Err(CommandFailure::new(
                format!("{}: {}; nothing was written", first.code, first.text),
                &first.fix,
            ));
        }
        self.write(&edited, || self.next(&tenants), output)
    }

    /// Adds what runs Stablekey for pull requests and after a merge to a project that is there.
    fn add_pipeline(&self, project: &Project, output: &mut Output) -> Result<u8, CommandFailure> {
        let Some(pipeline) = self.pipeline()? else { return Ok(0) };
        let mut draft = Draft::new(project);
        new_project::add_pipeline(&mut draft, &pipeline, &self.skip)?;
        self.write(
            &draft.finish()?,
            || {
                let accepts = pipeline.promote.as_ref().map(|(from, to)| {
                    let accepted = project.tenants.get(to).is_some_and(|tenant| tenant.spec.accept_from.contains(from));
                    match accepted {
                        true => String::new(),
                        false => format!(
                            "{to} does not accept what is promoted from {from}: add it to acceptFrom of its Tenant.\n"
                        ),
                    }
                });
                let plan = Invocation { root: self.edit.root.typed(), ..Invocation::default() }.plan();
                format!("{}{}Next: {plan}\n", accepts.unwrap_or_default(), self.misplaced().unwrap_or_default())
            },
            output,
        )
    }

    /// Writes the files, and says so.
    fn write(&self, edited: &Edited, next: impl FnOnce() -> String, output: &mut Output) -> Result<u8, CommandFailure> {
        if !self.edit.dry_run {
            edited.write(&RealDisk)?;
        }
        if self.edit.output == OutputFormat::Json {
            let json = render::edit_json(edited, !self.edit.dry_run);
            let text = render::json(&json, JsonLayout::Pretty)
                .map_err(|error| CommandFailure::new(error.to_string(), "internal error: report it"))?;
            output.result(&text)?;
            return Ok(0);
        }
        let files: Vec<String> = edited.files.iter().map(|file| format!("  {}\n", file.path.display())).collect();
        let count = count(files.len(), "file", "files");
        let (head, tail) = match self.edit.dry_run {
            true => (format!("{count} would be written:\n"), "Nothing was written (--dry-run).\n".to_string()),
            false => (format!("{count} written:\n"), next()),
        };
        output.result(&format!("{head}{}{tail}", files.concat()))?;
        Ok(0)
    }

    /// What runs Stablekey for pull requests and after a merge.
    fn pipeline(&self) -> Result<Option<new_project::Pipeline>, CommandFailure> {
        let Some(system) = self.ci else { return Ok(None) };
        let ci = match system {
            CiSystem::Github => new_project::Ci::GitHub,
            CiSystem::Gitlab => new_project::Ci::GitLab,
        };
        let split = |given: &String| given.split_once(':').map(|(from, to)| (from.to_string(), to.to_string()));
        let promote = self.promote.as_ref().map(|given| {
            let help = "give the tenant to copy and the one whose manifests change: --promote FROM:TO";
            split(given).ok_or_else(|| CommandFailure::new(format!("--promote {given} names one tenant"), help))
        });
        Ok(Some(new_project::Pipeline { ci, forks: self.forks, promote: promote.transpose()? }))
    }

    /// Asks for the tenants, where each is, and the checks.
    fn ask(&mut self, asking: &Asking) -> Result<(), CommandFailure> {
        if !asking.is_open() {
            let help = "name each: stablekey init --tenant us-prod --tenant eu-prod";
            return Err(CommandFailure::new("no tenant is given", help));
        }
        let missing = |what| Missing { what, help: "stablekey init --tenant us-prod --tenant eu-prod" };
        let question = "Names of the tenants, separated by blanks";
        let names = asking.text(None, question, Some("us-prod eu-prod"), &missing("the tenants"))?;
        let names: Vec<&str> = names.split([' ', ',']).filter(|name| !name.is_empty()).collect();
        if self.place.location.is_none() && self.place.url.is_none() {
            self.place.ask(asking, names.first().copied().unwrap_or_default())?;
        }
        // Each organization is on a stack of its own.
        let stack = self.place.url.take();
        for (position, name) in names.iter().enumerate() {
            self.tenants.push(match &stack {
                None => (*name).to_string(),
                Some(url) if position == 0 => format!("{name}={url}"),
                Some(url) => {
                    let question = format!("Stack of the organization of {name}");
                    format!("{name}={}", asking.text(None, &question, Some(url), &missing("the stack"))?)
                }
            });
        }
        if self.ci.is_none() {
            let question = "Which system checks pull requests";
            let chosen = asking.choice(None, question, "", &["none", "github", "gitlab"], &missing("the system"))?;
            self.ci = CiSystem::from_str(&chosen, true).ok();
        }
        Ok(())
    }

    fn next(&self, tenants: &[NewTenant]) -> String {
        let root = self.edit.root.typed();
        let plan = Invocation { root: root.clone(), ..Invocation::default() }.plan();
        let mut lines = Vec::new();
        let at = root.map(|root| format!(" -C {}", quoted(&root))).unwrap_or_default();
        for tenant in tenants {
            if let Whereabouts::Platform { token_from, .. } = &tenant.whereabouts {
                lines.push(match token_from {
                    Some(TokenFrom::Profile(profile)) => format!("  prism login --profile {profile}"),
                    Some(TokenFrom::Env(variable)) => format!("  export {variable}=…"),
                    Some(TokenFrom::SecretRef(_)) | None => "  prism login".to_string(),
                });
                lines.push(format!("  stablekey import{at} --tenant {}", tenant.name));
            }
        }
        if self.edit.root.root.join(editor::SETTINGS).is_file() && !self.edit.root.root.join(editor::SCHEMA).exists() {
            lines.push(format!("  stablekey schema --vscode{at}"));
        }
        let next = match lines.is_empty() {
            true => format!("Next: {plan}\n"),
            false => format!("Next:\n{}\n  {plan}\n", lines.join("\n")),
        };
        format!("{}{}{next}", self.accepts(), self.misplaced().unwrap_or_default())
    }

    /// What a promotion by schedule may do.
    fn accepts(&self) -> String {
        match self.promote.as_deref().and_then(|promote| promote.split_once(':')) {
            Some((from, to)) => format!("{to} accepts what is promoted from {from}: acceptFrom in tenants.yaml.\n"),
            None => String::new(),
        }
    }

    /// Where the files of CI must go, if the project is no whole repository: the systems read them at its root only.
    fn misplaced(&self) -> Option<String> {
        let (system, files) = match self.ci? {
            CiSystem::Github => ("GitHub", ".github/workflows"),
            CiSystem::Gitlab => ("GitLab", ".gitlab-ci.yml"),
        };
        let root = &self.edit.root.root;
        let repository = ProjectRepository::around(root).ok()?;
        let below = repository.root_in_it();
        if below.components().all(|part| part == PathPart::CurDir) {
            return None;
        }
        let (at, below) = (root.join(files), below.display().to_string());
        Some(format!(
            "{system} reads {files} at the root of the repository only: move {} there, and give each stablekey command in it \
             the folder of the project: -C {}\n",
            at.display(),
            quoted(&below)
        ))
    }

    fn new_tenants(&self) -> Result<Vec<NewTenant>, CommandFailure> {
        let mut tenants: Vec<NewTenant> = Vec::new();
        let kind = self.place.kind(self.tenants.iter().any(|tenant| tenant.contains("://")));
        for given in &self.tenants {
            let (name, place) = given.split_once('=').map_or((given.as_str(), None), |(name, at)| (name, Some(at)));
            if tenants.iter().any(|other| other.name == name) {
                return Err(CommandFailure::new(format!("--tenant {name} is given twice"), "give it once"));
            }
            let whereabouts = self.place.whereabouts(kind, name, place)?;
            let (region, environment) = said_by_name(name);
            tenants.push(NewTenant {
                name: name.to_string(),
                whereabouts: self.with_token(whereabouts, name)?,
                source: None,
                region,
                environment,
                accept_from: Vec::new(),
            });
        }
        // Without it the promotion that is scheduled would be refused.
        if let Some((from, to)) = self.promote.as_deref().and_then(|promote| promote.split_once(':')) {
            let target = tenants.iter_mut().find(|tenant| tenant.name == to && from != to);
            target.into_iter().for_each(|target| target.accept_from.push(from.to_string()));
        }
        Ok(tenants)
    }

    /// Each of several tenants on the platform has a token of its own: in CI a variable, else a profile of prism.
    fn with_token(&self, whereabouts: Whereabouts, name: &str) -> Result<Whereabouts, CommandFailure> {
        let Whereabouts::Platform { url, tenant_id, token_from } = whereabouts else { return Ok(whereabouts) };
        let is_one = self.tenants.len() == 1;
        if token_from.is_some() && !is_one {
            let message = "--profile and --token-env are for one tenant";
            return Err(CommandFailure::new(message, "leave it out: each tenant gets a token of its own name"));
        }
        let token_from = token_from.or_else(|| match (is_one, self.ci) {
            (true, _) => None,
            (false, Some(_)) => Some(TokenFrom::Env(token_variable(name))),
            (false, None) => Some(TokenFrom::Profile(name.to_string())),
        });
        Ok(Whereabouts::Platform { url, tenant_id, token_from })
    }
}
