//! Tenants on the platform: the real command, and fakes of the platform over HTTP.

mod doctor;
mod drift;
mod handover;
mod https;
mod import;
mod laws;
mod location;
mod reading;
mod shapes;
mod stored;
mod switches;
mod tokens;
mod writing;

use stablekey_platform::{Platform, Region, Server, Switches, seed};
use stablekey_testing::certificates::Certificate;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// The secrets that the fakes hold: none may be in what a command prints or writes.
const SECRETS: [&str; 11] = [
    "us-client-secret",
    "eu-client-secret",
    "slack-client-secret",
    "slack-personal-secret",
    "us-erp-secret",
    "eu-erp-secret",
    "warehouse-secret",
    "billing-secret",
    "status-secret",
    "internal-client-secret",
    "test-erp-secret",
];

/// A stack with an organization of every kind of connection.
pub fn every_kind(region: Region) -> Server {
    with(region, Switches::default())
}

/// The same over TLS.
pub fn every_kind_over_tls(region: Region, certificate: &Certificate) -> Server {
    let builder = Server::builder(Platform::new(seed::every_kind(region).unwrap()));
    let builder = builder.token("CANARY-access").refresh_token("CANARY-refresh");
    builder.tls(&certificate.pem, &certificate.key).start().unwrap()
}

pub fn with(region: Region, switches: Switches) -> Server {
    let store = seed::every_kind(region).unwrap();
    started(Platform::new(store).switches(switches))
}

pub fn started(platform: Platform) -> Server {
    Server::builder(platform).token("CANARY-access").refresh_token("CANARY-refresh").start().unwrap()
}

/// A project, and the home folder of who runs it.
pub struct Workplace {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Workplace {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("ours")).unwrap();
        fs::create_dir_all(folder.path().join("home/.config/prism")).unwrap();
        Workplace { folder, variables: Vec::new() }
    }

    /// With a profile of prism's per stack, logged in by a refresh token.
    pub fn with_profiles(profiles: &[(&str, &Server)]) -> Self {
        let workplace = Workplace::new();
        let profiles: String = profiles
            .iter()
            .map(|(name, server)| {
                let (url, token) = (server.url(), server.refresh_token());
                format!(
                    "  {name}: {{accessToken: \"\", refreshToken: {token}, expiresIn: 604800, scope: x, tokenType: Bearer, \
                     prismaticUrl: \"{url}\"}}\n"
                )
            })
            .collect();
        let text = format!("version: 1\nprofiles:\n{profiles}");
        fs::write(workplace.home().join(".config/prism/config.yml"), text).unwrap();
        workplace
    }

    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_string(), value.to_string()));
        self
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().join("ours")
    }

    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap()
    }

    /// Replaces a text in a file, which must have it.
    pub fn replace(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "{path} has no {from:?}:\n{text}");
        self.write(path, &text.replace(from, to));
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(stablekey_testing::cli::program());
        command
            .args(arguments)
            .current_dir(self.root())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home())
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs a command, and checks that it prints and writes no secret and no token.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().unwrap();
        let ran = Ran::of(arguments, &output);
        for secret in SECRETS.iter().chain(&["CANARY"]) {
            assert!(!ran.text.contains(secret), "{arguments:?} prints {secret}:\n{}", ran.text);
            for folder in [self.root(), self.home().join(".cache"), self.home().join(".local")] {
                let found = holds(&folder, secret);
                assert!(found.is_none(), "{arguments:?} writes {secret} into {found:?}");
            }
        }
        ran
    }

    /// Imports a tenant from a stack, by the profile of prism's with this name.
    pub fn import(&self, tenant: &str, server: &Server, profile: &str) -> Ran {
        let url = server.url();
        self.run(&["import", "--tenant", tenant, "--from", &url, "--profile", profile, "--allow-loopback"])
    }

    /// The record of a tenant, in the state folder.
    pub fn record(&self, tenant: &str) -> serde_json::Value {
        serde_json::from_slice(&fs::read(self.record_file(tenant)).unwrap()).unwrap()
    }

    /// Changes the record of a tenant.
    pub fn edit_record(&self, tenant: &str, edit: impl FnOnce(&mut serde_json::Value)) {
        let mut record = self.record(tenant);
        edit(&mut record);
        fs::write(self.record_file(tenant), serde_json::to_string_pretty(&record).unwrap() + "\n").unwrap();
    }

    fn record_file(&self, tenant: &str) -> PathBuf {
        let records = self.home().join(".local/state/stablekey/records");
        let mut folders = fs::read_dir(records).unwrap().map(|folder| folder.unwrap().path());
        folders.find_map(|folder| Some(folder.join(format!("{tenant}.json"))).filter(|file| file.is_file())).unwrap()
    }

    /// Lets the Tenant have its secrets in a folder, with these: name/key and content.
    pub fn secrets(&self, tenant: &str, secrets: &[(&str, &str)]) {
        let tenants = self.read("tenants.yaml");
        let with_folder = |document: &str| {
            let is_meant = document.contains(&format!("name: {tenant}\n")) && !document.contains("secrets:");
            let folder = format!("      secrets: {{directory: secrets/{tenant}}}\n      tokenFrom:");
            if is_meant { document.replacen("      tokenFrom:", &folder, 1) } else { document.to_string() }
        };
        let documents: Vec<String> = tenants.split("---\n").map(with_folder).collect();
        self.write("tenants.yaml", &documents.join("---\n"));
        for (name, content) in secrets {
            self.write(&format!("secrets/{tenant}/{name}"), content);
        }
    }

    /// The digest of a writer's actions in a tenant.
    pub fn digest(&self, tenant: &str, writer: &str) -> String {
        let output = self.command(&["plan", "--allow-loopback", "-o", "json"]).output().unwrap();
        let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let targets = plan["targets"].as_array().unwrap();
        let target = targets.iter().find(|target| target["tenant"] == tenant).unwrap();
        target["digests"][writer].as_str().unwrap().to_string()
    }

    pub fn plan(&self, more: &[&str]) -> Ran {
        self.run(&[&["plan", "--allow-loopback"], more].concat())
    }
}

/// A file below a folder that contains a text.
fn holds(folder: &Path, text: &str) -> Option<PathBuf> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let found = if path.is_dir() {
            holds(&path, text)
        } else {
            let bytes = fs::read(&path).unwrap_or_default();
            bytes.windows(text.len()).any(|part| part == text.as_bytes()).then(|| path.clone())
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// What a command did.
pub struct Ran {
    arguments: String,
    /// Standard output and standard error.
    pub text: String,
    code: Option<i32>,
}

impl Ran {
    fn of(arguments: &[&str], output: &Output) -> Self {
        let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
        Ran { arguments: arguments.join(" "), text, code: output.status.code() }
    }

    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stablekey {}\n{}", self.arguments, self.text);
        self
    }

    /// The words may be broken over lines.
    pub fn prints(self, text: &str) -> Self {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words(&self.text).contains(&words(text)), "{}: no {text:?} in\n{}", self.arguments, self.text);
        self
    }

    pub fn does_not_print(self, text: &str) -> Self {
        assert!(!self.text.contains(text), "{}: {text:?} in\n{}", self.arguments, self.text);
        self
    }
}
