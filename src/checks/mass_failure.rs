use std::time::Duration;

use jiff::Timestamp;

use crate::{events::Event, ledger::later};

/// When a name seems to have stopped working, this many others are checked, to see whether the fault is
/// on this side.
pub(super) const CONTROL_SAMPLE: u32 = 5;
/// Names that seem to stop working within this time after the first one are counted together.
const WINDOW: Duration = Duration::from_secs(60);
/// The event is repeated at the earliest after this time.
const REPEAT_AFTER: Duration = Duration::from_secs(10 * 60);

/// Whether so many working names seem to have stopped at the same time that the fault is probably on this
/// side.
pub fn is_suspicious(failing: u64, of: u64) -> bool {
    failing >= 2 && failing * 2 > of
}

/// Detects that most working names seem to stop at the same time.
#[derive(Debug, Default)]
pub(super) struct MassFailureDetector {
    /// When the first name seemed to stop working.
    began: Option<Timestamp>,
    /// How many others are checked because of it.
    controls: u64,
    /// How many working names were checked since then.
    checked: u64,
    /// How many of them seem to have stopped.
    failing: u64,
    alerted_at: Option<Timestamp>,
}

impl MassFailureDetector {
    /// Counts a check of a name that worked before, and returns whether it is the first to fail.
    pub(super) fn note(&mut self, is_failing: bool, now: Timestamp) -> bool {
        let is_first = is_failing && self.began.is_none_or(|began| now >= later(began, WINDOW));
        if is_first {
            let controls = CONTROL_SAMPLE.into();
            *self =
                Self { began: Some(now), controls, alerted_at: self.alerted_at, ..Self::default() };
        }
        self.checked += 1;
        self.failing += u64::from(is_failing);
        is_first
    }

    /// Sets how many other names there are to check.
    pub(super) fn set_controls(&mut self, controls: u64) {
        self.controls = controls;
    }

    pub(super) fn event(&mut self, now: Timestamp) -> Option<Event> {
        let (failing, of) = (self.failing, self.checked);
        let is_suspicious = of > self.controls
            && is_suspicious(failing, of)
            && self.alerted_at.is_none_or(|at| now >= later(at, REPEAT_AFTER));
        if is_suspicious {
            self.alerted_at = Some(now);
        }
        is_suspicious.then_some(Event::ChecksSuspicious { failing, of })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn it_is_suspicious_when_most_fail_together_and_not_when_one_does() {
        let checks = |failing: &[bool], controls| {
            let mut mass_failure = MassFailureDetector::default();
            let mut firsts = 0;
            for fails in failing {
                if mass_failure.note(*fails, at(0)) {
                    firsts += 1;
                    mass_failure.set_controls(controls);
                }
            }
            (firsts, mass_failure.event(at(0)).is_some(), mass_failure.event(at(1)).is_some())
        };
        assert_eq!(checks(&[true; 6], 5), (1, true, false));
        assert_eq!(checks(&[true, false, false, true, true, true], 5), (1, true, false));
        assert_eq!(checks(&[true, false, false, false, false, false], 5), (1, false, false));
        // The others are not checked yet.
        assert_eq!(checks(&[true, true], 5), (1, false, false));
        // A small network has no more names.
        assert_eq!(checks(&[true, true], 1), (1, true, false));
        assert_eq!(checks(&[true], 0), (1, false, false));
    }

    #[test]
    fn later_failures_are_counted_anew() {
        let mut mass_failure = MassFailureDetector::default();
        assert!(mass_failure.note(true, at(0)));
        (0..100).for_each(|second| assert!(!mass_failure.note(false, at(second))));
        assert_eq!((100..106).filter(|second| mass_failure.note(true, at(*second))).count(), 1);
        assert!(mass_failure.event(at(106)).is_some());
        assert!(mass_failure.note(true, at(200)));
        assert!((200..206).all(|second| !mass_failure.note(true, at(second))));
        assert!(mass_failure.event(at(206)).is_none(), "the event is recent");
        assert!(mass_failure.event(at(706)).is_some());
    }
}
