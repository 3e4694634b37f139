//! What a cycle came to, as data: everybody else only reads it.

use std::{path::Path, time::Duration};

use serde::Serialize;
use strum::IntoStaticStr;
use thiserror::Error;

use crate::{
    closte::{self, ClosteError},
    events::Event,
    events::conditions::{Condition, Finding},
    plan::{Decision, Guard, Plan},
    state::StateError,
    wordpress::SourceError,
};

/// The next list shows whether Closte did what it said, and is asked for after this long.
const LIST_AGAIN: Duration = Duration::from_secs(3);

/// What a cycle came to.
#[derive(Debug)]
pub struct CycleOutcome {
    /// What it found and did.
    pub found: Found,
    /// Why it did not do all that there was to do.
    pub stopped_by: Option<CycleError>,
}

/// What a cycle found and did.
#[derive(Debug)]
pub enum Found {
    /// It was broken off before both ends were compared.
    Nothing,
    /// What it acts upon is as it was, so nothing was asked of Closte.
    Unchanged,
    /// Both ends were compared.
    Compared(CycleReport),
}

/// Why a cycle was broken off. Nothing is lost by it: the next one starts from what is there.
#[derive(Debug, Error)]
pub enum CycleError {
    /// The network could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Closte could not be asked.
    #[error(transparent)]
    Closte(#[from] ClosteError),
    /// The state could not be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// A fault of this program.
    #[error("a cycle was broken off by a fault of closte-sync itself ({0}); please report this")]
    Fault(String),
    /// The daemon was told to stop.
    #[error("stopped before the cycle was done; the next one goes on from here")]
    Stopped,
}

/// How a cycle went, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum CycleResult {
    /// All that could be done was done.
    Ok,
    /// The network could not be read.
    #[strum(serialize = "wordpress_failed")]
    WordPressFailed,
    /// Closte could not be asked for all that there was to ask.
    ClosteFailed,
    /// The state database could not be read or written, or the program has a fault.
    StateFailed,
    /// It was told to stop, which says nothing.
    Stopped,
}

impl CycleResult {
    /// The word for it.
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
    /// How it went, in a word.
    pub fn result(&self) -> CycleResult {
        match &self.stopped_by {
            None => CycleResult::Ok,
            Some(CycleError::Source(_)) => CycleResult::WordPressFailed,
            Some(CycleError::Closte(_)) => CycleResult::ClosteFailed,
            // Whatever panics in a cycle but the reading of the network, works on the state.
            Some(CycleError::State(_) | CycleError::Fault(_)) => CycleResult::StateFailed,
            Some(CycleError::Stopped) => CycleResult::Stopped,
        }
    }

    /// What it found and did, where it compared both ends.
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

    /// Whether it cannot show that an outage is over: names still wait, and none was asked for again.
    pub fn shows_no_end_of_outage(&self) -> bool {
        self.stopped_by.is_none()
            && match &self.found {
                Found::Nothing | Found::Unchanged => true,
                Found::Compared(report) => report.tried == 0 && report.failed > 0,
            }
    }

    /// How long Closte asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match &self.stopped_by {
            Some(CycleError::Closte(error)) => error.retry_after(),
            _ => None,
        }
    }

    /// How soon Closte's list has something to show that this cycle waits for.
    pub fn list_again_after(&self) -> Option<Duration> {
        let report = self.report().filter(|_| self.stopped_by.is_none())?;
        (report.added + report.removed + report.missing > 0).then_some(LIST_AGAIN)
    }

    /// What it found of the conditions that cycles can be in, with this state database. Of the others it
    /// knows nothing.
    pub fn findings(&self, state_file: &Path) -> Vec<Finding> {
        let mut findings = match &self.stopped_by {
            None => vec![Finding::Clear(Condition::WordPress), Finding::Clear(Condition::State)],
            Some(CycleError::Source(error)) => {
                let event = Event::SourceFailed { error: error.to_string(), for_s: 0 };
                vec![Finding::Raise(Condition::WordPress, event)]
            }
            Some(CycleError::Closte(error)) => vec![
                Finding::Clear(Condition::WordPress),
                Finding::Raise(Condition::Closte, closte_event(error)),
            ],
            Some(CycleError::State(error)) if error.is_told() => Vec::new(),
            Some(error @ (CycleError::State(_) | CycleError::Fault(_))) => {
                let file = state_file.display().to_string();
                let event = Event::StateFailed { file, error: error.to_string(), for_s: 0 };
                vec![Finding::Raise(Condition::State, event)]
            }
            Some(CycleError::Stopped) => Vec::new(),
        };
        if let Found::Compared(report) = &self.found {
            findings.push(match &self.stopped_by {
                None => Finding::Clear(Condition::Closte),
                // What was found and done is written down, even where Closte failed.
                Some(_) => Finding::Clear(Condition::State),
            });
            findings.extend(report.findings());
        }
        findings
    }

    /// Whether both ends agree as far as they ever will.
    pub fn is_settled(&self) -> bool {
        self.stopped_by.is_none() && self.report().is_none_or(CycleReport::is_settled)
    }
}

