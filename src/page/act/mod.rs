//! What forms do. Each edit is proposed, shown with its diff, and written only by a second form that names what was shown.

pub(super) mod apply;
pub(super) mod keep;
mod named;
pub(super) mod new;
mod proposed;
mod reason;
pub(super) mod revert;
mod review;
pub(super) mod set;
pub(super) mod suspend;
pub(super) mod switch;
pub(super) mod write;

use super::reply::{self, Reply};
use super::request::Request;

/// Reads everything again, and leads back.
pub(super) fn read(request: &Request) -> Reply {
    request.desk.read_again();
    request.desk.wait_for_reading(request.reading.read);
    reply::see_other(back(request.fields.text("back")))
}

/// An address of this page to lead back to; the overview for any other.
pub(super) fn back(given: &str) -> &str {
    let is_here = given.starts_with('/')
        && !given.starts_with("//")
        && !given.contains('\\')
        && given.bytes().all(|byte| byte.is_ascii_graphic());
    if is_here { given } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::back;

    #[test]
    fn a_form_leads_back_within_the_page_only() {
        assert_eq!(back("/connection?key=a%2Fb"), "/connection?key=a%2Fb");
        for wrong in ["", "//evil.test", "https://evil.test", "/\\evil.test", "/a\r\nX: y", "javascript:alert(1)"] {
            assert_eq!(back(wrong), "/", "{wrong}");
        }
    }
}
