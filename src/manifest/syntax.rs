//! Messages for invalid YAML: the problem, what to do, and the part of the line that may be shown.

use super::limits;
use super::problem::Show;
use super::schema;
use super::source::line_range;
use super::tree::{FaultKind, SyntaxFault};
use granit_parser::ErrorKind;
use std::ops::Range;

/// The position of the mistake, the problem and what to do.
pub(super) fn words(text: &str, fault: &SyntaxFault) -> (usize, (String, String)) {
    let (at, message, help) = match &fault.kind {
        FaultKind::TooManyNodes => {
            let message = format!("the document has more than {} keys and values", limits::NODES);
            return (fault.at, (message, "split it into several documents".into()));
        }
        FaultKind::NoMapToMerge { .. } => {
            (fault.at, "`<<` does not name a map", "write `<<: *anchor` where the anchor is on a map")
        }
        FaultKind::AliasOfItself => {
            (fault.at, "an alias is inside what it repeats", "write out what you mean instead of the `*alias`")
        }
        FaultKind::SecondDocument => {
            (fault.at, "a second document begins here", "put a line `---` before it, at the very left")
        }
        FaultKind::Syntax(ErrorKind::RecursionLimitExceeded) => {
            let message = format!("maps and lists are nested deeper than {}", limits::DEPTH);
            return (fault.at, (message, "make it flatter".into()));
        }
        FaultKind::Syntax(kind) => match cause(text, fault.at) {
            Some(cause) => cause,
            None => {
                let (message, help) = syntax(kind);
                (fault.at, message, help)
            }
        },
    };
    (at, (message.into(), help.into()))
}

/// The cause of a syntax error, if it is evident before the position where parsing fails.
fn cause(text: &str, at: usize) -> Option<(usize, &'static str, &'static str)> {
    let line = line_range(text, at);
    let rest = text.get(line.end..).unwrap_or("");
    let next_start = line.end + rest.len() - rest.trim_start_matches(['\n', '\r']).len();
    let next = line_range(text, next_start);
    for line in [&line, &next] {
        let all = text.get((*line).clone()).unwrap_or("");
        let indentation = &all[..all.len() - all.trim_start().len()];
        if let Some(tab) = indentation.find('\t') {
            return Some((
                line.start + tab,
                "a tab indents this line",
                "indent with spaces: YAML allows no tabs there",
            ));
        }
        if ["<<<<<<<", "=======", ">>>>>>>"].iter().any(|mark| all.starts_with(mark)) {
            let help = "keep one side and take the lines with <<<<<<<, ======= and >>>>>>> away";
            return Some((line.start, "a merge conflict is not resolved", help));
        }
    }
    let open = open_bracket(text.get(..at)?)?;
    (open < line.start).then_some(())?;
    Some(match text.as_bytes().get(open) {
        Some(b'{') => (open, "a `{` is not closed", "add the missing `}`"),
        _ => (open, "a `[` is not closed", "add the missing `]`"),
    })
}

