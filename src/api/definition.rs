//! Connection variables of an exported platform definition, as plain data. `manifest` reads definitions, `engine`
//! evaluates them.

use super::ComponentRef;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The uses of each connection variable of one integration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uses {
    /// SHA-256 of the definition's bytes, in hex.
    pub digest: String,
    /// SHA-256 of the definition's value, independent of its formatting, in hex; empty if it is unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// The same hash without the versions of components.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub versionless: String,
    /// The settings, flows and steps, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// SHA-256 of each config variable, without the versions of components.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, String>,
    /// Secrets that are empty in the definition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_empty: Vec<LeftEmpty>,
    /// Ids and hosts of one tenant in its inputs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of_one_tenant: Vec<OfOneTenant>,
    /// By variable name (the definition's display key), in the definition's order.
    pub variables: BTreeMap<String, Vec<Use>>,
    /// Names of the flows, in order.
    pub flows: Vec<String>,
    /// A description of the definition if its version is not supported. The uses of its variables are then unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
    /// Whether the definition is of an older version: syncs copy it unchanged, and the connections that it uses are
    /// unknown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_older: bool,
    /// Whether the integration is written in code: only the platform's own tools publish it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_code_native: bool,
}

/// A part of a definition: a setting, a flow or a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// A description: `step New lead › Score lead (code/runCode)`.
    pub what: String,
    /// SHA-256 of the content.
    pub digest: String,
    /// SHA-256 of the content without the versions of components.
    pub versionless: String,
}

/// A secret that is empty in a definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftEmpty {
    /// The config variable that the secret belongs to; `None` if it belongs to none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// A description: `connection "Chat", input clientSecret`.
    pub what: String,
    /// The part of the definition that the secret is in, if it is in a flow: as [`Part::what`] says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// SHA-256 of what the secret stands beside, without versions of components: where it is the same on the platform,
    /// the secret there can stay.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub beside: String,
}

/// An id or a host of one tenant in a definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfOneTenant {
    /// Where it is: `input url of step "Notify" of flow "New lead"`.
    pub at: String,
    /// What it is, without its value: `the id of one Instance`.
    pub what: String,
}

impl Uses {
    /// The approximate size in memory, in bytes.
    pub fn weight(&self) -> usize {
        const EACH: usize = 64;
        let parts = self.parts.iter().map(|part| part.what.len() + part.digest.len() + part.versionless.len());
        let left = self.left_empty.iter().map(|left| left.what.len() + left.beside.len());
        let uses = self
            .variables
            .iter()
            .flat_map(|(name, uses)| uses.iter().map(|of| of.input.len() + EACH).chain([name.len()]));
        let flows = self.flows.iter().map(String::len);
        let of_one_tenant = self.of_one_tenant.iter().map(|one| one.at.len() + one.what.len());
        let config = self.config.iter().map(|(name, digest)| name.len() + digest.len());
        parts.chain(config).chain(left).chain(uses).chain(flows).chain(of_one_tenant).map(|bytes| EACH + bytes).sum()
    }

    /// What a secret of another definition would stand beside in this one; `None` if there is no such part.
    pub fn beside(&self, left: &LeftEmpty) -> Option<&str> {
        match (&left.variable, &left.part) {
            (Some(variable), _) => self.config.get(variable).map(String::as_str),
            (None, Some(part)) => {
                self.parts.iter().find(|there| there.what == *part).map(|there| there.versionless.as_str())
            }
            (None, None) => Some(self.versionless.as_str()),
        }
    }

    /// Whether both definitions have the same value, independent of their formatting.
    pub fn has_same_value(&self, other: &Uses) -> bool {
        self.digest == other.digest || (!self.value.is_empty() && self.value == other.value)
    }

    /// Whether the definitions differ at most in the versions of components.
    pub fn has_same_value_except_versions(&self, other: &Uses) -> bool {
        self.has_same_value(other) || (!self.versionless.is_empty() && self.versionless == other.versionless)
    }

    /// Lists the parts that were added, removed and changed between this definition and another, one per line: `+ step
    /// New lead › Score lead (code/runCode)`.
    pub fn changes_to(&self, other: &Uses) -> Vec<String> {
        let (before, after) = (numbered(&self.parts), numbered(&other.parts));
        let mut lines = Vec::new();
        for (what, part) in &before {
            match after.get(what) {
                None => lines.push(format!("- {}", part.what)),
                Some(then) if then.versionless != part.versionless => lines.push(format!("~ {}", part.what)),
                Some(then) if then.digest != part.digest => {
                    lines.push(format!("~ {}: version of a component", part.what))
                }
                Some(_) => {}
            }
        }
        lines.extend(
            after.iter().filter(|(what, _)| !before.contains_key(*what)).map(|(_, part)| format!("+ {}", part.what)),
        );
        if lines.is_empty() && !self.has_same_value(other) {
            // Two hashes alone would not help a reader.
            let moved = self.parts.iter().zip(&other.parts).find(|(was, is)| was.what != is.what);
            lines.push(match moved {
                Some((was, is)) => format!("~ the order: {} where {} was", is.what, was.what),
                None => "~ something beside its settings, flows and steps".to_string(),
            });
        }
        lines
    }

    /// Whether the definition may use connections that it does not list.
    pub fn may_use_more(&self) -> bool {
        self.unread.is_some() || self.is_older
    }
}

/// Indexes parts by their description, and by their number among parts with the same description.
fn numbered(parts: &[Part]) -> BTreeMap<(&str, usize), &Part> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut numbered = BTreeMap::new();
    for part in parts {
        let count = seen.entry(&part.what).or_default();
        *count += 1;
        numbered.insert((part.what.as_str(), *count), part);
    }
    numbered
}

/// One use of a variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// The step or data source that uses the variable.
    pub by: User,
    /// The component of the step or data source; `None` if the definition does not specify it.
    pub component: Option<ComponentRef>,
    /// The name of the input that takes the connection.
    pub input: String,
}

/// The step or data source that uses a variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum User {
    /// A step, at any depth, of a flow.
    Step {
        /// The flow's name.
        flow: String,
        /// The step's name.
        step: String,
    },
    /// The data source of another config variable.
    DataSource {
        /// The name of that config variable.
        variable: String,
    },
}
