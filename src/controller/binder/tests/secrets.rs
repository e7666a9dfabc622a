//! Secrets that opted in: for which keys, to which hosts, until when.

use super::*;

fn crm_with(annotations: Value, data: &[(&str, &str)]) -> Evaluation<ConnectionStatus> {
    let mut tenant = global();
    tenant.source("sf-app", annotations, data);
    tenant.connection("crm")
}

/// A Secret is read only if it opts in (label `stablekey.dev/for: connections`, annotation `stablekey.dev/keys` with
/// this key).
///
/// "A Secret is read only if it opts in (label `stablekey.dev/for: connections`, annotation `stablekey.dev/keys`
/// naming this key …)".
#[test]
fn a_secret_is_read_only_if_it_opts_in_for_this_key() {
    let whole = [("password", CANARY)];
    let reason = |evaluated: Evaluation<ConnectionStatus>| {
        assert_eq!(
            evaluated.bindings.is_empty(),
            !condition_text(&evaluated.conditions, "CredentialsReady").starts_with("True")
        );
        condition_text(&evaluated.conditions, "CredentialsReady").split(": ").next().unwrap().to_string()
    };
    assert_eq!(reason(crm_with(json!({KEYS: "slack, crm"}), &whole)), "True Supplied");
    assert_eq!(reason(crm_with(json!({KEYS: "*"}), &whole)), "True Supplied");
    assert_eq!(reason(crm_with(json!({KEYS: "slack"}), &whole)), "False SecretNotForKey");
    assert_eq!(reason(crm_with(json!({KEYS: ""}), &whole)), "False SecretNotForKey");
    assert_eq!(reason(crm_with(json!({KEYS: "CRM"}), &whole)), "False SecretNotForKey");
    assert_eq!(reason(crm_with(json!({}), &[("other", CANARY)])), "False SecretKeyMissing");
    let mut tenant = global();
    let due = tenant.change(CacheChange::SecretGone("sf-app".into()));
    assert_eq!(due.connections, ["crm".to_string()].into());
    assert_eq!(reason(tenant.connection("crm")), "False SecretMissing");
    // Without Stablekey's label it is not read, whatever its annotations are.
    let metadata = json!({"name": "sf-app", "uid": "u", "annotations": {KEYS: "*"}});
    let why = |tenant: &Namespace| condition_text(&tenant.connection("crm").conditions, "CredentialsReady");
    assert!(why(&tenant).contains("Secret sf-app (for password) is not there or has not opted in: supply it, with"));
    tenant.secret(metadata, "Opaque", &whole);
    assert_eq!(reason(tenant.connection("crm")), "False SecretMissing");
    assert!(
        why(&tenant).contains("Secret sf-app (for password) is there and has not opted in: its owner does that with")
    );
}

/// An opt-in for an older key counts for the connection that replaces it, if component, type and credentials are the
/// same.
#[test]
fn an_opt_in_for_an_older_key_serves_its_replacement() {
    let mut tenant = global();
    tenant.source("sf-app", json!({KEYS: "sf_old"}), &[("password", CANARY)]);
    let mut spec = basic("crm", "OrganizationGlobal", global_inputs());
    spec["replaces"] = json!(["sf_old"]);
    tenant.put(Kind::Connection, "crm", spec);
    assert!(condition_text(&tenant.connection("crm").conditions, "CredentialsReady").starts_with("True"));
    // If one of the three differs, the connection does not answer for the key and gets no Secret.
    let old = basic("sf_old", "OrganizationCustomer", json!({}));
    let due = tenant.put(Kind::Connection, "sf-old", old);
    assert!(due.connections.contains("crm"));
    assert!(
        condition_text(&tenant.connection("crm").conditions, "CredentialsReady").starts_with("False SecretNotForKey")
    );
}

/// With `stablekey.dev/hosts`, the connection's endpoints may name only these hosts; the binder refuses others.
///
/// "stablekey.dev/hosts (optional: the only hosts that the connection's endpoints may name; the binder refuses
/// another)".
#[test]
fn endpoints_are_limited_to_the_pinned_hosts() {
    let whole = [("password", CANARY)];
    let reason = |hosts: &str| {
        let evaluated = crm_with(json!({HOSTS: hosts}), &whole);
        let reason = ready(&evaluated.conditions);
        assert_eq!(evaluated.bindings.is_empty(), reason != "False BindingPending");
        reason
    };
    assert_eq!(reason("login.example"), "False BindingPending");
    assert_eq!(reason("api.example, LOGIN.example:443"), "False BindingPending");
    assert_eq!(reason("login.example:8443"), "False HostNotPinned");
    assert_eq!(reason("evil.example"), "False HostNotPinned");
    assert_eq!(reason(""), "False HostNotPinned");
    assert_eq!(reason("login.example, *.example"), "False SecretUnreadable");
}

