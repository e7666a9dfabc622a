//! Search, filters and pages in the address, and names of any letters.

use super::client::{Answer, unescaped};
use super::fixtures::{add, many};
use super::served::{Served, typed_into};
use stablekey_testing::cli::{example, run, said};

/// The names of the rows of a matrix, in order.
fn rows(answer: &Answer) -> Vec<String> {
    let Some(table) = answer.body.split("<tbody>").nth(1) else { return Vec::new() };
    let rows = table.split("</tbody>").next().unwrap().split("<th scope=\"row\">").skip(1);
    let text = |row: &str| row.split("</a>").next().unwrap().rsplit('>').next().map(unescaped).unwrap_or_default();
    rows.map(text).collect()
}

#[test]
fn many_connections_are_shown_in_pages() {
    let root = many(200);
    let served = Served::open(root.path());
    let mut next = "/".to_string();
    let mut seen = Vec::new();
    let mut pages = 0;
    loop {
        let page = served.get(&next);
        let found = rows(&page);
        assert!(!found.is_empty() && found.len() <= 50, "{next}: {}", found.len());
        seen.extend(found);
        pages += 1;
        let Some(link) = page.body.split("class=\"next\" href=\"").nth(1) else { break };
        next = unescaped(link.split('"').next().unwrap());
    }
    assert_eq!(pages, 4);
    let mut sorted = seen.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), 200, "each once");
    assert!(served.get("/?page=2").words().contains("51–100 of 200"), "{}", served.get("/?page=2").words());
    assert!(served.get("/?page=2").words().contains("Previous 50"));
    for odd in ["0", "-1", "x", "", "5", "99999999999999999999999999", "4294967297", "18446744073709551615"] {
        let page = served.get(&format!("/?page={odd}"));
        assert_eq!(page.status, 200, "{odd}");
        assert!(rows(&page).len() <= 50, "{odd}");
        let plan = served.get(&format!("/plan?page={odd}"));
        assert_eq!(plan.status, 200, "{odd}");
        assert_eq!(served.get(&format!("/steps?page={odd}")).status, 200);
    }
    // The plan too, in pages of its own.
    let plan = served.get("/plan");
    assert!(plan.body.contains("class=\"next\""), "{}", plan.words());
    assert!(plan.body.len() < 400_000, "{}", plan.body.len());
}

#[test]
fn what_is_searched_stands_in_the_address() {
    let root = many(200);
    let served = Served::open(root.path());
    let found = |query: &str| rows(&served.get(query));
    assert_eq!(found("/?q=key-007"), ["key-007"]);
    assert_eq!(found("/?q=KEY-007"), ["key-007"]);
    assert_eq!(found("/?q=%20key-007%20"), ["key-007"]);
    assert_eq!(found("/?q=Number+42"), ["key-042"], "titles too");
    assert_eq!(found("/?q=http").len(), 50, "components too");
    assert_eq!(found("/?q=key-01").len(), 10);
    assert!(found("/?q=nothing-like-it").is_empty());
    assert!(served.get("/?q=nothing-like-it").words().contains("Nothing matches."));
    // The page of a search keeps it, and a new filter begins at the first page.
    let page = served.get("/?q=number&page=2&show=make");
    let links = page.links();
    assert!(links.iter().any(|link| link.contains("q=number") && link.contains("page=3")), "{links:?}");
    assert!(
        links.iter().any(|link| link.contains("q=number") && !link.contains("page=") && !link.contains("show=")),
        "{links:?}"
    );
    assert!(page.body.contains("value=\"number\""));
}

