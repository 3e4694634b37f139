//! Looks at every name when its time has come.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::{
    task::{JoinError, JoinSet},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{
    checker::Checker,
    interval::CheckInterval,
    mass_failure::{CONTROL_SAMPLE, MassFailureDetector},
    results::Results,
    targets::Expected,
    transition::depth,
    verifier::Verifier,
};
use crate::{
    clock::Clock,
    domain::DomainName,
    events::conditions::{Condition, Conditions, Finding},
    events::{Event, EventBatch},
    ledger::later,
    state::{CheckedDomain, LedgerId, Loop, State, StateError},
    status::CheckResult,
};

/// How often the schedule is asked what is due.
const TICK: Duration = Duration::from_millis(500);
/// Where names should point is asked again this long after it could not be found out.
const TARGET_AGAIN: Duration = Duration::from_secs(10);
/// The most outcomes that are written together.
const RECORD_AT_ONCE: usize = 256;

/// Looks at every name when its time has come, and records what it saw.
pub struct Scheduler {
    checks: Arc<Checker>,
    state: State,
    verifier: Verifier,
    pace: CheckInterval,
    /// How often every name is looked at now.
    interval: Duration,
    concurrency: usize,
    clock: Clock,
    /// The ledger whose names are in the schedule, as of this version of it.
    enrolled: Option<(LedgerId, (i64, u64))>,
    /// Where names should point, if that is known.
    expected: Option<Arc<Expected>>,
    /// When that is asked next, after a failure.
    expected_at: Timestamp,
    conditions: Conditions,
    mass_failure: MassFailureDetector,
}

/// Work under way.
#[derive(Default)]
struct Work {
    /// Due, not begun.
    waiting: VecDeque<CheckedDomain>,
    in_flight: JoinSet<(CheckedDomain, CheckResult)>,
    /// Looked at, not verified.
    done: Vec<(CheckedDomain, CheckResult)>,
    /// Verified, not recorded.
    results: Results,
    /// The names of all of them.
    names: HashSet<DomainName>,
    /// Whether they are all that is due.
    is_all: bool,
}

impl Work {
    fn finish(&mut self, look: Result<(CheckedDomain, CheckResult), JoinError>) {
        match look {
            Ok(done) => self.done.push(done),
            // A fault of ours: whose look it was is not known, so all in flight may be begun again.
            Err(error) => {
                tracing::debug!(%error, "a look broke off");
                let known = self.waiting.iter().chain(self.done.iter().map(|(checked, _)| checked));
                let known = known.map(|checked| &checked.name);
                let verified = self.results.updates.iter().map(|update| &update.name);
                self.names = known.chain(verified).cloned().collect();
            }
        }
    }
}

impl Scheduler {
    /// Joins the parts. `concurrency` is how many names are looked at at once.
    pub fn new(
        checks: Checker,
        state: State,
        verifier: Verifier,
        pace: CheckInterval,
        concurrency: usize,
        clock: Clock,
    ) -> Self {
        Self {
            checks: Arc::new(checks),
            state,
            verifier,
            interval: pace.interval,
            pace,
            concurrency,
            clock,
            enrolled: None,
            expected: None,
            expected_at: Timestamp::UNIX_EPOCH,
            conditions: Conditions::default(),
            mass_failure: MassFailureDetector::default(),
        }
    }

    /// Looks at names until it is told to stop. Looks in flight are then given up: they change
    /// nothing. `alive` is called now and then while all goes well.
    pub async fn run(mut self, stop: &CancellationToken, alive: &(dyn Fn() + Sync)) {
        let mut work = Work::default();
        while !stop.is_cancelled() {
            alive();
            let stepped = self.step(&mut work, stop).await;
            self.note_state(stepped).await;
            stop.run_until_cancelled(self.collect(&mut work)).await;
        }
        let recorded = self.record(&mut work).await;
        self.note_state(recorded).await;
    }

