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
    checker::{Checker, Depth, Look},
    http::is_http_due,
    interval::CheckInterval,
    mass_failure::{CONTROL_SAMPLE, MassFailureDetector},
    requests::CheckRequests,
    results::Results,
    site::SiteLook,
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
    state::{CheckedDomain, ChecksDoubt, LedgerId, Loop, State, StateError},
    status::{CheckResult, DomainStatus},
};

/// How often the schedule is queried for due names.
const TICK: Duration = Duration::from_millis(500);
/// The time until the expected targets are resolved again after a failure.
const TARGET_RETRY: Duration = Duration::from_secs(10);
/// How long the checks are in doubt after a mass failure was reported, which is repeated sooner, or after a
/// resolver was last seen failing.
const DOUBT_LASTS: Duration = Duration::from_secs(15 * 60);
/// How often the site of a name that is served is looked at.
const SITE_INTERVAL: Duration = Duration::from_secs(60 * 60);
/// The most results that are recorded together.
const MAX_BATCH: usize = 256;

/// Checks every name when it is due, and records the results.
pub struct Scheduler {
    checker: Arc<Checker>,
    state: State,
    verifier: Verifier,
    check_interval: CheckInterval,
    /// The interval in force, which may be the plugin's own.
    interval: Duration,
    concurrency: usize,
    requests: CheckRequests,
    clock: Clock,
    /// The ledger that the schedule was made from, and its version then.
    schedule: Option<(LedgerId, (i64, u64))>,
    /// Where names should point, if that is known.
    expected: Option<Arc<Expected>>,
    /// The network's own domain, if that is known.
    network: Option<String>,
    /// The earliest time at which the expected targets are resolved.
    expected_at: Timestamp,
    conditions: Conditions,
    mass_failure: MassFailureDetector,
    /// Until when a resolver is recorded as failing; none if that is not known.
    sick_until: Option<Timestamp>,
    /// None while the checks go on.
    round: Option<Round>,
}

/// One round of checks.
#[derive(Debug)]
struct Round {
    /// Names that are due later are left to the next round, so that each one ends.
    until: Timestamp,
    checked: usize,
}

/// The names that are due, in the stages of their check.
#[derive(Default)]
struct Work {
    /// Due, not started.
    waiting: VecDeque<CheckedDomain>,
    in_flight: JoinSet<(CheckedDomain, CheckResult)>,
    /// Checked, not verified.
    done: Vec<(CheckedDomain, CheckResult)>,
    /// Verified, not recorded.
    results: Results,
    /// The names in all stages.
    names: HashSet<DomainName>,
    /// Those that somebody asked for: checked in full.
    asked: HashSet<DomainName>,
    /// Whether `names` are all that are due.
    is_all: bool,
}

impl Work {
    fn finish(&mut self, check: Result<(CheckedDomain, CheckResult), JoinError>) {
        match check {
            Ok(done) => self.done.push(done),
            // A check panicked, of an unknown name, so all that are in flight may be started again.
            Err(error) => {
                tracing::debug!(%error, "a check panicked");
                let known = self.waiting.iter().chain(self.done.iter().map(|(checked, _)| checked));
                let known = known.map(|checked| &checked.name);
                let verified = self.results.updates.iter().map(|update| &update.name);
                self.names = known.chain(verified).cloned().collect();
            }
        }
    }
}

impl Scheduler {
    /// `concurrency` is the most checks at the same time.
    pub fn new(
        checker: Checker,
        state: State,
        verifier: Verifier,
        check_interval: CheckInterval,
        concurrency: usize,
        requests: CheckRequests,
        clock: Clock,
    ) -> Self {
        Self {
            checker: Arc::new(checker),
            state,
            verifier,
            interval: check_interval.interval,
            check_interval,
            concurrency,
            requests,
            clock,
            schedule: None,
            expected: None,
            network: None,
            expected_at: Timestamp::UNIX_EPOCH,
            conditions: Conditions::default(),
            mass_failure: MassFailureDetector::default(),
            sick_until: None,
            round: None,
        }
    }

