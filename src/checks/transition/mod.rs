//! What a look changes in what is remembered, and what there is to say of it. Pure.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    advice::{Advice, advise, stage},
    checker::{Depth, judge_aaaa},
    history::{Steadiness, follow},
};
use crate::{
    domain::DomainName,
    events::Event,
    ledger::later,
    span::between,
    status::{Blocker, Certificate, CheckResult, DnsVerdict, DomainStatus, LedgerInfo, SslVerdict},
};

/// What is said of a domain that nobody attends to is said again after this long.
const TELL_AGAIN: Duration = Duration::from_secs(24 * 60 * 60);

/// What came of a look.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Transition {
    /// What is remembered from now on.
    pub status: DomainStatus,
    /// What there is to say.
    pub events: Vec<Event>,
}

impl Transition {
    /// Whether a name that worked seems not to, and a second look has to agree.
    pub(super) fn is_doubt(&self) -> bool {
        self.status.suspect_since.is_some()
    }
}

/// How closely to look at a name: one that works is not doubted without a reason.
pub fn depth(status: Option<&DomainStatus>) -> Depth {
    let is_beyond_doubt = status.is_some_and(|status| {
        status.latest.works()
            && status.latest.ssl.verdict == SslVerdict::Valid
            && status.latest.blockers.is_empty()
            && status.suspect_since.is_none()
    });
    if is_beyond_doubt { Depth::Quick } else { Depth::Full }
}

/// Joins what was seen now with what is remembered. `panel` is as in [`advise`], `attention_after` as in
/// [`stage`].
pub(super) fn transition(
    name: &DomainName,
    previous: Option<&DomainStatus>,
    mut seen: CheckResult,
    facts: &LedgerInfo,
    panel: Option<&str>,
    attention_after: Duration,
    now: Timestamp,
) -> Transition {
    let could_look = seen.dns.verdict != DnsVerdict::Unknown;
    let steadiness = if could_look {
        let before = previous.map(|previous| previous.latest.dns.history.clone());
        follow(&before.unwrap_or_default(), &mut seen.dns, now)
    } else {
        Steadiness::Steady
    };
    let Some(previous) = previous else {
        let status = DomainStatus {
            checked_at: now,
            dns_since: now,
            ssl_since: now,
            since: now,
            suspect_since: None,
            alerted_at: None,
            lacks_certificate_since: lacks_certificate(&seen).then_some(now),
            latest: seen,
        };
        let changes =
            Changes { name, before: None, status: &status, facts, panel, attention_after, now };
        let events = if changes.is_old_hat() { Vec::new() } else { changes.events() };
        return Transition { status, events };
    };
    let latest = keep_what_is_unknown(&previous.latest, seen);
    let worked = previous.latest.works();
    if worked && !latest.works() && previous.suspect_since.is_none() {
        let mut status =
            DomainStatus { checked_at: now, suspect_since: Some(now), ..previous.clone() };
        status.latest.dns.history = latest.dns.history;
        let changes = Changes {
            name,
            before: Some(previous),
            status: &status,
            facts,
            panel,
            attention_after,
            now,
        };
        let events = changes.steadiness(steadiness).into_iter().collect();
        return Transition { status, events };
    }

    let is_unsteady = latest.dns.history.unsteady_since.is_some();
    // What a clock that was ahead has noted is so since now.
    let since = |same: bool, since: Timestamp| if same { since.min(now) } else { now };
    let works = latest.works();
    let mut status = DomainStatus {
        checked_at: now,
        dns_since: since(latest.dns.verdict == previous.latest.dns.verdict, previous.dns_since),
        ssl_since: since(latest.ssl.verdict == previous.latest.ssl.verdict, previous.ssl_since),
        // As long as nothing could be seen, nothing counts against the name; and what goes back and
        // forth gets no new start.
        since: since(
            (works == worked || is_unsteady)
                && (previous.latest.dns.verdict != DnsVerdict::Unknown || !could_look),
            previous.since,
        ),
        suspect_since: None,
        alerted_at: previous.alerted_at.filter(|_| !works || is_unsteady).map(|told| told.min(now)),
        lacks_certificate_since: lacks_certificate(&latest)
            .then(|| previous.lacks_certificate_since.unwrap_or(now).min(now)),
        latest,
    };
    let changes = Changes {
        name,
        before: Some(previous),
        status: &status,
        facts,
        panel,
        attention_after,
        now,
    };
    let mut events = match steadiness {
        Steadiness::Steady => changes.events(),
        change => {
            let ends = changes.has_entered_its_last_day().then(|| changes.last_day()).flatten();
            changes.steadiness(change).into_iter().chain(ends).collect()
        }
    };
    if could_look && let Some(event) = changes.attention() {
        events.push(event);
        status.alerted_at = Some(now);
    }
    Transition { status, events }
}

