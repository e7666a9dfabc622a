//! The connections to all tenants of a hub: opened according to the Tenants, watched or read from time to time, and
//! closed.

use super::super::context::Context;
use super::super::named_secret::{self, NamedSecret, fingerprint};
use super::super::role::Role;
use super::git_commit::GitPollResult;
use super::git_sources::{GitSources, UNREAD};
use super::hub_objects::HubObjects;
use super::polled::{Poll, PollResult, PolledTenant, ReadOutcome};
use super::tenant::{ConnectedTenant, TenantRefusal, Whereabouts, whereabouts};
use crate::api::{LocationSpec, Object, PrismaticLocation, SecretKeyRef, SecretsFrom, TenantSpec, TokenFrom};
use crate::engine::model::inventory::{Inventory, View};
use crate::engine::sync_rules::requested_at;
use crate::kubernetes::budget::Budget;
use crate::kubernetes::cache::{ChangedObjects, Delta, NamespaceDelta};
use crate::kubernetes::client::{Server, ServerCredentials};
use crate::kubernetes::kubeconfig as vetting;
use crate::kubernetes::kubeconfig::{TokenExpiry, expiry_of_token};
use crate::kubernetes::object::Live;
use crate::kubernetes::paths::Paths;
use crate::kubernetes::watch;
use crate::kubernetes::watch::{Room, WatchEvent, WatchHandle, WatchHandler, WatchSet};
use crate::secret::Secret;
use crate::tenant::prismatic::{Expected, Operator, Platform, TokenSecret};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tracing::{info, warn};

/// The reason of a tenant whose secrets another tenant would send too.
const SHARED: &str = "SecretsShared";
/// The reason of a tenant that this role does not connect to.
const OF_OTHER_ROLE: &str = "OfOtherRole";

/// An event of a tenant, or of a Secret with kubeconfigs.
#[derive(Debug)]
pub(super) enum TenantEvent {
    /// Of a Secret with kubeconfigs or tokens.
    Secret {
        /// The Secret's name.
        secret: String,
        event: WatchEvent<Delta<NamedSecret>>,
    },
    /// The source of a tenant in Git was read; `None` if the read panicked.
    Source {
        tenant: String,
        /// The number of the connection.
        epoch: u64,
        result: Option<GitPollResult>,
    },
    /// A tenant on the platform was read; `None` if the read panicked.
    Read {
        tenant: Arc<str>,
        /// The number of the connection.
        epoch: u64,
        result: Option<Box<PollResult>>,
    },
    /// Of a tenant's location.
    Location {
        tenant: Arc<str>,
        /// The number of the connection.
        epoch: u64,
        event: WatchEvent<NamespaceDelta>,
    },
}

/// Receives the events.
pub(super) type OnTenantEvent = Arc<dyn Fn(TenantEvent) + Send + Sync>;

/// The connection to a tenant, or why there is none.
pub(super) type Connected = Result<Connection, TenantRefusal>;

/// The connection to a tenant.
pub(super) enum Connection {
    /// A namespace, which is watched.
    Watched(Box<ConnectedTenant>),
    /// An organization on the platform, which is read from time to time.
    Polled(Box<PolledTenant>),
}

impl Connection {
    /// Returns the namespace, if it is one.
    pub(super) fn watched(&self) -> Option<&ConnectedTenant> {
        match self {
            Connection::Watched(tenant) => Some(tenant),
            Connection::Polled(_) => None,
        }
    }

    /// Returns the organization, if it is one.
    pub(super) fn polled(&self) -> Option<&PolledTenant> {
        match self {
            Connection::Watched(_) => None,
            Connection::Polled(tenant) => Some(tenant),
        }
    }

    /// Returns the objects that were read.
    pub(super) fn inventory(&self) -> Option<&Arc<Inventory>> {
        match self {
            Connection::Watched(tenant) => Some(tenant.cache.inventory()),
            Connection::Polled(tenant) => tenant.inventory(),
        }
    }

