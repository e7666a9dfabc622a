//! Kubeconfigs of Secrets. Whoever may write such a Secret decides where the operator connects to and as whom, so
//! nothing in it may run, read or reach anything of the operator's own.

use crate::http_client::origin::is_link_local;
use crate::secret::Secret;
use jiff::{SignedDuration, Timestamp};
use kube::config::{AuthInfo, Cluster, Kubeconfig};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use std::net::IpAddr;
use zeroize::Zeroizing;

/// Maximum time before its expiry at which a token should be renewed.
const RENEWAL: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Why a kubeconfig is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KubeconfigError {
    /// It cannot be parsed. The parser's message is not shown, because the kubeconfig contains credentials.
    #[error("it is no kubeconfig")]
    Unreadable,
    /// It names a context, cluster or user that it does not contain.
    #[error("its {what} {name:?} is not in it")]
    Missing {
        /// context, cluster or user.
        what: &'static str,
        name: String,
    },
    /// It would run a program, read a file, or reach something that a tenant's kubeconfig must not.
    #[error("{what} is refused: {why}")]
    Refused {
        /// The part of the kubeconfig.
        what: &'static str,
        why: &'static str,
    },
}

/// Parses a kubeconfig of a Secret, and refuses forbidden parts.
pub fn vetted(text: &str) -> Result<Kubeconfig, KubeconfigError> {
    let config = Kubeconfig::from_yaml(text).map_err(|_| KubeconfigError::Unreadable)?;
    let context_name = config.current_context.clone().unwrap_or_default();
    let missing = |what, name: &str| KubeconfigError::Missing { what, name: name.to_string() };
    let context = config.contexts.iter().find(|c| c.name == context_name).and_then(|c| c.context.as_ref());
    let context = context.ok_or_else(|| missing("current-context", &context_name))?;
    let cluster = config.clusters.iter().find(|c| c.name == context.cluster).and_then(|c| c.cluster.as_ref());
    vet_cluster(cluster.ok_or_else(|| missing("cluster", &context.cluster))?)?;
    let user_name = context.user.clone().unwrap_or_default();
    let user = config.auth_infos.iter().find(|u| u.name == user_name).and_then(|u| u.auth_info.as_ref());
    vet_user(user.ok_or_else(|| missing("user", &user_name))?)?;
    Ok(config)
}

/// The expiry of a kubeconfig's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenExpiry {
    /// When it expires.
    pub at: Timestamp,
    /// When it should be renewed at the latest: a week before it expires, or in the last third of a short life.
    pub renew_before: Timestamp,
}

/// Returns when the token of a kubeconfig expires, according to the token; `None` if it has none or does not say so.
pub fn expiry_of_token(kubeconfig: &Secret) -> Option<TokenExpiry> {
    let config = Kubeconfig::from_yaml(kubeconfig.expose()).ok()?;
    let context = config.contexts.iter().find(|c| Some(&c.name) == config.current_context.as_ref())?;
    let user = context.context.as_ref()?.user.as_ref()?;
    let user = config.auth_infos.iter().find(|u| u.name == *user)?.auth_info.as_ref()?;
    expiry_of_jwt(user.token.as_ref()?.expose_secret())
}

/// The lifetime that a token claims. It is not verified, and only a warning depends on it.
#[derive(Deserialize)]
struct Claims {
    exp: i64,
    iat: Option<i64>,
}

fn expiry_of_jwt(token: &str) -> Option<TokenExpiry> {
    let mut parts = token.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    let claims: Claims = serde_json::from_slice(&base64url(claims)?).ok()?;
    let at = Timestamp::from_second(claims.exp).ok()?;
    let issued = claims.iat.and_then(|iat| Timestamp::from_second(iat).ok()).filter(|issued| *issued < at);
    let renewal = issued.map_or(RENEWAL, |issued| (at.duration_since(issued) / 3).min(RENEWAL));
    Some(TokenExpiry { at, renew_before: at.checked_sub(renewal).unwrap_or(Timestamp::MIN) })
}

