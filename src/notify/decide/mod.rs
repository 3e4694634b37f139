//! What a target is told now, or when next. Pure.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use jiff::Timestamp;

use super::{
    record::TargetRecord,
    topics::{self, Lasts, Selection, lasts},
};
use crate::{
    clock::CLOCKS_DIFFER,
    ledger::later,
    state::{Mute, Trouble},
};

/// What lasts is told again after this time.
const REPEAT_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// What does not last is told at most this long after it happened.
pub(super) const TOLD_WITHIN: Duration = Duration::from_secs(24 * 60 * 60);
const HOUR: Duration = Duration::from_secs(60 * 60);
/// The most messages to one target in an hour.
const MOST_IN_AN_HOUR: usize = 30;

/// What nobody is told of now.
#[derive(Debug, Clone, Default)]
pub(super) struct Silence {
    pub(super) mutes: Vec<Mute>,
    /// Whether the checks are in doubt.
    pub(super) doubts: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Waits {
    /// How long a message waits for others to join it.
    pub(super) group: Duration,
    /// How long the first message to a target waits.
    pub(super) digest: Duration,
}

/// A target, and what it knows.
#[derive(Debug)]
pub(super) struct Audience<'a> {
    pub(super) name: &'a str,
    pub(super) selection: &'a Selection,
    pub(super) record: &'a TargetRecord,
    pub(super) troubles: &'a [Trouble],
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict<'a> {
    /// Nothing before this time; none if nothing waits.
    Wait(Option<Timestamp>),
    /// The limit of messages in an hour is reached until this time.
    Limited(Timestamp),
    Tell(Picked<'a>),
}

#[derive(Debug, PartialEq, Eq, Default)]
pub(super) struct Picked<'a> {
    pub(super) new: Vec<&'a Trouble>,
    pub(super) still: Vec<&'a Trouble>,
    pub(super) over: Vec<&'a Trouble>,
    /// Whether it is the first message to the target.
    pub(super) is_digest: bool,
    /// How many troubles came and went while the limit held messages back.
    pub(super) left_out: u64,
}

/// Whether the wait is over. A time that is not yet is from a clock that was ahead.
pub(super) fn is_over(from: Timestamp, wait: Duration, now: Timestamp) -> bool {
    from > later(now, CLOCKS_DIFFER) || now >= later(from, wait)
}

pub(super) fn decide<'a>(
    audience: &Audience<'a>,
    silence: &Silence,
    waits: Waits,
    now: Timestamp,
) -> Verdict<'a> {
    let record = audience.record;
    let standing = Standing::of(audience.troubles, now);
    let mut picked = Picked::default();
    let mut due: Option<Timestamp> = None;
    let mut wait_until = |at: Timestamp| due = Some(due.map_or(at, |due| due.min(at)));
    let ready =
        |from: Timestamp, wait| if is_over(from, wait, now) { now } else { later(from, wait) };
    let held_back = standing.held_back(audience, silence);
    for trouble in audience.troubles {
        let is_own = trouble.event == "notify.failed" && trouble.subject == audience.name;
        if is_own || is_muted(trouble, silence) {
            continue;
        }
        let wanted = || {
            audience.selection.includes(&trouble.event)
                || held_back.contains(trouble.event.as_str())
        };
        match (stands(trouble, now), trouble.told_at) {
            (false, None) if lasts(&trouble.event) == Lasts::Not => {
                let is_recent = !is_over(trouble.since, TOLD_WITHIN, now);
                if is_recent && wanted() && trouble.since >= record.since {
                    wait_until(ready(trouble.opened_at, waits.group));
                    picked.new.push(trouble);
                }
            }
            (false, None) => {
                let is_left_out =
                    record.limited_since.is_some_and(|at| trouble.ended_at >= Some(at));
                picked.left_out += u64::from(is_left_out && wanted());
            }
            (true, None) => {
                if wanted() && !standing.follows(trouble, silence) {
                    wait_until(ready(trouble.opened_at, waits.group));
                    picked.new.push(trouble);
                }
            }
            (true, Some(told_at)) => {
                if !standing.is_repeated_by_another(trouble) {
                    wait_until(ready(told_at, REPEAT_AFTER));
                    if is_over(told_at, REPEAT_AFTER, now) {
                        picked.still.push(trouble);
                    }
                }
            }
            (false, Some(_)) if lasts(&trouble.event) == Lasts::Not => {}
            (false, Some(_)) => {
                wait_until(ready(trouble.ended_at.unwrap_or(now), waits.group));
                picked.over.push(trouble);
            }
        }
    }
    let Some(due) = due else { return Verdict::Wait(None) };
    let due = if record.has_digest { due } else { due.max(ready(record.since, waits.digest)) };
    if due > now {
        return Verdict::Wait(Some(due));
    }
    let digest_until = later(record.since, waits.digest);
    picked.is_digest =
        !record.has_digest && picked.new.iter().any(|one| one.opened_at <= digest_until);
    match limited_until(record, now) {
        Some(until) => Verdict::Limited(until),
        None => Verdict::Tell(picked),
    }
}

