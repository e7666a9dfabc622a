//! Manual steps by the people who have to do them.

use super::status::Todo;
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
        Todo { tenant: tenant.to_string(), objects: Vec::new(), who: who.to_string(), text: text.to_string() }
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
