//! The new status of a name after a check, and the events that follow. Pure.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    advice::{Advice, advise, stage},
    blockers::apply_aaaa_elsewhere,
    checker::Depth,
    history::{Steadiness, update_history},
};
use crate::{
    domain::DomainName,
    events::Event,
    ledger::{LedgerInfo, later},
    span::between,
    status::{
        Blocker, Certificate, CheckResult, DnsVerdict, DomainStatus, GoodRun, HttpResult,
        HttpVerdict, SiteResult, SiteVerdict, SslVerdict,
    },
};

/// An alert about a domain is repeated after this time.
const REPEAT_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Transition {
    pub status: DomainStatus,
    pub events: Vec<Event>,
}

/// How thoroughly to check a name: quickly if it works without any doubt.
pub fn depth(status: Option<&DomainStatus>) -> Depth {
    let is_beyond_doubt = status.is_some_and(|status| {
        status.latest.works()
            && status.latest.ssl.verdict == SslVerdict::Valid
            && status.latest.blockers.is_empty()
            && status.suspect_since.is_none()
    });
    if is_beyond_doubt { Depth::Quick } else { Depth::Full }
}

/// The status after a check. `panel` is as in [`advise`], `attention_after` as in [`stage`].
pub(super) fn transition(
    name: &DomainName,
    previous: Option<&DomainStatus>,
    mut result: CheckResult,
    facts: &LedgerInfo,
    panel: Option<&str>,
    attention_after: Duration,
    now: Timestamp,
) -> Transition {
    let is_known = result.dns.verdict != DnsVerdict::Unknown;
    let steadiness = if is_known {
        let before = previous.map(|previous| previous.latest.dns.history.clone());
        update_history(&before.unwrap_or_default(), &mut result.dns, now)
    } else {
        Steadiness::Steady
    };
    // A propagation that ended as `ok` may leave an AAAA record that leads elsewhere.
    apply_aaaa_elsewhere(&mut result);
    let changes =
        |status| Changes { name, before: previous, status, facts, panel, attention_after, now };
    let Some(previous) = previous else {
        keep_site(None, &mut result);
        keep_http(None, &mut result);
        let mut status = DomainStatus {
            checked_at: now,
            dns_since: now,
            ssl_since: now,
            since: now,
            suspect_since: None,
            alerted_at: None,
            lacks_certificate_since: needs_certificate(&result).then_some(now),
            good: GoodRun::default().next(result.is_well_connected(), false),
            live_since: is_live(&result).then_some(now),
            live_after_s: None,
            latest: result,
        };
        let changes = changes(&status);
        if changes.worked_before() {
            return Transition { status, events: Vec::new() };
        }
        let (mut events, live) = (changes.events(), changes.live());
        status.live_after_s = live.as_ref().and_then(|(after_s, _)| *after_s);
        events.extend(live.map(|(_, event)| event));
        return Transition { status, events };
    };
    let is_good = result.is_well_connected();
    let latest = keep_known_parts(&previous.latest, result);
    let worked = previous.latest.works();
    if worked && !latest.works() && previous.suspect_since.is_none() {
        let good = previous.good.next(is_good, false);
        let mut status =
            DomainStatus { checked_at: now, suspect_since: Some(now), good, ..previous.clone() };
        status.latest.dns.history = latest.dns.history;
        let events = changes(&status).steadiness(steadiness).into_iter().collect();
        return Transition { status, events };
    }

    let is_unsteady = latest.dns.history.unsteady_since.is_some();
    // A time in the future is from a clock that was ahead.
    let since = |same: bool, since: Timestamp| if same { since.min(now) } else { now };
    let works = latest.works();
    let mut status = DomainStatus {
        checked_at: now,
        dns_since: since(latest.dns.verdict == previous.latest.dns.verdict, previous.dns_since),
        ssl_since: since(latest.ssl.verdict == previous.latest.ssl.verdict, previous.ssl_since),
        // The time without a known result does not count against the name, and alternating verdicts do
        // not restart it.
        since: since(
            (works == worked || is_unsteady)
                && (previous.latest.dns.verdict != DnsVerdict::Unknown || !is_known),
            previous.since,
        ),
        suspect_since: None,
        alerted_at: previous.alerted_at.filter(|_| !works || is_unsteady).map(|at| at.min(now)),
        lacks_certificate_since: needs_certificate(&latest)
            .then(|| previous.lacks_certificate_since.unwrap_or(now).min(now)),
        good: previous
            .good
            .next(is_good, previous.latest.is_well_connected() && !latest.is_well_connected()),
        live_since: previous.live_since.or(is_live(&latest).then_some(now)),
        live_after_s: previous.live_after_s,
        latest,
    };
    let changes = changes(&status);
    let mut events = match steadiness {
        Steadiness::Steady => changes.events(),
        change => {
            let ends = changes.has_entered_its_last_day().then(|| changes.last_day()).flatten();
            changes.steadiness(change).into_iter().chain(ends).collect()
        }
    };
    let live = changes.live();
    let attention = changes.attention().filter(|_| is_known);
    if let Some((after_s, event)) = live {
        status.live_after_s = after_s;
        events.push(event);
    }
    if let Some(event) = attention {
        events.push(event);
        status.alerted_at = Some(now);
    }
    Transition { status, events }
}

