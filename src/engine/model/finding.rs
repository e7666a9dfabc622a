//! Findings of checks, and their positions in files.

use super::code::{Code, Severity};
use super::command::EditCommand;
use super::item::ObjectId;
use super::record::Writer;
use crate::api::Kind;
use serde::Serialize;

/// A position in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct At {
    /// The path of the file, as shown to people.
    pub file: String,
    /// The line, from 1; 0 for the whole file.
    pub line: u32,
}

impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// A finding of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check.
    pub code: Code,
    pub severity: Severity,
    /// The tenant; absent for findings across tenants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The object: `Kind/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectId>,
    /// The problem.
    pub text: String,
    /// How to fix it.
    pub fix: String,
    /// The commands that make the edit; one of them is enough.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<EditCommand>,
    /// The path to the part of the object that is affected; empty for the whole object.
    #[serde(skip)]
    pub path: Vec<String>,
    /// The position in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<At>,
}

impl Finding {
    /// Sets the path to the affected part of the object.
    pub fn at_path(self, path: &[&str]) -> Self {
        Finding { path: path.iter().map(ToString::to_string).collect(), ..self }
    }

    /// Adds a command that makes the edit.
    pub fn by(mut self, command: EditCommand) -> Self {
        self.commands.push(command);
        self
    }

    /// Sets the severity.
    pub fn of_severity(self, severity: Severity) -> Self {
        Finding { severity, ..self }
    }

    /// A finding about an object.
    pub fn of(code: Code, tenant: &str, object: ObjectId, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Finding {
            code,
            severity: code.severity(),
            tenant: Some(tenant.to_string()),
            object: Some(object),
            text: text.into(),
            fix: fix.into(),
            commands: Vec::new(),
            path: Vec::new(),
            at: None,
        }
    }

    /// A finding about a sync.
    pub fn of_sync(
        code: Code,
        writer: &Writer,
        tenant: Option<&str>,
        text: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        let object = match writer {
            Writer::Sync(name) => Some(ObjectId::new(Kind::TenantSync, name)),
            _ => None,
        };
        Finding {
            code,
            severity: code.severity(),
            tenant: tenant.map(str::to_string),
            object,
            text: text.into(),
            fix: fix.into(),
            commands: Vec::new(),
            path: Vec::new(),
            at: None,
        }
    }
}
