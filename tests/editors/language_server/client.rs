//! A client of a language server: what an editor sends, and what it gets.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How long the server may take for an answer, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server that has opened a folder.
pub struct LanguageServer {
    child: Child,
    stdin: ChildStdin,
    answers: Receiver<Value>,
    folder: PathBuf,
    settings: Value,
    requests: u64,
    /// Messages that came while another was awaited.
    waiting: Vec<Value>,
    /// The open files, with their versions.
    open: BTreeMap<String, u64>,
    /// What was reported instead of what was expected.
    last: String,
}

impl LanguageServer {
    /// Starts a server on a folder, with the settings of its .vscode/settings.json, as VS Code sends them.
    pub fn on(folder: &Path) -> Self {
        let text = std::fs::read_to_string(folder.join(".vscode/settings.json")).unwrap();
        let mut settings = json!({"yaml": {
            "schemas": serde_json::from_str::<Value>(&text).unwrap()["yaml.schemas"],
            "validate": true, "hover": true, "completion": true,
        }});
        // Both ask servers on the network.
        settings["yaml"]["schemaStore"] = json!({"enable": false});
        settings["yaml"]["kubernetesCRDStore"] = json!({"enable": false});
        let mut child = Command::new("node")
            .arg(program())
            .arg("--stdio")
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (send, answers) = channel();
        std::thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            while let Some(message) = message(&mut stdout) {
                if send.send(message).is_err() {
                    break;
                }
            }
        });
        let mut server = LanguageServer {
            child,
            stdin,
            answers,
            folder: folder.into(),
            settings,
            requests: 0,
            waiting: Vec::new(),
            open: BTreeMap::new(),
            last: String::new(),
        };
        let root = server.uri("");
        server.request(
            "initialize",
            &json!({
                "processId": null, "rootUri": root, "workspaceFolders": [{"uri": root, "name": "project"}],
                "capabilities": {
                    "workspace": {"configuration": true, "workspaceFolders": true},
                    "textDocument": {
                        "hover": {"contentFormat": ["markdown"]},
                        "completion": {"completionItem": {"documentationFormat": ["markdown"]}},
                    },
                },
            }),
        );
        server.send(&json!({"jsonrpc": "2.0", "method": "initialized", "params": {}}));
        let settings = server.settings.clone();
        server.send(
            &json!({"jsonrpc": "2.0", "method": "workspace/didChangeConfiguration", "params": {"settings": settings}}),
        );
        server
    }

    /// Opens a file with a text, and returns what is reported: the line, from 1, and the message.
    pub fn diagnostics(&mut self, file: &str, text: &str) -> Vec<(u64, String)> {
        self.diagnostics_until(file, text, |_| true)
    }

    /// Opens a file with a text, or changes it to the text, and waits until what is reported is as expected.
    pub fn diagnostics_until(
        &mut self,
        file: &str,
        text: &str,
        is_expected: impl Fn(&[(u64, String)]) -> bool,
    ) -> Vec<(u64, String)> {
        let uri = self.uri(file);
        let version = self.open.entry(file.to_string()).and_modify(|version| *version += 1).or_insert(1);
        let message = if *version == 1 {
            let document = json!({"uri": uri, "languageId": "yaml", "version": 1, "text": text});
            json!({"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {"textDocument": document}})
        } else {
            let document = json!({"uri": uri, "version": version});
            let params = json!({"textDocument": document, "contentChanges": [{"text": text}]});
            json!({"jsonrpc": "2.0", "method": "textDocument/didChange", "params": params})
        };
        self.send(&message);
        loop {
            let found = self.wait(|message| {
                message["method"] == "textDocument/publishDiagnostics" && message["params"]["uri"] == uri.as_str()
            });
            let line = |diagnostic: &Value| diagnostic["range"]["start"]["line"].as_u64().unwrap() + 1;
            let text = |diagnostic: &Value| diagnostic["message"].as_str().unwrap().to_string();
            let found = found["params"]["diagnostics"].as_array().unwrap().iter();
            let found: Vec<(u64, String)> = found.map(|diagnostic| (line(diagnostic), text(diagnostic))).collect();
            if is_expected(&found) {
                return found;
            }
            self.last = format!("{file}: {found:?}");
        }
    }

    /// What is shown for the text at a place of an open file: its line, from 1, and the text.
    pub fn hover(&mut self, file: &str, text: &str, line: usize, word: &str) -> String {
        let position = position(text, line, word);
        let uri = self.uri(file);
        let found = self.request("textDocument/hover", &json!({"textDocument": {"uri": uri}, "position": position}));
        found["contents"]["value"].as_str().unwrap_or_default().to_string()
    }

    /// What is offered behind the text of a line of an open file: labels, with what each means.
    pub fn completions(&mut self, file: &str, text: &str, line: usize) -> Vec<(String, String)> {
        let line = line - 1;
        let character = text.lines().nth(line).unwrap().len();
        let position = json!({"line": line, "character": character});
        let uri = self.uri(file);
        let found =
            self.request("textDocument/completion", &json!({"textDocument": {"uri": uri}, "position": position}));
        let items = found["items"].as_array().or(found.as_array()).cloned().unwrap_or_default();
        let about = |item: &Value| {
            let about = &item["documentation"];
            about["value"].as_str().or(about.as_str()).unwrap_or_default().to_string()
        };
        items.iter().map(|item| (item["label"].as_str().unwrap().to_string(), about(item))).collect()
    }

    fn uri(&self, file: &str) -> String {
        let folder = self.folder.canonicalize().unwrap();
        if file.is_empty() {
            format!("file://{}", folder.display())
        } else {
            format!("file://{}/{file}", folder.display())
        }
    }

    fn request(&mut self, method: &str, params: &Value) -> Value {
        self.requests += 1;
        let id = self.requests;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        let answer = self.wait(|message| message["id"] == id && message["method"].is_null());
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        write!(self.stdin, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        self.stdin.flush().unwrap();
    }

    /// Waits for a message, and answers what the server asks meanwhile.
    fn wait(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.waiting.iter().position(&is_it) {
            return self.waiting.remove(at);
        }
        loop {
            let message = self.answers.recv_timeout(PATIENCE);
            let message = message.unwrap_or_else(|_| panic!("the language server does not answer so; {}", self.last));
            if is_it(&message) {
                return message;
            }
            match (message["method"].as_str(), message.get("id")) {
                (Some(method), Some(id)) => {
                    let result =
                        if method == "workspace/configuration" { self.configuration(&message) } else { Value::Null };
                    self.send(&json!({"jsonrpc": "2.0", "id": id, "result": result}));
                }
                _ => self.waiting.push(message),
            }
        }
    }

    /// The sections of the settings that the server asks for.
    fn configuration(&self, request: &Value) -> Value {
        let items = request["params"]["items"].as_array().unwrap();
        items.iter().map(|item| self.settings[item["section"].as_str().unwrap_or_default()].clone()).collect()
    }
}

impl Drop for LanguageServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn position(text: &str, line: usize, word: &str) -> Value {
    let character = text.lines().nth(line - 1).unwrap().find(word).unwrap();
    json!({"line": line - 1, "character": character + 1})
}

fn message(from: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.parse().ok()?;
        }
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Returns the program that Node runs. hack/language-server/build installs it, if that was not done yet.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("hack/language-server/build");
        let output = Command::new(script).stdin(Stdio::null()).stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "hack/language-server/build failed; its errors are above");
        let folder = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end());
        folder.join("node_modules/yaml-language-server/bin/yaml-language-server")
    })
}
