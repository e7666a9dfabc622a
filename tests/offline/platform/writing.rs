//! Plans that are carried out on the platform.

use super::{Workplace, every_kind};
use stablekey_platform::store::{Connection, Version};
use stablekey_platform::{Answer, Fault, Region, Server, Store, Switches};

/// A tenant that was imported, with secrets from a folder that Git would not track.
fn imported(server: &Server) -> Workplace {
    let ours = Workplace::with_profiles(&[("us", server)]);
    ours.import("us-prod", server, "us").exits(0);
    ours.secrets("us-prod", &[]);
    server.take_requests();
    ours
}

fn mutations(server: &Server) -> Vec<String> {
    let requests = server.take_requests();
    requests.into_iter().filter(|request| request.writes).flat_map(|request| request.operations).collect()
}

fn new_connection(ours: &Workplace) {
    let yaml =
        ours.read("us-prod/connections/warehouse.yaml").replace("warehouse", "archive").replace("Warehouse", "Archive");
    ours.write("us-prod/connections/archive.yaml", &yaml);
    ours.secrets("us-prod", &[("archive/password", "archive-pass\n")]);
}

/// "a new connection is 1 create + at most 1 update", read back and planned again: nothing is left.
#[test]
fn a_new_connection_is_one_create() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    new_connection(&ours);
    ours.plan(&[]).exits(2).prints("+ create Connection/archive");
    assert!(mutations(&us).is_empty());
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0).prints("us-prod/Connection/archive");
    assert_eq!(mutations(&us), ["StablekeyCreateConnection"]);
    let sent = us.read(|store| {
        let made = store.connections.iter().find(|connection| connection.stable_key == "archive").unwrap();
        made.inputs.iter().find(|input| input.name == "password").unwrap().value.clone()
    });
    assert_eq!(sent.as_deref(), Some("archive-pass"));
    ours.plan(&[]).exits(0).does_not_print("create Connection/archive");
    // "a no-op plan and apply send 0 mutations".
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
    assert!(mutations(&us).is_empty());
}

/// "updates that change no input leave inputs out".
#[test]
fn a_new_title_sends_no_secret() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    ours.replace("us-prod/connections/warehouse.yaml", "title: Warehouse", "title: Data warehouse");
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
    let requests = us.take_requests();
    let update = requests.iter().find(|request| request.writes).unwrap();
    assert_eq!(update.variables["input"]["key"], "Data warehouse");
    assert!(update.variables["input"].get("inputs").is_none());
    ours.plan(&[]).exits(0);
}

/// "An absent value is a manual step and blocks only what would need it".
#[test]
fn a_secret_that_is_absent_blocks_what_needs_it() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    new_connection(&ours);
    std::fs::remove_file(ours.root().join("secrets/us-prod/archive/password")).unwrap();
    ours.replace("us-prod/connections/warehouse.yaml", "title: Warehouse", "title: Data warehouse");
    let plan = ours.plan(&[]).exits(3).prints("SK0166").prints("1 to update");
    plan.prints("secrets/us-prod/archive/password");
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(3);
    assert_eq!(mutations(&us), ["StablekeyUpdateConnection"]);
}

/// "a lost answer is looked for before it is sent again".
#[test]
fn a_create_whose_answer_is_lost_is_made_once() {
    for fault in [Fault::CutAfter, Fault::CutBefore] {
        let us = every_kind(Region::Us);
        let ours = imported(&us);
        new_connection(&ours);
        us.fault_on("StablekeyCreateConnection", 0, fault);
        ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
        let made = us.read(|store| store.connections.iter().filter(|c| c.stable_key == "archive").count());
        assert_eq!(made, 1);
        ours.plan(&[]).exits(0);
    }
}

/// An integration is imported bound to what its variables name.
#[test]
fn an_integration_is_imported_as_it_is_bound() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    ours.replace("us-prod/integrations/order-sync.yaml", "stableKey: acme-erp", "stableKey: warehouse");
    let applied = ours.run(&["apply", "--yes", "--allow-loopback"]);
    applied.exits(0);
    assert_eq!(mutations(&us), ["StablekeyImportIntegration"]);
    ours.plan(&[]).exits(0);
}

/// "two runs at once through one record: one writes, the other says who".
#[test]
fn a_second_run_says_who_writes() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    ours.replace("us-prod/connections/warehouse.yaml", "title: Warehouse", "title: Data warehouse");
    ours.edit_record("us-prod", |record| {
        let since = jiff::Timestamp::now().to_string();
        record["run"] = serde_json::json!({
            "id": "1", "who": "ann@laptop", "since": since, "command": "stablekey apply", "writes": ["Connection/crm"],
        });
    });
    ours.plan(&[]).exits(2).prints("ann@laptop writes to us-prod since");
    let applied = ours.run(&["apply", "--yes", "--allow-loopback"]).exits(1);
    applied.prints("us-prod (ann@laptop since ").prints("wait until it is done");
    assert!(mutations(&us).is_empty());
}

