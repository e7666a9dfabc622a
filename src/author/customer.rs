//! Credentials of a customer: new ones, and the removal of all that a customer has.

use super::draft::Draft;
use super::error::AuthorError;
use super::home::{home, inventories, snapshots, tenant};
use super::unknown::is_absent;
use crate::api::{
    ConnectionSpec, Credentials, CustomerCredentialsSpec, Input, Kind, LocationSpec, Object, Resource, SecretRef,
    TypeInput, names, rules, sensitive,
};
use crate::engine::check;
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::{Item, ObjectId};
use crate::manifest::SourcePlace;
use crate::near_miss::listed;
use crate::project::{Project, ProjectTenant};
use crate::tenant::directory::layout::FolderRole;
use crate::tenant::location::Snapshot;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// New credentials of a customer, as a person asks for them.
#[derive(Clone, Debug, Default)]
pub struct NewCustomer {
    pub tenant: String,
    pub customer: String,
    /// The stable key of the connection.
    pub connection: String,
    /// The name of a further set of the same customer.
    pub set: Option<String>,
    pub inputs: BTreeMap<String, Input>,
}

/// Adds the credentials of a customer for a connection that the organization supplies per customer.
pub fn add(draft: &mut Draft<'_>, asked: &NewCustomer) -> Result<PathBuf, AuthorError> {
    let project = draft.project;
    let (name, _) = tenant(project, &asked.tenant)?;
    let home = home(project, name)?;
    let known = inventories(project, name);
    let connection = connection(project, name, &known, &asked.connection)?;
    let key = &connection.stable_key;
    if asked.customer.trim().is_empty() {
        return Err(AuthorError::refused(
            "the customer has no name",
            "give the text that identifies the customer for you",
        ));
    }
    match connection.credentials {
        Credentials::OrganizationCustomer => {}
        Credentials::Customer => {
            let help = "nothing is to be written: each customer signs in through your application";
            return Err(AuthorError::refused(format!("the customers supply the credentials of {key}"), help));
        }
        Credentials::OrganizationGlobal | Credentials::User => {
            let message = format!("{key} has no credentials per customer: it is {}", connection.credentials.as_str());
            let help =
                format!("give a connection whose credentials are {}", Credentials::OrganizationCustomer.as_str());
            return Err(AuthorError::refused(message, help));
        }
    }
    check_inputs(connection, &asked.inputs)?;
    let is_same = |other: &CustomerCredentialsSpec| {
        other.customer == asked.customer && other.connection == *key && other.name == asked.set
    };
    if let Some(there) = known.iter().flat_map(|read| read.customer_credentials.values()).find(|o| is_same(&o.spec)) {
        let message = format!("{name} has these credentials already: CustomerCredentials/{}", there.name());
        return Err(AuthorError::refused(message, "change that object, or give --set with the name of a further set"));
    }
    let spec = CustomerCredentialsSpec {
        customer: asked.customer.clone(),
        connection: key.clone(),
        name: asked.set.clone(),
        origin: None,
        inputs: asked.inputs.clone(),
    };
    let object = Object::new(name_of(&spec), spec);
    let item = Item::CustomerCredentials(object.clone().into());
    let literals = check::secret_literals(&item, &known);
    if let Some(first) = literals.first() {
        let message = format!("SK0120: {} is a secret, and is not written as a value", literals.join(", "));
        return Err(AuthorError::refused(message, format!("{}: --secret {first}=NAME/KEY", rules::SECRET_LITERAL)));
    }
    draft.add(&home, &Resource::from(object))
}

/// The name of new credentials: the connection, and eight hexadecimal digits for customer and set.
fn name_of(spec: &CustomerCredentialsSpec) -> String {
    let mut hash = Sha256::new();
    hash.update(spec.customer.as_bytes());
    if let Some(set) = &spec.name {
        hash.update([0]);
        hash.update(set.as_bytes());
    }
    let digest = hash.finalize();
    let ending: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    names::with_ending(&names::of_stable_key(&spec.connection), &ending)
}

fn connection<'i>(
    project: &Project,
    tenant: &str,
    known: &[&'i Inventory],
    key: &str,
) -> Result<&'i ConnectionSpec, AuthorError> {
    let key = Kind::Connection.name_in(key);
    if let Some(connection) = known.iter().find_map(|read| read.connection(key)) {
        return Ok(&connection.spec);
    }
    is_absent(project, tenant, &ObjectId::new(Kind::Connection, names::of_stable_key(key)))?;
    let keys = known.iter().flat_map(|read| read.connections.values()).map(|c| c.spec.stable_key.as_str());
    Err(AuthorError::unknown(&format!("connection in {tenant}:"), key, keys.collect::<BTreeSet<_>>()))
}

