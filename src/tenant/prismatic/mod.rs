//! Tenants whose location is an organization on the integration platform, Prismatic. They are read; nothing is written
//! there yet.

mod definitions;
mod document;
mod http;
mod live;
mod organization;
mod origin;
mod pages;
mod profile;
mod read;
pub mod record;
mod stack;
mod token;

pub use live::Expected;

use super::location::{Location, LocationError, Session, Snapshot};
use crate::api::{Input, Kind, PrismaticLocation};
use crate::engine::model::field::{Field, FieldValue};
use crate::engine::model::inventory::{Capabilities, Inventory};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::{Action, Change};
use crate::engine::model::record::{Record, Writer, Wrote};
use crate::platform::answer::Answer;
use hyper_util::client::proxy::matcher::Matcher;
use jiff::Timestamp;
use organization::Organization;
use origin::Origin;
use record::{FolderRecords, RecordError, RecordStore, StoredRecord, TenantRecord, git_records};
use stack::Stack;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// The first pause before a read is repeated.
const PAUSE: Duration = Duration::from_millis(500);
/// Number of threads for I/O.
const THREADS: usize = 2;

/// Reads an environment variable.
type Variables = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Where a project's records are, or why that is not known.
type FoundStore = Result<Arc<dyn RecordStore>, String>;

/// The platform, as one run of a command reaches it.
pub struct Platform {
    /// Whether plain HTTP to this machine is allowed, for tests.
    allows_loopback: bool,
    variables: Box<Variables>,
    pause: Duration,
    /// The user's cache folder.
    cache: Option<PathBuf>,
    /// The user's state folder.
    state: Option<PathBuf>,
    runtime: OnceLock<Result<Arc<Runtime>, String>>,
    /// The records of each project.
    stores: Mutex<BTreeMap<PathBuf, FoundStore>>,
}

impl std::fmt::Debug for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Platform").field("allows_loopback", &self.allows_loopback).finish_non_exhaustive()
    }
}

impl Platform {
    /// The platform as the environment of this process describes it.
    pub fn of_environment(allows_loopback: bool) -> Self {
        Platform::with(allows_loopback, Box::new(|name| std::env::var(name).ok()))
    }

    /// The platform as these variables describe it.
    pub fn with(allows_loopback: bool, variables: Box<Variables>) -> Self {
        let folder = |name: &str, below_home: &[&str]| {
            // XDG ignores relative paths.
            let absolute = |name: &str| variables(name).map(PathBuf::from).filter(|path| path.is_absolute());
            absolute(name)
                .or_else(|| absolute("HOME").map(|home| below_home.iter().fold(home, |at, part| at.join(part))))
        };
        let (cache, state) = (folder("XDG_CACHE_HOME", &[".cache"]), folder("XDG_STATE_HOME", &[".local", "state"]));
        Platform {
            allows_loopback,
            variables,
            pause: PAUSE,
            cache,
            state,
            runtime: OnceLock::new(),
            stores: Mutex::default(),
        }
    }

    /// Replaces the first pause before a read is repeated, so that tests need not wait.
    pub fn pausing(self, pause: Duration) -> Self {
        Platform { pause, ..self }
    }

    /// The location of a tenant, or why it cannot be reached at all.
    pub fn location(
        self: &Arc<Self>,
        tenant: &str,
        root: &Path,
        spec: &PrismaticLocation,
    ) -> Result<OrganizationLocation, LocationError> {
        let failed = |why: String| LocationError::Failed { what: tenant.to_string(), why };
        let records = self.records(root).map_err(|why| failed(format!("its record is unknown: {why}")))?;
        let stack = self.stack(spec).map_err(failed)?;
        Ok(OrganizationLocation {
            tenant: tenant.to_string(),
            spec: spec.clone(),
            platform: self.clone(),
            stack: Arc::new(stack),
            records,
            expected: Expected::default(),
            definitions: Mutex::default(),
        })
    }

