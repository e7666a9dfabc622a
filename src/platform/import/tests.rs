use super::*;
use crate::api::{Credentials, Input, Means, Resource, rules};
use crate::platform::definition::EmptiedPlace;
use crate::platform::definition::tests::{all, definition, named};

fn import(files: &[(&str, &str)], reusable: &Reusable) -> ImportedTenant {
    let files: Vec<ImportFile> = files.iter().map(|(name, text)| ImportFile { name, bytes: text.as_bytes() }).collect();
    plan_import(&files, reusable, &Existing::default())
}

/// An integration with this name, one visible connection variable, and these inputs of the organization.
fn integration(name: &str, variable: &str, inputs: &str) -> String {
    let variable = format!(
        "  - key: {variable}\n    dataType: connection\n    connection: {{key: oauth2, component: {{key: acme, isPublic: true}}}}\n    inputs: {inputs}\n"
    );
    definition(&variable, "      []\n").replace("name: T", &format!("name: {name}"))
}

fn keys(import: &ImportedTenant) -> Vec<&str> {
    import.connections.iter().map(|connection| connection.spec.stable_key.as_str()).collect()
}

const OURS: &str = "{tokenUrl: {value: 'https://a.example/token', meta: {orgOnly: true}}, clientId: {value: ID, meta: {orgOnly: true}}, user: {value: x}}";

#[test]
fn without_being_asked_connections_stay_the_integrations_own() {
    for (file, bytes) in all() {
        let import = plan_import(&[ImportFile { name: &file, bytes: &bytes }], &Reusable::none(), &Existing::default());
        assert!(import.connections.is_empty() && !import.has_errors(), "{file}: {:?}", import.notes);
        let integration = &import.integrations[0];
        assert_eq!(integration.definition, definition::empty_secrets(&bytes).unwrap().0);
    }
}

#[test]
fn whatever_is_made_keeps_the_rules() {
    let files = all();
    let files: Vec<ImportFile> = files.iter().map(|(name, bytes)| ImportFile { name, bytes }).collect();
    for reusable in [Reusable::none(), Reusable::all()] {
        let import = plan_import(&files, &reusable, &Existing::default());
        let components = import.components.iter().cloned().map(Resource::from);
        let connections = import.connections.iter().cloned().map(Resource::from);
        let integrations = import.integrations.iter().map(|i| Resource::from(i.object.clone()));
        for resource in components.chain(connections).chain(integrations) {
            assert_eq!(rules::violations(&resource), [], "{resource:?}");
        }
        assert_eq!(import.integrations.len(), files.len());
        assert!(!import.connections.iter().any(|c| c.spec.credentials == Credentials::OrganizationGlobal));
        let paths: Vec<String> = super::files(&import).unwrap().into_iter().map(|file| file.path).collect();
        assert!(paths.windows(2).all(|pair| pair[0] < pair[1]), "{paths:?}");
        let mut shuffled = files.clone();
        shuffled.reverse();
        let again = plan_import(&shuffled, &reusable, &Existing::default());
        assert_eq!(super::files(&again).unwrap(), super::files(&import).unwrap());
        assert_eq!(again.notes, import.notes);
    }
}

#[test]
fn an_input_becomes_what_the_definition_says_of_it() {
    let inputs = "{tokenUrl: {value: 'https://a.example/token', meta: {orgOnly: true}}, clientSecret: {value: hunter2, meta: {orgOnly: true}}, \
        clientId: {value: REDACTED, meta: {orgOnly: true}}, scopes: {value: '', meta: {orgOnly: true}}, instance: {value: 'x'}, password: {value: y}}";
    let import = import(&[("a.yml", &integration("A", "Acme", inputs))], &Reusable::all());
    let connection = &import.connections[0];
    assert_eq!((connection.name(), connection.spec.stable_key.as_str()), ("acme-oauth2", "acme-oauth2"));
    assert_eq!(connection.spec.credentials, Credentials::Customer);
    let want = BTreeMap::from([
        ("tokenUrl".to_string(), Input::value("https://a.example/token")),
        ("clientSecret".to_string(), Input::secret("acme-oauth2", "clientSecret")),
        ("instance".to_string(), Input::PER_CUSTOMER),
        ("password".to_string(), Input::PER_CUSTOMER),
    ]);
    assert_eq!(connection.spec.inputs, want);
    assert_eq!(import.integrations[0].object.spec.connections, [Variable::bound("Acme", "acme-oauth2")]);
    let left: Vec<_> = import
        .notes
        .iter()
        .filter_map(
            |n| if let ImportNote::LeftOut { input, why, .. } = n { Some((input.as_str(), *why)) } else { None },
        )
        .collect();
    assert_eq!(left, [("clientId", LeftOutWhy::Placeholder), ("scopes", LeftOutWhy::Empty)]);
    assert!(import.notes.iter().any(|note| matches!(note, ImportNote::Reconnect { key, .. } if key == "acme-oauth2")));
}

