//! What people do with connections, from the overview to the files on the disk, and in how many clicks: the tasks of the
//! platform's guide "Managing connections". A click into a field that is filled in is one of the platform's as well, and
//! is not counted here.

use crate::browser::{Browser, Settings};
use crate::page::ExamplePage;
use std::fs;
use std::path::Path;

/// A browser without scripts.
const PLAIN: Settings =
    Settings { width: 1280, height: 800, dark: false, scripts: false, reduced_motion: true, forced_colors: false };

/// A second connection of the same type as that of the integration, to switch to.
fn with_another_zendesk(folder: &Path) {
    let connections = folder.join("us-prod/connections");
    let text = fs::read_to_string(connections.join("zendesk-oauth.yaml")).unwrap();
    let text = text.replace("zendesk-oauth", "zendesk-backup").replace("title: Zendesk", "title: Spare Zendesk");
    fs::write(connections.join("zendesk-backup.yaml"), text.replace("{value: example}", "{value: spare}")).unwrap();
}

/// The same, and no sync brings the integration to a tenant without that connection.
fn with_another_zendesk_here(folder: &Path) {
    with_another_zendesk(folder);
    without_problems(folder);
}

/// Nothing is blocked, and nothing has drifted.
pub(crate) fn without_problems(folder: &Path) {
    let syncs = fs::read_to_string(folder.join("syncs.yaml")).unwrap();
    let (before, _) = syncs.rsplit_once("---").unwrap();
    fs::write(folder.join("syncs.yaml"), before).unwrap();
    let slack = folder.join("eu-prod/connections/slack-bot.yaml");
    let text = fs::read_to_string(&slack).unwrap().replace(" users:read", "");
    fs::write(slack, text).unwrap();
}

/// Presses the button of a review, and waits until it was written.
fn write(browser: &Browser, files: &str) {
    browser.wait_for_text("Nothing is written yet.");
    browser.click("button", &format!("Write {files}"));
    browser.wait_until_gone("form.consent:has(input[name=kind])");
}

fn open_connection(browser: &Browser, key: &str) {
    browser.click("link", key);
    browser.wait_for(&format!("h1:text-is('{key}')"));
}

/// Asserts that a task took no more clicks than on the platform.
#[track_caller]
fn took_at_most(browser: &Browser, clicks: usize) {
    assert!(browser.clicks() <= clicks, "{} clicks, on the platform {clicks}", browser.clicks());
    browser.assert_no_errors();
}

fn add(shown: &ExamplePage, browser: &Browser) {
    browser.click("link", "Add connection");
    browser.click_on("role=link[name=/^us-prod/]");
    browser.click("link", "postgres");
    browser.click_on("role=link[name=/^your organization's:/]");
    browser.fill("database required", "events");
    browser.fill("host required", "events.us.example");
    browser.fill("username required", "reader");
    browser.fill("password required", "events/password");
    browser.fill("Stable key required", "events");
    browser.fill("Title", "Events");
    browser.click("button", "Review");
    browser.wait_for("h1:text-is('Add events to us-prod')");
    assert!(browser.text(".diff.file").contains("stableKey: events"));
    assert!(!shown.folder.join("us-prod/connections/events.yaml").exists());
    write(browser, "1 file");
    browser.wait_for("h1:text-is('events')");
    let file = shown.file("us-prod/connections/events.yaml");
    for part in ["stableKey: events", "title: Events", "events.us.example", "OrganizationGlobal", "key: password"] {
        assert!(file.contains(part), "{part}: {file}");
    }
    took_at_most(browser, 8);
}

fn alter(shown: &ExamplePage, browser: &Browser) {
    open_connection(browser, "warehouse");
    browser.click("link", "Edit in us-prod");
    browser.fill("port", "5433");
    browser.click("button", "Review");
    browser.wait_for("h1:text-is('Change warehouse in us-prod')");
    write(browser, "1 file");
    browser.wait_for("h1:text-is('warehouse')");
    assert!(shown.file("us-prod/connections/warehouse.yaml").contains("port: {value: \"5433\"}"));
    took_at_most(browser, 4);
}

