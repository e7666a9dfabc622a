//! What can go wrong with a request.

use crate::client::{Connection, ask, ask_as, connection, data, start, store, us};
use crate::connections::UPDATE;
use serde_json::{Value, json};
use stablekey_platform::{Answer, Fault, Platform, Server, seed};
use std::time::{Duration, Instant};

const LIST: &str =
    "{scopedConfigVariables(sortBy: [{field: CREATED_AT, direction: ASC}]) {totalCount nodes {stableKey}}}";

fn rename(server: &Server, key: &str) -> std::io::Result<crate::client::Reply> {
    let body = json!({"query": UPDATE, "variables": {"input": {"id": connection(server, "acme-erp"), "key": key}}});
    Connection::open(server).send("POST", "/api", &[("Authorization", "Bearer token")], &body.to_string())
}

fn name(server: &Server) -> String {
    server.read(|store| store.connections.iter().find(|c| c.stable_key == "acme-erp").unwrap().key.clone())
}

#[test]
fn an_answer_can_come_instead_of_the_work() {
    let server = us();
    for (answer, kind) in [
        (Answer::html(200), "text/html; charset=utf-8"),
        (Answer::json(401, "{}"), "application/json"),
        (Answer::json(500, "{}"), "application/json"),
        (Answer::html(502), "text/html; charset=utf-8"),
    ] {
        server.fault(Fault::Answer(answer.clone()));
        let reply = rename(&server, "Lost").unwrap();
        assert_eq!(
            (reply.status, &reply.body, reply.header("content-type")),
            (answer.status, &answer.body, Some(kind))
        );
    }
    server.fault(Fault::Answer(Answer::too_many(Some("3"))));
    let reply = rename(&server, "Lost").unwrap();
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("3")));
    server.fault(Fault::Answer(Answer::redirect("http://elsewhere.example.invalid/api")));
    let reply = rename(&server, "Lost").unwrap();
    assert_eq!((reply.status, reply.header("location")), (302, Some("http://elsewhere.example.invalid/api")));
    assert_eq!(name(&server), "Acme ERP");
    assert_eq!(rename(&server, "Done").unwrap().status, 200);
    assert_eq!(name(&server), "Done");
    assert_eq!(server.take_requests().len(), 7);
}

#[test]
fn an_answer_can_come_after_the_work() {
    let server = us();
    server.fault(Fault::AnswerAfter(Answer::html(504)));
    assert_eq!(rename(&server, "Done").unwrap().status, 504);
    assert_eq!(name(&server), "Done");
}

#[test]
fn a_connection_can_be_cut_before_and_after_the_work() {
    let server = us();
    server.fault(Fault::CutBefore);
    assert!(rename(&server, "Lost").is_err());
    assert_eq!(name(&server), "Acme ERP");
    server.fault(Fault::CutAfter);
    assert!(rename(&server, "Done").is_err());
    assert_eq!(name(&server), "Done");
    server.fault(Fault::Cut(20));
    assert!(rename(&server, "Twice").is_err());
    assert_eq!(name(&server), "Twice");
    assert_eq!(server.take_requests().len(), 3);
}

#[test]
fn an_answer_can_be_slow_or_drip() {
    let server = us();
    let time = Duration::from_millis(60);
    server.fault(Fault::Slow(time));
    let begun = Instant::now();
    data(&server, LIST, json!({}));
    assert!(begun.elapsed() >= time);
    server.fault(Fault::Dripping(Duration::from_millis(1)));
    let begun = Instant::now();
    let answer = ask(&server, "{authenticatedUser {name}}", json!({}));
    assert_eq!(answer["data"]["authenticatedUser"]["name"], "Ada");
    assert!(begun.elapsed() >= Duration::from_millis(40));
}

#[test]
fn data_can_have_an_error_beside_it() {
    let server = us();
    server.fault(Fault::Errors("Something failed".into()));
    let answer = ask(&server, LIST, json!({}));
    assert_eq!(answer["errors"][0]["message"], "Something failed");
    assert!(answer["data"]["scopedConfigVariables"]["totalCount"].is_u64());
}

