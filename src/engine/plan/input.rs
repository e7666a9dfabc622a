//! What one tenant is planned from.

use super::let_go::LetGo;
use super::reading::Unknowns;
use crate::api::{ConnectionMode, Kind, LocationSpec, TenantSpec, TenantSyncSpec};
use crate::engine::check;
use crate::engine::diff::{Declaration, WriterPresence};
use crate::engine::model::inventory::{Inventory, Misnamed, Sync, TenantView, View, World};
use crate::engine::model::item::ObjectId;
use crate::engine::model::record::Writer;
use crate::engine::promote::{Promotion, SourceBinding};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is known of a writer while one tenant is planned.
#[derive(Clone, Debug)]
pub struct WriterState {
    /// What of it cannot be known: there it does not stop declaring.
    pub reading: Unknowns,
    /// Whether what it no longer declares is removed.
    pub prunes: bool,
    /// Whether that holds of connections without a deletionPolicy too.
    pub deletes_connections: bool,
    /// What the plan takes away in the tenant that it copies.
    pub let_go: Arc<LetGo>,
    /// What it may declare once it is read, resumed or corrected, beside what it declares now.
    pub withheld: Withheld,
    /// Whether it may declare connections, or integrations only.
    pub writes_connections: bool,
    /// Why it removes nothing, though it was read.
    pub removes_not: Option<String>,
}

/// What of a writer is not known, or does not count now: it is not gone.
#[derive(Clone, Debug)]
pub enum Withheld {
    /// What its reading does not know.
    AsRead,
    /// Nothing: it is only not asked.
    Nothing,
    /// Anything that it can write, and why.
    Anything(&'static str),
    /// These objects, and why.
    These(BTreeSet<ObjectId>, &'static str),
}

impl WriterState {
    /// Of a writer that removes nothing.
    pub fn read(reading: Unknowns) -> Self {
        WriterState {
            reading,
            prunes: false,
            deletes_connections: false,
            let_go: Arc::default(),
            withheld: Withheld::AsRead,
            writes_connections: true,
            removes_not: None,
        }
    }
}

/// Everything that one tenant is planned from.
pub struct TenantInput<'a> {
    /// The tenant's name.
    pub tenant: &'a str,
    /// As it was read.
    pub view: &'a TenantView,
    /// What is in its place.
    pub live: &'a Arc<Inventory>,
    /// What is declared, by object.
    pub declared: BTreeMap<ObjectId, Vec<Declaration>>,
    /// What each sync's variables are bound to in its source.
    pub promotions: BTreeMap<Writer, BTreeMap<String, BTreeMap<String, SourceBinding>>>,
    /// Every writer that exists for this tenant.
    pub writers: BTreeMap<Writer, WriterState>,
    /// The sources of its syncs, as they will be.
    pub upstream: BTreeMap<String, Arc<Inventory>>,
    /// What of the tenant, and of what feeds it, cannot be known.
    pub reading: Unknowns,
    /// The connections that other tenants have under a key: for suggestions.
    pub elsewhere: &'a check::Elsewhere<'a>,
    /// Where writers are told that are there and do not hold, and files that could hold any.
    pub world: &'a World,
    /// Syncs that name an integration which is nowhere.
    pub misnamed: &'a Misnamed,
}

impl<'a> TenantInput<'a> {
    /// Adds what a writer declares of one object.
    pub fn declare(&mut self, id: ObjectId, declaration: Declaration) {
        // Most objects have one writer: a tenant is large, and room for four would be held for each.
        self.declared.entry(id).or_insert_with(|| Vec::with_capacity(1)).push(declaration);
    }

    /// Adds what a sync declares.
    pub fn add(&mut self, writer: &Writer, promotion: Promotion) {
        for (id, declaration) in promotion.declarations {
            self.declare(id, declaration);
        }
        self.promotions.insert(writer.clone(), promotion.bindings);
    }

    /// Whether a writer that does not declare this object has stopped declaring it.
    pub fn standing(&self, writer: &Writer, id: &ObjectId) -> WriterPresence {
        if matches!(writer, Writer::Promote(_) | Writer::Adopt) {
            return WriterPresence::Lasting;
        }
        match self.writers.get(writer) {
            None if self.world.stopped.contains_key(writer) || !self.world.unread.is_empty() => WriterPresence::Unsure,
            // It is there, and names a tenant that is not: this one may be meant.
            None if self.names_nobody(writer) => WriterPresence::Unsure,
            None => WriterPresence::Gone,
            Some(state) if !state.reading.knows(id) => WriterPresence::Unsure,
            Some(_) => WriterPresence::Stopped,
        }
    }

