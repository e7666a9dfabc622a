//! What lists objects, for programs: as YAML, or only the objects' names.

use crate::engine::model::item::ObjectId;
use crate::manifest::value_to_yaml;
use serde::Serialize;
use std::collections::BTreeSet;

/// Serializes a value (a status) as YAML: the same as its JSON.
pub fn yaml(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let value = serde_json::to_value(value)?;
    let entries = value.as_object().into_iter().flatten();
    Ok(crate::text::lines(&value_to_yaml(entries.map(|(key, value)| (key.as_str(), value)))).into_owned())
}

/// The objects, as `Kind/name`, each once, one per line.
pub fn names(objects: impl IntoIterator<Item = ObjectId>) -> String {
    let objects: BTreeSet<String> = objects.into_iter().map(|object| object.to_string()).collect();
    objects.iter().map(|object| format!("{}\n", crate::text::line(object))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Kind;
    use serde_json::{Value, json};

    #[test]
    fn yaml_is_the_same_as_json() {
        let value =
            json!({"b": [1, {"c": null, "d": [], "e": {}}], "a": "on", "text": "two\nlines\n", "t": true, "q": "a: b"});
        let yaml = yaml(&value).unwrap();
        assert_eq!(serde_saphyr::from_str::<Value>(&yaml).unwrap(), value, "{yaml}");
    }

    #[test]
    fn names_come_once_in_their_order() {
        let id = |kind, name: &str| ObjectId::new(kind, name);
        let all = [id(Kind::Integration, "b"), id(Kind::Connection, "z"), id(Kind::Integration, "b")];
        assert_eq!(names(all), "Connection/z\nIntegration/b\n");
    }
}
