//! What a change cannot hide: behind what the base has already, behind a tenant that cannot be read, or behind files that
//! look like something else.

use super::{applied, chat};
use serde_json::Value;
use stablekey::api::SyncMode;
use stablekey_testing::objects::{Component, Connection, Document as _, Integration, Sync, Tenant};
use stablekey_testing::project::Project;
use stablekey_testing::work_tree::{WorkTree, git_in};
use stablekey_testing::yaml;

/// The plan of the branch that is checked out, beside main.
fn change(tree: &WorkTree) -> Value {
    let output = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD", "-o", "json"]);
    serde_json::from_str(&output.out).unwrap_or_else(|error| panic!("{error}: {}", output.all))
}

fn markdown(tree: &WorkTree) -> String {
    tree.stablekey(&["plan", "--from", "main", "--to", "HEAD", "-o", "markdown"]).out
}

fn last_line(text: &str) -> &str {
    text.trim_end().lines().next_back().unwrap()
}

/// A digest covers all that a writer does in a tenant: also what waited before the change.
#[test]
fn an_approval_shows_what_else_it_approves() {
    let tree = applied();
    let crm = |host: &str| {
        let crm = Connection::new("crm", "crm/basic").credentials(stablekey::api::Credentials::OrganizationGlobal);
        crm.input("baseUrl", &format!("https://{host}")).secret("password", "crm").yaml()
    };
    tree.write("dev/crm.yaml", &crm("crm.example"));
    let uses_both = Integration::new("greet").title("greet").binds("Chat", "chat").binds("CRM", "crm");
    tree.write("dev/greet.yaml", &uses_both.yaml());
    assert_eq!(tree.stablekey(&["apply", "--yes"]).code, 0);
    tree.write("dev/crm.yaml", &crm("waits.example"));
    tree.commit("what waits");
    tree.branch("change");
    tree.write("dev/chat.yaml", &chat("new.example", "Chat"));
    tree.commit("move");
    let text = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD"]).out;
    assert!(text.contains("! To approve sync/up in prod approves what waited before this change as well:"), "{text}");
    assert!(text.contains("waits.example"), "{text}");
    let comment = markdown(&tree);
    let (before, approval) = comment.split_once("**To approve**").unwrap();
    assert!(!before.contains("waits.example"), "{before}");
    assert!(approval.contains("It also approves what waited before this change"), "{approval}");
    assert!(approval.contains("waits.example"), "{approval}");
    let change = change(&tree);
    assert_eq!(change["approvals"][0]["already"], serde_json::json!(["prod/Connection/crm"]));
}

/// The project with a tenant that cannot be read.
fn with_unread() -> WorkTree {
    let far = "apiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {name: far}\nspec:\n  acceptFrom: [dev]\n  \
               location: {kubernetes: {namespace: far, kubeconfig: {context: nowhere}}}\n";
    let tree = applied();
    let on = Sync::new("on", "dev", "far").mirror();
    tree.write("far.yaml", &yaml::file(&[far.to_string(), on.yaml()]));
    tree.commit("far");
    tree.branch("change");
    tree
}

#[test]
fn a_tenant_that_cannot_be_read_is_not_one_with_nothing_to_do() {
    let tree = with_unread();
    tree.write("dev/chat.yaml", &chat("chat.example", "Team chat"));
    tree.commit("title");
    let output = tree.stablekey(&["ci", "plan", "--base", "main"]);
    assert_eq!(output.code, 3, "{}", output.all);
    assert!(output.out.contains("✗ far cannot be read: what the change does there is not known"), "{}", output.out);
    let comment = markdown(&tree);
    assert!(comment.contains("What it does in far is not known"), "{comment}");
    assert!(last_line(&comment).contains("What an apply does in far is not known."), "{comment}");
    assert!(!last_line(&comment).contains("nothing"), "{comment}");
}

/// Prod is fed by dev alone: what changes there does not concern the tenant that cannot be read.
#[test]
fn a_tenant_that_cannot_be_read_stops_no_change_elsewhere() {
    let tree = with_unread();
    tree.write("prod/notes.yaml", &Integration::new("notes").title("notes").binds("Chat", "chat").yaml());
    tree.commit("prod alone");
    let output = tree.stablekey(&["ci", "plan", "--base", "main"]);
    assert_eq!(output.code, 0, "{}", output.all);
    assert!(output.out.contains("✗ far cannot be read: it is not concerned"), "{}", output.out);
}

