//! Writes the stage `done` for domains that work, so that WordPress serves them.
//!
//! The plugin gives up after a few checks, and never checks a row that came by SQL. One row is written at
//! a time, because each save by the plugin's API flushes WordPress's whole object cache.

mod decide;
mod put_back;
mod write;

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;

use decide::{Circumstances, GOOD_CHECKS, decide};
pub use decide::{NoStage, StageDecision, StageWait};
pub(super) use put_back::put_back;
use write::{Failure, Round};

use super::{Reconciler, Rules, Shutdown};
use crate::{
    back_off::BackOff,
    domain::DomainName,
    events::{
        Event, EventBatch,
        conditions::{Condition, Conditions, Finding},
    },
    state::{LedgerId, StageCandidate, StageSearch, State, StateError},
    status::Stage,
    wordpress::{
        ContentFolder, Network, NoStageMethod, PluginSettings, RowFacts, SiteAccess, Source,
        SourceError, StageMethod, WriteStage,
    },
};

/// The most names that are decided about together.
const MOST: u32 = 50;
/// How many names one cycle searches for such: with 100,000 domains on their method, all take 0.2 s.
const SEARCHED: u32 = 2_000;
/// The time between two rows by the plugin's API, which is six a minute: each save flushes the object
/// cache, and the pages that visitors ask for meanwhile are made anew.
const PAUSE: Duration = Duration::from_secs(10);
/// How many rows one cycle writes by SQL, which flushes nothing.
const MOST_BY_SQL: usize = 20;
/// The wait after a failure that concerns all rows.
const AFTER_FAILURE: BackOff =
    BackOff { first: Duration::from_secs(60), longest: Duration::from_secs(10 * 60) };
const CRON_DOES_NOT_RUN: &str = "the plugin's own checks of these domains have been due for over an hour, so WordPress's cron does \
     not run; let it run (a cron job that calls wp-cron.php every minute), as no stage is written before \
     they have run";
/// The limits that the plugin has for its check interval, and the one that it has until one is saved.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(10);
const LONGEST_INTERVAL: Duration = Duration::from_secs(300);
/// How many names an event has as examples.
const EXAMPLES: usize = 3;

/// The settings that writing stages depends on.
#[derive(Debug, Clone)]
pub struct StageRules {
    pub write_stage: WriteStage,
    pub access: SiteAccess,
    pub content: ContentFolder,
}

/// What the reads of the network say that matters for stages.
#[derive(Debug, Clone)]
pub(super) struct NetworkFacts {
    id: i64,
    domain: String,
    path: String,
    plugin: Result<PluginSettings, String>,
}

/// What is remembered from cycle to cycle.
#[derive(Debug, Default)]
pub(super) struct StageMemory {
    /// Of the last read.
    network: Option<NetworkFacts>,
    /// The last name that was searched; the next cycle continues after it.
    cursor: Option<DomainName>,
    /// When rows are read again, in time since the machine booted.
    next: Duration,
    /// Failures in a row that concern all rows.
    failures: u32,
    pub(super) conditions: Conditions,
}

/// A stage that a cycle would write, or why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagePreview {
    pub domain: DomainName,
    pub stage: Option<Stage>,
    pub decision: StageDecision,
}

impl From<&Network> for NetworkFacts {
    fn from(network: &Network) -> Self {
        Self {
            id: network.id,
            domain: network.domain.clone(),
            path: network.path.clone(),
            plugin: network.plugin.clone(),
        }
    }
}

impl NetworkFacts {
    /// The time between two of the plugin's own checks.
    fn plugin_interval(&self) -> Duration {
        let interval = self.plugin.as_ref().ok().and_then(|plugin| plugin.dns_check_interval);
        interval.unwrap_or(LONGEST_INTERVAL).clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL)
    }
}

impl Rules {
    fn stage_method(&self, network: &NetworkFacts) -> Result<StageMethod, NoStageMethod> {
        let StageRules { write_stage, content, .. } = &self.stages;
        write_stage.method(&network.plugin, || content.object_cache())
    }
}

/// A candidate, its row, if it is there, and the decision.
type Decided = (StageCandidate, Option<RowFacts>, StageDecision);

