//! Output on a terminal: its width, and no repetitions.
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use stablekey::api::Credentials;
use stablekey::text::width;
use stablekey_testing::cli;
use stablekey_testing::cli::{example, stablekey};
use stablekey_testing::objects::{Connection, Document as _, Tenant};
use stablekey_testing::project::Project;
use stablekey_testing::yaml;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// The most common pages as a terminal gets them: `cat` shows a snapshot with its colours.
#[test]
fn pages_look_like_this_on_a_terminal() {
    let us_eu = example("us-eu");
    let pages: [(&str, &[&str]); 5] = [
        ("plan", &["plan"]),
        ("status", &["status"]),
        ("todo", &["status", "--todo"]),
        ("explain-connection", &["explain", "slack-bot"]),
        ("explain-integration", &["explain", "us-prod", "lead-router"]),
    ];
    for columns in [80, 120] {
        for (name, arguments) in pages {
            let mut command = stablekey(us_eu.path(), arguments);
            command.env_remove("NO_COLOR").env("TERM", "xterm-256color");
            insta::assert_snapshot!(format!("{name}-{columns}"), on_terminal(command, columns).0);
        }
    }
}

/// Returns what a command shows on a terminal with this many columns, and its exit code.
fn output_on_terminal(folder: &Path, columns: u16, arguments: &[&str]) -> (String, i32) {
    on_terminal(stablekey(folder, arguments), columns)
}

fn on_terminal(mut command: Command, columns: u16) -> (String, i32) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    let master = openpt(flags).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    tcsetwinsize(&master, Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let terminal = ioctl_tiocgptpeer(&master, flags).unwrap();
    command.env_remove("COLUMNS");
    command.stdout(Stdio::from(terminal.try_clone().unwrap())).stderr(Stdio::from(terminal));
    let mut child = command.spawn().unwrap();
    // The command keeps the terminal open as long as it runs; then reading ends with an error.
    drop(command);
    let mut bytes = Vec::new();
    let _ = File::from(master).read_to_end(&mut bytes);
    let code = child.wait().unwrap().code().unwrap();
    (String::from_utf8(bytes).unwrap().replace("\r\n", "\n"), code)
}

/// Returns the lines that are wider, except those with a single wide word or command.
fn too_wide(text: &str, columns: usize) -> Vec<&str> {
    let is_one_word = |line: &&str| {
        let words = line.trim_start().trim_start_matches("--> ");
        // A command is never broken: it is copied.
        words.starts_with("stablekey ") || words.split(' ').any(|word| width(word) + 14 > columns)
    };
    text.lines().filter(|line| width(line) > columns && !is_one_word(line)).collect()
}

#[test]
fn pages_are_as_wide_as_the_terminal() {
    let us_eu = example("us-eu");
    for columns in [60, 80, 132] {
        let pages: [&[&str]; 8] = [
            &["plan"],
            &["plan", "--tenant", "eu-prod", "--integration", "lead-router"],
            &["status"],
            &["status", "--todo"],
            &["explain", "us-prod", "lead-router"],
            &["explain", "slack-bot"],
            &["apply", "--help"],
            &["--help"],
        ];
        for arguments in pages {
            let (text, _) = output_on_terminal(us_eu.path(), columns, arguments);
            assert!(text.lines().count() > 5, "{arguments:?}: {text}");
            let wide = too_wide(&text, usize::from(columns));
            assert!(wide.is_empty(), "{columns} columns, {arguments:?}: {}\n\n{text}", wide.join("\n"));
        }
    }
    let (narrow, _) = output_on_terminal(us_eu.path(), 60, &["plan"]);
    let (wide, _) = output_on_terminal(us_eu.path(), 132, &["plan"]);
    assert!(wide.lines().count() < narrow.lines().count());
}

