//! Formats values as YAML text in the style of their surroundings.

use super::value::Value;
use crate::manifest::scalar;
use crate::text::is_dangerous;
use granit_parser::ScalarStyle;

/// The style of text at a position.
#[derive(Clone, Copy)]
pub(super) struct TextStyle<'a> {
    /// The file's line break.
    pub newline: &'a str,
    /// Whether the text must be JSON, with every string in double quotes.
    pub json: bool,
    /// Whether small maps are written on several lines, as their neighbours are.
    pub spread: bool,
    /// The indentation of a block relative to its key.
    pub step: usize,
}

/// Maps that are always written with one entry per line.
const SPREAD: [&str; 6] = ["inputs", "test", "labels", "annotations", "spec", "metadata"];

/// Lists that are always written with one item per line.
const BLOCK_LISTS: [&str; 9] = [
    "connections",
    "overrides",
    "resources",
    "configurations",
    "configMapGenerator",
    "patches",
    "requiredConfigVars",
    "steps",
    "flows",
];
/// Lists whose items are written with one entry per line too.
const SPREAD_LISTS: [&str; 6] = ["configMapGenerator", "overrides", "patches", "requiredConfigVars", "steps", "flows"];

/// Formats `key: value` for a block map with its keys at `indent`.
pub(super) fn entry(key: &str, value: &Value, indent: usize, style: TextStyle<'_>) -> String {
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

/// Formats the content of a map or list for the lines below its key, with a line break before each.
pub(super) fn below(value: &Value, indent: usize, style: TextStyle<'_>) -> String {
    let content = match value {
        Value::Map(entries) => block_map(entries, indent, style),
        Value::List(items) => block_list(items, indent, style),
        value => flow(value, style.json),
    };
    format!("{}{content}", break_to(indent, style))
}

/// Formats the entries of a block map, without the indentation of the first.
pub(super) fn block_map(entries: &[(String, Value)], indent: usize, style: TextStyle<'_>) -> String {
    let lines: Vec<_> = entries.iter().map(|(key, value)| entry(key, value, indent, style)).collect();
    lines.join(&break_to(indent, style))
}

/// Formats the items of a block list, without the indentation of the first.
pub(super) fn block_list(items: &[Value], indent: usize, style: TextStyle<'_>) -> String {
    let lines: Vec<_> = items.iter().map(|value| item(value, indent, style)).collect();
    lines.join(&break_to(indent, style))
}

/// Formats `- value` for a block list with its dashes at `indent`.
pub(super) fn item(value: &Value, indent: usize, style: TextStyle<'_>) -> String {
    match value {
        Value::Map(entries) if style.spread && !entries.is_empty() => {
            format!("- {}", block_map(entries, indent + 2, style))
        }
        value => format!("- {}", flow(value, style.json)),
    }
}

/// A line break followed by indentation.
pub(super) fn break_to(indent: usize, style: TextStyle<'_>) -> String {
    format!("{}{}", style.newline, " ".repeat(indent))
}

/// Formats a value on one line.
pub(super) fn flow(value: &Value, json: bool) -> String {
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

/// The indentation of the lines of a value in braces.
pub(super) struct LineStyle<'a> {
    /// The indentation of the line on which the value begins.
    pub lead: &'a str,
    /// The additional indentation of each level.
    pub unit: &'a str,
}

/// Formats a value in braces, with one line per entry of a map.
pub(super) fn flow_lines(value: &Value, lines: &LineStyle<'_>, style: TextStyle<'_>) -> String {
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

/// Formats `key: value` on one line.
pub(super) fn flow_entry(key: &str, value: &Value, json: bool) -> String {
    format!("{}: {}", flow_text(key, json), flow(value, json))
}

/// Formats a string: plain if no parser can misread it, else in double quotes.
pub(super) fn flow_text(text: &str, json: bool) -> String {
    if !json && is_plain(text) { text.to_string() } else { double_quoted(text, json) }
}

/// Formats a string in the style of the one that it replaces, if possible.
pub(super) fn like(text: &str, style: ScalarStyle, json: bool) -> String {
    match style {
        ScalarStyle::SingleQuoted if !text.chars().any(is_invisible) => {
            format!("'{}'", text.replace('\'', "''"))
        }
        ScalarStyle::Plain if is_plain(text) => text.to_string(),
        _ => double_quoted(text, json),
    }
}

/// Whether a text has only words of letters, digits and `_ . / -`, separated by single blanks, and begins with a
/// letter.
fn is_plain(text: &str) -> bool {
    let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_./-".contains(&b));
    text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
        && text.len() <= 100
        && text.split(' ').all(word)
        && scalar::plain(text).is_none()
}

/// Formats a string in double quotes, with all invisible characters escaped, so that a reader of the file sees them.
/// Characters beyond the basic plane are escaped as YAML or as JSON does.
pub(super) fn double_quoted(text: &str, json: bool) -> String {
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

/// Whether a character is invisible, or must be escaped in YAML.
fn is_invisible(c: char) -> bool {
    is_dangerous(c) || matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// Formats a string of several lines as a block scalar, with its lines at `indent`; `None` if that is impossible.
pub(super) fn literal(text: &str, indent: usize, newline: &str) -> Option<String> {
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
