//! The settings of editors that check YAML by the JSON Schema: which files it applies to.
//!
//! A comment in a file (`# yaml-language-server: $schema=…`) holds for the one document that it stands in; the settings
//! of a folder hold for every document of its files.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstInputValue, CstObject, CstRootNode};

/// Where the settings of VS Code are, from the root of a project.
pub const SETTINGS: &str = ".vscode/settings.json";
/// Where the schema is, beside the settings.
pub const SCHEMA: &str = ".vscode/stablekey.schema.json";
/// The setting of the YAML language server: the globs of files, by schema.
const SCHEMAS: &str = "yaml.schemas";

/// Why settings cannot be completed; the file stays as it is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The text is no JSON with comments.
    #[error("it is no JSON: {0}")]
    Syntax(String),
    /// The text is another value than an object.
    #[error("it is no JSON object")]
    NoObject,
    /// A setting is there twice.
    #[error("{0} stands in it twice")]
    Twice(String),
    /// The schemas are no object.
    #[error("{0} in it is no object")]
    NoSchemas(String),
    /// The globs of the schema are another value.
    #[error("{0} in it is neither a glob nor a list of globs")]
    NoGlobs(String),
}

/// The globs of the YAML files in these folders, and of these files. The paths are relative to the root.
pub fn globs<'p>(folders: impl IntoIterator<Item = &'p str>, files: impl IntoIterator<Item = &'p str>) -> Vec<String> {
    let of_folder = |folder: &str| {
        let folder = literal(folder);
        ["yaml", "yml"].map(|ending| match folder.as_str() {
            "" | "." => format!("**/*.{ending}"),
            folder => format!("{folder}/**/*.{ending}"),
        })
    };
    let mut globs: Vec<String> = files.into_iter().map(literal).collect();
    globs.extend(folders.into_iter().flat_map(of_folder));
    globs.sort();
    globs.dedup();
    globs
}

/// A path as a glob that matches it.
fn literal(path: &str) -> String {
    let path = path.strip_prefix("./").unwrap_or(path).trim_end_matches('/');
    path.chars().map(|c| if "*?[]{}!()".contains(c) { '?' } else { c }).collect()
}

/// Settings with the schema for these globs. All that is there stays, comments too; globs are added to those there.
pub fn with_schema(settings: Option<&str>, schema: &str, globs: &[String]) -> Result<String, SettingsError> {
    let text = settings.filter(|text| !text.trim().is_empty()).unwrap_or("{}\n");
    let root = CstRootNode::parse(text, &jsonc()).map_err(|error| SettingsError::Syntax(error.to_string()))?;
    let object = root.object_value().ok_or(SettingsError::NoObject)?;
    once(&object, SCHEMAS)?;
    let schemas = match object.get(SCHEMAS) {
        Some(property) => property.object_value().ok_or_else(|| SettingsError::NoSchemas(SCHEMAS.into()))?,
        None => object.object_value_or_set(SCHEMAS),
    };
    once(&schemas, schema)?;
    let Some(property) = schemas.get(schema) else {
        schemas.append(schema, CstInputValue::Array(globs.iter().map(|glob| glob.as_str().into()).collect()));
        return Ok(root.to_string());
    };
    let value = property.value();
    let text_of = |node: &jsonc_parser::cst::CstNode| node.as_string_lit().and_then(|text| text.decoded_value().ok());
    let other = || SettingsError::NoGlobs(schema.into());
    if let Some(one) = value.as_ref().and_then(text_of) {
        let all = std::iter::once(&one).chain(globs.iter().filter(|glob| **glob != one));
        if globs.iter().any(|glob| *glob != one) {
            property.set_value(CstInputValue::Array(all.map(|glob| glob.as_str().into()).collect()));
        }
        return Ok(root.to_string());
    }
    let list = property.array_value().ok_or_else(other)?;
    let there: Vec<String> = list.elements().iter().map(text_of).collect::<Option<_>>().ok_or_else(other)?;
    for glob in globs.iter().filter(|glob| !there.contains(glob)) {
        list.append(glob.as_str().into());
    }
    Ok(root.to_string())
}

/// The lines for a person to add to settings that cannot be completed.
pub fn lines(schema: &str, globs: &[String]) -> String {
    let root = CstRootNode::parse("{}", &jsonc()).ok();
    let object = root.as_ref().and_then(CstRootNode::object_value);
    if let Some(object) = object {
        let globs = CstInputValue::Array(globs.iter().map(|glob| glob.as_str().into()).collect());
        object.append(SCHEMAS, CstInputValue::Object(vec![(schema.to_string(), globs)]));
    }
    let text = root.map(|root| root.to_string()).unwrap_or_default();
    let inner = text.trim().trim_start_matches('{').trim_end_matches('}');
    inner.trim_matches('\n').trim_end().to_string()
}

