//! A project at commits of its repository: what a change does, read without a checkout.

mod described;
mod elsewhere;
mod hidden;
mod merges;
mod posts;
mod promotions;
mod reading;
mod records;
mod redirects;
mod released;
mod remote;
mod unread;
mod updates;
mod written;

use stablekey_testing::objects::{Connection, Document as _, Integration, Sync, Tenant};
use stablekey_testing::project::Project;
use stablekey_testing::work_tree::WorkTree;
use stablekey_testing::yaml;

/// A connection of dev, with its endpoint on a host.
fn chat(host: &str, title: &str) -> String {
    let chat = Connection::new("chat", "chat/oauth2").credentials(stablekey::api::Credentials::OrganizationGlobal);
    chat.title(title).input("baseUrl", &format!("https://{host}")).secret("clientSecret", "chat").yaml()
}

/// Tenants dev and prod, with a sync from one to the other that was carried out.
fn applied() -> WorkTree {
    let prod = Tenant::new("prod").in_folder("prod").accepts("dev").allows_delete();
    let dev = Tenant::new("dev").in_folder("dev");
    let up = Sync::new("up", "dev", "prod").mirror().prune();
    let project = Project::empty()
        .with("tenants.yaml", &yaml::file(&[dev.yaml(), prod.yaml(), up.yaml()]))
        .with("dev/chat.yaml", &chat("chat.example", "Chat"))
        .with("dev/greet.yaml", &Integration::new("greet").title("greet").binds("Chat", "chat").yaml())
        .with("prod/.gitkeep", "");
    assert_eq!(project.run(&["apply", "--yes"]).code, 0);
    WorkTree::of(project)
}
