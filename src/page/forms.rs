//! What forms share: fields for texts, and the token that each carries.

use super::request::Request;
use maud::{Markup, html};

/// A field for a text. One of several lines keeps them: browsers take line breaks out of other fields.
pub(super) fn text_field(id: &str, name: &str, value: &str, hint: Option<&str>, help: Option<&str>) -> Markup {
    html! {
        @if value.contains('\n') {
            // The first line break after the tag is none of the text.
            textarea id=(id) name=(name) rows=(value.lines().count().clamp(2, 20)) placeholder=[hint] aria-describedby=[help] autocomplete="off" spellcheck="false" { "\n" (value) }
        } @else {
            input id=(id) type="text" name=(name) value=(value) placeholder=[hint] aria-describedby=[help] autocomplete="off" spellcheck="false";
        }
    }
}

/// The hidden field that each form carries.
pub(super) fn token(request: &Request) -> Markup {
    html! { input type="hidden" name="token" value=(request.visitor.token); }
}

/// The button that reads everything again.
pub(super) fn read_again(request: &Request) -> Markup {
    html! {
        form method="post" action="/read" {
            (token(request))
            input type="hidden" name="back" value=(request.here());
            button.button { "Read again" }
        }
    }
}
