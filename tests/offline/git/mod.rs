//! Commits of a real Git server over HTTPS, with a password.

use gix::ObjectId;
use stablekey::git::credentials::{CredentialKind, Credentials, CredentialsError};
use stablekey::git::failure::FetchError;
use stablekey::git::quota::FetchQuota;
use stablekey::git::reference::Reference;
use stablekey::git::remote::{Access, Limits, Remote, RemoteError};
use stablekey::git::{Authorities, Proxies, Secret};
use stablekey_testing::certificates::Authority;
use stablekey_testing::git_repository::{File, Files, GitRepository, files};
use stablekey_testing::git_server::{Fault, GitServer, PASSWORD, Step, TOKEN, USER};
use stablekey_testing::tunnel::{Proxy, Tunnels};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// A server with the repository tenants.git, and a client.
struct Workplace {
    folder: tempfile::TempDir,
    authority: Authority,
    server: GitServer,
    tenants: GitRepository,
    runtime: Runtime,
}

impl Workplace {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        let server = GitServer::start(folder.path(), &authority);
        let tenants = GitRepository::new(&folder.path().join("tenants.git"));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Workplace { folder, authority, server, tenants, runtime }
    }

    /// How the server's own user reaches it.
    fn access(&self) -> Access {
        Access {
            credentials: Some(password(USER, PASSWORD, &self.server.host())),
            authorities: Some(Authorities::parse(self.authority.pem.as_bytes()).unwrap()),
            proxies: Proxies::none(),
            limits: Limits::default(),
            allows_loopback: true,
        }
    }

    fn try_at(&self, url: &str, access: Access) -> Result<Remote, RemoteError> {
        Remote::new(url, access, self.runtime.handle().clone())
    }

    fn reached(&self, access: Access) -> Remote {
        self.try_at(&self.server.url("tenants.git"), access).unwrap()
    }

    fn remote(&self) -> Remote {
        self.reached(self.access())
    }

    /// A remote with these limits.
    fn limited(&self, time: Duration, bytes: u64) -> Remote {
        self.reached(Access { limits: Limits { time, bytes }, ..self.access() })
    }

    fn fetched(&self) -> PathBuf {
        self.folder.path().join("fetched")
    }
}

fn password(username: &str, password: &str, host: &str) -> Credentials {
    let secret = |text: &str| Secret::new(text.to_string());
    let kind = CredentialKind::Password { username: secret(username), password: secret(password) };
    Credentials { from: "Secret git".to_string(), kind, hosts: vec![host.to_string()] }
}

fn main() -> Reference {
    Reference::branch("main").unwrap()
}

fn of(id: &str) -> ObjectId {
    ObjectId::from_hex(id.as_bytes()).unwrap()
}

/// The text of a file at a commit in a fetched repository.
fn text(folder: &Path, commit: ObjectId, path: &str) -> String {
    let repository = gix::open_opts(folder, gix::open::Options::isolated().open_path_as_is(true)).unwrap();
    let tree = repository.find_commit(commit).unwrap().tree().unwrap();
    let entry = tree.lookup_entry_by_path(path).unwrap().unwrap();
    String::from_utf8(entry.object().unwrap().data.clone()).unwrap()
}

/// Both what polls and what fetches, which must fail alike and say nothing that the server said.
fn failures(remote: &Remote, into: &Path) -> FetchError {
    let error = remote.head(&main()).unwrap_err();
    assert_eq!(remote.fetch(&main(), into).unwrap_err(), error);
    let texts = format!("{error} {error:?} {} {}", error.help(), error.reason());
    assert!(!texts.contains("CANARY"), "{texts}");
    assert!(!into.exists(), "a fetch that failed leaves nothing");
    error
}

