use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    checks::{Advice, Verified, Verifier, advise, stage},
    cli::output::{request_json, row_json, ssl_json},
    events::Event,
    language::Language,
    state::CheckedDomain,
    status::{CheckResult, DnsVerdict, DomainStatus},
};

/// What a check found of a domain.
pub(super) struct Finding {
    /// The domain, with its status before the check.
    pub(super) checked: CheckedDomain,
    pub(super) worked: bool,
    /// What this check found, even where that does not change the status yet.
    pub(super) seen: CheckResult,
    /// The status after the check.
    pub(super) status: DomainStatus,
    pub(super) events: Vec<Event>,
    pub(super) needs_second_check: bool,
}

pub(super) struct View<'a> {
    pub(super) attention_after: Duration,
    pub(super) panel: Option<&'a str>,
    pub(super) now: Timestamp,
    /// The language of what the customer is told.
    pub(super) language: Language,
}

impl Finding {
    pub(super) fn new(
        checked: CheckedDomain,
        mut seen: CheckResult,
        verifier: &Verifier,
        now: Timestamp,
    ) -> Self {
        let worked = checked.status.as_ref().is_some_and(|status| status.latest.works());
        let verified = verifier.verify(&checked, seen.clone(), now);
        let Verified { status, events, needs_second_check, .. } = verified;
        // The verifier replaces `propagating` once that has lasted too long.
        if seen.dns.verdict == DnsVerdict::Propagating && !needs_second_check {
            seen.dns = status.latest.dns.clone();
        }
        Self { checked, worked, seen, status, events, needs_second_check }
    }

    /// Replaces the first check by a second one; the events of both are kept.
    pub(super) fn after(self, seen: CheckResult, verifier: &Verifier, now: Timestamp) -> Self {
        let checked = CheckedDomain { status: Some(self.status), ..self.checked };
        let mut finding = Self::new(checked, seen, verifier, now);
        finding.events.splice(0..0, self.events);
        finding
    }

    /// The status as if this check already counted.
    pub(super) fn shown(&self, now: Timestamp) -> DomainStatus {
        let (seen, counts) = (&self.seen, &self.status);
        let since = |same: bool, since: Timestamp| if same { since } else { now };
        DomainStatus {
            latest: seen.clone(),
            since: since(seen.works() == counts.latest.works(), counts.since),
            dns_since: since(seen.dns.verdict == counts.latest.dns.verdict, counts.dns_since),
            ..counts.clone()
        }
    }

    pub(super) fn advice(&self, shown: &DomainStatus, view: &View<'_>) -> Advice {
        advise(&self.checked.name, shown, &self.checked.facts, view.panel, view.now)
    }

    pub(super) fn to_json(&self, view: &View<'_>) -> Value {
        let shown = self.shown(view.now);
        let Advice { owner, customer, .. } = self.advice(&shown, view);
        json!({
            "domain": self.checked.name,
            "blog_id": self.checked.facts.blog_id,
            "plugin": row_json(self.checked.facts.row),
            "stage": stage(&shown, view.attention_after, view.now),
            "works": self.seen.works(),
            "since": shown.since,
            "dns": self.seen.dns,
            "ssl": ssl_json(&self.seen.ssl, view.now),
            "site": self.seen.site,
            "http": self.seen.http,
            "blockers": self.seen.blockers,
            "caa": self.seen.caa,
            "expected": self.seen.expected,
            "certificate_request": request_json(&self.checked),
            "advice": owner,
            "customer": customer.in_language(view.language),
        })
    }
}