    /// Checks the names that are due, and ends. It goes on with the conditions of an earlier process, and
    /// returns those that stand now, and how many names were checked.
    pub async fn run_round(
        mut self,
        conditions: Conditions,
        stop: &CancellationToken,
        alive: &(dyn Fn() + Sync),
    ) -> (Conditions, usize) {
        self.conditions = conditions;
        self.round = Some(Round { until: later(self.clock.now(), self.interval), checked: 0 });
        let mut work = Work::default();
        while !stop.is_cancelled() {
            alive();
            let stepped = self.step(&mut work, stop).await;
            let goes_on = stepped.as_ref().is_ok_and(|goes_on| *goes_on);
            self.note_state(stepped.map(drop)).await;
            if !goes_on {
                break;
            }
            stop.run_until_cancelled(self.collect(&mut work)).await;
        }
        let recorded = self.record(&mut work).await;
        self.note_state(recorded).await;
        (self.conditions, self.round.map_or(0, |round| round.checked))
    }

    /// Checks names until `stop` is cancelled, and then drops the checks in flight. Each iteration calls
    /// `alive`.
    pub async fn run(mut self, stop: &CancellationToken, alive: &(dyn Fn() + Sync)) {
        let mut work = Work::default();
        while !stop.is_cancelled() {
            alive();
            let stepped = self.step(&mut work, stop).await;
            self.note_state(stepped.map(drop)).await;
            stop.run_until_cancelled(self.collect(&mut work)).await;
        }
        let recorded = self.record(&mut work).await;
        self.note_state(recorded).await;
    }

    /// Records results, and starts checks of due names. Returns whether any name is due or being checked.
    async fn step(
        &mut self,
        work: &mut Work,
        stop: &CancellationToken,
    ) -> Result<bool, StateError> {
        self.state.check_file().await?;
        self.follow_the_clock(work).await?;
        self.record(work).await?;
        // With many names it takes longer than a stop may.
        let Some(scheduled) = stop.run_until_cancelled(self.sync_schedule()).await else {
            return Ok(false);
        };
        let Some(ledger) = scheduled? else {
            return Ok(false);
        };
        let network = self.state.network(ledger).await?;
        self.follow_interval(ledger, network.check_interval).await?;
        let is_idle = work.names.is_empty() && !self.requests.are_waiting();
        if is_idle && self.state.due(ledger, self.due_until(), 1).await?.is_empty() {
            return Ok(false);
        }
        stop.run_until_cancelled(self.find_expected(Some(&network.domain))).await;
        self.network = Some(network.domain);
        self.take_requests(ledger, work).await?;
        self.refill(ledger, work).await?;
        self.start(work);
        self.note_all(resolver_findings(&self.checker)).await;
        self.note_sick_resolvers().await?;
        Ok(true)
    }

    /// Names that are due until then are checked now.
    fn due_until(&self) -> Timestamp {
        let now = self.clock.now();
        self.round.as_ref().map_or(now, |round| round.until.min(now))
    }

    /// After a jump of the clock, drops the checks in flight: they started at another time.
    async fn follow_the_clock(&mut self, work: &mut Work) -> Result<(), StateError> {
        if !self.state.follow_clock(Loop::Checks, &mut self.clock).await? {
            return Ok(());
        }
        *work = Work::default();
        self.expected_at = self.clock.now();
        self.mass_failure = MassFailureDetector::default();
        self.sick_until = None;
        Ok(())
    }

    /// Brings the schedule up to date with the ledger.
    async fn sync_schedule(&mut self) -> Result<Option<LedgerId>, StateError> {
        let version = self.state.ledger_version().await?;
        if let Some((ledger, known)) = self.schedule
            && known == version
        {
            return Ok(Some(ledger));
        }
        let Some(ledger) = self.state.current_ledger().await? else {
            return Ok(None);
        };
        let now = self.clock.now();
        if self.schedule.is_none_or(|(known, _)| known != ledger) {
            let of_plugin = self.state.network(ledger).await?.check_interval;
            self.interval = self.check_interval.with(of_plugin);
            // What is overdue is due in this round.
            if self.round.is_none() {
                self.state.spread(ledger, self.interval, now).await?;
            }
        }
        let spread_over = if self.round.is_some() { Duration::ZERO } else { self.interval };
        self.state.sync_schedule(ledger, spread_over, now).await?;
        self.schedule = Some((ledger, version));
        Ok(Some(ledger))
    }

