//! The pages of long lists.

use super::request::Request;
use maud::{Markup, html};

/// The links to other parts of a list of which only some rows are shown.
pub(super) struct RowPages {
    /// The first row, from 0.
    pub(super) first: usize,
    /// The rows on this page.
    pub(super) shown: usize,
    /// All rows.
    pub(super) all: usize,
    /// The rows of a page.
    pub(super) size: usize,
}

/// The rows of a page.
pub(super) const ROWS: usize = 50;

impl RowPages {
    /// The page that a request asks for, of a list with a column per tenant: many columns make rows expensive.
    pub(super) fn of_matrix(request: &Request, all: usize) -> Self {
        let tenants = request.reading.shown.as_ref().map_or(0, |shown| shown.overview.tenants.len());
        RowPages::of_size(request, all, if tenants > 8 { ROWS / 2 } else { ROWS })
    }

    /// The page that a request asks for, of a list with so many rows a page.
    pub(super) fn of_size(request: &Request, all: usize, size: usize) -> Self {
        let page = request.fields.text("page").parse::<usize>().unwrap_or(1).max(1);
        let first = (page - 1).saturating_mul(size).min(all);
        RowPages { first, shown: size.min(all - first), all, size }
    }

    /// The rows of this page.
    pub(super) fn rows<'r, T>(&self, all: &'r [T]) -> impl Iterator<Item = &'r T> {
        all.iter().skip(self.first).take(self.shown)
    }

    /// The footer with the links. `address` makes the address of a page from 1.
    pub(super) fn footer(&self, address: impl Fn(&str) -> String) -> Markup {
        let page = self.first / self.size.max(1) + 1;
        let left = self.all.saturating_sub(self.first + self.shown);
        html! {
            footer {
                span {
                    @if self.all == 0 { "None" } @else {
                        (crate::text::thousands(self.first + 1)) "–" (crate::text::thousands(self.first + self.shown))
                        " of " (crate::text::thousands(self.all))
                    }
                }
                nav aria-label="Pages" {
                    @if page > 1 {
                        a href=(address(&(page - 1).to_string())) { "Previous " (self.size) }
                    }
                    @if left > 0 {
                        a.next href=(address(&(page + 1).to_string())) { "Next " (left.min(self.size)) }
                    }
                }
            }
        }
    }
}
