//! Input names that stand for a secret. One closed list, for files and for the CEL rules of the CRDs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use regex::{Captures, Regex};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

/// Words that make an input name sensitive at any position. `-`, `_`, a blank or a dot may separate the words of one
/// entry.
pub const WORDS: [&[&str]; 17] = [
    &["secret"],
    &["passw"],
    &["passphrase"],
    &["passcode"],
    &["pwd"],
    &["token"],
    &["credential"],
    &["api", "key"],
    &["access", "key"],
    &["private", "key"],
    &["signing", "key"],
    &["encryption", "key"],
    &["shared", "key"],
    &["account", "key"],
    &["master", "key"],
    &["connection", "string"],
    &["bearer"],
];

/// Endings of names that refer to a secret but are none (`tokenUrl`, `passwordPolicy`).
pub const EXEMPT_ENDINGS: [&str; 10] =
    ["url", "uri", "endpoint", "host", "type", "id", "name", "expiry", "ttl", "policy"];

/// Whether a literal value under this name is rejected.
pub fn is_sensitive(name: &str) -> bool {
    let folded: String =
        name.chars().filter(|c| !matches!(c, '-' | '_' | ' ' | '.')).map(|c| c.to_ascii_lowercase()).collect();
    !EXEMPT_ENDINGS.iter().any(|ending| folded.ends_with(ending))
        && WORDS.iter().any(|words| contains_in_a_row(&folded, words))
}

/// Whether an input is the token of a sign-in, by its name.
pub fn is_token(name: &str) -> bool {
    is_sensitive(name) && name.to_ascii_lowercase().contains("token")
}

fn contains_in_a_row(text: &str, words: &[&str]) -> bool {
    let Some((first, rest)) = words.split_first() else { return false };
    text.match_indices(first).any(|(at, _)| {
        let mut left = &text[at + first.len()..];
        rest.iter().all(|word| left.strip_prefix(word).map(|after| left = after).is_some())
    })
}

/// The same as [`is_sensitive`], as a CEL expression over the string `variable`.
pub fn cel_is_sensitive(variable: &str) -> String {
    let words = WORDS.map(|words| words.join("[-_ .]?")).join("|");
    let endings = EXEMPT_ENDINGS.join("|");
    format!("({variable}.matches('(?i)({words})') && !{variable}.matches('(?i)({endings})$'))")
}

/// A URL with a user and a password. A template or a variable in place of the password does not match. The pattern is
/// short because CEL cost limits count its characters.
const WITH_PASSWORD: &str = r"//[^/?#:\s]*:[^{$/?#@][^/?#\s]*@";
/// Unusual forms that are rejected only in files: `https:u:pw@h`, and a password that begins with one brace.
const ODDLY_WITH_PASSWORD: &str = r"(//|https?:)[^/?#:\s]*:([^{$/?#@]|\{[^{])[^/?#\s]*@";
/// Both parts occur in every private key in PEM or PGP format.
const PRIVATE_KEY: [&str; 2] = ["PRIVATE KEY", "-----"];

/// Whether a value is a secret under any name: a URL with a password, or a private key.
pub fn is_secret_itself(value: &str) -> bool {
    static PATTERNS: LazyLock<Vec<Regex>> = LazyLock::new(|| patterns(&[WITH_PASSWORD, ODDLY_WITH_PASSWORD]));
    // A cheap check first: most values are neither.
    let is_url = value.contains('@') && (value.contains("//") || value.contains("http"));
    PRIVATE_KEY.iter().all(|part| value.contains(part))
        || is_url && PATTERNS.iter().any(|pattern| pattern.is_match(value))
}

/// The same as [`is_secret_itself`], as a CEL expression over the string `variable`.
pub fn cel_is_secret_itself(variable: &str) -> String {
    let quoted = |pattern: &str| pattern.replace('\\', "\\\\");
    let [key, dashes] = PRIVATE_KEY;
    let is_key = format!("{variable}.contains('{key}') && {variable}.contains('{dashes}')");
    format!("({variable}.matches('{}') || {is_key})", quoted(WITH_PASSWORD))
}