/// The same mistake at another place is another one.
#[test]
fn an_error_of_the_base_hides_no_other() {
    let tree = applied();
    let broken = |name: &str| {
        let spec = "{from: dev, to: [prod], integrations: ['*'], connections: Metch}";
        format!("apiVersion: stablekey.dev/v1alpha1\nkind: TenantSync\nmetadata: {{name: {name}}}\nspec: {spec}\n")
    };
    tree.write("syncs.yaml", &yaml::file(&[broken("one"), Sync::new("two", "dev", "prod").yaml()]));
    tree.commit("one is broken");
    tree.branch("change");
    tree.write("syncs.yaml", &yaml::file(&[Sync::new("one", "dev", "prod").yaml(), broken("two")]));
    tree.commit("the other one is");
    let output = tree.stablekey(&["ci", "plan", "--base", "main"]);
    assert_eq!(output.code, 1, "{}", output.all);
    tree.write("syncs.yaml", &yaml::file(&[broken("one"), broken("two")]));
    tree.commit("both are");
    assert_eq!(tree.stablekey(&["ci", "plan", "--base", "main"]).code, 1);
    // A file that moves makes no new error.
    tree.write("syncs.yaml", &yaml::file(&[broken("one"), Sync::new("two", "dev", "prod").yaml()]));
    tree.git(&["mv", "syncs.yaml", "all-syncs.yaml"]);
    tree.commit("moved");
    let output = tree.stablekey(&["ci", "plan", "--base", "main"]);
    assert_eq!(output.code, 0, "{}", output.all);
}

/// What the base has already gates nothing: neither if a line is added above it, in a definition as in a manifest.
#[test]
fn an_error_of_the_base_that_moves_is_no_new_one() {
    let tree = applied();
    let greet = Integration::new("greet").title("greet").binds("Chat", "chat").definition_file("greet.definition");
    tree.write("dev/greet.yaml", &greet.yaml());
    let definition = "definitionVersion: 7\nname: greet\nname: greet\nflows: []\n";
    tree.write("dev/greet.definition", definition);
    tree.commit("a doubled key");
    tree.branch("change");
    let output = tree.stablekey(&["plan"]);
    assert!(output.code == 1 && output.all.contains("line 3"), "{}", output.all);
    tree.write("dev/greet.definition", &format!("# one more line\n{definition}"));
    tree.commit("a comment above it");
    let output = tree.stablekey(&["ci", "plan", "--base", "main"]);
    // It is no error of the change; what differs in a definition that cannot be read is not known.
    assert!(output.code == 3 && !output.out.contains("SK0125"), "{}", output.all);
    tree.write("dev/greet.definition", definition);
    tree.write("dev/greet.yaml", &format!("# one more line\n{}", greet.yaml()));
    tree.commit("a comment above the manifest");
    let output = tree.stablekey(&["ci", "plan", "--base", "main"]);
    assert_eq!(output.code, 0, "{}", output.all);
    tree.write("dev/more.yaml", &Integration::new("more").title("more").binds("Chat", "gone").yaml());
    tree.commit("another error beside it");
    assert_ne!(tree.stablekey(&["ci", "plan", "--base", "main"]).code, 0);
}

/// What stops a tenant is named with its file.
#[test]
fn a_lock_that_cannot_be_read_is_named() {
    let tree = applied();
    tree.branch("change");
    tree.write("prod/stablekey.lock", "stablekey.lock v1\nno record\n");
    tree.commit("broken");
    let output = tree.stablekey(&["ci", "plan", "--base", "main"]);
    assert_ne!(output.code, 0, "{}", output.all);
    let folder = "what differs is not known: prod/stablekey.lock:2: not a record";
    assert!(output.out.contains(folder), "{}", output.out);
    let output = tree.stablekey(&["status"]);
    assert!(output.all.contains("prod/stablekey.lock:2"), "{}", output.all);
}

/// "Changes of policy, acceptFrom and overrides before all else": of tenants that only an operator reads, too.
#[test]
fn the_settings_of_tenants_for_clusters_are_shown() {
    let tree = applied();
    let of = |policy: &str, mode: SyncMode| {
        let tenant = format!(
            "apiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {{name: eu}}\nspec:\n  policy: {{drift: {policy}}}\n"
        );
        yaml::file(&[tenant, Sync::new("over", "eu", "eu2").mode(mode).yaml()])
    };
    tree.write("hub.yaml", &of("Detect", SyncMode::Plan));
    tree.commit("hub");
    tree.branch("change");
    tree.write("hub.yaml", &of("Correct", SyncMode::Apply));
    tree.commit("policy");
    let comment = markdown(&tree);
    let (_, sensitive) = comment.split_once("It changes what may be written, and by whom:").unwrap();
    assert!(sensitive.contains("**Tenant/eu** policy.drift: Detect → Correct"), "{comment}");
    assert!(sensitive.contains("**TenantSync/over** mode: Plan → Apply"), "{comment}");
}

