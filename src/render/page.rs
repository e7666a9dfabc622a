//! A page of text for a terminal. All text is escaped here, and secrets in it are hidden, so that no caller can forget it:
//! what a terminal shows is what logs of CI keep.

use super::style::{Style, Tone};
use crate::api::sensitive::masked;
use crate::text as escape;

/// A part of a line with one tone.
#[derive(Clone, Debug)]
pub(super) struct Span {
    tone: Tone,
    text: String,
    /// Whether the text must not be wrapped.
    whole: bool,
}

impl Span {
    pub(super) fn new(tone: Tone, text: impl AsRef<str>) -> Self {
        Span { tone, text: escape::line(&masked(text.as_ref())).into_owned(), whole: false }
    }

    /// The width in columns.
    pub(super) fn width(&self) -> usize {
        width(&self.text)
    }

    /// Splits counts, such as `2 to create, 1 blocked`, so that lines are broken between them only.
    pub(super) fn counts(self) -> Vec<Self> {
        let count = |text: &str| Span { text: text.trim_start().to_string(), ..self.clone() }.whole();
        let between = |(position, text): (usize, &str)| [(position > 0).then(|| plain(" ")), Some(count(text))];
        let mut counts = Vec::new();
        let mut rest = self.text.as_str();
        // The comma of `1,204` ends no count.
        while let Some(end) = [", ", "; "].iter().filter_map(|end| rest.find(end)).min() {
            let (first, others) = rest.split_at(end + 1);
            counts.push(first);
            rest = others;
        }
        counts.push(rest);
        counts.into_iter().enumerate().flat_map(between).flatten().collect()
    }

    /// Marks the text as not to be wrapped.
    pub(super) fn whole(self) -> Self {
        Span { whole: true, ..self }
    }
}

/// A command to copy, which is never wrapped.
pub(super) fn command(text: impl AsRef<str>) -> Span {
    Span::new(Tone::Strong, text).whole()
}
pub(super) fn plain(text: impl AsRef<str>) -> Span {
    Span::new(Tone::Plain, text)
}
pub(super) fn strong(text: impl AsRef<str>) -> Span {
    Span::new(Tone::Strong, text)
}
pub(super) fn heading(text: impl AsRef<str>) -> Span {
    Span::new(Tone::Heading, text)
}
pub(super) fn faint(text: impl AsRef<str>) -> Span {
    Span::new(Tone::Faint, text)
}

pub(super) use crate::text::width;

/// Pads `text` with blanks to `columns`.
pub(super) fn pad(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(width(text));
    format!("{text}{}", " ".repeat(missing))
}

/// The lines of a page.
#[derive(Debug)]
pub(super) struct TextPage {
    style: Style,
    out: String,
    /// The length of the page after the last heading.
    headed: usize,
}

impl TextPage {
    pub(super) fn new(style: Style) -> Self {
        TextPage { style, out: String::new(), headed: 0 }
    }

    /// The maximum width of a line, in columns.
    pub(super) fn columns(&self) -> usize {
        self.style.width
    }

    /// Whether the reader has already seen the problems of files.
    pub(super) fn problems_are_seen(&self) -> bool {
        self.style.problems_seen
    }

    /// Adds one line of any length, to be copied.
    pub(super) fn line(&mut self, indent: usize, spans: &[Span]) {
        self.indent(indent);
        for span in spans {
            self.style.paint(span.tone, &span.text, &mut self.out);
        }
        self.end();
    }

    /// Adds text that is wrapped at blanks, but never within a command; lines after the first begin at `hang`.
    pub(super) fn wrap(&mut self, indent: usize, hang: usize, spans: &[Span]) {
        self.indent(indent);
        let (mut column, mut is_first) = (indent, true);
        for word in words(spans) {
            let wide: usize = word.pieces.iter().map(|p| width(&p.text)).sum();
            if !is_first && column + word.gap + wide > self.style.width {
                self.end();
                self.indent(hang);
                column = hang;
            } else {
                self.out.push_str(&" ".repeat(word.gap));
                column += word.gap;
            }
            for piece in &word.pieces {
                self.style.paint(piece.tone, &piece.text, &mut self.out);
            }
            column += wide;
            is_first = false;
        }
        self.end();
    }

    /// Adds a label in a separate column, with text beside it.
    pub(super) fn labelled(&mut self, indent: usize, label: Span, columns: usize, spans: &[Span]) {
        let label = Span { text: pad(&label.text, columns), ..label };
        let hang = indent + width(&label.text) + 2;
        let all: Vec<Span> = [label, plain("  ")].into_iter().chain(spans.iter().cloned()).collect();
        self.wrap(indent, hang, &all);
    }

