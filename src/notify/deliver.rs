//! Sends a message to a target.

use std::{error::Error, time::Duration};

use jiff::Timestamp;
use lettre::AsyncTransport as _;
use reqwest::{
    Response, StatusCode, Url,
    header::{HeaderMap, RETRY_AFTER},
    redirect::Policy,
};
use tokio::time::timeout;

use super::{
    NotifyTarget,
    kinds::{EmailTarget, Probe, ProbeCall, Rendered},
    message::Message,
};
use crate::secrets;

/// The longest time for one call.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The fault of a mail server that stays silent: lettre's own time limit is for single steps.
const NO_ANSWER: &str = "the mail server stopped answering";
/// The most bytes of an answer that are read.
const MOST_READ: usize = 4_096;

/// How a delivery ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DeliveryOutcome {
    Arrived,
    Failed {
        error: String,
        /// Whether the target may have it all the same.
        may_have_arrived: bool,
        retry_after: Option<Duration>,
    },
}

/// Clients for all targets.
#[derive(Debug, Clone)]
pub(super) struct Courier {
    http: reqwest::Client,
}

impl Courier {
    /// # Errors
    /// When the system's root certificates cannot be loaded.
    pub(super) fn new() -> reqwest::Result<Self> {
        // Fails only if one is installed already, which is then used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .user_agent(concat!("closte-sync/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(TIMEOUT)
            .timeout(TIMEOUT)
            .pool_max_idle_per_host(0)
            .referer(false)
            // Another address than the one in the settings must not get the message.
            .redirect(Policy::none())
            .build()?;
        Ok(Self { http })
    }

    pub(super) async fn deliver(
        &self,
        target: &NotifyTarget,
        message: &Message,
        now: Timestamp,
    ) -> DeliveryOutcome {
        let post = match target.kind.render(&target.name, message, now) {
            Rendered::Call(post) => post,
            Rendered::Mail(server, Ok(mail)) => return send(server, mail).await,
            Rendered::Mail(_, Err(error)) => {
                return DeliveryOutcome::Failed {
                    error,
                    may_have_arrived: false,
                    retry_after: None,
                };
            }
        };
        let request = self.http.post(post.url).headers(post.headers).body(post.body);
        match request.send().await {
            Ok(response) if response.status().is_success() => DeliveryOutcome::Arrived,
            Ok(response) => refused(response).await,
            Err(error) => DeliveryOutcome::Failed {
                may_have_arrived: !error.is_connect() && !error.is_builder(),
                error: reason(&error.without_url()),
                retry_after: None,
            },
        }
    }
}

impl Courier {
    /// Calls an address of which the answer does not matter.
    pub(super) async fn get(&self, url: Url) -> Result<(), String> {
        match self.http.get(url).send().await {
            Ok(response) if response.status().is_success() => Ok(()),
            Ok(response) => Err(format!("it answered {}", response.status().as_u16())),
            Err(error) => Err(reason(&error.without_url())),
        }
    }

    /// Tries a target without a message. Returns what was found.
    pub(super) async fn probe(&self, target: &NotifyTarget) -> Result<String, String> {
        let ProbeCall { method, url, headers, is_certain } = match target.kind.probe() {
            Probe::Call(call) => *call,
            Probe::Mail(server) => return try_server(server).await,
        };
        let answer = self.http.request(method, url).headers(headers).send().await;
        let response = answer.map_err(|error| reason(&error.without_url()))?;
        if !is_certain {
            return Ok(format!(
                "its server answers; only `closte-sync notify --test {}` shows whether it takes messages",
                target.name
            ));
        }
        if response.status().is_success() {
            return Ok("it would take a message".to_owned());
        }
        match refused(response).await {
            DeliveryOutcome::Failed { error, .. } => Err(error),
            DeliveryOutcome::Arrived => Ok(String::new()),
        }
    }
}

async fn send(server: &EmailTarget, mail: lettre::Message) -> DeliveryOutcome {
    let sent = async { server.transport()?.send(mail).await };
    match timeout(TIMEOUT, sent).await {
        Ok(Ok(_)) => DeliveryOutcome::Arrived,
        Err(_) => DeliveryOutcome::Failed {
            error: NO_ANSWER.to_owned(),
            may_have_arrived: true,
            retry_after: None,
        },
        Ok(Err(error)) => DeliveryOutcome::Failed {
            may_have_arrived: error.status().is_none() && !error.is_client() && !error.is_tls(),
            error: reason(&error),
            retry_after: None,
        },
    }
}

/// Connects to the server and logs in.
async fn try_server(server: &EmailTarget) -> Result<String, String> {
    let tried = async { server.transport()?.test_connection().await };
    match timeout(TIMEOUT, tried).await {
        Ok(Ok(true)) => Ok("the server accepts the connection and the login".to_owned()),
        Ok(Ok(false)) => Err("the server does not answer as expected".to_owned()),
        Ok(Err(error)) => Err(reason(&error)),
        Err(_) => Err(NO_ANSWER.to_owned()),
    }
}

async fn refused(response: Response) -> DeliveryOutcome {
    let status = response.status();
    let header = retry_after(response.headers());
    let text = beginning(response).await;
    let in_body = || {
        let body: serde_json::Value = serde_json::from_str(&text).ok()?;
        // Discord: seconds with a fraction.
        Duration::try_from_secs_f64(body.get("retry_after")?.as_f64()?).ok()
    };
    let retry_after = header.or_else(in_body);
    let said = secrets::excerpt(&text);
    let said = if said.is_empty() { said } else { format!(": {said}") };
    let remedy = match status {
        _ if status.is_redirection() => "; set the address that it leads to",
        StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::NOT_FOUND
        | StatusCode::GONE => "; make a new address or token there, and set it",
        _ => "",
    };
    DeliveryOutcome::Failed {
        error: format!("it answered {}{said}{remedy}", status.as_u16()),
        may_have_arrived: false,
        retry_after,
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: f64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

async fn beginning(mut response: Response) -> String {
    let mut body = Vec::new();
    while body.len() < MOST_READ {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            _ => break,
        }
    }
    body.truncate(MOST_READ);
    String::from_utf8_lossy(&body).into_owned()
}

/// The error with its causes.
fn reason(error: &dyn Error) -> String {
    let mut parts = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        parts.push(cause.to_string());
        source = cause.source();
    }
    parts.dedup();
    secrets::excerpt(&parts.join(": "))
}
