//! Values of arguments and variables, checked against their types.

use super::{Mistake, Unknown};
use juniper::meta::MetaType;
use juniper::parser::Span;
use juniper::{DefaultScalarValue, Definition, InputValue, SchemaType, Variables};

type Schema = SchemaType<DefaultScalarValue>;

/// Checks a literal. Variables in it are checked elsewhere.
pub(super) fn literal(
    schema: &Schema,
    unknown: &Unknown,
    kind: &str,
    value: &InputValue,
    span: Span,
    mistakes: &mut Vec<Mistake>,
) {
    if matches!(value, InputValue::Variable(_)) {
        return;
    }
    if let Some(inner) = kind.strip_suffix('!') {
        match value {
            InputValue::Null => {
                mistakes.push(Mistake::at(span.start, format!("Expected value of type '{kind}', found null.")));
            }
            _ => literal(schema, unknown, inner, value, span, mistakes),
        }
        return;
    }
    if matches!(value, InputValue::Null) {
        return;
    }
    if let Some(inner) = kind.strip_prefix('[').and_then(|kind| kind.strip_suffix(']')) {
        match value {
            InputValue::List(items) => {
                items.iter().for_each(|item| literal(schema, unknown, inner, &item.item, item.span, mistakes));
            }
            one => literal(schema, unknown, inner, one, span, mistakes),
        }
        return;
    }
    let mut refuse = |message: String| mistakes.push(Mistake::at(span.start, message));
    match schema.concrete_type_by_name(kind) {
        Some(MetaType::InputObject(object)) => {
            let InputValue::Object(given) = value else {
                return refuse(format!("Expected value of type '{kind}', found {}.", printed(value)));
            };
            for field in object.input_fields.iter().filter(|field| field.arg_type.is_non_null()) {
                if field.default_value.is_none() && !given.iter().any(|(name, _)| field.name == name.item.as_str()) {
                    let message = format!(
                        "Field '{kind}.{}' of required type '{}' was not provided.",
                        field.name, field.arg_type
                    );
                    mistakes.push(Mistake::at(span.start, message));
                }
            }
            for (name, value) in given {
                let field = object.input_fields.iter().find(|field| field.name == name.item.as_str());
                match field.filter(|_| !unknown.field(kind, &name.item)) {
                    Some(field) => {
                        let kind = field.arg_type.to_string();
                        literal(schema, unknown, &kind, &value.item, value.span, mistakes);
                    }
                    None => {
                        let message = format!("Field '{}' is not defined by type '{kind}'.", name.item);
                        mistakes.push(Mistake::at(name.span.start, message));
                    }
                }
            }
        }
        Some(MetaType::Enum(known)) => match value {
            InputValue::Enum(name) if known.values.iter().any(|value| value.name == name.as_str()) => {}
            InputValue::Enum(name) => refuse(format!("Value '{name}' does not exist in '{kind}' enum.")),
            other => refuse(format!("Enum '{kind}' cannot represent non-enum value: {}.", printed(other))),
        },
        Some(MetaType::Scalar(_)) => {
            if let Some(message) = scalar(kind, value) {
                refuse(message);
            }
        }
        _ => {}
    }
}

/// Checks a scalar, and returns what is wrong.
fn scalar(kind: &str, value: &InputValue) -> Option<String> {
    use DefaultScalarValue::{Boolean, Float, Int, String};
    let InputValue::Scalar(given) = value else {
        return Some(match kind {
            "String" | "Int" | "Float" | "Boolean" | "ID" => cannot(kind, value),
            _ => format!("Expected value of type '{kind}', found {}.", printed(value)),
        });
    };
    let fits = match (kind, given) {
        ("Int", Int(_)) | ("Float", Int(_) | Float(_)) | ("Boolean", Boolean(_)) | ("ID", String(_) | Int(_)) => true,
        ("Int" | "Float" | "Boolean" | "ID", _) => false,
        (_, given) => matches!(given, String(_)),
    };
    match kind {
        _ if fits => None,
        "String" | "Int" | "Float" | "Boolean" | "ID" => Some(cannot(kind, value)),
        _ => Some(format!("Expected value of type '{kind}', found {}.", printed(value))),
    }
}

fn cannot(kind: &str, value: &InputValue) -> String {
    let what = match kind {
        "Int" => "non-integer value",
        "Float" => "non numeric value",
        "Boolean" => "a non boolean value",
        "ID" => "a non-string and non-integer value",
        _ => "a non string value",
    };
    format!("{kind} cannot represent {what}: {}", printed(value))
}

/// Prints a value as graphql-core does.
fn printed(value: &InputValue) -> String {
    use DefaultScalarValue::{Boolean, Float, Int, String};
    match value {
        InputValue::Null => "null".into(),
        InputValue::Scalar(String(text)) => serde_json::Value::from(text.as_str()).to_string(),
        InputValue::Scalar(Int(number)) => number.to_string(),
        InputValue::Scalar(Float(number)) => number.to_string(),
        InputValue::Scalar(Boolean(flag)) => flag.to_string(),
        InputValue::Enum(name) => name.clone(),
        InputValue::Variable(name) => format!("${name}"),
        InputValue::List(items) => {
            let items: Vec<_> = items.iter().map(|item| printed(&item.item)).collect();
            format!("[{}]", items.join(", "))
        }
        InputValue::Object(fields) => {
            let fields: Vec<_> =
                fields.iter().map(|(name, value)| format!("{}: {}", name.item, printed(&value.item))).collect();
            format!("{{{}}}", fields.join(", "))
        }
    }
}