    /// A client for the stack of a location, with its token.
    fn stack(&self, spec: &PrismaticLocation) -> Result<Stack, String> {
        let origin =
            Origin::parse(&spec.url).map_err(|error| format!("its url {}: {error}", crate::text::line(&spec.url)))?;
        let is_test = self.allows_loopback && origin.is_loopback();
        if !origin.is_https() && !is_test {
            let why = match origin.is_loopback() {
                true => "plain http, even to this machine, needs --allow-loopback",
                false => "a token is never sent over plain http: write https://",
            };
            return Err(format!("its url {origin}: {why}"));
        }
        if origin.is_https() && origin.is_loopback() && !self.allows_loopback {
            return Err(format!("its url {origin}: this machine needs --allow-loopback"));
        }
        let tokens = token::find(spec, &origin, &*self.variables, Timestamp::now())
            .map_err(|error| with_help(&error, &error.help()))?;
        let transport = http::Transport::to(&origin, &self.proxies())?;
        Ok(Stack::new(origin, transport, tokens, self.pause, spec.tenant_id.clone()))
    }

    fn proxies(&self) -> Matcher {
        let of = |upper: &str, lower: &str| {
            (self.variables)(lower).or_else(|| (self.variables)(upper)).filter(|value| !value.is_empty())
        };
        let mut builder = Matcher::builder();
        if let Some(all) = of("ALL_PROXY", "all_proxy") {
            builder = builder.all(all);
        }
        if let Some(https) = of("HTTPS_PROXY", "https_proxy") {
            builder = builder.https(https);
        }
        if let Some(no) = of("NO_PROXY", "no_proxy") {
            builder = builder.no(no);
        }
        builder.build()
    }

    /// The records of the project in a folder: on its Git remote, else in the user's state folder.
    fn records(&self, root: &Path) -> Result<Arc<dyn RecordStore>, String> {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        let made = stores.entry(root.to_path_buf()).or_insert_with(|| {
            let folder = || self.state.as_ref().map(|state| FolderRecords::of(state, root));
            match git_records(root, folder())? {
                Some(git) => Ok(Arc::new(git) as Arc<dyn RecordStore>),
                None => match folder() {
                    Some(folder) => Ok(Arc::new(folder)),
                    None => Err("there is neither a Git remote nor a home folder to keep it in: set HOME".to_string()),
                },
            }
        });
        made.clone()
    }

    fn runtime(&self) -> Result<Arc<Runtime>, String> {
        let runtime = self.runtime.get_or_init(|| {
            let built = Builder::new_multi_thread().worker_threads(THREADS).enable_all().build();
            built.map(Arc::new).map_err(|error| format!("no threads can be started: {error}"))
        });
        runtime.clone()
    }
}

/// An organization on the platform.
pub struct OrganizationLocation {
    tenant: String,
    spec: PrismaticLocation,
    platform: Arc<Platform>,
    stack: Arc<Stack>,
    records: Arc<dyn RecordStore>,
    expected: Expected,
    /// The definitions that were read last, by the integration's name.
    definitions: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl std::fmt::Debug for OrganizationLocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OrganizationLocation({} at {})", self.tenant, self.spec.url)
    }
}

/// An organization as it was read, for an import.
pub struct ReadOrganization {
    organization: Organization,
    stored: StoredRecord,
}

/// An integration of an organization.
pub struct ReadIntegration<'a> {
    pub name: &'a str,
    /// The name that it has here, if it was imported before.
    pub recorded: Option<String>,
    /// The definition without secrets, or why it could not be read.
    pub definition: Result<&'a [u8], &'a str>,
}

impl ReadOrganization {
    /// Connections and components.
    pub fn answer(&self) -> &Answer {
        &self.organization.answer
    }

