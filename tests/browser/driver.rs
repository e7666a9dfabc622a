//! The program of Node that drives Chromium, which the tests of a process share: hack/browser/driver.mjs.

use serde_json::{Value, json};
use stablekey_testing::cli::repository;
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

/// The driver gives up before that, and says why.
const PATIENCE: Duration = Duration::from_secs(120);

/// Those who wait, by the number of their request.
type Waiting = Arc<Mutex<HashMap<u64, Sender<Value>>>>;

/// It ends with this process, which closes its standard input.
struct Driver {
    stdin: Mutex<ChildStdin>,
    waiting: Waiting,
}

/// A number that was not given yet, of a request or a tab.
pub fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Lets the driver do one thing in a tab, and returns its answer, or what went wrong.
pub fn ask(tab: u64, what: &str, mut request: Value) -> Result<Value, String> {
    static DRIVER: OnceLock<Driver> = OnceLock::new();
    let driver = DRIVER.get_or_init(start);
    let id = number();
    (request["id"], request["tab"], request["do"]) = (json!(id), json!(tab), json!(what));
    let (send, answer) = channel();
    driver.waiting.lock().unwrap().insert(id, send);
    writeln!(driver.stdin.lock().unwrap(), "{request}").map_err(|error| error.to_string())?;
    let mut answer = answer.recv_timeout(PATIENCE).map_err(|_| "the driver does not answer".to_string())?;
    match answer["error"].as_str() {
        Some(error) => Err(error.to_string()),
        None => Ok(answer["ok"].take()),
    }
}

/// hack/browser/build installs what the driver needs, if that was not done yet.
fn start() -> Driver {
    let built = Command::new(repository("hack/browser/build")).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let built = built.unwrap();
    assert!(built.status.success(), "hack/browser/build failed; its errors are above");
    let built = String::from_utf8(built.stdout).unwrap();
    let (modules, chromium) = built.trim_end().split_once('\n').unwrap();
    let mut child = Command::new("node")
        .arg(repository("hack/browser/driver.mjs"))
        .env("MODULES", modules)
        .env("CHROMIUM", chromium)
        .env("NO_COLOR", "1")
        .env("FONTCONFIG_FILE", repository("hack/browser/fonts.conf"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let waiting = Waiting::default();
    let of_reader = Arc::clone(&waiting);
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let answer: Value = serde_json::from_str(&line).unwrap();
            let who = answer["id"].as_u64().and_then(|id| of_reader.lock().unwrap().remove(&id));
            // Who gave up waiting needs no answer.
            let _ = who.map(|who| who.send(answer));
        }
        // It ended: nobody is answered any more.
        of_reader.lock().unwrap().clear();
        let _ = child.wait();
    });
    Driver { stdin: Mutex::new(stdin), waiting }
}
