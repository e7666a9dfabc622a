//! A message with what to do about it.

use super::html::{line, text};
use maud::{Markup, html};

/// A message with what to do, whose commands stand on lines of their own.
pub(super) fn refusal(message: &str, help: &str) -> Markup {
    notice(message, steps(help))
}

/// The same, where what to do is markup.
pub(super) fn notice(message: &str, help: Markup) -> Markup {
    html! { div.notice.bad role="alert" { p { (text(message)) } (help) } }
}

/// What to do: a command is shown as one that can be copied.
pub(super) fn steps(help: &str) -> Markup {
    html! {
        @for line in help.lines().filter(|line| !line.trim().is_empty()) {
            @if line.trim_start().starts_with("stablekey ") || line.trim_start().starts_with("kubectl ") {
                pre.command { (self::line(line.trim())) }
            } @else {
                p { (text(line)) }
            }
        }
    }
}
