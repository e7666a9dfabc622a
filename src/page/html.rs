//! The head of a page, and texts that are safe to show.

use crate::api::sensitive;
use maud::{DOCTYPE, Markup, html};

/// The logo, which is the icon too.
pub(super) const LOGO: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 18 18" fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" aria-hidden="true"><circle cx="6" cy="12" r="3.25"/><path d="M8.4 9.6 15 3M12.2 5.8l2.3 2.3"/></svg>"##;

/// The head of every page.
pub(super) fn head(title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            title { (line(title)) " · Stablekey" }
            meta name="viewport" content="width=device-width, initial-scale=1";
            link rel="icon" href="/icon.svg" type="image/svg+xml";
            link rel="stylesheet" href="/page.css";
            script src="/page.js" defer {}
        }
    }
}

/// A page without the bar, for who has no session.
pub(super) fn bare(title: &str, main: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(title))
            body {
                header.top { a.brand href="/" { (maud::PreEscaped(LOGO)) "Stablekey" } }
                main #main { h1 { (title) } (main) }
            }
        }
    }
}

/// Text from files, without characters that change how others are shown, and without what looks like a secret.
pub(super) fn text(from: &str) -> String {
    crate::text::lines(&sensitive::masked(from)).into_owned()
}

/// The same in one line.
pub(super) fn line(from: &str) -> String {
    crate::text::line(&sensitive::masked(from)).into_owned()
}
