//! Several organizations of one user on one stack.

use crate::client::{ask_as, send};
use serde_json::json;
use stablekey_platform::{Platform, Region, Server, seed};

const ME: &str = "{authenticatedUser {tenantId org {name}} scopedConfigVariables {totalCount}}";

fn both() -> Server {
    let (us, eu) = (seed::every_kind(Region::Us).unwrap(), seed::every_kind(Region::Eu).unwrap());
    let builder = Server::builder(Platform::new(us).and(eu));
    builder.token("us").token_of(Region::Eu.tenant_id(), "eu").start().unwrap()
}

#[test]
fn a_token_belongs_to_one_organization() {
    let server = both();
    assert_eq!(server.token_of(Region::Eu.tenant_id()).as_deref(), Some("eu"));
    for (token, region, name) in [("us", Region::Us, "Acme Corp (US)"), ("eu", Region::Eu, "Acme Corp (EU)")] {
        let answer = ask_as(&server, token, ME, json!({})).json();
        let me = &answer["data"]["authenticatedUser"];
        assert_eq!(me, &json!({"tenantId": region.tenant_id(), "org": {"name": name}}));
        let count = server.tenant(region.tenant_id()).unwrap().read().connections.len();
        assert_eq!(answer["data"]["scopedConfigVariables"]["totalCount"], count);
    }
}

#[test]
fn the_refresh_chooses_the_organization() {
    let server = both();
    let refresh = |tenant_id: Option<&str>| {
        let body = json!({"refresh_token": server.refresh_token(), "tenant_id": tenant_id});
        send(&server, "POST", "/auth/refresh", &[], &body.to_string()).json()["access_token"].clone()
    };
    assert_eq!(refresh(None), "us");
    assert_eq!(refresh(Some(Region::Eu.tenant_id())), "eu");
}

#[test]
fn ids_and_writes_of_one_organization_are_unknown_to_the_other() {
    let server = both();
    let id =
        server.read(|store| store.connections.iter().find(|c| c.stable_key == "slack-internal").unwrap().id.clone());
    let delete = "mutation($id: ID) {deleteScopedConfigVariable(input: {id: $id}) {scopedConfigVariable {id} errors {messages}}}";
    let answer = ask_as(&server, "eu", delete, json!({"id": id})).json();
    assert_eq!(answer["errors"][0]["message"], "Record not found");
    assert_eq!(answer["data"], json!({"deleteScopedConfigVariable": null}));
    let answer = ask_as(&server, "us", delete, json!({"id": id})).json();
    assert_eq!(answer["data"]["deleteScopedConfigVariable"], json!({"scopedConfigVariable": {"id": id}, "errors": []}));
}

#[test]
fn a_user_sees_its_organizations() {
    let server = both();
    let query = "{listUserTenants {totalCount nodes {tenantId orgName url awsRegion systemSuspended}}}";
    let answer = ask_as(&server, "eu", query, json!({})).json();
    let list = &answer["data"]["listUserTenants"];
    assert_eq!(list["totalCount"], 2);
    assert_eq!(list["nodes"][1]["tenantId"], Region::Eu.tenant_id());
    assert_eq!(list["nodes"][1]["url"], server.url());
}
