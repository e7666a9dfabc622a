//! The checks explained: one of them for `stablekey explain CODE`, all of them for docs/checks.md.

mod guides;

use super::page::{Span, TextPage, faint, heading, plain, strong};
use super::style::{Style, Tone};
use crate::api::{endpoint, sensitive};
use crate::engine::model::code::{Code, Severity};
use guides::GUIDES;
use serde::Serialize;

/// What a check means, with an example and what to do.
#[derive(Debug)]
pub struct CheckGuide {
    /// The check.
    pub code: Code,
    /// What it means, beside its title.
    pub meaning: &'static str,
    /// What makes the check report something.
    pub example: Example,
    /// What to do.
    pub fix: &'static str,
}

/// An example of a check.
#[derive(Debug)]
pub enum Example {
    /// Files, each behind a comment with its path.
    Files(&'static str),
    /// Files cannot show it, for this reason.
    NotInFiles(&'static str),
}

/// A file of an example: its path and its content.
pub type ExampleFile = (String, String);

/// The guide as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CheckJson<'a> {
    schema: &'static str,
    code: Code,
    name: &'static str,
    severity: Severity,
    title: &'static str,
    meaning: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_in_files: Option<&'a str>,
    fix: &'static str,
}

/// The guide to a check; `None` if the table lacks it, which a test rules out.
pub fn check_guide(code: Code) -> Option<&'static CheckGuide> {
    GUIDES.iter().find(|guide| guide.code == code)
}

impl Example {
    /// The example as it is shown; `None` if files cannot show it.
    pub fn shown(&self) -> Option<String> {
        let Example::Files(text) = self else { return None };
        let lines = text.lines().map(|line| match line.strip_prefix("kind: ") {
            Some("Kustomization") | None => format!("{line}\n"),
            Some(_) => format!("apiVersion: stablekey.dev/v1alpha1\n{line}\n"),
        });
        Some(lines.collect())
    }

    /// The files of the example.
    pub fn files(&self) -> Vec<ExampleFile> {
        let mut files: Vec<ExampleFile> = Vec::new();
        for line in self.shown().unwrap_or_default().lines() {
            let path = line.strip_prefix("# ").filter(|path| !path.contains(' ') && path.contains('.'));
            match (path, files.last_mut()) {
                (Some(path), _) => files.push((path.to_string(), String::new())),
                (None, Some((_, content))) => content.push_str(&format!("{line}\n")),
                (None, None) => {}
            }
        }
        files
    }
}

impl CheckGuide {
    /// The guide as text for a terminal.
    pub fn text(&self, style: Style) -> String {
        let mut page = TextPage::new(style);
        let tone = match self.code.severity() {
            Severity::Error | Severity::Unreached => Tone::Bad,
            Severity::Warning => Tone::Careful,
        };
        let word = severity(self.code);
        page.line(0, &[strong(format!("{} {}", self.code, self.code.name())), plain("  "), Span::new(tone, word)]);
        page.wrap(0, 0, &[plain(self.code.title())]);
        page.gap();
        page.wrap(0, 0, &[plain(self.meaning)]);
        page.gap();
        page.line(0, &[heading("Example")]);
        match (&self.example, self.example.shown()) {
            (_, Some(shown)) => shown.lines().for_each(|line| page.line(2, &[plain(line)])),
            (Example::NotInFiles(why), None) => page.wrap(2, 2, &[faint(why)]),
            (Example::Files(_), None) => {}
        }
        page.gap();
        page.line(0, &[heading("What to do")]);
        page.wrap(2, 2, &[plain(self.fix)]);
        page.finish()
    }

    /// The guide as a section of docs/checks.md.
    pub fn markdown(&self) -> String {
        let example = match (&self.example, self.example.shown()) {
            (_, Some(shown)) => format!("```yaml\n{shown}```"),
            (Example::NotInFiles(why), None) => why.to_string(),
            (Example::Files(_), None) => String::new(),
        };
        format!(
            "### {} {}\n\n*{}*: {}\n\n{}\n\n{example}\n\n**What to do:** {}\n",
            self.code,
            self.code.name(),
            severity(self.code),
            self.code.title(),
            self.meaning,
            self.fix
        )
    }

    /// The guide for JSON (schema `stablekey.dev/check/v1`).
    pub fn json(&self) -> impl Serialize {
        CheckJson {
            schema: "stablekey.dev/check/v1",
            code: self.code,
            name: self.code.name(),
            severity: self.code.severity(),
            title: self.code.title(),
            meaning: self.meaning,
            example: self.example.shown(),
            not_in_files: match self.example {
                Example::NotInFiles(why) => Some(why),
                Example::Files(_) => None,
            },
            fix: self.fix,
        }
    }
}

fn severity(code: Code) -> &'static str {
    match code.severity() {
        Severity::Error => "error",
        Severity::Unreached => "unreached",
        Severity::Warning => "warning",
    }
}

