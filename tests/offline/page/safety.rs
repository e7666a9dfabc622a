//! Who may ask, for what, and what an answer carries.

use super::client::{Answer, request, send};
use super::served::{Served, TYPED};
use stablekey_testing::cli::{example, files, run, said};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};

/// What only a page with a session may hold.
const OF_PROJECT: [&str; 5] = ["salesforce-oauth", "us-prod", "lead-router", "us-to-eu", "tenants.yaml"];

/// The views, each with fields that it takes.
const VIEWS: [&str; 20] = [
    "/",
    "/?q=sales&show=change&tenant=eu-prod&list=integrations&page=1",
    "/components",
    "/components?component=salesforce",
    "/connection?key=salesforce-oauth",
    "/new",
    "/new?tenant=us-prod&component=salesforce",
    "/set?tenant=us-prod&key=salesforce-oauth",
    "/integrations",
    "/integration?name=lead-router&tenant=us-prod",
    "/switch?tenant=us-prod&integration=lead-router&variable=Salesforce+Connection",
    "/what-if?name=lead-router&from=us-prod&to=eu-prod",
    "/plan",
    "/plan.md",
    "/plan.json",
    "/apply",
    "/syncs",
    "/receipts",
    "/steps",
    "/problems",
];

/// The forms.
const FORMS: [&str; 10] =
    ["/read", "/new", "/set", "/switch", "/keep", "/suspend", "/write", "/apply", "/revert", "/stop"];

fn says_nothing_of_the_project(answer: &Answer) {
    for word in OF_PROJECT {
        assert!(!answer.bytes().contains(word), "{word} in {}", answer.bytes());
    }
}

#[test]
fn only_names_of_this_machine_are_answered() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let ask = |hosts: &[&str], target: &str| {
        let mut headers: Vec<(&str, &str)> = hosts.iter().map(|host| ("Host", *host)).collect();
        headers.push(("Cookie", &served.cookie));
        send(served.port, &request("GET", target, &headers, None))
    };
    let own = served.host();
    for host in [own.as_str(), "localhost", "LocalHost:80", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:65535"] {
        assert_eq!(ask(&[host], "/").status, 200, "{host}");
    }
    let rebound = format!("evil.test:{}", served.port);
    for host in [
        rebound.as_str(),
        "",
        "evil.test",
        "localhost.evil.test",
        "evil.test.localhost",
        "localhost.",
        "127.0.0.1.evil.test",
        "127.0.0.1.",
        "127.0.0.2",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0.0.0.0",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::1%lo]",
        "[::ffff:127.0.0.1]",
        "::1",
        "localhost:",
        "localhost:80:80",
        "localhost:-1",
        "localhost:123456",
        "localhost:80@evil.test",
        "evil.test#localhost",
        "user@localhost",
        "localhost,evil.test",
        "localhost evil.test",
        "localhost/evil",
        "http://localhost",
    ] {
        // An empty port is the same as none.
        let expected: &[u16] = if host == "localhost:" { &[200] } else { &[421, 400] };
        for target in ["/", "/plan.json", "/page.js", &format!("/?code={}", served.code()), "/events"] {
            if host == "localhost:" && target != "/" {
                continue;
            }
            let answer = ask(&[host], target);
            assert!(expected.contains(&answer.status), "{host} {target}: {}", answer.bytes());
            if answer.status != 200 {
                says_nothing_of_the_project(&answer);
            }
        }
    }
    for hosts in [&[][..], &["localhost", "evil.test"], &["evil.test", "localhost"], &["localhost", "localhost"]] {
        let answer = ask(hosts, "/");
        assert!([400, 421].contains(&answer.status), "{hosts:?}: {}", answer.bytes());
        says_nothing_of_the_project(&answer);
    }
    // A target with a name of its own is for a proxy: that name counts as well.
    for target in ["http://evil.test/", "http://localhost.evil.test/plan.json", "https://evil.test/"] {
        let answer = ask(&[&own], target);
        assert!([400, 421].contains(&answer.status), "{target}: {}", answer.bytes());
        says_nothing_of_the_project(&answer);
    }
}

