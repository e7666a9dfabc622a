//! The codes of all checks. A code never changes its meaning.

use crate::near_miss;
use serde::Serialize;
use std::fmt;

/// The severity of a finding, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A mistake in what was written: exit code 1.
    Error,
    /// Something declared is unresolved: exit code 3.
    Unreached,
    /// Worth knowing; no exit code.
    Warning,
}

macro_rules! codes {
    ($( $name:ident = $code:literal, $severity:ident, $title:literal; )+) => {
        /// The code of a check.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $( #[doc = $title] $name ),+ }

        impl Code {
            /// All codes, in order.
            pub const ALL: &[Code] = &[$( Code::$name ),+];

            /// `SK0101`.
            pub const fn as_str(self) -> &'static str {
                match self { $( Code::$name => $code ),+ }
            }

            /// The name in CamelCase, which is the reason in conditions.
            pub const fn name(self) -> &'static str {
                match self { $( Code::$name => stringify!($name) ),+ }
            }

            /// The severity of a finding with this code.
            pub const fn severity(self) -> Severity {
                match self { $( Code::$name => Severity::$severity ),+ }
            }

            /// A short title.
            pub const fn title(self) -> &'static str {
                match self { $( Code::$name => $title ),+ }
            }
        }
    };
}

codes! {
    BindingMissing = "SK0101", Unreached, "a variable names a stable key that no connection of the tenant has";
    BindingNotReady = "SK0102", Warning, "a variable is bound to a connection whose definition is not complete";
    KeyDiffers = "SK0103", Warning, "the same stable key has another component or type in another tenant";
    ComponentNotServed = "SK0104", Warning, "a step of one component uses a connection of another";
    InputMissing = "SK0105", Warning, "a connection lacks an input that its type requires";
    PerCustomerOnGlobal = "SK0106", Error, "a global connection has per-customer inputs";
    CredentialRedirect = "SK0107", Warning, "a secret that is there would be sent to a host that it was not sent to before";
    WriterConflict = "SK0108", Error, "two writers want different values";
    SyncRing = "SK0109", Error, "syncs form a cycle of tenants";
    SyncMatchesNothing = "SK0110", Warning, "a sync matches no integration of its source";
    SyncNotAccepted = "SK0111", Unreached, "the target does not accept syncs from this source";
    TooManyChanges = "SK0112", Warning, "a large share of the tenant would change";
    SourceEmpty = "SK0113", Warning, "a writer that declared something declares nothing any more";
    CustomerInputNotPerCustomer = "SK0114", Error, "customer credentials give an input that is not per customer";
    CustomerInputMissing = "SK0115", Warning, "customer credentials lack an input that the connection's type requires";
    CustomerConnectionMissing = "SK0116", Warning, "customer credentials are for no connection";
    CustomerTwice = "SK0117", Error, "a customer has two credentials of one name for one connection";
    ReplacesAmbiguous = "SK0118", Error, "two connections replace one stable key, or they replace each other";
    ReplacesDiffers = "SK0119", Warning, "a replacement has another component, type or credentials: it does not take effect";
    SecretLiteral = "SK0120", Error, "a secret is written as a value";
    CredentialsDiffer = "SK0121", Warning, "the connection's credentials are supplied by others in the target";
    OverrideMatchesNothing = "SK0122", Error, "an override matches nothing";
    Occupied = "SK0123", Unreached, "the name is taken by a connection of another component, type or credentials";
    FileBroken = "SK0124", Error, "a file cannot be read and could hold anything";
    ObjectInvalid = "SK0125", Error, "an object is invalid and blocked";
    SyncUnknownTenant = "SK0126", Error, "a sync names a tenant that is not there";
    BindingUnknown = "SK0127", Unreached, "whether a variable is bound cannot be known";
    WriterGone = "SK0128", Warning, "what a writer that is not here once wrote stays";
    NotAllowed = "SK0129", Unreached, "the tenant's policy does not allow the action";
    VariableUndeclared = "SK0130", Warning, "the definition uses a connection variable that connections does not list";
    TenantUnreachable = "SK0131", Error, "a tenant cannot be read";
    ServerRefuses = "SK0132", Unreached, "the cluster would refuse the change";
    SecretMissing = "SK0133", Warning, "an input names a Secret that is not there or does not opt in";
    SecretKeyMissing = "SK0134", Warning, "an input names a key that its Secret lacks";
    SecretNotForKey = "SK0135", Warning, "a Secret opts in, but not for this stable key";
    SecretUnreadable = "SK0136", Warning, "an annotation of a Secret cannot be read";
    SecretExpired = "SK0137", Warning, "a Secret has expired";
    HostNotPinned = "SK0138", Warning, "an endpoint names a host that a Secret may not be sent to";
    ConsentNeeded = "SK0139", Warning, "somebody must sign in: the token is not there yet";
    BindingNameTaken = "SK0140", Warning, "the name of a binding Secret is taken by a Secret that is not ours";
    InputNotInBinding = "SK0141", Warning, "the name of an input cannot be a key of a binding Secret";
    BindingTooLarge = "SK0142", Warning, "a binding Secret would be larger than a Secret can be";
    CustomerOnGlobal = "SK0143", Warning, "customer credentials are for a connection without a set per customer";
    ConnectionNotReady = "SK0144", Warning, "a connection, or one that a variable is bound to, is not ready";
    DefinitionMissing = "SK0145", Unreached, "an integration names a definition that is not there or cannot be read";
    FileShared = "SK0146", Unreached, "the object's file is not the tenant's alone: it is never written through";
    DefinitionUnread = "SK0147", Error, "a definition is of a version that is not read: who uses what is unknown";
    NameUnknown = "SK0148", Error, "a component, type or input that is named is not there";
    IntegrationMissing = "SK0149", Unreached, "a sync names an integration that its source does not have";
    OverrideTwice = "SK0156", Error, "two overrides of a sync change the same in one tenant";
    BindingWaits = "SK0157", Unreached, "a variable is not moved from a connection that works to one that does not";
    CustomersSignIn = "SK0158", Warning, "customers would have to sign in, or give their values, again";
    NameMeansOther = "SK0159", Warning, "integrations of one name have other titles in other tenants";
    KeyMeansOther = "SK0160", Warning, "connections of one stable key are other accounts or apps in other tenants";
    EditByHand = "SK0161", Unreached, "the object's document is written in a way that only a person should change";
    PruneNeedsDelete = "SK0162", Warning, "a writer prunes where the tenant's policy does not allow Delete";
    KustomizationDiffers = "SK0163", Warning, "a kustomization.yaml does not list what is in its tenant's folder";
    ComponentNotPublished = "SK0164", Unreached, "a component that is needed is not published in the tenant";
    CodeNative = "SK0165", Unreached, "an integration that is written in code would change";
    SecretAbsent = "SK0166", Unreached, "a change needs a secret that cannot be supplied";
    SecretTwice = "SK0167", Error, "two references to secrets are one file or one variable";
    VersionsLost = "SK0168", Warning, "versions of integrations could never be enabled again";
    AccountMayNot = "SK0169", Unreached, "the account may not change or remove it on the platform";
    SignOutUnknown = "SK0170", Warning, "whether an update signs people out is not known";
    SecretOlder = "SK0171", Warning, "a secret would go back to an older version";
    ConnectionTwice = "SK0172", Warning, "one connection is there under two stable keys";
    ConnectionUnused = "SK0173", Warning, "nothing uses a connection";
    TestInProduction = "SK0174", Warning, "a production tenant uses test credentials";
    SecretShared = "SK0175", Warning, "production and another environment use one secret";
    AppShared = "SK0176", Warning, "production and another environment use one client ID";
    SignInSupplied = "SK0177", Warning, "customers sign in by OAuth 2.0, and the organization is to supply their credentials";
    CredentialsExpire = "SK0178", Warning, "credentials expire soon";
    CredentialsExpired = "SK0179", Warning, "credentials have expired";
    DefinitionOfOneTenant = "SK0180", Warning, "a definition contains ids or hosts of one tenant";
    OverrideVoid = "SK0181", Error, "an override has no effect: the tenant's own source declares the field";
}

