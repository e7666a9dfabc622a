//! The token of a tenant on the platform. Whoever holds a token says which hosts it belongs to, never the tree: a
//! pull request that changes a url cannot send a token elsewhere.

use super::profile::{self, FIRST_STACK, ProfileError};
use crate::api::{HOSTS as HOSTS_ANNOTATION, PrismaticLocation, SecretKeyRef, TokenFrom};
use crate::http_client::origin::Origin;
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

/// The hosts of the platform's public stacks. A token in an environment variable of Stablekey's may go to each of them.
const PUBLIC_STACKS: [&str; 7] = [
    "app.prismatic.io",
    "app.us-gov-west-1.prismatic.io",
    "app.eu-west-1.prismatic.io",
    "app.eu-west-2.prismatic.io",
    "app.ca-central-1.prismatic.io",
    "app.ap-southeast-2.prismatic.io",
    "app.af-south-1.prismatic.io",
];
/// The prefix of environment variables that may hold a token.
const PREFIX: &str = "STABLEKEY_TOKEN_";
/// The environment variable with hosts that such tokens may go to, besides the public stacks.
const HOSTS: &str = "STABLEKEY_HOSTS";
/// An access token that expires sooner is not used if there is another way: prism refreshes it then, too.
const SOON: SignedDuration = SignedDuration::from_mins(5);

/// The tokens of one tenant, at least one.
#[derive(Debug)]
pub(super) struct Tokens {
    /// Where they come from, for messages: `PRISM_REFRESH_TOKEN`, `prism's profile us`.
    pub from: String,
    pub access: Option<Secret>,
    pub refresh: Option<Secret>,
    /// The organization that they are for, if their holder says so.
    pub tenant_id: Option<String>,
    /// What to do when the platform does not accept them.
    pub renew: String,
}

/// A token of a Secret, which the operator read.
#[derive(Debug)]
pub struct TokenSecret {
    /// The Secret, and its key.
    pub at: SecretKeyRef,
    /// Its annotation with the hosts that the token belongs to.
    pub hosts: Option<String>,
    pub token: Secret,
}

/// Why there is no token to send.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenError {
    /// prism's configuration has none.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The environment variable is not set.
    #[error("the environment variable {0} is not set, or empty")]
    NotSet(String),
    /// Not every environment variable may be sent to a server.
    #[error("{0} is no variable for a token: only names that begin with {PREFIX} are")]
    NotForTokens(String),
    /// The token belongs to other hosts.
    #[error("{from} belongs to {belongs_to}, and the Tenant's url is {url}: the token is not sent there")]
    OtherHost {
        /// Where the token comes from.
        from: String,
        belongs_to: String,
        /// The origin that the Tenant names.
        url: String,
        /// What to do.
        help: String,
    },
    /// The token is an access token and has expired, and there is no refresh token.
    #[error("the access token from {from} has expired")]
    Expired { from: String, renew: String },
    /// Nobody has logged in.
    #[error("there is no token for the platform: neither PRISM_REFRESH_TOKEN nor PRISM_ACCESS_TOKEN is set, and {0}")]
    None(ProfileError),
    /// A Secret is for the operator.
    #[error("its token is in a Secret, which only the operator reads")]
    InSecret,
    /// The operator has neither profiles nor variables of a person.
    #[error("{0} is for the command line: the operator takes a token only from a Secret")]
    NotInSecret(&'static str),
    /// A Secret without hosts could be sent anywhere.
    #[error("Secret {0} does not say to which hosts its token belongs: it is sent nowhere")]
    NoHosts(String),
    /// The text cannot be a token.
    #[error("what {0} holds is no token: it has blanks or other characters that no token has")]
    Malformed(String),
}

impl TokenError {
    /// What to do.
    pub(super) fn help(&self) -> String {
        match self {
            TokenError::Profile(error) | TokenError::None(error) => error.help(),
            TokenError::NotSet(name) => {
                format!("set {name} to a refresh token (prism me:token --type refresh prints one)")
            }
            TokenError::NotForTokens(_) => {
                format!("call the variable {PREFIX}US, for example, and write tokenFrom: {{env: {PREFIX}US}}")
            }
            TokenError::OtherHost { help, .. } => help.clone(),
            TokenError::Expired { renew, .. } => renew.clone(),
            TokenError::InSecret => {
                "for the command line, give tokenFrom a profile or an environment variable".to_string()
            }
            TokenError::NotInSecret(_) => "write tokenFrom: {secretRef: {name: …, key: token}}".to_string(),
            TokenError::NoHosts(name) => {
                format!(
                    "whoever holds the token annotates the Secret: kubectl annotate secret {name} {HOSTS_ANNOTATION}=HOST"
                )
            }
            TokenError::Malformed(name) => format!("set {name} to the token alone, without quotes and blanks"),
        }
    }
}