#[test]
fn forms_come_from_a_page_of_the_same_host() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let before = files(root.path());
    let own = format!("http://{}", served.host());
    let (other_port, other_scheme) =
        (format!("http://127.0.0.1:{}", served.port ^ 1), format!("https://{}", served.host()));
    let other_name = format!("http://localhost:{}", served.port);
    let ask = |target: &str, headers: &[(&str, &str)]| {
        let all = [&[("Cookie", served.cookie.as_str())], headers].concat();
        let body = format!("token={}&tenant=eu-prod&suspend=on&back=/syncs", served.token);
        served.send("POST", target, &all, Some(&body))
    };
    let refused: [&[(&str, &str)]; 13] = [
        &[],
        &[("Sec-Fetch-Site", "same-origin")],
        &[("Origin", "null")],
        &[("Origin", "")],
        &[("Origin", "http://evil.test")],
        &[("Origin", &other_port), ("Sec-Fetch-Site", "same-site")],
        &[("Origin", &other_scheme)],
        &[("Origin", &other_name)],
        &[("Origin", &own), ("Sec-Fetch-Site", "same-site")],
        &[("Origin", &own), ("Sec-Fetch-Site", "cross-site")],
        &[("Origin", &own), ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")],
        &[("Origin", &own), ("Sec-Fetch-Site", "none")],
        &[("Origin", &own), ("Origin", "http://evil.test")],
    ];
    for headers in refused {
        for form in FORMS {
            let answer = ask(form, headers);
            assert_eq!(answer.status, 403, "{form} {headers:?}: {}", answer.bytes());
            says_nothing_of_the_project(&answer);
        }
    }
    assert_eq!(ask("/suspend", &[("Origin", &own), ("Sec-Fetch-Site", "same-origin")]).status, 200);
    // Browsers without these headers send Origin with each form.
    assert_eq!(ask("/suspend", &[("Origin", &own)]).status, 200);
    // The same page by another name or forward.
    let forwarded = [("Host", "localhost:9999"), ("Origin", "http://localhost:9999"), ("Cookie", &served.cookie)];
    let body = format!("token={}&tenant=eu-prod&suspend=on", served.token);
    assert_eq!(send(served.port, &request("POST", "/suspend", &forwarded, Some(&body))).status, 200);
    assert_eq!(files(root.path()), before);
}

#[test]
fn what_other_pages_embed_is_refused() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let ask = |target: &str, headers: &[(&str, &str)]| {
        served.send("GET", target, &[&[("Cookie", served.cookie.as_str())], headers].concat(), None)
    };
    for site in ["cross-site", "same-site"] {
        for (mode, destination) in
            [("no-cors", "script"), ("no-cors", "image"), ("cors", "empty"), ("websocket", "websocket")]
        {
            for view in VIEWS.iter().chain(&["/page.css", "/page.js", "/icon.svg", "/events"]) {
                let answer =
                    ask(view, &[("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", mode), ("Sec-Fetch-Dest", destination)]);
                assert_eq!(answer.status, 403, "{view} {site} {mode}");
                says_nothing_of_the_project(&answer);
            }
        }
    }
    // Even by whoever forges nothing but Origin.
    for origin in ["http://evil.test", "null", "https://localhost"] {
        assert_eq!(ask("/plan.json", &[("Origin", origin)]).status, 403, "{origin}");
    }
}

