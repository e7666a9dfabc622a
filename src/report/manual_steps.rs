//! Manual steps: how many there are, and by the people who have to do them.

use super::ranked;
use super::status::Todo;
use super::tally::Tally;
use crate::engine::model::plan::Plan;
use crate::text::count;
use std::collections::BTreeMap;

/// The steps of one group of people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepsOf<'a> {
    /// The people: `platform team`, `customers`.
    pub who: &'a str,
    pub count: usize,
    /// The first step, with the number of the others.
    pub summary: String,
    pub steps: Vec<&'a Todo>,
}

impl<'a> StepsOf<'a> {
    /// Groups steps: those of [`super::status::StatusReport::todo`], or [`super::status::todo`]. Who has the most comes
    /// first.
    pub fn all(todo: &'a [Todo]) -> Vec<Self> {
        let mut by_person: BTreeMap<&str, Vec<&Todo>> = BTreeMap::new();
        for step in todo {
            by_person.entry(&step.who).or_default().push(step);
        }
        let mut all: Vec<StepsOf<'_>> = by_person
            .into_iter()
            .map(|(who, steps)| StepsOf { who, count: steps.len(), summary: summary(&steps), steps })
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
    /// Counts the steps of all tenants.
    pub fn of(todo: &[Todo], plan: &Plan) -> Self {
        let of_plan = Tally::of_plan(plan, &ranked::targets(plan)).manual;
        StepCounts { all: todo.len().max(of_plan), of_plan }
    }

    /// What is counted: `23 manual steps, 3 of them named by the plan`.
    pub fn words(&self) -> String {
        let all = count(self.all, "manual step", "manual steps");
        match (self.all, self.of_plan) {
            (0, _) => "no manual steps".to_string(),
            (_, 0) => format!("{all}, none of them named by the plan"),
            (1, _) => format!("{all}, named by the plan"),
            (all_of_them, of_plan) if all_of_them == of_plan => format!("{all}, all named by the plan"),
            (_, of_plan) => format!("{all}, {} of them named by the plan", crate::text::thousands(of_plan)),
        }
    }
}

fn summary(steps: &[&Todo]) -> String {
    let Some(first) = steps.first() else { return String::new() };
    // A step may go on with commands or a link, and with what is only for its own page.
    let text = first.text.lines().next().unwrap_or_default();
    let text = text.split(" (").next().unwrap_or(text).trim_end_matches(':');
    match steps.len() - 1 {
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
        let all = StepsOf::all(&todo);
        let shown: Vec<_> = all.iter().map(|of| (of.who, of.count, of.summary.as_str())).collect();
        assert_eq!(
            shown,
            [
                ("platform team", 2, "supply Secret app with key id, and 1 other"),
                ("customers", 1, "sign in again for crm")
            ]
        );
        assert_eq!(StepsOf::all(&[]), []);
    }
}
