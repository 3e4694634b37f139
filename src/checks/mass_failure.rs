use std::time::Duration;

use jiff::Timestamp;

use crate::{events::Event, ledger::later};

/// When a name that worked seems not to, so many others are looked at, to see whether the fault is
/// ours.
pub(super) const CONTROL_SAMPLE: u32 = 5;
/// Names that seem to stop working within so long of the first one are taken together.
const TOGETHER: Duration = Duration::from_secs(60);
/// What was said is said again after so long, should it happen again.
const TELL_AGAIN: Duration = Duration::from_secs(10 * 60);

/// Whether so many of the names that had worked seem to have stopped at once that the fault is
/// probably on our side.
pub fn is_suspicious(failing: u64, of: u64) -> bool {
    failing >= 2 && failing * 2 > of
}

/// Whether names stop working one by one, or all at once because of us.
#[derive(Debug, Default)]
pub(super) struct MassFailureDetector {
    /// When the first name seemed to stop working.
    began: Option<Timestamp>,
    /// How many others are looked at because of it.
    controls: u64,
    /// Since then: how many names that had worked were looked at,
    checked: u64,
    /// and how many of them seemed not to work any more.
    failing: u64,
    alerted_at: Option<Timestamp>,
}

impl MassFailureDetector {
    /// Notes a look at a name that had worked. Whether it is the first of several that raises a doubt
    /// is the result.
    pub(super) fn note(&mut self, is_doubt: bool, now: Timestamp) -> bool {
        let is_first = is_doubt && self.began.is_none_or(|began| now >= later(began, TOGETHER));
        if is_first {
            let controls = CONTROL_SAMPLE.into();
            *self =
                Self { began: Some(now), controls, alerted_at: self.alerted_at, ..Self::default() };
        }
        self.checked += 1;
        self.failing += u64::from(is_doubt);
        is_first
    }

    /// Notes that there are only so many others to look at.
    pub(super) fn has_controls(&mut self, controls: u64) {
        self.controls = controls;
    }

    /// What there is to say.
    pub(super) fn event(&mut self, now: Timestamp) -> Option<Event> {
        let (failing, of) = (self.failing, self.checked);
        let is_suspicious = of > self.controls
            && is_suspicious(failing, of)
            && self.alerted_at.is_none_or(|told| now >= later(told, TELL_AGAIN));
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
    fn it_is_suspicious_when_most_fail_at_once_and_not_when_one_does() {
        let looks = |failing: &[bool], controls| {
            let mut mass_failure = MassFailureDetector::default();
            let mut firsts = 0;
            for fails in failing {
                if mass_failure.note(*fails, at(0)) {
                    firsts += 1;
                    mass_failure.has_controls(controls);
                }
            }
            (firsts, mass_failure.event(at(0)).is_some(), mass_failure.event(at(1)).is_some())
        };
        assert_eq!(looks(&[true; 6], 5), (1, true, false));
        assert_eq!(looks(&[true, false, false, true, true, true], 5), (1, true, false));
        assert_eq!(looks(&[true, false, false, false, false, false], 5), (1, false, false));
        // The others were not looked at yet.
        assert_eq!(looks(&[true, true], 5), (1, false, false));
        // A small network has no more of them.
        assert_eq!(looks(&[true, true], 1), (1, true, false));
        assert_eq!(looks(&[true], 0), (1, false, false));
    }

    #[test]
    fn what_comes_later_is_judged_anew_whatever_became_of_the_doubts_before() {
        let mut mass_failure = MassFailureDetector::default();
        assert!(mass_failure.note(true, at(0)));
        (0..100).for_each(|second| assert!(!mass_failure.note(false, at(second))));
        assert_eq!((100..106).filter(|second| mass_failure.note(true, at(*second))).count(), 1);
        assert!(mass_failure.event(at(106)).is_some());
        assert!(mass_failure.note(true, at(200)));
        assert!((200..206).all(|second| !mass_failure.note(true, at(second))));
        assert!(mass_failure.event(at(206)).is_none(), "it was said a moment ago");
        assert!(mass_failure.event(at(706)).is_some());
    }
}
