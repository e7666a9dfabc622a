//! Consent is only to what was shown: the command line, from the shown plan to the writes.

use serde_json::Value;
use stablekey::api::Credentials;
use stablekey_testing::cli;
use stablekey_testing::cli::{files, run, said, stablekey, stablekey_of};
use stablekey_testing::objects::{Connection, Document as _, Integration, Sync, Tenant};
use stablekey_testing::project::Project;
use stablekey_testing::yaml;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::ops::Deref;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A project, and the person who applies it.
struct TestEnv {
    project: Project,
}

impl Deref for TestEnv {
    type Target = Project;

    fn deref(&self) -> &Project {
        &self.project
    }
}

fn tenant(name: &str) -> Tenant {
    Tenant::new(name).in_folder(name)
}

fn connection(host: &str) -> String {
    let chat = Connection::new("chat", "chat/oauth2").credentials(Credentials::OrganizationGlobal);
    chat.input("baseUrl", &format!("https://{host}")).secret("clientSecret", "chat").yaml()
}

fn integration(name: &str, key: Option<&str>) -> String {
    let integration = Integration::new(name).title(name);
    match key {
        Some(key) => integration.binds("Chat", key).yaml(),
        None => integration.yaml(),
    }
}

impl TestEnv {
    /// Creates tenants dev and prod, and a sync from one to the other.
    fn new() -> Self {
        let prod = tenant("prod").accepts("dev").allows_delete();
        let up = Sync::new("up", "dev", "prod").mirror().prune();
        let project = Project::empty().with_folder("dev").with_folder("prod");
        let tenants = yaml::file(&[tenant("dev").yaml(), prod.yaml(), up.yaml()]);
        TestEnv { project: project.with("tenants.yaml", &tenants) }
    }

    /// Adds one connection and an integration that uses it, in both.
    fn applied() -> Self {
        let env = TestEnv::new();
        env.write("dev/chat.yaml", &connection("chat.example"));
        env.write("dev/greet.yaml", &integration("greet", Some("chat")));
        env.apply(&["--yes"], 0);
        env
    }

    /// Changes the connection so that it would send its secret to another host.
    fn redirected() -> Self {
        let env = TestEnv::applied();
        env.write("dev/chat.yaml", &connection("evil.example"));
        env
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.command_with_state(arguments)
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

/// Opens both ends of a terminal.
fn terminal() -> (File, File) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&person).unwrap();
    unlockpt(&person).unwrap();
    let name = ptsname(&person, Vec::new()).unwrap();
    let program = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    (File::from(person), program)
}

/// What a person saw on the terminal, and what went to standard output if that is not a terminal.
pub struct TerminalOutput {
    pub seen: String,
    result: String,
    pub code: Option<i32>,
}

/// Runs a command with a terminal as standard input and error, on which this is typed.
pub fn run_on_terminal(mut command: Command, typed: &str, sees_result: bool) -> TerminalOutput {
    let (mut person, program) = terminal();
    let copy = || Stdio::from(program.try_clone().unwrap());
    command.stdin(copy()).stderr(copy()).stdout(if sees_result { copy() } else { Stdio::piped() });
    let child = command.spawn().unwrap();
    drop((command, program));
    person.write_all(typed.as_bytes()).unwrap();
    let reader = std::thread::spawn(move || {
        let mut seen = Vec::new();
        // On a terminal, the exit of the other end is a read error.
        let _ = person.read_to_end(&mut seen);
        String::from_utf8_lossy(&seen).into_owned()
    });
    let output = child.wait_with_output().unwrap();
    TerminalOutput {
        seen: reader.join().unwrap(),
        result: String::from_utf8_lossy(&output.stdout).into_owned(),
        code: output.status.code(),
    }
}