    /// The stable keys of all connections, those of customers and of the platform included.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.organization.answer.connections.iter().filter_map(|found| found.stable_key.as_deref())
    }

    /// The integrations that belong to no single customer.
    pub fn integrations(&self) -> impl Iterator<Item = ReadIntegration<'_>> {
        let own = self.organization.integrations.iter().filter(|found| found.customer.is_none());
        let names = self.stored.record.names(Kind::Integration);
        own.map(move |found| {
            let read = found.id.as_deref().and_then(|id| self.organization.definitions.get(id));
            let definition = match read {
                Some(Ok(bytes)) => Ok(bytes.as_slice()),
                Some(Err(why)) => Err(why.as_str()),
                None => Err("its definition was not read"),
            };
            let recorded = found.id.as_deref().and_then(|id| names.get(id)).cloned();
            ReadIntegration { name: found.name.as_deref().unwrap_or_default(), recorded, definition }
        })
    }

    /// The integrations of a source that people edited since they were recorded, and those of which nothing is recorded,
    /// with the stable keys that they are bound to.
    pub fn edited(&self, tenant: &str, source: &Inventory) -> BTreeMap<String, BTreeSet<String>> {
        let is_edited = |item: &Item| {
            let recorded = self.stored.record.object(&item.id()).and_then(|object| object.wrote.as_deref());
            let Some(record) = recorded.and_then(Record::decode).filter(|record| record.tenant == tenant) else {
                return true;
            };
            let is_recorded = |field: &Field<'_>, value: &FieldValue<'_>| {
                record.wrote(field).is_some_and(|wrote| wrote.hash == value.hash())
            };
            // The platform has no labels and annotations.
            let is_there = |field: &Field<'_>| field.path().first().is_none_or(|first| first != "metadata");
            let fields: Vec<_> = item.fields(true).into_iter().filter(|(field, _)| is_there(field)).collect();
            let is_gone = |field: &Field<'_>| fields.iter().all(|(there, _)| there != field);
            fields.iter().any(|(field, value)| !is_recorded(field, value)) || record.fields.keys().any(is_gone)
        };
        let bound = |item: &Item| match item {
            Item::Integration(integration, _) => {
                integration.spec.connections.iter().filter_map(|v| v.stable_key().map(str::to_string)).collect()
            }
            _ => BTreeSet::new(),
        };
        let integrations = source.items().filter(|item| item.kind() == Kind::Integration);
        integrations.filter(is_edited).map(|item| (item.id().name, bound(&item))).collect()
    }

    /// The number of integrations that belong to one customer each.
    pub fn integrations_of_customers(&self) -> usize {
        self.organization.integrations.iter().filter(|found| found.customer.is_some()).count()
    }

    /// The number of workflows.
    pub fn workflows(&self) -> usize {
        self.organization.workflows.len()
    }

    /// The organization: its tenantId, and its name.
    pub fn identity(&self) -> Option<(&str, &str)> {
        self.organization.identity.as_ref().map(|identity| (identity.tenant_id.as_str(), identity.name.as_str()))
    }
}

impl OrganizationLocation {
    /// Tells it the names that the project uses.
    pub fn expecting(self, expected: Expected) -> Self {
        OrganizationLocation { expected, ..self }
    }

    fn failed(&self, why: impl Into<String>) -> LocationError {
        LocationError::Failed { what: self.tenant.clone(), why: why.into() }
    }

    fn of_record(&self, error: &RecordError) -> LocationError {
        self.failed(with_help(error, &error.help()))
    }

    /// Reads the organization and the record, and checks that the tenant still is the organization that it was.
    fn read(&self) -> Result<(Organization, StoredRecord), LocationError> {
        let stored = self.records.read(&self.tenant).map_err(|error| self.of_record(&error))?;
        let runtime = self.platform.runtime().map_err(|why| self.failed(why))?;
        let cache = self.platform.cache.as_deref();
        let organization =
            runtime.block_on(read::organization(&self.stack, cache, &self.expected.wanted())).map_err(|failure| {
                let origin = self.stack.origin();
                self.failed(with_help(&format_args!("{origin}: {failure}"), &failure.help()))
            })?;
        self.check(&organization, &stored.record)?;
        Ok((organization, stored))
    }

    fn check(&self, organization: &Organization, record: &TenantRecord) -> Result<(), LocationError> {
        let Some(now) = &organization.identity else { return Ok(()) };
        let called = |name: &str| crate::text::line(name).into_owned();
        if let Some(wanted) = self.spec.tenant_id.as_ref().filter(|wanted| **wanted != now.tenant_id) {
            return Err(self.failed(format!(
                "the token is for organization {} (tenantId {}), and the Tenant names tenantId {wanted}: use the token of \
                 that organization, or correct tenantId",
                called(&now.name),
                now.tenant_id
            )));
        }
        match &record.organization {
            Some(before) if before.tenant_id != now.tenant_id || before.id != now.id => Err(self.failed(format!(
                "it was organization {} (tenantId {}) until now, and the token is for {} (tenantId {}): use the other \
                 token, or correct the url; for another organization make another Tenant",
                called(&before.name),
                before.tenant_id,
                called(&now.name),
                now.tenant_id
            ))),
            _ => Ok(()),
        }
    }

