//! "Consent is only to what was seen": the command line, from the plan that is shown to what is written.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use serde_json::Value;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use support::{files, run, said, stablekey, stablekey_of};
use tempfile::TempDir;

/// A project in a folder of its own, beside which there is room.
struct Ground {
    around: TempDir,
}

const HEAD: &str = "apiVersion: stablekey.dev/v1alpha1\n";

fn tenant(name: &str, more: &str) -> String {
    format!(
        "{HEAD}kind: Tenant\nmetadata: {{name: {name}}}\nspec: {{location: {{directory: {{path: {name}}}}}, {more}}}\n---\n"
    )
}

fn connection(host: &str) -> String {
    format!(
        "{HEAD}kind: Connection\nmetadata: {{name: chat}}\nspec:\n  stableKey: chat\n  component: {{key: chat}}\n  type: oauth2\n  \
         credentials: OrganizationGlobal\n  inputs:\n    baseUrl: {{value: \"https://{host}\"}}\n    \
         clientSecret: {{secretRef: {{name: chat, key: clientSecret}}}}\n"
    )
}

fn integration(name: &str, key: Option<&str>) -> String {
    let connections = key.map_or("[]".to_string(), |key| format!("[{{name: Chat, stableKey: {key}}}]"));
    format!(
        "{HEAD}kind: Integration\nmetadata: {{name: {name}}}\nspec: {{title: {name}, connections: {connections}}}\n"
    )
}

impl Ground {
    /// Tenants dev and prod, and a sync from one to the other.
    fn new() -> Self {
        let ground = Ground { around: tempfile::tempdir().unwrap() };
        let prod = tenant("prod", "acceptFrom: [dev], policy: {actions: [Create, Update, Delete]}");
        let sync = format!("{HEAD}kind: TenantSync\nmetadata: {{name: up}}\n");
        let sync = sync + "spec: {from: dev, to: [prod], integrations: ['*'], connections: Mirror, prune: true}\n";
        ground.write("tenants.yaml", &(tenant("dev", "") + &prod + &sync));
        fs::create_dir(ground.path("dev")).unwrap();
        fs::create_dir(ground.path("prod")).unwrap();
        ground
    }

    /// One connection and an integration over it, in both.
    fn applied() -> Self {
        let ground = Ground::new();
        ground.write("dev/chat.yaml", &connection("chat.example"));
        ground.write("dev/greet.yaml", &integration("greet", Some("chat")));
        ground.apply(&["--yes"], 0);
        ground
    }

    /// The connection is about to send its secret to another host.
    fn redirected() -> Self {
        let ground = Ground::applied();
        ground.write("dev/chat.yaml", &connection("evil.example"));
        ground
    }

    fn root(&self) -> PathBuf {
        self.around.path().join("root")
    }

    fn state(&self) -> PathBuf {
        self.around.path().join("state")
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        stablekey_of(&self.state(), &self.root(), arguments)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn apply(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(&[&["apply"][..], arguments].concat());
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        said(&output)
    }

    fn prod(&self) -> Vec<String> {
        files(&self.path("prod")).into_keys().collect()
    }

    fn host(&self) -> String {
        let text = fs::read_to_string(self.path("prod/connections/chat.yaml")).unwrap();
        text.lines().find(|line| line.contains("https://")).unwrap().trim().to_string()
    }

    fn digest(&self, arguments: &[&str]) -> String {
        let output = self.run(&[&["plan", "-o", "json"][..], arguments].concat());
        let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
        let digests = plan["targets"].as_array().unwrap().iter().find_map(|target| target["digests"].get("sync/up"));
        digests.unwrap().as_str().unwrap().to_string()
    }
}

/// Both ends of a terminal.
fn terminal() -> (File, File) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&person).unwrap();
    unlockpt(&person).unwrap();
    let name = ptsname(&person, Vec::new()).unwrap();
    let program = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    (File::from(person), program)
}

/// What a person saw on the terminal, and what went to standard output, where that is no terminal.
struct Asked {
    seen: String,
    result: String,
    code: Option<i32>,
}

/// Runs a command whose standard input and error are a terminal, on which this is typed.
fn asked(mut command: Command, typed: &str, sees_result: bool) -> Asked {
    let (mut person, program) = terminal();
    let copy = || Stdio::from(program.try_clone().unwrap());
    command.stdin(copy()).stderr(copy()).stdout(if sees_result { copy() } else { Stdio::piped() });
    let child = command.spawn().unwrap();
    drop((command, program));
    person.write_all(typed.as_bytes()).unwrap();
    let reader = std::thread::spawn(move || {
        let mut seen = Vec::new();
        // The other end's going is an error on a terminal.
        let _ = person.read_to_end(&mut seen);
        String::from_utf8_lossy(&seen).into_owned()
    });
    let output = child.wait_with_output().unwrap();
    Asked {
        seen: reader.join().unwrap(),
        result: String::from_utf8_lossy(&output.stdout).into_owned(),
        code: output.status.code(),
    }
}

