//! Git as the source of two tenants in two clusters: how soon a merge is applied in both, and what polls cost that find
//! nothing new.

use crate::measure::{median, timed};
use crate::operator::process::Process;
use crate::operator::raw::{Client, connections};
use crate::operator::test_env::{LONG, apply, document, keys, new_value, policy};
use crate::report::{Figure, Machine, bytes, time};
use crate::{Outcome, generate, peers};
use serde_json::{Value, json};
use stablekey::api::{Kind, Resource, Source, TenantSpec};
use stablekey::controller::bearer::TokenFile;
use stablekey::controller::log::LogFormat;
use stablekey::controller::options::GitOptions;
use stablekey::controller::webhooks::WebhookOptions;
use stablekey::controller::{Options, Role};
use stablekey::engine::model::inventory::{TenantView, View, World};
use stablekey::engine::model::item::ObjectId;
use stablekey::engine::model::plan::Scope;
use stablekey::engine::plan::plan;
use stablekey::git::credentials::{CredentialKind, Credentials};
use stablekey::git::reference::Reference;
use stablekey::git::remote::{Access, Limits, Remote};
use stablekey::git::{Authorities, Proxies, Repository, Secret};
use stablekey::kubernetes::paths::Paths;
use stablekey::manifest::to_yaml;
use stablekey::tenant::directory::layout::{Folder, FolderLayout, FolderRole};
use stablekey::tenant::directory::overlay::Overlay;
use stablekey::tenant::directory::read::gather;
use stablekey::tenant::location::Snapshot;
use stablekey::tenant::prismatic::PlatformSettings;
use stablekey_clusters::{Namespace, shared_all};
use stablekey_testing::certificates::Authority;
use stablekey_testing::git_repository::{File, Files, GitRepository};
use stablekey_testing::git_server::{GitServer, PASSWORD, USER};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// In each of the two tenants, and how many of them a merge changes.
const RESOURCES: usize = 1_000;
const CHANGED: usize = 10;
/// Number of merges.
const MERGES: usize = 40;
/// The bars: of a merge, and beside its parts measured alone.
const SOON: Duration = Duration::from_secs(1);
const BAR: f64 = 2.0;
/// Number of polls without a change, over both tenants.
const POLLS: usize = 1_000;
/// The largest request of such a poll, with its answer, in bytes.
const SMALL: usize = 1_000;
/// How much more memory may be used after these polls.
const FLAT: f64 = 1.05;
const TENANTS: [&str; 2] = ["us", "eu"];
const TOKEN: &str = "a-token-of-webhooks";

/// Runs the operator, which the product's own program would not let read from this machine.
pub fn operator(arguments: &[&str]) -> Outcome<()> {
    let [namespace, host, folder, address] = arguments else { return Err("wrong arguments".into()) };
    let options = Options {
        notifications: None,
        roles: vec![Role::Syncer],
        lease_namespace: namespace.to_string(),
        namespaces: vec![namespace.to_string()],
        lease_duration: Duration::from_secs(15),
        listen: "127.0.0.1:0".parse()?,
        metrics_token: None,
        log_format: LogFormat::Json,
        log_level: tracing::Level::WARN,
        request_timeout: Duration::from_secs(30),
        resync: Duration::from_secs(600),
        delete_after: Duration::from_secs(30),
        tenant_limit: 48 << 20,
        pod_name: "bench".to_string(),
        platform: PlatformSettings::default(),
        git: GitOptions {
            hosts: vec![host.to_string()],
            folder: Path::new(folder).join("cache"),
            limits: Limits::default(),
            allows_loopback: true,
        },
        webhooks: Some(WebhookOptions {
            listen: address.parse()?,
            github: None,
            gitlab: Some(TokenFile::new(Path::new(folder).join("token"))),
            peers: None,
        }),
    };
    stablekey::controller::run(&options).map_err(|fault| fault.to_string().into())
}

