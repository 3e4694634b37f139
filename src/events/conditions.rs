//! A condition lasts: it is raised, repeated at growing intervals, and cleared.

use std::{
    borrow::Cow,
    collections::HashMap,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{back_off::BackOff, events::Event, span::between};

/// How long until a condition is repeated.
const REPEAT: BackOff =
    BackOff { first: Duration::from_secs(60), longest: Duration::from_secs(6 * 60 * 60) };

/// One line each: its name, how many seconds it must last before it is reported, and the event that
/// reports its end.
macro_rules! conditions {
    ($($(#[$doc:meta])* $name:ident after $seconds:literal, cleared by $cleared:ident)*) => {
        /// A fault that lasts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    /// The same where there are several reasons, with a stable word for this one. A new reason is reported
    /// immediately.
    RaiseFor(&'static str, Condition, Event),
    /// The condition has ended, or never began.
    Clear(Condition),
}

/// The conditions that last, and when each was last reported.
#[derive(Debug, Default)]
pub struct Conditions(HashMap<Condition, Raised>);

#[derive(Debug)]
struct Raised {
    since: Instant,
    /// By the name of the event and the word for the reason. Each has its own intervals, so that reasons that
    /// alternate are not reported over and over.
    reported: HashMap<(&'static str, Cow<'static, str>), Report>,
}

#[derive(Debug)]
struct Report {
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
            Finding::Raise(condition, event) => self.raise(condition, "", event, now),
            Finding::RaiseFor(reason, condition, event) => {
                self.raise(condition, reason, event, now)
            }
            Finding::Clear(condition) => self.clear(condition, now),
        };
        findings.into_iter().filter_map(report).collect()
    }

    fn raise(
        &mut self,
        condition: Condition,
        reason: &'static str,
        mut event: Event,
        now: Instant,
    ) -> Option<Event> {
        let raised = self
            .0
            .entry(condition)
            .or_insert_with(|| Raised { since: now, reported: HashMap::new() });
        let lasted = now.saturating_duration_since(raised.since);
        let is_first = raised.reported.is_empty();
        let key = (event.name(), Cow::Borrowed(reason));
        let times = match raised.reported.get(&key) {
            None if is_first && lasted < condition.delay() => return None,
            None => 1,
            Some(last) if now.saturating_duration_since(last.at) < REPEAT.after(last.times) => {
                return None;
            }
            Some(last) => last.times.saturating_add(1),
        };
        event.set_duration(lasted);
        raised.reported.insert(key, Report { at: now, times });
        Some(event)
    }

    fn clear(&mut self, condition: Condition, now: Instant) -> Option<Event> {
        let raised = self.0.remove(&condition)?;
        let lasted = now.saturating_duration_since(raised.since);
        (!raised.reported.is_empty()).then(|| condition.cleared(lasted.as_secs()))
    }
}

/// A condition as it is kept for the next process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptCondition {
    condition: Condition,
    since: Timestamp,
    reported: Vec<KeptReport>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KeptReport {
    event: String,
    reason: String,
    at: Timestamp,
    times: u32,
}

impl Conditions {
    /// What the next process has to know of them. It is `now` by the machine's clock.
    pub fn kept(&self, now: Timestamp) -> Vec<KeptCondition> {
        let instant = Instant::now();
        let ago = |at: Instant| {
            now.checked_sub(instant.saturating_duration_since(at)).unwrap_or(Timestamp::MIN)
        };
        let keep = |(condition, raised): (&Condition, &Raised)| {
            let reported = raised.reported.iter().map(|((name, reason), last)| KeptReport {
                event: (*name).to_owned(),
                reason: reason.clone().into_owned(),
                at: ago(last.at),
                times: last.times,
            });
            let reported = reported.collect();
            KeptCondition { condition: *condition, since: ago(raised.since), reported }
        };
        self.0.iter().map(keep).collect()
    }

    /// As an earlier process has kept them.
    pub fn restored(kept: Vec<KeptCondition>, now: Timestamp) -> Self {
        let instant = Instant::now();
        // A time that is still to come counts as now.
        let back = |at: Timestamp| instant.checked_sub(between(at, now)).unwrap_or(instant);
        let raised = |KeptCondition { condition, since, reported }| {
            let known = |KeptReport { event, reason, at, times }| {
                let (name, _) = Event::LEVELS.iter().find(|(name, _)| *name == event)?;
                Some(((*name, Cow::Owned(reason)), Report { at: back(at), times }))
            };
            let reported = reported.into_iter().filter_map(known).collect();
            (condition, Raised { since: back(since), reported })
        };
        Self(kept.into_iter().map(raised).collect())
    }

    /// The names of the events that reported those that stand.
    pub fn reported(&self) -> impl Iterator<Item = &'static str> {
        let last = |raised: &Raised| {
            let last = raised.reported.iter().max_by_key(|(_, last)| last.at);
            last.map(|((name, _), _)| *name)
        };
        self.0.values().filter_map(last)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
    fn the_next_process_goes_on_where_the_last_one_ended() {
        let closte_fails = |conditions: &mut Conditions| {
            let events = conditions.update([closte_failed()], Instant::now());
            events.into_iter().map(|event| event.detail()["for_s"].as_u64().unwrap()).next()
        };
        let (mut conditions, mut reported) = (Conditions::default(), Vec::new());
        let begin = Timestamp::from_second(1_800_000_000).unwrap();
        for run in 0..12 {
            // Each of these processes begins five minutes after the one before.
            let seconds = 300 * run;
            let now = begin + jiff::SignedDuration::from_secs(seconds);
            let text =
                serde_json::to_string(&conditions.kept(now - jiff::SignedDuration::from_secs(300)));
            let kept = serde_json::from_str(&text.unwrap()).unwrap();
            conditions = Conditions::restored(kept, now);
            reported.extend(closte_fails(&mut conditions).map(|for_s| (seconds, for_s)));
        }
        let seconds: Vec<i64> = reported.iter().map(|(seconds, _)| *seconds).collect();
        assert_eq!(seconds, [0, 300, 600, 900, 1_500, 2_700]);
        assert!(reported.iter().all(|(at, for_s)| at.abs_diff(*for_s as i64) < 30), "{reported:?}");
        assert_eq!(conditions.reported().collect::<Vec<_>>(), ["closte.failed"]);
        let cleared = conditions.update([Finding::Clear(Condition::Closte)], Instant::now());
        assert_eq!(cleared[0].name(), "closte.recovered");
        assert_eq!(conditions.kept(begin), []);
    }

    #[test]
    fn a_failure_of_another_kind_is_reported_immediately() {
        let (mut conditions, now) = (Conditions::default(), Instant::now());
        assert_eq!(conditions.update([closte_failed()], now).len(), 1);
        let rejected = Event::KeyRejected { error: "no".to_owned(), for_s: 0 };
        let events = conditions.update([Finding::Raise(Condition::Closte, rejected)], now);
        assert_eq!(events.first().map(Event::name), Some("closte.key_rejected"));
    }

    /// Reasons with their texts, which differ from one time to the next, and the seconds between them.
    fn reasons() -> impl Strategy<Value = Vec<(&'static str, String, u64)>> {
        let reason = prop::sample::select(vec!["unreachable", "server_error", "refused"]);
        prop::collection::vec((reason, "[a-z0-9 ]{0,8}", 0u64..5_000), 1..200)
    }

    /// Which of them are reported.
    fn reported(reasons: &[(&'static str, String, u64)]) -> Vec<(&'static str, Duration)> {
        let (mut conditions, began) = (Conditions::default(), Instant::now());
        let mut now = began;
        let mut reported = Vec::new();
        for (reason, error, seconds) in reasons {
            now += Duration::from_secs(*seconds);
            let event = Event::SourceFailed { error: error.clone(), for_s: 0 };
            let finding = Finding::RaiseFor(reason, Condition::WordPress, event);
            let is_reported = !conditions.update([finding], now).is_empty();
            reported.extend(is_reported.then_some((*reason, now - began)));
        }
        reported
    }

    proptest! {
        #[test]
        fn a_new_reason_is_reported_immediately_and_each_at_growing_intervals(reasons in reasons()) {
            let reported = reported(&reasons);
            let mut now = Duration::ZERO;
            let mut met = Vec::new();
            for (reason, _, seconds) in &reasons {
                now += Duration::from_secs(*seconds);
                if !met.contains(reason) {
                    met.push(reason);
                    prop_assert!(reported.contains(&(*reason, now)), "{reason} is new at {now:?}");
                }
            }
            for reason in met {
                let times: Vec<_> =
                    reported.iter().filter(|(one, _)| *one == reason).map(|(_, at)| *at).collect();
                for (index, pair) in times.windows(2).enumerate() {
                    prop_assert!(pair[1] - pair[0] >= REPEAT.after(index as u32 + 1));
                }
            }
        }

        #[test]
        fn how_a_reason_is_worded_changes_nothing(reasons in reasons()) {
            let mut reworded = reasons.clone();
            for (number, (_, text, _)) in reworded.iter_mut().enumerate() {
                *text = format!("attempt {number}");
            }
            prop_assert_eq!(reported(&reasons), reported(&reworded));
        }
    }
}