    fn error(&self) -> Option<String> {
        match self {
            Connection::Watched(tenant) => tenant.error(),
            Connection::Polled(tenant) => tenant.error(),
        }
    }

    fn is_being_read(&self) -> bool {
        match self {
            Connection::Watched(tenant) => tenant.is_being_read(),
            Connection::Polled(tenant) => tenant.is_being_read(),
        }
    }

    /// Returns its effective spec and its objects.
    pub(super) fn view(&self, tenant: &Object<TenantSpec>) -> (TenantSpec, View) {
        match self {
            Connection::Watched(connected) => connected.view(tenant),
            Connection::Polled(polled) => polled.view(tenant),
        }
    }

    /// Returns the shared flag that is true while it answers.
    pub(super) fn answers(&self) -> Arc<AtomicBool> {
        match self {
            Connection::Watched(tenant) => tenant.answers(),
            Connection::Polled(tenant) => tenant.answers(),
        }
    }

    /// Returns the number of this connection.
    pub(super) fn epoch(&self) -> u64 {
        match self {
            Connection::Watched(tenant) => tenant.epoch,
            Connection::Polled(tenant) => tenant.epoch,
        }
    }

    /// Returns the counter of changes, and its current value.
    pub(super) fn stirs(&self) -> (Arc<AtomicU64>, u64) {
        match self {
            Connection::Watched(tenant) => tenant.stirs(),
            Connection::Polled(tenant) => tenant.stirs(),
        }
    }

    /// Returns why nothing may be deleted because of objects that it lacks, and from when on it may.
    pub(super) fn unsettled(&self, delete_after: Duration, now: Instant) -> Option<(String, Option<Instant>)> {
        match self {
            Connection::Watched(tenant) => tenant.unsettled(delete_after, now),
            Connection::Polled(tenant) => tenant.unsettled(delete_after, now),
        }
    }

    /// Whether its history went back, as after a restore.
    pub(super) fn is_rewound(&self) -> bool {
        self.watched().is_some_and(ConnectedTenant::is_rewound)
    }
}

/// The namespaces with the secrets of tenants, over all hubs of a process: each with the hub and tenant that name it.
#[derive(Clone, Debug, Default)]
pub(super) struct SecretClaims(Arc<Mutex<BTreeMap<(String, String), String>>>);

impl SecretClaims {
    /// Sets the namespaces that the tenants of a hub name, by tenant.
    fn set(&self, hub: &str, namespaces: impl Iterator<Item = (String, String)>) {
        let mut claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        claims.retain(|(of, _), _| of != hub);
        claims.extend(namespaces.map(|(tenant, namespace)| ((hub.to_string(), tenant), namespace)));
    }

    /// Returns why a tenant does not get the secrets of a namespace: other tenants name it too, here or in another hub.
    fn shared(&self, hub: &str, tenant: &str, namespace: &str) -> Option<String> {
        let claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_other = |(of, name): &(String, String)| of != hub || name != tenant;
        let others = claims.iter().filter(|(claim, there)| is_other(claim) && there.as_str() == namespace);
        let name = |(of, name): &(String, String)| match of == hub {
            true => name.clone(),
            false => format!("{name} of namespace {of}"),
        };
        let others: Vec<String> = others.map(|(claim, _)| name(claim)).collect();
        (!others.is_empty()).then(|| {
            format!(
                "namespace {namespace} with its secrets has those of {} too: give each tenant a namespace of its own",
                others.join(", ")
            )
        })
    }
}

/// What is due to be done with a tenant on the platform.
pub(super) enum DueRead {
    Read {
        tenant: String,
        epoch: u64,
        poll: Box<Poll>,
    },
    /// It is not read, and this is new.
    Refused,
}

/// What a connection was opened by: another one of these needs another connection.
#[derive(Clone, Debug, PartialEq, Eq)]
struct OpenedBy {
    there: Whereabouts,
    /// A hash of the kubeconfig or token.
    secret: Option<[u8; 32]>,
    /// The hosts of the token.
    hosts: Option<String>,
    /// The last request to reconcile, where the platform is read again because of it.
    requested: Option<String>,
}

