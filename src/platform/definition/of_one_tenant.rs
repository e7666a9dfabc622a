//! Ids and hosts of one tenant in the inputs of a definition. Another tenant does not have them.
//!
//! Certain ones only: an id of the platform (`Type:UUID`, in base64), a UUID in an input that is named for an id of the
//! platform, and a host of a public stack. A UUID elsewhere may be an id of the system that a step talks to.

use super::tree::ValueView;
use super::{MAX_DEPTH, steps, text};
use crate::api::OfOneTenant;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Names of inputs that take an id of the platform, in lower case, without separators.
const IDS: [&str; 6] = [
    "instanceid",
    "configvariableid",
    "instanceconfigvariableid",
    "customerconfigvariableid",
    "scopedconfigvariableid",
    "userlevelconfigvariableid",
];
/// The domain of the public stacks: each is a host below it. The domain itself has the documentation.
const STACKS: &str = ".prismatic.io";

/// Lists them, in the definition's order.
pub(super) fn read(root: ValueView<'_>) -> Vec<OfOneTenant> {
    let mut found = Vec::new();
    steps::for_each_step(root, &mut |step| {
        let flow = if step.flow.is_empty() { String::new() } else { format!(" of flow {:?}", step.flow) };
        take_inputs(&format!("step {:?}{flow}", step.name), step.view, &mut found);
    });
    for (name, entry) in steps::config_variables(root) {
        let at = format!("config variable {name:?}");
        take_inputs(&at, entry, &mut found);
        if let Some(default) = entry.get("defaultValue") {
            take(&at, "", default, &mut found, MAX_DEPTH);
        }
    }
    found
}

fn take_inputs(at: &str, of: ValueView<'_>, found: &mut Vec<OfOneTenant>) {
    for (name, input) in of.get("inputs").into_iter().flat_map(ValueView::entries) {
        let name = name.text().unwrap_or_default();
        take(&format!("input {name} of {at}"), name, input, found, MAX_DEPTH);
    }
}

fn take(at: &str, input: &str, value: ValueView<'_>, found: &mut Vec<OfOneTenant>, depth: usize) {
    if depth == 0 {
        return;
    }
    for what in value.text().into_iter().flat_map(|text| of_text(input, text)) {
        let one = OfOneTenant { at: at.to_string(), what };
        if !found.contains(&one) {
            found.push(one);
        }
    }
    for child in value.items().chain(value.entries().map(|(_, value)| value)) {
        take(at, input, child, found, depth - 1);
    }
}

/// What of one tenant a text contains. Its values are not repeated.
fn of_text(input: &str, value: &str) -> Vec<String> {
    let words = value.split(|c: char| !c.is_ascii_alphanumeric());
    let mut found: Vec<String> = words.filter_map(global_id).map(|kind| format!("the id of one {kind}")).collect();
    let letters: String = input.chars().filter(char::is_ascii_alphanumeric).collect();
    if IDS.contains(&letters.to_ascii_lowercase().as_str()) && text::is_uuid(value.trim()) {
        found.push("an id of the platform".to_string());
    }
    found.extend(hosts(value).map(|host| format!("host {host} of one stack")));
    found
}

/// The type of an id of the platform: base64 of `Type:UUID`.
fn global_id(word: &str) -> Option<String> {
    // The shortest has a type of one letter; no type is longer than 64.
    if !(51..=136).contains(&word.len()) {
        return None;
    }
    let bytes = STANDARD_NO_PAD.decode(word).ok()?;
    let (kind, id) = std::str::from_utf8(&bytes).ok()?.split_once(':')?;
    let is_type = !kind.is_empty() && kind.chars().all(|c| c.is_ascii_alphabetic());
    (is_type && text::is_uuid(id)).then(|| kind.to_string())
}

/// The hosts of public stacks in the URLs of a text.
fn hosts(value: &str) -> impl Iterator<Item = String> {
    let urls = value.split("://").skip(1);
    urls.filter_map(|rest| {
        let host = rest.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-')).next()?;
        let host = host.to_ascii_lowercase();
        let below = host.strip_suffix(STACKS).filter(|below| !below.is_empty() && *below != "www")?;
        (!below.ends_with('.')).then_some(host)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_certain_counts() {
        let id = STANDARD_NO_PAD.encode("Instance:00000000-0000-4000-8000-000000000001");
        assert_eq!(of_text("url", &format!("https://hooks.example/trigger/{id}==?x")), ["the id of one Instance"]);
        assert_eq!(of_text("Instance ID", "00000000-0000-4000-8000-000000000001"), ["an id of the platform"]);
        assert_eq!(
            of_text("url", "https://hooks.eu-west-1.prismatic.io/x, http://APP.prismatic.io"),
            ["host hooks.eu-west-1.prismatic.io of one stack", "host app.prismatic.io of one stack"]
        );
        let no_uuid = STANDARD_NO_PAD.encode("Instance:00000000-0000-4000-8000-00000000000g");
        for (input, value) in [
            ("formId", "00000000-0000-4000-8000-000000000001"),
            ("url", "https://prismatic.io/docs and https://www.prismatic.io"),
            ("url", "https://app.prismatic.io.example/x"),
            ("text", &no_uuid),
            ("text", &"A".repeat(60)),
            ("text", "SW50ZWdyYXRpb246"),
        ] {
            assert_eq!(of_text(input, value), Vec::<String>::new(), "{input}: {value}");
        }
    }
}
