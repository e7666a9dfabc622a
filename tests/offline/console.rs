//! Transcripts: Markdown files whose `console` blocks are run, so that documented output is real output.
//!
//! A file is one session in one new folder with a copy of `examples/`. A line that starts with `$ ` is a command for
//! `sh`, continued after a trailing `\` or by lines that start with `> `. Its output follows, standard error included;
//! a line of `...` matches any lines, and `[..]` anything within one. A command must succeed unless it ends in `# exit
//! code N`.
//!
//! `SNAPSHOTS=overwrite cargo test` writes the real output into the file. Then review the diff.

use stablekey_platform::{Platform, Region, Server, seed};
use stablekey_testing::certificates::Authority;
use stablekey_testing::cli::{copy_folder, repository};
use stablekey_testing::tunnel::{Proxy, Tunnels};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const STABLEKEY: &str = env!("CARGO_BIN_EXE_stablekey");
const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

/// Runs every transcript of these files, and fails with all differences.
pub fn run_all(paths: &[PathBuf]) {
    let failures: Vec<String> = std::thread::scope(|scope| {
        let runs: Vec<_> = paths.iter().map(|path| scope.spawn(|| run(path))).collect();
        runs.into_iter().flat_map(|run| run.join().unwrap()).collect()
    });
    assert!(
        failures.is_empty(),
        "{}\n\nIf it should be so: SNAPSHOTS=overwrite cargo test, and look at the difference.",
        failures.join("\n\n")
    );
}

/// Returns the Markdown files of a folder of the repository, sorted.
pub fn markdown_in(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(repository(folder)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "md"));
    paths.sort();
    paths
}

/// A line of a file, or a command with its expected output.
enum Part {
    Text(String),
    Command { typed: Vec<String>, expected: Vec<String>, line: usize },
}

fn run(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let parts = parse(&text);
    if !parts.iter().any(|part| matches!(part, Part::Command { .. })) {
        return Vec::new();
    }
    let sandbox = Sandbox::new(&text);
    let mut failures = Vec::new();
    let mut now = String::new();
    for part in parts {
        match part {
            Part::Text(line) => now.push_str(&format!("{line}\n")),
            Part::Command { mut typed, expected, line } => {
                let name = path.strip_prefix(REPOSITORY).unwrap().display();
                let (printed, code) = sandbox.run(&typed);
                let wanted = exit_code(typed.last().unwrap());
                let mut wrong = Vec::new();
                if code != wanted {
                    wrong.push(format!("it exits {code}, not {wanted}"));
                    set_exit_code(typed.last_mut().unwrap(), code);
                }
                let same = matches(&expected, &printed);
                if !same {
                    wrong.push(difference(&expected, &printed));
                }
                if !wrong.is_empty() {
                    failures.push(format!("{name}:{line}: $ {}\n{}", typed.join("\n> "), wrong.join("\n")));
                }
                now.push_str(&format!("$ {}\n", typed.join("\n")));
                let lines = if same { expected } else { as_shown(&expected, &printed) };
                lines.iter().for_each(|line| now.push_str(&format!("{line}\n")));
            }
        }
    }
    if !failures.is_empty() && std::env::var("SNAPSHOTS").is_ok_and(|v| v == "overwrite") {
        fs::write(path, now).unwrap();
        return Vec::new();
    }
    failures
}

fn parse(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut fence: Option<&str> = None;
    let mut lines = text.lines().enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        let end = line.len() - line.trim_start_matches('`').len();
        match fence {
            None if end >= 3 && line.ends_with("`console") => fence = Some(&line[..end]),
            Some(open) if open == line => fence = None,
            _ => {}
        }
        let Some((command, fence)) = line.strip_prefix("$ ").zip(fence) else {
            parts.push(Part::Text(line.to_string()));
            continue;
        };
        let mut typed = vec![command.to_string()];
        while typed.last().is_some_and(|t| t.ends_with('\\')) || lines.peek().is_some_and(|(_, l)| l.starts_with("> "))
        {
            let Some((_, more)) = lines.next() else { break };
            typed.push(more.to_string());
        }
        let mut expected = Vec::new();
        while let Some((_, line)) = lines.next_if(|(_, l)| !l.starts_with("$ ") && *l != fence) {
            expected.push(line.to_string());
        }
        parts.push(Part::Command { typed, expected, line: number + 1 });
    }
    parts
}

const EXIT: &str = "# exit code ";

fn exit_code(command: &str) -> i32 {
    command.rsplit_once(EXIT).map_or(0, |(_, code)| code.trim().parse().unwrap())
}

fn set_exit_code(command: &mut String, code: i32) {
    let bare = command.rsplit_once(EXIT).map_or(command.as_str(), |(bare, _)| bare).trim_end().to_string();
    *command = if code == 0 { bare } else { format!("{bare}  {EXIT}{code}") };
}

/// Whether the output matches: trailing blank lines are ignored, `...` and `[..]` match anything.
fn matches(expected: &[String], printed: &str) -> bool {
    let printed: Vec<&str> = printed.trim_end().lines().collect();
    let end = expected.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    lines_match(&expected[..end], &printed)
}

fn lines_match(expected: &[String], printed: &[&str]) -> bool {
    match expected.split_first() {
        None => printed.is_empty(),
        Some((line, rest)) if line == "..." => (0..=printed.len()).any(|skip| lines_match(rest, &printed[skip..])),
        Some((line, rest)) => {
            printed.split_first().is_some_and(|(first, more)| line_matches(line, first) && lines_match(rest, more))
        }
    }
}