/// "A killed run is taken up from that push: a live field that is as it wanted counts as recorded".
#[test]
fn a_run_that_was_killed_is_taken_up() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    new_connection(&ours);
    ours.replace("us-prod/connections/acme-erp.yaml", "title: ", "title: New ");
    let whole = |ours: &Workplace| ours.record("us-prod");
    let before = whole(&ours);
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
    let after = whole(&ours);
    us.take_requests();
    // The run was killed after its writes, and before its receipt: the record is as the run left it when it began.
    let wants: serde_json::Map<String, serde_json::Value> = ["Connection/archive", "Connection/acme-erp"]
        .into_iter()
        .map(|name| (name.to_string(), after["objects"][name].clone()))
        .collect();
    ours.edit_record("us-prod", |record| {
        *record = before.clone();
        record["run"] = serde_json::json!({
            "id": "1", "who": "runner-7", "since": "2020-01-01T00:00:00Z", "command": "stablekey apply", "writes": [],
            "wants": wants,
        });
    });
    ours.plan(&[]).exits(0);
    // The next write ends it.
    ours.replace("us-prod/connections/warehouse.yaml", "title: Warehouse", "title: Data warehouse");
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
    assert_eq!(mutations(&us), ["StablekeyUpdateConnection"]);
    assert_eq!(whole(&ours)["objects"]["Connection/archive"], after["objects"]["Connection/archive"]);
    assert!(whole(&ours).get("run").is_none());
    ours.plan(&[]).exits(0);
}

/// "Credentials of customers that we supply, by external id".
#[test]
fn credentials_of_customers_are_written() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    let customer = us.read(|store| store.customers.iter().find_map(|customer| customer.external_id.clone()).unwrap());
    let yaml = format!(
        "apiVersion: stablekey.dev/v1alpha1\nkind: CustomerCredentials\nmetadata: {{name: of-one}}\nspec:\n  customer: \
         {customer}\n  connection: slack-notifications\n  name: second\n  inputs:\n    isUser: {{value: \"true\"}}\n"
    );
    ours.write("us-prod/credentials/of-one.yaml", &yaml);
    ours.run(&["apply", "--yes", "--allow-loopback"]).prints("CustomerCredentials/of-one");
    assert_eq!(mutations(&us), ["StablekeyCreateCredentials"]);
    ours.plan(&[]).does_not_print("+ create");
}

/// "each trouble (429, 500, cut before and after commit, answer lost, late read) at each request".
#[test]
fn every_trouble_at_any_request_is_overcome() {
    let faults: [fn() -> Fault; 6] = [
        || Fault::CutBefore,
        || Fault::CutAfter,
        || Fault::Answer(Answer::json(500, "{}")),
        || Fault::AnswerAfter(Answer::json(502, "{}")),
        || Fault::Answer(Answer::too_many(Some("0"))),
        || Fault::Cut(10),
    ];
    let requests = {
        let us = every_kind(Region::Us);
        let ours = changed(&us);
        ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
        us.take_requests().len()
    };
    assert!(requests > 10, "{requests}");
    std::thread::scope(|scope| {
        for (turn, fault) in faults.into_iter().enumerate() {
            scope.spawn(move || {
                // A sample, another one for each fault.
                for number in (turn..requests).step_by(faults.len()) {
                    let us = every_kind(Region::Us);
                    let ours = changed(&us);
                    us.fault_after(number, fault());
                    ours.run(&["apply", "--yes", "--allow-loopback"]);
                    us.clear_faults();
                    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
                    ours.plan(&[]).exits(0);
                    let made = us.read(|store| store.connections.iter().filter(|c| c.stable_key == "archive").count());
                    assert_eq!(made, 1, "request {number}");
                }
            });
        }
    });
}

/// A tenant with a new connection, a changed one, and an integration that moves to the new one.
fn changed(server: &Server) -> Workplace {
    let ours = imported(server);
    new_connection(&ours);
    ours.replace("us-prod/connections/acme-erp.yaml", "title: ", "title: New ");
    ours.replace("us-prod/integrations/order-sync.yaml", "stableKey: acme-erp", "stableKey: archive");
    ours
}

/// "your account may not", before any write.
#[test]
fn what_the_account_may_not_change_is_blocked() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    us.change(|store| connection_mut(store, "warehouse").is_locked = true);
    ours.replace("us-prod/connections/warehouse.yaml", "title: Warehouse", "title: Data warehouse");
    ours.plan(&[]).exits(3).prints("SK0169").prints("your account may not change Connection/warehouse");
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(3);
    assert!(mutations(&us).is_empty());
}

