//! Canonical JSON and hashes over it: sorted keys and no blanks, so that equal values have equal bytes on every machine
//! and in any order of reading.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::fmt;

/// Writes `value` in canonical form.
pub fn write(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => write_list(items.iter(), out, write),
        Value::Object(map) => {
            // Sorted explicitly: a feature of another crate can make serde_json keep the insertion order.
            let mut entries: Vec<_> = map.iter().map(|(key, item)| (key.as_str(), item)).collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            write_object(entries.into_iter(), out, write);
        }
        Value::String(text) => write_text(text, out),
        Value::Null | Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
    }
}

/// Writes entries, sorted by key, as an object.
pub fn write_object<'k, V>(
    entries: impl Iterator<Item = (&'k str, V)>,
    out: &mut String,
    mut value: impl FnMut(V, &mut String),
) {
    out.push('{');
    for (position, (key, entry)) in entries.enumerate() {
        if position > 0 {
            out.push(',');
        }
        write_text(key, out);
        out.push(':');
        value(entry, out);
    }
    out.push('}');
}

/// Writes `items` as a list.
pub fn write_list<V>(items: impl Iterator<Item = V>, out: &mut String, mut item: impl FnMut(V, &mut String)) {
    out.push('[');
    for (position, value) in items.enumerate() {
        if position > 0 {
            out.push(',');
        }
        item(value, out);
    }
    out.push(']');
}

/// Writes `text` as a JSON string.
pub fn write_text(text: &str, out: &mut String) {
    out.push('"');
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[plain..at]);
        plain = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => out.push_str(&format!("\\u{byte:04x}")),
        }
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

/// A value as canonical text: a tree of the same value takes twenty times the memory.
#[derive(Clone, PartialEq, Eq)]
pub struct Json(Box<str>);

impl Json {
    /// Builds a value from canonical text that `write` writes.
    pub(in crate::engine) fn written(write: impl FnOnce(&mut String)) -> Self {
        let mut text = String::new();
        write(&mut text);
        Json(text.into())
    }

    /// The canonical text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The value as a tree.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or(Value::Null)
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        Json::written(|text| write(&value, text))
    }
}

impl Serialize for Json {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        // Serialized as a tree, so that it is formatted like its surroundings.
        let value: Value = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        value.serialize(to)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `value` in canonical form; fails only if a map has keys that are no strings.
pub fn to_string(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut out = String::new();
    write(&serde_json::to_value(value)?, &mut out);
    Ok(out)
}

/// A complete SHA-256 digest of an action, a plan or a definition.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// A digest over canonical text that is written in parts, since a tenant is large.
#[derive(Default)]
pub struct Digesting {
    hash: Sha256,
    /// A buffer for the next part, reused.
    text: String,
}

impl Digesting {
    /// Adds an object; its entries may come in any order.
    pub fn object<V>(&mut self, mut entries: Vec<(String, V)>, mut value: impl FnMut(&mut Self, V)) {
        entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        self.take(|text| text.push('{'));
        for (position, (key, entry)) in entries.into_iter().enumerate() {
            self.take(|text| {
                text.push_str(if position > 0 { "," } else { "" });
                write_text(&key, text);
                text.push(':');
            });
            value(self, entry);
        }
        self.take(|text| text.push('}'));
    }

    /// Adds a complete value.
    pub fn value(&mut self, value: &Value) {
        self.take(|text| write(value, text));
    }

    /// Adds the canonical text that `write` writes.
    pub fn written(&mut self, write: impl FnOnce(&mut String)) {
        self.take(write);
    }

    /// The digest of everything that was added.
    pub fn finish(self) -> Digest {
        Digest(self.hash.finalize().into())
    }

    fn take(&mut self, write: impl FnOnce(&mut String)) {
        self.text.clear();
        write(&mut self.text);
        self.hash.update(&self.text);
    }
}

impl Digest {
    /// Digests bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Digest(Sha256::digest(bytes).into())
    }
}

