//! A request that may be answered.

use super::address::PageAddress;
use super::desk::{PageDesk, Reading};
use super::fields::FormFields;
use super::guard::Visitor;
use axum::http::Uri;
use std::sync::Arc;

/// The field of an address that says how many files were just written. It changes nothing.
pub(super) const WRITTEN: &str = "written";

/// A request of a visitor, with what can be shown at that moment.
pub(super) struct Request {
    pub(super) desk: Arc<PageDesk>,
    pub(super) visitor: Visitor,
    pub(super) reading: Reading,
    /// The fields of the form, or of the address.
    pub(super) fields: FormFields,
    pub(super) uri: Uri,
}

impl Request {
    /// The same visitor's request for a view, with these fields of this form: for a view that answers a form.
    pub(super) fn for_view(&self, path: &'static str, names: &[&str]) -> Request {
        Request {
            desk: Arc::clone(&self.desk),
            visitor: self.visitor.clone(),
            reading: self.reading.clone(),
            fields: self.fields.only(names),
            uri: Uri::from_static(path),
        }
    }

    /// The address of this request, for a form that comes back here.
    pub(super) fn here(&self) -> String {
        let path = self.uri.path().to_string();
        let fields = FormFields::parse(self.uri.query().unwrap_or_default().as_bytes());
        let fields = fields.iter().filter(|(name, _)| *name != WRITTEN);
        fields.fold(PageAddress::new(path), |address, (name, value)| address.with(name, value)).text()
    }
}
