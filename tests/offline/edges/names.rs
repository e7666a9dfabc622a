//! "A wrong name fails, it never switches a rule off. A component, type, input, tenant … that names nothing is
//! reported at its own line with the nearest name."

use crate::edges::files::*;

/// Case 07: a misspelt type, and a secret that only the type calls one.
#[test]
fn a_misspelt_type_is_reported_at_its_line_and_read_strictly() {
    let component =
        component_yaml().replace("        scopes: {}\n", "        scopes: {}\n        pin: {secret: true}\n");
    let root = two_tenants()
        .with("dev/components/chat.yaml", &component)
        .edit("dev/connections/chat-main.yaml", "type: oauth2", "type: outh2")
        .edit("dev/connections/chat-main.yaml", "    scopes:", "    pin: {value: CANARY}\n    scopes:");
    let said = root.run(&["validate"]);
    said.exits(1)
        .says("did you mean oauth2?")
        .says("dev/connections/chat-main.yaml:8")
        .says("SK0120")
        .does_not_say("CANARY");
    root.plan().exits(1).does_not_say("CANARY");
    // A misspelt component as much.
    let root = root.edit("dev/connections/chat-main.yaml", "{key: chat}", "{key: chatt}");
    root.run(&["validate"]).exits(1).says("did you mean chat?").says("SK0120").does_not_say("CANARY");
}

/// "An error where a near name is offered, else a warning"; "a tenant with no Component says nothing of them".
#[test]
fn a_name_that_is_not_there_is_an_error_where_it_is_plain_what_was_meant() {
    let connection = "dev/connections/chat-main.yaml";
    for (from, to, code, text) in [
        ("scopes:", "scope:", 1, "did you mean scopes?"),
        ("scopes:", "zone:", 0, "SK0148"),
        ("type: oauth2", "type: token", 0, "type token of component chat is not there"),
        ("{key: chat}", "{key: mail}", 0, "component mail is not there"),
        ("{key: chat}", "{key: chat, public: false}", 1, "did you mean chat with public: true?"),
    ] {
        let root = two_tenants().without("syncs.yaml").edit(connection, from, to);
        root.run(&["validate"]).exits(code).says(text);
        root.without("dev/components/chat.yaml").run(&["validate"]).exits(0).does_not_say("SK0148");
    }
    let inferred =
        component_yaml().replace("{name: chat}", "{name: chat, annotations: {stablekey.dev/inferred: \"true\"}}");
    let root = two_tenants().without("syncs.yaml").with("dev/components/chat.yaml", &inferred);
    root.edit(connection, "scopes:", "scope:").run(&["validate"]).exits(0).does_not_say("SK0148");
}

/// "What a sync brings is checked at its source": the fix is offered where the mistake stands.
#[test]
fn what_a_sync_brings_is_checked_at_its_source() {
    let root = two_tenants().edit("dev/connections/chat-main.yaml", "scopes:", "zone:");
    let root = root.apply();
    let said = root.plan();
    assert_eq!(said.all.matches("SK0148").count(), 1, "{}", said.all);
    said.says("zone of type oauth2 is not there: no Component of dev has it");
}

/// "An exact integration name: unresolved"; a pattern that matches nothing is a warning that every output shows.
#[test]
fn an_integration_that_a_sync_names_and_is_not_there_is_unresolved() {
    let named = |name: &str| synced().edit("syncs.yaml", "[\"*\"]", &format!("[greet, {name}]"));
    named("greeet").plan().exits(3).says("SK0149").says("dev has no integration greeet").says("did you mean greet?");
    let root = named("\"lead-*\"");
    root.plan().exits(0).says("SK0110").says("lead-* matches no integration of dev");
    root.run(&["status"]).exits(0).says("SK0110");
}

/// Unknown tenants, in syncs and on the command line, with those that are near.
#[test]
fn an_unknown_tenant_fails_with_the_nearest_name() {
    two_tenants()
        .edit("syncs.yaml", "to: [prod]", "to: [pord]")
        .plan()
        .exits(1)
        .says("did you mean prod?")
        .says("syncs.yaml:4");
    two_tenants().edit("syncs.yaml", "from: dev", "from: Dev").plan().exits(1).says("did you mean dev?");
    two_tenants().run(&["plan", "--tenant", "prd"]).exits(1).says("did you mean prod");
    two_tenants().run(&["plan", "--sync", "dev:prd"]).exits(1).says("did you mean prod");
}

/// "Folded near names (my-key, My_Key, slak-bot) before any 'make a Connection'."
#[test]
fn near_keys_come_before_any_advice_to_make_one() {
    for (written, fix) in [
        ("Chat_Main", "dev has chat-main: stable keys are compared letter by letter"),
        ("CHAT-MAIN", "dev has chat-main"),
        ("caht-main", "did you mean chat-main?"),
        ("chat-mian", "did you mean chat-main?"),
    ] {
        let root =
            two_tenants().edit("dev/integrations/greet.yaml", "stableKey: chat-main", &format!("stableKey: {written}"));
        let said = root.plan();
        said.exits(3).says(fix).says("dev/integrations/greet.yaml:7");
        // What shows in prod stands in dev: it is fixed there.
        said.says(&format!("\"Chat\" names stable key {written}, which dev does not have either"));
        said.says("correct it in dev").does_not_say(&format!("→ make a Connection {written}"));
    }
}

