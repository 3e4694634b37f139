//! One cycle: read, plan, carry out, record.

mod calls;
mod certificates;
mod config;
mod desired;
mod events;
mod fingerprint;
mod identity;
mod outcome;
mod records;
mod shutdown;

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::time::timeout;

pub use config::{SyncConfig, SyncPolicy};
pub use desired::{Rules, Www};
pub use outcome::{CycleError, CycleOutcome, CycleReport, CycleResult, Found, MassRemoval};
pub use records::RecordDecision;
pub use shutdown::Shutdown;

use crate::{
    clock::Clock,
    closte::{self, ClosteError},
    domain::DomainName,
    events::conditions::{Condition, Conditions, Finding},
    events::{Event, EventBatch},
    ledger::Ledger,
    plan::{Current, Plan, plan},
    state::{FileLock, InvalidRow, LedgerId, Loop, State, StateError},
    wordpress::{self, Network, Source, SourceError},
};
use desired::invalid;
use fingerprint::fingerprint;
use identity::Identity;
use outcome::unparsed_elements;

/// Keeps Closte's list as the network wants it, cycle by cycle.
#[derive(Debug)]
pub struct Reconciler {
    source: Source,
    closte: closte::Client,
    /// The fingerprint of the Closte account: the ledger belongs to it.
    account: String,
    state: State,
    rules: Rules,
    clock: Clock,
    /// What the last completed cycle saw; none before it.
    seen: Option<LastSeen>,
    /// The ledger, between cycles; none when it has to be read again.
    ledger: Option<Remembered>,
    /// What is remembered of domain records, between cycles; none when it has to be read again.
    records: Option<records::RecordMemory>,
    /// Why domain records are not written, as it was told.
    told_of_records: HashSet<String>,
    /// Why the plugin's settings cannot be read, as it was told.
    told_of_plugin: Option<String>,
    /// Why the connection with the network's database is plain, as it was told.
    told_of_tls: Option<String>,
}

#[derive(Debug)]
struct LastSeen {
    /// A hash of all that it acted upon.
    fingerprint: u64,
    /// When Closte was asked for its list, by how long the machine had run.
    listed_at: Duration,
    /// When there will be more to do even if nothing changes.
    replan_at: Option<Timestamp>,
    /// [`State::data_version`] then: an `apply` beside this process may have left something to see to.
    version: i64,
}

/// The ledger in memory: at 100,000 names, reading it would be half of a cycle.
#[derive(Debug)]
struct Remembered {
    id: LedgerId,
    ledger: Ledger,
    /// [`State::data_version`] when it was read.
    version: i64,
}

/// What a cycle would do.
#[derive(Debug)]
pub struct Preview {
    /// When, as the cycles reckon the time.
    pub now: Timestamp,
    /// What becomes of each name.
    pub plan: Plan,
    /// What is never sent to Closte, with the reason.
    pub invalid: Vec<InvalidRow>,
    /// What becomes of the domain records of sites that have none, in the order of
    /// [`Network::sites_without_record`].
    pub records: Vec<RecordDecision>,
    /// Why domain records that are to be written cannot be.
    pub records_refused: Option<SourceError>,
    /// The network.
    pub network: Network,
    /// How many elements of Closte's list were not understood, with an example.
    pub unparsed_elements: Option<(usize, String)>,
}

impl Reconciler {
    /// Joins both ends. Nothing is asked of either before the first cycle.
    pub fn new(
        source: Source,
        closte: closte::Client,
        account: String,
        state: State,
        rules: Rules,
        clock: Clock,
    ) -> Self {
        Self {
            source,
            closte,
            account,
            state,
            rules,
            clock,
            seen: None,
            ledger: None,
            records: None,
            told_of_records: HashSet::new(),
            told_of_plugin: None,
            told_of_tls: None,
        }
    }

