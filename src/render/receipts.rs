//! The last changes that were carried out: of the syncs of a hub, and of tenants on the platform.

use super::markdown::{escape as md, row, rule};
use super::page::{Span, TextPage, faint, plain, strong, width};
use super::style::{Style, Tone};
use crate::api::{ReceiptCounts, SyncReceipt};
use crate::engine::model::canonical::short;
use crate::project::Project;
use crate::tenant::TenantLocation;
use crate::tenant::prismatic::record::RunReceipt;
use crate::text::{count, thousands};
use serde::Serialize;

/// The schema of the JSON.
const SCHEMA: &str = "stablekey.dev/receipts/v1";

/// Receipts, newest first.
#[derive(Debug, Serialize)]
pub struct ReceiptList {
    schema: &'static str,
    receipts: Vec<ReceiptRow>,
    /// Tenants without receipts, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    without: Vec<WithoutReceipts>,
}

/// A change that was carried out in a tenant.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptRow {
    at: String,
    tenant: String,
    /// The sync that did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    sync: Option<String>,
    /// Who ran it.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    digest: String,
    counts: ReceiptCounts,
    result: String,
    /// With stages, the release that the target has with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<String>,
    #[serde(skip)]
    is_good: bool,
}

#[derive(Debug, Serialize)]
struct WithoutReceipts {
    tenant: String,
    why: String,
    #[serde(skip)]
    is_unread: bool,
}

impl Default for ReceiptList {
    fn default() -> Self {
        ReceiptList { schema: SCHEMA, receipts: Vec::new(), without: Vec::new() }
    }
}

impl ReceiptRow {
    /// A receipt in the status of a sync.
    pub fn of_sync(sync: &str, receipt: &SyncReceipt) -> Self {
        let SyncReceipt { tenant, at, digest, counts, result, release } = receipt.clone();
        let is_good = result == "InSync";
        ReceiptRow { at, tenant, sync: Some(sync.to_string()), by: None, digest, counts, result, release, is_good }
    }

    /// A receipt in the record of a tenant on the platform.
    pub fn of_run(tenant: &str, receipt: &RunReceipt) -> Self {
        let RunReceipt { at, who, digest, counts, failed } = receipt.clone();
        let result = match failed {
            None => "Applied".to_string(),
            Some(failed) => format!("{} failed", thousands(usize::try_from(failed).unwrap_or(usize::MAX))),
        };
        let tenant = tenant.to_string();
        let (by, is_good) = (Some(who), failed.is_none());
        ReceiptRow { at, tenant, sync: None, by, digest, counts, result, release: None, is_good }
    }

    /// When it was.
    pub fn at(&self) -> &str {
        &self.at
    }

    /// How it ended: `Applied`, `InSync`.
    pub fn result(&self) -> &str {
        &self.result
    }

    /// The digest of what was done.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What was done: `2 created, 1 updated`.
    pub fn sums(&self) -> String {
        let ReceiptCounts { create, update, adopt, delete } = &self.counts;
        let parts = [(create, "created"), (update, "updated"), (delete, "deleted"), (adopt, "adopted")];
        let number = |count: &i64| usize::try_from(*count).ok().filter(|count| *count > 0);
        let parts = parts.into_iter().filter_map(|(count, what)| Some(format!("{} {what}", thousands(number(count)?))));
        parts.collect::<Vec<_>>().join(", ")
    }

    /// The release that the target has with it: `, release sha256:0123456789ab`.
    fn of_release(&self) -> String {
        self.release.as_deref().map(|release| format!(", release {}", short(release))).unwrap_or_default()
    }

    /// Where it was done, and by whom or what.
    pub fn place(&self) -> String {
        match (&self.sync, &self.by) {
            (Some(sync), _) => format!("{sync} → {}", self.tenant),
            (None, Some(by)) => format!("{} by {by}", self.tenant),
            (None, None) => self.tenant.clone(),
        }
    }
}

impl ReceiptList {
    /// The receipts that the locations of a project's tenants keep, of those tenants that are asked for.
    pub fn of_project(project: &Project, is_asked: impl Fn(&String) -> bool) -> Self {
        let mut receipts = ReceiptList::default();
        for (name, tenant) in project.tenants.iter().filter(|(name, _)| is_asked(name)) {
            match (&tenant.location, &tenant.live) {
                (Some(TenantLocation::Organization(location)), Ok(_)) => {
                    receipts.add(location.receipts().iter().map(|receipt| ReceiptRow::of_run(name, receipt)));
                }
                (Some(TenantLocation::Folder(_)), _) => {
                    receipts.without(name, "it is a folder: the history of its files shows what was applied");
                }
                (Some(TenantLocation::Cluster(_)), _) => {
                    receipts.without(name, "it is in a cluster: the hub of its syncer has them (give it with -n)");
                }
                (_, Err(why)) => receipts.unread(name, why),
                (None, Ok(_)) => receipts.without(name, "its location cannot be used here"),
            }
        }
        receipts
    }

    /// The receipts, newest first.
    pub fn rows(&self) -> impl Iterator<Item = &ReceiptRow> {
        self.receipts.iter()
    }

    /// The tenants without receipts, and why.
    pub fn tenants_without(&self) -> impl Iterator<Item = (&str, &str)> {
        self.without.iter().map(|without| (without.tenant.as_str(), without.why.as_str()))
    }

    /// Adds receipts.
    pub fn add(&mut self, rows: impl Iterator<Item = ReceiptRow>) {
        self.receipts.extend(rows);
        // Newest first; the sort keeps the order of those of one second.
        self.receipts.sort_by(|one, other| other.at.cmp(&one.at));
    }