#[test]
fn states_and_tenants_are_filtered() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let all = rows(&served.get("/"));
    assert!(all.len() >= 6, "{all:?}");
    assert_eq!(rows(&served.get("/?show=drift")), ["slack-bot"]);
    assert_eq!(rows(&served.get("/?show=make")), ["hubspot-oauth"]);
    assert_eq!(rows(&served.get("/?show=approve")), ["salesforce-oauth", "warehouse"]);
    assert_eq!(rows(&served.get("/?show=approve&q=ware")), ["warehouse"]);
    assert_eq!(rows(&served.get("/?show=approve&tenant=eu-prod")), ["salesforce-oauth", "warehouse"]);
    assert!(rows(&served.get("/?show=approve&tenant=us-prod")).is_empty());
    assert!(rows(&served.get("/?tenant=eu-prod")).contains(&"slack-bot".to_string()));
    // A filter that names nothing fails, and does not show all.
    for (address, status) in [("/?show=nothing", 400), ("/?tenant=nowhere", 404), ("/?show=drift&show=make", 400)] {
        let page = served.get(address);
        assert_eq!((page.status, rows(&page).len()), (status, 0), "{address}");
    }
    // Chips count what they lead to.
    let page = served.get("/");
    let chips = page.body.split("aria-label=\"Show only\"").nth(1).unwrap().split("</nav>").next().unwrap();
    for chip in chips.split("<a ").skip(1) {
        let link = unescaped(chip.split("href=\"").nth(1).unwrap().split('"').next().unwrap());
        let number = chip.rsplit("<span>").next().unwrap().split('<').next().unwrap();
        let number: usize = number.replace([',', '\u{202f}', ' '], "").parse().unwrap_or_else(|_| panic!("{chip}"));
        assert_eq!(rows(&served.get(&link)).len(), number, "{link}");
    }
    // The plan.
    let plan = served.get("/plan?show=drift");
    assert!(plan.body.contains("slack-bot") && !plan.body.contains("hubspot-oauth"), "{}", plan.words());
    let plan = served.get("/plan?q=hubspot");
    assert!(plan.body.contains("hubspot-oauth") && !plan.words().contains("slack-bot"), "{}", plan.words());
    let plan = served.get("/plan?tenant=us-prod");
    assert!(!plan.words().contains("slack-bot"), "{}", plan.words());
}

/// Names that would be HTML, would end an attribute, or would change how the text beside them is read.
const ODD: [&str; 8] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</title><script>alert(1)</script>",
    "a\u{202e}b\u{2066}c\u{200f}d",
    "a\u{1b}[31mb\u{7}",
    "javascript:alert(1)",
    "&lt;b&gt;&amp;{{7*7}}${7*7}",
];

fn is_safe(name: &str, answer: &Answer) {
    let body = &answer.body;
    // Neither JSON nor Markdown is taken for HTML: their types are said, and are not guessed.
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    if answer.status != 303 && !answer.header("content-type").unwrap().starts_with("text/html") {
        return;
    }
    for tag in ["<script>", "<img", "<b>alert", "onerror=alert(1)>", "\" onmouseover", "<iframe"] {
        assert!(!body.contains(tag), "{name}: {tag}");
    }
    assert!(!body.contains("href=\"javascript:") && !body.contains("action=\"javascript:"), "{name}");
    // What is shown; names and values of fields stay as they are.
    let mut shown = answer.words();
    for attribute in [" title=\"", " aria-label=\"", " placeholder=\""] {
        shown.extend(body.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()));
    }
    for letter in ['\u{202e}', '\u{2066}', '\u{200f}', '\u{1b}', '\u{7}'] {
        assert!(!shown.contains(letter), "{name} has {letter:?}: {shown}");
    }
}

#[test]
fn texts_of_files_are_shown_as_text() {
    let root = example("us-eu");
    let mut added = String::new();
    for (at, odd) in ODD.iter().enumerate() {
        let quoted = serde_json::to_string(odd).unwrap();
        added.push_str(&format!(
            "---\napiVersion: stablekey.dev/v1alpha1\nkind: Connection\nmetadata:\n  name: odd-{at}\n  annotations: {{\"example.com/a\": {quoted}}}\nspec:\n  stableKey: odd-{at}\n  title: {quoted}\n  description: {quoted}\n  component: {{key: slack}}\n  type: oauth2\n  credentials: Customer\n  inputs:\n    scopes: {{value: {quoted}}}\n    clientId: {{value: {quoted}}}\n    {quoted}: {{value: x}}\n    clientSecret: {{secretRef: {{name: slack-app, key: clientSecret}}}}\n"
        ));
        added.push_str(&format!(
            "---\napiVersion: stablekey.dev/v1alpha1\nkind: Integration\nmetadata: {{name: lead-{at}}}\nspec:\n  title: {quoted}\n  connections:\n    - {{name: {quoted}, stableKey: odd-{at}}}\n"
        ));
        added.push_str(&format!(
            "---\napiVersion: stablekey.dev/v1alpha1\nkind: Connection\nmetadata: {{name: key-{at}}}\nspec:\n  stableKey: {quoted}\n  component: {{key: {quoted}}}\n  type: {quoted}\n  credentials: Customer\n"
        ));
        let file: String = odd.chars().filter(|letter| !['/', '\0'].contains(letter)).collect();
        add(root.path(), &format!("us-prod/{file}.yaml"), "kind: [");
        add(
            root.path(),
            &format!("us-prod/{file}/x.yaml"),
            &format!(
                "apiVersion: stablekey.dev/v1alpha1\nkind: Connection\nmetadata: {{name: beside-{at}}}\nspec: {{stableKey: beside-{at}, component: {{key: slack}}, type: oauth2, credentials: Customer, inputs: {{scopes: {{value: y}}}}}}\n"
            ),
        );
    }
    add(root.path(), "us-prod/odd.yaml", &added);
    let served = Served::open(root.path());
    let mut addresses: Vec<String> = [
        "/",
        "/?list=integrations",
        "/components",
        "/integrations",
        "/plan",
        "/plan.md",
        "/plan.json",
        "/syncs",
        "/steps",
        "/problems",
        "/receipts",
    ]
    .map(str::to_string)
    .to_vec();
    for address in addresses.clone() {
        addresses.extend(served.get(&address).links().into_iter().filter(|link| link != "/events"));
    }
    for at in 0..ODD.len() {
        addresses.push(format!("/connection?key=odd-{at}&show=all"));
        addresses.push(format!("/integration?name=lead-{at}&tenant=us-prod"));
        addresses.push(format!("/set?tenant=us-prod&key=odd-{at}"));
        addresses.push(format!("/set?tenant=us-prod&key=beside-{at}"));
        addresses.push(format!("/what-if?name=lead-{at}&from=us-prod&to=eu-prod"));
    }
    addresses.sort();
    addresses.dedup();
    assert!(addresses.len() > 60, "{}", addresses.len());
    for address in &addresses {
        let page = served.get(address);
        is_safe(address, &page);
        for form in page.forms().into_iter().filter(|form| form.action == "/set") {
            is_safe(
                &format!("a review at {address}"),
                &served.submit(&form.with("description", "other").with("reason", "x")),
            );
        }
    }
    assert!(served.get("/problems").body.contains("&lt;script&gt;"));
}

