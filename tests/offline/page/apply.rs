//! A plan is applied as it was shown, with the consent that was given, and as the command does it.

use super::client::{Answer, Form};
use super::fixtures::{edit, many};
use super::served::Served;
use stablekey_testing::cli::{example, files, run, said};
use std::path::Path;

/// The form of the plan.
fn form(served: &Served) -> Form {
    let plan = served.get("/plan");
    plan.form("/apply").unwrap_or_else(|| panic!("nothing to apply: {}", plan.words()))
}

/// Waits for the end of the apply that runs, and returns what is shown then.
fn end(served: &Served) -> Answer {
    served.wait_until(|served| {
        let shown = served.get("/apply").body;
        !shown.contains("<progress") && !shown.contains("data-comparing")
    });
    served.get("/apply")
}

fn apply(served: &Served, form: &Form) -> Answer {
    let begun = served.submit(form);
    assert_eq!((begun.status, begun.header("location")), (303, Some("/apply")), "{}", begun.words());
    end(served)
}

/// The words of the receipt that the command prints: `sha256:` and twelve digits each.
fn digests(output: &str) -> Vec<&str> {
    let receipt = output.split_once("Receipt:").unwrap().1;
    receipt.split_whitespace().filter_map(|word| word.strip_prefix("sha256:")).take(3).collect()
}

fn apply_by_command(root: &Path, arguments: &[&str]) -> String {
    let output = run(root, &[&["apply", "--yes"], arguments].concat());
    said(&output)
}

#[test]
fn all_of_a_plan_is_approved_and_applied_as_the_command_does_it() {
    let (root, other) = (example("us-eu"), example("us-eu"));
    let served = Served::open(root.path());
    let form = form(&served);
    assert!(form.buttons.contains(&("what".to_string(), "rest".to_string())), "{form:?}");
    let receipt = apply(&served, &form.with("what", "all").with("approve", "on"));
    let words = receipt.words();
    assert!(words.contains("6 actions done"), "{words}");
    assert!(words.contains("Manual steps"), "{words}");
    assert!(words.contains("supply Secret hubspot-app"), "{words}");
    // What was changed, field by field, and when; what no plan names again stays to be found.
    assert!(
        receipt.body.contains("<time datetime=")
            && words.contains("inputs.scopes − api inputs.scopes + api refresh_token"),
        "{words}"
    );
    let steps = served.get("/steps").words();
    assert!(steps.contains("The last apply from this page left"), "{steps}");
    let plan = said(&run(other.path(), &["plan"]));
    let approved = plan.split_once("--approve ").unwrap().1.split_whitespace().next().unwrap();
    let output = apply_by_command(other.path(), &["--approve", approved]);
    assert!(output.contains("6 done"), "{output}");
    for digest in digests(&output) {
        assert!(words.contains(digest), "{digest} of {output}\n{words}");
    }
    assert!(files(root.path()) == files(other.path()), "the same bytes, the lock too");
    // Nothing is left that could be applied.
    assert!(served.get("/plan").form("/apply").is_none());
    let overview = served.get("/").words();
    assert!(!overview.contains("To create 1"), "{overview}");
}

#[test]
fn the_rest_is_applied_without_what_needs_approval() {
    let (root, other) = (example("us-eu"), example("us-eu"));
    let served = Served::open(root.path());
    let receipt = apply(&served, &form(&served).with("what", "rest"));
    let words = receipt.words();
    assert!(words.contains("4 of 6 actions done"), "{words}");
    assert!(words.contains("eu-prod/Connection/warehouse was not approved"), "{words}");
    let output = apply_by_command(other.path(), &[]);
    for digest in digests(&output) {
        assert!(words.contains(digest), "{digest} of {output}\n{words}");
    }
    assert!(files(root.path()) == files(other.path()));
    // The rest of it: what needed approval, and nothing else.
    let form = form(&served);
    assert!(!form.buttons.iter().any(|(_, value)| value == "rest"), "{form:?}");
    let words = apply(&served, &form.with("what", "all").with("approve", "on")).words();
    assert!(words.contains("2 actions done"), "{words}");
}

#[test]
fn a_tick_in_a_request_for_the_rest_approves_nothing() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let words = apply(&served, &form(&served).with("what", "rest").with("approve", "on")).words();
    assert!(words.contains("eu-prod/Connection/warehouse was not approved"), "{words}");
}

#[test]
fn a_plan_that_is_read_back_empty_says_so() {
    let root = many(20);
    let served = Served::open(root.path());
    let words = apply(&served, &form(&served).with("what", "all").with("approve", "on")).words();
    assert!(words.contains("Read back and planned again: nothing is left to do."), "{words}");
    assert!(served.get("/plan").words().contains("Nothing to apply."));
}

