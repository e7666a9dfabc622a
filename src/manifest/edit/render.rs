//! Values as YAML text, in the style of what stands around them.

use super::value::Value;
use crate::manifest::scalar;
use crate::text::is_dangerous;
use granit_parser::ScalarStyle;

/// How text is written somewhere.
#[derive(Clone, Copy)]
pub struct TextStyle<'a> {
    /// The file's line break.
    pub newline: &'a str,
    /// Whether it must be JSON: every text in double quotes.
    pub json: bool,
    /// Whether small maps go on lines of their own, as those beside them do.
    pub spread: bool,
    /// By how much what is in a block is indented more than its key.
    pub step: usize,
}

/// Maps that people write one entry to a line, whatever stands beside them.
const SPREAD: [&str; 6] = ["inputs", "test", "labels", "annotations", "spec", "metadata"];

/// Lists that people write one item to a line.
const BLOCK_LISTS: [&str; 5] = ["connections", "resources", "configurations", "configMapGenerator", "patches"];
/// Those of them whose items are written one entry to a line too.
const SPREAD_LISTS: [&str; 2] = ["configMapGenerator", "patches"];

/// `key: value` for a block map whose keys stand at `indent`.
pub fn entry(key: &str, value: &Value, indent: usize, style: TextStyle<'_>) -> String {
    let name = flow_text(key, style.json);
    match value {
        Value::Map(entries) if !entries.is_empty() && (style.spread || SPREAD.contains(&key)) => {
            let below = indent + style.step;
            format!("{name}:{}{}", break_to(below, style), block_map(entries, below, style))
        }
        Value::List(items) if !items.is_empty() && (style.spread || BLOCK_LISTS.contains(&key)) => {
            let below = indent + style.step;
            let style = TextStyle { spread: style.spread || SPREAD_LISTS.contains(&key), ..style };
            format!("{name}:{}{}", break_to(below, style), block_list(items, below, style))
        }
        Value::Text(text) => match literal(text, indent + style.step, style.newline) {
            Some(literal) => format!("{name}: {literal}"),
            None => format!("{name}: {}", flow(value, style.json)),
        },
        Value::Null => format!("{name}:"),
        value => format!("{name}: {}", flow(value, style.json)),
    }
}

/// The entries of a block map, without the first indentation.
pub fn block_map(entries: &[(String, Value)], indent: usize, style: TextStyle<'_>) -> String {
    let lines: Vec<_> = entries.iter().map(|(key, value)| entry(key, value, indent, style)).collect();
    lines.join(&break_to(indent, style))
}

/// The items of a block list, without the first indentation.
pub fn block_list(items: &[Value], indent: usize, style: TextStyle<'_>) -> String {
    let lines: Vec<_> = items.iter().map(|value| item(value, indent, style)).collect();
    lines.join(&break_to(indent, style))
}

/// `- value` for a block list whose dashes stand at `indent`.
pub fn item(value: &Value, indent: usize, style: TextStyle<'_>) -> String {
    match value {
        Value::Map(entries) if style.spread && !entries.is_empty() => {
            format!("- {}", block_map(entries, indent + 2, style))
        }
        value => format!("- {}", flow(value, style.json)),
    }
}

/// A line break and the indentation after it.
pub fn break_to(indent: usize, style: TextStyle<'_>) -> String {
    format!("{}{}", style.newline, " ".repeat(indent))
}

