//! The lines of a manifest that may be shown to whoever looks at a screen: those whose values the schema knows to be
//! public. Everything else is hidden: comments, other documents, annotations, and literal inputs that may be secrets.

use super::cut::cut;
use super::schema::{self, Schema, SchemaShape};
use super::source::{first_line_of, line_breaks};
use super::tree::{self, Id, MapEntry, NodeKind, Tree};
use super::words::is_identifier;
use crate::api::sensitive::{self, HIDDEN};
use crate::api::{ComponentRef, FIELDS_WITH_VALUE, GROUP, Kind};
use granit_parser::ScalarStyle;
use std::ops::Range;

/// A literal value of an input, by where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputPlace<'t> {
    /// The kind of the document: a Connection, CustomerCredentials, or a TenantSync with an override.
    pub kind: Kind,
    /// The component of a Connection, where the document names one.
    pub component: Option<ComponentRef>,
    /// The name of the input.
    pub input: &'t str,
}

/// Whether a literal value of an input may be shown.
pub type ShowsInput<'r> = dyn Fn(&InputPlace<'_>) -> bool + 'r;

/// The reason why a line is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unshown {
    /// It is a comment.
    Comment,
    /// It belongs to a document of another kind, or to one that cannot be parsed.
    OtherDocument,
    /// It continues a value that may be a secret.
    Value,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicLine<'t> {
    /// The line as it is, with its line break.
    pub whole: &'t str,
    /// The line with everything hidden that may be a secret; or why nothing of it is shown.
    pub shown: Result<String, Unshown>,
}

/// The lines of two texts around what differs.
pub struct PublicParts<'t> {
    /// The lines of the one text.
    pub before: Vec<PublicLine<'t>>,
    /// The lines of the other text.
    pub after: Vec<PublicLine<'t>>,
    /// The number of lines above the parts, the same in both texts.
    pub lines_above: u32,
}

/// Returns the lines of the documents that differ in two texts, with some documents above and below.
pub fn public_parts<'t>(
    before: &'t str,
    after: &'t str,
    around: usize,
    shows_input: &ShowsInput<'_>,
) -> PublicParts<'t> {
    let (parts_before, parts_after) = (documents(before), documents(after));
    let is_same = |(a, b): &(&Range<usize>, &Range<usize>)| before.get((*a).clone()) == after.get((*b).clone());
    let above = parts_before.iter().zip(&parts_after).take_while(is_same).count();
    let below = parts_before[above..].iter().rev().zip(parts_after[above..].iter().rev()).take_while(is_same).count();
    let from = above.saturating_sub(around);
    let lines = |text: &'t str, parts: &[Range<usize>]| {
        let mut lines = Vec::new();
        for range in &parts[from..parts.len() - below.saturating_sub(around)] {
            document(text.get(range.clone()).unwrap_or_default(), shows_input, &mut lines);
        }
        lines
    };
    let start = parts_before.get(from).or(parts_after.get(from)).map_or(0, |range| range.start);
    PublicParts {
        before: lines(before, &parts_before),
        after: lines(after, &parts_after),
        lines_above: line_breaks(before.get(..start).unwrap_or_default().as_bytes()),
    }
}

/// The documents of a text, each with the comments above it. They cover the text.
fn documents(text: &str) -> Vec<Range<usize>> {
    let mut at = 0;
    let mut all: Vec<Range<usize>> = Vec::new();
    for slice in cut(text) {
        all.push(at..slice.range.end);
        at = slice.range.end;
    }
    if at < text.len() {
        all.push(at..text.len());
    }
    all
}

/// What a byte of a document belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ByteClass {
    /// The punctuation between values, and comments.
    Between,
    Public,
    Hidden,
}

