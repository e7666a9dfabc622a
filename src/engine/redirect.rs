//! Credential redirect: an endpoint changes while secrets stay, so that they would be sent elsewhere.

use super::code::Code;
use super::plan::Approval;
use crate::api::*;

const ENDPOINT_ENDINGS: [&str; 6] = ["url", "uri", "host", "server", "domain", "endpoint"];

/// Whether an input says where credentials are sent: as its type says; where that is not known, by
/// its name, or because its value is a URL.
pub fn is_endpoint(name: &str, input: Option<&Input>, type_: Option<&ConnectionType>) -> bool {
    let value = match input {
        Some(Input::Value(value)) => Some(value.as_str()),
        _ => None,
    };
    names_endpoint(name, value, type_)
}

/// The same of an input whose value is known, wherever it comes from.
pub fn names_endpoint(name: &str, value: Option<&str>, type_: Option<&ConnectionType>) -> bool {
    if let Some(known) = type_.and_then(|t| t.inputs.get(name)) {
        return known.is_endpoint();
    }
    let folded = name.to_ascii_lowercase();
    ENDPOINT_ENDINGS.iter().any(|ending| folded.ends_with(ending)) || value.is_some_and(is_url)
}

fn is_url(value: &str) -> bool {
    value.split_once("://").is_some_and(|(scheme, rest)| {
        !rest.is_empty()
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    })
}

/// Whether changing a connection that exists from `before` to `after` would send its secrets elsewhere. Where
/// its type is not known, `types` are all that it may be: what one of them says is enough.
pub fn redirect(before: &ConnectionSpec, after: &ConnectionSpec, types: &[&ConnectionType]) -> Option<Approval> {
    let is_endpoint = |name: &str, input: Option<&Input>| match types {
        [known] => is_endpoint(name, input, Some(known)),
        types => is_endpoint(name, input, None) || types.iter().any(|t| is_endpoint(name, input, Some(t))),
    };
    let is_secret = |name: &str, spec: &ConnectionSpec| match types {
        [] => is_secret(name, spec, None),
        types => types.iter().any(|t| is_secret(name, spec, Some(t))),
    };
    let names = before.inputs.keys().chain(after.inputs.keys().filter(|name| !before.inputs.contains_key(*name)));
    let moved: Vec<&str> = names
        .filter(|name| before.inputs.get(*name) != after.inputs.get(*name))
        .filter(|name| is_endpoint(name, before.inputs.get(*name)) || is_endpoint(name, after.inputs.get(*name)))
        .map(String::as_str)
        .collect();
    let stays = |name: &&String| is_secret(name, before) && is_secret(name, after);
    let secrets: Vec<&str> = before.inputs.keys().filter(stays).map(String::as_str).collect();
    if moved.is_empty() || secrets.is_empty() {
        return None;
    }
    Some(Approval {
        code: Code::CredentialRedirect,
        why: format!("{} changes while {} stays", moved.join(", "), secrets.join(", ")),
    })
}

fn is_secret(name: &str, spec: &ConnectionSpec, type_: Option<&ConnectionType>) -> bool {
    match spec.inputs.get(name) {
        Some(Input::SecretRef(_) | Input::PerCustomer(_)) => true,
        Some(Input::Value(_)) => type_.and_then(|t| t.inputs.get(name)).is_some_and(TypeInput::is_secret),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(inputs: &[(&str, Input)]) -> ConnectionSpec {
        ConnectionSpec {
            stable_key: "k".into(),
            title: None,
            description: None,
            component: ComponentRef::new("http", true),
            type_: "basic".into(),
            credentials: Credentials::OrganizationCustomer,
            embedded_workflows: None,
            inputs: inputs.iter().map(|(n, i)| (n.to_string(), i.clone())).collect(),
            test: None,
            replaces: vec![],
            deletion_policy: None,
        }
    }

    #[test]
    fn an_endpoint_that_changes_while_a_secret_stays_is_a_redirect() {
        let secret = ("password", Input::secret("s", "k"));
        let before = spec(&[("baseUrl", Input::value("https://a")), secret.clone()]);
        let after = spec(&[("baseUrl", Input::value("https://b")), secret.clone()]);
        assert_eq!(redirect(&before, &after, &[]).unwrap().why, "baseUrl changes while password stays");
        // Added, removed, or of another kind: the same.
        assert!(redirect(&spec(std::slice::from_ref(&secret)), &after, &[]).is_some());
        assert!(redirect(&before, &spec(std::slice::from_ref(&secret)), &[]).is_some());
        assert!(redirect(&before, &spec(&[("baseUrl", Input::PER_CUSTOMER), secret.clone()]), &[]).is_some());
        // The customers' own secrets stay too.
        let theirs = ("password", Input::PER_CUSTOMER);
        let (a, b) =
            (spec(&[("host", Input::value("a")), theirs.clone()]), spec(&[("host", Input::value("b")), theirs]));
        assert!(redirect(&a, &b, &[]).is_some());
    }

    #[test]
    fn no_redirect_without_a_secret_that_stays_or_an_endpoint_that_moves() {
        let before = spec(&[("baseUrl", Input::value("https://a")), ("note", Input::value("x"))]);
        assert!(redirect(&before, &spec(&[("baseUrl", Input::value("https://b"))]), &[]).is_none());
        let a = spec(&[("note", Input::value("a")), ("password", Input::secret("s", "k"))]);
        let b = spec(&[("note", Input::value("b")), ("password", Input::secret("s", "k"))]);
        assert!(redirect(&a, &b, &[]).is_none());
    }

    #[test]
    fn the_type_says_what_an_endpoint_is_where_it_is_known() {
        let known = ConnectionType {
            key: "basic".into(),
            oauth2: None,
            inputs: [
                ("note".to_string(), TypeInput { endpoint: Some(true), ..TypeInput::default() }),
                ("baseUrl".to_string(), TypeInput::default()),
            ]
            .into_iter()
            .collect(),
        };
        assert!(is_endpoint("note", None, Some(&known)));
        assert!(!is_endpoint("baseUrl", None, Some(&known)));
        assert!(is_endpoint("other", Some(&Input::value("https://x")), Some(&known)));
    }
}
