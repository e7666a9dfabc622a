//! Compares the query with the platform's own types. They are in the file that STABLEKEY_SDL names: the API's input
//! types and enumerations (object types are not published), so a field that is read is looked up in the inputs that
//! write it.

use crate::platform::answer::QUERY;
use graphql_parser::query::{Definition, Field, OperationDefinition, Selection, SelectionSet, Value, parse_query};
use graphql_parser::schema::{Definition as Declared, TypeDefinition, parse_schema};
use std::collections::{BTreeMap, BTreeSet};

/// The names of each input type's fields, and of each enumeration's values.
pub(crate) type ApiTypes = BTreeMap<String, BTreeSet<String>>;

/// The platform's types; `None`, and a message, if STABLEKEY_SDL is not set.
#[allow(clippy::print_stderr, reason = "a test that tries nothing says so")]
pub(crate) fn api_types() -> Option<ApiTypes> {
    let Some(file) = std::env::var_os("STABLEKEY_SDL") else {
        eprintln!("not tried: STABLEKEY_SDL names no file with the platform's types");
        return None;
    };
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("STABLEKEY_SDL: {error}"));
    let schema = parse_schema::<String>(&text).unwrap_or_else(|error| panic!("STABLEKEY_SDL: {error}"));
    let declared = schema.definitions.into_iter().filter_map(|definition| match definition {
        Declared::TypeDefinition(TypeDefinition::InputObject(input)) => {
            Some((input.name, input.fields.into_iter().map(|field| field.name).collect()))
        }
        Declared::TypeDefinition(TypeDefinition::Enum(of)) => {
            Some((of.name, of.values.into_iter().map(|value| value.name).collect()))
        }
        _ => None,
    });
    Some(declared.collect())
}

/// The types for an object of the query: by its path, the inputs that write it, and the fields that are read-only.
/// `nodes` and similar fields belong to every list.
const OBJECTS: [(&str, &[&str], &[&str]); 8] = [
    ("", &[], &["scopedConfigVariables", "components", "customers"]),
    (
        "scopedConfigVariables",
        &["CreateScopedConfigVariableInput", "UpdateScopedConfigVariableInput"],
        &["status", "customerConfigVariables", "treeLocation"],
    ),
    ("scopedConfigVariables.customer", &["UpdateCustomerInput"], &[]),
    ("scopedConfigVariables.inputs", &["InputExpression"], &["hasValue"]),
    ("scopedConfigVariables.customerConfigVariables", &[], &[]),
    ("components", &["ComponentDefinitionInput"], &["connections"]),
    ("connection", &["ConnectionDefinitionInput"], &["component"]),
    ("inputs", &["ConnectionInputFieldDefinition"], &[]),
];
const OF_LISTS: [&str; 5] = ["nodes", "totalCount", "pageInfo", "hasNextPage", "endCursor"];

/// The order of a list in the query, and the enumeration of its possible orders.
const ORDERS: [(&str, &str, &str); 1] =
    [("scopedConfigVariables", "ScopedConfigVariableOrder", "ScopedConfigVariableOrderField")];

/// The mistakes in a query according to these types.
fn mistakes(query: &str, types: &ApiTypes) -> Vec<String> {
    let mut walk = Walk { types, mistakes: Vec::new() };
    for definition in parse_query::<String>(query).unwrap().definitions {
        let Definition::Operation(OperationDefinition::Query(query)) = definition else { panic!("no query") };
        walk.selection(&[], &query.selection_set);
    }
    walk.mistakes
}

struct Walk<'t> {
    types: &'t ApiTypes,
    mistakes: Vec<String>,
}

