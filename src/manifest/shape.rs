//! Checks the tree of a document against the schema of its kind, and reports every mismatch with what to do.

use super::limits;
use super::problem::shown;
use super::scalar::{self, Plain};
use super::schema::{Schema, SchemaField, SchemaShape};
use super::source::{first_line_of, position};
use super::tree::{Id, MapEntry, NodeKind, Tag, Tree};
use super::words::{alternative, example, example_fields, is_identifier, nearest, quoted};
use std::collections::HashMap;
use std::ops::Range;

/// A mismatch between a document and its schema.
#[derive(Debug)]
pub(super) struct ShapeFinding {
    /// The byte range in the slice.
    pub at: Range<usize>,
    /// The problem.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// The result of a check.
#[derive(Default)]
pub(super) struct Checked {
    /// The mismatches, in the order of the document.
    pub findings: Vec<ShapeFinding>,
    /// The amount of text that aliases repeat in values that are read, in bytes.
    pub aliased: usize,
}

/// Checks the node `root` against a schema. `first_line` is the line on which the slice begins.
pub(super) fn check(tree: &Tree<'_>, root: Id, schema: &Schema, first_line: u32) -> Checked {
    let mut walk = Walk { tree, first_line, path: Vec::new(), repeating: 0, checked: Checked::default() };
    walk.value(root, tree.resolve(root).span(), schema);
    walk.checked.findings.sort_by_key(|finding| finding.at.start);
    walk.checked
}

struct Walk<'a, 't> {
    tree: &'a Tree<'t>,
    first_line: u32,
    path: Vec<WalkStep<'a>>,
    /// The number of aliases on the path to the current node.
    repeating: usize,
    checked: Checked,
}

#[derive(Clone, Copy)]
enum WalkStep<'a> {
    Key(&'a str),
    Item(usize),
}

impl<'a> Walk<'a, '_> {
    /// Checks the value `id`; `at` is the position for problems: its key, or itself in a list.
    fn value(&mut self, id: Id, at: Range<usize>, schema: &'a Schema) {
        let is_alias = usize::from(self.tree.target(id) != id);
        self.repeating += is_alias;
        if self.repeating > 0 {
            self.checked.aliased += self.tree.scalar(id).map_or(0, str::len) + size_of::<String>();
        }
        self.node(id, at, schema);
        self.repeating -= is_alias;
    }

    fn node(&mut self, id: Id, at: Range<usize>, schema: &'a Schema) {
        let node = self.tree.resolve(id);
        if node.tag == Tag::Other || (node.tag == Tag::Core && matches!(node.kind, NodeKind::Scalar { .. })) {
            let message = format!("{} has a tag", self.here());
            let start = self.tree.text.get(..node.span().start).and_then(|before| before.rfind('!'));
            let at = start.map_or(node.span(), |start| start..start + 1);
            self.find(at, message, "take the `!…` away and write the value plainly".into());
            return;
        }
        match (&schema.shape, &node.kind) {
            (SchemaShape::Any, _) => {}
            (SchemaShape::Map { fields, one_of }, NodeKind::Map { entries, .. }) => {
                self.map(at, entries, fields, one_of.as_deref(), schema.private);
            }
            (SchemaShape::Dict { value, max }, NodeKind::Map { entries, .. }) => self.dict(at, entries, value, *max),
            (SchemaShape::List { item, min, max }, NodeKind::List { items, .. }) => {
                self.list(at, items, item, *min, *max)
            }
            (SchemaShape::Text { min, max, pattern, options }, NodeKind::Scalar { text, .. }) => {
                match self.tree.plain(id) {
                    Some(read) => self.quote(node.span(), text, read, options, schema.private),
                    None if !options.is_empty() => self.option(node.span(), text, options),
                    None => {
                        self.bounds(node.span(), text, *min, *max);
                        if let Some(pattern) = pattern
                            && !pattern.is_match(text)
                        {
                            self.pattern(node.span(), text, pattern.as_str());
                        }
                    }
                }
            }
            (SchemaShape::Bool, NodeKind::Scalar { .. }) if matches!(self.tree.plain(id), Some(Plain::Bool(_))) => {}
            (SchemaShape::Int { min, max }, NodeKind::Scalar { text, .. })
                if self.tree.plain(id) == Some(Plain::Int) =>
            {
                if scalar::integer(text).is_none_or(|number| number < *min || number > *max) {
                    let bounds = if *max == i64::MAX { format!("{min} or more") } else { format!("{min} to {max}") };
                    self.find(node.span(), format!("{} is out of range", self.here()), format!("write {bounds}"));
                }
            }
            _ => self.wrong_type(id, at, schema),
        }
    }

