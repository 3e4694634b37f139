use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    extract::{Path, State as Extract},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::{
    HttpConfig,
    connections::Connections,
    metrics::as_prometheus_text,
    page::{LoginThrottle, routes},
};
use crate::{
    checks::CheckRequests,
    clock::Clock,
    closte::Calls,
    daemon::{
        Trigger,
        health::{ALIVE_WITHIN, Health, Readiness},
    },
    escape::{escape_json, escape_line},
    language::Language,
    leader::Leader,
    secrets,
    state::{Loop, State, StateError},
};

/// The format of metrics that a client may ask for
/// (<https://prometheus.io/docs/specs/om/open_metrics_spec/>).
const OPEN_METRICS: &str = "application/openmetrics-text";

/// The open socket of `http.listen`, which survives a reload.
#[derive(Debug)]
pub struct Listener {
    asked_for: SocketAddr,
    socket: TcpListener,
}

/// The socket cannot be opened.
#[derive(Debug, Error)]
#[error("http.listen: cannot listen on {address} ({source}); {remedy}")]
pub struct AdminServerError {
    address: SocketAddr,
    source: io::Error,
    remedy: &'static str,
}

impl AdminServerError {
    fn new(address: SocketAddr, source: io::Error) -> Self {
        Self { address, source, remedy: "set another address or port" }
    }
}

impl Listener {
    ///
    /// # Errors
    /// Where the address is not this machine's, or in use.
    pub fn open(address: SocketAddr) -> Result<Self, AdminServerError> {
        let open = || {
            let socket = TcpListener::bind(address)?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        open()
            .map(|socket| Self { asked_for: address, socket })
            .map_err(|source| AdminServerError::new(address, source))
    }

    /// Opens another socket while this one is still open.
    ///
    /// # Errors
    /// As [`Self::open`], and where both have the same port.
    pub fn open_another(&self, address: SocketAddr) -> Result<Self, AdminServerError> {
        Self::open(address).map_err(|error| {
            let is_own = self.address().port() == address.port();
            let remedy =
                if is_own { "restart the daemon to change only the address" } else { error.remedy };
            AdminServerError { remedy, ..error }
        })
    }

    /// The configured address; port 0 means any.
    pub fn asked_for(&self) -> SocketAddr {
        self.asked_for
    }

    /// The actual address.
    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap_or(self.asked_for)
    }

    fn share(&self) -> Result<tokio::net::TcpListener, AdminServerError> {
        let share = || tokio::net::TcpListener::from_std(self.socket.try_clone()?);
        share().map_err(|source| AdminServerError::new(self.asked_for, source))
    }
}

/// `http.token` or `http.sync_token`. `Debug` does not print it.
#[derive(Clone)]
pub struct Token(SecretString);