/// Case 21: "the plan is shown first", and standard output is one document all the same.
#[test]
fn the_plan_is_shown_before_it_is_asked_for_whatever_the_form() {
    for form in ["json", "markdown", "text"] {
        let ground = Ground::redirected();
        let no = asked(ground.command(&["apply", "-o", form]), "no\n", false);
        let (plan, question) = no.seen.split_once("Apply 1 change, which needs approval? Type 'yes':").unwrap();
        assert!(plan.contains("update  Connection/chat") && plan.contains("evil.example"), "{form}: {}", no.seen);
        assert!(question.contains("Aborted. Nothing was changed.") && !no.seen.contains("error:"), "{}", no.seen);
        assert_eq!(no.code, Some(1));
        assert!(form == "text" || no.result.is_empty(), "{}", no.result);
        assert!(ground.host().contains("chat.example"));

        let yes = asked(ground.command(&["apply", "-o", form]), "yes\n", false);
        assert_eq!(yes.code, Some(0), "{}", yes.seen);
        assert!(ground.host().contains("evil.example"));
        if form == "json" {
            let applied: Value = serde_json::from_str(&yes.result).unwrap();
            assert_eq!(applied["schema"], "stablekey.dev/applied/v1");
        }
    }
}

/// Seen once is enough.
#[test]
fn a_plan_that_is_on_the_terminal_already_is_not_shown_again() {
    let ground = Ground::redirected();
    let asked = asked(ground.command(&["apply"]), "no\n", true);
    assert_eq!(asked.seen.matches("update  Connection/chat").count(), 1, "{}", asked.seen);
}

/// Case 51, and what a single letter must not approve.
#[test]
fn a_letter_is_a_yes_only_where_nothing_needs_approval() {
    let ground = Ground::redirected();
    assert_eq!(asked(ground.command(&["apply"]), "y\n", true).code, Some(1));
    assert!(ground.host().contains("chat.example"));
    for (typed, done) in [("y\n", true), ("YES\n", true), ("\n", false), ("n\n", false), ("\x04", false)] {
        let ground = Ground::new();
        ground.write("dev/greet.yaml", &integration("greet", None));
        let asked = asked(ground.command(&["apply"]), typed, true);
        assert_eq!(asked.code == Some(0), done, "{typed:?}: {}", asked.seen);
        assert_eq!(ground.path("prod/integrations/greet.yaml").exists(), done, "{typed:?}");
        assert_eq!(asked.seen.contains("Aborted. Nothing was changed."), !done);
        assert!(!asked.seen.contains("error:"), "{}", asked.seen);
    }
}