fn document<'t>(text: &'t str, shows_input: &ShowsInput<'_>, lines: &mut Vec<PublicLine<'t>>) {
    let mut classes = vec![ByteClass::Between; text.len()];
    let is_ours = match tree::parse(text) {
        Ok(Some(tree)) => mark_objects(&tree, tree.root, shows_input, &mut classes),
        Ok(None) | Err(_) => false,
    };
    let mut at = 0;
    for whole in text.split_inclusive('\n') {
        let bare = whole.trim_end_matches(['\n', '\r']);
        let of_line = classes.get(at..at + bare.len()).unwrap_or_default();
        let shown = if is_ours { line(bare, of_line) } else { of_other(bare) };
        lines.push(PublicLine { whole, shown });
        at += whole.len();
    }
}

/// A line of a document that is not ours.
fn of_other(text: &str) -> Result<String, Unshown> {
    match text.trim_ascii() {
        "" | "---" => Ok(text.to_string()),
        trimmed if trimmed.starts_with('#') => Err(Unshown::Comment),
        _ => Err(Unshown::OtherDocument),
    }
}

/// Marks our objects: the document itself, or the items of a List. Whether there is one.
fn mark_objects(tree: &Tree<'_>, id: Id, shows_input: &ShowsInput<'_>, classes: &mut [ByteClass]) -> bool {
    // What no object covers is hidden.
    for (id, node) in tree.nodes() {
        if matches!(tree.node(id).kind, NodeKind::Scalar { .. } | NodeKind::Alias(_)) {
            // The span of a block text ends where the next value begins.
            let Range { start, end } = node.span();
            let text = tree.text.get(start..end).unwrap_or_default();
            fill(classes, start..start + text.trim_ascii_end().len(), ByteClass::Hidden);
        }
    }
    let text = |id: Id, key: &str| tree.get(id, key).and_then(|id| tree.scalar(id)).map(str::to_string);
    let kind_of = |id: Id| {
        let is_ours = text(id, "apiVersion").and_then(|version| Some(version.split_once('/')?.0 == GROUP));
        let kind = text(id, "kind")?;
        Kind::ALL.into_iter().find(|one| is_ours == Some(true) && one.as_str() == kind)
    };
    let objects = match kind_of(id) {
        Some(_) => vec![id],
        None => tree.get(id, "items").map(|items| tree.items(items).to_vec()).unwrap_or_default(),
    };
    let mut has_any = false;
    for object in objects {
        let Some(kind) = kind_of(object) else { continue };
        has_any = true;
        let component = tree.get(object, "spec").and_then(|spec| tree.get(spec, "component"));
        let component = component.and_then(|component| {
            Some(ComponentRef::new(text(component, "key")?, text(component, "public").as_deref() != Some("false")))
        });
        let mut marks =
            PublicMarks { tree, kind, component, shows_input, classes, is_of_field: false, path: Vec::new() };
        marks.node(object, Some(schema::of(kind)), None);
    }
    has_any
}

fn fill(classes: &mut [ByteClass], span: Range<usize>, class: ByteClass) {
    if let Some(bytes) = classes.get_mut(span) {
        bytes.fill(class);
    }
}

/// Marks what is public of one object.
struct PublicMarks<'a, 't> {
    tree: &'a Tree<'t>,
    kind: Kind,
    component: Option<ComponentRef>,
    shows_input: &'a ShowsInput<'a>,
    classes: &'a mut [ByteClass],
    /// Whether this is in an override of a field that a connection shows, too.
    is_of_field: bool,
    /// The keys above; those of any name, and items, as `*`.
    path: Vec<&'a str>,
}

