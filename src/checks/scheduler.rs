//! Looks at every name when its time has come.

use std::{
    collections::{HashSet, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
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
    targets::Expected,
    transition::{Transition, depth, transition},
};
use crate::{
    clock::Clock,
    domain::DomainName,
    events::conditions::{Condition, Conditions, Finding},
    events::{Event, News},
    ledger::later,
    state::{CheckedDomain, LedgerId, Loop, State, StateError, StatusUpdate},
    status::{CheckResult, DomainStatus},
};

/// How often the schedule is asked what is due.
const TICK: Duration = Duration::from_millis(500);
/// When a name that worked seems not to, it is looked at again after this long.
const SECOND_LOOK: Duration = Duration::from_secs(30);
/// Where names should point is asked again this long after it could not be found out.
const TARGET_AGAIN: Duration = Duration::from_secs(10);
/// The most outcomes that are written together.
const RECORD_AT_ONCE: usize = 256;

/// Looks at every name when its time has come, and records what it saw.
pub struct Scheduler {
    checks: Arc<Checker>,
    state: State,
    attention_after: Duration,
    /// Closte's page where certificates are seen to.
    panel: Option<String>,
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
    /// Looked at, not settled.
    done: Vec<(CheckedDomain, CheckResult)>,
    /// Settled, not recorded, and what there is to say of it.
    settled: Vec<StatusUpdate>,
    news: News,
    /// Whether the first of several doubts is among it.
    has_first_doubt: bool,
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
                let settled = self.settled.iter().map(|outcome| &outcome.name);
                self.names = known.chain(settled).cloned().collect();
            }
        }
    }
}

impl Scheduler {
    /// Joins the parts. `panel` is Closte's page where certificates are seen to, if it is known;
    /// `concurrency` is how many names are looked at at once.
    pub fn new(
        checks: Checker,
        state: State,
        attention_after: Duration,
        panel: Option<String>,
        pace: CheckInterval,
        concurrency: usize,
        clock: Clock,
    ) -> Self {
        Self {
            checks: Arc::new(checks),
            state,
            attention_after,
            panel,
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
        self.state.attend().await?;
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

    /// Settles what was seen, writes it down and says it. What cannot be written waits until it can: those
    /// names are not looked at meanwhile.
    async fn record(&mut self, work: &mut Work) -> Result<(), StateError> {
        let now = self.clock.now();
        self.transition(work, now);
        let Some((ledger, _)) = self.enrolled.filter(|_| !work.settled.is_empty()) else {
            return Ok(());
        };
        self.state.record_checks(ledger, &work.settled, &work.news, now).await?;
        for outcome in work.settled.drain(..) {
            work.names.remove(&outcome.name);
        }
        work.news = News::default();
        if std::mem::take(&mut work.has_first_doubt) {
            let controls = self.state.expedite_healthy(ledger, CONTROL_SAMPLE, now).await?;
            self.mass_failure.has_controls(controls);
        }
        Ok(())
    }

    /// Joins what was seen with what is remembered.
    fn transition(&mut self, work: &mut Work, now: Timestamp) {
        for (checked, seen) in std::mem::take(&mut work.done) {
            let previous = checked.status.as_ref();
            let (facts, panel) = (&checked.facts, self.panel.as_deref());
            let settled =
                transition(&checked.name, previous, seen, facts, panel, self.attention_after, now);
            let due_at = if settled.is_doubt() {
                later(now, SECOND_LOOK.min(self.interval))
            } else {
                next_turn(&checked.name, self.interval, now)
            };
            let was_beyond_doubt =
                |before: &DomainStatus| before.latest.works() && before.suspect_since.is_none();
            if previous.is_some_and(was_beyond_doubt) {
                work.has_first_doubt |= self.mass_failure.note(settled.is_doubt(), now);
            }
            let Transition { status, events: told } = settled;
            if told.is_empty() {
                let domain = checked.name.as_str();
                let (dns, ssl) =
                    (status.latest.dns.verdict.as_str(), status.latest.ssl.verdict.as_str());
                tracing::debug!(name: "checks.look", domain, dns, ssl, doubt = status.suspect_since.is_some());
            }
            work.news.told.extend(told);
            work.settled.push(StatusUpdate { name: checked.name, status, due_at });
        }
        work.news.told.extend(self.mass_failure.tell(now));
    }

    async fn note_state(&mut self, outcome: Result<(), StateError>) {
        let finding = match outcome {
            Ok(()) => Finding::Clear(Condition::State),
            Err(error) if error.is_told() => return,
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
        let news = News::of(self.conditions.update(findings, Instant::now()));
        if let Err(error) = self.state.record_events(&news, self.clock.now()).await {
            tracing::debug!(%error, "an event was not written down");
        }
    }
}

/// What there is to find of the resolvers.
fn resolvers(checks: &Checker) -> [Finding; 3] {
    let finding = |condition, resolvers: Vec<String>, event: &dyn Fn(String) -> Event| {
        if resolvers.is_empty() {
            Finding::Clear(condition)
        } else {
            Finding::Raise(condition, event(resolvers.join(", ")))
        }
    };
    [
        finding(Condition::SilentResolvers, checks.silent_resolvers(), &|resolvers| {
            Event::ResolverSilent { resolvers, for_s: 0 }
        }),
        finding(Condition::SickResolvers, checks.sick_resolvers(), &|resolvers| {
            let remedy = "mend it, or take it out of checks.resolvers".to_owned();
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

/// When it is the name's turn again: each has a moment of its own within the interval, so that they
/// are spread evenly.
fn next_turn(name: &DomainName, interval: Duration, now: Timestamp) -> Timestamp {
    let interval = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1);
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    let moment = i64::try_from(hasher.finish() % interval.unsigned_abs()).unwrap_or_default();
    let since_turn = (now.as_millisecond() - moment).rem_euclid(interval);
    later(now, Duration::from_millis((interval - since_turn).unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_spread_over_the_interval_and_come_once_in_it() {
        let interval = Duration::from_secs(300);
        let start = Timestamp::from_second(1_800_000_000).unwrap();
        let mut tenths = [0; 10];
        for number in 0..1_000 {
            let name: DomainName = format!("shop{number}.example").parse().unwrap();
            let first = next_turn(&name, interval, start);
            let wait = first.duration_since(start).as_millis();
            assert!((1..=300_000).contains(&wait));
            tenths[(wait as usize - 1) / 30_000] += 1;
            assert_eq!(next_turn(&name, interval, first), later(first, interval));
            let early = later(first, Duration::from_millis(1));
            assert_eq!(next_turn(&name, interval, early), later(first, interval));
        }
        assert!(tenths.iter().all(|many| (60..140).contains(many)), "{tenths:?}");
    }
}