/// An input is an endpoint wherever its value comes from; if the type is unknown, a URL is one.
#[test]
fn endpoints_from_secrets_are_limited_too() {
    let mut tenant = Namespace::new();
    let url = |host: &str| format!("postgres://u:{CANARY}@{host}/db");
    let inputs = json!({"password": {"secretRef": {"name": "s", "key": "password"}},
                        "dsn": {"secretRef": {"name": "t", "key": "dsn"}}});
    tenant.put(Kind::Connection, "db", basic("db", "OrganizationGlobal", inputs));
    tenant.source("s", json!({HOSTS: "db.example"}), &[("password", CANARY)]);
    tenant.source("t", json!({}), &[("dsn", &url("db.example:5432"))]);
    assert_eq!(tenant.connection("db").bindings.len(), 1);
    tenant.source("t", json!({}), &[("dsn", &url("evil.example"))]);
    assert_eq!(ready(&tenant.connection("db").conditions), "False HostNotPinned");
}

/// A type that marks an input as secret does not exempt it from the pins.
#[test]
fn a_secret_input_with_a_url_is_limited_too() {
    let evaluated = |value: &str| {
        let mut tenant = Namespace::new();
        let mut component = component();
        component["types"][0]["inputs"]["site"] = json!({"endpoint": false, "secret": true});
        tenant.put(Kind::Component, "salesforce", component);
        tenant.source("sf-app", json!({HOSTS: "login.example"}), &[("password", CANARY)]);
        tenant.source("other", json!({}), &[("site", value)]);
        let mut all = global_inputs();
        all["site"] = json!({"secretRef": {"name": "other", "key": "site"}});
        tenant.put(Kind::Connection, "crm", basic("crm", "OrganizationGlobal", all));
        ready(&tenant.connection("crm").conditions)
    };
    for value in ["x@evil.example", "user@tcp(evil.example:3306)/db", "//evil.example"] {
        assert_eq!(evaluated(value), "False HostNotPinned", "{value}");
    }
    assert_ne!(evaluated("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"), "False HostNotPinned");
}

/// An expired Secret (`stablekey.dev/expires`) is not used, one that expires soon is reported, and the result includes
/// when to evaluate again.
#[test]
fn expiry_is_reported_before_and_enforced_after() {
    let mut tenant = global();
    let time = |text: &str| -> Timestamp { text.parse().unwrap() };
    tenant.source("sf-app", json!({EXPIRES: "2026-07-01T02:00:00+02:00"}), &[("password", CANARY)]);
    tenant.settle();
    let at = |text: &str| evaluate::connection::connection(&tenant.cache, "crm", time(text)).unwrap();
    let long_before = at("2026-06-01T00:00:00Z");
    assert_eq!(long_before.evaluate_again_at, Some(time("2026-06-17T00:00:00Z")));
    assert_eq!(long_before.status.expires.as_deref(), Some("2026-07-01T02:00:00+02:00"));
    assert!(!condition_text(&long_before.conditions, "Ready").contains("expires"));
    let soon = at("2026-06-17T00:00:00Z");
    assert_eq!(soon.evaluate_again_at, Some(time("2026-07-01T00:00:00Z")));
    assert!(condition_text(&soon.conditions, "CredentialsReady").starts_with("True ExpiringSoon: "));
    assert!(condition_text(&soon.conditions, "Ready").contains("Secret sf-app expires at 2026-07-01T00:00:00Z"));
    // The message does not change daily, so the status is not written each day.
    assert_eq!(soon.conditions, at("2026-06-18T00:00:00Z").conditions);
    let expired = at("2026-07-01T00:00:00Z");
    assert_eq!((ready(&expired.conditions).as_str(), expired.evaluate_again_at), ("False SecretExpired", None));
    // An existing binding Secret is kept.
    assert!(expired.bindings.is_empty() && expired.status.binding.is_some());
    assert_eq!(crm_with(json!({EXPIRES: "soon"}), &[("password", CANARY)]).bindings.len(), 0);
}

