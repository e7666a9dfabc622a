//! Sentences about what was read and is not part of a plan, and about where it was read.

use crate::engine::model::plan::Plan;
use crate::text::count;

/// The sentences about what was read and is not part of the plan, and about where it was read.
pub fn passed_over(plan: &Plan) -> Vec<String> {
    let clusters = plan.skipped.for_clusters;
    let clusters = (clusters > 0).then(|| {
        format!("{} for clusters passed over", count(clusters, "Tenant or TenantSync", "Tenants and TenantSyncs"))
    });
    let others = plan.skipped.other_kinds;
    let others = (others > 0).then(|| format!("{} of other kinds passed over", count(others, "document", "documents")));
    let links = plan.skipped.links;
    let links = (links > 0).then(|| format!("{} outside tenants' folders not followed", count(links, "link", "links")));
    let cautions = plan.skipped.cautions.iter().cloned();
    clusters.into_iter().chain(others).chain(links).chain(cautions).collect()
}
