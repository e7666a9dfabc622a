//! Renders values of the engine as text, JSON and Markdown. Pure: the use of colours and the width of the terminal are
//! passed in as a [`Style`].
//!
//! To add an output format: a file here, one line below.

mod action_text;
mod annotations;
mod bindings_text;
mod change;
mod change_report;
mod change_request;
mod changed;
mod checks;
mod components;
mod doctor;
mod edit;
mod explain;
mod explain_everywhere;
mod explain_tenant;
mod explain_text;
mod findings;
pub mod hub;
mod invocation;
mod json;
mod kept_text;
mod lists;
mod markdown;
mod page;
mod plan_markdown;
mod plan_text;
mod receipt;
mod receipts;
mod reference;
mod status;
mod style;
mod unplanned_change;
pub mod waiting_plan;
mod waiting_writes;

pub use crate::text::quoted;
pub use annotations::{Annotation, Level, code_quality};
pub use bindings_text::bindings_text;
pub use change_report::{ChangeReport, LARGEST_REPORT, REPORT_SCHEMA, ReportError, trailer};
pub use change_request::ChangeRequest;
pub use changed::ShownChange;
pub use checks::{CheckGuide, Example, ExampleFile, check_guide, checks};
pub use components::components_text;
pub use doctor::{doctor_json, doctor_text};
pub use edit::{edit_json, edit_text, edit_written};
pub use explain::*;
pub use explain_everywhere::{IntegrationEverywhere, IntegrationInTenant, explain_everywhere, is_integration};
pub use explain_tenant::{IntegrationOfTenant, TenantExplanation, explain_tenant};
pub use findings::Findings;
pub use invocation::{Hub, Invocation};
pub use json::{JsonLayout, json};
pub use kept_text::kept_text;
pub use lists::{names, yaml};
pub use plan_markdown::plan_markdown;
pub use plan_text::plan_text;
pub use receipt::{Applied, kustomizations_text};
pub use receipts::{ReceiptList, ReceiptRow};
pub use reference::reference;
pub use status::{status_markdown, status_text, todo_markdown};
pub use style::Style;
pub use unplanned_change::UnplannedChange;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
