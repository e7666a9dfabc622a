//! The required content of tests/definitions: every construct that is known from exported definitions.

use super::super::*;
use super::{current, definitions_in, folder, old};
use crate::platform::answer::tests::api_types::api_types;
use std::collections::BTreeSet;
use std::path::Path;

/// The constructs in all of the project's definitions of the current version.
fn found(of: &dyn Fn(ValueView<'_>, &mut BTreeSet<String>)) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (file, bytes) in current() {
        let text = to_utf8(&bytes).unwrap();
        let Ok(Some(tree)) = DefinitionTree::parse(&text) else { panic!("{file}") };
        of(tree.root(), &mut found);
    }
    found
}

fn set(names: &str) -> BTreeSet<String> {
    names.split_whitespace().map(str::to_string).collect()
}

fn keys(view: ValueView<'_>, into: &mut BTreeSet<String>) {
    into.extend(view.entries().filter_map(|(name, _)| name.text()).map(str::to_string));
}

fn text(view: Option<ValueView<'_>>, into: &mut BTreeSet<String>) {
    into.extend(view.and_then(ValueView::text).map(str::to_string));
}

/// Every mapping in a value, including itself, at any depth.
fn mappings<'t>(view: ValueView<'t>, act: &mut dyn FnMut(ValueView<'t>)) {
    if view.is_mapping() {
        act(view);
    }
    view.entries().map(|(_, value)| value).chain(view.items()).for_each(|child| mappings(child, act));
}

fn variables(root: ValueView<'_>) -> impl Iterator<Item = ValueView<'_>> {
    root.get("requiredConfigVars").into_iter().flat_map(ValueView::items)
}

fn flows(root: ValueView<'_>) -> impl Iterator<Item = ValueView<'_>> {
    root.get("flows").into_iter().flat_map(ValueView::items)
}

fn steps(root: ValueView<'_>, act: &mut dyn FnMut(ValueView<'_>)) {
    super::super::steps::for_each_step(root, &mut |step| act(step.view));
}

#[test]
fn every_field_is_in_one_of_them() {
    let top = "definitionVersion name description documentation category labels version defaultInstanceProfile \
        endpointType preprocessFlowName externalCustomerIdField externalCustomerUserIdField flowNameField \
        requiredConfigVars configPages flows renameAttributes isCodeNative importMetadata";
    let mut there = found(&keys);
    there.retain(|name| !name.starts_with("x-"));
    assert_eq!(there, set(top));

    let variable = "key stableKey dataType description defaultValue orgOnly meta connection inputs \
        onPremiseConnectionConfig useScopedConfigVar dataSource scheduleType timeZone collectionType codeLanguage \
        credentialTypes pickList";
    assert_eq!(found(&|root, into| variables(root).for_each(|variable| keys(variable, into))), set(variable));
    let connection = |root: ValueView<'_>, into: &mut BTreeSet<String>| {
        variables(root).filter_map(|variable| variable.get("connection")).for_each(|connection| keys(connection, into));
    };
    assert_eq!(found(&connection), set("key component template"));
    let metas = |root: ValueView<'_>, into: &mut BTreeSet<String>| {
        variables(root).for_each(|variable| {
            mappings(variable, &mut |m| m.get("meta").into_iter().for_each(|meta| keys(meta, into)))
        });
    };
    let meta = "orgOnly visibleToOrgDeployer visibleToCustomerDeployer isVisibleToOrgDeployer \
        isVisibleToCustomerDeployer writeOnly oAuthSuccessRedirectUri oAuthFailureRedirectUri";
    assert_eq!(found(&metas), set(meta));

    let flow = "name stableKey description isSynchronous isAgentFlow endpointSecurityType organizationApiKeys \
        retryConfig queueConfig triggerResolver schemas supplementalComponents renameAttributes steps";
    assert_eq!(found(&|root, into| flows(root).for_each(|flow| keys(flow, into))), set(flow));
    let step = "name stableKey description isTrigger action inputs schedule errorConfig branches steps";
    assert_eq!(found(&|root, into| steps(root, &mut |step| keys(step, into))), set(step));
    let component = |root: ValueView<'_>, into: &mut BTreeSet<String>| {
        mappings(root, &mut |m| {
            m.get("component").into_iter().for_each(|component| keys(component, into));
        });
    };
    assert_eq!(found(&component), set("key isPublic version signature"));
    let renamed = |root: ValueView<'_>, into: &mut BTreeSet<String>| {
        mappings(root, &mut |m| m.get("renameAttributes").into_iter().for_each(|renamed| keys(renamed, into)));
    };
    assert_eq!(found(&renamed), set("requiredConfigVars flows steps"));
}

