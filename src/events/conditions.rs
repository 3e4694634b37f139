//! Conditions: what lasts. Raised when it begins, repeated at growing intervals, cleared when it ends.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::{back_off::BackOff, events::Event};

/// How long until a condition is repeated.
const REPEAT: BackOff =
    BackOff { first: Duration::from_secs(60), longest: Duration::from_secs(6 * 60 * 60) };

/// One line each: its name, for how many seconds it may stand before it is said, and the event that
/// says that it has ended.
macro_rules! conditions {
    ($($(#[$doc:meta])* $name:ident after $patience:literal, cleared by $cleared:ident)*) => {
        /// Something that lasts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Condition {
            $($(#[$doc])* $name,)*
        }

        impl Condition {
            /// How long it may stand before it is said.
            fn patience(self) -> Duration {
                match self {
                    $(Self::$name => Duration::from_secs($patience),)*
                }
            }

            /// What is said when it ends.
            fn cleared(self, after_s: u64) -> Event {
                match self {
                    $(Self::$name => Event::$cleared { after_s },)*
                }
            }
        }
    };
}

conditions! {
    /// The network's database cannot be read.
    WordPress after 0, cleared by SourceRecovered
    /// Closte cannot be asked.
    Closte after 0, cleared by ClosteRecovered
    /// Closte's list is not understood in all its parts.
    ClosteList after 0, cleared by ListComplete
    /// Removals are held until a person lets them through.
    Removals after 0, cleared by RemovalsReleased
    /// Another process is in the middle of a cycle.
    OtherCycle after 20, cleared by GoesOn
    /// The state database cannot be read or written.
    State after 0, cleared by StateRecovered
    /// The state database's file is not the one at its name.
    StateFile after 0, cleared by StateRecovered
    /// It is not known where names should point.
    Target after 0, cleared by TargetKnown
    /// Resolvers do not answer.
    SilentResolvers after 0, cleared by ResolverAnswers
    /// Resolvers fail where others answer.
    SickResolvers after 0, cleared by ResolverWell
    /// Resolvers see names otherwise than those that decide.
    OddResolvers after 0, cleared by ResolverAgrees
    /// Checks are later than an interval.
    LateChecks after 0, cleared by ChecksInTime
}

/// What was found of a condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// It stands, and this is what to say of it; [`Conditions`] fills in for how long.
    Raise(Condition, Event),
    /// It does not stand.
    Clear(Condition),
}

/// The conditions that stand, and when each was said last.
#[derive(Debug, Default)]
pub struct Conditions(HashMap<Condition, Raised>);

#[derive(Debug)]
struct Raised {
    since: Instant,
    said: Option<Said>,
}

#[derive(Debug)]
struct Said {
    /// The name of the event: another one is news.
    name: &'static str,
    at: Instant,
    times: u32,
}

impl Conditions {
    /// Takes up what was found, and returns what there is to say now.
    pub fn update(
        &mut self,
        findings: impl IntoIterator<Item = Finding>,
        now: Instant,
    ) -> Vec<Event> {
        let say = |finding| match finding {
            Finding::Raise(condition, event) => self.raise(condition, event, now),
            Finding::Clear(condition) => self.clear(condition, now),
        };
        findings.into_iter().filter_map(say).collect()
    }

    fn raise(&mut self, condition: Condition, mut event: Event, now: Instant) -> Option<Event> {
        let raised = self.0.entry(condition).or_insert(Raised { since: now, said: None });
        let lasted = now.saturating_duration_since(raised.since);
        let times = match &raised.said {
            None if lasted < condition.patience() => return None,
            Some(said) if said.name == event.name() => {
                if now.saturating_duration_since(said.at) < REPEAT.after(said.times) {
                    return None;
                }
                said.times.saturating_add(1)
            }
            _ => 1,
        };
        event.set_duration(lasted);
        raised.said = Some(Said { name: event.name(), at: now, times });
        Some(event)
    }

    fn clear(&mut self, condition: Condition, now: Instant) -> Option<Event> {
        let raised = self.0.remove(&condition)?;
        let lasted = now.saturating_duration_since(raised.since);
        raised.said.map(|_| condition.cleared(lasted.as_secs()))
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
        let mut said = Vec::new();
        for second in 0..1_000 {
            for event in conditions.update([closte_failed()], at(second)) {
                let Event::ClosteFailed { for_s, .. } = event else { panic!("{event:?}") };
                said.push((second, for_s));
            }
        }
        assert_eq!(said, [(0, 0), (60, 60), (180, 180), (420, 420), (900, 900)]);
        assert_eq!(conditions.update([], at(1_000)), [], "nothing is known of it");
        let clear = || [Finding::Clear(Condition::Closte)];
        let cleared = [Event::ClosteRecovered { after_s: 1_010 }];
        assert_eq!(conditions.update(clear(), at(1_010)), cleared);
        assert_eq!(conditions.update(clear(), at(1_020)), []);
    }

    #[test]
    fn what_ends_in_time_is_never_said() {
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
    fn a_failure_of_another_kind_is_news() {
        let (mut conditions, now) = (Conditions::default(), Instant::now());
        assert_eq!(conditions.update([closte_failed()], now).len(), 1);
        let rejected = Event::KeyRejected { error: "no".to_owned(), for_s: 0 };
        let events = conditions.update([Finding::Raise(Condition::Closte, rejected)], now);
        assert_eq!(events.first().map(Event::name), Some("closte.key_rejected"));
    }
}
