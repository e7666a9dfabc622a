//! The files in tenants' folders that applies write. Their content is live, as that of a cluster is: it may differ from the
//! commit.

use crate::api::{Definition, Kind};
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::ObjectId;
use crate::project::Project;
use crate::tenant::TenantLocation;
use crate::tenant::directory::lock_file;
use crate::tenant::directory::read::beside;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Returns the files of a project in folders that a sync or a source writes to, each with whether it has nothing but what is
/// brought there: such objects, their definitions, and the record. `states` are all that is known of the project.
pub(super) fn of_applies(project: &Project, states: [&Project; 2]) -> BTreeMap<PathBuf, bool> {
    let mut files: BTreeMap<PathBuf, bool> = BTreeMap::new();
    for (name, tenant) in &project.tenants {
        let (Some(TenantLocation::Folder(location)), Ok(live)) = (&tenant.location, &tenant.live) else { continue };
        let brought = Brought::to(name, states);
        if brought.by.is_empty() {
            continue;
        }
        for (id, origin) in live.origins.iter() {
            let integration = live.inventory.integrations.get(&id.name).filter(|_| id.kind == Kind::Integration);
            let definition = integration.and_then(|integration| match &integration.spec.definition {
                Some(Definition::File(file)) => Some(beside(origin, file)),
                _ => None,
            });
            for path in definition.into_iter().chain([PathBuf::from(&origin.file.path)]) {
                *files.entry(path).or_insert(true) &= brought.has(id);
            }
        }
        let of_record = [lock_file::NAME, lock_file::ATTRIBUTES].map(|name| location.folder().join(Path::new(name)));
        files.extend(of_record.map(|path| (path, true)));
    }
    files
}

/// What is brought to a tenant.
struct Brought<'s> {
    tenant: &'s str,
    /// The states of the tenant itself, with its records.
    own: Vec<&'s Inventory>,
    /// The states of those that it is brought from.
    by: Vec<&'s Inventory>,
}

impl<'s> Brought<'s> {
    fn to(tenant: &'s str, states: [&'s Project; 2]) -> Self {
        let (mut own, mut by) = (Vec::new(), Vec::new());
        for project in states {
            let live = |name: &str| project.tenants.get(name)?.live.as_ref().ok();
            let declared = |name: &str| project.tenants.get(name)?.source.as_ref()?.as_ref().ok();
            let froms = project.syncs.iter().filter(|sync| sync.spec.goes_to(tenant));
            let froms = froms.flat_map(|sync| [live(&sync.spec.from), declared(&sync.spec.from)]).flatten();
            own.extend(live(tenant).map(|snapshot| &*snapshot.inventory));
            by.extend(froms.chain(declared(tenant)).map(|snapshot| &*snapshot.inventory));
        }
        Brought { tenant, own, by }
    }

    fn has(&self, id: &ObjectId) -> bool {
        self.by.iter().any(|from| from.has(id)) || self.own.iter().any(|own| own.record(self.tenant, id).is_some())
    }
}
