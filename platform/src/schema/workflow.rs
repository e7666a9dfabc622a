//! Workflows of the embedded builder.

use super::context::Context;
use super::customer::CustomerNode;
use super::scalars::DateTime;
use crate::kinds::{DefinitionType, EnablementBlocker};
use crate::normalise;
use crate::store::Workflow;
use juniper::{ID, graphql_object};

pub struct WorkflowNode(pub Workflow);

#[graphql_object(context = Context, name = "Workflow")]
impl WorkflowNode {
    fn id(&self) -> ID {
        ID::new(&*self.0.id)
    }
    fn name(&self) -> &str {
        &self.0.name
    }
    fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }
    fn category(&self) -> Option<&str> {
        self.0.category.as_deref()
    }
    fn labels(&self) -> &[String] {
        &self.0.labels
    }
    fn customer(&self, context: &Context) -> Option<CustomerNode> {
        CustomerNode::find(&context.store(), self.0.customer.as_deref())
    }
    fn version_number(&self) -> i32 {
        self.0.version
    }
    fn enablement_blockers(&self) -> Vec<EnablementBlocker> {
        self.0.references_deleted.then_some(EnablementBlocker::ReferencesDeletedConnection).into_iter().collect()
    }
    /// The definition, normalised. There is none in the format of integrations.
    fn definition(
        &self,
        definition_type: Option<DefinitionType>,
        use_latest_component_versions: Option<bool>,
    ) -> Option<String> {
        if definition_type == Some(DefinitionType::Integration) {
            return None;
        }
        normalise::workflow(&self.0.definition.value, use_latest_component_versions == Some(true))
    }
    fn created_at(&self) -> DateTime {
        DateTime::at(self.0.created)
    }
    fn updated_at(&self) -> DateTime {
        DateTime::at(self.0.updated)
    }
}
