//! Integrations. A version of one is an integration too, with an id of its own.

use super::component::ConnectionNode;
use super::connection::ScopedConfigVariable;
use super::context::Context;
use super::customer::CustomerNode;
use super::inputs::List;
use super::instance::{InstanceConfigVariable, InstanceNode};
use super::lists::{
    InstanceConfigVariableConnection, InstanceConnection, IntegrationConnection, IntegrationFlowConnection,
    RequiredConfigVariableConnection,
};
use super::order::{VersionOrder, VersionOrderDirection, VersionOrderField};
use super::scalars::DateTime;
use super::user::User;
use crate::definition::{ConnectionReference, Definition, Flow, Variable};
use crate::kinds::{DataType, EnablementBlocker, OnPremise, Status};
use crate::normalise;
use crate::page::{Window, page};
use crate::store::{Integration, Store, Version};
use juniper::{FieldResult, ID, graphql_object};

/// An integration's draft, or a version.
pub struct IntegrationNode {
    integration: Integration,
    version: Option<Version>,
}

impl IntegrationNode {
    pub fn draft(integration: Integration) -> Self {
        IntegrationNode { integration, version: None }
    }

    pub fn version(integration: Integration, version: Version) -> Self {
        IntegrationNode { integration, version: Some(version) }
    }

    /// Finds an integration or a version by its id.
    pub(super) fn find(store: &Store, id: &str) -> Option<Self> {
        let (integration, number) = store.integration_or_version(id)?;
        let version = number.and_then(|number| integration.version(number)).cloned();
        Some(IntegrationNode { integration: integration.clone(), version })
    }

    /// Every version of an integration, the oldest first.
    pub(super) fn versions(integration: &Integration) -> Vec<Self> {
        integration.versions.iter().map(|version| Self::version(integration.clone(), version.clone())).collect()
    }

    fn id_text(&self) -> &str {
        self.version.as_ref().map_or(&self.integration.id, |version| &version.id)
    }

    fn parsed(&self) -> &Definition {
        self.version.as_ref().map_or(&self.integration.draft, |version| &version.definition)
    }

    fn variables(&self, store: &Store) -> Vec<RequiredConfigVariable> {
        let of = |variable: &Variable| RequiredConfigVariable {
            id: store.derived_id("RequiredConfigVariable", &format!("{}\n{}", self.id_text(), variable.key)),
            customer: self.integration.customer.clone(),
            variable: variable.clone(),
        };
        self.parsed().variables.iter().map(of).collect()
    }

    /// The version whose facts stand for the draft: the newest.
    fn shown_version(&self) -> Option<&Version> {
        self.version.as_ref().or(self.integration.versions.last())
    }
}

