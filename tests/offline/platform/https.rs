//! The platform over HTTPS, through a proxy, under its real names; and a Git remote over HTTPS.

use super::{Workplace, every_kind_over_tls};
use stablekey_platform::{Region, Server};
use stablekey_testing::certificates::Authority;
use stablekey_testing::git_server::{GitServer, PASSWORD, Pushes, USER};
use stablekey_testing::tunnel::{Proxy, Tunnels};
use std::fs;
use std::process::Command;

const US: &str = "app.prismatic.io";

/// A stack that is the platform's first one, as far as a client can see.
struct UsStack {
    server: Server,
    authority: Authority,
}

impl UsStack {
    fn new() -> Self {
        let authority = Authority::new();
        let server = every_kind_over_tls(Region::Us, &authority.certificate(&[US, "localhost", "127.0.0.1"]));
        UsStack { server, authority }
    }

    fn proxy(&self, tunnels: Tunnels) -> Proxy {
        let address = self.server.url().replace("https://", "");
        Proxy::start(&[(US, &address)], tunnels)
    }

    /// Who has the token in the environment, and reaches the stack through a proxy.
    fn workplace(&self, proxy: &Proxy) -> Workplace {
        let ours = Workplace::new();
        let roots = ours.home().join("ca.pem");
        fs::write(&roots, &self.authority.pem).unwrap();
        ours.variable("SSL_CERT_FILE", roots.to_str().unwrap())
            .variable("HTTPS_PROXY", &proxy.url())
            .variable("STABLEKEY_TOKEN_US", &self.server.refresh_token())
    }
}

fn import(ours: &Workplace) -> super::Ran {
    let from = format!("https://{US}");
    ours.run(&["import", "--tenant", "us-prod", "--from", &from, "--token-env", "STABLEKEY_TOKEN_US"])
}

/// "proxies as the environment says", "`STABLEKEY_TOKEN_*` to the known public stacks".
#[test]
fn a_public_stack_is_reached_through_the_proxy_of_the_environment() {
    let us = UsStack::new();
    let proxy = us.proxy(Tunnels::Open);
    let ours = us.workplace(&proxy);
    import(&ours).exits(0).prints("8 connections");
    ours.run(&["plan"]).exits(0);
    let asked = proxy.asked();
    assert!(
        !asked.is_empty() && asked.iter().all(|line| *line == "CONNECT app.prismatic.io:443 HTTP/1.1"),
        "{asked:?}"
    );
}

/// "a proxy that answers 200", and others that open no tunnel.
#[test]
fn a_proxy_that_opens_no_tunnel_is_named() {
    let us = UsStack::new();
    for (tunnels, why) in [
        (
            Tunnels::AnswerItself,
            "what answers there does not speak TLS: see that the url, and HTTPS_PROXY if it is set, are right",
        ),
        (Tunnels::AskPassword, "the proxy of HTTPS_PROXY does not open a tunnel to it"),
    ] {
        let proxy = us.proxy(tunnels);
        import(&us.workplace(&proxy)).exits(1).prints(why);
    }
    assert_eq!(us.server.take_token_requests().len(), 0);
}

/// A server with another certificate gets no token.
#[test]
fn a_certificate_that_is_not_trusted_is_an_error() {
    let us = UsStack::new();
    let proxy = us.proxy(Tunnels::Open);
    let ours = us.workplace(&proxy);
    fs::write(ours.home().join("ca.pem"), Authority::new().pem).unwrap();
    import(&ours).exits(1).prints("its certificate is not accepted (").prints("set SSL_CERT_FILE");
    assert_eq!(us.server.take_token_requests().len(), 0);
}

/// "Plain http and loopback only with `--allow-loopback`, never proxied".
#[test]
fn this_machine_is_never_reached_through_a_proxy() {
    let us = UsStack::new();
    let proxy = us.proxy(Tunnels::Open);
    let url = us.server.url();
    let host = url.replace("https://", "");
    let ours = us.workplace(&proxy).variable("STABLEKEY_HOSTS", &host);
    let arguments = ["import", "--tenant", "us-prod", "--from", &url, "--token-env", "STABLEKEY_TOKEN_US"];
    ours.run(&arguments).exits(1).prints("this machine needs --allow-loopback");
    ours.run(&[&arguments[..], &["--allow-loopback"]].concat()).exits(0);
    assert_eq!(proxy.asked(), Vec::<String>::new());
}

/// The record on a Git remote over HTTPS: with the user's own credentials, and what a remote can refuse.
#[test]
fn the_record_is_kept_on_a_git_remote_over_https() {
    let us = super::every_kind(Region::Us);
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let git = |ours: &Workplace, arguments: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(ours.root()).args(arguments).env("HOME", ours.home()).env("GIT_CONFIG_NOSYSTEM", "1");
        let output = command.output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let server = GitServer::start(folder.path(), &authority);
    let workplace = || {
        let ours = Workplace::with_profiles(&[("us", &us)]);
        let roots = ours.home().join("git-ca.pem");
        fs::write(&roots, &authority.pem).unwrap();
        let ours = ours.variable("GIT_SSL_CAINFO", roots.to_str().unwrap());
        git(&ours, &["init", "--quiet"]);
        git(&ours, &["remote", "add", "origin", &server.url("ours.git")]);
        ours
    };
    let login = |ours: &Workplace, password: &str| {
        let text =
            format!("[credential]\n\thelper = \"!f() {{ echo username={USER}; echo password={password}; }}; f\"\n");
        fs::write(ours.home().join(".gitconfig"), text).unwrap();
    };
    let ours = workplace();
    git(&ours, &["init", "--quiet", "--bare", folder.path().join("ours.git").to_str().unwrap()]);
    let bare = folder.path().join("ours.git");
    git(&ours, &["--git-dir", bare.to_str().unwrap(), "config", "http.receivepack", "true"]);
    // Without a password, and with a wrong one: unreachable, not empty.
    ours.import("us-prod", &us, "us")
        .exits(1)
        .prints("the record of us-prod (refs/stablekey/* on the Git remote origin) cannot be read");
    login(&ours, "wrong");
    ours.import("us-prod", &us, "us").exits(1).prints("cannot be read").does_not_print("wrong");
    assert!(PASSWORD.starts_with("CANARY"), "and the password itself is looked for in all that is printed");
    login(&ours, PASSWORD);
    server.pushes(Pushes::Forbidden);
    ours.import("us-prod", &us, "us").exits(1).prints("cannot be written").prints("import again to record them");
    // The push that the remote carried out, and whose answer was lost, counts.
    server.pushes(Pushes::DoneWithoutAnswer);
    ours.run(&["import", "--tenant", "us-prod", "--allow-loopback"]).exits(0);
    server.pushes(Pushes::Done);
    ours.plan(&[]).exits(0);
    // A second laptop reads it.
    let other = workplace();
    login(&other, PASSWORD);
    for (path, bytes) in stablekey_testing::cli::files(&ours.root()) {
        if !path.starts_with(".git/") {
            other.write(&path, &String::from_utf8(bytes).unwrap());
        }
    }
    other.plan(&[]).exits(0).does_not_print("this machine only");
}
