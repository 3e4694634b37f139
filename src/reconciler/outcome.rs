//! The outcome of a cycle as data, for all who depend on it.

use std::{path::Path, time::Duration};

use serde::Serialize;
use strum::IntoStaticStr;
use thiserror::Error;

use super::records::Records;
use crate::{
    closte::{self, ClosteError},
    events::Event,
    events::conditions::{Condition, Finding},
    plan::{Decision, Guard, Plan},
    state::StateError,
    wordpress::SourceError,
};

/// How soon the list is read again that shows whether Closte did what it accepted.
const LIST_AGAIN: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub struct CycleOutcome {
    pub found: Found,
    /// Why it did not do everything that there was to do.
    pub stopped_by: Option<CycleError>,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub enum Found {
    /// It was stopped before both ends were compared.
    Nothing,
    /// Nothing that it acts on has changed, so no call was made.
    Unchanged,
    /// Both ends were compared, or are as when the last comparison found them at rest.
    Compared(CycleReport),
}

/// Why a cycle was stopped. The next one does the rest.
#[derive(Debug, Error)]
pub enum CycleError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Closte(#[from] ClosteError),
    #[error(transparent)]
    State(#[from] StateError),
    /// A panic.
    #[error("a cycle was stopped by a fault of closte-sync itself ({0}); please report this")]
    Fault(String),
    /// The lead ended in the middle of the cycle.
    #[error("another daemon may lead now, so no more calls were made; the next cycle decides anew")]
    LeadLost,
    /// The daemon is draining.
    #[error("stopped before the cycle was done; the next one goes on from here")]
    Stopped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum CycleResult {
    Ok,
    #[strum(serialize = "wordpress_failed")]
    WordPressFailed,
    ClosteFailed,
    /// The state database failed, or the program has a fault.
    StateFailed,
    /// Neither a success nor a failure.
    Stopped,
}

impl CycleResult {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl From<CycleError> for CycleOutcome {
    fn from(error: CycleError) -> Self {
        Self { found: Found::Nothing, stopped_by: Some(error) }
    }
}

impl CycleOutcome {
    pub fn result(&self) -> CycleResult {
        match &self.stopped_by {
            None => CycleResult::Ok,
            Some(CycleError::Source(_)) => CycleResult::WordPressFailed,
            Some(CycleError::Closte(_)) => CycleResult::ClosteFailed,
            // A panic in a cycle is most likely in the work on the state.
            Some(CycleError::State(_) | CycleError::Fault(_)) => CycleResult::StateFailed,
            Some(CycleError::LeadLost | CycleError::Stopped) => CycleResult::Stopped,
        }
    }

    pub fn report(&self) -> Option<&CycleReport> {
        match &self.found {
            Found::Compared(report) => Some(report),
            Found::Nothing | Found::Unchanged => None,
        }
    }

    /// Why calls were left to the next cycle after both ends were compared.
    pub fn outage(&self) -> Option<&ClosteError> {
        match (&self.found, &self.stopped_by) {
            (Found::Compared(_), Some(CycleError::Closte(error))) => Some(error),
            _ => None,
        }
    }

    /// Whether an outage may go on: names wait after failed calls, and no call was made.
    pub fn shows_no_end_of_outage(&self) -> bool {
        self.stopped_by.is_none()
            && match &self.found {
                Found::Nothing | Found::Unchanged => true,
                Found::Compared(report) => report.tried == 0 && report.failed > 0,
            }
    }

    /// For how long Closte asks not to be called.
    pub fn retry_after(&self) -> Option<Duration> {
        match &self.stopped_by {
            Some(CycleError::Closte(error)) => error.retry_after(),
            _ => None,
        }
    }

    /// How soon the list must be read again to see what this cycle did.
    pub fn list_again_after(&self) -> Option<Duration> {
        let report = self.report().filter(|_| self.stopped_by.is_none())?;
        (report.added + report.removed + report.missing > 0).then_some(LIST_AGAIN)
    }

    /// The conditions that it raises and clears.
    pub fn findings(&self, state_file: &Path) -> Vec<Finding> {
        let mut findings = match &self.stopped_by {
            None => vec![Finding::Clear(Condition::WordPress), Finding::Clear(Condition::State)],
            Some(CycleError::Source(error)) => {
                let event = Event::SourceFailed { error: error.to_string(), for_s: 0 };
                vec![Finding::RaiseFor(error.reason(), Condition::WordPress, event)]
            }
            Some(CycleError::Closte(error)) => vec![
                Finding::Clear(Condition::WordPress),
                Finding::RaiseFor(error.into(), Condition::Closte, closte_event(error)),
            ],
            Some(CycleError::State(error)) if error.is_reported() => Vec::new(),
            Some(error @ (CycleError::State(_) | CycleError::Fault(_))) => {
                let file = state_file.display().to_string();
                let event = Event::StateFailed { file, error: error.to_string(), for_s: 0 };
                let reason = match error {
                    CycleError::State(error) => error.into(),
                    _ => "Fault",
                };
                vec![Finding::RaiseFor(reason, Condition::State, event)]
            }
            Some(CycleError::LeadLost | CycleError::Stopped) => Vec::new(),
        };
        if let Found::Compared(report) = &self.found {
            findings.push(match &self.stopped_by {
                None => Finding::Clear(Condition::Closte),
                // What was found and done is recorded, even if Closte failed.
                Some(_) => Finding::Clear(Condition::State),
            });
            findings.extend(report.findings());
        }
        findings
    }

    /// Whether no work is left for later cycles.
    pub fn is_settled(&self) -> bool {
        self.stopped_by.is_none() && self.report().is_none_or(CycleReport::is_settled)
    }
}

/// The figures of a cycle that compared both ends.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CycleReport {
    pub desired: usize,
    /// Desired names in Closte's list, as of its beginning.
    pub in_place: usize,
    /// Desired names that a wildcard at Closte serves.
    pub covered: usize,
    pub unmanaged: usize,
    pub added: usize,
    pub removed: usize,
    /// Calls that failed, or wait for another attempt.
    pub failed: usize,
    /// Names that were at Closte and are missing from this list: the next one decides.
    pub missing: usize,
    /// Accepted calls that the list does not show yet.
    pub unconfirmed: usize,
    pub refused: usize,
    /// Removals that a guard holds for now.
    pub held: usize,
    /// Rows that are no domain name.
    pub invalid: usize,
    /// Domain records that were written.
    pub records: usize,
    /// Domain records that wait for `sync.record_grace`.
    pub records_waiting: usize,
    /// Why nothing was added, removed or written, if another daemon leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standby: Option<String>,
    /// Why the domain record of `apply --create-record` was not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_refused: Option<String>,
    /// Removals that only a person can release.
    #[serde(skip)]
    pub mass_removal: Option<MassRemoval>,
    /// How many elements of Closte's list were not understood, and an example.
    #[serde(skip)]
    pub unparsed_elements: Option<(usize, String)>,
    /// Calls that were made.
    #[serde(skip)]
    pub tried: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MassRemoval {
    /// How many names would be removed.
    pub domains: usize,
    pub managed: usize,
    /// Whether they are held because the domain table has no row.
    pub empty_table: bool,
}

impl MassRemoval {
    pub fn reason(&self) -> &'static str {
        if self.empty_table {
            "the domain table is empty"
        } else {
            "more names would be removed than sync.max_removal_percent allows, or all"
        }
    }
}

pub(super) fn unparsed_elements(list: &closte::List) -> Option<(usize, String)> {
    (!list.is_complete()).then(|| (list.unparsed, list.example.clone().unwrap_or_default()))
}

fn closte_event(error: &ClosteError) -> Event {
    let (text, for_s) = (error.to_string(), 0);
    match error {
        ClosteError::KeyRejected(_) => Event::KeyRejected { error: text, for_s },
        _ => Event::ClosteFailed { error: text, for_s },
    }
}

impl CycleReport {
    /// The same with what was done about domain records.
    pub(super) fn with(self, records: Records) -> Self {
        let Records { written, waiting, refused } = records;
        Self { records: written, records_waiting: waiting, record_refused: refused, ..self }
    }

    /// Notes that another daemon acts: this one holds nothing back.
    pub(super) fn stand_by(&mut self, why: String) {
        self.standby = Some(why);
        (self.held, self.mass_removal) = (0, None);
    }

    fn findings(&self) -> Vec<Finding> {
        let list = match &self.unparsed_elements {
            Some((elements, example)) => {
                let (elements, example) = (*elements as u64, example.clone());
                let event = Event::ListIncomplete { elements, example, for_s: 0 };
                Finding::Raise(Condition::ClosteList, event)
            }
            None => Finding::Clear(Condition::ClosteList),
        };
        let removals = match &self.mass_removal {
            // The daemon that leads knows.
            _ if self.standby.is_some() => None,
            Some(mass_removal) => {
                let event = Event::RemovalsHeld {
                    domains: mass_removal.domains as u64,
                    managed: mass_removal.managed as u64,
                    reason: mass_removal.reason().to_owned(),
                    remedy: "if it is intended, run closte-sync apply --allow-removals".to_owned(),
                    for_s: 0,
                };
                Some(Finding::Raise(Condition::Removals, event))
            }
            None => Some(Finding::Clear(Condition::Removals)),
        };
        [list].into_iter().chain(removals).collect()
    }

    fn is_settled(&self) -> bool {
        self.failed + self.missing + self.unconfirmed + self.held + self.records_waiting == 0
            && self.record_refused.is_none()
            && self.standby.is_none()
            && self.unparsed_elements.is_none()
    }

    pub(super) fn of(plan: &Plan) -> Self {
        let mut report = Self { desired: plan.desired, in_place: plan.in_place, ..Self::default() };
        let mut empty_table = 0;
        for (_, decision) in &plan.decisions {
            match decision {
                Decision::Add(_) | Decision::Remove { .. } => {}
                Decision::Waiting { .. } => report.failed += 1,
                Decision::Missing => report.missing += 1,
                Decision::Unconfirmed { .. } => report.unconfirmed += 1,
                Decision::Covered { .. } => report.covered += 1,
                Decision::Refused { .. } => report.refused += 1,
                Decision::Unmanaged => report.unmanaged += 1,
                Decision::Held(guard) => {
                    report.held += usize::from(!guard.is_lasting());
                    empty_table += usize::from(*guard == Guard::EmptyTable);
                    if let Guard::TooMany { removals: domains, managed } = *guard {
                        let removal = MassRemoval { domains, managed, empty_table: false };
                        report.mass_removal = Some(removal);
                    }
                }
            }
        }
        if empty_table > 0 {
            let (domains, managed) = (empty_table, plan.managed);
            report.mass_removal = Some(MassRemoval { domains, managed, empty_table: true });
        }
        report
    }
}
