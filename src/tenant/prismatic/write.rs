//! Writes to the platform, one request each. A failure says whether the write was certainly not carried out, or may have
//! been.

use super::stack::{ApiFailure, READ, Stack};
use crate::http_client::client::HttpFailure;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The time limit of an import or a publication.
const LONG: Duration = Duration::from_secs(120);

/// A mutation of the API. Each answers under `done` with the object and what its input had wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutation {
    CreateConnection,
    UpdateConnection,
    DeleteConnection,
    CreateCredentials,
    UpdateCredentials,
    DeleteCredentials,
    ImportIntegration,
    PublishIntegration,
    DeleteIntegration,
}

impl Mutation {
    fn document(self) -> &'static str {
        match self {
            Mutation::CreateConnection => include_str!("documents/write/create-connection.graphql"),
            Mutation::UpdateConnection => include_str!("documents/write/update-connection.graphql"),
            Mutation::DeleteConnection => include_str!("documents/write/delete-connection.graphql"),
            Mutation::CreateCredentials => include_str!("documents/write/create-credentials.graphql"),
            Mutation::UpdateCredentials => include_str!("documents/write/update-credentials.graphql"),
            Mutation::DeleteCredentials => include_str!("documents/write/delete-credentials.graphql"),
            Mutation::ImportIntegration => include_str!("documents/write/import-integration.graphql"),
            Mutation::PublishIntegration => include_str!("documents/write/publish-integration.graphql"),
            Mutation::DeleteIntegration => include_str!("documents/write/delete-integration.graphql"),
        }
    }

    fn limit(self) -> Duration {
        match self {
            Mutation::ImportIntegration | Mutation::PublishIntegration => LONG,
            _ => READ,
        }
    }
}

/// Why a write is not known to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WriteFailure {
    /// It was refused for what it says: field and message.
    Refused(String),
    /// It was not carried out.
    NotDone(ApiFailure),
    /// It may have been carried out.
    Unsure(ApiFailure),
}

#[derive(Deserialize)]
struct Done {
    #[serde(default)]
    done: Option<Payload>,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(default)]
    object: Option<Written>,
    #[serde(default)]
    errors: Option<Vec<Problem>>,
}

#[derive(Deserialize)]
struct Written {
    #[serde(default)]
    id: Option<String>,
}

#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    field: Option<String>,
    #[serde(default)]
    messages: Option<Vec<String>>,
}

impl Stack {
    /// Sends a mutation, and returns the id of its object. It is sent again only where it was certainly not carried out.
    pub(super) async fn write(&self, mutation: Mutation, input: Map<String, Value>) -> Result<String, WriteFailure> {
        let answer: Result<Done, ApiFailure> =
            self.send(mutation.document(), &json!({"input": input}), mutation.limit()).await;
        match answer {
            Ok(Done { done: Some(Payload { object, errors }) }) => {
                let problems: Vec<String> = errors.into_iter().flatten().map(|problem| self.problem(problem)).collect();
                if !problems.is_empty() {
                    return Err(WriteFailure::Refused(problems.join("; ")));
                }
                let nothing = || ApiFailure::NotTheApi("it does not say what it wrote".to_string());
                object.and_then(|object| object.id).ok_or_else(|| WriteFailure::Unsure(nothing()))
            }
            Ok(Done { done: None }) => {
                Err(WriteFailure::Unsure(ApiFailure::NotTheApi("it does not say what it did".to_string())))
            }
            Err(failure) if is_certain(&failure) => Err(WriteFailure::NotDone(failure)),
            Err(failure) => Err(WriteFailure::Unsure(failure)),
        }
    }

    fn problem(&self, problem: Problem) -> String {
        let messages = problem.messages.unwrap_or_default().join(" ");
        let messages = self.shown(&messages);
        match problem.field.filter(|field| !field.is_empty()) {
            Some(field) => format!("{}: {messages}", self.shown(&field)),
            None => messages,
        }
    }
}

/// Whether a request that failed so was certainly not carried out.
fn is_certain(failure: &ApiFailure) -> bool {
    match failure {
        ApiFailure::Http(HttpFailure::NotSent(_) | HttpFailure::Certificate(_))
        | ApiFailure::Redirects
        | ApiFailure::Login(_)
        | ApiFailure::NotAccepted { .. }
        | ApiFailure::OtherTenant { .. }
        | ApiFailure::Forbidden { .. }
        | ApiFailure::TooMany { .. }
        | ApiFailure::Fenced
        | ApiFailure::Unknown(_) => true,
        ApiFailure::Http(_)
        | ApiFailure::WebPage(_)
        | ApiFailure::NotTheApi(_)
        | ApiFailure::Server(_)
        | ApiFailure::Errors(_) => false,
    }
}