#[test]
fn a_code_lets_one_navigation_in() {
    let root = example("us-eu");
    let mut served = Served::start(root.path());
    let with = |served: &Served, code: &str, headers: &[(&str, &str)]| {
        served.send("GET", &format!("/?code={code}"), headers, None)
    };
    let first = served.code().to_string();
    assert!(first.len() >= 32, "{first}");
    // A preview, a prefetch, a script and a program do not use it up.
    let others: [&[(&str, &str)]; 7] = [
        &[],
        &[("Sec-Fetch-Mode", "navigate")],
        &[("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "document")],
        &[("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe")],
        &[("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"), ("Sec-Purpose", "prefetch;prerender")],
        &[("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"), ("Purpose", "prefetch")],
        &[("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"), ("Sec-Purpose", "prefetch")],
    ];
    for headers in others {
        let answer = with(&served, &first, headers);
        assert_eq!((answer.status, answer.all("set-cookie").len()), (403, 0), "{headers:?}");
    }
    for method in ["POST", "HEAD", "PUT"] {
        let answer = served.send(method, &format!("/?code={first}"), &TYPED, Some(""));
        assert!(answer.status >= 400 && answer.all("set-cookie").is_empty(), "{method}");
    }
    let flipped: String =
        first.chars().map(|one| if one.is_ascii_lowercase() { one.to_ascii_uppercase() } else { one }).collect();
    for wrong in [
        "",
        "x",
        &first[1..],
        &format!("{first}x"),
        &format!("{first}%00"),
        &format!("+{first}"),
        &flipped,
        &format!("{first}&code={first}"),
        &format!("x&code={first}"),
        &format!("{first}&code=x"),
    ] {
        let answer = with(&served, wrong, &TYPED);
        assert_eq!((answer.status, answer.all("set-cookie").len()), (401, 0), "{wrong}");
        says_nothing_of_the_project(&answer);
    }
    // Only at the root.
    let answer = served.send("GET", &format!("/plan?code={first}"), &TYPED, None);
    assert_eq!((answer.status, answer.all("set-cookie").len()), (401, 0));
    // A new one voids it.
    served.press_enter();
    assert_ne!(served.code(), first);
    assert_eq!(with(&served, &first, &TYPED).status, 401);
    let second = served.code().to_string();
    let opened = served.exchange();
    assert_eq!(opened.status, 200);
    assert!(opened.header("location").is_none(), "a redirect would lose a strict cookie");
    assert!(opened.body.contains("http-equiv=\"refresh\" content=\"0;url=/\""), "{}", opened.body);
    says_nothing_of_the_project(&opened);
    let again = with(&served, &second, &TYPED);
    assert_eq!((again.status, again.all("set-cookie").len()), (401, 0));
    // The session stays when another address is printed and opened.
    let cookie = served.cookie.clone();
    served.press_enter();
    served.exchange();
    assert_ne!(cookie, served.cookie);
    let old = served.send("GET", "/", &[("Cookie", &cookie)], None);
    assert_eq!(old.status, 200);
}

#[test]
fn the_cookie_is_the_session_of_one_port() {
    let root = example("us-eu");
    let mut served = Served::start(root.path());
    let opened = served.exchange();
    let set = opened.header("set-cookie").unwrap();
    let parts: Vec<&str> = set.split("; ").collect();
    assert_eq!(parts[1..], ["HttpOnly", "SameSite=Strict", "Path=/"], "{set}");
    let (name, value) = parts[0].split_once('=').unwrap();
    assert_eq!(name, format!("stablekey-{}", served.port));
    assert!(value.len() >= 32 && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    assert_ne!(value, served.code());
    let status = |cookie: &str| served.send("GET", "/", &[("Cookie", cookie)], None).status;
    assert_eq!(status(&served.cookie), 200);
    // Beside those of other servers of this machine.
    assert_eq!(status(&format!("_xsrf=1; stablekey-1=x; {}; {name}=old", served.cookie)), 200);
    assert_eq!(served.send("GET", "/", &[("Cookie", "a=b"), ("Cookie", &served.cookie)], None).status, 200);
    for wrong in [
        String::new(),
        value.to_string(),
        format!("{name}="),
        format!("{name}=\"{value}\""),
        format!("{name}={}", &value[1..]),
        format!("{name}={value}x"),
        format!("stablekey-{}={value}", served.port ^ 1),
        format!("Stablekey-{}={value}", served.port),
        format!("x{name}={value}"),
        format!("{name}, {name}={value}"),
    ] {
        assert_eq!(status(&wrong), 401, "{wrong}");
    }
    // Another page of the same machine does not know it.
    let other = Served::start(root.path());
    assert_eq!(other.send("GET", "/", &[("Cookie", &served.cookie)], None).status, 401);
    let renamed = served.cookie.replace(&served.port.to_string(), &other.port.to_string());
    assert_eq!(other.send("GET", "/", &[("Cookie", &renamed)], None).status, 401);
    // No answer sets another one.
    for view in VIEWS {
        assert!(served.get(view).all("set-cookie").is_empty(), "{view}");
    }
}

#[test]
fn nobody_without_a_session_learns_anything() {
    let root = example("us-eu");
    let mut served = Served::start(root.path());
    let before = files(root.path());
    let own = format!("http://{}", served.host());
    for view in VIEWS.iter().chain(&["/events", "/events?version=0", "/nothing", "/../tenants.yaml", "/revert"]) {
        let answer = served.send("GET", view, &TYPED, None);
        assert_eq!(answer.status, 401, "{view}: {}", answer.bytes());
        says_nothing_of_the_project(&answer);
    }
    for form in FORMS.iter().chain(&["/nothing"]) {
        let answer = served.send("POST", form, &[("Origin", &own)], Some("token=&tenant=eu-prod&suspend=on"));
        assert_eq!(answer.status, 401, "{form}: {}", answer.bytes());
        says_nothing_of_the_project(&answer);
    }
    // The style, the script and the icon are the program's own.
    for (file, kind) in [("/page.css", "text/css"), ("/page.js", "text/javascript"), ("/icon.svg", "image/svg+xml")] {
        let answer = served.send("GET", file, &[], None);
        assert_eq!(answer.status, 200);
        assert!(answer.header("content-type").unwrap().starts_with(kind));
        says_nothing_of_the_project(&answer);
    }
    assert_eq!(files(root.path()), before);
    let lines = served.said().lines().count();
    assert_eq!(lines, 1, "refused requests are not worth a line: {}", served.said());
    served.exchange();
}

#[test]
fn each_form_has_the_token_of_its_session() {
    let root = example("us-eu");
    let mut served = Served::open(root.path());
    let before = files(root.path());
    let fields = "tenant=eu-prod&suspend=on&back=/syncs";
    let of_first = served.token.clone();
    let mut bodies = vec![
        fields.to_string(),
        format!("token=&{fields}"),
        format!("token={}x&{fields}", served.token),
        format!("token={}&{fields}", &served.token[1..]),
        format!("token={0}&token={0}&{fields}", served.token),
        format!("token=x&token={}&{fields}", served.token),
        format!("Token={}&{fields}", served.token),
        format!("token={}&{fields}", served.cookie.split_once('=').unwrap().1),
    ];
    // A second session has a token of its own.
    served.press_enter();
    served = served.opened();
    assert_ne!(served.token, of_first);
    bodies.push(format!("token={of_first}&{fields}"));
    for body in &bodies {
        for form in FORMS {
            let answer = served.post_body(form, body);
            assert_eq!(answer.status, 403, "{form} {body}: {}", answer.bytes());
        }
    }
    assert_eq!(files(root.path()), before);
    // In the address it counts for nothing.
    let answer = served.post_body(&format!("/suspend?token={}&{fields}", served.token), "");
    assert_eq!(answer.status, 403);
    assert_eq!(served.post_body("/suspend", &format!("token={}&{fields}", served.token)).status, 200);
}

#[test]
fn a_field_that_is_there_twice_changes_nothing() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let before = files(root.path());
    let doubled = [
        ("/suspend", "tenant=eu-prod&tenant=us-prod&suspend=on"),
        ("/suspend", "tenant=eu-prod&suspend=on&suspend=off"),
        ("/write", "kind=suspend&kind=set&tenant=eu-prod&suspend=on&digest=x"),
        ("/write", "kind=suspend&tenant=eu-prod&suspend=on&digest=x&digest=y"),
        ("/apply", "what=all&digest=x&what=rest"),
        ("/set", "tenant=us-prod&key=warehouse&in.host=a&in.host=b"),
        ("/read", "back=/&back=/plan"),
    ];
    for (form, fields) in doubled {
        let answer = served.post_body(form, &format!("token={}&{fields}", served.token));
        assert_eq!(answer.status, 400, "{form} {fields}: {}", answer.bytes());
        assert!(answer.body.contains("was sent twice"), "{}", answer.body);
    }
    assert_eq!(files(root.path()), before);
}

#[test]
fn reading_an_address_changes_nothing() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let before = files(root.path());
    let digest = served.get("/plan").hidden("digest").remove(0);
    let token = &served.token;
    for target in VIEWS.map(str::to_string).into_iter().chain([
        format!("/apply?token={token}&what=all&approve=on&digest={digest}"),
        format!("/suspend?token={token}&tenant=eu-prod&suspend=on"),
        format!("/write?token={token}&kind=suspend&tenant=eu-prod&suspend=on&digest=x"),
        format!("/keep?token={token}&tenant=us-prod&object=Connection/warehouse&field=inputs.host&reason=x"),
        format!("/revert?token={token}&tenant=us-prod&object=Connection/warehouse&digest={digest}&what=all"),
        format!("/stop?token={token}"),
        format!("/read?token={token}&back=/plan"),
        format!("/set?token={token}&tenant=us-prod&key=warehouse&part=embedded&embedded=on"),
        format!("/switch?token={token}&tenant=us-prod&integration=lead-router&variable=Slack&to=slack-bot"),
        format!("/new?token={token}&tenant=us-prod&component=salesforce&type=oauth2&key=new-one&values=1"),
    ]) {
        let answer = served.get(&target);
        assert!([200, 400, 404, 409].contains(&answer.status), "{target}: {}", answer.bytes());
        assert!(answer.header("location").is_none());
    }
    assert_eq!(files(root.path()), before);
    assert!(served.get("/apply").body.contains("No apply yet"));
}

#[test]
fn every_answer_keeps_the_page_to_itself() {
    let root = example("us-eu");
    let mut served = Served::open(root.path());
    let own = format!("http://{}", served.host());
    let mut answers: Vec<(String, Answer)> = VIEWS.iter().map(|view| ((*view).to_string(), served.get(view))).collect();
    let mut add = |name: &str, status: u16, answer: Answer| {
        assert_eq!(answer.status, status, "{name}: {}", answer.bytes());
        answers.push((name.to_string(), answer));
    };
    let large = format!("token={}&x={}", served.token, "x".repeat(1_000_001));
    add("not found", 404, served.get("/nothing"));
    add("no such connection", 404, served.get("/connection?key=nothing"));
    add("no session", 401, served.send("GET", "/", &[], None));
    add("another host", 421, send(served.port, &request("GET", "/", &[("Host", "evil.test")], None)));
    add("another page", 403, served.send("POST", "/apply", &[("Origin", "null")], Some("")));
    add("an old form", 403, served.post_body("/apply", "token=x"));
    add("twice", 400, served.post("/read", &[("a", "1"), ("a", "2")]));
    add("no such form", 404, served.post("/nothing", &[]));
    add("too large", 413, served.post_body("/apply", &large));
    add("method", 405, served.send("DELETE", "/", &[("Cookie", &served.cookie), ("Origin", &own)], None));
    add("leads on", 303, served.post("/read", &[("back", "/plan")]));
    add("a review", 200, served.post("/suspend", &[("tenant", "eu-prod"), ("suspend", "on")]));
    add("not possible", 409, served.post("/suspend", &[("tenant", "nothing"), ("suspend", "on")]));
    add("style", 200, served.get("/page.css"));
    add("script", 200, served.get("/page.js"));
    add("icon", 200, served.get("/icon.svg"));
    add("a wrong code", 401, served.send("GET", "/?code=x", &TYPED, None));
    add("no navigation", 403, served.send("GET", "/?code=x", &[], None));
    served.press_enter();
    let welcome = served.exchange();
    answers.push(("welcome".to_string(), welcome));
    let mut stream = served.events("unknown");
    stream.next();
    let head = stream.received.to_lowercase();
    for (name, answer) in &answers {
        let is = |header: &str, value: &str| assert_eq!(answer.header(header), Some(value), "{header} of {name}");
        let policy = answer.header("content-security-policy").unwrap_or_else(|| panic!("{name}"));
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "img-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.split("; ").any(|one| one == part), "{part} of {name}: {policy}");
        }
        is("x-content-type-options", "nosniff");
        is("referrer-policy", "same-origin");
        is("x-frame-options", "DENY");
        is("cross-origin-opener-policy", "same-origin");
        is("cross-origin-resource-policy", "same-origin");
        let is_file = ["style", "script", "icon"].contains(&name.as_str());
        is("cache-control", if is_file { "no-cache" } else { "no-store" });
        for header in ["access-control-allow-origin", "server", "x-powered-by"] {
            assert_eq!(answer.header(header), None, "{header} of {name}");
        }
        // What the policy forbids, the page does not try; and it names no port, so that forwards work.
        for text in ["style=\"", "<style", "javascript:", " onclick", "://127.0.0.1", "://localhost", "://[::1]"] {
            assert!(!answer.body.contains(text), "{text} in {name}");
        }
        assert!(!answer.bytes().contains(&format!(":{}", served.port)), "{name} names the port");
        for tag in ["<script", "<link rel=\"stylesheet\""] {
            for (at, _) in answer.body.match_indices(tag) {
                let tag = &answer.body[at..at + answer.body[at..].find('>').unwrap()];
                assert!(tag.contains("=\"/page."), "{tag} in {name}");
            }
        }
    }
    for part in ["content-security-policy: default-src 'none'", "text/event-stream", "cache-control: no-store"] {
        assert!(head.contains(part), "{part} of the stream: {head}");
    }
    let found = |name: &str| &answers.iter().find(|(other, _)| other == name).unwrap().1;
    assert_eq!(found("method").header("allow"), Some("GET, HEAD, POST"));
    assert_eq!(found("leads on").header("location"), Some("/plan"));
}

