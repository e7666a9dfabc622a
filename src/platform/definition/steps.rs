//! The users of connection variables: steps at any depth, and the data sources of config variables. The name of an
//! input is irrelevant (`connection`, `awsConnection`, `accessKey`): an input uses a connection if its type is
//! `configVar` and its value the name of a connection variable.

use super::MAX_DEPTH;
use super::tree::ValueView;
use super::variables::{self, ConnectionVariable};
use crate::api::{ComponentRef, Use, User};
use std::collections::{BTreeMap, BTreeSet};

/// The variables and components that steps and data sources refer to.
#[derive(Default)]
pub(super) struct NamedComponents {
    /// The uses by variable, in the definition's order.
    pub uses: BTreeMap<String, Vec<Use>>,
    /// The components of steps, triggers and data sources.
    pub components: BTreeSet<ComponentRef>,
}

/// A step of a flow, at any depth.
#[derive(Clone, Copy)]
pub(super) struct FlowStep<'t> {
    /// The name of the flow; empty if the definition has steps but no flows.
    pub flow: &'t str,
    /// The name of the step.
    pub name: &'t str,
    /// The value of the step.
    pub view: ValueView<'t>,
}

pub(super) fn read(root: ValueView<'_>, variables: &[ConnectionVariable]) -> NamedComponents {
    let uses = variables.iter().map(|variable| (variable.name.clone(), Vec::new())).collect();
    let mut found = NamedComponents { uses, components: BTreeSet::new() };
    for_each_step(root, &mut |step| {
        let component =
            step.view.get("action").and_then(|action| action.get("component")).and_then(variables::component);
        let by = || User::Step { flow: step.flow.to_string(), step: step.name.to_string() };
        found.take(step.view, component, &by);
    });
    for (name, entry) in config_variables(root) {
        let of = |key| entry.get(key).and_then(|v| v.get("component")).and_then(variables::component);
        // The component of a connection belongs to its variable, not to its inputs.
        let component = of("dataSource");
        let user = component.clone().or_else(|| of("connection"));
        let by = || User::DataSource { variable: name.to_string() };
        found.take_inputs(entry, user, &by);
        found.components.extend(component);
    }
    found
}

/// Names of the flows, in order.
pub(super) fn flow_names(root: ValueView<'_>) -> Vec<String> {
    let flows = root.get("flows").into_iter().flat_map(ValueView::items);
    flows.map(|flow| flow.text_of("name").unwrap_or_default().to_string()).collect()
}

/// The config variables with a name.
pub(super) fn config_variables<'t>(root: ValueView<'t>) -> impl Iterator<Item = (&'t str, ValueView<'t>)> {
    let list = root.get("requiredConfigVars").into_iter().flat_map(ValueView::items);
    list.filter_map(|entry| Some((entry.text_of("key")?, entry)))
}

/// Every step of every flow, including the trigger of older versions; outer steps first.
pub(super) fn for_each_step<'t>(root: ValueView<'t>, act: &mut dyn FnMut(FlowStep<'t>)) {
    for_each_step_at(root, &mut |step, _| act(step));
}

/// A part of the path to a step: a field, and the name of its item, or of the trigger.
pub(super) type Segment<'t> = (&'static str, &'t str);

/// Every step of every flow, with its path.
pub(super) fn for_each_step_at<'t>(root: ValueView<'t>, act: &mut dyn FnMut(FlowStep<'t>, &[Segment<'t>])) {
    let mut path = Vec::new();
    walk(root, "", act, &mut path, MAX_DEPTH);
    for flow in root.get("flows").into_iter().flat_map(ValueView::items) {
        let name = flow.text_of("name").unwrap_or_default();
        path.push(("flows", name));
        walk(flow, name, act, &mut path, MAX_DEPTH);
        path.pop();
    }
}

fn walk<'t>(
    parent: ValueView<'t>,
    flow: &'t str,
    act: &mut dyn FnMut(FlowStep<'t>, &[Segment<'t>]),
    path: &mut Vec<Segment<'t>>,
    depth: usize,
) {
    if depth == 0 {
        return;
    }
    if let Some(trigger) = parent.get("trigger") {
        let name = trigger.text_of("name").unwrap_or_default();
        path.push(("trigger", name));
        act(FlowStep { flow, name, view: trigger }, path);
        path.pop();
    }
    for view in parent.get("steps").into_iter().flat_map(ValueView::items) {
        let name = view.text_of("name").unwrap_or_default();
        path.push(("steps", name));
        act(FlowStep { flow, name, view }, path);
        walk(view, flow, act, path, depth - 1);
        path.pop();
    }
    for branch in parent.get("branches").into_iter().flat_map(ValueView::items) {
        path.push(("branches", branch.text_of("name").unwrap_or_default()));
        walk(branch, flow, act, path, depth - 1);
        path.pop();
    }
}

impl NamedComponents {
    fn take(&mut self, user: ValueView<'_>, component: Option<ComponentRef>, by: &dyn Fn() -> User) {
        self.take_inputs(user, component.clone(), by);
        self.components.extend(component);
    }

    fn take_inputs(&mut self, user: ValueView<'_>, component: Option<ComponentRef>, by: &dyn Fn() -> User) {
        for (name, input) in user.get("inputs").into_iter().flat_map(ValueView::entries) {
            let name = name.text().unwrap_or_default();
            let mut add = |variable: &str| {
                let Some(uses) = self.uses.get_mut(variable) else { return };
                uses.push(Use { by: by(), component: component.clone(), input: name.to_string() });
            };
            for_each_config_variable(input, &mut |variable, _| add(variable), &mut Vec::new(), MAX_DEPTH);
        }
    }
}

/// The config variables that an input refers to, itself or in a complex value. `path` leads from the input to each:
/// names of fields, and names or keys of items; `None` is an item without one.
pub(super) fn for_each_config_variable<'t>(
    input: ValueView<'t>,
    act: &mut dyn FnMut(&'t str, &[Option<&'t str>]),
    path: &mut Vec<Option<&'t str>>,
    depth: usize,
) {
    if depth == 0 {
        return;
    }
    if input.text_of("type") == Some("configVar") {
        if let Some(variable) = input.text_of("value") {
            act(variable, path);
        }
        return;
    }
    let items = input.items().map(|item| (item.text_of("name").or_else(|| item.text_of("key")), item));
    let entries = input.entries().map(|(key, value)| (key.text(), value));
    for (step, child) in items.chain(entries) {
        path.push(step);
        for_each_config_variable(child, act, path, depth - 1);
        path.pop();
    }
}
