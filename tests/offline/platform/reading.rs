//! Plans against live: what changed on the platform, and what could not be read there.

use super::{Workplace, every_kind, started};
use stablekey_platform::{Answer, Fault, Platform, Region, Server, Store, seed};
use stablekey_testing::cli::files;

/// A tenant that was imported.
fn imported(server: &Server) -> Workplace {
    let ours = Workplace::with_profiles(&[("us", server)]);
    ours.import("us-prod", server, "us").exits(0);
    server.take_requests();
    ours
}

fn connection<'s>(store: &'s mut Store, key: &str) -> &'s mut stablekey_platform::store::Connection {
    store.connections.iter_mut().find(|connection| connection.stable_key == key).unwrap()
}

#[test]
fn what_people_change_on_the_platform_is_drift() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    us.change(|store| connection(store, "warehouse").key = "Warehouse (new)".into());
    let plan = ours.plan(&[]).exits(3).prints("drift").prints("Connection/warehouse").prints("Warehouse (new)");
    plan.does_not_print("SK0101");
    ours.replace("tenants.yaml", "  source:", "  policy: {drift: Ignore}\n  source:");
    ours.plan(&[]).exits(0);
}

/// A plan writes nothing.
#[test]
fn what_is_desired_is_planned_and_not_written() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    ours.secrets("us-prod", &[("archive/password", "a"), ("salesforce-crm/clientSecret", "b")]);
    let yaml = ours.read("us-prod/connections/warehouse.yaml").replace("warehouse", "archive");
    ours.write("us-prod/connections/archive.yaml", &yaml.replace("Warehouse", "Archive"));
    ours.replace("us-prod/connections/salesforce-crm.yaml", "api refresh_token", "api refresh_token id");
    let plan = ours
        .plan(&[])
        .exits(2)
        .prints("+ create Connection/archive")
        .prints("update Connection/salesforce-crm needs approval");
    // The impact: who uses it, and how many customers sign in again.
    plan.prints("2 customers must sign in to salesforce-crm again: scopes changes").prints("affects 1 integration");
    assert!(us.take_requests().iter().all(|request| !request.writes));
}

/// "A definition is read again where versionNumber or updatedAt moved".
#[test]
fn a_definition_is_read_again_only_where_it_changed() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    ours.plan(&[]).exits(0);
    assert!(!us.take_requests().iter().any(|request| request.query.contains("definition(")));
    us.change(|store| {
        let now = store.tick();
        let integration = store.integrations.iter_mut().find(|i| i.name == "Order Sync").unwrap();
        let text = integration.draft.text.replace("salesforce-crm", "slack-notifications");
        integration.draft = stablekey_platform::definition::Definition::parse(&text).unwrap().into();
        integration.updated = now;
    });
    let plan = ours.plan(&[]).exits(3).prints("Integration/order-sync");
    plan.prints("slack-notifications");
    let asked = us.take_requests();
    let definitions: Vec<_> = asked.iter().filter(|request| request.query.contains("definition(")).collect();
    assert_eq!(definitions.len(), 1);
    assert_eq!(definitions[0].variables.as_object().unwrap().len(), 1, "only the one that changed");
}

/// "every answer checked for `errors` and null nodes; … a part that could not be read is unknown".
#[test]
fn what_could_not_be_read_is_unknown_and_nothing_is_missing() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    for (list, what) in [
        ("StablekeyConnections", "the list of connections of us-prod"),
        ("StablekeyComponents", "the list of components of us-prod"),
        ("StablekeyIntegrations", "the list of integrations of us-prod"),
    ] {
        for fault in [Fault::NullNode, Fault::NoTotal, Fault::Errors("a part is missing".into())] {
            us.fault_on(list, 0, fault);
            let plan = ours.plan(&[]).exits(1).prints(what).prints("cannot be read and could hold anything");
            plan.does_not_print("SK0101").does_not_print("+ create").does_not_print("- delete").does_not_print("drift");
        }
    }
    // Of a connection only its inputs are null.
    us.fault_on("StablekeyConnections", 0, Fault::NullNested);
    let plan = ours.plan(&[]).prints("came back as null: the platform could not read them");
    plan.does_not_print("SK0101").does_not_print("+ create").does_not_print("drift");
    // In a workflow is no object.
    us.fault_on("StablekeyWorkflows", 0, Fault::NullNode);
    ours.plan(&[]).exits(0).prints("the list of workflows of us-prod could not be read");
    us.fault_on("StablekeySets", 0, Fault::Errors("no".into()));
    ours.plan(&[]).exits(0).prints("the list of credentials of customers of us-prod could not be read");
    ours.plan(&[]).exits(0).does_not_print("could not be read");
}

