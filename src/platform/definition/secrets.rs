//! Empties the secrets of a definition: the scalar becomes `""`, all other bytes are unchanged.
//!
//! The following literals count as secrets:
//! - a connection's input that is secret by name, write-only, or a password;
//! - a step's or data source's input, or one of its named values, that is secret by name;
//! - the default of a text config variable that is secret by name;
//! - the API keys of a flow's endpoint;
//! - in all of these, a URL with a password, or a private key.
//!
//! A config variable, a reference, or a template of one expression refers to a value and is kept. Any other template
//! under a secret name is emptied completely.

use super::tree::{DefinitionTree, ValueView};
use super::{DefinitionError, MAX_DEPTH, encoding, parse, steps, text, to_utf8, variables};
use crate::api::sensitive;
use aho_corasick::AhoCorasick;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The minimum length of a secret that is searched for in the rest of the file. Shorter ones occur in other words.
const TELLING: usize = 12;
/// The maximum number of different secrets in a definition.
const MOST: usize = 1024;

/// A secret that was emptied, without its value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Emptied {
    /// The line in the file, from 1.
    pub line: usize,
    /// The item that it belonged to.
    pub place: EmptiedPlace,
    /// Whether it was only a placeholder.
    pub placeholder: bool,
}

/// The item that an emptied secret belonged to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EmptiedPlace {
    /// An input of a connection variable.
    Connection {
        /// The name of the variable.
        variable: String,
        /// The name of the input.
        input: String,
    },
    /// An input of a step.
    Step {
        /// The name of the flow; empty without flows.
        flow: String,
        /// The name of the step.
        step: String,
        /// The name of the input.
        input: String,
    },
    /// An input of another config variable's data source.
    DataSource {
        /// The name of that variable.
        variable: String,
        /// The name of the input.
        input: String,
    },
    /// The default of a config variable.
    Default {
        /// The name of the variable.
        variable: String,
    },
    /// An API key of a flow's endpoint.
    EndpointKey {
        /// The name of the flow.
        flow: String,
    },
    /// A value that equals a secret in another line.
    Copy,
}

impl EmptiedPlace {
    /// Whether a value is only the name of its item.
    fn is_named(&self, value: &str) -> bool {
        let name = match self {
            EmptiedPlace::Connection { input, .. }
            | EmptiedPlace::Step { input, .. }
            | EmptiedPlace::DataSource { input, .. } => input,
            EmptiedPlace::Default { variable } => variable,
            EmptiedPlace::EndpointKey { .. } | EmptiedPlace::Copy => return false,
        };
        let folded = |text: &str| -> String {
            text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
        };
        !folded(value).is_empty() && folded(value) == folded(name)
    }
}

/// Keys of structure, as opposed to values that somebody entered.
const STRUCTURAL: [&str; 12] = [
    "key",
    "name",
    "label",
    "dataType",
    "type",
    "stableKey",
    "action",
    "component",
    "useScopedConfigVar",
    "flow",
    "collectionType",
    "definitionType",
];

/// The texts that occur as keys, or as values of structure, outside of inputs.
fn structure<'t>(view: ValueView<'t>, texts: &BTreeSet<&'t str>, words: &mut BTreeSet<&'t str>, depth: usize) {
    if depth == 0 {
        return;
    }
    for item in view.items() {
        structure(item, texts, words, depth - 1);
    }
    for (key, value) in view.entries() {
        let key = key.text().unwrap_or_default();
        words.extend(texts.get(key.trim()));
        if STRUCTURAL.contains(&key) {
            words.extend(value.text().and_then(|text| texts.get(text.trim())));
        }
        // Somebody entered the value of an input.
        if !matches!(key, "inputs" | "defaultValue") {
            structure(value, texts, words, depth - 1);
        }
    }
}

/// The positions of the values of structure outside of inputs.
fn structural_values(view: ValueView<'_>, starts: &mut BTreeSet<usize>, depth: usize) {
    if depth == 0 {
        return;
    }
    view.items().for_each(|item| structural_values(item, starts, depth - 1));
    for (key, value) in view.entries() {
        let key = key.text().unwrap_or_default();
        if STRUCTURAL.contains(&key) {
            starts.insert(value.resolved().start());
        }
        if !matches!(key, "inputs" | "defaultValue") {
            structural_values(value, starts, depth - 1);
        }
    }
}

