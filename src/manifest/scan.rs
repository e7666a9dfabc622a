//! Finds the names of resources in a file by a scan of its lines, for completions: fast, and content with a file that is
//! half written. It is no reader: what it does not understand it passes over.

use crate::api::{GROUP, Kind};

/// A resource of Stablekey's, as far as its lines tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mention {
    /// The name in its metadata.
    pub name: String,
    /// The stable key of a Connection, the key of a Component.
    pub key: Option<String>,
    /// The title, or what describes it in its place.
    pub title: Option<String>,
    /// The folders of a Tenant: its location, its source.
    pub folders: Vec<String>,
    /// The file with the definition of an Integration.
    pub definition: Option<String>,
    /// The variables of an Integration, the connection types of a Component, the inputs of a Connection.
    pub parts: Vec<String>,
    /// The customer of CustomerCredentials.
    pub customer: Option<String>,
}

/// The resources of a file, with their kinds, in order.
pub fn scan(text: &str) -> Vec<(Kind, Mention)> {
    let mut found = Vec::new();
    // Most YAML files that are not ours do not contain the group.
    if !text.contains(GROUP) {
        return found;
    }
    let mut document = Document::default();
    for line in text.strip_prefix('\u{feff}').unwrap_or(text).lines() {
        if is_separator(line) {
            found.extend(std::mem::take(&mut document).mention());
        } else {
            document.line(line);
        }
    }
    found.extend(document.mention());
    found
}

fn is_separator(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r']))
}

/// A document, line by line.
#[derive(Default)]
struct Document<'t> {
    /// The keys that the next line is within, each with its indent.
    path: Vec<(usize, &'t str)>,
    is_ours: bool,
    kind: Option<Kind>,
    mention: Mention,
    /// The indent of a block text, whose lines are no keys.
    text_above: Option<usize>,
}

impl<'t> Document<'t> {
    fn line(&mut self, line: &'t str) {
        let trimmed = line.trim_ascii_start();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            return;
        }
        let mut indent = line.len() - trimmed.len();
        if self.text_above.is_some_and(|above| indent > above) {
            return;
        }
        self.text_above = None;
        let mut rest = trimmed.trim_ascii_end();
        // An item of a list: its first key is further right.
        let mut is_item = false;
        while let Some(item) = rest.strip_prefix("- ") {
            let item_trimmed = item.trim_ascii_start();
            indent += rest.len() - item_trimmed.len();
            (rest, is_item) = (item_trimmed, true);
        }
        while self.path.last().is_some_and(|(above, _)| *above >= indent) {
            self.path.pop();
        }
        if is_item && rest.starts_with('{') {
            self.flow(rest, self.path.len());
            return;
        }
        if let Some(flow) = rest.strip_prefix('{').filter(|_| self.path.is_empty()) {
            // JSON: a line of its own for the brace, or all in one line.
            if !flow.trim().is_empty() {
                self.flow(rest, 0);
            }
            return;
        }
        let Some((key, value)) = entry(rest) else { return };
        if value.is_empty() || value == "{" || value == "[" {
            self.path.push((indent, key));
        } else if value.starts_with('{') {
            self.path.push((indent, key));
            let depth = self.path.len();
            self.flow(value, depth);
            self.path.truncate(depth);
        } else if value.starts_with(['|', '>']) {
            self.text_above = Some(indent);
        } else {
            self.field(key, value);
        }
    }

    /// Reads a map in flow style.
    fn flow(&mut self, text: &'t str, depth: usize) {
        /// Deeper maps hold nothing to complete.
        const DEEPEST: usize = 8;
        if depth > DEEPEST {
            return;
        }
        for part in parts(text) {
            let Some((key, value)) = entry(part) else { continue };
            self.path.truncate(depth);
            if value.starts_with('{') {
                self.path.push((usize::MAX, key));
                self.flow(value, depth + 1);
            } else if value.starts_with('[') {
                self.path.push((usize::MAX, key));
                let items: Vec<&str> = parts(value).into_iter().filter(|item| item.starts_with('{')).collect();
                items.into_iter().for_each(|item| self.flow(item, depth + 1));
            } else {
                self.field(key, value);
            }
        }
        self.path.truncate(depth);
    }

    /// Takes the value of a field below the current path.
    fn field(&mut self, key: &'t str, value: &'t str) {
        let above = |depth: usize| self.path.get(depth).map_or("", |(_, key)| *key);
        let mention = &mut self.mention;
        let (top, second) = (above(0), above(1));
        let one = match (self.path.len(), top, second, key) {
            (0, _, _, "apiVersion") => {
                self.is_ours = scalar(value).is_some_and(|value| value.split('/').next() == Some(GROUP));
                return;
            }
            (0, _, _, "kind") => {
                self.kind = scalar(value).and_then(Kind::parse);
                return;
            }
            (1, "metadata", _, "name") => {
                mention.name = scalar(value).unwrap_or_default().to_string();
                return;
            }
            (1, "spec", _, "stableKey" | "key") => &mut mention.key,
            (1, "spec", _, "title") => &mut mention.title,
            (1, "spec", _, "customer") => &mut mention.customer,
            (2, "spec", "definition", "file") => &mut mention.definition,
            (2, "spec", "connections", "name") | (2, "spec", "types", "key") => {
                mention.parts.extend(scalar(value).map(str::to_string));
                return;
            }
            (2, "spec", "source", "path") | (3, "spec", "location", "path") => {
                mention.folders.extend(scalar(value).map(str::to_string));
                return;
            }
            (3.., "spec", "inputs", _) => return self.part_above(2),
            _ => return,
        };
        *one = scalar(value).map(str::to_string);
    }

    /// Takes the key at this depth as a part: the name of an input.
    fn part_above(&mut self, depth: usize) {
        let Some((_, name)) = self.path.get(depth) else { return };
        if self.mention.parts.last().map(String::as_str) != Some(name) {
            self.mention.parts.push((*name).into());
        }
    }

    fn mention(self) -> Option<(Kind, Mention)> {
        let kind = self.kind.filter(|_| self.is_ours && !self.mention.name.is_empty())?;
        Some((kind, self.mention))
    }
}

