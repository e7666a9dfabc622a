//! A small client, and servers with what most tests start from.

use serde_json::{Value, json};
use stablekey_platform::{Platform, Region, Server, Store, Switches, seed};
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;

/// An answer of the server.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// The head, in lower case.
    pub head: String,
    pub body: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let line = self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(str::trim)
    }
}

/// A connection to a server, kept alive.
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    pub fn open(server: &Server) -> Self {
        let stream = TcpStream::connect(server.url().split_once("//").unwrap().1).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection(BufReader::new(stream))
    }

    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> std::io::Result<Reply> {
        write(self.0.get_mut(), method, path, headers, body)?;
        read(&mut self.0)
    }

    /// Asks the API with the server's token.
    pub fn ask(&mut self, server: &Server, query: &str) -> std::io::Result<Reply> {
        let token = format!("Bearer {}", server.token());
        self.send("POST", "/api", &[("Authorization", &token)], &json!({"query": query}).to_string())
    }

    /// Waits until the server closes the connection.
    pub fn closed(&mut self) -> bool {
        self.0.read(&mut [0]).is_ok_and(|read| read == 0)
    }
}

pub fn write(
    to: &mut impl Write,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> std::io::Result<()> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let text = format!("{method} {path} HTTP/1.1\r\nHost: fake\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
    to.write_all(text.as_bytes())
}

/// Reads one answer, which has a length.
pub fn read(from: &mut BufReader<impl Read>) -> std::io::Result<Reply> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if from.read_line(&mut head)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Ok(Reply { status, head, body: String::from_utf8(body).unwrap() })
}

pub fn send(server: &Server, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    Connection::open(server).send(method, path, headers, body).unwrap()
}

/// Asks the API with this token.
pub fn ask_as(server: &Server, token: &str, query: &str, variables: Value) -> Reply {
    let body = json!({"query": query, "variables": variables}).to_string();
    let headers = [("Authorization", &*format!("Bearer {token}")), ("Content-Type", "application/json")];
    send(server, "POST", "/api", &headers, &body)
}

/// Asks the API, and returns the whole answer.
pub fn ask(server: &Server, query: &str, variables: Value) -> Value {
    let reply = ask_as(server, &server.token(), query, variables);
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

/// Asks the API for data, without errors.
pub fn data(server: &Server, query: &str, variables: Value) -> Value {
    let mut answer = ask(server, query, variables);
    assert_eq!(answer.get("errors"), None, "{answer}");
    answer["data"].take()
}

/// The messages with which a document is refused.
pub fn refused(server: &Server, query: &str, variables: Value) -> Vec<String> {
    let answer = ask(server, query, variables);
    assert_eq!(answer.get("data"), None, "{answer}");
    let errors = answer["errors"].as_array().unwrap();
    errors.iter().map(|error| error["message"].as_str().unwrap().to_string()).collect()
}

/// The payload's messages of a mutation that was not done.
pub fn problems(data: &Value, mutation: &str) -> Vec<(String, String)> {
    let errors = data[mutation]["errors"].as_array().unwrap_or_else(|| panic!("{data}"));
    let text = |value: &Value| value.as_str().unwrap().to_string();
    errors.iter().map(|error| (text(&error["field"]), text(&error["messages"][0]))).collect()
}

/// A server with everything of the US tenant.
pub fn us() -> Server {
    with(Switches::default())
}

/// A server with everything of the US tenant, in these positions.
pub fn with(switches: Switches) -> Server {
    start(Platform::new(store()).switches(switches))
}

pub fn start(platform: Platform) -> Server {
    Server::builder(platform).token("token").start().unwrap()
}

pub fn store() -> Store {
    seed::every_kind(Region::Us).unwrap()
}

/// The id of a connection, by stable key.
pub fn connection(server: &Server, stable_key: &str) -> String {
    server.read(|store| store.connections.iter().find(|c| c.stable_key == stable_key).unwrap().id.clone())
}

/// The id of a customer, by name.
pub fn customer(server: &Server, name: &str) -> String {
    server.read(|store| store.customers.iter().find(|c| c.name == name).unwrap().id.clone())
}

/// The id of an integration, by name.
pub fn integration(server: &Server, name: &str) -> String {
    server.read(|store| store.integrations.iter().find(|i| i.name == name).unwrap().id.clone())
}

/// The id of a connection type.
pub fn kind(server: &Server, component: &str, public: bool, key: &str) -> String {
    server.read(|store| {
        let component = store.component(component, public).unwrap();
        component.connections.iter().find(|kind| kind.key == key).unwrap().id.clone()
    })
}