/// The number of hexadecimal digits of a digest that tell people which one it is, and the minimum that must be given.
pub const SHORT: usize = 12;

/// The number of hexadecimal digits of a digest that a command shows for approval. Who may propose changes can search for
/// two whose digests begin alike, and have the harmless one approved: with so many digits that search does not end.
pub const TO_APPROVE: usize = 32;

/// The first [`SHORT`] digits of a digest, for people.
pub fn short(digest: &str) -> &str {
    begin(digest, SHORT)
}

/// The first [`TO_APPROVE`] digits of a digest, for a command that approves it.
pub fn to_approve(digest: &str) -> &str {
    begin(digest, TO_APPROVE)
}

fn begin(digest: &str, digits: usize) -> &str {
    digest.get(.."sha256:".len() + digits).unwrap_or(digest)
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// The first 8 bytes of SHA-256 over a field's canonical JSON: 16 hex digits in the ownership record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldHash([u8; 8]);

impl FieldHash {
    /// Hashes a field's canonical JSON.
    pub fn of(canonical: &str) -> Self {
        let mut first = [0; 8];
        first.copy_from_slice(&Sha256::digest(canonical.as_bytes())[..8]);
        FieldHash(first)
    }

    /// Writes 16 hex digits.
    pub fn write(&self, out: &mut String) {
        const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
        for byte in self.0 {
            out.push(DIGITS[usize::from(byte >> 4)]);
            out.push(DIGITS[usize::from(byte & 15)]);
        }
    }

    /// A hash that matches no value.
    pub const UNKNOWN: FieldHash = FieldHash([0; 8]);

    /// Parses 16 hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let number = u64::from_str_radix(text, 16).ok()?;
        (text.len() == 16 && !text.starts_with('+')).then(|| FieldHash(number.to_be_bytes()))
    }
}

impl fmt::Display for FieldHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for FieldHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_digest_does_not_depend_on_the_parts_of_the_text() {
        let value = json!({"b": {"y": [1], "x \"1\"": null}, "a": {}});
        let parts = |value: Value| match value {
            Value::Object(map) => map.into_iter().rev().collect::<Vec<_>>(),
            _ => Vec::new(),
        };
        let mut digesting = Digesting::default();
        digesting.object(parts(value.clone()), |digesting, part| {
            digesting.object(parts(part), |digesting, part| digesting.value(&part));
        });
        assert_eq!(digesting.finish(), Digest::of(to_string(&value).unwrap().as_bytes()));
    }

    #[test]
    fn a_value_is_the_same_as_text_and_as_a_tree() {
        for value in [json!({"b": [1, true, null], "a": {"q\"": "\u{1}\u{8}ü"}}), json!("x"), json!([]), json!({})] {
            let json = Json::from(value.clone());
            assert_eq!(json.value(), value);
            assert_eq!(serde_json::to_value(&json).unwrap(), value, "a tree has no text in it");
            assert_eq!(json.text(), to_string(&value).unwrap());
            assert_eq!(to_string(&json).unwrap(), json.text());
        }
    }

    #[test]
    fn keys_are_sorted_and_texts_escaped_as_json_does() {
        let mut out = String::new();
        write(&json!({"b": [1, true, null], "a": "q\"\\\n\u{1}ü"}), &mut out);
        assert_eq!(out, r#"{"a":"q\"\\\n\u0001ü","b":[1,true,null]}"#);
        let back: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(back["a"], "q\"\\\n\u{1}ü");
    }

    #[test]
    fn a_field_hash_is_sixteen_hex_digits() {
        let hash = FieldHash::of("\"api\"");
        assert_eq!(hash.to_string().len(), 16);
        assert_eq!(FieldHash::parse(&hash.to_string()), Some(hash));
        assert_eq!(FieldHash::parse("12"), None);
        assert_eq!(FieldHash::parse("+123456789abcdef"), None);
    }
}
