//! `stablekey bind` and `stablekey switch`: an integration and its definition change together, and nothing else does.

use crate::edges::files::*;

/// Steps at every depth, two of one name, a data source, and a step without a connection.
const DEFINITION: &str = "\
# Exported from the designer.
definitionVersion: 7
name: greet
requiredConfigVars:
  - dataType: connection
    key: Chat  # the bot
    useScopedConfigVar: chat-main
  - dataType: picklist
    key: Channel
    dataSource:
      key: channels
      component: {key: chat, isPublic: true, version: 1}
    inputs:
      connection: {type: configVar, value: 'Chat'}
configPages:
  - name: Connections
    elements:
      - {type: configVar, value: Chat}
flows:
  - name: Main
    steps:
      - name: Post
        action:
          key: post
          component: {key: chat, isPublic: true, version: 1}
        inputs:
          text: {type: value, value: \"a: b\"}
          chatConnection:
            type: configVar
            value: Chat
      - name: Each
        action:
          key: loop
          component: {key: loop, isPublic: true, version: 1}
        steps:
          - name: Reply
            action:
              key: post
              component: {key: chat, isPublic: true, version: 1}
            inputs: {chatConnection: {type: configVar, value: Chat}}   # inner
        branches:
          - name: Otherwise
            steps:
              - name: Post
                action:
                  key: post
                  component: {key: chat, isPublic: true, version: 1}
                inputs:
                  chatConnection: {type: configVar, value: Chat}
              - name: Tell
                action:
                  key: post
                  component: {key: chat, isPublic: true, version: 1}
                inputs: {}
";

const FILE: &str = "us/integrations/greet.definition";
const MANIFEST: &str = "us/integrations/greet.yaml";

fn manifest(definition: &str) -> String {
    format!(
        "# Greets.\napiVersion: stablekey.dev/v1alpha1\nkind: Integration\nmetadata: {{name: greet}}\nspec:\n  title: Greet\n  \
         connections:\n    - {{name: Chat, stableKey: chat-main}} # the bot\n{definition}"
    )
}

fn project() -> Project {
    let us = Tenant::new("us").in_folder("us");
    let eu = Tenant::new("eu").in_folder("eu").accepts("us");
    let chat = |key: &str, title: &str, kind: &str| Connection::new(key, kind).title(title).yaml();
    let mut project = Project::empty().with("tenants.yaml", &yaml::file(&[us.yaml(), eu.yaml()])).with_folder("eu");
    for tenant in ["us", "eu"] {
        project = project
            .with(&format!("{tenant}/connections/chat-main.yaml"), &chat("chat-main", "Chat", "chat/oauth2"))
            .with(&format!("{tenant}/connections/chat-alt.yaml"), &chat("chat-alt", "Chat of sales", "chat/oauth2"))
            .with(&format!("{tenant}/connections/chat-key.yaml"), &chat("chat-key", "Chat key", "chat/apiKey"))
            .with(&format!("{tenant}/connections/mail.yaml"), &chat("mail", "Mail", "mail/oauth2"));
    }
    project.with(FILE, DEFINITION).with(MANIFEST, &manifest("  definition: {file: greet.definition}\n"))
}

const VARIABLE: &str = "  - key: Chat of sales\n    dataType: connection\n    useScopedConfigVar: chat-alt\n";

/// The definition with one more variable.
fn with_variable(definition: &str) -> String {
    definition.replacen("configPages:\n", &format!("{VARIABLE}configPages:\n"), 1)
}

fn with_binding(manifest: &str) -> String {
    manifest.replacen("# the bot\n", "# the bot\n    - {name: Chat of sales, stableKey: chat-alt}\n", 1)
}

/// Runs an edit, and compares both files byte for byte. Then each file is written without the ones after it, as by a
/// command that was killed, and the same command finishes.
#[track_caller]
fn becomes(arguments: &[&str], definition: &str, manifest: &str) {
    for newline in ["\n", "\r\n"] {
        let project = || {
            let project = project();
            let texts = [FILE, MANIFEST].map(|file| project.read(file).replace('\n', newline));
            project.with(FILE, &texts[0]).with(MANIFEST, &texts[1])
        };
        let arguments = [arguments, &["--yes"]].concat();
        let edited = project();
        edited.run(&arguments).exits(0).prints("written");
        assert_eq!(edited.read(FILE), definition.replace('\n', newline), "{arguments:?}");
        assert_eq!(edited.read(MANIFEST), manifest.replace('\n', newline), "{arguments:?}");
        let all = edited.files("");
        edited.run(&arguments).exits(0).prints("Nothing to change");
        assert_eq!(edited.files(""), all);
        let report = project().run(&[&arguments[..], &["--dry-run", "-o", "json"]].concat()).exits(0).out.clone();
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        let files: Vec<&str> =
            report["files"].as_array().unwrap().iter().map(|f| f["path"].as_str().unwrap()).collect();
        assert_eq!(files.len(), 2, "{files:?}");
        for written in 0..files.len() {
            let killed = project();
            for file in &files[..written] {
                let file = file.trim_start_matches("./");
                killed.write(file, &edited.read(file));
            }
            killed.run(&arguments).exits(0);
            assert_eq!(killed.files(""), all, "killed after {written} of {files:?}");
        }
    }
}

#[track_caller]
fn failed(project: &Project, arguments: &[&str]) -> stablekey_testing::project::CommandOutput {
    let output = project.run(arguments);
    output.exits(1);
    output
}

/// "moves one use at any depth of the definition (adds a variable named by the connection's title …)".
#[test]
fn one_use_at_any_depth_moves() {
    let manifest = with_binding(&manifest("  definition: {file: greet.definition}\n"));
    let inner = DEFINITION.replace("value: Chat}}   # inner", "value: Chat of sales}}   # inner");
    for path in ["Reply", "Each/Reply", "Main/Each/Reply"] {
        becomes(&["switch", "us", "greet", "--step", path, "--to", "chat-alt"], &with_variable(&inner), &manifest);
    }
    let outer = DEFINITION.replacen("            value: Chat\n", "            value: Chat of sales\n", 1);
    becomes(&["switch", "us", "greet", "--step", "Main/Post", "--to", "chat-alt"], &with_variable(&outer), &manifest);
    let (before, after) = DEFINITION.split_at(DEFINITION.find("Otherwise").unwrap());
    let branch = format!("{before}{}", after.replacen("value: Chat}", "value: Chat of sales}", 1));
    for path in ["Otherwise/Post", "Each/Post", "Main/Each/Otherwise/Post"] {
        becomes(&["switch", "us", "greet", "--step", path, "--to", "chat-alt"], &with_variable(&branch), &manifest);
    }
    let source = DEFINITION.replace("value: 'Chat'}", "value: 'Chat of sales'}");
    becomes(
        &["switch", "us", "greet", "--data-source", "Channel", "--to", "chat-alt"],
        &with_variable(&source),
        &manifest,
    );
}

/// "or reuses one which is bound to that key already".
#[test]
fn a_variable_that_is_bound_to_the_key_is_used() {
    let variable = "  - {dataType: connection, key: Sales, useScopedConfigVar: chat-alt}\nconfigPages:\n";
    let project = project().edit(FILE, "configPages:\n", variable).edit(
        MANIFEST,
        "# the bot\n",
        "# the bot\n    - {name: Sales, stableKey: chat-alt}\n",
    );
    let (before, manifest) = (project.read(FILE), project.read(MANIFEST));
    project.run(&["switch", "us", "greet", "--step", "Reply", "--to", "chat-alt", "--yes"]).exits(0);
    assert_eq!(project.read(FILE), before.replace("value: Chat}}   # inner", "value: Sales}}   # inner"));
    assert_eq!(project.read(MANIFEST), manifest);
    // The name of another config variable is not taken.
    let project = project.edit("us/connections/chat-alt.yaml", "Chat of sales", "Channel").edit(
        MANIFEST,
        "chat-alt",
        "chat-main",
    );
    let project = project.edit(FILE, "Var: chat-alt", "Var: chat-main");
    project.run(&["switch", "us", "greet", "--step", "Main/Post", "--to", "chat-alt", "--yes"]).exits(0);
    assert!(project.read(MANIFEST).contains("{name: Channel 2, stableKey: chat-alt}"), "{}", project.read(MANIFEST));
}

/// "`--variable NAME --to KEY` all that use the variable; `--from KEY --to KEY` all variables of a key".
#[test]
fn all_uses_move_with_their_variable() {
    let definition = DEFINITION.replace("useScopedConfigVar: chat-main", "useScopedConfigVar: chat-alt");
    let manifest = manifest("  definition: {file: greet.definition}\n").replace("chat-main", "chat-alt");
    for moved in
        [&["greet", "--variable", "Chat"][..], &["greet", "--from", "chat-main"], &["--all", "--from", "chat-main"]]
    {
        becomes(&[&["switch", "us"], moved, &["--to", "chat-alt"]].concat(), &definition, &manifest);
    }
    let project = project();
    let run = |arguments: &[&str]| failed(&project, &[&["switch", "us"], arguments].concat());
    run(&["greet", "--variable", "Chatt", "--to", "chat-alt"]).prints("did you mean Chat?");
    run(&["--all", "--from", "chat-mian", "--to", "chat-alt"]).prints("did you mean chat-main or chat-alt?");
    run(&["--all", "--from", "chat-main", "--to", "chat-slt"]).prints("did you mean chat-alt");
    run(&["greet", "--to", "chat-alt"]).prints("--step");
    run(&["--all", "--variable", "Chat", "--to", "chat-alt"]);
}

/// An edit of many integrations that was killed after any file is finished by the same command.
#[test]
fn many_integrations_are_finished_after_each_write() {
    let project = || {
        let more = manifest("  definition: {file: other.definition}\n").replace("name: greet", "name: other");
        let both = project().without(MANIFEST).with("us/integrations/other.definition", DEFINITION);
        // Both in one file, beside their definitions.
        both.with(
            "us/integrations/all.yaml",
            &format!("{}---\n{more}", manifest("  definition: {file: greet.definition}\n")),
        )
    };
    let arguments = ["switch", "us", "--all", "--from", "chat-main", "--to", "chat-alt", "--yes"];
    let edited = project();
    edited.run(&arguments).exits(0).prints("3 files written");
    let order = [FILE, "us/integrations/other.definition", "us/integrations/all.yaml"];
    for written in 0..order.len() {
        let killed = project();
        order[..written].iter().for_each(|file| killed.write(file, &edited.read(file)));
        killed.run(&arguments).exits(0);
        assert_eq!(killed.files(""), edited.files(""), "killed after {written}");
    }
}

/// "the variable … is added also where the list is absent or empty, nothing on configPages".
#[test]
fn a_step_without_a_connection_is_bound() {
    let bound = DEFINITION.replace(
        "                inputs: {}\n",
        "                inputs:\n                  chatConnection:\n                    type: configVar\n                    \
         value: Chat of sales\n",
    );
    let manifest = with_binding(&manifest("  definition: {file: greet.definition}\n"));
    for command in ["bind", "switch"] {
        becomes(&[command, "us", "greet", "--step", "Tell", "--to", "chat-alt"], &with_variable(&bound), &manifest);
    }
    let start = "definitionVersion: 7\nname: greet\n";
    let steps = "flows:\n  - name: Main\n    steps:\n      - name: Tell\n        action:\n          key: post\n          component: {key: chat, isPublic: true, version: 1}\n";
    let variable = "requiredConfigVars:\n  - key: Chat\n    dataType: connection\n    useScopedConfigVar: chat-main\n";
    let input = "        inputs:\n          connection:\n            type: configVar\n            value: Chat\n";
    let before = format!("{start}{variable}{steps}{input}");
    for (list, after) in [
        ("", format!("{start}{steps}{input}{variable}")),
        ("requiredConfigVars: []\n", before.clone()),
        ("requiredConfigVars:\n", before.clone()),
        ("requiredConfigVars: null\n", before.clone()),
        ("requiredConfigVars: ~\n", before),
    ] {
        for command in ["bind", "switch"] {
            let project = project().with(FILE, &format!("{start}{list}{steps}")).with(
                MANIFEST,
                &self::manifest("  definition: {file: greet.definition}\n")
                    .replace("  connections:\n    - {name: Chat, stableKey: chat-main} # the bot\n", ""),
            );
            project.run(&[command, "us", "greet", "--step", "Tell", "--to", "chat-main", "--yes"]).exits(0);
            assert_eq!(project.read(FILE), after, "{command}");
            assert!(project.read(MANIFEST).contains("  connections:\n    - {name: Chat, stableKey: chat-main}\n"));
        }
    }
}

/// A step may use a variable that the definition does not declare: it moves as others do, wherever the command is killed.
#[test]
fn a_use_of_an_undeclared_variable_moves() {
    let list = DEFINITION.find("requiredConfigVars").unwrap()..DEFINITION.find("configPages").unwrap();
    let without = format!("{}{}", &DEFINITION[..list.start], &DEFINITION[list.end..]);
    let moved = without.replace("value: Chat}}   # inner", "value: Chat of sales}}   # inner");
    let moved = format!(
        "{moved}requiredConfigVars:\n  - key: Chat of sales\n    dataType: connection\n    useScopedConfigVar: chat-alt\n"
    );
    let project = || project().with(FILE, &without);
    let asked = ["switch", "us", "greet", "--step", "Reply", "--to", "chat-alt", "--yes"];
    let edited = project();
    edited.run(&asked).exits(0);
    assert_eq!(edited.read(FILE), moved);
    assert_eq!(edited.read(MANIFEST), with_binding(&manifest("  definition: {file: greet.definition}\n")));
    for file in [FILE, MANIFEST] {
        let killed = project();
        killed.write(file, &edited.read(file));
        killed.run(&asked).exits(0);
        assert_eq!(killed.files(""), edited.files(""), "killed after {file}");
    }
}

/// "fewer actions than the seed's page takes": the tenant is the only one that has the integration, or that no sync feeds.
#[test]
fn the_tenant_can_be_left_out() {
    let short = ["switch", "greet", "--step", "Reply", "--to", "chat-alt", "--yes"];
    let long = [&short[..1], &["us"], &short[1..]].concat();
    let by_long = project();
    by_long.run(&long).exits(0);
    let by_short = project();
    by_short.run(&short).exits(0);
    assert_eq!(by_short.files(""), by_long.files(""));
    project().run(&["bind", "greet", "--step", "Tell", "--to", "chat-alt", "--yes"]).exits(0);
    project().run(&["switch", "greet", "--from", "chat-main", "--to", "chat-alt", "--yes"]).exits(0);
    project().run(&["switch", "greeet", "--step", "Reply", "--to", "chat-alt"]).exits(1).prints("did you mean greet?");
    let fed = project().with("syncs.yaml", &Sync::new("up", "us", "eu").yaml()).apply();
    fed.run(&short).exits(0);
    assert_eq!(fed.read(FILE), by_long.read(FILE));
    let twice = project().with("eu/integrations/greet.yaml", &manifest(""));
    let before = twice.files("");
    let output = twice.run(&short);
    output.exits(1).prints("Integration/greet is in eu, us");
    for tenant in ["eu", "us"] {
        assert!(
            output.has_line(&format!("stablekey switch {tenant} greet --step Reply --to chat-alt")),
            "{}",
            output.all
        );
    }
    assert_eq!(twice.files(""), before);
}

/// Where no integration is named, both complete commands are.
#[test]
fn a_key_moves_in_one_integration_or_in_all() {
    for asked in [&["switch", "us"][..], &["switch"]] {
        let output = project().run(&[asked, &["--from", "chat-main", "--to", "chat-alt"]].concat());
        output.exits(1).prints("no integration is named");
        assert!(output.has_line("stablekey switch us greet --from chat-main --to chat-alt"), "{}", output.all);
        assert!(output.has_line("stablekey switch us --all --from chat-main --to chat-alt"), "{}", output.all);
    }
    project().run(&["switch", "--all", "--from", "chat-main", "--to", "chat-alt"]).exits(1).prints("TENANT");
}

/// A step of a kind that takes no connection says so, and names those that do.
#[test]
fn triggers_loops_and_branches_take_no_connection() {
    let trigger = "    steps:\n      - name: Start\n        isTrigger: true\n        action: {key: webhook, component: {key: \
                   webhook-triggers, isPublic: true, version: 1}}\n        inputs: {}\n      - name: Wait\n        \
                   action: {key: sleep, component: {key: sleep, isPublic: true, version: 1}}\n";
    let project = project().edit(FILE, "    steps:\n", trigger);
    let before = project.files("");
    for command in ["switch", "bind"] {
        let run = |step: &str| failed(&project, &[command, "us", "greet", "--step", step, "--to", "chat-alt", "--yes"]);
        run("Start").prints("step Main/Start of greet is a trigger: it takes no connection").prints("--step Main/Post");
        run("Each")
            .prints("step Main/Each of greet is a loop: it takes no connection")
            .prints("--step Main/Each/Reply");
        run("Wait").prints("step Main/Wait of greet calls sleep: it takes no connection");
        run("Channel").prints("Channel is a data source, and no step").prints("--data-source Channel");
        run("Main").prints("Main is no step").prints("--step Main/Start");
        run("Main/Each/Rely").prints("did you mean Main/Each/Reply");
    }
    assert_eq!(project.files(""), before);
}

/// An integration with its definition, to be left out of a move of all.
fn other(name: &str, definition: &str) -> String {
    manifest(definition).replace("metadata: {name: greet}", &format!("metadata: {{name: {name}}}"))
}

/// "unknown is never empty": what cannot be read stops a move of all, unless nothing of it names the key.
#[test]
fn a_move_of_all_leaves_nothing_out_silently() {
    const OTHER: &str = "us/integrations/other.yaml";
    const ITS: &str = "us/integrations/other.definition";
    let asked = ["switch", "us", "--all", "--from", "chat-main", "--to", "chat-alt", "--yes", "--force"];
    let file = other("other", "  definition: {file: other.definition}\n");
    let free = file.replace("chat-main", "chat-key");
    let in_map = other("other", "  definition: {configMap: {name: other-3f9a1c}}\n");
    for (manifest, definition, why) in [
        (
            &file,
            Some("definitionVersion: 6\nname: other\nrequiredConfigVars: {Chat: chat-main}\nflows: []\n"),
            "version 6",
        ),
        (&file, Some("definitionVersion: 7\nisCodeNative: true\nname: other\nflows: []\n"), "written in code"),
        (&free, Some("definitionVersion: 8\nname: other\nx: chat-main\nflows: []\n"), "version 8"),
        (&file, Some("name: [\n"), "cannot be read"),
        (&free, None, "is not there"),
        (&in_map, None, "ConfigMap other-3f9a1c"),
    ] {
        let project = project().with(OTHER, manifest);
        let project = if let Some(definition) = definition { project.with(ITS, definition) } else { project };
        let before = project.files("");
        let output = project.run(&asked);
        output.exits(1).prints("may use chat-main").prints("Integration/other").prints(why);
        assert!(output.has_line("stablekey switch us greet --from chat-main --to chat-alt"), "{}", output.all);
        assert_eq!(project.files(""), before, "{why}");
    }
    project().with("us/broken.yaml", "stablekey.dev: [chat-main\n").run(&asked).exits(1).prints("us/broken.yaml");
    // Nothing of these names the key.
    for (definition, why) in [
        ("definitionVersion: 6\nname: other\nflows: []\n", "version 6"),
        ("definitionVersion: 7\nisCodeNative: true\nname: other\nflows: []\n", "written in code"),
        ("name: [chat-main-2\n", "cannot be read"),
    ] {
        let project = project().with(OTHER, &free).with(ITS, definition);
        project.run(&asked).exits(0).prints("left out: Integration/other").prints(why);
        assert!(project.read(FILE).contains("useScopedConfigVar: chat-alt"));
        assert_eq!(project.read(OTHER), free);
    }
}

/// "it names the tenant where the change must be made": the end of a chain of syncs, with all options that were given.
#[test]
fn what_syncs_bring_is_changed_at_the_end_of_their_chain() {
    let dev = Tenant::new("dev").in_folder("dev").accepts("eu");
    let syncs = [Sync::new("up", "us", "eu").yaml(), Sync::new("down", "eu", "dev").yaml()];
    let project = || {
        let project =
            project().with("dev.yaml", &dev.yaml()).with_folder("dev").with("syncs.yaml", &yaml::file(&syncs));
        let chat = |key: &str| Connection::new(key, "chat/oauth2").title("Chat").yaml();
        project.with("dev/connections/a.yaml", &yaml::file(&[chat("chat-main"), chat("chat-alt")]))
    };
    // Before the first apply, and after it.
    for project in [project(), project().apply()] {
        let before = project.files("");
        let line = |arguments: &[&str], line: &str| {
            let output = project.run(arguments);
            output.exits(1);
            assert!(output.has_line(line), "{line}\n{}", output.all);
        };
        let step = ["--step", "Reply", "--input", "chatConnection", "--to", "chat-alt"];
        line(
            &[&["switch", "dev", "greet"], &step[..]].concat(),
            "stablekey switch us greet --step Reply --input chatConnection --to chat-alt",
        );
        let step = ["--step", "Tell", "--input", "chatConnection", "--to", "chat-alt"];
        line(
            &[&["bind", "dev", "greet"], &step[..]].concat(),
            "stablekey bind us greet --step Tell --input chatConnection --to chat-alt",
        );
        line(
            &["switch", "dev", "greet", "--variable", "Chat", "--to", "chat-alt"],
            "stablekey switch us greet --variable Chat --to chat-alt",
        );
        for command in ["stablekey switch us --all", "stablekey switch dev --all"] {
            let reason = if command.contains("dev") { " --reason REASON" } else { "" };
            line(
                &["switch", "dev", "--all", "--from", "chat-main", "--to", "chat-alt"],
                &format!("{command} --from chat-main --to chat-alt{reason}"),
            );
        }
        assert_eq!(project.files(""), before);
    }
}

/// One that a sync brings stops a move of all as well: none is moved without the others.
#[test]
fn a_move_of_all_says_all_that_syncs_bring() {
    let sync = Sync::new("up", "us", "eu").yaml();
    let project = || {
        let own = other("own", "");
        project().with("syncs.yaml", &sync).with("eu/integrations/own.yaml", &own).apply()
    };
    let asked = ["switch", "eu", "--all", "--from", "chat-main", "--to", "chat-alt", "--yes"];
    let root = project();
    let before = root.files("");
    let output = root.run(&asked);
    output.exits(1).prints("Integration/greet: sync/up brings it");
    assert!(output.has_line("stablekey switch us --all --from chat-main --to chat-alt"), "{}", output.all);
    assert!(output.has_line("stablekey switch eu own --from chat-main --to chat-alt"), "{}", output.all);
    assert_eq!(root.files(""), before);
    // With a reason, all move; killed after each write, the same command finishes.
    let asked = [&asked[..], &["--reason", "EU"]].concat();
    root.run(&asked).exits(0).prints("2 files written");
    let all = root.files("");
    for file in ["syncs.yaml", "eu/integrations/own.yaml"] {
        let killed = project();
        killed.write(file, &root.read(file));
        killed.run(&asked).exits(0);
        assert_eq!(killed.files(""), all, "killed after {file}");
    }
    // Where the source has the new key already, nothing is to be overridden.
    let root = project();
    root.run(&["switch", "us", "--all", "--from", "chat-main", "--to", "chat-alt", "--yes"]).exits(0);
    root.run(&["switch", "eu", "--all", "--from", "chat-main", "--to", "chat-alt", "--yes"]).exits(0);
    assert!(root.read("eu/integrations/own.yaml").contains("chat-alt"));
    assert_eq!(root.read("syncs.yaml"), sync);
}

/// Without --step, the steps are listed with what they use.
#[test]
fn without_a_step_the_steps_are_listed() {
    failed(&project(), &["switch", "us", "greet", "--to", "chat-alt"])
        .prints("--step Main/Post  # Chat: chat-main")
        .prints("--data-source Channel  # Chat: chat-main")
        .does_not_print("Tell");
    failed(&project(), &["bind", "greet"]).prints("--step Main/Each/Otherwise/Tell").does_not_print("--step Main/Post");
}

/// "an ambiguous step lists its paths", and each command that a message names can be run.
#[test]
fn what_is_not_clear_is_asked_for() {
    let project = project();
    let run = |arguments: &[&str]| failed(&project, arguments);
    run(&["switch", "us", "greet", "--step", "Post", "--to", "chat-alt"])
        .prints("2 steps have the name Post")
        .prints("--step Main/Post\n")
        .prints("--step Main/Each/Otherwise/Post");
    run(&["switch", "us", "greet", "--step", "Rely", "--to", "chat-alt"]).prints("did you mean Reply?");
    run(&["switch", "us", "greet", "--data-source", "Chanel", "--to", "chat-alt"]).prints("did you mean Channel?");
    run(&["switch", "us", "greeet", "--step", "Reply", "--to", "chat-alt"]).prints("did you mean greet?");
    run(&["switch", "uss", "greet", "--step", "Reply", "--to", "chat-alt"]).prints("did you mean us?");
    run(&["bind", "us", "greet", "--step", "Reply", "--to", "chat-alt"])
        .prints("\n    stablekey switch us greet --step Main/Each/Reply --to chat-alt");
    run(&["switch", "us", "greet", "--step", "Reply"])
        .prints("--to chat-alt  # Chat of sales")
        .does_not_print("chat-key");
    run(&["bind", "us", "greet", "--step", "Tell"]).prints("--to chat-key").does_not_print("--to mail");
}

/// "The new connection must fit".
#[test]
fn a_connection_of_another_component_or_type_is_refused() {
    let project = project();
    let before = project.files("");
    for key in ["mail", "chat-key"] {
        for moved in
            [["--step", "Reply"], ["--variable", "Chat"], ["--from", "chat-main"], ["--data-source", "Channel"]]
        {
            let asked = [&["switch", "us", "greet"], &moved[..], &["--to", key, "--yes"]].concat();
            project.run(&asked).exits(1).prints("chat/oauth2").prints("these fit: chat-alt, chat-main");
        }
    }
    assert_eq!(project.files(""), before);
}

/// "an older map is refused"; so is what stands elsewhere.
#[test]
fn definitions_of_other_forms_are_refused() {
    for (name, says) in [
        ("requiredConfigVars:\n  Chat: x\ndefinitionVersion: 6", "older version 6"),
        ("requiredConfigVars:\n  Chat: x", "older version"),
        ("definitionVersion: 8", "version 8"),
        ("definitionVersion: 7\nisCodeNative: true", "written in code"),
    ] {
        let project = project().with(FILE, &format!("{name}\nname: greet\nflows: []\n"));
        let before = project.files("");
        for moved in [["--step", "Reply"], ["--variable", "Chat"]] {
            let asked = [&["switch", "us", "greet"], &moved[..], &["--to", "chat-alt", "--yes", "--force"]].concat();
            project.run(&asked).exits(1).prints(says);
        }
        assert_eq!(project.files(""), before);
    }
    let project = project().with(MANIFEST, &manifest(""));
    project.run(&["switch", "us", "greet", "--step", "Reply", "--to", "chat-alt"]).exits(1).prints("no definition");
    project.run(&["switch", "us", "greet", "--variable", "Chat", "--to", "chat-alt", "--yes"]).exits(0);
    assert!(project.read(MANIFEST).contains("stableKey: chat-alt} # the bot"));
}

/// A definition that two integrations name would change for both.
#[test]
fn a_definition_that_another_integration_names_is_refused() {
    let other = manifest("  definition: {file: greet.definition}\n").replace("name: greet}", "name: other}");
    let project = project().with("us/integrations/other.yaml", &other);
    project.run(&["switch", "us", "greet", "--step", "Reply", "--to", "chat-alt"]).exits(1).prints("Integration/other");
}

/// What a sync brings is changed where it comes from, or as an override with a reason.
#[test]
fn an_integration_that_a_sync_brings_is_changed_at_its_source_or_as_an_override() {
    let sync = Sync::new("up", "us", "eu").yaml();
    let project = project().with("syncs.yaml", &sync).apply();
    let run = |arguments: &[&str]| project.run(arguments);
    run(&["switch", "eu", "greet", "--step", "Reply", "--to", "chat-alt"])
        .exits(1)
        .prints("sync/up brings Integration/greet to eu")
        .prints("\n    stablekey switch us greet --step Reply --to chat-alt\n");
    run(&["bind", "eu", "greet", "--step", "Tell", "--to", "chat-alt"])
        .exits(1)
        .prints("\n    stablekey bind us greet --step Tell --to chat-alt");
    let before = project.files("");
    run(&["switch", "eu", "greet", "--variable", "Chat", "--to", "chat-alt", "--yes"])
        .exits(1)
        .prints("\n    stablekey switch us greet --variable Chat --to chat-alt\n")
        .prints("\n    stablekey switch eu greet --variable Chat --to chat-alt --reason REASON");
    assert_eq!(project.files(""), before);
    for moved in [&["greet", "--variable", "Chat"][..], &["--all", "--from", "chat-main"]] {
        let asked = [&["switch", "eu"], moved, &["--to", "chat-alt", "--reason", "EU", "--yes"]].concat();
        run(&asked).exits(0);
        let syncs = project.read("syncs.yaml");
        for part in ["tenant: eu", "integration: greet", "variable: Chat", "stableKey: chat-alt", "reason: EU"] {
            assert!(syncs.contains(part), "{part}: {syncs}");
        }
        run(&["plan"]).exits(2).prints("chat-alt");
        // The key of the source needs no override.
        run(&["switch", "eu", "greet", "--variable", "Chat", "--to", "chat-main", "--yes"]).exits(0);
        assert_eq!(project.read("syncs.yaml"), sync);
    }
}

/// "without `--to` it lists the component's connections to choose from": on a terminal one is picked.
#[cfg(target_os = "linux")]
#[test]
fn on_a_terminal_the_connection_is_picked() {
    use stablekey_testing::terminal::{ENTER, ESCAPE, OnTerminal};
    for columns in [80, 120] {
        let by_options = project();
        by_options.run(&["switch", "us", "greet", "--step", "Reply", "--to", "chat-alt", "--yes"]).exits(0);
        let by_keys = project();
        let mut terminal = OnTerminal::start(by_keys.root(), &["switch", "us", "greet", "--step", "Reply"], columns);
        // chat-alt comes first.
        terminal.asks("Connection of step Main/Each/Reply").press(ENTER);
        terminal.shows("Write 2 files?").press("y").press(ENTER);
        assert_eq!(terminal.exits(), 0, "{}", terminal.screen());
        assert!(terminal.is_usable());
        assert_eq!(by_keys.files(""), by_options.files(""));
        let by_name = project();
        let mut terminal = OnTerminal::start(by_name.root(), &["switch", "greet"], columns);
        terminal.asks("Step of greet of us").press("Reply").press(ENTER);
        terminal.asks("Connection of step Main/Each/Reply").press(ENTER);
        terminal.shows("Write 2 files?").press("y").press(ENTER);
        assert_eq!(terminal.exits(), 0, "{}", terminal.screen());
        assert_eq!(by_name.files(""), by_options.files(""));
        let left = project();
        let before = left.files("");
        let asked = ["switch", "us", "greet", "--variable", "Chat"];
        let mut terminal = OnTerminal::start(left.root(), &asked, columns);
        terminal.asks("Connection of variable").press("new").press(ENTER);
        assert_eq!(terminal.exits(), 1);
        assert!(terminal.screen().contains("stablekey new connection --tenant us --component chat"));
        let mut terminal = OnTerminal::start(left.root(), &["bind", "us", "greet", "--step", "Tell"], columns);
        terminal.asks("Connection of step").press(ESCAPE);
        assert_eq!(terminal.exits(), 130);
        assert!(terminal.is_usable());
        assert_eq!(left.files(""), before);
    }
}

/// A literal secret of a definition is in no diff, also where the edit takes it away.
#[test]
fn no_diff_shows_a_secret_of_a_definition() {
    let own = "  - key: Own\n    dataType: connection\n    connection:\n      key: oauth2\n      component: {key: chat, isPublic: \
               true}\n    inputs:\n      clientSecret: {type: value, value: c4nary-s3cret-value}\nconfigPages:\n";
    let own_variable = "# the bot\n    - {name: Own, own: {component: {key: chat}, type: oauth2}}\n";
    let project = || project().edit(FILE, "configPages:\n", own).edit(MANIFEST, "# the bot\n", own_variable);
    for moved in [["--variable", "Own"], ["--data-source", "Channel"]] {
        for form in ["text", "json"] {
            let asked =
                [&["switch", "us", "greet"], &moved[..], &["--to", "chat-alt", "--dry-run", "-o", form]].concat();
            project().run(&asked).exits(0).does_not_print("c4nary").prints("chat-alt");
        }
    }
    let project = project();
    project.run(&["switch", "us", "greet", "--variable", "Own", "--to", "chat-alt", "--yes"]).exits(0);
    assert!(project.read(MANIFEST).contains("    - {name: Own, stableKey: chat-alt}\n"), "{}", project.read(MANIFEST));
    let definition = project.read(FILE);
    assert!(
        definition.contains("  - key: Own\n    dataType: connection\n    useScopedConfigVar: chat-alt\nconfigPages")
    );
}

/// A title with letters that YAML reads otherwise is quoted, and an edit that makes the plan worse needs --force.
#[test]
fn odd_titles_are_quoted() {
    let project = project().edit("us/connections/chat-alt.yaml", "Chat of sales", "'on'");
    project.run(&["switch", "us", "greet", "--step", "Reply", "--to", "chat-alt", "--yes"]).exits(0);
    assert!(project.read(FILE).contains("  - key: \"on\"\n"), "{}", project.read(FILE));
    assert!(project.read(MANIFEST).contains("{name: \"on\", stableKey: chat-alt}"));
}
