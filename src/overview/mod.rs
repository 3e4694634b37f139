//! A managed name as people see it: in the commands and on the status page.

pub mod facts;
pub mod history;
pub mod road;

use jiff::Timestamp;
use strum::IntoStaticStr;

use crate::{
    checks::{Advice, advise, not_served},
    domain::DomainName,
    ledger::{Entry, Progress},
    span::span_between,
    state::CheckedDomain,
    status::{CheckResult, DomainStatus, Severity},
};

/// A managed name and its last check.
#[derive(Debug, Clone, PartialEq)]
pub struct DomainRow {
    pub name: DomainName,
    pub entry: Entry,
    /// None for a name that is no longer desired.
    pub checked: Option<CheckedDomain>,
}

impl DomainRow {
    pub fn seen(&self) -> Option<&DomainStatus> {
        self.checked.as_ref()?.status.as_ref()
    }

    pub fn severity(&self) -> Severity {
        match (closte_status(&self.entry), self.seen()) {
            (ClosteStatus::Refused | ClosteStatus::Failing, _) => Severity::Bad,
            (ClosteStatus::Gone, _) => Severity::Gone,
            (_, Some(seen)) if !seen.latest.works() => Severity::Bad,
            (ClosteStatus::Adding | ClosteStatus::Missing | ClosteStatus::Removing, _) => {
                Severity::Fair
            }
            (_, Some(seen)) => seen.latest.severity(),
            _ => Severity::Good,
        }
    }

    /// When it began to work or to fail; for one that was never checked, when its state at Closte began.
    pub fn since(&self) -> Timestamp {
        match self.seen() {
            Some(seen) => seen.since,
            None => state_since(&self.entry),
        }
    }

    pub fn dns(&self) -> String {
        let word = |seen: &DomainStatus| seen.latest.dns.verdict.to_string();
        self.seen().map_or_else(|| "-".to_owned(), word)
    }

    /// The verdict, and for a certificate that browsers accept the time left.
    pub fn ssl(&self, now: Timestamp) -> String {
        let Some(CheckResult { ssl, .. }) = self.seen().map(|seen| &seen.latest) else {
            return "-".to_owned();
        };
        match &ssl.certificate {
            Some(certificate) if ssl.verdict.is_good() => {
                let left = match certificate.days_left(now) {
                    0 => span_between(now, certificate.not_after),
                    days => format!("{days}d"),
                };
                format!("{} {left}", ssl.verdict)
            }
            _ => ssl.verdict.to_string(),
        }
    }

    pub fn site(&self) -> &'static str {
        let site = self.seen().and_then(|seen| seen.latest.site.as_ref());
        site.map_or("-", |site| site.verdict.as_str())
    }

    /// The stage in the plugin's table, by the last read.
    pub fn plugin_stage(&self) -> &'static str {
        let stage = self.entry.origin.state.and_then(|state| state.stage);
        stage.map_or("-", |stage| stage.as_str())
    }

    /// What somebody should do or know about it, in one sentence; none where all is well.
    pub fn to_do(&self, panel: Option<&str>, now: Timestamp) -> Option<String> {
        let note = note(&self.entry, now);
        if !note.is_empty() {
            return Some(note);
        }
        let (seen, advice) = (self.seen()?, self.advice(panel, now)?);
        let not_served = self.entry.origin.state.and_then(not_served);
        match not_served.filter(|_| seen.latest.works()) {
            Some(why) => Some(why),
            None if self.severity() == Severity::Good => None,
            None => Some(advice.owner),
        }
    }

    pub fn advice(&self, panel: Option<&str>, now: Timestamp) -> Option<Advice> {
        let CheckedDomain { name, facts, status, .. } = self.checked.as_ref()?;
        Some(advise(name, status.as_ref()?, facts, panel, now))
    }

    /// One or two words; Closte's errors are printed below the table.
    pub fn word_of_advice(&self, now: Timestamp) -> &'static str {
        match (closte_status(&self.entry), self.advice(None, now)) {
            (ClosteStatus::Refused | ClosteStatus::Failing, _) => "see below",
            (_, Some(advice)) => advice.short,
            _ => "",
        }
    }
}

/// A name's state at Closte, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum ClosteStatus {
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

pub fn closte_status(entry: &Entry) -> ClosteStatus {
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
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// When the name's state at Closte began.
pub fn state_since(entry: &Entry) -> Timestamp {
    match &entry.progress {
        Progress::Refused { at, .. } => *at,
        _ => entry.undesired_since.or(entry.present_since).unwrap_or(entry.managed_since),
    }
}

pub fn note(entry: &Entry, now: Timestamp) -> String {
    match (&entry.progress, closte_status(entry)) {
        (Progress::Refused { error, .. }, ClosteStatus::Refused) => error.clone(),
        (Progress::Failed(attempt, error), _) => {
            format!("{error}; next attempt in {}", span_between(now, attempt.next))
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
