//! Deserializes nodes to Rust types. Nodes were checked against the schema before; only what a schema cannot express is
//! an error here (an input of two kinds).

use super::scalar::{self, Plain};
use super::tree::{Id, NodeKind, Tree};
use serde::de::{self, DeserializeSeed, Visitor};
use std::fmt;

/// Deserializes a node as a `T`.
pub(super) fn read<'de, T: de::Deserialize<'de>>(tree: &Tree<'_>, id: Id) -> Result<T, Misfit> {
    T::deserialize(TypedReader { tree, id })
}

/// A value that its type rejects.
#[derive(Debug)]
pub(super) struct Misfit {
    /// The innermost node that was rejected.
    pub node: Option<Id>,
    /// The reason.
    pub message: String,
}

impl Misfit {
    fn at(mut self, id: Id) -> Self {
        self.node.get_or_insert(id);
        self
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Misfit { node: None, message: message.to_string() }
    }

    /// The default message of serde would contain the value.
    fn invalid_value(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format_args!("this is not {expected}"))
    }

    fn invalid_type(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format_args!("this is not {expected}"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format_args!("this is not one of {}", expected.join(", ")))
    }
}

#[derive(Clone, Copy)]
struct TypedReader<'a, 't> {
    tree: &'a Tree<'t>,
    id: Id,
}

impl<'a, 't> TypedReader<'a, 't> {
    fn bool(self) -> Option<bool> {
        match self.tree.plain(self.id) {
            Some(Plain::Bool(value)) => Some(value),
            _ => None,
        }
    }

    fn int(self) -> Option<i64> {
        match self.tree.plain(self.id) {
            Some(Plain::Int) => self.tree.scalar(self.id).and_then(scalar::integer),
            _ => None,
        }
    }
}

impl<'de> de::Deserializer<'de> for TypedReader<'_, '_> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        if self.tree.is_null(self.id) {
            return visitor.visit_unit().map_err(|e: Misfit| e.at(self.id));
        }
        if let Some(value) = self.bool() {
            return visitor.visit_bool(value).map_err(|e: Misfit| e.at(self.id));
        }
        if let Some(value) = self.int() {
            return visitor.visit_i64(value).map_err(|e: Misfit| e.at(self.id));
        }
        match &self.tree.resolve(self.id).kind {
            NodeKind::Scalar { text, .. } => visitor.visit_str(text),
            NodeKind::Map { .. } => self.deserialize_map(visitor),
            NodeKind::List { .. } => self.deserialize_seq(visitor),
            NodeKind::Alias(_) => visitor.visit_unit(),
        }
        .map_err(|e: Misfit| e.at(self.id))
    }

    /// A string is its text, also if it should have been quoted, which the schema check reports.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.tree.scalar(self.id) {
            Some(text) => visitor.visit_str(text),
            None => visitor.visit_unit(),
        }
        .map_err(|e: Misfit| e.at(self.id))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        if self.tree.is_null(self.id) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let NodeKind::Map { entries, .. } = &self.tree.resolve(self.id).kind else {
            return visitor.visit_unit().map_err(|e: Misfit| e.at(self.id));
        };
        // Null equals absence.
        let entries = entries.iter().filter(|entry| !self.tree.is_null(entry.value));
        let pairs =
            entries.map(|entry| (TypedReader { id: entry.key, ..self }, TypedReader { id: entry.value, ..self }));
        visitor.visit_map(Pairs { pairs, value: None }).map_err(|e| e.at(self.id))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_map(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let NodeKind::List { items, .. } = &self.tree.resolve(self.id).kind else {
            return visitor.visit_unit().map_err(|e: Misfit| e.at(self.id));
        };
        visitor.visit_seq(Items { tree: self.tree, items: items.iter() }).map_err(|e| e.at(self.id))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let text = self.tree.scalar(self.id).unwrap_or("");
        visitor.visit_enum(de::value::StrDeserializer::<Misfit>::new(text)).map_err(|e| e.at(self.id))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct
    }
}

struct Pairs<'a, 't, I> {
    pairs: I,
    value: Option<TypedReader<'a, 't>>,
}

impl<'de, 'a, 't, I: Iterator<Item = (TypedReader<'a, 't>, TypedReader<'a, 't>)>> de::MapAccess<'de>
    for Pairs<'a, 't, I>
{
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        let Some((key, value)) = self.pairs.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Misfit> {
        let value = self.value.take().ok_or_else(|| <Misfit as de::Error>::custom("a value without a key"))?;
        seed.deserialize(value)
    }
}

struct Items<'a, 't> {
    tree: &'a Tree<'t>,
    items: std::slice::Iter<'a, Id>,
}

impl<'de> de::SeqAccess<'de> for Items<'_, '_> {
    type Error = Misfit;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Misfit> {
        let Some(id) = self.items.next() else { return Ok(None) };
        seed.deserialize(TypedReader { tree: self.tree, id: *id }).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}
