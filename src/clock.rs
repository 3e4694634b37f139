//! A clock that no change of the machine's clock disturbs: its time is the time of the boot plus the time
//! since the boot. It follows a jump of the machine's clock only when its user says so.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};

use crate::ledger::later;

/// A greater difference to the machine's clock is a jump.
const TOLERANCE: Duration = Duration::from_secs(5);
/// How far the clocks of two processes may differ: times that far ahead may just have been written.
pub const CLOCKS_DIFFER: Duration = Duration::from_secs(60);
/// Both clocks count as read together if that takes no longer.
const TOGETHER: Duration = Duration::from_secs(1);

/// Each clone follows the machine's clock independently.
#[derive(Debug, Clone)]
pub struct Clock {
    machine: Machine,
    boot: Boot,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    pub id: String,
    pub at: Timestamp,
}

/// A change of the machine's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jump {
    pub from: Timestamp,
    pub to: Timestamp,
    /// With its time by the changed clock.
    pub boot: Boot,
}

impl Default for Clock {
    fn default() -> Self {
        let machine = Machine::default();
        // https://docs.kernel.org/admin-guide/sysctl/kernel.html#random
        let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let at = booted_at(machine.clock(), machine.runs_for());
        Self { machine, boot: Boot { id: id.trim().to_owned(), at } }
    }
}

impl Clock {
    pub fn now(&self) -> Timestamp {
        later(self.boot.at, self.machine.runs_for())
    }

    pub fn boot(&self) -> &Boot {
        &self.boot
    }

    /// The time since the boot, suspended or not. It cannot be set.
    pub fn machine_runs_for(&self) -> Duration {
        self.machine.runs_for()
    }

    /// A jump of the machine's clock that was not followed yet.
    pub fn jump(&self) -> Option<Jump> {
        let ran = self.machine.runs_for();
        let clock = self.machine.clock();
        // If the process was suspended between the two, they cannot be compared.
        let is_together = self.machine.runs_for().saturating_sub(ran) <= TOGETHER;
        jump(&self.boot, clock, ran).filter(|_| is_together)
    }

    /// Changes the time to that since `boot`.
    pub fn follow(&mut self, boot: Boot) {
        self.boot = boot;
    }

    /// Lets time pass, for tests.
    pub fn advance(&self, by: Duration) {
        let by = by.as_millis().try_into().unwrap_or(i64::MAX);
        self.machine.ahead.fetch_add(by, Ordering::Relaxed);
    }

    /// Sets the machine's clock forward or back, for tests.
    pub fn set_clock(&self, by: SignedDuration) {
        let by = by.as_millis().try_into().unwrap_or(i64::MAX);
        self.machine.set.fetch_add(by, Ordering::Relaxed);
    }
}

impl Jump {
    /// Negative if the clock was set back.
    pub fn by(&self) -> SignedDuration {
        self.to.duration_since(self.from)
    }
}

/// The clocks of the machine.
#[derive(Debug, Clone, Default)]
struct Machine {
    /// The milliseconds of [`Clock::advance`].
    ahead: Arc<AtomicI64>,
    /// The milliseconds of [`Clock::set_clock`].
    set: Arc<AtomicI64>,
}

impl Machine {
    fn runs_for(&self) -> Duration {
        let since_boot = clock_gettime(ClockId::Boottime).try_into().unwrap_or_default();
        let ahead = self.ahead.load(Ordering::Relaxed).unsigned_abs();
        Duration::saturating_add(since_boot, Duration::from_millis(ahead))
    }

    fn clock(&self) -> Timestamp {
        let ahead = self.ahead.load(Ordering::Relaxed);
        let moved = ahead.saturating_add(self.set.load(Ordering::Relaxed));
        let now = Timestamp::now();
        now.checked_add(SignedDuration::from_millis(moved)).unwrap_or(now)
    }
}

fn jump(boot: &Boot, clock: Timestamp, ran: Duration) -> Option<Jump> {
    let jump = Jump {
        from: later(boot.at, ran),
        to: clock,
        boot: Boot { id: boot.id.clone(), at: booted_at(clock, ran) },
    };
    (jump.by().unsigned_abs() > TOLERANCE).then_some(jump)
}

/// When a machine booted that has run for `ran`, in milliseconds as in the state database.
fn booted_at(clock: Timestamp, ran: Duration) -> Timestamp {
    let at = clock.checked_sub(ran).unwrap_or(Timestamp::MIN);
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn booted() -> Boot {
        Boot { id: "this one".to_owned(), at: Timestamp::from_second(1_800_000_000).unwrap() }
    }

    proptest! {
        #[test]
        fn the_time_passes_as_the_machine_runs_whatever_the_clock_does(
            steps in prop::collection::vec((0u64..1_000_000, -2_000i64..2_000), 1..20),
        ) {
            let mut boot = booted();
            let (mut ran, mut clock) = (Duration::ZERO, boot.at);
            for (seconds, set) in steps {
                let now = later(boot.at, ran);
                let passed = Duration::from_secs(seconds);
                ran += passed;
                prop_assert_eq!(later(boot.at, ran), later(now, passed));
                let set = SignedDuration::from_secs(set * 1_000);
                clock = later(clock, passed) + set;
                match jump(&boot, clock, ran) {
                    None => prop_assert!(set.is_zero()),
                    Some(jump) => {
                        prop_assert_eq!(jump.by(), set);
                        boot = jump.boot;
                    }
                }
                prop_assert_eq!(later(boot.at, ran), clock);
            }
        }
    }

    #[test]
    fn a_clock_that_is_a_little_off_has_not_jumped() {
        let at = |seconds| later(booted().at, Duration::from_secs(seconds));
        let ran = Duration::from_secs(100);
        for (clock, by) in [(94, Some(-6)), (95, None), (100, None), (105, None), (106, Some(6))] {
            let jump = jump(&booted(), at(clock), ran);
            assert_eq!(jump.map(|jump| jump.by().as_secs()), by);
        }
    }

    #[test]
    fn time_passes_or_is_set() {
        let mut time = Clock::default();
        let start = time.now();
        time.advance(Duration::from_secs(60));
        assert!(time.jump().is_none() && time.now() >= later(start, Duration::from_secs(60)));
        time.set_clock(SignedDuration::from_hours(24));
        let jump = time.jump().unwrap();
        assert!(time.now() < later(start, Duration::from_secs(3_600)), "it was not followed yet");
        time.follow(jump.boot);
        assert!(time.jump().is_none() && time.now() > later(start, Duration::from_secs(86_400)));
    }

    #[test]
    fn processes_agree_on_the_boot() {
        let (one, other) = (Clock::default(), Clock::default());
        assert!(!one.boot().id.is_empty());
        assert_eq!(one.boot().id, other.boot().id);
        assert!(one.boot().at.duration_since(other.boot().at).unsigned_abs() < TOLERANCE);
    }
}
