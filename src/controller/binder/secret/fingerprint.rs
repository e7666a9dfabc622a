//! What a binding Secret says, as a salted hash: kept in memory in place of what it says.

use crate::controller::log::random;
use crate::secret::SecretBytes;
use sha2::{Digest, Sha256};

/// What the hashes of one process are salted with: random, and told to nobody.
pub struct Salt(SecretBytes);

impl Salt {
    /// From 32 bytes.
    #[cfg(test)]
    pub fn new(random: [u8; 32]) -> Self {
        Salt(SecretBytes::new(random.to_vec()))
    }

    /// Of this process.
    pub fn random() -> Self {
        Salt(SecretBytes::new((0..4).flat_map(|_| random().to_le_bytes()).collect()))
    }
}

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salt(…)")
    }
}

/// A salted hash. Equal where what it was made of is equal, and the salt.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fingerprint(…)")
    }
}

/// Takes in one part after the other. Parts do not run into each other.
pub struct Hasher(Sha256);

impl Hasher {
    pub fn new(salt: &Salt) -> Self {
        let mut hasher = Hasher(Sha256::new());
        hasher.part(salt.0.expose());
        hasher
    }

    pub fn part(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    pub fn finish(self) -> Fingerprint {
        Fingerprint(self.0.finalize().into())
    }
}
