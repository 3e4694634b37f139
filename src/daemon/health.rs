use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::http::Metrics;
use crate::leader::Standing;
use crate::reconciler::{CycleOutcome, CycleResult};

/// A loop without a heartbeat for this long hangs: no step takes longer.
pub(crate) const ALIVE_WITHIN: Duration = Duration::from_secs(10 * 60);

#[derive(Debug, Default)]
pub(crate) struct Health {
    pub(crate) heartbeats: Heartbeats,
    pub(crate) metrics: Metrics,
    /// Cancelled when the first cycle has ended.
    pub(crate) first_cycle: CancellationToken,
    last_cycle: Mutex<Option<Cycle>>,
    /// Whether the last cycle was good; none before the first.
    pub(crate) is_good: watch::Sender<Option<bool>>,
    /// Why the last reload was refused.
    refusal: Mutex<Option<String>>,
}

#[derive(Debug, Clone)]
struct Cycle {
    ended: Instant,
    error: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Readiness {
    pub(crate) ready: bool,
    /// None before the first cycle has ended.
    pub(crate) last_cycle: Option<LastEnded>,
    pub(crate) leader: Standing,
}

#[derive(Debug, Serialize)]
pub(crate) struct LastEnded {
    pub(crate) age_s: u64,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

impl Health {
    pub(crate) fn note_cycle(&self, outcome: &CycleOutcome, took: Duration) {
        self.first_cycle.cancel();
        self.metrics.note_cycle(outcome, took);
        if outcome.result() == CycleResult::Stopped {
            return;
        }
        self.is_good.send_replace(Some(outcome.result() == CycleResult::Ok));
        let error = outcome.stopped_by.as_ref().map(ToString::to_string);
        let mut last = self.last_cycle.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(Cycle { ended: Instant::now(), error });
    }

    /// Why the last reload was refused; none after one that succeeded.
    pub(crate) fn note_refusal(&self, why: Option<String>) {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    pub(crate) fn refusal(&self) -> Option<String> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ready means that the last cycle succeeded recently.
    pub(crate) fn readiness(&self, interval: Duration, leader: Standing) -> Readiness {
        let last = self.last_cycle.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let allowed = ALIVE_WITHIN.max(interval.saturating_mul(3));
        let is_fresh_success =
            |cycle: &Cycle| cycle.error.is_none() && cycle.ended.elapsed() <= allowed;
        Readiness {
            ready: last.as_ref().is_some_and(is_fresh_success),
            last_cycle: last.map(|cycle| LastEnded {
                age_s: cycle.ended.elapsed().as_secs(),
                outcome: if cycle.error.is_none() { "ok" } else { "failed" },
                error: cycle.error,
            }),
            leader,
        }
    }
}

/// When each loop was last alive, in milliseconds since the start.
#[derive(Debug)]
pub(crate) struct Heartbeats {
    began: Instant,
    sync: AtomicU64,
    checks: AtomicU64,
}

impl Default for Heartbeats {
    fn default() -> Self {
        Self { began: Instant::now(), sync: AtomicU64::new(0), checks: AtomicU64::new(0) }
    }
}

impl Heartbeats {
    pub(crate) fn sync_is_alive(&self) {
        self.sync.store(self.now(), Ordering::Relaxed);
    }

    pub(crate) fn checks_are_alive(&self) {
        self.checks.store(self.now(), Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
    }

    /// The last heartbeat of each loop.
    pub(super) fn last(&self) -> [u64; 2] {
        [&self.sync, &self.checks].map(|last| last.load(Ordering::Relaxed))
    }

    /// Whether the last heartbeat of each loop is more recent than this.
    pub(crate) fn beat_within(&self, limit: Duration) -> bool {
        let [sync, checks] = self.last();
        u128::from(self.now().saturating_sub(sync.min(checks))) < limit.as_millis()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_loops_must_be_alive() {
        let mut heartbeats = Heartbeats::default();
        let Some(earlier) = Instant::now().checked_sub(Duration::from_secs(100)) else {
            return;
        };
        heartbeats.began = earlier;
        assert!(!heartbeats.beat_within(Duration::from_secs(60)));
        heartbeats.sync_is_alive();
        assert!(!heartbeats.beat_within(Duration::from_secs(60)), "the checks hang");
        heartbeats.checks_are_alive();
        assert!(heartbeats.beat_within(Duration::from_secs(60)));
    }
}
