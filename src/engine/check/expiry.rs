//! SK0178 and SK0179: credentials that expire within 14 days, or have expired, as an annotation of the object says;
//! SK0137: a Secret that has. The time is that of the plan.

use super::Tenant;
use crate::api::*;
use crate::engine::model::code::Code;
use crate::engine::model::finding::Finding;
use crate::engine::model::inventory::Supply;
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::opt_in::{Expiry, SOON};
use jiff::Timestamp;
use std::collections::BTreeSet;

pub(super) fn check(tenant: &Tenant<'_>, findings: &mut Vec<Finding>) {
    let Some(now) = tenant.now else { return };
    let inventory = tenant.inventory;
    let connections = inventory.connections.values().cloned().map(Item::Connection);
    let of_customers = inventory.customer_credentials.values().cloned().map(Item::CustomerCredentials);
    for item in connections.chain(of_customers) {
        let id = item.id();
        if let Some(expiry) = item.metadata().annotations.get(EXPIRES).map(|text| Expiry::parse(text)) {
            findings.extend(of_annotation(tenant.name, &id, &expiry, now));
        }
        findings.extend(of_secrets(tenant, &item, &id, now));
    }
}

/// The finding about credentials whose expiry their object tells.
fn of_annotation(tenant: &str, id: &ObjectId, expiry: &Expiry, now: Timestamp) -> Option<Finding> {
    let path = ["metadata", "annotations", EXPIRES];
    let Some(at) = expiry.at else {
        let text = format!("annotation {EXPIRES} is no time, so nobody is told when the credentials expire");
        let fix = "write it as 2030-01-31, or as 2030-01-31T00:00:00Z";
        return Some(Finding::of(Code::CredentialsExpire, tenant, id.clone(), text, fix).at_path(&path));
    };
    let fix = format!("renew them, then move the annotation {EXPIRES}");
    let (code, text) = if at <= now {
        (Code::CredentialsExpired, format!("its credentials expired at {at}"))
    } else if is_soon(at, now) {
        (Code::CredentialsExpire, format!("its credentials expire at {at}"))
    } else {
        return None;
    };
    Some(Finding::of(code, tenant, id.clone(), text, fix).at_path(&path))
}

/// The findings about the Secrets of an object that are supplied to the platform.
fn of_secrets(tenant: &Tenant<'_>, item: &Item, id: &ObjectId, now: Timestamp) -> Vec<Finding> {
    let Supply::Secrets { there, .. } = &tenant.inventory.supply else { return Vec::new() };
    let names: BTreeSet<&str> = item.secret_refs().map(|reference| reference.name.as_str()).collect();
    let expiry = |name: &&str| there.get(*name)?.opt_in.expires.as_ref()?.at;
    let expires = names.iter().filter_map(|name| Some((name, expiry(name)?)));
    let finding = |(name, at): (&&str, Timestamp)| {
        let fix = format!("supply a new one, and move its annotation {EXPIRES}");
        if at <= now {
            let text = format!("Secret {name} expired at {at}");
            return Some(Finding::of(Code::SecretExpired, tenant.name, id.clone(), text, fix));
        }
        let text = format!("Secret {name} expires at {at}");
        is_soon(at, now).then(|| Finding::of(Code::CredentialsExpire, tenant.name, id.clone(), text, fix))
    };
    expires.filter_map(finding).collect()
}

fn is_soon(at: Timestamp, now: Timestamp) -> bool {
    at.checked_sub(SOON).unwrap_or(Timestamp::MIN) <= now
}
