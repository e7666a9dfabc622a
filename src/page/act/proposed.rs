//! An edit that a form asks for, before it is written.

use crate::author::Edited;
use crate::engine::model::canonical::Digest;
use crate::engine::model::plan::Action;
use crate::manifest::Content;

/// An edit, before it is written.
pub(super) struct Proposed {
    /// What it does, as a heading.
    pub(super) title: String,
    /// What to know beside the plan.
    pub(super) notes: Vec<String>,
    pub(super) edited: Edited,
    /// The ownership records that follow, of a tenant that is not in files.
    pub(super) records: Option<(String, Vec<Action>)>,
    /// Where it leads once it is written.
    pub(super) then: String,
}

impl Proposed {
    /// Names exactly what is shown: files before and after, and the actions that follow.
    pub(super) fn digest(&self) -> String {
        let mut all = Vec::new();
        let mut add = |part: &[u8]| {
            all.extend(part.len().to_le_bytes());
            all.extend(part);
        };
        for file in &self.edited.files {
            add(file.path.as_os_str().as_encoded_bytes());
            for content in [&file.before, &file.after] {
                add(&[u8::from(content.is_some())]);
                add(content.as_ref().map_or(&[][..], Content::as_bytes));
            }
        }
        for action in self.edited.new_actions().chain(self.records.iter().flat_map(|(_, records)| records)) {
            add(action.id.as_bytes());
            add(action.digest.to_string().as_bytes());
        }
        self.edited.consequences.worse.iter().for_each(|worse| add(worse.as_bytes()));
        Digest::of(&all).to_string()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.edited.files.is_empty() && self.records.as_ref().is_none_or(|(_, records)| records.is_empty())
    }
}