/// The plan is shown before the question, and standard output is one document nevertheless.
#[test]
fn the_plan_is_shown_before_the_question_in_any_format() {
    for form in ["json", "markdown", "text"] {
        let env = TestEnv::redirected();
        let no = run_on_terminal(env.command(&["apply", "-o", form]), "no\n", false);
        let (plan, question) = no.seen.split_once("Apply 1 change, which needs approval? Type 'yes':").unwrap();
        assert!(plan.contains("update  Connection/chat") && plan.contains("evil.example"), "{form}: {}", no.seen);
        assert!(question.contains("Aborted. Nothing was changed.") && !no.seen.contains("error:"), "{}", no.seen);
        assert_eq!(no.code, Some(1));
        assert!(form == "text" || no.result.is_empty(), "{}", no.result);
        assert!(env.host().contains("chat.example"));

        let yes = run_on_terminal(env.command(&["apply", "-o", form]), "yes\n", false);
        assert_eq!(yes.code, Some(0), "{}", yes.seen);
        assert!(env.host().contains("evil.example"));
        if form == "json" {
            let applied: Value = serde_json::from_str(&yes.result).unwrap();
            assert_eq!(applied["schema"], "stablekey.dev/applied/v1");
        }
    }
}

#[test]
fn a_plan_that_is_on_the_terminal_already_is_not_shown_again() {
    let env = TestEnv::redirected();
    let asked = run_on_terminal(env.command(&["apply"]), "no\n", true);
    assert_eq!(asked.seen.matches("update  Connection/chat").count(), 1, "{}", asked.seen);
}

/// A single letter must not approve what needs approval.
#[test]
fn a_letter_is_a_yes_only_if_nothing_needs_approval() {
    let env = TestEnv::redirected();
    assert_eq!(run_on_terminal(env.command(&["apply"]), "y\n", true).code, Some(1));
    assert!(env.host().contains("chat.example"));
    for (typed, done) in [("y\n", true), ("YES\n", true), ("\n", false), ("n\n", false), ("\x04", false)] {
        let env = TestEnv::new();
        env.write("dev/greet.yaml", &integration("greet", None));
        let asked = run_on_terminal(env.command(&["apply"]), typed, true);
        assert_eq!(asked.code == Some(0), done, "{typed:?}: {}", asked.seen);
        assert_eq!(env.path("prod/integrations/greet.yaml").exists(), done, "{typed:?}");
        assert_eq!(asked.seen.contains("Aborted. Nothing was changed."), !done);
        assert!(!asked.seen.contains("error:"), "{}", asked.seen);
    }
}

