//! Reusable connections and the credentials for them.

use super::component::ConnectionNode;
use super::context::Context;
use super::customer::CustomerNode;
use super::instance::InstanceNode;
use super::integration::IntegrationNode;
use super::lists::{
    CustomerConfigVariableConnection, CustomerConnection, ExpressionConnection, InstanceConnection,
    IntegrationConnection,
};
use super::scalars::{DateTime, JsonString};
use crate::kinds::{ConnectionStatus, CredentialStatus, FieldType, ManagedBy, Scope, Status, TreeLocation};
use crate::page::{Window, page};
use crate::store::{Connection, ConnectionType, Credential, Expression, Store};
use juniper::{FieldResult, GraphQLUnion, ID, graphql_object};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

pub struct ScopedConfigVariable(pub Connection);

#[graphql_object(context = Context)]
impl ScopedConfigVariable {
    fn id(&self) -> ID {
        ID::new(&*self.0.id)
    }
    fn key(&self) -> &str {
        &self.0.key
    }
    fn stable_key(&self) -> &str {
        &self.0.stable_key
    }
    fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }
    fn managed_by(&self) -> Option<ManagedBy> {
        Some(self.0.managed_by)
    }
    fn variable_scope(&self) -> Scope {
        self.0.scope
    }
    fn status(&self) -> Option<ConnectionStatus> {
        self.0.status.map(ConnectionStatus::from)
    }
    fn tree_location(&self) -> TreeLocation {
        self.0.location()
    }
    fn connection(&self, context: &Context) -> Option<ConnectionNode> {
        ConnectionNode::find(&context.store(), self.0.connection.as_deref())
    }
    fn customer(&self, context: &Context) -> Option<CustomerNode> {
        CustomerNode::find(&context.store(), self.0.customer.as_deref())
    }
    fn inputs(
        &self,
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
    ) -> FieldResult<ExpressionConnection> {
        let store = context.store();
        ExpressionNode::list(context, store.type_of(&self.0), &self.0.inputs, Window::of(first, after))
    }
    fn customer_config_variables(
        &self,
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
        customer: Option<ID>,
        is_test: Option<bool>,
    ) -> FieldResult<CustomerConfigVariableConnection> {
        let store = context.store();
        let found = store
            .credentials
            .iter()
            .filter(|c| c.connection == self.0.id)
            .filter(|c| customer.as_ref().is_none_or(|id| c.customer.as_deref() == Some(&**id)))
            .filter(|c| is_test.is_none_or(|is_test| c.is_test == is_test));
        let nodes = found.cloned().map(CustomerConfigVariable).collect();
        Ok(CustomerConfigVariableConnection(page(nodes, &Window::of(first, after))?))
    }
    /// The customers that have credentials, each once.
    fn customers(
        &self,
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
    ) -> FieldResult<CustomerConnection> {
        let store = context.store();
        let own = store.credentials.iter().filter(|c| c.connection == self.0.id).filter_map(|c| c.customer.as_deref());
        let own: BTreeSet<&str> = own.collect();
        let nodes = store.customers.iter().filter(|c| own.contains(&*c.id)).cloned().map(CustomerNode).collect();
        Ok(CustomerConnection(page(nodes, &Window::of(first, after))?))
    }
    fn integrations(
        &self,
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
    ) -> FieldResult<IntegrationConnection> {
        let store = context.store();
        let nodes = store.integrations_using(&self.0).cloned().map(IntegrationNode::draft).collect();
        Ok(IntegrationConnection(page(nodes, &Window::of(first, after))?))
    }
    fn instances(
        &self,
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
        enabled: Option<bool>,
    ) -> FieldResult<InstanceConnection> {
        let store = context.store();
        let found = store.instances_using(&self.0.id).filter(|i| enabled.is_none_or(|enabled| i.enabled == enabled));
        let nodes = found.cloned().map(InstanceNode).collect();
        Ok(InstanceConnection(page(nodes, &Window::of(first, after))?))
    }
    fn is_in_use(&self, context: &Context) -> bool {
        context.store().is_in_use(&self.0)
    }
    fn has_deployed_instances(&self, context: &Context) -> bool {
        context.store().instances_using(&self.0.id).any(|instance| instance.enabled)
    }
    fn default_for_component(&self) -> bool {
        self.0.default_for_component
    }
    fn authorize_url(&self, context: &Context) -> Option<String> {
        let store = context.store();
        let needs_consent = store.type_of(&self.0).is_some_and(ConnectionType::needs_consent);
        authorize_url(&store, needs_consent, self.0.status, &self.0.id)
    }
    fn allow_update(&self) -> bool {
        self.0.managed_by != ManagedBy::System && !self.0.is_locked
    }
    fn allow_remove(&self) -> bool {
        self.0.managed_by != ManagedBy::System && !self.0.is_kept
    }
    fn created_at(&self) -> DateTime {
        DateTime::at(self.0.created)
    }
    fn updated_at(&self) -> DateTime {
        DateTime::at(self.0.updated)
    }
    fn last_configured_at(&self) -> Option<DateTime> {
        self.0.configured.map(DateTime::at)
    }
    fn last_successful_refresh_at(&self) -> Option<DateTime> {
        self.0.last_refresh.map(DateTime::at)
    }
    fn refresh_at(&self) -> Option<DateTime> {
        self.0.refresh_at.clone().map(DateTime)
    }
    /// The redirects of an OAuth login are kept here.
    fn meta(&self) -> Option<JsonString> {
        let redirects = [
            ("oAuthSuccessRedirectUri", &self.0.redirect.success),
            ("oAuthFailureRedirectUri", &self.0.redirect.failure),
        ];
        let meta: Map<String, Value> =
            redirects.into_iter().filter_map(|(name, uri)| Some((name.to_string(), uri.clone()?.into()))).collect();
        (!meta.is_empty()).then(|| JsonString(Value::from(meta).to_string()))
    }
}

