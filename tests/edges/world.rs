//! A root with two tenants, dev and prod, a sync that mirrors and prunes, one component, one connection and
//! one integration.

use crate::support::{self, files};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

pub struct Root {
    folder: TempDir,
}

/// What a command printed, and its exit code.
pub struct Said {
    pub code: i32,
    pub out: String,
    pub all: String,
}

pub const TENANTS: &str = "\
apiVersion: stablekey.dev/v1alpha1
kind: Tenant
metadata: {name: dev}
spec: {region: us, environment: dev, location: {directory: {path: dev}}}
---
apiVersion: stablekey.dev/v1alpha1
kind: Tenant
metadata: {name: prod}
spec:
  location: {directory: {path: prod}}
  acceptFrom: [dev]
  policy: {actions: [Create, Update, Delete]}
";

pub const SYNC: &str = "\
apiVersion: stablekey.dev/v1alpha1
kind: TenantSync
metadata: {name: up}
spec: {from: dev, to: [prod], integrations: [\"*\"], connections: Mirror, prune: true}
";

pub const COMPONENT: &str = "\
apiVersion: stablekey.dev/v1alpha1
kind: Component
metadata: {name: chat}
spec:
  key: chat
  types:
    - key: oauth2
      inputs:
        baseUrl: {required: true, endpoint: true}
        scopes: {}
        clientSecret: {required: true, secret: true}
";

/// A connection of the component.
pub fn connection(key: &str) -> String {
    format!(
        "apiVersion: stablekey.dev/v1alpha1\nkind: Connection\nmetadata: {{name: {key}}}\nspec:\n  stableKey: {key}\n  \
         title: Chat\n  component: {{key: chat}}\n  type: oauth2\n  credentials: OrganizationGlobal\n  inputs:\n    \
         baseUrl: {{value: \"https://chat.example\"}}\n    scopes: {{value: read}}\n    \
         clientSecret: {{secretRef: {{name: chat, key: clientSecret}}}}\n"
    )
}

/// An integration that is bound to a connection.
pub fn integration(name: &str, key: &str, more: &str) -> String {
    format!(
        "apiVersion: stablekey.dev/v1alpha1\nkind: Integration\nmetadata: {{name: {name}}}\nspec:\n  title: {name}\n  \
         connections:\n    - {{name: Chat, stableKey: {key}}}\n{more}"
    )
}

/// An exported definition of this version.
pub fn definition(name: &str, version: &str, key: &str) -> String {
    format!(
        "definitionVersion: {version}\nname: {name}\nrequiredConfigVars:\n  - {{key: Chat, dataType: connection, \
         useScopedConfigVar: {key}}}\nflows:\n  - name: F\n    steps:\n      - {{name: S, isTrigger: true, action: \
         {{key: x, component: {{key: chat, isPublic: true, version: 1}}}}, inputs: {{connection: {{type: configVar, \
         value: Chat}}}}}}\n"
    )
}

impl Root {
    /// Nothing yet.
    pub fn empty() -> Self {
        Root { folder: tempfile::tempdir().unwrap() }
    }

    /// The world of most tests.
    pub fn base() -> Self {
        Root::empty()
            .with("tenants.yaml", TENANTS)
            .with("syncs.yaml", SYNC)
            .with("dev/components/chat.yaml", COMPONENT)
            .with("prod/components/chat.yaml", COMPONENT)
            .with("dev/connections/chat-main.yaml", &connection("chat-main"))
            .with("dev/integrations/greet.yaml", &integration("greet", "chat-main", ""))
    }

    /// The same, once the sync was carried out.
    pub fn applied() -> Self {
        Root::base().apply()
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn with(self, path: &str, text: &str) -> Self {
        self.write(path, text);
        self
    }

    /// Replaces a part of a file.
    pub fn edit(self, path: &str, from: &str, to: &str) -> Self {
        let text = self.read(path);
        assert!(text.contains(from), "{path} has no {from}:\n{text}");
        self.write(path, &text.replacen(from, to, 1));
        self
    }

    pub fn link(self, target: &str, path: &str) -> Self {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
        self
    }

    pub fn without(self, path: &str) -> Self {
        let path = self.path().join(path);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap()
        } else {
            fs::remove_file(path).unwrap()
        }
        self
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub fn has(&self, path: &str) -> bool {
        self.path().join(path).symlink_metadata().is_ok()
    }

    /// Applies what needs no approval.
    pub fn apply(self) -> Self {
        let said = self.run(&["apply", "--yes"]);
        assert_eq!(said.code, 0, "{}", said.all);
        self
    }

    /// Every file of a folder.
    pub fn files(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        files(&self.path().join(folder))
    }

    pub fn run(&self, arguments: &[&str]) -> Said {
        let output = support::run(self.path(), arguments);
        let all = support::said(&output);
        Said { code: output.status.code().unwrap(), out: String::from_utf8_lossy(&output.stdout).into_owned(), all }
    }

    pub fn plan(&self) -> Said {
        self.run(&["plan"])
    }

    /// The plan as JSON.
    pub fn plan_json(&self) -> serde_json::Value {
        serde_json::from_str(&self.run(&["plan", "-o", "json"]).out).unwrap()
    }
}

impl Said {
    #[track_caller]
    pub fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{}", self.all);
        self
    }

    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        // A terminal's width breaks lines where it must.
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words(&self.all).contains(&words(text)), "it does not say {text:?}:\n{}", self.all);
        self
    }

    #[track_caller]
    pub fn does_not_say(&self, text: &str) -> &Self {
        assert!(!self.all.contains(text), "it says {text:?}:\n{}", self.all);
        self
    }
}

/// The ids of the actions of a plan.
pub fn actions(plan: &serde_json::Value) -> Vec<String> {
    let targets = plan["targets"].as_array().unwrap().iter();
    let actions = targets.flat_map(|target| target["actions"].as_array().unwrap());
    actions.map(|action| format!("{} {}", action["action"].as_str().unwrap(), action["id"].as_str().unwrap())).collect()
}