impl fmt::Display for EmptiedPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EmptiedPlace::Connection { variable, input } => write!(f, "connection {variable:?}, input {input}"),
            EmptiedPlace::Step { flow, step, input } if flow.is_empty() => write!(f, "step {step:?}, input {input}"),
            EmptiedPlace::Step { flow, step, input } => write!(f, "flow {flow:?}, step {step:?}, input {input}"),
            EmptiedPlace::DataSource { variable, input } => write!(f, "data source of {variable:?}, input {input}"),
            EmptiedPlace::Default { variable } => write!(f, "config variable {variable:?}, its default"),
            EmptiedPlace::EndpointKey { flow } => write!(f, "flow {flow:?}, an API key of its endpoint"),
            EmptiedPlace::Copy => f.write_str("the same text as one of the other secrets"),
        }
    }
}

/// Removes the secrets of a definition, and returns it as UTF-8 with the list of them. Without secrets, a UTF-8 file is
/// returned unchanged.
pub fn empty_secrets(bytes: &[u8]) -> Result<(Vec<u8>, Vec<Emptied>), DefinitionError> {
    let text = to_utf8(bytes)?;
    let tree = parse(&text)?;
    let mut found = Search { found: BTreeMap::new() };
    found.in_definition(&tree);
    if tree.exhausted() {
        return Err(DefinitionError::TooManyNodes);
    }
    found.structure_texts(tree.root());
    found.copies(&tree)?;
    let structure = found.aliased_structure(&tree);
    let mut kept = String::with_capacity(text.len());
    let mut at = 0;
    for target in found.found.values() {
        let cannot = DefinitionError::CannotEdit { line: target.scalar.line() };
        if structure.contains(&target.scalar.start()) {
            return Err(cannot);
        }
        let written = target.scalar.written().ok_or_else(|| cannot.clone())?;
        kept.push_str(text.get(at..written.start).ok_or_else(|| cannot.clone())?);
        kept.push_str("\"\"");
        at = written.end;
    }
    kept.push_str(text.get(at..).unwrap_or_default());
    found.check(&tree, &kept)?;
    let mut emptied: Vec<Emptied> = found.found.into_values().map(|target| target.emptied).collect();
    emptied.sort();
    Ok((kept.into_bytes(), emptied))
}

/// The positions of the scalars that are emptied, and what each belongs to.
pub(super) fn emptied_scalars<'t>(
    tree: &'t DefinitionTree<'t>,
) -> Result<BTreeMap<usize, EmptiedPlace>, DefinitionError> {
    let mut found = Search { found: BTreeMap::new() };
    found.in_definition(tree);
    found.structure_texts(tree.root());
    found.copies(tree)?;
    let place = |target: EmptiedRange<'t>| (target.scalar.start(), target.emptied.place);
    Ok(found.found.into_values().map(place).collect())
}

struct EmptiedRange<'t> {
    scalar: ValueView<'t>,
    emptied: Emptied,
    /// Whether the scalar itself is a secret value, and not only an alias that repeats it from another place.
    is_own: bool,
}

/// The secrets found so far, by position.
struct Search<'t> {
    found: BTreeMap<usize, EmptiedRange<'t>>,
}

impl<'t> Search<'t> {
    fn in_definition(&mut self, tree: &'t DefinitionTree<'t>) {
        let root = tree.root();
        for entry in variables::connections(root) {
            let variable = entry.text_of("key").unwrap_or_default().to_string();
            for (input, value) in inputs(entry) {
                let place = || EmptiedPlace::Connection { variable: variable.clone(), input: input.to_string() };
                self.in_input(value, variables::is_secret_input(input, value), &place);
            }
        }
        for (variable, entry) in steps::config_variables(root) {
            self.in_config_variable(variable, entry);
        }
        self.in_old_variables(root);
        steps::for_each_step(root, &mut |step| {
            for (input, value) in inputs(step.view) {
                let (flow, step) = (step.flow.to_string(), step.name.to_string());
                let place = || EmptiedPlace::Step { flow: flow.clone(), step: step.clone(), input: input.to_string() };
                self.in_use(input, value, &place);
            }
        });
        for flow in root.get("flows").into_iter().flat_map(ValueView::items) {
            let name = flow.text_of("name").unwrap_or_default();
            let place = || EmptiedPlace::EndpointKey { flow: name.to_string() };
            for list in ["organizationApiKeys", "testApiKeys", "apiKeys"] {
                for key in flow.get(list).into_iter().flat_map(ValueView::items) {
                    self.all_scalars(key, &place, MAX_DEPTH);
                }
            }
        }
    }

