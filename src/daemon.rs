//! The daemon: both loops until it is told to stop, whatever the other ends do.

mod connections;
mod endpoint;
mod metrics;
mod service;
mod signals;
mod troubles;
mod vitals;

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use jiff::Timestamp;
use rand::RngExt as _;
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;

pub use endpoint::{Endpoint, EndpointError, Listener, Token};
pub use signals::{Signal, signals};

use crate::{
    checks::Clock,
    closte::ClosteError,
    event::{Event, News},
    panics,
    state::{FileLock, State, StateError},
    sync::{CycleError, Report, Stop, Sync},
};
use troubles::Troubles;
use vitals::Vitals;

/// The longest pause that failures make of `sync.interval`.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);
/// The next list shows whether Closte did what it said, and is asked for after this long.
const LIST_AGAIN: Duration = Duration::from_secs(3);

/// How long it may take to write an event down: signals are not kept waiting by a busy state database.
const LONGEST_TELLING: Duration = Duration::from_secs(2);

/// What the daemon runs, as the settings would have it.
pub struct Parts {
    /// The first loop.
    pub sync: Sync,
    /// The second loop.
    pub clock: Clock,
    /// `sync.interval`
    pub interval: Duration,
    /// Where others can ask how it does.
    pub endpoint: Option<Endpoint>,
}

/// What the first loop remembers from parts to parts.
#[derive(Default)]
struct Memory {
    troubles: Troubles,
    /// Cycles in a row that failed.
    failures: u32,
    /// Why calls were left, until others have shown that it is over.
    outage: Option<ClosteError>,
    /// Until when Closte asked to be left alone.
    quiet_until: Option<tokio::time::Instant>,
    /// The line for systemd.
    status: String,
}

impl Memory {
    /// Takes up what a cycle came to. Where names still wait after an outage and none was asked for
    /// again, it lasts.
    fn note(&mut self, outcome: &mut Result<Report, CycleError>, now: tokio::time::Instant) {
        let asked = asked_to_wait(outcome);
        self.quiet_until = asked.map(|asked| now + asked);
        match outcome {
            Ok(report) if report.outage.is_some() => {
                self.failures += 1;
                self.outage = report.outage.clone();
            }
            Ok(report) if report.quiet || report.tried == 0 && report.failed > 0 => {
                match &self.outage {
                    Some(outage) => report.outage = Some(outage.clone()),
                    None => self.failures = 0,
                }
            }
            Ok(_) => (self.failures, self.outage) = (0, None),
            Err(CycleError::Stopped { outage: None }) => {}
            Err(_) => self.failures += 1,
        }
    }
}

/// Runs both loops until a signal asks for the end: cycles every interval, give or take a tenth, and
/// the checks by their clock. Calls in flight are then finished, if that does not take long. A signal
/// for new settings asks `reload` for new parts, and for what there is to tell about them; they take
/// over when all calls in flight are finished. Where it has a reason not to give any, the old ones go
/// on.
pub async fn run(
    mut parts: Parts,
    state: &State,
    lock: &FileLock,
    mut signals: mpsc::Receiver<Signal>,
    mut reload: impl FnMut() -> Result<(Parts, Vec<Event>), String>,
) {
    let vitals = Arc::new(Vitals::default());
    let mut memory = Memory::default();
    loop {
        service::ready();
        let stop = Stop::default();
        let ended = CancellationToken::new();
        let run = async {
            run_parts(parts, state, lock, &stop, &vitals, &mut memory).await;
            ended.cancel();
        };
        let attend = attend(&mut signals, state, &stop, &ended, &vitals, &mut reload);
        let both = async { tokio::join!(run, attend).1 };
        let next = tokio::select! {
            next = both => next,
            never = service::show_life(&vitals.pulse, lock) => match never {},
        };
        match next {
            Some(next) => parts = next,
            None => return,
        }
    }
}

/// Listens for signals until one has ended the parts. The next ones are the result, if there are any.
async fn attend(
    signals: &mut mpsc::Receiver<Signal>,
    state: &State,
    stop: &Stop,
    ended: &CancellationToken,
    vitals: &Vitals,
    reload: &mut impl FnMut() -> Result<(Parts, Vec<Event>), String>,
) -> Option<Parts> {
    let mut next = None;
    while let Some(signal) = ended.run_until_cancelled(signals.recv()).await {
        match signal.unwrap_or(Signal::Stop("the end of all signals")) {
            Signal::Stop(name) => {
                service::stopping();
                stop.hurry();
                tell(state, Event::Stopping { signal: name.to_owned() }).await;
                ended.cancelled().await;
                return None;
            }
            Signal::Reload => {
                service::reloading();
                match reload() {
                    Ok((parts, news)) => {
                        for event in news {
                            tell(state, event).await;
                        }
                        vitals.note_refusal(None);
                        stop.wind_down();
                        next = Some(parts);
                    }
                    Err(error) => {
                        service::reload_refused(&error);
                        vitals.note_refusal(Some(error.clone()));
                        tell(state, Event::ReloadRefused { error }).await;
                        if next.is_none() {
                            service::ready();
                        }
                    }
                }
            }
        }
    }
    next
}

