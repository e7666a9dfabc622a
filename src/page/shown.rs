//! One reading of the project: what every view shows until the next one.

use super::PageFolder;
use crate::api::Kind;
use crate::engine::closure::{Index, Seeds};
use crate::engine::model::finding::At;
use crate::engine::model::inventory::{Inventory, Sync};
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::Scope;
use crate::engine::model::record::Writer;
use crate::project::Project;
use crate::project::planned::{self, PlannedProject};
use crate::report::overview::{ManualSteps, Overview};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

/// What was read, planned and counted at one moment.
pub(super) struct ShownProject {
    pub(super) folder: Arc<PageFolder>,
    pub(super) project: Arc<Project>,
    pub(super) planned: PlannedProject,
    pub(super) overview: Overview,
    /// What is left to people.
    pub(super) steps: ManualSteps,
    /// The components that any tenant declares or uses.
    pub(super) components: Arc<BTreeSet<String>>,
    /// The files and lines of overrides, by sync and position, once they are asked for.
    override_places: OnceLock<BTreeMap<Writer, Vec<At>>>,
    /// Whether it could not be read since.
    is_stale: bool,
}

impl ShownProject {
    /// Plans all tenants of a project. What did not change since an earlier reading is in memory once.
    pub(super) fn of(folder: &Arc<PageFolder>, project: Project, before: Option<&ShownProject>) -> Arc<Self> {
        let planned = planned::plan(&project, &Scope::default());
        let overview = Overview::of(&planned.world, &planned.plan);
        let before = before.map(|before| (&before.planned.world, &before.planned.plan, &before.steps));
        let steps = ManualSteps::of(&planned.world, &planned.plan, before);
        let views = planned.world.tenants.values().flat_map(|view| [Some(&view.live), view.source.as_ref()]);
        let inventories: Vec<_> = views.flatten().filter_map(|view| view.inventory()).collect();
        let declared =
            inventories.iter().flat_map(|read| read.components.values()).map(|one| one.spec.reference().typed());
        let used = inventories.iter().flat_map(|read| read.connections.values()).map(|one| one.spec.component.typed());
        let components = declared.chain(used).collect::<BTreeSet<String>>().into();
        let (folder, project) = (Arc::clone(folder), Arc::new(project));
        Arc::new(ShownProject {
            folder,
            project,
            planned,
            overview,
            steps,
            components,
            override_places: OnceLock::new(),
            is_stale: false,
        })
    }

    /// The same with these live objects, of which a closure is planned again. What is counted over all tenants stays as
    /// it was. `None` where the closure is as large as everything.
    pub(super) fn with_part(
        &self,
        project: Project,
        live: &BTreeMap<String, Arc<Inventory>>,
        index: &Index,
        seeds: &Seeds,
    ) -> Option<Arc<Self>> {
        let (planned, part) = planned::plan_part(&project, &self.planned, live, index, seeds)?;
        // A row may need what is planned for others.
        let of_part = Overview::of(&part.world, &planned.plan);
        let overview = self.overview.with_part(&of_part, &planned.world, &|id| part.core.contains(id));
        Some(Arc::new(ShownProject {
            folder: Arc::clone(&self.folder),
            project: Arc::new(project),
            planned,
            overview,
            steps: self.steps.clone(),
            components: Arc::clone(&self.components),
            override_places: OnceLock::new(),
            is_stale: false,
        }))
    }

    /// The same, where it cannot be read any more: nothing of it is called in sync.
    pub(super) fn stale(self: &Arc<Self>) -> Arc<Self> {
        if self.is_stale {
            return Arc::clone(self);
        }
        let mut planned = PlannedProject { world: self.planned.world.clone(), plan: self.planned.plan.clone() };
        planned.plan.targets.iter_mut().for_each(|target| target.known = false);
        Arc::new(ShownProject {
            folder: Arc::clone(&self.folder),
            project: Arc::clone(&self.project),
            overview: Overview::of(&planned.world, &planned.plan),
            planned,
            steps: self.steps.clone(),
            components: Arc::clone(&self.components),
            override_places: OnceLock::new(),
            is_stale: true,
        })
    }

    /// The file and line of an override of a sync.
    pub(super) fn place_of_override(&self, writer: &Writer, position: usize) -> Option<&At> {
        let places = self.override_places.get_or_init(|| {
            let with_overrides = self.project.syncs.iter().filter(|sync| !sync.spec.overrides.is_empty());
            let of = |sync: &Sync| {
                let number = sync.spec.overrides.len();
                (sync.writer.clone(), planned::places_of_overrides(&self.project, &sync.writer, number))
            };
            with_overrides.map(of).collect()
        });
        places.get(writer)?.get(position)
    }

    /// The stable key of a connection.
    pub(super) fn key_of(&self, tenant: &str, id: &ObjectId) -> Option<String> {
        let live = self.planned.world.tenants.get(tenant)?.live.inventory()?;
        let connection = live.connections.get(&id.name).filter(|_| id.kind == Kind::Connection)?;
        Some(connection.spec.stable_key.clone())
    }
}
