//! Escapes foreign text for display, and computes its width. Titles, names and paths come from YAML, servers and the
//! command line: they may contain characters that control a terminal or deceive a reader.

use std::borrow::Cow;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Whether a character controls a terminal or is invisible: control characters (including escape sequences), and marks
/// that reorder or hide text. The only such list in the crate. (Joiners are not dangerous: several scripts need them.)
pub fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// `text` on one line, with dangerous characters escaped: `\u{202e}`.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, is_dangerous)
}

/// `text` with dangerous characters escaped except line breaks, for texts of several lines.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c != '\n' && is_dangerous(c))
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_escaped(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// JSON with dangerous characters escaped as JSON escapes: the values are the same, and harmless on a terminal. In
/// valid JSON these characters occur only within strings; line breaks and tabs between them are kept.
pub fn json(text: &str) -> Cow<'_, str> {
    let is_escaped = |c: char| !matches!(c, '\n' | '\r' | '\t') && is_dangerous(c);
    if !text.chars().any(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_escaped(c) {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Quotes a text as one word of a shell.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A text in which GitHub's runner finds no command: what a job prints is searched for lines that begin with `::`, and for
/// `##[` anywhere. An invisible blank parts them.
pub fn without_commands(text: &str) -> Cow<'_, str> {
    const INVISIBLE: char = '\u{200b}';
    if !text.contains("::") && !text.contains("##[") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for line in text.split_inclusive('\n') {
        let rest = line.trim_start();
        out.push_str(&line[..line.len() - rest.len()]);
        if rest.starts_with("::") {
            out.push(INVISIBLE);
        }
        out.push_str(&rest.replace("##[", &format!("##{INVISIBLE}[")));
    }
    Cow::Owned(out)
}

/// The width of a text on a terminal, in columns: two for most Chinese, Japanese and Korean characters, none for
/// combining marks.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The width of a character, in columns.
pub fn width_of(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// Cuts `text` to at most `most` columns; an ellipsis replaces the end.
pub fn shorten(text: &str, most: usize) -> Cow<'_, str> {
    // Most texts are short: the number of bytes is at least the number of columns.
    if text.len() <= most || width(text) <= most {
        return Cow::Borrowed(text);
    }
    let mut columns = 1;
    let fits = |c: &char| {
        columns += width_of(*c);
        columns <= most
    };
    Cow::Owned(text.chars().take_while(fits).chain(['…']).collect())
}

/// Returns one text as it is, and of several their number, of `what`, with each on a line of its own below.
pub fn one_or_lines(texts: &[String], what: &str) -> String {
    const MOST: usize = 100;
    if let [one] = texts {
        return one.clone();
    }
    let lines = texts.iter().take(MOST).map(|text| format!("\n  {text}")).collect::<String>();
    let more = match texts.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!("\n  … and {more} more"),
    };
    format!("{} {what}{lines}{more}", texts.len())
}

/// The programs whose commands occur in texts.
const PROGRAMS: [&str; 3] = ["stablekey", "kubectl", "mkdir"];

/// Splits a text into the parts between which a line may be wrapped: words, and parts to copy. These are a run between
/// backticks, and a command after a colon or in parentheses, which would not work if it were pasted in two lines.
pub fn parts(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut whole) = (0, end_of_whole(text, 0));
    for (at, _) in text.match_indices(' ') {
        if at >= whole {
            parts.extend(text.get(start..at));
            start = at + 1;
            whole = end_of_whole(text, start);
        }
    }
    parts.extend(text.get(start..));
    parts
}

/// The end of a part to copy that begins here; else the given position.
fn end_of_whole(text: &str, at: usize) -> usize {
    let (before, here) = (text.get(..at).unwrap_or_default(), text.get(at..).unwrap_or_default());
    let end = here.find(' ').unwrap_or(here.len());
    let word = here.get(..end).unwrap_or_default();
    let behind = |what: &str| here.get(end..).and_then(|rest| rest.find(what)).map(|found| end + found);
    if word.matches('`').count() % 2 == 1 {
        return at + behind("`").unwrap_or(0);
    }
    let is_command = |word: &str| PROGRAMS.contains(&word);
    match word.strip_prefix('(') {
        Some(word) if is_command(word) => at + behind(")").unwrap_or(0),
        None if is_command(word) && (before.is_empty() || before.ends_with(": ")) => {
            at + [behind("; "), behind(". ")].into_iter().flatten().min().unwrap_or(here.len())
        }
        _ => at,
    }
}

/// Wraps `text` at blanks so that no line is wider than `columns`, if its [`parts`] allow it. Its first line begins
/// after `hang` columns; the others are indented by as many.
pub fn wrapped(text: &str, columns: usize, hang: usize) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut at = hang;
    for (position, word) in parts(text).into_iter().enumerate() {
        let wide = width(word);
        if position > 0 && at + 1 + wide > columns && at > hang {
            out.truncate(out.trim_end_matches(' ').len());
            out.push('\n');
            out.push_str(&" ".repeat(hang));
            at = hang;
        } else if position > 0 {
            out.push(' ');
            at += 1;
        }
        out.push_str(word);
        at += wide;
    }
    out
}

/// Wraps each line at blanks as by [`wrapped`]. Continuation lines are aligned with the text of their line, after its
/// indentation, bullet or checkbox.
pub fn folded(text: &str, columns: usize) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for line in text.split_inclusive('\n') {
        let (body, end) = line.strip_suffix('\n').map_or((line, ""), |body| (body, "\n"));
        let inner = body.trim_start_matches(' ');
        let bullet = ["- [ ] ", "[ ] ", "- ", "→ "].into_iter().find(|bullet| inner.starts_with(bullet));
        let head = body.len() - inner.len() + bullet.map_or(0, str::len);
        match (body.get(..head), body.get(head..)) {
            (Some(before), Some(rest)) if width(body) > columns => {
                out.push_str(before);
                out.push_str(&wrapped(rest, columns, width(before)));
            }
            _ => out.push_str(body),
        }
        out.push_str(end);
    }
    out
}

