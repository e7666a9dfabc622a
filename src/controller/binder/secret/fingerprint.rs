//! The content of a binding Secret as a salted hash, kept in memory in place of the content.

use crate::controller::log::random;
use crate::secret::SecretBytes;
use sha2::{Digest, Sha256};

/// The salt of the hashes of one process: random, and never disclosed.
pub(crate) struct Salt(SecretBytes);

impl Salt {
    #[cfg(test)]
    pub(crate) fn new(random: [u8; 32]) -> Self {
        Salt(SecretBytes::new(random.to_vec()))
    }

    /// Returns a random salt.
    pub(crate) fn random() -> Self {
        Salt(SecretBytes::new((0..4).flat_map(|_| random().to_le_bytes()).collect()))
    }
}

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salt(…)")
    }
}

/// A salted hash. Two are equal if their content and their salts are equal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 32]);

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fingerprint(…)")
    }
}

/// Hashes one part after the other, with unambiguous boundaries between them.
pub(crate) struct Hasher(Sha256);

impl Hasher {
    pub(crate) fn new(salt: &Salt) -> Self {
        let mut hasher = Hasher(Sha256::new());
        hasher.part(salt.0.expose());
        hasher
    }

    pub(crate) fn part(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> Fingerprint {
        Fingerprint(self.0.finalize().into())
    }
}