#[test]
fn what_is_not_said_is_not_applied() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let before = files(root.path());
    let form = form(&served);
    for (what, status) in [
        (form.clone().with("what", "all"), 200),
        (form.clone(), 400),
        (form.clone().with("what", ""), 400),
        (form.clone().with("what", "everything").with("approve", "on"), 400),
        (form.clone().with("what", "ALL").with("approve", "on"), 400),
    ] {
        let answer = served.submit(&what);
        assert_eq!(answer.status, status, "{what:?}: {}", answer.words());
        assert!(answer.words().contains("Nothing was changed"), "{}", answer.words());
        // Without the tick the form is there again, and says why.
        let again = answer.form("/apply");
        assert_eq!(again.is_some(), status == 200, "{}", answer.words());
        assert!(again.is_none_or(|again| again.fields == form.fields) || status != 200, "{}", answer.body);
        assert!(!answer.links().iter().any(|link| link.contains("token")), "{:?}", answer.links());
    }
    assert!(served.get("/apply").words().contains("No apply yet"));
    // A digest of another plan, of none, and of the part of a plan that the command names.
    let plan = said(&run(root.path(), &["plan"]));
    let of_writer = plan.split_once("--approve ").unwrap().1.split_whitespace().next().unwrap();
    let shown = form.fields.iter().find(|(name, _)| name == "digest").unwrap().1.clone();
    for digest in ["", "sha256:0", of_writer, &shown.to_uppercase(), &shown[..shown.len() - 1]] {
        let words =
            apply(&served, &form.clone().with("digest", digest).with("what", "all").with("approve", "on")).words();
        assert!(words.contains("Nothing was written") && words.contains("The plan changed"), "{digest}: {words}");
    }
    assert!(files(root.path()) == before);
}

#[test]
fn a_stale_plan_is_refused_and_what_changed_is_named() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let shown = form(&served).with("what", "all").with("approve", "on");
    let digest = |form: &Form| form.fields.iter().find(|(name, _)| name == "digest").unwrap().1.clone();
    // One action more: a title that goes to eu-prod. The page follows the files, and its forms are of the new plan.
    edit(root.path(), "us-prod/integrations/order-export.yaml", "  title:", "  # a comment\n  title:");
    edit(
        root.path(),
        "us-prod/connections/hubspot-oauth.yaml",
        "https://hubspot.example/authorize",
        "https://hubspot.example/other",
    );
    served.wait_until(|served| digest(&form(served)) != digest(&shown));
    let before = files(root.path());
    let words = apply(&served, &shown).words();
    assert!(words.contains("The plan changed since it was shown"), "{words}");
    assert!(words.contains("changed: eu-prod/Connection/hubspot-oauth"), "{words}");
    let shown = form(&served).with("what", "all").with("approve", "on");
    // One that goes, and one that comes.
    edit(root.path(), "us-prod/connections/warehouse.yaml", "warehouse-2.us.example", "warehouse.us.example");
    edit(root.path(), "us-prod/connections/slack-bot.yaml", "title: Slack", "title: Slack of the team");
    served.wait_until(|served| digest(&form(served)) != digest(&shown));
    let words = apply(&served, &shown).words();
    assert!(words.contains("no longer: eu-prod/Connection/warehouse"), "{words}");
    assert!(words.contains("new: eu-prod/Connection/slack-bot"), "{words}");
    // Also where the page has not seen the change yet: the project is read again before anything is written.
    let shown = form(&served).with("what", "all").with("approve", "on");
    edit(root.path(), "us-prod/connections/slack-bot.yaml", "title: Slack of the team", "title: Slack");
    let words = apply(&served, &shown).words();
    assert!(words.contains("no longer: eu-prod/Connection/slack-bot"), "{words}");
    let after = files(root.path());
    assert!(after["eu-prod/stablekey.lock"] == before["eu-prod/stablekey.lock"]);
    assert!(after["eu-prod/connections/warehouse.yaml"] == before["eu-prod/connections/warehouse.yaml"]);
}

#[test]
fn a_refused_apply_leaves_the_receipt_of_the_one_before() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let stale = form(&served);
    assert!(apply(&served, &stale.clone().with("what", "rest")).words().contains("4 of 6 actions done"));
    let refused = apply(&served, &stale.with("what", "rest")).words();
    assert!(refused.contains("Nothing was written") && refused.contains("The apply before"), "{refused}");
    assert!(refused.contains("4 of 6 actions done"), "{refused}");
}

#[test]
fn a_stale_revert_leads_to_what_it_would_do_now() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let address = "/revert?tenant=eu-prod&object=Connection%2Fslack-bot";
    let revert = served.get(address).form("/revert").unwrap();
    let file = root.path().join("eu-prod/connections/slack-bot.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("  title: ", "  title: Other ")).unwrap();
    let refused = apply(&served, &revert.with("what", "all").with("approve", "on"));
    assert!(refused.words().contains("The plan changed since it was shown"), "{}", refused.words());
    assert!(refused.links().iter().any(|link| link.starts_with(address)), "{:?}", refused.links());
}

