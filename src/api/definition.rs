//! What an exported platform definition says of its connection variables. Plain data: reading
//! definitions is the business of `manifest`, judging them that of `engine`.

use super::ComponentRef;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who uses which variable of one integration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uses {
    /// SHA-256 of the definition's bytes, in hex.
    pub digest: String,
    /// SHA-256 of what it says, whatever its form, in hex; empty where that is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// The same without the versions of components.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub versionless: String,
    /// Its settings, flows and steps, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// Secrets that it does not hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_empty: Vec<LeftEmpty>,
    /// By variable name (the definition's display key), in the definition's order.
    pub variables: BTreeMap<String, Vec<Use>>,
    /// Names of the flows, in order.
    pub flows: Vec<String>,
    /// What the definition is, where it is of a version that is not read: who uses what is then unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
    /// Whether it is of an older version: it crosses as it is, and which connections it uses is unknown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_older: bool,
}

/// A part of a definition: a setting, a flow or a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// What it is: `step New lead › Score lead (code/runCode)`.
    pub what: String,
    /// Of what it says.
    pub digest: String,
    /// Of what it says but for the versions of components.
    pub versionless: String,
}

/// A secret that a definition does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftEmpty {
    /// The connection variable that it is of; `None`: it is of a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// What it is, in words: `connection "Chat", input clientSecret`.
    pub what: String,
}

impl Uses {
    /// How many bytes are kept of it, about.
    pub fn weight(&self) -> usize {
        const EACH: usize = 64;
        let parts = self.parts.iter().map(|part| part.what.len() + part.digest.len() + part.versionless.len());
        let left = self.left_empty.iter().map(|left| left.what.len());
        let uses = self
            .variables
            .iter()
            .flat_map(|(name, uses)| uses.iter().map(|of| of.input.len() + EACH).chain([name.len()]));
        let flows = self.flows.iter().map(String::len);
        parts.chain(left).chain(uses).chain(flows).map(|bytes| EACH + bytes).sum()
    }

    /// Whether another definition says the same, whatever its form.
    pub fn says_the_same(&self, other: &Uses) -> bool {
        self.digest == other.digest || (!self.value.is_empty() && self.value == other.value)
    }

    /// Whether nothing but versions of components differs.
    pub fn says_the_same_but_for_versions(&self, other: &Uses) -> bool {
        self.says_the_same(other) || (!self.versionless.is_empty() && self.versionless == other.versionless)
    }

    /// What came, went and changed from this definition to another, a line each: `+ step New lead › Score lead
    /// (code/runCode)`.
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
        if lines.is_empty() && !self.says_the_same(other) {
            // Never two hashes alone.
            let moved = self.parts.iter().zip(&other.parts).find(|(was, is)| was.what != is.what);
            lines.push(match moved {
                Some((was, is)) => format!("~ the order: {} where {} was", is.what, was.what),
                None => "~ something beside its settings, flows and steps".to_string(),
            });
        }
        lines
    }

    /// Whether the definition may use connections that nothing here knows of.
    pub fn may_use_more(&self) -> bool {
        self.unread.is_some() || self.is_older
    }
}

/// Parts by what they are, and which of that name.
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

/// One place where a variable is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// By what.
    pub by: User,
    /// The component of the step or data source; `None` where the definition does not say.
    pub component: Option<ComponentRef>,
    /// The name of the input that takes the connection.
    pub input: String,
}

/// What uses a variable.
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
        /// That variable's name.
        variable: String,
    },
}