    /// A config variable that is not a connection: its default, and the inputs of its data source.
    fn in_config_variable(&mut self, variable: &str, entry: ValueView<'t>) {
        let is_text = matches!(entry.text_of("dataType"), None | Some("string" | "code" | "credential"));
        let place = || EmptiedPlace::Default { variable: variable.to_string() };
        if let Some(default) = entry.get("defaultValue") {
            let secret = is_text && sensitive::is_sensitive(variable) && !is_setting(variable, default);
            self.in_value(default, secret, &place, MAX_DEPTH);
        }
        if entry.get("dataSource").is_some() {
            for (input, value) in inputs(entry) {
                let place = || EmptiedPlace::DataSource { variable: variable.to_string(), input: input.to_string() };
                self.in_use(input, value, &place);
            }
        }
    }

    /// Versions before 2 have a mapping of names to defaults.
    fn in_old_variables(&mut self, root: ValueView<'t>) {
        for (name, default) in root.get("requiredConfigVars").into_iter().flat_map(ValueView::entries) {
            let variable = name.text().unwrap_or_default();
            let place = || EmptiedPlace::Default { variable: variable.to_string() };
            let secret = sensitive::is_sensitive(variable) && !is_setting(variable, default);
            self.in_value(default, secret, &place, MAX_DEPTH);
        }
    }

    /// Handles an input of a connection.
    fn in_input(&mut self, input: ValueView<'t>, secret: bool, place: &dyn Fn() -> EmptiedPlace) {
        if let Some(literal) = variables::literal(input) {
            self.in_value(literal, secret, place, MAX_DEPTH);
        }
    }

    /// Handles an input of a step or a data source: it, or a named value in it, may be secret.
    fn in_use(&mut self, name: &str, input: ValueView<'t>, place: &dyn Fn() -> EmptiedPlace) {
        let Some(literal) = variables::literal(input) else { return };
        let secret = variables::is_secret_input(name, input) && !is_setting(name, literal);
        self.in_value(literal, secret, place, MAX_DEPTH);
    }

    /// Handles a literal: a scalar, or the items of a complex one, each of which is an input again.
    fn in_value(&mut self, literal: ValueView<'t>, secret: bool, place: &dyn Fn() -> EmptiedPlace, depth: usize) {
        if depth == 0 {
            return;
        }
        if let Some(written) = literal.text() {
            // Older formats write references in this form, and nobody enters one as a literal value.
            if text::is_one_expression(written) {
                return;
            }
            if secret || sensitive::is_secret_itself(written) || sensitive::looks_like_token(written).is_some() {
                self.add(literal, place());
            }
            return;
        }
        for item in literal.items() {
            // A pair has its name in `name` or `key`; another map has named values.
            let name = item.get("name").or_else(|| item.get("key").filter(|_| item.get("value").is_some()));
            let name = name.and_then(|name| name.text().or_else(|| name.text_of("value")));
            if name.is_none() && item.is_mapping() && item.get("value").is_none() {
                self.in_value(item, secret, place, depth - 1);
                continue;
            }
            let named = name.is_some_and(|name| text::is_secret_header(name) || sensitive::is_sensitive(name));
            let Some(inner) = variables::literal(item) else { continue };
            if named && inner.is_mapping() {
                // In a pair of expressions, the value is an input itself.
                self.in_input(inner, true, place);
            } else {
                self.in_value(
                    inner,
                    (secret || named) && !name.is_some_and(|n| is_setting(n, inner)),
                    place,
                    depth - 1,
                );
            }
        }
        if literal.is_mapping() {
            if let Some(inner) = literal.get("value").and(variables::literal(literal)) {
                self.in_value(inner, secret, place, depth - 1);
            } else if literal.get("value").is_none() {
                for (name, value) in literal.entries() {
                    let named =
                        name.text().is_some_and(|name| sensitive::is_sensitive(name) && !is_setting(name, value));
                    self.in_value(value, secret || named, place, depth - 1);
                }
            }
        }
    }

    fn all_scalars(&mut self, value: ValueView<'t>, place: &dyn Fn() -> EmptiedPlace, depth: usize) {
        if depth == 0 {
            return;
        }
        if value.text().is_some() {
            return self.add(value, place());
        }
        for child in value.items().chain(value.entries().map(|(_, value)| value)) {
            self.all_scalars(child, place, depth - 1);
        }
    }

    fn add(&mut self, scalar: ValueView<'t>, place: EmptiedPlace) {
        let is_own = scalar.is(scalar.resolved());
        let scalar = scalar.resolved();
        let Some(written) = scalar.text() else { return };
        if scalar.is_null() || written.is_empty() {
            return;
        }
        let placeholder = text::is_placeholder(written) || place.is_named(written);
        let emptied = Emptied { line: scalar.line(), place, placeholder };
        let range = EmptiedRange { scalar, emptied, is_own };
        // A copy that an alias found already may be structure: it stays as it is.
        let is_own = is_own && range.emptied.place != EmptiedPlace::Copy;
        self.found.entry(scalar.start()).or_insert(range).is_own |= is_own;
    }