/// Tokens of well-known services: the service, texts of which every token contains one, and the pattern.
const TOKENS: [(&str, &[&str], &str); 11] = [
    (
        "a GitHub token",
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
        r"\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{50,})",
    ),
    ("a GitLab token", &["glpat-"], r"\bglpat-[A-Za-z0-9_-]{20}"),
    ("a Slack token", &["xox"], r"\bxox[abeprs]-[A-Za-z0-9-]{10,}"),
    ("an AWS access key", &["AKIA", "ASIA"], r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("a Stripe key", &["k_live_", "k_test_"], r"\b[rs]k_(live|test)_[A-Za-z0-9]{16,}"),
    ("a Google API key", &["AIza"], r"\bAIza[A-Za-z0-9_-]{35}"),
    ("a SendGrid key", &["SG."], r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    ("an npm token", &["npm_"], r"\bnpm_[A-Za-z0-9]{36}"),
    ("a JSON web token", &["eyJ"], r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+"),
    ("an OpenAI key", &["sk-"], r"\bsk-((proj|svcacct|admin)-[A-Za-z0-9_-]{32,}|[A-Za-z0-9]{32,})"),
    ("a Shopify token", &["shpat_", "shpca_", "shppa_", "shpss_"], r"\bshp(at|ca|pa|ss)_[A-Fa-f0-9]{32}"),
];

/// The description of the token that a value resembles.
pub fn looks_like_token(value: &str) -> Option<&'static str> {
    static PATTERNS: LazyLock<Vec<Regex>> = LazyLock::new(|| patterns(&TOKENS.map(|(.., pattern)| pattern)));
    let found = TOKENS.iter().zip(PATTERNS.iter()).find(|((_, marks, _), pattern)| {
        // A cheap check first: most values contain none of the texts.
        marks.iter().any(|mark| value.contains(mark)) && pattern.is_match(value)
    });
    found.map(|((words, ..), _)| *words)
}

/// What stands for a secret.
pub const HIDDEN: &str = "•••";

/// A parameter of an address or of a connection string, with a value that is no template.
const PARAMETER: &str = r#"[?&#;]([^=&#;?\s"'<>]{1,64})=([^&#;\s"'<>\\{$][^&#;\s"'<>\\]{5,})"#;

/// Names of parameters and inputs that may grant access, beside those that are rejected as inputs.
const GRANTING: [&str; 6] = ["sig", "signature", "x-amz-signature", "pass", "auth", "sas"];

/// Whether a literal value under this name is not shown. It may be one that files may have.
pub fn hides(name: &str) -> bool {
    is_sensitive(name) || GRANTING.iter().any(|granting| name.eq_ignore_ascii_case(granting))
}

/// What grants access without a name beside it. A pattern has what stands before the secret as its first group, if it has
/// two or more.
const CREDENTIALS: [(Credential, &str); 4] = [
    (
        Credential::Header,
        r#"(?i-u:authorization)["']?[\s]*[:=][\s]*["']?(?i-u:basic|bearer|token)[\s]+([^\s"'{$<]{6,})"#,
    ),
    (Credential::Scheme, r"\b((?i-u:basic|bearer))[\s]+([A-Za-z0-9+/=._~-]{8,})"),
    (
        Credential::Password,
        r#"(?:^|[\s"'`(,;=<>\[|&\\])([A-Za-z0-9._%+-]*):([^\s:@/{$"'`<>][^\s:@/"'`<>]{2,})@([A-Za-z0-9-]+:?)"#,
    ),
    (Credential::TokenAsUser, r"//([A-Za-z0-9._~%-]{16,})@"),
];

/// A way in which a text has credentials.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Credential {
    /// `Authorization: Bearer X`.
    Header,
    /// `Basic X`, `Bearer X`.
    Scheme,
    /// `user:X@host`, without `//`.
    Password,
    /// `https://X@host`.
    TokenAsUser,
}

/// What stands before an address or a name with an `@`, and is no user with a password.
const NO_USERS: [&str; 8] = ["mailto", "sip", "sips", "acct", "xmpp", "npm", "http", "https"];

impl Credential {
    /// The span of the secret in what its pattern found; `None` if it is a word, a name or an address of a person.
    fn secret(self, found: &Captures<'_>) -> Option<Range<usize>> {
        let group = |number: usize| found.get(number).map_or("", |group| group.as_str());
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).count();
        let is_odd = |text: &str| text.chars().any(|letter| letter.is_ascii_digit() || "=!#%&*^~+".contains(letter));
        let (number, is_it) = match self {
            Credential::Header => (1, true),
            Credential::Scheme if group(1).eq_ignore_ascii_case("basic") => (2, is_user_and_password(group(2))),
            Credential::Scheme => (2, group(2).len() >= 20 && digits(group(2)) >= 3),
            Credential::Password => {
                let is_user = !NO_USERS.iter().any(|other| group(1).eq_ignore_ascii_case(other));
                (2, is_user && is_odd(group(2)) && group(3) != "sha256:")
            }
            Credential::TokenAsUser => (1, digits(group(1)) >= 3),
        };
        found.get(number).filter(|_| is_it).map(|secret| secret.range())
    }
}

