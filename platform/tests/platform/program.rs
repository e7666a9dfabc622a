//! The program.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

fn start(arguments: &[&str]) -> (Child, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_stablekey-platform"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    (child, line.trim_end().to_string())
}

#[test]
fn it_prints_its_origin_and_ends_with_its_input() {
    let (mut child, url) = start(&["--seed", "large:20,2", "--token", "t", "--delay-ms", "1"]);
    let mut stream = BufReader::new(std::net::TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap());
    let body = r#"{"query": "{scopedConfigVariables {totalCount}}"}"#;
    crate::client::write(stream.get_mut(), "POST", "/api", &[("Authorization", "Bearer t")], body).unwrap();
    assert_eq!(
        crate::client::read(&mut stream).unwrap().body,
        r#"{"data":{"scopedConfigVariables":{"totalCount":20}}}"#
    );
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn it_ends_on_a_signal() {
    for signal in ["TERM", "INT"] {
        let (mut child, url) = start(&["--region", "eu"]);
        assert!(url.starts_with("http://127.0.0.1:"), "{url}");
        let kill = Command::new("sh").args(["-c", &format!("kill -{signal} {}", child.id())]).status().unwrap();
        assert!(kill.success() && child.wait().unwrap().success());
    }
}

#[test]
fn it_prints_the_schema() {
    let output = Command::new(env!("CARGO_BIN_EXE_stablekey-platform")).arg("--sdl").output().unwrap();
    let sdl = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && sdl.contains("type ScopedConfigVariable {"), "{sdl}");
}

#[test]
fn wrong_options_are_told() {
    for (arguments, text) in [
        (&["--nope", "1"][..], "no such option"),
        (&["--seed", "nope"], "no such seed"),
        (&["--port"], "needs a value"),
        (&["--delay-ms", "x"], "needs a number"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stablekey-platform"));
        let mut child = command.args(arguments).stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut told = String::new();
        child.stderr.as_mut().unwrap().read_to_string(&mut told).unwrap();
        assert!(told.contains(text), "{told}");
        assert_eq!(child.wait().unwrap().code(), Some(2));
    }
}