/// A new Tenant or TenantSync decides as much as one that changes.
#[test]
fn what_a_new_object_allows_is_shown() {
    let tree = applied();
    tree.branch("change");
    let north = Tenant::new("north").in_folder("north").region("eu", "prod").accepts("dev").allows_delete();
    let sync = Sync::new("to-north", "dev", "north").mirror().prune().deletes_connections();
    let sync = sync.overriding_input("north", "chat", "baseUrl", "https://elsewhere.example");
    tree.write("north/.gitkeep", "");
    tree.write("north.yaml", &yaml::file(&[north.yaml(), sync.yaml()]));
    tree.commit("north");
    let comment = markdown(&tree);
    let (_, sensitive) = comment.split_once("It changes what may be written, and by whom:").unwrap();
    for words in [
        "**Tenant/north** is new",
        "**Tenant/north** acceptFrom: [\"dev\"]",
        "**Tenant/north** policy.actions: [",
        "**TenantSync/to-north** is new",
        "**TenantSync/to-north** from: dev",
        "**TenantSync/to-north** to: [\"north\"]",
        "**TenantSync/to-north** prune: true",
        "**TenantSync/to-north** connectionDeletion: Delete",
        "**TenantSync/to-north** overrides.north chat baseUrl: https://elsewhere.example (",
    ] {
        let plain = sensitive.replace("&#91;", "[").replace("&#93;", "]").replace("&#8203;", "");
        assert!(plain.contains(words), "{words}: {comment}");
    }
    assert!(!comment.contains("Tenant/north** region"), "{comment}");
    let output = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD"]);
    assert!(output.out.contains("! TenantSync/to-north  prune: true"), "{}", output.out);
}

/// "Secrets never in logs": in an override of an input that only a Component calls a secret.
#[test]
fn no_secret_of_an_override_is_shown() {
    const CANARY: &str = "c4n4ry-Hunter2-9f8e7d";
    let tree = applied();
    let typed = Component::new("chat/oauth2").has_secret("pin").has_input("team");
    let override_of = |input: &str, value: &str| {
        Sync::new("over", "dev", "prod").overriding_input("prod", "chat", input, value).yaml()
    };
    tree.write("dev/component.yaml", &typed.yaml());
    tree.commit("typed");
    tree.branch("change");
    let report = tree.path("../report");
    let summary = tree.path("../summary.md");
    let event = tree.path("../event.json");
    std::fs::write(&event, "{}").unwrap();
    let variables = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_EVENT_PATH", event.to_str().unwrap()),
        ("GITHUB_STEP_SUMMARY", summary.to_str().unwrap()),
    ];
    let shows_nothing = |base: &str| {
        let _ = std::fs::remove_file(&summary);
        let arguments = ["ci", "plan", "--base", base, "--report", report.to_str().unwrap()];
        let output = tree.run_with(&arguments, &variables);
        assert!(!output.all.contains(CANARY), "{}", output.all);
        assert!(
            output.out.contains("overrides.prod chat pin") || output.out.contains("TenantSync/over"),
            "{}",
            output.out
        );
        for name in ["report.json", "comment.md", "plan.json", "gl-code-quality-report.json"] {
            let text = std::fs::read_to_string(report.join(name)).unwrap();
            assert!(!text.contains(CANARY), "{name}: {text}");
        }
        assert!(!std::fs::read_to_string(&summary).unwrap().contains(CANARY));
        for form in ["text", "json", "markdown"] {
            let output = tree.stablekey(&["plan", "--from", base, "--to", "HEAD", "-o", form]);
            assert!(!output.all.contains(CANARY), "{form}: {}", output.all);
        }
    };
    tree.write("over.yaml", &override_of("pin", CANARY));
    tree.commit("added");
    shows_nothing("main");
    tree.write("over.yaml", &override_of("pin", "other"));
    tree.commit("changed");
    shows_nothing("HEAD^");
    // Only the state before calls it a secret.
    tree.git(&["rm", "--quiet", "dev/component.yaml"]);
    tree.write("over.yaml", &override_of("pin", CANARY));
    tree.commit("without the type");
    shows_nothing("HEAD^");
    tree.write("dev/component.yaml", &typed.yaml());
    tree.commit("typed again");
    std::fs::remove_file(tree.path("over.yaml")).unwrap();
    tree.commit("removed");
    shows_nothing("HEAD^");
    // A key that is nowhere has no type either.
    tree.write("over.yaml", &override_of("pin", CANARY).replace("chat", "chta"));
    tree.commit("misspelt");
    shows_nothing("HEAD^");
    // Nor do tenants that only an operator reads, in whichever state they are that.
    let of_cluster = |name: &str| {
        format!("apiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {{name: {name}}}\nspec: {{}}\n")
    };
    let hub = |from: &str, to: &str| {
        let over = Sync::new("over", from, to).overriding_input(to, "chat", "pin", CANARY).yaml();
        yaml::file(&[of_cluster("hub-us"), of_cluster("hub-eu"), over])
    };
    for (from, to) in [("hub-us", "hub-eu"), ("dev", "hub-eu"), ("hub-us", "prod"), ("hub-us", "gone")] {
        tree.write("over.yaml", &hub(from, to));
        tree.git(&["rm", "--quiet", "--ignore-unmatch", "dev/component.yaml"]);
        tree.commit(&format!("{from} to {to}"));
        shows_nothing("HEAD^");
    }
}