    /// The time now, as the cycles reckon it.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// One cycle. `progress` is told how many calls of how many are done, and 0 of 0 now and then
    /// while there is something else to wait for. When `stop` says so, calls in flight are finished
    /// and recorded, and no new one is begun.
    pub async fn cycle(
        &mut self,
        stop: &Shutdown,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> CycleOutcome {
        let started = Instant::now();
        let outcome = self.try_cycle(stop, progress).await.unwrap_or_else(CycleOutcome::from);
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
        let mut outcome = self.read_plan_and_carry_out(stop, progress).await?;
        if !stop.draining().is_cancelled()
            && let Some(limited) = self.request_certificates(stop, progress).await?
        {
            outcome.stopped_by.get_or_insert(limited.into());
        }
        Ok(outcome)
    }

    /// Another process may be in the middle of a long cycle, or stopped in one.
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
                    let remedy = "let the closte-sync apply that runs beside it finish, or stop it";
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

    /// What is remembered is as it was before the clock jumped.
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
        let network = stop.until_drain(self.source.read()).await??;
        let decisions = self.decide_records(&network, now).await?;
        let desired = self.rules.desired(&network);
        let fingerprint = fingerprint(&desired, &network, &decisions);
        self.report_plugin(&network, now).await?;
        self.report_tls(&network, now).await?;
        if let Some(seen) = &self.seen
            && self.nothing_calls_for_more(seen, fingerprint, now).await?
        {
            return Ok(CycleOutcome { found: Found::Unchanged, stopped_by: None });
        }

        let ledger_id = self.start_ledger(&network, now).await?;
        let invalid = invalid(&network);
        self.state.note_invalid(ledger_id, &invalid, now).await?;
        let records = self.create_records(&network, &decisions, stop, now).await?;
        let listed_at = self.clock.machine_runs_for();
        let list = stop.until_forced(ask_for_list(&self.closte)).await??;
        let unparsed_elements = unparsed_elements(&list);
        let current = Current { complete: list.is_complete(), names: list.names };

        // Should anything fail from here on, the ledger is read again next time.
        let mut remembered = self.remember(ledger_id).await?;
        let ledger = &mut remembered.ledger;
        let plan = plan(&desired, &current, ledger, &self.rules.policy, now);
        let mut report = CycleReport {
            invalid: invalid.iter().filter(|one| one.clostes_own().is_none()).count(),
            records: records.written,
            records_waiting: records.waiting,
            record_refused: records.refused,
            unparsed_elements,
            ..CycleReport::of(&plan)
        };
        self.record_changes(ledger_id, &plan, now).await?;
        let replan_at = plan.replan_at(now);
        for change in plan.changes {
            match change.entry {
                Some(entry) => ledger.insert(change.name, entry),
                None => ledger.remove(&change.name),
            };
        }

        let outage =
            self.carry_out(ledger_id, plan.decisions, ledger, &mut report, stop, progress).await?;
        self.state.cycle_completed(ledger_id, &report, self.clock.now()).await?;
        if stop.draining().is_cancelled() && outage.is_none() {
            return Err(CycleError::Stopped);
        }
        let version = remembered.version;
        self.ledger = Some(remembered);
        self.seen = Some(LastSeen { fingerprint, listed_at, replan_at, version });
        let stopped_by = outage.map(CycleError::Closte);
        Ok(CycleOutcome { found: Found::Compared(report), stopped_by })
    }

    /// The ledger as it is in the state database now.
    async fn remember(&mut self, id: LedgerId) -> Result<Remembered, StateError> {
        let version = self.state.data_version().await?;
        match self.ledger.take() {
            Some(known) if known.id == id && known.version == version => Ok(known),
            _ => Ok(Remembered { id, ledger: self.state.load(id).await?, version }),
        }
    }

