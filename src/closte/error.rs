use std::{error::Error, time::Duration};

use strum::IntoStaticStr;
use thiserror::Error;

use super::{Redirect, RetryAfter};
use crate::secrets;

/// Why a call to Closte failed. Texts from Closte are masked, so that no error contains the key. As a
/// text, the word that metrics have for it.
#[derive(Debug, Clone, PartialEq, Eq, Error, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum ClosteError {
    #[error("Closte does not accept the API key ({0}); check CLOSTE_CLIENT_API_KEY")]
    KeyRejected(String),
    /// Closte will not take this name, now or later.
    #[error("Closte refuses the name ({0})")]
    #[strum(serialize = "refused")]
    NameRefused(String),
    #[error("Closte asks for fewer calls (HTTP 429){}", again(.retry_after))]
    RateLimited { retry_after: Option<RetryAfter> },
    /// No answer: no connection, no valid certificate, or a timeout.
    #[error("could not reach Closte: {reason}; check the way out to closte.base_url")]
    Unreachable {
        reason: String,
        /// Another try would take as long again.
        timed_out: bool,
    },
    /// No answer came before the process had to end.
    #[error("closte-sync was stopped before Closte answered, so the outcome is unknown")]
    OutcomeUnknown,
    /// HTTP 500 or more.
    #[error(
        "Closte is failing (HTTP {status}){}; if it lasts, ask Closte's support",
        again(.retry_after)
    )]
    ServerError { status: u16, retry_after: Option<RetryAfter> },
    /// A redirect that was not followed.
    #[error("Closte answers HTTP {status}: {why}")]
    Redirected { status: u16, why: Redirect },
    /// HTTP 404 or 405.
    #[error("Closte has no such call (HTTP {status}); check closte.base_url")]
    NotFound { status: u16 },
    /// Closte did not do it, for a reason that this program does not know.
    #[error("Closte rejected the call: {0}")]
    Rejected(String),
    /// Not an answer of this API: a web page, an empty body, cut-short JSON.
    #[error("could not understand Closte's answer: {0}")]
    InvalidResponse(String),
}

impl ClosteError {
    /// Whether the same call may succeed a moment later.
    pub(super) fn may_heal_soon(&self) -> bool {
        match self {
            Self::Unreachable { timed_out, .. } => !timed_out,
            Self::ServerError { .. } | Self::RateLimited { .. } => true,
            _ => false,
        }
    }

    /// For how long Closte asks not to be called.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::ServerError { retry_after, .. } => {
                retry_after.map(RetryAfter::wait)
            }
            _ => None,
        }
    }

    /// Whether other calls are likely to fail as well. The name may be the cause all the same: a firewall
    /// in front of Closte may block a single one.
    pub fn looks_like_an_outage(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::ServerError { .. }
            | Self::InvalidResponse(_)
            | Self::Redirected { .. }
            | Self::NotFound { .. }
            | Self::KeyRejected(_) => true,
            Self::RateLimited { .. }
            | Self::NameRefused(_)
            | Self::Rejected(_)
            | Self::OutcomeUnknown => false,
        }
    }

    /// Leaves the address out: it may contain the key.
    pub(super) fn from_transport(error: &reqwest::Error, timeout: Duration) -> Self {
        let mut cause: &dyn Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let reason = if error.is_timeout() {
            format!("no answer within {} s", timeout.as_secs_f32())
        } else if std::ptr::eq(cause, error as &dyn Error) {
            "the request failed".to_owned()
        } else {
            secrets::excerpt(&cause.to_string())
        };
        Self::Unreachable { reason, timed_out: error.is_timeout() }
    }
}

fn again(retry_after: &Option<RetryAfter>) -> String {
    retry_after.map_or_else(String::new, |asked| format!(", again in {asked}"))
}
