//! Lists of the API: pages with nodes, edges and totals.

use super::component::{ComponentNode, ConnectionNode, InputFieldNode};
use super::connection::{CustomerConfigVariable, ExpressionNode, ReusableConnection, ScopedConfigVariable};
use super::context::Context;
use super::customer::CustomerNode;
use super::instance::{InstanceConfigVariable, InstanceFlowConfig, InstanceNode};
use super::integration::{IntegrationFlow, IntegrationNode, RequiredConfigVariable};
use super::user::UserTenant;
use super::workflow::WorkflowNode;
use crate::page::{Page, cursor};
use juniper::graphql_object;

/// Where a page begins and ends.
pub struct PageInfo {
    has_next: bool,
    has_previous: bool,
    start: Option<String>,
    end: Option<String>,
}

#[graphql_object(context = Context)]
impl PageInfo {
    fn has_next_page(&self) -> bool {
        self.has_next
    }
    fn has_previous_page(&self) -> bool {
        self.has_previous
    }
    fn start_cursor(&self) -> Option<&str> {
        self.start.as_deref()
    }
    fn end_cursor(&self) -> Option<&str> {
        self.end.as_deref()
    }
}

/// Declares the page and the edge of a type.
macro_rules! page_of {
    ($page:ident, $edge:ident, $node:ident) => {
        pub struct $page(pub Page<$node>);
        pub struct $edge<'p>(usize, &'p Option<$node>);

        #[graphql_object(context = Context)]
        impl<'p> $edge<'p> {
            fn cursor(&self) -> String {
                cursor(self.0)
            }
            fn node(&self) -> &Option<$node> {
                self.1
            }
        }

        #[graphql_object(context = Context)]
        impl $page {
            fn nodes(&self) -> &[Option<$node>] {
                &self.0.nodes
            }
            fn edges(&self) -> Vec<$edge<'_>> {
                self.0.nodes.iter().enumerate().map(|(at, node)| $edge(self.0.start + at, node)).collect()
            }
            fn page_info(&self) -> PageInfo {
                PageInfo {
                    has_next: self.0.has_next(),
                    has_previous: self.0.has_previous(),
                    start: self.0.start_cursor(),
                    end: self.0.end_cursor(),
                }
            }
            fn total_count(&self) -> Option<i32> {
                i32::try_from(self.0.total).ok()
            }
        }
    };
}

page_of!(ScopedConfigVariableConnection, ScopedConfigVariableEdge, ScopedConfigVariable);
page_of!(CustomerConfigVariableConnection, CustomerConfigVariableEdge, CustomerConfigVariable);
page_of!(ReusableConnectionConnection, ReusableConnectionEdge, ReusableConnection);
page_of!(ExpressionConnection, ExpressionEdge, ExpressionNode);
page_of!(ComponentConnection, ComponentEdge, ComponentNode);
page_of!(ConnectionConnection, ConnectionEdge, ConnectionNode);
page_of!(InputFieldConnection, InputFieldEdge, InputFieldNode);
page_of!(CustomerConnection, CustomerEdge, CustomerNode);
page_of!(IntegrationConnection, IntegrationEdge, IntegrationNode);
page_of!(RequiredConfigVariableConnection, RequiredConfigVariableEdge, RequiredConfigVariable);
page_of!(IntegrationFlowConnection, IntegrationFlowEdge, IntegrationFlow);
page_of!(InstanceConnection, InstanceEdge, InstanceNode);
page_of!(InstanceConfigVariableConnection, InstanceConfigVariableEdge, InstanceConfigVariable);
page_of!(InstanceFlowConfigConnection, InstanceFlowConfigEdge, InstanceFlowConfig);
page_of!(WorkflowConnection, WorkflowEdge, WorkflowNode);
page_of!(UserTenantConnection, UserTenantEdge, UserTenant);