/// "Until a version is published and instances are moved to it, plan and receipt say so".
#[test]
fn a_draft_is_reported_until_it_is_in_use() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    ours.replace("us-prod/integrations/order-sync.yaml", "stableKey: acme-erp", "stableKey: warehouse");
    let applied = ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
    applied.prints("and 1 write sent").prints("order-sync is a draft");
    let draft = "order-sync is a draft: publish a new version (the last is 3), and move its 3 instances to it";
    ours.plan(&[]).exits(0).prints(draft);
    ours.run(&["status", "--todo", "--allow-loopback"]).prints(draft);
    // A person publishes it, and moves one instance.
    let id = us.read(|store| store.integrations.iter().find(|i| i.name == "Order Sync").unwrap().id.clone());
    us.change(|store| {
        let at = store.integrations.iter_mut().find(|i| i.id == id).unwrap();
        let number = at.versions.last().unwrap().number + 1;
        let last = at.versions.last().unwrap().clone();
        at.versions.push(Version { number, definition: at.draft.clone(), ..last });
        store
            .instances
            .iter_mut()
            .filter(|i| i.integration == id && !i.is_system)
            .take(1)
            .for_each(|i| i.version = number);
    });
    ours.plan(&[]).exits(0).prints("move 2 instances of order-sync to version 4: they run an older one");
    us.change(|store| store.instances.iter_mut().filter(|i| i.integration == id).for_each(|i| i.version = 4));
    ours.plan(&[]).exits(0).does_not_print("of order-sync");
    // The next write forgets it.
    assert_eq!(ours.record("us-prod")["objects"]["Integration/order-sync"]["pending"], 3);
    ours.replace("us-prod/connections/warehouse.yaml", "title: Warehouse", "title: Data warehouse");
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
    assert!(ours.record("us-prod")["objects"]["Integration/order-sync"].get("pending").is_none());
}

/// "publish where the Tenant says so": what is left is to move the instances.
#[test]
fn an_import_is_published_where_the_tenant_says_so() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    ours.replace("tenants.yaml", "      secrets:", "      publish: true\n      secrets:");
    ours.replace("us-prod/integrations/order-sync.yaml", "stableKey: acme-erp", "stableKey: warehouse");
    ours.plan(&[]).prints("move 3 instances of order-sync to the version that is published");
    us.fault_on("StablekeyPublishIntegration", 0, Fault::CutAfter);
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
    assert_eq!(mutations(&us), ["StablekeyImportIntegration", "StablekeyPublishIntegration"]);
    let versions = us.read(|store| store.integrations.iter().find(|i| i.name == "Order Sync").unwrap().versions.len());
    assert_eq!(versions, 4);
    ours.plan(&[]).exits(0).prints("move 3 instances of order-sync to version 4: they run an older one");
}

/// "apply --resend KEY[/INPUT] --tenant T: an action with a reason, in the plan".
#[test]
fn a_secret_is_sent_again() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    ours.secrets("us-prod", &[("warehouse/password", "new-pass")]);
    ours.plan(&[]).exits(0);
    let resend = ["--tenant", "us-prod", "--resend", "warehouse/password"];
    ours.plan(&resend).exits(2).prints("its secret is sent again, as --resend asks").does_not_print("new-pass");
    let apply = [&["apply", "--yes", "--allow-loopback"][..], &resend].concat();
    ours.run(&apply).exits(0);
    assert_eq!(mutations(&us), ["StablekeyUpdateConnection"]);
    assert_eq!(us.read(|store| value(store, "warehouse", "password")).as_deref(), Some("new-pass"));
    ours.plan(&[]).exits(0);
    // What cannot be sent is an error, and never passed over.
    ours.plan(&["--tenant", "us-prod", "--resend", "warehouse/hostt"]).exits(1).prints("no writer declares the secret");
    ours.plan(&["--tenant", "us-prod", "--resend", "nothing"]).exits(1).prints("has no connection nothing");
    ours.plan(&["--resend", "warehouse"]).exits(1).prints("--tenant");
}

/// Rotation: raising the version of a reference sends the new content.
#[test]
fn a_higher_version_sends_the_secret() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    ours.secrets("us-prod", &[("warehouse/password", "rotated-pass")]);
    ours.replace("us-prod/connections/warehouse.yaml", "key: password\n", "key: password\n        version: \"2\"\n");
    ours.plan(&[]).exits(2).prints("~ update Connection/warehouse");
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0).does_not_print("rotated-pass");
    assert_eq!(us.read(|store| value(store, "warehouse", "password")).as_deref(), Some("rotated-pass"));
    ours.plan(&[]).exits(0);
    // A checkout from before has the old secret too.
    mutations(&us);
    ours.replace("us-prod/connections/warehouse.yaml", "        version: \"2\"\n", "");
    ours.plan(&[]).exits(2).prints("SK0171").prints("is this checkout the newest?");
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(2);
    assert!(mutations(&us).is_empty());
}

/// "env: the variable STABLEKEY_SECRET_<TENANT>__<NAME>__<KEY>"; two references on one variable are an error on both.
#[test]
fn secrets_come_from_the_environment() {
    let us = every_kind(Region::Us);
    let ours = Workplace::with_profiles(&[("us", &us)])
        .variable("STABLEKEY_SECRET_US_PROD__ARCHIVE__PASSWORD", "from-the-environment");
    ours.import("us-prod", &us, "us").exits(0);
    us.take_requests();
    ours.replace("tenants.yaml", "      tokenFrom:", "      secrets: {env: true}\n      tokenFrom:");
    let yaml =
        ours.read("us-prod/connections/warehouse.yaml").replace("warehouse", "archive").replace("Warehouse", "Archive");
    ours.write("us-prod/connections/archive.yaml", &yaml);
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0).does_not_print("from-the-environment");
    assert_eq!(us.read(|store| value(store, "archive", "password")).as_deref(), Some("from-the-environment"));
    mutations(&us);
    // Another spelling of the same variable.
    let other = yaml.replace("stableKey: archive", "stableKey: archive2").replace("name: archive", "name: archive2");
    let other = other.replace("name: archive2\n        key: password", "name: archive\n        key: PASSWORD");
    ours.write("us-prod/connections/archive2.yaml", &other);
    let plan = ours.plan(&[]).exits(1).prints("SK0167");
    plan.prints(
        "archive/PASSWORD and archive/password are all supplied by STABLEKEY_SECRET_US_PROD__ARCHIVE__PASSWORD",
    );
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(1);
    assert!(mutations(&us).is_empty());
}

