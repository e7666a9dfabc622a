//! Manual steps: how many there are, and by the people who have to do them.

use super::ranked;
use super::status::{Todo, todo_of};
use super::tally::Tally;
use crate::engine::model::inventory::World;
use crate::engine::model::plan::{Note, Plan};
use crate::text::count;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// All that is left to people, by tenant. They are many: a tenant that did not change shares them with what was read
/// before.
#[derive(Clone, Debug, Default)]
pub struct ManualSteps {
    of_tenants: BTreeMap<String, Arc<[Todo]>>,
    /// The groups of people, and how much each has to do.
    groups: Vec<StepGroup>,
    pub counts: StepCounts,
}

/// A group of people and what is left to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepGroup {
    pub who: Arc<str>,
    pub count: usize,
    /// The first step, with the number of the others.
    pub summary: String,
}

impl ManualSteps {
    /// Finds the steps of a world and its plan. `before` are those of an earlier world and plan.
    pub fn of(world: &World, plan: &Plan, before: Option<(&World, &Plan, &ManualSteps)>) -> Self {
        let known = |tenant: &String| {
            let (of_world, of_plan, steps) = before?;
            let live = |world: &'_ World| world.tenants.get(tenant).and_then(|view| view.live.inventory().cloned());
            let is_same = live(world).zip(live(of_world)).is_some_and(|(now, then)| Arc::ptr_eq(&now, &then));
            let is_same = is_same && notes_of(plan, tenant).eq(notes_of(of_plan, tenant));
            steps.of_tenants.get(tenant).filter(|_| is_same).cloned()
        };
        let tenants: BTreeSet<&String> =
            world.tenants.keys().chain(plan.targets.iter().map(|target| &target.tenant)).collect();
        let of = |tenant: &String| known(tenant).unwrap_or_else(|| todo_of(tenant, world, plan).into());
        let mut steps = ManualSteps {
            of_tenants: tenants.into_iter().map(|tenant| (tenant.clone(), of(tenant))).collect(),
            groups: Vec::new(),
            counts: StepCounts::default(),
        };
        steps.groups = StepGroup::all(steps.iter());
        steps.counts = StepCounts::of(steps.iter().count(), plan);
        steps
    }

    /// The groups of people. Who has the most comes first.
    pub fn groups(&self) -> &[StepGroup] {
        &self.groups
    }

    /// The steps, sorted by tenant.
    pub fn iter(&self) -> impl Iterator<Item = &Todo> {
        self.of_tenants.values().flat_map(|steps| steps.iter())
    }
}

fn notes_of<'p>(plan: &'p Plan, tenant: &str) -> impl Iterator<Item = &'p Note> {
    plan.targets.iter().filter(move |target| target.tenant == tenant).flat_map(|target| &target.notes)
}

impl StepGroup {
    /// Groups steps. Who has the most comes first.
    pub fn all<'a>(todo: impl IntoIterator<Item = &'a Todo>) -> Vec<Self> {
        let mut by_person: BTreeMap<&str, (&Todo, usize)> = BTreeMap::new();
        for step in todo {
            by_person.entry(&step.who).or_insert((step, 0)).1 += 1;
        }
        let mut all: Vec<StepGroup> = by_person
            .into_values()
            .map(|(first, count)| StepGroup { who: Arc::clone(&first.who), count, summary: summary(first, count) })
            .collect();
        all.sort_by_key(|of| std::cmp::Reverse(of.count));
        all
    }
}

/// The number of manual steps. A plan names those that its changes need; others were left before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepCounts {
    /// All that is left to people: those of [`super::status::todo`].
    pub all: usize,
    /// Those that the plan names.
    pub of_plan: usize,
}

impl StepCounts {
    /// Counts the steps of all tenants, of which there are so many.
    fn of(all: usize, plan: &Plan) -> Self {
        let of_plan = Tally::of_plan(plan, &ranked::targets(plan)).manual;
        StepCounts { all: all.max(of_plan), of_plan }
    }

    /// What is counted: `23 manual steps, 3 of them named by the plan`.
    pub fn words(&self) -> String {
        let all = count(self.all, "manual step", "manual steps");
        match (self.all, self.of_plan) {
            (0, _) => "no manual steps".to_string(),
            (1, 0) => format!("{all}, not named by the plan"),
            (_, 0) => format!("{all}, none of them named by the plan"),
            (1, _) => format!("{all}, named by the plan"),
            (all_of_them, of_plan) if all_of_them == of_plan => format!("{all}, all named by the plan"),
            (_, of_plan) => format!("{all}, {} of them named by the plan", crate::text::thousands(of_plan)),
        }
    }
}

fn summary(first: &Todo, number: usize) -> String {
    // A step may go on with commands or a link, and with what is only for its own page.
    let text = first.text.lines().next().unwrap_or_default();
    let text = text.split(" (").next().unwrap_or(text).trim_end_matches(':');
    match number - 1 {
        0 => text.to_string(),
        others => format!("{text}, and {}", count(others, "other", "others")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(tenant: &str, who: &str, text: &str) -> Todo {
        Todo { tenant: tenant.into(), objects: Vec::new(), who: who.into(), text: text.to_string() }
    }

    #[test]
    fn words_say_what_is_counted() {
        for (all, of_plan, words) in [
            (0, 0, "no manual steps"),
            (23, 3, "23 manual steps, 3 of them named by the plan"),
            (23, 0, "23 manual steps, none of them named by the plan"),
            (3, 3, "3 manual steps, all named by the plan"),
            (1, 1, "1 manual step, named by the plan"),
            (1, 0, "1 manual step, not named by the plan"),
        ] {
            assert_eq!(StepCounts { all, of_plan }.words(), words);
        }
    }

    #[test]
    fn steps_are_grouped_by_who_does_them() {
        let todo = [
            step("eu", "customers", "sign in again for crm"),
            step("eu", "platform team", "supply Secret app with key id (label a: b)"),
            step("us", "platform team", "supply Secret app with key id (label a: b)"),
        ];
        let all = StepGroup::all(&todo);
        let shown: Vec<_> = all.iter().map(|of| (&*of.who, of.count, of.summary.as_str())).collect();
        assert_eq!(
            shown,
            [
                ("platform team", 2, "supply Secret app with key id, and 1 other"),
                ("customers", 1, "sign in again for crm")
            ]
        );
        assert_eq!(StepGroup::all(&[]), []);
    }
}
