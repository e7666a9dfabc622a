//! Refuses documents in the words of graphql-core, which the real platform runs.
//!
//! juniper finds most mistakes. This module finds those in values and what an older stack does not know, and gives
//! every message the text that a client of the real platform sees.

mod suggestions;
mod unknown;
mod values;
mod walk;
mod words;

pub use unknown::Unknown;

use crate::schema::{Context, Schema};
use juniper::http::GraphQLRequest;
use juniper::parser::{SourcePosition, parse_document_source};
use juniper::{
    DefaultScalarValue, Definition, ExecutionError, GraphQLError, OperationType, Selection, ValidatedOperation,
    Variables,
};
use serde::Serialize;

/// One error of a refused document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Mistake {
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<SourcePosition>,
}

impl Mistake {
    fn at(position: SourcePosition, message: impl Into<String>) -> Self {
        Mistake { message: message.into(), locations: vec![position] }
    }

    fn anywhere(message: impl Into<String>) -> Self {
        Mistake { message: message.into(), locations: Vec::new() }
    }

    /// The index of its first place.
    fn index(&self) -> Option<usize> {
        self.locations.first().map(SourcePosition::index)
    }
}

/// An answer to a document that is not executed.
#[derive(Serialize)]
struct Refused {
    errors: Vec<Mistake>,
}

/// What a document does, for the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// The names of its operations.
    pub operations: Vec<String>,
    /// The fields that they select of the root.
    pub fields: Vec<String>,
    /// Whether one of them is a mutation.
    pub writes: bool,
}

/// Returns what a document does. A document that does not parse does nothing.
pub fn outline(schema: &Schema, query: &str) -> Outline {
    let mut outline = Outline::default();
    for definition in parse_document_source(query, &schema.schema).unwrap_or_default() {
        let Definition::Operation(operation) = definition else { continue };
        outline.operations.extend(operation.item.name.map(|name| name.item.to_string()));
        outline.writes |= operation.item.operation_type == OperationType::Mutation;
        let fields = operation.item.selection_set.iter().filter_map(|selection| match selection {
            Selection::Field(field) => Some(field.item.name.item.to_string()),
            _ => None,
        });
        outline.fields.extend(fields);
    }
    outline
}

/// Validates and executes a request, and returns the answer as JSON. A refused document has errors and no data.
pub fn execute(schema: &Schema, unknown: &Unknown, request: &GraphQLRequest, context: &Context) -> String {
    let variables = request.variables();
    answer(schema, unknown, request, &variables, context).unwrap_or_else(|mut errors| {
        errors.sort_by_key(Mistake::index);
        for mistake in errors.iter_mut().filter(|_| context.suggests) {
            let end = suggestions::suggestions(&schema.schema, unknown, &mistake.message).unwrap_or_default();
            mistake.message.push_str(&end);
        }
        serde_json::to_string(&Refused { errors }).unwrap_or_default()
    })
}

/// An answer, with the fields in the order of the document.
#[derive(Serialize)]
struct Executed {
    data: juniper::Value,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ExecutionError<DefaultScalarValue>>,
}

fn answer(
    schema: &Schema,
    unknown: &Unknown,
    request: &GraphQLRequest,
    variables: &Variables,
    context: &Context,
) -> Result<String, Vec<Mistake>> {
    let document = parse_document_source(&request.query, &schema.schema).map_err(|error| {
        vec![Mistake::at(error.span.start, format!("Syntax Error: {}.", words::syntax(&error.item.to_string())))]
    })?;
    let own = walk::document(&schema.schema, unknown, &document);
    let validated = ValidatedOperation::new(&request.query, request.operation_name.as_deref(), schema);
    let operation = match validated {
        Err(error) => return Err(own.with(mistakes(error, request))),
        Ok(_) if !own.is_empty() => return Err(own.with(Vec::new())),
        Ok(operation) => operation,
    };
    let name = request.operation_name.as_deref();
    let wrong = values::variables(&schema.schema, unknown, &document, name, variables);
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let (data, errors) = operation.execute_sync(variables, context).map_err(|error| mistakes(error, request))?;
    serde_json::to_string(&Executed { data, errors }).map_err(|error| vec![Mistake::anywhere(error.to_string())])
}

/// Turns juniper's refusal into graphql-core's words.
fn mistakes(error: GraphQLError, request: &GraphQLRequest) -> Vec<Mistake> {
    let plain = |message: &str| vec![Mistake::anywhere(message)];
    match error {
        GraphQLError::ValidationError(errors) => errors
            .iter()
            .map(|error| Mistake { message: words::translated(error.message()), locations: error.locations().to_vec() })
            .collect(),
        GraphQLError::ParseError(error) => vec![Mistake::at(error.span.start, error.item.to_string())],
        GraphQLError::NoOperationProvided => plain("Must provide an operation."),
        GraphQLError::UnknownOperationName => match request.operation_name.as_deref() {
            Some(name) => plain(&format!("Unknown operation named '{name}'.")),
            None => plain("Must provide an operation."),
        },
        GraphQLError::MultipleOperationsProvided => {
            plain("Must provide operation name if query contains multiple operations.")
        }
        GraphQLError::NotSupported(_) | GraphQLError::IsSubscription | GraphQLError::NotSubscription => {
            plain("Schema is not configured to execute subscription operation.")
        }
    }
}
