//! The page over a hub, as a browser asks for it, with the account of a person.

use super::env::*;
use stablekey::api::Kind;
use stablekey::kubernetes::role::{approver_role, hub_role, writer_role};
use stablekey_testing::replica::until;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Duration;

const APPROVE: &str = ".metadata.annotations.stablekey\\.dev/approve";
const REQUESTED: &str = ".metadata.annotations.stablekey\\.dev/requestedAt";
const SUSPEND: &str = ".spec.suspend";
const TARGET: &str = "/target?sync=us-to-eu&tenant=eu";

/// A page that is served, with the session of one browser.
struct Page {
    process: Child,
    port: u16,
    cookie: String,
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Answer {
    code: u16,
    head: String,
    body: String,
}

impl Answer {
    /// The value of a hidden field.
    fn value(&self, name: &str) -> String {
        let at = self.body.split(&format!("name=\"{name}\" value=\"")).nth(1);
        at.unwrap_or_else(|| panic!("no field {name}: {}", self.body)).split('"').next().unwrap().to_string()
    }

    fn has(&self, text: &str) -> bool {
        self.body.contains(text)
    }
}

impl Page {
    /// Serves the page for a person, and opens the address that it prints.
    fn of(person: &Person) -> Self {
        let mut process = person.command(&["ui"]).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let port = address.strip_prefix("http://127.0.0.1:").unwrap().split('/').next().unwrap().parse().unwrap();
        let mut page = Page { process, port, cookie: String::new() };
        let path = address.trim().split_once(&format!(":{port}")).unwrap().1;
        let answer = page.ask("GET", path, "", "none");
        assert_eq!(answer.code, 200, "{}", answer.body);
        let cookie = answer.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
        page.cookie = cookie.split(';').next().unwrap().to_string();
        page
    }

    fn open(&self, method: &str, path: &str, form: &str, site: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let Page { port, cookie, .. } = self;
        let body = match method {
            "POST" => format!(
                "Origin: http://127.0.0.1:{port}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                 Content-Length: {}\r\n\r\n{form}",
                form.len()
            ),
            _ => "\r\n".to_string(),
        };
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nCookie: {cookie}\r\n\
             Sec-Fetch-Site: {site}\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n{body}"
        )
        .unwrap();
        stream
    }

    fn ask(&self, method: &str, path: &str, form: &str, site: &str) -> Answer {
        let mut answer = String::new();
        self.open(method, path, form, site).read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let code = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { code, head: head.to_string(), body: body.to_string() }
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", "same-origin")
    }

    /// Waits until a page has this text.
    fn until(&self, path: &str, text: &str) -> Answer {
        let mut last = None;
        until(format!("{path} has {text}"), || last.insert(self.get(path)).has(text));
        last.unwrap()
    }

    /// Sends a form with the fields of a page that was shown.
    fn post(&self, path: &str, shown: &Answer, names: &[&str], more: &str) -> Answer {
        let encoded = |text: &str| text.replace('%', "%25").replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
        let fields = names.iter().map(|name| format!("{name}={}", encoded(&shown.value(name))));
        let fields: Vec<String> =
            fields.chain([more.to_string()].into_iter().filter(|more| !more.is_empty())).collect();
        self.ask("POST", path, &fields.join("&"), "same-origin")
    }
}

const APPROVAL: [&str; 4] = ["token", "sync", "tenant", "digest"];

