//! Records on a Git remote and in a folder: what two clones, a killed run and a broken remote do to them.

use super::*;
use crate::api::Kind;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const TENANT: &str = "us-prod";

/// A remote, and clones of it.
struct Remote {
    folder: TempDir,
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_string()
}

impl Remote {
    fn new() -> Self {
        let remote = Remote { folder: tempfile::tempdir().unwrap() };
        git(remote.folder.path(), &["init", "--quiet", "--bare", "remote.git"]);
        remote
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("remote.git")
    }

    fn clone(&self, name: &str) -> PathBuf {
        git(self.folder.path(), &["clone", "--quiet", "remote.git", name]);
        self.folder.path().join(name)
    }

    /// The records of a clone, as a new run reads them.
    fn records(&self, clone: &Path) -> GitRecords {
        git_records(clone, Some(FolderRecords::of(&self.folder.path().join("state"), clone))).unwrap().unwrap()
    }

    fn hook(&self, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path().join("hooks").join("pre-receive");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn record(id: &str) -> TenantRecord {
    let mut record = TenantRecord::of(TENANT);
    record.object_mut(&ObjectId::new(Kind::Connection, "crm")).id = Some(id.to_string());
    record
}

fn id(stored: &StoredRecord) -> Option<&str> {
    stored.record.object(&ObjectId::new(Kind::Connection, "crm"))?.id.as_deref()
}

/// "changed only by a compare-and-swap push": of two clones that race, one gets an error that names the other.
#[test]
fn of_two_clones_that_race_one_writes() {
    let remote = Remote::new();
    let (one, two) = (remote.clone("one"), remote.clone("two"));
    let (one, two) = (remote.records(&one), remote.records(&two));
    let (first, second) = (one.read(TENANT).unwrap(), two.read(TENANT).unwrap());
    assert_eq!((first.version, second.version), (None, None));
    let run = Run {
        who: "ann@laptop".into(),
        id: "1".into(),
        since: "now".into(),
        seen: None,
        machine: None,
        command: "apply".into(),
        process: None,
        writes: vec![],
        wants: BTreeMap::new(),
    };
    let mut begun = record("1");
    begun.run = Some(run);
    let version = one.write(&begun, None, "begin").unwrap();
    let lost = two.write(&record("2"), None, "begin").unwrap_err();
    assert_eq!(lost.to_string(), "another run wrote the record of us-prod meanwhile: ann@laptop");
    // With what it reads now it may write, and the other one gets the error.
    let read = two.read(TENANT).unwrap();
    assert_eq!((id(&read), read.version.as_deref()), (Some("1"), Some(version.as_str())));
    let next = two.write(&record("2"), read.version.as_deref(), "take over").unwrap();
    assert!(matches!(one.write(&record("3"), Some(&version), "late"), Err(RecordError::Lost { .. })));
    assert_eq!(id(&one.read(TENANT).unwrap()), Some("2"));
    assert_eq!(git(&remote.path(), &["rev-parse", "refs/stablekey/us-prod"]), next);
    assert_eq!(git(&remote.path(), &["rev-list", "--count", "refs/stablekey/us-prod"]), "2");
    // It is beside the branches, and in no work tree.
    assert_eq!(git(&remote.path(), &["for-each-ref", "--format=%(refname)", "refs/heads"]), "");
}

/// A second laptop reads what the first wrote, and sees a run that never ended.
#[test]
fn a_second_laptop_sees_a_run_that_died() {
    let remote = Remote::new();
    let first = remote.records(&remote.clone("first"));
    let mut begun = record("1");
    begun.run = Some(Run {
        who: "runner-7".into(),
        id: "7".into(),
        since: "2026-11-28T17:00:00Z".into(),
        seen: None,
        machine: None,
        command: "stablekey apply".into(),
        writes: vec!["Connection/crm".into()],
        process: None,
        wants: BTreeMap::new(),
    });
    first.write(&begun, None, "begin").unwrap();
    let second = remote.records(&remote.clone("second"));
    let read = second.read(TENANT).unwrap();
    assert_eq!(read.record, begun);
    second.write(&record("1"), read.version.as_deref(), "receipt").unwrap();
    assert_eq!(first.read(TENANT).unwrap().record.run, None);
}

#[test]
fn a_remote_that_refuses_says_why() {
    let remote = Remote::new();
    remote.hook("echo 'no refs below stablekey' >&2; exit 1");
    let records = remote.records(&remote.clone("one"));
    let refused = records.write(&record("1"), None, "begin").unwrap_err();
    assert!(refused.to_string().contains("cannot be written: the remote refuses it:"), "{refused}");
    assert!(refused.help().contains("git ls-remote origin 'refs/stablekey/*'"), "{}", refused.help());
    assert_eq!(records.read(TENANT).unwrap().version, None);
    // A remote that is away is unreachable, not empty.
    std::fs::rename(remote.path(), remote.folder.path().join("moved.git")).unwrap();
    let away = remote.records(&remote.folder.path().join("one")).read(TENANT).unwrap_err();
    assert!(
        away.to_string().contains("the record of us-prod (refs/stablekey/* on the Git remote origin) cannot be read"),
        "{away}"
    );
}

/// "A record that cannot be read makes the tenant unreachable": somebody else's ref, another tenant's, a newer one.
#[test]
fn what_is_no_record_is_an_error() {
    let remote = Remote::new();
    let clone = remote.clone("one");
    let put = |file: &str, text: &str| {
        let blob = clone.join("blob");
        std::fs::write(&blob, text).unwrap();
        let blob = git(&clone, &["hash-object", "-w", "blob"]);
        let tree = clone.join("tree");
        std::fs::write(&tree, format!("100644 blob {blob}\t{file}\n")).unwrap();
        let tree =
            Command::new("git").current_dir(&clone).arg("mktree").stdin(std::fs::File::open(&tree).unwrap()).output();
        let tree = String::from_utf8(tree.unwrap().stdout).unwrap();
        let named = ["-c", "user.name=x", "-c", "user.email=x@x", "commit-tree", tree.trim(), "-m", "x"];
        let commit = git(&clone, &named);
        git(&clone, &["push", "--quiet", "--force", "origin", &format!("{commit}:refs/stablekey/{TENANT}")]);
        // As a new clone, which has not read another one before.
        let fresh = remote.clone(&format!("fresh-{commit}"));
        remote.records(&fresh).read(TENANT).unwrap_err().to_string()
    };
    let good = record("1").to_text();
    for (file, text, why) in [
        ("README.md", "x", "the commit has no record.json"),
        ("record.json", "CANARY", "it is not JSON of that shape"),
        ("record.json", "{}", "it does not say schema stablekey.dev/record/v1"),
        ("record.json", &good.replace("record/v1", "record/v2"), "it is of a newer version of stablekey"),
        ("record.json", &good.replace("us-prod", "eu-prod"), "it is that of tenant eu-prod"),
        ("record.json", &good.replace("\"objects\"", "\"CANARY\""), "has another shape"),
        ("record.json", &good.replace("Connection/crm", "Nothing/crm"), "its entry for Nothing/crm has another shape"),
    ] {
        let error = put(file, text);
        assert!(error.contains(why) && !error.contains("CANARY"), "{error}");
    }
}

/// "A lost one" is unreachable: without it everything there would look as if others had written it.
#[test]
fn a_record_that_is_gone_or_rewritten_is_an_error_with_the_way_back() {
    let remote = Remote::new();
    let clone = remote.clone("one");
    let commit = remote.records(&clone).write(&record("1"), None, "begin").unwrap();
    git(&remote.path(), &["update-ref", "-d", "refs/stablekey/us-prod"]);
    let gone = remote.records(&clone).read(TENANT).unwrap_err();
    assert!(gone.to_string().contains("was deleted there"), "{gone}");
    let back = format!("git push --force origin {commit}:refs/stablekey/us-prod");
    assert!(gone.help().contains(&back), "{}", gone.help());
    git(&clone, &["push", "--quiet", "--force", "origin", &format!("{commit}:refs/stablekey/us-prod")]);
    assert_eq!(id(&remote.records(&clone).read(TENANT).unwrap()), Some("1"));
    // Another history in its place.
    let other = remote.clone("two");
    let named = ["-c", "user.name=x", "-c", "user.email=x@x", "commit-tree", &format!("{commit}^{{tree}}"), "-m", "x"];
    let unrelated = git(&other, &["fetch", "--quiet", "origin", "refs/stablekey/us-prod"]);
    assert_eq!(unrelated, "");
    let unrelated = git(&other, &named);
    git(&other, &["push", "--quiet", "--force", "origin", &format!("{unrelated}:refs/stablekey/us-prod")]);
    let replaced = remote.records(&clone).read(TENANT).unwrap_err();
    assert!(replaced.to_string().contains("was replaced there by one that does not follow from it"), "{replaced}");
}

/// A record of the other kind: a project that gets a remote takes its record there, one that loses it is an error.
#[test]
fn a_project_that_gets_or_loses_a_remote_keeps_its_record() {
    let remote = Remote::new();
    let clone = remote.clone("one");
    let state = remote.folder.path().join("state");
    let folder = FolderRecords::of(&state, &clone);
    folder.write(&record("1"), None, "begin").unwrap();
    assert!(folder.caution().unwrap().contains("on this machine only"));
    let records = remote.records(&clone);
    let read = records.read(TENANT).unwrap();
    assert_eq!((id(&read), read.version.as_deref(), records.caution()), (Some("1"), None, None));
    records.write(&read.record, None, "move").unwrap();
    assert_eq!(id(&remote.records(&remote.clone("two")).read(TENANT).unwrap()), Some("1"));
    git(&clone, &["remote", "remove", "origin"]);
    let why = git_records(&clone, None).unwrap_err();
    assert!(why.contains("it has no remote any more, and refs/stablekey/us-prod was read from one"), "{why}");
}

#[test]
fn without_git_or_a_remote_records_are_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    assert!(git_records(folder.path(), None).unwrap().is_none());
    git(folder.path(), &["init", "--quiet"]);
    assert!(git_records(folder.path(), None).unwrap().is_none());
    git(folder.path(), &["remote", "add", "a", "/nowhere"]);
    assert!(git_records(folder.path(), None).unwrap().is_some());
    git(folder.path(), &["remote", "add", "b", "/nowhere"]);
    assert_eq!(
        git_records(folder.path(), None).unwrap_err(),
        "it has several remotes (a, b), and none is called origin"
    );
    git(folder.path(), &["remote", "add", "origin", "https://me:CANARY@nowhere.invalid/x"]);
    let records = git_records(folder.path(), None).unwrap().unwrap();
    assert_eq!(records.place(), "refs/stablekey/* on the Git remote origin");
}

#[test]
fn a_folder_record_is_replaced_only_by_who_read_it() {
    let state = tempfile::tempdir().unwrap();
    let records = FolderRecords::of(state.path(), state.path());
    assert_eq!(records.read(TENANT).unwrap().version, None);
    let version = records.write(&record("1"), None, "begin").unwrap();
    assert!(matches!(records.write(&record("2"), None, "begin"), Err(RecordError::Lost { .. })));
    let next = records.write(&record("2"), Some(&version), "next").unwrap();
    assert_ne!(version, next);
    assert_eq!(id(&records.read(TENANT).unwrap()), Some("2"));
    std::fs::write(records.file(TENANT), "CANARY").unwrap();
    let broken = records.read(TENANT).unwrap_err();
    assert!(
        broken.to_string().contains("is not one that stablekey understands") && !broken.to_string().contains("CANARY")
    );
}

/// What the platform does not tell of a connection comes from the record: which secret was sent, older keys.
#[test]
fn a_record_completes_what_the_platform_shows() {
    let spec = |secret: SecretRef| ConnectionSpec {
        inputs: [("clientSecret".to_string(), Input::SecretRef(secret)), ("scopes".to_string(), Input::value("x"))]
            .into(),
        replaces: vec!["old".into()],
        deletion_policy: Some(DeletionPolicy::Delete),
        stable_key: "crm".into(),
        title: None,
        description: None,
        component: crate::api::ComponentRef::new("salesforce", true),
        type_: "oauth2".into(),
        credentials: crate::api::Credentials::OrganizationGlobal,
        embedded_workflows: None,
        test: None,
    };
    let sent = SecretRef { name: "sf".into(), key: "clientSecret".into(), version: Some("2".into()) };
    let mut object = RecordedObject::default();
    object.remember(&spec(sent.clone()), true);
    let mut live = spec(SecretRef { name: "salesforce-oauth".into(), key: "clientSecret".into(), version: None });
    live.replaces.clear();
    live.deletion_policy = None;
    let shown = live.clone();
    object.complete(&mut live);
    assert_eq!(live, spec(sent.clone()));
    // What is recorded is not replaced by what is only declared: that is still to be sent.
    let before = object.clone();
    let mut pending = spec(SecretRef { version: Some("3".into()), ..sent });
    pending.deletion_policy = None;
    object.remember(&pending, false);
    assert_eq!(object, before);
    // Without a record, a secret that is there is of unknown origin.
    let mut unknown = shown;
    RecordedObject::default().complete(&mut unknown);
    assert_eq!(unknown.inputs["clientSecret"], Input::SecretRef(SecretRef::unknown("crm.inputs.clientSecret".into())));
}