fn syntax(kind: &ErrorKind) -> (&'static str, &'static str) {
    use ErrorKind as E;
    match kind {
        E::TabNotAllowed | E::TabInBlockIndentation | E::TabInIndentation | E::TabAtBlockScalarStart => {
            ("a tab indents this line", "indent with spaces: YAML allows no tabs there")
        }
        E::UnclosedQuotedScalar | E::DocumentIndicatorInQuotedScalar => {
            ("a quote is not closed", "close the quote that opens here; a quote within double quotes is written \\\"")
        }
        E::UnclosedFlowCollection { open: '{' } | E::UnexpectedEofFlowMapping | E::UnexpectedEofImplicitFlowMapping => {
            ("a `{` is not closed", "add the missing `}`")
        }
        E::UnclosedFlowCollection { .. } | E::UnexpectedEofFlowSequence => {
            ("a `[` is not closed", "add the missing `]`")
        }
        E::ExpectedFlowMappingSeparator => (
            "`,` or `}` is missing",
            "put `,` between entries and `}` at the end; quote a text that holds `,`, `{` or `}`",
        ),
        E::ExpectedFlowSequenceSeparator => (
            "`,` or `]` is missing",
            "put `,` between items and `]` at the end; quote a text that holds `,`, `[` or `]`",
        ),
        E::MismatchedFlowCollectionEnd { .. } | E::MisplacedFlowCollectionEnd => {
            ("this bracket closes nothing", "make the brackets match, or quote the text")
        }
        E::SimpleKeyExpected => (
            "a `:` is missing after this key",
            "write `key: value`, with a blank after the colon; a text of several lines goes below `|`",
        ),
        E::MappingValueNotAllowed | E::InvalidColonPlacement | E::FlowMappingValueAdjacentCollection => {
            ("a `:` is not allowed here", "quote a text that holds `: `; and keys of one map begin in the same column")
        }
        E::MappingKeyNotAllowed | E::InvalidMappingValueWhitespace => {
            ("a key is not allowed here", "put each key on a line of its own")
        }
        E::ExpectedBlockMappingKey | E::InvalidIndentation | E::InvalidSimpleKey => (
            "this line does not fit the lines above it",
            "keys of one map begin in the same column, and each is followed by `: `",
        ),
        E::ExpectedBlockSequenceEntry => {
            ("this line does not fit the list above it", "items of one list begin with `- ` in the same column")
        }
        E::BlockSequenceEntryNotAllowed | E::BlockEntryInFlowCollection | E::InvalidBlockEntryWhitespace => (
            "a `- ` is not allowed here",
            "put the list on the lines below its key; quote a text that begins with `- `",
        ),
        E::UnexpectedCharacter { .. } | E::PlainScalarStartsWithDashFlowIndicator => {
            ("a text begins with a character that YAML keeps for itself", "put the text in quotes")
        }
        E::UnknownQuotedScalarEscape
        | E::InvalidQuotedScalarHexEscape
        | E::InvalidLowSurrogateHexEscape
        | E::InvalidLowSurrogate
        | E::MissingLowSurrogate
        | E::UnpairedLowSurrogate
        | E::InvalidUnicodeEscape => {
            ("a `\\` begins nothing that YAML knows", "write `\\\\` for a backslash, or use single quotes")
        }
        E::InvalidTrailingSingleQuotedScalar | E::InvalidTrailingDoubleQuotedScalar => (
            "text follows a closing quote",
            "put all of it in the quotes; a quote inside is doubled in single quotes, and written \\\" in double ones",
        ),
        E::InvalidQuotedScalarIndent | E::InvalidFlowScalarIndent => {
            ("a text in quotes goes on too far left", "indent its lines more than its key")
        }
        E::InvalidBlockScalarHeader | E::ZeroBlockScalarIndent | E::InvalidBlockScalarIndent => {
            ("a text below `|` or `>` is not indented as it must be", "indent all its lines equally, more than its key")
        }
        E::UnknownAnchor => {
            ("an alias names an anchor that is not there", "write `&name` before what it repeats, in the same document")
        }
        E::CommentNotSeparated => ("a `#` follows a text at once", "put a blank before `#`, or quote the text"),
        E::BomInsideDocument => {
            ("a byte-order mark is in the middle of the file", "take it away: it is an invisible character, U+FEFF")
        }
        E::ExpectedDocumentStart | E::InvalidDocumentEnd => {
            ("a document cannot begin here", "put a line `---` before it, at the very left")
        }
        E::UndeclaredTagHandle | E::InvalidTagTerminator | E::ExpectedTagBang | E::MissingTagUri => {
            ("a `!` begins a tag that nothing knows", "quote a text that begins with `!`")
        }
        E::MissingAnchorOrAliasName => ("`&` or `*` has no name", "quote a text that begins with `&` or `*`"),
        E::UnexpectedEof | E::UnexpectedEofBlockMapping | E::UnexpectedEofBlockSequence => {
            ("the file ends too early", "look for a quote or bracket that is not closed")
        }
        _ => ("this is no YAML", "look at this line and the one above: indentation, quotes, colons"),
    }
}