#[test]
fn without_a_terminal_for_the_question_nothing_is_asked() {
    let env = TestEnv::redirected();
    let (mut person, program) = terminal();
    let mut command = env.command(&["apply"]);
    command.stdin(program.try_clone().unwrap()).stdout(program).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    drop(command);
    person.write_all(b"yes\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("there is no terminal to ask on"), "{}", said(&output));
    assert!(env.host().contains("chat.example"));
}

/// Narrowing to every integration must not disable the share that needs approval.
#[test]
fn narrowing_to_every_integration_deletes_nothing_without_approval() {
    let env = TestEnv::new();
    let names: Vec<String> = (0..12).map(|n| format!("i{n:02}")).collect();
    let narrowed: Vec<&str> = names.iter().flat_map(|name| ["--integration", name]).collect();
    names.iter().for_each(|name| env.write(&format!("dev/{name}.yaml"), &integration(name, None)));
    env.apply(&["--yes"], 0);
    names.iter().for_each(|name| fs::remove_file(env.path(&format!("dev/{name}.yaml"))).unwrap());
    let before = env.prod();
    let told = env.apply(&[&["--yes"][..], &narrowed].concat(), 2);
    assert!(told.contains("0 done, 12 not done") && told.contains("needs approval"), "{told}");
    assert_eq!(env.prod(), before);
    // A narrowed apply of a delete ends with ✓ and its receipt.
    let digest = env.digest(&narrowed);
    let told = env.apply(&[&["--approve", &digest][..], &narrowed].concat(), 0);
    assert!(told.contains("✓ prod/Integration/i00") && told.contains("12 done. Read back"), "{told}");
    assert!(told.contains("Receipt:\n  plan     sha256:") && !told.contains("error:"), "{told}");
    assert_eq!(env.prod(), ["stablekey.lock"]);
    assert_eq!(files(env.state()).len(), 0);
}

/// The same with a plan file, which may be given again afterwards.
#[test]
fn a_narrowed_plan_file_of_deletes_can_be_applied_twice() {
    let env = TestEnv::applied();
    fs::remove_file(env.path("dev/greet.yaml")).unwrap();
    let plan = env.run(&["plan", "--integration", "greet", "--out", "../plan.json"]);
    assert_eq!(plan.status.code(), Some(2), "{}", said(&plan));
    let told = env.apply(&["--plan", "../plan.json"], 0);
    assert!(told.contains("✓ prod/Integration/greet"), "{told}");
    // The command that the output suggests is narrowed in the same way.
    let again = env.apply(&["--plan", "../plan.json"], 0);
    assert!(again.to_lowercase().contains("nothing to do"), "{again}");
    assert_eq!(env.run(&["plan", "--integration", "greett"]).status.code(), Some(1), "a wrong name is one still");
}

/// Approvals are stored in the user's state folder, never in the tree: else one line in a tenant's folder could approve
/// everything.
#[test]
fn a_file_of_approvals_in_the_tree_approves_nothing() {
    let env = TestEnv::redirected();
    let plan = env.run(&["plan", "-o", "json"]);
    let plan: Value = serde_json::from_slice(&plan.stdout).unwrap();
    let targets = plan["targets"].as_array().unwrap().iter();
    let actions = targets.flat_map(|target| target["actions"].as_array().unwrap());
    let digests: Vec<&str> = actions.map(|action| action["digest"].as_str().unwrap()).collect();
    let digest = env.digest(&[]);
    env.write("prod/stablekey.approved", &format!("{}\n{digest}\n", digests.join("\n")));
    let told = env.apply(&["--yes"], 2);
    assert!(told.contains("prod/stablekey.approved approves nothing"), "{told}");
    assert!(told.contains("– prod/Connection/chat: not approved"), "{told}");
    assert!(env.host().contains("chat.example"));
    let mut ci = stablekey(env.root(), &["apply", "--yes"]);
    assert_eq!(ci.output().unwrap().status.code(), Some(2));
    assert!(env.host().contains("chat.example"));
}

/// Approves a redirect whose connection cannot be written: the approval is kept.
fn cut_off(env: &TestEnv) -> String {
    env.write("dev/more.yaml", &integration("more", None));
    let digest = env.digest(&[]);
    // Beside a file with such a long name, one with a longer name cannot be created.
    let (usual, long) = (env.path("prod/connections/chat.yaml"), "c".repeat(245));
    let long = env.path(&format!("prod/connections/{long}.yaml"));
    fs::rename(&usual, &long).unwrap();
    let told = env.apply(&["--approve", &digest], 1);
    assert!(told.contains("✗ prod/Connection/chat") && told.contains("✓ prod/Integration/more"), "{told}");
    fs::rename(&long, &usual).unwrap();
    assert!(env.host().contains("chat.example"));
    digest
}

/// `--yes` never uses stored approvals, and what was carried out is consumed.
///
/// "`--yes` never uses what is kept". "what was carried out is consumed".
#[test]
fn yes_never_uses_stored_approvals() {
    let env = TestEnv::redirected();
    let digest = cut_off(&env);
    let kept = files(env.state());
    assert_eq!(kept.len(), 1);

    let told = env.apply(&["--yes"], 2);
    assert!(told.contains("– prod/Connection/chat: not approved"), "{told}");
    assert!(told.contains("Approved before, in an apply that did not finish"), "{told}");
    assert!(env.host().contains("chat.example"));
    assert_eq!(files(env.state()), kept, "nor does it forget");

    // Another copy of the project, and another target of that name, have no approvals.
    let copy = env.parent_folder().join("copy");
    cli::copy_folder(env.root(), &copy);
    let other = stablekey_of(env.state(), &copy, &["apply", "--approve", &digest]).output().unwrap();
    assert!(said(&other).contains("is no digest of this plan"), "{}", said(&other));
    fs::rename(env.path("prod"), env.path("moved")).unwrap();
    let tenants = fs::read_to_string(env.path("tenants.yaml")).unwrap();
    env.write("tenants.yaml", &tenants.replace("path: prod", "path: moved"));
    assert!(env.apply(&["--approve", &digest], 1).contains("is no digest of this plan"));
    fs::rename(env.path("moved"), env.path("prod")).unwrap();
    env.write("tenants.yaml", &tenants);

    let told = env.apply(&["--approve", &digest], 0);
    assert!(told.contains("✓ prod/Connection/chat"), "{told}");
    assert!(env.host().contains("evil.example"));
    assert_eq!(files(env.state()).len(), 0, "it is consumed");
    // A recurring change needs a new approval: the digest alone does not count.
    env.write("dev/chat.yaml", &connection("chat.example"));
    assert!(env.apply(&["--approve", &digest], 1).contains("is no digest of this plan"));
}

/// Two approvals at the same time: neither carries out or removes what the other one left.
#[test]
fn an_approval_covers_only_what_it_was_given_for() {
    let env = TestEnv::applied();
    let tenants = fs::read_to_string(env.path("tenants.yaml")).unwrap();
    let tenants = tenants.replace("acceptFrom: [dev]", "acceptFrom: [dev, side]");
    let other = Sync::new("other", "side", "prod");
    env.write("tenants.yaml", &yaml::file(&[tenants, other.yaml(), tenant("side").yaml()]));
    env.write("side/aside.yaml", &integration("aside", None));
    env.write("dev/chat.yaml", &connection("evil.example"));
    let of = |sync: &str| {
        let plan: Value = serde_json::from_slice(&env.run(&["plan", "-o", "json"]).stdout).unwrap();
        let digests = plan["targets"].as_array().unwrap().iter().find_map(|target| target["digests"].get(sync));
        digests.unwrap().as_str().unwrap().to_string()
    };
    let other = of("sync/other");
    let up = cut_off(&env);
    let told = env.apply(&["--approve", &other], 2);
    assert!(
        told.contains("✓ prod/Integration/aside") && told.contains("– prod/Connection/chat: not approved"),
        "{told}"
    );
    assert!(env.host().contains("chat.example"));
    // Digests that were given together are given again together, although one of them is done.
    let both = format!("{up},{other}");
    assert!(env.apply(&["--approve", &both], 1).contains("is no digest of this plan"), "it was not given so");
    assert!(env.apply(&["--approve", &up], 0).contains("✓ prod/Connection/chat"));
    assert_eq!(files(env.state()).len(), 0);

    env.write("dev/chat.yaml", &connection("chat.example"));
    env.write("side/aside.yaml", &integration("aside", None).replace("title: aside", "title: Aside"));
    fs::remove_file(env.path("dev/more.yaml")).unwrap();
    let other = of("sync/other");
    let long = env.path(&format!("prod/connections/{}.yaml", "c".repeat(245)));
    fs::rename(env.path("prod/connections/chat.yaml"), &long).unwrap();
    let both = format!("{},{other}", of("sync/up"));
    let told = env.apply(&["--approve", &both], 1);
    assert!(told.contains("✓ prod/Integration/aside") && told.contains("✗ prod/Connection/chat"), "{told}");
    fs::rename(&long, env.path("prod/connections/chat.yaml")).unwrap();
    let told = env.apply(&["--approve", &both], 0);
    assert!(told.contains("✓ prod/Connection/chat") && env.host().contains("chat.example"), "{told}");
    assert_eq!(files(env.state()).len(), 0);
}

/// An unusable state folder must not prevent an apply, and must be reported.
#[test]
fn an_unusable_state_folder_is_reported_and_does_not_prevent_an_apply() {
    let uses = |prepare: &dyn Fn(&TestEnv)| {
        let env = TestEnv::redirected();
        let digest = env.digest(&[]);
        prepare(&env);
        let told = env.apply(&["--approve", &digest], 0);
        assert!(env.host().contains("evil.example"));
        (told, env)
    };
    // Within the project it could come with a pull request.
    let (told, env) = uses(&|env| symlink(env.root(), env.state()).unwrap());
    assert!(told.contains("warning: the approval is not kept in") && told.contains("within the project"), "{told}");
    assert!(!env.path("stablekey/approvals").exists() || files(&env.path("stablekey")).is_empty());
    let (told, _) = uses(&|env| fs::write(env.state(), "a file").unwrap());
    assert!(told.contains("warning: the approval is not kept in"), "{told}");
    let (told, env) = uses(&|env| {
        let folder = env.state().join("stablekey/approvals");
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
    });
    assert!(told.contains("others may write it"), "{told}");
    assert!(files(env.state()).is_empty());
    let (told, _) = uses(&|env| {
        fs::create_dir_all(env.state()).unwrap();
        symlink("nowhere", env.state().join("stablekey")).unwrap();
    });
    assert!(told.contains("warning: the approval is not kept in"), "{told}");
    // A usable one is created for the user only, and nothing is reported.
    let (told, env) = uses(&|_| {});
    assert!(!told.contains("warning:"), "{told}");
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(env.state().join("stablekey")), 0o700);
    assert_eq!(mode(env.state().join("stablekey/approvals")), 0o700);
}

