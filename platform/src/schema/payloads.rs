//! Answers of mutations: the object, and what the input had wrong.

use super::NOT_FOUND;
use super::connection::{CustomerConfigVariable, ScopedConfigVariable};
use super::context::Context;
use super::integration::IntegrationNode;
use crate::operations::{Problem, Refusal};
use juniper::{FieldError, FieldResult, GraphQLObject};

/// What a field of an input has wrong.
#[derive(Clone, Debug, GraphQLObject)]
#[graphql(context = Context, name = "ErrorType")]
pub struct ErrorType {
    pub field: String,
    pub messages: Vec<String>,
}

impl From<Problem> for ErrorType {
    fn from(problem: Problem) -> Self {
        ErrorType { field: problem.field, messages: problem.messages }
    }
}

/// Separates the refusals that belong in the payload from those beside the data.
pub(super) fn outcome<T>(done: Result<T, Refusal>) -> FieldResult<Result<T, Vec<ErrorType>>> {
    match done {
        Ok(value) => Ok(Ok(value)),
        Err(Refusal::Invalid(problems)) => Ok(Err(problems.into_iter().map(ErrorType::from).collect())),
        Err(Refusal::NotFound) => Err(FieldError::from(NOT_FOUND)),
        Err(Refusal::Denied) => Err(FieldError::from("You do not have permission to perform this action")),
    }
}

/// Declares the payload of a mutation: its object under a name.
macro_rules! payload {
    ($payload:ident { $field:ident: $node:ty }) => {
        #[derive(GraphQLObject)]
        #[graphql(context = Context)]
        pub struct $payload {
            $field: Option<$node>,
            errors: Vec<ErrorType>,
            client_mutation_id: Option<String>,
        }

        impl $payload {
            /// Builds the answer. `find` looks for the object after the write.
            pub(super) fn of<T>(
                done: Result<T, Refusal>,
                client_mutation_id: Option<String>,
                find: impl FnOnce(T) -> Option<$node>,
            ) -> FieldResult<Option<Self>> {
                let ($field, errors) = match outcome(done)? {
                    Ok(value) => (find(value), Vec::new()),
                    Err(errors) => (None, errors),
                };
                Ok(Some($payload { $field, errors, client_mutation_id }))
            }
        }
    };
}

payload!(CreateScopedConfigVariablePayload { scoped_config_variable: ScopedConfigVariable });
payload!(UpdateScopedConfigVariablePayload { scoped_config_variable: ScopedConfigVariable });
payload!(DeleteScopedConfigVariablePayload { scoped_config_variable: ScopedConfigVariable });
payload!(DisconnectScopedConnectionPayload { scoped_config_variable: ScopedConfigVariable });
payload!(UpdateScopedOAuth2ConnectionPayload { scoped_config_variable: ScopedConfigVariable });
payload!(CreateCustomerConfigVariablePayload { customer_config_variable: CustomerConfigVariable });
payload!(UpdateCustomerConfigVariablePayload { customer_config_variable: CustomerConfigVariable });
payload!(DeleteCustomerConfigVariablePayload { customer_config_variable: CustomerConfigVariable });
payload!(ImportIntegrationPayload { integration: IntegrationNode });
payload!(PublishIntegrationPayload { integration: IntegrationNode });
payload!(DeleteIntegrationPayload { integration: IntegrationNode });
payload!(UpdateIntegrationVersionAvailabilityPayload { integration: IntegrationNode });
payload!(BulkUpdateInstancesToLatestIntegrationVersionPayload { integration: IntegrationNode });

/// Whether a definition has the form of one.
#[derive(GraphQLObject)]
#[graphql(context = Context)]
pub struct ValidateIntegrationSchemaResult {
    pub is_valid: bool,
}

#[derive(GraphQLObject)]
#[graphql(context = Context)]
pub struct ValidateIntegrationSchemaPayload {
    pub result: Option<ValidateIntegrationSchemaResult>,
    pub errors: Vec<ErrorType>,
    pub client_mutation_id: Option<String>,
}
