//! Links to what a name of the address may mean, where it names nothing.

use super::address::PageAddress;
use super::html::line;
use super::request::Request;
use maud::{Markup, html};

/// The question, in which each name is a link to the same address with that name. `None` where no name is near, and for
/// a form: it is not sent again by a link.
pub(super) fn did_you_mean<S: AsRef<str>>(request: &Request, given: &str, near: &[S]) -> Option<Markup> {
    let fields = &request.fields;
    let given = given.trim();
    if near.is_empty() || fields.has("token") {
        return None;
    }
    // `Connection/NAME` names an object by its kind, too.
    let before = |value: &str| {
        value.trim().strip_suffix(given).filter(|kind| kind.is_empty() || kind.ends_with('/')).map(str::to_string)
    };
    let (wrong, kind) = fields.iter().find_map(|(field, value)| Some((field, before(value)?)))?;
    let to = |name: &str| {
        let address = PageAddress::new(request.uri.path().to_string());
        let address = fields.iter().fold(address, |address, (field, value)| match field == wrong {
            true => address.with(field, &format!("{kind}{name}")),
            false => address.with(field, value),
        });
        address.text()
    };
    Some(html! {
        p {
            "Did you mean "
            @for (at, name) in near.iter().enumerate() {
                @if at > 0 { " or " }
                a href=(to(name.as_ref())) { (line(name.as_ref())) }
            }
            "?"
        }
    })
}
