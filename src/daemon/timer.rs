//! When the next cycle begins.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rand::RngExt as _;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use crate::{back_off::BackOff, domain::DomainName, reconciler::SyncInterval};

/// The longest pause between cycles that failures cause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// The shortest time from the start of a cycle to the start of the next one that somebody asks for.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// Begins the next cycle at once. One that is pulled during a cycle begins another one after it: the
/// cycle may have read the network already.
#[derive(Debug, Clone, Default)]
pub struct Trigger(Arc<Pulled>);

#[derive(Debug, Default)]
struct Pulled {
    notify: Notify,
    /// The names that the next cycle tries whatever their back-off or refusal.
    named: Mutex<HashSet<DomainName>>,
}

impl Trigger {
    pub fn pull(&self) {
        self.0.notify.notify_one();
    }

    /// Begins a cycle that tries this name whatever its back-off or refusal.
    pub fn pull_for(&self, name: DomainName) {
        self.0.named.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
        self.pull();
    }

    pub(super) fn take_named(&self) -> HashSet<DomainName> {
        std::mem::take(&mut self.0.named.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Debug, Clone)]
pub struct CycleTimer {
    /// `sync.interval`
    pub interval: SyncInterval,
    pub trigger: Trigger,
}

/// What the last cycle says about when the next one begins.
pub(super) struct EndedCycle {
    pub(super) begun: Instant,
    pub(super) read_took: Duration,
    /// Consecutive cycles that failed.
    pub(super) failures: u32,
    /// The time until Closte's list should be read again.
    pub(super) list_again_after: Option<Duration>,
    /// The end of Closte's `Retry-After`, which nothing shortens.
    pub(super) quiet_until: Option<Instant>,
}

impl CycleTimer {
    pub(super) async fn until_next(&self, last: EndedCycle) {
        let interval = self.interval.pause(last.read_took);
        let list_again = last.list_again_after.unwrap_or(Duration::MAX);
        let next = Instant::now() + pause(interval, last.failures).min(list_again);
        tokio::select! {
            () = sleep_until(next) => {}
            () = self.trigger.0.notify.notified() => sleep_until(last.begun + SHORTEST_PAUSE).await,
        }
        if let Some(end) = last.quiet_until {
            sleep_until(end).await;
        }
    }
}

/// The time to the next cycle, with a jitter of 10 % so that many daemons do not call Closte at the
/// same time.
fn pause(interval: Duration, failures: u32) -> Duration {
    let back_off = BackOff { first: interval, longest: LONGEST_PAUSE.max(interval) };
    back_off.after(failures).mul_f64(rand::rng().random_range(0.9..1.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_lengthen_the_pause() {
        let second = Duration::from_secs(1);
        let pause_of = |failures| pause(30 * second, failures).as_secs_f64().round();
        assert!((27.0..=33.0).contains(&pause_of(0)));
        assert!((27.0..=33.0).contains(&pause_of(1)));
        assert!((108.0..=132.0).contains(&pause_of(3)));
        assert!((270.0..=330.0).contains(&pause_of(99)));
        let hourly = pause(3600 * second, 9).as_secs();
        assert!((3240..=3960).contains(&hourly));
    }

    #[tokio::test(start_paused = true)]
    async fn a_trigger_shortens_the_interval_and_no_retry_after() {
        let interval = SyncInterval::Fixed(Duration::from_secs(60));
        let timer = CycleTimer { interval, trigger: Trigger::default() };
        let begun = Instant::now();
        let last = |quiet_s: Option<u64>| EndedCycle {
            begun,
            read_took: Duration::ZERO,
            failures: 0,
            list_again_after: None,
            quiet_until: quiet_s.map(|seconds| begun + Duration::from_secs(seconds)),
        };
        timer.trigger.pull();
        timer.trigger.pull();
        timer.until_next(last(None)).await;
        assert_eq!(begun.elapsed().as_secs(), 1, "at most one cycle a second");
        timer.trigger.pull();
        timer.until_next(last(Some(30))).await;
        assert_eq!(begun.elapsed().as_secs(), 30, "Closte's Retry-After");
        timer.until_next(last(None)).await;
        assert!((84..=96).contains(&begun.elapsed().as_secs()), "the two pulls were one");
    }
}
