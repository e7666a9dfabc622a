//! Addresses within the page.

use crate::api::sensitive::has_secret;
use std::borrow::Cow;

/// An address with a query, encoded. One with a secret in a value leads nowhere: addresses stay in histories, and the page
/// refuses such a value.
pub(super) struct PageAddress {
    path: Cow<'static, str>,
    query: form_urlencoded::Serializer<'static, String>,
    is_empty: bool,
    has_secret: bool,
}

impl PageAddress {
    pub(super) fn new(path: impl Into<Cow<'static, str>>) -> Self {
        PageAddress {
            path: path.into(),
            query: form_urlencoded::Serializer::new(String::new()),
            is_empty: true,
            has_secret: false,
        }
    }

    /// Adds a name and its value; nothing for an empty value.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.has_secret |= has_secret(value);
        if !value.is_empty() {
            self.query.append_pair(name, value);
            self.is_empty = false;
        }
        self
    }

    pub(super) fn text(mut self) -> String {
        match self.is_empty {
            // Without the value it would ask for more than is meant.
            _ if self.has_secret => "#".to_string(),
            true => self.path.into_owned(),
            false => format!("{}?{}", self.path, self.query.finish()),
        }
    }
}

/// The page of a connection.
pub(super) fn connection(key: &str) -> String {
    PageAddress::new("/connection").with("key", key).text()
}

/// The page of an integration, in a tenant if one is given.
pub(super) fn integration(name: &str, tenant: &str) -> String {
    PageAddress::new("/integration").with("name", name).with("tenant", tenant).text()
}

/// The connections of a component.
pub(super) fn component(key: &str) -> String {
    PageAddress::new("/components").with("component", key).text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded_and_empty_ones_left_out() {
        assert_eq!(PageAddress::new("/").with("q", "").text(), "/");
        assert_eq!(PageAddress::new("/a").with("q", "x&y=\"é").with("p", "").text(), "/a?q=x%26y%3D%22%C3%A9");
        assert_eq!(connection("a/b c"), "/connection?key=a%2Fb+c");
        assert_eq!(PageAddress::new("/a").with("q", "x").with("p", "https://u:c4n4ry@h").text(), "#");
    }
}
