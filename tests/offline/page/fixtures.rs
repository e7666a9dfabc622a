//! Projects for the page, and changes of their files.

use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Replaces a text in a file.
pub(super) fn edit(root: &Path, file: &str, from: &str, to: &str) {
    let path = root.join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file}: {from}\n{text}");
    put(&path, &text.replace(from, to));
}

/// Writes a file as editors save it: at no moment there is half of it.
pub(super) fn put(path: &Path, text: &str) {
    let name = path.file_name().unwrap().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.saved"));
    fs::write(&beside, text).unwrap();
    fs::rename(&beside, path).unwrap();
}

/// Adds a text to a file, which may be new.
pub(super) fn add(root: &Path, file: &str, more: &str) {
    let path = root.join(file);
    let text = fs::read_to_string(&path).unwrap_or_default();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text + more).unwrap();
}

/// A project of two tenants with this number of connections, which integrations use and a sync copies.
pub(super) fn many(number: usize) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let tenants = "apiVersion: stablekey.dev/v1alpha1
kind: Tenant
metadata: {name: dev}
spec: {location: {directory: {path: dev}}}
---
apiVersion: stablekey.dev/v1alpha1
kind: Tenant
metadata: {name: prod}
spec: {location: {directory: {path: prod}}, acceptFrom: [dev]}
---
apiVersion: stablekey.dev/v1alpha1
kind: TenantSync
metadata: {name: to-prod}
spec: {from: dev, to: [prod], integrations: [\"*\"], connections: Mirror}
";
    add(root.path(), "tenants.yaml", tenants);
    let mut all = String::new();
    for at in 1..=number {
        all.push_str(&format!(
            "apiVersion: stablekey.dev/v1alpha1
kind: Connection
metadata: {{name: key-{at:03}}}
spec:
  stableKey: key-{at:03}
  title: Number {at}
  component: {{key: http}}
  type: basic
  credentials: OrganizationGlobal
  inputs:
    username: {{value: user-{at}}}
---
"
        ));
    }
    // An integration has 64 variables at most.
    for first in (1..=number).step_by(50) {
        all.push_str(&format!("apiVersion: stablekey.dev/v1alpha1\nkind: Integration\nmetadata: {{name: from-{first}}}\nspec:\n  connections:\n"));
        for at in first..=number.min(first + 49) {
            all.push_str(&format!("    - {{name: V{at}, stableKey: key-{at:03}}}\n"));
        }
        all.push_str("---\n");
    }
    add(root.path(), "dev/all.yaml", &all);
    fs::create_dir_all(root.path().join("prod")).unwrap();
    root
}
