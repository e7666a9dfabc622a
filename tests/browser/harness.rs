//! The harness itself, on small pages that a server of its own sends with the page's content security policy.

use crate::browser::{Browser, Settings};
use crate::looks::{self, differing_pixels, scratch};
use crate::page::Page;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

const FORM: &str = r#"<!doctype html><html lang="en"><head><title>Form</title><link rel="stylesheet" href="/style.css">
<script src="/script.js" defer></script></head><body><main><h1>Form</h1>
<form action="/sent"><label>Name <input name="name"></label>
<label>Colour <select name="colour"><option>red</option><option>blue</option></select></label>
<button>Send</button></form>
<p id="scripts" hidden>Scripts run</p><button id="later">Later</button><p class="bar">A bar that sticks</p><p class="long"></p>
</main></body></html>"#;

const SCRIPT: &str = "document.getElementById('scripts').hidden = false;
document.getElementById('later').onclick = async (event) => {
    const answer = await (await fetch('/answer')).text();
    event.target.remove();
    document.querySelector('h1').textContent = answer;
};
document.onvisibilitychange = () => { document.title = document.hidden ? 'hidden' : 'shown'; };";

const STYLE: &str = "body { font: 14px Inter; color: #000; background: #fff; } .long { height: 1500px; }
code { font: 12px 'JetBrains Mono'; }
.bar { position: fixed; bottom: 0; margin: 0; }
@media (prefers-color-scheme: dark) { body { color: #fff; background: #000; } }";

const SENT: &str =
    r#"<!doctype html><html lang="en"><head><title>Sent</title></head><body><main><h1>Sent</h1></main></body></html>"#;

/// Glyphs of each font.
const GLYPHS: &str = r#"<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Glyphs</title>
<link rel="stylesheet" href="/style.css"></head><body><p>Inter ✓ ≠ <code>JetBrains-Mono</code> DejaVu ◐ ◔</p></body></html>"#;

/// It has an image without a text for those who do not see it, and a style that its policy refuses.
const POOR: &str = r#"<!doctype html><html lang="en"><head><title>Poor</title></head><body><main><h1 style="color: red">Poor</h1>
<img src="data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="></main></body></html>"#;

/// The page that a one-time code leads to goes on to the one without it.
const CODE: &str = r#"<!doctype html><html lang="en"><head><title>Welcome</title><meta http-equiv="refresh" content="0; url=/sent"></head>
<body></body></html>"#;

/// Serves the pages until the process ends, and returns their address.
fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // A browser opens connections before it needs them.
    std::thread::spawn(move || {
        listener.incoming().for_each(|stream| drop(std::thread::spawn(|| answer(stream.unwrap()))))
    });
    format!("http://{address}")
}

fn answer(mut stream: TcpStream) {
    let request: Vec<String> =
        BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let Some(path) = request.first().and_then(|line| line.split(' ').nth(1)) else { return };
    let (kind, text) = match path.split('?').next().unwrap() {
        "/" if path.contains("code=") => ("html", CODE),
        "/" => ("html", FORM),
        "/script.js" => ("javascript", SCRIPT),
        "/style.css" => ("css", STYLE),
        "/answer" => ("plain", "Answered"),
        "/sent" => ("html", SENT),
        "/glyphs" => ("html", GLYPHS),
        "/poor" => ("html", POOR),
        _ => ("plain", ""),
    };
    let status = if text.is_empty() { "404 Not Found" } else { "200 OK" };
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:";
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: text/{kind}\r\nContent-Security-Policy: {policy}");
    // It may have gone meanwhile.
    let _ = write!(
        stream,
        "{head}\r\nSet-Cookie: seen=yes; HttpOnly; SameSite=Strict\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
}

#[test]
fn a_form_is_filled_and_sent() {
    let (server, browser) = (server(), Browser::open(Settings::default()));
    assert_eq!(browser.goto(&server), 200);
    browser.fill("Name", "Ann");
    assert_eq!(browser.value("Name"), "Ann");
    browser.choose("Colour", "blue");
    browser.click("button", "Send");
    browser.wait_for_url("colour=blue");
    assert_eq!(browser.url(), format!("{server}/sent?name=Ann&colour=blue"));
    assert_eq!(browser.text("h1"), "Sent");
    assert_eq!(browser.clicks(), 2);
    browser.back();
    browser.wait_for_url_without("colour=blue");
    assert_eq!(browser.reload(), 200);
    assert_eq!(browser.goto(&format!("{server}/nothing")), 404);
}

#[test]
fn what_comes_later_is_awaited() {
    let (server, browser) = (server(), Browser::open(Settings::default()));
    browser.goto(&server);
    browser.wait_for_text("Scripts run");
    browser.click_on("#later");
    browser.wait_for("h1:text('Answered')");
    browser.wait_until_gone("#later");
    assert_eq!((browser.count("#later"), browser.count("option")), (0, 2));
    assert_eq!(browser.texts("option"), ["red", "blue"]);
    assert_eq!(browser.attribute("form", "action").as_deref(), Some("/sent"));
    assert_eq!(browser.attribute("form", "method"), None);
    assert!(browser.html().contains("Answered"));
    assert!(browser.first_paint() > 0.0);
    browser.set_hidden(true);
    assert_eq!(browser.eval("document.title"), "hidden");
    browser.assert_no_errors();
}

#[test]
fn keys_go_where_the_focus_is() {
    let (server, browser) = (server(), Browser::open(Settings::default()));
    browser.goto(&server);
    browser.press("Tab");
    assert_eq!(browser.focused(), "- textbox \"Name\"");
    browser.type_text("Ann");
    browser.press("Enter");
    browser.wait_for_url("name=Ann");
    assert_eq!(browser.heard("main"), "- main:\n  - heading \"Sent\" [level=1]");
    assert_eq!(browser.clicks(), 0);
}

#[test]
fn without_scripts_forms_work_and_waiting_too() {
    let (server, browser) = (server(), Browser::open(Settings { scripts: false, ..Settings::default() }));
    browser.goto(&server);
    browser.wait_for_text("A bar that sticks");
    assert_eq!(browser.count("#scripts:visible"), 0);
    browser.fill("Name", "Ann");
    browser.click("button", "Send");
    browser.wait_for_text("Sent");
    browser.assert_no_errors();
}

#[test]
fn pictures_are_the_same_or_differ() {
    let server = server();
    let [light, again, dark, narrow, painted] =
        ["light", "again", "dark", "narrow", "painted"].map(|name| scratch(&format!("harness.{name}.png")));
    let take = |settings: Settings, path| {
        let browser = Browser::open(settings);
        browser.goto(&server);
        browser.wait_for_text("Scripts run");
        browser.picture(path);
        // The page is taller than its window, which is as before.
        assert_eq!(browser.eval("innerHeight"), settings.height);
        browser.assert_no_errors();
    };
    take(Settings::default(), &light);
    take(Settings::default(), &again);
    take(Settings { dark: true, ..Settings::default() }, &dark);
    take(Settings { width: 400, ..Settings::default() }, &narrow);
    assert_eq!(differing_pixels(&light, &again, &painted), 0);
    assert!(differing_pixels(&light, &dark, &painted) > 1280 * 1500);
    assert!(painted.exists());
    assert!(differing_pixels(&light, &narrow, &painted) > 1280 * 1500);
}

/// If this one fails, Chromium or the fonts of this machine paint otherwise than those that took the pictures.
#[test]
fn a_page_looks_as_it_did_until_it_changes() {
    let (server, browser) = (server(), Browser::open(Settings { width: 300, height: 60, ..Settings::default() }));
    browser.goto(&format!("{server}/glyphs"));
    looks::compare(&browser, "harness");
    if looks::overwrites() {
        return;
    }
    browser.eval("document.querySelector('p').textContent = 'Otherwise'");
    let said = failure(|| looks::compare(&browser, "harness"));
    assert!(said.contains("pixels differ") && said.contains("harness.differing.png"), "{said}");
    let said = failure(|| looks::compare(&browser, "never-taken"));
    assert!(said.contains("there is no ") && said.contains("never-taken.new.png"), "{said}");
    browser.assert_no_errors();
}

/// What a test that fails says.
fn failure(what: impl FnOnce()) -> String {
    *std::panic::catch_unwind(std::panic::AssertUnwindSafe(what)).unwrap_err().downcast::<String>().unwrap()
}

#[test]
fn a_window_can_be_resized() {
    let (server, browser) = (server(), Browser::open(Settings { forced_colors: true, ..Settings::default() }));
    browser.goto(&server);
    browser.resize(400, 600);
    assert_eq!(browser.eval("[innerWidth, innerHeight]"), serde_json::json!([400, 600]));
    assert_eq!(browser.eval("matchMedia('(forced-colors: active)').matches"), true);
}

#[test]
fn what_shuts_people_out_is_found() {
    let (server, browser) = (server(), Browser::open(Settings::default()));
    browser.goto(&server);
    assert_eq!(browser.violations(), Vec::<String>::new());
    browser.goto(&format!("{server}/poor"));
    let violations = browser.violations();
    assert!(violations.len() == 1 && violations[0].starts_with("image-alt: "), "{violations:?}");
}

#[test]
fn errors_of_a_page_are_found() {
    let (server, browser) = (server(), Browser::open(Settings::default()));
    browser.goto(&format!("{server}/poor"));
    let errors = browser.errors();
    assert!(errors.len() == 1 && errors[0].contains("Content Security Policy"), "{errors:?}");
    browser.eval("fetch('/nothing').then(() => {})");
    let errors = browser.errors();
    assert!(errors.len() == 1 && errors[0].contains("404"), "{errors:?}");
    browser.goto(&server);
    browser.assert_no_errors();
}

#[test]
fn nothing_reaches_the_network_except_by_a_name_of_another_site() {
    let (server, browser) = (server(), Browser::open(Settings::default()));
    let port = server.rsplit(':').next().unwrap();
    assert_eq!(browser.goto(&format!("http://elsewhere.example:{port}/sent")), 200);
    assert_eq!(browser.goto(&format!("http://localhost:{port}/sent")), 200);
    for host in ["example.com", "203.0.113.1"] {
        let said = failure(|| _ = browser.goto(&format!("http://{host}/")));
        assert!(said.contains("ERR_NAME_NOT_RESOLVED"), "{said}");
    }
}

#[test]
fn tabs_of_a_browser_share_cookies_and_browsers_share_none() {
    let (server, browser) = (server(), Browser::open(Settings::default()));
    browser.goto(&server);
    let tab = browser.another_tab();
    drop(browser);
    let cookies = tab.cookies();
    assert!(cookies.len() == 1 && cookies[0]["sameSite"] == "Strict" && cookies[0]["httpOnly"] == true, "{cookies:?}");
    assert!(Browser::open(Settings::default()).cookies().is_empty());
}

/// A shell in place of the program: it prints an address, another for each Enter, and ends with Ctrl-C.
#[test]
fn a_program_is_started_asked_for_addresses_and_stopped() {
    let server = server();
    // In the background of a shell SIGINT is ignored, and bash cannot trap what is ignored.
    let mut program = Command::new("env");
    program.args(["--default-signal=INT", "bash", "-c"]).arg(
        "trap 'echo ended; exit 3' INT; echo begins >&2; n=1; echo \"Open $0/?code=$n\"
         while read -r; do n=$((n + 1)); echo \"Open $0/?code=$n\"; done",
    );
    let mut page = Page::start({
        program.arg(&server);
        program
    });
    assert_eq!(page.address(), format!("{server}/?code=1"));
    let browser = page.open(Settings::default());
    assert_eq!(browser.url(), page.url("/sent"));
    page.renew_address();
    assert_eq!(page.address(), format!("{server}/?code=2"));
    let (status, said) = page.stop();
    assert_eq!((status.code(), said.len()), (Some(3), 4));
    assert!(said.contains(&"begins".to_string()) && said.contains(&"ended".to_string()), "{said:?}");
}
