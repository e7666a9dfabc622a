//! What can be asked.

use super::NOT_FOUND;
use super::component::ComponentNode;
use super::connection::{CustomerConfigVariable, ReusableConnection, ScopedConfigVariable};
use super::context::Context;
use super::customer::CustomerNode;
use super::filter::Filter;
use super::inputs::{ComponentSelector, List};
use super::instance::InstanceNode;
use super::integration::IntegrationNode;
use super::lists::{
    ComponentConnection, CustomerConfigVariableConnection, CustomerConnection, InstanceConnection,
    IntegrationConnection, ReusableConnectionConnection, ScopedConfigVariableConnection, UserTenantConnection,
    WorkflowConnection,
};
use super::order::{
    ComponentOrder, CustomerConfigVariableOrder, CustomerOrder, InstanceOrder, IntegrationOrder,
    ReusableConnectionOrder, ScopedConfigVariableOrder, WorkflowOrder, sort,
};
use super::scalars::JsonString;
use super::user::{AuthenticatedUser, UserTenant};
use super::workflow::WorkflowNode;
use crate::page::{Page, Window, page};
use crate::store::{Component, Connection, Credential, Customer, Instance, Integration, Store, Workflow};
use juniper::{FieldResult, ID, graphql_object};

pub struct Query;

/// Whether a value is the wanted one, if any is wanted.
fn is(wanted: &Option<String>, value: &str) -> bool {
    wanted.as_deref().is_none_or(|wanted| wanted == value)
}

fn is_in(wanted: &Option<List<String>>, value: &str) -> bool {
    wanted.as_ref().is_none_or(|all| all.iter().flatten().any(|wanted| wanted == value))
}

fn contains(wanted: &Option<String>, value: &str) -> bool {
    wanted.as_deref().is_none_or(|part| value.to_lowercase().contains(&part.to_lowercase()))
}

fn id_is(wanted: &Option<ID>, value: Option<&str>) -> bool {
    wanted.as_ref().is_none_or(|id| value == Some(&**id))
}

fn id_in(wanted: &Option<List<ID>>, value: &str) -> bool {
    wanted.as_ref().is_none_or(|all| all.iter().flatten().any(|id| **id == *value))
}

fn of_component(store: &Store, wanted: &Option<List<ComponentSelector>>, connection: &Connection) -> bool {
    let Some(wanted) = wanted else { return true };
    let found = connection.connection.as_deref().and_then(|id| store.connection_type(id));
    found.is_some_and(|(component, _)| {
        let is_wanted = |w: &ComponentSelector| w.key == component.key && w.is_public == component.public;
        wanted.iter().flatten().any(is_wanted)
    })
}

#[graphql_object(context = Context)]
#[graphql(name = "RootQuery")]
impl Query {
    fn authenticated_user() -> Option<AuthenticatedUser> {
        Some(AuthenticatedUser)
    }

    fn list_user_tenants(context: &Context) -> UserTenantConnection {
        UserTenantConnection(Page::whole(context.tenancies.iter().cloned().map(UserTenant).collect()))
    }

