//! Results as they come in, until they are recorded.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use jiff::Timestamp;

use super::{
    mass_failure::MassFailureDetector,
    verifier::{Verified, Verifier},
};
use crate::{
    domain::DomainName,
    events::EventBatch,
    ledger::later,
    state::{CheckedDomain, StatusUpdate},
    status::CheckResult,
};

/// When a name that worked seems not to, it is checked again after this long.
const SECOND_CHECK: Duration = Duration::from_secs(30);

/// What results change, and what there is to say of them.
#[derive(Debug, Default)]
pub(super) struct Results {
    /// What is remembered of each name from now on, and when it is checked next.
    pub(super) updates: Vec<StatusUpdate>,
    pub(super) batch: EventBatch,
    /// Whether one of them is the first of several doubts.
    pub(super) has_first_doubt: bool,
}

impl Results {
    /// Takes up results; every name is checked once in an interval.
    pub(super) fn take(
        &mut self,
        seen: impl IntoIterator<Item = (CheckedDomain, CheckResult)>,
        verifier: &Verifier,
        mass_failure: &mut MassFailureDetector,
        interval: Duration,
        now: Timestamp,
    ) {
        for (checked, seen) in seen {
            let verified = verifier.verify(&checked, seen, now);
            let Verified { status, events, was_beyond_doubt, needs_second_check } = verified;
            if was_beyond_doubt {
                self.has_first_doubt |= mass_failure.note(needs_second_check, now);
            }
            let due_at = if needs_second_check {
                later(now, SECOND_CHECK.min(interval))
            } else {
                next_turn(&checked.name, interval, now)
            };
            if events.is_empty() {
                let domain = checked.name.as_str();
                let (dns, ssl) =
                    (status.latest.dns.verdict.as_str(), status.latest.ssl.verdict.as_str());
                tracing::debug!(name: "checks.look", domain, dns, ssl, doubt = needs_second_check);
            }
            self.batch.logged.extend(events);
            self.updates.push(StatusUpdate { name: checked.name, status, due_at });
        }
        self.batch.logged.extend(mass_failure.event(now));
    }
}

/// When it is the name's turn again: each has a moment of its own within the interval, so that they
/// are spread evenly.
fn next_turn(name: &DomainName, interval: Duration, now: Timestamp) -> Timestamp {
    let interval = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1);
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    let moment = i64::try_from(hasher.finish() % interval.unsigned_abs()).unwrap_or_default();
    let since_turn = (now.as_millisecond() - moment).rem_euclid(interval);
    later(now, Duration::from_millis((interval - since_turn).unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{DnsHistory, DnsResult, DnsVerdict, LedgerInfo, SslResult, SslVerdict};

    #[test]
    fn turns_are_spread_over_the_interval_and_come_once_in_it() {
        let interval = Duration::from_secs(300);
        let start = Timestamp::from_second(1_800_000_000).unwrap();
        let mut tenths = [0; 10];
        for number in 0..1_000 {
            let name: DomainName = format!("shop{number}.example").parse().unwrap();
            let first = next_turn(&name, interval, start);
            let wait = first.duration_since(start).as_millis();
            assert!((1..=300_000).contains(&wait));
            tenths[(wait as usize - 1) / 30_000] += 1;
            assert_eq!(next_turn(&name, interval, first), later(first, interval));
            let early = later(first, Duration::from_millis(1));
            assert_eq!(next_turn(&name, interval, early), later(first, interval));
        }
        assert!(tenths.iter().all(|many| (60..140).contains(many)), "{tenths:?}");
    }

    fn result(dns: DnsVerdict) -> CheckResult {
        let answers = |verdict| DnsResult {
            verdict,
            seen: 1,
            of: 1,
            addresses: Vec::new(),
            host: None,
            aaaa_elsewhere: Vec::new(),
            strays: Vec::new(),
            broken_by: None,
            chain: None,
            made_of: None,
            zone: None,
            name_servers: Vec::new(),
            history: DnsHistory::default(),
            error: None,
            answers: Vec::new(),
        };
        CheckResult {
            dns: answers(dns),
            ssl: SslResult { verdict: SslVerdict::Valid, ..SslResult::unknown("") },
            blockers: Vec::new(),
            caa: None,
            caa_unknown: false,
            expected: Vec::new(),
        }
    }

    #[test]
    fn a_doubt_is_looked_into_soon_and_every_other_name_waits_for_its_turn() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let interval = Duration::from_secs(300);
        let verifier = Verifier::new(Duration::from_secs(86_400), None);
        let mut mass_failure = MassFailureDetector::default();
        let mut checked = CheckedDomain {
            name: "shop.example".parse().unwrap(),
            facts: LedgerInfo::default(),
            status: None,
            due_at: Some(now),
            request: None,
        };
        let turn = next_turn(&checked.name, interval, now);
        let soon = later(now, SECOND_CHECK);
        for (dns, due_at, has_first_doubt, works) in [
            (DnsVerdict::Ok, turn, false, true),
            (DnsVerdict::NoSuchName, soon, true, true),
            (DnsVerdict::NoSuchName, turn, false, false),
            (DnsVerdict::Ok, turn, false, true),
        ] {
            let mut results = Results::default();
            let seen = [(checked.clone(), result(dns))];
            results.take(seen, &verifier, &mut mass_failure, interval, now);
            assert_eq!(results.has_first_doubt, has_first_doubt, "{dns}");
            let update = results.updates.pop().unwrap();
            assert_eq!(update.due_at, due_at, "{dns}");
            assert_eq!(update.status.latest.works(), works, "{dns}");
            checked.status = Some(update.status);
        }
    }
}
