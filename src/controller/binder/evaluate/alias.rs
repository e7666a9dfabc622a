//! Keys that stand for each other: a connection replaces older keys, by any number of steps.
//!
//! Nothing here depends on whether a connection works.

use crate::controller::binder::cache::{SharedConnection, TenantCache};
use crate::controller::binder::secret::source::SourceSecret;
use crate::engine::resolve::{Asker, Resolution, resolve_key};
use std::collections::BTreeSet;

/// The keys that replace a key or are replaced by it, by any number of steps, and the key itself.
pub fn closure(cache: &TenantCache, key: &str) -> BTreeSet<String> {
    let mut aliases = BTreeSet::new();
    let mut next = vec![key.to_string()];
    while let Some(key) = next.pop() {
        if !aliases.contains(&key) {
            next.extend(cache.index.replacing(&key).cloned());
            next.extend(cache.inventory.connection(&key).into_iter().flat_map(|c| c.spec.replaces.iter().cloned()));
            aliases.insert(key);
        }
    }
    aliases
}

/// What a key would mean if all worked: for whom a Secret opted in does not depend on what is in it.
pub fn would_mean(cache: &TenantCache, key: &str) -> Resolution {
    let asker = Asker { ignores_readiness: true, ..Asker::default() };
    resolve_key(key, &cache.inventory, &cache.replacements, asker)
}

/// Whether a Secret opted in for a connection: for its key, or for an older one that it answers for.
pub fn serves(cache: &TenantCache, source: &SourceSecret, connection: &SharedConnection) -> bool {
    let answers = |older: &String| would_mean(cache, older).connection().is_some_and(|c| c.name() == connection.name());
    source.keys.all
        || source.keys.named.contains(&connection.spec.stable_key)
        || (!connection.spec.replaces.is_empty() && source.keys.named.iter().any(answers))
}
