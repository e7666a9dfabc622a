//! The page on a tenant of the platform, a fake one: what people change in the browser is on the platform afterwards.

use crate::browser::Settings;
use crate::managing;
use crate::page::Page;
use stablekey_platform::{Platform, Region, Server, seed};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The command as somebody runs it who has logged in with prism.
fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(stablekey_testing::cli::program());
    command.args(arguments).arg("--allow-loopback").current_dir(folder.join("ours"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", folder.join("home"));
    command
}

/// A folder with the tenant, imported.
fn imported(server: &Server) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("ours");
    let config = folder.path().join("home/.config/prism");
    [&root, &config].into_iter().for_each(|folder| fs::create_dir_all(folder).unwrap());
    let (url, token) = (server.url(), server.refresh_token());
    let profile = format!(
        "version: 1\nprofiles:\n  us: {{accessToken: \"\", refreshToken: {token}, expiresIn: 604800, scope: x, \
         tokenType: Bearer, prismaticUrl: \"{url}\"}}\n"
    );
    fs::write(config.join("config.yml"), profile).unwrap();
    let arguments = ["import", "--tenant", "us-prod", "--from", &url, "--profile", "us"];
    let output = command(folder.path(), &arguments).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", stablekey_testing::cli::said(&output));
    let tenants = fs::read_to_string(root.join("tenants.yaml")).unwrap();
    let secrets = "      secrets: {directory: secrets/us-prod}\n      tokenFrom:";
    fs::write(root.join("tenants.yaml"), tenants.replacen("      tokenFrom:", secrets, 1)).unwrap();
    fs::create_dir_all(root.join("secrets/us-prod/warehouse")).unwrap();
    fs::write(root.join("secrets/us-prod/warehouse/password"), "warehouse-pass\n").unwrap();
    folder
}

#[test]
fn a_connection_is_altered_and_applied() {
    let store = seed::every_kind(Region::Us).unwrap();
    let server =
        Server::builder(Platform::new(store)).token("CANARY-access").refresh_token("CANARY-refresh").start().unwrap();
    let folder = imported(&server);
    let page = Page::start(command(folder.path(), &["ui"]));
    let browser = page.open_overview(Settings::default());
    browser.click("link", "warehouse");
    browser.click("link", "Edit in us-prod");
    browser.fill("Title", "Warehouse of orders");
    browser.click("button", "Review");
    browser.wait_for_text("Nothing is written yet.");
    browser.click("button", "Write 1 file");
    browser.wait_for("h1:text-is('warehouse')");
    browser.goto(&page.url("/plan"));
    browser.wait_for("role=button[name=/^Apply 1/]");
    assert!(!browser.html().contains("CANARY"));
    browser.click_on("role=button[name=/^Apply 1/]");
    browser.wait_for("h1:text-is('Receipt')");
    browser.assert_no_errors();
    let titles = server.read(|store| store.connections.iter().map(|one| one.key.clone()).collect::<Vec<_>>());
    assert!(titles.contains(&"Warehouse of orders".to_string()), "{titles:?}: {}", browser.text("main"));
}

/// The tasks of the platform's guide "Managing connections", each from the overview to the platform.
#[test]
fn each_task_reaches_the_platform() {
    let store = seed::every_kind(Region::Us).unwrap();
    let server =
        Server::builder(Platform::new(store)).token("CANARY-access").refresh_token("CANARY-refresh").start().unwrap();
    let folder = imported(&server);
    let root = folder.path().join("ours");
    let secrets = root.join("secrets/us-prod");
    for (name, key) in [("events", "password"), ("warehouse-test", "password")] {
        fs::create_dir_all(secrets.join(name)).unwrap();
        fs::write(secrets.join(name).join(key), "CANARY-secret\n").unwrap();
    }
    let file = |path: &str| fs::read_to_string(root.join("us-prod/integrations").join(path)).unwrap();
    let page = Page::start(command(folder.path(), &["ui"]));
    let browser = page.open_overview(Settings::default());

    managing::add_events(&page, &browser);
    managing::alter_warehouse(&page, &browser, "host", "db-2.example.invalid");
    managing::give_test_credentials(&page, &browser);
    managing::embed_warehouse(&page, &browser);
    managing::switch_step(&page, &browser, "warehouse-export", "Insert", "events");
    managing::switch_all(&page, &browser, "slack-alerts", "Slack", "slack-internal");
    browser.goto(&page.url("/plan"));
    browser.click_on("role=checkbox[name=/^I have read the/]");
    browser.click_on("role=button[name='Approve and apply 4']");
    browser.wait_for("h1:text-is('Receipt')");
    let receipt = browser.text("main");
    let told = [
        "4 actions done",
        "nothing is left to do",
        "publish a new version of slack-alerts",
        "turn on embedded workflows for warehouse on its page",
    ];
    for part in told {
        assert!(receipt.contains(part), "{part}: {receipt}");
    }
    assert!(!browser.html().contains("CANARY"));
    browser.assert_no_errors();
    let keys = server.read(|store| store.connections.iter().map(|one| one.stable_key.clone()).collect::<Vec<_>>());
    assert!(keys.contains(&"events".to_string()), "{keys:?}");
    // Read from the platform by another process, all of it is there.
    let plan = command(folder.path(), &["plan"]).stdin(Stdio::null()).output().unwrap();
    let said = stablekey_testing::cli::said(&plan);
    assert!(plan.status.success() && said.contains("us-prod"), "{said}");
    for (path, part) in [("slack-alerts.yaml", "slack-internal"), ("warehouse-export.yaml", "stableKey: events")] {
        assert!(file(path).contains(part), "{}", file(path));
    }
}