/// Replaces the unknown parts of a result by those of the result before.
fn keep_known_parts(before: &CheckResult, mut result: CheckResult) -> CheckResult {
    if result.dns.verdict == DnsVerdict::Unknown {
        return before.clone();
    }
    // Without an address there is no certificate, and another server has another certificate.
    let is_same_server = result.dns.verdict.is_good() == before.dns.verdict.is_good()
        && !result.dns.verdict.is_without_address();
    if result.ssl.verdict == SslVerdict::Unknown && is_same_server {
        result.ssl = before.ssl.clone();
        apply_aaaa_elsewhere(&mut result);
    }
    if result.caa_unknown && before.caa.is_some() && before.dns.verdict.is_good() {
        let of_caa = before.blockers.iter().filter(|one| **one != Blocker::AaaaElsewhere);
        result.blockers.extend(of_caa);
        result.caa = before.caa.clone();
        result.dns.zone = result.dns.zone.or_else(|| before.dns.zone.clone());
    }
    keep_site(before.site.as_ref(), &mut result);
    keep_http(before.http.as_ref(), &mut result);
    result
}

/// Keeps what the last look at the site found where this check did not look, and makes the first time-out
/// unknown.
fn keep_site(before: Option<&SiteResult>, result: &mut CheckResult) {
    if !result.is_well_connected() {
        result.site = None;
        return;
    }
    match &mut result.site {
        None => result.site = before.cloned(),
        Some(site) if site.verdict == SiteVerdict::TimedOut => {
            let again = |one: &SiteResult| one.timed_out || one.verdict == SiteVerdict::TimedOut;
            if !before.is_some_and(again) {
                (site.verdict, site.timed_out) = (SiteVerdict::Unknown, true);
            }
        }
        Some(_) => {}
    }
}

/// As [`keep_site`], of the port without TLS.
fn keep_http(before: Option<&HttpResult>, result: &mut CheckResult) {
    if !result.dns.verdict.is_good() {
        result.http = None;
        return;
    }
    match &mut result.http {
        None => result.http = before.cloned(),
        Some(http) if http.verdict == HttpVerdict::TimedOut => {
            let again = |one: &HttpResult| one.timed_out || one.verdict == HttpVerdict::TimedOut;
            if !before.is_some_and(again) {
                (http.verdict, http.timed_out) = (HttpVerdict::Unknown, true);
            }
        }
        Some(_) => {}
    }
}

/// Whether visitors get the site.
fn is_live(latest: &CheckResult) -> bool {
    latest.works() && latest.site.as_ref().is_some_and(|site| site.verdict.is_good())
}

/// Whether the DNS is right and nothing blocks a certificate, but there is none.
fn needs_certificate(latest: &CheckResult) -> bool {
    latest.dns.verdict == DnsVerdict::Ok
        && latest.ssl.needs_certificate()
        && latest.blockers.is_empty()
}

/// The changes of a name's status between two checks.
struct Changes<'a> {
    name: &'a DomainName,
    before: Option<&'a DomainStatus>,
    status: &'a DomainStatus,
    facts: &'a LedgerInfo,
    panel: Option<&'a str>,
    attention_after: Duration,
    now: Timestamp,
}

