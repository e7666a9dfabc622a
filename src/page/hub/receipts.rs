//! What the syncer carried out, from the statuses of its syncs.

use super::shown::HubShown;
use crate::page::layout::{self, NavEntry};
use crate::page::reply::Reply;
use crate::page::request::Request;
use crate::page::view::receipts::table;
use crate::render::{ReceiptList, ReceiptRow};
use maud::html;

/// Shows the receipts, newest first.
pub(super) fn show(request: &Request, shown: &HubShown) -> Reply {
    let mut list = ReceiptList::default();
    for (name, sync) in &shown.hub.contents.syncs {
        list.add(sync.status.receipts.iter().map(|receipt| ReceiptRow::of_sync(name, receipt)));
    }
    let main = html! {
        div.head { div { h1 { "Receipts" } p { "The last changes of each sync that its syncer carried out, newest first." } } }
        @if list.rows().next().is_none() { p.dim { "Nothing was carried out yet." } } @else { (table(&list)) }
    };
    layout::reply(request, Some(NavEntry::Receipts), "Receipts", main)
}
