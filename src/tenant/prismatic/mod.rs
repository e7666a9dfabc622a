//! Tenants whose location is an organization on the integration platform, Prismatic.

mod definitions;
mod doctor;
mod document;
mod live;
mod opted_in;
mod organization;
mod pages;
mod profile;
mod read;
pub mod record;
mod secrets;
mod session;
mod stack;
mod token;
mod write;

pub use doctor::{AskToSignIn, MeasuredType};
pub use live::Expected;
pub use secrets::variables_of;
pub use token::TokenSecret;

use super::location::{HealthCheck, Location, LocationError, Session, Snapshot};
use crate::api::{Input, Kind, PrismaticLocation, SecretsFrom};
use crate::engine::model::field::{Field, FieldKind, FieldValue};
use crate::engine::model::inventory::{Capabilities, Inventory, Publishing, Supply};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::{Action, Change};
use crate::engine::model::record::{Record, Writer, Wrote};
use crate::http_client::client::{HttpClient, Proxies, Trust};
use crate::http_client::origin::Origin;
use crate::kubernetes::client::{Server, WriteFence};
use crate::platform::answer::Answer;
use jiff::Timestamp;
use opted_in::OptedIn;
use organization::Organization;
use pages::ListFailure;
use record::{
    ConfigMapRecords, FolderRecords, Host, RecordError, RecordStore, RecordedSet, RunReceipt, StoredRecord,
    TenantRecord, git_records,
};
use secrets::SecretSource;
use session::OrganizationSession;
use stack::Stack;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// The first pause before a read is repeated.
const PAUSE: Duration = Duration::from_millis(500);
/// How often the operator reads a tenant.
const INTERVAL: Duration = Duration::from_secs(60);
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
    /// The stacks of the tenants of this run.
    stacks: Mutex<BTreeMap<String, String>>,
    /// The records of each project.
    stores: Mutex<BTreeMap<PathBuf, FoundStore>>,
    /// Where the operator runs.
    operator: Option<Operator>,
}

/// Where the operator reaches the platform from.
#[derive(Clone)]
pub struct Operator {
    /// Its own cluster. It has the records, and the secrets of tenants.
    pub server: Server,
    /// The namespace of the Tenants.
    pub namespace: String,
    /// Whether this process leads. Checked before each write.
    pub fence: WriteFence,
    /// The name of the replica.
    pub name: String,
    /// Maximum size of the definitions of one tenant, in bytes.
    pub limit: usize,
    /// What only tests change.
    pub settings: PlatformSettings,
}

/// How the operator reaches the platform. Only tests change it.
#[derive(Clone, Copy, Debug)]
pub struct PlatformSettings {
    /// Whether plain HTTP to this machine is allowed.
    pub allows_loopback: bool,
    /// The first pause before a read is repeated.
    pub pause: Duration,
    /// How often a tenant is read.
    pub interval: Duration,
}

impl Default for PlatformSettings {
    fn default() -> Self {
        PlatformSettings { allows_loopback: false, pause: PAUSE, interval: INTERVAL }
    }
}