/// A watch event that repeats the cached version is not a change.
#[test]
fn a_repeated_watch_event_is_no_change() {
    let mut tenant = global();
    let json = |version: &str| {
        json!({"metadata": {"name": "sf-app", "uid": "u", "resourceVersion": version, "labels": {FOR: FOR_CONNECTIONS}}}).to_string()
    };
    let parse = |version: &str, tenant: &Namespace| {
        ObservedSecret::parse(json(version).as_bytes(), &tenant.cache.salt).unwrap()
    };
    let seen = parse("900", &tenant);
    assert!(!tenant.change(CacheChange::Secret(seen)).is_empty());
    let seen = parse("900", &tenant);
    assert!(tenant.change(CacheChange::Secret(seen)).is_empty());
    assert_eq!(
        ObservedSecret::parse(b"{\"metadata\": {}, \"data\": {\"x\": \"%%%\"}}", &tenant.cache.salt).unwrap_err(),
        Unreadable
    );
}

/// Values need not be text.
#[test]
fn binary_values_are_copied() {
    let mut tenant = global();
    let json = json!({"metadata": {"name": "sf-app", "uid": "u", "resourceVersion": "9", "labels": {FOR: FOR_CONNECTIONS},
                      "annotations": {KEYS: "*"}}, "data": {"password": base64(&[0xff, 0, 0xfe])}});
    let seen = ObservedSecret::parse(json.to_string().as_bytes(), &tenant.cache.salt).unwrap();
    tenant.change(CacheChange::Secret(seen));
    let body: Value = serde_json::from_slice(tenant.connection("crm").bindings[0].body().expose()).unwrap();
    assert_eq!(body["data"]["password"], base64(&[0xff, 0, 0xfe]));
}

/// A type may add endpoints, never remove them; names and values are matched trimmed, against one list; pins mean
/// https.
#[test]
fn no_spelling_of_an_endpoint_sends_a_pinned_secret_elsewhere() {
    let names = [
        "hostname",
        "hosts",
        "brokers",
        "address",
        "host_name",
        "endpointOverride",
        "proxy",
        "dsn",
        "instance",
        "tokenUrl",
        "server",
        "domain",
        "issuer",
        "base_url",
        "HOST",
        "bootstrapServers",
        "gateway",
        "apiBase",
    ];
    let values = [
        " https://evil.example",
        "\thttps://evil.example",
        "//evil.example",
        "evil.example/path",
        "evil.example:443",
        "http://login.example",
        "HTTP://login.example/x",
        "ws://login.example",
        "https://login.example@evil.example",
        "\u{1}https://evil.example",
        "https:\t/\t/evil.example",
        "\u{feff}https://evil.example",
        "\u{200b}https://evil.example",
        "https\u{ff1a}//evil.example",
        "evil\u{3002}example/x",
        "evil.example\\x",
        "evil.example:0x50",
        "evil.example:443\u{2}",
        "evil.example\u{3000}/x",
        "-https://evil.example",
        "$https://evil.example",
        "'evil.example:443'",
        "(evil.example:443)",
        "tcp(evil.example:3306)/db",
        "user@tcp(evil.example:3306)/db",
        "Server=evil.example,1433",
        "x@evil.example",
        "git@evil.example:org/repo",
        "evil_host:5432:db:user",
        "2026-11-27:443",
        "sip:evil.example",
        "[::ffff:1.2.3.4]",
        "ftp://login.example",
        "ldap://login.example",
        "redis://login.example",
        "mqtt://login.example",
        "h2c://login.example",
        "postgres://login.example/db?host=evil.example",
    ];
    let inputs = names.iter().map(|name| (*name, "evil")).chain(values.iter().map(|value| ("setting", *value)));
    for (name, value) in inputs {
        let mut tenant = Namespace::new();
        // The type removes nothing.
        let mut component = component();
        component["types"][0]["inputs"][name] = json!({"endpoint": false});
        tenant.put(Kind::Component, "salesforce", component);
        tenant.source("sf-app", json!({HOSTS: "login.example"}), &[("password", CANARY)]);
        let mut all = global_inputs();
        all[name] = json!({"value": value});
        tenant.put(Kind::Connection, "crm", basic("crm", "OrganizationGlobal", all));
        let evaluated = tenant.connection("crm");
        assert_eq!(ready(&evaluated.conditions), "False HostNotPinned", "{name}: {value:?}");
        assert!(evaluated.bindings.is_empty(), "{name}: {value:?}");
    }
}