    /// Records what was seen, and finds out what to look at next.
    async fn step(&mut self, work: &mut Work, stop: &CancellationToken) -> Result<(), StateError> {
        self.state.check_file().await?;
        self.follow_the_clock(work).await?;
        self.record(work).await?;
        let Some(ledger) = self.sync_schedule().await? else {
            return Ok(());
        };
        let network = self.state.network(ledger).await?;
        self.follow(ledger, network.check_interval).await?;
        if work.names.is_empty() && self.state.due(ledger, self.clock.now(), 1).await?.is_empty() {
            return Ok(());
        }
        stop.run_until_cancelled(self.find_expected(Some(&network.domain))).await;
        self.refill(ledger, work).await?;
        self.begin(work);
        self.note_all(resolvers(&self.checks)).await;
        Ok(())
    }

    /// Where the clock has jumped, all goes on as if no time had passed thereby. Looks under way are given
    /// up: they began at another time.
    async fn follow_the_clock(&mut self, work: &mut Work) -> Result<(), StateError> {
        if !self.state.follow_clock(Loop::Checks, &mut self.clock).await? {
            return Ok(());
        }
        *work = Work::default();
        self.expected_at = self.clock.now();
        self.mass_failure = MassFailureDetector::default();
        Ok(())
    }

    /// Brings the schedule up to date with the ledger.
    async fn sync_schedule(&mut self) -> Result<Option<LedgerId>, StateError> {
        let version = self.state.ledger_version().await?;
        if let Some((ledger, known)) = self.enrolled
            && known == version
        {
            return Ok(Some(ledger));
        }
        let Some(ledger) = self.state.current_ledger().await? else {
            return Ok(None);
        };
        let now = self.clock.now();
        if self.enrolled.is_none_or(|(known, _)| known != ledger) {
            let plugins = self.state.network(ledger).await?.check_interval;
            self.interval = self.pace.with(plugins);
            self.state.spread(ledger, self.interval, now).await?;
        }
        self.state.sync_schedule(ledger, self.interval, now).await?;
        self.enrolled = Some((ledger, version));
        Ok(Some(ledger))
    }

    /// Takes up a change of the plugin's own interval, where nobody has set another.
    async fn follow(
        &mut self,
        ledger: LedgerId,
        plugins: Option<Duration>,
    ) -> Result<(), StateError> {
        let interval = self.pace.with(plugins);
        if interval != self.interval {
            self.state.rescale(ledger, self.interval, interval, self.clock.now()).await?;
            self.interval = interval;
            tracing::debug!(name: "checks.interval", seconds = interval.as_secs());
        }
        Ok(())
    }

    async fn find_expected(&mut self, own_domain: Option<&str>) {
        let now = self.clock.now();
        if now < self.expected_at {
            return;
        }
        match self.checks.expected(own_domain, now).await {
            Ok(expected) => {
                self.expected = Some(expected);
                self.note_all([Finding::Clear(Condition::Target)]).await;
            }
            Err(error) => {
                self.expected = None;
                self.expected_at = later(now, TARGET_AGAIN);
                let event = Event::TargetUnknown { error, for_s: 0 };
                self.note_all([Finding::Raise(Condition::Target, event)]).await;
            }
        }
    }

    /// Gets more of what is due.
    async fn refill(&mut self, ledger: LedgerId, work: &mut Work) -> Result<(), StateError> {
        if work.waiting.len() >= self.concurrency {
            return Ok(());
        }
        let now = self.clock.now();
        let most = work.names.len() + 4 * self.concurrency;
        let due = self.state.due(ledger, now, most).await?;
        work.is_all = due.len() < most;
        let new = due.into_iter().filter(|one| !work.names.contains(&one.name));
        let new: Vec<CheckedDomain> = new.collect();
        let late = new.first().and_then(|one| one.due_at).map(|due| now.duration_since(due));
        let late: Duration = late.unwrap_or_default().try_into().unwrap_or_default();
        work.names.extend(new.iter().map(|one| one.name.clone()));
        work.waiting.extend(new);
        self.note_all([lateness(late, self.interval)]).await;
        Ok(())
    }