fn apply(shown: &ExamplePage, browser: &Browser) {
    browser.click("link", "Review plan");
    browser.wait_for("h1:text-is('Plan')");
    browser.click_on("role=checkbox[name=/^I have read the/]");
    browser.click_on("role=button[name=/^Approve and apply/]");
    browser.wait_for("h1:text-is('Receipt')");
    assert!(browser.text("main").contains("nothing is left to do"), "{}", browser.text("main"));
    assert!(shown.file("eu-prod/connections/hubspot-oauth.yaml").contains("stableKey: hubspot-oauth"));
    assert!(shown.file("eu-prod/connections/warehouse.yaml").contains("warehouse-2.us.example"));
    browser.assert_no_errors();
}

#[test]
fn a_connection_is_added() {
    let shown = ExamplePage::of("us-eu");
    add(&shown, &shown.open(Settings::default()));
}

#[test]
fn what_is_missing_is_asked_for_and_nothing_typed_is_lost() {
    let (shown, browser) = ExamplePage::opened(Settings::default());
    browser.goto(&shown.page.url("/new?tenant=us-prod&component=postgres&credentials=OrganizationGlobal"));
    browser.fill("host required", "events.us.example");
    browser.fill("password required", "my-own-password");
    browser.click("button", "Review");
    browser.wait_for("[role=alert]");
    assert_eq!(browser.value("host required"), "events.us.example");
    // What may be the secret itself is not shown again.
    assert!(!browser.html().contains("my-own-password"));
    browser.assert_no_errors();
}

#[test]
fn a_value_is_altered() {
    let shown = ExamplePage::of("us-eu");
    alter(&shown, &shown.open(Settings::default()));
}

#[test]
fn a_step_is_switched() {
    let shown = ExamplePage::after("us-eu", with_another_zendesk_here);
    let browser = shown.open(Settings::default());
    browser.goto(&shown.page.url("/integration?name=support-digest&tenant=us-prod"));
    browser.click("link", "Switch Open tickets");
    browser.click_on("role=button[name=/^zendesk-backup/]");
    browser.wait_for_text("Nothing is written yet.");
    browser.click_on("role=button[name=/^Write /]");
    browser.wait_for("h1:text-is('support-digest')");
    took_at_most(&browser, 3);
    browser.wait_for("li.step:has-text('Open tickets'):has-text('zendesk-backup')");
    assert!(shown.file("us-prod/integrations/support-digest.yaml").contains("stableKey: zendesk-backup"));
    assert!(shown.file("us-prod/integrations/support-digest.definition").contains("zendesk-backup"));
}

#[test]
fn all_uses_of_a_variable_are_switched() {
    let shown = ExamplePage::after("us-eu", with_another_zendesk_here);
    let browser = shown.open(Settings::default());
    browser.goto(&shown.page.url("/integrations"));
    browser.click("link", "support-digest");
    browser.click("link", "Switch all uses of Zendesk");
    browser.click_on("role=button[name=/^zendesk-backup/]");
    browser.wait_for_text("Nothing is written yet.");
    browser.click_on("role=button[name=/^Write /]");
    browser.wait_for("h1:text-is('support-digest')");
    took_at_most(&browser, 4);
    let file = shown.file("us-prod/integrations/support-digest.yaml");
    assert!(file.contains("zendesk-backup") && !file.contains("zendesk-oauth"), "{file}");
}