/// A number with `one` or `many`: `1 step`, `1,204 steps`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number), if number == 1 { one } else { many })
}

/// A word or a sentence with a large first letter.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A number with commas between thousands.
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + 4);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Joins items: `a`, `a and b`, `a, b and c`.
pub fn and<S: AsRef<str>>(items: &[S]) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_string(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_no_command_to_a_runner() {
        let text = "a ::error::b\n  ::stop-commands::x\n::add-mask::y\n\n\t::error::\nz ##[add-mask]z";
        let guarded = without_commands(text);
        assert_eq!(guarded.replace('\u{200b}', ""), text);
        for line in guarded.lines() {
            assert!(!line.trim_start().starts_with("::") && !line.contains("##["), "{line}");
        }
        assert!(matches!(without_commands("a: b"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_title_does_not_move_the_cursor() {
        assert_eq!(line("plain ✓ ü 漢"), "plain ✓ ü 漢");
        assert_eq!(line("a\u{1b}[2Jb\r\n\t\u{7}"), r"a\u{1b}[2Jb\r\n\t\u{7}");
        assert_eq!(line("a\u{202e}b\u{9b}31m\u{200b}"), r"a\u{202e}b\u{9b}31m\u{200b}");
        assert_eq!(lines("a\u{1b}\nb\u{202e}"), "a\\u{1b}\nb\\u{202e}");
    }

    #[test]
    fn json_keeps_its_values_and_escapes_marks() {
        let value = serde_json::json!({"a\u{202e}": "b\u{7f}\u{9b}\u{e0001}\n\u{2066}", "漢": "ü"});
        let text = serde_json::to_string_pretty(&value).unwrap();
        let shown = json(&text);
        assert!(!shown.chars().any(|c| c != '\n' && is_dangerous(c)), "{shown}");
        assert!(shown.contains("\\u202e") && shown.contains("\\udb40\\udc01") && shown.contains('漢'), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }

    #[test]
    fn columns_are_those_of_a_terminal() {
        assert_eq!(width("ab"), 2);
        assert_eq!(width("漢字"), 4);
        assert_eq!(width("e\u{301}"), 1);
        assert_eq!(shorten("äöü", 3), "äöü");
        assert_eq!(shorten("äöüß", 3), "äö…");
        assert_eq!(shorten("漢字漢字", 8), "漢字漢字");
        assert_eq!(shorten("漢字漢字", 7), "漢字漢…");
        assert_eq!(shorten("漢字漢字", 6), "漢字…");
        assert_eq!(shorten("xy", 0), "…");
    }

    #[test]
    fn what_is_pasted_is_never_broken() {
        assert_eq!(parts("a  b `c d` e"), ["a", "", "b", "`c d`", "e"]);
        assert_eq!(parts("see `a b`, (`c d`) or `e"), ["see", "`a b`,", "(`c d`)", "or", "`e"]);
        assert_eq!(parts("or this: mkdir -p a b"), ["or", "this:", "mkdir -p a b"]);
        assert_eq!(parts("run: stablekey plan a; then b"), ["run:", "stablekey plan a;", "then", "b"]);
        assert_eq!(
            parts("kinds (stablekey crds | kubectl apply -f -) first"),
            ["kinds", "(stablekey crds | kubectl apply -f -)", "first"]
        );
        // A sentence about a program is not a command.
        assert_eq!(parts("and kubectl reads it"), ["and", "kubectl", "reads", "it"]);
        let text = "deliver it into the namespace of us: stablekey render us | kubectl apply --server-side -n us -f -";
        assert_eq!(
            wrapped(text, 60, 2),
            "deliver it into the namespace of us:\n  stablekey render us | kubectl apply --server-side -n us -f -"
        );
    }

    #[test]
    fn lines_are_broken_at_blanks_beneath_their_text() {
        assert_eq!(wrapped("one two three", 12, 4), "one two\n    three");
        assert_eq!(wrapped("averyveryverylongword x", 8, 2), "averyveryverylongword\n  x");
        assert_eq!(folded("To do\n  [ ] one two three\n", 14), "To do\n  [ ] one two\n      three\n");
        assert_eq!(folded("  - 漢字 漢字 漢字", 14), "  - 漢字 漢字\n    漢字");
        assert_eq!(folded("short\n\nlines", 80), "short\n\nlines");
    }

    proptest::proptest! {
        #[test]
        fn a_line_has_nothing_dangerous(text in ".*") {
            proptest::prop_assert!(!line(&text).chars().any(is_dangerous));
        }

        #[test]
        fn nothing_is_lost_by_folding(text in "[ a-zé漢\n-]*", columns in 10..60_usize) {
            let words = |text: &str| text.split_whitespace().map(str::to_string).collect::<Vec<_>>();
            proptest::prop_assert_eq!(words(&folded(&text, columns)), words(&text));
        }
    }

    #[test]
    fn counts_and_lists_read_as_people_write_them() {
        assert_eq!(count(1, "step", "steps"), "1 step");
        assert_eq!(count(1204, "step", "steps"), "1,204 steps");
        assert_eq!(thousands(1_000_000), "1,000,000");
        assert_eq!(and(&["a", "b", "c"]), "a, b and c");
        assert_eq!(and::<&str>(&[]), "");
    }
}
