//! The page over 10,000 connections in each of 5 tenants, beside `status` of the same.

mod events;

use crate::files::STABLEKEY;
use crate::report::{Figure, Machine, bytes, time};
use crate::{Outcome, generate, measure, peers};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const TENANTS: usize = 5;
/// With the components and one integration for each ten of them, 10,000 connections.
const DOCUMENTS: usize = 11_020;
const OF_LISTENING: Duration = Duration::from_millis(50);
const OF_STATUS: f64 = 3.0;
const OF_A_VIEW: Duration = Duration::from_millis(20);
const OF_COMPARING: Duration = Duration::from_millis(250);
const OF_MEMORY: f64 = 1.3;
const OF_PAINT: f64 = 2.0;
/// Requests of each view.
const REQUESTS: usize = 100;
/// Changes of a file.
const CHANGES: usize = 5;
/// The longest time that anything is waited for.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs all measurements of the group.
pub fn figures(machine: &mut Machine) -> Outcome<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let root = folder.path();
    write(root)?;
    let command = |arguments: &[&str]| {
        let mut command = Command::new(STABLEKEY);
        command.args(arguments).current_dir(root).env("GIT_CEILING_DIRECTORIES", root);
        command
    };
    // As after an apply; since then some connections of the source changed.
    command(&["apply", "--yes"]).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    change(root, |text| text.replace("id-1", "id-2"))?;
    let exit = command(&["status"]).output()?.status.code().ok_or("status was ended")?;
    let status = (0..3).map(|_| measure::run(&mut command(&["status"]), exit)).collect::<Outcome<Vec<_>>>()?;
    let status = measure::median(status);
    let memory_of_status = measure::memory_of(&command(&["status"]), exit)?;

    let mut page = Page::start(root, &[])?;
    let mut figures = vec![Figure::of_time("the page listens, from its start", page.listened, OF_LISTENING)];
    page.wait_until_shown()?;
    let loaded = page.begin.elapsed();
    let ratio = loaded.as_secs_f64() / status.as_secs_f64();
    let what = format!("it shows {TENANTS} tenants of 10,000 connections, from its start");
    figures.push(Figure::beside(what, time(loaded), format!("status {}", time(status)), ratio, OF_STATUS));
    for (name, path) in views() {
        let mut samples: Vec<Duration> = Vec::new();
        for _ in 0..REQUESTS {
            let begin = Instant::now();
            page.get(&path)?;
            samples.push(begin.elapsed());
        }
        samples.sort_unstable();
        // The worst of a hundred but one.
        let p99 = samples.get(REQUESTS - 2).copied().unwrap_or_default();
        figures.push(Figure::of_time(format!("{name}, p99 of {REQUESTS}"), p99, OF_A_VIEW));
    }
    let (mut comparing, mut shown) = (Vec::new(), Vec::new());
    for number in 0..CHANGES {
        let (first, second) = page.after_change(root, number)?;
        comparing.push(first);
        shown.push(second);
    }
    figures.push(Figure::of_time("a changed file: it says that it compares", measure::median(comparing), OF_COMPARING));
    let (shown, most) = (measure::median(shown), status.mul_f64(OF_STATUS));
    figures.push(Figure::of_time("a changed file: it is shown", shown, most));
    let memory = page.peak_memory()?;
    let ratio = memory as f64 / memory_of_status as f64;
    let beside = format!("status {}", bytes(memory_of_status));
    figures.push(Figure::beside("peak memory, with changes of files", bytes(memory), beside, ratio, OF_MEMORY));
    match paints(&page)? {
        Some((rows, none)) => {
            let ratio = rows.as_secs_f64() / none.as_secs_f64();
            let beside = format!("without rows {}", time(none));
            figures.push(Figure::beside(
                "first paint of the overview in Chromium",
                time(rows),
                beside,
                ratio,
                OF_PAINT,
            ));
        }
        None => machine.left_out("the first paint: there is no Chromium or Node here"),
    }
    page.stop()?;
    match peers::kubectl() {
        Some(_) => figures.extend(events::figures()?),
        None => machine.left_out("events of clusters: go is not here to build a control plane"),
    }
    Ok(figures)
}

