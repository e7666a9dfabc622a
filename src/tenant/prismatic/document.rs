//! GraphQL documents with fields that a stack may not know. A line `… # optional: Type.field` selects such a field: if
//! the stack refuses it, the document is sent again without that line.

use std::borrow::Cow;
use std::collections::BTreeSet;

/// Precedes the field that a line selects.
const OPTIONAL: &str = "# optional: ";

/// A GraphQL document.
#[derive(Clone, Debug)]
pub(super) struct Document(pub Cow<'static, str>);

/// A field, or an argument of a field, that a stack does not know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UnknownField {
    /// The type and the field: `ScopedConfigVariable.treeLocation`.
    pub field: String,
}

impl Document {
    /// A document that is a part of the program.
    pub(super) const fn of(text: &'static str) -> Self {
        Document(Cow::Borrowed(text))
    }

    /// The text to send to a stack that does not know some fields. Comments are left out.
    pub(super) fn text(&self, without: &BTreeSet<UnknownField>) -> String {
        let is_known = |line: &&str| optional(line).is_none_or(|field| !without.iter().any(|w| w.field == field));
        let lines = self.0.lines().filter(is_known).map(|line| line.split('#').next().unwrap_or_default().trim_end());
        lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    }

    /// The optional fields.
    pub(super) fn optional(&self) -> impl Iterator<Item = &str> {
        self.0.lines().filter_map(optional)
    }

    /// Whether the document can do without a field.
    pub(super) fn can_omit(&self, field: &UnknownField) -> bool {
        self.optional().any(|optional| optional == field.field)
    }
}

fn optional(line: &str) -> Option<&str> {
    line.split_once(OPTIONAL).map(|(_, field)| field.trim())
}

/// Reads which field a validation error refuses; `None` for any other error. Servers quote names in two ways, and name
/// an argument's field with or without its type.
pub(super) fn refused(message: &str) -> Option<UnknownField> {
    let named = |field: &str, of: &str| Some(UnknownField { field: format!("{of}.{field}") });
    let mut quoted = message.split(['\'', '"']);
    let start = quoted.next()?.trim();
    let names: Vec<&str> = quoted.step_by(2).collect();
    match (start, names.as_slice()) {
        ("Cannot query field", [field, of, ..]) => named(field, of),
        ("Unknown argument", [_, field, ..]) if field.contains('.') => {
            Some(UnknownField { field: (*field).to_string() })
        }
        ("Unknown argument", [_, field, of, ..]) => named(field, of),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: Document = Document(Cow::Borrowed(
        "# A comment.\nquery Q {\n  list {\n    id\n    treeLocation # optional: Item.treeLocation\n    customers { totalCount } \
         # optional: Item.customers\n  }\n}\n",
    ));

    #[test]
    fn a_document_does_without_what_a_stack_does_not_know() {
        let without = |fields: &[&str]| {
            let fields = fields.iter().map(|field| UnknownField { field: field.to_string() }).collect();
            DOCUMENT.text(&fields)
        };
        assert_eq!(without(&[]), "query Q {\n  list {\n    id\n    treeLocation\n    customers { totalCount }\n  }\n}");
        assert_eq!(without(&["Item.customers", "Item.treeLocation"]), "query Q {\n  list {\n    id\n  }\n}");
        assert!(!DOCUMENT.can_omit(&UnknownField { field: "Item.id".into() }));
    }

    #[test]
    fn a_refusal_names_its_field() {
        let of = |message: &str| refused(message).map(|unknown| unknown.field);
        for message in [
            "Cannot query field 'treeLocation' on type 'Item'.",
            "Cannot query field \"treeLocation\" on type \"Item\".",
            "Cannot query field 'treeLocation' on type 'Item'. Did you mean 'location'?",
            "Unknown argument 'isTest' on field 'Item.treeLocation'.",
            "Unknown argument \"isTest\" on field \"treeLocation\" of type \"Item\".",
        ] {
            assert_eq!(of(message).as_deref(), Some("Item.treeLocation"), "{message}");
        }
        for message in ["Record not found", "", "Cannot query field", "Variable '$id' of type 'ID' used in position"] {
            assert_eq!(of(message), None, "{message}");
        }
    }
}