    /// Records which organization it is, when it is read for the first time. Returns why it could not be recorded.
    fn keep_identity(&self, organization: &Organization, stored: &StoredRecord) -> Option<String> {
        let identity = organization.identity.clone().filter(|_| stored.record.organization.is_none())?;
        let mut record = stored.record.clone();
        record.organization = Some(identity);
        let message = format!("first read of {}", self.tenant);
        match self.records.write(&record, stored.version.as_deref(), &message) {
            // Whoever was faster recorded it too, and the next run checks it.
            Ok(_) | Err(RecordError::Lost { .. }) => None,
            Err(error) => Some(format!(
                "which organization {} is could not be recorded, so another one under its url would not be noticed: {}",
                self.tenant,
                with_help(&error, &error.help())
            )),
        }
    }

    /// Keeps the definitions for [`Location::definition`], each under the name that its integration has here.
    fn keep_definitions(&self, organization: &Organization, inventory: &Inventory, record: &TenantRecord) {
        let mut kept = BTreeMap::new();
        for (id, name) in live::names_of(organization, record, &self.expected) {
            let Some(Ok(bytes)) = organization.definitions.get(&id) else { continue };
            if inventory.integrations.contains_key(&name) {
                kept.insert(name, bytes.clone());
            }
        }
        *self.definitions.lock().unwrap_or_else(PoisonError::into_inner) = kept;
    }

    /// Reads the organization for an import, which needs every list. No other tenant may be the same organization.
    pub fn read_for_import(&self, others: &[&str]) -> Result<ReadOrganization, LocationError> {
        let (organization, stored) = self.read()?;
        for other in others {
            let there = self.records.read(other).map_err(|error| self.of_record(&error))?.record.organization;
            let same =
                there.zip(organization.identity.as_ref()).filter(|(there, here)| there.tenant_id == here.tenant_id);
            if let Some((there, _)) = same {
                return Err(self.failed(format!(
                    "organization {} (tenantId {}) is tenant {other} already: import into {other}, or use the token of \
                     another organization",
                    crate::text::line(&there.name),
                    there.tenant_id
                )));
            }
        }
        if let Some(run) = &stored.record.run {
            return Err(
                self.failed(format!("{}: wait until that run is done, then import again", run.text(&self.tenant)))
            );
        }
        if let Some((what, failure)) = organization.unread.first_key_value() {
            let why = format_args!("the list of {what} could not be read: {failure}");
            return Err(self.failed(with_help(&why, &failure.help())));
        }
        // Without the names of what is there, what the folder lacks is unknown; and two of one name are no name.
        let live = live::inventory(&self.tenant, &organization, &stored.record, &self.expected);
        if let Some(what) = live.unparsed.first() {
            return Err(self.failed(format!("{what} could not be read; run it again")));
        }
        if let Some(why) = live::ambiguous(&organization).first() {
            return Err(self.failed(why.clone()));
        }
        Ok(ReadOrganization { organization, stored })
    }

