//! What a tenant on the platform needs, and a measurement of what its stack does with updates: on a connection that is made
//! for it, and deleted again.

use super::OrganizationLocation;
use super::organization::{DOCTORS, DOCTORS_TITLE, is_of_doctor};
use super::record::{MeasuredUpdates, OrganizationIdentity};
use super::session::OrganizationSession;
use super::write::Mutation;
use crate::api::{ComponentRef, Input, Kind, OAuth2, SecretRef, endpoint};
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::ObjectId;
use crate::platform::answer::document::ReusableConnection;
use crate::platform::answer::list::Literal;
use crate::tenant::location::{HealthCheck, Location as _, LocationError};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A connection type to measure with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeasuredType {
    pub component: ComponentRef,
    pub type_: String,
}

/// Asks a person to sign in at a link; returns whether they say that they did.
pub type AskToSignIn<'a> = dyn FnMut(&str) -> bool + 'a;

impl OrganizationLocation {
    /// The checks of this location. The first one that fails hides those that need it.
    pub(super) fn checks(&self) -> Vec<HealthCheck> {
        let origin = self.stack.origin();
        let login = format!("{origin} accepts the token");
        // It was read with the project, unless that failed.
        let read = self.last().map_or_else(|| self.snapshot().map(drop), |_| Ok(()));
        if let Err(error) = read {
            let why = match error {
                LocationError::Failed { why, .. } => why,
                error => error.to_string(),
            };
            return vec![HealthCheck::bad(login, why, "then run it again")];
        }
        let Some(last) = self.last() else { return Vec::new() };
        let mut checks = Vec::new();
        if let Some(OrganizationIdentity { name, tenant_id, .. }) = &last.organization.identity {
            let name = crate::text::line(name);
            checks.push(HealthCheck::good(format!("{login}: organization {name} (tenantId {tenant_id})")));
        }
        for what in ["connections", "components", "integrations"] {
            let text = format!("your user may read {what}");
            checks.push(match last.organization.unread.get(what) {
                None => HealthCheck::good(text),
                Some(failure) => HealthCheck::bad(text, failure.to_string(), failure.help()),
            });
        }
        let unknown = self.stack.unknown();
        let lacks: Vec<&str> = unknown.iter().map(|unknown| unknown.field.as_str()).collect();
        if !lacks.is_empty() {
            checks.push(HealthCheck::unknown("the stack has every field", format!("it lacks {}", lacks.join(", "))));
        }
        checks.push(self.record_check());
        checks.extend(self.of_secrets(&last.inventory));
        let locked: Vec<&str> =
            last.inventory.facts.iter().filter(|(_, facts)| facts.is_locked).map(|(name, _)| name.as_str()).collect();
        let may = "your user may change its connections";
        checks.push(match locked.is_empty() {
            true => HealthCheck::good(may),
            false => {
                let fix = "use the token of a user whose role may";
                HealthCheck::bad(may, format!("not {}", locked.join(", ")), fix)
            }
        });
        checks.push(self.of_updates());
        checks
    }

    fn record_check(&self) -> HealthCheck {
        let what = format!("the record can be read and written: {}", self.records.place());
        match self.records.probe(&self.tenant) {
            Ok(()) => HealthCheck::good(what),
            Err(error) => HealthCheck::bad(what, error.to_string(), error.help()),
        }
    }

    fn of_secrets(&self, live: &Inventory) -> Vec<HealthCheck> {
        let what = "the source of its secrets can be read";
        match self.secrets().supply() {
            Err(why) => vec![HealthCheck::bad(what, why, "correct that: until then no secret is sent")],
            Ok(_) if self.spec.secrets.is_none() => {
                let why = format!("Tenant {} names none: what needs a secret is blocked", self.tenant);
                vec![HealthCheck::unknown(what, why)]
            }
            Ok(supply) => {
                let mut checks = vec![HealthCheck::good(what)];
                let sent: BTreeSet<(&str, &str)> = live
                    .connections
                    .values()
                    .flat_map(|connection| {
                        let tests = connection.spec.test.iter().flat_map(|test| test.inputs.values());
                        connection.spec.inputs.values().chain(tests)
                    })
                    .filter_map(|input| match input {
                        Input::SecretRef(reference) => Some((reference.name.as_str(), reference.key.as_str())),
                        _ => None,
                    })
                    .collect();
                let is_there =
                    |reference: &SecretRef| sent.contains(&(reference.name.as_str(), reference.key.as_str()));
                for reference in self.expected.references(live) {
                    let text = format!("secret {}/{} can be sent", reference.name, reference.key);
                    let step = || supply.step(&self.tenant, &reference, "");
                    checks.push(match supply.has(&reference) {
                        true => HealthCheck::good(text),
                        // A plan does not need it until something beside it changes.
                        false if is_there(&reference) => HealthCheck::unknown(
                            text,
                            format!("Not needed now: the platform has it. To change it: {}", step()),
                        ),
                        false => HealthCheck::bad(text, "it is absent or empty", step()),
                    });
                }
                checks
            }
        }
    }