    #[allow(clippy::too_many_arguments)]
    fn scoped_config_variables(
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        offset: Option<i32>,
        #[graphql(name = "id_In")] ids: Option<List<ID>>,
        key: Option<String>,
        #[graphql(name = "key_Icontains")] key_icontains: Option<String>,
        stable_key: Option<String>,
        managed_by: Option<String>,
        #[graphql(name = "managedBy_In")] managed_by_in: Option<List<String>>,
        variable_scope: Option<String>,
        #[graphql(name = "variableScope_In")] variable_scope_in: Option<List<String>>,
        customer: Option<ID>,
        #[graphql(name = "customer_Isnull")] customer_isnull: Option<bool>,
        #[graphql(name = "connection_Component_In")] components: Option<List<ComponentSelector>>,
        sort_by: Option<List<ScopedConfigVariableOrder>>,
    ) -> FieldResult<ScopedConfigVariableConnection> {
        let store = context.store();
        let mut found: Vec<Connection> = store
            .connections
            .iter()
            .filter(|c| id_in(&ids, &c.id))
            .filter(|c| is(&key, &c.key) && contains(&key_icontains, &c.key))
            .filter(|c| is(&stable_key, &c.stable_key))
            .filter(|c| is(&managed_by, c.managed_by.lower()) && is_in(&managed_by_in, c.managed_by.lower()))
            .filter(|c| is(&variable_scope, c.scope.lower()) && is_in(&variable_scope_in, c.scope.lower()))
            .filter(|c| id_is(&customer, c.customer.as_deref()))
            .filter(|c| customer_isnull.is_none_or(|is_null| c.customer.is_none() == is_null))
            .filter(|c| of_component(&store, &components, c))
            .cloned()
            .collect();
        sort(context, &store, &mut found, sort_by);
        let nodes = found.into_iter().map(ScopedConfigVariable).collect();
        Ok(ScopedConfigVariableConnection(page(nodes, &Window { first, after, last, before, offset })?))
    }

    fn scoped_config_variable(context: &Context, id: ID) -> FieldResult<Option<ScopedConfigVariable>> {
        let found = context.store().connection(&id).cloned().ok_or(NOT_FOUND)?;
        Ok(Some(ScopedConfigVariable(found)))
    }

