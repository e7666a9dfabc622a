//! Credential redirects: an existing secret would be sent to a new host.

use crate::api::*;
use std::collections::{BTreeMap, BTreeSet};

/// Inputs that are sent together, by name: those of a connection, or those of a connection replaced in part by its test
/// inputs or a customer's inputs.
pub type Inputs<'a> = BTreeMap<&'a str, &'a Input>;

/// The prefix for hosts that customers supply.
pub const EACH_CUSTOMERS: &str = "each customer's ";

/// What the own host of a component ends with: its name is not known.
const OWN: &str = "'s own host";

/// The hosts that inputs of a connection are sent to: those of its endpoints or, without endpoints, the host of its
/// component.
pub fn goes_to(types: &Strictest<'_>, inputs: &Inputs<'_>, component: &ComponentRef) -> BTreeSet<String> {
    let hosts = types.hosts(inputs);
    if hosts.is_empty() { BTreeSet::from([format!("{component}{OWN}")]) } else { hosts }
}

/// Whether a host is the own host of a component.
pub fn is_own_host(host: &str) -> bool {
    host.ends_with(OWN)
}

/// The inputs of a connection.
pub fn inputs_of(spec: &ConnectionSpec) -> Inputs<'_> {
    spec.inputs.iter().map(|(name, input)| (name.as_str(), input)).collect()
}

/// Replaces some inputs by others.
pub fn overlaid<'a>(inputs: Inputs<'a>, over: &'a BTreeMap<String, Input>) -> Inputs<'a> {
    let over = over.iter().map(|(name, input)| (name.as_str(), input));
    inputs.into_iter().chain(over).collect()
}

/// The inputs that a connection sends in tests: its test inputs replace others.
pub fn with_test(spec: &ConnectionSpec) -> Inputs<'_> {
    let inputs = inputs_of(spec);
    match &spec.test {
        Some(test) => overlaid(inputs, &test.inputs),
        None => inputs,
    }
}

/// The hosts that are not among the known ones. An unclear host is always new.
pub fn new_hosts<'h>(hosts: &'h BTreeSet<String>, known: &BTreeSet<String>) -> Vec<&'h String> {
    hosts.iter().filter(|host| !known.contains(*host) || *host == endpoint::UNCLEAR).collect()
}

/// The possible types of a connection, before and after a plan, and its endpoints according to ownership records
/// ([`Record::endpoints`](super::model::record::Record::endpoints)). The strictest one applies.
#[derive(Clone, Debug, Default)]
pub struct Strictest<'a>(pub Vec<&'a ConnectionType>, pub Vec<&'a BTreeSet<String>>);

impl<'a> Strictest<'a> {
    /// Uses existing types, without recorded endpoints.
    pub fn of(types: Vec<&'a ConnectionType>) -> Self {
        Strictest(types, Vec::new())
    }

    /// Adds names of inputs that a type once declared as endpoints.
    pub fn remembering(mut self, names: impl IntoIterator<Item = &'a BTreeSet<String>>) -> Self {
        self.1.extend(names.into_iter().filter(|names| !names.is_empty()));
        self
    }

    /// The inputs that are endpoints only because a type declares, or once declared, them so.
    pub fn endpoints_by_type(&self) -> BTreeSet<String> {
        let marked = self.0.iter().flat_map(|type_| &type_.inputs).filter(|(_, input)| input.is_endpoint());
        let marked = marked.map(|(name, _)| name).filter(|name| !endpoint::is_endpoint_name(name));
        marked.chain(self.1.iter().copied().flatten()).cloned().collect()
    }
}

