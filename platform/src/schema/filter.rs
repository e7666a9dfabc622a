//! Filters that clients send as JSON.

use super::scalars::JsonString;
use crate::store::Component;
use serde_json::Value;

/// A filter of components, such as that of prism: `["or", ["in", "key", "sales"], ["in", "label", "sales"]]`.
pub struct Filter(Value);

impl Filter {
    /// `Err`: it is none that the fake knows.
    pub fn parse(filter: Option<JsonString>) -> Result<Self, String> {
        let filter = match filter {
            Some(JsonString(text)) => serde_json::from_str(&text).unwrap_or_default(),
            None => Value::from(vec!["and"]),
        };
        match evaluate(&filter, &Component::default()) {
            Some(_) => Ok(Filter(filter)),
            None => Err("Invalid filterQuery".to_string()),
        }
    }

    pub fn passes(&self, component: &Component) -> bool {
        evaluate(&self.0, component) == Some(true)
    }
}

/// Evaluates every part, so that a wrong one is found wherever it is.
fn evaluate(filter: &Value, component: &Component) -> Option<bool> {
    let (operator, operands) = filter.as_array()?.split_first()?;
    let all = |operands: &[Value]| operands.iter().map(|part| evaluate(part, component)).collect::<Option<Vec<bool>>>();
    match operator.as_str()? {
        "and" => Some(all(operands)?.into_iter().all(|passes| passes)),
        "or" => Some(all(operands)?.into_iter().any(|passes| passes)),
        "in" => {
            let [field, part] = operands else { return None };
            let value = match field.as_str()? {
                "key" => &component.key,
                "label" => &component.label,
                _ => return None,
            };
            Some(value.to_lowercase().contains(&part.as_str()?.to_lowercase()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_chooses_by_parts_of_key_and_label() {
        let component = Component::public("salesforce", "CRM");
        for (filter, passes) in [
            (r#"["or", ["in", "key", "FORCE"], ["in", "label", "nope"]]"#, true),
            (r#"["or", ["in", "key", "nope"], ["in", "label", "crm"]]"#, true),
            (r#"["and", ["in", "key", "force"], ["in", "label", "nope"]]"#, false),
        ] {
            assert_eq!(Filter::parse(Some(JsonString(filter.into()))).unwrap().passes(&component), passes, "{filter}");
        }
        assert!(Filter::parse(None).unwrap().passes(&component));
    }

    #[test]
    fn other_filters_are_refused() {
        for filter in ["", "nope", r#"["or", ["in", "name", "x"]]"#, r#"["xor"]"#, r#"["or", ["in", "key"]]"#] {
            assert!(Filter::parse(Some(JsonString(filter.into()))).is_err(), "{filter}");
        }
    }
}
