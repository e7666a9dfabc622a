//! The HTTP side: a running stack, until it is dropped.

mod answers;
mod auth;
mod listen;
mod pipeline;
mod tls;

use crate::faults::{Fault, Faults};
use crate::platform::{Behaviour, Platform};
use crate::requests::{Request, TokenRequest};
use crate::schema::{Schema, schema};
use crate::store::Store;
use crate::switches::Switches;
use crate::tenant::Tenant;
use crate::tokens::Tokens;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio::runtime::Runtime;

/// What every request sees.
pub(crate) struct Shared {
    tenants: Vec<Arc<Tenant>>,
    behaviour: RwLock<Behaviour>,
    schema: Schema,
    faults: Mutex<Faults>,
    tokens: Mutex<Tokens>,
    requests: Mutex<Vec<Request>>,
    token_requests: Mutex<Vec<TokenRequest>>,
    counter: Counter,
    /// Microseconds before each answer.
    delay: AtomicU64,
    scheme: &'static str,
    address: SocketAddr,
}

/// Counts requests to the API.
#[derive(Debug, Default)]
struct Counter {
    all: AtomicUsize,
    in_flight: AtomicUsize,
    most: AtomicUsize,
}

/// How many requests to the API there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    pub requests: usize,
    /// The most at one time.
    pub most_in_flight: usize,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    fn behaviour(&self) -> Behaviour {
        self.behaviour.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn delay(&self) -> Duration {
        Duration::from_micros(self.delay.load(Ordering::Relaxed))
    }
}

/// How a server listens, and which tokens it takes.
pub struct ServerBuilder {
    platform: Platform,
    tokens: Tokens,
    port: u16,
    delay: Duration,
    idle: Option<Duration>,
    tls: Option<(String, String)>,
}

