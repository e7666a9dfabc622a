//! A misspelled name fails and never disables a rule: a component, type, input or tenant that names nothing is reported
//! at its line, with the nearest name.

use crate::edges::files::*;

/// A misspelled type, and a secret that only the type marks as one.
#[test]
fn a_misspelled_type_is_reported_at_its_line_and_read_strictly() {
    let component =
        component_yaml().replace("        scopes: {}\n", "        scopes: {}\n        pin: {secret: true}\n");
    let root = two_tenants()
        .with("dev/components/chat.yaml", &component)
        .edit("dev/connections/chat-main.yaml", "type: oauth2", "type: outh2")
        .edit("dev/connections/chat-main.yaml", "    scopes:", "    pin: {value: CANARY}\n    scopes:");
    let said = root.run(&["validate"]);
    said.exits(1)
        .prints("did you mean oauth2?")
        .prints("dev/connections/chat-main.yaml:8")
        .prints("SK0120")
        .does_not_print("CANARY");
    root.plan().exits(1).does_not_print("CANARY");
    // A misspelled component, too.
    let root = root.edit("dev/connections/chat-main.yaml", "{key: chat}", "{key: chatt}");
    root.run(&["validate"]).exits(1).prints("did you mean chat?").prints("SK0120").does_not_print("CANARY");
}

/// An error if a similar name is offered, else a warning; a tenant without Components reports nothing about them.
///
/// "An error where a near name is offered, else a warning". "a tenant with no Component says nothing of them".
#[test]
fn a_missing_name_with_a_similar_one_is_an_error() {
    let connection = "dev/connections/chat-main.yaml";
    for (from, to, code, text) in [
        ("scopes:", "scope:", 1, "did you mean scopes?"),
        ("scopes:", "zone:", 0, "SK0148"),
        ("type: oauth2", "type: token", 0, "type token of component chat is not there"),
        ("{key: chat}", "{key: mail}", 0, "component mail is not there"),
        ("{key: chat}", "{key: chat, public: false}", 1, "did you mean chat with public: true?"),
    ] {
        let root = two_tenants().without("syncs.yaml").edit(connection, from, to);
        root.run(&["validate"]).exits(code).prints(text);
        root.without("dev/components/chat.yaml").run(&["validate"]).exits(0).does_not_print("SK0148");
    }
    let inferred =
        component_yaml().replace("{name: chat}", "{name: chat, annotations: {stablekey.dev/inferred: \"true\"}}");
    let root = two_tenants().without("syncs.yaml").with("dev/components/chat.yaml", &inferred);
    root.edit(connection, "scopes:", "scope:").run(&["validate"]).exits(0).does_not_print("SK0148");
}

/// What a sync copies is checked at its source, where the fix is offered.
///
/// "What a sync brings is checked at its source".
#[test]
fn copied_objects_are_checked_at_their_source() {
    let root = two_tenants().edit("dev/connections/chat-main.yaml", "scopes:", "zone:");
    let root = root.apply();
    let said = root.plan();
    assert_eq!(said.all.matches("SK0148").count(), 1, "{}", said.all);
    said.prints("zone of type oauth2 is not there: no Component of dev has it");
}

/// An exact integration name that does not exist is unresolved; a pattern that matches nothing is a warning in every
/// output.
///
/// "An exact integration name: unresolved".
#[test]
fn a_missing_integration_of_a_sync_is_unresolved() {
    let named = |name: &str| synced().edit("syncs.yaml", "[\"*\"]", &format!("[greet, {name}]"));
    named("greeet")
        .plan()
        .exits(3)
        .prints("SK0149")
        .prints("dev has no integration greeet")
        .prints("did you mean greet?");
    let root = named("\"lead-*\"");
    root.plan().exits(0).prints("SK0110").prints("lead-* matches no integration of dev");
    root.run(&["status"]).exits(0).prints("SK0110");
}

