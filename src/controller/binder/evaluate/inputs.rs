//! Resolves the values of inputs from the Secrets that opted in. A Secret is used only if it allows this key at this
//! time, and only if the connection sends it to an allowed host.

use super::alias;
use super::compare::{Compared, SecretContent};
use super::problem::Problem;
use crate::api::*;
use crate::controller::binder::cache::TenantCache;
use crate::controller::binder::secret::desired::can_be_key;
use crate::controller::binder::secret::source::SourceSecret;
use crate::engine::model::code::Code;
use crate::engine::model::hosts::Host;
use crate::engine::model::item::ObjectId;
use crate::engine::model::opt_in::{OptInRefusal, Pins, SOON};
use crate::engine::pinned;
use crate::engine::redirect::Strictest;
use crate::secret::SecretBytes;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) type InputsByName<'a> = BTreeMap<&'a str, &'a Input>;

/// Returns the inputs of a connection.
pub(crate) fn inputs_of(spec: &ConnectionSpec) -> InputsByName<'_> {
    spec.inputs.iter().map(|(name, input)| (name.as_str(), input)).collect()
}

/// The arguments of the resolution.
pub(crate) struct InputsQuestion<'a> {
    pub connection: &'a Arc<Object<ConnectionSpec>>,
    /// The inputs to resolve. Those that are per customer have no value here.
    pub inputs: InputsByName<'a>,
    /// Whether this is one complete set of credentials. A sign-in is required only then.
    pub whole: bool,
    pub now: Timestamp,
}

/// The result of the resolution.
#[derive(Debug, Default)]
pub(crate) struct ResolvedInputs {
    /// The values, by input.
    pub values: BTreeMap<String, Arc<SecretBytes>>,
    /// The Secrets that the values come from.
    pub from: BTreeSet<String>,
    /// Problems of the definition.
    pub definition: Vec<Problem>,
    /// Problems of the credentials.
    pub credentials: Vec<Problem>,
    /// A sign-in is required, and no input references its token. Nothing that is referenced is missing.
    pub consent: Option<Problem>,
    /// The first Secret to expire.
    pub expires: Option<(Timestamp, String)>,
    /// Secrets that expire soon, with their expiry.
    pub soon: Vec<String>,
    /// Secrets without pinned hosts beside endpoints, with the hosts to pin each to.
    pub unpinned: Vec<String>,
    /// When the result may change without any event.
    pub evaluate_again_at: Option<Timestamp>,
}

impl ResolvedInputs {
    /// Returns every problem of the credentials.
    pub(crate) fn of_credentials(&self) -> Vec<Problem> {
        self.credentials.iter().chain(&self.consent).cloned().collect()
    }

    /// Returns every problem.
    pub(crate) fn problems(&self, slot: &Compared) -> Vec<Problem> {
        let found = self.definition.iter().cloned().chain(self.of_credentials());
        found.chain(slot.problem.clone()).collect()
    }

    /// Returns the content of the binding Secret; without inputs if a referenced value is missing.
    pub(crate) fn content(&mut self) -> SecretContent {
        let is_whole = self.definition.is_empty() && self.credentials.is_empty();
        SecretContent {
            inputs: is_whole.then(|| std::mem::take(&mut self.values)),
            from: std::mem::take(&mut self.from),
        }
    }

    /// Returns the end of a sentence that lists what expires soon.
    pub(crate) fn soon(&self) -> String {
        self.soon.iter().map(|soon| format!("; {soon}: supply a new one before")).collect()
    }

    /// Returns the end of a sentence that lists which Secrets should be pinned.
    pub(crate) fn unpinned(&self) -> String {
        self.unpinned.iter().map(|unpinned| format!("; {unpinned}")).collect()
    }

    /// Warns about a Secret without pinned hosts beside endpoints: its owner should pin it to their hosts. Only URLs
    /// that stand in the connection itself are shown, never one from a Secret or a customer.
    fn warn_of(&mut self, unpinned: &[&str], connection: &ConnectionSpec, types: &Strictest<'_>) {
        let host = |(name, input): (&String, &Input)| match input {
            Input::Value(value) if endpoint::is_url(value) && !types.is_secret(name, input) => Host::of_endpoint(value),
            _ => None,
        };
        let hosts: BTreeSet<String> = connection.inputs.iter().filter_map(host).map(|host| host.to_string()).collect();
        if hosts.is_empty() {
            return;
        }
        // The message of a condition has a limited length.
        const FEW: usize = 4;
        let hosts = hosts.into_iter().take(FEW).collect::<Vec<_>>().join(",");
        let one =
            |name: &&str| format!("Secret {name} may be sent anywhere: pin it with annotation {HOSTS}: \"{hosts}\"");
        self.unpinned.extend(unpinned.iter().take(FEW).map(one));
    }

