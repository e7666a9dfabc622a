//! A field of a connection in one tenant: its value, its state, and who wrote it.

use super::shown_value::ShownValue;
use crate::engine::model::field::Field;
use crate::engine::model::record::Writer;
use crate::text::and;

/// A part of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldGroup {
    /// What it is: title, component, type, credentials.
    About,
    Inputs,
    TestInputs,
    /// Labels and annotations.
    Metadata,
}

/// A field in all tenants.
#[derive(Clone, Debug)]
pub struct FieldRow {
    pub field: Field<'static>,
    pub group: FieldGroup,
    /// The type requires it.
    pub is_required: bool,
    /// It is a secret by its name or type.
    pub is_secret: bool,
    /// The type calls it an endpoint.
    pub is_endpoint: bool,
    /// One cell per column.
    pub cells: Vec<FieldCell>,
}

/// A field in one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldCell {
    /// The live value.
    pub value: ShownValue,
    /// The value that is declared, if it is another one: what the plan makes of the live one where the state says so.
    pub desired: Option<ShownValue>,
    pub state: FieldState,
    pub by: WrittenBy,
    /// Whether the live value is that of the first tenant that has the connection.
    pub is_as_first: bool,
    /// For a value of each customer: how many customers gave one.
    pub given: usize,
}

/// The state of a field in one tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldState {
    /// The plan changes it.
    Update,
    /// A change waits for a stage, or for a tenant or a sync that is suspended.
    Waiting,
    /// It was changed outside Stablekey, and stays so.
    Drift,
    /// It was changed outside Stablekey, and the policy ignores that.
    DriftIgnored,
    /// The tenant keeps its own value.
    Kept,
    /// A sync wants another value; the tenant's own source or an override decides.
    Overridden,
    /// Whether it differs is unknown.
    Unknown,
    /// A writer declares the live value.
    InSync,
    /// No writer declares it.
    NotManaged,
    /// There is no value.
    Absent,
}

impl FieldRow {
    /// The name of an input, or the field's path.
    pub fn label(&self) -> String {
        match self.field.name.is_empty() {
            true => self.field.to_string(),
            false => self.field.name.to_string(),
        }
    }
}

impl FieldCell {
    /// A cell with a value, which is that of the first tenant.
    pub fn of(value: ShownValue, state: FieldState, by: WrittenBy) -> Self {
        FieldCell { value, desired: None, state, by, is_as_first: true, given: 0 }
    }
}

impl FieldState {
    /// The words for people.
    pub const fn word(self) -> &'static str {
        match self {
            FieldState::Update => "to update",
            FieldState::Waiting => "waits",
            FieldState::Drift => "drift",
            FieldState::DriftIgnored => "drift, ignored",
            FieldState::Kept => "kept",
            FieldState::Overridden => "overridden",
            FieldState::Unknown => "unknown",
            FieldState::InSync => "in sync",
            FieldState::NotManaged => "not managed",
            FieldState::Absent => "absent",
        }
    }

    /// Whether something differs or is unknown.
    pub const fn is_open(self) -> bool {
        matches!(
            self,
            FieldState::Update
                | FieldState::Waiting
                | FieldState::Drift
                | FieldState::DriftIgnored
                | FieldState::Kept
                | FieldState::Unknown
        )
    }
}

/// Who gave a field its live value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WrittenBy {
    /// These writers, as the record says.
    Writers(Vec<Writer>),
    /// An override of a sync, at its position there.
    Override { sync: Writer, position: usize, reason: String },
    /// The tenant itself: Stablekey never wrote it, and these want another value.
    Kept { by: String, wanted_by: Vec<Writer> },
    /// Somebody outside Stablekey, if the location knows who.
    Outside { by: Option<String> },
    /// No writer.
    Nobody,
    /// It is unknown who.
    Unknown,
}

impl WrittenBy {
    /// The writers as text: `source`, `sync us-to-eu`, `kept: not managed by sync us-to-eu`.
    pub fn words(&self) -> String {
        match self {
            WrittenBy::Writers(writers) => names_of(writers),
            WrittenBy::Override { sync, reason, .. } => format!("override \"{reason}\" of {}", name_of(sync)),
            WrittenBy::Kept { wanted_by, .. } if !wanted_by.is_empty() => {
                format!("kept: not managed by {}", names_of(wanted_by))
            }
            WrittenBy::Kept { by, .. } => format!("kept by {by}"),
            WrittenBy::Outside { by: Some(by) } => format!("drift: changed outside Stablekey by {by}"),
            WrittenBy::Outside { by: None } => "drift: changed outside Stablekey".to_string(),
            WrittenBy::Nobody => "not managed".to_string(),
            WrittenBy::Unknown => "unknown".to_string(),
        }
    }

    /// The syncs that it names, each of which has a page.
    pub fn syncs(&self) -> Vec<&str> {
        let writers: Vec<&Writer> = match self {
            WrittenBy::Writers(writers) | WrittenBy::Kept { wanted_by: writers, .. } => writers.iter().collect(),
            WrittenBy::Override { sync, .. } => vec![sync],
            WrittenBy::Outside { .. } | WrittenBy::Nobody | WrittenBy::Unknown => Vec::new(),
        };
        writers.into_iter().filter_map(name_of_sync).collect()
    }
}

fn name_of_sync(writer: &Writer) -> Option<&str> {
    match writer {
        Writer::Sync(name) => Some(name),
        Writer::Source | Writer::Promote(_) | Writer::Adopt => None,
    }
}

/// A writer in words: `source`, `sync us-to-eu`.
pub fn name_of(writer: &Writer) -> String {
    match writer {
        Writer::Source => "source".to_string(),
        Writer::Sync(name) => format!("sync {name}"),
        Writer::Promote(from) => format!("an ad-hoc sync of {from}"),
        Writer::Adopt => "adopted".to_string(),
    }
}

fn names_of(writers: &[Writer]) -> String {
    and(&writers.iter().map(name_of).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_are_named_in_words() {
        let sync = || Writer::Sync("us-to-eu".to_string());
        for (by, words) in [
            (WrittenBy::Writers(vec![Writer::Source, sync()]), "source and sync us-to-eu"),
            (
                WrittenBy::Override { sync: sync(), position: 0, reason: "own host".to_string() },
                "override \"own host\" of sync us-to-eu",
            ),
            (WrittenBy::Kept { by: "eu".to_string(), wanted_by: vec![sync()] }, "kept: not managed by sync us-to-eu"),
            (WrittenBy::Outside { by: None }, "drift: changed outside Stablekey"),
            (WrittenBy::Nobody, "not managed"),
        ] {
            assert_eq!(by.words(), words);
        }
        assert_eq!(WrittenBy::Writers(vec![Writer::Source, sync()]).syncs(), ["us-to-eu"]);
    }
}
