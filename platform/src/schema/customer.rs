//! Customers of the organization.

use super::context::Context;
use super::scalars::DateTime;
use crate::store::{Customer, Store};
use juniper::{ID, graphql_object};

pub struct CustomerNode(pub Customer);

impl CustomerNode {
    /// Finds a customer that something may have.
    pub(super) fn find(store: &Store, id: Option<&str>) -> Option<Self> {
        store.customer(id?).cloned().map(CustomerNode)
    }
}

#[graphql_object(context = Context, name = "Customer")]
impl CustomerNode {
    fn id(&self) -> ID {
        ID::new(&*self.0.id)
    }
    fn name(&self) -> &str {
        &self.0.name
    }
    fn external_id(&self) -> Option<&str> {
        self.0.external_id.as_deref()
    }
    fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }
    fn created_at(&self) -> DateTime {
        DateTime::at(self.0.created)
    }
}
