//! What six views look like, in the light and in the dark, on a laptop and on a telephone.

use crate::browser::Settings;
use crate::looks;
use crate::page::ExamplePage;

const VIEWS: [(&str, &str); 6] = [
    ("overview", "/"),
    ("component", "/components?component=salesforce"),
    ("connection", "/connection?key=slack-bot"),
    ("integration", "/integration?name=lead-router&tenant=us-prod"),
    ("plan", "/plan"),
    ("new", "/new?tenant=us-prod&component=postgres&credentials=OrganizationGlobal"),
];

fn look_as_they_did(theme: &str, settings: Settings) {
    let shown = ExamplePage::of("us-eu");
    let browser = shown.open(settings);
    let mut different = Vec::new();
    for (name, path) in VIEWS {
        browser.goto(&shown.page.url(path));
        browser.wait_for("#state:text-is('Live')");
        if let Some(why) = looks::difference(&browser, &format!("{name}.{theme}.{}", settings.width)) {
            different.push(why);
        }
    }
    assert!(different.is_empty(), "{different:#?}");
}

#[test]
fn in_the_light() {
    look_as_they_did("light", Settings::default());
}

#[test]
fn in_the_dark() {
    look_as_they_did("dark", Settings { dark: true, ..Settings::default() });
}

#[test]
fn on_a_telephone() {
    look_as_they_did("light", Settings { width: 400, ..Settings::default() });
}

#[test]
fn on_a_telephone_in_the_dark() {
    look_as_they_did("dark", Settings { width: 400, dark: true, ..Settings::default() });
}
