//! What can be changed.

use super::connection::{CustomerConfigVariable, ScopedConfigVariable};
use super::context::Context;
use super::inputs::*;
use super::integration::IntegrationNode;
use super::payloads::*;
use crate::operations::Refusal;
use crate::operations::connection as connections;
use crate::operations::credential as credentials;
use crate::operations::integration as integrations;
use crate::store::Redirect;
use juniper::{FieldResult, ID, graphql_object};

pub struct Mutation;

fn id(id: Option<ID>) -> Result<String, Refusal> {
    id.map(|id| id.to_string()).ok_or(Refusal::NotFound)
}

fn text(id: Option<ID>) -> Option<String> {
    id.map(|id| id.to_string())
}

fn scoped(context: &Context) -> impl FnOnce(String) -> Option<ScopedConfigVariable> {
    move |id| context.store().connection(&id).cloned().map(ScopedConfigVariable)
}

fn credential(context: &Context) -> impl FnOnce(String) -> Option<CustomerConfigVariable> {
    move |id| context.store().credential(&id).cloned().map(CustomerConfigVariable)
}

fn integration(context: &Context) -> impl FnOnce(String) -> Option<IntegrationNode> {
    move |id| IntegrationNode::find(&context.store(), &id)
}

#[graphql_object(context = Context)]
#[graphql(name = "RootMutation")]
impl Mutation {
    fn create_scoped_config_variable(
        context: &Context,
        input: CreateScopedConfigVariableInput,
    ) -> FieldResult<Option<CreateScopedConfigVariablePayload>> {
        let new = connections::Create {
            key: input.key,
            stable_key: input.stable_key,
            variable_scope: input.variable_scope,
            managed_by: input.managed_by,
            connection: text(input.connection),
            customer: text(input.customer),
            description: input.description,
            inputs: expressions(input.inputs),
            redirect: input.o_auth_redirect_config.map(Redirect::from).unwrap_or_default(),
            parent: text(input.parent),
            build_only: input.build_only == Some(true),
        };
        let done = context.write(|store, switches| connections::create(store, switches, new));
        CreateScopedConfigVariablePayload::of(done, input.client_mutation_id, scoped(context))
    }

    fn update_scoped_config_variable(
        context: &Context,
        input: UpdateScopedConfigVariableInput,
    ) -> FieldResult<Option<UpdateScopedConfigVariablePayload>> {
        let done = context.write(|store, switches| {
            let change = connections::Update {
                id: id(input.id)?,
                key: input.key,
                description: given(input.description, |text| text),
                inputs: given_expressions(input.inputs),
                default_for_component: input.default_for_component,
                redirect: input.o_auth_redirect_config.map(Redirect::from),
                unset_redirect: input.unset_o_auth_redirect_config == Some(true),
                redeploy: input.redeploy == Some(true),
            };
            connections::update(store, switches, change)
        });
        UpdateScopedConfigVariablePayload::of(done, input.client_mutation_id, scoped(context))
    }

    fn delete_scoped_config_variable(
        context: &Context,
        input: DeleteScopedConfigVariableInput,
    ) -> FieldResult<Option<DeleteScopedConfigVariablePayload>> {
        let done = context.write(|store, switches| connections::delete(store, switches, &id(input.id)?));
        let deleted = |connection| Some(ScopedConfigVariable(connection));
        DeleteScopedConfigVariablePayload::of(done, input.client_mutation_id, deleted)
    }

    fn disconnect_scoped_connection(
        context: &Context,
        input: DisconnectScopedConnectionInput,
    ) -> FieldResult<Option<DisconnectScopedConnectionPayload>> {
        let done = context.write(|store, _| connections::disconnect(store, &id(input.id)?));
        DisconnectScopedConnectionPayload::of(done, input.client_mutation_id, scoped(context))
    }

    #[graphql(name = "updateScopedOAuth2Connection")]
    fn update_scoped_oauth2_connection(
        context: &Context,
        input: UpdateScopedOAuth2ConnectionInput,
    ) -> FieldResult<Option<UpdateScopedOAuth2ConnectionPayload>> {
        let done = context.write(|store, _| {
            let login = connections::Login {
                id: id(input.id)?,
                status: input.status,
                refresh_at: input.refresh_at.map(|time| time.0),
                context: given(input.context, |text| text),
            };
            connections::update_oauth2(store, login)
        });
        UpdateScopedOAuth2ConnectionPayload::of(done, input.client_mutation_id, scoped(context))
    }

