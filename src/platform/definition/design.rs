//! The connections of a definition as the platform's designer shows them: each step and data source that uses one, where
//! its name stands, and the edits that give it another one.

use super::tree::ValueView;
use super::variables::{self, ConnectionVariable, VariableShape};
use super::{DefinitionError, DefinitionFormat, MAX_DEPTH, format, parse, steps, to_utf8};
use crate::api::ComponentRef;
use crate::manifest::Edit;
use serde_json::json;
use std::collections::BTreeSet;

/// A definition whose connections can be changed.
#[derive(Debug)]
pub struct Design {
    /// Its connection variables, in order.
    pub variables: Vec<ConnectionVariable>,
    /// Its steps, triggers and data sources.
    pub users: Vec<ConnectionUser>,
    /// The names of all its config variables.
    names: BTreeSet<String>,
}

/// A step, a trigger or a data source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionUser {
    /// Its own name, preceded by those of its flow and of the steps and branches around it; for a data source, that of
    /// its config variable.
    pub names: Vec<String>,
    /// Whether it is the data source of a config variable.
    pub is_data_source: bool,
    /// Its component.
    pub component: Option<ComponentRef>,
    /// The key of its action.
    pub action: Option<String>,
    /// What kind of step it is.
    pub kind: StepKind,
    /// The connection variables that its inputs use.
    pub uses: Vec<ConnectionUse>,
    /// The variables that its inputs use, and that the definition does not declare.
    pub undeclared: Vec<ConnectionUse>,
    /// Its inputs that are empty.
    pub empty: Vec<String>,
    /// The line at which it begins.
    pub line: usize,
    /// Which of its names are branches.
    branches: Vec<usize>,
    /// The path of an edit to it.
    at: Vec<String>,
}

/// The kinds of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// It starts its flow.
    Trigger,
    /// It repeats the steps within it.
    Loop,
    /// It chooses one of several branches.
    Branch,
    /// It calls an action, or is a data source.
    Action,
}

/// The platform's own components without connections: what steps of control and of time call.
const WITHOUT_CONNECTIONS: [&str; 9] = [
    "branch",
    "code",
    "log",
    "loop",
    "management-triggers",
    "schedule-triggers",
    "sleep",
    "stop-execution",
    "webhook-triggers",
];

/// A use of a connection variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionUse {
    /// The name of the input.
    pub input: String,
    /// The connection variable.
    pub variable: String,
    /// The path of an edit to the name of the variable; `None` within a list whose items have no names.
    at: Option<Vec<String>>,
}

impl Design {
    /// Reads a definition; an error if its connections are not changed in its file.
    pub fn read(bytes: &[u8]) -> Result<Design, DefinitionError> {
        let text = to_utf8(bytes)?;
        let tree = parse(&text)?;
        let root = tree.root();
        refuse(format(root)?)?;
        let variables = variables::read(root)?;
        let declared = Declared {
            connections: variables.iter().map(|variable| variable.name.as_str()).collect(),
            all: steps::config_variables(root).map(|(name, _)| name).collect(),
        };
        let mut users = Vec::new();
        steps::for_each_step_at(root, &mut |step, path| users.push(of_step(step.view, path, &declared)));
        for (name, entry) in steps::config_variables(root) {
            if let Some(source) = entry.get("dataSource") {
                users.push(of_data_source(name, entry, source, &declared));
            }
        }
        let names = declared.all.iter().map(ToString::to_string).collect();
        if tree.exhausted() {
            return Err(DefinitionError::TooManyNodes);
        }
        Ok(Design { variables, users, names })
    }

    /// The connection variable of this name.
    pub fn variable(&self, name: &str) -> Option<&ConnectionVariable> {
        self.variables.iter().find(|variable| variable.name == name)
    }

    /// Whether a config variable of any kind has this name.
    pub fn has_name(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// The edit that adds a connection variable that is bound to a stable key.
    pub fn add_variable(name: &str, key: &str) -> Edit {
        Edit::Set {
            path: vec!["requiredConfigVars".to_string(), name.to_string()],
            value: json!({"key": name, "dataType": "connection", "useScopedConfigVar": key}),
        }
    }
}

/// The config variables of a definition, by name.
struct Declared<'t> {
    connections: BTreeSet<&'t str>,
    all: BTreeSet<&'t str>,
}

/// Refuses definitions whose connections stand elsewhere.
fn refuse(format: DefinitionFormat) -> Result<(), DefinitionError> {
    let (what, fix) = match format {
        DefinitionFormat::Current => return Ok(()),
        DefinitionFormat::CodeNative => (
            "the integration is written in code, and its definition is made from that".to_string(),
            "change the connection in its code, publish it, and import it again",
        ),
        DefinitionFormat::Older { version } => (
            match version {
                Some(version) => format!("the definition has the older version {version}, whose variables are a map"),
                None => "the definition has an older version, whose variables are a map".to_string(),
            },
            "save the integration in the platform's designer, export it in version 7, and import it again",
        ),
        DefinitionFormat::Unread { .. } => {
            let version = format.unread().unwrap_or_default();
            (format!("the definition has {version}, which is not known"), "update Stablekey, then try again")
        }
        DefinitionFormat::Workflow => (
            "this is a workflow of the embedded builder, which belongs to a customer".to_string(),
            "change it in the embedded builder",
        ),
    };
    Err(DefinitionError::NotDesigned { what, fix })
}