impl<'a> PublicMarks<'a, '_> {
    /// `input` is the input whose value stands here or below.
    fn node(&mut self, id: Id, schema: Option<&'a Schema>, input: Option<&'a str>) {
        match &self.tree.node(id).kind {
            NodeKind::Alias(_) => {}
            NodeKind::Scalar { style, .. } => self.scalar(id, *style, schema, input),
            NodeKind::List { items, .. } => {
                let item = schema.and_then(|schema| match &schema.shape {
                    SchemaShape::List { item, .. } => Some(item.as_ref()),
                    _ => None,
                });
                self.path.push("*");
                items.iter().for_each(|id| self.node(*id, item, input));
                self.path.pop();
            }
            NodeKind::Map { entries, .. } => {
                // The value of an override is that of the input which stands beside it.
                let named = self.tree.get(id, "input").and_then(|input| self.tree.scalar(input));
                let is_override = matches!(self.path[..], ["spec", "overrides", "*"]);
                let input = if is_override { named } else { input };
                let field = self.tree.get(id, "field").and_then(|field| self.tree.scalar(field));
                let is_alone = || ["input", "object"].iter().all(|key| self.tree.get(id, key).is_none());
                let is_public = field.is_some_and(|field| FIELDS_WITH_VALUE.contains(&field));
                self.is_of_field |= is_override && is_public && is_alone();
                entries.iter().filter(|entry| !entry.merged).for_each(|entry| self.entry(entry, schema, input));
                self.is_of_field &= !is_override;
            }
        }
    }

    fn entry(&mut self, entry: &MapEntry, schema: Option<&'a Schema>, input: Option<&'a str>) {
        let tree = self.tree;
        let key = tree.scalar(entry.key).unwrap_or_default();
        let (child, step) = match schema.map(|schema| &schema.shape) {
            Some(SchemaShape::Map { .. }) => (schema.and_then(|schema| schema.child(key)), key),
            Some(SchemaShape::Dict { value, .. }) => (Some(value.as_ref()), "*"),
            _ => (None, key),
        };
        // A name is not secret; but a single text in braces may be a value that lost its name.
        let is_alone = tree.is_null(entry.value);
        let is_named = match child {
            Some(child) => !(is_alone && child.private),
            None => !is_alone && is_identifier(key),
        };
        if is_named && !sensitive::has_secret(key) {
            fill(self.classes, tree.node(entry.key).span(), ByteClass::Public);
        }
        let are_inputs = matches!(self.path[..], ["spec", "inputs"] | ["spec", "test", "inputs"]);
        let input = if are_inputs { Some(key) } else { input };
        self.path.push(step);
        self.node(entry.value, child, input);
        self.path.pop();
    }

    fn scalar(&mut self, id: Id, style: ScalarStyle, schema: Option<&'a Schema>, input: Option<&'a str>) {
        let Some(schema) = schema else { return };
        let tree = self.tree;
        let is_value = match &schema.shape {
            SchemaShape::Text { .. } => true,
            SchemaShape::Bool | SchemaShape::Int { .. } => tree.plain(id).is_some(),
            _ => false,
        };
        // Labels, as annotations, are what others wrote there.
        let is_of_others = matches!(self.path[..], ["metadata", "labels" | "annotations", ..]);
        let is_shown = match (schema.private, input) {
            (true, Some(input)) => {
                (self.shows_input)(&InputPlace { kind: self.kind, component: self.component.clone(), input })
            }
            (true, None) => self.is_of_field && matches!(self.path[..], ["spec", "overrides", "*", "value"]),
            (false, _) => true,
        };
        let has_secret = tree.scalar(id).is_some_and(sensitive::has_secret);
        if !is_value || is_of_others || !is_shown || has_secret {
            return;
        }
        let span = tree.node(id).span();
        match style {
            // A further line of a plain text may be a field that lost its colon.
            ScalarStyle::Plain => fill(self.classes, first_line_of(tree.text, span), ByteClass::Public),
            ScalarStyle::Literal | ScalarStyle::Folded => self.block(span),
            _ => fill(self.classes, span, ByteClass::Public),
        }
    }

    /// Marks a block text, from its first line to the last one that is indented as far.
    fn block(&mut self, span: Range<usize>) {
        let text = self.tree.text;
        let line_start = text.get(..span.start).unwrap_or_default().rfind('\n').map_or(0, |at| at + 1);
        let mut at = span.start;
        let mut indent = span.start - line_start;
        for (number, line) in text.get(span).unwrap_or_default().split_inclusive('\n').enumerate() {
            let blanks = line.len() - line.trim_start_matches(' ').len();
            if number == 0 {
                indent += blanks;
            } else if blanks < indent && !line.trim_ascii().is_empty() {
                break;
            }
            fill(self.classes, at..at + line.len(), ByteClass::Public);
            at += line.len();
        }
    }
}