    /// Begins what is due, as far as there is room.
    fn begin(&self, work: &mut Work) {
        while work.in_flight.len() < self.concurrency
            && let Some(checked) = work.waiting.pop_front()
        {
            let (checks, expected) = (self.checks.clone(), self.expected.clone());
            let (depth, now) = (depth(checked.status.as_ref()), self.clock.now());
            work.in_flight.spawn(async move {
                let seen = checks.check(&checked.name, expected.as_deref(), depth, now).await;
                (checked, seen)
            });
        }
    }

    /// Waits for looks to be done, until it is time to ask the schedule again.
    async fn collect(&self, work: &mut Work) {
        let tick = sleep(TICK);
        tokio::pin!(tick);
        loop {
            tokio::select! {
                () = &mut tick => return,
                Some(one) = work.in_flight.join_next() => {
                    work.finish(one);
                    self.begin(work);
                    let wants_more = !work.is_all && work.waiting.is_empty();
                    if wants_more || work.done.len() >= RECORD_AT_ONCE {
                        return;
                    }
                }
            }
        }
    }

    /// Writes down what was seen, and says it. What cannot be written waits until it can: those names are
    /// not looked at meanwhile.
    async fn record(&mut self, work: &mut Work) -> Result<(), StateError> {
        let now = self.clock.now();
        let (done, results) = (work.done.drain(..), &mut work.results);
        results.take(done, &self.verifier, &mut self.mass_failure, self.interval, now);
        let Some((ledger, _)) = self.enrolled.filter(|_| !results.updates.is_empty()) else {
            return Ok(());
        };
        self.state.record_checks(ledger, &results.updates, &results.batch, now).await?;
        let recorded = std::mem::take(results);
        for update in recorded.updates {
            work.names.remove(&update.name);
        }
        if recorded.has_first_doubt {
            let controls = self.state.expedite_healthy(ledger, CONTROL_SAMPLE, now).await?;
            self.mass_failure.has_controls(controls);
        }
        Ok(())
    }

    async fn note_state(&mut self, outcome: Result<(), StateError>) {
        let finding = match outcome {
            Ok(()) => Finding::Clear(Condition::State),
            Err(error) if error.is_reported() => return,
            Err(error) => {
                let file = self.state.path().display().to_string();
                let event = Event::StateFailed { file, error: error.to_string(), for_s: 0 };
                Finding::Raise(Condition::State, event)
            }
        };
        self.note_all([finding]).await;
    }

    /// Takes up what was found of conditions, and says what there is to say of it.
    async fn note_all(&mut self, findings: impl IntoIterator<Item = Finding>) {
        let batch = EventBatch::of(self.conditions.update(findings, Instant::now()));
        if let Err(error) = self.state.emit(&batch, self.clock.now()).await {
            tracing::debug!(%error, "an event was not written down");
        }
    }
}

/// What there is to find of the resolvers.
fn resolvers(checks: &Checker) -> [Finding; 3] {
    let finding = |condition, resolvers: Vec<String>, event: &dyn Fn(Vec<String>) -> Event| {
        if resolvers.is_empty() {
            Finding::Clear(condition)
        } else {
            Finding::Raise(condition, event(resolvers))
        }
    };
    [
        finding(Condition::SilentResolvers, checks.silent_resolvers(), &|resolvers| {
            Event::ResolverSilent { resolvers, for_s: 0 }
        }),
        finding(Condition::SickResolvers, checks.sick_resolvers(), &|resolvers| {
            let remedy = "repair it, or remove it from checks.resolvers".to_owned();
            Event::ResolverSick { resolvers, remedy, for_s: 0 }
        }),
        finding(Condition::OddResolvers, checks.odd_resolvers(), &|resolvers| {
            let remedy = "the others decide; if that is not meant, see to its settings".to_owned();
            Event::ResolverOdd { resolvers, remedy, for_s: 0 }
        }),
    ]
}

/// Whether the first of what is due is later than an interval.
fn lateness(late: Duration, interval: Duration) -> Finding {
    if late <= interval {
        return Finding::Clear(Condition::LateChecks);
    }
    let remedy = "raise checks.interval, or checks.queries_per_second and checks.concurrency";
    let event = Event::ChecksLate { late_s: late.as_secs(), remedy: remedy.to_owned(), for_s: 0 };
    Finding::Raise(Condition::LateChecks, event)
}
