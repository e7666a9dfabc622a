//! Rules for the syncs of a hub, shared by the syncer and by the command line, which plans again what the syncer
//! planned. One function per rule, so that the two cannot disagree.

use crate::api::{FLUX_REQUESTED_AT, Meta, REQUESTED_AT, SyncMode, TargetStatus};
use crate::engine::model::inventory::World;
use std::collections::{BTreeMap, BTreeSet};

/// The maximum number of approvals per sync: further ones in its annotation are ignored.
pub const MOST_APPROVALS: usize = 256;

/// Parses the digests in the annotation `stablekey.dev/approve`.
pub fn approved_digests(annotation: &str) -> BTreeSet<String> {
    let digests = annotation.split(',').map(str::trim).filter(|digest| !digest.is_empty());
    digests.take(MOST_APPROVALS).map(str::to_string).collect()
}

/// Returns the last request to reconcile, as a status confirms it: Stablekey's annotation, or Flux's.
pub fn requested_at(metadata: &Meta) -> Option<String> {
    let asked = [REQUESTED_AT, FLUX_REQUESTED_AT].map(|name| metadata.annotations.get(name));
    let asked: Vec<&str> = asked.into_iter().flatten().map(String::as_str).collect();
    (!asked.is_empty()).then(|| asked.join(" "))
}

/// An approval that was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun<'a> {
    /// The target of the approval.
    pub tenant: &'a str,
    /// The approved digest.
    pub digest: &'a str,
    /// Whether all of it was carried out.
    pub is_spent: bool,
}

/// Whether the syncer may write for a sync now: in mode Apply, or by a digest of its annotation (`annotated`) that was
/// begun and is not carried out completely, or that is pending in a target (tenant and digest). An approval that
/// matches nothing grants nothing.
pub fn may_write<'a>(
    mode: Option<SyncMode>,
    annotated: &BTreeSet<String>,
    begun: impl IntoIterator<Item = Begun<'a>>,
    waits: impl FnOnce() -> BTreeSet<(String, String)>,
) -> bool {
    if mode == Some(SyncMode::Apply) {
        return true;
    }
    if annotated.is_empty() {
        return false;
    }
    let begun: BTreeMap<(&str, &str), bool> =
        begun.into_iter().map(|begun| ((begun.tenant, begun.digest), begun.is_spent)).collect();
    if begun.iter().any(|((_, digest), is_spent)| !is_spent && annotated.contains(*digest)) {
        return true;
    }
    let is_new = |(tenant, digest): &(String, String)| !begun.contains_key(&(tenant.as_str(), digest.as_str()));
    waits().iter().any(|of| annotated.contains(&of.1) && is_new(of))
}

/// The pending digests in the targets of a sync according to its status, with the tenant.
pub fn waits(targets: &[TargetStatus]) -> BTreeSet<(String, String)> {
    targets.iter().filter_map(|target| Some((target.tenant.clone(), target.digest.clone()?))).collect()
}

/// The world for planning one target: a sync that waits for approval counts only in its own targets.
pub fn world_of(mut world: World, target: &str) -> World {
    let waiting = &world.waiting;
    world.syncs.retain(|sync| !waiting.contains(&sync.writer) || sync.spec.goes_to(target));
    world
}

/// The number of recently changed objects of a target, and the number of objects at the beginning of that count: the
/// basis of the share that needs approval. Each sync into the target stores both; the largest count is the newest.
pub fn changed_lately<'a>(of_target: impl IntoIterator<Item = &'a TargetStatus>) -> (usize, Option<usize>) {
    let number = |count: Option<i64>| count.and_then(|count| usize::try_from(count).ok());
    let counts = of_target.into_iter().map(|status| (number(status.changed).unwrap_or(0), number(status.base)));
    // With equal counts, one with a base is more precise.
    counts.max().unwrap_or((0, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(digests: &[&str]) -> BTreeSet<String> {
        digests.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_annotation_has_so_many_digests_and_no_more() {
        assert_eq!(approved_digests(" a, b,,a "), set(&["a", "b"]));
        assert_eq!(approved_digests(""), set(&[]));
        let many: Vec<String> = (0..1_000).map(|number| format!("sha256:{number}")).collect();
        assert_eq!(approved_digests(&many.join(",")).len(), MOST_APPROVALS);
    }

    /// "A sync counts against others (cycle, conflict) only where it … may write (mode Apply, or approved)", and "an
    /// approval that matches no current plan is a condition": it gives no right.
    #[test]
    fn a_sync_may_write_in_mode_apply_or_by_an_approval_that_is_of_use() {
        let may = |mode, annotated: &[&str], begun: &[(&str, bool)], waits: &[&str]| {
            let begun = begun.iter().map(|(digest, is_spent)| Begun { tenant: "eu", digest, is_spent: *is_spent });
            let waits = waits.iter().map(|digest| ("eu".to_string(), digest.to_string())).collect();
            may_write(mode, &set(annotated), begun.collect::<Vec<_>>(), || waits)
        };
        assert!(may(Some(SyncMode::Apply), &[], &[], &[]));
        assert!(!may(Some(SyncMode::Plan), &[], &[], &["a"]) && !may(None, &["a"], &[("a", true)], &["a"]));
        assert!(!may(None, &["old"], &[], &["a"]), "it matches nothing that waits");
        assert!(may(None, &["a"], &[], &["a"]) && may(None, &["a", "b"], &[("a", true)], &["b"]));
        assert!(may(None, &["a"], &[("a", false)], &[]), "a part of it is left");
        assert!(!may(None, &["b"], &[("a", false)], &[]), "it was taken back");
    }

    #[test]
    fn the_largest_count_is_the_newest() {
        let status = |changed, base| TargetStatus { changed, base, ..TargetStatus::default() };
        assert_eq!(changed_lately(&[]), (0, None));
        assert_eq!(
            changed_lately(&[status(Some(2), Some(40)), status(Some(3), Some(20)), status(None, None)]),
            (3, Some(20))
        );
        assert_eq!(changed_lately(&[status(None, Some(12)), status(None, None)]), (0, Some(12)));
        assert_eq!(changed_lately(&[status(Some(-1), Some(-1))]), (0, None));
    }
}
