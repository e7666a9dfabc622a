//! "Exactly one of": the only kind of union that a Kubernetes structural schema supports.

/// Defines an enum whose YAML is a map with exactly one of the named keys.
///
/// In the schema it is a struct of optional fields with a CEL rule, because a structural schema does not support a
/// `oneOf` of different shapes. In Rust it is an enum, so that no code can see two keys.
macro_rules! exactly_one {
    (
        $(#[$meta:meta])*
        pub enum $name:ident as $raw:ident ($keys:literal, $message:literal) {
            $( $(#[$vmeta:meta])* $variant:ident ($field:ident: $ty:ty $(, $(#[$fmeta:meta])+)?) ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name {
            $( $(#[$vmeta])* $variant($ty) ),+
        }

        mod $raw {
            #[allow(unused_imports)]
            use super::*;
            $(#[$meta])*
            #[derive(Default, ::serde::Serialize, ::serde::Deserialize, ::kube::KubeSchema)]
            #[serde(rename_all = "camelCase")]
            #[schemars(extend("x-kubernetes-map-type" = "atomic"))]
            #[x_kube(validation = ::kube::core::Rule::new($keys).message($message))]
            pub struct Raw {
                $(
                    $(#[$vmeta])*
                    #[serde(default, skip_serializing_if = "Option::is_none")]
                    $($(#[$fmeta])+)?
                    pub(super) $field: Option<$ty>
                ),+
            }
        }

        const _: () = {
            use $raw as raw;
            impl TryFrom<raw::Raw> for $name {
                type Error = &'static str;
                fn try_from(raw: raw::Raw) -> Result<Self, Self::Error> {
                    let mut found = None;
                    $( if let Some(value) = raw.$field {
                        if found.replace($name::$variant(value)).is_some() { return Err($message); }
                    } )+
                    found.ok_or($message)
                }
            }
            impl From<$name> for raw::Raw {
                fn from(value: $name) -> Self {
                    match value {
                        $( $name::$variant(value) => raw::Raw { $field: Some(value), ..Default::default() } ),+
                    }
                }
            }
            impl<'de> ::serde::Deserialize<'de> for $name {
                fn deserialize<D: ::serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                    raw::Raw::deserialize(from)?.try_into().map_err(::serde::de::Error::custom)
                }
            }
            impl ::serde::Serialize for $name {
                fn serialize<S: ::serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                    raw::Raw::from(self.clone()).serialize(to)
                }
            }
            impl ::schemars::JsonSchema for $name {
                fn inline_schema() -> bool { true }
                fn schema_name() -> ::std::borrow::Cow<'static, str> { stringify!($name).into() }
                fn json_schema(generator: &mut ::schemars::SchemaGenerator) -> ::schemars::Schema {
                    <raw::Raw as ::schemars::JsonSchema>::json_schema(generator)
                }
            }
        };
    };
}
pub(crate) use exactly_one;
