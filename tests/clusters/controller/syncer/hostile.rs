//! A target whose server is hostile: it crashes and delays nothing else, and is reported.

use super::env::*;
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use stablekey_clusters::{Namespace, shared};
use stablekey_testing::manifests;
use stablekey_testing::proxy::{Fate, Pieces, Proxy, Seen};
use stablekey_testing::replica::{Replica, until};
use std::fs;
use std::sync::Arc;

/// The memory limit of the chart's Pod, in KiB.
const LIMIT: u64 = 256 * 1024;

/// A tenant beside `eu` whose server answers reads with `answers`.
struct Hostile {
    env: TestEnv,
    syncer: Replica,
    _namespace: Namespace<'static>,
    _proxy: Proxy,
}

impl Hostile {
    fn new(prefix: &str, answers: impl Fn(&Seen) -> Fate + Send + 'static) -> Self {
        let env = TestEnv::new(prefix);
        let namespace = env.target("asia", shared("us"));
        let account = manifests::account(namespace.cluster(), namespace.name(), "tenant-access/target");
        let proxy = Proxy::of(namespace.cluster(), &account, move |seen| answers(seen));
        env.in_us(&[
            kubeconfig_secret("asia", &fs::read_to_string(&proxy.kubeconfig).unwrap()),
            connection("crm", "api"),
            integration("lead", &["crm"]),
            sync_to(&["eu", "asia"], "Apply"),
        ]);
        let syncer = env.syncer();
        Hostile { env, syncer, _namespace: namespace, _proxy: proxy }
    }

    /// Asserts that it is reported with these words, others continue, and memory stays within its limit.
    fn is_reported_and_affects_nothing_else(&self, words: &str) {
        until_field(&self.env.eu, "connection/crm", SCOPES, "api");
        until(format!("it is told of: {words}").as_str(), || {
            let message = ready(&self.env.us, "tenant/asia", "message");
            message.contains(words)
        });
        let message = ready(&self.env.us, "tenant/asia", "message");
        assert!(message.len() < 2_048 && !message.contains(|c: char| c.is_control() || c == '\u{202e}'), "{message:?}");
        self.env.in_us(&[connection("crm", "more")]);
        until_field(&self.env.eu, "connection/crm", SCOPES, "more");
        let peak = self.syncer.peak_memory();
        assert!(peak < LIMIT, "{peak} KiB");
        eprintln!("{words}: {peak} KiB at most");
    }
}

fn page(items: usize, size: usize, next: bool, number: usize) -> Bytes {
    let object = |at: usize| -> Value {
        let name = format!("c{number}-{at}");
        let spec = json!({"stableKey": name, "component": {"key": "x"}, "type": "t", "credentials": "Customer",
                          "description": "x".repeat(size)});
        json!({"apiVersion": "stablekey.dev/v1alpha1", "kind": "Connection", "metadata": {"name": name, "uid": name}, "spec": spec})
    };
    let items: Vec<Value> = (0..items).map(object).collect();
    let next = if next { "more" } else { "" };
    json!({"metadata": {"resourceVersion": "7", "continue": next}, "items": items}).to_string().into()
}

fn body(bytes: Bytes) -> Fate {
    Fate::Pieces(StatusCode::OK, Pieces(Arc::new(move |number| (number == 0).then(|| bytes.clone()))))
}

fn endless(piece: &'static [u8]) -> Fate {
    Fate::Pieces(StatusCode::OK, Pieces(Arc::new(move |_| Some(Bytes::from_static(piece)))))
}

fn is_list(seen: &Seen) -> bool {
    seen.path.contains("/connections?limit=")
}

fn is_watch(seen: &Seen) -> bool {
    seen.path.contains("/connections?watch=")
}

#[test]
fn pages_without_end() {
    let hostile = Hostile::new("pages", |seen| match is_list(seen) {
        true => body(page(500, 1_000, true, seen.number)),
        false => Fate::Pass,
    });
    hostile.is_reported_and_affects_nothing_else("connections are more than");
}

