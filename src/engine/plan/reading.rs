//! The unreadable parts of tenants, and the findings about them.

use crate::api::{Definition, Kind, TenantSpec};
use crate::engine::delivery::NotDelivered;
use crate::engine::model::code::Code;
use crate::engine::model::finding::Finding;
use crate::engine::model::inventory::{TenantView, View};
use crate::engine::model::item::ObjectId;
use std::collections::BTreeSet;

/// The unreadable parts of something that was read: a missing declaration there means nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Unknowns {
    /// Whether it could not be read, or one of its files may contain any object.
    pub broken: bool,
    /// Objects that are named in invalid documents.
    pub invalid: BTreeSet<ObjectId>,
}

impl Unknowns {
    /// The unknowns of something that could not be read.
    pub(super) fn broken() -> Self {
        Unknowns { broken: true, ..Unknowns::default() }
    }

    /// The unknowns of a location or a source.
    pub(super) fn of(view: &View) -> Self {
        match view.inventory() {
            None => Unknowns::broken(),
            Some(inventory) => {
                let unread = inventory.uses.iter().filter(|(_, uses)| uses.may_use_more());
                let unread = unread.map(|(name, _)| ObjectId::new(Kind::Integration, name));
                Unknowns {
                    broken: !inventory.unparsed.is_empty(),
                    invalid: inventory.invalid.keys().cloned().chain(unread).collect(),
                }
            }
        }
    }

    /// Adds the unknowns of a source: what is unknown there is unknown here.
    pub(super) fn depends_on(&mut self, other: &Unknowns) {
        self.broken |= other.broken;
        self.invalid.extend(other.invalid.iter().cloned());
    }

    /// Whether everything was read.
    pub(super) fn is_whole(&self) -> bool {
        !self.broken && self.invalid.is_empty()
    }

    /// Whether an object that was not found may be in what could not be read.
    pub(super) fn may_hold(&self, id: &ObjectId) -> bool {
        self.broken || self.invalid.contains(id)
    }

    /// Whether a missing declaration means that the object is not declared. An unreadable integration may use any
    /// connection.
    pub(super) fn knows(&self, id: &ObjectId) -> bool {
        let may_be_used = || id.kind == Kind::Connection && self.invalid.iter().any(|i| i.kind == Kind::Integration);
        !self.broken && !self.invalid.contains(id) && !may_be_used()
    }
}

/// The findings about a tenant that could not be read completely.
pub(super) fn findings(tenant: &str, view: &TenantView) -> Vec<Finding> {
    let mut findings = of_view(tenant, &view.spec, &view.live, "nothing is planned there until it can");
    if let Some(source) = &view.source {
        let fix = format!(
            "restore its source, or correct spec.source of the Tenant: until it can be read, nothing is created or removed \
             in {tenant}"
        );
        let mut of_source = of_view(tenant, &view.spec, source, &fix);
        let unreachable = of_source.iter_mut().filter(|finding| finding.code == Code::TenantUnreachable);
        unreachable.for_each(|finding| finding.path = ["spec", "source"].map(str::to_string).to_vec());
        findings.extend(of_source);
    }
    findings
}

fn of_view(tenant: &str, spec: &TenantSpec, view: &View, until_it_can_be_read: &str) -> Vec<Finding> {
    let of_tenant = |code, text, fix: String| Finding {
        object: None,
        ..Finding::of(code, tenant, ObjectId::new(Kind::Tenant, tenant), text, fix)
    };
    let inventory = match view {
        View::Unreachable(why) => {
            let text = format!("{tenant} cannot be read: {why}");
            return vec![of_tenant(Code::TenantUnreachable, text, until_it_can_be_read.to_string())];
        }
        View::Read(inventory) => inventory,
    };
    let files = inventory.unparsed.iter().map(|file| {
        let text = format!("{file} cannot be read and could hold anything");
        of_tenant(Code::FileBroken, text, format!("fix it: until then nothing is created or removed in {tenant}"))
    });
    let objects = inventory.invalid.iter().map(|(id, why)| {
        let fix = "correct it: until then the object is blocked";
        Finding::of(Code::ObjectInvalid, tenant, id.clone(), why.clone(), fix)
    });
    let unread = inventory.uses.iter().filter_map(|(name, uses)| Some((name, uses.unread.as_ref()?)));
    let unread = unread.map(|(name, what)| {
        let text = format!("its definition is of {what}, which is not read: which connections it uses is unknown");
        let fix = "update stablekey, or export the integration in a version that is read";
        Finding::of(Code::DefinitionUnread, tenant, ObjectId::new(Kind::Integration, name), text, fix)
    });
    let undelivered = inventory.integrations.iter().filter_map(|(name, integration)| {
        let Some(Definition::File(file)) = &integration.spec.definition else { return None };
        let (text, fix) = (!inventory.uses.contains_key(name)).then(|| not_delivered(file, tenant, Some(spec)))?;
        let id = ObjectId::new(Kind::Integration, name);
        let finding = Finding::of(Code::DefinitionMissing, tenant, id, text, fix);
        Some(finding.at_path(&["spec", "definition"]))
    });
    files.chain(objects).chain(unread).chain(undelivered).collect()
}

/// The problem of an integration that came to a cluster without its definition file, and how to fix it.
pub(super) fn not_delivered(file: &str, tenant: &str, spec: Option<&TenantSpec>) -> (String, String) {
    let NotDelivered { text, command } = NotDelivered::of(file, tenant, spec);
    (text, format!("deliver it into the namespace of {tenant}: {command}"))
}