impl Strictest<'_> {
    /// Whether an input is an endpoint.
    pub fn is_endpoint(&self, name: &str, input: Option<&Input>) -> bool {
        let value = match input {
            Some(Input::Value(value)) => Some(value.as_str()),
            _ => None,
        };
        let is_secret = || self.known(name).any(TypeInput::is_secret);
        self.is_named_endpoint(name) || value.is_some_and(|value| endpoint::is_endpoint_text(name, value, is_secret()))
    }

    /// Whether an input with a known value is an endpoint. It is one even if its type declares it as a secret: authors
    /// of types do not decide where Secrets may be sent.
    pub fn is_endpoint_value(&self, name: &str, value: Option<&str>) -> bool {
        self.is_named_endpoint(name) || endpoint::is_endpoint(name, value)
    }

    /// Whether its name is that of an endpoint, or a type declares, or once declared, it as one.
    fn is_named_endpoint(&self, name: &str) -> bool {
        endpoint::is_endpoint_name(name)
            || self.known(name).any(TypeInput::is_endpoint)
            || self.1.iter().any(|names| names.contains(name))
    }

    /// Whether an input is a secret: a reference, a customer's input, or a value that a type or a name makes one.
    pub fn is_secret(&self, name: &str, input: &Input) -> bool {
        match input {
            Input::SecretRef(_) | Input::PerCustomer(_) => true,
            Input::Value(value) => {
                sensitive::is_sensitive(name)
                    || sensitive::is_secret_itself(value)
                    || self.known(name).any(TypeInput::is_secret)
            }
        }
    }

    fn known(&self, name: &str) -> impl Iterator<Item = &TypeInput> {
        self.0.iter().filter_map(move |type_| type_.inputs.get(name))
    }

    /// The names of the inputs that are secrets.
    pub fn secrets<'i>(&self, inputs: &Inputs<'i>) -> BTreeSet<&'i str> {
        inputs.iter().filter(|(name, input)| self.is_secret(name, input)).map(|(name, _)| *name).collect()
    }

    /// The hosts of the endpoints among some inputs. A value from a Secret or a customer counts as a separate host, and
    /// a value that is a secret is not shown.
    pub fn hosts(&self, inputs: &Inputs<'_>) -> BTreeSet<String> {
        let endpoints = inputs.iter().filter(|(name, input)| self.is_endpoint(name, Some(input)));
        let of = |(name, input): (&&str, &&Input)| match input {
            Input::Value(_) if self.is_secret(name, input) => BTreeSet::from([endpoint::UNCLEAR.to_string()]),
            Input::Value(value) => endpoint::hosts(value),
            Input::SecretRef(secret) => BTreeSet::from([format!("Secret {}/{}", secret.name, secret.key)]),
            Input::PerCustomer(_) => BTreeSet::from([format!("{EACH_CUSTOMERS}{name}")]),
        };
        endpoints.flat_map(of).collect()
    }

    /// The endpoints that differ between two sets of inputs.
    pub fn moved<'i>(&self, before: &Inputs<'i>, after: &Inputs<'i>) -> BTreeSet<&'i str> {
        let names = before.keys().chain(after.keys()).copied();
        let differs = |name: &&str| !is_same(before.get(name).copied(), after.get(name).copied());
        let is_one = |name: &&str| {
            self.is_endpoint(name, before.get(name).copied()) || self.is_endpoint(name, after.get(name).copied())
        };
        names.filter(differs).filter(is_one).collect()
    }

    /// The reason if a change of inputs sends a secret to another host: an endpoint changes while a secret stays or
    /// joins.
    pub fn change(&self, before: &Inputs<'_>, after: &Inputs<'_>) -> Option<String> {
        let moved = self.moved(before, after);
        let secrets = self.secrets(after);
        if moved.is_empty() || secrets.is_empty() {
            return None;
        }
        let there: BTreeSet<Identity<'_>> = self.secrets(before).iter().map(|name| identity(name, before)).collect();
        let is_there = |name: &&str| there.contains(&identity(name, after));
        let (stay, join): (Vec<&str>, Vec<&str>) = secrets.into_iter().partition(is_there);
        let is_one = moved.len() == 1;
        let moved = moved.into_iter().collect::<Vec<_>>().join(", ");
        let to = self.destination(before, after);
        let verb = |names: &[&str], one: &'static str, many: &'static str| if names.len() == 1 { one } else { many };
        let changes = if is_one { "changes" } else { "change" };
        Some(match stay.is_empty() {
            false => format!("{moved} {changes} while {} {} ({to})", stay.join(", "), verb(&stay, "stays", "stay")),
            true => format!("{moved} {changes} where {} {} ({to})", join.join(", "), verb(&join, "joins", "join")),
        })
    }

    /// The new hosts of inputs compared to those before; in full, since the approver decides by them.
    fn destination(&self, before: &Inputs<'_>, after: &Inputs<'_>) -> String {
        let (known, then) = (self.hosts(before), self.hosts(after));
        let new = new_hosts(&then, &known);
        match new.len() {
            _ if then.is_empty() => "no host is named any more".to_string(),
            0 => format!("no new host: {}", listed(&then)),
            1 => format!("new host: {}", listed(new)),
            _ => format!("new hosts: {}", listed(new)),
        }
    }
}