/// The names and parts of an element can be null too, and an enum can have new values.
#[test]
fn a_part_that_is_null_is_unknown() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    let edits: [(&str, &str, &str, serde_json::Value); 6] = [
        ("StablekeyConnections", "salesforce-crm", "/stableKey", serde_json::Value::Null),
        ("StablekeyConnections", "salesforce-crm", "/treeLocation", "BRANCH".into()),
        ("StablekeyConnections", "salesforce-crm", "/inputs/nodes/0/name", serde_json::Value::Null),
        ("StablekeyConnections", "acme-erp", "/tests", serde_json::Value::Null),
        ("StablekeyIntegrations", "Order Sync", "/name", serde_json::Value::Null),
        ("StablekeyComponents", "slack", "/key", serde_json::Value::Null),
    ];
    for (list, element, part, value) in edits {
        us.fault_on(
            list,
            0,
            Fault::edited(move |answer| {
                let lists = answer["data"].as_object_mut().unwrap().values_mut();
                let edges = lists.filter_map(|list| list["edges"].as_array_mut()).flatten();
                let named = |node: &serde_json::Value| {
                    ["stableKey", "name", "key"].iter().any(|field| node[*field].as_str() == Some(element))
                };
                let mut nodes = edges.map(|edge| &mut edge["node"]).filter(|node| named(node));
                *nodes.next().unwrap().pointer_mut(part).unwrap() = value;
            }),
        );
        let plan = ours.plan(&[]);
        plan.does_not_print("SK0101").does_not_print("+ create").does_not_print("taken away");
    }
    ours.plan(&[]).exits(0);
}

/// A look-up that returns less than it found, or nothing at all, finds nothing absent.
#[test]
fn a_look_up_must_be_whole() {
    let us = large(150);
    let ours = imported(&us);
    let forget = |key: &'static str| {
        Fault::edited(move |answer| {
            let list = &mut answer["data"]["scopedConfigVariables"];
            let edges = list["edges"].as_array_mut().unwrap();
            edges.retain(|edge| edge["node"]["stableKey"] != key);
            list["totalCount"] = 149.into();
        })
    };
    let edits: [fn(&mut serde_json::Value); 4] = [
        |found| found["nodes"] = serde_json::Value::Null,
        |found| found["nodes"] = serde_json::json!([]),
        |found| found["totalCount"] = serde_json::Value::Null,
        |found| *found = serde_json::Value::Null,
    ];
    for edit in edits {
        for page in 0..2 {
            us.fault_on("StablekeyConnections", page, forget("connection-00120"));
        }
        us.fault_on(
            "StablekeyLookUp",
            0,
            Fault::edited(move |answer| answer["data"].as_object_mut().unwrap().values_mut().for_each(edit)),
        );
        ours.plan(&[]).exits(1).prints("the list of connections of us-prod").does_not_print("+ create");
        us.clear_faults();
    }
    // With the look-up it is there.
    for page in 0..2 {
        us.fault_on("StablekeyConnections", page, forget("connection-00120"));
    }
    ours.plan(&[]).exits(0);
}

/// What the platform quotes of a token is not shown.
#[test]
fn a_token_that_the_platform_quotes_is_not_printed() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    let token = us.refresh_token();
    us.fault_on("StablekeyConnections", 0, Fault::Errors(format!("bad header {token}")));
    ours.plan(&[]).exits(1).prints("bad header …").does_not_print(&token);
}

/// Broken connections, server errors and "too many requests" are repeated, since a read changes nothing.
#[test]
fn a_read_is_repeated_where_that_helps() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    for fault in [
        Fault::CutBefore,
        Fault::CutAfter,
        Fault::Cut(40),
        Fault::Answer(Answer::json(500, "{}")),
        Fault::Answer(Answer::json(502, "{}")),
        Fault::Answer(Answer::too_many(Some("0"))),
    ] {
        us.fault_on("StablekeyConnections", 0, fault);
        ours.plan(&[]).exits(0);
    }
    us.fault_on("StablekeyConnections", 0, Fault::Answer(Answer::too_many(Some("3600"))));
    ours.plan(&[]).exits(1).prints("too many requests, and to come back after 3600 s");
}

/// An organization of several pages.
fn large(connections: usize) -> Server {
    started(Platform::new(seed::large(connections, 3).unwrap()))
}