/// Unknown tenants, in syncs and on the command line, are reported with similar names.
#[test]
fn an_unknown_tenant_fails_with_the_nearest_name() {
    two_tenants()
        .edit("syncs.yaml", "to: [prod]", "to: [pord]")
        .plan()
        .exits(1)
        .prints("did you mean prod?")
        .prints("syncs.yaml:4");
    two_tenants().edit("syncs.yaml", "from: dev", "from: Dev").plan().exits(1).prints("did you mean dev?");
    two_tenants().run(&["plan", "--tenant", "prd"]).exits(1).prints("did you mean prod");
    two_tenants().run(&["plan", "--sync", "dev:prd"]).exits(1).prints("did you mean prod");
}

/// Similar keys, such as my-key, My_Key and slak-bot, are offered before "create a Connection".
#[test]
fn similar_keys_are_suggested_first() {
    for (written, fix) in [
        ("Chat_Main", "dev has chat-main: stable keys are compared letter by letter"),
        ("CHAT-MAIN", "dev has chat-main"),
        ("caht-main", "did you mean chat-main?"),
        ("chat-mian", "did you mean chat-main?"),
    ] {
        let root =
            two_tenants().edit("dev/integrations/greet.yaml", "stableKey: chat-main", &format!("stableKey: {written}"));
        let said = root.plan();
        said.exits(3).prints(fix).prints("dev/integrations/greet.yaml:7");
        // A problem that shows in prod and comes from dev is fixed in dev.
        said.prints(&format!("\"Chat\" names stable key {written}, which dev does not have either"));
        said.prints("correct it in dev").does_not_print(&format!("→ make a Connection {written}"));
    }
}

/// A conflict of writers that causes a missing binding is named.
#[test]
fn the_cause_of_a_missing_connection_is_named() {
    let other = Tenant::new("other").in_folder("other").yaml();
    let sync = sync_yaml().replace("name: up", "name: across").replace("from: dev", "from: other");
    let root = two_tenants()
        .with(
            "tenants.yaml",
            &yaml::file(&[tenants_yaml(), other]).replace("acceptFrom: [dev]", "acceptFrom: [dev, other]"),
        )
        .with("syncs.yaml", &format!("{}---\n{sync}", sync_yaml()))
        .with("other/connections/chat-main.yaml", &connection("chat-main").replace("title: Chat", "title: Other"))
        .with("other/integrations/wave.yaml", &integration("wave", "chat-main", ""));
    let said = root.plan();
    said.exits(1)
        .prints("\"Chat\" needs Connection/chat-main, which is blocked: SK0108")
        .does_not_print("make a Connection");
}

/// An override that matches nothing is an error that blocks what its sync writes to that tenant.
///
/// "An override that matches nothing is an error that holds back what its sync writes to that tenant".
#[test]
fn an_override_that_matches_nothing_fails_closed() {
    let with = |o: &str| {
        let sync = sync_yaml().replace("prune: true}", &format!("prune: true, overrides: [{{{o}, reason: test}}]}}"));
        two_tenants().with("syncs.yaml", &sync)
    };
    let variable = |integration: &str, variable: &str| {
        format!("tenant: prod, integration: {integration}, variable: {variable}, stableKey: chat-eu")
    };
    let input = |tenant: &str, key: &str, input: &str| {
        format!("tenant: {tenant}, stableKey: {key}, input: {input}, value: \"https://eu.example\"")
    };
    for (o, why) in [
        (variable("greeet", "Chat"), "did you mean greet?"),
        (variable("greet", "Caht"), "did you mean Chat?"),
        (variable("nothing-like-it", "Chat"), "dev has no integration nothing-like-it"),
        (input("prod", "chat-mian", "baseUrl"), "did you mean chat-main?"),
        (input("prod", "chat-main", "baseUrll"), "did you mean baseUrl?"),
        (input("pord", "chat-main", "baseUrl"), "did you mean prod?"),
        (input("elsewhere", "chat-main", "baseUrl"), "it is for tenant elsewhere, which is not there"),
        ("tenant: prod, object: Integration/greeet, field: title, keep: true".to_string(), "did you mean greet?"),
    ] {
        let root = with(&o);
        root.plan().exits(1).prints(why).prints("syncs.yaml:4");
        assert_eq!(actions(&root.plan_json()), Vec::<String>::new(), "{o}");
        root.run(&["apply", "--yes"]).exits(1);
        assert!(!root.has("prod/integrations"), "{o}");
    }
    // A correct override is applied.
    let root = with(&input("prod", "chat-main", "baseUrl")).apply();
    assert!(root.read("prod/connections/chat-main.yaml").contains("https://eu.example"));
}