/// The state of a Secret with kubeconfigs or tokens.
struct KnownSecret {
    /// `None` before the first read. Inside: `None` if the Secret does not exist.
    read: Option<Result<Option<NamedSecret>, String>>,
    _following: WatchHandle,
}

/// The connections to all tenants of a hub.
pub(super) struct TenantConnections {
    context: Context,
    paths: Paths,
    report: OnTenantEvent,
    platform: Arc<Platform>,
    claims: SecretClaims,
    secrets: BTreeMap<String, KnownSecret>,
    found: BTreeMap<String, Connected>,
    /// By tenant: what its connection was opened by.
    found_by: BTreeMap<String, OpenedBy>,
    /// By tenant: the expiry of the token in its kubeconfig.
    expiries: BTreeMap<String, TokenExpiry>,
    epochs: u64,
}

impl TenantConnections {
    /// Creates the connections of a hub. Events are sent to `report`, whose receiver passes them to
    /// [`TenantConnections::on_event`].
    pub(super) fn new(context: Context, paths: Paths, report: OnTenantEvent, claims: SecretClaims) -> Self {
        let (secrets, found, found_by) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let leadership = context.leadership.clone();
        let platform = Arc::new(Platform::in_cluster(Operator {
            server: context.server.clone(),
            namespace: paths.namespace().to_string(),
            fence: Arc::new(move || leadership.holds()),
            name: context.replica.to_string(),
            limit: context.tenant_limit,
            settings: context.platform,
        }));
        let expiries = BTreeMap::new();
        TenantConnections { context, paths, report, platform, claims, secrets, found, found_by, expiries, epochs: 0 }
    }

    /// Opens connections to the locations of the Tenants, and closes those that no Tenant names any more.
    /// CustomerCredentials are read only of targets: a source needs none.
    pub(super) async fn connect_all(&mut self, objects: &HubObjects) {
        let targets = objects.targets();
        let wanted = self.wanted(objects);
        let asked = |name: &String| {
            let tenant = objects.tenants.get(name).and_then(|live| live.read.as_ref().ok());
            tenant.and_then(|tenant| requested_at(&tenant.metadata))
        };
        self.found.retain(|name, _| wanted.contains_key(name));
        self.found_by.retain(|name, _| wanted.contains_key(name));
        let left = self.expiries.keys().filter(|name| !wanted.contains_key(*name));
        left.cloned().collect::<Vec<_>>().iter().for_each(|name| self.expires(name, None));
        let of_locations = wanted.values().flatten().filter_map(secret_of).map(|secret| &secret.name);
        let of_sources = objects.git_sources().filter_map(|(_, git)| Some(&git.secret_ref.as_ref()?.name));
        let secrets: BTreeSet<String> = of_locations.chain(of_sources).cloned().collect();
        self.secrets.retain(|name, _| secrets.contains(name));
        for secret in secrets {
            if !self.secrets.contains_key(&secret) {
                let known = KnownSecret { read: None, _following: self.follow_secret(&secret) };
                self.secrets.insert(secret, known);
            }
        }
        for (name, there) in wanted {
            let found = match there {
                Ok(Whereabouts::Platform(location)) => self.connect_platform(&name, &location, asked(&name)),
                Ok(there) => self.connect(&name, there, targets.contains(&name)).await,
                Err(refusal) => Some(Err(refusal)),
            };
            let Some(found) = found else { continue };
            if let Err(refusal) = &found {
                self.found_by.remove(&name);
                if refusal.reason != UNREAD {
                    self.expires(&name, None);
                }
                let is_new = !self.found.get(&name).is_some_and(|known| known.as_ref().err() == Some(refusal));
                if ![UNREAD, OF_OTHER_ROLE].contains(&refusal.reason) && is_new {
                    warn!(tenant = name, reason = refusal.reason, why = %refusal, "not connected");
                }
            }
            self.found.insert(name, found);
        }
    }

