//! Advice where the change itself removes what is missing after it: to put that back, and not to make another one.

use super::Project;
use super::changed_folders::ChangedFolder;
use crate::api::Kind;
use crate::engine::compare::ComparedPlans;
use crate::engine::model::command::EditCommand;
use crate::engine::model::plan::{ActionKind, Note};

/// A connection that the change removes.
struct Removed {
    tenant: String,
    /// How findings say that it is missing.
    said: String,
    advice: String,
}

/// Gives findings about connections that the change removes that advice.
pub(super) fn advise(plans: &mut ComparedPlans, folders: &[ChangedFolder], before: &Project) {
    let removed: Vec<Removed> = folders.iter().flat_map(|folder| removed(folder, before)).collect();
    if removed.is_empty() {
        return;
    }
    let correct = |tenant: &str, text: &str, fix: &mut String, commands: &mut Vec<EditCommand>| {
        if let Some(one) = removed.iter().find(|one| one.tenant == tenant && text.contains(&one.said)) {
            fix.clone_from(&one.advice);
            commands.clear();
        }
    };
    for finding in &mut plans.added.findings {
        let tenant = finding.tenant.clone().unwrap_or_default();
        correct(&tenant, &finding.text, &mut finding.fix, &mut finding.commands);
    }
    for target in &mut plans.added.targets {
        for note in &mut target.notes {
            if let Note::Blocked { text, fix, commands, .. } = note {
                correct(&target.tenant, text, fix, commands);
            }
        }
    }
}

fn removed<'f>(folder: &'f ChangedFolder, before: &'f Project) -> impl Iterator<Item = Removed> {
    let actions = folder.changes.iter().map(|change| &change.action);
    let deleted = actions.filter(|action| action.action == ActionKind::Delete);
    deleted.filter(|action| action.change.object.kind == Kind::Connection).map(|action| {
        let (tenant, object) = (folder.tenant.clone(), &action.change.object);
        let at = before.origin(Some(&tenant), object).map(|origin| format!(" ({})", origin.file.path));
        Removed {
            said: format!("stable key {}, which {tenant} does not have", object.name),
            advice: format!(
                "the change removes it{}: put it back, or name another connection first",
                at.unwrap_or_default()
            ),
            tenant,
        }
    })
}