#[graphql_object(context = Context, name = "Integration")]
impl IntegrationNode {
    fn id(&self) -> ID {
        ID::new(self.id_text())
    }
    fn name(&self) -> &str {
        &self.integration.name
    }
    fn description(&self) -> Option<&str> {
        self.integration.description.as_deref()
    }
    fn category(&self) -> Option<&str> {
        self.integration.category.as_deref()
    }
    fn labels(&self) -> &[String] {
        &self.integration.labels
    }
    fn customer(&self, context: &Context) -> Option<CustomerNode> {
        CustomerNode::find(&context.store(), self.integration.customer.as_deref())
    }
    fn is_code_native(&self) -> bool {
        self.integration.is_code_native
    }
    fn created_at(&self) -> DateTime {
        DateTime::at(self.integration.created)
    }
    fn updated_at(&self) -> DateTime {
        DateTime::at(self.version.as_ref().map_or(self.integration.updated, |version| version.created))
    }
    fn version_number(&self) -> i32 {
        self.shown_version().map_or(0, |version| version.number)
    }
    fn version_comment(&self) -> Option<&str> {
        self.shown_version()?.comment.as_deref()
    }
    fn version_created_at(&self) -> Option<DateTime> {
        Some(DateTime::at(self.shown_version()?.created))
    }
    fn version_created_by(&self) -> Option<User> {
        self.shown_version().map(|_| User)
    }
    fn version_is_available(&self) -> bool {
        self.shown_version().is_some_and(|version| version.is_available)
    }
    fn enablement_blockers(&self) -> Vec<EnablementBlocker> {
        let blocked =
            self.version.as_ref().map_or(self.integration.references_deleted, |version| version.references_deleted);
        blocked.then_some(EnablementBlocker::ReferencesDeletedConnection).into_iter().collect()
    }
    /// The definition, normalised. There is none in another version of the format.
    fn definition(&self, version: Option<i32>, use_latest_component_versions: Option<bool>) -> Option<String> {
        if version.is_some_and(|version| i64::from(version) != crate::definition::VERSION) {
            return None;
        }
        normalise::integration(&self.parsed().value, use_latest_component_versions == Some(true))
    }
    fn required_config_variables(
        &self,
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
        key: Option<String>,
    ) -> FieldResult<RequiredConfigVariableConnection> {
        let mut nodes = self.variables(&context.store());
        nodes.retain(|node| key.as_ref().is_none_or(|key| *key == node.variable.key));
        Ok(RequiredConfigVariableConnection(page(nodes, &Window::of(first, after))?))
    }
    /// The published versions, the newest first unless an order is given.
    fn version_sequence(
        &self,
        first: Option<i32>,
        after: Option<String>,
        version_is_available: Option<bool>,
        sort_by: Option<List<VersionOrder>>,
    ) -> FieldResult<IntegrationConnection> {
        let mut nodes = Self::versions(&self.integration);
        nodes.retain(|node| version_is_available.is_none_or(|wanted| node.version_is_available() == wanted));
        let order = sort_by.iter().flatten().flatten().next();
        let by_number = order.is_none_or(|order| order.field != VersionOrderField::PublishedBy);
        if by_number && order.is_none_or(|order| order.direction == VersionOrderDirection::Desc) {
            nodes.reverse();
        }
        Ok(IntegrationConnection(page(nodes, &Window::of(first, after))?))
    }
    /// The instances of every version, or of this one. The test instance is among those of the draft.
    fn instances(
        &self,
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
        enabled: Option<bool>,
        is_system: Option<bool>,
    ) -> FieldResult<InstanceConnection> {
        let store = context.store();
        let found = store
            .instances
            .iter()
            .filter(|i| i.integration == self.integration.id)
            .filter(|i| self.version.as_ref().is_none_or(|version| i.version == version.number))
            .filter(|i| enabled.is_none_or(|enabled| i.enabled == enabled))
            .filter(|i| is_system.is_none_or(|is_system| i.is_system == is_system));
        let nodes = found.cloned().map(InstanceNode).collect();
        Ok(InstanceConnection(page(nodes, &Window::of(first, after))?))
    }
    fn flows(
        &self,
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
    ) -> FieldResult<IntegrationFlowConnection> {
        let store = context.store();
        let nodes = IntegrationFlow::all(&store, self.id_text(), self.parsed());
        Ok(IntegrationFlowConnection(page(nodes, &Window::of(first, after))?))
    }
    /// The connections that the test instance has by itself.
    fn test_config_variables(
        &self,
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
        status: Option<String>,
    ) -> FieldResult<InstanceConfigVariableConnection> {
        let store = context.store();
        let mut nodes = Self::own_connections(&store, self.id_text(), self.variables(&store));
        nodes.retain(|node| status.as_ref().is_none_or(|status| node.status_text() == Some(status)));
        Ok(InstanceConfigVariableConnection(page(nodes, &Window::of(first, after))?))
    }
    fn system_instance(&self, context: &Context) -> Option<InstanceNode> {
        let store = context.store();
        let found = store.instances.iter().find(|i| i.is_system && i.integration == self.integration.id);
        found.cloned().map(InstanceNode)
    }
}

impl IntegrationNode {
    /// The config variables of an instance that have a connection of their own.
    fn own_connections(
        store: &Store,
        seed: &str,
        variables: Vec<RequiredConfigVariable>,
    ) -> Vec<InstanceConfigVariable> {
        let own = variables.into_iter().filter(|node| node.variable.connection.is_some());
        own.map(|required| InstanceConfigVariable::new(store, seed, required, None)).collect()
    }