#[test]
fn what_the_customer_does_not_see_is_supplied_per_customer_by_us() {
    let (name, bytes) = named("organization-only.yml");
    let import = plan_import(&[ImportFile { name: &name, bytes: &bytes }], &Reusable::all(), &Existing::default());
    assert_eq!(import.connections[0].spec.credentials, Credentials::OrganizationCustomer);
    assert_eq!(keys(&import), ["parcel-queue-keypair"]);
}

#[test]
fn only_the_named_variables_become_reusable() {
    let (name, bytes) = named("two-own.yml");
    let names = ["Granary Connection", "Grannary"].map(|name| (name.to_string(), None)).into();
    let import = plan_import(
        &[ImportFile { name: &name, bytes: &bytes }],
        &Reusable { names, ..Reusable::none() },
        &Existing::default(),
    );
    assert_eq!(keys(&import), ["granary-oauth2"]);
    let means: Vec<bool> =
        import.integrations[0].object.spec.connections.iter().map(|v| matches!(v.means, Means::Own(_))).collect();
    assert_eq!(means, [true, false]);
    assert!(import.has_errors());
    assert_eq!(
        import.notes[0].to_string(),
        "--reusable \"Grannary\": no connection variable has this name; there are: Granary Connection, Quill Connection"
    );
}

#[test]
fn two_variables_of_one_integration_never_share() {
    let one = integration("A", "First", OURS);
    let second = one.lines().skip(3).take(4).collect::<Vec<_>>().join("\n").replace("First", "Second");
    let both = one.replace("flows:", &format!("{second}\nflows:"));
    let import = import(&[("a.yml", &both)], &Reusable::all());
    let keys = keys(&import);
    assert!(
        keys.len() == 2 && keys[0] != keys[1] && keys.iter().all(|key| key.starts_with("acme-oauth2-")),
        "{keys:?}"
    );
    assert!(import.notes.iter().any(|n| matches!(n, ImportNote::KeyTaken { key, .. } if key == keys[1])));
}

#[test]
fn two_integrations_share_only_where_all_global_values_agree() {
    let a = integration("A", "Acme", OURS);
    let customers_differ = integration("B", "Acme", &OURS.replace("{value: x}", "{value: y}"));
    let globals_differ = integration("C", "Acme", &OURS.replace("ID", "OTHER"));
    let secret = |value: &str| {
        integration("D", "Acme", &format!("{{clientSecret: {{value: {value}, meta: {{orgOnly: true}}}}}}"))
    };
    let all = |files: &[(&str, &str)]| {
        let import = import(files, &Reusable::all());
        let bound: Vec<String> = import
            .integrations
            .iter()
            .map(|i| i.object.spec.connections[0].stable_key().unwrap().to_string())
            .collect();
        bound
    };
    assert_eq!(all(&[("a", &a), ("b", &customers_differ)]), ["acme-oauth2", "acme-oauth2"]);
    // If two would have the same name, each gets its own ending, in any order.
    let differ = |files: &[(&str, &str)]| {
        let keys = all(files);
        let different: BTreeSet<&String> = keys.iter().collect();
        assert!(different.len() == files.len() && keys.iter().all(|key| key.starts_with("acme-oauth2-")), "{keys:?}");
        keys
    };
    let mut there_and_back = differ(&[("a", &a), ("c", &globals_differ)]);
    there_and_back.reverse();
    assert_eq!(differ(&[("a", &globals_differ), ("c", &a)]), there_and_back);
    assert_eq!(all(&[("a", &secret("one-secret")), ("b", &secret("one-secret"))]), ["acme-oauth2", "acme-oauth2"]);
    differ(&[("a", &secret("one-secret")), ("b", &secret("two-secret"))]);
    differ(&[("a", &secret("one-secret")), ("b", &secret("two-secret")), ("c", &secret("three"))]);
}