/// Runs all parts until `stop`, and to their orderly end.
async fn run_parts(
    parts: Parts,
    state: &State,
    lock: &FileLock,
    stop: &Stop,
    vitals: &Arc<Vitals>,
    memory: &mut Memory,
) {
    let Parts { sync, clock, interval, endpoint } = parts;
    let closed = CancellationToken::new();
    let endpoint = endpoint.map(|endpoint| {
        tokio::spawn(endpoint.serve(vitals.clone(), state.clone(), closed.clone()))
    });
    let checks = tokio::spawn({
        let (stop, vitals) = (stop.clone(), vitals.clone());
        async move { clock.run(stop.no_more(), &|| vitals.pulse.checks_are_alive()).await }
    });
    let checks = async {
        if let Err(error) = checks.await {
            tell(state, Event::ChecksEnded { error: error.to_string() }).await;
        }
    };
    tokio::join!(run_cycles(sync, state, lock, interval, stop, vitals, memory), checks);
    // It answers to the last.
    closed.cancel();
    if let Some(Err(error)) = futures_util::future::OptionFuture::from(endpoint).await {
        tracing::debug!(%error, "the endpoint broke off");
    }
}

async fn run_cycles(
    mut sync: Sync,
    state: &State,
    lock: &FileLock,
    interval: Duration,
    stop: &Stop,
    vitals: &Vitals,
    memory: &mut Memory,
) {
    let until_stopped = stop.no_more();
    if let Some(end) = memory.quiet_until {
        until_stopped.run_until_cancelled(rest(end, vitals)).await;
    }
    while !until_stopped.is_cancelled() {
        vitals.pulse.sync_is_alive();
        let started = Instant::now();
        let alive = |_, _| vitals.pulse.sync_is_alive();
        // In a box, because the compiler gives up on futures that are nested as deep as all of this.
        let mut outcome = match hold(state, lock).await {
            Ok(()) => unbroken(Box::pin(sync.cycle(stop, &alive))).await,
            Err(error) => Err(error.into()),
        };
        let took = started.elapsed();
        let now = tokio::time::Instant::now();
        memory.note(&mut outcome, now);
        vitals.note_cycle(&outcome, took);
        service::status(&outcome, &mut memory.status, vitals.refusal());
        let news = News::of(memory.troubles.judge(&outcome, Instant::now()));
        note_end(state, &outcome, &news).await;
        let next = now + pause(interval, memory.failures).min(until_list(&outcome));
        let next = memory.quiet_until.map_or(next, |quiet_until| next.max(quiet_until));
        until_stopped.run_until_cancelled(rest(next, vitals)).await;
    }
}

/// Makes an error of a panic, which costs this cycle only: what it may have left half done, the next
/// one reads again.
async fn unbroken(
    cycle: impl Future<Output = Result<Report, CycleError>>,
) -> Result<Report, CycleError> {
    let outcome = AssertUnwindSafe(cycle).catch_unwind().await;
    outcome.unwrap_or_else(|panic| Err(CycleError::Fault(panics::reason(&*panic))))
}

/// Makes sure that the state database and the lock beside it are still those at their names.
async fn hold(state: &State, lock: &FileLock) -> Result<(), StateError> {
    state.attend().await?;
    lock.keep(state)
}

/// Pauses, and shows meanwhile that the loop is alive.
async fn rest(end: tokio::time::Instant, vitals: &Vitals) {
    while tokio::time::Instant::now() < end {
        vitals.pulse.sync_is_alive();
        let tick = tokio::time::Instant::now() + Duration::from_secs(1);
        tokio::time::sleep_until(end.min(tick)).await;
    }
}

/// Logs what happened and writes it down. Where that fails, the log has it at least.
pub async fn tell(state: &State, event: Event) {
    unless_busy(state.record_events(&News::of([event]), Timestamp::now())).await;
}

/// Writes down that a cycle was broken off, for those who print the reason themselves.
pub async fn note_failure(state: &State, outcome: &Result<Report, CycleError>) {
    let recorded = Troubles::default().judge(outcome, Instant::now());
    note_end(state, outcome, &News { told: Vec::new(), recorded }).await;
}