    /// The config variables of an instance of this integration.
    pub(super) fn instance_variables(
        &self,
        store: &Store,
        instance: &crate::store::Instance,
    ) -> Vec<InstanceConfigVariable> {
        let of = |required: RequiredConfigVariable| {
            let used = required.variable.scoped.as_ref().and_then(|key| instance.uses.get(key)).cloned();
            InstanceConfigVariable::new(store, &instance.id, required, used)
        };
        self.variables(store).into_iter().map(of).collect()
    }

    pub(super) fn flows_of(&self, store: &Store) -> Vec<IntegrationFlow> {
        IntegrationFlow::all(store, self.id_text(), self.parsed())
    }

    pub(super) fn is_blocked(&self) -> bool {
        !self.enablement_blockers().is_empty()
    }
}

/// A config variable of an integration.
#[derive(Clone)]
pub struct RequiredConfigVariable {
    id: String,
    customer: Option<String>,
    pub(super) variable: Variable,
}

impl RequiredConfigVariable {
    pub(super) fn bound<'s>(&self, store: &'s Store) -> Option<&'s crate::store::Connection> {
        store.bound(self.variable.scoped.as_deref()?, self.customer.as_deref())
    }

    /// Finds the type of the variable's own connection.
    pub(super) fn own_type(&self, store: &Store) -> Option<ConnectionNode> {
        let ConnectionReference { component, key } = self.variable.connection.as_ref()?;
        let all = store.components.iter().filter(|c| c.key == component.key && c.public == component.public);
        let found = match component.version {
            Some(version) => all.into_iter().find(|c| c.version == version),
            None => all.max_by_key(|c| c.version),
        }?;
        let kind = found.connections.iter().find(|kind| kind.key == *key)?;
        Some(ConnectionNode(found.clone(), kind.clone()))
    }
}

#[graphql_object(context = Context)]
impl RequiredConfigVariable {
    fn id(&self) -> ID {
        ID::new(&*self.id)
    }
    fn key(&self) -> &str {
        &self.variable.key
    }
    fn stable_key(&self) -> Option<&str> {
        self.variable.stable_key.as_deref()
    }
    fn data_type(&self) -> Option<DataType> {
        self.variable.data_type
    }
    fn description(&self) -> Option<&str> {
        self.variable.description.as_deref()
    }
    fn default_value(&self) -> Option<&str> {
        self.variable.default.as_deref()
    }
    fn org_only(&self) -> bool {
        self.variable.org_only
    }
    fn on_premise_connection_config(&self) -> Option<OnPremise> {
        self.variable.on_premise
    }
    /// The connection that it binds now.
    fn scoped_config_variable(&self, context: &Context) -> Option<ScopedConfigVariable> {
        self.bound(&context.store()).cloned().map(ScopedConfigVariable)
    }
    /// The type of its own connection.
    fn connection(&self, context: &Context) -> Option<ConnectionNode> {
        self.own_type(&context.store())
    }
}

/// A flow of an integration.
#[derive(Clone)]
pub struct IntegrationFlow {
    pub(super) id: String,
    flow: Flow,
}

impl IntegrationFlow {
    fn all(store: &Store, seed: &str, definition: &Definition) -> Vec<Self> {
        let of = |flow: &Flow| IntegrationFlow {
            id: store.derived_id("IntegrationFlow", &format!("{seed}\n{}", flow.name)),
            flow: flow.clone(),
        };
        definition.flows.iter().map(of).collect()
    }
}

#[graphql_object(context = Context)]
impl IntegrationFlow {
    fn id(&self) -> ID {
        ID::new(&*self.id)
    }
    fn name(&self) -> &str {
        &self.flow.name
    }
    fn stable_key(&self) -> Option<&str> {
        self.flow.stable_key.as_deref()
    }
    fn description(&self) -> Option<&str> {
        self.flow.description.as_deref()
    }
    fn is_synchronous(&self) -> bool {
        self.flow.is_synchronous
    }
}

/// The status of a connection that a config variable has by itself: nobody has signed in.
pub(super) fn own_status(needs_consent: bool) -> Status {
    if needs_consent { Status::Pending } else { Status::Active }
}