/// "two tenants with one directory are errors".
#[test]
fn two_tenants_do_not_share_secrets() {
    let (us, eu) = (every_kind(Region::Us), every_kind(Region::Eu));
    let ours = Workplace::with_profiles(&[("us", &us), ("eu", &eu)]);
    ours.import("us-prod", &us, "us").exits(0);
    ours.import("eu-prod", &eu, "eu").exits(0);
    ours.replace("tenants.yaml", "      tokenFrom:", "      secrets: {directory: secrets}\n      tokenFrom:");
    let plan = ours.plan(&[]).exits(1);
    plan.prints("with its secrets has those of eu-prod too").prints("with its secrets has those of us-prod too");
}

/// A message of the platform that quotes what it was sent shows no secret.
#[test]
fn a_refusal_that_quotes_a_secret_is_not_printed() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    new_connection(&ours);
    let quoting =
        r#"{"data":{"done":{"object":null,"errors":[{"field":"inputs","messages":["archive-pass is too short"]}]}}}"#;
    us.fault_on("StablekeyCreateConnection", 0, Fault::Answer(Answer::json(200, quoting)));
    let applied = ours.run(&["apply", "--yes", "--allow-loopback"]).exits(1);
    applied.does_not_print("archive-pass").prints("inputs: … is too short");
}

/// "test credentials (with redeploy: the fake's test instance sees the new value at once)".
#[test]
fn test_credentials_reach_the_test_instance() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    ours.secrets("us-prod", &[("acme-erp-test/apiKey", "new-test-key")]);
    let yaml = ours.read("us-prod/connections/acme-erp.yaml");
    let test = yaml.find("  test:\n").unwrap_or_else(|| panic!("{yaml}"));
    let (own, test) = yaml.split_at(test);
    let test = test.replacen("key: apiKey\n", "key: apiKey\n          version: \"2\"\n", 1);
    ours.write("us-prod/connections/acme-erp.yaml", &format!("{own}{test}"));
    let applied = ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
    applied.does_not_print("new-test-key");
    assert_eq!(mutations(&us), ["StablekeyUpdateCredentials"]);
    let deployed = us.read(|store| {
        let tests = store.instances.iter().filter(|instance| instance.is_system);
        tests.flat_map(|instance| instance.deployed.get("acme-erp").cloned().unwrap_or_default()).collect::<Vec<_>>()
    });
    let keys: Vec<_> =
        deployed.iter().filter(|input| input.name == "apiKey").map(|input| input.value.clone()).collect();
    assert!(!keys.is_empty() && keys.iter().all(|key| key.as_deref() == Some("new-test-key")), "{keys:?}");
    ours.plan(&[]).exits(0);
}

/// "delete only under all rules of removal", and what nobody can bring back is asked for.
#[test]
fn a_removal_that_ends_old_versions_needs_approval() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    std::fs::remove_file(ours.root().join("us-prod/connections/legacy-billing.yaml")).unwrap();
    ours.replace(
        "tenants.yaml",
        "    path: us-prod\n",
        "    path: us-prod\n    prune: true\n  policy: {actions: [Create, Update, Delete]}\n",
    );
    ours.plan(&[]).prints("others made it");
    ours.edit_record("us-prod", |record| {
        let object = &mut record["objects"]["Connection/legacy-billing"];
        let wrote = object["wrote"].as_str().unwrap().replacen(" - ", " made ", 1);
        object["wrote"] = wrote.into();
        object["deletionPolicy"] = "Delete".into();
    });
    let plan = ours.plan(&[]).exits(2).prints("! delete Connection/legacy-billing");
    plan.prints("old versions of 1 integration use it, and can never be enabled again").prints("SK0168");
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(2);
    assert!(mutations(&us).is_empty());
    us.change(|store| connection_mut(store, "legacy-billing").is_kept = true);
    ours.plan(&[]).exits(0).prints("your account may not remove it");
    us.change(|store| connection_mut(store, "legacy-billing").is_kept = false);
    let digest = ours.digest("us-prod", "source");
    ours.run(&["apply", "--approve", &digest, "--allow-loopback"]).exits(0);
    assert_eq!(mutations(&us), ["StablekeyDeleteConnection"]);
    ours.plan(&[]).exits(0);
}