/// Stored approvals that others may have written are not used.
#[test]
fn a_state_folder_that_others_may_write_is_not_used() {
    for spoil in [0, 1, 2] {
        let env = TestEnv::redirected();
        let digest = cut_off(&env);
        let folder = env.state().join("stablekey/approvals");
        let file = folder.join(files(&folder).into_keys().next().unwrap());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        match spoil {
            0 => fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap(),
            1 => fs::write(&file, "{").unwrap(),
            _ => {
                fs::rename(&file, env.parent_folder().join("elsewhere")).unwrap();
                symlink(env.parent_folder().join("elsewhere"), &file).unwrap();
            }
        }
        let told = env.apply(&["--approve", &digest], 1);
        assert!(told.contains("is no digest of this plan") && told.contains("are not used"), "{spoil}: {told}");
        assert!(env.host().contains("chat.example"));
    }
}

#[test]
fn digests_are_accepted_as_pasted_and_nothing_else() {
    let env = TestEnv::redirected();
    for wrong in ["", "sha256:", "yes", "sha256:zz", "sha256:aa,"] {
        let told = env.apply(&["--approve", wrong], 1);
        assert!(told.contains("a digest is sha256: and 12 or more hexadecimal digits"), "{wrong:?}: {told}");
    }
    let whole = env.digest(&[]);
    let digest = format!("  {} ", whole.to_uppercase());
    assert!(env.apply(&["--approve", &digest], 0).contains("✓ prod/Connection/chat"));
}

