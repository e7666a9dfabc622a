//! Reads everything of an organization: the lists side by side, then the definitions that changed.

use super::definitions::{self, DefinitionCache};
use super::document::Document;
use super::live::Organization;
use super::pages::{ListFailure, Listed, read_list};
use super::record::OrganizationIdentity;
use super::stack::{ApiFailure, Stack};
use crate::platform::answer::document::Answer;
use crate::platform::answer::list::AnswerList;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::json;
use std::path::Path;

const IDENTITY: Document = Document(include_str!("documents/identity.graphql"));
const CONNECTIONS: Document = Document(include_str!("documents/connections.graphql"));
const COMPONENTS: Document = Document(include_str!("documents/components.graphql"));
const INTEGRATIONS: Document = Document(include_str!("documents/integrations.graphql"));
const WORKFLOWS: Document = Document(include_str!("documents/workflows.graphql"));
const SETS: Document = Document(include_str!("documents/sets.graphql"));

/// All documents that are sent, for tests that compare them with the platform's types.
#[cfg(test)]
pub(super) const DOCUMENTS: [Document; 6] = [IDENTITY, CONNECTIONS, COMPONENTS, INTEGRATIONS, WORKFLOWS, SETS];

/// Of more sets than this, only the number is known, not their statuses.
const MOST_SETS: u64 = 300;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IdentityAnswer {
    authenticated_user: Option<UserAnswer>,
    #[serde(default)]
    customers: AnswerList<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserAnswer {
    #[serde(default)]
    tenant_id: Option<String>,
    #[serde(default)]
    org: Option<OrganizationName>,
}

#[derive(Deserialize)]
struct OrganizationName {
    id: Option<String>,
    name: Option<String>,
}

/// Asks which organization the token is for.
async fn identity(stack: &Stack) -> Result<(OrganizationIdentity, Option<u64>), ApiFailure> {
    let answer: IdentityAnswer = stack.read(IDENTITY, &json!({})).await?;
    let nobody = |what: &str| ApiFailure::NotTheApi(format!("it does not say {what}"));
    let user = answer.authenticated_user.ok_or_else(|| nobody("who the user is"))?;
    let organization =
        user.org.ok_or_else(|| nobody("which organization the user is of: use the token of a user of yours"))?;
    let identity = OrganizationIdentity {
        tenant_id: user.tenant_id.filter(|id| !id.is_empty()).ok_or_else(|| nobody("which tenant the user is of"))?,
        id: organization.id.unwrap_or_default(),
        name: organization.name.unwrap_or_default(),
    };
    Ok((identity, answer.customers.total))
}

/// Reads an organization. What is missing of it is listed there; `Err` only if not even its identity is known.
pub(super) async fn organization(stack: &Stack, cache: Option<&Path>) -> Result<Organization, ApiFailure> {
    let (identity, connections, components, integrations, workflows) = tokio::join!(
        identity(stack),
        read_list(stack, CONNECTIONS, "scopedConfigVariables"),
        read_list(stack, COMPONENTS, "components"),
        read_list(stack, INTEGRATIONS, "integrations"),
        read_list(stack, WORKFLOWS, "workflows"),
    );
    let (identity, customers) = identity?;
    let cache = DefinitionCache::of(cache, stack.origin(), &identity.tenant_id);
    let mut found = Organization { identity: Some(identity), ..Organization::default() };
    found.answer = Answer { customers, ..Answer::default() };
    found.answer.connections = found.taken("connections", connections);
    found.answer.infer_leaves();
    found.answer.components = found.taken("components", components);
    found.integrations = found.taken("integrations", integrations);
    match workflows {
        // Not every stack has workflows, or lists them.
        Err(ListFailure::Api(ApiFailure::Unknown(_))) => drop(found.without.insert("workflows")),
        workflows => found.workflows = found.taken("workflows", workflows),
    }
    let sets =
        found.answer.connections.iter().filter_map(|connection| connection.customer_config_variables.total).sum();
    let (definitions, sets) = tokio::join!(
        definitions::read(stack, &cache, &found.integrations),
        some_list(stack, SETS, "customerConfigVariables", (1..=MOST_SETS).contains(&sets)),
    );
    found.definitions = definitions;
    // Without them only their statuses are unknown.
    found.sets = sets.unwrap_or_default();
    Ok(found)
}

/// Reads a list if it is wanted.
async fn some_list<T: DeserializeOwned + Listed>(
    stack: &Stack,
    document: Document,
    list: &'static str,
    is_wanted: bool,
) -> Result<Vec<T>, ListFailure> {
    if is_wanted { read_list(stack, document, list).await } else { Ok(Vec::new()) }
}

impl Organization {
    fn taken<T>(&mut self, what: &'static str, list: Result<Vec<T>, ListFailure>) -> Vec<T> {
        list.unwrap_or_else(|failure| {
            self.unread.insert(what, failure);
            Vec::new()
        })
    }
}
