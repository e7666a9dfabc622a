//! The page on a hub in a real cluster, whose syncer writes to another one: what a person approves, suspends and requests
//! in a browser, and what is said where nobody carries it out.

use crate::browser::{Browser, Settings};
use crate::looks;
use crate::page::Page;
use serde_json::json;
use stablekey::kubernetes::role::{approver_role, hub_role};
use stablekey_testing::hub::*;
use stablekey_testing::person::Person;
use stablekey_testing::replica::{Replica, until};

const TARGET: &str = "/target?sync=us-to-eu&tenant=eu";
const REQUESTED: &str = ".metadata.annotations.stablekey\\.dev/requestedAt";
/// What a telephone shows.
const NARROW: Settings = Settings { width: 400, height: 800, ..DESK };
const DESK: Settings =
    Settings { width: 1280, height: 800, dark: false, scripts: true, reduced_motion: true, forced_colors: false };

/// A hub with a plan that waits, and the page that a person has of it.
struct HubPage {
    page: Page,
    syncer: Replica,
    env: TestEnv,
}

impl HubPage {
    /// The page of a person who may read the hub, and do what an approver may.
    fn of_approver(prefix: &str) -> Self {
        HubPage::of(prefix, &|env| Person::approver(env).command(&["ui"]))
    }

    fn of(prefix: &str, ui: &dyn Fn(&TestEnv) -> std::process::Command) -> Self {
        let env = waiting(prefix);
        let syncer = env.syncer();
        until_target_state(&env, "eu", "AwaitingApproval");
        HubPage { page: Page::start(ui(&env)), syncer, env }
    }

    fn open(&self, settings: Settings) -> Browser {
        let browser = self.page.open(settings);
        browser.wait_for("h1:has-text('Hub')");
        browser
    }

    /// One more browser of the same person.
    fn open_again(&mut self, settings: Settings) -> Browser {
        self.page.renew_address();
        self.open(settings)
    }

    fn at(&self, browser: &Browser, path: &str) {
        assert_eq!(browser.goto(&self.page.url(path)), 200, "{path}");
    }

    fn suspended(&self) -> String {
        field(&self.env.us, SYNC, ".spec.suspend")
    }
}

/// "approve as the person (RBAC decides), suspend, reconcile, live status by watch"; "by keyboard alone".
#[test]
fn the_keyboard_alone_approves_suspends_resumes_and_reconciles() {
    let hub = HubPage::of_approver("keys");
    let browser = hub.open(Settings::default());
    browser.tab_to("- link \"Review us-to-eu → eu\"");
    browser.press("Enter");
    browser.wait_for("h2:has-text('What waits')");
    assert!(browser.text("main").contains(&digest(&hub.env)), "{}", browser.text("main"));
    browser.tab_to("- checkbox \"I have read what it does\"");
    browser.press("Space");
    browser.tab_to("- button \"Approve 2 changes\"");
    browser.press("Enter");
    // What the syncer does is on the screen by itself.
    browser.wait_for(".head p:has-text('in sync')");
    until_target_state(&hub.env, "eu", "InSync");
    assert_eq!(field(&hub.env.eu, "connection/crm", SCOPES), "api");

    for (word, is_suspended, then) in [("Suspend", "true", "Resume"), ("Resume", "", "Suspend")] {
        hub.at(&browser, "/syncs");
        browser.tab_to(&format!("- link \"{word} TenantSync us-to-eu\""));
        browser.press("Enter");
        browser.wait_for_text("Nothing is changed yet.");
        browser.tab_to(&format!("- button \"{word} us-to-eu\""));
        browser.press("Enter");
        browser.wait_for(&format!("role=link[name='{then} TenantSync us-to-eu']"));
        assert_eq!(hub.suspended(), is_suspended);
    }
    browser.tab_to("- button \"Reconcile\"");
    browser.press("Enter");
    until("it is requested", || !field(&hub.env.us, SYNC, REQUESTED).is_empty());
    browser.tab_to("- link \"Receipts\"");
    browser.press("Enter");
    browser.wait_for("td:has-text('2 created')");
    assert_eq!(browser.clicks(), 0);
    browser.assert_no_errors();
}

