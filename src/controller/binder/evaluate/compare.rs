//! Compares one desired binding Secret with the existing one. It is written only if none exists, or if the existing one
//! is Stablekey's.

use super::alias;
use super::problem::Problem;
use crate::api::*;
use crate::controller::binder::cache::{SharedConnection, TenantCache};
use crate::controller::binder::secret::desired::{Because, DesiredSecret, How, fits, with_kind};
use crate::controller::binder::secret::naming::{Owner, Purpose, secret_type};
use crate::controller::binder::secret::observed::{BindingSecret, Made, content};
use crate::engine::model::canonical::Digest;
use crate::engine::model::code::Code;
use crate::engine::model::item::ObjectId;
use crate::secret::SecretBytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The result of the comparison.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    /// The desired Secret; `None` if it would be incomplete, and then an existing one is kept.
    pub desired: Option<DesiredSecret>,
    /// The existing Secret of this very object.
    pub there: Option<BindingRef>,
    /// Why it cannot be written.
    pub problem: Option<Problem>,
}

impl Compared {
    /// Whether it must still be written.
    pub(crate) fn is_pending(&self) -> bool {
        self.problem.is_none() && self.desired.as_ref().is_some_and(DesiredSecret::is_due)
    }
}

/// The existing Secret with the binding Secret's name.
enum AtName<'a> {
    Nothing,
    /// It belongs to this object, or does not name its object.
    Ours(&'a BindingSecret),
    /// It belongs to an earlier object of this name, another customer, or another component.
    Stale(&'a BindingSecret),
    Somebodys,
}

/// The content of a binding Secret.
pub(crate) struct SecretContent {
    /// The inputs; `None` if one is missing.
    pub inputs: Option<BTreeMap<String, Arc<SecretBytes>>>,
    /// The Secrets that the values come from.
    pub from: BTreeSet<String>,
}

/// Compares the binding Secret of an object for a connection.
pub(crate) fn compare(
    cache: &TenantCache,
    (of, object): (Purpose, &str),
    connection: &SharedConnection,
    owner: Option<Owner>,
    SecretContent { inputs, from }: SecretContent,
) -> Compared {
    let (name, purpose) = (of.name_for(object), of.of(object));
    let component = &connection.spec.component;
    let component = names::of_component(&component.key, component.is_public());
    let problem = |code, text| Compared { problem: Some(Problem::new(code, text)), ..Compared::default() };
    let id = id_of(cache, of, object);
    let there = at(cache, &name, &purpose, &id, &component);
    let (there, stale) = match there {
        AtName::Somebodys => {
            let text = format!("Secret {name} belongs to somebody else and is never overwritten: give it another name");
            return problem(Code::BindingNameTaken, text);
        }
        AtName::Stale(there) => (None, Some(there)),
        AtName::Ours(there) => (Some(there), None),
        AtName::Nothing => (None, None),
    };
    // Applications that do not read the status must not find a Secret that may no longer be used: unless it is
    // overwritten at once, it is deleted.
    let data = inputs.map(|inputs| with_kind(&component, inputs));
    let is_overwritten = data.as_ref().is_some_and(fits) && !cache.refused.contains_key(&name);
    let withdrawn = there.and_then(|there| Some((there, withdrawn_from(cache, there, connection)?)));
    let deletion = withdrawn.map(|(there, secret)| Compared {
        desired: Some(DesiredSecret::withdrawn(there, secret)),
        ..Compared::default()
    });
    if let (Some(deletion), false) = (deletion, is_overwritten) {
        return deletion;
    }
    // A Secret that does not name its object appears in the status once it does.
    let named = there.filter(|there| there.id.is_some()).map(|_| BindingRef { name: name.clone() });
    let Some(data) = data else {
        // A customer's values must not stay for another customer.
        let goes =
            stale.filter(|_| of == Purpose::Customer).map(|there| DesiredSecret::that_goes(there, Because::OfAnother));
        return Compared { there: named, desired: goes, ..Compared::default() };
    };
    if !fits(&data) {
        let text = format!("Secret {name} would be larger than 1 MiB: make the values smaller");
        return Compared { there: named, ..problem(Code::BindingTooLarge, text) };
    }
    // Values that come from no Secret need no opt-in.
    let keys = if from.is_empty() { BTreeSet::new() } else { keys_of(cache, connection) };
    let content = content(
        &cache.salt,
        &secret_type(&component),
        &Made { of: &purpose, id: &id, from: &from, keys: &keys },
        owner.as_slice(),
        data.iter().map(|(key, value)| (key.as_str(), value.expose())),
    );
    let version = |secret: &BindingSecret| (secret.uid.clone(), secret.resource_version.clone());
    let how = match (there, stale.map(version)) {
        (_, Some((uid, resource_version))) => How::Replace { uid, resource_version },
        (None, None) => How::Create,
        (Some(there), None) if there.content == content => How::AsItIs,
        (Some(there), None) => {
            let (uid, resource_version) = version(there);
            How::Update { uid, resource_version }
        }
    };
    let refused = cache.refused.get(&name).filter(|_| how != How::AsItIs);
    let problem = refused.map(|why| {
        Problem::new(Code::ServerRefuses, format!("the cluster does not let Secret {name} be written: {why}"))
    });
    let desired = DesiredSecret { name, how, component, of: purpose, id, from, keys, owner, data, content };
    Compared { desired: Some(desired), there: named, problem }
}

/// Whether the binding Secret of this very object exists and may be used.
pub(crate) fn has_binding(cache: &TenantCache, (of, object): (Purpose, &str), connection: &SharedConnection) -> bool {
    let component = &connection.spec.component;
    let component = names::of_component(&component.key, component.is_public());
    match at(cache, &of.name_for(object), &of.of(object), &id_of(cache, of, object), &component) {
        AtName::Ours(there) => there.id.is_some() && withdrawn_from(cache, there, connection).is_none(),
        AtName::Nothing | AtName::Stale(_) | AtName::Somebodys => false,
    }
}

/// Identifies the object of a binding Secret: its uid, and for customer credentials also the customer and the key.
pub(crate) fn id_of(cache: &TenantCache, of: Purpose, object: &str) -> String {
    let kind = if of == Purpose::Customer { Kind::CustomerCredentials } else { Kind::Connection };
    let uid = cache.uids.get(&ObjectId::new(kind, object)).cloned().unwrap_or_default();
    match cache.inventory.customer_credentials.get(object).filter(|_| of == Purpose::Customer) {
        Some(theirs) => {
            let mut whose = format!("{}\0{}", theirs.spec.customer, theirs.spec.connection);
            if let Some(name) = &theirs.spec.name {
                whose.push('\0');
                whose.push_str(name);
            }
            let hash = Digest::of(whose.as_bytes()).to_string();
            format!("{uid}/{}", hash.chars().skip("sha256:".len()).take(16).collect::<String>())
        }
        None => uid,
    }
}

fn at<'a>(cache: &'a TenantCache, name: &str, purpose: &str, id: &str, component: &str) -> AtName<'a> {
    match cache.bindings.get(name) {
        _ if cache.sources.contains_key(name) => AtName::Somebodys,
        None => AtName::Nothing,
        Some(there) if there.ours.as_deref() == Some(purpose) => {
            let is_of_it = there.id.as_ref().is_none_or(|of| of == id) && there.type_ == secret_type(component);
            if is_of_it { AtName::Ours(there) } else { AtName::Stale(there) }
        }
        Some(_) => AtName::Somebodys,
    }
}

