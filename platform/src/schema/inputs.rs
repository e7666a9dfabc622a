//! Inputs of the API's mutations. A test holds them to the published SDL.

use super::scalars::DateTime;
use crate::operations::Given;
use crate::store::{Expression, Redirect};
use juniper::{GraphQLInputObject, ID, Nullable};

/// A list of a value that the API may send as null.
pub type List<T> = Vec<Option<T>>;

#[derive(Clone, Debug, GraphQLInputObject)]
pub struct ComponentSelector {
    pub is_public: bool,
    pub key: String,
    pub version: Option<String>,
}

#[derive(Clone, GraphQLInputObject)]
pub struct InputExpression {
    pub meta: Option<String>,
    pub name: String,
    pub r#type: Option<String>,
    pub value: Option<String>,
}

impl From<InputExpression> for Expression {
    fn from(input: InputExpression) -> Self {
        Expression { name: input.name, kind: input.r#type, value: input.value, meta: input.meta }
    }
}

/// Converts inputs of a new object, where null is none.
pub(super) fn expressions(inputs: Option<List<InputExpression>>) -> Vec<Expression> {
    inputs.into_iter().flatten().flatten().map(Expression::from).collect()
}

/// Converts inputs of an update, where null is not absent.
pub(super) fn given_expressions(inputs: Nullable<List<InputExpression>>) -> Given<Vec<Expression>> {
    given(inputs, |inputs| expressions(Some(inputs)))
}

/// Converts an argument of an update.
pub(super) fn given<T, U>(value: Nullable<T>, convert: impl FnOnce(T) -> U) -> Given<U> {
    match value {
        Nullable::ImplicitNull => Given::Absent,
        Nullable::ExplicitNull => Given::Null,
        Nullable::Some(value) => Given::Value(convert(value)),
    }
}

#[derive(Clone, Debug, GraphQLInputObject)]
#[graphql(name = "OAuthRedirectConfigInput")]
pub struct OAuthRedirectConfigInput {
    pub o_auth_failure_redirect_uri: Option<String>,
    pub o_auth_success_redirect_uri: Option<String>,
}

impl From<OAuthRedirectConfigInput> for Redirect {
    fn from(input: OAuthRedirectConfigInput) -> Self {
        Redirect { success: input.o_auth_success_redirect_uri, failure: input.o_auth_failure_redirect_uri }
    }
}

#[derive(Clone, GraphQLInputObject)]
pub struct CreateScopedConfigVariableInput {
    pub build_only: Option<bool>,
    pub client_mutation_id: Option<String>,
    pub connection: Option<ID>,
    pub customer: Option<ID>,
    pub description: Option<String>,
    pub inputs: Option<List<InputExpression>>,
    pub key: String,
    pub managed_by: Option<String>,
    pub o_auth_redirect_config: Option<OAuthRedirectConfigInput>,
    pub parent: Option<ID>,
    pub stable_key: String,
    pub variable_scope: String,
}

#[derive(Clone, GraphQLInputObject)]
pub struct UpdateScopedConfigVariableInput {
    pub client_mutation_id: Option<String>,
    pub default_for_component: Option<bool>,
    pub description: Nullable<String>,
    pub id: Option<ID>,
    pub inputs: Nullable<List<InputExpression>>,
    pub key: Option<String>,
    pub o_auth_redirect_config: Option<OAuthRedirectConfigInput>,
    pub redeploy: Option<bool>,
    pub unset_o_auth_redirect_config: Option<bool>,
}

#[derive(Clone, GraphQLInputObject)]
pub struct UpdateScopedOAuth2ConnectionInput {
    pub access_token: Option<String>,
    pub additional_token_fields: Option<String>,
    pub client_mutation_id: Option<String>,
    pub context: Nullable<String>,
    pub expires_in: Option<i32>,
    pub id: Option<ID>,
    pub refresh_at: Option<DateTime>,
    pub refresh_token: Option<String>,
    pub status: Option<String>,
    pub token_type: Option<String>,
}

#[derive(Clone, GraphQLInputObject)]
pub struct CreateCustomerConfigVariableInput {
    pub client_mutation_id: Option<String>,
    pub customer: Option<ID>,
    pub inputs: Option<List<InputExpression>>,
    pub is_test: Option<bool>,
    pub key: Option<String>,
    pub scoped_config_variable: ID,
}

#[derive(Clone, GraphQLInputObject)]
pub struct UpdateCustomerConfigVariableInput {
    pub client_mutation_id: Option<String>,
    pub customer: Nullable<ID>,
    pub id: Option<ID>,
    pub inputs: Nullable<List<InputExpression>>,
    pub is_test: Option<bool>,
    pub key: Nullable<String>,
    pub redeploy: Option<bool>,
}

#[derive(Clone, GraphQLInputObject)]
pub struct ImportIntegrationInput {
    pub client_mutation_id: Option<String>,
    pub customer: Option<ID>,
    pub definition: String,
    pub integration_id: Option<ID>,
    pub replace: Option<bool>,
}

#[derive(Clone, GraphQLInputObject)]
pub struct ValidateIntegrationSchemaInput {
    pub client_mutation_id: Option<String>,
    pub definition: String,
}

#[derive(Clone, Debug, GraphQLInputObject)]
pub struct PublishIntegrationInput {
    pub attributes: Option<String>,
    pub client_mutation_id: Option<String>,
    pub comment: Option<String>,
    pub id: Option<ID>,
}

#[derive(Clone, Debug, GraphQLInputObject)]
pub struct UpdateIntegrationVersionAvailabilityInput {
    pub available: bool,
    pub client_mutation_id: Option<String>,
    pub id: Option<ID>,
}

/// Declares an input that names one object.
macro_rules! by_id {
    ($($input:ident),+ $(,)?) => {
        $(
            #[derive(Clone, Debug, GraphQLInputObject)]
            pub struct $input {
                pub client_mutation_id: Option<String>,
                pub id: Option<ID>,
            }
        )+
    };
}

by_id!(
    DeleteScopedConfigVariableInput,
    DisconnectScopedConnectionInput,
    DeleteCustomerConfigVariableInput,
    DeleteIntegrationInput,
    BulkUpdateInstancesToLatestIntegrationVersionInput,
);
