use std::{error::Error, time::Duration};

use thiserror::Error;

use super::{Redirect, RetryAfter};
use crate::secrets;

/// The most of what the network said that is repeated, in characters.
const REASON: usize = 300;

/// Why a call to Closte did not do what was asked. No case holds the key: texts that came from
/// Closte are masked before they get here.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClosteError {
    /// Closte does not know the key.
    #[error("Closte does not accept the API key ({0}); check CLOSTE_CLIENT_API_KEY")]
    KeyRejected(String),
    /// Closte will not take this name, now or later.
    #[error("Closte refuses the name ({0})")]
    NameRefused(String),
    /// Too many calls.
    #[error("Closte asks for fewer calls (HTTP 429){}", again(.retry_after))]
    RateLimited {
        /// What its `Retry-After` said.
        retry_after: Option<RetryAfter>,
    },
    /// No answer: no connection, no valid certificate, none in time.
    #[error("could not reach Closte: {reason}; check the way out to closte.base_url")]
    Unreachable {
        /// What the network said.
        reason: String,
        /// Whether the time was over. Then another try at once would only take as long again.
        timed_out: bool,
    },
    /// Closte answered that it is out of order.
    #[error("Closte is out of order (HTTP {status}){}", again(.retry_after))]
    ServerError {
        /// The HTTP status, 500 or more.
        status: u16,
        /// What its `Retry-After` said.
        retry_after: Option<RetryAfter>,
    },
    /// It leads to where no call is sent.
    #[error("Closte answers HTTP {status}: {why}")]
    Redirected {
        /// The HTTP status, 300 to 399.
        status: u16,
        /// Why it was not followed.
        why: Redirect,
    },
    /// There is no such call.
    #[error("Closte knows no such call (HTTP {status}); check closte.base_url")]
    NotFound {
        /// 404 or 405.
        status: u16,
    },
    /// Closte answered in its own words, which this program does not know.
    #[error("Closte said no: {0}")]
    Rejected(String),
    /// Not an answer of this API: a web page, nothing, half of something.
    #[error("could not understand Closte's answer: {0}")]
    InvalidResponse(String),
}

impl ClosteError {
    /// Whether the same call may succeed a moment later.
    pub(super) fn may_heal_at_once(&self) -> bool {
        match self {
            Self::Unreachable { timed_out, .. } => !timed_out,
            Self::ServerError { .. } | Self::RateLimited { .. } => true,
            _ => false,
        }
    }

    /// How long Closte is left alone, because it asked for that.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::ServerError { retry_after, .. } => {
                retry_after.map(RetryAfter::wait)
            }
            _ => None,
        }
    }

    /// Whether it looks as if every other call would fail as well, though the one name asked about
    /// may be the cause: a firewall in front of Closte may forbid a single one.
    pub fn looks_like_an_outage(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::ServerError { .. }
            | Self::InvalidResponse(_)
            | Self::Redirected { .. }
            | Self::NotFound { .. }
            | Self::KeyRejected(_) => true,
            Self::RateLimited { .. } | Self::NameRefused(_) | Self::Rejected(_) => false,
        }
    }

    /// The error of a call that got no answer. The address is left out: it may hold the key.
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
            secrets::excerpt(&cause.to_string(), REASON)
        };
        Self::Unreachable { reason, timed_out: error.is_timeout() }
    }
}

fn again(retry_after: &Option<RetryAfter>) -> String {
    retry_after.map_or_else(String::new, |asked| format!(", again in {asked}"))
}
