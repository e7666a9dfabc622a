//! The connections to all tenants of a hub: opened according to the Tenants, watched, and closed.

use super::super::context::Context;
use super::kubeconfig::{self, KubeconfigSecret, fingerprint};
use super::tenant::{ConnectedTenant, TenantRefusal, Whereabouts, whereabouts};
use crate::api::{Object, SecretKeyRef, TenantSpec};
use crate::engine::model::inventory::View;
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
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tracing::{info, warn};

/// The reason of a tenant whose kubeconfig is still being read.
const UNREAD: &str = "KubeconfigUnread";

/// An event of a tenant, or of a Secret with kubeconfigs.
#[derive(Debug)]
pub(super) enum TenantEvent {
    /// Of a Secret with kubeconfigs.
    Kubeconfig {
        /// The Secret's name.
        secret: String,
        event: WatchEvent<Delta<KubeconfigSecret>>,
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
pub(super) type Connected = Result<ConnectedTenant, TenantRefusal>;

/// The state of a Secret with kubeconfigs.
struct KnownKubeconfig {
    /// `None` before the first read. Inside: `None` if the Secret does not exist.
    read: Option<Result<Option<KubeconfigSecret>, String>>,
    _following: WatchHandle,
}

/// The connections to all tenants of a hub.
pub(super) struct TenantConnections {
    context: Context,
    paths: Paths,
    report: OnTenantEvent,
    secrets: BTreeMap<String, KnownKubeconfig>,
    found: BTreeMap<String, Connected>,
    /// By tenant: the location and the kubeconfig's hash of its connection.
    found_by: BTreeMap<String, (Whereabouts, Option<[u8; 32]>)>,
    /// By tenant: the expiry of the token in its kubeconfig.
    expiries: BTreeMap<String, TokenExpiry>,
    epochs: u64,
}

impl TenantConnections {
    /// Creates the connections of a hub. Events are sent to `report`, whose receiver passes them to
    /// [`TenantConnections::on_event`].
    pub(super) fn new(context: Context, paths: Paths, report: OnTenantEvent) -> Self {
        let (secrets, found, found_by) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        TenantConnections { context, paths, report, secrets, found, found_by, expiries: BTreeMap::new(), epochs: 0 }
    }

    /// Opens connections to the locations of the Tenants, and closes those that no Tenant names any more.
    /// CustomerCredentials are read only of `targets`: a source needs none.
    pub(super) async fn connect_all(
        &mut self,
        tenants: &BTreeMap<String, Live<Object<TenantSpec>>>,
        targets: &BTreeSet<String>,
    ) {
        let here = self.paths.namespace().to_string();
        let there = |live: &Live<Object<TenantSpec>>| Some(whereabouts(&here, &live.read.as_ref().ok()?.spec));
        let wanted: BTreeMap<String, _> =
            tenants.iter().filter_map(|(name, live)| Some((name.clone(), there(live)?))).collect();
        self.found.retain(|name, _| wanted.contains_key(name));
        self.found_by.retain(|name, _| wanted.contains_key(name));
        let left = self.expiries.keys().filter(|name| !wanted.contains_key(*name));
        left.cloned().collect::<Vec<_>>().iter().for_each(|name| self.expires(name, None));
        let secrets = wanted.values().flatten().filter_map(|there| there.kubeconfig.as_ref());
        let secrets: BTreeSet<String> = secrets.map(|secret| secret.name.clone()).collect();
        self.secrets.retain(|name, _| secrets.contains(name));
        for secret in secrets {
            if !self.secrets.contains_key(&secret) {
                let known = KnownKubeconfig { read: None, _following: self.follow_secret(&secret) };
                self.secrets.insert(secret, known);
            }
        }
        for (name, there) in wanted {
            let found = match there {
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
                if refusal.reason != UNREAD && is_new {
                    warn!(tenant = name, reason = refusal.reason, why = %refusal, "not connected");
                }
            }
            self.found.insert(name, found);
        }
    }

    /// Opens the connection to a tenant; `None` if the existing one is still right.
    async fn connect(&mut self, name: &str, there: Whereabouts, is_target: bool) -> Option<Connected> {
        let kubeconfig = match there.kubeconfig.as_ref().map(|secret| self.kubeconfig(secret)).transpose() {
            Ok(kubeconfig) => kubeconfig,
            Err(refusal) => return Some(Err(refusal)),
        };
        let by = (there.clone(), kubeconfig.map(fingerprint));
        if self.found.get(name).is_some_and(Result::is_ok) && self.found_by.get(name) == Some(&by) {
            let known = self.found.get_mut(name).and_then(|found| found.as_mut().ok());
            known.filter(|_| is_target).into_iter().for_each(ConnectedTenant::watch_customers);
            return None;
        }
        let expiry = kubeconfig.and_then(expiry_of_token);
        let server = match kubeconfig {
            None => self.context.server.clone(),
            Some(kubeconfig) => match self.server(name, kubeconfig).await {
                Ok(server) => match there.kubeconfig.clone() {
                    Some(secret) => server.with_credentials(ServerCredentials::Secret { tenant: name.into(), secret }),
                    None => server,
                },
                Err(why) => return Some(Err(TenantRefusal { reason: "KubeconfigRefused", why })),
            },
        };
        self.expires(name, expiry);
        self.found_by.insert(name.to_string(), by);
        self.epochs += 1;
        let (epoch, paths) = (self.epochs, Paths::of(&there.namespace));
        let budget = Budget::of(self.context.tenant_limit).in_turn(&self.context.turns);
        let following = watch::namespace(&server, &paths, budget, self.reporter(name, epoch));
        info!(tenant = name, namespace = there.namespace, cluster = server.name(), "watched");
        let waiting = self.context.readiness.waits(self.context.role.as_str(), format!("tenant {name}"));
        let before = self.found.get(name).and_then(|found| found.as_ref().ok());
        let limit = self.context.tenant_limit;
        let mut connected = ConnectedTenant::new(name, epoch, (server, paths), following, limit, waiting).after(before);
        if is_target {
            connected.watch_customers();
        }
        Some(Ok(connected))
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
        let on_event: WatchHandler<Delta<KubeconfigSecret>> =
            Arc::new(move |event| report(TenantEvent::Kubeconfig { secret: secret.clone(), event }));
        let mut watches = WatchSet::new(&self.context.server, &self.paths, on_event);
        watches.watch(kubeconfig::listing(&self.paths, name), |delta| delta);
        watches.done()
    }

    fn kubeconfig(&self, secret: &SecretKeyRef) -> Result<&Secret, TenantRefusal> {
        let refuse = |reason, why: String| Err(TenantRefusal { reason, why });
        match self.secrets.get(&secret.name).and_then(|known| known.read.as_ref()) {
            None => refuse(UNREAD, format!("Secret {} was not read yet", secret.name)),
            Some(Err(why)) => refuse("KubeconfigUnreadable", format!("Secret {} cannot be read: {why}", secret.name)),
            Some(Ok(None)) => refuse("KubeconfigMissing", format!("there is no Secret {}", secret.name)),
            Some(Ok(Some(known))) => known.kubeconfig(&secret.key).ok_or_else(|| TenantRefusal {
                reason: "KubeconfigMissing",
                why: format!("Secret {} has no key {}", secret.name, secret.key),
            }),
        }
    }

    /// Applies an event of a Secret with kubeconfigs. Afterwards the tenants must be connected again.
    pub(super) fn on_secret(&mut self, secret: &str, event: WatchEvent<Delta<KubeconfigSecret>>) {
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

    /// Applies an event of a tenant, and returns what must be reconciled because of it. Events of an earlier connection
    /// are ignored.
    pub(super) fn on_event(
        &mut self,
        tenant: &str,
        epoch: u64,
        event: WatchEvent<NamespaceDelta>,
    ) -> Option<(ChangedObjects, &ConnectedTenant)> {
        let location = self.found.get_mut(tenant)?.as_mut().ok().filter(|location| location.epoch == epoch)?;
        let changed = location.on_event(event);
        Some((changed, location))
    }

    /// Returns the connection to a tenant.
    pub(super) fn get(&self, tenant: &str) -> Option<&Connected> {
        self.found.get(tenant)
    }

    /// Returns the connection to a tenant that can be read and written.
    pub(super) fn open(&self, tenant: &str) -> Option<&ConnectedTenant> {
        self.get(tenant)?.as_ref().ok().filter(|location| location.error().is_none())
    }

    /// Returns the connected tenants.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &ConnectedTenant)> {
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