/// A line of one of our documents: what is public, and the punctuation between.
fn line(text: &str, classes: &[ByteClass]) -> Result<String, Unshown> {
    let mut shown = String::new();
    let mut above = None;
    let mut is_hidden = false;
    let hide = |shown: &mut String, is_hidden: &mut bool| {
        if !*is_hidden {
            shown.push_str(HIDDEN);
        }
        *is_hidden = true;
    };
    for (at, letter) in text.char_indices() {
        match classes.get(at).copied().unwrap_or(ByteClass::Hidden) {
            ByteClass::Public => {
                shown.push(letter);
                is_hidden = false;
            }
            ByteClass::Hidden => hide(&mut shown, &mut is_hidden),
            ByteClass::Between if letter == '#' && above.is_none_or(char::is_whitespace) => {
                if shown.trim_ascii().is_empty() {
                    return Err(Unshown::Comment);
                }
                shown.push_str("# ");
                shown.push_str(HIDDEN);
                return Ok(shown);
            }
            ByteClass::Between
                if letter.is_whitespace() || "-:,?[]{}|>+".contains(letter) || is_indent(letter, above) =>
            {
                shown.push(letter);
                is_hidden = false;
            }
            // Anchors, tags and merges.
            ByteClass::Between => hide(&mut shown, &mut is_hidden),
        }
        above = Some(letter);
    }
    let is_value = shown.trim_ascii() == HIDDEN;
    if is_value { Err(Unshown::Value) } else { Ok(shown) }
}

