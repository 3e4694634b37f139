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

/// When a name that worked seems to have stopped, it is checked again after this time.
const SECOND_CHECK: Duration = Duration::from_secs(30);

/// The status updates and events of verified results that are not recorded yet.
#[derive(Debug, Default)]
pub(super) struct Results {
    pub(super) updates: Vec<StatusUpdate>,
    pub(super) batch: EventBatch,
    /// Whether a name seems to have stopped working, as the first one within a while.
    pub(super) begins_suspicion: bool,
    /// Whether most names seem to have stopped together.
    pub(super) is_suspicious: bool,
}

impl Results {
    pub(super) fn verify(
        &mut self,
        results: impl IntoIterator<Item = (CheckedDomain, CheckResult)>,
        verifier: &Verifier,
        mass_failure: &mut MassFailureDetector,
        interval: Duration,
        now: Timestamp,
    ) {
        for (checked, result) in results {
            let verified = verifier.verify(&checked, result, now);
            let Verified { status, events, was_healthy, needs_second_check } = verified;
            if was_healthy {
                self.begins_suspicion |= mass_failure.note(needs_second_check, now);
            }
            let due_at = if needs_second_check {
                later(now, SECOND_CHECK.min(interval))
            } else {
                next_due(&checked.name, interval, now)
            };
            if events.is_empty() {
                let domain = checked.name.as_str();
                let (dns, ssl) =
                    (status.latest.dns.verdict.as_str(), status.latest.ssl.verdict.as_str());
                tracing::debug!(name: "checks.result", domain, dns, ssl, needs_second_check);
            }
            self.batch.logged.extend(events);
            self.updates.push(StatusUpdate { name: checked.name, status, due_at });
        }
        let suspicious = mass_failure.event(now);
        self.is_suspicious |= suspicious.is_some();
        self.batch.logged.extend(suspicious);
    }
}

/// When the name is due next. Each name has its own offset within the interval, so that the checks are
/// spread evenly.
fn next_due(name: &DomainName, interval: Duration, now: Timestamp) -> Timestamp {
    let interval = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1);
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    let offset = i64::try_from(hasher.finish() % interval.unsigned_abs()).unwrap_or_default();
    let since_due = (now.as_millisecond() - offset).rem_euclid(interval);
    later(now, Duration::from_millis((interval - since_due).unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checks::evaluate::evaluate_dns,
        ledger::LedgerInfo,
        status::{DnsResult, DnsVerdict, SslResult, SslVerdict},
    };

    #[test]
    fn due_times_are_spread_over_the_interval() {
        let interval = Duration::from_secs(300);
        let start = Timestamp::from_second(1_800_000_000).unwrap();
        let mut tenths = [0; 10];
        for number in 0..1_000 {
            let name: DomainName = format!("shop{number}.example").parse().unwrap();
            let first = next_due(&name, interval, start);
            let wait = first.duration_since(start).as_millis();
            assert!((1..=300_000).contains(&wait));
            tenths[(wait as usize - 1) / 30_000] += 1;
            assert_eq!(next_due(&name, interval, first), later(first, interval));
            let early = later(first, Duration::from_millis(1));
            assert_eq!(next_due(&name, interval, early), later(first, interval));
        }
        assert!(tenths.iter().all(|count| (60..140).contains(count)), "{tenths:?}");
    }

    fn result(dns: DnsVerdict) -> CheckResult {
        CheckResult {
            dns: DnsResult { verdict: dns, ..evaluate_dns(Vec::new(), Vec::new(), None, &[]) },
            ssl: SslResult { verdict: SslVerdict::Valid, ..SslResult::unknown("") },
            site: None,
            http: None,
            blockers: Vec::new(),
            caa: None,
            caa_unknown: false,
            expected: Vec::new(),
        }
    }

    #[test]
    fn a_suspect_name_is_due_soon_and_every_other_in_its_interval() {
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
        let next = next_due(&checked.name, interval, now);
        let soon = later(now, SECOND_CHECK);
        for (dns, due_at, begins_suspicion, works) in [
            (DnsVerdict::Ok, next, false, true),
            (DnsVerdict::NoSuchName, soon, true, true),
            (DnsVerdict::NoSuchName, next, false, false),
            (DnsVerdict::Ok, next, false, true),
        ] {
            let mut results = Results::default();
            let checks = [(checked.clone(), result(dns))];
            results.verify(checks, &verifier, &mut mass_failure, interval, now);
            assert_eq!(results.begins_suspicion, begins_suspicion, "{dns}");
            let update = results.updates.pop().unwrap();
            assert_eq!(update.due_at, due_at, "{dns}");
            assert_eq!(update.status.latest.works(), works, "{dns}");
            checked.status = Some(update.status);
        }
    }
}
