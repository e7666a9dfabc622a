//! A webhook means "ask now", and nothing more.

use super::env::*;
use crate::controller::syncer::env::*;
use ring::hmac;
use serde_json::json;
use stablekey_testing::git_server::Step;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

const SECRET: &str = "CANARY-webhook";

/// Sends a webhook, and returns the status of the answer.
fn post(address: &str, path: &str, header: &str, body: &str) -> u16 {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(stream, "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{header}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

fn signature(secret: &str, body: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body.as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("X-Hub-Signature-256: sha256={hex}")
}

#[test]
fn a_push_is_applied_before_the_next_poll() {
    let env = GitEnv::new("webhook");
    let first = env.commit(&[connection("crm", "0")]);
    let secret = env.cache.path().join("webhook-secret");
    std::fs::write(&secret, SECRET).unwrap();
    let mut syncer = env.syncer_with_webhooks(&secret);
    let address = syncer.wait_for_log("receives webhooks")["address"].as_str().unwrap().to_string();
    let mut tenant = env.tenant();
    tenant["spec"]["source"]["git"]["interval"] = json!("24h");
    env.in_us(&[tenant]);
    env.until_applied(&first);

    env.server.take_seen();
    let second = env.commit(&[connection("crm", "1")]);
    let push =
        json!({"ref": "refs/heads/main", "repository": {"clone_url": env.server.url("tenants.git")}}).to_string();
    assert_eq!(post(&address, "/github", &signature("wrong", &push), &push), 401);
    let other = json!({"repository": {"clone_url": env.server.url("other.git")}}).to_string();
    assert_eq!(post(&address, "/github", &signature(SECRET, &other), &other), 202);
    assert_eq!(env.server.take_seen().len(), 0, "neither asks this server");
    assert_eq!(post(&address, "/github", &signature(SECRET, &push), &push), 202);
    env.until_applied(&second);
    assert!(env.server.take_seen().iter().any(|seen| seen.step == Step::Fetch));

    let third = env.commit(&[connection("crm", "2")]);
    let push = json!({"object_kind": "push", "project": {"git_http_url": env.server.url("tenants.git")}}).to_string();
    assert_eq!(post(&address, "/gitlab", "X-Gitlab-Token: wrong", &push), 401);
    assert_eq!(post(&address, "/gitlab", &format!("X-Gitlab-Token: {SECRET}"), &push), 202);
    env.until_applied(&third);
    assert_eq!(field(&env.us, "connection/crm", SCOPES), "2");
    assert!(!syncer.log.join("\n").contains("CANARY"));
}