/// A question that nobody sees is not asked.
#[test]
fn without_a_terminal_for_the_question_nothing_is_asked() {
    let ground = Ground::redirected();
    let (mut person, program) = terminal();
    let mut command = ground.command(&["apply"]);
    command.stdin(program.try_clone().unwrap()).stdout(program).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    drop(command);
    person.write_all(b"yes\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("there is no terminal to ask on"), "{}", said(&output));
    assert!(ground.host().contains("chat.example"));
}

/// Case 18: "a guard lost by narrowing".
#[test]
fn narrowing_to_every_integration_deletes_nothing_unasked() {
    let ground = Ground::new();
    let names: Vec<String> = (0..12).map(|n| format!("i{n:02}")).collect();
    let narrowed: Vec<&str> = names.iter().flat_map(|name| ["--integration", name]).collect();
    names.iter().for_each(|name| ground.write(&format!("dev/{name}.yaml"), &integration(name, None)));
    ground.apply(&["--yes"], 0);
    names.iter().for_each(|name| fs::remove_file(ground.path(&format!("dev/{name}.yaml"))).unwrap());
    let before = ground.prod();
    let told = ground.apply(&[&["--yes"][..], &narrowed].concat(), 2);
    assert!(told.contains("0 done, 12 not done") && told.contains("needs approval"), "{told}");
    assert_eq!(ground.prod(), before);
    // "A delete narrowed by `--integration` ends with ✓ and its receipt."
    let digest = ground.digest(&narrowed);
    let told = ground.apply(&[&["--approve", &digest][..], &narrowed].concat(), 0);
    assert!(told.contains("✓ prod/Integration/i00") && told.contains("12 done. Read back"), "{told}");
    assert!(told.contains("Receipt:\n  plan     sha256:") && !told.contains("error:"), "{told}");
    assert_eq!(ground.prod(), ["stablekey.lock"]);
    assert_eq!(files(&ground.state()).len(), 0);
}

/// The same by a plan file, which may be given again when it is done.
#[test]
fn a_narrowed_plan_file_of_deletes_can_be_applied_twice() {
    let ground = Ground::applied();
    fs::remove_file(ground.path("dev/greet.yaml")).unwrap();
    let plan = ground.run(&["plan", "--integration", "greet", "--out", "../plan.json"]);
    assert_eq!(plan.status.code(), Some(2), "{}", said(&plan));
    let told = ground.apply(&["--plan", "../plan.json"], 0);
    assert!(told.contains("✓ prod/Integration/greet"), "{told}");
    // The command that it names next is narrowed as it was.
    let again = ground.apply(&["--plan", "../plan.json"], 0);
    assert!(again.to_lowercase().contains("nothing to do"), "{again}");
    assert_eq!(ground.run(&["plan", "--integration", "greett"]).status.code(), Some(1), "a wrong name is one still");
}

/// "in the user's state folder … never in it [the tree]": one line in a tenant's folder approved all.
#[test]
fn a_file_of_approvals_in_the_tree_approves_nothing() {
    let ground = Ground::redirected();
    let plan = ground.run(&["plan", "-o", "json"]);
    let plan: Value = serde_json::from_slice(&plan.stdout).unwrap();
    let targets = plan["targets"].as_array().unwrap().iter();
    let actions = targets.flat_map(|target| target["actions"].as_array().unwrap());
    let digests: Vec<&str> = actions.map(|action| action["digest"].as_str().unwrap()).collect();
    let digest = ground.digest(&[]);
    ground.write("prod/stablekey.approved", &format!("{}\n{digest}\n", digests.join("\n")));
    let told = ground.apply(&["--yes"], 2);
    assert!(told.contains("prod/stablekey.approved approves nothing"), "{told}");
    assert!(told.contains("– prod/Connection/chat: needs approval"), "{told}");
    assert!(ground.host().contains("chat.example"));
    let mut ci = stablekey(&ground.root(), &["apply", "--yes"]);
    assert_eq!(ci.output().unwrap().status.code(), Some(2));
    assert!(ground.host().contains("chat.example"));
}

/// Approves a redirect of which the connection cannot be written: the approval stays.
fn cut_off(ground: &Ground) -> String {
    ground.write("dev/more.yaml", &integration("more", None));
    let digest = ground.digest(&[]);
    // Beside a file with so long a name there is none with a longer one.
    let (usual, long) = (ground.path("prod/connections/chat.yaml"), "c".repeat(245));
    let long = ground.path(&format!("prod/connections/{long}.yaml"));
    fs::rename(&usual, &long).unwrap();
    let told = ground.apply(&["--approve", &digest], 1);
    assert!(told.contains("✗ prod/Connection/chat") && told.contains("✓ prod/Integration/more"), "{told}");
    fs::rename(&long, &usual).unwrap();
    assert!(ground.host().contains("chat.example"));
    digest
}

/// "`--yes` never uses what is kept"; "what was carried out is consumed".
#[test]
fn yes_never_uses_what_is_kept() {
    let ground = Ground::redirected();
    let digest = cut_off(&ground);
    let kept = files(&ground.state());
    assert_eq!(kept.len(), 1);

    let told = ground.apply(&["--yes"], 2);
    assert!(told.contains("– prod/Connection/chat: needs approval"), "{told}");
    assert!(told.contains("Approved before, in an apply that did not finish"), "{told}");
    assert!(ground.host().contains("chat.example"));
    assert_eq!(files(&ground.state()), kept, "nor does it forget");

    // Another copy of the project, and another target of that name, were approved by nobody.
    let copy = ground.around.path().join("copy");
    support::copy_folder(&ground.root(), &copy);
    let other = stablekey_of(&ground.state(), &copy, &["apply", "--approve", &digest]).output().unwrap();
    assert!(said(&other).contains("is no digest of this plan"), "{}", said(&other));
    fs::rename(ground.path("prod"), ground.path("moved")).unwrap();
    let tenants = fs::read_to_string(ground.path("tenants.yaml")).unwrap();
    ground.write("tenants.yaml", &tenants.replace("path: prod", "path: moved"));
    assert!(ground.apply(&["--approve", &digest], 1).contains("is no digest of this plan"));
    fs::rename(ground.path("moved"), ground.path("prod")).unwrap();
    ground.write("tenants.yaml", &tenants);

    let told = ground.apply(&["--approve", &digest], 0);
    assert!(told.contains("✓ prod/Connection/chat"), "{told}");
    assert!(ground.host().contains("evil.example"));
    assert_eq!(files(&ground.state()).len(), 0, "it is consumed");
    // What recurs needs a new approval: the digest opens nothing by itself.
    ground.write("dev/chat.yaml", &connection("chat.example"));
    assert!(ground.apply(&["--approve", &digest], 1).contains("is no digest of this plan"));
}

/// Two approvals at once: neither carries out, or forgets, what the other one left.
#[test]
fn an_approval_opens_only_what_it_was_given_for() {
    let ground = Ground::applied();
    let sync = format!(
        "---\n{HEAD}kind: TenantSync\nmetadata: {{name: other}}\nspec: {{from: side, to: [prod], integrations: ['*']}}\n"
    );
    let tenants = fs::read_to_string(ground.path("tenants.yaml")).unwrap().replace("[dev]}", "[dev, side]}");
    let tenants = tenants.replace("acceptFrom: [dev]", "acceptFrom: [dev, side]") + &sync + "---\n";
    ground.write("tenants.yaml", &(tenants + &tenant("side", "")));
    ground.write("side/aside.yaml", &integration("aside", None));
    ground.write("dev/chat.yaml", &connection("evil.example"));
    let of = |sync: &str| {
        let plan: Value = serde_json::from_slice(&ground.run(&["plan", "-o", "json"]).stdout).unwrap();
        let digests = plan["targets"].as_array().unwrap().iter().find_map(|target| target["digests"].get(sync));
        digests.unwrap().as_str().unwrap().to_string()
    };
    let other = of("sync/other");
    let up = cut_off(&ground);
    let told = ground.apply(&["--approve", &other], 2);
    assert!(
        told.contains("✓ prod/Integration/aside") && told.contains("– prod/Connection/chat: needs approval"),
        "{told}"
    );
    assert!(ground.host().contains("chat.example"));
    // What was given together is given again together, though one of them is done.
    let both = format!("{up},{other}");
    assert!(ground.apply(&["--approve", &both], 1).contains("is no digest of this plan"), "it was not given so");
    assert!(ground.apply(&["--approve", &up], 0).contains("✓ prod/Connection/chat"));
    assert_eq!(files(&ground.state()).len(), 0);

    ground.write("dev/chat.yaml", &connection("chat.example"));
    ground.write("side/aside.yaml", &integration("aside", None).replace("title: aside", "title: Aside"));
    fs::remove_file(ground.path("dev/more.yaml")).unwrap();
    let other = of("sync/other");
    let long = ground.path(&format!("prod/connections/{}.yaml", "c".repeat(245)));
    fs::rename(ground.path("prod/connections/chat.yaml"), &long).unwrap();
    let both = format!("{},{other}", of("sync/up"));
    let told = ground.apply(&["--approve", &both], 1);
    assert!(told.contains("✓ prod/Integration/aside") && told.contains("✗ prod/Connection/chat"), "{told}");
    fs::rename(&long, ground.path("prod/connections/chat.yaml")).unwrap();
    let told = ground.apply(&["--approve", &both], 0);
    assert!(told.contains("✓ prod/Connection/chat") && ground.host().contains("chat.example"), "{told}");
    assert_eq!(files(&ground.state()).len(), 0);
}

/// Nobody loses the ability to apply by a state folder, and nobody is promised what is not kept.
#[test]
fn a_state_folder_that_cannot_be_used_is_said_and_is_no_obstacle() {
    let uses = |prepare: &dyn Fn(&Ground)| {
        let ground = Ground::redirected();
        let digest = ground.digest(&[]);
        prepare(&ground);
        let told = ground.apply(&["--approve", &digest], 0);
        assert!(ground.host().contains("evil.example"));
        (told, ground)
    };
    // In the project it would come with a pull request.
    let (told, ground) = uses(&|ground| symlink(ground.root(), ground.state()).unwrap());
    assert!(told.contains("warning: the approval is not kept in") && told.contains("within the project"), "{told}");
    assert!(!ground.path("stablekey/approvals").exists() || files(&ground.path("stablekey")).is_empty());
    let (told, _) = uses(&|ground| fs::write(ground.state(), "a file").unwrap());
    assert!(told.contains("warning: the approval is not kept in"), "{told}");
    let (told, ground) = uses(&|ground| {
        let folder = ground.state().join("stablekey/approvals");
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
    });
    assert!(told.contains("others may write it"), "{told}");
    assert!(files(&ground.state()).is_empty());
    let (told, _) = uses(&|ground| {
        fs::create_dir_all(ground.state()).unwrap();
        symlink("nowhere", ground.state().join("stablekey")).unwrap();
    });
    assert!(told.contains("warning: the approval is not kept in"), "{told}");
    // Where it can be used it is made for the user only, and nothing is said.
    let (told, ground) = uses(&|_| {});
    assert!(!told.contains("warning:"), "{told}");
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(ground.state().join("stablekey")), 0o700);
    assert_eq!(mode(ground.state().join("stablekey/approvals")), 0o700);
}

