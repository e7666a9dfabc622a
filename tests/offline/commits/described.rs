//! The requests to GitHub are as GitHub's own description of its API has them.

use super::chat;
use super::posts::PullRequest;
use super::promotions::Clone;
use stablekey_testing::forge::{Description, Fault, GitHub, Rights};

#[test]
fn requests_are_as_described() {
    let request = PullRequest::unresolved();
    for number in 0..120 {
        request.github.write_comment(request.number, "bob", &format!("comment {number}"));
    }
    assert_eq!(request.plan().code, 3);
    request.push(&[("dev/chat.yaml", &chat("chat.example", "Team chat"))]);
    request.github.fail("GET", "/comments", Fault::SecondaryLimit { status: 403, retry_after: Some(0) }, 1);
    assert_eq!(request.plan().code, 0);
    let exchanges = request.github.exchanges();
    let sent = |method: &str| exchanges.iter().filter(|exchange| exchange.method == method).count();
    // Two comments would be one POST more; each run writes a check, and asks whether its commit is the last, and whose the
    // token is.
    assert_eq!((sent("POST"), sent("PATCH"), sent("GET")), (3, 1, 9));
    assert_eq!(Description::installed().problems(&exchanges), [""; 0]);
    for exchange in &exchanges {
        assert_eq!(exchange.header("accept"), Some("application/vnd.github+json"));
        assert_eq!(exchange.header("x-github-api-version"), Some("2022-11-28"));
    }
}

#[test]
fn requests_of_promotions_are_as_described() {
    let (ours, github) = (Clone::new(), GitHub::start());
    assert_eq!(ours.on_github(&github, Rights::Write).code, 0);
    assert_eq!(ours.on_github(&github, Rights::Write).code, 0);
    let exchanges = github.exchanges();
    assert_eq!(exchanges.len(), 3);
    assert_eq!(Description::installed().problems(&exchanges), [""; 0]);
}
