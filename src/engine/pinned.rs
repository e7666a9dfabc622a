//! The one rule for the hosts that a Secret may be sent to: the binder, plans and writes to the platform all ask here.

use super::redirect::Strictest;
use crate::api::{ConnectionSpec, HOSTS, Input};
use crate::engine::model::hosts::Host;
use crate::engine::model::opt_in::Pins;
use std::collections::BTreeMap;

/// Returns why a pinned Secret must not be sent with these values: an endpoint among them does not plainly name one of
/// its hosts. A value is `None` where it is not text.
pub fn endpoints_off<'v>(
    hosts: &[Host],
    secret: &str,
    values: impl Iterator<Item = (&'v str, Option<&'v str>)>,
    types: &Strictest<'_>,
) -> Vec<String> {
    let is_allowed = |endpoint: Host| hosts.iter().any(|host| host.allows(&endpoint));
    let off = values.filter(|(name, value)| {
        types.is_endpoint_value(name, *value) && !value.and_then(Host::of_endpoint).is_some_and(is_allowed)
    });
    let text = |(name, _): (&str, Option<&str>)| {
        format!(
            "input {name} does not plainly name, by https, a host that Secret {secret} may be sent to (its annotation \
             {HOSTS}): correct the input, or let the Secret's owner add the host (http://… for plain http)"
        )
    };
    off.map(text).collect()
}

/// Returns why a Secret that may be sent anywhere must not be sent with a connection: each customer names an endpoint
/// of it. `inputs` are those that have the Secret's values, and `given` the inputs as they are known for one customer.
pub fn sent_by_customers<'i>(
    spec: &ConnectionSpec,
    secret: &str,
    inputs: impl IntoIterator<Item = &'i str>,
    given: &dyn Fn(&str) -> Option<&'i Input>,
    types: &Strictest<'_>,
) -> Option<String> {
    let is_theirs = |name: &str| spec.inputs.get(name).is_some_and(Input::is_per_customer);
    if inputs.into_iter().all(is_theirs) {
        // A value of the customer may be sent to the customer's endpoint.
        return None;
    }
    let endpoint = spec.inputs.keys().find(|name| is_theirs(name) && types.is_endpoint(name, given(name)))?;
    Some(format!(
        "input {endpoint} is each customer's, and Secret {secret} may be sent anywhere: its owner pins it to the hosts that \
         customers may name (annotation {HOSTS})"
    ))
}

/// Returns why Secrets must not be sent with a connection, or with a set of its credentials: `inputs` are those of the
/// set, over those of the connection. `pins` returns the hosts of a Secret, and `value` the value of an input if it is
/// known: `None` skips it.
pub fn refused_hosts<'i>(
    spec: &'i ConnectionSpec,
    inputs: &'i BTreeMap<String, Input>,
    pins: &dyn Fn(&str) -> Option<&'i Pins>,
    value: &dyn Fn(&'i Input) -> Option<Option<&'i str>>,
    types: &Strictest<'_>,
) -> Option<String> {
    let given = |name: &str| inputs.get(name).or_else(|| spec.inputs.get(name));
    let mut by_secret: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, input) in spec.inputs.iter().filter(|(name, _)| !inputs.contains_key(*name)).chain(inputs) {
        if let Input::SecretRef(reference) = input {
            by_secret.entry(&reference.name).or_default().push(name);
        }
    }
    by_secret.into_iter().find_map(|(secret, names)| match pins(secret)? {
        Pins::Unreadable => None,
        Pins::Anywhere => sent_by_customers(spec, secret, names, &given, types),
        Pins::Only(hosts) => {
            let all = spec.inputs.iter().filter(|(name, _)| !inputs.contains_key(*name)).chain(inputs);
            let values = all.filter_map(|(name, input)| Some((name.as_str(), value(input)?)));
            endpoints_off(hosts, secret, values, types).into_iter().next()
        }
    })
}
