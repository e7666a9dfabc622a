//! A tenant namespace, and helpers that read it with kubectl.

use serde_json::{Value, json};
use stablekey_clusters::{Cluster, Namespace, Options, run, run_with_input, shared, shared_with};
pub use stablekey_testing::objects::*;
use stablekey_testing::permissions::{permissions_of, refused};
use stablekey_testing::replica::{Replica, until, wait_for_field};
use std::path::Path;
use std::process::{Child, Stdio};

/// The value in every secret location.
pub const CANARY: &str = "c4n4ry-7f3a91";
/// The same in base64, without the parts that depend on the surrounding text.
const CANARY_64: &str = "YzRuNHJ5LTdmM2E5M";

pub const ARGUMENTS: [&str; 6] = ["--role", "binder", "--lease-duration", "3s", "--request-timeout", "5s"];

pub struct TestEnv {
    pub here: Namespace<'static>,
}

/// Returns a cluster with a garbage collector, in which connections in use cannot be deleted.
pub fn with_controllers() -> &'static Cluster {
    static GUARDED: std::sync::OnceLock<&'static Cluster> = std::sync::OnceLock::new();
    GUARDED.get_or_init(|| {
        let cluster = shared_with(Options::named("tended").with_controllers());
        let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/policies");
        run(cluster.kubectl().args(["apply", "--server-side", "-k"]).arg(policies)).unwrap();
        cluster
    })
}

/// Asserts with the audit log that nothing was forbidden to the account of manifests/.
impl Drop for TestEnv {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let user = format!("system:serviceaccount:{}:stablekey-binder", self.here.name());
            let rights = permissions_of(self.here.cluster(), "binder");
            assert_eq!(refused(&self.here.audit().unwrap(), &user, &rights), [""; 0]);
        }
    }
}

impl TestEnv {
    /// Creates tenant `us` with a component, in a namespace of its own.
    pub fn new(prefix: &str) -> Self {
        TestEnv::of(shared("us"), prefix)
    }

    pub fn of(cluster: &'static Cluster, prefix: &str) -> Self {
        let env = TestEnv { here: cluster.namespace(prefix) };
        env.apply(&[Tenant::new("us").json(), component()]);
        env
    }

    /// Starts a process with the binder role.
    pub fn binder(&self) -> Replica {
        self.binder_with(&[])
    }

    pub fn binder_with(&self, more: &[&str]) -> Replica {
        Replica::start(&self.here, &[&ARGUMENTS[..], more].concat())
    }

    pub fn apply(&self, objects: &[Value]) {
        let list = list(objects).to_string();
        let flags = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
        run_with_input(self.here.kubectl().args(flags), &list).unwrap();
    }

    /// Applies objects with the syncer's field manager.
    pub fn apply_as_the_syncer(&self, objects: &[Value]) {
        let list = list(objects).to_string();
        let flags = ["apply", "--server-side", "--field-manager=stablekey-syncer", "-f", "-"];
        run_with_input(self.here.kubectl().args(flags), &list).unwrap();
    }

    /// Runs kubectl with these words as arguments.
    #[track_caller]
    pub fn kubectl(&self, words: &str) -> String {
        run(self.here.kubectl().args(words.split_whitespace())).unwrap_or_else(|error| panic!("{error}"))
    }

    pub fn kubectl_error(&self, words: &str) -> String {
        run(self.here.kubectl().args(words.split_whitespace())).unwrap_err().to_string()
    }

    pub fn patch(&self, object: &str, patch: &Value) {
        run(self.here.kubectl().args(["patch", object, "--type=merge", "--patch", &patch.to_string()])).unwrap();
    }

    /// Returns a field of an object; empty if it has none.
    pub fn field(&self, object: &str, path: &str) -> String {
        run(self.here.kubectl().args(["get", object, "-o", &format!("jsonpath={{{path}}}")])).unwrap_or_default()
    }

    #[track_caller]
    pub fn until_field(&self, object: &str, path: &str, value: &str) {
        wait_for_field(&format!("{object} {path} is {value}"), || self.here.kubectl(), object, path, value);
    }

    /// Waits until a condition contains `True Reason` or the like, and returns its message.
    #[track_caller]
    pub fn wait_for_condition(&self, object: &str, condition: &str, words: &str) -> String {
        let of = |field: &str| format!(".status.conditions[?(@.type==\"{condition}\")].{field}");
        let path = format!("{{{}}} {{{}}}\n{{{}}}", of("status"), of("reason"), of("message"));
        let mut last = String::new();
        let what = format!("{object} says {condition} {words}");
        let (_, reason) = words.split_once(' ').unwrap();
        wait_for_field(&what, || self.here.kubectl(), object, &of("reason"), reason);
        until(&what, || {
            let get = ["get", object, "-o", &format!("jsonpath={path}")];
            last = run(self.here.kubectl().args(get)).unwrap_or_default();
            last.split('\n').next() == Some(words)
        });
        last.split_once('\n').unwrap().1.to_string()
    }