/// Two tenants in two clusters, and their repository.
struct Merges {
    namespaces: [Namespace<'static>; 2],
    clients: [Client; 2],
    server: GitServer,
    repository: GitRepository,
    authority: Authority,
    files: Files,
    resources: BTreeMap<String, Resource>,
    keys: Vec<String>,
    folder: TempDir,
    webhooks: SocketAddr,
}

/// Runs all measurements of the group.
pub fn figures(machine: &mut Machine) -> Outcome<Vec<Figure>> {
    if peers::kubectl().is_none() {
        machine.left_out("Git as a source: go is not here to build a control plane");
        return Ok(Vec::new());
    }
    eprintln!("git: two tenants are prepared");
    let mut merges = Merges::prepare()?;
    let process = merges.start()?;
    merges.settle()?;
    eprintln!("git: {MERGES} merges");
    let mut took = merges.merges()?;
    took.sort_unstable();
    let most = took[(took.len() - 1) * 99 / 100];
    eprintln!("git: the parts of a merge alone");
    let alone = merges.alone()?;
    let half = median(took);
    let what = format!("merge of {CHANGED} changes → applied in two clusters of {RESOURCES} resources, by webhook");
    let against = format!("one fetch, one plan and the same {} PATCHes alone {}", 2 * CHANGED, time(alone));
    let mut figures = vec![
        Figure::of_time(format!("{what}, p99"), most, SOON),
        Figure::beside(format!("{what}, p50"), time(half), against, half.as_secs_f64() / alone.as_secs_f64(), BAR),
    ];
    eprintln!("git: {POLLS} polls");
    figures.extend(merges.polls(&process)?);
    Ok(figures)
}

impl Merges {
    fn prepare() -> Outcome<Self> {
        let [us, eu] = shared_all(["bench-us", "bench-eu"]);
        let folder = tempfile::tempdir()?;
        let authority = Authority::new();
        let server = GitServer::start(folder.path(), &authority);
        let resources = generate::resources(RESOURCES);
        let keys = keys(&resources).collect();
        let resources: BTreeMap<String, Resource> = resources
            .into_iter()
            .map(|resource| (format!("{}/{}.yaml", resource.kind().plural(), resource.metadata().name), resource))
            .collect();
        let mut merges = Merges {
            namespaces: [us.namespace("git"), eu.namespace("git")],
            clients: [Client::of(us)?, Client::of(eu)?],
            repository: GitRepository::new(&folder.path().join("tenants.git")),
            server,
            authority,
            files: Files::new(),
            resources,
            keys,
            webhooks: TcpListener::bind("127.0.0.1:0")?.local_addr()?,
            folder,
        };
        std::fs::write(merges.folder.path().join("token"), TOKEN)?;
        for (path, resource) in &merges.resources {
            let text = to_yaml(resource).map_err(|error| error.to_string())?;
            for tenant in TENANTS {
                merges.files.insert(format!("{tenant}/{path}"), File::Regular(text.clone().into_bytes()));
            }
        }
        merges.repository.commit("main", &merges.files);
        let [here, there] = &merges.namespaces;
        apply(there, &[document("Tenant", "eu", json!({"policy": policy()}))])?;
        let kubeconfig = std::fs::read_to_string(eu.kubeconfig())?;
        let secret = |name: &str, data: Value, annotations: Value| {
            let metadata = json!({"name": name, "annotations": annotations});
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data})
        };
        let source = |tenant: &str| {
            let url = merges.server.url("tenants.git");
            json!({"git": {"url": url, "branch": "main", "path": tenant, "interval": "24h", "secretRef": {"name": "git"}}})
        };
        let reference = json!({"secretRef": {"name": "kubeconfigs", "key": "eu"}});
        let location = json!({"kubernetes": {"namespace": there.name(), "kubeconfig": reference}});
        let credentials = json!({"username": USER, "password": PASSWORD, "ca.crt": merges.authority.pem});
        apply(
            here,
            &[
                secret("kubeconfigs", json!({"eu": kubeconfig}), json!({})),
                secret("git", credentials, json!({"stablekey.dev/hosts": merges.server.host()})),
                document("Tenant", "us", json!({"source": source("us"), "policy": policy()})),
                document("Tenant", "eu", json!({"source": source("eu"), "policy": policy(), "location": location})),
            ],
        )?;
        Ok(merges)
    }

    fn start(&self) -> Outcome<Process> {
        let folder = self.folder.path().display().to_string();
        let mut command = Command::new(std::env::current_exe()?);
        let (host, address) = (self.server.host(), self.webhooks.to_string());
        command.args(["--git-operator", self.namespaces[0].name(), &host, &folder, &address]);
        command.env("KUBECONFIG", self.namespaces[0].cluster().kubeconfig());
        Process::of(command)
    }

    /// Waits until both tenants are as the last commit declares.
    fn settle(&self) -> Outcome<()> {
        let head = self.repository.git(&["rev-parse", "main"]);
        let deadline = Instant::now() + LONG;
        for tenant in TENANTS {
            let path = Paths::of(self.namespaces[0].name()).object(&ObjectId::new(Kind::Tenant, tenant));
            loop {
                let status = self.clients[0].get(&path)?["status"].take();
                if status["source"]["applied"] == head {
                    break;
                }
                if Instant::now() > deadline {
                    return Err(format!("{tenant} is not as {head}: {status}").into());
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }

    /// Commits another value of some connections in both tenants; returns their names and the value.
    fn merge(&mut self, number: usize) -> Outcome<(Vec<String>, String)> {
        let value = new_value(number);
        let names: Vec<String> =
            (0..CHANGED).map(|at| self.keys[(number * CHANGED + at) % self.keys.len()].clone()).collect();
        for name in &names {
            let path = format!("connections/{name}.yaml");
            let Some(Resource::Connection(connection)) = self.resources.get_mut(&path) else {
                return Err(format!("there is no {path}").into());
            };
            let spec = &mut Arc::make_mut(connection).spec;
            spec.inputs.insert("stamp".into(), stablekey::api::Input::value(&value));
            let text = to_yaml(&Resource::Connection(connection.clone())).map_err(|error| error.to_string())?;
            for tenant in TENANTS {
                self.files.insert(format!("{tenant}/{path}"), File::Regular(text.clone().into_bytes()));
            }
        }
        self.repository.commit("main", &self.files);
        Ok((names, value))
    }

    /// Sends a webhook, as GitLab does.
    fn push(&self) -> Outcome<()> {
        let body = json!({"project": {"git_http_url": self.server.url("tenants.git")}}).to_string();
        let mut stream = TcpStream::connect(self.webhooks)?;
        write!(
            stream,
            "POST /gitlab HTTP/1.1\r\nHost: x\r\nX-Gitlab-Token: {TOKEN}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        if answer.starts_with("HTTP/1.1 202") { Ok(()) } else { Err(answer.into()) }
    }

    /// Returns how long each merge takes until both clusters report all of its changes.
    fn merges(&mut self) -> Outcome<Vec<Duration>> {
        let paths = [0, 1].map(|at| Paths::of(self.namespaces[at].name()));
        let (us, _first) = self.clients[0].watch(&paths[0], connections(&paths[0]))?;
        let (eu, _second) = self.clients[1].watch(&paths[1], connections(&paths[1]))?;
        let mut took = Vec::with_capacity(MERGES);
        for number in 0..MERGES {
            let (names, value) = self.merge(number)?;
            let merged = Instant::now();
            self.push()?;
            for told in [&us, &eu] {
                let mut missing = names.clone();
                while !missing.is_empty() {
                    let (name, now) = told.recv_timeout(LONG)?;
                    missing.retain(|missing| *missing != name || now != value);
                }
            }
            took.push(merged.elapsed());
            // Another merge within the same moment would be another measurement.
            self.settle()?;
        }
        Ok(took)
    }

    fn remote(&self, runtime: &tokio::runtime::Runtime) -> Outcome<Remote> {
        let secret = |text: &str| Secret::new(text.to_string());
        let access = Access {
            credentials: Some(Credentials {
                from: "the bench".to_string(),
                kind: CredentialKind::Password { username: secret(USER), password: secret(PASSWORD) },
                hosts: vec![self.server.host()],
            }),
            authorities: Some(Authorities::parse(self.authority.pem.as_bytes())?),
            proxies: Proxies::none(),
            limits: Limits::default(),
            allows_loopback: true,
        };
        Ok(Remote::new(&self.server.url("tenants.git"), access, runtime.handle().clone())?)
    }

    /// Returns how long a fetch, a plan, and the writes to both clusters take, each by itself.
    fn alone(&mut self) -> Outcome<Duration> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let remote = self.remote(&runtime)?;
        let (main, into) = (Reference::branch("main")?, self.folder.path().join("alone"));
        remote.fetch(&main, &into)?;
        let live = read(&into, &main.to_string(), &remote.fetch(&main, &into)?.to_string())?;
        let mut samples = Vec::new();
        for number in MERGES..MERGES + 10 {
            let (names, value) = self.merge(number)?;
            let (id, fetch) = timed(|| remote.fetch(&main, &into));
            let id = id?.to_string();
            let (planned, planning) = timed(|| -> Outcome<usize> {
                let source = read(&into, "main", &id)?;
                let spec = TenantSpec { source: Some(Source::of_path("us")), ..TenantSpec::default() };
                let view = TenantView {
                    spec,
                    live: View::Read(live.inventory.clone()),
                    source: Some(View::Read(source.inventory)),
                    recent: 0,
                    before: None,
                    resend: Default::default(),
                };
                let world = World { tenants: [("us".to_string(), view)].into(), ..World::default() };
                Ok(plan(&world, &Scope::default()).targets.len())
            });
            planned?;
            let (written, writing) = timed(|| self.write(&names, &value));
            written?;
            samples.push(fetch + planning + writing);
        }
        Ok(median(samples))
    }

    /// Writes what a merge changes, to both clusters at once.
    fn write(&self, names: &[String], value: &str) -> Outcome<()> {
        let patches = |namespace: &Namespace<'_>| -> Vec<(String, Value)> {
            let paths = Paths::of(namespace.name());
            let body = json!({"spec": {"inputs": {"stamp": {"value": value}}}});
            names.iter().map(|name| (paths.object(&ObjectId::new(Kind::Connection, name)), body.clone())).collect()
        };
        let [us, eu] = [0, 1].map(|at| (&self.clients[at], patches(&self.namespaces[at])));
        std::thread::scope(|scope| {
            let there = scope.spawn(|| eu.0.patch_all(&eu.1, CHANGED).map_err(|error| error.to_string()));
            us.0.patch_all(&us.1, CHANGED)?;
            there.join().map_err(|_| "a write panicked")??;
            Ok(())
        })
    }

    /// Returns what polls without a change cost.
    fn polls(&self, process: &Process) -> Outcome<Vec<Figure>> {
        self.push()?;
        std::thread::sleep(Duration::from_secs(3));
        self.server.take_seen();
        let marks = [0, 1].map(|at| self.namespaces[at].cluster().mark());
        let before = process.memory()?;
        let (mut polls, mut largest) = (0, 0);
        let deadline = Instant::now() + LONG;
        while polls < 2 * POLLS && Instant::now() < deadline {
            // As many as are accepted.
            self.push()?;
            std::thread::sleep(Duration::from_millis(210));
            for seen in self.server.take_seen() {
                polls += 1;
                largest = largest.max(seen.sent + seen.answered);
            }
        }
        if polls < 2 * POLLS {
            return Err(format!("there were {polls} requests of polls only").into());
        }
        let after = process.memory()?;
        let mut writes = 0;
        for (mark, namespace) in marks.into_iter().zip(&self.namespaces) {
            let requests = namespace.audit_since(mark?)?;
            writes += requests.iter().filter(|r| r.writes() && r.resource != "leases").count();
        }
        let what = format!("{POLLS} polls that find nothing new");
        Ok(vec![
            Figure::beside(
                format!("{what}: the largest request with its answer"),
                format!("{largest} B"),
                format!("at most {SMALL} B"),
                largest as f64 / SMALL as f64,
                1.0,
            ),
            Figure::beside(format!("{what}: writes"), writes.to_string(), "none".to_string(), writes as f64, 0.0),
            Figure::beside(
                format!("{what}: memory"),
                bytes(after),
                format!("before {}", bytes(before)),
                after as f64 / before as f64,
                FLAT,
            ),
        ])
    }
}

/// Reads the folder `us` of a commit.
fn read(repository: &Path, name: &str, id: &str) -> Outcome<Snapshot> {
    let repository = Repository::bare(repository).map_err(|error| format!("{name}: {error}"))?;
    let commit = repository.commit(id)?;
    let root = Path::new("");
    let tree = repository.files(&commit, root, root)?;
    let mut layout = FolderLayout::new(root, Overlay::nothing_over(tree));
    let folder = Folder { tenant: "us".to_string(), role: FolderRole::Source, path: "us".into() };
    layout.add(folder.clone());
    Ok(gather(layout.read(&folder).reading, &layout, "us"))
}
