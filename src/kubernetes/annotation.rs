//! The ownership record as the annotation `stablekey.dev/wrote`: the content of the lock file's line, as JSON.

use crate::engine::model::record::Record;
use serde_json::{Map, Value, json};

/// Encodes a record as the annotation's text.
pub fn encode(record: &Record) -> String {
    let fields = record.fields.iter().map(|(field, wrote)| (field.encode(), wrote.encode()));
    let fields = fields.chain(record.encoded_besides()).map(|(path, wrote)| (path, Value::String(wrote)));
    let fields: Map<String, Value> = fields.collect();
    json!({"tenant": record.tenant, "made": record.made, "fields": fields}).to_string()
}

/// Decodes the annotation's text; `None` if [`encode`] did not write it.
pub fn decode(text: &str) -> Option<Record> {
    let value: Value = serde_json::from_str(text).ok()?;
    let tenant = value.get("tenant")?.as_str().filter(|tenant| !tenant.is_empty() && !tenant.contains(' '))?;
    let made = if value.get("made")?.as_bool()? { "made" } else { "-" };
    // The lock file's line is the only format that has a parser.
    let mut line = format!("{tenant} {made}");
    for (path, wrote) in value.get("fields")?.as_object()? {
        line.push_str(&format!(" {path}={}", wrote.as_str()?));
    }
    Record::decode(&line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_annotation_is_short_and_can_be_decoded() {
        let line = "eu-prod made title=0123456789abcdef@source inputs.url=fedcba9876543210@source,sync/us-to-eu";
        let record = Record::decode(line).unwrap();
        let text = encode(&record);
        insta::assert_snapshot!(text, @r#"{"fields":{"inputs.url":"fedcba9876543210@source,sync/us-to-eu","title":"0123456789abcdef@source"},"made":true,"tenant":"eu-prod"}"#);
        assert_eq!(decode(&text), Some(record));
        // Entries that are not fields are stored among the fields. Records of older versions have none.
        let line = format!("{line} sent.0123456789abcdef=0000000000000000@- endpoint.inputs.site=0000000000000000@-");
        let record = Record::decode(&line).unwrap();
        assert!(record.endpoints.contains("site"));
        assert_eq!(decode(&encode(&record)), Some(record));
    }

    proptest! {
        #[test]
        fn no_foreign_annotation_panics(text in ".{0,80}") {
            let _ = decode(&text);
        }
    }
}