    /// Returns the locations of the tenants that this role connects to, and why it does not connect to the others.
    fn wanted(&self, objects: &HubObjects) -> BTreeMap<String, Result<Whereabouts, TenantRefusal>> {
        let role = self.context.role;
        let sources = objects.all_sources();
        let hub = self.paths.namespace();
        let namespaces = objects.tenants.iter().filter_map(|(name, live)| Some((name.clone(), secrets_of(live)?)));
        self.claims.set(hub, namespaces);
        let there = |name: &String, tenant: &Object<TenantSpec>| {
            let is_on_platform = matches!(tenant.spec.location, Some(LocationSpec::Prismatic(_)));
            match role {
                Role::Sender if !is_on_platform && !sources.contains(name) => of_other_role("the syncer watches it"),
                Role::Binder | Role::Syncer if is_on_platform => of_other_role(
                    "it is on the platform, and the syncer, which writes to clusters, has no access to the platform: carry \
                     this sync out with the command line (stablekey apply), from a project that has both tenants",
                ),
                _ => match of_spec(&tenant.spec).and_then(|namespace| self.claims.shared(hub, name, namespace)) {
                    Some(why) => Err(TenantRefusal { reason: SHARED, why }),
                    None => whereabouts(hub, &tenant.spec),
                },
            }
        };
        let readable = objects.tenants.iter().filter_map(|(name, live)| Some((name, live.read.as_ref().ok()?)));
        readable.map(|(name, tenant)| (name.clone(), there(name, tenant))).collect()
    }

    /// Opens the connection to an organization on the platform; `None` if the existing one is still right.
    fn connect_platform(
        &mut self,
        name: &str,
        location: &PrismaticLocation,
        requested: Option<String>,
    ) -> Option<Connected> {
        let token = match self.token(location) {
            Ok(token) => token,
            Err(refusal) => return Some(Err(refusal)),
        };
        let by = OpenedBy {
            there: Whereabouts::Platform(location.clone()),
            secret: Some(fingerprint(&token.token)),
            hosts: token.hosts.clone(),
            requested,
        };
        if self.found.get(name).is_some_and(Result::is_ok) && self.found_by.get(name) == Some(&by) {
            return None;
        }
        let organization = match self.platform.location_in_cluster(name, location, &token) {
            Ok(organization) => organization,
            Err(refused) => return Some(Err(TenantRefusal { reason: refused.reason, why: refused.why })),
        };
        self.found_by.insert(name.to_string(), by);
        self.epochs += 1;
        info!(tenant = name, url = location.url, "read from time to time");
        let waiting = self.context.readiness.waits(self.context.role.as_str(), format!("tenant {name}"));
        let polled = PolledTenant::new(name, self.epochs, organization, self.context.platform, waiting);
        Some(Ok(Connection::Polled(Box::new(polled))))
    }

    /// Returns the token of a tenant on the platform.
    fn token(&self, location: &PrismaticLocation) -> Result<TokenSecret, TenantRefusal> {
        let Some(TokenFrom::SecretRef(at)) = &location.token_from else {
            return Err(TenantRefusal { reason: "TokenRefused", why: "tokenFrom names no Secret".to_string() });
        };
        let (secret, text) = self.secret_text(at, ["TokenUnreadable", "TokenMissing"])?;
        let token = Secret::new(text.expose().to_string());
        Ok(TokenSecret { at: at.clone(), hosts: secret.hosts.clone(), token })
    }

    /// Begins the reads that are due.
    pub(super) fn begin_reads(&mut self, objects: &HubObjects, git: &GitSources, now: Instant) -> Vec<DueRead> {
        let names: Vec<String> = self.polled().map(|(name, _)| name.clone()).collect();
        let mut due = Vec::new();
        for name in names {
            if !self.polled_mut(&name).is_some_and(|tenant| tenant.is_due(now)) {
                continue;
            }
            let namespace = objects.tenants.get(&name).and_then(secrets_of);
            let shared = namespace.and_then(|namespace| self.claims.shared(self.paths.namespace(), &name, &namespace));
            let expected = self.expected(&name, objects, git);
            let Some(tenant) = self.polled_mut(&name) else { continue };
            match shared {
                Some(why) => due.extend(tenant.refuse(SHARED, why, now).then_some(DueRead::Refused)),
                None => {
                    let (epoch, poll) = (tenant.epoch, Box::new(tenant.begin(expected, now)));
                    due.push(DueRead::Read { tenant: name, epoch, poll });
                }
            }
        }
        due
    }