/// Credentials that we supplied go with their manifest, where the source prunes.
#[test]
fn credentials_of_customers_are_changed_and_removed() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    let customer = us.read(|store| store.customers.iter().find_map(|customer| customer.external_id.clone()).unwrap());
    let yaml = format!(
        "apiVersion: stablekey.dev/v1alpha1\nkind: CustomerCredentials\nmetadata: {{name: of-one}}\nspec:\n  customer: \
         {customer}\n  connection: slack-notifications\n  name: second\n  inputs:\n    isUser: {{value: \"true\"}}\n"
    );
    ours.write("us-prod/credentials/of-one.yaml", &yaml);
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
    ours.replace("us-prod/credentials/of-one.yaml", "\"true\"", "\"false\"");
    // Somebody changes them after the plan was made: what differs from it is not overwritten.
    us.fault_on(
        "StablekeyCredentials",
        1,
        Fault::between(|store| {
            let set = store.credentials.iter_mut().find(|set| set.key.as_deref() == Some("second")).unwrap();
            set.inputs.iter_mut().for_each(|input| input.value = Some("theirs".into()));
        }),
    );
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(1).prints("was changed since it was planned");
    us.change(|store| {
        let set = store.credentials.iter_mut().find(|set| set.key.as_deref() == Some("second")).unwrap();
        set.inputs.iter_mut().for_each(|input| input.value = Some("true".into()));
    });
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
    assert_eq!(mutations(&us).last().map(String::as_str), Some("StablekeyUpdateCredentials"));
    std::fs::remove_file(ours.root().join("us-prod/credentials/of-one.yaml")).unwrap();
    ours.plan(&[]).exits(0).prints("source does not prune");
    ours.replace(
        "tenants.yaml",
        "    path: us-prod\n",
        "    path: us-prod\n    prune: true\n  policy: {actions: [Create, Update, Delete]}\n",
    );
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
    assert_eq!(mutations(&us), ["StablekeyDeleteCredentials"]);
    ours.plan(&[]).exits(0);
}

fn connection_mut<'s>(store: &'s mut Store, key: &str) -> &'s mut Connection {
    store.connections.iter_mut().find(|connection| connection.stable_key == key).unwrap()
}

fn value(store: &Store, key: &str, input: &str) -> Option<String> {
    let found = store.connections.iter().find(|connection| connection.stable_key == key)?;
    found.inputs.iter().find(|found| found.name == input)?.value.clone()
}

/// Secrets of an integration's own connections are on the platform only: an import keeps them beside the same values, and
/// asks before it empties one.
#[test]
fn secrets_of_an_integrations_own_connections_stay() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    let own = "  - key: Own\n    stableKey: own\n    dataType: connection\n    connection: {component: {key: http, \
               isPublic: true, version: 12}, key: basic}\n    inputs:\n      username: {type: value, value: user}\n      \
               password: {type: value, value: own-pass}\n";
    us.change(|store| {
        let found = store.integrations.iter_mut().find(|found| found.name == "Order Sync").unwrap();
        let text = found.draft.text.replace("requiredConfigVars:\n", &format!("requiredConfigVars:\n{own}"));
        found.draft = std::sync::Arc::new(stablekey_platform::definition::Definition::parse(&text).unwrap());
        found.updated += 1;
    });
    ours.import("us-prod", &us, "us").exits(0).does_not_print("own-pass");
    us.take_requests();
    let file = "us-prod/integrations/order-sync.definition";
    assert!(ours.read(file).contains("key: Own") && !ours.read(file).contains("own-pass"));
    ours.replace(file, "*/5 * * * *", "*/7 * * * *");
    let draft =
        || us.read(|store| store.integrations.iter().find(|i| i.name == "Order Sync").unwrap().draft.text.clone());
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0).does_not_print("own-pass");
    assert!(draft().contains("own-pass") && draft().contains("*/7"), "{}", draft());
    ours.plan(&[]).exits(0);
    // Beside another user it would be sent elsewhere.
    ours.replace(file, "value: user\n", "value: other\n");
    ours.plan(&[]).exits(2).prints("the import empties secrets that only the platform has");
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(2);
    assert!(draft().contains("own-pass"));
    // Somebody edits the draft meanwhile: it is not overwritten.
    ours.replace(file, "value: other\n", "value: user\n");
    ours.replace(file, "*/7 * * * *", "*/9 * * * *");
    us.fault_on(
        "StablekeyDefinitions",
        0,
        Fault::between(|store| {
            let found = store.integrations.iter_mut().find(|found| found.name == "Order Sync").unwrap();
            let text = found.draft.text.replace("*/7", "*/8");
            found.draft = std::sync::Arc::new(stablekey_platform::definition::Definition::parse(&text).unwrap());
        }),
    );
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(1).prints("was changed since it was planned");
    assert!(draft().contains("*/8"));
}

/// A folder of live manifests, whose connections and integration go to an organization.
fn folder_tenant(ours: &Workplace, from: &str) {
    let tenants = ours.read("tenants.yaml");
    let folder = format!(
        "---\napiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {{name: {from}}}\nspec:\n  location: {{directory: \
         {{path: {from}}}}}\n"
    );
    ours.write("tenants.yaml", &format!("{tenants}{folder}"));
}

fn accepting(ours: &Workplace, tenant: &str, from: &str) {
    let name = format!("  name: {tenant}\nspec:\n");
    ours.replace("tenants.yaml", &name, &format!("{name}  acceptFrom: [{from}]\n"));
}

