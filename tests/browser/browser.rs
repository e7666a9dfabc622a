//! A person's browser: what a person does in it, and what it shows.
//!
//! Every call waits as Playwright does: until an element is there, is visible and holds still. None needs a sleep.

use crate::driver::{ask, number};
use serde_json::{Value, json};
use std::cell::Cell;
use std::path::Path;

/// How a browser shows pages.
#[derive(Clone, Copy)]
pub struct Settings {
    pub width: u32,
    pub height: u32,
    pub dark: bool,
    pub scripts: bool,
    pub reduced_motion: bool,
    pub forced_colors: bool,
}

impl Default for Settings {
    /// A light window of a laptop in which nothing moves.
    fn default() -> Self {
        Settings { width: 1280, height: 800, dark: false, scripts: true, reduced_motion: true, forced_colors: false }
    }
}

/// A tab of a browser. Tabs of one browser share its cookies.
pub struct Browser {
    tab: u64,
    clicks: Cell<usize>,
}

impl Browser {
    /// Opens a browser that has no cookies, with one empty tab.
    pub fn open(settings: Settings) -> Self {
        let browser = Browser { tab: number(), clicks: Cell::new(0) };
        let settings = json!({
            "viewport": {"width": settings.width, "height": settings.height},
            "colorScheme": if settings.dark { "dark" } else { "light" },
            "javaScriptEnabled": settings.scripts,
            "reducedMotion": if settings.reduced_motion { "reduce" } else { "no-preference" },
            "forcedColors": if settings.forced_colors { "active" } else { "none" },
        });
        browser.ask("open", json!({"settings": settings}));
        browser
    }

    /// Opens one more tab of this browser.
    pub fn another_tab(&self) -> Self {
        let another = Browser { tab: number(), clicks: Cell::new(0) };
        self.ask("tab", json!({"as": another.tab}));
        another
    }

    /// Goes to an address, and returns the status of the answer.
    #[track_caller]
    pub fn goto(&self, url: &str) -> u64 {
        self.ask("goto", json!({"url": url})).as_u64().unwrap_or_default()
    }

    #[track_caller]
    pub fn reload(&self) -> u64 {
        self.ask("reload", json!({})).as_u64().unwrap_or_default()
    }

    #[track_caller]
    pub fn back(&self) {
        self.ask("back", json!({}));
    }

    pub fn url(&self) -> String {
        string(self.ask("url", json!({})))
    }

    /// The cookies of the browser, as Playwright has them: name, value, domain, path, expires, httpOnly, sameSite.
    pub fn cookies(&self) -> Vec<Value> {
        list(self.ask("cookies", json!({})))
    }

    pub fn resize(&self, width: u32, height: u32) {
        self.ask("resize", json!({"width": width, "height": height}));
    }

    /// Clicks what has a role and exactly this name: `click("button", "Add connection")`.
    #[track_caller]
    pub fn click(&self, role: &str, name: &str) {
        self.ask("click", json!({"role": role, "name": name}));
        self.count_click();
    }

    /// Clicks the one element of a selector of Playwright.
    #[track_caller]
    pub fn click_on(&self, selector: &str) {
        self.ask("click", json!({"selector": selector}));
        self.count_click();
    }

    /// Writes into the field with a label, in place of what is there. It is no click.
    #[track_caller]
    pub fn fill(&self, label: &str, value: &str) {
        self.ask("fill", json!({"label": label, "value": value}));
    }

    /// Chooses an option, by its text, of the list with a label. It is one click.
    #[track_caller]
    pub fn choose(&self, label: &str, option: &str) {
        self.ask("choose", json!({"label": label, "value": option}));
        self.count_click();
    }

    /// Presses a key, or several at once: `Enter`, `ArrowDown`, `Shift+Tab`.
    #[track_caller]
    pub fn press(&self, key: &str) {
        self.ask("press", json!({"key": key}));
    }

    /// Types a text where the focus is.
    pub fn type_text(&self, text: &str) {
        self.ask("type", json!({"text": text}));
    }

    /// Presses Tab until this has the focus: `- link "Plan"`.
    #[track_caller]
    pub fn tab_to(&self, what: &str) {
        let mut passed = Vec::new();
        while passed.len() < 120 {
            self.press("Tab");
            // The browser's own controls are a stop as well, after the last one of the page.
            let is_in_page = self.count(":focus") > 0;
            let focused = if is_in_page { self.focused() } else { String::new() };
            if focused.starts_with(what) {
                return;
            }
            passed.push(focused);
        }
        panic!("{what} is not reached: {passed:#?}");
    }

    /// How many clicks were made in this tab.
    pub fn clicks(&self) -> usize {
        self.clicks.get()
    }

    fn count_click(&self) {
        self.clicks.set(self.clicks.get() + 1);
    }

    /// The text of the one element of a selector, as it is seen.
    #[track_caller]
    pub fn text(&self, selector: &str) -> String {
        string(self.ask("text", json!({"selector": selector})))
    }

    /// The texts of all elements of a selector that are there now.
    #[track_caller]
    pub fn texts(&self, selector: &str) -> Vec<String> {
        list(self.ask("texts", json!({"selector": selector}))).into_iter().map(string).collect()
    }

