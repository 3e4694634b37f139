//! One stage: its note, the call and the note of how that ended.

use std::time::Duration;

use super::{NetworkFacts, NoStage, StageDecision};
use crate::{
    back_off::BackOff,
    events::{Event, EventBatch},
    ledger::later,
    reconciler::{Reconciler, Shutdown},
    state::{LedgerId, StageCandidate, StageNote, StateError},
    status::Stage,
    wordpress::{RestClient, RestError, RowFacts, SourceError, StageMethod},
};

/// The wait after a failure that concerns one row.
const AFTER_ROW_FAILURE: BackOff =
    BackOff { first: Duration::from_secs(5 * 60), longest: Duration::from_secs(24 * 60 * 60) };

/// What the rows of a cycle have in common.
pub(super) struct Round<'a> {
    pub(super) network: &'a NetworkFacts,
    pub(super) ledger: LedgerId,
    pub(super) method: StageMethod,
}

/// Why the call for one row had no effect, or none that is known.
pub(super) enum Failure {
    /// It concerns all rows.
    OfAll { error: String, is_undetermined: bool },
    /// It concerns this row.
    OfRow { error: String },
    /// The row has changed since it was read: the next cycle decides.
    Changed,
    /// The plugin answers that it has written the row, and the database does not show that.
    Unseen,
    /// The daemon ends.
    GivenUp,
}

impl Reconciler {
    /// Writes one stage. It is recorded before the call that it begins, so that a process that ends in
    /// between writes nothing twice.
    pub(super) async fn write_stage(
        &self,
        round: &Round<'_>,
        candidate: &StageCandidate,
        row: &RowFacts,
        is_again: bool,
        stop: &Shutdown,
    ) -> Result<Result<(), Failure>, StateError> {
        let Some(stage) = row.stage else { return Ok(Err(Failure::Changed)) };
        let Round { network, ledger, ref method } = *round;
        let now = self.clock.now();
        let before = candidate.note.as_ref();
        // A retry after a lost race is one retry only, until the domain was broken.
        let is_same_run =
            before.is_some_and(|note| candidate.good.times_broken <= note.times_broken);
        let was_retry = is_same_run && before.is_some_and(|note| note.is_retry);
        let note = StageNote {
            stage,
            at: now,
            is_sure: false,
            is_retry: is_again || was_retry,
            modified: row.modified,
            last_ended: row.last_ended,
            times_broken: candidate.good.times_broken,
            failures: before.map_or(0, |note| note.failures),
            next_attempt: None,
            is_taken_back: false,
        };
        let nothing = EventBatch::default();
        self.state.note_stage(ledger, candidate, Some(&note), false, &nothing, now).await?;
        let by = match method {
            StageMethod::Rest(_) => "rest",
            StageMethod::Database => "database",
        };
        let call = self.call_for_stage(network, method, row);
        let result = stop.until_too_late(call).await.unwrap_or(Err(Failure::GivenUp));
        match &result {
            Ok(()) => self.note_written(ledger, candidate, &note, Some(by)).await?,
            Err(Failure::Changed | Failure::OfAll { is_undetermined: false, .. }) => {
                self.forget(ledger, candidate, before).await?;
            }
            Err(Failure::OfRow { error }) => {
                self.note_row_failure(ledger, candidate, note, error).await?;
            }
            // The next cycles read the row, which shows whether it was written.
            Err(
                Failure::OfAll { is_undetermined: true, .. } | Failure::Unseen | Failure::GivenUp,
            ) => {}
        }
        Ok(result)
    }