impl ServerBuilder {
    /// Listens on this port of loopback. Without it, or with 0, on a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets the access token of the first organization. Without it the token is a JWT.
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.tokens.fix(0, token);
        self
    }

    /// Sets the access token of an organization.
    #[must_use]
    pub fn token_of(mut self, tenant_id: &str, token: &str) -> Self {
        let at = self.platform.tenants.iter().position(|tenant| tenant.read().tenant_id == tenant_id);
        at.into_iter().for_each(|at| self.tokens.fix(at, token));
        self
    }

    #[must_use]
    pub fn refresh_token(mut self, token: &str) -> Self {
        self.tokens.set_refresh(token);
        self
    }

    /// Sets how many seconds an access token is valid.
    #[must_use]
    pub fn token_lifetime(mut self, seconds: u64) -> Self {
        self.tokens.set_lifetime(seconds);
        self
    }

    /// Waits so long before each answer, for all requests at one time.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Closes a connection that was idle for so long after an answer.
    #[must_use]
    pub fn close_idle_after(mut self, idle: Duration) -> Self {
        self.idle = Some(idle);
        self
    }

    /// Serves over TLS with this certificate chain and key.
    #[must_use]
    pub fn tls(mut self, certificate_pem: &str, key_pem: &str) -> Self {
        self.tls = Some((certificate_pem.into(), key_pem.into()));
        self
    }

    pub fn start(self) -> std::io::Result<Server> {
        let ServerBuilder { platform, mut tokens, port, delay, idle, tls } = self;
        let tls = tls.map(|(certificate, key)| tls::acceptor(&certificate, &key)).transpose()?;
        let listener = std::net::TcpListener::bind(("127.0.0.1", port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        (0..platform.tenants.len()).for_each(|tenant| drop(tokens.issue(tenant)));
        let shared = Arc::new(Shared {
            tenants: platform.tenants,
            behaviour: RwLock::new(platform.behaviour),
            schema: schema(),
            faults: Mutex::default(),
            tokens: Mutex::new(tokens),
            requests: Mutex::default(),
            token_requests: Mutex::default(),
            counter: Counter::default(),
            delay: AtomicU64::new(0),
            scheme: if tls.is_some() { "https" } else { "http" },
            address,
        });
        let url = shared.origin();
        shared.tenants.iter().for_each(|tenant| tenant.change(|store| store.url.clone_from(&url)));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        runtime.spawn(listen::accept(listener, pipeline::routes(shared.clone()), tls, idle));
        let server = Server { shared, runtime: Some(runtime) };
        server.set_delay(delay);
        Ok(server)
    }
}

/// A running stack, until it is dropped.
pub struct Server {
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

impl Server {
    /// Serves a stack on a free port of loopback.
    pub fn start(platform: Platform) -> std::io::Result<Self> {
        Server::builder(platform).start()
    }

    pub fn builder(platform: Platform) -> ServerBuilder {
        let tenants = platform.tenants.iter().map(|tenant| tenant.read().tenant_id.clone()).collect();
        ServerBuilder { platform, tokens: Tokens::new(tenants), port: 0, delay: Duration::ZERO, idle: None, tls: None }
    }

    /// The origin of the stack.
    pub fn url(&self) -> String {
        self.shared.origin()
    }

    /// The newest access token of the first organization.
    pub fn token(&self) -> String {
        locked(&self.shared.tokens).newest(0).unwrap_or_default().to_string()
    }

    /// The newest access token of an organization.
    pub fn token_of(&self, tenant_id: &str) -> Option<String> {
        let at = self.shared.tenants.iter().position(|tenant| tenant.read().tenant_id == tenant_id)?;
        locked(&self.shared.tokens).newest(at).map(str::to_string)
    }

    pub fn refresh_token(&self) -> String {
        locked(&self.shared.tokens).refresh_token().to_string()
    }

    /// Lets every access token expire. A refresh issues new ones.
    pub fn expire_tokens(&self) {
        locked(&self.shared.tokens).expire();
    }

    /// Reads the first organization.
    pub fn read<T>(&self, read: impl FnOnce(&Store) -> T) -> T {
        read(&self.shared.tenants[0].read())
    }

    /// Changes the first organization, as somebody else does.
    pub fn change<T>(&self, change: impl FnOnce(&mut Store) -> T) -> T {
        self.shared.tenants[0].change(change)
    }

    /// Finds an organization.
    pub fn tenant(&self, tenant_id: &str) -> Option<&Tenant> {
        self.shared.tenants.iter().map(AsRef::as_ref).find(|tenant| tenant.read().tenant_id == tenant_id)
    }

    /// This happens to the next request to the API.
    pub fn fault(&self, fault: Fault) {
        self.fault_after(0, fault);
    }

    /// After `requests` more requests to the API, this happens to the next one.
    pub fn fault_after(&self, requests: usize, fault: Fault) {
        locked(&self.shared.faults).after(requests, fault);
    }

    /// After `requests` more requests whose document has this text, this happens to the next such one. A request for a
    /// token has its path as text.
    pub fn fault_on(&self, text: &str, requests: usize, fault: Fault) {
        locked(&self.shared.faults).on(text, requests, fault);
    }

    /// Takes back every fault that did not happen, and returns how many there were.
    pub fn clear_faults(&self) -> usize {
        locked(&self.shared.faults).clear()
    }

    /// Returns the requests to the API since the last call.
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut locked(&self.shared.requests))
    }

    /// Returns the requests for tokens since the last call.
    pub fn take_token_requests(&self) -> Vec<TokenRequest> {
        std::mem::take(&mut locked(&self.shared.token_requests))
    }

    /// Counts the requests to the API since the start.
    pub fn counts(&self) -> Counts {
        let counter = &self.shared.counter;
        Counts { requests: counter.all.load(Ordering::Relaxed), most_in_flight: counter.most.load(Ordering::Relaxed) }
    }

    pub fn set_delay(&self, delay: Duration) {
        let micros = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        self.shared.delay.store(micros, Ordering::Relaxed);
    }

    pub fn set_switches(&self, switches: Switches) {
        self.shared.behaviour.write().unwrap_or_else(PoisonError::into_inner).switches = switches;
    }

    pub fn set_lag(&self, requests: u64) {
        self.shared.behaviour.write().unwrap_or_else(PoisonError::into_inner).lag = requests;
    }
}

/// Every connection is cut at once.
impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
