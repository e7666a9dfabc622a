//! The user of the token, with the organizations that it can enter.

use super::context::{Context, Tenancy};
use super::customer::CustomerNode;
use juniper::{ID, graphql_object};

/// The one user that there is.
const NAME: &str = "Ada";
const EMAIL: &str = "ada@example.invalid";

pub struct AuthenticatedUser;

#[graphql_object(context = Context)]
impl AuthenticatedUser {
    fn id(&self, context: &Context) -> ID {
        ID::new(context.store().derived_id("User", "ada"))
    }
    fn name(&self) -> &str {
        NAME
    }
    fn email(&self) -> &str {
        EMAIL
    }
    fn tenant_id(&self, context: &Context) -> String {
        context.store().tenant_id.clone()
    }
    fn org(&self) -> Option<Organization> {
        Some(Organization)
    }
    fn customer(&self) -> Option<CustomerNode> {
        None
    }
}

/// Who did something.
pub struct User;

#[graphql_object(context = Context)]
impl User {
    fn id(&self, context: &Context) -> ID {
        ID::new(context.store().derived_id("User", "ada"))
    }
    fn name(&self) -> &str {
        NAME
    }
    fn email(&self) -> &str {
        EMAIL
    }
}

pub struct Organization;

#[graphql_object(context = Context)]
impl Organization {
    fn id(&self, context: &Context) -> ID {
        ID::new(context.store().derived_id("Organization", ""))
    }
    fn name(&self, context: &Context) -> String {
        context.store().organization.clone()
    }
}

pub struct UserTenant(pub Tenancy);

#[graphql_object(context = Context)]
impl UserTenant {
    fn tenant_id(&self) -> &str {
        &self.0.tenant_id
    }
    fn org_name(&self) -> &str {
        &self.0.organization
    }
    fn url(&self) -> Option<&str> {
        Some(&self.0.url)
    }
    fn aws_region(&self) -> Option<&str> {
        None
    }
    fn system_suspended(&self) -> bool {
        false
    }
}