/// "deletions and creations between two pages miss nothing".
#[test]
fn pages_that_shift_miss_nothing() {
    let us = large(250);
    let ours = imported(&us);
    ours.secrets("us-prod", &[("connection-00007/apiKey", "a")]);
    // One of the first page is deleted before the second is read: what follows moves up by one.
    us.fault_on("StablekeyConnections", 1, Fault::between(|store: &mut Store| drop(store.connections.remove(7))));
    let plan = ours.plan(&[]).exits(2).prints("1 to create");
    plan.does_not_print("cannot be read");
    // One that is made meanwhile comes last, and is there.
    us.fault_on(
        "StablekeyConnections",
        2,
        Fault::between(|store: &mut Store| {
            let mut new = store.connections[0].clone();
            new.id = store.id("ScopedConfigVariable");
            new.stable_key = "made-meanwhile".into();
            new.created = store.tick();
            store.connections.push(new);
        }),
    );
    ours.run(&["explain", "made-meanwhile", "--allow-loopback"]).exits(0).prints("made-meanwhile");
}

#[test]
fn two_connections_of_one_key_are_an_error_on_both() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    us.change(|store| {
        let mut twin = connection(store, "warehouse").clone();
        twin.id = store.id("ScopedConfigVariable");
        twin.created = store.tick();
        store.connections.push(twin);
    });
    let plan =
        ours.plan(&[]).exits(1).prints("the platform has 2 connections with this stable key: warehouse (Warehouse,");
    plan.prints("delete all but one there").does_not_print("SK0101");
}

#[test]
fn two_integrations_of_one_name_are_an_error_that_lists_them() {
    let us = every_kind(Region::Us);
    let ours = Workplace::with_profiles(&[("us", &us)]);
    us.change(|store| {
        let mut twin = store.integrations.iter().find(|i| i.name == "Order Sync").unwrap().clone();
        twin.id = store.id("Integration");
        twin.created = store.tick();
        store.integrations.push(twin);
    });
    let text = format!(
        "apiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {{name: us-prod}}\nspec: {{location: {{prismatic: {{url: \
         \"{}\", tokenFrom: {{profile: us}}}}}}}}\n",
        us.url()
    );
    ours.write("tenants.yaml", &text);
    ours.plan(&[]).exits(1).prints("the platform has 2 integrations that are called");
    let import = ours.run(&["import", "--tenant", "us-prod", "--allow-loopback"]);
    import.exits(1);
}

/// "Ready: status ACTIVE. PENDING: a manual step with its authorizeUrl. ERROR: not ready, with the last success".
#[test]
fn readiness_is_what_the_platform_reports() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    let plan =
        ours.plan(&[]).prints("legacy-billing has status error in us-prod").prints("sign in for slack-internal: http");
    plan.exits(0);
    ours.run(&["status", "--todo", "--allow-loopback"]).prints("sign in for slack-internal");
}

/// "null is unknown": the status of a connection that somebody signs in to. One that nobody signs in to has none.
#[test]
fn a_status_that_is_null_is_unknown_where_somebody_signs_in() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    us.change(|store| store.connections.iter_mut().for_each(|connection| connection.status = None));
    let plan = ours.plan(&[]).prints("slack-internal has status unknown in us-prod");
    plan.does_not_print("http-status has status").does_not_print("legacy-billing has status");
}

/// "A code-native integration is read for its bindings and never written: blocked, 'publish it with prism'".
#[test]
fn an_integration_that_is_written_in_code_is_not_changed() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    ours.replace("us-prod/integrations/ticket-router.definition", "name: Ticket Router", "name: Tickets");
    ours.plan(&[]).exits(3).prints("SK0165").prints("publish it with prism, from its code");
    // Nor is one made.
    us.change(|store| store.integrations.retain(|integration| integration.name != "Ticket Router"));
    ours.plan(&[]).exits(3).prints("SK0165").does_not_print("+ create");
}

/// A component can have more connection types than a manifest can: it is read all the same.
#[test]
fn a_component_that_no_manifest_can_have_is_not_missing() {
    let us = every_kind(Region::Us);
    us.change(|store| {
        let component = store.components.iter_mut().find(|component| component.key == "postgres").unwrap();
        let more = (0..40).map(|number| {
            let type_ = component.connections[0].clone();
            stablekey_platform::store::ConnectionType {
                key: format!("more-{number}"),
                id: format!("{}{number}", type_.id),
                ..type_
            }
        });
        let more: Vec<_> = more.collect();
        component.connections.extend(more);
    });
    let ours = Workplace::with_profiles(&[("us", &us)]);
    let import = ours.import("us-prod", &us, "us").exits(0);
    import.prints("component postgres: it has more than 32 connection types");
    ours.plan(&[]).exits(0).does_not_print("SK0148");
}