/// Fields with a closed list of values, and the API's name of the list.
const LISTS: [(&str, &str, &str); 9] = [
    (
        "dataType",
        "RequiredConfigVariableDataType",
        "string date timestamp picklist schedule code credential connection boolean number objectSelection \
         objectFieldMap jsonForm",
    ),
    ("scheduleType", "RequiredConfigVariableScheduleType", "none once custom minute hour day week"),
    ("collectionType", "RequiredConfigVariableCollectionType", "valuelist keyvaluelist"),
    ("codeLanguage", "RequiredConfigVariableCodeLanguage", "json xml html"),
    ("onPremiseConnectionConfig", "RequiredConfigVariableOnPremiseConnectionConfig", "allowed disallowed required"),
    ("endpointType", "IntegrationEndpointType", "flow_specific instance_specific shared_instance"),
    (
        "endpointSecurityType",
        "IntegrationFlowEndpointSecurityType",
        "unsecured customer_optional customer_required organization",
    ),
    ("errorHandlerType", "IntegrationActionErrorHandlerType", "fail ignore retry"),
    ("", "ExpressionType", "value configVar reference template complex"),
];

#[test]
fn every_value_of_a_closed_list_is_in_one_of_them() {
    for (field, _, values) in LISTS.iter().filter(|(field, ..)| !field.is_empty()) {
        let there = found(&|root, into| mappings(root, &mut |m| text(m.get(field), into)));
        assert_eq!(there, set(values), "{field}");
    }
    let of_inputs = |root: ValueView<'_>, into: &mut BTreeSet<String>| {
        mappings(root, &mut |m| {
            let inputs = m.get("inputs").into_iter().flat_map(ValueView::entries);
            inputs.for_each(|(_, input)| mappings(input, &mut |value| text(value.get("type"), into)));
        });
    };
    assert_eq!(found(&of_inputs), set(LISTS[8].2));
    let of_elements = |root: ValueView<'_>, into: &mut BTreeSet<String>| {
        mappings(root, &mut |m| {
            let elements = m.get("elements").into_iter().flat_map(ValueView::items);
            elements.for_each(|element| text(element.get("type"), into));
        });
    };
    assert_eq!(found(&of_elements), set("configVar htmlElement jsonForm"));
}

/// The lists above equal those of the API.
#[test]
fn the_api_has_no_value_that_none_of_them_has() {
    let Some(types) = api_types() else { return };
    for (_, name, values) in LISTS {
        let ours: BTreeSet<String> = set(values).iter().map(|value| value.to_uppercase()).collect();
        let theirs = types.get(name).unwrap_or_else(|| panic!("the API has no {name}"));
        assert!(ours.is_superset(theirs), "{name}: {:?}", theirs.difference(&ours));
    }
}

