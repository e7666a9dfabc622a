//! Why a definition cannot be read or changed, and what to do. No message shows a value.

/// A definition could not be read or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// More bytes than we read.
    #[error("the file is larger than {} MB: export the integration again, this is no definition", super::MAX_BYTES / 1_000_000)]
    TooLong,
    /// More nodes than we read, or aliases that unfold to more.
    #[error(
        "the YAML has more than {} values, or its aliases unfold to more: export the integration again",
        super::MAX_NODES
    )]
    TooManyNodes,
    /// Deeper than we read.
    #[error("line {line}: nested deeper than {}: export the integration again", super::MAX_DEPTH)]
    TooDeep {
        /// Where.
        line: usize,
    },
    /// Neither UTF-8 nor UTF-16.
    #[error("line {line}: the text is neither UTF-8 nor UTF-16: save the file as UTF-8")]
    Encoding {
        /// Where.
        line: usize,
    },
    /// No YAML.
    #[error("line {line}, column {column}: this is not YAML ({why}): export the integration again, or fix the line")]
    Syntax {
        /// Where.
        line: usize,
        /// Where in the line.
        column: usize,
        /// What the parser says: never a value.
        why: String,
    },
    /// A key that stands twice in one mapping.
    #[error("line {line}: this key stands twice in one mapping: keep one")]
    DuplicateKey {
        /// Where it stands again.
        line: usize,
    },
    /// A merge key.
    #[error("line {line}: merge keys (<<) are not read: write the fields out")]
    MergeKey {
        /// Where.
        line: usize,
    },
    /// More than one document.
    #[error("line {line}: a second document begins: a definition is one document; put each in a file of its own")]
    SecondDocument {
        /// Where it begins.
        line: usize,
    },
    /// YAML, but no definition.
    #[error("this is YAML, but no exported integration definition ({why}): write one with `prism integrations:export`")]
    NotADefinition {
        /// What is missing or tells against it.
        why: &'static str,
    },
    /// A field of another shape than it should have.
    #[error("line {line}: {what}: {fix}")]
    Shape {
        /// Where.
        line: usize,
        /// What is wrong.
        what: String,
        /// What to do.
        fix: &'static str,
    },
    /// A secret stands a second time, where it cannot be emptied.
    #[error(
        "line {line}: the secret of line {secret_line} stands here too, within other text: take it out of the file, and rotate it"
    )]
    SecretElsewhere {
        /// Where it stands again.
        line: usize,
        /// The line of the input whose secret it is.
        secret_line: usize,
    },
    /// Nothing in the definition has this name.
    #[error("the definition has no connection variable {variable:?}: it has {known}")]
    NoSuchVariable {
        /// The name asked for.
        variable: String,
        /// Those that are there.
        known: String,
    },
    /// No stable key.
    #[error(
        "{key:?} cannot be a stable key: use letters, digits, - and _, at most 63, beginning and ending with a letter or digit"
    )]
    NotAStableKey {
        /// The text.
        key: String,
    },
    /// The edit would have changed more than it should.
    #[error(
        "line {line}: this cannot be changed without changing more (an anchor, or unusual YAML): write the definition out plainly, without anchors"
    )]
    CannotEdit {
        /// Where.
        line: usize,
    },
}

/// A list of names for a message.
pub(super) fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("{name:?}")).collect();
    if names.is_empty() { "none".to_string() } else { names.join(", ") }
}