    /// Lists connections; or with `scopedConfigVariable` the credentials for one.
    #[allow(clippy::too_many_arguments)]
    fn reusable_connections(
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(name = "id_In")] ids: Option<List<ID>>,
        key: Option<String>,
        #[graphql(name = "key_Icontains")] key_icontains: Option<String>,
        #[graphql(name = "description_Icontains")] description_icontains: Option<String>,
        stable_key: Option<String>,
        #[graphql(name = "stableKey_In")] stable_key_in: Option<List<String>>,
        managed_by: Option<String>,
        variable_scope: Option<String>,
        status: Option<String>,
        #[graphql(name = "status_In")] status_in: Option<List<String>>,
        customer: Option<ID>,
        scoped_config_variable: Option<ID>,
        #[graphql(name = "connection_Component_In")] components: Option<List<ComponentSelector>>,
        sort_by: Option<List<ReusableConnectionOrder>>,
    ) -> FieldResult<ReusableConnectionConnection> {
        let store = context.store();
        let window = Window { first, after, last, before, offset: None };
        if let Some(id) = scoped_config_variable {
            let own =
                store.credentials.iter().filter(|c| *c.connection == *id && id_is(&customer, c.customer.as_deref()));
            let nodes = own.cloned().map(|c| ReusableConnection::Customer(CustomerConfigVariable(c))).collect();
            return Ok(ReusableConnectionConnection(page(nodes, &window)?));
        }
        let mut found: Vec<Connection> = store
            .connections
            .iter()
            .filter(|c| id_in(&ids, &c.id))
            .filter(|c| is(&key, &c.key) && contains(&key_icontains, &c.key))
            .filter(|c| contains(&description_icontains, c.description.as_deref().unwrap_or_default()))
            .filter(|c| is(&stable_key, &c.stable_key) && is_in(&stable_key_in, &c.stable_key))
            .filter(|c| is(&managed_by, c.managed_by.lower()) && is(&variable_scope, c.scope.lower()))
            .filter(|c| {
                let text = c.status.map_or("", |status| status.lower());
                is(&status, text) && is_in(&status_in, text)
            })
            .filter(|c| id_is(&customer, c.customer.as_deref()))
            .filter(|c| of_component(&store, &components, c))
            .cloned()
            .collect();
        sort(context, &store, &mut found, sort_by);
        let nodes = found.into_iter().map(|c| ReusableConnection::Scoped(ScopedConfigVariable(c))).collect();
        Ok(ReusableConnectionConnection(page(nodes, &window)?))
    }

    #[allow(clippy::too_many_arguments)]
    fn customer_config_variables(
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        offset: Option<i32>,
        customer: Option<ID>,
        scoped_config_variable: Option<ID>,
        is_test: Option<bool>,
        key: Option<String>,
        sort_by: Option<List<CustomerConfigVariableOrder>>,
    ) -> FieldResult<CustomerConfigVariableConnection> {
        let store = context.store();
        let mut found: Vec<Credential> = store
            .credentials
            .iter()
            .filter(|c| id_is(&customer, c.customer.as_deref()))
            .filter(|c| id_is(&scoped_config_variable, Some(&c.connection)))
            .filter(|c| is_test.is_none_or(|is_test| c.is_test == is_test))
            .filter(|c| key.is_none() || c.key == key)
            .cloned()
            .collect();
        sort(context, &store, &mut found, sort_by);
        let nodes = found.into_iter().map(CustomerConfigVariable).collect();
        Ok(CustomerConfigVariableConnection(page(nodes, &Window { first, after, last, before, offset })?))
    }

    fn customer_config_variable(context: &Context, id: ID) -> FieldResult<Option<CustomerConfigVariable>> {
        let found = context.store().credential(&id).cloned().ok_or(NOT_FOUND)?;
        Ok(Some(CustomerConfigVariable(found)))
    }

    #[allow(clippy::too_many_arguments)]
    fn components(
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        key: Option<String>,
        public: Option<bool>,
        version_number: Option<i32>,
        all_versions: Option<bool>,
        has_connections: Option<bool>,
        include_components_for_code_native_integrations: Option<bool>,
        filter_query: Option<JsonString>,
        sort_by: Option<List<ComponentOrder>>,
    ) -> FieldResult<ComponentConnection> {
        let _ = include_components_for_code_native_integrations;
        let filter = Filter::parse(filter_query)?;
        let store = context.store();
        let is_newest = |c: &Component| store.component(&c.key, c.public).is_some_and(|newest| newest.id == c.id);
        let every_version = all_versions == Some(true) || version_number.is_some();
        let mut found: Vec<Component> = store
            .components
            .iter()
            .filter(|c| is(&key, &c.key) && public.is_none_or(|public| public == c.public))
            .filter(|c| version_number.is_none_or(|number| number == c.version))
            .filter(|c| every_version || is_newest(c))
            .filter(|c| has_connections.is_none_or(|has| c.connections.is_empty() != has))
            .filter(|c| filter.passes(c))
            .cloned()
            .collect();
        sort(context, &store, &mut found, sort_by);
        let nodes = found.into_iter().map(ComponentNode).collect();
        let window = Window { first, after, last, before, offset: None };
        Ok(ComponentConnection(page(nodes, &window)?))
    }

    #[allow(clippy::too_many_arguments)]
    fn integrations(
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        name: Option<String>,
        #[graphql(name = "name_Icontains")] name_icontains: Option<String>,
        all_versions: Option<bool>,
        customer: Option<ID>,
        #[graphql(name = "customer_Isnull")] customer_isnull: Option<bool>,
        sort_by: Option<List<IntegrationOrder>>,
    ) -> FieldResult<IntegrationConnection> {
        let store = context.store();
        let mut found: Vec<Integration> = store
            .integrations
            .iter()
            .filter(|i| is(&name, &i.name) && contains(&name_icontains, &i.name))
            .filter(|i| id_is(&customer, i.customer.as_deref()))
            .filter(|i| customer_isnull.is_none_or(|is_null| i.customer.is_none() == is_null))
            .cloned()
            .collect();
        sort(context, &store, &mut found, sort_by);
        let with_versions = |integration: Integration| {
            let versions =
                if all_versions == Some(true) { IntegrationNode::versions(&integration) } else { Vec::new() };
            std::iter::once(IntegrationNode::draft(integration)).chain(versions)
        };
        let nodes = found.into_iter().flat_map(with_versions).collect();
        let window = Window { first, after, last, before, offset: None };
        Ok(IntegrationConnection(page(nodes, &window)?))
    }

    /// Finds an integration, or a version of one.
    fn integration(context: &Context, id: ID) -> FieldResult<Option<IntegrationNode>> {
        Ok(Some(IntegrationNode::find(&context.store(), &id).ok_or(NOT_FOUND)?))
    }

    #[allow(clippy::too_many_arguments)]
    fn customers(
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        name: Option<String>,
        #[graphql(name = "name_Icontains")] name_icontains: Option<String>,
        external_id: Option<String>,
        is_system: Option<bool>,
        sort_by: Option<List<CustomerOrder>>,
    ) -> FieldResult<CustomerConnection> {
        let store = context.store();
        let mut found: Vec<Customer> = store
            .customers
            .iter()
            .filter(|c| is(&name, &c.name) && contains(&name_icontains, &c.name))
            .filter(|c| external_id.is_none() || c.external_id == external_id)
            .filter(|_| is_system != Some(true))
            .cloned()
            .collect();
        sort(context, &store, &mut found, sort_by);
        let nodes = found.into_iter().map(CustomerNode).collect();
        let window = Window { first, after, last, before, offset: None };
        Ok(CustomerConnection(page(nodes, &window)?))
    }

    fn customer(context: &Context, id: ID) -> FieldResult<Option<CustomerNode>> {
        let found = context.store().customer(&id).cloned().ok_or(NOT_FOUND)?;
        Ok(Some(CustomerNode(found)))
    }

    /// Lists instances; test instances too, unless `isSystem` is false.
    #[allow(clippy::too_many_arguments)]
    fn instances(
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        customer: Option<ID>,
        integration: Option<ID>,
        enabled: Option<bool>,
        is_system: Option<bool>,
        sort_by: Option<List<InstanceOrder>>,
    ) -> FieldResult<InstanceConnection> {
        let store = context.store();
        let wanted = integration.as_ref().map(|id| store.integration_or_version(id));
        let runs = |i: &Instance| match wanted {
            None => true,
            Some(None) => false,
            Some(Some((integration, version))) => {
                i.integration == integration.id && version.is_none_or(|version| version == i.version)
            }
        };
        let mut found: Vec<Instance> = store
            .instances
            .iter()
            .filter(|i| id_is(&customer, i.customer.as_deref()) && runs(i))
            .filter(|i| enabled.is_none_or(|enabled| i.enabled == enabled))
            .filter(|i| is_system.is_none_or(|is_system| i.is_system == is_system))
            .cloned()
            .collect();
        sort(context, &store, &mut found, sort_by);
        let nodes = found.into_iter().map(InstanceNode).collect();
        let window = Window { first, after, last, before, offset: None };
        Ok(InstanceConnection(page(nodes, &window)?))
    }

    fn instance(context: &Context, id: ID) -> FieldResult<Option<InstanceNode>> {
        let found = context.store().instance(&id).cloned().ok_or(NOT_FOUND)?;
        Ok(Some(InstanceNode(found)))
    }

    #[allow(clippy::too_many_arguments)]
    fn workflows(
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        name: Option<String>,
        #[graphql(name = "name_Icontains")] name_icontains: Option<String>,
        customer: Option<ID>,
        sort_by: Option<List<WorkflowOrder>>,
    ) -> FieldResult<WorkflowConnection> {
        let store = context.store();
        let mut found: Vec<Workflow> = store
            .workflows
            .iter()
            .filter(|w| is(&name, &w.name) && contains(&name_icontains, &w.name))
            .filter(|w| id_is(&customer, w.customer.as_deref()))
            .cloned()
            .collect();
        sort(context, &store, &mut found, sort_by);
        let nodes = found.into_iter().map(WorkflowNode).collect();
        let window = Window { first, after, last, before, offset: None };
        Ok(WorkflowConnection(page(nodes, &window)?))
    }

    fn workflow(context: &Context, id: ID) -> FieldResult<Option<WorkflowNode>> {
        let found = context.store().workflow(&id).cloned().ok_or(NOT_FOUND)?;
        Ok(Some(WorkflowNode(found)))
    }
}
