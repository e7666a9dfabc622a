//! The value of a definition, independent of its formatting: the order of keys, quoting, comments, and defaults that
//! the platform adds to exports are ignored.

use super::steps::{self, FlowStep};
use super::tree::ValueView;
use super::{MAX_DEPTH, digest};
use crate::api::Part;

/// Values that the platform writes as defaults.
const DEFAULTS: [(&str, &str); 1] = [("endpointType", "\"flow_specific\"")];
/// Empty settings equal absent ones; an input may be empty on purpose.
const EMPTY: [&str; 4] = ["null", "\"\"", "{}", "[]"];

/// Length of a short digest.
const LENGTH: usize = 16;

/// Digests of a definition's value.
pub(super) struct WrittenValue {
    /// The digest of the whole value.
    pub value: String,
    /// The digest without the versions of components.
    pub versionless: String,
    /// The digests by part, in the definition's order: settings, flows, steps.
    pub parts: Vec<Part>,
}

pub(super) fn read(root: ValueView<'_>) -> WrittenValue {
    let mut parts = Vec::new();
    for (key, value) in root.entries() {
        let name = key.text().unwrap_or_default();
        let is_default = DEFAULTS.contains(&(name, text(value, &[]).whole.as_str()));
        if !matches!(name, "flows" | "steps" | "trigger") && !is_default {
            add(&mut parts, name.to_string(), &text(value, &[]));
        }
    }
    for flow in root.get("flows").into_iter().flat_map(ValueView::items) {
        add(&mut parts, name_of_flow(flow), &text(flow, &BESIDE_FLOW));
    }
    steps::for_each_step(root, &mut |step| {
        add(&mut parts, name_of_step(&step), &text(step.view, &BESIDE_STEP));
    });
    let all = all(root);
    WrittenValue { value: digest(all.whole.as_bytes()), versionless: digest(all.versionless.as_bytes()), parts }
}

/// The keys that are no part of a step itself, and of a flow itself.
pub(super) const BESIDE_STEP: [&str; 2] = ["steps", "branches"];
pub(super) const BESIDE_FLOW: [&str; 3] = ["steps", "branches", "trigger"];

/// The name of a step among the parts.
pub(super) fn name_of_step(step: &FlowStep<'_>) -> String {
    let action = step.view.get("action");
    let component = action.and_then(|a| a.get("component")).and_then(|c| c.text_of("key"));
    let names = component.into_iter().chain(action.and_then(|a| a.text_of("key")));
    let does = names.collect::<Vec<_>>().join("/");
    let does = if does.is_empty() { does } else { format!(" ({does})") };
    let flow = if step.flow.is_empty() { String::new() } else { format!("{} › ", step.flow) };
    format!("step {flow}{}{does}", step.name)
}

/// The name of a flow among the parts.
pub(super) fn name_of_flow(flow: ValueView<'_>) -> String {
    format!("flow {}", flow.text_of("name").unwrap_or_default())
}

/// A part that is not empty.
fn add(parts: &mut Vec<Part>, what: String, texts: &Texts) {
    if EMPTY.contains(&texts.whole.as_str()) {
        return;
    }
    let short = |text: &str| digest(text.as_bytes()).chars().take(LENGTH).collect();
    parts.push(Part { what, digest: short(&texts.whole), versionless: short(&texts.versionless) });
}

/// Canonical texts of a value: with and without the versions of components.
struct Texts {
    whole: String,
    versionless: String,
}

/// A short digest of a value without the versions of components, and without these keys.
pub(super) fn beside(view: ValueView<'_>, without: &[&str]) -> String {
    digest(text(view, without).versionless.as_bytes()).chars().take(LENGTH).collect()
}

fn text(view: ValueView<'_>, without: &[&str]) -> Texts {
    let mut texts = Texts { whole: String::new(), versionless: String::new() };
    texts.write(view, Place::Outside(without), MAX_DEPTH);
    texts
}

/// The canonical texts of the whole definition.
fn all(root: ValueView<'_>) -> Texts {
    let mut texts = Texts { whole: String::new(), versionless: String::new() };
    texts.write(root, Place::Root, MAX_DEPTH);
    texts
}

/// The context of a value.
#[derive(Clone, Copy)]
enum Place<'k> {
    /// The definition itself: some defaults apply only there.
    Root,
    /// The outermost level of a part, without these keys.
    Outside(&'k [&'k str]),
    /// The component of an action, a connection or a data source.
    Component,
    /// A value under a key that has a component.
    HasComponent,
    /// A value that somebody entered: an empty string counts.
    Typed,
    Elsewhere,
}

impl Place<'_> {
    /// The context of the value of a key.
    fn below(self, key: &str) -> Place<'static> {
        match (self, key) {
            (Place::Typed, _) | (_, "inputs") => Place::Typed,
            (Place::HasComponent, "component") => Place::Component,
            (_, "action" | "connection" | "dataSource") => Place::HasComponent,
            _ => Place::Elsewhere,
        }
    }
}

impl Texts {
    fn push(&mut self, text: &str) {
        self.whole.push_str(text);
        self.versionless.push_str(text);
    }

    fn write(&mut self, view: ValueView<'_>, place: Place<'_>, depth: usize) {
        if depth == 0 {
            return;
        }
        if view.is_mapping() {
            self.write_mapping(view, place, depth);
        } else if view.is_sequence() {
            self.push("[");
            let place = if matches!(place, Place::Typed) { Place::Typed } else { Place::Elsewhere };
            for (position, item) in view.items().enumerate() {
                self.push(if position > 0 { "," } else { "" });
                self.write(item, place, depth - 1);
            }
            self.push("]");
        } else {
            self.push(&scalar(view));
        }
    }

    fn write_mapping(&mut self, view: ValueView<'_>, place: Place<'_>, depth: usize) {
        let mut entries: Vec<(&str, ValueView<'_>)> =
            view.entries().map(|(key, value)| (key.text().unwrap_or_default(), value)).collect();
        entries.sort_by_key(|(key, _)| *key);
        if let Place::Outside(without) = place {
            entries.retain(|(key, _)| !without.contains(key));
        }
        self.push("{");
        let mut is_first = true;
        for (key, value) in entries {
            let (whole, versionless) = (self.whole.len(), self.versionless.len());
            self.push(if is_first { "" } else { "," });
            self.push(&quoted(key));
            self.push(":");
            let begins = self.whole.len();
            self.write(value, place.below(key), depth - 1);
            let text = self.whole.get(begins..).unwrap_or_default();
            let is_default = matches!(place, Place::Root) && DEFAULTS.contains(&(key, text));
            let is_empty = if matches!(place, Place::Typed) { text == "null" } else { EMPTY.contains(&text) };
            if is_empty || is_default {
                self.whole.truncate(whole);
                self.versionless.truncate(versionless);
                continue;
            }
            if key == "version" && matches!(place, Place::Component) {
                self.versionless.truncate(versionless);
                // Both texts continue with a comma.
            }
            is_first = false;
        }
        self.push("}");
    }
}

/// A scalar in a normal form.
fn scalar(view: ValueView<'_>) -> String {
    let text = view.text().unwrap_or_default();
    if !view.is_plain() {
        return quoted(text);
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => "null".to_string(),
        "true" | "True" | "TRUE" => "true".to_string(),
        "false" | "False" | "FALSE" => "false".to_string(),
        _ if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) => quoted(text),
        _ => match (text.parse::<i128>(), text.parse::<f64>()) {
            (Ok(number), _) => number.to_string(),
            (_, Ok(number)) if number.is_finite() => format!("{number:?}"),
            _ => quoted(text),
        },
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
