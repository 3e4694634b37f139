//! One cycle: reads both ends, plans, makes the calls, records.

mod calls;
mod certificates;
mod config;
mod desired;
mod events;
mod fingerprint;
mod identity;
mod outcome;
mod preview;
mod records;
mod shutdown;
mod stages;

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use futures_util::future::try_join3;
use jiff::Timestamp;
use tokio::time::timeout;

pub use config::{SyncConfig, SyncInterval, SyncPolicy};
pub use desired::{Rules, Www};
pub use outcome::{CycleError, CycleOutcome, CycleReport, CycleResult, Found, MassRemoval};
pub use preview::Preview;
pub use records::RecordDecision;
pub use shutdown::Shutdown;
pub use stages::{NoStage, StageDecision, StagePreview, StageRules, StageWait};

use crate::{
    clock::Clock,
    closte::{self, ClosteError},
    domain::DomainName,
    events::conditions::{Condition, Conditions, Finding},
    events::{Event, EventBatch},
    leader::{Leader, Mandate},
    ledger::Ledger,
    plan::{Current, plan},
    state::{FileLock, LedgerId, Loop, State, StateError},
    wordpress::{self, Network, Source},
};
use desired::invalid;
use fingerprint::fingerprint;
use identity::Identity;
use outcome::unparsed_elements;

/// Makes Closte's list agree with the network, cycle by cycle.
#[derive(Debug)]
pub struct Reconciler {
    source: Source,
    closte: closte::Client,
    /// The fingerprint of the Closte account: the ledger belongs to it.
    account: String,
    state: State,
    rules: Rules,
    clock: Clock,
    leader: Leader,
    /// None on a standby, and before the first cycle.
    mandate: Option<Mandate>,
    /// Of the last completed cycle.
    seen: Option<LastSeen>,
    /// None if it must be read again.
    ledger: Option<Remembered>,
    /// None if it must be read again.
    records: Option<records::RecordMemory>,
    /// How long the last cycle took to read the network.
    read_took: Duration,
    stages: stages::StageMemory,
    /// The errors of each topic that the last cycle reported.
    reported: HashMap<&'static str, HashSet<String>>,
}

#[derive(Debug)]
struct LastSeen {
    /// Of everything that it acted on.
    fingerprint: u64,
    /// When Closte's list was read, in time since the machine booted.
    listed_at: Duration,
    replan_at: Option<Timestamp>,
    /// [`State::data_version`] then: another process may have left something to do.
    version: i64,
    /// What it found, if that stays so while this daemon leads and neither end changes.
    at_rest: Option<AtRest>,
}

#[derive(Debug)]
struct AtRest {
    compared: Compared,
    report: CycleReport,
}

/// What was compared, by fingerprints.
#[derive(Debug, PartialEq, Eq)]
struct Compared {
    ledger: LedgerId,
    network: u64,
    list: u64,
}

/// The ledger in memory: with 100,000 names, reading it takes half of a cycle.
#[derive(Debug)]
struct Remembered {
    id: LedgerId,
    ledger: Ledger,
    /// [`State::data_version`] when it was read.
    version: i64,
}

impl Remembered {
    async fn read(state: &State, id: LedgerId) -> Result<Self, StateError> {
        let version = state.data_version().await?;
        Ok(Self { id, ledger: state.load(id).await?, version })
    }
}

impl Reconciler {
    pub fn new(
        source: Source,
        closte: closte::Client,
        account: String,
        state: State,
        rules: Rules,
        clock: Clock,
        leader: Leader,
    ) -> Self {
        Self {
            source,
            closte,
            account,
            state,
            rules,
            clock,
            leader,
            mandate: None,
            seen: None,
            ledger: None,
            records: None,
            read_took: Duration::ZERO,
            stages: stages::StageMemory::default(),
            reported: HashMap::new(),
        }
    }

    /// Gives up the lead where this process has it, after its last cycle.
    pub async fn resign(&self) {
        self.leader.resign().await;
    }

    /// Asks, at the last moment before a call, whether this process may still act.
    async fn may_act(&self) -> bool {
        match &self.mandate {
            Some(mandate) => mandate.lasts().await,
            None => false,
        }
    }