    async fn call_for_stage(
        &self,
        network: &NetworkFacts,
        method: &StageMethod,
        row: &RowFacts,
    ) -> Result<(), Failure> {
        match method {
            StageMethod::Database => match self.source.write_done(row).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(Failure::Changed),
                Err(error) => {
                    let is_undetermined = !matches!(
                        error,
                        SourceError::UpdateDenied { .. } | SourceError::StageReadOnly { .. }
                    );
                    Err(Failure::OfAll { error: error.to_string(), is_undetermined })
                }
            },
            StageMethod::Rest(keys) => {
                let access = &self.rules.stages.access;
                let NetworkFacts { domain, path, .. } = network;
                let written = match RestClient::new(domain, path, keys.clone(), access) {
                    Ok(client) => client.write_done(row.row_id).await,
                    Err(error) => Err(error),
                };
                let error = match written {
                    // It may be the API of a copy, and the database may be a replica.
                    Ok(()) if self.is_done(network, row).await => return Ok(()),
                    Ok(()) => return Err(Failure::Unseen),
                    Err(error) => error,
                };
                // The same answer comes for a row that is done already.
                if matches!(error, RestError::NotSaved(_)) && self.is_done(network, row).await {
                    return Err(Failure::Changed);
                }
                let (text, is_undetermined) = (error.to_string(), error.is_undetermined());
                Err(match error.is_of_all_rows() {
                    true => Failure::OfAll { error: text, is_undetermined },
                    false => Failure::OfRow { error: text },
                })
            }
        }
    }

    async fn is_done(&self, network: &NetworkFacts, row: &RowFacts) -> bool {
        let rows = self.source.row_facts(network.id, &[row.row_id]).await.unwrap_or_default();
        rows.iter().any(|row| row.stage == Some(Stage::Done))
    }

    /// Records that a stage is written. The name is checked again at once.
    pub(super) async fn note_written(
        &self,
        ledger: LedgerId,
        candidate: &StageCandidate,
        note: &StageNote,
        by: Option<&'static str>,
    ) -> Result<(), StateError> {
        let note = StageNote { is_sure: true, failures: 0, next_attempt: None, ..note.clone() };
        let batch = EventBatch::of([Event::StageWritten {
            domain: candidate.name.clone(),
            blog_id: candidate.blog_id,
            before: note.stage,
            by,
        }]);
        let now = self.clock.now();
        self.state.note_stage(ledger, candidate, Some(&note), true, &batch, now).await
    }

    /// Records that the call had no effect: what was known before it holds again.
    pub(super) async fn forget(
        &self,
        ledger: LedgerId,
        candidate: &StageCandidate,
        before: Option<&StageNote>,
    ) -> Result<(), StateError> {
        let (nothing, now) = (EventBatch::default(), self.clock.now());
        self.state.note_stage(ledger, candidate, before, false, &nothing, now).await
    }

    async fn note_row_failure(
        &self,
        ledger: LedgerId,
        candidate: &StageCandidate,
        note: StageNote,
        error: &str,
    ) -> Result<(), StateError> {
        let now = self.clock.now();
        let failures = note.failures.saturating_add(1);
        let next_attempt = Some(later(now, AFTER_ROW_FAILURE.after(failures)));
        // Reported once.
        let event = (failures == 1).then(|| not_written(candidate, note.stage, error.to_owned()));
        let note = StageNote { failures, next_attempt, ..note };
        let batch = EventBatch::of(event);
        self.state.note_stage(ledger, candidate, Some(&note), false, &batch, now).await
    }

    /// Records, and reports once, that somebody put a row back.
    pub(super) async fn note_taken_back(
        &self,
        ledger: LedgerId,
        candidate: &StageCandidate,
        row: &RowFacts,
    ) -> Result<(), StateError> {
        let (Some(note), Some(stage)) = (&candidate.note, row.stage) else { return Ok(()) };
        let now = self.clock.now();
        let reason = StageDecision::Never(NoStage::TakenBack).reason(now);
        let event = not_written(candidate, stage, reason);
        let note = StageNote { is_sure: true, is_taken_back: true, ..note.clone() };
        let batch = EventBatch::of([event]);
        self.state.note_stage(ledger, candidate, Some(&note), false, &batch, now).await
    }
}

fn not_written(candidate: &StageCandidate, stage: Stage, reason: String) -> Event {
    let (domain, blog_id) = (candidate.name.clone(), candidate.blog_id);
    Event::StageNotWritten { domain, blog_id, stage, reason }
}
