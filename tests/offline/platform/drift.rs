//! Drift on the platform is ended as elsewhere: by `revert`, or by `keep`.

use super::{Workplace, every_kind};
use stablekey_platform::store::Connection;
use stablekey_platform::{Region, Server, Store};

fn imported(server: &Server) -> Workplace {
    let ours = Workplace::with_profiles(&[("us", server)]);
    ours.import("us-prod", server, "us").exits(0);
    ours.secrets("us-prod", &[("warehouse/password", "warehouse-pass\n")]);
    server.take_requests();
    ours
}

fn mutations(server: &Server) -> Vec<String> {
    let requests = server.take_requests();
    requests.into_iter().filter(|request| request.writes).flat_map(|request| request.operations).collect()
}

fn warehouse(store: &mut Store) -> &mut Connection {
    store.connections.iter_mut().find(|connection| connection.stable_key == "warehouse").unwrap()
}

const KEEP: [&str; 5] = ["keep", "us-prod", "Connection/warehouse", "--yes", "--allow-loopback"];

#[test]
fn a_title_is_put_back_by_one_update_that_sends_no_input() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    us.change(|store| warehouse(store).key = "Warehouse (new)".into());
    let plan = ours.plan(&[]).exits(3).prints("stablekey revert us-prod Connection/warehouse title");
    plan.prints("stablekey keep us-prod Connection/warehouse title --reason");
    us.take_requests();
    let revert = ["revert", "us-prod", "Connection/warehouse", "title", "--yes", "--allow-loopback"];
    ours.run(&revert).exits(0).prints("no action is left");
    let requests = us.take_requests();
    let writes: Vec<_> = requests.iter().filter(|request| request.writes).collect();
    assert_eq!(writes.len(), 1);
    assert_eq!(writes[0].operations, ["StablekeyUpdateConnection"]);
    assert!(writes[0].variables["input"].get("inputs").is_none());
    assert_eq!(us.read(|store| store.connections.iter().filter(|c| c.key == "Warehouse (new)").count()), 0);
    ours.plan(&[]).exits(0);
    ours.run(&revert).exits(0).prints("nothing to put back");
    assert!(mutations(&us).is_empty());
}

/// "a drifted input is put back by one update".
#[test]
fn an_input_is_put_back_by_one_update() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    let (name, before) = us.read(|store| {
        let found = store.connections.iter().find(|connection| connection.stable_key == "warehouse").unwrap();
        let input = found.inputs.iter().find(|input| input.name == "database").unwrap();
        (input.name.clone(), input.value.clone())
    });
    let changed = name.clone();
    us.change(move |store| {
        let input = warehouse(store).inputs.iter_mut().find(|input| input.name == changed).unwrap();
        input.value = Some("elsewhere".into());
    });
    let field = format!("inputs.{name}");
    ours.plan(&[]).exits(3).prints(&format!("stablekey revert us-prod Connection/warehouse {field}"));
    us.take_requests();
    ours.run(&["revert", "us-prod", "Connection/warehouse", &field, "--yes", "--allow-loopback"]).exits(0);
    assert_eq!(mutations(&us), ["StablekeyUpdateConnection"]);
    let after = us.read(|store| {
        let found = store.connections.iter().find(|connection| connection.stable_key == "warehouse").unwrap();
        found.inputs.iter().find(|input| input.name == "database").unwrap().value.clone()
    });
    assert_eq!(after, before);
    ours.plan(&[]).exits(0);
}

/// The live value goes into the source, the record follows, and nothing is sent.
#[test]
fn a_live_value_is_kept_and_nothing_is_sent() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    us.change(|store| warehouse(store).key = "Warehouse (new)".into());
    ours.run(&KEEP).exits(0).prints("drift: us-prod/Connection/warehouse title");
    assert!(ours.read("us-prod/connections/warehouse.yaml").contains("Warehouse (new)"));
    ours.plan(&[]).exits(0).does_not_print("to adopt");
    // An interrupted run: the file is written, and the record is not.
    us.change(|store| warehouse(store).key = "Warehouse (newer)".into());
    ours.replace("us-prod/connections/warehouse.yaml", "Warehouse (new)", "Warehouse (newer)");
    ours.run(&KEEP).exits(0).prints("The ownership record of us-prod follows.");
    ours.plan(&[]).exits(0).does_not_print("to adopt");
    assert!(mutations(&us).is_empty());
}
