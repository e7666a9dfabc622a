//! Definitions of integrations: read again only where the integration changed, several in one request. What was read is
//! kept in the user's cache folder, without its secrets.

use super::stack::{ApiFailure, Stack};
use crate::api::LeftEmpty;
use crate::engine::model::canonical::Digest;
use crate::http_client::client::HttpFailure;
use crate::http_client::origin::Origin;
use crate::platform::answer::organization::IntegrationAnswer;
use crate::platform::definition;
use crate::secret::Secret;
use crate::tenant::directory::disk::{self, RealDisk};
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// Number of definitions in one request.
const TOGETHER: usize = 20;
/// Maximum size of a kept definition, in bytes.
const LARGEST: u64 = 64_000_000;

/// A definition as it was read.
pub(super) struct ReadDefinition {
    /// Without secrets.
    pub bytes: Vec<u8>,
    /// The secrets that were in it, without their values.
    pub emptied: Vec<LeftEmpty>,
}

/// Definitions that were read before, of one organization.
#[derive(Debug)]
pub(super) struct DefinitionCache {
    /// `None` keeps nothing.
    folder: Option<PathBuf>,
}

impl DefinitionCache {
    /// The definitions of an organization, below the user's cache folder.
    pub(super) fn of(cache: Option<&Path>, origin: &Origin, tenant_id: &str) -> Self {
        let key: String = hex(&format!("{origin}\0{tenant_id}")).chars().take(32).collect();
        DefinitionCache { folder: cache.map(|cache| cache.join("stablekey").join("definitions-2").join(key)) }
    }

    fn file(&self, id: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(hex(id)))
    }

    /// A definition, if the integration did not change since it was kept. A cache that cannot be read has nothing.
    fn get(&self, id: &str, stamp: &str) -> Option<ReadDefinition> {
        let bytes = disk::read(&self.file(id)?, LARGEST).ok()??;
        let kept = bytes.strip_prefix(stamp.as_bytes())?.strip_prefix(b"\n")?;
        let end = kept.iter().position(|byte| *byte == b'\n')?;
        let emptied = serde_json::from_slice(kept.get(..end)?).ok()?;
        Some(ReadDefinition { bytes: kept.get(end + 1..)?.to_vec(), emptied })
    }

    /// Keeps a definition. A cache that cannot be written costs only time.
    fn put(&self, id: &str, stamp: &str, definition: &ReadDefinition) {
        let (Some(folder), Some(file)) = (&self.folder, self.file(id)) else { return };
        let mut bytes = stamp.as_bytes().to_vec();
        bytes.push(b'\n');
        bytes.extend(serde_json::to_vec(&definition.emptied).unwrap_or_default());
        bytes.push(b'\n');
        bytes.extend_from_slice(&definition.bytes);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        let _ = made.and_then(|()| disk::write_privately(&RealDisk, &file, &bytes));
    }
}

fn hex(text: &str) -> String {
    Digest::of(text.as_bytes()).to_string().chars().skip("sha256:".len()).collect()
}

/// What changes whenever the definition does; `None` where the stack does not tell.
fn stamp(found: &IntegrationAnswer) -> Option<String> {
    let updated = found.updated_at.as_deref().filter(|at| !at.is_empty() && !at.contains('\n'))?;
    Some(format!("{} {updated}", found.version_number.unwrap_or_default()))
}

/// Reads the definitions of integrations, by the platform's id.
pub(super) async fn read(
    stack: &Stack,
    cache: &DefinitionCache,
    integrations: &[IntegrationAnswer],
) -> BTreeMap<String, Result<ReadDefinition, String>> {
    let mut found = BTreeMap::new();
    let mut missing: Vec<&IntegrationAnswer> = Vec::new();
    for integration in integrations.iter().filter(|integration| integration.customer.is_none()) {
        let Some(id) = integration.id.as_deref() else { continue };
        match stamp(integration).and_then(|stamp| cache.get(id, &stamp)) {
            Some(kept) => drop(found.insert(id.to_string(), Ok(kept))),
            None => missing.push(integration),
        }
    }
    for batch in join_all(missing.chunks(TOGETHER).map(|some| batch(stack, some))).await {
        for (integration, result) in batch {
            let id = integration.id.clone().unwrap_or_default();
            let result = result.and_then(|text| without_secrets(&text));
            if let (Ok(definition), Some(stamp)) = (&result, stamp(integration)) {
                cache.put(&id, &stamp, definition);
            }
            found.insert(id, result);
        }
    }
    found
}

/// A definition with its secrets, which are sent back and go nowhere else.
pub(super) async fn whole(stack: &Stack, id: &str) -> Result<Secret, ApiFailure> {
    let one = IntegrationAnswer { id: Some(id.to_string()), ..IntegrationAnswer::default() };
    let read = together(stack, &[&one]).await?.into_iter().next();
    let text = read.map_or_else(|| Err("there is no answer".to_string()), |(_, text)| text);
    text.map(Secret::new).map_err(ApiFailure::NotTheApi)
}

/// Secrets of an integration's own connections are in its definition: they end here.
fn without_secrets(text: &str) -> Result<ReadDefinition, String> {
    definition::without_secrets(text.as_bytes())
        .map(|(bytes, emptied)| ReadDefinition { bytes, emptied })
        .map_err(|error| format!("its definition cannot be read: {error}"))
}

type Definition<'a> = (&'a IntegrationAnswer, Result<String, String>);

/// Reads several definitions in one request; if that fails, one by one, so that one that the platform cannot give hides
/// no other.
async fn batch<'a>(stack: &Stack, some: &[&'a IntegrationAnswer]) -> Vec<Definition<'a>> {
    match together(stack, some).await {
        Ok(all) => all,
        Err(ApiFailure::Errors(_) | ApiFailure::Http(HttpFailure::TooLarge | HttpFailure::TimedOut(_)))
            if some.len() > 1 =>
        {
            let mut all = Vec::new();
            for one in some {
                all.extend(match together(stack, &[*one]).await {
                    Ok(read) => read,
                    Err(failure) => vec![(*one, Err(format!("its definition cannot be read: {failure}")))],
                });
            }
            all
        }
        Err(failure) => {
            some.iter().map(|one| (*one, Err(format!("its definition cannot be read: {failure}")))).collect()
        }
    }
}

async fn together<'a>(stack: &Stack, some: &[&'a IntegrationAnswer]) -> Result<Vec<Definition<'a>>, ApiFailure> {
    #[derive(Deserialize)]
    struct Defined {
        #[serde(default)]
        definition: Option<String>,
    }
    let declared: Vec<String> = (0..some.len()).map(|at| format!("$i{at}: ID!")).collect();
    let fields: Vec<String> =
        (0..some.len()).map(|at| format!("  d{at}: integration(id: $i{at}) {{ definition(version: 7) }}")).collect();
    let document = format!("query StablekeyDefinitions({}) {{\n{}\n}}", declared.join(", "), fields.join("\n"));
    let variables: Map<String, Value> =
        some.iter().enumerate().map(|(at, one)| (format!("i{at}"), json!(one.id))).collect();
    let mut data: BTreeMap<String, Option<Defined>> = stack.read_text(&document, &Value::Object(variables)).await?;
    let of = |(at, one): (usize, &&'a IntegrationAnswer)| {
        let text = data.remove(&format!("d{at}")).flatten().and_then(|defined| defined.definition);
        (*one, text.ok_or_else(|| "the platform returns no definition of it".to_string()))
    };
    Ok(some.iter().enumerate().map(of).collect())
}