#[test]
fn connections_of_the_tenant_are_shared_or_left_alone() {
    let text = integration("A", "Acme", OURS);
    let first = import(&[("a", &text)], &Reusable::all());
    let file = [ImportFile { name: "b", bytes: text.as_bytes() }];
    let existing = Existing { connections: &first.connections, ..Existing::default() };
    let shared = plan_import(&file, &Reusable::all(), &existing);
    assert_eq!(
        (keys(&shared), shared.integrations[0].object.spec.connections[0].stable_key()),
        (vec![], Some("acme-oauth2"))
    );
    let mut other = first.connections.clone();
    other[0].spec.credentials = Credentials::OrganizationGlobal;
    let existing = Existing { connections: &other, ..Existing::default() };
    assert!(keys(&plan_import(&file, &Reusable::all(), &existing))[0].starts_with("acme-oauth2-"));
}

#[test]
fn names_that_meet_or_lose_letters_get_an_ending() {
    let files = [
        ("a", integration("Lead Router", "C", "{}")),
        ("b", integration("lead router", "C", "{}")),
        ("c", integration("日本", "C", "{}")),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let import = import(&files, &Reusable::none());
    let names: Vec<&str> = import.integrations.iter().map(|i| i.object.name()).collect();
    assert_eq!(names, ["lead-router-a7da2b", "lead-router-bed8b9", "integration-cf2abf"]);
    let notes: Vec<String> = import.notes.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(notes.join("\n"));
}

#[test]
fn an_integration_imported_again_keeps_the_bindings_that_people_made() {
    let text = integration("A", "Acme", OURS);
    let mut there = import(&[("a", &text)], &Reusable::none()).integrations.remove(0).object;
    there.spec.connections = vec![Variable::bound("Acme", "acme-eu")];
    there.metadata.labels.insert("team".into(), "crm".into());
    let there = [there];
    let existing = Existing { integrations: &there, ..Existing::default() };
    let again = plan_import(&[ImportFile { name: "a", bytes: text.as_bytes() }], &Reusable::all(), &existing);
    assert_eq!(again.integrations[0].object, there[0]);
    assert!(again.integrations[0].state == ImportState::Replaced && again.connections.is_empty());
}

#[test]
fn a_binding_without_a_type_asks_for_it() {
    let (name, bytes) = named("reusable-one.yml");
    let import = plan_import(&[ImportFile { name: &name, bytes: &bytes }], &Reusable::all(), &Existing::default());
    assert!(import.connections.is_empty());
    assert_eq!(
        import.integrations[0].object.spec.connections,
        [Variable::bound("Orchard Connection", "orchard-api-key")]
    );
    assert_eq!(
        import.notes[0].to_string(),
        "orchard-orders: \"Orchard Connection\" is bound to orchard-api-key, which is missing here: of which component and type is it? Its steps are of orchard (private); the definition does not show the type. Write connections/orchard-api-key.yaml, or import the tenant with --print-query"
    );
}

#[test]
fn what_cannot_be_imported_holds_back_only_itself() {
    let long = "k".repeat(64);
    let key = definition(
        &format!("  - {{key: C, useScopedConfigVar: {long}}}\n  - {{key: D, useScopedConfigVar: a b}}\n"),
        "      []\n",
    );
    let workflow = "definitionVersion: 1\ndefinitionType: workflow\nname: W\nflow: {}\n";
    let import = import(&[("a.yml", "name: [\n"), ("b.yml", workflow), ("c.yml", &key)], &Reusable::none());
    assert_eq!(import.integrations.len(), 1);
    assert!(import.integrations[0].object.spec.connections.is_empty() && import.has_errors());
    let notes: Vec<String> = import.notes.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(notes.join("\n"));
}

#[test]
fn components_that_are_there_stay_as_they_are() {
    let text = integration("A", "Acme", "{}");
    let files = [ImportFile { name: "a", bytes: text.as_bytes() }];
    let mut there = plan_import(&files, &Reusable::none(), &Existing::default()).components;
    assert_eq!(there.len(), 1);
    there[0].spec.types[0].key = "other".into();
    let existing = Existing { components: &there, ..Existing::default() };
    let import = plan_import(&files, &Reusable::none(), &existing);
    assert!(import.components.is_empty());
    assert_eq!(
        import.notes[0].to_string(),
        "component acme: it is used with oauth2, which its manifest does not list: add it"
    );
}

#[test]
fn a_canary_is_in_nothing_that_leaves() {
    const CANARY: &str = "canary-5ecret-in-a-coal-mine";
    let inputs = format!(
        "{{clientSecret: {{value: {CANARY}, meta: {{orgOnly: true}}}}, password: {CANARY}1, pin: {{value: '{CANARY}2', meta: {{writeOnly: true}}}}}}"
    );
    let good = integration("A", "Acme", &inputs);
    let bad = good.replace("name: A", &format!("name: A\nname: {CANARY}"));
    let remaining = good.replace("flows:", &format!("# {CANARY}3\nflows:"));
    for text in [good, bad, remaining] {
        for reusable in [Reusable::none(), Reusable::all()] {
            let import = import(&[("a.yml", &text)], &reusable);
            let files = super::files(&import).unwrap();
            let bytes: Vec<u8> = files.iter().flat_map(|file| file.bytes.clone()).collect();
            let notes: String = import.notes.iter().map(ToString::to_string).collect();
            let all = format!("{import:?} {files:?} {notes} {}", String::from_utf8(bytes).unwrap());
            assert!(!all.contains(CANARY), "{notes}");
        }
    }
}

#[test]
fn endpoint_keys_and_step_secrets_are_named() {
    let text = definition("  []\n", "      - name: S\n        inputs: {apiKey: {value: hunter2}}\n");
    let import = import(&[("a.yml", &text)], &Reusable::none());
    assert!(import.notes.iter().any(
        |n| matches!(n, ImportNote::SecretEmptied { emptied, .. } if matches!(emptied.place, EmptiedPlace::Step { .. }))
    ));
}

#[test]
fn the_report_of_definitions() {
    for (name, files, reusable) in [
        ("shared", &["two-own.yml", "shared-own.yml", "version-none-mapping.yaml"][..], Reusable::all()),
        ("placeholders", &["placeholders.yaml"], Reusable::none()),
        ("code_native", &["code-native.yaml", "reusable-one.yml"], Reusable::all()),
        ("own", &["connections-own.yml", "inputs.yml", "secrets.yml"], Reusable::all()),
    ] {
        let files: Vec<(String, Vec<u8>)> = files.iter().map(|file| named(file)).collect();
        let files: Vec<ImportFile> = files.iter().map(|(name, bytes)| ImportFile { name, bytes }).collect();
        let import = plan_import(&files, &reusable, &Existing::default());
        let files = super::files(&import).unwrap();
        insta::assert_snapshot!(name, crate::platform::import::report(&import, &files, "us-prod"));
        let yaml: Vec<String> = files
            .iter()
            .filter(|file| file.path.ends_with(".yaml"))
            .map(|file| format!("# {}\n{}", file.path, String::from_utf8(file.bytes.clone()).unwrap()))
            .collect();
        insta::assert_snapshot!(format!("{name}_files"), yaml.join("---\n"));
    }
}

#[test]
fn a_tenant_is_added_behind_what_is_there() {
    let new = tenant_document("", "us-prod", folder_tenant("us-prod")).unwrap();
    insta::assert_snapshot!(new);
    assert_eq!(
        tenant_document("# mine\r\na: 1", "x", folder_tenant("x")).unwrap(),
        format!(
            "# mine\r\na: 1\r\n---\r\n{}",
            tenant_document("", "x", folder_tenant("x")).unwrap().replace('\n', "\r\n")
        )
    );
}

/// An import into a tenant beside another one.
fn beside(files: &[(&str, &str)], tenant: &str, there: &ImportedTenant, reusable: &Reusable) -> ImportedTenant {
    let files: Vec<ImportFile> = files.iter().map(|(name, text)| ImportFile { name, bytes: text.as_bytes() }).collect();
    let integrations = there.integrations.iter().map(|i| i.object.clone()).collect();
    let elsewhere = [OtherTenant { tenant: tenant.into(), integrations, connections: there.connections.clone() }];
    plan_import(&files, reusable, &Existing { elsewhere: &elsewhere, ..Existing::default() })
}

fn key_of(import: &ImportedTenant, title: &str) -> String {
    let integration = import.integrations.iter().find(|i| i.object.spec.title.as_deref() == Some(title)).unwrap();
    integration.object.spec.connections[0].stable_key().unwrap().to_string()
}

/// "A function of the thing itself": one connection has one key in every tenant, and one key means one connection.
#[test]
fn one_connection_has_one_key_in_every_tenant() {
    let billing = integration("Billing", "Chat", OURS);
    let alerts = integration("Alerts", "Chat", &OURS.replace("ID", "OTHER"));
    let us = import(&[("alerts", &alerts), ("billing", &billing)], &Reusable::all());
    let eu = beside(&[("billing", &billing)], "us", &us, &Reusable::all());
    assert_eq!(key_of(&eu, "Billing"), key_of(&us, "Billing"));
    assert_ne!(key_of(&us, "Alerts"), key_of(&us, "Billing"));
    // In the other direction.
    let eu = import(&[("billing", &billing)], &Reusable::all());
    let us = beside(&[("alerts", &alerts), ("billing", &billing)], "eu", &eu, &Reusable::all());
    assert_eq!(key_of(&us, "Billing"), key_of(&eu, "Billing"));
    assert_ne!(key_of(&us, "Alerts"), key_of(&us, "Billing"));
    // A key with another meaning there is not reused, and the note reports it.
    let us = beside(&[("alerts", &alerts)], "eu", &eu, &Reusable::all());
    assert_ne!(key_of(&us, "Alerts"), "acme-oauth2");
    let notes = us.notes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(notes.contains("acme-oauth2 is another connection in eu"), "{notes}");
}

/// The same for integrations, by their titles.
#[test]
fn one_integration_has_one_name_in_every_tenant() {
    let (stock, customers) = (integration("库存", "C", "{}"), integration("客户", "C", "{}"));
    let us = import(&[("a", &customers), ("b", &stock)], &Reusable::none());
    let eu = import(&[("a", &stock)], &Reusable::none());
    assert_eq!(eu.integrations[0].object.name(), us.integrations[1].object.name());
    assert_ne!(us.integrations[0].object.name(), us.integrations[1].object.name());
    let (plain, dotted) = (integration("Order sync", "C", "{}"), integration("Order.sync", "C", "{}"));
    let us = import(&[("a", &plain)], &Reusable::none());
    let eu = beside(&[("a", &dotted), ("b", &plain)], "us", &us, &Reusable::none());
    assert_eq!(eu.integrations[1].object.name(), "order-sync");
    assert!(eu.integrations[0].object.name().starts_with("order-sync-"));
}

/// `--reusable "Variable=key"`.
#[test]
fn a_person_chooses_a_key() {
    let choose =
        |key: &str| Reusable { names: [("Chat".to_string(), Some(key.to_string()))].into(), ..Reusable::none() };
    let text = integration("A", "Chat", OURS);
    assert_eq!(key_of(&import(&[("a", &text)], &choose("team-chat")), "A"), "team-chat");
    // One key for two connections that differ is an error.
    let other = integration("B", "Chat", &OURS.replace("ID", "OTHER"));
    let both = import(&[("a", &text), ("b", &other)], &choose("team-chat"));
    assert!(both.has_errors() && keys(&both) == ["team-chat"]);
    // An existing connection is used if it has the same component, type and credentials.
    let mut there = import(&[("a", &text)], &choose("team-chat")).connections;
    let files = [ImportFile { name: "b", bytes: other.as_bytes() }];
    let again = |there: &[Object<ConnectionSpec>]| {
        plan_import(&files, &choose("team-chat"), &Existing { connections: there, ..Existing::default() })
    };
    assert!(keys(&again(&there)).is_empty() && key_of(&again(&there), "B") == "team-chat");
    there[0].spec.type_ = "basic".into();
    assert!(again(&there).has_errors());
}

/// "Renamed and vanished variables are named; nothing bound is dropped silently."
#[test]
fn a_bound_variable_that_went_is_named() {
    let before = integration("A", "Chat", OURS);
    let mut there = import(&[("a", &before)], &Reusable::none()).integrations.remove(0).object;
    there.spec.connections = vec![Variable::bound("Chat", "chat-main")];
    let there = [there];
    let after = integration("A", "Team chat", OURS);
    let files = [ImportFile { name: "a", bytes: after.as_bytes() }];
    let again = plan_import(&files, &Reusable::none(), &Existing { integrations: &there, ..Existing::default() });
    let notes = again.notes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(notes.contains("\"Chat\", which is bound to chat-main, is not in the definition any more"), "{notes}");
    assert!(notes.contains("new is \"Team chat\": if it is that, bind it to chat-main"), "{notes}");
    // The definition itself binds it.
    let own = "connection: {key: oauth2, component: {key: acme, isPublic: true}}";
    let bound = |variable: &str, key: &str| {
        integration("A", variable, "{}").replace(own, &format!("useScopedConfigVar: {key}"))
    };
    let notes = |text: &str| {
        let files = [ImportFile { name: "a", bytes: text.as_bytes() }];
        let again = plan_import(&files, &Reusable::none(), &Existing { integrations: &there, ..Existing::default() });
        again.notes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let renamed = notes(&bound("Team chat", "chat-main"));
    assert!(renamed.contains("\"Team chat\" is bound to chat-main in its place"), "{renamed}");
    assert!(!renamed.contains("if it is that"), "{renamed}");
    // "nothing bound is dropped silently"
    let rebound = notes(&bound("Chat", "chat-new"));
    assert!(rebound.contains("\"Chat\" was bound to chat-main, and is bound to chat-new now"), "{rebound}");
    assert!(!notes(&bound("Chat", "chat-main")).contains("was bound"));
}

/// "Re-import: renamed and vanished variables, integrations and connections are named, with the nearest of the same
/// component and type".
#[test]
fn what_vanished_is_named_where_all_was_imported() {
    let files = |all: &[(&str, &str)]| {
        let of = |(name, title): &(&str, &str)| (name.to_string(), integration(title, "Chat", OURS));
        all.iter().map(of).collect::<Vec<_>>()
    };
    let read = |all: &[(String, String)], existing: &Existing<'_>| {
        let files: Vec<ImportFile<'_>> =
            all.iter().map(|(name, text)| ImportFile { name, bytes: text.as_bytes() }).collect();
        plan_import(&files, &Reusable::none(), existing)
    };
    let first = read(&files(&[("a", "Alarms"), ("b", "Bills")]), &Existing::default());
    let mut there: Vec<_> = first.integrations.into_iter().map(|imported| imported.object).collect();
    there[0].spec.connections = vec![Variable::bound("Chat", "chat-main")];
    let connection = |key: &str| {
        let (component, type_) = match &import(&[("a", &integration("A", "Chat", OURS))], &Reusable::none())
            .integrations[0]
            .object
            .spec
            .connections[0]
            .means
        {
            api::Means::Own(own) => (own.component.clone(), own.type_.clone()),
            api::Means::StableKey(_) => panic!(),
        };
        let spec = ConnectionSpec {
            stable_key: key.into(),
            title: None,
            description: None,
            component,
            type_,
            credentials: Credentials::Customer,
            embedded_workflows: None,
            inputs: BTreeMap::new(),
            test: None,
            replaces: Vec::new(),
            deletion_policy: None,
        };
        Object::new(key, spec)
    };
    let connections = [connection("chat-main"), connection("never-used")];
    let existing = Existing { integrations: &there, connections: &connections, is_all: true, ..Existing::default() };
    let notes = |import: ImportedTenant| {
        let reported = |note: &&ImportNote| {
            matches!(
                note,
                ImportNote::IntegrationGone { .. }
                    | ImportNote::ConnectionUnused { .. }
                    | ImportNote::ConnectionGone { .. }
            )
        };
        import.notes.iter().filter(reported).map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(notes(read(&files(&[("a", "Alarms"), ("b", "Bills")]), &existing)), Vec::<String>::new());
    // A renamed and a removed variable.
    assert_eq!(
        notes(read(&files(&[("a", "Alarms of today"), ("b", "Bills")]), &existing)),
        [
            "integration alarms (\"Alarms\") is not among what was imported, and stays; new is alarms-of-today: if it is that, \
             move its bindings there, and remove integrations/alarms.yaml and its definition"
        ]
    );
    assert_eq!(
        notes(read(&files(&[("b", "Bills")]), &existing)),
        ["integration alarms (\"Alarms\") is not among what was imported, and stays; if it is gone on the platform, \
             remove integrations/alarms.yaml and its definition"]
    );
    // Neither one file nor a folder with an unreadable file covers the whole tenant.
    let one = Existing { is_all: false, ..existing };
    assert_eq!(notes(read(&files(&[("b", "Bills")]), &one)), Vec::<String>::new());
    let broken = [files(&[("b", "Bills")]), vec![("c".to_string(), "[".to_string())]].concat();
    assert_eq!(notes(read(&broken, &existing)), Vec::<String>::new());
    // The platform binds it to another key now.
    let own = "connection: {key: oauth2, component: {key: acme, isPublic: true}}";
    let rebound = integration("Alarms", "Chat", "{}").replace(own, "useScopedConfigVar: chat-new");
    let rebound = vec![("a".to_string(), rebound), files(&[("b", "Bills")]).remove(0)];
    let connections = [connection("chat-main"), connection("chat-new")];
    let existing = Existing { connections: &connections, ..existing };
    assert_eq!(
        notes(read(&rebound, &existing)),
        ["connection chat-main: no integration is bound to it any more; one is bound to chat-new now"]
    );
}