#[test]
fn what_makes_the_plan_worse_is_written_only_if_somebody_wants_it() {
    let shown = ExamplePage::after("us-eu", with_another_zendesk);
    let browser = shown.open(Settings::default());
    browser.goto(&shown.page.url("/integration?name=support-digest&tenant=us-prod"));
    browser.click("link", "Switch Open tickets");
    browser.click_on("role=button[name=/^zendesk-backup/]");
    browser.wait_for("[role=alert]:has-text('The plan becomes worse.')");
    // The box is required: nothing is sent.
    browser.click_on("role=button[name=/^Write /]");
    assert!(!shown.file("us-prod/integrations/support-digest.yaml").contains("zendesk-backup"));
    browser.click("checkbox", "Write it although the plan becomes worse");
    browser.click_on("role=button[name=/^Write /]");
    browser.wait_for("h1:text-is('support-digest')");
    assert!(shown.file("us-prod/integrations/support-digest.yaml").contains("zendesk-backup"));
    browser.assert_no_errors();
}

#[test]
fn test_credentials_are_given() {
    let (shown, browser) = ExamplePage::opened(Settings::default());
    open_connection(&browser, "warehouse");
    browser.click("link", "Test credentials in us-prod");
    browser.fill("host for tests", "test.us.example");
    browser.fill("database for tests", "sandbox");
    browser.fill("username for tests", "tester");
    browser.fill("password for tests", "warehouse-test/password");
    browser.click("button", "Review");
    write(&browser, "1 file");
    browser.wait_for("h1:text-is('warehouse')");
    took_at_most(&browser, 4);
    let file = shown.file("us-prod/connections/warehouse.yaml");
    let (_, test) = file.split_once("test:").unwrap();
    for part in ["test.us.example", "sandbox", "tester", "warehouse-test"] {
        assert!(test.contains(part), "{part}: {file}");
    }
}

#[test]
fn embedded_workflows_are_toggled() {
    let (shown, browser) = ExamplePage::opened(Settings::default());
    open_connection(&browser, "warehouse");
    let toggle = "role=button[name='Embedded workflows in us-prod']";
    assert_eq!(browser.attribute(toggle, "aria-pressed").as_deref(), Some("false"));
    browser.click_on(toggle);
    write(&browser, "1 file");
    browser.wait_for("h1:text-is('warehouse')");
    took_at_most(&browser, 4);
    assert!(shown.file("us-prod/connections/warehouse.yaml").contains("embeddedWorkflows: true"));
    assert_eq!(browser.attribute(toggle, "aria-pressed").as_deref(), Some("true"));
}

#[test]
fn a_value_of_one_tenant_differs_for_a_reason() {
    let (shown, browser) = ExamplePage::opened(Settings::default());
    open_connection(&browser, "warehouse");
    browser.click("link", "Edit in eu-prod");
    browser.fill("port", "6432");
    browser.fill("Why it differs in eu-prod", "a pool stands before it");
    browser.click("button", "Review");
    write(&browser, "1 file");
    took_at_most(&browser, 4);
    let syncs = shown.file("syncs.yaml");
    assert!(syncs.contains("6432") && syncs.contains("a pool stands before it"), "{syncs}");
    browser.wait_for_text("a pool stands before it");
}

#[test]
fn drift_is_put_back() {
    let (shown, browser) = ExamplePage::opened(Settings::default());
    browser.click("link", "Open: slack-bot");
    browser.click("link", "Revert");
    browser.wait_for_text("The desired value replaces the live one.");
    browser.click("button", "Apply 1");
    browser.wait_for("h1:text-is('Receipt')");
    took_at_most(&browser, 4);
    assert!(!shown.file("eu-prod/connections/slack-bot.yaml").contains("users:read"));
}

#[test]
fn drift_is_kept_for_a_reason() {
    let (shown, browser) = ExamplePage::opened(Settings::default());
    browser.click("link", "Open: slack-bot");
    browser.click("link", "Keep");
    browser.fill("Why it differs in eu-prod", "the bot there greets people by name");
    browser.click("button", "Review");
    browser.wait_for_text("Nothing is written yet.");
    browser.click_on("role=button[name=/^Write /]");
    browser.wait_for("h1:text-is('slack-bot')");
    took_at_most(&browser, 4);
    let syncs = shown.file("syncs.yaml");
    assert!(syncs.contains("the bot there greets people by name") && syncs.contains("users:read"), "{syncs}");
    assert!(shown.file("eu-prod/connections/slack-bot.yaml").contains("users:read"));
    assert_eq!(browser.count(".i.drift"), 0);
}

