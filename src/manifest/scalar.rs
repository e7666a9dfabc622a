//! Classifies plain scalars as kubectl reads them. It reads YAML 1.1, in which `on`, `0644` and `12:30` are not
//! strings.

/// The type of a plain scalar in YAML 1.1, if it is not a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    /// Empty, `~` or `null`.
    Null,
    /// `true`, `yes`, `on`, `y` and their opposites.
    Bool(bool),
    /// A whole number in any notation.
    Int,
    /// A number with a fraction or an exponent, or an infinity.
    Float,
    /// A number of base sixty: `12:30`.
    Sexagesimal,
    /// A mark of YAML 1.1: `=` or `<<`.
    Mark,
}

impl Plain {
    /// The type for the error message "kubectl reads it as …".
    pub const fn as_words(self) -> &'static str {
        match self {
            Plain::Null => "nothing",
            Plain::Bool(_) => "a boolean",
            Plain::Int | Plain::Float => "a number",
            Plain::Sexagesimal => "a number of base sixty",
            Plain::Mark => "a mark of YAML",
        }
    }
}

/// The type that kubectl reads; `None` for a string.
pub(super) fn plain(text: &str) -> Option<Plain> {
    let first = match text.as_bytes() {
        [] => return Some(Plain::Null),
        [first, ..] => *first,
    };
    match first {
        b'0'..=b'9' | b'+' | b'-' | b'.' => number(text),
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' | b'=' | b'<' => word(text),
        _ => None,
    }
}

fn word(text: &str) -> Option<Plain> {
    match text {
        "~" | "null" | "Null" | "NULL" => Some(Plain::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(Plain::Bool(true)),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Some(Plain::Bool(false))
        }
        "=" | "<<" => Some(Plain::Mark),
        _ => None,
    }
}

fn number(text: &str) -> Option<Plain> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match unsigned {
        ".inf" | ".Inf" | ".INF" => return Some(Plain::Float),
        ".nan" | ".NaN" | ".NAN" if unsigned.len() == text.len() => return Some(Plain::Float),
        _ => {}
    }
    let digits: String = unsigned.chars().filter(|c| *c != '_').collect();
    let of_radix = |prefixes: [&str; 2], radix: u32| {
        let rest = prefixes.iter().find_map(|prefix| digits.strip_prefix(prefix));
        rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_digit(radix)))
    };
    if of_radix(["0x", "0X"], 16) || of_radix(["0o", "0O"], 8) || of_radix(["0b", "0B"], 2) {
        return Some(Plain::Int);
    }
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Some(Plain::Int);
    }
    if is_float(&digits) {
        return Some(Plain::Float);
    }
    is_sexagesimal(&digits).then_some(Plain::Sexagesimal)
}

/// Matches `1.5`, `.5`, `1.` and `1e3`.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_fits = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['+', '-']).unwrap_or(e);
        !e.is_empty() && all_digits(e)
    });
    all_digits(whole) && all_digits(fraction) && !(whole.is_empty() && fraction.is_empty()) && exponent_fits
}

/// Matches `12:30` and `1:20:30.5`.
fn is_sexagesimal(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = whole.split(':');
    let first = parts.next().unwrap_or("");
    let mut minutes = parts.peekable();
    !first.is_empty()
        && first.bytes().all(|b| b.is_ascii_digit())
        && fraction.bytes().all(|b| b.is_ascii_digit())
        && minutes.peek().is_some()
        && minutes.all(|part| part.len() <= 2 && part.parse::<u8>().is_ok_and(|n| n < 60))
}

/// The whole number that kubectl reads; `None` if it is not one, or does not fit.
pub(super) fn integer(text: &str) -> Option<i64> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits: String = unsigned.chars().filter(|c| *c != '_').collect();
    let lower = digits.to_ascii_lowercase();
    let (radix, body) = match (lower.get(..2), lower.get(2..)) {
        (Some("0x"), Some(rest)) => (16, rest),
        (Some("0o"), Some(rest)) => (8, rest),
        (Some("0b"), Some(rest)) => (2, rest),
        _ if lower.len() > 1 && lower.starts_with('0') => (8, lower.trim_start_matches('0')),
        _ => (10, lower.as_str()),
    };
    if !body.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let all_zeros = !lower.is_empty() && lower.bytes().all(|b| b == b'0');
    let magnitude = if all_zeros { 0 } else { i64::from_str_radix(body, radix).ok()? };
    if negative { magnitude.checked_neg() } else { Some(magnitude) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_that_kubectl_reads_otherwise_are_known() {
        for text in ["y", "N", "yes", "No", "ON", "off", "true", "False", "TRUE"] {
            assert!(matches!(plain(text), Some(Plain::Bool(_))), "{text}");
        }
        for text in ["0", "12", "-3", "+4", "0644", "0x1f", "0X1F", "0b1", "0o7", "1_000", "08"] {
            assert_eq!(plain(text), Some(Plain::Int), "{text}");
        }
        for text in ["1e3", ".5", "1.", "1.5", "-1.5E-3", ".inf", "-.Inf", ".nan", "1_0.5", "6.02e+23"] {
            assert_eq!(plain(text), Some(Plain::Float), "{text}");
        }
        for text in ["12:30", "1:20:30", "12:30.5", "-1:00"] {
            assert_eq!(plain(text), Some(Plain::Sexagesimal), "{text}");
        }
        for text in ["", "~", "null", "Null"] {
            assert_eq!(plain(text), Some(Plain::Null), "{text}");
        }
        for text in ["=", "<<"] {
            assert_eq!(plain(text), Some(Plain::Mark), "{text}");
        }
    }

    #[test]
    fn strings_are_strings() {
        for text in [
            "a",
            "yess",
            "nope",
            "onward",
            "1.2.3",
            "10.0.0.1:8080",
            "8080:80",
            "2026-01-01",
            "-",
            "+",
            ".",
            "..",
            "e3",
            "1e",
            "0x",
            "0xg",
            "12:60",
            "12:",
            "12:300",
            "https://a",
            "-a",
            "yEs",
            "==",
            "1 2",
            "v1",
            "=a",
            "-.nan",
        ] {
            assert_eq!(plain(text), None, "{text}");
        }
    }

    #[test]
    fn integers_are_read_as_kubectl_does() {
        for (text, number) in
            [("30", 30), ("-1", -1), ("0", 0), ("00", 0), ("0644", 420), ("0x1f", 31), ("1_000", 1000), ("+7", 7)]
        {
            assert_eq!(integer(text), Some(number), "{text}");
        }
        for text in ["", "-", "0x", "08", "1.5", "99999999999999999999", "a", "-+1", "0x-1"] {
            assert_eq!(integer(text), None, "{text}");
        }
    }
}
