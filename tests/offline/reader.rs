//! Stablekey's YAML reader, which knows the position of every value, reads the same as serde-saphyr.

use proptest::prelude::*;
use serde_json::Value;
use stablekey::api::sensitive;
use stablekey::manifest::{DocumentsRead, read_content_like, read_text, to_yaml};
use stablekey_testing::cli::{files, repository};

fn agree(name: &str, text: &str) -> usize {
    let reading = read_text(name, text.to_string());
    assert!(reading.problems().is_empty(), "{name}: {:?}", reading.problems());
    for document in &reading.documents {
        let mut theirs: Value = serde_saphyr::from_str(document.origin.text()).unwrap();
        // The namespace is read beside the resource.
        let namespace = theirs["metadata"].as_object_mut().and_then(|metadata| metadata.remove("namespace"));
        assert_eq!(namespace.as_ref().and_then(Value::as_str), document.namespace.as_deref(), "{name}");
        assert_eq!(document.resource.to_json().unwrap(), theirs, "{name}");
        // Written resources are read back unchanged.
        let written = read_text("written.yaml", to_yaml(&document.resource).unwrap());
        assert_eq!(written.documents[0].resource, document.resource, "{name}");
    }
    reading.documents.len()
}

#[test]
fn every_example_is_read_as_serde_saphyr_reads_it() {
    let mut read = 0;
    for (name, bytes) in files(&repository("examples")) {
        if name.ends_with(".yaml") {
            read += agree(&name, &String::from_utf8(bytes).unwrap());
        }
    }
    assert!(read > 20, "{read} documents");
}

/// Texts that YAML could read as something else.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{1,20}",
        "\\PC{1,12}",
        prop::sample::select(vec![
            "y", "on", "0644", "1e3", "12:30", "~", "null", "true", "=", "<<", "- a", "a: b", "#x", "|", "'", "\"",
            "1_000", ".inf"
        ])
        .prop_map(str::to_string),
        "[a-z]{1,5}\n[ a-z]{1,9}\n?",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_text_survives_writing_and_reading(title in text(), description in text(), input in text(), value in text()) {
        let spec = serde_json::json!({
            "stableKey": "k", "title": &title, "description": &description, "component": {"key": "http"}, "type": "basic",
            "credentials": "Customer", "inputs": {format!("x{}", input.trim()): {"value": &value}}
        });
        let Ok(spec) = serde_json::from_value::<stablekey::api::ConnectionSpec>(spec) else { return Ok(()) };
        // A secret is refused wherever it stands.
        prop_assume!(spec.inputs.keys().all(|name| !sensitive::is_sensitive(name)));
        prop_assume!([&title, &description, &value].iter().all(|text| !sensitive::is_secret_itself(text)));
        let object = stablekey::api::Object::new("k", spec);
        let resource = stablekey::api::Resource::from(object);
        let yaml = to_yaml(&resource).unwrap();
        let reading = read_text("t.yaml", yaml.clone());
        prop_assert!(reading.problems().is_empty(), "{yaml}\n{:?}", reading.problems());
        prop_assert_eq!(&reading.documents[0].resource, &resource, "{}", yaml);
        let theirs: Value = serde_saphyr::from_str(&yaml).unwrap();
        prop_assert_eq!(resource.to_json().unwrap(), theirs);
    }

    #[test]
    fn a_file_is_read_beside_an_earlier_reading_as_it_is_alone(
        before in prop::collection::vec(document(), 0..6),
        after in prop::collection::vec(document(), 0..6),
    ) {
        let before = read_text("t.yaml", before.concat());
        let text = after.concat();
        let beside = read_content_like("t.yaml", text.clone().into_bytes().into(), &before);
        prop_assert_eq!(seen(&beside), seen(&read_text("t.yaml", text)));
    }
}

/// One document of a file, good or bad: few texts, so that two files share some.
fn document() -> impl Strategy<Value = &'static str> {
    const HEAD: &str = "---\napiVersion: stablekey.dev/v1alpha1\nkind: Connection\n";
    let good = "metadata: {name: a, namespace: n}\nspec: {stableKey: a, component: {key: c}, type: t, credentials: Customer}\n";
    let other_kind = "---\napiVersion: v1\nkind: Secret\n";
    let anchors = "metadata: &m {name: b}\nspec: {stableKey: b, component: {key: c}, type: t, credentials: Customer}\n";
    let invalid = "metadata: {name: a}\nspec: {stableKey: a, component: {key: c}, type: t, credentials: Nobody}\n";
    let list = "---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: stablekey.dev/v1alpha1\n  kind: Connection\n  metadata: {name: l}\n  \
                spec: {stableKey: l, component: {key: c}, type: t, credentials: Customer}\n- {apiVersion: v1, kind: Pod}\n";
    let all = vec![
        format!("{HEAD}{good}"),
        format!("{HEAD}{good}# a comment\n\n"),
        format!("{HEAD}{anchors}"),
        format!("{HEAD}{invalid}"),
        other_kind.to_string(),
        list.to_string(),
        "---\n# nothing\n".to_string(),
        "---\na: [\n".to_string(),
        "# a comment\n\n".to_string(),
    ];
    prop::sample::select(all.into_iter().map(|text| &*text.leak()).collect::<Vec<&str>>())
}

/// All that a reading says, without the file that it shares.
fn seen(read: &DocumentsRead) -> String {
    format!("{read:#?}")
}
