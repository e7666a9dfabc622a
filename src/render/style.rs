//! How text is shown: colours where wanted, and how wide a line may be.

use anstyle::{AnsiColor, Effects};

/// How text is shown. Whether a terminal wants colour is found out by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether colours are used. Nothing is said by colour alone.
    pub colour: bool,
    /// How many columns a line may have.
    pub width: usize,
    /// Whether whoever reads this has seen the problems of files already, each with its line.
    pub problems_seen: bool,
}

impl Default for Style {
    /// No colour, 100 columns: for files, pipes and logs.
    fn default() -> Self {
        Style { colour: false, width: 100, problems_seen: false }
    }
}

/// What a piece of text is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    #[default]
    Plain,
    /// A name that the eye looks for.
    Strong,
    /// The name of what follows down to the next heading.
    Heading,
    /// What is read second.
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