#[test]
fn a_branch_a_tag_and_a_commit_are_fetched() {
    let ours = Workplace::new();
    let first = of(&ours.tenants.commit("main", &files(&[("a.yaml", "one")])));
    ours.tenants.git(&["tag", "light", "main"]);
    ours.tenants.git(&["tag", "--annotate", "--message", "v1", "v1", "main"]);
    let second = of(&ours.tenants.commit("main", &files(&[("a.yaml", "two")])));
    let remote = ours.remote();
    for (reference, commit, content) in [
        (main(), second, "two"),
        (Reference::tag("v1").unwrap(), first, "one"),
        (Reference::tag("light").unwrap(), first, "one"),
        (Reference::commit(&first.to_string()).unwrap(), first, "one"),
        (Reference::parse("main").unwrap(), second, "two"),
        (Reference::parse("v1").unwrap(), first, "one"),
        (Reference::parse("refs/tags/light").unwrap(), first, "one"),
    ] {
        assert_eq!(remote.head(&reference), Ok(commit), "{reference}");
        // Into an empty folder, and into one with another commit.
        let fresh = tempfile::tempdir().unwrap();
        for into in [fresh.path(), &ours.fetched()] {
            assert_eq!(remote.fetch(&reference, into), Ok(commit), "{reference}");
            assert_eq!(text(into, commit, "a.yaml"), content);
        }
    }
    let repository = gix::open_opts(ours.fetched(), gix::open::Options::isolated().open_path_as_is(true)).unwrap();
    assert!(repository.workdir().is_none());
    assert!(repository.is_shallow().unwrap(), "without its history");
}

/// "a poll that finds nothing new: 2 requests of at most 1 kB".
#[test]
fn a_poll_is_two_small_requests() {
    let ours = Workplace::new();
    let id = of(&ours.tenants.commit("main", &files(&[("a.yaml", "one")])));
    for number in 0..400 {
        ours.tenants.git(&["update-ref", &format!("refs/heads/topic-{number}"), &id.to_string()]);
    }
    let remote = ours.remote();
    for _ in 0..3 {
        assert_eq!(remote.head(&main()), Ok(id));
        let seen = ours.server.take_seen();
        assert_eq!(seen.iter().map(|seen| seen.step).collect::<Vec<_>>(), [Step::Capabilities, Step::List]);
        assert!(seen.iter().all(|seen| seen.sent + seen.answered <= 1000), "{seen:?}");
    }
    // A commit names itself, and what is here is not fetched again.
    let commit = Reference::Commit(id);
    assert_eq!(remote.head(&commit), Ok(id));
    assert_eq!(ours.server.take_seen().len(), 0);
    assert_eq!(remote.fetch(&commit, &ours.fetched()), Ok(id));
    let seen = ours.server.take_seen();
    assert!(seen.iter().all(|seen| seen.answered <= 1000), "it lists no refs: {seen:?}");
    assert_eq!(remote.fetch(&commit, &ours.fetched()), Ok(id));
    assert_eq!(ours.server.take_seen().len(), 0);
}

/// "Force-push", "branch deleted", "two commits in quick succession", "a revert".
#[test]
fn a_branch_is_followed_wherever_it_moves() {
    let ours = Workplace::new();
    let remote = ours.remote();
    let follow = |id: &str, content: &str| {
        assert_eq!(remote.head(&main()), Ok(of(id)));
        assert_eq!(remote.fetch(&main(), &ours.fetched()), Ok(of(id)));
        assert_eq!(text(&ours.fetched(), of(id), "a.yaml"), content);
    };
    let first = ours.tenants.commit("main", &files(&[("a.yaml", "one")]));
    follow(&first, "one");
    ours.tenants.commit("main", &files(&[("a.yaml", "two")]));
    follow(&ours.tenants.commit("main", &files(&[("a.yaml", "three"), ("b/c.yaml", "new")])), "three");
    let reverted = ours.tenants.commit("main", &files(&[("a.yaml", "one")]));
    assert_ne!(reverted, first);
    follow(&reverted, "one");
    let rewritten = ours.tenants.replace("main", &files(&[("a.yaml", "four")]));
    follow(&rewritten, "four");
    ours.tenants.git(&["update-ref", "refs/heads/main", &first]);
    follow(&first, "one");
    ours.tenants.git(&["update-ref", "-d", "refs/heads/main"]);
    assert_eq!(remote.head(&main()), Err(FetchError::NoReference(main())));
    assert_eq!(remote.fetch(&main(), &ours.fetched()), Err(FetchError::NoReference(main())));
    // What was fetched before stays.
    assert_eq!(text(&ours.fetched(), of(&first), "a.yaml"), "one");
}

