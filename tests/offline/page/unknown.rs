//! What is not known is shown as unknown: no view says "in sync" or "nothing to apply" of what it could not read.

use super::client::Answer;
use super::fixtures::{add, edit};
use super::served::Served;
use stablekey_testing::cli::{copy_folder, example, repository, stablekey};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// The cells of a matrix: of each row its name, and the words below each tenant.
fn cells(answer: &Answer) -> Vec<(String, Vec<(String, String)>)> {
    let Some(table) = answer.body.split("<table class=\"m").nth(1) else { return Vec::new() };
    let table = table.split("</table>").next().unwrap();
    let words = |html: &str| Answer { body: format!("<x{html}"), ..answer.clone() }.words();
    let head = table.split("<thead>").nth(1).unwrap().split("</thead>").next().unwrap();
    let names: Vec<String> =
        head.split("<th").skip(1).map(|cell| words(cell).split(' ').next().unwrap_or_default().to_string()).collect();
    let rows = table.split("<tbody>").nth(1).unwrap().split("<tr").skip(1).filter(|row| row.contains("<td"));
    let of = |row: &str| {
        let name = words(row.split("<td").next().unwrap().split("<th").nth(1).unwrap());
        let cells: Vec<String> = row.split("<td").skip(1).map(words).collect();
        let first = names.len() - cells.len();
        (name, names[first..].iter().cloned().zip(cells).collect())
    };
    rows.map(of).collect()
}

/// The words of a row and a tenant.
fn cell(answer: &Answer, row: &str, tenant: &str) -> String {
    let all = cells(answer);
    let found = all.iter().find(|(name, _)| name == row).unwrap_or_else(|| panic!("no row {row}: {all:?}"));
    found.1.iter().find(|(name, _)| name == tenant).unwrap_or_else(|| panic!("{found:?}")).1.clone()
}

const KEYS: [&str; 3] = ["salesforce-oauth", "slack-bot", "warehouse"];
const INTEGRATIONS: [&str; 2] = ["lead-router", "order-export"];

/// Fails if any view says of a tenant that something is in sync.
fn nothing_is_in_sync(served: &Served, tenant: &str) {
    for address in
        ["/", "/?list=integrations", "/integrations", "/components?component=salesforce", "/?show=in", "/?show=ok"]
    {
        let page = served.get(address);
        for (row, cells) in cells(&page) {
            for (name, words) in cells.iter().filter(|(name, _)| name == tenant) {
                assert!(!words.contains("in sync"), "{address}: {row} in {name}: {words}");
            }
        }
        let head = page.body.split("<thead>").nth(1).unwrap_or_default().split("</thead>").next().unwrap().to_string();
        let of_tenant = head.split("<th").find(|cell| cell.contains(&format!(">{tenant}<"))).unwrap_or_default();
        assert!(!of_tenant.contains("in sync"), "{address}: {of_tenant}");
    }
    for integration in INTEGRATIONS {
        let page = served.get(&format!("/integration?name={integration}&tenant={tenant}"));
        for (row, cells) in cells(&page) {
            for (name, words) in cells.iter().filter(|(name, _)| name == tenant) {
                assert!(!words.contains("in sync"), "{integration}: {row} in {name}: {words}");
            }
        }
    }
    for key in KEYS {
        let page = served.get(&format!("/connection?key={key}"));
        let head =
            page.body.split(&format!("id=\"t-{tenant}\"")).nth(1).unwrap_or_default().split("</th>").next().unwrap();
        assert!(!head.contains("in sync"), "{key}: {head}");
    }
    let plan = served.get(&format!("/plan?tenant={tenant}"));
    let of_tenant = plan.body.split(&format!("id=\"t-{tenant}\"")).nth(1).unwrap_or_default();
    let head = of_tenant.split("</div>").next().unwrap();
    assert!(!head.contains("nothing to apply"), "{head}");
    assert!(!plan.words().contains("Nothing to apply."), "{}", plan.words());
    let picture = served.get("/syncs").body;
    let about = picture.split("class=\"name\" ").find(|part| part.contains(&format!(">{tenant}</text>")));
    assert!(!about.unwrap().contains("in sync"), "{about:?}");
    // A tenant of which nothing was read has no row of its own.
    assert!(served.get("/problems").status == 200);
}

