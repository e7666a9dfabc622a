//! Files that differ, and that are not read here: other tools read them, so a report names them.

use super::applied;
use stablekey_testing::objects::{Connection, Document as _};
use std::os::unix::fs::symlink;

#[test]
fn files_that_are_not_read_are_named() {
    let tree = applied();
    let kustomization = "resources: [chat.yaml]\npatches: [{path: ../patches/chat.yaml}]\n";
    tree.write("dev/kustomization.yaml", kustomization);
    tree.write("patches/chat.yaml", "- {op: replace, path: /spec/title, value: One}\n");
    tree.write("shared/crm.yaml", &Connection::new("crm", "crm/oauth2").yaml());
    symlink("../shared/crm.yaml", tree.path("prod/crm.yaml")).unwrap();
    tree.commit("base");
    tree.branch("change");
    let plan = |what: &str| {
        tree.commit(what);
        let output = tree.stablekey(&["ci", "plan", "--base", "main"]);
        assert_eq!(output.code, 0, "{}", output.all);
        output.out.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let out = plan("nothing");
    assert!(out.contains("✓ The change does nothing.") && !out.contains("Also changed"), "{out}");
    tree.write("patches/chat.yaml", "- {op: replace, path: /spec/title, value: Two}\n");
    tree.write("README.md", "more");
    tree.write(".gitattributes", "dev/* merge=ours\n");
    tree.write("dev/.evil.yaml", &Connection::new("evil", "chat/oauth2").yaml());
    let out = plan("not read");
    assert!(out.contains("✓ The change does nothing that is planned."), "{out}");
    let named = "Also changed, and not read here: .gitattributes, dev/.evil.yaml, patches/chat.yaml, README.md.";
    assert!(out.contains(named), "{out}");
    let output = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD", "-o", "json"]);
    assert_eq!(output.code, 0, "{}", output.all);
    let json: serde_json::Value = serde_json::from_str(&output.out).unwrap();
    let files = [".gitattributes", "dev/.evil.yaml", "patches/chat.yaml", "README.md"];
    assert_eq!(json["notRead"], serde_json::json!(files));
    let comment = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD", "-o", "markdown"]).out;
    assert!(comment.contains("✅ The change does nothing that is planned."), "{comment}");
    assert!(comment.contains("Also changed, and not read here:") && comment.contains("patches/chat.yaml"), "{comment}");
    // Of many the first ones are named.
    (0..20).for_each(|number| tree.write(&format!("src/file-{number}.rs"), ""));
    let out = plan("code");
    assert!(out.contains("README.md, src/file-0.rs, src/file-1.rs and 18 more."), "{out}");
    // What is read is not among them: through a link, too.
    tree.git(&["reset", "--quiet", "--hard", "main"]);
    tree.git(&["mv", "shared/crm.yaml", "shared/talk.yaml"]);
    tree.write("shared/talk.yaml", &Connection::new("crm", "crm/oauth2").title("Talk").yaml());
    std::fs::remove_file(tree.path("prod/crm.yaml")).unwrap();
    symlink("../shared/talk.yaml", tree.path("prod/crm.yaml")).unwrap();
    tree.write("dev/kustomization.yaml", "resources: [chat.yaml, greet.yaml]\n");
    tree.write("prod/stablekey.lock", &format!("{}\n", tree.read("prod/stablekey.lock")));
    tree.write(".stablekeyignore", "drafts\n");
    let out = plan("read");
    assert!(!out.contains("Also changed"), "{out}");
}
