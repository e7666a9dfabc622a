//! What is not given is asked for on a terminal, and the answers give the same bytes as the options.

use super::syncs;
use crate::edges::files::*;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Stdio;

/// Runs a command on a terminal on which these lines are typed. Returns what it shows, and its exit code.
fn typed(root: &Project, arguments: &[&str], lines: &[&str]) -> (String, i32) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    let master = openpt(flags).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let terminal = ioctl_tiocgptpeer(&master, flags).unwrap();
    let mut command = root.command(arguments);
    let end = || Stdio::from(terminal.try_clone().unwrap());
    command.stdin(end()).stdout(end()).stderr(end());
    let mut child = command.spawn().unwrap();
    drop((command, terminal));
    let mut master = File::from(master);
    // The terminal keeps the lines until they are read.
    lines.iter().for_each(|line| writeln!(master, "{line}").unwrap());
    let mut bytes = Vec::new();
    let _ = master.read_to_end(&mut bytes);
    let code = child.wait().unwrap().code().unwrap();
    (String::from_utf8(bytes).unwrap(), code)
}

#[track_caller]
fn same(new: &dyn Fn() -> Project, arguments: &[&str], lines: &[&str], flags: &[&str]) {
    let (asked, given) = (new(), new());
    let (shown, code) = typed(&asked, arguments, lines);
    assert_eq!(code, 0, "{shown}");
    given.run(flags).exits(0);
    let (asked, given) = (asked.files(""), given.files(""));
    assert_eq!(asked.keys().collect::<Vec<_>>(), given.keys().collect::<Vec<_>>(), "{shown}");
    for (path, bytes) in &asked {
        assert_eq!(String::from_utf8_lossy(bytes), String::from_utf8_lossy(&given[path]), "{path}\n{shown}");
    }
}

#[test]
fn a_project_is_asked_for() {
    let flags = ["init", "--tenant", "us", "--tenant", "eu", "--ci", "github"];
    same(&Project::empty, &["init"], &["us eu", "directory", "github"], &flags);
    let stacks = ["--tenant", "us=https://app.prismatic.io", "--tenant", "eu=https://app.eu-west-1.prismatic.io"];
    let lines = ["us, eu", "platform", "", "https://app.eu-west-1.prismatic.io", "1"];
    same(&Project::empty, &["init"], &lines, &[&["init"], &stacks[..]].concat());
}

#[test]
fn a_sync_is_asked_for() {
    let flags = ["new", "sync", "us", "eu", "--connections", "Mirror", "--yes"];
    // eu is left as the only target; the last answer is to the question whether it is written.
    same(&syncs::imported, &["new", "sync"], &["us", "Mirror", "y"], &flags);
    let (shown, code) = typed(&syncs::imported(), &["new", "sync"], &["us", "Mirror", "n"]);
    assert_eq!(code, 1, "{shown}");
}

#[test]
fn a_tenant_and_a_component_are_asked_for() {
    let flags = ["new", "tenant", "eu", "--location", "kubernetes", "--namespace", "eu", "--force", "--yes"];
    same(&two_tenants, &["new", "tenant", "--force"], &["eu", "kubernetes", "", "y"], &flags);
    let lacking = || two_tenants().without("prod/components/chat.yaml");
    let flags = ["new", "component", "chat", "--tenant", "prod", "--yes"];
    same(&lacking, &["new", "component"], &["chat", "prod", "y"], &flags);
}

#[test]
fn a_customer_is_asked_for() {
    let project = || {
        let crm = Connection::new("crm", "crm/basic").per_customer("password").per_customer("user").yaml();
        let tenants = Tenant::new("eu").in_folder("eu").yaml();
        Project::empty().with("tenants.yaml", &tenants).with("eu/connections/crm.yaml", &crm)
    };
    let flags =
        ["new", "customer", "Acme", "--connection", "crm", "user=jo", "--secret", "password=acme/password", "--yes"];
    same(&project, &["new", "customer"], &["Acme", "acme/password", "jo", "y"], &flags);
}

/// Without a terminal nothing is asked: the command that gives the answer is named.
#[test]
fn without_a_terminal_what_is_missing_is_named() {
    let root = two_tenants();
    let before = root.files("");
    for (arguments, what) in [
        (&["new", "sync"][..], "the tenant to copy from is not given"),
        (&["new", "sync", "dev"], "the tenant to copy to is not given"),
        (&["new", "tenant"], "the name of the tenant is not given"),
        (&["new", "component"], "the component is not given"),
        (&["new", "customer"], "the customer is not given"),
    ] {
        root.run(&[arguments, &["--yes"]].concat()).exits(1).prints(what).prints("for example: stablekey new");
    }
    assert_eq!(root.files(""), before);
}