fn views() -> Vec<(&'static str, String)> {
    let key = generate::changed_key(3);
    vec![
        ("overview", "/".to_string()),
        ("overview, searched", "/?q=slack".to_string()),
        ("overview, filtered, page 3", "/?show=change&page=3".to_string()),
        ("integrations", "/integrations".to_string()),
        ("components", "/components".to_string()),
        ("a component", "/components?component=slack".to_string()),
        ("a connection", format!("/connection?key={key}")),
        ("an integration", format!("/integration?name={}", generate::integration_name(7))),
        ("plan", "/plan".to_string()),
        ("plan, searched", format!("/plan?q={key}")),
        ("syncs", "/syncs".to_string()),
        ("steps", "/steps".to_string()),
        ("receipts", "/receipts".to_string()),
        ("a new connection", "/new?component=slack".to_string()),
        ("the form of a connection", format!("/set?tenant=t1&key={key}")),
    ]
}

/// Writes the project: a source, and syncs from it to all others.
fn write(root: &Path) -> Outcome<()> {
    let mut tenants = String::new();
    let yaml = generate::yaml(DOCUMENTS)?;
    for number in 1..=TENANTS {
        let name = format!("t{number}");
        let accepts = if number == 1 { "" } else { "\n  acceptFrom: [t1]" };
        writeln!(
            tenants,
            "---\napiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {{name: {name}}}\nspec:\n  location: \
             {{directory: {{path: {name}}}}}{accepts}"
        )?;
        std::fs::create_dir(root.join(&name))?;
        std::fs::write(root.join(&name).join("all.yaml"), &yaml)?;
    }
    tenants.push_str(&sync("Mirror"));
    Ok(std::fs::write(root.join("tenants.yaml"), tenants)?)
}

/// The sync from the first tenant to all others.
fn sync(connections: &str) -> String {
    let to: Vec<String> = (2..=TENANTS).map(|number| format!("t{number}")).collect();
    format!(
        "---\napiVersion: stablekey.dev/v1alpha1\nkind: TenantSync\nmetadata: {{name: from-t1}}\nspec:\n  from: t1\n  to: \
         [{}]\n  integrations: ['*']\n  connections: {connections}\n",
        to.join(", ")
    )
}

/// Changes the file of the source.
fn change(root: &Path, how: impl FnOnce(String) -> String) -> Outcome<()> {
    let path = root.join("t1").join("all.yaml");
    let text = how(std::fs::read_to_string(&path)?);
    Ok(std::fs::write(path, text)?)
}

/// A page that is served.
struct Page {
    process: Child,
    begin: Instant,
    /// How long it took until it printed its address.
    listened: Duration,
    host: String,
    cookie: String,
}

impl Page {
    fn start(root: &Path, environment: &[(&str, &OsStr)]) -> Outcome<Self> {
        let begin = Instant::now();
        let mut command = Command::new(STABLEKEY);
        command.args(["ui"]).current_dir(root).env("GIT_CEILING_DIRECTORIES", root).envs(environment.iter().copied());
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let listened = begin.elapsed();
        let (host, path) = line.trim().trim_start_matches("http://").split_once('/').ok_or("no address")?;
        let mut page = Page { process, begin, listened, host: host.to_string(), cookie: String::new() };
        let more = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
        let reply = page.ask(&format!("/{path}"), more)?;
        let cookie = reply.lines().find_map(|line| line.strip_prefix("set-cookie: ")).ok_or("no cookie")?;
        page.cookie = cookie.split(';').next().unwrap_or_default().to_string();
        Ok(page)
    }

    fn connect(&self, path: &str, more: &str) -> Outcome<TcpStream> {
        let mut stream = TcpStream::connect(&self.host)?;
        stream.set_read_timeout(Some(LIMIT))?;
        let head =
            format!("GET {path} HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nConnection: close\r\n", self.host, self.cookie);
        stream.write_all(format!("{head}{more}\r\n").as_bytes())?;
        Ok(stream)
    }

    fn ask(&self, path: &str, more: &str) -> Outcome<String> {
        let mut reply = Vec::new();
        self.connect(path, more)?.read_to_end(&mut reply)?;
        Ok(String::from_utf8_lossy(&reply).into_owned())
    }