    /// Applies a change of the plugin's own interval, unless `checks.interval` is set.
    async fn follow_interval(
        &mut self,
        ledger: LedgerId,
        of_plugin: Option<Duration>,
    ) -> Result<(), StateError> {
        let interval = self.check_interval.with(of_plugin);
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
        match self.checker.expected(own_domain, now).await {
            Ok(expected) => {
                self.expected = Some(expected);
                self.note_all([Finding::Clear(Condition::Target)]).await;
            }
            Err(error) => {
                self.expected = None;
                self.expected_at = later(now, TARGET_RETRY);
                let event = Event::TargetUnknown { error, for_s: 0 };
                self.note_all([Finding::Raise(Condition::Target, event)]).await;
            }
        }
    }

    /// Puts names that somebody asked for before all others.
    async fn take_requests(&mut self, ledger: LedgerId, work: &mut Work) -> Result<(), StateError> {
        let asked = self.requests.take(|name| work.names.contains(name));
        if asked.is_empty() {
            return Ok(());
        }
        for checked in self.state.desired(ledger, &asked).await? {
            work.names.insert(checked.name.clone());
            work.asked.insert(checked.name.clone());
            work.waiting.push_front(checked);
        }
        Ok(())
    }

    /// Reads more due names.
    async fn refill(&mut self, ledger: LedgerId, work: &mut Work) -> Result<(), StateError> {
        if work.waiting.len() >= self.concurrency {
            return Ok(());
        }
        let now = self.clock.now();
        let limit = work.names.len() + 4 * self.concurrency;
        let due = self.state.due(ledger, self.due_until(), limit).await?;
        work.is_all = due.len() < limit;
        let new = due.into_iter().filter(|one| !work.names.contains(&one.name));
        let new: Vec<CheckedDomain> = new.collect();
        let late = new.first().and_then(|one| one.due_at).map(|due| now.duration_since(due));
        let late: Duration = late.unwrap_or_default().try_into().unwrap_or_default();
        work.names.extend(new.iter().map(|one| one.name.clone()));
        work.waiting.extend(new);
        // Between rounds, nothing is in time.
        if self.round.is_none() {
            self.note_all([lateness(late, self.interval)]).await;
        }
        Ok(())
    }

    /// Records for the other loop whether a resolver is failing.
    async fn note_sick_resolvers(&mut self) -> Result<(), StateError> {
        let now = self.clock.now();
        let is_sick = !self.checker.failing_resolvers().is_empty();
        let is_recorded = self.sick_until.is_some_and(|until| match is_sick {
            true => until >= later(now, DOUBT_LASTS / 2),
            false => until <= now,
        });
        if !is_recorded {
            let until = if is_sick { later(now, DOUBT_LASTS) } else { now };
            self.state.note_doubt(ChecksDoubt::SickResolver, until).await?;
            self.sick_until = Some(until);
        }
        Ok(())
    }

    /// Starts checks up to the concurrency.
    fn start(&self, work: &mut Work) {
        while work.in_flight.len() < self.concurrency
            && let Some(checked) = work.waiting.pop_front()
        {
            let (checker, expected) = (self.checker.clone(), self.expected.clone());
            let (is_asked, now) = (work.asked.remove(&checked.name), self.clock.now());
            let depth = if is_asked { Depth::Full } else { depth(checked.status.as_ref()) };
            let looks_at_site =
                if is_asked { has_site(&checked) } else { is_site_due(&checked, now) };
            let site = looks_at_site
                .then(|| SiteLook { network: self.network.clone(), row: checked.facts.row });
            // A second check that is left out would take the suspicion back.
            let is_suspect = |status: &DomainStatus| status.suspect_since.is_some();
            let waits = is_asked || checked.status.as_ref().is_some_and(is_suspect);
            let look = Look {
                site,
                http: is_asked && !checked.name.is_wildcard() || is_http_due(&checked, now),
                waits,
            };
            // Boxed: tokio moves a task several times over the stack before it runs.
            work.in_flight.spawn(Box::pin(async move {
                let (name, expected) = (&checked.name, expected.as_deref());
                let result = checker.check(name, expected, depth, &look, now).await;
                (checked, result)
            }));
        }
    }