fn applied() -> tempfile::TempDir {
    let root = example("us-eu");
    // Without what is blocked and what drifted, and with all applied: everything is in sync.
    let path = root.path().join("syncs.yaml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.split("---\n# The support team").next().unwrap()).unwrap();
    edit(
        root.path(),
        "eu-prod/connections/slack-bot.yaml",
        "chat:write channels:read users:read",
        "chat:write channels:read",
    );
    edit(
        root.path(),
        "eu-prod/connections/salesforce-oauth.yaml",
        "description: CRM of the EU sales team # ours: the data stays in the EU",
        "description: CRM of the sales team",
    );
    let served = Served::open(root.path());
    let form = served.get("/plan").form("/apply").unwrap();
    assert_eq!(served.submit(&form.with("what", "all").with("approve", "on")).status, 303);
    served.wait_until(|served| {
        let shown = served.get("/apply").body;
        !shown.contains("<progress") && !shown.contains("data-comparing")
    });
    let plan = served.get("/plan");
    assert!(plan.form("/apply").is_none() && !plan.words().contains("to update"), "{}", plan.words());
    for (list, rows) in [("/", &KEYS[..]), ("/?list=integrations", &INTEGRATIONS[..])] {
        let page = served.get(list);
        for row in rows {
            assert!(cell(&page, row, "eu-prod").contains("in sync"), "{row}: {:?}", cells(&page));
        }
    }
    root
}

#[test]
fn where_everything_is_known_it_is_in_sync() {
    applied();
}

#[test]
fn a_broken_file_makes_what_it_may_hold_unknown() {
    for (file, text, unknown) in [
        ("eu-prod/connections/broken.yaml", "kind: [", &["eu-prod"][..]),
        ("us-prod/connections/broken.yaml", "a: b: c\n", &["us-prod", "eu-prod"]),
        // Along the chain of syncs: from dev to us-prod, and from there to eu-prod.
        ("dev/connections/broken.yaml", "\tx", &["dev", "us-prod"]),
        ("syncs2.yaml", "kind: TenantSync\n  x: [", &["us-prod", "eu-prod"]),
    ] {
        let root = applied();
        add(root.path(), file, text);
        let served = Served::open(root.path());
        for tenant in unknown {
            nothing_is_in_sync(&served, tenant);
        }
        let problems = served.get("/problems").words();
        assert!(problems.contains(file.split('/').next_back().unwrap()), "{file}: {problems}");
        assert!(
            served.get("/").words().contains("in files : what they may hold is unknown"),
            "{}",
            served.get("/").words()
        );
    }
}

#[test]
fn along_a_chain_of_syncs_what_comes_from_an_unread_source_is_unknown() {
    let root = applied();
    add(root.path(), "dev/integrations/broken.yaml", "kind: [");
    let served = Served::open(root.path());
    let page = served.get("/?list=integrations");
    for tenant in ["us-prod", "eu-prod"] {
        assert!(!cell(&page, "lead-router", tenant).contains("in sync"), "{tenant}: {:?}", cells(&page));
    }
    let what_if = served.get("/what-if?name=lead-router&from=dev&to=us-prod").words();
    assert!(!what_if.contains("Nothing to apply."), "{what_if}");
}

#[test]
fn a_tenant_whose_folder_is_gone_is_unknown() {
    for (gone, unknown) in
        [("eu-prod", &["eu-prod"][..]), ("us-prod", &["us-prod", "eu-prod"]), ("dev", &["dev", "us-prod"])]
    {
        let root = applied();
        fs::remove_dir_all(root.path().join(gone)).unwrap();
        let served = Served::open(root.path());
        for tenant in unknown {
            nothing_is_in_sync(&served, tenant);
        }
        assert!(served.get("/syncs").words().contains("annot be read"), "{gone}: {}", served.get("/syncs").words());
        if gone != "eu-prod" {
            let to = unknown[1];
            let what_if = served.get(&format!("/what-if?name=lead-router&from={gone}&to={to}")).words();
            assert!(!what_if.contains("Nothing to apply."), "{what_if}");
        }
    }
}

#[test]
fn an_unread_list_of_syncs_leaves_nothing_certain() {
    for text in [
        "apiVersion: stablekey.dev/v1alpha1\nkind: TenantSync\nspec: [",
        "apiVersion: stablekey.dev/v1alpha1\nkind: TenantSync\nmetadata: {name: x}\nspec: {from: 5}\n",
    ] {
        let root = applied();
        fs::write(root.path().join("syncs.yaml"), text).unwrap();
        let served = Served::open(root.path());
        nothing_is_in_sync(&served, "eu-prod");
        nothing_is_in_sync(&served, "us-prod");
        assert!(served.get("/problems").body.contains("syncs.yaml"));
        let syncs = served.get("/syncs").words();
        assert!(syncs.contains("syncs.yaml") || syncs.contains("TenantSync/x cannot be used"), "{syncs}");
        assert!(!syncs.contains("There is no sync yet"), "{syncs}");
    }
}

#[test]
fn what_waits_for_a_suspended_tenant_or_sync_is_not_in_sync() {
    for (file, from, to) in [
        ("tenants.yaml", "metadata: {name: eu-prod}\nspec:\n", "metadata: {name: eu-prod}\nspec:\n  suspend: true\n"),
        ("syncs.yaml", "metadata: {name: us-to-eu}\nspec:\n", "metadata: {name: us-to-eu}\nspec:\n  suspend: true\n"),
    ] {
        let root = example("us-eu");
        edit(root.path(), file, from, to);
        let served = Served::open(root.path());
        let page = served.get("/");
        for key in ["warehouse", "salesforce-oauth"] {
            assert!(!cell(&page, key, "eu-prod").contains("in sync"), "{key}: {:?}", cells(&page));
        }
        let page = served.get("/?list=integrations");
        assert!(!cell(&page, "lead-router", "eu-prod").contains("in sync"), "{:?}", cells(&page));
        let picture = served.get("/syncs").body;
        let about = picture.split("class=\"name\" ").find(|part| part.contains(">eu-prod</text>")).unwrap();
        assert!(!about.contains("in sync"), "{about}");
        let plan = served.get("/plan?tenant=eu-prod");
        assert!(plan.words().contains("suspended"), "{}", plan.words());
        assert!(plan.words().contains("actions wait") || plan.words().contains("changes"), "{}", plan.words());
        let overview = served.get("/").words();
        assert!(overview.contains("suspended"), "{overview}");
    }
}

#[test]
fn drift_that_a_policy_ignores_is_shown() {
    let root = example("us-eu");
    edit(
        root.path(),
        "tenants.yaml",
        "metadata: {name: eu-prod}\nspec:\n",
        "metadata: {name: eu-prod}\nspec:\n  policy: {drift: Ignore}\n",
    );
    let served = Served::open(root.path());
    assert!(served.get("/problems").words().contains("None."), "{}", served.get("/problems").words());
    let page = served.get("/");
    assert!(!cell(&page, "slack-bot", "eu-prod").contains("in sync"), "{:?}", cells(&page));
    let page = served.get("/connection?key=slack-bot");
    assert!(page.body.contains("users:read"), "{}", page.words());
    let head = page.body.split("id=\"t-eu-prod\"").nth(1).unwrap().split("</th>").next().unwrap();
    assert!(!head.contains("in sync"), "{head}");
}

#[test]
fn what_was_read_before_stays_shown_when_the_project_goes() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("project");
    copy_folder(&repository("examples/us-eu"), &folder);
    let served = Served::start_with(stablekey(root.path(), &["ui", "-C", "project"])).opened();
    let is_failed = |served: &Served| served.get("/").words().contains("The project cannot be read");
    let set = served.get("/set?tenant=us-prod&key=warehouse").form("/set").unwrap();
    let reviewed = served.submit(&set.with("in.port", "6432")).form("/write").unwrap();
    fs::rename(&folder, root.path().join("away")).unwrap();
    served.post("/read", &[("back", "/")]);
    served.wait_until(is_failed);
    for address in [
        "/",
        "/plan",
        "/connection?key=warehouse",
        "/integration?name=lead-router",
        "/syncs",
        "/what-if?name=lead-router&from=us-prod&to=eu-prod",
    ] {
        let page = served.get(address);
        assert_eq!(page.status, 200, "{address}");
        assert!(page.words().contains("What was in sync then is unknown now."), "{address}: {}", page.words());
        assert!(!page.body.contains(">Live<"), "{address}");
    }
    for address in ["/plan.json", "/plan.md"] {
        assert_eq!(served.get(address).status, 503, "{address}: what was read before is no plan");
    }
    for tenant in ["dev", "us-prod", "eu-prod"] {
        let words = cell(&served.get("/integration?name=lead-router"), "Salesforce Connection", tenant);
        assert!(!words.contains("in sync"), "{tenant}: {words}");
    }
    // Nothing is written to what is gone.
    let form = served.get("/plan").form("/apply").unwrap();
    let answer = served.submit(&form.with("what", "rest"));
    assert_eq!((answer.status, answer.words().contains("Nothing was written")), (409, true), "{}", answer.words());
    assert!(!folder.exists());
    let set = served.get("/set?tenant=us-prod&key=warehouse").form("/set").unwrap();
    let review = served.submit(&set.with("in.port", "6432"));
    if let Some(form) = review.form("/write") {
        let answer = served.submit(&form);
        assert_ne!(answer.status, 303, "{}", answer.words());
    }
    assert!(!folder.exists());
    let answer = served.submit(&reviewed);
    assert_eq!((answer.status, answer.words().contains("Nothing was written")), (409, true), "{}", answer.words());
    assert!(!folder.exists());
    // Another one in its place is followed.
    copy_folder(&repository("examples/us-eu"), &folder);
    edit(&folder, "us-prod/connections/warehouse.yaml", "title: Order warehouse", "title: Another warehouse");
    served.post("/read", &[("back", "/")]);
    served.wait_until(|served| !is_failed(served));
    assert!(served.get("/connection?key=warehouse&show=all").words().contains("Another warehouse"));
    edit(&folder, "us-prod/connections/warehouse.yaml", "title: Another warehouse", "title: Third warehouse");
    served.wait_until(|served| served.get("/connection?key=warehouse&show=all").words().contains("Third warehouse"));
}

