//! The problems in files. What a file that cannot be read may hold is unknown, so each is worth a look.

use crate::page::layout::{self, NavEntry, line, text};
use crate::page::reply::Reply;
use crate::page::request::Request;
use crate::page::shown::ShownProject;
use crate::text::thousands;
use maud::html;

/// The most problems that are listed.
const MOST: usize = 200;

/// Shows the problems. No line of a file is quoted: it may hold a secret.
pub(in crate::page) fn show(request: &Request, shown: &ShownProject) -> Reply {
    let problems = &shown.project.problems;
    let main = html! {
        div.head { div { h1 { "Problems in files" } p { @if problems.is_empty() { "None." } @else { (thousands(problems.len())) " found. What such a file may hold is unknown until it is fixed." } } } }
        ul.rows {
            @for problem in problems.iter().take(MOST) {
                li { span.i.missing aria-hidden="true" { "✗" } div { code { (line(&problem.position())) } " " (text(&problem.message)) div.about { "→ " (text(&problem.help)) } } span {} }
            }
        }
        @if problems.len() > MOST { p.dim { "and " (thousands(problems.len() - MOST)) " more: " code { "stablekey validate" } " lists all" } }
    };
    layout::reply(request, Some(NavEntry::Overview), "Problems in files", main)
}