/// "packs and shallow lines add up": now and then the folder is a fresh one.
#[test]
fn many_fetches_leave_a_bounded_folder() {
    let ours = Workplace::new();
    let remote = ours.remote();
    let mut most = 0;
    for number in 0..45 {
        let id = of(&ours.tenants.commit("main", &files(&[("a.yaml", &format!("text {number}"))])));
        assert_eq!(remote.fetch(&main(), &ours.fetched()), Ok(id));
        assert_eq!(text(&ours.fetched(), id, "a.yaml"), format!("text {number}"));
        most = most.max(fs::read_dir(ours.fetched().join("objects/pack")).unwrap().count());
    }
    assert!((40..=44).contains(&most), "{most}");
}

/// What a process left that was killed while it fetched is no obstacle.
#[test]
fn a_damaged_folder_is_replaced() {
    let ours = Workplace::new();
    let first = of(&ours.tenants.commit("main", &files(&[("a.yaml", "one")])));
    let remote = ours.remote();
    let into = ours.fetched();
    remote.fetch(&main(), &into).unwrap();
    let second = of(&ours.tenants.commit("main", &files(&[("a.yaml", "two")])));
    fs::write(into.join("shallow.lock"), "").unwrap();
    assert_eq!(remote.fetch(&main(), &into), Ok(second));
    ours.tenants.commit("main", &files(&[("a.yaml", "three")]));
    for entry in fs::read_dir(into.join("objects/pack")).unwrap() {
        let path = entry.unwrap().path();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "cut").unwrap();
    }
    let third = remote.fetch(&main(), &into).unwrap();
    assert_eq!(text(&into, third, "a.yaml"), "three");
    fs::write(into.join("HEAD"), "").unwrap();
    assert_eq!(remote.fetch(&main(), &into), Ok(third));
    fs::create_dir(into.with_file_name("fetched.new")).unwrap();
    fs::write(into.with_file_name("fetched.new").join("rest"), "").unwrap();
    fs::remove_dir_all(&into).unwrap();
    assert_eq!(remote.fetch(&main(), &into), Ok(third));
    // A folder of somebody else is left alone.
    let other = ours.folder.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("notes.txt"), "mine").unwrap();
    assert!(matches!(remote.fetch(&main(), &other), Err(FetchError::Storage { .. })));
    assert_eq!(fs::read_to_string(other.join("notes.txt")).unwrap(), "mine");
    assert_ne!(first, second);
}

/// "wrong credentials".
#[test]
fn credentials_that_are_not_accepted_are_an_error() {
    let ours = Workplace::new();
    ours.tenants.commit("main", &files(&[("a.yaml", "one")]));
    let with = |credentials: Option<Credentials>| ours.reached(Access { credentials, ..ours.access() });
    let host = ours.server.host();
    let wrong = failures(&with(Some(password(USER, "CANARY-wrong", &host))), &ours.fetched());
    assert_eq!(wrong, FetchError::Unauthenticated { has_credentials: true });
    assert_eq!(failures(&with(None), &ours.fetched()), FetchError::Unauthenticated { has_credentials: false });
    let bearer = Credentials {
        from: "Secret git".to_string(),
        kind: CredentialKind::Bearer(Secret::new(TOKEN.to_string())),
        hosts: vec![host],
    };
    assert!(with(Some(bearer)).head(&main()).is_ok());
    assert!(!format!("{:?} {:?}", ours.access(), ours.remote()).contains("CANARY"));
}

/// "credentials by Secret bound to hosts": they are not sent, so nothing is asked at all.
#[test]
fn credentials_of_another_host_are_not_sent() {
    let ours = Workplace::new();
    let access = Access { credentials: Some(password(USER, PASSWORD, "git.acme.example")), ..ours.access() };
    let error = ours.try_at(&ours.server.url("tenants.git"), access).unwrap_err();
    assert!(matches!(error, RemoteError::Credentials(CredentialsError::OtherHost { .. })), "{error}");
    assert!(!error.to_string().contains("CANARY"));
    assert_eq!((ours.server.take_seen().len(), ours.server.refused()), (0, 0));
}