impl FromStr for Token {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.bytes().all(|byte| byte.is_ascii_graphic()) {
            secrets::learn(text, "");
            Ok(Self(text.into()))
        } else {
            Err("it contains a space or a character that no header may have")
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

impl Token {
    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq<str> for Token {
    /// Compares digests, so that the time reveals nothing about the token.
    fn eq(&self, other: &str) -> bool {
        Sha256::digest(self.0.expose_secret()) == Sha256::digest(other)
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self == other.0.expose_secret()
    }
}

/// Serves `/healthz`, `/readyz`, `/metrics` and `/sync`.
/// What requests can begin.
#[derive(Debug, Clone, Default)]
pub struct OnDemand {
    pub cycles: Trigger,
    pub checks: CheckRequests,
}

/// By which settings domains are shown.
#[derive(Debug, Clone)]
pub struct ViewSettings {
    /// `checks.attention_after`
    pub attention_after: Duration,
    pub sync_interval: Duration,
    /// The page of Closte's panel for certificates, if it is known.
    pub panel: Option<String>,
    /// Of what customers are told.
    pub language: Language,
}

#[derive(Debug)]
pub struct AdminServer {
    listener: tokio::net::TcpListener,
    /// Whether only this machine can connect.
    pub(super) is_loopback: bool,
    pub(super) config: HttpConfig,
    pub(super) on_demand: OnDemand,
    calls: Calls,
    pub(super) view: ViewSettings,
    pub(super) clock: Clock,
    pub(super) leader: Leader,
    pub(super) throttle: LoginThrottle,
    turn: Mutex<()>,
}

impl AdminServer {
    /// # Errors
    /// When the process is out of file descriptors.
    pub fn new(
        listener: &Listener,
        config: &HttpConfig,
        on_demand: OnDemand,
        calls: Calls,
        view: ViewSettings,
        clock: Clock,
        leader: Leader,
    ) -> Result<Self, AdminServerError> {
        let is_loopback = listener.address().ip().is_loopback();
        let listener = listener.share()?;
        Ok(Self {
            listener,
            is_loopback,
            config: config.clone(),
            on_demand,
            calls,
            view,
            clock,
            leader,
            throttle: LoginThrottle::default(),
            turn: Mutex::default(),
        })
    }

    pub(crate) async fn serve(self, health: Arc<Health>, state: State, closed: CancellationToken) {
        let server = Arc::new(self);
        let context = Context { server: server.clone(), health, state };
        let router = Router::new()
            .route("/healthz", get(healthz))
            .route("/readyz", get(readiness))
            .route("/metrics", get(metrics))
            .route("/sync", post(sync))
            .route("/sync/{token}", post(sync_by_path))
            .merge(routes())
            .with_state(context);
        let mut connections = Connections::default();
        loop {
            match closed.run_until_cancelled(server.listener.accept()).await {
                None => return,
                Some(Ok((stream, _))) => connections.begin(stream, router.clone()),
                Some(Err(error)) => {
                    tracing::debug!(%error, "a connection was not accepted");
                    // Where the process is out of file descriptors, this frees one.
                    connections.close_one();
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
            // Lets the connection read its request before the next one may replace it.
            tokio::task::yield_now().await;
        }
    }

    fn is_allowed(&self, headers: &HeaderMap) -> bool {
        let token = self.config.token.as_ref();
        token.is_none_or(|token| bearer(headers).is_some_and(|given| token == given))
    }
}

#[derive(Clone)]
pub(super) struct Context {
    pub(super) server: Arc<AdminServer>,
    pub(super) health: Arc<Health>,
    pub(super) state: State,
}

impl Context {
    pub(super) fn readiness(&self) -> Readiness {
        let (interval, leader) = (self.server.view.sync_interval, self.server.leader.standing());
        let mut readiness = self.health.readiness(interval, leader);
        readiness.ready &= !self.state.is_replaced();
        readiness
    }

    /// Begins a cycle, for a request with this token.
    fn sync(&self, given: Option<&str>) -> Response {
        let Some(token) = &self.server.config.sync_token else {
            return (StatusCode::NOT_FOUND, "http.sync_token is not set\n").into_response();
        };
        if given.is_none_or(|given| token != given) {
            return unauthorized("http.sync_token");
        }
        self.server.on_demand.cycles.pull();
        (StatusCode::ACCEPTED, "a cycle begins\n").into_response()
    }
}

async fn sync(Extract(context): Extract<Context>, headers: HeaderMap) -> Response {
    context.sync(bearer(&headers))
}

/// For the plugin's webhook, which cannot send a header.
async fn sync_by_path(Extract(context): Extract<Context>, Path(token): Path<String>) -> Response {
    context.sync(Some(&token))
}

async fn healthz(Extract(context): Extract<Context>) -> Response {
    if context.state.is_replaced() {
        // Only a replaced database needs a restart: after a deletion, memory has the only copy.
        let trouble = "the state database was replaced: restart the daemon\n";
        (StatusCode::SERVICE_UNAVAILABLE, trouble).into_response()
    } else if context.health.heartbeats.beat_within(ALIVE_WITHIN) {
        "alive\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "a loop hangs\n").into_response()
    }
}

async fn readiness(Extract(context): Extract<Context>, headers: HeaderMap) -> Response {
    if !context.server.is_allowed(&headers) {
        return unauthorized("http.token");
    }
    let readiness = context.readiness();
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::to_string(&readiness).unwrap_or_default();
    let body = format!("{}\n", escape_json(&body));
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

async fn metrics(Extract(context): Extract<Context>, headers: HeaderMap) -> Response {
    if !context.server.is_allowed(&headers) {
        return unauthorized("http.token");
    }
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let is_open = accepted.is_some_and(|accepted| accepted.contains(OPEN_METRICS));
    match exposition(&context).await {
        Ok(text) if is_open => {
            let kind = format!("{OPEN_METRICS}; version=1.0.0; charset=utf-8");
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Ok(text) => {
            let kind = "text/plain; version=0.0.4; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], as_prometheus_text(&text)).into_response()
        }
        Err(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("{}\n", escape_line(&error.to_string())))
                .into_response()
        }
    }
}

async fn exposition(context: &Context) -> Result<String, StateError> {
    let Context { server, health, state, .. } = context;
    // One request at a time, because the text can be large.
    let _turn = server.turn.lock().await;
    let mut clock = server.clock.clone();
    state.restore_clock(Loop::Checks, &mut clock).await?;
    let now = clock.now();
    let ledger = state.current_ledger().await?;
    let (status_counts, live_after) = match ledger {
        Some(ledger) => (
            state.status_counts(ledger, server.view.attention_after, now).await?,
            state.live_after(ledger, now).await?,
        ),
        None => (Vec::new(), None),
    };
    let names = match ledger {
        Some(ledger) if server.config.metrics_per_domain => state.desired(ledger, &[]).await?,
        _ => Vec::new(),
    };
    let acts = server.leader.standing().acts();
    Ok(health.metrics.exposition(&server.calls, acts, &status_counts, live_after, &names))
}

/// The token of the `Authorization` header.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let given = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = given.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn unauthorized(setting: &str) -> Response {
    let ask = [(header::WWW_AUTHENTICATE, "Bearer")];
    let text = format!("this needs the token of {setting}: Authorization: Bearer …\n");
    (StatusCode::UNAUTHORIZED, ask, text).into_response()
}
