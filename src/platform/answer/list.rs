//! The forms of lists in GraphQL answers, and values of any type.

use crate::secret::Secret;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor, value};
use std::fmt;
use std::marker::PhantomData;

/// A list: plain, with nodes, or with edges; null is an empty list that says so.
#[derive(Clone, Debug)]
pub(crate) struct AnswerList<T> {
    pub items: Vec<T>,
    /// Whether null stands in its place.
    pub is_null: bool,
    /// The number of null elements, each of which could not be read.
    pub nulls: usize,
    pub total: Option<u64>,
    pub page: Option<PageInfo>,
}

/// The end of a page.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PageInfo {
    pub has_next_page: Option<bool>,
    pub end_cursor: Option<String>,
}

impl<T> Default for AnswerList<T> {
    fn default() -> Self {
        AnswerList { items: Vec::new(), is_null: false, nulls: 0, total: None, page: None }
    }
}

impl<T> AnswerList<T> {
    /// Whether all its elements could be read.
    pub(crate) fn is_whole(&self) -> bool {
        !self.is_null && self.nulls == 0
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound = "T: DeserializeOwned")]
struct ListConnection<T> {
    #[serde(default)]
    nodes: Option<Vec<Option<T>>>,
    #[serde(default)]
    edges: Option<Vec<Option<ListEdge<T>>>>,
    #[serde(default)]
    total_count: Option<u64>,
    #[serde(default)]
    page_info: Option<PageInfo>,
}

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct ListEdge<T> {
    #[serde(default = "Option::default")]
    node: Option<T>,
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for AnswerList<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Lists<T>(PhantomData<T>);
        impl<'de, T: DeserializeOwned> Visitor<'de> for Lists<T> {
            type Value = AnswerList<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_unit<E>(self) -> Result<AnswerList<T>, E> {
                Ok(AnswerList { is_null: true, ..AnswerList::default() })
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<AnswerList<T>, A::Error> {
                let mut list = AnswerList::default();
                while let Some(item) = seq.next_element::<Option<T>>()? {
                    list.nulls += usize::from(item.is_none());
                    list.items.extend(item);
                }
                Ok(list)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AnswerList<T>, A::Error> {
                let read = ListConnection::<T>::deserialize(value::MapAccessDeserializer::new(map))?;
                // A list of which only the total was asked for has neither.
                let is_without_list = read.nodes.is_none() && read.edges.is_none() && read.total_count.is_none();
                let edges = read.edges.unwrap_or_default().into_iter().map(|edge| edge.and_then(|edge| edge.node));
                let all: Vec<Option<T>> = read.nodes.unwrap_or_default().into_iter().chain(edges).collect();
                let nulls = all.iter().filter(|item| item.is_none()).count();
                let items = all.into_iter().flatten().collect();
                let is_null = is_without_list;
                Ok(AnswerList { items, is_null, nulls, total: read.total_count, page: read.page_info })
            }
        }
        from.deserialize_any(Lists(PhantomData))
    }
}

/// A single element, or a list.
pub(super) struct OneOrMany<T>(pub Vec<T>);

impl<'de, T: DeserializeOwned> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any<T>(PhantomData<T>);
        impl<'de, T: DeserializeOwned> Visitor<'de> for Any<T> {
            type Value = OneOrMany<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an answer or a list of answers")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<OneOrMany<T>, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = seq.next_element()? {
                    all.push(one);
                }
                Ok(OneOrMany(all))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OneOrMany<T>, A::Error> {
                T::deserialize(value::MapAccessDeserializer::new(map)).map(|one| OneOrMany(vec![one]))
            }
        }
        from.deserialize_any(Any(PhantomData))
    }
}

/// The value of an input. `Debug` does not show it.
#[derive(Debug)]
pub(crate) enum Literal {
    /// A string, number or boolean.
    Text(Secret),
    /// A list or an object, which is not kept.
    Other,
}

impl<'de> Deserialize<'de> for Literal {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct AnyValue;
        fn text<E>(value: impl ToString) -> Result<Literal, E> {
            Ok(Literal::Text(Secret::new(value.to_string())))
        }
        impl<'de> Visitor<'de> for AnyValue {
            type Value = Literal;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_str<E>(self, value: &str) -> Result<Literal, E> {
                text(value)
            }
            fn visit_string<E>(self, value: String) -> Result<Literal, E> {
                Ok(Literal::Text(Secret::new(value)))
            }
            fn visit_bool<E>(self, value: bool) -> Result<Literal, E> {
                text(value)
            }
            fn visit_i64<E>(self, value: i64) -> Result<Literal, E> {
                text(value)
            }
            fn visit_u64<E>(self, value: u64) -> Result<Literal, E> {
                text(value)
            }
            fn visit_f64<E>(self, value: f64) -> Result<Literal, E> {
                text(value)
            }
            fn visit_unit<E>(self) -> Result<Literal, E> {
                text("")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Literal, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Literal::Other)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Literal, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Literal::Other)
            }
        }
        from.deserialize_any(AnyValue)
    }
}

/// The input scope in `meta`, in lower case: a JSON string or an object, in either case style.
#[derive(Debug, Default)]
pub(crate) struct ListScope(pub Option<String>);

impl<'de> Deserialize<'de> for ListScope {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct InputMeta {
            #[serde(rename = "inputScope", alias = "input_scope", alias = "INPUT_SCOPE", alias = "INPUTSCOPE")]
            scope: Option<String>,
        }
        fn scope(meta: InputMeta) -> ListScope {
            ListScope(meta.scope.map(|scope| scope.to_ascii_lowercase()))
        }
        struct TextOrObject;
        impl<'de> Visitor<'de> for TextOrObject {
            type Value = ListScope;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("metadata")
            }
            fn visit_str<E>(self, text: &str) -> Result<ListScope, E> {
                Ok(serde_json::from_str(text).map(scope).unwrap_or_default())
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ListScope, A::Error> {
                InputMeta::deserialize(value::MapAccessDeserializer::new(map)).map(scope)
            }
        }
        from.deserialize_any(TextOrObject)
    }
}
