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
    if near.is_empty() || given.is_empty() || fields.has("token") {
        return None;
    }
    let (wrong, (before, after)) =
        fields.iter().find_map(|(field, value)| Some((field, around(value.trim(), given)?)))?;
    let to = |name: &str| {
        let address = PageAddress::new(request.uri.path().to_string());
        let address = fields.iter().fold(address, |address, (field, value)| match field == wrong {
            true => address.with(field, &format!("{before}{name}{after}")),
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

/// What stands before and after a name in a value: the name alone, or a kind or a name of `KIND/NAME`.
fn around<'v>(value: &'v str, name: &str) -> Option<(&'v str, &'v str)> {
    if value == name {
        return Some(("", ""));
    }
    let kind = value.strip_suffix(name).filter(|kind| kind.ends_with('/'));
    let rest = value.strip_prefix(name).filter(|rest| rest.starts_with('/'));
    kind.map(|kind| (kind, "")).or(rest.map(|rest| ("", rest)))
}

#[cfg(test)]
mod tests {
    use super::around;

    #[test]
    fn a_name_is_found_alone_and_in_an_object() {
        assert_eq!(around("crn", "crn"), Some(("", "")));
        assert_eq!(around("Connection/crn", "crn"), Some(("Connection/", "")));
        assert_eq!(around("Conection/crm", "Conection"), Some(("", "/crm")));
        assert_eq!(around("my-crn", "crn"), None);
        assert_eq!(around("crn-2", "crn"), None);
    }
}