#[test]
fn the_head_of_a_page_is_that_of_the_page_without_its_body() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let cookie = [("Cookie", served.cookie.as_str())];
    for target in ["/", "/plan.json", "/page.js", "/connection?key=warehouse", "/connection?key=nothing"] {
        let (head, page) = (served.send("HEAD", target, &cookie, None), served.send("GET", target, &cookie, None));
        assert_eq!((head.status, head.body.as_str()), (page.status, ""), "{target}");
        assert_eq!(head.header("content-type"), page.header("content-type"), "{target}");
    }
    assert_eq!(served.send("HEAD", "/", &[], None).status, 401);
    assert_eq!(served.send("HEAD", "/", &[("Origin", "http://evil.test")], None).status, 403);
}

#[test]
fn an_address_that_asks_twice_or_for_what_is_not_there_is_refused() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    for (target, status, says) in [
        ("/?tenant=eu-prod&tenant=us-prod", 400, "has tenant twice"),
        ("/plan?q=a&q=b", 400, "has q twice"),
        ("/?tenant=eu-prd", 404, "Did you mean eu-prod"),
        ("/integrations?tenant=eu-prd", 404, "Did you mean eu-prod"),
        ("/plan?tenant=eu-prd", 404, "Did you mean eu-prod"),
        ("/integration?name=lead-router&tenant=eu-prd", 404, "Did you mean eu-prod"),
        ("/?show=aprove", 400, "Did you mean approve"),
        ("/plan?show=nothing", 400, "There is no state nothing"),
        ("/?list=integration", 400, "Did you mean integrations"),
        ("/connection?key=warehouse&show=al", 400, "There is no choice al"),
        ("/set?tenant=us-prod&key=warehouse&part=tests", 400, "Did you mean test"),
        ("/set?tenant=us-prd&key=warehouse", 404, "Did you mean us-prod"),
        ("/set?tenant=us-prod&key=warehous", 404, "Did you mean warehouse"),
        ("/new?tenant=us-prd", 404, "Did you mean us-prod"),
        ("/steps?who=platform-tem", 404, "Did you mean platform team"),
        ("/switch?tenant=us-prod&integration=lead-router&step=a&variable=b", 400, "names a step and a variable"),
        ("/switch?tenant=us-prod&integration=lead-routr&variable=Salesforce", 404, "Did you mean lead-router"),
        (
            "/switch?tenant=us-prod&integration=lead-router&variable=Salesforce",
            404,
            "Did you mean Salesforce Connection",
        ),
        ("/what-if?name=lead-router&from=us-prod&to=us-prod", 400, "is the tenant that it comes from"),
        ("/what-if?name=lead-routr&from=us-prod&to=eu-prod", 404, "Did you mean lead-router"),
        ("/revert?tenant=eu-prd&object=Connection/warehouse", 404, "Did you mean eu-prod"),
        ("/revert?tenant=eu-prod&object=Conection/warehouse", 404, "Connection"),
        ("/revert?tenant=eu-prod&object=Connection/warehose", 404, "Did you mean warehouse"),
        ("/revert?tenant=eu-prod&object=Connection/warehouse&field=inputs.hst", 409, "did you mean inputs.host?"),
        ("/keep?tenant=eu-prod&object=Connection/warehose", 404, "Did you mean warehouse"),
    ] {
        let answer = served.get(target);
        assert_eq!(answer.status, status, "{target}: {}", answer.words());
        assert!(answer.words().contains(says), "{target}: {}", answer.words());
    }
    for right in
        ["/?tenant=eu-prod&show=change&list=connections", "/?tenant=&show=&q=", "/connection?key=warehouse&show="]
    {
        assert_eq!(served.get(right).status, 200, "{right}");
    }
}

