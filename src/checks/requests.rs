use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::domain::DomainName;

/// The shortest time between two checks of a name that are asked for.
const PAUSE: Duration = Duration::from_secs(10);
/// The most names that wait. Everybody with a link can ask.
const MOST: usize = 1_000;

/// Names that somebody wants checked now, in full.
#[derive(Debug, Clone, Default)]
pub struct CheckRequests(Arc<Mutex<Requests>>);

#[derive(Debug, Default)]
struct Requests {
    waiting: HashSet<DomainName>,
    /// When each was last asked for, for as long as the pause lasts.
    asked: HashMap<DomainName, Instant>,
}

impl CheckRequests {
    /// Asks for a check, if that is allowed now. Returns whether it is.
    pub fn ask(&self, name: &DomainName, now: Instant) -> bool {
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        requests.asked.retain(|_, at| now.saturating_duration_since(*at) < PAUSE);
        if requests.asked.contains_key(name) || requests.asked.len() >= MOST {
            return false;
        }
        requests.asked.insert(name.clone(), now);
        requests.waiting.insert(name.clone());
        true
    }

    pub(super) fn are_waiting(&self) -> bool {
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).waiting.is_empty()
    }

    /// Takes the waiting names, except those that are `busy`.
    pub(super) fn take(&self, is_busy: impl Fn(&DomainName) -> bool) -> Vec<DomainName> {
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = std::mem::take(&mut requests.waiting);
        let (busy, free) = waiting.into_iter().partition(is_busy);
        requests.waiting = busy;
        free.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_asked_for_once_in_ten_seconds() {
        let (requests, now) = (CheckRequests::default(), Instant::now());
        let [a, b] = ["a.example", "b.example"].map(|name| name.parse::<DomainName>().unwrap());
        assert!(requests.ask(&a, now) && !requests.ask(&a, now), "too soon");
        assert!(requests.ask(&b, now), "another one");
        assert_eq!(
            requests.take(|name| *name == b),
            std::slice::from_ref(&a),
            "b is being checked"
        );
        assert_eq!(requests.take(|_| false), [b]);
        assert!(!requests.are_waiting());
        assert!(requests.ask(&a, now + PAUSE) && requests.are_waiting());
    }

    #[test]
    fn a_flood_of_requests_is_bounded() {
        let (requests, now) = (CheckRequests::default(), Instant::now());
        let name = |number: usize| format!("shop{number}.example").parse().unwrap();
        let allowed = (0..2 * MOST).filter(|number| requests.ask(&name(*number), now)).count();
        assert_eq!(allowed, MOST);
    }
}