/// Decides about candidates, whose rows are read now.
async fn decide_all(
    source: &Source,
    network: &NetworkFacts,
    candidates: Vec<StageCandidate>,
    state: &State,
    now: Timestamp,
) -> Result<Result<Vec<Decided>, SourceError>, StateError> {
    let rows: Vec<i64> = candidates.iter().map(|candidate| candidate.row_id).collect();
    let facts = match source.row_facts(network.id, &rows).await {
        Ok(facts) => facts,
        Err(error) => return Ok(Err(error)),
    };
    let mut facts: HashMap<i64, RowFacts> =
        facts.into_iter().map(|row| (row.row_id, row)).collect();
    let doubt = state.checks_doubt(now).await?;
    let decide_one = |candidate: StageCandidate| {
        let row = facts.remove(&candidate.row_id);
        let decision = decide(&Circumstances {
            name: &candidate.name,
            row: row.as_ref(),
            is_at_closte: candidate.is_at_closte,
            good: candidate.good,
            note: candidate.note.as_ref(),
            doubt,
            plugin_interval: network.plugin_interval(),
            now,
        });
        (candidate, row, decision)
    };
    Ok(Ok(candidates.into_iter().map(decide_one).collect()))
}

/// What a cycle would do about stages, and why it could write none. It changes nothing.
pub(super) async fn preview(
    source: &Source,
    network: &Network,
    state: &State,
    ledger: LedgerId,
    rules: &Rules,
    now: Timestamp,
) -> Result<(Vec<StagePreview>, Option<String>), StateError> {
    if rules.stages.write_stage == WriteStage::Off {
        return Ok((Vec::new(), None));
    }
    let network = NetworkFacts::from(network);
    let window = StageSearch { names: u32::MAX, most: MOST };
    let (found, _) = state.stage_candidates(ledger, GOOD_CHECKS, None, window, true, now).await?;
    if found.is_empty() {
        return Ok((Vec::new(), None));
    }
    let decided = match decide_all(source, &network, found, state, now).await? {
        Ok(decided) => decided,
        Err(error) => return Ok((Vec::new(), Some(error.to_string()))),
    };
    let is_to_write = decided.iter().any(|(.., decision)| decision.is_to_write());
    let refused = match rules.stage_method(&network) {
        Ok(StageMethod::Database) if is_to_write => {
            source.check_update().await.err().map(|error| error.to_string())
        }
        Ok(_) => None,
        Err(why) => Some(why.to_string()),
    };
    let preview = |(candidate, row, decision): Decided| StagePreview {
        domain: candidate.name,
        stage: row.and_then(|row| row.stage),
        decision,
    };
    let is_of_interest = |one: &StagePreview| one.decision.concerns_a_person();
    Ok((decided.into_iter().map(preview).filter(is_of_interest).collect(), refused))
}

/// Why the stages of a cycle were not written.
enum StageError {
    State(StateError),
    /// `wait` is whether nothing is tried again for a while.
    Failed {
        examples: Vec<DomainName>,
        error: String,
        wait: bool,
    },
}

impl From<StateError> for StageError {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

impl Reconciler {
    /// Notes a network that was just read. Other settings of the plugin end the wait after a failure.
    pub(super) fn note_network(&mut self, network: &Network) {
        if self.rules.stages.write_stage == WriteStage::Off {
            return;
        }
        let known = self.stages.network.replace(network.into());
        if known.is_some_and(|known| known.plugin != network.plugin) {
            self.stages.next = Duration::ZERO;
        }
    }