    /// Adds a tenant that keeps none.
    pub fn without(&mut self, tenant: &str, why: &str) {
        self.without.push(WithoutReceipts { tenant: tenant.to_string(), why: why.to_string(), is_unread: false });
    }

    /// Adds a tenant that cannot be read.
    pub fn unread(&mut self, tenant: &str, why: &str) {
        self.without.push(WithoutReceipts { tenant: tenant.to_string(), why: why.to_string(), is_unread: true });
    }

    /// The exit code: 1 if a tenant cannot be read.
    pub fn exit(&self) -> u8 {
        u8::from(self.without.iter().any(|without| without.is_unread))
    }

    /// The receipts as text for a terminal.
    pub fn text(&self, style: Style) -> String {
        let mut page = TextPage::new(style);
        let columns = self.receipts.iter().map(|receipt| width(&receipt.at)).max().unwrap_or(0);
        for receipt in &self.receipts {
            let tone = if receipt.is_good { Tone::Good } else { Tone::Careful };
            page.labelled(
                0,
                plain(&receipt.at),
                columns,
                &[
                    strong(receipt.place()),
                    plain(format!("  {}  ", receipt.sums())),
                    Span::new(tone, &receipt.result),
                    faint(format!("  {}{}", short(&receipt.digest), receipt.of_release())),
                ],
            );
        }
        if self.receipts.is_empty() {
            page.line(0, &[plain("No change was carried out yet.")]);
        }
        for WithoutReceipts { tenant, why, is_unread } in &self.without {
            let (mark, words) = if *is_unread { ("✗", "cannot be read") } else { ("·", "keeps no receipts") };
            let tone = if *is_unread { Tone::Bad } else { Tone::Plain };
            page.wrap(0, 2, &[Span::new(tone, mark), plain(" "), strong(tenant), plain(format!(" {words}: {why}"))]);
        }
        page.finish()
    }

    /// The receipts as Markdown for a comment.
    pub fn markdown(&self) -> String {
        let mut out = format!("**{}**\n\n", count(self.receipts.len(), "receipt", "receipts"));
        out.push_str(&(row(&["Time", "Where", "Done", "Result", "Digest"].map(str::to_string)) + &rule(5)));
        for receipt in &self.receipts {
            let cells = [&receipt.at, &receipt.place(), &receipt.sums(), &receipt.result].map(|cell| md(cell));
            out.push_str(&row(&[
                cells.as_slice(),
                &[md(&format!("{}{}", short(&receipt.digest), receipt.of_release()))],
            ]
            .concat()));
        }
        for WithoutReceipts { tenant, why, is_unread } in &self.without {
            let words = if *is_unread { "cannot be read" } else { "keeps no receipts" };
            out.push_str(&format!("\n{} {words}: {}\n", md(tenant), md(why)));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> ReceiptList {
        let counts = ReceiptCounts { create: 2, update: 1_200, ..ReceiptCounts::default() };
        let of_sync = |at: &str, result: &str| SyncReceipt {
            tenant: "eu".into(),
            at: at.into(),
            digest: format!("sha256:{}", "a".repeat(64)),
            counts: counts.clone(),
            result: result.into(),
            release: None,
        };
        let of_run = RunReceipt {
            at: "2026-11-29T05:00:00Z".into(),
            who: "ann@laptop".into(),
            digest: format!("sha256:{}", "b".repeat(64)),
            counts: ReceiptCounts { delete: 1, adopt: 3, ..ReceiptCounts::default() },
            failed: Some(2),
        };
        let mut list = ReceiptList::default();
        list.add(
            ["2026-11-29T04:00:00Z", "2026-11-29T03:00:00Z"]
                .iter()
                .zip(["InSync", "Blocked"])
                .map(|(at, result)| ReceiptRow::of_sync("us-to-eu", &of_sync(at, result))),
        );
        list.add([ReceiptRow::of_run("ap", &of_run)].into_iter());
        list
    }

    #[test]
    fn receipts_are_shown_newest_first_with_what_was_done() {
        let mut list = list();
        list.without("files", "it is a folder");
        assert_eq!(list.exit(), 0);
        assert_eq!(
            list.text(Style { width: 200, ..Style::default() }),
            "2026-11-29T05:00:00Z  ap by ann@laptop  1 deleted, 3 adopted  2 failed  sha256:bbbbbbbbbbbb\n\
             2026-11-29T04:00:00Z  us-to-eu → eu  2 created, 1,200 updated  InSync  sha256:aaaaaaaaaaaa\n\
             2026-11-29T03:00:00Z  us-to-eu → eu  2 created, 1,200 updated  Blocked  sha256:aaaaaaaaaaaa\n\
             · files keeps no receipts: it is a folder\n"
        );
        let markdown = list.markdown();
        assert!(
            markdown.contains("| 2026-11-29T04:00:00Z | us-to-eu → eu | 2 created, 1,200 updated | InSync |"),
            "{markdown}"
        );
        let json = serde_json::to_value(&list).unwrap();
        assert_eq!(json["receipts"][1]["counts"], serde_json::json!({"create": 2, "update": 1_200}));
        assert_eq!(json["receipts"][0]["by"], "ann@laptop");
        list.unread("gone", "there is no network");
        assert_eq!(list.exit(), 1);
    }

    #[test]
    fn no_receipt_is_said() {
        assert_eq!(ReceiptList::default().text(Style::default()), "No change was carried out yet.\n");
    }
}