/// "everything but live updates works with scripts off".
#[test]
fn without_scripts_it_is_approved_suspended_resumed_and_reconciled() {
    let hub = HubPage::of_approver("plain");
    let browser = hub.open(Settings { scripts: false, ..Settings::default() });
    let until_shown = |path: &str, text: &str| {
        until(format!("{path} has {text}"), || {
            hub.at(&browser, path);
            browser.text("main").contains(text)
        });
    };
    until_shown("/", "needs approval");
    browser.click("link", "Review us-to-eu → eu");
    browser.click_on("role=checkbox[name='I have read what it does']");
    browser.click("button", "Approve 2 changes");
    until_shown(TARGET, "in sync");
    browser.click("button", "Reconcile");
    assert!(!field(&hub.env.us, SYNC, REQUESTED).is_empty());
    for (word, is_suspended) in [("Suspend", "true"), ("Resume", "")] {
        until_shown("/syncs", word);
        browser.click("link", &format!("{word} TenantSync us-to-eu"));
        browser.click("button", &format!("{word} us-to-eu"));
        assert_eq!(hub.suspended(), is_suspended);
    }
    until_shown("/receipts", "2 created");
    browser.assert_no_errors();
}

/// "SelfSubjectAccessReview only disables the button"; a right that is granted later is noticed.
#[test]
fn a_missing_right_disables_the_button_until_it_is_granted() {
    let hub = HubPage::of("rights", &|env| Person::with(&env.us, "reader", &hub_role(env.us.name())).command(&["ui"]));
    let browser = hub.open(Settings::default());
    hub.at(&browser, TARGET);
    browser.wait_for("button:disabled:has-text('Approve 2 changes')");
    assert!(browser.text("form.consent").contains("lacks the verb approve"), "{}", browser.text("main"));
    assert_eq!(browser.violations(), Vec::<String>::new());
    hub.at(&browser, "/suspend?sync=us-to-eu&suspend=on");
    browser.wait_for("button:disabled:has-text('Suspend us-to-eu')");
    hub.at(&browser, TARGET);
    let granted = approver_role(hub.env.us.name()).replace("stablekey-approver", "stablekey-hub-reader");
    stablekey_clusters::run_with_input(hub.env.us.kubectl().args(["apply", "-f", "-"]), &granted).unwrap();
    browser.wait_for("button:not(:disabled):has-text('Approve 2 changes')");
    browser.assert_no_errors();
}