/// A name with what separates it from a value: `password=`, `"password": `, `--password `.
const NAMED: &str =
    r#"(?:^|[^A-Za-z0-9_.%-])(-{0,2})([A-Za-z_][A-Za-z0-9_.-]{0,63})["'`*]{0,3}(?:[\s]{0,3}([=:])[\s]{0,3}|[\s])"#;

/// How much of a text may be one value.
const LONGEST_VALUE: usize = 512;

/// The spans of secrets that stand behind their names in a text: `password=X`, `password: X`, `--password X`.
fn named_secrets(text: &str) -> Vec<Range<usize>> {
    static PATTERN: LazyLock<Option<Regex>> = LazyLock::new(|| patterns(&[NAMED]).pop());
    // A cheap check first: most texts have none.
    if !text.contains(['=', ':']) && !text.contains("--") {
        return Vec::new();
    }
    let (mut spans, mut at) = (Vec::new(), 0);
    while let Some(found) = PATTERN.as_ref().and_then(|pattern| pattern.captures_at(text, at)) {
        let (name, end) = (found.get(2), found.get(0).map_or(text.len(), |all| all.end()));
        let separator = found.get(3).map(|separator| separator.as_str());
        let is_option = found.get(1).is_some_and(|dashes| !dashes.is_empty());
        let secret = name.filter(|name| (separator.is_some() || is_option) && is_named_secret(name.as_str()));
        let value = secret.and_then(|_| value_at(text, end));
        // What follows a name may be a name itself.
        at = name.map_or(end, |name| name.end());
        if let Some(value) = value.filter(|value| is_odd_value(separator, text.get(value.clone()).unwrap_or_default()))
        {
            at = value.end;
            spans.push(value);
        }
    }
    spans
}

/// Whether what stands behind this name in a text may be a secret. The name of a file is none.
fn is_named_secret(name: &str) -> bool {
    let folded = name.to_ascii_lowercase();
    (is_sensitive(name) || folded == "pass") && !["file", "path", "ref"].iter().any(|end| folded.ends_with(end))
}

/// Whether a value is none that people write into texts: a word, the name of a Secret or a reference to its key, an address,
/// a template.
fn is_odd_value(separator: Option<&str>, value: &str) -> bool {
    let is_name = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c))
    };
    let is_key = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let is_reference = value.split_once('/').is_some_and(|(name, key)| is_name(name) && is_key(key));
    // `secret: crm-oauth2` names one.
    let is_name_of_one = separator == Some(":") && value.contains('-') && is_name(value);
    // `--secret password=crm/password`: the inner name counts.
    let has_name = separator.is_none() && value.trim_end_matches('=').contains('=');
    let is_odd = value.chars().any(|letter| letter.is_ascii_digit() || "=!#%&*^~+".contains(letter));
    let is_template = value.starts_with(['{', '$', '<', '[']);
    value.len() >= 6
        && is_odd
        && !is_reference
        && !is_name_of_one
        && !has_name
        && !is_template
        && !value.contains("://")
}

/// The value that begins at a place of a text: up to the quote that ends it, or to what ends a word. A comma within is a
/// part of it.
fn value_at(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = text.get(at..)?;
    let quote = rest.chars().next().filter(|letter| matches!(letter, '"' | '\'' | '`'));
    let start = at + quote.map_or(0, char::len_utf8);
    let is_end = |letter: char| match quote {
        Some(quote) => letter == quote || letter == '\n',
        None => letter.is_whitespace() || "\"'`”’;&|<>".contains(letter),
    };
    let rest = text.get(start..)?;
    let end = rest.char_indices().take(LONGEST_VALUE).find(|(_, letter)| is_end(*letter));
    let value = rest.get(..end.map_or(rest.len(), |(end, _)| end))?;
    let value = if quote.is_some() { value } else { value.trim_end_matches([',', '.', ':', ')', ']', '}']) };
    Some(start..start + value.len())
}