    /// What a cycle would do, changing nothing anywhere. Without a state there is no ledger yet.
    ///
    /// # Errors
    /// Any [`CycleError`].
    pub async fn preview(
        source: &Source,
        closte: &closte::Client,
        account: &str,
        state: Option<&State>,
        rules: &Rules,
        mut clock: Clock,
    ) -> Result<Preview, CycleError> {
        let network = source.read().await?;
        let list = ask_for_list(closte).await?;
        let unparsed_elements = unparsed_elements(&list);
        let ledger = match state {
            Some(state) => match Identity::of(&network, account, state).await?.ledger(&network)? {
                Some(id) => state.load(id).await?,
                None => Ledger::new(),
            },
            None => Ledger::new(),
        };
        let current = Current { complete: list.is_complete(), names: list.names };
        let desired = rules.desired(&network);
        if let Some(state) = state {
            state.reckon_on(Loop::Cycles, &mut clock).await?;
        }
        let now = clock.now();
        let plan = plan(&desired, &current, &ledger, &rules.policy, now);
        let invalid = invalid(&network);
        let records = rules.preview_records(&network, state, now).await?;
        let records_refused = match records.contains(&RecordDecision::Write) {
            true => source.check_insert().await.err(),
            false => None,
        };
        Ok(Preview { now, plan, invalid, records, records_refused, unparsed_elements, network })
    }

    /// Whether nothing calls for more than the last cycle did.
    async fn nothing_calls_for_more(
        &self,
        seen: &LastSeen,
        fingerprint: u64,
        now: Timestamp,
    ) -> Result<bool, StateError> {
        Ok(seen.fingerprint == fingerprint
            && seen.replan_at.is_none_or(|at| now < at)
            && self.clock.machine_runs_for().saturating_sub(seen.listed_at)
                < self.rules.list_interval
            && seen.version == self.state.data_version().await?)
    }

    /// Those of these names that the network does not want, and that are not managed either.
    ///
    /// # Errors
    /// Any [`CycleError`].
    pub async fn strangers(&self, names: &[DomainName]) -> Result<Vec<DomainName>, CycleError> {
        let network = self.source.read().await?;
        let desired = self.rules.desired(&network).names;
        let identity = Identity::of(&network, &self.account, &self.state).await?;
        let ledger = match identity.ledger(&network)? {
            Some(id) => self.state.load(id).await?,
            None => Ledger::new(),
        };
        let is_known = |name: &&DomainName| desired.contains_key(name) || ledger.contains_key(name);
        Ok(names.iter().filter(|name| !is_known(name)).cloned().collect())
    }

    /// Settings that cannot be read change nothing, and are told once.
    async fn report_plugin(&mut self, network: &Network, now: Timestamp) -> Result<(), StateError> {
        let unread = network.plugin.as_ref().err().or(network.closte_integration.as_ref().err());
        if self.told_of_plugin.as_ref() == unread {
            return Ok(());
        }
        let event = unread.map(|error| Event::PluginUnread { error: error.clone() });
        self.state.emit(&EventBatch::of(event), now).await?;
        self.told_of_plugin = unread.cloned();
        Ok(())
    }

    /// A connection that goes on without TLS is told once, as PHP tells it never.
    async fn report_tls(&mut self, network: &Network, now: Timestamp) -> Result<(), StateError> {
        if self.told_of_tls == network.tls_failed {
            return Ok(());
        }
        let event = |error: &String| Event::TlsFailed {
            error: error.clone(),
            remedy: wordpress::TLS_REMEDY.to_owned(),
        };
        let events = EventBatch::of(network.tls_failed.iter().map(event));
        self.state.emit(&events, now).await?;
        self.told_of_tls = network.tls_failed.clone();
        Ok(())
    }

    /// Writes down what the plan changes, before the first call to Closte.
    async fn record_changes(
        &self,
        ledger: LedgerId,
        plan: &Plan,
        now: Timestamp,
    ) -> Result<(), StateError> {
        self.state.record(ledger, &plan.changes, &events::of_changes(&plan.changes), now).await
    }
}

/// Asks for the list. Closte gives no reason that a program could read when it declines, so the
/// key is tested then.
async fn ask_for_list(closte: &closte::Client) -> Result<closte::List, ClosteError> {
    match closte.list().await {
        Err(ClosteError::Rejected(reason)) => {
            closte.test_key().await?;
            Err(ClosteError::Rejected(reason))
        }
        other => other,
    }
}