fn of_step(view: ValueView<'_>, path: &[steps::Segment<'_>], declared: &Declared<'_>) -> ConnectionUser {
    let action = view.get("action");
    let mut at = Vec::with_capacity(path.len() * 2);
    for (list, name) in path {
        at.push((*list).to_string());
        // The trigger of a flow is no item of a list.
        at.extend((*list != "trigger").then(|| name.to_string()));
    }
    let branches = path.iter().enumerate().filter(|(_, (list, _))| *list == "branches").map(|(index, _)| index);
    let component = action.and_then(|action| action.get("component")).and_then(variables::component);
    let is_trigger = view.flag("isTrigger") == Some(true) || path.last().is_some_and(|(list, _)| *list == "trigger");
    let calls = |key: &str| component.as_ref().is_some_and(|component| component.is_public() && component.key == key);
    let kind = match is_trigger {
        true => StepKind::Trigger,
        false if calls("loop") => StepKind::Loop,
        false if calls("branch") || view.get("branches").is_some() => StepKind::Branch,
        false if view.get("steps").is_some() => StepKind::Loop,
        false => StepKind::Action,
    };
    let (uses, undeclared) = uses(view, &at, declared);
    ConnectionUser {
        names: path.iter().map(|(_, name)| name.to_string()).collect(),
        is_data_source: false,
        component,
        action: action.and_then(|action| action.text_of("key")).map(String::from),
        kind,
        uses,
        undeclared,
        empty: empty(view),
        line: view.line(),
        branches: branches.collect(),
        at,
    }
}

fn of_data_source(name: &str, entry: ValueView<'_>, source: ValueView<'_>, declared: &Declared<'_>) -> ConnectionUser {
    let at = vec!["requiredConfigVars".to_string(), name.to_string()];
    let (uses, undeclared) = uses(entry, &at, declared);
    ConnectionUser {
        names: vec![name.to_string()],
        is_data_source: true,
        component: source.get("component").and_then(variables::component),
        action: source.text_of("key").map(String::from),
        kind: StepKind::Action,
        uses,
        undeclared,
        empty: empty(entry),
        line: entry.line(),
        branches: Vec::new(),
        at,
    }
}

/// The uses of connection variables, and those of variables that are not declared.
fn uses(user: ValueView<'_>, at: &[String], declared: &Declared<'_>) -> (Vec<ConnectionUse>, Vec<ConnectionUse>) {
    let (mut uses, mut undeclared) = (Vec::new(), Vec::new());
    for (input, view) in user.get("inputs").into_iter().flat_map(ValueView::entries) {
        let input = input.text().unwrap_or_default();
        let mut add = |variable: &str, path: &[Option<&str>]| {
            let list = match declared.connections.contains(variable) {
                true => &mut uses,
                false if variable.is_empty() || declared.all.contains(variable) => return,
                false => &mut undeclared,
            };
            let names = path.iter().map(|step| step.map(String::from)).collect::<Option<Vec<String>>>();
            let own = ["inputs".to_string(), input.to_string()];
            let at = names.map(|names| [at, &own, &names, &["value".to_string()]].concat());
            list.push(ConnectionUse { input: input.to_string(), variable: variable.to_string(), at });
        };
        steps::for_each_config_variable(view, &mut add, &mut Vec::new(), MAX_DEPTH);
    }
    (uses, undeclared)
}

/// The inputs without a value, which may wait for a connection.
fn empty(user: ValueView<'_>) -> Vec<String> {
    let inputs = user.get("inputs").into_iter().flat_map(ValueView::entries);
    let is_empty = |input: ValueView<'_>| {
        input.is_null()
            || input.is_mapping()
                && input.get("value").is_none_or(|v| v.is_null() || v.text().is_some_and(str::is_empty))
    };
    inputs.filter(|(_, input)| is_empty(*input)).filter_map(|(name, _)| name.text().map(String::from)).collect()
}

impl ConnectionUser {
    /// Its path as people write it: `FLOW/STEP/NESTED`.
    pub fn path(&self) -> String {
        self.names.join("/")
    }

    /// Whether it calls one of the platform's own components that have no connections.
    pub fn calls_no_connector(&self) -> bool {
        let is_one = |component: &ComponentRef| WITHOUT_CONNECTIONS.contains(&component.key.as_str());
        self.component.as_ref().is_none_or(|component| component.is_public() && is_one(component))
    }

    /// Its own name.
    pub fn name(&self) -> &str {
        self.names.last().map_or("", String::as_str)
    }

    /// Whether a person means it: by its name, or by the end of its path, with or without the names of branches.
    pub fn is_named(&self, wanted: &str) -> bool {
        let without_branches =
            self.names.iter().enumerate().filter(|(index, _)| !self.branches.contains(index)).map(|(_, name)| name);
        let without_branches = without_branches.cloned().collect::<Vec<String>>().join("/");
        let ends =
            |path: &str| path.strip_suffix(wanted).is_some_and(|before| before.is_empty() || before.ends_with('/'));
        ends(&self.path()) || ends(&without_branches)
    }

    /// The edit that gives an input, which has no connection yet, a variable.
    pub fn bind(&self, input: &str, variable: &str) -> Edit {
        let path = [self.at.as_slice(), &["inputs".to_string(), input.to_string()]].concat();
        Edit::Set { path, value: json!({"type": "configVar", "value": variable}) }
    }
}

impl ConnectionUse {
    /// The edit that makes it use another variable; `None` if it stands within a list whose items have no names.
    pub fn switch(&self, variable: &str) -> Option<Edit> {
        Some(Edit::Set { path: self.at.clone()?, value: json!(variable) })
    }
}

impl ConnectionVariable {
    /// The stable key that the definition binds it to.
    pub fn stable_key(&self) -> Option<&str> {
        match &self.shape {
            VariableShape::Reusable { stable_key } => Some(stable_key),
            VariableShape::Own { .. } => None,
        }
    }
}
