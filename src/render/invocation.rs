//! The commands that output suggests: complete, so that they can be pasted.

use crate::engine::model::canonical::to_approve;
use crate::engine::model::field::Field;
use crate::engine::model::item::ObjectId;
use crate::engine::model::revert::Revert;
use crate::text::quoted;

/// The arguments of the current command that suggested commands repeat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    /// The root, unless it is the current folder.
    pub root: Option<String>,
    /// The arguments that narrow the plan: `["--tenant", "eu-prod"]`.
    pub narrowed: Vec<String>,
    /// Whether the current command is `apply`, which is then not suggested.
    pub is_apply: bool,
    /// The plan file that was written; it stores the scope of the plan.
    pub plan_file: Option<String>,
    /// The hub that is shown: its waiting plans are approved there.
    pub hub: Option<Hub>,
    /// What the current command puts back; it is run again to approve.
    pub revert: Option<Revert>,
    /// Whether `stablekey ci` runs: an approval is given to `ci apply`, and how is said once, at the end.
    pub in_pipeline: bool,
    /// Whether `stablekey ci apply` pushes what it writes.
    pub pushes: bool,
    /// The whole command that shows this plan, where that is not `stablekey plan` of the root.
    pub shown_by: Option<String>,
}

/// A hub, and the sync and target that output is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hub {
    /// The context, unless it is the current one.
    pub context: Option<String>,
    /// The namespace of the hub.
    pub namespace: String,
    /// The name of the sync.
    pub sync: String,
    /// The target of the sync.
    pub tenant: String,
}

impl Hub {
    /// The command `stablekey plan …`.
    pub fn plan(&self) -> String {
        let sync = ["--sync".to_string(), self.sync.clone(), "--tenant".to_string(), self.tenant.clone()];
        words(["plan".to_string()].into_iter().chain(self.at()).chain(sync))
    }

    /// The command `stablekey approve …`.
    pub fn approve(&self) -> String {
        let sync = [self.sync.clone(), "--tenant".to_string(), self.tenant.clone()];
        words(["approve".to_string()].into_iter().chain(sync).chain(self.at()))
    }

    /// The command `stablekey approve … --digest DIGEST`, which approves this digest without a question on a terminal.
    pub fn approve_digest(&self, digest: &str) -> String {
        format!("{} --digest {}", self.approve(), quoted(to_approve(digest)))
    }

    /// The command `stablekey explain …` for an object, including the target as read with a person's own context.
    pub fn explain_there(&self, name: &str) -> String {
        let name = ["explain".to_string(), name.to_string()];
        let target = ["--target".to_string(), format!("{}=CONTEXT", self.tenant)];
        words(name.into_iter().chain(self.at()).chain(target))
    }

    /// The command `stablekey status …` for the whole hub.
    pub fn status(&self) -> String {
        words(["status".to_string()].into_iter().chain(self.at()))
    }

    /// The command that requests a reconciliation of the sync.
    pub fn reconcile(&self) -> String {
        words(["reconcile".to_string(), self.sync.clone()].into_iter().chain(self.at()))
    }

    fn at(&self) -> Vec<String> {
        let context = self.context.iter().flat_map(|context| ["--context".to_string(), context.clone()]);
        context.chain(["-n".to_string(), self.namespace.clone()]).collect()
    }
}

impl Invocation {
    /// The same, of a command that shows its plan itself: its words before the root, and its own options.
    pub fn shown_by(self, command: &[&str], more: &[(&str, Option<&str>)]) -> Self {
        let options = more.iter().filter_map(|(option, value)| Some([option.to_string(), (*value)?.to_string()]));
        let parts = command.iter().map(ToString::to_string).chain(self.root.clone()).chain(self.narrowed.clone());
        let shown_by = Some(words(parts.chain(options.flatten())));
        Invocation { shown_by, ..self }
    }

    /// The command `stablekey plan …`.
    pub fn plan(&self) -> String {
        if let Some(shown_by) = &self.shown_by {
            return shown_by.clone();
        }
        self.hub.as_ref().map_or_else(|| self.over_root("plan", &[]), Hub::plan)
    }