#[test]
fn other_methods_are_refused() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let before = files(root.path());
    let own = format!("http://{}", served.host());
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "POSTS"] {
        for target in ["/", "/apply", "/plan.json", "/events", "/page.js"] {
            let body = (method != "TRACE").then_some("");
            let headers = [("Cookie", served.cookie.as_str()), ("Origin", &own)];
            let answer = served.send(method, target, &headers, body);
            assert_eq!(answer.status, 405, "{method} {target}: {}", answer.bytes());
            assert!(answer.header("access-control-allow-methods").is_none());
            says_nothing_of_the_project(&answer);
        }
    }
    assert_eq!(files(root.path()), before);
}

#[test]
fn paths_are_taken_as_they_are() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    for path in [
        "/tenants.yaml",
        "/../tenants.yaml",
        "/..%2ftenants.yaml",
        "/%2e%2e/tenants.yaml",
        "/./plan",
        "/plan/",
        "/plan/../problems",
        "//plan",
        "//evil.test/plan",
        "/page.css/../plan",
        "/PLAN",
        "/plan%00",
        "/plan;x",
        "/%70lan",
        "/etc/passwd",
        "/page.js.map",
        "/.git/config",
        "/\u{202e}nalp",
    ] {
        let answer = served.get(path);
        assert!([400, 404].contains(&answer.status), "{path}: {}", answer.bytes());
        assert!(!answer.body.contains("kind: Tenant"), "{path}");
        assert!(answer.header("location").is_none());
    }
    // It is shown, and is no HTML.
    let answer = served.get("/<script>alert(1)</script>");
    assert!(!answer.body.contains("<script>alert"), "{}", answer.body);
    let answer = served.get("/x?y=\"><script>alert(1)</script>");
    assert!(!answer.body.contains("<script>alert"), "{}", answer.body);
}