/// An input that is no endpoint is not checked against the pins: an e-mail address under a name that says so, or a
/// password of any characters.
#[test]
fn values_that_only_look_like_endpoints_are_not_limited() {
    let evaluated = |name: &str, value: &str, password: &str| {
        let mut tenant = Namespace::new();
        tenant.put(Kind::Component, "salesforce", component());
        tenant.source("sf-app", json!({HOSTS: "login.example"}), &[("password", password)]);
        let mut all = global_inputs();
        all[name] = json!({"value": value});
        tenant.put(Kind::Connection, "crm", basic("crm", "OrganizationGlobal", all));
        let evaluated = tenant.connection("crm");
        (ready(&evaluated.conditions), evaluated.bindings.len())
    };
    let held = ("False HostNotPinned".to_string(), 0);
    for name in ["username", "user", "email", "login", "fromAddress", "serviceAccount"] {
        assert_ne!(evaluated(name, "user@corp.example", CANARY), held, "{name}");
        assert_eq!(evaluated(name, "user@evil.example:443", CANARY), held, "{name}");
    }
    assert_eq!(evaluated("note", "user@corp.example", CANARY), held);
    for password in ["P@ss.word", "a/b//c+d==", "!x.y/z", "Summer@corp.example", "-----BEGIN PRIVATE KEY-----\n//ab\n"]
    {
        let password = format!("{CANARY}{password}");
        assert_ne!(evaluated("note", "n", &password), held, "{password}");
    }
    let keys = [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "AKIAIOSFODNN7EXAMPLE",
        "SG.ngeVfQFYQlKU.TwL2iGABf9DHoTf",
    ];
    for key in keys {
        assert_ne!(evaluated("assertion", key, CANARY), held, "{key}");
    }
    // A secret that is a URL itself is checked.
    assert_eq!(evaluated("note", "n", "https://evil.example/hook"), held);
}

/// A type may add endpoints, never remove one: an endpoint that the ownership record remembers stays one if the type is
/// unknown here or changed.
///
/// "A type may add endpoints, never take one away".
#[test]
fn a_recorded_endpoint_is_limited_to_the_pins() {
    let mut tenant = Namespace::new();
    tenant.source("sf-app", json!({HOSTS: "login.example"}), &[("password", CANARY)]);
    let mut all = global_inputs();
    all["site"] = json!({"value": "evil"});
    let spec = basic("crm", "OrganizationGlobal", all);
    tenant.put(Kind::Connection, "crm", spec.clone());
    assert_ne!(ready(&tenant.connection("crm").conditions), "False HostNotPinned");
    let record = "eu made endpoint.inputs.site=0000000000000000@-";
    tenant.put_recorded(Kind::Connection, "crm", spec, Some(record));
    assert_eq!(ready(&tenant.connection("crm").conditions), "False HostNotPinned");
}

/// A Secret of the organization beside an endpoint that a customer supplies must have pinned hosts.
///
/// "A secret of ours beside an endpoint that a customer supplies needs a Secret that pins its hosts".
#[test]
fn a_customers_endpoint_beside_an_organizations_secret_needs_a_pin() {
    let mut tenant = of_customers();
    tenant.put(Kind::CustomerCredentials, "a", acme(acme_url()));
    assert_eq!(ready(&tenant.connection("crm").conditions), "True Complete");
    tenant.source("sf-app", json!({KEYS: "crm"}), &[("password", CANARY)]);
    assert_eq!(ready(&tenant.connection("crm").conditions), "False HostNotPinned");
    let theirs = tenant.credentials("a");
    assert_eq!(ready(&theirs.conditions), "False HostNotPinned");
    assert!(theirs.bindings.is_empty());
    // The name is harmless, but the value is an endpoint.
    let inputs = json!({"baseUrl": {"value": "https://login.example"}, "note": {"perCustomer": true},
                        "password": {"secretRef": {"name": "sf-app", "key": "password"}}});
    tenant.put(Kind::Connection, "crm", basic("crm", "OrganizationCustomer", inputs));
    tenant.put(Kind::CustomerCredentials, "a", acme(json!({"note": {"value": "a note"}})));
    assert_eq!(ready(&tenant.credentials("a").conditions), "False BindingPending");
    tenant.put(Kind::CustomerCredentials, "a", acme(json!({"note": {"value": "https://evil.example"}})));
    assert_eq!(ready(&tenant.credentials("a").conditions), "False HostNotPinned");
    // A value of the customer may be sent to the customer's endpoint.
    let theirs = json!({"baseUrl": {"perCustomer": true}, "password": {"perCustomer": true}});
    tenant.put(Kind::Connection, "crm", basic("crm", "Customer", theirs));
    tenant.source("acmes", json!({KEYS: "crm"}), &[("password", CANARY)]);
    let given = json!({"baseUrl": {"value": "https://acme.example"}, "password": {"secretRef": {"name": "acmes", "key": "password"}}});
    tenant.put(Kind::CustomerCredentials, "a", acme(given));
    assert_eq!(ready(&tenant.credentials("a").conditions), "False BindingPending");
}
