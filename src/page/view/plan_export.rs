//! The plan for other programs: as Markdown and as JSON.

use crate::api::sensitive;
use crate::page::refusals;
use crate::page::reply::{self, Reply};
use crate::page::request::Request;
use crate::page::shown::ShownProject;
use crate::render::{self, Invocation, JsonLayout};
use serde_json::Value;

/// A plan of what was read before is no plan: who takes it elsewhere does not see that.
fn not_read(request: &Request) -> Option<Reply> {
    let failure = request.reading.failure.as_ref()?;
    Some(refusals::refused(
        request,
        503,
        "No plan",
        &format!("The project cannot be read: {}", failure.message),
        &failure.help,
    ))
}

/// The plan as Markdown, for a pull request.
pub(in crate::page) fn markdown(request: &Request, shown: &ShownProject) -> Reply {
    if let Some(refused) = not_read(request) {
        return refused;
    }
    reply::text("text/markdown; charset=utf-8", render::plan_markdown(&shown.planned.plan, &typed(shown)))
}

/// JSON with the secrets in its strings hidden.
fn masked(json: &str) -> String {
    fn hide(value: &mut Value) {
        match value {
            Value::String(text) if sensitive::has_secret(text) => *text = sensitive::masked(text).into_owned(),
            Value::Array(items) => items.iter_mut().for_each(hide),
            Value::Object(map) => map.values_mut().for_each(hide),
            _ => {}
        }
    }
    let Ok(mut value) = serde_json::from_str::<Value>(json) else { return sensitive::masked(json).into_owned() };
    hide(&mut value);
    format!("{value:#}")
}

/// The plan as JSON.
pub(in crate::page) fn json(request: &Request, shown: &ShownProject) -> Reply {
    if let Some(refused) = not_read(request) {
        return refused;
    }
    match render::json(&shown.planned.plan, JsonLayout::Pretty) {
        Ok(json) => reply::text("application/json", masked(&json)),
        Err(error) => {
            refusals::refused(request, 500, "No JSON", &error.to_string(), "This is an internal error: report it.")
        }
    }
}

fn typed(shown: &ShownProject) -> Invocation {
    let root = shown.folder.root.display().to_string();
    Invocation { root: (root != ".").then_some(root), ..Invocation::default() }
}
