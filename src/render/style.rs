//! Text style: the use of colours, and the width of lines.

use anstyle::{AnsiColor, Effects};

/// A text style. The caller decides about colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether colours are used. No information is in the colour alone.
    pub colour: bool,
    /// The maximum width of a line, in columns.
    pub width: usize,
    /// Whether the reader has already seen the problems of files, each with its line.
    pub problems_seen: bool,
    /// Whether the text goes to the log of a job of GitHub, which takes some lines for commands.
    pub to_runner: bool,
}

impl Default for Style {
    /// No colours, 100 columns: for files, pipes and logs.
    fn default() -> Self {
        Style { colour: false, width: 100, problems_seen: false, to_runner: false }
    }
}

/// The meaning of a part of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    #[default]
    Plain,
    /// A name to find quickly.
    Strong,
    Heading,
    /// Secondary information.
    Faint,
    Good,
    Bad,
    Careful,
}

impl Tone {
    fn ansi(self) -> anstyle::Style {
        let colour = |c: AnsiColor| anstyle::Style::new().fg_color(Some(c.into()));
        match self {
            Tone::Plain => anstyle::Style::new(),
            Tone::Strong => anstyle::Style::new().effects(Effects::BOLD),
            Tone::Heading => anstyle::Style::new().effects(Effects::BOLD | Effects::UNDERLINE),
            Tone::Faint => anstyle::Style::new().effects(Effects::DIMMED),
            Tone::Good => colour(AnsiColor::Green),
            Tone::Bad => colour(AnsiColor::Red),
            Tone::Careful => colour(AnsiColor::Yellow),
        }
    }
}

impl Style {
    pub(super) fn paint(&self, tone: Tone, text: &str, out: &mut String) {
        if !self.colour || tone == Tone::Plain || text.trim().is_empty() {
            out.push_str(text);
        } else {
            let ansi = tone.ansi();
            out.push_str(&format!("{ansi}{text}{ansi:#}"));
        }
    }
}