    fn create_customer_config_variable(
        context: &Context,
        input: CreateCustomerConfigVariableInput,
    ) -> FieldResult<Option<CreateCustomerConfigVariablePayload>> {
        let new = credentials::Create {
            connection: input.scoped_config_variable.to_string(),
            customer: text(input.customer),
            inputs: expressions(input.inputs),
            is_test: input.is_test == Some(true),
            key: input.key,
        };
        let done = context.write(|store, _| credentials::create(store, new));
        CreateCustomerConfigVariablePayload::of(done, input.client_mutation_id, credential(context))
    }

    fn update_customer_config_variable(
        context: &Context,
        input: UpdateCustomerConfigVariableInput,
    ) -> FieldResult<Option<UpdateCustomerConfigVariablePayload>> {
        let done = context.write(|store, switches| {
            let change = credentials::Update {
                id: id(input.id)?,
                key: given(input.key, |key| key),
                customer: given(input.customer, |customer| customer.to_string()),
                inputs: given_expressions(input.inputs),
                is_test: input.is_test,
                redeploy: input.redeploy == Some(true),
            };
            credentials::update(store, switches, change)
        });
        UpdateCustomerConfigVariablePayload::of(done, input.client_mutation_id, credential(context))
    }

    fn delete_customer_config_variable(
        context: &Context,
        input: DeleteCustomerConfigVariableInput,
    ) -> FieldResult<Option<DeleteCustomerConfigVariablePayload>> {
        let done = context.write(|store, switches| credentials::delete(store, switches, &id(input.id)?));
        let deleted = |credential| Some(CustomerConfigVariable(credential));
        DeleteCustomerConfigVariablePayload::of(done, input.client_mutation_id, deleted)
    }

    fn import_integration(
        context: &Context,
        input: ImportIntegrationInput,
    ) -> FieldResult<Option<ImportIntegrationPayload>> {
        let request = integrations::Import {
            definition: input.definition,
            integration: text(input.integration_id),
            customer: text(input.customer),
            replace: input.replace == Some(true),
        };
        let done = context.write(|store, switches| integrations::import(store, switches, request));
        ImportIntegrationPayload::of(done, input.client_mutation_id, integration(context))
    }

    fn validate_integration_schema(
        input: ValidateIntegrationSchemaInput,
    ) -> FieldResult<Option<ValidateIntegrationSchemaPayload>> {
        let (is_valid, errors) = match outcome(integrations::validate(&input.definition))? {
            Ok(_) => (true, Vec::new()),
            Err(errors) => (false, errors),
        };
        let result = Some(ValidateIntegrationSchemaResult { is_valid });
        Ok(Some(ValidateIntegrationSchemaPayload { result, errors, client_mutation_id: input.client_mutation_id }))
    }

    /// Returns the version.
    fn publish_integration(
        context: &Context,
        input: PublishIntegrationInput,
    ) -> FieldResult<Option<PublishIntegrationPayload>> {
        let done =
            context.write(|store, _| integrations::publish(store, &id(input.id)?, input.comment, input.attributes));
        PublishIntegrationPayload::of(done, input.client_mutation_id, integration(context))
    }

    fn delete_integration(
        context: &Context,
        input: DeleteIntegrationInput,
    ) -> FieldResult<Option<DeleteIntegrationPayload>> {
        let done = context.write(|store, _| integrations::delete(store, &id(input.id)?));
        let deleted = |integration| Some(IntegrationNode::draft(integration));
        DeleteIntegrationPayload::of(done, input.client_mutation_id, deleted)
    }

    /// Takes and returns the version.
    fn update_integration_version_availability(
        context: &Context,
        input: UpdateIntegrationVersionAvailabilityInput,
    ) -> FieldResult<Option<UpdateIntegrationVersionAvailabilityPayload>> {
        let done = context.write(|store, _| integrations::set_available(store, &id(input.id)?, input.available));
        UpdateIntegrationVersionAvailabilityPayload::of(done, input.client_mutation_id, integration(context))
    }

    fn bulk_update_instances_to_latest_integration_version(
        context: &Context,
        input: BulkUpdateInstancesToLatestIntegrationVersionInput,
    ) -> FieldResult<Option<BulkUpdateInstancesToLatestIntegrationVersionPayload>> {
        let done = context.write(|store, _| integrations::update_instances(store, &id(input.id)?));
        BulkUpdateInstancesToLatestIntegrationVersionPayload::of(done, input.client_mutation_id, integration(context))
    }
}