#[test]
fn a_list_can_lack_a_node_or_its_total() {
    let server = us();
    server.fault(Fault::NullNode);
    server.fault(Fault::NoTotal);
    let list = data(&server, LIST, json!({}))["scopedConfigVariables"].take();
    assert!(list["nodes"][0].is_null() && list["nodes"][1].is_object() && list["totalCount"].is_u64());
    let list = data(&server, LIST, json!({}))["scopedConfigVariables"].take();
    assert!(list["nodes"][0].is_object() && list["totalCount"].is_null());
    let id = crate::client::integration(&server, "Order Sync");
    server.fault(Fault::NoTotal);
    let query = "query($id: ID!) {integration(id: $id) {instances {totalCount}}}";
    assert_eq!(data(&server, query, json!({"id": id}))["integration"]["instances"]["totalCount"], Value::Null);
}

#[test]
fn pages_can_shift_between_two_requests() {
    let server = start(Platform::new(seed::large(30, 0).unwrap()));
    let page = |after: &Value| {
        let query = "query($after: String) {scopedConfigVariables(first: 10, after: $after, sortBy: [{field: CREATED_AT, direction: ASC}]) {
            totalCount nodes {stableKey} pageInfo {endCursor}}}";
        data(&server, query, json!({"after": after}))["scopedConfigVariables"].take()
    };
    let first = page(&Value::Null);
    server.fault(Fault::between(|store| drop(store.connections.remove(3))));
    let second = page(&first["pageInfo"]["endCursor"]);
    // Number 10 is on no page.
    assert_eq!((&second["nodes"][0]["stableKey"], &second["totalCount"]), (&json!("connection-00011"), &json!(29)));
}

#[test]
fn reads_can_be_late() {
    let server = start(Platform::new(store()).lag(2));
    let seen = || {
        let found = data(&server, "{scopedConfigVariables(stableKey: \"acme-erp\") {nodes {key}}}", json!({}));
        found["scopedConfigVariables"]["nodes"][0]["key"].as_str().unwrap().to_string()
    };
    let answer = rename(&server, "New").unwrap().json();
    // The write itself is answered from what it made.
    assert_eq!(answer["data"]["updateScopedConfigVariable"]["scopedConfigVariable"]["key"], "New");
    assert_eq!([seen(), seen(), seen()], ["Acme ERP", "Acme ERP", "New"]);
    server.set_lag(0);
    rename(&server, "Newer").unwrap();
    assert_eq!(seen(), "Newer");
}

#[test]
fn a_fault_can_wait_for_its_request() {
    let server = us();
    server.fault_after(1, Fault::NoTotal);
    server.fault_on("mutation", 1, Fault::Answer(Answer::html(500)));
    assert!(data(&server, LIST, json!({}))["scopedConfigVariables"]["totalCount"].is_u64());
    assert!(data(&server, LIST, json!({}))["scopedConfigVariables"]["totalCount"].is_null());
    assert_eq!(rename(&server, "A").unwrap().status, 200);
    assert!(data(&server, LIST, json!({}))["scopedConfigVariables"]["totalCount"].is_u64());
    assert_eq!(rename(&server, "B").unwrap().status, 500);
    assert_eq!(name(&server), "A");
    server.fault_after(9, Fault::NoTotal);
    assert_eq!((server.clear_faults(), server.clear_faults()), (1, 0));
}

#[test]
fn connections_are_kept_alive() {
    let server = us();
    let mut connection = Connection::open(&server);
    for _ in 0..3 {
        assert_eq!(connection.ask(&server, LIST).unwrap().status, 200);
    }
}

#[test]
fn idle_connections_can_be_closed() {
    let builder = Server::builder(Platform::new(store())).token("token");
    let server = builder.close_idle_after(Duration::from_millis(20)).start().unwrap();
    let mut connection = Connection::open(&server);
    let reply = connection.ask(&server, LIST).unwrap();
    assert_eq!((reply.status, reply.header("connection")), (200, None));
    assert!(connection.closed());
    assert!(connection.ask(&server, LIST).is_err());
    assert_eq!(server.counts().requests, 1);
}

#[test]
fn delays_are_at_one_time() {
    let delay = Duration::from_millis(200);
    let server = Server::builder(Platform::new(store())).token("token").delay(delay).start().unwrap();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(ask_as(&server, "token", LIST, json!({})).status, 200));
        }
    });
    assert!(begun.elapsed() >= delay);
    assert!(server.counts().most_in_flight > 1, "{:?}", server.counts());
    let long = Duration::from_secs(60);
    server.set_delay(long);
    server.set_delay(Duration::ZERO);
    assert_eq!(ask_as(&server, "token", "{authenticatedUser {id}}", json!({})).status, 200);
    assert!(begun.elapsed() < long);
}