fn mirror(ours: &Workplace, from: &str, to: &str, integrations: &str) {
    let sync = format!(
        "apiVersion: stablekey.dev/v1alpha1\nkind: TenantSync\nmetadata: {{name: across}}\nspec:\n  from: {from}\n  to: \
         [{to}]\n  integrations: [{integrations}]\n  connections: Mirror\n"
    );
    ours.write("syncs.yaml", &sync);
}

/// "A sync goes … platform → platform": made there, bound there by stable key, with the latest components of that stack.
#[test]
fn a_sync_goes_from_one_stack_to_another() {
    let (us, eu) = (every_kind(Region::Us), every_kind(Region::Eu));
    let ours = Workplace::with_profiles(&[("us", &us), ("eu", &eu)]);
    ours.import("us-prod", &us, "us").exits(0);
    ours.import("eu-prod", &eu, "eu").exits(0);
    eu.take_requests();
    accepting(&ours, "eu-prod", "us-prod");
    mirror(&ours, "us-prod", "eu-prod", "slack-alerts");
    // The secrets that the new connections need are eu-prod's own.
    let blocked = ours.plan(&["--tenant", "eu-prod"]).exits(3).prints("SK0166");
    blocked.prints("add secrets to the location of Tenant eu-prod");
    let secrets = ["slack-internal/clientSecret", "http-status/apiKey"].map(|name| (name, "eu-secret\n"));
    ours.secrets("eu-prod", &secrets);
    let file = ours.home().join("plan.json");
    let file = file.to_str().unwrap();
    ours.plan(&["--tenant", "eu-prod", "--out", file]).prints("create Integration/slack-alerts");
    ours.run(&["apply", "--plan", file, "--allow-loopback"]).does_not_print("eu-secret");
    let sent = mutations(&eu);
    assert!(sent.contains(&"StablekeyImportIntegration".to_string()), "{sent:?}");
    assert_eq!(sent.last().map(String::as_str), Some("StablekeyImportIntegration"), "{sent:?}");
    let draft =
        eu.read(|store| store.integrations.iter().find(|i| i.name == "Slack Alerts").unwrap().draft.text.clone());
    assert!(draft.contains("version: LATEST") && draft.contains("useScopedConfigVar"), "{draft}");
    ours.plan(&["--tenant", "eu-prod"]).does_not_print("create").does_not_print("update");
    assert!(mutations(&us).is_empty());
}

/// "folder → platform".
#[test]
fn a_sync_goes_from_a_folder_to_a_stack() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    folder_tenant(&ours, "staging");
    for kind in ["components", "connections", "integrations"] {
        for entry in std::fs::read_dir(ours.root().join("us-prod").join(kind)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_string();
            ours.write(&format!("staging/{kind}/{name}"), &std::fs::read_to_string(&path).unwrap());
        }
    }
    ours.replace("staging/integrations/order-sync.definition", "*/5 * * * *", "*/11 * * * *");
    std::fs::remove_file(ours.root().join("us-prod/integrations/order-sync.yaml")).unwrap();
    std::fs::remove_file(ours.root().join("us-prod/integrations/order-sync.definition")).unwrap();
    accepting(&ours, "us-prod", "staging");
    mirror(&ours, "staging", "us-prod", "order-sync");
    ours.edit_record("us-prod", |record| {
        let object = &mut record["objects"]["Integration/order-sync"];
        let wrote = object["wrote"].as_str().unwrap().replace("@source", "@sync/across");
        object["wrote"] = wrote.into();
    });
    ours.run(&["apply", "--yes", "--allow-loopback"]).prints("us-prod/Integration/order-sync");
    let draft = us.read(|store| store.integrations.iter().find(|i| i.name == "Order Sync").unwrap().draft.text.clone());
    assert!(draft.contains("*/11 * * * *"), "{draft}");
    ours.plan(&[]).does_not_print("update");
}

/// "late read": what was written is seen some requests later, and is not written twice.
#[test]
fn what_is_seen_late_is_written_once() {
    for (unique_keys, lag) in [(true, 2), (true, 30), (false, 2), (false, 30)] {
        let us = super::with(Region::Us, Switches { unique_keys, ..Switches::default() });
        let ours = changed(&us);
        us.set_lag(lag);
        // Each run reads some more, so that in the end it sees everything.
        for _ in 0..5 {
            ours.run(&["apply", "--yes", "--allow-loopback"]);
        }
        ours.plan(&[]).exits(0);
        let made = us.read(|store| store.connections.iter().filter(|c| c.stable_key == "archive").count());
        assert_eq!(made, 1, "{unique_keys} {lag}");
    }
}