    #[track_caller]
    pub fn ready(&self, object: &str, words: &str) -> String {
        self.wait_for_condition(object, "Ready", words)
    }

    /// Returns the decoded data of a Secret; `None` if there is none.
    pub fn secret(&self, name: &str) -> Option<Vec<(String, String)>> {
        let text = run(self.here.kubectl().args(["get", "secret", name, "-o", "json"])).ok()?;
        let secret: Value = serde_json::from_str(&text).unwrap();
        let value = |value: &Value| {
            let bytes: k8s_openapi::ByteString = serde_json::from_value(value.clone()).unwrap();
            String::from_utf8(bytes.0).unwrap()
        };
        Some(secret["data"].as_object().into_iter().flatten().map(|(k, v)| (k.clone(), value(v))).collect())
    }

    /// Waits until a Secret has a value.
    #[track_caller]
    pub fn until_secret(&self, name: &str, key: &str, value: &str) {
        until(format!("Secret {name} has its {key}"), || {
            self.secret(name).is_some_and(|data| data.iter().any(|(k, v)| k == key && v == value))
        });
    }

    /// Starts a kubectl that waits until an object is ready.
    pub fn kubectl_wait(&self, object: &str) -> Child {
        let words = ["wait", "--for=condition=Ready", object, "--timeout=120s"];
        self.here.kubectl().args(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    pub fn events(&self, object: &str) -> String {
        let kind = object.split('/').next().unwrap();
        let name = object.split('/').nth(1).unwrap();
        self.kubectl(&format!("events --for {kind}.v1alpha1.stablekey.dev/{name} --no-headers"))
    }

    /// Asserts that the canary appears nowhere except in Secrets, which are not checked here.
    pub fn assert_no_secret_leaked(&self, replica: &mut Replica) {
        let metrics = replica.get("/metrics").body;
        replica.signal("-TERM");
        assert!(replica.end().success());
        let said = self.kubectl("get stablekey,configmaps,leases,events.events.k8s.io -o yaml --show-managed-fields");
        assert!(said.contains("kind: Connection") && said.contains("stablekey-binder"), "{said}");
        for (what, text) in [("log", replica.log.join("\n")), ("objects", said), ("metrics", metrics)] {
            assert!(!text.contains(CANARY) && !text.contains(CANARY_64), "in the {what}:\n{text}");
        }
    }
}

/// Component salesforce with types basic and oauth2.
pub fn component() -> Value {
    let basic = Component::new("salesforce/basic").requires("baseUrl").has_endpoint("baseUrl");
    let basic = basic.requires("password").has_secret("password").has_input("note");
    let both = basic.type_("oauth2").authorization_code().requires("authorizeUrl").has_endpoint("authorizeUrl");
    both.has_secret("refreshToken").json()
}

pub fn connection(key: &str, credentials: &str, inputs: Value) -> Value {
    let connection = with(Connection::new(key, "salesforce/basic").json(), "/spec/credentials", credentials);
    with(connection, "/spec/inputs", inputs)
}

pub fn of_secret(name: &str, key: &str) -> Value {
    json!({"secretRef": {"name": name, "key": key}})
}

/// The inputs of a connection: an address, and a password in Secret `app`.
pub fn inputs() -> Value {
    json!({"baseUrl": {"value": "https://login.example"}, "password": of_secret("app", "password")})
}

/// A connection with one set of credentials for all.
pub fn global(key: &str) -> Value {
    connection(key, "OrganizationGlobal", inputs())
}

/// A connection for customers, who supply the address.
pub fn of_customers(key: &str) -> Value {
    let inputs =
        json!({"baseUrl": {"perCustomer": true}, "password": of_secret("app", "password"), "note": {"value": "ours"}});
    connection(key, "OrganizationCustomer", inputs)
}

pub fn customer(name: &str, customer: &str, key: &str, inputs: Value) -> Value {
    with(CustomerCredentials::new(customer, key).named(name).json(), "/spec/inputs", inputs)
}

pub fn integration(name: &str, keys: &[&str]) -> Value {
    Integration::new(name).uses(keys).json()
}

/// A Secret that opted in for these keys.
pub fn source(name: &str, keys: &str, annotations: Value, data: Value) -> Value {
    let mut all = json!({"stablekey.dev/keys": keys});
    all.as_object_mut().unwrap().extend(annotations.as_object().unwrap().clone());
    let labels = json!({"stablekey.dev/for": "connections"});
    with(with(secret(name, data), "/metadata/labels", labels), "/metadata/annotations", all)
}

/// The annotation with the hosts of these tests. A Secret beside an endpoint of customers must be pinned.
pub fn pinned() -> Value {
    let hosts = "acme.example,zen.example,next.example,login.example,test.example,second.example,new.example";
    json!({"stablekey.dev/hosts": hosts})
}

/// Secret `app` with a password, for all keys.
pub fn app() -> Value {
    source("app", "*", pinned(), json!({"password": CANARY}))
}