/// Folders and the platform are written by one apply.
#[test]
fn the_rest_of_a_project_is_applied() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    ours.replace("us-prod/connections/warehouse.yaml", "title: Warehouse", "title: Data warehouse");
    let tenants = ours.read("tenants.yaml");
    let folder = "---\napiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {name: fold}\nspec:\n  location: {directory: \
                  {path: fold}}\n  source: {path: desired}\n";
    ours.write("tenants.yaml", &format!("{tenants}{folder}"));
    ours.write("fold/note.txt", "");
    let connection = "apiVersion: stablekey.dev/v1alpha1\nkind: Connection\nmetadata: {name: crm}\nspec:\n  stableKey: crm\n  \
                      component: {key: http}\n  type: basic\n  credentials: Customer\n";
    ours.write("desired/crm.yaml", connection);
    let component = "apiVersion: stablekey.dev/v1alpha1\nkind: Component\nmetadata: {name: http}\nspec:\n  key: http\n  types:\n  - \
                     {key: basic}\n";
    ours.write("desired/http.yaml", component);
    let applied = ours.run(&["apply", "--yes", "--allow-loopback"]);
    applied.exits(0).prints("us-prod/Connection/warehouse");
    assert!(files(&ours.root().join("fold")).keys().any(|path| path.ends_with("crm.yaml")));
}

/// "draft; 12 instances run version 7": what is left to do after a definition changed.
#[test]
fn a_changed_definition_has_to_be_published() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    ours.replace("us-prod/integrations/order-sync.definition", "*/5 * * * *", "*/9 * * * *");
    let plan = ours.plan(&[]).exits(2).prints("update Integration/order-sync");
    plan.prints("publish a new version of order-sync (the last is 3), and move its 3 instances to it");
}

/// A variable that moves is a new version too.
#[test]
fn a_variable_that_moves_has_to_be_published() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    ours.replace("us-prod/integrations/order-sync.yaml", "stableKey: acme-erp", "stableKey: acme-erp-2");
    // The platform holds no binding to what is missing.
    ours.plan(&[]).exits(3).prints("\"ERP\" needs stable key acme-erp-2, which us-prod does not have");
    ours.secrets("us-prod", &[("acme-erp-2/apiKey", "a"), ("acme-erp-2-test/apiKey", "b")]);
    let yaml = ours.read("us-prod/connections/acme-erp.yaml").replace("acme-erp", "acme-erp-2");
    ours.write("us-prod/connections/acme-erp-2.yaml", &yaml);
    let plan = ours.plan(&[]).exits(2);
    plan.prints("publish a new version of order-sync (the last is 3), and move its 3 instances to it");
}

/// What cannot be read is said, with the reason, and is an error.
#[test]
fn an_explanation_says_which_tenant_cannot_be_read() {
    let (us, eu) = (every_kind(Region::Us), every_kind(Region::Eu));
    let ours = Workplace::with_profiles(&[("us", &us), ("eu", &eu)]);
    ours.import("us-prod", &us, "us").exits(0);
    ours.import("eu-prod", &eu, "eu").exits(0);
    ours.run(&["explain", "legacy-billing", "--allow-loopback"]).exits(0).prints("◌ us-prod").prints("status error");
    ours.run(&["explain", "hooli-api", "--allow-loopback"]).exits(0).does_not_print("no connection");
    drop(eu);
    let explained = ours.run(&["explain", "salesforce-crm", "--allow-loopback"]).exits(1);
    explained.prints("? eu-prod cannot be read: http").prints("✓ us-prod");
    let unknown = ours.run(&["explain", "nowhere", "--allow-loopback"]).exits(1);
    unknown.prints("nothing is called nowhere").prints("; eu-prod cannot be read");
    let todo = ours.run(&["status", "--todo", "--allow-loopback"]).exits(1);
    todo.prints("sign in for slack-internal").prints("eu-prod cannot be read, so its steps are not known");
}

/// "the matrix of keys, the pre-flight of a sync and its impact".
#[test]
fn a_sync_between_two_organizations_is_checked_before_it_is_made() {
    let (us, eu) = (every_kind(Region::Us), every_kind(Region::Eu));
    let ours = Workplace::with_profiles(&[("us", &us), ("eu", &eu)]);
    ours.import("us-prod", &us, "us").exits(0);
    ours.import("eu-prod", &eu, "eu").exits(0);
    ours.run(&["status", "--allow-loopback"]).prints("http-status http/apiKey · ✓");
    let plan = ours.plan(&["--sync", "us-prod:eu-prod"]).exits(3);
    plan.prints("\"Status API\" needs stable key http-status, which eu-prod does not have");
    assert!(us.take_requests().iter().chain(&eu.take_requests()).all(|request| !request.writes));
}