/// "on a hub: approve as the person": the page shows what the digest covers, and approves exactly that. A form of
/// something else is refused with what changed.
#[test]
fn what_was_shown_is_approved_and_nothing_else() {
    let env = waiting("page");
    let _syncer = env.syncer();
    until_target_state(&env, "eu", "AwaitingApproval");
    let page = Page::of(&Person::with(&env.us, "approver", &approver_role(env.us.name())));
    let overview = page.until("/", "us-to-eu → eu");
    assert!(overview.has("needs approval") && overview.has("2 to create"), "{}", overview.body);
    let first = page.until(TARGET, &digest(&env));
    assert!(first.has("What waits") && first.has("<b>crm</b>") && first.has("<b>lead</b>"), "{}", first.body);
    assert_eq!(first.value("digest"), digest(&env));
    assert!(!first.has("disabled"), "{}", first.body);

    // Without the box, without the token of the session, and after a change nothing is approved.
    let unread = page.post("/approve", &first, &APPROVAL, "");
    assert!(unread.code == 409 && unread.has("is not ticked"), "{}", unread.body);
    let foreign = page.post("/approve", &first, &APPROVAL[1..], "read=on&token=other");
    assert_eq!(foreign.code, 403, "{}", foreign.body);
    env.in_us(&[connection("mail", "send"), integration("lead", &["crm", "mail"])]);
    until("the plan changed", || digest(&env) != first.value("digest"));
    let stale = page.post("/approve", &first, &APPROVAL, "read=on");
    assert_eq!(stale.code, 409, "{}", stale.body);
    assert!(stale.has("changed since it was shown") && stale.has("new: Connection/mail"), "{}", stale.body);
    assert_eq!(field(&env.us, SYNC, APPROVE), "");

    let now = page.until(TARGET, &digest(&env));
    let approved = page.post("/approve", &now, &APPROVAL, "read=on");
    assert_eq!(approved.code, 303, "{}", approved.body);
    assert!(approved.head.contains("location: /target?sync=us-to-eu&tenant=eu"), "{}", approved.head);
    until_target_state(&env, "eu", "InSync");
    assert_eq!(field(&env.eu, "connection/crm", SCOPES), "api");
    page.until("/receipts", "3 created");
    assert!(!page.until(TARGET, "in sync").has("name=\"digest\""), "nothing waits any more");
    // What was carried out is not approved twice.
    let again = page.post("/approve", &now, &APPROVAL, "read=on");
    assert!(again.code == 409 && again.has("nothing waits in eu now"), "{}", again.body);
}

/// "clusters: the API server decides, SelfSubjectAccessReview only disables the button".
#[test]
fn who_may_only_read_is_refused_by_the_server() {
    let env = waiting("reader");
    let _syncer = env.syncer();
    until_target_state(&env, "eu", "AwaitingApproval");
    let page = Page::of(&Person::with(&env.us, "reader", &hub_role(env.us.name())));
    let shown = page.until(TARGET, &digest(&env));
    assert!(shown.has("Your account lacks the verb approve on tenantsyncs"), "{}", shown.body);
    assert!(shown.has("disabled>Approve 2 changes"), "{}", shown.body);
    let refused = page.post("/approve", &shown, &APPROVAL, "read=on");
    assert_eq!(refused.code, 403, "{}", refused.body);
    for said in ["Nothing was approved", "cannot patch resource &quot;tenantsyncs&quot;", "name: stablekey-approver"] {
        assert!(refused.has(said), "{said}: {}", refused.body);
    }
    assert_eq!(field(&env.us, SYNC, APPROVE), "");
    let asked = page.get("/suspend?sync=us-to-eu&suspend=on");
    assert!(asked.has("disabled>Suspend us-to-eu"), "{}", asked.body);
    let refused = page.post("/suspend", &asked, &["token", "sync", "suspend", "spec"], "");
    assert_eq!(refused.code, 403, "{}", refused.body);
    let refused = page.post("/reconcile", &shown, &["token", "sync", "back"], "");
    assert_eq!(refused.code, 403, "{}", refused.body);
    assert_eq!(field(&env.us, SYNC, SUSPEND) + &field(&env.us, SYNC, REQUESTED), "");
    // No way leads past the guard, and no view changes anything.
    assert_eq!(page.ask("POST", "/approve", "sync=us-to-eu", "cross-site").code, 403);
    assert_eq!(page.get("/plan").code, 404);
    // A wrong name never switches a rule off: it is refused.
    for (address, code, said) in [
        ("/?show=aprove", 400, "Did you mean"),
        ("/suspend?sync=us-to-e&suspend=on", 404, "us-to-eu"),
        ("/suspend?sync=us-to-eu&suspend=of", 400, "Did you mean"),
        ("/suspend?sync=us-to-eu", 409, "neither on nor off"),
    ] {
        let answer = page.get(address);
        assert!(answer.code == code && answer.has(said), "{address}: {} {}", answer.code, answer.body);
    }
    let unsaid = page.post("/suspend", &asked, &["token", "sync", "spec"], "suspend=of");
    assert!(unsaid.has("neither on nor off"), "{}", unsaid.body);
}

