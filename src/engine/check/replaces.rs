//! SK0118 and SK0119: replacements that do not answer.

use super::Tenant;
use crate::api::*;
use crate::engine::code::Code;
use crate::engine::item::ObjectId;
use crate::engine::plan::Finding;

pub(super) fn check(tenant: &Tenant<'_>, findings: &mut Vec<Finding>) {
    for (older, newer) in tenant.replacements.ambiguous() {
        for key in &newer {
            findings.push(Finding::of(
                Code::ReplacesAmbiguous,
                tenant.name,
                ObjectId::new(Kind::Connection, names::of_stable_key(key)),
                format!("{} all replace {older}: none answers for it", newer.join(" and ")),
                format!("let one of them only replace {older}"),
            ));
        }
    }
    for key in &tenant.replacements.rings() {
        findings.push(Finding::of(
            Code::ReplacesAmbiguous,
            tenant.name,
            ObjectId::new(Kind::Connection, names::of_stable_key(key)),
            format!("{key} takes part in a ring of replacements: none of them answers"),
            "take the older key out of `replaces` of the older connection",
        ));
    }
    for (older, newer) in tenant.replacements.differing(tenant.inventory) {
        findings.push(Finding::of(
            Code::ReplacesDiffers,
            tenant.name,
            ObjectId::new(Kind::Connection, newer.name()),
            format!(
                "{} replaces {older} but differs in component, type or credentials: {older} keeps its own connection",
                newer.spec.stable_key
            ),
            format!("bind what names {older} to the new key by hand; its customers would have to sign in again"),
        ));
    }
}