/// A conflict of writers behind a missing binding is named.
#[test]
fn what_holds_back_a_missing_connection_is_named() {
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
        .says("\"Chat\" needs Connection/chat-main, which is held back: SK0108")
        .does_not_say("make a Connection");
}

/// Case 23: "An override that matches nothing is an error that holds back what its sync writes to that tenant."
#[test]
fn an_override_that_names_nothing_fails_closed() {
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
        root.plan().exits(1).says(why).says("syncs.yaml:4");
        assert_eq!(actions(&root.plan_json()), Vec::<String>::new(), "{o}");
        root.run(&["apply", "--yes"]).exits(1);
        assert!(!root.has("prod/integrations"), "{o}");
    }
    // What is right goes on.
    let root = with(&input("prod", "chat-main", "baseUrl")).apply();
    assert!(root.read("prod/connections/chat-main.yaml").contains("https://eu.example"));
}

/// Case 54: a typo in a source's connection is told once, where it stands.
#[test]
fn a_typo_in_a_sources_connection_is_told_where_it_stands() {
    let sync = sync_yaml().replace(
        "prune: true}",
        "prune: true, overrides: [{tenant: prod, stableKey: chat-main, input: baseUrl, value: \"https://eu.example\", reason: test}]}",
    );
    let root = two_tenants()
        .with("syncs.yaml", &sync)
        .without("dev/connections/chat-main.yaml")
        .with("dev/connections/chat-main.yaml", &connection("caht-main"));
    let said = root.plan();
    said.exits(3).says("did you mean caht-main?").says("correct it in dev");
    said.does_not_say("SK0122").does_not_say("→ make a Connection");
}

/// A name that is surely wrong is held back wherever it would go: what is wrong in dev does not reach prod.
#[test]
fn a_misspelt_name_does_not_reach_a_target() {
    for (file, from, to) in [
        ("dev/connections/chat-main.yaml", "scopes:", "scope:"),
        ("dev/connections/chat-main.yaml", "type: oauth2", "type: outh2"),
        ("dev/connections/chat-main.yaml", "{key: chat}", "{key: chatt}"),
    ] {
        // Also where the target knows no component.
        let root = two_tenants().without("prod/components").with("prod/note.yaml", "# nothing\n").apply();
        let before = root.read("prod/connections/chat-main.yaml");
        let root = root.edit(file, from, to);
        root.plan().exits(1).says("blocked Connection/chat-main SK0148").says("correct it in dev");
        root.run(&["apply", "--yes"]).exits(1);
        assert_eq!(root.read("prod/connections/chat-main.yaml"), before);
    }
    let more = "  definition: {file: greet.definition}\n";
    let root = two_tenants()
        .with("dev/integrations/greet.yaml", &integration("greet", "chat-main", more))
        .with("dev/integrations/greet.definition", &definition("Greet", "7", "chat-main"))
        .apply()
        .edit("dev/integrations/greet.yaml", "name: Chat", "name: Caht");
    root.plan().exits(1).says("did you mean it where you list \"Caht\"?").says("blocked Integration/greet SK0148");
    root.run(&["apply", "--yes"]).exits(1);
    assert!(root.read("prod/integrations/greet.yaml").contains("name: Chat"));
}

/// A typo in a sync's tenant makes no sync "gone"; one in a folder's path names the folder that is there.
#[test]
fn a_typo_in_a_tenant_or_a_path_has_no_cascade() {
    let root = synced().edit("syncs.yaml", "to: [prod]", "to: [prd]");
    root.plan().exits(1).says("did you mean prod?").does_not_say("SK0128");
    let root = synced().edit("tenants.yaml", "path: prod}", "path: prd}");
    root.plan().exits(1).says("did you mean prod?").does_not_say("mkdir").does_not_say("outside every tenant");
    let root = synced().with("tenants.yaml", "");
    root.plan().exits(1).says("tenants.yaml").says("the file is empty").does_not_say("there twice");
}

/// An override for a tenant to which the sync does not copy, and an input that nobody offers: "an override that
/// names nothing: always an error", which "holds back what that sync writes there".
#[test]
fn an_override_of_another_tenant_or_of_no_input_is_an_error() {
    for (entry, why) in [
        ("{tenant: dev, stableKey: chat-main, input: scopes, value: x, reason: r}", "to which sync/up does not copy"),
        ("{tenant: prod, stableKey: chat-main, input: colour, value: x, reason: r}", "input colour of type oauth2"),
    ] {
        let root = two_tenants().edit("syncs.yaml", "prune: true", &format!("prune: true, overrides: [{entry}]"));
        root.plan().exits(1).says(why).does_not_say("warning  TenantSync");
        root.run(&["apply", "--yes"]).exits(1);
        assert!(!root.has("prod/connections/chat-main.yaml"));
    }
}

