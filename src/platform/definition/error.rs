//! Errors of definitions, with what to do. No message shows a value.

/// The reason why a definition could not be read or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// It exceeds the size limit.
    #[error("the file is larger than {} MB: export the integration again, this is no definition", super::MAX_BYTES / 1_000_000)]
    TooLong,
    /// It has too many nodes, or its aliases expand to too many.
    #[error(
        "the YAML has more than {} values, or its aliases unfold to more: export the integration again",
        super::MAX_NODES
    )]
    TooManyNodes,
    /// It is nested too deeply.
    #[error("line {line}: nested deeper than {}: export the integration again", crate::manifest::limits::DEPTH)]
    TooDeep {
        /// The line of the node.
        line: usize,
    },
    /// It is neither UTF-8 nor UTF-16.
    #[error("line {line}: the text is neither UTF-8 nor UTF-16: save the file as UTF-8")]
    Encoding {
        /// The line of the invalid byte.
        line: usize,
    },
    /// It is not valid YAML.
    #[error("line {line}, column {column}: this is not YAML ({why}): export the integration again, or fix the line")]
    Syntax {
        /// The line of the mistake.
        line: usize,
        /// The column of the mistake.
        column: usize,
        /// The parser's message, which never contains a value.
        why: String,
    },
    /// It has a duplicate key.
    #[error("line {line}: this key occurs twice in one mapping: keep one")]
    DuplicateKey {
        /// The line of the second key.
        line: usize,
    },
    /// It has a merge key.
    #[error("line {line}: merge keys (<<) are not read: write the fields out")]
    MergeKey {
        /// The line of the merge key.
        line: usize,
    },
    /// An alias is inside the node that it repeats.
    #[error("line {line}: an alias is inside what it repeats: export the integration again")]
    AliasOfItself {
        /// The line of the alias.
        line: usize,
    },
    /// It has more than one document.
    #[error("line {line}: a second document begins: a definition is one document; put each in a file of its own")]
    SecondDocument {
        /// The line of the second document.
        line: usize,
    },
    /// It is YAML, but not a definition.
    #[error("this is YAML, but no exported integration definition ({why}): write one with `prism integrations:export`")]
    NotADefinition {
        /// The reason.
        why: &'static str,
    },
    /// A field has an unexpected shape.
    #[error("line {line}: {what}: {fix}")]
    Shape {
        /// The line of the field.
        line: usize,
        /// The problem.
        what: String,
        /// What to do.
        fix: &'static str,
    },
    /// A secret occurs again where it cannot be emptied.
    #[error(
        "line {line}: the secret of line {secret_line} is here too, within other text: take it out of the file, and rotate it"
    )]
    SecretElsewhere {
        /// The line of the second occurrence.
        line: usize,
        /// The line of the input with the secret.
        secret_line: usize,
    },
    /// It has no variable with this name.
    #[error("the definition has no connection variable {variable:?}: it has {known}")]
    NoSuchVariable {
        /// The requested name.
        variable: String,
        /// The existing names.
        known: String,
    },
    /// The text is not a valid stable key.
    #[error(
        "{key:?} cannot be a stable key: use letters, digits, - and _, at most 63, beginning and ending with a letter or digit"
    )]
    NotAStableKey {
        /// The invalid text.
        key: String,
    },
    /// Its connections are not changed in its file.
    #[error("{what}: {fix}")]
    NotDesigned {
        /// The reason.
        what: String,
        /// What to do.
        fix: &'static str,
    },
    /// The edit would have changed more than it should.
    #[error(
        "line {line}: this cannot be changed without changing more (an anchor, or unusual YAML): write the definition out plainly, without anchors"
    )]
    CannotEdit {
        /// The line of the edit.
        line: usize,
    },
}

/// Formats a list of names for a message.
pub(super) fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("{name:?}")).collect();
    if names.is_empty() { "none".to_string() } else { names.join(", ") }
}
