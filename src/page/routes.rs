//! Which function answers which address.

use super::asked;
use super::desk::PageDesk;
use super::fields::FormFields;
use super::forms;
use super::guard::{self, RefusedRequest};
use super::refusals;
use super::reply::{self, Reply};
use super::request::Request;
use super::shown::ShownProject;
use super::{PageSubject, act, hub, layout, stream, view};
use crate::api::sensitive;
use axum::Router;
use axum::extract::State;
use axum::http::Method;
use std::sync::Arc;
use std::time::Instant;

/// The largest form, in bytes.
const FORM_BYTES: usize = 1_000_000;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The router. All addresses are answered by one function, so that none is forgotten by the guard.
pub(super) fn router(desk: Arc<PageDesk>) -> Router {
    Router::new().fallback(answer).with_state(desk)
}

async fn answer(State(desk): State<Arc<PageDesk>>, request: axum::extract::Request) -> Reply {
    let (parts, body) = request.into_parts();
    if !matches!(parts.method, Method::GET | Method::HEAD | Method::POST) {
        return reply::no_method();
    }
    // The server sends no body to who asks for the head only.
    let is_post = parts.method == Method::POST;
    if let Err(refused) = guard::comes_from_here(&parts.method, &parts.uri, &parts.headers) {
        return refused.reply();
    }
    let path = parts.uri.path();
    match (!is_post, path) {
        (true, "/page.css") => return reply::file("text/css; charset=utf-8", STYLE),
        (true, "/page.js") => return reply::file("text/javascript; charset=utf-8", SCRIPT),
        (true, "/icon.svg") => return reply::file("image/svg+xml", ICON),
        _ => {}
    }
    let query = FormFields::parse(parts.uri.query().unwrap_or_default().as_bytes());
    if !is_post && path == "/" && query.has("code") {
        let is_navigation = parts.method == Method::GET && guard::is_navigation(&parts.headers);
        return exchange(&desk, query.text("code"), is_navigation);
    }
    let is_use = is_post || path != "/events" && guard::is_asked_by_a_person(&parts.headers);
    let visitor = match guard::visitor(&desk, &parts.headers, is_use) {
        Ok(visitor) => visitor,
        Err(refused) => return refused.reply(),
    };
    if !is_post && path == "/events" {
        let version = query.text("version").parse().unwrap_or(0);
        return stream::events(&desk, version);
    }
    let fields = match is_post {
        false => query,
        true => match axum::body::to_bytes(body, FORM_BYTES).await {
            Ok(bytes) => FormFields::parse(&bytes),
            Err(_) => return reply::bare(413, "Too large", "The form is larger than 1 MB. Nothing was changed."),
        },
    };
    // Nobody types a secret into this page, and what was typed by mistake is not shown again.
    let is_secret =
        |(name, value): (&str, &str)| name != "token" && (sensitive::has_secret(name) || sensitive::has_secret(value));
    if fields.iter().any(is_secret) {
        return reply::bare(
            400,
            "Nothing was done",
            "A value looks like a secret: a password, a key or a token. Keep it in a Secret, and name that as NAME/KEY. Go back, and take it away.",
        );
    }
    let request = Request { reading: desk.reading(), desk, visitor, fields, uri: parts.uri.clone() };
    if !is_post && is_quick(&request) {
        return get(&request);
    }
    // Beside the streams.
    tokio::task::block_in_place(|| if is_post { post(&request) } else { get(&request) })
}

/// Whether a view computes for milliseconds, from what was read. Such a view needs no thread of its own, which would keep
/// memory of its own.
fn is_quick(request: &Request) -> bool {
    const QUICK: [&str; 10] = [
        "/",
        "/components",
        "/connection",
        "/integrations",
        "/integration",
        "/plan",
        "/syncs",
        "/receipts",
        "/steps",
        "/problems",
    ];
    matches!(request.desk.options.shows, PageSubject::Folder(_)) && QUICK.contains(&request.uri.path())
}

/// Exchanges the code of the address for a cookie. Only a navigation uses it up.
fn exchange(desk: &PageDesk, code: &str, is_navigation: bool) -> Reply {
    if !is_navigation {
        return reply::bare(403, "Not opened", "Open this address in a browser.");
    }
    match desk.sessions.exchange(code, Instant::now()) {
        Some(cookie) => reply::welcome(&cookie),
        None => RefusedRequest::Session.reply(),
    }
}