/// "suspend, reconcile": as the commands do them, of the spec that was shown.
#[test]
fn a_sync_is_suspended_resumed_and_reconciled() {
    let env = waiting("pauses");
    let _syncer = env.syncer();
    until_target_state(&env, "eu", "AwaitingApproval");
    let page = Page::of(&Person::with(&env.us, "editor", &writer_role(env.us.name(), Kind::TenantSync)));
    page.until("/syncs", "us-to-eu");
    let fields = ["token", "sync", "suspend", "spec"];
    let asked = page.get("/suspend?sync=us-to-eu&suspend=on");
    assert!(asked.has("2 actions"), "{}", asked.body);
    // Somebody changes the sync between the page and the click.
    kubectl(&env.us, &["patch", SYNC, "--type=merge", "-p", r#"{"spec": {"integrations": ["lead"]}}"#]);
    let stale = page.post("/suspend", &asked, &fields, "");
    assert!(stale.code == 409 && stale.has("somebody changed its spec since it was shown"), "{}", stale.body);
    assert_eq!(field(&env.us, SYNC, SUSPEND), "");
    let shown = asked.value("spec");
    let mut asked = page.get("/suspend?sync=us-to-eu&suspend=on");
    until("the page has read the change", || {
        asked = page.get("/suspend?sync=us-to-eu&suspend=on");
        asked.value("spec") != shown
    });
    assert_eq!(page.post("/suspend", &asked, &fields, "").code, 303);
    assert_eq!(field(&env.us, SYNC, SUSPEND), "true");
    page.until("/syncs", "Resume TenantSync us-to-eu");
    let asked = page.until("/suspend?sync=us-to-eu&suspend=off", "name=\"spec\"");
    assert_eq!(page.post("/suspend", &asked, &fields, "").code, 303);
    assert_eq!(field(&env.us, SYNC, SUSPEND), "");

    let overview = page.get("/");
    assert_eq!(page.post("/reconcile", &overview, &["token", "back"], "").code, 303);
    let at = field(&env.us, SYNC, REQUESTED);
    assert!(!at.is_empty());
    until_field(&env.us, SYNC, ".status.lastHandledReconcileAt", &at);
    assert_eq!(field(&env.us, SYNC, APPROVE), "");
}

/// "live status by watch": an event of the hub is told to the pages that are open. Who may not watch is told it too, a
/// moment later.
#[test]
fn a_change_of_the_hub_is_told_to_open_pages() {
    let env = waiting("live");
    for (name, role) in [
        (
            "watcher",
            hub_role(env.us.name()).replace("[get, list]", "[get, list, watch]").replace("hub-reader", "hub-watcher"),
        ),
        ("reader", hub_role(env.us.name())),
    ] {
        let page = Page::of(&Person::with(&env.us, name, &role));
        let overview = page.until("/", "us-to-eu → eu");
        assert!(overview.has("not planned yet") && overview.has("cannot read the Lease"), "{}", overview.body);
        let stream = page.open("GET", "/events?version=0", "", "same-origin");
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        let suspend = |suspend: &str| {
            let patch = format!("{{\"spec\": {{\"suspend\": {suspend}}}}}");
            kubectl(&env.us, &["patch", SYNC, "--type=merge", "--patch", &patch]);
        };
        suspend("true");
        // Each event leads to the page, and one of them to a page that shows the change.
        let is_shown = || page.get("/syncs").has("Resume TenantSync us-to-eu");
        assert!(lines.by_ref().filter(|line| line == "event: changed").any(|_| is_shown()), "{name}");
        suspend("null");
    }
}