    /// Returns when the next read is due.
    pub(super) fn wakes(&self) -> impl Iterator<Item = Instant> {
        self.polled().filter_map(|(_, tenant)| tenant.wakes())
    }

    /// Takes the result of a read. `None` for a read of an earlier connection.
    pub(super) fn on_read(&mut self, name: &str, epoch: u64, result: PollResult, now: Instant) -> Option<ReadOutcome> {
        let metrics = self.context.metrics.clone();
        let tenant = self.polled_mut(name).filter(|tenant| tenant.epoch == epoch)?;
        metrics.platform_read(name, result.took);
        let outcome = tenant.on_read(result, now);
        let (reads, writes) = tenant.requests();
        metrics.platform_requests(name, reads, writes);
        Some(if self.find_same_organizations(now) { ReadOutcome::Changed } else { outcome })
    }

    /// Two Tenants that are one organization are errors on both: what one writes, the other would undo.
    fn find_same_organizations(&mut self, now: Instant) -> bool {
        let mut by_organization: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, tenant) in self.polled() {
            if let Some(organization) = tenant.organization() {
                by_organization.entry(organization.to_string()).or_default().push(name.clone());
            }
        }
        let names: Vec<String> = self.polled().map(|(name, _)| name.clone()).collect();
        let mut is_changed = false;
        for name in names {
            let of_this = by_organization.values().find(|names| names.contains(&name));
            let others: Vec<&str> =
                of_this.into_iter().flatten().filter(|other| **other != name).map(String::as_str).collect();
            let others = (!others.is_empty()).then(|| others.join(", "));
            if let Some(tenant) = self.polled_mut(&name) {
                is_changed |= tenant.is_same_as(others, now);
            }
        }
        is_changed
    }

    /// The names that the sources of a tenant use: integrations and connections are found on the platform by them.
    fn expected(&self, tenant: &str, objects: &HubObjects, git: &GitSources) -> Expected {
        let mut expected = Expected::default();
        let sources = objects.sources(tenant).filter(|source| *source != tenant).filter_map(|source| self.open(source));
        sources.filter_map(Connection::inventory).for_each(|inventory| expected.learn(inventory));
        if let Some(own) = git.inventory(tenant) {
            expected.learn(&own);
            expected.declare(&own);
        }
        expected
    }

    /// Whether a full reconcile of a target may begin with what was read of it. If not, it is read first.
    pub(super) fn is_fresh(&mut self, tenant: &str, objects: &HubObjects, git: &GitSources, now: Instant) -> bool {
        let Some(Ok(Connection::Polled(polled))) = self.found.get(tenant) else { return true };
        if polled.is_fresh(|| self.expected(tenant, objects, git), now) {
            return true;
        }
        self.refresh(tenant, now);
        false
    }

    /// Handles a read that panicked.
    pub(super) fn on_broken_read(&mut self, tenant: &str, epoch: u64, now: Instant) {
        let polled = self.polled_mut(tenant).filter(|tenant| tenant.epoch == epoch);
        polled.into_iter().for_each(|tenant| tenant.on_broken_read(now));
    }

    /// Reads a tenant before anything else is reconciled with it, because it was written.
    pub(super) fn refresh(&mut self, tenant: &str, now: Instant) {
        self.polled_mut(tenant).into_iter().for_each(|tenant| tenant.refresh(now));
    }

    /// Reads a tenant now, because a person or a tool asked for it.
    pub(super) fn read_now(&mut self, tenant: &str, now: Instant) {
        self.polled_mut(tenant).into_iter().for_each(|tenant| tenant.read_now(now));
    }

    fn polled(&self) -> impl Iterator<Item = (&String, &PolledTenant)> {
        self.found.iter().filter_map(|(name, found)| Some((name, found.as_ref().ok()?.polled()?)))
    }

    fn polled_mut(&mut self, tenant: &str) -> Option<&mut PolledTenant> {
        match self.found.get_mut(tenant)? {
            Ok(Connection::Polled(polled)) => Some(polled),
            _ => None,
        }
    }

    /// Opens the connection to a tenant in a cluster; `None` if the existing one is still right.
    async fn connect(&mut self, name: &str, there: Whereabouts, is_target: bool) -> Option<Connected> {
        let Whereabouts::Cluster { namespace, kubeconfig: secret } = there.clone() else { return None };
        let kubeconfig = match secret.as_ref().map(|secret| self.kubeconfig(secret)).transpose() {
            Ok(kubeconfig) => kubeconfig,
            Err(refusal) => return Some(Err(refusal)),
        };
        let by = OpenedBy { there, secret: kubeconfig.map(fingerprint), hosts: None, requested: None };
        if self.found.get(name).is_some_and(Result::is_ok) && self.found_by.get(name) == Some(&by) {
            if let Some(Ok(Connection::Watched(known))) = self.found.get_mut(name)
                && is_target
            {
                known.watch_customers();
            }
            return None;
        }
        let expiry = kubeconfig.and_then(expiry_of_token);
        let server = match kubeconfig {
            None => self.context.server.clone(),
            Some(kubeconfig) => match self.server(name, kubeconfig).await {
                Ok(server) => match secret {
                    Some(secret) => server.with_credentials(ServerCredentials::Secret { tenant: name.into(), secret }),
                    None => server,
                },
                Err(why) => return Some(Err(TenantRefusal { reason: "KubeconfigRefused", why })),
            },
        };
        self.expires(name, expiry);
        self.found_by.insert(name.to_string(), by);
        self.epochs += 1;
        let (epoch, paths) = (self.epochs, Paths::of(&namespace));
        let budget = Budget::of(self.context.tenant_limit).in_turn(&self.context.turns);
        let following = watch::namespace(&server, &paths, budget, self.reporter(name, epoch));
        info!(tenant = name, namespace, cluster = server.name(), "watched");
        let waiting = self.context.readiness.waits(self.context.role.as_str(), format!("tenant {name}"));
        let before = self.found.get(name).and_then(|found| found.as_ref().ok()?.watched());
        let limit = self.context.tenant_limit;
        let mut connected = ConnectedTenant::new(name, epoch, (server, paths), following, limit, waiting).after(before);
        if is_target {
            connected.watch_customers();
        }
        Some(Ok(Connection::Watched(Box::new(connected))))
    }

    async fn server(&self, tenant: &str, kubeconfig: &Secret) -> Result<Server, String> {
        let vetted = vetting::vetted(kubeconfig.expose()).map_err(|error| format!("its kubeconfig: {error}"))?;
        let server = self.context.servers.connect_by(vetted, tenant).await?;
        let leadership = self.context.leadership.clone();
        let server = server.guarded(Arc::new(move || leadership.holds()));
        Ok(server.observed(self.context.metrics.observer(tenant)).settling())
    }

    /// Sets the expiry of the token in a tenant's kubeconfig.
    fn expires(&mut self, name: &str, expiry: Option<TokenExpiry>) {
        let seconds = expiry.map(|expiry| (expiry.at.as_second(), expiry.renew_before.as_second()));
        self.context.metrics.kubeconfig_expires(name, seconds);
        match expiry {
            Some(expiry) => drop(self.expiries.insert(name.to_string(), expiry)),
            None => drop(self.expiries.remove(name)),
        }
    }

    /// Returns the expiry of the token in a tenant's kubeconfig.
    pub(super) fn expiry(&self, tenant: &str) -> Option<TokenExpiry> {
        self.expiries.get(tenant).copied()
    }

    /// Returns the handler that reports the events of this connection.
    fn reporter(&self, tenant: &str, epoch: u64) -> WatchHandler<NamespaceDelta> {
        let (report, tenant): (_, Arc<str>) = (self.report.clone(), tenant.into());
        Arc::new(move |event| report(TenantEvent::Location { tenant: tenant.clone(), epoch, event }))
    }

    /// Returns the listener that applies the answers to writes.
    pub(super) fn listener(&self, tenant: &str, epoch: u64) -> crate::tenant::cluster::Listener {
        let report = self.reporter(tenant, epoch);
        Arc::new(move |delta| report(WatchEvent::Changed(delta, Room::default())))
    }

    fn follow_secret(&self, name: &str) -> WatchHandle {
        let (report, secret) = (self.report.clone(), name.to_string());
        let on_event: WatchHandler<Delta<NamedSecret>> =
            Arc::new(move |event| report(TenantEvent::Secret { secret: secret.clone(), event }));
        let mut watches = WatchSet::new(&self.context.server, &self.paths, on_event);
        watches.watch(named_secret::listing(&self.paths, name), |delta| delta);
        watches.done()
    }

    fn kubeconfig(&self, secret: &SecretKeyRef) -> Result<&Secret, TenantRefusal> {
        self.secret_text(secret, ["KubeconfigUnreadable", "KubeconfigMissing"]).map(|(_, text)| text)
    }

    /// Returns a Secret, and the text of its key. The reasons are for one that is unreadable, or missing.
    fn secret_text(
        &self,
        secret: &SecretKeyRef,
        [unreadable, missing]: [&'static str; 2],
    ) -> Result<(&NamedSecret, &Secret), TenantRefusal> {
        let known = self.secret(&secret.name, [unreadable, missing])?;
        let why = || format!("Secret {} has no key {}", secret.name, secret.key);
        known.text(&secret.key).map(|text| (known, text)).ok_or_else(|| TenantRefusal { reason: missing, why: why() })
    }

    /// Returns a Secret. The reasons are for one that is unreadable, or missing.
    pub(super) fn secret(
        &self,
        name: &str,
        [unreadable, missing]: [&'static str; 2],
    ) -> Result<&NamedSecret, TenantRefusal> {
        let refuse = |reason, why: String| Err(TenantRefusal { reason, why });
        match self.secrets.get(name).and_then(|known| known.read.as_ref()) {
            None => refuse(UNREAD, format!("Secret {name} was not read yet")),
            Some(Err(why)) => refuse(unreadable, format!("Secret {name} cannot be read: {why}")),
            Some(Ok(None)) => refuse(missing, format!("there is no Secret {name}")),
            Some(Ok(Some(known))) => Ok(known),
        }
    }

    /// Applies an event of a Secret with kubeconfigs or tokens. Afterwards the tenants must be connected again.
    pub(super) fn on_secret(&mut self, secret: &str, event: WatchEvent<Delta<NamedSecret>>) {
        let Some(known) = self.secrets.get_mut(secret) else { return };
        match event {
            WatchEvent::Changed(Delta::All(all), _) => known.read = Some(Ok(all.into_iter().next())),
            WatchEvent::Changed(Delta::Set(secret), _) => known.read = Some(Ok(Some(secret))),
            WatchEvent::Changed(Delta::Again, _) => {}
            WatchEvent::Changed(Delta::Only { names, .. }, _) if !names.is_empty() => {}
            WatchEvent::Changed(Delta::Only { .. } | Delta::Gone { .. }, _) => known.read = Some(Ok(None)),
            // The value that was read last stays valid.
            WatchEvent::Lost(_, error) if known.read.is_none() => known.read = Some(Err(error.to_string())),
            WatchEvent::Lost(..) | WatchEvent::Watched(_) | WatchEvent::Rewound(_) => {}
        }
    }

    /// Applies an event of a tenant, and returns what must be reconciled because of it, and whether the readiness of an
    /// integration changed. Events of an earlier connection are ignored.
    pub(super) fn on_event(
        &mut self,
        tenant: &str,
        epoch: u64,
        event: WatchEvent<NamespaceDelta>,
    ) -> Option<(ChangedObjects, bool, &ConnectedTenant)> {
        let Ok(Connection::Watched(location)) = self.found.get_mut(tenant)? else { return None };
        if location.epoch != epoch {
            return None;
        }
        let changed = location.on_event(event);
        let has_turned = location.cache.take_turned();
        Some((changed, has_turned, location))
    }

    /// Returns the connection to a tenant.
    pub(super) fn get(&self, tenant: &str) -> Option<&Connected> {
        self.found.get(tenant)
    }

    /// Returns the connection to a tenant that can be read and written.
    pub(super) fn open(&self, tenant: &str) -> Option<&Connection> {
        self.get(tenant)?.as_ref().ok().filter(|location| location.error().is_none())
    }

    /// Returns the connected tenants.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Connection)> {
        self.found.iter().filter_map(|(name, location)| Some((name, location.as_ref().ok()?)))
    }

    /// Returns the number of tenants with a connection or a refusal.
    pub(super) fn len(&self) -> usize {
        self.found.len()
    }

    /// Returns the effective spec and the cached objects of a tenant; `None` if there was no attempt to connect.
    pub(super) fn view(&self, tenant: &Object<TenantSpec>) -> Option<(TenantSpec, View)> {
        Some(match self.get(tenant.name())? {
            Ok(location) => location.view(tenant),
            Err(refusal) => (tenant.spec.clone(), View::Unreachable(refusal.why.clone())),
        })
    }

    /// Whether the first read of a tenant is still in progress and has no error.
    pub(super) fn is_being_read(&self, tenant: &str) -> bool {
        match self.get(tenant) {
            Some(Ok(location)) => location.is_being_read(),
            Some(Err(refusal)) => refusal.reason == UNREAD,
            None => false,
        }
    }
}