/// A table that does not fit is split.
#[test]
fn a_wide_matrix_is_split() {
    let names: Vec<String> = (1..=9).map(|n| format!("customer-{n}-production")).collect();
    let tenants: Vec<String> = names.iter().map(|name| Tenant::new(name).in_folder(name).yaml()).collect();
    let crm = Connection::new("crm", "salesforce/oauth2").credentials(Credentials::Customer).yaml();
    let root = Project::empty().with("tenants.yaml", &yaml::file(&tenants));
    names.iter().for_each(|name| root.write(&format!("{name}/crm.yaml"), &crm));
    let (text, code) = output_on_terminal(root.root(), 80, &["status"]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(too_wide(&text, 80), Vec::<&str>::new(), "{text}");
    let heads: Vec<&str> = text.lines().filter(|line| line.contains("stable key")).collect();
    assert_eq!(heads.len(), 5, "{text}");
    assert!(names.iter().all(|name| heads.iter().any(|head| head.contains(name.as_str()))), "{text}");
}

/// Wide characters take two columns, in wrapped text and in underlines.
#[test]
fn wide_characters_are_counted_as_wide() {
    let root = tempfile::tempdir().unwrap();
    let title = "每日将新线索复制到客户关系管理系统 并通知销售团队 然后更新仓库中的报表 还有更多";
    let manifest = format!(
        "apiVersion: stablekey.dev/v1alpha1\nkind: Connection\nmetadata: {{name: crm}}\n\
         spec: {{title: {title}, typ: oauth2, stableKey: crm, component: {{key: crm}}, type: a, credentials: Customer}}\n"
    );
    fs::write(root.path().join("crm.yaml"), manifest).unwrap();
    let (text, code) = output_on_terminal(root.path(), 60, &["validate", "crm.yaml"]);
    assert_eq!(code, 1, "{text}");
    assert_eq!(too_wide(&text, 60), Vec::<&str>::new(), "{text}");
    let marked = text.lines().position(|line| line.contains("^^^")).unwrap();
    let (above, marks) = (text.lines().nth(marked - 1).unwrap(), text.lines().nth(marked).unwrap());
    let at = above.find("typ:").unwrap();
    assert_eq!(width(&above[..at]), marks.find('^').unwrap(), "{text}");
}

/// A problem of a file is shown once, with its line, to someone who sees both outputs. It is in the result too, for
/// someone who sees only that.
#[test]
fn a_problem_of_a_file_is_reported_once() {
    let us_eu = example("us-eu");
    let manifest = "apiVersion: stablekey.dev/v1alpha1\nkind: Connection\nmetadata: {name: bad}\n\
         spec: {stableKey: bad, component: {key: a}, type: b, credentials: Nobody}\n";
    fs::write(us_eu.path().join("dev/bad.yaml"), manifest).unwrap();
    let what = "`Nobody` is not one of";
    for arguments in [["plan", "."], ["status", "."], ["apply", "--yes"], ["validate", "."]] {
        let (text, code) = output_on_terminal(us_eu.path(), 200, &arguments);
        assert_eq!((text.matches(what).count(), code), (1, 1), "{arguments:?}: {text}");
        assert!(text.contains("1 error"), "{text}");
        let output = stablekey(us_eu.path(), &arguments).output().unwrap();
        let alone = String::from_utf8(output.stdout).unwrap();
        let beside = String::from_utf8(output.stderr).unwrap();
        assert_eq!((alone.matches(what).count(), beside.matches(what).count()), (1, 1), "{arguments:?}: {alone}");
    }
    let (json, _) = output_on_terminal(us_eu.path(), 200, &["plan", ".", "-o", "json"]);
    assert!(json[json.find("\n{").unwrap()..].contains(what), "{json}");
}

/// Control characters in YAML, in a file's name or in a definition are written and shown visibly: a title does not move
/// the cursor.
#[test]
fn no_deceptive_character_is_shown_or_written() {
    let evil = "pay\u{202e}gnp.exe\u{1b}[2J\u{200b}";
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let head = |kind: &str, name: &str| {
        format!("apiVersion: stablekey.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: ")
    };
    let quoted = "\"pay\\u202egnp.exe\\e[2J\\u200b\"";
    let location = |tenant: &str, more: &str| {
        format!("{}{{location: {{directory: {{path: {tenant}}}}}{more}}}\n", head("Tenant", tenant))
    };
    write("tenants.yaml", &[location("dev", ""), location("prod", ", acceptFrom: [dev]")].join("---\n"));
    write(
        "sync.yaml",
        &format!("{}{{from: dev, to: [prod], integrations: ['*'], connections: Mirror}}\n", head("TenantSync", "up")),
    );
    let spec = format!(
        "{{stableKey: crm, title: {quoted}, component: {{key: a}}, type: b, credentials: Customer, inputs: {{note: {{value: {quoted}}}}}}}\n"
    );
    write("dev/crm.yaml", &format!("{}{spec}", head("Connection", "crm")));
    let spec = format!(
        "{{title: {quoted}, connections: [{{name: {quoted}, stableKey: crm}}, {{name: X, stableKey: gone}}]}}\n"
    );
    write("dev/i.yaml", &format!("{}{spec}", head("Integration", "i")));
    write(&format!("dev/{evil}.yaml"), "a: [\n");
    fs::create_dir(root.path().join("prod")).unwrap();
    let check = |told: &str, what: &dyn std::fmt::Debug| {
        let dangerous = told.chars().find(|c| *c != '\n' && stablekey::text::is_dangerous(*c));
        assert_eq!(dangerous, None, "{what:?}: {told:?}");
    };
    let commands: [&[&str]; 9] = [
        &["validate"],
        &["plan"],
        &["plan", "-o", "json"],
        &["plan", "-o", "markdown"],
        &["status"],
        &["explain", "dev"],
        &["explain", "dev", "i"],
        &["explain", "dev", evil],
        &["adopt", "dev", evil],
    ];
    for arguments in commands {
        check(&output_on_terminal(root.path(), 100, arguments).0, &arguments);
    }
    fs::remove_file(root.path().join(format!("dev/{evil}.yaml"))).unwrap();
    write(
        "dev/i.yaml",
        &format!(
            "{}{{title: {quoted}, connections: [{{name: {quoted}, stableKey: crm}}]}}\n",
            head("Integration", "i")
        ),
    );
    let (told, code) = output_on_terminal(root.path(), 100, &["apply", "--yes"]);
    assert_eq!(code, 0, "{told}");
    // Its progress is a line that is overwritten.
    check(&told.replace("\r\u{1b}[2K", "\n"), &"apply");
    let written = fs::read_to_string(root.path().join("prod/connections/crm.yaml")).unwrap();
    check(&written, &"prod/connections/crm.yaml");
    assert!(written.contains("\\u202e") && written.contains("\\u200b"), "{written}");
    // An edit of it, and of the lines beside it, too.
    write(
        "dev/crm.yaml",
        &fs::read_to_string(root.path().join("dev/crm.yaml")).unwrap().replace("pay\\u202e", "PAY\\u202e"),
    );
    assert_eq!(output_on_terminal(root.path(), 100, &["apply", "--yes"]).1, 0);
    let written = fs::read_to_string(root.path().join("prod/connections/crm.yaml")).unwrap();
    check(&written, &"edited");
    assert!(written.contains("PAY"), "{written}");
    let definition = format!(
        "definitionVersion: 7\nname: {quoted}\ndescription: x\nrequiredConfigVars:\n  - key: {quoted}\n    stableKey: a\n    dataType: connection\n    \
         connection:\n      component: {{key: salesforce, version: LATEST, isPublic: true}}\n      key: oauth2\nflows: []\n"
    );
    write("exported.yml", &definition);
    let (told, code) =
        output_on_terminal(root.path(), 100, &["import", "--root", "new", "--reusable", "all", "exported.yml"]);
    assert_eq!(code, 0, "{told}");
    check(&told, &"import");
    for (path, bytes) in cli::files(&root.path().join("new")) {
        if !path.ends_with(".definition") {
            check(&String::from_utf8(bytes).unwrap(), &path);
        }
    }
}
