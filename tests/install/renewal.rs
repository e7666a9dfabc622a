//! The script of manifests/token-renewal, as its CronJob runs it, with the accounts of manifests/ on two clusters.

use crate::installed::{Account, apply, eu, install, us};
use crate::renderings::kustomized;
use crate::tools::fails_with;
use serde_json::{Value, json};
use stablekey_clusters::{Namespace, run};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The files and environment of the CronJob's Pod.
struct Pod {
    folder: tempfile::TempDir,
    account: Account,
}

struct JobOutput {
    well: bool,
    lines: Vec<String>,
    all: String,
}

impl Pod {
    fn new(hub: &Namespace<'static>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = &kustomized(&["token-renewal/hub"])["ConfigMap/stablekey-token-renewal"]["data"]["renew.sh"];
        std::fs::write(folder.path().join("renew.sh"), script.as_str().unwrap()).unwrap();
        std::fs::create_dir(folder.path().join("kubeconfigs")).unwrap();
        std::fs::create_dir(folder.path().join("bin")).unwrap();
        std::fs::create_dir(folder.path().join("tmp")).unwrap();
        // A kubectl that records its arguments.
        let real = hub.cluster().binaries().join("kubectl");
        let log = folder.path().join("arguments");
        let kubectl = folder.path().join("bin/kubectl");
        let lies = folder.path().join("lies");
        let text = format!(
            "#!/bin/sh\necho \"$*\" >>{log}\nset -- {real} \"$@\"\n[ -x {lies} ] && exec {lies} \"$@\"\nexec \"$@\"\n",
            log = log.display(),
            real = real.display(),
            lies = lies.display()
        );
        std::fs::write(&kubectl, text).unwrap();
        std::fs::set_permissions(&kubectl, std::fs::Permissions::from_mode(0o755)).unwrap();
        Pod { folder, account: Account::new(hub, "stablekey-token-renewal") }
    }

