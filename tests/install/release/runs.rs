//! The image's program in a root that has the image's files only, as another account.

use super::{Image, release_binary};
use crate::installed::{Account, apply, install, us};
use crate::tools::repository;
use stablekey_clusters::run;
use stablekey_testing::certificates::Authority;
use stablekey_testing::git_server::{GitServer, TOKEN};
use stablekey_testing::objects::{Document as _, Integration};
use stablekey_testing::replica::{Replica, until};
use stablekey_testing::work_tree::git_in;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Returns the image's program in its root, with no variable of this process.
fn program(root: &Path) -> Command {
    let mut program = Command::new(repository("hack/empty-root"));
    program.arg(root).arg("/stablekey").env_clear().env("PATH", std::env::var("PATH").unwrap());
    program.stdin(Stdio::null());
    program
}

/// Returns the image's files, with what every runtime adds: names of hosts.
fn root(image: &Image) -> tempfile::TempDir {
    let root = image.unpacked();
    std::fs::write(root.path().join("etc/hosts"), "127.0.0.1 localhost\n").unwrap();
    root
}

fn said(program: &mut Command) -> (i32, String) {
    let output = program.output().unwrap();
    let all = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap()).concat();
    (output.status.code().unwrap_or(-1), all)
}

#[test]
fn it_trusts_a_private_authority_only_where_it_is_named() {
    let repositories = tempfile::tempdir().unwrap();
    let tree = repositories.path().join("tree");
    stablekey_testing::cli::copy_folder(&repository("examples/first"), &tree);
    for words in ["init --quiet --initial-branch=main", "add .", "commit --quiet --message=first"] {
        git_in(&tree, &words.split(' ').collect::<Vec<_>>());
    }
    git_in(repositories.path(), &["clone", "--quiet", "--bare", "tree", "tenants.git"]);
    let authority = Authority::new();
    let server = GitServer::start(repositories.path(), &authority);

    let image = Image::ours();
    let root = root(&image);
    let plan = |variables: &[(&str, &str)]| {
        let mut plan = program(root.path());
        plan.args(["plan", "--allow-loopback", "--git", &format!("{}@main", server.url("tenants.git"))]);
        plan.env("STABLEKEY_GIT_TOKEN", TOKEN).env("STABLEKEY_GIT_HOSTS", server.host());
        said(plan.envs(variables.iter().copied()))
    };
    assert_eq!(said(program(root.path()).arg("--version")), (0, format!("stablekey {}\n", env!("CARGO_PKG_VERSION"))));
    let (code, refused) = plan(&[]);
    assert!(code == 1 && refused.contains("its certificate is not accepted"), "{refused}");
    std::fs::write(root.path().join("authority.pem"), &authority.pem).unwrap();
    let (code, planned) = plan(&[("SSL_CERT_FILE", "/authority.pem")]);
    assert!(code == 3 && planned.contains("\"Billing\" needs stable key billing"), "{planned}");

    // The image's own list is what it reads otherwise: with the authority in it, no variable is needed.
    let list = root.path().join("etc/ssl/certs/ca-certificates.crt");
    let public = std::fs::read_to_string(&list).unwrap();
    std::fs::remove_file(&list).unwrap();
    std::fs::write(&list, public + &authority.pem).unwrap();
    assert_eq!(plan(&[]).0, 3);
}

/// cargo-auditable adds the list to what a release ships, and the debug build that `make test` takes has none.
#[test]
fn it_lists_its_crates() {
    let program = std::fs::read(Image::ours().unpacked().path().join("stablekey")).unwrap();
    let name = b"\0.dep-v0\0";
    let lists = program.windows(name.len()).any(|bytes| bytes == name);
    assert_eq!(lists, release_binary().is_some());
}

#[test]
fn it_is_the_operator_of_a_cluster() {
    let namespace = us().namespace("image");
    let account = Account::new(install(&namespace, &["binder"]), "stablekey-binder");
    let image = Image::ours();
    let root = root(&image);
    let kubeconfig = root.path().join("kubeconfig");
    std::fs::copy(&account.kubeconfig, &kubeconfig).unwrap();
    std::fs::set_permissions(&kubeconfig, PermissionsExt::from_mode(0o444)).unwrap();
    let mut operator = program(root.path());
    operator.args(["controller", "--role", "binder", "--namespace", namespace.name(), "--listen", "127.0.0.1:0"]);
    operator.env("KUBECONFIG", "/kubeconfig");
    let running = Replica::by(operator);
    until("it is ready", || running.get("/readyz").code == 200);
    apply(&namespace, &Integration::new("orders").binds("CRM", "crm").json());
    until("it says what the integration lacks", || {
        let words = ["get", "integration", "orders", "--output=jsonpath={.status.conditions}"];
        run(namespace.kubectl().args(words)).unwrap().contains("crm")
    });
}
