//! The commands that a page tells a person to type: exact, so that they can be pasted.

use crate::engine::model::canonical::short;
use crate::engine::model::item::ObjectId;

/// What the person typed, in so far as the next command needs it too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    /// The root, where it is not the current folder.
    pub root: Option<String>,
    /// What the plan was narrowed to, as arguments: `["--tenant", "eu-prod"]`.
    pub narrowed: Vec<String>,
    /// Whether `apply` is what was typed: then nobody needs to be told to type it.
    pub is_apply: bool,
    /// The plan file that was written: the plan itself says to what it is narrowed.
    pub plan_file: Option<String>,
    /// The hub that is looked at: what waits there is approved there.
    pub hub: Option<Hub>,
}

/// A hub, and which of its syncs a page speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hub {
    /// The context, where it is not the current one.
    pub context: Option<String>,
    /// The namespace.
    pub namespace: String,
    /// The sync.
    pub sync: String,
    /// Its target.
    pub tenant: String,
}

impl Hub {
    /// `stablekey plan …`.
    pub fn plan(&self) -> String {
        let sync = ["--sync".to_string(), self.sync.clone(), "--tenant".to_string(), self.tenant.clone()];
        words(["plan".to_string()].into_iter().chain(self.at()).chain(sync))
    }

    /// `stablekey approve …`.
    pub fn approve(&self) -> String {
        let sync = [self.sync.clone(), "--tenant".to_string(), self.tenant.clone()];
        words(["approve".to_string()].into_iter().chain(sync).chain(self.at()))
    }

    /// `stablekey approve … --digest DIGEST`: approves that, and asks nothing where there is no terminal.
    pub fn approve_digest(&self, digest: &str) -> String {
        format!("{} --digest {}", self.approve(), quoted(short(digest)))
    }

    /// `stablekey explain …`, of something, also as a person's own context reads the target.
    pub fn explain_there(&self, name: &str) -> String {
        let name = ["explain".to_string(), name.to_string()];
        let target = ["--target".to_string(), format!("{}=CONTEXT", self.tenant)];
        words(name.into_iter().chain(self.at()).chain(target))
    }

    /// `stablekey status …`, of all of the hub.
    pub fn status(&self) -> String {
        words(["status".to_string()].into_iter().chain(self.at()))
    }

    /// The command that has the syncer look at the sync now.
    pub fn reconcile(&self) -> String {
        let context = self.context.iter().map(|context| format!(" --context {}", quoted(context)));
        let (context, namespace, sync) = (context.collect::<String>(), quoted(&self.namespace), quoted(&self.sync));
        let now = r#"stablekey.dev/requestedAt="$(date +%s)""#;
        format!("kubectl{context} annotate --overwrite -n {namespace} tenantsync {sync} {now}")
    }

    fn at(&self) -> Vec<String> {
        let context = self.context.iter().flat_map(|context| ["--context".to_string(), context.clone()]);
        context.chain(["-n".to_string(), self.namespace.clone()]).collect()
    }
}

impl Invocation {
    /// `stablekey plan …`.
    pub fn plan(&self) -> String {
        self.hub.as_ref().map_or_else(|| self.over_root("plan", &[]), Hub::plan)
    }

    /// `stablekey apply …`.
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

    /// `stablekey apply … --approve DIGEST`, with the first digits of the digest.
    pub fn approve(&self, digest: impl std::fmt::Display) -> String {
        if let Some(hub) = &self.hub {
            return hub.approve();
        }
        self.over_root("apply", &["--approve".to_string(), short(&digest.to_string()).to_string()])
    }

    /// `stablekey status …`, of everything.
    pub fn status(&self) -> String {
        if let Some(hub) = &self.hub {
            return hub.status();
        }
        Invocation { narrowed: Vec::new(), ..self.clone() }.over_root("status", &[])
    }

    /// `stablekey adopt … TENANT KIND/NAME`; `None` on a hub, where there is no such command.
    pub fn adopt(&self, tenant: &str, object: &ObjectId) -> Option<String> {
        let root = self.root.iter().flat_map(|root| ["--root".to_string(), root.clone()]);
        let typed = ["adopt".to_string()].into_iter().chain(root).chain([tenant.to_string(), object.to_string()]);
        self.hub.is_none().then(|| words(typed))
    }

    fn over_root(&self, command: &str, more: &[String]) -> String {
        let parts = [command.to_string()].into_iter().chain(self.root.clone()).chain(self.narrowed.clone());
        words(parts.chain(more.iter().cloned()))
    }
}

fn words(parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<String> = ["stablekey".to_string()].into_iter().chain(parts.map(|p| quoted(&p))).collect();
    parts.join(" ")
}

/// As a shell reads it as one word.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
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
            typed.adopt("eu-prod", &object).as_deref(),
            Some(r"stablekey adopt --root examples/us-eu eu-prod 'Connection/it'\''s'")
        );
        assert_eq!(Invocation::default().plan(), "stablekey plan");
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
        assert_eq!(
            hub.reconcile(),
            r#"kubectl --context 'us 1' annotate --overwrite -n hub tenantsync us-to-eu stablekey.dev/requestedAt="$(date +%s)""#
        );
    }
}