#[test]
fn texts_of_addresses_and_forms_are_shown_as_text() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    for odd in ODD {
        let encoded: String = form_urlencoded::byte_serialize(odd.as_bytes()).collect();
        for address in [
            "/?q=",
            "/?show=",
            "/?tenant=",
            "/?list=",
            "/?page=",
            "/?x=",
            "/components?q=",
            "/components?component=",
            "/connection?key=",
            "/connection?key=warehouse&show=",
            "/new?tenant=",
            "/new?tenant=us-prod&component=",
            "/new?tenant=us-prod&component=slack&type=",
            "/new?key=",
            "/new?tenant=us-prod&back=",
            "/new?credentials=",
            "/set?tenant=us-prod&key=",
            "/set?key=warehouse&tenant=",
            "/set?tenant=us-prod&key=warehouse&part=",
            "/set?tenant=us-prod&key=warehouse&title=",
            "/integration?name=",
            "/integration?name=lead-router&tenant=",
            "/switch?tenant=",
            "/switch?tenant=us-prod&integration=",
            "/switch?tenant=us-prod&integration=lead-router&variable=",
            "/what-if?name=lead-router&from=us-prod&to=",
            "/what-if?from=us-prod&to=eu-prod&name=",
            "/plan?q=",
            "/plan?tenant=",
            "/plan?show=",
            "/revert?tenant=",
            "/revert?tenant=us-prod&object=",
            "/revert?tenant=us-prod&object=Connection/warehouse&field=",
            "/steps?who=",
            "/receipts?x=",
            "/x/",
        ] {
            let page = served.get(&format!("{address}{encoded}"));
            assert!([200, 400, 404, 409].contains(&page.status), "{address}{odd}: {}", page.status);
            is_safe(&format!("{address}{odd}"), &page);
        }
        for (form, fields) in [
            ("/keep", &["tenant", "object", "field", "reason", "back"][..]),
            ("/suspend", &["tenant", "sync", "back"]),
            ("/set", &["tenant", "key", "title", "description", "reason", "in.host", "back", "seen"]),
            (
                "/new",
                &[
                    "tenant",
                    "component",
                    "type",
                    "key",
                    "title",
                    "description",
                    "in.scopes",
                    "back",
                    "credentials",
                    "like",
                ],
            ),
            ("/switch", &["tenant", "integration", "variable", "step", "to", "reason", "input"]),
            ("/write", &["kind", "digest", "tenant"]),
        ] {
            for field in fields {
                let usual = [
                    ("tenant", "us-prod"),
                    ("key", "warehouse"),
                    ("object", "Connection/warehouse"),
                    ("field", "inputs.host"),
                    ("integration", "lead-router"),
                ];
                is_safe(&format!("{form} {field} {odd}"), &served.post(form, &typed_into(&usual, field, odd)));
            }
        }
    }
    // A title of odd letters can be written, and is read back as it was typed.
    let page = served.get("/set?tenant=us-prod&key=warehouse");
    let review = served.submit(&page.form("/set").unwrap().with("title", ODD[1]));
    is_safe("review", &review);
    served.write(&review);
    let page = served.get("/set?tenant=us-prod&key=warehouse");
    let form = page.form("/set").unwrap();
    assert!(form.fields.contains(&("title".to_string(), ODD[1].to_string())), "{form:?}");
}