    /// What stands in the field with a label.
    #[track_caller]
    pub fn value(&self, label: &str) -> String {
        string(self.ask("value", json!({"label": label})))
    }

    #[track_caller]
    pub fn attribute(&self, selector: &str, attribute: &str) -> Option<String> {
        let found = self.ask("attribute", json!({"selector": selector, "attribute": attribute}));
        found.as_str().map(str::to_string)
    }

    /// How many elements of a selector are there now.
    #[track_caller]
    pub fn count(&self, selector: &str) -> usize {
        self.ask("count", json!({"selector": selector})).as_u64().unwrap().try_into().unwrap()
    }

    /// The page as HTML, as it is now.
    pub fn html(&self) -> String {
        string(self.ask("html", json!({})))
    }

    /// The one element of a selector as those hear it who do not see: roles and names, as YAML.
    #[track_caller]
    pub fn heard(&self, selector: &str) -> String {
        string(self.ask("tree", json!({"selector": selector})))
    }

    /// What has the focus, by its role and name: `- link "Plan"`.
    #[track_caller]
    pub fn focused(&self) -> String {
        let heard = self.heard(":focus");
        let first = heard.lines().next().unwrap_or_default().trim_end_matches(':');
        // YAML quotes a name that has a colon.
        match first.strip_prefix("- '").and_then(|quoted| quoted.strip_suffix('\'')) {
            Some(quoted) => format!("- {}", quoted.replace("''", "'")),
            None => first.to_string(),
        }
    }

    /// The value of an expression of JavaScript; a promise is awaited.
    #[track_caller]
    pub fn eval(&self, expression: &str) -> Value {
        self.ask("eval", json!({"expression": expression}))
    }

    /// The milliseconds from the navigation until something of the page was painted.
    #[track_caller]
    pub fn first_paint(&self) -> f64 {
        let painted = "new Promise((painted) => new PerformanceObserver((list) => {
            for (const entry of list.getEntriesByName('first-contentful-paint')) painted(entry.startTime);
        }).observe({ type: 'paint', buffered: true }))";
        self.eval(painted).as_f64().unwrap()
    }

    /// Tells the page that its tab is hidden behind another, or shown again. A browser without windows hides none.
    pub fn set_hidden(&self, hidden: bool) {
        let state = if hidden { "hidden" } else { "visible" };
        self.eval(&format!(
            "Object.defineProperties(document, {{
                hidden: {{ value: {hidden}, configurable: true }},
                visibilityState: {{ value: '{state}', configurable: true }},
            }}), document.dispatchEvent(new Event('visibilitychange'))"
        ));
    }

    /// Runs this in each page of this tab before its own scripts.
    pub fn before_scripts(&self, script: &str) {
        self.ask("before", json!({"script": script}));
    }

    /// Waits until an element of a selector is seen.
    #[track_caller]
    pub fn wait_for(&self, selector: &str) {
        self.ask("wait", json!({"selector": selector}));
    }

    /// Waits until an element is seen that has this text, or has it as a part.
    #[track_caller]
    pub fn wait_for_text(&self, text: &str) {
        self.ask("wait", json!({"text": text}));
    }

    /// Waits until no element of a selector is seen.
    #[track_caller]
    pub fn wait_until_gone(&self, selector: &str) {
        self.ask("gone", json!({"selector": selector}));
    }

    /// Waits until the address has a part.
    #[track_caller]
    pub fn wait_for_url(&self, part: &str) {
        self.ask("wait_url", json!({"part": part, "has": true}));
    }

    /// Waits until the address has a part no longer.
    #[track_caller]
    pub fn wait_for_url_without(&self, part: &str) {
        self.ask("wait_url", json!({"part": part, "has": false}));
    }

    /// Writes a picture of the whole page into a file.
    #[track_caller]
    pub fn picture(&self, path: &Path) {
        self.ask("picture", json!({"path": path}));
    }

    /// What axe finds that shuts people out: the rule, what to do, and the element.
    #[track_caller]
    pub fn violations(&self) -> Vec<String> {
        list(self.ask("axe", json!({}))).into_iter().map(string).collect()
    }

    /// What went wrong in this tab since the last time: errors on the console, which has what the content security policy
    /// refuses and answers with an error; exceptions; and requests that got no answer.
    pub fn errors(&self) -> Vec<String> {
        list(self.ask("errors", json!({}))).into_iter().map(string).collect()
    }

    #[track_caller]
    pub fn assert_no_errors(&self) {
        let errors = self.errors();
        assert!(errors.is_empty(), "{}: {errors:#?}", self.url());
    }

    #[track_caller]
    fn ask(&self, what: &str, request: Value) -> Value {
        let shown = request.to_string();
        ask(self.tab, what, request).unwrap_or_else(|error| {
            // What the tab shows instead is most of the reason.
            let seen = ask(self.tab, "eval", json!({"expression": "location.href + '\\n' + document.body.innerText"}));
            panic!("{what} {shown}: {error}\n{}", seen.map_or_else(|error| error, string))
        })
    }
}

impl Drop for Browser {
    /// The browser ends with its last tab.
    fn drop(&mut self) {
        let _ = ask(self.tab, "close", json!({}));
    }
}

fn string(value: Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}

fn list(value: Value) -> Vec<Value> {
    if let Value::Array(list) = value { list } else { Vec::new() }
}