/// Returns a source Secret of the copy that may no longer be used for the connection.
fn withdrawn_from<'a>(cache: &TenantCache, copy: &'a BindingSecret, connection: &SharedConnection) -> Option<&'a str> {
    let serves =
        |name: &&String| cache.sources.get(*name).is_some_and(|source| alias::serves(cache, source, connection));
    copy.from.iter().find(|name| !serves(name)).map(String::as_str)
}

/// Like `withdrawn_from` without a connection: checks the keys that the copy was made for.
pub(crate) fn withdrawn<'a>(cache: &TenantCache, copy: &'a BindingSecret) -> Option<&'a str> {
    let serves = |name: &&String| cache.sources.get(*name).is_some_and(|source| source.opt_in.keys.serve(&copy.keys));
    copy.from.iter().find(|name| !serves(name)).map(String::as_str)
}

/// Returns the stable keys for which a Secret may opt in to be used for a connection: its own key, and the older keys
/// that it answers for.
fn keys_of(cache: &TenantCache, connection: &SharedConnection) -> BTreeSet<String> {
    let own = &connection.spec.stable_key;
    if connection.spec.replaces.is_empty() {
        return BTreeSet::from([own.clone()]);
    }
    let is_it =
        |key: &String| alias::would_mean(cache, key).connection().is_some_and(|c| c.name() == connection.name());
    alias::closure(cache, own).into_iter().filter(|key| key == own || is_it(key)).collect()
}

/// Returns the owner of a binding Secret: its customer credentials, or its connection if that may be deleted.
pub(crate) fn owner(cache: &TenantCache, connection: &ConnectionSpec, kind: Kind, name: &str) -> Option<Owner> {
    let uid = cache.uids.get(&ObjectId::new(kind, name))?;
    let owner = Owner { kind: kind.to_string(), name: name.to_string(), uid: uid.clone() };
    (kind == Kind::CustomerCredentials || connection.may_be_deleted()).then_some(owner)
}
