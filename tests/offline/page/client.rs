//! A client of one request a connection, over a plain socket: it adds no header of its own but `Connection`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// The longest wait for an answer: a test that fails, fails then.
const LONGEST: Duration = Duration::from_secs(120);

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Answer {
    /// The values of a header.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a header that stands at most once.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} stands {} times", all.len());
        all.first().copied()
    }

    /// Status, headers and body, to search in.
    pub(super) fn bytes(&self) -> String {
        format!("{} {:?}\n{}", self.status, self.headers, self.body)
    }

    /// The values of hidden fields of a name, in order.
    pub(super) fn hidden(&self, name: &str) -> Vec<String> {
        let from = format!("name=\"{name}\" value=\"");
        let found = self.body.match_indices(&from).filter_map(|(at, _)| {
            let rest = self.body.get(at + from.len()..)?;
            rest.split_once('"').map(|(value, _)| unescaped(value))
        });
        found.collect()
    }

    /// The first form with this action.
    pub(super) fn form(&self, action: &str) -> Option<Form> {
        self.forms().into_iter().find(|form| form.action == action)
    }

    /// All forms.
    pub(super) fn forms(&self) -> Vec<Form> {
        let of = |text: &str| {
            let text = text.split("</form>").next()?;
            // Quotes of values are escaped, so the first `>` outside of quotes ends the tag.
            let head = &text[..end_of_tag(text)];
            let is_post = attribute(head, "method").as_deref() == Some("post");
            let action = attribute(head, "action")?;
            let mut form = Form { action, is_post, fields: Vec::new(), buttons: Vec::new() };
            for tag in text.split("<input ").skip(1) {
                let tag = &tag[..end_of_tag(tag)];
                let Some(name) = attribute(tag, "name") else { continue };
                let is_box = attribute(tag, "type").as_deref() == Some("checkbox");
                let is_ticked =
                    tag.split('"').step_by(2).any(|part| part.split_whitespace().any(|word| word == "checked"));
                if is_box && !is_ticked {
                    continue;
                }
                let other = if is_box { "on" } else { "" };
                form.fields.push((name, attribute(tag, "value").unwrap_or_else(|| other.to_string())));
            }
            for tag in text.split("<textarea ").skip(1) {
                let end = end_of_tag(tag);
                let Some(name) = attribute(&tag[..end], "name") else { continue };
                let value = tag.get(end + 1..)?.split("</textarea>").next()?;
                // A line break after the tag is none of the text, and others are sent as CR LF.
                let value = unescaped(value.strip_prefix('\n').unwrap_or(value)).replace('\n', "\r\n");
                form.fields.push((name, value));
            }
            for tag in text.split("<button ").skip(1) {
                let tag = &tag[..end_of_tag(tag)];
                form.buttons.extend(attribute(tag, "name").zip(attribute(tag, "value")));
            }
            Some(form)
        };
        self.body.split("<form ").skip(1).filter_map(of).collect()
    }

    /// The addresses of this page that it links to.
    pub(super) fn links(&self) -> Vec<String> {
        let links = self.body.split(" href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        let links = links.map(unescaped).filter(|link| link.starts_with('/'));
        links.map(|link| link.split('#').next().unwrap().to_string()).collect()
    }

    /// The text without tags, in one line.
    pub(super) fn words(&self) -> String {
        let mut words = String::new();
        for part in self.body.split('<') {
            let (tag, text) = part.split_once('>').unwrap_or(("", part));
            words.push_str(&unescaped(text));
            words.push(' ');
            // A mark has its word as its title.
            if let Some((_, title)) = tag.split_once(" role=\"img\" title=\"") {
                words.push_str(&unescaped(title.trim_end_matches('"')));
                words.push(' ');
            }
        }
        words.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// A form of a page.
#[derive(Clone, Debug)]
pub(super) struct Form {
    pub(super) action: String,
    pub(super) is_post: bool,
    /// The fields as they are sent if nothing is typed.
    pub(super) fields: Vec<(String, String)>,
    /// The buttons that send a field.
    pub(super) buttons: Vec<(String, String)>,
}

impl Form {
    /// The form with a value typed, or a box ticked.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(there, _)| there != name);
        self.fields.push((name.to_string(), value.to_string()));
        self
    }
}

fn end_of_tag(tag: &str) -> usize {
    let mut is_quoted = false;
    for (at, letter) in tag.char_indices() {
        match letter {
            '"' => is_quoted = !is_quoted,
            '>' if !is_quoted => return at,
            _ => {}
        }
    }
    tag.len()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let from = format!("{name}=\"");
    let at = tag.match_indices(&from).find(|(at, _)| *at == 0 || tag[..*at].ends_with(' '))?.0;
    tag[at + from.len()..].split_once('"').map(|(value, _)| unescaped(value))
}

/// A text of HTML as a browser reads it.
pub(super) fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

/// Sends a request as it stands, and reads the answer to its end.
pub(super) fn send(port: u16, request: &[u8]) -> Answer {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    socket.set_read_timeout(Some(LONGEST)).unwrap();
    // A server that refuses may stop to read.
    let _ = socket.write_all(request);
    let mut bytes = Vec::new();
    let mut part = [0; 65_536];
    // One that refuses a body may also reset the connection behind its answer.
    while let Ok(read @ 1..) = socket.read(&mut part) {
        bytes.extend(&part[..read]);
    }
    parse(&bytes).unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(&bytes)))
}

/// A request with these headers; the body's length is added.
pub(super) fn request(method: &str, target: &str, headers: &[(&str, &str)], body: Option<&str>) -> Vec<u8> {
    let mut text = format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(body) = body {
        text.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    text.push_str(body.unwrap_or_default());
    text.into_bytes()
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_string()))
        .collect();
    let mut body = bytes[end + 4..].to_vec();
    if headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked") {
        body = dechunked(&body);
    }
    Some(Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

fn dechunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&bytes[..end]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let Some(size @ 1..) = size else { break };
        let Some(chunk) = bytes.get(end + 2..end + 2 + size) else { break };
        all.extend(chunk);
        bytes = bytes.get(end + 4 + size..).unwrap_or_default();
    }
    all
}

/// A stream of events.
pub(super) struct Events {
    lines: BufReader<TcpStream>,
    /// All that was received.
    pub(super) received: String,
}

impl Events {
    /// Opens a stream with a request for it. The head of the answer is read.
    pub(super) fn open(port: u16, request: &[u8]) -> Self {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        socket.set_read_timeout(Some(LONGEST)).unwrap();
        socket.write_all(request).unwrap();
        let mut events = Events { lines: BufReader::new(socket), received: String::new() };
        loop {
            let line = events.line().unwrap();
            if line.trim_end().is_empty() {
                return events;
            }
        }
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line).unwrap();
        self.received.push_str(&line);
        (read > 0).then_some(line)
    }

    /// Waits for the next event, and returns its name, which is `beat` for none; `None` at the end of the stream.
    pub(super) fn next(&mut self) -> Option<String> {
        loop {
            let line = self.line()?;
            if let Some(name) = line.strip_prefix("event: ") {
                return Some(name.trim_end().to_string());
            }
            // Nothing happened for a while.
            if line.starts_with(':') {
                return Some("beat".to_string());
            }
        }
    }
}