/// Lists hosts, all of them in full: the approver decides by them.
pub fn listed<'n>(names: impl IntoIterator<Item = &'n String>) -> String {
    let names: Vec<&str> = names.into_iter().map(String::as_str).collect();
    if names.is_empty() { "no host".to_string() } else { names.join(", ") }
}

/// The identity of a secret, independent of the input's name: a key of a Secret, or a customer's input.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Identity<'a> {
    Key(&'a str, &'a str),
    Named(&'a str),
}

fn identity<'a>(name: &'a str, inputs: &Inputs<'a>) -> Identity<'a> {
    match inputs.get(name) {
        Some(Input::SecretRef(secret)) => Identity::Key(&secret.name, &secret.key),
        _ => Identity::Named(name),
    }
}

/// Whether an input is equal before and after.
pub fn is_same(before: Option<&Input>, after: Option<&Input>) -> bool {
    match (before, after) {
        (Some(Input::Value(before)), Some(Input::Value(after))) => before.trim() == after.trim(),
        (before, after) => before == after,
    }
}

/// The keys of Secrets that inputs refer to, each with the name of an input.
pub fn keys_of<'a>(inputs: &Inputs<'a>) -> BTreeMap<(&'a str, &'a str), &'a str> {
    let key = |(name, input): (&&'a str, &&'a Input)| match input {
        Input::SecretRef(secret) => Some(((secret.name.as_str(), secret.key.as_str()), *name)),
        Input::Value(_) | Input::PerCustomer(_) => None,
    };
    inputs.iter().filter_map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(before: &[(&str, Input)], after: &[(&str, Input)], types: &[&ConnectionType]) -> Option<String> {
        let before: Inputs<'_> = before.iter().map(|(name, input)| (*name, input)).collect();
        let after: Inputs<'_> = after.iter().map(|(name, input)| (*name, input)).collect();
        Strictest::of(types.to_vec()).change(&before, &after)
    }

    fn password() -> (&'static str, Input) {
        ("password", Input::secret("s", "k"))
    }

    fn url(value: &str) -> (&'static str, Input) {
        ("baseUrl", Input::value(value))
    }

    #[test]
    fn an_endpoint_that_changes_while_a_secret_stays_is_a_redirect() {
        let stays = |to: &str| format!("baseUrl changes while password stays ({to})");
        let moved = change(&[url("https://a"), password()], &[url("https://b"), password()], &[]);
        assert_eq!(moved.unwrap(), stays("new host: b"));
        // An endpoint that is added, removed, or of another kind counts as changed.
        for (before, after, to) in [
            (vec![password()], vec![url("https://b"), password()], "new host: b"),
            (vec![url("https://a"), password()], vec![password()], "no host is named any more"),
            (
                vec![url("https://a"), password()],
                vec![("baseUrl", Input::PER_CUSTOMER), password()],
                "new host: each customer's baseUrl",
            ),
            (vec![url("https://a/x"), password()], vec![url("https://a/y"), password()], "no new host: a"),
        ] {
            assert_eq!(change(&before, &after, &[]).unwrap(), stays(to));
        }
        // Secrets of customers count as well.
        let theirs = || ("password", Input::PER_CUSTOMER);
        let hosts = |host: &str| ("host", Input::value(host));
        assert!(change(&[hosts("a"), theirs()], &[hosts("b"), theirs()], &[]).is_some());
    }

    #[test]
    fn a_secret_is_the_same_whatever_its_input_is_called() {
        let renamed = ("pass", Input::secret("s", "k"));
        let why = change(&[url("https://a"), password()], &[url("https://b"), renamed], &[]).unwrap();
        assert_eq!(why, "baseUrl changes while pass stays (new host: b)");
        let joins = change(&[url("https://a")], &[url("https://b"), password()], &[]).unwrap();
        assert_eq!(joins, "baseUrl changes where password joins (new host: b)");
    }

    /// The approver must see the whole host, however long, and letters that resemble others.
    #[test]
    fn the_new_host_is_shown_in_full() {
        let long = format!("login.good.example.{}evil.test", "a.".repeat(60));
        let before = [url("https://login.good.example/"), password()];
        let why = change(&before, &[url(&format!("https://{long}/x")), password()], &[]).unwrap();
        assert!(why.ends_with(&format!("(new host: {long})")), "{why}");
        let why = change(&before, &[url("https://login.g\u{43e}od.example/"), password()], &[]).unwrap();
        assert!(why.ends_with(r"(new host: login.g\u{43e}od.example)"), "{why}");
        // No host name is longer; a host that is hidden behind invisible characters is reported nevertheless.
        let endless = format!("https://{}evil.test", "a.".repeat(200));
        let why = change(&before, &[url(&endless), password()], &[]).unwrap();
        assert!(why.ends_with(&format!("(new host: {})", endpoint::UNCLEAR)), "{why}");
        let why = change(&before, &[url("\u{1}https:\t//evil.test/"), password()], &[]).unwrap();
        assert!(why.contains("evil.test") && why.contains(endpoint::UNCLEAR), "{why}");
        let many = "a.test:1,b.test:1,c.test:1,d.test:1";
        let why = change(&before, &[url(many), password()], &[]).unwrap();
        assert!(why.ends_with("(new hosts: a.test:1, b.test:1, c.test:1, d.test:1)"), "{why}");
    }

    #[test]
    fn no_redirect_without_a_secret_or_an_endpoint_that_moves() {
        let note = |text: &str| ("note", Input::value(text));
        assert!(change(&[url("https://a"), note("x")], &[url("https://b")], &[]).is_none());
        assert!(change(&[note("a"), password()], &[note("b"), password()], &[]).is_none());
        assert!(change(&[url("https://a"), password()], &[url(" https://a\n"), password()], &[]).is_none());
    }

    /// "A type may add endpoints, never take one away."
    #[test]
    fn a_type_adds_endpoints_and_takes_none_away() {
        let marks = |names: &[(&str, Option<bool>)]| ConnectionType {
            key: "basic".into(),
            oauth2: None,
            inputs: names
                .iter()
                .map(|(name, endpoint)| (name.to_string(), TypeInput { endpoint: *endpoint, ..TypeInput::default() }))
                .collect(),
        };
        let (adds, takes) = (marks(&[("note", Some(true))]), marks(&[("baseUrl", Some(false)), ("note", None)]));
        let note = |text: &str| ("note", Input::value(text));
        assert!(change(&[note("a"), password()], &[note("b"), password()], &[&adds]).is_some());
        // Of two types, before and after a plan, one declaration is enough.
        assert!(change(&[note("a"), password()], &[note("b"), password()], &[&takes, &adds]).is_some());
        assert!(change(&[url("https://a"), password()], &[url("https://b"), password()], &[&takes]).is_some());
    }

    #[test]
    fn hosts_are_those_of_all_endpoints() {
        let (a, b, c) = (Input::value("https://a.example/x"), Input::PER_CUSTOMER, Input::secret("s", "host"));
        let inputs: Inputs<'_> = [("baseUrl", &a), ("instanceUrl", &b), ("host", &c)].into();
        let hosts = Strictest::default().hosts(&inputs);
        assert_eq!(
            hosts.into_iter().collect::<Vec<_>>(),
            ["Secret s/host", "a.example", "each customer's instanceUrl"]
        );
    }
}