#[test]
fn a_plan_is_approved_and_applied() {
    let shown = ExamplePage::after("us-eu", without_problems);
    let browser = shown.open(Settings::default());
    apply(&shown, &browser);
    took_at_most(&browser, 3);
}

#[test]
fn what_needs_approval_is_applied_only_if_it_was_read() {
    let shown = ExamplePage::after("us-eu", without_problems);
    let browser = shown.open(Settings::default());
    browser.click("link", "Review plan");
    browser.click_on("role=button[name=/^Approve and apply/]");
    browser.wait_for("[role=alert]");
    assert!(!shown.folder.join("eu-prod/connections/hubspot-oauth.yaml").exists());
    browser.back();
    browser.click_on("role=button[name=/^Apply the other/]");
    browser.wait_for("h1:text-is('Receipt')");
    assert!(shown.folder.join("eu-prod/connections/hubspot-oauth.yaml").exists());
    assert!(!shown.file("eu-prod/connections/warehouse.yaml").contains("warehouse-2"));
}

#[test]
fn without_scripts_a_connection_is_added() {
    let shown = ExamplePage::of("us-eu");
    add(&shown, &shown.open(PLAIN));
}

#[test]
fn without_scripts_a_value_is_altered() {
    let shown = ExamplePage::of("us-eu");
    alter(&shown, &shown.open(PLAIN));
}

#[test]
fn without_scripts_a_plan_is_applied() {
    let shown = ExamplePage::after("us-eu", without_problems);
    apply(&shown, &shown.open(PLAIN));
}

#[test]
fn without_scripts_keys_are_found_by_a_search_that_is_in_the_address() {
    let (_shown, browser) = ExamplePage::opened(PLAIN);
    browser.fill("Search", "hubspot");
    browser.press("Enter");
    browser.wait_for_url("q=hubspot");
    assert_eq!(browser.texts("#list tbody th"), ["hubspot-oauth"]);
    browser.assert_no_errors();
}

/// The keys alone.
mod by_keyboard {
    use super::*;

    /// Goes to it by Tab, presses a key, and waits for what comes then.
    #[track_caller]
    fn press_on(browser: &Browser, what: &str, key: &str, then: &str) {
        browser.tab_to(what);
        browser.press(key);
        browser.wait_for(then);
    }

    /// Goes to a field by Tab, which selects what stands in it, and types.
    #[track_caller]
    fn type_into(browser: &Browser, label: &str, text: &str) {
        browser.tab_to(&format!("- textbox \"{label}\""));
        browser.type_text(text);
    }

    #[test]
    fn the_first_stop_skips_to_the_content() {
        let (_shown, browser) = ExamplePage::opened(Settings::default());
        browser.press("Tab");
        assert_eq!(browser.focused(), "- link \"Skip to content\"");
        browser.press("Enter");
        assert_eq!(browser.focused(), "- main");
        browser.press("Tab");
        assert_eq!(browser.focused(), "- link \"Add connection\"");
    }

    #[test]
    fn the_matrix_is_one_stop_with_arrows_inside() {
        let (_shown, browser) = ExamplePage::opened(Settings::default());
        assert_eq!(browser.count("table[data-matrix] tbody a:not([tabindex='-1'])"), 1);
        browser.tab_to("- link \"zendesk-oauth\"");
        browser.press("ArrowDown");
        assert_eq!(browser.focused(), "- link \"salesforce-oauth\"");
        browser.press("ArrowRight");
        assert_eq!(browser.focused(), "- link \"needs approval scopes\"");
        browser.press("ArrowUp");
        assert_eq!(browser.focused(), "- link \"missing no such key\"");
        browser.press("End");
        assert_eq!(browser.focused(), "- link \"zendesk-oauth-eu\"");
        browser.press("Home");
        browser.press("ArrowLeft");
        assert_eq!(browser.focused(), "- link \"zendesk-oauth\"");
        // The way out and back is one key each.
        browser.press("ArrowDown");
        browser.press("Tab");
        assert_eq!(browser.eval("document.activeElement.closest('table')"), serde_json::Value::Null);
        browser.press("Shift+Tab");
        assert_eq!(browser.focused(), "- link \"salesforce-oauth\"");
        browser.press("Enter");
        browser.wait_for("h1:text-is('salesforce-oauth')");
        browser.assert_no_errors();
    }

