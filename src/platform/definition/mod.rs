//! Exported platform definitions: what they say of connections, and the two changes that we make
//! to them: secrets emptied on import, reusable connections bound on export. All else stays, byte
//! for byte: we model what we need and keep the rest.

mod bind;
mod encoding;
mod error;
mod left_empty;
mod secrets;
mod steps;
mod stubs;
mod text;
mod tree;
mod value;
mod variables;

#[cfg(test)]
pub(crate) mod tests;

pub use bind::bind;
pub use encoding::to_utf8;
pub use error::DefinitionError;
pub use secrets::{Emptied, EmptiedPlace, empty_secrets};
pub use stubs::component_stubs;
pub use text::is_placeholder;
pub use variables::{ConnectionVariable, DefinitionInput, InputValue, VariableShape};

use crate::api::{ComponentRef, Uses};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use tree::{DefinitionTree, ValueView};

/// The largest definition that we read, in bytes.
pub const MAX_BYTES: usize = 64_000_000;
/// How deep its values may be nested.
pub const MAX_DEPTH: usize = 200;
/// How many values it may have.
pub const MAX_NODES: usize = 1_000_000;
/// How many values readers may visit, aliases unfolded.
const MAX_VISITS: usize = 16 * MAX_NODES;
/// The version of the platform's definitions that we read in full.
pub const CURRENT_VERSION: u64 = 7;

/// An exported definition, as far as we model it.
#[derive(Debug)]
pub struct ParsedDefinition {
    /// The integration's name: its title with us.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What kind of definition it is.
    pub format: DefinitionFormat,
    /// Its connection variables, in order. None where the format is [`DefinitionFormat::Older`] or [`DefinitionFormat::Unread`].
    pub variables: Vec<ConnectionVariable>,
    /// Who uses which of them. Every variable is there, used or not.
    pub uses: Uses,
    /// The components of its steps, triggers and data sources. None where the format is [`DefinitionFormat::Older`] or [`DefinitionFormat::Unread`].
    pub components: BTreeSet<ComponentRef>,
}

/// What kind of definition a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefinitionFormat {
    /// The current version, drawn on the platform.
    Current,
    /// The current version, generated from code.
    CodeNative,
    /// An older version. It is kept, but its connections are not read.
    Older {
        /// The version that it states; the oldest state none.
        version: Option<u64>,
    },
    /// A newer version, or one that is not understood: what it says is unknown.
    Unread {
        /// The version that it states, where that is a number.
        version: Option<u64>,
    },
    /// A workflow of the embedded builder: no integration.
    Workflow,
}

impl ParsedDefinition {
    /// Whether this is the component that the code of a code-native integration makes for itself:
    /// a private one with a UUID for its key, new with each build.
    pub fn is_own_component(&self, component: &ComponentRef) -> bool {
        self.format == DefinitionFormat::CodeNative
            && !component.is_public()
            && text::is_uuid(&component.key)
            && self.components.contains(component)
    }
}

/// Reads a definition, of any encoding.
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
    let said = value::read(root);
    let uses = Uses {
        digest: digest(bytes),
        value: said.value,
        versionless: said.versionless,
        parts: said.parts,
        left_empty: left_empty::read(root),
        variables: found.uses,
        flows: steps::flow_names(root),
        unread: format.unread(),
        is_older: matches!(format, DefinitionFormat::Older { .. }),
    };
    if tree.exhausted() {
        return Err(DefinitionError::TooManyNodes);
    }
    Ok(ParsedDefinition { name, description, format, variables, uses, components: found.components })
}

/// Only who uses which variable: what a tenant's folder is read for.
pub fn uses(bytes: &[u8]) -> Result<Uses, DefinitionError> {
    read(bytes).map(|definition| definition.uses)
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
    /// What it is, in words, where it is not read.
    pub fn unread(self) -> Option<String> {
        match self {
            DefinitionFormat::Unread { version: Some(version) } => Some(format!("version {version}")),
            DefinitionFormat::Unread { version: None } => Some("a version that is no whole number".to_string()),
            _ => None,
        }
    }
}
