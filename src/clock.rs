//! The time of day, as this program reckons it: what the clock said when the machine booted, and how long
//! that is ago. It goes on steadily whatever becomes of the clock, until whoever uses it follows that.

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

/// By how much the machine's clock may be off before that is a jump.
const TOLERANCE: Duration = Duration::from_secs(5);
/// Two processes may be apart by so much: what one of them has just written is not of a time to come.
pub const CLOCKS_DIFFER: Duration = Duration::from_secs(60);
/// Both clocks are read at one moment if it takes no longer.
const ONE_MOMENT: Duration = Duration::from_secs(1);

/// The time of day, which goes on steadily. Each clone follows the machine's clock by itself.
#[derive(Debug, Clone)]
pub struct Clock {
    machine: Machine,
    boot: Boot,
}

/// A boot of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// Which one.
    pub id: String,
    /// When that was, by the clock.
    pub at: Timestamp,
}

/// The machine's clock was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jump {
    /// The time until now.
    pub from: Timestamp,
    /// The time from now on.
    pub to: Timestamp,
    /// What the boot is by the clock after it.
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
    /// The time now.
    pub fn now(&self) -> Timestamp {
        later(self.boot.at, self.machine.runs_for())
    }

    /// The boot that the time is reckoned from.
    pub fn boot(&self) -> &Boot {
        &self.boot
    }

    /// How long the machine has run since it booted, asleep or not, on a clock that nobody sets.
    pub fn machine_runs_for(&self) -> Duration {
        self.machine.runs_for()
    }

    /// By how much the machine's clock has jumped, if it has. The time goes on as it did until
    /// [`Self::follow`].
    pub fn jump(&self) -> Option<Jump> {
        let ran = self.machine.runs_for();
        let clock = self.machine.clock();
        // Whoever was stopped between the two knows nothing.
        let is_one_moment = self.machine.runs_for().saturating_sub(ran) <= ONE_MOMENT;
        jump(&self.boot, clock, ran).filter(|_| is_one_moment)
    }

    /// From now on the time is reckoned from this.
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
    /// How far it went; negative where it went back.
    pub fn by(&self) -> SignedDuration {
        self.to.duration_since(self.from)
    }
}

/// What the machine says.
#[derive(Debug, Clone, Default)]
struct Machine {
    /// How many milliseconds have passed because a test said so.
    ahead: Arc<AtomicI64>,
    /// By how many milliseconds a test has set the clock.
    set: Arc<AtomicI64>,
}

impl Machine {
    fn runs_for(&self) -> Duration {
        let since_boot = clock_gettime(ClockId::Boottime).try_into().unwrap_or_default();
        let ahead = self.ahead.load(Ordering::Relaxed).unsigned_abs();
        Duration::saturating_add(since_boot, Duration::from_millis(ahead))
    }

    /// Its clock.
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

/// When the machine booted that has run for so long, as precisely as the state database has times.
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
        fn the_time_is_as_long_as_the_machine_ran_whatever_the_clock_does(
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
        assert!(time.now() < later(start, Duration::from_secs(3_600)), "it is not followed yet");
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
