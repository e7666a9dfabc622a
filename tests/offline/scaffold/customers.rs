//! `stablekey new customer` and `stablekey remove … customer`.

use crate::edges::files::*;
use stablekey::api::Credentials;
use stablekey_testing::objects::CustomerCredentials;

/// Two tenants with a connection whose credentials are supplied per customer.
fn project() -> Project {
    let crm = Connection::new("crm", "crm/basic").input("site", "https://crm.example").per_customer("user");
    let crm = crm.per_customer("password").yaml();
    let signed = Connection::new("chat-main", "chat/oauth2").credentials(Credentials::Customer).yaml();
    let component = Component::new("crm/basic").has_input("user").has_secret("password").yaml();
    let tenants = yaml::file(&[Tenant::new("us").in_folder("us").yaml(), Tenant::new("eu").in_folder("eu").yaml()]);
    let mut project = Project::empty().with("tenants.yaml", &tenants);
    for tenant in ["us", "eu"] {
        project = project
            .with(&format!("{tenant}/connections/crm.yaml"), &crm)
            .with(&format!("{tenant}/connections/chat-main.yaml"), &signed)
            .with(&format!("{tenant}/components/crm.yaml"), &component);
    }
    project
}

fn add<'a>(tenant: &'a str, customer: &'a str) -> Vec<&'a str> {
    let options = ["--tenant", tenant, "--connection", "crm", "user=jo", "--secret", "password=acme/password", "--yes"];
    [&["new", "customer", customer], &options[..]].concat()
}

#[test]
fn credentials_are_written_for_a_customer() {
    let root = project();
    root.run(&add("eu", "Acme, Inc.")).exits(0);
    let files: Vec<String> = root.files("eu/customercredentials").into_keys().map(|path| path.to_string()).collect();
    assert!(
        matches!(files.as_slice(), [one] if one.starts_with("crm-") && one.len() == "crm-01234567.yaml".len()),
        "{files:?}"
    );
    let text = root.read(&format!("eu/customercredentials/{}", files[0]));
    assert!(text.contains("customer: Acme, Inc.") && text.contains("connection: crm"), "{text}");
    root.plan().exits(0);
    // Twice is refused; a further set has another name.
    root.run(&add("eu", "Acme, Inc.")).exits(1).prints("has these credentials already").prints("--set");
    root.run(&[add("eu", "Acme, Inc."), vec!["--set", "sandbox"]].concat()).exits(0);
    assert_eq!(root.files("eu/customercredentials").len(), 2);
    root.plan().exits(0);
}

#[test]
fn wrong_names_and_secrets_as_values_are_refused() {
    let root = project();
    let before = root.files("");
    let new = |more: &[&str]| root.run(&[&["new", "customer", "Acme", "--yes"], more].concat());
    let eu = ["--tenant", "eu"];
    let with = |more: &[&str]| new(&[&eu, more].concat());
    new(&["--connection", "crm"]).exits(1).prints("no tenant is given").prints("eu, us");
    with(&["--connection", "cmr"]).exits(1).prints("there are chat-main, crm");
    with(&["--connection", "chat-main"]).exits(1).prints("the customers supply the credentials of chat-main");
    with(&["--connection", "crm"]).exits(1).prints("crm needs password, user of each customer");
    with(&["--connection", "crm", "user=a", "site=x"]).exits(1).prints("site of crm is the same for all customers");
    with(&["--connection", "crm", "usr=a"]).exits(1).prints("did you mean user?");
    let literal = with(&["--connection", "crm", "user=a", "password=CANARY"]);
    literal.exits(1).prints("SK0120").prints("--secret password=NAME/KEY").does_not_print("CANARY");
    with(&["--connection", "crm", "user=a", "--secret", "password=CANARY"]).exits(1).does_not_print("CANARY");
    assert_eq!(root.files(""), before);
}

/// "takes a customer's sets out and lists what only a person can revoke".
#[test]
fn a_customer_is_removed_from_one_tenant_or_from_all() {
    let root = project();
    for tenant in ["us", "eu"] {
        root.run(&add(tenant, "Acme")).exits(0);
        root.run(&add(tenant, "Globex")).exits(0);
    }
    let own = CustomerCredentials::new("Acme", "chat-main").origin(stablekey::api::Origin::Customer).yaml();
    root.write("eu/customercredentials/own.yaml", &own);
    let removed = root.run(&["remove", "eu", "customer", "Acme", "--yes"]);
    removed.exits(0).prints("Acme supplied the credentials").prints("the Secret acme stays").prints("uses it too");
    assert_eq!(root.files("eu/customercredentials").len(), 2, "another customer's, and what Acme supplied");
    assert_eq!(root.files("us/customercredentials").len(), 2);
    root.run(&["remove", "--all", "customer", "Globex", "--yes"]).exits(0).prints("delete the Secret acme");
    assert_eq!(root.files("us/customercredentials").len(), 1);
    assert_eq!(root.files("eu/customercredentials").len(), 1);
    root.plan().exits(0);
}

#[test]
fn a_customer_that_is_not_there_is_named() {
    let root = project();
    root.run(&add("eu", "Acme")).exits(0);
    let before = root.files("");
    root.run(&["remove", "eu", "customer", "Acne", "--yes"]).exits(1).prints("did you mean Acme?");
    root.run(&["remove", "ue", "customer", "Acme", "--yes"]).exits(1).prints("there are eu, us");
    root.run(&["remove", "eu", "custmer", "Acme", "--yes"]).exits(1).prints("did you mean customer?");
    root.run(&["remove", "customer", "Acme", "--yes"]).exits(1).prints("no tenant is given");
    let elsewhere = root.root().display().to_string();
    let missing = root.run(&["remove", "eu", "customer", "--yes", "-C", &elsewhere]);
    missing.exits(1).prints("the name of the customer is missing");
    assert!(missing.has_line(&format!("stablekey remove eu customer NAME -C {elsewhere}")), "{}", missing.all);
    // A file that cannot be read could hold more.
    root.write("eu/broken.yaml", "apiVersion: stablekey.dev/v1alpha1\nkind: [\n");
    root.run(&["remove", "eu", "customer", "Acme", "--yes"]).exits(1).prints("broken.yaml");
    std::fs::remove_file(root.path("eu/broken.yaml")).unwrap();
    assert_eq!(root.files(""), before);
}

/// In a tenant with a source it is removed where it is declared and where it is live; nothing remains of the record.
#[test]
fn a_customer_is_removed_from_the_source_and_the_location() {
    let tenant = Tenant::new("eu").in_folder("eu").source("declared").yaml();
    let crm = Connection::new("crm", "crm/basic").per_customer("user").yaml();
    let root =
        Project::empty().with("tenants.yaml", &tenant).with_folder("eu").with("declared/connections/crm.yaml", &crm);
    let add = ["new", "customer", "Acme", "--connection", "crm", "user=jo", "--yes"];
    root.run(&add).exits(0);
    let root = root.apply();
    assert_eq!(root.files("eu/customercredentials").len(), 1);
    root.run(&["remove", "eu", "customer", "Acme", "--yes"]).exits(0);
    assert!(!root.has("eu/customercredentials") || root.files("eu/customercredentials").is_empty());
    root.plan().exits(0);
}
