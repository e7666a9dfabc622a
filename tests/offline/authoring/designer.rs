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

const VARIABLE: &str = "  - dataType: connection\n    key: Chat of sales\n    useScopedConfigVar: chat-alt\n";

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
    becomes(&["bind", "us", "greet", "--step", "Tell", "--to", "chat-alt"], &with_variable(&bound), &manifest);
    let start = "definitionVersion: 7\nname: greet\n";
    let steps = "flows:\n  - name: Main\n    steps:\n      - name: Tell\n        action:\n          key: post\n          component: {key: chat, isPublic: true, version: 1}\n";
    let variable = "requiredConfigVars:\n  - dataType: connection\n    key: Chat\n    useScopedConfigVar: chat-main\n";
    let input = "        inputs:\n          connection:\n            type: configVar\n            value: Chat\n";
    for (list, after) in [
        ("", format!("{start}{steps}{input}{variable}")),
        ("requiredConfigVars: []\n", format!("{start}{variable}{steps}{input}")),
    ] {
        let project = project().with(FILE, &format!("{start}{list}{steps}")).with(
            MANIFEST,
            &self::manifest("  definition: {file: greet.definition}\n")
                .replace("  connections:\n    - {name: Chat, stableKey: chat-main} # the bot\n", ""),
        );
        project.run(&["bind", "us", "greet", "--step", "Tell", "--to", "chat-main", "--yes"]).exits(0);
        assert_eq!(project.read(FILE), after);
        assert!(project.read(MANIFEST).contains("  connections:\n    - {name: Chat, stableKey: chat-main}\n"));
    }
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
    run(&["switch", "us", "greet", "--step", "Tell", "--to", "chat-alt"])
        .prints("\nstablekey bind us greet --step Main/Each/Otherwise/Tell --to chat-alt");
    run(&["bind", "us", "greet", "--step", "Reply", "--to", "chat-alt"])
        .prints("\nstablekey switch us greet --step Main/Each/Reply --to chat-alt");
    run(&["switch", "us", "greet", "--step", "Reply"])
        .prints("--to chat-alt  # Chat of sales")
        .does_not_print("chat-key");
    run(&["bind", "us", "greet", "--step", "Tell"]).prints("--to chat-key").does_not_print("--to mail");
    run(&["bind", "us", "greet", "--step", "Each", "--to", "chat-main"]).prints("component").prints("loop");
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
        .prints("\nstablekey switch us greet --step Reply --to chat-alt\n");
    run(&["bind", "eu", "greet", "--step", "Tell", "--to", "chat-alt"])
        .exits(1)
        .prints("\nstablekey bind us greet --step Tell --to chat-alt");
    let before = project.files("");
    run(&["switch", "eu", "greet", "--variable", "Chat", "--to", "chat-alt", "--yes"])
        .exits(1)
        .prints("\nstablekey switch us greet --variable Chat --to chat-alt\n")
        .prints("\nstablekey switch eu greet --variable Chat --to chat-alt --reason REASON");
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
    assert!(project.read(FILE).contains("    key: \"on\"\n"), "{}", project.read(FILE));
    assert!(project.read(MANIFEST).contains("{name: \"on\", stableKey: chat-alt}"));
}