    /// The command `stablekey apply …`.
    pub fn apply(&self) -> String {
        if let Some(hub) = &self.hub {
            return hub.approve();
        }
        match &self.plan_file {
            None => self.over_root("apply", &[]),
            Some(file) => {
                let file = ["--plan".to_string(), file.clone()];
                Invocation { narrowed: Vec::new(), ..self.clone() }.over_root("apply", &file)
            }
        }
    }

    /// The command `stablekey apply … --approve DIGEST`, with the first digits of the digest; in a pipeline `ci apply`, with
    /// all of them.
    ///
    /// `needs_others`: its actions wait for actions that it does not approve; `--yes` adds those that need no approval.
    pub fn approve(&self, digest: impl std::fmt::Display, needs_others: bool) -> String {
        if let Some(hub) = &self.hub {
            return hub.approve();
        }
        let digest = digest.to_string();
        if self.in_pipeline {
            // An author can make two changes whose digests begin alike: what approves in a pipeline is whole.
            let digest = ["--approve".to_string(), digest];
            let parts = ["ci", "apply"].map(str::to_string).into_iter().chain(self.root.clone());
            let push = self.pushes.then(|| "--push".to_string());
            return words(parts.chain(self.narrowed.clone()).chain(push).chain(digest));
        }
        let digest = ["--approve".to_string(), to_approve(&digest).to_string()];
        let yes = needs_others.then(|| "--yes".to_string());
        self.over_root("apply", &digest.into_iter().chain(yes).collect::<Vec<_>>())
    }

    /// The command `stablekey status …` without narrowing.
    pub fn status(&self) -> String {
        if let Some(hub) = &self.hub {
            return hub.status();
        }
        Invocation { narrowed: Vec::new(), ..self.clone() }.over_root("status", &[])
    }

    /// The command `stablekey revert TENANT KIND/NAME FIELD …`; `None` for a hub, which has no such command.
    pub fn revert(&self, tenant: &str, object: &ObjectId, field: Option<&str>) -> Option<String> {
        self.on_field("revert", tenant, object, field, &[])
    }

    /// The command `stablekey keep TENANT KIND/NAME FIELD --reason '…'`; `None` for a hub, which has no such command.
    pub fn keep(&self, tenant: &str, object: &ObjectId, field: Option<&str>) -> Option<String> {
        self.on_field("keep", tenant, object, field, &["--reason", "…"])
    }

    fn on_field(
        &self,
        command: &str,
        tenant: &str,
        object: &ObjectId,
        field: Option<&str>,
        more: &[&str],
    ) -> Option<String> {
        let object = object.to_string();
        let typed = [command, tenant, &object].into_iter().chain(field).map(str::to_string);
        let root = self.root.iter().flat_map(|root| ["-C".to_string(), root.clone()]);
        let typed = typed.chain(more.iter().map(ToString::to_string)).chain(root).chain(self.sources());
        self.hub.is_none().then(|| words(typed))
    }

    /// The options `--source TENANT=PATH` of the current command.
    fn sources(&self) -> impl Iterator<Item = String> {
        let pairs = self.narrowed.windows(2).filter(|pair| pair.first().is_some_and(|option| option == "--source"));
        pairs.flatten().cloned().collect::<Vec<_>>().into_iter()
    }

    /// The command `stablekey resume NAME …`, for a Tenant or a TenantSync.
    pub fn resume(&self, name: &str) -> String {
        match &self.hub {
            Some(hub) => words(["resume".to_string(), name.to_string()].into_iter().chain(hub.at())),
            None => self.edit(["resume", name]),
        }
    }