    fn map(
        &mut self,
        at: Range<usize>,
        entries: &'a [MapEntry],
        fields: &'a [SchemaField],
        one_of: Option<&str>,
        private: bool,
    ) {
        let mut seen = SeenKeys::default();
        let mut present: Vec<Option<MapEntry>> = vec![None; fields.len()];
        let mut unknown = false;
        let mut meant: Vec<&str> = Vec::new();
        for entry in entries {
            let Some(key) = self.key(entry, &mut seen) else { continue };
            match fields.iter().position(|field| field.name == key) {
                Some(index) => {
                    if !self.tree.is_null(entry.value) {
                        present[index] = Some(*entry);
                        self.child(WalkStep::Key(key), entry, &fields[index].schema);
                        let is_false = self.tree.plain(entry.value) == Some(Plain::Bool(false));
                        if fields[index].is_alternative && is_false {
                            let message = format!("{}.{key} can only be true", self.here());
                            self.find(
                                self.tree.node(entry.value).span(),
                                message,
                                "take it away, or write true".into(),
                            );
                        }
                    }
                }
                None => {
                    unknown = true;
                    meant.extend(self.unknown(entry, key, fields, private));
                }
            }
        }
        for (field, entry) in fields.iter().zip(&present) {
            if field.required && entry.is_none() && !meant.contains(&field.name.as_str()) {
                let message = format!("{} lacks `{}`", self.here(), field.name);
                self.find(at.clone(), message, format!("add `{}`", example(&field.name, &field.schema)));
            }
        }
        if let Some(message) = one_of {
            let mut given =
                fields.iter().zip(&present).filter(|(field, entry)| field.is_alternative && entry.is_some());
            match (given.next(), given.next()) {
                (None, _) if !unknown => {
                    let choices: Vec<_> = fields.iter().filter(|field| field.is_alternative).map(alternative).collect();
                    self.find(at, format!("{}: {message}", self.here()), format!("write {}", choices.join(" or ")));
                }
                (Some((first, _)), Some((second, Some(entry)))) => {
                    let help = format!("keep `{}` or `{}` and take the other away", first.name, second.name);
                    self.find(self.tree.node(entry.key).span(), format!("{}: {message}", self.here()), help);
                }
                _ => {}
            }
        }
    }

    fn dict(&mut self, at: Range<usize>, entries: &'a [MapEntry], value: &'a Schema, max: usize) {
        if entries.len() > max {
            self.find(at, format!("{} has {} keys, and {max} is the most", self.here(), entries.len()), FEWER.into());
            return;
        }
        let mut seen = SeenKeys::default();
        for entry in entries {
            let Some(key) = self.key(entry, &mut seen) else { continue };
            if let Some(read) = self.tree.plain(entry.key) {
                let message =
                    format!("a key in {} is not quoted, and kubectl reads it as {}", self.here(), read.as_words());
                self.find(self.tree.node(entry.key).span(), message, format!("quote it: {}", quoted(key)));
            }
            if !self.tree.is_null(entry.value) {
                self.child(WalkStep::Key(key), entry, value);
            }
        }
    }

    fn list(&mut self, at: Range<usize>, items: &[Id], item: &'a Schema, min: usize, max: usize) {
        if items.len() > max {
            self.find(at, format!("{} has {} items, and {max} is the most", self.here(), items.len()), FEWER.into());
            return;
        }
        if items.len() < min {
            self.find(at, format!("{} is empty", self.here()), format!("write at least {min}"));
        }
        for (position, id) in items.iter().enumerate() {
            self.path.push(WalkStep::Item(position));
            self.value(*id, self.first_of(*id), item);
            self.path.pop();
        }
    }

