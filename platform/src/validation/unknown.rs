//! What a stack does not know.

use std::collections::BTreeSet;

/// Fields and arguments that a stack lacks, because it is older.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unknown {
    /// Type and field.
    fields: BTreeSet<(String, String)>,
    /// Type, field and argument.
    arguments: BTreeSet<(String, String, String)>,
}

impl Unknown {
    /// Adds `Type.field`, where the type is an object or an input, or `Type.field(argument)`. Another text is ignored.
    pub fn add(&mut self, name: &str) {
        let Some((kind, rest)) = name.split_once('.') else { return };
        match rest.strip_suffix(')').and_then(|rest| rest.split_once('(')) {
            Some((field, argument)) => {
                self.arguments.insert((kind.trim().into(), field.trim().into(), argument.trim().into()));
            }
            None => {
                self.fields.insert((kind.trim().into(), rest.trim().into()));
            }
        }
    }

    pub(super) fn field(&self, kind: &str, field: &str) -> bool {
        self.fields.iter().any(|(k, f)| k == kind && f == field)
    }

    pub(super) fn argument(&self, kind: &str, field: &str, argument: &str) -> bool {
        self.arguments.iter().any(|(k, f, a)| k == kind && f == field && a == argument)
    }
}
