//! The store of a person's approvals: the user's state folder; none in CI.

use super::output::Output;
use crate::apply::consent::{Approvals, NotKept, StateFolder, StoredApproval};
use crate::project::Project;
use std::ffi::OsString;
use std::path::PathBuf;

/// The approvals of a project.
pub(super) struct KeptApprovals(Option<StateFolder>);

impl KeptApprovals {
    /// Opens the store, according to the environment.
    pub(super) fn of(project: &Project) -> Self {
        KeptApprovals(state_folder(&|name| std::env::var_os(name)).map(|folder| StateFolder::of(&folder, project)))
    }

    /// The store as an apply uses it.
    pub(super) fn as_approvals(&self) -> &dyn Approvals {
        match &self.0 {
            Some(folder) => folder,
            None => &NotKept,
        }
    }

    /// The kept approvals, by tenant.
    pub(super) fn all<'p>(&self, project: &'p Project) -> Vec<(&'p str, Vec<StoredApproval>)> {
        let kept = |tenant: &str| self.as_approvals().kept(tenant).unwrap_or_default();
        project.tenants.keys().map(|tenant| (tenant.as_str(), kept(tenant))).collect()
    }

    /// Warns of approvals that could not be kept, or that are ignored.
    pub(super) fn warn(&self, project: &Project, output: &mut Output) {
        let folders = project.tenants.values().filter_map(|tenant| tenant.location.as_ref()?.folder());
        for path in folders.filter_map(|folder| folder.file_of_approvals()) {
            output.note(&format!(
                "warning: {} approves nothing: whoever may change the tree may write it\n  = help: delete it; approvals \
                 are kept in your state folder",
                path.display()
            ));
        }
        self.warn_of_failures(output);
    }

    /// Warns of approvals that could not be kept.
    pub(super) fn warn_of_failures(&self, output: &mut Output) {
        for failure in self.0.iter().flat_map(StateFolder::take_warnings) {
            output.note(&format!("warning: {failure}"));
        }
    }
}

/// The XDG state folder of the user; `None` in CI, where the next run is on another machine, and if no home folder is
/// known.
pub(super) fn state_folder(variable: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let ci = variable("CI").unwrap_or_default().to_string_lossy().trim().to_ascii_lowercase();
    if !matches!(ci.as_str(), "" | "false" | "0") {
        return None;
    }
    // XDG ignores relative paths.
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local").join("state")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(variables: &[(&str, &str)]) -> Option<PathBuf> {
        let variable = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value));
        state_folder(&variable)
    }

    /// "in the user's state folder (keyed by project and target; absent in CI …)".
    #[test]
    fn approvals_are_kept_in_the_state_folder_and_nowhere_in_ci() {
        let home = [("HOME", "/home/ann")];
        assert_eq!(folder(&home), Some("/home/ann/.local/state".into()));
        assert_eq!(folder(&[home[0], ("XDG_STATE_HOME", "/state")]), Some("/state".into()));
        assert_eq!(folder(&[home[0], ("XDG_STATE_HOME", "state")]), Some("/home/ann/.local/state".into()));
        assert_eq!(folder(&[home[0], ("XDG_STATE_HOME", "")]), Some("/home/ann/.local/state".into()));
        for ci in ["true", "1", "yes"] {
            assert_eq!(folder(&[home[0], ("XDG_STATE_HOME", "/state"), ("CI", ci)]), None);
        }
        for none in ["", "false", "0"] {
            assert!(folder(&[home[0], ("CI", none)]).is_some());
        }
        assert_eq!(folder(&[]), None);
        assert_eq!(folder(&[("HOME", "")]), None);
    }
}
