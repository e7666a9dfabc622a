//! Aliases: keys linked by `replaces`, across any number of steps.
//!
//! Nothing here depends on whether a connection works.

use crate::controller::binder::cache::{SharedConnection, TenantCache};
use crate::controller::binder::secret::source::SourceSecret;
use crate::engine::resolve::{Asker, Resolution, resolve_key};
use std::collections::BTreeSet;

/// Returns the key, and all keys that replace it or are replaced by it, across any number of steps.
pub(crate) fn closure(cache: &TenantCache, key: &str) -> BTreeSet<String> {
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

/// Resolves a key as if every connection worked: the opt-in of a Secret must not depend on the Secret's content.
pub(crate) fn would_mean(cache: &TenantCache, key: &str) -> Resolution {
    let asker = Asker { ignores_readiness: true, ..Asker::default() };
    resolve_key(key, &cache.inventory, &cache.replacements, asker)
}

/// Whether a Secret opted in for a connection: for its key, or for an older key that it answers for.
pub(crate) fn serves(cache: &TenantCache, source: &SourceSecret, connection: &SharedConnection) -> bool {
    let answers = |older: &String| would_mean(cache, older).connection().is_some_and(|c| c.name() == connection.name());
    source.opt_in.keys.has(&connection.spec.stable_key)
        || (!connection.spec.replaces.is_empty() && source.opt_in.keys.named.iter().any(answers))
}
