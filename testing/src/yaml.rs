//! YAML as people write it: what fits into one line is written in braces; lists of mappings have one item per line.

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use stablekey::api::{API_VERSION, Kind, Object};
use std::fmt::Write as _;

const WIDTH: usize = 100;

/// A value that keeps the order of its fields.
enum Node {
    Scalar(Value),
    List(Vec<Node>),
    Mapping(Vec<(String, Node)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Nodes;
        impl<'de> Visitor<'de> for Nodes {
            type Value = Node;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Scalar(Value::Null))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Scalar(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
                Ok(Node::Scalar(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
                Ok(Node::Scalar(value.into()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Node, E> {
                Ok(Node::Scalar(value.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Node::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Node, A::Error> {
                let mut mapping = Vec::new();
                while let Some(field) = fields.next_entry()? {
                    mapping.push(field);
                }
                Ok(Node::Mapping(mapping))
            }
        }
        deserializer.deserialize_any(Nodes)
    }
}

/// Quotes a text that would mean something else without quotes.
fn scalar(value: &Value) -> String {
    let Value::String(text) = value else { return value.to_string() };
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./ ".contains(c))
        && text.trim_end() == text
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text.to_lowercase().as_str());
    if is_plain { text.clone() } else { value.to_string() }
}

fn key(text: &str) -> String {
    scalar(&Value::String(text.to_string()))
}

impl Node {
    fn of(value: &impl Serialize) -> Self {
        // The text keeps the order of the fields, which a `Value` does not.
        serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
    }

    /// Returns it on one line, in braces.
    fn flow(&self) -> String {
        match self {
            Node::Scalar(value) => scalar(value),
            Node::List(items) => format!("[{}]", items.iter().map(Node::flow).collect::<Vec<_>>().join(", ")),
            Node::Mapping(fields) => {
                let fields = fields.iter().map(|(name, value)| format!("{}: {}", key(name), value.flow()));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
            }
        }
    }

    fn has_list_of_mappings(&self) -> bool {
        match self {
            Node::Scalar(_) => false,
            Node::List(items) => items.iter().any(|item| matches!(item, Node::Mapping(_))),
            Node::Mapping(fields) => fields.iter().any(|(_, value)| value.has_list_of_mappings()),
        }
    }

    /// Writes what follows `name:` at this indentation, to the end of its line or lines.
    fn write(&self, indent: usize, name_width: usize, out: &mut String) {
        let flow = self.flow();
        let is_block = !matches!(self, Node::Scalar(_))
            && (self.has_list_of_mappings() || indent + name_width + 2 + flow.len() > WIDTH);
        if !is_block {
            writeln!(out, " {flow}").unwrap();
            return;
        }
        out.push('\n');
        match self {
            Node::Scalar(_) => {}
            Node::Mapping(fields) => write_fields(fields, indent + 2, indent + 2, out),
            Node::List(items) => {
                for item in items {
                    let flow = item.flow();
                    write!(out, "{:1$}- ", "", indent + 2).unwrap();
                    match item {
                        Node::Mapping(fields) if item.has_list_of_mappings() || indent + 4 + flow.len() > WIDTH => {
                            write_fields(fields, 0, indent + 4, out);
                        }
                        _ => writeln!(out, "{flow}").unwrap(),
                    }
                }
            }
        }
    }
}

/// Writes the fields of a mapping, the first of them after `first` more spaces.
fn write_fields(fields: &[(String, Node)], first: usize, indent: usize, out: &mut String) {
    for (at, (name, value)) in fields.iter().enumerate() {
        let spaces = if at == 0 { first } else { indent };
        let name = key(name);
        write!(out, "{:spaces$}{name}:", "").unwrap();
        value.write(indent, name.len(), out);
    }
}

/// Returns a document, ending in a newline, without `---`.
pub fn document<S: Serialize>(kind: Kind, object: &Object<S>) -> String {
    let mut out = format!("apiVersion: {API_VERSION}\nkind: {kind}\nmetadata:");
    Node::of(&object.metadata).write(0, "metadata".len(), &mut out);
    out.push_str("spec:");
    Node::of(&object.spec).write(0, "spec".len(), &mut out);
    out
}

/// Joins several documents into one file.
pub fn file(documents: &[String]) -> String {
    documents.join("---\n")
}

#[cfg(test)]
mod tests {
    use crate::objects::*;
    use stablekey::manifest::read_text;

    #[test]
    fn written_yaml_equals_the_built_object() {
        let built: [(String, serde_json::Value); 4] = [
            {
                let it = Tenant::new("prod").in_folder("prod").accepts("dev").allows_delete();
                (it.yaml(), it.json())
            },
            {
                let it = Sync::new("up", "dev", "prod").mirror().prune().keeping("prod", "Connection/a", "title");
                (it.yaml(), it.json())
            },
            {
                let it = Component::new("chat/oauth2").requires("baseUrl").has_endpoint("baseUrl").has_input("scopes");
                let it = it.requires("clientSecret").has_secret("clientSecret").type_("basic").has_input("y");
                (it.yaml(), it.json())
            },
            {
                let it = Connection::new("Chat", "chat/oauth2").title("- yes: \"#\"").input("a", "0644");
                let it = it.input("b", "").input("c", "on").input("d", "ü €").secret("e", "app").label("x/y", "1");
                (it.yaml(), it.json())
            },
        ];
        for (yaml, json) in built {
            let reading = read_text("built.yaml", yaml.clone());
            assert!(reading.problems().is_empty(), "{yaml}\n{:?}", reading.problems());
            assert_eq!(reading.documents[0].resource.to_json().unwrap(), json, "{yaml}");
        }
    }

    #[test]
    fn yaml_is_formatted_as_people_write_it() {
        let tenant = Tenant::new("prod").in_folder("prod").accepts("dev").allows_delete();
        assert_eq!(
            tenant.yaml(),
            "apiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {name: prod}\nspec:\n  \
             location: {directory: {path: prod}}\n  acceptFrom: [dev]\n  policy: {actions: [Create, Update, Delete]}\n"
        );
        let integration = Integration::new("greet").title("greet").binds("Chat", "chat-main");
        assert_eq!(
            integration.yaml(),
            "apiVersion: stablekey.dev/v1alpha1\nkind: Integration\nmetadata: {name: greet}\nspec:\n  title: greet\n  \
             connections:\n    - {name: Chat, stableKey: chat-main}\n"
        );
    }
}
