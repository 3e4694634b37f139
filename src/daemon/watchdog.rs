//! Ends the process when a loop of the daemon hangs, where systemd does not. What started it starts it again:
//! Docker restarts a container that ended, but none that is unhealthy.

use std::{
    process,
    sync::{Arc, Weak},
    thread,
    time::Duration,
};

use super::health::{ALIVE_WITHIN, Health};
use crate::events::Event;

const TICK: Duration = Duration::from_secs(10);

/// The longest time to log the reason: the log may be what hangs.
const LONGEST_LOGGING: Duration = Duration::from_secs(2);

/// Watches in a thread of its own, which goes on when no task does, until the daemon has ended.
pub(super) fn start(health: &Arc<Health>) {
    if libsystemd::daemon::watchdog_enabled(false).is_some() {
        return;
    }
    let health = Arc::downgrade(health);
    let watch = move || {
        if hangs(&health, TICK, ALIVE_WITHIN) {
            let silent_s = ALIVE_WITHIN.as_secs();
            let remedy = "the daemon ends itself, to be started again; please report this";
            thread::spawn(move || Event::Hangs { silent_s, remedy: remedy.to_owned() }.log());
            thread::sleep(LONGEST_LOGGING);
            // The first process of a container does not end by SIGABRT, but by the trap that follows it.
            process::abort();
        }
    };
    if let Err(error) = thread::Builder::new().name("watchdog".to_owned()).spawn(watch) {
        tracing::debug!(%error, "there is no watchdog");
    }
}

/// Returns true when a loop has had no heartbeat for `limit`, and false when the daemon has ended.
fn hangs(health: &Weak<Health>, tick: Duration, limit: Duration) -> bool {
    let mut loops = [Silence::default(), Silence::default()];
    loop {
        thread::sleep(tick);
        let Some(health) = health.upgrade() else { return false };
        for (silence, beat) in loops.iter_mut().zip(health.heartbeats.last()) {
            if tick.saturating_mul(silence.tick(beat)) >= limit {
                return true;
            }
        }
    }
}

/// How long a loop has been silent, in ticks: a process that is paused for a while, as by `docker pause`, misses
/// both heartbeats and ticks.
#[derive(Debug, Default)]
struct Silence {
    beat: u64,
    ticks: u32,
}

impl Silence {
    /// Notes the last heartbeat. Returns for how many ticks it has been the last.
    fn tick(&mut self, beat: u64) -> u32 {
        let ticks = if beat == self.beat { self.ticks.saturating_add(1) } else { 0 };
        *self = Self { beat, ticks };
        ticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn it_ends_with_the_daemon() {
        let health = Arc::new(Health::default());
        let weak = Arc::downgrade(&health);
        drop(health);
        assert!(!hangs(&weak, MILLISECOND, Duration::MAX));
    }

    #[test]
    fn one_loop_that_hangs_is_enough() {
        let health = Arc::new(Health::default());
        let watched = Arc::downgrade(&health);
        let watch = thread::spawn(move || hangs(&watched, MILLISECOND, 30 * MILLISECOND));
        while !watch.is_finished() {
            health.heartbeats.sync_is_alive();
            thread::yield_now();
        }
        assert!(watch.join().unwrap());
    }

    #[test]
    fn a_heartbeat_ends_the_silence() {
        let mut silence = Silence::default();
        let ticks: Vec<u32> = [0, 0, 5, 5, 5, 9, 9].map(|beat| silence.tick(beat)).to_vec();
        assert_eq!(ticks, [1, 2, 0, 1, 2, 0, 1]);
    }
}
