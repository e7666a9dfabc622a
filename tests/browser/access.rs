//! Every view, for people who do not see it: axe finds nothing that shuts them out. And none needs more width than a
//! telephone has.

use crate::browser::{Browser, Settings};
use crate::page::ExamplePage;

/// The views that can be opened by their addresses.
const VIEWS: [&str; 25] = [
    "/",
    "/?list=integrations",
    "/?tenant=eu-prod",
    "/?show=drift",
    "/?q=nothing-at-all",
    "/components",
    "/components?component=salesforce",
    "/connection?key=slack-bot",
    "/connection?key=salesforce-oauth&show=all",
    "/new",
    "/new?tenant=us-prod&component=postgres",
    "/new?tenant=us-prod&component=postgres&credentials=OrganizationGlobal",
    "/set?tenant=us-prod&key=warehouse",
    "/set?tenant=us-prod&key=warehouse&part=test",
    "/integrations",
    "/integration?name=support-digest&tenant=us-prod",
    "/switch?tenant=us-prod&integration=order-export&variable=Warehouse",
    "/what-if?name=lead-enrich&from=us-prod&to=eu-prod",
    "/plan",
    "/revert?tenant=eu-prod&object=Connection%2Fslack-bot&field=inputs.scopes",
    "/keep?tenant=eu-prod&object=Connection%2Fslack-bot&field=inputs.scopes",
    "/syncs",
    "/receipts",
    "/steps",
    "/problems",
];

/// What is wrong with a page.
fn wrong(browser: &Browser) -> Vec<String> {
    let mut wrong = browser.violations();
    let is_too_wide = browser.eval("document.documentElement.scrollWidth > document.documentElement.clientWidth");
    if is_too_wide == true {
        wrong.push("it is wider than its window".to_string());
    }
    wrong.extend(browser.errors());
    let address = browser.url();
    let path = address.splitn(4, '/').nth(3).unwrap_or_default().to_string();
    wrong.into_iter().map(|wrong| format!("/{path}: {wrong}")).collect()
}

fn nobody_is_shut_out(settings: Settings) {
    let shown = ExamplePage::of("us-eu");
    let browser = shown.open(settings);
    let mut all = Vec::new();
    for view in VIEWS {
        assert_eq!(browser.goto(&shown.page.url(view)), 200, "{view}");
        all.extend(wrong(&browser));
    }
    browser.goto(&shown.page.url("/connection?key=warehouse"));
    browser.click("button", "Embedded workflows in us-prod");
    browser.wait_for_text("Nothing is written yet.");
    all.extend(wrong(&browser));
    browser.goto(&shown.page.url("/plan"));
    browser.click_on("role=checkbox[name=/^I have read the/]");
    browser.click_on("role=button[name=/^Approve and apply/]");
    browser.wait_for("h1:text-is('Receipt')");
    all.extend(wrong(&browser));
    browser.goto(&shown.page.url("/receipts"));
    all.extend(wrong(&browser));
    assert_eq!(browser.goto(&shown.page.url("/connection?key=no-such-key")), 404);
    all.extend(wrong(&browser).into_iter().filter(|wrong| !wrong.contains("404")));
    assert!(all.is_empty(), "{all:#?}");
}

#[test]
fn in_the_light() {
    nobody_is_shut_out(Settings::default());
}

#[test]
fn in_the_dark() {
    nobody_is_shut_out(Settings { dark: true, ..Settings::default() });
}

#[test]
fn on_a_telephone() {
    nobody_is_shut_out(Settings { width: 400, height: 800, ..Settings::default() });
}

#[test]
fn on_a_telephone_in_the_dark() {
    nobody_is_shut_out(Settings { width: 400, height: 800, dark: true, ..Settings::default() });
}