/// `--approve` accepts an unambiguous prefix of at least 12 digits.
#[test]
fn a_digest_may_be_abbreviated() {
    let env = TestEnv::redirected();
    let whole = env.digest(&[]);
    let hex = whole.trim_start_matches("sha256:");
    let told = env.apply(&["--approve", &hex[..11]], 1);
    assert!(told.contains("12 or more hexadecimal digits"), "{told}");
    let told =
        env.apply(&["--approve", &format!("{}{}", &hex[..12], if hex[12..].starts_with('0') { '1' } else { '0' })], 1);
    assert!(told.contains("is no digest of this plan"), "{told}");
    assert!(env.apply(&["--approve", &hex[..12]], 0).contains("✓ prod/Connection/chat"));
}

/// `--out` replaces only regular files, and `--out -` is standard output.
#[test]
fn out_replaces_only_regular_files() {
    let env = TestEnv::redirected();
    let outside = env.parent_folder();
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
            let output = env.run(&[command, &[&out]].concat());
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

    assert_eq!(env.run(&["plan", "--out", "../file"]).status.code(), Some(2));
    assert_eq!(fs::metadata(outside.join("file")).unwrap().permissions().mode() & 0o777, 0o600);
    let output = env.run(&["plan", "--out", "-"]);
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan["schema"], "stablekey.dev/plan/v1");
    assert!(String::from_utf8_lossy(&output.stderr).contains("update  Connection/chat"));
    assert_eq!(output.stdout, fs::read(outside.join("file")).unwrap());
    // A link to a plan file is followed: it is consent, not a location to write.
    assert!(env.apply(&["--plan", "../link"], 0).contains("✓ prod/Connection/chat"));
    assert!(env.apply(&["--plan", "../fifo"], 1).contains("it is not a regular file"));
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