    /// What was measured, and whether it still counts.
    fn of_updates(&self) -> HealthCheck {
        let what = "effect of updates measured";
        let doctor = self.last().and_then(|last| last.record.doctor.clone());
        match doctor.and_then(|doctor| doctor.updates) {
            Some(measured) if measured.holds(Timestamp::now()) => {
                let inputs = if measured.merges_inputs { "stay" } else { "go" };
                match measured.keeps_sign_in {
                    Some(keeps) => {
                        let signed_in = if keeps { "stays signed in" } else { "must sign in again" };
                        HealthCheck::good(format!("{what}: other inputs {inputs}; who signed in {signed_in}"))
                    }
                    None => HealthCheck::unknown(
                        what,
                        format!(
                            "Other inputs {inputs}; sign-ins were not seen. To see them, measure a type that people sign in to, \
                             whose secrets are supplied"
                        ),
                    ),
                }
            }
            _ => {
                let why = format!("To measure it: stablekey doctor {} --measure COMPONENT/TYPE", self.tenant);
                HealthCheck::unknown(what, why)
            }
        }
    }

    /// Deletes what an interrupted measurement left. Returns the stable keys.
    pub fn clean_up(&self) -> Result<Vec<String>, LocationError> {
        let last = self.last().ok_or_else(|| self.failed("it was not read"))?;
        let left: Vec<(String, String)> = last
            .organization
            .answer
            .connections
            .iter()
            .filter(|found| found.is_of_tenant() && is_of_doctor(found))
            .filter_map(|found| Some((found.stable_key.clone()?, found.id.clone()?)))
            .collect();
        if left.is_empty() {
            return Ok(Vec::new());
        }
        let mut session = OrganizationSession::begin(self, &[])?.called("stablekey doctor");
        let result = left.iter().try_for_each(|(key, id)| delete(&mut session, key, id));
        session.end("stablekey doctor cleaned up")?;
        result.map(|()| left.into_iter().map(|(key, _)| key).collect())
    }