/// What is kept and cannot be trusted is not used.
#[test]
fn what_others_may_have_written_into_the_state_folder_is_not_used() {
    for spoil in [0, 1, 2] {
        let ground = Ground::redirected();
        let digest = cut_off(&ground);
        let folder = ground.state().join("stablekey/approvals");
        let file = folder.join(files(&folder).into_keys().next().unwrap());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        match spoil {
            0 => fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap(),
            1 => fs::write(&file, "{").unwrap(),
            _ => {
                fs::rename(&file, ground.around.path().join("elsewhere")).unwrap();
                symlink(ground.around.path().join("elsewhere"), &file).unwrap();
            }
        }
        let told = ground.apply(&["--approve", &digest], 1);
        assert!(told.contains("is no digest of this plan") && told.contains("are not used"), "{spoil}: {told}");
        assert!(ground.host().contains("chat.example"));
    }
}

#[test]
fn digests_are_taken_as_they_are_pasted_and_nothing_else_is_one() {
    let ground = Ground::redirected();
    for wrong in ["", "sha256:", "yes", "sha256:zz", "sha256:aa,"] {
        let told = ground.apply(&["--approve", wrong], 1);
        assert!(told.contains("a digest is sha256: and 12 or more hexadecimal digits"), "{wrong:?}: {told}");
    }
    let whole = ground.digest(&[]);
    let digest = format!("  {} ", whole.to_uppercase());
    assert!(ground.apply(&["--approve", &digest], 0).contains("✓ prod/Connection/chat"));
}