#[test]
fn empty_pages_without_end() {
    let hostile = Hostile::new("empty", |seen| match is_list(seen) {
        true => body(page(0, 0, true, seen.number)),
        false => Fate::Pass,
    });
    hostile.is_reported_and_affects_nothing_else("connections are more than 4000 pages");
}

#[test]
fn a_body_without_end() {
    static PIECE: [u8; 65_536] = [b' '; 65_536];
    let hostile = Hostile::new("body", |seen| if is_list(seen) { endless(&PIECE) } else { Fate::Pass });
    hostile.is_reported_and_affects_nothing_else("is larger than 8 MiB");
}

#[test]
fn a_line_of_a_watch_without_end() {
    static PIECE: [u8; 65_536] = [b'x'; 65_536];
    let hostile = Hostile::new("line", |seen| if is_watch(seen) { endless(&PIECE) } else { Fate::Pass });
    hostile.is_reported_and_affects_nothing_else("is larger than 8 MiB");
}

#[test]
fn a_million_tiny_objects_one_by_one() {
    let event = |number: usize| {
        let spec = json!({"stableKey": format!("c{number}"), "component": {"key": "x"}, "type": "t", "credentials": "Customer"});
        let metadata = json!({"name": format!("c{number}"), "uid": "u", "resourceVersion": (100 + number).to_string()});
        let object =
            json!({"apiVersion": "stablekey.dev/v1alpha1", "kind": "Connection", "metadata": metadata, "spec": spec});
        format!("{}\n", json!({"type": "ADDED", "object": object}))
    };
    let pieces = Pieces(Arc::new(move |piece| {
        (piece < 10_000).then(|| (0..100).map(|at| event(piece * 100 + at)).collect::<String>().into())
    }));
    let hostile = Hostile::new("tiny", move |seen| match is_watch(seen) {
        true => Fate::Pieces(StatusCode::OK, pieces.clone()),
        false => Fate::Pass,
    });
    hostile.is_reported_and_affects_nothing_else("has more than 60000 objects");
}

/// Each object is as large as possible, or larger.
#[test]
fn objects_as_large_as_can_be_one_by_one() {
    let event = |number: usize| {
        let spec = json!({"stableKey": format!("c{number}"), "component": {"key": "x"}, "type": "t",
                          "credentials": "Customer", "description": "x".repeat(3_500_000)});
        let metadata = json!({"name": format!("c{number}"), "uid": "u", "resourceVersion": (100 + number).to_string()});
        let object =
            json!({"apiVersion": "stablekey.dev/v1alpha1", "kind": "Connection", "metadata": metadata, "spec": spec});
        format!("{}\n", json!({"type": "ADDED", "object": object}))
    };
    let pieces = Pieces(Arc::new(move |number| (number < 400).then(|| event(number).into())));
    let hostile = Hostile::new("large", move |seen| match is_watch(seen) {
        true => Fate::Pieces(StatusCode::OK, pieces.clone()),
        false => Fate::Pass,
    });
    hostile.is_reported_and_affects_nothing_else("48 MiB");
}

#[test]
fn large_pages_of_every_kind_at_once() {
    let hostile =
        Hostile::new("kinds", |seen| match seen.path.contains("?limit=") && seen.path.contains("stablekey") {
            true => body(page(2, 3_500_000, true, seen.number)),
            false => Fate::Pass,
        });
    hostile.is_reported_and_affects_nothing_else("48 MiB");
}

#[test]
fn an_error_of_control_characters() {
    static PIECE: &[u8] = b"\x1b[2J\x07evil \xe2\x80\xae words\r\n";
    let no = Pieces(Arc::new(|number| (number < 2_000).then(|| Bytes::from_static(PIECE))));
    let hostile = Hostile::new("words", move |seen| match is_list(seen) {
        true => Fate::Pieces(StatusCode::BAD_REQUEST, no.clone()),
        false => Fate::Pass,
    });
    hostile.is_reported_and_affects_nothing_else("evil \\u{202e} words");
}
