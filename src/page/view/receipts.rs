//! What was carried out, over time, from the records.

use crate::page::layout::{self, NavEntry, line, text};
use crate::page::reply::Reply;
use crate::page::request::Request;
use crate::page::shown::ShownProject;
use crate::render::ReceiptList;
use maud::{Markup, html};

/// Shows the receipts, newest first.
pub(in crate::page) fn show(request: &Request, shown: &ShownProject) -> Reply {
    let list = ReceiptList::of_project(&shown.project, |_| true);
    let main = html! {
        div.head { div { h1 { "Receipts" } p { "What was carried out, newest first." } } }
        @if request.desk.running.last().is_some() { p { a.button href="/apply" { "The last apply from this page" } } }
        @if list.rows().next().is_none() { p.dim { "No tenant keeps a receipt that can be read here." } } @else { (table(&list)) }
        @if list.tenants_without().next().is_some() {
            section { h2 { "Tenants without receipts" }
                ul.plain { @for (tenant, why) in list.tenants_without() { li { b { (line(tenant)) } ": " (text(why)) } } }
            }
        }
    };
    layout::reply(request, Some(NavEntry::Receipts), "Receipts", main)
}

/// The receipts as a table.
pub(in crate::page) fn table(list: &ReceiptList) -> Markup {
    html! {
        table.list {
            thead { tr { th scope="col" { "When" } th scope="col" { "Where" } th scope="col" { "What" } th scope="col" { "Result" } th scope="col" { "Digest" } } }
            tbody {
                @for row in list.rows() {
                    tr { td { (line(row.at())) } td { (line(&row.place())) } td { (line(&row.sums())) } td { (line(row.result())) } td { code { (crate::engine::model::canonical::short(row.digest())) } } }
                }
            }
        }
    }
}