#[test]
fn a_project_that_cannot_be_read_at_first_says_why_and_is_followed() {
    let root = tempfile::tempdir().unwrap();
    let served = {
        let mut served = Served::start(root.path());
        served.exchange();
        served
    };
    served.wait_until(|served| !served.get("/").body.contains("<h1>Reading"));
    let page = served.get("/").words();
    assert!(!page.contains("in sync"), "{page}");
    copy_folder(&repository("examples/us-eu"), root.path());
    served.wait_until(|served| served.get("/").body.contains("salesforce-oauth"));
}

#[test]
fn changes_of_files_are_followed() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let shows = |text: &'static str| {
        move |served: &Served| served.get("/connection?key=warehouse&show=all").words().contains(text)
    };
    edit(root.path(), "us-prod/connections/warehouse.yaml", "title: Order warehouse", "title: Edited in place");
    served.wait_until(shows("Edited in place"));
    // As editors save: another file takes the name.
    let path = root.path().join("us-prod/connections/warehouse.yaml");
    let text = fs::read_to_string(&path).unwrap().replace("Edited in place", "Saved beside");
    fs::write(root.path().join("us-prod/connections/.warehouse.swp"), text).unwrap();
    fs::rename(root.path().join("us-prod/connections/.warehouse.swp"), &path).unwrap();
    served.wait_until(shows("Saved beside"));
    // A folder that is new, and one that is replaced.
    add(root.path(), "us-prod/more/new.yaml", &connection("added-later"));
    served.wait_until(|served| served.get("/").body.contains("added-later"));
    fs::rename(root.path().join("us-prod/connections"), root.path().join("old-connections")).unwrap();
    served.wait_until(|served| !served.get("/connection?key=warehouse").body.contains("Saved beside"));
    fs::rename(root.path().join("old-connections"), root.path().join("us-prod/connections")).unwrap();
    served.wait_until(shows("Saved beside"));
    fs::remove_file(Path::new(&path)).unwrap();
    served.wait_until(|served| !served.get("/connection?key=warehouse&show=all").words().contains("Saved beside"));
}