    /// The time by the clock of the cycles.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How long the last cycle took to read the network.
    pub fn read_took(&self) -> Duration {
        self.read_took
    }

    /// Goes on with the conditions of an earlier process.
    pub fn resume(&mut self, conditions: Conditions) {
        self.stages.conditions = conditions;
    }

    pub fn take_conditions(&mut self) -> Conditions {
        std::mem::take(&mut self.stages.conditions)
    }

    /// The next cycle that compares both ends tries these names whatever their back-off or refusal.
    pub fn try_at_once(&mut self, named: HashSet<DomainName>) {
        if self.seen.is_some() {
            // The last cycle has tried the ones before.
            self.rules.policy.named.clear();
        }
        if !named.is_empty() {
            // Both ends are compared again, even where neither has changed.
            self.seen = None;
        }
        self.rules.policy.named.extend(named);
    }

    /// Runs one cycle. `progress` is called with how many calls of how many are done, and with 0 of 0
    /// while the cycle waits for something else.
    pub async fn cycle(
        &mut self,
        stop: &Shutdown,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> CycleOutcome {
        let started = Instant::now();
        let outcome = self.try_cycle(stop, progress).await.unwrap_or_else(CycleOutcome::from);
        if let Some(CycleError::Source(_)) = outcome.stopped_by
            && let Err(error) = self.leader.recall().await
        {
            tracing::debug!(%error, "who led is not known");
        }
        let took_ms = started.elapsed().as_millis();
        let (added, removed) = outcome.report().map_or((0, 0), |done| (done.added, done.removed));
        let result = outcome.result().as_str();
        let unchanged = matches!(outcome.found, Found::Unchanged);
        let error = outcome.stopped_by.as_ref().map(tracing::field::display);
        tracing::debug!(name: "sync.cycle", unchanged, result, added, removed, took_ms, error);
        outcome
    }

    async fn try_cycle(
        &mut self,
        stop: &Shutdown,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<CycleOutcome, CycleError> {
        let _lock = stop.until_drain(self.wait_for_turn(progress)).await??;
        self.follow_the_clock().await?;
        // Boxed, as it is large and deeply nested.
        let mut outcome = Box::pin(self.read_plan_and_carry_out(stop, progress)).await?;
        if !stop.draining().is_cancelled()
            && let Some(limited) = self.request_certificates(stop, progress).await?
        {
            outcome.stopped_by.get_or_insert(limited.into());
        }
        if !stop.draining().is_cancelled() {
            Box::pin(self.write_stages(stop, progress)).await?;
        }
        Ok(outcome)
    }

    /// Waits while another process is in a cycle.
    async fn wait_for_turn(
        &self,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<FileLock, StateError> {
        let lock = self.state.lock_for_cycle();
        tokio::pin!(lock);
        let mut conditions = Conditions::default();
        loop {
            let locked = timeout(Duration::from_secs(1), &mut lock).await.ok();
            let finding = match &locked {
                Some(_) => Finding::Clear(Condition::OtherCycle),
                None => {
                    let remedy = "wait until the other closte-sync apply ends, or stop it";
                    let event = Event::Waits { remedy: remedy.to_owned(), for_s: 0 };
                    Finding::Raise(Condition::OtherCycle, event)
                }
            };
            let events = EventBatch::of(conditions.update([finding], Instant::now()));
            self.state.emit(&events, self.clock.now()).await?;
            if let Some(lock) = locked {
                return lock;
            }
            progress(0, 0);
        }
    }

    /// Forgets the times in memory if the clock has jumped.
    async fn follow_the_clock(&mut self) -> Result<(), StateError> {
        if self.state.follow_clock(Loop::Cycles, &mut self.clock).await? {
            (self.seen, self.ledger, self.records) = (None, None, None);
        }
        Ok(())
    }

    async fn read_plan_and_carry_out(
        &mut self,
        stop: &Shutdown,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<CycleOutcome, CycleError> {
        let now = self.clock.now();
        // If the list is needed anyway, both ends are read at the same time.
        let list_is_due = self.list_is_due(now).await?;
        let mut listed_at = self.clock.machine_runs_for();
        let read = async {
            let started = Instant::now();
            let network = stop.until_drain(self.source.read()).await??;
            Ok::<_, CycleError>((network, started.elapsed()))
        };
        let list = async {
            Ok(match list_is_due {
                true => Some(stop.until_forced(ask_for_list(&self.closte)).await?),
                false => None,
            })
        };
        let ledger = async { Ok(stop.until_drain(self.read_ahead()).await.ok().flatten()) };
        let ((network, read_took), list, ledger) = try_join3(read, list, ledger).await?;
        self.read_took = read_took;
        self.ledger = ledger.or(self.ledger.take());
        self.note_network(&network);
        let decisions = self.decide_records(&network, now).await?;
        let fingerprint = fingerprint(&network, &decisions);
        self.report_network(&network, now).await?;
        let confirming = Box::pin(self.leader.confirm(network.id, now));
        let mandate = stop.until_drain(confirming).await??;
        if mandate.is_some() && mandate != self.mandate {
            // What it found before, it has not carried out.
            self.seen = None;
        }
        self.mandate = mandate;
        let is_as_before = self.seen.as_ref().is_some_and(|seen| seen.fingerprint == fingerprint);
        if list.is_none() && is_as_before {
            return Ok(CycleOutcome { found: Found::Unchanged, stopped_by: None });
        }

        let ledger_id = self.start_ledger(&network, now).await?;
        let invalid = invalid(&network);
        self.state.note_invalid(ledger_id, &invalid, now).await?;
        let records = self.create_records(&network, &decisions, stop, now).await?;
        let list = match list {
            Some(list) => list?,
            None => {
                listed_at = self.clock.machine_runs_for();
                stop.until_forced(ask_for_list(&self.closte)).await??
            }
        };
        let compared =
            Compared { ledger: ledger_id, network: fingerprint, list: list.fingerprint() };
        // If anything fails from here on, the next cycle compares.
        if let Some(seen) = self.seen.take()
            && let Some(at_rest) = &seen.at_rest
            && at_rest.compared == compared
            && seen.version == self.state.data_version().await?
            && self.mandate.is_some()
        {
            let report = at_rest.report.clone().with(records);
            self.state.cycle_completed(ledger_id, &report, self.clock.now()).await?;
            self.seen = Some(LastSeen { listed_at, ..seen });
            return Ok(CycleOutcome { found: Found::Compared(report), stopped_by: None });
        }

        let unparsed_elements = unparsed_elements(&list);
        let desired = self.rules.desired(network);
        let current = Current { complete: list.is_complete(), names: list.names.sorted() };
        let mut remembered = stop.until_drain(self.remember(ledger_id)).await??;
        let ledger = &mut remembered.ledger;
        self.rules.policy.leading_since = self.leader.leading_since().await?;
        self.rules.policy.other_leads = self.leader.other_leads();
        let plan = plan(&desired, &current, ledger, &self.rules.policy, now);
        drop((desired, current));
        let invalid = invalid.iter().filter(|one| one.clostes_own().is_none()).count();
        let report = CycleReport { invalid, unparsed_elements, ..CycleReport::of(&plan) };
        let at_rest = (plan.is_at_rest() && self.mandate.is_some())
            .then(|| AtRest { compared, report: report.clone() });
        let mut report = report.with(records);
        if self.mandate.is_none() {
            let why = self.leader.standing().why_not();
            report.stand_by(why.unwrap_or_else(|| "it has just begun to lead".to_owned()));
        }
        // First, so that a crash in between forgets none.
        let put_back = stages::put_back(ledger, &plan.changes);
        self.state.note_put_back(ledger_id, &put_back, now).await?;
        // Before the first call to Closte.
        let events = events::of_changes(plan.adopted.len(), &plan.changes);
        self.state.record(ledger_id, &plan.adopted, &plan.changes, &events, now).await?;
        // A standby looks again when the network or the leader changes.
        let replan_at = plan.replan_at(now).filter(|_| self.mandate.is_some());
        ledger.adopt(&plan.adopted, now);
        ledger.change(plan.changes.into_iter().map(|change| (change.name, change.entry)).collect());

        let stopped_by = match self.mandate {
            Some(_) => {
                let decisions = plan.decisions;
                self.carry_out(ledger_id, decisions, ledger, &mut report, stop, progress).await?
            }
            None => None,
        };
        self.state.cycle_completed(ledger_id, &report, self.clock.now()).await?;
        if stop.draining().is_cancelled() && stopped_by.is_none() {
            return Err(CycleError::Stopped);
        }
        let version = remembered.version;
        self.ledger = Some(remembered);
        self.seen = Some(LastSeen { fingerprint, listed_at, replan_at, version, at_rest });
        Ok(CycleOutcome { found: Found::Compared(report), stopped_by })
    }

    /// The ledger as it is in the state database.
    async fn remember(&mut self, id: LedgerId) -> Result<Remembered, StateError> {
        let version = self.state.data_version().await?;
        match self.ledger.take() {
            Some(known) if known.id == id && known.version == version => Ok(known),
            _ => Remembered::read(&self.state, id).await,
        }
    }

    /// The ledger that this cycle probably needs, unless it is in memory. Errors show in
    /// [`Self::remember`], if it is needed.
    async fn read_ahead(&self) -> Option<Remembered> {
        if self.ledger.is_some() {
            return None;
        }
        let id = self.state.current_ledger().await.ok()??;
        Remembered::read(&self.state, id).await.ok()
    }

    /// Whether Closte's list is needed even if the network is as the last cycle saw it.
    async fn list_is_due(&self, now: Timestamp) -> Result<bool, StateError> {
        let Some(seen) = &self.seen else { return Ok(true) };
        let age = self.clock.machine_runs_for().saturating_sub(seen.listed_at);
        Ok(seen.replan_at.is_some_and(|at| at <= now)
            || age >= self.rules.list_interval
            || seen.version != self.state.data_version().await?)
    }

    /// Those of these names that are neither desired nor managed.
    pub async fn unknown_names(&self, names: &[DomainName]) -> Result<Vec<DomainName>, CycleError> {
        let network = self.source.read().await?;
        let identity = Identity::of(&network, &self.account, &self.state).await?;
        let ledger = match identity.ledger(&network)? {
            Some(id) => self.state.load(id).await?,
            None => Ledger::default(),
        };
        let desired = self.rules.desired(network).names;
        let is_known =
            |name: &&DomainName| desired.contains(name.as_str()) || ledger.contains(name.as_str());
        Ok(names.iter().filter(|name| !is_known(name)).cloned().collect())
    }

    /// Reports settings that cannot be read, and a connection without TLS.
    async fn report_network(
        &mut self,
        network: &Network,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let unread = network.plugin.as_ref().err().or(network.closte_integration.as_ref().err());
        let event = |error: &String| (error.clone(), Event::PluginUnread { error: error.clone() });
        self.report("plugin", unread.map(event), now).await?;
        let remedy = || wordpress::TLS_REMEDY.to_owned();
        let event = |error: &String| {
            (error.clone(), Event::TlsFailed { error: error.clone(), remedy: remedy() })
        };
        self.report("tls", network.tls_failed.as_ref().map(event), now).await
    }

    /// Emits an event for each error of a topic that the cycle before did not report.
    async fn report(
        &mut self,
        topic: &'static str,
        found: impl IntoIterator<Item = (String, Event)>,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let known = self.reported.entry(topic).or_default();
        let (mut errors, mut batch) = (HashSet::new(), EventBatch::default());
        for (error, event) in found {
            if !known.contains(&error) {
                batch.logged.push(event);
            }
            errors.insert(error);
        }
        self.state.emit(&batch, now).await?;
        *known = errors;
        Ok(())
    }
}

/// Tests the key if Closte rejects the call for the list, because its answer does not say why.
async fn ask_for_list(closte: &closte::Client) -> Result<closte::List, ClosteError> {
    match closte.list().await {
        Err(ClosteError::Rejected(reason)) => {
            closte.test_key().await?;
            Err(ClosteError::Rejected(reason))
        }
        other => other,
    }
}