/// An input that each customer sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomerInput {
    pub name: String,
    /// Whether its value is a secret.
    pub is_secret: bool,
}

/// The connections of a tenant whose credentials the organization supplies per customer, by stable key, each with the
/// inputs that customers set.
pub fn per_customer(project: &Project, name: &str) -> BTreeMap<String, Vec<CustomerInput>> {
    let Ok((name, _)) = tenant(project, name) else { return BTreeMap::new() };
    let known = inventories(project, name);
    let mut found = BTreeMap::new();
    for connection in known.iter().flat_map(|read| read.connections.values()).map(|object| &object.spec) {
        if connection.credentials != Credentials::OrganizationCustomer {
            continue;
        }
        let is_secret = |name: &String| {
            let types = known.iter().flat_map(|read| read.types_of(connection));
            sensitive::is_sensitive(name)
                || types.into_iter().any(|t| t.inputs.get(name).is_some_and(TypeInput::is_secret))
        };
        let inputs = connection.inputs.iter().filter(|(_, input)| matches!(input, Input::PerCustomer(_)));
        let inputs = inputs.map(|(name, _)| CustomerInput { name: name.clone(), is_secret: is_secret(name) });
        found.entry(connection.stable_key.clone()).or_insert_with(|| inputs.collect());
    }
    found
}

/// Customers set the inputs that the connection marks perCustomer, and all of them.
fn check_inputs(connection: &ConnectionSpec, given: &BTreeMap<String, Input>) -> Result<(), AuthorError> {
    let key = &connection.stable_key;
    let per_customer = |input: &&String| matches!(connection.inputs.get(*input), Some(Input::PerCustomer(_)));
    let wanted: Vec<&str> = connection.inputs.keys().filter(per_customer).map(String::as_str).collect();
    if let Some(unknown) = given.keys().find(|name| !wanted.contains(&name.as_str())) {
        if connection.inputs.contains_key(unknown) {
            let message = format!("{unknown} of {key} is the same for all customers");
            let help = match wanted.as_slice() {
                [] => format!("no input of {key} is perCustomer"),
                wanted => format!("those of each customer are {}", listed(wanted)),
            };
            return Err(AuthorError::refused(message, help));
        }
        return Err(AuthorError::unknown(&format!("input per customer of {key}:"), unknown, wanted.iter().copied()));
    }
    let missing: Vec<&str> = wanted.iter().copied().filter(|name| !given.contains_key(*name)).collect();
    match missing.first() {
        None => Ok(()),
        Some(first) => {
            let help = format!("{first}=VALUE, or --secret {first}=NAME/KEY");
            Err(AuthorError::refused(format!("{key} needs {} of each customer", listed(&missing)), help))
        }
    }
}

/// Removes all credentials of a customer that the organization supplies in these tenants, and lists what only a person
/// can revoke.
pub fn remove(draft: &mut Draft<'_>, tenants: &[&str], customer: &str) -> Result<(), AuthorError> {
    let project = draft.project;
    let mut others: BTreeSet<&str> = BTreeSet::new();
    let mut is_known = false;
    for name in tenants {
        let (name, tenant) = tenant(project, name)?;
        let reads = reads(project, name, tenant)?;
        let all = reads.iter().flat_map(|(_, read)| read.inventory.customer_credentials.values());
        let (of_customer, of_others): (Vec<_>, Vec<_>) = all.partition(|object| object.spec.customer == customer);
        others.extend(of_others.iter().map(|object| object.spec.customer.as_str()));
        is_known |= !of_customer.is_empty();
        // One that is declared and live is one set.
        let sets: BTreeMap<&str, &CustomerCredentialsSpec> =
            of_customer.iter().rev().map(|object| (object.name(), &object.spec)).collect();
        for (set, spec) in sets {
            let id = ObjectId::new(Kind::CustomerCredentials, set);
            if spec.is_of_customer() {
                let key = &spec.connection;
                draft.manual(format!(
                    "{name}: {customer} supplied the credentials {set} of {key}: remove them in your application, and \
                     revoke the sign-in in the other system"
                ));
                continue;
            }
            let documents: Vec<_> =
                reads.iter().filter_map(|(role, read)| document(project, name, *role, read, &id)).collect();
            if documents.is_empty() {
                draft.manual(format!("{name}: remove {id} of {customer}, which is in no file"));
            }
            for at in &documents {
                draft.remove(at)?;
            }
            if !documents.is_empty() {
                revoke(draft, project, name, tenant, set, spec);
            }
        }
    }
    if !is_known {
        let there = others.iter().copied();
        let what = format!("customer with credentials in {}:", tenants.join(", "));
        return Err(AuthorError::unknown(&what, customer, there));
    }
    Ok(())
}