/// The key and the value of `key: value`; `None` for any other text.
fn entry(text: &str) -> Option<(&str, &str)> {
    let (key, rest) = match text.strip_prefix(['"', '\'']) {
        Some(quoted) => {
            let end = quoted.find([text.chars().next()?])?;
            (quoted.get(..end)?, quoted.get(end + 1..)?)
        }
        None => {
            let end = text.find(':')?;
            (text.get(..end)?, text.get(end..)?)
        }
    };
    let value = rest.trim_ascii_start().strip_prefix(':')?;
    let is_key = value.is_empty() || value.starts_with([' ', '\t']) || text.starts_with('"');
    is_key.then(|| (key.trim_ascii(), value.trim_ascii_start().trim_end_matches([',', ' ', '\t'])))
}

/// The parts of a map or list in flow style, between its commas.
fn parts(text: &str) -> Vec<&str> {
    let inner = text.get(1..).unwrap_or_default();
    let (mut parts, mut depth, mut quote, mut start) = (Vec::new(), 0_usize, None, 0);
    for (at, c) in inner.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '{' | '[') => depth += 1,
            (None, '}' | ']') if depth == 0 => {
                parts.push(inner.get(start..at).unwrap_or_default().trim());
                return parts;
            }
            (None, '}' | ']') => depth -= 1,
            (None, ',') if depth == 0 => {
                parts.push(inner.get(start..at).unwrap_or_default().trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(inner.get(start..).unwrap_or_default().trim());
    parts
}

/// A plain or quoted value, without a comment after it; `None` for what is no simple text.
fn scalar(value: &str) -> Option<&str> {
    let first = value.chars().next()?;
    let text = match first {
        '"' | '\'' => {
            let inner = value.get(1..)?;
            inner.get(..inner.find(first)?)?
        }
        '&' | '*' | '!' | '[' | '{' | '|' | '>' | '%' | '@' | '`' => return None,
        _ if value.contains('#') => value.split(" #").next().unwrap_or(value).trim_ascii(),
        _ => value.trim_ascii(),
    };
    let is_simple = !text.is_empty() && !text.bytes().any(|byte| byte.is_ascii_control() || byte == b'\\');
    is_simple.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mention(name: &str) -> Mention {
        Mention { name: name.into(), ..Mention::default() }
    }

    const BLOCK: &str = "apiVersion: stablekey.dev/v1alpha1
kind: Connection
metadata:
  name: slack-bot
  labels: {name: other}
spec:
  stableKey: slack_bot # the key
  title: 'Slack: bot'
  description: |
    stableKey: no
    kind: no
  component:
    key: slack
  type: bot
  credentials: OrganizationGlobal
  inputs:
    scopes:
      value: chat
    token: {secretRef: {name: slack, key: token}}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: other
---
apiVersion: stablekey.dev/v1alpha1
kind: Integration
metadata: {name: lead-router}
spec:
  title: Lead router
  connections:
  - {name: Salesforce Connection, stableKey: salesforce-oauth}
  - name: Warehouse
    own: {component: {key: postgres}, type: postgres}
  definition: {file: lead-router.definition}
";

    fn expected() -> Vec<(Kind, Mention)> {
        vec![
            (
                Kind::Connection,
                Mention {
                    key: Some("slack_bot".into()),
                    title: Some("Slack: bot".into()),
                    parts: vec!["scopes".into(), "token".into()],
                    ..mention("slack-bot")
                },
            ),
            (
                Kind::Integration,
                Mention {
                    title: Some("Lead router".into()),
                    parts: vec!["Salesforce Connection".into(), "Warehouse".into()],
                    definition: Some("lead-router.definition".into()),
                    ..mention("lead-router")
                },
            ),
        ]
    }

    #[test]
    fn names_are_found_in_block_and_flow_style() {
        assert_eq!(scan(BLOCK), expected());
        assert_eq!(scan(&BLOCK.replace('\n', "\r\n")), expected());
        assert_eq!(scan(&format!("\u{feff}{BLOCK}")), expected());
    }

    /// A JSON manifest holds the same, in one line or many.
    #[test]
    fn names_are_found_in_json() {
        for (kind, mention) in expected() {
            let reading = crate::manifest::read_text("a.yaml", BLOCK.to_string());
            let document = reading.documents.iter().find(|document| document.resource.kind() == kind);
            let yaml = crate::manifest::to_yaml(&document.unwrap().resource).unwrap();
            let json: serde_json::Value = serde_saphyr::from_str(&yaml).unwrap();
            for text in [json.to_string(), serde_json::to_string_pretty(&json).unwrap()] {
                let mut found = scan(&text);
                // The order of keys in JSON is another.
                found.iter_mut().for_each(|(_, mention)| mention.parts.sort());
                assert_eq!(found, [(kind, mention.clone())], "{text}");
            }
        }
    }

    #[test]
    fn tenants_have_folders() {
        let text = "apiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {name: eu}\nspec:\n  location:\n    \
                    directory:\n      path: eu-live\n  source: {path: declared/eu}\n";
        let folders = vec!["eu-live".to_string(), "declared/eu".to_string()];
        assert_eq!(scan(text), [(Kind::Tenant, Mention { folders, ..mention("eu") })]);
    }

    /// "never a parse": any text is scanned, whatever it is.
    #[test]
    fn broken_texts_are_passed_over() {
        for text in [
            "",
            "stablekey.dev",
            "{",
            "stablekey.dev: {",
            "a: [{stablekey.dev",
            "stablekey.dev\n- - - {a: {b",
            "\"",
            "'stablekey.dev",
        ] {
            assert_eq!(scan(text), [], "{text}");
        }
        let half = "apiVersion: stablekey.dev/v1alpha1\nkind: Connection\nmetadata:\n  name: a\nspec:\n  stableKey: a-key\n  inputs: {\n";
        assert_eq!(scan(half)[0].1.key.as_deref(), Some("a-key"));
        let deep = format!("stablekey.dev: {}", "{a: ".repeat(100_000));
        assert_eq!(scan(&deep), []);
    }
}
