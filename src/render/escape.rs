//! Texts from YAML made harmless on a terminal, and short.

use std::borrow::Cow;

/// `text` on one line, without anything that a terminal would obey: control characters, escape
/// sequences, and marks that reorder or hide what is read.
pub(super) fn line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_dangerous) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_dangerous(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// `text` with at most `most` characters; what was cut is an ellipsis.
pub(super) fn shorten(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        None => Cow::Borrowed(text),
        Some(_) => Cow::Owned(text.chars().take(most.saturating_sub(1)).chain(['…']).collect()),
    }
}

/// `one` or `many` with its number: `1 step`, `1,204 steps`.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number), if number == 1 { one } else { many })
}

/// A number with commas between thousands.
pub(super) fn thousands(number: usize) -> String {
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

/// `a`, `a and b`, `a, b and c`.
pub(super) fn and<S: AsRef<str>>(items: &[S]) -> String {
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
    fn a_title_does_not_move_the_cursor() {
        assert_eq!(line("plain ✓ ü 漢"), "plain ✓ ü 漢");
        assert_eq!(line("a\u{1b}[2Jb\r\n\t\u{7}"), r"a\u{1b}[2Jb\r\n\t\u{7}");
        assert_eq!(line("a\u{202e}b\u{9b}31m\u{200b}"), r"a\u{202e}b\u{9b}31m\u{200b}");
    }

    #[test]
    fn texts_are_shortened_by_characters() {
        assert_eq!(shorten("äöü", 3), "äöü");
        assert_eq!(shorten("äöüß", 3), "äö…");
        assert_eq!(shorten("x", 0), "…");
    }

    #[test]
    fn counts_and_lists_read_as_people_write_them() {
        assert_eq!(count(1, "step", "steps"), "1 step");
        assert_eq!(count(1204, "step", "steps"), "1,204 steps");
        assert_eq!(thousands(1_000_000), "1,000,000");
        assert_eq!(and(&["a", "b", "c"]), "a, b and c");
        assert_eq!(and::<&str>(&[]), "");
    }

    proptest::proptest! {
        #[test]
        fn a_line_has_no_control_character(text in ".*") {
            proptest::prop_assert!(!line(&text).chars().any(char::is_control));
        }
    }
}