    /// A text that is also part of the definition's structure (a key, the name of a component, a step or a type) is
    /// only a placeholder: its copies are not secrets, and structure is never emptied.
    fn structure_texts(&mut self, root: ValueView<'t>) {
        let texts: BTreeSet<&str> = self.telling().into_keys().collect();
        if texts.is_empty() {
            return;
        }
        let mut words = BTreeSet::new();
        structure(root, &texts, &mut words, MAX_DEPTH);
        for target in self.found.values_mut() {
            target.emptied.placeholder |= target.scalar.text().is_some_and(|text| words.contains(text.trim()));
        }
    }

    /// The positions of structure that an alias repeats as a secret's value: it must not be emptied.
    fn aliased_structure(&self, tree: &'t DefinitionTree<'t>) -> BTreeSet<usize> {
        let mut starts = BTreeSet::new();
        if self.found.values().any(|target| !target.is_own) {
            starts.extend(tree.keys().map(|key| key.resolved().start()));
            structural_values(tree.root(), &mut starts, MAX_DEPTH);
        }
        starts
    }

    /// Secrets that are long enough to be unique, each with its line.
    fn telling(&self) -> BTreeMap<&'t str, usize> {
        let telling = self.found.values().filter(|target| !target.emptied.placeholder);
        let texts = telling.filter_map(|target| Some((target.scalar.text()?.trim(), target.emptied.line)));
        texts.filter(|(text, _)| text.len() >= TELLING).collect()
    }

    /// Other values with the same text as a secret.
    fn copies(&mut self, tree: &'t DefinitionTree<'t>) -> Result<(), DefinitionError> {
        let telling = self.telling();
        if telling.len() > MOST {
            return Err(DefinitionError::TooManyNodes);
        }
        if !telling.is_empty() {
            for value in tree.scalar_values() {
                if value.text().is_some_and(|text| telling.contains_key(text.trim())) {
                    self.add(value, EmptiedPlace::Copy);
                }
            }
        }
        Ok(())
    }

    /// Verifies that the result equals the old document except for the emptied scalars, and that it contains none of
    /// the secrets.
    fn check(&self, tree: &DefinitionTree<'_>, kept: &str) -> Result<(), DefinitionError> {
        let line = self.found.values().next().map_or(1, |target| target.emptied.line);
        let after = DefinitionTree::parse(kept).ok().flatten().ok_or(DefinitionError::CannotEdit { line })?;
        let emptied = |before: ValueView<'_>, after: ValueView<'_>| {
            self.found.contains_key(&before.start()).then(|| before.text().map(|_| after.text() == Some("")))?
        };
        if !tree.root().same(after.root(), &emptied) {
            return Err(DefinitionError::CannotEdit { line });
        }
        let (secrets, lines): (Vec<&str>, Vec<usize>) = self.telling().into_iter().unzip();
        // All at once: secrets times scalars would take minutes in a large file.
        let Ok(secrets) = AhoCorasick::new(&secrets) else { return Err(DefinitionError::TooManyNodes) };
        let elsewhere = |line, found: aho_corasick::Match| {
            let secret_line = lines.get(found.pattern().as_usize()).copied().unwrap_or(line);
            Err(DefinitionError::SecretElsewhere { line, secret_line })
        };
        if let Some(found) = secrets.find(kept) {
            return elsewhere(encoding::line_of(kept.as_bytes(), found.start()), found);
        }
        for view in after.scalars().filter(|view| view.is_rewritten()) {
            if let Some(found) = view.text().and_then(|text| secrets.find(text)) {
                return elsewhere(view.line(), found);
            }
        }
        Ok(())
    }
}

fn inputs<'t>(of: ValueView<'t>) -> impl Iterator<Item = (&'t str, ValueView<'t>)> {
    of.get("inputs").into_iter().flat_map(ValueView::entries).filter_map(|(name, input)| Some((name.text()?, input)))
}

/// Whether this is a setting rather than a secret: a switch, or a number of tokens.
fn is_setting(name: &str, value: ValueView<'_>) -> bool {
    let Some(text) = value.text() else { return false };
    let name = name.to_ascii_lowercase();
    let is_count =
        ["tokens", "max", "min", "limit", "count", "budget", "number"].iter().any(|word| name.contains(word));
    let counts = name.contains("token") && is_count && text.len() <= 12 && text.parse::<f64>().is_ok();
    counts || matches!(text, "true" | "false")
}
