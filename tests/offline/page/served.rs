//! `stablekey ui` over a folder, with a browser's session.

use super::client::{Answer, Events, Form, request, send};
use stablekey_testing::cli::stablekey;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

/// The longest wait for something that happens by itself.
const LONGEST: Duration = Duration::from_secs(40);

/// The page, from its start to its end.
pub(super) struct Served {
    child: Child,
    stdin: ChildStdin,
    addresses: mpsc::Receiver<String>,
    said: Arc<Mutex<String>>,
    pub(super) port: u16,
    /// The address that was printed last.
    pub(super) address: String,
    /// The cookie, as a browser sends it.
    pub(super) cookie: String,
    /// The token of its forms.
    pub(super) token: String,
}

/// The headers of a browser that follows an address which a person typed.
pub(super) const TYPED: [(&str, &str); 3] =
    [("Sec-Fetch-Site", "none"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")];

/// Fields of a form with another value in one of them.
pub(super) fn typed_into<'f>(fields: &[(&'f str, &'f str)], field: &'f str, value: &'f str) -> Vec<(&'f str, &'f str)> {
    fields.iter().filter(|(name, _)| *name != field).copied().chain([(field, value)]).collect()
}

impl Served {
    /// Starts the page; nobody has a session.
    pub(super) fn start(root: &Path) -> Self {
        Served::start_with(stablekey(root, &["ui"]))
    }

    /// Starts the page by a command.
    pub(super) fn start_with(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (send_line, addresses) = mpsc::channel();
        follow(child.stdout.take().unwrap(), Arc::clone(&said), Some(send_line));
        follow(child.stderr.take().unwrap(), Arc::clone(&said), None);
        let stdin = child.stdin.take().unwrap();
        let (address, port) = (String::new(), 0);
        let (cookie, token) = (String::new(), String::new());
        let mut served = Served { child, stdin, addresses, said, port, address, cookie, token };
        served.next_address();
        served.port = served.address.split(['/', ':']).nth(4).unwrap().parse().unwrap();
        served
    }

    /// Starts the page, opens it, and waits until everything is read.
    pub(super) fn open(root: &Path) -> Self {
        Served::opened(Served::start(root))
    }

    /// Opens it, and waits until everything is read.
    pub(super) fn opened(mut self) -> Self {
        self.exchange();
        self.wait_until(|served| !served.get("/").body.contains("<h1>Reading"));
        // Every project has a tenant, which may be suspended.
        self.token = self.get("/syncs").hidden("token").first().cloned().unwrap_or_default();
        self
    }

    /// Waits for the next address that is printed.
    pub(super) fn next_address(&mut self) {
        self.address = self.addresses.recv().unwrap_or_else(|_| panic!("no address: {}", self.said()));
    }

    /// Presses Enter in the terminal, and takes the new address.
    pub(super) fn press_enter(&mut self) {
        self.stdin.write_all(b"\n").unwrap();
        self.stdin.flush().unwrap();
        self.next_address();
    }

    /// The code of the address.
    pub(super) fn code(&self) -> &str {
        self.address.split_once("code=").unwrap().1
    }

    /// Exchanges the code for a session, as a browser does.
    pub(super) fn exchange(&mut self) -> Answer {
        let answer = self.send("GET", &format!("/?code={}", self.code()), &TYPED, None);
        assert_eq!(answer.status, 200, "{}", answer.bytes());
        self.cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_string();
        answer
    }

    /// The page's own host.
    pub(super) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Sends a request with its own host, and these headers.
    pub(super) fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: Option<&str>) -> Answer {
        let host = self.host();
        let all: Vec<(&str, &str)> = [("Host", host.as_str())].into_iter().chain(headers.iter().copied()).collect();
        send(self.port, &request(method, target, &all, body))
    }

    /// Fetches a page as the browser with the session does.
    pub(super) fn get(&self, target: &str) -> Answer {
        self.send(
            "GET",
            target,
            &[&TYPED[1..], &[("Sec-Fetch-Site", "same-origin"), ("Cookie", &self.cookie)]].concat(),
            None,
        )
    }

    /// Sends a form as the browser with the session does.
    pub(super) fn post(&self, target: &str, fields: &[(&str, &str)]) -> Answer {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.append_pair("token", &self.token);
        for (name, value) in fields {
            body.append_pair(name, value);
        }
        self.post_body(target, &body.finish())
    }

    /// Sends a form that was read.
    pub(super) fn submit(&self, form: &Form) -> Answer {
        let mut body = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &form.fields {
            body.append_pair(name, value);
        }
        self.post_body(&form.action, &body.finish())
    }

    /// Sends the form that writes what was reviewed, and follows where it leads.
    pub(super) fn write(&self, review: &Answer) -> Answer {
        let form = review.form("/write").unwrap_or_else(|| panic!("nothing to write: {}", review.words()));
        let written = self.submit(&form);
        assert_eq!(written.status, 303, "{}", written.words());
        self.get(written.header("location").unwrap())
    }

    /// Sends a body as a form of the session.
    pub(super) fn post_body(&self, target: &str, body: &str) -> Answer {
        let origin = format!("http://{}", self.host());
        let headers = [
            ("Origin", origin.as_str()),
            ("Sec-Fetch-Site", "same-origin"),
            ("Sec-Fetch-Mode", "navigate"),
            ("Cookie", &self.cookie),
        ];
        self.send("POST", target, &headers, Some(body))
    }

    /// The stream of events of a page that shows this version.
    pub(super) fn events(&self, version: &str) -> Events {
        let host = self.host();
        let headers = [("Host", host.as_str()), ("Sec-Fetch-Site", "same-origin"), ("Cookie", &self.cookie)];
        Events::open(self.port, &request("GET", &format!("/events?version={version}"), &headers, None))
    }

    /// Looks again at each event until something holds.
    pub(super) fn wait_until(&self, holds: impl Fn(&Self) -> bool) {
        // Every version is announced, from the first on.
        let mut events = self.events("unknown");
        let begin = Instant::now();
        while !holds(self) {
            assert!(begin.elapsed() < LONGEST, "it never holds");
            events.next().unwrap_or_else(|| panic!("the page ended: {}", self.said()));
        }
    }

    /// All that was printed so far, on both streams.
    pub(super) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Ends the page as Ctrl-C does, and returns how it ended.
    pub(super) fn interrupt(&mut self) -> Option<i32> {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn follow(from: impl Read + Send + 'static, said: Arc<Mutex<String>>, lines: Option<mpsc::Sender<String>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            said.lock().unwrap().push_str(&format!("{line}\n"));
            if let Some(lines) = &lines {
                let _ = lines.send(line);
            }
        }
    });
}
