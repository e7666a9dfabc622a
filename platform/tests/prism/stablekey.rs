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
