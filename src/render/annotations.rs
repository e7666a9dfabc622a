//! Findings at their file and line, in the forms that CI systems show beside a change.

use super::json::JsonLayout;
use crate::api::sensitive::masked;
use crate::engine::model::canonical::Digest;
use crate::text;
use serde_json::{Value, json};

/// The most characters of a message: a check run takes 64 kB, and a page shows fewer.
const MOST: usize = 4_000;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The change is refused.
    Error,
    /// Something declared is unresolved.
    Unresolved,
    Warning,
}

/// A finding at a file and a line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Annotation {
    pub level: Level,
    /// The path of the file in the repository.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// A few words: the code of the check.
    pub title: String,
    /// The problem, and what to do.
    pub message: String,
}

impl Annotation {
    /// The line of a job's output that GitHub shows beside the file. It needs no token.
    pub fn github_line(&self) -> String {
        let level = match self.level {
            Level::Error | Level::Unresolved => "error",
            Level::Warning => "warning",
        };
        let Annotation { file, line, title, .. } = self;
        let message = data(&text::shorten(&masked(&self.message), MOST));
        format!("::{level} file={},line={line},title={}::{message}", property(&text::line(file)), property(title))
    }

    /// The annotation as a check run of GitHub takes it.
    pub fn check_run(&self) -> Value {
        let level = match self.level {
            Level::Error | Level::Unresolved => "failure",
            Level::Warning => "warning",
        };
        json!({
            "path": self.file, "start_line": self.line, "end_line": self.line, "annotation_level": level,
            "title": text::shorten(&self.title, 250), "message": text::shorten(&masked(&self.message), MOST)
        })
    }

    /// What identifies it in a report, whatever its line is.
    fn fingerprint(&self) -> String {
        let text = format!("{}\n{}\n{}", self.file, self.title, self.message);
        Digest::of(text.as_bytes()).to_string().trim_start_matches("sha256:").to_string()
    }
}

/// The annotations as a Code Quality report of GitLab.
pub fn code_quality(annotations: &[Annotation]) -> Result<String, serde_json::Error> {
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    let mut entry = |annotation: &Annotation| {
        let severity = match annotation.level {
            Level::Error => "blocker",
            Level::Unresolved => "critical",
            Level::Warning => "minor",
        };
        // Two of one fingerprint would be shown as one.
        let fingerprint = annotation.fingerprint();
        let count = seen.entry(fingerprint.clone()).or_default();
        *count += 1;
        let fingerprint = if *count == 1 { fingerprint } else { format!("{fingerprint}-{count}") };
        json!({
            "description": text::shorten(&annotation.message, MOST), "check_name": annotation.title,
            "fingerprint": fingerprint, "severity": severity,
            "location": {"path": annotation.file, "lines": {"begin": annotation.line}}
        })
    };
    let report: Vec<Value> = annotations.iter().map(&mut entry).collect();
    super::json::json(&report, JsonLayout::Pretty)
}

/// Escapes the text of a command to GitHub's runner.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a property of a command to GitHub's runner.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotation() -> Annotation {
        Annotation {
            level: Level::Unresolved,
            file: "eu, prod/a:b.yaml".to_string(),
            line: 7,
            title: "SK0101: missing".to_string(),
            message: "100 %\n::error::injected".to_string(),
        }
    }

    #[test]
    fn a_line_for_github_is_one_command() {
        let line = annotation().github_line();
        assert_eq!(
            line,
            "::error file=eu%2C prod/a%3Ab.yaml,line=7,title=SK0101%3A missing::100 %25%0A::error::injected"
        );
        assert_eq!(line.lines().count(), 1);
    }

    #[test]
    fn a_report_for_gitlab_has_unique_fingerprints() {
        let report = code_quality(&[annotation(), annotation()]).unwrap();
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_ne!(report[0]["fingerprint"], report[1]["fingerprint"]);
        assert_eq!(report[0]["severity"], "critical");
        assert_eq!(report[0]["location"]["lines"]["begin"], 7);
    }
}
