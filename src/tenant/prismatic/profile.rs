//! The configuration of prism, the platform's own command line: its profiles, each with tokens and a stack. Stablekey
//! reads it and never writes it.

use crate::io_error::{self, Words};
use crate::near_miss::what_there_is;
use crate::secret::Secret;
use crate::tenant::directory::disk;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The stack of the platform's own tools where nothing names another.
pub(super) const FIRST_STACK: &str = "https://app.prismatic.io";
/// The name of the profile of a file without profiles.
const ONLY: &str = "default";
/// Maximum size of the file, in bytes: one profile has about 5 KB.
const LARGEST: u64 = 1_000_000;
/// prism writes the file in place: a reader may see a part of it. So it is read again after a pause.
const READS: usize = 3;
const PAUSE: Duration = Duration::from_millis(50);

/// A profile of prism.
#[derive(Debug)]
pub(super) struct Profile {
    pub name: String,
    pub access_token: Option<Secret>,
    pub refresh_token: Option<Secret>,
    pub tenant_id: Option<String>,
    /// The stack that the tokens belong to.
    pub url: String,
}

/// Why there is no such profile. No message contains anything of the file but names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ProfileError {
    /// There is no home folder, so the file is unknown.
    #[error("neither PRISM_CONFIG_FILE nor HOME is set, so prism's profiles cannot be found")]
    NoHome,
    /// There is no file.
    #[error("{file} is not there: nobody has logged in with prism")]
    NoFile { file: String },
    /// The file cannot be read.
    #[error("{file} cannot be read: {why}")]
    Unreadable { file: String, why: String },
    /// The file has another form.
    #[error("{file} is not a configuration of prism that is understood: {what}")]
    Form {
        file: String,
        /// What differs.
        what: &'static str,
    },
    /// There is no profile of this name.
    #[error("prism has no profile {name:?}; {there_is}")]
    NoProfile { name: String, there_is: String },
}