    /// Measures what updates do with a connection of a type: one that no customer sees, made, changed, read and deleted.
    /// Where a connection of that type is there whose secrets are supplied, it has the same values, so that a person can
    /// sign in to it.
    pub fn measure(&self, with: &MeasuredType, ask: &mut AskToSignIn<'_>) -> Result<MeasuredUpdates, LocationError> {
        let last = self.last().ok_or_else(|| self.failed("it was not read"))?;
        let key = format!("{DOCTORS}{}", std::process::id());
        let id = ObjectId::new(Kind::Connection, &key);
        let refused = |why: String| LocationError::Refused { object: id.clone(), why };
        let component = last.inventory.component(&with.component);
        let type_ = component.and_then(|component| component.types.iter().find(|type_| type_.key == with.type_));
        let type_ = type_.ok_or_else(|| {
            refused(format!("{}/{} is no connection type of {}", with.component, with.type_, self.tenant))
        })?;
        let type_id = last.organization.answer.components.iter().filter(|found| found.is(&with.component));
        let type_id = type_id.flat_map(|found| &found.connections.items);
        let type_id = type_id.filter(|found| found.key.as_deref() == Some(&with.type_)).find_map(|t| t.id.clone());
        let type_id = type_id.ok_or_else(|| refused("the platform does not give the id of that type".to_string()))?;
        let mut inputs = self.real_values(&last.inventory, with).unwrap_or_default();
        let is_real = !inputs.is_empty();
        for (name, input) in &type_.inputs {
            if input.is_required() && !inputs.contains_key(name) {
                let value = if endpoint::is_endpoint_name(name) { "https://doctor.invalid" } else { "doctor" };
                inputs.insert(name.to_string(), value.to_string());
            }
        }
        if inputs.len() < 2 {
            return Err(refused("a type with at least two inputs is needed: name another one".to_string()));
        }
        let mut session = OrganizationSession::begin(self, &[])?.called("stablekey doctor").writing(&id);
        session.announce()?;
        let sent = |inputs: &mut dyn Iterator<Item = (&String, &String)>| -> Value {
            inputs.map(|(name, value)| json!({"name": name, "type": "value", "value": value})).collect()
        };
        let input: Map<String, Value> = map([
            ("key", json!(DOCTORS_TITLE)),
            ("stableKey", json!(key)),
            ("variableScope", json!("org")),
            ("managedBy", json!("org")),
            ("connection", json!(type_id)),
            ("inputs", sent(&mut inputs.iter())),
        ]);
        let made = session.create(&id, &key, &input)?;
        let measured = (|| {
            let asks = type_.oauth2 == Some(OAuth2::AuthorizationCode) && is_real;
            let link = session.only(&id, &key)?.authorize_url.filter(|_| asks);
            let has_signed_in = link.is_some_and(|link| ask(&link)) && is_active(&session.only(&id, &key)?);
            // One input alone, with the value that it has: nothing that is there changes.
            let one = inputs.iter().take(1);
            let changed = map([("id", json!(made)), ("inputs", sent(&mut one.into_iter()))]);
            session.send(&id, Mutation::UpdateConnection, &changed)?;
            let after = session.only(&id, &key)?;
            let there = |name: &String| {
                let found = after.inputs.items.iter().find(|input| input.name.as_ref() == Some(name));
                match found.map(|input| (input.has_value, &input.value)) {
                    None => Ok(false),
                    Some((Some(has_value), _)) => Ok(has_value),
                    Some((None, Some(Literal::Text(text)))) => Ok(!text.expose().is_empty()),
                    Some((None, Some(Literal::Other))) => Ok(true),
                    // Unknown is not "stays".
                    Some((None, None)) => Err(refused(format!("the platform does not say whether {name} is there"))),
                }
            };
            let are_there: Result<Vec<bool>, LocationError> = inputs.keys().map(there).collect();
            Ok(MeasuredUpdates {
                at: Timestamp::now().to_string(),
                with: format!("{}/{}", with.component, with.type_),
                merges_inputs: are_there?.into_iter().all(|is_there| is_there),
                keeps_sign_in: has_signed_in.then(|| is_active(&after)),
            })
        })();
        let deleted = delete(&mut session, &key, &made);
        if let Ok(measured) = &measured {
            session.doctor().updates = Some(measured.clone());
        }
        session.end("stablekey doctor measured")?;
        deleted?;
        measured
    }

    /// Records that a person confirmed what the toggle for embedded workflows is.
    pub fn confirm_embedded(&self) -> Result<(), LocationError> {
        let mut session = OrganizationSession::begin(self, &[])?;
        session.doctor().embedded = Some(Timestamp::now().to_string());
        session.end("stablekey doctor --confirm embedded")
    }

    /// The values of a connection of this type that is there, if all its secrets are supplied.
    fn real_values(&self, live: &Inventory, with: &MeasuredType) -> Option<BTreeMap<String, String>> {
        let of_type = live
            .connections
            .values()
            .filter(|connection| connection.spec.component == with.component && connection.spec.type_ == with.type_);
        of_type.into_iter().find_map(|connection| {
            let value = |(name, input): (&String, &Input)| match input {
                Input::Value(value) => Some(Some((name.clone(), value.clone()))),
                Input::PerCustomer(_) => Some(None),
                Input::SecretRef(reference) => {
                    let secret = self.secrets().content(reference).ok().flatten()?;
                    self.stack.hide(&secret);
                    Some(Some((name.clone(), secret.expose().to_string())))
                }
            };
            let values: Option<Vec<_>> = connection.spec.inputs.iter().map(value).collect();
            Some(values?.into_iter().flatten().collect())
        })
    }
}

fn is_active(found: &ReusableConnection) -> bool {
    found.status.as_deref().is_some_and(|status| status.eq_ignore_ascii_case("active"))
}

fn map<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

fn delete(session: &mut OrganizationSession<'_>, key: &str, id: &str) -> Result<(), LocationError> {
    session.announce()?;
    session.remove(&ObjectId::new(Kind::Connection, key), key, id)
}