/// Until when no further message may leave.
fn limited_until(record: &TargetRecord, now: Timestamp) -> Option<Timestamp> {
    let mut recent = record.sent.iter().filter(|at| !is_over(**at, HOUR, now));
    let oldest = recent.clone().min()?;
    recent.nth(MOST_IN_AN_HOUR - 1).map(|_| later(*oldest, HOUR))
}

fn stands(trouble: &Trouble, now: Timestamp) -> bool {
    trouble.ended_at.is_none_or(|at| at > now)
}

fn is_muted(trouble: &Trouble, silence: &Silence) -> bool {
    silence.mutes.iter().any(|mute| mute.subject == "all" || mute.subject == trouble.subject)
}

/// The troubles that stand, by event and by subject.
struct Standing<'a> {
    conditions: HashSet<&'a str>,
    of_domains: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Standing<'a> {
    fn of(troubles: &'a [Trouble], now: Timestamp) -> Self {
        let mut standing = Self { conditions: HashSet::new(), of_domains: HashMap::new() };
        for trouble in troubles.iter().filter(|trouble| stands(trouble, now)) {
            if trouble.subject.is_empty() {
                standing.conditions.insert(&trouble.event);
            } else {
                standing.of_domains.entry(&trouble.subject).or_default().push(&trouble.event);
            }
        }
        standing
    }

    fn has(&self, subject: &str, events: &[&str]) -> bool {
        let others = self.of_domains.get(subject).map(Vec::as_slice).unwrap_or_default();
        others.iter().any(|event| events.contains(event))
    }

    /// Whether it may follow from something else that stands.
    fn follows(&self, trouble: &Trouble, silence: &Silence) -> bool {
        self.cause(&trouble.event).is_some()
            || (silence.doubts && topics::is_doubted(&trouble.event))
            || self.has(&trouble.subject, topics::reasons(&trouble.event))
    }

    fn cause(&self, event: &str) -> Option<&'static str> {
        topics::causes(event).find(|cause| self.conditions.contains(cause))
    }

    /// Whether another trouble of the same domain is repeated, and says more.
    fn is_repeated_by_another(&self, trouble: &Trouble) -> bool {
        let reasons = topics::reasons(&trouble.event);
        let is_attention = trouble.event == "domain.needs_attention";
        let attention = ["domain.needs_attention"];
        let expiry: &[&str] = match trouble.event.as_str() {
            "certificate.expiring" => &["certificate.last_day", "certificate.broke"],
            "certificate.last_day" => &["certificate.broke"],
            _ => &[],
        };
        self.has(&trouble.subject, reasons)
            || self.has(&trouble.subject, expiry)
            || (!is_attention && self.has(&trouble.subject, &attention))
    }

    /// The conditions that hold back something that the target would be told: it is told of them instead.
    fn held_back(&self, audience: &Audience<'_>, silence: &Silence) -> HashSet<&'static str> {
        if self.conditions.is_empty() {
            return HashSet::new();
        }
        let waits = audience.troubles.iter().filter(|trouble| {
            trouble.told_at.is_none()
                && self.has(&trouble.subject, &[trouble.event.as_str()])
                && audience.selection.includes(&trouble.event)
                && !is_muted(trouble, silence)
        });
        waits.filter_map(|trouble| self.cause(&trouble.event)).collect()
    }
}

#[cfg(test)]
mod tests;