    /// Checks that every endpoint names one of the hosts that a Secret is pinned to.
    fn hold_to(&mut self, source: &SourceSecret, hosts: &[Host], types: &Strictest<'_>) {
        let values = self.values.iter().map(|(name, value)| (name.as_str(), std::str::from_utf8(value.expose()).ok()));
        let off = pinned::endpoints_off(hosts, &source.name, values, types);
        self.credentials.extend(off.into_iter().map(|text| Problem::new(Code::HostNotPinned, text)));
    }
}

pub(crate) fn resolve_inputs(cache: &TenantCache, question: &InputsQuestion<'_>) -> ResolvedInputs {
    let mut found = ResolvedInputs::default();
    let type_ = cache.inventory.connection_type(&question.connection.spec);
    let mut references: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for (name, input) in &question.inputs {
        match input {
            Input::PerCustomer(_) => continue,
            Input::SecretRef(reference) => {
                references.entry(&reference.name).or_default().push((name, &reference.key));
            }
            Input::Value(_) if is_secret(name, type_) => {
                let text = format!("{name} is a secret and is written as a value: {}", rules::SECRET_LITERAL);
                found.definition.push(Problem::new(Code::SecretLiteral, text));
            }
            Input::Value(value) => {
                let value = SecretBytes::new(value.clone().into_bytes());
                found.values.insert((*name).to_string(), Arc::new(value));
            }
        }
        if !can_be_key(name) {
            let text = format!(
                "input {name:?} cannot be a key of a Secret: a key is letters, digits, -, _ and ., \
                 and neither type nor provider"
            );
            found.definition.push(Problem::new(Code::InputNotInBinding, text));
        }
    }
    if question.whole && type_.is_some_and(|t| t.oauth2 == Some(OAuth2::AuthorizationCode)) {
        consent(question, type_, &mut found);
    }
    // If the type lost its mark, or is known at the source of a sync only, the ownership record decides.
    let id = ObjectId::new(Kind::Connection, question.connection.name());
    let types = Strictest::of(cache.inventory.types_of(&question.connection.spec).collect());
    let types = types.remembering(cache.inventory.records.get(&id).map(|record| &record.endpoints));
    let (mut pinned, mut unpinned) = (Vec::new(), Vec::new());
    for (secret, inputs) in &references {
        let Some(source) = cache.sources.get(*secret) else {
            found.credentials.extend(missing(cache, secret, inputs, question, type_));
            continue;
        };
        if let Err(problem) = usable(cache, source, question, &mut found) {
            found.credentials.push(problem);
            continue;
        }
        match &source.opt_in.pins {
            Pins::Only(hosts) => pinned.push((source, hosts)),
            Pins::Anywhere => {
                let given = |name: &str| question.inputs.get(name).copied();
                let names = inputs.iter().map(|(name, _)| *name);
                let text = pinned::sent_by_customers(&question.connection.spec, secret, names, &given, &types);
                found.credentials.extend(text.map(|text| Problem::new(Code::HostNotPinned, text)));
                unpinned.push(*secret);
            }
            Pins::Unreadable => {}
        }
        for (input, key) in inputs {
            match source.data.get(*key) {
                Some(value) if value.expose().trim_ascii().is_empty() => {
                    found.credentials.push(Problem::new(
                        Code::SecretKeyMissing,
                        format!("input {input} needs key {key} of Secret {secret}, which is empty: supply it"),
                    ));
                }
                Some(value) => {
                    found.values.insert((*input).to_string(), value.clone());
                    found.from.insert((*secret).to_string());
                }
                None => found.credentials.push(Problem::new(
                    Code::SecretKeyMissing,
                    format!("input {input} needs key {key} of Secret {secret}, which has no such key: add it"),
                )),
            }
        }
    }
    for (source, hosts) in pinned {
        found.hold_to(source, hosts, &types);
    }
    found.warn_of(&unpinned, &question.connection.spec, &types);
    found
}