#[test]
fn every_version_is_there() {
    let version = |(file, bytes): &(String, Vec<u8>)| match read(bytes).unwrap_or_else(|e| panic!("{file}: {e}")).format
    {
        DefinitionFormat::Older { version } => version,
        other => panic!("{file} is {other:?}"),
    };
    assert_eq!(old().iter().map(version).collect::<BTreeSet<_>>(), [None, Some(2), Some(4), Some(6)].into());
    let formats: Vec<DefinitionFormat> = current().iter().map(|(_, bytes)| read(bytes).unwrap().format).collect();
    assert!(formats.iter().all(|format| matches!(format, DefinitionFormat::Current | DefinitionFormat::CodeNative)));
    assert!(formats.contains(&DefinitionFormat::Current) && formats.contains(&DefinitionFormat::CodeNative));
    let stated: BTreeSet<String> = folder("newer")
        .iter()
        .map(|(_, bytes)| String::from_utf8(bytes.clone()).unwrap().lines().next().unwrap().to_string())
        .collect();
    for version in ["8", "70", "7.0", "seven", "'7 or so'", "[7]", "{major: 7}", "-7", "18446744073709551623"] {
        assert!(stated.contains(&format!("definitionVersion: {version}")), "{version}");
    }
}

#[test]
fn every_encoding_and_form_is_there() {
    let files = current();
    let starts = |with: &[u8]| files.iter().any(|(_, bytes)| bytes.starts_with(with));
    assert!(starts(b"\xEF\xBB\xBF") && starts(b"\xFF\xFE") && starts(b"\xFE\xFF") && starts(b"c\0"));
    assert!(starts(b"{\n") && starts(b"{\"") && starts(b"%YAML"));
    let has = |text: &str| files.iter().any(|(_, bytes)| String::from_utf8_lossy(bytes).contains(text));
    for construct in ["\r\n", " &", " *", "!!str", "? ", "|+", ">-", "|2-", "'it''s", "\\U0001F54A", "\n...\n", "# "] {
        assert!(has(construct), "{construct:?}");
    }
    assert!(
        files.iter().any(|(_, bytes)| bytes.last() != Some(&b'\n') && !bytes.contains(&0)),
        "no line break at the end"
    );
}

#[test]
fn titles_are_in_many_scripts() {
    let titles: Vec<String> = current().iter().map(|(_, bytes)| read(bytes).unwrap().name).collect();
    for (script, range) in [
        ("Greek", '\u{370}'..='\u{3FF}'),
        ("Cyrillic", '\u{400}'..='\u{4FF}'),
        ("Hebrew", '\u{590}'..='\u{5FF}'),
        ("Arabic", '\u{600}'..='\u{6FF}'),
        ("Devanagari", '\u{900}'..='\u{97F}'),
        ("Thai", '\u{E00}'..='\u{E7F}'),
        ("Kana", '\u{3040}'..='\u{30FF}'),
        ("Chinese", '\u{4E00}'..='\u{9FFF}'),
        ("Hangul", '\u{AC00}'..='\u{D7AF}'),
        ("emoji", '\u{1F300}'..='\u{1FAFF}'),
        ("combining marks", '\u{300}'..='\u{36F}'),
    ] {
        assert!(titles.iter().any(|title| title.chars().any(|c| range.contains(&c))), "{script}");
    }
    assert!(titles.iter().any(|title| title.chars().all(|c| ('\u{4E00}'..='\u{9FFF}').contains(&c))), "nothing else");
    assert!(titles.iter().any(|title| title.chars().count() > 253), "longer than a title may be");
    let names: Vec<String> = titles.iter().map(|title| crate::api::names::of_text(title)).collect();
    let meet = names.iter().filter(|name| !name.is_empty()).any(|a| names.iter().filter(|b| *b == a).count() > 1);
    assert!(meet, "two whose names meet");
}

/// The README describes the purpose of each file, and no other files.
#[test]
fn each_is_described() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/definitions");
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let described: BTreeSet<String> = rows.map(|(file, _)| file.to_string()).collect();
    let there: BTreeSet<String> = ["current", "old", "newer", "refused"]
        .iter()
        .flat_map(|folder| {
            definitions_in(&root.join(folder)).into_iter().map(move |(file, _)| format!("{folder}/{file}"))
        })
        .collect();
    assert_eq!(described, there);
}
