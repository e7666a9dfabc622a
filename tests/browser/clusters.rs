//! The page on tenants in two real clusters, which a folder is synced to.

use crate::browser::{Browser, Settings};
use crate::managing;
use crate::page::Page;
use stablekey::kubernetes::role::role;
use stablekey_clusters::{Namespace, run, run_with_input, shared, shared_all};
use stablekey_testing::cli::{copy_folder, repository};
use stablekey_testing::objects::{Connection, Document as _, Integration, Sync, Tenant};
use stablekey_testing::person::Person;
use stablekey_testing::project::Project;
use stablekey_testing::replica::until;
use stablekey_testing::yaml;
use std::collections::BTreeSet;

/// A namespace with its Tenant, and the Tenant as the project has it.
fn target(namespace: &Namespace<'static>) -> String {
    let name = namespace.cluster().name();
    let own = Tenant::new(name).accepts("dev");
    run_with_input(namespace.kubectl().args(["apply", "-f", "-"]), &own.yaml()).unwrap();
    own.in_namespace(namespace.name(), name).yaml()
}

/// The value of an input of a connection in a cluster.
fn scopes(namespace: &Namespace<'static>, name: &str) -> String {
    let path = "-o=jsonpath={.spec.inputs.scopes.value}";
    run(namespace.kubectl().args(["get", "connections.stablekey.dev", name, path])).unwrap()
}

fn apply(page: &Page, browser: &Browser) {
    browser.goto(&page.url("/plan"));
    if browser.count("input[name=approve]") > 0 {
        browser.click_on("role=checkbox[name=/^I have read the/]");
    }
    browser.click_on("role=button[name=/^(Approve and apply|Apply) [0-9]+$/]");
    browser.wait_for("h1:text-is('Receipt')");
    assert!(browser.text("main").contains("nothing is left to do"), "{}", browser.text("main"));
}

#[test]
fn what_the_page_applies_is_in_both() {
    let clusters = shared_all(["us", "eu"]);
    let namespaces = clusters.map(|cluster| cluster.namespace("page"));
    let mut tenants = vec![Tenant::new("dev").in_folder("dev").yaml()];
    tenants.extend(namespaces.iter().map(target));
    let crm =
        Connection::new("crm", "salesforce/oauth2").title("CRM").input("scopes", "api").secret("clientSecret", "app");
    let project = Project::empty()
        .with("tenants.yaml", &yaml::file(&tenants))
        .with("syncs.yaml", &Sync::new("out", "dev", "us eu").mirror().yaml())
        .with("dev/connections/crm.yaml", &crm.yaml())
        .with("dev/integrations/leads.yaml", &Integration::new("leads").uses(&["crm"]).yaml());
    std::fs::create_dir(project.state()).unwrap();
    let kubeconfigs = clusters.map(|cluster| cluster.kubeconfig().display().to_string()).join(":");
    let mut command = project.command_with_state(&["ui"]);
    command.env("KUBECONFIG", kubeconfigs);
    let page = Page::start(command);
    let browser = page.open_overview(Settings::default());
    apply(&page, &browser);
    assert_eq!(namespaces.each_ref().map(|namespace| scopes(namespace, "crm")), ["api", "api"]);

    browser.click("link", "Overview");
    browser.click("link", "crm");
    browser.click("link", "Edit in dev");
    browser.fill("scopes", "api refresh_token");
    browser.click("button", "Review");
    browser.wait_for_text("Nothing is written yet.");
    browser.click("button", "Write 1 file");
    browser.wait_for("h1:text-is('crm')");
    apply(&page, &browser);
    assert_eq!(namespaces.each_ref().map(|namespace| scopes(namespace, "crm")), ["api refresh_token"; 2]);
    browser.assert_no_errors();
}

