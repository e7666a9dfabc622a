//! The input for planning one tenant.

use super::let_go::LetGo;
use super::reading::Unknowns;
use crate::api::{ConnectionMode, Kind, LocationSpec, TenantSpec, TenantSyncSpec};
use crate::engine::check;
use crate::engine::diff::{Declaration, WriterPresence};
use crate::engine::model::inventory::{Inventory, Misnamed, Sync, TenantView, View, World};
use crate::engine::model::item::ObjectId;
use crate::engine::model::record::Writer;
use crate::engine::model::revert::Revert;
use crate::engine::promote::{Promotion, SourceBinding};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The state of a writer while one tenant is planned.
#[derive(Clone, Debug)]
pub(super) struct WriterState {
    /// The unreadable parts of the writer: declarations there have not stopped.
    pub reading: Unknowns,
    /// Whether objects that it no longer declares are removed.
    pub prunes: bool,
    /// Whether it also deletes connections without a deletionPolicy.
    pub deletes_connections: bool,
    /// What the plan removes in the tenant that the writer copies.
    pub let_go: Arc<LetGo>,
    /// What it may declare in addition, once it is readable, resumed or corrected.
    pub withheld: Withheld,
    /// Whether it may declare connections, or only integrations.
    pub writes_connections: bool,
    /// The reason why it removes nothing although it was read.
    pub removes_not: Option<String>,
}

