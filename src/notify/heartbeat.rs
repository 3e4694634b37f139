//! `notify.heartbeat_url`: a service that misses the calls tells people that the daemon is dead.

use std::time::Duration;

use reqwest::Url;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{config::SecretUrl, deliver::Courier};
use crate::leader::Leader;

/// The shortest time between two calls.
const PAUSE: Duration = Duration::from_secs(60);

/// Calls `notify.heartbeat_url` after cycles.
#[derive(Debug)]
pub struct CycleHeartbeat {
    url: SecretUrl,
    courier: Courier,
}

impl CycleHeartbeat {
    /// # Errors
    /// When the system's root certificates cannot be loaded.
    pub fn new(url: SecretUrl) -> reqwest::Result<Self> {
        Ok(Self { url, courier: Courier::new()? })
    }

    /// One call, after the only cycle of this process.
    pub async fn run_round(self, is_good: bool) {
        if let Err(error) = self.courier.get(address(self.url.expose(), is_good)).await {
            tracing::debug!(error, "the heartbeat did not arrive");
        }
    }

    /// Until `stop`. `cycles` has whether the last cycle was good; none before the first.
    /// A standby does not call: the calls mean that somebody does the work.
    pub async fn run(
        self,
        mut cycles: watch::Receiver<Option<bool>>,
        leader: &Leader,
        stop: &CancellationToken,
    ) {
        // The cycles of before a reload count, too.
        cycles.mark_changed();
        while let Some(Ok(())) = stop.run_until_cancelled(cycles.changed()).await {
            let Some(is_good) = *cycles.borrow_and_update() else { continue };
            if !leader.standing().tells() {
                continue;
            }
            let call = self.courier.get(address(self.url.expose(), is_good));
            if let Some(Err(error)) = stop.run_until_cancelled(call).await {
                tracing::debug!(error, "the heartbeat did not arrive");
            }
            stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
        }
    }
}

/// As healthchecks.io has it, `/fail` after the path; as Uptime Kuma has it, `status=down`.
fn address(url: &Url, is_good: bool) -> Url {
    let mut url = url.clone();
    if url.path().contains("/api/push/") {
        let others: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(name, _)| name != "status" && name != "msg")
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        let (status, text) = if is_good { ("up", "OK") } else { ("down", "the last cycle failed") };
        url.query_pairs_mut()
            .clear()
            .append_pair("status", status)
            .append_pair("msg", text)
            .extend_pairs(others);
    } else if !is_good {
        let path = format!("{}/fail", url.path().trim_end_matches('/'));
        url.set_path(&path);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_is_told_in_its_own_way() {
        for (url, good, failed) in [
            (
                "https://hc-ping.com/6dcf",
                "https://hc-ping.com/6dcf",
                "https://hc-ping.com/6dcf/fail",
            ),
            (
                "https://ping.example/a/?rid=1",
                "https://ping.example/a/?rid=1",
                "https://ping.example/a/fail?rid=1",
            ),
            (
                "https://kuma.example/api/push/x?status=up&msg=OK&ping=",
                "https://kuma.example/api/push/x?status=up&msg=OK&ping=",
                "https://kuma.example/api/push/x?status=down&msg=the+last+cycle+failed&ping=",
            ),
        ] {
            let url: Url = url.parse().unwrap();
            assert_eq!(address(&url, true).as_str(), good);
            assert_eq!(address(&url, false).as_str(), failed);
        }
    }
}
