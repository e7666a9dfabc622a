use crate::client::{ask_as, send, start, store, us};
use serde_json::{Value, json};
use stablekey_platform::{Answer, Fault, Platform, Region, Server};

const ME: &str = "{authenticatedUser {tenantId org {name}}}";

fn refresh(server: &Server, body: Value) -> (u16, Value) {
    let reply = send(server, "POST", "/auth/refresh", &[("Content-Type", "application/json")], &body.to_string());
    (reply.status, reply.json())
}

#[test]
fn only_the_access_token_is_let_in() {
    let server = us();
    for token in ["other", ""] {
        let reply = ask_as(&server, token, ME, json!({}));
        assert_eq!((reply.status, reply.json()), (401, json!({"error": "Unauthorized"})));
    }
    let reply = send(&server, "POST", "/api", &[], &json!({"query": ME}).to_string());
    assert_eq!(reply.status, 401);
    let reply = send(&server, "POST", "/api", &[("Authorization", "Bearer token")], "not json");
    assert_eq!(reply.status, 400);
}

#[test]
fn a_refresh_token_is_exchanged_for_an_access_token() {
    let server = Server::start(Platform::new(store())).unwrap();
    let first = server.token();
    assert_eq!(first.matches('.').count(), 2, "{first}");
    assert!(!server.refresh_token().contains('.'));
    let (status, answer) = refresh(&server, json!({"refresh_token": server.refresh_token()}));
    assert_eq!((status, &answer["expires_in"], &answer["token_type"]), (200, &json!(604_800), &json!("Bearer")));
    let second = answer["access_token"].as_str().unwrap();
    assert_ne!(first, second);
    // Both are valid, until they expire.
    for token in [&first, second] {
        assert_eq!(ask_as(&server, token, ME, json!({})).status, 200);
    }
    server.expire_tokens();
    assert_eq!(ask_as(&server, second, ME, json!({})).status, 401);
    let (_, answer) = refresh(&server, json!({"refresh_token": server.refresh_token()}));
    assert_eq!(ask_as(&server, answer["access_token"].as_str().unwrap(), ME, json!({})).status, 200);
    assert_eq!(server.take_token_requests().len(), 2);
}

#[test]
fn a_test_can_give_the_tokens() {
    let server =
        Server::builder(Platform::new(store())).token("a").refresh_token("r").token_lifetime(60).start().unwrap();
    server.expire_tokens();
    assert_eq!(ask_as(&server, "a", ME, json!({})).status, 401);
    let (_, answer) = refresh(&server, json!({"refresh_token": "r"}));
    assert_eq!((&answer["access_token"], &answer["expires_in"]), (&json!("a"), &json!(60)));
    assert_eq!(ask_as(&server, "a", ME, json!({})).status, 200);
    let short = Server::builder(Platform::new(store())).token("a").token_lifetime(0).start().unwrap();
    assert_eq!(ask_as(&short, "a", ME, json!({})).status, 401);
}

#[test]
fn wrong_refreshes_are_denied() {
    let server = us();
    let denied = |body| refresh(&server, body);
    assert_eq!(denied(json!({"refresh_token": "nope"})).1["error"], "invalid_grant");
    assert_eq!(denied(json!({})).0, 403);
    let wrong = json!({"refresh_token": server.refresh_token(), "tenant_id": "nope"});
    assert_eq!(denied(wrong).1["error"], "access_denied");
    assert_eq!(server.take_token_requests()[2].tenant_id.as_deref(), Some("nope"));
    send(&server, "POST", "/auth/revoke", &[], &json!({"refresh_token": server.refresh_token()}).to_string());
    assert_eq!(denied(json!({"refresh_token": server.refresh_token()})).1["error"], "invalid_grant");
    assert_eq!(ask_as(&server, "token", ME, json!({})).status, 200);
}

#[test]
fn the_other_flow_gets_its_tokens_here_too() {
    let server = us();
    let meta = send(&server, "GET", "/auth/meta", &[], "").json();
    assert_eq!(format!("http://{}", meta["domain"].as_str().unwrap()), server.url());
    assert!(meta["clientId"].is_string() && meta["audience"].is_string());
    let form = |refresh: &str, tenant: &str| {
        let body = format!("grant_type=refresh_token&client_id=x&refresh_token={refresh}&tenant_id={tenant}");
        send(&server, "POST", "/oauth/token", &[("Content-Type", "application/x-www-form-urlencoded")], &body).json()
    };
    let answer = form(&server.refresh_token(), Region::Us.tenant_id());
    assert_eq!((&answer["access_token"], &answer["scope"]), (&json!("token"), &json!("openid")));
    assert_eq!(form("nope", Region::Us.tenant_id())["error"], "invalid_grant");
    assert_eq!(form(&server.refresh_token(), "nope")["error"], "access_denied");
    server.fault_on("/oauth/token", 0, Fault::Answer(Answer::html(502)));
    let body = format!("grant_type=refresh_token&refresh_token={}", server.refresh_token());
    assert_eq!(send(&server, "POST", "/oauth/token", &[], &body).status, 502);
}

#[test]
fn the_log_has_what_was_asked_and_prints_no_secret() {
    let server = us();
    let query = "query Mine($s: String) {authenticatedUser {id} scopedConfigVariables(stableKey: $s) {nodes {id}}}";
    let body = json!({"query": query, "variables": {"s": "hush"}}).to_string();
    let headers = [("Authorization", "Bearer token"), ("Prismatic-Client", "prism")];
    send(&server, "POST", "/api", &headers, &body);
    ask_as(&server, "wrong-secret", "mutation {deleteIntegration(input: {}) {errors {field}}}", json!({}));
    let requests = server.take_requests();
    let [first, second] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!((first.query.as_str(), &first.variables), (query, &json!({"s": "hush"})));
    assert_eq!((&first.operations, first.fields.len(), first.writes), (&vec!["Mine".to_string()], 2, false));
    assert_eq!((first.client.as_deref(), first.authorization.as_deref()), (Some("prism"), Some("Bearer token")));
    assert_eq!(first.tenant_id.as_deref(), Some(Region::Us.tenant_id()));
    assert_eq!((&second.fields, second.writes), (&vec!["deleteIntegration".to_string()], true));
    assert_eq!(second.tenant_id, None);
    let content = server.read(|store| format!("{:?} {:?}", store.connections, store.integrations));
    let printed = format!("{requests:?} {:?} {content}", server.read(Clone::clone));
    assert!(!printed.contains("hush") && !printed.contains("secret"), "{printed}");
    assert!(server.take_requests().is_empty());
    assert_eq!(server.counts().requests, 2);
}

#[test]
fn a_server_on_a_taken_port_does_not_start() {
    let server = start(Platform::new(store()));
    let port = server.url().rsplit_once(':').unwrap().1.parse().unwrap();
    assert!(Server::builder(Platform::new(store())).port(port).start().is_err());
}

#[test]
fn a_server_starts_and_ends_inside_another_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let server = us();
        assert_eq!(ask_as(&server, "token", ME, json!({})).status, 200);
    });
}