/// "`--approve` takes an unambiguous prefix of at least 12."
#[test]
fn a_digest_may_be_given_by_its_first_digits() {
    let ground = Ground::redirected();
    let whole = ground.digest(&[]);
    let hex = whole.trim_start_matches("sha256:");
    let told = ground.apply(&["--approve", &hex[..11]], 1);
    assert!(told.contains("12 or more hexadecimal digits"), "{told}");
    let told = ground
        .apply(&["--approve", &format!("{}{}", &hex[..12], if hex[12..].starts_with('0') { '1' } else { '0' })], 1);
    assert!(told.contains("is no digest of this plan"), "{told}");
    assert!(ground.apply(&["--approve", &hex[..12]], 0).contains("✓ prod/Connection/chat"));
}

/// "`--out` replaces only regular files", "`--out -` is standard output".
#[test]
fn out_replaces_only_regular_files() {
    let ground = Ground::redirected();
    let outside = ground.around.path();
    let fifo = outside.join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    fs::write(outside.join("file"), "theirs").unwrap();
    symlink("file", outside.join("link")).unwrap();
    symlink("nowhere", outside.join("dangling")).unwrap();
    fs::create_dir(outside.join("folder")).unwrap();
    let exports = ["export", "prod", "greet", "--out"];
    for (name, what) in [("fifo", "a FIFO"), ("link", "a link"), ("dangling", "a link"), ("folder", "a folder")] {
        let before = fs::symlink_metadata(outside.join(name)).unwrap().file_type();
        let out = format!("../{name}");
        for command in [&["plan", "--out"][..], &exports] {
            let output = ground.run(&[command, &[&out]].concat());
            if command == exports && said(&output).contains("import the definition first") {
                continue;
            }
            assert_eq!(output.status.code(), Some(1), "{}", said(&output));
            assert!(
                said(&output).contains(&format!("it is {what}, and only a regular file is replaced")),
                "{output:?}"
            );
        }
        assert_eq!(fs::symlink_metadata(outside.join(name)).unwrap().file_type(), before);
    }
    assert_eq!(fs::read_to_string(outside.join("file")).unwrap(), "theirs");
    let names = fs::read_dir(outside).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.contains(".stablekey-tmp-")).count(), 0);

    assert_eq!(ground.run(&["plan", "--out", "../file"]).status.code(), Some(2));
    assert_eq!(fs::metadata(outside.join("file")).unwrap().permissions().mode() & 0o777, 0o600);
    let output = ground.run(&["plan", "--out", "-"]);
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan["schema"], "stablekey.dev/plan/v1");
    assert!(String::from_utf8_lossy(&output.stderr).contains("update  Connection/chat"));
    assert_eq!(output.stdout, fs::read(outside.join("file")).unwrap());
    // A link to a file that is read decides nothing: it is consent, not a location to write.
    assert!(ground.apply(&["--plan", "../link"], 0).contains("✓ prod/Connection/chat"));
    assert!(ground.apply(&["--plan", "../fifo"], 1).contains("it is not a regular file"));
}

/// `crds --dir` and tenants.yaml of an import are files that a person names too.
#[test]
fn crds_replace_only_regular_files() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("theirs"), "theirs").unwrap();
    symlink("theirs", folder.path().join("tenants.yaml")).unwrap();
    let output = run(folder.path(), &["crds", "--dir", "."]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("it is a link"), "{}", said(&output));
    assert_eq!(fs::read_to_string(folder.path().join("theirs")).unwrap(), "theirs");
}

