//! The fields of a form or of an address, in their order.

use std::collections::HashSet;

/// A field that stands twice where one is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Doubled(pub(super) String);

/// Names and values. A name may stand several times: check boxes do.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct FormFields(Vec<(String, String)>);

/// Does not print values: a person may have typed a secret.
impl std::fmt::Debug for FormFields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl FormFields {
    /// Parses a body or a query.
    pub(super) fn parse(text: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(text).into_owned();
        // Browsers send CR LF.
        FormFields(pairs.map(|(name, value)| (name, value.replace("\r\n", "\n"))).collect())
    }

    /// The value of a name; `None` if it is not there. Lines end as in files.
    pub(super) fn get(&self, name: &str) -> Result<Option<&str>, Doubled> {
        let mut all = self.all(name);
        match (all.next(), all.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(Doubled(name.to_string())),
        }
    }

    /// The value of a name; empty if it is not there, or there twice.
    pub(super) fn text(&self, name: &str) -> &str {
        self.get(name).ok().flatten().unwrap_or_default()
    }

    /// The value of a name, without blanks around it; `None` if nothing is left.
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        Some(self.text(name).trim()).filter(|text| !text.is_empty())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// All values of a name.
    pub(super) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The names after a prefix, with their values: `in.scopes` after `in.`.
    pub(super) fn after<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter_map(move |(key, value)| Some((key.strip_prefix(prefix)?, value.as_str())))
    }

    /// A field that is `on` or `off`; `None` if it is neither.
    pub(super) fn switch(&self, name: &str) -> Option<bool> {
        match self.text(name) {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The fields of these names.
    pub(super) fn only(&self, names: &[&str]) -> Self {
        FormFields(self.0.iter().filter(|(name, _)| names.contains(&name.as_str())).cloned().collect())
    }

    /// Fails if a field that is no check box stands twice.
    pub(super) fn are_single(&self, several: &[&str]) -> Result<(), Doubled> {
        let mut seen = HashSet::new();
        let names = self.0.iter().map(|(name, _)| name.as_str());
        let mut single = names.filter(|name| !several.contains(name));
        match single.find(|name| !seen.insert(*name)) {
            Some(name) => Err(Doubled(name.to_string())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_stands_twice_is_none_of_both() {
        assert_eq!(FormFields::parse(b"a=1%0D%0A2").get("a"), Ok(Some("1\n2")));
        let fields = FormFields::parse(b"a=1&b=2&a=3&in.x+y=%C3%A9");
        assert_eq!(fields.get("a"), Err(Doubled("a".to_string())));
        assert_eq!(fields.get("b"), Ok(Some("2")));
        assert_eq!(fields.get("c"), Ok(None));
        assert_eq!(fields.after("in.").collect::<Vec<_>>(), [("x y", "é")]);
        assert_eq!(fields.are_single(&[]), Err(Doubled("a".to_string())));
        assert_eq!(fields.are_single(&["a"]), Ok(()));
        assert!(!format!("{fields:?}").contains('2'));
    }
}