    #[test]
    fn a_connection_is_added() {
        let (shown, browser) = ExamplePage::opened(Settings::default());
        press_on(&browser, "- link \"Add connection\"", "Enter", ".choices");
        press_on(&browser, "- link \"us-prod", "Enter", ".chosen:has-text('us-prod')");
        press_on(&browser, "- link \"postgres\"", "Enter", ".chosen:has-text('postgres')");
        press_on(&browser, "- link \"your organization's:", "Enter", "fieldset");
        type_into(&browser, "database required", "events");
        type_into(&browser, "host required", "events.us.example");
        type_into(&browser, "password required", "events/password");
        type_into(&browser, "username required", "reader");
        type_into(&browser, "Stable key required", "events");
        // Enter in a field sends the form.
        browser.press("Enter");
        browser.wait_for("h1:text-is('Add events to us-prod')");
        press_on(&browser, "- button \"Write 1 file\"", "Enter", "h1:text-is('events')");
        assert!(shown.file("us-prod/connections/events.yaml").contains("events.us.example"));
        assert_eq!(browser.clicks(), 0);
        browser.assert_no_errors();
    }

    #[test]
    fn a_value_is_altered() {
        let (shown, browser) = ExamplePage::opened(Settings::default());
        browser.tab_to("- link \"zendesk-oauth\"");
        browser.press("ArrowDown");
        browser.press("ArrowDown");
        assert_eq!(browser.focused(), "- link \"warehouse\"");
        browser.press("Enter");
        browser.wait_for("h1:text-is('warehouse')");
        press_on(&browser, "- link \"Edit in us-prod\"", "Enter", "h1:text-is('Edit warehouse in us-prod')");
        type_into(&browser, "port", "5433");
        press_on(&browser, "- button \"Review\"", "Enter", "h1:text-is('Change warehouse in us-prod')");
        press_on(&browser, "- button \"Write 1 file\"", "Space", "h1:text-is('warehouse')");
        assert!(shown.file("us-prod/connections/warehouse.yaml").contains("5433"));
    }

    #[test]
    fn a_step_is_switched() {
        let shown = ExamplePage::after("us-eu", with_another_zendesk_here);
        let browser = shown.open(Settings::default());
        browser.goto(&shown.page.url("/integration?name=support-digest&tenant=us-prod"));
        press_on(&browser, "- link \"Switch Open tickets\"", "Enter", "h1:has-text('Switch step')");
        press_on(&browser, "- button \"zendesk-backup", "Enter", "form.consent");
        press_on(&browser, "- button \"Write ", "Enter", "h1:text-is('support-digest')");
        assert!(shown.file("us-prod/integrations/support-digest.yaml").contains("zendesk-backup"));
    }

    #[test]
    fn a_plan_is_approved_and_applied() {
        let shown = ExamplePage::after("us-eu", without_problems);
        let browser = shown.open(Settings::default());
        press_on(&browser, "- link \"Review plan\"", "Enter", "h1:text-is('Plan')");
        press_on(&browser, "- checkbox \"I have read the 2", "Space", "input[name=approve]:checked");
        press_on(&browser, "- button \"Approve and apply", "Enter", "h1:text-is('Receipt')");
        assert!(browser.text("main").contains("nothing is left to do"));
    }
}