/// What was read of a tenant, with the role of each folder. A part that cannot be read may have anything.
fn reads<'p>(
    project: &Project,
    name: &str,
    tenant: &'p ProjectTenant,
) -> Result<Vec<(FolderRole, &'p Snapshot)>, AuthorError> {
    let unreadable = |why: &String| AuthorError::Unreadable { what: name.to_string(), why: why.clone() };
    let mut reads = Vec::new();
    if let Some(source) = &tenant.source {
        reads.push((FolderRole::Source, source.as_ref().map_err(unreadable)?));
    }
    let live = tenant.live.as_ref().map_err(unreadable)?;
    // A location that was not asked counts as its source declares it.
    if project.folder(name, FolderRole::Location).is_some() || !live.inventory.is_not_asked {
        reads.push((FolderRole::Location, live));
    }
    if let Some(file) = reads.iter().find_map(|(_, read)| read.inventory.unparsed.first()) {
        let why = format!("{file} could hold more of them");
        return Err(AuthorError::Unreadable { what: name.to_string(), why });
    }
    Ok(reads)
}

/// The document of an object in a folder of the tenant; `None` if it is in no file.
fn document<'p>(
    project: &Project,
    tenant: &str,
    role: FolderRole,
    read: &'p Snapshot,
    id: &ObjectId,
) -> Option<&'p SourcePlace> {
    project.folder(tenant, role)?;
    read.origins.get(id)
}

/// Lists what remains valid elsewhere after credentials are removed.
fn revoke(
    draft: &mut Draft<'_>,
    project: &Project,
    name: &str,
    tenant: &ProjectTenant,
    set: &str,
    credentials: &CustomerCredentialsSpec,
) {
    let (customer, key) = (&credentials.customer, &credentials.connection);
    let secrets: Vec<&SecretRef> = credentials
        .inputs
        .values()
        .filter_map(|input| match input {
            Input::SecretRef(secret) => Some(secret),
            _ => None,
        })
        .collect();
    let mut names: Vec<&str> = secrets.iter().map(|secret| secret.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for secret in names {
        let users = others_of(tenant, secret, customer);
        let then = match users.as_slice() {
            [] => format!("delete the Secret {secret} where it is kept"),
            users => format!("the Secret {secret} stays: {} uses it too", listed(users)),
        };
        draft.manual(format!(
            "{name}: revoke the credentials {set} of {customer} for {key} in the other system; {then}"
        ));
    }
    if secrets.is_empty() {
        draft.manual(format!("{name}: revoke the access of {customer} by {set} for {key} in the other system"));
    }
    let is_declared_only = project.folder(name, FolderRole::Location).is_none();
    if is_declared_only && !tenant.spec.source_prunes() {
        let place = match &tenant.spec.location {
            Some(LocationSpec::Prismatic(_)) => "on the platform",
            _ => "in the cluster",
        };
        draft.manual(format!(
            "{name}: remove the credentials {set} of {customer} for {key} {place}: its source does not prune"
        ));
    }
}

/// The other objects of a tenant that refer to a Secret.
fn others_of<'t>(tenant: &'t ProjectTenant, secret: &str, customer: &str) -> Vec<&'t str> {
    let refers = |input: &Input| matches!(input, Input::SecretRef(reference) if reference.name == secret);
    let mut users: Vec<&str> = Vec::new();
    for read in snapshots(tenant).map(|snapshot| &snapshot.inventory) {
        let connections = read.connections.values().filter(|c| {
            let test = c.spec.test.iter().flat_map(|test| test.inputs.values());
            c.spec.inputs.values().chain(test).any(refers)
        });
        users.extend(connections.map(|c| c.name()));
        let sets = read.customer_credentials.values().filter(|c| c.spec.customer != customer);
        users.extend(sets.filter(|c| c.spec.inputs.values().any(refers)).map(|c| c.name()));
    }
    users.sort_unstable();
    users.dedup();
    users
}
