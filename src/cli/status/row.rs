use jiff::Timestamp;
use strum::IntoStaticStr;

use crate::{
    checks::{Advice, advise},
    cli::output::{BAD, FAINT, FAIR, GOOD, until},
    domain::DomainName,
    ledger::{Entry, Progress},
    state::CheckedDomain,
    status::{CheckResult, DomainStatus, SslVerdict},
};

/// A managed name and its last check.
pub(super) struct Row {
    pub(super) name: DomainName,
    pub(super) entry: Entry,
    /// None for a name that is no longer desired.
    pub(super) checked: Option<CheckedDomain>,
}

/// Worst first, which is the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    Bad,
    Fair,
    Good,
    Gone,
}

impl Row {
    pub(super) fn seen(&self) -> Option<&DomainStatus> {
        self.checked.as_ref()?.status.as_ref()
    }

    pub(super) fn severity(&self) -> Severity {
        match (status(&self.entry), self.seen()) {
            (ClosteStatus::Refused | ClosteStatus::Failing, _) => Severity::Bad,
            (ClosteStatus::Gone, _) => Severity::Gone,
            (_, Some(seen)) if !seen.latest.works() => Severity::Bad,
            (ClosteStatus::Adding | ClosteStatus::Missing | ClosteStatus::Removing, _) => {
                Severity::Fair
            }
            (_, Some(seen))
                if seen.latest.ssl.verdict != SslVerdict::Valid
                    || !seen.latest.blockers.is_empty() =>
            {
                Severity::Fair
            }
            _ => Severity::Good,
        }
    }

    pub(super) fn style(&self) -> anstyle::Style {
        match self.severity() {
            Severity::Bad => BAD,
            Severity::Fair => FAIR,
            Severity::Good => GOOD,
            Severity::Gone => FAINT,
        }
    }

    /// When it began to work or to fail; for one that was never checked, when its state at Closte began.
    pub(super) fn since(&self) -> Timestamp {
        match self.seen() {
            Some(seen) => seen.since,
            None => state_since(&self.entry),
        }
    }

    pub(super) fn dns(&self) -> String {
        let word = |seen: &DomainStatus| seen.latest.dns.verdict.to_string();
        self.seen().map_or_else(|| "-".to_owned(), word)
    }

    /// The verdict, and for a certificate that browsers accept the time left.
    pub(super) fn ssl(&self, now: Timestamp) -> String {
        let Some(CheckResult { ssl, .. }) = self.seen().map(|seen| &seen.latest) else {
            return "-".to_owned();
        };
        match &ssl.certificate {
            Some(certificate) if ssl.verdict.is_good() => {
                let left = match certificate.days_left(now) {
                    0 => until(certificate.not_after, now),
                    days => format!("{days}d"),
                };
                format!("{} {left}", ssl.verdict)
            }
            _ => ssl.verdict.to_string(),
        }
    }

    pub(super) fn advice(&self, panel: Option<&str>, now: Timestamp) -> Option<Advice> {
        let CheckedDomain { name, facts, status, .. } = self.checked.as_ref()?;
        Some(advise(name, status.as_ref()?, facts, panel, now))
    }

    /// One or two words; Closte's errors are printed below the table.
    pub(super) fn word_of_advice(&self, now: Timestamp) -> &'static str {
        match (status(&self.entry), self.advice(None, now)) {
            (ClosteStatus::Refused | ClosteStatus::Failing, _) => "see below",
            (_, Some(advice)) => advice.short,
            _ => "",
        }
    }
}

/// A name's state at Closte, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub(super) enum ClosteStatus {
    Refused,
    Failing,
    Adding,
    Missing,
    Removing,
    Gone,
    Added,
    Covered,
    #[strum(serialize = "yes")]
    Current,
}

pub(super) fn status(entry: &Entry) -> ClosteStatus {
    match (&entry.progress, entry.undesired_since.is_some()) {
        (Progress::Refused { .. }, false) => ClosteStatus::Refused,
        (Progress::Failed(..), _) => ClosteStatus::Failing,
        (Progress::Accepted(_), true) => ClosteStatus::Gone,
        (_, true) if entry.present_since.is_some() => ClosteStatus::Removing,
        (_, true) => ClosteStatus::Gone,
        (_, false) if entry.is_missing() => ClosteStatus::Missing,
        (_, false) if entry.present_since.is_some() => ClosteStatus::Current,
        (Progress::Accepted(_), false) => ClosteStatus::Added,
        (_, false) if entry.covered_by.is_some() => ClosteStatus::Covered,
        (_, false) => ClosteStatus::Adding,
    }
}

impl ClosteStatus {
    pub(super) fn as_str(self) -> &'static str {
        self.into()
    }
}

/// When the name's state at Closte began.
pub(super) fn state_since(entry: &Entry) -> Timestamp {
    match &entry.progress {
        Progress::Refused { at, .. } => *at,
        _ => entry.undesired_since.or(entry.present_since).unwrap_or(entry.managed_since),
    }
}

pub(super) fn note(entry: &Entry, now: Timestamp) -> String {
    match (&entry.progress, status(entry)) {
        (Progress::Refused { error, .. }, ClosteStatus::Refused) => error.clone(),
        (Progress::Failed(attempt, error), _) => {
            format!("{error}; next attempt in {}", until(attempt.next, now))
        }
        _ => String::new(),
    }
}