#[test]
fn forms_lead_back_into_the_page_only() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    for (back, to) in [
        ("/plan", "/plan"),
        ("/connection?key=a%2Fb", "/connection?key=a%2Fb"),
        ("", "/"),
        ("plan", "/"),
        ("//evil.test", "/"),
        ("///evil.test", "/"),
        ("/\\evil.test", "/"),
        ("/\t/evil.test", "/"),
        ("\t//evil.test", "/"),
        ("https://evil.test", "/"),
        ("javascript:alert(1)", "/"),
        ("/plan\r\nSet-Cookie: a=b", "/"),
        ("/plan\u{202e}", "/"),
        (" //evil.test", "/"),
        ("/é", "/"),
    ] {
        let answer = served.post("/read", &[("back", back)]);
        assert_eq!((answer.status, answer.header("location")), (303, Some(to)), "{back:?}");
        let review = served.post("/suspend", &[("tenant", "eu-prod"), ("suspend", "on"), ("back", back)]);
        let links: Vec<&str> = review.body.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(
            links.iter().all(|link| link.starts_with('/') && !link.starts_with("//") || link.starts_with('#')),
            "{links:?}"
        );
    }
}

#[test]
fn large_forms_are_refused() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    for size in [1_000_001, 5_000_000] {
        let answer = served.post_body("/suspend", &format!("token={}&x={}", served.token, "x".repeat(size)));
        assert_eq!(answer.status, 413, "{size}");
    }
    // Many fields are no burden either.
    let many: String = (0..60_000).map(|at| format!("&f{at}=1")).collect();
    let answer = served.post_body("/suspend", &format!("token={}&tenant=eu-prod&suspend=on{many}", served.token));
    assert_eq!(answer.status, 200, "{}", answer.status);
    // Long addresses and heads end with a refusal, and the page goes on.
    let long = format!("/?q={}", "x".repeat(200_000));
    assert!([200, 400, 414, 431].contains(&served.get(&long).status));
    assert_eq!(served.get("/plan").status, 200);
}