/// A typo in a source's connection is reported once, where it is.
#[test]
fn a_typo_in_a_sources_connection_is_reported_in_the_source() {
    let sync = sync_yaml().replace(
        "prune: true}",
        "prune: true, overrides: [{tenant: prod, stableKey: chat-main, input: baseUrl, value: \"https://eu.example\", reason: test}]}",
    );
    let root = two_tenants()
        .with("syncs.yaml", &sync)
        .without("dev/connections/chat-main.yaml")
        .with("dev/connections/chat-main.yaml", &connection("caht-main"));
    let said = root.plan();
    said.exits(3).prints("did you mean caht-main?").prints("correct it in dev");
    said.does_not_print("SK0122").does_not_print("→ make a Connection");
}

/// A name that is certainly wrong is blocked at every target: the mistake in dev does not reach prod.
#[test]
fn a_misspelled_name_does_not_reach_a_target() {
    for (file, from, to) in [
        ("dev/connections/chat-main.yaml", "scopes:", "scope:"),
        ("dev/connections/chat-main.yaml", "type: oauth2", "type: outh2"),
        ("dev/connections/chat-main.yaml", "{key: chat}", "{key: chatt}"),
    ] {
        // Even if the target has no component.
        let root = two_tenants().without("prod/components").with("prod/note.yaml", "# nothing\n").apply();
        let before = root.read("prod/connections/chat-main.yaml");
        let root = root.edit(file, from, to);
        root.plan().exits(1).prints("blocked Connection/chat-main SK0148").prints("correct it in dev");
        root.run(&["apply", "--yes"]).exits(1);
        assert_eq!(root.read("prod/connections/chat-main.yaml"), before);
    }
    let more = "  definition: {file: greet.definition}\n";
    let root = two_tenants()
        .with("dev/integrations/greet.yaml", &integration("greet", "chat-main", more))
        .with("dev/integrations/greet.definition", &definition("Greet", "7", "chat-main"))
        .apply()
        .edit("dev/integrations/greet.yaml", "name: Chat", "name: Caht");
    root.plan().exits(1).prints("did you mean it where you list \"Caht\"?").prints("blocked Integration/greet SK0148");
    root.run(&["apply", "--yes"]).exits(1);
    assert!(root.read("prod/integrations/greet.yaml").contains("name: Chat"));
}

/// A typo in a sync's tenant does not make the sync "gone"; one in a folder's path names the existing folder.
#[test]
fn a_typo_in_a_tenant_or_a_path_has_no_cascade() {
    let root = synced().edit("syncs.yaml", "to: [prod]", "to: [prd]");
    root.plan().exits(1).prints("did you mean prod?").does_not_print("SK0128");
    let root = synced().edit("tenants.yaml", "path: prod}", "path: prd}");
    root.plan().exits(1).prints("did you mean prod?").does_not_print("mkdir").does_not_print("outside every tenant");
    let root = synced().with("tenants.yaml", "");
    root.plan().exits(1).prints("tenants.yaml").prints("the file is empty").does_not_print("there twice");
}

/// An override for a tenant that is not a target of the sync, or for an unknown input, is an error and blocks what the
/// sync writes there.
///
/// "an override that names nothing: always an error".
#[test]
fn an_override_of_another_tenant_or_of_no_input_is_an_error() {
    for (entry, why) in [
        ("{tenant: dev, stableKey: chat-main, input: scopes, value: x, reason: r}", "to which sync/up does not copy"),
        ("{tenant: prod, stableKey: chat-main, input: colour, value: x, reason: r}", "input colour of type oauth2"),
    ] {
        let root = two_tenants().edit("syncs.yaml", "prune: true", &format!("prune: true, overrides: [{entry}]"));
        root.plan().exits(1).prints(why).does_not_print("warning  TenantSync");
        root.run(&["apply", "--yes"]).exits(1);
        assert!(!root.has("prod/connections/chat-main.yaml"));
    }
}