/// Nor is a value of a resource whose Component cannot be read.
#[test]
fn no_value_of_a_type_that_cannot_be_read_is_shown() {
    const CANARY: &str = "c4n4ry-Hunter2-9f8e7d";
    let tree = applied();
    tree.write("dev/other.yaml", &Component::new("other/basic").yaml());
    tree.write("dev/component.yaml", "a: [");
    tree.commit("cannot be read");
    tree.branch("change");
    let chat = Connection::new("chat", "chat/oauth2").credentials(stablekey::api::Credentials::OrganizationGlobal);
    let chat = chat.title("Chat").input("baseUrl", "https://chat.example").secret("clientSecret", "chat");
    tree.write("dev/chat.yaml", &chat.input("pin", CANARY).yaml());
    tree.commit("pin");
    for form in ["text", "json", "markdown"] {
        let output = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD", "-o", form]);
        assert!(output.out.contains("pin"), "{form}: {}", output.all);
        assert!(!output.all.contains(CANARY), "{form}: {}", output.all);
    }
}

/// A file that is not read any more has no error.
#[test]
fn what_is_left_out_is_shown() {
    let tree = applied();
    tree.branch("change");
    tree.write("broken.yaml", "a: [");
    tree.write(".stablekeyignore", "# old\nbroken.yaml\n");
    tree.commit("left out");
    let output = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD"]);
    assert_eq!(output.code, 2, "{}", output.all);
    assert!(output.out.contains("! .stablekeyignore  leaves out broken.yaml now"), "{}", output.out);
    let comment = markdown(&tree);
    assert!(comment.contains("It changes what may be written, and by whom"), "{comment}");
    assert!(comment.contains("**.stablekeyignore** leaves out broken.yaml now"), "{comment}");
}

/// "By whatever path": the same key of a Secret, sent elsewhere under another name.
#[test]
fn a_secret_that_goes_elsewhere_by_another_name_is_named() {
    let tree = applied();
    tree.branch("change");
    std::fs::remove_file(tree.path("dev/chat.yaml")).unwrap();
    let other = Connection::new("talk", "talk/basic").credentials(stablekey::api::Credentials::OrganizationGlobal);
    tree.write("dev/talk.yaml", &other.input("baseUrl", "https://evil.example").secret("clientSecret", "chat").yaml());
    tree.commit("by another name");
    let comment = markdown(&tree);
    assert!(comment.contains("SK0107 clientSecret names"), "{comment}");
    assert!(comment.contains("here it goes to evil.example"), "{comment}");
}

#[test]
fn a_tenant_that_is_taken_out_deletes_nothing_in_its_folder() {
    let tree = applied();
    tree.branch("change");
    let prod = Tenant::new("prod").in_folder("prod").accepts("dev").allows_delete();
    tree.write("tenants.yaml", &yaml::file(&[prod.yaml()]));
    tree.commit("without dev");
    let comment = markdown(&tree);
    assert!(comment.contains("**Tenant/dev** is gone"), "{comment}");
    assert!(comment.contains("2 resources stay there, and nobody manages them"), "{comment}");
    assert!(!comment.contains("delete "), "{comment}");
    // Files that go with it are gone.
    std::fs::remove_dir_all(tree.path("dev")).unwrap();
    tree.commit("and without its files");
    assert!(markdown(&tree).contains("- delete **Connection/chat**"), "{}", markdown(&tree));
}

/// A Tenant with the folder of its name.
fn tenant(name: &str, spec: &str) -> String {
    let location = format!("location: {{directory: {{path: {name}}}}}");
    format!(
        "apiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {{name: {name}}}\nspec: {{{location}, {spec}}}\n"
    )
}

const VALID: &str = "region: eu, environment: dev";
const INVALID: &str = "region: eu, environment: dev, policy: {drift: Perhaps}";

/// The project with dev in a file of its own, and a branch.
fn with_dev_apart() -> WorkTree {
    let tree = applied();
    let prod = Tenant::new("prod").in_folder("prod").accepts("dev").allows_delete();
    let up = Sync::new("up", "dev", "prod").mirror().prune();
    tree.write("tenants.yaml", &yaml::file(&[prod.yaml(), up.yaml()]));
    tree.write("dev.yaml", &tenant("dev", VALID));
    tree.commit("dev apart");
    tree.branch("change");
    tree
}

/// "Unread is unknown, never empty": of a Tenant that is invalid, doubled, misplaced or in a file that cannot be read,
/// nobody knows that no tenant has its folder.
#[test]
fn a_tenant_that_becomes_invalid_still_may_have_its_folder() {
    let tree = with_dev_apart();
    let cases = [
        ("dev.yaml", tenant("dev", INVALID), "its Tenant is invalid"),
        ("dev.yaml", yaml::file(&[tenant("dev", VALID), tenant("dev", VALID)]), "its Tenant is there 2 times"),
        ("prod/dev.yaml", tenant("dev", VALID), "its Tenant lies inside a tenant's folder"),
        ("dev.yaml", "# stablekey.dev\na: [".to_string(), "dev.yaml cannot be read and could declare tenant dev"),
    ];
    for (file, text, why) in cases {
        std::fs::remove_file(tree.path("dev.yaml")).unwrap();
        tree.write(file, &text);
        tree.commit(why);
        let output = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD"]);
        assert_eq!(output.code, 1, "{why}: {}", output.all);
        assert!(output.out.contains(&format!("what differs is not known: {why}")), "{why}: {}", output.out);
        assert!(output.out.contains("Tenant/dev  what it says now is not known: "), "{why}: {}", output.out);
        for wrong in ["nobody manages", "is gone", "delete", "acceptFrom"] {
            assert!(!output.out.contains(wrong), "{why}: {}", output.out);
        }
        tree.git(&["reset", "--quiet", "--hard", "main"]);
    }
}