/// Finds the tokens of a location, and checks that they may go to its origin.
pub(super) fn find(
    location: &PrismaticLocation,
    origin: &Origin,
    variable: &dyn Fn(&str) -> Option<String>,
    now: Timestamp,
) -> Result<Tokens, TokenError> {
    let tokens = match &location.token_from {
        Some(TokenFrom::Profile(name)) => of_profile(Some(name), origin, variable)?,
        Some(TokenFrom::Env(name)) => of_variable(name, origin, variable)?,
        Some(TokenFrom::SecretRef(_)) => return Err(TokenError::InSecret),
        None => as_prism_does(origin, variable)?,
    };
    usable(tokens, now)
}

/// Takes the token of a Secret, and checks that it may go to this origin.
pub(super) fn of_secret(secret: &TokenSecret, origin: &Origin, now: Timestamp) -> Result<Tokens, TokenError> {
    let SecretKeyRef { name, key } = &secret.at;
    let from = format!("Secret {name}");
    let listed = secret.hosts.as_deref().filter(|hosts| !hosts.trim().is_empty());
    let listed = listed.ok_or_else(|| TokenError::NoHosts(name.clone()))?;
    if !listed.split(',').any(|host| origin.is_named_by(host)) {
        let belongs_to = format!("{} (its annotation {HOSTS_ANNOTATION})", shown(listed));
        let help =
            format!("if the token is of that stack, whoever holds it adds {} to the annotation", host_of(origin));
        return Err(TokenError::OtherHost { from, belongs_to, url: origin.to_string(), help });
    }
    let token = token(&format!("key {key} of Secret {name}"), secret.token.expose())?;
    let renew = format!(
        "a user of that organization logs in (prism login), and writes what prism me:token --type refresh prints to key \
         {key} of Secret {name}"
    );
    let (access, refresh) = if expiry(&token).is_some() { (Some(token), None) } else { (None, Some(token)) };
    usable(Tokens { from, access, refresh, tenant_id: None, renew }, now)
}

/// Why a location names no Secret with a token.
pub(super) fn not_in_secret(location: &PrismaticLocation) -> Option<TokenError> {
    match &location.token_from {
        Some(TokenFrom::SecretRef(_)) => None,
        Some(TokenFrom::Profile(_)) => Some(TokenError::NotInSecret("a profile of prism's")),
        Some(TokenFrom::Env(_)) => Some(TokenError::NotInSecret("an environment variable")),
        None => Some(TokenError::NotInSecret("no tokenFrom")),
    }
}

/// The tokens of the environment, else of prism's chosen profile.
fn as_prism_does(origin: &Origin, variable: &dyn Fn(&str) -> Option<String>) -> Result<Tokens, TokenError> {
    let given = |name: &str| -> Result<Option<Secret>, TokenError> {
        variable(name).filter(|value| !value.trim().is_empty()).map(|value| token(name, &value)).transpose()
    };
    let (access, refresh) = (given("PRISM_ACCESS_TOKEN")?, given("PRISM_REFRESH_TOKEN")?);
    if access.is_none() && refresh.is_none() {
        return of_profile(None, origin, variable).map_err(|error| match error {
            TokenError::Profile(error @ (ProfileError::NoFile { .. } | ProfileError::NoHome)) => {
                TokenError::None(error)
            }
            error => error,
        });
    }
    let from = if refresh.is_some() { "PRISM_REFRESH_TOKEN" } else { "PRISM_ACCESS_TOKEN" };
    let named = variable("PRISMATIC_URL").filter(|url| !url.trim().is_empty());
    let belongs_to = named.clone().unwrap_or_else(|| FIRST_STACK.to_string());
    if Origin::parse(&belongs_to).as_ref() != Ok(origin) {
        let belongs_to = match named {
            Some(url) => format!("{} (PRISMATIC_URL)", shown(&url)),
            None => format!("{FIRST_STACK}, since PRISMATIC_URL is not set"),
        };
        let help = format!(
            "if the token is of that stack, set PRISMATIC_URL to {origin}; for several stacks give each Tenant a \
             profile of prism, or a variable {PREFIX}…: tokenFrom: {{profile: …}}"
        );
        return Err(TokenError::OtherHost { from: from.to_string(), belongs_to, url: origin.to_string(), help });
    }
    let renew = format!("set {from} to a new token: log in with prism login, then prism me:token --type refresh");
    let tenant_id = variable("PRISMATIC_TENANT_ID").filter(|id| !id.is_empty());
    Ok(Tokens { from: from.to_string(), access, refresh, tenant_id, renew })
}

