//! Records of tenants on the platform, in ConfigMaps of a real cluster.

use kube::config::Kubeconfig;
use stablekey::kubernetes::client::Server;
use stablekey::kubernetes::connect::Servers;
use stablekey::tenant::prismatic::record::{ConfigMapRecords, RecordError, RecordStore as _, Run, TenantRecord};
use stablekey_clusters::{Namespace, run, run_with_input, shared};

const TENANT: &str = "us-prod";

fn records(namespace: &Namespace<'_>) -> ConfigMapRecords {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let kubeconfig = Kubeconfig::read_from(shared("us").kubeconfig()).unwrap();
    let server: Server = runtime.block_on(Servers::default().connect_by(kubeconfig, "us")).unwrap();
    ConfigMapRecords::of(server, namespace.name())
}

fn record(who: &str) -> TenantRecord {
    let mut record = TenantRecord::of(TENANT);
    record.run = Some(Run {
        id: who.into(),
        who: who.into(),
        since: "now".into(),
        seen: None,
        machine: None,
        command: "x".into(),
        process: None,
        writes: vec![],
        wants: Default::default(),
    });
    record
}

/// "In a cluster ConfigMaps of the hub": of two writers the API server refuses the second.
#[test]
fn of_two_writers_the_second_is_refused() {
    let namespace = shared("us").namespace("records");
    let (one, two) = (records(&namespace), records(&namespace));
    let (first, second) = (one.read(TENANT).unwrap(), two.read(TENANT).unwrap());
    assert_eq!((first.version, second.version), (None, None));
    let version = one.write(&record("ann"), None, "begin").unwrap();
    let lost = two.write(&record("bob"), None, "begin").unwrap_err();
    assert_eq!(lost.to_string(), "another run wrote the record of us-prod meanwhile: ann");
    let read = two.read(TENANT).unwrap();
    assert_eq!((&read.record, read.version.as_deref()), (&record("ann"), Some(version.as_str())));
    two.write(&record("bob"), read.version.as_deref(), "take over").unwrap();
    assert!(matches!(one.write(&record("ann"), Some(&version), "late"), Err(RecordError::Lost { .. })));
    // Deleted meanwhile: a write does not bring it back.
    let read = one.read(TENANT).unwrap();
    run(namespace.kubectl().args(["delete", "configmap", "stablekey-record-us-prod"])).unwrap();
    assert!(matches!(one.write(&record("ann"), read.version.as_deref(), "late"), Err(RecordError::Lost { .. })));
}

#[test]
fn what_is_no_record_is_an_error() {
    let namespace = shared("us").namespace("no-record");
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: stablekey-record-us-prod}\ndata: {x: CANARY}\n";
    run_with_input(namespace.kubectl().args(["apply", "-f", "-"]), map).unwrap();
    let error = records(&namespace).read(TENANT).unwrap_err();
    assert!(error.to_string().contains("it has no record.json.gz"), "{error}");
    let map = map.replace("data: {x: CANARY}", "binaryData: {record.json.gz: Q0FOQVJZ}");
    run_with_input(namespace.kubectl().args(["replace", "-f", "-"]), &map).unwrap();
    let error = records(&namespace).read(TENANT).unwrap_err();
    assert!(error.to_string().contains("it is not compressed as a record is"), "{error}");
}
