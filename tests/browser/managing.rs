//! The tasks of the platform's guide "Managing connections" on any project whose connections are edited in `us-prod`, each
//! in a tab of its own, in no more clicks than on the platform.

use crate::browser::Browser;
use crate::page::Page;

/// Opens the overview in a new tab, where clicks are counted from none.
fn tab(page: &Page, browser: &Browser, path: &str) -> Browser {
    let tab = browser.another_tab();
    tab.goto(&page.url(path));
    tab.wait_for("#state:text-is('Live')");
    tab
}

/// Writes what is reviewed.
#[track_caller]
fn write(tab: &Browser, clicks: usize) {
    tab.wait_for_text("Nothing is written yet.");
    tab.click_on("role=button[name=/^Write /]");
    tab.wait_until_gone("form.consent:has(input[name=kind])");
    assert!(tab.clicks() <= clicks, "{} clicks, on the platform {clicks}", tab.clicks());
    tab.assert_no_errors();
}

/// Adds connection `events` of postgres.
pub fn add_events(page: &Page, browser: &Browser) {
    let tab = tab(page, browser, "/");
    tab.click("link", "Add connection");
    tab.wait_for("h1:text-is('Add connection')");
    // One tenant is not asked for.
    if tab.count("h2:has-text('Component')") == 0 {
        tab.click_on("role=link[name=/^us-prod/]");
    }
    tab.click("link", "postgres");
    tab.click_on("role=link[name=/^your organization's:/]");
    for (label, value) in [("database", "events"), ("host", "events.example.invalid"), ("username", "reader")] {
        tab.fill(&format!("{label} required"), value);
    }
    tab.fill("password required", "events/password");
    tab.fill("Stable key required", "events");
    tab.fill("Title", "Events");
    tab.click("button", "Review");
    write(&tab, 8);
}

/// Alters an input of connection `warehouse`.
pub fn alter_warehouse(page: &Page, browser: &Browser, input: &str, value: &str) {
    let tab = tab(page, browser, "/");
    tab.click("link", "warehouse");
    tab.click("link", "Edit in us-prod");
    tab.fill(input, value);
    tab.click("button", "Review");
    write(&tab, 4);
}

/// Gives connection `warehouse` test credentials.
pub fn give_test_credentials(page: &Page, browser: &Browser) {
    let tab = tab(page, browser, "/");
    tab.click("link", "warehouse");
    tab.click("link", "Test credentials in us-prod");
    tab.fill("host for tests", "test.example.invalid");
    tab.fill("database for tests", "sandbox");
    tab.fill("username for tests", "tester");
    tab.fill("password for tests", "warehouse-test/password");
    tab.click("button", "Review");
    write(&tab, 4);
}

/// Lets embedded workflows use connection `warehouse`.
pub fn embed_warehouse(page: &Page, browser: &Browser) {
    let tab = tab(page, browser, "/");
    tab.click("link", "warehouse");
    tab.click_on("role=button[name='Embedded workflows in us-prod']");
    write(&tab, 4);
}

/// Switches one step of an integration to another connection.
pub fn switch_step(page: &Page, browser: &Browser, integration: &str, step: &str, to: &str) {
    let tab = tab(page, browser, &format!("/integration?name={integration}&tenant=us-prod"));
    tab.click("link", &format!("Switch {step}"));
    tab.click_on(&format!("role=button[name=/^{to}/]"));
    write(&tab, 3);
}

/// Switches all uses of a variable to another connection.
pub fn switch_all(page: &Page, browser: &Browser, integration: &str, variable: &str, to: &str) {
    let tab = tab(page, browser, "/integrations");
    tab.click("link", integration);
    tab.click("link", &format!("Switch all uses of {variable}"));
    tab.click_on(&format!("role=button[name=/^{to}/]"));
    write(&tab, 4);
}