    /// Records what an import brought: the fields that are live as the source declares them come under management, so
    /// that the next plan is empty. `source` is the source after the import.
    pub fn record_import(&self, read: &ReadOrganization, source: &Inventory) -> Result<(), LocationError> {
        let mut record = read.stored.record.clone();
        record.organization.clone_from(&read.organization.identity);
        let mut expected = Expected::default();
        expected.learn(source);
        expected.declare(source);
        let renamed = live::renamed(&read.organization, &record, &expected);
        record.objects.retain(|name, _| !renamed.contains(name));
        let live = live::inventory(&self.tenant, &read.organization, &record, &expected);
        let ids = live::ids(&read.organization, &record, &expected);
        let writers = Arc::new([Writer::Source].into());
        for item in source.items().filter(|item| item.kind() != Kind::Component) {
            let Some(there) = live.get(&item.id()) else { continue };
            let is_new = record.object(&item.id()).is_none();
            let entry = record.object_mut(&item.id());
            entry.id = ids.get(&item.id()).cloned();
            if let Item::Connection(connection) = &item {
                entry.remember(&connection.spec, is_new);
            }
            let mut wrote = entry.wrote.as_deref().and_then(Record::decode).unwrap_or_else(|| Record::of(&self.tenant));
            // What is neither declared nor there any more is over.
            wrote.fields.retain(|field, _| item.written(field).is_some() || there.written(field).is_some());
            for (field, value) in item.fields(true) {
                if there.written(&field).is_some_and(|live| is_taken_over(&live, &value)) {
                    let hash = value.hash();
                    // What a sync wrote stays the sync's.
                    if wrote.fields.get(&field).is_none_or(|recorded| recorded.hash != hash) {
                        wrote.fields.insert(field.into_owned(), Wrote { hash, writers: Arc::clone(&writers) });
                    }
                }
            }
            entry.wrote = Some(wrote.encode());
        }
        let message = format!("stablekey import --tenant {}", self.tenant);
        let written = self.records.write(&record, read.stored.version.as_deref(), &message);
        written.map(drop).map_err(|error| self.of_record(&error))
    }

    /// Where its record is kept, for people.
    pub fn record_place(&self) -> String {
        self.records.place()
    }
}

impl Location for OrganizationLocation {
    fn snapshot(&self) -> Result<Snapshot, LocationError> {
        let (organization, stored) = self.read()?;
        let inventory = live::inventory(&self.tenant, &organization, &stored.record, &self.expected);
        self.keep_definitions(&organization, &inventory, &stored.record);
        let mut cautions: Vec<String> = Vec::new();
        if let Some(caution) = self.records.caution() {
            cautions.push(caution.to_string());
        }
        cautions.extend(organization.unread_facts.iter().map(|(what, failure)| {
            format!(
                "the list of {what} of {} could not be read, so what uses a connection is not all known: {failure}",
                self.tenant
            )
        }));
        if stored.version.is_none() {
            cautions.push(format!(
                "there was no record of {}: what stablekey wrote there is unknown, if it wrote there before",
                self.tenant
            ));
        }
        cautions.extend(self.keep_identity(&organization, &stored));
        if let Some(run) = &stored.record.run {
            cautions.push(run.text(&self.tenant));
        }
        Ok(Snapshot {
            inventory: Arc::new(inventory),
            organization: organization.identity.map(|identity| identity.tenant_id),
            cautions,
            ..Snapshot::default()
        })
    }

    fn definition(&self, integration: &str) -> Result<Vec<u8>, LocationError> {
        let kept = self.definitions.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(integration).cloned().ok_or_else(|| LocationError::Refused {
            object: ObjectId::new(Kind::Integration, integration),
            why: format!("its definition was not read in {}", self.tenant),
        })
    }

    fn capabilities(&self) -> Capabilities {
        live::CAPABILITIES
    }

    fn begin<'a>(&'a self, _: &[&Change]) -> Result<Box<dyn Session + 'a>, LocationError> {
        Err(LocationError::ReadOnly { who: self.tenant.clone(), why: NOT_WRITTEN.to_string() })
    }

    fn dry_run(&self, _: &[&Action]) -> Result<Vec<(ObjectId, LocationError)>, LocationError> {
        Ok(Vec::new())
    }
}

/// Whether two URLs name the same stack.
pub fn is_same_stack(one: &str, other: &str) -> bool {
    match (Origin::parse(one), Origin::parse(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

/// An error and what to do about it, on one line.
fn with_help(error: &dyn std::fmt::Display, help: &str) -> String {
    let help: Vec<&str> = help.split_whitespace().collect();
    format!("{error}; {}", help.join(" "))
}

/// Whether a live value is the declared one. Of a secret that is there and of which nothing is recorded, the reference
/// that the source names is taken as its origin.
fn is_taken_over(live: &FieldValue<'_>, declared: &FieldValue<'_>) -> bool {
    let is_unknown = matches!(live, FieldValue::Input(Input::SecretRef(reference)) if reference.is_unknown());
    live.is(declared) || (is_unknown && matches!(declared, FieldValue::Input(Input::SecretRef(_))))
}

/// Why nothing is written.
const NOT_WRITTEN: &str =
    "this version of stablekey does not write to the platform; make the changes there, then import again";
