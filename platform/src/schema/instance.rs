//! Instances with their configuration.

use super::connection::{CustomerConfigVariable, ExpressionNode, authorize_url};
use super::context::Context;
use super::customer::CustomerNode;
use super::integration::{IntegrationFlow, IntegrationNode, RequiredConfigVariable, own_status};
use super::lists::{ExpressionConnection, InstanceConfigVariableConnection, InstanceFlowConfigConnection};
use super::scalars::DateTime;
use crate::kinds::{ConfigState, EnablementBlocker, InstanceStatus, Status};
use crate::page::{Window, page};
use crate::store::{Expression, Instance, Store, Use};
use juniper::{FieldResult, ID, graphql_object};

pub struct InstanceNode(pub Instance);

impl InstanceNode {
    /// The version that it runs, or the draft.
    fn runs(&self, store: &Store) -> Option<IntegrationNode> {
        let integration = store.integration(&self.0.integration)?;
        Some(match integration.version(self.0.version) {
            Some(version) => IntegrationNode::version(integration.clone(), version.clone()),
            None => IntegrationNode::draft(integration.clone()),
        })
    }

    fn variables(&self, store: &Store) -> Vec<InstanceConfigVariable> {
        self.runs(store).map(|integration| integration.instance_variables(store, &self.0)).unwrap_or_default()
    }
}

#[graphql_object(context = Context, name = "Instance")]
impl InstanceNode {
    fn id(&self) -> ID {
        ID::new(&*self.0.id)
    }
    fn name(&self) -> &str {
        &self.0.name
    }
    fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }
    fn enabled(&self) -> bool {
        self.0.enabled
    }
    fn is_system(&self) -> bool {
        self.0.is_system
    }
    fn customer(&self, context: &Context) -> Option<CustomerNode> {
        CustomerNode::find(&context.store(), self.0.customer.as_deref())
    }
    /// The version that it runs.
    fn integration(&self, context: &Context) -> Option<IntegrationNode> {
        self.runs(&context.store())
    }
    fn deployed_version(&self) -> Option<i32> {
        self.0.deployed_version
    }
    fn last_deployed_at(&self) -> Option<DateTime> {
        self.0.last_deployed.map(DateTime::at)
    }
    fn created_at(&self) -> DateTime {
        DateTime::at(self.0.created)
    }
    fn updated_at(&self) -> DateTime {
        DateTime::at(self.0.updated)
    }
    fn config_state(&self, context: &Context) -> Option<ConfigState> {
        let waits = self.variables(&context.store()).iter().any(|variable| variable.status == Some(Status::Pending));
        Some(if waits { ConfigState::NeedsInstanceConfiguration } else { ConfigState::FullyConfigured })
    }
    fn enablement_blockers(&self, context: &Context) -> Vec<EnablementBlocker> {
        let store = context.store();
        let is_gone = |used: &Use| store.connection(&used.connection).is_none();
        let blocked =
            self.0.uses.values().any(is_gone) || self.runs(&store).is_some_and(|version| version.is_blocked());
        blocked.then_some(EnablementBlocker::ReferencesDeletedConnection).into_iter().collect()
    }
    fn config_variables(
        &self,
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
    ) -> FieldResult<InstanceConfigVariableConnection> {
        let nodes = self.variables(&context.store());
        Ok(InstanceConfigVariableConnection(page(nodes, &Window::of(first, after))?))
    }
    fn flow_configs(
        &self,
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
    ) -> FieldResult<InstanceFlowConfigConnection> {
        let store = context.store();
        let flows = self.runs(&store).map(|integration| integration.flows_of(&store)).unwrap_or_default();
        let of = |flow: IntegrationFlow| InstanceFlowConfig {
            id: store.derived_id("InstanceFlowConfig", &format!("{}\n{}", self.0.id, flow.id)),
            flow,
        };
        Ok(InstanceFlowConfigConnection(page(flows.into_iter().map(of).collect(), &Window::of(first, after))?))
    }
}

/// A config variable of an instance.
pub struct InstanceConfigVariable {
    id: String,
    required: RequiredConfigVariable,
    status: Option<Status>,
    needs_consent: bool,
    credential: Option<String>,
    inputs: Vec<Expression>,
}

impl InstanceConfigVariable {
    /// Builds the variable of an instance. `used`: the connection and credentials of a variable that binds one.
    pub(super) fn new(store: &Store, seed: &str, required: RequiredConfigVariable, used: Option<Use>) -> Self {
        let id = store.derived_id("InstanceConfigVariable", &format!("{seed}\n{}", required.variable.key));
        let own = required.own_type(store).map(|kind| kind.1.needs_consent());
        let credential = used.and_then(|used| used.credential);
        let known = credential.as_deref().and_then(|id| store.credential(id));
        let bound = required.bound(store).and_then(|connection| connection.status);
        let value = |(name, value): &(String, Option<String>)| Expression {
            name: name.clone(),
            kind: Some("value".into()),
            value: value.clone(),
            meta: None,
        };
        InstanceConfigVariable {
            id,
            status: known.map_or(bound, |known| known.status).or(own.map(own_status)),
            needs_consent: own == Some(true),
            credential,
            inputs: required.variable.inputs.iter().map(value).collect(),
            required,
        }
    }

    pub(super) fn status_text(&self) -> Option<&'static str> {
        self.status.map(Status::lower)
    }
}

#[graphql_object(context = Context)]
impl InstanceConfigVariable {
    fn id(&self) -> ID {
        ID::new(&*self.id)
    }
    fn key(&self) -> &str {
        &self.required.variable.key
    }
    fn value(&self) -> Option<&str> {
        self.required.variable.default.as_deref()
    }
    fn status(&self) -> Option<InstanceStatus> {
        self.status.map(InstanceStatus::from)
    }
    fn authorize_url(&self, context: &Context) -> Option<String> {
        authorize_url(&context.store(), self.needs_consent, self.status, &self.id)
    }
    fn required_config_variable(&self) -> &RequiredConfigVariable {
        &self.required
    }
    /// The customer's credentials that the instance uses.
    fn customer_config_variable(&self, context: &Context) -> Option<CustomerConfigVariable> {
        context.store().credential(self.credential.as_deref()?).cloned().map(CustomerConfigVariable)
    }
    fn inputs(
        &self,
        context: &Context,
        first: Option<i32>,
        after: Option<String>,
    ) -> FieldResult<ExpressionConnection> {
        let kind = self.required.own_type(&context.store()).map(|kind| kind.1);
        ExpressionNode::list(context, kind.as_ref(), &self.inputs, Window::of(first, after))
    }
}

/// The configuration of a flow in an instance.
pub struct InstanceFlowConfig {
    id: String,
    flow: IntegrationFlow,
}

#[graphql_object(context = Context)]
impl InstanceFlowConfig {
    fn id(&self) -> ID {
        ID::new(&*self.id)
    }
    fn flow(&self) -> &IntegrationFlow {
        &self.flow
    }
    fn api_keys(&self) -> Vec<String> {
        Vec::new()
    }
}
