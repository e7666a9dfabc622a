//! The field for the reason of an override. Where an edit was refused because it has none, the field asks for it.

use crate::author::AuthorError;
use crate::page::fields::FormFields;
use crate::page::layout::{line, text};
use crate::page::refusals;
use maud::{Markup, html};

/// The field. `at_origin` makes the address of the page that edits the same in the tenant from which a sync brings it.
pub(super) fn field(
    fields: &FormFields,
    (tenant, help): (&str, &str),
    wrong: Option<&AuthorError>,
    at_origin: impl Fn(&str) -> String,
) -> Markup {
    let wanted = match wrong {
        Some(AuthorError::NoReason { message, from, .. }) => Some((message, from.as_deref())),
        _ => None,
    };
    let described = if wanted.is_some() { "f-reason-wanted f-reason-help" } else { "f-reason-help" };
    html! {
        div.field {
            label for="f-reason" { "Why it differs in " (line(tenant)) }
            input #f-reason type="text" name="reason" value=(fields.text("reason")) aria-describedby=(described) aria-invalid=[wanted.map(|_| "true")] autofocus[wanted.is_some()];
            @if let Some((message, from)) = wanted {
                div.wanted #f-reason-wanted role="alert" {
                    p { "Give a reason: " (text(message)) "." }
                    @if let Some(from) = from { p { "To change it for all tenants, " a href=(at_origin(from)) { "edit it in " (line(from)) } "." } }
                }
            }
            p.help #f-reason-help { (help) }
        }
    }
}

/// Why an edit cannot be made. That a reason is missing stands beside its field.
pub(super) fn refusal(wrong: Option<&AuthorError>) -> Markup {
    html! {
        @if let Some(error) = wrong.filter(|error| !matches!(error, AuthorError::NoReason { .. })) { (refusals::edit_refusal(error)) }
    }
}