/// "Nothing is green beside a difference; unknown is never empty": what nobody reconciles is not known.
#[test]
fn what_nobody_reconciles_is_not_called_in_sync() {
    let leases = "- apiGroups: [coordination.k8s.io]\n  resources: [leases]\n  verbs: [get]\n";
    let ui = |env: &TestEnv| {
        let role = hub_role(env.us.name()) + leases;
        Person::with(&env.us, "reader", &role).command(&["ui"])
    };
    let hub = HubPage::of("dead", &ui);
    let approve = format!("stablekey.dev/approve={}", digest(&hub.env));
    kubectl(&hub.env.us, &["annotate", SYNC, &approve]);
    until_target_state(&hub.env, "eu", "InSync");
    let browser = hub.open(Settings::default());
    browser.wait_for(".rows li:has-text('us-to-eu → eu in sync') .i.ok");
    let HubPage { page, syncer, env } = hub;
    // The hub cannot be read for a while.
    kubectl(&env.us, &["delete", "rolebinding", "reader"]);
    browser.wait_for(".rows li:has-text('us-to-eu → eu unknown'):has-text('The hub cannot be read now') .i.unknown");
    browser.wait_for("[role=alert]:has-text('What was in sync then is unknown now')");
    assert_eq!(browser.count(".i.ok"), 0, "{}", browser.text("main"));
    let account = format!("--serviceaccount={}:reader", env.us.name());
    kubectl(&env.us, &["create", "rolebinding", "reader", "--role=stablekey-hub-reader", &account]);
    browser.wait_for(".rows li:has-text('us-to-eu → eu in sync') .i.ok");
    drop(syncer);
    let patch = |object: &str, patch: serde_json::Value| {
        kubectl(&env.us, &["patch", object, "--type=merge", "-p", &patch.to_string()]);
    };
    // A change that no syncer has reconciled.
    patch(SYNC, json!({"spec": {"integrations": ["lead", "other"]}}));
    browser.wait_for(".rows li:has-text('us-to-eu → eu unknown'):has-text('has not reconciled') .i.unknown");
    patch("lease/stablekey-syncer", json!({"spec": {"renewTime": "2020-01-01T00:00:00.000000Z"}}));
    browser.wait_for("[role=alert]:has-text('no syncer runs')");
    for path in ["/", "/syncs", TARGET] {
        assert_eq!(browser.goto(&page.url(path)), 200);
        browser.wait_for("main :text('o syncer has renewed its Lease for')");
        let green = browser.count(".i.ok") + browser.count("main :text-is('in sync')");
        assert_eq!(green, 0, "{path}: {}", browser.text("main"));
        assert_eq!(browser.violations(), Vec::<String>::new());
    }
    browser.goto(&page.url("/receipts"));
    browser.wait_for("[role=alert]:has-text('no syncer runs')");
    browser.assert_no_errors();
}

/// "0 violations of axe-core", and no view is wider than a telephone.
#[test]
fn nobody_is_shut_out() {
    let mut hub = HubPage::of_approver("axe");
    let mut wrong = Vec::new();
    let views = ["/", "/?show=approve", TARGET, "/syncs", "/suspend?sync=us-to-eu&suspend=on", "/receipts"];
    for settings in [DESK, NARROW, Settings { dark: true, ..DESK }, Settings { dark: true, ..NARROW }] {
        let browser = hub.open_again(settings);
        for view in views {
            hub.at(&browser, view);
            let too_wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth";
            let too_wide = (browser.eval(too_wide) == true).then(|| "it is wider than its window".to_string());
            let found = browser.violations().into_iter().chain(too_wide).chain(browser.errors());
            wrong.extend(found.map(|wrong| format!("{view} {} {}: {wrong}", settings.width, settings.dark)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Takes what differs from run to run out of a page, and stops what follows by itself.
fn hold(browser: &Browser, namespace: &str) {
    browser.set_hidden(true);
    browser.eval(&format!(
        "(() => {{
            const steady = (text) => text.replaceAll('{namespace}', 'us-prod').replace(/sha256:[0-9a-f]{{64}}/g, 'sha256:' + '5a'.repeat(32))
                .replace(/\\d+ (s|min) ago/g, '3 s ago').replace(/\\d{{4}}-\\d\\d-\\d\\dT[0-9:.]+Z/g, '2026-01-01T09:00:00Z');
            const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            while (texts.nextNode()) texts.currentNode.data = steady(texts.currentNode.data);
            say('Live');
        }})()"
    ));
}

#[test]
fn views_look_as_they_did() {
    let mut hub = HubPage::of_approver("looks");
    let namespace = hub.env.us.name().to_string();
    let mut different = Vec::new();
    for settings in [DESK, NARROW, Settings { dark: true, ..DESK }, Settings { dark: true, ..NARROW }] {
        let browser = hub.open_again(settings);
        let theme = if settings.dark { "dark" } else { "light" };
        for (name, path) in [("hub", "/"), ("hub-target", TARGET), ("hub-syncs", "/syncs")] {
            hub.at(&browser, path);
            browser.wait_for("#state:text-is('Live')");
            hold(&browser, &namespace);
            different.extend(looks::difference(&browser, &format!("{name}.{theme}.{}", settings.width)));
        }
    }
    assert!(different.is_empty(), "{different:#?}");
}