/// Whether a digit belongs to the mark of a block text: `|2`.
fn is_indent(letter: char, above: Option<char>) -> bool {
    letter.is_ascii_digit() && above.is_some_and(|above| "|>+-".contains(above))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each line as it is shown, or why it is not.
    fn shown(text: &str) -> String {
        let rule = |place: &InputPlace<'_>| place.kind == Kind::Connection && !sensitive::is_sensitive(place.input);
        let parts = public_parts("", text, 3, &rule);
        assert_eq!(parts.after.iter().map(|line| line.whole).collect::<String>(), text);
        let lines = parts.after.iter().map(|line| match &line.shown {
            Ok(shown) => format!("{shown}\n"),
            Err(why) => format!("({why:?})\n"),
        });
        lines.collect()
    }

    const CONNECTION: &str = "# c4n4ry above
apiVersion: stablekey.dev/v1alpha1 # c4n4ry
kind: Connection
metadata:
  name: crm
  labels: {team: c4n4ry}
  annotations:
    example.com/note: |
      c4n4ry
      c4n4ry
  managedFields: [{manager: c4n4ry}]
spec:
  stableKey: crm
  title: \"CRM # of sales\" # c4n4ry
  description: | # c4n4ry
    # of two lines
      and more
  # c4n4ry below
  component: {key: http} # c4n4ry
  type: basic
  nonsense: c4n4ry
  replaces: [old, older]
  inputs: # c4n4ry
    host: {value: api.example}
    password: {value: c4n4ry}
    scopes: &all {value: read}
    other: *all
    bare: c4n4ry
    folded:
      value: >-
        shown
        as well
    apiToken: {secretRef: {name: app, key: token}}
    privateKey:
      value: |
        c4n4ry
        c4n4ry
  test: {inputs: {host: {value: test.example}, apiKey: {value: c4n4ry}}}
status: {conditions: [{message: c4n4ry}]}
";

    #[test]
    fn only_what_the_schema_knows_to_be_public_is_shown() {
        let shown = shown(CONNECTION);
        assert!(!shown.contains("c4n4ry"), "{shown}");
        for line in [
            "apiVersion: stablekey.dev/v1alpha1 # •••",
            "  labels: {team: •••}",
            "    example.com/note: |",
            "  title: \"CRM # of sales\" # •••",
            "  description: | # •••",
            "    # of two lines",
            "      and more",
            "  component: {key: http} # •••",
            "  nonsense: •••",
            "  replaces: [old, older]",
            "    host: {value: api.example}",
            "    password: {value: •••}",
            "    scopes: ••• {value: read}",
            "    other: •••",
            "    bare: •••",
            "        as well",
            "    apiToken: {secretRef: {name: app, key: token}}",
            "  test: {inputs: {host: {value: test.example}, apiKey: {value: •••}}}",
        ] {
            assert!(shown.lines().any(|one| one == line), "{line} in\n{shown}");
        }
    }

    #[test]
    fn other_documents_and_what_cannot_be_parsed_are_not_shown() {
        let others = "---\napiVersion: v1\nkind: Secret\nstringData: {a: c4n4ry}\n---\nkind: Connection\nspec: {title: c4n4ry}\n\
                      ---\n# c4n4ry\n---\napiVersion: stablekey.dev/v1alpha1\nkind: Connection\n\"c4n4ry: {\n";
        assert!(!shown(others).contains("c4n4ry"), "{}", shown(others));
        assert!(shown(others).contains("(OtherDocument)\n(OtherDocument)\n(OtherDocument)\n"), "{}", shown(others));
    }

    #[test]
    fn objects_of_a_list_are_shown_as_documents_are() {
        let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: stablekey.dev/v1alpha1\n  kind: Connection\n  \
                    metadata: {name: a, labels: {a: c4n4ry}}\n- {apiVersion: v1, kind: Secret, data: {a: c4n4ry}}\n";
        assert!(!shown(list).contains("c4n4ry") && shown(list).contains("  metadata: {name: a,"), "{}", shown(list));
    }

    #[test]
    fn a_field_that_lost_its_colon_and_a_value_that_lost_its_name_are_hidden() {
        let head = "apiVersion: stablekey.dev/v1alpha1\nkind: Connection\n";
        for rest in [
            "spec:\n  title: CRM\n    password c4n4ry\n",
            "spec: {inputs: {c4n4ry}}\n",
            "spec: {inputs: {password: {c4n4ry: }}}\n",
            "spec: {<<: {title: c4n4ry}}\n",
            "spec: {embeddedWorkflows: c4n4ry}\n",
        ] {
            let shown = shown(&format!("{head}{rest}"));
            assert!(!shown.contains("c4n4ry"), "{shown}");
        }
    }

    #[test]
    fn overrides_and_credentials_of_customers() {
        let text = "apiVersion: stablekey.dev/v1alpha1\nkind: TenantSync\nspec:\n  from: a\n  overrides:\n  - {input: host, value: c4n4ry, reason: moved}\n\
                    ---\napiVersion: stablekey.dev/v1alpha1\nkind: CustomerCredentials\nspec: {customer: acme, inputs: {host: {value: c4n4ry}}}\n";
        let hidden = shown(text);
        assert!(!hidden.contains("c4n4ry") && hidden.contains("value: •••, reason: moved}"), "{hidden}");
        // A connection shows its title, and so does an override; an input of this name it does not.
        let of_field = |rest: &str| {
            let text = "apiVersion: stablekey.dev/v1alpha1\nkind: TenantSync\nspec:\n  from: a\n  overrides:\n";
            shown(&format!(
                "{text}  - {{stableKey: crm, {rest}, reason: a}}\n  - {{stableKey: b, value: c4n4ry, reason: c}}\n"
            ))
        };
        for field in ["{field: title, value: CRM}", "{value: CRM, field: title}"] {
            let shown = of_field(field.trim_matches(['{', '}']));
            assert!(shown.contains("value: CRM") && !shown.contains("c4n4ry"), "{shown}");
        }
        for field in
            ["input: title, value: c4n4ry", "field: nope, value: c4n4ry", "field: title, input: a, value: c4n4ry"]
        {
            assert!(!of_field(field).contains("c4n4ry"), "{field}");
        }
    }
}