    fn child(&mut self, step: WalkStep<'a>, entry: &MapEntry, schema: &'a Schema) {
        self.path.push(step);
        self.repeating += usize::from(entry.merged);
        self.value(entry.value, self.tree.node(entry.key).span(), schema);
        self.repeating -= usize::from(entry.merged);
        self.path.pop();
    }

    /// The text of a key, unless it is not a string or a duplicate.
    fn key(&mut self, entry: &MapEntry, seen: &mut SeenKeys<'a>) -> Option<&'a str> {
        let node = self.tree.node(entry.key);
        let Some(key) = self.tree.scalar(entry.key) else {
            let message = format!("a key in {} is a map or a list", self.here());
            self.find(node.span(), message, "a key is text: write `key: value`".into());
            return None;
        };
        if node.tag != Tag::None && node.tag != Tag::String {
            let message = format!("a key in {} has a tag", self.here());
            self.find(node.span(), message, "take the `!…` away".into());
        }
        if let Some(first) = seen.insert(key, entry.key) {
            if self.checked.findings.len() >= limits::FINDINGS {
                return None;
            }
            let line = position(self.tree.text, self.first_line, self.tree.node(first).span().start).line;
            let message = format!("a key occurs twice in {}", self.here());
            self.find(node.span(), message, format!("keep one; the first is on line {line}"));
            return None;
        }
        Some(key)
    }

    /// Reports an unknown field; returns the one that was probably meant.
    fn unknown(&mut self, entry: &MapEntry, key: &str, fields: &'a [SchemaField], private: bool) -> Option<&'a str> {
        let near = nearest(key, fields.iter().map(|field| field.name.as_str()));
        // Without a value, it may be a value that lost its name.
        let is_name = !private && is_identifier(key) && !self.tree.is_null(entry.value);
        let message = match near.is_some() || is_name {
            true => format!("{} has no field `{}`", self.here(), shown(key)),
            false => format!("{} has no such field", self.here()),
        };
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let ours = fields.iter().filter(|field| !matches!(field.schema.shape, SchemaShape::Any));
                let known: Vec<_> = ours.map(|field| field.name.as_str()).collect();
                format!("take it away; fields here are {}", known.join(", "))
            }
        };
        self.find(self.tree.node(entry.key).span(), message, help);
        near
    }

    fn quote(&mut self, at: Range<usize>, text: &str, read: Plain, options: &[String], private: bool) {
        if read == Plain::Null {
            let message = format!("{} is empty", self.here());
            return self.find(at, message, "write a text, or take the line away".into());
        }
        let message = format!("{} is not quoted, and kubectl reads it as {}", self.here(), read.as_words());
        let help = match (private, options.is_empty()) {
            (true, _) => "quote it: \"…\"".into(),
            (false, true) => format!("quote it: {}", quoted(text)),
            (false, false) => format!("write one of {}", options.join(", ")),
        };
        self.find(at, message, help);
    }

    fn option(&mut self, at: Range<usize>, text: &str, options: &[String]) {
        if options.iter().any(|option| option == text) {
            return;
        }
        let what = if is_identifier(text) { format!("`{}`", shown(text)) } else { "what stands there".into() };
        let message = format!("{}: {what} is not one of {}", self.here(), options.join(", "));
        let help = match nearest(text, options.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write one of them, exactly so".into(),
        };
        self.find(at, message, help);
    }

    fn bounds(&mut self, at: Range<usize>, text: &str, min: usize, max: usize) {
        if text.len() < min && text.is_empty() {
            self.find(at, format!("{} is empty", self.here()), "write a text".into());
        } else if text.len() > max {
            let length = text.chars().count();
            if length > max {
                let message = format!("{} is {length} characters long, and {max} is the most", self.here());
                self.find(at, message, "write a shorter text".into());
            }
        }
    }

    fn pattern(&mut self, at: Range<usize>, text: &str, pattern: &str) {
        if pattern == crate::api::names::STABLE_KEY {
            let message = format!("{} is no stable key", self.here());
            let help = "a stable key is letters, digits, - and _, begins and ends with a letter or digit, at most 63 characters";
            let near = text.replace([' ', '.', '/', ':'], "-");
            // A text of several lines may include a line that lost its colon: no name is derived from it.
            let one_line = first_line_of(self.tree.text, at.clone()) == at;
            let help = match one_line && crate::api::names::is_stable_key(&near) {
                true => format!("{help}: for example `{near}`"),
                false => help.to_string(),
            };
            self.find(at, message, help);
        } else {
            self.find(at, format!("{} does not match its pattern", self.here()), format!("it must match {pattern}"));
        }
    }

