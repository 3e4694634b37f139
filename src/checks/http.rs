//! What answers without TLS: authorities that issue by HTTP-01 come there, and so do visitors who type `http://`.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::timeout;

use super::{
    site::{Answer, Failure, Kind, MOST_ADDRESSES, SitePace, TIMEOUT, get},
    tls::connect,
};
use crate::{
    ledger::later,
    secrets,
    state::CheckedDomain,
    status::{HttpResult, HttpVerdict, SslVerdict},
};

/// How often the port of a name that works is looked at.
const INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);
/// Where HTTP-01 puts its answers (RFC 8555, section 8.3). There is none of this name.
const CHALLENGE: &str = "/.well-known/acme-challenge/closte-sync";

/// Looks at the port without TLS.
pub(super) struct HttpProber {
    port: u16,
    pace: SitePace,
}

impl HttpProber {
    pub(super) fn new(port: u16, pace: SitePace) -> Self {
        Self { port, pace }
    }

    /// Asks each address, and returns the worst answer. None where that would take too much of a server's time;
    /// `waits` is whether it is needed all the same.
    pub(super) async fn look_at(
        &self,
        addresses: &[IpAddr],
        host: &str,
        waits: bool,
        now: Timestamp,
    ) -> Option<HttpResult> {
        let mut worst: Option<HttpResult> = None;
        for &address in addresses.iter().take(MOST_ADDRESSES) {
            let _turn = match waits {
                true => self.pace.begin(address).await,
                false => self.pace.try_begin(address)?,
            };
            let answer = timeout(TIMEOUT, self.ask(address, host)).await;
            let answer = answer.unwrap_or(Err(Failure::TimedOut));
            let (verdict, error) = evaluate(&answer);
            if worst.as_ref().is_none_or(|worst| verdict > worst.verdict) {
                let error = error.map(secrets::excerpt);
                let (checked_at, port) = (now, self.port);
                let seen =
                    HttpResult { verdict, checked_at, address, port, error, timed_out: false };
                worst = Some(seen);
            }
        }
        worst
    }

    async fn ask(&self, address: IpAddr, host: &str) -> Result<Answer, Failure> {
        let stream = connect(SocketAddr::new(address, self.port)).await.map_err(|failed| {
            let why = failed.error.unwrap_or_default();
            match failed.verdict {
                SslVerdict::Refused => Failure::Refused,
                SslVerdict::TimedOut => Failure::TimedOut,
                SslVerdict::Unknown => Failure::Ours(why),
                _ => Failure::Closed(why),
            }
        })?;
        get(stream, host, CHALLENGE, Kind::PastCaches).await
    }
}

fn evaluate(answer: &Result<Answer, Failure>) -> (HttpVerdict, Option<&str>) {
    match answer {
        Ok(answer) if answer.is_barred() => {
            (HttpVerdict::Blocked, Some("a login or a proxy's challenge answers"))
        }
        Ok(_) => (HttpVerdict::Open, None),
        Err(Failure::Refused) => (HttpVerdict::Refused, None),
        Err(Failure::TimedOut) => (HttpVerdict::TimedOut, Some("no answer in time")),
        Err(Failure::Closed(why)) => (HttpVerdict::Closed, Some(why)),
        Err(Failure::Ours(why)) => (HttpVerdict::Unknown, Some(why)),
    }
}

/// Whether the port is looked at with the name's next check: daily, and when something is wrong.
pub(super) fn is_http_due(checked: &CheckedDomain, now: Timestamp) -> bool {
    // Authorities validate no wildcard by HTTP-01.
    if checked.name.as_str().starts_with("*.") {
        return false;
    }
    let Some(status) = &checked.status else { return true };
    let latest = &status.latest;
    let Some(http) = &latest.http else { return true };
    http.verdict != HttpVerdict::Open
        || !(latest.works() || latest.is_decided())
        || latest.ssl.verdict == SslVerdict::Expiring
        || status.suspect_since.is_some()
        || http.checked_at > now
        || now >= later(http.checked_at, INTERVAL)
}