    /// A command that edits files: `stablekey set -C ROOT …`.
    pub fn edit<'a>(&self, words_of_command: impl IntoIterator<Item = &'a str>) -> String {
        let mut typed: Vec<String> = words_of_command.into_iter().map(str::to_string).collect();
        typed.extend(self.root.iter().flat_map(|root| ["-C".to_string(), root.clone()]));
        typed.extend(self.sources());
        words(typed.into_iter())
    }

    fn over_root(&self, command: &str, more: &[String]) -> String {
        if let (Some(Revert { tenant, object, field }), "apply") = (&self.revert, command) {
            let field = field.as_ref().map(Field::to_string);
            let more: Vec<&str> = more.iter().map(String::as_str).collect();
            if let Some(command) = self.on_field("revert", tenant, object, field.as_deref(), &more) {
                return command;
            }
        }
        let parts = [command.to_string()].into_iter().chain(self.root.clone()).chain(self.narrowed.clone());
        words(parts.chain(more.iter().cloned()))
    }
}

fn words(parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<String> = ["stablekey".to_string()].into_iter().chain(parts.map(|p| quoted(&p))).collect();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Kind;

    #[test]
    fn commands_can_be_pasted() {
        let narrowed = vec!["--integration".to_string(), "lead router".to_string()];
        let typed = Invocation { root: Some("examples/us-eu".into()), narrowed, ..Invocation::default() };
        assert_eq!(typed.apply(), "stablekey apply examples/us-eu --integration 'lead router'");
        assert_eq!(typed.status(), "stablekey status examples/us-eu");
        let written = Invocation { plan_file: Some("p.json".into()), ..typed.clone() };
        assert_eq!(written.apply(), "stablekey apply examples/us-eu --plan p.json");
        let object = ObjectId::new(Kind::Connection, "it's");
        assert_eq!(
            typed.revert("eu-prod", &object, Some("inputs.the scopes")).as_deref(),
            Some(r"stablekey revert eu-prod 'Connection/it'\''s' 'inputs.the scopes' -C examples/us-eu")
        );
        assert_eq!(
            typed.keep("eu-prod", &object, None).as_deref(),
            Some(r"stablekey keep eu-prod 'Connection/it'\''s' --reason '…' -C examples/us-eu")
        );
        let revert = Revert { tenant: "eu".into(), object: ObjectId::new(Kind::Connection, "crm"), field: None };
        let narrowed = ["--tenant", "eu", "--source", "eu=declared"].map(str::to_string).to_vec();
        let reverts = Invocation { revert: Some(revert), narrowed, ..Invocation::default() };
        assert_eq!(
            reverts.approve("sha256:00", false),
            "stablekey revert eu Connection/crm --approve sha256:00 --source eu=declared"
        );
        assert_eq!(reverts.plan(), "stablekey plan --tenant eu --source eu=declared");
        assert_eq!(Invocation::default().plan(), "stablekey plan");
        let job = Invocation { in_pipeline: true, ..typed.clone() };
        let job = job.shown_by(&["ci", "plan"], &[("--base", Some("main")), ("--head", None)]);
        assert_eq!(job.plan(), "stablekey ci plan examples/us-eu --integration 'lead router' --base main");
        assert_eq!(
            job.approve("sha256:00", true),
            "stablekey ci apply examples/us-eu --integration 'lead router' --approve sha256:00"
        );
        let hub = Hub { context: None, namespace: "hub".into(), sync: "us-to-eu".into(), tenant: "eu-prod".into() };
        assert_eq!(hub.plan(), "stablekey plan -n hub --sync us-to-eu --tenant eu-prod");
        assert_eq!(hub.approve(), "stablekey approve us-to-eu --tenant eu-prod -n hub");
        let hub = Hub { context: Some("us 1".into()), ..hub };
        assert_eq!(hub.approve(), "stablekey approve us-to-eu --tenant eu-prod --context 'us 1' -n hub");
        assert_eq!(hub.status(), "stablekey status --context 'us 1' -n hub");
        assert_eq!(
            hub.approve_digest("sha256:00"),
            "stablekey approve us-to-eu --tenant eu-prod --context 'us 1' -n hub --digest sha256:00"
        );
        assert_eq!(
            hub.explain_there("Connection/crm"),
            "stablekey explain Connection/crm --context 'us 1' -n hub --target eu-prod=CONTEXT"
        );
        assert_eq!(hub.reconcile(), "stablekey reconcile us-to-eu --context 'us 1' -n hub");
    }
}