#[test]
fn garbage_ends_nothing() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    for bytes in [
        &b"\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n",
        b"POST /apply HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\nConnection: close\r\n\r\nabcde",
        b"POST /apply HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, served.port)).unwrap();
        // The server may have refused it and closed before this is done.
        let _ = std::io::Write::write_all(&mut socket, bytes);
        let _ = socket.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = std::io::Read::read_to_end(&mut socket, &mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.0 4"), "{answer}");
        for word in OF_PROJECT {
            assert!(!answer.contains(word), "{answer}");
        }
    }
    let old = send(served.port, format!("GET / HTTP/1.0\r\nCookie: {}\r\n\r\n", served.cookie).as_bytes());
    assert_eq!(old.status, 421, "HTTP/1.0 needs a host too");
    assert_eq!(served.get("/plan").status, 200);
}

#[test]
fn the_stream_says_that_something_changed_and_nothing_else() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let mut events = served.events("unknown");
    events.next().unwrap();
    served.post("/read", &[("back", "/")]);
    while events.next().unwrap() != "changed" {}
    for word in OF_PROJECT {
        assert!(!events.received.contains(word), "{}", events.received);
    }
}

#[test]
fn it_listens_on_loopback_and_no_option_changes_that() {
    let root = example("us-eu");
    let served = Served::start(root.path());
    assert!(served.address.starts_with("http://127.0.0.1:"), "{}", served.address);
    // Addresses of this machine: one by which it reaches others, and another one of loopback.
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let outer = socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()).map(|address| address.ip()).ok();
    let others = outer.into_iter().filter(|address| !address.is_loopback());
    for address in others.chain(["127.0.0.2".parse().unwrap(), "::1".parse().unwrap()]) {
        assert!(TcpStream::connect((address, served.port)).is_err(), "{address}");
    }
    for option in ["--host", "--bind", "--address", "--listen", "--listen-address", "--open", "--no-token", "--public"]
    {
        let output = run(root.path(), &["ui", option, "0.0.0.0"]);
        assert!(said(&output).contains("unexpected argument"), "{option}: {}", said(&output));
    }
    for port in ["0.0.0.0:8700", "[::]:0", "-1", "65536"] {
        let output = run(root.path(), &["ui", &format!("--port={port}")]);
        assert!(said(&output).contains("invalid value"), "{port}: {}", said(&output));
    }
    // A port that is taken is said.
    let output = run(root.path(), &["ui", "--port", &served.port.to_string()]);
    assert_ne!(output.status.code(), Some(0));
    assert!(said(&output).contains(&format!("127.0.0.1:{} cannot be used", served.port)), "{}", said(&output));
}

#[test]
fn an_interrupt_ends_it_with_streams_open() {
    let root = example("us-eu");
    let mut served = Served::open(root.path());
    let mut streams: Vec<_> = (0..10).map(|_| served.events("unknown")).collect();
    for stream in &mut streams {
        stream.next().unwrap();
    }
    // Ten tabs stay usable.
    assert_eq!(served.get("/plan").status, 200);
    assert_eq!(served.interrupt(), Some(0));
    for stream in &mut streams {
        while stream.next().is_some() {}
    }
}