impl Walk<'_> {
    fn selection(&mut self, path: &[&str], set: &SelectionSet<'_, String>) {
        for selection in &set.items {
            let Selection::Field(field) = selection else { panic!("a fragment in {path:?}") };
            let name = field.name.as_str();
            self.order(field);
            if OF_LISTS.contains(&name) {
                self.selection(path, &field.selection_set);
                continue;
            }
            self.field(path, name);
            self.selection(&[path, &[name]].concat(), &field.selection_set);
        }
    }

    fn field(&mut self, path: &[&str], name: &str) {
        let Some((inputs, read)) = object(path) else {
            return self.mistakes.push(format!("nothing says what {path:?} is"));
        };
        // A field that is read as `public` is written as `isPublic` in selections.
        let there = inputs.iter().any(|input| {
            self.types
                .get(*input)
                .is_some_and(|fields| fields.contains(name) || (name == "public" && fields.contains("isPublic")))
        });
        if !there && !read.contains(&name) {
            self.mistakes.push(format!("{name} of {path:?} is in none of {inputs:?}"));
        }
    }

    fn order(&mut self, field: &Field<'_, String>) {
        for (_, value) in field.arguments.iter().filter(|(name, _)| name == "sortBy") {
            let Some((_, order, fields)) = ORDERS.iter().find(|(list, ..)| *list == field.name) else {
                self.mistakes.push(format!("nothing says how {} is ordered", field.name));
                continue;
            };
            let Value::List(orders) = value else { panic!("sortBy is no list") };
            for order_by in orders {
                let Value::Object(order_by) = order_by else { panic!("no order") };
                for (key, value) in order_by {
                    let values = if key == "direction" { "OrderDirection" } else { fields };
                    let Value::Enum(value) = value else { panic!("{value} is of no enumeration") };
                    for (of, name) in [(order, key), (&values, value)] {
                        if !self.types.get(*of).is_some_and(|names| names.contains(name)) {
                            self.mistakes.push(format!("{of} has no {name}"));
                        }
                    }
                }
            }
        }
    }
}

/// The inputs of an object and its read-only fields: by its path, or by the end of it.
fn object(path: &[&str]) -> Option<(&'static [&'static str], &'static [&'static str])> {
    if path.last() == Some(&"component") {
        return Some((&["ComponentSelector"], &[]));
    }
    let whole = path.join(".");
    let end = path.last().map_or("", |last| if *last == "connections" { "connection" } else { last });
    let by = |wanted: &str| OBJECTS.iter().find(|(at, ..)| *at == wanted).map(|(_, inputs, read)| (*inputs, *read));
    by(&whole).or_else(|| by(end))
}

#[test]
fn the_query_asks_for_what_the_api_has() {
    let Some(types) = api_types() else { return };
    assert_eq!(mistakes(QUERY, &types), Vec::<String>::new());
    // A wrong query is detected.
    for (right, wrong) in [
        ("stableKey", "stabelKey"),
        ("hasValue meta", "hasValue mata"),
        ("CREATED_AT", "MADE_AT"),
        ("direction: ASC", "direction: UP"),
        ("field: CREATED_AT", "by: CREATED_AT"),
        ("oauth2Type", "oauthType"),
        ("component { key public }", "component { key private }"),
        ("key type required", "key kind required"),
    ] {
        assert!(QUERY.contains(right), "{right}");
        assert!(!mistakes(&QUERY.replace(right, wrong), &types).is_empty(), "{wrong}");
    }
}

/// The words that answers are parsed by are those of the API's enumerations.
#[test]
fn the_words_of_answers_are_those_of_the_api() {
    let Some(types) = api_types() else { return };
    for (of, words) in [
        ("InputFieldType", &["BOOLEAN", "DATE", "STRING", "TEXT", "TIMESTAMP", "PASSWORD", "TEMPLATE"][..]),
        ("ConnectionOauth2Type", &["AUTHORIZATION_CODE", "CLIENT_CREDENTIALS"]),
        ("ScopedConfigVariableManagedBy", &["CUSTOMER", "ORG", "SYSTEM"]),
        ("ScopedConfigVariableVariableScope", &["CUSTOMER", "ORG"]),
        ("ScopedConfigVariableStatus", &["ACTIVE"]),
    ] {
        let known = types.get(of).unwrap_or_else(|| panic!("the API has no {of}"));
        assert!(words.iter().all(|word| known.contains(*word)), "{of} has {known:?}");
    }
}