/// A value on one line.
pub fn flow(value: &Value, json: bool) -> String {
    match value {
        Value::Null | Value::Merged(_) | Value::Opaque => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Other(text) | Value::Alias(text) => text.clone(),
        Value::Text(text) => flow_text(text, json),
        Value::List(items) => {
            let items: Vec<_> = items.iter().map(|value| flow(value, json)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(entries) => {
            let entries: Vec<_> = entries.iter().map(|(key, value)| flow_entry(key, value, json)).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

/// How the lines of a value in braces are indented: as those around it are.
pub struct LineStyle<'a> {
    /// What its own line begins with.
    pub lead: &'a str,
    /// What each level adds.
    pub unit: &'a str,
}

/// A value in braces, maps an entry to a line.
pub fn flow_lines(value: &Value, lines: &LineStyle<'_>, style: TextStyle<'_>) -> String {
    let inner = format!("{}{}", lines.lead, lines.unit);
    let below = LineStyle { lead: &inner, unit: lines.unit };
    let (open, parts, close): (_, Vec<String>, _) = match value {
        Value::Map(entries) if !entries.is_empty() => {
            let entry = |(key, value): &(String, Value)| {
                format!("{}: {}", flow_text(key, style.json), flow_lines(value, &below, style))
            };
            ('{', entries.iter().map(entry).collect(), '}')
        }
        Value::List(items) if items.iter().any(|item| matches!(item, Value::Map(_))) => {
            ('[', items.iter().map(|item| flow_lines(item, &below, style)).collect(), ']')
        }
        value => return flow(value, style.json),
    };
    let newline = style.newline;
    let parts = parts.join(&format!(",{newline}{inner}"));
    format!("{open}{newline}{inner}{parts}{newline}{}{close}", lines.lead)
}

/// `key: value` on one line.
pub fn flow_entry(key: &str, value: &Value, json: bool) -> String {
    format!("{}: {}", flow_text(key, json), flow(value, json))
}

/// A text: plain where that can be misread by nobody, else in double quotes.
pub fn flow_text(text: &str, json: bool) -> String {
    if !json && is_plain(text) { text.to_string() } else { double_quoted(text, json) }
}

/// A text in the style in which another stood, where it can be written so.
pub fn like(text: &str, style: ScalarStyle, json: bool) -> String {
    match style {
        ScalarStyle::SingleQuoted if !text.chars().any(is_invisible) => {
            format!("'{}'", text.replace('\'', "''"))
        }
        ScalarStyle::Plain if is_plain(text) => text.to_string(),
        _ => double_quoted(text, json),
    }
}

/// Words of letters, digits and `_ . / -` between single blanks, beginning with a letter.
fn is_plain(text: &str) -> bool {
    let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_./-".contains(&b));
    text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
        && text.len() <= 100
        && text.split(' ').all(word)
        && scalar::plain(text).is_none()
}

/// A text in double quotes, with everything invisible escaped, so that whoever reads the file sees what
/// there is. What lies beyond the first plane is written in YAML's way, or in JSON's.
pub fn double_quoted(text: &str, json: bool) -> String {
    let quoted = serde_json::Value::String(text.to_string()).to_string();
    quoted.chars().fold(String::with_capacity(quoted.len()), |mut out, c| {
        match (is_invisible(c), u32::from(c)) {
            (false, _) => out.push(c),
            (true, code @ ..=0xffff) => out.push_str(&format!("\\u{code:04x}")),
            (true, _) if json => {
                let mut units = [0; 2];
                c.encode_utf16(&mut units).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
            }
            (true, code) => out.push_str(&format!("\\U{code:08x}")),
        }
        out
    })
}

/// Whether a character would not be seen, or is none that YAML takes as it is.
fn is_invisible(c: char) -> bool {
    is_dangerous(c) || matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// A text of several lines below `|`, its lines at `indent`; `None` where it cannot be written so.
pub fn literal(text: &str, indent: usize, newline: &str) -> Option<String> {
    let body = text.strip_suffix('\n');
    let (head, body) = match body {
        Some(body) => ("|", body),
        None => ("|-", text),
    };
    let fits = |line: &str| !line.chars().any(is_invisible) && !line.ends_with(' ') && !line.starts_with("---");
    let lines: Vec<&str> = body.split('\n').collect();
    let (first, last) = (lines.first()?, lines.last()?);
    if !text.contains('\n')
        || first.is_empty()
        || first.starts_with(' ')
        || last.is_empty()
        || !lines.iter().all(|l| fits(l))
    {
        return None;
    }
    let mut out = head.to_string();
    for line in lines {
        out.push_str(newline);
        if !line.is_empty() {
            out.push_str(&" ".repeat(indent));
            out.push_str(line);
        }
    }
    Some(out)
}
