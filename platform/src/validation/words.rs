//! juniper's messages in the words of graphql-core.

/// Whether a message, already translated, is juniper's about a literal.
pub(super) fn is_about_a_literal(message: &str) -> bool {
    message.starts_with("Invalid value for argument") || message.starts_with("Invalid default value for argument")
}

/// Translates the message of a syntax error.
pub(super) fn syntax(message: &str) -> String {
    match message {
        "Unexpected end of input" => "Unexpected <EOF>".into(),
        other => other.replace('"', "'"),
    }
}

/// Translates the message of a validation error. A message that is not known keeps its words, with other quotes.
pub(super) fn translated(message: &str) -> String {
    let quoted: Vec<&str> = message.split('"').skip(1).step_by(2).collect();
    let starts = |prefix: &str| message.starts_with(prefix);
    let after = |prefix: &str| message.strip_prefix(prefix);
    match quoted[..] {
        [field, kind] if starts("Unknown field ") => format!("Cannot query field '{field}' on type '{kind}'."),
        [argument, field, kind] if starts("Unknown argument ") => {
            format!("Unknown argument '{argument}' on field '{kind}.{field}'.")
        }
        [argument, directive] if starts("Unknown argument ") => {
            format!("Unknown argument '{argument}' on directive '@{directive}'.")
        }
        [fragment] if starts("Unknown fragment") => format!("Unknown fragment '{fragment}'."),
        [directive] if starts("Unknown directive ") => format!("Unknown directive '@{directive}'."),
        [fragment] if starts("Cannot spread fragment ") => {
            format!("Cannot spread fragment '{fragment}' within itself.")
        }
        [directive, argument, kind] if starts("Directive ") => {
            let directive = directive.trim_start_matches('@');
            format!(
                "Directive '@{directive}' argument '{argument}' of type '{kind}' is required, but it was not provided."
            )
        }
        [field, argument, kind] if starts("Field ") && message.contains(" is required but not provided") => {
            format!("Field '{field}' argument '{argument}' of type '{kind}' is required, but it was not provided.")
        }
        [field] if starts("Field ") && message.contains("must not have a selection") => {
            let kind = message.split_once("since type ").and_then(|(_, rest)| rest.strip_suffix(" has no subfields"));
            let kind = kind.unwrap_or_default();
            format!("Field '{field}' must not have a selection since type '{kind}' has no subfields.")
        }
        [field, kind, _] if starts("Field ") && message.contains("must have a selection") => {
            let hint = format!("Did you mean '{field} {{ ... }}'?");
            format!("Field '{field}' of type '{kind}' must have a selection of subfields. {hint}")
        }
        [variable] if starts("Variable ") && message.ends_with(" is not used") => {
            format!("Variable '{variable}' is never used.")
        }
        [variable, operation] if starts("Variable ") && message.contains(" is not used by operation ") => {
            format!("Variable '{variable}' is never used in operation '{operation}'.")
        }
        [variable, kind] if starts("Variable ") && message.contains("cannot be of non-input type") => {
            format!("Variable '${variable}' cannot be non-input type '{kind}'.")
        }
        [variable, given, wanted] if starts("Variable ") && message.contains("used in position expecting") => {
            format!("Variable '${variable}' of type '{given}' used in position expecting type '{wanted}'.")
        }
        [] => match after("There can only be one ").and_then(|rest| rest.split_once(" named ")) {
            Some(("variable", name)) => format!("There can be only one variable named '${name}'."),
            Some((what, name)) => format!("There can be only one {what} named '{name}'."),
            None => ended(message),
        },
        [name] if starts("There can only be one ") => {
            format!(
                "{} '{name}'.",
                message.split('"').next().unwrap_or_default().trim().replace("can only be", "can be only")
            )
        }
        _ => ended(&message.replace('"', "'")),
    }
}

fn ended(message: &str) -> String {
    if message.ends_with(['.', '?']) { message.to_string() } else { format!("{message}.") }
}

#[cfg(test)]
mod tests {
    use super::translated;

    #[test]
    fn messages_are_those_of_graphql_core() {
        for (from, to) in [
            (r#"Unknown field "a" on type "B""#, "Cannot query field 'a' on type 'B'."),
            (r#"Unknown argument "a" on field "b" of type "C""#, "Unknown argument 'a' on field 'C.b'."),
            (r#"Unknown fragment: "a""#, "Unknown fragment 'a'."),
            (r#"Unknown type "A""#, "Unknown type 'A'."),
            (
                r#"Field "a" argument "b" of type "C!" is required but not provided"#,
                "Field 'a' argument 'b' of type 'C!' is required, but it was not provided.",
            ),
            (
                r#"Field "a" must not have a selection since type ID! has no subfields"#,
                "Field 'a' must not have a selection since type 'ID!' has no subfields.",
            ),
            (
                r#"Field "a" of type "B" must have a selection of subfields. Did you mean "a { ... }"?"#,
                "Field 'a' of type 'B' must have a selection of subfields. Did you mean 'a { ... }'?",
            ),
            (r#"Variable "$a" is not used"#, "Variable '$a' is never used."),
            (r#"Variable "$a" is not used by operation "B""#, "Variable '$a' is never used in operation 'B'."),
            (r#"Variable "$a" is not defined by operation "B""#, "Variable '$a' is not defined by operation 'B'."),
            (
                r#"Variable "a" of type "Int" used in position expecting type "String""#,
                "Variable '$a' of type 'Int' used in position expecting type 'String'.",
            ),
            ("There can only be one variable named a", "There can be only one variable named '$a'."),
            ("There can only be one operation named a", "There can be only one operation named 'a'."),
            (r#"There can only be one argument named "a""#, "There can be only one argument named 'a'."),
            (
                "This anonymous operation must be the only defined operation",
                "This anonymous operation must be the only defined operation.",
            ),
        ] {
            assert_eq!(translated(from), to);
        }
    }
}
