//! Writes ownership records where they are not in files: on the platform, and in clusters.

use crate::engine::model::plan::Action;
use crate::project::Project;
use crate::tenant::location::LocationError;

/// Writes the records of actions that change nothing else. Returns why some were not written.
pub fn write_records(project: &Project, tenant: &str, actions: &[&Action]) -> Result<(), String> {
    if actions.is_empty() {
        return Ok(());
    }
    let Some(location) = project.location(tenant) else { return Err("it cannot be reached".to_string()) };
    let coming: Vec<_> = actions.iter().map(|action| &action.change).collect();
    let why = |error: LocationError| error.to_string();
    let mut session = location.begin(&coming).map_err(why)?;
    let mut result = Ok(());
    session.apply_all(actions, &|from| project.definition(from), &|| false, &mut |_, outcome| {
        if let (Ok(()), Err(error)) = (&result, outcome) {
            result = Err(error);
        }
    });
    let settled = session.settle();
    result.and(settled).map_err(why)
}