/// The link with which a person signs in, while a login is missing.
pub(super) fn authorize_url(store: &Store, needs_consent: bool, status: Option<Status>, id: &str) -> Option<String> {
    let waits = needs_consent && status == Some(Status::Pending);
    waits.then(|| format!("{}/connections/authorize?id={}", store.url, id.trim_end_matches('=')))
}

/// Credentials of a customer, or those for tests.
pub struct CustomerConfigVariable(pub Credential);

#[graphql_object(context = Context)]
impl CustomerConfigVariable {
    fn id(&self) -> ID {
        ID::new(&*self.0.id)
    }
    fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }
    fn is_test(&self) -> bool {
        self.0.is_test
    }
    fn status(&self) -> Option<CredentialStatus> {
        self.0.status.map(CredentialStatus::from)
    }
    fn customer(&self, context: &Context) -> Option<CustomerNode> {
        CustomerNode::find(&context.store(), self.0.customer.as_deref())
    }
    fn scoped_config_variable(&self, context: &Context) -> Option<ScopedConfigVariable> {
        context.store().connection(&self.0.connection).cloned().map(ScopedConfigVariable)
    }
    fn inputs(
        &self,
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
    ) -> FieldResult<ExpressionConnection> {
        let store = context.store();
        let kind = store.connection(&self.0.connection).and_then(|connection| store.type_of(connection));
        ExpressionNode::list(context, kind, &self.0.inputs, Window::of(first, after))
    }
    fn instances(
        &self,
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
    ) -> FieldResult<InstanceConnection> {
        let store = context.store();
        let nodes = self.users(&store).cloned().map(InstanceNode).collect();
        Ok(InstanceConnection(page(nodes, &Window::of(first, after))?))
    }
    fn is_in_use(&self, context: &Context) -> bool {
        self.users(&context.store()).next().is_some()
    }
    fn has_deployed_instances(&self, context: &Context) -> bool {
        self.users(&context.store()).any(|instance| instance.enabled)
    }
    fn authorize_url(&self, context: &Context) -> Option<String> {
        let store = context.store();
        let kind = store.connection(&self.0.connection).and_then(|connection| store.type_of(connection));
        authorize_url(&store, kind.is_some_and(ConnectionType::needs_consent), self.0.status, &self.0.id)
    }
    fn allow_update(&self) -> bool {
        true
    }
    fn allow_remove(&self) -> bool {
        true
    }
    fn created_at(&self) -> DateTime {
        DateTime::at(self.0.created)
    }
    fn updated_at(&self) -> DateTime {
        DateTime::at(self.0.updated)
    }
    fn last_configured_at(&self) -> Option<DateTime> {
        self.0.configured.map(DateTime::at)
    }
    fn last_successful_refresh_at(&self) -> Option<DateTime> {
        self.0.last_refresh.map(DateTime::at)
    }
}

impl CustomerConfigVariable {
    fn users<'s>(&'s self, store: &'s Store) -> impl Iterator<Item = &'s crate::store::Instance> {
        let uses = |instance: &&crate::store::Instance| {
            instance.uses.values().any(|used| used.credential.as_deref() == Some(&*self.0.id))
        };
        store.instances.iter().filter(|instance| !instance.is_system).filter(uses)
    }
}

/// A value of an input, as a client may see it.
pub struct ExpressionNode {
    input: Expression,
    is_hidden: bool,
    /// Whether `meta` is in upper case.
    is_upper: bool,
}

impl ExpressionNode {
    /// Lists inputs. The values of passwords are hidden unless the switch shows them; write-only ones always are.
    pub(super) fn list(
        context: &Context,
        kind: Option<&ConnectionType>,
        inputs: &[Expression],
        window: Window,
    ) -> FieldResult<ExpressionConnection> {
        let is_password = |name: &str| {
            let field = kind.and_then(|kind| kind.field(name));
            field.is_some_and(|field| field.kind == FieldType::Password)
        };
        let is_write_only = |input: &Expression| {
            let meta = input.meta.as_deref().and_then(|meta| serde_json::from_str::<Value>(meta).ok());
            meta.is_some_and(|meta| meta["writeOnly"] == true)
        };
        let shown = |input: &Expression| ExpressionNode {
            is_hidden: is_write_only(input) || (is_password(&input.name) && !context.switches.readable_passwords),
            is_upper: context.switches.upper_case_meta,
            input: input.clone(),
        };
        Ok(ExpressionConnection(page(inputs.iter().map(shown).collect(), &window)?))
    }
}

#[graphql_object(context = Context, name = "Expression")]
impl ExpressionNode {
    fn name(&self) -> &str {
        &self.input.name
    }
    fn r#type(&self) -> Option<&str> {
        self.input.kind.as_deref()
    }
    fn value(&self) -> Option<&str> {
        self.input.value.as_deref().filter(|_| !self.is_hidden)
    }
    fn has_value(&self) -> bool {
        self.input.has_value()
    }
    fn meta(&self) -> Option<JsonString> {
        let mut meta = serde_json::from_str::<Value>(self.input.meta.as_deref()?).ok()?;
        let texts = meta.as_object_mut().into_iter().flat_map(|meta| meta.values_mut());
        for value in texts.filter(|_| self.is_upper) {
            if let Some(text) = value.as_str() {
                *value = text.to_uppercase().into();
            }
        }
        Some(JsonString(meta.to_string()))
    }
}

/// A connection, or credentials for one.
#[derive(GraphQLUnion)]
#[graphql(context = Context)]
pub enum ReusableConnection {
    Scoped(ScopedConfigVariable),
    Customer(CustomerConfigVariable),
}