/// Whether a text is a user and a password, as the scheme `Basic` encodes them.
fn is_user_and_password(encoded: &str) -> bool {
    let decoded = STANDARD_NO_PAD.decode(encoded.trim_end_matches('='));
    decoded.is_ok_and(|bytes| bytes.contains(&b':') && bytes.iter().all(|byte| !byte.is_ascii_control()))
}

/// The spans of credentials in a text.
fn credentials(text: &str) -> Vec<Range<usize>> {
    static PATTERNS: LazyLock<Vec<Regex>> = LazyLock::new(|| patterns(&CREDENTIALS.map(|(_, pattern)| pattern)));
    // A cheap check first: most texts have none.
    let has = |word: &[u8]| text.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    if !text.contains('@') && !has(b"basic ") && !has(b"bearer ") && !has(b"authorization") {
        return Vec::new();
    }
    let found = CREDENTIALS.iter().zip(PATTERNS.iter());
    let found = found.flat_map(|((credential, _), pattern)| {
        pattern.captures_iter(text).filter_map(|found| credential.secret(&found))
    });
    found.collect()
}

/// The spans of values of parameters that grant access: `https://h/x?access_token=…`.
fn granting_parameters(text: &str) -> Vec<Range<usize>> {
    static PATTERN: LazyLock<Option<Regex>> = LazyLock::new(|| patterns(&[PARAMETER]).pop());
    // A cheap check first: most texts have no parameters.
    if !text.contains('=') {
        return Vec::new();
    }
    let found = PATTERN.iter().flat_map(|pattern| pattern.captures_iter(text));
    let found = found.filter(|found| found.get(1).is_some_and(|name| hides(name.as_str())));
    found.filter_map(|found| found.get(2)).map(|value| value.range()).collect()
}

/// Whether a text has a secret in it, whatever its name: a secret itself, the token of a well-known service, an address
/// with a parameter that grants access, or credentials. Such a text is not shown as it is; files may have it.
pub fn has_secret(text: &str) -> bool {
    is_secret_itself(text)
        || looks_like_token(text).is_some()
        || !granting_parameters(text).is_empty()
        || !named_secrets(text).is_empty()
        || !credentials(text).is_empty()
}

/// The text with every secret in it hidden that [`has_secret`] finds.
pub fn masked(text: &str) -> Cow<'_, str> {
    if !has_secret(text) {
        return Cow::Borrowed(text);
    }
    if PRIVATE_KEY.iter().all(|part| text.contains(part)) {
        return Cow::Borrowed(HIDDEN);
    }
    static PATTERNS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        let tokens = TOKENS.iter().map(|(.., pattern)| *pattern);
        patterns(&[WITH_PASSWORD, ODDLY_WITH_PASSWORD].into_iter().chain(tokens).collect::<Vec<_>>())
    });
    let of_word = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let mut spans = granting_parameters(text);
    spans.extend(credentials(text));
    spans.extend(named_secrets(text));
    for found in PATTERNS.iter().flat_map(|pattern| pattern.find_iter(text)) {
        // A token may be longer than its pattern.
        let rest = text.get(found.end()..).unwrap_or_default();
        let more = rest.find(|letter| !of_word(letter)).unwrap_or(rest.len());
        spans.push(found.start()..if found.as_str().ends_with('@') { found.end() - 1 } else { found.end() + more });
    }
    spans.sort_by_key(|span| span.start);
    let (mut masked, mut at) = (String::new(), 0);
    for span in spans {
        if span.start >= at {
            masked.push_str(text.get(at..span.start).unwrap_or_default());
            masked.push_str(HIDDEN);
        }
        at = span.end.max(at);
    }
    masked.push_str(text.get(at..).unwrap_or_default());
    Cow::Owned(masked)
}

