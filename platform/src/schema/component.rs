//! Components with their connection types.

use super::context::Context;
use super::customer::CustomerNode;
use super::inputs::List;
use super::lists::{ConnectionConnection, InputFieldConnection};
use super::scalars::DateTime;
use crate::kinds::{FieldType, Oauth2};
use crate::page::{Window, page};
use crate::store::{Component, ConnectionType, InputField, Store};
use juniper::{FieldResult, GraphQLEnum, GraphQLInputObject, ID, graphql_object};

pub struct ComponentNode(pub Component);

#[graphql_object(context = Context, name = "Component")]
impl ComponentNode {
    fn id(&self) -> ID {
        ID::new(&*self.0.id)
    }
    fn key(&self) -> &str {
        &self.0.key
    }
    fn public(&self) -> bool {
        self.0.public
    }
    fn label(&self) -> &str {
        &self.0.label
    }
    fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }
    fn category(&self) -> Option<&str> {
        self.0.category.as_deref()
    }
    fn version_number(&self) -> i32 {
        self.0.version
    }
    fn version_created_at(&self) -> DateTime {
        DateTime::at(self.0.created)
    }
    fn signature(&self) -> Option<&str> {
        None
    }
    fn for_code_native_integration(&self) -> bool {
        false
    }
    fn customer(&self) -> Option<CustomerNode> {
        None
    }
    fn connections(
        &self,
        first: Option<i32>,
        after: Option<String>,
        sort_by: Option<List<ConnectionOrder>>,
    ) -> FieldResult<ConnectionConnection> {
        let mut kinds = self.0.connections.clone();
        for order in sort_by.iter().flatten().flatten() {
            match order.field {
                ConnectionOrderField::Key => kinds.sort_by(|a, b| a.key.cmp(&b.key)),
                ConnectionOrderField::Label => kinds.sort_by(|a, b| a.label.cmp(&b.label)),
                ConnectionOrderField::Order => {}
            }
            if order.direction == super::order::OrderDirection::Desc {
                kinds.reverse();
            }
        }
        let nodes = kinds.into_iter().map(|kind| ConnectionNode(self.0.clone(), kind)).collect();
        Ok(ConnectionConnection(page(nodes, &Window::of(first, after))?))
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, GraphQLEnum)]
pub enum ConnectionOrderField {
    Key,
    Label,
    Order,
}

#[derive(Clone, Copy, Debug, GraphQLInputObject)]
pub struct ConnectionOrder {
    pub direction: super::order::OrderDirection,
    pub field: ConnectionOrderField,
}

/// A connection type of a component.
pub struct ConnectionNode(pub Component, pub ConnectionType);

impl ConnectionNode {
    /// Finds the connection type that something may have.
    pub(super) fn find(store: &Store, id: Option<&str>) -> Option<Self> {
        let (component, kind) = store.connection_type(id?)?;
        Some(ConnectionNode(component.clone(), kind.clone()))
    }
}

#[graphql_object(context = Context, name = "Connection")]
impl ConnectionNode {
    fn id(&self) -> ID {
        ID::new(&*self.1.id)
    }
    fn key(&self) -> &str {
        &self.1.key
    }
    fn label(&self) -> &str {
        &self.1.label
    }
    fn comments(&self) -> Option<&str> {
        self.1.comments.as_deref()
    }
    fn component(&self) -> ComponentNode {
        ComponentNode(self.0.clone())
    }
    #[graphql(name = "oauth2Type")]
    fn oauth2_type(&self) -> Option<Oauth2> {
        self.1.oauth2
    }
    fn inputs(&self, first: Option<i32>, after: Option<String>) -> FieldResult<InputFieldConnection> {
        let nodes = self.1.inputs.iter().cloned().map(InputFieldNode).collect();
        Ok(InputFieldConnection(page(nodes, &Window::of(first, after))?))
    }
}

pub struct InputFieldNode(pub InputField);

#[graphql_object(context = Context, name = "InputField")]
impl InputFieldNode {
    fn id(&self, context: &Context) -> ID {
        ID::new(context.store().derived_id("InputField", &self.0.key))
    }
    fn key(&self) -> &str {
        &self.0.key
    }
    fn label(&self) -> &str {
        &self.0.label
    }
    fn r#type(&self) -> FieldType {
        self.0.kind
    }
    fn collection(&self) -> Option<InputFieldCollection> {
        None
    }
    fn comments(&self) -> Option<&str> {
        self.0.comments.as_deref()
    }
    fn required(&self) -> Option<bool> {
        Some(self.0.required)
    }
    fn default(&self) -> Option<&str> {
        self.0.default.as_deref()
    }
    fn shown(&self) -> Option<bool> {
        Some(true)
    }
    fn on_premise_controlled(&self) -> Option<bool> {
        Some(false)
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, GraphQLEnum)]
pub enum InputFieldCollection {
    Keyvaluelist,
    Valuelist,
}