/// Checks whether a Secret may be used for this key at this time.
fn usable(
    cache: &TenantCache,
    source: &SourceSecret,
    question: &InputsQuestion<'_>,
    found: &mut ResolvedInputs,
) -> Result<(), Problem> {
    let (name, opt_in) = (&source.name, &source.opt_in);
    let serves = alias::serves(cache, source, question.connection);
    let refusal = opt_in.refusal(serves, question.now);
    let expiry = opt_in.expires.as_ref().and_then(|expiry| Some((expiry.at?, expiry)));
    let is_usable = matches!(refusal, None | Some(OptInRefusal::Expired(_)));
    if let Some((at, expiry)) = expiry.filter(|_| is_usable) {
        let is_first = found.expires.as_ref().is_none_or(|(first, _)| at < *first);
        if is_first {
            found.expires = Some((at, expiry.text.clone()));
        }
    }
    if let Some(refusal) = refusal {
        let code = match refusal {
            OptInRefusal::NotForKey => Code::SecretNotForKey,
            OptInRefusal::UnreadableHosts | OptInRefusal::UnreadableExpiry => Code::SecretUnreadable,
            OptInRefusal::Expired(_) => Code::SecretExpired,
        };
        return Err(Problem::new(code, refusal.text(name, &question.connection.spec.stable_key)));
    }
    let Some((at, _)) = expiry else { return Ok(()) };
    let warn = at.checked_sub(SOON).unwrap_or(Timestamp::MIN);
    let is_soon = warn <= question.now;
    if is_soon {
        found.soon.push(format!("Secret {name} expires at {at}"));
    }
    let next = if is_soon { at } else { warn };
    found.evaluate_again_at = Some(found.evaluate_again_at.map_or(next, |before| before.min(next)));
    Ok(())
}

/// Describes why a Secret cannot be read. Stablekey knows a Secret without the label only if it is a binding Secret, or
/// occupies the name of one.
fn missing(
    cache: &TenantCache,
    secret: &str,
    inputs: &[(&str, &str)],
    question: &InputsQuestion<'_>,
    type_: Option<&ConnectionType>,
) -> Vec<Problem> {
    let key = &question.connection.spec.stable_key;
    let by_signing_in = question.whole && type_.is_some_and(|t| t.oauth2 == Some(OAuth2::AuthorizationCode));
    let opt_in = format!("with label {FOR}: {FOR_CONNECTIONS} and annotation {KEYS}: {key}");
    let (tokens, others): (Vec<_>, Vec<_>) =
        inputs.iter().copied().partition(|(input, _)| by_signing_in && sensitive::is_token(input));
    let consent = tokens.into_iter().map(|(_, of)| {
        let text = format!("sign in for {key}, and put the token into Secret {secret}, key {of}, {opt_in}");
        Problem::new(Code::ConsentNeeded, text)
    });
    let others: Vec<&str> = others.into_iter().map(|(input, _)| input).collect();
    let absent = (!others.is_empty()).then(|| {
        let others = others.join(", ");
        let text = match cache.bindings.contains_key(secret) {
            true => {
                format!("Secret {secret} (for {others}) is there and has not opted in: its owner does that {opt_in}")
            }
            false => {
                format!("Secret {secret} (for {others}) is not there or has not opted in: supply it, {opt_in}")
            }
        };
        Problem::new(Code::SecretMissing, text)
    });
    consent.chain(absent).collect()
}

/// Checks that an authorization-code connection has the token of a sign-in.
fn consent(question: &InputsQuestion<'_>, type_: Option<&ConnectionType>, found: &mut ResolvedInputs) {
    let names_token =
        |(name, input): (&&str, &&Input)| sensitive::is_token(name) && matches!(input, Input::SecretRef(_));
    if !question.inputs.iter().any(names_token) {
        let spec = &question.connection.spec;
        let inputs = type_.iter().flat_map(|t| t.inputs.keys()).filter(|name| sensitive::is_token(name));
        let inputs: Vec<&str> = inputs.map(String::as_str).collect();
        let ConnectionSpec { stable_key: key, component, type_: of_type, .. } = spec;
        let text = match inputs.as_slice() {
            [] => format!(
                "sign in for {key}, and put the token into a Secret that opts in; type {of_type} of Component {component} \
                 has no input for it: add one there (refreshToken: {{secret: true}}), and to {key} with a secretRef"
            ),
            inputs => format!(
                "sign in for {key}, put the token into a Secret that opts in, and name it with a secretRef in input {}",
                inputs.join(" or ")
            ),
        };
        found.consent = Some(Problem::new(Code::ConsentNeeded, text));
    }
}

/// Whether a literal of this name is a secret, according to its name or to the type.
fn is_secret(name: &str, type_: Option<&ConnectionType>) -> bool {
    sensitive::is_sensitive(name) || type_.and_then(|t| t.inputs.get(name)).is_some_and(TypeInput::is_secret)
}