fn connection(key: &str) -> String {
    format!(
        "apiVersion: stablekey.dev/v1alpha1\nkind: Connection\nmetadata: {{name: {key}}}\nspec:\n  stableKey: {key}\n  component: {{key: slack}}\n  type: oauth2\n  credentials: Customer\n"
    )
}

/// What was read before may be looked at, but nothing of it is called in sync.
#[test]
fn while_the_project_cannot_be_read_nothing_is_in_sync() {
    let root = applied();
    let served = Served::open(root.path());
    let tenants = fs::read(root.path().join("tenants.yaml")).unwrap();
    fs::remove_file(root.path().join("tenants.yaml")).unwrap();
    served.wait_until(|served| served.get("/").words().contains("The project cannot be read"));
    for tenant in ["dev", "us-prod", "eu-prod"] {
        nothing_is_in_sync(&served, tenant);
    }
    let shown = served.get("/").words();
    assert!(shown.contains("What was in sync then is unknown now") && shown.contains(" UTC, is shown"), "{shown}");
    assert!(served.get("/connection?key=warehouse").status == 200);
    fs::write(root.path().join("tenants.yaml"), tenants).unwrap();
    served.wait_until(|served| !served.get("/").words().contains("cannot be read"));
    assert!(cell(&served.get("/"), "warehouse", "eu-prod").contains("in sync"));
}