/// "https only", "no loopback/plain http unless allowed".
#[test]
fn an_address_that_is_never_asked_is_refused() {
    let ours = Workplace::new();
    let url = ours.server.url("tenants.git");
    let refused = |url: &str, access: Access| ours.try_at(url, access).unwrap_err().to_string();
    let without = || Access { credentials: None, ..ours.access() };
    let strict = Access { allows_loopback: false, ..without() };
    assert!(refused(&url, strict).contains("a server on this machine is not read"));
    let with_password = url.replace("https://", &format!("https://{USER}:{PASSWORD}@"));
    let text = refused(&with_password, without());
    assert!(text.contains("it has a user name or password in it") && !text.contains("CANARY"), "{text}");
    assert!(refused("http://git.acme.example/x", without()).contains("does not begin with https://"));
    assert!(refused("ssh://git@git.acme.example/x", without()).contains("does not begin with https://"));
}

/// "private CA".
#[test]
fn only_certificates_of_the_given_authority_are_accepted() {
    let ours = Workplace::new();
    ours.tenants.commit("main", &files(&[("a.yaml", "one")]));
    let other = Authorities::parse(Authority::new().pem.as_bytes()).unwrap();
    for authorities in [Some(other), None] {
        let remote = ours.reached(Access { authorities, ..ours.access() });
        let error = failures(&remote, &ours.fetched());
        assert!(matches!(error, FetchError::Certificate(_)), "{error}");
        assert_eq!(error.reason(), "CertificateRefused");
    }
    // Not even the password reached the server.
    assert_eq!((ours.server.take_seen().len(), ours.server.refused()), (0, 0));
    for (pem, words) in [
        ("", "no certificate in it"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
    ] {
        assert!(Authorities::parse(pem.as_bytes()).unwrap_err().to_string().contains(words), "{pem}");
    }
}

/// "unreachable".
#[test]
fn a_server_that_is_gone_is_unreachable() {
    let ours = Workplace::new();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let credentials = Some(password(USER, PASSWORD, &nobody.to_string()));
    let remote =
        ours.try_at(&format!("https://{nobody}/tenants.git"), Access { credentials, ..ours.access() }).unwrap();
    let error = failures(&remote, &ours.fetched());
    assert!(matches!(error, FetchError::Unreachable(_)), "{error}");
}

/// "slow, dripping": one time limit covers an operation, however its bytes come.
#[test]
fn a_slow_server_ends_at_the_time_limit() {
    let ours = Workplace::new();
    let id = of(&ours.tenants.commit("main", &files(&[("a.yaml", "one")])));
    for (step, drips) in [
        (Step::Capabilities, false),
        (Step::Capabilities, true),
        (Step::List, false),
        (Step::List, true),
        (Step::Fetch, false),
        (Step::Fetch, true),
    ] {
        let mut limit = Duration::from_millis(400);
        loop {
            // Of an answer, only the first bytes come within the limit.
            let fault = if drips { Fault::Drip(limit / 4) } else { Fault::Silent };
            ours.server.take_seen();
            ours.server.fault(step, fault.clone());
            let begin = Instant::now();
            let fetched = ours.limited(limit, 1 << 20).fetch(&main(), &ours.fetched());
            assert_eq!(fetched, Err(FetchError::TimedOut(limit)), "{step:?} {fault:?}");
            assert!(begin.elapsed() < limit + Duration::from_secs(20), "{step:?} {fault:?}");
            assert!(!ours.fetched().exists());
            if ours.server.take_seen().last().is_some_and(|seen| seen.step == step) {
                break;
            }
            // A machine with much to do does not come as far within the limit.
            limit *= 2;
            assert!(limit < Duration::from_secs(60), "{step:?} {fault:?}: the server did not see this step");
        }
    }
    ours.server.heal();
    assert_eq!(ours.remote().fetch(&main(), &ours.fetched()), Ok(id));
}

/// "oversized packs": they are stopped, and leave no file.
#[test]
fn an_answer_that_is_too_large_is_stopped() {
    let ours = Workplace::new();
    let mut large = files(&[("a.yaml", "one")]);
    large.insert("large.bin".to_string(), File::Regular(noise(3 << 20)));
    let id = of(&ours.tenants.commit("main", &large));
    let limit = 1 << 20;
    let remote = ours.limited(Duration::from_secs(60), limit);
    assert_eq!(remote.head(&main()), Ok(id));
    assert_eq!(remote.fetch(&main(), &ours.fetched()), Err(FetchError::TooLarge(limit)));
    assert!(!ours.fetched().exists() && !ours.fetched().with_file_name("fetched.new").exists());
    for step in [Step::Capabilities, Step::List, Step::Fetch] {
        ours.server.fault(step, Fault::Endless);
        let error = remote.fetch(&main(), &ours.fetched()).unwrap_err();
        // An endless list breaks the rules of the protocol first.
        assert!(matches!(error, FetchError::TooLarge(_) | FetchError::Protocol), "{step:?} {error}");
        assert!(!ours.fetched().exists());
    }
}

/// "a 200 MB repository": read in bounded memory.
#[test]
fn a_large_repository_is_read_in_bounded_memory() {
    let ours = Workplace::new();
    let mut all = files(&[("tenants/a.yaml", "one")]);
    for number in 0..50 {
        all.insert(format!("assets/{number}.bin"), File::Regular(noise_of(number, 4 << 20)));
    }
    for (key, value) in [("core.compression", "0"), ("core.bigFileThreshold", "1m")] {
        ours.tenants.git(&["config", key, value]);
    }
    let id = of(&ours.tenants.commit("main", &all));
    drop(all);
    let ca = ours.folder.path().join("ca.pem");
    fs::write(&ca, &ours.authority.pem).unwrap();
    // In a process of its own: other tests of this one take memory too.
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["git::fetches_in_a_process_of_its_own", "--exact"])
        .env(FETCH, ours.server.url("tenants.git"))
        .env("STABLEKEY_TEST_CA", &ca)
        .env("STABLEKEY_TEST_INTO", ours.fetched())
        .env("STABLEKEY_TEST_PEAK", ours.folder.path().join("peak"))
        .output()
        .unwrap();
    let peak = fs::read_to_string(ours.folder.path().join("peak"));
    let peak = peak.unwrap_or_else(|_| {
        panic!("{}{}", String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr))
    });
    let peak: usize = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 400 << 10, "{} MiB", peak >> 10);
    assert_eq!(text(&ours.fetched(), id, "tenants/a.yaml"), "one");
    // The next commit does not send it again.
    ours.server.take_seen();
    let next = of(&ours.tenants.git(&["commit-tree", &format!("{id}^{{tree}}"), "-p", &id.to_string(), "-m", "next"]));
    ours.tenants.git(&["update-ref", "refs/heads/main", &next.to_string()]);
    assert_eq!(ours.remote().fetch(&main(), &ours.fetched()), Ok(next));
    let answered: usize = ours.server.take_seen().iter().map(|seen| seen.answered).sum();
    assert!(answered < 100_000, "{answered}");
}

