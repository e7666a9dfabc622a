//! What an address asks for. A name that names nothing is refused: passed over, it would show more than was asked for.

use super::fields::{Doubled, FormFields};
use super::html::line;
use super::shown::ShownProject;
use crate::report::overview::OverviewState;
use std::collections::BTreeSet;

/// An address that asks for what is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MisnamedAddress {
    pub(super) status: u16,
    pub(super) title: &'static str,
    pub(super) message: String,
    pub(super) help: MisnamedHelp,
}

/// What to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MisnamedHelp {
    Text(String),
    /// The name that names nothing, and the names that are there.
    Names(String, Vec<String>),
}

impl From<Doubled> for MisnamedAddress {
    fn from(Doubled(name): Doubled) -> Self {
        MisnamedAddress {
            status: 400,
            title: "Asked twice",
            message: format!("The address has {name} twice."),
            help: MisnamedHelp::Text("Keep one of them.".to_string()),
        }
    }
}

/// What the values of the fields of an address may be, by view.
pub(super) fn is_there(path: &str, fields: &FormFields, shown: &ShownProject) -> Result<(), MisnamedAddress> {
    let tenants = || -> BTreeSet<&str> {
        let of_plan = shown.planned.plan.targets.iter().map(|target| target.tenant.as_str());
        shown.project.tenants.keys().map(String::as_str).chain(of_plan).collect()
    };
    match path {
        "/" | "/integrations" | "/plan" | "/plan.md" | "/plan.json" => {
            named("tenant", "tenant", fields, 404, tenants)?;
            named("state", "show", fields, 400, || OverviewState::ALL.into_iter().map(OverviewState::class).collect())?;
            named("list", "list", fields, 400, || BTreeSet::from(["connections", "integrations"]))?;
        }
        "/integration" => named("tenant", "tenant", fields, 404, tenants)?,
        "/connection" => {
            named("tenant", "tenant", fields, 404, tenants)?;
            named("choice", "show", fields, 400, || BTreeSet::from(["all"]))?;
        }
        "/set" => named("part", "part", fields, 400, || BTreeSet::from(["test", "embedded"]))?,
        "/steps" => {
            let groups = shown.steps.groups();
            named("group of people", "who", fields, 404, || groups.iter().map(|group| &*group.who).collect())?;
        }
        "/switch" => {
            let given: Vec<&str> =
                ["step", "data-source", "variable"].into_iter().filter(|name| fields.filled(name).is_some()).collect();
            if let [one, other, ..] = given[..] {
                return Err(MisnamedAddress {
                    status: 400,
                    title: "Not clear",
                    message: format!("The address names a {one} and a {other}."),
                    help: MisnamedHelp::Text("Choose one in the integration.".to_string()),
                });
            }
        }
        _ => {}
    }
    Ok(())
}

/// Fails if a field that is filled names nothing.
pub(super) fn named<'a>(
    what: &str,
    field: &str,
    fields: &FormFields,
    status: u16,
    there: impl FnOnce() -> BTreeSet<&'a str>,
) -> Result<(), MisnamedAddress> {
    let given = fields.text(field);
    if given.is_empty() {
        return Ok(());
    }
    let there = there();
    match there.contains(given) {
        true => Ok(()),
        false => Err(MisnamedAddress {
            status,
            title: "Nothing of that name",
            message: format!("There is no {what} {}.", line(given)),
            help: MisnamedHelp::Names(given.to_string(), there.into_iter().map(str::to_string).collect()),
        }),
    }
}
