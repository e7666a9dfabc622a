//! A commit that sends a secret that is there to another host, by whatever path: marked for the same reasons as an
//! action of a plan.

use stablekey::api::{Credentials, Input};
use stablekey_testing::objects::{Component, Connection, CustomerCredentials, Document as _, Integration, Tenant};
use stablekey_testing::project::Project;
use stablekey_testing::work_tree::WorkTree;

/// A project of one tenant in a folder: nothing but the commit changes it.
fn dev(files: &[(&str, String)]) -> WorkTree {
    let mut project = Project::empty().with("tenants.yaml", &Tenant::new("dev").in_folder("dev").yaml());
    for (name, text) in files {
        project = project.with(&format!("dev/{name}.yaml"), text);
    }
    let tree = WorkTree::of(project);
    tree.branch("change");
    tree
}

/// What the comment on a pull request says of what was changed since main.
fn comment(tree: &WorkTree) -> String {
    tree.commit("change");
    tree.stablekey(&["plan", "--from", "main", "--to", "HEAD", "-o", "markdown"]).out
}

fn assert_redirect(tree: &WorkTree, why: &str) {
    let comment = comment(tree);
    assert!(comment.contains("SK0107") && comment.contains(why), "{why}: {comment}");
}

/// A connection whose secret is the organization's.
fn ours(key: &str, host: &str) -> Connection {
    let new = Connection::new(key, "chat/basic").credentials(Credentials::OrganizationGlobal);
    new.input("baseUrl", &format!("https://{host}")).secret("password", "chat")
}

/// A connection whose secret is each customer's.
fn theirs(key: &str, host: &str) -> Connection {
    let new = Connection::new(key, "chat/basic").credentials(Credentials::OrganizationCustomer);
    new.input("baseUrl", &format!("https://{host}")).per_customer("password")
}

fn customer(key: &str) -> String {
    CustomerCredentials::new("acme", key).secret("password", "acme").yaml()
}

/// The merge of a folder that is live is the deployment: the first line says so, since nobody is asked later.
#[test]
fn a_merge_that_redirects_is_no_green_one() {
    let tree = dev(&[("chat", ours("chat", "chat.example").yaml())]);
    tree.write("dev/chat.yaml", &ours("chat", "evil.example").yaml());
    let text = comment(&tree);
    assert!(!text.contains('✅') && text.contains("The merge itself sends credentials elsewhere"), "{text}");
    assert!(text.contains("⚠️ **update Connection/chat**: SK0107"), "{text}");
}

#[test]
fn a_type_that_loses_a_mark() {
    let with = Component::new("chat/basic").has_endpoint("target").has_secret("password");
    let without = Component::new("chat/basic").has_input("target").has_secret("password");
    let chat = Connection::new("chat", "chat/basic").credentials(Credentials::OrganizationGlobal);
    let chat = chat.input("target", "chat.example").secret("password", "chat");
    let tree = dev(&[("component", with.yaml()), ("chat", chat.yaml())]);
    tree.write("dev/component.yaml", &without.yaml());
    let why = "its type says no longer that target is where credentials go";
    assert_redirect(&tree, why);
    // Nor does a type that is gone.
    std::fs::remove_file(tree.path("dev/component.yaml")).unwrap();
    assert_redirect(&tree, why);
}

#[test]
fn a_key_that_begins_to_resolve_to_another_connection() {
    let tree = dev(&[("old", theirs("old", "old.example").yaml()), ("acme", customer("old"))]);
    tree.write("dev/new.yaml", &theirs("new", "new.example").replaces("old").yaml());
    assert_redirect(
        &tree,
        "it replaces old, whose credentials go to old.example; what is bound to it goes to new.example",
    );
}

#[test]
fn a_key_that_another_connection_resolves_after_a_removal() {
    let tree = dev(&[
        ("old", theirs("old", "old.example").yaml()),
        ("new", theirs("new", "new.example").replaces("old").yaml()),
        ("acme", customer("old")),
    ]);
    std::fs::remove_file(tree.path("dev/old.yaml")).unwrap();
    assert_redirect(&tree, "new then serves its customers; their credentials would go to new.example");
}

#[test]
fn an_endpoint_that_moves_while_only_customers_have_a_secret() {
    let chat = |host: &str| {
        let chat = Connection::new("chat", "chat/basic").credentials(Credentials::OrganizationCustomer);
        chat.input("baseUrl", &format!("https://{host}")).replaces("older").yaml()
    };
    let tree = dev(&[("chat", chat("chat.example")), ("acme", customer("older"))]);
    tree.write("dev/chat.yaml", &chat("evil.example"));
    assert_redirect(&tree, "baseUrl changes while password stays (new host: evil.example)");
}