/// Decodes base64url without padding, as in tokens.
fn base64url(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let (mut buffer, mut bits) = (0_u32, 0);
    for digit in text.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        (buffer, bits) = ((buffer << 6 | u32::from(value)) & 0xffff, bits + 6);
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits & 0xff) as u8);
        }
    }
    Some(bytes)
}

fn refuse(is_there: bool, what: &'static str, why: &'static str) -> Result<(), KubeconfigError> {
    if is_there { Err(KubeconfigError::Refused { what, why }) } else { Ok(()) }
}

fn vet_cluster(cluster: &Cluster) -> Result<(), KubeconfigError> {
    let file = "it would read a file of the operator: write the data itself";
    refuse(cluster.certificate_authority.is_some(), "certificate-authority", file)?;
    refuse(cluster.proxy_url.is_some(), "proxy-url", "all that is sent would pass through it")?;
    let unproven = "any server could answer: write certificate-authority-data";
    refuse(cluster.insecure_skip_tls_verify == Some(true), "insecure-skip-tls-verify", unproven)?;
    let server: Option<http::Uri> = cluster.server.as_deref().and_then(|server| server.parse().ok());
    let Some(server) = server else {
        return Err(KubeconfigError::Refused { what: "server", why: "it is no address: write https://…" });
    };
    refuse(server.scheme_str() != Some("https"), "server", "it is not https: anybody could read what is sent")?;
    let more = !matches!(server.path(), "" | "/") || server.query().is_some();
    refuse(more, "server", "it has a path or a query: write https://HOST:PORT")?;
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']);
    let address: Option<IpAddr> = host.parse().ok();
    refuse(address.is_some_and(is_link_local), "server", "it is link-local, where clouds hand out credentials")
}

