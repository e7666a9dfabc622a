//! manifests/alerts, as Prometheus reads them.

use crate::renderings::kustomized;
use crate::tools::{fails_with, output_of, repository, tool};
use stablekey_testing::manifests::documents;
use std::collections::{BTreeMap, BTreeSet};

/// Returns the labels of each metric of docs/operator.md; histograms by the names of their series.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(repository("docs/operator.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `stablekey_"));
    let rows = rows.flat_map(|row| {
        let cells: Vec<&str> = row.trim_matches(['|', ' ']).split(" | ").collect();
        let name = cells[0].trim_matches('`').to_string();
        let labels: Vec<&str> = cells[1].split(" (").next().unwrap().split(", ").collect();
        let mut labels: BTreeSet<String> = labels.into_iter().map(str::to_string).collect();
        if !row.contains("(histogram)") {
            return vec![(name, labels)];
        }
        labels.insert("le".to_string());
        ["_bucket", "_count", "_sum"].map(|part| (format!("{name}{part}"), labels.clone())).to_vec()
    });
    rows.collect()
}

/// The documented metrics are those of the metrics' snapshot.
#[test]
fn the_documented_metrics_are_the_existing_ones() {
    let folder = repository("src/controller/metrics/snapshots");
    let file = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(file).unwrap();
    let samples = text.lines().filter(|line| line.starts_with("stablekey_"));
    let there: BTreeSet<String> = samples.map(|line| line.split(['{', ' ']).next().unwrap().to_string()).collect();
    let documented: BTreeSet<String> = documented().into_keys().filter(|name| !name.ends_with("_bucket")).collect();
    assert_eq!(there, documented);
}

#[test]
fn prometheus_accepts_the_rules_and_their_metrics_and_labels_exist() {
    let said = output_of(tool("rules").arg(repository("manifests/alerts/stablekey.yaml")));
    let documented = documented();
    assert!(said.lines().count() >= 8, "{said}");
    for line in said.lines() {
        let mut words = line.split(' ');
        let metric = words.next().unwrap();
        let labels = documented.get(metric).unwrap_or_else(|| panic!("{metric} is no metric of the operator"));
        for label in words {
            assert!(labels.contains(label), "{metric} has no label {label}");
        }
    }
}

/// The groups of a PrometheusRule equal those of the rule file.
#[test]
fn the_prometheus_rule_has_the_same_groups() {
    let rule = &kustomized(&["monitoring"])["PrometheusRule/stablekey"];
    let file = std::fs::read_to_string(repository("manifests/alerts/stablekey.yaml")).unwrap();
    assert_eq!(rule["spec"], documents(&file)[0], "make crds");
}

#[test]
fn rules_that_prometheus_would_not_load_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yaml");
    let right = std::fs::read_to_string(repository("manifests/alerts/stablekey.yaml")).unwrap();
    for (from, to, error) in [
        ("absent(", "absnt(", "unknown function"),
        ("for: 10m", "for: long", "not a valid duration"),
        ("summary: No", "summary: '{{ $x }}' #", "undefined variable"),
        ("expr: absent", "exp: absent", "field exp not found"),
    ] {
        assert!(right.contains(from));
        std::fs::write(&file, right.replacen(from, to, 1)).unwrap();
        fails_with(tool("rules").arg(&file), error);
    }
}

/// Each alert leads to its section of docs/operations.md, and each section there is of an alert.
#[test]
fn every_alert_has_a_section_that_says_what_to_do() {
    let file = std::fs::read_to_string(repository("manifests/alerts/stablekey.yaml")).unwrap();
    let groups = documents(&file).remove(0);
    let rules = groups["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
    let text = std::fs::read_to_string(repository("docs/operations.md")).unwrap();
    let (_, sections) = text.split_once("\n## Alerts\n").unwrap();
    let sections = sections.split("\n## ").next().unwrap();
    let mut headings: Vec<&str> = sections.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let mut alerts = Vec::new();
    for rule in rules {
        let name = rule["alert"].as_str().unwrap();
        let leads = format!("/docs/operations.md#{}", name.to_lowercase());
        let url = rule["annotations"]["runbook_url"].as_str().unwrap_or_default();
        assert!(url.starts_with("https://") && url.ends_with(&leads), "{name}: runbook_url should end in {leads}");
        alerts.push(name);
    }
    alerts.sort_unstable();
    headings.sort_unstable();
    assert_eq!(alerts, headings);
}
