//! A condition lasts: it is raised, repeated at growing intervals, and cleared.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::{back_off::BackOff, events::Event};

/// How long until a condition is repeated.
const REPEAT: BackOff =
    BackOff { first: Duration::from_secs(60), longest: Duration::from_secs(6 * 60 * 60) };

/// One line each: its name, how many seconds it must last before it is reported, and the event that
/// reports its end.
macro_rules! conditions {
    ($($(#[$doc:meta])* $name:ident after $seconds:literal, cleared by $cleared:ident)*) => {
        /// A fault that lasts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Condition {
            $($(#[$doc])* $name,)*
        }

        impl Condition {
            /// How long it must last before it is reported.
            fn delay(self) -> Duration {
                match self {
                    $(Self::$name => Duration::from_secs($seconds),)*
                }
            }

            /// The event that reports its end.
            fn cleared(self, after_s: u64) -> Event {
                match self {
                    $(Self::$name => Event::$cleared { after_s },)*
                }
            }
        }
    };
}

conditions! {
    /// Stages cannot be written into WordPress.
    Stages after 0, cleared by StagesRecovered
    /// The network's database cannot be read.
    WordPress after 0, cleared by SourceRecovered
    /// Calls to Closte fail.
    Closte after 0, cleared by ClosteRecovered
    /// Part of Closte's list could not be parsed.
    ClosteList after 0, cleared by ListComplete
    /// Removals are held until a person lets them through.
    Removals after 0, cleared by RemovalsReleased
    /// Another process is in the middle of a cycle.
    OtherCycle after 20, cleared by GoesOn
    /// The state database cannot be read or written.
    State after 0, cleared by StateRecovered
    /// The state database's file was deleted or replaced.
    StateFile after 0, cleared by StateRecovered
    /// Where names should point cannot be found out.
    Target after 0, cleared by TargetKnown
    /// Resolvers do not answer.
    SilentResolvers after 0, cleared by ResolverAnswers
    /// Resolvers fail where others answer.
    SickResolvers after 0, cleared by ResolverWell
    /// Resolvers answer differently from those that decide.
    OddResolvers after 0, cleared by ResolverAgrees
    /// Checks are late by more than an interval.
    LateChecks after 0, cleared by ChecksInTime
}

#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// The condition lasts, with the event that reports it; [`Conditions`] sets the event's `for_s`.
    Raise(Condition, Event),
    /// The condition has ended, or never began.
    Clear(Condition),
}

/// The conditions that last, and when each was last reported.
#[derive(Debug, Default)]
pub struct Conditions(HashMap<Condition, Raised>);

#[derive(Debug)]
struct Raised {
    since: Instant,
    reported: Option<Report>,
}

#[derive(Debug)]
struct Report {
    /// The name of the event: another one is reported immediately.
    name: &'static str,
    at: Instant,
    times: u32,
}

impl Conditions {
    /// Returns the events that are due now.
    pub fn update(
        &mut self,
        findings: impl IntoIterator<Item = Finding>,
        now: Instant,
    ) -> Vec<Event> {
        let report = |finding| match finding {
            Finding::Raise(condition, event) => self.raise(condition, event, now),
            Finding::Clear(condition) => self.clear(condition, now),
        };
        findings.into_iter().filter_map(report).collect()
    }

    fn raise(&mut self, condition: Condition, mut event: Event, now: Instant) -> Option<Event> {
        let raised = self.0.entry(condition).or_insert(Raised { since: now, reported: None });
        let lasted = now.saturating_duration_since(raised.since);
        let times = match &raised.reported {
            None if lasted < condition.delay() => return None,
            Some(last) if last.name == event.name() => {
                if now.saturating_duration_since(last.at) < REPEAT.after(last.times) {
                    return None;
                }
                last.times.saturating_add(1)
            }
            _ => 1,
        };
        event.set_duration(lasted);
        raised.reported = Some(Report { name: event.name(), at: now, times });
        Some(event)
    }

    fn clear(&mut self, condition: Condition, now: Instant) -> Option<Event> {
        let raised = self.0.remove(&condition)?;
        let lasted = now.saturating_duration_since(raised.since);
        raised.reported.map(|_| condition.cleared(lasted.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closte_failed() -> Finding {
        let event = Event::ClosteFailed { error: "connection refused".to_owned(), for_s: 0 };
        Finding::Raise(Condition::Closte, event)
    }

    #[test]
    fn a_condition_is_repeated_at_growing_intervals_until_it_is_cleared() {
        let (mut conditions, began) = (Conditions::default(), Instant::now());
        let at = |second| began + Duration::from_secs(second);
        let mut reported = Vec::new();
        for second in 0..1_000 {
            for event in conditions.update([closte_failed()], at(second)) {
                let Event::ClosteFailed { for_s, .. } = event else { panic!("{event:?}") };
                reported.push((second, for_s));
            }
        }
        assert_eq!(reported, [(0, 0), (60, 60), (180, 180), (420, 420), (900, 900)]);
        assert_eq!(conditions.update([], at(1_000)), [], "no finding changes nothing");
        let clear = || [Finding::Clear(Condition::Closte)];
        let cleared = [Event::ClosteRecovered { after_s: 1_010 }];
        assert_eq!(conditions.update(clear(), at(1_010)), cleared);
        assert_eq!(conditions.update(clear(), at(1_020)), []);
    }

    #[test]
    fn what_ends_before_its_delay_is_not_reported() {
        let (mut conditions, began) = (Conditions::default(), Instant::now());
        let at = |second| began + Duration::from_secs(second);
        let waits = || {
            Finding::Raise(Condition::OtherCycle, Event::Waits { remedy: String::new(), for_s: 0 })
        };
        let goes_on = || Finding::Clear(Condition::OtherCycle);
        assert_eq!(conditions.update([waits()], at(0)), []);
        assert_eq!(conditions.update([waits()], at(19)), []);
        assert_eq!(conditions.update([goes_on()], at(20)), []);
        conditions.update([waits()], at(30));
        assert_eq!(conditions.update([waits()], at(50)).len(), 1);
        let ended = [Event::GoesOn { after_s: 21 }];
        assert_eq!(conditions.update([goes_on()], at(51)), ended);
    }

    #[test]
    fn a_failure_of_another_kind_is_reported_immediately() {
        let (mut conditions, now) = (Conditions::default(), Instant::now());
        assert_eq!(conditions.update([closte_failed()], now).len(), 1);
        let rejected = Event::KeyRejected { error: "no".to_owned(), for_s: 0 };
        let events = conditions.update([Finding::Raise(Condition::Closte, rejected)], now);
        assert_eq!(events.first().map(Event::name), Some("closte.key_rejected"));
    }
}