/// Asserts that it matches docs/plan.schema.json.
fn is_a_plan(file: &Value) {
    let schema = fs::read_to_string(cli::repository("docs/plan.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let wrong: Vec<String> = validator.iter_errors(file).map(|error| error.to_string()).collect();
    assert_eq!(wrong, Vec::<String>::new());
}

/// Creates a desired connection for prod, in a folder outside the root.
fn outside(env: &TestEnv) -> PathBuf {
    let folder = env.parent_folder().join("declared/prod");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("chat.yaml"), connection("declared.example")).unwrap();
    folder
}

/// A `--source` outside the root is read or refused, never ignored, and its content is in the plan file.
#[test]
fn a_source_outside_the_root_is_read_and_kept_in_the_plan_file() {
    let env = TestEnv::new();
    let folder = outside(&env);
    let source = format!("prod={}", folder.display());
    let plan = env.run(&["plan", "--source", &source, "--out", "../plan.json"]);
    assert_eq!(plan.status.code(), Some(2), "{}", said(&plan));
    assert!(said(&plan).contains("create  Connection/chat"), "{}", said(&plan));
    let file: Value = serde_json::from_slice(&fs::read(env.parent_folder().join("plan.json")).unwrap()).unwrap();
    assert_eq!(file["sources"], serde_json::json!({"prod": "../declared/prod"}));
    is_a_plan(&file);

    let other = env.parent_folder().join("declared/other");
    fs::create_dir(&other).unwrap();
    for wrong in ["prod=../declared/other", "dev=../declared/prod", "prod=dev"] {
        let told = env.apply(&["--plan", "../plan.json", "--source", wrong], 1);
        assert!(told.contains("the plan file was planned with"), "{wrong}: {told}");
    }
    let told = env.apply(&["--plan", "../plan.json", "--source", "prod=../declared/./prod"], 0);
    assert!(told.contains("✓ prod/Connection/chat"), "{told}");
    // Again, and in a copy of both, wherever they are.
    assert!(env.apply(&["--plan", "../plan.json"], 0).to_lowercase().contains("nothing to do"));
    fs::remove_file(folder.join("chat.yaml")).unwrap();
    fs::remove_dir(&folder).unwrap();
    let gone = env.apply(&["--plan", "../plan.json"], 1);
    assert!(gone.contains("there is no such folder"), "{gone}");
}

/// Below the root, however it is spelled: the same files.
#[test]
fn a_source_below_the_root_is_the_same_by_any_path() {
    let env = TestEnv::new();
    env.write("declared/prod/chat.yaml", &connection("declared.example"));
    symlink(env.path("declared/prod"), env.parent_folder().join("link")).unwrap();
    let absolute = env.path("declared/prod").display().to_string();
    for path in ["declared/prod", "./declared/prod/", "../root/declared/prod", "../link", &absolute] {
        let plan = env.run(&["plan", "--source", &format!("prod={path}")]);
        assert_eq!(plan.status.code(), Some(2), "{path}: {}", said(&plan));
        assert!(said(&plan).contains("create  Connection/chat") && !said(&plan).contains("error"), "{}", said(&plan));
    }
}

/// A misspelled source fails and disables no rule.
///
/// "A wrong name fails, it never switches a rule off".
#[test]
fn a_misspelled_source_is_refused() {
    let env = TestEnv::applied();
    outside(&env);
    env.write("declared/prod/chat.yaml", &connection("declared.example"));
    symlink("../../declared/prod", env.path("declared/link")).unwrap();
    fs::write(env.parent_folder().join("file.yaml"), "").unwrap();
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
        let before = files(env.root());
        for command in ["plan", "status"] {
            let output = env.run(&[&[command][..], &sources].concat());
            assert_eq!(output.status.code(), Some(1), "{sources:?}: {}", said(&output));
            assert!(said(&output).contains(words), "{sources:?}: {}", said(&output));
        }
        env.apply(&[&["--yes"][..], &sources].concat(), 1);
        assert_eq!(files(env.root()), before, "{sources:?}");
    }
}

#[test]
fn a_link_out_of_a_source_outside_the_root_is_not_followed() {
    let env = TestEnv::new();
    let folder = outside(&env);
    let secret = env.parent_folder().join("secret.yaml");
    fs::write(&secret, integration("leaked", None)).unwrap();
    symlink(&secret, folder.join("leak.yaml")).unwrap();
    let plan = env.run(&["plan", "--source", "prod=../declared/prod"]);
    assert!(!said(&plan).contains("leaked"), "{}", said(&plan));
}