fn of_other_role<T>(why: &str) -> Result<T, TenantRefusal> {
    Err(TenantRefusal { reason: OF_OTHER_ROLE, why: why.to_string() })
}

/// The Secret with the kubeconfig or token of a location.
fn secret_of(there: &Whereabouts) -> Option<&SecretKeyRef> {
    match there {
        Whereabouts::Cluster { kubeconfig, .. } => kubeconfig.as_ref(),
        Whereabouts::Platform(location) => match &location.token_from {
            Some(TokenFrom::SecretRef(secret)) => Some(secret),
            _ => None,
        },
    }
}

/// The namespace with the secrets of a Tenant.
fn secrets_of(live: &Live<Object<TenantSpec>>) -> Option<String> {
    of_spec(&live.read.as_ref().ok()?.spec).map(str::to_string)
}

fn of_spec(spec: &TenantSpec) -> Option<&str> {
    match &spec.location {
        Some(LocationSpec::Prismatic(PrismaticLocation {
            secrets: Some(SecretsFrom::Namespace(namespace)), ..
        })) => Some(namespace),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "the opted-in Secrets of the one namespace that its location names (no two tenants the same)".
    #[test]
    fn secrets_never_cross_tenants_or_hubs() {
        let claims = SecretClaims::default();
        let of = |names: &[(&str, &str)]| -> Vec<(String, String)> {
            names.iter().map(|(tenant, namespace)| (tenant.to_string(), namespace.to_string())).collect()
        };
        claims.set("a", of(&[("us", "us-secrets"), ("eu", "eu-secrets")]).into_iter());
        assert_eq!(claims.shared("a", "us", "us-secrets"), None);
        claims.set("b", of(&[("theirs", "us-secrets")]).into_iter());
        let why = claims.shared("a", "us", "us-secrets").unwrap();
        assert!(why.contains("theirs of namespace b"), "{why}");
        assert!(claims.shared("b", "theirs", "us-secrets").unwrap().contains("us of namespace a"));
        claims.set("b", of(&[]).into_iter());
        claims.set("a", of(&[("us", "x"), ("eu", "x")]).into_iter());
        assert!(claims.shared("a", "us", "x").unwrap().contains("those of eu too"));
    }
}
