//! A request from its arrival to its answer: the log, the faults, the delay and the work.

use super::answers::{given, hang_up, with_fault};
use super::{Counter, Shared, auth, locked};
use crate::faults::Fault;
use crate::requests::Request;
use crate::schema::{Context, Tenancy};
use crate::validation::{self, Outline};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use juniper::http::GraphQLRequest;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The longest request that the server reads.
const LONGEST: usize = 64 << 20;

pub(super) fn routes(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/api", post(api))
        .route("/auth/refresh", post(auth::refresh))
        .route("/auth/meta", get(auth::meta))
        .route("/auth/revoke", post(auth::revoke))
        .route("/oauth/token", post(auth::oauth_token))
        .layer(DefaultBodyLimit::max(LONGEST))
        .with_state(shared)
}

async fn api(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let _flight = Flight::enter(&shared.counter);
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_string);
    let parsed: Option<GraphQLRequest> = serde_json::from_slice(&body).ok();
    let query = parsed.as_ref().map(|request| request.query.clone()).unwrap_or_default();
    let authorization = text("authorization");
    let token = authorization.as_deref().and_then(|header| header.strip_prefix("Bearer "));
    let tenant = token.and_then(|token| locked(&shared.tokens).tenant_of(token));
    let outline = validation::outline(&shared.schema, &query);
    let variables = serde_json::from_slice::<Value>(&body).map(|mut body| body["variables"].take()).unwrap_or_default();
    let request = Request {
        authorization,
        client: text("prismatic-client"),
        tenant_id: tenant.map(|tenant| shared.tenants[tenant].read().tenant_id.clone()),
        ..Request::new(query.clone(), outline.clone(), variables)
    };
    locked(&shared.requests).push(request);
    let work = || match (tenant, parsed) {
        (None, _) => (401, json!({"error": "Unauthorized"}).to_string()),
        (_, None) => (400, json!({"errors": [{"message": "Must provide query string."}]}).to_string()),
        (Some(tenant), Some(request)) => {
            (200, tokio::task::block_in_place(|| execute(&shared, tenant, &outline, &request)))
        }
    };
    answered(&shared, &query, true, tenant, work).await
}

/// Does the work of a request, with the fault that waits for it.
pub(super) async fn answered(
    shared: &Shared,
    text: &str,
    is_api: bool,
    tenant: Option<usize>,
    work: impl FnOnce() -> (u16, String),
) -> Response {
    let fault = locked(&shared.faults).next(text, is_api);
    let delay = shared.delay();
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let fault = match fault {
        Some(Fault::Answer(answer)) => return given(answer),
        Some(Fault::CutBefore) => return hang_up(),
        Some(Fault::Between(change)) => {
            if let Some(tenant) = tenant {
                tokio::task::block_in_place(|| shared.tenants[tenant].change(change));
            }
            None
        }
        other => other,
    };
    let (status, json) = work();
    with_fault(status, json, fault).await
}

/// Runs a document in an organization. A mutation is committed as a whole; a query sees what late reads see.
fn execute(shared: &Shared, tenant: usize, outline: &Outline, request: &GraphQLRequest) -> String {
    let behaviour = shared.behaviour();
    let tenancy = |tenant: &Arc<crate::tenant::Tenant>| {
        let store = tenant.read();
        Tenancy { tenant_id: store.tenant_id.clone(), organization: store.organization.clone(), url: store.url.clone() }
    };
    let tenancies: Vec<Tenancy> = shared.tenants.iter().map(tenancy).collect();
    let unknown = behaviour.unknown();
    let context = |store, now: u64| {
        let rotation = if behaviour.unstable_order { usize::try_from(now).unwrap_or(0) } else { 0 };
        let mut context = Context::new(store, behaviour.switches, tenancies);
        (context.rotation, context.suggests) = (rotation, behaviour.suggests);
        context
    };
    if outline.writes {
        let (writing, store, now) = shared.tenants[tenant].writing();
        let context = context(store, now);
        let answer = validation::execute(&shared.schema, &unknown, request, &context);
        writing.commit(context.store(), behaviour.lag);
        return answer;
    }
    let (store, now) = shared.tenants[tenant].seen();
    validation::execute(&shared.schema, &unknown, request, &context(store, now))
}

/// Counts a request while it is there.
struct Flight<'c>(&'c Counter);

impl<'c> Flight<'c> {
    fn enter(counter: &'c Counter) -> Self {
        counter.all.fetch_add(1, Ordering::Relaxed);
        let now = counter.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        counter.most.fetch_max(now, Ordering::Relaxed);
        Flight(counter)
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