/// A full disk does not prevent the report of what was done.
#[test]
fn an_unwritable_result_is_still_reported() {
    let env = TestEnv::redirected();
    let mut command = env.command(&["apply", "-o", "json", "--approve", &env.digest(&[])]);
    // Every write to it fails as on a full disk.
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command.stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = said(&output);
    assert!(told.contains("✓ prod/Connection/chat") && told.contains("1 done. Read back"), "{told}");
    assert!(told.contains("standard output cannot be written"), "{told}");
}

/// A missing location folder of an uninvolved tenant does not end an apply after its writes.
#[test]
fn an_uninvolved_tenant_is_not_written() {
    let env = TestEnv::new();
    let tenants = fs::read_to_string(env.path("tenants.yaml")).unwrap();
    env.write("tenants.yaml", &yaml::file(&[tenant("absent").yaml(), tenants]));
    env.write("dev/greet.yaml", &integration("greet", None));
    let output = env.run(&["apply", "--yes"]);
    let told = said(&output);
    assert!(told.contains("✓ prod/Integration/greet") && told.contains("1 done."), "{told}");
    assert!(told.contains("Receipt:") && !told.contains("error: "), "{told}");
    assert!(!env.path("absent").exists());
}

/// A plan file is consent: it covers what is left after a crash, even if no approval is stored.
///
/// "A plan file is consent".
#[test]
fn a_plan_file_covers_what_is_left_of_its_actions_in_ci_too() {
    let env = TestEnv::redirected();
    let plan = env.run(&["plan", "--out", "../plan.json"]);
    assert_eq!(plan.status.code(), Some(2), "{}", said(&plan));
    let file: Value = serde_json::from_slice(&fs::read(env.parent_folder().join("plan.json")).unwrap()).unwrap();
    assert_eq!(file["resumptions"].as_array().unwrap().len(), 1);
    is_a_plan(&file);
    // Killed between the object and its record.
    let lock = fs::read(env.path("prod/stablekey.lock")).unwrap();
    let ci = |arguments: &[&str]| stablekey(env.root(), arguments).output().unwrap();
    assert_eq!(ci(&["apply", "--plan", "../plan.json"]).status.code(), Some(0));
    fs::write(env.path("prod/stablekey.lock"), lock).unwrap();
    let again = ci(&["apply", "--plan", "../plan.json"]);
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    assert!(said(&again).contains("✓ prod/Connection/chat"), "{}", said(&again));
}

/// A plan file of 22,000 objects can be applied, even below the root: it is not a manifest.
#[test]
fn a_plan_file_may_be_larger_than_a_manifest() {
    let env = TestEnv::redirected();
    assert_eq!(env.run(&["plan", "--out", "plan.json"]).status.code(), Some(2));
    let mut file = OpenOptions::new().append(true).open(env.path("plan.json")).unwrap();
    file.write_all(&vec![b' '; 65 << 20]).unwrap();
    let plan = env.run(&["plan"]);
    assert_eq!(plan.status.code(), Some(2), "{}", said(&plan));
    assert!(env.apply(&["--plan", "plan.json"], 0).contains("✓ prod/Connection/chat"));
}

/// A file that somebody placed at the name of a temporary file is not written through.
#[test]
fn a_link_with_the_name_of_a_temporary_file_is_not_followed() {
    let env = TestEnv::redirected();
    let victim = env.parent_folder().join("victim");
    fs::write(&victim, "theirs").unwrap();
    for name in ["prod/connections/.stablekey-tmp-chat.yaml", "prod/.stablekey-tmp-stablekey.lock"] {
        symlink(&victim, env.path(name)).unwrap();
    }
    symlink(&victim, env.parent_folder().join(".stablekey-tmp-plan.json")).unwrap();
    env.run(&["plan", "--out", "../plan.json"]);
    env.apply(&["--plan", "../plan.json"], 0);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "theirs");
    assert!(Path::new(&env.path("prod/stablekey.lock")).is_file());
}

