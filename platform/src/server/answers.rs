//! Answers as they go over the wire, the broken ones too.

use crate::faults::{Answer, Fault};
use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use std::time::Duration;

/// Marks an answer in whose place the connection is closed.
#[derive(Clone, Copy, Debug)]
pub(super) struct HangUp;

/// Returns no answer: the connection is closed.
pub(super) fn hang_up() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(HangUp);
    response
}

pub(super) fn given(answer: Answer) -> Response {
    let mut response = plain(answer.status, answer.body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

pub(super) fn plain(status: u16, json: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json")], json).into_response()
}

/// Returns an answer of the API with what goes wrong with it.
pub(super) async fn with_fault(status: u16, json: String, fault: Option<Fault>) -> Response {
    match fault {
        None | Some(Fault::Answer(_) | Fault::CutBefore | Fault::Between(_)) => plain(status, json),
        Some(Fault::AnswerAfter(answer)) => given(answer),
        Some(Fault::CutAfter) => hang_up(),
        Some(Fault::Cut(bytes)) => cut(status, json, bytes),
        Some(Fault::Dripping(pause)) => dripping(status, json, pause),
        Some(Fault::Slow(time)) => {
            tokio::time::sleep(time).await;
            plain(status, json)
        }
        Some(Fault::Errors(message)) => {
            let error = json!({"message": message, "locations": [{"line": 1, "column": 1}], "path": []});
            changed(status, json, |answer| match answer["errors"].as_array_mut() {
                Some(errors) => errors.push(error),
                None => answer["errors"] = json!([error]),
            })
        }
        Some(Fault::NullNode) => changed(status, json, |answer| {
            if let Some(node) = first_node(answer) {
                *node = Value::Null;
            }
        }),
        Some(Fault::NullNested) => changed(status, json, |answer| {
            if let Some(node) = first_node(answer).and_then(first_node) {
                *node = Value::Null;
            }
        }),
        // A test may do something else meanwhile that asks this server too.
        Some(Fault::Edited(change)) => tokio::task::block_in_place(|| changed(status, json, change)),
        Some(Fault::NoTotal) => changed(status, json, |answer| {
            if let Some(list) = first_list(answer, "totalCount") {
                list["totalCount"] = Value::Null;
            }
        }),
    }
}

fn changed(status: u16, json: String, change: impl FnOnce(&mut Value)) -> Response {
    let mut answer: Value = serde_json::from_str(&json).unwrap_or_default();
    change(&mut answer);
    plain(status, answer.to_string())
}

/// Finds the first node of the outermost list, whether it is asked for as a node or in an edge.
fn first_node(value: &mut Value) -> Option<&mut Value> {
    let has_edges = first_list(value, "edges").is_some();
    let list = first_list(value, if has_edges { "edges" } else { "nodes" })?;
    if has_edges { list["edges"].get_mut(0)?.get_mut("node") } else { list["nodes"].get_mut(0) }
}

/// Finds the outermost list that has this field, and elements where these are asked for.
fn first_list<'v>(value: &'v mut Value, field: &str) -> Option<&'v mut Value> {
    let is_list =
        |value: &Value| value.get(field).is_some_and(|found| found.as_array().is_none_or(|all| !all.is_empty()));
    if is_list(value) {
        return Some(value);
    }
    match value {
        Value::Object(map) => map.values_mut().find_map(|value| first_list(value, field)),
        Value::Array(all) => all.iter_mut().find_map(|value| first_list(value, field)),
        _ => None,
    }
}

/// An answer that says how long it is, and ends earlier.
fn cut(status: u16, json: String, bytes: usize) -> Response {
    let length = json.len();
    let part = json.as_bytes()[..bytes.min(length)].to_vec();
    let chunks = [Ok(Bytes::from(part)), Err(std::io::Error::other("cut"))];
    let mut response = plain(status, String::new());
    *response.body_mut() = Body::from_stream(futures_util::stream::iter(chunks));
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response
}

/// An answer that comes byte by byte.
fn dripping(status: u16, json: String, pause: Duration) -> Response {
    let length = json.len();
    let drops = futures_util::stream::unfold((json.into_bytes(), 0), move |(bytes, at)| async move {
        let drop = bytes.get(at..=at).map(Bytes::copy_from_slice)?;
        tokio::time::sleep(pause).await;
        Some((Ok::<_, std::io::Error>(drop), (bytes, at + 1)))
    });
    let mut response = plain(status, String::new());
    *response.body_mut() = Body::from_stream(drops);
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response
}