    fn get(&self, path: &str) -> Outcome<String> {
        let reply = self.ask(path, "")?;
        match reply.starts_with("HTTP/1.1 200") {
            true => Ok(reply),
            false => Err(format!("{path}: {}", reply.lines().next().unwrap_or_default()).into()),
        }
    }

    /// Follows the events until one of this name, from a version on. Returns the version that it tells.
    fn wait_for(&self, version: u64, names: &[&str], mut heard: impl FnMut(&str)) -> Outcome<u64> {
        let stream = BufReader::new(self.connect(&format!("/events?version={version}"), "")?);
        let mut name = String::new();
        for line in stream.lines() {
            let line = line?;
            if let Some(event) = line.strip_prefix("event: ") {
                name = event.to_string();
                heard(event);
            } else if let Some(version) = line.strip_prefix("data: ").filter(|_| names.contains(&name.as_str())) {
                return Ok(version.parse()?);
            }
        }
        Err("the stream of events ended".into())
    }

    fn wait_until_shown(&mut self) -> Outcome<()> {
        let mut version = 0;
        while self.get("/")?.contains("<h1>Reading") {
            version = self.wait_for(version, &["changed"], |_| {})?;
        }
        Ok(())
    }

    fn version(&self) -> Outcome<u64> {
        let html = self.get("/syncs")?;
        let version = html.split("data-version=\"").nth(1).and_then(|rest| rest.split('"').next());
        Ok(version.ok_or("no version")?.parse()?)
    }

    /// Changes a file, and returns how long it takes until the page says that it compares, and until it shows the change.
    fn after_change(&self, root: &Path, number: usize) -> Outcome<(Duration, Duration)> {
        let version = self.version()?;
        let title = format!("title: changed {number} times");
        let key = generate::changed_key(5);
        let changed = std::fs::read_to_string(root.join("t1").join("all.yaml"))?;
        let at = changed.find(&format!("name: {key}\n")).ok_or("no such connection")?;
        let (head, rest) = changed.split_at(at);
        let line = rest.lines().find(|line| line.trim_start().starts_with("title:")).ok_or("no title")?;
        let text = format!("{head}{}", rest.replacen(line.trim_start(), &title, 1));
        let begin = Instant::now();
        std::fs::write(root.join("t1").join("all.yaml"), text)?;
        let mut comparing = None;
        self.wait_for(version, &["changed"], |event| {
            if event == "comparing" {
                comparing.get_or_insert_with(|| begin.elapsed());
            }
        })?;
        // On the screen it is when the browser has the page of the connection.
        let mut html = self.get(&format!("/connection?key={key}"))?;
        while !html.contains(&format!("changed {number} times")) {
            let version = self.version()?;
            self.wait_for(version, &["changed"], |_| {})?;
            html = self.get(&format!("/connection?key={key}"))?;
        }
        Ok((comparing.unwrap_or_else(|| begin.elapsed()), begin.elapsed()))
    }

    fn peak_memory(&self) -> Outcome<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib * 1024)
    }

    fn stop(mut self) -> Outcome<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }
}

/// The median times to the first paint of the overview with rows, and without; `None` where there is no browser.
fn paints(page: &Page) -> Outcome<Option<(Duration, Duration)>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../hack/browser");
    let built = Command::new(format!("{folder}/build")).stderr(Stdio::null()).output()?;
    if !built.status.success() {
        return Ok(None);
    }
    let built = String::from_utf8(built.stdout)?;
    let mut lines = built.lines();
    let (modules, chromium) = (lines.next().ok_or("no modules")?, lines.next().ok_or("no Chromium")?);
    let paint = |path: &str| -> Outcome<Duration> {
        let output = Command::new("node")
            .args([&format!("{folder}/paint.mjs"), modules, chromium, &format!("http://{}{path}", page.host)])
            .env("COOKIE", &page.cookie)
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        Ok(Duration::from_secs_f64(text.trim().parse::<f64>()? / 1000.0))
    };
    Ok(Some((paint("/")?, paint("/?q=no-key-has-this")?)))
}