/// A plan file whose content does not match its digests is not consent, and it replaces no manifest.
#[test]
fn a_plan_file_that_was_edited_is_refused() {
    let env = TestEnv::redirected();
    assert_eq!(env.run(&["plan", "--out", "../plan.json"]).status.code(), Some(2));
    let file = env.parent_folder().join("plan.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("evil.example", "chat.example")).unwrap();
    let told = env.apply(&["--plan", "../plan.json"], 1);
    assert!(told.contains("shows other values of prod/Connection/chat"), "{told}");
    // A digest in the wrong place covers nothing, and of two entries neither is used.
    let edited = |edit: &dyn Fn(&mut Value)| {
        let mut plan: Value = serde_json::from_str(&text).unwrap();
        edit(&mut plan);
        fs::write(&file, plan.to_string()).unwrap();
        env.apply(&["--plan", "../plan.json"], 1)
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
    assert!(env.apply(&["--plan", "../plan.json"], 0).contains("✓ prod/Connection/chat"));
    for (text, why) in [("[]", "does not have the shape"), ("{\"schema\": \"stablekey.dev/plan/v9\"}", "its schema is")]
    {
        fs::write(&file, text).unwrap();
        assert!(env.apply(&["--plan", "../plan.json"], 1).contains(why));
    }
    let tenants = fs::read(env.root().join("tenants.yaml")).unwrap();
    let output = env.run(&["plan", "--out", "tenants.yaml"]);
    assert!(said(&output).contains("is there and is no plan"), "{output:?}");
    assert_eq!(fs::read(env.root().join("tenants.yaml")).unwrap(), tenants);
}

/// What is left of an action is never another kind of action, whatever the file says.
#[test]
fn a_delete_that_is_shown_as_an_update_is_refused() {
    let env = TestEnv::redirected();
    env.run(&["apply", "--yes"]);
    assert_eq!(env.run(&["plan", "--out", "../plan.json"]).status.code(), Some(2));
    let file = env.parent_folder().join("plan.json");
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
    let told = env.apply(&["--plan", "../plan.json"], 1);
    assert!(told.contains("it is another action"), "{told}");
}

/// A create that was interrupted between its record and its object, and whose record does not say where its secrets go,
/// is finished by the same plan file.
#[test]
fn a_plan_file_finishes_a_create_that_is_not_recorded() {
    let env = TestEnv::redirected();
    let file = env.parent_folder().join("plan.json");
    let eu = tenant("eu").accepts("us");
    env.write("made/tenants.yaml", &yaml::file(&[tenant("us").yaml(), eu.yaml()]));
    env.write("made/syncs.yaml", &Sync::new("s", "us", "eu").create().yaml());
    let crm = Connection::new("crm", "http/basic").credentials(Credentials::OrganizationGlobal);
    let crm = crm.input("host", "a.example").secret("password", "s");
    env.write("made/us/crm.yaml", &yaml::file(&[crm.yaml(), Integration::new("i").binds("V", "crm").yaml()]));
    let run = |arguments: &[&str]| stablekey(&env.path("made"), arguments).output().unwrap();
    fs::create_dir_all(env.path("made/eu")).unwrap();
    let plan = run(&["plan", "--out", file.to_str().unwrap()]);
    assert_eq!(plan.status.code(), Some(2), "{}", said(&plan));
    let apply = || run(&["apply", "--plan", file.to_str().unwrap()]);
    assert_eq!(apply().status.code(), Some(0));
    // The record exists, the object does not.
    fs::remove_file(env.path("made/eu/connections/crm.yaml")).unwrap();
    let again = apply();
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    assert!(said(&again).contains("✓ eu/Connection/crm"), "{}", said(&again));
}

/// A plan file of another folder is not consent here, and having nothing to do is not success.
#[test]
fn a_plan_of_another_folder_is_refused() {
    let (env, other) = (TestEnv::redirected(), TestEnv::new());
    assert_eq!(env.run(&["plan", "--out", "../plan.json"]).status.code(), Some(2));
    let file = env.parent_folder().join("plan.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(other.parent_folder().join("plan.json"), text.replace("prod/Connection", "live/Connection")).unwrap();
    let told = other.apply(&["--plan", "../plan.json"], 1);
    assert!(told.contains("the plan is of tenant live"), "{told}");
}
