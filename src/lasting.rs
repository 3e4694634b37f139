//! What lasts: told when it begins, at growing intervals, and when it ends.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

use crate::event::Event;

/// A lasting failure is told again after this long, then after twice as long, and so on.
const FIRST_REMINDER: Duration = Duration::from_secs(60);
/// The longest time between two reminders.
const LAST_REMINDER: Duration = Duration::from_secs(6 * 60 * 60);

/// The troubles that there are, by area.
#[derive(Debug)]
pub struct Lasting<A>(HashMap<A, Trouble>);

#[derive(Debug)]
struct Trouble {
    since: Instant,
    /// The name of the event that told it last: another one is news.
    told_as: &'static str,
    told_at: Instant,
    /// How long after that it is told again.
    wait: Duration,
}

impl<A> Default for Lasting<A> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<A: Eq + Hash> Lasting<A> {
    /// There is trouble in an area. The event, made with how many seconds it has lasted, is
    /// returned when it is time to tell it.
    pub fn lasts(
        &mut self,
        area: A,
        event: impl FnOnce(u64) -> Event,
        now: Instant,
    ) -> Option<Event> {
        let known = self.0.get(&area);
        let since = known.map_or(now, |trouble| trouble.since);
        let event = event(now.saturating_duration_since(since).as_secs());
        let wait = match known {
            Some(trouble) if trouble.told_as != event.name() => FIRST_REMINDER,
            Some(trouble) if now.saturating_duration_since(trouble.told_at) < trouble.wait => {
                return None;
            }
            Some(trouble) => (trouble.wait * 2).min(LAST_REMINDER),
            None => FIRST_REMINDER,
        };
        let told_as = event.name();
        self.0.insert(area, Trouble { since, told_as, told_at: now, wait });
        Some(event)
    }

    /// There is no trouble in an area any more. If there was, returns how many seconds it lasted.
    pub fn ends(&mut self, area: A, now: Instant) -> Option<u64> {
        let trouble = self.0.remove(&area)?;
        Some(now.saturating_duration_since(trouble.since).as_secs())
    }
}
