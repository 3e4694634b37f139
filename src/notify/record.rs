//! How the deliveries to a target go. It is kept in the state database.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::message::Message;
use crate::{back_off::BackOff, ledger::later, span::between};

/// Between the tries of a message.
const RETRY: BackOff =
    BackOff { first: Duration::from_secs(10), longest: Duration::from_secs(60 * 60) };
/// A target that fails for this long is reported.
const REPORTED_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TargetRecord {
    /// When it was in the settings for the first time.
    pub(super) since: Timestamp,
    /// Whether it got its first message, which has all that stands.
    pub(super) has_digest: bool,
    /// When messages left in the last hour.
    pub(super) sent: Vec<Timestamp>,
    /// Since when the limit of messages in an hour holds one back.
    pub(super) limited_since: Option<Timestamp>,
    /// A message that left, and whose arrival was not seen.
    pub(super) pending: Option<Pending>,
    pub(super) failure: Option<DeliveryFailure>,
}

/// A message on its way, and what the target knows once it has arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) message: Message,
    /// The troubles that it tells.
    pub(super) told: Vec<i64>,
    /// Those whose end it tells.
    pub(super) over: Vec<i64>,
    /// Whether it left a second time.
    pub(super) is_again: bool,
}

/// Since when nothing arrives at a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DeliveryFailure {
    pub(super) since: Timestamp,
    pub(super) times: u32,
    pub(super) next_attempt: Timestamp,
    /// Whether it was reported as an error.
    pub(super) is_reported: bool,
}

/// What to report of a failed delivery.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FailureReport {
    First,
    /// It has failed for a day, in seconds.
    Lasting(u64),
}

impl TargetRecord {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            since: now,
            has_digest: false,
            sent: Vec::new(),
            limited_since: None,
            pending: None,
            failure: None,
        }
    }

    /// A message left.
    pub(super) fn note_departure(&mut self, pending: Pending, now: Timestamp) {
        let hour_ago = now.checked_sub(Duration::from_secs(60 * 60)).unwrap_or(Timestamp::MIN);
        self.sent.retain(|at| (hour_ago..=now).contains(at));
        self.sent.push(now);
        self.pending = Some(pending);
    }

    /// The message arrived. Returns how long the failure before lasted, in seconds.
    pub(super) fn note_arrival(&mut self, now: Timestamp) -> Option<u64> {
        self.pending = None;
        self.has_digest = true;
        self.limited_since = None;
        self.failure.take().map(|failure| between(failure.since, now).as_secs())
    }

    /// The message did not arrive, or may not have. Only in the second case is the same one sent again, and
    /// once: a later one has what is true then.
    pub(super) fn note_failure(
        &mut self,
        may_have_arrived: bool,
        retry_after: Option<Duration>,
        now: Timestamp,
    ) -> Option<FailureReport> {
        // What did not arrive does not count.
        self.sent.pop();
        self.pending = self
            .pending
            .take()
            .filter(|pending| may_have_arrived && !pending.is_again)
            .map(|pending| Pending { is_again: true, ..pending });
        let before = self.failure.take();
        let times = before.as_ref().map_or(1, |failure| failure.times.saturating_add(1));
        let since = before.as_ref().map_or(now, |failure| failure.since.min(now));
        let was_reported = before.is_some_and(|failure| failure.is_reported);
        let wait = RETRY.after(times).max(retry_after.unwrap_or_default().min(RETRY.longest));
        let lasted = between(since, now);
        let is_reported = was_reported || lasted >= REPORTED_AFTER;
        self.failure =
            Some(DeliveryFailure { since, times, next_attempt: later(now, wait), is_reported });
        match (times, is_reported && !was_reported) {
            (_, true) => Some(FailureReport::Lasting(lasted.as_secs())),
            (1, false) => Some(FailureReport::First),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::message::MessageKind;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn pending() -> Pending {
        let message = Message::new(MessageKind::Notice, Vec::new(), 0, at(0));
        Pending { message, told: vec![1], over: Vec::new(), is_again: false }
    }

    #[test]
    fn a_target_is_tried_with_growing_waits_and_reported_once_after_a_day() {
        let mut record = TargetRecord::new(at(0));
        let (mut now, mut waits, mut reports) = (at(0), Vec::new(), Vec::new());
        while now < at(200_000) {
            record.note_departure(pending(), now);
            if let Some(report) = record.note_failure(false, None, now) {
                reports.push((now, report));
            }
            let next = record.failure.as_ref().unwrap().next_attempt;
            waits.push(between(now, next).as_secs());
            now = next;
        }
        assert_eq!(waits[..5], [10, 20, 40, 80, 160]);
        assert_eq!(waits.iter().max(), Some(&3_600));
        assert_eq!(reports[0], (at(0), FailureReport::First));
        assert!(matches!(reports[1], (at_, FailureReport::Lasting(for_s)) if at_ >= at(86_400)
            && (86_400..90_001).contains(&for_s)));
        assert_eq!(reports.len(), 2);
        assert!(record.note_arrival(now).is_some_and(|after_s| after_s >= 200_000));
        assert_eq!((record.note_arrival(now), record.sent.len()), (None, 0));
    }

    #[test]
    fn a_target_that_asks_for_time_gets_it() {
        let mut record = TargetRecord::new(at(0));
        record.note_failure(false, Some(Duration::from_secs(300)), at(0));
        assert_eq!(record.failure.as_ref().unwrap().next_attempt, at(300));
        record.note_failure(false, Some(Duration::from_secs(1 << 40)), at(300));
        assert_eq!(record.failure.as_ref().unwrap().next_attempt, at(3_900), "but not for ever");
    }

    #[test]
    fn only_what_may_have_arrived_leaves_again_and_once() {
        let mut record = TargetRecord::new(at(0));
        record.note_departure(pending(), at(0));
        record.note_failure(false, None, at(1));
        assert_eq!(record.pending, None);
        let first = pending();
        record.note_departure(first.clone(), at(10));
        record.note_failure(true, None, at(20));
        let again = record.pending.clone().unwrap();
        assert_eq!((&again.message, again.is_again), (&first.message, true));
        record.note_departure(again, at(30));
        record.note_failure(true, None, at(40));
        assert_eq!(record.pending, None);
    }
}