/// The tasks of the platform's guide "Managing connections", each from the overview to both clusters.
#[test]
fn each_task_reaches_both_clusters() {
    let clusters = shared_all(["us", "eu"]);
    let namespaces = clusters.map(|cluster| cluster.namespace("tasks"));
    let mut tenants = vec![Tenant::new("us-prod").in_folder("us-prod").yaml()];
    for namespace in &namespaces {
        let name = namespace.cluster().name();
        let own = Tenant::new(name).accepts("us-prod");
        let components = repository("examples/us-eu/us-prod/components").display().to_string();
        run_with_input(namespace.kubectl().args(["apply", "-f", "-"]), &own.yaml()).unwrap();
        run(namespace.kubectl().args(["apply", "-f", &components])).unwrap();
        tenants.push(own.in_namespace(namespace.name(), name).yaml());
    }
    let project = Project::empty()
        .with("tenants.yaml", &yaml::file(&tenants))
        .with("syncs.yaml", &Sync::new("out", "us-prod", "us eu").mirror().yaml());
    copy_folder(&repository("examples/us-eu/us-prod"), &project.path("us-prod"));
    std::fs::remove_file(project.path("us-prod/stablekey.lock")).unwrap();
    let zendesk = std::fs::read_to_string(project.path("us-prod/connections/zendesk-oauth.yaml")).unwrap();
    project.write("us-prod/connections/zendesk-backup.yaml", &zendesk.replace("zendesk-oauth", "zendesk-backup"));
    std::fs::create_dir(project.state()).unwrap();
    let mut command = project.command_with_state(&["ui"]);
    command.env("KUBECONFIG", clusters.map(|cluster| cluster.kubeconfig().display().to_string()).join(":"));
    let page = Page::start(command);
    let browser = page.open_overview(Settings::default());
    apply(&page, &browser);

    managing::add_events(&page, &browser);
    managing::alter_warehouse(&page, &browser, "port", "5433");
    managing::give_test_credentials(&page, &browser);
    // No sync copies test credentials: each tenant has its own.
    let file = std::fs::read_to_string(project.path("us-prod/connections/warehouse.yaml")).unwrap();
    assert!(file.contains("test.example.invalid") && file.contains("warehouse-test"), "{file}");
    managing::embed_warehouse(&page, &browser);
    apply(&page, &browser);
    let spec = |namespace: &Namespace<'_>, kind: &str, name: &str| -> serde_json::Value {
        let text = run(namespace.kubectl().args(["get", kind, name, "-o", "json"])).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["spec"].take()
    };
    for namespace in &namespaces {
        let warehouse = spec(namespace, "connections.stablekey.dev", "warehouse");
        assert_eq!(warehouse["inputs"]["port"]["value"], "5433", "{warehouse}");
        assert_eq!(warehouse["embeddedWorkflows"], true, "{warehouse}");
    }
    managing::switch_step(&page, &browser, "support-digest", "Open tickets", "zendesk-backup");
    managing::switch_all(&page, &browser, "order-export", "Warehouse", "events");
    apply(&page, &browser);

    for namespace in &namespaces {
        let keys = |name: &str| -> Vec<String> {
            let spec = spec(namespace, "integrations.stablekey.dev", name);
            let of = |variable: &serde_json::Value| variable["stableKey"].as_str().unwrap_or_default().to_string();
            spec["connections"].as_array().unwrap().iter().map(of).collect()
        };
        // It comes with the integration that uses it now.
        assert_eq!(
            spec(namespace, "connections.stablekey.dev", "events")["inputs"]["host"]["value"],
            "events.example.invalid"
        );
        assert!(keys("support-digest").contains(&"zendesk-backup".to_string()), "{:?}", keys("support-digest"));
        let exported = keys("order-export");
        assert!(exported.contains(&"events".into()) && !exported.contains(&"warehouse".into()), "{exported:?}");
    }
    browser.assert_no_errors();
}