fn of_profile(
    name: Option<&str>,
    origin: &Origin,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Tokens, TokenError> {
    let profile = profile::read(name, variable)?;
    let from = format!("prism's profile {}", profile.name);
    if Origin::parse(&profile.url).as_ref() != Ok(origin) {
        let help = format!(
            "log in to {origin} with a profile of its own, and name it in the Tenant (tokenFrom: {{profile: …}}):\n  \
             PRISMATIC_URL={origin} prism login --profile NAME"
        );
        let belongs_to = shown(&profile.url);
        return Err(TokenError::OtherHost { from, belongs_to, url: origin.to_string(), help });
    }
    let renew = format!("log in again:\n  prism login --profile {}", profile.name);
    if profile.access_token.is_none() && profile.refresh_token.is_none() {
        return Err(TokenError::Expired { from, renew });
    }
    Ok(Tokens {
        from,
        access: profile.access_token,
        refresh: profile.refresh_token,
        tenant_id: profile.tenant_id,
        renew,
    })
}

fn of_variable(name: &str, origin: &Origin, variable: &dyn Fn(&str) -> Option<String>) -> Result<Tokens, TokenError> {
    if name.strip_prefix(PREFIX).is_none_or(str::is_empty) {
        return Err(TokenError::NotForTokens(name.to_string()));
    }
    let listed = variable(HOSTS).unwrap_or_default();
    if !is_public_stack(origin) && !listed.split(',').any(|host| origin.is_named_by(host)) {
        let belongs_to = match listed.trim() {
            "" => format!("the platform's public stacks ({HOSTS} is not set)"),
            listed => format!("the platform's public stacks and to {HOSTS} ({})", shown(listed)),
        };
        let help = format!("if the token is of that stack, add {} to {HOSTS}", host_of(origin));
        return Err(TokenError::OtherHost { from: name.to_string(), belongs_to, url: origin.to_string(), help });
    }
    let value = variable(name).filter(|value| !value.trim().is_empty());
    let value = value.ok_or_else(|| TokenError::NotSet(name.to_string()))?;
    let token = token(name, &value)?;
    let renew = format!("set {name} to a new token: log in with prism login, then prism me:token --type refresh");
    let (access, refresh) = if expiry(&token).is_some() { (Some(token), None) } else { (None, Some(token)) };
    Ok(Tokens { from: name.to_string(), access, refresh, tenant_id: None, renew })
}

fn is_public_stack(origin: &Origin) -> bool {
    origin.is_https() && PUBLIC_STACKS.iter().any(|host| origin.is_named_by(host))
}

fn host_of(origin: &Origin) -> String {
    let text = origin.to_string();
    text.split_once("://").map_or_else(String::new, |(_, host)| host.to_string())
}

/// A text of the environment on one line, without a password in it.
fn shown(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, host)) => format!("…@{}", crate::text::line(host)),
        None => crate::text::shorten(&crate::text::line(text.trim()), 120).into_owned(),
    }
}

/// Leaves out an access token that has expired or soon does, if there is a refresh token.
fn usable(mut tokens: Tokens, now: Timestamp) -> Result<Tokens, TokenError> {
    let Some(expires) = tokens.access.as_ref().and_then(expiry) else {
        // An access token that says nothing about its end is used; the platform says if it has expired.
        return Ok(tokens);
    };
    if tokens.refresh.is_some() && expires.duration_since(now) < SOON {
        tokens.access = None;
    } else if expires <= now {
        return Err(TokenError::Expired { from: tokens.from, renew: tokens.renew });
    }
    Ok(tokens)
}

/// Reads a token; one with blanks or line breaks within it could forge a header.
fn token(name: &str, text: &str) -> Result<Secret, TokenError> {
    let text = text.trim();
    let is_legal = |c: char| c.is_ascii_graphic();
    if text.is_empty() || !text.chars().all(is_legal) {
        return Err(TokenError::Malformed(name.to_string()));
    }
    Ok(Secret::new(text.to_string()))
}