fn vet_user(user: &AuthInfo) -> Result<(), KubeconfigError> {
    refuse(user.exec.is_some(), "exec", "it would run a program in the operator: use a token or a client certificate")?;
    refuse(user.auth_provider.is_some(), "auth-provider", "it would run a program in the operator: use a token")?;
    let file = "it would read a file of the operator: write the data itself";
    refuse(user.token_file.is_some(), "tokenFile", file)?;
    refuse(user.client_certificate.is_some(), "client-certificate", file)?;
    refuse(user.client_key.is_some(), "client-key", file)?;
    let other = "it would act as somebody else: give it the credentials of who it should be";
    let impersonates = user.impersonate.is_some()
        || user.impersonate_uid.is_some()
        || user.impersonate_groups.is_some()
        || user.impersonate_user_extra.is_some();
    refuse(impersonates, "impersonation (as, as-uid, as-groups, as-user-extra)", other)?;
    let token = user.token.as_ref().is_some_and(|token| !token.expose_secret().is_empty());
    let certificate = user.client_certificate_data.is_some() && user.client_key_data.is_some();
    let password = user.username.is_some() && user.password.is_some();
    refuse(
        !(token || certificate || password),
        "user",
        "it has no credentials: write token, or client-certificate-data and client-key-data",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kubeconfig with this cluster and user.
    fn config(cluster: &str, user: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: k, user: u}}}}]\n\
             clusters: [{{name: k, cluster: {{{cluster}}}}}]\nusers: [{{name: u, user: {{{user}}}}}]\n"
        )
    }

    const SERVER: &str = "server: \"https://eu.example:6443\"";

    #[test]
    fn a_plain_kubeconfig_with_a_token_is_accepted() {
        for user in ["token: t", "client-certificate-data: YQ==, client-key-data: YQ==", "username: a, password: b"] {
            vetted(&config(SERVER, user)).unwrap();
        }
    }

    #[test]
    fn a_kubeconfig_that_could_run_read_or_reach_something_is_refused() {
        let refused = [
            (SERVER, "exec: {apiVersion: client.authentication.k8s.io/v1, command: id}", "exec"),
            (SERVER, "auth-provider: {name: gcp, config: {}}", "auth-provider"),
            (SERVER, "tokenFile: /var/run/secrets/token", "tokenFile"),
            (SERVER, "client-certificate: /etc/x, client-key-data: YQ==", "client-certificate"),
            (SERVER, "client-key: /etc/x, client-certificate-data: YQ==", "client-key"),
            (SERVER, "token: t, as: admin", "impersonation"),
            (SERVER, "token: t, as-groups: [\"system:masters\"]", "impersonation"),
            (SERVER, "token: t, as-uid: x", "impersonation"),
            (SERVER, "token: t, as-user-extra: {a: [b]}", "impersonation"),
            (SERVER, "token: \"\"", "no credentials"),
            ("server: \"https://x\", certificate-authority: /etc/ca", "token: t", "certificate-authority"),
            ("server: \"https://x\", insecure-skip-tls-verify: true", "token: t", "insecure-skip-tls-verify"),
            ("server: \"https://x\", proxy-url: \"http://p\"", "token: t", "proxy-url"),
            ("server: \"http://x\"", "token: t", "not https"),
            ("server: \"https://x/api/v1/namespaces/y/secrets\"", "token: t", "a path or a query"),
            ("server: \"https://x?y=\"", "token: t", "a path or a query"),
            ("server: \"https://169.254.169.254\"", "token: t", "link-local"),
            ("server: \"https://[fe80::1]\"", "token: t", "link-local"),
            ("server: \"https://[::ffff:169.254.169.254]\"", "token: t", "link-local"),
            ("server: \"https://0.0.0.0\"", "token: t", "link-local"),
            ("certificate-authority-data: YQ==", "token: t", "no address"),
        ];
        for (cluster, user, why) in refused {
            let error = vetted(&config(cluster, user)).unwrap_err().to_string();
            assert!(error.contains(why), "{cluster} {user}: {error}");
        }
    }

    /// The expiry of a token with these claims.
    fn expiry(claims: &str) -> Option<TokenExpiry> {
        const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let bits: Vec<u8> = claims.bytes().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
        let digit = |bits: &[u8]| (0..6).fold(0, |value, at| value << 1 | bits.get(at).copied().unwrap_or(0));
        let encoded: String = bits.chunks(6).map(|bits| char::from(DIGITS[usize::from(digit(bits))])).collect();
        expiry_of_token(&Secret::new(config(SERVER, &format!("token: eyJhbGciOiJSUzI1NiJ9.{encoded}.c2ln"))))
    }

    #[test]
    fn the_expiry_of_a_token_is_parsed() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let day = 24 * 60 * 60;
        for (claims, renew_before) in [
            (r#"{"exp":2000000000,"iat":1900000000,"sub":"system:serviceaccount:eu-prod:stablekey-target"}"#, 7 * day),
            (r#"{"exp":2000000000}"#, 7 * day),
            (r#"{"iat":1999913600,"exp":2000000000}"#, 8 * 60 * 60),
            (r#"{"iat":2000000001,"exp":2000000000}"#, 7 * day),
        ] {
            let right = TokenExpiry { at: at(2_000_000_000), renew_before: at(2_000_000_000 - renew_before) };
            assert_eq!(expiry(claims), Some(right), "{claims}");
        }
        assert_eq!(expiry(r#"{"exp":-9223372036854775808}"#), None);
    }

    #[test]
    fn a_token_without_expiry_has_none() {
        for claims in ["", "{}", "[1]", r#"{"exp":"tomorrow"}"#, r#"{"exp":1e300}"#, r#"{"exp":9223372036854775807}"#] {
            assert_eq!(expiry(claims), None, "{claims}");
        }
        for user in ["token: opaque", "token: a.b", "token: \"a.ä!.c\"", "token: a.A.c", "username: a, password: b"] {
            assert_eq!(expiry_of_token(&Secret::new(config(SERVER, user))), None, "{user}");
        }
        assert_eq!(expiry_of_token(&Secret::new("{token: CANARY".to_string())), None);
        let other = config(SERVER, "token: t").replace("user: u", "user: other");
        assert_eq!(expiry_of_token(&Secret::new(other)), None);
    }

    #[test]
    fn errors_do_not_contain_the_kubeconfig() {
        let error = vetted("{token: CANARY").unwrap_err();
        assert_eq!(error, KubeconfigError::Unreadable);
        let error = vetted(&config(SERVER, "token: t").replace("user: u", "user: other")).unwrap_err();
        assert_eq!(error.to_string(), "its user \"other\" is not in it");
    }
}
