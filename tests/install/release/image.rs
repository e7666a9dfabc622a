//! The image that hack/release/image writes.

use super::{Image, architecture, path_of, program_for, script, static_binary, tool};
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
    assert_eq!(list(authorities), [&folders[..], &["drwxrwxrwt 0/0 tmp/".to_string(), file]].concat());
    assert_eq!(list(program), ["-r-xr-xr-x 0/0 stablekey"]);

    let root = image.unpacked();
    let authorities = std::fs::read_to_string(root.path().join("etc/ssl/certs/ca-certificates.crt")).unwrap();
    assert!(authorities.matches("-----BEGIN CERTIFICATE-----").count() > 100);
    assert!(std::fs::read(root.path().join("stablekey")).unwrap() == std::fs::read(static_binary()).unwrap());

    // Other programs read it too.
    output_of(tool("crane").args(["validate", "--tarball"]).arg(image.path("image.tar")));
}

/// Images of one commit: somebody may commit between two runs.
#[test]
fn two_runs_write_the_same() {
    let commit = |image: &Image| {
        let config = image.json(&image.json(&image.index()["manifests"][0])["config"]);
        config["config"]["Labels"]["org.opencontainers.image.revision"].clone()
    };
    let mut pairs = (0..5).map(|_| (Image::ours(), Image::ours()));
    let (one, other) = pairs.find(|(one, other)| commit(one) == commit(other)).unwrap();
    assert!(std::fs::read(one.path("image.tar")).unwrap() == std::fs::read(other.path("image.tar")).unwrap());
}

#[test]
fn binaries_of_two_architectures_are_an_index() {
    let image = Image::of_two_architectures();
    let index = image.json(&image.index()["manifests"][0]);
    let images = index["manifests"].as_array().unwrap();
    let platforms: Vec<_> = images.iter().map(|image| image["platform"]["architecture"].as_str().unwrap()).collect();
    assert_eq!(platforms, ["amd64", "arm64"]);
    for (descriptor, architecture) in images.iter().zip(platforms) {
        assert_eq!(image.json(&image.json(descriptor)["config"])["architecture"], architecture);
    }
    let folder = tempfile::tempdir().unwrap();
    let arm64 = program_for(183, folder.path());
    let mut make = script("image");
    let said = error_of(make.arg(folder.path().join("image")).arg(format!("amd64={}", arm64.display())));
    assert!(said.contains("is a program for EM_AARCH64, not for amd64"), "{said}");
}

#[test]
fn it_is_written_below_the_folder_of_its_caller_and_over_an_image_only() {
    let folder = tempfile::tempdir().unwrap();
    let binary = format!("{}={}", architecture(), static_binary().display());
    let make = |name: &str| {
        let mut make = script("image");
        make.arg(name).arg(&binary).current_dir(folder.path());
        make
    };
    for _ in 0..2 {
        assert_eq!(path_of(&mut make("made")), folder.path().join("made"));
    }
    let work = folder.path().join("work");
    for somebodys in ["letter", "layout/letter"] {
        let file = work.join(somebodys);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "dear").unwrap();
        let said = error_of(&mut make("work"));
        assert!(said.contains("which is no image: name a new or an empty folder"), "{said}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "dear");
        std::fs::remove_file(&file).unwrap();
    }
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