/// Compiles the patterns. They are constants, and a test compiles each: an invalid one would match nothing. Blanks and
/// words are those of ASCII, as in CEL; `\s` may stand within a class only. A word also begins after a line break that
/// somebody wrote as `\n`.
fn patterns(texts: &[&str]) -> Vec<Regex> {
    let word = r"(?:(?-u:\b)|\\[nrt])";
    let of_ascii = |text: &str| text.replace(r"\b", word).replace(r"\s", r" \t\n\r\x0b\x0c");
    texts.iter().filter_map(|text| Regex::new(&of_ascii(text)).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_values_are_secrets_whatever_their_names() {
        for value in [
            "postgres://u:pw@db/x",
            "https://svc:CANARY@chat.example",
            " amqp://u:p@h:5672/",
            "jdbc:mysql://u:p@h/x",
            "https://:pw@h",
            "postgres://user@tenant:CANARY@db.example/x",
            "https://svc@corp.example:CANARY@h",
            "https://u:{CANARY@h",
            "//u:CANARY@h/x",
            "https:u:CANARY@h",
            "-----BEGIN RSA PRIVATE KEY-----\nx",
            "x\n-----BEGIN PRIVATE KEY-----",
            "-----BEGIN PGP PRIVATE KEY BLOCK-----",
        ] {
            assert!(is_secret_itself(value), "{value}");
        }
        for value in [
            "https://a.example/x?y=a:b@c",
            "https://user@host",
            "https://u:{{password}}@h",
            "https://u:$PW@h",
            "https://a.example:8080/@team",
            "plain",
            "a:b@c",
            "-----BEGIN PUBLIC KEY-----",
            "https://h/a:b@c",
        ] {
            assert!(!is_secret_itself(value), "{value}");
        }
    }

    #[test]
    fn tokens_of_well_known_services() {
        let a = |count: usize| "a1B2".repeat(20)[..count].to_string();
        for value in [
            format!("ghp_{}", a(36)),
            format!("github_pat_{}", a(60)),
            format!("glpat-{}", a(20)),
            "xoxb-1234567890-abc".to_string(),
            "AKIAIOSFODNN7EXAMPLE".to_string(),
            format!("sk_live_{}", a(24)),
            format!("AIza{}", a(35)),
            format!("SG.{}.{}", a(22), a(43)),
            format!("npm_{}", a(36)),
            format!("eyJ{}.eyJ{}.{}", a(20), a(20), a(20)),
            format!("Bearer sk-proj-{}", a(40)),
            format!("shpat_{}", "0a".repeat(16)),
        ] {
            assert!(looks_like_token(&value).is_some(), "{value}");
        }
        for value in [
            "https://a.example/authorize",
            "api refresh_token offline_access",
            "ghp_short",
            "AKIA",
            "risk-free",
            "sk-salesforce-enterprise-production-eu",
        ] {
            assert!(looks_like_token(value).is_none(), "{value}");
        }
    }

    #[test]
    fn secrets_in_texts_are_hidden() {
        let token = format!("ghp_{}", "a1B2".repeat(9));
        for (text, shown) in [
            ("https://h.example/x?access_token=abcdef1", "https://h.example/x?access_token=•••"),
            ("https://h/x?a=1&api-key=abcdef1&b=2#c", "https://h/x?a=1&api-key=•••&b=2#c"),
            ("see /hook?sig=abcdef1 for it", "see /hook?sig=••• for it"),
            ("https://h/#id_token=abcdef1", "https://h/#id_token=•••"),
            ("jdbc:sqlserver://h;user=sa;password=abcdef1;x=1", "jdbc:sqlserver://h;user=sa;password=•••;x=1"),
            ("Server=h;Uid=u;Pwd=abcdef1", "Server=h;Uid=u;Pwd=•••"),
            ("hapikey: https://h/?hapikey=abcdef1&hapikey=abcdef2", "hapikey: https://h/?hapikey=•••&hapikey=•••"),
            ("postgres://u:pw@db/x", "postgres:•••@db/x"),
            ("an https://u:pw@h and https://v:pw@i", "an https:•••@h and https:•••@i"),
            (&format!("it is {token}."), "it is •••"),
            (&format!("{token}more, x"), "•••, x"),
            ("-----BEGIN PRIVATE KEY-----\nx", "•••"),
            ("svc:hunter2@db.example:5432/x", "svc:•••@db.example:5432/x"),
            ("url=svc:hunter2@db", "url=svc:•••@db"),
            ("https://a1B2c3D4e5F6g7H8@h.example/x", "https://•••@h.example/x"),
            ("Authorization: Basic dTpodW50ZXIy", "Authorization: Basic •••"),
            ("bearer a1b2c3d4e5f6a1b2c3d4e5f6", "bearer •••"),
            ("Authorization: Bearer short1", "Authorization: Bearer •••"),
            ("`svc:hunter2@db` and <svc:hunter2@db>", "`svc:•••@db` and <svc:•••@db>"),
            (":hunter2@redis:6379", ":•••@redis:6379"),
            (r"a\nsvc:hunter2@db", r"a\nsvc:•••@db"),
            ("password=hunter2", "password=•••"),
            ("Rotate it: DB_PASSWORD='hunter2!' now", "Rotate it: DB_PASSWORD='•••' now"),
            ("psql --password hunter2 -h db", "psql --password ••• -h db"),
            ("x --api-key=a1b2c3d4 y", "x --api-key=••• y"),
            ("the password: hunter2", "the password: •••"),
            ("DB_PASSWORD=ab=cd12zz", "DB_PASSWORD=•••"),
            (r#"{"password": "hunter2x"}"#, r#"{"password": "•••"}"#),
            ("--from-literal=password=hunter2x", "--from-literal=password=•••"),
            ("{password=hunter2x}", "{password=•••}"),
            (r#"password="a,b1c2d3e4" and so"#, r#"password="•••" and so"#),
            ("password=aB3xyz/9qwErTy1", "password=•••"),
            ("password:hunter2x", "password:•••"),
            ("password = hunter2x", "password = •••"),
            ("(token: abc123def)", "(token: •••)"),
            ("x=_password==hunter2x, then", "x=_password=•••, then"),
            ("**password**: hunter2x", "**password**: •••"),
            ("“password=hunter2x”", "“password=•••”"),
            ("password=Abcd12,hunter2x and", "password=••• and"),
            ("password='it is hunter2x' now", "password='•••' now"),
            (&format!(r"a\n{token}"), "a•••"),
        ] {
            assert!(has_secret(text), "{text}");
            assert_eq!(masked(text), shown);
        }
        for text in [
            "https://h/x?response_type=token&grant_type=refresh_token",
            "https://h/x?token_type=bearer_token",
            "https://h/x?access_token={{access_token}}",
            "https://h/x?access_token=$ACCESS_TOKEN",
            "https://h/x?token=short",
            "access_token=abcdefgh",
            "https://h/x?scope=api+refresh_token&state=abcdefgh",
            "mailto:team@corp.example",
            "mailto:Jane.Doe24@corp.example",
            "Owner:Jane.Doe@corp.example",
            "nginx:1.25@sha256:0123abcd",
            "npm:left-pad2@latest",
            "Basic OAuth2Setup, then type basic salesforce-2024",
            "bearer tokenUrl and bearer client_credentials-v2",
            "git@github.com:team/repository",
            "scope:api@host",
            "https://integrations-service-account@corp.example",
            "Bearer authentication, then Basic configuration",
            "stablekey set connection crm --secret password=crm/password2",
            "password=CRM_PASSWORD and token: crm/token2",
            "--password {{password1}} or --password $PASSWORD1 or --token FROM-THE-VAULT",
            "password: changed; token_type=bearer2000",
            "see ticket-123456 for the token",
            "secret: crm-oauth2-eu and --token-file /tmp/file1",
            "stablekey keep eu-prod2 Connection/slack-token inputs.scopes2 --reason 'x1 y2'",
            "auth: OAuth2, and password: see https://wiki.example/x1",
            "inputs.password: secretRef {name: crm, key: p1}",
            "Basic {{credentials}} and Bearer $TOKEN12345",
            "svc:{{password}}@db.example",
            "plain",
            "",
        ] {
            assert!(!has_secret(text), "{text}");
            assert_eq!(masked(text), text);
        }
    }

    /// The time grows with the length, whatever stands in a text.
    #[test]
    fn long_texts_are_read_once() {
        let of = |part: &str| part.repeat(100_000 / part.len());
        for part in ["-a=", "password=", "password: ", "--token ", "password=\"", "a:b1=", "bearer ", "-password"] {
            let text = of(part);
            assert!(masked(&text).len() <= text.len() + HIDDEN.len(), "{part}");
        }
    }

    #[test]
    fn names_that_may_grant_access_hide_their_values() {
        for name in ["pass", "Auth", "SAS", "signature", "password"] {
            assert!(hides(name), "{name}");
        }
        for name in ["passenger", "author", "authorizeUrl", "region"] {
            assert!(!hides(name), "{name}");
        }
    }

    #[test]
    fn names_that_say_secret_are_sensitive() {
        for name in
            ["clientSecret", "password", "api_key", "API-Key", "accessToken", "private.key", "Connection String"]
        {
            assert!(is_sensitive(name), "{name}");
        }
    }

    #[test]
    fn names_about_a_secret_are_exempt() {
        for name in [
            "tokenUrl",
            "tokenType",
            "tokenExpiry",
            "apiKeyHeaderName",
            "passwordPolicy",
            "accessKeyId",
            "username",
            "scopes",
        ] {
            assert!(!is_sensitive(name), "{name}");
        }
    }
}
