//! Secrets that are empty in a definition: after an import into a platform they must be filled in.

use super::secrets::EmptiedPlace;
use super::steps;
use super::tree::ValueView;
use super::variables::{self, is_secret_input, literal};
use crate::api::LeftEmpty;

/// The empty inputs that are secret by name or type, in the definition's order: those of its own connections, and of
/// steps.
pub(super) fn read(root: ValueView<'_>) -> Vec<LeftEmpty> {
    let mut found = Vec::new();
    let entries = steps::config_variables(root).filter(|(_, entry)| variables::is_connection(*entry));
    for (variable, entry) in entries.filter(|(_, entry)| entry.text_of("useScopedConfigVar").is_none()) {
        for input in empty_inputs(entry) {
            let place = EmptiedPlace::Connection { variable: variable.to_string(), input };
            found.push(LeftEmpty { variable: Some(variable.to_string()), what: place.to_string() });
        }
    }
    steps::for_each_step(root, &mut |step| {
        for input in empty_inputs(step.view) {
            let place = EmptiedPlace::Step { flow: step.flow.to_string(), step: step.name.to_string(), input };
            found.push(LeftEmpty { variable: None, what: place.to_string() });
        }
    });
    found
}

fn empty_inputs(of: ValueView<'_>) -> Vec<String> {
    let inputs = of.get("inputs").into_iter().flat_map(ValueView::entries);
    let named = inputs.filter_map(|(name, input)| Some((name.text()?, input)));
    // An input without any value was not emptied.
    let is_empty = |input: ValueView<'_>| {
        literal(input).is_some_and(|value| !value.is_null() && value.text().is_some_and(|text| text.trim().is_empty()))
    };
    named
        .filter(|(name, input)| is_secret_input(name, *input) && is_empty(*input))
        .map(|(name, _)| name.to_string())
        .collect()
}