/// A component that the target lacks blocks what needs it: somebody has to publish it there.
#[test]
fn a_component_that_is_not_published_blocks_what_needs_it() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    ours.write(
        "us-prod/connections/rates.yaml",
        "apiVersion: stablekey.dev/v1alpha1\nkind: Connection\nmetadata: {name: rates}\nspec:\n  stableKey: rates\n  component: \
         {key: rates, public: false}\n  type: apiKey\n  credentials: OrganizationGlobal\n",
    );
    ours.plan(&[]).exits(3).prints("SK0164").prints("publish rates.private to us-prod first");
}

/// "workflows that name a connection are users of it (impact, in use, delete guard)".
#[test]
fn a_workflow_is_a_user_of_its_connection() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    let key = us.read(|store| {
        let workflow = store.workflows.first().unwrap();
        let used = store.connections.iter().find(|c| store.workflows_using(c).any(|w| w.id == workflow.id));
        used.unwrap().stable_key.clone()
    });
    ours.replace(&format!("us-prod/connections/{key}.yaml"), "  title: ", "  title: New ");
    ours.plan(&["--output", "json"]).exits(2).prints("\"workflows\": [");
}

/// "≤ 25 requests" of a plan with nothing to do.
#[test]
fn a_plan_with_nothing_to_do_asks_few_questions() {
    let us = started(Platform::new(seed::large(1000, 100).unwrap()));
    let ours = imported(&us);
    ours.plan(&[]).exits(0);
    let asked = us.take_requests();
    assert!(asked.len() <= 25, "{} requests", asked.len());
}

/// "Customer: external id, else the exact name": credentials that the source declares are compared with the platform's.
#[test]
fn declared_credentials_of_customers_are_compared() {
    let us = every_kind(Region::Us);
    let ours = imported(&us);
    let of = |customer: &str, is_user: &str| {
        format!(
            "apiVersion: stablekey.dev/v1alpha1\nkind: CustomerCredentials\nmetadata: {{name: hooli-slack}}\nspec:\n  customer: \
             {customer}\n  connection: slack-notifications\n  inputs: {{isUser: {{value: \"{is_user}\"}}}}\n"
        )
    };
    us.change(|store| {
        let connection = connection(store, "slack-notifications").id.clone();
        let hooli = store.customers.iter().find(|customer| customer.name == "Hooli").unwrap().id.clone();
        let sets = store.credentials.iter_mut().filter(|set| set.connection == connection);
        for set in sets.filter(|set| set.customer.as_ref() == Some(&hooli)) {
            set.inputs = vec![stablekey_platform::store::Expression {
                name: "isUser".into(),
                value: Some("false".into()),
                ..stablekey_platform::store::Expression::default()
            }];
        }
    });
    let external = us.read(|store| store.customers.iter().find(|c| c.name == "Hooli").unwrap().external_id.clone());
    for customer in [Some("Hooli".to_string()), external].into_iter().flatten() {
        ours.write("us-prod/hooli.yaml", &of(&customer, "false"));
        ours.plan(&[]).exits(2).prints("CustomerCredentials/hooli-slack").does_not_print("+ create");
        ours.write("us-prod/hooli.yaml", &of(&customer, "true"));
        ours.plan(&[]).prints("CustomerCredentials/hooli-slack").does_not_print("+ create");
    }
    ours.write("us-prod/hooli.yaml", &of("Somebody", "false"));
    ours.plan(&[]).exits(2).prints("+ create CustomerCredentials/hooli-slack");
}

/// "nothing is called absent from several pages without a look-up by its key".
#[test]
fn what_several_pages_did_not_have_is_looked_up() {
    let us = large(250);
    let ours = imported(&us);
    let yaml = ours.read("us-prod/connections/connection-00001.yaml").replace("connection-00001", "late");
    ours.write("us-prod/connections/late.yaml", &yaml);
    ours.plan(&[]).exits(2).prints("+ create Connection/late");
    assert!(us.take_requests().iter().any(|request| request.query.contains("StablekeyLookUp")));
    // It is made after the list was read.
    us.fault_on(
        "StablekeyLookUp",
        0,
        Fault::between(|store: &mut Store| {
            let mut new = connection(store, "connection-00001").clone();
            new.id = store.id("ScopedConfigVariable");
            new.stable_key = "late".into();
            new.created = store.tick();
            store.connections.push(new);
        }),
    );
    ours.plan(&[]).does_not_print("+ create").prints("Connection/late");
}