/// Checks the variables of the operation that runs.
pub(super) fn variables(
    schema: &Schema,
    unknown: &Unknown,
    document: &[Definition<'_, DefaultScalarValue>],
    operation: Option<&str>,
    given: &Variables,
) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    for definition in document {
        let Definition::Operation(found) = definition else { continue };
        if operation.is_some() && found.item.name.as_ref().map(|name| name.item) != operation {
            continue;
        }
        for (name, variable) in found.item.variables_definition.iter().flat_map(|all| all.item.iter()) {
            let (kind, at) = (&variable.var_type.item, name.span.start);
            match given.get(name.item) {
                None | Some(InputValue::Null) if kind.is_non_null() && variable.default_value.is_none() => {
                    let message = match given.get(name.item) {
                        None => format!("Variable '${}' of required type '{kind}' was not provided.", name.item),
                        Some(_) => format!("Variable '${}' of non-null type '{kind}' must not be null.", name.item),
                    };
                    mistakes.push(Mistake::at(at, message));
                }
                None => {}
                Some(value) => {
                    let mut wrong = Vec::new();
                    coerce(schema, unknown, &kind.to_string(), value, String::new(), &mut wrong);
                    mistakes.extend(wrong.into_iter().map(|(path, value, message)| {
                        let place = if path.is_empty() { path } else { format!(" at '{}{path}'", name.item) };
                        Mistake::at(
                            at,
                            format!("Variable '${}' got invalid value {value}{place}; {message}", name.item),
                        )
                    }));
                }
            }
        }
    }
    mistakes
}

/// Checks a value from outside the document. A wrong one is told with its path and what is wrong.
fn coerce(
    schema: &Schema,
    unknown: &Unknown,
    kind: &str,
    value: &InputValue,
    path: String,
    wrong: &mut Vec<(String, String, String)>,
) {
    if let Some(inner) = kind.strip_suffix('!') {
        match value {
            InputValue::Null => {
                wrong.push((path, "None".into(), format!("Expected non-nullable type '{kind}' not to be None.")));
            }
            _ => coerce(schema, unknown, inner, value, path, wrong),
        }
        return;
    }
    if matches!(value, InputValue::Null) {
        return;
    }
    if let Some(inner) = kind.strip_prefix('[').and_then(|kind| kind.strip_suffix(']')) {
        match value {
            InputValue::List(items) => {
                for (at, item) in items.iter().enumerate() {
                    coerce(schema, unknown, inner, &item.item, format!("{path}[{at}]"), wrong);
                }
            }
            one => coerce(schema, unknown, inner, one, path, wrong),
        }
        return;
    }
    match schema.concrete_type_by_name(kind) {
        Some(MetaType::InputObject(object)) => {
            let InputValue::Object(given) = value else {
                return wrong.push((path, printed(value), format!("Expected type '{kind}' to be a mapping.")));
            };
            for field in &object.input_fields {
                let found = given.iter().find(|(name, _)| field.name == name.item.as_str());
                match found {
                    Some((name, value)) if !unknown.field(kind, &name.item) => {
                        let path = format!("{path}.{}", name.item);
                        coerce(schema, unknown, &field.arg_type.to_string(), &value.item, path, wrong);
                    }
                    Some(_) => {}
                    None if field.arg_type.is_non_null() && field.default_value.is_none() => {
                        let message =
                            format!("Field '{}' of required type '{}' was not provided.", field.name, field.arg_type);
                        wrong.push((path.clone(), "{...}".into(), message));
                    }
                    None => {}
                }
            }
            for (name, _) in given {
                let is_known = object.input_fields.iter().any(|field| field.name == name.item.as_str());
                if !is_known || unknown.field(kind, &name.item) {
                    let message = format!("Field '{}' is not defined by type '{kind}'.", name.item);
                    wrong.push((path.clone(), "{...}".into(), message));
                }
            }
        }
        Some(MetaType::Enum(known)) => {
            let name = match value {
                InputValue::Scalar(DefaultScalarValue::String(name)) | InputValue::Enum(name) => name,
                other => {
                    let message = format!("Enum '{kind}' cannot represent non-string value: {}.", printed(other));
                    return wrong.push((path, printed(value), message));
                }
            };
            if !known.values.iter().any(|value| value.name == name.as_str()) {
                wrong.push((path, printed(value), format!("Value '{name}' does not exist in '{kind}' enum.")));
            }
        }
        Some(MetaType::Scalar(_)) => {
            if let Some(message) = scalar(kind, value) {
                wrong.push((path, printed(value), message));
            }
        }
        _ => {}
    }
}