    /// Waits for checks to finish, until the schedule is queried again.
    async fn collect(&self, work: &mut Work) {
        let tick = sleep(TICK);
        tokio::pin!(tick);
        loop {
            tokio::select! {
                () = &mut tick => return,
                Some(one) = work.in_flight.join_next() => {
                    work.finish(one);
                    self.start(work);
                    let needs_more = !work.is_all && work.waiting.is_empty();
                    if needs_more || work.done.len() >= MAX_BATCH {
                        return;
                    }
                }
            }
        }
    }

    /// Records the results with their events. If that fails, they are recorded later, and their names are
    /// not checked until then.
    async fn record(&mut self, work: &mut Work) -> Result<(), StateError> {
        let now = self.clock.now();
        let (done, results) = (work.done.drain(..), &mut work.results);
        results.verify(done, &self.verifier, &mut self.mass_failure, self.interval, now);
        let Some((ledger, _)) = self.schedule.filter(|_| !results.updates.is_empty()) else {
            return Ok(());
        };
        if results.is_suspicious {
            let until = later(now, DOUBT_LASTS);
            self.state.note_doubt(ChecksDoubt::MassFailure, until).await?;
        }
        self.state.record_checks(ledger, &results.updates, &results.batch, now).await?;
        let recorded = std::mem::take(results);
        if let Some(round) = &mut self.round {
            round.checked += recorded.updates.len();
        }
        for update in recorded.updates {
            work.names.remove(&update.name);
        }
        if recorded.begins_suspicion {
            let controls = self.state.expedite_healthy(ledger, CONTROL_SAMPLE, now).await?;
            self.mass_failure.set_controls(controls);
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
                Finding::RaiseFor((&error).into(), Condition::State, event)
            }
        };
        self.note_all([finding]).await;
    }

    /// Updates the conditions, and emits the events that follow.
    async fn note_all(&mut self, findings: impl IntoIterator<Item = Finding>) {
        let batch = EventBatch::of(self.conditions.update(findings, Instant::now()));
        if let Err(error) = self.state.emit(&batch, self.clock.now()).await {
            tracing::debug!(%error, "an event was not recorded");
        }
    }
}

/// Without a site there is nothing to see: a name of `sync.extra_domains`, a wildcard.
fn has_site(checked: &CheckedDomain) -> bool {
    checked.facts.blog_id.is_some() && !checked.name.as_str().starts_with("*.")
}

/// Whether the site of a name is looked at with its next check. A page costs the server more than the rest of
/// a check.
pub(super) fn is_site_due(checked: &CheckedDomain, now: Timestamp) -> bool {
    if !has_site(checked) {
        return false;
    }
    let Some(status) = &checked.status else { return true };
    let Some(site) = &status.latest.site else { return true };
    let row_has_changed = checked.facts.row.map(|row| row.serving) != site.serving;
    !site.verdict.is_good()
        || row_has_changed
        || status.suspect_since.is_some()
        || status.dns_since > site.checked_at
        || site.checked_at > now
        || now >= later(site.checked_at, SITE_INTERVAL)
}

fn resolver_findings(checker: &Checker) -> [Finding; 3] {
    let finding = |condition, resolvers: Vec<String>, event: &dyn Fn(Vec<String>) -> Event| {
        if resolvers.is_empty() {
            Finding::Clear(condition)
        } else {
            Finding::Raise(condition, event(resolvers))
        }
    };
    [
        finding(Condition::SilentResolvers, checker.silent_resolvers(), &|resolvers| {
            Event::ResolverSilent { resolvers, for_s: 0 }
        }),
        finding(Condition::SickResolvers, checker.failing_resolvers(), &|resolvers| {
            let remedy = "repair it, or remove it from checks.resolvers".to_owned();
            Event::ResolverSick { resolvers, remedy, for_s: 0 }
        }),
        finding(Condition::OddResolvers, checker.differing_resolvers(), &|resolvers| {
            let remedy =
                "the others decide; if that is not intended, check its settings".to_owned();
            Event::ResolverOdd { resolvers, remedy, for_s: 0 }
        }),
    ]
}

/// Whether the longest overdue name is late by more than an interval.
fn lateness(late: Duration, interval: Duration) -> Finding {
    if late <= interval {
        return Finding::Clear(Condition::LateChecks);
    }
    let remedy = "raise checks.interval, or checks.queries_per_second and checks.concurrency";
    let event = Event::ChecksLate { late_s: late.as_secs(), remedy: remedy.to_owned(), for_s: 0 };
    Finding::Raise(Condition::LateChecks, event)
}
