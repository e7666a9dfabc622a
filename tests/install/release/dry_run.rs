//! hack/release/dry-run, and the chart of its registry on a cluster.

use super::{architecture, script, static_binary, tool};
use crate::tools::{helm, output_of};
use serde_json::Value;
use stablekey_clusters::{Cluster, Options, run};
use std::io::{BufRead as _, BufReader};
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
    output_of(script("dry-run").arg("--debug").arg(&release).arg(&registry.address));

    let version = env!("CARGO_PKG_VERSION");
    let mut assets: Vec<String> = std::fs::read_dir(release.join("assets"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assets.sort();
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
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
    output_of(script("chart").arg(&again));
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
