use std::{
    pin::pin,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, future::ready, stream};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{CycleError, CycleReport, Reconciler, Shutdown, events::Tally};
use crate::{
    back_off::BackOff,
    closte::ClosteError,
    domain::DomainName,
    events::{Event, EventBatch},
    ledger::{Entry, Ledger, REFUSAL_LASTS, later},
    names::NameMap,
    plan::{Decision, LedgerChange, Reason},
    state::{LedgerId, StateError},
};

/// After this many calls in a row that look like an outage, the rest is left to the next cycle.
const OUTAGE_AFTER: u32 = 5;
/// How many outcomes are recorded together at most.
const RECORD_TOGETHER: usize = 64;

impl Reconciler {
    /// Makes the plan's calls, additions first, and records the outcome of each. Returns why calls were
    /// left to the next cycle.
    pub(super) async fn carry_out(
        &self,
        ledger_id: LedgerId,
        decisions: Vec<(DomainName, Decision)>,
        ledger: &mut Ledger,
        report: &mut CycleReport,
        stop: &Shutdown,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<Option<CycleError>, StateError> {
        let calls = |verb: Verb| {
            let call = move |(name, decision): &(DomainName, Decision)| {
                (Verb::of(decision) == Some(verb)).then(|| Call {
                    verb,
                    name: name.clone(),
                    was_lost: *decision == Decision::Add(Reason::Lost),
                })
            };
            decisions.iter().filter_map(call).collect::<Vec<_>>()
        };
        let stages = [calls(Verb::Add), calls(Verb::Remove)];
        drop(decisions);
        let total = stages.iter().map(Vec::len).sum();
        let mut done = 0;
        let mut breaker = Breaker::new(stop);
        let lost = stages.iter().flatten().filter(|call| call.was_lost).count();
        let mut tally = Tally::new(lost);
        let mut unrecorded = Unrecorded::default();
        let mut failure = None;
        for stage in stages {
            let enough = breaker.enough.clone();
            let outcomes = stream::iter(stage)
                .take_until(enough.cancelled())
                .map(|call| self.call(call, stop))
                .buffer_unordered(self.rules.concurrency)
                .inspect(|outcome| breaker.count(outcome))
                .filter_map(ready)
                .ready_chunks(RECORD_TOGETHER);
            let mut outcomes = pin!(outcomes);
            while let Some(outcomes) = outcomes.next().await {
                done += outcomes.len();
                let now = self.clock.now();
                for outcome in outcomes {
                    let name = outcome.call.name.clone();
                    let Some(entry) = ledger.get_mut(&name) else { continue };
                    let back_off = &self.rules.policy.back_off;
                    if let Some(event) = outcome.note(entry, report, back_off, now) {
                        tally.add(event, outcome.call.was_lost, &mut unrecorded.batch);
                    }
                    let change =
                        LedgerChange { name, entry: Some(entry.clone()), transition: None };
                    unrecorded.changes.push(change);
                }
                if failure.is_none() {
                    failure = self.write(ledger_id, &mut unrecorded).await.err();
                }
                if failure.is_some() {
                    // The outcomes of calls in flight are awaited: they must not be lost.
                    enough.cancel();
                }
                progress(done, total);
            }
        }
        report.tried = done;
        unrecorded.batch.logged.extend(tally.summary());
        let written = self.write(ledger_id, &mut unrecorded).await;
        failure.map_or(written, Err).map(|()| breaker.stopped_by)
    }

    /// Records outcomes. Those that cannot be recorded are logged, and stay in `unrecorded`.
    async fn write(
        &self,
        ledger_id: LedgerId,
        unrecorded: &mut Unrecorded,
    ) -> Result<(), StateError> {
        let Unrecorded { changes, batch } = unrecorded;
        self.state.record(ledger_id, &NameMap::default(), changes, batch, self.clock.now()).await?;
        *unrecorded = Unrecorded::default();
        Ok(())
    }

    /// None if another daemon may lead: then no call is made. One that is given up is an unknown outcome: the
    /// next list shows whether Closte did it.
    async fn call(&self, call: Call, stop: &Shutdown) -> Option<CallOutcome> {
        if !self.may_act().await {
            return None;
        }
        let started = Instant::now();
        let answer = async {
            match call.verb {
                Verb::Add => self.closte.add(&call.name).await,
                Verb::Remove => self.closte.remove(&call.name).await,
            }
        };
        let result = stop.until_too_late(answer).await.unwrap_or(Err(ClosteError::OutcomeUnknown));
        Some(CallOutcome { call, result, took: started.elapsed() })
    }
}

#[derive(Default)]
struct Unrecorded {
    changes: Vec<LedgerChange>,
    batch: EventBatch,
}

/// Ends the calls of a cycle during an outage, or when another daemon may lead.
struct Breaker {
    /// Cancelled when no new call may begin.
    enough: CancellationToken,
    in_a_row: u32,
    /// Why it ended the calls.
    stopped_by: Option<CycleError>,
}

impl Breaker {
    fn new(stop: &Shutdown) -> Self {
        Self { enough: stop.draining().child_token(), in_a_row: 0, stopped_by: None }
    }