/// Names the repository that a process of its own fetches.
const FETCH: &str = "STABLEKEY_TEST_FETCH";

/// The other half of the test above. Writes down the most memory that the process had.
#[test]
#[allow(clippy::print_stdout, reason = "the other process reads it")]
fn fetches_in_a_process_of_its_own() {
    let Ok(url) = std::env::var(FETCH) else { return };
    let variable = |name: &str| std::env::var(name).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let host = url.split('/').nth(2).unwrap();
    let access = Access {
        credentials: Some(password(USER, PASSWORD, host)),
        authorities: Some(Authorities::parse(&fs::read(variable("STABLEKEY_TEST_CA")).unwrap()).unwrap()),
        proxies: Proxies::none(),
        limits: Limits::default(),
        allows_loopback: true,
    };
    let remote = Remote::new(&url, access, runtime.handle().clone()).unwrap();
    remote.fetch(&main(), Path::new(&variable("STABLEKEY_TEST_INTO"))).unwrap();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    fs::write(variable("STABLEKEY_TEST_PEAK"), peak).unwrap();
}

fn noise(length: usize) -> Vec<u8> {
    noise_of(1, length)
}

/// Bytes that cannot be compressed.
fn noise_of(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A pack can promise more than it holds.
#[test]
fn a_file_that_unpacks_to_too_much_is_an_error() {
    let ours = Workplace::new();
    let all: Files = [("zeros.bin".to_string(), File::Regular(vec![0; 80 << 20]))].into();
    ours.tenants.commit("main", &all);
    drop(all);
    let error = ours.remote().fetch(&main(), &ours.fetched()).unwrap_err();
    assert!(matches!(error, FetchError::LargeFile(_)), "{error}");
    assert!(!ours.fetched().exists());
}

/// Four large sources must not fill the volume that all others need.
#[test]
fn a_fetch_that_does_not_fit_beside_others_is_stopped() {
    let ours = Workplace::new();
    let mut large = files(&[("a.yaml", "one")]);
    large.insert("large.bin".to_string(), File::Regular(noise(1 << 20)));
    let id = of(&ours.tenants.commit("main", &large));
    let remote = ours.remote();
    let most = 3 << 19;
    let quota = FetchQuota::new(most);
    let (first, second) = (quota.source(most).share(), quota.source(most).share());
    let into = |name: &str| ours.folder.path().join(name);
    assert_eq!(remote.fetch_within(&main(), &into("first"), &first), Ok(id));
    let used = quota.used();
    assert!((1 << 20..most).contains(&used), "{used}");
    let error = remote.fetch_within(&main(), &into("second"), &second).unwrap_err();
    assert_eq!((&error, error.reason()), (&FetchError::NoRoom(most), "StorageFailed"));
    assert!(!into("second").exists(), "it leaves nothing");
    assert_eq!(quota.used(), used, "and takes nothing");
    fs::remove_dir_all(into("first")).unwrap();
    drop(first);
    assert_eq!(remote.fetch_within(&main(), &into("second"), &second), Ok(id));
}

#[test]
fn what_an_answer_says_is_told_in_our_words() {
    let ours = Workplace::new();
    ours.tenants.commit("main", &files(&[("a.yaml", "one")]));
    let say = |status, headers: &[(&'static str, &str)]| {
        let headers = headers.iter().map(|(name, value)| (*name, value.to_string())).collect();
        Fault::Say(status, headers, "<html>CANARY-page</html>")
    };
    let (after, longest) = (Some(Duration::from_secs(7)), Some(Duration::from_secs(3600)));
    let elsewhere = "https://git.acme.example/new.git/info/refs?service=git-upload-pack";
    for (fault, error) in [
        (say(403, &[]), FetchError::Forbidden),
        (say(404, &[]), FetchError::NotFound(404)),
        (say(429, &[("retry-after", "7")]), FetchError::TooManyRequests { after }),
        (say(429, &[("retry-after", "18446744073709551615")]), FetchError::TooManyRequests { after: longest }),
        (say(500, &[]), FetchError::Server(500)),
        (say(400, &[]), FetchError::Refused(400)),
        (say(200, &[("content-type", "text/html")]), FetchError::NotGit),
        (
            say(301, &[("location", elsewhere)]),
            FetchError::Redirects(Some("https://git.acme.example/new.git".to_string())),
        ),
        (say(302, &[("location", "http://127.0.0.1:1/?CANARY")]), FetchError::Redirects(None)),
        (say(200, &[("content-type", "application/x-git-upload-pack-advertisement")]), FetchError::Protocol),
    ] {
        ours.server.fault(Step::Capabilities, fault.clone());
        assert_eq!(failures(&ours.remote(), &ours.fetched()), error, "{fault:?}");
    }
}

#[test]
fn an_answer_that_breaks_off_or_is_damaged_is_an_error() {
    let ours = Workplace::new();
    let mut all = files(&[("a.yaml", "one")]);
    all.insert("noise.bin".to_string(), File::Regular(noise(100_000)));
    let id = of(&ours.tenants.commit("main", &all));
    let fetch = || ours.remote().fetch(&main(), &ours.fetched());
    for (step, after) in
        [(Step::Capabilities, 0), (Step::Capabilities, 100), (Step::List, 20), (Step::Fetch, 60), (Step::Fetch, 50_000)]
    {
        ours.server.fault(step, Fault::Cut(after));
        let error = fetch().unwrap_err();
        assert!(matches!(error, FetchError::Broken(_)), "{step:?} {after}: {error}");
        assert!(!ours.fetched().exists());
    }
    for before_end in [1000, 50_000] {
        ours.server.fault(Step::Fetch, Fault::Damage(before_end));
        assert_eq!(fetch(), Err(FetchError::Protocol), "{before_end}");
        assert!(!ours.fetched().exists());
    }
    ours.server.heal();
    assert_eq!(fetch(), Ok(id));
}

#[test]
fn what_a_repository_does_not_have_is_named() {
    let ours = Workplace::new();
    let remote = ours.remote();
    // An empty repository has no branch.
    assert_eq!(failures(&remote, &ours.fetched()), FetchError::NoReference(main()));
    let id = ours.tenants.commit("main", &files(&[("a.yaml", "one")]));
    ours.tenants.git(&["tag", "main2", "main"]);
    ours.tenants.git(&["tag", "both", "main"]);
    ours.tenants.git(&["update-ref", "refs/heads/both", &id]);
    let tree = ours.tenants.git(&["rev-parse", "main^{tree}"]);
    ours.tenants.git(&["tag", "files", &tree]);
    let missing = Reference::commit("0123456789abcdef0123456789abcdef01234567").unwrap();
    // Its prefix is there.
    for reference in
        [Reference::branch("mai").unwrap(), Reference::tag("main").unwrap(), Reference::parse("x").unwrap()]
    {
        assert_eq!(remote.head(&reference), Err(FetchError::NoReference(reference.clone())));
        assert_eq!(remote.fetch(&reference, &ours.fetched()), Err(FetchError::NoReference(reference.clone())));
    }
    assert_eq!(remote.fetch(&missing, &ours.fetched()), Err(FetchError::NoReference(missing)));
    let both = Reference::parse("both").unwrap();
    assert_eq!(remote.fetch(&both, &ours.fetched()), Err(FetchError::Ambiguous(both)));
    let of_tree = Reference::tag("files").unwrap();
    assert_eq!(remote.fetch(&of_tree, &ours.fetched()), Err(FetchError::NotACommit(of_tree)));
    let nowhere = ours.try_at(&ours.server.url("nothing.git"), ours.access()).unwrap();
    assert!(matches!(failures(&nowhere, &ours.fetched()), FetchError::NotFound(404)));
    // Names by SHA-256 are for later.
    GitRepository::with(&ours.folder.path().join("sha256.git"), &["--object-format=sha256"])
        .commit("main", &files(&[("a.yaml", "one")]));
    let sha256 = ours.try_at(&ours.server.url("sha256.git"), ours.access()).unwrap();
    assert_eq!(failures(&sha256, &ours.fetched()), FetchError::Unsupported);
}

/// "proxies as the environment says", and this machine never through one.
#[test]
fn a_server_is_reached_through_the_proxy_of_the_environment() {
    let ours = Workplace::new();
    let id = of(&ours.tenants.commit("main", &files(&[("a.yaml", "one")])));
    let proxy = Proxy::start(&[("git.acme.example", &ours.server.host())], Tunnels::Open);
    let url = proxy.url();
    let through = || Proxies::of(&|name: &str| (name == "HTTPS_PROXY").then(|| url.clone()));
    let remote = ours.reached(Access { proxies: through(), ..ours.access() });
    assert_eq!(remote.head(&main()), Ok(id));
    assert_eq!(proxy.asked(), Vec::<String>::new());
    let credentials = Some(password(USER, PASSWORD, "git.acme.example"));
    let access = Access { proxies: through(), credentials, ..ours.access() };
    let remote = ours.try_at("https://git.acme.example/tenants.git", access).unwrap();
    // The certificate is that of localhost.
    assert!(matches!(remote.head(&main()), Err(FetchError::Certificate(_))));
    assert_eq!(proxy.asked(), ["CONNECT git.acme.example:443 HTTP/1.1"]);
}