/// The unknown or suspended declarations of a writer, which have not stopped.
#[derive(Clone, Debug)]
pub(super) enum Withheld {
    /// The parts that are unreadable.
    AsRead,
    /// Nothing: the writer is only out of scope.
    Nothing,
    /// Everything that it can write, with the reason.
    Anything(&'static str),
    /// These objects, with the reason.
    These(BTreeSet<ObjectId>, &'static str),
}

impl WriterState {
    /// The state of a writer that removes nothing.
    pub(super) fn read(reading: Unknowns) -> Self {
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

/// The input for planning one tenant.
pub(super) struct TenantInput<'a> {
    /// The name of the tenant.
    pub tenant: &'a str,
    /// The tenant as it was read.
    pub view: &'a TenantView,
    /// The live resources.
    pub live: &'a Arc<Inventory>,
    /// The declarations, by object.
    pub declared: BTreeMap<ObjectId, Vec<Declaration>>,
    /// Whether embedded workflows are to use a connection, where a person sets it.
    pub embedded: BTreeMap<ObjectId, bool>,
    /// The bindings in the source of each sync.
    pub promotions: BTreeMap<Writer, BTreeMap<String, BTreeMap<String, SourceBinding>>>,
    /// All writers that exist for this tenant.
    pub writers: BTreeMap<Writer, WriterState>,
    /// The sources of its syncs, after the plan.
    pub upstream: BTreeMap<String, Arc<Inventory>>,
    /// The unreadable parts of the tenant and of its sources.
    pub reading: Unknowns,
    /// The connections of other tenants, by key, for suggestions.
    pub elsewhere: &'a check::Elsewhere<'a>,
    /// The world, with invalid writers and unreadable files that may contain writers.
    pub world: &'a World,
    /// Syncs that name a nonexistent integration.
    pub misnamed: &'a Misnamed,
    /// What a person asked to put back in this tenant.
    pub revert: Option<&'a Revert>,
}

impl<'a> TenantInput<'a> {
    /// Adds the declaration of one object.
    pub(super) fn declare(&mut self, id: ObjectId, mut declaration: Declaration) {
        if !self.live.can.has_labels {
            declaration.item.forget_labels();
        }
        if self.live.can.has_no_empty_inputs {
            declaration.item.forget_empty_inputs();
        }
        if !self.live.can.writes_embedded
            && let Some(wanted) = declaration.item.take_embedded()
        {
            // The tenant's own source goes before a sync.
            let is_own = declaration.writer == Writer::Source;
            let entry = self.embedded.entry(id.clone()).or_insert(wanted);
            if is_own {
                *entry = wanted;
            }
        }
        // Most objects have one writer; the default capacity would be four for every object of a large tenant.
        self.declared.entry(id).or_insert_with(|| Vec::with_capacity(1)).push(declaration);
    }

    /// Adds the declarations of a sync.
    pub(super) fn add(&mut self, writer: &Writer, promotion: Promotion) {
        for (id, declaration) in promotion.declarations {
            self.declare(id, declaration);
        }
        self.promotions.insert(writer.clone(), promotion.bindings);
    }

    /// Whether a writer that does not declare this object has stopped declaring it.
    pub(super) fn presence(&self, writer: &Writer, id: &ObjectId) -> WriterPresence {
        if matches!(writer, Writer::Promote(_) | Writer::Adopt) {
            return WriterPresence::Lasting;
        }
        match self.writers.get(writer) {
            None if self.world.stopped.contains_key(writer) || !self.world.unread.is_empty() => WriterPresence::Unsure,
            // The sync exists, but names a nonexistent tenant: this tenant may be meant.
            None if self.names_unknown_tenant(writer) => WriterPresence::Unsure,
            None => WriterPresence::Gone,
            Some(state) if !state.reading.knows(id) => WriterPresence::Unsure,
            Some(_) => WriterPresence::Stopped,
        }
    }

    /// A writer that may declare an object although it does not now, and the reason why it is unknown: the object is
    /// then kept.
    pub(super) fn may_be_declared(&self, id: &ObjectId) -> Option<String> {
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

    /// Whether a sync names a nonexistent tenant that may mean this one.
    pub(super) fn may_be_meant_by(&self, sync: &Sync) -> bool {
        let spec = &sync.spec;
        // Such a sync writes nothing, whatever it names.
        if self.world.waiting.contains(&sync.writer) || spec.is_suspended() {
            return false;
        }
        let accepts =
            |from: &String| self.view.spec.accept_from.contains(from) || !self.world.tenants.contains_key(from);
        let unknown = |to: &String| !self.world.tenants.contains_key(to);
        let into = spec.goes_to(self.tenant);
        accepts(&spec.from) && (into && unknown(&spec.from) || !into && spec.targets().any(unknown))
    }

    fn names_unknown_tenant(&self, writer: &Writer) -> bool {
        let of_writer = self.world.syncs.iter().filter(|sync| sync.writer == *writer);
        let mut tenants = of_writer.flat_map(|sync| sync.spec.targets().chain([&sync.spec.from]));
        tenants.any(|tenant| !self.world.tenants.contains_key(tenant))
    }
}

/// Whether a sync writes connections, or only integrations.
pub(super) fn writes_connections(spec: &TenantSyncSpec) -> bool {
    spec.connection_mode() != ConnectionMode::Match
}

/// The live tenant, with the unknowns of its source added. An unparsed file in the source may contain any object, as in
/// the location; an invalid document blocks the object that it names.
pub(super) fn with_source_unknowns(input: &TenantInput<'_>) -> Arc<Inventory> {
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

/// The Tenants whose policy must allow an action: for a tenant in a cluster, also the Tenant in its own namespace.
pub(super) fn policy_owners(tenant: &str, spec: &TenantSpec) -> String {
    match spec.location {
        Some(LocationSpec::Kubernetes(_)) => {
            format!("Tenant {tenant}, in the hub and in its own namespace (the stricter holds)")
        }
        Some(LocationSpec::Directory(_) | LocationSpec::Prismatic(_)) | None => format!("Tenant {tenant}"),
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
        assert_eq!(policy_owners("eu", &location(None)), "Tenant eu");
        let cluster = LocationSpec::Kubernetes(KubernetesLocation { namespace: "eu".to_string(), kubeconfig: None });
        let both = "Tenant eu, in the hub and in its own namespace (the stricter holds)";
        assert_eq!(policy_owners("eu", &location(Some(cluster))), both);
    }
}