/// A publication that failed is made again by the next apply, and one whose answer was lost is found, also where an older
/// version has the same definition.
#[test]
fn a_publication_that_failed_is_made_again() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    ours.replace("tenants.yaml", "      secrets:", "      publish: true\n      secrets:");
    let versions =
        || us.read(|store| store.integrations.iter().find(|i| i.name == "Order Sync").unwrap().versions.len());
    let before = versions();
    ours.replace("us-prod/integrations/order-sync.definition", "*/5 * * * *", "*/7 * * * *");
    let refused = r#"{"data":{"done":{"object":null,"errors":[{"field":"comment","messages":["Not now."]}]}}}"#;
    us.fault_on("StablekeyPublishIntegration", 0, Fault::Answer(Answer::json(200, refused)));
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(1).prints("Not now.");
    ours.plan(&[]).exits(2).prints("it is a draft, and is to be published");
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
    assert_eq!(versions(), before + 1);
    ours.plan(&[]).exits(0).does_not_print("is a draft");
    // Undone, and done again: an older version has this definition and its comment.
    for (from, to) in [("*/7 * * * *", "*/5 * * * *"), ("*/5 * * * *", "*/7 * * * *")] {
        ours.replace("us-prod/integrations/order-sync.definition", from, to);
        us.fault_on("StablekeyPublishIntegration", 0, Fault::CutBefore);
        ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
    }
    assert_eq!(versions(), before + 3);
}

/// A secret that is sent again is sent, whatever happens to the first request.
#[test]
fn a_secret_that_is_sent_again_arrives() {
    let faults: [fn() -> Fault; 4] = [
        || Fault::CutBefore,
        || Fault::CutAfter,
        || Fault::Answer(Answer::json(500, "{}")),
        || Fault::AnswerAfter(Answer::json(502, "{}")),
    ];
    for fault in faults {
        let us = every_kind(Region::Us);
        let ours = imported(&us);
        ours.secrets("us-prod", &[("warehouse/password", "new-pass")]);
        us.fault_on("StablekeyUpdateConnection", 0, fault());
        let resend = ["apply", "--yes", "--allow-loopback", "--tenant", "us-prod", "--resend", "warehouse"];
        ours.run(&resend).exits(0);
        assert_eq!(us.read(|store| value(store, "warehouse", "password")).as_deref(), Some("new-pass"));
        assert_eq!(us.clear_faults(), 0);
    }
}

/// What was half done is recorded: it is ours, and is not made again.
#[test]
fn what_was_half_done_is_ours() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    let yaml = ours.read("us-prod/connections/acme-erp.yaml").replace("acme-erp", "archive");
    ours.write("us-prod/connections/archive.yaml", &yaml);
    ours.secrets("us-prod", &[("archive/apiKey", "a"), ("archive-test/apiKey", "b")]);
    for _ in 0..3 {
        let refused = r#"{"data":{"done":{"object":null,"errors":[{"field":"inputs","messages":["No."]}]}}}"#;
        us.fault_on("StablekeyCreateCredentials", 0, Fault::Answer(Answer::json(200, refused)));
    }
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(1);
    us.clear_faults();
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
    ours.plan(&[]).exits(0);
    let made = us.read(|store| store.connections.iter().filter(|c| c.stable_key == "archive").count());
    assert_eq!(made, 1);
    let recorded = &ours.record("us-prod")["objects"]["Connection/archive"];
    assert!(recorded["wrote"].as_str().unwrap().contains(" made "), "{recorded}");
    assert!(recorded["id"].is_string(), "{recorded}");
}

/// Credentials of a customer that get another name are the same set; two names for one set are an error on both.
#[test]
fn one_set_of_credentials_is_one_object() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    ours.replace(
        "tenants.yaml",
        "    path: us-prod\n",
        "    path: us-prod\n    prune: true\n  policy: {actions: [Create, Update, Delete]}\n",
    );
    let of = |name: &str, customer: &str| {
        format!(
            "apiVersion: stablekey.dev/v1alpha1\nkind: CustomerCredentials\nmetadata: {{name: {name}}}\nspec:\n  customer: \
             {customer}\n  connection: slack-notifications\n  name: second\n  inputs:\n    isUser: {{value: \"true\"}}\n"
        )
    };
    ours.write("us-prod/credentials/one.yaml", &of("one", "globex-1"));
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
    mutations(&us);
    ours.write("us-prod/credentials/one.yaml", &of("other", "Globex"));
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
    ours.plan(&[]).exits(0).does_not_print("delete");
    assert!(mutations(&us).is_empty());
    ours.write("us-prod/credentials/two.yaml", &of("two", "globex-1"));
    ours.plan(&[]).exits(1).prints("are one set of the platform: keep one of them");
    std::fs::remove_file(ours.root().join("us-prod/credentials/two.yaml")).unwrap();
    // Another customer is another set: what was ours is never lost sight of.
    ours.write("us-prod/credentials/one.yaml", &of("other", "initech"));
    ours.plan(&[]).exits(1).prints("these never change: give the new credentials another name");
    assert!(mutations(&us).is_empty());
}

/// A connection and its credentials of a customer in one plan.
#[test]
fn a_new_connection_gets_its_credentials_in_one_apply() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    let yaml = ours.read("us-prod/connections/slack-notifications.yaml").replace("slack-notifications", "slack2");
    ours.write("us-prod/connections/slack2.yaml", &yaml);
    ours.secrets("us-prod", &[("slack2/clientSecret", "s")]);
    ours.write(
        "us-prod/credentials/one.yaml",
        "apiVersion: stablekey.dev/v1alpha1\nkind: CustomerCredentials\nmetadata: {name: one}\nspec:\n  customer: \
         globex-1\n  connection: slack2\n  inputs:\n    isUser: {value: \"true\"}\n",
    );
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
    ours.plan(&[]).exits(0);
}

