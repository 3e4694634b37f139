//! Sends a message to a target.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{
    Response, StatusCode, Url,
    header::{HeaderMap, RETRY_AFTER},
    redirect::Policy,
};

use super::{NotifyTarget, kinds::Probe, message::Message};
use crate::secrets;

/// The longest time for one call.
const TIMEOUT: Duration = Duration::from_secs(15);
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
        let post = target.kind.render(message, now);
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
        let Probe { method, url, headers, is_certain } = target.kind.probe();
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
fn reason(error: &reqwest::Error) -> String {
    let mut parts = vec![error.to_string()];
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        parts.push(cause.to_string());
        source = cause.source();
    }
    parts.dedup();
    secrets::excerpt(&parts.join(": "))
}
