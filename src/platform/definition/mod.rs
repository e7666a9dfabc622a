//! Exported platform definitions: the use of connections, and the two changes to them: an import empties secrets, an
//! export binds reusable connections. Everything else is kept, byte for byte: only the necessary parts are modelled.

mod bind;
mod design;
mod encoding;
mod error;
mod left_empty;
mod of_one_tenant;
mod outgoing;
mod secrets;
mod steps;
mod stubs;
mod text;
mod tree;
mod value;
mod variables;
mod workflow;

#[cfg(test)]
pub(crate) mod tests;

pub use bind::bind;
pub use design::{ConnectionUse, ConnectionUser, Design, StepKind};
pub use encoding::to_utf8;
pub use error::DefinitionError;
pub use left_empty::{keep_secrets, without_secrets};
pub use outgoing::{Outgoing, outgoing};
pub use secrets::{Emptied, EmptiedPlace, empty_secrets};
pub use stubs::component_stubs;
pub use text::is_placeholder;
pub use variables::{ConnectionVariable, DefinitionInput, InputValue, VariableShape};
pub use workflow::workflow_connections;

use crate::api::{ComponentRef, Uses};
use crate::manifest::limits;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use tree::{DefinitionTree, ValueView};

/// The maximum size of a definition, in bytes.
pub const MAX_BYTES: usize = 64_000_000;
/// How far a reader goes down from the root: to a scalar within the deepest collection.
pub const MAX_DEPTH: usize = limits::DEPTH + 1;
/// The maximum number of values.
pub const MAX_NODES: usize = limits::NODES;
/// The maximum number of visited values, with aliases expanded.
const MAX_VISITS: usize = 16 * MAX_NODES;
/// The version of the platform's definitions that is fully supported.
pub const CURRENT_VERSION: u64 = 7;

/// The modelled part of an exported definition.
#[derive(Debug)]
pub struct ParsedDefinition {
    /// The name of the integration, which becomes its title.
    pub name: String,
    /// The description of the integration.
    pub description: Option<String>,
    /// The format of the definition.
    pub format: DefinitionFormat,
    /// The connection variables, in order. Empty if the format is [`DefinitionFormat::Older`] or
    /// [`DefinitionFormat::Unread`].
    pub variables: Vec<ConnectionVariable>,
    /// The uses of connection variables. Includes unused ones.
    pub uses: Uses,
    /// The components of steps, triggers and data sources. Empty if the format is [`DefinitionFormat::Older`] or
    /// [`DefinitionFormat::Unread`].
    pub components: BTreeSet<ComponentRef>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefinitionFormat {
    /// The current version, designed on the platform.
    Current,
    /// The current version, generated from code.
    CodeNative,
    /// An older version. It is copied unchanged, and its connections are not read.
    Older {
        /// The version in the definition; the oldest have none.
        version: Option<u64>,
    },
    /// A newer or unknown version, whose content is unknown.
    Unread {
        /// The version in the definition, if it is a number.
        version: Option<u64>,
    },
    /// A workflow of the embedded builder, which is not an integration.
    Workflow,
}

impl ParsedDefinition {
    /// Whether this is the component that the code of a code-native integration creates for itself: a private one with
    /// a UUID as its key, new with each build.
    pub fn is_own_component(&self, component: &ComponentRef) -> bool {
        self.format == DefinitionFormat::CodeNative
            && !component.is_public()
            && text::is_uuid(&component.key)
            && self.components.contains(component)
    }
}

/// A text with other texts in place of some ranges, by their starts. What comes out must be a definition again.
fn spliced(text: &str, edits: BTreeMap<usize, (Range<usize>, String)>) -> Result<String, DefinitionError> {
    let mut edited = String::with_capacity(text.len());
    let mut at = 0;
    for (range, with) in edits.into_values() {
        edited.push_str(text.get(at..range.start).unwrap_or_default());
        edited.push_str(&with);
        at = range.end;
    }
    edited.push_str(text.get(at..).unwrap_or_default());
    match DefinitionTree::parse(&edited) {
        Ok(Some(_)) => Ok(edited),
        _ => Err(DefinitionError::CannotEdit { line: 1 }),
    }
}

/// Reads a definition in any encoding.
pub fn read(bytes: &[u8]) -> Result<ParsedDefinition, DefinitionError> {
    let text = to_utf8(bytes)?;
    let tree = parse(&text)?;
    let root = tree.root();
    let format = format(root)?;
    let name = root.text_of("name").unwrap_or_default().trim().to_string();
    let (variables, found) = match format {
        DefinitionFormat::Current | DefinitionFormat::CodeNative => {
            let variables = variables::read(root)?;
            let found = steps::read(root, &variables);
            (variables, found)
        }
        DefinitionFormat::Older { .. } | DefinitionFormat::Unread { .. } | DefinitionFormat::Workflow => {
            (Vec::new(), steps::NamedComponents::default())
        }
    };
    let description = root.text_of("description").map(str::trim).filter(|text| !text.is_empty()).map(String::from);
    let written = value::read(root);
    let uses = Uses {
        digest: digest(bytes),
        value: written.value,
        versionless: written.versionless,
        parts: written.parts,
        config: left_empty::config(root),
        left_empty: left_empty::read(root),
        of_one_tenant: match format {
            DefinitionFormat::Current | DefinitionFormat::CodeNative => of_one_tenant::read(root),
            _ => Vec::new(),
        },
        variables: found.uses,
        flows: steps::flow_names(root),
        unread: format.unread(),
        is_older: matches!(format, DefinitionFormat::Older { .. }),
        is_code_native: format == DefinitionFormat::CodeNative,
    };
    if tree.exhausted() {
        return Err(DefinitionError::TooManyNodes);
    }
    Ok(ParsedDefinition { name, description, format, variables, uses, components: found.components })
}

/// Reads only the uses of connection variables, which a tenant's folder needs.
pub fn uses(bytes: &[u8]) -> Result<Uses, DefinitionError> {
    read(bytes).map(|definition| definition.uses)
}

/// A step, with its flow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedStep {
    /// The name of the flow; empty if the definition has steps but no flows.
    pub flow: String,
    /// The name of the step.
    pub step: String,
}