/// What is counted above the rows in sync everywhere, and the rows below it.
fn quiet(page: &Answer) -> Option<(usize, usize)> {
    let rest = page.body.split("In sync everywhere <span class=\"count\">").nth(1)?;
    let rows = rest.split("</tbody>").next()?.matches("<th scope=\"row\">").count();
    Some((rest.split('<').next()?.parse().ok()?, rows))
}

#[test]
fn what_is_in_sync_everywhere_is_counted_as_listed() {
    let root = example("us-eu");
    let other = std::fs::read_to_string(root.path().join("dev/connections/slack-bot.yaml")).unwrap();
    add(root.path(), "dev/connections/slack-spare.yaml", &other.replace("slack-bot", "slack-spare"));
    let served = Served::open(root.path());
    let all = quiet(&served.get("/")).unwrap();
    assert_eq!(all.0, all.1);
    assert_eq!(quiet(&served.get("/components?component=slack")), Some((1, 1)));
    assert_eq!(quiet(&served.get("/?q=slack")), Some((1, 1)));
    assert!(all.0 > 1, "{all:?}");
    // The static file counts the same.
    let html = said(&run(root.path(), &["status", "-o", "html"]));
    assert!(html.contains("Read on 20"), "{html}");
    let part = html.split("<h2>Connections</h2>").nth(1).unwrap();
    let part = part.split("</section>").next().unwrap();
    assert!(part.contains(&format!("{} in sync everywhere", all.0)), "{part}");
    assert!(part.contains(&format!("In sync: {}. ", all.0)), "{part}");
}

#[test]
fn what_is_open_is_counted_as_listed() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    for key in rows(&served.get("/")) {
        let words = served.get(&format!("/connection?key={key}")).words();
        let (before, _) = words.split_once(" tenants open").unwrap_or_else(|| panic!("{key}: {words}"));
        let open = before.rsplit_once(" of ").unwrap().0.rsplit(' ').next().unwrap();
        let listed = words.split_once("What is open ").map_or("0", |(_, rest)| rest.split(' ').next().unwrap());
        assert_eq!(open, listed, "{key}: {words}");
    }
    // Below a tenant stands what is counted, for who hovers and for who hears it.
    let page = served.get("/");
    let column = page.body.split("href=\"/?tenant=eu-prod\"").nth(1).unwrap().split("</a>").next().unwrap();
    assert!(column.contains(" open: ") && column.contains("title=\""), "{column}");
}

#[test]
fn each_entry_of_the_plan_has_a_key_of_its_own() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let page = served.get("/plan");
    let keys: Vec<&str> = page.body.split("data-key=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let distinct: std::collections::BTreeSet<&&str> = keys.iter().collect();
    assert_eq!(keys.len(), distinct.len(), "{keys:?}");
    let of_one = keys.iter().filter(|key| key.starts_with("eu-prod Connection/salesforce-oauth "));
    assert!(of_one.count() > 1, "{keys:?}");
    assert_eq!(keys.len(), page.body.matches("<details").count(), "the script finds all of them again");
}

#[test]
fn the_name_that_is_meant_is_a_link() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    for (wrong, right) in [
        ("/connection?key=warehous&show=all", "/connection?key=warehouse&show=all"),
        ("/components?component=slak", "/components?component=slack"),
        ("/?tenant=eu-prd&q=a", "/?tenant=eu-prod&q=a"),
        ("/set?tenant=us-prod&key=warehous", "/set?tenant=us-prod&key=warehouse"),
        ("/revert?tenant=eu-prod&object=Connection/warehose", "/revert?tenant=eu-prod&object=Connection%2Fwarehouse"),
        ("/what-if?name=lead-routr&from=us-prod&to=eu-prod", "/what-if?name=lead-router&from=us-prod&to=eu-prod"),
    ] {
        let page = served.get(wrong);
        assert_eq!(page.status, 404, "{wrong}");
        assert!(page.links().iter().any(|link| link == right), "{wrong}: {:?}", page.links());
        assert_ne!(served.get(right).status, 404, "{right}");
    }
    // Of several names that are far away all are listed.
    let page = served.get("/plan?tenant=asia");
    assert!(page.words().contains("there are dev, eu-prod, us-prod"), "{}", page.words());
}
