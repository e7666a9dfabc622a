use crate::client::{ask, data, refused, start};
use serde_json::{Value, json};
use stablekey_platform::{Platform, seed};
use std::collections::BTreeSet;

const PAGE: &str = "query($first: Int, $after: String, $last: Int, $before: String, $offset: Int) {
    scopedConfigVariables(first: $first, after: $after, last: $last, before: $before, offset: $offset,
                          sortBy: {field: CREATED_AT, direction: ASC}) {
        totalCount nodes {stableKey} edges {cursor node {stableKey}}
        pageInfo {hasNextPage hasPreviousPage startCursor endCursor}
    }
}";

fn large(connections: usize) -> stablekey_platform::Server {
    start(Platform::new(seed::large(connections, 3).unwrap()))
}

fn keys(list: &Value) -> Vec<&str> {
    list["nodes"].as_array().unwrap().iter().map(|node| node["stableKey"].as_str().unwrap()).collect()
}

#[test]
fn a_list_is_read_page_by_page() {
    let server = large(230);
    let (mut after, mut seen) = (String::new(), Vec::new());
    loop {
        let mut answer = data(&server, PAGE, json!({"after": after}));
        let list = answer["scopedConfigVariables"].take();
        assert_eq!(list["totalCount"], 230);
        assert_eq!(list["edges"][0]["node"], list["nodes"][0]);
        assert_eq!(list["edges"][0]["cursor"], list["pageInfo"]["startCursor"]);
        seen.extend(keys(&list).into_iter().map(str::to_string));
        if list["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = list["pageInfo"]["endCursor"].as_str().unwrap().to_string();
    }
    assert_eq!(seen, (0..230).map(|number| format!("connection-{number:05}")).collect::<Vec<_>>());
    assert_eq!(server.counts().requests, 3);
}

#[test]
fn a_page_can_begin_anywhere() {
    let server = large(10);
    let list = |variables| data(&server, PAGE, variables)["scopedConfigVariables"].take();
    let cursor = list(json!({"first": 4}))["pageInfo"]["endCursor"].clone();
    assert_eq!(keys(&list(json!({"last": 1}))), ["connection-00009"]);
    assert_eq!(keys(&list(json!({"last": 1, "before": cursor}))), ["connection-00002"]);
    assert_eq!(keys(&list(json!({"first": 1, "offset": 5}))), ["connection-00005"]);
    assert_eq!(list(json!({"first": 1, "offset": 5}))["pageInfo"]["hasPreviousPage"], true);
    let answer = ask(&server, PAGE, json!({"first": 101}));
    assert_eq!(answer["data"], Value::Null);
    assert!(answer["errors"][0]["message"].as_str().unwrap().contains("`first` limit of 100"), "{answer}");
    assert_eq!(answer["errors"][0]["path"], json!(["scopedConfigVariables"]));
}

#[test]
fn nested_lists_have_pages_and_totals() {
    let server = large(40);
    let query = "query($first: Int, $after: String) {scopedConfigVariables(stableKey: \"connection-00000\") {nodes {
        customers(first: $first, after: $after) {totalCount nodes {name} pageInfo {endCursor}}
        customerConfigVariables(first: 1) {totalCount nodes {isTest}}
        instances(first: 1, enabled: true) {totalCount nodes {name}}
        integrations(first: 1) {totalCount nodes {name}}
    }}}";
    let first = data(&server, query, json!({"first": 1}));
    let node = &first["scopedConfigVariables"]["nodes"][0];
    assert_eq!(node["customers"]["totalCount"], 2);
    assert_eq!(node["customers"]["nodes"], json!([{"name": "Customer 00000"}]));
    assert_eq!(node["customerConfigVariables"]["totalCount"], 2);
    assert_eq!(node["instances"]["totalCount"], 1);
    assert_eq!(node["integrations"], json!({"totalCount": 1, "nodes": [{"name": "Integration 00000"}]}));
    let second = data(&server, query, json!({"first": 1, "after": node["customers"]["pageInfo"]["endCursor"]}));
    assert_eq!(second["scopedConfigVariables"]["nodes"][0]["customers"]["nodes"], json!([{"name": "Customer 00001"}]));
}

#[test]
fn without_an_order_pages_may_repeat_elements() {
    let server = start(Platform::new(seed::large(40, 0).unwrap()).unstable_order());
    let pages = |order: &str| {
        let (mut after, mut seen) = (String::new(), BTreeSet::new());
        for _ in 0..4 {
            let query = format!(
                "{{scopedConfigVariables(first: 10, after: \"{after}\" {order}) {{nodes {{stableKey}} pageInfo {{endCursor}}}}}}"
            );
            let list = data(&server, &query, json!({}))["scopedConfigVariables"].take();
            seen.extend(keys(&list).into_iter().map(str::to_string));
            after = list["pageInfo"]["endCursor"].as_str().unwrap().to_string();
        }
        seen.len()
    };
    assert_eq!(pages("sortBy: [{field: CREATED_AT, direction: DESC}]"), 40);
    assert!(pages("") < 40);
}

#[test]
fn orders_are_enums_with_a_direction() {
    let server = large(12);
    let first = |order: &str| {
        let query = format!("{{scopedConfigVariables(first: 1, sortBy: {order}) {{nodes {{key}}}}}}");
        data(&server, &query, json!({}))["scopedConfigVariables"]["nodes"][0]["key"].as_str().unwrap().to_string()
    };
    assert_eq!(first("{field: KEY, direction: DESC}"), "Connection 9");
    assert_eq!(first("[{field: COMPONENT_LABEL, direction: ASC}, {field: KEY, direction: ASC}]"), "Connection 0");
    assert_eq!(first("[{field: COMPONENT_LABEL, direction: DESC}, {field: KEY, direction: ASC}]"), "Connection 1");
    let text = "{scopedConfigVariables(sortBy: [{field: \"KEY\", direction: ASC}]) {nodes {id}}}";
    assert_eq!(
        refused(&server, text, json!({})),
        ["Enum 'ScopedConfigVariableOrderField' cannot represent non-enum value: \"KEY\"."]
    );
}