    fn wrong_type(&mut self, id: Id, at: Range<usize>, schema: &Schema) {
        let node = self.tree.resolve(id);
        let is = match &node.kind {
            NodeKind::Map { .. } => "a map",
            NodeKind::List { .. } => "a list",
            _ => self.tree.plain(id).map_or("a text", Plain::as_words),
        };
        let at = match node.kind {
            NodeKind::Scalar { .. } if !node.span().is_empty() => self.tree.node(id).span(),
            _ => at,
        };
        let (wants, help) = match &schema.shape {
            SchemaShape::Text { options, .. } if options.is_empty() => {
                ("a text", "write a text, in quotes where it is not a plain word".into())
            }
            SchemaShape::Text { options, .. } => ("a text", format!("write one of {}", options.join(", "))),
            SchemaShape::Bool => ("true or false", "write true or false, without quotes".into()),
            SchemaShape::Int { .. } => ("a whole number", "write digits, without quotes".into()),
            SchemaShape::Map { fields, one_of: Some(_) } if fields.iter().all(|f| f.required || f.is_alternative) => {
                let choices: Vec<_> = fields.iter().map(alternative).collect();
                ("a map", format!("write {}", choices.join(" or ")))
            }
            SchemaShape::Map { fields, .. } => ("a map", format!("write `{}`", example_fields(fields))),
            SchemaShape::Dict { .. } => ("a map", "write `name: …` for each, one to a line".into()),
            SchemaShape::List { .. } => ("a list", "write `- …` for each item, one to a line, or [a, b]".into()),
            SchemaShape::Any => return,
        };
        if self.tree.text.get(node.span()).is_some_and(|text| text.starts_with("{{")) {
            let help = "this file is a template: read what it becomes (`helm template`, `envsubst`), not itself";
            return self.find(at, format!("{} is a template", self.here()), help.into());
        }
        self.find(at, format!("{} must be {wants}, and is {is}", self.here()), help);
    }

    /// The position for problems of a list item: its first key, or itself.
    fn first_of(&self, id: Id) -> Range<usize> {
        let span = |id: Id| self.tree.node(id).span();
        match self.tree.target(id) == id {
            true => self.tree.entries(id).first().map_or(span(id), |entry| span(entry.key)),
            false => span(id),
        }
    }

    fn here(&self) -> String {
        if self.path.is_empty() {
            return "the document".into();
        }
        let mut out = String::new();
        for step in &self.path {
            match step {
                WalkStep::Key(key) if out.is_empty() => out.push_str(&shown(key)),
                WalkStep::Key(key) => {
                    out.push('.');
                    out.push_str(&shown(key));
                }
                WalkStep::Item(position) => out.push_str(&format!("[{position}]")),
            }
        }
        out
    }

    fn find(&mut self, at: Range<usize>, message: String, help: String) {
        if self.checked.findings.len() < limits::FINDINGS {
            self.checked.findings.push(ShapeFinding { at, message, help });
        }
    }
}

const FEWER: &str = "write fewer, or split it";

/// The keys of one map: few are compared, many are hashed.
#[derive(Default)]
struct SeenKeys<'a> {
    few: Vec<(&'a str, Id)>,
    many: HashMap<&'a str, Id>,
}

impl<'a> SeenKeys<'a> {
    /// Returns the first key with this text, if there was one.
    fn insert(&mut self, key: &'a str, id: Id) -> Option<Id> {
        const FEW: usize = 16;
        if self.few.len() < FEW {
            if let Some((_, first)) = self.few.iter().find(|(known, _)| *known == key) {
                return Some(*first);
            }
            self.few.push((key, id));
            return None;
        }
        if self.many.is_empty() {
            self.many.extend(self.few.iter().copied());
        }
        match self.many.entry(key) {
            std::collections::hash_map::Entry::Occupied(first) => Some(*first.get()),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(id);
                None
            }
        }
    }
}