/// The end of an access token: it has two dots and an `exp`. `None` for a refresh token.
pub(super) fn expiry(token: &Secret) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Claims {
        exp: f64,
    }
    let mut parts = token.expose().split('.');
    let (Some(_), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let Claims { exp } = serde_json::from_slice(&claims).ok()?;
    // Beyond what a time can be, it does not end.
    let seconds = if exp >= 1e11 { return Some(Timestamp::MAX) } else { exp as i64 };
    Timestamp::from_second(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: &str = "https://app.prismatic.io";
    const NOW: i64 = 1_800_000_000;

    fn jwt(exp: i64) -> String {
        format!("e30.{}.CANARY", URL_SAFE_NO_PAD.encode(format!("{{\"exp\":{exp}}}")))
    }

    fn tokens(url: &str, from: Option<TokenFrom>, variables: &[(&str, &str)]) -> Result<Tokens, TokenError> {
        let location =
            PrismaticLocation { url: url.to_string(), tenant_id: None, token_from: from, secrets: None, publish: None };
        let variable = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| value.to_string());
        find(&location, &Origin::parse(url).unwrap(), &variable, Timestamp::from_second(NOW).unwrap())
    }

    fn env(name: &str) -> Option<TokenFrom> {
        Some(TokenFrom::Env(name.to_string()))
    }

    fn refused(url: &str, from: Option<TokenFrom>, variables: &[(&str, &str)]) -> String {
        let error = tokens(url, from, variables).unwrap_err();
        let text = format!("{error}\n{}", error.help());
        assert!(!text.contains("CANARY") && !format!("{error:?}").contains("CANARY"), "{text}");
        text
    }

    /// "`PRISM_*` to `PRISMATIC_URL`, or where that is unset the platform's first stack".
    #[test]
    fn prisms_own_variables_belong_to_prismatic_url() {
        assert_eq!(tokens(US, None, &[("PRISM_REFRESH_TOKEN", "r")]).unwrap().from, "PRISM_REFRESH_TOKEN");
        let eu = "https://app.eu-west-1.prismatic.io";
        let of_eu = [("PRISM_REFRESH_TOKEN", "CANARY"), ("PRISMATIC_URL", eu)];
        assert!(tokens(eu, None, &of_eu).is_ok());
        insta::assert_snapshot!("changed_url", refused(US, None, &of_eu));
        insta::assert_snapshot!("no_prismatic_url", refused(eu, None, &of_eu[..1]));
        let other = refused("https://app.prismatic.io.evil.example", None, &[("PRISM_ACCESS_TOKEN", "CANARY")]);
        assert!(other.contains("belongs to https://app.prismatic.io, since PRISMATIC_URL is not set"), "{other}");
        let with_password = [("PRISM_REFRESH_TOKEN", "r"), ("PRISMATIC_URL", "https://me:CANARY@x.example")];
        refused(US, None, &with_password);
    }

    /// "`STABLEKEY_TOKEN_*` to the known public stacks and the hosts in `STABLEKEY_HOSTS`".
    #[test]
    fn a_variable_belongs_to_public_stacks_and_listed_hosts() {
        let token = ("STABLEKEY_TOKEN_US", "CANARY");
        assert!(tokens(US, env("STABLEKEY_TOKEN_US"), &[token]).unwrap().refresh.is_some());
        let own = "https://stack.acme.example";
        insta::assert_snapshot!("other_host", refused(own, env("STABLEKEY_TOKEN_US"), &[token]));
        let listed = ("STABLEKEY_HOSTS", "other.example, stack.acme.example");
        assert!(tokens(own, env("STABLEKEY_TOKEN_US"), &[token, listed]).is_ok());
        assert!(refused("http://stack.acme.example", env("STABLEKEY_TOKEN_US"), &[token, listed]).contains("not sent"));
        insta::assert_snapshot!(
            "any_variable",
            refused(US, env("AWS_SECRET_ACCESS_KEY"), &[("AWS_SECRET_ACCESS_KEY", "CANARY")])
        );
        assert!(refused(US, env("STABLEKEY_TOKEN_"), &[]).contains("no variable for a token"));
        assert!(refused(US, env("STABLEKEY_TOKEN_EU"), &[token]).contains("STABLEKEY_TOKEN_EU is not set"));
        assert!(
            refused(US, env("STABLEKEY_TOKEN_US"), &[("STABLEKEY_TOKEN_US", "CANARY\r\nX: y")]).contains("no token")
        );
    }

    #[test]
    fn a_public_stack_is_one_over_https_at_its_port() {
        let is_public = |url: &str| is_public_stack(&Origin::parse(url).unwrap());
        assert!(is_public(US));
        for other in ["http://app.prismatic.io", "https://app.prismatic.io:8443", "https://app.prismatic.io.x.example"]
        {
            assert!(!is_public(other), "{other}");
        }
    }

    /// "a Secret names its hosts in `stablekey.dev/hosts`, else it is refused".
    #[test]
    fn a_secret_belongs_to_the_hosts_of_its_annotation() {
        let of = |url: &str, hosts: Option<&str>, token: &str| {
            let at = SecretKeyRef { name: "platform".into(), key: "token".into() };
            let secret = TokenSecret { at, hosts: hosts.map(str::to_string), token: Secret::new(token.to_string()) };
            of_secret(&secret, &Origin::parse(url).unwrap(), Timestamp::from_second(NOW).unwrap())
        };
        assert!(of(US, Some("app.prismatic.io"), "CANARY\n").unwrap().refresh.is_some());
        assert!(of(US, Some("x.example, app.prismatic.io"), &jwt(NOW + 1000)).unwrap().access.is_some());
        for (hosts, token, words) in [
            (None, "CANARY", "Secret platform does not say to which hosts"),
            (Some(" "), "CANARY", "does not say"),
            (Some("app.eu-west-1.prismatic.io"), "CANARY", "belongs to app.eu-west-1.prismatic.io"),
            (Some("*"), "CANARY", "belongs to"),
            (Some("app.prismatic.io"), "CAN ARY", "is no token"),
            (Some("app.prismatic.io"), &jwt(NOW - 1000), "has expired"),
        ] {
            let error = of(US, hosts, token).unwrap_err();
            let text = format!("{error:?} {error}\n{}", error.help());
            assert!(text.contains(words) && !text.contains("CANARY"), "{text}");
        }
        assert!(of("http://app.prismatic.io", Some("app.prismatic.io"), "CANARY").is_err());
    }

    /// "Two dots and an `exp` mean an access token, else a refresh token".
    #[test]
    fn a_token_says_itself_what_it_is() {
        let of = |text: &str| tokens(US, env("STABLEKEY_TOKEN_US"), &[("STABLEKEY_TOKEN_US", text)]);
        assert!(of(&jwt(NOW + 1000)).unwrap().access.is_some());
        assert!(of("plain").unwrap().refresh.is_some());
        assert!(of("a.b.c").unwrap().refresh.is_some());
        assert!(matches!(of(&jwt(NOW - 1)), Err(TokenError::Expired { .. })));
        // With both, an access token that ends within five minutes is refreshed.
        let both = |exp| {
            let access = jwt(exp);
            let variables = [("PRISM_ACCESS_TOKEN", access.as_str()), ("PRISM_REFRESH_TOKEN", "r")];
            tokens(US, None, &variables).unwrap()
        };
        assert!(both(NOW + 299).access.is_none() && both(NOW + 301).access.is_some());
        assert_eq!(expiry(&Secret::new(jwt(i64::MAX))), Some(Timestamp::MAX));
    }

    #[test]
    fn a_profile_belongs_to_its_stack() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yml").display().to_string();
        let text = "version: 1\nprofiles: {us: {refreshToken: CANARY, prismaticUrl: https://app.prismatic.io/}, out: \
                    {prismaticUrl: https://app.prismatic.io}}\n";
        std::fs::write(&path, text).unwrap();
        let file = [("PRISM_CONFIG_FILE", path.as_str())];
        let profile = |name: &str| Some(TokenFrom::Profile(name.to_string()));
        assert!(tokens(US, profile("us"), &file).is_ok());
        insta::assert_snapshot!(
            "profile_of_other_stack",
            refused("https://app.eu-west-1.prismatic.io", profile("us"), &file)
        );
        assert!(refused(US, profile("out"), &file).contains("prism login --profile out"));
        assert!(refused(US, profile("eu"), &file).contains("prism has no profile \"eu\""));
        let nowhere = refused(US, None, &[("HOME", "/nowhere")]);
        assert!(nowhere.contains("nobody has logged in with prism"), "{nowhere}");
    }
}
