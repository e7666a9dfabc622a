//! hack/release/dry-run, and the chart of its registry on a cluster.

use super::{Image, architecture, script, static_binary, tool};
use crate::tools::{error_of, helm, output_of};
use serde_json::Value;
use stablekey_clusters::{Cluster, Options, run};
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A registry on loopback, which ends when this is dropped.
struct Registry {
    process: Child,
    address: String,
}

impl Registry {
    fn start() -> Self {
        let mut serve = tool("crane");
        serve.args(["registry", "serve", "--address", "127.0.0.1:0"]).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut process = serve.spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let port =
            lines.find_map(|line| line.split_once("serving on port ").map(|(_, port)| port.to_string())).unwrap();
        // It logs each request.
        std::thread::spawn(move || lines.for_each(drop));
        Registry { process, address: format!("127.0.0.1:{port}") }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// "The chart pushed to and installed from a registry on loopback; signed and verified by key".
#[test]
fn every_step_that_needs_nothing_outside_is_carried_out() {
    let registry = Registry::start();
    let folder = tempfile::tempdir().unwrap();
    let release = folder.path().join("release");
    // The build that the other tests take.
    static_binary();
    // Somebody may commit meanwhile: what is compared has one time.
    let time = ("SOURCE_DATE_EPOCH", "1700000000");
    output_of(script("dry-run").arg("--debug").arg(&release).arg(&registry.address).env(time.0, time.1));

    let version = env!("CARGO_PKG_VERSION");
    let mut assets: Vec<String> = std::fs::read_dir(release.join("assets"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assets.sort();
    let rust = output_of(Command::new("rustc").arg("-vV"));
    let target = rust.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let named = |ending: &str| format!("stablekey-{version}-{target}{ending}");
    let chart = format!("stablekey-{version}.tgz");
    let sums = ["SHA256SUMS", "SHA256SUMS.sigstore.json"].map(str::to_string);
    assert_eq!(assets, [&sums[..], &[named(".cdx.json"), named(".tar.gz"), chart.clone()]].concat());
    let listed = output_of(Command::new("tar").arg("-tzf").arg(release.join("assets").join(named(".tar.gz"))));
    let files = ["", "CHANGELOG.md", "LICENSE", "README.md", "stablekey"].map(|file| format!("{}/{file}", named("")));
    assert_eq!(listed.lines().collect::<Vec<_>>(), files);

    let materials = std::fs::read_to_string(release.join("assets").join(named(".cdx.json"))).unwrap();
    let materials: Value = serde_json::from_str(&materials).unwrap();
    let names: Vec<_> =
        materials["components"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"rustls") && names.contains(&"kube"), "{names:?}");
    assert!(!names.contains(&"insta"), "what only tests need is in no release");

    // The chart twice: the same bytes.
    let again = folder.path().join("again");
    output_of(script("chart").arg(&again).env(time.0, time.1));
    assert!(std::fs::read(again.join(&chart)).unwrap() == std::fs::read(release.join(&chart)).unwrap());

    // The image by its name in the registry, for this architecture.
    let image = format!("{}/stablekey:{version}", registry.address);
    let config: Value = serde_json::from_str(&output_of(tool("crane").args(["config", &image]))).unwrap();
    assert_eq!(config["architecture"], architecture());

    let cluster = Cluster::start(&Options::named("released")).unwrap();
    let namespace = cluster.namespace("us-prod");
    let home = tempfile::tempdir().unwrap();
    let mut install = helm(home.path());
    install.args(["install", "stablekey", "--plain-http", "--version", version, "--namespace", namespace.name()]);
    install.arg(format!("oci://{}/charts/stablekey", registry.address)).env("KUBECONFIG", cluster.kubeconfig());
    output_of(&mut install);
    run(namespace.kubectl().args(["wait", "--for=condition=Established", "crd/connections.stablekey.dev"])).unwrap();
    let images = "--output=jsonpath={.items[*].spec.template.spec.containers[*].image}";
    let images = run(namespace.kubectl().args(["get", "deployments", images])).unwrap();
    assert_eq!(
        images,
        [format!("ghcr.io/stablekey/stablekey:{version}"), format!("ghcr.io/stablekey/stablekey:{version}")].join(" ")
    );
}

/// Returns hack/release/publish, which signs with the key of a folder.
fn publish(registry: &str, release: &Path, keys: &Path) -> Command {
    let mut publish = script("publish");
    publish.arg(registry).arg(release).env("SIGNING_KEY", keys.join("cosign.key"));
    for variable in ["DOCKER_CONFIG", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        publish.env(variable, keys);
    }
    publish.env("COSIGN_PASSWORD", "");
    publish
}

/// What the workflow pushes: an index of two images.
#[test]
fn what_was_built_is_published_once_and_signed() {
    let registry = Registry::start();
    let image = Image::of_two_architectures();
    let release = image.folder.path();
    output_of(script("chart").arg(release));
    let keys = tempfile::tempdir().unwrap();
    let cosign = || {
        let mut cosign = tool("cosign");
        cosign.current_dir(keys.path()).env("COSIGN_PASSWORD", "").env("DOCKER_CONFIG", keys.path());
        cosign
    };
    output_of(cosign().arg("generate-key-pair"));
    output_of(cosign().args(["trusted-root", "create", "--out", "roots.json"]));
    let publish = || publish(&registry.address, release, keys.path());

    let published = output_of(&mut publish());
    let references: Vec<&str> = published.lines().collect();
    let built = image.index()["manifests"][0]["digest"].as_str().unwrap().to_string();
    assert_eq!((references.len(), references[0]), (2, &*format!("{}/stablekey@{built}", registry.address)));
    for reference in &references {
        let mut verify = cosign();
        verify.args(["verify", "--key", "cosign.pub", "--trusted-root", "roots.json", "--insecure-ignore-tlog"]);
        output_of(verify.arg(reference));
    }
    output_of(tool("crane").args(["validate", "--remote", references[0]]));
    assert_eq!(output_of(&mut publish()), published);

    // Another index, with ours in it, has the tag; then another chart.
    let version = env!("CARGO_PKG_VERSION");
    let named = format!("{}/stablekey:{version}", registry.address);
    output_of(tool("crane").args(["index", "append", "--manifest", references[0], "--tag", &named]));
    let said = error_of(&mut publish());
    assert!(said.contains(&format!("{named} is there already, with other content")), "{said}");
    output_of(tool("crane").args(["tag", references[0], version]));
    assert_eq!(output_of(&mut publish()), published);
    let named = format!("{}/charts/stablekey:{version}", registry.address);
    output_of(tool("crane").args(["copy", references[0], &named]));
    let said = error_of(&mut publish());
    assert!(said.contains(&format!("{named} is there already, with other content")), "{said}");
}

#[test]
fn a_registry_that_does_not_answer_has_not_said_that_a_version_is_absent() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let image = Image::ours();
    output_of(script("chart").arg(image.folder.path()));
    let keys = tempfile::tempdir().unwrap();
    let said = error_of(&mut publish(&closed.to_string(), image.folder.path(), keys.path()));
    assert!(said.contains(&format!("cannot tell whether {closed}/stablekey:")), "{said}");
    assert!(said.contains("refused"), "{said}");
}

#[test]
fn a_folder_of_somebody_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    for path in ["letter", "assets/letter"] {
        let file = folder.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "dear").unwrap();
        let said = error_of(script("dry-run").arg("--debug").arg(folder.path()));
        assert!(said.contains("name a new or an empty folder"), "{said}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "dear");
        std::fs::remove_file(&file).unwrap();
    }
}
