//! The command of `stablekey import --help` for machines from which only prism reaches the platform.

use crate::prism::{Prism, integration, us};
use std::path::Path;
use std::process::{Command, Stdio};

/// Returns stablekey, which cargo puts beside the folder of the test programs.
fn stablekey() -> Command {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().and_then(Path::parent).unwrap().join("stablekey");
    // cargo builds it for the tests of the workspace, not for those of this package alone.
    assert!(program.is_file(), "there is no {}; run this first:\n  cargo build", program.display());
    Command::new(program)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn stablekey_imports_what_prism_prints() {
    let server = us();
    let prism = Prism::of(&server);
    let project = tempfile::tempdir().unwrap();
    let definitions = project.path().join("definitions");
    std::fs::create_dir(&definitions).unwrap();
    let definition = prism.run(&["integrations:export", &integration(&server, "Order Sync")]).text();
    std::fs::write(definitions.join("order-sync.yaml"), definition).unwrap();

    let query = stablekey().args(["import", "--print-query"]).output().unwrap();
    assert!(query.status.success());
    let query = String::from_utf8(query.stdout).unwrap();
    // prism graphql:query "$(stablekey import --print-query)" | stablekey import --tenant us-prod - definitions
    let mut asking = prism.command(&["graphql:query", query.trim_end()]).stdout(Stdio::piped()).spawn().unwrap();
    let mut import = stablekey();
    import.args(["import", "--tenant", "us-prod", "-", "definitions"]).current_dir(&project);
    let import = import.stdin(asking.stdout.take().unwrap()).output().unwrap();
    let (asked, errors) = (asking.wait().unwrap(), String::from_utf8_lossy(&import.stderr));
    assert!(asked.success() && import.status.success(), "{}: {errors}", import.status);

    let tenant = project.path().join("us-prod");
    let connections = [
        "acme-erp.yaml",
        "http-status.yaml",
        "legacy-billing.yaml",
        "salesforce-crm.yaml",
        "slack-internal.yaml",
        "slack-notifications.yaml",
        "slack-personal.yaml",
        "warehouse.yaml",
    ];
    assert_eq!(names(&tenant.join("connections")), connections);
    assert!(names(&tenant.join("integrations")).contains(&"order-sync.yaml".to_string()));
    let connection = std::fs::read_to_string(tenant.join("connections/warehouse.yaml")).unwrap();
    assert!(connection.contains("db.example.invalid") && !connection.contains("warehouse-secret"), "{connection}");
}

/// A tenant is imported, changed, planned and applied as the README says; prism sees what was written, and the plan is
/// empty.
#[test]
fn prism_sees_what_stablekey_writes() {
    let server = us();
    let prism = Prism::of(&server);
    let project = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = stablekey();
        command.args(arguments).current_dir(&project).env_clear().env("HOME", project.path());
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command.env("PRISMATIC_URL", server.url()).env("PRISM_ACCESS_TOKEN", server.token());
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code(), text)
    };
    let (code, text) = run(&["import", "--tenant", "us-prod", "--from", &server.url(), "--allow-loopback"]);
    assert_eq!(code, Some(0), "{text}");
    let write = |path: &str, text: &str| {
        let path = project.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let read = |path: &str| std::fs::read_to_string(project.path().join(path)).unwrap();
    let tenants =
        read("tenants.yaml").replacen("    prismatic:\n", "    prismatic:\n      secrets: {directory: secrets}\n", 1);
    write("tenants.yaml", &tenants);
    write("secrets/archive/password", "archive-pass\n");
    let copy =
        read("us-prod/connections/warehouse.yaml").replace("warehouse", "archive").replace("Warehouse", "Archive");
    write("us-prod/connections/archive.yaml", &copy);
    let integration_yaml =
        read("us-prod/integrations/order-sync.yaml").replace("stableKey: acme-erp", "stableKey: archive");
    write("us-prod/integrations/order-sync.yaml", &integration_yaml);
    let (code, text) = run(&["plan", "--allow-loopback"]);
    assert_eq!(code, Some(2), "{text}");
    let (code, text) = run(&["apply", "--yes", "--allow-loopback"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains("archive-pass"));
    let (code, text) = run(&["plan", "--allow-loopback"]);
    assert_eq!(code, Some(0), "{text}");
    let listed = prism.run(&["organization:connections:list", "--output", "json"]).text();
    assert!(listed.contains("archive"), "{listed}");
    let definition = prism.run(&["integrations:export", &integration(&server, "Order Sync")]).text();
    assert!(definition.contains("useScopedConfigVar: archive"), "{definition}");
}