/// Where an account may read a tenant and not watch it, the tenant is named, and its changes are read on request.
#[test]
fn a_tenant_whose_changes_go_unnoticed_is_named() {
    let namespace = shared("us").namespace("unwatched");
    let project = Project::empty()
        .with("tenants.yaml", &yaml::file(&[Tenant::new("dev").in_folder("dev").yaml(), target(&namespace)]))
        .with("dev/connections/crm.yaml", &Connection::new("crm", "salesforce/oauth2").title("CRM").yaml());
    let account = Person::with(&namespace, "editor", &role(namespace.name()));
    std::fs::create_dir(project.state()).unwrap();
    let mut command = project.command_with_state(&["ui"]);
    command.env("KUBECONFIG", &account.kubeconfigs[0]);
    let page = Page::start(command);
    let browser = page.open_overview(Settings::default());
    browser.wait_for("#state:text-is('Not watched')");
    let named = browser.text(".notice.warn");
    for part in
        ["Changes of us (context us, namespace unwatched-", "are not noticed", "cannot watch resource", "--context us"]
    {
        assert!(named.contains(part), "{part}: {named}");
    }
    assert_eq!(browser.violations(), Vec::<String>::new());
    let made = Connection::new("made-there", "salesforce/oauth2").title("Made there").yaml();
    run_with_input(namespace.kubectl().args(["apply", "-f", "-"]), &made).unwrap();
    browser.click("button", "Read again");
    browser.wait_for("th:has-text('made-there')");
    browser.assert_no_errors();
}

/// A change in a cluster is on the screen by the watch: neither it nor a change of a file lists a cluster again.
#[test]
fn changes_are_shown_without_listing_again() {
    let namespace = shared("us").namespace("followed");
    let project = Project::empty()
        .with("tenants.yaml", &yaml::file(&[Tenant::new("dev").in_folder("dev").yaml(), target(&namespace)]))
        .with("dev/connections/crm.yaml", &Connection::new("crm", "salesforce/oauth2").title("Of dev").yaml());
    let live = Connection::new("crm", "salesforce/oauth2").title("Of us").yaml();
    run_with_input(namespace.kubectl().args(["apply", "-f", "-"]), &live).unwrap();
    std::fs::create_dir(project.state()).unwrap();
    let mut command = project.command_with_state(&["ui"]);
    command.env("KUBECONFIG", namespace.cluster().kubeconfig());
    let page = Page::start(command);
    let browser = page.open_overview(Settings::default());
    browser.goto(&page.url("/connection?key=crm"));
    browser.wait_for_text("Of us");
    until("every resource is watched", || {
        let watched = namespace.audit().unwrap().into_iter().filter(|request| request.verb == "watch");
        watched.map(|request| request.resource).collect::<BTreeSet<String>>().len() == 6
    });
    let mark = namespace.cluster().mark().unwrap();
    let renamed = r#"{"spec": {"title": "Renamed in us"}}"#;
    run(namespace.kubectl().args(["patch", "connections.stablekey.dev", "crm", "--type=merge", "-p", renamed]))
        .unwrap();
    browser.wait_for_text("Renamed in us");
    project
        .write("dev/connections/crm.yaml", &Connection::new("crm", "salesforce/oauth2").title("Renamed in dev").yaml());
    browser.wait_for_text("Renamed in dev");
    run(namespace.kubectl().args(["delete", "connections.stablekey.dev", "crm"])).unwrap();
    browser.wait_for("#state:text-is('Live')");
    browser.goto(&page.url("/?q=crm"));
    browser.wait_for("td [title='not in this tenant']");
    let lists = namespace.audit_since(mark).unwrap().into_iter().filter(|request| request.verb == "list");
    // kubectl waits with a list of one name until what it deletes is gone.
    let ours: Vec<String> = lists.filter(|r| !r.agent.starts_with("kubectl")).map(|r| r.resource).collect();
    assert_eq!(ours, Vec::<String>::new());
    browser.assert_no_errors();
}