impl ProfileError {
    /// What to do.
    pub(super) fn help(&self) -> String {
        match self {
            ProfileError::NoHome => "set PRISM_CONFIG_FILE to prism's configuration".to_string(),
            ProfileError::NoFile { .. } => "log in:\n  prism login".to_string(),
            ProfileError::Unreadable { .. } => {
                "make it readable for yourself, or log in again:\n  prism login".to_string()
            }
            ProfileError::Form { .. } => "log in again with prism 10:\n  prism login".to_string(),
            ProfileError::NoProfile { name, .. } => format!("log in with it:\n  prism login --profile {name}"),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfigFile {
    version: Option<u32>,
    default_profile: Option<String>,
    profiles: Option<BTreeMap<String, ProfileEntry>>,
    #[serde(flatten)]
    only: ProfileEntry,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ProfileEntry {
    access_token: Option<Secret>,
    refresh_token: Option<Secret>,
    tenant_id: Option<String>,
    prismatic_url: Option<String>,
}

/// Reads a profile; without a name the one that prism would use.
pub(super) fn read(name: Option<&str>, variable: &dyn Fn(&str) -> Option<String>) -> Result<Profile, ProfileError> {
    let path = path(variable).ok_or(ProfileError::NoHome)?;
    let mut last = read_once(&path, name, variable);
    for _ in 1..READS {
        // What is no YAML, or lacks its end, may be half written.
        if !matches!(last, Err(ProfileError::Form { .. })) {
            break;
        }
        std::thread::sleep(PAUSE);
        last = read_once(&path, name, variable);
    }
    last
}

fn path(variable: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let given = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    given("PRISM_CONFIG_FILE")
        .or_else(|| given("HOME").map(|home| home.join(".config").join("prism").join("config.yml")))
}

fn read_once(
    path: &Path,
    name: Option<&str>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Profile, ProfileError> {
    let file = || path.display().to_string();
    let bytes = bytes(path)?;
    let form = |what: &'static str| ProfileError::Form { file: file(), what };
    let text = std::str::from_utf8(&bytes).map_err(|_| form("it is no text"))?;
    let config: ConfigFile = serde_saphyr::from_str(text).map_err(|_| form("it is no YAML of that shape"))?;
    let profiles = match (config.version, config.profiles) {
        (Some(1), Some(profiles)) => profiles,
        (None, None) => {
            // The older form is one profile, of the stack that the environment names.
            let url = config.only.prismatic_url.clone().or_else(|| variable("PRISMATIC_URL"));
            let only =
                ProfileEntry { prismatic_url: Some(url.unwrap_or_else(|| FIRST_STACK.to_string())), ..config.only };
            BTreeMap::from([(ONLY.to_string(), only)])
        }
        (Some(1), None) => return Err(form("it has no profiles")),
        _ => return Err(form("its version is not 1")),
    };
    let chosen = variable("PRISM_PROFILE").filter(|name| !name.is_empty()).or(config.default_profile);
    let name = name.map(str::to_string).or(chosen).unwrap_or_else(|| ONLY.to_string());
    let there_is = what_there_is(&name, profiles.keys().map(String::as_str));
    let mut profiles = profiles;
    let entry = profiles.remove(&name).ok_or(ProfileError::NoProfile { name: name.clone(), there_is })?;
    let url = entry.prismatic_url.ok_or_else(|| form("the profile has no prismaticUrl"))?;
    let is_given = |token: &Secret| !token.is_empty();
    Ok(Profile {
        name,
        access_token: entry.access_token.filter(is_given),
        refresh_token: entry.refresh_token.filter(is_given),
        tenant_id: entry.tenant_id.filter(|id| !id.is_empty()),
        url,
    })
}

fn bytes(path: &Path) -> Result<Vec<u8>, ProfileError> {
    let file = path.display().to_string();
    let unreadable = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => ProfileError::NoFile { file: file.clone() },
        _ => {
            let Words { why, .. } = io_error::reading(path, &error);
            ProfileError::Unreadable { file: file.clone(), why }
        }
    };
    // It may be a link into a folder of settings.
    let path = path.canonicalize().map_err(unreadable)?;
    disk::read(&path, LARGEST).map_err(unreadable)?.ok_or_else(|| ProfileError::NoFile { file: file.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "version: 1\ndefaultProfile: us\nprofiles:\n  us: {accessToken: a.CANARY.c, refreshToken: CANARY, \
                       expiresIn: 5, scope: x, tokenType: Bearer, prismaticUrl: https://app.prismatic.io}\n  eu: \
                       {accessToken: '', refreshToken: CANARY2, tenantId: t-1, prismaticUrl: \
                       https://app.eu-west-1.prismatic.io}\n";

    fn profile(text: &str, name: Option<&str>, variables: &[(&str, &str)]) -> Result<Profile, ProfileError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yml");
        std::fs::write(&path, text).unwrap();
        let variable = |name: &str| match name {
            "PRISM_CONFIG_FILE" => Some(path.display().to_string()),
            name => variables.iter().find(|(n, _)| *n == name).map(|(_, value)| value.to_string()),
        };
        read(name, &variable)
    }

    #[test]
    fn a_profile_is_chosen_as_prism_does() {
        let us = profile(TWO, None, &[]).unwrap();
        assert_eq!((us.name.as_str(), us.url.as_str()), ("us", "https://app.prismatic.io"));
        assert_eq!(us.refresh_token.unwrap().expose(), "CANARY");
        let eu = profile(TWO, None, &[("PRISM_PROFILE", "eu")]).unwrap();
        assert_eq!((eu.tenant_id.as_deref(), eu.access_token.is_none()), (Some("t-1"), true));
        assert_eq!(profile(TWO, Some("us"), &[("PRISM_PROFILE", "eu")]).unwrap().name, "us");
        let why = profile(TWO, Some("eus"), &[]).unwrap_err();
        assert_eq!(why.to_string(), "prism has no profile \"eus\"; did you mean eu? there are eu, us");
        assert_eq!(why.help(), "log in with it:\n  prism login --profile eus");
    }

    /// A link into a folder of settings is followed; a pipe would be waited for without end.
    #[test]
    fn only_a_regular_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("real.yml"), TWO).unwrap();
        std::os::unix::fs::symlink(at("real.yml"), at("link.yml")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(at("pipe.yml")).status().unwrap().success());
        let given = |name: &str| {
            let path = at(name).display().to_string();
            read(None, &move |variable| (variable == "PRISM_CONFIG_FILE").then(|| path.clone()))
        };
        assert_eq!(given("link.yml").unwrap().name, "us");
        for other in ["pipe.yml", "."] {
            assert!(matches!(given(other), Err(ProfileError::Unreadable { .. })), "{other}");
        }
        assert!(matches!(given("none.yml"), Err(ProfileError::NoFile { .. })));
    }

    #[test]
    fn the_older_form_is_one_profile() {
        let text = "accessToken: a.b.c\nrefreshToken: CANARY\nexpiresIn: 5\nscope: x\ntokenType: Bearer\n";
        assert_eq!(profile(text, None, &[]).unwrap().url, "https://app.prismatic.io");
        let url = "https://app.eu-west-1.prismatic.io";
        assert_eq!(profile(text, None, &[("PRISMATIC_URL", url)]).unwrap().url, url);
        assert!(matches!(profile(text, Some("eu"), &[]), Err(ProfileError::NoProfile { .. })));
    }

    #[test]
    fn what_is_no_configuration_is_an_error_without_its_content() {
        for text in [
            "CANARY",
            "version: 2\nprofiles: {a: {refreshToken: CANARY}}",
            "version: 1\nrefreshToken: CANARY",
            "version: 1\nprofiles: [CANARY]",
            "version: 1\nprofiles: {default: {refreshToken: CANARY}}",
            "version: 1\nprofiles: {default: {refreshToken: CANARY",
            "\u{0}",
        ] {
            let why = profile(text, None, &[]).unwrap_err();
            assert!(matches!(why, ProfileError::Form { .. }), "{text}: {why}");
            assert!(!format!("{why} {why:?} {}", why.help()).contains("CANARY"), "{text}");
        }
        let none = read(None, &|name| (name == "HOME").then(|| "/nowhere".to_string())).unwrap_err();
        assert_eq!(none.to_string(), "/nowhere/.config/prism/config.yml is not there: nobody has logged in with prism");
        assert_eq!(read(None, &|_| None).unwrap_err(), ProfileError::NoHome);
    }
}
