//! What the tests of a syncer share with those of the page over a hub.

pub use stablekey_testing::hub::*;
pub use stablekey_testing::person::Person;
