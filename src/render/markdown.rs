//! Markdown that is safe against injection, and that fits into a comment.
//!
//! GitHub renders Markdown, and then searches the result for mentions, links and references. So characters with a
//! meaning are written as entities (which never form structure, in HTML either), and texts that would be found by that
//! search are split by an invisible blank. A secret in a text is hidden: a pull request is read by many, and kept.

use crate::api::sensitive::masked;
use crate::text::{self as escape, thousands};

/// The maximum length of a comment on GitHub.
pub(super) const LIMIT: usize = 65_536;

/// Escapes `text` as plain text: in a paragraph, a list, a table cell, or between HTML tags.
pub(super) fn escape(text: &str) -> String {
    const INVISIBLE: &str = "&#8203;";
    let text = masked(text);
    let text = escape::line(&text);
    let chars: Vec<char> = text.chars().collect();
    let at = |position: Option<usize>| position.and_then(|p| chars.get(p)).copied().unwrap_or(' ');
    let mut out = String::with_capacity(text.len() + 16);
    for (position, &c) in chars.iter().enumerate() {
        let (before, after) = (at(position.checked_sub(1)), at(Some(position + 1)));
        match c {
            '&' if after.is_ascii_digit() => out.push_str(&format!("&amp;{INVISIBLE}")),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // Between letters an underscore has no meaning, and most names have one.
            '_' if before.is_alphanumeric() && after.is_alphanumeric() => out.push(c),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '~' | '$' => out.push_str(&format!("&#{};", u32::from(c))),
            '@' | '#' => {
                out.push(c);
                out.push_str(INVISIBLE);
            }
            ':' if after == '/' => {
                out.push(c);
                out.push_str(INVISIBLE);
            }
            // References of GitLab and GitHub: !1, %1, GH-1.
            '!' | '%' if after.is_ascii_digit() => {
                out.push(c);
                out.push_str(INVISIBLE);
            }
            '-' if before.eq_ignore_ascii_case(&'h') && after.is_ascii_digit() => {
                out.push(c);
                out.push_str(INVISIBLE);
            }
            '.' if is_www(&chars, position) => {
                out.push_str(INVISIBLE);
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

/// Whether `www` stands before a position.
fn is_www(chars: &[char], position: usize) -> bool {
    let before = position.checked_sub(3).and_then(|from| chars.get(from..position));
    before.is_some_and(|before| before.iter().all(|c| c.eq_ignore_ascii_case(&'w')))
}

/// A fenced block that its content cannot close.
pub(super) fn fence(language: &str, lines: &[String]) -> String {
    let lines: Vec<_> = lines.iter().map(|line| escape::line(&masked(line)).into_owned()).collect();
    let longest = lines.iter().map(|line| longest_run(line)).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}\n", lines.join("\n"))
}

/// A text as code in a line: it can be copied, and nothing in it has a meaning.
pub(super) fn code(text: &str) -> String {
    let text = masked(text);
    let text = escape::line(&text);
    let fence = "`".repeat(longest_run(&text) + 1);
    // A blank keeps a backtick at an end apart from the fence.
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A command to copy: in a fenced block, for which GitHub shows a button.
pub(super) fn command(text: &str) -> String {
    fence("sh", &[text.to_string()])
}

fn longest_run(line: &str) -> usize {
    line.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// One row of a table; the cells must be escaped already.
pub(super) fn row(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// The line below the header of a table.
pub(super) fn rule(columns: usize) -> String {
    format!("|{}\n", " --- |".repeat(columns))
}

/// A comment that is built item by item, and skips what does not fit.
#[derive(Debug)]
pub(super) struct Comment {
    out: String,
    closing: String,
    /// The command that shows the complete output.
    whole: String,
    left_out: usize,
}

impl Comment {
    /// A comment that ends with `closing`; `whole` is the command that shows what was skipped.
    pub(super) fn new(closing: String, whole: &str) -> Self {
        Comment { out: String::new(), closing, whole: whole.to_string(), left_out: 0 }
    }

    /// Adds items between `open` and `close`, as many as fit.
    pub(super) fn section(&mut self, open: &str, items: &[String], close: &str) {
        if items.is_empty() {
            return;
        }
        if !self.fits(open.len() + close.len()) {
            self.left_out += items.len();
            return;
        }
        self.out.push_str(open);
        for item in items {
            if self.fits(item.len() + close.len()) {
                self.out.push_str(item);
            } else {
                self.left_out += 1;
            }
        }
        self.out.push_str(close);
    }

    /// Adds one item.
    pub(super) fn add(&mut self, item: &str) {
        self.section("", &[item.to_string()], "");
    }

    pub(super) fn finish(mut self) -> String {
        if self.left_out > 0 {
            let more = escape::count(self.left_out, "item is", "items are");
            let whole = escape(&self.whole);
            self.out.push_str(&format!(
                "\n**{more} left out**: a comment holds {} characters. {whole} shows everything.\n",
                thousands(LIMIT)
            ));
        }
        self.out.push_str(&self.closing);
        self.out
    }

    /// Whether this number of bytes fits, together with the closing and the line about skipped items.
    fn fits(&self, bytes: usize) -> bool {
        const LAST_LINE: usize = 200;
        self.out.len() + bytes + self.closing.len() + 8 * self.whole.len() + LAST_LINE <= LIMIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_before_anything_is_escaped() {
        let secret = "see svc:c4n4ry-Hunter2@h and https://h/?token=c4n4ry-Hunter2";
        let texts = [escape(secret), code(secret), fence("", &[secret.to_string()]), command(secret)];
        assert!(texts.iter().all(|text| !text.contains("c4n4ry") && text.contains("•••")), "{texts:?}");
    }

    #[test]
    fn nothing_can_be_injected() {
        assert_eq!(
            escape("<img src=x> @team `code` [a](http://b) | **b** #1 &lt; www.x"),
            "&lt;img src=x&gt; @&#8203;team &#96;code&#96; &#91;a&#93;(http:&#8203;//b) &#124; &#42;&#42;b&#42;&#42; #&#8203;1 &amp;lt; www&#8203;.x"
        );
        assert_eq!(
            escape("!1 %2 &3 GH-4 a! 5% lead-new.yaml"),
            "!&#8203;1 %&#8203;2 &amp;&#8203;3 GH-&#8203;4 a! 5% lead-new.yaml"
        );
        assert_eq!(code("a`b.yaml:1"), "``a`b.yaml:1``");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(escape("snake_case _em_ a\\b\n# c"), "snake_case &#95;em&#95; a&#92;b&#92;n#&#8203; c");
    }

    #[test]
    fn nothing_closes_a_fence() {
        let fenced = fence("diff", &["+ ```".into(), "+ ````\n```".into()]);
        assert_eq!(fenced, "`````diff\n+ ```\n+ ````\\n```\n`````\n");
        assert_eq!(command("stablekey plan"), "```sh\nstablekey plan\n```\n");
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let mut comment = Comment::new("\nend\n".into(), "stablekey plan");
        let items: Vec<String> = (0..1_000).map(|n| format!("{n:>99}\n")).collect();
        comment.section("<details>\n", &items, "</details>\n");
        comment.add("never shown ".repeat(100).as_str());
        let text = comment.finish();
        assert!(text.len() <= LIMIT && text.len() > LIMIT - 1_000, "{}", text.len());
        assert!(text.contains("**350 items are left out**"), "{}", text.get(text.len() - 200..).unwrap());
        assert!(text.contains("</details>\n\n**") && text.ends_with("\nend\n"));
    }

    proptest::proptest! {
        #[test]
        fn escaped_text_has_no_structure(text in r"[ -~\n`<@|*_#\[\]é]*") {
            let escaped = escape(&text);
            proptest::prop_assert!(!escaped.contains(['<', '>', '|', '`', '*', '[', ']', '\\', '\n']));
            proptest::prop_assert!(escaped.match_indices('@').all(|(at, _)| escaped[at + 1..].starts_with("&#8203;")));
            proptest::prop_assert!(!escaped.contains("://"));
        }
    }
}
