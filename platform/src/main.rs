//! Serves a seeded stack until it is told to end, or until standard input closes.

use stablekey_platform::seed::{self, Organization, SeedError};
use stablekey_platform::{Platform, Region, Server, Store};
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

const USAGE: &str = "\
Usage: stablekey-platform [--port N] [--seed SEED] [--region us|eu] [--token TEXT] [--delay-ms N]

  --port N       port on loopback; 0, the default, takes a free one
  --seed SEED    every-kind (default), empty, or large:CONNECTIONS,INTEGRATIONS
  --region R     tenant of every-kind: us (default) or eu
  --token TEXT   access token; without it a JWT that is exchanged for the refresh token \"refresh-token\"
  --delay-ms N   wait so long before each answer
  --sdl          print the schema and end

It prints its origin, and ends on SIGTERM, SIGINT or the end of standard input.
";

/// What the command line asks for.
struct Options {
    port: u16,
    seed: String,
    region: Region,
    token: Option<String>,
    delay: Duration,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        return report(std::io::stdout(), USAGE, ExitCode::SUCCESS);
    }
    if arguments == ["--sdl"] {
        return report(std::io::stdout(), &stablekey_platform::schema::sdl(), ExitCode::SUCCESS);
    }
    let done = options(&arguments).and_then(|options| run(&options).map_err(|error| error.to_string()));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(std::io::stderr(), &format!("error: {error}\n\n{USAGE}"), ExitCode::from(2)),
    }
}

fn report(mut to: impl std::io::Write, text: &str, code: ExitCode) -> ExitCode {
    match to.write_all(text.as_bytes()) {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

fn options(arguments: &[String]) -> Result<Options, String> {
    let mut options =
        Options { port: 0, seed: "every-kind".into(), region: Region::Us, token: None, delay: Duration::ZERO };
    let mut rest = arguments.iter();
    while let Some(name) = rest.next() {
        let value = rest.next().ok_or_else(|| format!("{name} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{name} needs a number, not {value:?}"));
        match name.as_str() {
            "--port" => options.port = value.parse().map_err(|_| format!("no such port: {value:?}"))?,
            "--seed" => options.seed.clone_from(value),
            "--region" => {
                options.region = match value.as_str() {
                    "us" => Region::Us,
                    "eu" => Region::Eu,
                    _ => return Err(format!("no such region: {value:?}")),
                }
            }
            "--token" => options.token = Some(value.clone()),
            "--delay-ms" => options.delay = Duration::from_millis(number()?),
            _ => return Err(format!("no such option: {name:?}")),
        }
    }
    Ok(options)
}

fn store(options: &Options) -> Result<Store, Box<dyn std::error::Error>> {
    if let Some((connections, integrations)) = options.seed.strip_prefix("large:").and_then(|rest| rest.split_once(','))
    {
        return Ok(seed::large(connections.parse()?, integrations.parse()?)?);
    }
    let store: Result<Store, SeedError> = match options.seed.as_str() {
        "every-kind" => seed::every_kind(options.region),
        "empty" => Organization::new("Acme", options.region.tenant_id()).store(),
        other => return Err(format!("no such seed: {other:?}").into()),
    };
    Ok(store?)
}

fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let mut builder = Server::builder(Platform::new(store(options)?)).port(options.port).delay(options.delay);
    if let Some(token) = &options.token {
        builder = builder.token(token);
    }
    let server = builder.start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Before the origin is printed: whoever reads it may send a signal at once.
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let mut output = std::io::stdout();
        writeln!(output, "{}", server.url())?;
        output.flush()?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = input_closed() => {}
        }
        Ok::<(), std::io::Error>(())
    })?;
    Ok(())
}

/// Waits for the end of standard input, on a thread of its own: a read of it cannot be given up.
fn input_closed() -> oneshot::Receiver<()> {
    let (closed, wait) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        closed.send(())
    });
    wait
}
