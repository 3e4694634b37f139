//! What systemd is told: that the daemon is ready, how it does, and that it is alive (sd_notify(3)).
//! Elsewhere all of this does nothing.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use sd_notify::NotifyState;

use crate::sync::{CycleError, Report};

/// When each loop was last seen alive, in milliseconds since the daemon began.
#[derive(Debug)]
pub(super) struct Pulse {
    began: Instant,
    sync: AtomicU64,
    checks: AtomicU64,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), sync: AtomicU64::new(0), checks: AtomicU64::new(0) }
    }

    pub(super) fn sync_is_alive(&self) {
        self.sync.store(self.now(), Ordering::Relaxed);
    }

    pub(super) fn checks_are_alive(&self) {
        self.checks.store(self.now(), Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
    }

    /// Whether both loops were alive within this time.
    fn beat_within(&self, limit: Duration) -> bool {
        let last = self.sync.load(Ordering::Relaxed).min(self.checks.load(Ordering::Relaxed));
        u128::from(self.now().saturating_sub(last)) < limit.as_millis()
    }

    /// Feeds systemd's watchdog, if there is one, while both loops are alive. It never ends.
    pub(super) async fn feed_watchdog(&self) {
        let Some(limit) = sd_notify::watchdog_enabled() else {
            return std::future::pending().await;
        };
        let mut ticks = tokio::time::interval((limit / 4).max(Duration::from_millis(1)));
        loop {
            ticks.tick().await;
            if self.beat_within(limit) {
                notify(NotifyState::Watchdog);
            }
        }
    }
}

pub(super) fn ready() {
    notify(NotifyState::Ready);
}

pub(super) fn stopping() {
    notify(NotifyState::Stopping);
}

/// The line that `systemctl status` shows.
pub(super) fn status(outcome: &Result<Report, CycleError>) {
    let line = match outcome {
        // What the last cycle that asked Closte found still holds.
        Ok(Report { quiet: true, .. }) => return,
        Ok(report) => {
            let served = report.in_place + report.covered + report.added;
            let mut line =
                format!("{served} of {} wanted domains are served by Closte", report.wanted);
            for (number, word) in
                [(report.failed, "failing"), (report.refused, "refused"), (report.held, "held")]
            {
                if number > 0 {
                    line.push_str(&format!(", {number} {word}"));
                }
            }
            line
        }
        Err(error) => format!("The last cycle was broken off: {error}"),
    };
    notify(NotifyState::Status(&line));
}

/// A service manager that does not listen is no reason to do anything else.
fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::debug!(%error, "systemd was not told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_loops_must_be_alive() {
        let mut pulse = Pulse::new();
        let Some(earlier) = Instant::now().checked_sub(Duration::from_secs(100)) else {
            return;
        };
        pulse.began = earlier;
        assert!(!pulse.beat_within(Duration::from_secs(60)));
        pulse.sync_is_alive();
        assert!(!pulse.beat_within(Duration::from_secs(60)), "the checks hang");
        pulse.checks_are_alive();
        assert!(pulse.beat_within(Duration::from_secs(60)));
    }
}
