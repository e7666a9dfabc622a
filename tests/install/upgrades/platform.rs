//! Tenants on the platform: the record and a snapshot of one version, read by another. The version before the platform
//! has neither, so that until 0.1.0 is an earlier version, this one is tried with itself.

use super::{Version, earlier};
use stablekey_platform::{Platform, Region, Server, seed};
use stablekey_testing::project::{CommandOutput, Project};
use std::fs;

/// Returns the versions that know tenants on the platform, this one included.
fn versions() -> Vec<Version> {
    let knows = |version: &&Version| {
        fs::read_to_string(version.folder.join("crds/tenants.yaml")).unwrap().contains(" prismatic:")
    };
    let earlier = earlier().iter().filter(knows);
    let earlier = earlier.map(|v| Version { program: v.program.clone(), folder: v.folder.clone() });
    earlier.chain([Version::this()]).collect()
}

/// An organization of every kind of connection, and the home folder of who is logged in to it.
struct TestEnv {
    server: Server,
    project: Project,
}

impl TestEnv {
    fn new() -> Self {
        let platform = Platform::new(seed::every_kind(Region::Us).unwrap());
        let server = Server::builder(platform).token("access").refresh_token("refresh").start().unwrap();
        let project = Project::empty();
        let (url, token) = (server.url(), server.refresh_token());
        let profile = format!(
            "version: 1\nprofiles:\n  us: {{accessToken: \"\", refreshToken: {token}, expiresIn: 604800, scope: x, \
             tokenType: Bearer, prismaticUrl: \"{url}\"}}\n"
        );
        let folder = project.parent_folder().join("home/.config/prism");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("config.yml"), profile).unwrap();
        TestEnv { server, project }
    }

    fn run(&self, version: &Version, arguments: &[&str]) -> CommandOutput {
        let mut command = version.command(self.project.state(), self.project.root(), arguments);
        command.arg("--allow-loopback").env("HOME", self.project.parent_folder().join("home"));
        CommandOutput::of(&command.output().unwrap())
    }

    /// Changes a title in the files.
    fn retitle(&self, title: &str) {
        let file = "us-prod/connections/warehouse.yaml";
        let text = self.project.read(file);
        let line = text.lines().find(|line| line.starts_with("  title:")).unwrap();
        self.project.write(file, &text.replacen(line, &format!("  title: {title}"), 1));
    }

    /// Returns how many requests wrote something since the last call.
    fn writes(&self) -> usize {
        self.server.take_requests().iter().filter(|request| request.writes).count()
    }
}

#[test]
fn the_record_and_a_snapshot_are_read_by_the_other_version() {
    let this = Version::this();
    for other in versions() {
        for [writer, reader] in [[&other, &this], [&this, &other]] {
            let env = TestEnv::new();
            let url = env.server.url();
            env.run(writer, &["import", "--tenant", "us-prod", "--from", &url, "--profile", "us"]).exits(0);
            env.retitle("Data warehouse");
            env.run(writer, &["apply", "--yes"]).exits(0);
            assert_eq!(env.writes(), 1);

            env.run(reader, &["plan"]).exits(0);
            env.run(reader, &["apply", "--yes"]).exits(0);
            assert_eq!(env.writes(), 0);
            env.run(writer, &["snapshot", "--out", "../snapshot.json"]).exits(0);
            env.run(reader, &["plan", "--snapshot", "../snapshot.json"]).exits(0).prints("us-prod is as the snapshot");

            // What the writer recorded belongs to the reader: a change is an update, and not drift.
            env.retitle("Archive");
            env.run(reader, &["apply", "--yes"]).exits(0);
            assert_eq!(env.writes(), 1);
            env.run(writer, &["plan"]).exits(0);
        }
    }
}