/// Why the operator cannot reach a tenant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Unreached {
    /// One word in CamelCase.
    pub reason: &'static str,
    /// Why, and what to do.
    pub why: String,
    /// How long the platform asks to wait.
    pub after: Option<Duration>,
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
            stacks: Mutex::default(),
            stores: Mutex::default(),
            operator: None,
        }
    }

    /// The platform as the operator reaches it: of the environment it uses only proxies, and the folder that keeps
    /// definitions. Everything else is in its cluster.
    pub fn in_cluster(operator: Operator) -> Self {
        let is_known = |name: &str| {
            let name = name.to_ascii_uppercase();
            name.ends_with("_PROXY") || name == "XDG_CACHE_HOME"
        };
        let variables = move |name: &str| std::env::var(name).ok().filter(|_| is_known(name));
        let PlatformSettings { allows_loopback, pause, .. } = operator.settings;
        let platform = Platform::with(allows_loopback, Box::new(variables)).pausing(pause);
        // A runtime of its own could not be dropped with the work of a role.
        let _ = platform.runtime.set(Ok(operator.server.runtime()));
        Platform { operator: Some(operator), ..platform }
    }

    /// The location of a tenant in the operator, or why it cannot be reached at all. `None` as token: it is not needed
    /// to say what is wrong with the location.
    pub fn location_in_cluster(
        self: &Arc<Self>,
        tenant: &str,
        spec: &PrismaticLocation,
        token: &TokenSecret,
    ) -> Result<OrganizationLocation, Unreached> {
        let refused = |reason| move |why: String| Unreached { reason, why, after: None };
        refused_in_cluster(spec)?;
        let operator =
            self.operator.as_ref().ok_or_else(|| refused("LocationRefused")("there is no cluster".into()))?;
        let origin = self.origin(spec).map_err(refused("UrlRefused"))?;
        let tokens = token::of_secret(token, &origin, Timestamp::now())
            .map_err(|error| refused("TokenRefused")(with_help(&error, &error.help())))?;
        let stack = self.stack_of(origin, tokens, spec).map_err(refused("Unreachable"))?;
        let records = Arc::new(ConfigMapRecords::of(operator.server.clone(), &operator.namespace));
        Ok(self.located(tenant, Path::new(""), spec, stack.fenced(Some(operator.fence.clone())), records))
    }

    /// This machine and process, as a record names a run.
    fn host(&self) -> Host {
        match &self.operator {
            None => this_host(),
            Some(operator) => Host {
                name: operator.name.clone(),
                command: "stablekey controller --role sender",
                leads: true,
                ..this_host()
            },
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
        Ok(self.located(tenant, root, spec, stack, records))
    }

    fn located(
        self: &Arc<Self>,
        tenant: &str,
        root: &Path,
        spec: &PrismaticLocation,
        stack: Stack,
        records: Arc<dyn RecordStore>,
    ) -> OrganizationLocation {
        let mut stacks = self.stacks.lock().unwrap_or_else(PoisonError::into_inner);
        stacks.insert(tenant.to_string(), stack.origin().to_string());
        drop(stacks);
        OrganizationLocation {
            tenant: tenant.to_string(),
            spec: spec.clone(),
            platform: self.clone(),
            stack: Arc::new(stack),
            records,
            root: root.to_path_buf(),
            expected: Expected::default(),
            definitions: Mutex::default(),
            last: Mutex::default(),
            opted_in: Mutex::default(),
            unreached: Mutex::default(),
        }
    }

    /// Whether two tenants are on one stack, where components have the same versions.
    fn are_on_one_stack(&self, one: &str, other: &str) -> bool {
        let stacks = self.stacks.lock().unwrap_or_else(PoisonError::into_inner);
        one == other || stacks.get(one).is_some_and(|stack| stacks.get(other) == Some(stack))
    }

    /// A client for the stack of a location, with its token.
    fn stack(&self, spec: &PrismaticLocation) -> Result<Stack, String> {
        let origin = self.origin(spec)?;
        let tokens = token::find(spec, &origin, &*self.variables, Timestamp::now())
            .map_err(|error| with_help(&error, &error.help()))?;
        self.stack_of(origin, tokens, spec)
    }

    fn stack_of(&self, origin: Origin, tokens: token::Tokens, spec: &PrismaticLocation) -> Result<Stack, String> {
        let proxies = Proxies::of(&*self.variables);
        let client = HttpClient::to(&origin, &proxies, &Trust::System)?;
        Ok(Stack::new(origin, client, tokens, self.pause, spec.tenant_id.clone()))
    }

    /// The origin of a stack, if a token may be sent there at all.
    fn origin(&self, spec: &PrismaticLocation) -> Result<Origin, String> {
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
        Ok(origin)
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
    root: PathBuf,
    expected: Expected,
    /// The definitions that were read last, by the integration's name.
    definitions: Mutex<BTreeMap<String, Vec<u8>>>,
    /// What was read last, with which a plan was made.
    last: Mutex<Option<Arc<LastRead>>>,
    /// The secrets that were read last, in the operator.
    opted_in: Mutex<Option<Arc<OptedIn>>>,
    /// Why the last read failed, if the platform said so.
    unreached: Mutex<Option<(&'static str, Option<Duration>)>>,
}

/// What was read last.
struct LastRead {
    organization: Organization,
    inventory: Arc<Inventory>,
    record: TenantRecord,
    version: Option<String>,
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
                Some(Ok(read)) => Ok(read.bytes.as_slice()),
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

    /// The same location with other expected names, for the next read.
    pub fn again(&self, expected: Expected) -> Self {
        OrganizationLocation {
            tenant: self.tenant.clone(),
            spec: self.spec.clone(),
            platform: self.platform.clone(),
            stack: self.stack.clone(),
            records: self.records.clone(),
            root: self.root.clone(),
            expected,
            definitions: Mutex::default(),
            last: Mutex::default(),
            opted_in: Mutex::default(),
            unreached: Mutex::default(),
        }
    }

    /// Reads it, and its secrets, in the operator.
    pub fn poll(&self) -> Result<Snapshot, Unreached> {
        let unreached = |reason, why, after| Unreached { reason, why, after };
        if let (Some(operator), Some(SecretsFrom::Namespace(namespace))) = (&self.platform.operator, &self.spec.secrets)
        {
            let secrets = OptedIn::read(&operator.server, namespace);
            let secrets = secrets.map_err(|why| unreached("SecretsUnreadable", why, None))?;
            *self.opted_in.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(secrets));
        }
        let read = self.snapshot().map_err(|error| {
            let noted = self.unreached.lock().unwrap_or_else(PoisonError::into_inner).take();
            let (reason, after) = noted.unwrap_or(("Unreachable", None));
            let why = match error {
                LocationError::Failed { what, why } if what == self.tenant => why,
                error => error.to_string(),
            };
            unreached(reason, why, after)
        })?;
        let definitions = self.definitions.lock().unwrap_or_else(PoisonError::into_inner);
        let size: usize = definitions.values().map(Vec::len).sum();
        drop(definitions);
        if let Some(limit) =
            self.platform.operator.as_ref().map(|operator| operator.limit).filter(|limit| size > *limit)
        {
            let why = format!(
                "its definitions take {} MiB, more than the {} MiB of --tenant-limit: raise it, and the memory of the pod",
                size >> 20,
                limit >> 20
            );
            return Err(unreached("TooLarge", why, None));
        }
        // A person can look at what is there beside a list that is missing; the operator reads again.
        let last = self.last();
        match last.as_ref().and_then(|last| last.organization.unread.first_key_value()) {
            None => Ok(read),
            Some((what, failure)) => {
                let (reason, after) = match failure {
                    ListFailure::Api(failure) => failure.reason(),
                    _ => ("Unreachable", None),
                };
                let why = format_args!("the list of {what} could not be read: {failure}");
                Err(unreached(reason, with_help(&why, &failure.help()), after))
            }
        }
    }

    /// The secrets to send again, as `KEY/INPUT`: their Secrets have another version than what was sent. Only what a
    /// sync wrote is sent again by itself.
    pub fn resends(&self) -> BTreeSet<String> {
        let secrets = self.opted_in.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (Some(secrets), Some(last)) = (secrets, self.last()) else { return BTreeSet::new() };
        let mut asked = BTreeSet::new();
        for connection in last.inventory.connections.values() {
            let id = ObjectId::new(Kind::Connection, connection.name());
            let Some(recorded) = last.record.object(&id) else { continue };
            let wrote = last.inventory.records.get(&id);
            let is_of_sync = |input: &str| {
                let field = Field::named(FieldKind::Input, input);
                let wrote = wrote.and_then(|record| record.wrote(&field));
                wrote.is_some_and(|wrote| wrote.writers.iter().any(|writer| matches!(writer, Writer::Sync(_))))
            };
            let changed = secrets.changed(&connection.spec.inputs, &recorded.secret_versions);
            let changed = changed.filter(|input| is_of_sync(input));
            asked.extend(changed.map(|input| format!("{}/{input}", connection.spec.stable_key)));
        }
        asked
    }

    /// Number of reads and of writes that were sent to the platform until now.
    pub fn calls(&self) -> (usize, usize) {
        self.stack.calls()
    }

    /// Where the content of its secrets comes from.
    fn secrets(&self) -> SecretSource<'_> {
        if let Some(secrets) = &*self.opted_in.lock().unwrap_or_else(PoisonError::into_inner) {
            return SecretSource::OptedIn(secrets.clone());
        }
        SecretSource::of(&self.tenant, &self.root, self.spec.secrets.as_ref(), &*self.platform.variables)
    }

    /// What was read last.
    fn last(&self) -> Option<Arc<LastRead>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The last runs that changed something, newest first, as the record has them.
    pub fn receipts(&self) -> Vec<RunReceipt> {
        self.last().map(|last| last.record.receipts.clone()).unwrap_or_default()
    }

    /// A definition as it was read last.
    fn kept_definition(&self, integration: &str) -> Option<Vec<u8>> {
        self.definitions.lock().unwrap_or_else(PoisonError::into_inner).get(integration).cloned()
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
        let mut wanted = self.expected.wanted();
        let imported = stored.record.objects.values();
        wanted.credentials_of.extend(stored.record.sets().map(|(_, spec)| spec.connection));
        wanted.imported = imported.filter_map(|object| Some((object.id.clone()?, object.pending?))).collect();
        let organization = runtime.block_on(read::organization(&self.stack, cache, &wanted)).map_err(|failure| {
            let origin = self.stack.origin();
            *self.unreached.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure.reason());
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
    fn keep_identity(&self, organization: &Organization, stored: &mut StoredRecord) -> Option<String> {
        let identity = organization.identity.clone().filter(|_| stored.record.organization.is_none())?;
        let mut record = stored.record.clone();
        record.organization = Some(identity);
        let message = format!("first read of {}", self.tenant);
        match self.records.write(&record, stored.version.as_deref(), &message) {
            Ok(version) => {
                *stored = StoredRecord { record, version: Some(version) };
                None
            }
            // Whoever was faster recorded it too, and the next run checks it.
            Err(RecordError::Lost { .. }) => None,
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
            let Some(Ok(read)) = organization.definitions.get(&id) else { continue };
            if inventory.integrations.contains_key(&name) {
                kept.insert(name, read.bytes.clone());
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
        // What is imported is what is there, however it came there.
        record.objects.values_mut().for_each(|object| object.definition = None);
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
            if let Item::CustomerCredentials(credentials) = &item {
                entry.set = Some(RecordedSet::of(&credentials.spec));
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
        let (organization, mut stored) = self.read()?;
        let mut late: Vec<String> = Vec::new();
        let mut inventory = live::inventory(&self.tenant, &organization, &stored.record, &self.expected);
        if self.spec.publish == Some(true) {
            inventory.can.publishing = Publishing::ByStablekey;
        }
        for (name, before) in stored.record.imported_by_runs(&inventory) {
            if let Some(facts) = inventory.integration_facts.get_mut(&name) {
                Arc::make_mut(facts).imported_after = Some(before);
            }
        }
        if let Some(measured) = stored.record.doctor.as_ref().and_then(|doctor| doctor.updates.as_ref()) {
            match measured.holds(Timestamp::now()) {
                true => {
                    inventory.can.merges_inputs = measured.merges_inputs;
                    inventory.can.may_sign_out = measured.keeps_sign_in != Some(true);
                }
                false => late.push(format!(
                    "what updates do in {} was measured on {}, which is too long ago: stablekey doctor {} --measure",
                    self.tenant, measured.at, self.tenant
                )),
            }
        }
        self.keep_definitions(&organization, &inventory, &stored.record);
        let mut cautions: Vec<String> = late;
        if let Some(caution) = self.records.caution() {
            cautions.push(caution.to_string());
        }
        cautions.extend(organization.unread_facts.iter().map(|(what, failure)| {
            format!(
                "the list of {what} of {} could not be read, so what uses a connection is not all known: {failure}",
                self.tenant
            )
        }));
        if stored.version.is_none() && stored.record.objects.is_empty() {
            cautions.push(format!(
                "there was no record of {}: what stablekey wrote there is unknown, if it wrote there before",
                self.tenant
            ));
        }
        cautions.extend(self.keep_identity(&organization, &mut stored));
        if let Some(run) = &stored.record.run {
            cautions.push(match run.may_be_alive(&self.platform.host()) {
                true => run.text(&self.tenant),
                false => format!(
                    "an apply to {} by {} was interrupted: what it wrote counts, and the next apply takes it up",
                    self.tenant,
                    run.who_since()
                ),
            });
        }
        match self.secrets().supply() {
            Ok(supply) => inventory.supply = supply,
            Err(why) => {
                cautions.push(format!("the secrets of {} are not known: {why}", self.tenant));
                inventory.supply = Supply::Unreadable { why };
            }
        }
        let tenant_id = organization.identity.as_ref().map(|identity| identity.tenant_id.clone());
        let StoredRecord { record, version } = stored;
        let inventory = Arc::new(inventory);
        let last = LastRead { organization, inventory: Arc::clone(&inventory), record, version };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(last));
        Ok(Snapshot { inventory, organization: tenant_id, cautions, ..Snapshot::default() })
    }

    fn definition(&self, integration: &str) -> Result<Vec<u8>, LocationError> {
        self.kept_definition(integration).ok_or_else(|| LocationError::Refused {
            object: ObjectId::new(Kind::Integration, integration),
            why: format!("its definition was not read in {}", self.tenant),
        })
    }

    fn capabilities(&self) -> Capabilities {
        live::CAPABILITIES
    }

    fn begin<'a>(&'a self, coming: &[&Change]) -> Result<Box<dyn Session + 'a>, LocationError> {
        Ok(Box::new(OrganizationSession::begin(self, coming)?))
    }

    fn diagnose(&self) -> Vec<HealthCheck> {
        self.checks()
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

/// Refuses what only the command line can do: tokens and secrets of a person's machine.
pub fn refused_in_cluster(spec: &PrismaticLocation) -> Result<(), Unreached> {
    let refused = |reason, why: String| Err(Unreached { reason, why, after: None });
    if let Some(error) = token::not_in_secret(spec) {
        return refused("TokenRefused", with_help(&error, &error.help()));
    }
    match &spec.secrets {
        None | Some(SecretsFrom::Namespace(_)) => Ok(()),
        Some(SecretsFrom::Directory(_) | SecretsFrom::Env(_)) => refused(
            "SecretsRefused",
            "secrets of a directory or of the environment are for the command line: write secrets: {namespace: …}"
                .to_string(),
        ),
    }
}

/// This machine and process, as a record names a run.
fn this_host() -> Host {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_string();
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_default();
    let (process, now) = (std::process::id(), Timestamp::now());
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let container = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let machine = format!("{} {}", boot.trim(), container.display());
    Host { name, user, process, machine, now, command: "stablekey apply", leads: false }
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
