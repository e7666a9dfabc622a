//! Orders of lists.

use super::context::Context;
use crate::store::{Component, Connection, Credential, Customer, Instance, Integration, Store, Workflow};
use juniper::{GraphQLEnum, GraphQLInputObject};
use std::cmp::Ordering;

#[derive(Clone, Copy, Debug, Eq, PartialEq, GraphQLEnum)]
pub enum OrderDirection {
    Asc,
    Desc,
}

/// A list that the client may have ordered.
pub(super) trait Order<T> {
    /// Compares two elements.
    fn compare(&self, store: &Store, a: &T, b: &T) -> Ordering;
}

/// Sorts a list. Without an order the platform's own may change from page to page.
pub(super) fn sort<T, O: Order<T>>(context: &Context, store: &Store, found: &mut [T], orders: Option<Vec<Option<O>>>) {
    let orders: Vec<O> = orders.into_iter().flatten().flatten().collect();
    if orders.is_empty() {
        return context.unordered(found);
    }
    found.sort_by(|a, b| {
        orders.iter().fold(Ordering::Equal, |sorted, order| sorted.then_with(|| order.compare(store, a, b)))
    });
}

/// Declares an order of the API: its fields, and how each compares.
macro_rules! order {
    ($order:ident, $field:ident of $kind:ident {
        $($variant:ident => |$store:ident, $item:ident| $key:expr),+ $(,)?
    }) => {
        #[derive(Clone, Copy, Debug, Eq, PartialEq, GraphQLEnum)]
        pub enum $field {
            $($variant,)+
        }

        #[derive(Clone, Copy, Debug, GraphQLInputObject)]
        pub struct $order {
            pub direction: OrderDirection,
            pub field: $field,
        }

        impl Order<$kind> for $order {
            fn compare(&self, store: &Store, a: &$kind, b: &$kind) -> Ordering {
                let _ = store;
                let order = match self.field {
                    $($field::$variant => {
                        let key = |$store: &Store, $item: &$kind| $key;
                        key(store, a).cmp(&key(store, b))
                    })+
                };
                if self.direction == OrderDirection::Desc { order.reverse() } else { order }
            }
        }
    };
}

fn component_label(store: &Store, connection: Option<&str>) -> Option<String> {
    connection.and_then(|id| store.connection_type(id)).map(|(component, _)| component.label.clone())
}

fn customer_name(store: &Store, customer: Option<&str>) -> Option<String> {
    customer.and_then(|id| store.customer(id)).map(|customer| customer.name.clone())
}

order!(ScopedConfigVariableOrder, ScopedConfigVariableOrderField of Connection {
    ComponentLabel => |store, c| component_label(store, c.connection.as_deref()),
    CreatedAt => |_s, c| (c.created, c.id.clone()),
    Key => |_s, c| c.key.clone(),
    LastConfiguredAt => |_s, c| c.configured,
    Status => |_s, c| c.status,
    UpdatedAt => |_s, c| c.updated,
});

order!(ReusableConnectionOrder, ReusableConnectionOrderField of Connection {
    ComponentLabel => |store, c| component_label(store, c.connection.as_deref()),
    CreatedAt => |_s, c| (c.created, c.id.clone()),
    Key => |_s, c| c.key.clone(),
    LastConfiguredAt => |_s, c| c.configured,
    Status => |_s, c| c.status,
    UpdatedAt => |_s, c| c.updated,
});

order!(CustomerConfigVariableOrder, CustomerConfigVariableOrderField of Credential {
    ComponentLabel => |store, c| {
        component_label(store, store.connection(&c.connection).and_then(|parent| parent.connection.as_deref()))
    },
    CreatedAt => |_s, c| (c.created, c.id.clone()),
    Key => |_s, c| c.key.clone(),
    LastConfiguredAt => |_s, c| c.configured,
    Status => |_s, c| c.status,
    UpdatedAt => |_s, c| c.updated,
});

order!(ComponentOrder, ComponentOrderField of Component {
    Category => |_s, c| c.category.clone(),
    Customer => |_s, _c| 0,
    Description => |_s, c| c.description.clone(),
    Label => |_s, c| c.label.clone(),
    VersionCreatedAt => |_s, c| c.created,
    VersionNumber => |_s, c| c.version,
});

order!(CustomerOrder, CustomerOrderField of Customer {
    ConcurrencyRejections => |_s, _c| 0,
    ConcurrentExecutionLimit => |_s, _c| 0,
    CreatedAt => |_s, c| (c.created, c.id.clone()),
    Description => |_s, c| c.description.clone(),
    Name => |_s, c| c.name.clone(),
    UpdatedAt => |_s, c| c.created,
});

order!(IntegrationOrder, IntegrationOrderField of Integration {
    Category => |_s, i| i.category.clone(),
    CreatedAt => |_s, i| (i.created, i.id.clone()),
    Customer => |store, i| customer_name(store, i.customer.as_deref()),
    Description => |_s, i| i.description.clone(),
    Name => |_s, i| i.name.clone(),
    PublishedAt => |_s, i| i.versions.last().map(|version| version.created),
    UpdatedAt => |_s, i| i.updated,
    VersionNumber => |_s, i| i.versions.last().map(|version| version.number),
});

order!(InstanceOrder, InstanceOrderField of Instance {
    Category => |store, i| store.integration(&i.integration).and_then(|integration| integration.category.clone()),
    CreatedAt => |_s, i| (i.created, i.id.clone()),
    Customer => |store, i| customer_name(store, i.customer.as_deref()),
    Description => |_s, i| i.description.clone(),
    Enabled => |_s, i| i.enabled,
    InstanceType => |_s, i| i.is_system,
    Integration => |store, i| store.integration(&i.integration).map(|integration| integration.name.clone()),
    LastExecutedAt => |_s, _i| 0,
    Name => |_s, i| i.name.clone(),
    UpdatedAt => |_s, i| i.updated,
    Version => |_s, i| i.version,
});

order!(WorkflowOrder, WorkflowOrderField of Workflow {
    Category => |_s, w| w.category.clone(),
    CreatedAt => |_s, w| (w.created, w.id.clone()),
    Customer => |store, w| customer_name(store, w.customer.as_deref()),
    Description => |_s, w| w.description.clone(),
    Name => |_s, w| w.name.clone(),
    UpdatedAt => |_s, w| w.updated,
    VersionNumber => |_s, w| w.version,
});

#[derive(Clone, Copy, Debug, Eq, PartialEq, GraphQLEnum)]
pub enum VersionOrderDirection {
    Asc,
    Desc,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, GraphQLEnum)]
pub enum VersionOrderField {
    PublishedAt,
    PublishedBy,
    VersionNumber,
}

#[derive(Clone, Copy, Debug, GraphQLInputObject)]
pub struct VersionOrder {
    pub direction: VersionOrderDirection,
    pub field: VersionOrderField,
}