/// It is as docs/plan.schema.json says.
fn is_a_plan(file: &Value) {
    let schema = fs::read_to_string(support::repository("docs/plan.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let wrong: Vec<String> = validator.iter_errors(file).map(|error| error.to_string()).collect();
    assert_eq!(wrong, Vec::<String>::new());
}

/// A declared connection for prod, in a folder outside the root.
fn outside(ground: &Ground) -> PathBuf {
    let folder = ground.around.path().join("declared/prod");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("chat.yaml"), connection("declared.example")).unwrap();
    folder
}

/// "a `--source` outside the root is read or refused, never ignored"; "what is planned by `--source` is in
/// the plan file".
#[test]
fn a_source_outside_the_root_is_read_and_kept_in_the_plan_file() {
    let ground = Ground::new();
    let folder = outside(&ground);
    let source = format!("prod={}", folder.display());
    let plan = ground.run(&["plan", "--source", &source, "--out", "../plan.json"]);
    assert_eq!(plan.status.code(), Some(2), "{}", said(&plan));
    assert!(said(&plan).contains("create  Connection/chat"), "{}", said(&plan));
    let file: Value = serde_json::from_slice(&fs::read(ground.around.path().join("plan.json")).unwrap()).unwrap();
    assert_eq!(file["sources"], serde_json::json!({"prod": "../declared/prod"}));
    is_a_plan(&file);

    let other = ground.around.path().join("declared/other");
    fs::create_dir(&other).unwrap();
    for wrong in ["prod=../declared/other", "dev=../declared/prod", "prod=dev"] {
        let told = ground.apply(&["--plan", "../plan.json", "--source", wrong], 1);
        assert!(told.contains("the plan file was planned with"), "{wrong}: {told}");
    }
    let told = ground.apply(&["--plan", "../plan.json", "--source", "prod=../declared/./prod"], 0);
    assert!(told.contains("✓ prod/Connection/chat"), "{told}");
    // Once more, and in a copy of both, wherever they are.
    assert!(ground.apply(&["--plan", "../plan.json"], 0).to_lowercase().contains("nothing to do"));
    fs::remove_file(folder.join("chat.yaml")).unwrap();
    fs::remove_dir(&folder).unwrap();
    let gone = ground.apply(&["--plan", "../plan.json"], 1);
    assert!(gone.contains("there is no such folder"), "{gone}");
}

/// Below the root, however it is spelled: the same files.
#[test]
fn a_source_below_the_root_is_the_same_by_whatever_path() {
    let ground = Ground::new();
    ground.write("declared/prod/chat.yaml", &connection("declared.example"));
    symlink(ground.path("declared/prod"), ground.around.path().join("link")).unwrap();
    let absolute = ground.path("declared/prod").display().to_string();
    for path in ["declared/prod", "./declared/prod/", "../root/declared/prod", "../link", &absolute] {
        let plan = ground.run(&["plan", "--source", &format!("prod={path}")]);
        assert_eq!(plan.status.code(), Some(2), "{path}: {}", said(&plan));
        assert!(said(&plan).contains("create  Connection/chat") && !said(&plan).contains("error"), "{}", said(&plan));
    }
}

/// "A wrong name fails, it never switches a rule off."
#[test]
fn a_source_that_cannot_be_meant_is_refused() {
    let ground = Ground::applied();
    outside(&ground);
    ground.write("declared/prod/chat.yaml", &connection("declared.example"));
    symlink("../../declared/prod", ground.path("declared/link")).unwrap();
    fs::write(ground.around.path().join("file.yaml"), "").unwrap();
    for (sources, words) in [
        (&["prdo=../declared/prod"][..], "there is no tenant prdo"),
        (&["prdo=../declared/prod"], "did you mean prod"),
        (&["prod=../declared/prdo"], "there is no such folder"),
        (&["prod=../declared/prdo"], "did you mean prod?"),
        (&["prod=../file.yaml"], "this is no folder"),
        (&["prod=."], "the root lies within it"),
        (&["prod=.."], "the root lies within it"),
        (&["prod=declared/link"], "this is a link that leads out of the root"),
        (&["prod=dev"], "the location of dev lies there"),
        (&["prod=prod"], "the location of prod lies there"),
        (&["prod=prod/connections"], "the location of prod lies there"),
        (&["prod=../declared/prod", "prod=declared/prod"], "gives prod two folders"),
        (&["prod=../declared/prod", "dev=../declared/prod"], "to prod and to dev"),
    ] {
        let sources: Vec<&str> = sources.iter().flat_map(|source| ["--source", source]).collect();
        let before = files(&ground.root());
        for command in ["plan", "status"] {
            let output = ground.run(&[&[command][..], &sources].concat());
            assert_eq!(output.status.code(), Some(1), "{sources:?}: {}", said(&output));
            assert!(said(&output).contains(words), "{sources:?}: {}", said(&output));
        }
        ground.apply(&[&["--yes"][..], &sources].concat(), 1);
        assert_eq!(files(&ground.root()), before, "{sources:?}");
    }
}

/// No link in a source outside the root leads out of it.
#[test]
fn a_link_out_of_a_source_outside_the_root_is_not_followed() {
    let ground = Ground::new();
    let folder = outside(&ground);
    let secret = ground.around.path().join("secret.yaml");
    fs::write(&secret, integration("leaked", None)).unwrap();
    symlink(&secret, folder.join("leak.yaml")).unwrap();
    let plan = ground.run(&["plan", "--source", "prod=../declared/prod"]);
    assert!(!said(&plan).contains("leaked"), "{}", said(&plan));
}

/// "A full disk still reports what was done."
#[test]
fn where_the_result_cannot_be_written_it_is_told_beside() {
    let ground = Ground::redirected();
    let mut command = ground.command(&["apply", "-o", "json", "--approve", &ground.digest(&[])]);
    // Every write to it fails as on a full disk.
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command.stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = said(&output);
    assert!(told.contains("✓ prod/Connection/chat") && told.contains("1 done. Read back"), "{told}");
    assert!(told.contains("standard output cannot be written"), "{told}");
}

/// "a missing location folder of a tenant that takes no part" ends no apply after its writes.
#[test]
fn a_tenant_that_takes_no_part_is_not_written_to() {
    let ground = Ground::new();
    let tenants = fs::read_to_string(ground.path("tenants.yaml")).unwrap();
    ground.write("tenants.yaml", &(tenant("absent", "") + &tenants));
    ground.write("dev/greet.yaml", &integration("greet", None));
    let output = ground.run(&["apply", "--yes"]);
    let told = said(&output);
    assert!(told.contains("✓ prod/Integration/greet") && told.contains("1 done."), "{told}");
    assert!(told.contains("Receipt:") && !told.contains("error: "), "{told}");
    assert!(!ground.path("absent").exists());
}

/// "A plan file is consent": what is left after a crash is in it, also where nothing is kept.
#[test]
fn a_plan_file_covers_what_is_left_of_its_actions_in_ci_too() {
    let ground = Ground::redirected();
    let plan = ground.run(&["plan", "--out", "../plan.json"]);
    assert_eq!(plan.status.code(), Some(2), "{}", said(&plan));
    let file: Value = serde_json::from_slice(&fs::read(ground.around.path().join("plan.json")).unwrap()).unwrap();
    assert_eq!(file["resumptions"].as_array().unwrap().len(), 1);
    is_a_plan(&file);
    // Killed between the object and its record.
    let lock = fs::read(ground.path("prod/stablekey.lock")).unwrap();
    let ci = |arguments: &[&str]| stablekey(&ground.root(), arguments).output().unwrap();
    assert_eq!(ci(&["apply", "--plan", "../plan.json"]).status.code(), Some(0));
    fs::write(ground.path("prod/stablekey.lock"), lock).unwrap();
    let again = ci(&["apply", "--plan", "../plan.json"]);
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    assert!(said(&again).contains("✓ prod/Connection/chat"), "{}", said(&again));
}

/// "A plan file of 22,000 objects can be applied", also where it lies below the root: it is no manifest.
#[test]
fn a_plan_file_may_be_larger_than_a_manifest() {
    let ground = Ground::redirected();
    assert_eq!(ground.run(&["plan", "--out", "plan.json"]).status.code(), Some(2));
    let mut file = OpenOptions::new().append(true).open(ground.path("plan.json")).unwrap();
    file.write_all(&vec![b' '; 65 << 20]).unwrap();
    let plan = ground.run(&["plan"]);
    assert_eq!(plan.status.code(), Some(2), "{}", said(&plan));
    assert!(ground.apply(&["--plan", "plan.json"], 0).contains("✓ prod/Connection/chat"));
}

/// A file that somebody laid where we write for a moment is not written through.
#[test]
fn a_link_with_the_name_of_a_temporary_file_is_not_followed() {
    let ground = Ground::redirected();
    let victim = ground.around.path().join("victim");
    fs::write(&victim, "theirs").unwrap();
    for name in ["prod/connections/.stablekey-tmp-chat.yaml", "prod/.stablekey-tmp-stablekey.lock"] {
        symlink(&victim, ground.path(name)).unwrap();
    }
    symlink(&victim, ground.around.path().join(".stablekey-tmp-plan.json")).unwrap();
    ground.run(&["plan", "--out", "../plan.json"]);
    ground.apply(&["--plan", "../plan.json"], 0);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "theirs");
    assert!(Path::new(&ground.path("prod/stablekey.lock")).is_file());
}