fn once(object: &CstObject, name: &str) -> Result<(), SettingsError> {
    let is_it = |property: &jsonc_parser::cst::CstObjectProp| property.decoded_name().as_deref() == Some(name);
    match object.properties().iter().filter(|property| is_it(property)).count() {
        0 | 1 => Ok(()),
        _ => Err(SettingsError::Twice(name.to_string())),
    }
}

/// What VS Code accepts in its settings.
fn jsonc() -> ParseOptions {
    ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(settings: &str) -> Result<String, SettingsError> {
        with_schema(Some(settings), SCHEMA, &["us/**/*.yaml".to_string(), "tenants.yaml".to_string()])
    }

    const NEW: &str = "{\n  \"yaml.schemas\": {\n    \".vscode/stablekey.schema.json\": [\"us/**/*.yaml\", \"tenants.yaml\"]\n  }\n}\n";

    #[test]
    fn new_settings_have_the_schema_only() {
        assert_eq!(with_schema(None, SCHEMA, &["us/**/*.yaml".into(), "tenants.yaml".into()]).as_deref(), Ok(NEW));
        assert_eq!(add("").as_deref(), Ok(NEW));
        assert_eq!(add(NEW).as_deref(), Ok(NEW), "a second time changes nothing");
    }

    #[test]
    fn what_is_there_stays_with_its_comments() {
        let there = "// ours\n{\n\t\"editor.rulers\": [120], // wide\n\t/* kept */\n\t\"yaml.schemas\": {\n\t\t\"other.json\": \"*.yml\",\n\t},\n}\n";
        let merged = add(there).unwrap();
        for line in there.lines().filter(|line| !line.contains("other.json")) {
            assert!(merged.contains(line), "{line} is gone:\n{merged}");
        }
        assert!(merged.contains("\"other.json\": \"*.yml\""), "{merged}");
        assert!(merged.contains("\".vscode/stablekey.schema.json\": [\"us/**/*.yaml\", \"tenants.yaml\"]"), "{merged}");
        assert_eq!(add(&merged).as_deref(), Ok(merged.as_str()));
    }

    #[test]
    fn globs_are_added_to_those_there() {
        let one = add("{\"yaml.schemas\": {\".vscode/stablekey.schema.json\": \"mine.yaml\"}}").unwrap();
        assert!(one.contains("[\"mine.yaml\", \"us/**/*.yaml\", \"tenants.yaml\"]"), "{one}");
        let many =
            add("{\"yaml.schemas\": {\".vscode/stablekey.schema.json\": [\"mine.yaml\", \"tenants.yaml\"]}}").unwrap();
        assert!(many.contains("[\"mine.yaml\", \"tenants.yaml\", \"us/**/*.yaml\"]"), "{many}");
    }

    #[test]
    fn windows_line_ends_stay() {
        let merged = add("{\r\n  \"a\": 1\r\n}\r\n").unwrap();
        assert!(!merged.replace("\r\n", "").contains('\n'), "{merged:?}");
    }

    #[test]
    fn settings_that_cannot_be_completed_are_refused() {
        assert!(matches!(add("{\"a\": "), Err(SettingsError::Syntax(_))));
        assert!(matches!(add("<<<<<<< HEAD\n{}"), Err(SettingsError::Syntax(_))));
        assert_eq!(add("[]"), Err(SettingsError::NoObject));
        assert_eq!(
            add("{\"yaml.schemas\": {}, \"yaml.schemas\": {}}"),
            Err(SettingsError::Twice("yaml.schemas".into()))
        );
        assert_eq!(add("{\"yaml.schemas\": true}"), Err(SettingsError::NoSchemas("yaml.schemas".into())));
        assert_eq!(
            add("{\"yaml.schemas\": {\".vscode/stablekey.schema.json\": 3}}"),
            Err(SettingsError::NoGlobs(SCHEMA.into()))
        );
        assert!(lines(SCHEMA, &["us/**/*.yaml".into()]).contains("\"yaml.schemas\": {"));
    }

    #[test]
    fn globs_match_the_files_of_tenants() {
        assert_eq!(
            globs(["us-prod", "./declared/eu/", "us-prod"], ["tenants.yaml"]),
            ["declared/eu/**/*.yaml", "declared/eu/**/*.yml", "tenants.yaml", "us-prod/**/*.yaml", "us-prod/**/*.yml"]
        );
        assert_eq!(globs(["."], []), ["**/*.yaml", "**/*.yml"]);
        assert_eq!(globs(["a[b]"], [])[0], "a?b?/**/*.yaml");
    }
}
