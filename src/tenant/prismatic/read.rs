//! Reads everything of an organization: the lists side by side, then the definitions that changed.

use super::definitions::{self, DefinitionCache};
use super::document::Document;
use super::organization::{Organization, Wanted};
use super::pages::{ListFailure, Listed, read_list, read_pages};
use super::record::OrganizationIdentity;
use super::stack::{ApiFailure, Stack};
use crate::platform::answer::document::{Answer, CustomerName, ReusableConnection};
use crate::platform::answer::list::AnswerList;
use crate::platform::answer::organization::{IntegrationAnswer, SetAnswer};
use futures_util::future::join_all;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const CONNECTION_FIELDS: &str = include_str!("documents/connection.graphql");
const INTEGRATION_FIELDS: &str = include_str!("documents/integration.graphql");
static IDENTITY: Document = Document::of(include_str!("documents/identity.graphql"));
static CONNECTIONS: Document =
    Document::of(concat!(include_str!("documents/connections.graphql"), include_str!("documents/connection.graphql")));
static COMPONENTS: Document = Document::of(include_str!("documents/components.graphql"));
static INTEGRATIONS: Document = Document::of(concat!(
    include_str!("documents/integrations.graphql"),
    include_str!("documents/integration.graphql")
));
static WORKFLOWS: Document = Document::of(include_str!("documents/workflows.graphql"));
static SETS: Document = Document::of(include_str!("documents/sets.graphql"));
static CUSTOMER: Document = Document::of(include_str!("documents/write/customer.graphql"));
static VERSIONS: Document = Document::of(include_str!("documents/write/versions.graphql"));
static INSTANCES: Document = Document::of(include_str!("documents/instances.graphql"));
static CREDENTIALS: Document = Document::of(include_str!("documents/credentials.graphql"));

/// All documents that are sent, for tests that compare them with the platform's types.
#[cfg(test)]
pub(super) fn documents() -> Vec<Document> {
    let lists = [
        &IDENTITY,
        &CONNECTIONS,
        &COMPONENTS,
        &INTEGRATIONS,
        &WORKFLOWS,
        &SETS,
        &CREDENTIALS,
        &VERSIONS,
        &CUSTOMER,
        &INSTANCES,
    ];
    lists
        .into_iter()
        .cloned()
        .chain([look_up_document::<ReusableConnection>(2), look_up_document::<IntegrationAnswer>(2)])
        .collect()
}

/// Number of keys that are looked up in one request.
const TOGETHER: usize = 20;
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
    let answer: IdentityAnswer = stack.read(&IDENTITY, &json!({})).await?;
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
pub(super) async fn organization(
    stack: &Stack,
    cache: Option<&Path>,
    wanted: &Wanted,
) -> Result<Organization, ApiFailure> {
    let none = Map::new();
    let (identity, connections, components, integrations, workflows) = tokio::join!(
        identity(stack),
        read_pages(stack, &CONNECTIONS, "scopedConfigVariables", &none),
        read_list(stack, &COMPONENTS, "components", &none),
        read_pages(stack, &INTEGRATIONS, "integrations", &none),
        read_list(stack, &WORKFLOWS, "workflows", &none),
    );
    let (identity, customers) = identity?;
    let cache = DefinitionCache::of(cache, stack.origin(), &identity.tenant_id);
    let mut found = Organization { identity: Some(identity), ..Organization::default() };
    found.answer = Answer { customers, ..Answer::default() };
    let connections = found.taken("connections", connections);
    let integrations = found.taken("integrations", integrations);
    let is_several = Several { connections: connections.count > 1, integrations: integrations.count > 1 };
    found.answer.connections = connections.elements;
    found.integrations = integrations.elements;
    found.answer.components = found.taken("components", components);
    match workflows {
        // Not every stack has workflows, or lists them.
        Err(ListFailure::Api(ApiFailure::Unknown(_))) => drop(found.without.insert("workflows")),
        Err(failure) => drop(found.unread_facts.insert("workflows", failure)),
        Ok(workflows) => found.workflows = workflows,
    }
    if stack.unknown().iter().any(|unknown| unknown.field == "ScopedConfigVariable.status") {
        found.without.insert("status");
    }
    look_up_missing(&mut found, stack, wanted, &is_several).await;
    found.answer.infer_leaves();
    read_credentials(&mut found, stack, wanted).await;
    let sets: u64 =
        found.answer.connections.iter().map(|connection| connection.customer_config_variables.total.unwrap_or(1)).sum();
    let (definitions, sets) = tokio::join!(
        definitions::read(stack, &cache, &found.integrations),
        some_list(stack, &SETS, "customerConfigVariables", (1..=MOST_SETS).contains(&sets)),
    );
    found.definitions = definitions;
    // While it is a draft, all of them run an older version.
    let is_draft = |id: &String, before: u64| {
        let found = found.integrations.iter().find(|found| found.id.as_ref() == Some(id));
        found.is_none_or(|found| found.version_number.unwrap_or_default() <= before)
    };
    let published: Vec<(&String, &u64)> =
        wanted.imported.iter().filter(|(id, before)| !is_draft(id, **before)).collect();
    for (id, before) in published {
        // Where it is not known, it is said to be unknown.
        if let Ok(Some(behind)) = instances_behind(stack, id, *before).await {
            found.behind.insert(id.clone(), behind);
        }
    }
    match sets {
        Ok(sets) => found.sets = sets,
        // Their statuses are unknown, and which connection a workflow means that names one of them.
        Err(failure) => drop(found.unread_facts.insert("credentials of customers", failure)),
    }
    Ok(found)
}