/// What could not be seen now stays as it was.
fn keep_what_is_unknown(before: &CheckResult, mut seen: CheckResult) -> CheckResult {
    if seen.dns.verdict == DnsVerdict::Unknown {
        return before.clone();
    }
    // Where the name leads nowhere, there is no certificate to speak of, and elsewhere there is
    // another one.
    let leads_nowhere = matches!(
        seen.dns.verdict,
        DnsVerdict::NoSuchName | DnsVerdict::NoAddress | DnsVerdict::Broken
    );
    let is_the_same = seen.dns.verdict.is_good() == before.dns.verdict.is_good();
    if seen.ssl.verdict == SslVerdict::Unknown && is_the_same && !leads_nowhere {
        seen.ssl = before.ssl.clone();
        judge_aaaa(&mut seen);
    }
    if seen.caa_unknown && before.caa.is_some() && before.dns.verdict.is_good() {
        let of_caa = before.blockers.iter().filter(|one| **one != Blocker::AaaaElsewhere);
        seen.blockers.extend(of_caa);
        seen.caa = before.caa.clone();
        seen.dns.zone = seen.dns.zone.or_else(|| before.dns.zone.clone());
    }
    seen
}

/// Whether the DNS is right and nothing stops a certificate, yet there is none.
fn lacks_certificate(latest: &CheckResult) -> bool {
    latest.dns.verdict == DnsVerdict::Ok
        && latest.ssl.lacks_certificate()
        && latest.blockers.is_empty()
}

/// One name between two looks.
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
        let events = [self.dns(), self.ssl()].into_iter().flatten();
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

    /// A name that was at Closte before it was managed, and works: that is no news.
    fn is_old_hat(&self) -> bool {
        let was_there = self.facts.at_closte_since.zip(self.facts.added_at);
        was_there.is_some_and(|(there, added)| there <= added)
            && depth(Some(self.status)) == Depth::Quick
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
            // The way it is served is no news.
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
            // While the DNS is wrong, the certificate found there is somebody else's matter.
            _ if !latest.dns.verdict.is_good() => return None,
            // What stops it is told by itself.
            _ if !latest.blockers.is_empty() => return None,
            _ => {
                let advice = self.advice().owner;
                Event::CertificatePending { domain, blog_id, verdict, advice }
            }
        })
    }

    /// Whether the certificate ends within a day, and did not yet when it was looked at before.
    fn has_entered_its_last_day(&self) -> bool {
        let last_day = |status: &DomainStatus, at: Timestamp| {
            let ssl = &status.latest.ssl;
            let certificate =
                ssl.certificate.as_ref().filter(|_| ssl.verdict == SslVerdict::Expiring)?;
            (certificate.days_left(at) < 1).then_some(certificate.not_after)
        };
        let ends = last_day(self.status, self.now);
        // Elsewhere it is somebody else's matter.
        let is_ours = self.status.latest.dns.verdict.is_good();
        is_ours
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
        // While the DNS is wrong, that is told, with the same advice.
        (is_new && self.status.latest.dns.verdict.is_good()).then(|| Event::CertificateBlocked {
            domain: self.name.clone(),
            blog_id: self.facts.blog_id,
            blockers: blockers.clone(),
            advice: self.advice().owner,
        })
    }

    /// Somebody must attend to a name that has not worked for too long.
    fn attention(&self) -> Option<Event> {
        let status = self.status;
        // What could not be looked at is no reason to call somebody.
        let CheckResult { dns, ssl, .. } = &status.latest;
        let is_broken = !dns.verdict.is_good() || ssl.verdict.is_bad();
        let is_late = is_broken
            && self.now >= later(status.since, self.attention_after)
            && status.alerted_at.is_none_or(|told| self.now >= later(told, TELL_AGAIN));
        let advice = is_late.then(|| self.advice()).filter(|advice| !advice.is_to_wait())?;
        Some(Event::NeedsAttention {
            domain: self.name.clone(),
            blog_id: self.facts.blog_id,
            stage: stage(status, self.attention_after, self.now),
            not_working_for_s: seconds(status.since, self.now),
            advice: advice.owner,
        })
    }

    /// How long the stage before took: since it began, or since the name was added.
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
