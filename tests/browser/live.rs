//! What follows by itself: changes of files, other tabs, and what becomes of an apply.

use crate::browser::{Browser, Settings};
use crate::page::ExamplePage;
use crate::tasks::without_problems;
use stablekey_testing::replica::until;
use std::fs;

const WAREHOUSE: &str = "us-prod/connections/warehouse.yaml";

/// Changes a file of the copy, as an editor does.
fn edit(shown: &ExamplePage, path: &str, from: &str, to: &str) {
    let text = shown.file(path);
    assert!(text.contains(from), "{text}");
    fs::write(shown.folder.join(path), text.replace(from, to)).unwrap();
}

fn at(shown: &ExamplePage, browser: &Browser, path: &str) {
    assert_eq!(browser.goto(&shown.page.url(path)), 200);
    browser.wait_for("#state:text-is('Live')");
}

/// Whether a tab has the stream, and does not hear from another one.
fn has_stream(browser: &Browser) -> bool {
    browser.eval("stream !== null").as_bool().unwrap()
}

#[test]
fn what_changes_on_the_disk_is_on_the_screen() {
    let (shown, browser) = ExamplePage::opened(Settings::default());
    at(&shown, &browser, "/connection?key=warehouse&show=all");
    browser.eval("window.isSame = true");
    edit(&shown, WAREHOUSE, "5432", "5999");
    browser.wait_for("td:has-text('5999')");
    assert_eq!(browser.eval("window.isSame"), true);
    // Where a file cannot be read, what it declares is unknown.
    edit(&shown, WAREHOUSE, "kind: Connection", "kind: [");
    browser.wait_for(".i.unknown");
    browser.wait_for("a[href='/problems']");
    edit(&shown, WAREHOUSE, "kind: [", "kind: Connection");
    browser.wait_for("td:has-text('5999')");
    browser.assert_no_errors();
}

#[test]
fn the_keyboard_stays_where_it_is() {
    let (shown, browser) = ExamplePage::opened(Settings::default());
    at(&shown, &browser, "/connection?key=warehouse&show=all");
    let stops =
        [".top a[href='/plan']", "main button[aria-label='Embedded workflows in us-prod']", "main a[href^='/set']"];
    for (number, stop) in stops.iter().enumerate() {
        browser.eval(&format!("document.querySelector(\"{stop}\").focus()"));
        let there = || browser.eval("[...document.querySelectorAll('a, button')].indexOf(document.activeElement)");
        let before = there();
        edit(&shown, WAREHOUSE, &format!("543{}", number + 2), &format!("543{}", number + 3));
        browser.wait_for(&format!("td:has-text('543{}')", number + 3));
        assert_eq!(there(), before, "{stop}");
    }
    browser.assert_no_errors();
}

/// Does something that makes the page show another reading, and waits until it does.
fn replaced_after(browser: &Browser, change: impl FnOnce()) {
    browser.eval("main().dataset.old = ''");
    change();
    browser.wait_for("main:not([data-old])");
}

#[test]
fn what_is_typed_and_ticked_stays() {
    let shown = ExamplePage::after("us-eu", without_problems);
    let browser = shown.open(Settings::default());
    at(&shown, &browser, "/plan");
    browser.click_on("input[name=approve]");
    browser.eval("document.querySelector('#q').value = 'ware'");
    // A change that leaves the plan as it is.
    replaced_after(&browser, || edit(&shown, "tenants.yaml", "kind: Tenant", "kind: Tenant # as before"));
    assert_eq!(browser.count("input[name=approve]:checked"), 1);
    assert_eq!(browser.eval("document.querySelector('#q').value"), "ware");
    // Nobody has read what another plan does.
    replaced_after(&browser, || edit(&shown, WAREHOUSE, "title: Order warehouse", "title: Orders"));
    assert_eq!(browser.count("input[name=approve]"), 1);
    assert_eq!(browser.count("input[name=approve]:checked"), 0);
    browser.assert_no_errors();
}

#[test]
fn what_one_tab_writes_the_other_shows() {
    let (shown, browser) = ExamplePage::opened(Settings::default());
    let other = browser.another_tab();
    at(&shown, &other, "/connection?key=warehouse&show=all");
    at(&shown, &browser, "/set?tenant=us-prod&key=warehouse");
    browser.fill("port", "5433");
    browser.click("button", "Review");
    browser.click("button", "Write 1 file");
    browser.wait_for("h1:text-is('warehouse')");
    other.wait_for("td:has-text('5433')");
    other.assert_no_errors();
}

