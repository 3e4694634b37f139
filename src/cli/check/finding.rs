use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    checks::{Advice, Verified, Verifier, advise, stage},
    cli::output::{request_json, ssl_json},
    events::Event,
    state::CheckedDomain,
    status::{CheckResult, DnsVerdict, DomainStatus},
};

/// What was found of a name.
pub(super) struct Finding {
    /// The name, with what was remembered of it.
    pub(super) checked: CheckedDomain,
    /// Whether it worked before.
    pub(super) worked: bool,
    /// What was seen now, whether it counts or not.
    pub(super) seen: CheckResult,
    /// What counts from now on.
    pub(super) status: DomainStatus,
    /// What there is to say.
    pub(super) events: Vec<Event>,
    /// Whether it is checked again before what was seen counts.
    pub(super) needs_second_check: bool,
}

/// By what findings are shown.
pub(super) struct View<'a> {
    pub(super) attention_after: Duration,
    pub(super) panel: Option<&'a str>,
    pub(super) now: Timestamp,
}

impl Finding {
    /// What a check of the name found.
    pub(super) fn new(
        checked: CheckedDomain,
        mut seen: CheckResult,
        verifier: &Verifier,
        now: Timestamp,
    ) -> Self {
        let worked = checked.status.as_ref().is_some_and(|status| status.latest.works());
        let verified = verifier.verify(&checked, seen.clone(), now);
        let Verified { status, events, needs_second_check, .. } = verified;
        // What looks as if it spread may have done so for too long.
        if seen.dns.verdict == DnsVerdict::Propagating && !needs_second_check {
            seen.dns = status.latest.dns.clone();
        }
        Self { checked, worked, seen, status, events, needs_second_check }
    }

    /// The same after a second check.
    pub(super) fn after(self, seen: CheckResult, verifier: &Verifier, now: Timestamp) -> Self {
        let checked = CheckedDomain { status: Some(self.status), ..self.checked };
        let mut finding = Self::new(checked, seen, verifier, now);
        finding.events.splice(0..0, self.events);
        finding
    }

    /// What was seen now, as it would be remembered.
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
            "stage": stage(&shown, view.attention_after, view.now),
            "works": self.seen.works(),
            "since": shown.since,
            "dns": self.seen.dns,
            "ssl": ssl_json(&self.seen.ssl, view.now),
            "blockers": self.seen.blockers,
            "caa": self.seen.caa,
            "expected": self.seen.expected,
            "certificate_request": request_json(&self.checked),
            "advice": owner,
            "customer": customer,
        })
    }
}