    /// Writes the stages of domains that work. A failure is reported, and fails nothing else.
    pub(super) async fn write_stages(
        &mut self,
        stop: &Shutdown,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<(), StateError> {
        let ledger = self.ledger.as_ref().map(|known| known.id);
        let (Some(network), Some(ledger)) = (self.stages.network.clone(), ledger) else {
            return Ok(());
        };
        if self.mandate.is_none() || self.clock.machine_runs_for() < self.stages.next {
            return Ok(());
        }
        let now = self.clock.now();
        let unsure = self.state.unsure_stages(ledger, MOST).await?;
        let after = self.stages.cursor.take();
        let window = StageSearch { names: SEARCHED, most: MOST };
        let (found, next) = self
            .state
            .stage_candidates(ledger, GOOD_CHECKS, after.as_ref(), window, false, now)
            .await?;
        let is_all = after.is_none() && next.is_none();
        self.stages.cursor = next;
        if !(unsure.is_empty() && found.is_empty()) {
            self.stages.next = self.clock.machine_runs_for() + PAUSE;
        }
        self.end_unsure_stages(&network, ledger, unsure, now).await?;
        if found.is_empty() {
            return if is_all { self.clear_stages().await } else { Ok(()) };
        }
        match self.write_stages_of(&network, ledger, found, stop, progress, now).await {
            Ok(true) => self.clear_stages().await,
            Ok(false) => Ok(()),
            Err(StageError::State(error)) => Err(error),
            Err(StageError::Failed { examples, error, wait }) => {
                let memory = &mut self.stages;
                if wait {
                    memory.failures = memory.failures.saturating_add(1);
                    let wait = AFTER_FAILURE.after(memory.failures);
                    memory.next = self.clock.machine_runs_for() + wait;
                }
                let event = Event::StagesFailed { examples, error, for_s: 0 };
                self.note_stages(Finding::Raise(Condition::Stages, event)).await
            }
        }
    }

    /// Returns whether any stage was written.
    async fn write_stages_of(
        &mut self,
        network: &NetworkFacts,
        ledger: LedgerId,
        found: Vec<StageCandidate>,
        stop: &Shutdown,
        progress: &(dyn Fn(usize, usize) + Sync),
        now: Timestamp,
    ) -> Result<bool, StageError> {
        let names = found.iter().map(|candidate| candidate.name.clone());
        let examples: Vec<DomainName> = names.take(EXAMPLES).collect();
        let failed = |error: String, wait| StageError::Failed { examples, error, wait };
        let method = match self.rules.stage_method(network) {
            Ok(method) => method,
            Err(why) => return Err(failed(why.to_string(), false)),
        };
        let decided = match decide_all(&self.source, network, found, &self.state, now).await? {
            Ok(decided) => decided,
            Err(error) => return Err(failed(error.to_string(), true)),
        };
        let round = Round { network, ledger, method };
        let most = match round.method {
            StageMethod::Rest(_) => 1,
            StageMethod::Database => MOST_BY_SQL,
        };
        let is_overdue = decided.iter().any(|(.., decision)| decision.is_overdue());
        let (mut tried, mut written) = (0, false);
        for (candidate, row, decision) in decided {
            if stop.draining().is_cancelled() {
                break;
            }
            let Some(row) = row else { continue };
            if decision == StageDecision::Never(NoStage::TakenBack) {
                self.note_taken_back(ledger, &candidate, &row).await?;
            }
            if !decision.is_to_write() {
                continue;
            }
            if !self.may_act().await {
                break;
            }
            let is_again = decision == StageDecision::WriteAgain;
            let result = self.write_stage(&round, &candidate, &row, is_again, stop).await?;
            progress(0, 0);
            match result {
                Ok(()) => written = true,
                Err(Failure::OfRow { .. } | Failure::Changed | Failure::Unseen) => {}
                Err(Failure::GivenUp) => break,
                Err(Failure::OfAll { error, .. }) => return Err(failed(error, true)),
            }
            tried += 1;
            if tried == most {
                break;
            }
        }
        if written && most > 1 {
            // Others may be left, and this method costs WordPress nothing.
            self.stages.next = Duration::ZERO;
        }
        if is_overdue && !written {
            return Err(failed(CRON_DOES_NOT_RUN.to_owned(), false));
        }
        Ok(written)
    }

    /// Records the outcome of writes that were begun, as by a process that ended before it could.
    async fn end_unsure_stages(
        &self,
        network: &NetworkFacts,
        ledger: LedgerId,
        unsure: Vec<StageCandidate>,
        now: Timestamp,
    ) -> Result<(), StateError> {
        if unsure.is_empty() {
            return Ok(());
        }
        let decided = match decide_all(&self.source, network, unsure, &self.state, now).await? {
            Ok(decided) => decided,
            Err(error) => {
                tracing::debug!(%error, "rows whose stage may be written were not read");
                return Ok(());
            }
        };
        for (candidate, _, decision) in decided {
            match (decision, &candidate.note) {
                (StageDecision::IsWritten, Some(note)) => {
                    self.note_written(ledger, &candidate, note, None).await?;
                }
                (StageDecision::Never(NoStage::NoRow | NoStage::OtherName), _) => {
                    self.forget(ledger, &candidate, None).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn clear_stages(&mut self) -> Result<(), StateError> {
        self.stages.failures = 0;
        self.note_stages(Finding::Clear(Condition::Stages)).await
    }

    async fn note_stages(&mut self, finding: Finding) -> Result<(), StateError> {
        let events = self.stages.conditions.update([finding], std::time::Instant::now());
        if events.is_empty() {
            return Ok(());
        }
        self.state.emit(&EventBatch::of(events), self.clock.now()).await
    }
}