#[test]
fn a_form_that_is_filled_in_is_never_replaced() {
    let (shown, browser) = ExamplePage::opened(Settings::default());
    at(&shown, &browser, "/set?tenant=us-prod&key=warehouse");
    browser.fill("port", "5433");
    edit(&shown, WAREHOUSE, "title: Order warehouse", "title: Orders");
    browser.wait_for("#state:has-text('Changed since')");
    assert_eq!(browser.value("port"), "5433");
    assert_eq!(browser.value("Title"), "Order warehouse");
}

#[test]
fn a_connection_that_comes_back_without_news_says_live() {
    let (shown, browser) = ExamplePage::opened(Settings::default());
    for path in ["/set?tenant=us-prod&key=warehouse", "/"] {
        at(&shown, &browser, path);
        browser.eval("tell('lost', version)");
        browser.wait_for("#state:text-is('Not reachable')");
        browser.eval("tell('changed', version)");
        browser.wait_for("#state:text-is('Live')");
    }
    // One answer that does not come is asked for again.
    browser.eval("load('http://127.0.0.1:1/')");
    browser.wait_for("#state:text-is('Not reachable')");
    browser.eval("load(location.href)");
    browser.wait_for("#state:text-is('Live')");
}

#[test]
fn a_review_that_is_old_is_refused_and_shown_again() {
    let (shown, browser) = ExamplePage::opened(Settings::default());
    at(&shown, &browser, "/set?tenant=us-prod&key=warehouse");
    browser.fill("port", "5433");
    browser.click("button", "Review");
    browser.wait_for_text("Nothing is written yet.");
    edit(&shown, WAREHOUSE, "title: Order warehouse", "title: Orders");
    browser.wait_for("#state:has-text('Changed since')");
    browser.click("button", "Write 1 file");
    browser.wait_for("[role=alert]");
    assert!(browser.text("[role=alert]").contains("changed since"), "{}", browser.text("main"));
    assert!(!shown.file(WAREHOUSE).contains("5433"));
    // What was typed is still there, and can be reviewed anew.
    assert_eq!(browser.value("port"), "5433");
    browser.fill("Title", "Orders");
    browser.click("button", "Review");
    browser.wait_for_text("Nothing is written yet.");
    browser.click("button", "Write 1 file");
    browser.wait_for("h1:text-is('warehouse')");
    let file = shown.file(WAREHOUSE);
    assert!(file.contains("5433") && file.contains("title: Orders"), "{file}");
}

#[test]
fn a_review_whose_diff_changed_is_shown_again() {
    let (shown, browser) = ExamplePage::opened(Settings::default());
    at(&shown, &browser, "/connection?key=warehouse");
    browser.click("button", "Embedded workflows in us-prod");
    browser.wait_for_text("Nothing is written yet.");
    edit(&shown, WAREHOUSE, "title: Order warehouse", "title: Orders");
    browser.wait_for("#state:has-text('Changed since')");
    browser.click("button", "Write 1 file");
    browser.wait_for_text("Something changed since this was shown.");
    assert!(!shown.file(WAREHOUSE).contains("embeddedWorkflows"));
    browser.click("button", "Write 1 file");
    browser.wait_for("h1:text-is('warehouse')");
    assert!(shown.file(WAREHOUSE).contains("embeddedWorkflows: true"));
}

#[test]
fn a_plan_that_changed_since_it_was_shown_is_not_applied() {
    let shown = ExamplePage::of("us-eu");
    // Without scripts it shows what it showed.
    let browser = shown.open(Settings { scripts: false, ..Settings::default() });
    browser.goto(&shown.page.url("/plan"));
    browser.wait_for("role=button[name=/^Approve and apply/]");
    edit(&shown, WAREHOUSE, "5432", "5999");
    browser.click_on("role=checkbox[name=/^I have read the/]");
    browser.click_on("role=button[name=/^Approve and apply/]");
    browser.wait_for_text("The plan changed since it was shown");
    assert!(!shown.folder.join("eu-prod/connections/hubspot-oauth.yaml").exists());
}

#[test]
fn a_hidden_tab_gives_its_stream_away_and_catches_up_when_it_is_seen() {
    let (shown, browser) = ExamplePage::opened(Settings::default());
    let other = browser.another_tab();
    at(&shown, &browser, "/connection?key=warehouse&show=all");
    at(&shown, &other, "/connection?key=warehouse&show=all");
    until("one has the stream", || has_stream(&browser) != has_stream(&other));
    browser.set_hidden(true);
    assert!(!has_stream(&browser));
    edit(&shown, WAREHOUSE, "5432", "5999");
    other.wait_for("td:has-text('5999')");
    assert!(has_stream(&other));
    assert_eq!(browser.count("td:has-text('5999')"), 0);
    browser.set_hidden(false);
    browser.wait_for("td:has-text('5999')");
    other.set_hidden(true);
    until("it is given away", || has_stream(&browser));
    [&browser, &other].into_iter().for_each(Browser::assert_no_errors);
}