    /// The writer that may declare an object though it does not now, and why that is not known: the object stays.
    pub fn may_be_declared(&self, id: &ObjectId) -> Option<String> {
        let crosses = |connections: bool| match id.kind {
            Kind::Connection => connections,
            kind => kind == Kind::Integration,
        };
        let stopped = self.world.stopped.iter().filter(|(_, reach)| crosses(true) && reach.includes(self.tenant));
        let stopped = stopped.map(|(writer, _)| (writer, "cannot be read"));
        let misdirected = self.world.syncs.iter().filter(|sync| self.may_be_meant_by(sync));
        let misdirected = misdirected.filter(|sync| crosses(writes_connections(&sync.spec)));
        let misdirected = misdirected.map(|sync| (&sync.writer, "names a tenant that is not there"));
        let withheld = self.writers.iter().filter_map(|(writer, state)| {
            let can = *writer == Writer::Source || crosses(state.writes_connections);
            match &state.withheld {
                Withheld::AsRead if can && !state.reading.knows(id) => Some((writer, "cannot be read whole")),
                Withheld::Anything(why) if can => Some((writer, *why)),
                Withheld::These(ids, why) if ids.contains(id) => Some((writer, *why)),
                _ => None,
            }
        });
        let (writer, why) = stopped.chain(misdirected).chain(withheld).next()?;
        Some(format!("{writer} {why}, and may declare it"))
    }

    /// Whether a sync names a tenant that is not there, in whose place this one may be meant.
    pub fn may_be_meant_by(&self, sync: &Sync) -> bool {
        let spec = &sync.spec;
        // Neither writes anything, whatever it names.
        if self.world.waiting.contains(&sync.writer) || spec.is_suspended() {
            return false;
        }
        let accepts =
            |from: &String| self.view.spec.accept_from.contains(from) || !self.world.tenants.contains_key(from);
        let unknown = |to: &String| !self.world.tenants.contains_key(to);
        let into = spec.to.iter().any(|to| to == self.tenant);
        accepts(&spec.from) && (into && unknown(&spec.from) || !into && spec.to.iter().any(unknown))
    }

    fn names_nobody(&self, writer: &Writer) -> bool {
        let of_writer = self.world.syncs.iter().filter(|sync| sync.writer == *writer);
        let mut tenants = of_writer.flat_map(|sync| sync.spec.to.iter().chain([&sync.spec.from]));
        tenants.any(|tenant| !self.world.tenants.contains_key(tenant))
    }
}

/// Whether a sync writes connections, or integrations only.
pub fn writes_connections(spec: &TenantSyncSpec) -> bool {
    spec.connection_mode() != ConnectionMode::Match
}

/// The tenant as it is. A file of its source that cannot be read could hold anything, as one of its
/// location could; a document of either that is invalid holds back what it names.
pub(super) fn with_what_the_source_cannot_say(input: &TenantInput<'_>) -> Arc<Inventory> {
    let mut after = input.live.clone();
    match &input.view.source {
        None => {}
        Some(View::Unreachable(_)) => drop(Arc::make_mut(&mut after).unparsed.insert("its source".to_string())),
        Some(View::Read(source)) if source.unparsed.is_empty() && source.invalid.is_empty() => {}
        Some(View::Read(source)) => {
            let after = Arc::make_mut(&mut after);
            after.unparsed.extend(source.unparsed.iter().cloned());
            after.invalid.extend(source.invalid.iter().map(|(id, why)| (id.clone(), why.clone())));
        }
    }
    after
}

/// The Tenants whose policy must allow an action: of a tenant in a cluster its own Tenant has a say too.
pub(super) fn whose_policy(tenant: &str, spec: &TenantSpec) -> String {
    match spec.location {
        Some(LocationSpec::Kubernetes(_)) => {
            format!("Tenant {tenant}, in the hub and in its own namespace (the stricter holds)")
        }
        Some(LocationSpec::Directory(_)) | None => format!("Tenant {tenant}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::KubernetesLocation;

    /// "Of two policies the stricter holds": so both must allow what the stricter forbids.
    #[test]
    fn of_a_tenant_in_a_cluster_two_policies_are_named() {
        let location = |location| TenantSpec { location, ..TenantSpec::default() };
        assert_eq!(whose_policy("eu", &location(None)), "Tenant eu");
        let cluster = LocationSpec::Kubernetes(KubernetesLocation { namespace: "eu".to_string(), kubeconfig: None });
        let both = "Tenant eu, in the hub and in its own namespace (the stricter holds)";
        assert_eq!(whose_policy("eu", &location(Some(cluster))), both);
    }
}
