//! Where a person's approvals are kept: the user's state folder; nowhere in CI.

use super::output::Output;
use crate::apply::consent::{Approvals, KeptApproval, NotKept, StateFolder};
use crate::project::Project;
use std::ffi::OsString;
use std::path::PathBuf;

/// The approvals of a project.
pub struct KeptApprovals(Option<StateFolder>);

impl KeptApprovals {
    /// As the environment says.
    pub fn of(project: &Project) -> Self {
        KeptApprovals(state_folder(&|name| std::env::var_os(name)).map(|folder| StateFolder::of(&folder, project)))
    }

    /// As every location that keeps approvals is used.
    pub fn as_approvals(&self) -> &dyn Approvals {
        match &self.0 {
            Some(folder) => folder,
            None => &NotKept,
        }
    }

    /// What is kept, by tenant.
    pub fn all<'p>(&self, project: &'p Project) -> Vec<(&'p str, Vec<KeptApproval>)> {
        let kept = |tenant: &str| self.as_approvals().kept(tenant).unwrap_or_default();
        project.tenants.keys().map(|tenant| (tenant.as_str(), kept(tenant))).collect()
    }

    /// Says what could not be kept, or is not obeyed.
    pub fn warn(&self, project: &Project, output: &mut Output) {
        let folders = project.tenants.values().filter_map(|tenant| tenant.location.as_ref()?.folder());
        for path in folders.filter_map(|folder| folder.file_of_approvals()) {
            output.note(&format!(
                "warning: {} approves nothing: whoever may change the tree may write it\n  = help: delete it; approvals \
                 are kept in your state folder",
                path.display()
            ));
        }
        self.warn_of_troubles(output);
    }

    /// Says what could not be kept.
    pub fn warn_of_troubles(&self, output: &mut Output) {
        for trouble in self.0.iter().flat_map(StateFolder::take_troubles) {
            output.note(&format!("warning: {trouble}"));
        }
    }
}

/// The folder for what programs keep of a user between runs, as XDG says; `None` in CI, where the next run
/// is another machine's, and where no home is known.
fn state_folder(variable: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let ci = variable("CI").unwrap_or_default().to_string_lossy().trim().to_ascii_lowercase();
    if !matches!(ci.as_str(), "" | "false" | "0") {
        return None;
    }
    // XDG says that a relative path is no path.
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
