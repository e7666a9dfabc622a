//! Ownership records that a commit alters: they decide what counts as drift, and what may be deleted.

use super::applied;
use serde_json::json;

#[test]
fn a_record_that_is_altered_is_shown() {
    let tree = applied();
    tree.branch("change");
    let lock = tree.read("prod/stablekey.lock");
    let altered = |of: &str, from: &str, to: &str| {
        let alter = |line: &str| if line.starts_with(of) { line.replacen(from, to, 1) } else { line.to_string() };
        lock.lines().map(alter).collect::<Vec<_>>().join("\n") + "\n"
    };
    let plan = |what: &str| {
        tree.commit(what);
        let text = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD"]);
        assert!(!text.out.contains("does nothing"), "{}", text.out);
        let json = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD", "-o", "json"]).out;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let comment = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD", "-o", "markdown"]).out;
        (text.out.split_whitespace().collect::<Vec<_>>().join(" "), json["records"].clone(), comment)
    };
    // Whoever takes the mark away, and puts it back with another change, decides about a deletion.
    tree.write("prod/stablekey.lock", &altered("Integration/greet", " made ", " - "));
    let (text, records, comment) = plan("not made");
    assert!(text.contains("! stablekey.lock of prod: made (by Stablekey"), "{text}");
    assert!(text.contains("disappears for Integration/greet"), "{text}");
    let record = json!({"object": "Integration/greet", "change": "madeDisappears"});
    assert_eq!(records, json!([{"tenant": "prod", "folder": "location", "records": [record]}]));
    assert!(comment.contains("It changes what may be written, and by whom"), "{comment}");
    assert!(comment.contains("**stablekey.lock of prod** made"), "{comment}");
    // Of fields there is no more than that, and no hash.
    let before = lock.lines().find(|line| line.starts_with("Connection/chat")).unwrap();
    let hash = before.split_once("title=").unwrap().1.split_once('@').unwrap().0;
    let new = "0123456789abcdef";
    tree.write("prod/stablekey.lock", &lock.replacen(&format!("title={hash}"), &format!("title={new}"), 1));
    let (text, records, comment) = plan("another hash");
    assert!(text.contains("~ stablekey.lock of prod: fields differ for Connection/chat"), "{text}");
    assert_eq!(records[0]["records"], json!([{"object": "Connection/chat", "change": "fields"}]));
    for shown in [text, comment] {
        assert!(!shown.contains(new) && !shown.contains(hash), "{shown}");
    }
}