const ICON: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 18 18" fill="none" stroke="#5b82d6" stroke-width="1.75" stroke-linecap="round"><circle cx="6" cy="12" r="3.25"/><path d="M8.4 9.6 15 3M12.2 5.8l2.3 2.3"/></svg>"##;

/// A view of what was read.
type PageView = fn(&Request, &ShownProject) -> Reply;

fn get(request: &Request) -> Reply {
    if let Err(doubled) = request.fields.are_single(&["per-customer"]) {
        return refusals::misnamed(request, &doubled.into());
    }
    if let PageSubject::Hub(from) = &request.desk.options.shows {
        return hub::get(request, from);
    }
    let view: PageView = match request.uri.path() {
        "/" => view::overview::show,
        "/components" => view::components::show,
        "/connection" => view::connection::show,
        "/new" => act::new::ask,
        "/set" => act::set::ask,
        "/integrations" => view::overview::integrations,
        "/integration" => view::integration::show,
        "/switch" => act::switch::ask,
        "/what-if" => view::what_if::show,
        "/plan" => view::plan::show,
        "/plan.md" => view::plan_export::markdown,
        "/plan.json" => view::plan_export::json,
        "/revert" => act::revert::show,
        "/keep" => act::keep::ask,
        "/apply" => return view::receipt::show(request),
        "/syncs" => view::syncs::show,
        "/receipts" => view::receipts::show,
        "/steps" => view::steps::show,
        "/problems" => view::problems::show,
        _ => {
            return refusals::refused(
                request,
                404,
                "Nothing here",
                &format!("There is no page {}.", request.uri.path()),
                "",
            );
        }
    };
    with_shown(request, |request, shown| match asked::is_there(request.uri.path(), &request.fields, shown) {
        Ok(()) => view(request, shown),
        Err(why) => refusals::misnamed(request, &why),
    })
}

fn post(request: &Request) -> Reply {
    if let Err(refused) = guard::is_form_of(&request.visitor, request.fields.text("token")) {
        return refused.reply();
    }
    if let Err(super::fields::Doubled(name)) = request.fields.are_single(&["per-customer"]) {
        let help = "Go back, reload the page, and try again.";
        return refusals::refused(
            request,
            400,
            "Nothing was changed",
            &format!("The field {name} was sent twice."),
            help,
        );
    }
    if let PageSubject::Hub(from) = &request.desk.options.shows {
        return hub::post(request, from);
    }
    if let (Some(failure), "/write" | "/apply" | "/revert") = (&request.reading.failure, request.uri.path()) {
        // What was read before is not what is there now.
        return refusals::refused(request, 409, "Nothing was written", &failure.message, &failure.help);
    }
    let act: PageView = match request.uri.path() {
        "/read" => return act::read(request),
        "/new" => act::new::review,
        "/set" => act::set::review,
        "/switch" => act::switch::review,
        "/keep" => act::keep::review,
        "/suspend" => act::suspend::review,
        "/write" => act::write::write,
        "/apply" => act::apply::begin,
        "/revert" => act::revert::begin,
        "/stop" => return act::apply::stop(request),
        _ => {
            return refusals::refused(
                request,
                404,
                "Nothing here",
                &format!("There is no form {}.", request.uri.path()),
                "",
            );
        }
    };
    with_shown(request, act)
}

fn with_shown(request: &Request, view: impl FnOnce(&Request, &ShownProject) -> Reply) -> Reply {
    match &request.reading.shown {
        Some(shown) => view(request, shown),
        None if request.reading.failure.is_some() => reply::page(
            200,
            layout::page(
                request,
                None,
                "Not read",
                maud::html! { h1 { "Nothing can be shown" } (forms::read_again(request)) },
            ),
        ),
        None => reply::page(200, layout::not_yet(request)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write as _;

    #[test]
    fn style_and_script_are_small() {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(STYLE.as_bytes()).unwrap();
        packed.write_all(SCRIPT.as_bytes()).unwrap();
        let bytes = packed.finish().unwrap().len();
        assert!(bytes <= 15_000, "{bytes}");
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import") && !SCRIPT.contains("//cdn"));
    }
}