/// What was not known before the change is not made by it.
#[test]
fn a_tenant_that_is_fixed_makes_nothing() {
    let tree = with_dev_apart();
    tree.write("dev.yaml", &tenant("dev", INVALID));
    tree.commit("invalid");
    tree.git(&["branch", "--force", "main"]);
    // The same state is no change, whatever it means.
    tree.write("README.md", "notes");
    tree.commit("elsewhere");
    let output = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD"]);
    assert!(output.code == 0 && output.out.contains("The change does nothing"), "{}", output.all);
    tree.write("dev/more.yaml", &Integration::new("more").title("more").binds("Chat", "chat").yaml());
    tree.commit("in its folder");
    let output = tree.stablekey(&["ci", "plan", "--base", "main"]);
    assert_eq!(output.code, 3, "{}", output.all);
    assert!(output.out.contains("what differs in its folder is not known"), "{}", output.out);
    tree.write("dev.yaml", &tenant("dev", VALID));
    tree.commit("fixed");
    let output = tree.stablekey(&["ci", "plan", "--base", "main"]);
    assert_eq!(output.code, 0, "{}", output.all);
    assert!(
        output.out.contains("what else differs is not known: before the change, its Tenant is invalid"),
        "{}",
        output.out
    );
    assert!(
        output.out.contains("Tenant/dev  what it said before is not known: its Tenant is invalid"),
        "{}",
        output.out
    );
    let change = change(&tree);
    let folders = change["folders"].as_array().unwrap();
    // The files are compared nevertheless: only what is new there is made.
    let of_dev = folders.iter().find(|folder| folder["tenant"] == "dev").unwrap();
    let made =
        of_dev["changes"].as_array().unwrap().iter().map(|made| format!("{} {}", made["change"], made["object"]));
    assert_eq!(made.collect::<Vec<_>>(), [r#""create" "Integration/more""#]);
}

/// The number of what stays in a folder does not count what could not be read as nothing, nor what is gone.
#[test]
fn what_stays_in_a_folder_is_counted_only_as_far_as_it_is_known() {
    let tree = with_dev_apart();
    let base = |what: &str| {
        tree.commit(what);
        tree.git(&["branch", "--force", "main"]);
    };
    let without_dev = || {
        std::fs::remove_file(tree.path("dev.yaml")).unwrap();
        tree.commit("without dev");
        let out = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD"]).out;
        let json = change(&tree);
        tree.git(&["reset", "--quiet", "--hard", "main"]);
        let folder =
            json["folders"].as_array().unwrap().iter().find(|folder| folder["tenant"] == "dev").unwrap().clone();
        let left = folder["left"].as_str().unwrap_or_default().to_string();
        assert!(out.split_whitespace().collect::<Vec<_>>().join(" ").contains(&left), "{left}: {out}");
        left
    };
    assert_eq!(without_dev(), "no tenant has its folder dev any more: 2 resources stay there, and nobody manages them");
    tree.write("dev/broken.yaml", "a: [");
    base("a file is broken");
    assert_eq!(
        without_dev(),
        "no tenant has its folder dev any more, and nobody manages what stays there (2 resources, and more that is not \
         known: before the change, dev/broken.yaml could not be read)"
    );
    std::fs::remove_file(tree.path("dev/broken.yaml")).unwrap();
    tree.write("dev.yaml", &tenant("dev", INVALID));
    base("the Tenant is invalid");
    let left = without_dev();
    assert!(left.contains("what is in it, which is not known: before the change, its Tenant is invalid"), "{left}");
    assert!(!left.contains("0 resources"), "{left}");
    tree.write("dev.yaml", &tenant("dev", VALID));
    base("valid");
    std::fs::remove_file(tree.path("dev/greet.yaml")).unwrap();
    assert_eq!(without_dev(), "no tenant has its folder dev any more: 1 resource stays there, and nobody manages it");
}

/// A tenant of another name, or one that nobody can read, may have the folder now.
#[test]
fn a_folder_that_another_tenant_has_is_managed() {
    let tree = with_dev_apart();
    tree.write("dev.yaml", &tenant("test", VALID).replace("path: test", "path: dev"));
    tree.commit("renamed");
    let out = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD"]).out;
    assert!(out.contains("its folder dev belongs to tenant test now"), "{out}");
    assert!(!out.contains("nobody manages"), "{out}");
    let comment = markdown(&tree);
    assert!(!comment.contains("no longer managed"), "{comment}");
    tree.write(
        "dev.yaml",
        "apiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {name: test}\nspec: {location: 7}\n",
    );
    tree.commit("invalid");
    let out = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD"]).out;
    let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("whether another tenant has it is not known: it may be tenant test"), "{out}");
    assert!(!out.contains("nobody manages"), "{out}");
}

/// A sync that is invalid or doubled is not gone: what it declared does not end.
#[test]
fn a_sync_that_becomes_invalid_is_not_gone() {
    let tree = with_dev_apart();
    let prod = Tenant::new("prod").in_folder("prod").accepts("dev").allows_delete();
    let up = Sync::new("up", "dev", "prod").mirror().prune();
    let invalid = up.yaml().replace("Mirror", "Mirrored");
    for (syncs, why) in
        [(vec![invalid], "TenantSync/up is invalid"), (vec![up.yaml(), up.yaml()], "TenantSync/up is there twice")]
    {
        tree.write("tenants.yaml", &yaml::file(&[vec![prod.yaml()], syncs].concat()));
        tree.commit(why);
        let out = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD"]).out;
        assert!(out.contains(&format!("TenantSync/up  what it says now is not known: {why}")), "{out}");
        assert!(!out.contains("is gone"), "{out}");
    }
}

/// Whoever pushes a tag of the name of a branch does not become the base.
#[test]
fn a_tag_is_not_taken_for_the_branch() {
    let tree = applied();
    tree.branch("change");
    tree.write("dev/lost.yaml", &Integration::new("lost").binds("Nowhere", "nowhere").yaml());
    tree.commit("lost");
    tree.git(&["tag", "main"]);
    let output = tree.stablekey(&["ci", "plan", "--base", "main"]);
    assert_eq!(output.code, 1, "{}", output.all);
    assert!(output.err.contains("main is both a tag and a branch"), "{}", output.err);
    assert_eq!(tree.stablekey(&["ci", "plan", "--base", "refs/heads/main"]).code, 3);
    for revision in ["main~0", "main^0", "main@{0}"] {
        let output = tree.stablekey(&["ci", "plan", "--base", revision]);
        assert!(output.err.contains("main is both a tag and a branch"), "{revision}: {}", output.all);
    }
    // An @ is a letter of a name, and another name is another branch.
    tree.git(&["branch", "main@2", "refs/heads/main"]);
    assert_eq!(tree.stablekey(&["ci", "plan", "--base", "main@2"]).code, 3);
    tree.git(&["tag", "main@2", "HEAD"]);
    let output = tree.stablekey(&["ci", "plan", "--base", "main@2"]);
    assert!(output.code == 1 && output.err.contains("main@2 is both a tag and a branch"), "{}", output.all);
}

/// A commit can have files that look like a repository without a work tree. They say nothing: neither what the history
/// is, nor what git runs.
#[test]
fn files_of_a_commit_are_no_repository() {
    let inner = applied();
    let outer = Project::empty();
    stablekey_testing::cli::copy_folder(inner.root(), &outer.path("conn"));
    let _ = std::fs::remove_dir_all(outer.path("conn/.git"));
    let tree = WorkTree::of(outer);
    tree.branch("change");
    tree.write("conn/dev/lost.yaml", &Integration::new("lost").binds("Nowhere", "nowhere").yaml());
    // The embedded history says that nothing changes, and its configuration runs a command.
    let ran = tree.path("../ran");
    git_in(&tree.path("conn"), &["init", "--quiet", "--bare", "--initial-branch=main", "."]);
    let upload = format!("touch {}; git-upload-pack", ran.display());
    for (name, value) in
        [("remote.origin.url", "."), ("remote.origin.uploadpack", upload.as_str()), ("core.worktree", ".")]
    {
        git_in(&tree.path("conn"), &["--git-dir", ".", "config", name, value]);
    }
    let head = tree.git(&["rev-parse", "main"]);
    let object = tree.root().join(".git").display().to_string();
    git_in(&tree.path("conn"), &["--git-dir", ".", "fetch", "--quiet", &object, &format!("{head}:refs/heads/main")]);
    tree.git(&["add", "--all", "--force"]);
    tree.git(&["commit", "--quiet", "--message", "embedded"]);
    let output = tree.stablekey(&["ci", "plan", "-C", "conn", "--base", "main"]);
    assert_eq!(output.code, 3, "{}", output.all);
    assert!(output.out.contains("nowhere"), "{}", output.out);
    for arguments in
        [&["ci", "apply", "-C", "conn"][..], &["ci", "promote", "--from", "dev", "--to", "prod", "-C", "conn"]]
    {
        let _ = tree.run_with(arguments, &[("GITHUB_ACTIONS", "true"), ("GITHUB_REF", "refs/heads/main")]);
        assert!(!ran.exists(), "{arguments:?} ran what the commit says");
    }
}

/// Comments of different projects in one repository do not replace each other.
#[test]
fn each_project_of_a_repository_has_its_own_comment() {
    let outer = Project::empty();
    let inner = applied();
    for name in ["team-a", "teama", "日本"] {
        stablekey_testing::cli::copy_folder(inner.root(), &outer.path(name));
        let _ = std::fs::remove_dir_all(outer.path(&format!("{name}/.git")));
    }
    let tree = WorkTree::of(outer);
    let markers = ["team-a", "teama", "日本"].map(|name| {
        let report = tree.path("../report");
        let output =
            tree.stablekey(&["ci", "plan", "--base", "main", "-C", name, "--report", report.to_str().unwrap()]);
        assert_eq!(output.code, 0, "{}", output.all);
        let comment = std::fs::read_to_string(report.join("comment.md")).unwrap();
        comment.lines().next().unwrap().to_string()
    });
    assert_eq!(markers[0], "<!-- stablekey:change team%2Da -->");
    assert_eq!(markers[1], "<!-- stablekey:change teama -->");
    assert_eq!(markers.iter().collect::<std::collections::BTreeSet<_>>().len(), 3, "{markers:?}");
}

/// The order of the patterns decides, also where others are added.
#[test]
fn the_order_of_what_is_left_out_is_shown() {
    let tree = applied();
    tree.write(".stablekeyignore", "drafts\n!drafts/ok\n");
    tree.commit("ignored");
    tree.branch("change");
    tree.write(".stablekeyignore", "!drafts/ok\ndrafts\nbuild\n");
    tree.commit("another order");
    let text = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD"]).out;
    assert!(text.contains("leaves out build now") && text.contains("has another order"), "{text}");
}

/// What a person approved, and the namespace of a Tenant, are not in the spec.
#[test]
fn an_approval_in_the_files_is_a_change() {
    let tree = applied();
    tree.branch("change");
    let tenants = tree.read("tenants.yaml");
    let approved = "{name: up, annotations: {stablekey.dev/approve: 'sha256:4f2a9c01be77'}}";
    assert!(tenants.contains("{name: up}"), "{tenants}");
    tree.write("tenants.yaml", &tenants.replace("{name: up}", approved));
    tree.commit("approved");
    let output = tree.stablekey(&["ci", "plan", "--base", "main"]);
    assert!(output.out.contains("approve") && output.out.contains("sha256:4f2a9c01be77"), "{}", output.all);
    assert!(!output.out.contains("does nothing"), "{}", output.out);
}

/// A label or an annotation of ours can switch a check off, or start something.
#[test]
fn every_label_and_annotation_of_ours_is_shown() {
    let tree = applied();
    tree.branch("change");
    let tenants = tree.read("tenants.yaml");
    let marked = "{name: up, labels: {stablekey.dev/for: prod, team: a}, \
                  annotations: {stablekey.dev/not-secret: pin, stablekey.dev/requestedAt: '7', note: b}}";
    tree.write("tenants.yaml", &tenants.replace("{name: up}", marked));
    tree.commit("annotated");
    let out = tree.stablekey(&["ci", "plan", "--base", "main"]).out;
    for what in [
        "! TenantSync/up  annotations.stablekey.dev/not-secret: absent → pin",
        "! TenantSync/up  annotations.stablekey.dev/requestedAt: absent → 7",
        "! TenantSync/up  labels.stablekey.dev/for: absent → prod",
    ] {
        assert!(out.contains(what), "{what}: {out}");
    }
    assert!(!out.contains("team") && !out.contains("note"), "{out}");
}

/// Flux, Argo CD and kubectl write what a kustomization makes of the files.
#[test]
fn a_kustomization_that_differs_is_a_change() {
    let tree = applied();
    tree.branch("change");
    tree.write("prod/kustomization.yaml", "patches:\n- target: {kind: Connection}\n  patch: '[]'\n");
    tree.commit("patch");
    let output = tree.stablekey(&["ci", "plan", "--base", "main"]);
    assert!(output.out.contains("kustomization.yaml  of prod differs"), "{}", output.all);
    assert!(!output.out.contains("does nothing"), "{}", output.out);
    assert!(markdown(&tree).contains("kustomization.yaml of prod"), "{}", markdown(&tree));
    // Also of one that a link leads to.
    let tree = applied();
    tree.write("shared/base.yaml", "namePrefix: one-\n");
    std::os::unix::fs::symlink("../shared/base.yaml", tree.path("prod/kustomization.yaml")).unwrap();
    tree.commit("link");
    tree.branch("change");
    tree.write("shared/base.yaml", "namePrefix: two-\n");
    tree.commit("behind the link");
    let output = tree.stablekey(&["ci", "plan", "--base", "main"]);
    assert!(output.out.contains("kustomization.yaml  of prod differs"), "{}", output.all);
    // On disk, the content decides.
    assert!(!tree.stablekey(&["plan", "--from", "HEAD"]).out.contains("differs"));
}

/// A link of the files that are planned must not say where the files before are read.
#[test]
fn a_root_that_is_a_link_is_refused() {
    let tree = applied();
    tree.branch("change");
    tree.write("copy/README.md", "nothing");
    std::os::unix::fs::symlink("copy", tree.path("deploy")).unwrap();
    tree.commit("link");
    let output = tree.stablekey(&["ci", "plan", "--base", "main", "-C", "deploy"]);
    assert!(output.code == 1 && output.err.contains("deploy is a link"), "{}", output.all);
}

/// A tag of the name of a branch of the remote, and a commit whose id begins like a branch.
#[test]
fn a_branch_is_not_mistaken_for_something_else() {
    let tree = applied();
    let main = tree.git(&["rev-parse", "main"]);
    tree.branch("change");
    tree.write("dev/chat.yaml", &chat("new.example", "Chat"));
    let change = tree.commit("move");
    tree.git(&["update-ref", "refs/remotes/origin/main", &main]);
    tree.git(&["tag", "origin/main", &change]);
    let output = tree.stablekey(&["ci", "plan", "--base", "origin/main"]);
    assert!(output.code == 1 && output.err.contains("origin/main"), "{}", output.all);
    assert!(!output.out.contains("does nothing"), "{}", output.out);
    // A clone has the remote's own HEAD.
    tree.git(&["tag", "--delete", "origin/main"]);
    tree.git(&["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main"]);
    let output = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD"]);
    assert!(output.out.contains("new.example"), "{}", output.all);
    // As a job of GitLab has it: the target is a branch of the remote only.
    let name = &change[..7];
    tree.git(&["update-ref", &format!("refs/remotes/origin/{name}"), &main]);
    let output = tree.stablekey(&["ci", "plan", "--base", name]);
    assert!(output.code == 0 && output.out.contains("new.example"), "{}", output.all);
    tree.git(&["update-ref", "-d", &format!("refs/remotes/origin/{name}")]);
    let variables =
        [("GITLAB_CI", "true"), ("CI_MERGE_REQUEST_IID", "7"), ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", name)];
    let output = tree.run_with(&["ci", "plan"], &variables);
    assert!(output.code == 1 && output.err.contains(&format!("there is no commit {name}")), "{}", output.all);
}

/// A name that begins like the id of a commit: Git takes a reference first, whatever else begins so.
#[test]
fn a_name_is_not_the_beginning_of_an_id() {
    let tree = applied();
    let main = tree.git(&["rev-parse", "main"]);
    tree.branch("change");
    tree.write("dev/chat.yaml", &chat("new.example", "Chat"));
    let change = tree.commit("move");
    let hex = &change[..6];
    let names = [format!("{hex}-release"), format!("x-g{hex}"), hex.to_string(), format!("{hex}-1-g{hex}")];
    for folder in ["refs/heads", "refs/tags", "refs/remotes/origin"] {
        for name in &names {
            let reference = format!("{folder}/{name}");
            tree.git(&["update-ref", &reference, &main]);
            for arguments in [["plan", "--from"], ["ci plan", "--base"]] {
                let words: Vec<&str> = arguments[0].split(' ').chain([arguments[1], name]).collect();
                let output = tree.stablekey(&words);
                assert!(output.out.contains("new.example"), "{arguments:?} {reference}: {}", output.all);
            }
            tree.git(&["update-ref", "-d", &reference]);
        }
    }
    // Without a reference the beginning of an id is one, and a longer name is nothing.
    assert_eq!(tree.stablekey(&["plan", "--from", hex]).code, 0);
    let output = tree.stablekey(&["plan", "--from", &names[0]]);
    assert!(output.code == 1 && output.err.contains("there is no commit"), "{}", output.all);
}

/// A link that only a reader of commits would follow: on disk a part behind a file is an error.
#[test]
fn a_link_leads_nowhere_at_a_commit_as_on_disk() {
    for target in ["../lib/z.yaml/", "../lib/z.yaml/../z.yaml"] {
        let tree = applied();
        tree.branch("change");
        tree.write("lib/z.yaml", &Connection::new("more", "chat/oauth2").yaml());
        std::os::unix::fs::symlink(target, tree.path("dev/more.yaml")).unwrap();
        tree.commit("link");
        assert_eq!(tree.stablekey(&["plan"]).code, 1);
        assert_eq!(tree.stablekey(&["ci", "plan", "--base", "main"]).code, 1, "{target}");
    }
}

/// A base of which nothing can be read is not empty.
#[test]
fn a_base_that_cannot_be_read_is_not_known() {
    let tree = applied();
    let tenants = tree.read("tenants.yaml");
    tree.write("tenants.yaml", "a: [\nkind: Tenant\napiVersion: stablekey.dev/v1alpha1\n");
    tree.commit("broken");
    tree.branch("change");
    tree.write("tenants.yaml", &tenants);
    tree.commit("mended");
    let text = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD"]).out;
    assert!(!text.contains("is new"), "{text}");
}
