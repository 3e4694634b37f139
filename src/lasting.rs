//! What lasts: told when it begins, at growing intervals, and when it ends.

use std::{collections::HashMap, hash::Hash, time::Duration};

use jiff::Timestamp;

use crate::{event::Event, ledger::later};

/// A lasting failure is told again after this long, then after twice as long, and so on.
const FIRST_REMINDER: Duration = Duration::from_secs(60);
/// The longest time between two reminders.
const LAST_REMINDER: Duration = Duration::from_secs(6 * 60 * 60);

/// The troubles that there are, by area.
#[derive(Debug)]
pub struct Lasting<A>(HashMap<A, Trouble>);

#[derive(Debug)]
struct Trouble {
    since: Timestamp,
    /// The name of the event that told it last: another one is news.
    told_as: &'static str,
    tell_again_at: Timestamp,
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
        now: Timestamp,
    ) -> Option<Event> {
        let known = self.0.get(&area);
        let since = known.map_or(now, |trouble| trouble.since);
        let event = event(seconds_between(since, now));
        let wait = match known {
            Some(trouble) if trouble.told_as != event.name() => FIRST_REMINDER,
            Some(trouble) if now < trouble.tell_again_at => return None,
            Some(trouble) => (trouble.wait * 2).min(LAST_REMINDER),
            None => FIRST_REMINDER,
        };
        let told_as = event.name();
        self.0.insert(area, Trouble { since, told_as, tell_again_at: later(now, wait), wait });
        Some(event)
    }

    /// There is no trouble in an area any more. If there was, returns how many seconds it lasted.
    pub fn ends(&mut self, area: A, now: Timestamp) -> Option<u64> {
        let trouble = self.0.remove(&area)?;
        Some(seconds_between(trouble.since, now))
    }
}

fn seconds_between(since: Timestamp, now: Timestamp) -> u64 {
    now.duration_since(since).as_secs().try_into().unwrap_or_default()
}