/// The secret goes where the connection that stands for the older key sends it.
#[test]
fn a_secret_of_customers_under_an_older_key_is_known_to_be_sent() {
    let tree = dev(&[("new", theirs("new", "new.example").replaces("old").yaml()), ("acme", customer("old"))]);
    let other = Connection::new("other", "chat/basic").credentials(Credentials::OrganizationGlobal);
    tree.write("dev/other.yaml", &other.input("baseUrl", "https://evil.example").secret("password", "acme").yaml());
    assert_redirect(&tree, "here it goes to evil.example");
}

/// And credentials that come under an older key go there too.
#[test]
fn new_credentials_under_an_older_key_go_where_it_resolves() {
    let tree = dev(&[
        ("ours", ours("ours", "ours.example").yaml()),
        ("old", theirs("old", "ours.example").yaml()),
        ("new", theirs("new", "evil.example").replaces("old").yaml()),
    ]);
    tree.write("dev/acme.yaml", &CustomerCredentials::new("acme", "old").secret("password", "chat").yaml());
    assert_redirect(&tree, "here it goes to evil.example");
}

#[test]
fn an_endpoint_of_a_customer_that_moves() {
    let chat = Connection::new("chat", "chat/basic").credentials(Credentials::OrganizationCustomer);
    let chat = chat.per_customer("baseUrl").per_customer("token").yaml();
    let acme = |host: &str| {
        let acme = CustomerCredentials::new("acme", "chat").input("baseUrl", &format!("https://{host}"));
        acme.with_input("token", Input::secret("acme", "token")).yaml()
    };
    let tree = dev(&[("chat", chat), ("acme", acme("acme.example"))]);
    tree.write("dev/acme.yaml", &acme("evil.example"));
    assert_redirect(&tree, "baseUrl changes while token stays (new host: evil.example)");
}

#[test]
fn a_variable_that_moves_to_a_connection_with_the_same_secret() {
    let bound = |key: &str| Integration::new("greet").title("greet").binds("Chat", key).yaml();
    let tree = dev(&[
        ("one", ours("one", "one.example").yaml()),
        ("two", ours("two", "two.example").yaml()),
        ("greet", bound("one")),
    ]);
    tree.write("dev/greet.yaml", &bound("two"));
    assert_redirect(&tree, "it moves from one to two, which sends password to two.example");
}

/// Test inputs stand in for others in tests only.
#[test]
fn an_endpoint_of_production_that_tests_replace() {
    let chat = |host: &str| theirs("chat", host).test_input("baseUrl", "https://test.example").yaml();
    let tree = dev(&[("chat", chat("chat.example"))]);
    tree.write("dev/chat.yaml", &chat("evil.example"));
    assert_redirect(&tree, "baseUrl changes while password stays (new host: evil.example)");
}

/// A folder with another tenant is compared with what was there before, whatever its tenant was called.
#[test]
fn a_tenant_that_is_renamed_with_the_change() {
    let tree = dev(&[("chat", ours("chat", "chat.example").yaml())]);
    tree.write("tenants.yaml", &Tenant::new("test").in_folder("dev").yaml());
    let renamed = comment(&tree);
    assert!(renamed.contains("belongs to tenant test now") && !renamed.contains("create **Connection"), "{renamed}");
    tree.write("dev/chat.yaml", &ours("chat", "evil.example").yaml());
    assert_redirect(&tree, "baseUrl changes while password stays (new host: evil.example)");
    // A Tenant that nobody can read had a folder too.
    let invalid = Tenant::new("dev").in_folder("dev").yaml().replace("spec:", "spec:\n  unheardOf: 1");
    let tree = dev(&[("chat", ours("chat", "chat.example").yaml())]);
    tree.write("tenants.yaml", &invalid);
    tree.commit("invalid");
    tree.git(&["branch", "--force", "main"]);
    tree.write("tenants.yaml", &Tenant::new("dev").in_folder("dev").yaml());
    tree.write("dev/chat.yaml", &ours("chat", "evil.example").yaml());
    assert_redirect(&tree, "baseUrl changes while password stays (new host: evil.example)");
}

/// What a plan does not mark, a commit does not either.
#[test]
fn a_change_that_sends_nothing_elsewhere() {
    let tree = dev(&[
        ("chat", ours("chat", "chat.example").yaml()),
        ("new", theirs("new", "new.example").replaces("old").yaml()),
        ("acme", customer("old")),
    ]);
    tree.write("dev/chat.yaml", &ours("chat", "chat.example").title("Team chat").yaml());
    tree.write("dev/more.yaml", &ours("more", "chat.example").yaml());
    tree.write("dev/beta.yaml", &CustomerCredentials::new("beta", "old").secret("password", "beta").yaml());
    let comment = comment(&tree);
    assert!(comment.contains("Connection/more") && !comment.contains("SK0107"), "{comment}");
}
