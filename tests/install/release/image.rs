//! The image that hack/release/image writes.

use super::{Image, architecture, script, static_binary, tool};
use crate::tools::{error_of, output_of};
use serde_json::json;
use std::path::Path;
use std::process::Command;

#[test]
fn it_has_the_binary_and_public_authorities_and_nothing_else() {
    let image = Image::ours();
    let index = image.index();
    let name = format!("ghcr.io/stablekey/stablekey:{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(index["manifests"].as_array().unwrap().len(), 1);
    let descriptor = &index["manifests"][0];
    assert_eq!(descriptor["annotations"]["io.containerd.image.name"], name);
    assert_eq!(descriptor["platform"], json!({"architecture": architecture(), "os": "linux"}));

    let config = image.json(&image.json(descriptor)["config"]);
    assert_eq!((&config["os"], &config["architecture"]), (&json!("linux"), &json!(architecture())));
    let container = &config["config"];
    assert_eq!(container["User"], "65532:65532");
    assert_eq!(container["Entrypoint"], json!(["/stablekey"]));
    assert_eq!(container["Env"], json!(null), "nothing of the machine that built it");
    let label = |name: &str| container["Labels"][format!("org.opencontainers.image.{name}")].as_str().unwrap();
    assert_eq!(label("version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(label("licenses"), env!("CARGO_PKG_LICENSE"));
    assert_eq!(label("source"), env!("CARGO_PKG_REPOSITORY"));
    assert!(label("revision").len() >= 40, "{}", label("revision"));

    let list = |layer: &Path| {
        let listed = output_of(Command::new("tar").args(["--numeric-owner", "-tvzf"]).arg(layer));
        let entry = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            format!("{} {} {}", words[0], words[1], words.last().unwrap())
        };
        listed.lines().map(entry).collect::<Vec<_>>()
    };
    let [authorities, program] = &image.layers()[..] else { panic!("two layers") };
    let folders = ["etc/", "etc/ssl/", "etc/ssl/certs/"].map(|folder| format!("drwxr-xr-x 0/0 {folder}"));
    let file = "-r--r--r-- 0/0 etc/ssl/certs/ca-certificates.crt".to_string();
    assert_eq!(list(authorities), [&folders[..], &[file]].concat());
    assert_eq!(list(program), ["-r-xr-xr-x 0/0 stablekey"]);

    let root = image.unpacked();
    let authorities = std::fs::read_to_string(root.path().join("etc/ssl/certs/ca-certificates.crt")).unwrap();
    assert!(authorities.matches("-----BEGIN CERTIFICATE-----").count() > 100);
    assert!(std::fs::read(root.path().join("stablekey")).unwrap() == std::fs::read(static_binary()).unwrap());

    // Other programs read it too, and a second run writes the same.
    output_of(tool("crane").args(["validate", "--tarball"]).arg(image.path("image.tar")));
    let again = Image::ours();
    assert!(std::fs::read(image.path("image.tar")).unwrap() == std::fs::read(again.path("image.tar")).unwrap());
}

#[test]
fn binaries_of_two_architectures_are_an_index() {
    // The same program, but for the architecture that its head names: the image is not run.
    let folder = tempfile::tempdir().unwrap();
    let mut binary = std::fs::read(static_binary()).unwrap();
    let of = |machine: u16, binary: &mut Vec<u8>| {
        binary[18..20].copy_from_slice(&machine.to_le_bytes());
        let path = folder.path().join(machine.to_string());
        std::fs::write(&path, &binary).unwrap();
        path
    };
    let [amd64, arm64] = [62, 183].map(|machine| of(machine, &mut binary));
    let image = Image::of(&[("arm64", &arm64), ("amd64", &amd64)]);
    let index = image.json(&image.index()["manifests"][0]);
    let images = index["manifests"].as_array().unwrap();
    let platforms: Vec<_> = images.iter().map(|image| image["platform"]["architecture"].as_str().unwrap()).collect();
    assert_eq!(platforms, ["amd64", "arm64"]);
    for (descriptor, architecture) in images.iter().zip(platforms) {
        assert_eq!(image.json(&image.json(descriptor)["config"])["architecture"], architecture);
    }
    let refused = |binary: &str| error_of(script("image").arg(folder.path().join("image")).arg(binary));
    let said = refused(&format!("amd64={}", arm64.display()));
    assert!(said.contains("is a program for EM_AARCH64, not for amd64"), "{said}");
}

#[test]
fn what_an_image_without_libraries_cannot_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |binary: &str| error_of(script("image").arg(folder.path()).arg(binary));
    let said = refused(&format!("{}={}", architecture(), env!("CARGO_BIN_EXE_stablekey")));
    assert!(said.contains("is linked dynamically: build it with hack/release/binary"), "{said}");
    let said = refused(&format!("{}={}", architecture(), file!()));
    assert!(said.contains("is no program of Linux"), "{said}");
    let said = refused(&format!("s390x={}", static_binary().display()));
    assert!(said.contains("architecture \"s390x\" is none of [amd64 arm64]"), "{said}");
}