fn line_matches(expected: &str, printed: &str) -> bool {
    match expected.split_once("[..]") {
        None => expected.trim_end() == printed.trim_end(),
        Some((before, after)) => printed.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| line_matches(after, &rest[at..]))
        }),
    }
}

/// Returns the output, with the placeholders in place of the lines that they match.
fn as_shown(expected: &[String], printed: &str) -> Vec<String> {
    let shown = |line: &str| expected.iter().find(|shown| shown.contains("[..]") && line_matches(shown, line));
    printed.lines().map(|line| shown(line).map_or_else(|| line.to_string(), String::clone)).collect()
}

fn difference(expected: &[String], printed: &str) -> String {
    let expected: String = expected.iter().map(|line| format!("{line}\n")).collect();
    similar::TextDiff::from_lines(expected.as_str(), printed).unified_diff().header("shown", "printed").to_string()
}

/// A folder with the examples, and a PATH with the built `stablekey`.
struct Sandbox {
    folder: tempfile::TempDir,
    /// The platform, for documents that name a stack.
    platform: Option<PublicStacks>,
}

/// The public stacks of the documents, as fakes over HTTPS behind a proxy.
struct PublicStacks {
    _servers: Vec<stablekey_platform::Server>,
    proxy: Proxy,
}

impl PublicStacks {
    /// Starts them, and writes the certificate authority to trust into a file.
    fn start(roots: &Path) -> Self {
        let authority = Authority::new();
        fs::write(roots, &authority.pem).unwrap();
        let start = |(region, host): (Region, &'static str)| {
            let certificate = authority.certificate(&[host]);
            let builder = Server::builder(Platform::new(seed::every_kind(region).unwrap())).refresh_token("a-token");
            let server = builder.tls(&certificate.pem, &certificate.key).start().unwrap();
            server.change(|store| store.url = format!("https://{host}"));
            (host, server)
        };
        let servers = [(Region::Us, "app.prismatic.io"), (Region::Eu, "app.eu-west-1.prismatic.io")].map(start);
        let addresses: Vec<(&str, String)> =
            servers.iter().map(|(host, server)| (*host, server.url().replace("https://", ""))).collect();
        let hosts: Vec<(&str, &str)> = addresses.iter().map(|(host, address)| (*host, address.as_str())).collect();
        let proxy = Proxy::start(&hosts, Tunnels::Open);
        PublicStacks { _servers: servers.into_iter().map(|(_, server)| server).collect(), proxy }
    }
}

/// Replacements for programs that would use the network. `curl` answers as the platform would, depending on the host.
const STAND_INS: [(&str, &str); 3] = [
    (
        "prism",
        r#"case "$1" in
  login)
    profile=default
    [ "$2" != --profile ] || profile=$3
    file=$HOME/.config/prism/config.yml
    mkdir -p "$(dirname "$file")"
    [ -e "$file" ] || printf 'version: 1\nprofiles:\n' > "$file"
    printf '  %s: {accessToken: "", refreshToken: a-token, expiresIn: 1, scope: x, tokenType: Bearer, prismaticUrl: "%s"}\n' \
      "$profile" "${PRISMATIC_URL:-https://app.prismatic.io}" >> "$file" ;;
  graphql:query) cat "$ANSWERS/us-prod/answer.json" ;;
  *) echo a-token ;;
esac"#,
    ),
    ("jq", "cat"),
    (
        "curl",
        r#"case "$*" in
  *eu-west-1*) cat "$ANSWERS/eu-prod/answer.json" ;;
  *) cat "$ANSWERS/us-prod/answer.json" ;;
esac"#,
    ),
];

impl Sandbox {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let platform = text.contains("prismatic.io").then(|| PublicStacks::start(&folder.path().join(".ca.pem")));
        copy_folder(&repository("examples"), &folder.path().join("examples"));
        let bin = folder.path().join(".bin");
        fs::create_dir(&bin).unwrap();
        for (name, script) in STAND_INS {
            let path = bin.join(name);
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            make_executable(&path);
        }
        Sandbox { folder, platform }
    }

    /// Runs a command; returns its output and exit code.
    fn run(&self, typed: &[String]) -> (String, i32) {
        let folder = self.folder.path();
        let command: Vec<&str> = typed.iter().map(|line| line.strip_prefix("> ").unwrap_or(line)).collect();
        let built = Path::new(STABLEKEY).parent().unwrap();
        let path = std::env::var("PATH").unwrap();
        let mut shell = Command::new("sh");
        if let Some(platform) = &self.platform {
            shell.env("HTTPS_PROXY", platform.proxy.url()).env("SSL_CERT_FILE", folder.join(".ca.pem"));
        }
        let output = shell
            .args(["-c", &format!("exec 2>&1\n{}", command.join("\n"))])
            .current_dir(folder)
            .stdin(Stdio::null())
            .env("PATH", format!("{}:{}:{path}", folder.join(".bin").display(), built.display()))
            .env("HOME", folder)
            .env("ANSWERS", folder.join("examples/from-a-tenant"))
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env_remove("CI")
            .env_remove("XDG_STATE_HOME")
            .env_remove("CLICOLOR_FORCE")
            .env_remove("COLUMNS")
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        (printed.replace(&folder.display().to_string(), "[FOLDER]"), output.status.code().unwrap_or(-1))
    }
}

fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