/// What a cycle that compared both ends found and did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CycleReport {
    /// How many names are desired.
    pub desired: usize,
    /// How many of them are at Closte under their own name, as of its list.
    pub in_place: usize,
    /// How many a wildcard at Closte serves.
    pub covered: usize,
    /// How many names at Closte are not ours.
    pub unmanaged: usize,
    /// How many names were added.
    pub added: usize,
    /// How many names were removed.
    pub removed: usize,
    /// How many calls failed, or wait for another attempt.
    pub failed: usize,
    /// How many names were at Closte, and are missing from this list: the next one decides.
    pub missing: usize,
    /// How many calls Closte said yes to, and its list does not show it yet.
    pub unconfirmed: usize,
    /// How many names Closte will not take.
    pub refused: usize,
    /// How many removals a guard stopped that will not stop them for good.
    pub held: usize,
    /// How many rows are no domain name.
    pub invalid: usize,
    /// How many domain records were written.
    pub records: usize,
    /// How many are written when `sync.record_grace` is over.
    pub records_waiting: usize,
    /// Why the domain record that was asked for was not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_refused: Option<String>,
    /// Removals that only a person can let through.
    #[serde(skip)]
    pub mass_removal: Option<MassRemoval>,
    /// How many elements of Closte's list were not understood, with an example.
    #[serde(skip)]
    pub unparsed_elements: Option<(usize, String)>,
    /// How many names were asked to be added or removed, with whatever success.
    #[serde(skip)]
    pub tried: usize,
}

/// Removals that a cycle held because they would surprise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MassRemoval {
    /// How many names would go.
    pub domains: usize,
    /// How many are managed.
    pub managed: usize,
    /// Whether the reason is that the domain table has no row at all.
    pub empty_table: bool,
}

impl MassRemoval {
    /// Why the removals are held, in words.
    pub fn reason(&self) -> &'static str {
        if self.empty_table {
            "the domain table is empty"
        } else {
            "more would go at once than sync.max_removal_percent allows, or all"
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
    fn findings(&self) -> [Finding; 2] {
        let list = match &self.unparsed_elements {
            Some((elements, example)) => {
                let (elements, example) = (*elements as u64, example.clone());
                let event = Event::ListIncomplete { elements, example, for_s: 0 };
                Finding::Raise(Condition::ClosteList, event)
            }
            None => Finding::Clear(Condition::ClosteList),
        };
        let removals = match &self.mass_removal {
            Some(mass_removal) => {
                let event = Event::RemovalsHeld {
                    domains: mass_removal.domains as u64,
                    managed: mass_removal.managed as u64,
                    reason: mass_removal.reason().to_owned(),
                    remedy: "if it is meant: closte-sync apply --allow-removals".to_owned(),
                    for_s: 0,
                };
                Finding::Raise(Condition::Removals, event)
            }
            None => Finding::Clear(Condition::Removals),
        };
        [list, removals]
    }

    fn is_settled(&self) -> bool {
        self.failed + self.missing + self.unconfirmed + self.held + self.records_waiting == 0
            && self.record_refused.is_none()
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
                Decision::Held(guard) if guard.is_lasting() => {}
                Decision::Held(guard) => {
                    report.held += 1;
                    match guard {
                        Guard::EmptyTable => empty_table += 1,
                        Guard::TooMany { removals, managed } => {
                            report.mass_removal = Some(MassRemoval {
                                domains: *removals,
                                managed: *managed,
                                empty_table: false,
                            });
                        }
                        _ => {}
                    }
                }
            }
        }
        if empty_table > 0 {
            report.mass_removal = Some(MassRemoval {
                domains: empty_table,
                managed: plan.managed,
                empty_table: true,
            });
        }
        report
    }
}