/// Writes down how a cycle ended, and what there is to say after it.
async fn note_end(state: &State, outcome: &Result<Report, CycleError>, news: &News) {
    let now = Timestamp::now();
    match outcome {
        Err(error @ (CycleError::Source(_) | CycleError::Closte(_))) => {
            unless_busy(state.cycle_failed(&error.to_string(), news, now)).await;
        }
        _ => unless_busy(state.record_events(news, now)).await,
    }
}

async fn unless_busy(writing: impl Future<Output = Result<(), StateError>>) {
    match timeout(LONGEST_TELLING, writing).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "what happened was not written down"),
        Err(_) => tracing::debug!("what happened was not written down: the state database is busy"),
    }
}

/// How long Closte asked to be left alone.
fn asked_to_wait(outcome: &Result<Report, CycleError>) -> Option<Duration> {
    match outcome {
        Err(CycleError::Closte(error) | CycleError::Stopped { outage: Some(error) }) => {
            error.retry_after()
        }
        Ok(Report { outage: Some(error), .. }) => error.retry_after(),
        _ => None,
    }
}

/// The most time to the next cycle, where Closte's list has something to show.
fn until_list(outcome: &Result<Report, CycleError>) -> Duration {
    match outcome {
        Ok(report) if report.outage.is_none() && report.awaits_a_list() => LIST_AGAIN,
        _ => Duration::MAX,
    }
}

/// The time to the next cycle: the interval, doubled for every failure in a row after the first,
/// with a jitter of a tenth so that many daemons do not ask at once.
fn pause(interval: Duration, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let pause = interval.saturating_mul(1 << doublings).min(LONGEST_PAUSE.max(interval));
    pause.mul_f64(rand::rng().random_range(0.9..1.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_retry_after_does_not_silence_it_for_years() {
        let error = ClosteError::RateLimited { retry_after: Some(Duration::MAX.into()) };
        let hour = Duration::from_secs(60 * 60);
        assert_eq!(asked_to_wait(&Err(CycleError::Closte(error))), Some(hour));
    }

    #[test]
    fn an_outage_lasts_until_a_call_has_shown_its_end() {
        let limited =
            || ClosteError::RateLimited { retry_after: Some(Duration::from_secs(600).into()) };
        let now = tokio::time::Instant::now();
        let mut memory = Memory::default();
        let mut note = |outcome: Result<Report, CycleError>| {
            let mut outcome = outcome;
            memory.note(&mut outcome, now);
            let is_out = outcome.is_ok_and(|report| report.outage.is_some());
            (is_out, memory.failures, memory.quiet_until.map(|end| (end - now).as_secs()))
        };
        let waiting = || Report { failed: 3, ..Report::default() };
        assert_eq!(note(Ok(waiting())), (false, 0, None));
        let out = || Report { outage: Some(limited()), ..waiting() };
        assert_eq!(note(Ok(out())), (true, 1, Some(600)));
        assert_eq!(note(Ok(waiting())), (true, 1, None), "the list works, the names still wait");
        assert_eq!(note(Ok(Report { quiet: true, ..Report::default() })), (true, 1, None));
        assert_eq!(note(Err(CycleError::Stopped { outage: None })), (false, 1, None));
        let cut = CycleError::Stopped { outage: Some(limited()) };
        assert_eq!(note(Err(cut)), (false, 2, Some(600)), "a reload forgets no Retry-After");
        assert_eq!(note(Ok(Report { tried: 1, ..waiting() })), (false, 0, None));
        assert_eq!(note(Ok(waiting())), (false, 0, None));
    }

    #[tokio::test]
    async fn a_panic_is_a_failed_cycle() {
        let outcome = unbroken(async { panic!("no such row: {}", 7) }).await;
        let error = outcome.as_ref().unwrap_err().to_string();
        assert!(error.contains("no such row: 7"), "{error}");
        let mut troubles = Troubles::default();
        let events = troubles.judge(&outcome, Instant::now());
        let names: Vec<_> = events.iter().map(Event::name).collect();
        assert_eq!(names, ["state.failed"]);
    }

    #[test]
    fn failures_stretch_the_pause() {
        let second = Duration::from_secs(1);
        let pause_of = |failures| pause(30 * second, failures).as_secs_f64().round();
        assert!((27.0..=33.0).contains(&pause_of(0)));
        assert!((27.0..=33.0).contains(&pause_of(1)));
        assert!((108.0..=132.0).contains(&pause_of(3)));
        assert!((270.0..=330.0).contains(&pause_of(99)));
        let hourly = pause(3600 * second, 9).as_secs();
        assert!((3240..=3960).contains(&hourly));
    }
}