#[test]
fn one_apply_runs_at_a_time_and_stops_when_it_is_told() {
    let root = many(300);
    let served = Served::open(root.path());
    let shown = form(&served).with("what", "all").with("approve", "on");
    assert_eq!(served.submit(&shown).status, 303);
    // It plans again first, which takes much longer than a request.
    let second = served.submit(&shown);
    assert_eq!(second.status, 409, "{}", second.words());
    assert!(second.words().contains("Another apply runs."), "{}", second.words());
    let running = served.get("/apply");
    assert!(running.words().contains("It goes on if you close this page."), "{}", running.words());
    assert!(served.get("/plan").form("/apply").is_none(), "no form while it runs");
    assert_eq!(served.submit(&running.form("/stop").unwrap()).status, 303);
    let words = end(&served).words();
    assert!(words.contains("the apply was stopped before it"), "{words}");
    // The same again finishes it.
    let rest = form(&served).with("what", "all").with("approve", "on");
    let words = apply(&served, &rest).words();
    assert!(words.contains("nothing is left to do"), "{words}");
    let other = many(300);
    apply_by_command(other.path(), &[]);
    let is_manifest = |(name, _): &(String, Vec<u8>)| !name.ends_with("stablekey.lock");
    let manifests = |root: &Path| files(root).into_iter().filter(is_manifest).collect::<Vec<_>>();
    assert!(manifests(root.path()) == manifests(other.path()));
}

#[test]
fn a_folder_that_somebody_else_writes_to_is_left_alone() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let before = files(root.path());
    // As an apply or an edit in a terminal holds it.
    let lock = std::fs::File::open(root.path().join("eu-prod")).unwrap();
    lock.lock().unwrap();
    let words = apply(&served, &form(&served).with("what", "all").with("approve", "on")).words();
    assert!(words.contains("another"), "{words}");
    let changed = files(root.path()).into_iter().filter(|(name, bytes)| before.get(name) != Some(bytes));
    let changed: Vec<String> = changed.map(|(name, _)| name).collect();
    assert!(changed.iter().all(|name| !name.starts_with("eu-prod")), "{changed:?}");
    drop(lock);
    let words = apply(&served, &form(&served).with("what", "all").with("approve", "on")).words();
    assert!(words.contains("done"), "{words}");
}

#[test]
fn the_end_of_the_page_waits_for_the_apply() {
    let root = many(300);
    let mut served = Served::open(root.path());
    assert_eq!(served.submit(&form(&served).with("what", "all").with("approve", "on")).status, 303);
    assert_eq!(served.interrupt(), Some(0));
    // Whatever was written is whole: nothing is staged, and the rest can be applied.
    let left: Vec<String> =
        files(root.path()).into_keys().filter(|name| name.contains(".tmp") || name.contains("/.stablekey")).collect();
    assert!(left.is_empty(), "{left:?}");
    let output = apply_by_command(root.path(), &[]);
    assert!(output.contains("no action is left") || output.contains("othing to"), "{output}");
}

#[test]
fn an_apply_of_a_suspended_tenant_writes_nothing_there() {
    let root = example("us-eu");
    edit(
        root.path(),
        "tenants.yaml",
        "metadata: {name: eu-prod}\nspec:\n",
        "metadata: {name: eu-prod}\nspec:\n  suspend: true\n",
    );
    let served = Served::open(root.path());
    let before = files(root.path());
    let form = form(&served);
    let words = apply(&served, &form.with("what", "all").with("approve", "on")).words();
    assert!(words.contains("1 action done") || words.contains("1 of"), "{words}");
    let changed = files(root.path()).into_iter().filter(|(name, bytes)| before.get(name) != Some(bytes));
    let changed: Vec<String> = changed.map(|(name, _)| name).collect();
    assert!(!changed.is_empty() && changed.iter().all(|name| name.starts_with("us-prod")), "{changed:?}");
}

/// Who applies has seen all that is applied.
#[test]
fn a_part_of_the_plan_has_no_form_to_apply_it() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    for address in ["/plan?q=hubspot", "/plan?show=drift", "/plan?tenant=eu-prod", "/plan?tenant=us-prod&q=x"] {
        let page = served.get(address);
        assert_eq!(page.status, 200, "{address}");
        assert!(page.form("/apply").is_none(), "{address}");
        assert!(page.words().contains("Only a part of the plan is shown."), "{address}: {}", page.words());
    }
    for address in ["/plan", "/plan?q=", "/plan?show=&tenant="] {
        assert!(served.get(address).form("/apply").is_some(), "{address}");
    }
}