/// A tenant in `acceptFrom` that does not exist.
#[test]
fn a_misspelled_tenant_in_accept_from_is_reported_at_its_line() {
    let root = two_tenants().edit("tenants.yaml", "acceptFrom: [dev]", "acceptFrom: [dve]");
    root.plan().exits(1).prints("acceptFrom names tenant dve").prints("did you mean dev?").prints("tenants.yaml:11");
}

/// A sync counts against others (cycle, conflict) only if it is accepted.
///
/// "A sync counts against others (cycle, conflict) only where it is accepted".
#[test]
fn an_unaccepted_sync_closes_no_cycle() {
    let back = &Sync::new("back", "prod", "dev").yaml();
    let root = two_tenants().with("back.yaml", back);
    root.plan().exits(3).prints("dev does not accept syncs from prod").does_not_print("SK0109");
    root.run(&["apply", "--yes"]).exits(3);
    assert!(root.has("prod/integrations/greet.yaml"));
}

/// No command writes to a suspended tenant.
#[test]
fn nothing_is_adopted_in_a_suspended_tenant() {
    let root = synced().edit("tenants.yaml", "acceptFrom: [dev]", "acceptFrom: [dev]\n  suspend: true");
    let lock = root.read("prod/stablekey.lock");
    root.run(&["adopt", "prod", "Connection/chat-main"]).exits(1).prints("prod is suspended");
    assert_eq!(root.read("prod/stablekey.lock"), lock);
}

/// A new tenant whose name is similar to another one is created, and reported as new.
#[test]
fn an_import_reports_a_new_tenant() {
    let root = two_tenants().with("exports/greet.yml", &definition("Greet", "7", "chat-main"));
    root.run(&["import", "--tenant", "dve", "exports/greet.yml"])
        .exits(0)
        .prints("Tenant/dve is new here; there is dev too");
}

/// If a component cannot be read, its values may be secrets.
#[test]
fn values_of_a_component_that_cannot_be_read_may_be_secrets() {
    let secret = |root: Project| {
        root.edit(
            "dev/connections/chat-main.yaml",
            "clientSecret: {secretRef: {name: chat, key: clientSecret}}",
            "clientSecret: {value: CANARY}",
        )
        .edit("dev/connections/chat-main.yaml", "clientSecret: {value: CANARY}", "pin: {value: CANARY}")
    };
    let described = component_yaml().replace("scopes: {}", "scopes: {}\n        pin: {secret: true}");
    let kept = |root: &Project| {
        let plan = root.plan();
        assert_eq!(plan.code, 1, "{}", plan.all);
        plan.does_not_print("CANARY");
        root.run(&["apply", "--yes"]).does_not_print("CANARY");
        let written = root.files("prod").values().any(|bytes| String::from_utf8_lossy(bytes).contains("CANARY"));
        assert!(!written, "{}", plan.all);
    };
    for dev in [
        described.replace("- key: oauth2", "- key: oauth2\n      bogus: 1"),
        described.replace("kind: Component", "kind: [Component"),
        format!("{described}---\n{described}"),
        described.replace("stablekey.dev", "stabelkey.dev"),
    ] {
        let root = secret(synced().without("prod/components/chat.yaml").with("dev/components/chat.yaml", &dev));
        let other = component_yaml().replace("chat", "mail");
        kept(&root.with("dev/components/mail.yaml", &other));
    }
}

/// A difference that an override leaves alone is reported: nothing is "in sync" beside a difference.
#[test]
fn kept_overrides_are_in_the_plan() {
    let keep = "{tenant: prod, object: Connection/chat-main, field: title, keep: true, reason: theirs}";
    let root = synced().edit("syncs.yaml", "prune: true", &format!("prune: true, overrides: [{keep}]"));
    root.run(&["apply", "--yes"]);
    root.run(&["status"]).exits(0).prints("✓ in sync:");
    let root = root.edit("dev/connections/chat-main.yaml", "title: Chat", "title: Other");
    root.plan()
        .exits(0)
        .prints("prod 1 overridden")
        .prints("title (Chat; declared: Other)")
        .prints("which leaves it alone");
    root.run(&["status"])
        .exits(0)
        .prints("but for 1 field that is decided otherwise")
        .prints("prod 1 1 1/1 ! 1 overridden")
        .does_not_print("✓ in sync:");
}