/// A plan file that shows something else than its digests stand for is no consent, and it replaces no manifest.
#[test]
fn a_plan_file_that_was_edited_is_refused() {
    let ground = Ground::redirected();
    assert_eq!(ground.run(&["plan", "--out", "../plan.json"]).status.code(), Some(2));
    let file = ground.around.path().join("plan.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("evil.example", "chat.example")).unwrap();
    let told = ground.apply(&["--plan", "../plan.json"], 1);
    assert!(told.contains("shows other values of prod/Connection/chat"), "{told}");
    // A digest that is moved to where nobody reads it covers nothing, and of two entries neither is believed.
    let edited = |edit: &dyn Fn(&mut Value)| {
        let mut plan: Value = serde_json::from_str(&text).unwrap();
        edit(&mut plan);
        fs::write(&file, plan.to_string()).unwrap();
        ground.apply(&["--plan", "../plan.json"], 1)
    };
    let prod = |plan: &Value| plan["targets"].as_array().unwrap().iter().position(|t| t["tenant"] == "prod").unwrap();
    let hidden = edited(&|plan| {
        let at = prod(plan);
        let action = plan["targets"][at]["actions"].as_array_mut().unwrap().remove(0);
        plan["resumptions"] = serde_json::json!([action["digest"]]);
    });
    assert!(hidden.contains("shows other values of prod/Connection/chat"), "{hidden}");
    let twice = edited(&|plan| {
        let at = prod(plan);
        let actions = plan["targets"][at]["actions"].as_array_mut().unwrap();
        actions.insert(0, actions[0].clone());
    });
    assert!(twice.contains("it shows prod/Connection/chat twice"), "{twice}");
    let harmless = edited(&|plan| {
        let at = prod(plan);
        plan["targets"][at]["actions"][0]["needsApproval"] = serde_json::json!([]);
    });
    assert!(harmless.contains("shows other values"), "{harmless}");
    fs::write(&file, text).unwrap();
    assert!(ground.apply(&["--plan", "../plan.json"], 0).contains("✓ prod/Connection/chat"));
    for (text, why) in [("[]", "does not have the shape"), ("{\"schema\": \"stablekey.dev/plan/v9\"}", "its schema is")]
    {
        fs::write(&file, text).unwrap();
        assert!(ground.apply(&["--plan", "../plan.json"], 1).contains(why));
    }
    let tenants = fs::read(ground.root().join("tenants.yaml")).unwrap();
    let output = ground.run(&["plan", "--out", "tenants.yaml"]);
    assert!(said(&output).contains("is there and is no plan"), "{output:?}");
    assert_eq!(fs::read(ground.root().join("tenants.yaml")).unwrap(), tenants);
}

/// What is left of an action is never another kind of action, whatever a file calls its rest.
#[test]
fn a_delete_that_is_shown_as_an_update_is_refused() {
    let ground = Ground::redirected();
    ground.run(&["apply", "--yes"]);
    assert_eq!(ground.run(&["plan", "--out", "../plan.json"]).status.code(), Some(2));
    let file = ground.around.path().join("plan.json");
    let mut plan: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let mut digests = Vec::new();
    for target in plan["targets"].as_array_mut().unwrap() {
        for action in target["actions"].as_array_mut().unwrap() {
            digests.push(action["digest"].clone());
            action["digest"] = format!("sha256:{}", "0".repeat(64)).into();
            action["action"] = "adopt".into();
        }
    }
    plan["resumptions"] = digests.into();
    fs::write(&file, plan.to_string()).unwrap();
    let told = ground.apply(&["--plan", "../plan.json"], 1);
    assert!(told.contains("it is another action"), "{told}");
}

/// A create that was cut off between its record and the object, and whose record does not say where its secrets go,
/// is finished by the same plan file.
#[test]
fn a_plan_file_finishes_a_create_that_is_not_recorded() {
    let ground = Ground::redirected();
    let file = ground.around.path().join("plan.json");
    ground.write("made/tenants.yaml", &(tenant("us", "") + &tenant("eu", "\n  acceptFrom: [us]")));
    ground.write(
        "made/syncs.yaml",
        "apiVersion: stablekey.dev/v1alpha1\nkind: TenantSync\nmetadata: {name: s}\nspec: {from: us, to: [eu], integrations: [\"*\"], connections: Create}\n",
    );
    ground.write(
        "made/us/crm.yaml",
        "apiVersion: stablekey.dev/v1alpha1\nkind: Connection\nmetadata: {name: crm}\nspec:\n  stableKey: crm\n  component: {key: http}\n  type: basic\n  credentials: OrganizationGlobal\n  inputs:\n    host: {value: a.example}\n    password: {secretRef: {name: s, key: password}}\n---\napiVersion: stablekey.dev/v1alpha1\nkind: Integration\nmetadata: {name: i}\nspec: {connections: [{name: V, stableKey: crm}]}\n",
    );
    let run = |arguments: &[&str]| stablekey(&ground.path("made"), arguments).output().unwrap();
    fs::create_dir_all(ground.path("made/eu")).unwrap();
    let plan = run(&["plan", "--out", file.to_str().unwrap()]);
    assert_eq!(plan.status.code(), Some(2), "{}", said(&plan));
    let apply = || run(&["apply", "--plan", file.to_str().unwrap()]);
    assert_eq!(apply().status.code(), Some(0));
    // The record is there, the object is not.
    fs::remove_file(ground.path("made/eu/connections/crm.yaml")).unwrap();
    let again = apply();
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    assert!(said(&again).contains("✓ eu/Connection/crm"), "{}", said(&again));
}

/// A plan file of another folder is no consent here, and nothing to do is no success.
#[test]
fn a_plan_of_another_folder_is_refused() {
    let (ground, other) = (Ground::redirected(), Ground::new());
    assert_eq!(ground.run(&["plan", "--out", "../plan.json"]).status.code(), Some(2));
    let file = ground.around.path().join("plan.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(other.around.path().join("plan.json"), text.replace("prod/Connection", "live/Connection")).unwrap();
    let told = other.apply(&["--plan", "../plan.json"], 1);
    assert!(told.contains("the plan is of tenant live"), "{told}");
}
