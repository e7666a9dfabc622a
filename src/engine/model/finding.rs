//! What a check says, and where a person would look for it.

use super::code::{Code, Severity};
use super::item::ObjectId;
use super::record::Writer;
use crate::api::Kind;
use serde::Serialize;

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct At {
    /// The file, as people name it.
    pub file: String,
    /// From 1; 0 where the whole file is meant.
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

/// What a check says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which check.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// In which tenant; absent: of the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Of which object: `Kind/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectId>,
    /// What is wrong.
    pub text: String,
    /// What would fix it.
    pub fix: String,
    /// The part of the object that it is about; empty: the object.
    #[serde(skip)]
    pub path: Vec<String>,
    /// Where a person would look for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<At>,
}

impl Finding {
    /// The same, of a part of the object.
    pub fn at_path(self, path: &[&str]) -> Self {
        Finding { path: path.iter().map(ToString::to_string).collect(), ..self }
    }

    /// The same, as bad as this.
    pub fn of_severity(self, severity: Severity) -> Self {
        Finding { severity, ..self }
    }

    /// What a check says of an object.
    pub fn of(code: Code, tenant: &str, object: ObjectId, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Finding {
            code,
            severity: code.severity(),
            tenant: Some(tenant.to_string()),
            object: Some(object),
            text: text.into(),
            fix: fix.into(),
            path: Vec::new(),
            at: None,
        }
    }

    /// What a check says of a sync.
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
            path: Vec::new(),
            at: None,
        }
    }
}