impl Code {
    /// The code that a person typed: `SK0107`, in any case, or its name.
    pub fn typed(text: &str) -> Option<Code> {
        let is_it = |code: &&Code| text.eq_ignore_ascii_case(code.as_str()) || text == code.name();
        Code::ALL.iter().find(is_it).copied()
    }

    /// Whether a text has the form of a code: `SK9999`.
    pub fn has_form(text: &str) -> bool {
        let digits = text.get(2..).filter(|_| text.get(..2).is_some_and(|sk| sk.eq_ignore_ascii_case("sk")));
        digits.is_some_and(|digits| (3..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()))
    }

    /// The code that is nearest to a text which has the form of one or is nearly a name; `None` for any other text.
    pub fn nearest(text: &str) -> Option<Code> {
        let folded: String = text.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).collect();
        let digits = folded.get(2..).filter(|_| folded.get(..2).is_some_and(|sk| sk.eq_ignore_ascii_case("sk")));
        // Letters that look like digits are typed in their place.
        let digit = |c: char| match c {
            'o' | 'O' => Some('0'),
            'l' | 'I' | 'i' => Some('1'),
            c => c.is_ascii_digit().then_some(c),
        };
        let digits: Option<String> =
            digits.filter(|d| (2..=6).contains(&d.len())).and_then(|digits| digits.chars().map(digit).collect());
        let distance =
            |code: &&Code| strsim::osa_distance(&format!("SK{}", digits.as_deref().unwrap_or_default()), code.as_str());
        // One digit may be wrong, absent or moved. More is another code.
        let near =
            digits.as_ref().and_then(|_| Code::ALL.iter().filter(|code| distance(code) <= 1).min_by_key(distance));
        let of_name = || near_miss::meant(text, Code::ALL.iter().map(|code| code.name())).and_then(Code::typed);
        near.copied().or_else(of_name)
    }

    /// Whether it repeats a problem that was reported when a file was read.
    pub const fn is_of_reading(self) -> bool {
        matches!(self, Code::FileBroken | Code::ObjectInvalid)
    }

    /// Whether it says of an object that was complete before that it does not work any more.
    pub const fn breaks_what_works(self) -> bool {
        matches!(
            self,
            Code::BindingNotReady
                | Code::InputMissing
                | Code::CustomerInputMissing
                | Code::CustomerConnectionMissing
                | Code::ReplacesDiffers
                | Code::VariableUndeclared
        )
    }

    /// Whether it compares objects of whole tenants, so that a plan of a part cannot decide it.
    pub const fn needs_all_objects(self) -> bool {
        matches!(
            self,
            Code::ConnectionTwice
                | Code::ConnectionUnused
                | Code::TestInProduction
                | Code::SecretShared
                | Code::AppShared
        )
    }

    /// Whether it concerns a whole target, and so is not part of an action's digest.
    pub const fn is_of_whole_target(self) -> bool {
        matches!(self, Code::TooManyChanges | Code::SourceEmpty)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_code_is_told_the_nearest() {
        assert_eq!(Code::typed("sk0107"), Some(Code::CredentialRedirect));
        assert_eq!(Code::typed("CredentialRedirect"), Some(Code::CredentialRedirect));
        for near in ["SK0I07", "sk-0107", "SKO1O7", "SK01007", "SK107", "CredentialRedirct"] {
            assert_eq!((Code::typed(near), Code::nearest(near)), (None, Some(Code::CredentialRedirect)), "{near}");
        }
        for other in ["sketch", "salesforce-oauth", "sk", "skip-2", "SK", "SK9999"] {
            assert_eq!(Code::nearest(other), None, "{other}");
            assert_eq!(Code::has_form(other), other == "SK9999", "{other}");
        }
    }

    #[test]
    fn codes_are_unique_and_in_order() {
        let codes: Vec<_> = Code::ALL.iter().map(|c| c.as_str()).collect();
        let mut sorted = codes.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(codes, sorted);
    }
}