impl Changes<'_> {
    fn events(&self) -> Vec<Event> {
        let events = [self.dns(), self.ssl(), self.site()].into_iter().flatten();
        events.chain(self.blocked()).collect()
    }

    fn steadiness(&self, change: Steadiness) -> Option<Event> {
        let dns = &self.status.latest.dns;
        let (domain, blog_id) = (self.name.clone(), self.facts.blog_id);
        match change {
            Steadiness::Steady | Steadiness::Unsteady => None,
            Steadiness::Began => {
                let advice = self.advice().owner;
                let verdicts = dns.history.different();
                Some(Event::DnsUnsteady { domain, blog_id, verdicts, advice })
            }
            Steadiness::Ended => {
                let since = self.before.and_then(|before| before.latest.dns.history.unsteady_since);
                let after_s = seconds(since.unwrap_or(self.now), self.now);
                Some(Event::DnsSteady { domain, blog_id, verdict: dns.verdict, after_s })
            }
        }
    }

    /// Whether the name works and was at Closte before it was managed. Its first check has no events.
    fn worked_before(&self) -> bool {
        self.was_at_closte_before() && depth(Some(self.status)) == Depth::Quick
    }

    fn was_at_closte_before(&self) -> bool {
        let times = self.facts.at_closte_since.zip(self.facts.added_at);
        times.is_some_and(|(at_closte, added)| at_closte <= added)
    }

    fn advice(&self) -> Advice {
        advise(self.name, self.status, self.facts, self.panel, self.now)
    }

    fn dns(&self) -> Option<Event> {
        let latest = &self.status.latest;
        let before = self.before.map(|before| before.latest.dns.verdict);
        let (verdict, domain, blog_id) =
            (latest.dns.verdict, self.name.clone(), self.facts.blog_id);
        if before == Some(verdict) || verdict == DnsVerdict::Unknown {
            return None;
        }
        Some(if verdict.is_good() {
            let took_s = self.took_s(self.before.map(|before| before.dns_since));
            Event::DnsRight { domain, blog_id, verdict, took_s }
        } else if before.is_some_and(DnsVerdict::is_good) {
            let advice = self.advice().owner;
            Event::DnsBroke { domain, blog_id, verdict, advice }
        } else {
            let advice = self.advice().owner;
            Event::DnsPending { domain, blog_id, verdict, advice }
        })
    }

    fn ssl(&self) -> Option<Event> {
        let latest = &self.status.latest;
        if self.has_entered_its_last_day() {
            return self.last_day();
        }
        let before = self.before.map(|before| before.latest.ssl.verdict);
        let (verdict, domain, blog_id) =
            (latest.ssl.verdict, self.name.clone(), self.facts.blog_id);
        if before == Some(verdict) || verdict == SslVerdict::Unknown {
            return None;
        }
        let certificate = latest.ssl.certificate.as_ref();
        Some(match (verdict, certificate) {
            // A change between these two has no event.
            (SslVerdict::Valid | SslVerdict::OldTls, _)
                if matches!(before, Some(SslVerdict::Valid | SslVerdict::OldTls)) =>
            {
                return None;
            }
            (
                SslVerdict::Valid | SslVerdict::OldTls,
                Some(Certificate { issuer, not_after, .. }),
            ) => {
                let (issuer, not_after) = (issuer.clone(), *not_after);
                let took_s = self.took_s(self.before.map(|before| before.ssl_since));
                let after_added_s = self.facts.added_at.map(|added| seconds(added, self.now));
                Event::CertificateValid {
                    domain,
                    blog_id,
                    issuer,
                    not_after,
                    took_s,
                    after_added_s,
                }
            }
            (SslVerdict::Expiring, Some(certificate)) => Event::CertificateExpiring {
                domain,
                blog_id,
                issuer: certificate.issuer.clone(),
                days_left: certificate.days_left(self.now),
            },
            _ if self.before.is_some_and(|before| before.latest.works()) => {
                let advice = self.advice().owner;
                Event::CertificateBroke { domain, blog_id, verdict, advice }
            }
            // While the DNS is wrong, the certificate is that of another server. Blockers have their own
            // event.
            _ if !latest.dns.verdict.is_good() || !latest.blockers.is_empty() => return None,
            _ => {
                let advice = self.advice().owner;
                Event::CertificatePending { domain, blog_id, verdict, advice }
            }
        })
    }

    fn site(&self) -> Option<Event> {
        let verdict = |status: &DomainStatus| status.latest.site.as_ref().map(|site| site.verdict);
        let before = self.before.and_then(verdict);
        let verdict = verdict(self.status).filter(|now| Some(*now) != before)?;
        let (domain, blog_id) = (self.name.clone(), self.facts.blog_id);
        if verdict.is_good() {
            let began = self.before.filter(|_| before.is_some_and(SiteVerdict::is_bad))?.since;
            let after_s = seconds(began, self.now);
            return Some(Event::SiteRecovered { domain, blog_id, verdict, after_s });
        }
        // A name that nobody served before is not broken, and its stage may still be written.
        let is_early = verdict == SiteVerdict::NotActive && self.status.live_since.is_none();
        let is_new = verdict.is_bad() && !before.is_some_and(SiteVerdict::is_bad) && !is_early;
        let advice = is_new.then(|| self.advice().owner)?;
        Some(Event::SiteBroke { domain, blog_id, verdict, advice })
    }

    /// That visitors get the site for the first time, and after how many seconds. That is not known of a name
    /// that was at Closte before it was managed.
    fn live(&self) -> Option<(Option<u64>, Event)> {
        let is_first = self.before.is_none_or(|before| before.live_since.is_none());
        // One that worked for long was live before its site was looked at.
        let worked = |before: &DomainStatus| {
            before.latest.works() && self.now >= later(before.since, REPEAT_AFTER)
        };
        let is_new = is_first && is_live(&self.status.latest) && !self.before.is_some_and(worked);
        is_new.then(|| {
            let (domain, blog_id) = (self.name.clone(), self.facts.blog_id);
            let added = self.facts.added_at.filter(|_| !self.was_at_closte_before());
            let after_s = added.map(|added| seconds(added, self.now));
            (after_s, Event::Live { domain, blog_id, after_s })
        })
    }

    /// Whether the certificate expires within a day, and did not at the check before.
    fn has_entered_its_last_day(&self) -> bool {
        let last_day = |status: &DomainStatus, at: Timestamp| {
            let ssl = &status.latest.ssl;
            let certificate =
                ssl.certificate.as_ref().filter(|_| ssl.verdict == SslVerdict::Expiring)?;
            (certificate.days_left(at) < 1).then_some(certificate.not_after)
        };
        let ends = last_day(self.status, self.now);
        // While the DNS is wrong, the certificate is that of another server.
        self.status.latest.dns.verdict.is_good()
            && ends.is_some()
            && self.before.and_then(|before| last_day(before, before.checked_at)) != ends
    }

    fn last_day(&self) -> Option<Event> {
        let certificate = self.status.latest.ssl.certificate.as_ref()?;
        Some(Event::CertificateLastDay {
            domain: self.name.clone(),
            blog_id: self.facts.blog_id,
            issuer: certificate.issuer.clone(),
            ends_in_s: seconds(self.now, certificate.not_after),
            advice: self.advice().owner,
        })
    }

    fn blocked(&self) -> Option<Event> {
        let blockers = &self.status.latest.blockers;
        let before = self.before.map_or(&[][..], |before| &before.latest.blockers);
        let is_new = blockers.iter().any(|blocker| !before.contains(blocker));
        // While the DNS is wrong, the event about the DNS has the same advice.
        (is_new && self.status.latest.dns.verdict.is_good()).then(|| Event::CertificateBlocked {
            domain: self.name.clone(),
            blog_id: self.facts.blog_id,
            blockers: blockers.clone(),
            advice: self.advice().owner,
        })
    }

    /// The alert about a name that has not worked for too long.
    fn attention(&self) -> Option<Event> {
        let status = self.status;
        // An unknown result is no reason for an alert.
        let CheckResult { dns, ssl, site, .. } = &status.latest;
        let site_is_bad = site.as_ref().is_some_and(|site| site.verdict.is_bad());
        let is_broken = !dns.verdict.is_good() || ssl.verdict.is_bad() || site_is_bad;
        let is_late = is_broken
            && self.now >= later(status.since, self.attention_after)
            && status.alerted_at.is_none_or(|at| self.now >= later(at, REPEAT_AFTER));
        let advice = is_late.then(|| self.advice()).filter(|advice| !advice.is_to_wait())?;
        Some(Event::NeedsAttention {
            domain: self.name.clone(),
            blog_id: self.facts.blog_id,
            stage: stage(status, self.attention_after, self.now),
            not_working_for_s: seconds(status.since, self.now),
            advice: advice.owner,
        })
    }

    /// The seconds since the previous verdict, or since the name was added if that is later.
    fn took_s(&self, began: Option<Timestamp>) -> Option<u64> {
        let began = began.into_iter().chain(self.facts.added_at).max();
        began.map(|began| seconds(began, self.now))
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    between(from, to).as_secs()
}

#[cfg(test)]
mod tests;