    fn count(&mut self, outcome: &Option<CallOutcome>) {
        let Some(CallOutcome { result, .. }) = outcome else {
            self.enough.cancel();
            self.stopped_by.get_or_insert(CycleError::LeadLost);
            return;
        };
        match result {
            Err(error) if error.looks_like_an_outage() => self.in_a_row += 1,
            _ => self.in_a_row = 0,
        }
        if let Err(error) = result
            && (matches!(error, ClosteError::RateLimited { .. }) || self.in_a_row >= OUTAGE_AFTER)
        {
            self.enough.cancel();
            self.stopped_by.get_or_insert_with(|| error.clone().into());
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Add,
    Remove,
}

impl Verb {
    fn of(decision: &Decision) -> Option<Self> {
        match decision {
            Decision::Add(_) => Some(Self::Add),
            Decision::Remove { .. } => Some(Self::Remove),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
        }
    }
}

#[derive(Debug)]
struct Call {
    verb: Verb,
    name: DomainName,
    /// It is added again, because Closte lost it.
    was_lost: bool,
}

#[derive(Debug)]
struct CallOutcome {
    call: Call,
    result: Result<(), ClosteError>,
    took: Duration,
}

impl CallOutcome {
    /// Notes it in the name's entry and the report.
    fn note(
        &self,
        entry: &mut Entry,
        report: &mut CycleReport,
        back_off: &BackOff,
        now: Timestamp,
    ) -> Option<Event> {
        let domain = self.call.name.clone();
        let blog_id = entry.origin.blog_id;
        let took_ms = self.took.as_millis().try_into().unwrap_or(u64::MAX);
        match (&self.result, self.call.verb) {
            (Ok(()), verb) => {
                entry.accept(back_off, now);
                let attempt = entry.attempts();
                Some(match verb {
                    Verb::Add => {
                        report.added += 1;
                        Event::Added { domain, blog_id, attempt, took_ms }
                    }
                    Verb::Remove => {
                        report.removed += 1;
                        Event::Removed { domain, blog_id, attempt, took_ms }
                    }
                })
            }
            (Err(ClosteError::NameRefused(error)), Verb::Add) => {
                report.refused += 1;
                entry.refuse(error.clone(), now);
                let asked_again = later(now, REFUSAL_LASTS.unsigned_abs());
                Some(Event::Refused { domain, blog_id, error: error.clone(), asked_again })
            }
            // As after a crash: the entry stays as it was before the call.
            (Err(ClosteError::OutcomeUnknown), verb) => {
                let remedy = "Closte's next list shows whether it was done".to_owned();
                Some(Event::OutcomeUnknown { domain, blog_id, call: verb.as_str(), remedy })
            }
            // It does not concern this name, and is reported once for all of them.
            (Err(ClosteError::RateLimited { .. }), _) => None,
            (Err(error), verb) => {
                report.failed += 1;
                let error = error.to_string();
                entry.fail(error.clone(), back_off, now);
                let attempt = entry.attempts();
                let next_attempt = later(now, back_off.after(attempt));
                Some(match verb {
                    Verb::Add => Event::AddFailed { domain, blog_id, attempt, error, next_attempt },
                    Verb::Remove => {
                        Event::RemoveFailed { domain, blog_id, attempt, error, next_attempt }
                    }
                })
            }
        }
    }
}