    /// Answers requests that match these words like a hostile server from now on.
    fn answer_with(&self, words: &str, answer: &str) {
        let text = format!("#!/bin/sh\ncase $* in *'{words}'*) printf '{answer}' ;; *) exec \"$@\" ;; esac\n");
        std::fs::write(self.path("lies"), text).unwrap();
        std::fs::set_permissions(self.path("lies"), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs this command during requests that match these words from now on.
    fn meanwhile(&self, words: &str, command: &str) {
        let text = format!("#!/bin/sh\ncase $* in *'{words}'*) {command} ;; esac\nexec \"$@\"\n");
        std::fs::write(self.path("lies"), text).unwrap();
        std::fs::set_permissions(self.path("lies"), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes kubeconfigs to the Secret, which is mounted.
    fn supply(&self, hub: &Namespace<'_>, kubeconfigs: &[(&str, &str)]) {
        for (key, text) in kubeconfigs {
            std::fs::write(self.path("kubeconfigs").join(key), text).unwrap();
        }
        let texts: serde_json::Map<_, _> =
            kubeconfigs.iter().map(|(key, text)| (key.to_string(), json!(text))).collect();
        let metadata = json!({"name": "stablekey-kubeconfigs"});
        apply(hub, &json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": texts}));
    }

    fn run(&self) -> JobOutput {
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        let mut sh = Command::new("sh");
        sh.arg(self.path("renew.sh")).stdin(Stdio::null()).env("PATH", path);
        sh.env("KUBECONFIG", &self.account.kubeconfig).env("HOME", self.path("tmp")).env("TMPDIR", self.path("tmp"));
        sh.env("KUBECONFIGS", self.path("kubeconfigs")).env("NAMESPACE", &self.account.namespace);
        sh.env("SECRET", "stablekey-kubeconfigs").env("DURATION", "2h");
        let output = sh.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let said = text(&output.stdout);
        let lines = said.lines().map(str::to_string).collect();
        JobOutput { well: output.status.success(), lines, all: said + &text(&output.stderr) }
    }
}

fn kubeconfig_in(hub: &Namespace<'_>, key: &str) -> String {
    let template = format!("--output=go-template={{{{index .data {key:?} | base64decode}}}}");
    run(hub.kubectl().args(["get", "secret", "stablekey-kubeconfigs", &template])).unwrap()
}

fn token_in(kubeconfig: &str) -> String {
    let config: serde_json::Value = serde_saphyr::from_str(kubeconfig).unwrap();
    config["users"][0]["user"]["token"].as_str().unwrap().to_string()
}

fn text_of(account: &Account) -> String {
    std::fs::read_to_string(&account.kubeconfig).unwrap()
}

#[test]
fn each_account_renews_its_own_token_without_leaking_it() {
    let (hub, there) = (us().namespace("renews"), eu().namespace("renewed"));
    install(&hub, &["token-renewal/hub"]);
    install(&there, &["tenant-access/target", "tenant-access/source", "token-renewal/target"]);
    let (target, source) = (Account::new(&there, "stablekey-target"), Account::new(&there, "stablekey-source"));
    let pod = Pod::new(&hub);
    let person = std::fs::read_to_string(eu().kubeconfig()).unwrap();
    pod.supply(&hub, &[("eu-prod", &text_of(&target)), ("of-a-person", &person)]);

    let said = pod.run();
    assert!(said.well, "{}", said.all);
    assert_eq!(said.lines[0], format!("eu-prod: renewed the token of {}", target.user));
    assert_eq!(said.lines[1], "of-a-person: its user is no ServiceAccount: left as it is");
    assert_eq!(kubeconfig_in(&hub, "of-a-person"), person);
    let renewed = kubeconfig_in(&hub, "eu-prod");
    let (old, new) = (token_in(&text_of(&target)), token_in(&renewed));
    assert_ne!(old, new);
    let file = pod.path("tmp/renewed");
    std::fs::write(&file, &renewed).unwrap();
    let mut who = eu().kubectl_as(&file);
    assert_eq!(
        run(who.args(["auth", "whoami", "--output=jsonpath={.status.userInfo.username}"])).unwrap(),
        target.user
    );
    // Arguments are visible to everybody on the node, and the log to everybody who may read logs.
    let arguments = std::fs::read_to_string(pod.path("arguments")).unwrap();
    assert!(arguments.contains("create token stablekey-target --namespace"), "{arguments}");
    for told in [&said.all, &arguments] {
        assert!(!told.contains(&old) && !told.contains(&new), "{told}");
    }
    let left: Vec<_> = std::fs::read_dir(pod.path("tmp")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name == "renewed" || name == ".kube"), "{left:?}");

    // A failure of one does not block the others.
    let runs = pod.path("ran");
    let evil = text_of(&target).replace(&old, "x");
    let exec = format!(
        "{{apiVersion: client.authentication.k8s.io/v1, command: touch, args: [{:?}]}}",
        runs.display().to_string()
    );
    let config = |user: String| {
        let config: serde_json::Value = serde_saphyr::from_str(&evil).unwrap();
        let mut config = config;
        config["users"][0]["user"] = serde_saphyr::from_str(&user).unwrap();
        config.to_string()
    };
    pod.supply(
        &hub,
        &[
            ("a-program", &config(format!("{{exec: {exec}}}"))),
            ("a-file", &config("{tokenFile: /etc/hostname}".to_string())),
            ("another", &config("{token: t, as: admin}".to_string())),
            ("broken", "{token: CANARY"),
            ("in-the-open", &text_of(&target).replace("https://", "http://")),
            ("eu-prod", &renewed),
            ("revoked", &evil),
            ("source", &text_of(&source)),
        ],
    );
    let said = pod.run();
    assert!(!said.well && !runs.exists(), "{}", said.all);
    assert!(!said.all.contains("CANARY") && !said.all.contains(&new), "{}", said.all);
    for (key, words) in [
        ("a-program", "the operator would refuse this kubeconfig"),
        ("a-file", "the operator would refuse this kubeconfig"),
        ("another", "the operator would refuse this kubeconfig"),
        ("broken", "it is no kubeconfig"),
        ("in-the-open", "the operator would refuse this kubeconfig: its server is not https"),
        ("eu-prod", "renewed the token of"),
        ("revoked", "not accepted"),
        ("source", "may not renew its own token"),
    ] {
        assert!(
            said.lines.iter().any(|line| line.starts_with(&format!("{key}: ")) && line.contains(words)),
            "{key}: {}",
            said.all
        );
    }
    assert_eq!(kubeconfig_in(&hub, "source"), text_of(&source));
}

/// A hostile answer becomes a kubeconfig, arguments of a program and log lines.
#[test]
fn a_hostile_server_causes_no_command_and_no_write() {
    let (hub, there) = (us().namespace("renews"), eu().namespace("hostile"));
    install(&hub, &["token-renewal/hub"]);
    install(&there, &["tenant-access/target", "token-renewal/target"]);
    let target = text_of(&Account::new(&there, "stablekey-target"));
    let pod = Pod::new(&hub);
    pod.supply(&hub, &[("eu-prod", &target)]);
    let ran = pod.path("ran").display().to_string();
    let exec = r#"x"\n    exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: touch, args: ["#;
    let lies = [
        ("create token", format!("{exec}{ran}]}}\\n"), "what its server sent is no token"),
        ("create token", "a.b.c\\nd.e.f\\n".to_string(), "what its server sent is no token"),
        ("create token", String::new(), "may not renew its own token"),
        ("create token", "a.b.c".to_string(), "the new token is not accepted: the old one stays"),
        ("auth whoami", format!("system:serviceaccount:a:--kubeconfig={ran}"), "its user is no ServiceAccount"),
        ("auth whoami", "system:serviceaccount:-n:x".to_string(), "its user is no ServiceAccount"),
        ("auth whoami", "system:serviceaccount:\\033[2J:x".to_string(), "its user is no ServiceAccount"),
        ("auth whoami", String::new(), "not accepted, or not reached"),
    ];
    for (request, answer, words) in lies {
        pod.answer_with(request, &answer);
        let said = pod.run();
        assert!(said.lines.len() == 1 && said.lines[0].contains(words), "{request} {answer}: {}", said.all);
        assert!(!said.all.contains('\x1b') && !pod.path("ran").exists(), "{request} {answer}");
        assert_eq!(kubeconfig_in(&hub, "eu-prod"), target, "{request} {answer}");
    }
}

/// A kubeconfig that an administrator withdraws during the job is not restored.
#[test]
fn a_kubeconfig_that_changed_meanwhile_is_kept() {
    let (hub, there) = (us().namespace("renews"), eu().namespace("replaced"));
    install(&hub, &["token-renewal/hub"]);
    install(&there, &["tenant-access/target", "token-renewal/target"]);
    let old = text_of(&Account::new(&there, "stablekey-target"));
    let fresh = format!("{old}\n");
    let pod = Pod::new(&hub);
    let administrator = format!(
        "{} --kubeconfig {} --namespace {} ",
        us().binaries().join("kubectl").display(),
        us().kubeconfig().display(),
        hub.name()
    );
    let quiet = ">/dev/null 2>&1 </dev/null";
    let patch = |data: Value| {
        format!("{administrator} patch secret stablekey-kubeconfigs --type=merge --patch '{data}' {quiet}")
    };
    let replaced = patch(json!({"stringData": {"eu-prod": fresh}}));
    let removed = patch(json!({"data": {"eu-prod": null}}));
    let gone = format!("{administrator} delete secret stablekey-kubeconfigs {quiet}");
    let command = format!("kubectl --namespace {} delete serviceaccount stablekey-target", there.name());
    // Before the new token is requested, and at the last moment.
    for request in ["create token", "patch secret"] {
        for (meanwhile, now) in [(&replaced, Some(&fresh)), (&removed, None)] {
            pod.supply(&hub, &[("eu-prod", &old), ("other", &old)]);
            pod.meanwhile(request, meanwhile);
            let said = pod.run();
            assert!(!said.well, "{request}: {}", said.all);
            let line = "eu-prod: Secret stablekey-kubeconfigs changed while this job ran, and stays as it is";
            assert!(said.lines[0].starts_with(line), "{request}: {}", said.all);
            assert_eq!(said.lines[2], command);
            let data: Value = serde_json::from_str(
                &run(hub.kubectl().args(["get", "secret", "stablekey-kubeconfigs", "--output=jsonpath={.data}"]))
                    .unwrap(),
            )
            .unwrap();
            assert_eq!(data.get("eu-prod").is_some(), now.is_some(), "{request}");
            if let Some(now) = now {
                assert_eq!(kubeconfig_in(&hub, "eu-prod"), *now, "{request}");
            }
            // The others are renewed nevertheless.
            assert!(said.lines[3].starts_with("other: renewed the token of"), "{request}: {}", said.all);
            assert!(!said.all.contains(&token_in(&old)), "{request}: {}", said.all);
        }
    }
    pod.supply(&hub, &[("eu-prod", &old)]);
    std::fs::remove_file(pod.path("kubeconfigs/other")).unwrap();
    pod.meanwhile("create token", &gone);
    let said = pod.run();
    let words = "eu-prod: the new token cannot be written to Secret stablekey-kubeconfigs of namespace";
    assert!(!said.well && said.lines[0].starts_with(words) && said.all.contains("not found"), "{}", said.all);
    fails_with(hub.kubectl().args(["get", "secret", "stablekey-kubeconfigs"]), "NotFound");
}

/// Link-local servers and others that the operator refuses: no token is sent to them.
///
/// "Kubeconfigs from Secrets: … link-local servers refused".
#[test]
fn refused_servers_get_no_request() {
    let hub = us().namespace("servers");
    install(&hub, &["token-renewal/hub"]);
    let pod = Pod::new(&hub);
    let (form, local) = ("its server is not https://HOST:PORT", "its server is link-local");
    let (unspecified, number) = ("its server is the unspecified address", "its server is no IPv4 address");
    let six = "its server is no IPv6 address";
    let refused = [
        ("http://eu.example", "its server is not https"),
        ("eu.example", "its server is not https"),
        ("https://", form),
        ("https:///api", form),
        ("https://eu.example/api/v1/namespaces/x/secrets", form),
        ("https://eu.example//", form),
        ("https://eu.example?x=", form),
        ("https://eu.example/?x=", form),
        ("https://eu.example#x", form),
        ("https://me@eu.example", form),
        ("https://169.254.169.254#@eu.example", form),
        ("https://eu.example:", form),
        ("https://eu.example:6443x", form),
        ("https://eu..example", form),
        ("https://$(id)", form),
        ("https://*", form),
        ("https://169.254.169.254", local),
        ("https://169.254.169.254:443/", local),
        ("https://169.254.0.1.", local),
        ("https://[fe80::1]", local),
        ("https://[FEBF:0:0::1]:6443", local),
        ("https://[fd00:ec2::254]", local),
        ("https://[FD00:0EC2:0::254]/", local),
        ("https://[::ffff:169.254.169.254]", local),
        ("https://[::ffff:a9fe:a9fe]", local),
        ("https://[0:0:0:0:0:FFFF:A9FE:1]", local),
        ("https://0.0.0.0", unspecified),
        ("https://0.0.0.0:6443", unspecified),
        ("https://[::]", unspecified),
        ("https://[0::0]:6443", unspecified),
        ("https://[0:0:0:0:0:0:0:0]", unspecified),
        ("https://[::0.0.0.0]", unspecified),
        ("https://[::ffff:0.0.0.0]", unspecified),
        ("https://0", number),
        ("https://2852039166", number),
        ("https://0xa9fea9fe", number),
        ("https://0251.0376.0251.0376", number),
        ("https://169.254.43518", number),
        ("https://[fe80::1%25eth0]", six),
        ("https://[169.254.169.254]", six),
        ("https://[1:2:3]", six),
        ("https://[1:2:3:4:5:6:7:8::]", six),
    ];
    let asked =
        ["https://eu.example", "https://10.0.0.1:6443/", "https://[2001:db8::1]:6443", "https://[::ffff:10.0.0.1]"];
    let ask = |server: &str| {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
            "clusters": [{"name": "k", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {"token": "CANARY"}}],
        });
        std::fs::write(pod.path("kubeconfigs/eu-prod"), config.to_string()).unwrap();
        std::fs::write(pod.path("arguments"), "").unwrap();
        // No server answers, so that no test sends anything.
        pod.answer_with("--request-timeout", "");
        let said = pod.run();
        assert!(!said.well && said.lines.len() == 1 && !said.all.contains("CANARY"), "{server}: {}", said.all);
        (said.all, std::fs::read_to_string(pod.path("arguments")).unwrap().contains("--request-timeout"))
    };
    for (server, why) in refused {
        let (said, is_asked) = ask(server);
        assert!(!is_asked, "{server} was asked");
        let words = format!("the operator would refuse this kubeconfig: {why}");
        assert!(said.contains(&words), "{server}: {said}");
    }
    for server in asked {
        let (said, is_asked) = ask(server);
        assert!(is_asked && said.contains("not accepted, or not reached"), "{server}: {said}");
    }
}

#[test]
fn renewal_reads_and_writes_one_secret() {
    let (hub, there) = (us().namespace("renewal"), us().namespace("renewable"));
    install(&hub, &["token-renewal/hub"]);
    install(&there, &["tenant-access/target", "token-renewal/target", "binder"]);
    let account = Account::new(&hub, "stablekey-token-renewal");
    for words in
        ["get secret other", "get secrets", "create secret generic other", "delete secret stablekey-kubeconfigs"]
    {
        let said = crate::tools::error_of(&mut account.kubectl(words));
        assert!(said.contains("forbidden"), "{words}: {said}");
    }
    // Of itself, and of no other.
    let target = Account::new(&there, "stablekey-target");
    crate::tools::output_of(&mut target.kubectl("create token stablekey-target"));
    for words in ["create token stablekey-binder", "create token default", "get serviceaccounts"] {
        let said = crate::tools::error_of(&mut target.kubectl(words));
        assert!(said.contains("forbidden"), "{words}: {said}");
    }
}
