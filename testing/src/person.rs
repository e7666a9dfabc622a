//! A person with an account in a hub's namespace, and the command line that the person runs.

use crate::cli::program;
use crate::hub::{TestEnv, kubectl};
use crate::project::CommandOutput;
use serde_json::Value;
use stablekey::kubernetes::role::approver_role;
use stablekey_clusters::{Namespace, run_with_input};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A person with an account in the hub's namespace.
pub struct Person {
    pub kubeconfigs: Vec<PathBuf>,
    pub user: String,
    /// The namespace of the hub.
    pub namespace: String,
}

impl Person {
    /// Creates a person with this Role and no other.
    pub fn with(namespace: &Namespace<'static>, name: &str, role: &str) -> Self {
        run_with_input(namespace.kubectl().args(["apply", "-f", "-"]), role).unwrap();
        let role = role.split("name: ").nth(1).unwrap().split(',').next().unwrap();
        kubectl(namespace, &["create", "serviceaccount", name]);
        let account = format!("--serviceaccount={}:{name}", namespace.name());
        kubectl(namespace, &["create", "rolebinding", name, &format!("--role={role}"), &account]);
        let token = namespace.cluster().token(namespace.name(), name).unwrap();
        Person {
            kubeconfigs: vec![namespace.cluster().kubeconfig_of(&token).unwrap()],
            user: format!("system:serviceaccount:{}:{name}", namespace.name()),
            namespace: namespace.name().to_string(),
        }
    }

    pub fn approver(env: &TestEnv) -> Self {
        Person::with(&env.us, "approver", &approver_role(env.us.name()))
    }

    /// Creates a person who may do everything in both clusters.
    pub fn administrator(env: &TestEnv) -> Self {
        let kubeconfigs = [&env.us, &env.eu].map(|namespace| namespace.cluster().kubeconfig().to_path_buf());
        Person { kubeconfigs: kubeconfigs.into(), user: String::new(), namespace: env.us.name().to_string() }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        let kubeconfig = std::env::join_paths(&self.kubeconfigs).unwrap();
        command.args(arguments).args(["-n", &self.namespace]).env("KUBECONFIG", kubeconfig).env("NO_COLOR", "1");
        command.stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> CommandOutput {
        CommandOutput::of(&self.command(arguments).output().unwrap())
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        let answer = self.run(&[arguments, &["-o", "json"]].concat());
        serde_json::from_str(&answer.out).unwrap_or_else(|error| panic!("{error}: {}", answer.words()))
    }
}