/// A tenant in `acceptFrom` that is not there.
#[test]
fn a_misspelt_tenant_in_accept_from_is_named_at_its_line() {
    let root = two_tenants().edit("tenants.yaml", "acceptFrom: [dev]", "acceptFrom: [dve]");
    root.plan().exits(1).says("acceptFrom names tenant dve").says("did you mean dev?").says("tenants.yaml:11");
}

/// "A sync counts against others (cycle, conflict) only where it is accepted."
#[test]
fn a_sync_that_is_not_accepted_closes_no_circle() {
    let back = &Sync::new("back", "prod", "dev").yaml();
    let root = two_tenants().with("back.yaml", back);
    root.plan().exits(3).says("dev does not accept syncs from prod").does_not_say("SK0109");
    root.run(&["apply", "--yes"]).exits(3);
    assert!(root.has("prod/integrations/greet.yaml"));
}

/// Nothing is written to a suspended tenant, by no command.
#[test]
fn nothing_is_adopted_in_a_suspended_tenant() {
    let root = synced().edit("tenants.yaml", "acceptFrom: [dev]", "acceptFrom: [dev]\n  suspend: true");
    let lock = root.read("prod/stablekey.lock");
    root.run(&["adopt", "prod", "Connection/chat-main"]).exits(1).says("prod is suspended");
    assert_eq!(root.read("prod/stablekey.lock"), lock);
}

/// A new tenant whose name is nearly that of another is made, and said to be new.
#[test]
fn an_import_into_a_new_tenant_says_that_it_is_new() {
    let root = two_tenants().with("exports/greet.yml", &definition("Greet", "7", "chat-main"));
    root.run(&["import", "--tenant", "dve", "exports/greet.yml"])
        .exits(0)
        .says("Tenant/dve is new here; there is dev too");
}

/// "A wrong name never switches a rule off": where what describes a component cannot be read, its values may be
/// secrets.
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
        plan.does_not_say("CANARY");
        root.run(&["apply", "--yes"]).does_not_say("CANARY");
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

/// What an override leaves alone is said where it differs: "never 'in sync' beside a difference".
#[test]
fn what_an_override_leaves_alone_is_in_the_plan() {
    let keep = "{tenant: prod, object: Connection/chat-main, field: title, keep: true, reason: theirs}";
    let root = synced().edit("syncs.yaml", "prune: true", &format!("prune: true, overrides: [{keep}]"));
    root.run(&["apply", "--yes"]);
    root.run(&["status"]).exits(0).says("✓ in sync:");
    let root = root.edit("dev/connections/chat-main.yaml", "title: Chat", "title: Other");
    root.plan().exits(0).says("prod 1 overridden").says("title (Chat; declared: Other)").says("which leaves it alone");
    root.run(&["status"])
        .exits(0)
        .says("but for 1 field that is decided otherwise")
        .says("prod 1 1 1/1 ! 1 overridden")
        .does_not_say("✓ in sync:");
}

/// A key of another spelling than the connection's: the typo stands in the source, and is said there.
#[test]
fn a_key_with_another_separator_is_corrected_where_it_stands() {
    let root = two_tenants().with("dev/integrations/greet.yaml", &integration("greet", "chat_main", ""));
    let root = root.with("dev/integrations/other.yaml", &integration("other", "chat-main", ""));
    root.plan().exits(3).says("correct it in dev").does_not_say("which is held back");
}

/// "nothing is green beside a difference": a sync to a tenant that is not there is said where it may be meant.
#[test]
fn a_tenant_that_a_lost_sync_may_mean_is_not_green() {
    let root = synced().edit("tenants.yaml", "metadata: {name: prod}", "metadata: {name: prod2}");
    root.plan().exits(1).says("did you mean prod2?").says("what it would declare in prod2 is unknown");
    root.run(&["adopt", "Connection/chat-main", "dev"]).exits(1).says("stablekey adopt dev Connection/chat-main");
}

/// "A wrong name names the nearest": where the folder of a tenant is not there as seen from the root, but beside the file
/// that names it, another root was meant; and so it was where a folder is named in the place of a tenant.
#[test]
fn a_root_that_is_one_folder_too_high_names_the_one_that_was_meant() {
    let root = Project::empty()
        .with("eu/tenants.yaml", &tenants_yaml())
        .with("eu/prod/components/chat.yaml", &component_yaml())
        .with("eu/dev/connections/chat-main.yaml", &connection("chat-main"));
    let meant = "eu/dev is: did you mean the root eu? Give it with --root";
    root.plan().exits(1).says(meant).does_not_say("mkdir");
    root.run(&["render", "dev"]).exits(1).says(meant).does_not_say("mkdir");
    for arguments in [
        &["explain", "eu", "chat-main"][..],
        &["explain", "eu"],
        &["render", "eu"],
        &["export", "eu", "greet"],
        &["adopt", "eu", "Connection/chat-main"],
    ] {
        root.run(arguments).exits(1).says("eu is a folder: give it as the root: --root eu");
    }
    root.run(&["render", "dev", "--root", "eu"]).exits(0);
    root.run(&["render", "ue", "--root", "eu"]).exits(1).does_not_say("is a folder");
}