/// The steps of all flows, at any depth, outer steps first.
pub fn step_names(bytes: &[u8]) -> Result<Vec<NamedStep>, DefinitionError> {
    let text = to_utf8(bytes)?;
    let tree = parse(&text)?;
    let mut names = Vec::new();
    steps::for_each_step(tree.root(), &mut |step| {
        names.push(NamedStep { flow: step.flow.to_string(), step: step.name.to_string() });
    });
    names.retain(|named| !named.step.is_empty());
    Ok(names)
}

/// SHA-256 of a definition's bytes, in hex.
pub fn digest(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

fn parse(text: &str) -> Result<DefinitionTree<'_>, DefinitionError> {
    DefinitionTree::parse(text)?.ok_or(DefinitionError::NotADefinition { why: "the file is empty" })
}

fn format(root: ValueView<'_>) -> Result<DefinitionFormat, DefinitionError> {
    let not = |why| Err(DefinitionError::NotADefinition { why });
    if !root.is_mapping() {
        return not("its top level is no mapping");
    }
    if root.get("apiVersion").is_some() && root.get("kind").is_some() {
        return not("it has apiVersion and kind: a Kubernetes resource");
    }
    if root.text_of("definitionType") == Some("workflow") {
        return Ok(DefinitionFormat::Workflow);
    }
    if root.text_of("name").is_none_or(|name| name.trim().is_empty()) {
        return not("it has no name");
    }
    if root.get("flows").is_none() && root.get("steps").is_none() {
        return not("it has neither flows nor steps");
    }
    let Some(version) = root.get("definitionVersion").filter(|version| !version.is_null()) else {
        return Ok(DefinitionFormat::Older { version: None });
    };
    Ok(match version.text().and_then(|text| text.parse().ok()) {
        Some(CURRENT_VERSION) if root.flag("isCodeNative") == Some(true) => DefinitionFormat::CodeNative,
        Some(CURRENT_VERSION) => DefinitionFormat::Current,
        Some(version) if version < CURRENT_VERSION => DefinitionFormat::Older { version: Some(version) },
        version => DefinitionFormat::Unread { version },
    })
}

impl DefinitionFormat {
    /// A description of the format, if it is not supported.
    pub fn unread(self) -> Option<String> {
        match self {
            DefinitionFormat::Unread { version: Some(version) } => Some(format!("version {version}")),
            DefinitionFormat::Unread { version: None } => Some("a version that is no whole number".to_string()),
            _ => None,
        }
    }
}
