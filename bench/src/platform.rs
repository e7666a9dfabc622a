//! A plan against an organization of the platform: how many questions it asks, and how long it waits for the answers
//! beside a plain client.

use crate::files::STABLEKEY;
use crate::report::{Figure, Machine, time};
use crate::{Outcome, measure};
use stablekey_platform::{Platform, Request, Server, seed};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

const CONNECTIONS: usize = 1000;
const INTEGRATIONS: usize = 100;
const MOST_REQUESTS: u32 = 25;
/// The delay of each answer.
const DELAY: Duration = Duration::from_millis(50);
/// Number of requests that the plain client has in flight.
const IN_FLIGHT: usize = 4;
const OF_PLAIN: f64 = 1.3;
const RUNS: usize = 5;
const TOKEN: &str = "a-token";

/// Runs all measurements of the group.
pub fn figures(_: &mut Machine) -> Outcome<Vec<Figure>> {
    let store = seed::large(CONNECTIONS, INTEGRATIONS).map_err(|error| error.to_string())?;
    let server = Server::builder(Platform::new(store)).token(TOKEN).start()?;
    let folder = tempfile::tempdir()?;
    let url = server.url();
    let ours = |arguments: &[&str]| command(folder.path(), &url, arguments);
    let from = ["import", "--root", "ours", "--tenant", "us-prod", "--from", url.as_str(), "--allow-loopback"];
    measure::run(&mut ours(&from), 0)?;
    let plan = ["plan", "ours", "--allow-loopback"];
    // The first one after an import has all definitions, as every later one.
    measure::run(&mut ours(&plan), 0)?;
    server.take_requests();
    measure::run(&mut ours(&plan), 0)?;
    let asked = server.take_requests();
    let requests = u32::try_from(asked.len())?;
    let mut chains: BTreeMap<String, Vec<Request>> = BTreeMap::new();
    for request in asked {
        chains.entry(request.operations.join(" ")).or_default().push(request);
    }
    let mut chains: Vec<Vec<Request>> = chains.into_values().collect();
    chains.sort_by_key(Vec::len);
    server.set_delay(DELAY);
    let (mut planned, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        planned.push(measure::run(&mut ours(&plan), 0)?);
        let (outcome, took) = measure::timed(|| ask_again(&server, &chains));
        outcome?;
        plain.push(took);
    }
    server.set_delay(Duration::ZERO);
    let apply = ["apply", "ours", "--yes", "--allow-loopback"];
    let of_nothing = writes(&server, &mut ours(&apply))?;
    add_connection(folder.path())?;
    let of_connection = writes(&server, &mut ours(&apply))?;
    let (planned, plain) = (measure::median(planned), measure::median(plain));
    let ratio = planned.as_secs_f64() / plain.as_secs_f64();
    let delay = DELAY.as_millis();
    Ok(vec![
        Figure::beside(
            format!(
                "requests of a plan of {CONNECTIONS} connections and {INTEGRATIONS} integrations on the platform with nothing to do"
            ),
            requests.to_string(),
            format!("at most {MOST_REQUESTS}"),
            f64::from(requests) / f64::from(MOST_REQUESTS),
            1.0,
        ),
        Figure::beside(
            format!("that plan, each answer after {delay} ms"),
            time(planned),
            format!("the same requests, {IN_FLIGHT} in flight, {}", time(plain)),
            ratio,
            OF_PLAIN,
        ),
        Figure::beside(
            "requests that write of an apply of that plan".to_string(),
            of_nothing.to_string(),
            "none".to_string(),
            f64::from(of_nothing),
            0.0,
        ),
        Figure::beside(
            "requests that write of an apply with one new connection".to_string(),
            of_connection.to_string(),
            "a create and an update".to_string(),
            f64::from(of_connection) / 2.0,
            1.0,
        ),
    ])
}

/// Number of requests that write, of one run.
fn writes(server: &Server, command: &mut Command) -> Outcome<u32> {
    server.take_requests();
    measure::run(command, 0)?;
    Ok(u32::try_from(server.take_requests().iter().filter(|request| request.writes).count())?)
}

/// Declares one more connection: that of the first file, under another stable key, with its secrets in a folder.
fn add_connection(folder: &Path) -> Outcome<()> {
    let tenant = folder.join("ours/tenants.yaml");
    let text = std::fs::read_to_string(&tenant)?;
    std::fs::write(
        &tenant,
        text.replacen("    prismatic:\n", "    prismatic:\n      secrets: {directory: secrets}\n", 1),
    )?;
    let connections = folder.join("ours/us-prod/connections");
    let mut files: Vec<_> = std::fs::read_dir(&connections)?.collect::<Result<_, _>>()?;
    files.sort_by_key(std::fs::DirEntry::path);
    let first = files.first().ok_or("there is no connection")?.path();
    let key = first.file_stem().and_then(|name| name.to_str()).ok_or("its name is no text")?.to_string();
    let text = std::fs::read_to_string(&first)?;
    let added = text.replace(&format!("name: {key}\nspec"), "name: added\nspec");
    let added = added.replace(&format!("stableKey: {key}"), "stableKey: added");
    for secret in added.split("secretRef:").skip(1) {
        let of = |word: &str| Some(secret.split_once(word)?.1.lines().next()?.trim());
        let (Some(name), Some(key)) = (of("name: "), of("key: ")) else { continue };
        let file = folder.join("ours/secrets").join(name).join(key);
        std::fs::create_dir_all(file.parent().ok_or("it has no folder")?)?;
        std::fs::write(file, "a-secret")?;
    }
    Ok(std::fs::write(connections.join("added.yaml"), added)?)
}

fn command(folder: &Path, url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(STABLEKEY);
    command.args(arguments).current_dir(folder).env_clear();
    command.env("HOME", folder).env("PRISM_ACCESS_TOKEN", TOKEN).env("PRISMATIC_URL", url);
    command
}

/// Sends the same requests as a plain client: the pages of a list one after the other, lists side by side, and looks at
/// no answer.
fn ask_again(server: &Server, chains: &[Vec<Request>]) -> Outcome<()> {
    let waiting = Mutex::new(chains.to_vec());
    let failed: Vec<String> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..IN_FLIGHT)
            .map(|_| {
                scope.spawn(|| -> Result<(), String> {
                    let mut connection = Client::open(server).map_err(|error| error.to_string())?;
                    // The longest chain first.
                    while let Some(chain) = waiting.lock().map_err(|error| error.to_string())?.pop() {
                        for request in &chain {
                            connection.ask(request).map_err(|error| error.to_string())?;
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        clients
            .into_iter()
            .filter_map(|client| client.join().unwrap_or_else(|_| Err("a client stopped".into())).err())
            .collect()
    });
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ").into()) }
}

/// A connection that is kept open.
struct Client(BufReader<TcpStream>);

impl Client {
    fn open(server: &Server) -> std::io::Result<Self> {
        let url = server.url();
        let stream = TcpStream::connect(url.trim_start_matches("http://"))?;
        stream.set_nodelay(true)?;
        Ok(Client(BufReader::new(stream)))
    }

    fn ask(&mut self, request: &Request) -> std::io::Result<()> {
        let body = serde_json::json!({"query": request.query, "variables": request.variables}).to_string();
        let head = format!(
            "POST /api HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        self.0.get_mut().write_all(format!("{head}{body}").as_bytes())?;
        let mut length = 0;
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if line == "\r\n" {
                break;
            }
        }
        self.0.read_exact(&mut vec![0; length])
    }
}