/// A key spelled with another separator: the typo is in the source, and is reported there.
#[test]
fn a_key_with_another_separator_is_reported_in_its_source() {
    let root = two_tenants().with("dev/integrations/greet.yaml", &integration("greet", "chat_main", ""));
    let root = root.with("dev/integrations/other.yaml", &integration("other", "chat-main", ""));
    root.plan().exits(3).prints("correct it in dev").does_not_print("which is blocked");
}

/// Nothing is green beside a difference: a sync to an unknown tenant is reported at the tenant that may be meant.
#[test]
fn a_tenant_that_a_broken_sync_may_mean_is_not_green() {
    let root = synced().edit("tenants.yaml", "metadata: {name: prod}", "metadata: {name: prod2}");
    root.plan().exits(1).prints("did you mean prod2?").prints("what it would declare in prod2 is unknown");
    root.run(&["adopt", "Connection/chat-main", "dev"]).exits(1).prints("stablekey adopt dev Connection/chat-main");
}

/// A tenant's folder that exists beside the file that names it, but not below the root, means another root; and so does
/// a folder in place of a tenant's name.
#[test]
fn a_root_that_is_one_folder_too_high_suggests_the_right_one() {
    let root = Project::empty()
        .with("eu/tenants.yaml", &tenants_yaml())
        .with("eu/prod/components/chat.yaml", &component_yaml())
        .with("eu/dev/connections/chat-main.yaml", &connection("chat-main"));
    let meant = "eu/dev is: did you mean the root eu? Give it with --root";
    root.plan().exits(1).prints(meant).does_not_print("mkdir");
    root.run(&["render", "dev"]).exits(1).prints(meant).does_not_print("mkdir");
    for arguments in [
        &["explain", "eu", "chat-main"][..],
        &["explain", "eu"],
        &["render", "eu"],
        &["export", "eu", "greet"],
        &["adopt", "eu", "Connection/chat-main"],
    ] {
        root.run(arguments).exits(1).prints("eu is a folder: give it as the root: --root eu");
    }
    root.run(&["render", "dev", "--root", "eu"]).exits(0);
    root.run(&["render", "ue", "--root", "eu"]).exits(1).does_not_print("is a folder");
}

/// What a source declares is not "not found": it says that it is declared, and not applied yet.
#[test]
fn what_is_declared_and_not_applied_is_explained() {
    let root = Project::empty()
        .with("tenants.yaml", &Tenant::new("us").in_folder("us").source("wanted").yaml())
        .with_folder("us")
        .with("wanted/components/chat.yaml", &component_yaml())
        .with("wanted/connections/chat-main.yaml", &connection("chat-main"))
        .with("wanted/integrations/greet.yaml", &integration("greet", "chat-main", ""));
    let says = "declared by source, not applied yet";
    for arguments in [&["us", "greet"][..], &["greet"], &["chat-main"]] {
        root.run(&[&["explain"], arguments].concat()).exits(0).prints(says).prints("chat-main");
    }
    root.run(&["explain", "us", "greet", "-o", "markdown"]).exits(0).prints(says);
    root.run(&["explain", "us", "greet", "-o", "json"]).exits(0).prints("\"declaredBy\": \"source\"");
    root.run(&["explain", "us", "greeet"]).exits(1).prints("us has no integration greeet");
    let root = root.apply();
    for arguments in [&["us", "greet"][..], &["greet"], &["chat-main"]] {
        root.run(&[&["explain"], arguments].concat()).exits(0).does_not_print(says);
    }
    two_tenants().run(&["explain", "prod", "greet"]).exits(0).prints("declared by sync/").prints("not applied yet");
}