    /// Adds an empty line, unless one precedes or the page is empty.
    pub(super) fn gap(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// Marks that a heading was written: what follows needs no empty line before it.
    pub(super) fn opens(&mut self) {
        self.headed = self.out.len();
    }

    /// Adds an empty line before an object, except for the first one below a heading.
    pub(super) fn apart(&mut self) {
        if self.out.len() != self.headed {
            self.gap();
        }
    }

    pub(super) fn finish(self) -> String {
        if self.style.to_runner { escape::without_commands(&self.out).into_owned() } else { self.out }
    }

    fn indent(&mut self, columns: usize) {
        self.out.push_str(&" ".repeat(columns));
    }

    fn end(&mut self) {
        self.out.truncate(self.out.trim_end_matches(' ').len());
        self.out.push('\n');
    }
}

/// A run of text without blanks, in one or more tones.
struct Word {
    /// The number of blanks before it.
    gap: usize,
    pieces: Vec<Span>,
}

fn words(spans: &[Span]) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut gap = 0;
    let mut begins = true;
    for span in spans {
        let parts: Vec<&str> = if span.whole { vec![&span.text] } else { crate::text::parts(&span.text) };
        for (position, part) in parts.into_iter().enumerate() {
            if position > 0 {
                gap += 1;
                begins = true;
            }
            if part.is_empty() {
                continue;
            }
            let piece = Span { tone: span.tone, text: part.to_string(), whole: span.whole };
            match words.last_mut() {
                Some(word) if !begins => word.pieces.push(piece),
                _ => words.push(Word { gap: std::mem::take(&mut gap), pieces: vec![piece] }),
            }
            begins = false;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_texts_are_hidden() {
        assert_eq!(plain("at svc:c4n4ry-Hunter2@h").text, "at svc:•••@h");
    }

    #[test]
    fn lines_are_broken_at_blanks_and_hang() {
        let mut page = TextPage::new(Style { colour: false, width: 20, ..Style::default() });
        page.wrap(2, 4, &[strong("one two"), plain(", three four five"), faint(" sixteen-long-words-together")]);
        assert_eq!(page.finish(), "  one two, three\n    four five\n    sixteen-long-words-together\n");
    }

    #[test]
    fn wide_characters_count_twice_and_commands_stay_whole() {
        let mut page = TextPage::new(Style { colour: false, width: 20, ..Style::default() });
        page.wrap(0, 2, &[plain("漢字漢字 漢字漢字 漢字")]);
        page.labelled(0, plain("漢字"), 6, &[plain("x")]);
        page.wrap(0, 2, &[plain("Next: "), command("stablekey plan --tenant a"), plain("  (it asks)")]);
        assert_eq!(
            page.finish(),
            "漢字漢字 漢字漢字\n  漢字\n漢字    x\nNext:\n  stablekey plan --tenant a\n  (it asks)\n"
        );
    }

    #[test]
    fn lines_are_broken_between_counts_and_not_within_a_number() {
        let mut page = TextPage::new(Style { colour: false, width: 20, ..Style::default() });
        page.wrap(0, 2, &strong("1,204 to create, 3 blocked; 12,345 warnings.").counts());
        assert_eq!(page.finish(), "1,204 to create,\n  3 blocked;\n  12,345 warnings.\n");
    }

    /// "The command to run stands alone on its line, complete."
    #[test]
    fn a_command_in_a_sentence_stays_whole_too() {
        let mut page = TextPage::new(Style { colour: false, width: 30, ..Style::default() });
        page.wrap(2, 4, &[plain("→ bring it there: stablekey render us | kubectl apply -f -")]);
        page.wrap(2, 4, &[plain("send the query of `stablekey import --print-query` as it is")]);
        assert_eq!(
            page.finish(),
            "  → bring it there:\n    stablekey render us | kubectl apply -f -\n  send the query of\n    \
             `stablekey import --print-query`\n    as it is\n"
        );
    }

    #[test]
    fn colours_only_where_wanted_and_text_is_escaped() {
        let spans = [Span::new(Tone::Bad, "a\u{1b}[31mb"), plain(" c")];
        let mut page = TextPage::new(Style { colour: true, width: 80, ..Style::default() });
        page.line(0, &spans);
        page.wrap(0, 0, &spans);
        let red = "\u{1b}[31ma\\u{1b}[31mb\u{1b}[0m c\n";
        assert_eq!(page.finish(), format!("{red}{red}"));
        let mut page = TextPage::new(Style::default());
        page.line(1, &spans);
        page.gap();
        page.gap();
        assert_eq!(page.finish(), " a\\u{1b}[31mb c\n\n");
    }

    #[test]
    fn no_word_begins_a_line_that_a_runner_takes_for_a_command() {
        let mut page = TextPage::new(Style { width: 20, to_runner: true, ..Style::default() });
        page.wrap(2, 4, &[plain("a title that is ::error::x")]);
        let text = page.finish();
        assert!(text.lines().all(|line| !line.trim_start().starts_with("::")), "{text}");
        assert_eq!(text.replace('\u{200b}', ""), "  a title that is\n    ::error::x\n");
    }

    #[test]
    fn labels_make_a_column() {
        let mut page = TextPage::new(Style { colour: false, width: 24, ..Style::default() });
        page.labelled(2, faint("a"), 5, &[plain("first second third")]);
        assert_eq!(page.finish(), "  a      first second\n         third\n");
    }
}