/// Browsers open six connections to a host.
#[test]
fn eight_windows_that_are_seen_stay_usable() {
    let shown = ExamplePage::of("us-eu");
    let mut windows = vec![shown.open(Settings::default())];
    for _ in 1..8 {
        let next = windows[0].another_tab();
        windows.push(next);
    }
    windows.iter().for_each(|window| at(&shown, window, "/connection?key=warehouse&show=all"));
    let streams = |windows: &[Browser]| windows.iter().filter(|window| has_stream(window)).count();
    until("one has the stream", || streams(&windows) == 1);
    edit(&shown, WAREHOUSE, "5432", "5999");
    windows.iter().for_each(|window| window.wait_for("td:has-text('5999')"));
    // The one that has it is closed: another one takes it.
    windows.remove(windows.iter().position(has_stream).unwrap());
    until("another one has it", || streams(&windows) == 1);
    edit(&shown, WAREHOUSE, "5999", "6001");
    windows.iter().for_each(|window| window.wait_for("td:has-text('6001')"));
    for window in &windows {
        window.click("link", "Overview");
        window.wait_for("h1:text-is('Overview')");
    }
    until("one has the stream", || streams(&windows) == 1);
    windows.iter().for_each(Browser::assert_no_errors);
}

/// Where a browser has no locks, each window has a stream.
#[test]
fn without_locks_each_window_has_a_stream() {
    let shown = ExamplePage::of("us-eu");
    let first = shown.open(Settings::default());
    let windows = [first.another_tab(), first];
    for window in &windows {
        window.before_scripts("Object.defineProperty(navigator, 'locks', { value: undefined })");
        at(&shown, window, "/connection?key=warehouse&show=all");
        assert!(has_stream(window));
    }
    edit(&shown, WAREHOUSE, "5432", "5999");
    windows.iter().for_each(|window| window.wait_for("td:has-text('5999')"));
}

#[test]
fn ten_tabs_stay_usable() {
    let shown = ExamplePage::of("us-eu");
    let mut tabs = vec![shown.open(Settings::default())];
    for _ in 1..10 {
        // A person sees one of them.
        let last = tabs.last().unwrap();
        let next = last.another_tab();
        last.set_hidden(true);
        at(&shown, &next, "/connection?key=warehouse&show=all");
        tabs.push(next);
    }
    edit(&shown, WAREHOUSE, "5432", "5999");
    tabs[9].wait_for("td:has-text('5999')");
    tabs[9].set_hidden(true);
    tabs[4].set_hidden(false);
    tabs[4].wait_for("td:has-text('5999')");
    tabs[4].click("link", "Overview");
    tabs[4].wait_for("h1:text-is('Overview')");
    tabs.iter().for_each(Browser::assert_no_errors);
}

#[test]
fn ctrl_c_ends_with_streams_open() {
    let (shown, browser) = ExamplePage::opened(Settings::default());
    until("it has the stream", || has_stream(&browser));
    let (status, said) = shown.page.stop();
    assert!(status.success(), "{status}: {said:#?}");
    browser.wait_for("#state:text-is('Not reachable')");
}

#[test]
fn a_closed_tab_stops_no_apply() {
    let (shown, browser) = ExamplePage::opened(Settings::default());
    let other = browser.another_tab();
    browser.goto(&shown.page.url("/plan"));
    browser.click_on("role=checkbox[name=/^I have read the/]");
    browser.click_on("role=button[name=/^Approve and apply/]");
    drop(browser);
    at(&shown, &other, "/apply");
    other.wait_for("h1:text-is('Receipt')");
    assert!(shown.folder.join("eu-prod/connections/hubspot-oauth.yaml").exists());
    other.assert_no_errors();
}

#[test]
fn the_address_lets_in_once() {
    let mut shown = ExamplePage::of("us-eu");
    let first = shown.page.address().to_string();
    let browser = shown.open(Settings::default());
    let cookies = browser.cookies();
    assert!(cookies.len() == 1 && cookies[0]["httpOnly"] == true && cookies[0]["sameSite"] == "Strict", "{cookies:?}");
    assert_eq!(cookies[0]["expires"], -1);
    let stranger = Browser::open(Settings::default());
    assert_eq!(stranger.goto(&first), 401);
    assert_eq!(stranger.goto(&shown.page.url("/plan")), 401);
    shown.page.renew_address();
    let second = shown.page.open(Settings::default());
    second.wait_for("h1:text-is('Overview')");
    // A name of another site that leads here is refused.
    let elsewhere = shown.page.url("/").replace("127.0.0.1", "elsewhere.example");
    assert_eq!(stranger.goto(&elsewhere), 421);
}
