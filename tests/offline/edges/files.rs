//! The files of most tests: tenants dev and prod, a sync that mirrors and prunes, one component, one connection and one
//! integration.

use stablekey::api::Credentials;
pub use stablekey_testing::objects::{Component, Connection, Document, Integration, Sync, Tenant};
pub use stablekey_testing::project::{Project, actions};
pub use stablekey_testing::yaml;

pub fn tenants_yaml() -> String {
    let dev = Tenant::new("dev").region("us", "dev").in_folder("dev");
    let prod = Tenant::new("prod").in_folder("prod").accepts("dev").allows_delete();
    yaml::file(&[dev.yaml(), prod.yaml()])
}

pub fn sync_yaml() -> String {
    Sync::new("up", "dev", "prod").mirror().prune().yaml()
}

pub fn component_yaml() -> String {
    let chat = Component::new("chat/oauth2").requires("baseUrl").has_endpoint("baseUrl").has_input("scopes");
    chat.requires("clientSecret").has_secret("clientSecret").yaml()
}

/// Returns a connection of the component.
pub fn connection(key: &str) -> String {
    let connection = Connection::new(key, "chat/oauth2").title("Chat").credentials(Credentials::OrganizationGlobal);
    connection.input("baseUrl", "https://chat.example").input("scopes", "read").secret("clientSecret", "chat").yaml()
}

/// Returns an integration that is bound to a connection, with further fields.
pub fn integration(name: &str, key: &str, more: &str) -> String {
    Integration::new(name).title(name).binds("Chat", key).yaml() + more
}

/// Returns an exported definition of this version.
pub fn definition(name: &str, version: &str, key: &str) -> String {
    format!(
        "definitionVersion: {version}\nname: {name}\nrequiredConfigVars:\n  - {{key: Chat, dataType: connection, \
         useScopedConfigVar: {key}}}\nflows:\n  - name: F\n    steps:\n      - {{name: S, isTrigger: true, action: \
         {{key: x, component: {{key: chat, isPublic: true, version: 1}}}}, inputs: {{connection: {{type: configVar, \
         value: Chat}}}}}}\n"
    )
}

/// Creates two tenants; dev has an object that prod lacks.
pub fn two_tenants() -> Project {
    Project::empty()
        .with("tenants.yaml", &tenants_yaml())
        .with("syncs.yaml", &sync_yaml())
        .with("dev/components/chat.yaml", &component_yaml())
        .with("prod/components/chat.yaml", &component_yaml())
        .with("dev/connections/chat-main.yaml", &connection("chat-main"))
        .with("dev/integrations/greet.yaml", &integration("greet", "chat-main", ""))
}

/// Like `two_tenants`, after the sync was applied.
pub fn synced() -> Project {
    two_tenants().apply()
}