/// docs/checks.md.
pub fn checks() -> String {
    let row = |guide: &CheckGuide| {
        let code = guide.code;
        let fix = guide.fix.replace('|', "\\|");
        format!("| {code} | {} | {} | {} | {fix} |\n", code.name(), severity(code), code.title())
    };
    let rows: String = GUIDES.iter().map(row).collect();
    let sections: Vec<String> = GUIDES.iter().map(CheckGuide::markdown).collect();
    format!("{BEGIN}{rows}\n{EXAMPLES}{}\n{}", sections.join("\n"), lists())
}

const BEGIN: &str = "# Checks

A code never changes its meaning. An *error* sets the exit code to 1; *unreached* (something declared is unresolved) sets it to 3; a *warning* does not change it. Some checks of syncs also block an object, or require approval of an action. The operator reports findings in conditions: the reason of a condition is the name of the check, and its message begins with the code. SK0133 to SK0144 are reported by the operator only, but for SK0137, SK0143 and SK0144.

Where an edit fixes a finding, the finding names the command that makes it, on a line of its own. A word in capitals (`VALUE`, `NAME/KEY`) is yours to replace. In JSON it is in `commands`.

`stablekey explain SK0107` prints the section of a code below. This page is generated: `make crds`.

| Code | Name | Severity | Meaning | What to do |
|---|---|---|---|---|
";

const EXAMPLES: &str = "## Examples

Each example makes its check report something. The comments are the paths of the files. An example with a Tenant is a project, for `stablekey plan`; any other is files of one tenant, for `stablekey validate`.

";

/// Words in code style, separated by commas.
fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The closed lists of names, values and endpoints.
fn lists() -> String {
    let secrets: Vec<String> = sensitive::WORDS.iter().map(|words| words.join(" ")).collect();
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    let (secrets, exempt) = (listed(&secrets), listed(&sensitive::EXEMPT_ENDINGS));
    let (endings, words, last_words) =
        (listed(&endpoint::ENDINGS), listed(&endpoint::WORDS), listed(&endpoint::LAST_WORDS));
    let (qualifiers, no_endpoints) = (listed(&endpoint::QUALIFIERS), listed(&endpoint::EXEMPT));
    let (people, in_clear) = (listed(&endpoint::PEOPLE), listed(&endpoint::IN_CLEAR));
    format!(
        r#"## Names that stand for a secret

A literal value under such a name is rejected, independent of the connection's type, and is not shown. The list is closed, and the same in files and in a cluster. Case is ignored; `-`, `_`, a blank or a dot may separate the words of one entry.

Words: {secrets}.

Names that end in one of these refer to a secret, but are none (`tokenUrl`, `passwordPolicy`): {exempt}.

## Values that are secrets

Under any name, a value is rejected and not shown if it is a URL with a user and a password (`https://user:password@host`; a template such as `{{{{password}}}}` is allowed), or a private key. This applies to inputs, test inputs, customers' inputs and overrides, in files and in a cluster.

In files, a value with the shape of a well-known service's token (GitHub, GitLab, Slack, AWS, Stripe, Google, SendGrid, npm, OpenAI, Shopify, JSON web tokens) is rejected too. If it is not a secret, list the input in the annotation `stablekey.dev/not-secret` of the object, comma-separated.

## What an endpoint is

An input is an endpoint, that is, decides where credentials are sent, if its type declares `endpoint: true`, by its name, or by its value. A type can add endpoints, but not remove any. The lists are closed; names are compared in lower case, without separators.

Endpoint endings: {endings}.

Endpoint words, at any position: {words}.

As the last word of a name: {last_words}.

Words behind such a name are ignored, as numbers are: {qualifiers}.

No endpoints, by their endings: {no_endpoints}.

A value is an endpoint if it contains a host, at any position, with one of these:

- a scheme: `https://host`, `//host`, `https:host`, `sip:host`, `tcp(host)`;
- a port: `host:443`, `10.0.0.1:80`, `[::1]`. A time, a date, a URN and an ARN do not count;
- a path, a query or a fragment, if the host has a dot: `host.example/x`;
- a user: `user@host.example`, `git@host:path`;
- a setting with one of the names above: `Server=host`, `HOST = host`, `"host": "x"`.

Before the comparison, control characters, invisible characters and direction marks are removed, and wide forms, backslashes and `%2F` are replaced by the characters that they represent.

Names of people, by their endings, under which a plain e-mail address is not an endpoint: {people}.

For an input that is a secret, by its name or its type, only values that cannot be a password count: a URL, or a host with a port, a path or a setting at the beginning of a word.

Schemes that send in clear: {in_clear}.

A host with one of these schemes is different from the same host with https, and `stablekey.dev/hosts` allows it only if it names the scheme: `redis://cache.example`; `http://` also allows `ws` and `h2c`. A scheme that does not imply encryption or clear text, such as `postgres`, `mysql` or `mongodb`, is allowed by a host without scheme: its clients configure encryption separately. A host in the query of such a URL (`?host=`) is never allowed.

The ownership record of a connection stores the inputs that its type declared as endpoints at the last write. They remain endpoints if the type loses the mark, or the component is deleted.
"#
    )
}