/// The parts of the line around `at` that may be shown without a tree: its key, if it is a known field, and the
/// punctuation at the beginning of the value. Everything else may be a value, including other keys: the line may be
/// part of a block scalar.
pub(super) fn spans(text: &str, at: usize) -> Vec<(Range<usize>, Show)> {
    let mut spans = of_line(text, at);
    // A bracket or quote at the mistake reveals nothing.
    if text.as_bytes().get(at).is_some_and(|b| matches!(b, b'{' | b'[' | b'"' | b'\''))
        && let Some(hidden) = spans.iter().position(|(span, show)| *show == Show::No && span.contains(&at))
    {
        let (span, _) = spans.remove(hidden);
        spans.extend([(span.start..at, Show::No), (at..at + 1, Show::Yes), (at + 1..span.end, Show::No)]);
    }
    spans
}

fn of_line(text: &str, at: usize) -> Vec<(Range<usize>, Show)> {
    let line = line_range(text, at);
    let all = text.get(line.clone()).unwrap_or("");
    if all.starts_with("---") || all.starts_with("...") {
        return vec![(line.start..line.start + 3, Show::Yes), (line.start + 3..line.end, Show::No)];
    }
    let lead = |text: &str, skip: &dyn Fn(char) -> bool| text.len() - text.trim_start_matches(skip).len();
    let key = line.start + lead(all, &|c| c.is_whitespace() || matches!(c, '-' | '{' | '[' | ','));
    let Some(length) = leading_key(text.get(key..line.end).unwrap_or("")) else {
        return vec![(key..line.end, Show::No)];
    };
    let value = text.get(key + length..line.end).unwrap_or("");
    let opening = |c: char| c.is_whitespace() || matches!(c, ':' | '{' | '[' | '"' | '\'' | '|' | '>' | '-');
    let value = key + length + lead(value, &opening);
    vec![(key..key + length, Show::Yes), (value..line.end, Show::No)]
}

/// The length of a known key at the beginning of a line, including quotes.
fn leading_key(rest: &str) -> Option<usize> {
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
    let inner = quote.map_or(rest, |_| &rest[1..]);
    let (name, _) = inner.split_at(inner.find(|c: char| !c.is_ascii_alphanumeric())?);
    let after = inner.get(name.len()..)?;
    let after = match quote {
        Some(quote) => after.strip_prefix(quote)?,
        None => after,
    };
    after.starts_with(':').then_some(())?;
    schema::is_field(name).then_some(name.len() + quote.map_or(0, |_| 2))
}

/// The innermost bracket that is not closed.
fn open_bracket(before: &str) -> Option<usize> {
    let mut open: Vec<usize> = Vec::new();
    for (at, c, begins) in Marks::of(before) {
        match c {
            '{' | '[' if begins || !open.is_empty() => open.push(at),
            '}' | ']' => drop(open.pop()),
            _ => {}
        }
    }
    open.pop()
}

/// The characters of a text outside quotes and comments, each with whether a value can begin there.
struct Marks<'t> {
    chars: std::iter::Peekable<std::str::CharIndices<'t>>,
    quote: Option<char>,
    previous: char,
    begins: bool,
}

impl<'t> Marks<'t> {
    fn of(text: &'t str) -> Self {
        Marks { chars: text.char_indices().peekable(), quote: None, previous: '\n', begins: true }
    }
}

impl Iterator for Marks<'_> {
    type Item = (usize, char, bool);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (at, c) = self.chars.next()?;
            let begins = self.begins;
            match (self.quote, c) {
                (Some('"'), '\\') => drop(self.chars.next()),
                (Some('\''), '\'') if self.chars.next_if(|(_, c)| *c == '\'').is_some() => {}
                (Some(quote), c) if quote == c => self.quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') if begins => self.quote = Some(c),
                (None, '#') if self.previous.is_whitespace() => {
                    while self.chars.next_if(|(_, c)| !matches!(c, '\n' | '\r')).is_some() {}
                }
                (None, c) => {
                    let after_mark = begins || matches!(self.previous, ':' | '-' | '?');
                    self.begins = match c {
                        '{' | '[' | ',' | '\n' | '\r' => true,
                        c if c.is_whitespace() => after_mark,
                        _ => false,
                    };
                    self.previous = c;
                    return Some((at, c, begins));
                }
            }
            self.previous = c;
            self.begins = false;
        }
    }
}
