//! An HTTP proxy that opens tunnels: every name leads to a server of the test on this machine.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What the proxy does with a request for a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tunnels {
    /// It opens the tunnel.
    Open,
    /// It asks for a password.
    AskPassword,
    /// It says that the tunnel is open, and answers itself with a web page.
    AnswerItself,
}

/// A running proxy, until it is dropped.
pub struct Proxy {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
    ends: Arc<AtomicBool>,
}

impl Proxy {
    /// Starts a proxy through which each of these hosts is the server at an address.
    pub fn start(hosts: &[(&str, &str)], tunnels: Tunnels) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let hosts: BTreeMap<String, String> =
            hosts.iter().map(|(host, to)| (host.to_string(), to.to_string())).collect();
        let hosts = Arc::new(hosts);
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let ends = Arc::new(AtomicBool::new(false));
        let (log, ended) = (asked.clone(), ends.clone());
        thread::spawn(move || {
            for client in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let (hosts, log) = (hosts.clone(), log.clone());
                if let Ok(client) = client {
                    thread::spawn(move || serve(client, &hosts, &log, tunnels));
                }
            }
        });
        Proxy { address, asked, ends }
    }

    /// The address, for HTTPS_PROXY.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The first lines of the requests so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        // The listener waits for one more connection.
        let _ = TcpStream::connect(&self.address);
    }
}

fn serve(mut client: TcpStream, hosts: &BTreeMap<String, String>, log: &Mutex<Vec<String>>, tunnels: Tunnels) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match client.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let first = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_string();
    log.lock().unwrap().push(first.clone());
    let host = first.strip_prefix("CONNECT ").and_then(|rest| rest.split(':').next()).unwrap_or_default();
    let to = hosts.get(host).and_then(|to| TcpStream::connect(to).ok());
    let answer: &[u8] = match (tunnels, &to) {
        (Tunnels::AskPassword, _) => b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
        (_, None) => b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
        (_, Some(_)) => b"HTTP/1.1 200 OK\r\n\r\n",
    };
    if client.write_all(answer).is_err() {
        return;
    }
    let Some(mut server) = to.filter(|_| tunnels != Tunnels::AskPassword) else { return };
    if tunnels == Tunnels::AnswerItself {
        let _ =
            client.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>");
        // A socket that is closed with bytes unread resets the connection, and the answer may be lost.
        let _ = client.shutdown(Shutdown::Write);
        let _ = std::io::copy(&mut client, &mut std::io::sink());
        return;
    }
    let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let up = thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let _ = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Both);
    let _ = up.join();
}