/// A link that leads elsewhere, and a folder above that is another one, come without any event.
#[test]
fn a_folder_that_became_another_one_is_read() {
    let root = tempfile::tempdir().unwrap();
    for (folder, title) in [("one", "Order warehouse"), ("two", "Of the second"), ("three", "Of the third")] {
        copy_folder(&repository("examples/us-eu"), &root.path().join(folder).join("project"));
        edit(
            &root.path().join(folder).join("project"),
            "us-prod/connections/warehouse.yaml",
            "title: Order warehouse",
            &format!("title: {title}"),
        );
    }
    let link = root.path().join("now");
    symlink("one", &link).unwrap();
    let served = Served::start_with(stablekey(root.path(), &["ui", "-C", "now/project"])).opened();
    let shows = |text: &'static str| {
        move |served: &Served| served.get("/connection?key=warehouse&show=all").words().contains(text)
    };
    fs::remove_file(&link).unwrap();
    symlink("two", &link).unwrap();
    served.wait_until(shows("Of the second"));
    fs::rename(root.path().join("two"), root.path().join("away")).unwrap();
    served.wait_until(|served| served.get("/").words().contains("The project cannot be read"));
    fs::rename(root.path().join("three"), root.path().join("two")).unwrap();
    served.wait_until(shows("Of the third"));
}
