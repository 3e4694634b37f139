//! The road of a domain, from the customer's mapping until visitors get the site. Pure.

use jiff::Timestamp;

use super::{ClosteStatus, DomainRow, closte_status, facts::dns_summary, note, state_since};
use crate::status::{CheckResult, DomainStatus, SiteVerdict};

/// How a step of the road stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    Done,
    /// Nobody has to act.
    Waiting,
    /// Somebody has to act.
    Failed,
    /// An earlier step comes first, or it was not seen yet.
    Ahead,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub title: &'static str,
    pub state: StepState,
    /// Since when it is so, if that is known.
    pub since: Option<Timestamp>,
    /// A few words.
    pub detail: String,
}

impl StepState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
            Self::Ahead => "ahead",
        }
    }
}

/// Mapped, added, DNS, certificate, served.
pub fn road(row: &DomainRow, now: Timestamp) -> [Step; 5] {
    [mapped(row), added(row, now), dns(row, now), certificate(row, now), served(row, now)]
}

fn step(
    title: &'static str,
    state: StepState,
    since: Option<Timestamp>,
    detail: impl Into<String>,
) -> Step {
    Step { title, state, since, detail: detail.into() }
}

fn mapped(row: &DomainRow) -> Step {
    match row.entry.undesired_since {
        Some(at) => step("Mapped", StepState::Ahead, Some(at), "no longer mapped in WordPress"),
        None => step("Mapped", StepState::Done, Some(row.entry.managed_since), "in WordPress"),
    }
}

fn added(row: &DomainRow, now: Timestamp) -> Step {
    let entry = &row.entry;
    let (state, since, detail) = match closte_status(entry) {
        ClosteStatus::Current => (StepState::Done, entry.present_since, "at Closte".to_owned()),
        ClosteStatus::Covered => {
            let by = entry.covered_by.as_ref().map(ToString::to_string).unwrap_or_default();
            (StepState::Done, None, format!("{by} at Closte serves it"))
        }
        ClosteStatus::Added => (StepState::Waiting, None, "Closte's next list confirms it".into()),
        ClosteStatus::Adding => (StepState::Waiting, None, "added with the next cycle".into()),
        ClosteStatus::Missing => {
            (StepState::Waiting, entry.missing_since, "missing from Closte's last list".into())
        }
        ClosteStatus::Refused | ClosteStatus::Failing => {
            (StepState::Failed, Some(state_since(entry)), note(entry, now))
        }
        ClosteStatus::Removing => {
            (StepState::Waiting, entry.undesired_since, "being removed from Closte".into())
        }
        ClosteStatus::Gone => (StepState::Ahead, entry.undesired_since, "not at Closte".into()),
    };
    step("Added", state, since, detail)
}

fn dns(row: &DomainRow, now: Timestamp) -> Step {
    let Some(seen) = row.seen() else {
        return step("DNS", StepState::Ahead, None, "not checked yet");
    };
    let dns = &seen.latest.dns;
    let state = if dns.verdict.is_good() { StepState::Done } else { not_yet(row, now) };
    let detail = format!("{}{}", dns.verdict, dns_summary(dns));
    step("DNS", state, Some(seen.dns_since), detail)
}

fn certificate(row: &DomainRow, now: Timestamp) -> Step {
    let Some(DomainStatus { latest, ssl_since, .. }) = row.seen() else {
        return step("Certificate", StepState::Ahead, None, "not checked yet");
    };
    let state = match (latest.dns.verdict.is_good(), latest.ssl.verdict.is_good()) {
        (_, true) => StepState::Done,
        (false, false) => StepState::Ahead,
        (true, false) => not_yet(row, now),
    };
    step("Certificate", state, Some(*ssl_since), row.ssl(now))
}

fn served(row: &DomainRow, now: Timestamp) -> Step {
    let Some(DomainStatus { latest, since, live_since, .. }) = row.seen() else {
        return step("Served", StepState::Ahead, None, "not checked yet");
    };
    let CheckResult { site, .. } = latest;
    match site {
        _ if !latest.is_well_connected() => {
            step("Served", StepState::Ahead, None, "after DNS and certificate")
        }
        None => step("Served", StepState::Ahead, None, "not looked at"),
        Some(site) if site.verdict.is_good() => {
            let since = live_since.unwrap_or(*since);
            step("Served", StepState::Done, Some(since), site.verdict.as_str())
        }
        Some(site) if site.verdict.is_undecided() => {
            let why = match site.verdict {
                SiteVerdict::Blocked => "a login or a challenge answers",
                _ => "not known",
            };
            step("Served", StepState::Ahead, Some(site.checked_at), why)
        }
        Some(site) if site.verdict.is_decided() => {
            step("Served", StepState::Ahead, Some(*since), site.verdict.as_str())
        }
        Some(site) => step("Served", not_yet(row, now), Some(*since), site.verdict.as_str()),
    }
}

fn not_yet(row: &DomainRow, now: Timestamp) -> StepState {
    match row.advice(None, now) {
        Some(advice) if advice.is_to_wait() => StepState::Waiting,
        _ => StepState::Failed,
    }
}