/// Reads a list if it is wanted.
async fn some_list<T: DeserializeOwned + Listed>(
    stack: &Stack,
    document: &Document,
    list: &'static str,
    is_wanted: bool,
) -> Result<Vec<T>, ListFailure> {
    if is_wanted { read_list(stack, document, list, &Map::new()).await } else { Ok(Vec::new()) }
}

/// An element that is found by a name of the project's, one by one.
trait Named: Listed + DeserializeOwned {
    /// The field of the root that lists such elements, with the argument that names one.
    const LIST: &'static str;
    const ARGUMENT: &'static str;
    /// The name of the fragment, and its text.
    const FRAGMENT: (&'static str, &'static str);
    fn name(&self) -> Option<&str>;
}

impl Named for ReusableConnection {
    const LIST: &'static str = "scopedConfigVariables";
    const ARGUMENT: &'static str = "stableKey";
    const FRAGMENT: (&'static str, &'static str) = ("ConnectionFields", CONNECTION_FIELDS);
    fn name(&self) -> Option<&str> {
        self.stable_key.as_deref()
    }
}

impl Named for IntegrationAnswer {
    const LIST: &'static str = "integrations";
    const ARGUMENT: &'static str = "name_Icontains";
    const FRAGMENT: (&'static str, &'static str) = ("IntegrationFields", INTEGRATION_FIELDS);
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

/// The document that looks up so many elements.
fn look_up_document<T: Named>(count: usize) -> Document {
    let (fragment, text) = T::FRAGMENT;
    let declared: Vec<String> = (0..count).map(|at| format!("$n{at}: String")).collect();
    let (list, argument) = (T::LIST, T::ARGUMENT);
    let fields: Vec<String> = (0..count)
        .map(|at| format!("  e{at}: {list}(first: 100, {argument}: $n{at}) {{ totalCount nodes {{ ...{fragment} }} }}"))
        .collect();
    let declared = declared.join(", ");
    Document(Cow::Owned(format!("query StablekeyLookUp({declared}) {{\n{}\n}}\n{text}", fields.join("\n"))))
}

/// Looks up elements that a list of several pages did not have: nothing is called absent because of such a list alone.
async fn look_up<T: Named>(stack: &Stack, list: &mut Vec<T>, wanted: &BTreeSet<String>) -> Result<(), ListFailure> {
    let there: BTreeSet<&str> = list.iter().filter_map(Named::name).collect();
    let absent: Vec<&String> = wanted.iter().filter(|name| !there.contains(name.as_str())).collect();
    let mut found: Vec<T> = Vec::new();
    for some in absent.chunks(TOGETHER) {
        let names: Map<String, Value> =
            some.iter().enumerate().map(|(at, name)| (format!("n{at}"), json!(name))).collect();
        let document = look_up_document::<T>(some.len());
        let answers: BTreeMap<String, AnswerList<T>> = stack.read(&document, &Value::Object(names)).await?;
        if answers.len() != some.len() {
            return Err(ListFailure::NoList);
        }
        for answer in answers.into_values() {
            let total = answer.total.ok_or(ListFailure::NoTotal)?;
            if !answer.is_whole() {
                return Err(ListFailure::Null(answer.nulls.max(1)));
            }
            if u64::try_from(answer.items.len()) != Ok(total) {
                // The one that is wanted may be behind those that came.
                return Err(ListFailure::Part { of: total });
            }
            found.extend(answer.items.into_iter().filter(|item| item.name().is_some_and(|name| wanted.contains(name))));
        }
    }
    for item in found {
        if !list.iter().any(|other| other.id() == item.id()) {
            list.push(item);
        }
    }
    Ok(())
}

/// The connections with this key that are there now.
pub(super) async fn connections_of(stack: &Stack, key: &str) -> Result<Vec<ReusableConnection>, ListFailure> {
    let mut found = Vec::new();
    look_up(stack, &mut found, &[key.to_string()].into()).await?;
    Ok(found)
}

/// The integrations with this title that are there now.
pub(super) async fn integrations_of(stack: &Stack, title: &str) -> Result<Vec<IntegrationAnswer>, ListFailure> {
    let mut found = Vec::new();
    look_up(stack, &mut found, &[title.to_string()].into()).await?;
    Ok(found)
}

/// The credentials of customers for a connection that are there now.
pub(super) async fn credentials_of(stack: &Stack, connection: &str) -> Result<Vec<SetAnswer>, ListFailure> {
    let variables = [("connection".to_string(), json!(connection))].into_iter().collect();
    read_list(stack, &CREDENTIALS, "customerConfigVariables", &variables).await
}

/// The ids of the customers that have this external id, and of those that have exactly this name.
pub(super) async fn customers_called(stack: &Stack, text: &str) -> Result<[Vec<String>; 2], ApiFailure> {
    let answer: CustomersAnswer = stack.read(&CUSTOMER, &json!({"text": text})).await?;
    let ids = |list: AnswerList<CustomerName>| list.items.into_iter().filter_map(|customer| customer.id).collect();
    Ok([ids(answer.by_id), ids(answer.by_name)])
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CustomersAnswer {
    by_id: AnswerList<CustomerName>,
    by_name: AnswerList<CustomerName>,
}

/// Number of instances of an integration that run this version or an older one; `None` if not all could be counted.
async fn instances_behind(stack: &Stack, id: &str, version: u64) -> Result<Option<usize>, ApiFailure> {
    let answer: InstancesAnswer = stack.read(&INSTANCES, &json!({"id": id})).await?;
    let Some(instances) = answer.integration.map(|integration| integration.instances) else { return Ok(None) };
    let is_whole = instances.is_whole() && instances.total == u64::try_from(instances.items.len()).ok();
    let runs = |instance: &InstanceAnswer| instance.integration.as_ref().and_then(|runs| runs.version_number);
    if !is_whole || instances.items.iter().any(|instance| runs(instance).is_none()) {
        return Ok(None);
    }
    Ok(Some(instances.items.iter().filter(|instance| runs(instance).is_some_and(|runs| runs <= version)).count()))
}

#[derive(Deserialize)]
struct InstancesAnswer {
    integration: Option<InstancesOf>,
}

#[derive(Deserialize)]
struct InstancesOf {
    #[serde(default)]
    instances: AnswerList<InstanceAnswer>,
}

#[derive(Deserialize)]
struct InstanceAnswer {
    integration: Option<RunVersion>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RunVersion {
    version_number: Option<u64>,
}

/// The comments of the versions of an integration that are newer than this one.
pub(super) async fn version_comments(stack: &Stack, id: &str, after: u64) -> Result<Vec<String>, ApiFailure> {
    let answer: VersionsAnswer = stack.read(&VERSIONS, &json!({"id": id})).await?;
    let versions = answer.integration.map(|integration| integration.version_sequence.items).unwrap_or_default();
    let newer = versions.into_iter().filter(|version| version.version_number.is_some_and(|number| number > after));
    Ok(newer.filter_map(|version| version.version_comment).collect())
}

#[derive(Deserialize)]
struct VersionsAnswer {
    integration: Option<IntegrationVersions>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IntegrationVersions {
    version_sequence: AnswerList<VersionAnswer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VersionAnswer {
    version_number: Option<u64>,
    version_comment: Option<String>,
}

/// Which lists came in several pages.
struct Several {
    connections: bool,
    integrations: bool,
}

/// Looks up what the project names and several pages did not have.
async fn look_up_missing(organization: &mut Organization, stack: &Stack, wanted: &Wanted, several: &Several) {
    if several.connections
        && let Err(failure) = look_up(stack, &mut organization.answer.connections, &wanted.keys).await
    {
        organization.unread.insert("connections", failure);
    }
    if several.integrations
        && let Err(failure) = look_up(stack, &mut organization.integrations, &wanted.titles).await
    {
        organization.unread.insert("integrations", failure);
    }
}

/// Reads the credentials of customers for connections of which the source declares some.
async fn read_credentials(organization: &mut Organization, stack: &Stack, wanted: &Wanted) {
    let connections: Vec<(String, String)> = organization
        .answer
        .connections
        .iter()
        .filter(|found| found.is_of_tenant())
        .filter_map(|found| Some((found.stable_key.clone()?, found.id.clone()?)))
        .filter(|(key, _)| wanted.credentials_of.contains(key))
        .collect();
    let read = connections.into_iter().map(|(key, id)| async move {
        let variables = [("connection".to_string(), json!(id))].into_iter().collect();
        (key, read_list::<SetAnswer>(stack, &CREDENTIALS, "customerConfigVariables", &variables).await)
    });
    organization.credentials.extend(join_all(read).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every document is GraphQL, with every optional field and without any, and each fragment stands in it once.
    #[test]
    fn documents_can_be_parsed() {
        for document in documents() {
            let none = BTreeSet::new();
            let all = document
                .optional()
                .map(|field| super::super::document::UnknownField { field: field.to_string() })
                .collect();
            for text in [document.text(&none), document.text(&all)] {
                let parsed =
                    graphql_parser::parse_query::<String>(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
                assert!(parsed.definitions.len() <= 2, "{text}");
                assert!(!text.contains("mutation"), "{text}");
            }
        }
    }
}
