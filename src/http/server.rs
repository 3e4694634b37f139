use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    extract::State as Extract,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::{connections::Connections, metrics::as_prometheus_text};
use crate::{
    clock::Clock,
    closte::Calls,
    daemon::health::{ALIVE_WITHIN, Health},
    escape::{escape_json, escape_line},
    secrets,
    state::{Loop, State, StateError},
};

/// The newer one of the two formats of metrics
/// (<https://prometheus.io/docs/specs/om/open_metrics_spec/>).
const OPEN_METRICS: &str = "application/openmetrics-text";

/// The socket of the endpoint, open.
#[derive(Debug)]
pub struct Listener {
    asked_for: SocketAddr,
    socket: TcpListener,
}

/// Why nothing can be answered there.
#[derive(Debug, Error)]
#[error("http.listen: cannot listen on {address} ({source}); {remedy}")]
pub struct AdminServerError {
    address: SocketAddr,
    source: io::Error,
    remedy: &'static str,
}

impl AdminServerError {
    fn new(address: SocketAddr, source: io::Error) -> Self {
        Self { address, source, remedy: "name another address or port" }
    }
}

impl Listener {
    /// Opens the socket.
    ///
    /// # Errors
    /// [`AdminServerError`] where the address is not this machine's, or taken.
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

    /// Opens another socket, while this one is still open.
    ///
    /// # Errors
    /// [`AdminServerError`], also where both would have the same port.
    pub fn open_another(&self, address: SocketAddr) -> Result<Self, AdminServerError> {
        Self::open(address).map_err(|error| {
            let is_own = self.address().port() == address.port();
            let remedy = if is_own { "restart the daemon for that" } else { error.remedy };
            AdminServerError { remedy, ..error }
        })
    }

    /// The address that it was opened for; its port may be 0, for any.
    pub fn asked_for(&self) -> SocketAddr {
        self.asked_for
    }

    /// The address that it has.
    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap_or(self.asked_for)
    }

    fn share(&self) -> Result<tokio::net::TcpListener, AdminServerError> {
        let share = || tokio::net::TcpListener::from_std(self.socket.try_clone()?);
        share().map_err(|source| AdminServerError::new(self.asked_for, source))
    }
}

/// `http.token`: what others must know to see more than that the daemon is alive. It cannot be
/// printed.
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

impl PartialEq<str> for Token {
    /// Takes as long for every text of the same length: digests are compared, which nobody can
    /// choose.
    fn eq(&self, other: &str) -> bool {
        Sha256::digest(self.0.expose_secret()) == Sha256::digest(other)
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self == other.0.expose_secret()
    }
}

/// Where others can ask how the daemon does: `/healthz`, `/readyz` and `/metrics`.
#[derive(Debug)]
pub struct AdminServer {
    listener: tokio::net::TcpListener,
    token: Option<Token>,
    metrics_per_domain: bool,
    calls: Calls,
    attention_after: Duration,
    sync_interval: Duration,
    clock: Clock,
    turn: Mutex<()>,
}

impl AdminServer {
    /// Joins the parts: `http.token`, `http.metrics_per_domain`, the calls that were made to Closte,
    /// and the settings by which the daemon is judged.
    ///
    /// # Errors
    /// [`AdminServerError`] when the process is out of file descriptors.
    pub fn new(
        listener: &Listener,
        token: Option<Token>,
        metrics_per_domain: bool,
        calls: Calls,
        attention_after: Duration,
        sync_interval: Duration,
        clock: Clock,
    ) -> Result<Self, AdminServerError> {
        let listener = listener.share()?;
        Ok(Self {
            listener,
            token,
            metrics_per_domain,
            calls,
            attention_after,
            sync_interval,
            clock,
            turn: Mutex::default(),
        })
    }

    /// Answers until `closed`.
    pub(crate) async fn serve(self, health: Arc<Health>, state: State, closed: CancellationToken) {
        let endpoint = Arc::new(self);
        let asked = Asked { endpoint: endpoint.clone(), health, state };
        let router = Router::new()
            .route("/healthz", get(healthz))
            .route("/readyz", get(readiness))
            .route("/metrics", get(metrics))
            .with_state(asked);
        let mut connections = Connections::default();
        loop {
            match closed.run_until_cancelled(endpoint.listener.accept()).await {
                None => return,
                Some(Ok((stream, _))) => connections.begin(stream, router.clone()),
                Some(Err(error)) => {
                    tracing::debug!(%error, "a connection was not accepted");
                    // Where the process is out of file descriptors, this gives one back.
                    connections.close_one();
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
            // The new one is looked at before the next: it may have asked already.
            tokio::task::yield_now().await;
        }
    }

    fn is_allowed(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else {
            return true;
        };
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = given.and_then(|value| value.split_once(' '));
        bearer.is_some_and(|(scheme, given)| {
            scheme.eq_ignore_ascii_case("bearer") && token == given.trim()
        })
    }
}

/// What a request finds.
#[derive(Clone)]
struct Asked {
    endpoint: Arc<AdminServer>,
    health: Arc<Health>,
    state: State,
}

async fn healthz(Extract(asked): Extract<Asked>) -> Response {
    if asked.state.is_replaced() {
        // A restart helps. Where it was deleted, that would forget what is in memory.
        let trouble = "the state database was replaced: restart the daemon\n";
        (StatusCode::SERVICE_UNAVAILABLE, trouble).into_response()
    } else if asked.health.heartbeats.beat_within(ALIVE_WITHIN) {
        "alive\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "a loop hangs\n").into_response()
    }
}

async fn readiness(Extract(asked): Extract<Asked>, headers: HeaderMap) -> Response {
    if !asked.endpoint.is_allowed(&headers) {
        return unauthorized();
    }
    let mut readiness = asked.health.readiness(asked.endpoint.sync_interval);
    readiness.ready &= !asked.state.is_replaced();
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::to_string(&readiness).unwrap_or_default();
    let body = format!("{}\n", escape_json(&body));
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

async fn metrics(Extract(asked): Extract<Asked>, headers: HeaderMap) -> Response {
    if !asked.endpoint.is_allowed(&headers) {
        return unauthorized();
    }
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let is_open = accepted.is_some_and(|accepted| accepted.contains(OPEN_METRICS));
    match exposition(&asked).await {
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

async fn exposition(asked: &Asked) -> Result<String, StateError> {
    let Asked { endpoint, health, state } = asked;
    // What many ask for at once is made for one after the other: it may be large.
    let _turn = endpoint.turn.lock().await;
    let mut clock = endpoint.clock.clone();
    state.restore_clock(Loop::Checks, &mut clock).await?;
    let now = clock.now();
    let ledger = state.current_ledger().await?;
    let status_counts = match ledger {
        Some(ledger) => state.status_counts(ledger, endpoint.attention_after, now).await?,
        None => Vec::new(),
    };
    let names = match ledger {
        Some(ledger) if endpoint.metrics_per_domain => state.desired(ledger, &[]).await?,
        _ => Vec::new(),
    };
    Ok(health.metrics.exposition(&endpoint.calls, &status_counts, &names))
}

fn unauthorized() -> Response {
    let ask = [(header::WWW_AUTHENTICATE, "Bearer")];
    (StatusCode::UNAUTHORIZED, ask, "the token of http.token is needed\n").into_response()
}