/// A manifest with another name is the integration of its title; two of one title are blocked, and nothing is removed.
#[test]
fn a_title_that_is_taken_is_blocked() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    let yaml = ours.read("us-prod/integrations/order-sync.yaml");
    ours.write("us-prod/integrations/order-sync.yaml", &yaml.replace("  name: order-sync\n", "  name: orders\n"));
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0).does_not_print("create");
    ours.plan(&[]).exits(0);
    assert!(mutations(&us).is_empty());
    ours.replace("us-prod/integrations/warehouse-export.yaml", "title: Warehouse Export", "title: Order Sync");
    ours.plan(&[]).exits(3).prints("SK0123").prints("give one of them another title");
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(3);
    assert!(mutations(&us).is_empty());
}

/// An empty input is none, and what cannot be sent does not count as supplied.
#[test]
fn what_is_empty_is_not_there() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    ours.secrets("us-prod", &[("warehouse/password", "w")]);
    ours.replace("us-prod/connections/warehouse.yaml", "value: exporter", "value: \"\"");
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
    ours.plan(&[]).exits(0);
    new_connection(&ours);
    for content in ["\n", ""] {
        ours.secrets("us-prod", &[("archive/password", content)]);
        ours.plan(&[]).exits(3).prints("SK0166");
    }
    std::fs::write(ours.root().join("secrets/us-prod/archive/password"), vec![b'x'; 10_000]).unwrap();
    ours.plan(&[]).exits(3).prints("SK0166");
}

/// A refusal that quotes a secret of several lines, in any field, shows none of them.
#[test]
fn a_secret_of_several_lines_is_not_printed() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    new_connection(&ours);
    ours.secrets("us-prod", &[("archive/password", "-----BEGIN\nfirst-line-of-it\nsecond-line-of-it\n")]);
    let quoting = r#"{"data":{"done":{"object":null,"errors":[{"field":"second-line-of-it","messages":["first-line-of-it second-line-of-it"]}]}}}"#;
    us.fault_on("StablekeyCreateConnection", 0, Fault::Answer(Answer::json(200, quoting)));
    let applied = ours.run(&["apply", "--yes", "--allow-loopback"]).exits(1);
    applied.does_not_print("first-line-of-it").does_not_print("second-line-of-it");
}

/// An apply that is killed after an import which is not as it is declared is taken up too.
#[test]
fn an_import_with_other_bindings_is_taken_up() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    ours.replace("us-prod/integrations/order-sync.yaml", "stableKey: acme-erp", "stableKey: warehouse");
    for _ in 0..8 {
        us.fault_on("StablekeyImportIntegration", 0, Fault::AnswerAfter(Answer::json(500, "{}")));
    }
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(1);
    us.clear_faults();
    ours.plan(&[]).exits(0).does_not_print("drifted");
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
    ours.plan(&[]).exits(0).prints("order-sync is a draft");
}

/// "from the record where there is one": each run that changed something leaves a receipt, the last 16 are kept, and a run
/// that changed nothing leaves none.
#[test]
fn the_record_keeps_the_receipts_of_the_last_runs() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    let receipts = || ours.record("us-prod")["receipts"].as_array().cloned().unwrap_or_default();
    let receipts_of =
        |arguments: &[&str]| ours.run(&[&["status", "--receipts", "--allow-loopback"], arguments].concat());
    new_connection(&ours);
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
    let first = receipts();
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!(first[0]["counts"]["create"], 1);
    assert!(first[0]["digest"].as_str().unwrap().starts_with("sha256:"));
    assert!(first[0].get("failed").is_none());
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
    assert_eq!(receipts(), first, "nothing changed");
    receipts_of(&[]).exits(0).prints("us-prod by ").prints("1 created").prints("Applied");

    // A part of a run fails.
    ours.replace("us-prod/connections/warehouse.yaml", "title: Warehouse", "title: Data warehouse");
    ours.replace("us-prod/connections/acme-erp.yaml", "title: ", "title: New ");
    let refused = r#"{"data":{"done":{"object":null,"errors":[{"field":"key","messages":["Not now."]}]}}}"#;
    us.fault_on("StablekeyUpdateConnection", 0, Fault::Answer(Answer::json(200, refused)));
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(1);
    let now = receipts();
    assert_eq!((now.len(), &now[1]), (2, &first[0]));
    assert_eq!((&now[0]["counts"]["update"], &now[0]["failed"]), (&serde_json::json!(1), &serde_json::json!(1)));
    receipts_of(&["--tenant", "us-prod"]).exits(0).prints("1 updated  1 failed");
    // The oldest goes.
    ours.edit_record("us-prod", |record| {
        let old = record["receipts"][1].clone();
        record["receipts"] = serde_json::Value::Array(vec![old; 16]);
    });
    ours.run(&["apply", "--yes", "--allow-loopback"]).exits(0);
    let now = receipts();
    assert_eq!((now.len(), &now[0]["counts"]["update"]), (16, &serde_json::json!(1)));
    receipts_of(&["-o", "json"]).exits(0).prints("stablekey.dev/receipts/v1");
    receipts_of(&["--tenant", "us-prd"]).exits(1).prints("did you mean us-prod?");
}
